//! The fields of JSON lines, inferred from a sample and sorted by name. The rules are those of
//! arrow-json, applied to each field separately, so that a field with contradictory values becomes
//! TEXT and does not affect the others.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema};
use datafusion::arrow::json::reader::infer_json_schema_from_iterator;
use datafusion::common::{Result, plan_err};
use serde_json::{Map, Value};

use crate::formats::log::columns::{MESSAGE, time_type};
use crate::formats::log::json_rows::decoder;
use crate::formats::log::timestamp::{TimeMemory, TimestampReader, unix_time};
use crate::time::is_time_name;

/// With more fields than this the keys are data, such as ids, and not columns; planning would
/// become slow too.
const MAX_FIELDS: usize = 1000;

/// The most levels of lists and structs in the type of a column; a deeper value is JSON text.
/// DataFusion plans and prints types level by level, and no practical query spells out so long a
/// path.
const MAX_TYPE_LEVELS: usize = 16;

/// Infers the fields of these objects. A text field that has the name of a time is one if all its
/// values are times.
///
/// # Errors
/// When there are too many fields.
pub(crate) fn infer_fields(
    objects: &[Map<String, Value>],
    timestamps: &TimestampReader,
    written: DateTime<Utc>,
) -> Result<Fields> {
    let mut values_of: BTreeMap<&String, Vec<&Value>> = BTreeMap::new();
    for (name, value) in objects.iter().flatten() {
        values_of.entry(name).or_default().push(value);
    }
    if values_of.len() > MAX_FIELDS {
        return plan_err!(
            "The first {} JSON objects have {} fields, more than {MAX_FIELDS}: declare the columns that are \
             wanted, as in CREATE EXTERNAL TABLE t (ts TIMESTAMP, level TEXT) STORED AS LOG …",
            objects.len(),
            values_of.len()
        );
    }
    let field = |(name, values): (&String, Vec<&Value>)| {
        let mut data_type = infer_type(name, &values);
        if name == MESSAGE {
            data_type = DataType::Utf8View;
        } else if is_time_name(name) && !data_type.is_nested() {
            let is_time = |value: &&Value| match value {
                Value::String(text) => {
                    let time = timestamps.read(text, written, &mut TimeMemory::default());
                    time.is_some()
                }
                Value::Number(number) => unix_time(&number.to_string()).is_some(),
                _ => false,
            };
            let mut some = values.iter().filter(|value| !value.is_null()).peekable();
            if some.peek().is_some() && some.all(is_time) {
                data_type = time_type();
            }
        }
        Field::new(name, data_type, true)
    };
    Ok(values_of.into_iter().map(field).collect())
}

/// Checks that lines can be read into these declared columns.
///
/// # Errors
/// When JSON values cannot be converted to a type.
pub(crate) fn check_declared_fields(fields: &Fields) -> Result<()> {
    for field in fields {
        let schema = Arc::new(Schema::new(vec![Arc::clone(field)]));
        if decoder(&schema, 1).is_err() {
            return plan_err!(
                "Column {} cannot be {}: JSON values cannot become that. Declare it TEXT and convert it in the query",
                field.name(),
                field.data_type()
            );
        }
    }
    Ok(())
}

fn infer_type(name: &str, values: &[&Value]) -> DataType {
    if has_contradiction(values) {
        return DataType::Utf8View;
    }
    if let Some(exact) = beyond_i64(values) {
        return exact;
    }
    let objects = values.iter().map(|value| {
        Ok(Value::Object(Map::from_iter([(
            name.to_string(),
            (*value).clone(),
        )])))
    });
    match infer_json_schema_from_iterator(objects) {
        Ok(schema) if schema.fields().len() == 1 => match schema.field(0).data_type() {
            DataType::Utf8 => DataType::Utf8View,
            other if levels(other) > MAX_TYPE_LEVELS => DataType::Utf8View,
            other => without_null_types(other),
        },
        _ => DataType::Utf8View,
    }
}

/// Whether values are of several kinds somewhere: a number or a text, a list, an object. Only text
/// can be all of them.
fn has_contradiction(values: &[&Value]) -> bool {
    let some = || values.iter().filter(|value| !value.is_null());
    let n_lists = some().filter(|value| value.is_array()).count();
    let n_objects = some().filter(|value| value.is_object()).count();
    let n_values = some().count();
    if n_lists != 0 && n_lists != n_values || n_objects != 0 && n_objects != n_values {
        return true;
    }
    let items: Vec<&Value> = some()
        .filter_map(|value| value.as_array())
        .flatten()
        .collect();
    if !items.is_empty() {
        return has_contradiction(&items);
    }
    let mut fields: BTreeMap<&String, Vec<&Value>> = BTreeMap::new();
    for (name, value) in some().filter_map(|value| value.as_object()).flatten() {
        fields.entry(name).or_default().push(value);
    }
    fields.values().any(|values| has_contradiction(values))
}

