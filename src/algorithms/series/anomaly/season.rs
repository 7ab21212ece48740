//! The season of a series that is still coming in: looked for again and again, the farther apart the longer it is known.
//!
//! A search costs two Fourier transforms of the newest points. Searches at 64, 96, 144, ... points cost a constant time a
//! point, and two more come when the second day and the second week are complete, because most metrics live by them. A day
//! or a week is taken when the autocorrelation there is nearly as high as anywhere; other lengths must be the highest.

use crate::algorithms::series::anomaly::cadence::{Cadence, DAY_NS, N_FIRST_STEPS};
use crate::algorithms::series::{PeriodSearch, Season};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The first search. Fewer points hold no two cycles of anything but jitter.
const FIRST_SEARCH: usize = 64;

/// A season is sure enough when so many quarters of its cycle have been seen: two cycles, and some points of the third.
const N_QUARTERS: usize = 9;

/// A season is looked for in so many of the newest points; they are all that is kept of a series. Eleven days of minutes.
const MAX_HISTORY: usize = 16_384;

/// How much older points may pile up before they are dropped, so that dropping costs little.
const SLACK: usize = MAX_HISTORY / 4;

/// A season stays, after so many cycles, when the one that is found now differs by less than [`SAME`].
const SETTLED_CYCLES: usize = 8;

/// As a share of the period.
const SAME: f64 = 0.1;

/// The newest points of a series.
#[derive(Debug, Default)]
pub(super) struct History {
    times_ns: Vec<i64>,
    values: Vec<f64>,
}

impl History {
    pub(super) fn push(&mut self, time_ns: i64, value: f64) {
        if self.values.len() >= MAX_HISTORY + SLACK {
            self.times_ns.drain(..SLACK);
            self.values.drain(..SLACK);
        }
        self.times_ns.push(time_ns);
        self.values.push(value);
    }

    /// The newest points, at most so many.
    pub(super) fn newest(&self, n_points: usize) -> (&[i64], &[f64]) {
        let first = self.values.len().saturating_sub(n_points.min(MAX_HISTORY));
        (&self.times_ns[first..], &self.values[first..])
    }

    pub(super) fn memory_bytes(&self) -> usize {
        (self.times_ns.capacity() + self.values.capacity()) * 8
    }
}

/// More searches than this are not kept. Each has some 2 MB of plans and buffers when it has searched a full history.
const MAX_IDLE: usize = 8;

/// Searches that are not in use. Their plans for Fourier transforms are worth keeping when there are many short series.
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

/// When a season is looked for, and what was found.
#[derive(Debug)]
pub(super) struct SeasonWatch {
    wanted: Season,
    /// The number of points at which the next look is due.
    next_look: usize,
    /// The next one of the searches that get farther apart.
    next_search: usize,
    period: Option<usize>,
}

impl SeasonWatch {
    pub(super) fn new(wanted: &Season) -> Self {
        let next_look = match wanted {
            Season::Auto => FIRST_SEARCH,
            Season::None => usize::MAX,
            Season::Points(lengths) => next_complete(0, lengths.iter().copied()),
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

    /// The new period, if a look is due at `n_points` and another one is found.
    pub(super) fn look(
        &mut self,
        n_points: usize,
        history: &History,
        cadence: &mut Cadence,
        searches: &Searches,
    ) -> Option<usize> {
        if n_points < self.next_look {
            return None;
        }
        let found = match &self.wanted {
            Season::None => None,
            Season::Points(lengths) => {
                let lengths = lengths.iter().copied();
                self.next_look = next_complete(n_points, lengths.clone());
                longest_complete(n_points, lengths)
            }
            Season::Durations(lengths) => {
                let lengths = lengths
                    .iter()
                    .filter_map(|&length| cadence.points_in(length));
                self.next_look = next_complete(n_points, lengths.clone());
                longest_complete(n_points, lengths)
            }
            Season::Auto => self.search(n_points, history, cadence, searches),
        }?;
        let is_new = self.period != Some(found);
        self.period = Some(found);
        is_new.then_some(found)
    }

    /// What is found now, unless what was found before stays.
    fn search(
        &mut self,
        n_points: usize,
        history: &History,
        cadence: &mut Cadence,
        searches: &Searches,
    ) -> Option<usize> {
        let (times_ns, values) = history.newest(usize::MAX);
        cadence.measure(times_ns);
        let natural = [DAY_NS, 7 * DAY_NS].map(|length| cadence.points_in(length));
        if n_points >= self.next_search {
            self.next_search = self.next_search * 3 / 2;
        }
        let complete = next_complete(n_points, natural.into_iter().flatten());
        self.next_look = self.next_search.min(complete);
        let found = searches.with(|search| search.natural_season(values, natural))?;
        match self.period {
            Some(known) if stays(known, found, n_points, natural) => None,
            _ => Some(found),
        }
    }
}

/// A day or a week gives way to the other one only, and what has been known for long to no length that is nearly the same.
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

/// The number of points after which enough cycles have been seen; no history holds longer ones.
fn complete_at(period: usize) -> Option<usize> {
    let n_points = period.checked_mul(N_QUARTERS)?.div_ceil(4);
    (n_points <= MAX_HISTORY).then_some(n_points)
}

/// When the next of these periods is complete; never if all are.
fn next_complete(n_points: usize, periods: impl Iterator<Item = usize>) -> usize {
    let later = periods.filter_map(complete_at).filter(|&at| at > n_points);
    later.min().unwrap_or(usize::MAX)
}

/// The longest of which enough cycles have been seen.
fn longest_complete(n_points: usize, periods: impl Iterator<Item = usize>) -> Option<usize> {
    let is_complete = |&period: &usize| complete_at(period).is_some_and(|at| at <= n_points);
    periods.filter(is_complete).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_NS: i64 = 3_600_000_000_000;
    const HOUR: usize = 3_600_000_000_000;

    /// The periods that are found while hourly values come in, and when.
    fn found(
        wanted: &Season,
        n_points: usize,
        value: impl Fn(usize) -> f64,
    ) -> Vec<(usize, usize)> {
        let (mut watch, searches) = (SeasonWatch::new(wanted), Searches::default());
        let (mut history, mut cadence) = (History::default(), Cadence::new());
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

    #[test]
    fn old_points_are_dropped() {
        let mut history = History::default();
        for at in 0..100_000_i32 {
            history.push(i64::from(at), f64::from(at));
        }
        let (times_ns, values) = history.newest(usize::MAX);
        assert_eq!(
            (times_ns.len(), values[MAX_HISTORY - 1]),
            (MAX_HISTORY, 99_999.0)
        );
        assert!(history.memory_bytes() <= 2 * 16 * (MAX_HISTORY + SLACK));
    }
}
