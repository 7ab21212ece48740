//! Where the rows of open windows wait: in memory up to a limit, then on disk.
//!
//! Rows are stored once, in panes: slices of time, or of numbers of rows, of which windows are
//! made. Beyond the limit, or when the session has no memory left, the largest pane goes to a file
//! of the session's disk manager, and is read from there, block by block, when its windows close.

use std::collections::BTreeMap;
use std::fmt::{Debug, Formatter};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::{Result, exec_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::spill_file::SpillFile;
use datafusion::physical_plan::SpillManager;
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, SpillMetrics};

use crate::streams::compact::compacted;
use crate::streams::counters::StreamCounters;

/// The number of rows from which a batch is large enough to be left alone.
const FULL_BATCH_ROWS: usize = 4_096;
/// The number of small batches that are merged into one: a quiet file has a few rows in each step.
const MAX_SMALL_BATCHES: usize = 32;

/// The rows of one window.
pub(crate) struct WindowRows {
    /// Which columns of the rows that were cut are stored, ascending.
    pub(crate) outputs: Arc<[usize]>,
    pub(crate) batches: Vec<RecordBatch>,
    pub(crate) n_rows: usize,
    files: Vec<Arc<dyn SpillFile>>,
    spill: Option<SpillManager>,
}

impl Debug for WindowRows {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        let n_files = self.files.len();
        write!(formatter, "{} rows, {n_files} files", self.n_rows)
    }
}

impl WindowRows {
    /// Rows that are all in memory.
    pub(crate) fn in_memory(outputs: Arc<[usize]>, batches: Vec<RecordBatch>) -> Self {
        Self {
            outputs,
            n_rows: batches.iter().map(RecordBatch::num_rows).sum(),
            batches,
            files: vec![],
            spill: None,
        }
    }

    /// The rows that are on disk, file by file.
    ///
    /// # Errors
    /// When a file cannot be opened.
    pub(crate) fn spilled(&self) -> Result<Vec<SendableRecordBatchStream>> {
        let Some(spill) = &self.spill else {
            return Ok(vec![]);
        };
        let files = self.files.iter().cloned();
        let read = files.map(|file| spill.read_spill_as_stream_unbuffered(file, None));
        read.collect()
    }
}

/// The memory that the open windows of a statement may take, limited by the table and by the
/// session.
pub(crate) struct Memory {
    table_name: String,
    limit_bytes: usize,
    reservation: MemoryReservation,
    counters: Arc<StreamCounters>,
}

impl Debug for Memory {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} bytes", self.reservation.size())
    }
}

impl Memory {
    pub(crate) fn new(
        limit_bytes: usize,
        runtime: &RuntimeEnv,
        counters: Arc<StreamCounters>,
    ) -> Self {
        let table_name = counters.table_name.clone();
        let consumer = MemoryConsumer::new(format!("windows of {table_name}"));
        let reservation = consumer.with_can_spill(true).register(&runtime.memory_pool);
        Self {
            table_name,
            limit_bytes,
            reservation,
            counters,
        }
    }

    /// Reserves this many bytes in all; false if that is more than there is.
    pub(crate) fn resize(&mut self, bytes: usize) -> bool {
        let is_granted = bytes <= self.limit_bytes && self.reservation.try_resize(bytes).is_ok();
        if is_granted {
            let buffered = &self.counters.buffered_bytes;
            buffered.store(bytes as u64, Ordering::Relaxed);
        }
        is_granted
    }

    /// Like [`Self::resize`], for rows that cannot be spilled.
    ///
    /// # Errors
    /// When that is more than there is.
    pub(crate) fn must_hold(&mut self, bytes: usize, what: &str, remedy: &str) -> Result<()> {
        if self.resize(bytes) {
            return Ok(());
        }
        exec_err!(
            "{what} of {} need {bytes} bytes of memory, the limit is {}: raise the option buffer_bytes of the table \
             and the memory limit of the session, or {remedy}",
            self.table_name,
            self.limit_bytes
        )
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let buffered = &self.counters.buffered_bytes;
        buffered.store(0, Ordering::Relaxed);
    }
}

/// The panes of the open windows, with their rows.
pub(crate) struct RowStore {
    outputs: Arc<[usize]>,
    panes: BTreeMap<i64, Pane>,
    /// The range of the source from which rows come now.
    range: u64,
    bytes: usize,
    memory: Memory,
    spill: SpillManager,
}

impl Debug for RowStore {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        let n_panes = self.panes.len();
        write!(formatter, "{n_panes} panes, {:?}", self.memory)
    }
}

impl RowStore {
    /// An empty store of rows with the columns `outputs` of the rows that are cut.
    pub(crate) fn new(
        outputs: Arc<[usize]>,
        schema: SchemaRef,
        memory: Memory,
        runtime: Arc<RuntimeEnv>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Self {
        Self {
            outputs,
            panes: BTreeMap::new(),
            range: 0,
            bytes: 0,
            memory,
            spill: SpillManager::new(runtime, SpillMetrics::new(metrics, 0), schema),
        }
    }

    /// The panes that have rows, ascending.
    pub(crate) fn panes(&self) -> impl Iterator<Item = i64> + '_ {
        self.panes.keys().copied()
    }

