//! The part of a series that a forecast is made from: without gaps, in convenient units, and no
//! longer than needed.
//!
//! Gaps are bridged with the season, so that it survives them. If too few values follow a long gap
//! to show the season, the forecast begins before the gap, and becomes as uncertain as that
//! distance makes it.

use crate::algorithms::series::forecast::components::YearAgo;
use crate::algorithms::series::forecast::cycles::is_long_enough;
use crate::algorithms::series::forecast::natural::natural_seasons;
use crate::algorithms::series::forecast::options::Step;
use crate::algorithms::series::forecast::repair::repair;
use crate::algorithms::series::periods::bridge_seasonally;
use crate::algorithms::series::robust::magnitude;
use crate::algorithms::series::samples::{Season, bridge};
use crate::algorithms::units::DAY;

/// A mean month of the Gregorian calendar in nanoseconds: 365.2425 / 12 days.
const MONTH_NS: i64 = 2_629_746_000_000_000;

/// Seasons are looked for in this many of the newest values: three weeks of minutes.
const MAX_TESTED: usize = 1 << 15;

/// The day is used without proof if there are this many cycles: metrics often have a day that is
/// too faint to prove itself.
const UNSEEN_CYCLES: usize = 3;

/// The history keeps this many of the longest season,
const KEPT_CYCLES: usize = 8;

/// at least this many points,
const KEPT_POINTS: usize = 1_000;

/// and at most this many: two and a half days of seconds.
const MAX_POINTS: usize = 1 << 18;

/// The longest horizon for which the past is forecast.
pub(super) const MAX_TRIED_HORIZON: usize = 10_000;

/// The largest number of points from which the past is forecast.
pub(super) const MAX_ORIGINS: usize = 8;

/// A gap is long if it is more than this part of the longest season,
const LONG_GAP: f64 = 0.5;

/// and the values after it show the current state if they are this many of the shortest season.
const SHOWN_CYCLES: usize = 2;

/// At most this many missing values at the end are forecast and left out; beyond that, whole
/// seasons are skipped.
const MAX_MISSING: usize = 100_000;

/// The seasons of a forecast, in points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seasons {
    /// The shortest season; 1 if there is none.
    pub(crate) short: usize,
    /// The longest season, if there is a second one.
    pub(crate) long: Option<usize>,
}

impl Seasons {
    pub(crate) fn longest(self) -> usize {
        self.long.unwrap_or(self.short)
    }

    /// All seasons, shortest first.
    pub(super) fn periods(self) -> Vec<usize> {
        let short = (self.short > 1).then_some(self.short);
        short.into_iter().chain(self.long).collect()
    }
}

/// The newest values of a series.
#[derive(Debug)]
pub(super) struct ForecastHistory {
    /// The values divided by `scale`, without gaps.
    pub(super) values: Vec<f64>,
    /// A power of two, so that no digit is lost.
    pub(super) scale: f64,
    /// Whether each of the values is filled in, rather than known.
    pub(super) is_filled: Vec<bool>,
    /// The number of known values.
    pub(super) n_known: usize,
    /// The number of values that are missing after the last one.
    pub(super) n_missing: usize,
    /// The seasons that are worth trying, shortest first.
    pub(super) periods: Vec<usize>,
    /// The year ago, for series of days and weeks.
    pub(super) year_ago: Option<YearAgo>,
    /// The least known value, in its own unit.
    pub(super) least: f64,
    /// Whether all known values are equal.
    pub(super) is_constant: bool,
}

