//! Repairs a history before anything learns from it: clips outliers, and moves levels before a
//! shift to the newest one, so that neither an incident nor a migration spoils the forecasts of
//! weeks.
//!
//! Both repairs measure how far values are from those around them. They act if that is far above
//! its median (median absolute deviation; Hampel, "The influence curve and its role in robust
//! estimation", 1974) and far above its 90 % quantile: if one value in ten is far away, the series
//! is like that. On the series of `benches/record/2026-11-22-forecast.md` this changes little. With
//! three outliers of 30 standard deviations added to each, it makes forecasts 20 % better; with a
//! level shift of 6 standard deviations, 10 % or more.

use crate::algorithms::series::forecast::moving_mean::MovingMean;
use crate::algorithms::series::robust::{NORMAL_CONSISTENT, median_in_place, quantile_in_place};

/// A value is compared with the median of this many before it, itself, and as many after it,
const REACH: usize = 3;

/// and with those of the same phase in this many seasons before and after it.
const REACH_CYCLES: usize = 3;

/// Outliers are this many standard deviations away, by the median,
const OUTLIER_DEVIATIONS: f64 = 8.0;

/// and this many 90 % quantiles.
const OUTLIER_QUANTILES: f64 = 5.0;

/// Level shifts are this many standard deviations high,
const SHIFT_DEVIATIONS: f64 = 6.0;

/// and this many 90 % quantiles.
const SHIFT_QUANTILES: f64 = 3.0;

/// The quantile of both.
const SHARE: f64 = 0.9;

/// The quantile to use if that one is 0.
const RARE_SHARE: f64 = 0.98;

/// A level is the mean of whole seasons with at least this many points: two weeks of days.
const LEVEL_POINTS: usize = 14;

/// The largest number of shifts to look for.
const MAX_SHIFTS: usize = 4;

/// Fewer values are left as they are.
const FEW: usize = 16;

/// The number of seasons that comparing the values of a phase needs.
const LEAST_CYCLES: usize = 3;

/// The same for seasons other than the shortest: a few weeks tell less about an hour than as many
/// days do.
const MORE_CYCLES: usize = 2 * REACH_CYCLES + 1;

/// The number of levels that a history needs to be searched for shifts.
const LEAST_LEVELS: usize = 4;

/// Clips outliers and removes level shifts of values without gaps that have these seasons, shortest
/// first. Returns whether there were level shifts.
pub(super) fn repair(values: &mut [f64], periods: &[usize]) -> bool {
    if values.len() < FEW {
        return false;
    }
    clip_outliers(values, periods);
    align_levels(values, periods.first().copied().unwrap_or(1)) > 0
}

/// Clips each outlier to its nearest limit. A value is an outlier if it is far from its neighbours
/// and, in each season, from its phase: a weekly backup is none.
fn clip_outliers(values: &mut [f64], periods: &[usize]) {
    let mut bounds = bounds(values, 1, REACH);
    let is_within = |(value, bounds): (&f64, &[f64; 2])| (bounds[0]..=bounds[1]).contains(value);
    // Most series have no outliers, so phases need not be compared.
    if values.iter().zip(&bounds).all(is_within) {
        return;
    }
    for (number, &period) in periods.iter().enumerate() {
        let least_cycles = if number == 0 {
            LEAST_CYCLES
        } else {
            MORE_CYCLES
        };
        if values.len() / least_cycles < period {
            continue;
        }
        let of_phase = self::bounds(values, period, REACH_CYCLES);
        for (bounds, of_phase) in bounds.iter_mut().zip(of_phase) {
            *bounds = [bounds[0].min(of_phase[0]), bounds[1].max(of_phase[1])];
        }
    }
    for (value, [low, high]) in values.iter_mut().zip(bounds) {
        *value = value.clamp(low, high);
    }
}

/// The limits of each value; those within are not far from the values `apart` points away.
fn bounds(values: &[f64], apart: usize, reach: usize) -> Vec<[f64; 2]> {
    let middles = medians(values, apart, reach);
    let pairs = values.iter().zip(&middles);
    let mut distances: Vec<_> = pairs
        .map(|(value, middle)| (value - middle).abs())
        .collect();
    let limit = limit(&mut distances, OUTLIER_DEVIATIONS, OUTLIER_QUANTILES);
    let around = |middle: &f64| [middle - limit, middle + limit];
    middles.iter().map(around).collect()
}

