//! The watermark: the event time below which no more rows are expected.
//!
//! Rows come from several partitions, such as files, each roughly in the order of its event times.
//! A partition has reached its largest event time less an allowed delay; the watermark is the
//! smallest of these, and it never moves back. This is the watermark of Akidau et al., "The
//! Dataflow Model" (VLDB 2015), as a heuristic: a row may still come below it and is then late. A
//! partition without news would hold it back for ever, so an idle one does not count, as with idle
//! sources in Apache Flink (`WatermarkStrategy.withIdleness`). This implementation differs in three
//! ways:
//!
//! - A partition is idle if everything in it was read and nothing was written for a while. The time
//!   of the last read says nothing: a reader may be slow. A partition that was opened and not yet
//!   read holds the watermark where it is.
//! - When all partitions are idle or closed, the watermark continues with the clock, from the
//!   largest event time as of the last activity, so that the last window closes even if no row ever
//!   comes again. With live rows that is about the present less the delay; with rows from years ago
//!   it is a clock of their time and does not jump to the present.
//! - An event time in the future counts as the present plus an allowed skew, evaluated at each
//!   advance: one wrong clock does not make the rows of all others late, and its own rows are
//!   waited for until their time comes.
//!
//! When an idle partition wakes up, the watermark stays where it is and waits for the partition
//! again: rows that it brings from before are late.

use std::collections::HashMap;

/// How the watermark follows the rows; all fields are nanoseconds and at least 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WatermarkOptions {
    /// How much older than the newest row of its partition a row may be.
    pub(crate) delay: i64,
    /// How long nothing must have been written to a partition for it to be idle.
    pub(crate) idle_timeout: i64,
    /// How far ahead of the clock an event time may be and still count as it is.
    pub(crate) max_skew: i64,
}

/// The event time below which no more rows are expected. Its memory grows only with the open
/// partitions.
#[derive(Debug, Clone)]
pub(crate) struct Watermark {
    options: WatermarkOptions,
    /// The open partitions.
    partitions: HashMap<u64, Partition>,
    /// What was seen in all partitions, including closed ones; `None` before the first row.
    seen: Option<Seen>,
    current: i64,
}

#[derive(Debug, Clone, Default)]
struct Partition {
    /// The largest event time; `None` before the first row.
    largest: Option<i64>,
    /// The time since which nothing was written; `None` while there is more to read.
    quiet_since: Option<i64>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    largest: i64,
    /// When a partition that has rows was last read successfully, or written.
    last_active: i64,
}

impl Watermark {
    /// Creates a watermark at `i64::MIN`, without partitions.
    pub(crate) fn new(options: WatermarkOptions) -> Self {
        Self {
            options,
            partitions: HashMap::new(),
            seen: None,
            current: i64::MIN,
        }
    }

    /// Opens a partition. Until it is read, or caught up and idle, or closed, nothing is known
    /// about it and the watermark stays where it is. Opening an open partition changes nothing.
    pub(crate) fn open(&mut self, partition: u64) {
        self.partitions.entry(partition).or_default();
    }

    /// Records that rows were read at the time `now`, and the largest of their event times. This
    /// opens the partition if necessary; it counts as behind until `caught_up` is called.
    pub(crate) fn observe(&mut self, partition: u64, largest_event_time: i64, now: i64) {
        let partition = self.partitions.entry(partition).or_default();
        partition.largest = partition.largest.max(Some(largest_event_time));
        partition.quiet_since = None;
        self.saw(largest_event_time, now);
    }

    /// Records that everything in the partition was read, and that nothing was written to it since
    /// this time. It may be called at each poll; for a partition that is not open it changes
    /// nothing.
    pub(crate) fn caught_up(&mut self, partition: u64, quiet_since: i64) {
        let Some(partition) = self.partitions.get_mut(&partition) else {
            return;
        };
        partition.quiet_since = Some(quiet_since);
        // An empty partition has no event time from which the clock could continue; empty files
        // must not stop the clock.
        if let Some(largest) = partition.largest {
            self.saw(largest, quiet_since);
        }
    }

    /// Records that the partition has more to read, so that it is not idle, however old the rest
    /// is. For a partition that is not open it changes nothing.
    pub(crate) fn behind(&mut self, partition: u64) {
        if let Some(partition) = self.partitions.get_mut(&partition) {
            partition.quiet_since = None;
        }
    }

