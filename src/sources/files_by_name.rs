//! Files as tables by their names: `FROM '/var/log/dpkg.log'`, `FROM 'archive/*/*.parquet'`.
//!
//! Files of DataFusion's formats are its tables. All others are log files whose format is found, as
//! by CREATE EXTERNAL TABLE … STORED AS LOG without options.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{DynamicFileCatalog, TableProvider, UrlTableFactory};
use datafusion::common::{DFSchema, Result, TableReference, plan_datafusion_err};
use datafusion::datasource::listing::{
    ListingTable, ListingTableConfig, ListingTableConfigExt, ListingTableUrl,
};
use datafusion::execution::SessionState;
use datafusion::logical_expr::CreateExternalTable;
use datafusion::prelude::SessionContext;
use url::Url;

use crate::formats::log::counters::ScanRegistry;
use crate::formats::log::locations::Locations;
use crate::formats::log::table::LogTable;

/// The extensions of files that DataFusion reads.
const DATA_EXTENSIONS: [&str; 6] = ["parquet", "csv", "tsv", "json", "arrow", "avro"];
/// What may follow them.
const PACKED_EXTENSIONS: [&str; 4] = ["gz", "zst", "bz2", "xz"];

/// Lets statements of a session name files in place of tables, in quotes: `FROM 'app.log'`, `FROM
/// 'logs/*.log'`, `FROM 'archive/*/*.parquet'`. Everybody who may send a statement can then read
/// every file that the process can read.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> datafusion::error::Result<()> {
/// let context = datafusion_aiops::session()?;
/// datafusion_aiops::register_files_by_name(&context);
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("app.log");
/// # std::fs::write(&path, "2026-11-29 10:00:00 ERROR order 17 failed\n")?;
/// # let path = path.display();
/// let errors = context.sql(&format!("SELECT message FROM '{path}' WHERE level = 'ERROR'")).await?;
/// assert_eq!(errors.count().await?, 1);
/// # Ok(())
/// # }
/// ```
pub fn register_files_by_name(context: &SessionContext) {
    let state = context.state_weak_ref();
    let files = FilesByName {
        state: Box::new(move || state.upgrade().map(|state| state.read().clone())),
    };
    let inner = Arc::clone(context.state().catalog_list());
    context.register_catalog_list(Arc::new(DynamicFileCatalog::new(inner, Arc::new(files))));
}

/// Makes tables of files.
struct FilesByName {
    /// The state of the session; `None` once that is gone.
    state: Box<dyn Fn() -> Option<SessionState> + Send + Sync>,
}

impl std::fmt::Debug for FilesByName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("FilesByName")
    }
}

#[async_trait]
impl UrlTableFactory for FilesByName {
    async fn try_new(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let state = (self.state)();
        let state = state.ok_or_else(|| plan_datafusion_err!("the session is gone"))?;
        if !is_file_name(name) {
            return Ok(None);
        }
        let table = TableReference::bare(name);
        let locations = Locations::try_new(&[name.to_string()], &table);
        let Ok(locations) = locations else {
            return Ok(None);
        };
        if is_json(name)
            && let Ok(Some(found)) = log_table(name, table.clone(), &locations, &state).await
            && found
                .downcast_ref::<LogTable>()
                .is_some_and(|table| table.is_of_logs)
        {
            return Ok(Some(found));
        }
        if is_of_datafusion(name) || name.ends_with('/') {
            let found = listing_table(name, &locations, &state).await?;
            if found.is_some() || !name.ends_with('/') {
                return Ok(found);
            }
        }
        log_table(name, table, &locations, &state).await
    }
}

/// Whether a name is meant as a file, and not as a table that does not exist.
fn is_file_name(name: &str) -> bool {
    name.contains(['/', '.', '*']) && name != "."
}

fn is_of_datafusion(name: &str) -> bool {
    DATA_EXTENSIONS.contains(&extension(name).as_str())
}

/// JSON is a log if its objects have a time and a message or a level, and data otherwise.
fn is_json(name: &str) -> bool {
    extension(name) == "json"
}

/// The extension of a file, without that of its compression.
fn extension(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    let mut extensions = name.rsplit('.');
    let last = extensions.next().unwrap_or_default();
    let is_packed = PACKED_EXTENSIONS.contains(&last);
    let of_data = if is_packed { extensions.next() } else { None };
    of_data.unwrap_or(last).to_string()
}

/// A table of DataFusion. A remote place that does not answer is an error, and not a table that
/// does not exist.
async fn listing_table(
    name: &str,
    locations: &Locations,
    state: &SessionState,
) -> Result<Option<Arc<dyn TableProvider>>> {
    let mut config = ListingTableConfig::new_with_multi_paths(locations.urls().to_vec());
    if locations.are_local() && locations.check_globs(true).is_err() {
        let files = locations.local_files(false);
        let urls = files
            .iter()
            .filter_map(|path| Url::from_file_path(path).ok());
        let urls = urls.map(|url| ListingTableUrl::try_new(url, None));
        let urls = urls.collect::<Result<Vec<_>>>()?;
        if urls.is_empty() {
            return Ok(None);
        }
        config = ListingTableConfig::new_with_multi_paths(urls);
    }
    let config = match config.infer_options(state).await {
        Ok(config) => config,
        Err(error) if !locations.are_local() => {
            return Err(error.context(format!("'{name}' cannot be read")));
        }
        Err(_) => return Ok(None),
    };
    let config = config.infer_partitions_from_path(state).await?;
    let config = config.infer_schema(state).await?;
    Ok(Some(Arc::new(ListingTable::try_new(config)?)))
}

/// A table of log files whose format is found.
async fn log_table(
    name: &str,
    table: TableReference,
    locations: &Locations,
    state: &SessionState,
) -> Result<Option<Arc<dyn TableProvider>>> {
    let is_there = Path::new(name).exists() || name.contains(['*', '?', '[']);
    if locations.are_local() && !is_there {
        return Ok(None);
    }
    let Some(factory) = state.table_factories().get("LOG") else {
        return Ok(None);
    };
    let mut places = vec![name.to_string()];
    if locations.are_local() && locations.check_globs(true).is_err() {
        let files = locations.local_files(false);
        places = files
            .iter()
            .map(|path| path.display().to_string())
            .collect();
    }
    if places.is_empty() {
        return Ok(None);
    }
    let schema = Arc::new(DFSchema::empty());
    let command = CreateExternalTable::builder(table, name, "LOG", schema)
        .with_locations(places)
        .build();
    let table = factory.create(state, &command).await?;
    if let Some(registry) = state.config().get_extension::<ScanRegistry>() {
        registry.keep_by_name(name);
    }
    Ok(Some(table))
}
