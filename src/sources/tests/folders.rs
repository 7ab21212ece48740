//! Random scripts of dropping files, reading and crashing: what is read again is what was read, in
//! its order, and every row is read once.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use datafusion::arrow::array::{AsArray, Int64Array, RecordBatch};
use datafusion::arrow::datatypes::Int64Type;
use datafusion::parquet::arrow::ArrowWriter;
use proptest::prelude::*;
use tempfile::TempDir;

use crate::algorithms::units::SECOND;
use crate::sources::tests::runtime;
use crate::streams::source::{LiveSource, Polled, PositionsBody, SourceReader};
use crate::streams::table::LiveTable;

/// 2026-01-01.
const START: i64 = 1_767_225_600 * SECOND;

#[derive(Debug, Clone)]
enum Act {
    /// Rows, and by how many seconds the file is older than now.
    Drop(usize, i64),
    /// Milliseconds.
    Wait(i64),
    /// Whether a record is written after it.
    Poll(bool),
    /// How many records the next reader goes back, and the bytes of a call of its replay.
    Crash(usize, usize),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0..9_usize, 0..20_i64).prop_map(|(n_rows, age)| Act::Drop(n_rows, age)),
        2 => prop_oneof![Just(100), Just(300), Just(1000)].prop_map(Act::Wait),
        8 => any::<bool>().prop_map(Act::Poll),
        2 => (0..8_usize, prop_oneof![Just(1), 1..500_usize, Just(usize::MAX)])
            .prop_map(|(n_back, max_bytes)| Act::Crash(n_back, max_bytes)),
    ]
}

struct World {
    folder: TempDir,
    is_parquet: bool,
    source: Arc<dyn LiveSource>,
    reader: Box<dyn SourceReader>,
    now: i64,
    n_files: usize,
    n_rows: i64,
    records: Vec<(String, Vec<i64>)>,
    pending: Vec<i64>,
}

fn rows(polled: &Polled) -> Vec<i64> {
    let batches = polled.pieces.iter();
    let values =
        batches.flat_map(|piece| piece.rows.column(0).as_primitive::<Int64Type>().values());
    values.copied().collect()
}

/// Replays in calls of this many bytes, and returns the rows and the problems. No call reads
/// another batch once it has that many bytes.
fn replay(
    reader: &mut Box<dyn SourceReader>,
    upto: &PositionsBody,
    max_bytes: usize,
    now: i64,
) -> (Vec<i64>, Vec<String>) {
    let (mut all, mut problems) = (vec![], vec![]);
    loop {
        let mut polled = Polled::default();
        reader.replay(upto, max_bytes, now, &mut polled).unwrap();
        let n_bytes = polled.pieces.iter().rev().skip(1);
        let n_bytes = n_bytes.map(|piece| piece.rows.get_array_memory_size());
        assert!(n_bytes.sum::<usize>() < max_bytes);
        all.extend(rows(&polled));
        problems.extend(polled.problems);
        if !polled.has_more {
            return (all, problems);
        }
    }
}

fn open(source: &Arc<dyn LiveSource>, positions: Option<&PositionsBody>) -> Box<dyn SourceReader> {
    let _guard = runtime().enter();
    source.open(&[0], positions).unwrap()
}

impl World {
    fn new(is_parquet: bool, read_from: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let kind = if is_parquet { "PARQUET" } else { "JSON" };
        let create = format!(
            "CREATE UNBOUNDED EXTERNAL TABLE t (n BIGINT) STORED AS {kind} LOCATION '{}/'
             OPTIONS (read_from '{read_from}')",
            folder.path().display()
        );
        let table = runtime().block_on(async {
            let context = crate::session().unwrap();
            let set = "SET datafusion.execution.batch_size = 3";
            context.sql(set).await.unwrap().collect().await.unwrap();
            context.sql(&create).await.unwrap();
            context.table_provider("t").await.unwrap()
        });
        let source = Arc::clone(&table.downcast_ref::<LiveTable>().unwrap().source);
        let reader = open(&source, None);
        let mut world = Self {
            folder,
            is_parquet,
            source,
            reader,
            now: START,
            n_files: 0,
            n_rows: 0,
            records: vec![],
            pending: vec![],
        };
        world.drop_file(5, 0);
        let mut polled = Polled::default();
        world.reader.look(world.now, &mut polled).unwrap();
        assert!(polled.pieces.is_empty());
        world.record();
        world
    }

    fn path(&self, n_file: usize) -> PathBuf {
        let extension = if self.is_parquet { "parquet" } else { "json" };
        self.folder.path().join(format!("{n_file:04}.{extension}"))
    }

