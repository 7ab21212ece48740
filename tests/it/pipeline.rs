//! Pipelines as people run them: `datafusion-aiops run`, stopped, killed and started again.
//!
//! Nothing waits for a fixed time: a test continues as soon as what it waits for is there, and
//! fails if that takes more than a minute.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use async_compression::tokio::bufread::GzipEncoder;
use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::{RngCore, SeedableRng};
use tempfile::TempDir;
use tokio::io::AsyncReadExt;

const DEADLINE: Duration = Duration::from_secs(60);

/// What a run left behind.
#[derive(Debug)]
struct Run {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Run {
    #[track_caller]
    fn has_succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }

    /// The lines of windows without their milliseconds.
    fn progress(&self) -> Vec<&str> {
        let lines = self.stderr.lines().filter(|line| line.ends_with(" ms"));
        lines
            .map(|line| line.rsplit_once("  ").unwrap().0)
            .collect()
    }
}

/// A folder with a pipeline and its log.
struct Place(TempDir);

impl Place {
    /// A folder with these statements in `p.sql`.
    fn new(sql: &str) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        place.write("p.sql", sql);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn append(&self, name: &str, text: &str) {
        append(&self.path(name), text.as_bytes());
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_datafusion-aiops"));
        command
            .args(arguments)
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn shell(&self, arguments: &[&str]) -> Run {
        let output = self.command(arguments).output().unwrap();
        Run {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs the pipeline on its checkpoint.
    fn run(&self, arguments: &[&str]) -> Run {
        let all = [&["run", "p.sql", "--checkpoint", "checkpoint"], arguments].concat();
        self.shell(&all)
    }

    fn start(&self, arguments: &[&str]) -> Running {
        let all = [&["run", "p.sql", "--checkpoint", "checkpoint"], arguments].concat();
        Running::start(self.command(&all))
    }

    /// The answer of a statement as CSV, without its header.
    fn ask(&self, sql: &str) -> Vec<String> {
        let run = self.shell(&["--format", "csv", "-c", sql]).has_succeeded();
        run.stdout.lines().skip(1).map(str::to_string).collect()
    }

    /// The files of these folders by their names.
    fn files(&self, folders: &[&str]) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        for folder in folders {
            for file in fs::read_dir(self.path(folder)).unwrap() {
                let path = file.unwrap().path();
                let name = path.file_name().unwrap().to_str().unwrap();
                // Temporary files, which readers do not see, are removed when the pipeline starts.
                if name.contains('#') {
                    continue;
                }
                files.insert(format!("{folder}/{name}"), fs::read(&path).unwrap());
            }
        }
        files
    }
}

fn append(path: &Path, bytes: &[u8]) {
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .unwrap();
    file.write_all(bytes).unwrap();
}

#[track_caller]
fn assert_same_files(
    found: &BTreeMap<String, Vec<u8>>,
    expected: &BTreeMap<String, Vec<u8>>,
    of: &str,
) {
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(found), names(expected), "{of}");
    for (name, bytes) in expected {
        assert!(found[name] == *bytes, "{of}: {name} differs");
    }
}

/// A run that continues until it is killed, at the latest when it is dropped.
struct Running {
    child: Child,
    notes: Receiver<String>,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        let (sender, notes) = channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            while errors.read_line(&mut line).is_ok_and(|n_bytes| n_bytes > 0) {
                if sender.send(std::mem::take(&mut line)).is_err() {
                    return;
                }
            }
        });
        Self { child, notes }
    }

    /// The next line of its standard error; `None` when it has ended.
    fn note(&self) -> Option<String> {
        match self.notes.recv_timeout(DEADLINE) {
            Ok(note) => Some(note.trim_end().to_string()),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("no line came"),
        }
    }

    fn until_note(&self, part: &str) {
        let mut notes = vec![];
        while let Some(note) = self.note() {
            if note.contains(part) {
                return;
            }
            notes.push(note);
        }
        panic!("it has ended without {part}: {notes:?}");
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for its end.
    fn finish(mut self) -> Run {
        let notes: Vec<String> = std::iter::from_fn(|| self.note()).collect();
        let mut stdout = String::new();
        let mut output = self.child.stdout.take().unwrap();
        output.read_to_string(&mut stdout).unwrap();
        Run {
            code: self.child.wait().unwrap().code(),
            stdout,
            stderr: notes.join("\n"),
        }
    }

    fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const LIVE: &str = "CREATE UNBOUNDED EXTERNAL TABLE logs STORED AS LOG LOCATION 'x.log' OPTIONS \
    (pattern '^(?<ts>\\S+) (?<level>[A-Z]+) (?<message>.*)', idle_timeout '200ms', delay '100ms');\n";
const TABLES: &str = "CREATE EXTERNAL TABLE answered (ts TIMESTAMP, level TEXT, template TEXT, message TEXT) \
    STORED AS PARQUET LOCATION 'answered/';\n\
    CREATE EXTERNAL TABLE counts (window_start TEXT, level TEXT, n BIGINT) STORED AS PARQUET LOCATION 'counts/';\n";
const TUMBLE: &str = "tumble(logs, ts, INTERVAL '1 second')";

/// Writes all rows and their counts.
fn body(call: &str) -> String {
    format!(
        "INSERT INTO answered SELECT ts, level, log_template(message), message FROM {call} ORDER BY ts, message;\n\
         INSERT INTO counts SELECT CAST(window_start AS TEXT) AS start, level, count(*) FROM {call} \
         GROUP BY window_start, level ORDER BY window_start, level;\n"
    )
}

/// The number of lines of a log between two pauses.
const GROUP: u64 = 100;

/// Line `number` of a log. Lines are 25 ms apart, except for a pause after every group, which then
/// spans 8 s; every tenth line comes before the one that it follows in time.
fn line(number: u64) -> String {
    let place = match number % 10 {
        0 => number + 1,
        1 => number - 1,
        _ => number,
    };
    let milliseconds = place * 25 + place / GROUP * 5_500;
    let (seconds, milliseconds) = (milliseconds / 1000, milliseconds % 1000);
    let level = ["INFO", "ERROR", "WARN"][(number % 3) as usize];
    format!(
        "2020-01-01T{:02}:{:02}:{:02}.{milliseconds:03}Z {level} request {number} took {} ms\n",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        number * 7 % 100,
    )
}

fn lines(numbers: std::ops::Range<u64>) -> String {
    numbers.map(line).collect()
}

/// A line at a second, with a number in it.
fn at(second: u64, value: u64) -> String {
    format!("2020-01-01T00:00:{second:02}.000Z INFO value {value}\n")
}

#[test]
fn an_archive_is_replayed_as_the_live_log_is_followed() {
    let log = lines(0..1000);
    let live = Place::new(&format!("{LIVE}{TABLES}{}", body(TUMBLE)));
    live.write("x.log", &log);
    live.run(&["--until-idle"]).has_succeeded();
    let expected = live.files(&["answered", "counts"]);
    assert_eq!(live.ask("SELECT count(*) FROM 'answered/'"), ["1000"]);
    assert!(expected.len() > 20);

    let archive = LIVE.replace("UNBOUNDED ", "");
    let of_log = Place::new(&format!("{archive}{TABLES}{}", body(TUMBLE)));
    of_log.write("x.log", &log);
    let run = of_log.run(&[]).has_succeeded();
    assert_eq!(run.progress().len() * 2, expected.len());
    assert_same_files(&of_log.files(&["answered", "counts"]), &expected, "LOG");

    let archive = "CREATE EXTERNAL TABLE logs STORED AS PARQUET LOCATION 'x.parquet';\n";
    let of_parquet = Place::new(&format!("{archive}{TABLES}{}", body(TUMBLE)));
    of_parquet.write("x.log", &log);
    let create = LIVE.replace("UNBOUNDED ", "");
    let copy = format!("{create} COPY (SELECT ts, level, message FROM logs) TO 'x.parquet'");
    of_parquet.shell(&["-c", &copy]).has_succeeded();
    of_parquet.run(&["--once"]).has_succeeded();
    assert_same_files(
        &of_parquet.files(&["answered", "counts"]),
        &expected,
        "PARQUET",
    );
}

#[test]
fn runs_with_lines_in_between_are_one_run() {
    let sql = format!("{LIVE}{TABLES}{}", body(TUMBLE));
    let whole = Place::new(&sql);
    whole.write("x.log", &lines(0..900));
    whole.run(&["--until-idle"]).has_succeeded();

    // First the log is empty, then it has a part of a line, and once there is nothing new.
    let place = Place::new(&sql);
    let log = lines(0..900);
    let ends = [0, 0, 30, 5_000, 5_000, 20_000, log.len()];
    let mut written = 0;
    place.write("x.log", "");
    for end in ends {
        place.append("x.log", &log[written..end]);
        written = end;
        let run = place.run(&["--once"]).has_succeeded();
        assert!(!run.stderr.contains("late"), "{run:?}");
    }
    place.run(&["--until-idle"]).has_succeeded();
    let run = place.run(&["--until-idle"]).has_succeeded();
    assert!(run.stderr.ends_with("done: 0 windows, 0 rows\n"), "{run:?}");
    assert_same_files(
        &place.files(&["answered", "counts"]),
        &whole.files(&["answered", "counts"]),
        "--once",
    );
}

/// Writes a compressed file that was last written this many seconds ago.
fn pack(place: &Place, name: &str, text: &str, seconds: u64) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let packed = runtime.block_on(async {
        let mut packed = vec![];
        let mut encoder = GzipEncoder::new(text.as_bytes());
        encoder.read_to_end(&mut packed).await.unwrap();
        packed
    });
    fs::write(place.path(name), packed).unwrap();
    age(place, name, seconds);
}