/// For each value the median of itself and up to `reach` values on each side, `apart` points apart.
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

/// The distance from which a value is far from its middle. If nine of ten values have no distance,
/// rarer ones decide.
fn limit(distances: &mut [f64], n_deviations: f64, n_quantiles: f64) -> f64 {
    let quantile = n_quantiles * quantile_in_place(distances, SHARE).unwrap_or(0.0);
    if quantile > 0.0 {
        let deviation = NORMAL_CONSISTENT * median_in_place(distances).unwrap_or(0.0);
        return quantile.max(n_deviations * deviation);
    }
    n_quantiles * quantile_in_place(distances, RARE_SHARE).unwrap_or(0.0)
}

/// Moves all values before a level shift by its height, one shift after the other, the highest
/// first. Returns the number of shifts.
fn align_levels(values: &mut [f64], period: usize) -> usize {
    let window = period * LEVEL_POINTS.div_ceil(period);
    if values.len() / LEAST_LEVELS < window {
        return 0;
    }
    for n_shifts in 0..MAX_SHIFTS {
        let Some((at, height)) = highest_shift(values, window) else {
            return n_shifts;
        };
        for value in &mut values[..at] {
            *value += height;
        }
    }
    MAX_SHIFTS
}

/// The point at which the mean of a window differs most from that of the window before it, and by
/// how much; `None` if that is no shift.
fn highest_shift(values: &[f64], window: usize) -> Option<(usize, f64)> {
    let means = MovingMean::new(values);
    let places = window..=values.len() - window;
    let rises: Vec<_> = places
        .map(|at| means.from(at, window) - means.from(at - window, window))
        .collect();
    let heights = || rises.iter().map(|rise| rise.abs());
    let (at, height) =
        (heights().enumerate()).reduce(|best, next| if next.1 > best.1 { next } else { best })?;
    // The effect of a shift on the windows that contain it says nothing about the others.
    let others = heights()
        .enumerate()
        .filter(|(other, _)| other.abs_diff(at) >= window);
    let mut others: Vec<f64> = others.map(|(_, height)| height).collect();
    let limit = limit(&mut others, SHIFT_DEVIATIONS, SHIFT_QUANTILES);
    (!others.is_empty() && height > limit).then(|| (window + at, rises[at]))
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
        repair(&mut values, &[24]);
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
            repair(values, &[24]);
            assert_eq!(*values, before);
        }
    }

    #[test]
    fn rare_values_of_a_constant_are_outliers() {
        let mut values = vec![0.0; 336];
        values[320] = 500.0;
        repair(&mut values, &[]);
        assert!(values.iter().all(|value| value.abs() < 1e-9));
        let mut gauge = [vec![5.0; 300], vec![7.0; 36]].concat();
        assert!(repair(&mut gauge, &[]));
        assert!(gauge.iter().all(|value| (value - 7.0).abs() < 1e-9));
        // One value in twenty is normal for the series.
        let mut events: Vec<_> = (0..400)
            .map(|at| f64::from(u8::from(at % 20 == 7)))
            .collect();
        let before = events.clone();
        repair(&mut events, &[]);
        assert_eq!(events, before);
    }

    #[test]
    fn what_comes_every_week_stays() {
        let mut values = load(24 * 7 * 8);
        for backup in values.iter_mut().skip(100).step_by(24 * 7) {
            *backup += 2_000.0;
        }
        let before = values.clone();
        repair(&mut values, &[24, 24 * 7]);
        assert_eq!(values, before);
    }

    #[test]
    fn old_levels_are_moved() {
        let clean = load(960);
        let mut values = clean.clone();
        values[..500].iter_mut().for_each(|value| *value += 300.0);
        values[200..300]
            .iter_mut()
            .for_each(|value| *value -= 120.0);
        repair(&mut values, &[24]);
        let near = values
            .iter()
            .zip(&clean)
            .filter(|(value, clean)| (*value - *clean).abs() < 3.0);
        assert!(near.count() > 940);
    }
}
