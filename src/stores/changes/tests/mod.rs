//! UPDATE, DELETE and MERGE of tables in memory and of tables of other crates, each compared with
//! what SQL requires.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::TableType;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::prelude::SessionContext;

async fn context() -> SessionContext {
    let context = crate::session().unwrap();
    for sql in [
        "CREATE TABLE m (x BIGINT, y TEXT) AS VALUES (1, 'a'), (2, 'b'), (3, NULL), (NULL, 'd')",
        "CREATE TABLE s (x BIGINT, y TEXT) AS VALUES (2, 'two'), (3, 'three'), (9, 'nine')",
    ] {
        context.sql(sql).await.unwrap().collect().await.unwrap();
    }
    context
}

/// The rows of an answer, as `1|a`.
async fn rows(context: &SessionContext, sql: &str) -> Result<Vec<String>> {
    let batches = context.sql(sql).await?.collect().await?;
    let options = datafusion::arrow::util::display::FormatOptions::default().with_null("NULL");
    let mut rows = vec![];
    for batch in &batches {
        let columns: Vec<_> = batch
            .columns()
            .iter()
            .map(|column| {
                datafusion::arrow::util::display::ArrayFormatter::try_new(column, &options).unwrap()
            })
            .collect();
        for row in 0..batch.num_rows() {
            let values: Vec<_> = columns.iter().map(|c| c.value(row).to_string()).collect();
            rows.push(values.join("|"));
        }
    }
    Ok(rows)
}

/// Runs a statement on the tables of [`context`], and checks the number that it reports and the
/// content of `m` afterwards.
async fn check(statement: &str, n_rows: &str, expected: &[&str]) {
    let context = context().await;
    let explained = rows(&context, &format!("EXPLAIN {statement}")).await;
    explained.unwrap();
    let unchanged = rows(&context, "SELECT * FROM m").await.unwrap();
    assert_eq!(
        unchanged,
        ["1|a", "2|b", "3|NULL", "NULL|d"],
        "EXPLAIN {statement}"
    );
    assert_eq!(
        rows(&context, statement).await.unwrap(),
        [n_rows],
        "{statement}"
    );
    let left = rows(&context, "SELECT * FROM m").await.unwrap();
    assert_eq!(left, expected, "{statement}");
}

#[tokio::test]
async fn deletes() {
    let all = ["1|a", "2|b", "3|NULL", "NULL|d"];
    check("DELETE FROM m WHERE false", "0", &all).await;
    check("DELETE FROM m WHERE NULL", "0", &all).await;
    check("DELETE FROM m WHERE x > 1 AND x < 1", "0", &all).await;
    check("DELETE FROM m WHERE x = NULL", "0", &all).await;
    check("DELETE FROM m", "4", &[]).await;
    check("DELETE FROM m WHERE true", "4", &[]).await;
    check("DELETE FROM m WHERE x >= 2", "2", &["1|a", "NULL|d"]).await;
    let in_s = "DELETE FROM m WHERE x IN (SELECT x FROM s)";
    check(in_s, "2", &["1|a", "NULL|d"]).await;
    let not_in_s = "DELETE FROM m WHERE x NOT IN (SELECT x FROM s)";
    check(not_in_s, "1", &["2|b", "3|NULL", "NULL|d"]).await;
    let exists = "DELETE FROM m WHERE EXISTS (SELECT 1 FROM s WHERE s.x = m.x + 7)";
    check(exists, "1", &["1|a", "3|NULL", "NULL|d"]).await;
    let own = "DELETE FROM m WHERE x = (SELECT max(x) FROM m)";
    check(own, "1", &["1|a", "2|b", "NULL|d"]).await;
    check("DELETE FROM m LIMIT 0", "0", &all).await;
    check("DELETE FROM m WHERE log_template(y) = 'a'", "1", &all[1..]).await;
}

#[tokio::test]
async fn updates() {
    let all = ["1|a", "2|b", "3|NULL", "NULL|d"];
    check("UPDATE m SET x = 7 WHERE false", "0", &all).await;
    check("UPDATE m SET x = x", "4", &all).await;
    let every = ["2|a", "3|b", "4|NULL", "NULL|d"];
    check("UPDATE m SET x = x + 1", "4", &every).await;
    let exists = "UPDATE m SET y = 'x' WHERE EXISTS (SELECT 1 FROM s WHERE s.x = m.x)";
    check(exists, "2", &["1|a", "2|x", "3|x", "NULL|d"]).await;
    let none = "UPDATE m SET y = 'x' WHERE EXISTS (SELECT 1 FROM s WHERE s.x > 99)";
    check(none, "0", &all).await;
    let scalar = "UPDATE m SET x = (SELECT max(x) FROM s), y = NULL WHERE x = 1";
    check(scalar, "1", &["9|NULL", "2|b", "3|NULL", "NULL|d"]).await;
    let divided = "UPDATE m SET x = 6 / (x - 1) WHERE x > 1";
    check(divided, "2", &["1|a", "6|b", "3|NULL", "NULL|d"]).await;
}

