//! A folder, local or of an object store, into which finished files are dropped: Parquet, JSON lines, CSV, logs, whatever
//! DataFusion can list as a table. `CREATE UNBOUNDED EXTERNAL TABLE t STORED AS PARQUET LOCATION 's3://bucket/metrics/'`
//!
//! Every file is read once, by its name: the oldest first, files of the same age by name. Files whose name begins with `.`
//! or `_` are left alone, as are those that end with `.tmp` or `.part`: write there, and rename. A Parquet file is taken
//! when its last bytes are those of a whole one; another local file when it did not change between two looks. What is
//! written to a file after it was read is not seen. A file that cannot be read is a problem that `aiops_streams()` shows,
//! and does not stop the others.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use datafusion::arrow::datatypes::{Field, FieldRef, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, plan_datafusion_err};
use datafusion::datasource::listing::helpers::pruned_partition_list;
use datafusion::datasource::listing::{
    ListingOptions, ListingTable, ListingTableUrl, PartitionedFile,
};
use datafusion::datasource::physical_plan::FileScanConfigBuilder;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::{SendableRecordBatchStream, SessionState};
use datafusion::object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore};
use datafusion::physical_plan::execute_stream;
use futures::{StreamExt, TryStreamExt};
use serde_json::json;
use tokio::runtime::Handle;

use crate::functions::ts::times::SECOND;
use crate::tables::live::options::ReadFrom;
use crate::tables::live::source::{
    LiveSource, PartitionNews, Piece, Polled, Positions, SourceReader,
};
use crate::tables::log_file::forget_listed_files;

/// Listing an object store costs money and time; a local folder costs nothing.
const REMOTE_LISTING_INTERVAL: i64 = 5 * SECOND;
const LOCAL_LISTING_INTERVAL: i64 = SECOND / 4;
/// The first and last bytes of every Parquet file.
const PARQUET_MAGIC: &[u8] = b"PAR1";
/// All files are one partition, since they are read one after the other.
const PARTITION: u64 = 0;

/// The folder of a live table.
#[derive(Clone)]
pub(crate) struct LiveFolder {
    schema: SchemaRef,
    options: ListingOptions,
    urls: Vec<ListingTableUrl>,
    state: Arc<SessionState>,
    read_from: ReadFrom,
}

impl fmt::Debug for LiveFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveFolder")
            .field("urls", &self.urls)
            .finish_non_exhaustive()
    }
}

impl LiveFolder {
    /// The files of a listing table, as they come.
    pub(crate) fn new(listing: &ListingTable, state: &SessionState, read_from: ReadFrom) -> Self {
        Self {
            schema: listing.schema(),
            options: listing.options().clone(),
            urls: listing.table_paths().clone(),
            state: Arc::new(state.clone()),
            read_from,
        }
    }

    fn is_local(&self) -> bool {
        self.urls.iter().all(|url| url.scheme() == "file")
    }

    fn store(&self) -> Result<Arc<dyn ObjectStore>> {
        let url = self.urls.first();
        let url = url.ok_or_else(|| plan_datafusion_err!("a live table needs a LOCATION"))?;
        self.state.runtime_env().object_store(url)
    }

    /// The files that are there now, by age and name.
    async fn list(&self) -> Result<Vec<PartitionedFile>> {
        let store = self.store()?;
        forget_listed_files(self.state.as_ref(), &self.urls);
        let mut files = Vec::new();
        for url in &self.urls {
            let (extension, partitions) = (
                &self.options.file_extension,
                &self.options.table_partition_cols,
            );
            let listed = pruned_partition_list(
                self.state.as_ref(),
                store.as_ref(),
                url,
                &[],
                extension,
                partitions,
            );
            files.extend(listed.await?.try_collect::<Vec<_>>().await?);
        }
        files.retain(|file| !is_unfinished_name(&file.object_meta));
        files.sort_by(|left, right| age_and_name(left).cmp(&age_and_name(right)));
        Ok(files)
    }

