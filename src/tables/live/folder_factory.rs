//! `CREATE UNBOUNDED EXTERNAL TABLE … STORED AS PARQUET` (JSON, CSV, ARROW): a folder into which files are dropped, live.
//! Without UNBOUNDED it is DataFusion's own table.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider, TableProviderFactory};
use datafusion::common::{Result, internal_datafusion_err, internal_err};
use datafusion::datasource::listing::ListingTable;
use datafusion::execution::SessionState;
use datafusion::logical_expr::CreateExternalTable;

use crate::tables::live::clock::MachineClock;
use crate::tables::live::counters::StreamRegistry;
use crate::tables::live::folder::LiveFolder;
use crate::tables::live::options::{LiveOptions, OPTION_NAMES};
use crate::tables::live::table::LiveTable;

/// The factory of a format of DataFusion's, and what it does for live tables.
#[derive(Debug)]
pub(crate) struct FolderFactory {
    batch: Arc<dyn TableProviderFactory>,
    streams: Arc<StreamRegistry>,
}

impl FolderFactory {
    /// Makes tables as `batch` does, and live ones of these.
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
        let mut bounded = command.clone();
        bounded.unbounded = false;
        bounded.options.retain(|name, _| {
            let name = name.strip_prefix("format.").unwrap_or(name);
            !OPTION_NAMES.contains(&name)
        });
        let table = self.batch.create(session, &bounded).await?;
        if !command.unbounded {
            return Ok(table);
        }
        let Some(listing) = table.downcast_ref::<ListingTable>() else {
            return internal_err!("only tables of files can be live");
        };
        let state = session.as_any().downcast_ref::<SessionState>();
        let state =
            state.ok_or_else(|| internal_datafusion_err!("a live table needs a SessionState"))?;
        let folder = LiveFolder::new(listing, state, options.read_from);
        Ok(Arc::new(LiveTable::try_new(
            command.name.to_string(),
            Arc::new(folder),
            &options,
            Arc::new(MachineClock),
            Arc::clone(&self.streams),
        )?))
    }
}
