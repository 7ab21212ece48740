//! Decomposition: splits a series into trend, seasons and residual, so that each can be looked at
//! without the others.
//!
//! With one season it is STL (Cleveland, Cleveland, McRae and Terpenning, "STL: a seasonal-trend
//! decomposition procedure based on loess", Journal of Official Statistics, 1990). With several it
//! is MSTL, which runs STL for one season after the other on what the others leave, twice (Bandara,
//! Hyndman and Bergmeir, arXiv:2107.13462, 2021). Without a season it is loess alone. With equal
//! parameters the numbers are those of statsmodels. The defaults are those of the papers: one inner
//! and five outer passes if outliers must not count, otherwise two inner ones. Loess is computed at
//! every tenth of its window and interpolated with straight lines.
//!
//! The treatment of missing values is an addition: they get the weight 0, and where a whole window
//! is missing, they are taken from the season on a straight line.

use std::ops::Range;

use crate::algorithms::series::periods::bridge_seasonally;
use crate::algorithms::series::robust::{floor_index, magnitude, median_in_place};
use crate::algorithms::series::samples::bridge;

/// The passes of a robust decomposition: the paper's "5 or 10" and 1.
const ROBUST_PASSES: Passes = Passes { inner: 1, outer: 5 };

/// The passes of a decomposition that trusts all values: the paper's 2.
const PLAIN_PASSES: Passes = Passes { inner: 2, outer: 0 };

/// The number of times that MSTL goes through several seasons.
const ROUNDS: usize = 2;

/// Loess is computed this many times per window (section 4 of the STL paper).
const JUMPS_PER_WINDOW: usize = 10;

/// Without a season the trend window is the series divided by this.
const TREND_PARTS: usize = 10;

/// The shortest window: fewer points do not determine a line.
const SHORTEST_WINDOW: usize = 7;

/// The longest window, so that products of windows and periods cannot overflow.
const LONGEST_WINDOW: usize = 1 << 31;

/// The options of a decomposition.
///
/// ```
/// use datafusion_aiops::algorithms::series::DecomposeOptions;
/// assert!(DecomposeOptions::default().is_robust);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DecomposeOptions {
    /// The lengths of the seasons, in points. Those shorter than 2 points or longer than half the
    /// series are ignored.
    pub periods: Vec<usize>,
    /// Whether outliers go only into the residual. Default: yes.
    pub is_robust: bool,
    /// The number of cycles that a season is averaged over, made odd, from 7 to 2^31. The more
    /// cycles, the less the season changes. Default: 11 for the shortest season, 15 for the next,
    /// and so on, as in MSTL.
    pub seasonal_window: Option<usize>,
    /// The number of points that the trend is averaged over, made odd, from 7 to 2^31. Default:
    /// about one and a half periods, by the formula of the paper; without a season a tenth of the
    /// series.
    pub trend_window: Option<usize>,
}

impl Default for DecomposeOptions {
    fn default() -> Self {
        Self {
            periods: vec![],
            is_robust: true,
            seasonal_window: None,
            trend_window: None,
        }
    }
}

/// The parts of a series: at each point the value is `trend` + the seasons + `residual`.
///
/// ```
/// use datafusion_aiops::algorithms::series::{DecomposeOptions, decompose};
/// let values: Vec<f64> = (0..40).map(|at| f64::from(at) + [0.0, 9.0, 0.0, -9.0][at as usize % 4]).collect();
/// let mut options = DecomposeOptions::default();
/// options.periods = vec![4];
/// let parts = decompose(&values, &options);
/// assert!((parts.trend[20] - 20.0).abs() < 0.01);
/// assert!((parts.seasons[0].values[21] - 9.0).abs() < 0.01);
/// assert!(parts.residual[20].abs() < 0.01);
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Decomposition {
    /// The level at each point, including those whose value is missing. NaN if all values are
    /// missing.
    pub trend: Vec<f64>,
    /// The seasons, shortest first.
    pub seasons: Vec<Seasonal>,
    /// The rest; NaN where the value is missing.
    pub residual: Vec<f64>,
}

