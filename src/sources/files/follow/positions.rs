//! The written form of what was read: plain data, for a checkpoint of the owner.
//!
//! A position names a file by its content. The path is only where to look first. It holds two
//! offsets: what the owner has finished with, from where reading goes on, and what the engine had
//! read, up to which the content is known.
//!
//! Ids are part of it and are never given twice, so that what was read between two records can be
//! told by id alone, whatever became of the files meanwhile.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::sources::files::follow::content::Evidence;

/// Where all followed files stand.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FilePositions {
    /// Ids from here on were not given yet.
    pub(super) next_id: u64,
    /// Files that are followed, in the order in which they were found.
    pub(super) files: Vec<Position>,
    /// Files that were read to their end and left the listing, the last ones.
    pub(super) finished: Vec<Position>,
}

/// Where one file stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    pub(super) id: u64,
    /// Not text: a path need not be UTF-8.
    #[serde(with = "path_as_bytes")]
    pub(super) path: PathBuf,
    /// What it was called when it was first read.
    pub(super) name: Option<String>,
    /// The first byte that was read under this id.
    pub(super) began: u64,
    /// Reading continues here.
    pub(super) offset: u64,
    pub(super) evidence: Evidence,
    /// Modification time of the file, ns since 1970.
    pub(super) modified_ns: i64,
    pub(super) is_finished: bool,
    /// It was rotated away, so that it ends when nothing more comes: its last line, too.
    pub(super) is_leaving: bool,
    /// There is more of it under another id: it tells what was read, and is not for recognising a
    /// file.
    pub(super) is_superseded: bool,
}

/// serde refuses paths that are not UTF-8. A path is written as text where it is text, else as its
/// bytes.
mod path_as_bytes {
    use std::path::{Path, PathBuf};

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Written {
        Text(String),
        Bytes(Vec<u8>),
    }

    pub(super) fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
        let written = match path.to_str() {
            Some(text) => Written::Text(text.to_string()),
            None => Written::Bytes(path.as_os_str().as_encoded_bytes().to_vec()),
        };
        written.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<PathBuf, D::Error> {
        Ok(match Written::deserialize(deserializer)? {
            Written::Text(text) => PathBuf::from(text),
            Written::Bytes(bytes) => from_bytes(bytes),
        })
    }

    #[cfg(unix)]
    fn from_bytes(bytes: Vec<u8>) -> PathBuf {
        use std::os::unix::ffi::OsStringExt;
        PathBuf::from(std::ffi::OsString::from_vec(bytes))
    }

    /// The file is found by its content all the same, if a listed path has it.
    #[cfg(not(unix))]
    fn from_bytes(bytes: Vec<u8>) -> PathBuf {
        PathBuf::from(String::from_utf8_lossy(&bytes).into_owned())
    }
}
