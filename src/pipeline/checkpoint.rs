//! What a pipeline writes down, so that it can be killed at any moment and continues as if it had
//! not been.
//!
//! ```text
//! <checkpoint>/pipeline.json               which pipeline this is: its id and its statements
//! <checkpoint>/ranges/00000000000000000007.json
//!                                          up to where the source was read when windows closed, before they run
//! <checkpoint>/done.json                   how many windows have run
//! <checkpoint>/lock                        held while a pipeline runs, where the checkpoint is a local folder
//! ```
//!
//! A range is created, never replaced: if two runs use one checkpoint, the second finds the range
//! of the first, and stops. Ranges whose windows have run are deleted as soon as no open window has
//! rows of them, so the checkpoint does not grow.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path as LocalPath, PathBuf};
use std::sync::Arc;

use datafusion::common::{DataFusionError, Result, exec_datafusion_err, exec_err};
use datafusion::datasource::listing::ListingTableUrl;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::object_store::path::Path;
use datafusion::object_store::{
    Error as StoreError, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload,
};
use futures::TryStreamExt;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::sinks::local_files::{remove_staged, sync};
use crate::stores::store::DoneWindows;
use crate::streams::source::Positions;
use crate::streams::windows::range_notes::RangeNotes;

/// The version of the files of a checkpoint.
const VERSION: u32 = 1;
const HEADER: &str = "pipeline.json";
const DONE: &str = "done.json";
const RANGES: &str = "ranges";
const LOCK: &str = "lock";

/// Which pipeline a checkpoint belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    pub(crate) version: u32,
    /// Distinguishes this checkpoint from all others, in the databases that the pipeline writes.
    pub(crate) id: String,
    /// The prefix of the files that the pipeline writes.
    pub(crate) name: String,
    /// The statements, without comments and blanks.
    pub(crate) statements: Vec<String>,
    /// The call that makes the windows and what it reads, as EXPLAIN shows it.
    pub(crate) windows: String,
}

impl Header {
    /// The header of a pipeline that starts now.
    pub(crate) fn new(name: &str, statements: Vec<String>, windows: &str) -> Self {
        Self {
            version: VERSION,
            id: uuid::Uuid::new_v4().to_string(),
            name: name.to_string(),
            statements,
            windows: windows.to_string(),
        }
    }
}

/// How far the source had been read when windows closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Range {
    /// The number of the range, from 0, which is where reading began.
    pub(crate) number: u64,
    /// The positions of the source after the range.
    pub(crate) positions: Positions,
    pub(crate) watermark: i64,
    /// For windows by the time of reading: a time within the window of all rows of the range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reading_time: Option<i64>,
    pub(crate) notes: RangeNotes,
    /// Replay starts after this range, the earliest whose rows may belong to a window that is still
    /// open.
    pub(crate) read_again_from: u64,
    /// How many windows had closed before this range.
    pub(crate) windows_before: u64,
}

/// A range as it is written. An object store that is asked again after its answer was lost says
/// that the object exists: only who wrote it tells one's own from another run's.
#[derive(Serialize)]
struct WrittenRange<'a> {
    #[serde(flatten)]
    range: &'a Range,
    written_by: &'a str,
}

/// What an earlier run left in the checkpoint.
#[derive(Debug)]
pub(crate) struct Saved {
    pub(crate) header: Header,
    /// The ranges from the one after which reading starts to the last.
    pub(crate) ranges: Vec<Range>,
    pub(crate) done: DoneWindows,
}

/// A checkpoint that this run holds.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    /// The location, as it was given.
    name: String,
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    local: Option<PathBuf>,
    _lock: Option<File>,
    /// Which run this is, in the ranges that it writes.
    run: String,
    /// The number of the first range in the checkpoint.
    first_range: u64,
}

