//! A plan on the workers that answer.
//!
//! The plan for one machine is cut into stages when it runs, since only then it is known who
//! answers. If a worker dies before any row was handed out, the stages are made again for the
//! others; after that it is an error, because rows would come twice.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result, exec_err, internal_err};
use datafusion::error::DataFusionError;
use datafusion::execution::context::QueryPlanner;
use datafusion::execution::{
    SendableRecordBatchStream, SessionState, SessionStateBuilder, TaskContext,
};
use datafusion::logical_expr::{EmptyRelation, LogicalPlan};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, EmptyRecordBatchStream, ExecutionPlan, ExecutionPlanProperties,
    Partitioning, PlanProperties,
};
use datafusion_distributed::{
    DistributedExec, DistributedExt, DistributedMetricsFormat, SessionStateBuilderExt,
    WorkerResolver, rewrite_distributed_plan_with_metrics,
};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use tokio::time::timeout;
use url::Url;

use crate::codec::{AiopsCodec, log_scan};
use crate::distributed::channels::SharedChannels;
use crate::distributed::divide::{divide, keep_whole, original};
use crate::distributed::local_rows::with_local_rows;
use crate::distributed::planned::Planned;
use crate::distributed::settings::{ClusterSettings, to_headers};
use crate::distributed::worker_pool::{WorkerPool, address};
use crate::sinks::staged_sink::leaves_nothing_behind;

/// The counters of scans that come later than this after the last row are not counted.
const COUNTS_TIMEOUT: Duration = Duration::from_secs(2);
/// How often a statement begins, if each time a worker dies.
const MAX_ATTEMPTS: usize = 4;

/// Runs a plan for one machine on the workers of a cluster.
#[derive(Clone)]
pub(super) struct ClusterExec {
    /// The plan for one machine, of one partition.
    single: Arc<dyn ExecutionPlan>,
    statement: Arc<ClusterStatement>,
    properties: Arc<PlanProperties>,
}

/// What plans are made from. Each attempt gets a new one: a plan that has run keeps what it has
/// learnt, such as the bound of a LIMIT.
pub(super) struct ClusterStatement {
    pub(super) plan: LogicalPlan,
    pub(super) planner: Arc<dyn QueryPlanner + Send + Sync>,
    pub(super) state: SessionState,
    pub(super) settings: ClusterSettings,
    pub(super) pool: Arc<WorkerPool>,
}

/// A statement that has begun.
struct Begun {
    plan: Arc<dyn ExecutionPlan>,
    workers: Vec<Url>,
    first: Option<RecordBatch>,
    /// What comes after the first rows.
    rest: SendableRecordBatchStream,
}

impl ClusterStatement {
    /// The plan for one machine, of one partition.
    ///
    /// # Errors
    /// Those of the planner.
    pub(super) async fn single(&self) -> Result<Arc<dyn ExecutionPlan>> {
        let planned = self.planner.create_physical_plan(&self.plan, &self.state);
        let plan = planned.await?;
        Ok(match plan.output_partitioning().partition_count() {
            1 => plan,
            _ => Arc::new(CoalescePartitionsExec::new(plan)),
        })
    }

    /// Whether it writes rows and answers with their number.
    pub(super) fn writes(&self) -> bool {
        matches!(self.plan, LogicalPlan::Copy(_) | LogicalPlan::Dml(_))
    }
}

