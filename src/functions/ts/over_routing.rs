//! One name for two functions: `ts_anomaly` is an aggregate, and with OVER a window function.
//!
//! DataFusion looks up a name before OVER among the aggregates first. Before it checks any
//! argument, it asks the expression planners. The planner here puts in the window function, passes
//! it what it does not get otherwise (see `anomaly_over`), and refuses clauses that the window
//! function could not honour.

use std::sync::Arc;

use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::expr::{NullTreatment, WindowFunction, WindowFunctionParams};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawWindowExpr};
use datafusion::logical_expr::{
    Expr, ScalarUDF, WindowFrame, WindowFrameBound, WindowFunctionDefinition, WindowUDF, lit,
};

use crate::functions::ts::anomaly_over::{HOW_TO_CALL, MAX_WRITTEN, Sight};
use crate::functions::ts::ts_anomaly::NAME;
use crate::functions::ts::verdicts::Unpack;

/// The planner of OVER expressions. It holds the functions itself, since expression planners do not
/// get a registry.
#[derive(Debug)]
pub(crate) struct OverRouting {
    anomaly: Arc<WindowUDF>,
    unpack: Arc<ScalarUDF>,
}

impl OverRouting {
    /// A planner that routes to this window function, an `AnomalyOver`.
    pub(crate) fn new(anomaly: &Arc<WindowUDF>) -> Self {
        Self {
            anomaly: Arc::clone(anomaly),
            unpack: Arc::new(ScalarUDF::new_from_impl(Unpack::new())),
        }
    }
}

impl ExprPlanner for OverRouting {
    fn plan_window(&self, raw: RawWindowExpr) -> Result<PlannerResult<RawWindowExpr>> {
        if raw.func_def.name() != NAME {
            return Ok(PlannerResult::Original(raw));
        }
        check_clauses(&raw)?;
        let sight = sight(&raw.window_frame)?;
        let time = time(&raw)?;
        let written = window_function(&self.anomaly, raw);
        // The expression keeps the name of the written call, without the added arguments.
        let name = Expr::from(written.clone()).schema_name().to_string();
        let mut planned = written;
        planned.params.window_frame = sight.frame();
        if planned.params.args.len() < MAX_WRITTEN {
            planned.params.args.push(lit(ScalarValue::Utf8(None)));
        }
        planned.params.args.extend([time, lit(sight.as_str())]);
        let verdict = self.unpack.call(vec![Expr::from(planned)]);
        Ok(PlannerResult::Planned(verdict.alias(name)))
    }
}

fn window_function(function: &Arc<WindowUDF>, raw: RawWindowExpr) -> WindowFunction {
    WindowFunction {
        fun: WindowFunctionDefinition::WindowUDF(Arc::clone(function)),
        params: WindowFunctionParams {
            args: raw.args,
            partition_by: raw.partition_by,
            order_by: raw.order_by,
            window_frame: raw.window_frame,
            filter: None,
            null_treatment: None,
            distinct: false,
        },
    }
}

/// Refuses clauses that have no use for a verdict on every row.
fn check_clauses(raw: &RawWindowExpr) -> Result<()> {
    if raw.args.is_empty() || raw.args.len() > MAX_WRITTEN {
        return plan_err!("{NAME}: {HOW_TO_CALL}, got {} arguments", raw.args.len());
    }
    if raw.args.iter().any(is_wildcard) {
        return plan_err!("{NAME}: {HOW_TO_CALL}, got *");
    }
    if raw.distinct {
        return plan_err!("{NAME}(DISTINCT ...) is not supported; select the distinct rows first");
    }
    if raw.filter.is_some() {
        return plan_err!(
            "{NAME}: FILTER is not supported with OVER; make a missing point of what does not count: \
             {NAME}(CASE WHEN ... THEN value END) OVER (ORDER BY ts)"
        );
    }
    if raw.null_treatment == Some(NullTreatment::IgnoreNulls) {
        return plan_err!(
            "{NAME}: IGNORE NULLS is not supported; a NULL is a missing point as it is"
        );
    }
    Ok(())
}

#[expect(deprecated, reason = "the planner makes it of a star")]
fn is_wildcard(argument: &Expr) -> bool {
    matches!(argument, Expr::Wildcard { .. })
}

/// The first ORDER BY expression.
fn time(raw: &RawWindowExpr) -> Result<Expr> {
    match raw.order_by.first() {
        None => plan_err!(
            "{NAME} needs the order of time: write {NAME}(value) OVER (ORDER BY ts), with PARTITION BY for several series"
        ),
        Some(order) if !order.asc => plan_err!(
            "{NAME} reads a series forwards in time: write OVER (ORDER BY ts) without DESC, and ORDER BY ts DESC at the end of the query"
        ),
        Some(order) => Ok(order.expr.clone()),
    }
}

/// The rows that the frame lets a verdict see.
fn sight(frame: &WindowFrame) -> Result<Sight> {
    let is_from_start =
        matches!(&frame.start_bound, WindowFrameBound::Preceding(start) if start.is_null());
    match &frame.end_bound {
        WindowFrameBound::CurrentRow if is_from_start => Ok(Sight::Causal),
        WindowFrameBound::Following(end) if is_from_start && end.is_null() => Ok(Sight::Hindsight),
        _ => plan_err!(
            "{NAME}: the frame {frame} is not supported; leave it out for verdicts by the past, \
             or write ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING for verdicts by the whole series"
        ),
    }
}
