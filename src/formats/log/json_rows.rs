//! Events as rows of a JSON table: one object per line, read by arrow-json.
//!
//! A batch is decoded at once. If something in it does not fit, the offending lines are rewritten:
//! a line that is not an object, or is nested too deeply, becomes a row of NULLs, and a value that
//! does not fit its column becomes NULL. Both are counted, and no line ever fails the scan. In a
//! TEXT column a number or a boolean is its text, and an object or an array is its JSON text.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringViewArray, StringViewBuilder,
    new_null_array,
};
use datafusion::arrow::buffer::Buffer;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::json::ReaderBuilder;
use datafusion::arrow::json::reader::Decoder;
use datafusion::common::{Result, internal_datafusion_err, internal_err};
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::formats::log::columns::ColumnSource;
use crate::formats::log::counters::EventCounts;
use crate::formats::log::json_mapping::{FieldPath, JsonMapping};
use crate::formats::log::json_nesting::is_too_deep;
use crate::formats::log::string_column::{StringColumn, Text};
use crate::formats::log::text_rows::time_array;
use crate::formats::log::timestamp::{TimeMemory, TimestampReader};

/// The number of lines that are decoded together to find the ones to rewrite: few enough that the
/// others cost little extra.
const REPAIR_LINES: usize = 16;

/// Builds the columns of a query that come from the objects.
#[derive(Debug)]
pub(crate) struct JsonRows {
    /// The lines of the batch.
    lines: StringColumn,
    columns: Vec<JsonColumn>,
    /// What arrow-json is asked for: times are read as text.
    schema: SchemaRef,
    mapping: JsonMapping,
    /// The fields that have a column.
    known: HashSet<String>,
    timestamps: TimestampReader,
    memory: TimeMemory,
    /// When the file was last written.
    written: DateTime<Utc>,
}

/// A column, and where its values are, in the order in which they are tried.
#[derive(Debug)]
struct JsonColumn {
    kind: JsonKind,
    places: Vec<Place>,
}

#[derive(Debug)]
enum JsonKind {
    Message,
    Level,
    Field,
    /// A whole number. arrow-json would silently turn 1.5 into 1, so it is read as text.
    Whole(DataType),
    Time(DataType),
    Rest,
    Raw,
    /// A column that objects do not have.
    Null(DataType),
}

/// A field of the schema that is read, and the fields in it.
#[derive(Debug)]
struct Place {
    index: usize,
    inner: Vec<String>,
}

/// The fields to read, by name.
#[derive(Default)]
struct FieldsToRead(Vec<Field>);

impl FieldsToRead {
    /// A field of this type, which is that of its column.
    fn column(&mut self, name: &str, data_type: DataType) -> Place {
        let field = Field::new(name, data_type, true);
        let index = match self.0.iter().position(|known| known.name() == name) {
            Some(index) => {
                self.0[index] = field;
                index
            }
            None => {
                self.0.push(field);
                self.0.len() - 1
            }
        };
        Place {
            index,
            inner: vec![],
        }
    }

    /// A text at this path. A field that is a column is read as the column is.
    fn text(&mut self, path: &[String]) -> Option<Place> {
        let (name, inner) = path.split_first()?;
        let index = match self.0.iter().position(|known| known.name() == name) {
            Some(index) => index,
            None => {
                self.0.push(Field::new(name, text_in(inner), true));
                self.0.len() - 1
            }
        };
        Some(Place {
            index,
            inner: inner.to_vec(),
        })
    }
}

/// The type of an object with a text at this path.
fn text_in(path: &[String]) -> DataType {
    match path.split_first() {
        None => DataType::Utf8View,
        Some((name, inner)) => {
            let field = Field::new(name, text_in(inner), true);
            DataType::Struct(vec![field].into())
        }
    }
}

