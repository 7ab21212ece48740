//! Functions on time series.

mod anomaly_options;
pub(crate) mod anomaly_over;
mod durations;
pub(crate) mod over_routing;
mod season;
mod series;
mod times;
pub(crate) mod ts_anomaly;
pub(crate) mod ts_changepoints;
pub(crate) mod ts_decompose;
pub(crate) mod ts_fill;
pub(crate) mod ts_periods;
mod verdicts;
