//! Live tables: the throughput from a growing file to the counts of closed windows, the cost of a
//! window, and the latency from a line in the file to the answer.
//!
//! Criterion runs `throughput` and `window`; their results mean most on one core (`taskset -c 1`).
//! `latency` runs instead when the environment variable `BENCH_LATENCY` is set, for half a minute
//! per query: a writer appends 10,000 lines a second, and the times from writing a line to having
//! its answer are printed as quantiles. They include up to 250 ms until the file is polled again.
//! Results are in `benches/record`, with their date and machine.

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

use criterion::{Criterion, Throughput, criterion_group};
use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::datatypes::Int64Type;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::StreamExt;
use tokio::runtime::Runtime;

const SECOND: i64 = 1_000_000_000;
/// The time of the first generated line: 2026-03-01.
const BEGIN: i64 = 1_772_323_200 * SECOND;
const MESSAGES: [&str; 8] = [
    "connection from 10.1.{}.7 port 5432 accepted",
    "query took {} ms",
    "user {} logged in",
    "cache miss for key session:{}",
    "GET /api/orders/{} 200",
    "job {} finished in 17 s",
    "could not connect to payments:8443 after {} attempts",
    "disk /dev/sda1 at {} %",
];

fn line(out: &mut impl Write, time: i64, number: usize) {
    let (seconds, nanoseconds) = (time.div_euclid(SECOND), time.rem_euclid(SECOND));
    let (minutes, second) = (seconds.div_euclid(60), seconds.rem_euclid(60));
    let (hour, minute) = (
        minutes.div_euclid(60).rem_euclid(24),
        minutes.rem_euclid(60),
    );
    let day = 1 + (seconds - BEGIN / SECOND).div_euclid(86_400);
    let level = if number.is_multiple_of(10) {
        "ERROR"
    } else {
        "INFO"
    };
    let message = MESSAGES[number % MESSAGES.len()].replace("{}", &(number % 997).to_string());
    writeln!(
        out,
        "2026-03-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanoseconds:09}Z {level} {message}"
    )
    .expect("the line is written");
}

/// Writes a log of `n_lines` lines at this rate, and a last line that closes all windows.
fn write_log(path: &Path, n_lines: usize, lines_per_second: usize) {
    let mut out = BufWriter::new(File::create(path).expect("the file is created"));
    let step = SECOND / i64::try_from(lines_per_second).expect("a rate");
    for (number, time) in
        (0..n_lines).zip((BEGIN..).step_by(usize::try_from(step).expect("a step")))
    {
        line(&mut out, time, number);
    }
    line(&mut out, BEGIN + 86_000 * SECOND, n_lines);
}

async fn session(log: &Path, options: &str) -> SessionContext {
    let config = SessionConfig::new().with_target_partitions(1);
    let context = SessionContext::new_with_config(config);
    datafusion_aiops::install(&context).expect("installed");
    let create = format!(
        "CREATE UNBOUNDED EXTERNAL TABLE logs STORED AS LOG LOCATION '{}' OPTIONS (
             pattern '^(?<ts>\\S+) (?<level>[A-Z]+) (?<message>.*)$', {options})",
        log.display()
    );
    context.sql(&create).await.expect("created");
    context
}

async fn plan(context: &SessionContext, sql: &str) -> Arc<dyn ExecutionPlan> {
    let frame = context.sql(sql).await.expect("planned");
    frame.create_physical_plan().await.expect("planned")
}

/// Runs a statement until its column `n` adds up to `n_lines`, and returns the number of windows.
async fn count_lines(context: &SessionContext, sql: &str, n_lines: usize) -> usize {
    let plan = plan(context, sql).await;
    let mut stream = execute_stream(plan, context.task_ctx()).expect("runs");
    let (mut counted, mut n_windows) = (0, 0);
    while counted < n_lines {
        let batch = stream.next().await.expect("more rows").expect("rows");
        let counts = batch.column_by_name("n").expect("a column n");
        let counts = counts.as_primitive::<Int64Type>().values();
        counted += usize::try_from(counts.iter().sum::<i64>()).expect("counts");
        n_windows += 1;
    }
    assert_eq!(counted, n_lines);
    n_windows
}

fn throughput(criterion: &mut Criterion) {
    const N_LINES: usize = 1_000_000;
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("app.log");
    write_log(&log, N_LINES, 20_000);
    let runtime = Runtime::new().expect("a runtime");
    let mut group = criterion.benchmark_group("throughput");
    group.sample_size(10);
    group.throughput(Throughput::Elements(N_LINES as u64));
    for (name, sql) in [
        (
            "count_per_window",
            "SELECT window_start, count(*) AS n FROM tumble(logs, ts, INTERVAL '1 second') GROUP BY window_start",
        ),
        (
            "templates_per_window",
            "SELECT window_start, log_template(message) AS template, count(*) AS n
             FROM tumble(logs, ts, INTERVAL '1 second') GROUP BY window_start, template",
        ),
        (
            "templates_per_half_minute",
            "SELECT window_start, log_template(message) AS template, count(*) AS n
             FROM tumble(logs, ts, INTERVAL '30 seconds') GROUP BY window_start, template",
        ),
        (
            "templates_continuously",
            "SELECT date_bin(INTERVAL '1 second', ts) AS time, log_template(message) AS template, count(*) AS n
             FROM logs GROUP BY time, template",
        ),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                runtime.block_on(async {
                    let context = session(&log, "delay '0s'").await;
                    count_lines(&context, sql, N_LINES).await
                })
            });
        });
    }
}

