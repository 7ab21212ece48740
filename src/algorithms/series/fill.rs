//! Filling: turns samples into one value per bucket, including empty buckets, so that a chart has
//! no holes, a join by time finds every bucket, and a series that stopped shows its silence.
//!
//! Buckets are as wide as the step and begin at its multiples since the Unix epoch (or another
//! origin), like those of `date_bin`. The samples of a bucket become one value; then the gaps are
//! closed: with nothing, a number, the previous value, a straight line, or, for long gaps of
//! seasonal series, the season on a straight line.

use std::ops::Range;

use crate::algorithms::series::periods::{PeriodOptions, bridge_seasonally, find_periods};
use crate::algorithms::series::robust::mean;
use crate::algorithms::series::samples::{Samples, Season, bridge};

/// The default of [`FillOptions::max_points`]: two years of minutes.
pub(crate) const DEFAULT_MAX_POINTS: usize = 1_000_000;

/// How several samples in one bucket become one value. Missing values count as no sample.
///
/// ```
/// use datafusion_aiops::algorithms::series::Bucket;
/// assert_eq!(Bucket::default(), Bucket::Mean);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Bucket {
    /// The mean of the samples.
    #[default]
    Mean,
    /// The sum of the samples.
    Sum,
    /// The smallest sample.
    Min,
    /// The greatest sample.
    Max,
    /// The number of samples.
    Count,
    /// The earliest sample; if several have that time, the smallest.
    First,
    /// The latest sample; if several have that time, the greatest.
    Last,
}

/// How an empty bucket is filled.
///
/// ```
/// use datafusion_aiops::algorithms::series::Gap;
/// assert_ne!(Gap::Zero, Gap::Null);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Gap {
    /// It stays empty.
    Null,
    /// It becomes 0.
    Zero,
    /// It becomes the value before it, however long ago; before the first value it stays empty.
    Previous,
    /// It is on the straight line between the values before and after it; before the first and
    /// after the last value it stays empty.
    Linear,
    /// It follows the season, the median deviation from the level at each phase, on a straight
    /// line. If there is no season, this is `Linear`; as there, it stays empty before the first and
    /// after the last value.
    Seasonal,
    /// It becomes this number.
    Number(f64),
}

/// The options of filling.
///
/// ```
/// use datafusion_aiops::algorithms::series::{Bucket, FillOptions, Samples, fill};
/// let samples = Samples::new(vec![0, 10, 45], vec![1.0, 3.0, 4.0])?;
/// let mut options = FillOptions::default();
/// options.bucket = Bucket::Count;
/// options.end_ns = Some(80);
/// let filled = fill(&samples, 20, &options).unwrap_or_default();
/// let counts: Vec<_> = filled.iter().map(|bucket| bucket.value).collect();
/// assert_eq!(counts, [Some(2.0), Some(0.0), Some(1.0), Some(0.0)]);
/// # Ok::<(), datafusion_aiops::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct FillOptions {
    /// How several samples in one bucket become one value.
    pub bucket: Bucket,
    /// How an empty bucket is filled. Default: 0 for sums and counts, since nothing happened, and
    /// otherwise a straight line.
    pub gap: Option<Gap>,
    /// A time at which a bucket begins, in nanoseconds since the Unix epoch.
    pub origin_ns: i64,
    /// The first bucket is the one of this time, instead of that of the first sample; earlier
    /// samples are left out.
    pub start_ns: Option<i64>,
    /// The last bucket is the last one that begins before this time, instead of that of the last
    /// sample; samples from this time on are left out.
    pub end_ns: Option<i64>,
    /// The season of `Gap::Seasonal`; if there are several, the longest counts.
    pub season: Season,
    /// The largest number of buckets.
    pub max_points: usize,
}

impl Default for FillOptions {
    fn default() -> Self {
        Self {
            bucket: Bucket::default(),
            gap: None,
            origin_ns: 0,
            start_ns: None,
            end_ns: None,
            season: Season::Auto,
            max_points: DEFAULT_MAX_POINTS,
        }
    }
}

