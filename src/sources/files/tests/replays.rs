//! Random scripts of writing, rotating, reading and crashing: what is read again is what was read,
//! and every line is read once. The time is played, and the files have its times.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, UNIX_EPOCH};

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::Int64Type;
use datafusion::object_store::local::LocalFileSystem;
use proptest::prelude::*;
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::runtime::Runtime;

use crate::algorithms::units::SECOND;
use crate::formats::log::columns::LogColumns;
use crate::formats::log::locations::Locations;
use crate::formats::log::log_options::LogOptions;
use crate::formats::log::spec::{FoundFormats, LogSpec};
use crate::sources::files::followed::FollowedLogs;
use crate::streams::live_options::ReadFrom;
use crate::streams::source::{LiveSource, PartitionNews, Polled, PositionsBody, SourceReader};

const N_FILES: usize = 3;
/// 2026-01-01.
const START: i64 = 1_767_225_600 * SECOND;

/// Partition, file, line number and message.
type Row = (u64, String, i64, String);

#[derive(Debug, Clone)]
enum Act {
    /// Events, and lines that belong to the last of them; and whether the last line is only begun.
    Write {
        file: usize,
        n_events: usize,
        n_more: usize,
        is_half: bool,
    },
    /// More lines of the event before.
    GoOn {
        file: usize,
        n_lines: usize,
    },
    Rename(usize),
    CopyTruncate(usize),
    /// A compressed file that was not followed.
    Pack {
        n_lines: usize,
    },
    /// The oldest rotated file is compressed; and whether it is seen before.
    PackRotated {
        file: usize,
        is_seen: bool,
    },
    /// Milliseconds.
    Wait(i64),
    /// Whether a record is written after it.
    Poll(bool),
    /// How many records the next reader goes back, and the bytes of a call of its replay.
    Crash(usize, usize),
}

fn act() -> impl Strategy<Value = Act> {
    let file = 0..N_FILES;
    let write = (file.clone(), 0..4_usize, 0..3_usize, any::<bool>());
    prop_oneof![
        6 => write.prop_map(|(file, n_events, n_more, is_half)| Act::Write { file, n_events, n_more, is_half }),
        3 => (file.clone(), 1..3_usize).prop_map(|(file, n_lines)| Act::GoOn { file, n_lines }),
        2 => file.clone().prop_map(Act::Rename),
        2 => file.clone().prop_map(Act::CopyTruncate),
        1 => (1..6_usize).prop_map(|n_lines| Act::Pack { n_lines }),
        1 => (file, any::<bool>()).prop_map(|(file, is_seen)| Act::PackRotated { file, is_seen }),
        4 => prop_oneof![Just(100), Just(1100), Just(2500), Just(7000)].prop_map(Act::Wait),
        8 => any::<bool>().prop_map(Act::Poll),
        2 => (0..6_usize, max_bytes()).prop_map(|(n_back, max_bytes)| Act::Crash(n_back, max_bytes)),
    ]
}

/// Fewer bytes than a line, than an event, than everything, or everything at once.
fn max_bytes() -> impl Strategy<Value = usize> {
    prop_oneof![Just(1), 2..40_usize, 40..400_usize, Just(usize::MAX)]
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().unwrap())
}

/// A reader, and what a pipeline would have written down about it.
struct World {
    folder: TempDir,
    source: FollowedLogs,
    reader: Box<dyn SourceReader>,
    now: i64,
    n_tokens: u32,
    /// The file ends within a line.
    is_open: [bool; N_FILES],
    /// The lines of the last two events of each file: the one before the last is held, too, while
    /// the last line may continue.
    last_events: [[Vec<u32>; 2]; N_FILES],
    /// Lines of events that end without a line end in a rotated file: a file that is not known to
    /// be rotated, because it never had another name, may still be written to.
    unended: BTreeSet<u32>,
    /// Positions, and the rows that were read since the record before.
    records: Vec<(String, Vec<Row>)>,
    /// Rows since the last record.
    pending: Vec<Row>,
}

fn source(folder: &Path, glob: &str, read_from: ReadFrom) -> FollowedLogs {
    let location = folder.join(glob).to_string_lossy().into_owned();
    let options = HashMap::from([("multiline".to_string(), "indent".to_string())]);
    let options = LogOptions::try_new(&options, None).unwrap();
    let columns = LogColumns::of_text(None, &Default::default()).unwrap();
    let found = FoundFormats::default();
    let spec = LogSpec::try_new(options, found, columns, Arc::default()).unwrap();
    FollowedLogs {
        spec: Arc::new(spec),
        locations: Locations::try_new(&[location], &"t".into()).unwrap(),
        ignores_folders_below: true,
        read_from,
        store: Arc::new(LocalFileSystem::new()),
    }
}