    /// Written under another name and renamed, as it should be.
    fn drop_file(&mut self, n_rows: usize, age: i64) {
        let values: Vec<i64> = (self.n_rows..).take(n_rows).collect();
        self.n_rows += i64::try_from(n_rows).unwrap();
        let (path, unfinished) = (self.path(self.n_files), self.folder.path().join("_new"));
        self.n_files += 1;
        if self.is_parquet {
            let column = Arc::new(Int64Array::from(values));
            let rows = RecordBatch::try_from_iter([("n", column as _)]).unwrap();
            let file = fs::File::create(&unfinished).unwrap();
            let mut writer = ArrowWriter::try_new(file, rows.schema(), None).unwrap();
            writer.write(&rows).unwrap();
            writer.close().unwrap();
        } else {
            let lines: String = values.iter().map(|n| format!("{{\"n\": {n}}}\n")).collect();
            fs::write(&unfinished, lines).unwrap();
        }
        let time = u64::try_from(self.now - age * SECOND).unwrap();
        let file = OpenOptions::new().write(true).open(&unfinished).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_nanos(time))
            .unwrap();
        fs::rename(unfinished, path).unwrap();
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
        let rows = std::mem::take(&mut self.pending);
        self.records
            .push((self.reader.positions().unwrap().to_string(), rows));
    }

    fn settle(&mut self) {
        for _ in 0..4 {
            while self.poll() {}
            self.now += SECOND;
        }
        self.record();
    }

    fn crash(&mut self, n_back: usize, max_bytes: usize) {
        self.pending.clear();
        let last = self.records.len() - 1;
        let first = last.saturating_sub(n_back);
        let positions = serde_json::from_str(&self.records[first].0).unwrap();
        self.reader = open(&self.source, Some(&positions));
        assert_eq!(self.reader.positions().unwrap(), positions);
        for record in first + 1..=last {
            let (upto, expected) = &self.records[record];
            let upto: PositionsBody = serde_json::from_str(upto).unwrap();
            let (found, problems) = replay(&mut self.reader, &upto, max_bytes, self.now);
            assert_eq!(problems, Vec::<String>::new());
            assert_eq!(&found, expected, "from {first} to {record}");
            assert_eq!(self.reader.positions().unwrap(), upto);
        }
    }

    fn check(mut self, first_row: i64) {
        self.settle();
        self.crash(usize::MAX, 1);
        let rows = self.records.iter().flat_map(|(_, rows)| rows);
        let mut rows: Vec<i64> = rows.copied().collect();
        rows.sort_unstable();
        assert_eq!(rows, (first_row..self.n_rows).collect::<Vec<_>>());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_read_again_is_what_was_read(
        acts in prop::collection::vec(act(), 1..40),
        is_parquet in any::<bool>(),
        is_end in any::<bool>()
    ) {
        let mut world = World::new(is_parquet, if is_end { "end" } else { "start" });
        for act in acts {
            match act {
                Act::Drop(n_rows, age) => world.drop_file(n_rows, age),
                Act::Wait(milliseconds) => world.now += milliseconds * (SECOND / 1000),
                Act::Poll(is_recorded) => {
                    world.poll();
                    if is_recorded {
                        world.record();
                    }
                }
                Act::Crash(n_back, max_bytes) => world.crash(n_back, max_bytes),
            }
        }
        world.check(if is_end { 5 } else { 0 });
    }
}

#[test]
fn what_is_gone_is_told_and_a_new_file_of_its_name_is_read() {
    for is_parquet in [false, true] {
        let mut world = World::new(is_parquet, "start");
        world.drop_file(4, 0);
        world.settle();
        let first: PositionsBody = serde_json::from_str(&world.records[0].0).unwrap();
        let upto = world.reader.positions().unwrap();
        fs::remove_file(world.path(0)).unwrap();
        let mut reader = open(&world.source, Some(&first));
        let (found, problems) = replay(&mut reader, &upto, usize::MAX, world.now);
        assert_eq!(found, [5, 6, 7, 8]);
        let [problem] = problems.as_slice() else {
            panic!("{problems:?}");
        };
        assert!(problem.contains("5 of its rows are missing"), "{problem}");
        world.settle();
        world.n_files = 0;
        world.drop_file(2, 0);
        world.settle();
        let last = &world.records.last().unwrap().1;
        assert_eq!(last, &[9, 10]);
        world.crash(1, 1);
    }
}

/// Files that are dropped, read and removed within one range: none is forgotten before its rows are
/// reported as missing.
#[test]
fn a_range_ends_before_a_file_is_forgotten() {
    let mut world = World::new(true, "start");
    for _ in 0..230 {
        world.drop_file(2, 0);
        world.now += SECOND;
        while world.poll() {}
        fs::remove_file(world.path(world.n_files - 1)).unwrap();
    }
    world.settle();
    assert!(world.records.len() > 4, "{} records", world.records.len());
    let first = serde_json::from_str(&world.records[0].0).unwrap();
    let mut reader = open(&world.source, Some(&first));
    let (mut n_found, mut n_missing) = (0, 0);
    for (upto, _) in &world.records[1..] {
        let upto = serde_json::from_str(upto).unwrap();
        let (found, problems) = replay(&mut reader, &upto, 1, world.now);
        n_found += found.len();
        n_missing += 2 * problems.len();
    }
    assert_eq!((n_found, n_missing), (5, 460));
}

#[test]
fn other_positions_are_refused() {
    let world = World::new(false, "start");
    let _guard = runtime().enter();
    for (positions, expected) in [
        (serde_json::json!({ "done": [] }), "are not of a folder"),
        (PositionsBody::Null, "are not of a folder"),
    ] {
        let error = world.source.open(&[0], Some(&positions)).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}
