//! Reads again the bytes that were read before between two written positions.
//!
//! After a crash the owner is at older positions and knows later ones, which an earlier process
//! wrote: what lies between them is read again as it was read then. The files may have moved since:
//! each stretch is looked for by its content, first under the path that was written down, then
//! among all listed files and those beside it; and the owner can recognise it in a file that was
//! compressed since. This keeps no state and takes no part in following, which continues from the
//! later positions.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::sources::files::follow::content::Evidence;
use crate::sources::files::follow::disk::Disk;
use crate::sources::files::follow::positions::{FilePositions, Position};
use crate::sources::files::follow::siblings::Folders;
use crate::sources::files::follow::state::{FollowedFiles, RACY_NS};

/// How often bytes are looked for again when their file is emptied or replaced while it is read.
const MAX_SEARCHES: usize = 8;

/// Recognises the content of a stretch in bytes that are given in order, from the first one.
#[derive(Debug)]
pub(crate) struct Recognition {
    evidence: Evidence,
    /// The content is at least this long.
    size: u64,
    offset: u64,
    head: Vec<u8>,
    tail: Vec<u8>,
}

/// Whether the given bytes are those of a stretch.
#[derive(Debug)]
pub(crate) enum Recognised {
    /// They may be: more bytes are needed.
    Maybe,
    No,
    /// They are, and all bytes of the stretch are among them.
    Yes,
}

impl Recognition {
    /// Takes the next bytes.
    pub(crate) fn feed(&mut self, block: &[u8]) -> Recognised {
        let Evidence {
            head,
            tail,
            checked_to,
        } = self.evidence;
        let end = self.offset.saturating_add(block.len() as u64);
        let tail_from = checked_to.saturating_sub(tail.len as u64);
        collect(block, self.offset, 0..head.len as u64, &mut self.head);
        collect(block, self.offset, tail_from..checked_to, &mut self.tail);
        self.offset = end;
        if end >= head.len as u64 && !head.begins(&self.head) {
            return Recognised::No;
        }
        if end < self.size.max(head.len as u64) {
            return Recognised::Maybe;
        }
        if tail.begins(&self.tail) {
            Recognised::Yes
        } else {
            Recognised::No
        }
    }
}

/// Appends the part of a block at `offset` that lies in `range`.
fn collect(block: &[u8], offset: u64, range: Range<u64>, into: &mut Vec<u8>) {
    let place = |at: u64| usize::try_from(at.saturating_sub(offset)).unwrap_or(usize::MAX);
    let (from, to) = (place(range.start), place(range.end).min(block.len()));
    into.extend_from_slice(block.get(from..to).unwrap_or_default());
}

/// Bytes of one content, from `from` to `to`.
#[derive(Debug)]
pub(crate) struct Stretch {
    pub(crate) id: u64,
    /// The name of the file when it was first read.
    pub(crate) name: String,
    /// The next byte to read.
    pub(crate) from: u64,
    /// The offset after the last byte.
    pub(crate) to: u64,
    path: PathBuf,
    evidence: Evidence,
    /// The content is at least this long.
    size: u64,
    modified_ns: i64,
    file: Option<File>,
    n_searches: usize,
}

impl FilePositions {
    /// What was read after these positions and up to `later`, in the order of ids; and the paths of
    /// files for which that is no longer known.
    pub(crate) fn stretches(&self, later: &Self) -> (Vec<Stretch>, Vec<PathBuf>) {
        let by_id = |position: &Position| (position.id, position.offset);
        let before: BTreeMap<u64, u64> = self.all().map(by_id).collect();
        let after: BTreeMap<u64, &Position> = later
            .all()
            .map(|position| (position.id, position))
            .collect();
        let stretches = after.values().filter_map(|position| {
            let from = before.get(&position.id).copied();
            let from = from.unwrap_or(position.began);
            (position.offset > from).then(|| Stretch::new(position, from))
        });
        let unknown = self
            .files
            .iter()
            .filter(|position| !position.is_finished && !after.contains_key(&position.id));
        let unknown = unknown.map(|position| position.path.clone());
        (stretches.collect(), unknown.collect())
    }

    /// Whether more may come under this id.
    pub(crate) fn is_followed(&self, id: u64) -> bool {
        let mut files = self.files.iter();
        files.any(|position| position.id == id && !position.is_finished)
    }

