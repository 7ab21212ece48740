//! A plan on the workers that answer.
//!
//! The plan for one machine is cut into stages when it runs, since only then it is known who
//! answers. If a worker dies before any row was handed out, the stages are made again for the
//! others; after that it is an error, because rows would come twice.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result, exec_err, internal_err};
use datafusion::error::DataFusionError;
use datafusion::execution::{
    SendableRecordBatchStream, SessionState, SessionStateBuilder, TaskContext,
};
use datafusion::logical_expr::{EmptyRelation, LogicalPlan};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning,
    PlanProperties,
};
use datafusion_distributed::{
    DistributedExec, DistributedExt, DistributedMetricsFormat, SessionStateBuilderExt,
    WorkerResolver, rewrite_distributed_plan_with_metrics,
};
use futures::{StreamExt, TryStreamExt, stream};
use url::Url;

use crate::codec::{AiopsCodec, log_scan};
use crate::distributed::channels::SharedChannels;
use crate::distributed::cluster::{WorkerPool, address};
use crate::distributed::divide::{divide, keep_whole, original};
use crate::distributed::local_rows::with_local_rows;
use crate::distributed::planned::Planned;
use crate::distributed::settings::{ClusterSettings, to_headers};
use crate::sinks::staged_sink::leaves_nothing_behind;

/// How often a statement is begun anew because a worker has died.
const MAX_ATTEMPTS: usize = 4;

/// Runs a plan for one machine on the workers of a cluster.
pub(super) struct ClusterExec {
    /// The plan for one machine, of one partition.
    single: Arc<dyn ExecutionPlan>,
    cluster: Arc<WorkerPool>,
    settings: ClusterSettings,
    state: Arc<SessionState>,
    properties: Arc<PlanProperties>,
}

/// A statement that has begun.
struct Begun {
    plan: Arc<dyn ExecutionPlan>,
    workers: Vec<Url>,
    first: Option<RecordBatch>,
    rest: SendableRecordBatchStream,
}

impl ClusterExec {
    pub(super) fn new(
        single: Arc<dyn ExecutionPlan>,
        cluster: Arc<WorkerPool>,
        settings: ClusterSettings,
        state: SessionState,
    ) -> Self {
        let single: Arc<dyn ExecutionPlan> = if single.output_partitioning().partition_count() == 1
        {
            single
        } else {
            Arc::new(CoalescePartitionsExec::new(single))
        };
        let properties = PlanProperties::new(
            EquivalenceProperties::new(single.schema()),
            Partitioning::UnknownPartitioning(1),
            single.pipeline_behavior(),
            single.boundedness(),
        );
        Self {
            single,
            cluster,
            settings,
            state: Arc::new(state),
            properties: Arc::new(properties),
        }
    }

    fn again(&self) -> Self {
        Self {
            single: Arc::clone(&self.single),
            cluster: Arc::clone(&self.cluster),
            settings: self.settings.clone(),
            state: Arc::clone(&self.state),
            properties: Arc::clone(&self.properties),
        }
    }

    /// Runs the plan up to its first rows.
    async fn begin(&self, context: &Arc<TaskContext>) -> Result<Begun> {
        let sent = with_local_rows(&self.single, self.settings.sent_bytes, context).await?;
        let mut attempt = 1;
        loop {
            let workers = self.cluster.ready(&self.settings.workers).await?;
            let (plan, context) = match &sent {
                Some(plan) => self.distribute(plan, &workers, context).await?,
                None => (Arc::clone(&self.single), Arc::clone(context)),
            };
            let mut rest = plan.execute(0, context)?;
            let error = match rest.next().await.transpose() {
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
            let lost = self.cluster.lost(&workers).await;
            if lost.is_empty() {
                return Err(error);
            }
            if attempt == MAX_ATTEMPTS || !leaves_nothing_behind(&self.single)? {
                return Err(of_lost(&lost, error));
            }
            attempt += 1;
        }
    }

    /// The plan as stages for these workers, and the context in which it runs.
    async fn distribute(
        &self,
        plan: &Arc<dyn ExecutionPlan>,
        workers: &[Url],
        context: &Arc<TaskContext>,
    ) -> Result<(Arc<dyn ExecutionPlan>, Arc<TaskContext>)> {
        let headers = to_headers(context.session_config())?;
        let channels = SharedChannels(Arc::clone(self.cluster.channels()));
        let builder = SessionStateBuilder::new_from_existing(self.state.as_ref().clone())
            .with_query_planner(Arc::new(Planned(Arc::clone(plan))))
            .with_distributed_worker_resolver(Answering(workers.to_vec()))
            .with_distributed_channel_resolver(channels)
            .with_distributed_user_codec(AiopsCodec)
            .with_distributed_passthrough_headers(headers)?
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
    /// All rows, and after them what the scans have counted.
    fn rows(self, cluster: Arc<WorkerPool>) -> impl futures::Stream<Item = Result<RecordBatch>> {
        let Self {
            plan,
            workers,
            first,
            rest,
        } = self;
        let n_first = usize::from(first.is_some());
        let rest = rest.then(move |batch| {
            let (cluster, workers) = (Arc::clone(&cluster), workers.clone());
            async move {
                match batch {
                    Ok(batch) => Ok(batch),
                    Err(error) => Err(after_rows(&cluster, &workers, n_first, error).await),
                }
            }
        });
        let count = stream::once(async move { add_counts(&plan).await })
            .filter_map(async |counted: Result<()>| counted.err().map(Err));
        stream::iter(first.map(Ok)).chain(rest).chain(count)
    }
}

async fn after_rows(
    cluster: &WorkerPool,
    workers: &[Url],
    n_first: usize,
    error: DataFusionError,
) -> DataFusionError {
    let lost = cluster.lost(workers).await;
    if lost.is_empty() {
        error
    } else if n_first > 0 {
        of_lost(&lost, error).context(
            "rows of the result were handed out before, so the statement is not begun anew by itself: run it again",
        )
    } else {
        of_lost(&lost, error)
    }
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
            DisplayFormatType::TreeRender => write!(f, "workers={}", self.settings.workers),
            _ => write!(f, "ClusterExec: workers={}", self.settings.workers),
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
            Arc::clone(&self.cluster),
            self.settings.clone(),
            self.state.as_ref().clone(),
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
        let (this, schema) = (self.again(), self.schema());
        let cluster = Arc::clone(&self.cluster);
        let rows = stream::once(async move { this.begin(&context).await })
            .map_ok(move |begun| begun.rows(Arc::clone(&cluster)))
            .try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }

    /// Those of the root of the plan: a sink says there what it has left.
    fn metrics(&self) -> Option<MetricsSet> {
        self.single.metrics()
    }
}
