//! Periods: the lengths of the seasons of a series, for everything that must tell a daily peak from
//! an incident.
//!
//! Candidates are peaks of the autocorrelation (after Vlachos, Yu and Castelli, "On periodicity
//! detection and structural periodic similarity", SDM 2005), after outliers are clipped and a
//! centred moving mean is subtracted: a wide one shows long periods, narrow ones show short periods
//! on a wandering level. Noise makes such peaks too, so a candidate must prove itself. The mean
//! correlation of two different cycles (the intraclass correlation of Fisher, "Statistical Methods
//! for Research Workers", 1925) is 0 on average if there is no season. How far noise takes it from
//! 0 depends on the number of cycles and on the number of independent values per cycle, which
//! follows from the autocorrelation of what the season does not explain (Bartlett, 1935): a random
//! walk has about six per cycle, however long the cycle is. Then the proven profile is subtracted
//! and the rest is searched again, also for seven times the period: the week above the day.
//! [`PeriodSearch::strongest_period`] is a faster search for one period without the proof.

use std::borrow::Cow;

use crate::algorithms::series::robust::{
    floor_index, magnitude, median_in_place, quantile_in_place,
};
use crate::algorithms::series::samples::bridge;
use crate::algorithms::series::spectrum::Autocorrelation;

/// The default of [`PeriodOptions::max_periods`]: day, week and one more.
pub(crate) const DEFAULT_MAX_PERIODS: usize = 3;

/// The number of newest points that are searched: three weeks of seconds.
const MAX_SEARCHED: usize = 1 << 21;

/// The usual lengths of days, weeks and the like: those of samples every 1, 2, 5, 10, 15, 20, 30
/// and 60 minutes. A period within [`NEAR`] of one is taken to be that.
const NATURAL: [usize; 14] = [
    24, 48, 72, 96, 144, 168, 288, 336, 480, 672, 720, 1008, 1440, 2016,
];

/// How far noise moves a peak, as a share of the period.
const NEAR: f64 = 0.03;

/// Among peaks that are lower than the highest by at most this, and by at most a third of it, the
/// first is the period; the others are its multiples.
const ALIKE: f64 = 0.1;

/// The autocorrelation that [`PeriodSearch::strongest_period`] requires. Measured on metrics of
/// services with known incidents: lower values take wandering for seasons.
const STRONG: f64 = 0.3;

/// The autocorrelation that a day or a week requires, which are likely beforehand.
const LIKELY: f64 = 0.2;

/// How much lower than a neighbour the autocorrelation of a day or a week may be.
const ALMOST: f64 = 0.05;

/// How much higher the autocorrelation must be at the week than at the day: a week takes seven
/// times as long to learn.
const CLEARLY: f64 = 0.15;

/// The autocorrelation of a candidate, which must prove itself anyway.
const FAINT: f64 = 0.1;

/// The shortest period in points; anything shorter is alternation.
const SHORTEST: usize = 4;

/// The number of cycles that a single period needs, so that the peak of its autocorrelation rests
/// on more than one cycle.
const FEWEST_CYCLES: f64 = 2.2;

/// The number of cycles that a proven period needs: with two there is only one other cycle.
const PROVEN_CYCLES: usize = 3;

/// The number of days in a week: this multiple of a period is tried whatever the autocorrelation
/// is.
const WEEK: usize = 7;

/// A shorter period is reported beside a longer one if it explains this share of what the longer
/// one does: the day of an office explains a third to a half of what its week does.
const WORTH: f64 = 0.3;

/// A natural period, or the week of a period that was found, is taken if it explains this share of
/// what the best one near it does.
const NATURAL_WORTH: f64 = 0.9;

/// The number of standard deviations above 0 that the mean correlation of cycles must be. It is far
/// more than the 2 of a single test, since the candidates are the best of thousands of lags;
/// measured, see the test `noise_has_no_period`.
const PROOF: f64 = 6.0;

