//! Targets for fuzzing: the code that reads bytes and texts of others, each as a function that
//! takes any bytes and panics if a property does not hold.
//!
//! They are compiled only for tests and for libFuzzer (`fuzz/README.md`). The tests of this module
//! run each target on inputs made from `fuzz/corpus` with a fixed seed, on a stack of the default
//! size of a thread, since a stack overflow ends the process.

#[cfg(test)]
mod mutate;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{ArrayRef, RecordBatch, StringArray, UInt64Array};
use datafusion::arrow::datatypes::Field;
use datafusion::common::{Result, ScalarValue};
use datafusion::config::{ConfigOptions, Dialect};
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs};
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement;
use tokio::runtime::Runtime;

use crate::functions::call::models::{ModelKind, with_checksum, without_checksum, write_model};
use crate::planner::from_first::complete_from_first;
use crate::planner::statement_check::check_statement;
use crate::planner::statement_size::check_size;
use crate::sources::files::follow::positions::FilePositions;
use crate::sources::files::follow::state::{FollowOptions, FollowedFiles};
use crate::{check_plan, pipeline, session, sources};

/// A session with a table of each kind of column.
static SESSION: LazyLock<SessionContext> = LazyLock::new(|| {
    let context = session().expect("a session");
    let create = "CREATE TABLE t AS SELECT TIMESTAMP '2026-01-01' AS ts, 'user eve logged in' AS message, 1 AS n, \
                  0.5 AS value, [0.1, 0.2] AS vec, named_struct('a', 1) AS s";
    let plan = block_on(context.state().create_logical_plan(create)).expect("a plan");
    let created = block_on(context.execute_logical_plan(plan)).expect("a table");
    drop(created);
    context
});

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

/// Waits on this thread, so that its own stack is used.
fn block_on<F: Future>(future: F) -> F::Output {
    RUNTIME.block_on(future)
}

fn text(data: &[u8]) -> String {
    String::from_utf8_lossy(data).into_owned()
}

/// Splits off the first line.
fn first_line(data: &[u8]) -> (String, &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n');
    let (line, rest) = data.split_at(end.unwrap_or(data.len()));
    (text(line), rest.get(1..).unwrap_or_default())
}

/// Reads a log as lines, as multi-line events and with a pattern: the rows do not depend on where
/// blocks and batches end.
pub fn log_lines(data: &[u8]) {
    for options in [
        &[][..],
        &[("multiline", "indent")],
        &[("multiline_start", r"^\S+ \d"), ("max_event_bytes", "1024")],
        &[(
            "pattern",
            r"^(?<ts>\S+ \S+) (?<level>[A-Z]+) (?<message>.*)$",
        )],
    ] {
        sources::fuzz::rows_do_not_depend_on_blocks(options, data);
    }
}

/// Uses the first line as a pattern, the start of an event, a format of times and a time zone in
/// turn, and reads the rest as a log with it.
pub fn patterns(data: &[u8]) {
    let (option, log) = first_line(data);
    for name in ["pattern", "multiline_start", "timestamp_format", "timezone"] {
        let options = match name {
            "timestamp_format" | "timezone" => {
                vec![("pattern", r"^(?<ts>[^|]*)"), (name, option.as_str())]
            }
            _ => vec![(name, option.as_str())],
        };
        sources::fuzz::rows_do_not_depend_on_blocks(&options, log);
    }
}

/// Reads lines of JSON with the columns that they have: a row does not depend on its neighbours.
pub fn json_lines(data: &[u8]) {
    sources::fuzz::rows_do_not_depend_on_blocks(&[("format", "json")], data);
}

/// Uses the first byte to choose a call and the rest as its options.
pub fn options(data: &[u8]) {
    const CALLS: [&str; 17] = [
        "log_template(message, '?')",
        "log_parse(message, '?')",
        "log_tokens(message, '?')",
        "log_mine(message, '?')",
        "tfidf_fit(message, '?')",
        "tfidf_vec(message, '?')",
        "cluster_fit(n, vec, '?') OVER ()",
        "cluster_keywords(message, '?')",
        "ts_anomaly(ts, value, '?')",
        "ts_fill(ts, value, '?')",
        "ts_periods(ts, value, '?')",
        "ts_decompose(ts, value, '?')",
        "ts_changepoints(ts, value, '?')",
        "ts_forecast(ts, value, 3, '?')",
        "ts_capacity(ts, value, 3, '1 hour', '?')",
        "ts_rate(ts, value, '?')",
        "ts_reaches(ts, value, 3, '?')",
    ];
    let Some((first, options)) = data.split_first() else {
        return;
    };
    let call = CALLS[usize::from(*first) % CALLS.len()];
    let call = call.replace('?', &text(options).replace('\'', "''"));
    plan(&format!("SELECT {call} FROM t"));
}

/// Reads positions of sources from JSON: what was read is written in the same form.
pub fn positions(data: &[u8]) {
    let Ok(value) = serde_json::from_slice(data) else {
        return;
    };
    sources::fuzz::positions(&value);
    sources::fuzz::folder_positions(&value);
    let Ok(positions) = serde_json::from_value::<FilePositions>(value) else {
        return;
    };
    let mut files = FollowedFiles::with_positions(FollowOptions::default(), positions);
    let written = files.positions();
    let again = FollowedFiles::with_positions(FollowOptions::default(), written.clone());
    assert_eq!(again.positions(), written);
    let (_stretches, _unknown) = FilePositions::default().stretches(&written);
    files.rescan(std::iter::empty::<PathBuf>(), i64::MAX);
}

/// Reads the files of a checkpoint, each after a line `--- name`, and checks that writing and
/// reading them again changes nothing.
pub fn checkpoints(data: &[u8]) {
    pipeline::fuzz::checkpoint(&text(data));
}

