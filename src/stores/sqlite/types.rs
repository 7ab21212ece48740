//! The types of columns: the name of an Arrow type in a SQLite file, and the Arrow type that a name
//! in a file means.
//!
//! SQLite keeps the declared type of a column as text and derives only an affinity from it. The
//! names here are the SQL names of the types, so a file looks natural in the sqlite3 tool, and each
//! name gives the same Arrow type back.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, TimeUnit};

const WITH_ZONE: &str = "TIMESTAMP WITH TIME ZONE";
/// The suffix that turns the type of an element into a list, which is stored as JSON text.
const LIST: &str = "[]";
const UTC: &str = "+00:00";

/// The name of a type in a file, without quotes; `None` for types that cannot be stored.
pub(crate) fn declared_type(data_type: &DataType) -> Option<String> {
    Some(match data_type {
        DataType::List(element) | DataType::LargeList(element) => {
            if element.data_type().is_list() || is_binary(element.data_type()) {
                return None;
            }
            let element = declared_type(element.data_type())?;
            format!("{element}{LIST}")
        }
        DataType::Timestamp(unit, zone) => {
            let digits = match unit {
                TimeUnit::Second => "(0)",
                TimeUnit::Millisecond => "(3)",
                TimeUnit::Microsecond => "(6)",
                TimeUnit::Nanosecond => "",
            };
            match zone.as_deref() {
                None => format!("TIMESTAMP{digits}"),
                Some(UTC | "UTC" | "Z") => format!("{WITH_ZONE}{digits}"),
                Some(zone) => format!("{WITH_ZONE} {zone}{digits}"),
            }
        }
        data_type if data_type.is_string() => "TEXT".to_string(),
        data_type if is_binary(data_type) => "BLOB".to_string(),
        data_type => plain_name(data_type)?.to_string(),
    })
}

fn plain_name(data_type: &DataType) -> Option<&'static str> {
    Some(match data_type {
        DataType::Int8 => "TINYINT",
        DataType::Int16 => "SMALLINT",
        DataType::Int32 => "INT",
        DataType::Int64 => "BIGINT",
        DataType::UInt8 => "TINYINT UNSIGNED",
        DataType::UInt16 => "SMALLINT UNSIGNED",
        DataType::UInt32 => "INT UNSIGNED",
        DataType::UInt64 => "BIGINT UNSIGNED",
        DataType::Float32 => "FLOAT4",
        DataType::Float64 => "DOUBLE",
        DataType::Boolean => "BOOLEAN",
        DataType::Date32 => "DATE",
        _ => return None,
    })
}

/// The Arrow type that a name in a file means, or `None` if the name does not determine one.
pub(crate) fn arrow_type(declared: &str) -> Option<DataType> {
    let declared = unquoted(declared);
    if let Some(element) = declared.strip_suffix(LIST) {
        // A list of lists has no meaning, however deeply a file nests them.
        if unquoted(element).ends_with(LIST) {
            return None;
        }
        let element = arrow_type(element)?;
        let is_element = !element.is_list() && !is_binary(&element);
        return is_element.then(|| DataType::List(Arc::new(Field::new_list_field(element, true))));
    }
    let (name, digits) = match declared.split_once('(') {
        Some((name, rest)) => (name.trim(), rest.trim_end().strip_suffix(')')),
        None => (declared, None),
    };
    let upper = name.to_ascii_uppercase();
    if upper.starts_with("TIMESTAMP") || upper == "DATETIME" {
        return timestamp(name, &upper, digits);
    }
    Some(match upper.as_str() {
        "TEXT" | "VARCHAR" | "CHAR" | "CHARACTER" | "NVARCHAR" | "NCHAR" | "CLOB"
        | "CHARACTER VARYING" | "VARYING CHARACTER" => DataType::Utf8View,
        "TINYINT" | "INT1" => DataType::Int8,
        "SMALLINT" | "INT2" => DataType::Int16,
        "INT" | "INT4" => DataType::Int32,
        "INTEGER" | "BIGINT" | "INT8" | "MEDIUMINT" => DataType::Int64,
        "TINYINT UNSIGNED" => DataType::UInt8,
        "SMALLINT UNSIGNED" => DataType::UInt16,
        "INT UNSIGNED" | "INTEGER UNSIGNED" => DataType::UInt32,
        "BIGINT UNSIGNED" | "UNSIGNED BIG INT" => DataType::UInt64,
        "FLOAT4" => DataType::Float32,
        "REAL" | "DOUBLE" | "DOUBLE PRECISION" | "FLOAT" | "FLOAT8" => DataType::Float64,
        "BOOLEAN" | "BOOL" => DataType::Boolean,
        "DATE" => DataType::Date32,
        "BLOB" | "BYTEA" | "BINARY" | "VARBINARY" => DataType::Binary,
        _ => return None,
    })
}

fn timestamp(name: &str, upper: &str, digits: Option<&str>) -> Option<DataType> {
    let unit = match digits.map(str::trim) {
        None | Some("9") => TimeUnit::Nanosecond,
        Some("0") => TimeUnit::Second,
        Some("3") => TimeUnit::Millisecond,
        Some("6") => TimeUnit::Microsecond,
        Some(_) => return None,
    };
    let zone: Option<Arc<str>> = match upper {
        "TIMESTAMP" | "DATETIME" | "TIMESTAMP WITHOUT TIME ZONE" => None,
        "TIMESTAMPTZ" | WITH_ZONE => Some(UTC.into()),
        _ if upper.starts_with(WITH_ZONE) => Some(name.get(WITH_ZONE.len()..)?.trim().into()),
        _ => return None,
    };
    Some(DataType::Timestamp(unit, zone))
}

