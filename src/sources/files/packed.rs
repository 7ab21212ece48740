//! Compressed files among followed logs: each is finished, so it is read once and completely,
//! unless it is the compressed form of a rotated file that was followed. Of such a file, only the
//! part that was not read before is read.
//!
//! A file is recognised by its size and its first and last bytes, so that it may be renamed.
//! Positions record how much of the content of each file was handed out, and as which partition, so
//! that it can be read again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use chrono::DateTime;
use datafusion::common::{DataFusionError, Result, exec_datafusion_err};
use datafusion::object_store::path::Path;
use datafusion::object_store::{ObjectStore, ObjectStoreExt};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tokio_util::bytes::Bytes;
use twox_hash::XxHash64;

use crate::algorithms::units::SECOND;
use crate::formats::log::blocks::{BlockReader, Compression};
use crate::formats::log::encoding::TextEncoding;
use crate::formats::log::spec::LogSpec;
use crate::sources::files::follow::reread::{Recognised, Stretch};
use crate::sources::files::follow::siblings::Folders;
use crate::sources::files::follow::state::FollowedFiles;
use crate::sources::files::growing::GrowingLog;
use crate::sources::files::partitions::{FIRST_BYTES, PARTITION_STRIDE};
use crate::streams::live_options::ReadFrom;
use crate::streams::source::{PartitionNews, Polled};

/// How long a file must stay unchanged before it is taken: gzip writes for a while before a file is
/// complete.
const SETTLING_TIME: i64 = 2 * SECOND;
/// The number of first bytes that tell whether the content was followed.
const HEAD_BYTES: usize = 1024;
/// Compressed files have odd partitions.
const FIRST_PARTITION: u64 = 1;

/// The most first bytes, and the most last bytes, by which a file is recognised. The last ones
/// include the checksum of its content.
const MARK_BYTES: u64 = 1024;
/// The number of removed files that are remembered, so that a replay can still report what is
/// missing of them. A range ends when this many files were read to their end in it, so that none of
/// them is forgotten before.
const MAX_GONE: u64 = 100;
/// The number of files that are decompressed side by side. Further ones are closed, and opened
/// again where they were left.
const MAX_OPEN: usize = 64;

/// The marks of the compressed files of a reader, and how far each file was read.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct PackedPositions {
    next_partition: u64,
    /// By mark.
    files: BTreeMap<u64, TakenContent>,
}

/// Offset and line number.
pub(super) type ContentPlace = (u64, u64);
/// The beginning of a file.
const START: ContentPlace = (0, 1);

/// A file that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct TakenContent {
    /// The value of column `file`: the path when the file was first read, or its name when it was
    /// followed.
    name: String,
    /// The path from which it was read last.
    path: String,
    /// The partition, a new one for each file; `None`: the file is ignored.
    partition: Option<u64>,
    /// The place up to which the content was followed; `None`: it was not followed.
    followed_to: Option<ContentPlace>,
    /// The number of bytes of its content that were handed out, and the number of the next line.
    place: ContentPlace,
    is_done: bool,
}

/// The compressed files of a reader.
pub(crate) struct PackedFiles {
    store: Arc<dyn ObjectStore>,
    handle: Handle,
    is_first: bool,
    read_from: ReadFrom,
    positions: PackedPositions,
    /// What is known of paths: size, modification time and mark.
    marks: BTreeMap<PathBuf, (u64, i64, u64)>,
    /// Files that are being read, by partition.
    files: BTreeMap<u64, PackedFile>,
    /// The marks of files that have ended since the range began.
    ended: BTreeSet<u64>,
    /// Files that were not where they were expected, because they were renamed or removed: path,
    /// mark, and since when the file is looked for.
    moved: Vec<(PathBuf, u64, Option<i64>)>,
}

/// A file that is being read.
struct PackedFile {
    path: PathBuf,
    mark: u64,
    /// `None`: not opened yet, or closed again.
    content: Option<OpenContent>,
}

/// The bytes of an open file.
pub(super) struct Unpacked {
    blocks: BlockReader,
    /// The number of bytes that are still to be skipped, because they were handed out before.
    n_skipped: u64,
    /// Decompressed, but not handed out yet.
    block: Bytes,
}

