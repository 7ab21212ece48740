//! Runs every file of `tests/slt`, each in new sessions. With `UPDATE_SLT=log_mine` in the
//! environment it writes what the queries of `log_mine.slt` return into the file instead: read the
//! difference before you commit it.

use std::ffi::OsStr;
use std::path::PathBuf;

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use sqllogictest::{
    AsyncDB, DBOutput, DefaultColumnType, Runner, default_column_validator, default_normalizer,
    default_validator,
};

/// One session.
struct Database(SessionContext);

#[async_trait]
impl AsyncDB for Database {
    type Error = DataFusionError;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, DataFusionError> {
        let frame = self.0.sql(sql).await?;
        let types: Vec<_> = frame
            .schema()
            .fields()
            .iter()
            .map(|field| column_type(field.data_type()))
            .collect();
        let batches = frame.collect().await?;
        if types.is_empty() {
            return Ok(DBOutput::StatementComplete(0));
        }
        let rows = batches
            .iter()
            .map(rows)
            .collect::<Result<Vec<_>, _>>()?
            .concat();
        Ok(DBOutput::Rows { types, rows })
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &str {
        "datafusion-aiops"
    }
}

fn column_type(data_type: &DataType) -> DefaultColumnType {
    match data_type {
        data_type if data_type.is_integer() => DefaultColumnType::Integer,
        data_type if data_type.is_floating() => DefaultColumnType::FloatingPoint,
        data_type if data_type.is_string() => DefaultColumnType::Text,
        _ => DefaultColumnType::Any,
    }
}

fn rows(batch: &RecordBatch) -> Result<Vec<Vec<String>>, DataFusionError> {
    let options = FormatOptions::default().with_null("NULL");
    let columns = batch
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column, &options))
        .collect::<Result<Vec<_>, _>>()?;
    let cell = |text: String| {
        if text.is_empty() {
            "(empty)".to_string()
        } else {
            text
        }
    };
    Ok((0..batch.num_rows())
        .map(|row| {
            columns
                .iter()
                .map(|column| cell(column.value(row).to_string()))
                .collect()
        })
        .collect())
}

#[tokio::test]
async fn files() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/slt");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty());
    if let Some(name) = std::env::var_os("UPDATE_SLT") {
        return update(&files, &name).await;
    }
    for file in files {
        let mut runner = Runner::new(async || Ok(Database(datafusion_aiops::session()?)));
        if let Err(error) = runner.run_file_async(&file).await {
            panic!("{}", error.display(false));
        }
    }
}

async fn update(files: &[PathBuf], name: &OsStr) {
    for file in files.iter().filter(|file| file.file_stem() == Some(name)) {
        let mut runner = Runner::new(async || Ok(Database(datafusion_aiops::session()?)));
        runner
            .update_test_file(
                file,
                " ",
                default_validator,
                default_normalizer,
                default_column_validator,
            )
            .await
            .unwrap();
    }
}
