//! Live tables as people use them: files that really grow, are rotated and dropped into folders,
//! and pipes.
//!
//! Nothing waits for a fixed time: a test continues as soon as what it waits for is there, and
//! fails if that takes more than a minute.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::DateTime;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::error::Result;
use datafusion::prelude::SessionContext;
use datafusion_aiops::source::{Clock, set_clock};
use futures::StreamExt;
use tokio::task::JoinHandle;

use crate::golden::project;

const DEADLINE: Duration = Duration::from_secs(60);
/// Used only when a person regenerates golden files.
const SILENCE: Duration = Duration::from_secs(8);

/// A run of the shell that may never end. It is killed when it is dropped.
#[derive(Debug)]
pub(crate) struct LiveShell {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl LiveShell {
    /// Starts the shell in `folder`; its standard input is a pipe.
    pub(crate) fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_datafusion-aiops"))
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            while output.read_line(&mut line).is_ok_and(|n_bytes| n_bytes > 0) {
                if sender.send(std::mem::take(&mut line)).is_err() {
                    return;
                }
            }
        });
        Self {
            stdin: child.stdin.take(),
            child,
            lines,
        }
    }

    /// The next line of its output, with its line end; `None` if it has ended, or if no line comes
    /// in this time.
    fn line_within(&self, time: Duration) -> Option<String> {
        self.lines.recv_timeout(time).ok()
    }

    /// The next line of its output, without its line end.
    fn line(&mut self) -> String {
        match self.line_within(DEADLINE) {
            Some(line) => line.trim_end().to_string(),
            None => panic!("no line came: {}", self.errors()),
        }
    }

    /// As many lines of its output as the expected text has.
    pub(crate) fn as_many_lines_as(&mut self, expected: &str) -> String {
        let lines = expected.lines().map(|_| self.line() + "\n");
        lines.collect()
    }

    /// Its output until it has printed nothing for some seconds.
    pub(crate) fn until_silence(&self) -> String {
        std::iter::from_fn(|| self.line_within(SILENCE)).collect()
    }

    pub(crate) fn write(&mut self, text: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(text.as_bytes()).unwrap();
        stdin.flush().unwrap();
    }

    /// Closes its standard input and waits for its end. Returns the exit code, the rest of its
    /// output, and its errors.
    pub(crate) fn finish(mut self) -> (Option<i32>, String, String) {
        self.stdin = None;
        let rest: Vec<String> = std::iter::from_fn(|| self.line_within(DEADLINE)).collect();
        let mut errors = String::new();
        let mut stderr = self.child.stderr.take().unwrap();
        stderr.read_to_string(&mut errors).unwrap();
        let code = self.child.wait().unwrap().code();
        (code, rest.concat(), errors)
    }

    /// Ends it, and returns what it printed on standard error.
    fn errors(&mut self) -> String {
        let _ = self.child.kill();
        let mut errors = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            let _ = stderr.read_to_string(&mut errors);
        }
        errors
    }
}

