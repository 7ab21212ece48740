//! What is done to each row of a live table before it is cut into windows: filters and computed
//! columns.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::compute::{filter, filter_record_batch, prep_null_mask_filter};
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::utils::collect_columns;

use crate::streams::stream::Timed;

/// One step that is done to every row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum RowStep {
    /// Keeps the rows for which this is true.
    Filter(Arc<dyn PhysicalExpr>),
    /// Computes these columns.
    Project(Vec<Arc<dyn PhysicalExpr>>, SchemaRef),
}

/// The columns to read from a live table, and what is done to their rows.
#[derive(Debug, Clone)]
pub(crate) struct RowPlan {
    /// The columns of the table to read.
    pub(crate) columns: Vec<usize>,
    steps: Vec<RowStep>,
    /// The indices of the output columns after the last step.
    kept: Vec<usize>,
    /// The indices of the output columns among the columns of the chain.
    pub(crate) outputs: Vec<usize>,
    pub(crate) schema: SchemaRef,
}

/// Rows on their way into windows.
#[derive(Debug, Clone)]
pub(crate) struct Arrived {
    /// As they were read.
    pub(crate) raw: RecordBatch,
    /// As they are put into windows, with their times.
    pub(crate) timed: Timed,
}

impl RowPlan {
    /// The plan that makes the columns `outputs` of the result of `steps`, whose columns are those
    /// of `schema`.
    ///
    /// # Errors
    /// When a step or an output names a column that does not exist.
    pub(crate) fn new(
        steps: &[RowStep],
        schema: &Schema,
        outputs: &BTreeSet<usize>,
    ) -> Result<Self> {
        // Backwards to find the columns that each step needs, then forwards to find where they are.
        let mut needed = outputs.clone();
        let mut layouts = Vec::with_capacity(steps.len());
        for step in steps.iter().rev() {
            match step {
                RowStep::Filter(predicate) => needed.extend(columns_of(predicate)),
                RowStep::Project(expressions, _) => {
                    let inputs = needed.iter().filter_map(|index| expressions.get(*index));
                    let inputs: BTreeSet<usize> = inputs.flat_map(columns_of).collect();
                    layouts.push(std::mem::replace(&mut needed, inputs));
                }
            }
        }
        let columns: Vec<usize> = needed.iter().copied().collect();
        let mut layout = needed;
        let mut narrowed = Vec::with_capacity(steps.len());
        for step in steps {
            match step {
                RowStep::Filter(predicate) => {
                    narrowed.push(RowStep::Filter(moved(predicate, &layout)?));
                }
                RowStep::Project(expressions, schema) => {
                    let kept = layouts.pop().unwrap_or_default();
                    let expressions = kept.iter().filter_map(|index| expressions.get(*index));
                    let expressions = expressions.map(|expression| moved(expression, &layout));
                    let expressions = expressions.collect::<Result<_>>()?;
                    let indices: Vec<usize> = kept.iter().copied().collect();
                    narrowed.push(RowStep::Project(
                        expressions,
                        Arc::new(schema.project(&indices)?),
                    ));
                    layout = kept;
                }
            }
        }
        let outputs: Vec<usize> = outputs.iter().copied().collect();
        let kept = outputs.iter().filter_map(|output| place(&layout, *output));
        Ok(Self {
            columns,
            steps: narrowed,
            kept: kept.collect(),
            schema: Arc::new(schema.project(&outputs)?),
            outputs,
        })
    }

    /// Applies all steps.
    ///
    /// # Errors
    /// When an expression fails on a row.
    pub(crate) fn apply(&self, timed: Timed) -> Result<Arrived> {
        let raw = timed.rows.clone();
        let mut arrived = Arrived { raw, timed };
        for step in &self.steps {
            match step {
                RowStep::Filter(predicate) => arrived.filter(predicate)?,
                RowStep::Project(expressions, schema) => {
                    let rows = &arrived.timed.rows;
                    arrived.timed.rows = project(rows, expressions, schema)?;
                }
            }
        }
        arrived.timed.rows = arrived.timed.rows.project(&self.kept)?;
        Ok(arrived)
    }
}

impl Arrived {
    fn filter(&mut self, predicate: &Arc<dyn PhysicalExpr>) -> Result<()> {
        let rows = &self.timed.rows;
        let keep = predicate.evaluate(rows)?.into_array(rows.num_rows())?;
        let keep = keep.as_boolean();
        let keep = if keep.null_count() > 0 {
            prep_null_mask_filter(keep)
        } else {
            keep.clone()
        };
        if keep.true_count() < rows.num_rows() {
            self.timed.rows = filter_record_batch(rows, &keep)?;
            self.timed.times = filter(&self.timed.times, &keep)?.to_data().into();
            self.raw = filter_record_batch(&self.raw, &keep)?;
        }
        Ok(())
    }
}

fn project(
    rows: &RecordBatch,
    expressions: &[Arc<dyn PhysicalExpr>],
    schema: &SchemaRef,
) -> Result<RecordBatch> {
    let n_rows = rows.num_rows();
    let columns = expressions
        .iter()
        .map(|expression| expression.evaluate(rows)?.into_array(n_rows))
        .collect::<Result<_>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(n_rows));
    let schema = Arc::clone(schema);
    Ok(RecordBatch::try_new_with_options(
        schema, columns, &options,
    )?)
}

fn columns_of(expression: &Arc<dyn PhysicalExpr>) -> BTreeSet<usize> {
    let columns = collect_columns(expression);
    columns.iter().map(Column::index).collect()
}

fn place(layout: &BTreeSet<usize>, index: usize) -> Option<usize> {
    layout.iter().position(|column| *column == index)
}

/// Rewrites the expression for rows that have only the columns of this layout.
fn moved(
    expression: &Arc<dyn PhysicalExpr>,
    layout: &BTreeSet<usize>,
) -> Result<Arc<dyn PhysicalExpr>> {
    let moved = Arc::clone(expression).transform(|part| {
        let Some(column) = part.downcast_ref::<Column>() else {
            return Ok(Transformed::no(part));
        };
        let index = place(layout, column.index()).unwrap_or_default();
        let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new(column.name(), index));
        Ok(Transformed::yes(column))
    });
    moved.data()
}
