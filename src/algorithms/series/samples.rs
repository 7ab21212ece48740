//! Samples: a series as it arrives, brought into time order and onto a regular grid.
//!
//! SQL rows come in any order. [`Samples`] sorts them by time and, at equal times, by value, so
//! that no result depends on the order of arrival. Most methods need evenly spaced values:
//! [`Samples::to_grid`] takes the median distance of neighbours as the step and puts each sample
//! into the nearest slot; slots without a sample are missing values.

use crate::error::{Error, Result};

/// A grid has at most this many slots per sample, plus [`MORE_SLOTS`]: three quarters of a series
/// may be missing. Without a limit, two samples a year apart and two a nanosecond apart would need
/// 10^16 slots.
const SLOTS_PER_SAMPLE: usize = 4;

/// See [`SLOTS_PER_SAMPLE`]; short series may have relatively longer gaps.
const MORE_SLOTS: usize = 1_000;

/// Values with their times, in order of time and, at equal times, of value. A NaN is a missing
/// value.
///
/// ```
/// use datafusion_aiops::algorithms::series::Samples;
/// let samples = Samples::new(vec![30, 10, 20], vec![3.0, 1.0, f64::INFINITY])?;
/// assert_eq!(samples.times_ns(), [10, 20, 30]);
/// assert!(samples.values()[1].is_nan());
/// # Ok::<(), datafusion_aiops::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Samples {
    times_ns: Vec<i64>,
    values: Vec<f64>,
}

/// Evenly spaced values, made by [`Samples::to_grid`].
///
/// ```
/// use datafusion_aiops::algorithms::series::Samples;
/// let grid = Samples::new(vec![0, 60, 119, 240], vec![1.0, 2.0, 3.0, 5.0])?.to_grid();
/// assert_eq!(grid.slots, [0, 1, 2, 4]);
/// assert!(grid.is_regular && grid.values[3].is_nan());
/// # Ok::<(), datafusion_aiops::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    /// The time of the first sample, in nanoseconds since the Unix epoch; 0 if there is none.
    pub start_ns: i64,
    /// The distance of two slots; `None` if no two times differ.
    pub step_ns: Option<i64>,
    /// The value of each slot: the mean of its samples, NaN if it has none.
    pub values: Vec<f64>,
    /// The slot of each sample, ascending.
    pub slots: Vec<usize>,
    /// Whether slot `i` is at `start_ns + i * step_ns`. Otherwise the slots are the samples
    /// themselves.
    pub is_regular: bool,
}

/// The lengths of the seasons of a series.
///
/// ```
/// use datafusion_aiops::algorithms::series::Season;
/// let day_and_week = Season::Durations(vec![7 * 86_400_000_000_000, 86_400_000_000_000]);
/// assert_eq!(day_and_week.periods(Some(3_600_000_000_000)), Some(vec![24, 168]));
/// assert_eq!(Season::Auto.periods(Some(3_600_000_000_000)), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Season {
    /// The seasons are found in the values.
    #[default]
    Auto,
    /// There is no season.
    None,
    /// Seasons of this many points each.
    Points(Vec<usize>),
    /// Seasons of this many nanoseconds each.
    Durations(Vec<i64>),
}

impl Samples {
    /// Samples of these times, in nanoseconds since the Unix epoch, and values, in any order.
    ///
    /// # Errors
    /// If there are not as many times as values.
    pub fn new(times_ns: Vec<i64>, values: Vec<f64>) -> Result<Self> {
        if times_ns.len() != values.len() {
            let (n_times, n_values) = (times_ns.len(), values.len());
            return Err(Error::invalid_input(format!(
                "got {n_times} times but {n_values} values"
            )));
        }
        let values = values.into_iter().map(or_missing);
        let mut rows: Vec<_> = times_ns.into_iter().zip(values).collect();
        rows.sort_unstable_by(|first, second| {
            (first.0.cmp(&second.0)).then(first.1.total_cmp(&second.1))
        });
        let (times_ns, values) = rows.into_iter().unzip();
        Ok(Self { times_ns, values })
    }

    /// The times in ascending order.
    pub fn times_ns(&self) -> &[i64] {
        &self.times_ns
    }

    /// The value at each time; NaN where it is missing.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The number of samples, including those whose value is missing.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The step of the series: the median distance of neighbouring times that differ. If there is
    /// an even number of distances, it is the smaller one in the middle, so that the step is a
    /// distance that occurs. `None` if no two times differ.
    pub fn step_ns(&self) -> Option<i64> {
        let neighbours = self.times_ns.windows(2);
        let mut distances: Vec<_> = neighbours
            .map(|pair| pair[1].saturating_sub(pair[0]))
            .filter(|&distance| distance > 0)
            .collect();
        let middle = distances.len().checked_sub(1)? / 2;
        Some(*distances.select_nth_unstable(middle).1)
    }

