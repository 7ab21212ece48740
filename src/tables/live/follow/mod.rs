//! Follows growing files: hands out every byte of every content once and in order, through rotations and restarts.
//!
//! For live log tables. It knows nothing of lines. It never sleeps and never asks the clock: the owner says what time it
//! is, which files are listed, and when to look.
//!
//! # How the owner calls it
//! ```text
//! every 250 ms:  rescan(listed paths, now)
//!                while any of files() has_more:  read(id, ..)  -> feed the bytes to the line cutter of this id
//!                files() that are is_finished:   end the cutter of this id, then consumed(id, its offset)
//! at a commit:   consumed(id, end of the last complete event)..., then write down positions()
//! ```
//!
//! # Streams
//! An id stands for one content: what was written to one file from byte 0. When a file is emptied or replaced, the new
//! content has a new id and the old id is read to its end, from the handle that was held open or from the copy that
//! logrotate's `copytruncate` made. Lines never run from one id into another.
//!
//! A file is known by its content (`content`), since inodes are used again and names change. Device and inode are
//! believed only while a handle is open, and only to save work.
//!
//! # A rescan
//! 1. `rescan`: every listed path is looked at. One that is unchanged costs one `stat` and nothing else.
//! 2. `stream`: a file that changed must still have the bytes that were read, else it was emptied.
//! 3. `candidates`: what is left over are paths whose content is not known yet: a renamed file, the copy of one that was
//!    emptied, a copy of one that lives (never read), or a file of its own.
//! 4. `rescan`: what lost its name is finished when nothing was written to it for [`LEAVING_GRACE_NS`].
//!
//! # Decisions
//! A file that became shorter is taken for emptied, and read from byte 0, even if what is left is the same: loggers
//! never cut a log in the middle, and an emptied file may begin with the same banner. The old content's unread bytes are
//! looked for in copies for [`COPY_GRACE_NS`]; if there is none, and the owner does not find them in a compressed file, they
//! are counted as a [`Problem`].
//!
//! Two contents that are alike for less than 1024 bytes may be copies or may have the same banner. The later one is held
//! back until it differs, or for [`COPY_GRACE_NS`], and then is a file of its own.
//!
//! # Limits
//! Writers append. Content that is rewritten in place is not noticed unless its first bytes, or those before our place,
//! change. Files whose contents are equal are one file. A file that was created, filled and deleted between two rescans
//! is never seen; nor is one that was created and rotated to a path that is not listed before the first look at its path.
//! Later rotations that went by between two rescans are found beside the listed path if only a number or a time was
//! added to its name. Without inodes a short file and its short copy cannot always be told apart, and a file that was
//! deleted while we ran is reported as not found after a restart. At most [`MAX_OPEN_FILES`] handles are held, but for
//! files that were deleted or renamed.

mod candidates;
mod content;
mod disk;
mod positions;
mod recent;
mod reread;
mod rescan;
mod siblings;
mod stream;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::tables::live::follow::candidates::Held;
use crate::tables::live::follow::disk::{Disk, Stamp};
pub(crate) use crate::tables::live::follow::positions::{POSITIONS_VERSION, Positions};
use crate::tables::live::follow::recent::Recent;
pub(crate) use crate::tables::live::follow::reread::{Recognised, Stretch};
use crate::tables::live::follow::rescan::Search;
pub(crate) use crate::tables::live::follow::siblings::Folders;
use crate::tables::live::follow::stream::{Phase, Stream};

const SECOND_NS: i64 = 1_000_000_000;
/// A writer may go on with the old file for a while after a rotation: logrotate's `delaycompress` exists for it. It is
/// over when nothing came for this long.
pub(crate) const LEAVING_GRACE_NS: i64 = 5 * SECOND_NS;
/// How long a copy is waited for after its original was emptied, and how long a file that may be a copy is held back.
/// logrotate empties the original right after it was copied.
pub(crate) const COPY_GRACE_NS: i64 = 2 * SECOND_NS;
/// A file that was modified so shortly ago can change again without a new time of modification: 2 s is the coarsest
/// (FAT); git treats its index in the same way.
const RACY_NS: i64 = 2 * SECOND_NS;
/// A quarter of the usual limit of 1024 of a process, which has other files to open.
pub(crate) const MAX_OPEN_FILES: usize = 256;
/// A file at its end that was quiet for so long is the first to be closed.
const IDLE_NS: i64 = 60 * SECOND_NS;
/// Problems that are kept for `take_problems`; more are only counted.
const MAX_PROBLEMS: usize = 1000;