impl ClusterExec {
    pub(super) fn new(single: Arc<dyn ExecutionPlan>, statement: Arc<ClusterStatement>) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(single.schema()),
            Partitioning::UnknownPartitioning(1),
            single.pipeline_behavior(),
            single.boundedness(),
        );
        Self {
            single,
            statement,
            properties: Arc::new(properties),
        }
    }

    /// Runs the plan up to its first rows.
    async fn begin(&self, context: &Arc<TaskContext>) -> Result<Begun> {
        let settings = &self.statement.settings;
        let pool = &self.statement.pool;
        let mut single = Arc::clone(&self.single);
        let mut attempt = 1;
        loop {
            let sent = with_local_rows(&single, settings.sent_bytes, context).await?;
            let Some(sent) = sent else {
                let rest = single.execute(0, Arc::clone(context))?;
                return Ok(Begun::here(single, rest));
            };
            let workers = pool.ready(&settings.workers).await?;
            let (plan, with_workers) = self.distribute(&sent, &workers, context).await?;
            let mut rest = plan.execute(0, with_workers)?;
            let error = match rest.next().await.transpose() {
                // What is written is written when its rows are counted: an error that came later
                // would ask for it a second time.
                Ok(first) if first.is_none() || self.statement.writes() => {
                    return Ok(Begun {
                        plan,
                        workers,
                        first,
                        rest: Box::pin(EmptyRecordBatchStream::new(self.schema())),
                    });
                }
                Ok(first) => {
                    return Ok(Begun {
                        plan,
                        workers,
                        first,
                        rest,
                    });
                }
                Err(error) => error,
            };
            drop(rest);
            let lost = pool.lost(&workers).await;
            if lost.is_empty() {
                return Err(error);
            }
            if attempt == MAX_ATTEMPTS || !leaves_nothing_behind(&single)? {
                return Err(of_lost(&lost, error));
            }
            attempt += 1;
            single = self.statement.single().await?;
        }
    }

    /// The plan as stages for these workers, and the context in which it runs.
    async fn distribute(
        &self,
        plan: &Arc<dyn ExecutionPlan>,
        workers: &[Url],
        context: &Arc<TaskContext>,
    ) -> Result<(Arc<dyn ExecutionPlan>, Arc<TaskContext>)> {
        let hosts = self.statement.pool.channels().hosts(workers);
        let headers = to_headers(context.session_config(), &hosts)?;
        let channels = SharedChannels(Arc::clone(self.statement.pool.channels()));
        let builder = SessionStateBuilder::new_from_existing(self.statement.state.clone())
            .with_query_planner(Arc::new(Planned(Arc::clone(plan))))
            .with_distributed_worker_resolver(Answering(workers.to_vec()))
            .with_distributed_channel_resolver(channels)
            .with_distributed_user_codec(AiopsCodec)
            .with_distributed_passthrough_headers(headers)?
            .with_distributed_dynamic_task_count(false)?
            .with_distributed_planner()
            .with_distributed_scale_up_leaf_node_handler(divide)
            .with_distributed_desired_task_count_handler(keep_whole);
        let state = builder.build();
        let nothing = LogicalPlan::EmptyRelation(EmptyRelation {
            produce_one_row: false,
            schema: Arc::new(DFSchema::empty()),
        });
        let planner = Arc::clone(state.query_planner());
        let plan = planner.create_physical_plan(&nothing, &state).await?;
        let with_config = TaskContext::new(
            context.task_id(),
            context.session_id(),
            state.config().clone(),
            context.scalar_functions().clone(),
            context.higher_order_functions().clone(),
            context.aggregate_functions().clone(),
            context.window_functions().clone(),
            context.runtime_env(),
        );
        Ok((plan, Arc::new(with_config)))
    }
}

/// The workers that have answered.
struct Answering(Vec<Url>);

impl WorkerResolver for Answering {
    fn get_urls(&self) -> Result<Vec<Url>, DataFusionError> {
        Ok(self.0.clone())
    }
}

fn of_lost(lost: &[Url], error: DataFusionError) -> DataFusionError {
    let lost: Vec<_> = lost.iter().map(address).collect();
    error.context(format!("worker {} does not answer", lost.join(", ")))
}

impl Begun {
    /// A plan that runs in this process.
    fn here(plan: Arc<dyn ExecutionPlan>, rest: SendableRecordBatchStream) -> Self {
        Self {
            plan,
            workers: vec![],
            first: None,
            rest,
        }
    }

