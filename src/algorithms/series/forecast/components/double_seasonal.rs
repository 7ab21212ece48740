//! Exponential smoothing of a level and two seasons, with errors that depend on the last one
//! (Taylor, "Short-term electricity demand forecasting using double seasonal exponential
//! smoothing", 2003), additive and without a trend.
//!
//! Each gain is searched on a grid while the others stay as they are; all values of a gain are
//! tried side by side in one pass.

use crate::algorithms::series::forecast::components::smoothing::least;
use crate::algorithms::series::forecast::history::Seasons;

/// The gains of the level.
const LEVEL_GAINS: [f64; 5] = [0.005, 0.02, 0.06, 0.15, 0.3];

/// The gains of a season.
const SEASON_GAINS: [f64; 5] = [0.01, 0.05, 0.12, 0.25, 0.4];

/// The shares of an error that carry over to the next one.
const ERROR_SHARES: [f64; 6] = [0.0, 0.3, 0.6, 0.8, 0.93, 0.98];

/// The number of times that each gain is searched.
const ROUNDS: usize = 2;

/// Logarithms beyond this are an overflow.
const LARGEST_LOGARITHM: f64 = 700.0;

/// Double seasonal exponential smoothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DoubleSeasonal {
    seasons: Seasons,
    gains: Gains,
}

/// The rate at which each part follows the errors.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Gains {
    level: f64,
    short: f64,
    long: f64,
    error_share: f64,
}

/// The state after some values, for several gains.
#[derive(Debug)]
pub(crate) struct SmoothingState<const N: usize> {
    gains: [Gains; N],
    level: [f64; N],
    last_error: [f64; N],
    squared_errors: [f64; N],
    short: Vec<[f64; N]>,
    /// All 0 if there is no long season.
    long: Vec<[f64; N]>,
    short_phase: usize,
    long_phase: usize,
}

impl DoubleSeasonal {
    /// The gains with the least squared errors after the first long cycle.
    pub(crate) fn fit(values: &[f64], seasons: Seasons) -> Self {
        let mut gains = Gains {
            level: LEVEL_GAINS[1],
            short: SEASON_GAINS[2],
            long: SEASON_GAINS[2],
            error_share: ERROR_SHARES[3],
        };
        for _ in 0..ROUNDS {
            let before = gains;
            gains = best(
                values,
                seasons,
                LEVEL_GAINS.map(|level| Gains { level, ..gains }),
            );
            gains = best(
                values,
                seasons,
                SEASON_GAINS.map(|short| Gains { short, ..gains }),
            );
            if seasons.long.is_some() {
                gains = best(
                    values,
                    seasons,
                    SEASON_GAINS.map(|long| Gains { long, ..gains }),
                );
            }
            let shares = ERROR_SHARES.map(|error_share| Gains {
                error_share,
                ..gains
            });
            gains = best(values, seasons, shares);
            if gains == before {
                break;
            }
        }
        Self { seasons, gains }
    }

    /// The state before the first of these values.
    pub(crate) fn start(self, values: &[f64]) -> SmoothingState<1> {
        SmoothingState::new(values, self.seasons, [self.gains])
    }
}

/// The gains with the least squared errors.
fn best<const N: usize>(values: &[f64], seasons: Seasons, gains: [Gains; N]) -> Gains {
    let mut state = SmoothingState::new(values, seasons, gains);
    let (first_cycle, rest) = values.split_at(values.len().min(seasons.longest()));
    state.learn(first_cycle);
    state.squared_errors = [0.0; N];
    state.learn(rest);
    gains[least(&state.squared_errors)]
}

impl<const N: usize> SmoothingState<N> {
    /// Starts with the level and the seasons of the first long cycle.
    fn new(values: &[f64], seasons: Seasons, gains: [Gains; N]) -> Self {
        let first_cycle = &values[..values.len().min(seasons.longest())];
        let level = first_cycle.iter().sum::<f64>() / first_cycle.len().max(1) as f64;
        let mut short = vec![0.0; seasons.short];
        for (phase, mean) in short.iter_mut().enumerate() {
            let values = first_cycle.iter().skip(phase).step_by(seasons.short);
            let mut n_values = 0.0_f64;
            for value in values {
                *mean += value - level;
                n_values += 1.0;
            }
            *mean /= n_values.max(1.0);
        }
        let mut long = vec![0.0; seasons.long.unwrap_or(1)];
        if seasons.long.is_some() {
            let explained = first_cycle.iter().zip(short.iter().cycle());
            for (rest, (value, short)) in long.iter_mut().zip(explained) {
                *rest = value - level - short;
            }
        }
        Self {
            gains,
            level: [level; N],
            last_error: [0.0; N],
            squared_errors: [0.0; N],
            short: short.into_iter().map(|value| [value; N]).collect(),
            long: long.into_iter().map(|value| [value; N]).collect(),
            short_phase: 0,
            long_phase: 0,
        }
    }

