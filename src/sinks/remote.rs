//! Files of an object store that is not the local file system: uploads that are completed when all
//! of them are whole.
//!
//! An upload that is not completed is invisible. If the process is killed, the store keeps it until
//! a rule of the bucket removes it (on S3 `AbortIncompleteMultipartUpload`). Uploads are completed
//! one after the other, so a process that is killed between two of them leaves some of the files.
//! There is no lock: two statements that replace the same files at the same time may both leave
//! theirs.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use datafusion::common::Result;
use datafusion::object_store::path::Path;
use datafusion::object_store::{
    Error as StoreError, MultipartUpload, ObjectStore, ObjectStoreExt, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, Result as StoreResult, UploadPart,
};
use futures::TryStreamExt;

use crate::sinks::stage::{Committed, Stage};
use crate::sinks::staged_store::UNKNOWN;
use crate::sinks::target::{Target, relative};

/// Uploads that are not completed yet.
#[derive(Debug)]
pub(super) struct RemoteStage {
    store: Arc<dyn ObjectStore>,
    whole: Whole,
}

/// The files whose bytes have all been uploaded.
type Whole = Arc<Mutex<Vec<(Path, Upload)>>>;

#[derive(Debug)]
enum Upload {
    Multipart(Box<dyn MultipartUpload>),
    /// A store without multipart uploads takes the whole file at once.
    Single(PutPayload, PutOptions),
}

impl RemoteStage {
    /// # Errors
    /// When the target has files and the statement does not say what happens to them.
    pub(super) async fn begin(target: &Target, store: &Arc<dyn ObjectStore>) -> Result<Self> {
        let stage = Self {
            store: Arc::clone(store),
            whole: Arc::default(),
        };
        target.replaced(stage.files(target).await?, &[])?;
        Ok(stage)
    }

    /// The existing files, relative to the folder of the target.
    async fn files(&self, target: &Target) -> Result<Vec<String>> {
        if target.keeps_old_files() {
            return Ok(vec![]);
        }
        let folder = target.folder();
        let files: Vec<_> = self.store.list(Some(&folder)).try_collect().await?;
        let files = files
            .iter()
            .filter_map(|file| relative(&file.location, &folder));
        Ok(files.collect())
    }

    /// The names of the files that are written, relative to the folder.
    fn names(&self, folder: &Path) -> Vec<String> {
        let whole = self.whole.lock().unwrap_or_else(PoisonError::into_inner);
        let names = whole
            .iter()
            .filter_map(|(location, _)| relative(location, folder));
        names.collect()
    }

    fn add(&self, location: &Path, upload: Upload) {
        add(&self.whole, location, upload);
    }

    fn take(&self) -> Vec<(Path, Upload)> {
        let mut whole = self.whole.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *whole)
    }

    async fn complete(&self, location: &Path, upload: Upload) -> StoreResult<PutResult> {
        match upload {
            Upload::Multipart(mut upload) => upload.complete().await,
            Upload::Single(payload, options) => {
                self.store.put_opts(location, payload, options).await
            }
        }
    }

    async fn remove(&self, location: &Path) -> Result<()> {
        match self.store.delete(location).await {
            Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

#[async_trait]
impl Stage for RemoteStage {
    async fn begin_file(
        &self,
        store: &dyn ObjectStore,
        location: &Path,
        options: PutMultipartOptions,
    ) -> StoreResult<Box<dyn MultipartUpload>> {
        let upload = store.put_multipart_opts(location, options).await?;
        Ok(Box::new(KeptUpload {
            location: location.clone(),
            upload: Some(upload),
            whole: Arc::clone(&self.whole),
        }))
    }

    async fn put_file(
        &self,
        store: &dyn ObjectStore,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> StoreResult<()> {
        let (tags, attributes) = (options.tags.clone(), options.attributes.clone());
        let multipart = PutMultipartOptions {
            tags,
            attributes,
            extensions: options.extensions.clone(),
        };
        // An upload needs at least one part.
        let begun = match payload.content_length() {
            0 => None,
            _ => match store.put_multipart_opts(location, multipart).await {
                Ok(upload) => Some(upload),
                Err(StoreError::NotImplemented { .. } | StoreError::NotSupported { .. }) => None,
                Err(error) => return Err(error),
            },
        };
        let upload = match begun {
            Some(mut upload) => {
                upload.put_part(payload).await?;
                Upload::Multipart(upload)
            }
            None => Upload::Single(payload, options),
        };
        self.add(location, upload);
        Ok(())
    }

    async fn commit(&self, target: &Target) -> Result<Committed> {
        let folder = target.folder();
        let (old, n_left) = target.replaced(self.files(target).await?, &self.names(&folder))?;
        let mut visible = vec![];
        let mut uploads = self.take().into_iter();
        while let Some((location, upload)) = uploads.next() {
            if let Err(error) = self.complete(&location, upload).await {
                for location in &visible {
                    self.remove(location).await?;
                }
                for (location, upload) in uploads {
                    self.add(&location, upload);
                }
                return Err(error.into());
            }
            visible.push(location);
        }
        for file in &old {
            self.remove(&Path::parse(format!("{folder}/{file}"))?)
                .await?;
        }
        Ok(Committed {
            n_replaced: old.len(),
            n_left,
        })
    }

    async fn discard(&self) {
        for (_, upload) in self.take() {
            if let Upload::Multipart(mut upload) = upload {
                // What the store does not remove now is not visible.
                let _ = upload.abort().await;
            }
        }
    }

    fn discard_now(&self) {}
}

/// An upload that stays incomplete after its last byte is written.
#[derive(Debug)]
struct KeptUpload {
    location: Path,
    upload: Option<Box<dyn MultipartUpload>>,
    whole: Whole,
}

#[async_trait]
impl MultipartUpload for KeptUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        match &mut self.upload {
            Some(upload) => upload.put_part(data),
            None => Box::pin(async { Err(is_over()) }),
        }
    }

    async fn complete(&mut self) -> StoreResult<PutResult> {
        let upload = self.upload.take().ok_or_else(is_over)?;
        add(&self.whole, &self.location, Upload::Multipart(upload));
        Ok(UNKNOWN)
    }

    async fn abort(&mut self) -> StoreResult<()> {
        match self.upload.take() {
            Some(mut upload) => upload.abort().await,
            None => Err(is_over()),
        }
    }
}

fn add(whole: &Whole, location: &Path, upload: Upload) {
    let mut whole = whole.lock().unwrap_or_else(PoisonError::into_inner);
    whole.push((location.clone(), upload));
}

fn is_over() -> StoreError {
    StoreError::Generic {
        store: "staged",
        source: "the upload is over".into(),
    }
}
