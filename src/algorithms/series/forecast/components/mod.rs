//! The simple forecasters that a forecast combines. Each file has one family: it learns from the
//! values up to a point and forecasts from that point on.

mod adjustment;
mod autoregression;
mod cycle;
mod double_seasonal;
mod naive;
mod smoothing;
mod year_ago;

pub(super) use adjustment::{Adjustment, Decays};
pub(super) use autoregression::{Autoregression, dot};
pub(super) use cycle::{average_cycle, center, with_cycle};
pub(super) use double_seasonal::{DoubleSeasonal, from_logarithm};
pub(super) use naive::{seasonal_median, seasonal_naive};
pub(super) use smoothing::{DampedHolt, THETA_TREND, Theta, WHOLE_TREND};
pub(super) use year_ago::YearAgo;

/// Asserts in tests that the numbers are equal except for rounding.
#[cfg(test)]
#[track_caller]
fn check(got: &[f64], expected: &[f64]) {
    let is_near = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-9;
    let are_near = got.len() == expected.len() && got.iter().zip(expected).all(is_near);
    assert!(are_near, "{got:?}, not {expected:?}");
}
