//! Statements over windows of live tables: each has the same result as over the same rows read at
//! once, or is refused with a readable error.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::Int64Type;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::Result;
use datafusion::datasource::MemTable;
use datafusion::physical_plan::displayable;
use datafusion::prelude::SessionContext;
use futures::StreamExt;

use crate::planner::unnest_keys::UnnestKeys;
use crate::planner::windows::tests::scripts::{BEGIN, Row, SECOND, Script, batch, schema};
use crate::planner::{live_planner, windows};
use crate::streams::counters::Missed;
use crate::streams::scripted::ScriptStep;
use crate::streams::source::PartitionNews;
use crate::streams::table::LiveTable;

/// A session with the live tables `logs` and `other`, the live table `lines`, which has no event
/// time, and the rows of `logs` as table `old`.
fn session(script: &Script) -> SessionContext {
    session_on(SessionContext::new(), script)
}

fn session_on(mut context: SessionContext, script: &Script) -> SessionContext {
    crate::functions::register_all(&mut context).unwrap();
    {
        let state = context.state_ref();
        let mut state = state.write();
        let unnest_keys = Arc::new(UnnestKeys::new());
        state
            .register_relation_planner(Arc::clone(&unnest_keys) as _)
            .unwrap();
        state.add_analyzer_rule(unnest_keys);
        windows::register(&context, &mut state).unwrap();
        live_planner::register(&mut state);
    }
    let live = |name: &str| LiveTable {
        name: name.to_string(),
        ..script.table()
    };
    let lines = LiveTable {
        time_column: None,
        ..live("lines")
    };
    for table in [live("logs"), live("other"), lines] {
        let name = table.name.clone();
        context.register_table(name, Arc::new(table)).unwrap();
    }
    let old = MemTable::try_new(schema(), vec![vec![script.rows()]]).unwrap();
    context.register_table("old", Arc::new(old)).unwrap();
    context
}

async fn run(context: &SessionContext, sql: &str) -> Result<Vec<String>> {
    let batches = context.sql(sql).await?.collect().await?;
    let options = FormatOptions::default().with_null("NULL");
    let mut rows = vec![];
    for batch in batches {
        let columns: Vec<_> = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
            .collect();
        for row in 0..batch.num_rows() {
            let cells = columns.iter().map(|column| column.value(row).to_string());
            rows.push(cells.collect::<Vec<_>>().join("|"));
        }
    }
    rows.sort();
    Ok(rows)
}

async fn set_up(context: &SessionContext) {
    for sql in [
        "CREATE TABLE names AS VALUES ('a', 'anna'), ('c', 'carl')",
        "CREATE VIEW live_view AS SELECT ts AS at, upper(k) AS big, v FROM logs WHERE v % 3 > 0",
        "CREATE VIEW old_view AS SELECT ts AS at, upper(k) AS big, v FROM old WHERE v % 3 > 0",
        "CREATE VIEW cut_view AS SELECT * FROM tumble(logs, ts, '10s')",
        "CREATE VIEW old_cut_view AS SELECT * FROM tumble(old, ts, '10s')",
    ] {
        run(context, sql).await.unwrap();
    }
}

