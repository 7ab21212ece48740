//! Log functions on one core: on Arrow arrays, through SQL over Parquet, and next to other
//! libraries on the same lines.
//!
//! The lines are those of the sample logs in `sql/data`, or of the file named by the environment
//! variable `BENCH_LOG`. Results are in `benches/record`, with their date and machine.

#![allow(clippy::expect_used, clippy::cast_possible_truncation)]

use std::borrow::Cow;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use datafusion::arrow::array::{ArrayRef, RecordBatch, StringViewArray, UInt32Array};
use datafusion::arrow::compute::{cast, take};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::config::ConfigOptions;
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion_aiops::algorithms::text::TemplateMatcher;
use regex::{Regex, RegexSet};

const BATCH_SIZE: usize = 8192;

/// Enough lines for a steady state, few enough for a short run.
const MAX_LINES: usize = 200_000;

fn lines() -> Vec<String> {
    let text = match std::env::var("BENCH_LOG") {
        Ok(path) => std::fs::read_to_string(path).expect("BENCH_LOG names a file"),
        Err(_) => [
            include_str!("../sql/data/postgresql.log"),
            include_str!("../sql/data/nginx_error.log"),
            include_str!("../sql/data/nginx_access.log"),
            include_str!("../sql/data/app.jsonl"),
            include_str!("../sql/data/app_python.log"),
        ]
        .concat(),
    };
    text.lines().take(MAX_LINES).map(str::to_string).collect()
}

fn batches(lines: &[String]) -> Vec<ArrayRef> {
    let array = |lines: &[String]| {
        Arc::new(lines.iter().map(Some).collect::<StringViewArray>()) as ArrayRef
    };
    lines.chunks(BATCH_SIZE).map(array).collect()
}

fn throughput(lines: &[String]) -> Throughput {
    let bytes = lines.iter().map(|line| line.len() as u64).sum();
    Throughput::ElementsAndBytes {
        elements: lines.len() as u64,
        bytes,
    }
}

fn function(name: &str) -> Arc<ScalarUDF> {
    let mut context = SessionContext::new();
    datafusion_aiops::register_all(&mut context).expect("functions register");
    context.udf(name).expect("the function is there")
}

/// Calls a function on every batch, as a projection does.
fn call(function: &ScalarUDF, batches: &[ArrayRef], result: DataType) {
    let argument = Arc::new(Field::new("message", DataType::Utf8View, true));
    let return_field = Arc::new(Field::new("result", result, true));
    for batch in batches {
        let args = ScalarFunctionArgs {
            args: vec![ColumnarValue::Array(Arc::clone(batch))],
            arg_fields: vec![Arc::clone(&argument)],
            number_rows: batch.len(),
            return_field: Arc::clone(&return_field),
            config_options: Arc::new(ConfigOptions::default()),
        };
        black_box(function.invoke_with_args(args).expect("the call works"));
    }
}

/// A column of dictionary values that each occur several times.
fn dictionaries(batches: &[ArrayRef]) -> Vec<ArrayRef> {
    let to = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let repeated = |batch: &ArrayRef| {
        let rows = UInt32Array::from_iter_values((0..batch.len() as u32).map(|row| row % 64));
        cast(&take(batch, &rows, None).expect("taken"), &to).expect("cast")
    };
    batches.iter().map(repeated).collect()
}

fn arrays(criterion: &mut Criterion) {
    let lines = lines();
    let batches = batches(&lines);
    let mut group = criterion.benchmark_group("array");
    group.throughput(throughput(&lines)).sample_size(10);
    for (name, result) in [
        ("log_template", DataType::Utf8View),
        ("template_hash", DataType::Int64),
        ("log_parse", DataType::Null),
        ("log_tokens", DataType::Null),
        ("template_regex", DataType::Utf8View),
    ] {
        let function = function(name);
        group.bench_function(name, |bencher| {
            bencher.iter(|| call(&function, &batches, result.clone()))
        });
    }
    let log_template = function("log_template");
    let dictionaries = dictionaries(&batches);
    group.bench_function("log_template_of_dictionaries", |bencher| {
        bencher.iter(|| call(&log_template, &dictionaries, DataType::Utf8View));
    });
    let mut matcher = TemplateMatcher::default();
    group.bench_function("template_match", |bencher| {
        bencher.iter(|| {
            lines
                .iter()
                .filter(|line| matcher.is_match(line, "<*> of <*> from <*>"))
                .count()
        });
    });
    group.finish();
}