fn open(source: &FollowedLogs, positions: Option<&PositionsBody>) -> Box<dyn SourceReader> {
    let _guard = runtime().enter();
    source.open(&[0, 1, 2], positions).unwrap()
}

fn rows(polled: &Polled) -> Vec<Row> {
    let mut found = vec![];
    for piece in &polled.pieces {
        let columns = piece.rows.columns();
        let schema = piece.rows.schema();
        let column = |name: &str| &columns[schema.index_of(name).unwrap()];
        let texts = column("message").as_string_view().iter().flatten();
        let files = column("file").as_string_view().iter().flatten();
        let numbers = column("line_number").as_primitive::<Int64Type>().values();
        for ((text, file), number) in texts.zip(files).zip(numbers) {
            found.push((piece.partition, file.to_string(), *number, text.to_string()));
        }
    }
    found
}

/// Replays in calls of this many bytes, returns the rows and the problems, and checks that no call
/// brings more than it should. Some events of a call wait for the next one, which hands them out in
/// addition to its own: two at most.
fn replay(
    reader: &mut Box<dyn SourceReader>,
    upto: &PositionsBody,
    max_bytes: usize,
    now: i64,
) -> (Vec<Row>, Vec<String>) {
    let (mut all, mut problems, mut longest) = (vec![], vec![], 0);
    loop {
        let mut polled = Polled::default();
        reader.replay(upto, max_bytes, now, &mut polled).unwrap();
        assert!(polled.bytes <= max_bytes as u64);
        let rows = rows(&polled);
        let n_bytes: usize = rows.iter().map(|row| row.3.len()).sum();
        longest = rows.iter().map(|row| row.3.len()).fold(longest, usize::max);
        assert!(
            n_bytes <= max_bytes.saturating_add(2 * longest),
            "{n_bytes} bytes in a call for {max_bytes}"
        );
        all.extend(rows);
        problems.extend(polled.problems);
        if !polled.has_more {
            return (all, problems);
        }
    }
}

fn by_partition(mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort_by_key(|row| row.0);
    rows
}