/// Statements that run per window, with T for the table.
const ACCEPTED: [&str; 30] = [
    "SELECT * FROM tumble(T, ts, INTERVAL '10 seconds')",
    "SELECT * FROM hop(T, ts, INTERVAL '5 seconds', INTERVAL '20 seconds')",
    "SELECT * FROM session(T, ts, INTERVAL '3 seconds')",
    "SELECT * FROM session(T, ts, INTERVAL '3 seconds', k)",
    "SELECT window_start, k, count(*), sum(v) FROM tumble(T, ts, '10s') GROUP BY window_start, k",
    "SELECT window_start, count(*) AS n FROM tumble(T, ts, '10s') GROUP BY window_start HAVING count(*) > 3",
    "SELECT window_start, column2, count(*) FROM tumble(T, ts, '10s') JOIN names ON k = column1 GROUP BY window_start, column2",
    "SELECT v, column2 FROM tumble(T, ts, '10s') LEFT JOIN names ON k = column1",
    "SELECT v, rank() OVER (PARTITION BY window_start ORDER BY v) AS r FROM tumble(T, ts, '10s')",
    "SELECT v, window_end FROM tumble(T, ts, '10s') QUALIFY row_number() OVER (PARTITION BY window_end ORDER BY v DESC) <= 2 ORDER BY v",
    "WITH w AS (SELECT * FROM tumble(T, ts, '10s')) SELECT a.v, b.n FROM w AS a JOIN
        (SELECT window_start, max(v) AS n FROM w GROUP BY window_start) AS b ON a.window_start = b.window_start",
    "SELECT v FROM tumble(T, ts, '10s') WHERE k = 'a' UNION ALL SELECT -v FROM tumble(T, ts, '10s')",
    "SELECT window_start, k FROM tumble(T, ts, '10s') UNION SELECT window_start, 'all' FROM tumble(T, ts, '10s')",
    "SELECT DISTINCT window_start, k FROM tumble(T, ts, '10s')",
    "SELECT v FROM tumble(T, ts, '10s') AS a WHERE v = (SELECT max(v) FROM tumble(T, ts, '10s') AS b WHERE b.window_start = a.window_start)",
    "SELECT v FROM tumble(T, ts, '10s') WHERE k IN (SELECT column1 FROM names)",
    "SELECT v FROM tumble(T, ts, '10s') WHERE k NOT IN (SELECT column1 FROM names)",
    "SELECT window_start, unnest(array_agg(v)) FROM tumble(T, ts, '10s') GROUP BY window_start",
    "SELECT window_start, x, count(*) FROM (SELECT window_start, unnest(array_agg(v % 3)) AS x FROM tumble(T, ts, '10s') GROUP BY window_start)
        GROUP BY window_start, x",
    "SELECT a.v, b.v FROM hop(T, ts, '10s', '20s') AS a JOIN hop(T, ts, '10s', '20s') AS b ON a.window_start = b.window_start AND a.v = b.v + 1",
    "SELECT k, window_start, window_end, count(*), avg(v) FROM session(T, ts, '3s', k) GROUP BY k, window_start, window_end",
    "SELECT window_start, count(*) FROM session(T, ts, '3s') GROUP BY window_start",
    "SELECT count(*), window_start FROM tumble(T, ts, '10s') WHERE line LIKE '%7' GROUP BY window_start",
    "SELECT T.v, T.window_start FROM tumble((SELECT ts, v FROM T WHERE v > 5 AND k IS NOT NULL), ts, '10s') AS T",
    "WITH few AS (SELECT ts AS time, v * 2 AS twice FROM T WHERE v % 2 = 0) SELECT twice, window_start FROM tumble(few, time, '10s')",
    "SELECT big, v, window_start FROM tumble(live_view, at, '10s')",
    "SELECT k, v, window_start FROM cut_view",
    "SELECT window_start, log_template(line) AS t, count(*) FROM tumble(T, ts, '10s') GROUP BY 1, 2",
    "SELECT v, window_start, window_end FROM count_window((SELECT * FROM T WHERE v > 3), 7)",
    "SELECT window_start, count(*), min(v) FROM count_window(T, 7) GROUP BY window_start",
];

/// The same statement over the rows read at once. Rows are counted in the order of time.
fn over_old(sql: &str) -> String {
    let sql = sql
        .replace("live_view", "old_view")
        .replace("cut_view", "old_cut_view")
        .replace(
            "FROM T WHERE v > 3)",
            "FROM T WHERE v > 3 AND ts IS NOT NULL ORDER BY ts)",
        )
        .replace(
            "count_window(T,",
            "count_window((SELECT * FROM T WHERE ts IS NOT NULL ORDER BY ts),",
        );
    sql.replace("AS T", "AS X")
        .replace("T.v, T.window_start", "X.v, X.window_start")
        .replace("(T,", "(old,")
        .replace("FROM T ", "FROM old ")
}