    /// Closes a partition: it will have no more rows, so the watermark no longer waits for it.
    pub(crate) fn close(&mut self, partition: u64) {
        self.partitions.remove(&partition);
    }

    /// Returns the watermark at the time `now`: never smaller than before, and `i64::MIN` as long
    /// as nothing is known.
    pub(crate) fn advance(&mut self, now: i64) -> i64 {
        let reached = self.slowest(now).unwrap_or_else(|| self.by_clock(now));
        if let Some(event_time) = reached {
            let believed = event_time.min(now.saturating_add(self.options.max_skew));
            let watermark = believed.saturating_sub(self.options.delay);
            self.current = self.current.max(watermark);
        }
        self.current
    }

    /// Raises the watermark to what an earlier process had reached: it does not move back below
    /// that.
    pub(crate) fn raise(&mut self, watermark: i64) {
        self.current = self.current.max(watermark);
    }

    /// Whether all partitions are idle or closed at the time `now`, so that the watermark follows
    /// the clock.
    pub(crate) fn is_idle(&self, now: i64) -> bool {
        self.slowest(now).is_none()
    }

    /// Ends the stream: no more rows will come, and from now on the watermark is `i64::MAX`.
    pub(crate) fn end(&mut self) {
        self.current = i64::MAX;
    }

    /// The last watermark.
    pub(crate) fn current(&self) -> i64 {
        self.current
    }

    fn saw(&mut self, largest: i64, active: i64) {
        let seen = self.seen.get_or_insert(Seen {
            largest,
            last_active: active,
        });
        seen.largest = seen.largest.max(largest);
        seen.last_active = seen.last_active.max(active);
    }

    /// The smallest event time that the counting partitions have reached: `Some(None)` if that of
    /// one partition is unknown, `None` if no partition counts.
    fn slowest(&self, now: i64) -> Option<Option<i64>> {
        let counting = self.partitions.values().filter(|partition| {
            let quiet = partition.quiet_since.map(|since| now.saturating_sub(since));
            quiet.is_none_or(|quiet| quiet < self.options.idle_timeout)
        });
        counting.map(|partition| partition.largest).min()
    }

