//! CREATE EXTERNAL TABLE: what it makes, what it finds, what it refuses.

use super::Fixture;

#[tokio::test]
async fn the_file_and_the_table_are_made() {
    let fixture = Fixture::new();
    let columns = "(template_hash BIGINT, template TEXT NOT NULL, keywords TEXT[], model BYTEA, seen TIMESTAMP, \
                   day DATE, ok BOOLEAN, score DOUBLE, n INT, \"a\"\"b\" FLOAT, UNIQUE (template), PRIMARY KEY (template_hash))";
    fixture.create("kb", columns, "").await.unwrap();
    let sql: String = fixture
        .sqlite()
        .query_row(
            "SELECT sql FROM sqlite_master WHERE name = 'kb'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    let expected = r#"CREATE TABLE "kb" (
  "template_hash" BIGINT NOT NULL,
  "template" TEXT NOT NULL,
  "keywords" "TEXT[]",
  "model" BLOB,
  "seen" TIMESTAMP,
  "day" DATE,
  "ok" BOOLEAN,
  "score" DOUBLE,
  "n" INT,
  "a""b" FLOAT4,
"#;
    assert!(sql.starts_with(expected), "{sql}");
    let describe = "SELECT column_name, data_type, is_nullable FROM information_schema.columns WHERE table_name = ";
    fixture
        .create("found", "", "OPTIONS (table 'kb')")
        .await
        .unwrap();
    let declared = fixture
        .rows(&format!("{describe} 'kb' ORDER BY ordinal_position"))
        .await;
    let found = fixture
        .rows(&format!("{describe} 'found' ORDER BY ordinal_position"))
        .await;
    assert_eq!(declared, found);
    assert_eq!(declared[0], "template_hash|Int64|NO");
    assert_eq!(declared[1], "template|Utf8View|NO");
}

#[tokio::test]
async fn what_does_not_fit_the_file_is_refused() {
    let fixture = Fixture::new().kb().await;
    fixture
        .sqlite()
        .execute_batch(
            "CREATE TABLE plain (a INTEGER, b VARCHAR(20)); CREATE TABLE untyped (a, b NUMERIC);
             CREATE VIEW v AS SELECT * FROM kb; CREATE TABLE pairs (a TEXT, b TEXT, PRIMARY KEY (b, a));",
        )
        .unwrap();
    for (name, columns, options, expected) in [
        (
            "kb",
            "(id BIGINT, mark TEXT)",
            "",
            "without a column mark: it has id BIGINT, solution TEXT, score DOUBLE",
        ),
        (
            "kb",
            "(id TEXT)",
            "",
            "a column id that is BIGINT, not TEXT: write that type",
        ),
        (
            "kb",
            "(id BIGINT)",
            "",
            "with another primary key: write PRIMARY KEY (id)",
        ),
        (
            "kb",
            "(id BIGINT, solution TEXT NOT NULL, PRIMARY KEY (id))",
            "",
            "write it without NOT NULL",
        ),
        (
            "kb",
            "(\"ID\" BIGINT, PRIMARY KEY (\"ID\"))",
            "",
            "without a column ID",
        ),
        (
            "plain",
            "(a BIGINT, PRIMARY KEY (a))",
            "",
            "without a primary key: leave PRIMARY KEY (a) out",
        ),
        (
            "untyped",
            "",
            "",
            "Column a of table untyped in the file has the type ''",
        ),
        (
            "missing",
            "",
            "",
            "There is no table missing in the file yet: declare its columns",
        ),
        (
            "t",
            "(a DECIMAL(10, 2))",
            "",
            "cannot be stored as Decimal128(10, 2): SQLite tables have TEXT",
        ),
        (
            "t",
            "(a STRUCT<b INT>)",
            "",
            "Write a column for each field, or TEXT with JSON in it",
        ),
        ("t", "(a BYTEA[])", "", "lists of all but BYTEA"),
        (
            "t",
            "(a INT)",
            "OPTIONS (tabel 'x')",
            "Unknown option 'tabel' for STORED AS SQLITE",
        ),
        (
            "t",
            "(a INT)",
            "OPTIONS (busy_timeout 'soon')",
            "must be a length of time",
        ),
        ("sqlite_t", "(a INT)", "", "are SQLite's own"),
        ("t", "(a INT, \"A\" INT)", "", "duplicate column name: A"),
        ("t", "(a INT) PARTITIONED BY (a)", "", "has no partitions"),
    ] {
        let created = fixture.create(name, columns, options).await;
        let error = created.unwrap_err().strip_backtrace();
        assert!(error.contains(expected), "{columns}: {error}");
    }
    for (name, columns) in [
        ("kb", "(score DOUBLE, id BIGINT, PRIMARY KEY (id))"),
        ("plain", "(b TEXT, a INT)"),
        ("untyped", "(a TEXT, b DOUBLE)"),
        ("pairs", "(a TEXT, b TEXT, PRIMARY KEY (a, b))"),
        ("v", ""),
    ] {
        fixture.create(name, columns, "").await.unwrap();
    }
    let error = fixture.error("INSERT INTO v VALUES (1, 'x', 1)").await;
    assert!(error.contains("v is a view in the file"), "{error}");
    assert_eq!(fixture.rows("SELECT count(*) FROM v").await, ["0"]);
}

#[tokio::test]
async fn locations() {
    let fixture = Fixture::new();
    let folder = fixture.folder.path().display().to_string();
    for (location, expected) in [
        (
            "s3://bucket/kb.db".to_string(),
            "a file on this machine, not on s3://",
        ),
        (format!("{folder}/"), "is the path of a file"),
        (folder.clone(), "is a folder"),
        (format!("{folder}/none/kb.db"), "There is no folder"),
    ] {
        let sql = format!("CREATE EXTERNAL TABLE t (a INT) STORED AS SQLITE LOCATION '{location}'");
        let error = fixture.error(&sql).await;
        assert!(error.contains(expected), "{location}: {error}");
    }
    let sql = format!(
        "CREATE UNBOUNDED EXTERNAL TABLE t (a INT) STORED AS SQLITE LOCATION '{folder}/x.db'"
    );
    let error = fixture.error(&sql).await;
    assert!(
        error.contains("cannot be UNBOUNDED: leave the word out"),
        "{error}"
    );
    assert!(!fixture.folder.path().join("x.db").exists());
    let sql = format!(
        "CREATE EXTERNAL TABLE t (a DECIMAL(1, 0)) STORED AS SQLITE LOCATION '{folder}/x.db'"
    );
    fixture.error(&sql).await;
    assert!(!fixture.folder.path().join("x.db").exists());
    std::fs::write(fixture.folder.path().join("text.db"), "this is no database, but a text that is longer than a header of a hundred bytes, which is what is looked at").unwrap();
    let sql =
        format!("CREATE EXTERNAL TABLE t (a INT) STORED AS SQLITE LOCATION '{folder}/text.db'");
    let error = fixture.error(&sql).await;
    assert!(error.contains("is not a SQLite database"), "{error}");
    let sql = format!(
        "CREATE EXTERNAL TABLE t (a INT) STORED AS SQLITE LOCATION 'file://{folder}/url.db'"
    );
    fixture.rows(&sql).await;
    assert_eq!(fixture.rows("INSERT INTO t VALUES (1)").await, ["1"]);
    assert!(fixture.error(&sql).await.contains("already exists"));
    let again = sql.replace("TABLE t", "TABLE IF NOT EXISTS t");
    fixture.rows(&again).await;
    let replaced = sql.replace("CREATE EXTERNAL", "CREATE OR REPLACE EXTERNAL");
    fixture.rows(&replaced).await;
    fixture.rows("DROP TABLE t").await;
    assert!(fixture.folder.path().join("url.db").exists());
}
