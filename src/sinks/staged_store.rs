//! An object store that shows what is written to it only when its stage commits.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::datasource::listing::ListingTableUrl;
use datafusion::execution::TaskContext;
use datafusion::execution::object_store::{DefaultObjectStoreRegistry, ObjectStoreRegistry};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::object_store::path::Path;
use datafusion::object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result as StoreResult,
};
use futures::stream::BoxStream;

use crate::sinks::stage::Stage;

/// A context like this one, except that the stage keeps what is written to the store of `url`.
pub(super) fn with_stage(
    context: &TaskContext,
    url: &ListingTableUrl,
    store: Arc<dyn ObjectStore>,
    stage: Arc<dyn Stage>,
) -> Arc<TaskContext> {
    let stores = DefaultObjectStoreRegistry::new();
    stores.register_store(url.get_url(), Arc::new(StagedStore { store, stage }));
    let runtime = RuntimeEnv {
        object_store_registry: Arc::new(stores),
        ..context.runtime_env().as_ref().clone()
    };
    Arc::new(TaskContext::new(
        context.task_id(),
        context.session_id(),
        context.session_config().clone(),
        context.scalar_functions().clone(),
        context.higher_order_functions().clone(),
        context.aggregate_functions().clone(),
        context.window_functions().clone(),
        Arc::new(runtime),
    ))
}

#[derive(Debug)]
struct StagedStore {
    store: Arc<dyn ObjectStore>,
    stage: Arc<dyn Stage>,
}

impl fmt::Display for StagedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "staged {}", self.store)
    }
}

#[async_trait]
impl ObjectStore for StagedStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> StoreResult<PutResult> {
        let store = self.store.as_ref();
        self.stage
            .put_file(store, location, payload, options)
            .await?;
        Ok(UNKNOWN)
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> StoreResult<Box<dyn MultipartUpload>> {
        let store = self.store.as_ref();
        self.stage.begin_file(store, location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> StoreResult<GetResult> {
        self.store.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, StoreResult<Path>>,
    ) -> BoxStream<'static, StoreResult<Path>> {
        self.store.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        self.store.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> StoreResult<ListResult> {
        self.store.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> StoreResult<()> {
        self.store.copy_opts(from, to, options).await
    }
}

/// The version of a file that is not visible yet.
pub(super) const UNKNOWN: PutResult = PutResult {
    e_tag: None,
    version: None,
};