/// Where to begin with files that are there when following begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum ReadFrom {
    #[default]
    Start,
    /// After the last complete line. Files that appear later are read from their start.
    End,
}

/// Options of [`FollowedFiles`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct FollowOptions {
    pub(crate) read_from: ReadFrom,
    /// Believe in device and inode while a handle is open. No effect where there are none.
    pub(crate) uses_inodes: bool,
}

impl Default for FollowOptions {
    fn default() -> Self {
        Self {
            read_from: ReadFrom::Start,
            uses_inodes: true,
        }
    }
}

/// The files that are followed; see the head of this file.
#[derive(Debug)]
pub(crate) struct FollowedFiles {
    disk: Disk,
    read_from: ReadFrom,
    streams: BTreeMap<u64, Stream>,
    /// Listed paths and the streams that they name.
    names: BTreeMap<PathBuf, u64>,
    /// Files that are, or may be, copies.
    held: BTreeMap<PathBuf, Held>,
    /// Old files of a path from before it was followed: never to be read. Kept while the path is listed.
    old_siblings: BTreeMap<PathBuf, HashSet<Stamp>>,
    /// Paths whose old files are looked for.
    searches: BTreeMap<PathBuf, Search>,
    recent: Recent,
    problems: Vec<Problem>,
    n_problems_dropped: u64,
    /// Streams whose rest was given up at the last rescan.
    given_up: Vec<u64>,
    /// What was reported of a path, so that it is not reported at every rescan.
    refused: BTreeMap<PathBuf, io::ErrorKind>,
    next_id: u64,
    now_ns: i64,
    /// The next rescan is the first, and nothing is known from a run before.
    is_first: bool,
}

/// What the owner may know of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileState<'a> {
    pub(crate) id: u64,
    /// The present name, or the last one that was known.
    pub(crate) path: &'a Path,
    /// What it was called when it was first read, in this process or an earlier one; as `path` before that.
    pub(crate) name: Cow<'a, str>,
    /// The next byte that [`FollowedFiles::read`] hands out.
    pub(crate) offset: u64,
    /// There are bytes to read.
    pub(crate) has_more: bool,
    /// When the file was last seen to grow, or was last read.
    pub(crate) quiet_since_ns: i64,
    /// When the file was last modified, as its file system tells.
    pub(crate) modified_ns: i64,
    /// No byte will come under this id: end what is open, then call [`FollowedFiles::consumed`].
    pub(crate) is_finished: bool,
}

/// What one read gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Offset of the first byte in its content.
    pub(crate) offset: u64,
    /// 0: nothing more for now.
    pub(crate) n_bytes: usize,
}

/// What the operator should know. None of them stops the other files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Problem {
    /// It is tried again at every rescan.
    Unreadable {
        path: PathBuf,
        kind: io::ErrorKind,
        error: String,
    },
    /// A pipe, a socket or a device.
    NoFile { path: PathBuf },
    /// Emptied or removed before it was read to its end, and there is no copy. At least so many bytes.
    BytesLost {
        id: u64,
        path: PathBuf,
        n_bytes: u64,
    },
    /// A file from the written positions is nowhere.
    NotFound { id: u64, path: PathBuf, offset: u64 },
    /// So many problems more, which were not kept.
    More { n_problems: u64 },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, error, .. } => {
                write!(f, "{} cannot be read: {error}", path.display())
            }
            Self::NoFile { path } => {
                write!(
                    f,
                    "{} is a pipe, socket or device, not a file",
                    path.display()
                )
            }
            Self::BytesLost { path, n_bytes, .. } => write!(
                f,
                "{} was truncated or removed with {n_bytes} unread bytes",
                path.display()
            ),
            Self::NotFound { path, offset, .. } => write!(
                f,
                "{} was read up to byte {offset} and is nowhere now: what came after is lost",
                path.display()
            ),
            Self::More { n_problems } => write!(f, "{n_problems} more problems"),
        }
    }
}

impl Problem {
    /// The rest of this stream was not found.
    fn is_of(&self, stream: u64) -> bool {
        matches!(self, Self::BytesLost { id, .. } | Self::NotFound { id, .. } if *id == stream)
    }
}

