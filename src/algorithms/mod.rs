//! The algorithms: slices and parameters in, values out. No Arrow, no DataFusion, no files, no clock.

pub mod cluster;
pub mod text;
