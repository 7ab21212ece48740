//! All statements of tests/slt and sql/, with settings that must not matter.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use datafusion::arrow::array::RecordBatch;
use datafusion::common::Result;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::file::properties::WriterProperties;
use datafusion::prelude::{ParquetReadOptions, SessionContext};
use sqllogictest::{DefaultColumnType, Record};
use tempfile::TempDir;

use crate::differential::answers::Answer;
use crate::differential::settings::{Setting, settings, settings_of_workers};
use crate::golden::{files_below, project};

/// How many settings every file runs with in a test run: the files take turns with the others.
const SETTINGS_PER_FILE: usize = 2;

/// Refusals that are not wrong answers: a statement that does not fit into little memory says so,
/// and without the physical form of scalar subqueries some cannot be planned (ARCHITECTURE.md).
/// Later statements of the file may need what was refused.
const REFUSALS: [&str; 3] = [
    "Resources exhausted",
    "does not support logical expression ScalarSubquery",
    "Schema contains qualified field name __scalar_sq_1",
];

/// Statements whose answer is not determined, by a part of their text.
const FREE: [&str; 3] = ["now()", "random()", "EXPLAIN"];

/// The statements of a file in order.
fn statements(file: &Path) -> Vec<String> {
    if file.extension().is_some_and(|extension| extension == "slt") {
        let records = sqllogictest::parse_file::<DefaultColumnType>(file).unwrap();
        return records.into_iter().filter_map(sql_of).collect();
    }
    cut(&std::fs::read_to_string(file).unwrap())
}

/// The statements of a script as they are written: the parser would print them without options.
fn cut(script: &str) -> Vec<String> {
    let (mut statements, mut statement) = (vec![], String::new());
    for line in script.lines() {
        let is_quoted = |text: &str| text.matches('\'').count() % 2 == 1;
        let code = match line.find("--") {
            Some(at) if !is_quoted(&statement) && !is_quoted(&line[..at]) => &line[..at],
            _ => line,
        };
        statement.push_str(code);
        statement.push('\n');
        if code.trim_end().ends_with(';') && !is_quoted(&statement) {
            statement.truncate(statement.trim_end().len() - 1);
            statements.push(std::mem::take(&mut statement));
        }
    }
    assert!(statement.trim().is_empty(), "{statement}");
    statements
}

fn sql_of(record: Record<DefaultColumnType>) -> Option<String> {
    match record {
        Record::Statement { sql, .. } | Record::Query { sql, .. } => Some(sql),
        _ => None,
    }
}

/// The files that can be run twice in one process and end. `cluster_edges` has tables so large that
/// each of its runs takes as long as all other files together.
fn files() -> Vec<PathBuf> {
    let mut files = files_below("tests/slt", "slt");
    files.retain(|file| !file.ends_with("cluster_edges.slt"));
    let sql = files_below("sql", "sql");
    files.extend(sql.into_iter().filter(|file| {
        let text = std::fs::read_to_string(file).unwrap();
        let is_in = |folder: &str| file.components().any(|part| part.as_os_str() == folder);
        !is_in("make")
            && !is_in("knowledge_base")
            && !["UNBOUNDED", "COPY", "stdin", "STORED AS SQLITE", "|>"]
                .iter()
                .any(|word| text.contains(word))
    }));
    files
}

/// The answer of each statement of a file, and its error.
type Answers = Vec<(Answer, String)>;

/// The answers of all statements of a file.
async fn answers(statements: &[String], setting: &Setting) -> Answers {
    let context = setting.session();
    let folder = tempfile::tempdir().unwrap();
    let mut answers = vec![];
    for sql in statements {
        answers.push(Answer::of(&context, sql).await);
        if setting.parquet
            && let Some(name) = created(sql)
            && !is_changed(statements, &name)
        {
            to_parquet(&context, &name, &folder).await.unwrap();
        }
    }
    answers
}

/// The table in memory that a statement creates.
fn created(sql: &str) -> Option<String> {
    let rest = sql.trim().strip_prefix("CREATE TABLE ")?;
    let name: String = rest
        .chars()
        .take_while(|character| character.is_alphanumeric() || *character == '_')
        .collect();
    Some(name)
}

