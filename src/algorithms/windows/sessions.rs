//! Session windows: rows of a key that follow each other within a gap belong together.
//!
//! A session is a maximal run of rows of one key, in the order of their event times, each less than
//! `gap` after the one before. It spans from its first row to `gap` after its last one; a row at
//! that end begins another session. Rows come in any order, so a row may found a session, extend
//! one, or join two, like the merging windows of Akidau et al., "The Dataflow Model" (VLDB 2015).
//!
//! **Late rows.** At watermark `w` every session whose end is at or before `w` is closed, for good.
//! A row is late
//!
//! 1. if `time + gap <= w`: a session of it alone would already be closed; this holds even if the
//!    row falls among the rows of a session that is still open;
//! 2. if it is within the gap of a closed session of its key: that session may not change, and a
//!    new session beside it would overlap it; this holds even if the row is also within the gap of
//!    an open session.
//!
//! If no row is older than the watermark, no row is late, and the sessions are those of the sorted
//! rows.
//!
//! For the second rule, the end of the last closed session of a key is enough. A row that is not
//! late by the first rule has `time + gap > w`, which is at or after the ends of all closed
//! sessions, hence after their starts; it is within the gap of a closed session if and only if its
//! time is before the end of that session. The end is forgotten as soon as the first rule covers
//! all times before it, so memory is that of the open sessions and of the keys whose last session
//! closed within the last gap.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::Hash;

use crate::algorithms::windows::Span;
use crate::error::Error;

/// The id of a session; ids ascend in the order in which sessions are founded and are never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SessionId(pub(crate) u64);

/// The session that a row belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Placement {
    /// None: the row came too late.
    Late,
    /// An open session.
    Joined {
        /// The session; if it is unknown to the caller, the row founded it.
        session: SessionId,
        /// A session that the row merged into this one: it no longer exists, and its rows now
        /// belong to this one. Sessions of a key are at least a gap apart, so there is never a
        /// third one.
        absorbed: Option<SessionId>,
    },
}

/// A session that has closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClosedSession<K> {
    pub(crate) session: SessionId,
    pub(crate) key: K,
    /// From the first row to `gap` after the last one.
    pub(crate) span: Span,
}

/// The open sessions of all keys.
#[derive(Debug, Clone)]
pub(crate) struct Sessions<K> {
    gap: i64,
    watermark: i64,
    next_id: u64,
    keys: HashMap<K, OfKey>,
    /// Every open session once, at the time when it must be checked, which is never after its end.
    /// A row that extends a session does not change this map, so that most rows touch only `keys`.
    due: BTreeMap<(i64, SessionId), K>,
    /// The ends of closed sessions that are still remembered, in ascending order.
    remembered: VecDeque<(i64, K)>,
}

/// The sessions of one key.
#[derive(Debug, Clone, Default)]
struct OfKey {
    /// The open sessions, in the order of time, at least a gap apart.
    open: VecDeque<Open>,
    /// The end of the last session that closed, until it is forgotten.
    closed_end: Option<i64>,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    session: SessionId,
    first: i64,
    last: i64,
    due: i64,
}

impl<K: Eq + Hash + Clone> Sessions<K> {
    /// Sessions whose consecutive rows are less than this many nanoseconds apart.
    ///
    /// # Errors
    /// If the gap is not above 0.
    pub(crate) fn new(gap: i64) -> Result<Self, Error> {
        if gap <= 0 {
            let message = format!("the gap of a session needs to be above 0 ns, got {gap}");
            return Err(Error::invalid_option(message));
        }
        Ok(Self {
            gap,
            watermark: i64::MIN,
            next_id: 0,
            keys: HashMap::new(),
            due: BTreeMap::new(),
            remembered: VecDeque::new(),
        })
    }

    /// The number of open sessions.
    pub(crate) fn len(&self) -> usize {
        self.due.len()
    }

    /// Whether a session would close at this watermark.
    pub(crate) fn closes_at(&self, watermark: i64) -> bool {
        let due = self.due.range(..=(watermark, SessionId(u64::MAX)));
        due.into_iter().any(|((_, session), key)| {
            let of_key = self.keys.get(key);
            let mut open = of_key.iter().flat_map(|of_key| &of_key.open);
            open.any(|open| {
                open.session == *session && open.last.saturating_add(self.gap) <= watermark
            })
        })
    }

