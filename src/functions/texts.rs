//! Text arguments: every Arrow string type is read through [`Texts`], dictionaries once per distinct value.

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, LargeStringArray, StringArray, StringViewArray,
};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::compute::{cast, take};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, Signature, Volatility};

/// A column of texts of any string type.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Texts<'a> {
    Utf8(&'a StringArray),
    LargeUtf8(&'a LargeStringArray),
    Utf8View(&'a StringViewArray),
}

impl<'a> Texts<'a> {
    fn try_new(array: &'a dyn Array) -> Result<Self> {
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

    /// Which rows are not NULL; `None` when all are.
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

/// The signature of a function with these parameters, which can be given by name; the function checks types itself, so
/// that the error is a sentence.
pub(crate) fn signature(parameters: &[&str]) -> Signature {
    let names = parameters.iter().map(|name| name.to_string()).collect();
    Signature {
        parameter_names: Some(names),
        ..Signature::user_defined(Volatility::Immutable)
    }
}

/// Checks that an argument is text, and of which type the call gets it.
pub(crate) fn coerce_text(function: &str, name: &str, data_type: &DataType) -> Result<DataType> {
    match data_type {
        DataType::Null => Ok(DataType::Utf8View),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Ok(data_type.clone()),
        DataType::Dictionary(_, value) if value.is_string() => Ok(data_type.clone()),
        other => {
            plan_err!("{function}: {name} must be text, got {other}; write CAST({name} AS TEXT)")
        }
    }
}

/// Checks that the options argument can be one, and of which type the call gets it.
pub(crate) fn coerce_options(function: &str, data_type: &DataType) -> Result<DataType> {
    match data_type {
        DataType::Null => Ok(DataType::Utf8),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Struct(_) => {
            Ok(data_type.clone())
        }
        other => plan_err!(
            "{function}: options must be text such as 'key=value' or a struct, got {other}"
        ),
    }
}

/// Checks the number and types of the arguments of a function of `texts` text arguments, and of options where it has some.
pub(crate) fn coerce_arguments(
    function: &str,
    texts: &[&str],
    has_options: bool,
    types: &[DataType],
) -> Result<Vec<DataType>> {
    let most = texts.len() + usize::from(has_options);
    if types.len() < texts.len() || types.len() > most {
        let options = if has_options { " [, options]" } else { "" };
        return plan_err!(
            "{function} is called as {function}({}{options}), got {} arguments",
            texts.join(", "),
            types.len()
        );
    }
    types
        .iter()
        .enumerate()
        .map(|(position, data_type)| match texts.get(position) {
            Some(name) => coerce_text(function, name, data_type),
            None => coerce_options(function, data_type),
        })
        .collect()
}

/// The type of a text result: views, and dictionaries of `Utf8` where the argument is a dictionary.
pub(crate) fn text_result_type(argument: &DataType) -> DataType {
    match argument {
        DataType::Dictionary(key, _) => DataType::Dictionary(key.clone(), Box::new(DataType::Utf8)),
        _ => DataType::Utf8View,
    }
}

/// Calls a function that makes texts of texts; a dictionary stays one.
pub(crate) fn map_to_text(
    argument: &ColumnarValue,
    function: impl Fn(Texts<'_>) -> Result<ArrayRef>,
) -> Result<ColumnarValue> {
    map_array(argument, |array| match array.as_any_dictionary_opt() {
        Some(dictionary) => {
            let values = function(Texts::try_new(dictionary.values())?)?;
            Ok(dictionary.with_values(cast(&values, &DataType::Utf8)?))
        }
        None => function(Texts::try_new(array)?),
    })
}

/// Calls a function that makes anything of texts, for a dictionary once per distinct value.
pub(crate) fn map_texts(
    argument: &ColumnarValue,
    function: impl Fn(Texts<'_>) -> Result<ArrayRef>,
) -> Result<ColumnarValue> {
    map_array(argument, |array| match array.as_any_dictionary_opt() {
        Some(dictionary) => {
            let values = function(Texts::try_new(dictionary.values())?)?;
            Ok(take(&values, dictionary.keys(), None)?)
        }
        None => function(Texts::try_new(array)?),
    })
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

/// The texts themselves where they stand in a dictionary.
fn unpacked(argument: &ColumnarValue, n_rows: usize) -> Result<ArrayRef> {
    let array = argument.to_array(n_rows)?;
    match array.data_type() {
        DataType::Dictionary(_, value) => Ok(cast(&array, value)?),
        _ => Ok(array),
    }
}
