//! The runtime of live rows: it reads a source step by step, gives its rows event times and a
//! watermark, and cuts them into windows.
//!
//! # How
//! ```text
//! source    what a live source is: rows that keep coming, with positions that can be written down
//! stream    a thread that reads a source; rows with event times, and the watermark     clock: real, or of a test
//! table     the table provider; scan: a query without windows, reorder: in the order of event time
//! windows   cuts rows into windows and keeps those that are open
//! counters  per statement, and the rows that missed their windows; aiops_streams, aiops_late: both as tables
//! live_options   time_column, delay and the other options of every live table
//! ```
//!
//! The arithmetic of windows is in `algorithms/windows`, their SQL in `planner/windows`, and the
//! sources in `sources`.

mod aiops_late;
mod aiops_streams;
pub(crate) mod clock;
pub(crate) mod compact;
pub(crate) mod counters;
pub(crate) mod live_options;
pub(crate) mod reorder;
pub(crate) mod scan;
#[cfg(test)]
pub(crate) mod scripted;
pub(crate) mod session_extensions;
pub(crate) mod snapshot;
pub(crate) mod source;
pub(crate) mod stream;
pub(crate) mod table;
pub(crate) mod windows;

use std::sync::Arc;

use datafusion::execution::SessionState;

use crate::streams::aiops_late::AiopsLate;
use crate::streams::aiops_streams::AiopsStreams;
use crate::streams::counters::StreamRegistry;

/// Adds the table functions `aiops_streams()` and `aiops_late('t')` to a session.
pub(crate) fn register(state: &mut SessionState, streams: &Arc<StreamRegistry>) {
    let function = AiopsStreams::new(Arc::clone(streams));
    state.register_udtf("aiops_streams", Arc::new(function));
    let function = AiopsLate::new(Arc::clone(streams));
    state.register_udtf("aiops_late", Arc::new(function));
}
