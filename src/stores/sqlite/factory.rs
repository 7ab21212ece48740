//! `CREATE EXTERNAL TABLE … STORED AS SQLITE`: creates the file and the table if they are missing,
//! and otherwise checks that they are what the statement asks for.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider, TableProviderFactory};
use datafusion::common::{Result, exec_datafusion_err, plan_err};
use datafusion::logical_expr::CreateExternalTable;
use rusqlite::{Connection, OpenFlags};
use tokio::task::spawn_blocking;

use crate::stores::sqlite::file::{DatabaseFile, explained, open};
use crate::stores::sqlite::sqlite_options::{SqliteOptions, is_own_name};
use crate::stores::sqlite::stored::{FileTable, StoredTable, create_statement};
use crate::stores::sqlite::table::SqliteTable;
use crate::stores::target_table::TargetTable;

/// The factory behind STORED AS SQLITE.
#[derive(Debug)]
pub(crate) struct SqliteTableFactory;

#[async_trait]
impl TableProviderFactory for SqliteTableFactory {
    async fn create(
        &self,
        _session: &dyn Session,
        command: &CreateExternalTable,
    ) -> Result<Arc<dyn TableProvider>> {
        let options = SqliteOptions::try_new(&command.options)?;
        check_clauses(command)?;
        let path = path(&command.locations)?;
        let name = options
            .table
            .unwrap_or_else(|| command.name.table().to_string());
        if is_own_name(&name) {
            return plan_err!(
                "Names that begin with sqlite_ are SQLite's own: name another table, OPTIONS (table '…')"
            );
        }
        let task = command.clone();
        let stored =
            spawn_blocking(move || open_or_create(&path, &name, options.busy_timeout, &task));
        let stored = stored
            .await
            .map_err(|error| exec_datafusion_err!("{error}"))??;
        let table = SqliteTable::new(Arc::new(stored), command);
        Ok(Arc::new(TargetTable::mutable(table)))
    }
}

fn check_clauses(command: &CreateExternalTable) -> Result<()> {
    if command.unbounded {
        return plan_err!(
            "A SQLite table is read as it is when a query begins, so it cannot be UNBOUNDED: leave the word out"
        );
    }
    if !command.table_partition_cols.is_empty() {
        return plan_err!("A SQLite table has no partitions: leave PARTITIONED BY out");
    }
    if !command.order_exprs.is_empty() {
        return plan_err!(
            "A SQLite table keeps the order of its rows itself: leave WITH ORDER out"
        );
    }
    Ok(())
}

/// The path in LOCATION.
fn path(locations: &[String]) -> Result<PathBuf> {
    let [location] = locations else {
        return plan_err!(
            "A SQLite table is in one file: LOCATION takes one path, got {}",
            locations.len()
        );
    };
    let path = match location.split_once("://") {
        None => location.as_str(),
        Some(("file", path)) => path,
        Some((scheme, _)) => {
            return plan_err!(
                "A SQLite database is a file on this machine, not on {scheme}://: write its path, LOCATION 'kb.db'"
            );
        }
    };
    if path.is_empty() || path.ends_with('/') {
        return plan_err!("LOCATION of a SQLite table is the path of a file, got '{location}'");
    }
    Ok(PathBuf::from(path))
}

fn open_or_create(
    path: &Path,
    name: &str,
    busy_timeout: Duration,
    command: &CreateExternalTable,
) -> Result<StoredTable> {
    if path.is_dir() {
        return plan_err!(
            "{} is a folder: LOCATION of a SQLite table is the path of a file",
            path.display()
        );
    }
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        return plan_err!("There is no folder {} for the database", folder.display());
    }
    let is_new = !path.exists();
    if is_new {
        // A statement that cannot work must not leave a file behind.
        create_statement(name, command)?;
    }
    let failed =
        |error: rusqlite::Error| explained(&path.display().to_string(), busy_timeout, &error);
    let connection = open(path, OpenFlags::SQLITE_OPEN_CREATE, busy_timeout).map_err(failed)?;
    if is_new {
        // SQLite creates the file at the first write, and only a file that exists has a canonical
        // path.
        use_write_ahead_log(&connection).map_err(failed)?;
    }
    let file = Arc::new(DatabaseFile::try_new(path, busy_timeout)?);
    let read = || FileTable::read(&connection, name).map_err(|error| file.error(&error));
    let table = match read()? {
        Some(table) => table,
        None => {
            let create = create_statement(name, command)?.replacen(
                "CREATE TABLE",
                "CREATE TABLE IF NOT EXISTS",
                1,
            );
            connection
                .execute_batch(&create)
                .map_err(|error| file.error(&error))?;
            read()?.ok_or_else(|| exec_datafusion_err!("Table {name} is gone from the file"))?
        }
    };
    let stored = table.checked(&file, name, command)?;
    Ok(stored)
}

fn use_write_ahead_log(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))
}
