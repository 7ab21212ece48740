//! `ts_fill(ts, value, step [, options])`: one value per step, with gaps filled.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, BooleanArray};
use datafusion::arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::Documentation;
use datafusion_macros::user_doc;

use crate::algorithms::series::{Bucket, FillOptions, Gap, fill};
use crate::functions::call::aggregate::{Aggregate, Fold};
use crate::functions::call::options::CallOptions;
use crate::functions::call::parameters::{ArgumentPlaces, Parameters, Takes};
use crate::functions::ts::season::read_season;
use crate::functions::ts::series::{ResultShape, Series, number_column, point_fields};
use crate::functions::ts::series_fold::SeriesFold;
use crate::functions::ts::times::{read_time, time_unit};
use crate::time::read_duration;

const NAME: &str = "ts_fill";

#[user_doc(
    doc_section(label = "Time Series Functions"),
    description = "Brings a series to one value a step and closes its gaps, so that a chart has no holes and a join by time finds every step. Returns a list in the order of time: `ts`, the time at which the step begins, a multiple of it since 1970 as by date_bin; `value`; and `is_filled`, whether the value was made up. \
The values within a step become one (`bucket`), steps without a value get one (`gap`). Rows whose `ts` is NULL or outside the years 1678 to 2261 do not count, NULL, NaN and infinite values are no values. \
No rows: NULL; and NULL where there would be more than `max_points` steps. Neither the order of rows nor partitions matter.",
    syntax_example = "ts_fill(ts, value, step [, options])",
    sql_example = r#"```sql
