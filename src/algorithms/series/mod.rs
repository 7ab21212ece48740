//! Series: values over time, and what can be said of them.
//!
//! [`Samples`] puts rows of any order into time order and onto a regular [`Grid`]; all else works
//! on the values of a grid (or of any evenly spaced series): [`find_periods`] says how long its
//! seasons are, [`decompose`] splits it into trend, seasons and rest, [`find_changepoints`] says
//! where its level, slope or spread changed, [`fill`] closes its gaps, and [`rate`] says how fast a
//! counter grows. A [`Timeline`] says when the next points will be, and [`forecast`] what they will
//! be. A NaN is a missing value everywhere, no function fails on data, and no answer depends on the
//! order of arrival or on the unit of the values.

pub mod anomaly;
mod changepoints;
mod decompose;
mod fill;
pub mod forecast;
mod periods;
mod rate;
mod robust;
mod samples;
mod spectrum;
mod timeline;

pub use changepoints::{ChangeKind, ChangePoint, ChangePointOptions, find_changepoints};
pub use decompose::{DecomposeOptions, Decomposition, Seasonal, decompose};
pub use fill::{Bucket, FillOptions, Filled, Gap, fill};
pub use periods::{Period, PeriodOptions, find_periods};
pub use rate::{Counting, rate};
pub use robust::{median, quantile};
pub use samples::{Grid, Samples, Season};

pub use timeline::{Timeline, add_months, beginning_of_step};
