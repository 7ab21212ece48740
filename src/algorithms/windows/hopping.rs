//! Tumbling and hopping windows: windows of one size, one of which begins at every multiple of the
//! slide.
//!
//! Windows are `[k * slide, k * slide + size)` for every integer `k`, so they begin at the same
//! times on every machine, the Unix epoch among them. They tumble if slide and size are equal;
//! otherwise they overlap and a row belongs to `size / slide` of them. The row is still stored
//! once, in its pane `[k * slide, (k + 1) * slide)`, and a window consists of the panes that it
//! covers: Li et al., "No Pane, No Gain: Efficient Evaluation of Sliding-Window Aggregates over
//! Data Streams" (SIGMOD Record, 2005). In the paper panes hold partial aggregates; here they hold
//! rows, and sizes are multiples of the slide.
//!
//! A window closes when the watermark reaches its end. Windows without rows are never looked at, so
//! a watermark may jump over years.
//!
//! Indices `k` are `i128`: at the limits of `i64` windows begin before the first instant or end
//! after the last one.

use std::ops::RangeInclusive;

use crate::algorithms::windows::Span;
use crate::error::{Error, Result};

/// Windows of one size that begin at every multiple of the slide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HoppingWindows {
    size: i64,
    slide: i64,
}

/// How many windows of a row are already closed when it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lateness {
    /// None is closed.
    OnTime,
    /// Some are closed, but not all: the row counts in those that are open.
    Partly,
    /// All are closed.
    Late,
}

impl HoppingWindows {
    /// Windows of this size at multiples of this slide, in nanoseconds; they tumble if both are
    /// equal.
    ///
    /// A row belongs to `size / slide` windows. That number has no limit here; the caller should
    /// set one.
    ///
    /// # Errors
    /// If the slide is not above 0, or the size is not above 0 or not a multiple of the slide.
    pub(crate) fn new(size: i64, slide: i64) -> Result<Self> {
        if size <= 0 || slide <= 0 {
            let message =
                format!("size and slide of a window need to be above 0 ns, got {size} and {slide}");
            return Err(Error::invalid_option(message));
        }
        if size % slide != 0 {
            let message = format!(
                "the size of a window needs to be a multiple of its slide, got {size} and {slide} ns"
            );
            return Err(Error::invalid_option(message));
        }
        Ok(Self { size, slide })
    }

    /// The start of the pane of this time. It identifies the pane: the pane of a pane's start is
    /// the same pane.
    pub(crate) fn pane(&self, time: i64) -> i64 {
        // The product can leave the range only downwards.
        time.div_euclid(self.slide).saturating_mul(self.slide)
    }

    /// How many windows of this time are closed at this watermark.
    pub(crate) fn lateness(&self, time: i64, watermark: i64) -> Lateness {
        let last = self.index(time);
        let first = last - self.n_panes() + 1;
        if self.end(first) > watermark {
            Lateness::OnTime
        } else if self.end(last) > watermark {
            Lateness::Partly
        } else {
            Lateness::Late
        }
    }

    /// The windows with rows that close when the watermark moves from `from` to `to`, in ascending
    /// order.
    ///
    /// `panes` are the panes that hold rows, in ascending order. At `i64::MAX` all windows are
    /// closed.
    pub(crate) fn closing(
        &self,
        panes: impl IntoIterator<Item = i64>,
        from: i64,
        to: i64,
    ) -> Vec<Span> {
        let last_closing = self.last_closed(to);
        let mut next = self.last_closed(from).saturating_add(1);
        let mut closing = Vec::new();
        for pane in panes {
            let last = self.index(pane);
            let first = next.max(last - self.n_panes() + 1);
            closing.extend((first..=last.min(last_closing)).map(|window| self.window(window)));
            next = next.max(last + 1);
        }
        closing
    }

    /// The starts of the panes of a window, from the first to the last: every start of a pane in
    /// this range belongs to the window.
    pub(crate) fn panes_of(&self, window: Span) -> RangeInclusive<i64> {
        // A start at the first instant may have been clamped; then the end is not.
        let first = match window.start {
            i64::MIN => {
                (i128::from(window.end) - i128::from(self.size)).div_euclid(i128::from(self.slide))
            }
            start => self.index(start),
        };
        let last = first + self.n_panes() - 1;
        let first = saturated(first * i128::from(self.slide));
        // There are no panes after the last one.
        let last = saturated(last * i128::from(self.slide)).min(self.pane(i64::MAX));
        first..=last.max(first)
    }

