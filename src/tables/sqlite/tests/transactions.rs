//! The transactions of pipelines, and a disk that is full.

use std::sync::Arc;

use datafusion::execution::FunctionRegistry;
use datafusion::prelude::SessionContext;

use super::{Fixture, run};
use crate::tables::database::{
    CurrentTransaction, Database, DoneWindows, Transaction, database_of,
};

async fn database(fixture: &Fixture, table: &str) -> Arc<dyn Database> {
    let provider = fixture.context.table_provider(table).await.unwrap();
    database_of(provider.as_ref()).unwrap()
}

/// The same session with a transaction in its configuration.
fn inside(fixture: &Fixture, transaction: &Arc<dyn Transaction>) -> SessionContext {
    let mut state = fixture.context.state();
    let current = Arc::new(CurrentTransaction(Arc::clone(transaction)));
    state.config_mut().set_extension(current);
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
        // Nobody else sees any of it.
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
    // And the lock is free.
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
    assert!(database_of(memory.as_ref()).is_none());
}

/// `max_page_count` is what a full disk looks like, but belongs to a connection: so the test writes on one that has it.
#[tokio::test]
async fn a_full_disk_loses_nothing() {
    let fixture = Fixture::new().kb().await;
    fixture.rows("INSERT INTO kb VALUES (1, 'a', 1)").await;
    let provider = fixture.context.table_provider("kb").await.unwrap();
    let table = provider
        .downcast_ref::<crate::tables::sqlite::table::SqliteTable>()
        .unwrap();
    let full = table.stored.file.begin_writing().unwrap();
    full.with(|connection| {
        let pages =
            connection.query_row("PRAGMA max_page_count = 1", [], |row| row.get::<_, i64>(0));
        pages
            .map(|_| ())
            .map_err(|error| table.stored.file.error(&error))
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
