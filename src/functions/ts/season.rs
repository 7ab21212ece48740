//! The option `season`, the same for all functions on series: `auto`, `none`, or the lengths of the
//! seasons.

use datafusion::common::{Result, plan_err};

use crate::algorithms::series::{Grid, PeriodOptions, Season, find_periods};
use crate::functions::call::options::CallOptions;
use crate::time::parse_duration;

/// The length of a season.
#[derive(Debug, Clone, Copy)]
enum SeasonLength {
    Points(usize),
    /// In nanoseconds.
    Duration(i64),
}

/// Reads the option `season`; by default, seasons are searched for.
pub(super) fn read_season(options: &mut CallOptions) -> Result<Season> {
    let Some(texts) = options.take_list("season") else {
        return Ok(Season::Auto);
    };
    match texts.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["auto"] => return Ok(Season::Auto),
        ["none"] => return Ok(Season::None),
        _ => {}
    }
    let lengths: Option<Vec<_>> = texts.iter().map(|text| length(text)).collect();
    let Some(lengths) = lengths.filter(|lengths| !lengths.is_empty()) else {
        return plan_err!(
            "{}: option season must be auto, none, a number of points from 2 up, a duration such as 1d or 12 hours, \
             or several of these separated by |, got '{}'",
            options.function(),
            texts.join("|")
        );
    };
    let points: Option<Vec<_>> = lengths.iter().map(|length| length.points()).collect();
    let durations: Option<Vec<_>> = lengths.iter().map(|length| length.duration()).collect();
    match (points, durations) {
        (Some(points), _) => Ok(Season::Points(points)),
        (None, Some(durations)) => Ok(Season::Durations(durations)),
        (None, None) => plan_err!(
            "{}: option season must have all lengths as numbers of points or all as durations",
            options.function()
        ),
    }
}

fn length(text: &str) -> Option<SeasonLength> {
    match text.trim().parse::<usize>() {
        Ok(points) => (points >= 2).then_some(SeasonLength::Points(points)),
        Err(_) => parse_duration(text).map(SeasonLength::Duration),
    }
}

impl SeasonLength {
    fn points(self) -> Option<usize> {
        match self {
            Self::Points(points) => Some(points),
            Self::Duration(_) => None,
        }
    }

    fn duration(self) -> Option<i64> {
        match self {
            Self::Points(_) => None,
            Self::Duration(nanoseconds) => Some(nanoseconds),
        }
    }
}

/// The lengths of the seasons in points of this grid; if they are not given, they are searched for.
pub(super) fn periods_of(season: &Season, grid: &Grid) -> Vec<usize> {
    season.periods(grid.step_ns).unwrap_or_else(|| {
        let found = find_periods(&grid.values, PeriodOptions::default());
        found.iter().map(|period| period.points).collect()
    })
}
