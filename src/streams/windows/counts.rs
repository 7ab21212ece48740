//! Cuts the rows of a live table into windows of a fixed number of rows.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use datafusion::arrow::array::{Array, UInt32Array};
use datafusion::arrow::compute::take;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::Result;

use crate::algorithms::windows::Span;
use crate::algorithms::windows::counts::CountWindows;
use crate::streams::counters::{Missed, StreamCounters};
use crate::streams::reorder::Reorder;
use crate::streams::session_extensions::CurrentWindow;
use crate::streams::stream::Timed;
use crate::streams::windows::parts::{IN_ORDER, miss, taken, times};
use crate::streams::windows::range_notes::{RangeNotes, first_number};
use crate::streams::windows::row_plan::Arrived;
use crate::streams::windows::row_store::RowStore;

/// Windows of a fixed number of rows, in the order of event time if the table has one, otherwise as
/// they are read.
#[derive(Debug)]
pub(crate) struct CountCutter {
    windows: CountWindows,
    /// A pane for each window, identified by the number of its first row.
    store: RowStore,
    order: Option<Reorder>,
    watermark: i64,
    /// The range of the source from which rows come, and the number of its rows that were on time.
    range: u64,
    n_rows_of_range: u64,
    /// Ranges whose rows may wait for the watermark, each with its largest event time.
    waiting: VecDeque<(u64, i64)>,
    closing: VecDeque<Span>,
    is_handed_out: bool,
    counters: Arc<StreamCounters>,
}

impl CountCutter {
    /// A cutter that has seen no row; with `order`, rows are counted in the order of event time.
    ///
    /// # Errors
    /// When windows would have no rows.
    pub(super) fn new(
        n_rows: u64,
        order: Option<Reorder>,
        store: RowStore,
        counters: Arc<StreamCounters>,
    ) -> Result<Self> {
        Ok(Self {
            windows: CountWindows::new(n_rows)?,
            store,
            order,
            watermark: i64::MIN,
            range: 0,
            n_rows_of_range: 0,
            waiting: VecDeque::new(),
            closing: VecDeque::new(),
            is_handed_out: false,
            counters,
        })
    }

    pub(super) fn resume(&mut self, again: &[RangeNotes]) {
        self.windows.go_on_at(first_number(again));
    }

    pub(super) fn begin_range(&mut self, range: u64) {
        self.range = range;
        self.n_rows_of_range = 0;
        self.store.begin_range(range);
    }

    pub(super) fn notes(&self) -> RangeNotes {
        let order = self.order.as_ref();
        RangeNotes {
            n_rows: self.n_rows_of_range,
            n_waiting: order.map_or(0, |order| order.n_rows_upto(i64::MAX)),
            n_numbered: self.windows.n_seen(),
            ..RangeNotes::default()
        }
    }

    pub(super) fn ends_range(&self) -> bool {
        self.order.as_ref().is_some_and(Reorder::is_half_full)
    }

    pub(super) fn oldest_range(&self) -> Option<u64> {
        let waiting = self.waiting.iter().map(|(range, _)| *range).min();
        waiting.into_iter().chain(self.store.oldest_range()).min()
    }

    pub(super) fn closes_at(&self, watermark: i64) -> bool {
        let order = self.order.as_ref();
        let n_coming = order.map_or(0, |order| order.n_rows_upto(watermark));
        let is_end = watermark == i64::MAX && watermark > self.watermark;
        let is_last = is_end && (n_coming > 0 || self.windows.finish().is_some());
        !self.closing.is_empty() || is_last || self.windows.completes_with(n_coming)
    }

    pub(super) fn add(&mut self, arrived: &Arrived) -> Result<()> {
        let Some(order) = &mut self.order else {
            self.n_rows_of_range += arrived.timed.rows.num_rows() as u64;
            return self.push(&arrived.timed.rows);
        };
        let (mut late, mut without_time, mut kept) = (vec![], vec![], vec![]);
        for (row, time) in times(arrived) {
            match time {
                None => without_time.push(row),
                Some(time) if time < self.watermark => late.push(row),
                Some(_) => kept.push(row),
            }
        }
        let times = &arrived.timed.times;
        let in_order = Timed {
            times: take(times, &UInt32Array::from(kept.clone()), None)?
                .to_data()
                .into(),
            rows: taken(&arrived.timed.rows, kept)?,
        };
        miss(&self.counters, Missed::Late, arrived, late)?;
        miss(&self.counters, Missed::NoTime, arrived, without_time)?;
        self.n_rows_of_range += in_order.times.len() as u64;
        if let Some(last) = datafusion::arrow::compute::max(&in_order.times) {
            match self.waiting.back_mut() {
                Some((range, end)) if *range == self.range => *end = last.max(*end),
                _ => self.waiting.push_back((self.range, last)),
            }
        }
        order.push(in_order, &self.counters)
    }

    pub(super) fn advance(&mut self, watermark: i64) -> Result<()> {
        let is_end = watermark == i64::MAX && watermark > self.watermark;
        self.watermark = self.watermark.max(watermark);
        if let Some(order) = &mut self.order {
            let released = order.release(watermark)?;
            // They may have come in any of the ranges that were waiting.
            let waited = self.waiting.iter().map(|(range, _)| *range).min();
            self.store.begin_range(waited.unwrap_or(self.range));
            for timed in released {
                self.push(&timed.rows)?;
            }
            self.store.begin_range(self.range);
        }
        self.waiting.retain(|(_, last)| *last > watermark);
        if is_end && let Some(last) = self.windows.finish() {
            self.closing.push_back(last);
        }
        Ok(())
    }

    fn push(&mut self, rows: &RecordBatch) -> Result<()> {
        let mut from = 0;
        for piece in self.windows.push(rows.num_rows() as u64) {
            let n_rows = usize::try_from(piece.n_rows).unwrap_or(usize::MAX);
            let indices = (0_u32..).skip(from).take(n_rows).collect();
            let rows = taken(rows, indices)?;
            self.store.put(piece.window.start, &rows, IN_ORDER)?;
            from += n_rows;
            if piece.is_complete {
                self.closing.push_back(piece.window);
            }
        }
        self.count_open();
        Ok(())
    }

    pub(super) fn next_closed(&mut self) -> Option<CurrentWindow> {
        if self.is_handed_out
            && let Some(done) = self.closing.pop_front()
        {
            self.store.remove(done.start);
            self.count_open();
        }
        let span = self.closing.front().copied();
        self.is_handed_out = span.is_some();
        let span = span?;
        let rows = self.store.rows(span.start..=span.start);
        let closed = &self.counters.closed_windows;
        closed.fetch_add(1, Ordering::Relaxed);
        Some(CurrentWindow {
            span,
            rows: Some(rows),
        })
    }

    fn count_open(&self) {
        let n_open = self.store.n_panes() as u64;
        self.counters.open_windows.store(n_open, Ordering::Relaxed);
    }
}
