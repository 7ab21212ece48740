//! What is known of live tables while they are read: one set of counters per statement, with the
//! rows that came too late.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::record_batch::RecordBatch;

use crate::streams::clock::{Clock, MachineClock};

/// The number of late rows that are kept to be read; if there are more, the newest are kept.
pub(crate) const MAX_LATE_ROWS: usize = 10_000;
/// The number of ended streams that are remembered, so that their counters can still be read.
const MAX_ENDED_STREAMS: usize = 100;

/// Why a row is in no window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missed {
    /// Its window was closed, or its place in the order of time had been passed.
    Late,
    /// Its event time is NULL.
    NoTime,
}

impl Missed {
    /// The value of column `reason` of `aiops_late`.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Late => "late",
            Self::NoTime => "no time",
        }
    }
}

/// The counters of one statement that reads a live table.
#[derive(Debug)]
pub(crate) struct StreamCounters {
    pub(crate) table_name: String,
    pub(crate) started_at: i64,
    pub(crate) rows_read: AtomicU64,
    pub(crate) rows_late: AtomicU64,
    pub(crate) rows_without_time: AtomicU64,
    pub(crate) rows_malformed: AtomicU64,
    pub(crate) bytes_read: AtomicU64,
    /// The number of problems that were reported; the last one is kept.
    pub(crate) problems: AtomicU64,
    pub(crate) open_windows: AtomicU64,
    pub(crate) closed_windows: AtomicU64,
    pub(crate) buffered_bytes: AtomicU64,
    pub(crate) spilled_bytes: AtomicU64,
    /// Nanoseconds since 1970; `i64::MIN`: not known yet; `i64::MAX`: all input is read.
    pub(crate) watermark: AtomicI64,
    has_ended: AtomicBool,
    late: Mutex<LateRows>,
    last_problem: Mutex<Option<String>>,
    positions: Mutex<Option<String>>,
}

#[derive(Debug, Default)]
struct LateRows {
    batches: VecDeque<(Missed, RecordBatch)>,
    n_rows: usize,
}

impl StreamCounters {
    fn new(table_name: &str, started_at: i64) -> Self {
        Self {
            table_name: table_name.to_string(),
            started_at,
            rows_read: AtomicU64::new(0),
            rows_late: AtomicU64::new(0),
            rows_without_time: AtomicU64::new(0),
            rows_malformed: AtomicU64::new(0),
            bytes_read: AtomicU64::new(0),
            problems: AtomicU64::new(0),
            open_windows: AtomicU64::new(0),
            closed_windows: AtomicU64::new(0),
            buffered_bytes: AtomicU64::new(0),
            spilled_bytes: AtomicU64::new(0),
            watermark: AtomicI64::new(i64::MIN),
            has_ended: AtomicBool::new(false),
            late: Mutex::default(),
            last_problem: Mutex::new(None),
            positions: Mutex::new(None),
        }
    }

    /// Counts a problem that did not stop the statement, and keeps it as the last one.
    pub(crate) fn report(&self, problem: &str) {
        self.problems.fetch_add(1, Ordering::Relaxed);
        let mut last = self
            .last_problem
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *last = Some(problem.to_string());
    }

    /// Notes the positions of the source, as JSON.
    pub(crate) fn stand_at(&self, positions: String) {
        let mut last = self
            .positions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *last = Some(positions);
    }

    /// The positions of the source about a second ago, as JSON.
    pub(crate) fn positions(&self) -> Option<String> {
        let last = self
            .positions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        last.clone()
    }

    /// The newest problem.
    pub(crate) fn last_problem(&self) -> Option<String> {
        let last = self
            .last_problem
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        last.clone()
    }

    /// Counts rows that are in no window, and keeps the newest of them.
    pub(crate) fn miss(&self, why: Missed, rows: RecordBatch) {
        let counter = match why {
            Missed::Late => &self.rows_late,
            Missed::NoTime => &self.rows_without_time,
        };
        counter.fetch_add(rows.num_rows() as u64, Ordering::Relaxed);
        let mut late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
        late.push(why, rows);
    }

    /// The newest rows that are in no window.
    pub(crate) fn missed_rows(&self) -> Vec<(Missed, RecordBatch)> {
        let late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
        late.batches.iter().cloned().collect()
    }

    /// Marks the statement as ended: its counters stay, but no longer change.
    pub(crate) fn end(&self) {
        self.has_ended.store(true, Ordering::Relaxed);
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Relaxed)
    }
}

impl LateRows {
    fn push(&mut self, why: Missed, rows: RecordBatch) {
        let skipped = rows.num_rows().saturating_sub(MAX_LATE_ROWS);
        let rows = rows.slice(skipped, rows.num_rows() - skipped);
        self.n_rows += rows.num_rows();
        self.batches.push_back((why, rows));
        while self.n_rows > MAX_LATE_ROWS {
            let Some((why, oldest)) = self.batches.pop_front() else {
                return;
            };
            let surplus = self.n_rows - MAX_LATE_ROWS;
            self.n_rows -= oldest.num_rows().min(surplus);
            if surplus < oldest.num_rows() {
                let kept = oldest.slice(surplus, oldest.num_rows() - surplus);
                self.batches.push_front((why, kept));
            }
        }
    }
}

/// The live tables and the streams of a session.
#[derive(Debug, Default)]
pub(crate) struct StreamRegistry {
    /// `None`: the clock of the machine.
    clock: Mutex<Option<Arc<dyn Clock>>>,
    tables: Mutex<BTreeMap<String, SchemaRef>>,
    streams: Mutex<Vec<Arc<StreamCounters>>>,
}

impl StreamRegistry {
    /// The clock of live tables that are made from now on.
    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        let clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        clock.clone().unwrap_or_else(|| Arc::new(MachineClock))
    }

    /// Sets the clock of live tables that are made from now on.
    pub(crate) fn set_clock(&self, clock: Arc<dyn Clock>) {
        *self.clock.lock().unwrap_or_else(PoisonError::into_inner) = Some(clock);
    }

    /// Adds a live table, which replaces an earlier one of this name.
    pub(crate) fn add_table(&self, name: &str, schema: SchemaRef) {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        tables.insert(name.to_string(), schema);
    }

    /// The names of the live tables.
    pub(crate) fn live_tables(&self) -> Vec<String> {
        let tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        tables.keys().cloned().collect()
    }

    /// The full name and the columns of a live table, named in full or by its last part.
    pub(crate) fn live_table(&self, name: &str) -> Option<(String, SchemaRef)> {
        let tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let is_meant = |full: &str| full == name || full.rsplit('.').next() == Some(name);
        let found = tables.iter().find(|(full, _)| is_meant(full));
        found.map(|(full, schema)| (full.clone(), Arc::clone(schema)))
    }

    /// New counters for a statement that begins to read a table.
    pub(crate) fn start(&self, table_name: &str, now: i64) -> Arc<StreamCounters> {
        let counters = Arc::new(StreamCounters::new(table_name, now));
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let n_ended = streams.iter().filter(|stream| stream.has_ended()).count();
        let mut surplus = (n_ended + 1).saturating_sub(MAX_ENDED_STREAMS);
        streams.retain(|stream| {
            let is_dropped = surplus > 0 && stream.has_ended();
            surplus -= usize::from(is_dropped);
            !is_dropped
        });
        streams.push(Arc::clone(&counters));
        counters
    }

    /// All streams, in the order in which they began.
    pub(crate) fn streams(&self) -> Vec<Arc<StreamCounters>> {
        let streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.clone()
    }
}
