//! An object store in memory that dies at the n-th change, like a killed process: before the change
//! or after it.

use std::collections::BTreeMap;
use std::fmt::{Display, Formatter};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use async_trait::async_trait;
use datafusion::object_store::memory::InMemory;
use datafusion::object_store::path::Path;
use datafusion::object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};

/// A store that dies at a given change.
#[derive(Debug)]
pub(super) struct FailingStore {
    inner: InMemory,
    /// The number of changes that are left; below 0 means no limit.
    n_left: AtomicI64,
    is_dead: AtomicBool,
    /// Whether the last change takes effect before the store dies.
    dies_behind: AtomicBool,
    /// Whether the answer to each change is lost, and the client asks again.
    loses_answers: AtomicBool,
}

impl Display for FailingStore {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("FailingStore")
    }
}

impl FailingStore {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: InMemory::new(),
            n_left: AtomicI64::new(-1),
            is_dead: AtomicBool::new(false),
            dies_behind: AtomicBool::new(false),
            loses_answers: AtomicBool::new(false),
        })
    }

    /// From now on the answer to each change is lost, and the client asks again.
    pub(super) fn lose_answers(&self) {
        self.loses_answers.store(true, Ordering::SeqCst);
    }

    /// Revives the store, which dies at this change; below 0 it never does.
    pub(super) fn live_for(&self, n_changes: i64, dies_behind: bool) {
        self.n_left.store(n_changes, Ordering::SeqCst);
        self.dies_behind.store(dies_behind, Ordering::SeqCst);
        self.is_dead.store(false, Ordering::SeqCst);
    }

    pub(super) fn is_dead(&self) -> bool {
        self.is_dead.load(Ordering::SeqCst)
    }

    /// All files in a folder.
    pub(super) async fn files(&self, folder: &str) -> BTreeMap<String, Vec<u8>> {
        let listed: Vec<_> = self
            .inner
            .list(Some(&Path::from(folder)))
            .try_collect()
            .await
            .unwrap();
        let mut files = BTreeMap::new();
        for file in listed {
            let bytes = self.inner.get(&file.location).await.unwrap();
            let bytes = bytes.bytes().await.unwrap();
            files.insert(file.location.to_string(), bytes.to_vec());
        }
        files
    }

    fn check(&self) -> Result<()> {
        if self.is_dead.load(Ordering::SeqCst) {
            Err(dead())
        } else {
            Ok(())
        }
    }

    /// Whether this change is the last one.
    fn is_last(&self) -> Result<bool> {
        self.check()?;
        let is_last = self.n_left.fetch_sub(1, Ordering::SeqCst) == 0;
        if is_last {
            self.is_dead.store(true, Ordering::SeqCst);
        }
        if is_last && !self.dies_behind.load(Ordering::SeqCst) {
            Err(dead())
        } else {
            Ok(is_last)
        }
    }
}

fn dead() -> Error {
    Error::Generic {
        store: "FailingStore",
        source: "it is dead".into(),
    }
}

#[async_trait]
impl ObjectStore for FailingStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let is_last = self.is_last()?;
        if location.as_ref().starts_with("out/")
            && let Ok(old) = self.inner.get(location).await
        {
            let new: Vec<u8> = payload.iter().flat_map(|bytes| bytes.to_vec()).collect();
            assert_eq!(old.bytes().await?.to_vec(), new, "{location} has changed");
        }
        if self.loses_answers.load(Ordering::SeqCst) {
            let (payload, options) = (payload.clone(), options.clone());
            self.inner.put_opts(location, payload, options).await?;
        }
        let done = self.inner.put_opts(location, payload, options).await?;
        if is_last { Err(dead()) } else { Ok(done) }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.check()?;
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.check()?;
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        match self.is_last() {
            Ok(_) => self.inner.delete_stream(locations),
            Err(error) => futures::stream::iter([Err(error)]).boxed(),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.check()?;
        self.inner.copy_opts(from, to, options).await
    }
}
