//! A record: a value so much farther off than all before it that no count of events is needed.
//!
//! Sizes of events are in scales, and those of a series that hardly ever moves are not known well:
//! of counts that are 0 but for one in a hundred, the first ones are thousands of scales large. The
//! bar that follows from these is no limit for what is far outside of all that was seen. And
//! records cannot storm: each is at least [`TIMES`] as large as the last.

/// A record is this many times as far off as anything before.
const TIMES: f64 = 2.0;

/// A record needs a history of this many days.
const DAYS: f64 = 2.0;

/// The largest deviation from the slow expectation.
#[derive(Debug, Default)]
pub(super) struct Record(f64);

impl Record {
    /// How strong a deviation is by this alone, where an alert begins at 1; 0 in the first days.
    pub(super) fn strength(&self, age_days: f64, residual: f64) -> f64 {
        let Self(largest) = *self;
        if age_days < DAYS || largest == 0.0 {
            return 0.0;
        }
        residual.abs() / (TIMES * largest)
    }

    /// Takes a point that could be judged.
    pub(super) fn note(&mut self, residual: f64) {
        self.0 = self.0.max(residual.abs());
    }
}
