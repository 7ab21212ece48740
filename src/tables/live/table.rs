//! A live table: a source, and how event time is told.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::{Field, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Result, plan_err};
use datafusion::datasource::TableType;
use datafusion::execution::SessionState;
use datafusion::logical_expr::dml::InsertOp;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::physical_plan::ExecutionPlan;

use crate::algorithms::windows::watermark::WatermarkOptions;
use crate::tables::live::bounded::BoundedSource;
use crate::tables::live::clock::Clock;
use crate::tables::live::counters::StreamRegistry;
use crate::tables::live::options::{DEFAULT_BUFFER_BYTES, LiveOptions};
use crate::tables::live::scan::{AsRead, LiveScanExec, ScanOrder};
use crate::tables::live::source::{LiveSource, Positions};
use crate::tables::live::stream::{LiveStream, ReadAgain, Stepper, TimeOf};

/// A table that is followed while it grows.
#[derive(Debug, Clone)]
pub(crate) struct LiveTable {
    pub(crate) name: String,
    pub(crate) source: Arc<dyn LiveSource>,
    /// The index of the event-time column; `None`: the moment of reading.
    pub(crate) time_column: Option<usize>,
    pub(crate) watermark: WatermarkOptions,
    /// Bytes of rows that a statement may hold in memory while their windows are open.
    pub(crate) buffer_bytes: usize,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) streams: Arc<StreamRegistry>,
}

/// Which time cuts the rows of a live table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum TimeKind {
    /// The table's event time: its time column, or the moment of reading where it has none.
    Event,
    /// The moment of reading.
    Processing,
}

/// What a reader goes on from that must not lose or double a row.
#[derive(Debug, Default)]
pub(crate) struct Resume {
    /// Where to begin; `None`: where the options of the table say.
    pub(crate) from: Option<Positions>,
    /// What is read again first, range by range.
    pub(crate) again: Vec<ReadAgain>,
}

impl LiveTable {
    /// A table over `source`, known to `streams` by its name.
    ///
    /// # Errors
    /// When the option `time_column` names no time of this source.
    pub(crate) fn try_new(
        name: String,
        source: Arc<dyn LiveSource>,
        options: &LiveOptions,
        clock: Arc<dyn Clock>,
        streams: Arc<StreamRegistry>,
    ) -> Result<Self> {
        let schema = source.schema();
        let time_column = options.time_column_of(&schema)?;
        streams.add_table(&name, schema);
        Ok(Self {
            name,
            source,
            time_column,
            watermark: options.watermark,
            buffer_bytes: options.buffer_bytes,
            clock,
            streams,
        })
    }

    /// The rows of `plan` in the order of the time column, as if they came now, and then the end. It is known to `streams`
    /// by its name.
    ///
    /// # Errors
    /// When there is no such column.
    pub(crate) fn over_plan(
        name: String,
        plan: LogicalPlan,
        time_column: Option<usize>,
        state: SessionState,
        clock: Arc<dyn Clock>,
        streams: Arc<StreamRegistry>,
    ) -> Result<Self> {
        let source = BoundedSource::try_new(plan, time_column, state)?;
        streams.add_table(&name, source.schema());
        Ok(Self {
            name,
            source: Arc::new(source),
            time_column,
            // They come in order, so the newest tells all; nobody is waited for, and no time is in the future.
            watermark: WatermarkOptions {
                delay: 0,
                idle_timeout: i64::MAX,
                max_skew: i64::MAX,
            },
            buffer_bytes: DEFAULT_BUFFER_BYTES,
            clock,
            streams,
        })
    }

    /// The event-time column.
    pub(crate) fn time_field(&self) -> Option<Field> {
        let schema = self.source.schema();
        self.time_column.map(|index| schema.field(index).clone())
    }

    /// Begins to read the columns with these indices, in this order.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub(crate) fn read(
        &self,
        columns: &[usize],
        time: TimeKind,
        positions: Option<&Positions>,
    ) -> Result<LiveStream> {
        let stepper = self.stepper(columns, time, positions)?;
        LiveStream::start(stepper, Arc::clone(&self.clock))
    }

    /// Like [`Self::read`], with positions in every step, so that reading can go on there exactly. First comes a step
    /// without rows whose positions are where reading begins; then the steps of each range that is read again, the last of
    /// them with its watermark and its positions; then what is new.
    ///
    /// # Errors
    /// When the source cannot be read, or cannot be read from these positions.
    pub(crate) fn resume(
        &self,
        columns: &[usize],
        time: TimeKind,
        resume: Resume,
    ) -> Result<LiveStream> {
        let stepper = self.stepper(columns, time, resume.from.as_ref())?;
        let stepper = stepper.resume(resume.from, resume.again);
        LiveStream::start(stepper, Arc::clone(&self.clock))
    }

    fn stepper(
        &self,
        columns: &[usize],
        time: TimeKind,
        positions: Option<&Positions>,
    ) -> Result<Stepper> {
        let mut read = columns.to_vec();
        let time_of = match (time, self.time_column) {
            (TimeKind::Event, Some(column)) => {
                let place = columns.iter().position(|index| *index == column);
                if place.is_none() {
                    read.push(column);
                }
                TimeOf::Column(place.unwrap_or(columns.len()))
            }
            _ => TimeOf::Reading,
        };
        let source = self.source.open(&read, positions)?;
        let counters = self.streams.start(&self.name, self.clock.now());
        Ok(Stepper::new(
            source,
            time_of,
            columns.len(),
            self.watermark,
            counters,
        ))
    }
}

#[async_trait]
impl TableProvider for LiveTable {
    fn schema(&self) -> SchemaRef {
        self.source.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let n_columns = self.source.schema().fields().len();
        let columns = projection
            .cloned()
            .unwrap_or_else(|| (0..n_columns).collect());
        let order = match session.config().get_extension::<AsRead>() {
            Some(_) => ScanOrder::Reading,
            None => ScanOrder::EventTime,
        };
        let table = Arc::new(self.clone());
        Ok(Arc::new(LiveScanExec::try_new(table, columns, order)?))
    }

    async fn insert_into(
        &self,
        _session: &dyn Session,
        _input: Arc<dyn ExecutionPlan>,
        _insert_op: InsertOp,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan_err!(
            "INSERT INTO {} is refused: a live table is only read",
            self.name
        )
    }
}
