//! Capacity: how much to provision.
//!
//! Capacity needs a high quantile of the demand, and on metrics with spikes a forecast may know
//! less about it than the last weeks do. So three quantiles are tried from the origins of the
//! forecast, alone and mixed: that of the forecast, that of the recent past, and that of the recent
//! past at the same phase of the season. They are judged by the pinball loss (Koenker and Bassett,
//! "Regression quantiles", 1978), which penalises a quantile that is too high or too low. A few
//! origins prove little, so the forecast gives way only to a mixture that is clearly better, and
//! only half-way; and only if there is a season, with enough cycles before each of the origins.

use std::collections::VecDeque;

use crate::algorithms::series::forecast::forecaster::{Frame, Trial, forecast};
use crate::algorithms::series::forecast::history::ForecastHistory;
use crate::algorithms::series::forecast::interval::Spread;
use crate::algorithms::series::forecast::options::{ForecastOptions, Step};
use crate::algorithms::series::robust::{quantile, quantile_in_place};

/// The number of seasons in the recent past: four weeks of days.
const RECENT_CYCLES: usize = 28;

/// The same where only one phase counts: two weeks of days.
const PHASE_CYCLES: usize = 14;

/// A phase has its own quantile if this many seasons are known.
const LEAST_CYCLES: usize = 4;

/// Mixtures are tried in steps of one over this.
const SHARES: u32 = 10;

/// A mixture is better if its mean saving is this many standard errors of the savings at each
/// origin,
const CLEARLY: f64 = 3.0;

/// and if there are at least this many origins.
const LEAST_ORIGINS: usize = 5;

/// This share of the needed units, or of one unit if less is needed, is rounding error.
const ROUNDING: f64 = 1e-9;

/// The options of capacity. Demand and capacity have the unit of the series.
///
/// ```
/// use datafusion_aiops::algorithms::series::forecast::CapacityOptions;
/// let mut options = CapacityOptions::default();
/// options.unit_capacity = 250.0;
/// assert_eq!((options.service_level, options.headroom, options.max_units), (0.95, 0.0, None));
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct CapacityOptions {
    /// The load that one unit, such as a pod or a machine, can carry; above 0.
    pub unit_capacity: f64,
    /// The share of points at which capacity should suffice, above 0 and below 1.
    pub service_level: f64,
    /// The extra capacity above the demand, as a share of the demand; 0 or more.
    pub headroom: f64,
    /// The smallest number of units.
    pub min_units: u64,
    /// The largest number of units.
    pub max_units: Option<u64>,
    /// The number of slots after a slot for which its units stay at least; 0 scales down at once.
    pub cooldown: usize,
    /// The options of the demand forecast; level and quantiles do not matter.
    pub forecast: ForecastOptions,
}

impl Default for CapacityOptions {
    fn default() -> Self {
        Self {
            unit_capacity: 1.0,
            service_level: 0.95,
            headroom: 0.0,
            min_units: 0,
            max_units: None,
            cooldown: 0,
            forecast: ForecastOptions::default(),
        }
    }
}

/// The demand at each future point.
///
/// ```
/// use datafusion_aiops::algorithms::series::forecast::Demand;
/// let demand = Demand { points: vec![2.0, 3.0], upper: vec![2.5, 4.0] };
/// assert_eq!(demand.points.len(), demand.upper.len());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Demand {
    /// The forecast of the demand.
    pub points: Vec<f64>,
    /// The demand that is exceeded at only `1 - service_level` of all points. The forecast itself
    /// if only one value is known.
    pub upper: Vec<f64>,
}

/// The units to provide in a slot.
///
/// ```
/// use datafusion_aiops::algorithms::series::forecast::SlotPlan;
/// let slot = SlotPlan { units: 3, forecast: 510.0, upper: 700.0 };
/// assert!(slot.upper <= 250.0 * slot.units as f64);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SlotPlan {
    /// The number of units.
    pub units: u64,
    /// The highest forecast within the slot.
    pub forecast: f64,
    /// The highest demand to carry within the slot, without headroom.
    pub upper: f64,
}

