//! Every known format is found by its samples, and reads them.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::DateTime;
use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::buffer::Buffer;
use datafusion::arrow::datatypes::{Fields, TimestampNanosecondType};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};

use crate::formats::log::batches::BatchBuilder;
use crate::formats::log::columns::{FILE, LINE_NUMBER, TIME};
use crate::formats::log::detection::FileHead;
use crate::formats::log::event_splitter::EventSplitter;
use crate::formats::log::known_formats::{KnownFormat, built_in};
use crate::formats::log::log_options::LogOptions;
use crate::formats::log::spec::LogSpec;
use crate::formats::log::table_shape::{Sample, shape_of};

const WRITTEN: &str = "2026-12-01T00:00:00Z";

/// The spec of a table of one file.
pub(crate) fn spec_of(text: &str, options: &[(&str, &str)]) -> LogSpec {
    let options = options
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()));
    let options = LogOptions::try_new(&options.collect(), None).unwrap();
    let sample = Sample {
        heads: vec![FileHead {
            text: text.to_string(),
            is_whole: true,
        }],
        written: WRITTEN.parse().unwrap(),
        n_files: 1,
        ..Sample::default()
    };
    let shape = shape_of(
        &options,
        &Fields::empty(),
        built_in().unwrap(),
        Some(&sample),
    );
    let (found, columns, _) = shape.unwrap();
    LogSpec::try_new(options, found, columns, Arc::default()).unwrap()
}

/// The rows of a table of one file, each column by its name, without NULL.
pub(crate) fn rows_of(spec: &LogSpec, text: &str) -> Vec<BTreeMap<String, String>> {
    let written = WRITTEN.parse().unwrap();
    let columns: Vec<usize> = (0..spec.columns.sources.len()).collect();
    let mut builder = BatchBuilder::try_new(spec, &columns, 1_000, "f", written).unwrap();
    let mut splitter = EventSplitter::new(Arc::clone(&spec.start), 1 << 20, 0..u64::MAX);
    let block = Buffer::from(text.as_bytes());
    splitter.feed(&block, &mut |event| builder.push(event, &block));
    splitter.finish(&mut |event| builder.push(event, &Buffer::from(b"")));
    builder.finish_batch();
    let batches = builder.take_ready().into_iter().map(Result::unwrap);
    batches
        .flat_map(|batch| {
            (0..batch.num_rows())
                .map(|row| row_of(&batch, row))
                .collect::<Vec<_>>()
        })
        .collect()
}

fn row_of(batch: &RecordBatch, row: usize) -> BTreeMap<String, String> {
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns());
    let own = columns.filter(|(field, column)| {
        ![FILE, LINE_NUMBER].contains(&field.name().as_str()) && !column.is_null(row)
    });
    let texts = own.map(|(field, column)| {
        let text = if field.name() == TIME {
            let times = column.as_primitive::<TimestampNanosecondType>();
            DateTime::from_timestamp_nanos(times.value(row)).to_rfc3339()
        } else {
            let format = FormatOptions::default();
            let formatter = ArrayFormatter::try_new(column, &format).unwrap();
            formatter.value(row).to_string()
        };
        (field.name().clone(), text)
    });
    texts.collect()
}

fn expected(sample: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut expected = sample.clone();
    expected.remove("text");
    if let Some(time) = expected.get_mut(TIME) {
        *time = DateTime::parse_from_rfc3339(time)
            .unwrap()
            .to_utc()
            .to_rfc3339();
    }
    expected
}

fn check(format: &KnownFormat, sample: &BTreeMap<String, String>) -> Result<(), String> {
    let line = format!("{}\n", sample["text"]);
    let spec = spec_of(&line, &[]);
    let names: Vec<_> = spec.found.known.iter().map(|known| known.name()).collect();
    if names != [format.name()] {
        return Err(format!("{} is taken for {names:?}: {line}", format.name()));
    }
    let rows = rows_of(&spec, &line);
    if rows != [expected(sample)] {
        return Err(format!(
            "{}: {rows:#?}, expected {:#?}",
            format.name(),
            expected(sample)
        ));
    }
    Ok(())
}

#[test]
fn samples_are_found_and_read() {
    let mut wrong = vec![];
    for format in built_in().unwrap() {
        format.check().unwrap();
        assert!(
            !format.samples().is_empty(),
            "{} has no sample",
            format.name()
        );
        wrong.extend(
            format
                .samples()
                .iter()
                .filter_map(|sample| check(format, sample).err()),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// docs/log-files.md lists the formats as they are.
#[test]
fn formats_are_documented() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/log-files.md");
    let document = std::fs::read_to_string(path).unwrap();
    for format in built_in().unwrap() {
        let row = format!("| `{}` | {} |", format.name(), format.about());
        assert!(document.contains(&row), "docs/log-files.md lacks {row}");
    }
}

/// What reads formats in another process reads the same.
#[cfg(feature = "distributed")]
#[test]
fn formats_survive_being_written() {
    use crate::formats::log::known_formats::{parse, to_text};
    let formats = built_in().unwrap();
    let text = to_text(formats).unwrap();
    let read = parse(&text).unwrap();
    assert_eq!(to_text(&read).unwrap(), text);
    assert_eq!(read.len(), formats.len());
}
