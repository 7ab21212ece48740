//! Log files that are followed: `CREATE UNBOUNDED EXTERNAL TABLE logs STORED AS LOG LOCATION '/var/log/app/*.log'`.
//!
//! Which bytes come next is known to [`FollowedFiles`], which sees through rotations; here they become rows. Of several
//! files with unread bytes, the one that is furthest behind in event time is read first, so that a backlog of many files
//! comes nearly in order and little of it is held.
//!
//! Compressed files are finished files: one that is there at the start, or whose content was not followed, is read once.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use chrono::DateTime;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use datafusion::object_store::{ObjectStore, path::Path};
use serde_json::json;
use tokio::runtime::Handle;

use crate::functions::ts::times::SECOND;
use crate::tables::live::follow::{
    FileState, FollowOptions, FollowedFiles, ReadFrom as FollowFrom,
};
use crate::tables::live::options::ReadFrom;
use crate::tables::live::source::{LiveSource, PartitionNews, Polled, Positions, SourceReader};
use crate::tables::log_file::blocks::Compression;
use crate::tables::log_file::growing::GrowingLog;
use crate::tables::log_file::locations::Locations;
use crate::tables::log_file::packed::PackedFiles;
use crate::tables::log_file::spec::LogSpec;

/// Bytes of one poll.
const POLL_BYTES: usize = 1 << 20;
/// The first look into a file only tells where in time it is.
const FIRST_BYTES: usize = 64 << 10;
/// How often folders are looked at.
const RESCAN_INTERVAL: i64 = SECOND / 4;
/// Followed files have even partitions, compressed ones odd ones.
const PARTITION_STRIDE: u64 = 2;

/// The files of a live log table.
#[derive(Debug)]
pub(crate) struct FollowedLogs {
    pub(crate) spec: Arc<LogSpec>,
    pub(crate) locations: Locations,
    pub(crate) ignores_folders_below: bool,
    pub(crate) read_from: ReadFrom,
    pub(crate) store: Arc<dyn ObjectStore>,
}

impl LiveSource for FollowedLogs {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.spec.columns.schema)
    }

    fn open(
        &self,
        columns: &[usize],
        positions: Option<&Positions>,
    ) -> Result<Box<dyn SourceReader>> {
        let options = FollowOptions {
            read_from: match self.read_from {
                ReadFrom::Start => FollowFrom::Start,
                ReadFrom::End => FollowFrom::End,
            },
            ..FollowOptions::default()
        };
        let handle = Handle::try_current();
        let handle = handle
            .map_err(|_| exec_datafusion_err!("a live table is read within a tokio runtime"))?;
        let mut reader = FollowedReader {
            spec: Arc::clone(&self.spec),
            columns: columns.to_vec(),
            listing: Listing {
                locations: self.locations.clone(),
                ignores_folders_below: self.ignores_folders_below,
            },
            files: FollowedFiles::new(options),
            logs: BTreeMap::new(),
            resumed_lines: HashMap::new(),
            packed: PackedFiles::new(Arc::clone(&self.store), handle, self.read_from),
            rescan_at: i64::MIN,
        };
        if let Some(positions) = positions {
            reader.seek(options, positions)?;
        }
        Ok(Box::new(reader))
    }
}

/// Which files are there now.
#[derive(Debug)]
struct Listing {
    locations: Locations,
    ignores_folders_below: bool,
}

impl Listing {
    /// Plain files and compressed ones.
    fn paths(&self) -> (Vec<PathBuf>, Vec<PathBuf>) {
        let paths = self.locations.local_files(self.ignores_folders_below);
        paths.into_iter().partition(|path| {
            let name = path.to_string_lossy();
            // What is compressed otherwise is refused when the table is made; later it is left alone.
            matches!(
                Compression::of(&Path::from(name.as_ref()), "/"),
                Ok(Compression::Plain)
            )
        })
    }
}

/// The reader.
#[derive(Debug)]
struct FollowedReader {
    spec: Arc<LogSpec>,
    columns: Vec<usize>,
    listing: Listing,
    files: FollowedFiles,
    /// By the id of the file.
    logs: BTreeMap<u64, GrowingLog>,
    /// Line numbers at which files go on after a restart.
    resumed_lines: HashMap<PathBuf, u64>,
    packed: PackedFiles,
    rescan_at: i64,
}

impl FollowedReader {
    fn seek(&mut self, options: FollowOptions, positions: &Positions) -> Result<()> {
        let wrong = || exec_datafusion_err!("these positions are not of followed log files");
        let files = serde_json::from_value(positions["files"].clone()).map_err(|_| wrong())?;
        self.files = match FollowedFiles::with_positions(options, files) {
            Ok(files) => files,
            Err(version) => {
                return exec_err!("positions of version {version} are not known to this version");
            }
        };
        self.resumed_lines =
            serde_json::from_value(positions["lines"].clone()).map_err(|_| wrong())?;
        let done = serde_json::from_value(positions["packed"].clone()).map_err(|_| wrong())?;
        self.packed.seek(done);
        Ok(())
    }