impl World {
    /// With lines that were there before, which are read or not.
    fn new(glob: &str, read_from: ReadFrom, n_before: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = source(folder.path(), glob, read_from);
        let reader = open(&source, None);
        let mut world = Self {
            folder,
            source,
            reader,
            now: START,
            n_tokens: 0,
            is_open: [false; N_FILES],
            last_events: Default::default(),
            unended: BTreeSet::new(),
            records: vec![],
            pending: vec![],
        };
        for n in 0..n_before {
            let line = format!("before {n:04} of some length\n");
            world.append(&format!("app{}.log", n % N_FILES), &line);
        }
        world.now += SECOND;
        let mut polled = Polled::default();
        world.reader.look(world.now, &mut polled).unwrap();
        assert!(polled.pieces.is_empty());
        world.record();
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn touch(&self, path: &Path) {
        let time = UNIX_EPOCH + Duration::from_nanos(self.now.unsigned_abs());
        let file = OpenOptions::new().write(true).open(path).unwrap();
        file.set_modified(time).unwrap();
    }

    fn append(&self, name: &str, text: &str) {
        let path = self.path(name);
        let file = OpenOptions::new().create(true).append(true).open(&path);
        file.unwrap().write_all(text.as_bytes()).unwrap();
        self.touch(&path);
    }

    fn token(&mut self, indent: &str) -> String {
        self.n_tokens += 1;
        format!("{indent}<{:05}> of some length", self.n_tokens)
    }

    fn line(&mut self, file: usize, indent: &str) -> String {
        let line = self.token(indent);
        if indent.is_empty() {
            let [before, last] = &mut self.last_events[file];
            *before = std::mem::take(last);
        }
        self.last_events[file][1].push(self.n_tokens);
        line
    }

    fn write(&mut self, file: usize, lines: Vec<String>, is_half: bool) {
        let mut text = lines.join("\n");
        if text.is_empty() {
            return;
        }
        if std::mem::replace(&mut self.is_open[file], is_half) {
            text = format!(", ended\n{text}");
        }
        if !is_half {
            text.push('\n');
        }
        self.append(&format!("app{file}.log"), &text);
    }

    fn rotate(&mut self, file: usize, copies: bool) {
        let name = format!("app{file}.log");
        if !self.path(&name).exists() {
            return;
        }
        let mut old: Vec<(u32, String)> = vec![];
        for entry in fs::read_dir(self.folder.path()).unwrap() {
            let other = entry.unwrap().file_name().into_string().unwrap();
            let part = other.strip_prefix(&format!("{name}."));
            let number = part.and_then(|part| part.trim_end_matches(".gz").parse().ok());
            old.extend(number.map(|number| (number, other)));
        }
        old.sort();
        for (number, other) in old.into_iter().rev() {
            let moved = other.replace(&format!(".{number}"), &format!(".{}", number + 1));
            fs::rename(self.path(&other), self.path(&moved)).unwrap();
        }
        let rotated = self.path(&format!("{name}.1"));
        let path = self.path(&name);
        if copies {
            fs::copy(&path, &rotated).unwrap();
            let emptied = OpenOptions::new().write(true).open(&path);
            emptied.unwrap().set_len(0).unwrap();
            self.touch(&path);
        } else {
            fs::rename(&path, &rotated).unwrap();
        }
        self.touch(&rotated);
        let last_events = std::mem::take(&mut self.last_events[file]);
        if std::mem::take(&mut self.is_open[file]) {
            self.unended.extend(last_events.concat());
        }
    }

    fn pack(&self, name: &str, text: &[u8]) {
        let packed = runtime().block_on(async {
            let mut packed = vec![];
            let mut encoder = async_compression::tokio::bufread::GzipEncoder::new(text);
            encoder.read_to_end(&mut packed).await.unwrap();
            packed
        });
        fs::write(self.path(name), packed).unwrap();
        self.touch(&self.path(name));
    }

    /// logrotate compresses what was rotated long ago.
    fn pack_rotated(&mut self, file: usize, is_seen: bool) {
        if is_seen {
            self.settle();
        }
        let name = |number: u32| format!("app{file}.log.{number}");
        let Some(number) = (1..50)
            .rev()
            .find(|number| self.path(&name(*number)).exists())
        else {
            return;
        };
        let plain = self.path(&name(number));
        let text = fs::read(&plain).unwrap();
        // Shorter content is not distinguished from a banner.
        if text.len() >= 64 {
            self.pack(&format!("{}.gz", name(number)), &text);
            fs::remove_file(plain).unwrap();
        }
    }

    fn poll(&mut self) -> bool {
        let mut polled = Polled::default();
        let reader = &mut self.reader;
        reader.poll(self.now, &HashMap::new(), &mut polled).unwrap();
        assert_eq!(polled.problems, Vec::<String>::new());
        self.pending.extend(rows(&polled));
        if polled.ends_range {
            self.record();
        }
        polled.has_more
    }

    fn record(&mut self) {
        let rows = by_partition(std::mem::take(&mut self.pending));
        let positions = self.reader.positions().unwrap().to_string();
        self.records.push((positions, rows));
    }

    fn settle(&mut self) {
        for _ in 0..14 {
            while self.poll() {}
            self.now += SECOND;
        }
        self.record();
    }

    /// Continues from an older record in a new reader.
    fn crash(&mut self, n_back: usize, max_bytes: usize) {
        self.pending.clear();
        let last = self.records.len() - 1;
        let first = last.saturating_sub(n_back);
        let positions = serde_json::from_str(&self.records[first].0).unwrap();
        self.reader = open(&self.source, Some(&positions));
        assert_eq!(
            self.reader.positions().unwrap()["files"],
            positions["files"]
        );
        for record in first + 1..=last {
            let (upto, expected) = &self.records[record];
            let upto: PositionsBody = serde_json::from_str(upto).unwrap();
            let (found, problems) = replay(&mut self.reader, &upto, max_bytes, self.now);
            assert_eq!(problems, Vec::<String>::new());
            assert_eq!(
                &found, expected,
                "from {first} to {record}, {max_bytes} bytes at a time"
            );
            let at = self.reader.positions().unwrap();
            assert_eq!(at["files"], upto["files"]);
            assert_eq!(at["lines"], upto["lines"]);
            assert_eq!(at["packed"], upto["packed"]);
        }
    }

    fn run(&mut self, act: &Act) {
        match *act {
            Act::Write {
                file,
                n_events,
                n_more,
                is_half,
            } => {
                let mut lines: Vec<String> = (0..n_events).map(|_| self.line(file, "")).collect();
                lines.extend((0..n_more).map(|_| self.line(file, "  ")));
                self.write(file, lines, is_half);
            }
            Act::GoOn { file, n_lines } => {
                let lines = (0..n_lines).map(|_| self.line(file, "  ")).collect();
                self.write(file, lines, false);
            }
            Act::Rename(file) => self.rotate(file, false),
            Act::CopyTruncate(file) => self.rotate(file, true),
            Act::Pack { n_lines } => {
                let lines: Vec<String> = (0..n_lines).map(|_| self.token("")).collect();
                let name = format!("other{:05}.gz", self.n_tokens);
                self.pack(&name, (lines.join("\n") + "\n").as_bytes());
            }
            Act::PackRotated { file, is_seen } => self.pack_rotated(file, is_seen),
            Act::Wait(milliseconds) => self.now += milliseconds * (SECOND / 1000),
            Act::Poll(is_recorded) => {
                self.poll();
                if is_recorded {
                    self.record();
                }
            }
            Act::Crash(n_back, max_bytes) => self.crash(n_back, max_bytes),
        }
    }

    /// Checks how often each line was read.
    fn check(mut self, n_before: usize) {
        for file in 0..N_FILES {
            if self.is_open[file] {
                self.append(&format!("app{file}.log"), "\n");
            }
        }
        self.settle();
        self.crash(usize::MAX, 100);
        let mut n_times: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, _, _, text) in self.records.iter().flat_map(|(_, rows)| rows) {
            for part in text.split('<').skip(1) {
                *n_times.entry(&part[..5]).or_default() += 1;
            }
        }
        for token in 1..=self.n_tokens {
            let n_times = n_times.get(format!("{token:05}").as_str()).copied();
            let n_times = n_times.unwrap_or(0);
            let is_held = n_times == 0 && self.unended.contains(&token);
            assert!(
                n_times == 1 || is_held,
                "line {token} was read {n_times} times"
            );
        }
        let texts = self.records.iter().flat_map(|(_, rows)| rows);
        let n_read = texts
            .map(|row| row.3.matches("before ").count())
            .sum::<usize>();
        assert_eq!(n_read, n_before);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_read_again_is_what_was_read(acts in prop::collection::vec(act(), 1..50), is_end in any::<bool>()) {
        let read_from = if is_end { ReadFrom::End } else { ReadFrom::Start };
        let mut world = World::new("*", read_from, 9);
        for act in &acts {
            world.run(act);
        }
        world.check(if is_end { 0 } else { 9 });
    }
}

#[test]
fn a_crash_before_the_first_record_loses_nothing_and_begins_where_it_began() {
    let mut world = World::new("*.log", ReadFrom::End, 9);
    let lines = vec![world.token(""), world.token("")];
    world.write(0, lines, false);
    world.poll();
    world.crash(0, usize::MAX);
    let lines = vec![world.token("")];
    world.write(1, lines, false);
    world.check(0);
}

#[test]
fn what_is_gone_is_told() {
    for is_packed in [false, true] {
        let mut world = World::new("*", ReadFrom::Start, 0);
        let lines: Vec<String> = (0..5).map(|_| world.token("")).collect();
        let text = lines.join("\n") + "\n";
        let name = if is_packed { "old.gz" } else { "app0.log" };
        if is_packed {
            world.pack(name, text.as_bytes())
        } else {
            world.append(name, &text)
        }
        let lines = vec![world.token("")];
        world.write(1, lines, false);
        world.settle();
        world.record();
        let first: PositionsBody = serde_json::from_str(&world.records[0].0).unwrap();
        fs::remove_file(world.path(name)).unwrap();
        let mut reader = open(&world.source, Some(&first));
        let upto = world.reader.positions().unwrap();
        let (found, problems) = replay(&mut reader, &upto, 10, world.now);
        assert_eq!(found.len(), 1, "the other file is read");
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains(&text.len().to_string()));
        assert!(problems[0].contains(name));
        // And reading continues.
        let mut polled = Polled::default();
        reader
            .poll(world.now, &HashMap::new(), &mut polled)
            .unwrap();
        assert!(rows(&polled).is_empty());
    }
}

