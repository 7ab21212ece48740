//! The rows of one window as a table: the scan that a window function over a live table becomes in
//! a plan.
//!
//! The window travels in the configuration of the session under which the statement is planned and
//! runs, so that all of its scans, and a sink that needs the window, find the same one.

use std::fmt::{Debug, Formatter};
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Column as LogicalColumn;
use datafusion::common::stats::Precision;
use datafusion::common::{
    DFSchema, Result, ScalarValue, Statistics, exec_err, internal_err, plan_err, project_schema,
};
use datafusion::datasource::TableType;
use datafusion::execution::{SendableRecordBatchStream, SessionState, TaskContext};
use datafusion::logical_expr::expr_rewriter::unnormalize_col;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{StreamExt, stream};

use crate::leaf_plan::leaf_plan;
use crate::planner::windows::chain::Chain;
use crate::planner::windows::spec::WindowSpec;
use crate::streams::session_extensions::CurrentWindow;
use crate::streams::windows::row_store::WindowRows;
use crate::streams::windows::shape::{WINDOW_END, WINDOW_START, WindowShape, bound};

/// A live table under a window function: its columns, or those of a subquery, and the bounds of the
/// window.
#[derive(Debug)]
pub(crate) struct WindowedScan {
    pub(crate) chain: Chain,
    pub(crate) spec: WindowSpec,
    /// The text for EXPLAIN.
    pub(crate) text: String,
    schema: SchemaRef,
}

impl WindowedScan {
    /// The windows of this call over these rows.
    pub(crate) fn new(chain: Chain, spec: WindowSpec) -> Self {
        let data_type = bound_type(&chain, &spec);
        let bounds = [WINDOW_START, WINDOW_END]
            .map(|name| Arc::new(Field::new(name, data_type.clone(), false)));
        let fields = chain.schema.fields().iter().cloned().chain(bounds);
        let fields: Vec<_> = fields.collect();
        let schema = Arc::new(Schema::new_with_metadata(
            fields,
            chain.schema.metadata().clone(),
        ));
        let names = chain
            .schema
            .fields()
            .iter()
            .map(|field| field.name().clone());
        let text = spec.text(&chain.live.name, &names.collect::<Vec<_>>());
        Self {
            chain,
            spec,
            text,
            schema,
        }
    }

    /// The same windows, with only the rows for which these filters are true.
    ///
    /// # Errors
    /// If a filter uses other columns.
    pub(crate) fn filtered(&self, filters: &[Expr], state: &SessionState) -> Result<Self> {
        let mut chain = self.chain.clone();
        let schema = DFSchema::try_from(Arc::clone(&self.schema))?;
        for filter in filters {
            chain.add_filter(state.create_physical_expr(unnormalize_col(filter.clone()), &schema)?);
        }
        Ok(Self {
            chain,
            spec: self.spec.clone(),
            text: self.text.clone(),
            schema: Arc::clone(&self.schema),
        })
    }

    /// Whether this filter can be applied before rows are cut into windows. Sessions and counts
    /// depend on all rows, and the bounds are not known yet.
    fn can_filter_early(&self, filter: &Expr) -> bool {
        let is_own = |column: &&LogicalColumn| {
            let index = self.schema.index_of(column.name());
            index.is_ok_and(|index| index < self.n_columns())
        };
        matches!(self.spec.shape, WindowShape::Grid { .. })
            && !filter.is_volatile()
            && filter.column_refs().iter().all(is_own)
    }

    /// Whether the rows of a window all have the same bounds. Sessions that close at the same
    /// moment are one window.
    fn has_constant_bounds(&self) -> bool {
        !matches!(self.spec.shape, WindowShape::Session { .. })
    }

    /// The number of columns before the bounds.
    pub(crate) fn n_columns(&self) -> usize {
        self.chain.schema.fields().len()
    }

    /// The type of `window_start` and `window_end`.
    pub(crate) fn bound_type(&self) -> &DataType {
        self.schema.field(self.n_columns()).data_type()
    }

    /// The indexes of the columns of the result.
    fn columns(&self, projection: Option<&Vec<usize>>) -> Vec<usize> {
        match projection {
            Some(projection) => projection.clone(),
            None => (0..self.schema.fields().len()).collect(),
        }
    }
}

/// The type of the bounds: that of the time column, UTC nanoseconds for the time of reading, or
/// BIGINT for row numbers.
fn bound_type(chain: &Chain, spec: &WindowSpec) -> DataType {
    match (&spec.shape, spec.time) {
        (WindowShape::Rows { .. }, _) => DataType::Int64,
        (_, Some(time)) => chain.schema.field(time).data_type().clone(),
        (_, None) => DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
    }
}

