//! Recursive least squares with forgetting: linear prediction that follows a series point by point.
//!
//! Haykin, "Adaptive Filter Theory", chapter on the RLS filter. Two changes: the caller clips the
//! residual that the weights learn from, so that an outlier teaches little; and a covariance or
//! weights that have grown out of bounds start again, since forgetting without excitation makes
//! them grow (windup).

/// The number of features of a prediction.
pub(super) const N_FEATURES: usize = 5;

/// The features of a prediction.
pub(super) type Features = [f64; N_FEATURES];

/// The part of the past that each point keeps: half of it is left after 3,500 points.
const FORGETTING: f64 = 0.9998;

/// The factor by which forgetting raises the uncertainty of weights.
const UNCERTAINTY: f64 = 1.0 / FORGETTING;

/// The first uncertainty of a weight, in units of 1 / scale^2, so that units do not matter: weights
/// move within about ten points.
const START: f64 = 100.0;

/// The sum of uncertainties, in the same unit, above which they start again.
const LIMIT: f64 = 1e12;

/// A weight beyond this predicts nothing that a series really does.
const LARGEST_WEIGHT: f64 = 5.0;

/// A linear prediction.
#[derive(Debug, Clone)]
pub(super) struct LeastSquares {
    weights: Features,
    covariance: [Features; N_FEATURES],
}

impl LeastSquares {
    /// A prediction of 0.
    pub(super) fn new() -> Self {
        Self {
            weights: [0.0; N_FEATURES],
            covariance: diagonal(1.0),
        }
    }

    pub(super) fn predict(&self, features: &Features) -> f64 {
        dot(&self.weights, features)
    }

    /// Makes the weights as uncertain as at the beginning; `scale` is that of the residuals.
    pub(super) fn restart(&mut self, scale: f64) {
        self.covariance = diagonal(START * precision(scale));
    }

    /// Learns from the residual of the prediction that was made from these features.
    pub(super) fn learn(&mut self, features: &Features, residual: f64, scale: f64) {
        let mut gain = [0.0; N_FEATURES];
        for (gain, row) in gain.iter_mut().zip(&self.covariance) {
            *gain = dot(row, features);
        }
        // Products instead of divisions: this is a third of the cost of a point.
        let share = 1.0 / (FORGETTING + dot(features, &gain));
        let mut trace = 0.0;
        for row in 0..N_FEATURES {
            let learnt = gain[row] * share;
            self.weights[row] += learnt * residual;
            for (uncertainty, gain) in self.covariance[row].iter_mut().zip(&gain) {
                *uncertainty = (*uncertainty - learnt * gain) * UNCERTAINTY;
            }
            trace += self.covariance[row][row];
        }
        self.stay_in_bounds(trace, precision(scale));
    }

    fn stay_in_bounds(&mut self, trace: f64, precision: f64) {
        if trace.is_nan() || trace >= LIMIT * precision {
            self.covariance = diagonal(START * precision);
        }
        if !self
            .weights
            .iter()
            .all(|weight| weight.abs() < LARGEST_WEIGHT)
        {
            // The next value is expected half way between the last one and the slow expectation.
            self.weights = [0.0; N_FEATURES];
            self.weights[0] = 0.5;
            self.covariance = diagonal(precision);
        }
    }
}

/// 1 / scale^2, finite even for a scale of 0.
fn precision(scale: f64) -> f64 {
    1.0 / (scale * scale + f64::MIN_POSITIVE.sqrt())
}

fn diagonal(value: f64) -> [Features; N_FEATURES] {
    let mut matrix = [[0.0; N_FEATURES]; N_FEATURES];
    for (at, row) in matrix.iter_mut().enumerate() {
        row[at] = value;
    }
    matrix
}

fn dot(first: &Features, second: &Features) -> f64 {
    first.iter().zip(second).map(|(a, b)| a * b).sum()
}