fn age(place: &Place, name: &str, seconds: u64) {
    let file = OpenOptions::new().write(true).open(place.path(name));
    let time = SystemTime::now() - Duration::from_secs(seconds);
    file.unwrap().set_modified(time).unwrap();
}

/// Files are rotated and compressed before they are followed, and again while the pipeline is
/// stopped: no line is late, lost or doubled, whether the compressed files are listed or not.
#[test]
fn what_was_compressed_meanwhile_is_read_as_if_it_were_not() {
    for (glob, backlog) in [("logs/*.log*", 700), ("logs/*.log", 0)] {
        let sql = format!("{LIVE}{TABLES}{}", body(TUMBLE)).replace("x.log", glob);
        let places = [Place::new(&sql), Place::new(&sql)];
        let [whole, place] = &places;
        for place in &places {
            fs::create_dir(place.path("logs")).unwrap();
        }
        for log in ["a", "b"] {
            whole.write(&format!("logs/{log}.log"), &lines(0..1200));
            if backlog > 0 {
                pack(place, &format!("logs/{log}.log.2.gz"), &lines(0..400), 4000);
                pack(
                    place,
                    &format!("logs/{log}.log.1.gz"),
                    &lines(400..backlog),
                    2000,
                );
            }
            place.write(&format!("logs/{log}.log"), &lines(backlog..800));
            age(place, &format!("logs/{log}.log"), 60);
        }
        whole.run(&["--until-idle"]).has_succeeded();
        let run = place.run(&["--once"]).has_succeeded();
        assert!(!run.stderr.contains("late"), "{run:?}");
        for log in ["a", "b"] {
            let name = |rotation: &str| format!("logs/{log}.log{rotation}");
            if backlog > 0 {
                fs::rename(place.path(&name(".2.gz")), place.path(&name(".3.gz"))).unwrap();
                fs::rename(place.path(&name(".1.gz")), place.path(&name(".2.gz"))).unwrap();
            }
            pack(place, &name(".1.gz"), &lines(backlog..1000), 30);
            fs::remove_file(place.path(&name(""))).unwrap();
            place.write(&name(""), &lines(1000..1200));
        }
        let run = place.run(&["--until-idle"]).has_succeeded();
        assert!(!run.stderr.contains("late"), "{run:?}");
        let folders = ["answered", "counts"];
        assert_same_files(&place.files(&folders), &whole.files(&folders), glob);
    }
}

