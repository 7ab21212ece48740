//! Which fields of JSON objects are the time, the level and the message.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::formats::log::columns::{LEVEL, MESSAGE, MSG, TIME};
use crate::formats::log::known_formats::KnownFormat;
use crate::formats::log::levels::Levels;
use crate::formats::log::timestamp::{TimeMemory, TimestampReader};

/// The names of a field and of the fields in it.
pub(crate) type FieldPath = Vec<String>;

/// The fields that hold a column, in the order in which they are tried.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct JsonMapping {
    pub(crate) time: Vec<FieldPath>,
    pub(crate) level: Vec<FieldPath>,
    pub(crate) message: Vec<FieldPath>,
    pub(crate) levels: Levels,
    /// A list of numbers is a text, byte by byte.
    pub(crate) byte_lists: bool,
    /// The fields of the sample that are one of these columns, and so have no column of their own.
    pub(crate) used: BTreeSet<String>,
}

impl JsonMapping {
    /// The mapping of `format 'json'`, which keeps the objects as they are: the message alone is
    /// found, in `message` or else in `msg`, however they are capitalised.
    pub(crate) fn of_message<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Self {
        let mut message = vec![];
        for wanted in [MESSAGE, MSG] {
            let found = names
                .clone()
                .filter(|name| name.eq_ignore_ascii_case(wanted));
            message.extend(found.map(|name| vec![name.to_string()]));
        }
        Self {
            message,
            ..Self::default()
        }
    }

    /// The mapping of objects that have these formats, as a sample shows them.
    pub(crate) fn of_formats(
        formats: &[Arc<KnownFormat>],
        sample: &[Map<String, Value>],
        timestamps: &TimestampReader,
        written: DateTime<Utc>,
    ) -> Self {
        let alternatives = |column: &str| -> Vec<String> {
            let of_formats = formats.iter().flat_map(|format| format.fields_of(column));
            let own = [column.to_string()];
            of_formats.cloned().chain(own).collect()
        };
        let is_time = |value: &Value| {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                _ => return false,
            };
            let time = timestamps.read(&text, written, &mut TimeMemory::default());
            time.is_some()
        };
        let byte_lists = formats.iter().any(|format| format.has_byte_lists());
        let is_text = |value: &Value| match value {
            Value::String(_) => true,
            Value::Array(items) => byte_lists && items.iter().all(Value::is_u64),
            _ => false,
        };
        let time = found(&alternatives(TIME), sample, is_time);
        let level = found(&alternatives(LEVEL), sample, |value| {
            value.is_string() || value.is_number()
        });
        let message = found(&alternatives(MESSAGE), sample, is_text);
        let all = time.iter().chain(&level).chain(&message);
        let whole = all.filter_map(|path| match path.as_slice() {
            [name] => Some(name.clone()),
            _ => None,
        });
        let levels = formats.iter().map(|format| &format.levels);
        let levels = levels
            .into_iter()
            .find(|levels| **levels != Levels::default());
        Self {
            used: whole.collect(),
            time,
            level,
            message,
            levels: levels.cloned().unwrap_or_default(),
            byte_lists,
        }
    }

    /// The mapping of objects that have these formats, before any is there to be looked at.
    pub(crate) fn of_names(formats: &[Arc<KnownFormat>]) -> Self {
        let paths = |column: &str| -> Vec<FieldPath> {
            let names = formats.iter().flat_map(|format| format.fields_of(column));
            let mut paths: Vec<FieldPath> = vec![];
            for name in names.filter(|name| !name.contains('.')) {
                let mut capital = name.clone();
                if let Some(first) = capital.get_mut(..1) {
                    first.make_ascii_uppercase();
                }
                for name in [name.clone(), capital] {
                    if !paths.contains(&vec![name.clone()]) {
                        paths.push(vec![name]);
                    }
                }
            }
            paths
        };
        Self {
            time: paths(TIME),
            level: paths(LEVEL),
            message: paths(MESSAGE),
            ..Self::default()
        }
    }
}

/// The paths of a column in a sample: those that give it a value in an object that has none yet.
fn found(
    alternatives: &[String],
    sample: &[Map<String, Value>],
    fits: impl Fn(&Value) -> bool,
) -> Vec<FieldPath> {
    let mut paths: Vec<FieldPath> = vec![];
    let mut without: Vec<&Map<String, Value>> = sample.iter().collect();
    for alternative in alternatives {
        let mut candidates = BTreeSet::new();
        for object in &without {
            paths_of(alternative, object, &mut vec![], &mut candidates);
        }
        for path in candidates {
            let values = || without.iter().filter_map(|object| value_at(object, &path));
            let is_of_column =
                values().any(&fits) && values().all(|value| value.is_null() || fits(value));
            if is_of_column {
                without.retain(|object| value_at(object, &path).is_none_or(Value::is_null));
                paths.push(path);
            }
        }
    }
    paths
}

/// The paths of an object that a name with dots can mean: one field, or a field in a field.
fn paths_of(
    name: &str,
    object: &Map<String, Value>,
    prefix: &mut FieldPath,
    paths: &mut BTreeSet<FieldPath>,
) {
    for (key, value) in object {
        if key.eq_ignore_ascii_case(name) {
            paths.insert([prefix.as_slice(), std::slice::from_ref(key)].concat());
        }
        let inner = name.split_once('.');
        if let (Some((outer, inner)), Value::Object(fields)) = (inner, value)
            && key.eq_ignore_ascii_case(outer)
        {
            prefix.push(key.clone());
            paths_of(inner, fields, prefix, paths);
            prefix.pop();
        }
    }
}

fn value_at<'a>(object: &'a Map<String, Value>, path: &[String]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    let value = object.get(first)?;
    match rest {
        [] => Some(value),
        _ => value_at(value.as_object()?, rest),
    }
}
