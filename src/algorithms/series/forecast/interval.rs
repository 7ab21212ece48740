//! The spread of a forecast: how far the future may be from it, from the errors at the origins.
//!
//! As in conformal prediction, the quantiles of past errors are those of future ones (Vovk,
//! Gammerman and Shafer, "Algorithmic learning in a random world", 2005; for series, with errors
//! that were forecast out of sample: Xu and Xie, "Conformal prediction interval for dynamic
//! time-series", 2021). Because there are few errors and they depend on each other, three things
//! differ: errors are divided by a deviation that grows with the distance, like that of a random
//! walk in noise; the quantiles are halfway between those of the errors and those of the normal
//! distribution; and everything is wider, the fewer errors there are.

use crate::algorithms::series::forecast::combination::importances;
use crate::algorithms::series::forecast::normal::normal_quantile;

/// The importance of an origin relative to the one after it. Measured like the constants of
/// `combination`, as are the others.
const DECAY: f64 = 0.75;

/// Errors are enlarged by this share in any case,
const WIDER: f64 = 0.05;

/// by this divided by the number of origins,
const WIDER_FEW_ORIGINS: f64 = 1.0;

/// and by this divided by the number of errors.
const WIDER_FEW_ERRORS: f64 = 4.0;

/// With this many errors the empirical quantile has half of its final share of one half.
const HALF_TRUSTED: f64 = 150.0;

/// The least variance, in units of the greatest value.
const LEAST_VARIANCE: f64 = 1e-18;

/// The variance at the first steps, where the line would be below 0, is that of the first part of
/// the horizon, the horizon divided by this.
const FIRST_PART: usize = 12;

/// The distribution of errors.
#[derive(Debug)]
pub(super) struct Spread {
    variance: VarianceLine,
    /// Errors divided by their deviation, ascending, with the share of importance below each.
    errors: Vec<(f64, f64)>,
    deviation: f64,
    empirical_share: f64,
    wider: f64,
}

/// The variance of errors by the number of steps from the origin.
#[derive(Debug, Clone, Copy)]
struct VarianceLine {
    start: f64,
    slope: f64,
}

impl Spread {
    /// The spread of the errors from each origin, oldest first; all origins have equally many.
    pub(super) fn new(errors: &[Vec<f64>]) -> Self {
        let mut importances = importances(errors.len(), DECAY);
        let total: f64 = importances.iter().sum();
        importances.iter_mut().for_each(|each| *each /= total);
        let variance = VarianceLine::fit(&variances(errors, &importances));
        let mut standard = Vec::with_capacity(errors.iter().map(Vec::len).sum());
        for (errors, &importance) in errors.iter().zip(&importances) {
            let deviations = (1_u32..).map(|step| variance.deviation(f64::from(step)));
            let errors = errors.iter().zip(deviations);
            standard.extend(errors.map(|(error, deviation)| (error / deviation, importance)));
        }
        standard.sort_unstable_by(|first, second| first.0.total_cmp(&second.0));
        let total: f64 = standard.iter().map(|(_, importance)| importance).sum();
        let (mut below, mut squares) = (0.0, 0.0);
        for (error, importance) in &mut standard {
            squares += *error * *error * *importance;
            let share = *importance / total;
            *importance = below + share / 2.0;
            below += share;
        }
        let (n_origins, n_errors) = (errors.len() as f64, standard.len() as f64);
        Self {
            variance,
            errors: standard,
            deviation: (squares / total).sqrt(),
            empirical_share: 0.5 * n_errors / (n_errors + HALF_TRUSTED),
            wider: 1.0 + WIDER + WIDER_FEW_ORIGINS / n_origins + WIDER_FEW_ERRORS / n_errors,
        }
    }

    /// The spread of the random walk that these values are part of, whose steps are independent:
    /// few of them say little.
    pub(super) fn of_random_walk(values: &[f64]) -> Self {
        let squares = values.windows(2).map(|pair| (pair[1] - pair[0]).powi(2));
        let n_steps = values.len().saturating_sub(1).max(1) as f64;
        let slope = squares.sum::<f64>() / n_steps;
        Self {
            variance: VarianceLine { start: 0.0, slope },
            errors: vec![],
            deviation: if slope > 0.0 { 1.0 } else { 0.0 },
            empirical_share: 0.0,
            // From 2 steps on this is near the ratio of the 97.5 % quantiles of Student's and the
            // normal distribution.
            wider: 1.0 + 1.0 / n_steps + 2.0 / (n_steps * n_steps),
        }
    }

