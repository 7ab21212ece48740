//! The same scripts, written to real log files that are rotated in between: the windows are those
//! of all lines.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use chrono::DateTime;

use crate::planner::windows::tests::cutting::{
    InWindow, N_SCRIPTS, NO_LIMIT, Outcome, Player, cuts, expected, rows_of,
};
use crate::planner::windows::tests::scripts::{OPTIONS, Row, SECOND, Script, Seeded};
use crate::streams::table::LiveTable;
use crate::streams::windows::shape::WindowShape;

/// The files of a script: one for each partition, rotated from time to time.
struct Logs {
    folder: PathBuf,
    seeded: Seeded,
    n_rotations: usize,
}

impl Logs {
    fn write(&mut self, partition: u64, rows: &[Row]) {
        let path = self.folder.join(format!("{partition}.log"));
        let half = self.seeded.index(rows.len() + 1);
        append(&path, &rows[..half]);
        if self.seeded.is_one_in(4) && path.exists() {
            self.rotate(&path);
        }
        append(&path, &rows[half..]);
    }

    fn rotate(&mut self, path: &Path) {
        self.n_rotations += 1;
        let rotated = path.with_extension(format!("log.{}", self.n_rotations));
        if self.seeded.is_one_in(2) {
            fs::rename(path, rotated).unwrap();
        } else {
            fs::copy(path, rotated).unwrap();
            OpenOptions::new()
                .write(true)
                .open(path)
                .unwrap()
                .set_len(0)
                .unwrap();
        }
    }
}

fn append(path: &Path, rows: &[Row]) {
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .unwrap();
    for Row { ts, key, v } in rows {
        let ts = DateTime::from_timestamp_nanos(ts.unwrap()).to_rfc3339();
        let key = key.unwrap_or("-");
        writeln!(file, "{ts} {key} a line that is longer than a view: {v}").unwrap();
    }
}

async fn followed(folder: &Path) -> LiveTable {
    let context = crate::session().unwrap();
    let seconds = |nanoseconds: i64| nanoseconds / 1_000_000_000;
    let create = format!(
        "CREATE UNBOUNDED EXTERNAL TABLE logs (v BIGINT) STORED AS LOG LOCATION '{}/*.log*' OPTIONS (
            pattern '^(?<ts>\\S+) (?<k>\\S+) (?<line>.*: (?<v>\\d+))$',
            delay '{}s', idle_timeout '{}s', max_skew '{}s')",
        folder.display(),
        seconds(OPTIONS.delay),
        seconds(OPTIONS.idle_timeout),
        seconds(OPTIONS.max_skew)
    );
    context.sql(&create).await.unwrap();
    let table = context.table_provider("logs").await.unwrap();
    table.downcast_ref::<LiveTable>().unwrap().clone()
}

/// Lines of several files with the same time have no order, so for windows by count only the
/// windows are compared, not their rows.
fn told_apart(mut rows: Vec<InWindow>, cut: &WindowShape) -> Vec<InWindow> {
    if let WindowShape::Rows { .. } = cut {
        rows.iter_mut().for_each(|row| row.0 = 0);
        rows.sort_unstable();
    }
    rows
}

#[test]
fn windows_of_rotated_files_are_those_of_all_lines() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _guard = runtime.enter();
    let mut n_rotations = 0;
    // Each takes several times as long as one that is played from memory.
    for seed in 0..N_SCRIPTS / 2 {
        let script = Script::generate(seed, OPTIONS.delay, false);
        let cuts = cuts();
        let cut = &cuts[usize::try_from(seed).unwrap() % cuts.len()];
        let folder = tempfile::tempdir().unwrap();
        let mut logs = Logs {
            folder: folder.path().to_path_buf(),
            seeded: Seeded::new(seed),
            n_rotations: 0,
        };
        let live = runtime.block_on(followed(folder.path()));
        let mut player = Player::new(live, cut, NO_LIMIT);
        for step in &script.steps {
            for (partition, batch) in &step.pieces {
                let only = Script::of_batch(batch);
                logs.write(*partition, &rows_of(&only)[0]);
            }
            player.step(step.now);
        }
        // Lines that may be a copy are held back for two seconds.
        let end = script.steps.last().map_or(0, |step| step.now);
        player.settle(end + 3 * SECOND);
        let (
            Outcome {
                in_windows, late, ..
            },
            watermarks,
            _,
        ) = player.finish();
        let of_script = expected(&script, cut, &watermarks);
        assert_eq!(late, Vec::<i64>::new(), "script {seed}, {cut:?}");
        let [found, expected] =
            [in_windows, of_script.in_windows].map(|rows| told_apart(rows, cut));
        let missing: Vec<_> = expected.iter().filter(|row| !found.contains(row)).collect();
        let surplus: Vec<_> = found.iter().filter(|row| !expected.contains(row)).collect();
        assert!(
            found == expected,
            "script {seed}, {cut:?}: missing {missing:?}, surplus {surplus:?}, {} for {}",
            found.len(),
            expected.len()
        );
        n_rotations += logs.n_rotations;
    }
    assert!(n_rotations > 1_000, "{n_rotations}");
}