#[test]
fn what_is_printed() {
    let sql = format!(
        "{LIVE}SELECT 'setup' AS s;\n\
         CREATE EXTERNAL TABLE errors (message TEXT) STORED AS CSV LOCATION 'errors/' OPTIONS (has_header 'true');\n\
         CREATE OR REPLACE TABLE new_rows AS SELECT message FROM tumble(logs, ts, INTERVAL '10 seconds') WHERE level = 'ERROR';\n\
         SELECT 'none' AS none FROM new_rows;\n\
         INSERT INTO errors SELECT message FROM new_rows ORDER BY message;\n\
         SELECT window_start AS start, count(*) AS n FROM tumble(logs, ts, INTERVAL '10 seconds') GROUP BY 1;\n"
    );
    let place = Place::new(&sql);
    place.write(
        "x.log",
        &(at(1, 1) + &at(2, 2) + "no time\n" + &at(12, 3) + &at(59, 4)),
    );
    let run = place.run(&["--once"]).has_succeeded();
    assert_eq!(
        run.stdout,
        "+-------+\n| s     |\n+-------+\n| setup |\n+-------+\nstart,n\n2020-01-01T00:00:00Z,2\n2020-01-01T00:00:10Z,1\n"
    );
    assert_eq!(
        run.progress(),
        [
            "2020-01-01 00:00:00 .. 00:00:10  2 rows",
            "2020-01-01 00:00:10 .. 00:00:20  1 row",
        ]
    );
    let checkpoint = fs::canonicalize(place.path("checkpoint")).unwrap();
    let first = run.stderr.lines().next().unwrap();
    assert!(
        first.starts_with("reads tumble(logs, ts, 10s), checkpoint "),
        "{first}"
    );
    assert!(
        first.ends_with(&format!("{}, begins", checkpoint.display())),
        "{first}"
    );
    let end = "done: 2 windows, 3 rows, 1 without a time\n";
    assert!(run.stderr.ends_with(end), "{run:?}");
    // Without rows, there is no file.
    assert!(place.files(&["errors"]).is_empty());

    // The first is too late, and is counted; the last closes the window of the others.
    place.append(
        "x.log",
        &(at(3, 5) + "2020-01-01T00:00:58.000Z ERROR bad\n"),
    );
    place.append("x.log", "2020-01-02T00:00:00.000Z INFO last\n");
    let run = place
        .run(&["--once", "--format", "table", "-q"])
        .has_succeeded();
    assert_eq!(run.stderr, "");
    assert!(
        run.stdout.contains("| 2020-01-01T00:00:50Z | 2 |"),
        "{run:?}"
    );
    assert!(run.stdout.contains("| none |"), "{run:?}");
    let bad = "errors/p-20200101T000050Z-20200101T000100Z.csv";
    assert_eq!(place.files(&["errors"])[bad], b"message\nbad\n");

    let run = place
        .run(&["--until-idle", "--format", "nd-json"])
        .has_succeeded();
    assert!(run.stderr.contains(", resumes after window 3\n"), "{run:?}");
    assert!(run.stderr.ends_with("done: 1 window, 1 row\n"), "{run:?}");
    assert!(
        run.stdout
            .ends_with("{\"start\":\"2020-01-02T00:00:00Z\",\"n\":1}\n"),
        "{run:?}"
    );
}

#[test]
fn late_rows_are_counted_in_the_line_of_a_window() {
    let place = Place::new(&format!("{LIVE}SELECT count(*) AS n FROM {TUMBLE};"));
    place.write("x.log", &(at(1, 1) + &at(9, 2)));
    place.run(&["--once"]).has_succeeded();
    place.append("x.log", &(at(1, 3) + &at(2, 4) + &at(20, 5)));
    let run = place
        .run(&["--once", "-m", "1g", "-b", "100"])
        .has_succeeded();
    assert_eq!(
        run.progress(),
        ["2020-01-01 00:00:09 .. 00:00:10  1 row  2 late"]
    );
    assert!(
        run.stderr.ends_with("done: 1 window, 1 row, 2 late\n"),
        "{run:?}"
    );
}