/// The demand at the `horizon` points after the last of evenly spaced values, which are treated as
/// in [`forecast`]; `None` if no value is known.
///
/// ```
/// use datafusion_aiops::algorithms::series::forecast::{CapacityOptions, demand_quantile};
/// let load: Vec<f64> = (0..200).map(|at| f64::from(at * at * 31 % 101)).collect();
/// let demand = demand_quantile(&load, None, 10, &CapacityOptions::default()).unwrap();
/// assert!(demand.upper.iter().zip(&demand.points).all(|(upper, point)| upper > point));
/// ```
pub fn demand_quantile(
    values: &[f64],
    step: Option<Step>,
    horizon: usize,
    options: &CapacityOptions,
) -> Option<Demand> {
    let wanted = &options.forecast;
    let history = ForecastHistory::new(values, step, &wanted.season, horizon)?;
    let Some(trial) = Trial::new(&history, horizon, wanted.model) else {
        return of_last_value(values, step, horizon, options);
    };
    let frame = Frame::new(&history, horizon, wanted);
    Some(Demand {
        points: frame.fit(trial.combination.points.iter().copied()),
        upper: frame.fit(quantile_ahead(&history, &trial, options.service_level).into_iter()),
    })
}

/// The quantile of the values after a history, in its units.
fn quantile_ahead(history: &ForecastHistory, trial: &Trial, level: f64) -> Vec<f64> {
    let errors = trial.errors(history);
    let past = PastQuantile {
        period: trial.plan.seasons.short,
        level,
    };
    let mut trials = vec![];
    if trial
        .plan
        .origins
        .iter()
        .all(|&origin| past.has_phases(origin))
    {
        let origins = trial.plan.origins.iter().zip(&trial.combination.past);
        for (number, (&origin, points)) in origins.enumerate() {
            let (known, actual) = history.values.split_at(origin);
            let others = without(&errors, number);
            let quantiles = past.quantiles(known, above(points, &others, level));
            trials.push((quantiles, actual));
        }
    }
    let points = &trial.combination.points;
    let quantiles = past.quantiles(&history.values, above(points, &errors, level));
    let mut upper = mixed(&quantiles, best_mixture(&trials, level));
    // A quantile that is exceeded less than half of the time is not below the median.
    if level >= 0.5 {
        for (upper, point) in upper.iter_mut().zip(points) {
            *upper = upper.max(*point);
        }
    }
    upper
}

/// The demand after a history that is too short or constant.
fn of_last_value(
    values: &[f64],
    step: Option<Step>,
    horizon: usize,
    options: &CapacityOptions,
) -> Option<Demand> {
    let wanted = ForecastOptions {
        quantiles: vec![options.service_level],
        ..options.forecast.clone()
    };
    let mut got = forecast(values, step, horizon, &wanted)?;
    let quantiles = got.quantiles.pop()?.into_iter().zip(&got.points);
    let upper = quantiles.map(|(upper, &point)| if upper.is_nan() { point } else { upper });
    Some(Demand {
        upper: upper.collect(),
        points: got.points,
    })
}

/// The errors without those from one origin, unless it is the only one.
fn without(errors: &[Vec<f64>], origin: usize) -> Vec<Vec<f64>> {
    if errors.len() < 2 {
        return errors.to_vec();
    }
    let others = errors.iter().enumerate().filter(|(at, _)| *at != origin);
    others.map(|(_, errors)| errors.clone()).collect()
}

/// The quantile of forecasts with these errors.
fn above(points: &[f64], errors: &[Vec<f64>], level: f64) -> Vec<f64> {
    let spread = Spread::new(errors);
    let points = points.iter().zip(spread.distances(level));
    points.map(|(point, distance)| point + distance).collect()
}

/// The quantile of the past.
struct PastQuantile {
    period: usize,
    level: f64,
}

impl PastQuantile {
    /// The quantiles that are tried after these values; the first one is that of the forecast.
    fn quantiles(&self, known: &[f64], forecast: Vec<f64>) -> [Vec<f64>; 3] {
        let recent = self.recent(known);
        let mut constant = forecast.clone();
        constant.fill(recent);
        let mut phases = constant.clone();
        if self.has_phases(known.len()) {
            self.phases(known, &mut phases);
        }
        [forecast, constant, phases]
    }

    /// Whether this many values show a quantile for each phase.
    fn has_phases(&self, n_values: usize) -> bool {
        self.period > 1 && n_values >= LEAST_CYCLES * self.period
    }

    /// The quantile of the recent past; without a season, of all values.
    fn recent(&self, known: &[f64]) -> f64 {
        let n_recent = match self.period {
            0 | 1 => known.len(),
            period => RECENT_CYCLES * period,
        };
        let recent = &known[known.len().saturating_sub(n_recent)..];
        quantile(recent, self.level).unwrap_or(0.0)
    }

