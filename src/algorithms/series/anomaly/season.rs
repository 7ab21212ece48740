//! The season of a series that is still growing: searched for again and again, at longer and longer
//! intervals.
//!
//! A search costs two Fourier transforms of the newest points. Searches at 64, 96, 144, ... points
//! cost constant time per point. Two more take place when the second day and the second week are
//! complete, because most metrics follow them. A day or a week is taken if the autocorrelation
//! there is nearly as high as anywhere; any other length must have the highest.
//!
//! If points are missing, seasons are looked for on the grid of time. As outliers are clipped
//! before a search, a job of some minutes a day would never be found: so if there is no other
//! season, a day or a week is one if the outliers of one cycle recur in the next.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::algorithms::series::Season;
use crate::algorithms::series::anomaly::cadence::{Cadence, N_FIRST_STEPS};
use crate::algorithms::series::anomaly::history::{AnomalyHistory, MAX_HISTORY};
use crate::algorithms::series::periods::PeriodSearch;
use crate::algorithms::series::robust::median_in_place;
use crate::algorithms::units::DAY;

/// The number of points of the first search. Fewer hold no two cycles of anything but jitter.
const FIRST_SEARCH: usize = 64;

/// A season is certain enough when this many quarters of its cycle have been seen: two cycles, and
/// some points of the third.
const N_QUARTERS: usize = 9;

/// After this many cycles a season stays if the one that is found now differs by at most [`SAME`].
const SETTLED_CYCLES: usize = 8;

/// The difference of two periods that are the same, as a share of the period.
const SAME: f64 = 0.1;

/// A time grid has at most this many slots per point: at least half of them are filled.
const SLOTS_PER_POINT: usize = 2;

/// Values this many median deviations from the median are far out.
const FAR: f64 = 8.0;

/// Jobs take at most this part of the time;
const JOB_SHARE: f64 = 0.1;

/// at least this part of the values far out came one season before as well, up to a hundredth of
/// the season earlier or later;
const CAME_BEFORE: f64 = 0.75;
const EARLY_OR_LATE: usize = 100;

/// and at least this part of the cycles has such values.
const CYCLES_WITH: f64 = 0.75;

/// At most this many idle searches are kept. Each has about 2 MB of plans and buffers once it has
/// searched a full history.
const MAX_IDLE: usize = 8;

/// Searches that are not in use. Their plans for Fourier transforms are worth keeping if there are
/// many short series.
#[derive(Debug, Default)]
pub(super) struct Searches(Mutex<Vec<PeriodSearch>>);

impl Searches {
    fn with<T>(&self, use_one: impl FnOnce(&mut PeriodSearch) -> T) -> T {
        let mut search = self.idle().pop().unwrap_or_default();
        let result = use_one(&mut search);
        let mut idle = self.idle();
        if idle.len() < MAX_IDLE {
            idle.push(search);
        }
        result
    }

    fn idle(&self) -> MutexGuard<'_, Vec<PeriodSearch>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Knows when to look for a season, and what was found.
#[derive(Debug)]
pub(super) struct SeasonWatch {
    wanted: Season,
    /// The number of points at which the next look is due.
    next_look: usize,
    /// The number of points at which the next of the increasingly rare searches is due.
    next_search: usize,
    period: Option<usize>,
}

impl SeasonWatch {
    pub(super) fn new(wanted: &Season) -> Self {
        let next_look = match wanted {
            Season::Auto => FIRST_SEARCH,
            Season::None => usize::MAX,
            Season::Points(lengths) => {
                next_complete(0, lengths.iter().copied(), &AnomalyHistory::default())
            }
            // By then the cadence knows its step.
            Season::Durations(_) => N_FIRST_STEPS + 1,
        };
        Self {
            wanted: wanted.clone(),
            next_look,
            next_search: FIRST_SEARCH,
            period: None,
        }
    }

    /// Whether a look is due.
    pub(super) fn is_due(&self, n_points: usize) -> bool {
        n_points >= self.next_look
    }

    /// The period that was found last.
    pub(super) fn period(&self) -> Option<usize> {
        self.period
    }