#[test]
fn one_run_at_a_time() {
    let place = Place::new(&format!("{LIVE}SELECT count(*) AS n FROM {TUMBLE};"));
    place.write("x.log", &lines(0..200));
    let first = place.start(&[]);
    first.until_note("rows");
    let second = place.run(&["--once"]);
    assert_eq!(second.code, Some(1));
    assert!(
        second.stderr.contains("another run uses the checkpoint"),
        "{second:?}"
    );
    first.signal("-TERM");
    first.finish().has_succeeded();
    place.run(&["--once"]).has_succeeded();
}

#[test]
fn a_changed_pipeline_is_refused() {
    let sql = format!("{LIVE}SELECT count(*) AS n FROM {TUMBLE};");
    let place = Place::new(&sql);
    place.write("x.log", &lines(0..300));
    place.run(&["--once"]).has_succeeded();
    place.write(
        "p.sql",
        &sql.replace("count(*)", "-- a comment\n  count( * )"),
    );
    place.run(&["--once"]).has_succeeded();
    place.write("p.sql", &sql.replace("count(*)", "max(ts)"));
    let run = place.run(&["--once"]);
    assert_eq!(run.code, Some(1));
    for part in [
        "or this one was changed",
        "max(ts)",
        "in place of",
        "--accept-changes",
    ] {
        assert!(run.stderr.contains(part), "{part}: {run:?}");
    }
    let other = sql.replace("1 second", "2 seconds");
    place.write("p.sql", &other);
    let run = place.run(&["--once", "--accept-changes"]);
    assert_eq!(run.code, Some(1));
    assert!(
        run.stderr.contains("start over with another --checkpoint"),
        "{run:?}"
    );
    place.write("p.sql", &sql.replace("count(*)", "max(ts)"));
    place.append("x.log", &lines(300..500));
    let run = place.run(&["--once", "--accept-changes"]).has_succeeded();
    assert!(run.stderr.contains("resumes after window"), "{run:?}");
    assert!(run.stdout.contains("T00:00:32.975Z"), "{run:?}");
    place.run(&["--once"]).has_succeeded();
}

#[test]
fn statements_that_no_window_can_run_are_refused() {
    let count = format!("SELECT count(*) FROM {TUMBLE}");
    let other = "CREATE UNBOUNDED EXTERNAL TABLE others STORED AS LOG LOCATION 'x.log';";
    let other_count = "SELECT count(*) FROM tumble(others, INTERVAL '1 second')";
    for (statements, line, expected) in [
        (
            format!("COPY (SELECT * FROM {TUMBLE}) TO 'x.parquet'"),
            2,
            "COPY would write the same file on every window",
        ),
        (
            format!("{count};\nSET datafusion.execution.batch_size = 7"),
            3,
            "SET belongs before the first statement",
        ),
        (
            format!("CREATE TABLE t AS {count}"),
            2,
            "write CREATE OR REPLACE TABLE t",
        ),
        (
            format!("CREATE TABLE t AS SELECT 1 AS n;\nINSERT INTO t {count}"),
            3,
            "t is in memory and is gone after a restart",
        ),
        (format!("{other} {count};\n{other_count}"), 3, "others"),
        (
            format!("{count};\nSELECT count(*) FROM logs"),
            3,
            "logs is read without a window",
        ),
        (
            format!("{count};\nSELECT nothing FROM {TUMBLE}"),
            3,
            "there is no column nothing",
        ),
        (format!("{count};\nSELEKT 1"), 3, "syntax error"),
        (
            format!("{count};\n\\d"),
            3,
            "\\d is a command of the prompt",
        ),
        (
            "SELECT 1;\nSELECT nothing".to_string(),
            3,
            "there is no column nothing",
        ),
        (format!("{count};\nDROP TABLE t"), 3, "DROP TABLE"),
        (
            format!("CREATE TABLE IF NOT EXISTS t AS {count}"),
            2,
            "write CREATE OR REPLACE TABLE t",
        ),
        (
            format!(
                "CREATE TABLE s AS SELECT 0 AS n;\nCREATE OR REPLACE TABLE s AS SELECT s.n + c.n AS n FROM s, ({count}) AS c(n)"
            ),
            3,
            "s is read before this window has made it",
        ),
        (
            format!(
                "CREATE EXTERNAL TABLE f (n BIGINT) STORED AS PARQUET LOCATION 'f*/';\nINSERT INTO f {count}"
            ),
            3,
            "is a pattern of many names",
        ),
        (
            format!(
                "CREATE EXTERNAL TABLE f (n BIGINT) STORED AS PARQUET LOCATION 'f.parquet';\nINSERT INTO f {count}"
            ),
            3,
            "end it with /",
        ),
    ] {
        let place = Place::new(&format!("{LIVE}{statements}"));
        place.write("x.log", &lines(0..200));
        let run = place.run(&["--once"]);
        let begins = format!("error: p.sql:{line}:");
        assert_eq!(run.code, Some(1), "{statements}: {run:?}");
        let mut lines = run.stderr.lines();
        assert!(
            lines.any(|line| line.starts_with(&begins)),
            "{statements}: {run:?}"
        );
        assert!(run.stderr.contains(expected), "{statements}: {run:?}");
    }
}

