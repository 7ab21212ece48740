//! The algorithms: slices and parameters in, values out. No Arrow, no DataFusion, no files, no
//! clock.

pub mod cluster;
pub mod features;
pub mod series;
pub mod text;
pub(crate) mod units;
pub(crate) mod windows;
