//! Rolling origins: the points from which the newest part of the history is forecast as if it were
//! not known (Tashman, "Out-of-sample tests of forecasting accuracy", 2000).

use crate::algorithms::series::forecast::components::YearAgo;
use crate::algorithms::series::forecast::cycles::is_long_enough;
use crate::algorithms::series::forecast::history::{MAX_TRIED_HORIZON, Seasons};

/// Before the first origin there are this many of the longest season,
const LEARNT_CYCLES: usize = 2;

/// and one of the shortest, which counts as at least this many points,
const LEARNT_POINTS: usize = 3;

/// but at least this many points in all.
const LEAST_LEARNT: usize = 10;

/// In a short history: one season and this many points,
const SHORT_LEARNT_POINTS: usize = 2;

/// but at least this many points in all.
const SHORT_LEAST_LEARNT: usize = 6;

/// A short history is divided by this for the part that is forecast at once,
const SHORT_PARTS: usize = 4;

/// from at most this many origins.
const SHORT_ORIGINS: usize = 3;

/// The seasons of a history, and the origins from which it is forecast.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct OriginPlan {
    pub(super) seasons: Seasons,
    /// The number of values known at each origin, oldest first; there is at least one origin.
    pub(super) origins: Vec<usize>,
    /// The number of values forecast from each origin; at least that many follow it.
    pub(super) horizon: usize,
    /// The year ago, if it is known at each origin.
    pub(super) year_ago: Option<YearAgo>,
}

impl OriginPlan {
    /// A plan for this many values with these possible periods, shortest first. `None` for less
    /// than 7 values.
    pub(super) fn new(
        n_values: usize,
        periods: &[usize],
        horizon: usize,
        max_origins: usize,
    ) -> Option<Self> {
        let horizon = horizon.clamp(1, MAX_TRIED_HORIZON);
        let mut usable =
            (periods.iter().copied()).filter(|&period| is_long_enough(n_values, period));
        let short = usable.next().unwrap_or(1);
        let before_horizon = n_values.saturating_sub(horizon);
        let long = usable
            .next_back()
            .filter(|&long| is_long_enough(before_horizon, long));
        let one = Seasons { short, long: None };
        Self::by_season(n_values, Seasons { short, long }, horizon, max_origins)
            .or_else(|| Self::by_season(n_values, one, horizon, max_origins))
            .or_else(|| Self::in_short(n_values, one, horizon, max_origins))
    }

    /// Adds the year ago, if it is known at each origin.
    pub(super) fn with_year(self, year_ago: Option<YearAgo>) -> Self {
        let first = self.origins.first().copied().unwrap_or(0);
        Self {
            year_ago: year_ago.filter(|year_ago| year_ago.is_known(first)),
            ..self
        }
    }

    /// Plans origins one short season apart; half a horizon if there is no season or it is longer.
    fn by_season(
        n_values: usize,
        seasons: Seasons,
        horizon: usize,
        max_origins: usize,
    ) -> Option<Self> {
        let learnt = LEARNT_CYCLES * seasons.longest() + seasons.short.max(LEARNT_POINTS);
        let room = n_values.checked_sub(learnt.max(LEAST_LEARNT))?;
        let spacing = if (2..=horizon).contains(&seasons.short) {
            seasons.short
        } else {
            (horizon / 2).max(1)
        };
        let n_origins = room.checked_sub(horizon)? / spacing + 1;
        let n_origins = n_origins.min(max_origins);
        Some(Self::evenly(n_values, seasons, horizon, spacing, n_origins))
    }

    /// Plans the origins that are possible with fewer values.
    fn in_short(
        n_values: usize,
        seasons: Seasons,
        horizon: usize,
        max_origins: usize,
    ) -> Option<Self> {
        let learnt = (seasons.short + SHORT_LEARNT_POINTS).max(SHORT_LEAST_LEARNT);
        let room = n_values.checked_sub(learnt).filter(|&room| room > 0)?;
        let horizon = horizon.min((n_values / SHORT_PARTS).max(1)).min(room);
        let spacing = (horizon / 2).max(1);
        let n_origins = (room - horizon) / spacing + 1;
        let n_origins = n_origins.min(SHORT_ORIGINS.min(max_origins));
        Some(Self::evenly(n_values, seasons, horizon, spacing, n_origins))
    }

    fn evenly(
        n_values: usize,
        seasons: Seasons,
        horizon: usize,
        spacing: usize,
        n_origins: usize,
    ) -> Self {
        let last = n_values - horizon;
        let origins = (0..n_origins).rev().map(|back| last - back * spacing);
        Self {
            seasons,
            origins: origins.collect(),
            horizon,
            year_ago: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(
        n_values: usize,
        periods: &[usize],
        horizon: usize,
        expected: (usize, Option<usize>, &[usize], usize),
    ) {
        let plan = OriginPlan::new(n_values, periods, horizon, 3).unwrap();
        let (short, long, origins, horizon) = expected;
        assert_eq!(plan.seasons, Seasons { short, long });
        assert_eq!((plan.origins.as_slice(), plan.horizon), (origins, horizon));
    }

    #[test]
    fn plans() {
        check(
            850,
            &[24, 48, 168],
            48,
            (24, Some(168), &[754, 778, 802], 48),
        );
        check(850, &[24, 400], 48, (24, None, &[754, 778, 802], 48));
        check(470, &[24, 168], 48, (24, Some(168), &[374, 398, 422], 48));
        check(100, &[], 10, (1, None, &[80, 85, 90], 10));
        check(100, &[12], 4, (12, None, &[92, 94, 96], 4));
        check(20, &[7], 50, (7, None, &[11, 13, 15], 5));
        check(8, &[3], 5, (3, None, &[6], 2));
        assert_eq!(OriginPlan::new(6, &[], 1, 8), None);
    }

    proptest! {
        #[test]
        fn every_origin_has_a_past_and_a_future(
            n_values in 8..3_000_usize,
            periods in prop::collection::vec(2..400_usize, 0..4),
            horizon in 0..2_000_usize,
        ) {
            let mut periods = periods;
            periods.sort_unstable();
            periods.dedup();
            let plan = OriginPlan::new(n_values, &periods, horizon, 8).unwrap();
            prop_assert!(plan.origins.is_sorted() && (1..=8).contains(&plan.origins.len()));
            let learnt = plan.origins[0];
            prop_assert!(learnt >= 6 && learnt >= plan.seasons.short + 2);
            prop_assert!(plan.seasons.long.is_none_or(|long| learnt >= 2 * long && long > plan.seasons.short));
            prop_assert_eq!(plan.origins[plan.origins.len() - 1] + plan.horizon, n_values);
        }
    }
}
