//! Natural seasons: whether a series has an hour, a day, a week or a year, if the distance of its
//! points is known.
//!
//! Seasons that are likely beforehand need less proof than those found by search
//! ([`find_periods`]). So natural seasons are tested first, and stay unless the search finds
//! seasons that explain far more (a batch every five hours looks like an hour too). The test
//! correlates each whole cycle with the mean of all others. Without a season that correlation is
//! slightly negative however few cycles there are, so it needs no table of significance; how much
//! it differs from cycle to cycle shows how certain it is (leave-one-out cross-validation; Stone,
//! "Cross-validatory choice and assessment of statistical predictions", 1974).

use crate::algorithms::series::forecast::components::{average_cycle, center, with_cycle};
use crate::algorithms::series::forecast::cycles::is_long_enough;
use crate::algorithms::series::forecast::moving_mean::MovingMean;
use crate::algorithms::series::forecast::options::Step;
use crate::algorithms::series::periods::{PeriodOptions, find_periods};
use crate::algorithms::series::robust::{NORMAL_CONSISTENT, floor_index, median_in_place};

/// A second in nanoseconds.
const SECOND_NS: f64 = 1e9;

/// Minute, hour, day and week in seconds.
const NATURAL_S: [f64; 4] = [60.0, 3_600.0, 86_400.0, 604_800.0];

/// The mean year of the Gregorian calendar, 365.2425 days, in seconds. It is no whole number of
/// days or weeks and soon out of step with them, so it is tested only for steps of at least
/// [`MONTH_S`].
const YEAR_S: f64 = 31_556_952.0;

/// The shortest month in seconds.
const MONTH_S: f64 = 28.0 * 86_400.0;

/// The length of a natural season may differ from a whole number of points by this share.
const OFF: f64 = 0.03;

/// For 2, 3, 4 and at least 5 cycles: the least correlation, and how many standard errors it must
/// be above 0.
const PROOF: [(f64, f64); 4] = [(0.6, 0.0), (0.5, 2.0), (0.3, 2.0), (0.2, 3.0)];

/// The same for at least 5 cycles if a shorter season is known: a faint week on top of a clear day
/// is worth using.
const PROOF_ABOVE: (f64, f64) = (0.06, 3.5);

/// If natural seasons leave less than this share of the variance around a trend over a third of the
/// values, there is no search.
const WELL_EXPLAINED: f64 = 0.5;
const SLOW_PARTS: usize = 3;

/// Seasons found by search replace natural ones if they leave less than this part of what those
/// leave.
const CLEARER: f64 = 0.5;

/// A shorter season stays beside a longer one if its cycle has at least this share of the variance
/// of the longer cycle.
const WORTH: f64 = 0.2;

/// Values are clipped at this many deviations from the middle before anything else,
const CLIP_VALUES: f64 = 8.0;

/// and at this many once trend and shorter seasons are removed.
const CLIP_REST: f64 = 4.0;

/// Fewer values have no outliers.
const FEW: usize = 30;

/// The seasons of values without gaps, in points, shortest first. Natural seasons are tested first;
/// a search for other seasons follows if they do not explain enough.
pub(super) fn natural_seasons(values: &[f64], step: Option<Step>) -> Vec<usize> {
    let mut tested = Tested::new(values);
    for period in step.map(natural_periods).unwrap_or_default() {
        tested.test(period);
    }
    let natural = tested.worthwhile();
    let slow = [values.len() / SLOW_PARTS];
    if tested.unexplained(&natural, &slow) < WELL_EXPLAINED {
        return natural;
    }
    let found = find_periods(values, PeriodOptions::default());
    let found: Vec<_> = found.iter().map(|period| period.points).collect();
    let is_clearer =
        || tested.unexplained(&found, &natural) < CLEARER * tested.unexplained(&natural, &found);
    if natural.is_empty() || !found.is_empty() && is_clearer() {
        found
    } else {
        natural
    }
}

/// The natural seasons of series with this step, in points, shortest first.
fn natural_periods(step: Step) -> Vec<usize> {
    let step_s = match step {
        Step::Nanoseconds(step_ns) => step_ns as f64 / SECOND_NS,
        Step::Months(months) => f64::from(months) * YEAR_S / 12.0,
    };
    let year = (step_s >= MONTH_S).then_some(YEAR_S);
    let points = NATURAL_S
        .iter()
        .copied()
        .chain(year)
        .filter_map(|season_s| {
            let points = season_s / step_s;
            let is_whole = (points - points.round()).abs() < OFF * points;
            (is_whole && (2.0..1e9).contains(&points.round())).then(|| floor_index(points.round()))
        });
    points.collect()
}

