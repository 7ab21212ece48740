//! Special days, which are unlike others: holidays, month ends, the first business day.
//!
//! The effect of such a day is learnt from those in the history, as with dummy variables of a
//! regression (Hyndman and Athanasopoulos, "Forecasting: principles and practice", 3rd ed., 7.4),
//! but for each time of the day, and only as far as it stands out:
//!
//! 1. Special days are removed from the history, so that they spoil neither seasons nor levels. The
//!    values they would have had are the medians of ordinary days around them: the same weekday, if
//!    there are two weeks.
//! 2. The effect at a time of the day is the median deviation from that, as a factor if all values
//!    are above 0. It shrinks the more, the smaller it is relative to the differences of ordinary
//!    days from week to week (an empirical Bayes factor, Efron and Morris 1973), so that a holiday
//!    without an effect has none.
//! 3. The forecast of ordinary days gets the effect, and an interval that is wider, since one or
//!    two such days prove little.
//!
//! Days of a class that the history does not have are forecast as ordinary days.

use std::collections::BTreeMap;

use crate::algorithms::series::forecast::capacity::{CapacityOptions, Demand, demand_quantile};
use crate::algorithms::series::forecast::forecaster::{Bounds, Forecast, forecast};
use crate::algorithms::series::forecast::options::{ForecastOptions, Step};
use crate::algorithms::series::robust::{NORMAL_CONSISTENT, median};
use crate::algorithms::units::DAY;

/// The day of the week counts once there are this many weeks.
const LEAST_WEEKS: usize = 2;

/// A special day is compared with this many ordinary days before it and after it.
const NEIGHBOURS: usize = 3;

/// An interval widens by this many standard deviations of the effect: 95 % of a normal
/// distribution.
const WIDER: f64 = 1.96;

/// A point on a special day.
///
/// ```
/// use datafusion_aiops::algorithms::series::forecast::SpecialPoint;
/// let may_day = SpecialPoint { class: 0, day: 20_574, moment: 9 };
/// assert_eq!(may_day.moment, 9);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpecialPoint {
    /// The kind of the day: days of one class have the same effect.
    pub class: u8,
    /// The day, as days since 1970.
    pub day: i32,
    /// The position of the point within its day, from 0.
    pub moment: u32,
}

/// The points of a series and its future that are on special days; `None` for ordinary days.
///
/// ```
/// use datafusion_aiops::algorithms::series::forecast::SpecialDays;
/// assert!(SpecialDays::default().is_empty());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SpecialDays {
    /// The special day of each value.
    pub history: Vec<Option<SpecialPoint>>,
    /// The special day of each future point.
    pub future: Vec<Option<SpecialPoint>>,
}

impl SpecialDays {
    /// Whether all days are ordinary.
    pub fn is_empty(&self) -> bool {
        let points = self.history.iter().chain(&self.future);
        points.flatten().next().is_none()
    }

    /// The values of ordinary days; all values if no ordinary day has one.
    fn ordinary(&self, values: &[f64]) -> Vec<f64> {
        let days = self.history.iter().map(Option::is_some);
        let mut ordinary = values.to_vec();
        for (value, _) in ordinary
            .iter_mut()
            .zip(days)
            .filter(|(_, special)| *special)
        {
            *value = f64::NAN;
        }
        if ordinary.iter().any(|value| value.is_finite()) {
            ordinary
        } else {
            values.to_vec()
        }
    }
}

