//! Series: values over time, and the methods that analyse them.
//!
//! [`Samples`] puts rows of any order into time order and onto a regular [`Grid`]; everything else
//! works on the values of a grid (or of any evenly spaced series). [`find_periods`] finds how long
//! its seasons are, [`decompose`] splits it into trend, seasons and residual, [`find_changepoints`]
//! finds where its level, slope or spread changed, [`fill`] closes its gaps, and [`rate`] computes
//! how fast a counter grows. A [`Timeline`] knows the times of the next points, and [`forecast`]
//! their values. NaN is a missing value everywhere, no function fails on data, and no result
//! depends on the order of arrival or on the unit of the values.

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