#[test]
fn what_was_compressed_meanwhile_is_read_to_its_end() {
    // With the second glob, the compressed file is not listed.
    for glob in ["*", "*.log"] {
        let mut world = World::new(glob, ReadFrom::Start, 9);
        world.settle();
        let lines = vec![world.token(""), world.token("  ")];
        world.write(0, lines, false);
        world.rotate(0, false);
        world.pack_rotated(0, false);
        let lines = vec![world.token("")];
        world.write(0, lines, false);
        world.crash(0, usize::MAX);
        world.check(9);
    }
}

#[test]
fn compressed_files_that_are_renamed_or_removed_before_their_turn() {
    // So large that one poll cannot look at all of them.
    const N_FILES: usize = 20;
    const N_LINES: usize = 4000;
    let mut world = World::new("*", ReadFrom::Start, 0);
    for number in 0..N_FILES {
        let line = world.token("") + "\n";
        world.pack(&format!("{number:02}.gz"), line.repeat(N_LINES).as_bytes());
    }
    world.now += 10 * SECOND;
    let mut polled = Polled::default();
    let reader = &mut world.reader;
    let poll = reader.poll(world.now, &HashMap::new(), &mut polled);
    poll.unwrap();
    let is_opened = |(_, news): &&(u64, PartitionNews)| *news == PartitionNews::Opened;
    assert_eq!(
        polled.news.iter().filter(is_opened).count(),
        N_FILES,
        "none is late"
    );
    fs::rename(world.path("18.gz"), world.path("renamed.gz")).unwrap();
    fs::remove_file(world.path("19.gz")).unwrap();
    let mut found = rows(&polled);
    let mut problems = polled.problems;
    for _ in 0..9 {
        world.now += SECOND;
        for _ in 0..9 {
            let mut polled = Polled::default();
            let reader = &mut world.reader;
            let poll = reader.poll(world.now, &HashMap::new(), &mut polled);
            poll.unwrap();
            found.extend(rows(&polled));
            problems.extend(polled.problems);
        }
    }
    let removed = format!(
        "{} was removed or replaced before it was read to its end",
        world.path("19.gz").display()
    );
    assert_eq!(problems, [removed]);
    assert_eq!(found.len(), (N_FILES - 1) * N_LINES);
    let n_renamed = found.iter().filter(|row| row.1.ends_with("18.gz"));
    assert_eq!(
        n_renamed.count(),
        N_LINES,
        "its rows say where it was found"
    );
}

