//! How a file is recognised: by its content, not by its name or inode.
//!
//! [`Evidence`] is a hash of the first bytes and a hash of the bytes before the place up to which
//! the content was read. A file that has both at the same places is the same file, or a copy of it,
//! under whatever name. Evidence is small and can be written down. The bytes before the place
//! distinguish two files with the same banner, and a file that was emptied and has grown again from
//! one that only grew.

use std::fs::File;
use std::io;

use serde::{Deserialize, Serialize};
use twox_hash::XxHash64;

use crate::sources::files::follow::disk::Disk;

/// The most first bytes, and the most bytes before a place, that are compared. This is Filebeat's
/// default fingerprint; logs with a time in each line differ much earlier.
pub(super) const SAMPLE_BYTES: usize = 1024;

/// Length and hash of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Mark {
    pub(super) len: usize,
    pub(super) hash: u64,
}

impl Mark {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self {
            len: bytes.len(),
            hash: XxHash64::oneshot(0, bytes),
        }
    }

    /// Whether `bytes` begin with the bytes of the mark.
    pub(super) fn begins(&self, bytes: &[u8]) -> bool {
        bytes
            .get(..self.len)
            .is_some_and(|bytes| Self::of(bytes) == *self)
    }
}

/// What is known of some content; see the head of this file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Evidence {
    /// The first bytes, at most [`SAMPLE_BYTES`].
    pub(super) head: Mark,
    /// The bytes before `checked_to`, at most [`SAMPLE_BYTES`].
    pub(super) tail: Mark,
    pub(super) checked_to: u64,
}

impl Evidence {
    /// Evidence from the first bytes alone.
    pub(super) fn from_head(head: &[u8]) -> Self {
        Self {
            head: Mark::of(head),
            tail: Mark::of(&[]),
            checked_to: 0,
        }
    }

    /// Whether nothing is known, so that this would hold for every file.
    pub(super) fn is_empty(&self) -> bool {
        self.head.len == 0
    }

    /// Whether there are enough bytes to tell that two files with this evidence are copies, and do
    /// not just begin with the same banner.
    pub(super) fn is_strong(&self) -> bool {
        self.head.len >= SAMPLE_BYTES
    }

    /// Whether the file has this content; false for a file that is too short.
    pub(super) fn holds(&self, disk: &Disk, file: &File) -> io::Result<bool> {
        let tail_from = self.checked_to.saturating_sub(self.tail.len as u64);
        if self.tail.len > 0 && !is_at(disk, file, tail_from, self.tail)? {
            return Ok(false);
        }
        is_at(disk, file, 0, self.head)
    }

    /// The evidence of a whole file of `size` bytes.
    pub(super) fn of_file(disk: &Disk, file: &File, head: &[u8], size: u64) -> io::Result<Self> {
        let tail_from = size.saturating_sub(SAMPLE_BYTES as u64);
        let tail = disk.bytes(file, tail_from, SAMPLE_BYTES)?;
        let tail_len = usize::try_from(size - tail_from).unwrap_or(SAMPLE_BYTES);
        let tail = Mark::of(tail.get(..tail_len).unwrap_or(&tail));
        Ok(Self {
            head: Mark::of(head),
            tail,
            checked_to: size,
        })
    }
}

fn is_at(disk: &Disk, file: &File, offset: u64, mark: Mark) -> io::Result<bool> {
    Ok(mark.begins(&disk.bytes(file, offset, mark.len)?))
}

/// Whether two files are the same up to `n_bytes`, judged by the last bytes before that.
pub(super) fn end_alike(disk: &Disk, one: &File, other: &File, n_bytes: u64) -> io::Result<bool> {
    let from = n_bytes.saturating_sub(SAMPLE_BYTES as u64);
    let len = usize::try_from(n_bytes - from).unwrap_or(SAMPLE_BYTES);
    let one = disk.bytes(one, from, len)?;
    Ok(one.len() == len && one == disk.bytes(other, from, len)?)
}

/// Whether the shorter of two heads is the beginning of the longer.
pub(super) fn begin_alike(one: &[u8], other: &[u8]) -> bool {
    let len = one.len().min(other.len());
    len > 0 && one.get(..len) == other.get(..len)
}
