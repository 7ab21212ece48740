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
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;

use crate::planner::continuous;
use crate::planner::windows::execution::{Statement, WindowedExec, with_window};
use crate::planner::windows::locality::check_window_local;
use crate::planner::windows::scan::{CurrentWindow, WindowedScan};
use crate::tables::live::table::LiveTable;

/// Puts the planner before the one that the session has.
pub(crate) fn register(state: &mut SessionState) {
    let inner = Arc::clone(state.query_planner());
    *state = SessionStateBuilder::new_from_existing(state.clone())
        .with_query_planner(Arc::new(LivePlanner { inner }))
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
                outputs,
            } => {
                let state = state_of(session)?;
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
struct LiveScans {
    /// A live table without a window function.
    live: Option<LiveTable>,
    windowed: Option<Arc<WindowedScan>>,
    /// The columns of `windowed` that are asked for.
    outputs: BTreeSet<usize>,
}

impl LiveScans {
    fn of(plan: &LogicalPlan) -> Result<Self> {
        let mut scans = Self::default();
        plan.apply_with_subqueries(|node| {
            // A source of another kind has no provider, and is no live table.
            if let LogicalPlan::TableScan(scan) = node
                && let Ok(provider) = source_as_provider(&scan.source)
            {
                scans.add(provider, scan.projection.as_deref())?;
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(scans)
    }

    fn add(
        &mut self,
        provider: Arc<dyn TableProvider>,
        projection: Option<&[usize]>,
    ) -> Result<()> {
        if let Some(live) = provider.downcast_ref::<LiveTable>() {
            self.live = Some(live.clone());
            return Ok(());
        }
        let n_columns = provider.schema().fields().len();
        let provider: Arc<dyn std::any::Any + Send + Sync> = provider;
        let Ok(scan) = provider.downcast::<WindowedScan>() else {
            return Ok(());
        };
        match projection {
            Some(projection) => self.outputs.extend(projection),
            None => self.outputs.extend(0..n_columns),
        }
        let first = self.windowed.get_or_insert_with(|| Arc::clone(&scan));
        check_same(first, &scan)
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
            "a statement runs on one kind of windows, got {} and {}: use the same lengths, or two statements",
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