/// The part of the content of a file that is read again: from `from` up to the offset `to`.
#[derive(Debug)]
pub(super) struct PackedStretch {
    pub(super) partition: u64,
    /// The value of column `file`.
    pub(super) name: String,
    pub(super) from: ContentPlace,
    pub(super) to: u64,
    mark: u64,
    taken: TakenContent,
}

/// The content of an open file, and its rows.
struct OpenContent {
    bytes: Unpacked,
    log: GrowingLog,
    written: i64,
    is_new: bool,
}

impl PackedStretch {
    /// Where its file was when it was read last, for people.
    pub(super) fn path(&self) -> &str {
        &self.taken.path
    }
}

impl fmt::Debug for Unpacked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unpacked")
            .field("n_skipped", &self.n_skipped)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for PackedFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PackedFiles")
            .field("positions", &self.positions)
            .finish_non_exhaustive()
    }
}

impl TakenContent {
    fn whole(path: &FilePath) -> Self {
        let name = path.to_string_lossy().into_owned();
        Self {
            path: name.clone(),
            name,
            partition: None,
            followed_to: None,
            place: START,
            is_done: false,
        }
    }

    fn began(&self) -> ContentPlace {
        self.followed_to.unwrap_or(START)
    }

    /// Where the file may be now, apart from the listed paths.
    fn others(&self, folders: &mut Folders) -> BTreeSet<PathBuf> {
        let (name, path) = (FilePath::new(&self.name), FilePath::new(&self.path));
        let mut others = folders.siblings(name);
        others.extend(folders.siblings(path));
        others.insert(path.to_path_buf());
        others
    }
}

impl Unpacked {
    /// The next bytes after the skipped ones; `None` at the end.
    async fn next(&mut self, max_bytes: usize) -> Result<Option<Vec<u8>>> {
        while self.block.is_empty() {
            let Some(mut block) = self.blocks.next_of_whole().await? else {
                return Ok(None);
            };
            let n_skipped = usize::try_from(self.n_skipped).unwrap_or(usize::MAX);
            let skipped = block.split_to(n_skipped.min(block.len()));
            self.n_skipped -= skipped.len() as u64;
            self.block = block;
        }
        let n_bytes = self.block.len().min(max_bytes);
        Ok(Some(self.block.split_to(n_bytes).into()))
    }
}

