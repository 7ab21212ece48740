//! What COPY and INSERT leave in a folder, run through a session.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::Int64Type;
use datafusion::datasource::listing::ListingTableUrl;
use datafusion::object_store::memory::InMemory;
use datafusion::object_store::path::Path as StorePath;
use datafusion::object_store::{ObjectStore, ObjectStoreExt};
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::TryStreamExt;
use tempfile::TempDir;

use crate::session::install;
use crate::sinks::local::LocalStage;
use crate::sinks::stage::Stage;
use crate::sinks::target::{Target, WriteMode};

/// Ten rows of three days, which the queries of these tests copy or insert.
const DAYS: &str = "SELECT value AS n, 'd' || (value % 3) AS day FROM range(0, 10)";
/// Fails after some of its rows are written.
const FAILS: &str =
    "SELECT 1 / (value - 9000) AS n, 'd' || (value % 3) AS day FROM range(0, 10000)";

/// A session, and a folder that it writes to.
struct Place {
    context: SessionContext,
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let config = SessionConfig::new()
            .with_target_partitions(4)
            .with_batch_size(100);
        let context = SessionContext::new_with_config(config);
        install(&context).unwrap();
        let folder = tempfile::tempdir().unwrap();
        Self { context, folder }
    }

    /// Runs a statement in which `{}` stands for the folder. Returns its first number, or its
    /// error.
    async fn run(&self, sql: &str) -> Result<i64, String> {
        let sql = sql.replace("{}", self.folder.path().to_str().unwrap());
        let run = async { self.context.sql(&sql).await?.collect().await };
        let batches = run.await.map_err(|error| error.strip_backtrace())?;
        let Some(batch) = batches.first() else {
            return Ok(0);
        };
        let column = datafusion::arrow::compute::cast(
            batch.column(0),
            &datafusion::arrow::datatypes::DataType::Int64,
        );
        Ok(column.map_or(0, |column| column.as_primitive::<Int64Type>().value(0)))
    }

    async fn error(&self, sql: &str) -> String {
        let error = self.run(sql).await.unwrap_err();
        error.replace(self.folder.path().to_str().unwrap(), "")
    }

    /// Every file below the folder, with random names as their extension.
    fn files(&self) -> Vec<String> {
        let mut files = names_below(self.folder.path(), "");
        files.sort();
        files
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

fn names_below(folder: &Path, prefix: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return vec![];
    };
    let names = entries.flat_map(|entry| {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let is_random = name.len() > 16
            && name
                .bytes()
                .take(16)
                .all(|byte| byte.is_ascii_alphanumeric());
        let shown = match name.split_once('.') {
            Some((_, extension)) if is_random => format!("{prefix}*.{extension}"),
            _ => format!("{prefix}{name}"),
        };
        if path.is_dir() {
            names_below(&path, &format!("{shown}/"))
        } else {
            vec![shown]
        }
    });
    names.collect()
}

#[tokio::test]
async fn a_folder_with_files_is_refused_until_the_statement_says_what_happens_to_them() {
    let place = Place::new();
    let copy = format!("COPY ({DAYS}) TO '{{}}/out/' STORED AS PARQUET");
    let count = "SELECT count(*) FROM '{}/out/'";
    let place = Place {
        context: place.context.enable_url_table(),
        ..place
    };
    assert_eq!(place.run(&copy).await, Ok(10));
    assert_eq!(
        place.error(&copy).await,
        "Execution error: the folder '/out/' has a .parquet file already: write OPTIONS (mode 'overwrite') to replace it or \
         OPTIONS (mode 'append') to add to it"
    );
    assert_eq!(place.run(count).await, Ok(10));
    assert_eq!(
        place.run(&format!("{copy} OPTIONS (mode 'append')")).await,
        Ok(10)
    );
    assert_eq!(place.run(count).await, Ok(20));
    assert_eq!(
        place.error(&copy).await,
        "Execution error: the folder '/out/' has 2 .parquet files already: write OPTIONS (mode 'overwrite') to replace them \
         or OPTIONS (mode 'append') to add to them"
    );
    assert_eq!(
        place
            .run(&format!("{copy} OPTIONS (mode 'OVERWRITE')"))
            .await,
        Ok(10)
    );
    assert_eq!(place.run(count).await, Ok(10));
    assert_eq!(place.files(), ["out/*.parquet"]);
}