    /// The quantile at the phase of each future point and at the phases next to it.
    fn phases(&self, known: &[f64], future: &mut [f64]) {
        // The oldest cycle is left out, so that the point before its first phase is known.
        let n_cycles = (known.len() / self.period - 1).min(PHASE_CYCLES);
        let mut alike = Vec::with_capacity(3 * n_cycles);
        let (first, rest) = future.split_at_mut(self.period.min(future.len()));
        for (after, quantile) in first.iter_mut().enumerate() {
            alike.clear();
            for cycle in 1..=n_cycles {
                let at = known.len() + after - cycle * self.period;
                alike.extend_from_slice(&known[at - 1..(at + 2).min(known.len())]);
            }
            *quantile = quantile_in_place(&mut alike, self.level).unwrap_or(*quantile);
        }
        for chunk in rest.chunks_mut(self.period) {
            chunk.copy_from_slice(&first[..chunk.len()]);
        }
    }
}

/// The mean loss of a quantile: each value costs its distance from it, times `level` if it is
/// above, otherwise times `1 - level`.
fn pinball_loss(quantile: &[f64], actual: &[f64], level: f64) -> f64 {
    let pairs = quantile.iter().zip(actual);
    let losses = pairs.map(|(quantile, actual)| {
        let above = actual - quantile;
        (level * above).max((level - 1.0) * above)
    });
    losses.sum::<f64>() / quantile.len().max(1) as f64
}

/// The shares of the three quantiles, given their values at each origin and the values that
/// followed.
fn best_mixture(trials: &[([Vec<f64>; 3], &[f64])], level: f64) -> [f64; 3] {
    let forecast = [1.0, 0.0, 0.0];
    if trials.len() < LEAST_ORIGINS {
        return forecast;
    }
    let losses = |mixture: [f64; 3]| -> Vec<f64> {
        let trials = trials.iter();
        trials
            .map(|(quantiles, actual)| pinball_loss(&mixed(quantiles, mixture), actual, level))
            .collect()
    };
    let now = losses(forecast);
    let mut best = (0.0, forecast);
    for mixture in mixtures() {
        let losses = losses(mixture);
        let saved: Vec<_> = now
            .iter()
            .zip(&losses)
            .map(|(now, loss)| now - loss)
            .collect();
        let (mean, standard_error) = mean_and_error(&saved);
        if mean > CLEARLY * standard_error && mean > best.0 {
            best = (mean, mixture);
        }
    }
    let (_, [first, second, third]) = best;
    [(1.0 + first) / 2.0, second / 2.0, third / 2.0]
}

/// All mixtures of three in steps of one over [`SHARES`].
fn mixtures() -> impl Iterator<Item = [f64; 3]> {
    let share = |count: u32| f64::from(count) / f64::from(SHARES);
    (0..=SHARES).flat_map(move |first| {
        (0..=SHARES - first)
            .map(move |second| [share(first), share(second), share(SHARES - first - second)])
    })
}

/// The mean and its standard error.
fn mean_and_error(numbers: &[f64]) -> (f64, f64) {
    let n_numbers = numbers.len() as f64;
    let mean = numbers.iter().sum::<f64>() / n_numbers;
    let squares: f64 = numbers.iter().map(|number| (number - mean).powi(2)).sum();
    (mean, (squares / (n_numbers - 1.0) / n_numbers).sqrt())
}

fn mixed(quantiles: &[Vec<f64>; 3], mixture: [f64; 3]) -> Vec<f64> {
    let mut mixed = vec![0.0; quantiles[0].len()];
    for (quantile, share) in quantiles.iter().zip(mixture) {
        for (sum, value) in mixed.iter_mut().zip(quantile) {
            *sum += share * value;
        }
    }
    mixed
}

/// The units of each slot; `slots` holds the slot of each future point, ascending from 0 without
/// gaps.
///
/// ```
/// use datafusion_aiops::algorithms::series::forecast::{CapacityOptions, Demand, plan_slots};
/// let demand = Demand { points: vec![90.0, 100.0, 40.0, 30.0], upper: vec![120.0, 150.0, 70.0, 60.0] };
/// let mut options = CapacityOptions::default();
/// options.unit_capacity = 50.0;
/// options.headroom = 0.2;
/// let units: Vec<_> = plan_slots(&demand, &[0, 0, 1, 1], &options).iter().map(|slot| slot.units).collect();
/// assert_eq!(units, [4, 2]);
/// ```
pub fn plan_slots(demand: &Demand, slots: &[usize], options: &CapacityOptions) -> Vec<SlotPlan> {
    let mut plans: Vec<SlotPlan> = vec![];
    let demands = demand.points.iter().zip(&demand.upper);
    let mut current = None;
    for (slot, (&forecast, &upper)) in slots.iter().zip(demands) {
        match plans.last_mut() {
            Some(plan) if current == Some(slot) => {
                plan.forecast = plan.forecast.max(forecast);
                plan.upper = plan.upper.max(upper);
            }
            _ => plans.push(SlotPlan {
                units: 0,
                forecast,
                upper,
            }),
        }
        current = Some(slot);
    }
    for plan in &mut plans {
        plan.units = units(plan.upper, options);
    }
    keep_during_cooldown(&mut plans, options.cooldown);
    plans
}

