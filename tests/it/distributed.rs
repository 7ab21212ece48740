//! Statements on workers: the same rows as on one machine, whatever dies. `differential` runs every
//! statement of the functions there.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use async_compression::tokio::bufread::GzipEncoder;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::error::Result;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion_aiops::distributed::{Security, WorkerOptions, WorkerServer, connect};
use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::{RngCore, SeedableRng};
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::runtime::Runtime;

use crate::golden::project;
use crate::object_store::{ObjectStoreServer, variables};

/// The most workers of a test.
const MAX_WORKERS: usize = 3;

/// Workers in this process, reached through the network all the same. They live as long as it does.
static WORKERS: LazyLock<(Runtime, Vec<String>)> = LazyLock::new(|| {
    let runtime = Runtime::new().unwrap();
    let addresses = (0..MAX_WORKERS).map(|_| {
        let server = WorkerServer::bind("127.0.0.1:0", WorkerOptions::default());
        let server = runtime.block_on(server).unwrap();
        let address = server.address().to_string();
        runtime.spawn(server.serve(std::future::pending()));
        address
    });
    let addresses = addresses.collect();
    (runtime, addresses)
});

/// Lets a session run even the smallest statement on workers.
pub(crate) fn use_workers(context: &SessionContext, n_workers: usize) {
    // A runtime must not be started within another one.
    let workers = std::thread::spawn(|| WORKERS.1.clone()).join().unwrap();
    set_workers(
        context,
        &workers[..n_workers].join(","),
        Security::default(),
    );
}

fn set_workers(context: &SessionContext, workers: &str, security: Security) {
    connect(context, security).unwrap();
    let state = context.state_ref();
    let mut state = state.write();
    let options = state.config_mut().options_mut();
    options.set("aiops.workers", workers).unwrap();
    let bytes = "distributed.file_scan_config_bytes_per_partition";
    options.set(bytes, "1").unwrap();
}

fn session(n_partitions: usize) -> SessionContext {
    let config = SessionConfig::new()
        .with_target_partitions(n_partitions)
        .with_information_schema(true);
    let context = SessionContext::new_with_config(config).enable_url_table();
    datafusion_aiops::install(&context).unwrap();
    context
}

/// The rows of a statement, sorted.
async fn ask(context: &SessionContext, sql: &str) -> Result<Vec<String>> {
    let frame = datafusion_aiops::aiops_sql(context, sql).await?;
    let batches = frame.collect().await?;
    let options = FormatOptions::default().with_null("NULL");
    let mut rows = vec![];
    for batch in &batches {
        let columns = batch.columns().iter();
        let columns = columns.map(|column| ArrayFormatter::try_new(column, &options));
        let columns: Vec<_> = columns.collect::<Result<_, _>>()?;
        rows.extend((0..batch.num_rows()).map(|row| {
            let values = columns.iter().map(|column| column.value(row).to_string());
            values.collect::<Vec<_>>().join("|")
        }));
    }
    rows.sort();
    Ok(rows)
}

async fn said(context: &SessionContext, sql: &str) -> String {
    match ask(context, sql).await {
        Ok(rows) => panic!("{sql}: {rows:?}"),
        Err(error) => error.strip_backtrace(),
    }
}

async fn gzip(text: &str) -> Vec<u8> {
    let mut packed = vec![];
    let mut encoder = GzipEncoder::new(text.as_bytes());
    encoder.read_to_end(&mut packed).await.unwrap();
    packed
}

/// Logs of every kind: plain and compressed, of one line and of several an event, text and JSON.
async fn logs() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    let lines = |from: usize| -> String {
        let lines = (from..from + 400).map(|number| {
            let level = ["INFO", "WARN", "ERROR"][number % 3];
            let second = number % 60;
            format!("2026-03-02T10:00:{second:02}Z {level} job {number} of user u{} done\n  at step {}\n", number % 7, number % 5)
        });
        lines.collect()
    };
    write("text/a.log", lines(0).as_bytes());
    write("text/b.log", lines(400).as_bytes());
    write("text/c.log.gz", &gzip(&lines(800)).await);
    let json: String = (0..500)
        .map(|number| format!("{{\"ts\":\"2026-03-02T10:00:00Z\",\"n\":{number},\"msg\":\"request {number} failed\"}}\n"))
        .collect();
    write("json/a.jsonl", json.as_bytes());
    write("json/b.jsonl.gz", &gzip(&json).await);
    folder
}

