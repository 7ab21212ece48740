//! The transactions of pipelines, and a disk that is full.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use datafusion::execution::FunctionRegistry;
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::StreamExt;
use rusqlite::Connection;

use super::{Fixture, run};
use crate::stores::sqlite::file::{DatabaseFile, SqliteTransaction};
use crate::stores::store::{DoneWindows, Store, Transaction};
use crate::stores::target_table::TargetTable;

async fn database(fixture: &Fixture, table: &str) -> Arc<dyn Store> {
    let provider = fixture.context.table_provider(table).await.unwrap();
    TargetTable::store_of(provider.as_ref()).unwrap()
}

/// The same session with a transaction in its configuration.
fn inside(fixture: &Fixture, transaction: &Arc<dyn Transaction>) -> SessionContext {
    let mut state = fixture.context.state();
    Arc::clone(transaction).enter(state.config_mut());
    SessionContext::new_with_state(state)
}

fn done(windows: u64) -> DoneWindows {
    let end = 10 * i64::try_from(windows).unwrap();
    let last = if windows == 0 {
        (0, 0)
    } else {
        (end - 10, end)
    };
    DoneWindows { windows, last }
}

#[tokio::test]
async fn statements_share_a_transaction() {
    for fixture in Fixture::each() {
        let fixture = fixture.kb().await;
        fixture
            .create("other", "(id BIGINT, note TEXT, PRIMARY KEY (id))", "")
            .await
            .unwrap();
        let database = database(&fixture, "kb").await;
        assert_eq!(
            database.name(),
            self::database(&fixture, "other").await.name()
        );
        assert_eq!(database.committed("p").unwrap(), done(0));
        let transaction = database.begin().unwrap();
        let context = inside(&fixture, &transaction);
        for (sql, expected) in [
            (
                "INSERT INTO kb SELECT value, 's', 1 FROM range(0, 20)",
                "20",
            ),
            ("SELECT count(*) FROM kb", "20"),
            ("INSERT INTO kb SELECT id + 20, solution, 2 FROM kb", "20"),
            ("UPDATE kb SET score = 3 WHERE id < 5", "5"),
            ("DELETE FROM kb WHERE id >= 35", "5"),
            (
                "INSERT INTO other SELECT id, 'n' FROM kb WHERE score = 3",
                "5",
            ),
            (
                "SELECT sum(kb.score) FROM kb JOIN other ON kb.id = other.id",
                "15.0",
            ),
            ("SELECT count(*) FROM kb a JOIN kb b ON a.id = b.id", "35"),
            (
                "SELECT count(*) FROM (SELECT * FROM kb WHERE id > 3 LIMIT 7)",
                "7",
            ),
            (
                "MERGE INTO other USING kb ON kb.id = other.id WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (kb.id, 'm')",
                "35",
            ),
            ("SELECT count(*) FROM other", "30"),
        ] {
            let rows = run(&context, sql)
                .await
                .unwrap_or_else(|error| panic!("{sql}: {error}"));
            assert_eq!(rows, [expected], "{sql}");
        }
        // A statement that fails leaves the rest of the transaction as it was.
        let failed = run(
            &context,
            "INSERT INTO kb SELECT 100 + value, 's', 1 / (value - 5) FROM range(0, 9)",
        )
        .await;
        assert!(failed.is_err());
        let failed = run(&context, "UPDATE kb SET id = 7").await;
        assert!(failed.is_err());
        assert_eq!(
            run(&context, "SELECT count(*) FROM kb").await.unwrap(),
            ["35"]
        );
        // No other connection sees any of it.
        assert_eq!(fixture.rows("SELECT count(*) FROM kb").await, ["0"]);
        transaction.commit("p", done(42)).unwrap();
        assert_eq!(fixture.rows("SELECT count(*) FROM kb").await, ["35"]);
        assert_eq!(database.committed("p").unwrap(), done(42));
        assert_eq!(database.committed("q").unwrap(), done(0));
        let over = run(&context, "SELECT count(*) FROM kb").await.unwrap_err();
        assert!(
            over.to_string().contains("The transaction is over"),
            "{over}"
        );
        assert!(transaction.commit("p", done(43)).is_err());
    }
}