fn over_live(sql: &str) -> String {
    sql.replace("AS T", "AS X")
        .replace("T.v, T.window_start", "X.v, X.window_start")
        .replace("(T,", "(logs,")
        .replace("FROM T ", "FROM logs ")
}

/// A script in which no two rows have the same time, so that their order is unique.
fn distinct_script(seed: u64) -> Script {
    let mut script = Script::generate(seed, 5 * SECOND, false);
    let mut seen = std::collections::HashSet::new();
    for step in &mut script.steps {
        for (_, rows) in &mut step.pieces {
            let times = rows
                .column(0)
                .as_primitive::<datafusion::arrow::datatypes::TimestampNanosecondType>();
            let keep: datafusion::arrow::array::BooleanArray = times
                .values()
                .iter()
                .map(|time| Some(seen.insert(*time)))
                .collect();
            *rows = datafusion::arrow::compute::filter_record_batch(rows, &keep).unwrap();
        }
    }
    script
}

#[tokio::test]
async fn live_is_what_the_batch_is() {
    let script = distinct_script(11);
    for sql in ACCEPTED {
        let context = session(&script);
        set_up(&context).await;
        let live = run(&context, &over_live(sql)).await;
        let live = live.unwrap_or_else(|error| panic!("{sql}: {error}"));
        let old = run(&context, &over_old(sql)).await;
        let old = old.unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert!(!old.is_empty(), "{sql}");
        assert_eq!(live, old, "{sql}");
    }
}

#[tokio::test]
async fn live_is_what_the_batch_is_on_many_scripts() {
    for seed in 20..28 {
        let script = distinct_script(seed);
        for sql in ACCEPTED.iter().take(4).chain(&ACCEPTED[28..29]) {
            let context = session(&script);
            let live = run(&context, &over_live(sql)).await.unwrap();
            assert_eq!(
                live,
                run(&context, &over_old(sql)).await.unwrap(),
                "{seed}: {sql}"
            );
        }
    }
}

