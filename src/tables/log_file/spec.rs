//! What a scan needs to know of its table.

use std::sync::Arc;

use crate::tables::log_file::columns::LogColumns;
use crate::tables::log_file::counters::TableCounters;
use crate::tables::log_file::cutter::EventStart;
use crate::tables::log_file::options::LogOptions;

/// A log table: its options, columns and counters.
#[derive(Debug)]
pub(crate) struct LogSpec {
    pub(crate) options: LogOptions,
    pub(crate) start: Arc<EventStart>,
    pub(crate) columns: LogColumns,
    pub(crate) counters: Arc<TableCounters>,
}