/// One season of a series.
///
/// ```
/// use datafusion_aiops::algorithms::series::Seasonal;
/// let tides = Seasonal { period: 2, values: vec![1.0, -1.0, 1.0] };
/// assert_eq!(tides.values.len(), 3);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Seasonal {
    /// Its length in points.
    pub period: usize,
    /// What it adds to the trend at each point, including those whose value is missing.
    pub values: Vec<f64>,
}

/// Splits evenly spaced values into trend, seasons and residual; NaN and infinities are missing.
/// Each part is as long as the values.
pub fn decompose(values: &[f64], options: &DecomposeOptions) -> Decomposition {
    let n_values = values.len();
    let mut periods = options.periods.clone();
    periods.retain(|period| (2..=n_values / 2).contains(period));
    periods.sort_unstable();
    periods.dedup();
    // Huge values would overflow in sums.
    let scale = magnitude(values);
    let scaled: Vec<_> = values.iter().map(|value| value / scale).collect();
    let bridged = match periods.last() {
        Some(&longest) => bridge_seasonally(&scaled, longest),
        None => bridge(&scaled),
    };
    let Some(bridged) = bridged else {
        return all_missing(n_values, &periods);
    };
    let weights = scaled
        .iter()
        .map(|value| if value.is_finite() { 1.0 } else { 0.0 });
    let mut fit = Fit::new(weights.collect());
    if periods.is_empty() {
        fit.trend_alone(&bridged, options);
    }
    let stls = periods
        .iter()
        .enumerate()
        .map(|(number, &period)| Stl::new(period, number, options));
    let mut seasons = fit.seasons(bridged, &stls.collect::<Vec<_>>());
    let mut trend = fit.trend;
    let parts = seasons.iter_mut().map(|season| &mut season.values);
    for part in parts.chain([&mut trend]) {
        part.iter_mut().for_each(|value| *value *= scale);
    }
    let mut residual: Vec<_> = values
        .iter()
        .map(|&value| if value.is_finite() { value } else { f64::NAN })
        .collect();
    for part in seasons.iter().map(|season| &season.values).chain([&trend]) {
        subtract(&mut residual, part);
    }
    Decomposition {
        trend,
        seasons,
        residual,
    }
}

fn all_missing(n_values: usize, periods: &[usize]) -> Decomposition {
    let missing = vec![f64::NAN; n_values];
    let season = |&period: &usize| Seasonal {
        period,
        values: missing.clone(),
    };
    Decomposition {
        seasons: periods.iter().map(season).collect(),
        trend: missing.clone(),
        residual: missing,
    }
}

/// The number of times that values are smoothed with given weights (`inner`), and that these
/// weights are recomputed (`outer`).
#[derive(Debug, Clone, Copy)]
struct Passes {
    inner: usize,
    outer: usize,
}

/// The parameters of STL; the names of the paper are n_p, n_s, n_l and n_t.
#[derive(Debug, Clone, Copy)]
struct Stl {
    period: usize,
    seasonal: Loess,
    low_pass: Loess,
    trend: Loess,
    passes: Passes,
}

impl Stl {
    /// The parameters for season `number`, 0 for the shortest.
    fn new(period: usize, number: usize, options: &DecomposeOptions) -> Self {
        let seasonal = odd(options.seasonal_window.unwrap_or(11 + 4 * number));
        // The smallest odd number of at least 1.5 n_p / (1 - 1.5 / n_s), in whole numbers.
        let trend = period
            .saturating_mul(3 * seasonal)
            .div_ceil(2 * seasonal - 3);
        Self {
            period,
            seasonal: Loess::new(seasonal),
            low_pass: Loess::new(odd(period + 1)),
            trend: Loess::new(odd(options.trend_window.unwrap_or(trend))),
            passes: passes(options),
        }
    }
}

