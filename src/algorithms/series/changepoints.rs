//! Change points: where the level, the slope or the spread of a series changed for good, judged in
//! hindsight.
//!
//! The series is cut into segments, each a constant or a line, at the least total cost: squared
//! errors and a penalty per cut (PELT: Killick, Fearnhead and Eckley, "Optimal detection of
//! changepoints with a linear computational cost", JASA 2012). Two things keep noise from being
//! cut. First, outliers are replaced by the running median (Hampel filter: Pearson, "Outliers in
//! process modeling and identification", 2002), which keeps steps but not bursts shorter than
//! `min_points`. Second, errors are measured in units of the long-run variance: autocorrelated
//! noise wanders, and its means over many points vary far more than those of independent values.
//! That variance comes from differences, so that changes hardly count: from neighbouring block
//! means of growing size and, if there are too few of them, from values 1 and 2 apart, as if the
//! noise were autoregressive. Changes of the spread are found in the same way, as changes of the
//! level of the logarithm of the absolute residuals.

use std::collections::VecDeque;
use std::ops::Range;

use crate::algorithms::series::decompose::{DecomposeOptions, decompose};
use crate::algorithms::series::periods::without_profile;
use crate::algorithms::series::robust::{
    NORMAL_CONSISTENT, magnitude, median_absolute_deviation, median_in_place,
};
use crate::error::{Error, Result};

/// The default of [`ChangePointOptions::min_points`]: a burst of 11 points is an incident, not a
/// change.
pub(crate) const DEFAULT_MIN_POINTS: usize = 12;

/// The default penalty of a cut, times the logarithm of the number of points. By theory it is 2 or
/// 3 (one for each parameter of a segment, Yao, 1988); it is larger here, since the long-run
/// variance is an estimate. Measured, see the test `noise_has_no_change`.
pub(crate) const DEFAULT_PENALTY: f64 = 4.0;

/// Longer series are cut as block means; the cuts are then moved within two blocks.
const MAX_CELLS: usize = 10_000;

/// A segment that is a line costs this part of a cut more than a constant one.
const LINE_SHARE: f64 = 0.5;

/// Values more standard deviations than this from the running median are outliers: Hampel's 3.
const OUTLIER: f64 = 3.0;

/// A season is averaged over this many cycles, as if it never changed: changes belong to the rest.
const STEADY_CYCLES: usize = 1_001;

/// Outliers are rare: if they are more than this part of the values within this many shortest
/// segments before and after, they are what the series is like.
const RARE: f64 = 0.05;
const RARE_SEGMENTS: usize = 20;

/// The same for logarithms of residuals, whose upper tail is short: for normal ones it is 6 times
/// the usual residual.
const LOG_OUTLIER: f64 = 2.0;

/// Block means are compared up to this size, and while there are [`FEWEST_BLOCKS`]. Larger blocks
/// see noise with a longer memory, but take changes that are hardly farther apart for noise.
const LARGEST_BLOCK: usize = 128;

/// Fewer block means are too uncertain, and a few changes would be too many for their median.
const FEWEST_BLOCKS: usize = 24;

/// Noise follows the value before by at most this factor; values that follow more closely are taken
/// for changes.
const MOST_FOLLOWING: f64 = 0.95;

/// The mean absolute deviation of a normal distribution times this is its standard deviation: the
/// square root of pi / 2.
const MEAN_CONSISTENT: f64 = 1.253_314_137_315_500_3;

/// A spread below this part of the spread of all residuals does not count: if most values are
/// equal, the logarithms of the residuals have levels that mean nothing.
const LEAST_SPREAD: f64 = 0.1;

/// Residuals below this part of their mean count as this part: the logarithm of zero says nothing
/// about the spread.
const LEAST_RESIDUAL: f64 = 0.05;

/// The kind of a change.
///
/// ```
/// use datafusion_aiops::algorithms::series::ChangeKind;
/// assert_ne!(ChangeKind::LevelShift, ChangeKind::Trend);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChangeKind {
    /// The level changed at once.
    LevelShift,
    /// The slope changed.
    Trend,
    /// The spread around the level changed.
    VarianceChange,
}

/// A change.
///
/// ```
/// use datafusion_aiops::algorithms::series::{ChangeKind, ChangePoint};
/// let step = ChangePoint { index: 70, kind: ChangeKind::LevelShift, before: 1.0, after: 4.0, confidence: 0.99 };
/// assert!(step.after > step.before);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChangePoint {
    /// The first point after the change.
    pub index: usize,
    /// What changed.
    pub kind: ChangeKind,
    /// The value before: the level just before the change, the slope per point, or the standard
    /// deviation, without the season and outliers.
    pub before: f64,
    /// The value after, likewise.
    pub after: f64,
    /// The confidence that there are two segments and not one, from 0 to 1: their posterior
    /// probability by the Bayesian information criterion, if both were equally likely before (Kass
    /// and Raftery, "Bayes factors", JASA 1995).
    pub confidence: f64,
}

