//! The live tables that a plan reads: the single walk that finds them.

use std::any::Any;
use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, plan_err};
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{Expr, LogicalPlan, TableScan};

use crate::planner::windows::scan::WindowedScan;
use crate::streams::table::LiveTable;

/// How a plan reads a live table.
pub(crate) enum LiveScan {
    /// Without a window function.
    Plain(LiveTable),
    Windowed(Arc<WindowedScan>),
}

impl LiveScan {
    fn of(provider: Arc<dyn TableProvider>) -> Option<Self> {
        if let Some(live) = provider.downcast_ref::<LiveTable>() {
            return Some(Self::Plain(live.clone()));
        }
        let provider: Arc<dyn Any + Send + Sync> = provider;
        provider.downcast::<WindowedScan>().ok().map(Self::Windowed)
    }
}

/// Calls `visit` for every scan of a live table, in views and subqueries too, until it says `Stop`.
///
/// # Errors
/// The errors of `visit`.
pub(crate) fn visit_live_scans(
    plan: &LogicalPlan,
    visit: &mut dyn FnMut(LiveScan, &TableScan) -> Result<TreeNodeRecursion>,
) -> Result<TreeNodeRecursion> {
    plan.apply_with_subqueries(|node| {
        let LogicalPlan::TableScan(scan) = node else {
            return Ok(TreeNodeRecursion::Continue);
        };
        if let Some(view) = scan.source.get_logical_plan() {
            return visit_live_scans(&view, visit);
        }
        // A source of another kind has no provider, so it is not a live table.
        let provider = source_as_provider(&scan.source).ok();
        match provider.and_then(LiveScan::of) {
            Some(live) => visit(live, scan),
            None => Ok(TreeNodeRecursion::Continue),
        }
    })
}

/// The first live table that a plan reads without a window function.
///
/// # Errors
/// None in practice: the visit does not fail.
pub(crate) fn first_live_table(plan: &LogicalPlan) -> Result<Option<LiveTable>> {
    let mut first = None;
    visit_live_scans(plan, &mut |scan, _| match scan {
        LiveScan::Plain(live) => {
            first = Some(live);
            Ok(TreeNodeRecursion::Stop)
        }
        LiveScan::Windowed(_) => Ok(TreeNodeRecursion::Continue),
    })?;
    Ok(first)
}

/// Whether a plan reads a live table at all.
///
/// # Errors
/// None in practice: the visit does not fail.
pub(crate) fn reads_live_table(plan: &LogicalPlan) -> Result<bool> {
    let mut is_found = false;
    visit_live_scans(plan, &mut |_, _| {
        is_found = true;
        Ok(TreeNodeRecursion::Stop)
    })?;
    Ok(is_found)
}

/// The live tables that a statement reads.
#[derive(Debug, Default)]
pub(crate) struct LiveScans {
    /// A live table that is read without a window function.
    pub(crate) live: Option<LiveTable>,
    pub(crate) windowed: Option<Arc<WindowedScan>>,
    /// How often `windowed` is read.
    pub(crate) n_windowed: usize,
    /// The columns of `windowed` that are read.
    pub(crate) outputs: BTreeSet<usize>,
    /// The filters of the last scan of `windowed`.
    pub(crate) filters: Vec<Expr>,
}

impl LiveScans {
    /// The live tables that this plan reads.
    ///
    /// # Errors
    /// If it reads two live tables in windows, or one in two kinds of windows.
    pub(crate) fn of(plan: &LogicalPlan) -> Result<Self> {
        let mut scans = Self::default();
        scans.add_all(plan)?;
        Ok(scans)
    }

    /// Whether it reads a live table at all.
    pub(crate) fn reads_live(&self) -> bool {
        self.live.is_some() || self.windowed.is_some()
    }

    /// Adds the live tables that another plan reads.
    ///
    /// # Errors
    /// If it reads another live table in windows, or the same one in another kind of windows.
    pub(crate) fn add_all(&mut self, plan: &LogicalPlan) -> Result<()> {
        visit_live_scans(plan, &mut |scan, node| {
            self.add(scan, node)?;
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(())
    }

    fn add(&mut self, scan: LiveScan, node: &TableScan) -> Result<()> {
        let scan = match scan {
            LiveScan::Plain(live) => {
                self.live = Some(live);
                return Ok(());
            }
            LiveScan::Windowed(scan) => scan,
        };
        let n_columns = scan.schema().fields().len();
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

/// Refuses a second scan with other windows: a statement runs on one set of windows, however often
/// it reads them.
fn check_same(first: &WindowedScan, other: &WindowedScan) -> Result<()> {
    if !first.chain.is_of(&other.chain.live) {
        return plan_err!(
            "a statement runs on the windows of one live table, got {} and {}: write one of them into a table first",
            first.text,
            other.text
        );
    }
    if first.spec.shape != other.spec.shape || first.spec.function != other.spec.function {
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
