//! Where COPY and INSERT INTO a folder put their files: all of them become visible when the last row is written, or none.
//!
//! DataFusion writes files of random names where readers see them, and finishes them when the query fails half-way. Here its
//! sinks write through a [`StagedStore`](staged_store::StagedStore), which keeps the files back in a [`Stage`]. When all rows
//! are written the stage commits; when the query fails, or is dropped, it leaves nothing.
//!
//! * A local folder ([`local`]): the files are written into a folder `.copy-<id>` within, which no reader lists, and renamed.
//!   The renames, and the old files that they replace, are written down before the first of them, so that the next COPY or
//!   INSERT finishes what a killed process has begun to rename, and removes what it has not.
//! * Another object store ([`remote`]): uploads are completed when all rows are written, one after the other.

mod local;
mod remote;
mod staged_sink;
mod staged_store;
mod target;
#[cfg(test)]
mod tests;

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::common::Result;
use datafusion::object_store::path::Path;
use datafusion::object_store::{
    MultipartUpload, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, Result as StoreResult,
};

pub(crate) use self::staged_sink::staged;
pub(crate) use self::target::{Target, WriteMode, extension_of};

/// Files that are written and not visible.
#[async_trait]
trait Stage: Debug + Send + Sync {
    /// Begins a file that is visible at `location` after the commit.
    async fn begin_file(
        &self,
        store: &dyn ObjectStore,
        location: &Path,
        options: PutMultipartOptions,
    ) -> StoreResult<Box<dyn MultipartUpload>>;

    /// Writes a file that is visible at `location` after the commit.
    async fn put_file(
        &self,
        store: &dyn ObjectStore,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> StoreResult<()>;

    /// Makes the files visible, and removes those that they replace.
    async fn commit(&self, target: &Target) -> Result<Committed>;

    /// Removes the files, unless they were committed.
    async fn discard(&self);

    /// Removes what can be removed without waiting for it, unless it was committed.
    fn discard_now(&self);
}

/// What a commit has done with the files that were there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Committed {
    n_replaced: usize,
    /// Files that an overwrite has not touched, since they are no data of the format.
    n_left: usize,
}

/// A stage that is discarded with its statement.
#[derive(Debug)]
struct Staged(Arc<dyn Stage>);

impl Staged {
    async fn begin(target: &Target, store: &Arc<dyn ObjectStore>) -> Result<Self> {
        let stage: Arc<dyn Stage> = match target.is_local() {
            true => Arc::new(local::LocalStage::begin(target)?),
            false => Arc::new(remote::RemoteStage::begin(target, store).await?),
        };
        Ok(Self(stage))
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        self.0.discard_now();
    }
}
