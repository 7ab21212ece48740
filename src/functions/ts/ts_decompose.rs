//! `ts_decompose(ts, value [, options])`: splits a series into trend, seasons and rest.

use std::sync::Arc;

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{DataType, Fields};
use datafusion::common::Result;
use datafusion::logical_expr::Documentation;
use datafusion_macros::user_doc;

use crate::algorithms::series::{DecomposeOptions, Season, decompose};
use crate::functions::call::aggregate::{Aggregate, Fold};
use crate::functions::call::options::CallOptions;
use crate::functions::call::parameters::{ArgumentPlaces, Parameters, Takes};
use crate::functions::ts::season::{periods_of, read_season};
use crate::functions::ts::series::{
    ResultShape, Series, number_column, number_field, point_fields,
};
use crate::functions::ts::series_fold::SeriesFold;

const NAME: &str = "ts_decompose";

#[user_doc(
    doc_section(label = "Time Series Functions"),
    description = "Splits a series into trend, seasons and rest (STL, Cleveland 1990; several seasons by MSTL, Bandara 2021). Returns a list with an element for each row, in the order of time: `ts`, `value`, `trend`, `seasonal` (the sum of the seasons, 0 where there is none) and `residual`; the value is the sum of the three. \
Rows stand on a grid of the median distance of neighbouring times; rows of the same slot share trend and season. NULL, NaN and infinite values are missing: they get a trend and a season, and no residual. \
Rows whose `ts` is NULL or outside the years 1678 to 2261 do not count. No rows: NULL. Neither the order of rows nor partitions matter.",
    syntax_example = "ts_decompose(ts, value [, options])",
    sql_example = r#"```sql
> SELECT d['ts'] AS ts, d['value'] AS value, round(d['trend'], 1) AS trend, round(d['seasonal'], 1) AS seasonal, round(abs(d['residual']), 1) AS residual
FROM (SELECT unnest(ts_decompose(to_timestamp_seconds(60 * minute), minute + CASE WHEN minute % 4 = 0 THEN 30 ELSE -10 END, 'season=4')) AS d
FROM generate_series(0, 39) AS t(minute)) LIMIT 4 OFFSET 20;
+---------------------+-------+-------+----------+----------+
| ts                  | value | trend | seasonal | residual |
+---------------------+-------+-------+----------+----------+
| 1970-01-01T00:20:00 | 50.0  | 20.0  | 30.0     | 0.0      |
| 1970-01-01T00:21:00 | 11.0  | 21.0  | -10.0    | 0.0      |
| 1970-01-01T00:22:00 | 12.0  | 22.0  | -10.0    | 0.0      |
| 1970-01-01T00:23:00 | 13.0  | 23.0  | -10.0    | 0.0      |
+---------------------+-------+-------+----------+----------+
```"#,
    argument(
        name = "ts",
        description = "A timestamp of any unit and time zone, or a date"
    ),
    argument(name = "value", description = "A number of any type"),
    argument(
        name = "options",
        description = "Constant. `season=auto|none|n|duration`: the lengths of seasons, all as numbers of points or all as durations, several as `season=1d|7d`; auto finds them. `robust=on|off`: whether outliers go into the residual alone. \
`seasonal_window=n`: how many cycles a season is averaged over, default 11, then 15 and so on. `trend_window=n`: how many points the trend is averaged over, default some one and a half seasons"
    )
)]
#[derive(Debug, Default)]
pub(crate) struct TsDecompose;

/// The checked options of a call.
#[derive(Debug)]
pub(crate) struct DecomposeCall {
    season: Season,
    /// Without periods, which depend on the series.
    options: DecomposeOptions,
}

impl Aggregate for TsDecompose {
    const PARAMETERS: Parameters = Parameters {
        function: NAME,
        required: &[("ts", Takes::Time), ("value", Takes::Number)],
        optional: &[],
        has_options: true,
    };

    type Options = DecomposeCall;

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }

    fn read_options(options: &mut CallOptions) -> Result<DecomposeCall> {
        Ok(DecomposeCall {
            season: read_season(options)?,
            options: DecomposeOptions {
                periods: vec![],
                is_robust: options.take_switch("robust")?.unwrap_or(true),
                seasonal_window: options.take_number("seasonal_window", 7)?,
                trend_window: options.take_number("trend_window", 7)?,
            },
        })
    }

    fn return_type(types: &[DataType]) -> DataType {
        ResultShape::List(fields(&types[0])).data_type()
    }

    fn fold(
        options: &Arc<DecomposeCall>,
        types: &[DataType],
        _: &ArgumentPlaces,
    ) -> Result<Box<dyn Fold>> {
        SeriesFold::boxed(
            NAME,
            options,
            &types[0],
            ResultShape::List(fields(&types[0])),
            parts,
        )
    }
}

fn fields(ts_type: &DataType) -> Fields {
    point_fields(ts_type, ["trend", "seasonal", "residual"].map(number_field))
}

fn parts(series: &Series<'_>, call: &DecomposeCall) -> Result<Option<Vec<ArrayRef>>> {
    let grid = series.samples.to_grid();
    let parts = decompose(
        &grid.values,
        &DecomposeOptions {
            periods: periods_of(&call.season, &grid),
            ..call.options.clone()
        },
    );
    let at = |slot: &usize| {
        let seasons = parts.seasons.iter().map(|season| season.values[*slot]);
        // The fold starts at 0.0, since the sum of an empty iterator is -0.0.
        let seasonal = seasons.fold(0.0, |sum, season| sum + season);
        (parts.trend[*slot], seasonal)
    };
    let (trend, seasonal): (Vec<_>, Vec<_>) = grid.slots.iter().map(at).unzip();
    let explained = trend.iter().zip(&seasonal);
    let residual = series.samples.values().iter().zip(explained);
    let residual = residual
        .map(|(value, (trend, seasonal))| value - trend - seasonal)
        .collect();
    let mut columns = series.point_columns()?;
    columns.extend([trend, seasonal, residual].map(number_column));
    Ok(Some(columns))
}