/// A bucket of a filled series.
///
/// ```
/// use datafusion_aiops::algorithms::series::Filled;
/// let bucket = Filled { time_ns: 0, value: Some(1.5), is_filled: true };
/// assert!(bucket.value.is_some());
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Filled {
    /// The time at which it begins, in nanoseconds since the Unix epoch.
    pub time_ns: i64,
    /// Its value; `None` if it is empty.
    pub value: Option<f64>,
    /// Whether the value fills an empty bucket.
    pub is_filled: bool,
}

/// The buckets from the first to the last sample, or those that the options name, in order of time.
/// Samples with missing values do not make a value, but they count for where the series begins and
/// ends. Empty if there are no samples and not both ends are given, or if the end is not after the
/// start. `None` if there would be more than `max_points` buckets, if one would begin at a time
/// outside of `i64`, or if the step is not positive.
///
/// ```
/// use datafusion_aiops::algorithms::series::{FillOptions, Samples, fill};
/// let samples = Samples::new(vec![60, 190], vec![1.0, 3.0])?;
/// let filled = fill(&samples, 60, &FillOptions::default()).unwrap_or_default();
/// let values: Vec<_> = filled.iter().map(|bucket| (bucket.time_ns, bucket.value)).collect();
/// assert_eq!(values, [(60, Some(1.0)), (120, Some(2.0)), (180, Some(3.0))]);
/// # Ok::<(), datafusion_aiops::Error>(())
/// ```
pub fn fill(samples: &Samples, step_ns: i64, options: &FillOptions) -> Option<Vec<Filled>> {
    let buckets = Buckets::new(samples, step_ns, options)?;
    let values = buckets.reduce(samples, options.bucket);
    let gap = options.gap.unwrap_or(options.bucket.default_gap());
    let filled = gap.fill(&values, &options.season, Some(step_ns));
    let buckets = buckets.starts_ns().zip(values).zip(filled);
    let bucket = |((time_ns, value), filled): ((i64, f64), f64)| Filled {
        time_ns,
        value: Some(filled).filter(|filled| filled.is_finite()),
        is_filled: !value.is_finite() && filled.is_finite(),
    };
    Some(buckets.map(bucket).collect())
}

/// Evenly spaced buckets.
#[derive(Debug)]
struct Buckets {
    start_ns: i64,
    step_ns: i64,
    n_buckets: usize,
}

impl Buckets {
    /// The buckets that the samples need or the options name; `None` if that is impossible.
    fn new(samples: &Samples, step_ns: i64, options: &FillOptions) -> Option<Self> {
        if step_ns <= 0 {
            return None;
        }
        let times_ns = samples.times_ns();
        let from = options.start_ns.or(times_ns.first().copied());
        let until = options.end_ns.map(i128::from);
        let until = until.or(times_ns.last().map(|&last| i128::from(last) + 1));
        let (Some(from), Some(until)) = (from, until) else {
            return Some(Self {
                start_ns: 0,
                step_ns,
                n_buckets: 0,
            });
        };
        let (origin, step) = (i128::from(options.origin_ns), i128::from(step_ns));
        let start = origin + (i128::from(from) - origin).div_euclid(step) * step;
        let n_buckets = usize::try_from(((until - start + step - 1) / step).max(0)).ok()?;
        let start_ns = i64::try_from(start).ok()?;
        (n_buckets <= options.max_points).then_some(Self {
            start_ns,
            step_ns,
            n_buckets,
        })
    }

    fn starts_ns(&self) -> impl Iterator<Item = i64> {
        // Each start except the one after the last is before the end, which is a valid time.
        std::iter::successors(Some(self.start_ns), |start| start.checked_add(self.step_ns))
            .take(self.n_buckets)
    }

    /// One value per bucket; NaN if it is empty.
    fn reduce(&self, samples: &Samples, bucket: Bucket) -> Vec<f64> {
        bucket.reduce_slots(samples, self.n_buckets, |time_ns| self.index(time_ns))
    }

    fn index(&self, time_ns: i64) -> Option<usize> {
        let after_ns = i128::from(time_ns) - i128::from(self.start_ns);
        let index = usize::try_from(after_ns.div_euclid(i128::from(self.step_ns))).ok()?;
        (index < self.n_buckets).then_some(index)
    }
}