/// Values, and the seasons found in them.
struct Tested {
    values: Vec<f64>,
    means: MovingMean,
    /// The periods, shortest first.
    periods: Vec<usize>,
}

impl Tested {
    fn new(values: &[f64]) -> Self {
        let mut values = values.to_vec();
        if values.len() > FEW {
            clip(&mut values, CLIP_VALUES);
        }
        Self {
            means: MovingMean::new(&values),
            values,
            periods: vec![],
        }
    }

    /// Adds a season that is longer than those before it, if the values have it.
    fn test(&mut self, period: usize) {
        let n_cycles = self.values.len() / period;
        if !is_long_enough(self.values.len(), period) {
            return;
        }
        let mut rest = self.without_trend(period);
        for &shorter in &self.periods {
            remove_cycle(&mut rest, shorter);
        }
        clip(&mut rest, CLIP_REST);
        let (least, least_errors) = if n_cycles >= 5 && !self.periods.is_empty() {
            PROOF_ABOVE
        } else {
            PROOF[n_cycles.min(5) - 2]
        };
        let (correlation, n_errors) = correlation_of_cycles(&rest, period);
        if correlation >= least && n_errors >= least_errors {
            self.periods.push(period);
        }
    }

    /// The seasons, except those that are weak beside a longer one.
    fn worthwhile(&self) -> Vec<usize> {
        let Some(&longest) = self.periods.last() else {
            return vec![];
        };
        let mut rest = self.without_trend(longest);
        let variances: Vec<_> = self
            .periods
            .iter()
            .map(|&period| {
                let cycle = remove_cycle(&mut rest, period);
                cycle.iter().map(|value| value * value).sum::<f64>() / period as f64
            })
            .collect();
        let is_worthwhile = |&at: &usize| {
            let longer = &variances[at + 1..];
            longer.iter().all(|other| variances[at] >= WORTH * other)
        };
        let kept = (0..self.periods.len()).filter(is_worthwhile);
        kept.map(|at| self.periods[at]).collect()
    }

    /// The share of the variance around the trend that these seasons leave, where each whole cycle
    /// is compared with the others. The trend is the mean over the longest season of both sets.
    fn unexplained(&self, periods: &[usize], others: &[usize]) -> f64 {
        let longest = periods.iter().chain(others).max();
        let mut rest = self.without_trend(longest.copied().unwrap_or(1));
        let mut share = 1.0;
        for &period in periods {
            let (correlation, _) = correlation_of_cycles(&rest, period);
            share *= 1.0 - correlation.max(0.0);
            remove_cycle(&mut rest, period);
        }
        share
    }

    fn without_trend(&self, period: usize) -> Vec<f64> {
        let mut trend = vec![];
        self.means.centered(self.values.len(), period, &mut trend);
        let pairs = self.values.iter().zip(&trend);
        pairs.map(|(value, trend)| value - trend).collect()
    }
}

/// Subtracts the average cycle, and returns it.
fn remove_cycle(values: &mut [f64], period: usize) -> Vec<f64> {
    let mut cycle = vec![];
    average_cycle(values, period, 1.0, &mut cycle);
    center(&mut cycle, 0.0);
    with_cycle(values, &cycle, |value, phase| *value -= phase);
    cycle
}

/// The correlation of whole cycles with the mean of the others, and how many standard errors its
/// products are above 0.
fn correlation_of_cycles(values: &[f64], period: usize) -> (f64, f64) {
    let cycles = || values.rchunks_exact(period);
    let n_cycles = cycles().len() as f64;
    let mut sums = vec![0.0; period];
    for cycle in cycles() {
        for (sum, value) in sums.iter_mut().zip(cycle) {
            *sum += value;
        }
    }
    let (mut squares, mut squares_of_others) = (0.0, 0.0);
    let products: Vec<f64> = cycles()
        .map(|cycle| {
            let mut product = 0.0;
            for (value, sum) in cycle.iter().zip(&sums) {
                let others = (sum - value) / (n_cycles - 1.0);
                product += value * others;
                squares += value * value;
                squares_of_others += others * others;
            }
            product
        })
        .collect();
    let size = (squares * squares_of_others).sqrt();
    if size <= 0.0 {
        return (0.0, 0.0);
    }
    let total: f64 = products.iter().sum();
    let mean = total / n_cycles;
    let spread: f64 = products
        .iter()
        .map(|product| (product - mean).powi(2))
        .sum();
    let standard_error = (spread / (n_cycles - 1.0) / n_cycles).sqrt();
    (total / size, mean / (standard_error + f64::MIN_POSITIVE))
}

