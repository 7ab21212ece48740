//! Tables whose rows can be changed, in one transaction for a whole window.
//!
//! | what | where |
//! | --- | --- |
//! | what a store, a transaction and a table that can be changed are | `store`, `mutable` |
//! | the table that a catalog holds | `target_table` |
//! | UPDATE, DELETE and MERGE, once for all of them | `changes` |
//! | the plan node that writes | `write_exec` |
//! | tables in memory | `memory` |
//! | tables in a SQLite file | `sqlite` |

pub(crate) mod changes;
mod memory;
pub(crate) mod mutable;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite;
pub(crate) mod store;
pub(crate) mod target_table;
pub(crate) mod write_exec;
