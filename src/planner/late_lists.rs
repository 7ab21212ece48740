//! Lists of series made late. A GROUP BY of DataFusion emits all groups at once, and the verdicts on a series take six times as
//! much room as its points. Here the GROUP BY collects the points alone, and a projection behind it makes the lists, of as
//! many groups at a time as a batch has rows. What comes out is the same.

use crate::functions::ts::{LateList, late_list, points_function};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, Result};
use datafusion::logical_expr::{Aggregate, AggregateUDF, Expr, LogicalPlan, Projection};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};
use std::sync::Arc;

/// The rule.
#[derive(Debug)]
pub(crate) struct LateLists {
    points: Arc<AggregateUDF>,
}

impl LateLists {
    pub(crate) fn new() -> Self {
        Self {
            points: Arc::new(points_function()),
        }
    }

    fn split(&self, aggregate: &Aggregate) -> Result<Option<LogicalPlan>> {
        let mut collected: Vec<Expr> = vec![];
        let mut results = vec![];
        for expression in &aggregate.aggr_expr {
            let call = match expression.clone().unalias() {
                Expr::AggregateFunction(call) => call,
                _ => return Ok(None),
            };
            let schema = aggregate.input.schema();
            match late_list(&call, &self.points, schema)? {
                None => {
                    collected.push(expression.clone());
                    results.push(None);
                }
                Some(LateList {
                    points,
                    list,
                    others,
                }) => {
                    let column = points.schema_name().to_string();
                    if !collected.contains(&points) {
                        collected.push(points);
                    }
                    let arguments = [Expr::Column(Column::from_name(column))];
                    let arguments = arguments.into_iter().chain(others).collect();
                    results.push(Some(list.call(arguments)));
                }
            }
        }
        if results.iter().all(Option::is_none) {
            return Ok(None);
        }
        let fields = aggregate.schema.iter();
        let n_groups = aggregate.schema.fields().len() - results.len();
        let results = std::iter::repeat_n(None, n_groups).chain(results);
        let columns = fields
            .zip(results)
            .map(|((qualifier, field), result)| match result {
                None => Expr::from((qualifier, field)),
                Some(list) => list.alias_qualified(qualifier.cloned(), field.name()),
            });
        let columns = columns.collect();
        let input = Arc::clone(&aggregate.input);
        let collecting = Aggregate::try_new(input, aggregate.group_expr.clone(), collected)?;
        let collecting = Arc::new(LogicalPlan::Aggregate(collecting));
        let projection = Projection::try_new(columns, collecting)?;
        Ok(Some(LogicalPlan::Projection(projection)))
    }
}

impl OptimizerRule for LateLists {
    fn name(&self) -> &str {
        "late_lists"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    /// Without groups there is one list, which nothing is gained for.
    fn rewrite(
        &self,
        plan: LogicalPlan,
        _: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        let split = match &plan {
            LogicalPlan::Aggregate(aggregate) if !aggregate.group_expr.is_empty() => {
                self.split(aggregate)?
            }
            _ => None,
        };
        Ok(split.map_or_else(|| Transformed::no(plan), Transformed::yes))
    }
}
