//! From Arrow to SQLite: the columns of a batch as values that can be bound to a statement.

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, BooleanArray, Float32Array, Float64Array,
    Int64Array, StringViewArray,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Date32Type, TimeUnit, UInt64Type};
use datafusion::common::{Result, exec_datafusion_err, exec_err, internal_err};
use rusqlite::types::{ToSqlOutput, Value, ValueRef};

use crate::stores::sqlite::lists::{json_number, json_text};
use crate::stores::sqlite::time_text::{date_text, timestamp_text};
use crate::stores::sqlite::types::is_binary;

/// A column whose values SQLite can take.
#[derive(Debug)]
pub(crate) enum EncodedColumn {
    Integer(Int64Array),
    Real(Float64Array),
    /// Written with the digits that the numbers have in 32 bits.
    Float(Float32Array),
    Boolean(BooleanArray),
    Text(StringViewArray),
    Blob(BinaryViewArray),
    /// Times, dates and lists.
    Written(Vec<Option<String>>),
}

impl EncodedColumn {
    /// Encodes a column of this name and of any type that can be stored.
    ///
    /// # Errors
    /// When a number does not fit a signed 64-bit integer, or a time is outside the years 0 to
    /// 9999.
    pub(crate) fn try_new(name: &str, array: &ArrayRef) -> Result<Self> {
        Ok(match array.data_type() {
            DataType::Dictionary(_, values) => return Self::try_new(name, &cast(array, values)?),
            DataType::UInt64 => Self::Integer(signed(name, array)?),
            data_type if data_type.is_integer() => {
                Self::Integer(as_type(array, &DataType::Int64)?.as_primitive().clone())
            }
            DataType::Float64 => Self::Real(array.as_primitive().clone()),
            DataType::Float32 => Self::Float(array.as_primitive().clone()),
            DataType::Boolean => Self::Boolean(array.as_boolean().clone()),
            DataType::Null => Self::Written(vec![None; array.len()]),
            data_type if data_type.is_string() => {
                let texts = as_type(array, &DataType::Utf8View)?;
                Self::Text(texts.as_string_view().clone())
            }
            data_type if is_binary(data_type) => {
                let bytes = as_type(array, &DataType::BinaryView)?;
                Self::Blob(bytes.as_binary_view().clone())
            }
            DataType::Timestamp(unit, _) => Self::Written(timestamps(name, array, *unit)?),
            DataType::Date32 => Self::Written(dates(name, array)?),
            DataType::List(_) => lists(name, array, |row| array.as_list::<i32>().value(row))?,
            DataType::LargeList(_) => lists(name, array, |row| array.as_list::<i64>().value(row))?,
            other => {
                return internal_err!("column {name} of a type that cannot be stored: {other}");
            }
        })
    }

    /// The value of a row. NaN counts as NULL: SQLite does not have it.
    pub(crate) fn value(&self, row: usize) -> ToSqlOutput<'_> {
        let null = ToSqlOutput::Borrowed(ValueRef::Null);
        match self {
            Self::Integer(array) if array.is_valid(row) => ToSqlOutput::from(array.value(row)),
            Self::Real(array) if array.is_valid(row) => ToSqlOutput::from(array.value(row)),
            Self::Float(array) if array.is_valid(row) => {
                ToSqlOutput::from(f64::from(array.value(row)))
            }
            Self::Boolean(array) if array.is_valid(row) => ToSqlOutput::from(array.value(row)),
            Self::Text(array) if array.is_valid(row) => {
                ToSqlOutput::Borrowed(ValueRef::Text(array.value(row).as_bytes()))
            }
            Self::Blob(array) if array.is_valid(row) => {
                ToSqlOutput::Borrowed(ValueRef::Blob(array.value(row)))
            }
            Self::Written(texts) => match texts.get(row) {
                Some(Some(text)) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
                _ => null,
            },
            _ => null,
        }
    }

    /// The value of a row as an element of a JSON list.
    fn json(&self, row: usize) -> Option<String> {
        match self {
            Self::Text(array) if array.is_valid(row) => Some(json_text(array.value(row))),
            Self::Written(texts) => texts.get(row)?.as_deref().map(json_text),
            Self::Boolean(array) if array.is_valid(row) => Some(array.value(row).to_string()),
            Self::Real(array) if array.is_valid(row) => {
                let value = array.value(row);
                json_number(value, format!("{value:?}"))
            }
            Self::Float(array) if array.is_valid(row) => {
                let value = array.value(row);
                json_number(f64::from(value), format!("{value:?}"))
            }
            _ => match self.value(row) {
                ToSqlOutput::Owned(Value::Integer(value)) => Some(value.to_string()),
                _ => None,
            },
        }
    }
}

fn as_type(array: &ArrayRef, data_type: &DataType) -> Result<ArrayRef> {
    Ok(cast(array, data_type)?)
}

fn signed(name: &str, array: &ArrayRef) -> Result<Int64Array> {
    let numbers = array.as_primitive::<UInt64Type>();
    numbers.try_unary(|number| {
        i64::try_from(number).or_else(|_| {
            exec_err!(
                "{number} of column {name} is too large: the largest number in SQLite is {}. Nothing was changed",
                i64::MAX
            )
        })
    })
}

fn timestamps(name: &str, array: &ArrayRef, unit: TimeUnit) -> Result<Vec<Option<String>>> {
    let values = as_type(array, &DataType::Int64)?;
    let values: Int64Array = values.as_primitive().clone();
    let text = |value| timestamp_text(value, unit).ok_or_else(|| outside(name));
    values
        .iter()
        .map(|value| value.map(text).transpose())
        .collect()
}

fn dates(name: &str, array: &ArrayRef) -> Result<Vec<Option<String>>> {
    let text = |days| date_text(days).ok_or_else(|| outside(name));
    let days = array.as_primitive::<Date32Type>();
    days.iter().map(|days| days.map(text).transpose()).collect()
}

fn outside(name: &str) -> datafusion::error::DataFusionError {
    exec_datafusion_err!(
        "A time of column {name} is outside the years 0 to 9999, which is what can be stored. Nothing was changed"
    )
}

fn lists(
    name: &str,
    array: &ArrayRef,
    elements: impl Fn(usize) -> ArrayRef,
) -> Result<EncodedColumn> {
    let list = |row| {
        if array.is_null(row) {
            return Ok(None);
        }
        let elements = elements(row);
        let column = EncodedColumn::try_new(name, &elements)?;
        let texts = (0..elements.len())
            .map(|element| column.json(element).unwrap_or_else(|| "null".to_string()));
        Ok(Some(format!("[{}]", texts.collect::<Vec<_>>().join(","))))
    };
    let texts: Result<Vec<_>> = (0..array.len()).map(list).collect();
    Ok(EncodedColumn::Written(texts?))
}
