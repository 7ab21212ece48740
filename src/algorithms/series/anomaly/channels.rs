//! Three views of how unusual a point is: the point itself, a shift of the last points, and their
//! scatter.
//!
//! * The point: the harmonic mean of its distances from the fast and from the slow expectation,
//!   each in its own robust scale. A value must surprise both: neither what the last points
//!   announced nor what the season knows is a surprise.
//! * The shift: a moving average of the slow residuals (an EWMA chart, Roberts, "Control chart
//!   tests based on geometric moving averages", 1959), in units of what that average usually is.
//!   This makes it safe on autocorrelated series, where charts with a theoretical limit raise false
//!   alarms all the time. It counts only while the newest points are still shifted.
//! * The scatter: a moving average of the sizes of the fast residuals, against its own long-run
//!   average and scatter (MacGregor and Harris, "The exponentially weighted moving variance",
//!   1993). It counts only when there are large residuals of both signs among the last points.
//!
//! The constants were chosen on service metrics with labelled incidents. They are round numbers
//! from the middle of the region where results hardly change.

use crate::algorithms::series::anomaly::deviation::{FROM_MEAN_ABSOLUTE, ROUNDED};
use crate::algorithms::series::anomaly::model::Expectation;

/// The number of views.
pub(super) const N_CHANNELS: usize = 3;

/// The index of each view.
pub(super) const POINT: usize = 0;
pub(super) const SHIFT: usize = 1;
pub(super) const SCATTER: usize = 2;

/// The distance from which each view reports an event, in its own scales.
pub(super) const THRESHOLDS: [f64; N_CHANNELS] = [5.0, 4.0, 9.0];

/// Scales are at least this share of the mean absolute deviation from the level, so that ripples in
/// a quiet stretch of a series with high peaks are not events.
pub(super) const FLOOR: f64 = 0.05;

/// The same floor where residuals are averaged; it can be smaller there.
const THIN_FLOOR: f64 = 1e-3;

/// Nothing is judged before this many points.
pub(super) const N_SILENT: usize = 20;

/// The number of points at which a single point is half trusted, and at which averages are.
const POINT_TRUST: f64 = 24.0;
const AVERAGE_TRUST: f64 = 500.0;

/// The largest distance; it keeps a jump after equal values finite.
const FARTHEST: f64 = 1e6;

/// Slow residuals are clipped at this many scales before they are averaged: one outlier is no
/// shift.
const SHIFT_CLIP: f64 = 4.0;

/// The averages of shift and scatter cover about this many points; the short average gives the
/// newest point this weight.
const SHIFT_POINTS: f64 = 32.0;
const SCATTER_POINTS: f64 = 24.0;
const SHORT_RATE: f64 = 0.6;

/// A shift counts while the short average is at least this part of the long one. Once it is not,
/// the shift is over and the long average restarts from the short one.
const STILL: f64 = 0.5;

/// The standard deviation of the average of independent residuals: the square root of (1/32) / (2 -
/// 1/32).
const AVERAGE_OF_NOISE: f64 = 0.126;

/// The least scale of an average; no series is steady enough to need less.
const LEAST_AVERAGE_SCALE: f64 = 0.05;

/// The mean size of a normal residual, in scales; the first and the least scatter of its average.
const NORMAL_SIZE: f64 = 0.8;
const FIRST_SIZE_SCALE: f64 = 0.3;
const LEAST_SIZE_SCALE: f64 = 0.12;

/// Sizes are clipped here before they are averaged.
const SIZE_CLIP: f64 = 3.0;

/// The average size below which there is no event, whatever the series showed before: more than
/// twice the normal size.
const LEAST_SIZE: f64 = 1.9;

/// The least rate at which the long-run averages follow.
const LONG_RATE: f64 = 0.001;

/// A residual of this many scales is large, and this many large ones of each sign must be among the
/// last 32 points.
const LARGE: f64 = 2.0;
const N_LARGE: u32 = 5;

/// Signs of the large residuals among the last 32 points, one bit each.
#[derive(Debug, Clone, Copy, Default)]
struct LargeSigns {
    up: u32,
    down: u32,
}

impl LargeSigns {
    fn push(&mut self, residual: f64) {
        self.up = self.up << 1 | u32::from(residual > LARGE);
        self.down = self.down << 1 | u32::from(residual < -LARGE);
    }

    /// The number of large residuals of the rarer sign.
    fn n_both(self) -> u32 {
        self.up.count_ones().min(self.down.count_ones())
    }
}

/// The state of the three views.
#[derive(Debug)]
pub(super) struct Channels {
    strictness: f64,
    n_points: usize,
    shift: f64,
    shift_scale: f64,
    short: f64,
    size: f64,
    size_mean: f64,
    size_scale: f64,
    signs: LargeSigns,
}

