//! Tables whose single rows can be changed: what they provide for UPDATE, DELETE and MERGE, and how
//! they take part in the transactions of their store.

use std::fmt::Debug;
use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::common::{Result, exec_err};
use datafusion::physical_plan::ExecutionPlan;

use crate::stores::store::Store;

/// The column that identifies a row in a scan for UPDATE, DELETE and MERGE.
///
/// ```
/// assert_eq!(datafusion_aiops::store::ROW, "__aiops_rowid");
/// ```
pub const ROW: &str = "__aiops_rowid";

/// A table whose single rows can be changed.
///
/// UPDATE, DELETE and MERGE become a query for the rows to change, over
/// [`with_rows`](Self::with_rows), and a plan that applies the changes that the query finds,
/// [`write`](Self::write). `tests/it/extend.rs` has an example.
pub trait MutableTable: Debug + Send + Sync {
    /// The columns of the table.
    fn schema(&self) -> SchemaRef;

    /// The same table with the column [`ROW`], a BIGINT, after its own.
    ///
    /// # Errors
    /// When nothing identifies the rows.
    fn with_rows(&self) -> Result<Arc<dyn TableProvider>>;

    /// A plan that makes the changes and returns the number of rows, like the one that
    /// [`write_plan`](crate::store::write_plan) makes. Its input has [`ROW`], the position of the
    /// action in [`RowChanges::actions`], then the values of [`RowChanges::columns`].
    fn write(
        &self,
        changes: Arc<RowChanges>,
        input: Arc<dyn ExecutionPlan>,
    ) -> Arc<dyn ExecutionPlan>;

    /// The store whose transactions the table takes part in, if it has one.
    fn store(&self) -> Option<Arc<dyn Store>> {
        None
    }
}

/// How rows are changed: the input of a write identifies the row, then gives the position of the
/// action, then the values of columns.
#[derive(Debug)]
pub struct RowChanges {
    actions: Vec<RowAction>,
    columns: Vec<usize>,
}

/// What happens to a row; the numbers are columns of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RowAction {
    /// These columns get new values.
    Update(Vec<usize>),
    /// A row is added with values in these columns; the others get their defaults, or NULL.
    Insert(Vec<usize>),
    /// The row is removed.
    Delete,
}

impl RowChanges {
    pub(crate) fn new(actions: Vec<RowAction>, columns: Vec<usize>) -> Self {
        Self { actions, columns }
    }

    /// The actions that rows of the input refer to.
    pub fn actions(&self) -> &[RowAction] {
        &self.actions
    }

    /// The columns of the table whose values are in the input, in its order.
    pub fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// The position of a column of the table among the values of the input.
    pub fn place(&self, column: usize) -> Option<usize> {
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
