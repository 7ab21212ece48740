//! What this version stores and every later one must read: models, checkpoints, the bookkeeping in
//! SQLite. `tests/data/stored` has one of each as version 1 writes it.
//!
//! If a test here fails because something else is written now, raise the version of that form, keep
//! the old file and read it too, and write the new one with `UPDATE_STORED=1`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, BinaryViewArray, RecordBatch};
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::prelude::SessionContext;
use datafusion_aiops::{Pipeline, PipelineEnd, PipelineOptions, aiops_sql, session};

use crate::golden::project;

const TEXTS: &str = "(VALUES ('user bob logged in from 10.0.0.1'), ('user eve logged in from 10.0.0.2'), \
    ('user ann logged in from 10.0.0.3'), ('disk sda full'), ('连接数据库超时'))";

/// The file of a stored form, which is written first if `UPDATE_STORED` is set.
fn stored(name: &str, now: &[u8]) -> Vec<u8> {
    let path = project().join("tests/data/stored").join(name);
    if std::env::var_os("UPDATE_STORED").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, now).unwrap();
    }
    fs::read(&path).unwrap()
}

async fn answer(context: &SessionContext, sql: &str) -> String {
    let batches = aiops_sql(context, sql)
        .await
        .unwrap()
        .collect()
        .await
        .unwrap();
    pretty_format_batches(&batches).unwrap().to_string()
}

async fn model(context: &SessionContext, function: &str) -> Vec<u8> {
    let sql = format!("SELECT {function}(message) AS model FROM {TEXTS} AS t(message)");
    let batches = aiops_sql(context, &sql)
        .await
        .unwrap()
        .collect()
        .await
        .unwrap();
    batches[0].column(0).as_binary_view().value(0).to_vec()
}

/// Compares a model with the stored one, and registers the stored one under this name.
async fn register(context: &SessionContext, function: &str) {
    let now = model(context, function).await;
    let stored = stored(&format!("{function}.model"), &now);
    assert_eq!(
        now, stored,
        "{function} writes other models than version 1 did"
    );
    let column: Arc<dyn Array> = Arc::new(BinaryViewArray::from_iter_values([&stored]));
    let table = RecordBatch::try_from_iter([("model", column)]).unwrap();
    context.register_batch(function, table).unwrap();
}

#[tokio::test]
async fn models_are_read() {
    let context = session().unwrap();
    register(&context, "log_mine").await;
    let found = answer(
        &context,
        "SELECT log_match('user bob logged in from 10.1.1.1', (SELECT model FROM log_mine))['template'] AS template",
    );
    let expected = "\
+-----------------------------+
| template                    |
+-----------------------------+
| user bob logged in from <*> |
+-----------------------------+";
    assert_eq!(found.await, expected);
    register(&context, "tfidf_fit").await;
    let sql = "SELECT term FROM (SELECT unnest(tfidf_terms((SELECT model FROM tfidf_fit)))['term'] AS term) \
               WHERE term IN ('数据库', 'disk') ORDER BY term";
    assert!(answer(&context, sql).await.contains("disk"));
}

/// A model says what it was made with; an unknown name or version does not fall back to a default.
#[tokio::test]
async fn models_of_the_future_are_refused() {
    let context = session().unwrap();
    for (function, old, new, expected) in [
        (
            "log_mine",
            "default",
            "defaulu",
            "which this program does not know",
        ),
        ("log_mine", "aiops.version", "aiops.versioo", ""),
    ] {
        let mut bytes = model(&context, function).await;
        let at = bytes
            .windows(old.len())
            .position(|window| window == old.as_bytes());
        let at = at.unwrap();
        bytes[at..at + old.len()].copy_from_slice(new.as_bytes());
        let column: Arc<dyn Array> = Arc::new(BinaryViewArray::from_iter_values([&bytes]));
        let table = RecordBatch::try_from_iter([("model", column)]).unwrap();
        context.deregister_table("t").unwrap();
        context.register_batch("t", table).unwrap();
        let sql = "SELECT log_match('a', (SELECT model FROM t))";
        let ran = aiops_sql(&context, sql).await.unwrap().collect().await;
        let error = ran.unwrap_err().to_string();
        // The checksum is checked first.
        assert!(
            error.contains("damaged") || error.contains(expected),
            "{error}"
        );
    }
}

const CREATE: &str = "CREATE UNBOUNDED EXTERNAL TABLE logs STORED AS LOG LOCATION 'FOLDER/*.log' OPTIONS (
    pattern '^(?<ts>\\S+) (?<message>.*)', delay '0 s', read_from 'start');
    CREATE EXTERNAL TABLE counts (window_start TIMESTAMP, n BIGINT, PRIMARY KEY (window_start)) STORED AS SQLITE LOCATION 'FOLDER/counts.db';
    INSERT INTO counts SELECT window_start::TIMESTAMP, count(*) FROM tumble(logs, ts, INTERVAL '1 minute') GROUP BY window_start";