#[test]
fn runs_that_cannot_begin_are_refused() {
    let place = Place::new("SELECT count(*) FROM tumble(stdin, INTERVAL '1 second')");
    let run = place.run(&["--once"]);
    assert_eq!(run.code, Some(1));
    assert!(
        run.stderr.contains("cannot be read again after a crash"),
        "{run:?}"
    );
    place.write("p.sql", "SELECT 1 AS one");
    let run = place.run(&["--once"]);
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("no statement reads windows"), "{run:?}");

    for (arguments, expected) in [
        (
            &["run", "p.sql"] as &[&str],
            "--checkpoint /var/lib/aiops/pipeline",
        ),
        (&["run", "-", "--checkpoint", "x"], "write them to a file"),
        (
            &[
                "run",
                "p.sql",
                "--checkpoint",
                "x",
                "--once",
                "--until-idle",
            ],
            "cannot be used with",
        ),
        (
            &["-c", "SELECT 1", "-q", "run", "p.sql", "--checkpoint", "x"],
            "-c and -f cannot be used with it",
        ),
    ] {
        let run = place.shell(arguments);
        assert_eq!(run.code, Some(2), "{run:?}");
        assert!(run.stderr.contains(expected), "{run:?}");
    }
    let run = place.shell(&["run", "no.sql", "--checkpoint", "x"]);
    assert_eq!(run.code, Some(1));
    assert!(
        run.stderr.contains("the file 'no.sql' cannot be read"),
        "{run:?}"
    );
    let help = place.shell(&["--help"]).has_succeeded().stdout;
    assert!(
        help.contains("datafusion-aiops run pipeline.sql --checkpoint"),
        "{help}"
    );
    let help = place.shell(&["run", "--help"]).has_succeeded().stdout;
    assert!(
        help.contains("datafusion-aiops run errors.sql --checkpoint"),
        "{help}"
    );
}

#[test]
fn signals_end_it_behind_the_window() {
    let sql = format!("{LIVE}{TABLES}{}", body(TUMBLE));
    let whole = Place::new(&sql);
    whole.write("x.log", &lines(0..2000));
    whole.run(&["--until-idle"]).has_succeeded();
    let place = Place::new(&sql);
    place.write("x.log", &lines(0..2000));
    for signal in ["-TERM", "-INT"] {
        let running = place.start(&[]);
        running.until_note("rows");
        running.signal(signal);
        let run = running.finish().has_succeeded();
        assert!(
            run.stderr.lines().last().unwrap().starts_with("stopped: "),
            "{run:?}"
        );
    }
    place.run(&["--until-idle"]).has_succeeded();
    assert_same_files(
        &place.files(&["answered", "counts"]),
        &whole.files(&["answered", "counts"]),
        "signals",
    );
}

#[test]
fn a_closed_pipe_ends_it() {
    let place = Place::new(&format!("{LIVE}SELECT * FROM {TUMBLE};"));
    place.write("x.log", &lines(0..2000));
    let mut running = place.start(&[]);
    drop(running.child.stdout.take());
    while running.note().is_some() {}
    assert_eq!(running.child.wait().unwrap().code(), Some(0));
}

/// A row that must be replayed to find its window is gone with its file. That window cannot run,
/// but later ones do.
#[test]
fn rows_that_are_gone_take_no_other_window_with_them() {
    let place = Place::new(&format!("{LIVE}SELECT count(*) AS n FROM {TUMBLE};"));
    place.write("x.log", &(at(1, 1) + &at(2, 2) + &at(3, 3) + &at(4, 4)));
    let run = place.run(&["--once"]).has_succeeded();
    assert_eq!(run.progress().len(), 2, "{run:?}");
    place.write("x.log", "");
    place.run(&["--once"]).has_succeeded();
    place.append(
        "x.log",
        &(15..21).map(|second| at(second, 7)).collect::<String>(),
    );
    let run = place.run(&["--once"]).has_succeeded();
    let windows: Vec<_> = run.progress().iter().map(|line| &line[17..19]).collect();
    assert_eq!(windows, ["15", "16", "17", "18"], "{run:?}");
}

#[test]
fn a_checkpoint_is_of_one_pipeline() {
    let sql = format!(
        "{LIVE}CREATE EXTERNAL TABLE kb (n BIGINT, PRIMARY KEY (n)) STORED AS SQLITE LOCATION 'kb.db';\n\
         INSERT INTO kb SELECT count(*) FROM {TUMBLE};\n"
    );
    let place = Place::new(&sql);
    place.write("x.log", &lines(0..300));
    place.run(&["--once"]).has_succeeded();

    // Under another name, its files would have other names.
    let run = place.run(&["--once", "--name", "other"]);
    assert!(run.stderr.contains("run it with --name p"), "{run:?}");
    // Statements that run once belong to the pipeline too.
    place.write("p.sql", &sql.replace("'x.log'", "'y.log'"));
    let run = place.run(&["--once"]);
    assert!(run.stderr.contains("--accept-changes"), "{run:?}");
    place.write("p.sql", &sql);
    // A database from before these windows.
    fs::remove_file(place.path("kb.db")).unwrap();
    let run = place.run(&["--once"]);
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("was put back"), "{run:?}");
    place.run(&["--once", "--accept-changes"]).has_succeeded();
    place.run(&["--once"]).has_succeeded();
}

#[test]
fn a_checkpoint_may_have_any_name() {
    let place = Place::new(&format!("{LIVE}SELECT count(*) AS n FROM {TUMBLE};"));
    place.write("x.log", &lines(0..300));
    for name in ["c[1]", "a b%20c", "x?*y", "片#1"] {
        for expected in ["begins", "resumes after window"] {
            let run = place.shell(&["run", "p.sql", "--once", "--checkpoint", name]);
            assert!(run.has_succeeded().stderr.contains(expected), "{name}");
        }
        assert!(place.path(name).join("pipeline.json").exists(), "{name}");
    }
    assert!(!place.path("pipeline.json").exists());
}

