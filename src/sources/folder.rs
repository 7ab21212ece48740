//! A folder, local or in an object store, into which finished files are dropped: Parquet, JSON
//! lines, CSV, logs, or whatever else DataFusion can list as a table. `CREATE UNBOUNDED EXTERNAL
//! TABLE t STORED AS PARQUET LOCATION 's3://bucket/metrics/'`
//!
//! Every file is read once, and is known by its name. The oldest comes first, and files of the same
//! age come by name. Files whose name begins with `.` or `_`, or ends with `.tmp` or `.part`, are
//! ignored: write under such a name, and rename. A Parquet file is taken when its last bytes are
//! those of a complete one; another local file when it did not change between two looks. What is
//! written to a file after it was read is not seen. A file that cannot be read is a problem that
//! `aiops_streams()` shows, and does not stop the others.
//!
//! Positions record in which order files were taken and how many rows of each were handed out, so
//! that the same rows can be read again. The order must be recorded because two readers list a
//! folder at different moments.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use datafusion::arrow::datatypes::{Field, FieldRef, SchemaRef};
use datafusion::arrow::record_batch::RecordBatch;
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
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

use crate::algorithms::units::SECOND;
use crate::formats::listed_files::forget_listed_files;
use crate::streams::live_options::ReadFrom;
use crate::streams::source::{
    LiveSource, PartitionNews, Polled, PositionsBody, PositionsKind, ReadRows, SourceReader,
    positions_of,
};

/// Listing an object store costs money and time; listing a local folder costs nothing.
const REMOTE_LISTING_INTERVAL: i64 = 5 * SECOND;
const LOCAL_LISTING_INTERVAL: i64 = SECOND / 4;
/// The first and last bytes of every Parquet file.
const PARQUET_MAGIC: &[u8] = b"PAR1";
/// All files are one partition, since they are read one after the other.
const PARTITION: u64 = 0;
/// The number of removed files that are remembered, so that a replay can still report their missing
/// rows.
const MAX_GONE: u64 = 100;
/// The number of files after which a range ends, few enough that all of them are still remembered.
const MAX_FILES_OF_RANGE: u64 = MAX_GONE / 2;

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

    /// Whether a Parquet file is complete; true for other files.
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

    fn positions_kind(&self) -> PositionsKind {
        PositionsKind::new("folder", 1)
    }

    fn open(
        &self,
        columns: &[usize],
        positions: Option<&PositionsBody>,
    ) -> Result<Box<dyn SourceReader>> {
        let handle = Handle::try_current()
            .map_err(|_| exec_datafusion_err!("a live folder is read within a tokio runtime"))?;
        let mut reader = FolderReader {
            folder: self.clone(),
            handle,
            columns: columns.to_vec(),
            taken: TakenFiles::default(),
            seen: BTreeMap::new(),
            queue: VecDeque::new(),
            current: None,
            is_first: true,
            is_new: true,
            list_at: i64::MIN,
            quiet_since: i64::MIN,
            replay: None,
            range_began: 0,
        };
        if let Some(positions) = positions {
            reader.seek(TakenFiles::parse(positions)?);
        }
        Ok(Box::new(reader))
    }

    fn is_replayable(&self) -> bool {
        true
    }
}

/// The files that were taken: the written form of the position of a reader.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct TakenFiles {
    next_turn: u64,
    /// By name: the files that are there, and the last ones that are gone.
    files: BTreeMap<String, TakenFile>,
}

/// A file that was taken.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct TakenFile {
    /// The number of the file in the order of opening; `None`: it is ignored.
    turn: Option<u64>,
    /// The number of rows that were handed out.
    n_rows: u64,
    is_done: bool,
    /// It was removed; a file of this name that appears later is another one.
    is_gone: bool,
}

impl TakenFiles {
    pub(super) fn parse(positions: &PositionsBody) -> Result<Self> {
        Self::deserialize(positions).map_err(|_| {
            exec_datafusion_err!("these positions are not of a folder of files: {positions}")
        })
    }

    /// Notes which files are there, and forgets those that are gone, except for the last ones.
    fn keep(&mut self, names: &BTreeSet<&str>) {
        let oldest = self.next_turn.saturating_sub(MAX_GONE);
        self.files.retain(|name, taken| {
            taken.is_gone |= !names.contains(name.as_str());
            !taken.is_gone || taken.turn.is_some_and(|turn| turn >= oldest)
        });
    }

    fn is_done(&self, name: &str) -> bool {
        let taken = self.files.get(name);
        taken.is_some_and(|taken| taken.is_done && !taken.is_gone)
    }

