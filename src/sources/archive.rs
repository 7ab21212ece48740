//! Archives, which make a live table of what was written before: the rows of any plan come in the
//! order of their times, window by window, as if they came now.
//!
//! The order is the same at every reading, so that a number of rows is a place in it: there is one
//! partition, and rows of the same time stay in the order in which they were read, however much
//! memory the sort has and however fast the partitions of the plan are.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::{Column, Result, exec_datafusion_err, exec_err, plan_datafusion_err};
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::execution::{SendableRecordBatchStream, SessionState};
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::execute_stream;
use futures::StreamExt;
use serde_json::json;
use tokio::runtime::Handle;

use crate::algorithms::windows::watermark::WatermarkOptions;
use crate::sources::in_turn::in_turn;
use crate::streams::counters::StreamRegistry;
use crate::streams::live_options::DEFAULT_BUFFER_BYTES;
use crate::streams::source::{
    LiveSource, PartitionNews, Polled, PositionsBody, PositionsKind, ReadRows, SourceReader,
};
use crate::streams::table::LiveTable;

/// A live table of the rows of `plan` in the order of the time column, as if they came now; it ends
/// after the last row. It is added to `streams` under its name.
///
/// # Errors
/// When there is no such column.
pub(crate) fn archive_table(
    name: String,
    plan: LogicalPlan,
    time_column: Option<usize>,
    state: SessionState,
    streams: Arc<StreamRegistry>,
) -> Result<LiveTable> {
    let source = ArchiveSource::try_new(plan, time_column, state)?;
    streams.add_table(&name, source.schema());
    Ok(LiveTable {
        name,
        source: Arc::new(source),
        time_column,
        // Rows come in order, so the watermark follows the newest; it waits for no others, and no
        // time counts as in the future.
        watermark: WatermarkOptions {
            delay: 0,
            idle_timeout: i64::MAX,
            max_skew: i64::MAX,
        },
        buffer_bytes: DEFAULT_BUFFER_BYTES,
        clock: streams.clock(),
        streams,
    })
}

const PARTITION: u64 = 0;
/// The name of the column with the place of a row while its plan is sorted.
const PLACE: &str = "__aiops_place";

/// The rows of a plan.
#[derive(Clone)]
pub(crate) struct ArchiveSource {
    plan: LogicalPlan,
    time_column: Option<usize>,
    schema: SchemaRef,
    state: Arc<SessionState>,
}

impl fmt::Debug for ArchiveSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArchiveSource")
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}

impl ArchiveSource {
    /// The rows of `plan` in the order of the column with this index, NULLs first, then the oldest;
    /// without such a column, in the order in which they are read.
    ///
    /// # Errors
    /// When there is no such column.
    pub(crate) fn try_new(
        plan: LogicalPlan,
        time_column: Option<usize>,
        state: SessionState,
    ) -> Result<Self> {
        let schema = Arc::clone(plan.schema().inner());
        let n_columns = schema.fields().len();
        if let Some(index) = time_column.filter(|index| *index >= n_columns) {
            return Err(plan_datafusion_err!(
                "the time column has the index {index}, and there are {n_columns} columns"
            ));
        }
        // One partition, so that the order of the rows is the same each time.
        let config = state.config().clone().with_target_partitions(1);
        let state = SessionStateBuilder::new_from_existing(state)
            .with_config(config)
            .build();
        Ok(Self {
            plan,
            time_column,
            schema,
            state: Arc::new(state),
        })
    }

    /// The columns with these indices, in the order of time.
    fn plan(&self, columns: &[usize]) -> Result<LogicalPlan> {
        let field =
            |index: usize| Expr::Column(Column::from(self.plan.schema().qualified_field(index)));
        let mut plan = LogicalPlanBuilder::from(self.plan.clone());
        if let Some(time) = self.time_column {
            let place = row_number().alias(PLACE);
            let place = vec![place];
            plan = plan.window(place)?;
            let by_time = field(time).sort(true, true);
            let by_place = Expr::Column(Column::from_name(PLACE)).sort(true, true);
            plan = plan.sort([by_time, by_place])?;
        }
        plan.project(columns.iter().map(|index| field(*index)))?
            .build()
    }

    async fn rows(&self, columns: &[usize]) -> Result<SendableRecordBatchStream> {
        let plan = self.plan(columns)?;
        let plan = self.state.create_physical_plan(&plan).await?;
        execute_stream(in_turn(plan)?, self.state.task_ctx())
    }
}

impl LiveSource for ArchiveSource {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn positions_kind(&self) -> PositionsKind {
        PositionsKind::new("archive", 1)
    }

