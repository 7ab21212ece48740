//! The cadence of a series: the distance between its points, and the slot of a season that a point
//! falls into.

use crate::algorithms::units::DAY;

/// The step of a series without times: five minutes, the commonest step in monitoring.
const DEFAULT_STEP_NS: i64 = 300_000_000_000;

/// The number of first steps that decide until a search for seasons has seen more.
pub(super) const N_FIRST_STEPS: usize = 15;

/// The times of a series, point by point.
#[derive(Debug, Clone)]
pub(super) struct Cadence {
    /// Whether the times are given, rather than counted.
    has_times: bool,
    start_ns: Option<i64>,
    newest_ns: i64,
    first_steps_ns: [i64; N_FIRST_STEPS],
    n_steps: usize,
    step_ns: i64,
}

impl Cadence {
    pub(super) fn new() -> Self {
        Self {
            has_times: false,
            start_ns: None,
            newest_ns: 0,
            first_steps_ns: [0; N_FIRST_STEPS],
            n_steps: 0,
            step_ns: DEFAULT_STEP_NS,
        }
    }

    /// Takes the time of the next point and returns the time that it counts as.
    pub(super) fn next(&mut self, time_ns: Option<i64>) -> i64 {
        let Some(start_ns) = self.start_ns else {
            self.has_times = time_ns.is_some();
            self.newest_ns = time_ns.unwrap_or(0);
            self.start_ns = Some(self.newest_ns);
            return self.newest_ns;
        };
        let counted = self.newest_ns.saturating_add(self.step_ns);
        let time_ns = if self.has_times {
            time_ns.unwrap_or(self.newest_ns)
        } else {
            counted
        };
        // Times before the start would have negative ages.
        let time_ns = time_ns.max(start_ns);
        self.note_step(time_ns.saturating_sub(self.newest_ns));
        self.newest_ns = time_ns;
        time_ns
    }

    fn note_step(&mut self, step_ns: i64) {
        if step_ns <= 0 || self.n_steps >= N_FIRST_STEPS || !self.has_times {
            return;
        }
        self.first_steps_ns[self.n_steps] = step_ns;
        self.n_steps += 1;
        let mut steps = self.first_steps_ns;
        self.step_ns = lower_median(&mut steps[..self.n_steps]);
    }

    /// Measures the step from many times in ascending order, whose neighbours are `stride` steps
    /// apart.
    pub(super) fn measure(&mut self, times_ns: &[i64], stride: usize) {
        let neighbours = times_ns.windows(2);
        let mut steps: Vec<i64> = neighbours
            .map(|pair| pair[1].saturating_sub(pair[0]))
            .filter(|&step| step > 0)
            .collect();
        if self.has_times && !steps.is_empty() {
            let stride = i64::try_from(stride).unwrap_or(i64::MAX);
            self.step_ns = (lower_median(&mut steps) / stride).max(1);
        }
    }

    /// The days from the first point to this time.
    pub(super) fn age_days(&self, time_ns: i64) -> f64 {
        let age_ns = time_ns.saturating_sub(self.start_ns.unwrap_or(time_ns));
        age_ns as f64 / DAY as f64
    }

    pub(super) fn step_days(&self) -> f64 {
        self.step_ns as f64 / DAY as f64
    }

    /// The number of steps from the first point to this time, rounded.
    pub(super) fn slot(&self, time_ns: i64) -> usize {
        let age_ns = time_ns.saturating_sub(self.start_ns.unwrap_or(time_ns));
        let slot = age_ns.saturating_add(self.step_ns / 2) / self.step_ns;
        usize::try_from(slot).unwrap_or(0)
    }

    /// The number of points in a duration; `None` if it is less than 2, or if the points have no
    /// times.
    pub(super) fn points_in(&self, duration_ns: i64) -> Option<usize> {
        let points = duration_ns.saturating_add(self.step_ns / 2) / self.step_ns;
        let points = usize::try_from(points).ok()?;
        (self.has_times && points >= 2).then_some(points)
    }
}

/// The median; of the two middle values the smaller one. There must be at least one.
fn lower_median(steps: &mut [i64]) -> i64 {
    let middle = (steps.len() - 1) / 2;
    *steps.select_nth_unstable(middle).1
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000_000_000;

    #[test]
    fn the_step_is_the_median() {
        let mut cadence = Cadence::new();
        for minute in [0, 5, 10, 30, 35, 40] {
            cadence.next(Some(minute * MINUTE));
        }
        assert_eq!(cadence.step_ns, 5 * MINUTE);
        assert_eq!(cadence.slot(61 * MINUTE), 12);
        assert_eq!(cadence.points_in(DAY), Some(288));
        cadence.measure(&[0, 1, 2, 3], 1);
        assert_eq!(cadence.step_ns, 1);
    }

    #[test]
    fn without_times_points_are_counted() {
        let mut cadence = Cadence::new();
        let times: Vec<_> = (0..3).map(|_| cadence.next(None)).collect();
        assert_eq!(times, [0, 5 * MINUTE, 10 * MINUTE]);
        assert_eq!(cadence.points_in(DAY), None);
    }

    #[test]
    fn odd_times_do_no_harm() {
        let mut cadence = Cadence::new();
        for time in [i64::MAX, i64::MIN, 5, 5, i64::MAX] {
            cadence.next(Some(time));
        }
        assert_eq!(cadence.slot(i64::MIN), 0);
        let mut wide = Cadence::new();
        wide.next(Some(i64::MIN));
        wide.next(Some(i64::MAX));
        assert!(wide.age_days(i64::MAX) > 0.0);
    }
}
