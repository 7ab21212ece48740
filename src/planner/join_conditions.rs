//! A rule before DataFusion's `eliminate_cross_join`, which in 55.2 loses conditions of joins.
//!
//! It takes a tree of inner joins apart into its inputs and joins those again, in an order of its own, by the keys that it
//! has found. A key with a side of two inputs, such as `b.v = x.v - s.season`, fits only when these two have been joined
//! before the third; otherwise it is dropped without a word. And the whole tree gets the NULL rule of its topmost join, so
//! `=` next to `IS NOT DISTINCT FROM` becomes the one or the other.
//!
//! Here such a join gets a projection of all columns around what must stay together: for the rule that is one input. The
//! projection is gone when the plan is optimised.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{NullEquality, Result};
use datafusion::logical_expr::{Expr, Filter, Join, JoinType, LogicalPlan, LogicalPlanBuilder};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

/// The rule.
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

/// A condition above a join is `=` too.
fn keep_input(mut filter: Filter) -> Result<Transformed<LogicalPlan>> {
    match kept(&filter.input, &[], NullEquality::NullEqualsNothing)? {
        Some(input) => {
            filter.input = input;
            Ok(Transformed::yes(LogicalPlan::Filter(filter)))
        }
        None => Ok(Transformed::no(LogicalPlan::Filter(filter))),
    }
}

/// The input of a join as one that is not taken apart, if it has to stay together.
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

/// Whether one of the inputs that the rule would make of this tree has all columns of the key.
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
