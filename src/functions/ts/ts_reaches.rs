//! `ts_reaches(ts, value, limit [, holidays] [, options])`: when a series reaches a limit, such as
//! when a disk is full.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, new_null_array};
use datafusion::arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::Documentation;
use datafusion_macros::user_doc;

use crate::algorithms::series::forecast::{Direction, ForecastOptions, Reach, forecast_on_days};
use crate::algorithms::series::median;
use crate::functions::call::aggregate::{Aggregate, Fold};
use crate::functions::call::options::CallOptions;
use crate::functions::call::parameters::{ArgumentPlaces, Parameters, Takes};
use crate::functions::ts::forecast_options::{check_unit, read_forecast, read_level};
use crate::functions::ts::horizon::{Horizon, MAX_STEPS, parse_horizon};
use crate::functions::ts::series::{ResultShape, Series};
use crate::functions::ts::series_fold::SeriesFold;
use crate::functions::ts::time_axis::{Reading, TimeAxis};

const NAME: &str = "ts_reaches";

/// The shortest default horizon, in steps.
const SHORTEST_HORIZON: usize = 10;

#[user_doc(
    doc_section(label = "Time Series Functions"),
    description = "When a series will reach a limit, by the forecast of `ts_forecast`: a disk is full, a certificate has no days left. Returns a struct: `ts`, the first step at which the forecast is at the limit or past it, and `earliest` and `latest`, the same for the end of its interval that is nearer to the limit and for the other end. \
Each is NULL where the limit is not reached within the horizon, which is as long as the history where it is not given; the whole is NULL where there is no forecast. A series whose last value is at the limit or past it is there already: all three are the time of the last row. \
Where the limit differs from series to series, such as the size of a disk, divide by it: `ts_reaches(ts, 1.0 * used / size, 1)`. \
Times, steps, seasons and missing values are those of `ts_forecast`. Neither the order of rows nor partitions matter.",
    syntax_example = "ts_reaches(ts, value, limit [, holidays] [, options])",
    sql_example = r#"```sql