/// The number of units that a demand needs, within the limits.
fn units(demand: f64, options: &CapacityOptions) -> u64 {
    let needed = demand * (1.0 + options.headroom) / options.unit_capacity;
    let needed = whole(needed - needed.abs().max(1.0) * ROUNDING);
    let most = options.max_units.unwrap_or(u64::MAX);
    needed.max(options.min_units).min(most)
}

/// Rounds up; negative or unknown numbers give 0, and too large ones the greatest value.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "saturates, as is wanted"
)]
fn whole(number: f64) -> u64 {
    number.ceil() as u64
}

/// Gives each slot the most units of itself and this many slots before it.
fn keep_during_cooldown(plans: &mut [SlotPlan], cooldown: usize) {
    // Slots within the cooldown that need more than all after them; the first one needs the most.
    let mut highest: VecDeque<(usize, u64)> = VecDeque::new();
    for (slot, plan) in plans.iter_mut().enumerate() {
        while highest
            .back()
            .is_some_and(|(_, units)| *units <= plan.units)
        {
            highest.pop_back();
        }
        highest.push_back((slot, plan.units));
        while highest.front().is_some_and(|(at, _)| slot - at > cooldown) {
            highest.pop_front();
        }
        plan.units = highest.front().map_or(plan.units, |(_, units)| *units);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::series::samples::Season;
    use proptest::prelude::*;

    fn demand(upper: &[f64]) -> Demand {
        Demand {
            points: upper.iter().map(|upper| upper / 2.0).collect(),
            upper: upper.to_vec(),
        }
    }

    #[track_caller]
    fn check_units(upper: &[f64], slots: &[usize], options: &CapacityOptions, expected: &[u64]) {
        let plans = plan_slots(&demand(upper), slots, options);
        let units: Vec<_> = plans.iter().map(|plan| plan.units).collect();
        assert_eq!(units, expected, "{plans:?}");
    }

    #[test]
    fn units_carry_the_demand_of_their_slot() {
        let options = CapacityOptions {
            unit_capacity: 10.0,
            ..CapacityOptions::default()
        };
        let upper = [11.0, 25.0, 30.000_000_001, -5.0, 0.0, f64::MAX];
        check_units(
            &upper,
            &[0, 0, 1, 2, 3, 4],
            &options,
            &[3, 3, 0, 0, u64::MAX],
        );
        let more = CapacityOptions {
            headroom: 0.5,
            ..options.clone()
        };
        check_units(&upper[..3], &[0, 1, 2], &more, &[2, 4, 5]);
        let limited = CapacityOptions {
            min_units: 2,
            max_units: Some(3),
            ..options.clone()
        };
        check_units(
            &[5.0, 25.0, 90.0, f64::NAN],
            &[0, 1, 2, 3],
            &limited,
            &[2, 3, 3, 2],
        );
        let plan = plan_slots(&demand(&[8.0, 30.0, 4.0]), &[0, 0, 0], &options);
        let expected = SlotPlan {
            units: 3,
            forecast: 15.0,
            upper: 30.0,
        };
        assert_eq!(plan, [expected]);
        check_units(&[], &[], &options, &[]);
    }

    #[test]
    fn units_stay_during_the_cooldown() {
        let options = |cooldown| CapacityOptions {
            cooldown,
            ..CapacityOptions::default()
        };
        let upper = [1.0, 5.0, 2.0, 1.0, 3.0, 1.0];
        let slots = [0, 1, 2, 3, 4, 5];
        check_units(&upper, &slots, &options(0), &[1, 5, 2, 1, 3, 1]);
        check_units(&upper, &slots, &options(1), &[1, 5, 5, 2, 3, 3]);
        check_units(&upper, &slots, &options(9), &[1, 5, 5, 5, 5, 5]);
    }

    #[track_caller]
    fn check_mixture(trials: &[([Vec<f64>; 3], &[f64])], expected: [f64; 3]) {
        let got = best_mixture(trials, 0.9);
        let is_near = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-12;
        assert!(got.iter().zip(&expected).all(is_near), "{got:?}");
    }

    #[test]
    fn the_forecast_is_left_half_way() {
        let actual = [1.0, 2.0, 3.0, 4.0];
        let quantiles =
            |forecast: f64, phases: f64| [vec![forecast; 4], vec![50.0; 4], vec![phases; 4]];
        // The forecast is always too high: the phases are better at each origin.
        let trials: Vec<_> = (0..6)
            .map(|origin| (quantiles(20.0 + f64::from(origin), 4.0), actual.as_slice()))
            .collect();
        check_mixture(&trials, [0.5, 0.0, 0.5]);
        check_mixture(&trials[..4], [1.0, 0.0, 0.0]);
        // A mixture that is sometimes better and sometimes worse proves nothing.
        let trials: Vec<_> = (0..6)
            .map(|origin| {
                (
                    quantiles(4.0 + f64::from(origin % 2) * 9.0, 9.0),
                    actual.as_slice(),
                )
            })
            .collect();
        check_mixture(&trials, [1.0, 0.0, 0.0]);
    }

    #[test]
    fn mixtures_are_whole() {
        assert_eq!(mixtures().count(), 66);
        for mixture in mixtures() {
            assert!((mixture.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn phases_with_their_neighbours() {
        let past = PastQuantile {
            period: 4,
            level: 1.0,
        };
        let known: Vec<_> = (0..20).map(|at| [0.0, 9.0, 0.0, 1.0][at % 4]).collect();
        let mut future = vec![0.0; 6];
        past.phases(&known, &mut future);
        assert_eq!(future, [9.0, 9.0, 9.0, 1.0, 9.0, 9.0]);
        let [_, constant, phases] = past.quantiles(&known[..15], vec![0.0; 2]);
        assert_eq!((constant, phases), (vec![9.0; 2], vec![9.0; 2]));
    }

    /// Spikes come at random hours: no forecast knows when, so only their number matters.
    #[test]
    fn the_level_is_met_on_spikes() {
        let mut state = 1_u64;
        let mut uniform = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        let mut value = || {
            let noise = uniform();
            noise + (20.0 * uniform() - 16.0).max(0.0)
        };
        let mut n_enough = 0_u32;
        for _ in 0..50 {
            let values: Vec<_> = (0..700).map(|_| value()).collect();
            let options = CapacityOptions {
                service_level: 0.9,
                forecast: ForecastOptions {
                    season: Season::Points(vec![24]),
                    ..ForecastOptions::default()
                },
                ..CapacityOptions::default()
            };
            let demand = demand_quantile(&values[..652], None, 48, &options).unwrap();
            let pairs = demand.upper.iter().zip(&values[652..]);
            n_enough += pairs
                .map(|(upper, value)| u32::from(value <= upper))
                .sum::<u32>();
        }
        let share = f64::from(n_enough) / (50.0 * 48.0);
        assert!((0.85..0.97).contains(&share), "{share}");
    }

    #[test]
    fn short_histories() {
        let options = CapacityOptions::default();
        assert_eq!(demand_quantile(&[f64::NAN], None, 3, &options), None);
        let one = demand_quantile(&[4.0], None, 2, &options).unwrap();
        assert_eq!((one.points, one.upper), (vec![4.0; 2], vec![4.0; 2]));
        let two = demand_quantile(&[4.0, 5.0], None, 2, &options).unwrap();
        assert!(two.upper[0] > 5.0 && two.upper[1] > two.upper[0]);
    }

    proptest! {
        #[test]
        fn cooldown_is_the_greatest_of_the_last(
            upper in prop::collection::vec((0..9_u32).prop_map(f64::from), 1..40),
            cooldown in 0..45_usize,
        ) {
            let options = CapacityOptions { cooldown, ..CapacityOptions::default() };
            let slots: Vec<_> = (0..upper.len()).collect();
            for (slot, plan) in plan_slots(&demand(&upper), &slots, &options).iter().enumerate() {
                let window = &upper[slot.saturating_sub(cooldown)..=slot];
                let greatest = window.iter().copied().fold(0.0, f64::max);
                prop_assert_eq!(plan.units, whole(greatest));
            }
        }

        #[test]
        fn demands_are_finite(
            values in prop::collection::vec(prop_oneof![-9.0..9.0_f64, -1e300..1e300_f64, Just(f64::NAN)], 1..120),
            period in 2..20_usize,
        ) {
            let forecast = ForecastOptions { season: Season::Points(vec![period]), ..ForecastOptions::default() };
            let options = CapacityOptions { forecast, ..CapacityOptions::default() };
            if let Some(demand) = demand_quantile(&values, None, 30, &options) {
                prop_assert!(demand.points.iter().chain(&demand.upper).all(|value| value.is_finite()));
            }
        }
    }
}
