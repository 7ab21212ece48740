//! One content: what one writer wrote into one file from byte 0, wherever the file is now.
//!
//! A handle that is held open follows its file through renames and deletion. It does not notice by
//! itself that the file was emptied and filled again, so every look and every read ends with a
//! check that the bytes before are still there. Since the check comes last, what was read before it
//! belongs to this content.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use crate::sources::files::follow::content::{Evidence, Mark, SAMPLE_BYTES};
use crate::sources::files::follow::disk::{Disk, Stamp};
use crate::sources::files::follow::positions::Position;

/// The phase in the life of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// A listed path names the file.
    Named,
    /// Renamed or deleted: it is finished when nothing was written for a while.
    Leaving,
    /// The file was emptied while it was followed: the rest of the content is in a copy, if one
    /// turns up.
    Truncated { since_ns: i64 },
    /// There is neither a handle nor a path: it may be under another name.
    Missing { since_ns: i64 },
    /// Read to its end; no more will come.
    Finished,
}

/// A content and how far it was read.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) path: PathBuf,
    /// Its name when it was first read: the value of column `file`.
    pub(super) name: Option<String>,
    pub(super) file: Option<File>,
    /// As of the last look; its size is the largest that was seen.
    pub(super) stamp: Stamp,
    pub(super) phase: Phase,
    /// The first bytes, at most [`SAMPLE_BYTES`]; empty also if only their hash is known, from a
    /// written position.
    pub(super) head: Vec<u8>,
    pub(super) evidence: Evidence,
    /// The first byte to hand out under this id.
    pub(super) began: u64,
    /// The next byte to hand out.
    pub(super) offset: u64,
    /// The owner has finished with everything before this offset.
    pub(super) consumed: u64,
    /// Bytes before this offset can be read, as of the last look.
    pub(super) readable_to: u64,
    pub(super) quiet_since_ns: i64,
    /// The file had other content before, so a writer writes to it and it is no copy.
    pub(super) was_emptied: bool,
    /// From a written position, and not found yet.
    pub(super) is_restored: bool,
    /// A read did not find what was there before: look at the file, even if it seems unchanged.
    pub(super) is_doubtful: bool,
}

/// What a read adds to the evidence: a longer head, a new tail.
struct Learned {
    head: Option<Vec<u8>>,
    tail: Option<Mark>,
}

impl Stream {
    /// A content that begins with `head`, to be read from its start.
    pub(super) fn new(
        path: PathBuf,
        file: File,
        mut stamp: Stamp,
        head: Vec<u8>,
        now_ns: i64,
    ) -> Self {
        // If the head is empty but there is a size, the file was written to in between. The
        // difference causes the next look.
        stamp.size = if head.is_empty() {
            0
        } else {
            stamp.size.max(head.len() as u64)
        };
        Self {
            path,
            name: None,
            file: Some(file),
            stamp,
            phase: Phase::Named,
            evidence: Evidence::from_head(&head),
            head,
            began: 0,
            offset: 0,
            consumed: 0,
            readable_to: stamp.size,
            quiet_since_ns: now_ns,
            was_emptied: false,
            is_restored: false,
            is_doubtful: false,
        }
    }

    /// A content that is still to be found.
    pub(super) fn from_position(position: Position) -> Self {
        let Position {
            path,
            name,
            began,
            offset,
            evidence,
            modified_ns,
            is_finished,
            is_leaving,
            ..
        } = position;
        let stamp = Stamp {
            size: evidence.checked_to,
            modified_ns,
            ..Stamp::default()
        };
        Self {
            path,
            name,
            file: None,
            stamp,
            phase: match (is_finished, is_leaving) {
                (true, _) => Phase::Finished,
                (false, true) => Phase::Leaving,
                (false, false) => Phase::Named,
            },
            head: Vec::new(),
            evidence,
            began,
            offset,
            consumed: offset,
            readable_to: offset,
            quiet_since_ns: 0,
            was_emptied: false,
            is_restored: true,
            is_doubtful: false,
        }
    }

    pub(super) fn position(&self, id: u64) -> Position {
        let is_finished = self.is_over() && self.consumed >= self.offset;
        Position {
            id,
            path: self.path.clone(),
            name: self.name.clone(),
            began: self.began,
            offset: self.consumed,
            evidence: self.evidence,
            modified_ns: self.stamp.modified_ns,
            is_finished,
            is_leaving: self.phase == Phase::Leaving && !is_finished,
            is_superseded: false,
        }
    }

    /// Begins at `offset`; the owner does not need what comes before.
    pub(super) fn begin_at(&mut self, offset: u64) {
        self.began = offset;
        self.offset = offset;
        self.consumed = offset;
    }

    /// Whether nothing more will come, at least not after a restart: the handle of a deleted file
    /// ends with the process.
    fn is_over(&self) -> bool {
        let is_deleted = self.file.is_some() && !self.stamp.is_linked;
        self.phase == Phase::Finished || (is_deleted && !self.has_more())
    }