/// The least mean correlation of cycles that is worth reporting, however certain it is.
const LEAST_CORRELATION: f64 = 0.03;

/// A further period must explain this share of the variance of the whole series: less is a
/// remainder of the first one.
const LEAST_SHARE: f64 = 0.02;

/// The mean correlation of cycles that is enough however few they are: they are almost equal.
const CERTAIN: f64 = 0.9;

/// A period of a series.
///
/// ```
/// use datafusion_aiops::algorithms::series::Period;
/// let day = Period { points: 24, strength: 0.8 };
/// assert!(day.strength <= 1.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Period {
    /// Its length in points of the grid, at least 4.
    pub points: usize,
    /// The share that it explains of what is neither trend nor another season, from 0 to 1: `1 -
    /// Var(residual) / Var(residual + season)` (Wang, Smith and Hyndman, "Characteristic-based
    /// clustering for time series data", 2006).
    pub strength: f64,
}

/// The options of the search for periods.
///
/// ```
/// use datafusion_aiops::algorithms::series::PeriodOptions;
/// assert_eq!(PeriodOptions::default().max_periods, 3);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeriodOptions {
    /// The largest number of periods to find.
    pub max_periods: usize,
    /// The longest period in points; a third of the series is the limit in any case.
    pub max_points: Option<usize>,
}

impl Default for PeriodOptions {
    fn default() -> Self {
        Self {
            max_periods: DEFAULT_MAX_PERIODS,
            max_points: None,
        }
    }
}

/// The periods of evenly spaced values, shortest first; none if there are fewer than three cycles
/// or no season.
///
/// Missing values are bridged by straight lines. Only the newest 2,097,152 values are searched. A
/// period that is no whole number of points is not found if its rounding error adds up to a large
/// part of it over the series.
///
/// ```
/// use datafusion_aiops::algorithms::series::{PeriodOptions, find_periods};
/// let weekly = |hour: i32| if hour / 24 % 7 < 5 { 1.0 } else { 0.3 };
/// let daily = |hour: i32| (f64::from(hour % 24) / 24.0 * std::f64::consts::TAU).sin();
/// let load: Vec<f64> = (0..24 * 7 * 5).map(|hour| weekly(hour) * (2.0 + daily(hour))).collect();
/// let points: Vec<_> = find_periods(&load, PeriodOptions::default()).iter().map(|found| found.points).collect();
/// assert_eq!(points, [24, 168]);
/// ```
pub fn find_periods(values: &[f64], options: PeriodOptions) -> Vec<Period> {
    PeriodSearch::default().find(values, options)
}

/// Searches series for periods; keeps its transform plans and buffers between calls.
#[derive(Debug, Default)]
pub(crate) struct PeriodSearch {
    autocorrelation: Autocorrelation,
    flat: Vec<f64>,
    sums: Vec<f64>,
}

impl PeriodSearch {
    /// The strongest single period in points, at least 4: the first high peak of the
    /// autocorrelation. `None` if that is lower than 0.3, or if there are fewer than 2.2 cycles or
    /// 18 values. Missing values are bridged by straight lines.
    pub(crate) fn strongest_period(&mut self, values: &[f64]) -> Option<usize> {
        let lags = self.lags(values)?;
        let least = STRONG.max(noise(values.len()));
        first_high_peak(lags, STRONG, least).map(|period| snap(lags, period))
    }

