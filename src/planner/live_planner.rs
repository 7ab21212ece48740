//! The query planner of a session with live tables. It stands before the one that was there.
//!
//! A statement that reads no live table is none of its business. With a window function over a live table the whole
//! statement runs once per closed window; a live table alone makes a query that never ends.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err, plan_err};
use datafusion::datasource::source_as_provider;
use datafusion::execution::context::QueryPlanner;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::{DdlStatement, Expr, LogicalPlan, TableScan};
use datafusion::physical_plan::ExecutionPlan;

use crate::planner::continuous::{self, LowLatency};
use crate::planner::plan_size::check_plan_size;
use crate::planner::windows::execution::{Statement, WindowedExec, with_window};
use crate::planner::windows::locality::check_window_local;
use crate::planner::windows::scan::{CurrentWindow, WindowedScan};
use crate::tables::live::table::LiveTable;

/// Puts the planner before the one that the session has, and the rule that lets rows through behind its rules.
pub(crate) fn register(state: &mut SessionState) {
    let inner = Arc::clone(state.query_planner());
    *state = SessionStateBuilder::new_from_existing(state.clone())
        .with_query_planner(Arc::new(LivePlanner { inner }))
        .with_physical_optimizer_rule(Arc::new(LowLatency))
        .build();
}

/// The planner, before another one.
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
        // On a window everything is bounded.
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
                // What is read twice may be filtered in two ways.
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
            // The planner within plans what is explained: it shows what runs on every window.
            let state = with_window(state, CurrentWindow::placeholder());
            return self.inner.create_physical_plan(plan, &state).await;
        }
        let statement = Statement {
            plan: Arc::new(plan.clone()),
            state: state.clone(),
            planner: Arc::clone(&self.inner),
        };
        // Planned once before there is a window: its errors come now, and its schema is known.
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

/// What a statement reads of live tables.
#[derive(Debug, Default)]
pub(crate) struct LiveScans {
    /// A live table without a window function.
    pub(crate) live: Option<LiveTable>,
    pub(crate) windowed: Option<Arc<WindowedScan>>,
    /// How often it is read.
    n_windowed: usize,
    /// The columns of `windowed` that are asked for.
    pub(crate) outputs: BTreeSet<usize>,
    /// What its rows must be, where they are read last.
    filters: Vec<Expr>,
}

impl LiveScans {
    /// What this plan reads.
    ///
    /// # Errors
    /// When it reads two live tables, or one in two kinds of windows.
    pub(crate) fn of(plan: &LogicalPlan) -> Result<Self> {
        let mut scans = Self::default();
        scans.add_all(plan)?;
        Ok(scans)
    }

    /// Whether it reads a live table at all.
    pub(crate) fn reads_live(&self) -> bool {
        self.live.is_some() || self.windowed.is_some()
    }

    /// Adds what another plan reads.
    ///
    /// # Errors
    /// When that is another live table, or one in another kind of windows.
    pub(crate) fn add_all(&mut self, plan: &LogicalPlan) -> Result<()> {
        plan.apply_with_subqueries(|node| {
            let LogicalPlan::TableScan(scan) = node else {
                return Ok(TreeNodeRecursion::Continue);
            };
            if let Some(view) = scan.source.get_logical_plan() {
                self.add_all(&view)?;
            } else if let Ok(provider) = source_as_provider(&scan.source) {
                // A source of another kind has no provider, and is no live table.
                self.add(provider, scan)?;
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(())
    }

    fn add(&mut self, provider: Arc<dyn TableProvider>, node: &TableScan) -> Result<()> {
        if let Some(live) = provider.downcast_ref::<LiveTable>() {
            self.live = Some(live.clone());
            return Ok(());
        }
        let n_columns = provider.schema().fields().len();
        let provider: Arc<dyn std::any::Any + Send + Sync> = provider;
        let Ok(scan) = provider.downcast::<WindowedScan>() else {
            return Ok(());
        };
        match &node.projection {
            Some(projection) => self.outputs.extend(projection),
            None => self.outputs.extend(0..n_columns),
        }
        self.n_windowed += 1;
        self.filters = node.filters.clone();
        let first = self.windowed.get_or_insert_with(|| Arc::clone(&scan));
        check_same(first, &scan)
    }
}

/// Refuses a plan that DataFusion would run outside its planner, and so without end: `CREATE TABLE … AS` over a live table;
/// and a plan of so many steps, or so many one within another, that it cannot be optimised and run without harm. Call it before
/// the plan is executed.
///
/// # Errors
/// A plan error that says what to write instead.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> datafusion::error::Result<()> {
/// let context = datafusion_aiops::session()?;
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

/// A statement runs on the windows of one cut, however often it reads them.
fn check_same(first: &WindowedScan, other: &WindowedScan) -> Result<()> {
    if !first.chain.is_of(&other.chain.live) {
        return plan_err!(
            "a statement runs on the windows of one live table, got {} and {}: write one of them into a table first",
            first.text,
            other.text
        );
    }
    if first.spec.cut != other.spec.cut || first.spec.function != other.spec.function {
        return plan_err!(
            "a statement runs on one kind of windows, got {} and {}: use the same lengths, or run them apart",
            first.text,
            other.text
        );
    }
    if first.chain != other.chain || first.spec != other.spec {
        return plan_err!(
            "a statement runs on one set of windows, and two {} read different columns or rows of {}: filter outside, \
             SELECT .. FROM {} WHERE ..",
            first.spec.function.name(),
            first.chain.live.name,
            first.text
        );
    }
    Ok(())
}
