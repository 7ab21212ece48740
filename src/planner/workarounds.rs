//! Works around faults of DataFusion 55.2: queries that have a wrong result, never end, or need all
//! groups in memory. ARCHITECTURE.md lists each fault with its issue, and `tests/it/upstream.rs`
//! has a test for each that fails as soon as the fault is gone.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::config::ConfigNonZeroUsize;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::optimizer::OptimizerRule;
use datafusion::physical_optimizer::PhysicalOptimizerRule;

use crate::planner::join_conditions::{KeepJoinConditions, OneNullRule};
use crate::planner::late_lists::LateLists;
use crate::planner::near_filters::NearFilters;
use crate::planner::short_batches::ShortBatches;

/// Sets up the workarounds in a session.
///
/// # Errors
/// None in practice: the values are in their range.
pub(crate) fn register(state: &mut SessionState) -> Result<()> {
    let options = state.config_mut().options_mut();
    // With one file per batch, the reader of a spilling exchange never waits for a file that its
    // writers have already passed.
    options.execution.max_spill_file_size_bytes = ConfigNonZeroUsize::try_new(1)?;
    // This rule confuses a computed column with a column of the same name.
    options.optimizer.enable_leaf_expression_pushdown = false;
    // Aggregates push their filters down to columns of the same name too, and `NearFilters` does
    // not handle these.
    options.optimizer.enable_aggregate_dynamic_filter_pushdown = false;
    let near_filters = NearFilters::new();
    let mut optimizers = with_replaced(state.physical_optimizers(), near_filters);
    optimizers.push(Arc::new(ShortBatches));
    let mut rules = with_conditions_kept(state.optimizers());
    // A GROUP BY emits all groups in one batch, whatever its size.
    rules.push(Arc::new(LateLists::new()));
    *state = SessionStateBuilder::new_from_existing(state.clone())
        .with_optimizer_rules(rules)
        .with_physical_optimizer_rules(optimizers)
        .build();
    Ok(())
}

type OptimizerRules = Vec<Arc<dyn OptimizerRule + Send + Sync>>;
type PhysicalRules = Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>>;

/// The rules, with the one of the same name replaced.
fn with_replaced(
    rules: &[Arc<dyn PhysicalOptimizerRule + Send + Sync>],
    new: NearFilters,
) -> PhysicalRules {
    let new: Arc<dyn PhysicalOptimizerRule + Send + Sync> = Arc::new(new);
    let replaced = rules.iter().map(|rule| {
        if rule.name() == new.name() {
            Arc::clone(&new)
        } else {
            Arc::clone(rule)
        }
    });
    replaced.collect()
}

/// The rules, with [`OneNullRule`] and [`KeepJoinConditions`] before those that lose join
/// conditions.
fn with_conditions_kept(rules: &[Arc<dyn OptimizerRule + Send + Sync>]) -> OptimizerRules {
    let mut kept: OptimizerRules = vec![];
    for rule in rules {
        match rule.name() {
            "extract_equijoin_predicate" => kept.push(Arc::new(OneNullRule)),
            "eliminate_cross_join" => kept.push(Arc::new(KeepJoinConditions)),
            _ => {}
        }
        kept.push(Arc::clone(rule));
    }
    kept
}
