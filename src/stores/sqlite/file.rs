//! A database file: how it is opened, its transactions, and its errors in terms that help users.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use datafusion::common::{Result, exec_datafusion_err, exec_err};
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionConfig;
use rusqlite::ffi::ErrorCode;
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use crate::stores::store::{DoneWindows, Store, Transaction};

/// The table that records what pipelines have committed.
const PIPELINES: &str = "aiops_pipelines";

/// A database file, and how long to wait for locks of others.
#[derive(Debug, Clone)]
pub(crate) struct DatabaseFile {
    path: PathBuf,
    /// The canonical path.
    name: String,
    busy_timeout: Duration,
}

impl DatabaseFile {
    /// The file at this path, which must exist.
    ///
    /// # Errors
    /// When it does not exist.
    pub(crate) fn try_new(path: &Path, busy_timeout: Duration) -> Result<Self> {
        let path = path
            .canonicalize()
            .map_err(|error| exec_datafusion_err!("Cannot open {}: {error}", path.display()))?;
        Ok(Self {
            name: path.display().to_string(),
            path,
            busy_timeout,
        })
    }

    /// Whether both are the same file.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.name == other.name
    }

    /// Opens a connection. A file that this user may only read is opened as read-only.
    ///
    /// # Errors
    /// When the file no longer exists, or is not a database.
    pub(crate) fn open(&self) -> Result<Connection> {
        open(&self.path, OpenFlags::empty(), self.busy_timeout).map_err(|error| self.error(&error))
    }

    /// Begins a transaction that holds the write lock.
    ///
    /// # Errors
    /// When another process keeps the lock, or the file cannot be written.
    pub(crate) fn begin_writing(&self) -> Result<SqliteTransaction> {
        let connection = self.open()?;
        connection
            .execute_batch("BEGIN IMMEDIATE")
            .map_err(|error| self.error(&error))?;
        Ok(SqliteTransaction {
            file: self.clone(),
            connection: Mutex::new(Some(connection)),
        })
    }

    /// Turns an error of SQLite into one for users. What the same statement wrote before it is
    /// rolled back.
    pub(crate) fn error(&self, error: &rusqlite::Error) -> DataFusionError {
        explained(&self.name, self.busy_timeout, error)
    }
}

/// Turns an error of SQLite into one for users.
pub(crate) fn explained(
    name: &str,
    busy_timeout: Duration,
    error: &rusqlite::Error,
) -> DataFusionError {
    let text = match error {
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        other => other.to_string(),
    };
    let explained = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => format!(
            "{name} is locked: another program or statement has been writing to it for more than {} ms. Nothing was \
             changed. Try again when it is done, or let this table wait longer: OPTIONS (busy_timeout '1 minute')",
            busy_timeout.as_millis()
        ),
        Some(ErrorCode::DiskFull) => format!(
            "There is no room left for {name}: its disk, or what the database is allowed to take, is full. Nothing was \
             changed"
        ),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => format!(
            "{name} cannot be written: this user may only read the file or its folder. Nothing was changed"
        ),
        Some(ErrorCode::CannotOpen) => format!(
            "{name} cannot be opened: see whether the file is there and whether this user may write to its folder"
        ),
        Some(ErrorCode::NotADatabase) => format!("{name} is not a SQLite database"),
        Some(ErrorCode::ConstraintViolation) => format!("{text}, in {name}. Nothing was changed"),
        _ => format!("{text}, in {name}"),
    };
    DataFusionError::Execution(explained)
}

/// Opens a file, or creates it with `OpenFlags::SQLITE_OPEN_CREATE`.
///
/// # Errors
/// The errors of SQLite.
pub(crate) fn open(
    path: &Path,
    create: OpenFlags,
    busy_timeout: Duration,
) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | create;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(busy_timeout)?;
    connection.execute_batch("PRAGMA synchronous = FULL")?;
    Ok(connection)
}

impl Store for DatabaseFile {
    fn name(&self) -> &str {
        &self.name
    }

    fn begin(&self) -> Result<Arc<dyn Transaction>> {
        Ok(Arc::new(self.begin_writing()?))
    }