    /// The number of panes that have rows.
    pub(crate) fn n_panes(&self) -> usize {
        self.panes.len()
    }

    /// The first pane that has rows.
    pub(crate) fn first_pane(&self) -> Option<i64> {
        self.panes.first_key_value().map(|(pane, _)| *pane)
    }

    /// Rows come from this range of the source from now on.
    pub(crate) fn begin_range(&mut self, range: u64) {
        self.range = range;
    }

    /// The first range of the source that has rows here.
    pub(crate) fn oldest_range(&self) -> Option<u64> {
        self.panes.values().map(|pane| pane.first_range).min()
    }

    /// Puts rows into a pane.
    ///
    /// # Errors
    /// When there is no memory left and nothing can be spilled.
    pub(crate) fn put(&mut self, pane: i64, rows: &RecordBatch, partition: u64) -> Result<()> {
        let first_range = self.range;
        let new = || Pane {
            first_range,
            ..Pane::default()
        };
        let pane = self.panes.entry(pane).or_insert_with(new);
        self.bytes -= pane.bytes;
        pane.put((self.range, partition), compacted(rows)?)?;
        self.bytes += pane.bytes;
        while !self.memory.resize(self.bytes) {
            self.spill_largest()?;
        }
        Ok(())
    }

    /// All rows of these panes.
    pub(crate) fn rows(&self, panes: RangeInclusive<i64>) -> WindowRows {
        let mut rows = WindowRows::in_memory(Arc::clone(&self.outputs), vec![]);
        rows.spill = Some(self.spill.clone());
        for (_, pane) in self.panes.range(panes) {
            rows.batches.extend(pane.batches().cloned());
            rows.files.extend(pane.files.iter().cloned());
            rows.n_rows += pane.n_rows;
        }
        rows
    }

    /// Forgets a pane.
    pub(crate) fn remove(&mut self, pane: i64) {
        if let Some(pane) = self.panes.remove(&pane) {
            self.bytes -= pane.bytes;
            self.memory.resize(self.bytes);
        }
    }

    fn spill_largest(&mut self) -> Result<()> {
        let largest = self.panes.values_mut().max_by_key(|pane| pane.bytes);
        let Some(pane) = largest.filter(|pane| pane.bytes > 0) else {
            return self
                .memory
                .must_hold(self.bytes, "open windows", "make them shorter");
        };
        let batches: Vec<_> = pane.batches().cloned().collect();
        pane.parts.clear();
        let file = self
            .spill
            .spill_record_batch_and_finish(&batches, "rows of an open window")?;
        if let Some(file) = file {
            let spilled = &self.memory.counters.spilled_bytes;
            spilled.fetch_add(file.size().unwrap_or_default(), Ordering::Relaxed);
            pane.files.push(file);
        }
        self.bytes -= std::mem::take(&mut pane.bytes);
        Ok(())
    }
}

/// Rows that belong to the same windows.
#[derive(Default)]
struct Pane {
    /// The range of the source from which its first rows came.
    first_range: u64,
    /// Rows in memory, by the range and the partition of the source from which they came: an order
    /// that does not depend on which of its partitions was read first.
    parts: BTreeMap<(u64, u64), PanePart>,
    /// The bytes of the rows in memory.
    bytes: usize,
    /// The number of rows in memory and on disk.
    n_rows: usize,
    files: Vec<Arc<dyn SpillFile>>,
}

impl Pane {
    fn put(&mut self, from: (u64, u64), rows: RecordBatch) -> Result<()> {
        self.n_rows += rows.num_rows();
        let part = self.parts.entry(from).or_default();
        self.bytes -= part.bytes;
        part.put(rows)?;
        self.bytes += part.bytes;
        Ok(())
    }

    fn batches(&self) -> impl Iterator<Item = &RecordBatch> {
        self.parts.values().flat_map(|part| &part.batches)
    }
}

/// Rows of one partition.
#[derive(Default)]
struct PanePart {
    batches: Vec<RecordBatch>,
    /// The number of batches, from the first on, that are large enough.
    n_full: usize,
    bytes: usize,
}

impl PanePart {
    fn put(&mut self, rows: RecordBatch) -> Result<()> {
        self.bytes += rows.get_array_memory_size();
        self.batches.push(rows);
        if self.batches.len() - self.n_full < MAX_SMALL_BATCHES {
            return Ok(());
        }
        let small = self.batches.split_off(self.n_full);
        let bytes_of = |batches: &[RecordBatch]| -> usize {
            let bytes = batches.iter().map(RecordBatch::get_array_memory_size);
            bytes.sum()
        };
        self.bytes -= bytes_of(&small);
        let Some(schema) = small.first().map(RecordBatch::schema) else {
            return Ok(());
        };
        let merged = compacted(&concat_batches(&schema, &small)?)?;
        self.bytes += merged.get_array_memory_size();
        self.n_full += usize::from(merged.num_rows() >= FULL_BATCH_ROWS);
        self.batches.push(merged);
        Ok(())
    }
}