#[tokio::test]
async fn merges() {
    let merge = "MERGE INTO m USING s ON m.x = s.x WHEN MATCHED AND s.y = 'two' THEN DELETE \
                 WHEN MATCHED THEN UPDATE SET y = s.y WHEN NOT MATCHED THEN INSERT (x) VALUES (s.x)";
    check(merge, "3", &["1|a", "3|three", "NULL|d", "9|NULL"]).await;
}

#[tokio::test]
async fn several_partitions_and_batches_change_as_one() {
    let context = context().await;
    for _ in 0..3 {
        let insert = "INSERT INTO m SELECT value, 'n' || value FROM generate_series(10, 30000)";
        rows(&context, insert).await.unwrap();
    }
    let update = "UPDATE m SET y = 'odd' WHERE x % 2 = 1 AND x > 9";
    assert_eq!(rows(&context, update).await.unwrap(), ["44985"]);
    let delete = "DELETE FROM m WHERE x IN (SELECT value FROM generate_series(20, 30000))";
    assert_eq!(rows(&context, delete).await.unwrap(), ["89943"]);
    let left = "SELECT x, y, count(*) FROM m WHERE x > 9 GROUP BY x, y ORDER BY x LIMIT 2";
    assert_eq!(
        rows(&context, left).await.unwrap(),
        ["10|n10|3", "11|odd|3"]
    );
}

#[tokio::test]
async fn a_failing_change_changes_nothing() {
    let context = context().await;
    rows(
        &context,
        "CREATE TABLE k (x BIGINT NOT NULL) AS VALUES (1), (2)",
    )
    .await
    .unwrap();
    for (statement, said) in [
        ("UPDATE k SET x = 1 / (x - 2)", "Divide by zero"),
        ("UPDATE k SET x = NULL WHERE x = 2", "column x is NOT NULL"),
        (
            "MERGE INTO k USING (VALUES (1), (1)) AS v(x) ON k.x = v.x WHEN MATCHED THEN DELETE",
            "more than once",
        ),
    ] {
        let error = rows(&context, statement).await.unwrap_err().to_string();
        assert!(error.contains(said), "{statement}: {error}");
        assert_eq!(
            rows(&context, "SELECT * FROM k").await.unwrap(),
            ["1", "2"],
            "{statement}"
        );
    }
}

/// A table of another crate, which records the conditions that it is given.
#[derive(Debug, Default)]
struct Other(Mutex<Vec<String>>);

#[async_trait]
impl TableProvider for Other {
    fn schema(&self) -> SchemaRef {
        let x = Field::new("x", DataType::Int64, true);
        Arc::new(Schema::new(vec![x]))
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _: &dyn Session,
        _: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(EmptyExec::new(self.schema())))
    }

    async fn delete_from(&self, _: &dyn Session, f: Vec<Expr>) -> Result<Arc<dyn ExecutionPlan>> {
        let filters: Vec<_> = f.iter().map(ToString::to_string).collect();
        self.0.lock().unwrap().push(filters.join(" & "));
        Ok(Arc::new(EmptyExec::new(self.schema())))
    }

    async fn update(
        &self,
        session: &dyn Session,
        _: Vec<(String, Expr)>,
        filters: Vec<Expr>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.delete_from(session, filters).await
    }
}

#[tokio::test]
async fn tables_of_others_get_their_conditions_whole_or_not_at_all() {
    let context = context().await;
    let other = Arc::new(Other::default());
    context
        .register_table("o", Arc::clone(&other) as _)
        .unwrap();
    for (statement, expected) in [
        ("DELETE FROM o WHERE false", "Boolean(false)"),
        (
            "DELETE FROM o WHERE x > 1 AND x < 3",
            "x > Int64(1) & x < Int64(3)",
        ),
        ("DELETE FROM o", ""),
        ("UPDATE o SET x = 2 WHERE o.x = 1", "x = Int64(1)"),
        (
            "UPDATE o AS p SET x = p.x + 1 WHERE p.x = 1",
            "x = Int64(1)",
        ),
    ] {
        rows(&context, statement).await.unwrap();
        let given = other.0.lock().unwrap().pop();
        assert_eq!(given.as_deref(), Some(expected), "{statement}");
    }
    for statement in [
        "DELETE FROM o WHERE x IN (SELECT x FROM s)",
        "DELETE FROM o WHERE x > 1 OR EXISTS (SELECT 1 FROM s)",
        "UPDATE o SET x = (SELECT max(x) FROM s)",
        "DELETE FROM o LIMIT 1",
    ] {
        let error = rows(&context, statement).await.unwrap_err().to_string();
        assert!(
            error.contains("o takes UPDATE and DELETE with"),
            "{statement}: {error}"
        );
        assert_eq!(other.0.lock().unwrap().len(), 0, "{statement}");
    }
}
