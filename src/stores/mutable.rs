//! Tables whose single rows can be changed: what one has to do for UPDATE, DELETE and MERGE, and how it takes part in the
//! transactions of its store.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Constraints, DFSchemaRef, Result, exec_err, plan_err};
use datafusion::datasource::TableType;
use datafusion::logical_expr::dml::{InsertOp, MergeIntoClause};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;

use crate::stores::store::Store;

/// The column in which a scan for UPDATE, DELETE and MERGE has what identifies a row.
pub(crate) const ROW: &str = "__aiops_rowid";

/// A table whose single rows can be changed.
pub(crate) trait MutableTable: Debug + Send + Sync {
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

    /// The store in whose transactions the table takes part, if it is in one.
    fn store(&self) -> Option<Arc<dyn Store>> {
        None
    }
}

/// A table whose rows can be changed, as SQL sees it: what a catalog holds.
#[derive(Debug)]
pub(crate) struct StoreTable {
    provider: Arc<dyn TableProvider>,
    mutable: Arc<dyn MutableTable>,
}

impl StoreTable {
    pub(crate) fn new<T: TableProvider + MutableTable>(table: T) -> Self {
        let table = Arc::new(table);
        Self {
            provider: Arc::clone(&table) as Arc<dyn TableProvider>,
            mutable: table,
        }
    }

    /// What changes the rows of a provider, if it is a `StoreTable`.
    pub(crate) fn mutable_of(provider: &dyn TableProvider) -> Option<Arc<dyn MutableTable>> {
        let table = provider.downcast_ref::<Self>()?;
        Some(Arc::clone(&table.mutable))
    }

    /// The store of a provider, if it is a `StoreTable` in one.
    pub(crate) fn store_of(provider: &dyn TableProvider) -> Option<Arc<dyn Store>> {
        Self::mutable_of(provider)?.store()
    }
}

#[async_trait]
impl TableProvider for StoreTable {
    fn schema(&self) -> SchemaRef {
        self.provider.schema()
    }

    fn constraints(&self) -> Option<&Constraints> {
        self.provider.constraints()
    }

    fn table_type(&self) -> TableType {
        self.provider.table_type()
    }

    fn get_table_definition(&self) -> Option<&str> {
        self.provider.get_table_definition()
    }

    fn get_column_default(&self, column: &str) -> Option<&Expr> {
        self.provider.get_column_default(column)
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        self.provider.supports_filters_pushdown(filters)
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.provider
            .scan(session, projection, filters, limit)
            .await
    }

    async fn insert_into(
        &self,
        session: &dyn Session,
        input: Arc<dyn ExecutionPlan>,
        op: InsertOp,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.provider.insert_into(session, input, op).await
    }

    async fn truncate(&self, session: &dyn Session) -> Result<Arc<dyn ExecutionPlan>> {
        self.provider.truncate(session).await
    }

    async fn delete_from(
        &self,
        _session: &dyn Session,
        _filters: Vec<Expr>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        not_installed()
    }

    async fn update(
        &self,
        _session: &dyn Session,
        _assignments: Vec<(String, Expr)>,
        _filters: Vec<Expr>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        not_installed()
    }

    async fn merge_into(
        &self,
        _session: &dyn Session,
        _source: Arc<dyn ExecutionPlan>,
        _merge_schema: DFSchemaRef,
        _on: Expr,
        _clauses: Vec<MergeIntoClause>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        not_installed()
    }
}

/// DataFusion's way to UPDATE and DELETE loses conditions with subqueries, and those that are never true: all rows would
/// be changed. So these statements are rewritten before they come here.
fn not_installed<T>() -> Result<T> {
    plan_err!("UPDATE, DELETE and MERGE need a session that datafusion_aiops::install has prepared")
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
