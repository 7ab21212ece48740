//! `STORED AS SQLITE`: tables that can be changed, in a file that other programs read and write too. For what is to be kept
//! and corrected: what a template means and what to do about it, models, results of windows.
//!
//! | what | where |
//! | --- | --- |
//! | CREATE EXTERNAL TABLE | `factory`, `options`; `stored` is the table that it makes or finds |
//! | the file, its transactions, its errors | `file` |
//! | types and values | `types`, `encode`, `decode`; `time_text`, `lists` |
//! | SELECT | `table`, `scan`; `predicate` is what SQLite filters |
//! | INSERT | `write` |
//! | UPDATE, DELETE, MERGE | `table`, as what `tables/changes` can change; `write` |

mod decode;
mod encode;
mod factory;
mod file;
mod lists;
mod options;
mod predicate;
mod scan;
mod stored;
mod table;
#[cfg(test)]
mod tests;
mod time_text;
mod types;
mod write;

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::execution::SessionState;

use crate::tables::changes::ChangeableTable;
use crate::tables::database::Database;
use crate::tables::sqlite::factory::SqliteTableFactory;
use crate::tables::sqlite::table::SqliteTable;

/// Adds STORED AS SQLITE to a session.
pub(crate) fn register(state: &mut SessionState) {
    state
        .table_factories_mut()
        .insert("SQLITE".to_string(), Arc::new(SqliteTableFactory));
}

/// The database of a table, if it is one of these.
pub(crate) fn database_of(provider: &dyn TableProvider) -> Option<Arc<dyn Database>> {
    let table = provider.downcast_ref::<SqliteTable>()?;
    Some(Arc::clone(&table.stored.file) as Arc<dyn Database>)
}

/// The table as one whose rows can be changed, if it is one of these.
pub(crate) fn changeable(provider: &dyn TableProvider) -> Option<Arc<dyn ChangeableTable>> {
    let table = provider.downcast_ref::<SqliteTable>()?;
    Some(Arc::new(table.clone()))
}
