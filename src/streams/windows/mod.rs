//! Cuts the rows of a live table into windows, and keeps the rows of those that are open.
//!
//! ```text
//! shape        tumbling, hopping, session and count windows, with their lengths
//! row_plan     what is done to each row before it is cut
//! cutter       the windows that have closed, whatever the shape: grid, sessions, counts
//! row_store    the rows of open windows: in memory up to a limit, then on disk
//! range_notes  what a replay must know of a range of the source
//! ```

pub(crate) mod counts;
pub(crate) mod cutter;
pub(crate) mod grid;
pub(crate) mod parts;
pub(crate) mod range_notes;
pub(crate) mod row_plan;
pub(crate) mod row_store;
pub(crate) mod sessions;
pub(crate) mod shape;
