//! `ts >= '2026-11-29 10:00'`: times without seconds, which Arrow does not read.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::execution::FunctionRegistry;
use datafusion::execution::SessionState;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Expr, ExprSchemable, lit};

/// A text of this length may be a date with hours and minutes.
const LENGTH: usize = "2026-11-29 10:00".len();

/// Gives times without seconds that are compared with a time their seconds.
#[derive(Debug)]
pub(crate) struct ShortTimes;

/// Adds the planner to a session.
///
/// # Errors
/// When the session takes no planners.
pub(crate) fn register(state: &mut SessionState) -> Result<()> {
    state.register_expr_planner(Arc::new(ShortTimes))
}

impl ExprPlanner for ShortTimes {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        let RawBinaryExpr { op, left, right } = expr;
        let is_time = |side: &Expr| {
            let data_type = side.get_type(schema);
            matches!(data_type, Ok(DataType::Timestamp(..)))
        };
        let (left, right) = match (with_seconds(&left), with_seconds(&right)) {
            (None, Some(longer)) if is_time(&left) => (left, longer),
            (Some(longer), None) if is_time(&right) => (longer, right),
            _ => (left, right),
        };
        Ok(PlannerResult::Original(RawBinaryExpr { op, left, right }))
    }
}

/// The text of a time without seconds, with seconds.
fn with_seconds(side: &Expr) -> Option<Expr> {
    let Expr::Literal(ScalarValue::Utf8(Some(text)) | ScalarValue::Utf8View(Some(text)), _) = side
    else {
        return None;
    };
    let is_short = text.len() == LENGTH
        && text.bytes().enumerate().all(|(place, byte)| match place {
            4 | 7 => byte == b'-',
            10 => byte == b' ' || byte == b'T',
            13 => byte == b':',
            _ => byte.is_ascii_digit(),
        });
    is_short.then(|| lit(format!("{text}:00")))
}
