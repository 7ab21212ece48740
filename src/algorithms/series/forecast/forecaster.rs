//! The forecast of a series, with its interval.

use crate::algorithms::series::forecast::backtest::Backtest;
use crate::algorithms::series::forecast::combination::Combination;
use crate::algorithms::series::forecast::history::{ForecastHistory, MAX_ORIGINS};
use crate::algorithms::series::forecast::interval::Spread;
use crate::algorithms::series::forecast::options::{Component, ForecastOptions, Model, Step};
use crate::algorithms::series::forecast::origins::OriginPlan;

/// With fewer known values the forecast is the last one.
const LEAST_KNOWN: usize = 8;

/// Components that weigh less are not listed.
const LEAST_WEIGHT: f64 = 1e-3;

/// [`Component::Drift`] is used if the horizon is longer than this many seasons; within them the
/// season decides.
const TREND_CYCLES: usize = 2;

/// The number of origins from which [`Model::Fast`] forecasts the past.
const FAST_ORIGINS: usize = 3;

/// A forecast; each list has one number per future point.
///
/// ```
/// use datafusion_aiops::algorithms::series::forecast::{ForecastOptions, forecast};
/// let forecast = forecast(&[5.0; 20], None, 3, &ForecastOptions::default()).unwrap();
/// assert_eq!((forecast.points.len(), forecast.lower.len()), (3, 3));
/// assert!(forecast.quantiles.is_empty() && forecast.periods.is_empty());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Forecast {
    /// The median of the future value.
    pub points: Vec<f64>,
    /// The lower end of the interval. NaN if only one value is known.
    pub lower: Vec<f64>,
    /// The upper end of the interval. NaN if only one value is known.
    pub upper: Vec<f64>,
    /// The value of each quantile of the options, in their order, at each future point. It is on
    /// its side of `points`, and NaN if only one value is known.
    pub quantiles: Vec<Vec<f64>>,
    /// The seasons that were used, in points, shortest first: two at most.
    pub periods: Vec<usize>,
    /// The components of the forecast and their weights of at least a thousandth, greatest first;
    /// all weights add up to 1. Empty if the last value continues because fewer than 8 values are
    /// known, or because all are equal.
    pub weights: Vec<(Component, f64)>,
}

/// Forecasts the `horizon` points after the last of evenly spaced values. NaN are missing values.
/// If the last values are missing, the forecast begins after the last known one, and its points for
/// missing values are left out. `None` if no value is known.
///
/// Lower ends, points, quantiles and upper ends are finite and in order, whatever the values,
/// unless only one value is known. At most the newest 262,144 values are used, usually a few
/// thousand: about eight of the longest season.
///
/// ```
/// use datafusion_aiops::algorithms::series::forecast::{ForecastOptions, forecast};
/// let daily = |hour: i32| 10.0 + (f64::from(hour) / 24.0 * std::f64::consts::TAU).sin();
/// let load: Vec<f64> = (0..240).map(|hour| daily(hour) + f64::from(hour * 7 % 11) / 50.0).collect();
/// let forecast = forecast(&load, None, 24, &ForecastOptions::default()).unwrap();
/// assert_eq!(forecast.periods, [24]);
/// for (ahead, point) in (0..).zip(&forecast.points) {
///     assert!((point - daily(240 + ahead)).abs() < 0.3);
/// }
/// assert!(forecast.lower[5] < forecast.points[5] && forecast.points[5] < forecast.upper[5]);
/// ```
pub fn forecast(
    values: &[f64],
    step: Option<Step>,
    horizon: usize,
    options: &ForecastOptions,
) -> Option<Forecast> {
    let history = ForecastHistory::new(values, step, &options.season, horizon)?;
    let outlook = Outlook::new(&history, horizon, options.model);
    let frame = Frame::new(&history, horizon, options);
    let quantile = |probability| frame.quantile(&outlook, probability);
    let tail = (1.0 - options.level) / 2.0;
    Some(Forecast {
        points: frame.fit(outlook.points.iter().copied()),
        lower: quantile(tail),
        upper: quantile(1.0 - tail),
        quantiles: options.quantiles.iter().copied().map(quantile).collect(),
        periods: outlook.periods,
        weights: outlook.weights,
    })
}

/// The future of a history, in its units, including the missing values at the end.
struct Outlook {
    points: Vec<f64>,
    /// `None` if only one value is known.
    spread: Option<Spread>,
    periods: Vec<usize>,
    weights: Vec<(Component, f64)>,
}

impl Outlook {
    fn new(history: &ForecastHistory, horizon: usize, model: Model) -> Self {
        let Some(trial) = Trial::new(history, horizon, model) else {
            return Self::last_value(history, history.n_ahead(horizon));
        };
        let errors = trial.errors(history);
        let components = trial.backtest.past.components.iter().copied();
        let weights = components.zip(trial.combination.weights);
        let mut weights: Vec<_> = weights
            .filter(|(_, weight)| *weight >= LEAST_WEIGHT)
            .collect();
        weights.sort_by(|first, second| second.1.total_cmp(&first.1));
        Self {
            points: trial.combination.points,
            spread: Some(Spread::new(&errors)),
            periods: trial.plan.seasons.periods(),
            weights,
        }
    }

