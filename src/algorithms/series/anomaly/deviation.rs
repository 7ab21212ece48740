//! Standard deviations from measures that are cheaper to compute.

/// The mean absolute deviation of a normal distribution times this is its standard deviation: the
/// square root of pi / 2.
pub(super) const FROM_MEAN_ABSOLUTE: f64 = 1.25;

/// The standard deviation of rounding to steps of 1: one over the square root of twelve.
pub(super) const ROUNDED: f64 = 0.288_675_134_594_812_9;