#[tokio::test]
async fn what_needs_more_than_a_window_is_refused() {
    let w = "tumble(logs, ts, '10s')";
    let cases = [
        (format!("SELECT count(*) FROM {w}"), "add window_start to its columns"),
        (format!("SELECT k, count(*) FROM {w} GROUP BY k"), "add window_start to its columns"),
        (format!("SELECT DISTINCT k FROM {w}"), "add window_start to its columns"),
        (format!("SELECT date_trunc('minute', window_start), count(*) FROM {w} GROUP BY 1"), "add window_start"),
        (format!("SELECT rank() OVER (ORDER BY v) FROM {w}"), "add window_start to PARTITION BY"),
        (format!("SELECT * FROM {w} LIMIT 5"), "number the rows of each window"),
        (format!("SELECT * FROM {w} ORDER BY v LIMIT 5"), "number the rows of each window"),
        (format!("SELECT * FROM {w} AS a JOIN {w} AS b ON a.k = b.k"), "add window_start to its ON"),
        (format!("SELECT * FROM names LEFT JOIN {w} ON k = column1"), "keep all rows of the live side"),
        (format!("SELECT * FROM names WHERE column1 IN (SELECT k FROM {w})"), "keep all rows of the live side"),
        (format!("SELECT k FROM {w} UNION ALL SELECT column1 FROM names"), "query them apart"),
        (format!("SELECT * FROM {w} WHERE v = (SELECT max(v) FROM {w})"), "window_start"),
        (
            format!("SELECT b.window_start, count(*) FROM {w} AS a LEFT JOIN {w} AS b ON a.window_start = b.window_start AND b.v > 1000 GROUP BY 1"),
            "add window_start",
        ),
        ("SELECT window_start, count(*) FROM session(logs, ts, '3s', k) GROUP BY 1".into(), "add window_start, k to its columns"),
        ("SELECT k, count(*) FROM session(logs, ts, '3s', k) GROUP BY 1".into(), "add window_start, k to its columns"),
        (format!("EXPLAIN ANALYZE SELECT * FROM {w}"), "EXPLAIN ANALYZE over a live table would never end"),
        (format!("COPY (SELECT * FROM {w}) TO 'x.csv'"), "COPY over a live table"),
        (format!("SELECT * FROM {w} AS a JOIN tumble(other, ts, '10s') AS b ON a.window_start = b.window_start"), "windows of one live table"),
        (format!("SELECT * FROM {w} AS a JOIN tumble(logs, ts, '20s') AS b ON a.window_start = b.window_start"), "one kind of windows"),
        (format!("SELECT * FROM {w} AS a JOIN tumble((SELECT * FROM logs WHERE v > 1), ts, '10s') AS b USING (window_start)"), "filter outside"),
        (format!("SELECT * FROM {w} AS a JOIN logs ON a.v = logs.v"), "put the same window function around both"),
        ("SELECT * FROM tumble((SELECT ts, count(*) FROM logs GROUP BY ts), ts, '10s')".into(), "GROUP BY or an aggregate needs more"),
        ("SELECT * FROM tumble((SELECT * FROM logs LIMIT 5), ts, '10s')".into(), "LIMIT needs more"),
        ("SELECT * FROM tumble((SELECT ts FROM logs JOIN names ON k = column1), ts, '10s')".into(), "a join needs more"),
        ("SELECT * FROM tumble((SELECT ts FROM logs UNION ALL SELECT ts FROM logs), ts, '10s')".into(), "UNION needs more"),
        ("SELECT * FROM tumble((SELECT ts, rank() OVER (ORDER BY ts) FROM logs), ts, '10s')".into(), "OVER needs more"),
        ("SELECT * FROM tumble((SELECT * FROM logs WHERE k IN (SELECT column1 FROM names)), ts, '10s')".into(), "a subquery in an expression needs more"),
        (format!("SELECT * FROM tumble((SELECT ts, v FROM {w}), ts, '10s')"), "another window function needs more"),
        (format!("SELECT * FROM tumble((SELECT * FROM {w}), ts, '10s')"), "has already a column window_start"),
        ("SELECT * FROM tumble((SELECT ts + INTERVAL '1 hour' AS ts FROM logs), ts, '10s')".into(), "must use its time_column ts"),
        ("SELECT * FROM tumble(lines, ts, '10s')".into(), "the live table lines has no time_column"),
        ("SELECT * FROM session(lines, ts, '10s')".into(), "the live table lines has no time_column"),
    ];
    let context = session(&Script::generate(1, 5 * SECOND, false));
    set_up(&context).await;
    for (sql, sentence) in cases {
        let refused = match context.sql(&sql).await {
            Ok(frame) => frame.create_physical_plan().await.err(),
            Err(error) => Some(error),
        };
        let error = refused.unwrap_or_else(|| panic!("accepted: {sql}"));
        assert!(error.to_string().contains(sentence), "{sql}: {error}");
    }
}

/// A script of one partition: for each of these seconds, the times of the rows that come then.
fn steps(steps: &[(i64, &[i64])]) -> Script {
    let mut v = 0;
    let step = |(now, times): &(i64, &[i64])| {
        let rows: Vec<Row> = times
            .iter()
            .map(|time| {
                v += 1;
                Row {
                    ts: Some(BEGIN + time * SECOND),
                    key: Some("a"),
                    v,
                }
            })
            .collect();
        let now = BEGIN + now * SECOND;
        let quiet = (0, PartitionNews::CaughtUp(now));
        ScriptStep {
            now,
            pieces: if rows.is_empty() {
                vec![]
            } else {
                vec![(0, batch(&rows))]
            },
            news: if rows.is_empty() { vec![] } else { vec![quiet] },
        }
    };
    Script {
        steps: steps.iter().map(step).collect(),
    }
}

/// The batches of a statement, as they come, before the source ends.
async fn first_rows(script: &Script, sql: &str, n_batches: usize) -> Vec<Vec<i64>> {
    let context = session(script);
    let mut stream = context
        .sql(sql)
        .await
        .unwrap()
        .execute_stream()
        .await
        .unwrap();
    let mut found = vec![];
    while found.len() < n_batches
        && let Some(batch) = stream.next().await
    {
        let batch = batch.unwrap();
        let column = batch.column(0).as_primitive::<Int64Type>();
        let mut values = column.values().to_vec();
        values.sort_unstable();
        if !values.is_empty() {
            found.push(values);
        }
    }
    found
}

