//! Runs a statement once for every window of a live table that closes.
//!
//! The logical plan that DataFusion has optimised is kept. For each window, it becomes a physical
//! plan under a session that carries the window, runs like any other query, and its rows are passed
//! on. It does not run for windows without rows. At most a batch or two wait for the reader, and
//! everything ends as soon as the reader is gone.

use std::collections::BTreeSet;
use std::fmt::{Debug, Formatter};
use std::sync::Arc;

use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::{Result, internal_err};
use datafusion::execution::context::QueryPlanner;
use datafusion::execution::{SendableRecordBatchStream, SessionState, TaskContext};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_expr::{EquivalenceProperties, Partitioning};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{
    BaselineMetrics, Count, ExecutionPlanMetricsSet, MetricBuilder, MetricsSet,
};
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, execute_stream,
};
use futures::StreamExt;
use tokio::sync::mpsc::Sender;

use crate::leaf_plan::leaf_plan;
use crate::planner::windows::read::WindowedRead;
use crate::planner::windows::scan::WindowedScan;
use crate::streams::session_extensions::CurrentWindow;
use crate::streams::stream::LiveStream;
use crate::streams::windows::cutter::WindowCutter;
use crate::streams::windows::parts::IN_ORDER;
use crate::streams::windows::row_plan::RowPlan;

/// The number of result batches that can wait to be read.
const BATCHES_AHEAD: usize = 2;

/// A statement, and the windows on which it runs.
pub(crate) struct WindowedExec {
    read: WindowedRead,
    statement: WindowStatement,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

/// The statement that runs on every window.
#[derive(Clone)]
pub(crate) struct WindowStatement {
    /// The optimised plan.
    pub(crate) plan: Arc<LogicalPlan>,
    pub(crate) state: SessionState,
    pub(crate) planner: Arc<dyn QueryPlanner + Send + Sync>,
}

impl WindowStatement {
    /// Plans the statement for this window.
    ///
    /// # Errors
    /// The errors of the inner planner.
    pub(crate) async fn plan_for(
        &self,
        window: CurrentWindow,
    ) -> Result<(Arc<dyn ExecutionPlan>, SessionState)> {
        let state = with_window(&self.state, window);
        let plan = self
            .planner
            .create_physical_plan(&self.plan, &state)
            .await?;
        Ok((plan, state))
    }
}

/// Whether a plan runs its statement once for each closed window of a live table. Each batch is
/// then the whole result of a window, unless that has more rows than the session's batch size.
#[must_use]
pub fn is_per_window(plan: &dyn ExecutionPlan) -> bool {
    plan.downcast_ref::<WindowedExec>().is_some()
}

/// The session state with this window.
pub(crate) fn with_window(state: &SessionState, window: CurrentWindow) -> SessionState {
    let mut state = state.clone();
    state.config_mut().set_extension(Arc::new(window));
    state
}

impl WindowedExec {
    /// Runs `statement`, whose result has this schema, on the windows of `scan`, of which it reads
    /// the columns `outputs`.
    ///
    /// # Errors
    /// None in practice: the columns are known.
    pub(crate) fn try_new(
        scan: Arc<WindowedScan>,
        outputs: BTreeSet<usize>,
        statement: WindowStatement,
        schema: SchemaRef,
    ) -> Result<Self> {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Unbounded {
                requires_infinite_memory: false,
            },
        );
        Ok(Self {
            read: WindowedRead::try_new(scan, outputs)?,
            statement,
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        })
    }
}

impl Debug for WindowedExec {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "WindowedExec: {}", self.read.scan.text)
    }
}

impl DisplayAs for WindowedExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut Formatter<'_>) -> std::fmt::Result {
        match format {
            DisplayFormatType::TreeRender => write!(f, "window={}", self.read.scan.text),
            _ => write!(
                f,
                "WindowedExec: once per closed window, {}",
                self.read.scan.text
            ),
        }
    }
}

impl ExecutionPlan for WindowedExec {
    leaf_plan!("WindowedExec");

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        if partition != 0 {
            return internal_err!("WindowedExec has one partition, got {partition}");
        }
        let read = &self.read;
        let columns = &read.rows.columns;
        let stream = read.live().read(columns, read.time_kind(), None)?;
        let counters = Arc::clone(&stream.counters);
        let mut builder = RecordBatchReceiverStream::builder(self.schema(), BATCHES_AHEAD);
        let run = WindowedRun {
            cutter: read.cutter(counters, context.runtime_env(), &self.metrics)?,
            stream,
            rows: read.rows.clone(),
            statement: self.statement.clone(),
            output: builder.tx(),
            baseline: BaselineMetrics::new(&self.metrics, partition),
            n_windows: MetricBuilder::new(&self.metrics).counter("windows", partition),
        };
        builder.spawn(run.until_end());
        Ok(builder.build())
    }
}

/// A statement that is running.
struct WindowedRun {
    stream: LiveStream,
    cutter: WindowCutter,
    rows: RowPlan,
    statement: WindowStatement,
    output: Sender<Result<RecordBatch>>,
    baseline: BaselineMetrics,
    n_windows: Count,
}

impl WindowedRun {
    async fn until_end(mut self) -> Result<()> {
        while let Some(step) = self.stream.next().await {
            let step = step?;
            for timed in step.arrivals {
                let arrived = self.rows.apply(timed)?;
                self.cutter.add(&arrived, IN_ORDER)?;
            }
            self.cutter.advance(step.watermark)?;
            while let Some(window) = self.cutter.next_closed()? {
                self.n_windows.add(1);
                if !self.run_on(window).await? {
                    return Ok(());
                }
            }
        }
        self.baseline.done();
        Ok(())
    }

    /// Runs the statement on a window; false if the reader is gone.
    async fn run_on(&self, window: CurrentWindow) -> Result<bool> {
        let _timer = self.baseline.elapsed_compute().timer();
        let (plan, state) = self.statement.plan_for(window).await?;
        let n_rows_whole = state.config().batch_size();
        let mut batches = execute_stream(plan, state.task_ctx())?;
        // Most windows have a few rows, which become one batch, whatever pieces they come in.
        let mut pieces = vec![];
        let mut n_rows = 0;
        while let Some(batch) = batches.next().await {
            let batch = batch?;
            n_rows += batch.num_rows();
            pieces.push(batch);
            if n_rows >= n_rows_whole {
                n_rows = 0;
                if !self.hand_on(std::mem::take(&mut pieces)).await? {
                    return Ok(false);
                }
            }
        }
        self.hand_on(pieces).await
    }

    /// Passes on rows as one batch; false if the reader is gone.
    async fn hand_on(&self, pieces: Vec<RecordBatch>) -> Result<bool> {
        let rows = match &pieces[..] {
            [] => return Ok(true),
            [rows] => rows.clone(),
            [first, ..] => concat_batches(&first.schema(), &pieces)?,
        };
        self.baseline.record_output(rows.num_rows());
        Ok(self.output.send(Ok(rows)).await.is_ok())
    }
}
