//! Queries over a live table without a window function: DataFusion plans that never end.
//!
//! Such a plan runs in one partition, since an exchange between partitions waits for full batches.
//! Operators that would hold rows back without need are changed: a filter passes on the rows that
//! it has, and so does a join with a bounded table. If nothing uses the order of event time, rows
//! come as they are read. A query that would have a result only when the live table ends is
//! refused, and the error names the clause that is the reason.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, JoinType, Result, plan_datafusion_err, plan_err};
use datafusion::execution::context::QueryPlanner;
use datafusion::execution::{SendableRecordBatchStream, SessionState, TaskContext};
use datafusion::logical_expr::{Aggregate, Expr, Join, LogicalPlan};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec};
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties,
    PlanProperties, ReplaceChildrenOptions,
};

use crate::planner::live_tables::{LiveScan, first_live_table, visit_live_scans};
use crate::streams::session_extensions::{AsRead, ReadsToEnd};
use crate::streams::table::LiveTable;

/// Plans a query that reads the live table `live` without a window.
///
/// # Errors
/// If the query never has a result, or the inner planner refuses it.
pub(crate) async fn plan(
    plan: &LogicalPlan,
    state: &SessionState,
    planner: &(dyn QueryPlanner + Send + Sync),
    live: &LiveTable,
) -> Result<Arc<dyn ExecutionPlan>> {
    let continuous = plan_continuous(plan, state, planner, live).await;
    if continuous.is_ok() || !all_end(plan)? {
        return continuous;
    }
    let mut state = state.clone();
    state.config_mut().set_extension(Arc::new(ReadsToEnd));
    planner.create_physical_plan(plan, &state).await
}