    /// All positions, followed files last, since they know more of an id that is in both lists.
    fn all(&self) -> impl Iterator<Item = &Position> {
        self.finished.iter().chain(&self.files)
    }
}

impl Stretch {
    fn new(position: &Position, from: u64) -> Self {
        let path = position.path.clone();
        let name = position.name.clone();
        Self {
            id: position.id,
            name: name.unwrap_or_else(|| path.to_string_lossy().into_owned()),
            from,
            to: position.offset,
            path,
            evidence: position.evidence,
            size: position.evidence.checked_to,
            modified_ns: position.modified_ns,
            file: None,
            n_searches: 0,
        }
    }

    /// A stretch after a position, without bytes yet.
    pub(super) fn after(position: &Position, size: u64) -> Self {
        Self {
            size,
            ..Self::new(position, position.offset)
        }
    }

    /// Whether a file that was modified at this time may have the content, which was completed or
    /// copied after the last look.
    pub(crate) fn may_be_in(&self, modified_ns: i64) -> bool {
        modified_ns >= self.modified_ns.saturating_sub(RACY_NS)
    }

    /// The number of bytes that are left.
    pub(crate) fn n_bytes(&self) -> u64 {
        self.to.saturating_sub(self.from)
    }

    /// Where the file was when it was read last.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the file may be now, apart from the listed paths.
    pub(crate) fn others(&self) -> BTreeSet<PathBuf> {
        let name = PathBuf::from(&self.name);
        let mut folders = Folders::default();
        let mut paths = folders.siblings(&self.path);
        paths.extend(folders.siblings(&name));
        paths.insert(name);
        paths
    }

    /// What recognises the content in other files.
    pub(crate) fn recognition(&self) -> Recognition {
        Recognition {
            evidence: self.evidence,
            size: self.size.max(self.to),
            offset: 0,
            head: Vec::new(),
            tail: Vec::new(),
        }
    }

    /// Reads the next bytes; `false` if they are no longer there.
    fn read(&mut self, disk: &Disk, max_bytes: usize, buffer: &mut Vec<u8>) -> io::Result<bool> {
        let Some(file) = &self.file else {
            return Ok(false);
        };
        let len = usize::try_from(self.n_bytes())
            .unwrap_or(max_bytes)
            .min(max_bytes);
        disk.read(file, self.from, len, buffer)?;
        // This comes last: only if the content is still there after the read was it read.
        Ok(buffer.len() == len && self.evidence.holds(disk, file)?)
    }
}

impl FollowedFiles {
    /// Reads the next bytes of a stretch into `buffer`, at most `max_bytes`; `false` if they are
    /// not found. `listed` finds the files that are there; it is called only if the stretch must be
    /// looked for.
    pub(crate) fn reread(
        &self,
        stretch: &mut Stretch,
        listed: &dyn Fn() -> Vec<PathBuf>,
        max_bytes: usize,
        buffer: &mut Vec<u8>,
    ) -> bool {
        loop {
            // Bytes that cannot be read count as missing, and are reported as such.
            if let Ok(true) = stretch.read(&self.disk, max_bytes, buffer) {
                stretch.from += buffer.len() as u64;
                stretch.n_searches = 0;
                return true;
            }
            buffer.clear();
            stretch.n_searches += 1;
            if stretch.n_searches > MAX_SEARCHES {
                return false;
            }
            stretch.file = self.search(stretch, listed);
            if stretch.file.is_none() {
                return false;
            }
        }
    }

    fn search(&self, stretch: &Stretch, listed: &dyn Fn() -> Vec<PathBuf>) -> Option<File> {
        if let Some(file) = self.open_if_it_holds(&stretch.path, &stretch.evidence) {
            return Some(file);
        }
        let mut paths: BTreeSet<PathBuf> = listed().into_iter().collect();
        paths.extend(stretch.others());
        let mut found = paths.iter();
        found.find_map(|path| self.open_if_it_holds(path, &stretch.evidence))
    }

    fn open_if_it_holds(&self, path: &Path, evidence: &Evidence) -> Option<File> {
        let file = self.disk.open(path).ok().flatten()?;
        let holds = evidence.holds(&self.disk, &file);
        holds.unwrap_or(false).then_some(file)
    }
}