    fn open(
        &self,
        columns: &[usize],
        positions: Option<&PositionsBody>,
    ) -> Result<Box<dyn SourceReader>> {
        let handle = Handle::try_current()
            .map_err(|_| exec_datafusion_err!("a table is read within a tokio runtime"))?;
        let n_rows = positions.map(n_rows_of).transpose()?.unwrap_or(0);
        Ok(Box::new(ArchiveReader {
            source: self.clone(),
            handle,
            columns: columns.to_vec(),
            rows: None,
            rest: None,
            n_rows,
        }))
    }

    fn is_replayable(&self) -> bool {
        true
    }
}

pub(super) fn n_rows_of(positions: &PositionsBody) -> Result<u64> {
    let n_rows = positions["rows"].as_u64();
    n_rows.ok_or_else(|| exec_datafusion_err!("these positions are not of an archive: {positions}"))
}

/// The rows that are being read.
struct ArchiveReader {
    source: ArchiveSource,
    handle: Handle,
    columns: Vec<usize>,
    /// `None` until the first rows are asked for.
    rows: Option<SendableRecordBatchStream>,
    /// The rest of a batch that a replay has not handed out.
    rest: Option<RecordBatch>,
    /// The number of rows that were handed out, by this reader or before.
    n_rows: u64,
}

impl fmt::Debug for ArchiveReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArchiveReader")
            .field("source", &self.source)
            .field("n_rows", &self.n_rows)
            .finish_non_exhaustive()
    }
}

impl ArchiveReader {
    /// The next rows, at least one; `None` at the end.
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        if let Some(rest) = self.rest.take() {
            return Ok(Some(rest));
        }
        let (mut rows, mut n_skipped) = match self.rows.take() {
            Some(rows) => (rows, 0),
            None => {
                let rows = self.source.rows(&self.columns);
                (self.handle.block_on(rows)?, self.n_rows)
            }
        };
        let next = loop {
            let Some(batch) = self.handle.block_on(rows.next()).transpose()? else {
                break None;
            };
            let from = batch
                .num_rows()
                .min(usize::try_from(n_skipped).unwrap_or(usize::MAX));
            n_skipped -= from as u64;
            if from < batch.num_rows() {
                break Some(batch.slice(from, batch.num_rows() - from));
            }
        };
        self.rows = Some(rows);
        Ok(next)
    }

    fn hand_out(&mut self, rows: RecordBatch, polled: &mut Polled) {
        self.n_rows += rows.num_rows() as u64;
        polled.bytes += rows.get_array_memory_size() as u64;
        polled.pieces.push(ReadRows {
            partition: PARTITION,
            rows,
        });
    }
}

impl SourceReader for ArchiveReader {
    fn poll(&mut self, _now: i64, _newest: &HashMap<u64, i64>, polled: &mut Polled) -> Result<()> {
        polled.news.push((PARTITION, PartitionNews::Opened));
        match self.next()? {
            Some(rows) => {
                self.hand_out(rows, polled);
                polled.news.push((PARTITION, PartitionNews::Behind));
                polled.has_more = true;
            }
            None => {
                polled.news.push((PARTITION, PartitionNews::Closed));
                polled.has_ended = true;
            }
        }
        Ok(())
    }

    fn look(&mut self, _now: i64, _polled: &mut Polled) -> Result<()> {
        Ok(())
    }

    fn replay(
        &mut self,
        upto: &PositionsBody,
        max_bytes: usize,
        _now: i64,
        polled: &mut Polled,
    ) -> Result<()> {
        let upto = n_rows_of(upto)?;
        if upto < self.n_rows {
            return exec_err!("row {upto} lies before row {}, which was read", self.n_rows);
        }
        let mut n_bytes = 0;
        while self.n_rows < upto && n_bytes < max_bytes {
            let Some(rows) = self.next()? else {
                let n_missing = upto - self.n_rows;
                polled.problems.push(format!(
                    "{n_missing} rows that were read before are missing"
                ));
                self.n_rows = upto;
                break;
            };
            let n_wanted = usize::try_from(upto - self.n_rows).unwrap_or(usize::MAX);
            let n_wanted = n_wanted.min(rows.num_rows());
            if n_wanted < rows.num_rows() {
                self.rest = Some(rows.slice(n_wanted, rows.num_rows() - n_wanted));
            }
            n_bytes += rows.get_array_memory_size();
            self.hand_out(rows.slice(0, n_wanted), polled);
        }
        polled.has_more = self.n_rows < upto;
        Ok(())
    }

    fn positions(&self) -> Result<PositionsBody> {
        Ok(json!({ "rows": self.n_rows }))
    }
}
