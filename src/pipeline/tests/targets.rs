//! Which tables the statements of a pipeline may write: those in which a window that runs twice
//! appears once.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{MemorySchemaProvider, Session, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::{MemTable, TableType};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::dml::InsertOp;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionContext;

use crate::pipeline::pipeline_options::PipelineOptions;
use crate::pipeline::run::Pipeline;
use crate::planner::windows::tests::scripts::{OPTIONS, Script};

/// The table of an embedder, which can be written, but not so that each window appears once.
#[derive(Debug)]
struct Embedded(MemTable);

#[async_trait]
impl TableProvider for Embedded {
    fn schema(&self) -> SchemaRef {
        self.0.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.0.scan(session, projection, filters, limit).await
    }

    async fn insert_into(
        &self,
        session: &dyn Session,
        input: Arc<dyn ExecutionPlan>,
        op: InsertOp,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.0.insert_into(session, input, op).await
    }
}

/// A session with the live table `logs`, and the tables `embedded`, `kept` and `other.made` in
/// memory.
fn session() -> SessionContext {
    let context = crate::session().unwrap();
    let logs = Script::generate(1, OPTIONS.delay, false).table();
    context.register_table("logs", Arc::new(logs)).unwrap();
    let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]));
    let memory = || MemTable::try_new(Arc::clone(&schema), vec![vec![]]).unwrap();
    let catalog = context.catalog("datafusion").unwrap();
    let other = Arc::new(MemorySchemaProvider::new());
    catalog.register_schema("other", other).unwrap();
    for (name, table) in [
        ("embedded", Arc::new(Embedded(memory())) as _),
        ("kept", Arc::new(memory()) as _),
        ("other.made", Arc::new(memory()) as Arc<dyn TableProvider>),
    ] {
        context.register_table(name, table).unwrap();
    }
    context
}

/// How many windows have run with these statements.
async fn run(statements: &str) -> Result<usize> {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = folder.path().join("checkpoint");
    let statements = statements.replace("OUT", &folder.path().join("out").to_string_lossy());
    let options = PipelineOptions::new("test");
    let checkpoint = checkpoint.to_string_lossy();
    let mut pipeline = Pipeline::open(&session(), &statements, &checkpoint, options).await?;
    let mut n_windows = 0;
    while pipeline.next_window().await?.is_some() {
        n_windows += 1;
    }
    Ok(n_windows)
}

const COUNT: &str = "SELECT count(*) AS n FROM tumble(logs, ts, INTERVAL '10 seconds')";

#[tokio::test]
async fn other_targets_are_refused() {
    let made = format!("CREATE OR REPLACE TABLE made AS {COUNT}");
    for (statements, expected) in [
        (
            format!("INSERT INTO embedded {COUNT}"),
            &[
                "embedded cannot be written window by window",
                "STORED AS PARQUET (or CSV, JSON, ARROW)",
                "STORED AS SQLITE",
                "CREATE OR REPLACE TABLE t",
            ] as &[&str],
        ),
        (
            format!("{made}; INSERT INTO embedded SELECT n FROM made"),
            &["embedded cannot be written window by window"],
        ),
        (
            format!("INSERT OVERWRITE embedded {COUNT}"),
            &["embedded cannot be written window by window"],
        ),
        (
            "INSERT INTO logs SELECT ts, k, line, v FROM tumble(logs, ts, INTERVAL '10 seconds')"
                .to_string(),
            &["logs cannot be written window by window"],
        ),
        (
            format!("CREATE VIEW seen AS SELECT * FROM kept; INSERT INTO seen {COUNT}"),
            &["seen cannot be written window by window"],
        ),
        (
            format!(
                "{made}; CREATE OR REPLACE VIEW seen AS SELECT * FROM made; INSERT INTO seen {COUNT}"
            ),
            &["seen cannot be written window by window"],
        ),
        (
            format!("INSERT INTO kept {COUNT}"),
            &["kept is in memory and is gone after a restart"],
        ),
        // Two tables have the same last name; only one is created in the window.
        (
            format!("{made}; INSERT INTO other.made SELECT n FROM made"),
            &["other.made is in memory and is gone after a restart"],
        ),
        (
            format!("{made}; INSERT OVERWRITE made {COUNT}"),
            &[
                "INSERT INTO adds rows to made",
                "CREATE OR REPLACE TABLE made AS",
            ],
        ),
        (
            format!(
                "{made}; DROP TABLE IF EXISTS made; CREATE OR REPLACE VIEW made AS SELECT * FROM kept; INSERT INTO made {COUNT}"
            ),
            &["made cannot be written window by window"],
        ),
        (
            format!(
                "CREATE EXTERNAL TABLE out (n BIGINT) STORED AS PARQUET LOCATION 'OUT/'; INSERT OVERWRITE out {COUNT}"
            ),
            &["only INSERT INTO writes out window by window"],
        ),
    ] {
        let error = run(&statements).await.unwrap_err().to_string();
        for part in expected {
            assert!(error.contains(part), "{statements}: {error}");
        }
    }
}

#[tokio::test]
async fn tables_that_a_window_makes_are_written() {
    for statements in [
        format!("CREATE OR REPLACE TABLE made AS {COUNT}; INSERT INTO made SELECT n + 1 FROM made"),
        // The same with another schema, where the same name also exists elsewhere.
        format!(
            "CREATE OR REPLACE TABLE other.made AS {COUNT}; INSERT INTO datafusion.other.made SELECT 7"
        ),
        format!(
            "CREATE OR REPLACE TABLE kept AS {COUNT}; INSERT INTO public.kept SELECT n FROM other.made"
        ),
        format!(
            "CREATE EXTERNAL TABLE out (n BIGINT) STORED AS JSON LOCATION 'OUT/'; INSERT INTO out {COUNT}"
        ),
        format!(
            "CREATE OR REPLACE TABLE made AS {COUNT}; UPDATE made SET n = n + 1; \
             DELETE FROM made WHERE n IN (SELECT n FROM kept)"
        ),
    ] {
        let n_windows = run(&statements).await;
        let n_windows = n_windows.unwrap_or_else(|error| panic!("{statements}: {error}"));
        assert!(n_windows > 1, "{statements}");
    }
}
