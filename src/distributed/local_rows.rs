//! Rows that only this process can read (a database, a table in memory, closed windows): they are
//! read here and sent to the workers as part of the plan.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::spill::get_record_batch_memory_size;
use datafusion::physical_plan::work_table::WorkTableExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use datafusion_proto::physical_plan::AsExecutionPlan;
use datafusion_proto::protobuf::PhysicalPlanNode;
use futures::TryStreamExt;

use crate::codec::AiopsCodec;

/// The plan with the rows of its local leaves in it; `None` if they are more than `max_bytes`, or if
/// a recursive query has them, whose steps share a table in this process.
///
/// # Errors
/// Those of reading the rows.
pub(super) async fn with_local_rows(
    plan: &Arc<dyn ExecutionPlan>,
    max_bytes: usize,
    context: &Arc<TaskContext>,
) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    if plan.exists(|node| Ok(node.is::<WorkTableExec>()))? {
        return Ok(None);
    }
    let mut left = max_bytes;
    let mut read = vec![];
    for leaf in local_leaves(plan)? {
        match rows_of(&leaf, &mut left, context).await? {
            Some(rows) => read.push((leaf, rows)),
            None => return Ok(None),
        }
    }
    let replaced = Arc::clone(plan).transform_up(|node| {
        let rows = read.iter().find(|(leaf, _)| Arc::ptr_eq(leaf, &node));
        Ok(match rows {
            Some((_, rows)) => Transformed::yes(Arc::clone(rows)),
            None => Transformed::no(node),
        })
    })?;
    Ok(Some(replaced.data))
}

fn local_leaves(plan: &Arc<dyn ExecutionPlan>) -> Result<Vec<Arc<dyn ExecutionPlan>>> {
    let mut leaves = vec![];
    plan.apply(|node| {
        if node.children().is_empty() && !reads_files(node.as_ref()) {
            leaves.push(Arc::clone(node));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(leaves)
}

/// Whether a leaf reads files, which workers can read themselves.
pub(super) fn reads_files(leaf: &dyn ExecutionPlan) -> bool {
    let scan = leaf.downcast_ref::<DataSourceExec>();
    scan.is_some_and(|scan| scan.data_source().is::<FileScanConfig>())
}

/// Whether a plan reads rows that only this process can read, such as those of a database. Tables in
/// memory are not among them.
///
/// # Errors
/// None of its own: the visit returns those of its steps.
pub(super) fn reads_here(plan: &Arc<dyn ExecutionPlan>) -> Result<bool> {
    let mut leaves = local_leaves(plan)?.into_iter();
    Ok(leaves.any(|leaf| leaf.downcast_ref::<DataSourceExec>().is_none() && !is_known(&leaf)))
}

/// Whether workers can run a leaf as it is.
fn is_known(leaf: &Arc<dyn ExecutionPlan>) -> bool {
    PhysicalPlanNode::try_from_physical_plan(Arc::clone(leaf), &AiopsCodec).is_ok()
}

/// A leaf that workers can run as it is, or its rows in its place.
async fn rows_of(
    leaf: &Arc<dyn ExecutionPlan>,
    left: &mut usize,
    context: &Arc<TaskContext>,
) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let is_memory = leaf.downcast_ref::<DataSourceExec>().is_some();
    if !is_memory && is_known(leaf) {
        return Ok(Some(Arc::clone(leaf)));
    }
    let mut partitions = vec![];
    for partition in 0..leaf.output_partitioning().partition_count() {
        let mut stream = leaf.execute(partition, Arc::clone(context))?;
        let mut batches = vec![];
        while let Some(batch) = stream.try_next().await? {
            let n_bytes = get_record_batch_memory_size(&batch);
            let Some(rest) = left.checked_sub(n_bytes) else {
                return Ok(None);
            };
            *left = rest;
            batches.push(batch);
        }
        partitions.push(batches);
    }
    let orderings = leaf.equivalence_properties().oeq_class().iter().cloned();
    let rows = MemorySourceConfig::try_new(&partitions, leaf.schema(), None)?
        .try_with_sort_information(orderings.collect())?;
    Ok(Some(DataSourceExec::from_data_source(rows)))
}