    /// The samples on a regular grid of [`step_ns`](Self::step_ns) that begins at the first one.
    ///
    /// Samples without a common step, or with gaps so long that the grid would have more than 4
    /// slots per sample plus 1,000, count as evenly spaced, one slot each; `is_regular` is then
    /// false.
    pub fn to_grid(&self) -> Grid {
        let step_ns = self.step_ns();
        let start_ns = self.times_ns.first().copied().unwrap_or_default();
        match step_ns.and_then(|step_ns| self.slots(start_ns, step_ns)) {
            Some(slots) => Grid {
                start_ns,
                step_ns,
                values: slot_means(&slots, &self.values),
                slots,
                is_regular: true,
            },
            None => Grid {
                start_ns,
                step_ns,
                values: self.values.clone(),
                slots: (0..self.len()).collect(),
                is_regular: false,
            },
        }
    }

    /// The nearest slot of each sample; `None` if there would be too many slots.
    fn slots(&self, start_ns: i64, step_ns: i64) -> Option<Vec<usize>> {
        let most = SLOTS_PER_SAMPLE * self.len() + MORE_SLOTS;
        let step_ns = i128::from(step_ns);
        let slot = |&time_ns: &i64| {
            let after_ns = i128::from(time_ns) - i128::from(start_ns);
            let nearest = (2 * after_ns + step_ns) / (2 * step_ns);
            usize::try_from(nearest).ok().filter(|&slot| slot < most)
        };
        self.times_ns.iter().map(slot).collect()
    }
}

impl Season {
    /// Checks the season, independently of a series.
    ///
    /// # Errors
    /// If a season in points has fewer than 2, or one in time is not positive.
    pub fn check(&self) -> Result<()> {
        let wrong = match self {
            Self::Points(points) => points.iter().find(|&&points| points < 2).map(|points| {
                format!("season needs at least 2 points, got {points}; write season=none for none")
            }),
            Self::Durations(durations) => durations
                .iter()
                .find(|&&duration| duration <= 0)
                .map(|duration| format!("season needs to be longer than 0, got {duration} ns")),
            Self::Auto | Self::None => None,
        };
        wrong.map_or(Ok(()), |message| Err(Error::invalid_option(message)))
    }

    /// The periods in points for a series with this step, ascending, each once; `None` if they are
    /// found in the values. Times are rounded to whole steps. Periods shorter than 2 points are
    /// left out, and so are all times if there is no step.
    pub fn periods(&self, step_ns: Option<i64>) -> Option<Vec<usize>> {
        let mut periods: Vec<usize> = match self {
            Self::Auto => return None,
            Self::None => vec![],
            Self::Points(points) => points.clone(),
            Self::Durations(durations) => {
                let points = durations.iter().filter_map(|&ns| steps(ns, step_ns?));
                points.collect()
            }
        };
        periods.retain(|&points| points >= 2);
        periods.sort_unstable();
        periods.dedup();
        Some(periods)
    }
}

/// The number of steps in a duration, rounded.
fn steps(duration_ns: i64, step_ns: i64) -> Option<usize> {
    let (duration_ns, step_ns) = (i128::from(duration_ns), i128::from(step_ns.max(1)));
    usize::try_from((2 * duration_ns + step_ns) / (2 * step_ns)).ok()
}

fn or_missing(value: f64) -> f64 {
    if value.is_finite() { value } else { f64::NAN }
}

/// The mean of the values in each slot; NaN if it has none.
fn slot_means(slots: &[usize], values: &[f64]) -> Vec<f64> {
    let n_slots = slots.last().map_or(0, |last| last + 1);
    let mut means = vec![f64::NAN; n_slots];
    let mut n_values = vec![0_u32; n_slots];
    for (&slot, &value) in slots.iter().zip(values) {
        if value.is_nan() {
            continue;
        }
        n_values[slot] += 1;
        let share = f64::from(n_values[slot]).recip();
        means[slot] = if n_values[slot] == 1 {
            value
        } else {
            // In two terms, so that the difference of huge values cannot overflow.
            means[slot] + (value * share - means[slot] * share)
        };
    }
    means
}