/// Reads a model from a description, line by line: `key=value` is metadata, a line with tabs is a
/// row, and `@ place byte` damages the written bytes. The checksum is always right.
pub fn models(data: &[u8]) {
    let description = text(data);
    for kind in [
        ModelKind {
            name: "log_mine",
            version: 1,
        },
        ModelKind {
            name: "tfidf_fit",
            version: 1,
        },
    ] {
        let model = FuzzedModel::read(&description);
        let Ok(bytes) = model.write(kind) else {
            continue;
        };
        let bytes = ScalarValue::BinaryView(Some(bytes));
        for line in ["user eve logged in", "", description.as_str()] {
            let line = ScalarValue::from(line);
            let _ = call("log_match", vec![line.clone(), bytes.clone()]);
            let _ = call("tfidf_vec", vec![line, bytes.clone()]);
        }
        let _ = call("log_templates", vec![bytes.clone()]);
        let _ = call("tfidf_terms", vec![bytes]);
    }
}

/// The content of a description of a model.
#[derive(Debug, Default)]
struct FuzzedModel {
    metadata: Vec<(String, String)>,
    rows: Vec<Vec<String>>,
    damages: Vec<(usize, u8)>,
}

impl FuzzedModel {
    fn read(description: &str) -> Self {
        let mut model = Self::default();
        for line in description.lines() {
            if let Some(damage) = line.strip_prefix("@ ") {
                let mut numbers = damage.split(' ').map(|number| number.parse().unwrap_or(0));
                let place = numbers.next().unwrap_or_default();
                let byte = numbers.next().unwrap_or_default() % 256;
                model
                    .damages
                    .push((place, u8::try_from(byte).unwrap_or_default()));
            } else if line.contains('\t') {
                let values = line.split('\t').map(str::to_string);
                model.rows.push(values.collect());
            } else if let Some((key, value)) = line.split_once('=') {
                model.metadata.push((key.to_string(), value.to_string()));
            }
        }
        model
    }

    /// The columns that models of either kind have, in the order in which a row gives them.
    fn table(&self) -> Result<RecordBatch> {
        let cell = |row: &Vec<String>, column: usize| {
            let text = row.get(column).filter(|text| *text != "NULL");
            text.cloned()
        };
        let texts = |column: usize| -> ArrayRef {
            let texts = self.rows.iter().map(|row| cell(row, column));
            Arc::new(texts.collect::<StringArray>())
        };
        let numbers = |column: usize| -> ArrayRef {
            let numbers = self.rows.iter().map(|row| cell(row, column)?.parse().ok());
            Arc::new(numbers.collect::<UInt64Array>())
        };
        let columns = [
            ("masked", texts(0)),
            ("template", texts(1)),
            ("example", texts(2)),
            ("term", texts(0)),
            ("count", numbers(3)),
            ("example_bytes", numbers(4)),
            ("document_frequency", numbers(3)),
        ];
        Ok(RecordBatch::try_from_iter(columns)?)
    }

    fn write(&self, kind: ModelKind) -> Result<Vec<u8>> {
        let metadata = self.metadata.iter();
        let metadata: Vec<_> = metadata
            .map(|(key, value)| (key.as_str(), value.clone()))
            .collect();
        let written = write_model(kind, &metadata, &self.table()?)?;
        let mut stream = without_checksum(&written).unwrap_or_default().to_vec();
        // libFuzzer counts a panic as a fault, even if it is caught.
        let damages = self.damages.iter().filter(|_| !cfg!(fuzzing));
        for (place, byte) in damages {
            let place = place % stream.len();
            stream[place] = *byte;
        }
        Ok(with_checksum(stream))
    }
}

/// Calls a scalar function on one row.
fn call(name: &str, arguments: Vec<ScalarValue>) -> Result<ColumnarValue> {
    let function = SESSION.udf(name)?;
    let fields: Vec<_> = arguments
        .iter()
        .map(|argument| Arc::new(Field::new("a", argument.data_type(), true)))
        .collect();
    let literals: Vec<_> = arguments.iter().map(Some).collect();
    let return_field = function.return_field_from_args(ReturnFieldArgs {
        arg_fields: &fields,
        scalar_arguments: &literals,
    })?;
    let args = arguments.into_iter().map(ColumnarValue::Scalar).collect();
    function.invoke_with_args(ScalarFunctionArgs {
        args,
        arg_fields: fields,
        number_rows: 1,
        return_field,
        config_options: Arc::new(ConfigOptions::new()),
    })
}

/// Parses statements and prepares them for planning: completing FROM first twice changes nothing,
/// and white space around a statement does not change its text in a checkpoint.
pub fn statements(data: &[u8]) {
    let sql = text(data);
    if let Some(mut statement) = parsed(&sql) {
        complete_from_first(&mut statement);
        assert!(!complete_from_first(&mut statement), "{statement}");
        let _ = check_statement(&statement, &*SESSION);
    }
    pipeline::fuzz::normalised(&sql, &SESSION);
}

/// Parses and plans a statement over the table `t`.
pub fn sql(data: &[u8]) {
    plan(&text(data));
}

fn parsed(sql: &str) -> Option<Statement> {
    check_size(sql, Dialect::Generic).ok()?;
    SESSION
        .state()
        .sql_to_statement(sql, &Dialect::Generic)
        .ok()
}

fn plan(sql: &str) {
    let Some(mut statement) = parsed(sql) else {
        return;
    };
    complete_from_first(&mut statement);
    if check_statement(&statement, &*SESSION).is_err() {
        return;
    }
    if let Ok(plan) = block_on(SESSION.state().statement_to_plan(statement)) {
        let _ = check_plan(&plan);
    }
}
