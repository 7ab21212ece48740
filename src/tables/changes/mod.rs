//! UPDATE, DELETE and MERGE, for every table whose rows can be changed.
//!
//! DataFusion hands a table the conditions that it finds in the optimised plan. Those with subqueries are joins there, and
//! those that are never true are gone, so the table takes the statement for one without WHERE and changes all rows. Here
//! the statement is rewritten before the optimiser: into a query for the rows to change, and a write of what it finds.
//!
//! | what | where |
//! | --- | --- |
//! | the rewriting | `rewrite` |
//! | the plan node that writes | `write_exec` |
//! | tables in memory | `memory` |
//! | tables of other crates, which get their conditions whole or not at all | `others` |

mod memory;
mod others;
mod rewrite;
#[cfg(test)]
mod tests;
pub(crate) mod write_exec;

use std::fmt::Debug;
use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::common::{Result, exec_err};
use datafusion::execution::SessionState;
use datafusion::physical_plan::ExecutionPlan;

use crate::tables::changes::memory::MemoryTable;
use crate::tables::changes::rewrite::RewriteChanges;

/// The column in which a scan for UPDATE, DELETE and MERGE has what identifies a row.
pub(crate) const ROW: &str = "__aiops_rowid";

/// Adds the rewriting to a session.
pub(crate) fn register(state: &mut SessionState) {
    state.add_analyzer_rule(Arc::new(RewriteChanges));
}

/// A table whose single rows can be changed.
pub(crate) trait ChangeableTable: Debug + Send + Sync {
    /// The columns of the table.
    fn schema(&self) -> SchemaRef;

    /// The same table with the column [`ROW`] after its own.
    ///
    /// # Errors
    /// When nothing identifies its rows.
    fn with_rows(&self) -> Result<Arc<dyn TableProvider>>;

    /// A plan that makes the changes and returns the number of rows. Its input has [`ROW`], the place of the action, then
    /// the values of the changed columns.
    fn write(
        &self,
        changes: Arc<RowChanges>,
        input: Arc<dyn ExecutionPlan>,
    ) -> Arc<dyn ExecutionPlan>;
}

/// The table as one that can be changed, if it is.
fn changeable(provider: &Arc<dyn TableProvider>) -> Option<Arc<dyn ChangeableTable>> {
    #[cfg(feature = "sqlite")]
    if let Some(table) = crate::tables::sqlite::changeable(provider.as_ref()) {
        return Some(table);
    }
    let table = MemoryTable::of(provider)?;
    Some(Arc::new(table))
}

/// How rows are changed: the input has what identifies the row, the place of the action, then values of columns.
#[derive(Debug)]
pub(crate) struct RowChanges {
    pub(crate) actions: Vec<RowAction>,
    /// The columns of the table that the input has values of.
    pub(crate) columns: Vec<usize>,
}

/// What happens to a row; with columns of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RowAction {
    Update(Vec<usize>),
    Insert(Vec<usize>),
    Delete,
}

impl RowChanges {
    /// Where the values of a column of the table stand among those of the input.
    pub(crate) fn place(&self, column: usize) -> Option<usize> {
        self.columns.iter().position(|other| *other == column)
    }
}

/// The error of a statement that finds two new states for one row.
pub(crate) fn changed_twice<T>(table: &str) -> Result<T> {
    exec_err!(
        "A row of table {table} is to be changed more than once: several rows of the source match it. Make them one with \
         GROUP BY or DISTINCT. Nothing was changed"
    )
}