    /// The end of the last window that has this pane.
    pub(crate) fn last_end(&self, pane: i64) -> i64 {
        self.window(self.index(pane)).end
    }

    /// Whether all windows of this pane are closed at this watermark, so that its rows are no
    /// longer needed.
    pub(crate) fn is_expired(&self, pane: i64, watermark: i64) -> bool {
        self.lateness(pane, watermark) == Lateness::Late
    }

    /// The index of the pane of this time, which is also that of the last window that covers the
    /// time.
    fn index(&self, time: i64) -> i128 {
        i128::from(time.div_euclid(self.slide))
    }

    /// The number of panes of a window, and of windows of a pane.
    fn n_panes(&self) -> i128 {
        i128::from(self.size / self.slide)
    }

    fn end(&self, window: i128) -> i64 {
        saturated(window * i128::from(self.slide) + i128::from(self.size))
    }

    fn window(&self, window: i128) -> Span {
        Span {
            start: saturated(window * i128::from(self.slide)),
            end: self.end(window),
        }
    }

    /// The index of the last window that is closed at this watermark.
    fn last_closed(&self, watermark: i64) -> i128 {
        if watermark == i64::MAX {
            return i128::MAX;
        }
        (i128::from(watermark) - i128::from(self.size)).div_euclid(i128::from(self.slide))
    }
}