/// The three views of one point.
#[derive(Debug, Clone, Copy)]
pub(super) struct Views {
    /// How far the point is from normal, in the scales of each view.
    pub(super) distances: [f64; N_CHANNELS],
    /// The average slow residual of the last points, in scales, with its sign.
    pub(super) shift: f64,
    /// The same over the newest points only, and no farther off than this point; 0 if this point is
    /// off to the other side.
    pub(super) stays: f64,
    /// The number of large residuals of the rarer sign among the last points.
    pub(super) n_both_signs: u32,
}

impl Channels {
    /// Channels whose thresholds are multiplied by `strictness`.
    pub(super) fn new(strictness: f64) -> Self {
        Self {
            strictness,
            n_points: 0,
            shift: 0.0,
            shift_scale: 0.5,
            short: 0.0,
            size: NORMAL_SIZE,
            size_mean: NORMAL_SIZE,
            size_scale: FIRST_SIZE_SCALE,
            signs: LargeSigns::default(),
        }
    }

    /// Takes the next point and judges it.
    pub(super) fn view(&mut self, value: f64, expected: &Expectation) -> Views {
        let (fast, slow) = (value - expected.fast, value - expected.slow);
        let is_judged = self.n_points >= N_SILENT;
        // Rounding to the smallest step is no event.
        let rounded = ROUNDED * expected.resolution + expected.rounding;
        let floor = FLOOR * expected.spread + rounded;
        let thin = THIN_FLOOR * expected.spread + rounded;
        let (point, fast_size, slow_size) = if is_judged {
            let point = harmonic_mean(
                (fast.abs() / (expected.fast_scale + floor)).min(FARTHEST),
                (slow.abs() / (expected.slow_scale + floor)).min(FARTHEST),
            );
            (
                point,
                fast / (expected.fast_scale + thin),
                slow / (expected.slow_scale + thin),
            )
        } else {
            (0.0, 0.0, 0.0)
        };
        self.signs.push(fast_size);
        let trust = |n_needed: f64| self.n_points as f64 / (self.n_points as f64 + n_needed);
        let (point_trust, average_trust) = (trust(POINT_TRUST), trust(AVERAGE_TRUST));
        let size = if is_judged {
            fast_size.abs()
        } else {
            NORMAL_SIZE
        };
        let distances = [
            point * point_trust,
            self.view_shift(slow_size.clamp(-SHIFT_CLIP, SHIFT_CLIP), average_trust),
            self.view_scatter(size, average_trust),
        ];
        if is_judged {
            self.learn();
        }
        self.n_points += 1;
        Views {
            distances,
            shift: self.shift,
            stays: lesser(self.short, slow_size),
            n_both_signs: self.signs.n_both(),
        }
    }

    fn view_shift(&mut self, residual: f64, trust: f64) -> f64 {
        self.shift += (residual - self.shift) / SHIFT_POINTS;
        self.short += (residual - self.short) * SHORT_RATE;
        let distance = self.shift.abs() / self.shift_scale.max(AVERAGE_OF_NOISE) * trust;
        let is_still = self.short * self.shift.signum() >= STILL * self.shift.abs();
        if is_still {
            return distance;
        }
        if distance >= THRESHOLDS[SHIFT] * self.strictness {
            self.shift = self.short;
        }
        distance.min(below(SHIFT))
    }

    fn view_scatter(&mut self, size: f64, trust: f64) -> f64 {
        self.size += (size.min(SIZE_CLIP) - self.size) / SCATTER_POINTS;
        let distance = (self.size - self.size_mean) / self.size_scale.max(LEAST_SIZE_SCALE) * trust;
        let is_scatter = self.signs.n_both() >= N_LARGE && self.size >= LEAST_SIZE;
        if is_scatter {
            distance
        } else {
            distance.min(below(SCATTER))
        }
    }

    /// Follows the usual values of the averages.
    fn learn(&mut self) {
        let rate = LONG_RATE.max(1.0 / (self.n_points - N_SILENT + 1) as f64);
        let size = self.shift.abs().min(3.0 * self.shift_scale) * FROM_MEAN_ABSOLUTE;
        self.shift_scale += rate * (size - self.shift_scale);
        self.shift_scale = self.shift_scale.max(LEAST_AVERAGE_SCALE);
        self.size_mean += rate * (self.size - self.size_mean).clamp(-0.5, 0.5);
        let off = (self.size - self.size_mean).abs();
        let size = off.min(3.0 * self.size_scale) * FROM_MEAN_ABSOLUTE;
        self.size_scale += rate * (size - self.size_scale);
    }
}

/// A distance just below the threshold of the view.
pub(super) fn below(channel: usize) -> f64 {
    0.99 * THRESHOLDS[channel]
}

/// The number that is closer to 0, with its sign; 0 if the signs differ.
fn lesser(first: f64, second: f64) -> f64 {
    if first * second <= 0.0 {
        0.0
    } else {
        first.signum() * first.abs().min(second.abs())
    }
}

fn harmonic_mean(first: f64, second: f64) -> f64 {
    2.0 * first * second / (first + second + f64::MIN_POSITIVE)
}
