//! What can be read live: log files that grow, folders into which files are dropped, standard input, and what was written
//! before as if it came now.

mod aiops_scans;
pub(crate) mod archive;
pub(crate) mod files;
pub(crate) mod folder;
mod folder_factory;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod in_turn;
mod log_factory;
mod stdin;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::SessionState;

use crate::formats::log::counters::ScanRegistry;
use crate::formats::log::spec::plain_text;
use crate::sources::aiops_scans::AiopsScans;
use crate::sources::folder_factory::FolderFactory;
use crate::sources::log_factory::LogTableFactory;
use crate::sources::stdin::StdinSource;
use crate::streams::clock::MachineClock;
use crate::streams::counters::StreamRegistry;
use crate::streams::live_options::LiveOptions;
use crate::streams::table::LiveTable;

/// The formats of DataFusion whose files can be dropped into a live folder.
const FOLDER_FORMATS: [&str; 6] = ["PARQUET", "JSON", "NDJSON", "CSV", "AVRO", "ARROW"];

/// Adds STORED AS LOG, UNBOUNDED folders of DataFusion's formats, the table `stdin` and the table function `aiops_scans()` to a
/// session.
///
/// # Errors
/// When the table `stdin` cannot be made.
pub(crate) fn register(state: &mut SessionState, streams: &Arc<StreamRegistry>) -> Result<()> {
    register_stdin(state, streams)?;
    let scans = Arc::new(ScanRegistry::default());
    let log = LogTableFactory::new(Arc::clone(&scans), Arc::clone(streams));
    let factories = state.table_factories_mut();
    factories.insert("LOG".to_string(), Arc::new(log));
    for format in FOLDER_FORMATS {
        if let Some(batch) = factories.remove(format) {
            let factory = FolderFactory::new(batch, Arc::clone(streams));
            factories.insert(format.to_string(), Arc::new(factory));
        }
    }
    state.register_udtf("aiops_scans", Arc::new(AiopsScans::new(scans)));
    Ok(())
}

/// The table `stdin`, unless the session's default schema takes no tables or has one of that name.
fn register_stdin(state: &SessionState, streams: &Arc<StreamRegistry>) -> Result<()> {
    let Ok(schema) = state.schema_for_ref("stdin") else {
        return Ok(());
    };
    if schema.table_exist("stdin") {
        return Ok(());
    }
    let spec = Arc::new(plain_text()?);
    let table = LiveTable::try_new(
        "stdin".to_string(),
        Arc::new(StdinSource { spec }),
        &LiveOptions::try_new(&HashMap::new())?,
        Arc::new(MachineClock),
        Arc::clone(streams),
    )?;
    // A catalog that takes no tables is no reason to be without the rest.
    let _ = schema.register_table("stdin".to_string(), Arc::new(table));
    Ok(())
}
