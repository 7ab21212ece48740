//! Windows over live tables: that they are the windows of the same rows read at once, whatever
//! comes when.

mod cutting;
mod files;
pub(crate) mod scripts;
mod statements;
