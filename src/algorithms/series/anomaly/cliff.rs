//! Falling to nothing: a value that is almost 0 in a series that never came near 0.
//!
//! Distances in scales miss it where a series varies much: a latency between 15 and 70 that reads 0 for an hour is no
//! outlier by its scale, and yet the service is gone. So the lowest value that was normal is remembered, and what falls
//! far below it is reported, once; when that is over, it counts as seen.

use crate::algorithms::series::anomaly::model::Expectation;
use crate::algorithms::series::anomaly::rule::{GAP_POINTS, NEWS_POINTS};

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

/// The lowest values so far.
#[derive(Debug)]
pub(super) struct LowestSeen {
    lowest: f64,
    /// Of the fall that is going on, or just over.
    fallen: f64,
    newest_fall: Option<usize>,
    n_fallen: usize,
}

impl LowestSeen {
    pub(super) fn new() -> Self {
        Self {
            lowest: f64::INFINITY,
            fallen: f64::INFINITY,
            newest_fall: None,
            n_fallen: 0,
        }
    }

    /// Whether point `at` fell to nothing.
    pub(super) fn is_fall(&mut self, at: usize, value: f64, expected: &Expectation) -> bool {
        let lowest = self.lowest;
        let falls = at >= N_POINTS
            && lowest.is_finite()
            && value >= 0.0
            && value < OF_LOWEST * lowest
            && value < OF_EXPECTED * expected.slow
            && lowest - value > STEPS * expected.resolution
            && expected.slow - value > SCALES * expected.slow_scale;
        if falls {
            self.fallen = self.fallen.min(value);
            self.newest_fall = Some(at);
            self.n_fallen += 1;
        } else if self
            .newest_fall
            .is_some_and(|newest| at - newest > GAP_POINTS)
        {
            *self = Self {
                lowest: lowest.min(self.fallen),
                ..Self::new()
            };
        }
        falls
    }

    /// Whether the fall is still news.
    pub(super) fn is_news(&self) -> bool {
        self.n_fallen <= NEWS_POINTS
    }

    /// Takes a value that was no anomaly.
    pub(super) fn note(&mut self, value: f64) {
        self.lowest = self.lowest.min(value);
    }
}
