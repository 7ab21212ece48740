//! Events as rows of a JSON table: one object per line, read by arrow-json.
//!
//! A batch is decoded at once. If something in it does not fit, the offending lines are rewritten:
//! a line that is not an object, or is nested too deeply, becomes a row of NULLs, and a value that
//! does not fit its column becomes NULL. Both are counted, and no line ever fails the scan. In a
//! TEXT column a number or a boolean is its text, and an object or an array is its JSON text.

use std::borrow::Cow;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringViewArray, StringViewBuilder,
};
use datafusion::arrow::buffer::Buffer;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::json::ReaderBuilder;
use datafusion::arrow::json::reader::Decoder;
use datafusion::common::{Result, internal_datafusion_err, internal_err};
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::formats::log::columns::{ColumnSource, MSG};
use crate::formats::log::counters::EventCounts;
use crate::formats::log::json_nesting::is_too_deep;
use crate::formats::log::string_column::{StringColumn, Text};
use crate::formats::log::text_rows::time_array;
use crate::formats::log::timestamp::TimestampReader;

/// The number of lines that are decoded together to find the ones to rewrite: few enough that the
/// others cost little extra.
const REPAIR_LINES: usize = 16;

/// Builds the columns of a query that come from the objects.
#[derive(Debug)]
pub(crate) struct JsonRows {
    /// The lines of the batch.
    lines: StringColumn,
    columns: Vec<JsonColumn>,
    /// The schema that arrow-json is asked for, in the order of `columns`: times are read as text.
    schema: SchemaRef,
    /// The index of the field `msg` in `schema`, if the message may come from it.
    msg_index: Option<usize>,
    timestamps: TimestampReader,
    /// When the file was last written.
    written: DateTime<Utc>,
}

#[derive(Debug)]
enum JsonColumn {
    Message,
    Field,
    /// A whole number. arrow-json would silently turn 1.5 into 1, so it is read as text.
    Whole(DataType),
    Time(DataType),
}

impl JsonRows {
    /// Rows for these columns (name, source, type); columns that do not come from the object are
    /// skipped.
    pub(crate) fn new<'a>(
        columns: impl Iterator<Item = (&'a str, &'a ColumnSource, &'a DataType)>,
        timestamps: &TimestampReader,
        written: DateTime<Utc>,
    ) -> Self {
        let mut kinds = Vec::new();
        let mut fields = Vec::new();
        let mut may_be_in_msg = false;
        for (name, source, data_type) in columns {
            let (kind, read_as) = match (source, data_type) {
                (ColumnSource::Message | ColumnSource::MessageOrMsg, _) => {
                    may_be_in_msg |= *source == ColumnSource::MessageOrMsg;
                    (JsonColumn::Message, DataType::Utf8View)
                }
                (ColumnSource::Field, DataType::Timestamp(..)) => {
                    (JsonColumn::Time(data_type.clone()), DataType::Utf8View)
                }
                (ColumnSource::Field, data_type) if is_within_i64(data_type) => {
                    (JsonColumn::Whole(data_type.clone()), DataType::Utf8View)
                }
                (ColumnSource::Field, _) => (JsonColumn::Field, data_type.clone()),
                _ => continue,
            };
            kinds.push(kind);
            fields.push(Field::new(name, read_as, true));
        }
        let msg_index = may_be_in_msg.then(|| msg_index(&mut fields));
        Self {
            msg_index,
            lines: StringColumn::new(),
            columns: kinds,
            schema: Arc::new(Schema::new(fields)),
            timestamps: timestamps.clone(),
            written,
        }
    }

    /// Whether the text of the lines is not needed at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// Sets about when later events were written.
    pub(crate) fn written_at(&mut self, written: DateTime<Utc>) {
        self.written = written;
    }

    pub(crate) fn end_block(&mut self) {
        self.lines.end_block();
    }

    /// Appends a line.
    pub(crate) fn push(&mut self, line: Text<'_>, block: &Buffer) {
        self.lines.push(line, block);
    }

    /// The field `message` if it is not NULL, otherwise the field `msg`, otherwise the line.
    fn messages(
        &self,
        batch: &RecordBatch,
        fields: &ArrayRef,
        lines: &StringViewArray,
    ) -> Result<ArrayRef> {
        let fields = fields.as_string_view();
        let Some(index) = self.msg_index else {
            return Ok(Arc::new(first_of(fields, lines)));
        };
        // A declared column may have another string type.
        let msg = cast(batch.column(index), &DataType::Utf8View)?;
        let fields = first_of(fields, msg.as_string_view());
        Ok(Arc::new(first_of(&fields, lines)))
    }