async fn create_logs(context: &SessionContext, folder: &Path) {
    let folder = folder.display();
    let events = format!(
        "CREATE EXTERNAL TABLE events STORED AS LOG LOCATION '{folder}/text/' OPTIONS (
             pattern '^(?<ts>\\S+) (?<level>[A-Z]+) (?<message>(?s:.*))$', multiline 'indent')"
    );
    let lines = format!("CREATE EXTERNAL TABLE lines STORED AS LOG LOCATION '{folder}/text/'");
    let requests = format!(
        "CREATE EXTERNAL TABLE requests STORED AS LOG LOCATION '{folder}/json/' OPTIONS (format 'json')"
    );
    let table = "CREATE TABLE owners AS VALUES ('INFO', 'ann'), ('WARN', 'bob')".to_string();
    for sql in [events, lines, requests, table] {
        ask(context, &sql).await.unwrap();
    }
}

/// A folder of logs, and a session over them with this many workers.
async fn over_logs(n_workers: usize) -> (TempDir, SessionContext) {
    let (folder, context) = (logs().await, session(2));
    if n_workers > 0 {
        use_workers(&context, n_workers);
    }
    create_logs(&context, folder.path()).await;
    (folder, context)
}

const STATEMENTS: [&str; 12] = [
    "SELECT count(*), count(DISTINCT message), min(ts), max(ts) FROM events",
    "SELECT level, log_template(message) AS t, count(*) FROM events GROUP BY 1, 2",
    "SELECT file, count(*), max(line_number), sum(line_number) FROM lines GROUP BY file",
    "SELECT sum(n), count(*), count(message) FROM requests",
    "SELECT encode(digest(log_mine(message), 'sha256'), 'hex') FROM lines",
    "SELECT log_match(message, (SELECT log_mine(message) FROM lines)) AS t, count(*) FROM events GROUP BY 1",
    "SELECT owner, count(*) FROM events JOIN (SELECT column1 AS level, column2 AS owner FROM owners) o USING (level) GROUP BY 1",
    "SELECT window_start, count(*) FROM tumble(events, ts, INTERVAL '10 seconds') GROUP BY 1",
    "SELECT level, a['is_anomaly'], count(*) FROM (SELECT level, ts_anomaly(n) OVER (PARTITION BY level ORDER BY ts) AS a
         FROM (SELECT level, ts, count(*) AS n FROM events GROUP BY 1, 2)) GROUP BY 1, 2",
    "SELECT level, unnest(ts_forecast(ts, n, 3, 'quantiles=0.1|0.9')) FROM (SELECT level, ts, count(*) AS n FROM events
         GROUP BY 1, 2) GROUP BY 1",
    "SELECT level, unnest(ts_fill(ts, n, '10 seconds')) FROM (SELECT level, ts, count(*) AS n FROM events GROUP BY 1, 2) GROUP BY 1",
    "SELECT message FROM lines WHERE message LIKE '%job 17 %' ORDER BY message LIMIT 3",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logs_have_the_same_rows_on_any_number_of_workers() {
    let folder = logs().await;
    let alone = session(2);
    create_logs(&alone, folder.path()).await;
    let mut expected = vec![];
    for sql in STATEMENTS {
        expected.push(ask(&alone, sql).await.unwrap());
    }
    for (n_workers, n_partitions) in [(1, 1), (1, 3), (2, 1), (2, 5), (3, 2), (3, 16)] {
        let context = session(n_partitions);
        use_workers(&context, n_workers);
        create_logs(&context, folder.path()).await;
        for (sql, expected) in STATEMENTS.iter().zip(&expected) {
            let found = ask(&context, sql).await;
            let found = found.unwrap_or_else(|error| panic!("{sql}: {error}"));
            assert_eq!(
                &found, expected,
                "{n_workers} workers, {n_partitions} partitions: {sql}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scans_of_workers_are_counted_here() {
    let folder = logs().await;
    let (alone, workers) = (session(2), session(2));
    use_workers(&workers, 2);
    for context in [&alone, &workers] {
        create_logs(context, folder.path()).await;
        ask(context, "SELECT max(level) FROM events").await.unwrap();
    }
    let counted = "SELECT * FROM aiops_scans() WHERE table_name LIKE '%events'";
    let expected = ask(&alone, counted).await.unwrap();
    assert_eq!(ask(&workers, counted).await.unwrap(), expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_is_what_one_machine_writes() {
    let (folder, context) = over_logs(3).await;
    let out = folder.path().join("out");
    let copy = format!(
        "COPY (SELECT level, message FROM events) TO '{}/' STORED AS PARQUET",
        out.display()
    );
    assert_eq!(ask(&context, &copy).await.unwrap(), ["1200"]);
    let read = format!(
        "SELECT count(*), count(DISTINCT message) FROM '{}/'",
        out.display()
    );
    assert_eq!(ask(&context, &read).await.unwrap(), ["1200|1200"]);
    let create = "CREATE TABLE kept AS SELECT level, count(*) AS n FROM events GROUP BY level";
    ask(&context, create).await.unwrap();
    let kept = ask(&context, "SELECT * FROM kept").await.unwrap();
    assert_eq!(kept, ["ERROR|400", "INFO|400", "WARN|400"]);
}

/// What changes the rows that it reads does both in one transaction, so it does not leave this
/// process; what only adds rows is computed by workers.
#[cfg(feature = "sqlite")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn databases_are_changed_where_they_are() {
    let (folder, context) = over_logs(2).await;
    let create = format!(
        "CREATE EXTERNAL TABLE kb (level TEXT PRIMARY KEY, n BIGINT) STORED AS SQLITE LOCATION '{}/kb.db'",
        folder.path().display()
    );
    ask(&context, &create).await.unwrap();
    let counts = "SELECT level, count(*) AS n FROM events GROUP BY level";
    let merge = format!(
        "MERGE INTO kb USING ({counts}) AS e ON kb.level = e.level WHEN MATCHED THEN UPDATE SET n = kb.n + e.n"
    );
    for (sql, is_shared) in [
        (format!("INSERT INTO kb {counts}"), true),
        (merge, false),
        ("UPDATE kb SET n = n + (SELECT count(*) FROM events) WHERE level IN (SELECT level FROM events)".to_string(), false),
        ("INSERT INTO kb SELECT level || '!', n FROM kb WHERE level IN (SELECT level FROM events)".to_string(), false),
    ] {
        let frame = datafusion_aiops::aiops_sql(&context, &sql).await.unwrap();
        let plan = frame.create_physical_plan().await.unwrap();
        assert_eq!(plan.name() == "ClusterExec", is_shared, "{sql}");
        ask(&context, &sql).await.unwrap();
    }
    let rows = ask(
        &context,
        "SELECT kb.level, n FROM kb JOIN (SELECT DISTINCT level FROM events) e USING (level)",
    )
    .await;
    assert_eq!(rows.unwrap(), ["ERROR|2000", "INFO|2000", "WARN|2000"]);
    assert_eq!(
        ask(&context, "SELECT count(*) FROM kb").await.unwrap(),
        ["6"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connecting_twice_is_refused() {
    let context = SessionContext::new();
    assert!(connect(&context, Security::default()).is_err());
    datafusion_aiops::install(&context).unwrap();
    connect(&context, Security::default()).unwrap();
    assert!(connect(&context, Security::default()).is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_are_shown_and_wrong_ones_are_named() {
    let context = session(2);
    use_workers(&context, 2);
    let rows = ask(&context, "SELECT state, error FROM aiops_workers()").await;
    assert_eq!(rows.unwrap(), ["ready|NULL", "ready|NULL"]);
    let addresses = std::thread::spawn(|| WORKERS.1.clone()).join().unwrap();
    // One that is not there is left out, as long as another one answers.
    let some = format!("SET aiops.workers = '{},127.0.0.1:1'", addresses[0]);
    ask(&context, &some).await.unwrap();
    let folder = logs().await;
    create_logs(&context, folder.path()).await;
    assert_eq!(ask(&context, STATEMENTS[3]).await.unwrap().len(), 1);
    let states = ask(&context, "SELECT state FROM aiops_workers()").await;
    assert_eq!(states.unwrap(), ["ready", "unreachable"]);

    ask(&context, "SET aiops.workers = '127.0.0.1:1'")
        .await
        .unwrap();
    let error = said(&context, STATEMENTS[3]).await;
    assert!(
        error.contains("no worker of aiops.workers answers")
            && error.contains("SET aiops.workers = ''"),
        "{error}"
    );
    ask(&context, "SET aiops.workers = 'node1'").await.unwrap();
    let error = said(&context, STATEMENTS[3]).await;
    assert!(
        error.contains("'node1'") && error.contains("node1:7100"),
        "{error}"
    );
    ask(&context, "SET aiops.workers = ''").await.unwrap();
    assert_eq!(ask(&context, STATEMENTS[3]).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_of_another_version_is_refused_by_name() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let worker = datafusion_distributed::Worker::default().with_version("datafusion-aiops 9.9.9");
    let incoming = tonic::transport::server::TcpIncoming::from(listener);
    tokio::spawn(
        tonic::transport::Server::builder()
            .add_service(worker.into_worker_server())
            .serve_with_incoming(incoming),
    );
    let (context, folder) = (session(2), logs().await);
    create_logs(&context, folder.path()).await;
    set_workers(&context, &address.to_string(), Security::default());
    let error = said(&context, STATEMENTS[3]).await;
    assert!(
        error.contains(&format!("worker {address} is datafusion-aiops 9.9.9")),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_are_kept_out() {
    let token = |token: &str| Security::default().with_token(token).unwrap();
    let options = WorkerOptions::default().with_security(token("right"));
    let server = WorkerServer::bind("127.0.0.1:0", options).await.unwrap();
    let address = server.address().to_string();
    tokio::spawn(server.serve(std::future::pending()));
    let folder = logs().await;
    for (security, is_let_in) in [
        (token("right"), true),
        (token("wrong"), false),
        (Security::default(), false),
    ] {
        let context = session(2);
        create_logs(&context, folder.path()).await;
        set_workers(&context, &address, security);
        let answer = ask(&context, STATEMENTS[3]).await;
        assert_eq!(answer.is_ok(), is_let_in, "{answer:?}");
        if let Err(error) = answer {
            assert!(error.to_string().contains("token"), "{error}");
        }
    }
    // Beyond loopback somebody must be kept out, or the network be said to be ours.
    let open = WorkerServer::bind("0.0.0.0:0", WorkerOptions::default()).await;
    assert!(open.unwrap_err().to_string().contains("--insecure"));
    let allowed = WorkerOptions::default().allow_open();
    assert!(WorkerServer::bind("0.0.0.0:0", allowed).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_are_asked_for_on_both_sides() {
    let file = |name: &str| project().join("tests/data/tls").join(name);
    let with = |certificate: &str, key: &str| {
        let security = Security::default();
        security.with_tls(&file("ca.pem"), &file(certificate), &file(key))
    };
    // The certificate is for the host name, by which workers call each other too.
    let mut addresses = vec![];
    for _ in 0..2 {
        let options = WorkerOptions::default().with_security(with("node.pem", "node.key").unwrap());
        let server = WorkerServer::bind("127.0.0.1:0", options).await.unwrap();
        addresses.push(format!("localhost:{}", server.address().port()));
        tokio::spawn(server.serve(std::future::pending()));
    }
    let address = addresses.join(",");
    let folder = logs().await;
    for (security, is_let_in) in [
        (with("node.pem", "node.key").unwrap(), true),
        (with("stranger.pem", "stranger.key").unwrap(), false),
        (Security::default(), false),
    ] {
        let context = session(2);
        create_logs(&context, folder.path()).await;
        set_workers(&context, &address, security);
        let answer = ask(&context, STATEMENTS[1]).await;
        assert_eq!(answer.is_ok(), is_let_in, "{answer:?}");
    }
    assert!(with("none.pem", "node.key").is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn live_tables_are_refused_and_explain_runs_nothing() {
    let (folder, context) = over_logs(2).await;
    let create = format!(
        "CREATE UNBOUNDED EXTERNAL TABLE live STORED AS LOG LOCATION '{}/text/'",
        folder.path().display()
    );
    ask(&context, &create).await.unwrap();
    let error = said(&context, "SELECT message FROM live").await;
    assert!(error.contains("SET aiops.workers = ''"), "{error}");
    // A subquery that stands for one value and has several rows fails when it runs.
    let several = "SELECT count(*) FROM events WHERE level = (SELECT level FROM events)";
    assert!(ask(&context, several).await.is_err());
    ask(&context, &format!("EXPLAIN {several}")).await.unwrap();
    let analyzed = ask(&context, &format!("EXPLAIN ANALYZE {}", STATEMENTS[1])).await;
    let analyzed = analyzed.unwrap().join("\n");
    assert!(
        analyzed.contains("Stage") && analyzed.contains("output_rows"),
        "{analyzed}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn steps_that_need_all_rows_are_not_shared() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display().to_string();
    let alone = session(2);
    for (name, n_rows) in [("one", 100), ("two", 7)] {
        let copy = format!(
            "COPY (SELECT value AS v, value % 3 AS k FROM range(0, {n_rows})) TO '{path}/{name}/' STORED AS PARQUET"
        );
        ask(&alone, &copy).await.unwrap();
    }
    // Rows of a CSV file can be split anywhere, those of a row group cannot.
    let copy = format!(
        "COPY (SELECT value AS v, value % 3 AS k FROM range(0, 90000)) TO '{path}/big.csv'"
    );
    ask(&alone, &copy).await.unwrap();
    let (one, two) = (format!("'{path}/one/'"), format!("'{path}/two/'"));
    let big = format!("'{path}/big.csv'");
    for n_partitions in [1, 2, 5] {
        let context = session(n_partitions);
        use_workers(&context, 3);
        for sql in [
            format!(
                "SELECT sum(v) = a, count(*) FROM {one}, (SELECT sum(v) AS a FROM {one}) GROUP BY a"
            ),
            format!("SELECT count(*) FROM {one}, (SELECT max(v) AS m FROM {two}) WHERE v < m"),
            format!(
                "SELECT k, n FROM (SELECT k, count(*) AS n FROM {two} GROUP BY k) JOIN (SELECT DISTINCT k FROM {one}) USING (k)"
            ),
            format!(
                "SELECT o.v, r FROM (SELECT v, row_number() OVER (ORDER BY v) AS r FROM {one}) o JOIN {two} t ON o.v = t.v"
            ),
            format!("SELECT count(*) FROM (SELECT v FROM {one} ORDER BY v LIMIT 5), {two}"),
            format!(
                "SELECT a.k, count(*) FROM {one} a FULL JOIN {two} b ON a.v = b.v + 95 GROUP BY 1"
            ),
            format!("SELECT count(*) FROM {one} WHERE v NOT IN (SELECT v FROM {two})"),
            format!(
                "SELECT count(*) FROM (SELECT v FROM {big} LIMIT 5) a, {two} b WHERE a.v + b.v >= 0"
            ),
            format!("SELECT count(*) FROM {one} WHERE k IN (SELECT 1 FROM {big} LIMIT 1)"),
            format!(
                "SELECT count(*) FROM (SELECT v FROM (SELECT v FROM {big} LIMIT 7) WHERE v >= 0 ORDER BY v)"
            ),
            format!(
                "SELECT count(*) FROM ((SELECT v FROM {big} LIMIT 5) UNION ALL (SELECT v FROM {big} LIMIT 5))"
            ),
            format!("SELECT count(*) FROM (SELECT v FROM {big} WHERE v > 10 LIMIT 5 OFFSET 3)"),
            format!(
                "SELECT sum(v) FROM {one} UNION ALL SELECT sum(v) FROM {two} UNION ALL SELECT count(*) FROM {one}"
            ),
        ] {
            let expected = ask(&alone, &sql).await.unwrap();
            let found = ask(&context, &sql).await.unwrap();
            assert_eq!(found, expected, "{n_partitions} partitions: {sql}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_of_this_process_that_are_too_many_are_not_sent() {
    let (_folder, context) = over_logs(2).await;
    let expected = ask(&context, STATEMENTS[6]).await.unwrap();
    ask(&context, "SET aiops.sent_bytes = 1").await.unwrap();
    assert_eq!(ask(&context, STATEMENTS[6]).await.unwrap(), expected);
}

/// A worker in a process of its own, killed when it is dropped.
struct WorkerProcess {
    child: Child,
    address: String,
}

impl WorkerProcess {
    fn start(address: &str) -> Self {
        Self::with_environment(address, &[])
    }

    fn with_environment(address: &str, variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_datafusion-aiops"))
            .args(["worker", "--listen", address])
            .envs(variables.iter().copied())
            .current_dir(project())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        errors.read_line(&mut line).unwrap();
        let address = line.trim().rsplit(' ').next().unwrap().to_string();
        assert!(address.contains(':'), "{line}");
        // Nobody reads what comes later, but it must find room.
        std::thread::spawn(move || errors.read_to_end(&mut Vec::new()));
        Self { child, address }
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A Parquet file of many lines, so that a statement takes a while.
async fn many_lines() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lines");
    let context = session(4);
    let copy = format!(
        "COPY (SELECT 'user u' || (value % 977) || ' opened file ' || value || ' in ' || (value % 13) || 'ms' AS message, value % 50 AS host
             FROM range(0, 200000)) TO '{}/' STORED AS PARQUET",
        path.display()
    );
    ask(&context, &copy).await.unwrap();
    (folder, path)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_worker_leaves_the_right_rows_or_a_clear_error() {
    let (_folder, path) = many_lines().await;
    // The second learns a bound from its first attempt, which must not reach the next one.
    let path = path.display();
    let statements = [
        format!(
            "SELECT host, log_template(message) AS t, count(*) AS n FROM '{path}/' GROUP BY 1, 2"
        ),
        format!(
            "SELECT message, log_template(message) AS t FROM '{path}/' ORDER BY message DESC LIMIT 3"
        ),
    ];
    let mut expected = vec![];
    for sql in &statements {
        expected.push(ask(&session(2), sql).await.unwrap());
    }
    let mut random = SplitMix64::seed_from_u64(7);
    let mut workers: Vec<_> = (0..3)
        .map(|_| WorkerProcess::start("127.0.0.1:0"))
        .collect();
    let addresses: Vec<_> = workers
        .iter()
        .map(|worker| worker.address.clone())
        .collect();
    let (mut n_right, mut n_errors) = (0, 0);
    for round in 0..30 {
        let context = session(2);
        set_workers(&context, &addresses.join(","), Security::default());
        let delay = Duration::from_micros(random.next_u64() % 400_000);
        let victim = usize::try_from(random.next_u64() % 3).unwrap();
        let asked = tokio::spawn({
            let sql = statements[round % 2].clone();
            async move { ask(&context, &sql).await }
        });
        tokio::time::sleep(delay).await;
        workers[victim].child.kill().unwrap();
        match asked.await.unwrap() {
            Ok(rows) => {
                assert_eq!(rows, expected[round % 2], "round {round}");
                n_right += 1;
            }
            Err(error) => {
                let error = error.to_string();
                let is_clear = workers.iter().any(|worker| error.contains(&worker.address));
                assert!(is_clear, "round {round}: {error}");
                n_errors += 1;
            }
        }
        workers[victim].child.wait().unwrap();
        workers[victim] = WorkerProcess::start(&addresses[victim]);
    }
    eprintln!("{n_right} right answers, {n_errors} errors");
    assert!(n_right > 0);
}

/// The processor time of a process, in ticks of the system.
#[cfg(target_os = "linux")]
fn ticks(process: &Child) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.id())).unwrap();
    let fields: Vec<_> = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[cfg(target_os = "linux")]
fn signal(process: &Child, signal: &str) {
    let id = process.id().to_string();
    let sent = Command::new("kill").args([signal, &id]).status();
    assert!(sent.unwrap().success());
}

/// SIGTERM lets a worker end its stages first: it ends at once if they were stopped.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ctrl_c_stops_the_stages_on_all_workers() {
    let (_folder, path) = many_lines().await;
    let workers = [(); 2].map(|()| WorkerProcess::start("127.0.0.1:0"));
    let path = path.display();
    // Hours of work.
    let endless = format!(
        "SELECT count(*) FROM '{path}/' AS a JOIN '{path}/' AS b ON a.host = b.host
         WHERE levenshtein(a.message || b.message, b.message || a.message) < 0"
    );
    let addresses = [&workers[0].address, &workers[1].address].map(String::as_str);
    let mut asking = Command::new(env!("CARGO_BIN_EXE_datafusion-aiops"))
        .args(["--workers", &addresses.join(",")])
        .args([
            "-c",
            "SET distributed.file_scan_config_bytes_per_partition = 1",
        ])
        .args(["-c", &endless])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let idle = [ticks(&workers[0].child), ticks(&workers[1].child)];
    for (worker, idle) in workers.iter().zip(idle) {
        while ticks(&worker.child) < idle + 20 {
            assert!(asking.try_wait().unwrap().is_none());
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }
    signal(&asking, "-INT");
    assert!(!asking.wait().unwrap().success());
    for mut worker in workers {
        signal(&worker.child, "-TERM");
        assert!(worker.child.wait().unwrap().success());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_read_an_object_store_with_credentials_of_their_own() {
    let Some(store) = ObjectStoreServer::start() else {
        return;
    };
    let endpoint = store.url();
    let variables = variables(&endpoint);
    let folder = logs().await;
    let shell = |arguments: &[&str], sql: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_datafusion-aiops"))
            .args([
                "-q",
                "--format",
                "csv",
                "-c",
                "SET distributed.file_scan_config_bytes_per_partition = 1",
            ])
            .args(arguments)
            .args(["-c", sql])
            .envs(variables)
            .env("HOME", folder.path())
            .current_dir(project())
            .output()
            .unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(output.status.success(), "{sql}: {said}");
        said
    };
    let text = folder.path().join("text").display().to_string();
    let written = format!(
        "CREATE EXTERNAL TABLE lines STORED AS LOG LOCATION '{text}/' OPTIONS (format 'text');
         COPY (SELECT message FROM lines) TO 's3://archive/lines/' STORED AS PARQUET"
    );
    assert_eq!(shell(&[], &written), "count\n2400\n");
    let count = "SELECT log_template(message) AS t, count(*) AS n FROM 's3://archive/lines/' GROUP BY 1 ORDER BY n DESC, t";
    let expected = shell(&[], count);
    let first = WorkerProcess::with_environment("127.0.0.1:0", &variables);
    let second = WorkerProcess::with_environment("127.0.0.1:0", &variables);
    let workers = format!("{},{}", first.address, second.address);
    assert_eq!(shell(&["--workers", &workers], count), expected);
}
