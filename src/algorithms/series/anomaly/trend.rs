//! Trends: the line that a series without a season has followed, steadily, for as long as it is
//! known.
//!
//! The newest points are cut into eight blocks. If each median is above the one before, or each is
//! below, which hardly ever happens by chance (Mann, "Nonparametric tests against trend", 1945),
//! the series follows a line: its slope is the median slope of all pairs of blocks (Theil, 1950;
//! Sen, 1968).

use crate::algorithms::series::anomaly::deviation::FROM_MEAN_ABSOLUTE;
use crate::algorithms::series::robust::median_in_place;

const N_BLOCKS: usize = 8;

/// The least number of points in a block; a median of fewer says little.
const N_LEAST: usize = 8;

/// A line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trend {
    /// The value at slot 0.
    base: f64,
    /// The growth from slot to slot.
    pub(super) slope: f64,
    /// The scale of the values around it.
    pub(super) scale: f64,
}

impl Trend {
    /// The line that the values follow; `slots` ascend.
    pub(super) fn of(slots: &[usize], values: &[f64]) -> Option<Self> {
        let n_points = values.len() / N_BLOCKS;
        if n_points < N_LEAST {
            return None;
        }
        let blocks: Vec<_> = (slots
            .rchunks_exact(n_points)
            .zip(values.rchunks_exact(n_points)))
        .take(N_BLOCKS)
        .map(|(slots, values)| middle(slots, values))
        .collect::<Option<_>>()?;
        let changes = || blocks.windows(2).map(|pair| pair[0].1 - pair[1].1);
        if !changes().all(|change| change > 0.0) && !changes().all(|change| change < 0.0) {
            return None;
        }
        let slope = median_in_place(&mut slopes(&blocks))?;
        let mut bases: Vec<_> = (slots.iter().zip(values))
            .map(|(slot, value)| value - slope * *slot as f64)
            .collect();
        let base = median_in_place(&mut bases)?;
        let sum: f64 = bases.iter().map(|other| (other - base).abs()).sum();
        let scale = sum / bases.len() as f64 * FROM_MEAN_ABSOLUTE;
        Some(Self { base, slope, scale })
    }

    /// The value in a slot.
    pub(super) fn at(&self, slot: usize) -> f64 {
        self.base + self.slope * slot as f64
    }
}

/// The mean slot and the median value of a block.
fn middle(slots: &[usize], values: &[f64]) -> Option<(f64, f64)> {
    let sum: f64 = slots.iter().map(|slot| *slot as f64).sum();
    let median = median_in_place(&mut values.to_vec())?;
    Some((sum / slots.len() as f64, median))
}

/// The slopes of all pairs of blocks, from the newest to the oldest. Slots may be equal if times
/// are irregular.
fn slopes(blocks: &[(f64, f64)]) -> Vec<f64> {
    let pairs = (blocks.iter().enumerate())
        .flat_map(|(at, newer)| blocks[at + 1..].iter().map(move |older| (newer, older)));
    pairs
        .map(|(newer, older)| (newer.1 - older.1) / (newer.0 - older.0).max(1.0))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: impl Fn(f64) -> f64) -> Option<Trend> {
        let slots: Vec<_> = (0..200).collect();
        let values: Vec<_> = slots.iter().map(|slot| value(*slot as f64)).collect();
        Trend::of(&slots, &values)
    }

    #[test]
    fn lines_and_what_is_none() {
        let trend = of(|at| 5.0 - 2.0 * at + (at * 7.0) % 3.0).unwrap();
        assert!((trend.slope + 2.0).abs() < 0.01, "{trend:?}");
        assert!((trend.at(300) + 594.0).abs() < 2.0, "{trend:?}");
        assert!(trend.scale < 2.0);
        assert!(of(|at| (at / 30.0).sin()).is_none());
        assert!(of(|_| 1.0).is_none());
        assert!(Trend::of(&[1, 2], &[1.0, 2.0]).is_none());
    }
}