    fn is_begun(&self, name: &str) -> bool {
        let taken = self.files.get(name);
        taken.is_some_and(|taken| !taken.is_done && !taken.is_gone)
    }

    fn leave_alone(&mut self, name: String) {
        let taken = TakenFile {
            turn: None,
            n_rows: 0,
            is_done: true,
            is_gone: false,
        };
        self.files.insert(name, taken);
    }

    /// Takes a file, or continues with it, and returns how many of its rows were handed out before.
    fn begin(&mut self, name: &str) -> u64 {
        if self.is_begun(name) {
            return self.files.get(name).map_or(0, |taken| taken.n_rows);
        }
        let taken = TakenFile {
            turn: Some(self.next_turn),
            n_rows: 0,
            is_done: false,
            is_gone: false,
        };
        self.next_turn += 1;
        self.files.insert(name.to_string(), taken);
        0
    }

    fn end(&mut self, name: &str) {
        if let Some(taken) = self.files.get_mut(name) {
            taken.is_done = true;
        }
    }

    /// The files that were read between these positions and `later`, in the order of reading: name,
    /// rows before, rows after.
    fn read_until(&self, later: &Self) -> Vec<(String, u64, u64)> {
        let mut files: Vec<_> = later.files.iter().collect();
        files.retain(|(_, taken)| taken.turn.is_some());
        files.sort_by_key(|(_, taken)| taken.turn);
        let files = files.into_iter().map(|(name, taken)| {
            let before = self.files.get(name);
            let before = before.filter(|before| before.turn == taken.turn);
            let n_rows = before.map_or(0, |before| before.n_rows);
            (name.clone(), n_rows, taken.n_rows)
        });
        files.filter(|(_, from, to)| from < to).collect()
    }
}

/// A folder that is being read.
struct FolderReader {
    folder: LiveFolder,
    handle: Handle,
    columns: Vec<usize>,
    taken: TakenFiles,
    /// Size and age, at the last look, of the files that are not read yet.
    seen: BTreeMap<String, (u64, i64)>,
    queue: VecDeque<PartitionedFile>,
    current: Option<Current>,
    is_first: bool,
    is_new: bool,
    list_at: i64,
    quiet_since: i64,
    /// The replay under way.
    replay: Option<FolderReplay>,
    /// The turn at which the range began.
    range_began: u64,
}

/// A replay under way.
struct FolderReplay {
    later: TakenFiles,
    /// The files that are there.
    listed: BTreeMap<String, PartitionedFile>,
    /// The files to read again, each with the next row and the one after the last.
    wanted: VecDeque<(String, u64, u64)>,
    /// The first of them, once it is open.
    current: Option<Current>,
}

/// The file that is being read.
struct Current {
    name: String,
    rows: SendableRecordBatchStream,
    /// The number of rows that are still to be skipped, because they were handed out before.
    n_skipped: u64,
}

impl Current {
    /// The next rows after the skipped ones, at least one; `None` at the end.
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        while let Some(rows) = self.rows.next().await {
            let rows = rows?;
            let n_rows = rows.num_rows() as u64;
            let n_skipped = self.n_skipped.min(n_rows);
            self.n_skipped -= n_skipped;
            if n_skipped < n_rows {
                let from = usize::try_from(n_skipped).unwrap_or_default();
                return Ok(Some(rows.slice(from, rows.num_rows() - from)));
            }
        }
        Ok(None)
    }
}

impl fmt::Debug for FolderReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FolderReader")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

impl FolderReader {
    /// Continues at the positions of an earlier reader.
    fn seek(&mut self, taken: TakenFiles) {
        self.range_began = taken.next_turn;
        self.taken = taken;
        self.queue.clear();
        self.current = None;
        self.is_first = false;
        self.list_at = i64::MIN;
    }