/// Which changes to report.
///
/// ```
/// use datafusion_aiops::algorithms::series::ChangePointOptions;
/// let mut options = ChangePointOptions::default();
/// assert!(options.check().is_ok());
/// options.min_points = 1;
/// assert_eq!(options.check().unwrap_err().to_string(), "min_points needs at least 3, got 1");
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ChangePointOptions {
    /// The kinds to report. Default: all.
    pub kinds: Vec<ChangeKind>,
    /// The seasons in points, which are removed first.
    pub periods: Vec<usize>,
    /// The shortest segment: changes closer together than this are not found. At least 3.
    pub min_points: usize,
    /// How much a change must explain, in long-run variances, for each natural logarithm of the
    /// number of points. Higher values find fewer changes. Greater than 0.
    pub penalty: f64,
}

impl Default for ChangePointOptions {
    fn default() -> Self {
        Self {
            kinds: vec![
                ChangeKind::LevelShift,
                ChangeKind::Trend,
                ChangeKind::VarianceChange,
            ],
            periods: vec![],
            min_points: DEFAULT_MIN_POINTS,
            penalty: DEFAULT_PENALTY,
        }
    }
}

impl ChangePointOptions {
    /// Checks the options, independently of a series.
    ///
    /// # Errors
    /// If a number is out of range.
    pub fn check(&self) -> Result<()> {
        if self.min_points < SHORTEST_SEGMENT {
            let got = self.min_points;
            return Err(Error::invalid_option(format!(
                "min_points needs at least {SHORTEST_SEGMENT}, got {got}"
            )));
        }
        if !(self.penalty > 0.0 && self.penalty.is_finite()) {
            let got = self.penalty;
            return Err(Error::invalid_option(format!(
                "penalty needs to be greater than 0, got {got}"
            )));
        }
        Ok(())
    }
}

/// The shortest segment: a line through fewer points has no residuals.
const SHORTEST_SEGMENT: usize = 3;

/// The changes of evenly spaced values, by index; changes at one index are in the order of
/// [`ChangeKind`]. There are none in fewer than twice `min_points` values. NaN and infinities are
/// missing and are skipped. Options out of range count as the nearest value in range. Above 10,000
/// points, changes closer than two ten-thousandths of the series are one.
///
/// ```
/// use datafusion_aiops::algorithms::series::{ChangeKind, ChangePointOptions, find_changepoints};
/// let values: Vec<f64> = (0..100).map(|at| f64::from(at * 7 % 5) + if at < 60 { 0.0 } else { 10.0 }).collect();
/// let found = find_changepoints(&values, &ChangePointOptions::default());
/// assert_eq!((found.len(), found[0].index, found[0].kind), (1, 60, ChangeKind::LevelShift));
/// assert!((found[0].after - found[0].before - 10.0).abs() < 0.1);
/// ```
pub fn find_changepoints(values: &[f64], options: &ChangePointOptions) -> Vec<ChangePoint> {
    let rest = without_season(values, &options.periods);
    let indices: Vec<_> = (0..rest.len())
        .filter(|&index| rest[index].is_finite())
        .collect();
    let present: Vec<_> = indices.iter().map(|&index| rest[index]).collect();
    let scale = magnitude(&present);
    let mut scaled: Vec<_> = present.iter().map(|value| value / scale).collect();
    let center = median_in_place(&mut scaled.clone()).unwrap_or_default();
    scaled.iter_mut().for_each(|value| *value -= center);
    let cutter = SegmentCutter::new(options, true);
    let segments = cutter.cut(&scaled);
    let mut changes = level_changes(&segments, &indices);
    for change in &mut changes {
        let moved = if change.kind == ChangeKind::LevelShift {
            center
        } else {
            0.0
        };
        change.before = (change.before + moved) * scale;
        change.after = (change.after + moved) * scale;
    }
    if options.kinds.contains(&ChangeKind::VarianceChange) {
        let residuals = if options.periods.is_empty() {
            residuals(&scaled, &segments)
        } else {
            let rest = without_steady_season(values, &options.periods);
            let steady: Vec<_> = indices
                .iter()
                .map(|&index| rest[index] / scale - center)
                .collect();
            residuals(&steady, &cutter.cut(&steady))
        };
        changes.extend(spread_changes(&residuals, options, &indices, scale));
    }
    changes.retain(|change| options.kinds.contains(&change.kind));
    // The sort is stable, and changes of the spread come last.
    changes.sort_by_key(|change| change.index);
    changes
}

