//! Anomalies in a series: spikes, dips, level shifts, changes of variance, falls to nothing and
//! trends, each with what was expected, and quiet otherwise.
//!
//! [`Detector`] judges point by point, by what came before; [`detect`] judges a whole series with
//! hindsight. Both need no training and no settings, and take any unit and any step. What happens
//! to a point:
//!
//! 1. `season` looks for a season in the newest points (`history`), again and again; `cadence`
//!    tells how long a day is.
//! 2. `model` says what was expected, slowly (level, `trend` and the season, a `profile`) and fast
//!    (with what the last points say).
//! 3. `channels` looks at the residuals in three ways: the point, a shift, the scatter; `cliff`
//!    looks for falls to nothing, `record` for what is farther off than anything before.
//! 4. `rule` compares that with a threshold and with how often this series goes so far (`sizes`).
//! 5. `shape` and the detector say what kind of an alert it is, `ongoing` whether it continues.
//!
//! The design is our own; its parts are known and cited where they stand.

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