impl FollowedFiles {
    /// Follows from scratch.
    pub(crate) fn new(options: FollowOptions) -> Self {
        Self {
            disk: Disk::new(options.uses_inodes),
            read_from: options.read_from,
            streams: BTreeMap::new(),
            names: BTreeMap::new(),
            held: BTreeMap::new(),
            old_siblings: BTreeMap::new(),
            searches: BTreeMap::new(),
            recent: Recent::default(),
            problems: Vec::new(),
            n_problems_dropped: 0,
            given_up: Vec::new(),
            refused: BTreeMap::new(),
            next_id: 0,
            now_ns: 0,
            is_first: true,
        }
    }

    /// Goes on where `positions` were taken. Files that are not in them came after and are read from their start,
    /// whatever `read_from` says.
    ///
    /// # Errors
    /// The version that they have, if it is one that this code does not know.
    pub(crate) fn with_positions(
        options: FollowOptions,
        positions: Positions,
    ) -> Result<Self, u32> {
        if positions.version != POSITIONS_VERSION {
            return Err(positions.version);
        }
        let mut files = Self::new(options);
        files.is_first = false;
        files.next_id = positions.next_id;
        for position in positions.finished {
            files.recent.remember(position);
        }
        files.recent.begin_range();
        for position in positions.files {
            let (id, path) = (position.id, position.path.clone());
            let is_named = !position.is_finished || !files.names.contains_key(&path);
            files.next_id = files.next_id.max(id.saturating_add(1));
            files.streams.insert(id, Stream::from_position(position));
            if is_named {
                files.names.insert(path, id);
            }
        }
        Ok(files)
    }

