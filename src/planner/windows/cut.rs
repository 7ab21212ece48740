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

    /// Takes rows that came before the watermark moves again. Those that are in no window are counted and kept aside.
    ///
    /// # Errors
    /// When there is no room for them.
    pub(crate) fn add(&mut self, arrived: &Arrived) -> Result<()> {
        match self {
            Self::Grid(cutter) => cutter.add(arrived),
            Self::Sessions(cutter) => cutter.add(arrived),
            Self::Rows(cutter) => cutter.add(arrived),
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
    fn add(&mut self, arrived: &Arrived) -> Result<()> {
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
            self.store.put(pane, &taken(&arrived.timed.rows, rows)?)?;
        }
        self.count_open();
        Ok(())
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
    closing: VecDeque<Span>,
    is_handed_out: bool,
    counters: Arc<StreamCounters>,
}

impl RowCutter {
    fn add(&mut self, arrived: &Arrived) -> Result<()> {
        let Some(order) = &mut self.order else {
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
        order.push(in_order, &self.counters)
    }

    fn advance(&mut self, watermark: i64) -> Result<()> {
        self.watermark = self.watermark.max(watermark);
        if let Some(order) = &mut self.order {
            for timed in order.release(watermark)? {
                self.push(&timed.rows)?;
            }
        }
        if watermark == i64::MAX
            && let Some(last) = self.windows.finish()
            && self.closing.back() != Some(&last)
        {
            self.closing.push_back(last);
        }
        Ok(())
    }

    fn push(&mut self, rows: &RecordBatch) -> Result<()> {
        let mut from = 0;
        for piece in self.windows.push(rows.num_rows() as u64) {
            let n_rows = usize::try_from(piece.n_rows).unwrap_or(usize::MAX);
            let indices = (0_u32..).skip(from).take(n_rows).collect();
            self.store.put(piece.window.start, &taken(rows, indices)?)?;
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
