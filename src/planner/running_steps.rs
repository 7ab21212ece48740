//! Handles the step that is still running. Hourly counts of a log end with the current hour, whose
//! count is not complete: a detector would judge it as a dip, and a forecast would continue from
//! it. If the times of a series are steps of `date_bin` or `date_trunc` by which the rows of a log
//! file were grouped, this rule adds the option `until` to the functions that judge and forecast,
//! which says from when on steps have not ended. A query that gives the option itself is left
//! alone. Files that do not grow and windows of live tables have complete steps.

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchemaRef, Result, ScalarValue};
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, WindowFunctionDefinition, lit};
use datafusion::optimizer::AnalyzerRule;
use datafusion::optimizer::simplify_expressions::ExprSimplifier;

use crate::formats::log::table::LogTable;
use crate::functions::ts::times::UNTIL_KEY;

/// The aggregates for which the last step matters, and the number of required arguments of each.
const AGGREGATES: [(&str, usize); 4] = [
    ("ts_anomaly", 2),
    ("ts_forecast", 3),
    ("ts_reaches", 3),
    ("ts_capacity", 4),
];

/// The window function, and the positions of its options and of the time that the planner adds.
const OVER: (&str, usize, usize) = ("ts_anomaly", 1, 2);

/// The rule that adds the option `until`.
#[derive(Debug)]
pub(crate) struct RunningSteps;

impl AnalyzerRule for RunningSteps {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let now = Utc::now();
        let told = plan.transform_up_with_subqueries(|plan| tell(plan, now))?;
        Ok(told.data)
    }

    fn name(&self) -> &str {
        "running_steps"
    }
}

/// Adds the option to the functions of one node of a plan.
fn tell(plan: LogicalPlan, now: DateTime<Utc>) -> Result<Transformed<LogicalPlan>> {
    let input = match &plan {
        LogicalPlan::Aggregate(aggregate) => Arc::clone(&aggregate.input),
        LogicalPlan::Window(window) => Arc::clone(&window.input),
        _ => return Ok(Transformed::no(plan)),
    };
    let names = NamePreserver::new(&plan);
    let told = plan.map_expressions(|expression| {
        let name = names.save(&expression);
        let told = expression.transform_up(|part| tell_call(part, &input, now))?;
        Ok(told.update_data(|expression| name.restore(expression)))
    })?;
    told.map_data(LogicalPlan::recompute_schema)
}

fn tell_call(mut call: Expr, input: &LogicalPlan, now: DateTime<Utc>) -> Result<Transformed<Expr>> {
    let Some((arguments, time, options)) = parts(&mut call) else {
        return Ok(Transformed::no(call));
    };
    let step = match arguments.get(time) {
        Some(Expr::Column(column)) => BinnedTime::of(input, column, false),
        _ => None,
    };
    let until = step.map_or(Ok(None), |step| step.beginning(now))?;
    let is_told = until.is_some_and(|until| add_until(arguments, options, &until));
    Ok(Transformed::new_transformed(call, is_told))
}

/// The arguments of a call, the position of its time, and the position of its options, whether they
/// are given or not.
fn parts(call: &mut Expr) -> Option<(&mut Vec<Expr>, usize, usize)> {
    match call {
        Expr::AggregateFunction(call) => {
            let name = call.func.name();
            let (_, n_required) = AGGREGATES.iter().find(|(known, _)| *known == name)?;
            let arguments = &mut call.params.args;
            let options = match arguments.get(*n_required..)?.last() {
                Some(last) if is_text(last) => arguments.len() - 1,
                // Options in a struct are left alone.
                Some(Expr::ScalarFunction(call)) if call.name() == "named_struct" => return None,
                _ => arguments.len(),
            };
            Some((arguments, 0, options))
        }
        Expr::WindowFunction(call) => match &call.fun {
            WindowFunctionDefinition::WindowUDF(function) if function.name() == OVER.0 => {
                Some((&mut call.params.args, OVER.2, OVER.1))
            }
            _ => None,
        },
        _ => None,
    }
}

fn is_text(argument: &Expr) -> bool {
    matches!(argument, Expr::Literal(literal, _) if literal.data_type().is_string())
}

