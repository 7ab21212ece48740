//! The weighted mean of the components. A component weighs more, the better it forecast the newest
//! part of the history (Bates and Granger, "The combination of forecasts", 1969; by a power of the
//! mean absolute error), and the more its errors cancel those of others. On the origins the mean is
//! at most 5 % further off than the seasonal naive forecast.
//!
//! The constants were measured on the 1,883 series of `benches/record/2026-11-22-forecast.md`.

use crate::algorithms::series::forecast::backtest::Backtest;
use crate::algorithms::series::forecast::components::dot;
use crate::algorithms::series::forecast::options::Component;
use crate::algorithms::series::forecast::origins::OriginPlan;
use crate::algorithms::series::forecast::stacking::stack;

/// The weight is 1 / error to this power: half the error gives 256 times the weight. Measured: from
/// 5 to 8 the forecasts improve by 0.3 %, so components that are not among the best should hardly
/// count.
const POWER: i32 = 8;

/// The importance of an origin relative to the one after it. Measured as above.
const DECAY: f64 = 0.8;

/// The largest error of the mean, in errors of the seasonal naive forecast. At 1 the weights would
/// jump from one forecast to the next where both are alike.
const MOST: f64 = 1.05;

/// Errors below this share of the greatest value count as equal.
const LEAST_ERROR: f64 = 1e-9;

/// The mean of the components.
#[derive(Debug)]
pub(super) struct Combination {
    /// The weight of each component; their sum is 1.
    pub(super) weights: Vec<f64>,
    /// The forecast.
    pub(super) points: Vec<f64>,
    /// The forecast from each origin, with the weights from the other origins: it shows what the
    /// combination would have missed.
    pub(super) past: Vec<Vec<f64>>,
}

impl Combination {
    /// Weights the forecasts of the components from the origins of the plan.
    pub(super) fn new(values: &[f64], plan: &OriginPlan, backtest: &Backtest) -> Self {
        let trials = Trials::new(values, plan, backtest);
        let n_origins = plan.origins.len();
        let importances = importances(n_origins, DECAY);
        let weights = trials.weights(&importances);
        let without = |origin: usize| {
            let mut others = importances.clone();
            if n_origins > 1 {
                others[origin] = 0.0;
            }
            let weights = trials.weights(&others);
            mean(&weights, backtest.past.at_origin(origin))
        };
        Self {
            points: mean(&weights, backtest.future.at_origin(0)),
            past: (0..n_origins).map(without).collect(),
            weights,
        }
    }
}

/// The importance of each origin, oldest first.
pub(super) fn importances(n_origins: usize, decay: f64) -> Vec<f64> {
    let mut importances = vec![1.0; n_origins];
    for origin in (1..n_origins).rev() {
        importances[origin - 1] = importances[origin] * decay;
    }
    importances
}

/// The errors of the components at each origin.
struct Trials {
    /// The error at each point, for each component.
    misses: Vec<Vec<Vec<f64>>>,
    /// The mean absolute error of each component.
    errors: Vec<Vec<f64>>,
    /// The mean products of the errors of any two components, by rows.
    products: Vec<Vec<f64>>,
    /// The component that the mean must not be much worse than.
    naive: Option<usize>,
}

impl Trials {
    fn new(values: &[f64], plan: &OriginPlan, backtest: &Backtest) -> Self {
        let past = &backtest.past;
        let origins = plan.origins.iter().enumerate();
        let misses = origins
            .map(|(number, &origin)| {
                let actual = &values[origin..][..plan.horizon];
                let forecasts = past.at_origin(number);
                forecasts
                    .map(|forecast| differences(forecast, actual))
                    .collect()
            })
            .collect();
        let mut components = past.components.iter();
        let naive = components.position(|&each| each == Component::SeasonalNaive);
        Self::of(misses, naive)
    }

    /// The trials with these errors, by origin, component and point.
    fn of(misses: Vec<Vec<Vec<f64>>>, naive: Option<usize>) -> Self {
        let absolute =
            |misses: &Vec<Vec<f64>>| misses.iter().map(|miss| mean_absolute(miss)).collect();
        Self {
            errors: misses.iter().map(absolute).collect(),
            products: misses.iter().map(|misses| mean_products(misses)).collect(),
            misses,
            naive,
        }
    }

    /// The weight of each component, given the importance of each origin. A mean that misses much
    /// more than the seasonal naive forecast gives way to it, the more the worse it is.
    fn weights(&self, importances: &[f64]) -> Vec<f64> {
        let errors = weighted_mean(&self.errors, importances);
        let products = weighted_mean(&self.products, importances);
        let mut weights = stack(&products, &inverse_powers(&errors));
        if let Some(naive) = self.naive {
            let (most, error) = (MOST * errors[naive], self.error(&weights, importances));
            if error > most {
                // The error is convex in the weights: with this share the mean of both misses no
                // more than `most`.
                let kept = (most - errors[naive]) / (error - errors[naive]);
                weights.iter_mut().for_each(|weight| *weight *= kept);
                weights[naive] += 1.0 - kept;
            }
        }
        weights
    }

