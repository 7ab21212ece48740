//! `ts_rate(ts, value [, options])`: how fast a counter grows.

use std::sync::Arc;

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::Documentation;
use datafusion_macros::user_doc;

use crate::algorithms::series::{Counting, rate};
use crate::algorithms::units::SECOND;
use crate::functions::call::aggregate::{Aggregate, Fold};
use crate::functions::call::options::CallOptions;
use crate::functions::call::parameters::{ArgumentPlaces, Parameters, Takes};
use crate::functions::ts::series::{ResultShape, Series, number_column};
use crate::functions::ts::series_fold::SeriesFold;
use crate::time::parse_duration;

const NAME: &str = "ts_rate";

#[user_doc(
    doc_section(label = "Time Series Functions"),
    description = "How fast a counter, such as a number of requests since the start of a process, grew from the first row to the last in the order of time, per second. A value below the one before it means that the counter began again at 0, so a restart is no fall. \
For the rate at every row write it with OVER and a frame of two rows; in a GROUP BY, what a counter grew between the last row of a group and the first of the next counts in neither. \
Rows whose `ts` is NULL or outside the years 1678 to 2261 do not count, NULL, NaN and infinite values are passed over, of equal times the greatest value counts. NULL where fewer than two times have a value. Neither the order of rows nor partitions matter.",
    syntax_example = "ts_rate(ts, value [, options])",
    sql_example = r#"```sql
> WITH requests(ts, total) AS (VALUES (to_timestamp('2026-05-01T10:00:00'), 100), (to_timestamp('2026-05-01T10:01:00'), 160), (to_timestamp('2026-05-01T10:02:00'), 30))
SELECT ts, total, ts_rate(ts, total) OVER (ORDER BY ts ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS rate FROM requests;
+---------------------+-------+------+
| ts                  | total | rate |
+---------------------+-------+------+
| 2026-05-01T10:00:00 | 100   |      |
| 2026-05-01T10:01:00 | 160   | 1.0  |
| 2026-05-01T10:02:00 | 30    | 0.5  |
+---------------------+-------+------+
```"#,
    argument(
        name = "ts",
        description = "A timestamp of any unit and time zone, or a date"
    ),
    argument(name = "value", description = "The counter: a number of any type"),
    argument(
        name = "options",
        description = "Constant. `per=1 second`: the length of time that the rate is for. `counter=on|off`: off for a gauge, which goes up and down, so that a fall is one"
    )
)]
#[derive(Debug, Default)]
pub(crate) struct TsRate;

/// The checked options of a call.
#[derive(Debug)]
pub(crate) struct RateCall {
    counting: Counting,
    per_ns: i64,
}

impl Aggregate for TsRate {
    const PARAMETERS: Parameters = Parameters {
        function: NAME,
        required: &[("ts", Takes::Time), ("value", Takes::Number)],
        optional: &[],
        has_options: true,
    };

    type Options = RateCall;

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }

    fn read_options(options: &mut CallOptions) -> Result<RateCall> {
        let is_counter = options.take_switch("counter")?.unwrap_or(true);
        let per_ns = match options.take_text("per") {
            None => SECOND,
            Some(text) => match parse_duration(&text) {
                Some(per_ns) => per_ns,
                None => {
                    return plan_err!(
                        "{NAME}: option per needs a length of time such as 1 minute, got '{text}'"
                    );
                }
            },
        };
        Ok(RateCall {
            counting: if is_counter {
                Counting::Up
            } else {
                Counting::Both
            },
            per_ns,
        })
    }

    fn return_type(_: &[DataType]) -> DataType {
        ResultShape::Number.data_type()
    }

    fn fold(
        options: &Arc<RateCall>,
        types: &[DataType],
        _: &ArgumentPlaces,
    ) -> Result<Box<dyn Fold>> {
        SeriesFold::boxed(NAME, options, &types[0], ResultShape::Number, growth)
    }
}

fn growth(series: &Series<'_>, call: &RateCall) -> Result<Option<Vec<ArrayRef>>> {
    let per_second = rate(&series.samples, call.counting);
    let rate = per_second.map(|rate| rate * (call.per_ns as f64 / SECOND as f64));
    Ok(rate.map(|rate| vec![number_column(vec![rate])]))
}