fn saturated(time: i128) -> i64 {
    let end = if time < 0 { i64::MIN } else { i64::MAX };
    i64::try_from(time).unwrap_or(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    fn windows(size: i64, slide: i64) -> HoppingWindows {
        HoppingWindows::new(size, slide).unwrap()
    }

    fn span(start: i64, end: i64) -> Span {
        Span { start, end }
    }

    /// All windows of a time, by enumeration, far from the limits of `i64`.
    fn windows_of(windows: HoppingWindows, time: i64) -> Vec<Span> {
        (-100..100)
            .map(|k| span(k * windows.slide, k * windows.slide + windows.size))
            .filter(|window| window.start <= time && time < window.end)
            .collect()
    }

    fn naive_lateness(windows: HoppingWindows, time: i64, watermark: i64) -> Lateness {
        let all = windows_of(windows, time);
        let n_closed = all.iter().filter(|window| window.end <= watermark).count();
        match n_closed {
            0 => Lateness::OnTime,
            n if n < all.len() => Lateness::Partly,
            _ => Lateness::Late,
        }
    }

    #[test]
    fn sizes_and_slides_that_do_not_fit_are_refused() {
        let message = |size, slide| HoppingWindows::new(size, slide).unwrap_err().to_string();
        assert_eq!(
            message(0, 1),
            "size and slide of a window need to be above 0 ns, got 0 and 1"
        );
        assert_eq!(
            message(1, -1),
            "size and slide of a window need to be above 0 ns, got 1 and -1"
        );
        let expected = "the size of a window needs to be a multiple of its slide, got 5 and 2 ns";
        assert_eq!(message(5, 2), expected);
        assert!(HoppingWindows::new(1, 2).is_err());
    }

    #[test]
    fn panes_are_aligned_to_the_epoch() {
        let windows = windows(30, 10);
        for (time, pane) in [(0, 0), (9, 0), (10, 10), (-1, -10), (-10, -10), (-11, -20)] {
            assert_eq!(windows.pane(time), pane, "{time}");
        }
    }

    #[test]
    fn a_row_may_be_late_for_some_windows() {
        let hopping = windows(30, 10);
        for (watermark, lateness) in [
            (i64::MIN, Lateness::OnTime),
            (9, Lateness::OnTime),
            (10, Lateness::Partly),
            (29, Lateness::Partly),
            (30, Lateness::Late),
            (i64::MAX, Lateness::Late),
        ] {
            assert_eq!(hopping.lateness(5, watermark), lateness, "{watermark}");
            let is_late = lateness == Lateness::Late;
            assert_eq!(hopping.is_expired(0, watermark), is_late, "{watermark}");
        }
        assert_eq!(windows(10, 10).lateness(5, 9), Lateness::OnTime);
        assert_eq!(windows(10, 10).lateness(5, 10), Lateness::Late);
    }

    #[test]
    fn windows_close_as_the_watermark_passes() {
        let windows = windows(20, 10);
        let panes = [-10, 10];
        let all = [span(-20, 0), span(-10, 10), span(0, 20), span(10, 30)];
        assert_eq!(windows.closing(panes, i64::MIN, i64::MAX), all);
        assert_eq!(windows.closing(panes, 0, 20), all[1..3]);
        assert_eq!(windows.closing(panes, -1, 0), all[..1]);
        assert_eq!(windows.closing(panes, 5, 5), []);
        assert_eq!(windows.closing(panes, 30, 0), []);
        assert_eq!(windows.closing(panes, i64::MAX, i64::MAX), []);
    }

    #[test]
    fn windows_without_rows_cost_nothing() {
        let windows = windows(20, 10);
        let far = windows.pane(i64::MAX / 2);
        let closing = windows.closing([0, far], i64::MIN, i64::MAX);
        let expected = [
            span(-10, 10),
            span(0, 20),
            span(far - 10, far + 10),
            span(far, far + 20),
        ];
        assert_eq!(closing, expected);
    }

    #[test]
    fn a_window_of_many_slides_costs_what_closes() {
        let windows = windows(i64::MAX, 1);
        assert_eq!(
            windows.closing([0], 0, 2),
            [span(1 - i64::MAX, 1), span(2 - i64::MAX, 2)]
        );
        assert_eq!(windows.lateness(0, 1), Lateness::Partly);
    }

    #[test]
    fn windows_are_cut_off_at_the_borders() {
        let hopping = windows(20, 10);
        // -9223372036854775808 is in the pane that begins 2 before it.
        assert_eq!(hopping.pane(i64::MIN), i64::MIN);
        let closing = hopping.closing([i64::MIN], i64::MIN, i64::MAX);
        assert_eq!(
            closing,
            [span(i64::MIN, i64::MIN + 8), span(i64::MIN, i64::MIN + 18)]
        );
        assert_eq!(hopping.panes_of(closing[0]), i64::MIN..=i64::MIN);
        assert_eq!(hopping.panes_of(closing[1]), i64::MIN..=i64::MIN + 8);
        let last = i64::MAX - 7;
        assert_eq!(hopping.pane(i64::MAX), last);
        let closing = hopping.closing([last], i64::MAX - 1, i64::MAX);
        assert_eq!(closing, [span(last - 10, i64::MAX), span(last, i64::MAX)]);
        assert_eq!(hopping.panes_of(closing[0]), last - 10..=last);
        assert_eq!(hopping.panes_of(closing[1]), last..=last);
        assert_eq!(hopping.lateness(i64::MAX, i64::MAX - 1), Lateness::OnTime);
        // No window is shorter, and the last instant has its own window.
        let windows = windows(1, 1);
        let closing = windows.closing([i64::MAX], i64::MAX - 1, i64::MAX);
        assert_eq!(closing, [span(i64::MAX, i64::MAX)]);
        assert_eq!(windows.panes_of(closing[0]), i64::MAX..=i64::MAX);
    }

    fn any_windows() -> impl Strategy<Value = HoppingWindows> {
        (1..6i64, 1..5i64).prop_map(|(slide, n_panes)| windows(slide * n_panes, slide))
    }

    /// Times and numbers at the limits of `i64` and in between.
    fn any_extreme() -> impl Strategy<Value = i64> {
        prop_oneof![
            any::<i64>(),
            i64::MIN..i64::MIN + 20,
            -20..20i64,
            i64::MAX - 20..=i64::MAX,
        ]
    }

    proptest! {
        #[test]
        fn every_time_is_in_its_windows(
            windows in any_windows(),
            time in -40..40i64,
            watermark in -60..60i64,
        ) {
            let all = windows_of(windows, time);
            let n_panes = usize::try_from(windows.n_panes()).unwrap();
            prop_assert_eq!(all.len(), n_panes);
            let pane = windows.pane(time);
            prop_assert!(pane <= time && time < pane + windows.slide);
            for window in &all {
                let panes = windows.panes_of(*window);
                prop_assert_eq!(*panes.start(), window.start);
                prop_assert_eq!(*panes.end(), window.end - windows.slide);
                prop_assert!(panes.contains(&pane));
            }
            prop_assert_eq!(windows.closing([pane], i64::MIN, i64::MAX), all);
            let lateness = naive_lateness(windows, time, watermark);
            prop_assert_eq!(windows.lateness(time, watermark), lateness);
            prop_assert_eq!(windows.is_expired(pane, watermark), lateness == Lateness::Late);
        }

        /// Rows and watermarks come in any order: each window closes once, with the rows that came
        /// in time.
        #[test]
        fn windows_close_once_with_their_rows(
            windows in any_windows(),
            steps in prop::collection::vec((prop::bool::weighted(0.7), -40..40i64), 0..60),
        ) {
            let mut panes: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
            let mut expected: BTreeMap<Span, BTreeSet<usize>> = BTreeMap::new();
            let mut closed: BTreeMap<Span, BTreeSet<usize>> = BTreeMap::new();
            let mut watermark = i64::MIN;
            let last_step = (false, i64::MAX);
            for (row, (is_row, time)) in steps.into_iter().chain([last_step]).enumerate() {
                if is_row {
                    for window in windows_of(windows, time) {
                        if window.end > watermark {
                            expected.entry(window).or_default().insert(row);
                        }
                    }
                    if windows.lateness(time, watermark) != Lateness::Late {
                        panes.entry(windows.pane(time)).or_default().push(row);
                    }
                    continue;
                }
                let to = time.max(watermark);
                let closing = windows.closing(panes.keys().copied(), watermark, to);
                prop_assert!(closing.is_sorted_by(|a, b| a.start < b.start));
                for window in closing {
                    prop_assert!(window.end > watermark && window.end <= to);
                    let rows = panes.range(windows.panes_of(window)).flat_map(|(_, rows)| rows);
                    prop_assert!(closed.insert(window, rows.copied().collect()).is_none());
                }
                watermark = to;
                panes.retain(|&pane, _| !windows.is_expired(pane, watermark));
            }
            prop_assert!(panes.is_empty());
            prop_assert_eq!(closed, expected);
        }

        /// Compares with arithmetic in `i128`, where nothing is clamped.
        #[test]
        fn nothing_overflows(
            slide in prop_oneof![1..1000i64, i64::MAX - 5..=i64::MAX, 1..=i64::MAX],
            n_panes in 1..5i64,
            times in prop::collection::btree_set(any_extreme(), 0..5),
            from in any_extreme(),
            to in any_extreme(),
        ) {
            let n_panes = n_panes.min(i64::MAX / slide);
            let windows = windows(slide * n_panes, slide);
            let (wide_slide, wide_size) = (i128::from(slide), i128::from(windows.size));
            let mut expected = BTreeSet::new();
            for &time in &times {
                let wide = i128::from(time);
                let mut n_closed = 0;
                for back in 0..n_panes {
                    let start = (wide.div_euclid(wide_slide) - i128::from(back)) * wide_slide;
                    prop_assert!(start <= wide && wide < start + wide_size);
                    let window = span(saturated(start), saturated(start + wide_size));
                    n_closed += i64::from(window.end <= from);
                    if window.end > from && window.end <= to {
                        prop_assert!(windows.panes_of(window).contains(&windows.pane(time)));
                        expected.insert(window);
                    }
                }
                let lateness = windows.lateness(time, from);
                prop_assert_eq!(lateness == Lateness::OnTime, n_closed == 0);
                prop_assert_eq!(lateness == Lateness::Late, n_closed == n_panes);
                let pane = windows.pane(time);
                prop_assert!(pane <= time);
                prop_assert_eq!(windows.pane(pane), pane);
            }
            let panes: BTreeSet<i64> = times.iter().map(|&time| windows.pane(time)).collect();
            let closing = windows.closing(panes, from, to);
            prop_assert!(closing.is_sorted());
            prop_assert_eq!(closing, expected.into_iter().collect::<Vec<_>>());
        }
    }
}
