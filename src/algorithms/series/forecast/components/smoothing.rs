//! Exponential smoothing without seasons. Holt's method has a damped trend (Holt 1957; Gardner and
//! McKenzie, "Forecasting trends in time series", 1985). The Theta method (Assimakopoulos and
//! Nikolopoulos, "The Theta model", 2000) is simple smoothing with half of the linear trend
//! (Hyndman and Billah, "Unmasking the Theta method", 2003); with all of it, it is smoothing with
//! drift.
//!
//! Parameters are those with the least squared errors one step ahead, on a grid. Smoothing is a
//! chain in which each value waits for the one before it, so many parameters cost no more than one:
//! all are tried in one pass, side by side.

/// The gains tried for simple smoothing, followed by as many between the neighbours of the best.
const GAINS: [f64; 8] = [0.01, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9];

/// The neighbours of the ends of [`GAINS`].
const GAIN_LIMITS: [f64; 2] = [0.001, 0.999];

/// The gains of Holt's level.
const LEVEL_GAINS: [f64; 6] = [0.05, 0.15, 0.3, 0.5, 0.75, 0.95];

/// The gains of Holt's trend, combined with [`DAMPINGS`].
const TREND_GAINS: [f64; 4] = [0.01, 0.05, 0.15, 0.4];

/// The shares of the trend that are left one step later.
const DAMPINGS: [f64; 3] = [0.8, 0.9, 0.97];

/// The number of trends of [`DampedHolt`]: each of [`TREND_GAINS`] with each of [`DAMPINGS`].
const N_TRENDS: usize = TREND_GAINS.len() * DAMPINGS.len();

/// Level and trend depend on each other, so each is searched twice, with the best other one.
const ROUNDS: usize = 2;

/// The first slope of Holt's method is that of this many first steps.
const FIRST_STEPS: usize = 4;

/// The part of the linear trend that continues: a Theta line of 0 has all of it, one of 2 has none,
/// and they are averaged.
pub(crate) const THETA_TREND: f64 = 0.5;

/// The whole trend, for series that grow steadily, such as a disk that fills.
pub(crate) const WHOLE_TREND: f64 = 1.0;

/// Simple exponential smoothing with several gains.
struct Smoothed<const N: usize> {
    levels: [f64; N],
    squared_errors: [f64; N],
}

fn smooth<const N: usize>(values: &[f64], gains: [f64; N]) -> Smoothed<N> {
    let (first, rest) = values.split_first().unwrap_or((&0.0, &[]));
    let mut levels = [*first; N];
    let mut squared_errors = [0.0; N];
    for &value in rest {
        for lane in 0..N {
            let error = value - levels[lane];
            squared_errors[lane] += error * error;
            levels[lane] += gains[lane] * error;
        }
    }
    Smoothed {
        levels,
        squared_errors,
    }
}

/// The index of the least number; the first if there are several.
pub(super) fn least(numbers: &[f64]) -> usize {
    let mut best = 0;
    for (index, number) in numbers.iter().enumerate() {
        if *number < numbers[best] {
            best = index;
        }
    }
    best
}

/// The gain of simple smoothing with the least squared errors.
fn best_gain(values: &[f64]) -> f64 {
    let best = least(&smooth(values, GAINS).squared_errors);
    let low = if best == 0 {
        GAIN_LIMITS[0]
    } else {
        GAINS[best - 1]
    };
    let high = GAINS.get(best + 1).copied().unwrap_or(GAIN_LIMITS[1]);
    let mut gains = GAINS;
    for (number, gain) in (1_u32..).zip(&mut gains) {
        *gain = low + (high - low) * f64::from(number) / (GAINS.len() + 1) as f64;
    }
    gains[least(&smooth(values, gains).squared_errors)]
}

/// The Theta method.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Theta {
    gain: f64,
}

impl Theta {
    pub(crate) fn fit(values: &[f64]) -> Self {
        Self {
            gain: best_gain(values),
        }
    }

    /// Forecasts with this part of the linear trend.
    pub(crate) fn forecast(self, values: &[f64], trend: f64, future: &mut [f64]) {
        let n_values = values.len() as f64;
        let [level] = smooth(values, [self.gain]).levels;
        // How far the smoothed level lags behind a straight line, in steps.
        let lag = (1.0 - (1.0 - self.gain).powf(n_values)) / self.gain;
        let drift = trend * slope(values);
        for (ahead, forecast) in future.iter_mut().enumerate() {
            *forecast = level + drift * (ahead as f64 + lag);
        }
    }
}

/// The slope of the straight line through the values with the least squared errors.
fn slope(values: &[f64]) -> f64 {
    let n_values = values.len() as f64;
    if values.len() < 2 {
        return 0.0;
    }
    let middle = (n_values - 1.0) / 2.0;
    let mut moment = 0.0;
    let mut at = -middle;
    for value in values {
        moment += at * value;
        at += 1.0;
    }
    moment * 12.0 / (n_values * (n_values * n_values - 1.0))
}

/// Holt's method with a damped trend.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DampedHolt {
    level_gain: f64,
    trend_gain: f64,
    damping: f64,
}

