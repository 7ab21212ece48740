//! Cuts the rows of a live table into windows, and says which have closed.
//!
//! Told rows and watermarks, it is a state machine: the same steps give the same windows. A row is compared with the
//! watermark as it was before the step of the row.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use datafusion::arrow::array::{Array, UInt32Array};
use datafusion::arrow::compute::{take, take_record_batch};
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::{DataFusionError, Result, plan_datafusion_err};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;

use crate::algorithms::windows::Span;
use crate::algorithms::windows::counts::CountWindows;
use crate::algorithms::windows::hopping::{HoppingWindows, Lateness};
use crate::planner::windows::chain::{Arrived, RowPlan};
use crate::planner::windows::range_notes::{RangeNotes, first_number};
use crate::planner::windows::rows::{Memory, RowStore};
use crate::planner::windows::scan::CurrentWindow;
use crate::planner::windows::session_cut::SessionCutter;
use crate::planner::windows::spec::Cut;
use crate::tables::live::compact::compacted;
use crate::tables::live::counters::{Missed, StreamCounters};
use crate::tables::live::reorder::Reorder;
use crate::tables::live::stream::Timed;

/// What a cutter is made of.
pub(crate) struct CutterParts<'a> {
    pub(crate) cut: &'a Cut,
    /// The columns of the rows that come, and which of those before the bounds they are.
    pub(crate) rows: &'a RowPlan,
    pub(crate) bound_type: &'a DataType,
    /// Whether rows are counted in the order of event time, and not as they are read.
    pub(crate) is_timed: bool,
    pub(crate) buffer_bytes: usize,
    pub(crate) runtime: Arc<RuntimeEnv>,
    pub(crate) metrics: &'a ExecutionPlanMetricsSet,
    pub(crate) counters: Arc<StreamCounters>,
}

/// Cuts rows into windows.
#[derive(Debug)]
pub(crate) enum Cutter {
    Grid(GridCutter),
    Sessions(Box<SessionCutter>),
    Rows(RowCutter),
}

impl Cutter {
    /// A cutter that has seen no row.
    ///
    /// # Errors
    /// When the lengths make no windows; the call was checked before.
    pub(crate) fn new(parts: CutterParts) -> Result<Self> {
        let counters = Arc::clone(&parts.counters);
        let memory = Memory::new(parts.buffer_bytes, &parts.runtime, Arc::clone(&counters));
        let outputs: Arc<[usize]> = parts.rows.outputs.clone().into();
        let schema = Arc::clone(&parts.rows.schema);
        let store = |memory| {
            let (outputs, schema) = (Arc::clone(&outputs), Arc::clone(&schema));
            RowStore::new(
                outputs,
                schema,
                memory,
                Arc::clone(&parts.runtime),
                parts.metrics,
            )
        };
        match parts.cut {
            Cut::Grid { slide, size } => Ok(Self::Grid(GridCutter {
                windows: HoppingWindows::new(*size, *slide).map_err(as_plan_error)?,
                watermark: i64::MIN,
                store: store(memory),
                closing: VecDeque::new(),
                is_handed_out: false,
                counters,
            })),
            Cut::Rows { n_rows } => Ok(Self::Rows(RowCutter {
                windows: CountWindows::new(*n_rows).map_err(as_plan_error)?,
                store: store(memory),
                watermark: i64::MIN,
                order: parts.is_timed.then(|| Reorder::new(parts.buffer_bytes)),
                range: 0,
                n_rows_of_range: 0,
                waiting: VecDeque::new(),
                closing: VecDeque::new(),
                is_handed_out: false,
                counters,
            })),
            Cut::Session { gap, keys } => {
                let cutter = SessionCutter::new(&parts, *gap, keys, memory)?;
                Ok(Self::Sessions(Box::new(cutter)))
            }
        }
    }

    /// Takes rows of this partition of the source that came before the watermark moves again. Those that are in no window are
    /// counted and kept aside. A tumbling or hopping window has its rows in the order of ranges, partitions, and arrival.
    ///
    /// # Errors
    /// When there is no room for them.
    pub(crate) fn add(&mut self, arrived: &Arrived, partition: u64) -> Result<()> {
        match self {
            Self::Grid(cutter) => cutter.add(arrived, partition),
            Self::Sessions(cutter) => cutter.add(arrived),
            Self::Rows(cutter) => cutter.add(arrived),
        }
    }