/// The transaction as the tables of the file find it.
fn own(transaction: &Arc<dyn Transaction>) -> Arc<SqliteTransaction> {
    let mut config = SessionConfig::new();
    Arc::clone(transaction).enter(&mut config);
    config.get_extension().unwrap()
}

/// How many objects are in the temporary schema of the connection of a transaction.
fn n_temporary(transaction: &Arc<dyn Transaction>) -> i64 {
    let transaction = own(transaction);
    let count = |connection: &Connection| {
        let query = "SELECT count(*) FROM sqlite_temp_schema";
        Ok(connection.query_row(query, [], |row| row.get(0)).unwrap())
    };
    transaction.with(count).unwrap()
}

/// Waits: a reader whose rows are no longer wanted ends a moment later.
async fn until_nothing_is_temporary(transaction: &Arc<dyn Transaction>) {
    let started = Instant::now();
    while n_temporary(transaction) > 0 {
        assert!(started.elapsed() < Duration::from_secs(60));
        tokio::task::yield_now().await;
    }
}

/// A view, and a table WITHOUT ROWID.
async fn without_rowids(fixture: &Fixture) {
    fixture
        .sqlite()
        .execute_batch(
            "CREATE TABLE kept (a INTEGER, b TEXT, v TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID;
             CREATE VIEW seen AS SELECT a, a || b AS ab, v FROM kept ORDER BY a DESC, b",
        )
        .unwrap();
    let columns = "(a BIGINT, b TEXT, v TEXT, PRIMARY KEY (a, b))";
    fixture.create("kept", columns, "").await.unwrap();
    let columns = "(a BIGINT, ab TEXT, v TEXT)";
    fixture.create("seen", columns, "").await.unwrap();
}

/// They come in order, in many batches, as they were when the statement began.
#[tokio::test]
async fn rows_without_a_rowid_are_read_and_written_in_a_transaction() {
    for fixture in Fixture::each() {
        without_rowids(&fixture).await;
        let transaction = database(&fixture, "kept").await.begin().unwrap();
        let context = inside(&fixture, &transaction);
        let ask = async |sql: &str| {
            let rows = run(&context, sql).await;
            let rows = rows.unwrap_or_else(|error| panic!("{sql}: {error}"));
            assert_eq!(n_temporary(&transaction), 0, "{sql}");
            rows
        };
        let insert = "INSERT INTO kept SELECT value, 'x', NULL FROM range(0, 1000)";
        assert_eq!(ask(insert).await, ["1000"]);
        let ascending: Vec<String> = (0..1000).map(|a| format!("{a}|x")).collect();
        assert_eq!(ask("SELECT a, b FROM kept").await, ascending);
        let descending: Vec<String> = (0..1000).rev().map(|a| format!("{a}x|{a}")).collect();
        assert_eq!(ask("SELECT ab, a FROM seen").await, descending);
        for (sql, expected) in [
            ("INSERT INTO kept SELECT a, 'y', b FROM kept", "1000"),
            ("INSERT INTO kept SELECT a, 'z' || ab, ab FROM seen", "2000"),
            ("SELECT count(*) FROM kept", "4000"),
            (
                "SELECT count(*), sum(a) FROM kept WHERE a >= 990",
                "40|39780",
            ),
            (
                "SELECT count(*) FROM kept k JOIN seen s ON k.a = s.a AND s.ab = k.v",
                "2000",
            ),
            ("SELECT max(ab) FROM seen WHERE a = 17", "17z17y"),
        ] {
            assert_eq!(ask(sql).await, [expected], "{sql}");
        }
        transaction.commit("p", done(1)).unwrap();
        assert_eq!(fixture.rows("SELECT count(*) FROM seen").await, ["4000"]);
    }
}

