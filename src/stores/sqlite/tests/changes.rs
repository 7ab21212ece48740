//! UPDATE, DELETE and MERGE.

use super::Fixture;

async fn filled(fixture: Fixture) -> Fixture {
    let fixture = fixture.kb().await;
    let insert = "INSERT INTO kb VALUES (1, 'a', 1), (2, 'b', 2), (3, 'c', 3), (4, NULL, NULL)";
    fixture.rows(insert).await;
    fixture
}

const ALL: &str = "SELECT * FROM kb ORDER BY id";

#[tokio::test]
async fn updates() {
    for fixture in Fixture::each() {
        let fixture = filled(fixture).await;
        for (statement, n_rows, expected) in [
            (
                "UPDATE kb SET solution = 'x' WHERE id = 2",
                "1",
                ["1|a|1.0", "2|x|2.0", "3|c|3.0", "4|NULL|NULL"],
            ),
            (
                "UPDATE kb SET score = score * 2, solution = upper(solution) WHERE id < 3",
                "2",
                ["1|A|2.0", "2|X|4.0", "3|c|3.0", "4|NULL|NULL"],
            ),
            (
                "UPDATE kb AS k SET score = k.id",
                "4",
                ["1|A|1.0", "2|X|2.0", "3|c|3.0", "4|NULL|4.0"],
            ),
            (
                "UPDATE kb SET score = 9 WHERE 1 = 2",
                "0",
                ["1|A|1.0", "2|X|2.0", "3|c|3.0", "4|NULL|4.0"],
            ),
            (
                "UPDATE kb SET score = 9 WHERE solution = NULL",
                "0",
                ["1|A|1.0", "2|X|2.0", "3|c|3.0", "4|NULL|4.0"],
            ),
            (
                "UPDATE kb SET score = 7 WHERE id IN (SELECT id + 1 FROM kb WHERE solution = 'X')",
                "1",
                ["1|A|1.0", "2|X|2.0", "3|c|7.0", "4|NULL|4.0"],
            ),
            (
                "UPDATE kb SET score = (SELECT max(score) FROM kb) WHERE id = 4",
                "1",
                ["1|A|1.0", "2|X|2.0", "3|c|7.0", "4|NULL|7.0"],
            ),
            (
                "UPDATE kb SET solution = NULL, score = NULL WHERE log_template(solution) = 'A'",
                "1",
                ["1|NULL|NULL", "2|X|2.0", "3|c|7.0", "4|NULL|7.0"],
            ),
            (
                "UPDATE kb SET id = id + 10 WHERE id = 4",
                "1",
                ["1|NULL|NULL", "2|X|2.0", "3|c|7.0", "14|NULL|7.0"],
            ),
        ] {
            assert_eq!(fixture.rows(statement).await, [n_rows], "{statement}");
            assert_eq!(fixture.rows(ALL).await, expected, "{statement}");
        }
        let error = fixture.error("UPDATE kb SET id = 7 WHERE id > 1").await;
        assert!(error.contains("UNIQUE constraint failed: kb.id"), "{error}");
        let error = fixture.error("UPDATE kb SET score = 1 / (id - 3)").await;
        assert!(error.contains("Divide by zero"), "{error}");
        assert_eq!(
            fixture
                .rows("SELECT id, score FROM kb WHERE id > 1 ORDER BY 1")
                .await,
            ["2|2.0", "3|7.0", "14|7.0"]
        );
    }
}

#[tokio::test]
async fn a_function_finds_the_row() {
    let fixture = Fixture::new();
    fixture
        .create(
            "kb",
            "(template_hash BIGINT, solution TEXT, PRIMARY KEY (template_hash))",
            "",
        )
        .await
        .unwrap();
    let hash = "template_hash(log_template('disk sda1 is 91% full'))";
    fixture
        .rows(&format!("INSERT INTO kb SELECT {hash}, 'none'"))
        .await;
    fixture.rows("INSERT INTO kb VALUES (1, 'other')").await;
    let update = format!("UPDATE kb SET solution = 'clean up' WHERE template_hash = {hash}");
    assert_eq!(fixture.rows(&update).await, ["1"]);
    assert_eq!(
        fixture.rows("SELECT solution FROM kb ORDER BY 1").await,
        ["clean up", "other"]
    );
}