fn passes(options: &DecomposeOptions) -> Passes {
    if options.is_robust {
        ROBUST_PASSES
    } else {
        PLAIN_PASSES
    }
}

fn odd(window: usize) -> usize {
    window.clamp(SHORTEST_WINDOW, LONGEST_WINDOW) | 1
}

/// A decomposition in progress.
#[derive(Debug)]
struct Fit {
    /// 0 where the value is missing, otherwise 1.
    present: Vec<f64>,
    /// The same, but less for outliers.
    weights: Vec<f64>,
    trend: Vec<f64>,
    season: Vec<f64>,
    /// Smoothed cycle-subseries, one period longer than the values at both ends.
    cycles: Vec<f64>,
    smoother: Smoother,
    work: Vec<f64>,
    more_work: Vec<f64>,
}

impl Fit {
    fn new(present: Vec<f64>) -> Self {
        let zeros = vec![0.0; present.len()];
        Self {
            weights: present.clone(),
            present,
            trend: zeros.clone(),
            season: zeros,
            cycles: vec![],
            smoother: Smoother::default(),
            work: vec![],
            more_work: vec![],
        }
    }

    /// Runs MSTL. Leaves the trend of the last season.
    fn seasons(&mut self, mut rest: Vec<f64>, stls: &[Stl]) -> Vec<Seasonal> {
        let zeros = vec![0.0; rest.len()];
        let season = |stl: &Stl| Seasonal {
            period: stl.period,
            values: zeros.clone(),
        };
        let mut seasons: Vec<_> = stls.iter().map(season).collect();
        let n_rounds = if stls.len() > 1 { ROUNDS } else { 1 };
        for _ in 0..n_rounds {
            for (season, stl) in seasons.iter_mut().zip(stls) {
                add(&mut rest, &season.values);
                self.stl(&rest, stl);
                season.values.clone_from(&self.season);
                subtract(&mut rest, &season.values);
            }
        }
        seasons
    }

    fn stl(&mut self, values: &[f64], stl: &Stl) {
        self.trend.fill(0.0);
        self.weights.clone_from(&self.present);
        for pass in 0..=stl.passes.outer {
            if pass > 0 {
                self.weigh(values);
            }
            for _ in 0..stl.passes.inner {
                self.smooth_once(values, stl);
            }
        }
    }

    /// Runs loess without a season.
    fn trend_alone(&mut self, values: &[f64], options: &DecomposeOptions) {
        let window = options.trend_window.unwrap_or(values.len() / TREND_PARTS);
        let loess = Loess::new(odd(window));
        for pass in 0..=passes(options).outer {
            if pass > 0 {
                self.weigh(values);
            }
            self.smoother
                .smooth(loess, values, &self.weights, &mut self.trend);
        }
    }

    /// The inner loop of STL.
    fn smooth_once(&mut self, values: &[f64], stl: &Stl) {
        let n_values = values.len();
        self.work.clear();
        self.work.extend_from_slice(values);
        subtract(&mut self.work, &self.trend);
        self.smooth_cycles(stl);
        // The slow part of the smoothed cycles belongs to the trend.
        moving_mean(&self.cycles, stl.period, &mut self.work);
        moving_mean(&self.work, stl.period, &mut self.more_work);
        moving_mean(&self.more_work, 3, &mut self.work);
        let ones = vec![1.0; n_values];
        self.more_work.resize(n_values, 0.0);
        self.smoother
            .smooth(stl.low_pass, &self.work, &ones, &mut self.more_work);
        self.season.clear();
        self.season
            .extend_from_slice(&self.cycles[stl.period..stl.period + n_values]);
        subtract(&mut self.season, &self.more_work);
        self.work.clear();
        self.work.extend_from_slice(values);
        subtract(&mut self.work, &self.season);
        self.smoother
            .smooth(stl.trend, &self.work, &self.weights, &mut self.trend);
    }

