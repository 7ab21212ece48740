//! Windows over live tables: they are the windows of the same rows read at once, in whatever order
//! and at whatever time rows come.

mod cutting;
mod files;
pub(crate) mod scripts;
mod statements;
