//! The locations of a log table: files, globs, folders, object store URLs.
//!
//! DataFusion lists them. This module adds globs in URLs, and leaves out what a shell would leave
//! out: hidden files and folders, unless they are named or the glob asks for them, and files in
//! subfolders that a glob does not name.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

use datafusion::catalog::Session;
use datafusion::common::{DataFusionError, Result, TableReference, plan_err};
use datafusion::datasource::listing::ListingTableUrl;
use datafusion::object_store::path::Path;
use datafusion::object_store::{Error as StoreError, ObjectMeta, ObjectStore};
use futures::TryStreamExt;

use crate::formats::listed_files::forget_listed_files;
use crate::formats::log::blocks::Compression;

/// Checked locations, all on one object store.
#[derive(Debug, Clone)]
pub(crate) struct Locations {
    urls: Vec<ListingTableUrl>,
}

impl Locations {
    /// Parses the locations of a CREATE.
    ///
    /// # Errors
    /// When a location is not a path or URL, there is none, or they are on two object stores.
    pub(crate) fn try_new(locations: &[String], table: &TableReference) -> Result<Self> {
        let parse = |location: &String| Ok(parse_url(location)?.with_table_ref(table.clone()));
        let urls = locations.iter().map(parse).collect::<Result<Vec<_>>>()?;
        let Some(first) = urls.first() else {
            return plan_err!(
                "STORED AS LOG needs a LOCATION: a file, a folder, a glob or an object store URL"
            );
        };
        let store = first.object_store();
        if let Some(other) = urls.iter().find(|url| url.object_store() != store) {
            return plan_err!(
                "All locations of a table must be on the same object store, got {} and {}: \
                 make two tables and join them with UNION ALL",
                store.as_str(),
                other.object_store().as_str()
            );
        }
        Ok(Self { urls })
    }

    pub(crate) fn urls(&self) -> &[ListingTableUrl] {
        &self.urls
    }

    /// Whether the files are on the local file system.
    pub(crate) fn are_local(&self) -> bool {
        self.urls.iter().all(|url| url.scheme() == "file")
    }

