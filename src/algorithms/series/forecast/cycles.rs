//! The number of cycles of a season that must have been seen.

/// A season needs this many half cycles to be used.
const LEAST_HALF_CYCLES: usize = 5;

/// Whether this many values hold enough cycles of the period.
pub(super) fn is_long_enough(n_values: usize, period: usize) -> bool {
    period >= 2 && n_values.saturating_mul(2) / LEAST_HALF_CYCLES >= period
}
