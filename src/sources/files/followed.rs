//! Log files that are followed: `CREATE UNBOUNDED EXTERNAL TABLE logs STORED AS LOG LOCATION
//! '/var/log/app/*.log'`.
//!
//! [`FollowedFiles`] knows which bytes come next, through all rotations; this module makes rows of
//! them. If several files have unread bytes, the one that is furthest behind in event time is read
//! first, so that a backlog of many files comes nearly in order and little of it is held.
//!
//! What was read between two written positions can be read again exactly: the bytes are found by
//! their content, and the positions record where an event was cut because nothing followed in time.
//!
//! Compressed files are finished. One that is there at the start, or whose content was not
//! followed, is read once. If the content was followed, only the part that was not read before is
//! read.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use chrono::DateTime;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::object_store::{ObjectStore, path::Path};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

use crate::algorithms::units::SECOND;
use crate::formats::log::blocks::Compression;
use crate::formats::log::locations::Locations;
use crate::formats::log::spec::LogSpec;
use crate::sources::files::follow::positions::FilePositions;
use crate::sources::files::follow::reread::Stretch;
use crate::sources::files::follow::state::{
    FileState, FollowFrom, FollowOptions, FollowedFiles, Problem,
};
use crate::sources::files::growing::GrowingLog;
use crate::sources::files::packed::{PackedFiles, PackedPositions};
use crate::sources::files::partitions::{FIRST_BYTES, PARTITION_STRIDE};
use crate::sources::files::replay::{Bytes, Replay, ReplayPart, Sources};
use crate::streams::live_options::ReadFrom;
use crate::streams::source::{
    LiveSource, PartitionNews, Polled, PositionsBody, PositionsKind, SourceReader, positions_of,
};

/// The bytes of one poll.
const POLL_BYTES: usize = 1 << 20;
/// How often folders are listed.
const RESCAN_INTERVAL: i64 = SECOND / 4;
/// The number of cuts at which a range ends, so that positions never have more, except for those of
/// one poll: one per file. An event of many lines that are written more than a second apart makes
/// one cut per line, so this is a quarter of an hour of that. It is about 20 kB, which are written
/// with all positions of a pipeline.
const MAX_CUTS: usize = 1024;

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

    fn positions_kind(&self) -> PositionsKind {
        PositionsKind::new("log files", 1)
    }

    fn open(
        &self,
        columns: &[usize],
        positions: Option<&PositionsBody>,
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
        self.spec.counters.add_scan();
        let mut reader = FollowedReader {
            spec: Arc::clone(&self.spec),
            columns: columns.to_vec(),
            listing: Listing {
                locations: self.locations.clone(),
                ignores_folders_below: self.ignores_folders_below,
            },
            files: FollowedFiles::new(options),
            logs: BTreeMap::new(),
            resumed_lines: BTreeMap::new(),
            cuts: Vec::new(),
            is_range_over: false,
            options,
            read_at: 0,
            packed: PackedFiles::new(Arc::clone(&self.store), handle, self.read_from),
            failing: BTreeSet::new(),
            rescan_at: i64::MIN,
            replay: None,
        };
        if let Some(positions) = positions {
            reader.seek(FollowedPositions::parse(positions)?);
        }
        Ok(Box::new(reader))
    }

    fn is_replayable(&self) -> bool {
        true
    }
}

/// The written form of the position of a reader.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct FollowedPositions {
    files: FilePositions,
    /// The number of the line at which each file continues, by id.
    lines: BTreeMap<u64, u64>,
    /// Where events were cut in two since the last range ended: the id of the file, and the offset.
    cuts: Vec<(u64, u64)>,
    /// When files were read last, which gives the year of times that have none.
    read_at: i64,
    packed: PackedPositions,
}

impl FollowedPositions {
    pub(crate) fn parse(positions: &PositionsBody) -> Result<Self> {
        Self::deserialize(positions)
            .map_err(|_| exec_datafusion_err!("these positions are not of followed log files"))
    }

