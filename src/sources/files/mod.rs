//! Log files that grow, rotate and are compressed, read as they are written.
//!
//! ```text
//! follow    the bytes of growing files, each once, through rotations
//! followed  the source: followed files as rows        packed: compressed files among them, each read once and whole
//! growing   bytes as they come become rows            replay: what was read before, again, in steps
//! ```

pub(crate) mod follow;
pub(crate) mod followed;
pub(crate) mod growing;
pub(crate) mod packed;
mod partitions;
mod replay;
#[cfg(test)]
mod tests;
