//! `ts_forecast(ts, value, horizon [, holidays] [, options])`: forecasts a series.
//!
//! The options `quantiles` and `explain` add fields to the result, and DataFusion asks a function
//! for the type of its result before it knows its constants. So there are four functions of this
//! name, and `forecast_fields` puts in the one whose result has the requested fields.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int64Array, StringViewArray, StructArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::Documentation;
use datafusion_macros::user_doc;

use crate::algorithms::series::forecast::{Component, Forecast, ForecastOptions, forecast_on_days};
use crate::functions::call::aggregate::{Aggregate, Fold};
use crate::functions::call::lists::list_of;
use crate::functions::call::options::CallOptions;
use crate::functions::call::parameters::{ArgumentPlaces, Parameters, Takes};
use crate::functions::ts::forecast_options::{check_unit, parse_share, read_forecast, read_level};
use crate::functions::ts::horizon::{Horizon, read_horizon};
use crate::functions::ts::series::{ResultShape, Series, number_column, number_field};
use crate::functions::ts::series_fold::SeriesFold;
use crate::functions::ts::time_axis::{Future, Reading, TimeAxis};

pub(super) const NAME: &str = "ts_forecast";

/// The options that add fields.
pub(super) const QUANTILES_KEY: &str = "quantiles";
pub(super) const EXPLAIN_KEY: &str = "explain";

/// The largest number of quantiles.
const MAX_QUANTILES: usize = 100;

#[user_doc(
    doc_section(label = "Time Series Functions"),
    description = "Forecasts a series. Returns a list with an element for each step after the last row, in the order of time: `ts`, the `forecast`, and `lower` and `upper`, between which the value will lie with the probability `level`; these are NULL where the history is too short to tell. \
Seasons are found, and the method is chosen by how well it would have forecast the newest part of the history. Steps are the median distance of neighbouring times; series of months, quarters and years have steps of months. A series without a common step is taken as evenly spaced. \
Where `ts` has a time zone, days begin at its midnight and seasons follow its clocks, also when these are set forward or back. \
Rows whose `ts` is NULL or outside the years 1678 to 2261 do not count, NULL, NaN and infinite values are missing. NULL where no value is known, where all rows have one time and there is no `freq`, where `horizon` as a length of time is more than 100000 steps, and where `freq` makes more than 1000000 steps of the history. Neither the order of rows nor partitions matter. \
With OVER and a frame, such as `ROWS BETWEEN 2015 PRECEDING AND CURRENT ROW`, each row gets the forecast that could have been made then.",
    syntax_example = "ts_forecast(ts, value, horizon [, holidays] [, options])",
    sql_example = r#"```sql
