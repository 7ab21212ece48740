//! The siblings of a log: files in the same folder with names that a rotation gives to old files.
//!
//! By name they are only candidates. Only the content of one tells whether it is the file that is
//! looked for.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders as they are now, each listed at most once.
#[derive(Debug, Default)]
pub(crate) struct Folders {
    listed: BTreeMap<PathBuf, Vec<OsString>>,
}

impl Folders {
    /// Paths beside `path` whose names a rotation may have made from its name. For a symbolic link,
    /// also beside the file that it points to.
    pub(crate) fn siblings(&mut self, path: &Path) -> BTreeSet<PathBuf> {
        let mut found = self.siblings_in_folder(path);
        if path.is_symlink()
            && let Ok(target) = fs::canonicalize(path)
        {
            found.extend(self.siblings_in_folder(&target));
        }
        found
    }

    fn siblings_in_folder(&mut self, path: &Path) -> BTreeSet<PathBuf> {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return BTreeSet::new();
        };
        let names = self
            .listed
            .entry(folder.to_path_buf())
            .or_insert_with(|| names_in(folder));
        let is_sibling =
            |other: &&OsString| is_related(name.as_encoded_bytes(), other.as_encoded_bytes());
        let paths = names.iter().filter(is_sibling);
        paths.map(|other| folder.join(other)).collect()
    }
}

/// The names in a folder; none if it cannot be listed, since unreadable files are reported
/// elsewhere.
fn names_in(folder: &Path) -> Vec<OsString> {
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.flatten().map(|entry| entry.file_name()).collect()
}

/// Whether a rotation may have made a name from another: `app.log` -> `app.log.1`,
/// `app.log-20260101`, `app.log_old`, `app-2026-01-01.log`, `app.2026-01-01.0.log`.
fn is_related(name: &[u8], other: &[u8]) -> bool {
    added_part(name, other).is_some_and(|part| !part.is_empty())
}

/// Whether only a number or a time was added, so that this is not another log whose name happens to
/// begin alike.
pub(super) fn is_numbered(path: &Path, other: &Path) -> bool {
    let (Some(name), Some(other)) = (path.file_name(), other.file_name()) else {
        return false;
    };
    let is_of_number = |byte: &u8| byte.is_ascii_digit() || b".-_:TZ".contains(byte);
    added_part(name.as_encoded_bytes(), other.as_encoded_bytes()).is_some_and(|part| {
        // `app.10` is not made from `app.1`.
        part.first().is_some_and(|byte| b".-_".contains(byte))
            && part.iter().all(is_of_number)
            && part.iter().any(|byte| byte.is_ascii_digit())
    })
}

/// The part that a rotation added to a name: at its end, or before its extension.
fn added_part<'a>(name: &[u8], other: &'a [u8]) -> Option<&'a [u8]> {
    let is_separated = |part: &&[u8]| part.first().is_some_and(|byte| b".-_".contains(byte));
    if let Some(part) = other.strip_prefix(name) {
        return Some(part);
    }
    let dot = name.iter().rposition(|byte| *byte == b'.')?;
    let (stem, extension) = name.split_at_checked(dot)?;
    let part = other.strip_prefix(stem)?.strip_suffix(extension)?;
    Some(part).filter(is_separated)
}

/// Whether content is gzip, zstd, xz or bzip2, the forms into which a rotated file may be
/// compressed.
pub(super) fn is_compressed(head: &[u8]) -> bool {
    const MAGIC: [&[u8]; 4] = [b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ", b"BZh"];
    MAGIC.iter().any(|magic| head.starts_with(magic))
}
