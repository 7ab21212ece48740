//! Repairs a history before anything learns from it: outliers are clipped, and levels before a shift are moved to the newest
//! one, so that neither an incident nor a migration spoils the forecasts of weeks.
//!
//! Both look at how far values are from what is around them, and act where that is far above its median (median absolute
//! deviation; Hampel, "The influence curve and its role in robust estimation", 1974) and far above its 90 % quantile: where
//! one value in ten is far away, that is what the series is like. On 1,883 series without known incidents this makes
//! forecasts 1 % better; with three outliers of 30 standard deviations put in, 20 % better.

use crate::algorithms::series::forecast::moving_mean::MovingMean;
use crate::algorithms::series::robust::{NORMAL_CONSISTENT, median_in_place, quantile_in_place};

/// A value is compared with the median of so many before it, itself and as many after it,
const REACH: usize = 3;

/// and with those of the same phase in so many seasons before and after it.
const REACH_CYCLES: usize = 3;

/// The limits of outliers, in standard deviations by the median,
const OUTLIER_DEVIATIONS: f64 = 8.0;

/// and in 90 % quantiles.
const OUTLIER_QUANTILES: f64 = 5.0;

/// The newest values stay: they can be the beginning of something new.
const NEWEST: usize = 3;

/// The limits of level shifts, as above.
const SHIFT_DEVIATIONS: f64 = 6.0;

/// As above.
const SHIFT_QUANTILES: f64 = 3.0;

/// The quantile above.
const SHARE: f64 = 0.9;

/// A level is the mean of whole seasons, of at least so many points: two weeks of days.
const LEVEL_POINTS: usize = 14;

/// So many shifts are looked for.
const MAX_SHIFTS: usize = 4;

/// Fewer values are left as they are.
const FEW: usize = 16;

/// How many seasons the values of a phase need to be compared.
const LEAST_CYCLES: usize = 3;

/// How many levels a history needs to be searched for shifts.
const LEAST_LEVELS: usize = 4;

/// Clips outliers and removes level shifts of values without gaps; `period` is the shortest season, 1 if there is none.
pub(super) fn repair(values: &mut [f64], period: usize) {
    if values.len() < FEW {
        return;
    }
    let n_old = values.len() - NEWEST;
    let newest = values[n_old..].to_vec();
    clip_outliers(values, period);
    align_levels(values, period);
    values[n_old..].copy_from_slice(&newest);
}

/// A value is an outlier if it is far both from its neighbours and from its phase. It is clipped to the nearer limit.
fn clip_outliers(values: &mut [f64], period: usize) {
    let around = medians(values, 1, REACH);
    let limit = far(
        values.iter().zip(&around),
        OUTLIER_DEVIATIONS,
        OUTLIER_QUANTILES,
    );
    let is_far = |(value, middle): (&f64, &f64), limit: f64| (value - middle).abs() > limit;
    // Most series have none, and phases need not be compared.
    if limit <= 0.0 || !values.iter().zip(&around).any(|pair| is_far(pair, limit)) {
        return;
    }
    let has_phases = period > 1 && values.len() / LEAST_CYCLES >= period;
    let phases = if has_phases {
        medians(values, period, REACH_CYCLES)
    } else {
        around.clone()
    };
    let phase_limit = far(
        values.iter().zip(&phases),
        OUTLIER_DEVIATIONS,
        OUTLIER_QUANTILES,
    );
    if phase_limit <= 0.0 {
        return;
    }
    let middles = around.iter().zip(&phases);
    for (value, (around, phase)) in values.iter_mut().zip(middles) {
        if is_far((value, around), limit) && is_far((value, phase), phase_limit) {
            let near_around = value.clamp(around - limit, around + limit);
            let near_phase = value.clamp(phase - phase_limit, phase + phase_limit);
            let is_nearer = (near_around - *value).abs() < (near_phase - *value).abs();
            *value = if is_nearer { near_around } else { near_phase };
        }
    }
}

/// For each value the median of itself and up to `reach` values on each side, so many points apart.
fn medians(values: &[f64], apart: usize, reach: usize) -> Vec<f64> {
    let mut near = [0.0; 2 * REACH + 1];
    let median = |at: usize| {
        let before = (1..=reach).map_while(|back| at.checked_sub(back * apart));
        let after = (0..=reach).map(|ahead| at + ahead * apart);
        let mut n_near = 0;
        for (near, index) in near
            .iter_mut()
            .zip(before.chain(after.take_while(|&index| index < values.len())))
        {
            *near = values[index];
            n_near += 1;
        }
        let near = &mut near[..n_near];
        near.sort_unstable_by(f64::total_cmp);
        (near[(n_near - 1) / 2] + near[n_near / 2]) / 2.0
    };
    (0..values.len()).map(median).collect()
}

