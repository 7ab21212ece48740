//! Which files, and which byte ranges of them, each task of a scan reads, and which steps cannot be
//! shared.
//!
//! The default of `datafusion-distributed` cuts every file by bytes. That is wrong for compressed
//! files and for line numbers, and nothing says so. Here the source of the scan is asked, as it is
//! on one machine; what it does not cut is given out file by file.

use std::cmp::Reverse;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfig};
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::{
    Distribution, ExecutionPlan, ExecutionPlanProperties, Partitioning,
};
use datafusion_distributed::{
    BroadcastExec, DesiredTaskCountEvent, DesiredTaskCountEventResponse, DistributedLeafExec,
    ScaleUpLeafNodeEvent, ScaleUpLeafNodeEventResponse,
};

/// Divides a scan of files; `None` for other plans.
pub(super) fn divide(event: ScaleUpLeafNodeEvent) -> Option<Result<ScaleUpLeafNodeEventResponse>> {
    let config = scan_of_files(event.plan.as_ref())?;
    Some(divided(&event, config).map(ScaleUpLeafNodeEventResponse::new))
}

/// Keeps a step in one task where several would not be the same. `datafusion-distributed` 4.0 does
/// not see these, and then has wrong rows or an error.
pub(super) fn keep_whole(
    event: DesiredTaskCountEvent,
) -> Option<Result<DesiredTaskCountEventResponse>> {
    let plan = event.plan.as_ref();
    let is_whole = needs_one_partition(plan)
        || exchanges_in_order(plan)
        || limits_all_rows(plan)
        || reads_partitions(plan);
    is_whole.then(|| Ok(DesiredTaskCountEventResponse::maximum(1)))
}

/// Whether a step needs all rows, or all rows of a key, in one partition, and has that only because
/// its input has a single one: an aggregate without GROUP BY over one file would have a row for
/// each task.
fn needs_one_partition(plan: &dyn ExecutionPlan) -> bool {
    let requirements = plan.input_distribution_requirements();
    let children = plan.children();
    let mut numbered = children.iter().enumerate();
    numbered.any(|(number, child)| {
        let required = requirements.child_distribution(number);
        let is_needed = !matches!(required, None | Some(Distribution::UnspecifiedDistribution));
        let has_one = child.output_partitioning().partition_count() == 1;
        is_needed && has_one && !is_broadcast(child.as_ref())
    })
}

/// Whether a step hands out rows by key and steps above count on their order: several tasks would
/// be merged in any order.
fn exchanges_in_order(plan: &dyn ExecutionPlan) -> bool {
    plan.downcast_ref::<RepartitionExec>()
        .is_some_and(|exchange| {
            let is_by_key = matches!(exchange.partitioning(), Partitioning::Hash(..));
            is_by_key && exchange.properties().output_ordering().is_some()
        })
}

/// Whether a step ends after some rows, and is alone with its limit because it has one partition:
/// every task would have as many.
fn limits_all_rows(plan: &dyn ExecutionPlan) -> bool {
    plan.fetch().is_some() && plan.output_partitioning().partition_count() == 1
}

/// Whether a scan has declared how its groups of files are partitioned: steps above count on the
/// number of a group, which is another one in each task.
fn reads_partitions(plan: &dyn ExecutionPlan) -> bool {
    scan_of_files(plan).is_some_and(|config| config.output_partitioning.is_some())
}

fn scan_of_files(plan: &dyn ExecutionPlan) -> Option<&FileScanConfig> {
    let scan = plan.downcast_ref::<DataSourceExec>()?;
    scan.data_source().downcast_ref::<FileScanConfig>()
}

/// Whether every task gets all rows of this input, as the smaller side of a join.
fn is_broadcast(input: &dyn ExecutionPlan) -> bool {
    input.is::<CoalescePartitionsExec>()
        && input
            .children()
            .iter()
            .any(|child| child.is::<BroadcastExec>())
}

/// The scan that was divided; another node as it is.
pub(super) fn original(node: &Arc<dyn ExecutionPlan>) -> &Arc<dyn ExecutionPlan> {
    match node.downcast_ref::<DistributedLeafExec>() {
        Some(divided) => divided.original(),
        None => node,
    }
}

fn divided(
    event: &ScaleUpLeafNodeEvent,
    config: &FileScanConfig,
) -> Result<Arc<dyn ExecutionPlan>> {
    let n_tasks = event.task_count;
    let per_task = event.plan.output_partitioning().partition_count();
    let groups = groups(config, n_tasks * per_task)?;
    let mut tasks: Vec<Vec<FileGroup>> = vec![vec![]; n_tasks];
    for (number, group) in groups.into_iter().enumerate() {
        tasks[number % n_tasks].push(group);
    }
    // All tasks must have the same number of partitions.
    let most = tasks.iter().map(Vec::len).max().unwrap_or(0).max(1);
    let variants = tasks.into_iter().map(|mut groups| {
        groups.resize_with(most, FileGroup::default);
        let mut config = config.clone();
        config.file_groups = groups;
        DataSourceExec::from_data_source(config) as Arc<dyn ExecutionPlan>
    });
    let original = Arc::clone(event.plan);
    Ok(Arc::new(DistributedLeafExec::try_new(original, variants)?))
}

/// The files in about as many groups.
fn groups(config: &FileScanConfig, n_groups: usize) -> Result<Vec<FileGroup>> {
    let ordering = config.output_ordering.first().cloned();
    let is_ordered = ordering.is_some();
    let is_cut = files(config).any(|file| file.range.is_some());
    if config.output_partitioning.is_some() {
        // A group is a partition of the table, and steps above count on that.
        return Ok(config.file_groups.clone());
    }
    if !is_cut {
        let source = Arc::clone(config.file_source());
        if let Some(cut) = source.repartitioned(n_groups, 0, ordering, config)? {
            return Ok(cut.file_groups);
        }
    }
    if is_ordered {
        // The files of a group are in order, and so must stay together.
        return Ok(config.file_groups.clone());
    }
    Ok(by_size(files(config).cloned().collect(), n_groups))
}

fn files(config: &FileScanConfig) -> impl Iterator<Item = &PartitionedFile> {
    config.file_groups.iter().flat_map(FileGroup::iter)
}

/// The largest file first, each to the group with the least to read.
fn by_size(mut files: Vec<PartitionedFile>, n_groups: usize) -> Vec<FileGroup> {
    files.sort_by_key(|file| Reverse(file.effective_size()));
    let n_groups = n_groups.min(files.len()).max(1);
    let mut groups = vec![(0, FileGroup::default()); n_groups];
    for file in files {
        if let Some((size, group)) = groups.iter_mut().min_by_key(|(size, _)| *size) {
            *size += file.effective_size();
            group.push(file);
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}
