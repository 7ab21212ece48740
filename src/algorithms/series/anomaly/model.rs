//! The expectation of the next point: a slow one, which is the level and the season
//! ([`PhaseProfile`]), and a fast one, which adds what the last points say.
//!
//! The level continues along a slope that is smoothed as in Holt's method ("Forecasting seasonals
//! and trends by exponentially weighted moving averages", 1957) and begins as a [`Trend`] if there
//! is one. The fast expectation is a linear prediction of the deviation from the slow one, from the
//! two last deviations, their moving average, the deviation one season ago, and the season itself
//! ([`LeastSquares`]). Everything learns from clipped residuals (Huber, "Robust estimation of a
//! location parameter", 1964), and scales are clipped mean absolute residuals, so that an outlier
//! neither moves an expectation nor widens a bound by much.

use crate::algorithms::series::anomaly::deviation::{FROM_MEAN_ABSOLUTE, ROUNDED};
use crate::algorithms::series::anomaly::least_squares::{Features, LeastSquares};
use crate::algorithms::series::anomaly::profile::{PhaseProfile, Residual};
use crate::algorithms::series::anomaly::trend::Trend;
use crate::algorithms::series::robust::median_in_place;

/// Residuals are clipped at this many scales before anything learns from them.
const CLIP: f64 = 3.0;

/// The same for learning scales, which would shrink if residuals were clipped as tightly.
const SCALE_CLIP: f64 = 4.0;

/// The least rate at which scales follow: over about 500 points.
const SCALE_RATE: f64 = 0.002;

/// The part by which the level follows within a season, or within [`LEVEL_POINTS`] if they are
/// more.
const LEVEL_RATE: f64 = 0.5;

/// Without a season the level follows as with one of this many points.
const LEVEL_POINTS: usize = 200;

/// The slope follows at this part of the square of the rate of the level.
const SLOPE_RATE: f64 = 0.1;

/// The rate at which the moving average follows.
const AVERAGE_RATE: f64 = 0.2;

/// A season begins as the median of this many cycles.
const N_CYCLES: usize = 6;

/// When a season is adopted, the fast scale becomes at most this many slow scales: the cycles that
/// the season was taken from are closer to it than the next one will be.
const FRESH_SCALES: f64 = 1.5;

/// The season as a feature is clipped at this many scales, so that a weight learnt from ripples
/// does not move peaks.
const SEASON_CLIP: f64 = 3.0;

/// A trend is adopted if the scale that it leaves is less than this part of the scale without it.
const TREND_WORTH: f64 = 0.5;

/// The number of points before anything is clipped, and before the fast expectation learns.
const N_UNCLIPPED: usize = 10;
const N_UNTAUGHT: usize = 8;

/// A residual below this share of the level is rounding error.
const ROUNDING: f64 = 1e-12;

/// The share of the spread that is added to limits of clipping, so that a scale of 0 can grow
/// again.
const THIN: f64 = 1e-3;

/// A point of the past.
#[derive(Debug, Clone, Copy, Default)]
struct PastPoint {
    value: f64,
    phase: usize,
}

/// The expectation of a series, and how far off it has been so far.
#[derive(Debug)]
pub(super) struct SeriesModel {
    n_points: usize,
    level: f64,
    /// The growth of the level from slot to slot.
    slope: f64,
    newest_slot: usize,
    average: f64,
    fast_scale: f64,
    slow_scale: f64,
    spread: f64,
    resolution: f64,
    /// The share of points that are off by half a step or more.
    off_share: f64,
    profile: Option<PhaseProfile>,
    prediction: LeastSquares,
    /// The last point and the one before.
    past: [PastPoint; 2],
}

/// The expectation of a point.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expectation {
    phase: usize,
    season: f64,
    features: Features,
    /// The level and the season.
    pub(super) slow: f64,
    /// The same, with what the last points say.
    pub(super) fast: f64,
    /// How far off the slow expectation usually is, as a standard deviation.
    pub(super) slow_scale: f64,
    /// The same for the fast expectation.
    pub(super) fast_scale: f64,
    /// The mean absolute deviation from the level.
    pub(super) spread: f64,
    /// The scatter of a series that moves by its smallest step as rarely as this one does; at most
    /// the smallest step.
    pub(super) resolution: f64,
    /// Differences smaller than this are rounding error.
    pub(super) rounding: f64,
}

