//! From SQLite to Arrow: builds the column of a batch from the values of rows. SQLite lets any
//! program write any value into any column, so each value is checked; one that does not fit its
//! column is an error that says so.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Float64Builder, Int64Builder, LargeListArray,
    NullBufferBuilder, StringViewBuilder,
};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, exec_datafusion_err, exec_err, internal_err};
use rusqlite::types::ValueRef;

use crate::stores::sqlite::lists::{Element, elements};
use crate::stores::sqlite::time_text::{parse_date, parse_timestamp};
use crate::stores::sqlite::types::{declared_type, is_binary};

/// A column that is being read.
pub(crate) struct ColumnBuilder {
    data_type: DataType,
    values: Values,
}

/// The values so far; they are cast to the type of the column at the end.
enum Values {
    Integer(Int64Builder),
    Real(Float64Builder),
    Boolean(BooleanBuilder),
    Text(StringViewBuilder),
    Blob(BinaryBuilder),
    List {
        field: FieldRef,
        elements: Box<ColumnBuilder>,
        n_elements: Vec<usize>,
        validity: NullBufferBuilder,
    },
}

impl ColumnBuilder {
    /// An empty column.
    ///
    /// # Errors
    /// When the type cannot be stored.
    pub(crate) fn try_new(data_type: &DataType) -> Result<Self> {
        let values = match data_type {
            DataType::Timestamp(..) | DataType::Date32 => Values::Integer(Int64Builder::new()),
            data_type if data_type.is_integer() => Values::Integer(Int64Builder::new()),
            DataType::Float32 | DataType::Float64 => Values::Real(Float64Builder::new()),
            DataType::Boolean => Values::Boolean(BooleanBuilder::new()),
            data_type if data_type.is_string() => Values::Text(StringViewBuilder::new()),
            data_type if is_binary(data_type) => Values::Blob(BinaryBuilder::new()),
            DataType::List(field) | DataType::LargeList(field) => Values::List {
                field: Arc::clone(field),
                elements: Box::new(Self::try_new(field.data_type())?),
                n_elements: vec![],
                validity: NullBufferBuilder::new(0),
            },
            other => return internal_err!("a column of a type that cannot be stored: {other}"),
        };
        Ok(Self {
            data_type: data_type.clone(),
            values,
        })
    }

    /// Adds the value of the next row.
    ///
    /// # Errors
    /// When the type of the column does not have this value: the message begins with the value.
    pub(crate) fn push(&mut self, value: ValueRef<'_>) -> Result<()> {
        if value == ValueRef::Null {
            self.push_null();
            return Ok(());
        }
        let data_type = &self.data_type;
        match (&mut self.values, value) {
            (Values::Integer(values), ValueRef::Text(text)) => {
                match text_to_integer(text, data_type) {
                    Some(number) => values.append_value(number),
                    None => return misfit(value, data_type),
                }
            }
            (Values::Integer(values), ValueRef::Integer(number))
                if data_type.is_integer() && fits(number, data_type) =>
            {
                values.append_value(number);
            }
            (Values::Real(values), ValueRef::Real(number)) => values.append_value(number),
            (Values::Real(values), ValueRef::Integer(number)) => match exact_float(number) {
                Some(number) => values.append_value(number),
                None => return misfit(value, data_type),
            },
            (Values::Boolean(values), ValueRef::Integer(number @ (0 | 1))) => {
                values.append_value(number == 1);
            }
            (Values::Text(values), ValueRef::Text(text)) => match std::str::from_utf8(text) {
                Ok(text) => values.append_value(text),
                Err(_) => return exec_err!("the text is not UTF-8"),
            },
            (Values::Blob(values), ValueRef::Blob(bytes)) => values.append_value(bytes),
            (list @ Values::List { .. }, ValueRef::Text(text)) => return list.push_list(text),
            _ => return misfit(value, data_type),
        }
        Ok(())
    }

    fn push_null(&mut self) {
        match &mut self.values {
            Values::Integer(values) => values.append_null(),
            Values::Real(values) => values.append_null(),
            Values::Boolean(values) => values.append_null(),
            Values::Text(values) => values.append_null(),
            Values::Blob(values) => values.append_null(),
            Values::List {
                n_elements,
                validity,
                ..
            } => {
                n_elements.push(0);
                validity.append_null();
            }
        }
    }

