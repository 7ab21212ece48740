//! The target of a write, and what happens to the files that it already has.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::str::FromStr;

use datafusion::common::{DataFusionError, Result, exec_err, plan_err};
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::listing::ListingTableUrl;
use datafusion::object_store::path::Path;

/// What COPY does with the data files that its folder already has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WriteMode {
    /// Fails, so that a job that runs twice does not double its rows.
    Refuse,
    Append,
    Overwrite,
    /// Replaces the files of the partitions that it writes, and leaves the others.
    OverwritePartitions,
}

impl FromStr for WriteMode {
    type Err = DataFusionError;

    fn from_str(text: &str) -> Result<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "append" => Ok(Self::Append),
            "overwrite" => Ok(Self::Overwrite),
            "overwrite_partitions" => Ok(Self::OverwritePartitions),
            _ => plan_err!(
                "COPY has no mode '{text}': write 'overwrite' to replace the files of the folder, 'overwrite_partitions' to \
                 replace those of the partitions that it writes, or 'append' to add to them"
            ),
        }
    }
}

/// A file, or the folder of a table.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) url: ListingTableUrl,
    /// The location, as it was written.
    pub(crate) name: String,
    pub(crate) is_single_file: bool,
    /// The columns whose values name its folders.
    pub(crate) partition_columns: Vec<String>,
    pub(crate) mode: WriteMode,
    /// The extension of data files, without the first dot.
    pub(crate) extension: String,
    /// Whether readers see subfolders only if they are partitions, `day=2026-03-02`.
    pub(crate) ignores_folders_below: bool,
}

impl Target {
    fn is_partitioned(&self) -> bool {
        !self.partition_columns.is_empty()
    }

    pub(super) fn is_local(&self) -> bool {
        self.url.scheme() == "file"
    }

    /// The folder that the names of files are relative to.
    pub(super) fn folder(&self) -> Path {
        let path = self.url.prefix();
        if !self.is_single_file {
            return path.clone();
        }
        let n_parts = path.parts().count();
        path.parts().take(n_parts.saturating_sub(1)).collect()
    }

    pub(super) fn local_folder(&self) -> PathBuf {
        PathBuf::from(format!("/{}", self.folder()))
    }

    /// Whether existing files do not matter.
    pub(super) fn keeps_old_files(&self) -> bool {
        self.is_single_file || self.mode == WriteMode::Append
    }

    /// The files of the folder, out of these, that the new ones replace, and how many an overwrite
    /// leaves.
    ///
    /// # Errors
    /// When there are some and the statement does not say what happens to them.
    pub(super) fn replaced(
        &self,
        files: Vec<String>,
        new: &[String],
    ) -> Result<(Vec<String>, usize)> {
        let n_files = files.len();
        let mut data = files;
        data.retain(|file| self.is_data(file));
        match self.mode {
            _ if self.keeps_old_files() => Ok((vec![], 0)),
            WriteMode::Append => Ok((vec![], 0)),
            WriteMode::Refuse => self.refuse(data.len()).map(|()| (vec![], 0)),
            WriteMode::Overwrite => {
                let n_left = n_files - data.len();
                Ok((data, n_left))
            }
            WriteMode::OverwritePartitions => {
                let written: BTreeSet<&str> = new.iter().map(|file| partition(file)).collect();
                data.retain(|file| written.contains(partition(file)));
                Ok((data, 0))
            }
        }
    }

    fn refuse(&self, n_files: usize) -> Result<()> {
        let (files, them) = match n_files {
            0 => return Ok(()),
            1 => (format!("a .{} file", self.extension), "it"),
            _ => (format!("{n_files} .{} files", self.extension), "them"),
        };
        let partitions = if self.is_partitioned() {
            ", OPTIONS (mode 'overwrite_partitions') to replace the partitions that it writes,"
        } else {
            ""
        };
        exec_err!(
            "the folder '{}' has {files} already: write OPTIONS (mode 'overwrite') to replace {them}{partitions} or OPTIONS \
             (mode 'append') to add to {them}",
            self.name
        )
    }

    /// Whether a table over the folder reads this file.
    pub(super) fn is_data(&self, file: &str) -> bool {
        let n_plain = file.split('/').filter(|part| !part.contains('=')).count();
        let is_read = n_plain <= 1 || !self.ignores_folders_below;
        let stem = file.strip_suffix(&self.extension);
        is_read && stem.is_some_and(|stem| stem.ends_with('.'))
    }
}

/// The name of a file relative to its folder.
pub(super) fn relative(location: &Path, folder: &Path) -> Option<String> {
    let parts: Path = location.prefix_match(folder)?.collect();
    Some(parts.to_string())
}

/// The folder of a file.
fn partition(file: &str) -> &str {
    file.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The extension of the files that this format writes, without the first dot.
pub(crate) fn extension_of(format: &dyn FileFormat) -> String {
    let compressed = format
        .compression_type()
        .and_then(|compression| format.get_ext_with_compression(&compression).ok());
    let extension = compressed.unwrap_or_else(|| format.get_ext());
    extension.trim_start_matches('.').to_string()
}
