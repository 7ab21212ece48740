//! The windows of a pipeline's table, each of which is handed out until it is done.
//!
//! Reading is divided into ranges: a range ends where windows close. The checkpoint records the end
//! of a range before its windows run, and afterwards that they have run. After a crash, the ranges
//! whose rows are in open windows are replayed, up to the same positions and with the same
//! watermarks, so that the same windows close; those that were done are skipped.
//!
//! The watermark moves only at the end of a range, so which rows are late depends only on what the
//! checkpoint records. A range also ends before the notes to write down for it, or the memory held
//! for it, would exceed a limit.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use datafusion::common::{DataFusionError, Result, exec_datafusion_err};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;

use crate::algorithms::windows::Span;
use crate::pipeline::checkpoint::{Checkpoint, Range};
use crate::pipeline::pipeline_options::PipelineEnd;
use crate::planner::windows::read::WindowedRead;
use crate::stores::store::DoneWindows;
use crate::streams::counters::StreamCounters;
use crate::streams::session_extensions::CurrentWindow;
use crate::streams::source::Positions;
use crate::streams::stream::{LiveStream, ReadAgain, StreamStep};
use crate::streams::table::{Resume, TimeKind};
use crate::streams::windows::cutter::WindowCutter;

/// Reads the table and cuts its rows into windows.
pub(crate) struct Feed {
    read: WindowedRead,
    stream: LiveStream,
    cutter: WindowCutter,
    checkpoint: Checkpoint,
    end: PipelineEnd,
    /// Whether no run came before this one.
    is_new: bool,
    /// The ranges still to be replayed, and whether the first of them has been read only in part.
    again: VecDeque<Range>,
    is_within_range: bool,
    /// The number of the range that is being read.
    number: u64,
    /// The positions after the last row assigned to a window.
    positions: Option<Positions>,
    /// The ranges in the checkpoint, each with its positions.
    written: VecDeque<(u64, Positions)>,
    /// The partition of the rows of the range, if all are of one, and the watermark of the last
    /// step.
    partition: Option<u64>,
    watermark: i64,
    /// When the last rows were read.
    reading_time: Option<i64>,
    /// A step whose rows come after the windows that are closing.
    held: Option<StreamStep>,
    /// The last range that a restart could skip.
    read_again_from: u64,
    /// The number of windows that have closed, and of those that have run.
    n_closed: u64,
    n_done: u64,
    /// Start and end of the last window of the last range that has run; `None` once new windows
    /// come.
    done_to: Option<(i64, i64)>,
    /// Start and end of the window that was handed out last.
    running: (i64, i64),
    /// Rows that an earlier run has counted.
    counted_before: Missing,
    has_ended: bool,
}

/// The numbers of rows that are in no window.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Missing {
    pub(crate) n_late: u64,
    pub(crate) n_without_time: u64,
}

/// Whether a window of the last range has run, given start and end of the last one that has.
/// Windows come in the order of their ends. They are not counted, since one may be missing if rows
/// can no longer be read.
fn has_run(span: Span, (start, end): (i64, i64)) -> bool {
    (span.end, span.start) <= (end, start)
}