fn window(criterion: &mut Criterion) {
    const N_WINDOWS: usize = 500;
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = Runtime::new().expect("a runtime");
    let mut group = criterion.benchmark_group("window");
    group.sample_size(10);
    group.throughput(Throughput::Elements(N_WINDOWS as u64));
    for n_rows in [100, 10_000] {
        let log = folder.path().join(format!("{n_rows}.log"));
        write_log(&log, N_WINDOWS * n_rows, n_rows);
        for (name, sql) in [
            (
                "group",
                "SELECT window_start, level, count(*) AS n FROM tumble(logs, ts, INTERVAL '1 second')
                 GROUP BY window_start, level",
            ),
            (
                "templates_joined",
                "WITH w AS (SELECT *, log_template(message) AS template FROM tumble(logs, ts, INTERVAL '1 second')),
                      t AS (SELECT window_start, template, count(*) AS n, min(ts) AS first FROM w GROUP BY 1, 2)
                 SELECT t.window_start, t.template, k.owner, t.n, row_number() OVER (PARTITION BY t.window_start ORDER BY t.n DESC)
                 FROM t LEFT JOIN known k ON k.template = t.template ORDER BY t.n DESC",
            ),
        ] {
            group.bench_function(format!("{name}/{n_rows}_rows"), |bencher| {
                bencher.iter(|| {
                    runtime.block_on(async {
                        let context = session(&log, "delay '0s'").await;
                        let known = "CREATE TABLE known AS SELECT * FROM (VALUES ('user <*> logged in', 'web')) t(template, owner)";
                        context.sql(known).await.expect("created").collect().await.expect("created");
                        count_lines(&context, sql, N_WINDOWS * n_rows).await
                    })
                });
            });
        }
    }
}

fn now() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    i64::try_from(since.as_nanos()).expect("before 2262")
}

/// Appends 10,000 lines a second, 100 lines every 10 ms, until told to stop. Each line begins with
/// the time it was written.
fn write_live(path: &Path, stop: &AtomicBool) {
    let mut out = File::options()
        .create(true)
        .append(true)
        .open(path)
        .expect("opened");
    let begin = Instant::now();
    let mut number = 0;
    for tick in 0u32.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let mut lines = Vec::new();
        for _ in 0..100 {
            writeln!(lines, "{} ERROR query {number} took 12 ms", now()).expect("written");
            number += 1;
        }
        out.write_all(&lines).expect("written");
        let next = begin + Duration::from_millis(10) * (tick + 1);
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
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

/// The age of every row by its column `column`, and the time that the plan spent on windows for
/// each batch that needed any.
async fn ages(sql: &str, column: &str) -> (Vec<f64>, Vec<f64>) {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("app.log");
    let stop = Arc::new(AtomicBool::new(false));
    let writer = {
        let (log, stop) = (log.clone(), Arc::clone(&stop));
        std::thread::spawn(move || write_live(&log, &stop))
    };
    let context = session(&log, "delay '0s'").await;
    let plan = plan(&context, sql).await;
    let mut stream = execute_stream(Arc::clone(&plan), context.task_ctx()).expect("runs");
    let (mut ages, mut costs, mut spent) = (vec![], vec![], 0);
    let end = Instant::now() + Duration::from_secs(30);
    while Instant::now() < end {
        let batch: RecordBatch = stream.next().await.expect("more").expect("rows");
        let now = now();
        let written = batch.column_by_name(column).expect("the column");
        let written = written.as_primitive::<Int64Type>().values();
        ages.extend(written.iter().map(|written| (now - written) as f64 / 1e6));
        let metrics = plan.metrics().and_then(|metrics| metrics.elapsed_compute());
        let total = metrics.unwrap_or_default();
        if total > spent {
            costs.push((total - spent) as f64 / 1e6);
            spent = total;
        }
    }
    stop.store(true, Ordering::Relaxed);
    writer.join().expect("the writer ends");
    (ages, costs)
}

fn latency() {
    let runtime = Runtime::new().expect("a runtime");
    let filter = "SELECT arrow_cast(ts, 'Int64') AS written, message FROM logs WHERE message LIKE '%7 took%'";
    let (of_lines, _) = runtime.block_on(ages(filter, "written"));
    tell("line written to filtered row", of_lines);
    // A window closes with the first line after its end.
    let windows = "SELECT arrow_cast(window_end, 'Int64') AS closed, log_template(message) AS template, count(*) AS n
                   FROM tumble(logs, ts, INTERVAL '1 second') GROUP BY window_end, template";
    let (of_windows, costs) = runtime.block_on(ages(windows, "closed"));
    tell("end of a window to its rows", of_windows);
    tell("closed window to its rows", costs);
}

criterion_group!(benches, throughput, window);

fn main() {
    if std::env::var_os("BENCH_LATENCY").is_some() {
        return latency();
    }
    benches();
    Criterion::default().configure_from_args().final_summary();
}
