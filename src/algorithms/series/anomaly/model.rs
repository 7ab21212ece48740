//! What is expected of the next point: a slow expectation, which is the level and the season, and a fast one, which
//! adds what the last points say.
//!
//! The season is one value a phase, first the median of its newest cycles (as in seasonal-trend decompositions), then
//! learnt by exponential smoothing. The fast expectation is a linear prediction of the deviation from the slow one, of the
//! two last deviations, their moving average, the deviation one season ago, and the season itself ([`LeastSquares`]).
//! Everything learns from clipped residuals (Huber, "Robust estimation of a location parameter", 1964), and scales are
//! clipped mean absolute residuals, so that an outlier neither moves an expectation nor widens a bound by much.

use crate::algorithms::series::anomaly::least_squares::{Features, LeastSquares};
use crate::algorithms::series::robust::median_in_place;

/// The mean absolute deviation of a normal distribution times this is its standard deviation: the square root of pi / 2.
pub(super) const FROM_MEAN_ABSOLUTE: f64 = 1.25;

/// Residuals beyond so many scales teach no more than that.
const CLIP: f64 = 3.0;

/// The same for scales, which would shrink if they were clipped as tightly.
const SCALE_CLIP: f64 = 4.0;

/// How fast scales follow, at least: over some 500 points.
const SCALE_RATE: f64 = 0.002;

/// The level follows by so much in a season, and in no less than [`LEVEL_POINTS`].
const LEVEL_RATE: f64 = 0.5;

/// Without a season the level follows as if there were one of so many points.
const LEVEL_POINTS: usize = 200;

/// How far a phase of the season follows in each cycle.
const SEASON_RATE: f64 = 0.15;

/// How far the scale of a phase follows in each cycle.
const PHASE_SCALE_RATE: f64 = 0.1;

/// While the scales of phases are first learnt, from a few cycles, they follow faster.
const FIRST_PHASE_SCALE_RATE: f64 = 0.3;

/// How far the moving average follows.
const AVERAGE_RATE: f64 = 0.2;

/// A season begins as the median of so many cycles.
const N_CYCLES: usize = 6;

/// Points before anything is clipped, and before the fast expectation learns.
const N_UNCLIPPED: usize = 10;
const N_UNTAUGHT: usize = 8;

/// Below this share of the level a residual is rounding error.
const ROUNDING: f64 = 1e-12;

/// What clipping needs of the spread, so that a scale of 0 can grow again.
const THIN: f64 = 1e-3;

/// The season as learnt.
#[derive(Debug)]
struct Profile {
    /// The deviation from the level of each phase.
    values: Vec<f64>,
    /// The scale of the slow residuals of each phase.
    scales: Vec<f64>,
    /// The last value of each phase; NaN if there was none.
    last: Vec<f64>,
}

/// A point of the past.
#[derive(Debug, Clone, Copy, Default)]
struct Past {
    value: f64,
    phase: usize,
}

/// What is expected of a series, and how far off that was so far.
#[derive(Debug)]
pub(super) struct Model {
    n_points: usize,
    level: f64,
    average: f64,
    fast_scale: f64,
    slow_scale: f64,
    spread: f64,
    resolution: f64,
    profile: Option<Profile>,
    prediction: LeastSquares,
    /// The last point and the one before.
    past: [Past; 2],
}

/// What is expected of a point.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expectation {
    phase: usize,
    season: f64,
    features: Features,
    /// Level and season.
    pub(super) slow: f64,
    /// With what the last points say.
    pub(super) fast: f64,
    /// How far off the slow expectation usually is, as a standard deviation.
    pub(super) slow_scale: f64,
    /// The same of the fast one.
    pub(super) fast_scale: f64,
    /// The mean absolute deviation from the level.
    pub(super) spread: f64,
    /// The smallest step between neighbours; 0 before the second value.
    pub(super) resolution: f64,
    /// What is smaller is rounding error.
    pub(super) rounding: f64,
}

impl Model {
    pub(super) fn new() -> Self {
        Self {
            n_points: 0,
            level: 0.0,
            average: 0.0,
            fast_scale: 0.0,
            slow_scale: 0.0,
            spread: 0.0,
            resolution: f64::INFINITY,
            profile: None,
            prediction: LeastSquares::new(),
            past: [Past::default(); 2],
        }
    }

    /// Whether all values so far are equal.
    pub(super) fn is_constant(&self) -> bool {
        self.resolution.is_infinite()
    }

    /// The phase of a slot.
    fn phase(&self, slot: usize) -> usize {
        self.profile
            .as_ref()
            .map_or(0, |profile| slot % profile.values.len())
    }

    fn season(&self, phase: usize) -> f64 {
        self.profile
            .as_ref()
            .map_or(0.0, |profile| profile.values[phase])
    }

