//! INSERT: keys, transactions, locks and full disks.

use std::time::Duration;

use rusqlite::Connection;

use super::Fixture;

#[tokio::test]
async fn inserts_replace_rows_with_their_key() {
    for fixture in Fixture::each() {
        let fixture = fixture.kb().await;
        let insert =
            "INSERT INTO kb VALUES (1, 'a', 1), (2, 'b', 2), (1, 'c', 3), (3, NULL, 'NaN')";
        assert_eq!(fixture.rows(insert).await, ["4"]);
        let all = "SELECT * FROM kb";
        assert_eq!(
            fixture.rows(all).await,
            ["1|c|3.0", "2|b|2.0", "3|NULL|NULL"]
        );
        assert_eq!(
            fixture
                .rows("INSERT INTO kb (id, score) VALUES (2, 5)")
                .await,
            ["1"]
        );
        assert_eq!(
            fixture.rows(all).await,
            ["1|c|3.0", "2|NULL|5.0", "3|NULL|NULL"]
        );
        let ordered =
            "INSERT INTO kb SELECT 9, 'v' || value, value FROM range(0, 100) ORDER BY value DESC";
        assert_eq!(fixture.rows(ordered).await, ["100"]);
        assert_eq!(
            fixture.rows("SELECT solution FROM kb WHERE id = 9").await,
            ["v0"]
        );
        assert_eq!(fixture.rows("INSERT INTO kb SELECT * FROM kb").await, ["4"]);
        assert_eq!(
            fixture
                .rows("INSERT INTO kb SELECT id + 10, solution, score FROM kb")
                .await,
            ["4"]
        );
        assert_eq!(fixture.rows("SELECT count(*) FROM kb").await, ["8"]);
        assert_eq!(
            fixture
                .rows("INSERT OVERWRITE kb SELECT id, 'only', score FROM kb WHERE id > 11")
                .await,
            ["3"]
        );
        assert_eq!(
            fixture.rows("SELECT id, solution FROM kb").await,
            ["12|only", "13|only", "19|only"]
        );
        fixture.rows("TRUNCATE TABLE kb").await;
        assert_eq!(fixture.rows(all).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn without_a_key_rows_are_added() {
    for fixture in Fixture::each() {
        fixture
            .create("t", "(a INT, b TEXT DEFAULT 'new')", "")
            .await
            .unwrap();
        assert_eq!(
            fixture
                .rows("INSERT INTO t VALUES (1, 'x'), (1, 'x')")
                .await,
            ["2"]
        );
        assert_eq!(fixture.rows("INSERT INTO t (a) VALUES (2)").await, ["1"]);
        assert_eq!(fixture.rows("INSERT INTO t SELECT * FROM t").await, ["3"]);
        assert_eq!(
            fixture
                .rows("SELECT a, b, count(*) FROM t GROUP BY 1, 2 ORDER BY 1")
                .await,
            ["1|x|4", "2|new|2"]
        );
    }
}

#[tokio::test]
async fn a_table_is_inserted_into_itself() {
    let fixture = Fixture::new().kb().await;
    let insert = "INSERT INTO kb SELECT value, 's' || value, value + 0.0 FROM range(0, 100000)";
    assert_eq!(fixture.rows(insert).await, ["100000"]);
    assert_eq!(
        fixture
            .rows("INSERT INTO kb SELECT id, solution, score + 1 FROM kb")
            .await,
        ["100000"]
    );
    assert_eq!(
        fixture
            .rows("INSERT INTO kb SELECT id + 100000, solution, 0 FROM kb")
            .await,
        ["100000"]
    );
    assert_eq!(
        fixture
            .rows("SELECT count(*), sum(score), max(id) FROM kb")
            .await,
        ["200000|5000050000.0|199999"]
    );
}

#[tokio::test]
async fn a_failed_insert_changes_nothing() {
    for fixture in Fixture::each() {
        let columns = "(id INT, name TEXT NOT NULL, u INT, UNIQUE (u), PRIMARY KEY (id))";
        fixture.create("t", columns, "").await.unwrap();
        fixture.rows("INSERT INTO t VALUES (1, 'a', 1)").await;
        for (insert, expected) in [
            (
                "INSERT INTO t SELECT value, 'x', value + 10 / (8 - value) FROM range(2, 10)",
                "Divide by zero",
            ),
            (
                "INSERT INTO t VALUES (2, 'b', 2), (3, 'c', 1)",
                "UNIQUE constraint failed: t.u",
            ),
            ("INSERT INTO t SELECT 4, nullif('x', 'x'), 4", "name"),
            ("INSERT INTO t SELECT nullif(1, 1), 'x', 4", "id"),
            (
                "INSERT OVERWRITE t VALUES (2, 'b', 2), (3, 'c', 2)",
                "Nothing was changed",
            ),
        ] {
            let error = fixture.error(insert).await;
            assert!(error.contains(expected), "{insert}: {error}");
            assert_eq!(fixture.rows("SELECT * FROM t").await, ["1|a|1"], "{insert}");
        }
    }
}

#[tokio::test]
async fn names_of_all_kinds() {
    for fixture in Fixture::each() {
        let columns = r#"("select" BIGINT, "a""b" TEXT, "中文" TEXT, "x?" TEXT, "rowid" TEXT, PRIMARY KEY ("select"))"#;
        fixture
            .create(
                r#""order""#,
                columns,
                r#"OPTIONS (table 'it''s "a" table')"#,
            )
            .await
            .unwrap();
        let insert =
            r#"INSERT INTO "order" VALUES (1, 'a?', '知识', '?', 'r'), (2, '', ' ', '', NULL)"#;
        assert_eq!(fixture.rows(insert).await, ["2"]);
        assert_eq!(
            fixture.rows(r#"SELECT * FROM "order" WHERE "a""b" = 'a?' AND "x?" = '?' AND "中文" = '知识'"#).await,
            ["1|a?|知识|?|r"]
        );
        assert_eq!(
            fixture
                .rows(r#"UPDATE "order" SET "中文" = "a""b" || '!' WHERE "select" IN (2)"#)
                .await,
            ["1"]
        );
        assert_eq!(
            fixture
                .rows(r#"SELECT "中文" FROM "order" WHERE "select" = 2"#)
                .await,
            ["!"]
        );
    }
}

fn lock(fixture: &Fixture) -> Connection {
    let connection = fixture.sqlite();
    connection
        .execute_batch("BEGIN IMMEDIATE; DELETE FROM kb")
        .unwrap();
    connection
}

#[tokio::test]
async fn a_lock_of_another_program_is_waited_for() {
    let fixture = Fixture::new();
    let columns = "(id BIGINT, solution TEXT, score DOUBLE, PRIMARY KEY (id))";
    fixture
        .create("kb", columns, "OPTIONS (busy_timeout '50ms')")
        .await
        .unwrap();
    fixture
        .create(
            "patient",
            columns,
            "OPTIONS (table 'kb', busy_timeout '1 minute')",
        )
        .await
        .unwrap();
    fixture.rows("INSERT INTO kb VALUES (1, 'a', 1)").await;
    let other = lock(&fixture);
    // Readers do not wait.
    assert_eq!(fixture.rows("SELECT count(*) FROM kb").await, ["1"]);
    for statement in [
        "INSERT INTO kb VALUES (2, 'b', 2)",
        "UPDATE kb SET score = 3",
        "DELETE FROM kb",
    ] {
        let error = fixture.error(statement).await;
        assert!(
            error.contains(
                "is locked: another program or statement has been writing to it for more than 50 ms"
            ),
            "{error}"
        );
    }
    let context = fixture.context.clone();
    let waiting = tokio::spawn(async move {
        super::run(&context, "INSERT INTO patient VALUES (2, 'b', 2)").await
    });
    tokio::time::timeout(Duration::from_millis(100), std::future::pending::<()>())
        .await
        .unwrap_err();
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(waiting.await.unwrap().unwrap(), ["1"]);
    assert_eq!(fixture.rows("SELECT id FROM kb").await, ["1", "2"]);
    // What other programs write is visible.
    fixture
        .sqlite()
        .execute_batch("UPDATE kb SET solution = 'by hand' WHERE id = 1")
        .unwrap();
    assert_eq!(
        fixture.rows("SELECT solution FROM kb WHERE id = 1").await,
        ["by hand"]
    );
}

#[tokio::test]
async fn read_only_files() {
    let fixture = Fixture::new().kb().await;
    fixture.rows("INSERT INTO kb VALUES (1, 'a', 1)").await;
    let sqlite = fixture.sqlite();
    sqlite
        .execute_batch(
            "CREATE TRIGGER t BEFORE INSERT ON kb BEGIN SELECT RAISE(ABORT, 'no more rows'); END",
        )
        .unwrap();
    let error = fixture.error("INSERT INTO kb VALUES (2, 'b', 2)").await;
    assert!(error.contains("no more rows, in "), "{error}");
    assert_eq!(fixture.rows("SELECT id FROM kb").await, ["1"]);
}
