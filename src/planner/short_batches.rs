//! Cuts batches by their number of points. A GROUP BY that collects the points of series
//! (`late_lists`) emits batches of 8,192 series, whatever their length, and the functions above it
//! make the lists of a whole batch at once. This rule cuts such a batch into pieces whose lists
//! stay small.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateOutputMode};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{StreamExt, TryStreamExt, stream};

use crate::functions::ts::ts_points::POINTS_NAME;

/// The bytes of points in a piece: about 14,000 points, whose verdicts take 1 MB, so that
/// allocators reuse the same memory.
const PIECE_BYTES: usize = 1 << 17;

/// The rule that cuts where points are collected.
#[derive(Debug)]
pub(crate) struct ShortBatches;

impl PhysicalOptimizerRule for ShortBatches {
    fn name(&self) -> &str {
        "short_batches"
    }

    fn schema_check(&self) -> bool {
        true
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let cut = plan.transform_up(|node| {
            if collects_points(node.as_ref()) {
                Ok(Transformed::yes(Arc::new(ShortBatchesExec::new(node)) as _))
            } else {
                Ok(Transformed::no(node))
            }
        });
        cut.data()
    }
}

/// Whether a node returns all points of each series.
fn collects_points(node: &dyn ExecutionPlan) -> bool {
    let Some(aggregate) = node.downcast_ref::<AggregateExec>() else {
        return false;
    };
    let is_whole = aggregate.mode().output_mode() == AggregateOutputMode::Final;
    let mut functions = aggregate.aggr_expr().iter();
    is_whole && functions.any(|function| function.fun().name() == POINTS_NAME)
}

/// The node that cuts.
#[derive(Debug)]
pub(crate) struct ShortBatchesExec {
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl ShortBatchesExec {
    pub(crate) fn new(input: Arc<dyn ExecutionPlan>) -> Self {
        Self {
            properties: Arc::clone(input.properties()),
            input,
        }
    }
}

impl DisplayAs for ShortBatchesExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("ShortBatchesExec")
    }
}

impl ExecutionPlan for ShortBatchesExec {
    fn name(&self) -> &str {
        "ShortBatchesExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match children.into_iter().next() {
            Some(input) => Ok(Arc::new(Self::new(input))),
            None => internal_err!("ShortBatchesExec has an input"),
        }
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let batches = self.input.execute(partition, context)?;
        let pieces = batches
            .map_ok(|batch| {
                let pieces = pieces(&batch).into_iter();
                stream::iter(pieces.map(move |rows| Ok(batch.slice(rows.start, rows.len()))))
            })
            .try_flatten();
        let stream = RecordBatchStreamAdapter::new(self.schema(), pieces.boxed());
        Ok(Box::pin(stream))
    }
}

/// The row ranges of the pieces of a batch; each has at least one row.
fn pieces(batch: &RecordBatch) -> Vec<Range<usize>> {
    let columns = batch.columns().iter();
    let points: Vec<_> = columns
        .filter_map(|column| column.as_binary_view_opt())
        .collect();
    let bytes = |row: usize| -> usize {
        let lengths = points.iter().map(|column| column.value(row).len());
        lengths.sum()
    };
    let mut pieces = vec![];
    let (mut begin, mut n_bytes) = (0, 0);
    for row in 0..batch.num_rows() {
        if row > begin && n_bytes + bytes(row) > PIECE_BYTES {
            pieces.push(begin..row);
            (begin, n_bytes) = (row, 0);
        }
        n_bytes += bytes(row);
    }
    if begin < batch.num_rows() {
        pieces.push(begin..batch.num_rows());
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::array::{BinaryViewArray, Int64Array};

    #[test]
    fn pieces_are_short_and_whole() {
        let check = |lengths: &[usize], ends: &[usize]| {
            let values = lengths.iter().map(|length| vec![7; *length]);
            let points = BinaryViewArray::from_iter_values(values);
            let hosts = Int64Array::from_iter_values(0..lengths.len() as i64);
            let columns = [
                ("host", Arc::new(hosts) as _),
                ("points", Arc::new(points) as _),
            ];
            let batch = RecordBatch::try_from_iter(columns).unwrap();
            let begins = std::iter::once(0).chain(ends.iter().copied());
            let expected: Vec<_> = begins.zip(ends).map(|(begin, end)| begin..*end).collect();
            assert_eq!(pieces(&batch), expected, "{lengths:?}");
        };
        let half = PIECE_BYTES / 2;
        check(&[], &[]);
        check(&[0, 0, 5], &[3]);
        check(&[half, half, 1], &[2, 3]);
        check(&[3 * half, 3 * half, 0], &[1, 2, 3]);
        check(&[1, 3 * half], &[1, 2]);
    }
}