#[tokio::test]
async fn wrong_options_are_refused_before_anything_is_written() {
    let place = Place::new();
    for (sql, expected) in [
        (
            "TO '{}/out/' STORED AS CSV OPTIONS (mode 'replace')",
            "Error during planning: COPY has no mode 'replace': write 'overwrite' to replace the files of the folder, \
             'overwrite_partitions' to replace those of the partitions that it writes, or 'append' to add to them",
        ),
        (
            "TO '{}/out/' STORED AS CSV OPTIONS (mode 'overwrite_partitions')",
            "Error during planning: mode 'overwrite_partitions' is for COPY .. PARTITIONED BY (..): write mode 'overwrite'",
        ),
        (
            "TO '{}/x.csv' OPTIONS (mode 'append')",
            "Error during planning: COPY replaces the file '/x.csv' as a whole: write into a folder, such as TO 'folder/', to \
             append to it",
        ),
        (
            "TO '{}/out*/' STORED AS CSV",
            "Error during planning: COPY writes to one place, and '/out*/' is a pattern of many: leave out * ? and [",
        ),
    ] {
        for explain in ["", "EXPLAIN ", "EXPLAIN ANALYZE "] {
            let sql = format!("{explain}COPY ({DAYS}) {sql}");
            assert_eq!(place.error(&sql).await, expected, "{sql}");
        }
    }
    assert!(place.files().is_empty());
}

/// The new rows could not be read together with the existing ones, or not as intended.
#[tokio::test]
async fn what_does_not_fit_the_folder_is_refused_before_anything_is_written() {
    let place = Place::new();
    for first in [
        "(SELECT 1 AS a, 2 AS b) TO '{}/csv/' STORED AS CSV",
        "(SELECT 1 AS a, 2 AS b) TO '{}/bare/' STORED AS CSV OPTIONS (format.has_header false)",
        "(SELECT 1 AS a, 'x' AS b, current_date() AS at) TO '{}/types/' STORED AS PARQUET",
        "(SELECT 1 AS a, 2 AS b, 3 AS c) TO '{}/parts/' STORED AS PARQUET PARTITIONED BY (a, b)",
        "(SELECT 1 AS a, 2 AS b) TO '{}/json/' STORED AS JSON",
    ] {
        place.run(&format!("COPY {first}")).await.unwrap();
    }
    let files = place.files();
    let append = "OPTIONS (mode 'append')";
    for (sql, expected) in [
        (
            format!("(SELECT 9 AS b, 8 AS a) TO '{{}}/csv/' STORED AS CSV {append}"),
            "the folder '/csv/' has .csv files of the columns a, b, and the statement writes b, a; they are read by position: \
             write SELECT a, b",
        ),
        (
            format!("(SELECT 9 AS c) TO '{{}}/csv/' STORED AS CSV {append}"),
            "the folder '/csv/' has .csv files of the columns a, b, and the statement writes c; they are read by position: \
             write the same columns, or into another folder",
        ),
        (
            format!("(SELECT 1 AS a, arrow_cast(1, 'Int32') AS at) TO '{{}}/types/' STORED AS PARQUET {append}"),
            "column at is Date32 in the files of '/types/', and Int32 in the statement: write arrow_cast(at, 'Date32') AS at, \
             or into another folder",
        ),
        (
            format!("(SELECT 'x' AS a, 'y' AS b) TO '{{}}/types/' STORED AS PARQUET {append}"),
            "column a is Int64 in the files of '/types/', and Utf8 in the statement: write arrow_cast(a, 'Int64') AS a, or \
             into another folder",
        ),
        (
            format!("(SELECT 1 AS a, 2 AS b, 3 AS c) TO '{{}}/parts/' STORED AS PARQUET PARTITIONED BY (b) {append}"),
            "the folder '/parts/' has files by a, b, and the statement writes by b: write them in the same way, or into \
             another folder",
        ),
        (
            "(SELECT 1 AS a, 2 AS b, 3 AS c) TO '{}/parts/' STORED AS PARQUET PARTITIONED BY (b, a) OPTIONS (mode \
             'overwrite_partitions')"
                .to_string(),
            "the folder '/parts/' has files by a, b, and the statement writes by b, a: write them in the same way, or into \
             another folder",
        ),
        (
            format!("(SELECT 1 AS c) TO '{{}}/parts/' STORED AS PARQUET {append}"),
            "the folder '/parts/' has files by a, b, and the statement writes without partitions: write them in the same way, \
             or into another folder",
        ),
    ] {
        let error = place.error(&format!("COPY {sql}")).await;
        assert_eq!(error, format!("Error during planning: {expected}"), "{sql}");
    }
    assert_eq!(place.files(), files);
    for sql in [
        format!("(SELECT 8 AS a, 9 AS b) TO '{{}}/csv/' STORED AS CSV {append}"),
        "(SELECT 8 AS c, 9 AS d) TO '{}/bare/' STORED AS CSV OPTIONS (mode 'append', format.has_header false)"
            .to_string(),
        format!(
            "(SELECT arrow_cast('y', 'LargeUtf8') AS b, 2 AS a, now() AS more) TO '{{}}/types/' STORED AS PARQUET {append}"
        ),
        format!(
            "(SELECT NULL AS a, arrow_cast('y', 'Dictionary(Int32, Utf8)') AS b) TO '{{}}/types/' STORED AS PARQUET {append}"
        ),
        format!(
            "(SELECT 2 AS b, 4 AS c, 1 AS a) TO '{{}}/parts/' STORED AS PARQUET PARTITIONED BY (a, b) {append}"
        ),
        format!("(SELECT 'x' AS a) TO '{{}}/json/' STORED AS JSON {append}"),
        "(SELECT 'x' AS z) TO '{}/csv/' STORED AS CSV OPTIONS (mode 'overwrite')".to_string(),
    ] {
        place.run(&format!("COPY {sql}")).await.expect(&sql);
    }
    let place = Place {
        context: place.context.enable_url_table(),
        ..place
    };
    for (folder, n_rows) in [("types", 3), ("parts", 2), ("csv", 1)] {
        let sql = format!("SELECT count(*) FROM '{{}}/{folder}/'");
        assert_eq!(place.run(&sql).await, Ok(n_rows), "{folder}");
    }
}

