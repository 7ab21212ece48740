//! What an object store does not do for local files: flushing them to the disk, and cleaning up
//! after a crash.

use std::fs::File;
use std::path::{Path as LocalPath, PathBuf};

use datafusion::common::{Result, exec_datafusion_err};
use datafusion::object_store::path::Path;

/// Waits until a file of the local file system and its name are on the disk.
///
/// # Errors
/// When the disk fails.
pub(crate) async fn sync(path: &Path) -> Result<()> {
    let path = PathBuf::from(format!("/{path}"));
    let synced = tokio::task::spawn_blocking(move || {
        File::open(&path)?.sync_all()?;
        match path.parent() {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    });
    let synced = synced
        .await
        .map_err(|error| exec_datafusion_err!("{error}"))?;
    synced.map_err(|error| exec_datafusion_err!("a file cannot be written to the disk: {error}"))
}

/// Removes what a killed process had begun to write into a folder under such names: an object store
/// writes `name#1` and renames it. Files that cannot be removed stay; readers do not see them.
pub(crate) fn remove_staged(folder: &LocalPath, is_own: impl Fn(&str) -> bool) {
    let Ok(files) = std::fs::read_dir(folder) else {
        return;
    };
    for file in files.flatten() {
        let name = file.file_name();
        let is_staged = name.to_str().and_then(|name| name.rsplit_once('#'));
        let is_staged =
            is_staged.is_some_and(|(name, number)| is_own(name) && number.parse::<u32>().is_ok());
        if is_staged {
            let _ = std::fs::remove_file(file.path());
        }
    }
}