    /// Smooths the values of each phase (those of `work`), and continues them for one cycle before
    /// the first and after the last.
    fn smooth_cycles(&mut self, stl: &Stl) {
        let period = stl.period;
        self.cycles.clear();
        self.cycles.resize(self.work.len() + 2 * period, 0.0);
        let (mut values, mut weights, mut smoothed) = (vec![], vec![], vec![]);
        for phase in 0..period {
            values.clear();
            values.extend(self.work[phase..].iter().step_by(period));
            weights.clear();
            weights.extend(self.weights[phase..].iter().step_by(period));
            smoothed.resize(values.len() + 2, 0.0);
            self.smoother
                .smooth_beyond(stl.seasonal, &values, &weights, &mut smoothed);
            let at_phase = self.cycles[phase..].iter_mut().step_by(period);
            at_phase
                .zip(&smoothed)
                .for_each(|(cycle, smoothed)| *cycle = *smoothed);
        }
    }

    /// Computes bisquare weights: 0 from six median absolute residuals on.
    fn weigh(&mut self, values: &[f64]) {
        let fitted = self.trend.iter().zip(&self.season);
        self.work.clear();
        self.work.extend(
            values
                .iter()
                .zip(fitted)
                .map(|(value, (trend, season))| (value - trend - season).abs()),
        );
        let present = self
            .work
            .iter()
            .zip(&self.present)
            .filter(|&(_, &present)| present > 0.0);
        self.more_work.clear();
        self.more_work.extend(present.map(|(residual, _)| residual));
        let limit = 6.0 * median_in_place(&mut self.more_work).unwrap_or_default();
        for ((weight, &residual), present) in
            self.weights.iter_mut().zip(&self.work).zip(&self.present)
        {
            *weight = present * bisquare(residual, limit);
        }
    }
}

fn bisquare(residual: f64, limit: f64) -> f64 {
    if residual <= 0.001 * limit {
        1.0
    } else if residual <= 0.999 * limit {
        (1.0 - (residual / limit).powi(2)).powi(2)
    } else {
        0.0
    }
}

fn add(values: &mut [f64], others: &[f64]) {
    values
        .iter_mut()
        .zip(others)
        .for_each(|(value, other)| *value += other);
}

fn subtract(values: &mut [f64], others: &[f64]) {
    values
        .iter_mut()
        .zip(others)
        .for_each(|(value, other)| *value -= other);
}

/// The means of all windows of this width; there are `width - 1` fewer than values.
fn moving_mean(values: &[f64], width: usize, means: &mut Vec<f64>) {
    let mut sum: f64 = values[..width].iter().sum();
    means.clear();
    means.push(sum / width as f64);
    means.extend(values.iter().zip(&values[width..]).map(|(out, new)| {
        sum += new - out;
        sum / width as f64
    }));
}

/// Locally weighted lines (Cleveland, "Robust locally weighted regression and smoothing
/// scatterplots", 1979).
#[derive(Debug, Clone, Copy)]
struct Loess {
    /// The number of values that a line is fitted to.
    window: usize,
    /// The distance between the points at which lines are fitted.
    jump: usize,
}

impl Loess {
    fn new(window: usize) -> Self {
        let jump = window.div_ceil(JUMPS_PER_WINDOW);
        Self { window, jump }
    }

    /// The window of a point, which is in its middle except near the ends.
    fn around(self, at: usize, n_values: usize) -> Range<usize> {
        let window = self.window.min(n_values);
        let from = (at + 1)
            .saturating_sub(self.window.div_ceil(2))
            .min(n_values - window);
        from..from + window
    }
}

/// Runs loess; keeps the weights of distances for the next point.
#[derive(Debug, Default)]
struct Smoother {
    /// The tricube weight of each distance, relative to the longest.
    kernel: Vec<f64>,
    /// The window that the kernel was made for: its farthest distance, and how much of it lies
    /// outside the series.
    reach: Option<(usize, usize)>,
}