    /// The rows of one file.
    async fn open(
        &self,
        file: PartitionedFile,
        columns: &[usize],
    ) -> Result<SendableRecordBatchStream> {
        let url = self.urls.first();
        let url = url.ok_or_else(|| plan_datafusion_err!("a live table needs a LOCATION"))?;
        let n_own = self.schema.fields().len() - self.options.table_partition_cols.len();
        let own: Vec<FieldRef> = self.schema.fields().iter().take(n_own).cloned().collect();
        let partitions = self.options.table_partition_cols.iter();
        let partitions = partitions
            .map(|(name, kind)| Arc::new(Field::new(name, kind.clone(), false)) as FieldRef);
        let own = Arc::new(datafusion::arrow::datatypes::Schema::new(own));
        let table_schema = TableSchema::builder(own)
            .with_table_partition_cols(partitions.collect::<Vec<_>>())
            .build();
        let source = self.options.format.file_source(table_schema);
        let config = FileScanConfigBuilder::new(url.object_store(), source)
            .with_projection_indices(Some(columns.to_vec()))?
            .with_file(file)
            .build();
        let plan = self
            .options
            .format
            .create_physical_plan(self.state.as_ref(), config)
            .await?;
        execute_stream(plan, self.state.task_ctx())
    }

    /// Whether a Parquet file is whole.
    async fn is_whole(&self, file: &ObjectMeta) -> Result<bool> {
        if !self.is_parquet() {
            return Ok(true);
        }
        let end = GetOptions {
            range: Some(GetRange::Suffix(PARQUET_MAGIC.len() as u64)),
            ..GetOptions::default()
        };
        let end = self
            .store()?
            .get_opts(&file.location, end)
            .await?
            .bytes()
            .await?;
        Ok(end.as_ref() == PARQUET_MAGIC)
    }

    fn is_parquet(&self) -> bool {
        self.options.format.get_ext() == "parquet"
    }
}

fn age_and_name(file: &PartitionedFile) -> (i64, &str) {
    let age = file.object_meta.last_modified.timestamp_nanos_opt();
    (age.unwrap_or_default(), file.object_meta.location.as_ref())
}

fn is_unfinished_name(file: &ObjectMeta) -> bool {
    let name = file.location.filename().unwrap_or_default();
    name.starts_with(['.', '_']) || name.ends_with(".tmp") || name.ends_with(".part")
}

impl LiveSource for LiveFolder {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn open(
        &self,
        columns: &[usize],
        positions: Option<&Positions>,
    ) -> Result<Box<dyn SourceReader>> {
        let handle = Handle::try_current()
            .map_err(|_| exec_datafusion_err!("a live folder is read within a tokio runtime"))?;
        let mut reader = FolderReader {
            folder: self.clone(),
            handle,
            columns: columns.to_vec(),
            done: BTreeSet::new(),
            seen: BTreeMap::new(),
            queue: VecDeque::new(),
            current: None,
            resumed: None,
            is_first: true,
            is_new: true,
            list_at: i64::MIN,
            quiet_since: i64::MIN,
        };
        if let Some(positions) = positions {
            reader.seek(positions)?;
        }
        Ok(Box::new(reader))
    }
}

/// A folder that is being read.
struct FolderReader {
    folder: LiveFolder,
    handle: Handle,
    columns: Vec<usize>,
    /// Files that were read, as long as they are there.
    done: BTreeSet<String>,
    /// Size and age of the files that are not read yet at the last look.
    seen: BTreeMap<String, (u64, i64)>,
    queue: VecDeque<PartitionedFile>,
    current: Option<Current>,
    /// The file in whose middle an earlier reader stopped, and how many of its rows were read.
    resumed: Option<(String, u64)>,
    is_first: bool,
    is_new: bool,
    list_at: i64,
    quiet_since: i64,
}

/// The file that is being read.
struct Current {
    name: String,
    rows: SendableRecordBatchStream,
    n_rows: u64,
    /// Rows that were handed out before a restart.
    n_skipped: u64,
}

impl fmt::Debug for FolderReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FolderReader")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

impl FolderReader {
    fn seek(&mut self, positions: &Positions) -> Result<()> {
        let wrong =
            || exec_datafusion_err!("these positions are not of a folder of files: {positions}");
        let done = positions["done"].as_array().ok_or_else(wrong)?;
        let names = done.iter().map(|name| name.as_str().map(str::to_string));
        self.done = names.collect::<Option<_>>().ok_or_else(wrong)?;
        self.is_first = false;
        if let Some(name) = positions["current"].as_str() {
            let n_rows = positions["rows"].as_u64().ok_or_else(wrong)?;
            self.resumed = Some((name.to_string(), n_rows));
        }
        Ok(())
    }