impl ForecastHistory {
    /// `None` if no value is known.
    pub(super) fn new(
        values: &[f64],
        step: Option<Step>,
        season: &Season,
        horizon: usize,
    ) -> Option<Self> {
        let last = values.iter().rposition(|value| value.is_finite())?;
        let (mut values, missing) = values.split_at(last + 1);
        let mut n_missing = missing.len();
        values = newest(values, MAX_POINTS);
        let find = |tested: &[f64]| find_seasons(tested, step, season).within(values.len());
        let mut found = find(&handy(newest(values, MAX_TESTED))?);
        if let Some(end) = end_before_gap(values, &found) {
            n_missing += values.len() - end;
            values = &values[..end];
            found = find_seasons(&handy(newest(values, MAX_TESTED))?, step, season).within(end);
        }
        let find = |tested: &[f64]| find_seasons(tested, step, season).within(values.len());
        let mut kept = Kept::new(values, &found, horizon)?;
        if kept.has_moved {
            // A level shift may have hidden a season.
            let again = find(newest(&kept.values, MAX_TESTED));
            if again.is_sure && again.longest() > found.longest() {
                kept = Kept::new(values, &again, horizon)?;
                found = again;
            }
        }
        let known = || kept.raw.iter().copied().filter(|value| value.is_finite());
        let least = known().fold(f64::INFINITY, f64::min);
        let greatest = known().fold(f64::NEG_INFINITY, f64::max);
        Some(Self {
            n_known: known().count(),
            n_missing: n_skipped(n_missing, found.longest()),
            is_filled: kept.raw.iter().map(|value| !value.is_finite()).collect(),
            year_ago: step.and_then(|step| YearAgo::of(step, found.shortest())),
            least,
            is_constant: least >= greatest,
            values: kept.values,
            scale: kept.scale,
            periods: found.periods,
        })
    }

    /// The number of points to forecast after the last known value, to reach `horizon` points after
    /// the last one.
    pub(super) fn n_ahead(&self, horizon: usize) -> usize {
        (self.n_missing + horizon).max(1)
    }
}

/// The newest values, repaired.
struct Kept<'a> {
    raw: &'a [f64],
    /// In units of `scale`.
    values: Vec<f64>,
    scale: f64,
    /// Whether a level shift was removed.
    has_moved: bool,
}

impl<'a> Kept<'a> {
    /// Keeps as many values as these seasons need.
    fn new(values: &'a [f64], found: &FoundSeasons, horizon: usize) -> Option<Self> {
        let raw = newest(values, n_kept(found.longest(), horizon));
        let raw_scale = magnitude(raw);
        let mut repaired = divided(raw, raw_scale);
        repaired = if found.is_sure && found.longest() > 1 {
            bridge_seasonally(&repaired, found.longest())?
        } else {
            bridge(&repaired)?
        };
        let periods: &[usize] = if found.is_sure { &found.periods } else { &[] };
        let has_moved = repair(&mut repaired, periods);
        // Without its outliers a series can be much smaller.
        let scale = magnitude(&repaired).min(1.0);
        Some(Self {
            raw,
            values: divided(&repaired, scale),
            scale: raw_scale * scale,
            has_moved,
        })
    }
}

/// The seasons of evenly spaced values.
#[derive(Debug, PartialEq)]
struct FoundSeasons {
    /// The periods in points, shortest first; the first and the last with enough cycles are used.
    periods: Vec<usize>,
    /// Whether the seasons are more than a guess.
    is_sure: bool,
}

impl FoundSeasons {
    /// The shortest season; 1 if there is none.
    fn shortest(&self) -> usize {
        self.periods.first().copied().unwrap_or(1)
    }

    /// The longest season; 1 if there is none.
    fn longest(&self) -> usize {
        self.periods.last().copied().unwrap_or(1)
    }

    /// The seasons with enough cycles in this many values.
    fn within(mut self, n_values: usize) -> Self {
        self.periods
            .retain(|&period| is_long_enough(n_values, period));
        self
    }
}

/// Finds the seasons of values without gaps.
fn find_seasons(values: &[f64], step: Option<Step>, season: &Season) -> FoundSeasons {
    let step_ns = match step {
        Some(Step::Nanoseconds(step_ns)) => Some(step_ns),
        Some(Step::Months(months)) => Some(i64::from(months).saturating_mul(MONTH_NS)),
        None => None,
    };
    let periods = season
        .periods(step_ns)
        .unwrap_or_else(|| natural_seasons(values, step));
    if !periods.is_empty() || *season != Season::Auto {
        return FoundSeasons {
            periods,
            is_sure: true,
        };
    }
    let day = step_ns
        .filter(|&step_ns| step_ns > 0 && DAY % step_ns == 0)
        .and_then(|step_ns| usize::try_from(DAY / step_ns).ok())
        .filter(|&day| day > 1 && values.len() / UNSEEN_CYCLES >= day);
    FoundSeasons {
        periods: day.into_iter().collect(),
        is_sure: false,
    }
}