/// The values without their seasons, which a decomposition separates best from the level.
fn without_season(values: &[f64], periods: &[usize]) -> Vec<f64> {
    let mut rest = values.to_vec();
    if periods.is_empty() {
        return rest;
    }
    let options = DecomposeOptions {
        periods: periods.to_vec(),
        seasonal_window: Some(STEADY_CYCLES),
        ..DecomposeOptions::default()
    };
    for season in decompose(values, &options).seasons {
        rest.iter_mut()
            .zip(&season.values)
            .for_each(|(value, season)| *value -= season);
    }
    rest
}

/// The same for the spread: a decomposition follows the first and the last cycle more closely than
/// the others, so seasons that are the same in all cycles are subtracted.
fn without_steady_season(values: &[f64], periods: &[usize]) -> Vec<f64> {
    let mut periods = periods.to_vec();
    periods.sort_unstable();
    let mut rest = values.to_vec();
    for period in periods {
        rest = without_profile(&rest, period).unwrap_or(rest);
    }
    rest
}

/// A part of a series that is a constant or a line.
#[derive(Debug, Clone)]
struct Segment {
    points: Range<usize>,
    /// The value at the middle.
    mean: f64,
    /// The slope per point; 0 if the segment is a constant.
    slope: f64,
    /// How much more one segment would cost than this and the one before, less the penalty of the
    /// cut.
    gain: f64,
}

impl Segment {
    /// The value at point `at`, which may lie outside the segment.
    fn value_at(&self, at: usize) -> f64 {
        let middle = (self.points.start + self.points.end - 1) as f64 / 2.0;
        self.mean + self.slope * (at as f64 - middle)
    }

    fn confidence(&self) -> f64 {
        1.0 / (1.0 + (-0.5 * self.gain).exp())
    }
}

fn level_changes(segments: &[Segment], indices: &[usize]) -> Vec<ChangePoint> {
    let change = |pair: &[Segment]| {
        let (left, right) = (&pair[0], &pair[1]);
        let index = right.points.start;
        let (before, after) = (left.value_at(index - 1), right.value_at(index));
        // How far the new slope moves the level within the shorter of the two segments, compared
        // with the step at once.
        let n_points = left.points.len().min(right.points.len());
        let bend = (right.slope - left.slope).abs() * n_points as f64 / 2.0;
        let is_trend = bend > (after - before).abs();
        ChangePoint {
            index: indices[index],
            kind: if is_trend {
                ChangeKind::Trend
            } else {
                ChangeKind::LevelShift
            },
            before: if is_trend {
                left.slope * density(left, indices)
            } else {
                before
            },
            after: if is_trend {
                right.slope * density(right, indices)
            } else {
                after
            },
            confidence: right.confidence(),
        }
    };
    segments.windows(2).map(change).collect()
}

/// The share of points that are not missing: slopes are per point of the grid.
fn density(segment: &Segment, indices: &[usize]) -> f64 {
    let Range { start, end } = segment.points;
    (end - start) as f64 / (indices[end - 1] - indices[start] + 1) as f64
}

fn spread_changes(
    residuals: &[f64],
    options: &ChangePointOptions,
    indices: &[usize],
    scale: f64,
) -> Vec<ChangePoint> {
    let n_points = residuals.len().max(1) as f64;
    let mean = residuals.iter().map(|residual| residual.abs()).sum::<f64>() / n_points;
    if mean <= ROUNDING {
        return vec![];
    }
    let logarithm = |residual: &f64| residual.abs().max(LEAST_RESIDUAL * mean).ln();
    let logarithms: Vec<_> = residuals.iter().map(logarithm).collect();
    let segments = SegmentCutter::new(options, false).cut(&logarithms);
    let change = |pair: &[Segment]| ChangePoint {
        index: indices[pair[1].points.start],
        kind: ChangeKind::VarianceChange,
        before: spread(&residuals[pair[0].points.clone()]) * scale,
        after: spread(&residuals[pair[1].points.clone()]) * scale,
        confidence: pair[1].confidence(),
    };
    let least = LEAST_SPREAD * mean_spread(residuals) * scale;
    let is_worth = |change: &ChangePoint| change.before.max(change.after) > least;
    let changes = segments.windows(2).map(change);
    changes.filter(is_worth).collect()
}

/// The rounding error of values between -2 and 2.
const ROUNDING: f64 = 1e-14;

fn residuals(values: &[f64], segments: &[Segment]) -> Vec<f64> {
    let of = |segment: &Segment| {
        let segment = segment.clone();
        segment
            .points
            .clone()
            .map(move |at| values[at] - segment.value_at(at))
    };
    segments.iter().flat_map(of).collect()
}

