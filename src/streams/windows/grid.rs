//! Cuts the rows of a live table into tumbling and hopping windows.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use datafusion::common::Result;

use crate::algorithms::windows::Span;
use crate::algorithms::windows::hopping::{HoppingWindows, Lateness};
use crate::streams::counters::{Missed, StreamCounters};
use crate::streams::session_extensions::CurrentWindow;
use crate::streams::windows::parts::{miss, taken, times};
use crate::streams::windows::row_plan::Arrived;
use crate::streams::windows::row_store::RowStore;

/// Tumbling and hopping windows.
#[derive(Debug)]
pub(crate) struct GridCutter {
    windows: HoppingWindows,
    watermark: i64,
    store: RowStore,
    /// The windows that close; the first may have been handed out.
    closing: VecDeque<Span>,
    is_handed_out: bool,
    counters: Arc<StreamCounters>,
}

impl GridCutter {
    /// A cutter that has seen no row.
    ///
    /// # Errors
    /// When no windows can be made of these lengths.
    pub(super) fn new(
        size: i64,
        slide: i64,
        store: RowStore,
        counters: Arc<StreamCounters>,
    ) -> Result<Self> {
        Ok(Self {
            windows: HoppingWindows::new(size, slide)?,
            watermark: i64::MIN,
            store,
            closing: VecDeque::new(),
            is_handed_out: false,
            counters,
        })
    }

    pub(super) fn begin_range(&mut self, range: u64) {
        self.store.begin_range(range);
    }

    pub(super) fn oldest_range(&self) -> Option<u64> {
        self.store.oldest_range()
    }

    pub(super) fn last_end(&self) -> Option<i64> {
        let last_pane = self.store.panes().last()?;
        Some(self.windows.last_end(last_pane))
    }

    pub(super) fn add(&mut self, arrived: &Arrived, partition: u64) -> Result<()> {
        let (mut late, mut without_time) = (vec![], vec![]);
        let mut panes: BTreeMap<i64, Vec<u32>> = BTreeMap::new();
        for (row, time) in times(arrived) {
            let Some(time) = time else {
                without_time.push(row);
                continue;
            };
            let lateness = self.windows.lateness(time, self.watermark);
            if lateness != Lateness::OnTime {
                late.push(row);
            }
            if lateness != Lateness::Late {
                let pane = self.windows.pane(time);
                panes.entry(pane).or_default().push(row);
            }
        }
        miss(&self.counters, Missed::Late, arrived, late)?;
        miss(&self.counters, Missed::NoTime, arrived, without_time)?;
        for (pane, rows) in panes {
            let rows = taken(&arrived.timed.rows, rows)?;
            self.store.put(pane, &rows, partition)?;
        }
        self.count_open();
        Ok(())
    }

    pub(super) fn closes_at(&self, watermark: i64) -> bool {
        let panes = self.store.panes();
        watermark > self.watermark
            && !self
                .windows
                .closing(panes, self.watermark, watermark)
                .is_empty()
    }

    pub(super) fn advance(&mut self, watermark: i64) {
        if watermark > self.watermark {
            let panes = self.store.panes();
            let closing = self.windows.closing(panes, self.watermark, watermark);
            self.closing.extend(closing);
            self.watermark = watermark;
        }
    }

    pub(super) fn next_closed(&mut self) -> Option<CurrentWindow> {
        if self.is_handed_out
            && let Some(done) = self.closing.pop_front()
        {
            self.forget(done);
        }
        let span = self.closing.front().copied();
        self.is_handed_out = span.is_some();
        let span = span?;
        let rows = self.store.rows(self.windows.panes_of(span));
        let closed = &self.counters.closed_windows;
        closed.fetch_add(1, Ordering::Relaxed);
        Some(CurrentWindow {
            span,
            rows: Some(rows),
        })
    }

    /// Drops the panes that are in no later window.
    fn forget(&mut self, done: Span) {
        while let Some(pane) = self.store.first_pane()
            && self.windows.is_expired(pane, done.end)
        {
            self.store.remove(pane);
        }
        self.count_open();
    }

    /// Windows overlap: those that have begun are counted by their panes.
    fn count_open(&self) {
        let n_open = self.store.n_panes() as u64;
        self.counters.open_windows.store(n_open, Ordering::Relaxed);
    }
}