/// The masks that log parsers are usually given: dates, addresses, paths, identifiers, numbers.
const TWELVE_MASKS: [&str; 12] = [
    r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?:[.,]\d+)?(?:Z|[+-]\d{2}:?\d{2})?",
    r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)?,? ?\d{0,2} ?(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{1,4}\b",
    r"\b\d{2}:\d{2}:\d{2}(?:[.,]\d+)?\b",
    r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b",
    r"\b(?:[0-9a-fA-F]{2}:){5,}[0-9a-fA-F]{2}\b",
    r"/?\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b",
    r"\b[a-z]+://\S+",
    r"\b[\w.+-]+@[\w-]+\.[\w.-]+\b",
    r"(?:/[\w.-]+){2,}/?",
    r"\b0x[0-9a-fA-F]+\b",
    r"\b[\w-]+_-?\d+\b",
    r"[+-]?\b\d+(?:\.\d+)?(?:ms|s|KB|MB|GB|%)?\b",
];

fn peers(criterion: &mut Criterion) {
    let lines = lines();
    // A tenth is enough: these are slow.
    let lines = &lines[..lines.len() / 10];
    let mut group = criterion.benchmark_group("peer");
    group.throughput(throughput(lines)).sample_size(10);

    let batches = batches(lines);
    let log_template = function("log_template");
    group.bench_function("log_template", |bencher| {
        bencher.iter(|| call(&log_template, &batches, DataType::Utf8View))
    });

    let masks: Vec<Regex> = TWELVE_MASKS
        .iter()
        .map(|mask| Regex::new(mask).expect("a regex"))
        .collect();
    group.bench_function("twelve_regexes_in_turn", |bencher| {
        bencher.iter(|| {
            for line in lines {
                let mut template = Cow::Borrowed(line.as_str());
                for mask in &masks {
                    template = mask.replace_all(&template, "<*>").into_owned().into();
                }
                black_box(template);
            }
        });
    });

    // One automaton first finds which of them match at all: the best that regexes can do.
    let any = RegexSet::new(TWELVE_MASKS).expect("a set");
    group.bench_function("twelve_regexes_in_a_set", |bencher| {
        bencher.iter(|| {
            for line in lines {
                let mut template = Cow::Borrowed(line.as_str());
                for mask in any.matches(line) {
                    template = masks[mask]
                        .replace_all(&template, "<*>")
                        .into_owned()
                        .into();
                }
                black_box(template);
            }
        });
    });

    let config = || drain3::Config {
        max_bytes: 1 << 20,
        max_tokens: 1 << 12,
        ..drain3::Config::default()
    };
    group.bench_function("drain3_train_and_match", |bencher| {
        bencher.iter(|| {
            let matcher = drain3::train(lines, config()).expect("drain3 trains");
            for line in lines {
                black_box(matcher.match_id(line));
            }
        });
    });
    group.finish();
}

fn parquet_of(lines: &[String]) -> tempfile::NamedTempFile {
    let schema = Arc::new(Schema::new(vec![Field::new(
        "message",
        DataType::Utf8View,
        true,
    )]));
    let file = tempfile::Builder::new()
        .suffix(".parquet")
        .tempfile()
        .expect("a file");
    let mut writer =
        ArrowWriter::try_new(file.reopen().expect("a file"), Arc::clone(&schema), None)
            .expect("a writer");
    for batch in batches(lines) {
        writer
            .write(&RecordBatch::try_new(Arc::clone(&schema), vec![batch]).expect("a batch"))
            .expect("written");
    }
    writer.close().expect("closed");
    file
}

fn sql(criterion: &mut Criterion) {
    let lines = lines();
    let file = parquet_of(&lines);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let config = SessionConfig::new().with_target_partitions(1);
    let context = SessionContext::new_with_config(config).enable_url_table();
    datafusion_aiops::install(&context).expect("installed");

    let mut group = criterion.benchmark_group("sql_over_parquet");
    group.throughput(throughput(&lines)).sample_size(10);
    let path = file.path().display();
    for (name, query) in [
        ("read_only", format!("SELECT max(message) FROM '{path}'")),
        (
            "log_template",
            format!("SELECT max(log_template(message)) FROM '{path}'"),
        ),
        (
            "count_by_template",
            format!("SELECT log_template(message) AS t, count(*) FROM '{path}' GROUP BY t"),
        ),
        (
            "log_parse",
            format!("SELECT max(log_parse(message)['template_hash']) FROM '{path}'"),
        ),
        (
            "log_mine",
            format!("SELECT log_mine(message) FROM '{path}'"),
        ),
        (
            "log_mine_and_log_match",
            format!(
                "WITH mined AS (SELECT log_mine(message) AS model FROM '{path}') \
                 SELECT max(log_match(message, (SELECT model FROM mined))['template_hash']) FROM '{path}'"
            ),
        ),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                runtime.block_on(async {
                    black_box(
                        context
                            .sql(&query)
                            .await
                            .expect("planned")
                            .collect()
                            .await
                            .expect("run"),
                    )
                })
            });
        });
    }
    group.finish();
}

criterion_group!(benches, arrays, peers, sql);
criterion_main!(benches);