    /// The strongest single period if the lengths of a day and of a week are known in points: the
    /// day if the autocorrelation there is almost as high as anywhere, the week if it is clearly
    /// higher there than at the day, and otherwise as [`strongest_period`](Self::strongest_period).
    pub(crate) fn natural_season(
        &mut self,
        values: &[f64],
        natural: [Option<usize>; 2],
    ) -> Option<usize> {
        if natural == [None, None] {
            return self.strongest_period(values);
        }
        let lags = self.lags(values)?;
        let low = lags.iter().position(|&value| value < 0.5 * STRONG)?;
        let highest = peaks(lags, low).map(|lag| lags[lag]).reduce(f64::max)?;
        let least = LIKELY.max(noise(values.len()));
        let mut best = None;
        for period in natural.into_iter().flatten() {
            if period <= low.max(7) || period >= lags.len() || !is_high(lags, period, least) {
                continue;
            }
            let needed = match best {
                None => highest - ALIKE,
                Some(day) => lags[day] + CLEARLY,
            };
            if lags[period] >= needed {
                best = Some(period);
            }
        }
        best.or_else(|| first_high_peak(lags, STRONG, STRONG.max(noise(values.len()))))
    }

    /// The autocorrelations of the values without outliers and without their slow changes, up to
    /// the longest period of which there are enough cycles.
    fn lags(&mut self, values: &[f64]) -> Option<&[f64]> {
        let values = without_gaps(values)?;
        let n_values = values.len();
        let longest = floor_index(n_values as f64 / FEWEST_CYCLES);
        if longest < 8 {
            return None;
        }
        let width = (n_values / 4).max(5);
        subtract_moving_mean(&clip(&values)?, width, &mut self.sums, &mut self.flat);
        Some(self.autocorrelation.of(&self.flat, longest))
    }

    /// Does what [`find_periods`] does.
    pub(crate) fn find(&mut self, values: &[f64], options: PeriodOptions) -> Vec<Period> {
        let newest = &values[values.len().saturating_sub(MAX_SEARCHED)..];
        let clipped = without_gaps(newest).and_then(|values| clip(&values));
        let Some(mut rest) = clipped else {
            return vec![];
        };
        let longest = (rest.len() / PROVEN_CYCLES).min(options.max_points.unwrap_or(usize::MAX));
        let mut found: Vec<SeasonProfile> = vec![];
        let mut total = None;
        while found.len() < options.max_periods {
            let Some(next) = self.next_profile(&rest, longest, &found, &mut total) else {
                break;
            };
            next.add_to(&mut rest, -1.0);
            found.push(next);
        }
        strengths(&rest, found)
    }

    /// The next proven period of the rest after those in `found`.
    fn next_profile(
        &mut self,
        rest: &[f64],
        longest: usize,
        found: &[SeasonProfile],
        total: &mut Option<f64>,
    ) -> Option<SeasonProfile> {
        let mut candidates = self.candidates(rest, longest);
        let weeks: Vec<_> = found
            .iter()
            .map(|profile| profile.period() * WEEK)
            .collect();
        candidates.extend(&weeks);
        candidates.retain(|&period| {
            period <= longest && found.iter().all(|profile| profile.period() != period)
        });
        candidates.sort_unstable();
        candidates.dedup();
        let proven = candidates
            .into_iter()
            .filter_map(|period| self.prove(rest, period));
        let best = choose(&proven.collect::<Vec<_>>(), &weeks)?;
        let total = total.get_or_insert(best.variance);
        let is_worth = best.explained >= LEAST_SHARE * *total;
        is_worth.then(|| SeasonProfile::of(rest, rest, best.period, &mut self.sums))
    }

    /// Peaks of the autocorrelation after moving means of a quarter of the series, a quarter of
    /// that, and so on; and the natural periods near them.
    fn candidates(&mut self, values: &[f64], longest: usize) -> Vec<usize> {
        let mut candidates = vec![];
        let mut width = values.len() / 4;
        while width >= 2 * SHORTEST {
            subtract_moving_mean(values, width, &mut self.sums, &mut self.flat);
            // Periods longer than the moving mean are damped by it.
            let lags = self.autocorrelation.of(&self.flat, longest.min(2 * width));
            let least = FAINT.max(4.0 / (values.len() as f64).sqrt());
            for lags in [lags, &smooth(lags)] {
                candidates
                    .extend(first_high_peak(lags, FAINT, least).map(|lag| sharpen(lags, lag)));
            }
            width /= 4;
        }
        let near = |natural: &usize| {
            candidates
                .iter()
                .any(|&candidate| is_near(*natural, candidate))
        };
        let natural: Vec<_> = NATURAL.into_iter().filter(near).collect();
        candidates.extend(natural);
        candidates
    }