    /// Follows the next values.
    pub(crate) fn learn(&mut self, values: &[f64]) {
        let level_gains = self.gains.map(|gains| gains.level);
        let short_gains = self.gains.map(|gains| gains.short);
        // A long season of one point stays 0.
        let learns_long = if self.long.len() > 1 { 1.0 } else { 0.0 };
        let long_gains = self.gains.map(|gains| gains.long * learns_long);
        let shares = self.gains.map(|gains| gains.error_share);
        let (mut level, mut last_error) = (self.level, self.last_error);
        let mut squared_errors = self.squared_errors;
        for &value in values {
            let short = &mut self.short[self.short_phase];
            let long = &mut self.long[self.long_phase];
            for lane in 0..N {
                let unexplained = value - (level[lane] + short[lane] + long[lane]);
                let error = unexplained - shares[lane] * last_error[lane];
                squared_errors[lane] += error * error;
                level[lane] += level_gains[lane] * error;
                short[lane] += short_gains[lane] * error;
                long[lane] += long_gains[lane] * error;
                last_error[lane] = unexplained;
            }
            self.short_phase = next_phase(self.short_phase, self.short.len());
            self.long_phase = next_phase(self.long_phase, self.long.len());
        }
        (self.level, self.last_error) = (level, last_error);
        self.squared_errors = squared_errors;
    }
}

impl SmoothingState<1> {
    /// Forecasts the values that follow.
    pub(crate) fn forecast(&self, future: &mut [f64]) {
        let [level] = self.level;
        let [mut error] = self.last_error;
        let (mut short, mut long) = (self.short_phase, self.long_phase);
        for forecast in future {
            error *= self.gains[0].error_share;
            *forecast = level + self.short[short][0] + self.long[long][0] + error;
            short = next_phase(short, self.short.len());
            long = next_phase(long, self.long.len());
        }
    }
}

fn next_phase(phase: usize, period: usize) -> usize {
    if phase + 1 == period { 0 } else { phase + 1 }
}

/// The value of a forecast of logarithms.
pub(crate) fn from_logarithm(forecast: f64) -> f64 {
    forecast.min(LARGEST_LOGARITHM).exp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    fn check_recovered(seasons: Seasons, value: impl Fn(f64) -> f64) {
        let values: Vec<_> = (0..900).map(|at| value(f64::from(at))).collect();
        let mut state = DoubleSeasonal::fit(&values[..800], seasons).start(&values);
        state.learn(&values[..800]);
        let mut future = [0.0; 100];
        state.forecast(&mut future);
        for (forecast, expected) in future.iter().zip(&values[800..]) {
            assert!((forecast - expected).abs() < 0.01, "{forecast} {expected}");
        }
    }

    #[test]
    fn two_sines_are_recovered() {
        let short = |at: f64| (at / 8.0 * TAU).sin();
        let seasons = Seasons {
            short: 8,
            long: Some(40),
        };
        check_recovered(seasons, |at| {
            5.0 + short(at) + 2.0 * (at / 40.0 * TAU).cos()
        });
        check_recovered(
            Seasons {
                long: None,
                ..seasons
            },
            |at| 5.0 + short(at),
        );
    }

    #[test]
    fn by_hand() {
        let gains = Gains {
            level: 0.5,
            short: 0.25,
            long: 0.0,
            error_share: 0.5,
        };
        let seasons = Seasons {
            short: 2,
            long: None,
        };
        let mut state = DoubleSeasonal { seasons, gains }.start(&[1.0, 3.0, 3.0]);
        // Level 2, season -1 and 1; the first cycle is met exactly.
        state.learn(&[1.0, 3.0, 3.0]);
        // Expected 1, error 2: level 3, season -0.5.
        let mut future = [0.0; 2];
        state.forecast(&mut future);
        assert_eq!(future.to_vec(), [3.0 + 1.0 + 1.0, 3.0 - 0.5 + 0.5]);
    }
}
