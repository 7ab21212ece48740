//! `STORED AS SQLITE`: tables that can be changed, in a file that other programs read and write
//! too. They are for data that is kept and corrected: what a template means and what to do about
//! it, models, results of windows.
//!
//! | what | where |
//! | --- | --- |
//! | CREATE EXTERNAL TABLE | `factory`, `sqlite_options`; `stored` is the table that it makes or finds |
//! | the file, its transactions, its errors | `file` |
//! | types and values | `types`, `encode`, `decode`; `time_text`, `lists` |
//! | SELECT | `table`, `scan`; `predicate` is what SQLite filters |
//! | INSERT | `write` |
//! | UPDATE, DELETE, MERGE | `table`, as what `stores/changes` can change; `write` |

mod decode;
mod encode;
mod factory;
mod file;
mod lists;
mod predicate;
mod scan;
mod sqlite_options;
mod stored;
mod table;
#[cfg(test)]
mod tests;
mod time_text;
mod types;
mod write;

use std::sync::Arc;

use datafusion::execution::SessionState;

use crate::stores::sqlite::factory::SqliteTableFactory;

/// Adds STORED AS SQLITE to a session.
pub(crate) fn register(state: &mut SessionState) {
    state
        .table_factories_mut()
        .insert("SQLITE".to_string(), Arc::new(SqliteTableFactory));
}