impl PackedFiles {
    /// A reader without files.
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
            files: BTreeMap::new(),
            ended: BTreeSet::new(),
            moved: Vec::new(),
        }
    }

    /// Continues at the positions of an earlier reader.
    pub(crate) fn seek(&mut self, positions: PackedPositions) {
        self.positions = positions;
        self.files.clear();
        self.ended.clear();
        let taken = self.positions.files.iter();
        let unfinished = taken.filter(|(_, taken)| !taken.is_done);
        let expected = unfinished.map(|(mark, taken)| (PathBuf::from(&taken.path), *mark, None));
        self.moved = expected.collect();
        self.is_first = false;
    }

    /// Begins a range: what was read before belongs to an earlier one.
    pub(crate) fn begin_range(&mut self) {
        self.ended.clear();
    }

    /// Whether so many files have ended in this range that it should end.
    pub(crate) fn ends_range(&self) -> bool {
        self.ended.len() as u64 >= MAX_GONE
    }

    /// The positions of the reader.
    pub(crate) fn positions(&self) -> PackedPositions {
        self.positions.clone()
    }

    /// The partitions with more to read.
    pub(crate) fn unread(&self) -> impl Iterator<Item = u64> {
        self.files.keys().copied()
    }

    /// Continues with the files that an earlier reader had begun, and begins with those that are
    /// new, the oldest first.
    pub(crate) fn rescan(&mut self, listed: &[PathBuf], now: i64, polled: &mut Polled) {
        let is_first = std::mem::take(&mut self.is_first);
        let unlisted = self.unlisted();
        let present: BTreeSet<&PathBuf> = listed.iter().chain(&unlisted).collect();
        self.marks.retain(|path, _| present.contains(path));
        let is_settled = |modified: i64| is_first || is_settled(modified, now);
        let mut new = Vec::new();
        for (paths, is_listed) in [(listed, true), (&unlisted, false)] {
            for path in paths {
                let Some((modified, mark)) = self.mark(path, is_settled) else {
                    continue;
                };
                let taken = self.positions.files.get(&mark);
                if taken.map_or(is_listed, |taken| !taken.is_done) && !self.is_under_way(mark) {
                    new.push((taken.is_none(), modified, path.clone(), mark));
                }
            }
        }
        new.sort();
        for (_, _, path, mark) in new {
            if is_first && self.read_from == ReadFrom::End {
                self.leave_alone(&path, mark)
            } else {
                self.begin(path, mark, polled)
            }
        }
        self.report_removed(now, polled);
        self.forget();
    }

    fn is_under_way(&self, mark: u64) -> bool {
        let partition = self.positions.files.get(&mark);
        let partition = partition.and_then(|taken| taken.partition);
        partition.is_some_and(|partition| self.files.contains_key(&partition))
    }

    /// Begins with a file. The watermark waits for its rows from now on, so that none is late
    /// because other files are read first.
    fn begin(&mut self, path: PathBuf, mark: u64, polled: &mut Polled) {
        let PackedPositions {
            next_partition,
            files,
        } = &mut self.positions;
        let taken = files
            .entry(mark)
            .or_insert_with(|| TakenContent::whole(&path));
        taken.path = path.to_string_lossy().into_owned();
        let partition = *taken.partition.get_or_insert_with(|| {
            let partition = *next_partition;
            *next_partition += PARTITION_STRIDE;
            partition
        });
        polled.news.push((partition, PartitionNews::Opened));
        self.files.entry(partition).or_insert(PackedFile {
            path,
            mark,
            content: None,
        });
    }

    /// Paths that are not listed, where there may be compressed forms of files that were followed
    /// but not read to their end.
    fn unlisted(&self) -> Vec<PathBuf> {
        let taken = self.positions.files.values();
        let unfinished = taken.filter(|taken| !taken.is_done && taken.followed_to.is_some());
        let mut folders = Folders::default();
        let others = unfinished.flat_map(|taken| taken.others(&mut folders));
        others.filter(|path| is_packed(path)).collect()
    }

    /// Reports files that were not found where they were expected, or anywhere else. This waits a
    /// while, because a file under a new name must settle, too.
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
            polled.problems.push(format!(
                "{path} was removed or replaced before it was read to its end"
            ));
            self.end(mark, polled);
        }
    }

    /// Takes over a followed file that was compressed before it was read to its end, to be read
    /// from `rest` on; `false` if none of the files has its content.
    pub(crate) fn go_on(
        &mut self,
        rest: &Stretch,
        line_number: u64,
        listed: &[PathBuf],
        now: i64,
        polled: &mut Polled,
    ) -> bool {
        let others = rest.others();
        let found = candidates(listed, &others).map(|path| (modified(path), path));
        let mut found: Vec<_> = found.filter(|(time, _)| rest.may_be_in(*time)).collect();
        // If several begin alike, it is the one that was written next.
        found.sort();
        let found = found.into_iter().find_map(|(_, path)| {
            let (_, mark) = self.mark(path, |modified| is_settled(modified, now))?;
            let has_it = self.is_free(mark) && self.has_content(rest, path).unwrap_or(false);
            has_it.then_some((path, mark))
        });
        let Some((path, mark)) = found else {
            return false;
        };
        let place = (rest.to, line_number);
        let known = self.positions.files.get(&mark);
        let taken = TakenContent {
            name: rest.name.clone(),
            partition: known.and_then(|known| known.partition),
            followed_to: Some(place),
            place,
            ..TakenContent::whole(path)
        };
        if let Some(partition) = taken.partition {
            self.files.remove(&partition);
        }
        self.positions.files.insert(mark, taken);
        self.begin(path.clone(), mark, polled);
        true
    }

    /// Whether nothing of a file was handed out, and it is not ignored.
    fn is_free(&self, mark: u64) -> bool {
        let known = self.positions.files.get(&mark);
        known.is_none_or(|known| {
            let is_unread = known.place == START && known.followed_to.is_none();
            is_unread && known.partition.is_some()
        })
    }

    /// The modification time and the mark of a file, if it is complete; a file that cannot be read
    /// has no mark, and is tried again.
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
        let taken = TakenContent {
            is_done: true,
            ..TakenContent::whole(path)
        };
        self.positions.files.insert(mark, taken);
    }

    /// Forgets files that are gone, except for the last ones.
    fn forget(&mut self) {
        let present: BTreeSet<u64> = self.marks.values().map(|(_, _, mark)| *mark).collect();
        let oldest = self
            .positions
            .next_partition
            .saturating_sub(MAX_GONE * PARTITION_STRIDE);
        self.positions.files.retain(|mark, taken| {
            let is_recent = taken.partition.is_some_and(|partition| partition >= oldest);
            let is_of_range = self.ended.contains(mark);
            is_recent || is_of_range || !taken.is_done || present.contains(mark)
        });
    }

    /// Reads at most `max_bytes` of the file of a partition, and returns how many bytes it read.
    ///
    /// # Errors
    /// When columns cannot be built. A file that cannot be read is noted as a problem.
    pub(crate) fn read(
        &mut self,
        partition: u64,
        max_bytes: usize,
        table: (&LogSpec, &[usize]),
        followed: &FollowedFiles,
        polled: &mut Polled,
    ) -> Result<usize> {
        let Some(mut file) = self.files.remove(&partition) else {
            return Ok(0);
        };
        // The first read only shows where in time the file is.
        let max_bytes = match file.content {
            Some(_) => max_bytes,
            None => max_bytes.min(FIRST_BYTES),
        };
        let Some(mut content) = self.content_of(&mut file, table, polled) else {
            return Ok(0);
        };
        let next = self.handle.block_on(content.bytes.next(max_bytes));
        let block = next.unwrap_or_else(|error| {
            polled.problems.push(problem(&file.path, &error));
            None
        });
        let Some(block) = block else {
            content.log.finish();
            content.log.hand_over(partition, polled)?;
            self.note(file.mark, &content);
            self.end(file.mark, polled);
            return Ok(0);
        };
        if std::mem::take(&mut content.is_new) {
            let head = &block[..block.len().min(HEAD_BYTES)];
            if followed.awaits_content(head) {
                // Later rescans begin with it again, until it is known what it is.
                return Ok(0);
            }
            if followed.knows_content(head) {
                self.end(file.mark, polled);
                return Ok(0);
            }
        }
        let n_bytes = block.len();
        polled.bytes += n_bytes as u64;
        let written = DateTime::from_timestamp_nanos(content.written);
        content.log.feed(block, written);
        content.log.hand_over(partition, polled)?;
        self.note(file.mark, &content);
        polled.news.push((partition, PartitionNews::Behind));
        file.content = Some(content);
        self.files.insert(partition, file);
        Ok(n_bytes)
    }

    /// The content of a file, opened where it was left; `None` if it cannot be opened, which is
    /// noted.
    fn content_of(
        &mut self,
        file: &mut PackedFile,
        table: (&LogSpec, &[usize]),
        polled: &mut Polled,
    ) -> Option<OpenContent> {
        if let Some(content) = file.content.take() {
            return Some(content);
        }
        let taken = self.positions.files.get(&file.mark)?;
        let opened = self.open(&file.path, taken, table);
        // This comes last, because a rotation may rename files at any time: if the file is still
        // there, it is the one that was opened.
        if !is_at(&file.path, file.mark) {
            self.moved.push((file.path.clone(), file.mark, None));
            return None;
        }
        opened
            .inspect_err(|error| {
                polled.problems.push(problem(&file.path, error));
                self.end(file.mark, polled);
            })
            .ok()
    }

    /// Closes files beyond [`MAX_OPEN`], those furthest ahead in event time first.
    pub(crate) fn close_surplus(&mut self, newest: &HashMap<u64, i64>) {
        let open = self.files.iter_mut();
        let mut open: Vec<_> = open.filter(|(_, file)| file.content.is_some()).collect();
        if open.len() <= MAX_OPEN {
            return;
        }
        open.sort_by_key(|(partition, _)| newest.get(partition).copied());
        for (_, file) in open.into_iter().skip(MAX_OPEN) {
            file.content = None;
        }
    }

    fn note(&mut self, mark: u64, content: &OpenContent) {
        if let Some(taken) = self.positions.files.get_mut(&mark) {
            taken.place = content.log.position();
        }
    }

    /// Ends a file, of which nothing more is read.
    fn end(&mut self, mark: u64, polled: &mut Polled) {
        if let Some(taken) = self.positions.files.get_mut(&mark) {
            taken.is_done = true;
            self.ended.insert(mark);
            let closed = |partition| (partition, PartitionNews::Closed);
            polled.news.extend(taken.partition.map(closed));
        }
    }

    fn open(
        &self,
        path: &FilePath,
        taken: &TakenContent,
        (spec, columns): (&LogSpec, &[usize]),
    ) -> Result<OpenContent> {
        Ok(OpenContent {
            bytes: self.open_bytes(path, taken.place.0)?,
            log: GrowingLog::try_new(spec, columns, &taken.name, taken.place)?,
            written: modified(path),
            is_new: taken.place == START && taken.followed_to.is_none(),
        })
    }

    /// What an earlier reader had read from the positions of this one up to `upto`.
    pub(super) fn stretches(&self, upto: &PackedPositions) -> Vec<PackedStretch> {
        let stretches = upto.files.iter().filter_map(|(mark, later)| {
            let before = self.positions.files.get(mark);
            let from = before.map_or(START, |before| before.place);
            let from = from.max(later.began());
            (from.0 < later.place.0).then_some(PackedStretch {
                partition: later.partition?,
                name: later.name.clone(),
                from,
                to: later.place.0,
                mark: *mark,
                taken: later.clone(),
            })
        });
        stretches.collect()
    }

    /// Opens a file at the place from which it is read again, and returns when it was written. It
    /// is looked for among `listed` and beside its former path; `None` if it is not there, or
    /// cannot be read.
    pub(super) fn open_again(
        &mut self,
        stretch: &PackedStretch,
        listed: &[PathBuf],
    ) -> Option<(Unpacked, i64)> {
        let path = self.find(stretch.mark, &stretch.taken, listed)?;
        let bytes = self.open_bytes(&path, stretch.from.0).ok()?;
        Some((bytes, modified(&path)))
    }

    /// Where a file is now.
    fn find(&mut self, mark: u64, taken: &TakenContent, listed: &[PathBuf]) -> Option<PathBuf> {
        let others = taken.others(&mut Folders::default());
        let mut paths = candidates(listed, &others);
        let has_mark = |path: &&PathBuf| self.mark(path, |_| true).is_some_and(|it| it.1 == mark);
        paths.find(has_mark).cloned()
    }

    /// Opens the compressed form of a file that was plain, at the next byte of the stretch. It is
    /// looked for among `paths` and beside its former path.
    pub(super) fn unpack(&self, stretch: &Stretch, paths: &[PathBuf]) -> Option<Unpacked> {
        let others = stretch.others();
        candidates(paths, &others).find_map(|path| self.unpack_from(stretch, path))
    }

    fn unpack_from(&self, stretch: &Stretch, path: &FilePath) -> Option<Unpacked> {
        let size = std::fs::metadata(path).ok()?.len();
        let mark = mark_of(path, size).ok()?;
        if !self.has_content(stretch, path).ok()? {
            return None;
        }
        let bytes = self.open_bytes(path, stretch.from).ok()?;
        // This comes last, because a rotation may rename files at any time.
        is_at(path, mark).then_some(bytes)
    }

    /// Whether a compressed file has all of a stretch. Its content is not kept, however long it is.
    fn has_content(&self, stretch: &Stretch, path: &FilePath) -> Result<bool> {
        let mut blocks = self.open_blocks(path)?;
        let mut recognition = stretch.recognition();
        while let Some(block) = self.handle.block_on(blocks.next_of_whole())? {
            match recognition.feed(&block) {
                Recognised::Maybe => {}
                Recognised::No => return Ok(false),
                Recognised::Yes => return Ok(true),
            }
        }
        Ok(false)
    }

    /// The next bytes of an open file, at most this many; `None` if there are no more, or they
    /// cannot be read.
    pub(super) fn next_bytes(&self, bytes: &mut Unpacked, max_bytes: usize) -> Option<Vec<u8>> {
        self.handle.block_on(bytes.next(max_bytes)).ok().flatten()
    }

    fn open_bytes(&self, path: &FilePath, n_skipped: u64) -> Result<Unpacked> {
        Ok(Unpacked {
            blocks: self.open_blocks(path)?,
            n_skipped,
            block: Bytes::new(),
        })
    }

    fn open_blocks(&self, path: &FilePath) -> Result<BlockReader> {
        let location =
            Path::from_absolute_path(path).map_err(|error| exec_datafusion_err!("{error}"))?;
        self.handle.block_on(async {
            let file = self.store.head(&location).await?;
            BlockReader::open(
                Arc::clone(&self.store),
                &file,
                0..u64::MAX,
                "/",
                TextEncoding::Auto,
            )
            .await
        })
    }
}