/// Adds the option to those of a call; false if it is there already, or if the options are not
/// text.
fn add_until(arguments: &mut Vec<Expr>, options: usize, until: &str) -> bool {
    let until = format!("{UNTIL_KEY}={until}");
    let given = match arguments.get(options) {
        None => None,
        Some(Expr::Literal(literal, _)) => match literal.try_as_str() {
            Some(text) => text,
            None => return false,
        },
        Some(_) => return false,
    };
    let told = match given {
        None | Some("") => until,
        Some(text) if text.contains(UNTIL_KEY) => return false,
        Some(text) => format!("{text},{until}"),
    };
    match arguments.get_mut(options) {
        Some(argument) => *argument = lit(told),
        None => arguments.push(lit(told)),
    }
    true
}

/// How the steps in a column are made: by a call of `date_bin` or `date_trunc` on a time of rows
/// with this schema.
struct BinnedTime {
    call: ScalarFunction,
    schema: DFSchemaRef,
}

impl BinnedTime {
    /// How the rows of a log file were grouped by this column of a plan; `None` if they were not.
    fn of(plan: &LogicalPlan, column: &Column, is_grouped: bool) -> Option<Self> {
        let inside = |input: &LogicalPlan, index: usize| {
            let (qualifier, field) = input.schema().qualified_field(index);
            Self::of(input, &Column::from((qualifier, field)), is_grouped)
        };
        let index = plan.schema().maybe_index_of_column(column)?;
        match plan {
            LogicalPlan::Projection(projection) => {
                Self::of_expression(&projection.input, projection.expr.get(index)?, is_grouped)
            }
            LogicalPlan::Aggregate(aggregate) => {
                Self::of_expression(&aggregate.input, aggregate.group_expr.get(index)?, true)
            }
            // These keep the columns of their input; a window adds its own after them.
            LogicalPlan::SubqueryAlias(_)
            | LogicalPlan::Filter(_)
            | LogicalPlan::Sort(_)
            | LogicalPlan::Limit(_)
            | LogicalPlan::Window(_) => {
                let input = *plan.inputs().first()?;
                (index < input.schema().fields().len()).then(|| inside(input, index))?
            }
            _ => None,
        }
    }

    fn of_expression(input: &LogicalPlan, expression: &Expr, is_grouped: bool) -> Option<Self> {
        match expression {
            Expr::Alias(alias) => Self::of_expression(input, &alias.expr, is_grouped),
            Expr::Column(column) => Self::of(input, column, is_grouped),
            Expr::ScalarFunction(call)
                if is_grouped
                    && matches!(call.name(), "date_bin" | "date_trunc")
                    && call.args.len() > SOURCE
                    && reads_log(input) =>
            {
                Some(Self {
                    call: call.clone(),
                    schema: Arc::clone(input.schema()),
                })
            }
            _ => None,
        }
    }

    /// The beginning of the step of a time, in UTC; `None` if it is not a constant.
    fn beginning(&self, time: DateTime<Utc>) -> Result<Option<String>> {
        let mut call = self.call.clone();
        let source_type = call.args[SOURCE].get_type(&self.schema)?;
        let time = ScalarValue::TimestampNanosecond(time.timestamp_nanos_opt(), Some("UTC".into()));
        call.args[SOURCE] = lit(time.cast_to(&source_type)?);
        let context = SimplifyContext::builder().with_schema(Arc::clone(&self.schema));
        let begins = ExprSimplifier::new(context.build()).simplify(Expr::ScalarFunction(call))?;
        let nanoseconds = DataType::Timestamp(TimeUnit::Nanosecond, None);
        let Expr::Literal(begins, _) = begins else {
            return Ok(None);
        };
        Ok(match begins.cast_to(&nanoseconds)? {
            ScalarValue::TimestampNanosecond(Some(begins_ns), _) => {
                let begins = DateTime::from_timestamp_nanos(begins_ns);
                Some(begins.to_rfc3339_opts(SecondsFormat::AutoSi, true))
            }
            _ => None,
        })
    }
}

/// The position of the time among the arguments of `date_bin` and `date_trunc`.
const SOURCE: usize = 1;