impl Checkpoint {
    /// Opens the folder or the prefix of an object store, and creates it if needed.
    ///
    /// # Errors
    /// When it cannot be reached, or another run holds it.
    pub(crate) fn open(location: &str, runtime: &RuntimeEnv) -> Result<Self> {
        let local = local_folder(location)?;
        let _lock = match &local {
            Some(folder) => Some(lock(location, folder)?),
            None => None,
        };
        // This needs the lock: without it, the file may be one that another run is about to rename.
        if let Some(folder) = &local {
            remove_staged(folder, |_| true);
            remove_staged(&folder.join(RANGES), |_| true);
        }
        // The name of a folder may contain characters that are special in a URL or a glob.
        let (store, prefix) = match &local {
            Some(folder) => (
                runtime.object_store(ObjectStoreUrl::local_filesystem()),
                Path::from_absolute_path(folder)?,
            ),
            None => {
                let url = ListingTableUrl::parse(format!("{}/", location.trim_end_matches('/')))?;
                (runtime.object_store(&url), url.prefix().clone())
            }
        };
        let store = store.map_err(|error| {
            exec_datafusion_err!(
                "the checkpoint {location} cannot be reached: {}",
                error.strip_backtrace()
            )
        })?;
        Ok(Self {
            name: location.to_string(),
            store,
            prefix,
            local,
            _lock,
            run: uuid::Uuid::new_v4().to_string(),
            first_range: 0,
        })
    }

    /// The location, as it was given.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What an earlier run left, or `None` if there was none.
    ///
    /// # Errors
    /// When it cannot be read, or has another version.
    pub(crate) async fn load(&mut self) -> Result<Option<Saved>> {
        let Some(header) = self.read::<Header>(&self.path(HEADER)).await? else {
            return Ok(None);
        };
        if header.version != VERSION {
            return exec_err!(
                "the checkpoint {} is of version {}, which this program does not know: use a new checkpoint path",
                self.name,
                header.version
            );
        }
        let done = self.read::<DoneWindows>(&self.path(DONE)).await?;
        let mut ranges = Vec::new();
        for number in self.range_numbers().await? {
            ranges.extend(self.read::<Range>(&self.range_path(number)).await?);
        }
        let from = ranges.last().map_or(0, |last| last.read_again_from);
        let had_ranges = !ranges.is_empty();
        ranges.retain(|range| range.number >= from);
        // A damaged file can contain any number, even one larger than that of its range.
        let mut numbers = ranges.iter().map(|range| range.number.wrapping_sub(from));
        let is_whole = (0..).zip(&mut numbers).all(|(expected, n)| expected == n)
            && had_ranges != ranges.is_empty();
        if !is_whole {
            return exec_err!(
                "the checkpoint {} lacks ranges after number {from}: use a new checkpoint path",
                self.name
            );
        }
        self.first_range = ranges.first().map_or(0, |range| range.number);
        Ok(Some(Saved {
            header,
            ranges,
            done: done.unwrap_or_default(),
        }))
    }

