//! `ts_anomaly(ts, value [, options])`: a verdict on every point of a whole series. The form with
//! OVER is in `anomaly_over`.

use std::sync::Arc;

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{DataType, Fields};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::Documentation;
use datafusion_macros::user_doc;

use crate::algorithms::series::anomaly::detect;
use crate::functions::call::aggregate::{Aggregate, Fold};
use crate::functions::call::options::CallOptions;
use crate::functions::call::parameters::{ArgumentPlaces, Parameters, Takes};
use crate::functions::ts::anomaly_options::{AnomalyCall, read_anomaly_options};
use crate::functions::ts::series::{ResultShape, Series, point_fields};
use crate::functions::ts::series_fold::SeriesFold;
use crate::functions::ts::verdicts::{RUNNING, VerdictColumns, verdict_fields};
use crate::functions::ts::zones::Zone;

pub(super) const NAME: &str = "ts_anomaly";

#[user_doc(
    doc_section(label = "Time Series Functions"),
    description = "Judges every point of a series by all others, those after it too. Returns a list with an element for each row, in the order of time: `ts` and `value`, `is_anomaly`, its `kind` (spike, dip, level_shift, variance_change, cliff_drop, trend), \
`direction` (1 above, -1 below, 0 for a change of variance and where there is no anomaly), `score` from 0 to 1 (an anomaly from 0.5 on), the `expected` value with its `lower` and `upper` bound, and `status`: ok, warmup (too few points to judge), missing (no value), constant (all values so far are equal), new_level (what was reported has lasted for a season, or 200 points: this is the level from here on), running (the step has not ended, see `until`). `is_ongoing` stays true after the first points of an anomaly until the values are back, or at a new level; it is false after a change of variance. \
Rows whose `ts` is NULL or outside the years 1678 to 2261 are no points. NULL, NaN and infinite values are missing points: they stay in the list, without a verdict. No points: NULL. A day is one by the clocks of the zone of `ts`. Neither the order of rows nor partitions matter; points of the same time are taken in the order of their values. \
With OVER (ORDER BY ts) the same name returns a verdict on every row, by the rows before it.",
    syntax_example = "ts_anomaly(ts, value [, options])",
    sql_example = r#"```sql
> WITH load(ts, value) AS (SELECT to_timestamp_seconds(60 * value), CASE WHEN value = 40 THEN 90 ELSE 10 + value % 3 END FROM generate_series(0, 59))
SELECT a['ts'] AS ts, a['value'] AS value, a['kind'] AS kind, a['direction'] AS direction
FROM (SELECT unnest(ts_anomaly(ts, value)) AS a FROM load) WHERE a['is_anomaly'];
+---------------------+-------+-------+-----------+
| ts                  | value | kind  | direction |
+---------------------+-------+-------+-----------+
| 1970-01-01T00:40:00 | 90.0  | spike | 1         |
+---------------------+-------+-------+-----------+
```"#,
    argument(
        name = "ts",
        description = "A timestamp of any unit and time zone, or a date"
    ),
    argument(name = "value", description = "A number of any type"),
    argument(
        name = "options",
        description = "Constant. `kinds=spike|dip|level_shift|variance_change|cliff_drop|trend`: those to report, default all. `sides=both|up|down`. `season=auto|none|n|duration`: the lengths of seasons, all as numbers of points or all as durations such as `1d`, several as `season=1d|7d`. \
`level=0.999`: how sure a verdict must be, above 0.5 and below 1; thresholds and bounds are as wide as the interval that holds this part of a normal distribution. `min_points=24`: points that must have been seen before one is judged; below 20 only `method=zscore` judges. `until=2026-05-01T08:13:00Z`: up to when values are complete; rows whose step ends later, such as the count of the hour that runs, are not judged; without it, where a column of `date_bin` or `date_trunc` over a log file is judged, up to the beginning of the step that runs now. `method=adaptive|zscore`: zscore is mean and standard deviation of the last 288 points, as on dashboards, spikes and dips alone"
    )
)]
#[derive(Debug, Default)]
pub(crate) struct TsAnomaly;

impl Aggregate for TsAnomaly {
    const PARAMETERS: Parameters = Parameters {
        function: NAME,
        required: &[("ts", Takes::Time), ("value", Takes::Number)],
        optional: &[],
        has_options: true,
    };

    type Options = AnomalyCall;

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }

    fn read_options(options: &mut CallOptions) -> Result<AnomalyCall> {
        read_anomaly_options(options)
    }

    fn check_form(types: &[DataType]) -> Result<()> {
        let is_over = match types {
            [_] => true,
            [first, second] => Takes::Number.accepts(first) && Takes::Text.accepts(second),
            _ => false,
        };
        if is_over {
            return plan_err!(
                "{NAME} is called as {NAME}(ts, value [, options]) for a whole series, or as \
                 {NAME}(value [, options]) OVER (ORDER BY ts) for a verdict on every row"
            );
        }
        Ok(())
    }

    fn return_type(types: &[DataType]) -> DataType {
        ResultShape::List(fields(&types[0])).data_type()
    }

    fn fold(
        options: &Arc<AnomalyCall>,
        types: &[DataType],
        _: &ArgumentPlaces,
    ) -> Result<Box<dyn Fold>> {
        SeriesFold::boxed(
            NAME,
            options,
            &types[0],
            ResultShape::List(fields(&types[0])),
            verdicts,
        )
    }
}

fn fields(ts_type: &DataType) -> Fields {
    point_fields(ts_type, verdict_fields().iter().map(Arc::clone))
}

fn verdicts(series: &Series<'_>, call: &AnomalyCall) -> Result<Option<Vec<ArrayRef>>> {
    let samples = &series.samples;
    let (utc_ns, values) = (samples.times_ns(), samples.values());
    let step_ns = samples.step_ns().unwrap_or(0);
    let n_ended = utc_ns.partition_point(|&utc_ns| !call.is_running(utc_ns, step_ns));
    let clocks_ns = Zone::of(series.ts_type()).map(|zone| zone.clocks_ns(utc_ns));
    let times_ns = clocks_ns.as_deref().unwrap_or(utc_ns);
    let judged = detect(Some(&times_ns[..n_ended]), &values[..n_ended], &call.params);
    let mut verdicts = VerdictColumns::default();
    for verdict in &judged {
        verdicts.push(verdict);
    }
    for _ in n_ended..values.len() {
        verdicts.push(&RUNNING);
    }
    let mut columns = series.point_columns()?;
    columns.extend(verdicts.finish()?);
    Ok(Some(columns))
}
