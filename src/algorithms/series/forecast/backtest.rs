//! Runs the components: on the newest part of the history from several origins, and on the future.
//!
//! A component keeps what it learnt before the first origin for the others, so that none knows the
//! values it forecasts; for the future it learns again.

use crate::algorithms::series::forecast::components::{
    Adjustment, Autoregression, DampedHolt, Decays, DoubleSeasonal, THETA_TREND, Theta,
    WHOLE_TREND, YearAgo, from_logarithm, seasonal_median, seasonal_naive,
};
use crate::algorithms::series::forecast::history::Seasons;
use crate::algorithms::series::forecast::options::Component;
use crate::algorithms::series::forecast::origins::OriginPlan;

/// A forecast this many times the greatest value is an overflow.
const LARGEST: f64 = 1e6;

/// Gains are learnt from this many of the newest points, or more if a season is long.
const MAX_LEARNT: usize = 1 << 14;

/// Gains are learnt from at least this many of the longest season.
const LEARNT_CYCLES: usize = 3;

/// `SeasonalMeans` returns to the level of this many of the longest season,
const MEAN_CYCLES: usize = 16;

/// and at least this many points.
const MEAN_POINTS: usize = 30;

/// The forecasts of each component from each of some origins.
#[derive(Debug)]
pub(super) struct Forecasts {
    pub(super) components: Vec<Component>,
    pub(super) horizon: usize,
    /// Values by origin, then by component.
    values: Vec<f64>,
}

impl Forecasts {
    fn new(components: &[Component], n_origins: usize, horizon: usize) -> Self {
        Self {
            components: components.to_vec(),
            horizon,
            values: vec![0.0; n_origins * components.len() * horizon],
        }
    }

    /// The forecasts of the components, in their order, from the origin of this number.
    pub(super) fn at_origin(&self, origin: usize) -> impl Iterator<Item = &[f64]> {
        let n_values = self.components.len() * self.horizon;
        self.values[origin * n_values..][..n_values].chunks_exact(self.horizon)
    }

    /// The place of the forecast of a component from the origin of this number; `None` if the
    /// component does not run.
    fn of(&mut self, origin: usize, component: Component) -> Option<&mut [f64]> {
        let place = self.components.iter().position(|&each| each == component)?;
        let place = origin * self.components.len() + place;
        Some(&mut self.values[place * self.horizon..][..self.horizon])
    }

    /// Limits forecasts to [`LARGEST`]: a component that is out of bounds stays so far off that its
    /// weight vanishes.
    fn keep_sane(&mut self) {
        for value in &mut self.values {
            *value = if value.is_nan() {
                LARGEST
            } else {
                value.clamp(-LARGEST, LARGEST)
            };
        }
    }
}

/// Forecasts from the origins of a plan, and of the future.
#[derive(Debug)]
pub(super) struct Backtest {
    pub(super) past: Forecasts,
    pub(super) future: Forecasts,
}

impl Backtest {
    /// Runs these components on the values. Unless `learns_twice`, the future is forecast with what
    /// was learnt before the first origin.
    pub(super) fn run(
        values: &[f64],
        plan: &OriginPlan,
        horizon: usize,
        components: &[Component],
        learns_twice: bool,
    ) -> Self {
        let mut past = Forecasts::new(components, plan.origins.len(), plan.horizon);
        let mut future = Forecasts::new(components, 1, horizon);
        let mut series = BacktestSeries::new(values, plan);
        let first_origin = plan.origins.first().copied().unwrap_or(values.len());
        let mut learnt = series.learn(first_origin, components);
        series.forecast(&learnt, &plan.origins, &mut past);
        if learns_twice {
            learnt = series.learn(values.len(), components);
        }
        series.forecast(&learnt, &[values.len()], &mut future);
        Self { past, future }
    }
}

/// What the components have learnt; `None` for those that do not run.
#[derive(Debug)]
struct Learnt {
    holt: Option<DampedHolt>,
    theta: Option<Theta>,
    autoregression: Option<Autoregression>,
    double_seasonal: Option<DoubleSeasonal>,
}

/// The values, in the forms that the components need.
struct BacktestSeries<'a> {
    values: &'a [f64],
    seasons: Seasons,
    year_ago: Option<YearAgo>,
    /// The logarithms of the values; `None` unless all are above 0.
    logarithms: Option<Vec<f64>>,
    adjustment: Adjustment<'a>,
}

impl<'a> BacktestSeries<'a> {
    fn new(values: &'a [f64], plan: &OriginPlan) -> Self {
        let seasons = plan.seasons;
        let is_positive = values.iter().all(|&value| value > 0.0);
        Self {
            values,
            seasons,
            year_ago: plan.year_ago,
            logarithms: is_positive.then(|| values.iter().map(|value| value.ln()).collect()),
            adjustment: Adjustment::new(values, seasons),
        }
    }