#[test]
fn a_failing_statement_ends_it_and_the_window_runs_again() {
    let tables = "CREATE EXTERNAL TABLE a (n BIGINT) STORED AS CSV LOCATION 'a/';\n\
        CREATE EXTERNAL TABLE b (n BIGINT) STORED AS CSV LOCATION 'b/';\n";
    let body = format!(
        "INSERT INTO a SELECT count(*) FROM {TUMBLE};\n\
         INSERT INTO b SELECT 10 / CAST(regexp_replace(message, '\\D+', '') AS BIGINT) FROM {TUMBLE};\n"
    );
    let place = Place::new(&format!("{LIVE}{tables}{body}"));
    place.write("x.log", &(at(1, 1) + &at(2, 0) + &at(3, 5) + &at(9, 9)));
    for _ in 0..2 {
        let run = place.run(&["--once"]);
        assert_eq!(run.code, Some(1), "{run:?}");
        assert!(run.stderr.contains("error: p.sql:5: "), "{run:?}");
        assert!(run.stderr.to_lowercase().contains("divi"), "{run:?}");
        assert_eq!(place.files(&["b"]).len(), 1);
    }
    let mended = body.replace("10 / CAST(", "10 / nullif(CAST(");
    let mended = mended.replace("AS BIGINT)", "AS BIGINT), 0)");
    place.write("p.sql", &format!("{LIVE}{tables}{mended}"));
    let run = place.run(&["--once"]);
    assert!(run.stderr.contains("--accept-changes"), "{run:?}");
    let run = place.run(&["--once", "--accept-changes"]).has_succeeded();
    assert!(run.stderr.contains("resumes after window 1"), "{run:?}");
    assert_eq!(run.progress().len(), 2);
    assert_eq!(place.files(&["a", "b"]).len(), 6);
}

#[test]
fn what_a_window_has_begun_to_write_is_not_found_when_it_runs_again() {
    let sql = format!(
        "{LIVE}CREATE EXTERNAL TABLE known (level TEXT) STORED AS CSV LOCATION 'known/' OPTIONS (has_header 'false');\n\
         INSERT INTO known SELECT DISTINCT level FROM {TUMBLE} WHERE level NOT IN (SELECT level FROM known);\n"
    );
    let place = Place::new(&sql);
    place.write("x.log", &(at(1, 1) + &at(9, 9)));
    // The state after a run that is killed after the INSERT.
    fs::create_dir(place.path("known")).unwrap();
    place.write("known/p-20200101T000001Z-20200101T000002Z.csv", "INFO\n");
    place.run(&["--once"]).has_succeeded();
    let files: Vec<_> = place.files(&["known"]).into_values().collect();
    assert_eq!(files, [b"INFO\n"]);
}

#[test]
fn a_row_that_was_late_for_its_session_is_late_again() {
    let call =
        "session((SELECT * FROM logs WHERE level <> 'DEBUG'), ts, INTERVAL '1 second', level)";
    let sql = format!(
        "{LIVE}CREATE EXTERNAL TABLE a (message TEXT) STORED AS CSV LOCATION 'a/' OPTIONS (has_header 'false');\n\
         INSERT INTO a SELECT message FROM {call} ORDER BY ts;\n\
         SELECT 10 / (count(*) - 1) FROM {call};\n"
    );
    let place = Place::new(&sql);
    let line = |time: &str, rest: &str| {
        place.append("x.log", &format!("2020-01-01T00:00:{time}Z {rest}\n"))
    };
    line("09.000", "A 1");
    line("09.010", "A 2");
    line("10.200", "DEBUG 3");
    place.run(&["--once"]).has_succeeded();
    // This is late for the session that has closed, none of whose rows are read again.
    line("09.500", "A 4");
    line("10.300", "B 5");
    line("11.100", "C 6");
    line("11.600", "DEBUG 7");
    for _ in 0..2 {
        let run = place.run(&["--once"]);
        assert!(run.stderr.contains("Divide by zero"), "{run:?}");
        // The output of the failed window is removed.
        let files: Vec<_> = place.files(&["a"]).into_values().collect();
        assert_eq!(files, [b"1\n2\n"]);
    }
    place.write("p.sql", &sql.replace("(count(*) - 1)", "count(*)"));
    place.run(&["--once", "--accept-changes"]).has_succeeded();
    let files: Vec<_> = place.files(&["a"]).into_values().collect();
    assert_eq!(files, [b"1\n2\n" as &[u8], b"5\n"]);
}

const KNOWLEDGE: &str = "CREATE EXTERNAL TABLE knowledge (kind TEXT, hits BIGINT, first_seen TEXT, PRIMARY KEY (kind)) \
    STORED AS SQLITE LOCATION 'kb.db';\n\
    CREATE EXTERNAL TABLE news (kind TEXT, first_seen TEXT) STORED AS PARQUET LOCATION 'news/';\n";

/// Learns which kinds of lines there are. What is new depends on what was known before, and hits
/// are added up, so a window that ran twice would show.
fn learning(call: &str) -> String {
    format!(
        "CREATE OR REPLACE TABLE kinds AS SELECT level || ' ' || CAST(date_trunc('minute', ts) AS TEXT) AS kind, \
         count(*) AS n, min(CAST(window_start AS TEXT)) AS seen FROM {call} GROUP BY 1;\n\
         INSERT INTO knowledge SELECT kind, 0, seen FROM kinds WHERE kind NOT IN (SELECT kind FROM knowledge);\n\
         INSERT INTO news SELECT kind, first_seen FROM knowledge WHERE hits = 0 ORDER BY kind;\n\
         MERGE INTO knowledge USING kinds ON knowledge.kind = kinds.kind WHEN MATCHED THEN UPDATE SET hits = hits + n;\n"
    )
}