impl Smoother {
    /// Smooths the values. Where a window has no weight, the value stays as it is.
    fn smooth(&mut self, loess: Loess, values: &[f64], weights: &[f64], smoothed: &mut [f64]) {
        let Some(last) = values.len().checked_sub(1) else {
            return;
        };
        let jump = loess.jump.clamp(1, last.max(1));
        let mut before = 0;
        for at in (0..last).step_by(jump).chain([last]) {
            // If the last point is no multiple of the jump, the authors' program uses the window of
            // the last multiple before it.
            let window = loess.around(at - at % jump, values.len());
            let line = self.line_at(loess, values, weights, at as f64, window);
            smoothed[at] = line.unwrap_or(values[at]);
            draw(smoothed, before, at);
            before = at;
        }
    }

    /// As [`smooth`](Self::smooth), and for one more point before the first and after the last.
    fn smooth_beyond(
        &mut self,
        loess: Loess,
        values: &[f64],
        weights: &[f64],
        smoothed: &mut [f64],
    ) {
        let n_values = values.len();
        self.smooth(loess, values, weights, &mut smoothed[1..=n_values]);
        let first = loess.around(0, n_values);
        let before = self.line_at(loess, values, weights, -1.0, first);
        smoothed[0] = before.unwrap_or(smoothed[1]);
        let last = loess.around(n_values - 1, n_values);
        let after = self.line_at(loess, values, weights, n_values as f64, last);
        smoothed[n_values + 1] = after.unwrap_or(smoothed[n_values]);
    }

    /// The value at a point of the line through a window; the point is in the window or one beyond.
    /// `None` if nothing in the window has weight.
    fn line_at(
        &mut self,
        loess: Loess,
        values: &[f64],
        weights: &[f64],
        at: f64,
        window: Range<usize>,
    ) -> Option<f64> {
        let (first, last) = (window.start as f64 - at, window.end as f64 - 1.0 - at);
        // If the window is longer than the series, a part of it lies outside.
        let outside = loess.window.saturating_sub(values.len()) / 2;
        self.set_kernel(floor_index(last.max(-first)), outside);
        let (mut sum, mut sum_x, mut sum_xx, mut sum_y, mut sum_xy) = (0.0, 0.0, 0.0, 0.0, 0.0);
        let mut x = first;
        for (value, weight) in values[window.clone()].iter().zip(&weights[window]) {
            let weight = weight * self.kernel[floor_index(x.abs())];
            sum += weight;
            sum_x += weight * x;
            sum_xx += weight * x * x;
            sum_y += weight * value;
            sum_xy += weight * x * value;
            x += 1.0;
        }
        if sum <= 0.0 {
            return None;
        }
        let (mean_x, mean_y) = (sum_x / sum, sum_y / sum);
        let variance = sum_xx / sum - mean_x * mean_x;
        // As in the authors' program: a line through almost a single point could have any slope.
        if variance.max(0.0).sqrt() <= 0.001 * (values.len() - 1) as f64 {
            return Some(mean_y);
        }
        let slope = (sum_xy / sum - mean_x * mean_y) / variance;
        Some(mean_y - slope * mean_x)
    }

    /// Sets the weights of the distances up to `farthest`, in a window that reaches `outside`
    /// farther.
    fn set_kernel(&mut self, farthest: usize, outside: usize) {
        if self.reach == Some((farthest, outside)) {
            return;
        }
        let tricube = |distance: usize| {
            let share = distance as f64 / (farthest + outside) as f64;
            match distance {
                0 => 1.0,
                _ if share <= 0.001 => 1.0,
                _ if share <= 0.999 => (1.0 - share.powi(3)).powi(3),
                _ => 0.0,
            }
        };
        self.kernel.clear();
        self.kernel.extend((0..=farthest).map(tricube));
        self.reach = Some((farthest, outside));
    }
}

