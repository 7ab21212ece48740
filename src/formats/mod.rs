//! Bytes to rows.

pub(crate) mod listed_files;
pub(crate) mod log;
