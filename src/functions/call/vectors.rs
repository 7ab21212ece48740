//! Vector arguments: numbers in any Arrow list type.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Float32Array, ListArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Float32Type};
use datafusion::common::Result;

/// A column of vectors.
#[derive(Debug)]
pub(crate) struct VectorColumn {
    lists: ListArray,
    values: Float32Array,
}

impl VectorColumn {
    pub(crate) fn try_new(array: &ArrayRef) -> Result<Self> {
        let item = Field::new_list_field(DataType::Float32, true);
        let lists = cast(array, &DataType::List(Arc::new(item)))?;
        let lists = lists.as_list::<i32>().clone();
        let values = lists.values().as_primitive::<Float32Type>().clone();
        Ok(Self { lists, values })
    }

    /// The vector of a row; `None` for NULL, and for a vector that contains NULL.
    pub(crate) fn get(&self, row: usize) -> Option<&[f32]> {
        if self.lists.is_null(row) {
            return None;
        }
        let offsets = self.lists.value_offsets();
        let (begin, end) = (index(offsets[row]), index(offsets[row + 1]));
        let has_nulls =
            self.values.null_count() > 0 && self.values.slice(begin, end - begin).null_count() > 0;
        (!has_nulls).then(|| &self.values.values()[begin..end])
    }
}

/// An offset as an index; offsets of lists are never negative.
fn index(offset: i32) -> usize {
    usize::try_from(offset).unwrap_or_default()
}