/// The standard deviation, from the median absolute deviation unless that is 0.
fn spread(values: &[f64]) -> f64 {
    let robust = NORMAL_CONSISTENT * median_absolute_deviation(values).unwrap_or_default();
    if robust > 0.0 {
        robust
    } else {
        mean_spread(values)
    }
}

/// The standard deviation, from the mean distance from 0: for counts and other steps, where the
/// median sees only one step or none.
fn mean_spread(values: &[f64]) -> f64 {
    let n_values = values.len().max(1) as f64;
    MEAN_CONSISTENT * values.iter().map(|value| value.abs()).sum::<f64>() / n_values
}

/// Cuts series into segments.
#[derive(Debug, Clone, Copy)]
struct SegmentCutter {
    min_points: usize,
    penalty: f64,
    /// Whether segments can be lines.
    with_lines: bool,
}

impl SegmentCutter {
    fn new(options: &ChangePointOptions, with_lines: bool) -> Self {
        Self {
            min_points: options.min_points.max(SHORTEST_SEGMENT),
            penalty: options.penalty.max(0.0),
            with_lines,
        }
    }

    /// The segments in order; none if there are no values.
    fn cut(&self, values: &[f64]) -> Vec<Segment> {
        if values.is_empty() {
            return vec![];
        }
        let (outlier, rare) = if self.with_lines {
            (OUTLIER, RARE)
        } else {
            (LOG_OUTLIER, 1.0)
        };
        let values = without_outliers(values, self.min_points, outlier, rare);
        let variance = long_run_variance(&values);
        let penalty = self.penalty * (values.len() as f64).ln();
        let line_penalty = if self.with_lines {
            LINE_SHARE * penalty
        } else {
            f64::INFINITY
        };
        let block = values.len().div_ceil(MAX_CELLS);
        let cells: Vec<_> = values
            .chunks(block)
            .map(|cells| cells.iter().sum::<f64>() / cells.len() as f64)
            .collect();
        let costs = Costs::new(&cells, block as f64 / variance, line_penalty);
        let shortest = self.min_points.div_ceil(block).max(2);
        let mut cuts: Vec<_> = pelt(&costs, shortest, penalty)
            .iter()
            .map(|cut| cut * block)
            .collect();
        let costs = Costs::new(&values, 1.0 / variance, line_penalty);
        if block > 1 {
            refine(&costs, &mut cuts, block);
        }
        costs.drop_weak(&mut cuts, &values, penalty);
        costs.segments(&cuts, penalty)
    }
}

/// Moves each cut by up to a block to where the segments on both sides cost least. The first cut is
/// 0, the last the end.
fn refine(costs: &Costs, cuts: &mut [usize], block: usize) {
    let end = costs.len();
    if let Some(last) = cuts.last_mut() {
        *last = end;
    }
    for at in 1..cuts.len().saturating_sub(1) {
        let (from, to) = (cuts[at - 1], cuts[at + 1]);
        let cost = |cut: usize| costs.of(from..cut) + costs.of(cut..to);
        let first = cuts[at].saturating_sub(block).max(from + SHORTEST_SEGMENT);
        let last = (cuts[at] + block).min(to.saturating_sub(SHORTEST_SEGMENT));
        let best = (first..=last).min_by(|&a, &b| cost(a).total_cmp(&cost(b)));
        cuts[at] = best.unwrap_or(cuts[at]);
    }
}

/// The values, with outliers replaced by the running median. Its window is twice the shortest
/// segment, so that anything shorter cannot have the majority.
fn without_outliers(values: &[f64], min_points: usize, outlier: f64, most: f64) -> Vec<f64> {
    let medians = running_median(values, min_points);
    let distances: Vec<_> = values
        .iter()
        .zip(&medians)
        .map(|(value, median)| value - median)
        .collect();
    let limit = outlier * spread(&distances).max(mean_spread(&distances));
    let is_far: Vec<_> = distances
        .iter()
        .map(|distance| distance.abs() > limit)
        .collect();
    let is_rare = rare(&is_far, RARE_SEGMENTS * min_points, most);
    let at = |at: usize| {
        if is_far[at] && is_rare[at] {
            medians[at]
        } else {
            values[at]
        }
    };
    (0..values.len()).map(at).collect()
}

/// For each point, whether at most this part of the points up to this many before and after are
/// true.
fn rare(points: &[bool], reach: usize, most: f64) -> Vec<bool> {
    let counts: Vec<usize> = std::iter::once(0)
        .chain(points.iter().scan(0, |count, is_true| {
            *count += usize::from(*is_true);
            Some(*count)
        }))
        .collect();
    let is_rare = |at: usize| {
        let (from, to) = (at.saturating_sub(reach), (at + reach + 1).min(points.len()));
        (counts[to] - counts[from]) as f64 <= most * (to - from) as f64
    };
    (0..points.len()).map(is_rare).collect()
}