impl Drop for LiveShell {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A statement that runs in this process.
struct Stream {
    rows: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Stream {
    async fn start(context: &SessionContext, sql: &str) -> Self {
        let frame = context.sql(sql).await.unwrap();
        let mut stream = frame.execute_stream().await.unwrap();
        let rows = Arc::<Mutex<Vec<String>>>::default();
        let sink = Arc::clone(&rows);
        let task = tokio::spawn(async move {
            while let Some(batch) = stream.next().await {
                let lines = lines_of(&batch.unwrap());
                sink.lock().unwrap().extend(lines);
            }
        });
        Self { rows, task }
    }

    fn n_rows(&self) -> usize {
        self.rows.lock().unwrap().len()
    }

    /// The rows so far, in the order of their texts.
    fn sorted(&self) -> Vec<String> {
        let mut rows = self.rows.lock().unwrap().clone();
        rows.sort();
        rows
    }

    async fn until_n_rows(&self, n_rows: usize) {
        until(&format!("{n_rows} rows"), async || self.n_rows() >= n_rows).await;
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A session in which files are tables by their names, as in the shell.
fn session() -> SessionContext {
    datafusion_aiops::session().unwrap().enable_url_table()
}

/// Waits until the condition holds.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !holds().await {
        assert!(started.elapsed() < DEADLINE, "{what} did not come");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// One line per row: its values, separated by `|`.
fn lines_of(batch: &RecordBatch) -> Vec<String> {
    let options = FormatOptions::default().with_null("NULL");
    let columns = batch.columns().iter();
    let columns: Vec<_> = columns
        .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
        .collect();
    let line = |row: usize| {
        let values: Vec<_> = columns
            .iter()
            .map(|column| column.value(row).to_string())
            .collect();
        values.join("|")
    };
    (0..batch.num_rows()).map(line).collect()
}

async fn ask(context: &SessionContext, sql: &str) -> Vec<String> {
    let batches = try_ask(context, sql).await.unwrap();
    batches.iter().flat_map(lines_of).collect()
}

async fn try_ask(context: &SessionContext, sql: &str) -> Result<Vec<RecordBatch>> {
    context.sql(sql).await?.collect().await
}

/// A sum over all streams of this session.
async fn counted(context: &SessionContext, counter: &str) -> u64 {
    let sql = format!("SELECT coalesce(sum({counter}), 0) FROM aiops_streams()");
    ask(context, &sql).await[0].parse().unwrap()
}

fn append(path: &Path, text: impl AsRef<[u8]>) {
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .unwrap();
    file.write_all(text.as_ref()).unwrap();
}

/// A file of `sql/streaming`, cut into statements.
struct SqlFile {
    before: Vec<String>,
    query: String,
}

impl SqlFile {
    /// Reads the file, with `location` in place of its own.
    fn read(name: &str, location: &Path) -> Self {
        let path = project().join("sql/streaming").join(name);
        let text = fs::read_to_string(path).unwrap();
        let text = text.replace("sql/data/events", &in_data("events"));
        let (head, tail) = text.split_once("LOCATION '").unwrap();
        let (_, tail) = tail.split_once('\'').unwrap();
        let text = format!("{head}LOCATION '{}'{tail}", location.display());
        let lines = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("--"));
        let text = lines.collect::<Vec<_>>().join("\n");
        let mut statements: Vec<String> = text
            .split(";\n")
            .map(|part| part.trim().trim_end_matches(';').to_string())
            .collect();
        let query = statements.pop().unwrap();
        Self {
            before: statements,
            query,
        }
    }

    async fn prepare(&self, is_live: bool) -> SessionContext {
        let context = session();
        for statement in &self.before {
            let statement = if is_live {
                statement.clone()
            } else {
                statement.replace("UNBOUNDED ", "")
            };
            ask(&context, &statement).await;
        }
        context
    }
}

fn in_data(name: &str) -> String {
    let path = project().join("sql/data").join(name);
    path.to_str().unwrap().to_string()
}

/// Runs a file of `sql/streaming` over a log that grows in pieces and is rotated in the middle, and
/// over the same log in its final state. `last` is a line that closes what is open; `is_closed`
/// cuts off what that line itself would add.
async fn check_log(name: &str, log: &str, last: &str, is_closed: impl Fn(&str) -> bool) {
    let folder = tempfile::tempdir().unwrap();
    let (path, rotated) = (folder.path().join("x.log"), folder.path().join("x.log.1"));
    let file = SqlFile::read(name, &folder.path().join("x.log*"));
    let text = log.to_string() + last;
    // A piece ends anywhere, except at the rotation, where the program itself writes whole lines.
    let n_pieces = 7;
    let middle = log.len() / 2 + log[log.len() / 2..].find("\n20").map_or(0, |at| at + 1);
    let mut ends: Vec<usize> = (1..n_pieces)
        .map(|piece| piece * text.len() / n_pieces)
        .collect();
    ends.extend([middle, text.len()]);
    ends.sort_unstable();

    append(&path, "");
    let context = file.prepare(true).await;
    let live = Stream::start(&context, &file.query).await;
    let mut written = 0;
    for end in ends {
        append(&path, &text.as_bytes()[written..end]);
        written = end;
        let read = async || counted(&context, "bytes_read").await >= written as u64;
        until("a piece", read).await;
        if end == middle {
            fs::rename(&path, &rotated).unwrap();
            append(&path, "");
        }
    }

    let whole = folder.path().join("whole");
    append(&whole, &text);
    let file = SqlFile::read(name, &whole);
    let context = file.prepare(false).await;
    let mut expected = ask(&context, &file.query).await;
    expected.retain(|row| is_closed(row));
    expected.sort();
    assert!(expected.len() > 1, "{name}: {expected:?}");
    live.until_n_rows(expected.len()).await;
    assert_eq!(live.sorted(), expected, "{name}");
}

fn log_of(name: &str) -> String {
    fs::read_to_string(in_data(name)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn top_templates_of_growing_files_are_those_of_the_batch() {
    let last =
        "2026-03-09 00:00:00.000 UTC [1] LOG:  last\n2026-03-09 00:00:00.000 UTC [1] LOG:  last\n";
    let name = "1_top_templates.sql";
    check_log(name, &log_of("postgresql.log"), last, |_| true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn count_windows_of_growing_files_are_those_of_the_batch() {
    // The last window is not full, and so stays open.
    let is_full = |row: &str| !row.starts_with("1200|");
    check_log(
        "3_count_window.sql",
        &log_of("nginx_access.log"),
        "",
        is_full,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_of_growing_files_are_those_of_the_batch() {
    let last =
        "192.0.2.1 - - [09/Mar/2026:00:00:00 +0000] \"GET /last HTTP/1.1\" 200 1 \"-\" \"-\"\n";
    check_log("4_sessions.sql", &log_of("nginx_access.log"), last, |_| {
        true
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tail_of_growing_files_is_that_of_the_batch() {
    let last =
        "2026-03-09 00:00:00.000 UTC [1] LOG:  last\n2026-03-09 00:00:00.000 UTC [1] LOG:  last\n";
    check_log("5_tail.sql", &log_of("postgresql.log"), last, |_| true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anomalies_in_dropped_files_are_those_of_the_batch() {
    let folder = tempfile::tempdir().unwrap();
    let maker = session();
    let make = async |condition: &str, name: &str| {
        let path = folder.path().join(name);
        let copy = format!(
            "COPY (SELECT * FROM '{}' WHERE {condition} ORDER BY ts, host) TO '{}' STORED AS PARQUET",
            in_data("live_metrics/2026-02.parquet"),
            path.display()
        );
        ask(&maker, &copy).await;
        path
    };
    make("ts < '2026-02-20'", "1.parquet").await;
    let file = SqlFile::read("2_anomalies.sql", &folder.path().join(""));
    let context = file.prepare(true).await;
    let live = Stream::start(&context, &file.query).await;
    until("the first file", async || {
        counted(&context, "rows_read").await > 0
    })
    .await;

    // One file is first written under another name; one first appears as half a file.
    let unfinished = make("ts >= '2026-02-20' AND ts < '2026-02-24'", "2.parquet.tmp").await;
    let whole = make("ts >= '2026-02-24'", "3.part").await;
    let bytes = fs::read(&whole).unwrap();
    fs::remove_file(&whole).unwrap();
    let half = folder.path().join("3.parquet");
    fs::write(folder.path().join("half"), &bytes[..bytes.len() / 2]).unwrap();
    fs::rename(folder.path().join("half"), &half).unwrap();
    let finished = folder.path().join("2.parquet");
    fs::rename(unfinished, finished).unwrap();
    let first_two = 3 * 288 * 8;
    until("the second file", async || {
        counted(&context, "rows_read").await >= first_two
    })
    .await;
    assert_eq!(counted(&context, "rows_read").await, first_two);
    append(&half, &bytes[bytes.len() / 2..]);

    let context = file.prepare(false).await;
    let mut expected = ask(&context, &file.query).await;
    expected.sort();
    assert!(expected.len() > 10);
    live.until_n_rows(expected.len()).await;
    assert_eq!(live.sorted(), expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_lines_of_json_are_read_file_by_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("a.json"), "{\"n\": 1}\n{\"n\": 2}\n").unwrap();
    let context = session();
    let create = format!(
        "CREATE UNBOUNDED EXTERNAL TABLE t STORED AS JSON LOCATION '{}/'",
        folder.path().display()
    );
    ask(&context, &create).await;
    let live = Stream::start(&context, "SELECT n FROM t").await;
    live.until_n_rows(2).await;
    fs::write(path("b.json.tmp"), "{\"n\": 3}\n").unwrap();
    fs::write(path("c.json"), "{\"n\": 4}\n").unwrap();
    live.until_n_rows(3).await;
    assert_eq!(live.sorted(), ["1", "2", "4"]);
    fs::rename(path("b.json.tmp"), path("b.json")).unwrap();
    live.until_n_rows(4).await;
    assert_eq!(live.sorted(), ["1", "2", "3", "4"]);
}

/// What a program does with its log when it is long enough.
#[derive(Debug, Clone, Copy)]
enum Rotation {
    /// `x.log.1` becomes `x.log.2` and so on, `x.log` becomes `x.log.1`, and a new one begins.
    Rename,
    /// `x.log` is copied to `x.log.1`, and emptied.
    CopyTruncate,
}

const LINES_PER_SECOND: u64 = 50_000;
const N_LINES: u64 = 110_000;
const N_ROTATIONS: u64 = 10;

/// Writes numbered lines at this rate, and rotates ten times.
fn write_and_rotate(folder: PathBuf, rotation: Rotation) {
    let path = folder.join("x.log");
    let name = |number: u64| folder.join(format!("x.log.{number}"));
    let open = || OpenOptions::new().create(true).append(true).open(&path);
    let mut file: File = open().unwrap();
    let (started, mut n_written) = (Instant::now(), 0);
    for part in 0..=N_ROTATIONS {
        let end = (part + 1) * N_LINES / (N_ROTATIONS + 1);
        while n_written < end {
            let due = started.elapsed().as_micros() as u64 * LINES_PER_SECOND / 1_000_000;
            let lines: String = (n_written..due.min(end))
                .map(|number| format!("line {number} of a log that is written quickly\n"))
                .collect();
            file.write_all(lines.as_bytes()).unwrap();
            n_written = n_written.max(due.min(end));
            std::thread::park_timeout(Duration::from_millis(1));
        }
        if part == N_ROTATIONS {
            return;
        }
        for number in (1..N_ROTATIONS + 1)
            .rev()
            .filter(|number| name(*number).exists())
        {
            fs::rename(name(number), name(number + 1)).unwrap();
        }
        match rotation {
            Rotation::Rename => {
                fs::rename(&path, name(1)).unwrap();
                file = open().unwrap();
            }
            Rotation::CopyTruncate => {
                fs::copy(&path, name(1)).unwrap();
                file.set_len(0).unwrap();
            }
        }
    }
}

async fn check_rotations(rotation: Rotation) {
    let folder = tempfile::tempdir().unwrap();
    append(&folder.path().join("x.log"), "");
    let context = session();
    let create = format!(
        "CREATE UNBOUNDED EXTERNAL TABLE t STORED AS LOG LOCATION '{}/x.log*'",
        folder.path().display()
    );
    ask(&context, &create).await;
    let select = "SELECT CAST(split_part(message, ' ', 2) AS BIGINT) FROM t";
    let live = Stream::start(&context, select).await;
    let to = folder.path().to_path_buf();
    let writer = std::thread::spawn(move || write_and_rotate(to, rotation));
    live.until_n_rows(N_LINES as usize).await;
    writer.join().unwrap();
    // Doubled rows would arrive now.
    let n_bytes = counted(&context, "bytes_read").await;
    assert_eq!(
        live.n_rows(),
        N_LINES as usize,
        "{rotation:?}: {n_bytes} bytes"
    );
    let mut numbers: Vec<u64> = live
        .sorted()
        .iter()
        .map(|row| row.parse().unwrap())
        .collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..N_LINES), "{rotation:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_line_is_lost_or_doubled_when_files_are_renamed() {
    check_rotations(Rotation::Rename).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_line_is_lost_or_doubled_when_files_are_emptied() {
    check_rotations(Rotation::CopyTruncate).await;
}

/// Files are looked at this often.
const LOOK: Duration = Duration::from_millis(250);

/// A clock that the test moves.
#[derive(Debug)]
struct TestClock(AtomicI64);

impl TestClock {
    fn advance(&self, by: Duration) {
        self.0.fetch_add(by.as_nanos() as i64, Ordering::Relaxed);
    }

    /// A time after it, as a log writes it.
    fn after(&self, milliseconds: i64) -> String {
        let time = DateTime::from_timestamp_nanos(
            self.0.load(Ordering::Relaxed) + milliseconds * 1_000_000,
        );
        time.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
    }
}

impl Clock for TestClock {
    fn now(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    fn wait(&self) {
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_future_and_late_lines() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.log");
    append(&path, "");
    let context = session();
    let start = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
    let clock = Arc::new(TestClock(AtomicI64::new(
        start.timestamp_nanos_opt().unwrap(),
    )));
    set_clock(&context, Arc::clone(&clock) as _).unwrap();
    let create = format!(
        "CREATE UNBOUNDED EXTERNAL TABLE t STORED AS LOG LOCATION '{}' OPTIONS (
             pattern '^(?<ts>\\S+) (?<message>.*)', delay '100ms', idle_timeout '300ms')",
        path.display()
    );
    ask(&context, &create).await;
    let select = "SELECT min(message), max(message), count(*), min(window_start) FROM tumble(t, ts, INTERVAL '1 second')
        GROUP BY window_start";
    let live = Stream::start(&context, select).await;

    // A line from one hour ahead does not close the current window: rows that come then belong to
    // it.
    append(&path, format!("{} future\n", clock.after(3_600_000)));
    clock.advance(LOOK);
    until("the first line", async || {
        counted(&context, "rows_read").await == 1
    })
    .await;
    let first = clock.after(2_000);
    append(&path, format!("{first} a\n{} b\n", clock.after(2_500)));
    clock.advance(LOOK);
    until("two lines", async || {
        counted(&context, "rows_read").await == 3
    })
    .await;
    assert_eq!(
        (live.n_rows(), counted(&context, "rows_late").await),
        (0, 0)
    );
    // The window closes although nothing more comes.
    clock.advance(Duration::from_secs(4));
    live.until_n_rows(1).await;
    let second = format!("{}Z", &first[..19]);
    assert_eq!(live.sorted(), [format!("a|b|2|{second}")]);
    assert_eq!(counted(&context, "rows_late").await, 0);

    // Its window is closed now.
    append(&path, format!("{first} too late\n"));
    clock.advance(LOOK);
    until("a late line", async || {
        counted(&context, "rows_late").await == 1
    })
    .await;
    let late = ask(&context, "SELECT message, reason FROM aiops_late('t')").await;
    assert_eq!(late, ["too late|late"]);
    append(&path, "nothing\n");
    clock.advance(LOOK);
    until("a line without time", async || {
        counted(&context, "rows_without_time").await == 1
    })
    .await;
    let late = "SELECT message, reason FROM aiops_late('t') ORDER BY reason";
    assert_eq!(
        ask(&context, late).await,
        ["too late|late", "nothing|no time"]
    );
    assert_eq!(counted(&context, "rows_malformed").await, 1);
    assert_eq!(
        (live.n_rows(), counted(&context, "closed_windows").await),
        (1, 1)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_ends_with_its_statement() {
    let folder = tempfile::tempdir().unwrap();
    append(&folder.path().join("x.log"), "one\n");
    let context = session();
    let create = format!(
        "CREATE UNBOUNDED EXTERNAL TABLE t STORED AS LOG LOCATION '{}/'",
        folder.path().display()
    );
    ask(&context, &create).await;
    let states = async || ask(&context, "SELECT table_name, state FROM aiops_streams()").await;
    for sql in [
        "SELECT message FROM t",
        "SELECT count(*) FROM count_window(t, 1)  GROUP BY window_start",
    ] {
        let live = Stream::start(&context, sql).await;
        live.until_n_rows(1).await;
        assert!(states().await.contains(&"t|running".to_string()));
        drop(live);
        until("the end", async || {
            states().await.iter().all(|state| state == "t|ended")
        })
        .await;
    }
    // LIMIT ends a statement by itself.
    assert_eq!(
        ask(&context, "SELECT message FROM t LIMIT 1").await,
        ["one"]
    );
    until("the end", async || states().await == ["t|ended"; 3]).await;
}

/// Problems stop no query, and none is lost when the next one comes: all are counted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn problems_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..3 {
        let path = folder.path().join(format!("{number}.json"));
        append(&path, "no object\n");
    }
    let context = session();
    let create = format!(
        "CREATE UNBOUNDED EXTERNAL TABLE t (n BIGINT) STORED AS JSON LOCATION '{}/'",
        folder.path().display()
    );
    ask(&context, &create).await;
    let live = Stream::start(&context, "SELECT n FROM t").await;
    until("all problems", async || {
        counted(&context, "problems").await == 3
    })
    .await;
    let last = "SELECT last_problem FROM aiops_streams()";
    let last = ask(&context, last).await;
    assert!(last[0].contains(".json cannot be read"), "{last:?}");
    drop(live);
}

#[tokio::test]
async fn what_never_has_a_result_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    append(&folder.path().join("x.log"), "2026-03-02T00:00:00 one\n");
    let context = session();
    let create = |location: &str, options: &str| {
        format!(
            "CREATE UNBOUNDED EXTERNAL TABLE t STORED AS LOG LOCATION '{}/{location}' OPTIONS (
                 pattern '^(?<ts>\\S+) (?<level>.*)' {options})",
            folder.path().display()
        )
    };
    for (sql, expected) in [
        (create("", ", dely '1s'"), "dely"),
        (
            create("", ", delay '1'"),
            "Option delay must be a length of time",
        ),
        (create("", ", time_column 'level'"), "must be a TIMESTAMP"),
        (create("", ", time_column 'nothing'"), "is no column"),
        (create("nowhere/*.log", ""), "nowhere"),
    ] {
        let error = try_ask(&context, &sql).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{sql}: {error}");
    }
    ask(&context, &create("", "")).await;
    let copy = format!("COPY t TO '{}/copy.parquet'", folder.path().display());
    for (sql, expected) in [
        (
            "EXPLAIN ANALYZE SELECT * FROM t",
            "never ends: write EXPLAIN",
        ),
        (
            &copy,
            "COPY from the live table t would write no file before it ends",
        ),
        (
            "SELECT level, count(*) FROM t GROUP BY level",
            "GROUP BY level has a result only when the live table t ends, which it never does. Write FROM tumble(t, ts, \
             INTERVAL '30 seconds') for a result per window",
        ),
        ("SELECT count(*) FROM t", "count(*) has a result only when"),
        (
            "SELECT DISTINCT level FROM t",
            "DISTINCT level has a result only when",
        ),
        (
            "SELECT * FROM t ORDER BY level",
            "ORDER BY level has a result only when",
        ),
        (
            "SELECT level, count(*) FROM tumble(t, ts, INTERVAL '1 second') GROUP BY level",
            "add window_start to its columns",
        ),
        (
            "SELECT * FROM tumble(t, ts, INTERVAL '1 second') LIMIT 1",
            "LIMIT over a windowed live table",
        ),
        (
            "SELECT * FROM aiops_late('u')",
            "there is no live table 'u'",
        ),
        (
            "INSERT INTO t VALUES ('2026-03-02', 'x', 'y', 'z', 1)",
            "INSERT INTO t is refused: a live table is only read",
        ),
    ] {
        let error = try_ask(&context, sql).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{sql}: {error}");
    }
    let plan = context
        .state()
        .create_logical_plan("CREATE TABLE u AS SELECT * FROM t")
        .await;
    let error = datafusion_aiops::check_plan(&plan.unwrap())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("CREATE TABLE … AS over the live table t would never be done"),
        "{error}"
    );
    assert!(!ask(&context, "EXPLAIN SELECT * FROM t").await.is_empty());
}

#[test]
fn standard_input_is_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let select = "SELECT line_number, upper(message) AS m FROM stdin";
    let mut shell = LiveShell::start(folder.path(), &["--format", "csv", "-c", select]);
    shell.write("one\n");
    assert_eq!(
        (shell.line(), shell.line()),
        ("line_number,m".to_string(), "1,ONE".to_string())
    );
    shell.write("two\nthr");
    assert_eq!(shell.line(), "2,TWO");
    shell.write("ee\nfour");
    assert_eq!(shell.line(), "3,THREE");
    let end = (Some(0), "4,FOUR\n".to_string(), String::new());
    assert_eq!(shell.finish(), end);
}

#[test]
fn the_last_window_of_standard_input_is_not_lost() {
    let folder = tempfile::tempdir().unwrap();
    let sql = "CREATE UNBOUNDED EXTERNAL TABLE s STORED AS LOG LOCATION '/dev/stdin' OPTIONS (pattern '^(?<ts>\\S+) ');
               SELECT window_start, count(*) AS n FROM tumble(s, ts, INTERVAL '1 minute') GROUP BY window_start";
    let mut shell = LiveShell::start(folder.path(), &["--format", "csv", "-c", sql]);
    shell.write("2026-03-02T00:00:01 a\n2026-03-02T00:00:02 b\n2026-03-02T00:02:00 c\n");
    let header = "window_start,n".to_string();
    assert_eq!(
        (shell.line(), shell.line()),
        (header, "2026-03-02T00:00:00Z,2".to_string())
    );
    let end = (
        Some(0),
        "2026-03-02T00:02:00Z,1\n".to_string(),
        String::new(),
    );
    assert_eq!(shell.finish(), end);
}

#[test]
fn standard_input_is_read_once() {
    let folder = tempfile::tempdir().unwrap();
    let twice = [
        "--format",
        "csv",
        "-c",
        "SELECT message FROM stdin; SELECT message FROM stdin",
    ];
    let mut shell = LiveShell::start(folder.path(), &twice);
    shell.write("one\n");
    let (code, output, errors) = shell.finish();
    assert_eq!((code, output.as_str()), (Some(1), "message\none\n"));
    let expected = "standard input can be read by one statement only, and one has begun to";
    assert!(errors.contains(expected), "{errors}");
}