    /// Computes what a period explains, if that is more than noise would.
    fn prove(&mut self, values: &[f64], period: usize) -> Option<Proven> {
        let mut residuals = deviations(values, period, &mut self.sums);
        let variance = mean_square(&residuals);
        subtract_means(&mut residuals, period);
        let n_cycles = values.len() as f64 / period as f64;
        // The means of this many cycles have also subtracted a part of the noise.
        let unexplained = mean_square(&residuals) * n_cycles / (n_cycles - 1.0);
        let correlation = 1.0 - unexplained / variance;
        let lags = self.autocorrelation.of(&residuals, period / 2);
        let squares: f64 = lags.iter().skip(1).map(|lag| lag * lag).sum();
        let n_independent = period as f64 / (1.0 + 2.0 * squares);
        let n_pairs = n_cycles * (n_cycles - 1.0) / 2.0;
        let noise = (n_pairs * n_independent).sqrt().recip();
        (correlation > (PROOF * noise + LEAST_CORRELATION).min(CERTAIN)).then_some(Proven {
            period,
            variance,
            explained: correlation * variance,
        })
    }
}

/// A period that has proved itself.
#[derive(Debug, Clone, Copy)]
struct Proven {
    period: usize,
    /// The variance of the values around their level.
    variance: f64,
    /// The part of that variance that the period explains.
    explained: f64,
}

/// Chooses among the periods that are worth it: the week above a found period (parts of a week show
/// in what the day leaves), otherwise the shortest. Among those near it a likely one is taken,
/// otherwise the best.
fn choose(proven: &[Proven], weeks: &[usize]) -> Option<Proven> {
    let most = best(proven.iter())?.explained;
    let worth = || {
        proven
            .iter()
            .filter(|found| found.explained >= WORTH * most)
    };
    let is_week = |found: &&Proven| weeks.contains(&found.period);
    let chosen = worth().find(is_week).or(worth().next())?;
    let alike = || {
        proven
            .iter()
            .filter(|found| is_near(found.period, chosen.period))
    };
    let best_alike = best(alike())?;
    let is_likely = |found: &&Proven| {
        (is_week(found) || NATURAL.contains(&found.period))
            && found.explained >= NATURAL_WORTH * best_alike.explained
    };
    Some(*alike().find(is_likely).unwrap_or(best_alike))
}

fn best<'a>(found: impl Iterator<Item = &'a Proven>) -> Option<&'a Proven> {
    found.max_by(|first, second| first.explained.total_cmp(&second.explained))
}

/// Whether two periods may be the same, each off by [`NEAR`].
fn is_near(first: usize, second: usize) -> bool {
    first.abs_diff(second) as f64 <= 2.0 * NEAR * first.min(second) as f64
}

/// The first peak within [`ALIKE`] of the highest, after the first lag where the series no longer
/// resembles itself. `strength` decides where that is, `least` how high the highest must be.
fn first_high_peak(lags: &[f64], strength: f64, least: f64) -> Option<usize> {
    let low = lags.iter().position(|&value| value < 0.5 * strength)?;
    let highest = peaks(lags, low).map(|lag| lags[lag]).reduce(f64::max)?;
    if highest < least {
        return None;
    }
    let enough = highest - ALIKE.min(highest / 3.0);
    let first = peaks(lags, low).find(|&lag| lags[lag] >= enough)?;
    let reach = floor_index(first as f64 * NEAR).max(1);
    Some(highest_lag(
        lags,
        low.max(first.saturating_sub(reach)),
        first + reach,
    ))
}