    /// Where the events of a stretch were cut.
    fn cuts_in(&self, stretch: &Stretch) -> BTreeSet<u64> {
        let cuts = self.cuts.iter();
        let inside = cuts.filter(|(id, at)| *id == stretch.id && stretch.from <= *at);
        inside.map(|(_, at)| *at).collect()
    }
}

/// Finds the files that are there now.
#[derive(Debug)]
struct Listing {
    locations: Locations,
    ignores_folders_below: bool,
}

impl Listing {
    /// The plain files, and the compressed ones.
    fn paths(&self) -> (Vec<PathBuf>, Vec<PathBuf>) {
        let paths = self.locations.local_files(self.ignores_folders_below);
        paths.into_iter().partition(|path| {
            let name = path.to_string_lossy();
            // A file with another compression is refused when the table is made. One that appears
            // later is noted as a problem.
            matches!(
                Compression::of(&Path::from(name.as_ref()), "/"),
                Ok(Compression::Plain)
            )
        })
    }
}

/// A reader of followed logs.
#[derive(Debug)]
struct FollowedReader {
    spec: Arc<LogSpec>,
    columns: Vec<usize>,
    listing: Listing,
    files: FollowedFiles,
    /// The logs that are being read, by the id of the file.
    logs: BTreeMap<u64, GrowingLog>,
    /// Line numbers at which files continue after a restart, by the id of the file.
    resumed_lines: BTreeMap<u64, u64>,
    /// Where events were cut because nothing followed in time, although more came later: the id of
    /// the file, and the offset.
    cuts: Vec<(u64, u64)>,
    /// The last poll has ended a range.
    is_range_over: bool,
    options: FollowOptions,
    read_at: i64,
    packed: PackedFiles,
    /// Files whose last read failed. They are tried again, but the watermark does not wait for
    /// them.
    failing: BTreeSet<u64>,
    rescan_at: i64,
    /// The replay under way, and the positions at which it ends.
    replay: Option<(FollowedPositions, Replay)>,
}

impl FollowedReader {
    /// Continues at the positions of an earlier reader.
    fn seek(&mut self, written: FollowedPositions) {
        self.files = FollowedFiles::with_positions(self.options, written.files);
        self.logs.clear();
        self.failing.clear();
        self.resumed_lines = written.lines;
        // A reader that continues here is never asked for what was before.
        self.cuts.clear();
        self.read_at = written.read_at;
        self.packed.seek(written.packed);
        self.rescan_at = i64::MIN;
    }

    fn written(&self) -> FollowedPositions {
        let ids = self.files.ids_of_positions();
        FollowedPositions {
            files: self.files.positions(),
            lines: ids.map(|id| (id, self.line_number(id))).collect(),
            cuts: self.cuts.clone(),
            read_at: self.read_at,
            packed: self.packed.positions(),
        }
    }

    /// Notes how far a file was handed out.
    fn note(&mut self, id: u64) {
        let Some(log) = self.logs.get_mut(&id) else {
            return;
        };
        self.cuts
            .extend(log.take_cuts().into_iter().map(|offset| (id, offset)));
        self.files.consumed(id, log.position().0);
    }

    /// A replay of what lies between the current and later positions.
    fn replay_of(&self, later: &FollowedPositions, now: i64, polled: &mut Polled) -> Replay {
        let before = self.written();
        let (stretches, unknown) = before.files.stretches(&later.files);
        for path in unknown {
            let path = path.display();
            polled.problems.push(format!(
                "how far {path} was read before is no longer known: what was read of it is left out"
            ));
        }
        let plain = stretches.into_iter().map(|stretch| ReplayPart {
            partition: partition_of(stretch.id),
            // Until it is found again it counts as a quiet file, for which the watermark does not
            // wait long.
            news: if later.files.is_followed(stretch.id) {
                PartitionNews::CaughtUp(now)
            } else {
                PartitionNews::Closed
            },
            bytes: Bytes::Plain {
                line_number: before.lines.get(&stretch.id).copied().unwrap_or(1),
                cuts: later.cuts_in(&stretch),
                read_at: later.read_at,
                stretch,
            },
        });
        let packed = self.packed.stretches(&later.packed).into_iter();
        let packed = packed.map(|stretch| ReplayPart {
            partition: stretch.partition,
            // If there is more of it, it is opened again.
            news: PartitionNews::Closed,
            bytes: Bytes::Packed(stretch),
        });
        Replay::new(plain.chain(packed).collect())
    }

