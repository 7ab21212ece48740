//! Rules that run before two rules of DataFusion 55.2 which lose join conditions, or change how
//! they treat NULL.
//!
//! `extract_equijoin_predicate` adds keys that are compared by `=` to a join whose keys are
//! compared by `IS NOT DISTINCT FROM`, although a join has one NULL rule for all of its keys.
//! [`OneNullRule`] turns the keys of such a join back into conditions, so that only conditions with
//! `=` become keys.
//!
//! `eliminate_cross_join` takes a tree of inner joins apart into its inputs and joins these again,
//! in its own order, by the keys that it has found. A key that has two inputs on one side, such as
//! `b.v = x.v - s.season`, can be used only if these two have been joined before the third;
//! otherwise it is silently dropped. Also, the whole tree gets the NULL rule of its topmost join,
//! so `=` next to `IS NOT DISTINCT FROM` becomes one or the other. [`KeepJoinConditions`] puts a
//! projection of all columns around the joins that must stay together, so that the rule sees them
//! as one input. The optimised plan does not contain the projection.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{NullEquality, Result};
use datafusion::logical_expr::{
    Expr, Filter, Join, JoinType, LogicalPlan, LogicalPlanBuilder, Operator, and, binary_expr,
};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

/// The rule that runs before `extract_equijoin_predicate`.
#[derive(Debug)]
pub(crate) struct OneNullRule;

impl OptimizerRule for OneNullRule {
    fn name(&self) -> &str {
        "one_null_rule"
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        match plan {
            LogicalPlan::Join(join) if mixes_null_rules(&join) => {
                Ok(Transformed::yes(LogicalPlan::Join(without_keys(join))))
            }
            plan => Ok(Transformed::no(plan)),
        }
    }
}

/// Whether the join has conditions besides keys that treat NULLs as equal.
fn mixes_null_rules(join: &Join) -> bool {
    join.null_equality == NullEquality::NullEqualsNull
        && !join.null_aware
        && !join.on.is_empty()
        && join.filter.is_some()
}

/// The join with conditions in place of its keys.
fn without_keys(mut join: Join) -> Join {
    let keys = std::mem::take(&mut join.on);
    let conditions = keys
        .into_iter()
        .map(|(left, right)| binary_expr(left, Operator::IsNotDistinctFrom, right));
    join.filter = conditions.chain(join.filter).reduce(and);
    join.null_equality = NullEquality::NullEqualsNothing;
    join
}

/// The rule that runs before `eliminate_cross_join`.
#[derive(Debug)]
pub(crate) struct KeepJoinConditions;

impl OptimizerRule for KeepJoinConditions {
    fn name(&self) -> &str {
        "keep_join_conditions"
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        match plan {
            LogicalPlan::Join(join) if join.join_type == JoinType::Inner => keep_sides(join),
            LogicalPlan::Filter(filter) => keep_input(filter),
            plan => Ok(Transformed::no(plan)),
        }
    }
}

fn keep_sides(mut join: Join) -> Result<Transformed<LogicalPlan>> {
    let (left_keys, right_keys): (Vec<_>, Vec<_>) = join.on.iter().map(|(l, r)| (l, r)).unzip();
    let left = kept(&join.left, &left_keys, join.null_equality)?;
    let right = kept(&join.right, &right_keys, join.null_equality)?;
    if left.is_none() && right.is_none() {
        return Ok(Transformed::no(LogicalPlan::Join(join)));
    }
    join.left = left.unwrap_or(join.left);
    join.right = right.unwrap_or(join.right);
    Ok(Transformed::yes(LogicalPlan::Join(join)))
}

/// Keeps the join below a filter together: conditions of a filter compare by `=` too.
fn keep_input(mut filter: Filter) -> Result<Transformed<LogicalPlan>> {
    match kept(&filter.input, &[], NullEquality::NullEqualsNothing)? {
        Some(input) => {
            filter.input = input;
            Ok(Transformed::yes(LogicalPlan::Filter(filter)))
        }
        None => Ok(Transformed::no(LogicalPlan::Filter(filter))),
    }
}

/// The input of a join inside a projection, if it must not be taken apart.
fn kept(
    input: &Arc<LogicalPlan>,
    keys: &[&Expr],
    null_equality: NullEquality,
) -> Result<Option<Arc<LogicalPlan>>> {
    let LogicalPlan::Join(join) = input.as_ref() else {
        return Ok(None);
    };
    if join.join_type != JoinType::Inner {
        return Ok(None);
    }
    // A cross join compares nothing.
    let has_other_nulls = !join.on.is_empty() && join.null_equality != null_equality;
    if !has_other_nulls && keys.iter().all(|key| is_of_one_input(key, join)) {
        return Ok(None);
    }
    let columns: Vec<Expr> = join.schema.iter().map(Expr::from).collect();
    let kept = LogicalPlanBuilder::from(LogicalPlan::clone(input))
        .project(columns)?
        .build()?;
    Ok(Some(Arc::new(kept)))
}

/// Whether one of the inputs that the rule would split this tree into has all columns of the key.
fn is_of_one_input(key: &Expr, join: &Join) -> bool {
    [&join.left, &join.right]
        .into_iter()
        .any(|side| match side.as_ref() {
            LogicalPlan::Join(join) if join.join_type == JoinType::Inner => {
                is_of_one_input(key, join)
            }
            side => key
                .column_refs()
                .iter()
                .all(|column| side.schema().has_column(column)),
        })
}
