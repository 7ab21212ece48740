//! The rows of one growing log: turns its bytes, in the order in which they come, into events, and
//! the events into batches.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::arrow::buffer::Buffer;
use datafusion::common::Result;

use crate::algorithms::units::SECOND;
use crate::formats::log::batches::BatchBuilder;
use crate::formats::log::counters::TableCounters;
use crate::formats::log::event_splitter::EventSplitter;
use crate::formats::log::spec::LogSpec;
use crate::streams::source::{Polled, ReadRows};

/// A batch is as large as what was read at once: nothing is held back for more rows.
const BATCH_ROWS: usize = usize::MAX;
/// A program writes the lines of one event at once. What has not come within a second does not
/// belong to it.
const EVENT_TIMEOUT: i64 = SECOND;

/// A log that is being read.
#[derive(Debug)]
pub(crate) struct GrowingLog {
    cutter: EventSplitter,
    builder: BatchBuilder,
    counters: Arc<TableCounters>,
}

impl GrowingLog {
    /// A log that is read from `offset` on, where line `line_number` begins. `name` is the value of
    /// column `file`.
    ///
    /// # Errors
    /// When a column is not in the table.
    pub(crate) fn try_new(
        spec: &LogSpec,
        columns: &[usize],
        name: &str,
        (offset, line_number): (u64, u64),
    ) -> Result<Self> {
        let start = Arc::clone(&spec.start);
        let max_event_bytes = spec.options.max_event_bytes;
        Ok(Self {
            cutter: EventSplitter::resume(start, max_event_bytes, offset, line_number),
            builder: BatchBuilder::try_new(spec, columns, BATCH_ROWS, name, DateTime::default())?,
            counters: Arc::clone(&spec.counters),
        })
    }

    /// Takes the next bytes, which were written about `written`. A line without its end is held.
    pub(crate) fn feed(&mut self, bytes: Vec<u8>, written: DateTime<Utc>) {
        let block = Buffer::from_vec(bytes);
        let Self {
            cutter, builder, ..
        } = self;
        builder.written_at(written);
        cutter.feed(&block, &mut |event| builder.push(event, &block));
        builder.end_block();
    }

    /// Ends an event of several lines, because nothing was written for a while.
    pub(crate) fn end_event(&mut self) {
        let no_block = Buffer::from_vec(Vec::<u8>::new());
        let Self {
            cutter, builder, ..
        } = self;
        cutter.end_event(&mut |event| builder.push(event, &no_block));
    }

    /// Ends the log: nothing more will be written, so the last line needs no line end.
    pub(crate) fn finish(&mut self) {
        let no_block = Buffer::from_vec(Vec::<u8>::new());
        let Self {
            cutter, builder, ..
        } = self;
        cutter.finish(&mut |event| builder.push(event, &no_block));
    }

    /// Whether an event of several lines is complete when nothing was written for this many
    /// nanoseconds.
    pub(crate) fn is_quiet_for(&self, nanoseconds: i64) -> bool {
        nanoseconds >= EVENT_TIMEOUT
    }

    /// Hands over the rows and counts since the last call.
    ///
    /// # Errors
    /// When the columns cannot be built, which does not happen for any text.
    pub(crate) fn hand_over(&mut self, partition: u64, polled: &mut Polled) -> Result<()> {
        self.builder.finish_batch();
        for rows in self.builder.take_ready() {
            polled.pieces.push(ReadRows {
                partition,
                rows: rows?,
            });
        }
        let mut counts = self.builder.take_counts();
        counts.cut = self.cutter.take_counts();
        polled.malformed += counts.unmatched;
        self.counters.add(&counts);
        Ok(())
    }

    /// The offsets, since the last call, at which events were cut because nothing followed in time,
    /// although more came later.
    pub(crate) fn take_cuts(&mut self) -> Vec<u64> {
        self.cutter.take_cuts()
    }

    /// Offset and number of the first line that is in no row yet.
    pub(crate) fn position(&self) -> (u64, u64) {
        self.cutter.position()
    }
}
