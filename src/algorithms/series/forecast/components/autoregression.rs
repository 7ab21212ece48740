//! Linear autoregression on the last values and those around one and two seasons ago, by least
//! squares.
//!
//! This is ridge regression (Hoerl and Kennard, 1970) on standardised values, solved by Cholesky
//! decomposition of the normal equations. Forecasts beyond the next point use the forecasts before
//! them. They may leave the range of the history by no more than its width, for each length of the
//! history that they reach ahead, so that roots outside the unit circle do no harm and a steady
//! trend continues.

use crate::algorithms::series::forecast::history::Seasons;

/// The penalty of a squared weight, for each row.
const RIDGE: f64 = 1e-3;

/// Keeps the equations solvable if the values do not vary.
const TINY_RIDGE: f64 = 1e-9;

/// The same for the constant.
const CONSTANT_RIDGE: f64 = 1e-6;

/// The number of newest rows to learn from.
const MAX_ROWS: usize = 3_000;

/// A season of at most this many points is within the last values anyway.
const FEW: usize = 4;

/// The lag of two seasons is used if the history has more than this many short seasons.
const SHORT_CYCLES: usize = 5;

/// The same for long seasons.
const LONG_CYCLES: usize = 4;

/// The number of rows that the lags of the long season need beyond two of its cycles.
const LONG_ROWS: usize = 60;

/// The number of last values that are lags.
const SHORT_LAGS: usize = 3;

/// The level that the forecasts tend to.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Constant {
    /// The constant that fits best: forecasts can continue a trend.
    Fitted,
    /// The mean of the values.
    Mean,
}

/// A fitted autoregression.
#[derive(Debug)]
pub(crate) struct Autoregression {
    lags: Vec<usize>,
    weights: Vec<f64>,
    constant: f64,
}

impl Autoregression {
    /// Fits it on the last values and those around one and two seasons ago.
    pub(crate) fn fit(values: &[f64], seasons: Seasons) -> Self {
        Self::with_lags(values, lags(values.len(), seasons), Constant::Fitted)
    }

    /// Fits it on the last values only. Its forecasts return to the mean of the values.
    pub(crate) fn short(values: &[f64]) -> Self {
        let n_lags = SHORT_LAGS.min(values.len().saturating_sub(1));
        Self::with_lags(values, (1..=n_lags).collect(), Constant::Mean)
    }

    fn with_lags(values: &[f64], lags: Vec<usize>, constant: Constant) -> Self {
        let n_values = values.len();
        let longest = lags.last().copied().unwrap_or(1);
        let first = longest.max(n_values.saturating_sub(MAX_ROWS));
        let used = &values[(first - longest).min(n_values)..];
        let (mean, deviation) = mean_and_deviation(used);
        let standard: Vec<_> = used
            .iter()
            .map(|value| (value - mean) / deviation)
            .collect();
        let n_rows = standard.len().saturating_sub(longest);
        let columns: Vec<_> = lags
            .iter()
            .map(|lag| &standard[longest - lag..][..n_rows])
            .collect();
        let mut weights = ridge_regression(&columns, &standard[longest..], constant);
        let constant = weights.pop().unwrap_or(0.0);
        let sum: f64 = weights.iter().sum();
        Self {
            lags,
            weights,
            constant: constant * deviation + mean * (1.0 - sum),
        }
    }

    pub(crate) fn forecast(&self, values: &[f64], future: &mut [f64]) {
        let (low, high) = range(values);
        let n_steps = values.len().saturating_sub(1).max(1) as f64;
        let terms = || self.lags.iter().zip(&self.weights);
        for ahead in 0..future.len() {
            let mut forecast = self.constant;
            for (&lag, weight) in terms() {
                let value = match ahead.checked_sub(lag) {
                    Some(before) => future[before],
                    None => values[values.len() + ahead - lag],
                };
                forecast += weight * value;
            }
            let width = (high - low) * ((ahead + 1) as f64 / n_steps).max(1.0);
            future[ahead] = forecast.clamp(low - width, high + width);
        }
    }
}

/// The lags of a regression on this many values, ascending; the longest is shorter than the values.
fn lags(n_values: usize, seasons: Seasons) -> Vec<usize> {
    let mut lags: Vec<_> = (1..=SHORT_LAGS).collect();
    let short = seasons.short;
    if short > FEW {
        lags.extend([short - 1, short, short + 1]);
    } else if short > 1 {
        lags.push(short);
    }
    if short > 1 && n_values > SHORT_CYCLES * short {
        lags.push(2 * short);
    }
    if let Some(long) = seasons.long.filter(|long| n_values >= 2 * long + LONG_ROWS) {
        lags.extend([long - 1, long, long + 1]);
        if n_values >= LONG_CYCLES * long {
            lags.push(2 * long);
        }
    }
    lags.retain(|&lag| lag < n_values);
    lags.sort_unstable();
    lags.dedup();
    lags
}

fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let n_values = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / n_values;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / n_values).sqrt() + 1e-12)
}

/// The least and the greatest value; 0 if there are no values.
fn range(values: &[f64]) -> (f64, f64) {
    let first = values.first().copied().unwrap_or(0.0);
    let ends = |(low, high): (f64, f64), value: &f64| (low.min(*value), high.max(*value));
    values.iter().fold((first, first), ends)
}

