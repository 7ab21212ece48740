//! The answer of a function does not depend on batch size, partitions or the order of rows.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, Float64Array, Int64Array, RecordBatch, StringViewArray, TimestampMillisecondArray,
    UInt64Array,
};
use datafusion::arrow::compute::take_record_batch;
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::datasource::MemTable;
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::golden::project;

/// Some lines of the samples, including NULL and the empty line.
fn lines() -> RecordBatch {
    let text = [
        "postgresql.log",
        "nginx_error.log",
        "app.jsonl",
        "app_python.log",
    ]
    .map(|file| std::fs::read_to_string(project().join("sql/data").join(file)).unwrap())
    .concat();
    let lines = text.lines().step_by(17).map(Some);
    let message: StringViewArray = lines.chain([None, Some(""), Some("  \t"), None]).collect();
    let message: ArrayRef = Arc::new(message);
    RecordBatch::try_from_iter_with_nullable([("message", message, true)]).unwrap()
}

/// Points of three series in the order of time, including missing values, missing times and equal
/// times.
fn points() -> RecordBatch {
    let n_points = 600;
    let ts: TimestampMillisecondArray = (0..n_points)
        .map(|point| (point % 97 != 0).then_some(1_700_000_000_000 + point / 2 * 60_000))
        .collect();
    let value: Float64Array = (0..n_points)
        .map(|point| match point {
            _ if point % 41 == 0 => None,
            _ if point % 43 == 0 => Some(f64::NAN),
            300 => Some(1000.0),
            _ => Some(f64::from(i32::try_from(point * point % 23).unwrap())),
        })
        .collect();
    let id = Int64Array::from_iter_values(0..n_points);
    let columns: [(&str, ArrayRef, bool); 3] = [
        ("id", Arc::new(id), false),
        ("ts", Arc::new(ts), true),
        ("value", Arc::new(value), true),
    ];
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

/// The rows as a table of `n_partitions` partitions of batches of `batch_size`, in the order of
/// `step`.
fn table(rows: &RecordBatch, batch_size: usize, n_partitions: usize, step: usize) -> MemTable {
    let order: Vec<_> = (0..step)
        .flat_map(|first| (first..rows.num_rows()).step_by(step))
        .map(|row| row as u64)
        .collect();
    let rows = take_record_batch(rows, &UInt64Array::from(order)).unwrap();
    let mut partitions = vec![vec![]; n_partitions];
    for (position, offset) in (0..rows.num_rows()).step_by(batch_size).enumerate() {
        let n_rows = batch_size.min(rows.num_rows() - offset);
        partitions[position % n_partitions].push(rows.slice(offset, n_rows));
    }
    MemTable::try_new(rows.schema(), partitions).unwrap()
}

async fn answer(
    query: &str,
    tables: &[(&str, RecordBatch)],
    batch_size: usize,
    n_partitions: usize,
    step: usize,
) -> String {
    let config = SessionConfig::new()
        .with_batch_size(batch_size)
        .with_target_partitions(n_partitions);
    let context = SessionContext::new_with_config(config);
    datafusion_aiops::install(&context).unwrap();
    for (name, rows) in tables {
        let table = table(rows, batch_size, n_partitions, step);
        context.register_table(*name, Arc::new(table)).unwrap();
    }
    let batches = context.sql(query).await.unwrap().collect().await.unwrap();
    pretty_format_batches(&batches).unwrap().to_string()
}

async fn check(query: &str) {
    let tables = [("lines", lines()), ("points", points())];
    let expected = answer(query, &tables, 8192, 1, 1).await;
    for (batch_size, n_partitions, step) in [
        (1, 1, 1),
        (7, 1, 1),
        (7, 4, 1),
        (8192, 4, 1),
        (1, 4, 5),
        (8192, 1, 11),
    ] {
        let actual = answer(query, &tables, batch_size, n_partitions, step).await;
        assert!(
            actual == expected,
            "batch size {batch_size}, {n_partitions} partitions, order {step}: {query}"
        );
    }
}

#[tokio::test]
async fn scalar_functions() {
    check(
        "SELECT message, log_template(message), log_template(message, 'style=typed,keep=ERROR|200'),
                log_template(arrow_cast(message, 'Dictionary(Int32, Utf8)'), 'profile=json'),
                template_hash(log_template(message)), log_parse(message), log_tokens(log_template(message)),
                template_regex(log_template(message)), template_match(message, log_template(message)),
                log_tokens(message, 'concepts=on'), tfidf_vec(message, 'dimensions=16')
         FROM lines ORDER BY message NULLS FIRST",
    )
    .await;
}

/// Models are compared byte for byte.
#[tokio::test]
async fn models() {
    for model in [
        "log_mine(message)",
        "log_mine(message, 'profile=kv,max_templates=20')",
        "log_mine(message, 'max_templates=1')",
        "tfidf_fit(log_template(message))",
        "tfidf_fit(message, 'max_terms=30,min_df=2,max_df=0.5,concepts=off')",
    ] {
        check(&format!("SELECT encode({model}, 'hex') FROM lines")).await;
    }
}

#[tokio::test]
async fn clusters() {
    let vectors = "WITH vocabulary AS (SELECT tfidf_fit(log_template(message)) AS model FROM lines), vectors AS (
        SELECT DISTINCT template, template_hash(template) AS id, tfidf_vec(template, (SELECT model FROM vocabulary)) AS vec
        FROM (SELECT log_template(message) AS template FROM lines))";
    for answer in [
        "cluster_fit(id, vec)",
        "cluster_fit(id, vec, 'linkage=complete,num_clusters=7')",
        "cluster_fit(id, vec, 'linkage=single,threshold=0.4')",
        "cluster_fit(id, vec, 'linkage=ward,num_clusters=auto')",
        "cluster_fit(id, vec, 'max_exact_rows=20')",
        "cluster_fit(id, vec, 'method=kmeans,num_clusters=5,n_runs=2')",
        "cluster_fit(id, vec, 'method=dbscan,threshold=0.4,min_points=2')",
        "cluster_fit(id, vec, CASE WHEN id % 3 = 0 THEN id % 7 END, '')",
        "cluster_keywords(id % 5, template)",
        "cluster_keywords(CAST(id % 5 AS TEXT), template, 'max_keywords=50')",
    ] {
        check(&format!("{vectors} SELECT {answer} FROM vectors")).await;
    }
}