fn is_settled(modified: i64, now: i64) -> bool {
    now.saturating_sub(modified) >= SETTLING_TIME
}

/// Whether the file at this path has this mark.
fn is_at(path: &FilePath, mark: u64) -> bool {
    let size = std::fs::metadata(path).map(|file| file.len());
    let found = size.and_then(|size| mark_of(path, size));
    found.is_ok_and(|found| found == mark)
}

/// The listed files, and the compressed ones among `others`.
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
    compression.is_ok_and(|compression| compression != Compression::Plain)
}

/// The mark of a file of `size` bytes: a hash of its size, first and last bytes.
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

#[cfg(test)]
mod tests {
    use super::{MAX_GONE, MAX_OPEN, PackedFiles, SETTLING_TIME, modified};
    use crate::formats::log::spec::plain_text;
    use crate::sources::files::follow::state::{FollowOptions, FollowedFiles};
    use crate::streams::live_options::ReadFrom;
    use crate::streams::source::{PartitionNews, Polled};
    use async_compression::tokio::bufread::GzipEncoder;
    use datafusion::arrow::array::AsArray;
    use datafusion::object_store::local::LocalFileSystem;
    use std::collections::HashMap;
    use std::path::PathBuf;
    use std::sync::Arc;
    use tempfile::TempDir;
    use tokio::io::AsyncReadExt;
    use tokio::runtime::Runtime;