#[tokio::test]
async fn explain_touches_nothing_and_explain_analyze_writes() {
    let place = Place::new();
    let copy = format!("COPY ({DAYS}) TO '{{}}/out/' STORED AS JSON OPTIONS (mode 'overwrite')");
    place.run(&format!("EXPLAIN {copy}")).await.unwrap();
    assert!(!place.folder.path().join("out").exists());
    place.run(&format!("EXPLAIN ANALYZE {copy}")).await.unwrap();
    place.run(&format!("EXPLAIN ANALYZE {copy}")).await.unwrap();
    assert_eq!(place.files(), ["out/*.json"]);
}

#[tokio::test]
async fn partitions_are_replaced_together_or_one_by_one() {
    let place = Place::new();
    let table = "CREATE EXTERNAL TABLE t (n BIGINT, day TEXT) STORED AS PARQUET PARTITIONED BY (day) LOCATION '{}/out/'";
    let to = "TO '{}/out' STORED AS PARQUET PARTITIONED BY (day)";
    let all = [
        "out/day=d0/*.parquet",
        "out/day=d1/*.parquet",
        "out/day=d2/*.parquet",
    ];
    assert_eq!(place.run(&format!("COPY ({DAYS}) {to}")).await, Ok(10));
    assert_eq!(place.files(), all);
    place.run(table).await.unwrap();
    assert_eq!(place.run("SELECT sum(n) FROM t").await, Ok(45));
    assert_eq!(
        place.error(&format!("COPY ({DAYS}) {to}")).await,
        "Execution error: the folder '/out' has 3 .parquet files already: write OPTIONS (mode 'overwrite') to replace them, \
         OPTIONS (mode 'overwrite_partitions') to replace the partitions that it writes, or OPTIONS (mode 'append') to add \
         to them"
    );
    let one = "COPY (SELECT 100 AS n, 'd1' AS day)";
    place
        .run(&format!("{one} {to} OPTIONS (mode 'overwrite_partitions')"))
        .await
        .unwrap();
    assert_eq!(place.files(), all);
    assert_eq!(
        place.run("SELECT sum(n) FROM t").await,
        Ok(45 - (1 + 4 + 7) + 100)
    );
    place
        .run(&format!("{one} {to} OPTIONS (mode 'overwrite')"))
        .await
        .unwrap();
    assert_eq!(place.files(), ["out/day=d1/*.parquet"]);
    assert_eq!(place.run("SELECT sum(n) FROM t").await, Ok(100));
}

