//! Makes the lists of series after the GROUP BY. DataFusion emits all groups of a GROUP BY in one
//! batch, and the verdicts on a series take several times the memory of its points. With this rule,
//! the GROUP BY collects only the points, and a projection above it makes the lists, one batch of
//! groups at a time. The result is the same.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, Result};
use datafusion::logical_expr::{Aggregate, AggregateUDF, Expr, LogicalPlan, Projection};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

use crate::functions::ts::ts_points::{LateList, late_list, points_function};

/// The rule that splits a GROUP BY into collecting points and making lists.
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

    /// Without groups there is only one list, so there is nothing to gain.
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

#[cfg(test)]
mod tests {
    use crate::session;

    async fn optimized(sql: &str) -> String {
        let context = session().unwrap();
        let table = "CREATE TABLE t AS SELECT now() AS ts, 1.5 AS v, 2 AS g";
        context.sql(table).await.unwrap().collect().await.unwrap();
        let plan = context.sql(sql).await.unwrap().into_optimized_plan();
        plan.unwrap().display_indent().to_string()
    }

    #[tokio::test]
    async fn points_are_collected_once() {
        let plan = optimized(
            "SELECT g, ts_anomaly(ts, v), ts_fill(ts, v, '1 minute'), ts_fill(ts, v, '1 hour'), max(v) FROM t GROUP BY g",
        )
        .await;
        assert!(
            plan.contains("aggr=[[ts_points(t.ts, t.v), max(t.v)]]"),
            "{plan}"
        );
        assert!(
            plan.contains("ts_fill_list(ts_points(t.ts,t.v), ")
                && plan.contains("Utf8(\"1 hour\"))"),
            "{plan}"
        );
    }

    #[tokio::test]
    async fn every_list_is_late() {
        for call in [
            "ts_anomaly(ts, v)",
            "ts_capacity(ts, v, 3, '1 hour')",
            "ts_changepoints(ts, v)",
            "ts_decompose(ts, v)",
            "ts_fill(ts, v, '1 minute')",
            "ts_forecast(ts, v, 3)",
            "ts_forecast(ts, v, 3, 'explain=on')",
            "ts_forecast(ts, v, 3, 'quantiles=0.5')",
            "ts_forecast(ts, v, 3, 'quantiles=0.5,explain=on')",
            "ts_periods(ts, v)",
        ] {
            let plan = optimized(&format!("SELECT {call} FROM t GROUP BY g")).await;
            assert!(plan.contains("(ts_points("), "{call}: {plan}");
        }
    }

    #[tokio::test]
    async fn other_rows_are_other_points() {
        let plan = optimized(
            "SELECT g, ts_anomaly(ts, v) FILTER (WHERE v > 1), ts_anomaly(ts, v), ts_rate(ts, v) FROM t GROUP BY g",
        )
        .await;
        assert_eq!(plan.matches("ts_points(t.ts, t.v)").count(), 2, "{plan}");
        assert!(
            plan.contains("ts_rate(CAST") || plan.contains("ts_rate(t.ts, t.v)"),
            "{plan}"
        );
        let whole = optimized("SELECT ts_anomaly(ts, v) FROM t").await;
        assert!(!whole.contains("ts_points"), "{whole}");
    }
}