    /// Compressed files in a folder, and the reader of them.
    struct Folder {
        folder: TempDir,
        packed: PackedFiles,
        runtime: Runtime,
        now: i64,
    }

    impl Folder {
        fn new(read_from: ReadFrom) -> Self {
            let runtime = Runtime::new().unwrap();
            let packed = reader(&runtime, read_from);
            let folder = tempfile::tempdir().unwrap();
            let now = 0;
            Self {
                folder,
                packed,
                runtime,
                now,
            }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        /// Writes a file, and lets it settle.
        fn write(&mut self, name: &str, text: &str) {
            let mut packed = Vec::new();
            let mut encoder = GzipEncoder::new(text.as_bytes());
            let written = encoder.read_to_end(&mut packed);
            self.runtime.block_on(written).unwrap();
            std::fs::write(self.path(name), packed).unwrap();
            self.now = modified(&self.path(name)) + SETTLING_TIME;
        }

        fn rescan(&mut self) -> Polled {
            let listed = std::fs::read_dir(self.folder.path()).unwrap();
            let mut listed: Vec<_> = listed.map(|entry| entry.unwrap().path()).collect();
            listed.sort();
            let mut polled = Polled::default();
            self.packed.rescan(&listed, self.now, &mut polled);
            polled
        }

        /// At most `max_bytes` of each file that is being read.
        fn read(&mut self, max_bytes: usize) -> Polled {
            let spec = plain_text().unwrap();
            let columns: Vec<usize> = (0..spec.columns.schema.fields().len()).collect();
            let followed = FollowedFiles::new(FollowOptions::default());
            let mut polled = Polled::default();
            for partition in self.packed.unread().collect::<Vec<_>>() {
                let read = self.packed.read(
                    partition,
                    max_bytes,
                    (&spec, &columns),
                    &followed,
                    &mut polled,
                );
                read.unwrap();
            }
            polled
        }

        /// Everything that is left, in steps of `max_bytes`.
        fn read_all(&mut self, max_bytes: usize) -> (Vec<String>, Vec<String>) {
            let (mut found, mut problems) = (vec![], vec![]);
            while self.packed.unread().next().is_some() {
                let polled = self.read(max_bytes);
                found.extend(lines(&polled));
                problems.extend(polled.problems);
            }
            (found, problems)
        }
    }