    /// The columns, in the order in which they were requested.
    ///
    /// # Errors
    /// When arrow-json refuses what it accepted before.
    pub(crate) fn finish(&mut self, counts: &mut EventCounts) -> Result<Vec<ArrayRef>> {
        let lines = self.lines.finish();
        let texts = (0..lines.len()).map(|row_idx| lines.value(row_idx));
        let batch = match decode_lines(&self.schema, texts) {
            Some((batch, unmatched)) => {
                counts.unmatched += unmatched;
                batch
            }
            None => decode_repaired(&self.schema, &lines, counts)?,
        };
        if batch.num_rows() != lines.len() {
            return internal_err!("{} lines became {} rows", lines.len(), batch.num_rows());
        }
        let finish = |(column, array): (&JsonColumn, &ArrayRef)| match column {
            JsonColumn::Field => Ok(Arc::clone(array)),
            JsonColumn::Message => self.messages(&batch, array, &lines),
            JsonColumn::Whole(data_type) => {
                let texts = array.as_string_view();
                let numbers: Int64Array = texts.iter().map(|text| whole_number(text?)).collect();
                let numbers = cast(&numbers, data_type)?;
                counts.uncast += numbers.null_count().saturating_sub(texts.null_count()) as u64;
                Ok(numbers)
            }
            JsonColumn::Time(data_type) => {
                let texts = array.as_string_view();
                let times = texts
                    .iter()
                    .map(|text| self.timestamps.read(text?, self.written));
                let times: Vec<_> = times.collect();
                let missing = times.iter().filter(|time| time.is_none()).count();
                counts.uncast += missing.saturating_sub(texts.null_count()) as u64;
                time_array(times, data_type)
            }
        };
        self.columns
            .iter()
            .zip(batch.columns())
            .map(finish)
            .collect()
    }
}

/// The index of the field `msg` among the fields to read; it is added if it is missing.
fn msg_index(fields: &mut Vec<Field>) -> usize {
    match fields.iter().position(|field| field.name() == MSG) {
        Some(index) => index,
        None => {
            fields.push(Field::new(MSG, DataType::Utf8View, true));
            fields.len() - 1
        }
    }
}

fn is_within_i64(data_type: &DataType) -> bool {
    data_type.is_integer() && *data_type != DataType::UInt64
}

/// Parses `7`, and also `7.0` and `7e2`, but not `7.5`.
fn whole_number(text: &str) -> Option<i64> {
    let text = text.trim();
    text.parse().ok().or_else(|| {
        // Beyond 2^53 a float cannot distinguish neighbouring whole numbers.
        let number: f64 = text
            .parse()
            .ok()
            .filter(|number: &f64| number.abs() < 9_007_199_254_740_992.0)?;
        let is_whole = number.trunc().to_bits() == number.to_bits();
        is_whole.then(|| format!("{number:.0}").parse().ok())?
    })
}

/// The first text if it is not NULL, otherwise the second.
fn first_of(first: &StringViewArray, second: &StringViewArray) -> StringViewArray {
    if first.null_count() == 0 {
        return first.clone();
    }
    if first.null_count() == first.len() {
        return second.clone();
    }
    let mut builder = StringViewBuilder::with_capacity(first.len());
    for (first, second) in first.iter().zip(second) {
        builder.append_option(first.or(second));
    }
    builder.finish()
}

/// A decoder for rows of `schema`.
///
/// # Errors
/// When arrow-json cannot read a type of the schema.
pub(crate) fn decoder(schema: &SchemaRef, n_rows: usize) -> Result<Decoder> {
    let builder = ReaderBuilder::new(Arc::clone(schema)).with_coerce_primitive(true);
    Ok(builder.with_batch_size(n_rows + 1).build_decoder()?)
}

/// The fast path. Also returns the number of lines that are plain text; `None` if any other line is
/// not exactly one object, or any value does not fit.
fn decode_lines<'a>(
    schema: &SchemaRef,
    lines: impl ExactSizeIterator<Item = &'a str>,
) -> Option<(RecordBatch, u64)> {
    let mut decoder = decoder(schema, lines.len()).ok()?;
    let mut unmatched = 0;
    for (row_idx, line) in lines.enumerate() {
        let mut object = line.trim();
        // Plain text between JSON lines is common (a start-up banner, a stack trace), so it stays
        // on this path.
        if !object.starts_with('{') || is_too_deep(object) {
            object = "{}";
            unmatched += 1;
        }
        let n_bytes = decoder.decode(object.as_bytes()).ok()?;
        let is_one_object = n_bytes == object.len()
            && !decoder.has_partial_record()
            && decoder.len() == row_idx + 1;
        if !is_one_object {
            return None;
        }
    }
    let batch = decoder.flush().ok()??;
    Some((batch, unmatched))
}

