//! Where COPY and INSERT INTO a folder put their files: either all of them become visible when the
//! last row is written, or none.
//!
//! DataFusion writes files with random names where readers see them, and completes them even if the
//! query fails half-way. Here, its sinks write through a [`StagedStore`](staged_store), which keeps
//! the files in a [`Stage`](stage). The stage commits when all rows are written. If the query fails
//! or is dropped, the stage is discarded and nothing has changed.
//!
//! * A local folder ([`local`]): files are written to a subfolder `.copy-<id>`, which no query
//!   reads, and renamed by the commit. The next COPY or INSERT completes a commit that was
//!   interrupted.
//! * Another object store ([`remote`]): the commit completes the uploads, one after the other.
//!
//! [`window_files`] writes the windows of pipelines, one file each.

pub(crate) mod fit;
mod local;
pub(crate) mod local_files;
mod remote;
pub(crate) mod sink;
mod stage;
pub(crate) mod staged_sink;
mod staged_store;
pub(crate) mod target;
#[cfg(test)]
mod tests;
pub(crate) mod window_files;