    /// The largest event time, moved on with the clock since the last activity.
    fn by_clock(&self, now: i64) -> Option<i64> {
        self.seen.map(|seen| {
            let since = now.saturating_sub(seen.last_active).max(0);
            seen.largest.saturating_add(since)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OPTIONS: WatermarkOptions = WatermarkOptions {
        delay: 5,
        idle_timeout: 20,
        max_skew: 10,
    };

    fn watermark() -> Watermark {
        Watermark::new(OPTIONS)
    }

    #[test]
    fn the_slowest_partition_holds_back() {
        let mut watermark = watermark();
        assert_eq!(watermark.advance(1000), i64::MIN);
        watermark.open(1);
        watermark.open(2);
        watermark.observe(1, 1000, 1000);
        assert_eq!(watermark.advance(1000), i64::MIN);
        watermark.observe(2, 900, 1000);
        assert_eq!(watermark.advance(1000), 895);
        watermark.observe(2, 950, 1010);
        // Older rows change nothing.
        watermark.observe(2, 920, 1010);
        assert_eq!(watermark.advance(1010), 945);
        watermark.close(2);
        assert_eq!(watermark.advance(1010), 995);
        assert_eq!(watermark.current(), 995);
    }

    #[test]
    fn a_partition_without_rows_holds_back_until_it_is_idle() {
        let mut watermark = watermark();
        watermark.open(1);
        watermark.observe(1, 1000, 1000);
        watermark.open(2);
        watermark.caught_up(2, 990);
        assert_eq!(watermark.advance(1009), i64::MIN);
        assert_eq!(watermark.advance(1010), 995);
        watermark.behind(2);
        watermark.observe(1, 1010, 1010);
        assert_eq!(watermark.advance(1020), 995);
        watermark.close(2);
        assert_eq!(watermark.advance(1020), 1005);
    }

    #[test]
    fn a_partition_that_is_behind_is_not_idle() {
        let mut watermark = watermark();
        watermark.observe(1, 1000, 1000);
        assert_eq!(watermark.advance(9000), 995);
        watermark.caught_up(1, 1000);
        watermark.behind(1);
        assert_eq!(watermark.advance(9000), 995);
        // Reading rows has the same effect.
        watermark.caught_up(1, 1000);
        watermark.observe(1, 999, 1000);
        assert_eq!(watermark.advance(9000), 995);
    }

    #[test]
    fn the_clock_goes_on_when_all_are_idle() {
        let mut watermark = watermark();
        watermark.observe(1, 1000, 1002);
        watermark.caught_up(1, 1001);
        assert_eq!(watermark.advance(1020), 995);
        assert_eq!(watermark.advance(1021), 1014);
        assert_eq!(watermark.advance(2002), 1995);
        // It wakes up: the watermark does not move back, and does not move on until the partition
        // has caught up with it.
        watermark.observe(1, 1900, 2010);
        assert_eq!(watermark.advance(2010), 1995);
        watermark.observe(1, 2011, 2011);
        assert_eq!(watermark.advance(2011), 2006);
    }

    #[test]
    fn old_rows_have_a_clock_of_their_own() {
        let mut watermark = watermark();
        watermark.open(1);
        watermark.open(2);
        // Written at 500, read at 9000.
        watermark.observe(1, -700, 9000);
        watermark.caught_up(1, 500);
        watermark.observe(2, -900, 9003);
        watermark.caught_up(2, 500);
        assert_eq!(watermark.advance(9003), -705);
        assert_eq!(watermark.advance(9100), -705 + 97);
        watermark.close(1);
        watermark.close(2);
        assert_eq!(watermark.advance(9200), -705 + 197);
    }

    #[test]
    fn it_goes_on_where_an_earlier_one_was() {
        let mut watermark = watermark();
        assert!(watermark.is_idle(1000));
        watermark.observe(1, 1000, 1000);
        watermark.raise(1500);
        watermark.raise(1400);
        assert_eq!(watermark.current(), 1500);
        assert_eq!(watermark.advance(1000), 1500);
        watermark.caught_up(1, 1000);
        assert!(!watermark.is_idle(1019));
        assert!(watermark.is_idle(1020));
        assert_eq!(watermark.advance(1600), 1595);
    }

    #[test]
    fn empty_partitions_do_not_stop_the_clock() {
        let mut watermark = watermark();
        watermark.observe(1, 1000, 1000);
        watermark.caught_up(1, 1000);
        watermark.open(2);
        watermark.caught_up(2, 3000);
        assert_eq!(watermark.advance(3019), i64::MIN);
        assert_eq!(watermark.advance(3020), 3015);
    }

    #[test]
    fn nothing_known_is_nothing_passed() {
        let mut watermark = watermark();
        watermark.open(1);
        watermark.caught_up(1, 0);
        assert_eq!(watermark.advance(9000), i64::MIN);
        watermark.close(1);
        watermark.close(2);
        watermark.caught_up(1, 0);
        watermark.behind(1);
        assert_eq!(watermark.advance(9000), i64::MIN);
        watermark.end();
        assert_eq!(watermark.advance(0), i64::MAX);
    }

    #[test]
    fn a_time_in_the_future_is_believed_as_it_comes() {
        let mut watermark = watermark();
        watermark.observe(1, 5000, 1000);
        assert_eq!(watermark.advance(1000), 1005);
        assert_eq!(watermark.advance(2000), 2005);
        assert_eq!(watermark.advance(6000), 4995);
        watermark.caught_up(1, 6000);
        assert_eq!(watermark.advance(6020), 5015);
    }

    #[test]
    fn extremes_do_not_overflow() {
        let extremes = [i64::MIN, -1, 0, 1, i64::MAX];
        let largest_options = WatermarkOptions {
            delay: i64::MAX,
            idle_timeout: i64::MAX,
            max_skew: i64::MAX,
        };
        for options in [OPTIONS, largest_options] {
            for event_time in extremes {
                for written in extremes {
                    let mut watermark = Watermark::new(options);
                    watermark.observe(1, event_time, written);
                    for now in extremes {
                        watermark.advance(now);
                        watermark.caught_up(1, written);
                        watermark.advance(now);
                    }
                    watermark.close(1);
                    watermark.advance(i64::MAX);
                }
            }
        }
    }

    #[derive(Debug, Clone, Copy)]
    enum Call {
        Open,
        /// The event time, relative to now.
        Observe(i64),
        /// How long ago the partition became quiet.
        CaughtUp(i64),
        Behind,
        Close,
    }

    fn any_call() -> impl Strategy<Value = Call> {
        prop_oneof![
            1 => Just(Call::Open),
            6 => (-60..40i64).prop_map(Call::Observe),
            4 => (-5..60i64).prop_map(Call::CaughtUp),
            1 => Just(Call::Behind),
            1 => Just(Call::Close),
        ]
    }

    fn call(watermark: &mut Watermark, partition: u64, call: Call, now: i64) {
        match call {
            Call::Open => watermark.open(partition),
            Call::Observe(ahead) => watermark.observe(partition, now + ahead, now),
            Call::CaughtUp(ago) => watermark.caught_up(partition, now - ago),
            Call::Behind => watermark.behind(partition),
            Call::Close => watermark.close(partition),
        }
    }

    /// How far the clock moves on, and what is then called for partitions 0 to 2.
    fn any_calls() -> impl Strategy<Value = Vec<(i64, Vec<(u64, Call)>)>> {
        let instant = prop::collection::vec((0..3u64, any_call()), 0..6);
        prop::collection::vec((-2..15i64, instant), 0..30)
    }

    proptest! {
        #[test]
        fn it_never_goes_back_and_never_far_ahead(calls in any_calls(), start in -500..500i64) {
            let mut watermark = watermark();
            let (mut now, mut latest, mut last) = (start, start, i64::MIN);
            for (step, instant) in calls {
                now += step;
                latest = latest.max(now);
                for (partition, what) in instant {
                    call(&mut watermark, partition, what, now);
                    let next = watermark.advance(now);
                    prop_assert!(next >= last);
                    prop_assert!(next <= latest + OPTIONS.max_skew - OPTIONS.delay);
                    prop_assert_eq!(watermark.current(), next);
                    last = next;
                }
            }
        }

        #[test]
        fn the_order_of_partitions_within_an_instant_does_not_matter(calls in any_calls()) {
            let (mut one, mut other) = (watermark(), watermark());
            let mut now = 0;
            for (step, mut instant) in calls {
                now += step;
                for &(partition, what) in &instant {
                    call(&mut one, partition, what, now);
                }
                // Calls for one partition stay in their order.
                instant.sort_by_key(|&(partition, _)| std::cmp::Reverse(partition));
                for (partition, what) in instant {
                    call(&mut other, partition, what, now);
                }
                prop_assert_eq!(one.advance(now), other.advance(now));
            }
        }

        /// In a partition that is open from the start and never idle, no row within the delay is
        /// late, whatever other partitions do.
        #[test]
        fn rows_within_the_delay_are_not_late(calls in any_calls()) {
            let mut watermark = watermark();
            watermark.open(7);
            let (mut now, mut largest) = (0, i64::MIN);
            for (step, instant) in calls {
                now += step;
                for (partition, what) in instant {
                    if partition > 0 {
                        call(&mut watermark, partition, what, now);
                    } else if let Call::Observe(ahead) = what {
                        call(&mut watermark, 7, what, now);
                        largest = largest.max(now + ahead);
                    } else if let Call::CaughtUp(ago) = what {
                        call(&mut watermark, 7, Call::CaughtUp(ago.min(OPTIONS.idle_timeout - 1)), now);
                    }
                    let oldest_allowed = largest.saturating_sub(OPTIONS.delay);
                    prop_assert!(watermark.advance(now) <= oldest_allowed);
                }
                watermark.behind(7);
            }
        }

        /// Once everything is quiet, the clock passes every time, at its own pace.
        #[test]
        fn after_idle_for_long_enough_every_time_is_passed(calls in any_calls(), times in 1..1000i64) {
            let mut watermark = watermark();
            let mut now = 0;
            for (step, instant) in calls {
                now += step;
                for (partition, what) in instant {
                    call(&mut watermark, partition, what, now);
                }
                watermark.advance(now);
            }
            for partition in 0..3 {
                watermark.observe(partition, -times, now);
                watermark.caught_up(partition, now);
            }
            let before = watermark.advance(now);
            let seen = watermark.seen.unwrap();
            let idle = seen.last_active.max(now) + OPTIONS.idle_timeout;
            for later in [idle, idle + 10, idle + 2000] {
                let expected = seen.largest + (later - seen.last_active);
                let expected = expected.min(later + OPTIONS.max_skew) - OPTIONS.delay;
                prop_assert_eq!(watermark.advance(later), expected.max(before));
            }
            prop_assert!(watermark.advance(idle + 2000) > seen.largest);
        }
    }
}
