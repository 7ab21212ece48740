//! Dynamic filters: a join or an `ORDER BY .. LIMIT` makes them while it runs, for the scan below
//! it.
//!
//! DataFusion 55.2 pushes such filters down by column name, and takes the first of two columns with
//! the same name. So the rule that pushes them down is replaced. Here, a filter goes only to a scan
//! that is directly below, or below nodes that pass their columns on unchanged, and only if no two
//! columns of the scan share a name, so that a name identifies its column.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::filter_pushdown::FilterPushdown;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, ExecutionPlan, ExecutionPlanProperties, ReplaceChildrenOptions,
};

/// The rule that replaces DataFusion's.
#[derive(Debug)]
pub(crate) struct NearFilters {
    replaced: FilterPushdown,
}

impl NearFilters {
    pub(crate) fn new() -> Self {
        Self {
            replaced: FilterPushdown::new_post_optimization(),
        }
    }

    /// The node, with its filter pushed into the scan below the input with this index.
    fn filtered(
        &self,
        node: Arc<dyn ExecutionPlan>,
        index: usize,
        config: &ConfigOptions,
    ) -> Result<Transformed<Arc<dyn ExecutionPlan>>> {
        let inputs: Vec<_> = node.children().into_iter().map(Arc::clone).collect();
        // The replaced rule must see only this node and this input.
        let alone = inputs.iter().enumerate().map(|(other, input)| {
            if other == index {
                Arc::clone(input)
            } else {
                empty(input)
            }
        });
        let alone = with_inputs(&node, alone.collect())?;
        let alone = self.replaced.optimize(alone, config)?;
        let mut inputs = inputs;
        match (alone.children().get(index), inputs.get_mut(index)) {
            (Some(filtered), Some(input)) if alone.name() == node.name() => {
                *input = Arc::clone(filtered);
            }
            _ => return Ok(Transformed::no(node)),
        }
        Ok(Transformed::yes(with_inputs(&alone, inputs)?))
    }
}

impl PhysicalOptimizerRule for NearFilters {
    fn name(&self) -> &str {
        self.replaced.name()
    }

    fn schema_check(&self) -> bool {
        true
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let filtered = plan.transform_up(|node| match filtered_input(node.as_ref()) {
            Some(index) => self.filtered(node, index, config),
            None => Ok(Transformed::no(node)),
        });
        filtered.data()
    }
}

fn with_inputs(
    node: &Arc<dyn ExecutionPlan>,
    inputs: Vec<Arc<dyn ExecutionPlan>>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
    Arc::clone(node).replace_children(inputs, options)
}

/// An empty input with the same schema and number of partitions.
fn empty(input: &Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
    let n_partitions = input.output_partitioning().partition_count();
    Arc::new(EmptyExec::new(input.schema()).with_partitions(n_partitions))
}

/// The index of the input that a filter of this node is for; `None` if the scan is not near.
fn filtered_input(node: &dyn ExecutionPlan) -> Option<usize> {
    let index = if node.downcast_ref::<HashJoinExec>().is_some() {
        1
    } else if node.downcast_ref::<SortExec>()?.fetch().is_some() {
        0
    } else {
        return None;
    };
    let input = node.children().get(index).copied()?;
    is_near_scan(input.as_ref()).then_some(index)
}

fn is_near_scan(node: &dyn ExecutionPlan) -> bool {
    match node.children().as_slice() {
        [] => has_names_of_its_own(node),
        [input] => passes_columns_on(node) && is_near_scan(input.as_ref()),
        _ => false,
    }
}

fn passes_columns_on(node: &dyn ExecutionPlan) -> bool {
    node.downcast_ref::<RepartitionExec>().is_some()
        || node.downcast_ref::<CoalescePartitionsExec>().is_some()
        || node.downcast_ref::<CooperativeExec>().is_some()
}

/// Whether no two columns share a name.
fn has_names_of_its_own(node: &dyn ExecutionPlan) -> bool {
    let schema = node.schema();
    let names: HashSet<_> = schema.fields().iter().map(|field| field.name()).collect();
    names.len() == schema.fields().len()
}