    /// What is expected in a slot. Of the first point nothing is known: its expectation is `value`.
    pub(super) fn expect(&mut self, slot: usize, value: f64) -> Expectation {
        if self.n_points == 0 {
            (self.level, self.average) = (value, value);
        }
        let phase = self.phase(slot);
        let season = self.season(phase);
        let features = self.features(phase, season);
        let slow = self.level + season;
        let phase_scale = self.profile.as_ref().map(|profile| profile.scales[phase]);
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
            resolution: if self.is_constant() {
                0.0
            } else {
                self.resolution
            },
            rounding: ROUNDING * self.level.abs() + f64::MIN_POSITIVE,
        }
    }

    fn features(&self, phase: usize, season: f64) -> Features {
        let deviation = |past: &Past, n_needed: usize| {
            if self.n_points < n_needed {
                0.0
            } else {
                past.value - self.season(past.phase) - self.level
            }
        };
        let last_season = self
            .profile
            .as_ref()
            .map_or(f64::NAN, |profile| profile.last[phase]);
        [
            deviation(&self.past[0], 1),
            self.average - self.level,
            if last_season.is_nan() {
                0.0
            } else {
                last_season - season - self.level
            },
            season,
            deviation(&self.past[1], 2),
        ]
    }

    /// Learns from a point.
    pub(super) fn learn(&mut self, value: f64, expected: &Expectation) {
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
        let clipped = clip(slow, slow_limit);
        self.learn_level(value, clipped, slow_limit, expected);
        self.learn_phase(value, slow, clipped, thin, expected.phase);
        self.learn_scales(fast, slow, thin, is_clipped);
        let rate = if self.n_points > 20 {
            SCALE_RATE
        } else {
            self.running_rate()
        };
        self.spread += rate * ((value - self.level).abs() - self.spread);
        let step = (value - self.past[0].value).abs();
        if self.n_points > 0 && step > expected.rounding {
            self.resolution = self.resolution.min(step);
        }
        self.past = [
            Past {
                value,
                phase: expected.phase,
            },
            self.past[0],
        ];
        self.n_points += 1;
    }

    /// The rate at which an average of all points so far follows.
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

    fn learn_level(&mut self, value: f64, clipped: f64, slow_limit: f64, expected: &Expectation) {
        let period = self
            .profile
            .as_ref()
            .map_or(0, |profile| profile.values.len());
        let rate = LEVEL_RATE / period.max(LEVEL_POINTS) as f64;
        self.level += rate.max(self.running_rate()) * clipped;
        let far = value - expected.season - self.average;
        self.average += AVERAGE_RATE * clip(far, 2.0 * slow_limit);
    }

    fn learn_phase(&mut self, value: f64, slow: f64, clipped: f64, thin: f64, phase: usize) {
        let Some(profile) = &mut self.profile else {
            return;
        };
        profile.values[phase] += SEASON_RATE * clipped;
        profile.last[phase] = value;
        let scale = &mut profile.scales[phase];
        let size = slow.abs().min(CLIP * *scale + thin) * FROM_MEAN_ABSOLUTE;
        *scale += PHASE_SCALE_RATE * (size - *scale);
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

    /// Takes over a season, from the newest values and their slots, which must not be empty.
    pub(super) fn take_season(&mut self, period: usize, slots: &[usize], values: &[f64]) {
        let Some(level) = median_in_place(&mut values.to_vec()) else {
            return;
        };
        let phases = || slots.iter().map(|slot| slot % period);
        let profile = median_profile(period, slots, values, level);
        let residual = |phase: usize, value: f64| (value - level - profile[phase]).abs();
        let sizes = || {
            phases()
                .zip(values)
                .map(|(phase, value)| (phase, residual(phase, *value)))
        };
        let sum: f64 = sizes().map(|(_, size)| size).sum();
        let scale = sum / values.len() as f64 * FROM_MEAN_ABSOLUTE;
        let mut scales = vec![scale; period];
        for (phase, size) in sizes() {
            let size = size.min(CLIP * scale) * FROM_MEAN_ABSOLUTE;
            scales[phase] += FIRST_PHASE_SCALE_RATE * (size - scales[phase]);
        }
        let mut last = vec![f64::NAN; period];
        for (phase, value) in phases().zip(values) {
            last[phase] = *value;
        }
        (self.level, self.slow_scale) = (level, scale);
        self.prediction.restart(scale);
        let n_points = slots.len();
        for (back, past) in self.past.iter_mut().enumerate() {
            if let Some(slot) = n_points.checked_sub(back + 1).map(|at| slots[at]) {
                past.phase = slot % period;
            }
        }
        self.profile = Some(Profile {
            values: profile,
            scales,
            last,
        });
    }

    /// How many of the newest points [`Model::take_season`] wants.
    pub(super) fn n_for_season(period: usize) -> usize {
        period.saturating_mul(N_CYCLES)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let n_phases = self
            .profile
            .as_ref()
            .map_or(0, |profile| profile.values.capacity());
        3 * 8 * n_phases
    }
}

/// The residual, or the limit where it is beyond. A limit that is NaN is none, where `clamp` would panic.
fn clip(residual: f64, limit: f64) -> f64 {
    residual.max(-limit).min(limit)
}

/// The median deviation from the level in each phase; 0 where there is no value.
fn median_profile(period: usize, slots: &[usize], values: &[f64], level: f64) -> Vec<f64> {
    let mut first = vec![0; period + 1];
    for slot in slots {
        first[slot % period + 1] += 1;
    }
    for phase in 0..period {
        first[phase + 1] += first[phase];
    }
    let (mut next, mut sorted) = (first.clone(), vec![0.0; values.len()]);
    for (slot, value) in slots.iter().zip(values) {
        let place = &mut next[slot % period];
        sorted[*place] = value - level;
        *place += 1;
    }
    let phases = first.windows(2);
    phases
        .map(|bounds| median_in_place(&mut sorted[bounds[0]..bounds[1]]).unwrap_or(0.0))
        .collect()
}