/// The weights of the columns, and the constant after them.
fn ridge_regression(columns: &[&[f64]], target: &[f64], constant: Constant) -> Vec<f64> {
    let n_rows = target.len() as f64;
    let size = columns.len() + 1;
    let mut matrix = vec![0.0; size * size];
    let mut right = vec![0.0; size];
    for (row, column) in columns.iter().enumerate() {
        for (other, other_column) in columns[..=row].iter().enumerate() {
            matrix[row * size + other] = dot(column, other_column);
        }
        matrix[row * size + row] += RIDGE * n_rows + TINY_RIDGE;
        matrix[(size - 1) * size + row] = column.iter().sum();
        right[row] = dot(column, target);
    }
    matrix[size * size - 1] = n_rows + CONSTANT_RIDGE;
    right[size - 1] = target.iter().sum();
    if constant == Constant::Mean {
        matrix[(size - 1) * size..][..size - 1].fill(0.0);
        right[size - 1] = 0.0;
    }
    solve(&mut matrix, &mut right);
    right
}

/// Solves the equations of a positive definite matrix in place, by Cholesky decomposition. Only the
/// lower half of the matrix is used.
fn solve(matrix: &mut [f64], right: &mut [f64]) {
    let size = right.len();
    for row in 0..size {
        for column in 0..=row {
            let (upper, lower) = (&matrix[column * size..], &matrix[row * size..]);
            let known: f64 = (0..column).map(|at| upper[at] * lower[at]).sum();
            let left = matrix[row * size + column] - known;
            matrix[row * size + column] = if row == column {
                left.max(f64::MIN_POSITIVE).sqrt()
            } else {
                left / matrix[column * size + column]
            };
        }
    }
    for row in 0..size {
        let known: f64 = (0..row).map(|at| matrix[row * size + at] * right[at]).sum();
        right[row] = (right[row] - known) / matrix[row * size + row];
    }
    for row in (0..size).rev() {
        let known: f64 = (row + 1..size)
            .map(|at| matrix[at * size + row] * right[at])
            .sum();
        right[row] = (right[row] - known) / matrix[row * size + row];
    }
}

/// The sum of products, computed as four sums side by side.
pub(crate) fn dot(first: &[f64], second: &[f64]) -> f64 {
    let (firsts, rest) = first.as_chunks::<4>();
    let (seconds, other_rest) = second.as_chunks::<4>();
    let mut sums = [0.0; 4];
    for (first, second) in firsts.iter().zip(seconds) {
        for lane in 0..4 {
            sums[lane] += first[lane] * second[lane];
        }
    }
    let rest: f64 = rest.iter().zip(other_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Seasons = Seasons {
        short: 1,
        long: None,
    };

    #[test]
    fn lags_by_length_and_season() {
        let daily = Seasons { short: 24, ..NONE };
        let weekly = Seasons {
            short: 24,
            long: Some(168),
        };
        let cases: [(usize, Seasons, &[usize]); 6] = [
            (3, NONE, &[1, 2]),
            (100, NONE, &[1, 2, 3]),
            (100, Seasons { short: 4, ..NONE }, &[1, 2, 3, 4, 8]),
            (100, daily, &[1, 2, 3, 23, 24, 25]),
            (500, weekly, &[1, 2, 3, 23, 24, 25, 48, 167, 168, 169]),
            (800, weekly, &[1, 2, 3, 23, 24, 25, 48, 167, 168, 169, 336]),
        ];
        for (n_values, seasons, expected) in cases {
            assert_eq!(lags(n_values, seasons), expected);
        }
    }

    #[test]
    fn a_second_order_process_is_recovered() {
        let mut state = 1_u64;
        let mut values = vec![0.0; 20_000];
        for at in 2..values.len() {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let noise = (state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5;
            values[at] = 1.2 * values[at - 1] - 0.5 * values[at - 2] + noise + 0.3;
        }
        let fitted = Autoregression::fit(&values, NONE);
        for (weight, expected) in fitted.weights.iter().zip([1.2, -0.5, 0.0]) {
            assert!((weight - expected).abs() < 0.05, "{fitted:?}");
        }
        let mut future = [0.0; 300];
        fitted.forecast(&values, &mut future);
        assert!((future[299] - 1.0).abs() < 0.1);
    }

    #[test]
    fn equations_are_solved() {
        let mut matrix = [4.0, 0.0, 2.0, 3.0];
        let mut right = [8.0, 7.0];
        solve(&mut matrix, &mut right);
        assert!((right[0] - 1.25).abs() < 1e-12 && (right[1] - 1.5).abs() < 1e-12);
    }

    #[test]
    fn forecasts_stay_near_the_range() {
        let explosive = Autoregression {
            lags: vec![1],
            weights: vec![2.0],
            constant: 0.0,
        };
        let mut future = [0.0; 9];
        explosive.forecast(&[0.0, 1.0, 3.0], &mut future);
        // The limit moves three beyond the range for each two steps.
        assert_eq!(future[..4], [6.0, 6.0, 7.5, 9.0]);
    }
}