#[tokio::test]
async fn a_future_timestamp_closes_nothing_early() {
    // The second row is an hour ahead; the next ones still belong to the first window.
    let script = steps(&[
        (1, &[1]),
        (2, &[3_602]),
        (3, &[3]),
        (8, &[8]),
        (40, &[40]),
        (41, &[]),
    ]);
    let sql = "SELECT sum(v) FROM tumble(logs, ts, '10s') GROUP BY window_start";
    assert_eq!(first_rows(&script, sql, 1).await, [[1 + 3 + 4]]);
}

#[tokio::test]
async fn an_idle_stream_closes_its_last_window() {
    // Without more rows, the clock closes the window long before the end: the first result has no
    // row of the next window.
    let script = steps(&[(1, &[1, 2]), (30, &[]), (60, &[]), (61, &[61]), (62, &[])]);
    let context = session(&script);
    let sql = "SELECT window_start, count(*) FROM tumble(logs, ts, '10s') GROUP BY window_start";
    let rows = run(&context, sql).await.unwrap();
    assert_eq!(rows, ["2024-05-01T00:00:00|2", "2024-05-01T00:01:00|1"]);
    let found = first_rows(&script, "SELECT v FROM tumble(logs, ts, '10s')", 1).await;
    assert_eq!(found, [[1, 2]]);
}

#[tokio::test]
async fn late_rows_are_counted_and_kept() {
    // At 61 the watermark is 56: a row of the first window that comes after that is late.
    let script = steps(&[(1, &[1]), (61, &[61]), (62, &[2, 62]), (63, &[])]);
    let context = session(&script);
    let sql = "SELECT v FROM tumble((SELECT ts, v FROM logs WHERE v <> 4), ts, '10s')";
    assert_eq!(run(&context, sql).await.unwrap(), ["1", "2"]);
    let table = context.table_provider("logs").await.unwrap();
    let live = table.downcast_ref::<LiveTable>().unwrap();
    let stream = Arc::clone(&live.streams.streams()[0]);
    let missed = stream.missed_rows();
    assert_eq!(missed.len(), 1);
    assert_eq!(missed[0].0, Missed::Late);
    assert_eq!(missed[0].1.num_rows(), 1);
    assert_eq!(stream.rows_late.load(Ordering::Relaxed), 1);
    assert_eq!(stream.closed_windows.load(Ordering::Relaxed), 2);
    assert!(stream.has_ended());
}

#[tokio::test]
async fn processing_time_and_counts_need_no_time_column() {
    let script = steps(&[(1, &[1, 2]), (12, &[3]), (13, &[])]);
    let context = session(&script);
    let sql = "SELECT arrow_typeof(window_start), window_start, count(*) FROM tumble(lines, INTERVAL '10 seconds') GROUP BY window_start";
    assert_eq!(
        run(&context, sql).await.unwrap(),
        [
            "Timestamp(ns, \"UTC\")|2024-05-01T00:00:00Z|2",
            "Timestamp(ns, \"UTC\")|2024-05-01T00:00:10Z|1"
        ]
    );
    let context = session(&script);
    let sql = "SELECT v, window_start, window_end FROM count_window(lines, 2)";
    assert_eq!(
        run(&context, sql).await.unwrap(),
        ["1|0|2", "2|0|2", "3|2|4"]
    );
}

#[tokio::test]
async fn a_statement_can_insert() {
    let context = session(&distinct_script(5));
    for sql in [
        "CREATE TABLE counts(start TIMESTAMP, n BIGINT)",
        "INSERT INTO counts SELECT window_start, count(*) FROM tumble(logs, ts, '10s') GROUP BY window_start",
    ] {
        run(&context, sql).await.unwrap();
    }
    let counts = run(&context, "SELECT * FROM counts").await.unwrap();
    let old = "SELECT window_start, count(*) FROM tumble(old, ts, '10s') GROUP BY window_start";
    assert_eq!(counts, run(&context, old).await.unwrap());
}

