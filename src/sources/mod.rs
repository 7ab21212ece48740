//! The live sources: log files that grow, folders into which files are dropped, standard input, and
//! archives, whose rows are read as if they came now.

mod aiops_scans;
pub(crate) mod archive;
pub(crate) mod files;
pub(crate) mod files_by_name;
pub(crate) mod folder;
mod folder_factory;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod in_turn;
mod log_factory;
pub(crate) mod scan_notes;
mod stdin;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::SessionState;
use datafusion::prelude::SessionContext;

use crate::formats::log::counters::ScanRegistry;
use crate::formats::log::log_settings::LogSettings;
use crate::formats::log::spec::plain_text;
use crate::sources::aiops_scans::AiopsScans;
use crate::sources::folder_factory::FolderFactory;
use crate::sources::log_factory::LogTableFactory;
use crate::sources::stdin::StdinSource;
use crate::streams::counters::StreamRegistry;
use crate::streams::session_extensions::ReadsStdin;
use crate::streams::table::live_table;

/// The formats of DataFusion whose files can be dropped into a live folder.
const FOLDER_FORMATS: [&str; 6] = ["PARQUET", "JSON", "NDJSON", "CSV", "AVRO", "ARROW"];

/// Adds STORED AS LOG, UNBOUNDED folders of DataFusion's formats and the table function
/// `aiops_scans()` to a session.
pub(crate) fn register(state: &mut SessionState, streams: &Arc<StreamRegistry>) {
    let settings = &mut state.config_mut().options_mut().extensions;
    settings.insert(LogSettings::default());
    let scans = Arc::new(ScanRegistry::default());
    state.config_mut().set_extension(Arc::clone(&scans));
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
}

/// Lets a session read the standard input of the process: as the table `stdin`, and with `LOCATION
/// '/dev/stdin'`. Call it in programs whose user writes the SQL; in a server, everybody who may
/// send a statement could read standard input.
///
/// # Errors
/// When the session was not prepared by [`install`](crate::install), or has a table of this name.
///
/// ```
/// let context = datafusion_aiops::session()?;
/// assert!(!context.table_exist("stdin")?);
/// datafusion_aiops::register_stdin(&context)?;
/// assert!(context.table_exist("stdin")?);
/// # Ok::<(), datafusion::error::DataFusionError>(())
/// ```
pub fn register_stdin(context: &SessionContext) -> Result<()> {
    let source = Arc::new(StdinSource {
        spec: Arc::new(plain_text()?),
    });
    let table = live_table(context, "stdin", source, &[])?;
    context.register_table("stdin", table)?;
    let state = context.state_ref();
    state
        .write()
        .config_mut()
        .set_extension(Arc::new(ReadsStdin));
    Ok(())
}
