//! The written form of what was read: plain data, for a checkpoint of the owner.
//!
//! A position identifies a file by its content. The path is only where to look first. It holds two
//! offsets: one up to which the owner has finished, where reading continues, and one up to which
//! the engine had read, so that the content is known up to there.
//!
//! Ids are part of it and are never given twice, so that the id alone tells what was read between
//! two records, whatever happened to the files meanwhile.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::sources::files::follow::content::Evidence;

/// The positions of all followed files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FilePositions {
    /// The next id to give.
    pub(super) next_id: u64,
    /// Files that are followed, in the order in which they were found.
    pub(super) files: Vec<Position>,
    /// The last files that were read to their end and left the listing.
    pub(super) finished: Vec<Position>,
}

/// The position of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    pub(super) id: u64,
    /// Not text, because a path need not be UTF-8.
    #[serde(with = "path_as_bytes")]
    pub(super) path: PathBuf,
    /// Its name when it was first read.
    pub(super) name: Option<String>,
    /// The first byte that was read under this id.
    pub(super) began: u64,
    /// Reading continues here.
    pub(super) offset: u64,
    pub(super) evidence: Evidence,
    /// Modification time of the file, ns since 1970.
    pub(super) modified_ns: i64,
    pub(super) is_finished: bool,
    /// It was rotated away, so that it ends, with its last line, when nothing more comes.
    pub(super) is_leaving: bool,
    /// Its content continues under another id: this one records what was read, and is not used to
    /// recognise a file.
    pub(super) is_superseded: bool,
}

/// Writes a path as text if it is UTF-8, otherwise as its bytes, because serde refuses paths that
/// are not UTF-8.
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
