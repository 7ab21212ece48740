//! `ts_changepoints(ts, value [, options])`: finds when a series changed for good.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, StringViewArray};
use datafusion::arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::{Result, plan_datafusion_err};
use datafusion::logical_expr::Documentation;
use datafusion_macros::user_doc;

use crate::algorithms::series::{
    ChangeKind, ChangePoint, ChangePointOptions, Season, find_changepoints,
};
use crate::functions::call::aggregate::{Aggregate, Fold};
use crate::functions::call::options::CallOptions;
use crate::functions::call::parameters::{ArgumentPlaces, Parameters, Takes};
use crate::functions::ts::season::{periods_of, read_season};
use crate::functions::ts::series::{ResultShape, Series, number_column};
use crate::functions::ts::series_fold::SeriesFold;

const NAME: &str = "ts_changepoints";

const KINDS: [(&str, ChangeKind); 3] = [
    ("level_shift", ChangeKind::LevelShift),
    ("trend", ChangeKind::Trend),
    ("variance_change", ChangeKind::VarianceChange),
];

#[user_doc(
    doc_section(label = "Time Series Functions"),
    description = "Finds when a series changed for good, in hindsight (PELT, Killick 2012, on a series without its seasons and outliers, in units of its long-run variance, so that wandering noise is no change). Returns a list in the order of time: `ts` of the first point after the change, its `kind`, \
how it was `before` and is `after` (level_shift: the level; trend: the slope from one point to the next; variance_change: the standard deviation), and `confidence` from 0 to 1. Without a change the list is empty. \
Points are steps of the series, the median distance of neighbouring times. Rows whose `ts` is NULL or outside the years 1678 to 2261 do not count, NULL, NaN and infinite values are passed over. No rows: NULL. Neither the order of rows nor partitions matter.",
    syntax_example = "ts_changepoints(ts, value [, options])",
    sql_example = r#"```sql
> SELECT c['ts'] AS ts, c['kind'] AS kind, round(c['before']) AS before, round(c['after']) AS after
FROM (SELECT unnest(ts_changepoints(to_timestamp_seconds(60 * minute), minute * 7 % 5 + CASE WHEN minute < 60 THEN 10 ELSE 30 END)) AS c
FROM generate_series(0, 99) AS t(minute));
+---------------------+-------------+--------+-------+
| ts                  | kind        | before | after |
+---------------------+-------------+--------+-------+
| 1970-01-01T01:00:00 | level_shift | 12.0   | 32.0  |
+---------------------+-------------+--------+-------+
```"#,
    argument(
        name = "ts",
        description = "A timestamp of any unit and time zone, or a date"
    ),
    argument(name = "value", description = "A number of any type"),
    argument(
        name = "options",
        description = "Constant. `kinds=level_shift|trend|variance_change`: those to look for, default all. `season=auto|none|n|duration`: the lengths of seasons, which are removed first, all as numbers of points or all as durations. `min_points=12`: changes closer together are none. `penalty=4`: how much a change must explain; more finds fewer"
    )
)]
#[derive(Debug, Default)]
pub(crate) struct TsChangepoints;

/// The checked options of a call.
#[derive(Debug)]
pub(crate) struct ChangeCall {
    season: Season,
    /// Without periods, which depend on the series.
    options: ChangePointOptions,
}

impl Aggregate for TsChangepoints {
    const PARAMETERS: Parameters = Parameters {
        function: NAME,
        required: &[("ts", Takes::Time), ("value", Takes::Number)],
        optional: &[],
        has_options: true,
    };

    type Options = ChangeCall;

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }

    fn read_options(options: &mut CallOptions) -> Result<ChangeCall> {
        let default = ChangePointOptions::default();
        let kinds = options.take_choices("kinds", &KINDS)?;
        let season = read_season(options)?;
        let min_points = options.take_number("min_points", 3)?;
        let penalty = options.take_real("penalty", 0.0, f64::INFINITY)?;
        let read = ChangePointOptions {
            kinds: kinds.unwrap_or(default.kinds),
            periods: vec![],
            min_points: min_points.unwrap_or(default.min_points),
            penalty: penalty.unwrap_or(default.penalty),
        };
        let checked = read.check();
        checked.map_err(|error| plan_datafusion_err!("{NAME}: {error}"))?;
        Ok(ChangeCall {
            season,
            options: read,
        })
    }

    fn return_type(types: &[DataType]) -> DataType {
        ResultShape::List(fields(&types[0])).data_type()
    }

    fn fold(
        options: &Arc<ChangeCall>,
        types: &[DataType],
        _: &ArgumentPlaces,
    ) -> Result<Box<dyn Fold>> {
        SeriesFold::boxed(
            NAME,
            options,
            &types[0],
            ResultShape::List(fields(&types[0])),
            changes,
        )
    }
}

fn fields(ts_type: &DataType) -> Fields {
    Fields::from(vec![
        Field::new("ts", ts_type.clone(), false),
        Field::new("kind", DataType::Utf8View, false),
        Field::new("before", DataType::Float64, true),
        Field::new("after", DataType::Float64, true),
        Field::new("confidence", DataType::Float64, true),
    ])
}

fn changes(series: &Series<'_>, call: &ChangeCall) -> Result<Option<Vec<ArrayRef>>> {
    let grid = series.samples.to_grid();
    let found = find_changepoints(
        &grid.values,
        &ChangePointOptions {
            periods: periods_of(&call.season, &grid),
            ..call.options.clone()
        },
    );
    let times = series.samples.times_ns();
    // A change is at a point with a value, so its slot has a sample; this is the first one.
    let time = |change: &ChangePoint| {
        let sample = grid.slots.partition_point(|slot| *slot < change.index);
        times[sample.min(times.len() - 1)]
    };
    let times: Vec<i64> = found.iter().map(time).collect();
    let numbers =
        |number: fn(&ChangePoint) -> f64| number_column(found.iter().map(number).collect());
    let kinds = found.iter().map(|change| kind_name(change.kind));
    Ok(Some(vec![
        series.time_column(&times)?,
        Arc::new(StringViewArray::from_iter_values(kinds)),
        numbers(|change| change.before),
        numbers(|change| change.after),
        numbers(|change| change.confidence),
    ]))
}

fn kind_name(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::LevelShift => KINDS[0].0,
        ChangeKind::Trend => KINDS[1].0,
        ChangeKind::VarianceChange => KINDS[2].0,
    }
}