/// The values without gaps, in convenient units.
fn handy(values: &[f64]) -> Option<Vec<f64>> {
    bridge(&divided(values, magnitude(values)))
}

/// The number of values before the last long gap, if those after it do not show the shortest season
/// and those before it show all.
fn end_before_gap(values: &[f64], found: &FoundSeasons) -> Option<usize> {
    let (shortest, longest) = (found.shortest(), found.longest());
    if !found.is_sure || longest <= 1 {
        return None;
    }
    let mut known = (0..values.len()).rev().filter(|&at| values[at].is_finite());
    let mut after = known.next()?;
    for before in known {
        if values.len() - after >= SHOWN_CYCLES * shortest {
            return None;
        }
        if (after - before) as f64 > LONG_GAP * longest as f64 {
            return Some(before + 1).filter(|&end| is_long_enough(end, longest));
        }
        after = before;
    }
    None
}

/// The newest values, at most this many.
fn newest(values: &[f64], n_values: usize) -> &[f64] {
    &values[values.len().saturating_sub(n_values)..]
}

fn divided(values: &[f64], divisor: f64) -> Vec<f64> {
    values.iter().map(|value| value / divisor).collect()
}

/// The number of newest values that are used.
fn n_kept(longest: usize, horizon: usize) -> usize {
    let horizon = horizon.min(MAX_TRIED_HORIZON);
    let for_origins = MAX_ORIGINS * horizon.min(longest) + horizon;
    KEPT_POINTS
        .max(KEPT_CYCLES * longest + for_origins)
        .min(MAX_POINTS)
}

/// The number of points to forecast in place of this many missing ones, so that the points after
/// them have the right phase.
fn n_skipped(n_missing: usize, longest: usize) -> usize {
    let too_many = n_missing.saturating_sub(MAX_MISSING);
    n_missing.saturating_sub(too_many.div_ceil(longest) * longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_values_are_kept_in_handy_units() {
        let mut values: Vec<_> = (0..5_000).map(|at| f64::from(at % 8)).collect();
        values.extend([5.0, f64::NAN, 7.0, f64::NAN]);
        let history = ForecastHistory::new(&values, None, &Season::None, 1).unwrap();
        assert_eq!(history.values.len(), 1_000);
        assert_eq!(
            (history.n_known, history.n_missing),
            (history.values.len() - 1, 1)
        );
        let newest = &history.values[history.values.len() - 2..];
        assert_eq!(newest, [6.0 / history.scale, 7.0 / history.scale]);
        assert!(ForecastHistory::new(&[f64::NAN; 3], None, &Season::None, 1).is_none());
    }

    #[test]
    fn a_day_may_be_unseen() {
        let hour = 3_600_000_000_000;
        let noise: Vec<_> = (0..72_u32)
            .map(|at| f64::from(at * at * 31 % 101))
            .collect();
        let find = |n_values: usize, step_ns, season: &Season| {
            let found = find_seasons(&noise[..n_values], Some(Step::Nanoseconds(step_ns)), season);
            (found.periods, found.is_sure)
        };
        assert_eq!(find(72, hour, &Season::Auto), (vec![24], false));
        assert_eq!(find(71, hour, &Season::Auto), (vec![], false));
        assert_eq!(find(72, 7 * hour, &Season::Auto), (vec![], false));
        assert_eq!(find(72, 0, &Season::Auto), (vec![], false));
        assert_eq!(find(72, hour, &Season::None), (vec![], true));
        let year = Season::Durations(vec![365 * DAY]);
        let quarters = find_seasons(&noise, Some(Step::Months(3)), &year);
        assert_eq!(quarters.periods, [4]);
    }

    #[test]
    fn lengths() {
        assert!(is_long_enough(5, 2) && !is_long_enough(4, 2) && !is_long_enough(9, 1));
        assert_eq!(n_kept(1, 10), 1_000);
        assert_eq!(n_kept(168, 48), 8 * 168 + 8 * 48 + 48);
        assert_eq!(n_kept(usize::MAX / 16, 1), MAX_POINTS);
        assert_eq!((n_skipped(5, 24), n_skipped(100_001, 24)), (5, 99_977));
    }
}