/// Clips values at this many standard deviations from the median; the deviation comes from the
/// median absolute one.
fn clip(values: &mut [f64], n_deviations: f64) {
    let Some(middle) = median_in_place(&mut values.to_vec()) else {
        return;
    };
    let mut distances: Vec<_> = values.iter().map(|value| (value - middle).abs()).collect();
    let mut deviation = NORMAL_CONSISTENT * median_in_place(&mut distances).unwrap_or(0.0);
    if deviation <= 0.0 {
        let squares: f64 = values.iter().map(|value| (value - middle).powi(2)).sum();
        deviation = (squares / values.len() as f64).sqrt();
    }
    for value in values {
        *value = value.clamp(
            middle - n_deviations * deviation,
            middle + n_deviations * deviation,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Step = Step::Nanoseconds(3_600_000_000_000);

    /// Evenly distributed noise from -1 to 1.
    fn noise(n_values: usize, seed: u64) -> Vec<f64> {
        let mut state = seed;
        let mut next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
        };
        (0..n_values).map(|_| next()).collect()
    }

    fn with_wave(mut values: Vec<f64>, period: usize, height: f64) -> Vec<f64> {
        for (at, value) in values.iter_mut().enumerate() {
            *value += height * (at as f64 / period as f64 * std::f64::consts::TAU).sin();
        }
        values
    }

    #[test]
    fn periods_of_steps() {
        let cases: [(Step, &[usize]); 7] = [
            (HOUR, &[24, 168]),
            (Step::Nanoseconds(300_000_000_000), &[12, 288, 2_016]),
            (Step::Nanoseconds(86_400_000_000_000), &[7]),
            (Step::Nanoseconds(7 * 86_400_000_000_000), &[]),
            (Step::Nanoseconds(30 * 86_400_000_000_000), &[12]),
            (Step::Months(1), &[12]),
            (Step::Months(3), &[4]),
        ];
        for (step, expected) in cases {
            assert_eq!(natural_periods(step), expected, "{step:?}");
        }
        assert!(natural_periods(Step::Nanoseconds(0)).is_empty());
        assert!(natural_periods(Step::Nanoseconds(1)).len() <= 4);
    }

    #[test]
    fn faint_seasons_are_found() {
        let day = with_wave(noise(700, 3), 24, 0.5);
        assert_eq!(natural_seasons(&day, Some(HOUR)), [24]);
        let week = with_wave(with_wave(noise(1_700, 3), 24, 1.0), 168, 0.6);
        assert_eq!(natural_seasons(&week, Some(HOUR)), [24, 168]);
        let other = with_wave(noise(700, 3), 37, 3.0);
        assert_eq!(natural_seasons(&other, Some(HOUR)), [37]);
        assert_eq!(
            natural_seasons(&with_wave(noise(700, 3), 40, 3.0), None),
            [40]
        );
    }

    #[test]
    fn the_clearest_season_wins() {
        for (step_ns, period) in [
            (3_600_000_000_000, 72),
            (300_000_000_000, 60),
            (60_000_000_000, 90),
            (600_000_000_000, 45),
        ] {
            let ramp = |at: usize| 30.0 + 36.0 * (at % period) as f64 / period as f64;
            let noise = noise(12 * period, 5);
            let values: Vec<_> = (0..noise.len())
                .map(|at| ramp(at) + 0.2 * noise[at])
                .collect();
            let found = natural_seasons(&values, Some(Step::Nanoseconds(step_ns)));
            assert_eq!(found, [period], "{step_ns}");
        }
    }

    #[test]
    fn noise_has_no_season() {
        let n_found = (0..200)
            .filter(|&seed| !natural_seasons(&noise(500, seed * 7 + 1), Some(HOUR)).is_empty());
        assert!(n_found.count() <= 4);
        for few in 0..20 {
            assert!(natural_seasons(&noise(few, 1), Some(HOUR)).is_empty());
        }
        assert!(natural_seasons(&[3.0; 500], Some(HOUR)).is_empty());
    }
}
