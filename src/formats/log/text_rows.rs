//! Events as rows of a text table. The pattern is matched here, and only if a column of the query
//! needs it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::arrow::array::{Array, ArrayRef, TimestampNanosecondArray};
use datafusion::arrow::buffer::Buffer;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use regex::{CaptureLocations, Regex};

use crate::formats::log::columns::{ColumnSource, MESSAGE};
use crate::formats::log::counters::EventCounts;
use crate::formats::log::string_column::{StringColumn, Text};
use crate::formats::log::timestamp::TimestampReader;

/// Builds the text columns of a query.
#[derive(Debug)]
pub(crate) struct TextRows {
    columns: Vec<TextColumn>,
    /// The pattern, if a column needs it, with space for the locations of its groups.
    pattern: Option<(Regex, CaptureLocations)>,
    message_group: Option<usize>,
    timestamps: TimestampReader,
    /// When the file was last written.
    written: DateTime<Utc>,
}

#[derive(Debug)]
enum TextColumn {
    Message(StringColumn),
    /// A group, kept as text that is cast to the type at the end of a batch.
    Group(usize, StringColumn, DataType),
    Time(usize, Vec<Option<i64>>, DataType),
}

impl TextColumn {
    fn new(source: &ColumnSource, data_type: &DataType) -> Option<Self> {
        match (source, data_type) {
            (ColumnSource::Message | ColumnSource::MessageOrMsg, _) => {
                Some(Self::Message(StringColumn::new()))
            }
            (ColumnSource::Group(index), DataType::Timestamp(..)) => {
                Some(Self::Time(*index, Vec::new(), data_type.clone()))
            }
            (ColumnSource::Group(index), _) => {
                Some(Self::Group(*index, StringColumn::new(), data_type.clone()))
            }
            _ => None,
        }
    }
}

impl TextRows {
    /// Rows for these columns; columns that do not come from the text of the event are skipped.
    pub(crate) fn new<'a>(
        columns: impl Iterator<Item = (&'a ColumnSource, &'a DataType)>,
        pattern: Option<&Regex>,
        timestamps: &TimestampReader,
        written: DateTime<Utc>,
    ) -> Self {
        let columns: Vec<_> = columns
            .filter_map(|(source, data_type)| TextColumn::new(source, data_type))
            .collect();
        let message_group =
            pattern.and_then(|regex| regex.capture_names().position(|name| name == Some(MESSAGE)));
        let needs_pattern = |column: &TextColumn| match column {
            TextColumn::Message(_) => message_group.is_some(),
            TextColumn::Group(..) | TextColumn::Time(..) => true,
        };
        let pattern = pattern
            .filter(|_| columns.iter().any(needs_pattern))
            .map(|regex| (regex.clone(), regex.capture_locations()));
        Self {
            columns,
            pattern,
            message_group,
            timestamps: timestamps.clone(),
            written,
        }
    }

    /// Whether the text of the events is not needed at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// Sets about when later events were written.
    pub(crate) fn written_at(&mut self, written: DateTime<Utc>) {
        self.written = written;
    }

    pub(crate) fn end_block(&mut self) {
        for column in &mut self.columns {
            match column {
                TextColumn::Message(strings) | TextColumn::Group(_, strings, _) => {
                    strings.end_block()
                }
                TextColumn::Time(..) => {}
            }
        }
    }

    /// Appends an event.
    pub(crate) fn push(&mut self, event: Text<'_>, block: &Buffer, counts: &mut EventCounts) {
        let groups = match &mut self.pattern {
            None => None,
            Some((regex, groups)) => {
                let is_match = regex.captures_read(groups, event.text).is_some();
                counts.unmatched += u64::from(!is_match);
                is_match.then_some(&*groups)
            }
        };
        let group = |index: usize| groups.and_then(|groups| groups.get(index));
        for column in &mut self.columns {
            match column {
                TextColumn::Message(strings) => {
                    let span = self.message_group.and_then(group);
                    strings.push(message(event, span), block);
                }
                TextColumn::Group(index, strings, data_type) => match group(*index) {
                    None => strings.push_null(),
                    Some((start, end)) if data_type.is_string() => {
                        strings.push(event.part(start, end), block);
                    }
                    // The cast alone would not accept " 42" as a number.
                    Some((start, end)) => strings.push(
                        Text {
                            text: event.text[start..end].trim(),
                            place: None,
                        },
                        block,
                    ),
                },
                TextColumn::Time(index, times, _) => {
                    let text = group(*index).map(|(start, end)| &event.text[start..end]);
                    let time = text.and_then(|text| self.timestamps.read(text, self.written));
                    counts.uncast += u64::from(text.is_some() && time.is_none());
                    times.push(time);
                }
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
                TextColumn::Message(strings) => Arc::new(strings.finish()),
                TextColumn::Group(_, strings, data_type) => {
                    cast_counted(Arc::new(strings.finish()), data_type, counts)?
                }
                TextColumn::Time(_, times, data_type) => {
                    time_array(std::mem::take(times), data_type)?
                }
            });
        }
        Ok(arrays)
    }
}

/// The message of an event: the group, or the whole event if there is no group. A group that ends
/// with the first line of a multi-line event takes the other lines with it.
fn message(event: Text<'_>, group: Option<(usize, usize)>) -> Text<'_> {
    match group {
        None => event,
        Some((start, end)) if event.text.as_bytes().get(end) == Some(&b'\n') => {
            let ends_first_line = !event.text[..end].contains('\n');
            event.part(
                start,
                if ends_first_line {
                    event.text.len()
                } else {
                    end
                },
            )
        }
        Some((start, end)) => event.part(start, end),
    }
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