impl SeriesModel {
    pub(super) fn new() -> Self {
        Self {
            n_points: 0,
            level: 0.0,
            slope: 0.0,
            newest_slot: 0,
            average: 0.0,
            fast_scale: 0.0,
            slow_scale: 0.0,
            spread: 0.0,
            resolution: f64::INFINITY,
            off_share: 0.0,
            profile: None,
            prediction: LeastSquares::new(),
            past: [PastPoint::default(); 2],
        }
    }

    /// Whether all values so far are equal.
    pub(super) fn is_constant(&self) -> bool {
        self.resolution.is_infinite()
    }

    /// The number of phases; 0 without a season.
    fn period(&self) -> usize {
        self.profile.as_ref().map_or(0, PhaseProfile::period)
    }

    /// The phase of a slot.
    fn phase(&self, slot: usize) -> usize {
        slot.checked_rem(self.period()).unwrap_or(0)
    }

    fn season(&self, phase: usize) -> f64 {
        (self.profile.as_ref()).map_or(0.0, |profile| profile.value(phase))
    }

    /// Moves the level along the slope to a slot; across a gap, by at most a season.
    fn go_to(&mut self, slot: usize) {
        let n_steps = slot.saturating_sub(self.newest_slot);
        let n_steps = n_steps.min(self.period().max(LEVEL_POINTS));
        let climb = self.slope * n_steps as f64;
        self.level += climb;
        self.average += climb;
        self.newest_slot = slot;
    }

    /// The expectation in a slot. For the first point nothing is known, and it is `value`.
    pub(super) fn expect(&mut self, slot: usize, value: f64) -> Expectation {
        if self.n_points == 0 {
            (self.level, self.average) = (value, value);
        }
        self.go_to(slot);
        let phase = self.phase(slot);
        let season = self.season(phase);
        let features = self.features(phase, season);
        let slow = self.level + season;
        let phase_scale = self.profile.as_ref().map(|profile| profile.scale(phase));
        Expectation {
            phase,
            season,
            features,
            slow,
            fast: slow + self.prediction.predict(&features),
            slow_scale: phase_scale
                .map_or(self.slow_scale, |scale| 0.5 * (self.slow_scale + scale)),
            fast_scale: self.fast_scale,
            spread: self.spread,
            resolution: self.scatter_of_steps(),
            rounding: ROUNDING * self.level.abs() + f64::MIN_POSITIVE,
        }
    }

    /// The smallest step, times the standard deviation of a value that is one step off at
    /// `off_share` of its points, relative to the standard deviation of rounding.
    ///
    /// A step is no event in a counter that goes from 0 to 1 again and again. It is one in a series
    /// that has hardly ever moved, or that moves with its season.
    fn scatter_of_steps(&self) -> f64 {
        if self.is_constant() {
            return 0.0;
        }
        self.resolution * (self.off_share.sqrt() / ROUNDED).min(1.0)
    }

    fn features(&self, phase: usize, season: f64) -> Features {
        let deviation = |past: &PastPoint, n_needed: usize| {
            if self.n_points < n_needed {
                0.0
            } else {
                past.value - self.season(past.phase) - self.level
            }
        };
        let last_season = (self.profile.as_ref()).map_or(f64::NAN, |profile| profile.last(phase));
        [
            deviation(&self.past[0], 1),
            self.average - self.level,
            if last_season.is_nan() {
                0.0
            } else {
                last_season - season - self.level
            },
            clip(season, SEASON_CLIP * self.slow_scale),
            deviation(&self.past[1], 2),
        ]
    }

    /// Learns from a point. While a deviation continues, neither the level nor scales learn from
    /// it.
    pub(super) fn learn(&mut self, value: f64, expected: &Expectation, goes_on: bool) {
        let (fast, slow) = (value - expected.fast, value - expected.slow);
        let thin = THIN * self.spread + expected.rounding;
        let is_clipped = self.n_points > N_UNCLIPPED;
        let limit = |scale: f64| {
            if is_clipped {
                scale + thin
            } else {
                f64::INFINITY
            }
        };
        let slow_limit = CLIP * limit(expected.slow_scale);
        let fast_limit = CLIP * limit(expected.fast_scale);
        self.learn_prediction(clip(fast, fast_limit), &expected.features);
        let residual = Residual {
            raw: slow,
            clipped: clip(slow, slow_limit),
            thin,
        };
        self.average +=
            AVERAGE_RATE * clip(value - expected.season - self.average, 2.0 * slow_limit);
        if let Some(profile) = &mut self.profile {
            profile.learn(expected.phase, value, &residual);
        }
        if !goes_on {
            self.learn_level(residual.clipped);
            if let Some(profile) = &mut self.profile {
                profile.note(expected.phase, value, &residual);
            }
            self.learn_scales(fast, slow, thin, is_clipped);
        }
        self.learn_spread(value, slow, expected.rounding);
        let phase = expected.phase;
        self.past = [PastPoint { value, phase }, self.past[0]];
        self.n_points += 1;
    }

