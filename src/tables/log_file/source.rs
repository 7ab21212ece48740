//! The scan of a log table as DataFusion sees it: which columns, which byte ranges, which metrics.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::physical_plan::{
    FileGroup, FileGroupPartitioner, FileOpener, FileScanConfig, FileSource,
};
use datafusion::datasource::projection::{ProjectionOpener, SplitProjection};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::object_store::ObjectStore;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::{LexOrdering, PhysicalExpr};
use datafusion::physical_plan::apply_expression_roots;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;

use crate::tables::log_file::blocks::Compression;
use crate::tables::log_file::columns::ColumnSource;
use crate::tables::log_file::counters::ScanCounters;
use crate::tables::log_file::opener::LogOpener;
use crate::tables::log_file::spec::LogSpec;

/// Rows of a batch if DataFusion does not say: its own default.
const DEFAULT_BATCH_ROWS: usize = 8192;

/// The source of a scan.
#[derive(Clone)]
pub(crate) struct LogSource {
    spec: Arc<LogSpec>,
    table_schema: TableSchema,
    projection: SplitProjection,
    batch_rows: usize,
    metrics: ExecutionPlanMetricsSet,
}

impl LogSource {
    /// A source for all columns.
    pub(crate) fn new(spec: Arc<LogSpec>, table_schema: TableSchema) -> Self {
        Self {
            spec,
            projection: SplitProjection::unprojected(&table_schema),
            table_schema,
            batch_rows: DEFAULT_BATCH_ROWS,
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }

    /// Whether a file may be read in ranges: a line number needs all lines before it.
    fn can_split(&self, file_groups: &[FileGroup]) -> bool {
        let numbers_lines =
            self.projection.file_indices.iter().any(|&index| {
                self.spec.columns.sources.get(index) == Some(&ColumnSource::LineNumber)
            });
        let is_plain = |path| matches!(Compression::of(path, ""), Ok(Compression::Plain));
        let mut files = file_groups.iter().flat_map(FileGroup::iter);
        !numbers_lines && files.all(|file| is_plain(file.path()))
    }
}

impl FileSource for LogSource {
    fn create_file_opener(
        &self,
        store: Arc<dyn ObjectStore>,
        config: &FileScanConfig,
        partition: usize,
    ) -> Result<Arc<dyn FileOpener>> {
        // Every run of a plan opens its first partition once.
        if partition == 0 {
            self.spec.counters.add_scan();
        }
        let is_local = config.object_store_url.as_str().starts_with("file:");
        let opener = LogOpener {
            spec: Arc::clone(&self.spec),
            store,
            counters: ScanCounters::new(&self.spec.counters, &self.metrics, partition),
            projected: self.projection.file_indices.clone(),
            batch_rows: self.batch_rows,
            path_prefix: if is_local { "/" } else { "" },
        };
        ProjectionOpener::try_new(
            self.projection.clone(),
            Arc::new(opener),
            self.table_schema.file_schema(),
        )
    }

    fn table_schema(&self) -> &TableSchema {
        &self.table_schema
    }

    fn with_batch_size(&self, batch_size: usize) -> Arc<dyn FileSource> {
        Arc::new(Self {
            batch_rows: batch_size,
            ..self.clone()
        })
    }

    fn projection(&self) -> Option<&ProjectionExprs> {
        Some(&self.projection.source)
    }

    fn try_pushdown_projection(
        &self,
        projection: &ProjectionExprs,
    ) -> Result<Option<Arc<dyn FileSource>>> {
        let projection = self.projection.source.try_merge(projection)?;
        let projection = SplitProjection::new(self.table_schema.file_schema(), &projection);
        Ok(Some(Arc::new(Self {
            projection,
            ..self.clone()
        })))
    }

    fn repartitioned(
        &self,
        target_partitions: usize,
        repartition_file_min_size: usize,
        output_ordering: Option<LexOrdering>,
        config: &FileScanConfig,
    ) -> Result<Option<FileScanConfig>> {
        if !self.can_split(&config.file_groups) {
            return Ok(None);
        }
        let groups = FileGroupPartitioner::new()
            .with_target_partitions(target_partitions)
            .with_repartition_file_min_size(repartition_file_min_size)
            .with_preserve_order_within_groups(output_ordering.is_some())
            .repartition_file_groups(&config.file_groups);
        Ok(groups.map(|file_groups| {
            let mut config = config.clone();
            config.file_groups = file_groups;
            config
        }))
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        &self.metrics
    }

    fn file_type(&self) -> &str {
        "log"
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        apply_expression_roots(self.projection.source.iter(), f)
    }
}