#[tokio::test]
async fn series() {
    for answer in [
        "ts_anomaly(ts, value)",
        "ts_anomaly(ts, value, 'sides=up,season=24')",
        "ts_capacity(ts, value, '1 hour', '20 minutes', 'headroom=0.2')",
        "ts_changepoints(ts, value, 'penalty=1')",
        "ts_decompose(ts, value, 'season=23')",
        "ts_fill(ts, value, '7 minutes', 'bucket=last')",
        "ts_forecast(ts, value, 12)",
        "ts_forecast(ts, value, 3, 'freq=7 minutes,dup=last,fill=previous,quantiles=0.5,explain=on')",
        "ts_forecast(ts, value, 5, ['2026-05-01', '2026-05-02'], 'calendar=month_start,floor=1')",
        "ts_periods(ts, value)",
    ] {
        check(&format!("SELECT unnest({answer}) FROM points")).await;
        // DataFusion 55.2 still considers the groups unique after unnest, and would not sort by
        // position: hence `+ 0`.
        check(&format!(
            "SELECT series, unnest(range(array_length(answer))) AS position, unnest(answer) AS element
             FROM (SELECT id % 3 AS series, {answer} AS answer FROM points GROUP BY id % 3)
             ORDER BY series + 0, position"
        ))
        .await;
    }
}

#[tokio::test]
async fn answers_on_series() {
    for answer in [
        "ts_rate(ts, value)",
        "ts_rate(ts, value, 'counter=off') FILTER (WHERE id % 5 > 0)",
        "ts_reaches(ts, id, 100000, 'horizon=30')",
    ] {
        check(&format!("SELECT {answer} FROM points")).await;
        check(&format!(
            "SELECT id % 7, {answer} FROM points GROUP BY id % 7 ORDER BY 1"
        ))
        .await;
    }
}

/// The id orders rows of the same time.
#[tokio::test]
async fn verdicts_on_rows() {
    for over in [
        "ORDER BY ts, id",
        "PARTITION BY id % 3 ORDER BY ts, id",
        "ORDER BY id",
        "PARTITION BY id % 3 ORDER BY ts, id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
    ] {
        check(&format!(
            "SELECT id, ts_anomaly(value) OVER ({over}) FROM points ORDER BY id"
        ))
        .await;
    }
}
