//! `ts_capacity(ts, value, horizon, slot [, holidays] [, options])`: how much to provide, and when.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int64Array};
use datafusion::arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::Documentation;
use datafusion_macros::user_doc;

use crate::algorithms::series::forecast::{
    CapacityOptions, Demand, Step, demand_on_days, plan_slots,
};
use crate::algorithms::series::{add_months, beginning_of_step};
use crate::algorithms::units::{DAY, HOUR};
use crate::functions::call::aggregate::{Aggregate, Fold};
use crate::functions::call::options::CallOptions;
use crate::functions::call::parameters::{ArgumentPlaces, Parameters, Takes};
use crate::functions::ts::forecast_options::{check_unit, read_forecast, read_share};
use crate::functions::ts::horizon::{Horizon, read_horizon};
use crate::functions::ts::series::{ResultShape, Series, number_column, number_field};
use crate::functions::ts::series_fold::SeriesFold;
use crate::functions::ts::steps::read_step;
use crate::functions::ts::time_axis::{Future, Reading, TimeAxis};
use crate::functions::ts::zones::Zone;
use crate::time::parse_duration;

const NAME: &str = "ts_capacity";

/// The length of the shortest month.
const SHORTEST_MONTH: i64 = 28 * DAY;

const DEFAULT_SERVICE_LEVEL: f64 = 0.95;

#[user_doc(
    doc_section(label = "Time Series Functions"),
    description = "Forecasts a demand and says how much to provide for it. Returns a list with an element for each slot of the horizon, in the order of time: `slot_start`, when the slot begins, a multiple of `slot` since 1970 as by date_bin, by the clocks of the time zone of `ts`; the `units` to provide; the highest `forecast` in the slot; and `upper`, the demand that is provided for: the highest in the slot of what each step exceeds with the probability `1 - service_level`. \
Units are the smallest number that carries `upper` and its `headroom`. The first and the last slot may lie in the horizon only in part. A step that reaches into the next slot counts in both; where a slot is shorter than a step, each step is a slot. \
Times, steps, seasons and missing values are those of `ts_forecast`, and so are the cases in which the result is NULL. Neither the order of rows nor partitions matter.",
    syntax_example = "ts_capacity(ts, value, horizon, slot [, holidays] [, options])",
    sql_example = r#"```sql