    fn rescan(&mut self, now: i64, polled: &mut Polled) {
        let (plain, packed) = self.listing.paths();
        self.files.rescan(&plain, now);
        for id in self.files.missing() {
            self.go_on_in_packed(id, &packed, now, polled);
        }
        for problem in self.files.take_problems() {
            if let Problem::More { n_problems } = problem {
                polled.n_more_problems += n_problems.saturating_sub(1);
            }
            polled.problems.push(problem.to_string());
        }
        self.packed.rescan(&packed, now, polled);
        self.rescan_at = now.saturating_add(RESCAN_INTERVAL);
    }

    /// Continues a file that is found nowhere in its compressed form, if it was compressed before
    /// it was read to its end.
    fn go_on_in_packed(&mut self, id: u64, packed: &[PathBuf], now: i64, polled: &mut Polled) {
        let Some(rest) = self.files.rest(id) else {
            return;
        };
        let line_number = self.line_number(id);
        if self.packed.go_on(&rest, line_number, packed, now, polled) {
            self.files.let_go(id);
            // The part of an event that the log holds is read again.
            self.logs.remove(&id);
            self.resumed_lines.remove(&id);
        }
    }

    /// Forgets what positions must record of a range that is over.
    fn begin_range(&mut self) {
        self.cuts.clear();
        self.files.begin_range();
        self.packed.begin_range();
    }

    /// Whether positions have reached a limit. A replay needs all of them, so nothing is dropped:
    /// the range ends.
    fn ends_range(&self) -> bool {
        self.cuts.len() >= MAX_CUTS || self.files.ends_range() || self.packed.ends_range()
    }

    /// The number of the line at which a file continues after a restart.
    fn line_number(&self, id: u64) -> u64 {
        match self.logs.get(&id) {
            Some(log) => log.position().1,
            None => self.resumed_lines.get(&id).copied().unwrap_or(1),
        }
    }

    /// The partitions of files with unread bytes, those furthest behind in event time first.
    fn unread(&self, newest: &HashMap<u64, i64>) -> Vec<u64> {
        let followed = self.files.files().filter(|file| file.has_more);
        let followed = followed.map(|file| (true, partition_of(file.id)));
        let packed = self.packed.unread().map(|partition| (false, partition));
        let mut unread: Vec<_> = packed.chain(followed).collect();
        // Among those that were not read yet, the compressed ones come first: they are older.
        unread.sort_by_key(|(is_followed, partition)| {
            (newest.get(partition).copied(), *is_followed, *partition)
        });
        unread.into_iter().map(|(_, partition)| partition).collect()
    }

    /// Reads at most `max_bytes` of a file, and returns how many bytes it read.
    fn read(&mut self, id: u64, max_bytes: usize, now: i64, polled: &mut Polled) -> Result<usize> {
        let max_bytes = if self.logs.contains_key(&id) {
            max_bytes
        } else {
            max_bytes.min(FIRST_BYTES)
        };
        let mut block = Vec::new();
        let piece = match self.files.read(id, max_bytes, &mut block) {
            Ok(piece) => piece,
            Err(error) => {
                polled
                    .problems
                    .push(format!("a log file cannot be read: {error}"));
                self.failing.insert(id);
                return Ok(0);
            }
        };
        self.failing.remove(&id);
        if !self.logs.contains_key(&id) {
            let log = self.open_log(id, piece.offset)?;
            self.logs.insert(id, log);
        }
        let Some(log) = self.logs.get_mut(&id) else {
            return Ok(0);
        };
        log.feed(block, DateTime::from_timestamp_nanos(now));
        log.hand_over(partition_of(id), polled)?;
        self.note(id);
        polled.bytes += piece.n_bytes as u64;
        Ok(piece.n_bytes)
    }