impl Feed {
    /// Continues after these ranges, or starts at the beginning of the table if there are none.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub(crate) fn start(
        read: WindowedRead,
        checkpoint: Checkpoint,
        ranges: Vec<Range>,
        done: DoneWindows,
        end: PipelineEnd,
        runtime: Arc<RuntimeEnv>,
    ) -> Result<Self> {
        let mut again = VecDeque::from(ranges);
        let first = again.pop_front();
        let read_again = |range: &Range| ReadAgain {
            upto: range.positions.clone(),
            watermark: range.watermark,
            reading_time: range.reading_time,
        };
        let resume = Resume {
            from: first.as_ref().map(|first| first.positions.clone()),
            again: again.iter().map(read_again).collect(),
        };
        let stream = read
            .live()
            .resume(&read.rows.columns, read.time_kind(), resume)?;
        let counters = Arc::clone(&stream.counters);
        let mut cutter = read.cutter(counters, runtime, &ExecutionPlanMetricsSet::new())?;
        if let Some(first) = &first {
            let notes: Vec<_> = again.iter().map(|range| range.notes.clone()).collect();
            cutter.resume(&notes);
            cutter.advance(first.watermark)?;
        }
        let written = first.iter().chain(&again);
        let written = written.map(|range| (range.number, range.positions.clone()));
        let last = again.back().or(first.as_ref());
        let n_closed = last.map_or(0, |last| last.windows_before);
        Ok(Self {
            stream,
            cutter,
            checkpoint,
            end,
            is_new: first.is_none(),
            number: first.as_ref().map_or(0, |first| first.number),
            written: written.collect(),
            positions: None,
            partition: None,
            watermark: i64::MIN,
            reading_time: None,
            held: None,
            read_again_from: last.map_or(0, |last| last.read_again_from),
            n_closed,
            n_done: done.windows,
            done_to: (done.windows > n_closed).then_some(done.last),
            running: (0, 0),
            counted_before: Missing::default(),
            has_ended: false,
            read,
            again,
            is_within_range: false,
        })
    }

    /// The next window that has not run yet, or `None` at the end. The future may be dropped while
    /// it waits.
    ///
    /// # Errors
    /// When the table cannot be read, or the checkpoint cannot be written.
    pub(crate) async fn next_window(&mut self) -> Result<Option<CurrentWindow>> {
        loop {
            // Count windows fill up within a range. They are taken at its end, as when the range
            // was first read.
            if !self.is_within_range
                && let Some(window) = self.cutter.next_closed()?
            {
                // Windows of an older range have run, and may lack rows.
                if !self.again.is_empty() {
                    continue;
                }
                let span = window.span;
                if self.done_to.is_some_and(|last| has_run(span, last)) {
                    self.n_closed += 1;
                    continue;
                }
                self.done_to = None;
                self.n_closed = self.n_closed.max(self.n_done) + 1;
                self.running = (span.start, span.end);
                return Ok(Some(window));
            }
            if self.again.is_empty() {
                self.checkpoint.forget_before(self.read_again_from).await?;
                self.acknowledge();
            }
            if let Some(step) = self.held.take() {
                let (ends_range, watermark) = (step.ends_range, step.watermark);
                self.add(step)?;
                if ends_range {
                    self.close(watermark).await?;
                }
            }
            if self.has_ended {
                return Ok(None);
            }
            match self.stream.next().await {
                Some(step) => self.take(step?).await?,
                None => self.has_ended = true,
            }
        }
    }

    /// Tells the source that no restart will ask again for anything before the first range that it
    /// needs.
    fn acknowledge(&mut self) {
        let n_before = self.written.len();
        let is_over = |(number, _): &(u64, Positions)| *number < self.read_again_from;
        while self.written.front().is_some_and(is_over) {
            self.written.pop_front();
        }
        if let Some((_, upto)) = self
            .written
            .front()
            .filter(|_| self.written.len() < n_before)
        {
            self.stream.acknowledge(upto.clone());
        }
    }

    /// Notes that the window that was handed out last has run.
    ///
    /// # Errors
    /// When the checkpoint cannot be written.
    pub(crate) async fn done(&mut self) -> Result<()> {
        self.n_done = self.n_closed;
        self.checkpoint.put_done(&self.running()).await
    }

    /// How far the windows have run once the one that was handed out last has.
    pub(crate) fn running(&self) -> DoneWindows {
        DoneWindows {
            windows: self.n_closed,
            last: self.running,
        }
    }

    /// The number of the window that was handed out last, from 1.
    pub(crate) fn window_number(&self) -> u64 {
        self.n_closed
    }

    /// How many windows have run, over all runs.
    pub(crate) fn n_done(&self) -> u64 {
        self.n_done
    }

    /// What the pipeline reads, as EXPLAIN shows it.
    pub(crate) fn source(&self) -> &str {
        &self.read.scan.text
    }

    /// The numbers of rows that are in no window, since this run started.
    pub(crate) fn missing(&self) -> Missing {
        let (counted, before) = (self.counted(), self.counted_before);
        Missing {
            n_late: counted.n_late - before.n_late,
            n_without_time: counted.n_without_time - before.n_without_time,
        }
    }

    /// The counters of the table.
    pub(crate) fn counters(&self) -> &StreamCounters {
        &self.stream.counters
    }

    async fn take(&mut self, step: StreamStep) -> Result<()> {
        if self.positions.is_none() {
            return self.begin(step).await;
        }
        if !self.again.is_empty() {
            return self.take_again(step);
        }
        self.done_to = None;
        self.n_closed = self.n_closed.max(self.n_done);
        let is_by_reading = self.read.time_kind() == TimeKind::Processing;
        if is_by_reading && self.cutter.closes_at(step.watermark) {
            // The rows of this step are read after the windows that close, so the range ends before
            // it.
            let watermark = step.watermark;
            self.held = Some(step);
            return self.close(watermark).await;
        }
        let (watermark, is_caught_up, is_idle) = (step.watermark, step.is_caught_up, step.is_idle);
        let partition = sole(&step.partitions);
        let is_other = self.partition.is_some() && !step.partitions.is_empty();
        if is_other && partition != self.partition && self.cutter.depends_on_order() {
            // A replay reads the rows of a range partition by partition, so rows of two partitions
            // go into two ranges.
            self.close(self.watermark).await?;
        }
        self.partition = partition.or(self.partition);
        self.watermark = watermark;
        let is_mixed = partition.is_none() && !step.partitions.is_empty();
        let is_full = step.ends_range;
        self.add(step)?;
        // This must not wait for the next step: it comes when the clock has advanced, and the
        // watermark of quiet files may have advanced with it.
        self.has_ended = is_caught_up && self.end == PipelineEnd::CaughtUp;
        let ends_range =
            is_full || self.cutter.ends_range() || is_mixed && self.cutter.depends_on_order();
        if ends_range || self.cutter.closes_at(watermark) {
            return self.close(watermark).await;
        }
        if self.end == PipelineEnd::Idle && is_idle {
            match self.cutter.last_end() {
                Some(last_end) => return self.close(last_end).await,
                None => self.has_ended = true,
            }
        }
        Ok(())
    }

    /// Takes the first step, which says where reading begins.
    async fn begin(&mut self, step: StreamStep) -> Result<()> {
        self.positions = step.positions;
        let positions = self.positions.clone();
        let positions = positions.ok_or_else(without_positions)?;
        if self.is_new {
            let start = Range {
                number: 0,
                positions,
                watermark: i64::MIN,
                reading_time: None,
                notes: Default::default(),
                read_again_from: 0,
                windows_before: 0,
            };
            self.checkpoint.put_range(&start).await?;
            self.written.push_back((start.number, start.positions));
        }
        self.number += 1;
        self.cutter.begin_range(self.number);
        Ok(())
    }

    /// Takes a part of a range that is replayed. Its rows are compared with the watermark from
    /// before the range; only its end moves the watermark.
    fn take_again(&mut self, step: StreamStep) -> Result<()> {
        self.is_within_range = step.is_within_range;
        self.add(step)?;
        if !self.is_within_range
            && let Some(range) = self.again.pop_front()
        {
            self.cutter.advance(range.watermark)?;
            self.number = range.number + 1;
            self.cutter.begin_range(self.number);
            self.counted_before = self.counted();
        }
        Ok(())
    }

    fn counted(&self) -> Missing {
        let counters = &self.stream.counters;
        Missing {
            n_late: counters.rows_late.load(Ordering::Relaxed),
            n_without_time: counters.rows_without_time.load(Ordering::Relaxed),
        }
    }

    fn add(&mut self, step: StreamStep) -> Result<()> {
        for (timed, partition) in step.arrivals.into_iter().zip(step.partitions) {
            self.reading_time = Some(step.now);
            let arrived = self.read.rows.apply(timed)?;
            self.cutter.add(&arrived, partition)?;
        }
        // The steps within a range that is replayed have no positions.
        self.positions = step.positions.or(self.positions.take());
        Ok(())
    }

    /// Ends the range and closes windows.
    async fn close(&mut self, watermark: i64) -> Result<()> {
        let oldest = self.cutter.oldest_range().unwrap_or(self.number);
        let positions = self.positions.clone();
        let range = Range {
            number: self.number,
            positions: positions.ok_or_else(without_positions)?,
            watermark,
            reading_time: self.reading_time,
            notes: self.cutter.notes(),
            read_again_from: oldest.saturating_sub(1),
            windows_before: self.n_closed,
        };
        self.checkpoint.put_range(&range).await?;
        self.written.push_back((range.number, range.positions));
        self.read_again_from = range.read_again_from;
        self.cutter.advance(watermark)?;
        self.number += 1;
        self.partition = None;
        self.cutter.begin_range(self.number);
        Ok(())
    }
}

fn without_positions() -> DataFusionError {
    exec_datafusion_err!("a source of a pipeline tells no positions")
}

/// The partition of all rows, or `None` if there are several or none.
fn sole(partitions: &[u64]) -> Option<u64> {
    let first = partitions.first().copied()?;
    partitions
        .iter()
        .all(|partition| *partition == first)
        .then_some(first)
}
