//! A log table: DataFusion's `ListingTable`, except that it sees new files at every query and
//! refuses writes.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{ScanArgs, ScanResult, Session, TableProvider};
use datafusion::common::{Constraints, Result, plan_datafusion_err, plan_err, project_schema};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::{ListingTable, ListingTableConfig, ListingTableUrl};
use datafusion::logical_expr::dml::InsertOp;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use url::Url;

use crate::formats::listed_files::forget_listed_files;
use crate::formats::log::counters::TableCounters;
use crate::formats::log::locations::Locations;

/// The table.
#[derive(Debug)]
pub(crate) struct LogTable {
    pub(crate) listing: ListingTable,
    /// For files on the local file system, which are listed here: what cannot be read there is left
    /// out and told.
    pub(crate) local: Option<LocalTable>,
    /// Whether its events have a time and a message or a level, as those of logs do.
    pub(crate) is_of_logs: bool,
}

/// How the files of a local table are found.
#[derive(Debug)]
pub(crate) struct LocalTable {
    pub(crate) locations: Locations,
    pub(crate) counters: Arc<TableCounters>,
}

impl LogTable {
    /// The table of the files that are there now; `None` if there are none.
    fn now(&self, session: &dyn Session, local: &LocalTable) -> Result<Option<ListingTable>> {
        let options = &session.config_options().execution;
        let ignores_folders_below = options.listing_table_ignore_subdirectory;
        local.locations.check_globs(ignores_folders_below)?;
        let listing = local.locations.readable_files(ignores_folders_below);
        for problem in listing.problems {
            local.counters.add_problem(problem);
        }
        let urls = listing.files.iter().map(|path| {
            let url = Url::from_file_path(path);
            let url = url.map_err(|()| plan_datafusion_err!("{} is no path", path.display()))?;
            ListingTableUrl::try_new(url, None)
        });
        let urls = urls.collect::<Result<Vec<_>>>()?;
        if urls.is_empty() {
            return Ok(None);
        }
        let config = ListingTableConfig::new_with_multi_paths(urls)
            .with_listing_options(self.listing.options().clone())
            .with_schema(self.listing.schema());
        Ok(Some(ListingTable::try_new(config)?))
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
        if let Some(local) = &self.local {
            return match self.now(session, local)? {
                Some(table) => table.scan(session, projection, filters, limit).await,
                None => Ok(Arc::new(EmptyExec::new(project_schema(
                    &self.schema(),
                    projection,
                )?))),
            };
        }
        forget_listed_files(session, self.listing.table_paths());
        self.listing.scan(session, projection, filters, limit).await
    }

    async fn scan_with_args<'a>(
        &self,
        session: &dyn Session,
        args: ScanArgs<'a>,
    ) -> Result<ScanResult> {
        if let Some(local) = &self.local {
            if let Some(table) = self.now(session, local)? {
                return table.scan_with_args(session, args).await;
            }
            let projection = args.projection().map(<[usize]>::to_vec);
            let schema = project_schema(&self.schema(), projection.as_ref())?;
            return Ok(ScanResult::new(Arc::new(EmptyExec::new(schema))));
        }
        forget_listed_files(session, self.listing.table_paths());
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
