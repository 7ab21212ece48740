//! Compressed files among followed logs: each is finished, so it is read once and whole, unless it is the compressed
//! form of a rotated file that was followed.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use chrono::DateTime;
use datafusion::common::{DataFusionError, Result, exec_datafusion_err};
use datafusion::object_store::path::Path;
use datafusion::object_store::{ObjectStore, ObjectStoreExt};
use tokio::runtime::Handle;

use crate::functions::ts::times::SECOND;
use crate::tables::live::follow::FollowedFiles;
use crate::tables::live::options::ReadFrom;
use crate::tables::live::source::{PartitionNews, Polled};
use crate::tables::log_file::blocks::BlockReader;
use crate::tables::log_file::growing::GrowingLog;
use crate::tables::log_file::spec::LogSpec;

/// gzip writes for a while before a file is whole; it is taken when it has not changed for so long.
const SETTLING_TIME: i64 = 2 * SECOND;
/// What tells that the content was followed.
const HEAD_BYTES: usize = 1024;
/// Compressed files have odd partitions, followed files even ones.
const FIRST_PARTITION: u64 = 1;
const PARTITION_STRIDE: u64 = 2;

/// The compressed files.
pub(crate) struct PackedFiles {
    store: Arc<dyn ObjectStore>,
    handle: Handle,
    is_first: bool,
    read_from: ReadFrom,
    /// Files that need not be looked at again, as long as they are there.
    done: BTreeSet<PathBuf>,
    queue: VecDeque<PathBuf>,
    current: Option<PackedFile>,
    next_partition: u64,
}

/// The file that is being read.
struct PackedFile {
    path: PathBuf,
    blocks: BlockReader,
    log: GrowingLog,
    written: i64,
    partition: u64,
    is_new: bool,
}

impl fmt::Debug for PackedFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PackedFiles")
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}

impl PackedFiles {
    /// None yet.
    pub(crate) fn new(store: Arc<dyn ObjectStore>, handle: Handle, read_from: ReadFrom) -> Self {
        Self {
            store,
            handle,
            is_first: true,
            read_from,
            done: BTreeSet::new(),
            queue: VecDeque::new(),
            current: None,
            next_partition: FIRST_PARTITION,
        }
    }

    /// These were read before.
    pub(crate) fn seek(&mut self, done: BTreeSet<PathBuf>) {
        self.done = done;
        self.is_first = false;
    }

    /// The files that need not be read again.
    pub(crate) fn done(&self) -> &BTreeSet<PathBuf> {
        &self.done
    }

    pub(crate) fn has_more(&self) -> bool {
        self.current.is_some() || !self.queue.is_empty()
    }

    /// Takes what is new among these files, the oldest first.
    pub(crate) fn rescan(&mut self, paths: Vec<PathBuf>, now: i64) {
        self.done.retain(|path| paths.contains(path));
        let is_first = std::mem::take(&mut self.is_first);
        let is_current = |path: &PathBuf| {
            self.current
                .as_ref()
                .is_some_and(|current| current.path == *path)
        };
        let is_new = |path: &PathBuf| {
            !self.done.contains(path) && !self.queue.contains(path) && !is_current(path)
        };
        let mut new: Vec<_> = paths
            .into_iter()
            .filter(is_new)
            .map(|path| (modified(&path), path))
            .collect();
        new.sort();
        for (modified, path) in new {
            if is_first && self.read_from == ReadFrom::End {
                self.done.insert(path);
            } else if is_first || now.saturating_sub(modified) >= SETTLING_TIME {
                self.queue.push_back(path);
            }
        }
    }

    /// Reads the next block.
    ///
    /// # Errors
    /// When columns cannot be built. A file that cannot be read is a problem that is noted.
    pub(crate) fn read(
        &mut self,
        spec: &LogSpec,
        columns: &[usize],
        followed: &FollowedFiles,
        polled: &mut Polled,
    ) -> Result<()> {
        let current = match self.current.take() {
            Some(current) => Some(current),
            None => self.open_next(spec, columns, polled),
        };
        let Some(mut current) = current else {
            return Ok(());
        };
        match self.handle.block_on(current.blocks.next()) {
            Ok(Some(block)) => {
                let head = &block[..block.len().min(HEAD_BYTES)];
                if std::mem::take(&mut current.is_new) && followed.knows_content(head) {
                    self.end(current, polled);
                    return Ok(());
                }
                polled.bytes += block.len() as u64;
                let written = DateTime::from_timestamp_nanos(current.written);
                current.log.feed(block.into(), written);
                current.log.hand_over(current.partition, polled)?;
                polled.news.push((current.partition, PartitionNews::Behind));
                self.current = Some(current);
            }
            Ok(None) => {
                current.log.finish();
                current.log.hand_over(current.partition, polled)?;
                self.end(current, polled);
            }
            Err(error) => {
                polled.problems.push(problem(&current.path, &error));
                self.end(current, polled);
            }
        }
        Ok(())
    }

    fn end(&mut self, file: PackedFile, polled: &mut Polled) {
        polled.news.push((file.partition, PartitionNews::Closed));
        self.done.insert(file.path);
    }

    fn open_next(
        &mut self,
        spec: &LogSpec,
        columns: &[usize],
        polled: &mut Polled,
    ) -> Option<PackedFile> {
        let path = self.queue.pop_front()?;
        match self.open(&path, spec, columns) {
            Ok(file) => {
                polled.news.push((file.partition, PartitionNews::Opened));
                Some(file)
            }
            Err(error) => {
                polled.problems.push(problem(&path, &error));
                self.done.insert(path);
                None
            }
        }
    }

    fn open(&mut self, path: &PathBuf, spec: &LogSpec, columns: &[usize]) -> Result<PackedFile> {
        let location =
            Path::from_absolute_path(path).map_err(|error| exec_datafusion_err!("{error}"))?;
        let open = async {
            let file = self.store.head(&location).await?;
            BlockReader::open(Arc::clone(&self.store), &file, 0..u64::MAX, "/").await
        };
        let blocks = self.handle.block_on(open)?;
        let partition = self.next_partition;
        self.next_partition += PARTITION_STRIDE;
        Ok(PackedFile {
            path: path.clone(),
            blocks,
            log: GrowingLog::try_new(spec, columns, &path.to_string_lossy(), (0, 1))?,
            written: modified(path),
            partition,
            is_new: true,
        })
    }
}

fn modified(path: &std::path::Path) -> i64 {
    let modified = std::fs::metadata(path)
        .and_then(|file| file.modified())
        .ok();
    let since = modified.and_then(|modified| modified.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |since| {
        i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
    })
}

fn problem(path: &std::path::Path, error: &DataFusionError) -> String {
    format!(
        "{} cannot be read: {}",
        path.display(),
        error.strip_backtrace()
    )
}
