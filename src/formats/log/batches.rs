//! Turns events into record batches: only the columns that a query asks for are built.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::arrow::array::{
    ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, StringViewArray, UInt32Array,
};
use datafusion::arrow::buffer::Buffer;
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::{Result, internal_datafusion_err};

use crate::formats::log::columns::ColumnSource;
use crate::formats::log::counters::EventCounts;
use crate::formats::log::event_splitter::Event;
use crate::formats::log::json_rows::JsonRows;
use crate::formats::log::log_options::LineFormat;
use crate::formats::log::spec::LogSpec;
use crate::formats::log::string_column::Text;
use crate::formats::log::text_rows::TextRows;

/// A batch ends after this many blocks (16 MiB of text), full or not. Its rows keep the blocks
/// alive: with events of 1 MiB, a batch of DataFusion's 8,192 rows would hold 8 GiB.
const MAX_BLOCKS_PER_BATCH: usize = 16;

/// The columns that are built from the text of the events.
#[derive(Debug)]
enum EventColumns {
    Text(TextRows),
    Json(JsonRows),
}

/// Builds the batches of one file.
#[derive(Debug)]
pub(crate) struct BatchBuilder {
    schema: SchemaRef,
    sources: Vec<ColumnSource>,
    content: EventColumns,
    /// The path of the file, as a column of one row.
    file: StringViewArray,
    /// The line numbers of the batch, if the query asks for them.
    line_numbers: Option<Vec<i64>>,
    n_rows: usize,
    /// Blocks used up since the batch began.
    n_blocks: usize,
    batch_rows: usize,
    counts: EventCounts,
    ready: Vec<Result<RecordBatch>>,
}

impl BatchBuilder {
    /// A builder for the columns of `spec` at the indices `projected`.
    ///
    /// # Errors
    /// When a column is not in the table.
    pub(crate) fn try_new(
        spec: &LogSpec,
        projected: &[usize],
        batch_rows: usize,
        file: &str,
        written: DateTime<Utc>,
    ) -> Result<Self> {
        let schema = Arc::new(spec.columns.schema.project(projected)?);
        let sources: Vec<_> = projected
            .iter()
            .filter_map(|&index| spec.columns.sources.get(index).cloned())
            .collect();
        let types = schema.fields().iter().map(|field| field.data_type());
        let timestamps = &spec.options.timestamps;
        let content = match spec.options.format {
            LineFormat::Text => {
                let pattern = spec.options.pattern.as_ref();
                let columns = sources.iter().zip(types);
                EventColumns::Text(TextRows::new(columns, pattern, timestamps, written))
            }
            LineFormat::Json => {
                let names = schema.fields().iter().map(|field| field.name().as_str());
                let columns = names.zip(&sources).zip(types);
                let columns = columns.map(|((name, source), data_type)| (name, source, data_type));
                EventColumns::Json(JsonRows::new(columns, timestamps, written))
            }
        };
        let numbers_lines = sources.contains(&ColumnSource::LineNumber);
        Ok(Self {
            schema,
            sources,
            content,
            file: StringViewArray::from_iter_values([file]),
            line_numbers: numbers_lines.then(Vec::new),
            n_rows: 0,
            n_blocks: 0,
            batch_rows: batch_rows.max(1),
            counts: EventCounts::default(),
            ready: Vec::new(),
        })
    }

    /// Appends an event, whose place is an offset into `block`.
    pub(crate) fn push(&mut self, event: Event<'_>, block: &Buffer) {
        let needs_text = match &self.content {
            EventColumns::Text(rows) => !rows.is_empty(),
            EventColumns::Json(rows) => !rows.is_empty(),
        };
        if needs_text {
            self.push_text(event, block);
        }
        if let Some(numbers) = &mut self.line_numbers {
            numbers.push(i64::try_from(event.line_number).unwrap_or(i64::MAX));
        }
        self.n_rows += 1;
        if self.n_rows == self.batch_rows {
            self.finish_batch();
        }
    }

    fn push_text(&mut self, event: Event<'_>, block: &Buffer) {
        let repaired;
        let text = match std::str::from_utf8(event.text) {
            Ok(text) => Text {
                text,
                place: event.place,
            },
            Err(_) => {
                self.counts.invalid_utf8 += 1;
                repaired = String::from_utf8_lossy(event.text);
                Text {
                    text: &repaired,
                    place: None,
                }
            }
        };
        match &mut self.content {
            EventColumns::Text(rows) => rows.push(text, block, &mut self.counts),
            EventColumns::Json(rows) => rows.push(text, block),
        }
    }

    /// Sets about when later events were written: this gives the year of times that do not name
    /// one.
    pub(crate) fn written_at(&mut self, written: DateTime<Utc>) {
        match &mut self.content {
            EventColumns::Text(rows) => rows.written_at(written),
            EventColumns::Json(rows) => rows.written_at(written),
        }
    }

    /// Ends the block: places of later events are offsets into the next one.
    pub(crate) fn end_block(&mut self) {
        match &mut self.content {
            EventColumns::Text(rows) => rows.end_block(),
            EventColumns::Json(rows) => rows.end_block(),
        }
        self.n_blocks += 1;
        if self.n_blocks == MAX_BLOCKS_PER_BATCH {
            self.finish_batch();
        }
    }

    /// Makes a batch of the remaining rows.
    pub(crate) fn finish_batch(&mut self) {
        if self.n_rows > 0 {
            let batch = self.batch();
            self.ready.push(batch);
            self.n_rows = 0;
        }
        self.n_blocks = 0;
    }

    /// The batches made since the last call.
    pub(crate) fn take_ready(&mut self) -> Vec<Result<RecordBatch>> {
        std::mem::take(&mut self.ready)
    }

    /// The counts since the last call.
    pub(crate) fn take_counts(&mut self) -> EventCounts {
        std::mem::take(&mut self.counts)
    }

    fn batch(&mut self) -> Result<RecordBatch> {
        let content = match &mut self.content {
            EventColumns::Text(rows) if rows.is_empty() => Vec::new(),
            EventColumns::Json(rows) if rows.is_empty() => Vec::new(),
            EventColumns::Text(rows) => rows.finish(&mut self.counts)?,
            EventColumns::Json(rows) => rows.finish(&mut self.counts)?,
        };
        let mut content = content.into_iter();
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.sources.len());
        for source in &self.sources {
            columns.push(match source {
                ColumnSource::File => {
                    take(&self.file, &UInt32Array::from(vec![0; self.n_rows]), None)?
                }
                ColumnSource::LineNumber => {
                    let numbers = self.line_numbers.as_mut().map(std::mem::take);
                    Arc::new(Int64Array::from(numbers.unwrap_or_default()))
                }
                ColumnSource::Message
                | ColumnSource::MessageOrMsg
                | ColumnSource::Group(_)
                | ColumnSource::Field => content.next().ok_or_else(|| {
                    internal_datafusion_err!("a column of a log table was not built")
                })?,
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(self.n_rows));
        Ok(RecordBatch::try_new_with_options(
            Arc::clone(&self.schema),
            columns,
            &options,
        )?)
    }
}