/// Draws a straight line between two points.
fn draw(values: &mut [f64], from: usize, to: usize) {
    let slope = (values[to] - values[from]) / (to - from).max(1) as f64;
    for at in from + 1..to {
        values[at] = values[from] + slope * (at - from) as f64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::f64::consts::TAU;

    /// The points at which the parts are compared.
    const AT: [usize; 7] = [0, 1, 20, 50, 77, 118, 119];

    /// A line, a year of months, small deviations that are no noise but look like it, and two
    /// outliers.
    fn months() -> Vec<f64> {
        let value = |at: usize| {
            let month = 3.0 * (TAU * at as f64 / 12.0).sin();
            10.0 + 0.05 * at as f64 + month + ((at * 7919) % 101) as f64 / 101.0 - 0.5
        };
        let mut values: Vec<_> = (0..120).map(value).collect();
        values[20] += 15.0;
        values[77] -= 20.0;
        values
    }

    fn months_and_more() -> Vec<f64> {
        let more = (0..120).map(|at| 2.0 * (TAU * f64::from(at) / 30.0).cos());
        months()
            .iter()
            .zip(more)
            .map(|(value, more)| value + more)
            .collect()
    }

    fn stl(
        period: usize,
        seasonal: usize,
        trend: usize,
        jumps: [usize; 3],
        inner: usize,
        outer: usize,
    ) -> Stl {
        let loess = |window, jump| Loess { window, jump };
        Stl {
            period,
            seasonal: loess(seasonal, jumps[0]),
            low_pass: loess((period + 1) | 1, jumps[1]),
            trend: loess(trend, jumps[2]),
            passes: Passes { inner, outer },
        }
    }

    #[track_caller]
    fn check(values: Vec<f64>, stls: &[Stl], expected: &[[f64; 7]]) {
        let mut fit = Fit::new(vec![1.0; values.len()]);
        let seasons = fit.seasons(values, stls);
        let parts = [&fit.trend]
            .into_iter()
            .chain(seasons.iter().map(|season| &season.values));
        for (part, expected) in parts.zip(expected) {
            for (at, expected) in AT.into_iter().zip(expected) {
                let got = part[at];
                assert!(
                    (got - expected).abs() < 1e-6 * expected.abs(),
                    "{at}: {got} {expected}"
                );
            }
        }
    }

    /// The expected values, here and below: statsmodels 0.14, `STL(months, period=12,
    /// seasonal=7).fit()` and so on, jumps of 1 and degrees of 1 unless said otherwise.
    #[test]
    fn equals_statsmodels() {
        check(
            months(),
            &[stl(12, 7, 23, [1, 1, 1], 5, 0)],
            &[
                [
                    10.030397317,
                    10.064549904,
                    12.218612879,
                    12.511661063,
                    12.216114600,
                    16.031792717,
                    16.109413138,
                ],
                [
                    -0.391929689,
                    0.960257934,
                    1.519312389,
                    2.467618957,
                    -4.004535291,
                    -2.746340375,
                    -1.897210827,
                ],
            ],
        );
        // period=50: the window is longer than the cycle-subseries.
        check(
            months(),
            &[stl(50, 7, 97, [1, 1, 1], 5, 0)],
            &[
                [
                    10.449995375,
                    10.490778489,
                    11.258808859,
                    12.436284867,
                    13.398926410,
                    14.883027294,
                    14.919680438,
                ],
                [
                    -0.592188447,
                    1.533133742,
                    11.759031464,
                    1.683193582,
                    -18.297987019,
                    -1.592222196,
                    -1.283596332,
                ],
            ],
        );
    }

    /// `robust=True`; then `seasonal=11, seasonal_jump=2, low_pass_jump=2, trend_jump=3` with 1
    /// inner and 5 outer passes.
    #[test]
    fn robust_equals_statsmodels() {
        check(
            months(),
            &[stl(12, 7, 23, [1, 1, 1], 2, 15)],
            &[
                [
                    10.562513759,
                    10.603973515,
                    11.393075038,
                    12.653163919,
                    13.732285217,
                    15.335170499,
                    15.374269771,
                ],
                [
                    -0.059584066,
                    1.709472942,
                    -2.372102603,
                    2.239056666,
                    1.377373064,
                    -2.632682247,
                    -1.117133997,
                ],
            ],
        );
        check(
            months(),
            &[stl(12, 11, 21, [2, 2, 3], 1, 5)],
            &[
                [
                    10.258772613,
                    10.305623152,
                    11.118590929,
                    12.443941064,
                    13.939053037,
                    15.733286235,
                    15.771060390,
                ],
                [
                    0.234492195,
                    1.049513150,
                    -1.996311293,
                    2.529401111,
                    1.562494956,
                    -3.220087734,
                    -1.492099038,
                ],
            ],
        );
    }

    /// `MSTL(months_and_more, periods=(12, 30))`; then with `stl_kwargs={"robust": True}`.
    #[test]
    fn several_seasons_equal_statsmodels() {
        check(
            months_and_more(),
            &[
                stl(12, 11, 21, [1, 1, 1], 5, 0),
                stl(30, 15, 51, [1, 1, 1], 5, 0),
            ],
            &[
                [
                    10.781852625,
                    10.820424136,
                    11.510454537,
                    12.503856459,
                    13.186788581,
                    16.261978702,
                    16.331071695,
                ],
                [
                    -0.693540374,
                    0.528165794,
                    0.881906932,
                    2.605473875,
                    -1.764560056,
                    -2.596103249,
                    -0.160374050,
                ],
                [
                    1.401069773,
                    1.897592479,
                    6.666976229,
                    3.108950156,
                    -7.390160241,
                    2.091033212,
                    2.051598560,
                ],
            ],
        );
        check(
            months_and_more(),
            &[
                stl(12, 11, 21, [1, 1, 1], 2, 15),
                stl(30, 15, 51, [1, 1, 1], 2, 15),
            ],
            &[
                [
                    10.317108700,
                    10.354211737,
                    11.089870269,
                    12.359212853,
                    12.798962152,
                    17.343728573,
                    17.495190247,
                ],
                [
                    -0.134550570,
                    1.212811886,
                    -2.027385158,
                    2.446495493,
                    1.591104083,
                    -2.646579336,
                    -1.581231587,
                ],
                [
                    1.218455997,
                    1.731405398,
                    -0.670888646,
                    -0.915135571,
                    -20.721628414,
                    0.839097914,
                    0.194439696,
                ],
            ],
        );
    }

    #[test]
    fn parameters_are_those_of_statsmodels() {
        for (period, number, expected) in [
            (12, 0, (11, 13, 21)),
            (50, 1, (15, 51, 85)),
            (2, 0, (11, 7, 7)),
        ] {
            let stl = Stl::new(period, number, &DecomposeOptions::default());
            assert_eq!(
                (stl.seasonal.window, stl.low_pass.window, stl.trend.window),
                expected
            );
        }
    }

    fn options(periods: &[usize]) -> DecomposeOptions {
        DecomposeOptions {
            periods: periods.to_vec(),
            ..DecomposeOptions::default()
        }
    }

    #[track_caller]
    fn check_sum(values: &[f64], parts: &Decomposition) {
        for (at, value) in values.iter().enumerate() {
            let seasons: f64 = parts.seasons.iter().map(|season| season.values[at]).sum();
            let sum = parts.trend[at] + seasons + parts.residual[at];
            assert!(parts.trend[at].is_finite() && seasons.is_finite());
            let is_same = (sum - value).abs()
                <= 1e-12 * (value.abs() + seasons.abs() + parts.trend[at].abs());
            assert!(
                is_same || (!value.is_finite() && sum.is_nan()),
                "{at}: {sum} {value}"
            );
        }
    }

    #[test]
    fn outliers_go_into_the_residual() {
        let parts = decompose(&months(), &options(&[12]));
        check_sum(&months(), &parts);
        assert!((parts.residual[20] - 15.0).abs() < 1.5 && (parts.residual[77] + 20.0).abs() < 1.5);
    }

    #[test]
    fn missing_values_have_a_trend_and_a_season() {
        let mut clean = months_and_more();
        clean[20] -= 15.0;
        clean[77] += 20.0;
        let mut gappy = clean.clone();
        gappy[..3].fill(f64::NAN);
        gappy[40..60].fill(f64::INFINITY);
        let whole = decompose(&clean, &options(&[12, 30]));
        let parts = decompose(&gappy, &options(&[30, 12, 1, 61]));
        check_sum(&gappy, &parts);
        assert_eq!(
            parts
                .seasons
                .iter()
                .map(|season| season.period)
                .collect::<Vec<_>>(),
            [12, 30]
        );
        let fitted = |parts: &Decomposition, at: usize| {
            parts.trend[at] + parts.seasons[0].values[at] + parts.seasons[1].values[at]
        };
        for at in 0..120 {
            assert!(
                (fitted(&parts, at) - fitted(&whole, at)).abs() < 2.5,
                "{at}"
            );
        }
    }

    #[test]
    fn without_a_season_there_is_a_trend() {
        let mut values: Vec<_> = (0..200).map(|at| 5.0 + 0.5 * f64::from(at)).collect();
        values[100] = 900.0;
        values[150] = f64::NAN;
        let parts = decompose(&values, &options(&[]));
        check_sum(&values, &parts);
        for (at, trend) in parts.trend.iter().enumerate() {
            assert!(
                (trend - 5.0 - 0.5 * at as f64).abs() < 1e-6,
                "{at}: {trend}"
            );
        }
    }

    #[test]
    fn odd_input() {
        assert_eq!(decompose(&[], &options(&[7])), Decomposition::default());
        let one = decompose(&[3.0], &options(&[1]));
        assert_eq!((one.trend, one.residual), (vec![3.0], vec![0.0]));
        let none = decompose(&[f64::NAN; 9], &options(&[3]));
        assert!(none.trend[0].is_nan() && none.seasons[0].values[8].is_nan());
        for value in [0.0, 7.5, 1e300, -1e-300, 1e308] {
            let parts = decompose(&[value; 50], &options(&[5]));
            assert!(
                parts
                    .residual
                    .iter()
                    .all(|rest| rest.abs() <= 1e-12 * value.abs())
            );
        }
        let huge: Vec<_> = (0..60)
            .map(|at| if at % 7 < 3 { 1e308 } else { -1e308 })
            .collect();
        check_sum(&huge, &decompose(&huge, &options(&[7, 14])));
    }

    proptest! {
        #[test]
        fn the_parts_shift_and_scale(noise in prop::collection::vec(-1.0..1.0_f64, 60), factor in 0.01..100.0_f64, shift in -100.0..100.0_f64) {
            let values: Vec<_> = noise.iter().enumerate().map(|(at, noise)| noise + (at % 6) as f64).collect();
            let moved: Vec<_> = values.iter().map(|value| value * factor + shift).collect();
            let (parts, moved) = (decompose(&values, &options(&[6])), decompose(&moved, &options(&[6])));
            let near = |got: f64, expected: f64| (got - expected).abs() < 1e-7 * (factor + shift.abs() + 1.0);
            for at in 0..values.len() {
                prop_assert!(near(moved.trend[at], parts.trend[at] * factor + shift));
                prop_assert!(near(moved.seasons[0].values[at], parts.seasons[0].values[at] * factor));
                prop_assert!(near(moved.residual[at], parts.residual[at] * factor));
            }
        }

        #[test]
        fn the_parts_sum_up(values in prop::collection::vec(prop_oneof![Just(f64::NAN), -1e3..1e3_f64], 1..80), period in 2..40_usize) {
            prop_assume!(values.iter().any(|value| value.is_finite()));
            check_sum(&values, &decompose(&values, &options(&[period, 2 * period])));
        }
    }
}