    /// The latest end of the open sessions, given the rows so far.
    pub(crate) fn last_end(&self) -> Option<i64> {
        let open = self.keys.values().flat_map(|of_key| &of_key.open);
        open.map(|open| open.last.saturating_add(self.gap)).max()
    }

    /// Finds the session of a row; the key is cloned only if a session is founded.
    pub(crate) fn add(&mut self, key: &K, time: i64) -> Placement {
        if time.saturating_add(self.gap) <= self.watermark {
            return Placement::Late;
        }
        let Some(of_key) = self.keys.get_mut(key) else {
            self.keys.insert(key.clone(), OfKey::default());
            return self.found(key, time, 0);
        };
        if of_key.closed_end.is_some_and(|end| time < end) {
            return Placement::Late;
        }
        match of_key.take_in(time, self.gap) {
            Err(position) => self.found(key, time, position),
            Ok((session, absorbed)) => {
                if let Some(absorbed) = absorbed {
                    self.due.remove(&(absorbed.due, absorbed.session));
                }
                let absorbed = absorbed.map(|absorbed| absorbed.session);
                Placement::Joined { session, absorbed }
            }
        }
    }

    /// Closes the sessions whose end is not after this watermark, all of them at `i64::MAX`,
    /// ordered by end, then start, then founding. A watermark that moves back closes nothing.
    pub(crate) fn close(&mut self, watermark: i64) -> Vec<ClosedSession<K>> {
        self.watermark = self.watermark.max(watermark);
        let mut closed = Vec::new();
        while let Some(entry) = self.due.first_entry() {
            if entry.key().0 > self.watermark {
                break;
            }
            let ((_, session), key) = entry.remove_entry();
            closed.extend(self.close_or_defer(session, key));
        }
        closed.sort_by_key(|closed| (closed.span.end, closed.span.start, closed.session));
        self.remember(&closed);
        self.forget();
        closed
    }

    /// Founds a session of this row alone, at this position among those of its key.
    fn found(&mut self, key: &K, time: i64, position: usize) -> Placement {
        let session = SessionId(self.next_id);
        self.next_id += 1;
        let due = time.saturating_add(self.gap);
        self.due.insert((due, session), key.clone());
        if let Some(of_key) = self.keys.get_mut(key) {
            let open = Open {
                session,
                first: time,
                last: time,
                due,
            };
            of_key.open.insert(position, open);
        }
        Placement::Joined {
            session,
            absorbed: None,
        }
    }

    /// Closes a session that is due, unless rows have moved its end beyond the watermark: then it
    /// becomes due at that end.
    fn close_or_defer(&mut self, session: SessionId, key: K) -> Option<ClosedSession<K>> {
        let of_key = self.keys.get_mut(&key)?;
        // The sessions of a key become due in the order of time, so this is nearly always the
        // first.
        let position = of_key
            .open
            .iter()
            .position(|open| open.session == session)?;
        let open = of_key.open.get_mut(position)?;
        let span = Span {
            start: open.first,
            end: open.last.saturating_add(self.gap),
        };
        if span.end > self.watermark {
            open.due = span.end;
            self.due.insert((span.end, session), key);
            return None;
        }
        of_key.open.remove(position);
        of_key.closed_end = of_key.closed_end.max(Some(span.end));
        Some(ClosedSession { session, key, span })
    }

    /// Remembers the ends of closed sessions. Sessions that close later end later, so the queue is
    /// in the order of the ends.
    fn remember(&mut self, closed: &[ClosedSession<K>]) {
        let ends = closed
            .iter()
            .map(|closed| (closed.span.end, closed.key.clone()));
        self.remembered.extend(ends);
    }

    /// Forgets ends that are at least a gap before the watermark, and keys that have nothing else.
    fn forget(&mut self) {
        let (gap, watermark) = (self.gap, self.watermark);
        let is_old = |(end, _): &mut (i64, K)| end.saturating_add(gap) <= watermark;
        while let Some((end, key)) = self.remembered.pop_front_if(is_old) {
            let Some(of_key) = self.keys.get_mut(&key) else {
                continue;
            };
            if of_key.closed_end == Some(end) {
                of_key.closed_end = None;
            }
            if of_key.closed_end.is_none() && of_key.open.is_empty() {
                self.keys.remove(&key);
            }
        }
    }
}

