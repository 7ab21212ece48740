//! Answers as text that can be compared.

use std::sync::LazyLock;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::Result;
use datafusion::prelude::SessionContext;
use regex::{Captures, Regex};

/// The answer of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// The rows, sorted.
    Rows(Vec<String>),
    Error,
}

impl Answer {
    /// Runs a statement, and returns its answer and its error.
    pub(super) async fn of(context: &SessionContext, sql: &str) -> (Self, String) {
        match batches(context, sql).await {
            Ok(batches) => (Self::of_batches(&batches), String::new()),
            Err(error) => (Self::Error, error.strip_backtrace()),
        }
    }

    fn of_batches(batches: &[RecordBatch]) -> Self {
        let mut rows: Vec<_> = batches.iter().flat_map(rows).collect();
        rows.sort_unstable();
        Self::Rows(rows)
    }
}

async fn batches(context: &SessionContext, sql: &str) -> Result<Vec<RecordBatch>> {
    context.sql(sql).await?.collect().await
}

fn rows(batch: &RecordBatch) -> Vec<String> {
    let options = FormatOptions::default().with_null("NULL");
    let columns: Vec<_> = batch
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
        .collect();
    let row = |row: usize| {
        let cells = columns
            .iter()
            .map(|column| rounded(&column.value(row).to_string()));
        cells.collect::<Vec<_>>().join(" | ")
    };
    (0..batch.num_rows()).map(row).collect()
}

/// The last digits of sums of floats depend on their order, so only eight digits are compared.
fn rounded(text: &str) -> String {
    static FLOAT: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"-?\d+\.\d+([eE][-+]?\d+)?").unwrap());
    let round = |found: &Captures| match found[0].parse::<f64>() {
        Ok(number) if number.abs() < 1e-9 => "0".to_string(),
        Ok(number) => format!("{number:.7e}"),
        Err(_) => found[0].to_string(),
    };
    FLOAT.replace_all(text, round).into_owned()
}
