//! The year before: moves a forecast as the level moved from there on.
//!
//! A year is 364 days, so that weekdays stay weekdays. This serves series of days and weeks, which
//! are hardly ever long enough to have a year as a season.

use crate::algorithms::series::forecast::moving_mean::MovingMean;
use crate::algorithms::series::forecast::options::Step;
use crate::algorithms::units::DAY;

/// 52 weeks in nanoseconds.
const YEAR_NS: i64 = 364 * DAY;

/// The level is the mean of this many days,
const LEVEL_NS: i64 = 14 * DAY;

/// but of at least this many points.
const LEVEL_POINTS: usize = 3;

/// The level of a year ago moves a forecast by this factor at most.
const MOST: f64 = 5.0;

/// A series whose year has a known number of points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct YearAgo {
    /// The number of points in a year.
    year: usize,
    /// The number of points in a level.
    window: usize,
}

impl YearAgo {
    /// `None` if the points of the series are less than a day apart, or if a year is no whole
    /// number of them.
    pub(crate) fn of(step: Step, period: usize) -> Option<Self> {
        let Step::Nanoseconds(step_ns) = step else {
            return None;
        };
        if step_ns < DAY || YEAR_NS % step_ns != 0 {
            return None;
        }
        let window = usize::try_from(LEVEL_NS / step_ns).ok()?;
        Some(Self {
            year: usize::try_from(YEAR_NS / step_ns).ok()?,
            window: window.max(LEVEL_POINTS).max(period),
        })
    }

    /// Whether this many values reach a year back.
    pub(crate) fn is_known(self, n_values: usize) -> bool {
        n_values >= self.year + self.window
    }

    /// Moves the forecast of the values after the first `n_values`.
    pub(crate) fn shift(
        self,
        means: &MovingMean,
        n_values: usize,
        is_positive: bool,
        future: &mut [f64],
    ) {
        let start = n_values - self.year;
        let level = |at: usize| {
            let first = at.saturating_sub(self.window / 2);
            means.from(first.min(n_values - self.window), self.window)
        };
        let then = level(start);
        for (ahead, forecast) in future.iter_mut().enumerate() {
            let later = level((start + ahead).min(n_values - 1));
            if is_positive {
                *forecast *= (later / then).clamp(MOST.recip(), MOST);
            } else {
                *forecast += later - then;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn years_of_days_and_weeks() {
        let of = |days: i64| YearAgo::of(Step::Nanoseconds(days * DAY), 1);
        assert_eq!(
            of(1),
            Some(YearAgo {
                year: 364,
                window: 14
            })
        );
        assert_eq!(
            of(7),
            Some(YearAgo {
                year: 52,
                window: 3
            })
        );
        assert_eq!(of(3), None);
        assert_eq!(YearAgo::of(Step::Nanoseconds(DAY / 24), 24), None);
        assert_eq!(YearAgo::of(Step::Months(1), 12), None);
        assert!(of(7).is_some_and(|weeks| weeks.is_known(55) && !weeks.is_known(54)));
    }

    #[test]
    fn levels_move_as_a_year_ago() {
        // A year ago the level doubled after ten weeks.
        let values: Vec<_> = (0..70)
            .map(|week| if week < 28 { 2.0 } else { 4.0 })
            .collect();
        let weeks = YearAgo {
            year: 52,
            window: 3,
        };
        let means = MovingMean::new(&values);
        let mut future = [6.0; 20];
        weeks.shift(&means, 70, true, &mut future);
        assert_eq!((future[0], future[15]), (6.0, 12.0));
        let mut future = [6.0; 80];
        weeks.shift(&means, 70, false, &mut future);
        assert_eq!((future[0], future[15], future[79]), (6.0, 8.0, 8.0));
    }
}