> SELECT f['ts'] AS ts, f['forecast'] AS forecast FROM (
SELECT unnest(ts_forecast(to_timestamp_seconds(3600 * hour), 7, INTERVAL '3 hours')) AS f FROM generate_series(0, 335) AS t(hour));
+---------------------+----------+
| ts                  | forecast |
+---------------------+----------+
| 1970-01-15T00:00:00 | 7.0      |
| 1970-01-15T01:00:00 | 7.0      |
| 1970-01-15T02:00:00 | 7.0      |
+---------------------+----------+
```"#,
    argument(
        name = "ts",
        description = "A timestamp of any unit and time zone, or a date"
    ),
    argument(name = "value", description = "A number of any type"),
    argument(
        name = "horizon",
        description = "Constant. A whole number of steps, from 1 to 100000, or an interval or a text such as `'1 day'`: as many steps as begin within it, at least one"
    ),
    argument(
        name = "holidays",
        description = "A list of dates, the same in all rows, such as `(SELECT array_agg(day) FROM holidays)`: days of the history and of the future on which the series is unlike other days"
    ),
    argument(
        name = "options",
        description = "Constant. `level=0.95`. `season=auto|none|n|duration`: the lengths of seasons, all as numbers of points or all as durations such as `1d`, several as `season=1d|7d`; the shortest and the longest are used, of which there are 2.5 in the history. `freq=auto|duration`: the length of a step, months, quarters and years among it, such as `1 month`; steps begin at its multiples since 1970, as by date_bin, and the last one does not count while it still runs. `until=2026-05-01T08:13:00Z`: up to when values are complete: later rows do not count, nor does the value of a step that ends later, and the forecast begins after that step; without it, where `ts` is a column of `date_bin` or `date_trunc` over a log file, up to the beginning of the step that runs now. \
`model=auto|fast|name`: all methods weighted, the cheap ones, or the one that `explain` calls so. `fill=linear|previous|zero|seasonal|<number>`: what a step without a value gets; without it, it stays missing. `dup=mean|sum|min|max|first|last`: what several values in a step become, of equal times the least value being the first; an hour that clocks show twice becomes the mean of both. \
`non_negative=auto|on|off`: whether the forecast stays at 0 or above; auto where no value is below. `floor`, `ceiling`: numbers below and above which forecast and interval never are, such as `floor=0,ceiling=100`. \
`holidays=2026-05-01|2026-12-25`: days unlike others, where they are few; they are the same as those of the argument. `calendar=month_start|month_end|first_business_day|last_business_day`: days unlike others by their place in the month; business days are Monday to Friday without holidays. What such days do is learned from those in the history, at each time of the day, and only steps up to a day have them. `quantiles=0.1|0.5|0.9`: adds a field `quantiles`, a list of these quantiles in this order. `explain=on`: adds the fields `periods`, the lengths of the seasons in points, and `components`, the methods and their weights, greatest first"
    )
)]
#[derive(Debug, Default)]
pub(crate) struct TsForecast;

/// The variant of `ts_forecast` whose result has these additional fields.
#[derive(Debug, Default)]
pub(crate) struct ForecastWith<const QUANTILES: bool, const EXPLAIN: bool>(TsForecast);

/// The variant that the name refers to.
pub(crate) type PlainForecast = ForecastWith<false, false>;

/// The arguments of a call except its series.
#[derive(Debug, Clone)]
pub(crate) struct ForecastCall {
    /// `None` for NULL.
    horizon: Option<Horizon>,
    reading: Reading,
    options: ForecastOptions,
    with_quantiles: bool,
    with_explanation: bool,
}

impl<const QUANTILES: bool, const EXPLAIN: bool> Aggregate for ForecastWith<QUANTILES, EXPLAIN> {
    const REGISTERED_NAME: &'static str = match (QUANTILES, EXPLAIN) {
        (false, false) => NAME,
        (true, false) => "ts_forecast_quantiles",
        (false, true) => "ts_forecast_explained",
        (true, true) => "ts_forecast_quantiles_explained",
    };

    const PARAMETERS: Parameters = Parameters {
        function: NAME,
        required: &[
            ("ts", Takes::Time),
            ("value", Takes::Number),
            ("horizon", Takes::Steps),
        ],
        optional: &[("holidays", Takes::Dates)],
        has_options: true,
    };

    const CONSTANTS: &'static [usize] = &[2];

    type Options = ForecastCall;

    fn documentation(&self) -> Option<&Documentation> {
        self.0.doc()
    }

    fn read_options(options: &mut CallOptions) -> Result<ForecastCall> {
        let level = read_level(options)?;
        let (reading, forecast) = read_forecast(options)?;
        let quantiles = read_quantiles(options)?;
        let explain = options.take_switch(EXPLAIN_KEY)?.unwrap_or_default();
        if quantiles.is_some() != QUANTILES || explain != EXPLAIN {
            return plan_err!(
                "{NAME}: options {QUANTILES_KEY} and {EXPLAIN_KEY} change the type of the result, so they must stand as text \
                 in a SQL query, such as {NAME}(ts, value, 24, '{EXPLAIN_KEY}=on')"
            );
        }
        Ok(ForecastCall {
            horizon: None,
            reading,
            options: ForecastOptions {
                level,
                quantiles: quantiles.unwrap_or_default(),
                ..forecast
            },
            with_quantiles: QUANTILES,
            with_explanation: EXPLAIN,
        })
    }

    fn with_constants(
        options: &Arc<ForecastCall>,
        constants: &[&ScalarValue],
    ) -> Result<Arc<ForecastCall>> {
        let horizon = match constants {
            [horizon] => read_horizon(NAME, horizon)?,
            _ => None,
        };
        Ok(Arc::new(ForecastCall {
            horizon,
            ..ForecastCall::clone(options)
        }))
    }

    fn return_type(types: &[DataType]) -> DataType {
        ResultShape::List(fields(&types[0], QUANTILES, EXPLAIN)).data_type()
    }

    fn fold(
        options: &Arc<ForecastCall>,
        types: &[DataType],
        _: &ArgumentPlaces,
    ) -> Result<Box<dyn Fold>> {
        let ts_type = &types[0];
        check_unit(NAME, "freq", options.reading.step, ts_type)?;
        let fields = fields(ts_type, QUANTILES, EXPLAIN);
        SeriesFold::boxed(NAME, options, ts_type, ResultShape::List(fields), forecasts)
    }
}

fn read_quantiles(options: &mut CallOptions) -> Result<Option<Vec<f64>>> {
    let Some(texts) = options.take_list(QUANTILES_KEY) else {
        return Ok(None);
    };
    let quantiles: Option<Vec<f64>> = texts.iter().map(|text| parse_share(text)).collect();
    match quantiles.filter(|quantiles| (1..=MAX_QUANTILES).contains(&quantiles.len())) {
        Some(quantiles) => Ok(Some(quantiles)),
        None => plan_err!(
            "{NAME}: option {QUANTILES_KEY} needs 1 to {MAX_QUANTILES} numbers above 0 and below 1, separated by |, got '{}'",
            texts.join("|")
        ),
    }
}

fn fields(ts_type: &DataType, with_quantiles: bool, with_explanation: bool) -> Fields {
    let mut fields = vec![
        Arc::new(Field::new("ts", ts_type.clone(), false)),
        number_field("forecast"),
        number_field("lower"),
        number_field("upper"),
    ];
    let list = |name, item| Arc::new(Field::new(name, DataType::List(item), false));
    if with_quantiles {
        fields.push(list("quantiles", item(DataType::Float64)));
    }
    if with_explanation {
        fields.push(list("periods", item(DataType::Int64)));
        fields.push(list(
            "components",
            item(DataType::Struct(component_fields())),
        ));
    }
    fields.into()
}

fn item(data_type: DataType) -> FieldRef {
    Arc::new(Field::new_list_field(data_type, true))
}

fn component_fields() -> Fields {
    Fields::from(vec![
        Field::new("component", DataType::Utf8View, false),
        Field::new("weight", DataType::Float64, false),
    ])
}

fn forecasts(series: &Series<'_>, call: &ForecastCall) -> Result<Option<Vec<ArrayRef>>> {
    let (Some(horizon), Some(axis)) = (call.horizon, TimeAxis::new(series, &call.reading)?) else {
        return Ok(None);
    };
    let Some(future) = axis.future(horizon) else {
        return Ok(None);
    };
    let n_slots = future.n_slots();
    let days = axis.special_days(n_slots);
    let forecast = forecast_on_days(axis.values(), axis.step(), n_slots, &days, &call.options);
    let Some(forecast) = forecast else {
        return Ok(None);
    };
    let mut columns = vec![series.time_column(&future.utc_ns)?];
    let numbers = [&forecast.points, &forecast.lower, &forecast.upper];
    columns.extend(numbers.map(|numbers| number_column(future.pick(numbers))));
    if call.with_quantiles {
        columns.push(quantile_column(&forecast, &future)?);
    }
    if call.with_explanation {
        columns.extend(explanation_columns(&forecast, future.utc_ns.len())?);
    }
    Ok(Some(columns))
}

fn quantile_column(forecast: &Forecast, future: &Future) -> Result<ArrayRef> {
    let quantiles: Vec<_> = forecast
        .quantiles
        .iter()
        .map(|quantile| future.pick(quantile))
        .collect();
    let n_steps = future.utc_ns.len();
    let by_step = (0..n_steps).flat_map(|step| quantiles.iter().map(move |of| of[step]));
    let values = number_column(by_step.collect());
    let lengths = vec![quantiles.len(); n_steps];
    let lists = list_of(item(DataType::Float64), values, &lengths, None)?;
    Ok(Arc::new(lists))
}

/// The columns of the explanation, with the same lists for every step.
fn explanation_columns(forecast: &Forecast, n_steps: usize) -> Result<[ArrayRef; 2]> {
    let lists = |item, values: ArrayRef, length| {
        list_of(item, values, &vec![length; n_steps], None).map(|lists| Arc::new(lists) as ArrayRef)
    };
    let points = |points: &usize| i64::try_from(*points).unwrap_or(i64::MAX);
    let periods: Vec<i64> = forecast.periods.iter().map(points).collect();
    let weights = &forecast.weights;
    let names: Vec<_> = weights
        .iter()
        .map(|(component, _)| Component::name(*component))
        .collect();
    let numbers: Vec<f64> = weights.iter().map(|(_, weight)| *weight).collect();
    let components = StructArray::try_new(
        component_fields(),
        vec![
            Arc::new(StringViewArray::from(names.repeat(n_steps))),
            number_column(numbers.repeat(n_steps)),
        ],
        None,
    )?;
    Ok([
        lists(
            item(DataType::Int64),
            Arc::new(Int64Array::from(periods.repeat(n_steps))),
            periods.len(),
        )?,
        lists(
            item(DataType::Struct(component_fields())),
            Arc::new(components),
            weights.len(),
        )?,
    ])
}