    fn open_log(&mut self, id: u64, offset: u64) -> Result<GrowingLog> {
        let name = self.files.files().find(|file| file.id == id);
        let name = name.map(|file| file.name.into_owned()).unwrap_or_default();
        let line_number = self.resumed_lines.remove(&id).unwrap_or(1);
        GrowingLog::try_new(&self.spec, &self.columns, &name, (offset, line_number))
    }

    /// Reports how far each file was read, and ends what is complete.
    fn tell(&mut self, now: i64, polled: &mut Polled) -> Result<()> {
        let states: Vec<_> = self
            .files
            .files()
            .map(|file| FollowedState::of(&file))
            .collect();
        for mut state in states {
            state.has_more &= !self.failing.contains(&state.id);
            let partition = partition_of(state.id);
            if let (false, Some(log)) = (state.has_more, self.logs.get_mut(&state.id)) {
                if state.is_finished {
                    log.finish();
                } else if log.is_quiet_for(now.saturating_sub(state.quiet_since)) {
                    log.end_event();
                }
                log.hand_over(partition, polled)?;
                self.note(state.id);
            }
            if state.is_finished {
                self.files.consumed(state.id, state.offset);
                self.logs.remove(&state.id);
                self.failing.remove(&state.id);
            }
            polled.news.push((partition, state.news()));
        }
        Ok(())
    }
}

fn partition_of(id: u64) -> u64 {
    id * PARTITION_STRIDE
}

/// The id of the followed file of a partition; `None` if the partition is a compressed file.
fn followed_in(partition: u64) -> Option<u64> {
    partition
        .is_multiple_of(PARTITION_STRIDE)
        .then_some(partition / PARTITION_STRIDE)
}

/// What is known of a file, without borrowing it.
struct FollowedState {
    id: u64,
    offset: u64,
    has_more: bool,
    is_finished: bool,
    quiet_since: i64,
    modified: i64,
}

impl FollowedState {
    fn of(file: &FileState<'_>) -> Self {
        Self {
            id: file.id,
            offset: file.offset,
            has_more: file.has_more,
            is_finished: file.is_finished,
            quiet_since: file.quiet_since_ns,
            modified: file.modified_ns,
        }
    }

    /// How far the file was read. An old file is idle as soon as it is read, so that a backlog is
    /// not slower than necessary.
    fn news(&self) -> PartitionNews {
        match (self.is_finished, self.has_more) {
            (true, _) => PartitionNews::Closed,
            (false, true) => PartitionNews::Behind,
            (false, false) => PartitionNews::CaughtUp(self.modified.min(self.quiet_since)),
        }
    }
}

impl SourceReader for FollowedReader {
    fn poll(&mut self, now: i64, newest: &HashMap<u64, i64>, polled: &mut Polled) -> Result<()> {
        if std::mem::take(&mut self.is_range_over) {
            self.begin_range();
        }
        self.read_at = now;
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
        let mut n_bytes = 0;
        for partition in self.unread(newest) {
            if n_bytes >= POLL_BYTES {
                break;
            }
            let max_bytes = POLL_BYTES - n_bytes;
            n_bytes += match followed_in(partition) {
                Some(id) => self.read(id, max_bytes, now, polled)?,
                None => {
                    let table = (self.spec.as_ref(), self.columns.as_slice());
                    self.packed
                        .read(partition, max_bytes, table, &self.files, polled)?
                }
            };
        }
        self.packed.close_surplus(newest);
        self.tell(now, polled)?;
        polled.has_more = n_bytes > 0 && self.files.files().any(|file| file.has_more)
            || self.packed.unread().next().is_some();
        polled.ends_range = self.ends_range();
        self.is_range_over = polled.ends_range;
        Ok(())
    }

    fn look(&mut self, now: i64, polled: &mut Polled) -> Result<()> {
        self.read_at = now;
        self.rescan(now, polled);
        Ok(())
    }

