//! A record: a value so much farther off than all before that it is an alert whatever the count of
//! events.
//!
//! Sizes of events are in scales, and the scales of a series that hardly ever moves are not known
//! well: if one in a hundred counts is not 0, the first of them are thousands of scales large. The
//! bar that follows from these must not hide values far outside of all that was seen. Records
//! cannot storm: each is at least [`TIMES`] as large as the last.

/// A record is this many times as far off as anything before.
const TIMES: f64 = 2.0;

/// A record needs a history of this many days.
const DAYS: f64 = 2.0;

/// The largest deviation from the slow expectation.
#[derive(Debug, Default)]
pub(super) struct Record(f64);

impl Record {
    /// The strength of a deviation by this alone; 1 or more is an alert. It is 0 in the first days.
    pub(super) fn strength(&self, age_days: f64, residual: f64) -> f64 {
        let Self(largest) = *self;
        if age_days < DAYS || largest == 0.0 {
            return 0.0;
        }
        residual.abs() / (TIMES * largest)
    }

    /// Takes the residual of a point that could be judged.
    pub(super) fn note(&mut self, residual: f64) {
        self.0 = self.0.max(residual.abs());
    }
}