fn is_changed(statements: &[String], name: &str) -> bool {
    let changes = [
        "INSERT INTO",
        "UPDATE",
        "DELETE FROM",
        "MERGE INTO",
        "DROP TABLE",
    ];
    let is_change = |sql: &String| {
        changes
            .iter()
            .any(|change| sql.trim().starts_with(&format!("{change} {name}")))
    };
    statements.iter().any(is_change)
}

/// Replaces a table in memory by a file, with a row group for every row of a small table.
async fn to_parquet(context: &SessionContext, name: &str, folder: &TempDir) -> Result<()> {
    let Ok(table) = context.table(name).await else {
        return Ok(());
    };
    let schema = std::sync::Arc::clone(table.schema().inner());
    let batches: Vec<RecordBatch> = table.collect().await?;
    let n_rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let path = folder.path().join(format!("{name}.parquet"));
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(1.max(n_rows / 50)))
        .build();
    let file = std::fs::File::create(&path)?;
    // A table that Parquet cannot hold stays in memory.
    let Ok(mut writer) = ArrowWriter::try_new(file, schema, Some(properties)) else {
        return Ok(());
    };
    for batch in &batches {
        if writer.write(batch).is_err() {
            return Ok(());
        }
    }
    writer.close()?;
    context.deregister_table(name)?;
    let path = path.to_string_lossy().into_owned();
    context
        .register_parquet(name, path, ParquetReadOptions::default())
        .await
}

/// The answers that differ from those with the default settings.
fn differences(
    statements: &[String],
    setting: &Setting,
    (expected, found): (&Answers, &Answers),
) -> String {
    let mut said = String::new();
    let pairs = statements.iter().zip(expected.iter().zip(found));
    for (sql, ((expected, _), (found, error))) in pairs {
        if REFUSALS.iter().any(|refusal| error.contains(refusal)) {
            eprintln!("with {} refused: {sql}\n  {error}", setting.name);
            break;
        }
        if expected != found && !FREE.iter().any(|free| sql.contains(free)) {
            writeln!(
                said,
                "with {}: {sql}\n  {error}\n  {expected:?}\n  {found:?}",
                setting.name
            )
            .unwrap();
        }
    }
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_file_answers_the_same_with_every_setting() {
    let (settings, of_workers) = (settings(), settings_of_workers());
    let runs_all = std::env::var("AIOPS_DIFFERENTIAL").is_ok_and(|value| value == "all");
    let (mut n_statements, mut n_runs, mut said) = (0, 0, String::new());
    let part = std::env::var("AIOPS_FILES").unwrap_or_default();
    for (index, file) in files().iter().enumerate() {
        let started = std::time::Instant::now();
        let name = file.strip_prefix(project()).unwrap();
        if !name.to_string_lossy().contains(&part) {
            continue;
        }
        let statements = statements(file);
        let expected = answers(&statements, &Setting::default()).await;
        n_statements += statements.len();
        if file.extension().is_some_and(|extension| extension == "sql") {
            for (sql, (answer, error)) in statements.iter().zip(&expected) {
                assert!(
                    *answer != Answer::Error,
                    "{}: {sql}\n{error}",
                    name.display()
                );
            }
        }
        let turn = (0..SETTINGS_PER_FILE).map(|n| (index * SETTINGS_PER_FILE + n) % settings.len());
        let chosen: Vec<usize> = if runs_all {
            (0..settings.len()).collect()
        } else {
            turn.collect()
        };
        let chosen = chosen.into_iter().map(|number| &settings[number]);
        let workers = of_workers.iter().cycle().skip(index);
        let workers = workers.take(if runs_all { of_workers.len() } else { 1 });
        for setting in chosen.chain(workers) {
            let found = answers(&statements, setting).await;
            n_runs += statements.len();
            let different = differences(&statements, setting, (&expected, &found));
            if !different.is_empty() {
                eprintln!("{} {different}", name.display());
                writeln!(said, "{} {different}", name.display()).unwrap();
            }
        }
        eprintln!(
            "{}: {} statements, {:?}",
            name.display(),
            statements.len(),
            started.elapsed()
        );
    }
    eprintln!(
        "{n_statements} statements, {} settings, {n_runs} runs",
        settings.len()
    );
    assert!(!part.is_empty() || n_statements > 500 && settings.len() > 40);
    assert!(said.is_empty(), "{said}");
}