/// Whether all live tables that a plan reads come to an end by themselves.
fn all_end(plan: &LogicalPlan) -> Result<bool> {
    let mut all_end = true;
    visit_live_scans(plan, &mut |scan, _| {
        all_end &= match scan {
            LiveScan::Plain(live) => live.source.ends(),
            LiveScan::Windowed(_) => false,
        };
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(all_end)
}

async fn plan_continuous(
    plan: &LogicalPlan,
    state: &SessionState,
    planner: &(dyn QueryPlanner + Send + Sync),
    live: &LiveTable,
) -> Result<Arc<dyn ExecutionPlan>> {
    match plan {
        LogicalPlan::Analyze(_) => {
            return plan_err!(
                "EXPLAIN ANALYZE over the live table {} never ends: write EXPLAIN",
                live.name
            );
        }
        LogicalPlan::Copy(_) => {
            return plan_err!(
                "COPY from the live table {} would write no file before it ends: read the files as they are with a \
                 table that is not UNBOUNDED",
                live.name
            );
        }
        LogicalPlan::Dml(_) => {
            return plan_err!(
                "INSERT from the live table {} without a window would be done when it ends, which it never does. Write \
                 INSERT INTO … SELECT … FROM {}, which inserts each window as it closes",
                live.name,
                live_window(live)
            );
        }
        _ => {}
    }
    refuse_lost_rows(plan, live)?;
    let mut state = state.clone();
    if takes_rows_as_read(plan)? {
        state.config_mut().set_extension(Arc::new(AsRead));
    }
    let options = state.config_mut().options_mut();
    options.execution.target_partitions = 1;
    // Otherwise, a join of two live tables would hold all rows of both for ever.
    options.optimizer.allow_symmetric_joins_without_pruning = false;
    let planned = planner.create_physical_plan(plan, &state).await;
    planned.map_err(|error| refusal(&error, plan, live).unwrap_or(error))
}

/// The rule that lets rows through at once.
#[derive(Debug)]
pub(crate) struct LowLatency;

impl PhysicalOptimizerRule for LowLatency {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        low_latency(plan, config.execution.batch_size.get())
    }

    fn name(&self) -> &str {
        "low_latency"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Refuses joins that keep or test rows by whether they have a partner in a live table: it is never
/// known that a row has none.
fn refuse_lost_rows(plan: &LogicalPlan, live: &LiveTable) -> Result<()> {
    plan.apply_with_subqueries(|node| {
        let LogicalPlan::Join(join) = node else {
            return Ok(TreeNodeRecursion::Continue);
        };
        // For each side whose rows are kept or tested, the other side.
        let kept_sides = match join.join_type {
            JoinType::Left | JoinType::LeftAnti | JoinType::LeftSemi | JoinType::LeftMark => {
                [Some(&join.right), None]
            }
            JoinType::Right | JoinType::RightAnti | JoinType::RightSemi | JoinType::RightMark => {
                [None, Some(&join.left)]
            }
            JoinType::Full => [Some(&join.right), Some(&join.left)],
            JoinType::Inner => [None, None],
        };
        for other in kept_sides.into_iter().flatten() {
            if first_live_table(other)?.is_some() {
                return plan_err!(
                    "{}: which rows have no partner in the live table {} is never known. Make the live table the side \
                     that the join keeps, or join within windows: FROM tumble({}, …)",
                    join_text(join),
                    live.name,
                    live.name
                );
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

fn join_text(join: &Join) -> String {
    match join.join_type {
        JoinType::LeftSemi | JoinType::RightSemi | JoinType::LeftMark | JoinType::RightMark => {
            "IN or EXISTS with a live table".to_string()
        }
        JoinType::LeftAnti | JoinType::RightAnti => {
            "NOT IN or NOT EXISTS with a live table".to_string()
        }
        other => format!("{} JOIN", other.to_string().to_uppercase()),
    }
}

/// Rewords DataFusion's refusal of a plan that breaks the pipeline in terms of the query.
fn refusal(
    error: &DataFusionError,
    plan: &LogicalPlan,
    live: &LiveTable,
) -> Option<DataFusionError> {
    let text = error.to_string();
    if text.contains("non-prunable stream") {
        return Some(plan_datafusion_err!(
            "This join of live tables would hold all of their rows for ever. Say how far apart in time they can be: \
             ON a.id = b.id AND a.ts > b.ts - INTERVAL '1 minute' AND a.ts < b.ts + INTERVAL '1 minute'"
        ));
    }
    if !text.contains("pipeline breaking") && !text.contains("infinite memory") {
        return None;
    }
    let (name, advice) = (&live.name, advice(live));
    let clause = breaking_clause(plan).unwrap_or_else(|| "This query".to_string());
    // Shows the clause as it was written: DataFusion qualifies columns, and counts ones.
    let clause = clause
        .replace(&format!("{name}."), "")
        .replace("count(Int64(1))", "count(*)");
    Some(plan_datafusion_err!(
        "{clause} has a result only when the live table {name} ends, which it never does. {advice}"
    ))
}

fn advice(live: &LiveTable) -> String {
    format!("Write FROM {} for a result per window", live_window(live))
}

fn live_window(live: &LiveTable) -> String {
    let name = &live.name;
    match live.time_field() {
        Some(time) => format!("tumble({name}, {}, INTERVAL '30 seconds')", time.name()),
        None => format!("tumble({name}, INTERVAL '30 seconds')"),
    }
}

/// The clause nearest to the live table that needs all of its rows.
fn breaking_clause(plan: &LogicalPlan) -> Option<String> {
    let deeper = plan.inputs().into_iter().find_map(breaking_clause);
    if deeper.is_some() || !matches!(first_live_table(plan), Ok(Some(_))) {
        return deeper;
    }
    match plan {
        LogicalPlan::Aggregate(aggregate) if !groups_by_time(aggregate) => {
            Some(aggregate_text(aggregate))
        }
        LogicalPlan::Distinct(_) => Some("DISTINCT".to_string()),
        LogicalPlan::Sort(sort) => {
            let keys: Vec<_> = sort
                .expr
                .iter()
                .map(|key| key.expr.schema_name().to_string())
                .collect();
            Some(format!("ORDER BY {}", keys.join(", ")))
        }
        LogicalPlan::Window(window) => window
            .window_expr
            .first()
            .map(|call| format!("{}", call.schema_name())),
        LogicalPlan::Join(join) => Some(join_text(join)),
        _ => None,
    }
}

/// Whether the groups are periods of time, so that each of them ends.
fn groups_by_time(aggregate: &Aggregate) -> bool {
    aggregate.group_expr.iter().any(|key| match key {
        Expr::ScalarFunction(call) => matches!(call.name(), "date_bin" | "date_trunc"),
        _ => false,
    })
}

fn aggregate_text(aggregate: &Aggregate) -> String {
    let names = |exprs: &[Expr]| {
        let names: Vec<_> = exprs
            .iter()
            .map(|expr| expr.schema_name().to_string())
            .collect();
        names.join(", ")
    };
    match (
        aggregate.group_expr.is_empty(),
        aggregate.aggr_expr.is_empty(),
    ) {
        (true, _) => names(&aggregate.aggr_expr),
        (false, true) => format!("DISTINCT {}", names(&aggregate.group_expr)),
        (false, false) => format!("GROUP BY {}", names(&aggregate.group_expr)),
    }
}

/// Whether every part of the query that sees the rows of a live table takes them one by one, in any
/// order.
fn takes_rows_as_read(plan: &LogicalPlan) -> Result<bool> {
    if first_live_table(plan)?.is_none() {
        return Ok(true);
    }
    let inputs = plan.inputs();
    let mut n_live = 0;
    for input in &inputs {
        n_live += usize::from(first_live_table(input)?.is_some());
        if !takes_rows_as_read(input)? {
            return Ok(false);
        }
    }
    Ok(match plan {
        LogicalPlan::TableScan(_) => true,
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Unnest(_)
        | LogicalPlan::Explain(_) => n_live == 1,
        LogicalPlan::Join(_) => n_live == 1,
        LogicalPlan::Union(_) => n_live > 0,
        _ => false,
    })
}

/// Lets rows through at once. `FilterExec`, the joins and the merge of sorted inputs gather full
/// batches, however long that takes (DataFusion 55.2), so over an unbounded input their batch size
/// is one row. This costs a filter nothing, since batches of enough rows pass unchanged.
fn low_latency(
    plan: Arc<dyn ExecutionPlan>,
    n_rows_whole: usize,
) -> Result<Arc<dyn ExecutionPlan>> {
    plan.transform_up(|node| {
        if !node.boundedness().is_unbounded() {
            return Ok(Transformed::no(node));
        }
        if let Some(filter) = node.downcast_ref::<FilterExec>() {
            return Ok(Transformed::yes(Arc::new(filter.with_batch_size(1)?) as _));
        }
        if !gathers(node.as_ref()) {
            return Ok(Transformed::no(node));
        }
        // Bounded inputs are read with the usual batch size.
        let children = node.children().into_iter().map(|child| {
            let child = Arc::clone(child);
            if child.boundedness().is_unbounded() {
                child
            } else {
                BatchSizeExec::around(child, n_rows_whole)
            }
        });
        let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        let node = Arc::clone(&node).replace_children(children.collect(), options)?;
        Ok(Transformed::yes(BatchSizeExec::around(node, 1)))
    })
    .data()
}

fn gathers(node: &dyn ExecutionPlan) -> bool {
    node.is::<HashJoinExec>()
        || node.is::<CrossJoinExec>()
        || node.is::<NestedLoopJoinExec>()
        || node.is::<SortPreservingMergeExec>()
}

/// Runs an operator with another size of batches.
#[derive(Debug)]
struct BatchSizeExec {
    input: Arc<dyn ExecutionPlan>,
    n_rows: usize,
}

impl BatchSizeExec {
    fn around(input: Arc<dyn ExecutionPlan>, n_rows: usize) -> Arc<dyn ExecutionPlan> {
        Arc::new(Self { input, n_rows })
    }
}

impl DisplayAs for BatchSizeExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "BatchSizeExec: {}", self.n_rows)
    }
}

impl ExecutionPlan for BatchSizeExec {
    fn name(&self) -> &str {
        "BatchSizeExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Self::around(children.swap_remove(0), self.n_rows))
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let config = context
            .session_config()
            .clone()
            .with_batch_size(self.n_rows);
        let context = TaskContext::new(
            context.task_id(),
            context.session_id(),
            config,
            context.scalar_functions().clone(),
            context.higher_order_functions().clone(),
            context.aggregate_functions().clone(),
            context.window_functions().clone(),
            context.runtime_env(),
        );
        self.input.execute(partition, Arc::new(context))
    }
}
