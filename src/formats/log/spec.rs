//! What a scan needs to know about its table.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::Fields;
use datafusion::common::Result;

use crate::formats::log::columns::LogColumns;
use crate::formats::log::counters::TableCounters;
use crate::formats::log::event_splitter::EventStart;
use crate::formats::log::log_options::LogOptions;

/// A log table: its options, columns and counters.
#[derive(Debug)]
pub(crate) struct LogSpec {
    pub(crate) options: LogOptions,
    pub(crate) start: Arc<EventStart>,
    pub(crate) columns: LogColumns,
    pub(crate) counters: Arc<TableCounters>,
}

/// A table of plain text, each line a row, without any option.
///
/// # Errors
/// None: the options are fixed.
pub(crate) fn plain_text() -> Result<LogSpec> {
    let options = LogOptions::try_new(&HashMap::new())?;
    Ok(LogSpec {
        start: Arc::new(options.start.clone()),
        columns: LogColumns::of_text(None, &Fields::empty())?,
        counters: Arc::default(),
        options,
    })
}
