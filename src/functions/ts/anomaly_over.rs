//! `ts_anomaly(value [, options]) OVER (ORDER BY ts)`: a verdict on every row.
//!
//! A window function does not get its ORDER BY or its frame. `over_routing` passes both as
//! arguments after the written ones: the first ORDER BY expression, and which rows a verdict may
//! see. With these arguments the function returns packed verdicts, which are unpacked one batch at
//! a time. Without them, as when Rust code calls it through the expression builder, it goes by row
//! positions, sees only the past and returns structs.

use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Float64Array};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::function::{
    ExpressionArgs, PartitionEvaluatorArgs, WindowUDFFieldArgs,
};
use datafusion::logical_expr::{
    Documentation, LimitEffect, PartitionEvaluator, Signature, Volatility, WindowFrame,
    WindowFrameBound, WindowFrameUnits, WindowUDF, WindowUDFImpl,
};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Literal;
use datafusion_macros::user_doc;

use crate::algorithms::series::anomaly::{Detector, Verdict, detect};
use crate::functions::call::options::Prepared;
use crate::functions::call::parameters::{Parameters, Takes};
use crate::functions::ts::anomaly_options::{AnomalyCall, read_anomaly_options};
use crate::functions::ts::times::{ReadTime, time_reader};
use crate::functions::ts::ts_anomaly::NAME;
use crate::functions::ts::verdicts::{
    NO_POINT, PACKED_TYPE, PACKED_WIDTH, RUNNING, VerdictColumns, pack, pack_all, verdict_fields,
};
use crate::functions::ts::zones::{Zone, ZoneClock};

/// The arguments that a query writes.
const PARAMETERS: Parameters = Parameters {
    function: NAME,
    required: &[("value", Takes::Number)],
    optional: &[],
    has_options: true,
};

/// The largest number of arguments that a query writes.
pub(super) const MAX_WRITTEN: usize = 2;

/// The positions of the arguments that are added: the first ORDER BY expression, and which rows a
/// verdict may see.
const ORDER_POSITION: usize = 2;
const SIGHT_POSITION: usize = 3;

/// The rows that a verdict may be based on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sight {
    /// The rows up to the one that is judged.
    Causal,
    /// All rows of the partition.
    Hindsight,
}

impl Sight {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Causal => "causal",
            Self::Hindsight => "hindsight",
        }
    }

    /// The frame with these rows. It is counted in rows, since DataFusion pushes a LIMIT down only
    /// through such frames.
    pub(super) fn frame(self) -> WindowFrame {
        let start = WindowFrameBound::Preceding(ScalarValue::UInt64(None));
        let end = match self {
            Self::Causal => WindowFrameBound::CurrentRow,
            Self::Hindsight => WindowFrameBound::Following(ScalarValue::UInt64(None)),
        };
        WindowFrame::new_bounds(WindowFrameUnits::Rows, start, end)
    }

    fn of(arguments: &[Arc<dyn PhysicalExpr>]) -> Self {
        let hindsight = Self::Hindsight.as_str();
        let is_hindsight = |value: &ScalarValue| value.try_as_str() == Some(Some(hindsight));
        match arguments.get(SIGHT_POSITION).and_then(literal) {
            Some(value) if is_hindsight(value) => Self::Hindsight,
            _ => Self::Causal,
        }
    }
}

fn literal(expression: &Arc<dyn PhysicalExpr>) -> Option<&ScalarValue> {
    expression.downcast_ref::<Literal>().map(Literal::value)
}

/// The part of error messages that says how OVER is used.
pub(super) const HOW_TO_CALL: &str =
    "with OVER it is called as ts_anomaly(value [, options]) OVER (ORDER BY ts)";