/// Forecasts like [`forecast`], with special days.
///
/// ```
/// use datafusion_aiops::algorithms::series::forecast::{ForecastOptions, SpecialDays, SpecialPoint, Step, forecast_on_days};
/// // Ten weeks of days; every twentieth is quiet.
/// let special = |day: i32| (day % 20 == 19).then_some(SpecialPoint { class: 0, day, moment: 0 });
/// let days = SpecialDays { history: (0..70).map(special).collect(), future: (70..84).map(special).collect() };
/// let load: Vec<f64> = (0..70).map(|day| if special(day).is_some() { 20.0 } else { f64::from(100 + day % 7 + day % 3) }).collect();
/// let forecast = forecast_on_days(&load, Some(Step::Nanoseconds(86_400_000_000_000)), 14, &days, &ForecastOptions::default()).unwrap();
/// assert!((forecast.points[9] - 20.0).abs() < 5.0 && forecast.points[8] > 90.0);
/// ```
pub fn forecast_on_days(
    values: &[f64],
    step: Option<Step>,
    horizon: usize,
    days: &SpecialDays,
    options: &ForecastOptions,
) -> Option<Forecast> {
    if days.is_empty() {
        return forecast(values, step, horizon, options);
    }
    let ordinary = days.ordinary(values);
    let mut forecast = forecast(&ordinary, step, horizon, options)?;
    let effects = Effects::new(values, &ordinary, step, days);
    let bounds = Bounds::of(values, options);
    for (point, special) in days.future.iter().enumerate().take(forecast.points.len()) {
        let Some(effect) = special.and_then(|special| effects.of(special)) else {
            continue;
        };
        let middle = forecast.points[point];
        let half = (forecast.upper[point] - forecast.lower[point]) / 2.0;
        let moved = effect.moved(middle, half, &bounds);
        let quantiles = forecast.quantiles.iter_mut();
        for numbers in quantiles.chain([&mut forecast.lower, &mut forecast.upper]) {
            numbers[point] = moved(numbers[point]);
        }
        forecast.points[point] = moved(middle);
    }
    Some(forecast)
}

/// Computes the demand like [`demand_quantile`], with special days.
///
/// ```
/// use datafusion_aiops::algorithms::series::forecast::{CapacityOptions, SpecialDays, demand_on_days, demand_quantile};
/// let load: Vec<f64> = (0..200).map(|at| f64::from(at * at * 31 % 101)).collect();
/// let (days, options) = (SpecialDays::default(), CapacityOptions::default());
/// assert_eq!(demand_on_days(&load, None, 5, &days, &options), demand_quantile(&load, None, 5, &options));
/// ```
pub fn demand_on_days(
    values: &[f64],
    step: Option<Step>,
    horizon: usize,
    days: &SpecialDays,
    options: &CapacityOptions,
) -> Option<Demand> {
    if days.is_empty() {
        return demand_quantile(values, step, horizon, options);
    }
    let ordinary = days.ordinary(values);
    let mut demand = demand_quantile(&ordinary, step, horizon, options)?;
    let effects = Effects::new(values, &ordinary, step, days);
    let bounds = Bounds::of(values, &options.forecast);
    for (point, special) in days.future.iter().enumerate().take(demand.points.len()) {
        if let Some(effect) = special.and_then(|special| effects.of(special)) {
            let (middle, upper) = (demand.points[point], demand.upper[point]);
            let moved = effect.moved(middle, upper - middle, &bounds);
            (demand.points[point], demand.upper[point]) = (moved(middle), moved(upper));
        }
    }
    Some(demand)
}

/// The effects of special days.
struct Effects {
    /// The deviations of all days, by class and moment.
    by_moment: BTreeMap<(u8, u32), Vec<f64>>,
    /// The deviations of all points, by class.
    by_class: BTreeMap<u8, Vec<f64>>,
    /// The usual deviation of an ordinary value.
    noise: f64,
    are_factors: bool,
}

impl Effects {
    fn new(values: &[f64], ordinary: &[f64], step: Option<Step>, days: &SpecialDays) -> Self {
        let period = period(step, values.len());
        let special = days.history.iter().enumerate().take(values.len());
        let special = special.filter_map(|(at, special)| Some((at, (*special)?)));
        let pairs: Vec<_> = special
            .map(|(at, special)| (special, values[at], usual(ordinary, at, period)))
            .collect();
        let of_days = pairs.iter().flat_map(|(_, value, usual)| [value, usual]);
        let known = values
            .iter()
            .chain(of_days)
            .filter(|value| value.is_finite());
        let are_factors = known.into_iter().all(|&value| value > 0.0);
        let unit = |value: f64| if are_factors { value.ln() } else { value };
        let mut effects = Self {
            by_moment: BTreeMap::new(),
            by_class: BTreeMap::new(),
            noise: noise(ordinary, period, unit),
            are_factors,
        };
        for (special, value, usual) in pairs {
            let deviation = unit(value) - unit(usual);
            if deviation.is_finite() {
                let moment = (special.class, special.moment);
                effects.by_moment.entry(moment).or_default().push(deviation);
                effects
                    .by_class
                    .entry(special.class)
                    .or_default()
                    .push(deviation);
            }
        }
        effects
    }

