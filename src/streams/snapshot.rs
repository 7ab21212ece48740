//! A table whose rows are made when a query begins to run: the result of `aiops_scans()`,
//! `aiops_streams()`, `aiops_late()` and `aiops_workers()`.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::TableType;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;

/// Something that can be asked for its state at any time.
#[async_trait]
pub(crate) trait Snapshot: Debug + Send + Sync + 'static {
    /// The columns.
    fn schema(&self) -> SchemaRef;

    /// The rows as they are now.
    ///
    /// # Errors
    /// When the state cannot be found out.
    async fn rows(&self, session: &dyn Session) -> Result<Vec<RecordBatch>>;
}

/// The table of a snapshot.
#[derive(Debug)]
pub(crate) struct SnapshotTable<S>(pub(crate) S);

#[async_trait]
impl<S: Snapshot> TableProvider for SnapshotTable<S> {
    fn schema(&self) -> SchemaRef {
        self.0.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let rows = vec![self.0.rows(session).await?];
        let projection = projection.cloned();
        let plan = MemorySourceConfig::try_new_exec(&rows, self.0.schema(), projection)?;
        Ok(plan)
    }
}