#[user_doc(
    doc_section(label = "Time Series Functions"),
    description = "A verdict on every row of a series: a struct of `is_anomaly`, its `kind` (spike, dip, level_shift, variance_change, cliff_drop, trend), \
`direction` (1 above, -1 below, 0 for a change of variance and where there is no anomaly), `score` from 0 to 1 (an anomaly from 0.5 on), the `expected` value with its `lower` and `upper` bound, and `status`: ok, warmup (too few points to judge), missing (no value or no time), constant (all values so far are equal), new_level (what was reported has lasted for a season, or 200 points: this is the level from here on), running (the step has not ended, see `until`). `is_ongoing` stays true behind the first points of an anomaly until the values are back, or at a new level; it is false behind a change of variance. \
**The frame says what may be seen.** The default frame sees the rows before and the one that is judged; a verdict never changes when more rows come, and live tables can be judged row by row. `ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING` sees the whole partition, and judges as `ts_anomaly(ts, value)` without OVER does. Other frames are refused. \
PARTITION BY makes one series each. Time is the first ORDER BY expression where that is a timestamp or a date, and rows whose time is NULL or outside the years 1678 to 2261 are no points; a day is one by the clocks of its zone; where it is of another type, rows count as equally spaced. Rows of the same time are taken as they come: add a second ORDER BY expression where that matters. NULL, NaN and infinite values are missing points. \
Arguments are given by position. A query that needs the verdict in a condition writes QUALIFY.",
    syntax_example = "ts_anomaly(value [, options]) OVER ([PARTITION BY series] ORDER BY ts)",
    sql_example = r#"```sql
