//! `ts_periods(ts, value [, options])`: finds the lengths of the seasons of a series.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int64Array, IntervalMonthDayNanoArray};
use datafusion::arrow::datatypes::{DataType, Field, Fields, IntervalUnit};
use datafusion::common::Result;
use datafusion::logical_expr::Documentation;
use datafusion_macros::user_doc;

use crate::algorithms::series::{PeriodOptions, find_periods};
use crate::functions::call::aggregate::{Aggregate, Fold};
use crate::functions::call::options::CallOptions;
use crate::functions::call::parameters::{ArgumentPlaces, Parameters, Takes};
use crate::functions::ts::series::{ResultShape, Series, number_column};
use crate::functions::ts::series_fold::SeriesFold;
use crate::time::interval;

const NAME: &str = "ts_periods";

#[user_doc(
    doc_section(label = "Time Series Functions"),
    description = "Finds the seasons of a series. Returns a list, shortest first, of how long they are, in `points` and as `period`, and of their `strength`: how much of what is neither trend nor another season they explain, from 0 to 1. \
A season must prove itself over three cycles; without one the list is empty. Points are steps of the series, the median distance of neighbouring times; `period` is NULL where the times have no common step. \
Rows whose `ts` is NULL or outside the years 1678 to 2261 do not count, NULL, NaN and infinite values are bridged by straight lines. No rows: NULL. Neither the order of rows nor partitions matter.",
    syntax_example = "ts_periods(ts, value [, options])",
    sql_example = r#"```sql
> SELECT p['points'] AS points, p['period'] AS period, p['strength'] > 0.9 AS is_strong FROM (
SELECT unnest(ts_periods(to_timestamp_seconds(3600 * hour), CASE WHEN hour % 24 BETWEEN 9 AND 17 THEN 90 + hour % 7 ELSE 10 + hour % 5 END)) AS p
FROM generate_series(0, 335) AS t(hour));
+--------+--------+-----------+
| points | period | is_strong |
+--------+--------+-----------+
| 24     | 1 days | true      |
+--------+--------+-----------+
```"#,
    argument(
        name = "ts",
        description = "A timestamp of any unit and time zone, or a date"
    ),
    argument(name = "value", description = "A number of any type"),
    argument(
        name = "options",
        description = "Constant. `max_periods=3`: at most this many. `max_points=n`: none longer than this; a third of the series is the limit anyway"
    )
)]
#[derive(Debug, Default)]
pub(crate) struct TsPeriods;

impl Aggregate for TsPeriods {
    const PARAMETERS: Parameters = Parameters {
        function: NAME,
        required: &[("ts", Takes::Time), ("value", Takes::Number)],
        optional: &[],
        has_options: true,
    };

    type Options = PeriodOptions;

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }

    fn read_options(options: &mut CallOptions) -> Result<PeriodOptions> {
        let default = PeriodOptions::default();
        let max_periods = options.take_number("max_periods", 1)?;
        Ok(PeriodOptions {
            max_periods: max_periods.unwrap_or(default.max_periods),
            max_points: options.take_number("max_points", 2)?,
        })
    }

    fn return_type(_: &[DataType]) -> DataType {
        ResultShape::List(fields()).data_type()
    }

    fn fold(
        options: &Arc<PeriodOptions>,
        types: &[DataType],
        _: &ArgumentPlaces,
    ) -> Result<Box<dyn Fold>> {
        SeriesFold::boxed(
            NAME,
            options,
            &types[0],
            ResultShape::List(fields()),
            periods,
        )
    }
}

fn fields() -> Fields {
    let interval = DataType::Interval(IntervalUnit::MonthDayNano);
    Fields::from(vec![
        Field::new("points", DataType::Int64, false),
        Field::new("period", interval, true),
        Field::new("strength", DataType::Float64, false),
    ])
}

fn periods(series: &Series<'_>, options: &PeriodOptions) -> Result<Option<Vec<ArrayRef>>> {
    let grid = series.samples.to_grid();
    let found = find_periods(&grid.values, *options);
    let points: Vec<i64> = found
        .iter()
        .map(|period| i64::try_from(period.points).unwrap_or(i64::MAX))
        .collect();
    let step_ns = grid.step_ns.filter(|_| grid.is_regular);
    let periods: IntervalMonthDayNanoArray = points
        .iter()
        .map(|points| step_ns?.checked_mul(*points).map(interval))
        .collect();
    let strengths = found.iter().map(|period| period.strength).collect();
    Ok(Some(vec![
        Arc::new(Int64Array::from(points)),
        Arc::new(periods),
        number_column(strengths),
    ]))
}