/// The median of the values up to this many points before and after each; near the ends, of the
/// first or last window of that size.
fn running_median(values: &[f64], reach: usize) -> Vec<f64> {
    let reach = reach.min(values.len() / 2);
    let mut window: VecDeque<f64> = VecDeque::with_capacity(2 * reach + 2);
    let mut medians = Vec::with_capacity(values.len());
    let (mut from, mut to) = (0, 0);
    for at in 0..values.len() {
        let start = at
            .saturating_sub(reach)
            .min(values.len().saturating_sub(2 * reach + 1));
        let end = (start + 2 * reach + 1).min(values.len());
        while to < end {
            let place = window.partition_point(|value| value.total_cmp(&values[to]).is_lt());
            window.insert(place, values[to]);
            to += 1;
        }
        while from < start {
            let place = window.partition_point(|value| value.total_cmp(&values[from]).is_lt());
            window.remove(place);
            from += 1;
        }
        let middle = window.len() / 2;
        let lower = (window.len() - 1) / 2;
        medians.push(0.5 * (window[lower] + window[middle]));
    }
    medians
}

/// The variance of the mean of many values, times their number: the variance if the values are
/// independent, and (1 + phi) / (1 - phi) times it if each follows the one before by the factor
/// phi. It is the greatest of the estimates from such noise and from blocks of 2, 4, 8 ... values,
/// and greater than 0.
fn long_run_variance(values: &[f64]) -> f64 {
    let n_values = values.len();
    let mean_square = values.iter().map(|value| value * value).sum::<f64>() / n_values as f64;
    let least = (ROUNDING * mean_square).max(f64::MIN_POSITIVE);
    let mut greatest = autoregressive_variance(values).max(least);
    let mut block = 2;
    while block <= LARGEST_BLOCK && n_values / block >= FEWEST_BLOCKS {
        let cells = values.chunks_exact(block);
        let means: Vec<_> = cells
            .map(|cell| cell.iter().sum::<f64>() / block as f64)
            .collect();
        let differences: Vec<_> = means.windows(2).map(|pair| pair[1] - pair[0]).collect();
        // The difference of two means has twice the variance of one.
        greatest = greatest.max(block as f64 * spread(&differences).powi(2) / 2.0);
        block *= 2;
    }
    greatest
}

/// The long-run variance of noise in which each value follows the one before by a factor. Values 1
/// apart differ by `1 - factor` times their variance, values 2 apart by `1 - factor^2` times it.
fn autoregressive_variance(values: &[f64]) -> f64 {
    let difference = |apart: usize| {
        let pairs = values.iter().zip(values.iter().skip(apart));
        let differences: Vec<_> = pairs.map(|(before, value)| value - before).collect();
        // There are no outliers left, and there are few changes among so many values.
        mean_spread(&differences).powi(2) / 2.0
    };
    let (one, two) = (difference(1), difference(2));
    if one <= 0.0 {
        return 0.0;
    }
    let follows = (two / one - 1.0).clamp(0.0, MOST_FOLLOWING);
    one * (1.0 + follows) / (1.0 - follows).powi(2)
}

/// The costs of segments: squared errors in units of the noise, from sums up to each value.
#[derive(Debug)]
struct Costs {
    /// Sums of the values, their squares, and their products with their positions.
    sums: Vec<[f64; 3]>,
    /// One over the long-run variance of a value.
    weight: f64,
    line_penalty: f64,
}

impl Costs {
    fn new(values: &[f64], weight: f64, line_penalty: f64) -> Self {
        let mut sums = Vec::with_capacity(values.len() + 1);
        let mut sum = [0.0; 3];
        sums.push(sum);
        for (at, value) in values.iter().enumerate() {
            sum[0] += value;
            sum[1] += value * value;
            sum[2] += value * at as f64;
            sums.push(sum);
        }
        Self {
            sums,
            weight,
            line_penalty,
        }
    }

    fn len(&self) -> usize {
        self.sums.len() - 1
    }

    /// The mean, the slope, and the squared errors of the constant and of the line.
    fn fit(&self, points: Range<usize>) -> (f64, f64, f64, f64) {
        let (from, to) = (self.sums[points.start], self.sums[points.end]);
        let n_points = (points.end - points.start) as f64;
        let mean = (to[0] - from[0]) / n_points;
        let constant = (to[1] - from[1] - n_points * mean * mean).max(0.0);
        let middle = points.start as f64 + (n_points - 1.0) / 2.0;
        let product = to[2] - from[2] - middle * n_points * mean;
        // The sum of the squared distances from the middle; with one point there is no slope.
        let square = (n_points * (n_points * n_points - 1.0) / 12.0).max(f64::MIN_POSITIVE);
        let slope = product / square;
        (mean, slope, constant, (constant - slope * product).max(0.0))
    }

