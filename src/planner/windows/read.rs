//! Reads a live table for its windows: the columns that are needed, filtered and computed row by
//! row.

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

/// The windows of a live table, and the columns that are read.
pub(crate) struct WindowedRead {
    pub(crate) scan: Arc<WindowedScan>,
    pub(crate) rows: RowPlan,
}

impl WindowedRead {
    /// Reads the windows of `scan`, with these columns.
    ///
    /// # Errors
    /// None in practice: the columns are known.
    pub(crate) fn try_new(scan: Arc<WindowedScan>, mut outputs: BTreeSet<usize>) -> Result<Self> {
        outputs.retain(|output| *output < scan.n_columns());
        if let WindowShape::Session { keys, .. } = &scan.spec.shape {
            outputs.extend(keys);
        }
        // The time is always read, so that it can be shown for late rows.
        outputs.extend(scan.spec.time);
        // At least one column is read, since not all kernels and file formats support rows without
        // columns.
        if outputs.is_empty() {
            outputs.insert(0);
        }
        let rows = scan.chain.narrow(&outputs)?;
        Ok(Self { scan, rows })
    }

    /// The live table.
    pub(crate) fn live(&self) -> &LiveTable {
        &self.scan.chain.live
    }

    /// The kind of time that cuts the rows into windows.
    pub(crate) fn time_kind(&self) -> TimeKind {
        let spec = &self.scan.spec;
        match (spec.function, spec.time) {
            (WindowFunction::Tumble, None) => TimeKind::Processing,
            _ => TimeKind::Event,
        }
    }

    /// The cutter of the rows.
    ///
    /// # Errors
    /// If the lengths make no windows, which does not happen after the check of the call.
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