    /// Puts the files that are new and whole into the queue.
    fn list(&mut self, polled: &mut Polled) -> Result<()> {
        let handle = self.handle.clone();
        let files = handle.block_on(self.folder.list())?;
        let names: BTreeSet<&str> = files
            .iter()
            .map(|file| file.object_meta.location.as_ref())
            .collect();
        self.done.retain(|name| names.contains(name.as_str()));
        let is_first = std::mem::take(&mut self.is_first);
        for file in files {
            let name = file.object_meta.location.to_string();
            let is_queued = self
                .queue
                .iter()
                .any(|queued| queued.object_meta.location == file.object_meta.location);
            let is_current = self
                .current
                .as_ref()
                .is_some_and(|current| current.name == name);
            if self.done.contains(&name) || is_queued || is_current {
                continue;
            }
            if is_first && self.folder.read_from == ReadFrom::End {
                self.done.insert(name);
            } else if self.is_settled(&name, &file.object_meta, is_first) {
                match handle.block_on(self.folder.is_whole(&file.object_meta)) {
                    Ok(true) => self.queue.push_back(file),
                    Ok(false) => {}
                    Err(error) => polled.problems.push(problem(&name, &error)),
                }
            }
        }
        Ok(())
    }

    /// Whether a file is as it was at the last look. Objects of a store appear whole, a Parquet file tells it by itself,
    /// and what is there at the start is old.
    fn is_settled(&mut self, name: &str, file: &ObjectMeta, is_first: bool) -> bool {
        let look = (
            file.size,
            file.last_modified.timestamp_nanos_opt().unwrap_or_default(),
        );
        let before = self.seen.insert(name.to_string(), look);
        is_first || !self.folder.is_local() || self.folder.is_parquet() || before == Some(look)
    }

    /// Opens the next file of the queue.
    fn open_next(&mut self, polled: &mut Polled) {
        let Some(file) = self.queue.pop_front() else {
            return;
        };
        let name = file.object_meta.location.to_string();
        self.seen.remove(&name);
        let resumed = self.resumed.take_if(|(resumed, _)| *resumed == name);
        polled.bytes += file.object_meta.size;
        let rows = self.handle.block_on(self.folder.open(file, &self.columns));
        match rows {
            Ok(rows) => {
                self.current = Some(Current {
                    name,
                    rows,
                    n_rows: 0,
                    n_skipped: resumed.map_or(0, |(_, n_rows)| n_rows),
                });
            }
            Err(error) => self.give_up(name, &error, polled),
        }
    }

    fn give_up(&mut self, name: String, error: &DataFusionError, polled: &mut Polled) {
        polled.problems.push(problem(&name, error));
        self.done.insert(name);
        self.current = None;
    }

    /// Hands out the next batch of the file at hand, or finishes it.
    fn read(&mut self, polled: &mut Polled) {
        let Some(mut current) = self.current.take() else {
            return;
        };
        match self.handle.block_on(current.rows.next()) {
            None => {
                self.done.insert(current.name);
            }
            Some(Err(error)) => self.give_up(current.name, &error, polled),
            Some(Ok(rows)) => {
                let n_rows = rows.num_rows() as u64;
                let n_skipped = current.n_skipped.saturating_sub(current.n_rows).min(n_rows);
                current.n_rows += n_rows;
                if n_skipped < n_rows {
                    let from = usize::try_from(n_skipped).unwrap_or_default();
                    let rows = rows.slice(from, rows.num_rows() - from);
                    polled.pieces.push(Piece {
                        partition: PARTITION,
                        rows,
                    });
                }
                self.current = Some(current);
            }
        }
    }
}

fn problem(name: &str, error: &DataFusionError) -> String {
    format!(
        "{name} cannot be read and is left out: {}",
        error.strip_backtrace()
    )
}

impl SourceReader for FolderReader {
    fn poll(&mut self, now: i64, _newest: &HashMap<u64, i64>, polled: &mut Polled) -> Result<()> {
        if std::mem::take(&mut self.is_new) {
            polled.news.push((PARTITION, PartitionNews::Opened));
            self.quiet_since = now;
        }
        if now >= self.list_at && self.queue.is_empty() {
            self.list(polled)?;
            let is_local = self.folder.is_local();
            let interval = if is_local {
                LOCAL_LISTING_INTERVAL
            } else {
                REMOTE_LISTING_INTERVAL
            };
            self.list_at = now.saturating_add(interval);
        }
        if self.current.is_none() {
            self.open_next(polled);
        }
        self.read(polled);
        polled.has_more = self.current.is_some() || !self.queue.is_empty();
        if polled.has_more {
            self.quiet_since = now;
            polled.news.push((PARTITION, PartitionNews::Behind));
        } else {
            polled
                .news
                .push((PARTITION, PartitionNews::CaughtUp(self.quiet_since)));
        }
        Ok(())
    }

    fn positions(&self) -> Positions {
        let current = self.current.as_ref();
        json!({
            "done": self.done,
            "current": current.map(|current| &current.name),
            "rows": current.map(|current| current.n_rows),
        })
    }
}