> WITH disk(ts, used) AS (SELECT to_timestamp_seconds(86400 * day), 40 + day FROM generate_series(0, 29) AS t(day))
SELECT ts_reaches(ts, used, 90, 'horizon=60 days')['ts'] AS full_at FROM disk;
+---------------------+
| full_at             |
+---------------------+
| 1970-02-20T00:00:00 |
+---------------------+
```"#,
    argument(
        name = "ts",
        description = "A timestamp of any unit and time zone, or a date"
    ),
    argument(name = "value", description = "A number of any type"),
    argument(name = "limit", description = "Constant. A number"),
    argument(
        name = "holidays",
        description = "A list of dates, as in `ts_forecast`"
    ),
    argument(
        name = "options",
        description = "Constant. `direction=auto|up|down`: whether the limit is reached from below or from above; auto by the side on which most values are; a series that began on the other side and moves on away from the limit is past it already. `horizon`: how far to look, a number of steps up to 100000 or a length of time such as `90 days`. \
`level=0.95`: that of the interval from `earliest` to `latest`. `season`, `freq`, `fill`, `dup`, `non_negative`, `floor`, `ceiling`, `holidays`, `calendar`, `until` and `model` are those of `ts_forecast`"
    )
)]
#[derive(Debug, Default)]
pub(crate) struct TsReaches;

/// The arguments of a call except its series.
#[derive(Debug, Clone)]
pub(crate) struct ReachCall {
    /// `None` for NULL.
    limit: Option<f64>,
    /// `None`: from the usual or the last value towards the limit.
    direction: Option<Direction>,
    /// `None`: as long as the history.
    horizon: Option<Horizon>,
    reading: Reading,
    options: ForecastOptions,
}

impl Aggregate for TsReaches {
    const PARAMETERS: Parameters = Parameters {
        function: NAME,
        required: &[
            ("ts", Takes::Time),
            ("value", Takes::Number),
            ("limit", Takes::Number),
        ],
        optional: &[("holidays", Takes::Dates)],
        has_options: true,
    };

    const CONSTANTS: &'static [usize] = &[2];

    type Options = ReachCall;

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }

    fn read_options(options: &mut CallOptions) -> Result<ReachCall> {
        let directions = [
            ("auto", None),
            ("up", Some(Direction::Up)),
            ("down", Some(Direction::Down)),
        ];
        let direction = options.take_choice("direction", &directions)?.flatten();
        let horizon = match options.take_text("horizon") {
            None => None,
            Some(text) => Some(parse_horizon(NAME, &text)?),
        };
        let level = read_level(options)?;
        let (reading, forecast) = read_forecast(options)?;
        Ok(ReachCall {
            limit: None,
            direction,
            horizon,
            reading,
            options: ForecastOptions { level, ..forecast },
        })
    }

    fn with_constants(
        options: &Arc<ReachCall>,
        constants: &[&ScalarValue],
    ) -> Result<Arc<ReachCall>> {
        let limit = match constants {
            [limit] => read_limit(limit)?,
            _ => None,
        };
        Ok(Arc::new(ReachCall {
            limit,
            ..ReachCall::clone(options)
        }))
    }

    fn return_type(types: &[DataType]) -> DataType {
        ResultShape::Struct(fields(&types[0])).data_type()
    }

    fn fold(
        options: &Arc<ReachCall>,
        types: &[DataType],
        _: &ArgumentPlaces,
    ) -> Result<Box<dyn Fold>> {
        let ts_type = &types[0];
        check_unit(NAME, "freq", options.reading.step, ts_type)?;
        SeriesFold::boxed(
            NAME,
            options,
            ts_type,
            ResultShape::Struct(fields(ts_type)),
            reach,
        )
    }
}

/// Whether the values came from the other side of the limit, have passed it and are not moving
/// back: a disk that was full for most of its history was empty once.
fn is_past(values: &[f64], limit: f64, back: Direction) -> bool {
    let n_few = values.len().div_ceil(10);
    let (before, newest) = values.split_at(values.len() - n_few);
    let middles = [
        median(&values[..n_few]),
        median(&before[before.len().saturating_sub(n_few)..]),
        median(newest),
    ];
    let [Some(first), Some(before), Some(newest)] = middles else {
        return false;
    };
    back.is_reached(first, limit)
        && Direction::towards(before, newest).is_some_and(|way| way != back)
}

fn read_limit(value: &ScalarValue) -> Result<Option<f64>> {
    match value.cast_to(&DataType::Float64)? {
        ScalarValue::Float64(None) => Ok(None),
        ScalarValue::Float64(Some(limit)) if limit.is_finite() => Ok(Some(limit)),
        _ => plan_err!("{NAME}: limit must be a number, got {value}"),
    }
}

fn fields(ts_type: &DataType) -> Fields {
    let names = ["ts", "earliest", "latest"].into_iter();
    names
        .map(|name| Field::new(name, ts_type.clone(), true))
        .collect()
}

fn reach(series: &Series<'_>, call: &ReachCall) -> Result<Option<Vec<ArrayRef>>> {
    let (Some(limit), Some(axis)) = (call.limit, TimeAxis::new(series, &call.reading)?) else {
        return Ok(None);
    };
    let samples = &series.samples;
    let mut known = samples.times_ns().iter().zip(samples.values()).rev();
    let until_ns = call.reading.until_ns.unwrap_or(i64::MAX);
    let is_known = |(time_ns, value): &(&i64, &f64)| **time_ns < until_ns && !value.is_nan();
    let Some((&last_ns, &last)) = known.find(is_known) else {
        return Ok(None);
    };
    // The usual value gives the direction: a disk that is full now was not full before.
    let usual = median(samples.values()).and_then(|usual| Direction::towards(usual, limit));
    let direction = call.direction.or(usual).or(Direction::towards(last, limit));
    let is_there = || Ok(Some(vec![series.time_column(&[last_ns])?; 3]));
    let Some(direction) = direction.filter(|direction| !direction.is_reached(last, limit)) else {
        return is_there();
    };
    let as_long = axis.values().len().clamp(SHORTEST_HORIZON, MAX_STEPS);
    let Some(future) = axis.future(call.horizon.unwrap_or(Horizon::Steps(as_long))) else {
        return Ok(None);
    };
    let n_slots = future.n_slots();
    let days = axis.special_days(n_slots);
    let forecast = forecast_on_days(axis.values(), axis.step(), n_slots, &days, &call.options);
    let Some(forecast) = forecast else {
        return Ok(None);
    };
    let [points, lower, upper] =
        [&forecast.points, &forecast.lower, &forecast.upper].map(|numbers| future.pick(numbers));
    let reach = Reach::new(&points, &lower, &upper, direction, limit);
    if call.direction.is_none() && reach.at.is_none() && is_past(samples.values(), limit, direction)
    {
        return is_there();
    }
    let time = |step: Option<usize>| match step {
        Some(step) => series.time_column(&future.utc_ns[step..=step]),
        None => Ok(new_null_array(series.ts_type(), 1)),
    };
    let times = [reach.at, reach.earliest, reach.latest].map(time);
    times.into_iter().collect::<Result<_>>().map(Some)
}