    /// The distance of the quantile from the forecast at each step: never on the wrong side, and 0
    /// for a probability of one half.
    pub(super) fn distances(&self, probability: f64) -> impl Iterator<Item = f64> {
        let normal = normal_quantile(probability) * self.deviation;
        let empirical = self.empirical_quantile(probability);
        let mixed = empirical * self.empirical_share + normal * (1.0 - self.empirical_share);
        let factor = self.wider * on_its_side(mixed, probability);
        let steps = (1_u32..).map(f64::from);
        steps.map(move |step| factor * self.variance.deviation(step))
    }

    /// The quantile of the errors, interpolated between the middles of their shares.
    fn empirical_quantile(&self, probability: f64) -> f64 {
        let above = self
            .errors
            .partition_point(|(_, share)| *share < probability);
        let at = |index: usize| self.errors.get(index).copied();
        match (above.checked_sub(1).and_then(at), at(above)) {
            (Some((low, before)), Some((high, after))) => {
                low + (high - low) * (probability - before) / (after - before)
            }
            (Some((error, _)), None) | (None, Some((error, _))) => error,
            (None, None) => 0.0,
        }
    }
}

/// The distance of a quantile, limited to its side of the median.
fn on_its_side(distance: f64, probability: f64) -> f64 {
    if probability < 0.5 {
        distance.min(0.0)
    } else if probability > 0.5 {
        distance.max(0.0)
    } else {
        0.0
    }
}

/// The mean square of the errors at each step.
fn variances(errors: &[Vec<f64>], importances: &[f64]) -> Vec<f64> {
    let mut variances = vec![0.0; errors.first().map_or(0, Vec::len)];
    for (errors, importance) in errors.iter().zip(importances) {
        for (variance, error) in variances.iter_mut().zip(errors) {
            *variance += importance * error * error;
        }
    }
    variances
}

impl VarianceLine {
    /// The straight line closest to the variances at 1, 2, 3, ... steps that does not fall and does
    /// not begin below 0.
    fn fit(variances: &[f64]) -> Self {
        let n_steps = variances.len().max(1) as f64;
        let middle = (n_steps + 1.0) / 2.0;
        let mean = variances.iter().sum::<f64>() / n_steps;
        if variances.len() <= 2 {
            return Self {
                start: mean / 2.0,
                slope: mean / 2.0 / middle,
            };
        }
        let (mut products, mut squares) = (0.0, 0.0);
        for (step, variance) in (1_u32..).zip(variances) {
            let from_middle = f64::from(step) - middle;
            products += from_middle * (variance - mean);
            squares += from_middle * from_middle;
        }
        let slope = products / squares;
        let start = mean - slope * middle;
        if slope < 0.0 {
            return Self {
                start: mean,
                slope: 0.0,
            };
        }
        if start >= 0.0 {
            return Self { start, slope };
        }
        let first = &variances[..(variances.len() / FIRST_PART).max(1)];
        let start = first.iter().sum::<f64>() / first.len() as f64;
        Self {
            start,
            slope: ((mean - start) / middle).max(0.0),
        }
    }

    fn deviation(self, step: f64) -> f64 {
        (self.start + self.slope * step).max(LEAST_VARIANCE).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let cases: [(&[f64], [f64; 2]); 4] = [
            (&[3.0, 5.0, 7.0], [1.0, 2.0]),
            (&[5.0, 4.0, 3.0], [4.0, 0.0]),
            (&[1.0, 3.0, 8.0], [1.0, 1.5]),
            (&[3.0], [1.5, 1.5]),
        ];
        for (variances, [start, slope]) in cases {
            let line = VarianceLine::fit(variances);
            let is_near = |a: f64, b: f64| (a - b).abs() < 1e-12;
            assert!(
                is_near(line.start, start) && is_near(line.slope, slope),
                "{line:?}"
            );
        }
    }

    #[test]
    fn quantiles_are_in_order_on_both_sides() {
        let biased = Spread::new(&[vec![1.0, 2.0, 3.0], vec![2.0, 1.0, 2.5]]);
        let mut before = f64::NEG_INFINITY;
        for probability in [0.001, 0.1, 0.4, 0.5, 0.6, 0.9, 0.999] {
            let distance = biased.distances(probability).next().unwrap();
            assert!(distance >= before);
            before = distance;
        }
        assert!(biased.distances(0.5).next().unwrap().abs() < 1e-300);
        assert!(Spread::new(&[vec![0.0]]).distances(0.9).next().unwrap() < 1e-7);
    }
}