    /// Whether no byte was seen yet.
    pub(super) fn is_blank(&self) -> bool {
        self.evidence.is_empty()
    }

    pub(super) fn has_more(&self) -> bool {
        let is_readable = matches!(self.phase, Phase::Named | Phase::Leaving);
        is_readable && self.offset < self.readable_to
    }

    /// Bytes that were seen in the file but not read.
    pub(super) fn unread(&self) -> u64 {
        self.stamp.size.saturating_sub(self.offset)
    }

    /// Whether no handle is held, for another reason than that the file was emptied.
    pub(super) fn is_lost(&self) -> bool {
        self.file.is_none() && !matches!(self.phase, Phase::Truncated { .. })
    }

    /// Looks at the file through its handle; `false` if the content is gone.
    pub(super) fn look(&mut self, disk: &Disk, now_ns: i64) -> io::Result<bool> {
        let Some(file) = &self.file else {
            return Ok(true);
        };
        let head = if self.head.len() < SAMPLE_BYTES {
            Some(disk.bytes(file, 0, SAMPLE_BYTES)?)
        } else {
            None
        };
        let stamp = disk.stamp(file)?;
        if stamp.size < self.stamp.size || !self.evidence.holds(disk, file)? {
            return Ok(false);
        }
        if stamp.size > self.stamp.size {
            self.quiet_since_ns = now_ns;
        }
        self.stamp = stamp;
        self.readable_to = stamp.size;
        self.is_doubtful = false;
        self.learn_head(head);
        Ok(true)
    }

    /// Reads the next bytes into `buffer`; `false` if the content is gone, and the buffer is empty.
    pub(super) fn read(
        &mut self,
        disk: &Disk,
        max_bytes: usize,
        buffer: &mut Vec<u8>,
    ) -> io::Result<bool> {
        buffer.clear();
        let Some(file) = &self.file else {
            return Ok(true);
        };
        disk.read(file, self.offset, max_bytes, buffer)?;
        let end = self.offset.saturating_add(buffer.len() as u64);
        let learned = self.learn(disk, file, end, buffer);
        let holds = self.evidence.holds(disk, file);
        let learned = match (learned, holds) {
            (Ok(learned), Ok(true)) => learned,
            (Err(error), _) | (_, Err(error)) => {
                buffer.clear();
                return Err(error);
            }
            (Ok(_), Ok(false)) => {
                buffer.clear();
                self.readable_to = self.offset;
                self.is_doubtful = true;
                return Ok(false);
            }
        };
        self.advance(end, learned);
        Ok(true)
    }

    /// What a read up to `end` adds to the evidence.
    fn learn(&self, disk: &Disk, file: &File, end: u64, read: &[u8]) -> io::Result<Learned> {
        let tail = if end > self.evidence.checked_to {
            Some(tail_before(disk, file, end, read)?)
        } else {
            None
        };
        let head = if self.head.len() < SAMPLE_BYTES && end > self.head.len() as u64 {
            Some(disk.bytes(file, 0, SAMPLE_BYTES)?)
        } else {
            None
        };
        Ok(Learned { head, tail })
    }

    fn advance(&mut self, end: u64, learned: Learned) {
        // If nothing was there, the content ends here, whatever was known before.
        self.readable_to = if end == self.offset {
            end
        } else {
            self.readable_to.max(end)
        };
        self.offset = end;
        self.stamp.size = self.stamp.size.max(end);
        if let Some(tail) = learned.tail {
            self.evidence.tail = tail;
            self.evidence.checked_to = end;
        }
        self.learn_head(learned.head);
    }

    fn learn_head(&mut self, head: Option<Vec<u8>>) {
        if let Some(head) = head
            && head.len() > self.head.len()
            && head.len() >= self.evidence.head.len
        {
            self.evidence.head = Mark::of(&head);
            self.stamp.size = self.stamp.size.max(head.len() as u64);
            self.head = head;
        }
    }

    /// Continues in `file`, which was proved to have this content.
    pub(super) fn attach(&mut self, file: File, stamp: Stamp, head: Vec<u8>) {
        self.file = Some(file);
        self.readable_to = stamp.size;
        self.stamp = stamp;
        self.is_restored = false;
        self.is_doubtful = false;
        self.learn_head(Some(head));
    }
}

/// The mark of the bytes before `end`, the last of which were just `read`.
fn tail_before(disk: &Disk, file: &File, end: u64, read: &[u8]) -> io::Result<Mark> {
    let from = end.saturating_sub(SAMPLE_BYTES as u64);
    let read_from = end.saturating_sub(read.len() as u64);
    if from >= read_from {
        let skipped = usize::try_from(from - read_from).unwrap_or(usize::MAX);
        return Ok(Mark::of(read.get(skipped..).unwrap_or_default()));
    }
    let before = usize::try_from(read_from - from).unwrap_or(SAMPLE_BYTES);
    let mut tail = disk.bytes(file, from, before)?;
    tail.extend_from_slice(read);
    Ok(Mark::of(&tail))
}
