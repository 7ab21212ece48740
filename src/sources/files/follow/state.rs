//! The state of following: the followed files, the files whose content must be looked at, and what
//! one rescan collects.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::algorithms::units::SECOND;
use crate::sources::files::follow::content::SAMPLE_BYTES;
use crate::sources::files::follow::disk::{Disk, Stamp};
use crate::sources::files::follow::recent::Recent;
use crate::sources::files::follow::siblings::Folders;
use crate::sources::files::follow::stream::Stream;

/// How long nothing must be written to a rotated file until it is finished. A writer may continue
/// with the old file for a while after a rotation, which is what logrotate's `delaycompress` exists
/// for.
pub(crate) const LEAVING_GRACE_NS: i64 = 5 * SECOND;
/// How long to wait for a copy after its original was emptied, and how long to hold back a file
/// that may be a copy. logrotate empties the original right after it was copied.
pub(crate) const COPY_GRACE_NS: i64 = 2 * SECOND;
/// A file that was modified less than this long ago can change again without a new modification
/// time: 2 s is the coarsest resolution (FAT). git treats its index in the same way.
pub(super) const RACY_NS: i64 = 2 * SECOND;
/// A quarter of the usual limit of 1024 per process, which has other files to open, too.
pub(crate) const MAX_OPEN_FILES: usize = 256;
/// A file at its end that was quiet for this long is the first to be closed.
pub(super) const IDLE_NS: i64 = 60 * SECOND;
/// Problems that are kept for `take_problems`; more are only counted.
pub(super) const MAX_PROBLEMS: usize = 1000;

/// Where to begin with files that are there when following begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum FollowFrom {
    #[default]
    Start,
    /// After the last complete line. Files that appear later are read from their start.
    End,
}

/// Options of [`FollowedFiles`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct FollowOptions {
    pub(crate) read_from: FollowFrom,
    /// Trust device and inode while a handle is open. This has no effect on systems without them.
    pub(crate) uses_inodes: bool,
}

impl Default for FollowOptions {
    fn default() -> Self {
        Self {
            read_from: FollowFrom::Start,
            uses_inodes: true,
        }
    }
}

/// The files that are followed; see the head of `mod.rs`.
#[derive(Debug)]
pub(crate) struct FollowedFiles {
    pub(super) disk: Disk,
    pub(super) read_from: FollowFrom,
    pub(super) streams: BTreeMap<u64, Stream>,
    /// Listed paths and the streams that they name.
    pub(super) names: BTreeMap<PathBuf, u64>,
    /// Files that are, or may be, copies.
    pub(super) held: BTreeMap<PathBuf, HeldFile>,
    /// Old files of a path from before it was followed, which are never read. Kept while the path
    /// is listed.
    pub(super) old_siblings: BTreeMap<PathBuf, HashSet<Stamp>>,
    /// Paths whose old files are looked for.
    pub(super) searches: BTreeMap<PathBuf, Search>,
    pub(super) recent: Recent,
    pub(super) problems: Vec<Problem>,
    pub(super) n_problems_dropped: u64,
    /// Streams whose rest was given up at the last rescan.
    pub(super) given_up: Vec<u64>,
    /// What was reported of a path, so that it is not reported at every rescan.
    pub(super) refused: BTreeMap<PathBuf, io::ErrorKind>,
    pub(super) next_id: u64,
    pub(super) now_ns: i64,
    /// The next rescan is the first, and nothing is known from a run before.
    pub(super) is_first: bool,
}

/// The state of a stream, as the owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileState<'a> {
    pub(crate) id: u64,
    /// The present path, or the last known one.
    pub(crate) path: &'a Path,
    /// Its name when it was first read, in this process or an earlier one; the same as `path`
    /// before that.
    pub(crate) name: Cow<'a, str>,
    /// The next byte that [`FollowedFiles::read`] hands out.
    pub(crate) offset: u64,
    /// There are bytes to read.
    pub(crate) has_more: bool,
    /// When the file was last seen to grow, or was last read.
    pub(crate) quiet_since_ns: i64,
    /// When the file was last modified, according to its file system.
    pub(crate) modified_ns: i64,
    /// No more bytes will come under this id: end what is open, then call
    /// [`FollowedFiles::consumed`].
    pub(crate) is_finished: bool,
}