#[tokio::test]
async fn nothing_temporary_stays_of_a_read_that_fails_or_is_left() {
    for fixture in Fixture::each() {
        without_rowids(&fixture).await;
        let transaction = database(&fixture, "kept").await.begin().unwrap();
        let context = inside(&fixture, &transaction);
        let insert = "INSERT INTO kept SELECT value, 'x', NULL FROM range(0, 50000)";
        run(&context, insert).await.unwrap();
        let mut rows = context
            .sql("SELECT ab FROM seen")
            .await
            .unwrap()
            .execute_stream()
            .await
            .unwrap();
        rows.next().await.unwrap().unwrap();
        assert_eq!(n_temporary(&transaction), 1);
        drop(rows);
        until_nothing_is_temporary(&transaction).await;
        own(&transaction)
            .with(|connection| {
                let spoil = "INSERT INTO kept VALUES (7000, 'y', x'ff')";
                connection.execute_batch(spoil).unwrap();
                Ok(())
            })
            .unwrap();
        let error = run(&context, "SELECT v FROM seen").await.unwrap_err();
        assert!(error.to_string().contains("does not fit"), "{error}");
        until_nothing_is_temporary(&transaction).await;
    }
}

#[tokio::test]
async fn a_dropped_transaction_is_rolled_back() {
    let fixture = Fixture::new().kb().await;
    let database = database(&fixture, "kb").await;
    database.begin().unwrap().commit("p", done(1)).unwrap();
    let transaction = database.begin().unwrap();
    let context = inside(&fixture, &transaction);
    run(&context, "INSERT INTO kb VALUES (1, 'a', 1)")
        .await
        .unwrap();
    drop((context, transaction));
    assert_eq!(fixture.rows("SELECT count(*) FROM kb").await, ["0"]);
    assert_eq!(database.committed("p").unwrap(), done(1));
    // The lock is free again.
    fixture.rows("INSERT INTO kb VALUES (1, 'a', 1)").await;
}

#[tokio::test]
async fn other_databases_and_tables_are_not_in_it() {
    let fixture = Fixture::new().kb().await;
    let other = Fixture::new().kb().await;
    let transaction = database(&other, "kb").await.begin().unwrap();
    let context = inside(&fixture, &transaction);
    run(&context, "INSERT INTO kb VALUES (1, 'a', 1)")
        .await
        .unwrap();
    assert_eq!(fixture.rows("SELECT count(*) FROM kb").await, ["1"]);
    assert!(fixture.context.udf("log_template").is_ok());
    fixture.rows("CREATE TABLE memory AS VALUES (1)").await;
    let memory = fixture.context.table_provider("memory").await.unwrap();
    assert!(TargetTable::store_of(memory.as_ref()).is_none());
}

/// `max_page_count` simulates a full disk but belongs to a connection, so the test writes on a
/// connection that has it.
#[tokio::test]
async fn a_full_disk_loses_nothing() {
    let fixture = Fixture::new().kb().await;
    fixture.rows("INSERT INTO kb VALUES (1, 'a', 1)").await;
    let database = database(&fixture, "kb").await;
    let path = Path::new(database.name());
    let file = DatabaseFile::try_new(path, Duration::from_secs(5)).unwrap();
    let full = file.begin_writing().unwrap();
    full.with(|connection| {
        let pages =
            connection.query_row("PRAGMA max_page_count = 1", [], |row| row.get::<_, i64>(0));
        pages.map(|_| ()).map_err(|error| file.error(&error))
    })
    .unwrap();
    let full: Arc<dyn Transaction> = Arc::new(full);
    let context = inside(&fixture, &full);
    let insert = "INSERT INTO kb SELECT value, repeat('x', 1000), 1 FROM range(2, 2000)";
    let error = run(&context, insert).await.unwrap_err().to_string();
    assert!(error.contains("There is no room left for"), "{error}");
    assert!(error.contains("Nothing was changed"), "{error}");
    drop((context, full));
    assert_eq!(fixture.rows("SELECT * FROM kb").await, ["1|a|1.0"]);
    fixture.rows(insert).await;
    assert_eq!(fixture.rows("SELECT count(*) FROM kb").await, ["1999"]);
}