    fn of(&self, points: Range<usize>) -> f64 {
        let (_, _, constant, line) = self.fit(points);
        (self.weight * constant).min(self.weight * line + self.line_penalty)
    }

    /// How much more the points between two cuts cost as one segment than with a cut in between.
    fn gain(&self, from: usize, cut: usize, to: usize) -> f64 {
        self.of(from..to) - self.of(from..cut) - self.of(cut..to)
    }

    /// Removes the cuts, weakest first, that are not worth their penalty in the noise around them:
    /// where the spread is greater than elsewhere, a level must change by more.
    fn drop_weak(&self, cuts: &mut Vec<usize>, values: &[f64], penalty: f64) {
        let rounding = ROUNDING * self.sums[self.len()][1] / self.len() as f64;
        let usual = spread(&residuals(values, &self.segments(cuts, penalty))).powi(2) + rounding;
        loop {
            let worth = |around: &[usize]| {
                let (from, cut, to) = (around[0], around[1], around[2]);
                let local = (self.error(from..cut) + self.error(cut..to)) / (to - from) as f64;
                let noise = if usual > 0.0 {
                    (local / usual).max(1.0)
                } else {
                    1.0
                };
                self.gain(from, cut, to) / noise
            };
            let worths = cuts.windows(3).map(worth).enumerate();
            match worths.min_by(|first, second| first.1.total_cmp(&second.1)) {
                Some((weakest, worth)) if worth < penalty => cuts.remove(weakest + 1),
                _ => return,
            };
        }
    }

    /// The squared errors of a segment.
    fn error(&self, points: Range<usize>) -> f64 {
        let (_, _, constant, line) = self.fit(points);
        if self.is_line(constant, line) {
            line
        } else {
            constant
        }
    }

    fn is_line(&self, constant: f64, line: f64) -> bool {
        self.weight * line + self.line_penalty < self.weight * constant
    }

    /// The segments between neighbouring cuts.
    fn segments(&self, cuts: &[usize], penalty: f64) -> Vec<Segment> {
        let segment = |at: usize| {
            let points = cuts[at]..cuts[at + 1].min(self.len());
            let (mean, slope, constant, line) = self.fit(points.clone());
            let is_line = self.is_line(constant, line);
            let gain = match at.checked_sub(1) {
                None => 0.0,
                Some(before) => self.gain(cuts[before], points.start, points.end) - penalty,
            };
            Segment {
                points,
                mean,
                slope: if is_line { slope } else { 0.0 },
                gain,
            }
        };
        (0..cuts.len() - 1).map(segment).collect()
    }
}

/// The cuts of least cost, at least `shortest` apart. The first is 0 and the last the end.
fn pelt(costs: &Costs, shortest: usize, penalty: f64) -> Vec<usize> {
    let end = costs.len();
    let mut least = vec![-penalty; end + 1];
    let mut before = vec![0; end + 1];
    let mut starts: Vec<(usize, f64)> = vec![];
    for to in shortest..=end {
        let newest = to - shortest;
        // A first segment must not be too short.
        if newest == 0 || newest >= shortest {
            starts.push((newest, 0.0));
        }
        let mut best = (f64::INFINITY, 0);
        for (from, cost) in &mut starts {
            *cost = least[*from] + costs.of(*from..to);
            if *cost < best.0 {
                best = (*cost, *from);
            }
        }
        least[to] = best.0 + penalty;
        before[to] = best.1;
        // A start that is worse than this now cannot become the best: both halves as lines cost one
        // line more than the whole.
        let limit = least[to]
            + if costs.line_penalty.is_finite() {
                costs.line_penalty
            } else {
                0.0
            };
        starts.retain(|&(_, cost)| cost <= limit);
    }
    let mut cuts = vec![end];
    let mut at = end;
    while at > 0 {
        at = before[at];
        cuts.push(at);
    }
    cuts.reverse();
    cuts
}

