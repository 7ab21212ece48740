//! A log table: DataFusion's `ListingTable`, which sees new files at every query and refuses to be written to.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{ScanArgs, ScanResult, Session, TableProvider};
use datafusion::common::{Constraints, Result, plan_err};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::ListingTable;
use datafusion::execution::cache::TableScopedPath;
use datafusion::logical_expr::dml::InsertOp;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;

/// The table.
#[derive(Debug)]
pub(crate) struct LogTable {
    pub(crate) listing: ListingTable,
}

impl LogTable {
    /// DataFusion keeps the list of a table's files for the session. Log folders change all the time: list them anew.
    fn forget_listed_files(&self, session: &dyn Session) {
        let Some(cache) = session.runtime_env().cache_manager.get_list_files_cache() else {
            return;
        };
        for url in self.listing.table_paths() {
            let (table, path) = (url.get_table_ref().clone(), url.prefix().clone());
            cache.remove(&TableScopedPath { table, path });
        }
    }
}

#[async_trait]
impl TableProvider for LogTable {
    fn schema(&self) -> SchemaRef {
        self.listing.schema()
    }

    fn constraints(&self) -> Option<&Constraints> {
        self.listing.constraints()
    }

    fn table_type(&self) -> TableType {
        self.listing.table_type()
    }

    fn get_table_definition(&self) -> Option<&str> {
        self.listing.get_table_definition()
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        self.listing.supports_filters_pushdown(filters)
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.forget_listed_files(session);
        self.listing.scan(session, projection, filters, limit).await
    }

    async fn scan_with_args<'a>(
        &self,
        session: &dyn Session,
        args: ScanArgs<'a>,
    ) -> Result<ScanResult> {
        self.forget_listed_files(session);
        self.listing.scan_with_args(session, args).await
    }

    async fn insert_into(
        &self,
        _session: &dyn Session,
        _input: Arc<dyn ExecutionPlan>,
        _insert_op: InsertOp,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan_err!(
            "INSERT INTO a LOG table is refused: log files are only read. \
             Keep rows with COPY (SELECT …) TO 'folder/' STORED AS PARQUET"
        )
    }
}