    /// The mean absolute error of all components together.
    fn error(&self, weights: &[f64], importances: &[f64]) -> f64 {
        let together = self.misses.iter().map(|misses| {
            let misses = misses.iter().map(Vec::as_slice);
            vec![mean_absolute(&mean(weights, misses))]
        });
        let errors: Vec<_> = together.collect();
        weighted_mean(&errors, importances)
            .first()
            .copied()
            .unwrap_or(0.0)
    }
}

fn differences(forecast: &[f64], actual: &[f64]) -> Vec<f64> {
    let pairs = forecast.iter().zip(actual);
    pairs.map(|(forecast, actual)| forecast - actual).collect()
}

fn mean_absolute(misses: &[f64]) -> f64 {
    misses.iter().map(|miss| miss.abs()).sum::<f64>() / misses.len() as f64
}

/// The mean products of all pairs of error series, by rows.
fn mean_products(misses: &[Vec<f64>]) -> Vec<f64> {
    let size = misses.len();
    let mut products = vec![0.0; size * size];
    for (row, first) in misses.iter().enumerate() {
        for (column, second) in misses[..=row].iter().enumerate() {
            let product = dot(first, second) / first.len() as f64;
            products[row * size + column] = product;
            products[column * size + row] = product;
        }
    }
    products
}

/// The weighted mean of the lists, one for each origin.
fn weighted_mean(lists: &[Vec<f64>], importances: &[f64]) -> Vec<f64> {
    let total: f64 = importances.iter().sum();
    let mut means = vec![0.0; lists.first().map_or(0, Vec::len)];
    for (list, importance) in lists.iter().zip(importances) {
        for (mean, number) in means.iter_mut().zip(list) {
            *mean += number * importance / total;
        }
    }
    means
}

/// The weight of each component by its error.
fn inverse_powers(errors: &[f64]) -> Vec<f64> {
    let floored = || errors.iter().map(|error| error.max(LEAST_ERROR));
    let least = floored().fold(f64::INFINITY, f64::min);
    let mut weights: Vec<_> = floored().map(|error| (least / error).powi(POWER)).collect();
    let total: f64 = weights.iter().sum();
    weights.iter_mut().for_each(|weight| *weight /= total);
    weights
}

/// The weighted mean of forecasts of equal length.
fn mean<'a>(weights: &[f64], forecasts: impl Iterator<Item = &'a [f64]>) -> Vec<f64> {
    let mut mean = vec![];
    for (weight, forecast) in weights.iter().zip(forecasts) {
        mean.resize(forecast.len(), 0.0);
        for (sum, value) in mean.iter_mut().zip(forecast) {
            *sum += weight * value;
        }
    }
    mean
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn weights_are_powers_of_errors() {
        let errors = weighted_mean(&[vec![1.0, 2.0, 1e6], vec![1.0, 4.0, 1e6]], &[1.0, 0.0]);
        let got = inverse_powers(&errors);
        assert!((got[0] / got[1] - 256.0).abs() < 1e-9 && got[2] < 1e-40);
        assert!((got.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        let equal = inverse_powers(&[0.0, 1e-30]);
        assert!((equal[0] - 0.5).abs() < 1e-12 && (equal[1] - 0.5).abs() < 1e-12);
    }

    #[test]
    fn newer_origins_count_more() {
        assert_eq!(importances(3, 0.5), [0.25, 0.5, 1.0]);
        assert_eq!(weighted_mean(&[vec![1.0], vec![4.0]], &[0.5, 1.0]), [3.0]);
    }

    #[test]
    fn a_whole_that_misses_more_gives_way() {
        // The second is as good except at one point, whose square is large.
        let misses = vec![vec![vec![1.0; 10], [[0.9; 9].as_slice(), &[-2.0]].concat()]];
        let trials = Trials::of(misses.clone(), Some(0));
        assert!(trials.error(&trials.weights(&[1.0]), &[1.0]) <= MOST);
        // Both others are better than the seasonal naive forecast, and get all the weight.
        let weights = Trials::of(
            vec![vec![vec![9.0; 4], vec![1.0; 4], vec![-1.0; 4]]],
            Some(0),
        )
        .weights(&[1.0]);
        assert!(weights[0] < 1e-6 && (weights[1] - 0.5).abs() < 0.01);
    }

    proptest! {
        /// On the origins the weighted mean hardly misses more than the seasonal naive forecast,
        /// whatever the errors are.
        #[test]
        fn never_worse_than_seasonal_naive(
            misses in prop::collection::vec(prop::collection::vec(prop::collection::vec(-9.0..9.0_f64, 4), 5), 1..4),
            naive in 0..5_usize,
        ) {
            let importances = importances(misses.len(), DECAY);
            let trials = Trials::of(misses, Some(naive));
            let error = trials.error(&trials.weights(&importances), &importances);
            prop_assert!(error <= MOST * weighted_mean(&trials.errors, &importances)[naive] + 1e-12);
        }
    }
}
