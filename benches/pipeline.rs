//! The pipeline sql/streaming/log_clustering.sql: the cost of a window, and the latency from a line
//! in the file to its answer.
//!
//! `cargo bench --bench pipeline` prints the cost of a window of 2,000 lines with 20 new templates,
//! when the knowledge base holds a thousand, ten thousand or a hundred thousand; the size should
//! hardly matter. When the environment variable `BENCH_LATENCY` is set, the benchmark follows a
//! file instead, to which 10,000 lines a second are appended for half a minute, with windows of one
//! second, and prints the times from writing a line to having its answer. Results are in
//! `benches/record`, with their date and machine.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::cast_possible_truncation
)]

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::TimestampNanosecondType;
use datafusion::prelude::SessionContext;
use datafusion_aiops::{Pipeline, PipelineEnd, PipelineOptions};

/// Failures that the function `log_tokens` knows, and one that it does not.
const FAILURES: [&str; 8] = [
    "no space left on device",
    "connection refused",
    "permission denied",
    "timed out",
    "out of memory",
    "deadlock detected",
    "too many open files",
    "looks strange",
];
const LINES_OF_WINDOW: usize = 2_000;
const NEW_TEMPLATES: usize = 20;
const N_WINDOWS: usize = 30;

/// The statements of the pipeline over this log, with all files in `folder`.
fn statements(log: &Path, folder: &Path, window: &str, is_live: bool) -> String {
    let sql = include_str!("../sql/streaming/log_clustering.sql");
    let (_, behind) = sql
        .split_once("-- The knowledge base is one")
        .expect("the table logs comes first");
    let unbounded = if is_live { "UNBOUNDED " } else { "" };
    let options = if is_live { ", delay '100ms'" } else { "" };
    let create = format!(
        "CREATE {unbounded}EXTERNAL TABLE logs STORED AS LOG LOCATION '{}' OPTIONS (
             pattern '^(?<ts>\\S+) (?<level>[A-Z]+) (?<message>.*)$'{options});\n--",
        log.display()
    );
    let body = behind
        .replace("log_clustering/", &format!("{}/", folder.display()))
        .replace("INTERVAL '1 hour'", window);
    create + &body
}

/// A word of letters only, so that it is not a variable, and different for each number.
fn word(mut number: usize) -> String {
    let mut word = String::from("q");
    for _ in 0..5 {
        word.push(char::from(b'a' + (number % 26) as u8));
        number /= 26;
    }
    word
}

fn template(number: usize) -> String {
    let failure = FAILURES[number % FAILURES.len()];
    format!(
        "{} of {} failed for order 4711: {failure}",
        word(number),
        word(number / 7)
    )
}

fn second(number: usize) -> String {
    let (minute, second) = (number / 60, number % 60);
    format!(
        "2026-03-01T{:02}:{:02}:{second:02}Z",
        minute / 60,
        minute % 60
    )
}

/// Writes one window with all the known templates, then the windows to measure.
fn write_archive(path: &Path, n_known: usize) {
    let mut out = BufWriter::new(File::create(path).expect("created"));
    for number in 0..n_known {
        writeln!(out, "{} ERROR {}", second(0), template(number)).expect("written");
    }
    for window in 1..=N_WINDOWS {
        for line in 0..LINES_OF_WINDOW {
            let number = match line {
                new if new < NEW_TEMPLATES => n_known + window * NEW_TEMPLATES + new,
                // A few errors make most of the lines.
                old => (old * old + window) % n_known.min(100),
            };
            writeln!(out, "{} ERROR {}", second(window), template(number)).expect("written");
        }
    }
}

async fn cost_of_window(n_known: usize) -> Vec<f64> {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("archive.log");
    write_archive(&log, n_known);
    let sql = statements(&log, folder.path(), "INTERVAL '1 second'", false);
    let context = datafusion_aiops::session().expect("a session");
    let mut pipeline = open(&context, &sql, folder.path()).await;
    let mut milliseconds = vec![];
    while let Some(window) = pipeline.next_window().await.expect("runs") {
        if window.number > 1 {
            milliseconds.push(window.elapsed.as_secs_f64() * 1e3);
        }
    }
    assert_eq!(milliseconds.len(), N_WINDOWS);
    milliseconds
}