    fn committed(&self, pipeline: &str) -> Result<DoneWindows> {
        let connection = self.open()?;
        let committed = || {
            let is_there: bool = connection.query_row(
                "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?1)",
                [PIPELINES],
                |row| row.get(0),
            )?;
            if !is_there {
                return Ok(None);
            }
            let query = format!(
                "SELECT windows, last_start, last_end FROM {PIPELINES} WHERE pipeline = ?1"
            );
            connection
                .query_row(&query, [pipeline], |row| {
                    Ok(DoneWindows {
                        windows: row.get::<_, i64>(0)?.unsigned_abs(),
                        last: (row.get(1)?, row.get(2)?),
                    })
                })
                .optional()
        };
        let committed = committed().map(Option::unwrap_or_default);
        committed.map_err(|error| self.error(&error))
    }
}

/// A transaction that holds the write lock of a file. It rolls back if it is dropped before a
/// commit.
#[derive(Debug)]
pub(crate) struct SqliteTransaction {
    file: DatabaseFile,
    /// `None` after the commit.
    connection: Mutex<Option<Connection>>,
}

impl SqliteTransaction {
    /// Whether it is a transaction of this file.
    pub(crate) fn is_of(&self, file: &DatabaseFile) -> bool {
        self.file.is_same(file)
    }

    /// Runs something on the connection of the transaction. Blocks the thread while another caller
    /// does.
    ///
    /// # Errors
    /// The errors of `run`, and an error if the transaction is over.
    pub(crate) fn with<T>(&self, run: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        run(connection(&self.lock())?)
    }

    /// Turns an error of SQLite in this transaction into one for users.
    pub(crate) fn error(&self, error: &rusqlite::Error) -> DataFusionError {
        self.file.error(error)
    }

    /// Runs something that either succeeds or leaves no trace in the transaction.
    ///
    /// # Errors
    /// The errors of `run`, and an error if the transaction is over.
    pub(crate) fn whole<T>(&self, run: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.with(|connection| {
            let execute = |sql: &str| {
                let done = connection.execute_batch(sql);
                done.map_err(|error| self.file.error(&error))
            };
            execute("SAVEPOINT statement")?;
            let result = run(connection);
            if result.is_err() && !connection.is_autocommit() {
                execute("ROLLBACK TO statement")?;
            }
            if !connection.is_autocommit() {
                execute("RELEASE statement")?;
            }
            result
        })
    }

    /// Commits.
    ///
    /// # Errors
    /// When the file cannot be written; then nothing is committed.
    pub(crate) fn commit_writing(&self) -> Result<()> {
        let mut held = self.lock();
        let commit = connection(&held)?.execute_batch("COMMIT");
        // The connection is of no further use, whether the commit worked or not: if it is dropped
        // without a commit, it rolls back.
        *held = None;
        commit.map_err(|error| self.file.error(&error))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Connection>> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The connection of a transaction that is not over. SQLite itself ends a transaction if the disk
/// is full.
fn connection(held: &Option<Connection>) -> Result<&Connection> {
    match held {
        Some(connection) if !connection.is_autocommit() => Ok(connection),
        Some(_) => exec_err!(
            "The transaction was rolled back after an error in it. Nothing was changed: begin again"
        ),
        None => exec_err!("The transaction is over"),
    }
}

impl Transaction for SqliteTransaction {
    fn commit(&self, pipeline: &str, done: DoneWindows) -> Result<()> {
        let windows = i64::try_from(done.windows).unwrap_or(i64::MAX);
        self.with(|connection| {
            let note = || {
                connection.execute_batch(&format!(
                    "CREATE TABLE IF NOT EXISTS {PIPELINES} (pipeline TEXT PRIMARY KEY, windows INTEGER, \
                     last_start INTEGER, last_end INTEGER)"
                ))?;
                connection.execute(
                    &format!(
                        "INSERT OR REPLACE INTO {PIPELINES} (pipeline, windows, last_start, last_end) \
                         VALUES (?1, ?2, ?3, ?4)"
                    ),
                    (pipeline, windows, done.last.0, done.last.1),
                )
            };
            note().map_err(|error| self.file.error(&error))
        })?;
        self.commit_writing()
    }

    fn enter(self: Arc<Self>, config: &mut SessionConfig) {
        config.set_extension(self);
    }
}