/// Noise for tests.
#[cfg(test)]
pub(crate) mod noise {
    /// Normal noise of variance 1, in which each value keeps the part `follow` of the one before;
    /// with 1 a random walk.
    pub(crate) fn autoregressive(n_values: usize, follow: f64, seed: u64) -> Vec<f64> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut value = 0.0;
        // The first values depend on the start.
        let values = (0..n_values + 200).map(|_| {
            let radius = (-2.0 * uniform(&mut state).ln()).sqrt();
            value = follow * value + radius * (std::f64::consts::TAU * uniform(&mut state)).cos();
            value
        });
        values.skip(200).collect()
    }

    /// SplitMix64, as a number from 0, exclusive, to 1.
    pub(crate) fn uniform(state: &mut u64) -> f64 {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = *state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) as f64 + 1.0) / (u64::MAX as f64 + 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::noise::autoregressive;
    use super::*;
    use ChangeKind::{LevelShift, Trend, VarianceChange};

    fn found(values: &[f64]) -> Vec<ChangePoint> {
        let found = find_changepoints(values, &ChangePointOptions::default());
        assert!(
            found
                .iter()
                .all(|change| (0.0..=1.0).contains(&change.confidence))
        );
        found
    }

    fn with(noise: &[f64], value: impl Fn(usize) -> f64) -> Vec<f64> {
        noise
            .iter()
            .enumerate()
            .map(|(at, noise)| noise + value(at))
            .collect()
    }

    /// Checks kinds, positions within 15 points, and values before and after within 0.3 (slopes:
    /// 0.02, spreads: 0.5).
    #[track_caller]
    fn check(values: &[f64], expected: &[(usize, ChangeKind, f64, f64)]) {
        let found = found(values);
        let kinds: Vec<_> = found.iter().map(|change| change.kind).collect();
        let expected_kinds: Vec<_> = expected.iter().map(|change| change.1).collect();
        assert_eq!(kinds, expected_kinds, "{found:?}");
        for (change, &(index, kind, before, after)) in found.iter().zip(expected) {
            let near = match kind {
                LevelShift => 0.3,
                Trend => 0.02,
                VarianceChange => 0.5,
            };
            assert!(change.index.abs_diff(index) <= 15, "{change:?}");
            assert!((change.before - before).abs() < near, "{change:?}");
            assert!((change.after - after).abs() < near, "{change:?}");
            assert!(change.confidence > 0.9, "{change:?}");
        }
    }

    #[test]
    fn levels() {
        let noise = autoregressive(600, 0.0, 1);
        let step = |at| move |index| if index < at { 0.0 } else { 3.0 };
        check(&with(&noise, step(300)), &[(300, LevelShift, 0.0, 3.0)]);
        check(&with(&noise, step(575)), &[(575, LevelShift, 0.0, 3.0)]);
        let there_and_back = |at| if (200..240).contains(&at) { 9.0 } else { 5.0 };
        check(
            &with(&noise, there_and_back),
            &[(200, LevelShift, 5.0, 9.0), (240, LevelShift, 9.0, 5.0)],
        );
        let on_a_trend = |at: usize| 0.02 * at as f64 + step(300)(at);
        check(&with(&noise, on_a_trend), &[(300, LevelShift, 6.0, 9.0)]);
    }

    #[test]
    fn trends() {
        let noise = autoregressive(600, 0.0, 2);
        check(&with(&noise, |at| 0.05 * at as f64), &[]);
        let kink = |at: usize| 0.05 * at.saturating_sub(300) as f64;
        check(&with(&noise, kink), &[(300, Trend, 0.0, 0.05)]);
        let ramp = |at: usize| 0.1 * at.clamp(300, 400) as f64;
        check(
            &with(&noise, ramp),
            &[(300, Trend, 0.0, 0.1), (400, Trend, 0.1, 0.0)],
        );
    }

    #[test]
    fn spreads() {
        let mut noise = autoregressive(800, 0.0, 3);
        noise[400..].iter_mut().for_each(|value| *value *= 3.0);
        check(&with(&noise, |_| 7.0), &[(400, VarianceChange, 1.0, 3.0)]);
        let only = ChangePointOptions {
            kinds: vec![LevelShift],
            ..ChangePointOptions::default()
        };
        assert!(find_changepoints(&noise, &only).is_empty());
    }

    #[test]
    fn bursts_are_no_change() {
        for n_points in [1, 3, 8, 11] {
            let noise = autoregressive(500, 0.0, 4);
            check(
                &with(&noise, |at| {
                    if (200..200 + n_points).contains(&at) {
                        20.0
                    } else {
                        0.0
                    }
                }),
                &[],
            );
        }
    }

    /// A week that repeats has no change, whatever the noise.
    #[test]
    fn weeks_that_never_change() {
        for seed in 0..6 {
            let noise = autoregressive(5 * 672, 0.0, seed);
            let week = |at: usize| {
                let wave = (at as f64 / 96.0 * std::f64::consts::TAU).sin();
                let share = if at / 96 % 7 < 5 { 1.0 } else { 0.4 };
                share * (200.0 + 120.0 * wave)
            };
            let values: Vec<_> = (0..noise.len())
                .map(|at| week(at) + 8.0 * noise[at])
                .collect();
            let options = ChangePointOptions {
                periods: vec![96, 672],
                ..ChangePointOptions::default()
            };
            assert_eq!(find_changepoints(&values, &options), [], "{seed}");
        }
    }

    #[test]
    fn a_rate_of_events_that_rises() {
        for (before, after) in [(0.02, 0.3), (0.05, 0.5), (0.0, 0.2), (0.3, 0.02)] {
            let mut state = 3;
            let rate = |at: usize| if at < 1_200 { before } else { after };
            let values: Vec<_> = (0..2_000)
                .map(|at| f64::from(u8::from(noise::uniform(&mut state) < rate(at))))
                .collect();
            let found = found(&values);
            let levels: Vec<_> = found
                .iter()
                .filter(|change| change.kind == ChangeKind::LevelShift)
                .collect();
            assert!(
                matches!(levels[..], [shift] if shift.index.abs_diff(1_200) <= 12),
                "{before} to {after}: {found:?}"
            );
        }
    }

    /// Finds changes in at most one of 20 series of each kind and length.
    #[test]
    fn noise_has_no_change() {
        let kinds = [
            (0.0, 300, 100),
            (0.0, 1_000, 100),
            (0.8, 1_000, 100),
            (0.0, 5_000, 20),
            (0.8, 5_000, 20),
        ];
        for (follow, n_values, n_series) in kinds {
            let has_change =
                |seed: &u64| !found(&autoregressive(n_values, follow, *seed)).is_empty();
            let n_false = (1..=n_series).filter(has_change).count();
            assert!(
                20 * n_false <= usize::try_from(n_series).unwrap(),
                "{follow} {n_values}: {n_false}"
            );
        }
    }

    #[test]
    fn seasons_are_removed() {
        let season = |at: usize| 5.0 * (std::f64::consts::TAU * at as f64 / 24.0).sin();
        let step = |at: usize| if at < 240 { 0.0 } else { 2.0 };
        let values = with(&autoregressive(480, 0.0, 5), |at| season(at) + step(at));
        let options = ChangePointOptions {
            periods: vec![24],
            ..ChangePointOptions::default()
        };
        let found = find_changepoints(&values, &options);
        assert!(
            found.len() == 1 && found[0].index.abs_diff(240) < 5,
            "{found:?}"
        );
    }

    #[test]
    fn missing_values_are_passed_over() {
        let mut values = with(&autoregressive(900, 0.0, 6), |at| {
            if at < 450 { 0.0 } else { 4.0 }
        });
        values
            .iter_mut()
            .step_by(3)
            .for_each(|value| *value = f64::NAN);
        check(&values, &[(450, LevelShift, 0.0, 4.0)]);
        let mut slope = with(&autoregressive(900, 0.0, 6), |at| {
            0.1 * at.saturating_sub(450) as f64
        });
        slope
            .iter_mut()
            .step_by(2)
            .for_each(|value| *value = f64::NAN);
        check(&slope, &[(450, Trend, 0.0, 0.1)]);
    }

    #[test]
    fn units_do_not_matter() {
        let values = with(&autoregressive(300, 0.0, 7), |at| {
            if at < 150 { 0.0 } else { 4.0 }
        });
        for scale in [1e-300, 0.001, 1e6, 1e300] {
            let moved: Vec<_> = values.iter().map(|value| value * scale).collect();
            let found = found(&moved);
            assert!(
                found.len() == 1 && found[0].index.abs_diff(150) < 5,
                "{scale}: {found:?}"
            );
            assert!(
                (found[0].after / scale - 4.0).abs() < 0.5,
                "{scale}: {found:?}"
            );
        }
    }

    #[test]
    fn odd_input() {
        for values in [
            vec![],
            vec![1.0],
            vec![0.1; 500],
            vec![f64::NAN; 50],
            vec![1.0, 2.0, 9.0],
        ] {
            assert!(found(&values).is_empty());
        }
        let clean: Vec<_> = (0..200)
            .map(|at| if at < 100 { 1.1 } else { 1.3 })
            .collect();
        let found = found(&clean);
        assert!(found.len() == 1 && found[0].index == 100, "{found:?}");
    }

    #[test]
    fn blocks_find_the_point() {
        let values = with(&autoregressive(50_000, 0.0, 8), |at| {
            if at < 20_017 { 0.0 } else { 3.0 }
        });
        let found = found(&values);
        assert!(
            found.len() == 1 && found[0].index.abs_diff(20_017) < 3,
            "{found:?}"
        );
    }

    #[test]
    fn running_medians() {
        let values = [3.0, 1.0, 2.0, 9.0, 4.0, 4.0, 0.0];
        assert_eq!(
            running_median(&values, 1),
            [2.0, 2.0, 2.0, 4.0, 4.0, 4.0, 4.0]
        );
        assert_eq!(running_median(&values, 50), [3.0; 7]);
        assert!(running_median(&[], 3).is_empty());
    }
}
