//! Ids of rows and clusters: whole numbers or texts, of any type in the query.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringViewArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::ColumnarValue;

use crate::functions::call::texts::{Texts, unpacked};

/// An id. Numbers are ordered by value, texts by their bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Id {
    Number(i64),
    Text(Box<str>),
}

/// The type in which ids are returned: BIGINT for every integer type, text otherwise.
pub(super) fn id_type(given: &DataType) -> DataType {
    if given.is_integer() {
        DataType::Int64
    } else {
        DataType::Utf8View
    }
}

/// The ids of a column.
///
/// # Errors
/// If an unsigned number is above the range of BIGINT.
pub(super) fn read_ids(function: &str, array: &ArrayRef) -> Result<Vec<Option<Id>>> {
    if !array.data_type().is_integer() {
        let texts = unpacked(&ColumnarValue::Array(Arc::clone(array)), array.len())?;
        let ids = Texts::try_new(&texts)?.iter();
        return Ok(ids.map(|id| id.map(|id| Id::Text(id.into()))).collect());
    }
    let numbers = cast(array, &DataType::Int64)?;
    if numbers.null_count() > array.null_count() {
        return exec_err!("{function}: an id is above 9223372036854775807; cast ids to TEXT");
    }
    let numbers = numbers.as_primitive::<Int64Type>();
    Ok(numbers.iter().map(|id| id.map(Id::Number)).collect())
}

/// A column of ids of this type.
pub(super) fn id_column<'a>(
    ids: impl Iterator<Item = Option<&'a Id>>,
    data_type: &DataType,
) -> ArrayRef {
    if *data_type == DataType::Int64 {
        let number = |id: &Id| match id {
            Id::Number(number) => Some(*number),
            Id::Text(_) => None,
        };
        return Arc::new(ids.map(|id| id.and_then(number)).collect::<Int64Array>());
    }
    let text = |id: &'a Id| match id {
        Id::Number(_) => None,
        Id::Text(text) => Some(text.as_ref()),
    };
    Arc::new(ids.map(|id| id.and_then(text)).collect::<StringViewArray>())
}