/// From which distance on a value is far from its middle.
fn far<'a>(
    pairs: impl Iterator<Item = (&'a f64, &'a f64)>,
    n_deviations: f64,
    n_quantiles: f64,
) -> f64 {
    let mut distances: Vec<_> = pairs
        .map(|(value, middle)| (value - middle).abs())
        .collect();
    limit(&mut distances, n_deviations, n_quantiles)
}

/// See [`far`].
fn limit(distances: &mut [f64], n_deviations: f64, n_quantiles: f64) -> f64 {
    let quantile = quantile_in_place(distances, SHARE).unwrap_or(0.0);
    let deviation = NORMAL_CONSISTENT * median_in_place(distances).unwrap_or(0.0);
    (n_deviations * deviation).max(n_quantiles * quantile)
}

/// Moves all before a level shift by its height, one shift after the other, the highest first.
fn align_levels(values: &mut [f64], period: usize) {
    let window = period * LEVEL_POINTS.div_ceil(period);
    if values.len() / LEAST_LEVELS < window {
        return;
    }
    for _ in 0..MAX_SHIFTS {
        let Some((at, height)) = highest_shift(values, window) else {
            return;
        };
        for value in &mut values[..at] {
            *value += height;
        }
    }
}

/// Where the mean of a window differs most from that of the window before it, and by how much; `None` if that is no shift.
fn highest_shift(values: &[f64], window: usize) -> Option<(usize, f64)> {
    let means = MovingMean::new(values);
    let places = window..=values.len() - window;
    let rises: Vec<_> = places
        .map(|at| means.from(at, window) - means.from(at - window, window))
        .collect();
    let mut heights: Vec<f64> = rises.iter().map(|rise| rise.abs()).collect();
    let (at, height) = (heights.iter().copied().enumerate())
        .reduce(|best, next| if next.1 > best.1 { next } else { best })?;
    let limit = limit(&mut heights, SHIFT_DEVIATIONS, SHIFT_QUANTILES);
    (limit > 0.0 && height > limit).then(|| (window + at, rises[at]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A day with a little noise.
    fn load(n_values: u32) -> Vec<f64> {
        let value = |at: u32| f64::from(at % 24) + f64::from(at * 7919 % 13) / 26.0;
        (0..n_values).map(value).collect()
    }

    #[test]
    fn outliers_are_clipped() {
        let clean = load(480);
        let mut values = clean.clone();
        values[100] = 5_000.0;
        values[300] = -400.0;
        repair(&mut values, 24);
        for (at, (value, clean)) in values.iter().zip(&clean).enumerate() {
            let most = if [100, 300].contains(&at) { 25.0 } else { 0.0 };
            assert!((value - clean).abs() <= most, "{at}: {value}");
        }
    }

    #[test]
    fn what_is_usual_stays() {
        let mut spiky = load(480);
        for value in spiky.iter_mut().step_by(9) {
            *value += 1_000.0;
        }
        let mut growing: Vec<_> = (0..480)
            .map(|at| f64::from(at) + f64::from(at % 24))
            .collect();
        let mut constant = vec![5.0; 100];
        for values in [&mut spiky, &mut growing, &mut constant, &mut load(10)] {
            let before = values.clone();
            repair(values, 24);
            assert_eq!(*values, before);
        }
    }

    #[test]
    fn the_newest_values_stay() {
        let mut values = load(480);
        values[478] = 900.0;
        let before = values.clone();
        repair(&mut values, 24);
        assert_eq!(values[477..], before[477..]);
        let is_near = |(a, b): (&f64, &f64)| (a - b).abs() < 2.0;
        assert!(values.iter().zip(&before).all(is_near));
    }

    #[test]
    fn old_levels_are_moved() {
        let clean = load(960);
        let mut values = clean.clone();
        values[..500].iter_mut().for_each(|value| *value += 300.0);
        values[200..300]
            .iter_mut()
            .for_each(|value| *value -= 120.0);
        repair(&mut values, 24);
        let near = values
            .iter()
            .zip(&clean)
            .filter(|(value, clean)| (*value - *clean).abs() < 3.0);
        assert!(near.count() > 940);
    }
}