/// The lags after `low` that are higher than their neighbours.
fn peaks(lags: &[f64], low: usize) -> impl Iterator<Item = usize> {
    let is_peak = |lag: &usize| lags[*lag] >= lags[lag - 1] && lags[*lag] > lags[lag + 1];
    (SHORTEST.max(low + 1)..lags.len().saturating_sub(1)).filter(is_peak)
}

/// Whether the autocorrelation of a period reaches `least` and is almost the highest within 2 % of
/// it.
fn is_high(lags: &[f64], period: usize, least: f64) -> bool {
    let reach = (period / 50).max(1);
    let highest = highest_lag(lags, period - reach, period + reach);
    lags[period] >= least && lags[period] >= lags[highest] - ALMOST
}

/// A limit that the autocorrelations of this many values of noise do not reach: four standard
/// deviations.
fn noise(n_values: usize) -> f64 {
    4.0 / (n_values as f64).sqrt()
}

/// The first lag with the highest autocorrelation from `first` to `last`, or to the end.
fn highest_lag(lags: &[f64], first: usize, last: usize) -> usize {
    let mut best = first;
    for lag in first..=last.min(lags.len() - 1) {
        if lags[lag] > lags[best] {
            best = lag;
        }
    }
    best
}

/// The natural length near the period, if the autocorrelation there is almost as high.
fn snap(lags: &[f64], period: usize) -> usize {
    let is_near = |&natural: &usize| {
        natural < lags.len()
            && natural.abs_diff(period) as f64 <= NEAR * period as f64
            && lags[natural] >= lags[period] - ALIKE
    };
    NATURAL.into_iter().find(is_near).unwrap_or(period)
}

/// The period from the peaks at 2, 4, 8 ... times its lag, which determine it 2, 4, 8 ... times
/// more precisely.
fn sharpen(lags: &[f64], lag: usize) -> usize {
    let (mut peak, mut multiple) = (lag, 1);
    let reach = floor_index(lag as f64 * NEAR).max(1);
    while 2 * peak + reach < lags.len() {
        peak = highest_lag(lags, 2 * peak - reach, 2 * peak + reach);
        multiple *= 2;
    }
    (peak + multiple / 2) / multiple
}

/// The mean autocorrelation of the lags within 2 % of each: noise moves the peak of a long period
/// far away.
fn smooth(lags: &[f64]) -> Vec<f64> {
    let mut sums = vec![];
    sum_up(lags, &mut sums);
    let mean = |lag: usize| {
        let reach = (lag / 50).min(lags.len() - 1 - lag);
        (sums[lag + reach + 1] - sums[lag - reach]) / (2 * reach + 1) as f64
    };
    (0..lags.len()).map(mean).collect()
}

/// The values with the season over the gaps: its profile on straight lines, which continue level
/// before the first value and after the last. If gaps leave no value at a phase, the profile is 0
/// there. `None` if all values are missing.
pub(crate) fn bridge_seasonally(values: &[f64], period: usize) -> Option<Vec<f64>> {
    let scale = magnitude(values);
    let scaled: Vec<_> = values.iter().map(|value| value / scale).collect();
    let profile = SeasonProfile::of(&scaled, &bridge(&scaled)?, period, &mut vec![]);
    let mut levels = scaled;
    profile.add_to(&mut levels, -1.0);
    let mut bridged = bridge(&levels)?;
    profile.add_to(&mut bridged, 1.0);
    for (bridged, value) in bridged.iter_mut().zip(values) {
        *bridged = if value.is_finite() {
            *value
        } else {
            *bridged * scale
        };
    }
    Some(bridged)
}

/// The values without the season of a period, which is the same in all cycles. `None` if all values
/// are missing.
pub(crate) fn without_profile(values: &[f64], period: usize) -> Option<Vec<f64>> {
    let scale = magnitude(values);
    let mut scaled: Vec<_> = values.iter().map(|value| value / scale).collect();
    SeasonProfile::of(&scaled, &bridge(&scaled)?, period, &mut vec![]).add_to(&mut scaled, -1.0);
    scaled.iter_mut().for_each(|value| *value *= scale);
    Some(scaled)
}