    /// The rate that averages all points so far.
    fn running_rate(&self) -> f64 {
        1.0 / (self.n_points + 1) as f64
    }

    fn learn_prediction(&mut self, residual: f64, features: &Features) {
        if self.n_points == N_UNTAUGHT {
            self.prediction.restart(self.slow_scale);
        }
        if self.n_points >= N_UNTAUGHT {
            self.prediction.learn(features, residual, self.slow_scale);
        }
    }

    fn learn_level(&mut self, clipped: f64) {
        let rate = LEVEL_RATE / self.period().max(LEVEL_POINTS) as f64;
        self.level += rate.max(self.running_rate()) * clipped;
        self.slope += SLOPE_RATE * rate * rate * clipped;
    }

    fn learn_spread(&mut self, value: f64, slow: f64, rounding: f64) {
        let rate = if self.n_points > 20 {
            SCALE_RATE
        } else {
            self.running_rate()
        };
        self.spread += rate * ((value - self.level).abs() - self.spread);
        let step = (value - self.past[0].value).abs();
        if self.n_points > 0 && step > rounding {
            self.resolution = self.resolution.min(step);
        }
        let is_off = f64::from(u8::from(slow.abs() > 0.5 * self.resolution));
        self.off_share += SCALE_RATE.max(self.running_rate()) * (is_off - self.off_share);
    }

    fn learn_scales(&mut self, fast: f64, slow: f64, thin: f64, is_clipped: bool) {
        let rate = SCALE_RATE.max(self.running_rate());
        for (scale, residual) in [(&mut self.fast_scale, fast), (&mut self.slow_scale, slow)] {
            let limit = if is_clipped {
                SCALE_CLIP * *scale + thin
            } else {
                f64::INFINITY
            };
            *scale += rate * (residual.abs().min(limit) * FROM_MEAN_ABSOLUTE - *scale);
        }
    }

    /// Adopts a season, taken from the newest values and their slots, which must not be empty.
    pub(super) fn take_season(&mut self, period: usize, slots: &[usize], values: &[f64]) {
        let Some(level) = median_in_place(&mut values.to_vec()) else {
            return;
        };
        let (profile, scale) = PhaseProfile::of(period, slots, values, level);
        (self.level, self.slope, self.slow_scale) = (level, 0.0, scale);
        self.fast_scale = self.fast_scale.min(FRESH_SCALES * scale);
        self.prediction = LeastSquares::new();
        self.prediction.restart(scale);
        for (past, slot) in self.past.iter_mut().zip(slots.iter().rev()) {
            past.phase = slot % period;
        }
        self.profile = Some(profile);
    }

    /// Adopts the trend of the newest values, if they have one and there is no season.
    pub(super) fn take_trend(&mut self, slots: &[usize], values: &[f64]) {
        if self.profile.is_some() {
            return;
        }
        let Some(trend) = Trend::of(slots, values) else {
            return;
        };
        if trend.scale < TREND_WORTH * self.slow_scale {
            self.level = trend.at(self.newest_slot);
            self.average = self.level;
            (self.slope, self.slow_scale) = (trend.slope, trend.scale);
            self.prediction.restart(trend.scale);
        }
    }

    /// Moves the level to where the values have been for a long time.
    pub(super) fn accept(&mut self, by: f64) {
        self.level += by;
        self.slope = 0.0;
        if let Some(profile) = &mut self.profile {
            profile.settle();
        }
    }

    /// The number of newest points that [`SeriesModel::take_season`] wants.
    pub(super) fn n_for_season(period: usize) -> usize {
        period.saturating_mul(N_CYCLES)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.profile.as_ref().map_or(0, PhaseProfile::memory_bytes)
    }
}

/// The residual, limited to `limit` on both sides. A limit of NaN does not limit it, where `clamp`
/// would panic.
fn clip(residual: f64, limit: f64) -> f64 {
    residual.max(-limit).min(limit)
}