    fn reader(runtime: &Runtime, read_from: ReadFrom) -> PackedFiles {
        PackedFiles::new(
            Arc::new(LocalFileSystem::new()),
            runtime.handle().clone(),
            read_from,
        )
    }

    fn lines(polled: &Polled) -> Vec<String> {
        let rows = polled.pieces.iter().map(|piece| &piece.rows);
        let texts = rows.flat_map(|rows| {
            let messages = rows.column_by_name("message").unwrap();
            messages
                .as_string_view()
                .iter()
                .flatten()
                .map(str::to_string)
                .collect::<Vec<_>>()
        });
        texts.collect()
    }

    fn numbered(range: std::ops::Range<usize>) -> (String, Vec<String>) {
        let lines: Vec<String> = range.map(|number| format!("line {number}")).collect();
        (
            lines.iter().map(|line| format!("{line}\n")).collect(),
            lines,
        )
    }

    #[test]
    fn every_line_comes_once_in_steps_of_any_size() {
        for max_bytes in [1, 7, 100, 1 << 20] {
            let mut folder = Folder::new(ReadFrom::Start);
            let (text, expected) = numbered(0..50);
            folder.write("a.log.gz", &text);
            assert_eq!(folder.rescan().news, [(1, PartitionNews::Opened)]);
            assert_eq!(
                folder.read_all(max_bytes),
                (expected, vec![]),
                "{max_bytes}"
            );
            // The file is still there, and is not read again, not even under another name.
            assert_eq!(folder.rescan().news, []);
            std::fs::rename(folder.path("a.log.gz"), folder.path("b.log.gz")).unwrap();
            assert_eq!(folder.rescan().news, []);
        }
    }