impl Bucket {
    /// One value per slot; NaN if it is empty. `slot` maps a time to its slot, and ascends with it.
    pub(crate) fn reduce_slots(
        self,
        samples: &Samples,
        n_slots: usize,
        slot: impl Fn(i64) -> Option<usize>,
    ) -> Vec<f64> {
        let mut values = vec![f64::NAN; n_slots];
        let mut together = vec![];
        let rows = samples.times_ns().iter().zip(samples.values());
        let mut rows = rows
            .filter(|(_, value)| !value.is_nan())
            .filter_map(|(&time_ns, &value)| Some((slot(time_ns)?, value)))
            .filter(|(slot, _)| *slot < n_slots)
            .peekable();
        while let Some((slot, value)) = rows.next() {
            together.push(value);
            if rows.peek().is_none_or(|&(next, _)| next != slot) {
                values[slot] = self.reduce(&together);
                together.clear();
            }
        }
        values
    }

    /// Reduces values, at least one and in order of time, to one.
    fn reduce(self, values: &[f64]) -> f64 {
        let (first, last) = (values[0], values[values.len() - 1]);
        match self {
            Self::Mean => mean(values),
            // An infinite sum would count as missing.
            Self::Sum => values.iter().sum::<f64>().clamp(f64::MIN, f64::MAX),
            Self::Min => values.iter().copied().fold(first, f64::min),
            Self::Max => values.iter().copied().fold(first, f64::max),
            Self::Count => values.len() as f64,
            Self::First => first,
            Self::Last => last,
        }
    }

    fn default_gap(self) -> Gap {
        match self {
            Self::Sum | Self::Count => Gap::Zero,
            _ => Gap::Linear,
        }
    }
}

impl Gap {
    /// The values with gaps filled; NaN where nothing fills them. Season and step are those of
    /// `Seasonal`.
    pub(crate) fn fill(self, values: &[f64], season: &Season, step_ns: Option<i64>) -> Vec<f64> {
        match self {
            Self::Null => values.to_vec(),
            Self::Zero => or_number(values, 0.0),
            Self::Number(number) => or_number(values, number),
            Self::Previous => or_previous(values),
            Self::Linear => within(values, bridge(values)),
            Self::Seasonal => within(values, seasonal(values, season, step_ns)),
        }
    }
}

fn seasonal(values: &[f64], season: &Season, step_ns: Option<i64>) -> Option<Vec<f64>> {
    let search = || {
        let found = find_periods(values, PeriodOptions::default());
        found.iter().map(|period| period.points).collect()
    };
    let periods: Vec<usize> = season.periods(step_ns).unwrap_or_else(search);
    let has_two_cycles = |period: &usize| *period <= values.len() / 2;
    match periods.into_iter().filter(has_two_cycles).max() {
        Some(period) => bridge_seasonally(values, period),
        None => bridge(values),
    }
}

fn or_number(values: &[f64], number: f64) -> Vec<f64> {
    let filled = values
        .iter()
        .map(|&value| if value.is_finite() { value } else { number });
    filled.collect()
}

fn or_previous(values: &[f64]) -> Vec<f64> {
    let mut previous = f64::NAN;
    let filled = values.iter().map(|&value| {
        if value.is_finite() {
            previous = value;
        }
        previous
    });
    filled.collect()
}

/// The filled values between the first and the last known value; NaN outside.
fn within(values: &[f64], filled: Option<Vec<f64>>) -> Vec<f64> {
    let mut filled = filled.unwrap_or_else(|| values.to_vec());
    let inside = known(values);
    filled[..inside.start].fill(f64::NAN);
    filled[inside.end..].fill(f64::NAN);
    filled
}