    /// Looks for a season if that is due at `n_points`, and returns the period if it is a new one.
    pub(super) fn look(
        &mut self,
        n_points: usize,
        history: &AnomalyHistory,
        cadence: &mut Cadence,
        searches: &Searches,
    ) -> Option<usize> {
        if !self.is_due(n_points) {
            return None;
        }
        let found = match &self.wanted {
            Season::None => None,
            Season::Points(lengths) => {
                let lengths = lengths.iter().copied();
                self.next_look = next_complete(n_points, lengths.clone(), history);
                longest_complete(n_points, lengths, history)
            }
            Season::Durations(lengths) => {
                let lengths = lengths
                    .iter()
                    .filter_map(|&length| cadence.points_in(length));
                self.next_look = next_complete(n_points, lengths.clone(), history);
                longest_complete(n_points, lengths, history)
            }
            Season::Auto => self.search(n_points, history, cadence, searches),
        }?;
        let is_new = self.period != Some(found);
        self.period = Some(found);
        is_new.then_some(found)
    }

    /// The season that is found now, unless the one found before stays.
    fn search(
        &mut self,
        n_points: usize,
        history: &AnomalyHistory,
        cadence: &mut Cadence,
        searches: &Searches,
    ) -> Option<usize> {
        let (times_ns, values) = history.newest(usize::MAX);
        cadence.measure(times_ns, history.stride());
        let natural = [DAY, 7 * DAY].map(|length| cadence.points_in(length));
        if n_points >= self.next_search {
            self.next_search = self.next_search * 3 / 2;
        }
        let complete = next_complete(n_points, natural.into_iter().flatten(), history);
        self.next_look = self.next_search.min(complete);
        let found = in_history(history, times_ns, values, cadence, natural, searches)?;
        match self.period {
            Some(known) if stays(known, found, n_points, natural) => None,
            _ => Some(found),
        }
    }
}

/// The season of the points that are kept.
fn in_history(
    history: &AnomalyHistory,
    times_ns: &[i64],
    values: &[f64],
    cadence: &Cadence,
    natural: [Option<usize>; 2],
    searches: &Searches,
) -> Option<usize> {
    let stride = history.stride();
    let grid = on_grid(times_ns, values, cadence, stride);
    let values = grid.as_deref().unwrap_or(values);
    let kept = natural.map(|period| period.map(|n_points| (n_points + stride / 2) / stride));
    let found = searches
        .with(|search| search.natural_season(values, kept))
        .or_else(|| season_of_jobs(values, kept))?;
    let position = kept.iter().position(|period| *period == Some(found));
    position.map_or(Some(found * stride), |position| natural[position])
}

/// The newest values in the slots of the cadence; `None` if every slot has one anyway, or hardly
/// any has.
fn on_grid(times_ns: &[i64], values: &[f64], cadence: &Cadence, stride: usize) -> Option<Vec<f64>> {
    let slot = |time_ns: &i64| cadence.slot(*time_ns) / stride;
    let last = slot(times_ns.last()?);
    let oldest = (last + 1).saturating_sub(MAX_HISTORY);
    let first = slot(times_ns.first()?).max(oldest);
    let n_slots = (last + 1).checked_sub(first)?;
    if n_slots == values.len() || n_slots > SLOTS_PER_POINT * values.len() {
        return None;
    }
    let mut grid = vec![f64::NAN; n_slots];
    for (time_ns, value) in times_ns.iter().zip(values) {
        // Times may not ascend.
        let place = slot(time_ns).checked_sub(first);
        if let Some(place) = place.and_then(|place| grid.get_mut(place)) {
            *place = *value;
        }
    }
    Some(grid)
}

/// The day or the week, if values far out recur after it, on the same side.
fn season_of_jobs(values: &[f64], natural: [Option<usize>; 2]) -> Option<usize> {
    let mut finite: Vec<_> = values.iter().copied().filter(|v| v.is_finite()).collect();
    let median = median_in_place(&mut finite)?;
    finite
        .iter_mut()
        .for_each(|value| *value = (*value - median).abs());
    let far = FAR * median_in_place(&mut finite)?;
    let side = |value: &f64| i8::from(*value > median + far) - i8::from(*value < median - far);
    let sides: Vec<_> = values.iter().map(side).collect();
    let n_out = sides.iter().filter(|side| **side != 0).count();
    if far <= 0.0 || n_out == 0 || n_out as f64 > JOB_SHARE * values.len() as f64 {
        return None;
    }
    let is_complete = |period: &usize| n_for(*period) <= values.len();
    let complete = natural.into_iter().flatten().filter(is_complete);
    complete
        .into_iter()
        .find(|period| comes_again(&sides, *period))
}

fn comes_again(sides: &[i8], period: usize) -> bool {
    let reach = (period / EARLY_OR_LATE).max(1);
    let (mut n_out, mut n_again) = (0, 0);
    for (at, side) in sides.iter().enumerate().skip(period) {
        if *side != 0 {
            let before = at - period;
            let near = before.saturating_sub(reach)..(before + reach + 1).min(at);
            n_out += 1;
            n_again += usize::from(sides[near].contains(side));
        }
    }
    let cycles = sides.chunks_exact(period);
    let n_cycles = cycles.len();
    let n_with = cycles
        .filter(|cycle| cycle.iter().any(|side| *side != 0))
        .count();
    n_out > 0
        && n_again as f64 >= CAME_BEFORE * f64::from(n_out)
        && n_with as f64 >= CYCLES_WITH * n_cycles as f64
}

/// Whether the known period stays. A day or a week gives way only to the other, and a period known
/// for long does not give way to one of nearly the same length.
fn stays(known: usize, found: usize, n_points: usize, natural: [Option<usize>; 2]) -> bool {
    let is_natural = |period: usize| natural.contains(&Some(period));
    match (is_natural(known), is_natural(found)) {
        (true, false) => true,
        (false, true) => false,
        _ => {
            let is_same = found.abs_diff(known) as f64 <= SAME * known as f64;
            n_points >= SETTLED_CYCLES * known && is_same
        }
    }
}

/// The number of points after which enough cycles have been seen.
fn n_for(period: usize) -> usize {
    period.saturating_mul(N_QUARTERS).div_ceil(4)
}

/// The same; `None` if the history does not hold that many.
fn complete_at(period: usize, history: &AnomalyHistory) -> Option<usize> {
    Some(n_for(period)).filter(|&n_points| n_points <= MAX_HISTORY * history.stride())
}

/// The number of points at which the next of these periods is complete; `usize::MAX` if all are.
fn next_complete(
    n_points: usize,
    periods: impl Iterator<Item = usize>,
    history: &AnomalyHistory,
) -> usize {
    let complete = periods.filter_map(|period| complete_at(period, history));
    complete
        .filter(|&at| at > n_points)
        .min()
        .unwrap_or(usize::MAX)
}

/// The longest period with enough cycles seen.
fn longest_complete(
    n_points: usize,
    periods: impl Iterator<Item = usize>,
    history: &AnomalyHistory,
) -> Option<usize> {
    let is_complete =
        |&period: &usize| complete_at(period, history).is_some_and(|at| at <= n_points);
    periods.filter(is_complete).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_NS: i64 = 3_600_000_000_000;
    const HOUR: usize = 3_600_000_000_000;

    /// The periods that are found as hourly values arrive, and when.
    fn found(
        wanted: &Season,
        n_points: usize,
        value: impl Fn(usize) -> f64,
    ) -> Vec<(usize, usize)> {
        let (mut watch, searches) = (SeasonWatch::new(wanted), Searches::default());
        let (mut history, mut cadence) = (AnomalyHistory::default(), Cadence::new());
        let mut found = vec![];
        for (at, time_ns) in (0..n_points).zip((0..).step_by(HOUR)) {
            let time_ns = cadence.next(Some(time_ns));
            history.push(time_ns, value(at));
            let period = watch.look(at + 1, &history, &mut cadence, &searches);
            found.extend(period.map(|period| (at + 1, period)));
        }
        found
    }

    fn daily(at: usize) -> f64 {
        (at as f64 / 24.0 * std::f64::consts::TAU).sin() + (at * 7 % 11) as f64 * 0.02
    }

    #[test]
    fn a_day_is_found_and_stays() {
        assert_eq!(found(&Season::Auto, 2_000, daily), [(64, 24)]);
        let noise = |at: usize| ((at * at * 31 + at * 17) % 101) as f64;
        assert_eq!(found(&Season::None, 500, noise), []);
    }

    #[test]
    fn a_week_takes_over_when_it_says_much_more() {
        let weekly = |at: usize| daily(at) * 0.3 + if at / 24 % 7 < 5 { 2.0 } else { 0.0 };
        let found = found(&Season::Auto, 1_000, weekly);
        assert_eq!(
            found.last().map(|(_, period)| *period),
            Some(168),
            "{found:?}"
        );
    }

    #[test]
    fn given_seasons_come_when_complete() {
        let given = Season::Points(vec![100, 10]);
        assert_eq!(found(&given, 300, daily), [(23, 10), (225, 100)]);
        let given = Season::Durations(vec![24 * HOUR_NS, 7 * 24 * HOUR_NS, 1]);
        assert_eq!(found(&given, 500, daily), [(54, 24), (378, 168)]);
    }
}