#[tokio::test]
async fn a_query_that_fails_half_way_leaves_the_old_files_and_no_new_ones() {
    for to in [
        "'{}/out/' STORED AS PARQUET",
        "'{}/out/' STORED AS CSV",
        "'{}/out/' STORED AS JSON PARTITIONED BY (day)",
        "'{}/x.parquet'",
        "'{}/x.csv'",
        "'{}/deeper/still/x.csv.gz' STORED AS CSV OPTIONS (compression 'gzip')",
    ] {
        let place = Place::new();
        place
            .context
            .sql("SET datafusion.execution.soft_max_rows_per_output_file = 500")
            .await
            .unwrap();
        let error = place.error(&format!("COPY ({FAILS}) TO {to}")).await;
        assert!(error.contains("Divide by zero"), "{error}");
        assert_eq!(
            fs::read_dir(place.folder.path()).unwrap().count(),
            0,
            "{to}"
        );
        place.run(&format!("COPY ({DAYS}) TO {to}")).await.unwrap();
        let before = place.files();
        assert!(!before.is_empty());
        let bytes = fs::read(place.folder.path().join(&before[0])).ok();
        let overwrite = if to.contains("OPTIONS") {
            to.replace("OPTIONS (", "OPTIONS (mode 'overwrite', ")
        } else {
            format!("{to} OPTIONS (mode 'overwrite')")
        };
        place.error(&format!("COPY ({FAILS}) TO {overwrite}")).await;
        assert_eq!(place.files(), before, "{to}");
        assert_eq!(
            fs::read(place.folder.path().join(&before[0])).ok(),
            bytes,
            "{to}"
        );
    }
}

#[tokio::test]
async fn insert_into_a_folder_adds_all_rows_or_none() {
    let place = Place::new();
    let table = "CREATE EXTERNAL TABLE t (n BIGINT, day TEXT) STORED AS PARQUET PARTITIONED BY (day) LOCATION '{}/out/'";
    place.run(table).await.unwrap();
    let insert = format!("INSERT INTO t {DAYS}");
    assert_eq!(place.run(&insert).await, Ok(10));
    assert_eq!(place.run(&insert).await, Ok(10));
    let before = place.files();
    let error = place.error(&format!("INSERT INTO t {FAILS}")).await;
    assert!(error.contains("Divide by zero"), "{error}");
    assert_eq!(place.files(), before);
    assert_eq!(place.run("SELECT count(*) FROM t").await, Ok(20));
}

#[tokio::test]
async fn overwriting_leaves_what_is_no_data_of_the_format() {
    let place = Place::new();
    for name in [
        "out/README",
        "out/a.csv",
        "out/backup/old.parquet",
        "out/_SUCCESS",
    ] {
        place.write(name, "mine");
    }
    place.write("out/old.parquet", "replaced");
    place.write("out/day=1/old.parquet", "replaced");
    let copy = format!("COPY ({DAYS}) TO '{{}}/out/' STORED AS PARQUET OPTIONS (mode 'overwrite')");
    place.run(&copy).await.unwrap();
    let expected = [
        "out/*.parquet",
        "out/README",
        "out/_SUCCESS",
        "out/a.csv",
        "out/backup/old.parquet",
    ];
    assert_eq!(place.files(), expected);
    assert!(!place.folder.path().join("out/day=1").exists());
}

#[tokio::test]
async fn names_with_spaces_other_scripts_and_percent_signs() {
    for folder in ["a b", "größe", "100%", "a%20b", "日本"] {
        let place = Place::new();
        let copy = format!(
            "COPY (SELECT 1 AS n, 'ü /%' AS day) TO '{{}}/{folder}' STORED AS CSV PARTITIONED BY (day)"
        );
        place.run(&copy).await.unwrap();
        let files = place.files();
        assert_eq!(files.len(), 1, "{files:?}");
        assert!(files[0].starts_with(&format!("{folder}/day=")), "{files:?}");
        let error = place.error(&copy).await;
        assert!(error.contains("a .csv file already"), "{error}");
        place
            .run(&format!("{copy} OPTIONS (mode 'overwrite')"))
            .await
            .unwrap();
        assert_eq!(place.files(), files);
        place
            .run(&format!("COPY (SELECT 1 AS n) TO '{{}}/{folder}/x.csv'"))
            .await
            .unwrap();
        assert_eq!(place.files().len(), 2);
    }
}

