//! `CREATE UNBOUNDED EXTERNAL TABLE … STORED AS PARQUET` (JSON, CSV, ARROW): a live folder into
//! which files are dropped. Without UNBOUNDED, the table is DataFusion's own.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider, TableProviderFactory};
use datafusion::common::{Result, internal_datafusion_err, plan_err};
use datafusion::datasource::listing::{ListingTable, ListingTableUrl};
use datafusion::execution::SessionState;
use datafusion::logical_expr::CreateExternalTable;

use crate::sources::folder::LiveFolder;
use crate::streams::counters::StreamRegistry;
use crate::streams::live_options::{LiveOptions, OPTION_NAMES};
use crate::streams::table::LiveTable;

/// The formats in which DataFusion reads a single file that never ends.
const STREAM_FORMATS: [&str; 3] = ["CSV", "JSON", "NDJSON"];

/// The factory of a format of DataFusion, extended by live tables.
#[derive(Debug)]
pub(crate) struct FolderFactory {
    batch: Arc<dyn TableProviderFactory>,
    streams: Arc<StreamRegistry>,
}

impl FolderFactory {
    /// A factory that makes tables with `batch`, and makes live tables of them.
    pub(crate) fn new(batch: Arc<dyn TableProviderFactory>, streams: Arc<StreamRegistry>) -> Self {
        Self { batch, streams }
    }
}

#[async_trait]
impl TableProviderFactory for FolderFactory {
    async fn create(
        &self,
        session: &dyn Session,
        command: &CreateExternalTable,
    ) -> Result<Arc<dyn TableProvider>> {
        let options = LiveOptions::try_new(&command.options)?;
        let mut command = command.clone();
        command.options.retain(|name, _| {
            let name = name.strip_prefix("format.").unwrap_or(name);
            !OPTION_NAMES.contains(&name)
        });
        let is_live_folder = command.unbounded && are_folders(&command.locations)?;
        if command.unbounded
            && !is_live_folder
            && !STREAM_FORMATS.contains(&command.file_type.as_str())
        {
            return plan_err!(
                "LOCATION of a live {} table is a folder into which finished files are dropped, such as \
                 '/data/metrics/', got '{}'",
                command.file_type,
                command.locations.join("', '")
            );
        }
        // A single unbounded file, such as a pipe, is read by DataFusion itself. For a folder, it
        // makes a listing table only if the statement is not UNBOUNDED.
        command.unbounded &= !is_live_folder;
        let table = self.batch.create(session, &command).await?;
        let Some(listing) = table
            .downcast_ref::<ListingTable>()
            .filter(|_| is_live_folder)
        else {
            return Ok(table);
        };
        let state = session.as_any().downcast_ref::<SessionState>();
        let state =
            state.ok_or_else(|| internal_datafusion_err!("a live table needs a SessionState"))?;
        let folder = LiveFolder::new(listing, state, options.read_from);
        Ok(Arc::new(LiveTable::try_new(
            command.name.to_string(),
            Arc::new(folder),
            &options,
            Arc::clone(&self.streams),
        )?))
    }
}

/// Whether files can be dropped into all of these locations.
fn are_folders(locations: &[String]) -> Result<bool> {
    for location in locations {
        if !ListingTableUrl::parse(location)?.is_collection() {
            return Ok(false);
        }
    }
    Ok(true)
}