#[tokio::test]
async fn explain_shows_what_runs_on_each_window() {
    let context = session(&distinct_script(5));
    let sql = "SELECT window_start, count(*) FROM tumble(logs, ts, '10s') GROUP BY window_start";
    let lines = run(&context, &format!("EXPLAIN {sql}"))
        .await
        .unwrap()
        .join("\n");
    assert!(lines.contains("WindowRowsExec"), "{lines}");
    assert!(lines.contains("tumble(logs, ts, 10s)"), "{lines}");
    let plan = context
        .sql(sql)
        .await
        .unwrap()
        .create_physical_plan()
        .await
        .unwrap();
    let text = displayable(plan.as_ref()).indent(false).to_string();
    assert_eq!(
        text.trim(),
        "WindowedExec: once per closed window, tumble(logs, ts, 10s)"
    );
}

#[tokio::test]
async fn a_session_that_needs_too_much_memory_says_so() {
    let script = distinct_script(5);
    let context = session(&script);
    let small = LiveTable {
        buffer_bytes: 1_000,
        ..script.table()
    };
    context.deregister_table("logs").unwrap();
    context.register_table("logs", Arc::new(small)).unwrap();
    let error = run(&context, "SELECT * FROM session(logs, ts, '3s')")
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("raise the option buffer_bytes"),
        "{error}"
    );
    // Windows by time spill to disk.
    let context = session(&script);
    let small = LiveTable {
        buffer_bytes: 1_000,
        ..script.table()
    };
    context.deregister_table("logs").unwrap();
    context.register_table("logs", Arc::new(small)).unwrap();
    let live = run(&context, "SELECT * FROM hop(logs, ts, '5s', '20s')")
        .await
        .unwrap();
    assert_eq!(
        live,
        run(&context, "SELECT * FROM hop(old, ts, '5s', '20s')")
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn only_what_is_asked_for_is_read() {
    let script = steps(&[(1, &[1]), (61, &[61]), (62, &[2, 62]), (63, &[])]);
    let context = session(&script);
    let constant = "SELECT window_start, sum(one) FROM tumble((SELECT ts, 1 AS one FROM logs), ts, '10s') GROUP BY 1";
    let rows = run(&context, constant).await.unwrap();
    assert_eq!(rows, ["2024-05-01T00:00:00|1", "2024-05-01T00:01:00|2"]);
    let context = session(&script);
    let sql = "SELECT window_start, count(k) FROM tumble((SELECT ts, k, upper(line) AS l FROM logs WHERE v > 0), ts, '10s') GROUP BY window_start";
    run(&context, sql).await.unwrap();
    let table = context.table_provider("logs").await.unwrap();
    let live = table.downcast_ref::<LiveTable>().unwrap();
    let missed = live.streams.streams()[0].missed_rows();
    let fields: Vec<_> = missed[0]
        .1
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    assert_eq!(fields, ["ts", "k", "v"]);
}

#[tokio::test]
async fn a_file_can_be_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("points.csv");
    std::fs::write(
        &path,
        "ts,v\n2024-05-01T00:00:11,1\n2024-05-01T00:00:19,2\n",
    )
    .unwrap();
    let sql = format!(
        "SELECT v, window_start FROM tumble('{}', ts, '10s')",
        path.display()
    );
    let script = distinct_script(5);
    let context = session_on(SessionContext::new().enable_url_table(), &script);
    assert_eq!(
        run(&context, &sql).await.unwrap(),
        ["1|2024-05-01T00:00:10", "2|2024-05-01T00:00:10"]
    );
    // A context that takes over the state of another one finds the tables of that one.
    let context = session(&script).enable_url_table();
    let sql = "SELECT count(*) FROM tumble(old, ts, '10s') WHERE v = 1";
    assert_eq!(run(&context, sql).await.unwrap(), ["1"]);
}
