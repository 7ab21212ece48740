//! Forecasts with intervals, and the capacity to provision.
//!
//! [`forecast`] needs no settings. Nine simple forecasters each forecast the newest part of the
//! history from several points before it (rolling origins: Tashman, "Out-of-sample tests of
//! forecasting accuracy", 2000). The forecast is their mean, weighted by how well they did (Bates
//! and Granger, "The combination of forecasts", 1969); the interval follows from the errors of the
//! mean there. A series passes these stages:
//!
//! 1. `history` closes gaps, keeps as much of the past as is needed, finds the seasons (`natural`)
//!    and removes outliers and level shifts (`repair`); `origins` chooses the points from which the
//!    past is forecast.
//! 2. `components` forecast from each of these points, without knowing what follows, and from the
//!    end; `backtest` runs them.
//! 3. `combination` weights them (`stacking`), `interval` computes how far off they may be, and
//!    `forecaster` puts it all together.
//!
//! [`demand_quantile`] and [`plan_slots`] turn a forecast into units to provision, [`Reach`] finds
//! when it reaches a limit, and [`forecast_on_days`] respects holidays.

mod backtest;
mod capacity;
mod combination;
mod components;
mod cycles;
mod forecaster;
mod history;
mod interval;
mod moving_mean;
mod natural;
mod normal;
mod options;
mod origins;
mod reach;
mod repair;
mod special_days;
mod stacking;
#[cfg(test)]
mod tests;

pub use capacity::{CapacityOptions, Demand, SlotPlan, demand_quantile, plan_slots};
pub use forecaster::{Forecast, forecast};
pub use options::{Component, ForecastOptions, Model, Step};
pub use reach::{Direction, Reach};
pub use special_days::{SpecialDays, SpecialPoint, demand_on_days, forecast_on_days};
