//! List results: one list per row.

use datafusion::arrow::array::{ArrayRef, ListArray};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::datatypes::FieldRef;
use datafusion::common::{Result, exec_datafusion_err};

/// Lists from their concatenated elements; `lengths` has the number of elements of each row.
///
/// # Errors
/// If one batch has more elements than a list column can count, 2^31-1.
pub(crate) fn list_of(
    item: FieldRef,
    values: ArrayRef,
    lengths: &[usize],
    nulls: Option<NullBuffer>,
) -> Result<ListArray> {
    if i32::try_from(values.len()).is_err() {
        return Err(exec_datafusion_err!(
            "{} list elements in one batch are more than 2147483647; use smaller batches",
            values.len()
        ));
    }
    let offsets = OffsetBuffer::from_lengths(lengths.iter().copied());
    Ok(ListArray::try_new(item, offsets, values, nulls)?)
}
