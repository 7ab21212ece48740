//! The scan of a log table as DataFusion sees it: its columns, byte ranges and metrics.

use std::cmp::Reverse;
use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::listing::PartitionedFile;
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

use crate::formats::log::blocks::Compression;
use crate::formats::log::columns::ColumnSource;
use crate::formats::log::counters::ScanCounters;
use crate::formats::log::opener::LogOpener;
use crate::formats::log::spec::LogSpec;

/// The rows of a batch if DataFusion does not set the number: its own default.
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

    /// The table.
    #[cfg(feature = "distributed")]
    pub(crate) fn spec(&self) -> &Arc<LogSpec> {
        &self.spec
    }

    /// Whether a row depends on all lines before it, so that files are not read in ranges: line
    /// numbers, times in a zone whose clock is put back, and objects that are longer than a line.
    fn needs_whole_files(&self) -> bool {
        let columns = &self.spec.columns;
        let mut projected = self.projection.file_indices.iter();
        self.spec.start.needs_whole_files()
            || self.spec.options.encoding.needs_whole_files()
            || projected.any(|&index| {
                let is_time = || {
                    let field = columns.schema.fields().get(index);
                    field.is_some_and(|field| matches!(field.data_type(), DataType::Timestamp(..)))
                };
                columns.sources.get(index) == Some(&ColumnSource::LineNumber)
                    || self.spec.needs_order() && is_time()
            })
    }
}

fn is_plain(file: &PartitionedFile) -> bool {
    matches!(Compression::of(file.path(), ""), Ok(Compression::Plain))
}

/// Splits the plain files evenly and assigns the compressed files, largest first, each to the
/// partition that has the least to read.
fn split_evenly(
    partitioner: FileGroupPartitioner,
    target_partitions: usize,
    groups: &[FileGroup],
) -> Option<Vec<FileGroup>> {
    let files = groups.iter().flat_map(FileGroup::iter).cloned();
    let (plain, mut packed): (Vec<_>, Vec<_>) = files.partition(is_plain);
    let mut groups = partitioner.repartition_file_groups(&[FileGroup::new(plain)])?;
    if packed.is_empty() {
        return Some(groups);
    }
    groups.resize_with(target_partitions.max(groups.len()), FileGroup::default);
    packed.sort_by_key(|file| Reverse(file.effective_size()));
    let size =
        |group: &FileGroup| -> u64 { group.iter().map(PartitionedFile::effective_size).sum() };
    let mut sizes: Vec<_> = groups.iter().map(size).collect();
    for file in packed {
        let least = sizes
            .iter_mut()
            .zip(&mut groups)
            .min_by_key(|(size, _)| **size);
        if let Some((size, group)) = least {
            *size += file.effective_size();
            group.push(file);
        }
    }
    groups.retain(|group| !group.is_empty());
    Some(groups)
}

/// Splits the groups of plain files; the other groups stay as they are, since the files of a group
/// are in order.
fn split_in_order(
    partitioner: FileGroupPartitioner,
    target_partitions: usize,
    groups: &[FileGroup],
) -> Option<Vec<FileGroup>> {
    let (plain, packed): (Vec<_>, Vec<_>) = groups
        .iter()
        .cloned()
        .partition(|group| group.iter().all(is_plain));
    let mut groups = partitioner
        .with_target_partitions(target_partitions.checked_sub(packed.len())?)
        .repartition_file_groups(&plain)?;
    groups.extend(packed);
    Some(groups)
}

impl FileSource for LogSource {
    fn create_file_opener(
        &self,
        store: Arc<dyn ObjectStore>,
        config: &FileScanConfig,
        partition: usize,
    ) -> Result<Arc<dyn FileOpener>> {
        // Each execution of a plan opens its first partition once.
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
        if self.needs_whole_files() {
            return Ok(None);
        }
        let partitioner = FileGroupPartitioner::new()
            .with_target_partitions(target_partitions)
            .with_repartition_file_min_size(repartition_file_min_size)
            .with_preserve_order_within_groups(output_ordering.is_some());
        let split = match output_ordering {
            None => split_evenly,
            Some(_) => split_in_order,
        };
        let groups = split(partitioner, target_partitions, &config.file_groups);
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
