//! Functions on time series.

mod anomaly_options;
pub(crate) mod anomaly_over;
mod calendar;
pub(crate) mod forecast_fields;
mod forecast_options;
mod horizon;
pub(crate) mod over_routing;
mod points;
mod season;
mod series;
mod series_fold;
mod series_groups;
mod steps;
mod time_axis;
pub(crate) mod times;
pub(crate) mod ts_anomaly;
pub(crate) mod ts_capacity;
pub(crate) mod ts_changepoints;
pub(crate) mod ts_decompose;
pub(crate) mod ts_fill;
pub(crate) mod ts_forecast;
pub(crate) mod ts_periods;
pub(crate) mod ts_points;
pub(crate) mod ts_rate;
pub(crate) mod ts_reaches;
pub(crate) mod verdicts;
mod zones;