    fn rescan(&mut self, now: i64, polled: &mut Polled) {
        let (plain, packed) = self.listing.paths();
        self.files.rescan(&plain, now);
        for problem in self.files.take_problems() {
            polled.problems.push(problem.to_string());
        }
        self.packed.rescan(packed, now);
        self.rescan_at = now.saturating_add(RESCAN_INTERVAL);
    }

    /// Files with unread bytes, the one that is furthest behind first.
    fn unread(&self, newest: &HashMap<u64, i64>) -> Vec<u64> {
        let unread = self.files.files().filter(|file| file.has_more);
        let mut unread: Vec<_> = unread
            .map(|file| {
                (
                    newest
                        .get(&partition_of(file.id))
                        .copied()
                        .unwrap_or(i64::MIN),
                    file.id,
                )
            })
            .collect();
        unread.sort_unstable();
        unread.into_iter().map(|(_, id)| id).collect()
    }

    /// Reads at most `max_bytes` of a file; how many it were.
    fn read(&mut self, id: u64, max_bytes: usize, now: i64, polled: &mut Polled) -> Result<usize> {
        let mut block = Vec::new();
        let piece = match self.files.read(id, max_bytes, &mut block) {
            Ok(piece) => piece,
            Err(error) => {
                polled
                    .problems
                    .push(format!("a log file cannot be read: {error}"));
                return Ok(0);
            }
        };
        if !self.logs.contains_key(&id) {
            let log = self.open_log(id, piece.offset)?;
            self.logs.insert(id, log);
        }
        let Some(log) = self.logs.get_mut(&id) else {
            return Ok(0);
        };
        log.feed(block, DateTime::from_timestamp_nanos(now));
        log.hand_over(partition_of(id), polled)?;
        self.files.consumed(id, log.position().0);
        polled.bytes += piece.n_bytes as u64;
        Ok(piece.n_bytes)
    }

    fn open_log(&mut self, id: u64, offset: u64) -> Result<GrowingLog> {
        let path = self
            .files
            .files()
            .find(|file| file.id == id)
            .map(|file| file.path.to_path_buf());
        let path = path.unwrap_or_default();
        let line_number = self.resumed_lines.remove(&path).unwrap_or(1);
        let name = path.to_string_lossy();
        GrowingLog::try_new(&self.spec, &self.columns, &name, (offset, line_number))
    }

    /// Says how far each file is, and ends what is complete.
    fn tell(&mut self, now: i64, polled: &mut Polled) -> Result<()> {
        let states: Vec<_> = self
            .files
            .files()
            .map(|file| (file.id, news_of(&file), file.is_finished, file.offset))
            .collect();
        for (id, news, is_finished, offset) in states {
            if let (PartitionNews::CaughtUp(since), Some(log)) = (news, self.logs.get_mut(&id)) {
                if is_finished {
                    log.finish();
                } else if log.is_quiet_for(now.saturating_sub(since)) {
                    log.end_event();
                }
                log.hand_over(partition_of(id), polled)?;
                self.files.consumed(id, log.position().0);
            }
            if is_finished {
                self.files.consumed(id, offset);
                self.logs.remove(&id);
                polled.news.push((partition_of(id), PartitionNews::Closed));
            } else {
                polled.news.push((partition_of(id), news));
            }
        }
        Ok(())
    }
}

fn partition_of(id: u64) -> u64 {
    id * PARTITION_STRIDE
}

fn news_of(file: &FileState<'_>) -> PartitionNews {
    if file.has_more {
        PartitionNews::Behind
    } else {
        PartitionNews::CaughtUp(file.modified_ns.min(file.quiet_since_ns))
    }
}

impl SourceReader for FollowedReader {
    fn poll(&mut self, now: i64, newest: &HashMap<u64, i64>, polled: &mut Polled) -> Result<()> {
        if now >= self.rescan_at {
            self.rescan(now, polled);
        }
        for file in self.files.files() {
            if !self.logs.contains_key(&file.id) {
                polled
                    .news
                    .push((partition_of(file.id), PartitionNews::Opened));
            }
        }
        self.packed
            .read(&self.spec, &self.columns, &self.files, polled)?;
        let mut n_bytes = 0;
        for id in self.unread(newest) {
            if n_bytes >= POLL_BYTES {
                break;
            }
            let is_first = !self.logs.contains_key(&id);
            let max_bytes = if is_first {
                FIRST_BYTES
            } else {
                POLL_BYTES - n_bytes
            };
            n_bytes += self.read(id, max_bytes, now, polled)?;
        }
        self.tell(now, polled)?;
        polled.has_more =
            n_bytes > 0 && self.files.files().any(|file| file.has_more) || self.packed.has_more();
        Ok(())
    }

    fn positions(&self) -> Positions {
        let lines = self.files.files().filter_map(|file| {
            let (_, line_number) = self.logs.get(&file.id)?.position();
            Some((file.path.to_string_lossy().into_owned(), line_number))
        });
        let resumed = self
            .resumed_lines
            .iter()
            .map(|(path, line)| (path.to_string_lossy().into_owned(), *line));
        let lines: BTreeMap<String, u64> = resumed.chain(lines).collect();
        json!({ "files": self.files.positions(), "lines": lines, "packed": self.packed.done() })
    }
}
