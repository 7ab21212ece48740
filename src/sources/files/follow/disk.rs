//! Access to the file system: look at a path, open a file, read at an offset.
//!
//! This is the one place for differences between systems, and for the counters that tests check. A
//! pipe or a device is never opened, because opening a pipe waits for its writer.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

/// The file system, with counters.
#[derive(Debug)]
pub(super) struct Disk {
    uses_inodes: bool,
    opens: AtomicU64,
    reads: AtomicU64,
    looks: AtomicU64,
}

/// A cheap sign that a file has not changed. It never shows that two files are the same: only their
/// content does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Stamp {
    /// Device and inode. They mean something only while a handle is open, since inodes are reused.
    pub(super) inode: Option<(u64, u64)>,
    pub(super) size: u64,
    pub(super) modified_ns: i64,
    /// Some path still names the file. Always true if the system does not tell.
    pub(super) is_linked: bool,
}

/// What a path names.
#[derive(Debug, Clone, Copy)]
pub(super) enum Look {
    File(Stamp),
    Folder,
    /// A pipe, a socket or a device.
    NoFile,
}

impl Disk {
    /// Access to the file system; `uses_inodes` is ignored on systems without inodes.
    pub(super) fn new(uses_inodes: bool) -> Self {
        Self {
            uses_inodes: uses_inodes && cfg!(unix),
            opens: AtomicU64::new(0),
            reads: AtomicU64::new(0),
            looks: AtomicU64::new(0),
        }
    }

    pub(super) fn uses_inodes(&self) -> bool {
        self.uses_inodes
    }

    /// How often a path was looked at, a file was opened, bytes were read.
    #[cfg(test)]
    pub(super) fn counts(&self) -> [u64; 3] {
        [&self.looks, &self.opens, &self.reads].map(|count| count.load(Ordering::Relaxed))
    }

    /// Looks at a path; a symbolic link counts as what it points to.
    pub(super) fn look(&self, path: &Path) -> io::Result<Look> {
        self.looks.fetch_add(1, Ordering::Relaxed);
        let metadata = fs::metadata(path)?;
        Ok(match metadata.file_type() {
            kind if kind.is_file() => Look::File(self.stamp_from(&metadata)),
            kind if kind.is_dir() => Look::Folder,
            _ => Look::NoFile,
        })
    }

    /// Opens a path; `None` if it is not a file.
    pub(super) fn open(&self, path: &Path) -> io::Result<Option<File>> {
        if !matches!(self.look(path)?, Look::File(_)) {
            return Ok(None);
        }
        self.opens.fetch_add(1, Ordering::Relaxed);
        File::open(path).map(Some)
    }

    pub(super) fn stamp(&self, file: &File) -> io::Result<Stamp> {
        Ok(self.stamp_from(&file.metadata()?))
    }

    /// Reads `len` bytes from `offset`, or as many as there are, into `buffer`, which is cleared
    /// first.
    pub(super) fn read(
        &self,
        file: &File,
        offset: u64,
        len: usize,
        buffer: &mut Vec<u8>,
    ) -> io::Result<()> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        buffer.clear();
        buffer.resize(len, 0);
        let mut filled = 0;
        while filled < len {
            let rest = buffer.get_mut(filled..).unwrap_or_default();
            match read_at(file, rest, offset.saturating_add(filled as u64)) {
                Ok(0) => break,
                Ok(n_bytes) => filled += n_bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    buffer.clear();
                    return Err(error);
                }
            }
        }
        buffer.truncate(filled);
        Ok(())
    }

    /// Like [`Disk::read`], into a new vector.
    pub(super) fn bytes(&self, file: &File, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.read(file, offset, len, &mut bytes)?;
        Ok(bytes)
    }

    fn stamp_from(&self, metadata: &Metadata) -> Stamp {
        let (inode, is_linked) = if self.uses_inodes {
            inode_of(metadata)
        } else {
            (None, true)
        };
        Stamp {
            inode,
            size: metadata.len(),
            modified_ns: modified_ns(metadata),
            is_linked,
        }
    }
}

/// Nanoseconds since 1970; 0 for earlier times, or if the system does not tell.
fn modified_ns(metadata: &Metadata) -> i64 {
    let since_epoch = metadata
        .modified()
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since_epoch.map_or(0, |since| {
        i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
    })
}

#[cfg(unix)]
fn inode_of(metadata: &Metadata) -> (Option<(u64, u64)>, bool) {
    use std::os::unix::fs::MetadataExt;
    (Some((metadata.dev(), metadata.ino())), metadata.nlink() > 0)
}

#[cfg(not(unix))]
fn inode_of(_: &Metadata) -> (Option<(u64, u64)>, bool) {
    (None, true)
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

#[cfg(not(unix))]
fn read_at(mut file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    use std::io::{Read, Seek, SeekFrom};
    file.seek(SeekFrom::Start(offset))?;
    file.read(buffer)
}