    /// Records which pipeline this is.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) async fn put_header(&self, header: &Header) -> Result<()> {
        self.write(&self.path(HEADER), header, PutMode::Overwrite)
            .await
    }

    /// Records a range, before its windows run.
    ///
    /// # Errors
    /// When it cannot be written, or another run has already created it.
    pub(crate) async fn put_range(&self, range: &Range) -> Result<()> {
        let path = self.range_path(range.number);
        let written = WrittenRange {
            range,
            written_by: &self.run,
        };
        self.write(&path, &written, PutMode::Create).await
    }

    /// Records how far windows have run.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) async fn put_done(&self, done: &DoneWindows) -> Result<()> {
        self.write(&self.path(DONE), done, PutMode::Overwrite).await
    }

    /// Deletes the ranges before this one.
    ///
    /// # Errors
    /// When one cannot be deleted.
    pub(crate) async fn forget_before(&mut self, number: u64) -> Result<()> {
        for number in self.first_range..number {
            match self.store.delete(&self.range_path(number)).await {
                Ok(()) | Err(StoreError::NotFound { .. }) => {}
                Err(error) => return Err(self.failed("forget a range", &error)),
            }
        }
        self.first_range = self.first_range.max(number);
        Ok(())
    }

    fn path(&self, name: &str) -> Path {
        self.prefix.clone().join(name)
    }

    fn range_path(&self, number: u64) -> Path {
        self.path(RANGES).join(format!("{number:020}.json"))
    }

    /// The numbers of the ranges in the checkpoint, ascending.
    async fn range_numbers(&self) -> Result<Vec<u64>> {
        let listed = self.store.list(Some(&self.path(RANGES)));
        let listed: Vec<_> = listed
            .try_collect()
            .await
            .map_err(|error| self.failed("list", &error))?;
        let number = |path: &Path| path.filename()?.strip_suffix(".json")?.parse().ok();
        let mut numbers: Vec<u64> = listed
            .iter()
            .filter_map(|file| number(&file.location))
            .collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    async fn read<T: DeserializeOwned>(&self, path: &Path) -> Result<Option<T>> {
        let bytes = match self.store.get(path).await {
            Ok(found) => found.bytes().await,
            Err(StoreError::NotFound { .. }) => return Ok(None),
            Err(error) => Err(error),
        };
        let bytes = bytes.map_err(|error| self.failed("read", &error))?;
        let read = serde_json::from_slice(&bytes);
        read.map(Some).map_err(|error| {
            let file = path.filename().unwrap_or_default();
            exec_datafusion_err!("the checkpoint {} is damaged, {file}: {error}", self.name)
        })
    }

    async fn write(&self, path: &Path, value: &impl Serialize, mode: PutMode) -> Result<()> {
        let text = serde_json::to_vec(value)
            .map_err(|error| exec_datafusion_err!("a checkpoint cannot be written: {error}"))?;
        let options = PutOptions {
            mode,
            ..PutOptions::default()
        };
        let put = self
            .store
            .put_opts(path, PutPayload::from(text.clone()), options);
        match put.await {
            Ok(_) => {}
            Err(StoreError::AlreadyExists { .. }) if self.holds(path, &text).await? => {}
            Err(StoreError::AlreadyExists { .. }) => return taken(&self.name),
            Err(error) => return Err(self.failed("write", &error)),
        }
        match &self.local {
            Some(_) => sync(path).await,
            None => Ok(()),
        }
    }

    /// Whether an object has this text, which no other run writes.
    async fn holds(&self, path: &Path, text: &[u8]) -> Result<bool> {
        let found = match self.store.get(path).await {
            Ok(found) => found.bytes().await,
            Err(error) => Err(error),
        };
        let found = found.map_err(|error| self.failed("read", &error))?;
        Ok(found == text)
    }

    fn failed(&self, what: &str, error: &StoreError) -> DataFusionError {
        exec_datafusion_err!("the checkpoint {}: cannot {what}: {error}", self.name)
    }
}

fn taken<T>(location: &str) -> Result<T> {
    exec_err!(
        "another run uses the checkpoint {location}: stop that one first, or give this one a checkpoint of its own"
    )
}

/// The folder of a location, or `None` for an object store.
fn local_folder(location: &str) -> Result<Option<PathBuf>> {
    let path = match location.strip_prefix("file://") {
        Some(path) => path,
        None if location.contains("://") => return Ok(None),
        None => location,
    };
    let cannot = |error: std::io::Error| {
        exec_datafusion_err!("the checkpoint {location} cannot be created: {error}")
    };
    if path.is_empty() {
        return exec_err!("the checkpoint is a folder or the URL of an object store, got ''");
    }
    std::fs::create_dir_all(LocalPath::new(path).join(RANGES)).map_err(cannot)?;
    let folder = std::fs::canonicalize(path).map_err(cannot)?;
    Ok(Some(folder))
}

fn lock(location: &str, folder: &LocalPath) -> Result<File> {
    let cannot = |error: std::io::Error| {
        exec_datafusion_err!("the checkpoint {location} cannot be locked: {error}")
    };
    let mut options = OpenOptions::new();
    let options = options.create(true).truncate(false).write(true);
    let file = options.open(folder.join(LOCK)).map_err(cannot)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => taken(location),
        Err(TryLockError::Error(error)) => Err(cannot(error)),
    }
}
