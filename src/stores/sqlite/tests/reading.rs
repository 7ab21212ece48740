//! SELECT: what SQLite filters, what its files contain, and what does not fit.

use super::Fixture;

#[tokio::test]
async fn filters_are_pushed_where_they_mean_the_same() {
    for fixture in Fixture::each() {
        let columns = "(id BIGINT, name TEXT, score DOUBLE, ok BOOLEAN, day DATE, ts TIMESTAMP, f FLOAT, b BYTEA, tags TEXT[])";
        fixture.create("t", columns, "").await.unwrap();
        let insert = "INSERT INTO t VALUES
            (1, 'a', 0.5, true, '2026-01-01', '2026-01-01 00:00:00', 1.5, X'00', ['x']),
            (2, 'B', -0.0, false, '2026-01-02', '2026-01-01 00:00:00.120', -0.0, X'01', []),
            (3, 'b''s', 0.0, NULL, '2026-01-03', '2026-01-01 00:00:00.123456789', 0.0, NULL, NULL),
            (4, NULL, NULL, true, NULL, NULL, NULL, X'', [NULL]),
            (9223372036854775807, '中', 'inf', false, '1969-12-31', '1969-12-31 23:59:59.999999999', 2.5, X'FF', ['x'])";
        assert_eq!(fixture.rows(insert).await, ["5"]);
        // The same rows in memory give the right answer.
        fixture.rows("CREATE TABLE m AS SELECT * FROM t").await;
        for (filter, pushed) in [
            ("id = 3", Some(r#""id" = 3"#)),
            ("id > 2 AND id <= 4", Some(r#""id" > 2 AND "id" <= 4"#)),
            ("3 > id", Some(r#""id" < 3"#)),
            ("id IN (1, 3, 7, 8, 9)", Some(r#""id" IN (1, 3, 7, 8, 9)"#)),
            (
                "id NOT IN (1, 3, 7, 8, 9)",
                Some(r#""id" NOT IN (1, 3, 7, 8, 9)"#),
            ),
            (
                "id = 9223372036854775807",
                Some(r#""id" = 9223372036854775807"#),
            ),
            ("name = 'b''s'", Some(r#""name" = 'b''s'"#)),
            ("name >= 'a'", Some(r#""name" >= 'a'"#)),
            (
                "name <> 'a' OR id = 1",
                Some(r#"("name" <> 'a' OR "id" = 1)"#),
            ),
            ("name IS NULL", Some(r#""name" IS NULL"#)),
            ("name IS NOT NULL", Some(r#""name" IS NOT NULL"#)),
            ("name IS DISTINCT FROM 'a'", Some(r#""name" IS NOT 'a'"#)),
            ("name LIKE 'b%'", None),
            ("lower(name) = 'b'", None),
            ("ok", Some(r#""ok""#)),
            ("NOT ok", Some("NOT")),
            ("score > 0.1", Some(r#""score" > 0.1"#)),
            ("score = 0.0", None),
            ("score < 0.0", None),
            ("score = 'NaN'::DOUBLE", None),
            ("f > 1.0", None),
            ("day >= '2026-01-02'", Some(r#""day" >= '2026-01-02'"#)),
            ("b = X'01'", Some(r#""b" = X'01'"#)),
            ("tags = ['x']", None),
            ("tags IS NULL", Some(r#""tags" IS NULL"#)),
            (
                "ts = '2026-01-01 00:00:00.12'",
                Some(r#"("ts" >= '2026-01-01 00:00:00' AND "ts" < '2026-01-01 00:00:01')"#),
            ),
            (
                "ts > '2026-01-01 00:00:00'",
                Some(r#"("ts" >= '2026-01-01 00:00:00')"#),
            ),
            (
                "ts <= '1970-01-01 00:00:00'",
                Some(r#"("ts" < '1970-01-01 00:00:01')"#),
            ),
            ("NOT ts = '2026-01-01 00:00:00.12'", None),
        ] {
            let query = format!("SELECT * FROM t WHERE {filter}");
            let mut expected = fixture.rows(&query.replace("FROM t", "FROM m")).await;
            expected.sort();
            let mut found = fixture.rows(&query).await;
            found.sort();
            assert_eq!(found, expected, "{filter}");
            let count = format!("SELECT count(*) FROM t WHERE {filter}");
            assert_eq!(
                fixture.rows(&count).await,
                [expected.len().to_string()],
                "{filter}"
            );
            let plan = fixture
                .rows(&format!("EXPLAIN FORMAT INDENT {query}"))
                .await
                .join("\n");
            let sql = plan.split("SqliteScanExec: ").nth(1).unwrap();
            match pushed {
                Some(pushed) => assert!(sql.contains(pushed), "{filter}: {sql}"),
                None => assert!(!sql.contains("WHERE"), "{filter}: {sql}"),
            }
        }
    }
}

#[tokio::test]
async fn limits_projections_and_counts() {
    for fixture in Fixture::each() {
        let fixture = fixture.kb().await;
        fixture
            .rows("INSERT INTO kb SELECT value, 's' || value, value / 2.0 FROM range(10, 0, -1)")
            .await;
        assert_eq!(fixture.rows("SELECT count(*) FROM kb").await, ["10"]);
        assert_eq!(
            fixture
                .rows("SELECT count(*) FROM (SELECT 1 FROM kb LIMIT 4)")
                .await,
            ["4"]
        );
        assert_eq!(
            fixture.rows("SELECT 7 FROM kb WHERE id > 8").await,
            ["7", "7"]
        );
        // Rows come in the order in which they were added.
        assert_eq!(fixture.rows("SELECT id FROM kb LIMIT 2").await, ["10", "9"]);
        assert_eq!(
            fixture
                .rows("SELECT score, id FROM kb WHERE id < 4 LIMIT 1")
                .await,
            ["1.5|3"]
        );
        assert_eq!(fixture.rows("SELECT id FROM kb OFFSET 8").await, ["2", "1"]);
        assert_eq!(
            fixture
                .rows("SELECT id FROM kb WHERE solution LIKE 's1%' LIMIT 1")
                .await,
            ["10"]
        );
        let plan = fixture
            .rows("EXPLAIN FORMAT INDENT SELECT id FROM kb WHERE id < 4 LIMIT 1")
            .await
            .join("");
        assert!(
            plan.contains(r#"SELECT "id", rowid FROM "kb" WHERE "id" < 4 ORDER BY rowid LIMIT 1"#),
            "{plan}"
        );
        assert_eq!(
            fixture
                .rows("SELECT a.id FROM kb a JOIN kb b ON a.id = b.id + 8 ORDER BY 1")
                .await,
            ["9", "10"]
        );
    }
}

#[tokio::test]
async fn joins_look_up_their_keys() {
    for fixture in Fixture::each() {
        let fixture = fixture.kb().await;
        fixture
            .rows("INSERT INTO kb SELECT value, 's', 1 FROM range(0, 2000)")
            .await;
        fixture
            .rows("CREATE TABLE small AS SELECT * FROM (VALUES (5), (1999), (5000)) AS s(k)")
            .await;
        let join = "SELECT kb.id FROM small JOIN kb ON kb.id = small.k";
        assert_eq!(
            fixture.rows(&format!("{join} ORDER BY 1")).await,
            ["5", "1999"]
        );
        let plan = fixture
            .rows(&format!("EXPLAIN ANALYZE {join}"))
            .await
            .join("\n");
        assert!(plan.contains(r#""id" IN ("#), "{plan}");
    }
}

#[tokio::test]
async fn what_does_not_fit_is_named() {
    let fixture = Fixture::new();
    let sqlite = fixture.sqlite();
    sqlite
        .execute_batch("CREATE TABLE t (k TEXT PRIMARY KEY, v); CREATE TABLE n (v)")
        .unwrap();
    for (data_type, value, expected) in [
        (
            "BIGINT",
            "'abc'",
            "with k = 'it''s': the text 'abc' is no BIGINT",
        ),
        ("BIGINT", "1.5", "the number 1.5 is no BIGINT"),
        ("INT", "2147483648", "the number 2147483648 is no INT"),
        (
            "BIGINT UNSIGNED",
            "-1",
            "the number -1 is no BIGINT UNSIGNED",
        ),
        ("DOUBLE", "'1.5'", "the text '1.5' is no DOUBLE"),
        ("DOUBLE", "9223372036854775807", "is no DOUBLE"),
        ("TEXT", "1", "the number 1 is no TEXT"),
        ("TEXT", "CAST(X'FF' AS TEXT)", "the text is not UTF-8"),
        (
            "BOOLEAN",
            "2",
            "the number 2 is no BOOLEAN: it is stored as 0 or 1",
        ),
        (
            "TIMESTAMP",
            "'2026-01-01T00:00:00Z'",
            "stored in UTC in the form '2026-03-02 06:10:00.123456789'",
        ),
        ("TIMESTAMP", "1767225600", "is no TIMESTAMP"),
        (
            "TIMESTAMP(0)",
            "'2026-01-01 00:00:00.5'",
            "is no TIMESTAMP(0)",
        ),
        (
            "DATE",
            "'01.01.2026'",
            "is no DATE: dates are stored in the form '2026-03-02'",
        ),
        ("BYTEA", "'x'", "the text 'x' is no BLOB"),
        ("TEXT[]", "'x'", "the text 'x' is no JSON list"),
        ("TEXT[]", "'[1]'", "the element \"1\" is no TEXT"),
        ("BIGINT[]", "'[1.5]'", "the element \"1.5\" is no BIGINT"),
    ] {
        sqlite
            .execute_batch(&format!(
                "DELETE FROM t; INSERT INTO t VALUES ('ok', NULL), ('it''s', {value})"
            ))
            .unwrap();
        let columns = format!("(k TEXT, v {data_type}, PRIMARY KEY (k))");
        fixture.create("t", &columns, "").await.unwrap();
        assert_eq!(fixture.rows("SELECT k FROM t").await, ["ok", "it's"]);
        let error = fixture.error("SELECT v FROM t").await;
        assert!(
            error.contains("Column v of table t has a value that does not fit in the row"),
            "{error}"
        );
        assert!(error.contains(expected), "{data_type} {value}: {error}");
    }
    sqlite.execute_batch("INSERT INTO n VALUES ('x')").unwrap();
    fixture.create("n", "(v INT)", "").await.unwrap();
    let error = fixture.error("SELECT v FROM n").await;
    assert!(error.contains("in the row with rowid 1"), "{error}");
}

#[tokio::test]
async fn tables_that_people_made() {
    for fixture in Fixture::each() {
        let sqlite = fixture.sqlite();
        sqlite
            .execute_batch(
                "CREATE TABLE notes (rowid TEXT, id INTEGER PRIMARY KEY, at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
                                     name TEXT COLLATE NOCASE);
                 INSERT INTO notes (rowid, name) VALUES ('x', 'Ab'), ('y', 'ab');
                 INSERT INTO notes (at, name) VALUES ('2026-01-01 00:00:00.50', 'c');
                 CREATE TABLE w (b TEXT, a INT, v DOUBLE, PRIMARY KEY (a, b)) WITHOUT ROWID;
                 INSERT INTO w VALUES ('x', 2, 1), ('y', 1, 2), ('x', 1, 3)",
            )
            .unwrap();
        fixture.create("notes", "", "").await.unwrap();
        fixture.create("w", "", "").await.unwrap();
        assert_eq!(
            fixture
                .rows("SELECT rowid, id FROM notes WHERE name = 'ab'")
                .await,
            ["y|2"]
        );
        assert_eq!(
            fixture
                .rows("SELECT id FROM notes WHERE at = TIMESTAMP '2026-01-01 00:00:00.5'")
                .await,
            ["3"]
        );
        assert_eq!(
            fixture.rows("DELETE FROM notes WHERE name = 'Ab'").await,
            ["1"]
        );
        assert_eq!(fixture.rows("SELECT id FROM notes").await, ["2", "3"]);
        assert_eq!(
            fixture.rows("SELECT a, b, v FROM w").await,
            ["1|x|3.0", "1|y|2.0", "2|x|1.0"]
        );
        assert_eq!(
            fixture
                .rows("INSERT INTO w VALUES ('x', 1, 9), ('z', 3, 9)")
                .await,
            ["2"]
        );
        assert_eq!(
            fixture.rows("SELECT sum(v), count(*) FROM w").await,
            ["21.0|4"]
        );
        let error = fixture.error("DELETE FROM w WHERE a = 1").await;
        assert!(error.contains("WITHOUT ROWID in the file"), "{error}");
    }
}
