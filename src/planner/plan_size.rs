//! Limits of the size and the depth of a plan. `statement_size` limits the text of one statement;
//! what views, and CTEs that are named several times, add is known only from the plan.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion, TreeNodeVisitor};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{Expr, LogicalPlan};

/// The largest depth of nested steps and expressions. DataFusion puts the expressions of successive
/// steps into each other, so those of all steps count. The limit allows the longest chain within
/// one statement, and as much again from views.
const MAX_DEPTH: usize = 4000;
/// The largest number of steps. Every use of a CTE is a copy of it, so twenty CTEs that each name
/// the previous one twice become a million copies.
const MAX_STEPS: usize = 20_000;

/// Refuses a plan that is too large or too deep to be optimised and run safely.
///
/// # Errors
/// A plan error that says what to write instead.
pub(crate) fn check_plan_size(plan: &LogicalPlan) -> Result<()> {
    plan.visit_with_subqueries(&mut PlanSize::default())
        .map(drop)
}

#[derive(Debug, Default)]
struct PlanSize {
    n_steps: usize,
    depth: usize,
    /// What each of the steps being visited has added to `depth`.
    added: Vec<usize>,
}

impl TreeNodeVisitor<'_> for PlanSize {
    type Node = LogicalPlan;

    fn f_down(&mut self, step: &LogicalPlan) -> Result<TreeNodeRecursion> {
        let added = 1 + deepest_expression(step)?;
        self.added.push(added);
        self.depth += added;
        self.n_steps += 1;
        if self.depth > MAX_DEPTH {
            return plan_err!(
                "the plan has more than {MAX_DEPTH} steps and operators one within another, with those of its views: write part \
                 of it into a table first, CREATE TABLE part AS SELECT …"
            );
        }
        if self.n_steps > MAX_STEPS {
            return plan_err!(
                "the plan has more than {MAX_STEPS} steps, with those of each view and CTE as often as it is named: write what \
                 is named several times into a table first, CREATE TABLE part AS SELECT …"
            );
        }
        Ok(TreeNodeRecursion::Continue)
    }

    fn f_up(&mut self, _: &LogicalPlan) -> Result<TreeNodeRecursion> {
        self.depth -= self.added.pop().unwrap_or_default();
        Ok(TreeNodeRecursion::Continue)
    }
}

fn deepest_expression(step: &LogicalPlan) -> Result<usize> {
    let mut deepest = Deepest::default();
    step.apply_expressions(|expression| expression.visit(&mut deepest))?;
    Ok(deepest.most)
}

#[derive(Debug, Default)]
struct Deepest {
    depth: usize,
    most: usize,
}

impl TreeNodeVisitor<'_> for Deepest {
    type Node = Expr;

    fn f_down(&mut self, _: &Expr) -> Result<TreeNodeRecursion> {
        self.depth += 1;
        self.most = self.most.max(self.depth);
        Ok(TreeNodeRecursion::Continue)
    }

    fn f_up(&mut self, _: &Expr) -> Result<TreeNodeRecursion> {
        self.depth -= 1;
        Ok(TreeNodeRecursion::Continue)
    }
}

#[cfg(test)]
mod tests {
    use super::check_plan_size;
    use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
    use datafusion::prelude::{col, lit};

    fn said(plan: &LogicalPlan) -> String {
        match check_plan_size(plan) {
            Ok(()) => String::new(),
            Err(error) => error.message().into_owned(),
        }
    }

    fn one_row() -> LogicalPlan {
        let row = LogicalPlanBuilder::empty(true).project(vec![lit(1).alias("a")]);
        row.unwrap().build().unwrap()
    }

    /// Adds a step with an expression of a hundred operators, like a view over another view.
    fn deeper(plan: LogicalPlan) -> LogicalPlan {
        let sum = (0..100).fold(col("a"), |sum, _| sum + lit(1)).alias("a");
        let step = LogicalPlanBuilder::from(plan).project(vec![sum]);
        step.unwrap().build().unwrap()
    }

    fn doubled(plan: LogicalPlan) -> LogicalPlan {
        let copies = LogicalPlanBuilder::from(plan.clone()).union(plan);
        copies.unwrap().build().unwrap()
    }

    #[test]
    fn steps_of_views_and_copies_count() {
        type Step = fn(LogicalPlan) -> LogicalPlan;
        for (step, n_steps, expected) in [
            (deeper as Step, 40, "4000 steps"),
            (doubled as Step, 15, "20000 steps"),
        ] {
            let half = (0..n_steps / 2).fold(one_row(), |plan, _| step(plan));
            assert_eq!(said(&half), "");
            let all = (n_steps / 2..n_steps).fold(half, |plan, _| step(plan));
            assert!(said(&all).contains(expected), "{}", said(&all));
        }
    }
}
