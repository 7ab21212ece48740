//! Conversions of numbers that lose nothing relevant.

/// Rounds to the nearest `f32`.
#[expect(
    clippy::cast_possible_truncation,
    reason = "rounding is what it is for"
)]
pub(crate) fn to_f32(value: f64) -> f32 {
    value as f32
}

/// A number of rows, for arithmetic: exact up to 2^53.
pub(crate) fn count(n_rows: usize) -> f64 {
    n_rows as f64
}
