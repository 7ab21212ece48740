//! Moving means of one series, each for the cost of a subtraction.

/// The sums of a series up to each of its values.
#[derive(Debug)]
pub(super) struct MovingMean {
    sums: Vec<f64>,
}

impl MovingMean {
    pub(super) fn new(values: &[f64]) -> Self {
        let mut sum = 0.0;
        let mut sums = vec![0.0; values.len() + 1];
        for (before, value) in sums[1..].iter_mut().zip(values) {
            sum += value;
            *before = sum;
        }
        Self { sums }
    }

    /// The mean of `n_values` values, beginning at `first`.
    pub(super) fn from(&self, first: usize, n_values: usize) -> f64 {
        (self.sums[first + n_values] - self.sums[first]) / n_values as f64
    }

    /// The mean of the window around each of the first `n_values` values; near the ends, of the
    /// first and the last whole window.
    pub(super) fn centered(&self, n_values: usize, window: usize, means: &mut Vec<f64>) {
        means.clear();
        if n_values == 0 {
            return;
        }
        let window = window.clamp(1, n_values);
        let share = 1.0 / window as f64;
        let sums = &self.sums[..=n_values];
        let mean = |(end, start): (&f64, &f64)| (end - start) * share;
        means.resize(window / 2, mean((&sums[window], &sums[0])));
        means.extend(sums[window..].iter().zip(sums).map(mean));
        means.resize(n_values, mean((&sums[n_values], &sums[n_values - window])));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_whole() {
        let means = MovingMean::new(&[1.0, 2.0, 6.0, 4.0, 2.0]);
        let mut centered = vec![];
        means.centered(5, 3, &mut centered);
        assert_eq!(centered, [3.0, 3.0, 4.0, 4.0, 4.0]);
        means.centered(4, 2, &mut centered);
        assert_eq!(centered, [1.5, 1.5, 4.0, 5.0]);
        means.centered(2, 9, &mut centered);
        assert_eq!(centered, [1.5, 1.5]);
        means.centered(0, 3, &mut centered);
        assert!(centered.is_empty());
        assert!((means.from(1, 3) - 4.0).abs() < 1e-12);
    }
}