/// The season of a period: its median deviation from the level at each phase.
#[derive(Debug, Clone)]
struct SeasonProfile {
    medians: Vec<f64>,
}

impl SeasonProfile {
    /// The profile of the values that are not missing, around the level of the `bridged` ones.
    fn of(values: &[f64], bridged: &[f64], period: usize, sums: &mut Vec<f64>) -> Self {
        let deviations = deviations(bridged, period, sums);
        let mut cycles = vec![];
        let medians = (0..period.min(values.len())).map(|phase| {
            let at_phase = (phase..values.len()).step_by(period);
            cycles.clear();
            cycles.extend(
                at_phase
                    .filter(|&at| values[at].is_finite())
                    .map(|at| deviations[at]),
            );
            median_in_place(&mut cycles).unwrap_or_default()
        });
        let mut medians: Vec<_> = medians.collect();
        let mean = medians.iter().sum::<f64>() / medians.len().max(1) as f64;
        medians.iter_mut().for_each(|median| *median -= mean);
        Self { medians }
    }

    fn period(&self) -> usize {
        self.medians.len()
    }

    /// Adds the profile, times a factor, to each cycle of the values.
    fn add_to(&self, values: &mut [f64], factor: f64) {
        for cycle in values.chunks_mut(self.period().max(1)) {
            for (value, median) in cycle.iter_mut().zip(&self.medians) {
                *value += factor * median;
            }
        }
    }
}

/// The strength of each season, given the values without all of them.
fn strengths(rest: &[f64], mut found: Vec<SeasonProfile>) -> Vec<Period> {
    found.sort_by_key(SeasonProfile::period);
    let Some(longest) = found.last() else {
        return vec![];
    };
    let residuals = deviations(rest, longest.period(), &mut vec![]);
    let strength = |profile: &SeasonProfile| {
        let mut seasonal = residuals.clone();
        profile.add_to(&mut seasonal, 1.0);
        let share = mean_square(&residuals) / mean_square(&seasonal);
        if share.is_nan() {
            0.0
        } else {
            (1.0 - share).clamp(0.0, 1.0)
        }
    };
    let period = |profile: &SeasonProfile| Period {
        points: profile.period(),
        strength: strength(profile),
    };
    found.iter().map(period).collect()
}

fn mean_square(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>() / values.len() as f64
}

/// Subtracts from each value the mean of its phase.
fn subtract_means(values: &mut [f64], period: usize) {
    let mut means = vec![0.0; period];
    for cycle in values.chunks(period) {
        means
            .iter_mut()
            .zip(cycle)
            .for_each(|(sum, value)| *sum += value);
    }
    for (phase, mean) in means.iter_mut().enumerate() {
        *mean /= (values.len() - phase).div_ceil(period) as f64;
    }
    for cycle in values.chunks_mut(period) {
        cycle
            .iter_mut()
            .zip(&means)
            .for_each(|(value, mean)| *value -= mean);
    }
}

/// The deviations from the mean of one whole period around each value. Near the ends, where there
/// is no whole period around a point, the mean continues as a straight line with the slope of one
/// period.
fn deviations(values: &[f64], period: usize, sums: &mut Vec<f64>) -> Vec<f64> {
    sum_up(values, sums);
    let (n_values, half) = (values.len(), period / 2);
    // For an even period there are two windows, one shifted by one, so that their middle is a
    // point.
    let odd = period % 2;
    let mean = |at: usize| {
        let from = at - half;
        let both =
            sums[from + period] - sums[from] + sums[from + period + 1 - odd] - sums[from + 1 - odd];
        both / (2 * period) as f64
    };
    let (first, last) = (half, (n_values - 1).saturating_sub(half));
    if last < first + period {
        let mean = sums[n_values] / n_values as f64;
        return values.iter().map(|value| value - mean).collect();
    }
    let slope = |from: usize| (mean(from + period) - mean(from)) / period as f64;
    let (first_slope, last_slope) = (slope(first), slope(last - period));
    let level = |at: usize| match at {
        _ if at < first => mean(first) - first_slope * (first - at) as f64,
        _ if at > last => mean(last) + last_slope * (at - last) as f64,
        _ => mean(at),
    };
    values
        .iter()
        .enumerate()
        .map(|(at, value)| value - level(at))
        .collect()
}

