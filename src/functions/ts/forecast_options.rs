//! The options that `ts_forecast`, `ts_capacity` and `ts_reaches` share.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, plan_err};

use crate::algorithms::series::Bucket;
use crate::algorithms::series::forecast::{Component, ForecastOptions, Model, Step};
use crate::functions::call::options::CallOptions;
use crate::functions::ts::calendar::read_calendar;
use crate::functions::ts::season::read_season;
use crate::functions::ts::steps::parse_step;
use crate::functions::ts::time_axis::Reading;
use crate::functions::ts::times::{UNTIL_KEY, read_time, time_unit};
use crate::functions::ts::ts_fill::parse_gap;

/// Reads the options for reading rows, and those for the forecast.
pub(super) fn read_forecast(options: &mut CallOptions) -> Result<(Reading, ForecastOptions)> {
    let reading = read_reading(options)?;
    let forecast = ForecastOptions {
        season: reading.season.clone(),
        model: read_model(options)?,
        non_negative: read_non_negative(options)?,
        floor: options.take_real("floor", f64::NEG_INFINITY, f64::INFINITY)?,
        ceiling: options.take_real("ceiling", f64::NEG_INFINITY, f64::INFINITY)?,
        ..ForecastOptions::default()
    };
    check_bounds(options.function(), &forecast)?;
    Ok((reading, forecast))
}

fn check_bounds(function: &str, options: &ForecastOptions) -> Result<()> {
    let floor = match options.non_negative {
        Some(true) => Some(options.floor.unwrap_or(0.0).max(0.0)),
        _ => options.floor,
    };
    match (floor, options.ceiling) {
        (Some(floor), Some(ceiling)) if floor >= ceiling => {
            plan_err!(
                "{function}: option ceiling must be above the floor, got {ceiling} and {floor}"
            )
        }
        _ => Ok(()),
    }
}

/// Reads `season`, `freq`, `fill`, `dup`, `holidays`, `calendar` and `until`.
fn read_reading(options: &mut CallOptions) -> Result<Reading> {
    let season = read_season(options)?;
    let step = read_freq(options)?;
    let gap = match options.take_text("fill") {
        None => None,
        Some(text) => match parse_gap(&text) {
            Some(gap) => Some(gap),
            None => {
                return plan_err!(
                    "{}: option fill must be one of linear, previous, zero, seasonal or a number, got '{text}'",
                    options.function()
                );
            }
        },
    };
    let buckets = [
        ("mean", Bucket::Mean),
        ("sum", Bucket::Sum),
        ("min", Bucket::Min),
        ("max", Bucket::Max),
        ("first", Bucket::First),
        ("last", Bucket::Last),
    ];
    Ok(Reading {
        step,
        several: options.take_choice("dup", &buckets)?.unwrap_or_default(),
        gap,
        season,
        calendar: read_calendar(options)?,
        until_ns: read_time(options, UNTIL_KEY)?,
    })
}

fn read_freq(options: &mut CallOptions) -> Result<Option<Step>> {
    let Some(text) = options.take_text("freq") else {
        return Ok(None);
    };
    match parse_step(&text) {
        _ if text == "auto" => Ok(None),
        Some(step) => Ok(Some(step)),
        None => plan_err!(
            "{}: option freq must be auto, or the length of a step such as 5 minutes, 1d, 1 month or 1 quarter, got '{text}'",
            options.function()
        ),
    }
}

/// Reads `model`: a set of components, or one of them.
fn read_model(options: &mut CallOptions) -> Result<Model> {
    let mut choices = vec![("auto", Model::Auto), ("fast", Model::Fast)];
    let components = Component::ALL.map(|component| (component.name(), Model::One(component)));
    choices.extend(components);
    let model = options.take_choice("model", &choices)?;
    Ok(model.unwrap_or_default())
}

/// Reads `non_negative`; `None` is `auto`.
fn read_non_negative(options: &mut CallOptions) -> Result<Option<bool>> {
    let choices = [
        ("auto", None),
        ("on", Some(true)),
        ("off", Some(false)),
        ("true", Some(true)),
        ("false", Some(false)),
    ];
    Ok(options.take_choice("non_negative", &choices)?.flatten())
}

/// Reads `level`: the share of future values that should be within the interval.
pub(super) fn read_level(options: &mut CallOptions) -> Result<f64> {
    let level = read_share(options, "level")?;
    Ok(level.unwrap_or(ForecastOptions::default().level))
}

/// Reads a share, above 0 and below 1.
pub(super) fn read_share(options: &mut CallOptions, key: &'static str) -> Result<Option<f64>> {
    let Some(text) = options.take_text(key) else {
        return Ok(None);
    };
    match parse_share(&text) {
        Some(share) => Ok(Some(share)),
        None => plan_err!(
            "{}: option {key} needs a share above 0 and below 1, such as 0.95 for 95 %, got '{text}'",
            options.function()
        ),
    }
}

/// Parses a number above 0 and below 1.
pub(super) fn parse_share(text: &str) -> Option<f64> {
    let share = text.trim().parse::<f64>().ok()?;
    (share > 0.0 && share < 1.0).then_some(share)
}

/// Refuses steps that timestamps of this type cannot represent; `name` is how the call names them.
pub(super) fn check_unit(
    function: &str,
    name: &str,
    step: Option<Step>,
    ts_type: &DataType,
) -> Result<()> {
    let unit = time_unit(ts_type).unwrap_or(1);
    match step {
        Some(Step::Nanoseconds(step_ns)) if step_ns % unit != 0 => plan_err!(
            "{function}: ts is {ts_type}, which cannot tell times of this {name}; write CAST(ts AS TIMESTAMP)"
        ),
        _ => Ok(()),
    }
}
