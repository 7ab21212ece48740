//! A table that statements or windows write to, whether it comes from this crate or another.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Constraints, DFSchemaRef, Result, plan_err};
use datafusion::datasource::TableType;
use datafusion::logical_expr::dml::{InsertOp, MergeIntoClause};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;

use crate::sinks::sink::WindowSink;
use crate::sinks::window_files::WindowFiles;
use crate::stores::mutable::MutableTable;
use crate::stores::store::Store;

/// A table as a catalog holds it, with what the crate must know beyond [`TableProvider`]: how its
/// rows are changed, or how windows are written into it.
#[derive(Debug)]
pub struct TargetTable {
    provider: Arc<dyn TableProvider>,
    mutable: Option<Arc<dyn MutableTable>>,
    sink: Option<Arc<dyn WindowSink>>,
}

impl TargetTable {
    /// A table for UPDATE, DELETE and MERGE. If it has a [store](MutableTable::store), pipelines
    /// can write it too.
    pub fn mutable<T: TableProvider + MutableTable>(table: T) -> Self {
        let table = Arc::new(table);
        Self {
            provider: Arc::clone(&table) as Arc<dyn TableProvider>,
            mutable: Some(table),
            sink: None,
        }
    }

    /// A table into which pipelines INSERT window by window. Other statements see `provider`.
    pub fn windowed(provider: Arc<dyn TableProvider>, sink: Arc<dyn WindowSink>) -> Self {
        Self {
            provider,
            mutable: None,
            sink: Some(sink),
        }
    }

    /// The part of a provider that changes its rows, if it has one.
    pub(crate) fn mutable_of(provider: &dyn TableProvider) -> Option<Arc<dyn MutableTable>> {
        provider.downcast_ref::<Self>()?.mutable.clone()
    }

    /// The store of a provider, if it has one.
    pub(crate) fn store_of(provider: &dyn TableProvider) -> Option<Arc<dyn Store>> {
        Self::mutable_of(provider)?.store()
    }

    /// The sink for windows, if they can be written into this table.
    pub(crate) fn sink_of(provider: &Arc<dyn TableProvider>) -> Option<Arc<dyn WindowSink>> {
        if let Some(files) = WindowFiles::of(provider) {
            return Some(Arc::new(files));
        }
        provider.downcast_ref::<Self>()?.sink.clone()
    }

    /// Refuses DataFusion's own UPDATE and DELETE. They lose conditions that have subqueries or are
    /// never true, so all rows would be changed: such statements must be rewritten before they come
    /// here.
    fn must_be_rewritten(&self) -> Result<()> {
        if self.mutable.is_none() {
            return Ok(());
        }
        plan_err!(
            "UPDATE, DELETE and MERGE of this table need a session that datafusion_aiops::install has prepared"
        )
    }
}

#[async_trait]
impl TableProvider for TargetTable {
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
        session: &dyn Session,
        filters: Vec<Expr>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.must_be_rewritten()?;
        self.provider.delete_from(session, filters).await
    }

    async fn update(
        &self,
        session: &dyn Session,
        assignments: Vec<(String, Expr)>,
        filters: Vec<Expr>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.must_be_rewritten()?;
        self.provider.update(session, assignments, filters).await
    }

    async fn merge_into(
        &self,
        session: &dyn Session,
        source: Arc<dyn ExecutionPlan>,
        merge_schema: DFSchemaRef,
        on: Expr,
        clauses: Vec<MergeIntoClause>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.must_be_rewritten()?;
        let merged = self
            .provider
            .merge_into(session, source, merge_schema, on, clauses);
        merged.await
    }
}