#[tokio::test]
async fn a_query_without_rows_writes_no_file_and_empties_a_folder_that_it_overwrites() {
    let place = Place::new();
    let none =
        format!("COPY (SELECT * FROM ({DAYS}) WHERE n > 100) TO '{{}}/out/' STORED AS PARQUET");
    assert_eq!(place.run(&none).await, Ok(0));
    assert!(place.files().is_empty());
    place
        .run(&format!("COPY ({DAYS}) TO '{{}}/out/' STORED AS PARQUET"))
        .await
        .unwrap();
    assert_eq!(
        place
            .run(&format!("{none} OPTIONS (mode 'overwrite')"))
            .await,
        Ok(0)
    );
    assert!(place.files().is_empty());
    place
        .run("COPY (SELECT 1 AS n WHERE false) TO '{}/x.parquet'")
        .await
        .unwrap();
    assert_eq!(place.files(), ["x.parquet"]);
}

#[tokio::test]
async fn the_form_with_the_name_of_a_table() {
    let place = Place::new();
    place
        .run(&format!("CREATE TABLE t AS {DAYS}"))
        .await
        .unwrap();
    for _ in 0..2 {
        assert_eq!(
            place
                .run("COPY t TO '{}/out/' STORED AS ARROW OPTIONS (mode 'overwrite')")
                .await,
            Ok(10)
        );
        assert_eq!(place.run("COPY t TO '{}/x.json'").await, Ok(10));
    }
    assert_eq!(place.files(), ["out/*.arrow", "x.json"]);
}

/// However many statements run at once, one of them writes.
#[tokio::test(flavor = "multi_thread")]
async fn statements_at_the_same_moment_do_not_double_the_rows() {
    let place = Arc::new(Place::new());
    for option in ["", "OPTIONS (mode 'overwrite')"] {
        let copy = format!(
            "COPY ({DAYS}) TO '{{}}/out{}/' STORED AS PARQUET {option}",
            option.len()
        );
        let runs = (0..8).map(|_| {
            let (place, copy) = (Arc::clone(&place), copy.clone());
            tokio::spawn(async move { place.run(&copy).await.is_ok() })
        });
        let mut n_written = 0;
        for run in runs.collect::<Vec<_>>() {
            n_written += usize::from(run.await.unwrap());
        }
        assert_eq!(n_written, if option.is_empty() { 1 } else { 8 });
    }
    assert_eq!(place.files(), ["out0/*.parquet", "out26/*.parquet"]);
}

fn target(place: &Place, mode: WriteMode) -> Target {
    let name = format!("{}/out/", place.folder.path().display());
    Target {
        url: ListingTableUrl::parse(&name).unwrap(),
        name,
        is_single_file: false,
        partition_columns: vec!["day".to_string()],
        mode,
        extension: "csv".to_string(),
        ignores_folders_below: true,
    }
}

/// Leaves the stage of a killed process, with or without a journal; no process holds its lock.
fn leave_stage(place: &Place, name: &str, journal: Option<&str>) {
    place.write(&format!("out/.copy-{name}/0"), "new");
    place.write(&format!("out/.copy-{name}/2#1"), "part");
    if let Some(journal) = journal {
        place.write(&format!("out/.copy-{name}/commit.json"), journal);
    }
}