    /// The effect of a day on a point; `None` if the history has no such day.
    fn of(&self, special: SpecialPoint) -> Option<Effect> {
        let moment = self.by_moment.get(&(special.class, special.moment));
        let deviations = moment.or_else(|| self.by_class.get(&special.class))?;
        let size = median(deviations)?;
        let uncertainty = self.noise / (deviations.len() as f64).sqrt();
        let evidence = size * size / (size * size + uncertainty * uncertainty);
        Some(Effect {
            size: if evidence.is_finite() {
                size * evidence
            } else {
                0.0
            },
            uncertainty,
            is_factor: self.are_factors,
        })
    }
}

/// The effect of a day on a point.
#[derive(Debug, Clone, Copy)]
struct Effect {
    size: f64,
    uncertainty: f64,
    is_factor: bool,
}

impl Effect {
    /// Moves the numbers around the middle of a forecast whose interval reaches `half` on one side.
    fn moved(self, middle: f64, half: f64, bounds: &Bounds) -> impl Fn(f64) -> f64 + use<> {
        let (factor, shift) = if self.is_factor {
            (self.size.exp(), 0.0)
        } else {
            (1.0, self.size)
        };
        let moved_middle = middle * factor + shift;
        let more = WIDER * self.uncertainty * if self.is_factor { moved_middle } else { 1.0 };
        let wider = (more / (half * factor)).hypot(1.0);
        let wider = if wider.is_finite() { wider } else { 1.0 };
        let bounds = *bounds;
        move |number| bounds.fit(moved_middle + (number - middle) * factor * wider)
    }
}

/// The value that a point would have had: the median of ordinary ones some periods before and after
/// it, so that a single odd day next to it does no harm; NaN if none is known.
fn usual(ordinary: &[f64], at: usize, period: usize) -> f64 {
    let distances = (1..=NEIGHBOURS).map(|number| number * period);
    let around =
        distances.flat_map(|distance| [at.checked_sub(distance), at.checked_add(distance)]);
    let around = around
        .flatten()
        .filter_map(|other| ordinary.get(other).copied());
    median(&around.collect::<Vec<_>>()).unwrap_or(f64::NAN)
}

/// The number of points after which the same kind of ordinary point recurs: a week if there are
/// two, otherwise a day; 1 if a step does not divide it.
fn period(step: Option<Step>, n_values: usize) -> usize {
    let Some(Step::Nanoseconds(step_ns)) = step else {
        return 1;
    };
    let points = |days: i64| {
        let is_whole = step_ns > 0 && (days * DAY) % step_ns == 0;
        usize::try_from(days * DAY / step_ns.max(1))
            .ok()
            .filter(|_| is_whole)
    };
    let week = points(7).filter(|&week| week <= n_values / LEAST_WEEKS);
    week.or_else(|| points(1).filter(|&day| day <= n_values / LEAST_WEEKS))
        .unwrap_or(1)
}

