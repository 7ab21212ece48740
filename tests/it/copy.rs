//! COPY in the shell: a job that runs twice, signals and kills in the middle, and what the next run
//! finds.
//!
//! The signals come when the shell has begun to write a file, for a query that would write for
//! hours.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

const DEADLINE: Duration = Duration::from_secs(60);
/// Random numbers: values that compress well are held back for a long time.
const ENDLESS: &str =
    "SELECT random() AS n, b.value % 2 AS day FROM range(0, 1000) a, range(0, 1000000000) b";

/// Begins files with their first rows.
const SMALL_BUFFERS: &str = "SET datafusion.execution.objectstore_writer_buffer_size = 1000; \
    SET datafusion.execution.parquet.max_row_group_size = 1000";

fn command(folder: &Path, sql: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_datafusion-aiops"));
    command
        .args(["--format", "csv", "-c", SMALL_BUFFERS, "-c", sql])
        .current_dir(folder)
        .env("HOME", folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs a statement, and returns its exit code and what it prints on standard output and standard
/// error.
fn run(folder: &Path, sql: &str) -> (Option<i32>, String) {
    let output = command(folder, sql).output().unwrap();
    let printed = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(printed).unwrap())
}

/// A statement that is in the middle of writing; killed when it is dropped.
struct Writing {
    child: Child,
}

impl Writing {
    /// Starts the statement and waits until it has made a file. Before that, it may have removed
    /// some of a dead process.
    fn start(folder: &Path, sql: &str) -> Self {
        let before = files(folder);
        let is_new = |file: &PathBuf| !before.contains(file);
        Self::start_until(folder, sql, || files(folder).iter().any(is_new))
    }

    fn start_until(folder: &Path, sql: &str, is_there: impl Fn() -> bool) -> Self {
        let child = command(folder, sql).spawn().unwrap();
        let mut writing = Self { child };
        let started = Instant::now();
        while !is_there() {
            assert!(started.elapsed() < DEADLINE, "nothing is written: {sql}");
            assert_eq!(writing.child.try_wait().unwrap(), None);
            std::thread::park_timeout(Duration::from_millis(1));
        }
        writing
    }

    /// Sends the signal, waits for the end, and returns the exit code.
    fn end_by(mut self, signal: &str) -> Option<i32> {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status().unwrap();
        assert!(sent.success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// All files below a folder, including those that readers do not see.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    // A file or folder that is removed while it is listed does not count.
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            found.extend(files(&entry.path()))
        } else {
            found.push(entry.path())
        }
    }
    found.sort();
    found
}

fn stages(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_stage = |name: &str| name.starts_with(".copy-");
    entries
        .filter(|entry| entry.file_name().to_str().is_some_and(is_stage))
        .count()
}

/// A folder with a table `out/` of ten rows.
fn place() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let sql = "COPY (SELECT value AS n, value % 2 AS day FROM range(0, 10)) TO 'out/' STORED AS CSV PARTITIONED BY (day)";
    assert_eq!(
        run(folder.path(), sql),
        (Some(0), "count\n10\n".to_string())
    );
    folder
}

#[test]
fn a_job_that_runs_twice_says_what_to_write() {
    let place = place();
    let sql = "COPY (SELECT 1 AS n) TO 'out' STORED AS CSV";
    assert_eq!(
        run(place.path(), sql),
        (
            Some(1),
            "error: the folder 'out' has 2 .csv files already: write OPTIONS (mode 'overwrite') to replace them or OPTIONS (mode \
             'append') to add to them\n"
                .to_string()
        )
    );
    fs::write(place.path().join("out/notes.txt"), "mine").unwrap();
    let overwrite = format!("{sql} OPTIONS (mode 'overwrite')");
    assert_eq!(
        run(place.path(), &overwrite),
        (
            Some(0),
            "count\n1\nnote: the folder has 1 other file, which COPY has left: it is no data of its format\n".to_string()
        )
    );
    assert_eq!(files(place.path()).len(), 2);
}

#[test]
fn signals_leave_the_folder_as_it_was() {
    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        for statement in [
            format!("COPY ({ENDLESS}) TO 'out/' STORED AS CSV OPTIONS (mode 'overwrite')"),
            format!(
                "COPY ({ENDLESS}) TO 'out/' STORED AS CSV PARTITIONED BY (day) OPTIONS (mode 'append')"
            ),
            format!("COPY ({ENDLESS}) TO 'new/' STORED AS PARQUET"),
            format!("COPY ({ENDLESS}) TO 'out/x.json'"),
            format!(
                "CREATE EXTERNAL TABLE t (n DOUBLE, day BIGINT) STORED AS CSV LOCATION 'out/'; INSERT INTO t {ENDLESS}"
            ),
        ] {
            let place = place();
            let before = files(place.path());
            let writing = Writing::start(place.path(), &statement);
            assert_eq!(writing.end_by(signal), Some(code), "{signal} {statement}");
            assert_eq!(files(place.path()), before, "{signal} {statement}");
            assert_eq!(stages(&place.path().join("out")), 0, "{signal} {statement}");
            assert!(!place.path().join("new").exists());
        }
    }
}

#[test]
fn the_next_statement_removes_what_a_killed_one_has_left_and_nothing_else() {
    let place = place();
    let before = files(place.path());
    let out = place.path().join("out");
    let by_day = "TO 'out/' STORED AS CSV PARTITIONED BY (day) OPTIONS (mode 'append')";
    let endless = format!("COPY ({ENDLESS}) {by_day}");
    let count = "SELECT count(*) AS c FROM 'out/'";
    let killed = Writing::start(place.path(), &endless);
    assert_eq!(killed.end_by("-KILL"), None);
    assert_eq!(stages(&out), 1);
    assert_eq!(run(place.path(), count), (Some(0), "c\n10\n".to_string()));

    let living = Writing::start(place.path(), &endless);
    assert_eq!(stages(&out), 1);
    let none = format!("COPY (SELECT 1 AS n, 2 AS day WHERE false) {by_day}");
    assert_eq!(
        run(place.path(), &none),
        (Some(0), "count\n0\n".to_string())
    );
    assert_eq!(stages(&out), 1);
    assert_eq!(living.end_by("-TERM"), Some(143));
    assert_eq!(files(place.path()), before);
}

/// After a COPY, the shell handles signals itself: they end other statements as before.
#[test]
fn a_query_after_a_copy_ends_by_a_signal() {
    let place = tempfile::tempdir().unwrap();
    let sql = format!(
        "COPY (SELECT 1 AS n) TO 'x.csv'; SELECT count(*) FROM ({ENDLESS}) WHERE n + day < 0"
    );
    let file = place.path().join("x.csv");
    let is_written = || file.exists() && stages(place.path()) == 0;
    let running = Writing::start_until(place.path(), &sql, is_written);
    assert_eq!(running.end_by("-TERM"), Some(143));
    assert_eq!(files(place.path()), [file]);
}
