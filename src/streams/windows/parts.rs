//! What all cutters of windows need.

use std::sync::Arc;

use datafusion::arrow::array::UInt32Array;
use datafusion::arrow::compute::take_record_batch;
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::Result;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;

use crate::streams::compact::compacted;
use crate::streams::counters::{Missed, StreamCounters};
use crate::streams::windows::row_plan::{Arrived, RowPlan};
use crate::streams::windows::shape::WindowShape;

/// What a cutter is made of.
pub(crate) struct CutterParts<'a> {
    pub(crate) shape: &'a WindowShape,
    /// The columns of the rows that come, and their indices among the columns before the bounds.
    pub(crate) rows: &'a RowPlan,
    pub(crate) bound_type: &'a DataType,
    /// Whether rows are counted in the order of event time, and not as they are read.
    pub(crate) is_timed: bool,
    pub(crate) buffer_bytes: usize,
    pub(crate) runtime: Arc<RuntimeEnv>,
    pub(crate) metrics: &'a ExecutionPlanMetricsSet,
    pub(crate) counters: Arc<StreamCounters>,
}

/// The partition to store rows under to keep them in the order in which they came.
pub(crate) const IN_ORDER: u64 = 0;

/// Counts these rows as missed, and keeps them as they were read.
pub(crate) fn miss(
    counters: &StreamCounters,
    why: Missed,
    arrived: &Arrived,
    rows: Vec<u32>,
) -> Result<()> {
    if !rows.is_empty() {
        counters.miss(why, compacted(&taken(&arrived.raw, rows)?)?);
    }
    Ok(())
}

/// The rows of a batch, each with its time.
pub(crate) fn times(arrived: &Arrived) -> impl Iterator<Item = (u32, Option<i64>)> {
    (0_u32..).zip(arrived.timed.times.iter())
}

/// The rows with these indices; if these are all rows, nothing is copied.
pub(crate) fn taken(rows: &RecordBatch, indices: Vec<u32>) -> Result<RecordBatch> {
    // Without a column, Arrow's kernel does not know how many rows there are.
    if indices.len() == rows.num_rows() || rows.num_columns() == 0 {
        return Ok(rows.slice(0, indices.len()));
    }
    Ok(take_record_batch(rows, &UInt32Array::from(indices))?)
}
