//! Compressed files among followed logs: each is finished, so it is read once and whole, unless it is the compressed
//! form of a rotated file that was followed. Of such a file only what was not followed to its end is read.
//!
//! A file is known by its size and its first and last bytes, so that it may be renamed. Positions tell for each file how
//! much of its content was handed out and as which partition, that is in which order: so it can be read again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use chrono::DateTime;
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, exec_err};
use datafusion::object_store::path::Path;
use datafusion::object_store::{ObjectStore, ObjectStoreExt};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use twox_hash::XxHash64;

use crate::functions::ts::times::SECOND;
use crate::tables::live::follow::{Folders, FollowedFiles, Recognised, Stretch};
use crate::tables::live::options::ReadFrom;
use crate::tables::live::source::{PartitionNews, Polled};
use crate::tables::log_file::blocks::{BlockReader, Compression};
use crate::tables::log_file::growing::GrowingLog;
use crate::tables::log_file::spec::LogSpec;

/// gzip writes for a while before a file is whole; it is taken when it has not changed for so long.
const SETTLING_TIME: i64 = 2 * SECOND;
/// What tells that the content was followed.
const HEAD_BYTES: usize = 1024;
/// Compressed files have odd partitions, followed files even ones.
const FIRST_PARTITION: u64 = 1;
const PARTITION_STRIDE: u64 = 2;

/// The most first and last bytes that a file is known by. The last have the checksum of its content.
const MARK_BYTES: u64 = 1024;
/// Files that are remembered though they are there no longer: what was read of them since a crash is still accounted for.
const MAX_GONE: u64 = 100;

/// What the compressed files of a reader are known by, and how far each was read.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct PackedPositions {
    next_partition: u64,
    /// By mark.
    files: BTreeMap<u64, Taken>,
}

/// Offset and line number.
type Place = (u64, u64);
/// The beginning of a file.
const START: Place = (0, 1);

/// A file that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Taken {
    /// Where it was when it was taken, which is what its rows say.
    name: String,
    /// Counted up with each file that is opened; `None`: it was not opened yet, or is left alone.
    partition: Option<u64>,
    /// What comes before was followed; `None`: it is a file of its own.
    followed_to: Option<Place>,
    /// Bytes of its content that were handed out, and the number of the line that comes next.
    place: Place,
    is_done: bool,
}

/// The compressed files.
pub(crate) struct PackedFiles {
    store: Arc<dyn ObjectStore>,
    handle: Handle,
    is_first: bool,
    read_from: ReadFrom,
    positions: PackedPositions,
    /// What was found out about paths: size, modification time and mark.
    marks: BTreeMap<PathBuf, (u64, i64, u64)>,
    queue: VecDeque<(PathBuf, u64)>,
    /// Files that were not where they were expected: renamed, or removed. With the time since when they are looked for.
    moved: Vec<(PathBuf, u64, Option<i64>)>,
    current: Option<PackedFile>,
}

/// The file that is being read.
struct PackedFile {
    path: PathBuf,
    mark: u64,
    blocks: BlockReader,
    /// Bytes of its content that were handed out before it was opened here.
    n_skipped: u64,
    log: GrowingLog,
    written: i64,
    partition: u64,
    is_new: bool,
}

impl fmt::Debug for PackedFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PackedFiles")
            .field("positions", &self.positions)
            .finish_non_exhaustive()
    }
}

impl Taken {
    fn whole(path: &FilePath) -> Self {
        Self {
            name: path.to_string_lossy().into_owned(),
            partition: None,
            followed_to: None,
            place: START,
            is_done: false,
        }
    }

    fn began(&self) -> Place {
        self.followed_to.unwrap_or(START)
    }
}

