//! Random queries over tables whose columns share names: the answer is the same with every setting,
//! and the same as SQLite's.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringViewArray};
use datafusion::datasource::MemTable;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::file::properties::WriterProperties;
use datafusion::prelude::{ParquetReadOptions, SessionContext};
use rusqlite::Connection;
use rusqlite::types::ValueRef;

use crate::differential::answers::Answer;
use crate::differential::generator::{Generator, TABLES};
use crate::differential::number;
use crate::differential::settings::{Setting, settings};

/// The number of random settings for each query, besides the default.
const SETTINGS_PER_QUERY: usize = 3;

/// A table: its values by column, as numbers. A text is the letter with that number.
struct Table {
    name: &'static str,
    columns: &'static [&'static str],
    rows: Vec<Vec<Option<i64>>>,
}

const TEXTS: [&str; 6] = ["x", "y", "z", "", "w", "xx"];

fn tables(generator: &mut Generator) -> Vec<Table> {
    let sizes = [12, 9, 14, 5, 11];
    let table = |(size, (name, columns)): (usize, (&'static str, &'static [&'static str]))| {
        let mut value = |_: &&str| (generator.below(6) > 0).then(|| generator.below(6) as i64);
        let rows = (0..size).map(|_| columns.iter().map(&mut value).collect());
        Table {
            name,
            columns,
            rows: rows.collect(),
        }
    };
    sizes.into_iter().zip(TABLES).map(table).collect()
}

impl Table {
    fn batch(&self, rows: &[Vec<Option<i64>>]) -> RecordBatch {
        let columns = self.columns.iter().enumerate().map(|(index, name)| {
            let values = rows.iter().map(|row| row[index]);
            let array: ArrayRef = match *name {
                "name" => Arc::new(values.map(text).collect::<StringViewArray>()),
                _ => Arc::new(values.collect::<Int64Array>()),
            };
            (*name, array, true)
        });
        RecordBatch::try_from_iter_with_nullable(columns).unwrap()
    }

    /// Registers several partitions, one of them empty, with small batches.
    fn register_in_memory(&self, context: &SessionContext) {
        let (first, second) = self.rows.split_at(self.rows.len() / 3);
        let batches =
            |rows: &[Vec<Option<i64>>]| rows.chunks(5).map(|rows| self.batch(rows)).collect();
        let partitions = vec![batches(first), vec![], batches(second)];
        let schema = self.batch(&[]).schema();
        let table = MemTable::try_new(schema, partitions).unwrap();
        context.register_table(self.name, Arc::new(table)).unwrap();
    }

    /// Writes two files with row groups of two rows.
    fn write(&self, folder: &Path) {
        let folder = folder.join(self.name);
        std::fs::create_dir_all(&folder).unwrap();
        let (first, second) = self.rows.split_at(self.rows.len() / 3);
        for (number, rows) in [first, second].into_iter().enumerate() {
            let properties = WriterProperties::builder()
                .set_max_row_group_row_count(Some(2))
                .build();
            let batch = self.batch(rows);
            let file = File::create(folder.join(format!("{number}.parquet"))).unwrap();
            let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
            writer.write(&batch).unwrap();
            writer.close().unwrap();
        }
    }

    fn create_in_sqlite(&self, sqlite: &Connection) {
        let names = self.columns.join(", ");
        sqlite
            .execute(&format!("CREATE TABLE {} ({names})", self.name), [])
            .unwrap();
        for row in &self.rows {
            let value = |(name, value): (&&str, &Option<i64>)| match (*name, value) {
                (_, None) => "NULL".to_string(),
                ("name", value) => format!("'{}'", text(*value).unwrap_or_default()),
                (_, Some(value)) => value.to_string(),
            };
            let values: Vec<_> = self.columns.iter().zip(row).map(value).collect();
            let insert = format!("INSERT INTO {} VALUES ({})", self.name, values.join(", "));
            sqlite.execute(&insert, []).unwrap();
        }
    }
}

fn text(value: Option<i64>) -> Option<&'static str> {
    TEXTS.get(usize::try_from(value?).unwrap()).copied()
}

/// The answer of SQLite.
fn by_sqlite(sqlite: &Connection, sql: &str) -> rusqlite::Result<Answer> {
    let mut statement = sqlite.prepare(sql)?;
    let n_columns = statement.column_count();
    let mut found = statement.query([])?;
    let mut rows = vec![];
    while let Some(row) = found.next()? {
        let cells = (0..n_columns).map(|column| match row.get_ref(column) {
            Ok(ValueRef::Integer(number)) => number.to_string(),
            Ok(ValueRef::Text(text)) => String::from_utf8_lossy(text).into_owned(),
            Ok(ValueRef::Null) => "NULL".to_string(),
            other => format!("{other:?}"),
        });
        rows.push(cells.collect::<Vec<_>>().join(" | "));
    }
    rows.sort_unstable();
    Ok(Answer::Rows(rows))
}

async fn session(setting: &Setting, tables: &[Table], folder: &Path) -> SessionContext {
    let context = setting.session();
    for table in tables {
        if !setting.parquet {
            table.register_in_memory(&context);
            continue;
        }
        let path = format!("{}/", folder.join(table.name).display());
        let options = ParquetReadOptions::default();
        context
            .register_parquet(table.name, path, options)
            .await
            .unwrap();
    }
    context
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_queries_are_answered_as_sqlite_does() {
    let (seed, n_queries) = (number("AIOPS_SEED", 1), number("AIOPS_QUERIES", 150));
    let mut generator = Generator::new(seed);
    let tables = tables(&mut generator);
    let folder = tempfile::tempdir().unwrap();
    let sqlite = Connection::open_in_memory().unwrap();
    for table in &tables {
        table.write(folder.path());
        table.create_in_sqlite(&sqlite);
    }
    let defaults = [Setting::default(), Setting::default().over_parquet()];
    let all = settings();
    let (mut n_refused, mut n_runs, mut wrong) = (0, 0, vec![]);
    for _ in 0..n_queries {
        let sql = generator.query();
        let expected = by_sqlite(&sqlite, &sql).unwrap_or_else(|error| panic!("{error}: {sql}"));
        let mut chosen = defaults.to_vec();
        for _ in 0..SETTINGS_PER_QUERY {
            let setting = &all[generator.below(all.len())];
            chosen.push(if generator.below(2) == 0 {
                setting.clone()
            } else {
                setting.over_parquet()
            });
        }
        for setting in chosen {
            let context = session(&setting, &tables, folder.path()).await;
            let (found, error) = Answer::of(&context, &sql).await;
            n_runs += 1;
            if found == Answer::Error
                && (error.contains("not implemented") || error.contains("not supported"))
            {
                n_refused += 1;
                break;
            }
            if found != expected {
                wrong.push(format!(
                    "with {}: {sql}\n  {error}\n  {expected:?}\n  {found:?}",
                    setting.name
                ));
                break;
            }
        }
    }
    eprintln!("{n_queries} queries, {n_runs} runs, {n_refused} refused");
    assert!(
        n_refused * 20 <= n_queries,
        "{n_refused} of {n_queries} are refused"
    );
    assert!(
        wrong.is_empty(),
        "{} wrong\n{}",
        wrong.len(),
        wrong[..wrong.len().min(5)].join("\n")
    );
}
