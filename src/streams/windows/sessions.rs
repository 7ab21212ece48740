//! Cuts the rows of a live table into sessions.
//!
//! The session of a row can change until it closes, so batches stay as they came, and sessions are
//! lists of places in them. The statement runs once for all sessions that close at one step: every
//! row carries the bounds of its session, after its columns. A batch is dropped when its last row
//! is; when less than half of the held rows are still needed, they are copied into new batches.

use std::collections::{HashMap, VecDeque};
use std::fmt::{Debug, Formatter};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::compute::interleave_record_batch;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::arrow::row::{RowConverter, SortField};
use datafusion::common::{Result, ScalarValue};

use crate::algorithms::windows::Span;
use crate::algorithms::windows::sessions::{ClosedSession, Placement, SessionId, Sessions};
use crate::streams::compact::compacted;
use crate::streams::counters::{Missed, StreamCounters};
use crate::streams::session_extensions::CurrentWindow;
use crate::streams::windows::parts::{CutterParts, miss, times};
use crate::streams::windows::range_notes::{RangeNotes, add_to_runs, is_in_runs};
use crate::streams::windows::row_plan::Arrived;
use crate::streams::windows::row_store::{Memory, WindowRows};
use crate::streams::windows::shape::{WINDOW_END, WINDOW_START, bound};

/// The number of rows in a batch that is made of sessions.
const BATCH_ROWS: usize = 8_192;

/// The number of runs of late rows at which a range ends: about 100 kB of its file in a checkpoint.
const MAX_LATE_RUNS: usize = 4_096;

/// The values of the key columns of a row.
type Key = Vec<u8>;

/// Open sessions and their rows.
pub(crate) struct SessionCutter {
    sessions: Sessions<Key>,
    /// The indices of the key columns in the rows, and the converter that makes keys of them.
    key_columns: Vec<usize>,
    keys: RowConverter,
    rows: HashMap<SessionId, Vec<HeldRow>>,
    /// The range of the source from which the first row of each session came.
    first_ranges: HashMap<SessionId, u64>,
    range: u64,
    /// The number of rows of the range so far, and the runs of them that were late.
    n_rows_of_range: u64,
    late_of_range: Vec<(u64, u64)>,
    /// Rows of this range that were late when it was first read.
    known_late: Vec<(u64, u64)>,
    /// The late rows of the ranges that are read again after this one.
    late_again: VecDeque<Vec<(u64, u64)>>,
    held: HeldBatches,
    outputs: Arc<[usize]>,
    bound_type: DataType,
    /// The columns of rows of closed sessions, with their bounds.
    schema: SchemaRef,
    closing: Option<CurrentWindow>,
    counters: Arc<StreamCounters>,
}

impl Debug for SessionCutter {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} open sessions", self.sessions.len())
    }
}

/// Where a row is held.
#[derive(Debug, Clone, Copy)]
struct HeldRow {
    batch: u64,
    row: u32,
}

impl SessionCutter {
    /// A cutter that has seen no row; `keys` are columns of the input of the window function.
    pub(crate) fn new(
        parts: &CutterParts,
        gap: i64,
        keys: &[usize],
        memory: Memory,
    ) -> Result<Self> {
        let outputs = &parts.rows.outputs;
        let places = keys
            .iter()
            .map(|key| outputs.iter().position(|output| output == key));
        let key_columns: Vec<usize> = places.flatten().collect();
        let stored = &parts.rows.schema;
        let fields = key_columns.iter().map(|column| stored.field(*column));
        let sorts = fields.map(|field| SortField::new(field.data_type().clone()));
        let bounds = [WINDOW_START, WINDOW_END]
            .map(|name| Arc::new(Field::new(name, parts.bound_type.clone(), false)));
        let fields: Vec<_> = stored.fields().iter().cloned().chain(bounds).collect();
        Ok(Self {
            sessions: Sessions::new(gap)?,
            keys: RowConverter::new(sorts.collect())?,
            key_columns,
            rows: HashMap::new(),
            first_ranges: HashMap::new(),
            range: 0,
            n_rows_of_range: 0,
            late_of_range: vec![],
            known_late: vec![],
            late_again: VecDeque::new(),
            held: HeldBatches::new(memory),
            outputs: outputs.clone().into(),
            bound_type: parts.bound_type.clone(),
            schema: Arc::new(Schema::new(fields)),
            closing: None,
            counters: Arc::clone(&parts.counters),
        })
    }

    /// Continues where another cutter stopped: the rows of ranges with these notes come again.
    pub(crate) fn resume(&mut self, again: &[RangeNotes]) {
        let late = again.iter().map(|range| range.late_rows.clone());
        self.late_again = late.collect();
    }

    /// The rows that come now are of this range of the source.
    pub(crate) fn begin_range(&mut self, range: u64) {
        self.range = range;
        self.n_rows_of_range = 0;
        self.late_of_range = vec![];
        self.known_late = self.late_again.pop_front().unwrap_or_default();
    }