impl JsonRows {
    /// Rows for these columns (name, source, type), which come from the text of the event.
    /// `known` are the fields that have a column of the table.
    pub(crate) fn new<'a>(
        columns: impl Iterator<Item = (&'a str, &'a ColumnSource, &'a DataType)> + Clone,
        mapping: &JsonMapping,
        known: HashSet<String>,
        timestamps: &TimestampReader,
        written: DateTime<Utc>,
    ) -> Self {
        let mut fields = FieldsToRead::default();
        // Columns first: what they are read as decides for the others.
        let mut own: HashMap<&str, Place> = HashMap::new();
        for (name, source, data_type) in columns.clone() {
            let is_used = mapping.used.contains(name);
            if *source == ColumnSource::Field && !is_used {
                own.insert(name, fields.column(name, read_as(data_type)));
            }
        }
        let mut places = |paths: &[FieldPath]| -> Vec<Place> {
            paths.iter().filter_map(|path| fields.text(path)).collect()
        };
        let columns = columns.map(|(name, source, data_type)| {
            let (kind, places) = match source {
                ColumnSource::Message => (JsonKind::Message, places(&mapping.message)),
                ColumnSource::Level => (JsonKind::Level, places(&mapping.level)),
                ColumnSource::Time => (JsonKind::Time(data_type.clone()), places(&mapping.time)),
                ColumnSource::Rest => (JsonKind::Rest, vec![]),
                ColumnSource::Raw => (JsonKind::Raw, vec![]),
                _ => match own.remove(name) {
                    Some(place) => (JsonKind::of_field(data_type), vec![place]),
                    None => (JsonKind::Null(data_type.clone()), vec![]),
                },
            };
            JsonColumn { kind, places }
        });
        Self {
            columns: columns.collect(),
            lines: StringColumn::new(),
            schema: Arc::new(Schema::new(fields.0)),
            mapping: mapping.clone(),
            known,
            timestamps: timestamps.clone(),
            memory: TimeMemory::default(),
            written,
        }
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
            None if lines.is_empty() => RecordBatch::new_empty(Arc::clone(&self.schema)),
            None => decode_repaired(&self.schema, &lines, counts)?,
        };
        if counts.unmatched > 0 && counts.unmatched_text.is_none() {
            let is_text = |line: &&str| !line.trim_start().starts_with('{');
            let text = lines.iter().flatten().find(is_text);
            counts.unmatched_text = text.map(str::to_string);
        }
        if batch.num_rows() != lines.len() {
            return internal_err!("{} lines became {} rows", lines.len(), batch.num_rows());
        }
        let mut arrays = Vec::with_capacity(self.columns.len());
        let columns = std::mem::take(&mut self.columns);
        for column in &columns {
            arrays.push(self.array(column, &batch, &lines, counts)?);
        }
        self.columns = columns;
        Ok(arrays)
    }

    fn array(
        &mut self,
        column: &JsonColumn,
        batch: &RecordBatch,
        lines: &StringViewArray,
        counts: &mut EventCounts,
    ) -> Result<ArrayRef> {
        let texts = || texts_at(&column.places, batch);
        Ok(match &column.kind {
            JsonKind::Field => match column.places.first() {
                Some(place) => Arc::clone(batch.column(place.index)),
                None => return internal_err!("a field of a JSON table has no place"),
            },
            JsonKind::Message => {
                let messages = first_of(&texts()?, lines);
                Arc::new(cleaned(messages, self.mapping.byte_lists))
            }
            JsonKind::Level => {
                let levels = texts()?;
                let levels = levels
                    .iter()
                    .map(|text| Some(self.mapping.levels.level(text?)));
                Arc::new(StringViewArray::from_iter(levels))
            }
            JsonKind::Whole(data_type) => {
                let texts = texts()?;
                let numbers: Int64Array = texts.iter().map(|text| whole_number(text?)).collect();
                let numbers = cast(&numbers, data_type)?;
                counts.uncast += numbers.null_count().saturating_sub(texts.null_count()) as u64;
                numbers
            }
            JsonKind::Time(data_type) => {
                let texts = texts()?;
                let times = texts
                    .iter()
                    .map(|text| self.timestamps.read(text?, self.written, &mut self.memory));
                let times: Vec<_> = times.collect();
                let missing = times.iter().filter(|time| time.is_none()).count();
                counts.add_unread_times(missing.saturating_sub(texts.null_count()), || {
                    let mut pairs = texts.iter().zip(&times);
                    let unread = pairs.find(|(text, time)| text.is_some() && time.is_none());
                    unread.and_then(|(text, _)| text)
                });
                time_array(times, data_type)?
            }
            JsonKind::Rest => {
                let rest = lines.iter().map(|line| rest_of(line?, &self.known));
                Arc::new(StringViewArray::from_iter(rest))
            }
            JsonKind::Raw => Arc::new(lines.clone()),
            JsonKind::Null(data_type) => new_null_array(data_type, lines.len()),
        })
    }
}