    /// Goes on where another cutter stopped: rows of ranges with these notes come again, each after
    /// [`Self::begin_range`], and then what is new. Windows that the last of them did not close may lack rows, but never
    /// those that are open behind it.
    pub(crate) fn resume(&mut self, again: &[RangeNotes]) {
        match self {
            Self::Grid(_) => {}
            Self::Sessions(cutter) => {
                let late = again.iter().map(|range| range.late_rows.clone());
                cutter.late_again = late.collect();
            }
            Self::Rows(cutter) => cutter.windows.go_on_at(first_number(again)),
        }
    }

    /// The rows that come now are of this range of the source.
    pub(crate) fn begin_range(&mut self, range: u64) {
        match self {
            Self::Grid(cutter) => cutter.store.begin_range(range),
            Self::Sessions(cutter) => cutter.begin_range(range),
            Self::Rows(cutter) => cutter.begin_range(range),
        }
    }

    /// What is to be written down of the range whose rows have come. Before the watermark moves.
    pub(crate) fn notes(&self) -> RangeNotes {
        match self {
            Self::Grid(_) => RangeNotes::default(),
            Self::Sessions(cutter) => cutter.notes(),
            Self::Rows(cutter) => cutter.notes(),
        }
    }

    /// Whether the range should end, though no window closes: notes on it are at their limit, or rows that wait for the
    /// watermark to move.
    pub(crate) fn ends_range(&self) -> bool {
        match self {
            Self::Grid(_) => false,
            Self::Sessions(cutter) => cutter.ends_range(),
            Self::Rows(cutter) => cutter.ends_range(),
        }
    }

    /// The first range that has rows in open windows, those among them that close.
    pub(crate) fn oldest_range(&self) -> Option<u64> {
        match self {
            Self::Grid(cutter) => cutter.store.oldest_range(),
            Self::Sessions(cutter) => cutter.oldest_range(),
            Self::Rows(cutter) => cutter.oldest_range(),
        }
    }

    /// Whether the windows depend on which of the partitions of a source was read first.
    pub(crate) fn depends_on_order(&self) -> bool {
        !matches!(self, Self::Grid(_))
    }

    /// Whether a window would close at this watermark.
    pub(crate) fn closes_at(&self, watermark: i64) -> bool {
        match self {
            Self::Grid(cutter) => cutter.closes_at(watermark),
            Self::Sessions(cutter) => cutter.closes_at(watermark),
            Self::Rows(cutter) => cutter.closes_at(watermark),
        }
    }

    /// The watermark that closes all open windows. Those of so many rows close by rows alone.
    pub(crate) fn last_end(&self) -> Option<i64> {
        match self {
            Self::Grid(cutter) => {
                let last_pane = cutter.store.panes().last()?;
                Some(cutter.windows.last_end(last_pane))
            }
            Self::Sessions(cutter) => cutter.last_end(),
            Self::Rows(_) => None,
        }
    }

    /// Moves the watermark. What closes is taken by [`Self::next_closed`].
    ///
    /// # Errors
    /// When there is no room for the rows of a window.
    pub(crate) fn advance(&mut self, watermark: i64) -> Result<()> {
        match self {
            Self::Grid(cutter) => cutter.advance(watermark),
            Self::Sessions(cutter) => cutter.advance(watermark)?,
            Self::Rows(cutter) => cutter.advance(watermark)?,
        }
        Ok(())
    }

    /// The next window that has closed. The one before it is forgotten.
    ///
    /// # Errors
    /// When there is no room for its rows.
    pub(crate) fn next_closed(&mut self) -> Result<Option<CurrentWindow>> {
        let closed = match self {
            Self::Grid(cutter) => cutter.next_closed(),
            Self::Sessions(cutter) => cutter.next_closed(),
            Self::Rows(cutter) => cutter.next_closed(),
        };
        Ok(closed)
    }
}

/// Rows that have an order of their own are kept in it.
pub(crate) const IN_ORDER: u64 = 0;

