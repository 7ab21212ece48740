//! Autocorrelation: how much a series resembles itself some points later, for the search for
//! seasons.
//!
//! The transform of the autocovariance is the power spectrum (Wiener and Khinchin), so all lags
//! together cost two fast Fourier transforms, from the `realfft` crate. Lag `k` is divided by its
//! `n - k` products, not by `n`; otherwise long periods would look weaker than short ones. Sizes
//! are 2^a 3^b rather than powers of two, and only as long as the lags need, which is up to three
//! times faster.

use std::fmt;

use realfft::RealFftPlanner;
use realfft::num_complex::Complex;

/// Computes autocorrelations; keeps the plans of all transform sizes (about 20 for each factor of
/// ten) and its buffers between calls.
#[derive(Default)]
pub(crate) struct Autocorrelation {
    planner: RealFftPlanner<f64>,
    signal: Vec<f64>,
    spectrum: Vec<Complex<f64>>,
    scratch: Vec<Complex<f64>>,
}

impl Autocorrelation {
    /// The autocorrelations of lags 0 to `longest`, or to the last lag that exists: the unbiased
    /// autocovariance of the deviations from the mean, over the variance. All 0 if the values are
    /// equal or not all finite. Squares of the values must be finite.
    pub(crate) fn of(&mut self, values: &[f64], longest: usize) -> &[f64] {
        let n_values = values.len();
        let n_lags = n_values.min(longest.saturating_add(1));
        let varies = self.load(values, n_lags);
        let is_usable = varies && self.multiply();
        let lags = &mut self.signal[..n_lags];
        if !is_usable {
            lags.fill(0.0);
            return lags;
        }
        let variance = lags[0] / n_values as f64;
        for (lag, value) in lags.iter_mut().enumerate() {
            *value /= variance * (n_values - lag) as f64;
        }
        lags
    }

    /// Loads the deviations from the mean, followed by enough zeros to keep the end apart from the
    /// beginning. Returns whether there are deviations other than the rounding errors of the mean.
    fn load(&mut self, values: &[f64], n_lags: usize) -> bool {
        let n_values = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n_values;
        self.signal.clear();
        self.signal.extend(values.iter().map(|value| value - mean));
        let square: f64 = self.signal.iter().map(|value| value * value).sum();
        self.signal.resize(fast_size(values.len() + n_lags), 0.0);
        square > (mean * n_values * f64::EPSILON).powi(2) * n_values
    }

    /// Replaces the signal by the autocovariances, up to a factor. Returns whether that worked.
    fn multiply(&mut self) -> bool {
        let size = self.signal.len();
        let forward = self.planner.plan_fft_forward(size);
        let inverse = self.planner.plan_fft_inverse(size);
        self.spectrum.resize(size / 2 + 1, Complex::default());
        let scratch_len = forward.get_scratch_len().max(inverse.get_scratch_len());
        self.scratch.resize(scratch_len, Complex::default());
        let (signal, spectrum) = (&mut self.signal, &mut self.spectrum);
        let transformed = forward.process_with_scratch(signal, spectrum, &mut self.scratch);
        for value in spectrum.iter_mut() {
            *value = Complex::new(value.norm_sqr(), 0.0);
        }
        let back = inverse.process_with_scratch(spectrum, signal, &mut self.scratch);
        transformed.is_ok() && back.is_ok() && signal.first().is_some_and(|first| first.is_finite())
    }
}

impl fmt::Debug for Autocorrelation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Autocorrelation")
            .field("size", &self.signal.len())
            .finish_non_exhaustive()
    }
}

/// The smallest even 2^a 3^b that is at least this large.
fn fast_size(at_least: usize) -> usize {
    let mut best = at_least.max(2).next_power_of_two();
    let mut threes = 3;
    while threes < best {
        let size = threes * at_least.div_ceil(threes).max(2).next_power_of_two();
        best = best.min(size);
        threes *= 3;
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slow(values: &[f64], longest: usize) -> Vec<f64> {
        let n_values = values.len();
        let mean = values.iter().sum::<f64>() / n_values as f64;
        let covariance = |lag: usize| {
            let products =
                (0..n_values - lag).map(|at| (values[at] - mean) * (values[at + lag] - mean));
            products.sum::<f64>() / (n_values - lag) as f64
        };
        (0..=longest)
            .map(|lag| covariance(lag) / covariance(0))
            .collect()
    }

    #[test]
    fn equals_the_definition() {
        let mut autocorrelation = Autocorrelation::default();
        for n_values in [2, 3, 10, 97, 256, 1000] {
            let values: Vec<_> = (0..n_values)
                .map(|at| ((at * at) % 17) as f64 + at as f64 * 0.01)
                .collect();
            let longest = n_values / 2;
            let got = autocorrelation.of(&values, longest);
            for (lag, (got, expected)) in got.iter().zip(slow(&values, longest)).enumerate() {
                assert!(
                    (got - expected).abs() < 1e-9,
                    "{n_values} {lag}: {got} {expected}"
                );
            }
        }
    }

    #[test]
    fn odd_input() {
        let mut autocorrelation = Autocorrelation::default();
        assert!(autocorrelation.of(&[], 5).is_empty());
        assert_eq!(autocorrelation.of(&[3.0], 5), [0.0]);
        assert_eq!(autocorrelation.of(&[0.1; 6], 2), [0.0; 3]);
        assert_eq!(autocorrelation.of(&[1.0, f64::NAN, 2.0], 1), [0.0; 2]);
        assert_eq!(autocorrelation.of(&[1.0, 2.0, 4.0], usize::MAX).len(), 3);
    }

    #[test]
    fn sizes_are_fast_and_large_enough() {
        let cases = [(0, 2), (2, 2), (5, 6), (17, 18), (1000, 1024), (1100, 1152)];
        for (at_least, expected) in cases {
            assert_eq!(fast_size(at_least), expected);
        }
        for at_least in 1..5000 {
            let size = fast_size(at_least);
            assert!(size >= at_least && size.is_multiple_of(2) && size <= 3 * at_least);
        }
    }
}
