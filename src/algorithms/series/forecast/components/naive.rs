//! Forecasts that repeat the past: hard to beat (Makridakis and Hibon, "The M3-Competition", 2000),
//! and the benchmark of any forecast.

use crate::algorithms::series::forecast::history::Seasons;

/// The number of seasons that [`seasonal_median`] uses: odd, so that the median is one of the
/// values.
const MEDIAN_CYCLES: usize = 7;

/// The same without a season.
const MEDIAN_POINTS: usize = 5;

/// The value one short season ago; without a season the last one. There must be at least one season
/// of values.
pub(crate) fn seasonal_naive(values: &[f64], seasons: Seasons, future: &mut [f64]) {
    repeat(&values[values.len() - seasons.short..], future);
}

/// The median of the same phase in the last seven short seasons, or as many as there are.
pub(crate) fn seasonal_median(values: &[f64], seasons: Seasons, future: &mut [f64]) {
    let n_cycles = if seasons.short > 1 {
        MEDIAN_CYCLES
    } else {
        MEDIAN_POINTS
    };
    each_phase(values, seasons.short, n_cycles, future, |phase| {
        phase.sort_unstable_by(f64::total_cmp);
        let upper = phase.len() / 2;
        (phase[(phase.len() - 1) / 2] + phase[upper]) / 2.0
    });
}

fn repeat(cycle: &[f64], future: &mut [f64]) {
    for chunk in future.chunks_mut(cycle.len()) {
        chunk.copy_from_slice(&cycle[..chunk.len()]);
    }
}

/// Forecasts each phase by the `summary` of its values in the last cycles.
fn each_phase(
    values: &[f64],
    period: usize,
    n_cycles: usize,
    future: &mut [f64],
    summary: impl Fn(&mut [f64]) -> f64,
) {
    let n_values = values.len();
    let (first, rest) = future.split_at_mut(period.min(future.len()));
    let mut phase = [0.0; MEDIAN_CYCLES];
    for (after, forecast) in first.iter_mut().enumerate() {
        let indices =
            (1..=n_cycles).map_while(|cycle| (n_values + after).checked_sub(cycle * period));
        let mut n_found = 0;
        for (found, index) in phase.iter_mut().zip(indices) {
            *found = values[index];
            n_found += 1;
        }
        *forecast = summary(&mut phase[..n_found]);
    }
    repeat_if_any(first, rest);
}

fn repeat_if_any(cycle: &[f64], future: &mut [f64]) {
    if !cycle.is_empty() {
        repeat(cycle, future);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Naive = fn(&[f64], Seasons, &mut [f64]);

    #[track_caller]
    fn check(naive: Naive, short: usize, long: Option<usize>, expected: &[f64]) {
        let values = [9.0, 5.0, 1.0, 6.0, 2.0, 7.0, 6.0, 8.0];
        let mut future = vec![f64::NAN; expected.len()];
        naive(&values, Seasons { short, long }, &mut future);
        assert_eq!(future, expected);
    }

    #[test]
    fn forecasts_by_hand() {
        check(seasonal_naive, 1, None, &[8.0, 8.0]);
        check(seasonal_naive, 2, None, &[6.0, 8.0, 6.0]);
        check(seasonal_median, 2, None, &[4.0, 6.5, 4.0]);
        check(seasonal_median, 1, None, &[6.0, 6.0]);
    }
}