impl PackedFile {
    /// The next block behind what was handed out before.
    async fn next(&mut self) -> Result<Option<Vec<u8>>> {
        while let Some(block) = self.blocks.next().await? {
            let n_bytes = block.len() as u64;
            let n_skipped = self.n_skipped.min(n_bytes);
            self.n_skipped -= n_skipped;
            if n_skipped < n_bytes {
                let from = usize::try_from(n_skipped).unwrap_or_default();
                return Ok(Some(block.slice(from..).into()));
            }
        }
        Ok(None)
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
            positions: PackedPositions {
                next_partition: FIRST_PARTITION,
                files: BTreeMap::new(),
            },
            marks: BTreeMap::new(),
            queue: VecDeque::new(),
            moved: Vec::new(),
            current: None,
        }
    }

    /// Goes on where an earlier reader stood.
    pub(crate) fn seek(&mut self, positions: PackedPositions) {
        self.positions = positions;
        self.queue.clear();
        let taken = self.positions.files.iter();
        let unfinished = taken.filter(|(_, taken)| !taken.is_done);
        let expected = unfinished.map(|(mark, taken)| (PathBuf::from(&taken.name), *mark, None));
        self.moved = expected.collect();
        self.current = None;
        self.is_first = false;
    }

    /// Where the reader stands.
    pub(crate) fn positions(&self) -> PackedPositions {
        self.positions.clone()
    }

    pub(crate) fn has_more(&self) -> bool {
        self.current.is_some() || !self.queue.is_empty()
    }

    /// Takes what is new among these files, the oldest first; but first the one that an earlier reader was at.
    pub(crate) fn rescan(&mut self, listed: &[PathBuf], now: i64, polled: &mut Polled) {
        let is_first = std::mem::take(&mut self.is_first);
        let paths: BTreeSet<PathBuf> = listed.iter().cloned().chain(self.unlisted()).collect();
        self.marks.retain(|path, _| paths.contains(path));
        let mut new = Vec::new();
        for path in paths {
            let is_settled =
                |modified: i64| is_first || now.saturating_sub(modified) >= SETTLING_TIME;
            let Some((modified, mark)) = self.mark(&path, is_settled) else {
                continue;
            };
            let taken = self.positions.files.get(&mark);
            let is_wanted = match taken {
                Some(taken) => !taken.is_done,
                None => listed.contains(&path),
            };
            if is_wanted && !self.is_under_way(mark) {
                new.push((taken.is_none(), modified, path, mark));
            }
        }
        new.sort();
        for (_, _, path, mark) in new {
            if is_first && self.read_from == ReadFrom::End {
                self.leave_alone(&path, mark);
            } else if self.queue.iter().all(|(_, queued)| *queued != mark) {
                self.queue.push_back((path, mark));
            }
        }
        self.report_removed(now, polled);
        self.forget();
    }

    fn is_under_way(&self, mark: u64) -> bool {
        let is_current = self.current.as_ref().is_some_and(|file| file.mark == mark);
        is_current || self.queue.iter().any(|(_, queued)| *queued == mark)
    }

    /// Where files may lie that were followed, are not read to their end, and were compressed to a name that is not
    /// listed.
    fn unlisted(&self) -> Vec<PathBuf> {
        let taken = self.positions.files.values();
        let unfinished = taken.filter(|taken| !taken.is_done && taken.followed_to.is_some());
        let mut folders = Folders::default();
        let beside = unfinished.flat_map(|taken| folders.siblings(FilePath::new(&taken.name)));
        beside.filter(|path| is_packed(path)).collect()
    }

    /// What was not found where it was expected, and is nowhere else. Under a new name, too, it must settle first.
    fn report_removed(&mut self, now: i64, polled: &mut Polled) {
        for (path, mark, since) in std::mem::take(&mut self.moved) {
            let since = since.unwrap_or(now);
            if self.is_under_way(mark) {
                continue;
            }
            if now.saturating_sub(since) <= SETTLING_TIME {
                self.moved.push((path, mark, Some(since)));
                continue;
            }
            let path = path.display();
            polled
                .problems
                .push(format!("{path} was removed before it was read to its end"));
            if let Some(taken) = self.positions.files.get_mut(&mark) {
                taken.is_done = true;
            }
        }
    }

    /// Takes over a followed file that was compressed before it was read to its end, to be read from `stretch` on;
    /// `false`: its content is in none of the files.
    pub(crate) fn go_on(&mut self, stretch: &Stretch, line_number: u64, paths: &[PathBuf]) -> bool {
        let others = stretch.others();
        let mut paths = candidates(paths, &others);
        let has_it = |path: &&PathBuf| matches!(self.unpack_from(stretch, path), Ok(Some(_)));
        let Some(path) = paths.find(has_it) else {
            return false;
        };
        let Some((_, mark)) = self.mark(path, |_| true) else {
            return false;
        };
        let place = (stretch.to, line_number);
        // It may have been read as a file of its own.
        let known = self.positions.files.get(&mark);
        if known.is_none_or(|known| known.place == START && known.followed_to.is_none()) {
            let taken = Taken {
                name: stretch.name.clone(),
                partition: None,
                followed_to: Some(place),
                place,
                is_done: false,
            };
            self.positions.files.insert(mark, taken);
            if !self.is_under_way(mark) {
                self.queue.push_back((path.clone(), mark));
            }
        }
        true
    }

    /// When a file was modified, and what it is known by, if it is whole; what cannot be read has no mark, and is tried
    /// again.
    fn mark(&mut self, path: &FilePath, is_settled: impl Fn(i64) -> bool) -> Option<(i64, u64)> {
        let (size, modified) = (std::fs::metadata(path).ok()?.len(), modified(path));
        if let Some((known_size, known_modified, mark)) = self.marks.get(path)
            && (*known_size, *known_modified) == (size, modified)
        {
            return Some((modified, *mark));
        }
        if !is_settled(modified) {
            return None;
        }
        let mark = mark_of(path, size).ok()?;
        self.marks
            .insert(path.to_path_buf(), (size, modified, mark));
        Some((modified, mark))
    }

    fn leave_alone(&mut self, path: &FilePath, mark: u64) {
        let taken = Taken {
            is_done: true,
            ..Taken::whole(path)
        };
        self.positions.files.insert(mark, taken);
    }

    /// Forgets files that are gone, but for the last ones.
    fn forget(&mut self) {
        let present: BTreeSet<u64> = self.marks.values().map(|(_, _, mark)| *mark).collect();
        let oldest = self
            .positions
            .next_partition
            .saturating_sub(MAX_GONE * PARTITION_STRIDE);
        self.positions.files.retain(|mark, taken| {
            let is_recent = taken.partition.is_some_and(|partition| partition >= oldest);
            is_recent || !taken.is_done || present.contains(mark)
        });
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
        match self.handle.clone().block_on(current.next()) {
            Ok(Some(block)) => {
                let head = &block[..block.len().min(HEAD_BYTES)];
                if std::mem::take(&mut current.is_new) && followed.knows_content(head) {
                    self.end(&current, polled);
                    return Ok(());
                }
                polled.bytes += block.len() as u64;
                let written = DateTime::from_timestamp_nanos(current.written);
                current.log.feed(block, written);
                current.log.hand_over(current.partition, polled)?;
                self.note(&current);
                polled.news.push((current.partition, PartitionNews::Behind));
                self.current = Some(current);
            }
            Ok(None) => {
                current.log.finish();
                current.log.hand_over(current.partition, polled)?;
                self.note(&current);
                self.end(&current, polled);
            }
            Err(error) => {
                polled.problems.push(problem(&current.path, &error));
                self.end(&current, polled);
            }
        }
        Ok(())
    }

    fn note(&mut self, file: &PackedFile) {
        if let Some(taken) = self.positions.files.get_mut(&file.mark) {
            taken.place = file.log.position();
        }
    }

    fn end(&mut self, file: &PackedFile, polled: &mut Polled) {
        polled.news.push((file.partition, PartitionNews::Closed));
        if let Some(taken) = self.positions.files.get_mut(&file.mark) {
            taken.is_done = true;
        }
    }

    fn open_next(
        &mut self,
        spec: &LogSpec,
        columns: &[usize],
        polled: &mut Polled,
    ) -> Option<PackedFile> {
        let (path, mark) = self.queue.pop_front()?;
        let taken = self.positions.files.get(&mark).cloned();
        let taken = taken.unwrap_or_else(|| Taken::whole(&path));
        let partition = taken.partition.unwrap_or(self.positions.next_partition);
        let opened = self.open(&path, (mark, partition), &taken, spec, columns);
        // Last, since a rotation may rename files at any time: what was opened is what was meant only if it is still there.
        if !self.is_at(&path, mark) {
            self.moved.push((path, mark, None));
            return None;
        }
        match opened {
            Ok(file) => {
                let next = partition.saturating_add(PARTITION_STRIDE);
                self.positions.next_partition = self.positions.next_partition.max(next);
                let taken = Taken {
                    partition: Some(partition),
                    ..taken
                };
                self.positions.files.insert(mark, taken);
                polled.news.push((partition, PartitionNews::Opened));
                Some(file)
            }
            Err(error) => {
                polled.problems.push(problem(&path, &error));
                let taken = Taken {
                    is_done: true,
                    ..taken
                };
                self.positions.files.insert(mark, taken);
                None
            }
        }
    }

    fn open(
        &self,
        path: &FilePath,
        (mark, partition): (u64, u64),
        taken: &Taken,
        spec: &LogSpec,
        columns: &[usize],
    ) -> Result<PackedFile> {
        let blocks = self.open_blocks(path)?;
        Ok(PackedFile {
            path: path.to_path_buf(),
            mark,
            blocks,
            n_skipped: taken.place.0,
            log: GrowingLog::try_new(spec, columns, &taken.name, taken.place)?,
            written: modified(path),
            partition,
            is_new: taken.place == START && taken.followed_to.is_none(),
        })
    }

    /// Reads again what an earlier reader had read when it stood at `upto`. `paths` are the files that are there.
    ///
    /// # Errors
    /// When columns cannot be built. A file that is gone or cannot be read is a problem that is noted.
    pub(crate) fn replay(
        &mut self,
        upto: &PackedPositions,
        paths: &[PathBuf],
        spec: &LogSpec,
        columns: &[usize],
        polled: &mut Polled,
    ) -> Result<()> {
        let files = upto.files.iter();
        let mut files: Vec<_> = files
            .filter_map(|(mark, later)| Some((later.partition?, *mark, later)))
            .collect();
        files.sort_by_key(|(partition, ..)| *partition);
        for (partition, mark, later) in files {
            let before = self.positions.files.get(&mark);
            let place = before
                .map_or(START, |before| before.place)
                .max(later.began());
            if place.0 >= later.place.0 {
                continue;
            }
            let from = Taken {
                place,
                ..later.clone()
            };
            let others = Folders::default().siblings(FilePath::new(&later.name));
            let mut paths = candidates(paths, &others);
            let path = paths.find(|path| self.is_at(path, mark));
            let opened = match path {
                Some(path) => self.open(path, (mark, partition), &from, spec, columns),
                None => exec_err!("it is not there"),
            };
            let n_left = match opened {
                Ok(file) => self.reread(file, later.place.0, polled)?,
                Err(_) => later.place.0 - place.0,
            };
            if n_left > 0 {
                polled.problems.push(format!(
                    "{} cannot be read again: {n_left} bytes of its content are missing",
                    later.name
                ));
            }
            // If there is more of it, it is opened again.
            polled.news.push((partition, PartitionNews::Closed));
        }
        Ok(())
    }

    /// The bytes of a stretch of what was a plain file once, from one of `paths` or one that lies beside where it was.
    pub(crate) fn unpack(&self, stretch: &Stretch, paths: &[PathBuf]) -> Option<Vec<u8>> {
        let others = stretch.others();
        candidates(paths, &others).find_map(|path| self.unpack_from(stretch, path).ok().flatten())
    }

    fn unpack_from(&self, stretch: &Stretch, path: &FilePath) -> Result<Option<Vec<u8>>> {
        let mut blocks = self.open_blocks(path)?;
        let mut recognition = stretch.recognition();
        while let Some(block) = self.handle.block_on(blocks.next())? {
            match recognition.feed(&block) {
                Recognised::Maybe => {}
                Recognised::No => return Ok(None),
                Recognised::Yes(bytes) => return Ok(Some(bytes)),
            }
        }
        Ok(None)
    }

    /// Whether there is a file with this mark.
    fn is_at(&self, path: &FilePath, mark: u64) -> bool {
        let size = std::fs::metadata(path).map(|file| file.len());
        size.and_then(|size| mark_of(path, size))
            .is_ok_and(|it| it == mark)
    }

    fn open_blocks(&self, path: &FilePath) -> Result<BlockReader> {
        let location =
            Path::from_absolute_path(path).map_err(|error| exec_datafusion_err!("{error}"))?;
        self.handle.block_on(async {
            let file = self.store.head(&location).await?;
            BlockReader::open(Arc::clone(&self.store), &file, 0..u64::MAX, "/").await
        })
    }

    /// Reads up to the offset `to`, behind an event; how many bytes are missing.
    fn reread(&self, mut file: PackedFile, to: u64, polled: &mut Polled) -> Result<u64> {
        let mut n_left = to - file.n_skipped;
        let written = DateTime::from_timestamp_nanos(file.written);
        while n_left > 0 {
            let Ok(Some(mut block)) = self.handle.block_on(file.next()) else {
                break;
            };
            block.truncate(usize::try_from(n_left).unwrap_or(usize::MAX));
            n_left -= block.len() as u64;
            polled.bytes += block.len() as u64;
            file.log.feed(block, written);
        }
        match n_left {
            0 => file.log.finish(),
            _ => file.log.end_event(),
        }
        file.log.hand_over(file.partition, polled)?;
        Ok(n_left)
    }
}

/// Listed files, and the compressed ones among others.
fn candidates<'a>(
    listed: &'a [PathBuf],
    others: &'a BTreeSet<PathBuf>,
) -> impl Iterator<Item = &'a PathBuf> {
    let others = others.iter().filter(|path| is_packed(path));
    listed.iter().chain(others)
}

fn is_packed(path: &FilePath) -> bool {
    let path = Path::from(path.to_string_lossy().as_ref());
    let compression = Compression::of(&path, "/");
    matches!(compression, Ok(Compression::Gzip | Compression::Zstd))
}

/// What a file of `size` bytes is known by.
fn mark_of(path: &FilePath, size: u64) -> std::io::Result<u64> {
    let mut file = File::open(path)?;
    let mut bytes = size.to_le_bytes().to_vec();
    Read::by_ref(&mut file)
        .take(MARK_BYTES)
        .read_to_end(&mut bytes)?;
    file.seek(SeekFrom::Start(size.saturating_sub(MARK_BYTES)))?;
    Read::by_ref(&mut file)
        .take(MARK_BYTES)
        .read_to_end(&mut bytes)?;
    Ok(XxHash64::oneshot(0, &bytes))
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
