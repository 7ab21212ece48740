//! Windows over a bounded table: ordinary plans.
//!
//! Rows whose time is NULL belong to no window and are left out of `tumble`, `hop` and `session`.
//! Window starts are multiples of the slide since 1970-01-01 UTC, whatever the time zone of the
//! column. `count_window` numbers rows in the order in which they come, which is defined only if
//! its table is `(SELECT .. ORDER BY ..)`.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Column, Result, ScalarValue, internal_err};
use datafusion::functions::expr_fn::date_bin;
use datafusion::functions_aggregate::min_max::{max_udaf, min_udaf};
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::functions_window::expr_fn::{lag, row_number};
use datafusion::logical_expr::expr::{Sort, WindowFunction as WindowExpr};
use datafusion::logical_expr::{
    AggregateUDF, Expr, ExprFunctionExt, LogicalPlan, LogicalPlanBuilder, Projection, WindowFrame,
    cast, lit, when,
};

use crate::planner::windows::spec::WindowSpec;
use crate::streams::windows::shape::{WINDOW_END, WINDOW_START, WindowShape};

/// The names of intermediate columns, which are not in the result.
const OFFSET: &str = "__window_offset";
const PREVIOUS: &str = "__window_previous";
const IS_FIRST: &str = "__window_is_first";
const NUMBER: &str = "__window_number";
const LAST: &str = "__window_last";

/// The rows of `input` with their windows.
///
/// # Errors
/// If the plan cannot be built, for example because columns have the same name.
pub(crate) fn plan(input: LogicalPlan, spec: &WindowSpec) -> Result<LogicalPlan> {
    let columns: Vec<Expr> = columns(&input);
    match (&spec.shape, spec.time) {
        (WindowShape::Rows { n_rows }, _) => count_windows(input, *n_rows),
        (_, None) => internal_err!("the call is checked before"),
        (WindowShape::Grid { slide, size }, Some(time)) => {
            let time = Time::new(&input, time);
            let rows = LogicalPlanBuilder::from(input).filter(time.column.clone().is_not_null())?;
            if slide == size {
                tumbling(rows, columns, &time, *size)
            } else {
                hopping(rows, columns, &time, *slide, *size)
            }
        }
        (WindowShape::Session { gap, keys }, Some(time)) => {
            let keys = keys.iter().filter_map(|key| columns.get(*key).cloned());
            let keys = keys.collect();
            let time = Time::new(&input, time);
            let rows = LogicalPlanBuilder::from(input).filter(time.column.clone().is_not_null())?;
            sessions(rows, columns, &time, *gap, keys)
        }
    }
}

/// The time column and its type, which is also the type of the window bounds.
struct Time {
    column: Expr,
    data_type: DataType,
}

impl Time {
    fn new(input: &LogicalPlan, index: usize) -> Self {
        Self {
            column: Expr::Column(Column::from(input.schema().qualified_field(index))),
            data_type: input.schema().field(index).data_type().clone(),
        }
    }

    fn bin(&self, slide: i64) -> Expr {
        let origin = lit(ScalarValue::TimestampNanosecond(Some(0), None));
        let origin = match &self.data_type {
            DataType::Timestamp(_, Some(_)) => {
                let utc = Some(Arc::from("+00:00"));
                lit(ScalarValue::TimestampNanosecond(Some(0), utc))
            }
            _ => origin,
        };
        date_bin(interval(slide), self.column.clone(), origin)
    }

    fn bound(&self, expression: Expr, name: &str) -> Expr {
        cast(expression, self.data_type.clone()).alias(name)
    }
}

fn columns(input: &LogicalPlan) -> Vec<Expr> {
    let columns = input.schema().columns();
    columns.into_iter().map(Expr::Column).collect()
}

fn named(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}

fn interval(nanoseconds: i64) -> Expr {
    lit(ScalarValue::new_interval_mdn(0, 0, nanoseconds))
}

fn tumbling(
    rows: LogicalPlanBuilder,
    mut columns: Vec<Expr>,
    time: &Time,
    size: i64,
) -> Result<LogicalPlan> {
    let start = time.bin(size);
    columns.push(time.bound(start.clone(), WINDOW_START));
    columns.push(time.bound(start + interval(size), WINDOW_END));
    rows.project(columns)?.build()
}

/// Repeats every row for each window that it is in, by the offset from the newest one. A cross join
/// does this piece by piece; UNNEST would hold a batch times all windows in memory.
fn hopping(
    rows: LogicalPlanBuilder,
    mut columns: Vec<Expr>,
    time: &Time,
    slide: i64,
    size: i64,
) -> Result<LogicalPlan> {
    let offsets = (0..size / slide).map(|window| vec![interval(window * slide)]);
    let offsets = LogicalPlanBuilder::values(offsets.collect())?
        .project(vec![named("column1").alias(OFFSET)])?
        .build()?;
    let start = time.bin(slide) - named(OFFSET);
    columns.push(time.bound(start.clone(), WINDOW_START));
    columns.push(time.bound(start + interval(size), WINDOW_END));
    rows.cross_join(offsets)?.project(columns)?.build()
}