impl JsonKind {
    fn of_field(data_type: &DataType) -> Self {
        match data_type {
            DataType::Timestamp(..) => Self::Time(data_type.clone()),
            data_type if is_within_i64(data_type) => Self::Whole(data_type.clone()),
            _ => Self::Field,
        }
    }
}

/// The type as which arrow-json reads a column.
fn read_as(data_type: &DataType) -> DataType {
    match JsonKind::of_field(data_type) {
        JsonKind::Field => data_type.clone(),
        _ => DataType::Utf8View,
    }
}

/// The first text in these places, row by row.
fn texts_at(places: &[Place], batch: &RecordBatch) -> Result<StringViewArray> {
    let mut texts: Option<StringViewArray> = None;
    for place in places {
        let found = text_at(batch.column(place.index), &place.inner)?;
        texts = Some(match texts {
            None => found,
            Some(texts) => first_of(&texts, &found),
        });
    }
    Ok(texts.unwrap_or_else(|| StringViewArray::new_null(batch.num_rows())))
}

/// The texts at a path within a field.
fn text_at(array: &ArrayRef, path: &[String]) -> Result<StringViewArray> {
    let Some((name, inner)) = path.split_first() else {
        return Ok(cast(array, &DataType::Utf8View)?.as_string_view().clone());
    };
    if let Some(fields) = array.as_struct_opt() {
        return match fields.column_by_name(name) {
            Some(field) => text_at(field, inner),
            None => Ok(StringViewArray::new_null(array.len())),
        };
    }
    // A field with several kinds of values is JSON as text.
    let texts = cast(array, &DataType::Utf8View)?;
    let texts = texts.as_string_view().iter().map(|text| {
        let mut value = &serde_json::from_str::<Value>(text?).ok()?;
        for name in path {
            value = value.get(name)?;
        }
        match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    });
    Ok(StringViewArray::from_iter(texts))
}

/// Messages without a line end, which Docker keeps, and with lists of bytes as text.
fn cleaned(messages: StringViewArray, byte_lists: bool) -> StringViewArray {
    let is_list = |text: &str| byte_lists && text.starts_with('[');
    let is_clean = |text: &str| !text.ends_with('\n') && !is_list(text);
    if messages.iter().flatten().all(is_clean) {
        return messages;
    }
    let messages = messages.iter().map(|text| {
        let text = text?;
        let bytes = is_list(text).then(|| serde_json::from_str::<Vec<u8>>(text).ok());
        Some(match bytes.flatten() {
            Some(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
            None => Cow::Borrowed(text.strip_suffix('\n').unwrap_or(text)),
        })
    });
    StringViewArray::from_iter(messages)
}

/// An object of the fields that have no column; `None` if every field has one.
fn rest_of(line: &str, known: &HashSet<String>) -> Option<String> {
    let mut rest = String::new();
    for_each_field(line, |name, value| {
        if !known.contains(name) {
            rest.push(if rest.is_empty() { '{' } else { ',' });
            rest.push_str(&Value::from(name).to_string());
            rest.push(':');
            rest.push_str(&without_white_space(value));
        }
    })?;
    (!rest.is_empty()).then(|| rest + "}")
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
    for_each_field(line, |name, value| {
        // As on the fast path, the last of several equal names counts.
        if let Some(slot) = schema.index_of(name).ok().and_then(|i| values.get_mut(i)) {
            *slot = Some(value);
        }
    })?;
    Some(values)
}

/// The names of an object's fields, and the texts of their values; `None` if the line is not
/// exactly one object.
fn for_each_field<'a>(line: &'a str, mut field: impl FnMut(&str, &'a str)) -> Option<()> {
    let mut rest = line.trim().strip_prefix('{')?.trim_start();
    if let Some(rest) = rest.strip_prefix('}') {
        return rest.is_empty().then_some(());
    }
    loop {
        let (name, after) = take_value(rest)?;
        let after = after.trim_start().strip_prefix(':')?.trim_start();
        let (value, after) = take_value(after)?;
        let name: String = serde_json::from_str(name).ok()?;
        field(&name, value);
        rest = after.trim_start();
        if let Some(rest) = rest.strip_prefix('}') {
            return rest.is_empty().then_some(());
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
