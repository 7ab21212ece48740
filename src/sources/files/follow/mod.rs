//! Follows growing files: hands out every byte of every content once and in order, through
//! rotations and restarts.
//!
//! Live log tables are built on it, but it knows nothing of lines. It never sleeps and never asks
//! the clock: the owner tells it the time, which files are listed, and when to look.
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
//! An id identifies one content: what was written to one file from byte 0. When a file is emptied
//! or replaced, the new content has a new id and the old id is read to its end, from the handle
//! that was held open or from the copy that logrotate's `copytruncate` made. Lines never run from
//! one id into another.
//!
//! A file is recognised by its content (`content`), since inodes are reused and names change.
//! Device and inode are trusted only while a handle is open, and only to save work.
//!
//! # A rescan
//! 1. `rescan`: every listed path is looked at. One that is unchanged costs one `stat` and nothing
//!    else.
//! 2. `stream`: a file that changed must still have the bytes that were read, otherwise it was
//!    emptied.
//! 3. `candidates`: the remaining paths have content that is not known yet: a renamed file, the
//!    copy of an emptied file, a copy of a living file (never read), or a separate file.
//! 4. `rescan`: a file that lost its name is finished when nothing was written to it for
//!    [`LEAVING_GRACE_NS`].
//!
//! # The life of a stream
//! `stream::Phase`. A rescan first compares files (rows that name a file), then `age` moves every
//! stream on (the others).
//!
//! | phase | what happens | next phase |
//! | --- | --- | --- |
//! | `Named` | its path is gone, the handle is held; or the file is listed under another name | `Leaving` |
//! | `Named` | its path is gone, no handle | `Missing` |
//! | `Named`, `Leaving` | the bytes before its position are no longer there | `Truncated`, and the new content is a new stream |
//! | `Leaving` | read to its end, nothing written for [`LEAVING_GRACE_NS`] | `Finished` |
//! | `Leaving` | from written positions, and no path has it | `Missing` |
//! | `Leaving` | a listed file has all of its content and more | `Named` |
//! | `Truncated`, `Missing` | another file has its content | `Leaving` |
//! | `Missing` | its own path has its content again | `Named` |
//! | `Truncated`, `Missing` | [`COPY_GRACE_NS`] have passed | `Finished`, and what was not read is a [`Problem`] |
//! | `Finished` | the file has grown after all | a new stream of the same content, from there on |
//! | `Finished` | no path names it, and the owner has consumed it | forgotten; `recent` remembers it for a while longer |
//! | any | empty, without handle or path | forgotten |
//!
//! # Decisions
//! A file that became shorter counts as emptied, and is read from byte 0, even if what is left is
//! the same: loggers never cut a log in the middle, and an emptied file may begin with the same
//! banner. The unread bytes of the old content are looked for in copies for [`COPY_GRACE_NS`]; if
//! there is no copy, and the owner does not find them in a compressed file, they are counted as a
//! [`Problem`].
//!
//! Two contents that are alike for less than 1024 bytes may be copies or may have the same banner.
//! The later one is held back until it differs, or for [`COPY_GRACE_NS`], and then counts as a
//! separate file.
//!
//! # Limits
//! Writers append. Content that is rewritten in place is not noticed unless its first bytes, or
//! those before the position of the reader, change. Files whose contents are equal are one file. A
//! file that was created, filled and deleted between two rescans is never seen; nor is one that was
//! created and, before the first look at its path, rotated to a path that is not listed. Later
//! rotations that happened between two rescans are found beside the listed path if only a number or
//! a time was added to its name. Without inodes a short file and its short copy cannot always be
//! told apart, and a file that was deleted while the process ran is reported as not found after a
//! restart. At most [`MAX_OPEN_FILES`] handles are held, except for files that were deleted or
//! renamed.

mod candidates;
mod content;
mod disk;
mod followed_files;
pub(crate) mod positions;
mod recent;
pub(crate) mod reread;
mod rescan;
pub(crate) mod siblings;
pub(crate) mod state;
mod stream;
#[cfg(test)]
mod tests;
