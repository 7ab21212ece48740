//! Where COPY and INSERT INTO a folder put their files: all of them become visible when the last row is written, or none.
//!
//! DataFusion writes files of random names where readers see them, and finishes them when the query fails half-way. Here its
//! sinks write through a [`StagedStore`](staged_store), which keeps the files in a [`Stage`]. The stage commits when all rows are
//! written. If the query fails or is dropped, the stage is discarded and nothing has changed.
//!
//! * A local folder ([`local`]): files are written to a subfolder `.copy-<id>`, which no query reads, and renamed by the commit.
//!   A commit that was interrupted is completed by the next COPY or INSERT.
//! * Another object store ([`remote`]): the commit completes the uploads, one after the other.

mod fit;
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
    MultipartUpload, ObjectStore, PutMultipartOptions, PutOptions, PutPayload,
    Result as StoreResult,
};

pub(crate) use self::fit::fitted;
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
