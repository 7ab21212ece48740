//! The query planner of a session that has workers.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{Result, internal_datafusion_err, plan_err};
use datafusion::execution::context::QueryPlanner;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::SessionContext;

use crate::distributed::aiops_workers::AiopsWorkers;
use crate::distributed::cluster_exec::{ClusterExec, ClusterStatement};
use crate::distributed::local_rows::{reads_files, reads_here};
use crate::distributed::scalars_first::scalars_first;
use crate::distributed::security::Security;
use crate::distributed::settings::ClusterSettings;
use crate::distributed::worker_pool::WorkerPool;
use crate::formats::log::log_settings::log_formats_of;
use crate::planner::live_tables::LiveScans;
use crate::streams::table::registry_of;

/// Lets a session that [`install`](crate::install) has prepared use workers: those of its setting
/// `aiops.workers`, `host:port` with commas between them, and none while that is empty. The table
/// function `aiops_workers()` shows them.
///
/// Every statement has the rows that it has on one machine, models byte for byte, unless it has
/// others there with another number of partitions (LIMIT without ORDER BY, approximate
/// percentiles). Files must have
/// the same names on all machines: on a shared disk, or in an object store, for which each worker
/// has credentials of its own. Rows that only this process can read (a database, a table in memory)
/// are sent along up to `aiops.sent_bytes`, 64 MiB; a statement with more of them runs here, and so
/// does one whose files are small (`distributed.file_scan_config_bytes_per_partition`), and one that
/// changes rows of a database that it reads. Statements that read live tables are refused.
///
/// # Errors
/// When the session was not prepared, or is connected already.
///
/// ```
/// use datafusion_aiops::distributed::{Security, connect};
///
/// # #[tokio::main]
/// # async fn main() -> datafusion::error::Result<()> {
/// let context = datafusion_aiops::session()?;
/// connect(&context, Security::default())?;
/// context.sql("SET aiops.workers = 'node1:7100,node2:7100'").await?;
/// # Ok(())
/// # }
/// ```
pub fn connect(context: &SessionContext, security: Security) -> Result<()> {
    registry_of(context)?;
    let pool = Arc::new(WorkerPool::new(security));
    let state = context.state_ref();
    let mut state = state.write();
    let options = state.config_mut().options_mut();
    if options.extensions.get::<ClusterSettings>().is_some() {
        return plan_err!(
            "the session is connected already: change its workers by SET aiops.workers"
        );
    }
    let log_formats = log_formats_of(options);
    options.extensions.insert(ClusterSettings {
        log_formats,
        ..ClusterSettings::default()
    });
    options
        .extensions
        .insert(datafusion_distributed::DistributedConfig::default());
    let workers = AiopsWorkers::new(Arc::clone(&pool));
    state.register_udtf("aiops_workers", Arc::new(workers));
    let inner = Arc::clone(state.query_planner());
    *state = SessionStateBuilder::new_from_existing(state.clone())
        .with_query_planner(Arc::new(ClusterPlanner { inner, pool }))
        .build();
    Ok(())
}

struct ClusterPlanner {
    inner: Arc<dyn QueryPlanner + Send + Sync>,
    pool: Arc<WorkerPool>,
}

impl fmt::Debug for ClusterPlanner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ClusterPlanner")
    }
}

#[async_trait]
impl QueryPlanner for ClusterPlanner {
    async fn create_physical_plan(
        &self,
        plan: &LogicalPlan,
        session: &dyn Session,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let settings = session.config_options().extensions.get::<ClusterSettings>();
        let settings = settings.cloned().unwrap_or_default();
        // EXPLAIN shows the plan for one machine: which workers answer is only known when it runs.
        let runs_here = settings.workers.trim().is_empty()
            || matches!(plan, LogicalPlan::Explain(_) | LogicalPlan::Ddl(_));
        if runs_here {
            return self.inner.create_physical_plan(plan, session).await;
        }
        refuse_live(plan)?;
        let state = session.as_any().downcast_ref::<SessionState>();
        let state = state
            .ok_or_else(|| internal_datafusion_err!("a cluster needs a SessionState"))?
            .clone();
        let run = |subquery: LogicalPlan| async move {
            let plan = self.create_physical_plan(&subquery, session).await?;
            collect(plan, session.task_ctx()).await
        };
        let plan = Box::pin(scalars_first(plan, run)).await?;
        let statement = ClusterStatement {
            plan,
            planner: Arc::clone(&self.inner),
            state,
            settings,
            pool: Arc::clone(&self.pool),
        };
        let single = statement.single().await?;
        // Without files there is nothing to share: SET, tables in memory, aiops_workers() itself. And
        // what changes the rows that it reads does both in one transaction, which is in this process.
        let has_files = single.exists(|node| Ok(reads_files(node.as_ref())))?;
        if !has_files || statement.writes() && reads_here(&single)? {
            return Ok(single);
        }
        Ok(Arc::new(ClusterExec::new(single, Arc::new(statement))))
    }
}

/// Live rows come to one process.
fn refuse_live(plan: &LogicalPlan) -> Result<()> {
    if LiveScans::of(plan)?.reads_live() {
        plan_err!(
            "a live table is read by one process: SET aiops.workers = '' before this statement"
        )
    } else {
        Ok(())
    }
}
