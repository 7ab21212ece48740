//! The query planner of a session with live tables, which wraps the planner that was there before.
//!
//! Statements that read no live table pass through unchanged. A statement with a window function
//! over a live table runs as a whole once per closed window; a statement over a live table alone is
//! a query that never ends.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::{Result, internal_err, plan_err};
use datafusion::execution::context::QueryPlanner;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::{DdlStatement, LogicalPlan};
use datafusion::physical_plan::ExecutionPlan;

use crate::planner::continuous::{self, LowLatency};
use crate::planner::live_tables::LiveScans;
use crate::planner::plan_size::check_plan_size;
use crate::planner::windows::execution::{WindowStatement, WindowedExec, with_window};
use crate::planner::windows::locality::check_window_local;
use crate::planner::windows::scan::WindowedScan;
use crate::streams::session_extensions::CurrentWindow;

/// Wraps the planner of the session, and adds the rule that lets rows through at once after its
/// other rules.
pub(crate) fn register(state: &mut SessionState) {
    let inner = Arc::clone(state.query_planner());
    *state = SessionStateBuilder::new_from_existing(state.clone())
        .with_query_planner(Arc::new(LivePlanner { inner }))
        .with_physical_optimizer_rule(Arc::new(LowLatency))
        .build();
}

/// The planner for live tables, around another planner.
#[derive(Debug)]
pub(crate) struct LivePlanner {
    inner: Arc<dyn QueryPlanner + Send + Sync>,
}

#[async_trait]
impl QueryPlanner for LivePlanner {
    async fn create_physical_plan(
        &self,
        plan: &LogicalPlan,
        session: &dyn Session,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        // If the statement runs on a window, all of its tables are bounded.
        let is_on_window = session.config().get_extension::<CurrentWindow>().is_some();
        let scans = if is_on_window {
            LiveScans::default()
        } else {
            LiveScans::of(plan)?
        };
        match scans {
            LiveScans {
                live: None,
                windowed: None,
                ..
            } => self.inner.create_physical_plan(plan, session).await,
            LiveScans {
                live: Some(live),
                windowed: None,
                ..
            } => {
                let state = state_of(session)?;
                continuous::plan(plan, state, self.inner.as_ref(), &live).await
            }
            LiveScans {
                live: Some(live),
                windowed: Some(scan),
                ..
            } => plan_err!(
                "the statement reads {} in windows and {} without: put the same window function around both",
                scan.text,
                live.name
            ),
            LiveScans {
                live: None,
                windowed: Some(scan),
                n_windowed,
                outputs,
                filters,
            } => {
                let state = state_of(session)?;
                // Windows that are read twice may have two different filters.
                let scan = match n_windowed {
                    1 => Arc::new(scan.filtered(&filters, state)?),
                    _ => scan,
                };
                self.plan_windows(plan, state, scan, outputs).await
            }
        }
    }
}

impl LivePlanner {
    async fn plan_windows(
        &self,
        plan: &LogicalPlan,
        state: &SessionState,
        scan: Arc<WindowedScan>,
        outputs: BTreeSet<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match plan {
            LogicalPlan::Analyze(_) => {
                return plan_err!(
                    "EXPLAIN ANALYZE over a live table would never end: use EXPLAIN, or aiops_streams() while it runs"
                );
            }
            LogicalPlan::Copy(_) => {
                return plan_err!(
                    "COPY over a live table would write the same file for every window: use INSERT INTO a table"
                );
            }
            _ => check_window_local(plan)?,
        }
        if let LogicalPlan::Explain(_) = plan {
            // The inner planner plans the explained statement, so EXPLAIN shows the plan that runs
            // on every window.
            let state = with_window(state, CurrentWindow::placeholder());
            return self.inner.create_physical_plan(plan, &state).await;
        }
        let statement = WindowStatement {
            plan: Arc::new(plan.clone()),
            state: state.clone(),
            planner: Arc::clone(&self.inner),
        };
        // The statement is planned once before there is a window, to report its errors now and to
        // know its schema.
        let (first, _) = statement.plan_for(CurrentWindow::placeholder()).await?;
        let exec = WindowedExec::try_new(scan, outputs, statement, first.schema())?;
        Ok(Arc::new(exec))
    }
}

fn state_of(session: &dyn Session) -> Result<&SessionState> {
    match session.as_any().downcast_ref::<SessionState>() {
        Some(state) => Ok(state),
        None => internal_err!("live tables need a SessionState"),
    }
}

/// Refuses a plan that would never end, or that is too large to be optimised and run safely.
///
/// DataFusion runs `CREATE TABLE … AS` outside its planner, so over a live table it would never
/// end. A plan is too large if it has too many steps, or if they are nested too deeply. Call this
/// function before the plan is executed.
///
/// # Errors
/// A plan error that says what to write instead.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> datafusion::error::Result<()> {
/// let context = datafusion_aiops::session()?;
/// datafusion_aiops::register_stdin(&context)?;
/// let plan = context.state().create_logical_plan("CREATE TABLE t AS SELECT * FROM stdin").await?;
/// assert!(datafusion_aiops::check_plan(&plan).is_err());
/// # Ok(())
/// # }
/// ```
pub fn check_plan(plan: &LogicalPlan) -> Result<()> {
    check_plan_size(plan)?;
    let LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(create)) = plan else {
        return Ok(());
    };
    let scans = LiveScans::of(&create.input)?;
    let windowed = scans.windowed.map(|scan| scan.chain.live.name.clone());
    match scans.live.map(|live| live.name).or(windowed) {
        Some(name) => plan_err!(
            "CREATE TABLE … AS over the live table {name} would never be done: create the table with its columns, then \
             INSERT INTO {} SELECT … FROM tumble({name}, …)",
            create.name
        ),
        None => Ok(()),
    }
}