#[async_trait]
impl TableProvider for WindowedScan {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        let how = |filter: &&Expr| {
            if self.can_filter_early(filter) {
                // Inexact: if a statement reads the windows twice, all rows are cut.
                TableProviderFilterPushDown::Inexact
            } else {
                TableProviderFilterPushDown::Unsupported
            }
        };
        Ok(filters.iter().map(how).collect())
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(window) = session.config().get_extension::<CurrentWindow>() else {
            return plan_err!(
                "{} needs the query planner of this extension: call datafusion_aiops::install on the session",
                self.text
            );
        };
        let schema = project_schema(&self.schema, projection)?;
        // The plan does not say that the bounds are constant: DataFusion 55.2 would then drop a
        // sort that it needs after a join whose sides it swaps, and refuse its own plan.
        let equivalences = EquivalenceProperties::new(Arc::clone(&schema));
        let properties = PlanProperties::new(
            equivalences,
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        let bounds = if self.has_constant_bounds() {
            Some([
                bound(window.span.start, self.bound_type())?,
                bound(window.span.end, self.bound_type())?,
            ])
        } else {
            None
        };
        Ok(Arc::new(WindowRowsExec {
            text: self.text.clone(),
            columns: self.columns(projection),
            n_columns: self.n_columns(),
            bounds,
            window,
            schema,
            properties: Arc::new(properties),
        }))
    }
}

/// The rows of the window: those on disk first, then those in memory.
struct WindowRowsExec {
    text: String,
    /// The columns of the scan that are in the result.
    columns: Vec<usize>,
    n_columns: usize,
    /// The bounds of all rows; `None`: each row has its own, after its columns.
    bounds: Option<[ScalarValue; 2]>,
    window: Arc<CurrentWindow>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
}

impl Debug for WindowRowsExec {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "WindowRowsExec: {}", self.text)
    }
}

impl DisplayAs for WindowRowsExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut Formatter<'_>) -> std::fmt::Result {
        match format {
            DisplayFormatType::TreeRender => write!(f, "window={}", self.text),
            _ => write!(f, "WindowRowsExec: rows of one window of {}", self.text),
        }
    }
}

impl ExecutionPlan for WindowRowsExec {
    leaf_plan!("WindowRowsExec");

    fn partition_statistics(&self, _: Option<usize>) -> Result<Arc<Statistics>> {
        let mut statistics = Statistics::new_unknown(&self.schema);
        if let Some(rows) = &self.window.rows {
            statistics.num_rows = Precision::Exact(rows.n_rows);
        }
        Ok(Arc::new(statistics))
    }

    fn execute(&self, _: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let Some(rows) = &self.window.rows else {
            return exec_err!("there is no window to run {} on", self.text);
        };
        let places = self.places(rows)?;
        let spilled = stream::iter(rows.spilled()?).flatten();
        let in_memory = stream::iter(rows.batches.clone()).map(Ok);
        let (bounds, schema) = (self.bounds.clone(), Arc::clone(&self.schema));
        let batches = spilled
            .chain(in_memory)
            .map(move |batch| arranged(&batch?, &places, bounds.as_ref(), &schema));
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            batches,
        )))
    }
}

/// Where a column of the result comes from.
#[derive(Debug, Clone, Copy)]
enum ColumnOrigin {
    Stored(usize),
    Bound(usize),
}

impl WindowRowsExec {
    fn places(&self, rows: &WindowRows) -> Result<Vec<ColumnOrigin>> {
        let n_stored = rows.outputs.len();
        let place = |column: &usize| match column.checked_sub(self.n_columns) {
            Some(bound) if self.bounds.is_some() => Ok(ColumnOrigin::Bound(bound)),
            Some(bound) => Ok(ColumnOrigin::Stored(n_stored + bound)),
            None => match rows.outputs.iter().position(|output| output == column) {
                Some(stored) => Ok(ColumnOrigin::Stored(stored)),
                None => internal_err!("column {column} of {} is not stored", self.text),
            },
        };
        self.columns.iter().map(place).collect()
    }
}

fn arranged(
    batch: &RecordBatch,
    places: &[ColumnOrigin],
    bounds: Option<&[ScalarValue; 2]>,
    schema: &SchemaRef,
) -> Result<RecordBatch> {
    let n_rows = batch.num_rows();
    let column = |place: &ColumnOrigin| -> Result<ArrayRef> {
        match (place, bounds) {
            (ColumnOrigin::Bound(bound), Some(bounds)) => bounds[*bound].to_array_of_size(n_rows),
            (ColumnOrigin::Stored(index) | ColumnOrigin::Bound(index), _) => {
                Ok(Arc::clone(batch.column(*index)))
            }
        }
    };
    let columns = places.iter().map(column).collect::<Result<_>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(n_rows));
    let schema = Arc::clone(schema);
    Ok(RecordBatch::try_new_with_options(
        schema, columns, &options,
    )?)
}