> WITH load(ts, value) AS (VALUES (to_timestamp('2026-05-01T10:00:20'), 2), (to_timestamp('2026-05-01T10:00:40'), 4), (to_timestamp('2026-05-01T10:03:00'), 9))
SELECT f['ts'] AS ts, f['value'] AS value, f['is_filled'] AS is_filled FROM (SELECT unnest(ts_fill(ts, value, INTERVAL '1 minute')) AS f FROM load);
+---------------------+-------+-----------+
| ts                  | value | is_filled |
+---------------------+-------+-----------+
| 2026-05-01T10:00:00 | 3.0   | false     |
| 2026-05-01T10:01:00 | 5.0   | true      |
| 2026-05-01T10:02:00 | 7.0   | true      |
| 2026-05-01T10:03:00 | 9.0   | false     |
+---------------------+-------+-----------+
```"#,
    argument(
        name = "ts",
        description = "A timestamp of any unit and time zone, or a date"
    ),
    argument(name = "value", description = "A number of any type"),
    argument(
        name = "step",
        description = "Constant. An interval or a text such as `'5 minutes'`, without months and years"
    ),
    argument(
        name = "options",
        description = "Constant. `bucket=mean|sum|min|max|count|first|last`: what the values within a step become. `gap=null|zero|previous|linear|seasonal|<number>`: the value of a step without one; default zero for sum and count, else linear. `season=auto|none|n|duration`: of gap=seasonal. \
`start=2026-05-01`, `end=2026-05-02`: the first step, and the time before which the last one begins, in place of the first and last row. `origin=2026-05-01T00:30:00`: a time at which a step begins. Times without a zone are UTC. `max_points=1000000`"
    )
)]
#[derive(Debug, Default)]
pub(crate) struct TsFill;

/// The arguments of a call except its series.
#[derive(Debug, Clone)]
pub(crate) struct FillCall {
    /// `None` for NULL.
    step_ns: Option<i64>,
    options: FillOptions,
}

impl Aggregate for TsFill {
    const PARAMETERS: Parameters = Parameters {
        function: NAME,
        required: &[
            ("ts", Takes::Time),
            ("value", Takes::Number),
            ("step", Takes::Duration),
        ],
        optional: &[],
        has_options: true,
    };

    const CONSTANTS: &'static [usize] = &[2];

    type Options = FillCall;

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }

    fn read_options(options: &mut CallOptions) -> Result<FillCall> {
        let buckets = [
            ("mean", Bucket::Mean),
            ("sum", Bucket::Sum),
            ("min", Bucket::Min),
            ("max", Bucket::Max),
            ("count", Bucket::Count),
            ("first", Bucket::First),
            ("last", Bucket::Last),
        ];
        let default = FillOptions::default();
        let bucket = options.take_choice("bucket", &buckets)?;
        let gap = read_gap(options)?;
        let season = read_season(options)?;
        let start_ns = read_time(options, "start")?;
        let end_ns = read_time(options, "end")?;
        let origin_ns = read_time(options, "origin")?;
        let max_points = options.take_number("max_points", 1)?;
        Ok(FillCall {
            step_ns: None,
            options: FillOptions {
                bucket: bucket.unwrap_or_default(),
                gap,
                origin_ns: origin_ns.unwrap_or(default.origin_ns),
                start_ns,
                end_ns,
                season,
                max_points: max_points.unwrap_or(default.max_points),
            },
        })
    }

    fn with_constants(
        options: &Arc<FillCall>,
        constants: &[&ScalarValue],
    ) -> Result<Arc<FillCall>> {
        let step_ns = match constants {
            [step] => read_duration(NAME, "step", step)?,
            _ => None,
        };
        Ok(Arc::new(FillCall {
            step_ns,
            ..FillCall::clone(options)
        }))
    }

    fn return_type(types: &[DataType]) -> DataType {
        ResultShape::List(fields(&types[0])).data_type()
    }

    fn fold(
        options: &Arc<FillCall>,
        types: &[DataType],
        _: &ArgumentPlaces,
    ) -> Result<Box<dyn Fold>> {
        let ts_type = &types[0];
        let unit = time_unit(ts_type).unwrap_or(1);
        if options.step_ns.is_some_and(|step_ns| step_ns % unit != 0) {
            return plan_err!(
                "{NAME}: ts is {ts_type}, which cannot tell times of this step; write CAST(ts AS TIMESTAMP)"
            );
        }
        SeriesFold::boxed(
            NAME,
            options,
            ts_type,
            ResultShape::List(fields(ts_type)),
            filled,
        )
    }
}

fn read_gap(options: &mut CallOptions) -> Result<Option<Gap>> {
    match options.take_text("gap").as_deref() {
        Some("null") => Ok(Some(Gap::Null)),
        Some(text) => match parse_gap(text) {
            Some(gap) => Ok(Some(gap)),
            None => plan_err!(
                "{}: option gap must be one of null, zero, previous, linear, seasonal or a number, got '{text}'",
                options.function()
            ),
        },
        None => Ok(None),
    }
}

/// Parses how gaps are filled.
pub(super) fn parse_gap(text: &str) -> Option<Gap> {
    match text {
        "zero" => Some(Gap::Zero),
        "previous" => Some(Gap::Previous),
        "linear" => Some(Gap::Linear),
        "seasonal" => Some(Gap::Seasonal),
        number => {
            let number = number.parse::<f64>().ok()?;
            number.is_finite().then_some(Gap::Number(number))
        }
    }
}

fn fields(ts_type: &DataType) -> Fields {
    let is_filled = Field::new("is_filled", DataType::Boolean, false);
    point_fields(ts_type, [Arc::new(is_filled)])
}

fn filled(series: &Series<'_>, call: &FillCall) -> Result<Option<Vec<ArrayRef>>> {
    let Some(step_ns) = call.step_ns else {
        return Ok(None);
    };
    let Some(buckets) = fill(&series.samples, step_ns, &call.options) else {
        return Ok(None);
    };
    let times: Vec<i64> = buckets.iter().map(|bucket| bucket.time_ns).collect();
    let values = buckets
        .iter()
        .map(|bucket| bucket.value.unwrap_or(f64::NAN))
        .collect();
    let is_filled: Vec<bool> = buckets.iter().map(|bucket| bucket.is_filled).collect();
    Ok(Some(vec![
        series.time_column(&times)?,
        number_column(values),
        Arc::new(BooleanArray::from(is_filled)),
    ]))
}