    /// What must be written down about this range.
    pub(crate) fn notes(&self) -> RangeNotes {
        RangeNotes {
            late_rows: self.late_of_range.clone(),
            ..RangeNotes::default()
        }
    }

    /// Whether the notes on this range have reached their limit.
    pub(crate) fn ends_range(&self) -> bool {
        self.late_of_range.len() >= MAX_LATE_RUNS
    }

    /// The first range that has rows in open sessions.
    pub(crate) fn oldest_range(&self) -> Option<u64> {
        self.first_ranges.values().copied().min()
    }

    /// Whether a session would close at this watermark.
    pub(crate) fn closes_at(&self, watermark: i64) -> bool {
        self.sessions.closes_at(watermark)
    }

    /// Where the last open session ends.
    pub(crate) fn last_end(&self) -> Option<i64> {
        self.sessions.last_end()
    }

    /// Adds rows that came before the next move of the watermark.
    ///
    /// # Errors
    /// When there is no room for them.
    pub(crate) fn add(&mut self, arrived: &Arrived) -> Result<()> {
        let rows = &arrived.timed.rows;
        let keys = if self.key_columns.is_empty() {
            None
        } else {
            let columns: Vec<ArrayRef> = self
                .key_columns
                .iter()
                .map(|column| Arc::clone(rows.column(*column)))
                .collect();
            Some(self.keys.convert_columns(&columns)?)
        };
        let (mut late, mut without_time) = (vec![], vec![]);
        let batch = self.held.next_id;
        let mut n_kept = 0;
        let mut key = Key::new();
        for (row, time) in times(arrived) {
            let number = self.n_rows_of_range;
            self.n_rows_of_range += 1;
            let Some(time) = time else {
                without_time.push(row);
                continue;
            };
            if let Some(keys) = &keys {
                key.clear();
                key.extend_from_slice(keys.row(row as usize).as_ref());
            }
            let placement = if is_in_runs(&self.known_late, number) {
                Placement::Late
            } else {
                self.sessions.add(&key, time)
            };
            match placement {
                Placement::Late => {
                    late.push(row);
                    add_to_runs(&mut self.late_of_range, number);
                }
                Placement::Joined { session, absorbed } => {
                    n_kept += 1;
                    self.join(session, absorbed, HeldRow { batch, row });
                }
            }
        }
        miss(&self.counters, Missed::Late, arrived, late)?;
        miss(&self.counters, Missed::NoTime, arrived, without_time)?;
        self.count_open();
        self.held.put(rows, n_kept)
    }

    fn join(&mut self, session: SessionId, absorbed: Option<SessionId>, place: HeldRow) {
        let moved = absorbed.and_then(|absorbed| self.rows.remove(&absorbed));
        let range = absorbed.and_then(|absorbed| self.first_ranges.remove(&absorbed));
        let range = range.unwrap_or(self.range);
        let first_range = self.first_ranges.entry(session).or_insert(range);
        *first_range = range.min(*first_range);
        let places = self.rows.entry(session).or_default();
        places.extend(moved.into_iter().flatten());
        places.push(place);
    }

    /// Moves the watermark.
    ///
    /// # Errors
    /// When the rows of the sessions that close cannot be put together.
    pub(crate) fn advance(&mut self, watermark: i64) -> Result<()> {
        let closed = self.sessions.close(watermark);
        if closed.is_empty() {
            return Ok(());
        }
        let n_closed = &self.counters.closed_windows;
        n_closed.fetch_add(closed.len() as u64, Ordering::Relaxed);
        self.closing = Some(self.gathered(&closed)?);
        self.count_open();
        self.held.compact(self.rows.values_mut())
    }

    /// What has closed since the last call.
    pub(crate) fn next_closed(&mut self) -> Option<CurrentWindow> {
        self.closing.take()
    }

    /// The rows of these sessions, each with the bounds of its session.
    fn gathered(&mut self, closed: &[ClosedSession<Key>]) -> Result<CurrentWindow> {
        let mut places = Vec::new();
        let mut spans = Vec::new();
        for session in closed {
            let rows = self.rows.remove(&session.session).unwrap_or_default();
            self.first_ranges.remove(&session.session);
            spans.extend(std::iter::repeat_n(session.span, rows.len()));
            places.extend(rows);
        }
        let mut batches = Vec::with_capacity(places.len() / BATCH_ROWS + 1);
        for (places, spans) in places.chunks(BATCH_ROWS).zip(spans.chunks(BATCH_ROWS)) {
            let rows = self.held.gather(places)?;
            batches.push(self.with_bounds(&rows, spans)?);
        }
        self.held.release(&places);
        let start = closed.iter().map(|session| session.span.start).min();
        let end = closed.iter().map(|session| session.span.end).max();
        Ok(CurrentWindow {
            span: Span {
                start: start.unwrap_or_default(),
                end: end.unwrap_or_default(),
            },
            rows: Some(WindowRows::in_memory(Arc::clone(&self.outputs), batches)),
        })
    }