    /// The prefix of the path of a file: `/` for local files.
    pub(crate) fn path_prefix(&self) -> &'static str {
        match self.urls.first() {
            Some(url) if url.scheme() == "file" => "/",
            _ => "",
        }
    }

    /// Checks that globs find what they name. While subfolders are ignored, DataFusion matches a
    /// glob only against the first name below its folder: a glob that names folders would find
    /// nothing, and `**` would silently find only the files at the top.
    ///
    /// # Errors
    /// When a glob names folders while subfolders are ignored.
    pub(crate) fn check_globs(&self, ignores_folders_below: bool) -> Result<()> {
        match self.urls.iter().find(|url| names_folders(url)) {
            Some(url) if ignores_folders_below => plan_err!(
                "The glob '{}' at '{}' names folders. A glob that names folders needs \
                 SET datafusion.execution.listing_table_ignore_subdirectory = false",
                glob_of(url),
                place(url)
            ),
            _ => Ok(()),
        }
    }

    /// The files at the locations, by path.
    ///
    /// # Errors
    /// When a location has no file, or a file has a compression that is not supported.
    pub(crate) async fn files(
        &self,
        session: &dyn Session,
        store: &Arc<dyn ObjectStore>,
    ) -> Result<Vec<ObjectMeta>> {
        let ignores_folders_below = session
            .config_options()
            .execution
            .listing_table_ignore_subdirectory;
        self.check_globs(ignores_folders_below)?;
        forget_listed_files(session, &self.urls);
        let mut files = BTreeMap::new();
        for url in &self.urls {
            if self.are_local() {
                let found = local_listing(url, ignores_folders_below);
                if found.files.is_empty() {
                    return match found.problems.first() {
                        Some(problem) => plan_err!("{problem}"),
                        None => no_file(url),
                    };
                }
                for path in &found.files {
                    let file = meta_of(path)?;
                    Compression::of(&file.location, self.path_prefix())?;
                    files.insert(file.location.clone(), file);
                }
                continue;
            }
            let listed = match url.list_all_files(session, store.as_ref(), "").await {
                Ok(listed) => listed.try_collect::<Vec<_>>().await,
                Err(error) => Err(error),
            };
            let listed = match listed {
                Err(error) if !is_not_found(&error) => return Err(error),
                listed => listed.unwrap_or_default(),
            };
            let is_wanted = |file: &ObjectMeta| wants(url, &file.location, ignores_folders_below);
            let found: Vec<_> = listed.into_iter().filter(is_wanted).collect();
            if found.is_empty() {
                return no_file(url);
            }
            for file in found {
                Compression::of(&file.location, self.path_prefix())?;
                files.insert(file.location.clone(), file);
            }
        }
        Ok(files.into_values().collect())
    }

    /// The files that are on the local file system now, in no particular order. An unreadable
    /// folder counts as empty.
    pub(crate) fn local_files(&self, ignores_folders_below: bool) -> Vec<PathBuf> {
        let urls = self.urls.iter();
        urls.flat_map(|url| named_files(url, ignores_folders_below).files)
            .collect()
    }

    /// The files on the local file system that can be read, and why others cannot.
    pub(crate) fn readable_files(&self, ignores_folders_below: bool) -> LocalListing {
        let mut all = LocalListing::default();
        for url in &self.urls {
            let listing = local_listing(url, ignores_folders_below);
            all.files.extend(listing.files);
            all.problems.extend(listing.problems);
        }
        all.files.sort_unstable();
        all.files.dedup();
        all
    }

    /// The first location whose folder does not exist: it has no files yet and is not likely to get
    /// any.
    pub(crate) fn missing_folder(&self) -> Option<String> {
        let is_missing = |url: &&ListingTableUrl| {
            let place = PathBuf::from(format!("/{}", url.prefix()));
            let folder = if url.is_collection() {
                Some(place.as_path())
            } else {
                place.parent()
            };
            folder.is_none_or(|folder| !folder.is_dir())
        };
        self.urls.iter().find(is_missing).map(place)
    }

    /// Whether a listed file belongs to the table.
    pub(crate) fn want(&self, path: &Path, ignores_folders_below: bool) -> bool {
        self.urls
            .iter()
            .any(|url| wants(url, path, ignores_folders_below))
    }
}

/// Files, and sentences about those that cannot be read.
#[derive(Debug, Default)]
pub(crate) struct LocalListing {
    pub(crate) files: Vec<PathBuf>,
    pub(crate) problems: Vec<String>,
}

/// The files of a location that can be read. A file that is named itself is one of them in any
/// case: then the query fails where a file among others would be left out.
fn local_listing(url: &ListingTableUrl, ignores_folders_below: bool) -> LocalListing {
    let mut listing = named_files(url, ignores_folders_below);
    if place_of(url).is_file() {
        return listing;
    }
    let files = std::mem::take(&mut listing.files);
    for path in files {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let shown = path.display();
        if let Some(extension) = Compression::refused(&name) {
            let problem = format!("{shown} is left out: {extension} is not read");
            listing.problems.push(problem);
        } else if let Err(error) = File::open(&path) {
            let problem = format!("{shown} is left out: {}", in_words(&error));
            listing.problems.push(problem);
        } else {
            listing.files.push(path);
        }
    }
    listing
}

/// The files of a location by their names, whether they can be read or not.
fn named_files(url: &ListingTableUrl, ignores_folders_below: bool) -> LocalListing {
    let place = place_of(url);
    if place.is_file() {
        return LocalListing {
            files: vec![place],
            problems: vec![],
        };
    }
    let mut listing = LocalListing::default();
    let mut folders = vec![place];
    while let Some(folder) = folders.pop() {
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => {
                let (shown, why) = (folder.display(), in_words(&error));
                listing
                    .problems
                    .push(format!("the folder {shown} is left out: {why}"));
                continue;
            }
        };
        for entry in entries.flatten() {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                // The folders of partitions are names of values.
                let is_partition = entry.file_name().to_string_lossy().contains('=');
                if !ignores_folders_below || is_partition {
                    folders.push(path);
                }
            } else if Path::from_absolute_path(&path)
                .is_ok_and(|path| wants(url, &path, ignores_folders_below))
            {
                listing.files.push(path);
            }
        }
    }
    listing
}