/// The range from the first to the last known value.
fn known(values: &[f64]) -> Range<usize> {
    let first = values.iter().position(|value| value.is_finite());
    let last = values.iter().rposition(|value| value.is_finite());
    first.unwrap_or_default()..last.map_or(0, |last| last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NAN: f64 = f64::NAN;

    fn samples(rows: &[(i64, f64)]) -> Samples {
        let (times_ns, values) = rows.iter().copied().unzip();
        Samples::new(times_ns, values).unwrap()
    }

    /// Rows from 0 to 59 with step 10: two samples, one, none, a missing one, one, two at one time.
    fn rows() -> Samples {
        let rows = [
            (1, 4.0),
            (9, 2.0),
            (10, 6.0),
            (35, NAN),
            (40, 9.0),
            (55, 7.0),
            (55, 5.0),
        ];
        samples(&rows)
    }

    fn options(bucket: Bucket, gap: Gap) -> FillOptions {
        FillOptions {
            bucket,
            gap: Some(gap),
            ..FillOptions::default()
        }
    }

    fn values(filled: Option<Vec<Filled>>) -> Vec<Option<f64>> {
        filled.unwrap().iter().map(|bucket| bucket.value).collect()
    }

    #[test]
    fn buckets() {
        let cases = [
            (Bucket::Mean, [3.0, 6.0, 9.0, 6.0]),
            (Bucket::Sum, [6.0, 6.0, 9.0, 12.0]),
            (Bucket::Min, [2.0, 6.0, 9.0, 5.0]),
            (Bucket::Max, [4.0, 6.0, 9.0, 7.0]),
            (Bucket::Count, [2.0, 1.0, 1.0, 2.0]),
            (Bucket::First, [4.0, 6.0, 9.0, 5.0]),
            (Bucket::Last, [2.0, 6.0, 9.0, 7.0]),
        ];
        for (bucket, [a, b, c, d]) in cases {
            let got = values(fill(&rows(), 10, &options(bucket, Gap::Null)));
            assert_eq!(
                got,
                [Some(a), Some(b), None, None, Some(c), Some(d)],
                "{bucket:?}"
            );
        }
    }

    #[test]
    fn gaps() {
        let ends = |gap| FillOptions {
            start_ns: Some(-10),
            end_ns: Some(70),
            ..options(Bucket::Mean, gap)
        };
        let cases = [
            (Gap::Null, [None, None, None, None]),
            (Gap::Zero, [Some(0.0); 4]),
            (Gap::Number(-1.0), [Some(-1.0); 4]),
            (Gap::Previous, [None, Some(6.0), Some(6.0), Some(6.0)]),
            (Gap::Linear, [None, Some(7.0), Some(8.0), None]),
            (Gap::Seasonal, [None, Some(7.0), Some(8.0), None]),
        ];
        for (gap, [before, first, second, after]) in cases {
            let filled = fill(&rows(), 10, &ends(gap)).unwrap();
            for (at, expected) in [(0, before), (3, first), (4, second), (7, after)] {
                assert_eq!(filled[at].value, expected, "{gap:?} {at}");
                assert_eq!(filled[at].is_filled, expected.is_some(), "{gap:?} {at}");
            }
            assert!(!filled[1].is_filled);
        }
    }

    #[test]
    fn defaults_are_zero_for_counts_and_lines_for_values() {
        let by_default = |bucket| FillOptions {
            bucket,
            ..FillOptions::default()
        };
        let third = |bucket| fill(&rows(), 10, &by_default(bucket)).unwrap()[2].value;
        assert_eq!(third(Bucket::Count), Some(0.0));
        assert_eq!(third(Bucket::Sum), Some(0.0));
        assert_eq!(third(Bucket::Last), Some(7.0));
    }

    #[test]
    fn starts() {
        let times = |origin_ns, start_ns, end_ns| {
            let options = FillOptions {
                origin_ns,
                start_ns,
                end_ns,
                ..FillOptions::default()
            };
            let filled = fill(&samples(&[(-7, 1.0), (12, 2.0)]), 10, &options);
            filled
                .unwrap()
                .iter()
                .map(|bucket| bucket.time_ns)
                .collect::<Vec<_>>()
        };
        assert_eq!(times(0, None, None), [-10, 0, 10]);
        assert_eq!(times(3, None, None), [-7, 3]);
        assert_eq!(times(1_003, None, None), [-7, 3]);
        assert_eq!(times(0, Some(1), None), [0, 10]);
        assert_eq!(times(0, None, Some(10)), [-10, 0]);
        assert_eq!(times(0, None, Some(11)), [-10, 0, 10]);
        assert!(times(0, Some(20), Some(20)).is_empty());
        assert!(times(0, Some(30), Some(-30)).is_empty());
    }

    #[test]
    fn limits() {
        let at_most = |max_points| FillOptions {
            max_points,
            ..FillOptions::default()
        };
        assert!(fill(&rows(), 10, &at_most(5)).is_none());
        assert_eq!(values(fill(&rows(), 10, &at_most(6))).len(), 6);
        assert!(fill(&rows(), 0, &at_most(6)).is_none());
        let far = samples(&[(i64::MIN, 1.0), (i64::MAX, 2.0)]);
        assert!(fill(&far, 1, &FillOptions::default()).is_none());
        assert!(fill(&far, 7, &FillOptions::default()).is_none());
        let late = samples(&[(i64::MAX - 1, 1.0), (i64::MAX, f64::MAX)]);
        assert_eq!(
            values(fill(&late, 1 << 40, &FillOptions::default())).len(),
            1
        );
        assert!(values(fill(&Samples::default(), 10, &FillOptions::default())).is_empty());
        let silence = FillOptions {
            start_ns: Some(0),
            end_ns: Some(20),
            ..options(Bucket::Count, Gap::Zero)
        };
        assert_eq!(
            values(fill(&Samples::default(), 10, &silence)),
            [Some(0.0); 2]
        );
    }

    #[test]
    fn seasons_go_through_long_gaps() {
        let season = |at: i64| [0.0, 5.0, 9.0, 5.0, 0.0, -4.0][usize::try_from(at).unwrap() % 6];
        let value = |at: i64| season(at) + 0.5 * at as f64;
        let all = (0..120).filter(|at| !(50..64).contains(at));
        let gappy = samples(&all.map(|at| (at, value(at))).collect::<Vec<_>>());
        for season in [
            Season::Auto,
            Season::Points(vec![2, 6]),
            Season::Durations(vec![6]),
        ] {
            let seasonal = FillOptions {
                season,
                ..options(Bucket::Mean, Gap::Seasonal)
            };
            for filled in fill(&gappy, 1, &seasonal).unwrap() {
                let (got, expected) = (filled.value.unwrap(), value(filled.time_ns));
                assert!((got - expected).abs() < 2.0, "{filled:?} {expected}");
            }
        }
    }

    proptest! {
        #[test]
        fn every_sample_is_counted(times in prop::collection::vec(-500..500_i64, 1..60), step in 1..90_i64, origin in -99..99_i64) {
            let samples = samples(&times.iter().map(|&time| (time, 1.0)).collect::<Vec<_>>());
            let options = FillOptions { origin_ns: origin, ..options(Bucket::Count, Gap::Zero) };
            let filled = fill(&samples, step, &options).unwrap();
            let total: f64 = filled.iter().filter_map(|bucket| bucket.value).sum();
            prop_assert!((total - times.len() as f64).abs() < 1e-9);
            prop_assert!(filled.iter().all(|bucket| (bucket.time_ns - origin).rem_euclid(step) == 0));
            prop_assert!(filled[0].value > Some(0.0) && filled[filled.len() - 1].value > Some(0.0));
        }

        #[test]
        fn what_is_there_stays(rows in prop::collection::vec((0..300_i64, -1e6..1e6_f64), 1..60)) {
            let samples = samples(&rows);
            let bare = fill(&samples, 7, &options(Bucket::Mean, Gap::Null)).unwrap();
            for gap in [Gap::Zero, Gap::Previous, Gap::Linear, Gap::Seasonal] {
                let filled = fill(&samples, 7, &options(Bucket::Mean, gap)).unwrap();
                for (bare, filled) in bare.iter().zip(&filled) {
                    prop_assert!(bare.value.is_none() || bare == filled);
                    prop_assert!(filled.value.is_some_and(f64::is_finite));
                }
            }
        }
    }
}