/// The result of one read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReadBytes {
    /// Offset of the first byte in its content.
    pub(crate) offset: u64,
    /// 0: nothing more for now.
    pub(crate) n_bytes: usize,
}

/// A problem that the operator should know of. No problem stops the other files.
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
    /// A file was emptied or removed before it was read to its end, and there is no copy. At least
    /// this many bytes are lost.
    BytesLost {
        id: u64,
        path: PathBuf,
        n_bytes: u64,
    },
    /// A file from the written positions is found nowhere.
    NotFound { id: u64, path: PathBuf, offset: u64 },
    /// This many more problems, which were not kept.
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
    /// Whether the problem is that the rest of this stream was not found.
    pub(super) fn is_of(&self, stream: u64) -> bool {
        matches!(self, Self::BytesLost { id, .. } | Self::NotFound { id, .. } if *id == stream)
    }
}

/// Where a candidate comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CandidateOrigin {
    Listed,
    /// Listed, and the file had other content before: the writer writes to it, so it is no copy.
    Emptied,
    /// Not listed, found beside a listed path. `is_rotated`: it was rotated away before it was
    /// seen.
    Sibling {
        is_rotated: bool,
    },
}

/// An open file whose content must be looked at.
#[derive(Debug)]
pub(super) struct CandidateFile {
    pub(super) path: PathBuf,
    pub(super) file: File,
    pub(super) stamp: Stamp,
    pub(super) head: Vec<u8>,
    pub(super) origin: CandidateOrigin,
    /// It was held back before.
    pub(super) held: Option<HeldFile>,
}

/// A file that is a copy of a stream, or may be one, and is not read.
#[derive(Debug, Clone, Copy)]
pub(super) struct HeldFile {
    pub(super) original: u64,
    pub(super) stamp: Stamp,
    pub(super) since_ns: i64,
    pub(super) origin: CandidateOrigin,
    /// Whether it is known to be a copy; otherwise it is looked at again at every rescan.
    pub(super) is_copy: bool,
    /// Its size when following from the end began.
    pub(super) end_at_first: Option<u64>,
}

impl CandidateFile {
    /// Opens a file; `None` if the path no longer names one.
    pub(super) fn open(
        disk: &Disk,
        path: &Path,
        origin: CandidateOrigin,
    ) -> io::Result<Option<Self>> {
        match disk.open(path)? {
            Some(file) => Self::from_file(disk, path.to_path_buf(), file, origin).map(Some),
            None => Ok(None),
        }
    }

    pub(super) fn from_file(
        disk: &Disk,
        path: PathBuf,
        file: File,
        origin: CandidateOrigin,
    ) -> io::Result<Self> {
        // First the bytes, then the size: if the file is emptied in between, it seems to have
        // shrunk, which is noticed.
        let head = disk.bytes(&file, 0, SAMPLE_BYTES)?;
        let stamp = disk.stamp(&file)?;
        Ok(Self {
            path,
            file,
            stamp,
            head,
            origin,
            held: None,
        })
    }
}

/// A search for the old files of a path.
#[derive(Debug, Clone, Copy)]
pub(super) struct Search {
    /// Files that were modified earlier are from before the rotation.
    pub(super) since_ns: i64,
    pub(super) until_ns: i64,
}

/// What one rescan collects.
#[derive(Debug, Default)]
pub(super) struct Round {
    pub(super) names: BTreeMap<PathBuf, u64>,
    /// The ids in `names`.
    pub(super) named: HashSet<u64>,
    pub(super) by_inode: HashMap<(u64, u64), u64>,
    /// Streams whose file changed.
    pub(super) changed: BTreeSet<u64>,
    /// Held paths that are still there.
    pub(super) held: Vec<(PathBuf, Stamp)>,
    pub(super) queue: VecDeque<CandidateFile>,
    /// Paths whose rotated files must be looked for, each with the modification time from which
    /// such a file is new.
    pub(super) families: BTreeMap<PathBuf, i64>,
    pub(super) folders: Folders,
}

impl Round {
    pub(super) fn name(&mut self, path: PathBuf, id: u64) {
        self.names.insert(path, id);
        self.named.insert(id);
    }

    /// Asks for a search for old files of `path` that were modified at or after this time.
    pub(super) fn search_beside(&mut self, path: &Path, since_ns: i64) {
        let since = self.families.entry(path.to_path_buf()).or_insert(since_ns);
        *since = since_ns.min(*since);
    }
}
