//! Files of the local file system: they are written into a folder `.copy-<id>` within the target,
//! and renamed when all are complete.
//!
//! The system releases locks when their process ends, so locks tell which stages are alive. A
//! statement holds the lock of the target while it begins, commits or cleans up, so that one of two
//! statements sees what the other has done. It holds the lock of its own `.copy-<id>` throughout:
//! if another statement can take that lock, the process is dead.
//!
//! A commit that renames one file is atomic. A commit of several steps is first written to
//! `.copy-<id>/commit.json`; then the new files are renamed, and then the old ones are removed. If
//! the process is killed in between, the next statement that writes to the folder completes the
//! remaining steps; until then readers may see old and new files.
//!
//! If the system cannot lock a folder, statements that write to it at the same time do not wait for
//! each other, and what a killed process leaves behind stays there.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::future::poll_fn;
use std::io::{Error as IoError, ErrorKind, Write};
use std::path::{Component, Path as LocalPath, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use datafusion::common::{DataFusionError, Result, exec_datafusion_err};
use datafusion::object_store::path::Path;
use datafusion::object_store::{
    Error as StoreError, MultipartUpload, ObjectStore, PutMultipartOptions, PutOptions, PutPayload,
    Result as StoreResult,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::sinks::stage::{Committed, Stage};
use crate::sinks::target::{Target, relative};

/// The prefix of the names of stages. It hides them from `ls` and patterns, and they do not have
/// the extension of a data file.
const STAGE: &str = ".copy-";
const JOURNAL: &str = "commit.json";
/// How often another statement that fails may remove the target between its creation and its lock.
const MAX_ATTEMPTS: usize = 10;

/// Files in a separate folder within the target.
#[derive(Debug)]
pub(super) struct LocalStage {
    target: PathBuf,
    /// The target's path in the object store.
    prefix: Path,
    stage: PathBuf,
    files: Mutex<Files>,
    /// Held while the process lives; `None` if folders cannot be locked.
    _lock: Option<File>,
    /// The folders that this stage created: the target and those around it, if they were missing.
    made: Vec<PathBuf>,
}

#[derive(Debug, Default)]
struct Files {
    /// Names relative to the target. In the stage, the name of a file is its index here.
    names: Vec<String>,
    /// No further file can be begun, and nothing remains to be discarded.
    is_closed: bool,
}

impl LocalStage {
    /// Finishes what dead processes have left, and creates a stage.
    ///
    /// # Errors
    /// When the target has files and the statement does not say what happens to them, or when the
    /// target cannot be written.
    pub(super) fn begin(target: &Target) -> Result<Self> {
        let folder = target.local_folder();
        let mut n_attempts = 0;
        loop {
            n_attempts += 1;
            let made = missing(&folder);
            fs::create_dir_all(&folder).map_err(cannot("be made", &folder))?;
            let _locked = lock(&folder);
            recover(&folder)?;
            if !target.keeps_old_files() {
                target.replaced(files_below(&folder)?, &[])?;
            }
            let stage = folder.join(format!("{STAGE}{}", Uuid::new_v4().simple()));
            match fs::create_dir(&stage) {
                Err(error) if error.kind() == ErrorKind::NotFound && n_attempts < MAX_ATTEMPTS => {}
                Err(error) => return Err(cannot("be written", &folder)(error)),
                Ok(()) => {
                    return Ok(Self {
                        _lock: try_lock(&stage),
                        prefix: target.folder(),
                        target: folder,
                        stage,
                        files: Mutex::default(),
                        made,
                    });
                }
            }
        }
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The path at which the file for `location` is kept until the commit.
    fn add(&self, location: &Path) -> StoreResult<Path> {
        let name = relative(location, &self.prefix);
        let name = name.ok_or_else(|| store_error("the file is not in the target"))?;
        let mut files = self.files();
        files.names.push(name);
        let number = (files.names.len() - 1).to_string();
        let stage = self.stage.file_name().and_then(|name| name.to_str());
        Ok(self
            .prefix
            .clone()
            .join(stage.unwrap_or_default())
            .join(number))
    }

    /// Waits until the contents of the files are on the disk.
    async fn sync(&self) -> Result<()> {
        let n_files = self.files().names.len();
        let files: Vec<_> = (0..n_files)
            .map(|number| self.stage.join(number.to_string()))
            .collect();
        let synced =
            tokio::task::spawn_blocking(move || files.iter().try_for_each(|file| sync(file)));
        synced
            .await
            .map_err(|error| exec_datafusion_err!("{error}"))?
    }

    /// Commits without waiting, so that neither a signal nor an error of another statement comes in
    /// between.
    fn commit_now(&self, target: &Target) -> Result<Committed> {
        let _locked = lock(&self.target);
        let mut files = self.files();
        let found = if target.keeps_old_files() {
            vec![]
        } else {
            files_below(&self.target)?
        };
        let (old, n_left) = target.replaced(found, &files.names)?;
        let commit = Commit {
            new: files.names.clone(),
            old,
        };
        if commit.new.len() + commit.old.len() > 1 {
            commit.write(&self.stage)?;
        }
        if let Err(error) = commit.show(&self.stage, &self.target) {
            // If that fails too, the journal stays, and the next statement does the rest.
            files.is_closed = commit.hide(&self.stage, &self.target).is_err();
            return Err(error);
        }
        files.is_closed = true;
        commit.finish(&self.target)?;
        remove_stage(&self.stage);
        Ok(Committed {
            n_replaced: commit.old.len(),
            n_left,
        })
    }
}

#[async_trait]
impl Stage for LocalStage {
    async fn begin_file(
        &self,
        store: &dyn ObjectStore,
        location: &Path,
        options: PutMultipartOptions,
    ) -> StoreResult<Box<dyn MultipartUpload>> {
        let staged = self.add(location)?;
        let mut begun = store.put_multipart_opts(&staged, options);
        // The store creates the file and its folder while it is polled. A writer that outlives its
        // statement for a moment must not recreate the stage after it is discarded.
        poll_fn(|context| match self.files() {
            files if files.is_closed => Err(store_error("the statement is over")).into(),
            _files => begun.as_mut().poll(context),
        })
        .await
    }

    async fn put_file(
        &self,
        store: &dyn ObjectStore,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> StoreResult<()> {
        let options = PutMultipartOptions {
            tags: options.tags,
            attributes: options.attributes,
            extensions: options.extensions,
        };
        let mut upload = self.begin_file(store, location, options).await?;
        upload.put_part(payload).await?;
        upload.complete().await?;
        Ok(())
    }

    async fn commit(&self, target: &Target) -> Result<Committed> {
        self.sync().await?;
        self.commit_now(target)
    }

    async fn discard(&self) {
        self.discard_now();
    }

    fn discard_now(&self) {
        let mut files = self.files();
        if std::mem::replace(&mut files.is_closed, true) {
            return;
        }
        let _locked = lock(&self.target);
        remove_stage(&self.stage);
        for folder in &self.made {
            // A folder that has files by now stays.
            let _ = fs::remove_dir(folder);
        }
    }
}

/// The new files of a stage by their number, and the old files that they replace, all relative to
/// the target.
#[derive(Debug, Serialize, Deserialize)]
struct Commit {
    new: Vec<String>,
    old: Vec<String>,
}

impl Commit {
    /// Writes the journal, whole or not at all.
    fn write(&self, stage: &LocalPath) -> Result<()> {
        let (part, journal) = (stage.join("commit.part"), stage.join(JOURNAL));
        let write = || {
            let mut file = File::create(&part)?;
            file.write_all(&serde_json::to_vec(self)?)?;
            file.sync_all()?;
            fs::rename(&part, &journal)?;
            sync_folder(stage)
        };
        write().map_err(cannot("be written", &journal))
    }

    /// The journal of a stage, if it has one. A journal whose names lead out of the target is
    /// ignored.
    fn read(stage: &LocalPath) -> Option<Self> {
        let journal = fs::read(stage.join(JOURNAL)).ok()?;
        let commit: Self = serde_json::from_slice(&journal).ok()?;
        let is_within = |name: &String| {
            let mut parts = LocalPath::new(name).components();
            parts.all(|part| matches!(part, Component::Normal(_)))
        };
        let is_ours = commit.new.iter().chain(&commit.old).all(is_within);
        is_ours.then_some(commit)
    }

    /// Renames the new files to their names, except those that were renamed before.
    fn show(&self, stage: &LocalPath, target: &LocalPath) -> Result<()> {
        for (number, name) in self.new.iter().enumerate() {
            let (from, to) = (stage.join(number.to_string()), target.join(name));
            if !from.exists() {
                continue;
            }
            let parent = to.parent().unwrap_or(target);
            fs::create_dir_all(parent)
                .and_then(|()| fs::rename(&from, &to))
                .map_err(cannot("be written", &to))?;
        }
        Ok(())
    }

    /// Undoes [`show`](Self::show).
    fn hide(&self, stage: &LocalPath, target: &LocalPath) -> Result<()> {
        for (number, name) in self.new.iter().enumerate() {
            let (to, from) = (stage.join(number.to_string()), target.join(name));
            if !to.exists() {
                fs::rename(&from, &to).map_err(cannot("be removed", &from))?;
                remove_empty_folders(target, name);
            }
        }
        Ok(())
    }

    /// Removes the old files once the names of the new ones are on the disk.
    fn finish(&self, target: &LocalPath) -> Result<()> {
        let folders: BTreeSet<PathBuf> = self
            .new
            .iter()
            .flat_map(|name| LocalPath::new(name).ancestors().skip(1))
            .map(|folder| target.join(folder))
            .collect();
        for folder in &folders {
            sync_folder(folder).map_err(cannot("be written to the disk", folder))?;
        }
        for name in &self.old {
            let file = target.join(name);
            match fs::remove_file(&file) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(exec_datafusion_err!(
                        "the new files are there, but {} cannot be removed: {error}. Run the statement again when it can be",
                        file.display()
                    ));
                }
                _ => remove_empty_folders(target, name),
            }
        }
        Ok(())
    }
}

/// Finishes or removes the stages of dead processes. The caller must hold the lock of the target.
fn recover(target: &LocalPath) -> Result<()> {
    for name in names(target)?.into_iter().filter(|name| is_stage(name)) {
        let stage = target.join(name);
        let Some(_dead) = try_lock(&stage) else {
            continue;
        };
        if let Some(commit) = Commit::read(&stage) {
            commit.show(&stage, target)?;
            commit.finish(target)?;
        }
        remove_stage(&stage);
    }
    Ok(())
}

/// Removes a stage. The journal goes first: a stage without one is never finished.
fn remove_stage(stage: &LocalPath) {
    let _ = fs::remove_file(stage.join(JOURNAL));
    // Readers do not see what cannot be removed.
    let _ = fs::remove_dir_all(stage);
}

/// Removes the empty folders of a removed file, up to the target.
fn remove_empty_folders(target: &LocalPath, name: &str) {
    let folders = LocalPath::new(name).ancestors().skip(1);
    for folder in folders.take_while(|folder| !folder.as_os_str().is_empty()) {
        if fs::remove_dir(target.join(folder)).is_err() {
            return;
        }
    }
}

/// The folder and those around it that do not exist, innermost first.
fn missing(folder: &LocalPath) -> Vec<PathBuf> {
    let folders = folder.ancestors().take_while(|folder| !folder.exists());
    folders.map(LocalPath::to_path_buf).collect()
}

/// The files below a folder, relative to it, without those of stages.
fn files_below(folder: &LocalPath) -> Result<Vec<String>> {
    let mut files = vec![];
    add_files(folder, "", &mut files)?;
    Ok(files)
}

fn add_files(folder: &LocalPath, prefix: &str, files: &mut Vec<String>) -> Result<()> {
    for name in names(folder)? {
        // DataFusion does not read files whose names are not UTF-8.
        let Some(text) = name.to_str().filter(|_| !is_stage(&name)) else {
            continue;
        };
        let (path, relative) = (folder.join(text), format!("{prefix}{text}"));
        if path.is_dir() {
            add_files(&path, &format!("{relative}/"), files)?
        } else {
            files.push(relative)
        }
    }
    Ok(())
}

/// The names in a folder; empty if the folder has just been removed.
fn names(folder: &LocalPath) -> Result<Vec<OsString>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(vec![]),
        entries => entries.map_err(cannot("be read", folder))?,
    };
    let names = entries.map(|entry| entry.map(|entry| entry.file_name()));
    names
        .collect::<Result<_, _>>()
        .map_err(cannot("be read", folder))
}

fn is_stage(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with(STAGE))
}

/// Waits for the lock of a folder and holds it until the file is dropped.
fn lock(folder: &LocalPath) -> Option<File> {
    let file = File::open(folder).ok()?;
    file.lock().ok()?;
    Some(file)
}

/// The lock of a folder, if no process has it.
fn try_lock(folder: &LocalPath) -> Option<File> {
    let file = File::open(folder).ok()?;
    file.try_lock().ok()?;
    Some(file)
}

fn sync(file: &LocalPath) -> Result<()> {
    let synced = File::open(file).and_then(|file| file.sync_all());
    synced.map_err(cannot("be written to the disk", file))
}

/// Flushes the names in a folder to the disk, if the system can.
fn sync_folder(folder: &LocalPath) -> std::io::Result<()> {
    match File::open(folder) {
        Ok(folder) => folder.sync_all(),
        Err(_) => Ok(()),
    }
}

fn cannot(what: &str, path: &LocalPath) -> impl FnOnce(IoError) -> DataFusionError {
    move |error| exec_datafusion_err!("{} cannot {what}: {error}", path.display())
}

fn store_error(text: &'static str) -> StoreError {
    StoreError::Generic {
        store: "staged",
        source: text.into(),
    }
}
