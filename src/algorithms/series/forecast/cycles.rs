//! How many cycles of a season must have been seen.

/// A season needs so many half cycles to be used.
const LEAST_HALF_CYCLES: usize = 5;

/// Whether so many values have enough cycles of the period.
pub(super) fn is_long_enough(n_values: usize, period: usize) -> bool {
    period >= 2 && n_values.saturating_mul(2) / LEAST_HALF_CYCLES >= period
}