    #[test]
    fn another_reader_continues_within_a_line() {
        let mut folder = Folder::new(ReadFrom::Start);
        let (text, expected) = numbered(0..50);
        folder.write("a.log.gz", &text);
        folder.rescan();
        let mut found = lines(&folder.read(100));
        let positions = serde_json::to_value(folder.packed.positions()).unwrap();
        assert!(!found.is_empty() && found.len() < expected.len());
        folder.packed = reader(&folder.runtime, ReadFrom::Start);
        folder
            .packed
            .seek(serde_json::from_value(positions).unwrap());
        // It was renamed while no reader was running.
        std::fs::rename(folder.path("a.log.gz"), folder.path("a.log.1.gz")).unwrap();
        folder.rescan();
        let (rest, problems) = folder.read_all(64);
        found.extend(rest);
        assert_eq!((found, problems), (expected, vec![]));
    }

    #[test]
    fn the_positions_of_a_reader_tell_what_comes_again() {
        let mut folder = Folder::new(ReadFrom::Start);
        let (text, _) = numbered(0..50);
        folder.write("a.log.gz", &text);
        folder.rescan();
        folder.read(100);
        let before = folder.packed.positions();
        folder.read(100);
        let after = folder.packed.positions();
        folder.packed.seek(before);
        let stretches = folder.packed.stretches(&after);
        let [stretch] = &stretches[..] else {
            panic!("{stretches:?}");
        };
        assert_eq!((stretch.partition, stretch.from.0 < stretch.to), (1, true));
        let path = folder.path("a.log.gz");
        let (mut bytes, _) = folder.packed.open_again(stretch, &[path]).unwrap();
        let n_bytes = usize::try_from(stretch.to - stretch.from.0).unwrap();
        let read = folder.packed.next_bytes(&mut bytes, n_bytes).unwrap();
        let from = usize::try_from(stretch.from.0).unwrap();
        assert_eq!(read, &text.as_bytes()[from..from + n_bytes]);
    }

