//! Rows without the memory of others: a text that is a view keeps the whole block alive that it is
//! a part of.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::Result;

/// The same rows without what they keep alive of larger blocks.
///
/// # Errors
/// None in practice.
pub(crate) fn compacted(rows: &RecordBatch) -> Result<RecordBatch> {
    let columns = rows.columns().iter().map(compacted_column).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    Ok(RecordBatch::try_new_with_options(
        rows.schema(),
        columns,
        &options,
    )?)
}

/// Texts that are views into blocks of which they use less than half are copied. Kernels that take
/// rows copy the others.
fn compacted_column(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::Utf8View => {
            let views = column.as_string_view();
            let held: usize = views.data_buffers().iter().map(|block| block.len()).sum();
            if views.total_buffer_bytes_used() * 2 < held {
                return Arc::new(views.gc());
            }
        }
        DataType::BinaryView => {
            let views = column.as_binary_view();
            let held: usize = views.data_buffers().iter().map(|block| block.len()).sum();
            if views.total_buffer_bytes_used() * 2 < held {
                return Arc::new(views.gc());
            }
        }
        _ => {}
    }
    Arc::clone(column)
}
