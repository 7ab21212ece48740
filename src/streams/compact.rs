//! Copies of rows that keep no larger blocks alive: a text that is a view keeps alive the whole
//! block that it is a part of.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::Result;

/// The same rows, which no longer keep much larger blocks alive.
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

/// Copies texts that are views into blocks if they use less than half of them. Other types are
/// copied anyway by the kernels that take rows.
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
