//! Events of one text format as rows. Its pattern is matched here, and only if a column of the query
//! needs it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::arrow::array::{Array, ArrayRef, TimestampNanosecondArray};
use datafusion::arrow::buffer::Buffer;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use memchr::memchr;

use crate::formats::log::columns::ColumnSource;
use crate::formats::log::counters::EventCounts;
use crate::formats::log::extractor::{Extractor, Found};
use crate::formats::log::known_formats::KnownFormat;
use crate::formats::log::string_column::{StringColumn, Text};
use crate::formats::log::timestamp::{TimeMemory, TimestampReader};

/// Builds the columns of a query from events of one format, or of none.
#[derive(Debug)]
pub(crate) struct TextRows {
    columns: Vec<TextColumn>,
    format: Option<TextFormat>,
    /// Whether it matters that an event has the format.
    is_matched: bool,
    timestamps: TimestampReader,
    memory: TimeMemory,
    /// When the file was last written.
    written: DateTime<Utc>,
}

#[derive(Debug)]
struct TextFormat {
    known: Arc<KnownFormat>,
    extractor: Extractor,
    /// The values of the event, one for each column.
    found: Vec<Found>,
    /// Whether the pattern is for the first line, and the others belong to the message.
    is_of_first_line: bool,
}

#[derive(Debug)]
enum TextColumn {
    Message(StringColumn),
    Raw(StringColumn),
    Level(StringColumn),
    /// A value, kept as text that is cast to the type at the end of a batch.
    Value(StringColumn, DataType),
    Time(Vec<Option<i64>>, DataType),
}

impl TextColumn {
    fn new(source: &ColumnSource, data_type: &DataType) -> Self {
        match (source, data_type) {
            (ColumnSource::Message, _) => Self::Message(StringColumn::new()),
            (ColumnSource::Raw, _) => Self::Raw(StringColumn::new()),
            (ColumnSource::Level, _) => Self::Level(StringColumn::new()),
            (_, DataType::Timestamp(..)) => Self::Time(Vec::new(), data_type.clone()),
            _ => Self::Value(StringColumn::new(), data_type.clone()),
        }
    }
}

impl TextRows {
    /// Rows for these columns (name, source, type), which come from the text of the event.
    pub(crate) fn new<'a>(
        columns: impl Iterator<Item = (&'a str, &'a ColumnSource, &'a DataType)> + Clone,
        format: Option<&Arc<KnownFormat>>,
        timestamps: &TimestampReader,
        written: DateTime<Utc>,
    ) -> Self {
        let names = columns.clone().map(|(name, source, _)| (name, source));
        let columns: Vec<_> = columns
            .map(|(_, source, data_type)| TextColumn::new(source, data_type))
            .collect();
        let format = format.map(|known| TextFormat {
            extractor: Extractor::new(known, names),
            found: vec![Found::None; columns.len()],
            is_of_first_line: known.is_of_first_line(),
            known: Arc::clone(known),
        });
        let is_needed = |format: &TextFormat| format.extractor.is_needed();
        Self {
            columns,
            is_matched: format.as_ref().is_some_and(is_needed),
            format,
            timestamps: timestamps.clone(),
            memory: TimeMemory::default(),
            written,
        }
    }

    /// The same rows, which find the format of every event even if no column needs it.
    #[must_use]
    pub(crate) fn always_matched(mut self) -> Self {
        self.is_matched = self.format.is_some();
        self
    }

    /// Whether the format of events is found, so that those without it are counted.
    pub(crate) fn is_matched(&self) -> bool {
        self.is_matched
    }

    /// Sets about when later events were written.
    pub(crate) fn written_at(&mut self, written: DateTime<Utc>) {
        self.written = written;
    }

    pub(crate) fn end_block(&mut self) {
        for column in &mut self.columns {
            match column {
                TextColumn::Message(strings)
                | TextColumn::Raw(strings)
                | TextColumn::Level(strings)
                | TextColumn::Value(strings, _) => strings.end_block(),
                TextColumn::Time(..) => {}
            }
        }
    }