    /// What can be learnt from the first `n_values` values.
    fn learn(&mut self, n_values: usize, components: &[Component]) -> Learnt {
        let has = |component| components.contains(&component);
        let seasons = self.seasons;
        let n_learnt = MAX_LEARNT.max(LEARNT_CYCLES * seasons.longest());
        let first = n_values.saturating_sub(n_learnt);
        let (mut holt, mut theta) = (None, None);
        let has_holt = has(Component::DampedHolt) || has(Component::YearAgo);
        let has_theta = has(Component::Theta) || has(Component::Drift);
        if has_holt || has_theta {
            let adjusted = &self.adjustment.additive(n_values, Decays::FAST).values[first..];
            holt = has_holt.then(|| DampedHolt::fit(adjusted));
            theta = has_theta.then(|| Theta::fit(adjusted));
        }
        let autoregression = has(Component::Autoregression)
            .then(|| Autoregression::fit(&self.values[..n_values], seasons));
        let logarithms = self.logarithms.as_deref().unwrap_or(self.values);
        let double_seasonal = has(Component::DoubleSeasonal)
            .then(|| DoubleSeasonal::fit(&logarithms[first..n_values], seasons));
        Learnt {
            holt,
            theta,
            autoregression,
            double_seasonal,
        }
    }

    /// Forecasts from each of the origins, oldest first.
    fn forecast(&mut self, learnt: &Learnt, origins: &[usize], forecasts: &mut Forecasts) {
        for (number, &origin) in origins.iter().enumerate() {
            let values = &self.values[..origin];
            let naive = [
                (Component::SeasonalNaive, seasonal_naive as NaiveForecast),
                (Component::SeasonalMedian, seasonal_median),
            ];
            for (component, naive) in naive {
                if let Some(future) = forecasts.of(number, component) {
                    naive(values, self.seasons, future);
                }
            }
            if let Some(autoregression) = &learnt.autoregression
                && let Some(future) = forecasts.of(number, Component::Autoregression)
            {
                autoregression.forecast(values, future);
            }
            self.forecast_smoothed(learnt, origin, number, forecasts);
            self.shift_as_a_year_ago(origin, number, forecasts);
            self.forecast_seasonal_means(origin, number, forecasts);
        }
        if let Some(double_seasonal) = learnt.double_seasonal {
            self.forecast_double_seasonal(double_seasonal, origins, forecasts);
        }
        forecasts.keep_sane();
    }

    fn forecast_smoothed(
        &mut self,
        learnt: &Learnt,
        origin: usize,
        number: usize,
        forecasts: &mut Forecasts,
    ) {
        if learnt.holt.is_none() && learnt.theta.is_none() {
            return;
        }
        let adjusted = self.adjustment.additive(origin, Decays::FAST);
        for component in [Component::DampedHolt, Component::YearAgo] {
            if let Some(holt) = learnt.holt
                && let Some(future) = forecasts.of(number, component)
            {
                holt.forecast(adjusted.values, future);
                adjusted.restore(future);
            }
        }
        let trends = [
            (Component::Theta, THETA_TREND),
            (Component::Drift, WHOLE_TREND),
        ];
        for (component, trend) in trends {
            if let Some(theta) = learnt.theta
                && let Some(future) = forecasts.of(number, component)
            {
                theta.forecast(adjusted.values, trend, future);
                adjusted.restore(future);
            }
        }
    }

    /// Moves the smoothed forecast as the level moved a year ago.
    fn shift_as_a_year_ago(&self, origin: usize, number: usize, forecasts: &mut Forecasts) {
        if let Some(year_ago) = self.year_ago
            && let Some(future) = forecasts.of(number, Component::YearAgo)
        {
            let is_positive = self.logarithms.is_some();
            year_ago.shift(self.adjustment.means(), origin, is_positive, future);
        }
    }

    fn forecast_seasonal_means(&mut self, origin: usize, number: usize, forecasts: &mut Forecasts) {
        let n_newest = (MEAN_CYCLES * self.seasons.longest()).max(MEAN_POINTS);
        if let Some(future) = forecasts.of(number, Component::SeasonalMeans) {
            let adjusted = self.adjustment.additive(origin, Decays::SLOW);
            let newest = &adjusted.values[origin.saturating_sub(n_newest)..];
            Autoregression::short(newest).forecast(newest, future);
            adjusted.restore(future);
        }
    }

    /// Forecasts in one pass over the values, with a stop at each origin.
    fn forecast_double_seasonal(
        &self,
        double_seasonal: DoubleSeasonal,
        origins: &[usize],
        forecasts: &mut Forecasts,
    ) {
        let values = self.logarithms.as_deref().unwrap_or(self.values);
        let mut state = double_seasonal.start(values);
        let mut n_seen = 0;
        for (number, &origin) in origins.iter().enumerate() {
            state.learn(&values[n_seen..origin]);
            n_seen = origin;
            let Some(future) = forecasts.of(number, Component::DoubleSeasonal) else {
                return;
            };
            state.forecast(future);
            if self.logarithms.is_some() {
                for forecast in future {
                    *forecast = from_logarithm(*forecast);
                }
            }
        }
    }
}

/// A forecaster that learns nothing.
type NaiveForecast = fn(&[f64], Seasons, &mut [f64]);
