//! Control characters in a table: printed as they are, they would move the cursor, ring the bell,
//! or rewrite the title of the terminal.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::Result;

/// The batch with its control characters as pictures (`␛`); line ends and tabs stay.
pub(crate) fn with_visible_controls(
    batch: &RecordBatch,
    options: &FormatOptions<'_>,
) -> Result<RecordBatch> {
    let mut fields = vec![];
    let mut columns = vec![];
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        let column = if may_hold_text(column.data_type()) {
            visible_column(column, options)?
        } else {
            Arc::clone(column)
        };
        let name = visible(field.name()).unwrap_or_else(|| field.name().clone());
        let data_type = column.data_type().clone();
        fields.push(Field::new(name, data_type, true).with_metadata(field.metadata().clone()));
        columns.push(column);
    }
    if columns.is_empty() {
        return Ok(batch.clone());
    }
    Ok(RecordBatch::try_new(
        Arc::new(Schema::new(fields)),
        columns,
    )?)
}

fn may_hold_text(data_type: &DataType) -> bool {
    data_type.is_string()
        || data_type.is_nested()
        || matches!(
            data_type,
            DataType::Dictionary(..) | DataType::RunEndEncoded(..)
        )
}

/// The column as it is printed, or the column itself if it has no hidden characters.
fn visible_column(column: &ArrayRef, options: &FormatOptions<'_>) -> Result<ArrayRef> {
    let formatter = ArrayFormatter::try_new(column.as_ref(), options)?;
    let cell = |row: usize| -> Result<Option<String>> {
        Ok(if column.is_null(row) {
            None
        } else {
            Some(formatter.value(row).try_to_string()?)
        })
    };
    let mut is_changed = false;
    let mut cells = Vec::with_capacity(column.len());
    for row in 0..column.len() {
        let text = cell(row)?;
        let replaced = text.as_deref().and_then(visible);
        is_changed |= replaced.is_some();
        cells.push(replaced.or(text));
    }
    Ok(if is_changed {
        Arc::new(StringArray::from(cells))
    } else {
        Arc::clone(column)
    })
}

/// The text with pictures of its control characters, or `None` if it has none.
fn visible(text: &str) -> Option<String> {
    text.contains(is_hidden).then(|| {
        text.chars()
            .map(|character| {
                if is_hidden(character) {
                    picture(character)
                } else {
                    character
                }
            })
            .collect()
    })
}

fn is_hidden(character: char) -> bool {
    character.is_control() && character != '\n' && character != '\t'
}

/// Unicode has pictures for the ASCII controls only.
fn picture(character: char) -> char {
    match u32::from(character) {
        code @ 0..=0x1f => char::from_u32(0x2400 + code).unwrap_or(char::REPLACEMENT_CHARACTER),
        0x7f => '\u{2421}',
        _ => char::REPLACEMENT_CHARACTER,
    }
}

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn control_characters_become_pictures() {
        for (text, expected) in [
            ("plain\n\tté日", None),
            ("\x1b[31mred\x07\0", Some("␛[31mred␇␀")),
            ("a\r\nb\x7f\u{9b}", Some("a␍\nb␡\u{fffd}")),
        ] {
            assert_eq!(visible(text).as_deref(), expected);
        }
    }
}