/// An event is cut wherever its next line comes more than a second later. All of these places are
/// needed to have the same events again.
#[test]
fn a_range_ends_before_a_cut_is_forgotten() {
    let mut world = World::new("*.log", ReadFrom::Start, 0);
    world.write(0, vec!["begin".to_string()], false);
    world.run(&Act::Wait(300));
    world.poll();
    for _ in 0..2_500 {
        world.run(&Act::Wait(1100));
        world.poll();
        let line = world.token("  ");
        world.write(0, vec![line], false);
        world.run(&Act::Wait(300));
        world.poll();
    }
    world.record();
    assert_eq!(world.records.len(), 4, "two ranges were full");
    world.crash(usize::MAX, 1000);
    world.check(0);
}

/// Files that come and go within one range: whatever is no longer there is reported, down to the
/// last byte.
#[test]
fn a_range_ends_before_a_file_is_forgotten() {
    for is_packed in [false, true] {
        let mut world = World::new("*", ReadFrom::Start, 0);
        let mut n_bytes = 0;
        for number in 0..230 {
            let text = world.token("") + "\n" + &world.token("") + "\n";
            let text = text.repeat(2);
            n_bytes += text.len();
            let name = format!("{number:03}.gz");
            if is_packed {
                world.pack(&name, text.as_bytes())
            } else {
                world.append(&name.replace(".gz", ".log"), &text)
            }
            for _ in 0..4 {
                world.now += 3 * SECOND;
                while world.poll() {}
            }
            let path = world.path(&name);
            let path = if is_packed {
                path
            } else {
                path.with_extension("log")
            };
            fs::remove_file(path).unwrap();
        }
        world.settle();
        let first = serde_json::from_str(&world.records[0].0).unwrap();
        let mut reader = open(&world.source, Some(&first));
        let mut n_missing = 0;
        for (upto, _) in &world.records[1..] {
            let upto = serde_json::from_str(upto).unwrap();
            let (found, problems) = replay(&mut reader, &upto, 50, world.now);
            assert_eq!(found, []);
            for problem in problems {
                let told = problem.split(" again: ").nth(1).unwrap();
                n_missing += told.split(' ').next().unwrap().parse::<usize>().unwrap();
            }
        }
        assert_eq!(n_missing, n_bytes, "packed: {is_packed}");
    }
}

#[test]
fn null_positions_are_refused() {
    let world = World::new("*", ReadFrom::Start, 1);
    let _guard = runtime().enter();
    let error = world
        .source
        .open(&[0], Some(&PositionsBody::Null))
        .unwrap_err();
    assert!(
        error.to_string().contains("not of followed log files"),
        "{error}"
    );
}