    /// Adds an element of a list.
    fn push_element(&mut self, element: Option<&Element>) -> Result<()> {
        let Some(element) = element else {
            self.push_null();
            return Ok(());
        };
        let misfit =
            |text: &str| exec_err!("the element {text:?} is no {}", name_of(&self.data_type));
        match (&mut self.values, element) {
            (Values::Text(values), Element::Text(text)) => values.append_value(text),
            (Values::Integer(values), Element::Plain(digits)) if self.data_type.is_integer() => {
                match digits.parse() {
                    Ok(number) if fits(number, &self.data_type) => values.append_value(number),
                    _ => return misfit(digits),
                }
            }
            (Values::Integer(values), Element::Text(text)) => {
                match text_to_integer(text.as_bytes(), &self.data_type) {
                    Some(number) => values.append_value(number),
                    None => return misfit(text),
                }
            }
            (Values::Real(values), Element::Plain(digits)) => match digits.parse() {
                Ok(number) => values.append_value(number),
                Err(_) => return misfit(digits),
            },
            (Values::Real(values), Element::Text(text)) => match text.as_str() {
                "Infinity" => values.append_value(f64::INFINITY),
                "-Infinity" => values.append_value(f64::NEG_INFINITY),
                text => return misfit(text),
            },
            (Values::Boolean(values), Element::Plain(word)) => match word.parse() {
                Ok(value) => values.append_value(value),
                Err(_) => return misfit(word),
            },
            (_, Element::Text(text) | Element::Plain(text)) => return misfit(text),
        }
        Ok(())
    }

    /// Returns the column.
    ///
    /// # Errors
    /// The errors of Arrow.
    pub(crate) fn finish(self) -> Result<ArrayRef> {
        let values: ArrayRef = match self.values {
            Values::Integer(mut values) if self.data_type == DataType::Date32 => {
                cast(&values.finish(), &DataType::Int32)?
            }
            Values::Integer(mut values) => Arc::new(values.finish()),
            Values::Real(mut values) => Arc::new(values.finish()),
            Values::Boolean(mut values) => Arc::new(values.finish()),
            Values::Text(mut values) => Arc::new(values.finish()),
            Values::Blob(mut values) => Arc::new(values.finish()),
            Values::List {
                field,
                elements,
                n_elements,
                mut validity,
            } => Arc::new(LargeListArray::try_new(
                field,
                OffsetBuffer::from_lengths(n_elements),
                elements.finish()?,
                validity.finish(),
            )?),
        };
        Ok(cast(&values, &self.data_type)?)
    }
}

impl Values {
    fn push_list(&mut self, json: &[u8]) -> Result<()> {
        let Self::List {
            elements: builder,
            n_elements,
            validity,
            ..
        } = self
        else {
            return internal_err!("a list for a column of something else");
        };
        let json = String::from_utf8_lossy(json);
        let read = elements(&json)
            .map_err(|error| exec_datafusion_err!("the text '{json}' is {error}"))?;
        for element in &read {
            builder.push_element(element.as_ref())?;
        }
        n_elements.push(read.len());
        validity.append_non_null();
        Ok(())
    }
}

fn text_to_integer(text: &[u8], data_type: &DataType) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    match data_type {
        DataType::Timestamp(unit, _) => parse_timestamp(text, *unit),
        DataType::Date32 => parse_date(text).map(i64::from),
        _ => None,
    }
}

fn fits(number: i64, data_type: &DataType) -> bool {
    match data_type {
        DataType::Int8 => i8::try_from(number).is_ok(),
        DataType::Int16 => i16::try_from(number).is_ok(),
        DataType::Int32 => i32::try_from(number).is_ok(),
        DataType::UInt8 => u8::try_from(number).is_ok(),
        DataType::UInt16 => u16::try_from(number).is_ok(),
        DataType::UInt32 => u32::try_from(number).is_ok(),
        DataType::UInt64 => u64::try_from(number).is_ok(),
        _ => true,
    }
}

/// The number as a float, if it can be represented exactly: whole numbers beyond 2^53 need not be.
fn exact_float(number: i64) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "looked at in the next line")]
    let float = number as f64;
    #[expect(clippy::cast_possible_truncation, reason = "compared with what it was")]
    let back = float as i128;
    (back == i128::from(number)).then_some(float)
}

fn name_of(data_type: &DataType) -> String {
    declared_type(data_type).unwrap_or_else(|| data_type.to_string())
}

fn misfit<T>(value: ValueRef<'_>, data_type: &DataType) -> Result<T> {
    let form = match data_type {
        DataType::Timestamp(..) => {
            ": times are stored in UTC in the form '2026-03-02 06:10:00.123456789', the fraction as far as the type has it"
        }
        DataType::Date32 => ": dates are stored in the form '2026-03-02'",
        DataType::Boolean => ": it is stored as 0 or 1",
        _ => "",
    };
    let shown = match value {
        ValueRef::Null => "NULL".to_string(),
        ValueRef::Integer(number) => format!("the number {number}"),
        ValueRef::Real(number) => format!("the number {number:?}"),
        ValueRef::Text(text) => format!("the text '{}'", String::from_utf8_lossy(text)),
        ValueRef::Blob(bytes) => format!("a blob of {} bytes", bytes.len()),
    };
    exec_err!("{shown} is no {}{form}", name_of(data_type))
}