/// The deviation of ordinary values from one period to the next: the standard deviation of one
/// value, from the median.
fn noise(ordinary: &[f64], period: usize, unit: impl Fn(f64) -> f64) -> f64 {
    let pairs = ordinary.iter().zip(ordinary.iter().skip(period));
    let changes = pairs.map(|(before, after)| (unit(*after) - unit(*before)).abs());
    let changes: Vec<f64> = changes.filter(|change| change.is_finite()).collect();
    median(&changes).map_or(0.0, |change| {
        change * NORMAL_CONSISTENT / std::f64::consts::SQRT_2
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR_NS: i64 = DAY / 24;

    /// The special days of a series with `per_day` points a day.
    fn days(
        n_values: usize,
        n_future: usize,
        per_day: usize,
        is_special: impl Fn(usize) -> bool,
    ) -> SpecialDays {
        let point = |point: usize| {
            is_special(point / per_day).then_some(SpecialPoint {
                class: 0,
                day: i32::try_from(point / per_day).unwrap(),
                moment: u32::try_from(point % per_day).unwrap(),
            })
        };
        SpecialDays {
            history: (0..n_values).map(point).collect(),
            future: (n_values..n_values + n_future).map(point).collect(),
        }
    }

    /// Hours of an office that is open by day, from Monday to Friday, with a load that differs from
    /// day to day.
    fn office(point: usize, night: f64) -> f64 {
        let (day, hour) = (point / 24, point % 24);
        let is_open = day % 7 < 5 && (8..18).contains(&hour);
        let wave = (point * 7_919 % 17) as f64 / 17.0;
        night
            + wave
            + if is_open {
                100.0 + 3.0 * (day * 31 % 7) as f64
            } else {
                0.0
            }
    }

    const HOLIDAYS: [usize; 4] = [9, 23, 38, 51];

    /// Eight weeks of an office that is closed on holidays; one holiday is in the future.
    fn forecast_of_office(night: f64, are_told: bool) -> Forecast {
        let is_closed = |day: usize| HOLIDAYS.contains(&day) || day == 57;
        let value = |point: usize| {
            if is_closed(point / 24) {
                office(point % 24 + 5 * 24, night)
            } else {
                office(point, night)
            }
        };
        let load: Vec<f64> = (0..56 * 24).map(value).collect();
        let days = days(load.len(), 72, 24, |day| are_told && is_closed(day));
        let step = Some(Step::Nanoseconds(HOUR_NS));
        forecast_on_days(&load, step, 72, &days, &ForecastOptions::default()).unwrap()
    }

    #[test]
    fn an_office_is_closed_on_a_holiday() {
        // Values above 0, where the effect is a factor, and values around 0.
        for night in [10.0, -50.0] {
            let told = forecast_of_office(night, true);
            let (before, on, after) = (12, 24 + 12, 48 + 12);
            for (point, least, most) in [
                (before, 90.0, 140.0),
                (on, -20.0, 25.0),
                (after, 90.0, 140.0),
            ] {
                let above_night = told.points[point] - night;
                assert!(
                    (least..most).contains(&above_night),
                    "{night} {point}: {above_night}"
                );
                assert!(
                    told.lower[point] <= told.points[point]
                        && told.points[point] <= told.upper[point]
                );
            }
            // At night it is closed every day anyway.
            assert!((told.points[24 + 3] - night).abs() < 8.0);
            let untold = forecast_of_office(night, false);
            assert!(untold.points[on] - night > 60.0);
        }
    }

    #[test]
    fn an_odd_day_beside_it_does_no_harm() {
        // Almost three years; the 360th day of each is named, and the next one is as quiet but not
        // named.
        let is_quiet = |day: usize| matches!(day % 365, 360 | 361);
        let n_days = 2 * 365 + 340;
        let load: Vec<f64> = (0..n_days)
            .map(|day| if is_quiet(day) { 200.0 } else { 1_000.0 } + (day * 7_919 % 41) as f64)
            .collect();
        let days = days(load.len(), 60, 1, |day| day % 365 == 360);
        let step = Some(Step::Nanoseconds(DAY));
        let forecast =
            forecast_on_days(&load, step, 60, &days, &ForecastOptions::default()).unwrap();
        let on = forecast.points[20];
        assert!((180.0..260.0).contains(&on), "{on}");
    }

    #[test]
    fn one_such_day_proves_less_than_four() {
        let step = Some(Step::Nanoseconds(DAY));
        let width = |holidays: &[usize]| {
            let is_special = |day: usize| holidays.contains(&day) || day == 112;
            let value = |day: usize| {
                let load = 100.0 + (day % 7 * 10) as f64 + (day * 7_919 % 23) as f64;
                if is_special(day) { 0.3 * load } else { load }
            };
            let load: Vec<f64> = (0..112).map(value).collect();
            let days = days(112, 3, 1, is_special);
            let forecast =
                forecast_on_days(&load, step, 3, &days, &ForecastOptions::default()).unwrap();
            assert!(
                (20.0..60.0).contains(&forecast.points[0]),
                "{:?}",
                forecast.points
            );
            forecast.upper[0] - forecast.lower[0]
        };
        assert!(width(&[30]) > width(&[20, 30, 60, 90]));
    }

    #[test]
    fn demand_falls_with_the_forecast() {
        let is_special = |day: usize| day % 20 == 19;
        let value = |day: usize| {
            if is_special(day) {
                10.0
            } else {
                100.0 + (day % 7 + day % 3) as f64
            }
        };
        let load: Vec<f64> = (0..98).map(value).collect();
        let days = days(98, 3, 1, is_special);
        let step = Some(Step::Nanoseconds(DAY));
        let demand = demand_on_days(&load, step, 3, &days, &CapacityOptions::default()).unwrap();
        assert!(
            demand.upper[0] > 90.0 && demand.upper[1] < 40.0,
            "{demand:?}"
        );
    }

    #[test]
    fn bounds_hold_behind_effects() {
        let is_special = |day: usize| day % 10 == 9;
        let load: Vec<f64> = (0..99)
            .map(|day| {
                if is_special(day) {
                    99.0
                } else {
                    50.0 + (day % 4) as f64
                }
            })
            .collect();
        let options = ForecastOptions {
            ceiling: Some(90.0),
            floor: Some(51.0),
            ..ForecastOptions::default()
        };
        let days = days(99, 5, 1, is_special);
        let forecast =
            forecast_on_days(&load, Some(Step::Nanoseconds(DAY)), 5, &days, &options).unwrap();
        let all = [&forecast.points, &forecast.lower, &forecast.upper]
            .into_iter()
            .flatten();
        assert!(
            all.into_iter().all(|value| (51.0..=90.0).contains(value)),
            "{forecast:?}"
        );
    }

    #[test]
    fn nothing_but_special_days_are_ordinary() {
        let load = [5.0, 6.0, 7.0, 5.0, 6.0, 7.0, 5.0, 6.0, 7.0, 5.0];
        let days = days(10, 4, 1, |_| true);
        let options = ForecastOptions::default();
        let forecast = forecast_on_days(&load, None, 4, &days, &options).unwrap();
        assert!(
            forecast
                .points
                .iter()
                .all(|point| (4.0..8.0).contains(point))
        );
        assert_eq!(
            forecast_on_days(&[f64::NAN], None, 4, &days, &options),
            None
        );
    }

    proptest! {
        /// A named day that is like the others changes little, and numbers are in order whatever
        /// the values are.
        #[test]
        fn what_comes_out_is_in_order(
            values in prop::collection::vec(prop_oneof![5 => -1e3..1e3_f64, 1 => Just(f64::NAN), 1 => any::<f64>()], 1..80),
            every in 2..9_usize,
            per_day in 1..4_usize,
        ) {
            let days = days(values.len(), 7, per_day, |day| day % every == 0);
            let options = ForecastOptions { quantiles: vec![0.1, 0.9], ..ForecastOptions::default() };
            let step = Some(Step::Nanoseconds(DAY / per_day as i64));
            if let Some(forecast) = forecast_on_days(&values, step, 7, &days, &options) {
                for point in 0..7 {
                    let at = [&forecast.lower, &forecast.quantiles[0], &forecast.points, &forecast.quantiles[1], &forecast.upper];
                    let at = at.map(|numbers| numbers[point]);
                    prop_assert!(at[2].is_finite());
                    prop_assert!(at.iter().all(|number| number.is_nan()) || at.iter().filter(|number| !number.is_nan()).is_sorted(), "{at:?}");
                }
            }
        }
    }
}