/// Whether a path is a pipe, which is read once.
pub(crate) fn is_pipe(path: &std::path::Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        std::fs::metadata(path).is_ok_and(|file| file.file_type().is_fifo())
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

fn in_words(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::PermissionDenied => "permission denied".to_string(),
        _ => error.to_string(),
    }
}

/// What an object store says of a local file.
///
/// # Errors
/// When it is gone.
pub(crate) fn meta_of(path: &std::path::Path) -> Result<ObjectMeta> {
    let file = std::fs::metadata(path)?;
    Ok(ObjectMeta {
        location: Path::from_absolute_path(path)?,
        last_modified: file.modified()?.into(),
        size: file.len(),
        e_tag: None,
        version: None,
    })
}

fn place_of(url: &ListingTableUrl) -> PathBuf {
    let path = format!("/{}", url.prefix());
    PathBuf::from(path)
}

fn glob_of(url: &ListingTableUrl) -> &str {
    url.get_glob().as_ref().map_or("", |glob| glob.as_str())
}

fn names_folders(url: &ListingTableUrl) -> bool {
    let glob = glob_of(url);
    glob.contains('/') || glob.contains("**")
}

/// The folder or file of a location, as a person would write it.
fn place(url: &ListingTableUrl) -> String {
    match url.scheme() {
        "file" => format!("/{}", url.prefix()),
        _ => url.as_str().to_string(),
    }
}

fn wants(url: &ListingTableUrl, path: &Path, ignores_folders_below: bool) -> bool {
    if url.prefix() == path {
        return true;
    }
    let Some(segments) = url.strip_prefix(path) else {
        return false;
    };
    let segments: Vec<&str> = segments.collect();
    let glob = glob_of(url);
    let asks_for_hidden = glob.split('/').any(|segment| segment.starts_with('.'));
    let is_hidden = segments.iter().any(|segment| segment.starts_with('.'));
    let depth = segments
        .iter()
        .filter(|segment| !segment.contains('='))
        .count();
    let is_too_deep = ignores_folders_below && !glob.is_empty() && depth > 1;
    url.contains(path, ignores_folders_below) && (asks_for_hidden || !is_hidden) && !is_too_deep
}

/// Parses a location. Globs work in paths; this makes them work in URLs too.
fn parse_url(location: &str) -> Result<ListingTableUrl> {
    if let Some((scheme, path)) = location.split_once("://")
        && let Some(at) = path.find(['*', '['])
        && let Some(slash) = path[..at].rfind('/')
    {
        let folder = format!("{scheme}://{}", &path[..=slash]);
        return ListingTableUrl::parse(folder)?.with_glob(&path[slash + 1..]);
    }
    ListingTableUrl::parse(location)
}

fn no_file<T>(url: &ListingTableUrl) -> Result<T> {
    let place = place(url);
    match url.get_glob() {
        Some(glob) => plan_err!(
            "No log file at '{place}' that matches the glob '{glob}'. LOCATION takes a file, a folder \
             ('/var/log/app/') or a glob ('/var/log/app/*.log')"
        ),
        None => plan_err!(
            "No log file at '{place}': there is no such file, or the folder is missing or empty. LOCATION takes \
             a file, a folder ('/var/log/app/') or a glob ('/var/log/app/*.log')"
        ),
    }
}

fn is_not_found(error: &DataFusionError) -> bool {
    match error.find_root() {
        DataFusionError::ObjectStore(error) => matches!(**error, StoreError::NotFound { .. }),
        _ => false,
    }
}