/// An error of the algorithms as DataFusion has it.
pub(crate) fn as_plan_error(error: crate::error::Error) -> DataFusionError {
    plan_datafusion_err!("{error}")
}

/// Keeps these rows aside, as they were read.
pub(crate) fn miss(
    counters: &StreamCounters,
    why: Missed,
    arrived: &Arrived,
    rows: Vec<u32>,
) -> Result<()> {
    if !rows.is_empty() {
        counters.miss(why, compacted(&taken(&arrived.raw, rows)?)?);
    }
    Ok(())
}

/// The rows of a batch, each with its time.
pub(crate) fn times(arrived: &Arrived) -> impl Iterator<Item = (u32, Option<i64>)> {
    (0_u32..).zip(arrived.timed.times.iter())
}

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
    fn add(&mut self, arrived: &Arrived, partition: u64) -> Result<()> {
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

    fn closes_at(&self, watermark: i64) -> bool {
        let panes = self.store.panes();
        watermark > self.watermark
            && !self
                .windows
                .closing(panes, self.watermark, watermark)
                .is_empty()
    }

    fn advance(&mut self, watermark: i64) {
        if watermark > self.watermark {
            let panes = self.store.panes();
            let closing = self.windows.closing(panes, self.watermark, watermark);
            self.closing.extend(closing);
            self.watermark = watermark;
        }
    }

    fn next_closed(&mut self) -> Option<CurrentWindow> {
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

/// These rows; all of them are not copied.
fn taken(rows: &RecordBatch, indices: Vec<u32>) -> Result<RecordBatch> {
    // Arrow's kernel does not know how many rows there are without a column.
    if indices.len() == rows.num_rows() || rows.num_columns() == 0 {
        return Ok(rows.slice(0, indices.len()));
    }
    Ok(take_record_batch(rows, &UInt32Array::from(indices))?)
}

/// Windows of so many rows: by event time as far as the table has one, else as they are read.
#[derive(Debug)]
pub(crate) struct RowCutter {
    windows: CountWindows,
    /// A pane for each window, named by its first row.
    store: RowStore,
    order: Option<Reorder>,
    watermark: i64,
    /// The range of the source from which rows come, and how many of them were on time.
    range: u64,
    n_rows_of_range: u64,
    /// Ranges whose rows may wait for the watermark, each with its last time.
    waiting: VecDeque<(u64, i64)>,
    closing: VecDeque<Span>,
    is_handed_out: bool,
    counters: Arc<StreamCounters>,
}

impl RowCutter {
    fn begin_range(&mut self, range: u64) {
        self.range = range;
        self.n_rows_of_range = 0;
        self.store.begin_range(range);
    }

    fn notes(&self) -> RangeNotes {
        let order = self.order.as_ref();
        RangeNotes {
            n_rows: self.n_rows_of_range,
            n_waiting: order.map_or(0, |order| order.n_rows_upto(i64::MAX)),
            n_numbered: self.windows.n_seen(),
            ..RangeNotes::default()
        }
    }

    fn ends_range(&self) -> bool {
        self.order.as_ref().is_some_and(Reorder::is_half_full)
    }

    fn oldest_range(&self) -> Option<u64> {
        let waiting = self.waiting.iter().map(|(range, _)| *range).min();
        waiting.into_iter().chain(self.store.oldest_range()).min()
    }

    fn closes_at(&self, watermark: i64) -> bool {
        let order = self.order.as_ref();
        let n_coming = order.map_or(0, |order| order.n_rows_upto(watermark));
        let is_end = watermark == i64::MAX && watermark > self.watermark;
        let is_last = is_end && (n_coming > 0 || self.windows.finish().is_some());
        !self.closing.is_empty() || is_last || self.windows.completes_with(n_coming)
    }

    fn add(&mut self, arrived: &Arrived) -> Result<()> {
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

    fn advance(&mut self, watermark: i64) -> Result<()> {
        let is_end = watermark == i64::MAX && watermark > self.watermark;
        self.watermark = self.watermark.max(watermark);
        if let Some(order) = &mut self.order {
            let released = order.release(watermark)?;
            // They may have come in any of the ranges that were waited for.
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

    fn next_closed(&mut self) -> Option<CurrentWindow> {
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