fn lines(minutes: std::ops::Range<u32>) -> String {
    let line = |minute: u32, second: u32| format!("2026-03-02T06:{minute:02}:{second:02}Z line\n");
    let lines = minutes.flat_map(|minute| (0..10).map(move |n| line(minute, 6 * n)));
    lines.collect()
}

/// Runs the pipeline over the lines in the log, and returns how many windows have run, over all
/// runs.
async fn run(folder: &Path) -> u64 {
    let context = session().unwrap();
    let sql = CREATE.replace("FOLDER", &folder.display().to_string());
    let checkpoint = folder.join("checkpoint").display().to_string();
    let options = PipelineOptions::new("stored")
        .with_end(PipelineEnd::CaughtUp)
        .with_accepted_changes();
    let mut pipeline = Pipeline::open(&context, &sql, &checkpoint, options)
        .await
        .unwrap();
    while pipeline.next_window().await.unwrap().is_some() {}
    pipeline.n_windows()
}

/// The files of a checkpoint except locks.
fn checkpoint_files(folder: &Path) -> Vec<PathBuf> {
    let names = fs::read_dir(folder.join("ranges")).unwrap();
    let mut ranges: Vec<_> = names.map(|range| range.unwrap().file_name()).collect();
    ranges.sort();
    let ranges = ranges
        .into_iter()
        .map(|name| Path::new("ranges").join(name));
    let files = ["pipeline.json", "done.json"].map(PathBuf::from);
    files.into_iter().chain(ranges).collect()
}

/// Continues from a stored checkpoint, whose log is found by its content, and from the windows that
/// a database has.
#[tokio::test]
async fn checkpoints_are_read() {
    let data = project().join("tests/data/stored/checkpoint");
    if std::env::var_os("UPDATE_STORED").is_some() {
        write_checkpoint(&data).await;
    }
    let folder = tempfile::tempdir().unwrap();
    for file in checkpoint_files(&data) {
        let copy = folder.path().join("checkpoint").join(&file);
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(data.join(file), copy).unwrap();
    }
    let dump = fs::read_to_string(data.join("counts.sql")).unwrap();
    sqlite(&folder.path().join("counts.db"), &dump);
    // What came since then: three more minutes.
    fs::write(folder.path().join("app.log"), lines(0..6)).unwrap();
    assert_eq!(run(folder.path()).await, 5);
    let context = session().unwrap();
    let table = CREATE.split(';').nth(1).unwrap();
    let table = table.replace("FOLDER", &folder.path().display().to_string());
    answer(&context, &table).await;
    let expected = "\
+---------+------+
| windows | rows |
+---------+------+
| 5       | 50   |
+---------+------+";
    let sql = "SELECT count(*) AS windows, sum(n) AS rows FROM counts";
    assert_eq!(answer(&context, sql).await, expected);
}

async fn write_checkpoint(data: &Path) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("app.log"), lines(0..3)).unwrap();
    assert_eq!(run(folder.path()).await, 2);
    let _ = fs::remove_dir_all(data);
    for file in checkpoint_files(&folder.path().join("checkpoint")) {
        let text = fs::read_to_string(folder.path().join("checkpoint").join(&file)).unwrap();
        let text = text.replace(&folder.path().display().to_string(), "/var/log/app");
        fs::create_dir_all(data.join(&file).parent().unwrap()).unwrap();
        fs::write(data.join(file), text).unwrap();
    }
    fs::write(
        data.join("counts.sql"),
        dump(&folder.path().join("counts.db")),
    )
    .unwrap();
}

/// Runs statements on a database file, as other programs do.
fn sqlite(file: &Path, sql: &str) {
    let connection = rusqlite::Connection::open(file).unwrap();
    connection.execute_batch(sql).unwrap();
}

/// The statements that make the tables of a database file.
fn dump(file: &Path) -> String {
    let connection = rusqlite::Connection::open(file).unwrap();
    let mut sql = String::new();
    let mut tables = connection
        .prepare("SELECT name, sql FROM sqlite_master WHERE type = 'table' ORDER BY name")
        .unwrap();
    let tables = tables.query_map([], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
    });
    for table in tables.unwrap() {
        let (name, create) = table.unwrap();
        sql.push_str(&format!("{create};\n"));
        let columns = format!(
            "SELECT group_concat('quote(\"' || name || '\")', ' || '', '' || ') FROM pragma_table_info('{name}')"
        );
        let values: String = connection
            .query_row(&columns, [], |row| row.get(0))
            .unwrap();
        let mut rows = connection
            .prepare(&format!("SELECT {values} FROM \"{name}\""))
            .unwrap();
        let rows = rows.query_map([], |row| row.get::<_, String>(0)).unwrap();
        for row in rows {
            sql.push_str(&format!(
                "INSERT INTO \"{name}\" VALUES ({});\n",
                row.unwrap()
            ));
        }
    }
    sql
}