/// A row begins a session if no row of its key comes less than the gap before it; sessions are
/// numbered by counting the rows that begin one.
fn sessions(
    rows: LogicalPlanBuilder,
    columns: Vec<Expr>,
    time: &Time,
    gap: i64,
    keys: Vec<Expr>,
) -> Result<LogicalPlan> {
    let by_time = || vec![time.column.clone().sort(true, false)];
    let previous = over(
        lag(time.column.clone(), Some(1), None),
        keys.clone(),
        by_time(),
    )?;
    let starts = time.column.clone().gt_eq(named(PREVIOUS) + interval(gap));
    let is_first = when(starts, lit(1_i64)).otherwise(lit(0_i64))?;
    let number = over(
        aggregate(sum_udaf(), named(IS_FIRST)),
        keys.clone(),
        by_time(),
    )?;
    let of_session: Vec<Expr> = keys.into_iter().chain([named(NUMBER)]).collect();
    let first = aggregate(min_udaf(), time.column.clone());
    let last = aggregate(max_udaf(), time.column.clone());
    let first = over(first, of_session.clone(), vec![])?.alias(WINDOW_START);
    let last = over(last, of_session, vec![])?.alias(LAST);
    let mut with_bounds = columns.clone();
    with_bounds.push(named(WINDOW_START));
    with_bounds.push(time.bound(named(LAST) + interval(gap), WINDOW_END));
    let mut with_first = columns;
    with_first.push(is_first.alias(IS_FIRST));
    rows.window(vec![previous.alias(PREVIOUS)])?
        .project(with_first)?
        .window(vec![number.alias(NUMBER)])?
        .window(vec![first, last])?
        .project(with_bounds)?
        .build()
}

fn aggregate(function: Arc<AggregateUDF>, argument: Expr) -> Expr {
    Expr::from(WindowExpr::new(function, vec![argument]))
}

/// A window expression. With an order, its frame is from the first row to the current one; without
/// an order, it is the whole partition, which must be set explicitly.
fn over(function: Expr, partition_by: Vec<Expr>, order_by: Vec<Sort>) -> Result<Expr> {
    let frame = WindowFrame::new((!order_by.is_empty()).then_some(true));
    function
        .partition_by(partition_by)
        .order_by(order_by)
        .window_frame(frame)
        .build()
}

/// Numbers the rows from 0, and puts `n_rows` of them into each window.
fn count_windows(input: LogicalPlan, n_rows: u64) -> Result<LogicalPlan> {
    let mut with_bounds = columns(&input);
    let n_rows = lit(i64::try_from(n_rows).unwrap_or(i64::MAX));
    let number = cast(named(NUMBER), DataType::Int64) - lit(1_i64);
    let start = number.clone() - number % n_rows.clone();
    with_bounds.push(start.clone().alias(WINDOW_START));
    with_bounds.push((start + n_rows).alias(WINDOW_END));
    LogicalPlanBuilder::from(numbered(input)?)
        .project(with_bounds)?
        .build()
}

/// The rows of `input` with their numbers from 1. An ORDER BY at the top is moved into the
/// numbering: DataFusion drops the order of a subquery, unless there is a LIMIT.
fn numbered(input: LogicalPlan) -> Result<LogicalPlan> {
    match input {
        LogicalPlan::SubqueryAlias(alias) => {
            let numbered = numbered(Arc::unwrap_or_clone(alias.input))?;
            LogicalPlanBuilder::from(numbered)
                .alias(alias.alias)?
                .build()
        }
        LogicalPlan::Projection(projection)
            if matches!(projection.input.as_ref(), LogicalPlan::Sort(_)) =>
        {
            let numbered = numbered(Arc::unwrap_or_clone(projection.input))?;
            let mut expressions = projection.expr;
            expressions.push(named(NUMBER));
            Ok(LogicalPlan::Projection(Projection::try_new(
                expressions,
                Arc::new(numbered),
            )?))
        }
        LogicalPlan::Sort(sort) if sort.fetch.is_none() => {
            number(Arc::unwrap_or_clone(sort.input), sort.expr)
        }
        other => number(other, vec![]),
    }
}

fn number(input: LogicalPlan, order_by: Vec<Sort>) -> Result<LogicalPlan> {
    let frame = WindowFrame::new((!order_by.is_empty()).then_some(true));
    let number = row_number()
        .order_by(order_by)
        .window_frame(frame)
        .build()?;
    LogicalPlanBuilder::from(input)
        .window(vec![number.alias(NUMBER)])?
        .build()
}