#[tokio::test]
async fn deletes() {
    for fixture in Fixture::each() {
        let fixture = filled(fixture).await;
        for (statement, n_rows, left) in [
            ("DELETE FROM kb WHERE 1 = 2", "0", vec!["1", "2", "3", "4"]),
            (
                "DELETE FROM kb WHERE id IN (SELECT id FROM kb WHERE 1 = 2)",
                "0",
                vec!["1", "2", "3", "4"],
            ),
            (
                "DELETE FROM kb WHERE NOT EXISTS (SELECT 1 FROM kb b WHERE b.id = kb.id + 1)",
                "1",
                vec!["1", "2", "3"],
            ),
            (
                "DELETE FROM kb WHERE id = (SELECT max(id) FROM kb)",
                "1",
                vec!["1", "2"],
            ),
            ("DELETE FROM kb WHERE upper(solution) = 'A'", "1", vec!["2"]),
            ("DELETE FROM kb", "1", vec![]),
        ] {
            assert_eq!(fixture.rows(statement).await, [n_rows], "{statement}");
            assert_eq!(
                fixture.rows("SELECT id FROM kb ORDER BY id").await,
                left,
                "{statement}"
            );
        }
    }
}

#[tokio::test]
async fn merges() {
    for fixture in Fixture::each() {
        let fixture = filled(fixture).await;
        let merge = "MERGE INTO kb USING (SELECT * FROM (VALUES (2, 'new b'), (9, 'nine')) AS v(id, solution)) AS s
                     ON kb.id = s.id WHEN MATCHED THEN UPDATE SET solution = s.solution
                     WHEN NOT MATCHED THEN INSERT (id, solution) VALUES (s.id, s.solution)";
        assert_eq!(fixture.rows(merge).await, ["2"]);
        assert_eq!(
            fixture.rows(ALL).await,
            [
                "1|a|1.0",
                "2|new b|2.0",
                "3|c|3.0",
                "4|NULL|NULL",
                "9|nine|NULL"
            ]
        );
        let merge = "MERGE INTO kb AS t USING (SELECT id, score FROM kb WHERE id <= 3) AS s ON t.id = s.id + 1
                     WHEN MATCHED AND t.solution IS NULL THEN DELETE
                     WHEN MATCHED AND s.score > 1 THEN UPDATE SET score = s.score + t.score, solution = upper(t.solution)
                     WHEN NOT MATCHED BY SOURCE AND t.id > 5 THEN UPDATE SET score = -1";
        assert_eq!(fixture.rows(merge).await, ["3"]);
        assert_eq!(
            fixture.rows(ALL).await,
            ["1|a|1.0", "2|new b|2.0", "3|C|5.0", "9|nine|-1.0"]
        );
        let twice =
            "MERGE INTO kb USING (SELECT 1 AS id, value FROM range(0, 5)) AS s ON kb.id = s.id
                     WHEN MATCHED THEN UPDATE SET score = s.value";
        let error = fixture.error(twice).await;
        assert!(
            error.contains("more than once: several rows of the source match it"),
            "{error}"
        );
        let taken = "MERGE INTO kb USING (SELECT 5 AS id UNION ALL SELECT 5) AS s ON kb.id = s.id
                     WHEN NOT MATCHED THEN INSERT (id) VALUES (s.id)";
        let error = fixture.error(taken).await;
        assert!(error.contains("UNIQUE constraint failed: kb.id"), "{error}");
        let wrong = "MERGE INTO kb USING (SELECT 5 AS id) AS s ON kb.id = s.id WHEN NOT MATCHED THEN DELETE";
        let error = fixture.error(wrong).await;
        assert!(error.contains("not allowed in a NOT MATCHED"), "{error}");
        assert_eq!(
            fixture.rows(ALL).await,
            ["1|a|1.0", "2|new b|2.0", "3|C|5.0", "9|nine|-1.0"]
        );
        let all = "MERGE INTO kb USING kb AS s ON kb.id = s.id + 100
                   WHEN NOT MATCHED THEN INSERT VALUES (s.id + 100, s.solution, 0)
                   WHEN NOT MATCHED BY SOURCE THEN DELETE";
        assert_eq!(fixture.rows(all).await, ["8"]);
        assert_eq!(
            fixture.rows("SELECT id FROM kb ORDER BY 1").await,
            ["101", "102", "103", "109"]
        );
    }
}

#[tokio::test]
async fn plans_are_shown() {
    let fixture = filled(Fixture::new()).await;
    let plan = fixture
        .rows("EXPLAIN FORMAT INDENT UPDATE kb SET score = 1 WHERE id = 2")
        .await
        .join("\n");
    assert!(
        plan.contains(r#"SqliteWriteExec: UPDATE "kb" SET "score" = ? WHERE rowid = ?"#),
        "{plan}"
    );
    assert!(plan.contains(r#"WHERE "id" = 2"#), "{plan}");
    let plan = fixture
        .rows("EXPLAIN FORMAT INDENT INSERT INTO kb VALUES (1, 'a', 1)")
        .await
        .join("\n");
    assert!(
        plan.contains(r#"ON CONFLICT ("id") DO UPDATE SET "solution" = excluded."solution""#),
        "{plan}"
    );
}