/// The values with straight lines over the gaps, and the nearest value before the first and after
/// the last; `None` if all values are missing.
pub(crate) fn bridge(values: &[f64]) -> Option<Vec<f64>> {
    let is_present = |&index: &usize| values[index].is_finite();
    let mut left = (0..values.len()).find(is_present)?;
    let mut bridged = values.to_vec();
    bridged[..left].fill(values[left]);
    for right in (left + 1..values.len()).filter(is_present) {
        let gap = (right - left) as f64;
        let slope = values[right] / gap - values[left] / gap;
        for (steps, value) in bridged[left + 1..right].iter_mut().enumerate() {
            *value = values[left] + slope * (steps + 1) as f64;
        }
        left = right;
    }
    bridged[left..].fill(values[left]);
    Some(bridged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn samples(rows: &[(i64, f64)]) -> Samples {
        let (times_ns, values) = rows.iter().copied().unzip();
        Samples::new(times_ns, values).unwrap()
    }

    /// Compares lists, with NaN equal to NaN.
    #[track_caller]
    fn check(got: &[f64], expected: &[f64]) {
        assert_eq!(format!("{got:?}"), format!("{expected:?}"));
    }

    #[test]
    fn steps_are_median_distances() {
        let cases: [(&[i64], Option<i64>); 6] = [
            (&[], None),
            (&[5], None),
            (&[5, 5, 5], None),
            (&[0, 10, 10, 20, 50], Some(10)),
            (&[0, 10, 30], Some(10)),
            (&[i64::MIN, i64::MAX], Some(i64::MAX)),
        ];
        for (times_ns, expected) in cases {
            let samples = Samples::new(times_ns.to_vec(), vec![1.0; times_ns.len()]).unwrap();
            assert_eq!(samples.step_ns(), expected, "{times_ns:?}");
        }
    }

    #[test]
    fn slots_take_the_mean() {
        let rows = [(0, 1.0), (9, 2.0), (11, 4.0), (30, f64::NAN), (40, 7.0)];
        let grid = samples(&rows).to_grid();
        assert_eq!((grid.start_ns, grid.step_ns), (0, Some(9)));
        assert_eq!(grid.slots, [0, 1, 1, 3, 4]);
        check(&grid.values, &[1.0, 3.0, f64::NAN, f64::NAN, 7.0]);
        let huge = [(0, f64::MAX), (0, f64::MIN), (10, 1.0), (20, 1.0)];
        check(&samples(&huge).to_grid().values, &[0.0, 1.0, 1.0]);
    }

    #[test]
    fn long_gaps_make_no_grid() {
        let grid = samples(&[(0, 1.0), (1, 2.0), (2, 3.0), (1_000_000, 4.0)]).to_grid();
        assert!(!grid.is_regular);
        assert_eq!(grid.slots, [0, 1, 2, 3]);
        check(&grid.values, &[1.0, 2.0, 3.0, 4.0]);
        // The last slot that 4 samples allow.
        let last = |time| samples(&[(0, 1.0), (1, 2.0), (2, 3.0), (time, 4.0)]).to_grid();
        assert_eq!(last(1_015).values.len(), 1_016);
        assert!(!last(1_016).is_regular);
    }

    #[test]
    fn few_samples() {
        let empty = Samples::default().to_grid();
        assert!(empty.values.is_empty() && empty.slots.is_empty() && !empty.is_regular);
        let one = samples(&[(7, 1.5)]).to_grid();
        assert_eq!((one.start_ns, one.step_ns, one.slots), (7, None, vec![0]));
        assert!(Samples::new(vec![1], vec![]).is_err());
    }

    #[test]
    fn seasons_in_points() {
        let cases = [
            (Season::None, Some(vec![])),
            (Season::Points(vec![168, 24, 24, 1, 0]), Some(vec![24, 168])),
            (Season::Durations(vec![100, 26, 14, -5]), Some(vec![3, 10])),
            (Season::Auto, None),
        ];
        for (season, expected) in cases {
            assert_eq!(season.periods(Some(10)), expected, "{season:?}");
        }
        assert_eq!(Season::Durations(vec![100]).periods(None), Some(vec![]));
        assert!(Season::Points(vec![1]).check().is_err());
        assert!(Season::Durations(vec![0]).check().is_err());
        assert!(Season::Points(vec![2]).check().is_ok() && Season::Auto.check().is_ok());
    }

    #[test]
    fn bridges_are_straight() {
        let nan = f64::NAN;
        check(
            &bridge(&[nan, 1.0, nan, nan, 4.0, nan]).unwrap(),
            &[1.0, 1.0, 2.0, 3.0, 4.0, 4.0],
        );
        check(
            &bridge(&[f64::MAX, nan, f64::MIN]).unwrap(),
            &[f64::MAX, 0.0, f64::MIN],
        );
        assert_eq!(bridge(&[nan, nan]), None);
        assert_eq!(bridge(&[]), None);
    }

    proptest! {
        #[test]
        fn order_of_arrival_does_not_matter(rows in prop::collection::vec((0..50_i64, -5..5_i32), 0..40)) {
            let rows: Vec<_> = rows.into_iter().map(|(time, value)| (time, f64::from(value))).collect();
            let reversed: Vec<_> = rows.iter().rev().copied().collect();
            prop_assert_eq!(samples(&rows), samples(&reversed));
        }

        #[test]
        fn slots_are_within_the_limit(times_ns in prop::collection::vec(any::<i64>(), 0..40)) {
            let n_samples = times_ns.len();
            let grid = Samples::new(times_ns, vec![1.0; n_samples]).unwrap().to_grid();
            prop_assert!(grid.values.len() <= 4 * n_samples + 1_000);
            prop_assert!(grid.slots.is_sorted() && grid.slots.iter().all(|&slot| slot < grid.values.len()));
        }
    }
}