    /// The streams, oldest first. Files without a byte are not among them.
    pub(crate) fn files(&self) -> impl Iterator<Item = FileState<'_>> {
        let known = self
            .streams
            .iter()
            .filter(|(_, stream)| !stream.is_blank() && !stream.is_restored);
        known.map(|(id, stream)| FileState {
            id: *id,
            path: &stream.path,
            name: match &stream.name {
                Some(name) => Cow::Borrowed(name),
                None => stream.path.to_string_lossy(),
            },
            offset: stream.offset,
            has_more: stream.has_more(),
            quiet_since_ns: stream.quiet_since_ns,
            modified_ns: stream.stamp.modified_ns,
            is_finished: stream.phase == Phase::Finished,
        })
    }

    /// Reads the next bytes of a stream, at most `max_bytes`, into `buffer`, which is cleared first.
    ///
    /// # Errors
    /// The file cannot be opened or read. Nothing is lost: the same bytes come with the next successful read.
    pub(crate) fn read(
        &mut self,
        id: u64,
        max_bytes: usize,
        buffer: &mut Vec<u8>,
    ) -> io::Result<Piece> {
        buffer.clear();
        self.reopen(id)?;
        let Some(stream) = self.streams.get_mut(&id) else {
            return Ok(Piece {
                offset: 0,
                n_bytes: 0,
            });
        };
        let offset = stream.offset;
        if stream.has_more() {
            stream.read(&self.disk, max_bytes, buffer)?;
        }
        if stream.name.is_none() {
            stream.name = Some(stream.path.to_string_lossy().into_owned());
        }
        if !buffer.is_empty() {
            stream.quiet_since_ns = self.now_ns;
        }
        let n_bytes = buffer.len();
        Ok(Piece { offset, n_bytes })
    }

    /// The owner has finished with what comes before `offset`: after a restart, reading goes on there. A finished stream
    /// is kept until it is consumed to its end, so call this also if positions are never written.
    pub(crate) fn consumed(&mut self, id: u64, offset: u64) {
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.consumed = offset.min(stream.offset).max(stream.consumed);
        }
    }

    /// The owner has written positions from which it would read again: those to come need not tell what was before.
    pub(crate) fn begin_range(&mut self) {
        self.recent.begin_range();
    }

    /// Whether the owner should write positions and [begin a range](Self::begin_range): they tell of so many files that
    /// were read to their end since the last time.
    pub(crate) fn ends_range(&self) -> bool {
        self.recent.ends_range()
    }

    /// Where everything stands, to be written down.
    pub(crate) fn positions(&self) -> Positions {
        let known = self.streams.iter().filter(|(_, stream)| !stream.is_blank());
        Positions {
            version: POSITIONS_VERSION,
            next_id: self.next_id,
            files: known.map(|(id, stream)| stream.position(*id)).collect(),
            finished: self.recent.written(),
        }
    }

    /// The streams of [`Self::positions`], in that order. They have these ids after a restart, too.
    pub(crate) fn ids_of_positions(&self) -> impl Iterator<Item = u64> {
        let known = self.streams.iter().filter(|(_, stream)| !stream.is_blank());
        known.map(|(id, _)| *id)
    }

    /// Streams whose rest was not found at the last rescan: those from the written positions that it looked for first, and
    /// those that it gave up. The owner may know better; see [`Self::let_go`].
    pub(crate) fn missing(&self) -> Vec<u64> {
        let since_ns = self.now_ns;
        let now_missing = self.streams.iter().filter(|(_, stream)| {
            stream.is_restored && stream.phase == (Phase::Missing { since_ns })
        });
        let now_missing = now_missing.map(|(id, _)| *id);
        now_missing.chain(self.given_up.iter().copied()).collect()
    }

    /// What the owner has not finished with of a stream, with an end that is not known: a stretch without a byte.
    pub(crate) fn rest(&self, id: u64) -> Option<Stretch> {
        let stream = self.streams.get(&id)?;
        Some(Stretch::after(&stream.position(id), stream.stamp.size))
    }

    /// The owner has found the rest of a stream elsewhere: here it ends with what was consumed.
    pub(crate) fn let_go(&mut self, id: u64) {
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.is_restored = false;
            stream.offset = stream.consumed;
        }
        self.finish(id);
        self.problems.retain(|problem| !problem.is_of(id));
    }

    /// What went wrong since the last call.
    pub(crate) fn take_problems(&mut self) -> Vec<Problem> {
        let mut problems = std::mem::take(&mut self.problems);
        let n_problems = std::mem::take(&mut self.n_problems_dropped);
        if n_problems > 0 {
            problems.push(Problem::More { n_problems });
        }
        problems
    }

    /// Whether content that begins with `head` is, or was lately, followed: to leave out the compressed copy of a rotated
    /// file. Give its first 1024 bytes, or all if there are fewer; says no for less than 64.
    pub(crate) fn knows_content(&self, head: &[u8]) -> bool {
        let followed = self.streams.values().map(|stream| stream.evidence.head);
        recent::is_among(head, followed.chain(self.recent.heads()))
    }

    /// Whether content that begins with `head` may be that of a stream whose file is looked for: wait for [`Self::missing`].
    pub(crate) fn awaits_content(&self, head: &[u8]) -> bool {
        self.streams.values().any(|stream| {
            let is_unfound = matches!(
                stream.phase,
                Phase::Truncated { .. } | Phase::Missing { .. }
            );
            is_unfound && !stream.is_blank() && stream.evidence.head.begins(head)
        })
    }

    fn add(&mut self, stream: Stream) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.streams.insert(id, stream);
        id
    }

    fn report(&mut self, problem: Problem) {
        match self.problems.len() < MAX_PROBLEMS {
            true => self.problems.push(problem),
            false => self.n_problems_dropped += 1,
        }
    }

    /// Opens the file of a stream again that was closed to save handles. If its path has other content now, there is
    /// nothing to read before the next rescan has found it.
    fn reopen(&mut self, id: u64) -> io::Result<()> {
        let Some(stream) = self.streams.get_mut(&id) else {
            return Ok(());
        };
        if stream.file.is_some() || !stream.has_more() {
            return Ok(());
        }
        match self.disk.open(&stream.path)? {
            Some(file) if stream.evidence.holds(&self.disk, &file)? => stream.file = Some(file),
            _ => {
                stream.readable_to = stream.offset;
                stream.is_doubtful = true;
            }
        }
        self.close_surplus(Some(id));
        Ok(())
    }

    /// Closes handles beyond [`MAX_OPEN_FILES`]: first of files that are idle, then of those at their end, then of the
    /// others. Never of a file that lost its name: its bytes are nowhere else.
    fn close_surplus(&mut self, spared: Option<u64>) {
        let open = self.streams.values().filter(|stream| stream.file.is_some());
        let mut n_surplus = open.count().saturating_sub(MAX_OPEN_FILES);
        let idle_since = self.now_ns.saturating_sub(IDLE_NS);
        while n_surplus > 0 {
            let closable = self.streams.iter_mut().filter(|(id, stream)| {
                stream.file.is_some() && stream.phase == Phase::Named && Some(**id) != spared
            });
            let worth = |stream: &Stream| {
                let is_idle = stream.quiet_since_ns <= idle_since;
                (stream.has_more(), !is_idle, stream.quiet_since_ns)
            };
            let Some((_, stream)) = closable.min_by_key(|(_, stream)| worth(stream)) else {
                return;
            };
            stream.file = None;
            n_surplus -= 1;
        }
    }
}