/// The type of whole numbers if some do not fit into a signed 64-bit integer; arrow would round them.
fn beyond_i64(values: &[&Value]) -> Option<DataType> {
    let mut some = values.iter().filter(|value| !value.is_null()).peekable();
    some.peek()?;
    let is_beyond = |value: &Value| value.is_u64() && !value.is_i64();
    // serde_json reads what is beyond 64 bits as a float.
    let is_huge =
        |value: &Value| value.is_f64() && value.as_f64().is_some_and(|number| number >= 1.8e19);
    if !values
        .iter()
        .any(|value| is_beyond(value) || is_huge(value))
    {
        return None;
    }
    let fits = some.all(|value| value.is_u64());
    Some(if fits {
        DataType::UInt64
    } else {
        DataType::Utf8View
    })
}

/// How deeply lists and structs are nested. The sample is bounded, and so is the depth of this
/// recursion.
fn levels(data_type: &DataType) -> usize {
    match data_type {
        DataType::List(item) => 1 + levels(item.data_type()),
        DataType::Struct(fields) => {
            let inner = fields.iter().map(|field| levels(field.data_type()));
            1 + inner.max().unwrap_or_default()
        }
        _ => 0,
    }
}

/// Replaces the NULL type by text: a value that is NULL in the whole sample may be anything later.
fn without_null_types(data_type: &DataType) -> DataType {
    let fixed = |field: &FieldRef| -> FieldRef {
        let data_type = without_null_types(field.data_type());
        Arc::new(field.as_ref().clone().with_data_type(data_type))
    };
    match data_type {
        DataType::Null => DataType::Utf8View,
        DataType::List(item) => DataType::List(fixed(item)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(fixed).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inferred(lines: &[&str]) -> String {
        let objects: Vec<_> = lines
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let timestamps = TimestampReader::try_new(None, None).unwrap();
        let fields = infer_fields(&objects, &timestamps, DateTime::UNIX_EPOCH).unwrap();
        let fields = fields
            .iter()
            .map(|field| format!("{}: {}", field.name(), field.data_type()));
        fields.collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn deep_types_are_text() {
        let object = |n_levels: usize| {
            let (open, close) = (r#"{"a":"#.repeat(n_levels), "}".repeat(n_levels));
            format!("{open}1{close}")
        };
        let list = |n_levels: usize| {
            format!(
                "{{\"a\":{}1{}}}",
                "[".repeat(n_levels),
                "]".repeat(n_levels)
            )
        };
        // The object that holds the columns does not count as a level.
        for (line, is_text) in [
            (object(MAX_TYPE_LEVELS + 1), false),
            (object(MAX_TYPE_LEVELS + 2), true),
            (object(100), true),
            (list(MAX_TYPE_LEVELS), false),
            (list(MAX_TYPE_LEVELS + 1), true),
        ] {
            assert_eq!(inferred(&[&line]) == "a: Utf8View", is_text, "{line}");
        }
    }

    #[test]
    fn types() {
        assert_eq!(
            inferred(&[r#"{"b": 1, "a": "x", "c": 1.5, "d": true}"#]),
            "a: Utf8View, b: Int64, c: Float64, d: Boolean"
        );
        assert_eq!(inferred(&[r#"{"a": 1}"#, r#"{"a": 1.5}"#]), "a: Float64");
        assert_eq!(
            inferred(&[r#"{"a": 1}"#, r#"{"a": {"b": 1}}"#, r#"{"a": [1]}"#]),
            "a: Utf8View"
        );
        assert_eq!(inferred(&[r#"{"a": null}"#]), "a: Utf8View");
        assert_eq!(inferred(&[r#"{"message": 5}"#]), "message: Utf8View");
        let time = time_type().to_string();
        assert_eq!(
            inferred(&[r#"{"ts": "2026-01-01 00:00:00"}"#, r#"{"ts": null}"#]),
            format!("ts: {time}")
        );
        assert_eq!(inferred(&[r#"{"ts": "yesterday"}"#]), "ts: Utf8View");
        assert_eq!(inferred(&[r#"{"ts": null}"#]), "ts: Utf8View");
        assert_eq!(inferred(&[]), "");
    }
}
