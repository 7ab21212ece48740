//! The rate of a counter, which only grows until its process restarts.

use crate::algorithms::series::samples::Samples;

const SECOND_NS: f64 = 1e9;

/// The kind of the values of a series.
///
/// ```
/// use datafusion_aiops::algorithms::series::Counting;
/// assert_ne!(Counting::Up, Counting::Both);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Counting {
    /// A counter: a value below the one before has started again from 0.
    Up,
    /// A gauge, which goes up and down.
    Both,
}

/// The growth of a series from its first known value to its last, per second; if several values
/// have one time, the greatest counts. `None` if values are known at fewer than two times, or if
/// the rate is not finite.
///
/// ```
/// use datafusion_aiops::algorithms::series::{Counting, Samples, rate};
/// let second = 1_000_000_000;
/// let requests = Samples::new(vec![0, 10 * second, 20 * second], vec![100.0, 150.0, 30.0])?;
/// // 50, then 30 since the restart.
/// assert_eq!(rate(&requests, Counting::Up), Some(4.0));
/// assert_eq!(rate(&requests, Counting::Both), Some(-3.5));
/// # Ok::<(), datafusion_aiops::Error>(())
/// ```
pub fn rate(samples: &Samples, counting: Counting) -> Option<f64> {
    let known = samples.times_ns().iter().zip(samples.values());
    let mut known = known.filter(|(_, value)| !value.is_nan()).peekable();
    let mut increase = 0.0;
    let (mut first_ns, mut last) = (None, None);
    while let Some((&time_ns, &value)) = known.next() {
        // The next value is at the same time and not smaller.
        if known
            .peek()
            .is_some_and(|(next_ns, _)| **next_ns == time_ns)
        {
            continue;
        }
        first_ns = first_ns.or(Some(time_ns));
        if let Some((_, before)) = last {
            increase += match counting {
                Counting::Up if value < before => value,
                Counting::Up | Counting::Both => value - before,
            };
        }
        last = Some((time_ns, value));
    }
    let elapsed_ns = i128::from(last?.0) - i128::from(first_ns?);
    let rate = increase / (elapsed_ns as f64 / SECOND_NS);
    (elapsed_ns > 0 && rate.is_finite()).then_some(rate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: i64 = 1_000_000_000;

    fn samples(points: &[(i64, f64)]) -> Samples {
        let (times_ns, values) = points
            .iter()
            .map(|&(second, value)| (second * SECOND, value))
            .unzip();
        Samples::new(times_ns, values).unwrap()
    }

    #[test]
    fn cases() {
        for (points, up, both) in [
            (vec![], None, None),
            (vec![(0, 1.0)], None, None),
            (vec![(0, 1.0), (0, 5.0)], None, None),
            (vec![(0, f64::NAN), (1, 2.0)], None, None),
            // Of the values at one time the greatest counts, and missing values are skipped.
            (
                vec![(0, 1.0), (5, 3.0), (5, 11.0), (7, f64::NAN), (10, 21.0)],
                Some(2.0),
                Some(2.0),
            ),
            // Two restarts, the second one to 0.
            (
                vec![(0, 100.0), (10, 20.0), (20, 0.0), (30, 10.0)],
                Some(1.0),
                Some(-3.0),
            ),
            (vec![(0, f64::MIN), (1, f64::MAX)], None, None),
            (vec![(0, 7.0), (9, 7.0)], Some(0.0), Some(0.0)),
        ] {
            let samples = samples(&points);
            assert_eq!(rate(&samples, Counting::Up), up, "{points:?}");
            assert_eq!(rate(&samples, Counting::Both), both, "{points:?}");
        }
    }

    proptest! {
        /// Restarts lose only growth that was never seen, after the last sample before each.
        #[test]
        fn restarts_are_no_loss(steps in prop::collection::vec((1..100_u32, any::<bool>()), 2..50)) {
            let (mut total, mut counter) = (0.0, 0.0);
            let mut points = vec![(0, 0.0)];
            for (second, (step, restarts)) in (1..).zip(&steps) {
                // A restart that can be seen: the counter has reached less than before.
                if *restarts && f64::from(*step) < counter {
                    counter = 0.0;
                }
                counter += f64::from(*step);
                total += f64::from(*step);
                points.push((second, counter));
            }
            let found = rate(&samples(&points), Counting::Up).unwrap();
            prop_assert!((found - total / steps.len() as f64).abs() < 1e-9);
        }
    }
}
