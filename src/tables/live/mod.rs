//! Live tables: the same rows as a table that is read once, as they come.
//!
//! # How
//! ```text
//! source    what can be read step by step, and again: followed log files, standard input, a folder (`log_file`, `folder`),
//!           the rows of a plan (`bounded`, whose partitions come `in_turn`)
//! follow    the bytes of growing files, each once, through rotations
//! stream    a thread that reads a source; rows with event times, and the watermark     clock: real, or of a test
//! table     the table provider; scan: a query without windows, reorder: in the order of event time
//! counters  per statement, and the rows that missed their windows      streams: aiops_streams()   late: aiops_late('t')
//! options   time_column, delay and so on                               folder_factory: UNBOUNDED of DataFusion's formats
//! ```
//!
//! What windows are is in `algorithms/windows`; that statements run once per window in `planner/windows`.

pub(crate) mod bounded;
pub(crate) mod clock;
pub(crate) mod compact;
pub(crate) mod counters;
pub(crate) mod folder;
mod folder_factory;
pub(crate) mod follow;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod in_turn;
mod late;
pub(crate) mod options;
pub(crate) mod reorder;
pub(crate) mod scan;
#[cfg(test)]
pub(crate) mod scripted;
pub(crate) mod source;
pub(crate) mod stream;
mod streams;
pub(crate) mod table;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use datafusion::execution::SessionState;

use self::counters::StreamRegistry;
use self::folder_factory::FolderFactory;

/// The formats of DataFusion whose files can be dropped into a live folder.
const FOLDER_FORMATS: [&str; 6] = ["PARQUET", "JSON", "NDJSON", "CSV", "AVRO", "ARROW"];

/// Adds UNBOUNDED folders and the table functions `aiops_streams()` and `aiops_late('t')` to a session.
pub(crate) fn register(state: &mut SessionState, streams: &Arc<StreamRegistry>) {
    let factories = state.table_factories_mut();
    for format in FOLDER_FORMATS {
        if let Some(batch) = factories.remove(format) {
            let factory = FolderFactory::new(batch, Arc::clone(streams));
            factories.insert(format.to_string(), Arc::new(factory));
        }
    }
    let function = streams::AiopsStreams::new(Arc::clone(streams));
    state.register_udtf("aiops_streams", Arc::new(function));
    state.register_udtf(
        "aiops_late",
        Arc::new(late::AiopsLate::new(Arc::clone(streams))),
    );
}
