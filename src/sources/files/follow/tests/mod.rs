//! Tests with real files. The time is made up: it starts at the true time, since files have true
//! times, and moves when a test says so.

mod cases;
mod load;
mod restarts;
mod script;

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use tempfile::TempDir;

use crate::algorithms::units::SECOND;
use crate::sources::files::follow::positions::FilePositions;
use crate::sources::files::follow::state::{FollowFrom, FollowOptions, FollowedFiles, Problem};

/// Which names of the folder are listed.
type Listing = fn(&str) -> bool;

const ONLY_APP: Listing = |name| name == "app.log";
const APP_STAR: Listing = |name| name.starts_with("app.log");
const ALL: Listing = |_| true;

/// A folder that is followed, and what was read.
struct Rig {
    folder: TempDir,
    listing: Listing,
    files: FollowedFiles,
    now_ns: i64,
    /// By id.
    read: BTreeMap<u64, Vec<u8>>,
    finished: Vec<u64>,
    block_bytes: usize,
}

fn true_time_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_nanos()).unwrap()
}

impl Rig {
    fn new(listing: Listing) -> Self {
        Self::with(listing, FollowOptions::default())
    }

    fn with(listing: Listing, options: FollowOptions) -> Self {
        Self {
            folder: TempDir::new().unwrap(),
            listing,
            files: FollowedFiles::new(options),
            now_ns: true_time_ns(),
            read: BTreeMap::new(),
            finished: Vec::new(),
            block_bytes: 1000,
        }
    }

    fn from_end(listing: Listing) -> Self {
        let options = FollowOptions {
            read_from: FollowFrom::End,
            ..FollowOptions::default()
        };
        Self::with(listing, options)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn append(&self, name: &str, text: &str) {
        append(&self.path(name), text);
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    fn copy(&self, from: &str, to: &str) {
        fs::copy(self.path(from), self.path(to)).unwrap();
    }

    fn truncate(&self, name: &str, len: u64) {
        let file = OpenOptions::new().write(true).open(self.path(name));
        file.unwrap().set_len(len).unwrap();
    }

    fn copytruncate(&self, name: &str, to: &str) {
        self.copy(name, to);
        self.truncate(name, 0);
    }

    fn pass(&mut self, seconds: i64) {
        self.now_ns += seconds * SECOND;
    }

    fn listed(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        paths.filter(|path| (self.listing)(&name(path))).collect()
    }

    fn rescan(&mut self) {
        let listed = self.listed();
        self.files.rescan(listed, self.now_ns);
    }

    /// Reads one block of the `nth` file that has more; `false` if none has.
    fn read_one(&mut self, nth: usize) -> bool {
        let ids: Vec<u64> = (self.files.files().filter(|file| file.has_more))
            .map(|file| file.id)
            .collect();
        if ids.is_empty() {
            return false;
        }
        let id = ids[nth % ids.len()];
        let mut buffer = Vec::new();
        let piece = self.files.read(id, self.block_bytes, &mut buffer).unwrap();
        let read = self.read.entry(id).or_default();
        assert_eq!(piece.n_bytes, buffer.len());
        assert!(!self.finished.contains(&id), "bytes after the end of {id}");
        read.extend_from_slice(&buffer);
        self.files.consumed(id, piece.offset + buffer.len() as u64);
        true
    }

    fn note_finished(&mut self) {
        let ids = (self.files.files())
            .filter(|file| file.is_finished)
            .map(|file| file.id);
        for id in ids {
            if !self.finished.contains(&id) {
                self.finished.push(id);
            }
        }
    }

    /// One rescan, and all that there is to read.
    fn poll(&mut self) {
        self.rescan();
        while self.read_one(0) {}
        self.note_finished();
    }

    /// Polls until every grace has passed.
    fn settle(&mut self) {
        for _ in 0..12 {
            self.poll();
            self.pass(1);
        }
    }

    /// What was read, by id.
    fn texts(&self) -> Vec<&str> {
        let read = self.read.values().filter(|read| !read.is_empty());
        read.map(|read| std::str::from_utf8(read).unwrap())
            .collect()
    }

    #[track_caller]
    fn check(&self, expected: &[&str]) {
        assert_eq!(self.texts(), expected);
    }

    #[track_caller]
    fn check_problems(&mut self, expected: &[&str]) {
        let folder = format!("{}/", self.folder.path().display());
        let problems = self.files.take_problems();
        let texts = problems.iter().map(Problem::to_string);
        let texts: Vec<String> = texts.map(|text| text.replace(&folder, "")).collect();
        assert_eq!(texts, expected);
    }

    /// Ends and begins again with written positions.
    fn restart(&mut self) {
        let written = serde_json::to_string(&self.files.positions()).unwrap();
        self.resume(serde_json::from_str(&written).unwrap());
    }

    fn resume(&mut self, positions: FilePositions) {
        let options = FollowOptions {
            uses_inodes: self.files.disk.uses_inodes(),
            ..FollowOptions::default()
        };
        self.files = FollowedFiles::with_positions(options, positions);
        self.read.clear();
        self.finished.clear();
    }
}

fn append(path: &Path, text: &str) {
    let file = OpenOptions::new().append(true).create(true).open(path);
    file.unwrap().write_all(text.as_bytes()).unwrap();
}

/// Numbered lines, of about 30 bytes each.
fn lines(name: &str, numbers: std::ops::Range<u32>) -> String {
    let line = |n| format!("{name}:{n:08} {:>18}\n", n * 7);
    numbers.map(line).collect()
}
