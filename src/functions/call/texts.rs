//! Text arguments. [`Texts`] reads every Arrow string type; dictionaries are read once per distinct
//! value of a batch.

use std::sync::Arc;

use datafusion::arrow::array::{
    AnyDictionaryArray, Array, ArrayRef, AsArray, LargeStringArray, StringArray, StringViewArray,
};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::compute::{cast, take};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::ColumnarValue;

/// A column of texts of any string type.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Texts<'a> {
    Utf8(&'a StringArray),
    LargeUtf8(&'a LargeStringArray),
    Utf8View(&'a StringViewArray),
}

impl<'a> Texts<'a> {
    pub(crate) fn try_new(array: &'a dyn Array) -> Result<Self> {
        match array.data_type() {
            DataType::Utf8 => Ok(Self::Utf8(array.as_string())),
            DataType::LargeUtf8 => Ok(Self::LargeUtf8(array.as_string())),
            DataType::Utf8View => Ok(Self::Utf8View(array.as_string_view())),
            other => exec_err!("expected a text column, got {other}"),
        }
    }

    pub(crate) fn len(self) -> usize {
        match self {
            Self::Utf8(array) => array.len(),
            Self::LargeUtf8(array) => array.len(),
            Self::Utf8View(array) => array.len(),
        }
    }

    /// The validity of the rows; `None` if no row is NULL.
    pub(crate) fn nulls(self) -> Option<NullBuffer> {
        match self {
            Self::Utf8(array) => array.nulls().cloned(),
            Self::LargeUtf8(array) => array.nulls().cloned(),
            Self::Utf8View(array) => array.nulls().cloned(),
        }
    }

    pub(crate) fn get(self, row: usize) -> Option<&'a str> {
        match self {
            Self::Utf8(array) => array.is_valid(row).then(|| array.value(row)),
            Self::LargeUtf8(array) => array.is_valid(row).then(|| array.value(row)),
            Self::Utf8View(array) => array.is_valid(row).then(|| array.value(row)),
        }
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Option<&'a str>> {
        (0..self.len()).map(move |row| self.get(row))
    }
}

/// The type of a text result: a view, or a dictionary of `Utf8` if the argument is a dictionary.
pub(crate) fn text_result_type(argument: &DataType) -> DataType {
    match argument {
        DataType::Dictionary(key, _) => DataType::Dictionary(key.clone(), Box::new(DataType::Utf8)),
        _ => DataType::Utf8View,
    }
}

/// Calls a function from texts to texts; a dictionary stays a dictionary.
pub(crate) fn map_to_text(
    argument: &ColumnarValue,
    function: impl Fn(Texts<'_>) -> Result<ArrayRef>,
) -> Result<ColumnarValue> {
    map_array(argument, |array| match array.as_any_dictionary_opt() {
        Some(dictionary) if is_worth_it(dictionary) => {
            let values = function(Texts::try_new(dictionary.values())?)?;
            Ok(dictionary.with_values(cast(&values, &DataType::Utf8)?))
        }
        Some(dictionary) => {
            let texts = function(Texts::try_new(&take(
                dictionary.values(),
                dictionary.keys(),
                None,
            )?)?)?;
            Ok(cast(&texts, &text_result_type(array.data_type()))?)
        }
        None => function(Texts::try_new(array)?),
    })
}

/// Calls a function from texts to values of any type.
pub(crate) fn map_texts(
    argument: &ColumnarValue,
    function: impl Fn(Texts<'_>) -> Result<ArrayRef>,
) -> Result<ColumnarValue> {
    map_array(argument, |array| match array.as_any_dictionary_opt() {
        Some(dictionary) if is_worth_it(dictionary) => {
            let values = function(Texts::try_new(dictionary.values())?)?;
            Ok(take(&values, dictionary.keys(), None)?)
        }
        Some(dictionary) => function(Texts::try_new(&take(
            dictionary.values(),
            dictionary.keys(),
            None,
        )?)?),
        None => function(Texts::try_new(array)?),
    })
}

/// Whether to compute the result for the values of a dictionary instead of its rows. A batch can
/// have a few rows and the dictionary of a whole file.
fn is_worth_it(dictionary: &dyn AnyDictionaryArray) -> bool {
    dictionary.values().len() <= dictionary.keys().len()
}

fn map_array(
    argument: &ColumnarValue,
    function: impl Fn(&dyn Array) -> Result<ArrayRef>,
) -> Result<ColumnarValue> {
    match argument {
        ColumnarValue::Array(array) => Ok(ColumnarValue::Array(function(array)?)),
        ColumnarValue::Scalar(scalar) => {
            let result = function(&scalar.to_array()?)?;
            Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(
                &result, 0,
            )?))
        }
    }
}

/// Calls a function on two text columns of the same length.
pub(crate) fn map_text_pairs(
    first: &ColumnarValue,
    second: &ColumnarValue,
    n_rows: usize,
    function: impl Fn(Texts<'_>, Texts<'_>) -> Result<ArrayRef>,
) -> Result<ColumnarValue> {
    let (first, second) = (unpacked(first, n_rows)?, unpacked(second, n_rows)?);
    Ok(ColumnarValue::Array(function(
        Texts::try_new(&first)?,
        Texts::try_new(&second)?,
    )?))
}

/// The column with dictionaries decoded; other columns are returned unchanged.
pub(crate) fn unpacked(argument: &ColumnarValue, n_rows: usize) -> Result<ArrayRef> {
    let array = argument.to_array(n_rows)?;
    match array.data_type() {
        DataType::Dictionary(_, value) => Ok(cast(&array, value)?),
        _ => Ok(array),
    }
}

/// Calls a function on the text of every row; dictionaries are decoded first.
pub(crate) fn map_text_rows(
    argument: &ColumnarValue,
    n_rows: usize,
    function: impl FnOnce(Texts<'_>) -> Result<ArrayRef>,
) -> Result<ColumnarValue> {
    let texts = unpacked(argument, n_rows)?;
    Ok(ColumnarValue::Array(function(Texts::try_new(&texts)?)?))
}

/// Calls a function on every text of a column, except NULLs.
pub(crate) fn each_text(array: &ArrayRef, mut function: impl FnMut(&str)) -> Result<()> {
    let n_rows = array.len();
    let texts = unpacked(&ColumnarValue::Array(Arc::clone(array)), n_rows)?;
    Texts::try_new(&texts)?
        .iter()
        .flatten()
        .for_each(&mut function);
    Ok(())
}