/// Holt's method with several parameters.
struct Trended<const N: usize> {
    levels: [f64; N],
    trends: [f64; N],
    squared_errors: [f64; N],
}

fn follow<const N: usize>(values: &[f64], parameters: &[DampedHolt; N]) -> Trended<N> {
    let (first, rest) = values.split_first().unwrap_or((&0.0, &[]));
    let n_steps = rest.len().min(FIRST_STEPS);
    let trend = if n_steps == 0 {
        0.0
    } else {
        (values[n_steps] - first) / n_steps as f64
    };
    let level_gains = parameters.map(|each| each.level_gain);
    let trend_gains = parameters.map(|each| each.level_gain * each.trend_gain);
    let dampings = parameters.map(|each| each.damping);
    let mut levels = [*first; N];
    let mut trends = [trend; N];
    let mut squared_errors = [0.0; N];
    for &value in rest {
        for lane in 0..N {
            let trend = dampings[lane] * trends[lane];
            let expected = levels[lane] + trend;
            let error = value - expected;
            squared_errors[lane] += error * error;
            levels[lane] = expected + level_gains[lane] * error;
            trends[lane] = trend + trend_gains[lane] * error;
        }
    }
    Trended {
        levels,
        trends,
        squared_errors,
    }
}

impl DampedHolt {
    pub(crate) fn fit(values: &[f64]) -> Self {
        let mut best = Self {
            level_gain: LEVEL_GAINS[2],
            trend_gain: TREND_GAINS[1],
            damping: DAMPINGS[1],
        };
        for _ in 0..ROUNDS {
            let levels = LEVEL_GAINS.map(|level_gain| Self { level_gain, ..best });
            best = levels[least(&follow(values, &levels).squared_errors)];
            let mut trends = [best; N_TRENDS];
            let dampings = DAMPINGS.iter().cycle();
            let gains = TREND_GAINS.iter().flat_map(|gain| [gain; DAMPINGS.len()]);
            for (trend, (gain, damping)) in trends.iter_mut().zip(gains.zip(dampings)) {
                (trend.trend_gain, trend.damping) = (*gain, *damping);
            }
            best = trends[least(&follow(values, &trends).squared_errors)];
        }
        best
    }

    pub(crate) fn forecast(self, values: &[f64], future: &mut [f64]) {
        let end = follow(values, &[self]);
        let ([level], [trend]) = (end.levels, end.trends);
        let (mut share, mut n_trends) = (1.0, 0.0);
        for forecast in future {
            share *= self.damping;
            n_trends += share;
            *forecast = level + n_trends * trend;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::series::forecast::components::check;

    const VALUES: [f64; 5] = [2.0, 4.0, 3.0, 6.0, 5.0];

    #[test]
    fn simple_smoothing_by_hand() {
        let smoothed = smooth(&VALUES, [0.5, 1.0]);
        // Levels at 0.5: 2, 3, 3, 4.5, 4.75 with errors 2, 0, 3, 0.5; at 1 the values themselves.
        check(&smoothed.levels, &[4.75, 5.0]);
        check(&smoothed.squared_errors, &[13.25, 15.0]);
    }

    #[test]
    fn damped_holt_by_hand() {
        let holt = DampedHolt {
            level_gain: 0.5,
            trend_gain: 0.5,
            damping: 0.8,
        };
        // Level and trend are 2 and 0.75; the expected values are then 2.6, 3.98, 3.88 + .., each
        // by the two equations of Gardner and McKenzie.
        let (mut level, mut trend): (f64, f64) = (2.0, 0.75);
        for value in &VALUES[1..] {
            let before = level;
            level = 0.5 * value + 0.5 * (before + 0.8 * trend);
            trend = 0.5 * (level - before) + 0.5 * 0.8 * trend;
        }
        let mut future = [0.0; 2];
        holt.forecast(&VALUES, &mut future);
        check(
            &future,
            &[level + 0.8 * trend, level + (0.8 + 0.64) * trend],
        );
    }

    #[test]
    fn theta_of_a_line_goes_on_with_half_its_slope() {
        let line: Vec<_> = (0..200).map(|at| 3.0 + 0.5 * f64::from(at)).collect();
        check(&[slope(&line)], &[0.5]);
        let mut future = [0.0; 3];
        let theta = Theta::fit(&line);
        theta.forecast(&line, THETA_TREND, &mut future);
        check(&[future[1] - future[0], future[2] - future[1]], &[0.25; 2]);
        assert!(theta.gain > 0.9 && (future[0] - 103.0).abs() < 0.5);
        theta.forecast(&line, WHOLE_TREND, &mut future);
        assert!((future[2] - 104.0).abs() < 0.1, "{future:?}");
        let mut future = [0.0];
        theta.forecast(&[7.0], THETA_TREND, &mut future);
        check(&future, &[7.0]);
    }

    #[test]
    fn a_line_is_followed_and_damped() {
        let line: Vec<_> = (0..200).map(|at| 0.5 * f64::from(at)).collect();
        let mut future = [0.0; 50];
        DampedHolt::fit(&line).forecast(&line, &mut future);
        assert!((future[0] - 100.0).abs() < 0.5 && future[49] < 124.0);
        assert!(future.is_sorted());
    }
}