/// Whether a plan reads a log file, which can grow.
fn reads_log(plan: &LogicalPlan) -> bool {
    let is_log = |plan: &LogicalPlan| match plan {
        LogicalPlan::TableScan(scan) => source_as_provider(&scan.source)
            .is_ok_and(|table| table.downcast_ref::<LogTable>().is_some()),
        _ => false,
    };
    plan.exists(|plan| Ok(is_log(plan))).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use crate::session;
    use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
    use datafusion::arrow::util::pretty::pretty_format_batches;

    /// A log with a line per minute, from two days ago to three hours from now; the running hour
    /// and those after it have only a sixth of the lines.
    fn log(folder: &std::path::Path, now: DateTime<Utc>) -> String {
        let path = folder.join("app.log");
        let mut lines = String::new();
        for minute in -2_880..180_i64 {
            let time = now + TimeDelta::minutes(minute);
            let is_sparse = time.timestamp() / 3_600 >= now.timestamp() / 3_600;
            if !is_sparse || minute % 6 == 0 {
                let time = time.to_rfc3339_opts(SecondsFormat::Secs, true);
                lines.push_str(&format!("{{\"ts\":\"{time}\",\"message\":\"request\"}}\n"));
            }
        }
        std::fs::write(&path, lines).unwrap();
        path.display().to_string()
    }

    async fn answer(query: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let now = Utc::now();
        let path = log(folder.path(), now);
        let context = session().unwrap();
        let create = format!(
            "CREATE EXTERNAL TABLE logs (ts TIMESTAMP, message TEXT) STORED AS LOG LOCATION '{path}' OPTIONS (format 'json')"
        );
        for statement in [
            create,
            "CREATE TABLE kept AS SELECT * FROM logs".to_string(),
        ] {
            context
                .sql(&statement)
                .await
                .unwrap()
                .collect()
                .await
                .unwrap();
        }
        let batches = context.sql(query).await.unwrap().collect().await.unwrap();
        pretty_format_batches(&batches).unwrap().to_string()
    }

    const HOURS: &str =
        "SELECT date_bin(INTERVAL '1 hour', ts) AS hour, count(*) AS n FROM logs GROUP BY 1";

    /// A query for the number of hours that are anomalies, and for whether at least three are
    /// running.
    fn verdicts(hours: &str, verdict: &str) -> String {
        format!(
            "SELECT count(*) FILTER (WHERE a['is_anomaly']) AS anomalies, count(*) FILTER (WHERE a['status'] = 'running') >= 3 AS run FROM (SELECT {verdict} AS a FROM ({hours}))"
        )
    }

    #[tokio::test]
    async fn hours_that_run_are_not_judged() {
        let told = "+-----------+------+\n| anomalies | run  |\n+-----------+------+\n| 0         | true |\n+-----------+------+";
        let truncated = HOURS.replace("date_bin(INTERVAL '1 hour', ts)", "date_trunc('hour', ts)");
        let with = format!("WITH h AS ({HOURS}) SELECT hour, n FROM h WHERE n > 0");
        for hours in [HOURS, &truncated, &with] {
            for verdict in [
                "unnest(ts_anomaly(hour, n))",
                "unnest(ts_anomaly(hour, n, 'sides=down'))",
                "ts_anomaly(n) OVER (ORDER BY hour)",
                "ts_anomaly(n, 'sides=down') OVER (ORDER BY hour ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)",
            ] {
                assert_eq!(
                    answer(&verdicts(hours, verdict)).await,
                    told,
                    "{hours} {verdict}"
                );
            }
        }
    }

    #[tokio::test]
    async fn what_does_not_grow_is_judged() {
        let kept = HOURS.replace("FROM logs", "FROM kept");
        for (hours, verdict) in [
            (kept.as_str(), "unnest(ts_anomaly(hour, n))"),
            (HOURS, "unnest(ts_anomaly(hour, n, 'until=2262-01-01'))"),
        ] {
            let judged = answer(&verdicts(hours, verdict)).await;
            assert!(
                judged.contains("false") && !judged.contains("| 0 "),
                "{judged}"
            );
        }
    }

    #[tokio::test]
    async fn forecasts_begin_behind_whole_hours() {
        let forecast = format!(
            "SELECT min(f['forecast']) > 50 AS is_whole FROM (SELECT unnest(ts_forecast(hour, n, 5)) AS f FROM ({HOURS}))"
        );
        assert!(answer(&forecast).await.contains("true"));
    }
}