    #[test]
    fn what_is_still_written_is_waited_for() {
        let mut folder = Folder::new(ReadFrom::Start);
        // What is there at first is taken as it is.
        folder.rescan();
        folder.write("a.log.gz", "one\n");
        let settled = std::mem::replace(&mut folder.now, 0);
        assert_eq!(folder.rescan().news, []);
        folder.now = settled;
        assert_eq!(folder.rescan().news, [(1, PartitionNews::Opened)]);
    }

    #[test]
    fn old_files_are_left_alone_when_reading_begins_at_the_end() {
        let mut folder = Folder::new(ReadFrom::End);
        folder.write("old.log.gz", "old\n");
        assert_eq!(folder.rescan().news, []);
        folder.write("new.log.gz", "new\n");
        folder.rescan();
        assert_eq!(folder.read_all(100).0, ["new"]);
    }

    #[test]
    fn a_damaged_file_is_told_and_the_others_are_read() {
        let mut folder = Folder::new(ReadFrom::Start);
        std::fs::write(folder.path("a.log.gz"), "\0no gzip").unwrap();
        std::fs::write(folder.path("b.log.gz"), "").unwrap();
        folder.write("c.log.gz", "good\n");
        folder.rescan();
        let (found, problems) = folder.read_all(100);
        assert_eq!(found, ["good"]);
        let [damaged, empty] = &problems[..] else {
            panic!("{problems:?}");
        };
        assert!(damaged.contains("a.log.gz"), "{damaged}");
        assert!(empty.contains("b.log.gz"), "{empty}");
    }

    #[test]
    fn a_file_that_is_removed_half_read_is_told() {
        let mut folder = Folder::new(ReadFrom::Start);
        let (text, _) = numbered(0..50);
        folder.write("a.log.gz", &text);
        folder.rescan();
        folder.read(100);
        let positions = folder.packed.positions();
        folder.packed = reader(&folder.runtime, ReadFrom::Start);
        folder.packed.seek(positions);
        std::fs::remove_file(folder.path("a.log.gz")).unwrap();
        assert_eq!(folder.rescan().problems, [] as [&str; 0]);
        folder.now += SETTLING_TIME + 1;
        let polled = folder.rescan();
        assert!(
            polled.problems[0].contains("before it was read to its end"),
            "{polled:?}"
        );
        assert_eq!(polled.news, [(1, PartitionNews::Closed)]);
    }

    #[test]
    fn many_files_are_open_in_turn_and_remembered_until_the_range_ends() {
        let mut folder = Folder::new(ReadFrom::Start);
        let n_files = usize::try_from(MAX_GONE).unwrap();
        let mut expected = vec![];
        for number in 0..n_files {
            let (text, lines) = numbered(number * 10..number * 10 + 10);
            folder.write(&format!("{number:03}.log.gz"), &text);
            expected.extend(lines);
        }
        folder.rescan();
        let mut found = lines(&folder.read(8));
        folder.packed.close_surplus(&HashMap::new());
        let open = folder
            .packed
            .files
            .values()
            .filter(|file| file.content.is_some());
        assert_eq!(open.count(), MAX_OPEN);
        assert!(!folder.packed.ends_range());
        found.extend(folder.read_all(1 << 20).0);
        found.sort_by_key(|line| line["line ".len()..].parse::<usize>().unwrap());
        assert_eq!(found, expected);
        assert!(folder.packed.ends_range());
        folder.packed.begin_range();
        assert!(!folder.packed.ends_range());
    }
}
