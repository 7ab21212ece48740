//! Scalar subqueries that stand alone, such as a model, are run before the statement, and their
//! values put in as literals: stages of a plan cannot ask each other for a value.

use std::future::Future;

use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, LogicalPlan};

/// The plan with the values of its scalar subqueries, each of which `run` is asked for once.
///
/// # Errors
/// Those of `run`, and when a subquery has several rows.
pub(super) async fn scalars_first<F>(
    plan: &LogicalPlan,
    run: impl Fn(LogicalPlan) -> F,
) -> Result<LogicalPlan>
where
    F: Future<Output = Result<Vec<RecordBatch>>>,
{
    let mut values = vec![];
    for subquery in standing_alone(plan)? {
        let data_type = subquery.schema().field(0).data_type().clone();
        let batches = run(subquery.clone()).await?;
        values.push((subquery, only_value(&batches, &data_type)?));
    }
    if values.is_empty() {
        return Ok(plan.clone());
    }
    with_values(plan.clone(), &values)
}

/// The subqueries that depend on no row of the statement, each once.
fn standing_alone(plan: &LogicalPlan) -> Result<Vec<LogicalPlan>> {
    let mut found: Vec<LogicalPlan> = vec![];
    plan.apply(|node| {
        node.apply_expressions(|expression| {
            expression.apply(|part| {
                if let Expr::ScalarSubquery(subquery) = part
                    && subquery.outer_ref_columns.is_empty()
                    && !found.contains(subquery.subquery.as_ref())
                {
                    found.push(subquery.subquery.as_ref().clone());
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(found)
}

fn only_value(batches: &[RecordBatch], data_type: &DataType) -> Result<ScalarValue> {
    let n_rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let first = batches.iter().find(|batch| batch.num_rows() > 0);
    match (n_rows, first) {
        (1, Some(batch)) => ScalarValue::try_from_array(batch.column(0), 0),
        (0, _) => ScalarValue::try_from(data_type),
        _ => exec_err!("a subquery that stands for one value has {n_rows} rows"),
    }
}

fn with_values(plan: LogicalPlan, values: &[(LogicalPlan, ScalarValue)]) -> Result<LogicalPlan> {
    let value_of = |part: &Expr| match part {
        Expr::ScalarSubquery(subquery) => {
            let known = values.iter();
            let mut known = known.filter(|(known, _)| known == subquery.subquery.as_ref());
            known.next().map(|(_, value)| value.clone())
        }
        _ => None,
    };
    let plan = plan.transform_down(|node| {
        let names = NamePreserver::new(&node);
        let node = node.map_expressions(|expression| {
            let name = names.save(&expression);
            let expression = expression.transform_down(|part| {
                Ok(match value_of(&part) {
                    Some(value) => Transformed::yes(Expr::Literal(value, None)),
                    None => Transformed::no(part),
                })
            })?;
            Ok(expression.update_data(|expression| name.restore(expression)))
        })?;
        if node.transformed {
            node.map_data(LogicalPlan::recompute_schema)
        } else {
            Ok(node)
        }
    })?;
    Ok(plan.data)
}