/// Whether a column with this type name in the file can be read as this type. SQLite's own names
/// leave the width open. A column without a type, or with a name that does not determine one, can
/// be read as any type: values that do not fit are found when they are read.
pub(crate) fn holds(declared: &str, asked: &DataType) -> bool {
    let Some(in_file) = arrow_type(declared) else {
        // SQLite turns texts into numbers if it does not recognise the name: '007' would come back
        // as 7.
        return !(asked.is_string() && keeps_numbers(declared));
    };
    let upper = unquoted(declared).to_ascii_uppercase();
    match (&in_file, asked) {
        (DataType::List(_), DataType::List(element) | DataType::LargeList(element)) => {
            holds(upper.trim_end_matches(LIST), element.data_type())
        }
        (DataType::Timestamp(unit, zone), DataType::Timestamp(asked_unit, asked_zone)) => {
            unit == asked_unit && zone.is_some() == asked_zone.is_some()
        }
        (DataType::Utf8View, asked) => asked.is_string(),
        (DataType::Binary, asked) => is_binary(asked),
        (DataType::Int32, DataType::Int64) => true,
        (DataType::Int64, asked) if upper == "INTEGER" => asked.is_integer(),
        (DataType::Float64, DataType::Float32) => matches!(upper.as_str(), "REAL" | "FLOAT"),
        (in_file, asked) => in_file == asked,
    }
}

/// Whether texts that look like numbers become numbers in a column of this type, by the rules of
/// "Datatypes In SQLite", 3.1.
fn keeps_numbers(declared: &str) -> bool {
    let upper = declared.to_ascii_uppercase();
    let is_text = ["CHAR", "CLOB", "TEXT", "BLOB"]
        .iter()
        .any(|name| upper.contains(name));
    upper.contains("INT") || !(is_text || upper.is_empty())
}

/// A type as it appears in CREATE TABLE: quoted if SQLite's grammar needs it.
pub(crate) fn in_create(declared: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '(' | ')');
    if declared.chars().all(is_plain) {
        declared.to_string()
    } else {
        format!("\"{declared}\"")
    }
}

/// The name of a table or a column, quoted for SQL.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn unquoted(declared: &str) -> &str {
    declared.trim().trim_matches(['"', '\'', '`']).trim()
}

pub(crate) fn is_binary(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_give_their_types_back() {
        let units = [
            TimeUnit::Second,
            TimeUnit::Millisecond,
            TimeUnit::Microsecond,
            TimeUnit::Nanosecond,
        ];
        let zones = [None, Some("+00:00".into()), Some("Europe/Berlin".into())];
        let timestamps = units.into_iter().flat_map(|unit| {
            zones
                .clone()
                .map(|zone: Option<Arc<str>>| DataType::Timestamp(unit, zone))
        });
        let mut types = vec![
            DataType::Int8,
            DataType::Int16,
            DataType::Int32,
            DataType::Int64,
            DataType::UInt8,
            DataType::UInt16,
            DataType::UInt32,
            DataType::UInt64,
            DataType::Float32,
            DataType::Float64,
            DataType::Boolean,
            DataType::Date32,
            DataType::Utf8View,
            DataType::Binary,
        ];
        types.extend(timestamps);
        for data_type in types {
            let name = declared_type(&data_type).unwrap();
            assert_eq!(arrow_type(&name), Some(data_type.clone()), "{name}");
            assert!(holds(&name, &data_type), "{name}");
            let list = DataType::new_list(data_type.clone(), true);
            let expected = (!is_binary(&data_type)).then_some(list.clone());
            let name = declared_type(&list);
            assert_eq!(name.as_deref().and_then(arrow_type), expected);
        }
        assert_eq!(declared_type(&DataType::Decimal128(10, 2)), None);
        assert_eq!(
            declared_type(&DataType::new_list(
                DataType::new_list(DataType::Int8, true),
                true
            )),
            None
        );
    }

    /// A file can contain any name: the code once recursed for each `[]`.
    #[test]
    fn lists_of_lists_mean_nothing_however_deep() {
        for n_lists in [2, 1_000_000] {
            let declared = format!("INT{}", LIST.repeat(n_lists));
            assert_eq!(arrow_type(&declared), None);
            assert!(holds(&declared, &DataType::Int32));
        }
    }

    #[test]
    fn names_of_people_are_understood() {
        for (declared, expected) in [
            ("integer", Some(DataType::Int64)),
            ("varchar(20)", Some(DataType::Utf8View)),
            (
                "DATETIME",
                Some(DataType::Timestamp(TimeUnit::Nanosecond, None)),
            ),
            ("FLOAT", Some(DataType::Float64)),
            (
                "\"text[]\"",
                Some(DataType::new_list(DataType::Utf8View, true)),
            ),
            ("", None),
            ("NUMERIC", None),
            ("TIMESTAMP(4)", None),
        ] {
            assert_eq!(arrow_type(declared), expected, "{declared}");
        }
        for (declared, asked, expected) in [
            ("INTEGER", DataType::Int32, true),
            ("INT", DataType::Int64, true),
            ("BIGINT", DataType::Int32, false),
            ("VARCHAR(3)", DataType::LargeUtf8, true),
            ("REAL", DataType::Float32, true),
            ("DOUBLE", DataType::Float32, false),
            ("", DataType::Boolean, true),
            ("TEXT", DataType::Int64, false),
            ("BLOB", DataType::BinaryView, true),
            ("TEXT[]", DataType::new_list(DataType::Utf8, true), true),
            ("TEXT[]", DataType::Utf8, false),
        ] {
            assert_eq!(holds(declared, &asked), expected, "{declared} {asked}");
        }
    }
}
