//! The simple forecasters that a forecast is made of. Each file has one family: it learns from the values up to a point
//! and forecasts from that point on.

mod adjustment;
mod autoregression;
mod cycle;
mod double_seasonal;
mod naive;
mod smoothing;
mod year_ago;

pub(super) use adjustment::{Adjusted, Adjustment, Decays};
pub(super) use autoregression::{Autoregression, dot};
pub(super) use cycle::{average_cycle, center, with_cycle};
pub(super) use double_seasonal::{DoubleSeasonal, from_logarithm};
pub(super) use naive::{long_seasonal_naive, seasonal_median, seasonal_naive};
pub(super) use smoothing::{DampedHolt, Theta};
pub(super) use year_ago::YearAgo;
