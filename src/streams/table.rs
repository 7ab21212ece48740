//! Live tables: a source, and how its event time is found.

use std::sync::Arc;

use datafusion::arrow::datatypes::Field;
use datafusion::catalog::TableProvider;
use datafusion::common::{Result, plan_datafusion_err};
use datafusion::prelude::SessionContext;

use crate::algorithms::windows::watermark::WatermarkOptions;
use crate::streams::clock::Clock;
use crate::streams::counters::StreamRegistry;
use crate::streams::live_options::LiveOptions;
use crate::streams::source::{CheckedReader, LiveSource, Positions};
use crate::streams::stream::{LiveStream, ReadAgain, Stepper, TimeOf};

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

/// The time by which the rows of a live table are cut into windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum TimeKind {
    /// The table's event time: its time column, or the moment of reading if it has none.
    Event,
    /// The moment of reading.
    Processing,
}

/// A live table over your own source, to be registered under this name. The options are those of
/// every live table: `time_column`, `delay`, `idle_timeout`, `max_skew`, `buffer_bytes`. The option
/// `read_from` has an effect only if the source implements it.
///
/// # Errors
/// When an option is wrong, or the session was not prepared by [`install`](crate::install).
///
/// ```
/// # use std::sync::Arc;
/// use datafusion_aiops::source::{LiveSource, live_table};
///
/// fn register(source: Arc<dyn LiveSource>) -> datafusion::error::Result<()> {
///     let context = datafusion_aiops::session()?;
///     let ticks = live_table(&context, "ticks", source, &[("time_column", "ts"), ("delay", "0 s")])?;
///     context.register_table("ticks", ticks)?;
///     Ok(())
/// }
/// ```
pub fn live_table(
    context: &SessionContext,
    name: &str,
    source: Arc<dyn LiveSource>,
    options: &[(&str, &str)],
) -> Result<Arc<dyn TableProvider>> {
    let streams = registry_of(context)?;
    let owned = |(key, value): &(&str, &str)| ((*key).to_string(), (*value).to_string());
    let options = LiveOptions::try_new(&options.iter().map(owned).collect())?;
    let table = LiveTable::try_new(name.to_string(), source, &options, streams)?;
    Ok(Arc::new(table))
}

/// Sets the clock of the live tables that this session makes from now on.
///
/// # Errors
/// When the session was not prepared by [`install`](crate::install).
pub fn set_clock(context: &SessionContext, clock: Arc<dyn Clock>) -> Result<()> {
    registry_of(context)?.set_clock(clock);
    Ok(())
}

/// The live tables of a session that [`install`](crate::install) has prepared.
///
/// # Errors
/// When it has not.
pub(crate) fn registry_of(context: &SessionContext) -> Result<Arc<StreamRegistry>> {
    let registry = context.copied_config().get_extension::<StreamRegistry>();
    registry
        .ok_or_else(|| plan_datafusion_err!("call datafusion_aiops::install on the session first"))
}

/// Where a reader continues that must neither lose nor double a row.
#[derive(Debug, Default)]
pub(crate) struct Resume {
    /// Where to begin; `None`: where the options of the table say.
    pub(crate) from: Option<Positions>,
    /// The ranges that are read again first, in order.
    pub(crate) again: Vec<ReadAgain>,
}

impl LiveTable {
    /// A table over `source`, which is added to `streams` under its name.
    ///
    /// # Errors
    /// When the option `time_column` does not name a timestamp column of this source.
    pub(crate) fn try_new(
        name: String,
        source: Arc<dyn LiveSource>,
        options: &LiveOptions,
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
            clock: streams.clock(),
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

    /// Like [`Self::read`], with positions, so that reading can continue exactly there. First comes
    /// a step without rows, with the positions where reading begins. Then come the steps of each
    /// range that is read again, the last of them with the watermark and the positions of the
    /// range. Then come the live steps.
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
        let source = CheckedReader::open(self.source.as_ref(), &read, positions)?;
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