    fn with_bounds(&self, rows: &RecordBatch, spans: &[Span]) -> Result<RecordBatch> {
        let array = |of: fn(&Span) -> i64| {
            let values = spans.iter().map(|span| bound(of(span), &self.bound_type));
            ScalarValue::iter_to_array(values.collect::<Result<Vec<_>>>()?)
        };
        let bounds = [array(|span| span.start)?, array(|span| span.end)?];
        let columns = rows.columns().iter().cloned().chain(bounds).collect();
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }

    fn count_open(&self) {
        let n_open = self.sessions.len() as u64;
        self.counters.open_windows.store(n_open, Ordering::Relaxed);
    }
}

/// Batches with rows that are still needed.
struct HeldBatches {
    batches: HashMap<u64, HeldBatch>,
    next_id: u64,
    bytes: usize,
    n_rows: usize,
    n_needed: usize,
    memory: Memory,
}

struct HeldBatch {
    rows: RecordBatch,
    n_needed: usize,
}

impl HeldBatches {
    fn new(memory: Memory) -> Self {
        Self {
            batches: HashMap::new(),
            next_id: 0,
            bytes: 0,
            n_rows: 0,
            n_needed: 0,
            memory,
        }
    }

    /// Holds rows under the next number; `n_needed` of them are needed.
    fn put(&mut self, rows: &RecordBatch, n_needed: usize) -> Result<()> {
        let id = self.next_id;
        self.next_id += 1;
        if n_needed == 0 {
            return Ok(());
        }
        let rows = compacted(rows)?;
        self.bytes += rows.get_array_memory_size();
        self.n_rows += rows.num_rows();
        self.n_needed += n_needed;
        self.batches.insert(id, HeldBatch { rows, n_needed });
        self.memory
            .must_hold(self.bytes, "open sessions", "make the gap shorter")
    }

    /// The rows at these places, in this order.
    fn gather(&self, places: &[HeldRow]) -> Result<RecordBatch> {
        let mut numbers: HashMap<u64, usize> = HashMap::new();
        let mut batches = Vec::new();
        let mut indices = Vec::with_capacity(places.len());
        for place in places {
            let Some(held) = self.batches.get(&place.batch) else {
                continue;
            };
            let number = *numbers.entry(place.batch).or_insert_with(|| {
                batches.push(&held.rows);
                batches.len() - 1
            });
            indices.push((number, place.row as usize));
        }
        let Some(first) = batches.first() else {
            return Ok(RecordBatch::new_empty(Arc::new(Schema::empty())));
        };
        if first.num_columns() == 0 {
            let options = RecordBatchOptions::new().with_row_count(Some(indices.len()));
            let schema = first.schema();
            return Ok(RecordBatch::try_new_with_options(schema, vec![], &options)?);
        }
        Ok(interleave_record_batch(&batches, &indices)?)
    }

    /// Releases these rows, which are no longer needed.
    fn release(&mut self, places: &[HeldRow]) {
        self.n_needed -= places.len();
        for place in places {
            let Some(held) = self.batches.get_mut(&place.batch) else {
                continue;
            };
            held.n_needed -= 1;
            if held.n_needed == 0
                && let Some(held) = self.batches.remove(&place.batch)
            {
                self.bytes -= held.rows.get_array_memory_size();
                self.n_rows -= held.rows.num_rows();
            }
        }
        self.memory.resize(self.bytes);
    }

    /// Copies the rows of these sessions into new batches if they are less than half of what is
    /// held.
    fn compact<'a>(&mut self, sessions: impl Iterator<Item = &'a mut Vec<HeldRow>>) -> Result<()> {
        if self.n_needed * 2 >= self.n_rows {
            return Ok(());
        }
        let mut sessions: Vec<_> = sessions.collect();
        let places: Vec<HeldRow> = sessions
            .iter()
            .flat_map(|places| places.iter().copied())
            .collect();
        let mut batches = HashMap::new();
        let first_id = self.next_id;
        for places in places.chunks(BATCH_ROWS) {
            let rows = compacted(&self.gather(places)?)?;
            let n_needed = rows.num_rows();
            batches.insert(self.next_id, HeldBatch { rows, n_needed });
            self.next_id += 1;
        }
        let mut batch = first_id;
        let mut row = 0;
        for place in sessions.iter_mut().flat_map(|places| places.iter_mut()) {
            *place = HeldRow { batch, row };
            row += 1;
            if row as usize == BATCH_ROWS {
                (batch, row) = (batch + 1, 0);
            }
        }
        self.bytes = batches
            .values()
            .map(|held| held.rows.get_array_memory_size())
            .sum();
        self.n_rows = self.n_needed;
        self.batches = batches;
        self.memory
            .must_hold(self.bytes, "open sessions", "make the gap shorter")
    }
}