impl OfKey {
    /// Adds a row to the session within whose gap it is, and joins this session with the next one
    /// if the row is within the gap of both. Returns the session and the one that was absorbed, or,
    /// if the row is within no gap, the position for a new session.
    ///
    /// Differences saturate at `i64::MAX`, the largest possible gap, so they are right for all
    /// times and gaps.
    fn take_in(&mut self, time: i64, gap: i64) -> Result<(SessionId, Option<Open>), usize> {
        let is_before = |open: &Open| time.saturating_sub(open.last) >= gap;
        let position = self.open.partition_point(is_before);
        match self.open.get_mut(position) {
            Some(open) if open.first.saturating_sub(time) < gap => {
                open.first = open.first.min(time);
                open.last = open.last.max(time);
                let grown = *open;
                Ok(self.join_next(position, grown, gap))
            }
            _ => Err(position),
        }
    }

    /// Joins the session that has grown with the next one if they are now less than a gap apart;
    /// the one that was founded first remains.
    fn join_next(&mut self, position: usize, grown: Open, gap: i64) -> (SessionId, Option<Open>) {
        let next = self.open.get(position + 1).copied();
        let Some(next) = next.filter(|next| next.first.saturating_sub(grown.last) < gap) else {
            return (grown.session, None);
        };
        let (stays, absorbed) = if grown.session < next.session {
            (grown, next)
        } else {
            (next, grown)
        };
        self.open.remove(position + 1);
        if let Some(open) = self.open.get_mut(position) {
            *open = Open {
                first: grown.first,
                last: next.last,
                ..stays
            };
        }
        (stays.session, Some(absorbed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sessions(gap: i64) -> Sessions<u8> {
        Sessions::new(gap).unwrap()
    }

    fn joined(session: u64) -> Placement {
        Placement::Joined {
            session: SessionId(session),
            absorbed: None,
        }
    }

    /// Checks id, key, start and end.
    #[track_caller]
    fn check_close(sessions: &mut Sessions<u8>, watermark: i64, expected: &[(u64, u8, i64, i64)]) {
        let closed: Vec<_> = sessions
            .close(watermark)
            .into_iter()
            .map(|closed| {
                (
                    closed.session.0,
                    closed.key,
                    closed.span.start,
                    closed.span.end,
                )
            })
            .collect();
        assert_eq!(closed, expected);
    }

    #[test]
    fn a_gap_of_nothing_is_refused() {
        let error = Sessions::<u8>::new(0).unwrap_err().to_string();
        assert_eq!(error, "the gap of a session needs to be above 0 ns, got 0");
    }

    #[test]
    fn rows_found_extend_and_join() {
        let mut sessions = sessions(10);
        assert_eq!(sessions.add(&1, 0), joined(0));
        assert_eq!(sessions.add(&1, 9), joined(0));
        assert_eq!(sessions.add(&2, 5), joined(1));
        // A row at the end begins another session.
        assert_eq!(sessions.add(&1, 19), joined(2));
        assert_eq!(sessions.add(&1, 40), joined(3));
        assert_eq!(sessions.add(&1, -9), joined(0));
        assert_eq!(sessions.len(), 4);
        let placement = sessions.add(&1, 12);
        let expected = Placement::Joined {
            session: SessionId(0),
            absorbed: Some(SessionId(2)),
        };
        assert_eq!(placement, expected);
        assert_eq!(sessions.len(), 3);
        check_close(&mut sessions, 14, &[]);
        check_close(&mut sessions, 29, &[(1, 2, 5, 15), (0, 1, -9, 29)]);
        check_close(&mut sessions, i64::MAX, &[(3, 1, 40, 50)]);
        assert_eq!(sessions.len(), 0);
    }

    #[test]
    fn the_session_that_was_founded_first_remains() {
        let mut sessions = sessions(10);
        assert_eq!(sessions.add(&1, 18), joined(0));
        assert_eq!(sessions.add(&1, 0), joined(1));
        let expected = Placement::Joined {
            session: SessionId(0),
            absorbed: Some(SessionId(1)),
        };
        assert_eq!(sessions.add(&1, 9), expected);
        check_close(&mut sessions, 27, &[]);
        check_close(&mut sessions, 28, &[(0, 1, 0, 28)]);
    }

    #[test]
    fn late_rows() {
        let mut sessions = sessions(10);
        sessions.add(&1, 0);
        sessions.add(&1, 12);
        check_close(&mut sessions, 11, &[(0, 1, 0, 10)]);
        assert_eq!(sessions.add(&2, 1), Placement::Late);
        // It is within the gap of the closed session, and of the open one too.
        assert_eq!(sessions.add(&1, 9), Placement::Late);
        // Another key is independent of that.
        assert_eq!(sessions.add(&2, 9), joined(2));
        assert_eq!(sessions.add(&1, 10), joined(1));
        sessions.add(&1, 21);
        check_close(&mut sessions, 25, &[(2, 2, 9, 19)]);
        // It is among the rows of an open session, but too old by itself.
        assert_eq!(sessions.add(&1, 15), Placement::Late);
        assert_eq!(sessions.add(&1, 16), joined(1));
        check_close(&mut sessions, 31, &[(1, 1, 10, 31)]);
        // The watermark does not move back.
        check_close(&mut sessions, 0, &[]);
        assert_eq!(sessions.add(&3, 21), Placement::Late);
    }

    #[test]
    fn ties_close_in_the_order_of_founding() {
        let mut sessions = sessions(10);
        for (key, time) in [(3, 5), (1, 5), (2, 4), (2, 5), (4, 0)] {
            sessions.add(&key, time);
        }
        let expected = [(3, 4, 0, 10), (2, 2, 4, 15), (0, 3, 5, 15), (1, 1, 5, 15)];
        check_close(&mut sessions, 15, &expected);
    }

    #[test]
    fn quiet_keys_are_forgotten() {
        let mut sessions = sessions(10);
        for key in 0..100 {
            sessions.add(&key, 0);
        }
        assert_eq!(sessions.close(10).len(), 100);
        sessions.add(&7, 15);
        assert_eq!(sessions.keys.len(), 100);
        sessions.close(19);
        assert_eq!(sessions.keys.len(), 100);
        sessions.close(20);
        assert_eq!((sessions.keys.len(), sessions.remembered.len()), (1, 0));
        sessions.close(i64::MAX);
        assert_eq!((sessions.keys.len(), sessions.remembered.len()), (0, 0));
        assert_eq!(sessions.add(&7, i64::MAX), Placement::Late);
    }

    #[test]
    fn the_borders_do_not_overflow() {
        let mut sessions = sessions(10);
        assert_eq!(sessions.add(&1, i64::MAX - 10), joined(0));
        assert_eq!(sessions.add(&1, i64::MAX), joined(1));
        assert_eq!(sessions.add(&1, i64::MIN), joined(2));
        assert_eq!(sessions.add(&1, i64::MIN + 9), joined(2));
        assert_eq!(
            sessions.add(&1, i64::MAX - 9),
            Placement::Joined {
                session: SessionId(0),
                absorbed: Some(SessionId(1)),
            }
        );
        check_close(
            &mut sessions,
            i64::MAX - 1,
            &[(2, 1, i64::MIN, i64::MIN + 19)],
        );
        check_close(&mut sessions, i64::MAX, &[(0, 1, i64::MAX - 10, i64::MAX)]);
        let mut sessions = Sessions::new(i64::MAX).unwrap();
        assert_eq!(sessions.add(&1, i64::MIN), joined(0));
        assert_eq!(sessions.add(&1, i64::MAX), joined(1));
        assert_eq!(sessions.add(&1, -2), joined(0));
        // The rows at -2 and at the end are a gap and 2 apart; this one is within the gap of both.
        let both = Placement::Joined {
            session: SessionId(0),
            absorbed: Some(SessionId(1)),
        };
        assert_eq!(sessions.add(&1, 1), both);
    }

    /// Sorts the times and splits them where they are a gap or more apart.
    fn batch(mut times: Vec<i64>, gap: i64) -> Vec<Span> {
        times.sort_unstable();
        let runs = times.chunk_by(|before, after| after - before < gap);
        runs.map(|run| Span {
            start: run[0],
            end: run[run.len() - 1] + gap,
        })
        .collect()
    }

    /// The definition itself: keeps every row and every closed session and sorts again each time.
    struct Naive {
        gap: i64,
        watermark: i64,
        rows: Vec<(u8, i64)>,
        closed: Vec<(u8, Span)>,
    }

    impl Naive {
        fn is_late(&self, key: u8, time: i64) -> bool {
            let mut closed = self.closed.iter().filter(|(of, _)| *of == key);
            time + self.gap <= self.watermark
                || closed.any(|(_, span)| time < span.end && time + self.gap > span.start)
        }

        fn close(&mut self, watermark: i64) -> Vec<(i64, i64, u8)> {
            self.watermark = self.watermark.max(watermark);
            let mut closed = vec![];
            for key in 0..KEYS {
                let times = self.rows.iter().filter(|row| row.0 == key);
                for span in batch(times.map(|row| row.1).collect(), self.gap) {
                    if span.end <= self.watermark {
                        closed.push((span.end, span.start, key));
                        self.closed.push((key, span));
                        let is_of = |row: &(u8, i64)| {
                            row.0 == key && row.1 >= span.start && row.1 < span.end
                        };
                        self.rows.retain(|row| !is_of(row));
                    }
                }
            }
            closed.sort_unstable();
            closed
        }
    }

    const KEYS: u8 = 3;

    #[derive(Debug, Clone, Copy)]
    enum Step {
        Row(u8, i64),
        Close(i64),
    }

    /// Rows and watermarks in random order.
    fn any_steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            5 => (0..KEYS, -60..60i64).prop_map(|(key, time)| Step::Row(key, time)),
            1 => (-60..80i64).prop_map(Step::Close),
        ];
        // Watermarks and rows that roughly follow each other produce more of the relevant cases.
        prop::collection::vec((step, 0..2i64), 0..80).prop_map(|steps| {
            let at = |(number, (step, drift)): (i64, (Step, i64))| match step {
                Step::Row(key, time) => Step::Row(key, time / 2 + number * drift),
                Step::Close(time) => Step::Close(time / 2 + number - 10),
            };
            (0..).zip(steps).map(at).collect()
        })
    }

    proptest! {
        /// Which rows are late, and when and how each session closes, is as in the definition. Each
        /// row is in exactly one session.
        #[test]
        fn sessions_are_those_of_the_definition(gap in 1..12i64, steps in any_steps()) {
            let mut sessions = sessions(gap);
            let mut naive = Naive { gap, watermark: -1000, rows: vec![], closed: vec![] };
            let mut members: HashMap<SessionId, Vec<(u8, i64)>> = HashMap::new();
            for step in steps.into_iter().chain([Step::Close(i64::MAX)]) {
                let watermark = match step {
                    Step::Row(key, time) => {
                        let is_late = naive.is_late(key, time);
                        let placement = sessions.add(&key, time);
                        prop_assert_eq!(placement == Placement::Late, is_late);
                        if let Placement::Joined { session, absorbed } = placement {
                            naive.rows.push((key, time));
                            let moved = absorbed.map(|absorbed| members.remove(&absorbed).unwrap());
                            let rows = members.entry(session).or_default();
                            rows.push((key, time));
                            rows.extend(moved.into_iter().flatten());
                        }
                        prop_assert_eq!(sessions.len(), members.len());
                        continue;
                    }
                    Step::Close(watermark) => watermark,
                };
                let closed = sessions.close(watermark);
                let order: Vec<_> = closed.iter().map(|one| (one.span.end, one.span.start, one.session)).collect();
                prop_assert!(order.is_sorted());
                for one in &closed {
                    let rows = members.remove(&one.session).unwrap();
                    prop_assert!(rows.iter().all(|row| row.0 == one.key));
                    let times = rows.into_iter().map(|row| row.1).collect();
                    prop_assert_eq!(batch(times, gap), vec![one.span]);
                    let overlaps = |span: Span| span.start < one.span.end && one.span.start < span.end;
                    let before = naive.closed.iter().filter(|of| of.0 == one.key);
                    prop_assert!(!before.into_iter().any(|of| overlaps(of.1)));
                }
                let mut closed: Vec<_> = closed.iter().map(|one| (one.span.end, one.span.start, one.key)).collect();
                closed.sort_unstable();
                prop_assert_eq!(closed, naive.close(watermark));
                let memory = sessions.len() + sessions.remembered.len();
                prop_assert!(sessions.keys.len() <= memory);
                prop_assert!(sessions.remembered.iter().all(|of| of.0 > sessions.watermark.saturating_sub(gap)));
            }
            prop_assert!(members.is_empty() && sessions.keys.is_empty() && sessions.due.is_empty());
        }

        /// Rows that come within the delay of the watermark form the sessions of the sorted rows,
        /// whatever their order.
        #[test]
        fn the_order_of_arrival_within_the_delay_does_not_matter(
            gap in 1..12i64,
            delay in 0..40i64,
            rows in prop::collection::vec((0..KEYS, -150..150i64, 0..1000i64), 0..80),
        ) {
            let mut arriving: Vec<_> = rows.iter().map(|&(key, time, share)| {
                let behind = share * (delay + 1) / 1000;
                (time + behind, key, time)
            }).collect();
            arriving.sort_by_key(|row| row.0);
            let mut sessions = sessions(gap);
            let mut closed = vec![];
            let mut largest = i64::MIN;
            for (_, key, time) in arriving {
                prop_assert!(sessions.add(&key, time) != Placement::Late);
                largest = largest.max(time);
                closed.extend(sessions.close(largest - delay));
            }
            closed.extend(sessions.close(i64::MAX));
            for key in 0..KEYS {
                let of_key = closed.iter().filter(|one| one.key == key);
                let spans: Vec<_> = of_key.map(|one| one.span).collect();
                let times = rows.iter().filter(|row| row.0 == key).map(|row| row.1);
                prop_assert_eq!(spans, batch(times.collect(), gap));
            }
        }

        /// A key gets the same sessions whether or not there are other keys.
        #[test]
        fn keys_do_not_see_each_other(gap in 1..12i64, steps in any_steps()) {
            let run = |keys: std::ops::Range<u8>| {
                let mut sessions = sessions(gap);
                let (mut late, mut closed) = (vec![], vec![]);
                for step in steps.iter().copied().chain([Step::Close(i64::MAX)]) {
                    match step {
                        Step::Row(key, time) if keys.contains(&key) => {
                            if sessions.add(&key, time) == Placement::Late {
                                late.push((key, time));
                            }
                        }
                        Step::Row(..) => {}
                        Step::Close(watermark) => {
                            let now = sessions.close(watermark);
                            closed.extend(now.into_iter().map(|one| (one.key, one.span)));
                        }
                    }
                }
                // Compare each key separately, in its own order.
                late.sort_by_key(|row| row.0);
                closed.sort_by_key(|one| one.0);
                (late, closed)
            };
            let (mut late, mut closed) = (vec![], vec![]);
            for key in 0..KEYS {
                let (late_of_key, closed_of_key) = run(key..key + 1);
                late.extend(late_of_key);
                closed.extend(closed_of_key);
            }
            prop_assert_eq!(run(0..KEYS), (late, closed));
        }

        #[test]
        fn nothing_overflows(
            gap in prop_oneof![1..20i64, i64::MAX - 20..=i64::MAX],
            times in prop::collection::vec(
                prop_oneof![i64::MIN..i64::MIN + 40, -20..20i64, i64::MAX - 40..=i64::MAX],
                0..30,
            ),
            watermark in any::<i64>(),
        ) {
            let mut sessions = sessions(gap);
            for &time in &times {
                prop_assert!(sessions.add(&0, time) != Placement::Late);
            }
            let mut closed = sessions.close(watermark);
            prop_assert!(closed.iter().all(|one| one.span.end <= watermark));
            closed.extend(sessions.close(i64::MAX));
            let mut sorted = times;
            sorted.sort_unstable();
            let runs = sorted.chunk_by(|&before, &after| i128::from(after) - i128::from(before) < i128::from(gap));
            let expected: Vec<_> = runs.map(|run| Span {
                start: run[0],
                end: run[run.len() - 1].saturating_add(gap),
            }).collect();
            let spans: Vec<_> = closed.iter().map(|one| one.span).collect();
            prop_assert_eq!(spans, expected);
        }
    }
}
