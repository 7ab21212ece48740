//! Falls to nothing: a value of almost 0 in a series that never came near 0.
//!
//! Distances in scales miss such a fall if the series varies much: a latency between 15 and 70 that
//! reads 0 for an hour is no outlier by its scale, and yet the service is gone. So the lowest
//! normal value is remembered, and a value far below it is reported for as long as the fall lasts,
//! the tenth time like the first.

use crate::algorithms::series::anomaly::model::Expectation;

/// The number of points before a lowest value means anything: two days of hourly values.
const N_POINTS: usize = 48;

/// A fall is below this part of the lowest value so far,
const OF_LOWEST: f64 = 0.25;

/// and below this part of what was expected,
pub(super) const OF_EXPECTED: f64 = 0.15;

/// and this many slow scales below the expectation,
const SCALES: f64 = 2.0;

/// and its lowest value is this many of the smallest steps above it: a count of 3 may well be 0.
const STEPS: f64 = 4.0;

/// The strength of a fall to nothing; an alert begins at 1.
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