    /// Appends an event if it has the format.
    pub(crate) fn push(
        &mut self,
        event: Text<'_>,
        block: &Buffer,
        counts: &mut EventCounts,
    ) -> bool {
        let Some(format) = self.format.as_mut().filter(|_| self.is_matched) else {
            return false;
        };
        let line = match memchr(b'\n', event.text.as_bytes()) {
            Some(end) if format.is_of_first_line => &event.text[..end],
            _ => event.text,
        };
        if !format.extractor.find(line, &mut format.found) {
            return false;
        }
        let Self {
            columns,
            format: Some(format),
            timestamps,
            memory,
            written,
            ..
        } = self
        else {
            return false;
        };
        for (column, found) in columns.iter_mut().zip(&format.found) {
            let value = match found {
                Found::None => None,
                Found::Part(start, end) => Some(event.part(*start, *end)),
                Found::Text(text) => Some(Text { text, place: None }),
            };
            match column {
                TextColumn::Message(strings) => match format.known.partial() {
                    Some(_) if line.len() < event.text.len() => {
                        let message = joined(event.text, &format.known);
                        strings.push_owned(&message);
                    }
                    _ => push_message(strings, event, line.len(), found, block),
                },
                TextColumn::Raw(strings) => strings.push(event, block),
                TextColumn::Level(strings) => match value {
                    None => strings.push_null(),
                    Some(value) => match format.known.levels.level(value.text) {
                        level if level.len() == value.text.len() => strings.push(value, block),
                        level => strings.push_owned(level),
                    },
                },
                TextColumn::Value(strings, data_type) => match value {
                    Some(value) if format.known.is_none(value.text) => strings.push_null(),
                    None => strings.push_null(),
                    Some(value) if data_type.is_string() => strings.push(value, block),
                    // The cast alone would not accept " 42" as a number.
                    Some(value) => strings.push_owned(value.text.trim()),
                },
                TextColumn::Time(times, _) => {
                    let time =
                        value.and_then(|value| timestamps.read(value.text, *written, memory));
                    if let (Some(value), None) = (value, time) {
                        counts.add_unread_times(1, || Some(value.text));
                    }
                    times.push(time);
                }
            }
        }
        true
    }

    /// Appends an event that has no known format: it is its own message.
    pub(crate) fn push_unknown(&mut self, event: Text<'_>, block: &Buffer) {
        for column in &mut self.columns {
            match column {
                TextColumn::Message(strings) | TextColumn::Raw(strings) => {
                    strings.push(event, block)
                }
                TextColumn::Level(strings) | TextColumn::Value(strings, _) => strings.push_null(),
                TextColumn::Time(times, _) => times.push(None),
            }
        }
    }

    /// The columns, in the order in which they were requested.
    ///
    /// # Errors
    /// When Arrow refuses a cast, which was checked at CREATE.
    pub(crate) fn finish(&mut self, counts: &mut EventCounts) -> Result<Vec<ArrayRef>> {
        let mut arrays = Vec::with_capacity(self.columns.len());
        for column in &mut self.columns {
            arrays.push(match column {
                TextColumn::Message(strings)
                | TextColumn::Raw(strings)
                | TextColumn::Level(strings) => Arc::new(strings.finish()),
                TextColumn::Value(strings, data_type) => {
                    cast_counted(Arc::new(strings.finish()), data_type, counts)?
                }
                TextColumn::Time(times, data_type) => time_array(std::mem::take(times), data_type)?,
            });
        }
        Ok(arrays)
    }
}

/// Appends the message of an event: its value, or the whole event if there is none. A message in
/// the first line of an event takes the other lines with it.
fn push_message(
    strings: &mut StringColumn,
    event: Text<'_>,
    first_line: usize,
    found: &Found,
    block: &Buffer,
) {
    let text = event.text;
    let rest = &text[first_line..];
    match found {
        Found::None => strings.push(event, block),
        Found::Part(start, end) if *end == first_line || rest.is_empty() => {
            let ends_first_line =
                text.as_bytes().get(*end) == Some(&b'\n') && !text[..*end].contains('\n');
            let end = if ends_first_line { text.len() } else { *end };
            strings.push(event.part(*start, end), block);
        }
        Found::Part(start, end) => strings.push_owned(&format!("{}{rest}", &text[*start..*end])),
        Found::Text(message) if rest.is_empty() => strings.push_owned(message),
        Found::Text(message) => strings.push_owned(&format!("{message}{rest}")),
    }
}

/// The message of an event that was written in parts, each with a head of its own.
fn joined(event: &str, format: &KnownFormat) -> String {
    let parts = event.lines().map(|line| {
        let head = format.head().find(line.as_bytes());
        head.map_or(line, |head| line.get(head.end()..).unwrap_or_default())
    });
    parts.collect()
}

/// Nanoseconds in UTC as a column of this timestamp type.
///
/// # Errors
/// When Arrow cannot cast to this type.
pub(crate) fn time_array(times: Vec<Option<i64>>, data_type: &DataType) -> Result<ArrayRef> {
    let times: ArrayRef = Arc::new(TimestampNanosecondArray::from(times).with_timezone("UTC"));
    if times.data_type() == data_type {
        Ok(times)
    } else {
        Ok(cast(&times, data_type)?)
    }
}

/// Text as a column of this type; text that does not parse becomes NULL and is counted.
fn cast_counted(
    strings: ArrayRef,
    data_type: &DataType,
    counts: &mut EventCounts,
) -> Result<ArrayRef> {
    if strings.data_type() == data_type {
        return Ok(strings);
    }
    let array = cast(&strings, data_type)?;
    counts.uncast += array.null_count().saturating_sub(strings.null_count()) as u64;
    Ok(array)
}
