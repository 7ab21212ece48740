//! What holds files that are written but not visible yet.

use std::fmt::Debug;

use async_trait::async_trait;
use datafusion::common::Result;
use datafusion::object_store::path::Path;
use datafusion::object_store::{
    MultipartUpload, ObjectStore, PutMultipartOptions, PutOptions, PutPayload,
    Result as StoreResult,
};

use crate::sinks::target::Target;

/// Files that are written but not visible yet.
#[async_trait]
pub(super) trait Stage: Debug + Send + Sync {
    /// Begins a file that becomes visible at `location` with the commit.
    async fn begin_file(
        &self,
        store: &dyn ObjectStore,
        location: &Path,
        options: PutMultipartOptions,
    ) -> StoreResult<Box<dyn MultipartUpload>>;

    /// Writes a file that becomes visible at `location` with the commit.
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

    /// Removes what can be removed without waiting, unless the files were committed.
    fn discard_now(&self);
}

/// What a commit has done with the files that were there before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Committed {
    pub(super) n_replaced: usize,
    /// Files that an overwrite has not touched, since they are not data files of the format.
    pub(super) n_left: usize,
}