#[tokio::test]
async fn what_a_killed_process_leaves_is_finished_or_removed_by_the_next() {
    let place = Place::new();
    place.write("out/a.csv", "old");
    place.write("out/day=1/b.csv", "old");
    leave_stage(&place, "1", None);
    leave_stage(
        &place,
        "2",
        Some(r#"{"new": ["day=2/c.csv", "d.csv"], "old": ["day=1/b.csv", "gone.csv"]}"#),
    );
    // The second file was renamed before the process was killed.
    place.write("out/d.csv", "new");
    let living = LocalStage::begin(&target(&place, WriteMode::Append)).unwrap();
    let expected = ["out/a.csv", "out/d.csv", "out/day=2/c.csv"];
    assert_eq!(place.files(), expected);
    // The stage of a living process stays.
    let other = LocalStage::begin(&target(&place, WriteMode::Append)).unwrap();
    assert_eq!(
        fs::read_dir(place.folder.path().join("out"))
            .unwrap()
            .count(),
        5
    );
    living.discard_now();
    other.discard_now();
    assert_eq!(
        fs::read_dir(place.folder.path().join("out"))
            .unwrap()
            .count(),
        3
    );
}

#[tokio::test]
async fn a_journal_that_leads_out_of_the_folder_is_not_followed() {
    let place = Place::new();
    place.write("x.csv", "mine");
    leave_stage(
        &place,
        "1",
        Some(r#"{"new": ["../y.csv"], "old": ["../x.csv"]}"#),
    );
    LocalStage::begin(&target(&place, WriteMode::Append))
        .unwrap()
        .discard_now();
    assert_eq!(place.files(), ["x.csv"]);
}

#[tokio::test]
async fn a_file_that_cannot_be_renamed_undoes_those_before_it() {
    let place = Place::new();
    place.write("out/old.csv", "old");
    // The partition folder of one of the files exists as a file.
    place.write("out/day=d2", "in the way");
    let copy = format!(
        "COPY ({DAYS}) TO '{{}}/out/' STORED AS CSV PARTITIONED BY (day) OPTIONS (mode 'overwrite')"
    );
    let error = place.error(&copy).await;
    assert!(error.contains("cannot be written"), "{error}");
    assert_eq!(place.files(), ["out/day=d2", "out/old.csv"]);
}

/// A statement that is dropped, as by Ctrl-C, leaves nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_is_dropped_leaves_nothing() {
    let place = Place::new();
    let url = format!("{}/out/", place.folder.path().display());
    let endless = format!(
        "COPY (SELECT a.value AS n FROM range(0, 100000) a, range(0, 100000) b) TO '{url}' STORED AS CSV"
    );
    // A small buffer begins a file with the first rows.
    let small = "SET datafusion.execution.objectstore_writer_buffer_size = 1000";
    place.context.sql(small).await.unwrap();
    let frame = place.context.sql(&endless).await.unwrap();
    let stage = async {
        while names_below(place.folder.path(), "").is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        ended = frame.collect() => panic!("{ended:?}"),
        () = stage => {}
    }
    assert!(!place.folder.path().join("out").exists());
}

#[tokio::test]
async fn an_object_store_shows_all_files_or_none() {
    let place = Place::new();
    let store = Arc::new(InMemory::new());
    let url = ListingTableUrl::parse("memory://bucket/").unwrap();
    place
        .context
        .register_object_store(url.get_url(), Arc::clone(&store) as _);
    let n_files = async || {
        store
            .list(None)
            .try_collect::<Vec<_>>()
            .await
            .unwrap()
            .len()
    };
    for (to, n_expected) in [
        (
            "'memory://bucket/out/' STORED AS PARQUET PARTITIONED BY (day)",
            3,
        ),
        ("'memory://bucket/x.csv'", 4),
    ] {
        let n_before = n_files().await;
        place.error(&format!("COPY ({FAILS}) TO {to}")).await;
        assert_eq!(n_files().await, n_before);
        place.run(&format!("COPY ({DAYS}) TO {to}")).await.unwrap();
        assert_eq!(n_files().await, n_expected);
        place
            .run(&format!("COPY ({DAYS}) TO {to} OPTIONS (mode 'overwrite')"))
            .await
            .unwrap();
        assert_eq!(n_files().await, n_expected);
    }
    let error = place
        .error(&format!(
            "COPY ({DAYS}) TO 'memory://bucket/out' STORED AS PARQUET"
        ))
        .await;
    assert!(error.contains("has 3 .parquet files already"), "{error}");
    store
        .put(&StorePath::from("out/note.txt"), "mine".into())
        .await
        .unwrap();
    let none = "COPY (SELECT 1 AS n WHERE false) TO 'memory://bucket/out/' STORED AS PARQUET OPTIONS (mode 'overwrite')";
    place.run(none).await.unwrap();
    assert_eq!(n_files().await, 2);
}
