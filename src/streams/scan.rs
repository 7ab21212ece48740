//! The scan of a live table in a query without a window function: it never ends.
//!
//! If the plan above depends on the order of event time, rows come in that order, once the
//! watermark has passed them. Otherwise they come as they are read, at once.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use datafusion::arrow::compute::SortOptions;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result, internal_err, plan_err};
use datafusion::datasource::TableType;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::dml::InsertOp;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{
    EquivalenceProperties, Partitioning, PhysicalExpr, PhysicalSortExpr,
};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{StreamExt, TryStreamExt, stream};

use crate::leaf_plan::leaf_plan;
use crate::streams::reorder::Reorder;
use crate::streams::session_extensions::{AsRead, ReadsToEnd};
use crate::streams::stream::{LiveStream, StreamStep};
use crate::streams::table::{LiveTable, TimeKind};

/// The order in which a live table is scanned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScanOrder {
    /// As they are read, without delay, including rows without a time.
    Reading,
    /// By event time, once the watermark has passed it. Late rows and rows without a time are
    /// counted and left out.
    EventTime,
}

#[async_trait]
impl TableProvider for LiveTable {
    fn schema(&self) -> SchemaRef {
        self.source.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let n_columns = self.source.schema().fields().len();
        let columns = projection
            .cloned()
            .unwrap_or_else(|| (0..n_columns).collect());
        let config = session.config();
        let to_end = config.get_extension::<ReadsToEnd>().is_some();
        let order = match config.get_extension::<AsRead>() {
            None if !to_end => ScanOrder::EventTime,
            _ => ScanOrder::Reading,
        };
        let table = Arc::new(self.clone());
        let mut scan = LiveScanExec::try_new(table, columns, order)?;
        if to_end {
            let properties = scan.properties.as_ref().clone();
            scan.properties = Arc::new(properties.with_boundedness(Boundedness::Bounded));
        }
        Ok(Arc::new(scan))
    }

    async fn insert_into(
        &self,
        _session: &dyn Session,
        _input: Arc<dyn ExecutionPlan>,
        _insert_op: InsertOp,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan_err!(
            "INSERT INTO {} is refused: a live table is only read",
            self.name
        )
    }
}

/// The plan node of the scan.
#[derive(Debug)]
pub(crate) struct LiveScanExec {
    table: Arc<LiveTable>,
    columns: Vec<usize>,
    order: ScanOrder,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl LiveScanExec {
    /// A scan of the columns with these indices, in this order; by event time only if its column is
    /// one of them.
    ///
    /// # Errors
    /// When the table has no such column.
    pub(crate) fn try_new(
        table: Arc<LiveTable>,
        columns: Vec<usize>,
        order: ScanOrder,
    ) -> Result<Self> {
        let order = match table.time_column {
            Some(time) if columns.contains(&time) => order,
            _ => ScanOrder::Reading,
        };
        let schema = Arc::new(table.source.schema().project(&columns)?);
        let mut equivalences = EquivalenceProperties::new(Arc::clone(&schema));
        if order == ScanOrder::EventTime
            && let Some(place) = columns
                .iter()
                .position(|column| Some(*column) == table.time_column)
        {
            let time: Arc<dyn PhysicalExpr> =
                Arc::new(Column::new(schema.field(place).name(), place));
            let ascending = SortOptions {
                descending: false,
                nulls_first: false,
            };
            equivalences.add_ordering([PhysicalSortExpr::new(time, ascending)]);
        }
        let properties = PlanProperties::new(
            equivalences,
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Unbounded {
                requires_infinite_memory: false,
            },
        );
        Ok(Self {
            table,
            columns,
            order,
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        })
    }
}

impl DisplayAs for LiveScanExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let order = match self.order {
            ScanOrder::Reading => "as read",
            ScanOrder::EventTime => "by event time",
        };
        match format {
            DisplayFormatType::TreeRender => write!(f, "table={}\norder={order}", self.table.name),
            _ => write!(f, "LiveScanExec: {}, {order}", self.table.name),
        }
    }
}

impl ExecutionPlan for LiveScanExec {
    leaf_plan!("LiveScanExec");

    fn execute(
        &self,
        partition: usize,
        _context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        if partition > 0 {
            return internal_err!("a live table has one partition");
        }
        let steps = self.table.read(&self.columns, TimeKind::Event, None)?;
        let order = match self.order {
            ScanOrder::Reading => None,
            ScanOrder::EventTime => Some(Reorder::new(self.table.buffer_bytes)),
        };
        let schema: SchemaRef = self.schema();
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let scan = Scan { steps, order };
        let batches = stream::try_unfold(scan, |mut scan| async move {
            let batches = scan.next().await?;
            Ok::<_, DataFusionError>(
                batches.map(|batches| (stream::iter(batches.into_iter().map(Ok)), scan)),
            )
        });
        let batches = batches
            .try_flatten()
            .inspect_ok(move |batch: &RecordBatch| {
                metrics.output_rows().add(batch.num_rows());
            });
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            schema,
            batches.boxed(),
        )))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// A running scan.
struct Scan {
    steps: LiveStream,
    order: Option<Reorder>,
}

impl Scan {
    /// The batches of the next step; `None` at the end.
    async fn next(&mut self) -> Result<Option<Vec<RecordBatch>>> {
        match self.steps.next().await {
            None => Ok(None),
            Some(step) => Ok(Some(self.batches(step?)?)),
        }
    }

    fn batches(&mut self, step: StreamStep) -> Result<Vec<RecordBatch>> {
        let counters = &self.steps.counters;
        let Some(order) = &mut self.order else {
            return Ok(step.arrivals.into_iter().map(|timed| timed.rows).collect());
        };
        for timed in step.arrivals {
            order.push(timed, counters)?;
        }
        let released = order.release(step.watermark)?;
        counters
            .buffered_bytes
            .store(order.held_bytes() as u64, Ordering::Relaxed);
        Ok(released.into_iter().map(|timed| timed.rows).collect())
    }
}
