//! The sizes of the events of a series and how often they come: counts by size, which fade.
//!
//! Sizes are in units of a threshold and bins are logarithmic, so a few hundred numbers hold any
//! history, and the frequency of a size does not depend on the step.

use crate::algorithms::series::robust::floor_index;

/// Events smaller than this part of the threshold are too common to tell anything.
pub(super) const LEAST: f64 = 0.5;

const BINS_PER_OCTAVE: f64 = 8.0;

/// Twenty octaves: up to half a million thresholds.
const N_BINS: usize = 160;

/// Counts of events by size.
#[derive(Debug, Clone)]
pub(super) struct Sizes {
    counts: [f32; N_BINS],
    total: f64,
}

impl Sizes {
    pub(super) const NONE: Self = Self {
        counts: [0.0; N_BINS],
        total: 0.0,
    };

    /// Counts an event; sizes beyond the bins count at their ends.
    pub(super) fn add(&mut self, size: f64) {
        self.counts[bin(size)] += 1.0;
        self.total += 1.0;
    }

    /// Reduces the weight of all events counted so far.
    #[expect(clippy::cast_possible_truncation, reason = "counts need few digits")]
    pub(super) fn fade(&mut self, factor: f64) {
        for count in &mut self.counts {
            *count *= factor as f32;
        }
        self.total = self.counts.iter().map(|count| f64::from(*count)).sum();
    }

    /// The number of events, faded.
    pub(super) fn total(&self) -> f64 {
        self.total
    }

    /// How steeply sizes rise among the `n_events` largest events: the mean logarithm of their
    /// ratio to the smallest of them.
    pub(super) fn slope_above(&self, n_events: f64) -> f64 {
        let least = self.reached_by(n_events);
        let (mut n_larger, mut sum) = (0.0, 0.0);
        for (bin, count) in self.counts.iter().enumerate().rev() {
            let count = f64::from(*count).min(n_events - n_larger);
            sum += count * (size_of_bin(bin as f64 + 0.5) / least).ln().max(0.0);
            n_larger += count;
            if n_larger >= n_events {
                break;
            }
        }
        sum / n_events
    }

    /// The size that this many events reach; [`LEAST`] if there were fewer.
    pub(super) fn reached_by(&self, n_events: f64) -> f64 {
        let mut larger = 0.0;
        for (bin, count) in self.counts.iter().enumerate().rev() {
            let count = f64::from(*count);
            if larger + count >= n_events {
                let from_top = (n_events - larger) / count;
                return size_of_bin(bin as f64 + 1.0 - from_top);
            }
            larger += count;
        }
        LEAST
    }
}

/// The size at a position among the bins; whole numbers are where bins begin.
fn size_of_bin(bin: f64) -> f64 {
    LEAST * (bin / BINS_PER_OCTAVE).exp2()
}

fn bin(size: f64) -> usize {
    let octaves = (size / LEAST).max(1.0).log2();
    floor_index(BINS_PER_OCTAVE * octaves).min(N_BINS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_by_their_rank() {
        let mut sizes = Sizes::NONE;
        for size in [1.0, 2.0, 2.0, 8.0, f64::INFINITY, 0.0] {
            sizes.add(size);
        }
        let near = |found: f64, size: f64| (size..size * 1.1).contains(&found);
        assert!(near(sizes.reached_by(2.0), 8.0));
        assert!(near(sizes.reached_by(4.0), 2.0));
        assert!(near(sizes.reached_by(7.0), LEAST));
        // Three events of one size and one that is eight times as large.
        let mut steep = Sizes::NONE;
        for size in [1.0, 2.0, 2.0, 2.0, 16.0] {
            steep.add(size);
        }
        assert!((steep.slope_above(4.0) - 8.0_f64.ln() / 4.0).abs() < 0.1);
        assert!(steep.slope_above(3.0) > steep.slope_above(4.0));
        sizes.fade(0.5);
        assert!(near(sizes.reached_by(2.0), 2.0));
        assert!((sizes.total() - 3.0).abs() < 1e-6);
    }
}
