//! The targets of `crate::fuzz` that read log files and positions of sources.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::DateTime;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::buffer::Buffer;
use datafusion::arrow::datatypes::Fields;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::Result;

use crate::formats::log::batches::BatchBuilder;
use crate::formats::log::detection::FileHead;
use crate::formats::log::event_splitter::EventSplitter;
use crate::formats::log::known_formats::built_in;
use crate::formats::log::log_options::LogOptions;
use crate::formats::log::spec::LogSpec;
use crate::formats::log::table_shape::{Sample, shape_of};
use crate::sources::archive::n_rows_of;
use crate::sources::files::followed::FollowedPositions;
use crate::sources::folder::TakenFiles;
use crate::streams::source::PositionsBody;

/// Checks, if these options are valid, that a log has the same rows in one block as in small blocks
/// and batches of one row.
pub(crate) fn rows_do_not_depend_on_blocks(options: &[(&str, &str)], log: &[u8]) {
    let Ok(spec) = spec(options, log) else {
        return;
    };
    let expected = rows(&spec, log, usize::MAX, usize::MAX);
    for (block_bytes, batch_rows) in [(1, 1), (7, 3), (usize::MAX, 1)] {
        let found = rows(&spec, log, block_bytes, batch_rows);
        assert_eq!(found, expected, "blocks of {block_bytes} bytes");
    }
}

fn spec(options: &[(&str, &str)], log: &[u8]) -> Result<LogSpec> {
    let options = options.iter().copied();
    let options: HashMap<_, _> = options
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect();
    let options = LogOptions::try_new(&options, None)?;
    let head = FileHead {
        text: String::from_utf8_lossy(&log[..log.len().min(1_000)]).into_owned(),
        is_whole: false,
    };
    let lines = log.split(|byte| *byte == b'\n').take(10);
    let objects = lines.filter_map(|line| serde_json::from_slice(line).ok());
    let sample = Sample {
        objects: objects.collect(),
        heads: vec![head],
        ..Sample::default()
    };
    let (found, columns, _) = shape_of(&options, &Fields::empty(), built_in()?, Some(&sample))?;
    LogSpec::try_new(options, found, columns, Arc::default())
}

fn rows(spec: &LogSpec, log: &[u8], block_bytes: usize, batch_rows: usize) -> Vec<String> {
    let columns: Vec<usize> = (0..spec.columns.sources.len()).collect();
    let builder = BatchBuilder::try_new(spec, &columns, batch_rows, "a.log", DateTime::UNIX_EPOCH);
    let mut builder = builder.expect("the columns are those of the table");
    let max_event_bytes = spec.options.max_event_bytes;
    let mut cutter = EventSplitter::new(Arc::clone(&spec.start), max_event_bytes, 0..u64::MAX);
    for block in log.chunks(block_bytes) {
        let block = Buffer::from_vec(block.to_vec());
        cutter.feed(&block, &mut |event| builder.push(event, &block));
        builder.end_block();
    }
    let no_block = Buffer::from_vec(Vec::<u8>::new());
    cutter.finish(&mut |event| builder.push(event, &no_block));
    builder.finish_batch();
    let batches = builder.take_ready().into_iter();
    let batches = batches.map(|batch| batch.expect("any text becomes rows"));
    batches.flat_map(|batch| texts(&batch)).collect()
}

fn texts(batch: &RecordBatch) -> Vec<String> {
    let options = FormatOptions::default().with_null("NULL");
    let columns = batch.columns().iter();
    let columns: Vec<_> = columns
        .map(|column| ArrayFormatter::try_new(column, &options).expect("a column that is shown"))
        .collect();
    let row = |row: usize| {
        let cells = columns.iter().map(|column| column.value(row).to_string());
        cells.collect::<Vec<_>>().join("|")
    };
    (0..batch.num_rows()).map(row).collect()
}

/// Checks that positions of followed files stay the same when they are written and read again.
pub(crate) fn positions(positions: &PositionsBody) {
    if let Ok(written) = FollowedPositions::parse(positions) {
        let value = serde_json::to_value(&written).expect("positions are written");
        let again = FollowedPositions::parse(&value).expect("what was written is read");
        assert_eq!(
            serde_json::to_value(&again).expect("they are written"),
            value
        );
    }
}

/// Checks that positions of a folder stay the same when they are written and read again.
pub(crate) fn folder_positions(positions: &PositionsBody) {
    let _ = n_rows_of(positions);
    if let Ok(taken) = TakenFiles::parse(positions) {
        let value = serde_json::to_value(&taken).expect("positions are written");
        let again = TakenFiles::parse(&value).expect("what was written is read");
        assert_eq!(
            serde_json::to_value(&again).expect("they are written"),
            value
        );
    }
}