> SELECT c['slot_start'] AS slot_start, c['units'] AS units FROM (
SELECT unnest(ts_capacity(to_timestamp_seconds(300 * step), 250, '3 hours', '1 hour', 'unit_capacity=100')) AS c FROM generate_series(0, 2015) AS t(step));
+---------------------+-------+
| slot_start          | units |
+---------------------+-------+
| 1970-01-08T00:00:00 | 3     |
| 1970-01-08T01:00:00 | 3     |
| 1970-01-08T02:00:00 | 3     |
+---------------------+-------+
```"#,
    argument(
        name = "ts",
        description = "A timestamp of any unit and time zone, or a date"
    ),
    argument(
        name = "value",
        description = "The demand, such as requests a second: a number of any type"
    ),
    argument(
        name = "horizon",
        description = "Constant. A whole number of steps, from 1 to 100000, or an interval or a text such as `'1 day'`: as many steps as begin within it, at least one"
    ),
    argument(
        name = "slot",
        description = "Constant. How long units stay as they are: an interval or a text such as `'1 hour'`, or whole months"
    ),
    argument(
        name = "holidays",
        description = "A list of dates, as in `ts_forecast`"
    ),
    argument(
        name = "options",
        description = "Constant. `unit_capacity=1`: the demand that a unit carries. `service_level=0.95`: the share of times at which units shall be enough; or, in place of it, `cost_under` and `cost_over`, what it costs to have one too few and one too many, which makes it cost_under / (cost_under + cost_over). \
`headroom=0`: how much more to provide, as a share of the demand. `min_units=0`, `max_units=n`. `cooldown=0`: for how long after a slot there are no fewer units than in it, a number of slots or a duration such as `2 hours`. \
`season`, `freq`, `fill`, `dup`, `non_negative`, `floor`, `ceiling`, `holidays`, `calendar`, `until` and `model` are those of `ts_forecast`"
    )
)]
#[derive(Debug, Default)]
pub(crate) struct TsCapacity;

/// The arguments of a call except its series.
#[derive(Debug, Clone)]
pub(crate) struct CapacityCall {
    /// `None` for NULL.
    horizon: Option<Horizon>,
    /// `None` for NULL.
    slot: Option<Step>,
    cooldown: Cooldown,
    reading: Reading,
    options: CapacityOptions,
}

/// How long after a slot there are no fewer units than in it.
#[derive(Debug, Clone, Copy)]
enum Cooldown {
    Slots(usize),
    /// In nanoseconds.
    Duration(i64),
}

impl Aggregate for TsCapacity {
    const PARAMETERS: Parameters = Parameters {
        function: NAME,
        required: &[
            ("ts", Takes::Time),
            ("value", Takes::Number),
            ("horizon", Takes::Steps),
            ("slot", Takes::Duration),
        ],
        optional: &[("holidays", Takes::Dates)],
        has_options: true,
    };

    const CONSTANTS: &'static [usize] = &[2, 3];

    type Options = CapacityCall;

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }

    fn read_options(options: &mut CallOptions) -> Result<CapacityCall> {
        let unit_capacity = read_positive(options, "unit_capacity")?;
        let service_level = read_service_level(options)?;
        let headroom = read_headroom(options)?;
        let (min_units, max_units) = read_units(options)?;
        let cooldown = read_cooldown(options)?;
        let (reading, forecast) = read_forecast(options)?;
        Ok(CapacityCall {
            horizon: None,
            slot: None,
            cooldown,
            options: CapacityOptions {
                unit_capacity: unit_capacity.unwrap_or(1.0),
                service_level,
                headroom: headroom.unwrap_or_default(),
                min_units,
                max_units,
                cooldown: 0,
                forecast,
            },
            reading,
        })
    }

    fn with_constants(
        options: &Arc<CapacityCall>,
        constants: &[&ScalarValue],
    ) -> Result<Arc<CapacityCall>> {
        let mut call = CapacityCall::clone(options);
        if let [horizon, slot] = constants {
            call.horizon = read_horizon(NAME, horizon)?;
            call.slot = read_step(NAME, "slot", slot)?;
        }
        Ok(Arc::new(call))
    }

    fn return_type(types: &[DataType]) -> DataType {
        ResultShape::List(fields(&types[0])).data_type()
    }

    fn fold(
        options: &Arc<CapacityCall>,
        types: &[DataType],
        _: &ArgumentPlaces,
    ) -> Result<Box<dyn Fold>> {
        let ts_type = &types[0];
        check_unit(NAME, "freq", options.reading.step, ts_type)?;
        check_unit(NAME, "slot", options.slot, ts_type)?;
        SeriesFold::boxed(
            NAME,
            options,
            ts_type,
            ResultShape::List(fields(ts_type)),
            slots,
        )
    }
}

/// Reads a number above 0.
fn read_positive(options: &mut CallOptions, key: &'static str) -> Result<Option<f64>> {
    let Some(text) = options.take_text(key) else {
        return Ok(None);
    };
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(Some(number)),
        _ => plan_err!("{NAME}: option {key} needs a number above 0, got '{text}'"),
    }
}

/// The largest headroom: ten times the demand.
const MAX_HEADROOM: f64 = 10.0;

fn read_headroom(options: &mut CallOptions) -> Result<Option<f64>> {
    let Some(text) = options.take_text("headroom") else {
        return Ok(None);
    };
    match text.parse::<f64>() {
        Ok(headroom) if (0.0..=MAX_HEADROOM).contains(&headroom) => Ok(Some(headroom)),
        _ => plan_err!(
            "{NAME}: option headroom is a share of the demand, from 0 to {MAX_HEADROOM}, such as 0.2 for 20 %, got '{text}'"
        ),
    }
}

fn read_service_level(options: &mut CallOptions) -> Result<f64> {
    let level = read_share(options, "service_level")?;
    let under = read_positive(options, "cost_under")?;
    let over = read_positive(options, "cost_over")?;
    match (level, under, over) {
        (level, None, None) => Ok(level.unwrap_or(DEFAULT_SERVICE_LEVEL)),
        (None, Some(under), Some(over)) => {
            let level = under / (under + over);
            if level > 0.0 && level < 1.0 {
                Ok(level)
            } else {
                plan_err!("{NAME}: options cost_under and cost_over are too far apart")
            }
        }
        (Some(_), _, _) => plan_err!(
            "{NAME}: option service_level follows from cost_under and cost_over; give it or these two"
        ),
        (None, _, _) => {
            plan_err!("{NAME}: options cost_under and cost_over need each other, got only one")
        }
    }
}

fn read_units(options: &mut CallOptions) -> Result<(u64, Option<u64>)> {
    let min_units = options
        .take_number::<u64>("min_units", 0)?
        .unwrap_or_default();
    let max_units = options.take_number::<u64>("max_units", 0)?;
    match max_units {
        Some(max_units) if max_units < min_units => plan_err!(
            "{NAME}: option max_units must not be below min_units, got {max_units} and {min_units}"
        ),
        max_units => Ok((min_units, max_units)),
    }
}

fn read_cooldown(options: &mut CallOptions) -> Result<Cooldown> {
    let Some(text) = options.take_text("cooldown") else {
        return Ok(Cooldown::Slots(0));
    };
    let n_slots = text.trim().parse().ok().map(Cooldown::Slots);
    match n_slots.or_else(|| parse_duration(&text).map(Cooldown::Duration)) {
        Some(cooldown) => Ok(cooldown),
        None => plan_err!(
            "{NAME}: option cooldown must be a number of slots or a duration such as 2 hours, got '{text}'"
        ),
    }
}

impl Cooldown {
    /// The number of slots that the cooldown reaches into.
    fn n_slots(self, slot: Step) -> usize {
        match self {
            Self::Slots(n_slots) => n_slots,
            Self::Duration(nanoseconds) => {
                let n_slots = nanoseconds.div_euclid(shortest_ns(slot))
                    + i64::from(nanoseconds.rem_euclid(shortest_ns(slot)) > 0);
                usize::try_from(n_slots).unwrap_or(usize::MAX)
            }
        }
    }
}

fn shortest_ns(step: Step) -> i64 {
    match step {
        Step::Nanoseconds(step_ns) => step_ns.max(1),
        Step::Months(months) => SHORTEST_MONTH.saturating_mul(i64::from(months)),
    }
}

fn fields(ts_type: &DataType) -> Fields {
    let fields = [
        Arc::new(Field::new("slot_start", ts_type.clone(), false)),
        Arc::new(Field::new("units", DataType::Int64, false)),
        number_field("forecast"),
        number_field("upper"),
    ];
    fields.into_iter().collect()
}

fn slots(series: &Series<'_>, call: &CapacityCall) -> Result<Option<Vec<ArrayRef>>> {
    let (Some(horizon), Some(slot)) = (call.horizon, call.slot) else {
        return Ok(None);
    };
    let Some(axis) = TimeAxis::new(series, &call.reading)? else {
        return Ok(None);
    };
    let Some(future) = axis.future(horizon) else {
        return Ok(None);
    };
    let n_slots = future.n_slots();
    let days = axis.special_days(n_slots);
    let demand = demand_on_days(axis.values(), axis.step(), n_slots, &days, &call.options);
    let Some(demand) = demand else {
        return Ok(None);
    };
    let (points, upper) = (future.pick(&demand.points), future.pick(&demand.upper));
    // If slots are shorter than a step, each step is a slot.
    let slot = match axis.step() {
        Some(step) if shortest_ns(slot) < shortest_ns(step) => None,
        _ => Some(slot),
    };
    let slots = SlotSteps::new(&axis, &future, slot);
    let mut options = call.options.clone();
    if let Some(slot) = slot.or(axis.step()) {
        options.cooldown = call.cooldown.n_slots(slot);
    }
    // A step that reaches into the next slot counts in both.
    let in_slots = |numbers: &[f64]| slots.steps.iter().map(|&step| numbers[step]).collect();
    let demand = Demand {
        points: in_slots(&points),
        upper: in_slots(&upper),
    };
    let plans = plan_slots(&demand, &slots.slots, &options);
    let units = plans
        .iter()
        .map(|plan| i64::try_from(plan.units).unwrap_or(i64::MAX));
    Ok(Some(vec![
        series.time_column(&slots.starts_ns)?,
        Arc::new(Int64Array::from_iter_values(units)),
        number_column(plans.iter().map(|plan| plan.forecast).collect()),
        number_column(plans.iter().map(|plan| plan.upper).collect()),
    ]))
}

/// Slots, and the steps within them.
#[derive(Debug, Default)]
struct SlotSteps {
    /// The beginning of each slot.
    starts_ns: Vec<i64>,
    /// Steps in ascending order; a step that reaches into the next slot is there twice.
    steps: Vec<usize>,
    /// The slot of each of these steps.
    slots: Vec<usize>,
}

impl SlotSteps {
    /// Makes slots of this length; without a length, one for each step.
    fn new(axis: &TimeAxis, future: &Future, slot: Option<Step>) -> Self {
        let to_last_ns = |clock_ns: i64| match axis.step().filter(|_| slot.is_some()) {
            Some(Step::Nanoseconds(step_ns)) => step_ns.max(1) - 1,
            Some(Step::Months(months)) => add_months(clock_ns, months)
                .map_or(0, |end_ns| end_ns.saturating_sub(clock_ns).max(1) - 1),
            None => 0,
        };
        let mut slots = Self::default();
        for (step, (&utc_ns, &clock_ns)) in future.utc_ns.iter().zip(&future.clock_ns).enumerate() {
            // A step of a month can span a whole slot of 28 days and reach into the one after it.
            let to_last_ns = to_last_ns(clock_ns);
            for after_ns in [0, to_last_ns / 2, to_last_ns] {
                let (utc_ns, clock_ns) = (
                    utc_ns.saturating_add(after_ns),
                    clock_ns.saturating_add(after_ns),
                );
                slots.push(step, start_ns(axis.zone(), slot, utc_ns, clock_ns));
            }
        }
        slots
    }

    fn push(&mut self, step: usize, start_ns: i64) {
        if self.starts_ns.last() != Some(&start_ns) {
            self.starts_ns.push(start_ns);
        } else if self.steps.last() == Some(&step) {
            return;
        }
        self.steps.push(step);
        self.slots.push(self.starts_ns.len() - 1);
    }
}

/// When the slot that holds a time begins. A slot that is longer than a clock change begins when
/// the clock says so; a shorter one begins on the same side of a clock change as the time.
fn start_ns(zone: Option<Zone>, slot: Option<Step>, utc_ns: i64, clock_ns: i64) -> i64 {
    let Some((slot, start_ns)) =
        slot.and_then(|slot| Some((slot, beginning_of_step(slot, clock_ns)?)))
    else {
        return utc_ns;
    };
    match zone {
        None => start_ns,
        // Clocks are set forward and back by an hour or less.
        Some(zone) if shortest_ns(slot) > HOUR => zone.utc_ns(start_ns),
        Some(zone) => zone.utc_beside_ns(start_ns, zone.ahead_ns(utc_ns)),
    }
}
