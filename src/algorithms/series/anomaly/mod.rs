//! Anomalies in a series: spikes, dips, level shifts, changes of variance, falls to nothing and
//! trends, each with the value that was expected, and no alert otherwise.
//!
//! [`Detector`] judges a series point by point, each by the points before it; [`detect`] judges a
//! whole series with hindsight. Both need no training and no settings, and take any unit and any
//! step. A point passes these stages:
//!
//! 1. `season` looks for a season in the newest points (`history`), again and again; `cadence`
//!    knows how long a day is.
//! 2. `model` computes a slow expectation (level, `trend` and the season, a `profile`) and a fast
//!    one (which adds what the last points say).
//! 3. `channels` views the residuals in three ways: the point, a shift, the scatter; `cliff` looks
//!    for falls to nothing, `record` for values farther off than anything before.
//! 4. `rule` compares these views with a threshold and with how often this series goes so far
//!    (`sizes`).
//! 5. `shape` and the detector determine the kind of an alert, `ongoing` whether it continues.
//!
//! The design is original; its parts are known methods, cited where they are used.

mod cadence;
mod channels;
mod cliff;
mod detector;
mod deviation;
mod finding;
mod hindsight;
mod history;
mod least_squares;
mod model;
mod ongoing;
mod options;
mod profile;
mod record;
mod rule;
mod season;
mod shape;
mod sizes;
#[cfg(test)]
mod tests;
mod trend;
mod verdict;
mod zscore;

pub use detector::Detector;
pub use hindsight::detect;
pub use options::{AnomalyKind, AnomalyMethod, AnomalyOptions, AnomalyParams, Sides};
pub use verdict::{Status, Verdict};