/// The slow path: only the lines that do not decode are rewritten, so a row never depends on its
/// neighbours.
fn decode_repaired(
    schema: &SchemaRef,
    lines: &StringViewArray,
    counts: &mut EventCounts,
) -> Result<RecordBatch> {
    let mut texts: Vec<Cow<'_, str>> = lines
        .iter()
        .map(|line| Cow::Borrowed(line.unwrap_or_default()))
        .collect();
    for chunk in texts.chunks_mut(REPAIR_LINES) {
        if decode_lines(schema, chunk.iter().map(Cow::as_ref)).is_some() {
            continue;
        }
        for text in chunk.iter_mut().filter(|text| !fits(schema, text)) {
            *text = Cow::Owned(repaired(schema, text, counts));
        }
    }
    let (batch, unmatched) = decode_lines(schema, texts.iter().map(Cow::as_ref))
        .ok_or_else(|| internal_datafusion_err!("{} JSON lines became no batch", texts.len()))?;
    counts.unmatched += unmatched;
    Ok(batch)
}

fn fits(schema: &SchemaRef, line: &str) -> bool {
    decode_lines(schema, std::iter::once(line)).is_some()
}

/// The line as an object that decodes: nested values of TEXT columns become text, and values that
/// do not fit are left out.
fn repaired(schema: &SchemaRef, line: &str, counts: &mut EventCounts) -> String {
    let Some(values) = wanted_values(schema, line) else {
        counts.unmatched += 1;
        return "{}".to_string();
    };
    let mut fields = Vec::new();
    for (idx, (field, value)) in schema.fields().iter().zip(values).enumerate() {
        let Some(value) = value else { continue };
        let is_nested = value.starts_with(['{', '[']);
        let value = if is_nested && field.data_type().is_string() {
            Value::from(without_white_space(value)).to_string()
        } else {
            value.to_string()
        };
        fields.push((
            idx,
            format!("{}:{value}", Value::from(field.name().as_str())),
        ));
    }
    let object = object_of(&fields);
    if fits(schema, &object) {
        return object;
    }
    let n_fields = fields.len();
    fields.retain(|field| {
        let alone = schema.project(&[field.0]);
        alone.is_ok_and(|alone| fits(&Arc::new(alone), &object_of(std::slice::from_ref(field))))
    });
    counts.uncast += (n_fields - fields.len()) as u64;
    object_of(&fields)
}

fn object_of(fields: &[(usize, String)]) -> String {
    let fields: Vec<&str> = fields.iter().map(|(_, field)| field.as_str()).collect();
    format!("{{{}}}", fields.join(","))
}

/// The raw text of the value of each field of the schema (serde_json's `Value` would round
/// numbers); `None` if the line is not exactly one object.
fn wanted_values<'a>(schema: &SchemaRef, line: &'a str) -> Option<Vec<Option<&'a str>>> {
    let mut values = vec![None; schema.fields().len()];
    let mut rest = line.trim().strip_prefix('{')?.trim_start();
    if let Some(rest) = rest.strip_prefix('}') {
        return rest.is_empty().then_some(values);
    }
    loop {
        let (name, after) = take_value(rest)?;
        let after = after.trim_start().strip_prefix(':')?.trim_start();
        let (value, after) = take_value(after)?;
        let name: String = serde_json::from_str(name).ok()?;
        // As on the fast path, the last of several equal names counts.
        if let Some(slot) = schema.index_of(&name).ok().and_then(|i| values.get_mut(i)) {
            *slot = Some(value);
        }
        rest = after.trim_start();
        if let Some(rest) = rest.strip_prefix('}') {
            return rest.is_empty().then_some(values);
        }
        rest = rest.strip_prefix(',')?.trim_start();
    }
}

/// The JSON value at the start of the text, and the text after it.
fn take_value(text: &str) -> Option<(&str, &str)> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    values.next()?.ok()?;
    text.split_at_checked(values.byte_offset())
}

/// JSON text without the white space between its tokens.
fn without_white_space(json: &str) -> String {
    let (mut is_in_string, mut is_escaped) = (false, false);
    let keep = |symbol: &char| {
        let was_in_string = is_in_string;
        if *symbol == '"' && !is_escaped {
            is_in_string = !is_in_string;
        }
        is_escaped = was_in_string && *symbol == '\\' && !is_escaped;
        was_in_string || !symbol.is_ascii_whitespace()
    };
    json.chars().filter(keep).collect()
}