    /// The last value continues, like that of a random walk.
    fn last_value(history: &ForecastHistory, horizon: usize) -> Self {
        let last = history.values.last().copied().unwrap_or(0.0);
        Self {
            points: vec![last; horizon],
            spread: (history.n_known > 1).then(|| Spread::of_random_walk(&history.values)),
            periods: vec![],
            weights: vec![],
        }
    }
}

/// The forecasts of the past and of the future.
pub(super) struct Trial {
    pub(super) plan: OriginPlan,
    pub(super) backtest: Backtest,
    pub(super) combination: Combination,
}

impl Trial {
    /// Forecasts the `horizon` points after the missing ones; `None` if the history is too short or
    /// does not vary.
    pub(super) fn new(history: &ForecastHistory, horizon: usize, model: Model) -> Option<Self> {
        if history.n_known < LEAST_KNOWN || history.is_constant {
            return None;
        }
        let values = &history.values;
        let horizon = history.n_ahead(horizon);
        let (components, n_origins, learns_twice): (&[Component], _, _) = match &model {
            Model::Auto => (&Component::ALL, MAX_ORIGINS, true),
            Model::Fast => (&Component::FAST, FAST_ORIGINS, false),
            Model::One(component) => (std::slice::from_ref(component), MAX_ORIGINS, true),
        };
        let plan = OriginPlan::new(values.len(), &history.periods, horizon, n_origins)?;
        let plan = plan.with_year(history.year_ago);
        let mut components = components.to_vec();
        if plan.year_ago.is_none() {
            components.retain(|&component| component != Component::YearAgo);
        }
        if horizon <= TREND_CYCLES * plan.seasons.longest() && components.len() > 1 {
            components.retain(|&component| component != Component::Drift);
        }
        if components.is_empty() {
            components.push(Component::DampedHolt);
        }
        let backtest = Backtest::run(values, &plan, horizon, &components, learns_twice);
        let combination = Combination::new(values, &plan, &backtest);
        Some(Self {
            plan,
            backtest,
            combination,
        })
    }

    /// The errors of the combination from each origin. Where values are not known, errors at known
    /// values take their place.
    pub(super) fn errors(&self, history: &ForecastHistory) -> Vec<Vec<f64>> {
        let forecasts = self.plan.origins.iter().zip(&self.combination.past);
        let mut errors: Vec<Vec<f64>> = forecasts
            .map(|(&origin, forecast)| {
                let actual = &history.values[origin..];
                let pairs = actual.iter().zip(forecast);
                pairs.map(|(actual, forecast)| actual - forecast).collect()
            })
            .collect();
        let origins = || self.plan.origins.iter();
        let known: Vec<f64> = (origins().zip(&errors))
            .flat_map(|(&origin, errors)| errors.iter().zip(&history.is_filled[origin..]))
            .filter_map(|(error, is_filled)| (!is_filled).then_some(*error))
            .collect();
        let mut known = known.iter().cycle();
        for (&origin, errors) in origins().zip(&mut errors) {
            for (error, is_filled) in errors.iter_mut().zip(&history.is_filled[origin..]) {
                if *is_filled && let Some(other) = known.next() {
                    *error = *other;
                }
            }
        }
        errors
    }
}

/// The bounds of a forecast.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    least: f64,
    most: f64,
}

impl Bounds {
    /// The bounds of a series with this least value. The options take precedence over the values.
    fn new(least_value: f64, options: &ForecastOptions) -> Self {
        let is_non_negative = match options.floor {
            None => options.non_negative.unwrap_or(least_value >= 0.0),
            Some(_) => options.non_negative.unwrap_or(false),
        };
        let least = if is_non_negative { 0.0 } else { f64::MIN };
        Self {
            least: options.floor.map_or(least, |floor| floor.max(least)),
            most: options.ceiling.unwrap_or(f64::MAX),
        }
    }

    /// The bounds of a series with these values.
    pub(super) fn of(values: &[f64], options: &ForecastOptions) -> Self {
        let known = values.iter().copied().filter(|value| value.is_finite());
        Self::new(known.fold(f64::INFINITY, f64::min), options)
    }

    pub(super) fn fit(self, value: f64) -> f64 {
        if value.is_nan() {
            return value;
        }
        // Adding 0 turns -0 into 0.
        value.max(self.least).min(self.most) + 0.0
    }
}

/// Turns the outlook of a history into an answer.
pub(super) struct Frame {
    n_skipped: usize,
    horizon: usize,
    scale: f64,
    bounds: Bounds,
}

impl Frame {
    pub(super) fn new(
        history: &ForecastHistory,
        horizon: usize,
        options: &ForecastOptions,
    ) -> Self {
        Self {
            n_skipped: history.n_missing,
            horizon,
            scale: history.scale,
            bounds: Bounds::new(history.least, options),
        }
    }

    /// The values after the missing ones, in the unit of the series and within its bounds.
    pub(super) fn fit(&self, values: impl Iterator<Item = f64>) -> Vec<f64> {
        let wanted = values.skip(self.n_skipped).take(self.horizon);
        wanted
            .map(|value| self.bounds.fit(value * self.scale))
            .collect()
    }

    fn quantile(&self, outlook: &Outlook, probability: f64) -> Vec<f64> {
        let Some(spread) = &outlook.spread else {
            return vec![f64::NAN; self.horizon];
        };
        let points = outlook.points.iter().zip(spread.distances(probability));
        self.fit(points.map(|(point, distance)| point + distance))
    }
}