    /// Puts the files that are new and complete into the queue.
    fn list(&mut self, polled: &mut Polled) -> Result<()> {
        let handle = self.handle.clone();
        let files = handle.block_on(self.folder.list())?;
        let names: BTreeSet<&str> = files
            .iter()
            .map(|file| file.object_meta.location.as_ref())
            .collect();
        self.taken.keep(&names);
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
            if self.taken.is_done(&name) || is_queued || is_current {
                continue;
            }
            if is_first && self.folder.read_from == ReadFrom::End {
                self.taken.leave_alone(name);
            } else if self.taken.is_begun(&name) {
                self.queue.push_front(file);
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

    /// Whether a file is as it was at the last look. This is not required of objects in a store,
    /// which appear complete, of Parquet files, whose end tells whether they are complete, or of
    /// files that are there at the start, which are old.
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
        polled.bytes += file.object_meta.size;
        let n_skipped = self.taken.begin(&name);
        let rows = self.handle.block_on(self.folder.open(file, &self.columns));
        match rows {
            Ok(rows) => {
                self.current = Some(Current {
                    name,
                    rows,
                    n_skipped,
                });
            }
            Err(error) => self.give_up(&name, &error, polled),
        }
    }

    fn give_up(&mut self, name: &str, error: &DataFusionError, polled: &mut Polled) {
        polled.problems.push(problem(name, error));
        self.taken.end(name);
        self.current = None;
    }

    /// Hands out the next batch of the current file, or finishes it.
    fn read(&mut self, polled: &mut Polled) {
        let Some(mut current) = self.current.take() else {
            return;
        };
        match self.handle.block_on(current.next()) {
            Ok(None) => self.taken.end(&current.name),
            Err(error) => self.give_up(&current.name, &error, polled),
            Ok(Some(rows)) => {
                if let Some(taken) = self.taken.files.get_mut(&current.name) {
                    taken.n_rows += rows.num_rows() as u64;
                }
                polled.pieces.push(ReadRows {
                    partition: PARTITION,
                    rows,
                });
                self.current = Some(current);
            }
        }
    }

    fn begin_replay(&self, upto: &PositionsBody) -> Result<FolderReplay> {
        let later = TakenFiles::parse(upto)?;
        let wanted: VecDeque<_> = self.taken.read_until(&later).into();
        let files = if wanted.is_empty() {
            vec![]
        } else {
            self.handle.block_on(self.folder.list())?
        };
        let by_name = |file: PartitionedFile| (file.object_meta.location.to_string(), file);
        Ok(FolderReplay {
            later,
            listed: files.into_iter().map(by_name).collect(),
            wanted,
            current: None,
        })
    }

    /// The next rows of the first file that is wanted; `None` if there are no more. Errors were
    /// reported when the file was first read.
    fn read_again(&self, replay: &mut FolderReplay, polled: &mut Polled) -> Option<RecordBatch> {
        let (name, from, to) = replay.wanted.front_mut()?;
        if replay.current.is_none() {
            let file = replay.listed.remove(name)?;
            polled.bytes += file.object_meta.size;
            let rows = self.handle.block_on(self.folder.open(file, &self.columns));
            replay.current = Some(Current {
                name: name.clone(),
                rows: rows.ok()?,
                n_skipped: *from,
            });
        }
        let rows = self
            .handle
            .block_on(replay.current.as_mut()?.next())
            .ok()??;
        let n_wanted = usize::try_from(*to - *from).unwrap_or(usize::MAX);
        let rows = rows.slice(0, rows.num_rows().min(n_wanted));
        *from += rows.num_rows() as u64;
        Some(rows)
    }

    /// Hands out the next rows, and returns how many bytes they take.
    fn replay_a_batch(&self, replay: &mut FolderReplay, polled: &mut Polled) -> usize {
        let rows = self.read_again(replay, polled);
        let n_bytes = rows.as_ref().map_or(0, RecordBatch::get_array_memory_size);
        let is_over = rows.is_none();
        polled.pieces.extend(rows.map(|rows| ReadRows {
            partition: PARTITION,
            rows,
        }));
        let Some((name, from, to)) = replay.wanted.front() else {
            return n_bytes;
        };
        if is_over {
            let n_missing = to - from;
            polled.problems.push(format!(
                "{name} cannot be read again: {n_missing} of its rows are missing"
            ));
        }
        if is_over || from == to {
            replay.wanted.pop_front();
            replay.current = None;
        }
        n_bytes
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
        if self.taken.next_turn - self.range_began >= MAX_FILES_OF_RANGE {
            polled.ends_range = true;
            self.range_began = self.taken.next_turn;
        }
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

    fn look(&mut self, now: i64, polled: &mut Polled) -> Result<()> {
        self.quiet_since = now;
        self.list(polled)
    }

    fn replay(
        &mut self,
        upto: &PositionsBody,
        max_bytes: usize,
        _now: i64,
        polled: &mut Polled,
    ) -> Result<()> {
        let mut replay = match self.replay.take() {
            Some(replay) => replay,
            None => self.begin_replay(upto)?,
        };
        let mut n_bytes = 0;
        while n_bytes < max_bytes && !replay.wanted.is_empty() {
            n_bytes += self.replay_a_batch(&mut replay, polled);
        }
        polled.has_more = !replay.wanted.is_empty();
        if polled.has_more {
            self.replay = Some(replay)
        } else {
            self.seek(replay.later)
        }
        Ok(())
    }

    fn positions(&self) -> Result<PositionsBody> {
        positions_of(&self.taken)
    }
}