> WITH load(ts, value) AS (SELECT to_timestamp_seconds(60 * value), CASE WHEN value = 40 THEN 90 ELSE 10 + value % 3 END FROM generate_series(0, 59))
SELECT ts, value, ts_anomaly(value) OVER (ORDER BY ts)['kind'] AS kind FROM load
QUALIFY ts_anomaly(value) OVER (ORDER BY ts)['is_anomaly'];
+---------------------+-------+-------+
| ts                  | value | kind  |
+---------------------+-------+-------+
| 1970-01-01T00:40:00 | 90    | spike |
+---------------------+-------+-------+
```"#,
    argument(name = "value", description = "A number of any type"),
    argument(
        name = "options",
        description = "Constant; those of `ts_anomaly(ts, value [, options])`. A season given as a duration needs a timestamp or a date in ORDER BY"
    )
)]
#[derive(Debug)]
pub(crate) struct AnomalyOver {
    signature: Signature,
    calls: Prepared<AnomalyCall>,
}

impl AnomalyOver {
    pub(crate) fn udwf() -> WindowUDF {
        WindowUDF::new_from_impl(Self {
            // The signature has no parameter names: SHOW FUNCTIONS would mix them with those of the
            // aggregate of the same name.
            signature: Signature::user_defined(Volatility::Immutable),
            calls: Prepared::default(),
        })
    }
}

/// All instances are equal; the remembered calls do not count.
impl PartialEq for AnomalyOver {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for AnomalyOver {}

impl Hash for AnomalyOver {
    fn hash<H: Hasher>(&self, state: &mut H) {
        NAME.hash(state);
    }
}

impl WindowUDFImpl for AnomalyOver {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(PARAMETERS.coerce(types))
    }

    fn field(&self, args: WindowUDFFieldArgs) -> Result<FieldRef> {
        let fields = args.input_fields();
        let types: Vec<_> = fields
            .iter()
            .map(|field| field.data_type().clone())
            .collect();
        let written = &types[..types.len().min(MAX_WRITTEN)];
        let is_number = |data_type: &DataType| Takes::Number.accepts(data_type);
        let begins_with_time = match written {
            [first, ..] if Takes::Time.accepts(first) => true,
            [first, second] => is_number(first) && is_number(second),
            _ => false,
        };
        if begins_with_time {
            return plan_err!("{NAME} has its time in ORDER BY: {HOW_TO_CALL}");
        }
        PARAMETERS.check(written)?;
        let (data_type, is_nullable) = match types.len() {
            0..=MAX_WRITTEN => (DataType::Struct(verdict_fields()), false),
            _ => (PACKED_TYPE, false),
        };
        Ok(Arc::new(Field::new(args.name(), data_type, is_nullable)))
    }

    /// The values and the timestamps. The other arguments are constants, which were read when the
    /// evaluator was made.
    fn expressions(&self, args: ExpressionArgs) -> Vec<Arc<dyn PhysicalExpr>> {
        let expressions = args.input_exprs();
        let of_rows = [expressions.first(), expressions.get(ORDER_POSITION)];
        of_rows.into_iter().flatten().map(Arc::clone).collect()
    }

    fn partition_evaluator(
        &self,
        args: PartitionEvaluatorArgs,
    ) -> Result<Box<dyn PartitionEvaluator>> {
        let expressions = args.input_exprs();
        let options = match expressions.get(1) {
            None => None,
            Some(expression) => match literal(expression) {
                Some(value) => Some(value),
                None => return plan_err!("{NAME}: options must be a constant, not a column"),
            },
        };
        let call = self.calls.get(NAME, options, read_anomaly_options)?;
        let order = args.input_fields().get(ORDER_POSITION);
        let read_time = order.and_then(|field| time_reader(field.data_type()));
        if call.needs_times && read_time.is_none() {
            return plan_err!(
                "{NAME}: a season given as a duration, or until, needs ORDER BY to begin with a timestamp or a date; \
                 a season can be a number of points"
            );
        }
        let zone = order.and_then(|field| Zone::of(field.data_type()));
        let rows = PartitionRows {
            read_time,
            clock: zone.map(ZoneClock::new),
            is_packed: order.is_some(),
            call: Arc::clone(&call),
            newest: None,
        };
        Ok(match Sight::of(expressions) {
            Sight::Causal => Box::new(CausalEvaluator {
                rows,
                detector: Detector::new(&call.params),
            }),
            Sight::Hindsight => Box::new(HindsightEvaluator { rows }),
        })
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }

    /// If only the past is seen, rows after a LIMIT have no effect.
    fn limit_effect(&self, arguments: &[Arc<dyn PhysicalExpr>]) -> LimitEffect {
        match Sight::of(arguments) {
            Sight::Causal => LimitEffect::None,
            Sight::Hindsight => LimitEffect::Unknown,
        }
    }
}

/// Reads the rows of a partition and returns verdicts on them.
#[derive(Debug)]
struct PartitionRows {
    /// `None` if rows go by their positions.
    read_time: Option<ReadTime>,
    /// The clock of a series with a time zone.
    clock: Option<ZoneClock>,
    is_packed: bool,
    call: Arc<AnomalyCall>,
    /// The newest time, and how long after the one before it was.
    newest: Option<(i64, i64)>,
}

/// A row of a partition.
enum Point {
    /// The row has no time, in a series with times.
    None,
    /// The step of the row has not ended.
    Running,
    At(Option<i64>, f64),
}

impl PartitionRows {
    fn values(columns: &[ArrayRef]) -> Result<&Float64Array> {
        let values = columns
            .first()
            .and_then(|column| column.as_primitive_opt::<Float64Type>());
        match values {
            Some(values) => Ok(values),
            None => exec_err!("{NAME}: value must arrive as a double"),
        }
    }

    fn point(&mut self, values: &Float64Array, columns: &[ArrayRef], row: usize) -> Point {
        let value = Some(row).filter(|&row| values.is_valid(row));
        let value = value
            .map(|row| values.value(row))
            .filter(|value| value.is_finite());
        let value = value.unwrap_or(f64::NAN);
        match (self.read_time, columns.get(1)) {
            (Some(read_time), Some(times)) => match read_time(times, row) {
                Some(time) if self.is_running(time) => Point::Running,
                Some(time) => Point::At(Some(self.clock_ns(time)), value),
                None => Point::None,
            },
            _ => Point::At(None, value),
        }
    }

    /// Whether the step of the next row has not ended; the step is assumed to be as long as the one
    /// before.
    fn is_running(&mut self, utc_ns: i64) -> bool {
        let step_ns = match self.newest {
            Some((newest_ns, step_ns)) if newest_ns == utc_ns => step_ns,
            Some((newest_ns, _)) => utc_ns.saturating_sub(newest_ns),
            None => 0,
        };
        self.newest = Some((utc_ns, step_ns));
        self.call.is_running(utc_ns, step_ns)
    }

    fn clock_ns(&mut self, utc_ns: i64) -> i64 {
        match &mut self.clock {
            Some(clock) => clock.clock_ns(utc_ns),
            None => utc_ns,
        }
    }

    fn verdict(&self, verdict: &Verdict) -> Result<ScalarValue> {
        if self.is_packed {
            let packed = pack(verdict);
            return Ok(ScalarValue::FixedSizeBinary(
                PACKED_WIDTH,
                Some(packed.to_vec()),
            ));
        }
        let mut columns = VerdictColumns::default();
        columns.push(verdict);
        Ok(ScalarValue::Struct(Arc::new(columns.finish_structs()?)))
    }

    fn verdicts(&self, verdicts: &[Verdict]) -> Result<ArrayRef> {
        if self.is_packed {
            return Ok(Arc::new(pack_all(verdicts)?));
        }
        let mut columns = VerdictColumns::default();
        for verdict in verdicts {
            columns.push(verdict);
        }
        Ok(Arc::new(columns.finish_structs()?))
    }
}

/// Judges rows one by one, as they come.
#[derive(Debug)]
struct CausalEvaluator {
    rows: PartitionRows,
    detector: Detector,
}

impl CausalEvaluator {
    fn judge(&mut self, values: &Float64Array, columns: &[ArrayRef], row: usize) -> Verdict {
        match self.rows.point(values, columns, row) {
            Point::None => NO_POINT,
            Point::Running => RUNNING,
            Point::At(time, value) => self.detector.push(time, value),
        }
    }
}

impl PartitionEvaluator for CausalEvaluator {
    /// DataFusion calls this once for each row, in order; `range` is one row.
    fn evaluate(&mut self, columns: &[ArrayRef], range: &Range<usize>) -> Result<ScalarValue> {
        let verdict = self.judge(PartitionRows::values(columns)?, columns, range.start);
        self.rows.verdict(&verdict)
    }

    fn evaluate_all(&mut self, columns: &[ArrayRef], n_rows: usize) -> Result<ArrayRef> {
        let values = PartitionRows::values(columns)?;
        let verdicts: Vec<_> = (0..n_rows)
            .map(|row| self.judge(values, columns, row))
            .collect();
        self.rows.verdicts(&verdicts)
    }

    /// Rows are judged as they come, and their verdicts are passed on at once.
    fn supports_bounded_execution(&self) -> bool {
        true
    }

    fn is_causal(&self) -> bool {
        true
    }
}

/// Judges a whole partition.
#[derive(Debug)]
struct HindsightEvaluator {
    rows: PartitionRows,
}

impl PartitionEvaluator for HindsightEvaluator {
    fn evaluate_all(&mut self, columns: &[ArrayRef], n_rows: usize) -> Result<ArrayRef> {
        let values = PartitionRows::values(columns)?;
        let mut verdicts = vec![NO_POINT; n_rows];
        let (mut points, mut times, mut numbers) = (vec![], vec![], vec![]);
        for (row, verdict) in verdicts.iter_mut().enumerate() {
            match self.rows.point(values, columns, row) {
                Point::None => {}
                Point::Running => *verdict = RUNNING,
                Point::At(time, value) => {
                    points.push(row);
                    times.extend(time);
                    numbers.push(value);
                }
            }
        }
        let times = self.rows.read_time.is_some().then_some(times.as_slice());
        let judged = detect(times, &numbers, &self.rows.call.params);
        for (row, verdict) in points.into_iter().zip(judged) {
            verdicts[row] = verdict;
        }
        self.rows.verdicts(&verdicts)
    }
}
