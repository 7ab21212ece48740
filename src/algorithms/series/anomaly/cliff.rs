//! Falling to nothing: a value that is almost 0 in a series that never came near 0.
//!
//! Distances in scales miss it where a series varies much: a latency between 15 and 70 that reads 0
//! for an hour is no outlier by its scale, and yet the service is gone. So the lowest value that
//! was normal is remembered, and what falls far below it is reported as long as it lasts, the tenth
//! time as the first.

use crate::algorithms::series::anomaly::model::Expectation;

/// Points before a lowest value means anything: two days of hourly values.
const N_POINTS: usize = 48;

/// Below this part of the lowest value so far,
const OF_LOWEST: f64 = 0.25;

/// and below this part of what was expected,
pub(super) const OF_EXPECTED: f64 = 0.15;

/// and so many slow scales below it,
const SCALES: f64 = 2.0;

/// and with a lowest value so many of its smallest steps above 0: a count of 3 may well be 0.
const STEPS: f64 = 4.0;

/// How strong a fall to nothing is, where an alert begins at 1.
pub(super) const STRENGTH: f64 = 1.2;

/// The lowest value that was normal.
#[derive(Debug)]
pub(super) struct LowestSeen(f64);

impl LowestSeen {
    pub(super) fn new() -> Self {
        Self(f64::INFINITY)
    }

    /// Whether point `at` fell to nothing.
    pub(super) fn is_fall(&self, at: usize, value: f64, expected: &Expectation) -> bool {
        let Self(lowest) = *self;
        at >= N_POINTS
            && lowest.is_finite()
            && value >= 0.0
            && value < OF_LOWEST * lowest
            && value < OF_EXPECTED * expected.slow
            && lowest - value > STEPS * expected.resolution
            && expected.slow - value > SCALES * expected.slow_scale
    }

    /// Takes a value that was no anomaly.
    pub(super) fn note(&mut self, value: f64) {
        self.0 = self.0.min(value);
    }
}