    /// All rows, and after them the counters of the scans.
    fn rows(self, pool: Arc<WorkerPool>) -> impl Stream<Item = Result<RecordBatch>> {
        let Self {
            plan,
            workers,
            first,
            rest,
        } = self;
        let rest = rest.then(move |batch| {
            let (pool, workers) = (Arc::clone(&pool), workers.clone());
            async move {
                match batch {
                    Ok(batch) => Ok(batch),
                    Err(error) => Err(after_rows(&pool, &workers, error).await),
                }
            }
        });
        let count = stream::once(async move {
            // Rows are right without their counters, which may never come from a worker that was
            // told to stop.
            let _ = timeout(COUNTS_TIMEOUT, add_counts(&plan)).await;
        });
        let count = count.filter_map(async |()| None);
        stream::iter(first.map(Ok)).chain(rest).chain(count)
    }
}

/// What an error after the first rows comes from.
async fn after_rows(pool: &WorkerPool, workers: &[Url], error: DataFusionError) -> DataFusionError {
    let lost = pool.lost(workers).await;
    if lost.is_empty() {
        return error;
    }
    of_lost(&lost, error).context(
        "rows of the result were handed out before, so the statement does not begin again by itself: run it again",
    )
}

/// Adds what scans of log files have counted on workers to the counters of their tables.
///
/// # Errors
/// When the plan has not run.
async fn add_counts(plan: &Arc<dyn ExecutionPlan>) -> Result<()> {
    if plan.downcast_ref::<DistributedExec>().is_none() {
        return Ok(());
    }
    let format = DistributedMetricsFormat::Aggregated;
    let measured = rewrite_distributed_plan_with_metrics(Arc::clone(plan), format).await?;
    let (planned, measured) = (nodes(plan)?, nodes(&measured)?);
    if planned.len() != measured.len() {
        return internal_err!("the plan that has run has other nodes");
    }
    for (planned, measured) in planned.iter().zip(&measured) {
        let scan = original(planned);
        if let Some((_, source)) = log_scan(scan.as_ref())
            && let Some(metrics) = measured.metrics()
        {
            let count = |name: &str| {
                let count = metrics.sum_by_name(name);
                count.map_or(0, |count| count.as_usize() as u64)
            };
            source.spec().counters.add_named(count);
        }
    }
    Ok(())
}

/// The nodes of a plan, each before its inputs.
fn nodes(plan: &Arc<dyn ExecutionPlan>) -> Result<Vec<Arc<dyn ExecutionPlan>>> {
    let mut nodes = vec![];
    plan.apply(|node| {
        nodes.push(Arc::clone(node));
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(nodes)
}

impl fmt::Debug for ClusterExec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ClusterExec")
    }
}

impl DisplayAs for ClusterExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        match format {
            DisplayFormatType::TreeRender => {
                write!(f, "workers={}", self.statement.settings.workers)
            }
            _ => write!(
                f,
                "ClusterExec: workers={}",
                self.statement.settings.workers
            ),
        }
    }
}

impl ExecutionPlan for ClusterExec {
    fn name(&self) -> &str {
        "ClusterExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.single]
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let [single] = children.as_slice() else {
            return internal_err!("ClusterExec has one input");
        };
        Ok(Arc::new(Self::new(
            Arc::clone(single),
            Arc::clone(&self.statement),
        )))
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
        if partition > 0 {
            return exec_err!("ClusterExec has one partition");
        }
        let (this, schema) = (self.clone(), self.schema());
        let pool = Arc::clone(&self.statement.pool);
        let rows = stream::once(async move { this.begin(&context).await })
            .map_ok(move |begun| begun.rows(Arc::clone(&pool)))
            .try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }

    /// Those of the root of the plan: a sink says there what it has left.
    fn metrics(&self) -> Option<MetricsSet> {
        self.single.metrics()
    }
}
