//! Live tables: the same rows as a table that is read once, as they come.

pub(crate) mod clock;
pub(crate) mod counters;
mod late;
pub(crate) mod reorder;
pub(crate) mod scan;
#[cfg(test)]
pub(crate) mod scripted;
pub(crate) mod source;
pub(crate) mod stream;
mod streams;
pub(crate) mod table;
