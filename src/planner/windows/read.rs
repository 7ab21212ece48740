//! What is read of a live table for its windows: the columns that are asked for, filtered and
//! computed row by row.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;

use crate::planner::windows::scan::WindowedScan;
use crate::planner::windows::spec::WindowFunction;
use crate::streams::counters::StreamCounters;
use crate::streams::table::{LiveTable, TimeKind};
use crate::streams::windows::cutter::WindowCutter;
use crate::streams::windows::parts::CutterParts;
use crate::streams::windows::row_plan::RowPlan;
use crate::streams::windows::shape::WindowShape;

/// The windows of a live table, and the columns that are read of it.
pub(crate) struct WindowedRead {
    pub(crate) scan: Arc<WindowedScan>,
    pub(crate) rows: RowPlan,
}

impl WindowedRead {
    /// The windows of `scan`, of which these columns are asked for.
    ///
    /// # Errors
    /// None in practice: the columns are known.
    pub(crate) fn try_new(scan: Arc<WindowedScan>, mut outputs: BTreeSet<usize>) -> Result<Self> {
        outputs.retain(|output| *output < scan.n_columns());
        if let WindowShape::Session { keys, .. } = &scan.spec.shape {
            outputs.extend(keys);
        }
        // The time, so that it can be told of rows that come late.
        outputs.extend(scan.spec.time);
        // Not all kernels and file formats know rows without columns.
        if outputs.is_empty() {
            outputs.insert(0);
        }
        let rows = scan.chain.narrow(&outputs)?;
        Ok(Self { scan, rows })
    }

    /// The table.
    pub(crate) fn live(&self) -> &LiveTable {
        &self.scan.chain.live
    }

    /// Which time cuts its rows.
    pub(crate) fn time_kind(&self) -> TimeKind {
        let spec = &self.scan.spec;
        match (spec.function, spec.time) {
            (WindowFunction::Tumble, None) => TimeKind::Processing,
            _ => TimeKind::Event,
        }
    }

    /// What cuts its rows.
    ///
    /// # Errors
    /// When the lengths make no windows; the call was checked before.
    pub(crate) fn cutter(
        &self,
        counters: Arc<StreamCounters>,
        runtime: Arc<RuntimeEnv>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Result<WindowCutter> {
        let live = self.live();
        WindowCutter::new(CutterParts {
            shape: &self.scan.spec.shape,
            rows: &self.rows,
            bound_type: self.scan.bound_type(),
            is_timed: live.time_column.is_some(),
            buffer_bytes: live.buffer_bytes,
            runtime,
            metrics,
            counters,
        })
    }
}
