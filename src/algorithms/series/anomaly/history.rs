//! The newest points of a series, in which seasons and trends are found.
//!
//! At most [`MAX_HISTORY`] points are kept, eleven days of minutes. If steps are so short that
//! these would not cover some days, each kept point is the mean of several.

use crate::algorithms::series::anomaly::cadence::Cadence;

/// The number of points that are kept.
pub(super) const MAX_HISTORY: usize = 16_384;

/// The number of older points that may pile up before they are dropped, so that dropping costs
/// little.
const SLACK: usize = MAX_HISTORY / 4;

/// The days that the points should cover,
const DAYS: usize = 4;

/// unless a day has more points than this, since a season has a number for each.
const LONGEST_DAY: usize = 16_384;

/// The newest points.
#[derive(Debug)]
pub(super) struct AnomalyHistory {
    times_ns: Vec<i64>,
    values: Vec<f64>,
    /// The number of points that are kept as one, with the time of the first and the mean of the
    /// values.
    stride: usize,
    /// The sum of the values of the last kept point, and their number.
    sum: f64,
    n_summed: usize,
}

impl Default for AnomalyHistory {
    fn default() -> Self {
        Self {
            times_ns: vec![],
            values: vec![],
            stride: 1,
            sum: 0.0,
            n_summed: 0,
        }
    }
}

impl AnomalyHistory {
    pub(super) fn push(&mut self, time_ns: i64, value: f64) {
        if let Some(last) = self.values.last_mut()
            && self.n_summed < self.stride
        {
            self.sum += value;
            self.n_summed += 1;
            *last = self.sum / self.n_summed as f64;
            return;
        }
        if self.values.len() >= MAX_HISTORY + SLACK {
            self.times_ns.drain(..SLACK);
            self.values.drain(..SLACK);
        }
        self.times_ns.push(time_ns);
        self.values.push(value);
        (self.sum, self.n_summed) = (value, 1);
    }

    /// The number of points that are kept as one.
    pub(super) fn stride(&self) -> usize {
        self.stride
    }

    /// Keeps several points as one from now on if `day`, the number of points in a day, is large.
    pub(super) fn hold_days(&mut self, day: Option<usize>) {
        let Some(day) = day.filter(|day| *day <= LONGEST_DAY) else {
            return;
        };
        let wanted = (DAYS * day).div_ceil(MAX_HISTORY);
        if wanted > self.stride {
            let n_merged = wanted.div_ceil(self.stride);
            self.stride *= n_merged;
            self.times_ns = self.times_ns.iter().step_by(n_merged).copied().collect();
            let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
            self.values = self.values.chunks(n_merged).map(mean).collect();
            // The last kept point is taken to be complete.
            self.n_summed = self.stride;
        }
    }

    /// The newest points, at most this many.
    pub(super) fn newest(&self, n_points: usize) -> (&[i64], &[f64]) {
        let first = self.values.len().saturating_sub(n_points.min(MAX_HISTORY));
        (&self.times_ns[first..], &self.values[first..])
    }

    /// The newest points, at most this many, by their slots; a kept mean is repeated for each of
    /// its points.
    pub(super) fn newest_slots(
        &self,
        n_points: usize,
        cadence: &Cadence,
    ) -> (Vec<usize>, Vec<f64>) {
        let (times_ns, values) = self.newest(n_points.div_ceil(self.stride));
        let slots = times_ns.iter().map(|time_ns| cadence.slot(*time_ns));
        if self.stride == 1 {
            return (slots.collect(), values.to_vec());
        }
        let slots = slots.flat_map(|slot| slot..slot + self.stride);
        let values = values
            .iter()
            .flat_map(|value| (0..self.stride).map(|_| *value));
        (slots.collect(), values.collect())
    }

    pub(super) fn memory_bytes(&self) -> usize {
        (self.times_ns.capacity() + self.values.capacity()) * 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_points_are_dropped() {
        let mut history = AnomalyHistory::default();
        for at in 0..100_000_i32 {
            history.push(i64::from(at), f64::from(at));
        }
        let (times_ns, values) = history.newest(usize::MAX);
        assert_eq!(
            (times_ns.len(), values[MAX_HISTORY - 1]),
            (MAX_HISTORY, 99_999.0)
        );
        assert!(history.memory_bytes() <= 2 * 16 * (MAX_HISTORY + SLACK));
    }

    #[test]
    fn close_points_are_kept_as_means() {
        let mut history = AnomalyHistory::default();
        for at in 0..7_i32 {
            history.push(i64::from(at), f64::from(at));
        }
        history.hold_days(Some(8_640));
        assert_eq!(history.stride(), 3);
        for at in 7..12_i32 {
            history.push(i64::from(at), f64::from(at));
        }
        let (times_ns, values) = history.newest(usize::MAX);
        assert_eq!(times_ns, [0, 3, 6, 7, 10]);
        assert_eq!(values, [1.0, 4.0, 6.0, 8.0, 10.5]);
        history.hold_days(Some(100_000));
        history.hold_days(None);
        assert_eq!(history.stride(), 3);
    }
}
