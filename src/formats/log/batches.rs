//! Turns events into record batches: only the columns that a query asks for are built.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::arrow::array::{
    Array, ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, StringViewArray, UInt32Array,
};
use datafusion::arrow::buffer::Buffer;
use datafusion::arrow::compute::{interleave, take};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::{Result, internal_datafusion_err};

use crate::formats::log::columns::ColumnSource;
use crate::formats::log::counters::EventCounts;
use crate::formats::log::event_splitter::Event;
use crate::formats::log::json_rows::JsonRows;
use crate::formats::log::spec::{LogSpec, Shape};
use crate::formats::log::string_column::Text;
use crate::formats::log::text_rows::TextRows;

/// A batch ends after this many blocks (16 MiB of text), full or not. Its rows keep the blocks
/// alive: with events of 1 MiB, a batch of DataFusion's 8,192 rows would hold 8 GiB.
const MAX_BLOCKS_PER_BATCH: usize = 16;

/// The columns that are built from the text of events of one format.
#[derive(Debug)]
enum FormatRows {
    Text(Box<TextRows>),
    Json(Box<JsonRows>),
}

impl FormatRows {
    /// Appends an event if it has the format.
    fn push(&mut self, event: Text<'_>, block: &Buffer, counts: &mut EventCounts) -> bool {
        match self {
            Self::Text(rows) => rows.push(event, block, counts),
            Self::Json(rows) => {
                let is_object = event.text.trim_start().starts_with('{');
                if is_object {
                    rows.push(event, block);
                }
                is_object
            }
        }
    }

    /// Appends an event that no format has.
    fn push_unknown(&mut self, event: Text<'_>, block: &Buffer, counts: &mut EventCounts) {
        match self {
            Self::Text(rows) => {
                if rows.is_matched() {
                    counts.add_unmatched(event.text);
                }
                rows.push_unknown(event, block);
            }
            // Counted when it is decoded.
            Self::Json(rows) => rows.push(event, block),
        }
    }

    fn written_at(&mut self, written: DateTime<Utc>) {
        match self {
            Self::Text(rows) => rows.written_at(written),
            Self::Json(rows) => rows.written_at(written),
        }
    }

    fn end_block(&mut self) {
        match self {
            Self::Text(rows) => rows.end_block(),
            Self::Json(rows) => rows.end_block(),
        }
    }

    fn finish(&mut self, counts: &mut EventCounts) -> Result<Vec<ArrayRef>> {
        match self {
            Self::Text(rows) => rows.finish(counts),
            Self::Json(rows) => rows.finish(counts),
        }
    }
}

/// The rows of each format of a table, and in which order they came.
#[derive(Debug)]
struct EventColumns {
    formats: Vec<(String, FormatRows)>,
    /// For each row the format, if there are several or the query asks for it, and whether the
    /// event has it.
    order: Vec<(usize, bool)>,
    keeps_order: bool,
}

impl EventColumns {
    fn push(&mut self, event: Text<'_>, block: &Buffer, counts: &mut EventCounts) {
        let mut formats = self.formats.iter_mut().enumerate();
        let format =
            formats.find_map(|(index, (_, rows))| rows.push(event, block, counts).then_some(index));
        if format.is_none()
            && let Some((_, rows)) = self.formats.first_mut()
        {
            rows.push_unknown(event, block, counts);
        }
        if self.keeps_order {
            self.order.push((format.unwrap_or(0), format.is_some()));
        }
    }

    /// The columns of the text, and that of the names of formats.
    fn finish(&mut self, counts: &mut EventCounts) -> Result<(Vec<ArrayRef>, ArrayRef)> {
        let order = std::mem::take(&mut self.order);
        let names = order.iter().map(|(format, is_known)| {
            is_known.then(|| self.formats.get(*format).map(|(name, _)| name.as_str()))?
        });
        let names: ArrayRef = Arc::new(StringViewArray::from_iter(names));
        let mut columns = Vec::with_capacity(self.formats.len());
        for (_, rows) in &mut self.formats {
            columns.push(rows.finish(counts)?);
        }
        if columns.len() <= 1 {
            return Ok((columns.pop().unwrap_or_default(), names));
        }
        let mut n_rows = vec![0; columns.len()];
        let places: Vec<_> = order
            .iter()
            .map(|(format, _)| {
                n_rows[*format] += 1;
                (*format, n_rows[*format] - 1)
            })
            .collect();
        let n_columns = columns.first().map_or(0, Vec::len);
        let interleaved = (0..n_columns).map(|index| {
            let arrays: Vec<&dyn Array> = columns.iter().map(|of| of[index].as_ref()).collect();
            Ok(interleave(&arrays, &places)?)
        });
        Ok((interleaved.collect::<Result<_>>()?, names))
    }
}

/// Builds the batches of one file.
#[derive(Debug)]
pub(crate) struct BatchBuilder {
    schema: SchemaRef,
    sources: Vec<ColumnSource>,
    content: EventColumns,
    /// Whether any column comes from the text of the events.
    needs_text: bool,
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
        let from_text = schema.fields().iter().zip(&sources);
        let from_text = from_text.filter(|(_, source)| source.is_from_text());
        let from_text =
            from_text.map(|(field, source)| (field.name().as_str(), source, field.data_type()));
        let keeps_order = spec.formats.len() > 1 || sources.contains(&ColumnSource::Format);
        let formats = spec.formats.iter().map(|format| {
            let columns = from_text.clone();
            let times = &format.timestamps;
            let rows = match &format.shape {
                Shape::Json(mapping) => {
                    let known = spec.fields_with_columns(mapping);
                    let rows = JsonRows::new(columns, mapping, known, times, written);
                    FormatRows::Json(Box::new(rows))
                }
                shape => {
                    let known = match shape {
                        Shape::Text(known) => Some(known),
                        _ => None,
                    };
                    let rows = TextRows::new(columns, known, times, written);
                    let rows = if keeps_order {
                        rows.always_matched()
                    } else {
                        rows
                    };
                    FormatRows::Text(Box::new(rows))
                }
            };
            (format.name.clone(), rows)
        });
        let content = EventColumns {
            formats: formats.collect(),
            order: vec![],
            keeps_order,
        };
        let numbers_lines = sources.contains(&ColumnSource::LineNumber);
        let is_used =
            |source: &ColumnSource| source.is_from_text() || *source == ColumnSource::Format;
        Ok(Self {
            needs_text: sources.iter().any(is_used),
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
        if self.needs_text {
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
        self.content.push(text, block, &mut self.counts);
    }

    /// Sets about when later events were written: this gives the year of times that do not name
    /// one.
    pub(crate) fn written_at(&mut self, written: DateTime<Utc>) {
        for (_, rows) in &mut self.content.formats {
            rows.written_at(written);
        }
    }

    /// Ends the block: places of later events are offsets into the next one.
    pub(crate) fn end_block(&mut self) {
        for (_, rows) in &mut self.content.formats {
            rows.end_block();
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
        let (content, names) = if self.needs_text {
            self.content.finish(&mut self.counts)?
        } else {
            let names = StringViewArray::new_null(self.n_rows);
            (Vec::new(), Arc::new(names) as ArrayRef)
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
                ColumnSource::Format => Arc::clone(&names),
                _ => content.next().ok_or_else(|| {
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
