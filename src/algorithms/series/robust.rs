//! Robust statistics: median, median absolute deviation and quantiles, for everything that a few
//! outliers must not mislead.
//!
//! All are found by selection, in time linear in the number of values. Quantiles are interpolated
//! like numpy's default and R's type 7 (Hyndman and Fan, "Sample quantiles in statistical
//! packages", 1996). NaN and infinities are missing.

/// The median absolute deviation of a normal distribution times this is its standard deviation: 1
/// over its 75 % quantile.
pub(crate) const NORMAL_CONSISTENT: f64 = 1.482_602_218_505_602;

/// The median; the mean of the two middle values if their number is even. `None` if all are
/// missing.
///
/// ```
/// use datafusion_aiops::algorithms::series::median;
/// assert_eq!(median(&[3.0, f64::NAN, 1.0, 200.0]), Some(3.0));
/// assert_eq!(median(&[f64::NAN]), None);
/// ```
pub fn median(values: &[f64]) -> Option<f64> {
    quantile(values, 0.5)
}

/// The median distance from the median, in the unit of the values; [`NORMAL_CONSISTENT`] scales it
/// to a standard deviation. `None` if all values are missing.
pub(crate) fn median_absolute_deviation(values: &[f64]) -> Option<f64> {
    let mut present = present(values);
    let center = quantile_in_place(&mut present, 0.5)?;
    for value in &mut present {
        *value = (*value - center).abs();
    }
    quantile_in_place(&mut present, 0.5)
}

/// The value below which this share of the values lies, interpolated between neighbours. Shares
/// outside 0 to 1 count as 0 or 1. `None` if all values are missing or the share is NaN.
///
/// ```
/// use datafusion_aiops::algorithms::series::quantile;
/// assert_eq!(quantile(&[4.0, 1.0, 2.0, 3.0], 0.25), Some(1.75));
/// ```
pub fn quantile(values: &[f64], share: f64) -> Option<f64> {
    quantile_in_place(&mut present(values), share)
}

/// The values that are not missing.
pub(crate) fn present(values: &[f64]) -> Vec<f64> {
    values
        .iter()
        .copied()
        .filter(|value| value.is_finite())
        .collect()
}

/// Computes [`quantile`]; no value may be missing. Changes the order of the values.
pub(crate) fn quantile_in_place(values: &mut [f64], share: f64) -> Option<f64> {
    if values.is_empty() || share.is_nan() {
        return None;
    }
    let position = share.clamp(0.0, 1.0) * (values.len() - 1) as f64;
    let rank = floor_index(position).min(values.len() - 1);
    let (_, low, above) = values.select_nth_unstable_by(rank, f64::total_cmp);
    let low = *low;
    let high = above.iter().copied().reduce(f64::min).unwrap_or(low);
    Some(between(low, high, position - rank as f64))
}

/// Computes [`median`]; no value may be missing. Changes the order of the values.
pub(crate) fn median_in_place(values: &mut [f64]) -> Option<f64> {
    quantile_in_place(values, 0.5)
}

/// The mean, computed so that it cannot overflow. NaN if there are no values.
pub(crate) fn mean(values: &[f64]) -> f64 {
    let n_values = values.len() as f64;
    let sum: f64 = values.iter().sum();
    if sum.is_finite() {
        return sum / n_values;
    }
    values.iter().map(|value| value / n_values).sum()
}

/// A power of two near the largest absolute value, or 1 if that is 0. Dividing by it changes no
/// digit, and squares and sums of the quotients cannot overflow.
pub(crate) fn magnitude(values: &[f64]) -> f64 {
    let largest = values
        .iter()
        .filter(|value| value.is_finite())
        .fold(0.0_f64, |largest, value| largest.max(value.abs()));
    if largest > 0.0 {
        largest.log2().floor().clamp(-1000.0, 1000.0).exp2()
    } else {
        1.0
    }
}

/// The index below a position; 0 for negative positions and NaN.
#[expect(
    clippy::cast_possible_truncation,
    reason = "positions are within slices"
)]
pub(crate) fn floor_index(position: f64) -> usize {
    position as usize
}

/// Interpolates from `low` at 0 to `high` at 1, exact at both ends.
fn between(low: f64, high: f64, share: f64) -> f64 {
    let difference = high - low;
    if !difference.is_finite() {
        low * (1.0 - share) + high * share
    } else if share < 0.5 {
        low + difference * share
    } else {
        high - difference * (1.0 - share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check_quantiles(values: &[f64], expected: &[(f64, f64)]) {
        for &(share, expected) in expected {
            let got = quantile(values, share).unwrap();
            assert!(
                (got - expected).abs() <= 1e-12 * expected.abs(),
                "{share}: {got}"
            );
        }
    }

    /// The expected values are from `numpy.quantile`, numpy 2.
    #[test]
    fn quantiles_are_those_of_numpy() {
        check_quantiles(&[7.0], &[(0.0, 7.0), (0.5, 7.0), (1.0, 7.0)]);
        let values = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0];
        let expected = [
            (0.0, 1.0),
            (0.02, 1.0),
            (0.25, 1.75),
            (0.5, 3.5),
            (0.98, 8.58),
            (1.0, 9.0),
        ];
        check_quantiles(&values, &expected);
    }

    #[test]
    fn missing_and_extreme_values() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[f64::INFINITY, 2.0, f64::NAN]), Some(2.0));
        assert_eq!(quantile(&[1.0], f64::NAN), None);
        assert_eq!(median(&[1e300, 3e300]), Some(2e300));
        assert_eq!(median(&[f64::MIN, f64::MAX]), Some(0.0));
        assert_eq!(median_absolute_deviation(&[2.0; 5]), Some(0.0));
        assert_eq!(median_absolute_deviation(&[f64::NAN]), None);
        assert!(mean(&[f64::MAX, f64::MAX]).is_finite() && mean(&[]).is_nan());
    }

    #[test]
    fn magnitudes_are_powers_of_two() {
        for (largest, expected) in [(0.0, 1.0), (1.5, 1.0), (-8.0, 8.0), (0.3, 0.25)] {
            assert!((magnitude(&[0.0, largest, f64::NAN]) - expected).abs() < 1e-300);
        }
        assert!(magnitude(&[5e-324]) > 0.0 && magnitude(&[f64::MAX]).is_finite());
    }

    proptest! {
        #[test]
        fn quantiles_equal_sorting(mut values in prop::collection::vec(-1e6..1e6_f64, 1..40), share in 0.0..1.0_f64) {
            let got = quantile(&values, share).unwrap();
            values.sort_by(f64::total_cmp);
            let rank = floor_index(share * (values.len() - 1) as f64);
            let next = values[(rank + 1).min(values.len() - 1)];
            prop_assert!(values[rank] <= got && got <= next);
        }

        #[test]
        fn the_deviation_shifts_and_scales(values in prop::collection::vec(-100.0..100.0_f64, 1..40)) {
            let deviation = median_absolute_deviation(&values).unwrap();
            let moved: Vec<_> = values.iter().map(|value| 1000.0 - 4.0 * value).collect();
            let moved = median_absolute_deviation(&moved).unwrap();
            prop_assert!((moved - 4.0 * deviation).abs() < 1e-9);
        }
    }
}