    fn replay(
        &mut self,
        upto: &PositionsBody,
        max_bytes: usize,
        now: i64,
        polled: &mut Polled,
    ) -> Result<()> {
        let (later, mut replay) = match self.replay.take() {
            Some(under_way) => under_way,
            None => {
                let later = FollowedPositions::parse(upto)?;
                let replay = self.replay_of(&later, now, polled);
                (later, replay)
            }
        };
        let listing = &self.listing;
        let mut sources = Sources {
            spec: &self.spec,
            columns: &self.columns,
            files: &self.files,
            packed: &mut self.packed,
            listed: &|| listing.paths(),
        };
        replay.step(max_bytes, &mut sources, polled)?;
        polled.has_more = !replay.is_over();
        if polled.has_more {
            self.replay = Some((later, replay));
            return Ok(());
        }
        self.seek(later);
        Ok(())
    }

    fn positions(&self) -> Result<PositionsBody> {
        positions_of(&self.written())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use datafusion::arrow::array::AsArray;
    use datafusion::arrow::datatypes::Int64Type;
    use datafusion::object_store::local::LocalFileSystem;
    use tempfile::TempDir;

    use super::*;
    use crate::formats::log::columns::LogColumns;
    use crate::formats::log::log_options::LogOptions;
    use crate::formats::log::spec::FoundFormats;

    /// A folder whose logs are followed.
    struct Followed {
        folder: TempDir,
        source: FollowedLogs,
        runtime: tokio::runtime::Runtime,
    }

    impl Followed {
        fn new(glob: &str, options: &[(&str, &str)]) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let location = folder.path().join(glob).to_string_lossy().into_owned();
            let options = options
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_string()));
            let mut options: HashMap<_, _> = options.collect();
            options.insert("format".to_string(), "text".to_string());
            let options = LogOptions::try_new(&options, None).unwrap();
            let columns = LogColumns::of_text(None, &Default::default()).unwrap();
            let found = FoundFormats::default();
            let spec = LogSpec::try_new(options, found, columns, Arc::default()).unwrap();
            let source = FollowedLogs {
                spec: Arc::new(spec),
                locations: Locations::try_new(&[location], &"t".into()).unwrap(),
                ignores_folders_below: true,
                read_from: ReadFrom::Start,
                store: Arc::new(LocalFileSystem::new()),
            };
            let runtime = tokio::runtime::Runtime::new().unwrap();
            Self {
                folder,
                source,
                runtime,
            }
        }

        fn append(&self, file: &str, text: &str) {
            let path = self.folder.path().join(file);
            let mut file = fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }

        fn open(&self, positions: Option<&PositionsBody>) -> Box<dyn SourceReader> {
            let _guard = self.runtime.enter();
            self.source.open(&[0, 2], positions).unwrap()
        }
    }

    fn now() -> i64 {
        use crate::streams::clock::{Clock, MachineClock};
        MachineClock.now()
    }

    /// Line numbers and messages that are there at `now`.
    fn lines(reader: &mut Box<dyn SourceReader>, now: i64) -> Vec<(i64, String)> {
        let mut lines = vec![];
        loop {
            let mut polled = Polled::default();
            reader.poll(now, &HashMap::new(), &mut polled).unwrap();
            assert_eq!(polled.problems, Vec::<String>::new());
            for piece in &polled.pieces {
                let numbers = piece.rows.column(1).as_primitive::<Int64Type>().values();
                let messages = piece.rows.column(0).as_string_view().iter().flatten();
                lines.extend(numbers.iter().copied().zip(messages.map(str::to_string)));
            }
            if !polled.has_more {
                return lines;
            }
        }
    }

    fn expected(lines: &[(i64, &str)]) -> Vec<(i64, String)> {
        lines
            .iter()
            .map(|(number, line)| (*number, line.to_string()))
            .collect()
    }

    #[test]
    fn a_half_line_is_held() {
        let logs = Followed::new("*.log", &[]);
        let mut reader = logs.open(None);
        let start = now();
        logs.append("a.log", "one\ntw");
        assert_eq!(lines(&mut reader, start), expected(&[(1, "one")]));
        logs.append("a.log", "o\nthree");
        assert_eq!(lines(&mut reader, start + SECOND), expected(&[(2, "two")]));
        fs::remove_file(logs.folder.path().join("a.log")).unwrap();
        lines(&mut reader, start + 2 * SECOND);
        assert_eq!(
            lines(&mut reader, start + 20 * SECOND),
            expected(&[(3, "three")])
        );
    }

    #[test]
    fn an_event_of_lines_ends_when_nothing_follows() {
        let logs = Followed::new("*.log", &[("multiline", "indent")]);
        let mut reader = logs.open(None);
        let start = now();
        logs.append("a.log", "one\n  at a\n");
        assert_eq!(lines(&mut reader, start), []);
        logs.append("a.log", "  at b\n");
        assert_eq!(lines(&mut reader, start + SECOND / 2), []);
        let event = expected(&[(1, "one\n  at a\n  at b")]);
        assert_eq!(lines(&mut reader, start + 3 * SECOND), event);
        logs.append("a.log", "two\n");
        assert_eq!(lines(&mut reader, start + 4 * SECOND), []);
        let event = expected(&[(4, "two")]);
        assert_eq!(lines(&mut reader, start + 6 * SECOND), event);
    }

    #[test]
    fn reading_goes_on_where_it_stopped() {
        for rotates in [false, true] {
            let logs = Followed::new("*.log*", &[("multiline", "indent")]);
            let mut reader = logs.open(None);
            let start = now();
            logs.append("a.log", "one\ntwo\n  more\n");
            assert_eq!(lines(&mut reader, start), expected(&[(1, "one")]));
            let positions = reader.positions().unwrap().to_string();
            drop(reader);
            if rotates {
                let path = logs.folder.path().join("a.log");
                fs::rename(&path, path.with_extension("log.1")).unwrap();
            }
            logs.append(if rotates { "a.log.1" } else { "a.log" }, "three\n");
            logs.append("b.log", "other\n");
            let positions = serde_json::from_str(&positions).unwrap();
            let mut reader = logs.open(Some(&positions));
            let mut found = lines(&mut reader, start + SECOND);
            found.extend(lines(&mut reader, start + 10 * SECOND));
            found.sort();
            let expected = expected(&[(1, "other"), (2, "two\n  more"), (4, "three")]);
            assert_eq!(found, expected, "rotated: {rotates}");
        }
    }

    #[test]
    fn what_was_followed_is_not_read_again_when_it_is_compressed() {
        let logs = Followed::new("*", &[]);
        let mut reader = logs.open(None);
        let start = now();
        let text: String = (0..20).map(|number| format!("line {number}\n")).collect();
        logs.append("a.log", &text);
        assert_eq!(lines(&mut reader, start).len(), 20);
        for (name, text) in [("a.log.1.gz", text.as_str()), ("old.gz", "from before\n")] {
            let packed = logs.runtime.block_on(gzip(text));
            fs::write(logs.folder.path().join(name), packed).unwrap();
        }
        assert_eq!(lines(&mut reader, start + SECOND), []);
        let found = lines(&mut reader, start + 10 * SECOND);
        assert_eq!(found, expected(&[(1, "from before")]));
        assert_eq!(lines(&mut reader, start + 20 * SECOND), []);
    }

    async fn gzip(text: &str) -> Vec<u8> {
        use tokio::io::AsyncReadExt;
        let mut packed = vec![];
        let mut encoder = async_compression::tokio::bufread::GzipEncoder::new(text.as_bytes());
        encoder.read_to_end(&mut packed).await.unwrap();
        packed
    }

    #[test]
    fn of_a_backlog_the_oldest_is_read_first() {
        let logs = Followed::new("*.log", &[]);
        for name in ["a.log", "b.log"] {
            let line = name.repeat(20) + "\n";
            logs.append(name, &line.repeat(30_000));
        }
        let mut reader = logs.open(None);
        let mut polled = Polled::default();
        reader.poll(now(), &HashMap::new(), &mut polled).unwrap();
        let read: Vec<_> = polled.pieces.iter().map(|piece| piece.partition).collect();
        assert_eq!(read, [0, 2]);
        let newest = HashMap::from([(0, 7), (2, 5)]);
        let mut polled = Polled::default();
        reader.poll(now(), &newest, &mut polled).unwrap();
        let read: Vec<_> = polled.pieces.iter().map(|piece| piece.partition).collect();
        assert_eq!((read, polled.has_more), (vec![2], true));
    }
}
