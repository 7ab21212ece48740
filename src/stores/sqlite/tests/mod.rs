//! Tests of SQLite tables through SQL.

mod changes;
mod create;
mod reading;
mod round_trip;
mod transactions;
mod writing;

use std::path::PathBuf;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::error::Result;
use datafusion::prelude::{SessionConfig, SessionContext};
use rusqlite::Connection;
use tempfile::TempDir;

/// A session with a folder for its databases.
struct Fixture {
    folder: TempDir,
    context: SessionContext,
}

impl Fixture {
    fn new() -> Self {
        Self::with(SessionConfig::new())
    }

    fn with(config: SessionConfig) -> Self {
        let config = config.with_information_schema(true);
        let context = SessionContext::new_with_config(config);
        crate::install(&context).unwrap();
        Self {
            folder: tempfile::tempdir().unwrap(),
            context,
        }
    }

    /// One fixture with small batches and several partitions, and one with the usual settings.
    fn each() -> [Self; 2] {
        let small = SessionConfig::new()
            .with_batch_size(3)
            .with_target_partitions(4);
        let usual = SessionConfig::new().with_target_partitions(1);
        [Self::with(small), Self::with(usual)]
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("kb.db")
    }

    /// The file as other programs see it.
    fn sqlite(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }

    /// CREATE EXTERNAL TABLE with these columns and options.
    async fn create(&self, name: &str, columns: &str, options: &str) -> Result<()> {
        let path = self.path();
        let path = path.display();
        let sql = format!(
            "CREATE OR REPLACE EXTERNAL TABLE {name} {columns} STORED AS SQLITE LOCATION '{path}' {options}"
        );
        run(&self.context, &sql).await.map(|_| ())
    }

    async fn kb(self) -> Self {
        let columns = "(id BIGINT, solution TEXT, score DOUBLE, PRIMARY KEY (id))";
        self.create("kb", columns, "").await.unwrap();
        self
    }

    async fn rows(&self, sql: &str) -> Vec<String> {
        let rows = run(&self.context, sql).await;
        rows.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    async fn error(&self, sql: &str) -> String {
        match run(&self.context, sql).await {
            Ok(rows) => panic!("{sql}: {rows:?}"),
            Err(error) => error.strip_backtrace(),
        }
    }
}

/// The rows of a statement, columns separated by a bar.
async fn run(context: &SessionContext, sql: &str) -> Result<Vec<String>> {
    let batches = context.sql(sql).await?.collect().await?;
    Ok(batches.iter().flat_map(shown).collect())
}

fn shown(batch: &RecordBatch) -> Vec<String> {
    let options = FormatOptions::default().with_null("NULL");
    let columns: Vec<_> = batch
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
        .collect();
    let row = |row| {
        let cells = columns.iter().map(|column| column.value(row).to_string());
        cells.collect::<Vec<_>>().join("|")
    };
    (0..batch.num_rows()).map(row).collect()
}