/// What was learnt.
fn known(place: &Place, columns: &str) -> Vec<String> {
    place.ask(&format!(
        "CREATE EXTERNAL TABLE knowledge STORED AS SQLITE LOCATION 'kb.db'; SELECT {columns} FROM knowledge ORDER BY kind"
    ))
}

/// A pipeline to kill.
struct Case {
    name: &'static str,
    /// The call that reads the windows.
    call: &'static str,
    /// The files that are written, in turns.
    files: &'static [&'static str],
    /// Compares rows, not files: sessions that close together are one window, and which ones do
    /// depends on when their rows were read, so the files differ but have the same rows.
    compares_rows: bool,
    /// Whether the first file is renamed in the middle.
    rotates: bool,
    n_lines: u64,
    n_kills: u64,
}

/// The number of kills in CI; `AIOPS_KILLS` sets another.
const N_KILLS: u64 = 8;

fn n_kills(default: u64) -> u64 {
    let asked = std::env::var("AIOPS_KILLS").ok();
    asked.map_or(default, |number| number.parse().unwrap())
}

/// Writes lines up to a goal that moves, and rotates.
struct Writer {
    goal: Arc<AtomicU64>,
    written: Arc<AtomicU64>,
    _stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Writer {
    fn start(place: &Place, case: &Case) -> Self {
        let (goal, written) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let (stop, stopped) = channel();
        let paths: Vec<PathBuf> = case.files.iter().map(|name| place.path(name)).collect();
        for path in &paths {
            append(path, b"");
        }
        let (is_rotating, n_lines) = (case.rotates, case.n_lines);
        let (until, done) = (Arc::clone(&goal), Arc::clone(&written));
        let thread = std::thread::spawn(move || {
            let mut number = 0;
            // Waits for a moment, or for the end.
            while number < n_lines
                && stopped.recv_timeout(Duration::from_millis(2)) == Err(RecvTimeoutError::Timeout)
            {
                let end = until.load(Ordering::Relaxed).min(number + 37);
                while number < end {
                    let path = &paths[number as usize % paths.len()];
                    let line = line(number);
                    // A reader may also see half a line.
                    let middle = line.len() / 2;
                    append(path, &line.as_bytes()[..middle]);
                    append(path, &line.as_bytes()[middle..]);
                    number += 1;
                    if is_rotating && number == n_lines / 2 {
                        fs::rename(path, path.with_extension("log.1")).unwrap();
                        append(path, b"");
                    }
                }
                done.store(number, Ordering::Relaxed);
            }
        });
        Self {
            goal,
            written,
            _stop: stop,
            thread,
        }
    }
}

/// Lets the run live until some random moment.
fn live(place: &Place, running: &Running, random: &mut SplitMix64) {
    const LONGEST: Duration = Duration::from_secs(1);
    let mut below = |limit: u64| random.next_u64() % limit;
    let started = Instant::now();
    match below(4) {
        0 => {
            for _ in 0..=below(8) {
                let left = LONGEST.saturating_sub(started.elapsed());
                if running.notes.recv_timeout(left).is_err() {
                    return;
                }
            }
        }
        1 => {
            let time = Duration::from_millis(below(200));
            while let Some(left) = time.checked_sub(started.elapsed()) {
                if running.notes.recv_timeout(left) == Err(RecvTimeoutError::Disconnected) {
                    return;
                }
            }
        }
        kind => {
            // Inside a write: as soon as something new is in a folder.
            let folder = place.path(["checkpoint/ranges", "answered", "counts"][below(3) as usize]);
            let n_more = 1 + below(4);
            let names = || -> std::collections::BTreeSet<_> {
                let files = fs::read_dir(&folder).into_iter().flatten().flatten();
                files
                    .map(|file| file.file_name())
                    .filter(|name| kind == 2 || name.to_string_lossy().contains('#'))
                    .collect()
            };
            let (mut known, mut n_seen) = (names(), 0);
            while n_seen < n_more && started.elapsed() < LONGEST {
                let now = names();
                n_seen += now.difference(&known).count() as u64;
                known = now;
                std::thread::park_timeout(Duration::from_millis(1));
            }
        }
    }
    for _ in 0..below(3) * below(200_000) {
        std::hint::spin_loop();
    }
}

fn check_kills(case: &Case, seed: u64) {
    let location = LIVE.replace("'x.log'", "'x*.log*'");
    // Long, so that no file is taken for idle while the machine is busy. But a rotated file holds
    // all others back for that time.
    let timeout = if case.rotates { "500ms" } else { "3s" };
    let location = location.replace("200ms", timeout);
    let sql = format!(
        "{location}{TABLES}{KNOWLEDGE}{}{}",
        body(case.call),
        learning(case.call)
    );
    let folders = ["answered", "counts", "news"];

    let whole = Place::new(&sql);
    for number in 0..case.n_lines {
        whole.append(
            case.files[number as usize % case.files.len()],
            &line(number),
        );
    }
    whole.run(&["--until-idle"]).has_succeeded();
    let expected = whole.files(&folders);
    let place = Place::new(&sql);
    let writer = Writer::start(&place, case);
    let mut random = SplitMix64::seed_from_u64(seed);
    for kill in 1..=case.n_kills {
        // A log that pauses too long goes by the clock, so the pause must be between two groups.
        let goal = kill * case.n_lines / (case.n_kills + 1) / GROUP * GROUP;
        writer.goal.store(goal, Ordering::Relaxed);
        let running = place.start(&[]);
        live(&place, &running, &mut random);
        running.kill();
    }
    writer.goal.store(case.n_lines, Ordering::Relaxed);
    writer.thread.join().unwrap();
    assert_eq!(writer.written.load(Ordering::Relaxed), case.n_lines);
    let run = place.run(&["--until-idle"]).has_succeeded();
    assert!(!run.stderr.contains("late"), "{}: {run:?}", case.name);
    let known_of_all = |columns| {
        assert_eq!(
            known(&place, columns),
            known(&whole, columns),
            "{}",
            case.name
        )
    };
    if case.compares_rows {
        known_of_all("kind, hits");
        for folder in ["answered", "counts"] {
            let sql = format!("SELECT * FROM '{folder}/' ORDER BY 1, 2, 3");
            assert_eq!(place.ask(&sql), whole.ask(&sql), "{}: {folder}", case.name);
        }
    } else {
        known_of_all("kind, hits, first_seen");
        assert!(known(&whole, "hits").len() > 10);
        assert!(expected.len() > 20, "{}: {}", case.name, expected.len());
        assert_same_files(&place.files(&folders), &expected, case.name);
    }
    // What a kill has left half written is gone, and the checkpoint does not grow.
    for folder in folders {
        let mut files = fs::read_dir(place.path(folder)).unwrap().flatten();
        assert!(files.all(|file| !file.file_name().to_string_lossy().contains('#')));
    }
    let n_ranges = fs::read_dir(place.path("checkpoint/ranges"))
        .unwrap()
        .count();
    assert!(n_ranges < 30, "{}: {n_ranges} ranges", case.name);
}

#[test]
fn killed_at_any_moment_it_writes_the_same_files() {
    let case = Case {
        name: "tumble",
        call: TUMBLE,
        files: &["x.log"],
        compares_rows: false,
        rotates: true,
        n_lines: 6000,
        n_kills: n_kills(N_KILLS),
    };
    check_kills(&case, 1);
}

#[test]
fn killed_at_any_moment_with_two_files() {
    let case = Case {
        name: "two files",
        call: TUMBLE,
        files: &["x.log", "xy.log"],
        compares_rows: false,
        rotates: false,
        n_lines: 4000,
        n_kills: n_kills(N_KILLS) / 2,
    };
    check_kills(&case, 2);
}

#[test]
fn killed_at_any_moment_with_other_windows() {
    for (seed, call) in [
        "session(logs, ts, INTERVAL '300 milliseconds')",
        "count_window(logs, 70)",
        "hop(logs, ts, INTERVAL '1 second', INTERVAL '3 seconds')",
    ]
    .into_iter()
    .enumerate()
    {
        let case = Case {
            name: call,
            call,
            files: &["x.log"],
            compares_rows: call.starts_with("session"),
            rotates: false,
            n_lines: 4000,
            n_kills: n_kills(N_KILLS) / 3,
        };
        check_kills(&case, 3 + seed as u64);
    }
}

/// How a pipeline is shared among processes: each reads a folder of its own, and all write one
/// knowledge base. A window that finds it locked waits for the window that has it.
#[cfg(feature = "sqlite")]
#[test]
fn two_pipelines_share_one_knowledge_base() {
    const KINDS: &str =
        "CREATE EXTERNAL TABLE kinds (template TEXT PRIMARY KEY, hits BIGINT, solution TEXT)
         STORED AS SQLITE LOCATION 'kb.db' OPTIONS (busy_timeout '1 minute');\n";
    let pipeline = |log: &str| {
        format!(
            "{}{KINDS}
             CREATE OR REPLACE TABLE seen AS SELECT log_template(message) AS template, count(*) AS n FROM {TUMBLE} GROUP BY 1;
             MERGE INTO kinds USING seen ON kinds.template = seen.template
                 WHEN MATCHED THEN UPDATE SET hits = hits + n
                 WHEN NOT MATCHED THEN INSERT (template, hits) VALUES (seen.template, n);\n",
            LIVE.replace("x.log", log)
        )
    };
    let place = Place::new(&pipeline("a.log"));
    place.write("q.sql", &pipeline("b.log"));
    place.write("a.log", "");
    place.write("b.log", "");
    let start = |file: &str| {
        let checkpoint = format!("checkpoint-{file}");
        let arguments = ["run", file, "--checkpoint", &checkpoint, "--until-idle"];
        Running::start(place.command(&arguments))
    };
    place.append("a.log", &lines(0..2_000));
    place.append("b.log", &lines(0..2_000));
    let (first, second) = (start("p.sql"), start("q.sql"));
    // A person writes solutions meanwhile.
    first.until_note("1");
    let solve = format!("{KINDS} UPDATE kinds SET solution = 'wait' WHERE hits > 0");
    place.shell(&["-c", &solve]).has_succeeded();
    first.finish().has_succeeded();
    second.finish().has_succeeded();
    let ask = format!("{KINDS} SELECT sum(hits), count(*) FROM kinds");
    assert_eq!(place.ask(&ask).last().unwrap(), "4000,1");
}