fn subtract_moving_mean(values: &[f64], width: usize, sums: &mut Vec<f64>, flat: &mut Vec<f64>) {
    sum_up(values, sums);
    let half = width / 2;
    flat.clear();
    flat.extend(values.iter().enumerate().map(|(at, value)| {
        let (from, to) = (at.saturating_sub(half), (at + half + 1).min(values.len()));
        value - (sums[to] - sums[from]) / (to - from) as f64
    }));
}

/// The sums of the values before each value, and of all at the end.
fn sum_up(values: &[f64], sums: &mut Vec<f64>) {
    sums.clear();
    sums.push(0.0);
    let mut sum = 0.0;
    sums.extend(values.iter().map(|value| {
        sum += value;
        sum
    }));
}

fn without_gaps(values: &[f64]) -> Option<Cow<'_, [f64]>> {
    if values.iter().all(|value| value.is_finite()) {
        Some(Cow::Borrowed(values))
    } else {
        bridge(values).map(Cow::Owned)
    }
}

/// The values clipped to their 2 % and 98 % quantiles and divided by a power of two near them;
/// `None` if the quantiles are equal.
fn clip(values: &[f64]) -> Option<Vec<f64>> {
    let mut sorted = values.to_vec();
    let low = quantile_in_place(&mut sorted, 0.02)?;
    let high = quantile_in_place(&mut sorted, 0.98)?;
    let scale = magnitude(&[low, high]);
    let clipped = values.iter().map(|value| value.clamp(low, high) / scale);
    (low < high).then(|| clipped.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::series::changepoints::noise::autoregressive;
    use std::f64::consts::TAU;

    fn sine(at: usize, period: f64) -> f64 {
        (TAU * at as f64 / period).sin()
    }

    fn series(n_values: usize, value: impl Fn(usize) -> f64) -> Vec<f64> {
        (0..n_values).map(value).collect()
    }

    fn points(values: &[f64]) -> Vec<usize> {
        let found = find_periods(values, PeriodOptions::default());
        assert!(
            found
                .iter()
                .all(|found| (0.0..=1.0).contains(&found.strength))
        );
        found.iter().map(|found| found.points).collect()
    }

    #[test]
    fn several_periods() {
        let noise = autoregressive(5_000, 0.0, 1);
        let office = |at: usize| {
            let day = if at / 24 % 7 < 5 { 1.0 } else { 0.4 };
            day * (2.0 + sine(at, 24.0)) + 0.3 * noise[at]
        };
        assert_eq!(points(&series(168 * 4, office)), [24, 168]);
        let sines = |at: usize| sine(at, 24.0) + 0.7 * sine(at, 168.0) + noise[at];
        assert_eq!(points(&series(168 * 8, sines)), [24, 168]);
        let three = |at: usize| sine(at, 12.0) + sine(at, 60.0) + sine(at, 420.0) + 0.3 * noise[at];
        assert_eq!(points(&series(4_200, three)).len(), 3);
    }

    #[test]
    fn one_period_on_whatever_level() {
        let (noise, walk) = (autoregressive(1_000, 0.0, 2), autoregressive(1_000, 1.0, 3));
        let day = |at: usize| sine(at, 24.0) + 0.4 * noise[at];
        let levels: [(&str, &dyn Fn(usize) -> f64); 4] = [
            ("flat", &|_| 0.0),
            ("trend", &|at| 0.05 * at as f64),
            ("step", &|at| if at > 300 { 5.0 } else { 0.0 }),
            ("walk", &|at| 0.3 * walk[at]),
        ];
        for (name, level) in levels {
            assert_eq!(
                points(&series(720, |at| level(at) + day(at))),
                [24],
                "{name}"
            );
        }
        let backup = |at: usize| if at % 24 == 3 { 5.0 } else { 0.3 * noise[at] };
        assert_eq!(points(&series(480, backup)), [24]);
        assert_eq!(points(&series(500, |at| sine(at, 37.0))), [37]);
    }

    /// Finds a period in at most 2 of 100 series of each kind and length.
    #[test]
    fn noise_has_no_period() {
        for (follow, n_values) in [
            (0.0, 500),
            (0.0, 5_000),
            (0.8, 1_000),
            (1.0, 500),
            (1.0, 2_000),
            (1.0, 10_000),
        ] {
            let has_period =
                |seed: &u64| !points(&autoregressive(n_values, follow, *seed)).is_empty();
            let n_false = (1..=100).filter(has_period).count();
            assert!(n_false <= 2, "{follow} {n_values}: {n_false}");
        }
    }

    #[test]
    fn needs_three_cycles() {
        let cycles = |n_values| {
            series(n_values, |at| {
                [0.0, 3.0, 7.0, 4.0, 9.0, -5.0, 2.0, 2.0][at % 8]
            })
        };
        assert_eq!(points(&cycles(64)), [8]);
        assert!(points(&cycles(23)).is_empty());
    }

    /// The expected values are from the search in Python that this one was taken from, on the same
    /// values.
    #[test]
    fn strongest_period_equals_the_reference() {
        let value = |period: usize, wobble: usize| {
            move |at: usize| (at % period) as f64 + ((at * at) % wobble) as f64
        };
        let cases = [
            (17, 4, 3, 0),
            (18, 5, 3, 0),
            (64, 16, 7, 16),
            (96, 24, 11, 24),
            (144, 23, 13, 23),
            (200, 20, 31, 62),
            (216, 98, 5, 0),
            (500, 49, 37, 148),
            (500, 100, 97, 97),
            (700, 288, 101, 288),
            (1000, 47, 19, 48),
            (1000, 7, 101, 101),
            (2000, 168, 211, 844),
            (3000, 1000, 499, 998),
            (5000, 1440, 997, 1440),
            (20000, 2016, 1511, 6044),
        ];
        let mut search = PeriodSearch::default();
        for (n_values, period, wobble, expected) in cases {
            let values = series(n_values, value(period, wobble));
            let got = search.strongest_period(&values);
            assert_eq!(got.unwrap_or(0), expected, "{n_values} {period} {wobble}");
        }
    }

    #[test]
    fn odd_input() {
        let mut search = PeriodSearch::default();
        for values in [vec![], vec![1.0], vec![0.1; 500], vec![f64::NAN; 500]] {
            assert_eq!(search.strongest_period(&values), None);
            assert!(search.find(&values, PeriodOptions::default()).is_empty());
        }
        for scale in [1e-300, 1.0, 1e300] {
            let mut values = series(480, |at| scale * (sine(at, 24.0) + 3.0));
            values[100..110].fill(f64::NAN);
            values[200] = f64::INFINITY;
            assert_eq!(search.strongest_period(&values), Some(24), "{scale}");
            assert_eq!(points(&values), [24], "{scale}");
        }
        let few = PeriodOptions {
            max_periods: 0,
            max_points: None,
        };
        assert!(find_periods(&series(480, |at| sine(at, 24.0)), few).is_empty());
        let short = PeriodOptions {
            max_points: Some(20),
            ..PeriodOptions::default()
        };
        assert!(find_periods(&series(480, |at| sine(at, 24.0)), short).is_empty());
    }
}