async fn open(context: &SessionContext, sql: &str, folder: &Path) -> Pipeline {
    let checkpoint = folder.join("checkpoint");
    let options = PipelineOptions::new("bench").with_end(PipelineEnd::Never);
    let pipeline = Pipeline::open(context, sql, &checkpoint.to_string_lossy(), options).await;
    pipeline.expect("a pipeline")
}

fn now() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    i64::try_from(since.as_nanos()).expect("before 2262")
}

/// Appends 10,000 lines a second, 100 lines every 10 ms, until told to stop. Each line begins with
/// the time it was written; one in a thousand has a new template.
fn write_live(path: &Path, stop: &AtomicBool) {
    let mut out = File::options()
        .create(true)
        .append(true)
        .open(path)
        .expect("opened");
    let begin = Instant::now();
    let mut number = 0;
    for tick in 1u32.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let mut lines = Vec::new();
        for _ in 0..100 {
            number += 1;
            let which = if number % 1_000 == 0 {
                number
            } else {
                number % 100
            };
            writeln!(lines, "{} ERROR {}", now(), template(which)).expect("written");
        }
        out.write_all(&lines).expect("written");
        let next = begin + Duration::from_millis(10) * tick;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

/// Milliseconds from writing a line to reading its answer, for all lines.
async fn latencies() -> Vec<f64> {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("app.log");
    let stop = Arc::new(AtomicBool::new(false));
    let writer = {
        let (log, stop) = (log.clone(), Arc::clone(&stop));
        std::thread::spawn(move || write_live(&log, &stop))
    };
    let sql = statements(&log, folder.path(), "INTERVAL '1 second'", true);
    let context = datafusion_aiops::session().expect("a session");
    let mut pipeline = open(&context, &sql, folder.path()).await;
    let (mut milliseconds, mut read_upto) = (vec![], 0);
    let end = Instant::now() + Duration::from_secs(30);
    while Instant::now() < end {
        pipeline
            .next_window()
            .await
            .expect("runs")
            .expect("goes on");
        let query = format!(
            "SELECT ts FROM answered WHERE ts > arrow_cast({read_upto}, 'Timestamp(Nanosecond, None)')"
        );
        let answered = context.sql(&query).await.expect("planned").collect().await;
        let now = now();
        for rows in answered.expect("read") {
            let written = rows.column(0).as_primitive::<TimestampNanosecondType>();
            for written in written.values() {
                milliseconds.push((now - written) as f64 / 1e6);
                read_upto = read_upto.max(*written);
            }
        }
    }
    stop.store(true, Ordering::Relaxed);
    writer.join().expect("the writer ends");
    milliseconds
}

fn tell(name: &str, mut milliseconds: Vec<f64>) {
    milliseconds.sort_by(f64::total_cmp);
    let quantile = |share: f64| {
        let last = milliseconds.len() - 1;
        milliseconds[(share * last as f64).round() as usize]
    };
    println!(
        "{name}: n {}, p50 {:.1} ms, p90 {:.1} ms, p99 {:.1} ms, max {:.1} ms",
        milliseconds.len(),
        quantile(0.5),
        quantile(0.9),
        quantile(0.99),
        quantile(1.0)
    );
}

fn main() {
    // `cargo test --benches` runs this once, on little data.
    let is_test = !std::env::args().any(|argument| argument == "--bench");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    if std::env::var_os("BENCH_LATENCY").is_some() {
        let milliseconds = runtime.block_on(latencies());
        return tell("line written to answered row", milliseconds);
    }
    let sizes: &[usize] = if is_test {
        &[1_000]
    } else {
        &[1_000, 10_000, 100_000]
    };
    for n_known in sizes {
        let milliseconds = runtime.block_on(cost_of_window(*n_known));
        tell(&format!("window, {n_known} templates known"), milliseconds);
    }
}
