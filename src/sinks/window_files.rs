//! The rows of one window as one file in the folder of a table: Parquet, CSV, JSON lines or Arrow.
//!
//! The name of the file identifies the window, so that a window that runs again replaces its file
//! by the same one. An object store shows a file only when it is complete; the store of a local
//! folder writes to a temporary file and renames it.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::UInt64Type;
use datafusion::catalog::TableProvider;
use datafusion::common::{Result, exec_datafusion_err, internal_datafusion_err, plan_err};
use datafusion::datasource::listing::{ListingTable, ListingTableUrl};
use datafusion::datasource::physical_plan::{FileOutputMode, FileSinkConfig};
use datafusion::execution::SessionState;
use datafusion::logical_expr::dml::InsertOp;
use datafusion::object_store::path::Path;
use datafusion::object_store::{Error as StoreError, ObjectStoreExt};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, collect};

use crate::formats::listed_files::forget_listed_files;
use crate::sinks::local_files::{remove_staged, sync};
use crate::sinks::sink::WindowSink;
use crate::sinks::target::extension_of;

/// The files of a table.
#[derive(Debug)]
pub(crate) struct WindowFiles(Arc<dyn TableProvider>);

impl WindowFiles {
    /// The files of a provider, if it is a listing table.
    pub(crate) fn of(provider: &Arc<dyn TableProvider>) -> Option<Self> {
        provider.downcast_ref::<ListingTable>()?;
        Some(Self(Arc::clone(provider)))
    }

    fn table(&self) -> Result<&ListingTable> {
        let table = self.0.downcast_ref::<ListingTable>();
        table.ok_or_else(|| internal_datafusion_err!("the files of a table that has none"))
    }
}

#[async_trait]
impl WindowSink for WindowFiles {
    fn place(&self) -> String {
        let folder = self.table().and_then(folder);
        folder.map(ToString::to_string).unwrap_or_default()
    }

    fn check(&self, table: &str) -> Result<()> {
        check(self.table()?, table)
    }

    async fn write(
        &self,
        name: &str,
        input: Arc<dyn ExecutionPlan>,
        state: &SessionState,
    ) -> Result<u64> {
        write(self.table()?, input, name, state).await
    }

    async fn undo(&self, name: &str, state: &SessionState) -> Result<()> {
        remove(self.table()?, name, state).await
    }

    async fn clean_up(&self, pipeline: &str) -> Result<()> {
        clean_up(folder(self.table()?)?, pipeline);
        Ok(())
    }
}

/// Checks whether the windows of a pipeline can be written into this table.
///
/// # Errors
/// A plan error that says what to write instead.
fn check(table: &ListingTable, name: &str) -> Result<()> {
    if !table.options().table_partition_cols.is_empty() {
        return plan_err!(
            "INSERT INTO {name}: a pipeline writes one file for each window, so leave PARTITIONED BY out of CREATE \
             EXTERNAL TABLE {name}"
        );
    }
    let folder = folder(table)?;
    if folder.get_glob().is_some() {
        return plan_err!(
            "INSERT INTO {name}: the LOCATION of {name} is a pattern of many names: a pipeline writes into one folder, whose name has \
             none of * ? ["
        );
    }
    if folder.is_collection() {
        Ok(())
    } else {
        plan_err!(
            "INSERT INTO {name}: a pipeline writes a file for each window, so the LOCATION of {name} is a folder: end it \
             with /"
        )
    }
}

/// Writes the rows of `input` as the file `<file_name>.<extension>`, and returns their number.
/// Without rows, there is no file.
///
/// # Errors
/// The errors of the input and of the object store.
async fn write(
    table: &ListingTable,
    input: Arc<dyn ExecutionPlan>,
    file_name: &str,
    state: &SessionState,
) -> Result<u64> {
    let folder = folder(table)?;
    let format = &table.options().format;
    let (url, extension) = file(table, file_name)?;
    let path = url.prefix().clone();
    let config = FileSinkConfig {
        original_url: url.as_str().to_string(),
        object_store_url: url.object_store(),
        table_paths: vec![url],
        file_group: vec![].into(),
        output_schema: table.schema(),
        table_partition_cols: vec![],
        insert_op: InsertOp::Append,
        keep_partition_by_columns: false,
        file_extension: extension,
        file_output_mode: FileOutputMode::SingleFile,
    };
    let input = match input.output_partitioning().partition_count() {
        1 => input,
        _ => Arc::new(CoalescePartitionsExec::new(input)),
    };
    let plan = format
        .create_writer_physical_plan(input, state, config, None)
        .await?;
    let written = match collect(plan, state.task_ctx()).await {
        Ok(written) => written,
        Err(error) => {
            // DataFusion completes the file even if the input fails: readers must not mistake it
            // for the whole window.
            delete(folder, &path, state).await?;
            return Err(error);
        }
    };
    let n_rows = written.first().and_then(|batch| {
        let counts = batch.columns().first()?.as_primitive_opt::<UInt64Type>()?;
        counts.values().first().copied()
    });
    let n_rows = n_rows.ok_or_else(|| exec_datafusion_err!("{file_name}: no count of rows"))?;
    if n_rows == 0 {
        delete(folder, &path, state).await?;
    } else if folder.scheme() == "file" {
        sync(&path).await?;
    }
    forget_listed_files(state, table.table_paths());
    Ok(n_rows)
}

/// Removes what [`write`] has written under this name, if anything.
///
/// # Errors
/// The errors of the object store.
async fn remove(table: &ListingTable, file_name: &str, state: &SessionState) -> Result<()> {
    let (url, _) = file(table, file_name)?;
    delete(folder(table)?, url.prefix(), state).await?;
    forget_listed_files(state, table.table_paths());
    Ok(())
}

async fn delete(folder: &ListingTableUrl, path: &Path, state: &SessionState) -> Result<()> {
    let store = state.runtime_env().object_store(folder)?;
    match store.delete(path).await {
        Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The file of this name, and its extension.
fn file(table: &ListingTable, name: &str) -> Result<(ListingTableUrl, String)> {
    let format = &table.options().format;
    let extension = extension_of(format.as_ref());
    let url = format!("{}{name}.{extension}", folder(table)?.as_str());
    Ok((ListingTableUrl::parse(url)?, extension))
}

/// Removes what a killed run of this pipeline had begun to write.
fn clean_up(folder: &ListingTableUrl, pipeline: &str) {
    if folder.scheme() == "file" {
        let path = format!("/{}", folder.prefix());
        // The bound of a window begins with a digit, so `app` and `app-eu` are told apart.
        let is_own = |name: &str| {
            let bounds = name.strip_prefix(pipeline)?.strip_prefix('-')?;
            bounds.chars().next().filter(char::is_ascii_digit)
        };
        let folder = std::path::Path::new(&path);
        remove_staged(folder, |name| is_own(name).is_some());
    }
}

/// The folder of the files of a table.
///
/// # Errors
/// When the table has no LOCATION.
fn folder(table: &ListingTable) -> Result<&ListingTableUrl> {
    match table.table_paths().first() {
        Some(folder) => Ok(folder),
        None => plan_err!("a table without LOCATION cannot be written"),
    }
}
