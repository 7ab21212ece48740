//! Live tables: the same rows as a table that is read once, as they come.

pub(crate) mod clock;
pub(crate) mod counters;
#[cfg(test)]
pub(crate) mod scripted;
pub(crate) mod source;
pub(crate) mod stream;
pub(crate) mod table;
