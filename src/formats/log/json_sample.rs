//! The first JSON objects of the files of a table, from which its columns are inferred.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::object_store::{ObjectMeta, ObjectStore};
use serde_json::{Map, Value};

use crate::formats::log::blocks::BlockReader;
use crate::formats::log::event_splitter::{EventSplitter, EventStart};
use crate::formats::log::log_options::LogOptions;

/// The number of lines to look at in total, the same as DataFusion's for its own JSON tables.
const SAMPLE_LINES: usize = 1000;
/// The least number of lines per file, so that a folder of many files is not opened file by file
/// for one line each.
const SAMPLE_LINES_PER_FILE: usize = 10;
/// The number of bytes to read from a file at once; a thousand lines take a few such reads.
const SAMPLE_BYTES: u64 = 256 << 10;

/// The objects in the first lines of the files; each file has its share of the lines.
///
/// # Errors
/// When a file cannot be read.
pub(crate) async fn sample_objects(
    options: &LogOptions,
    store: &Arc<dyn ObjectStore>,
    files: &[ObjectMeta],
    path_prefix: &str,
) -> Result<Vec<Map<String, Value>>> {
    let mut objects = Vec::new();
    let mut n_lines_left = SAMPLE_LINES;
    for (file_idx, file) in files.iter().enumerate() {
        let share = n_lines_left
            .div_ceil(files.len() - file_idx)
            .max(SAMPLE_LINES_PER_FILE);
        let n_lines = share.min(n_lines_left);
        if n_lines == 0 {
            break;
        }
        n_lines_left -=
            sample_file(options, store, file, n_lines, path_prefix, &mut objects).await?;
    }
    Ok(objects)
}

/// Appends the objects in the first `n_lines` lines, and returns how many lines there were.
async fn sample_file(
    options: &LogOptions,
    store: &Arc<dyn ObjectStore>,
    file: &ObjectMeta,
    n_lines: usize,
    path_prefix: &str,
    objects: &mut Vec<Map<String, Value>>,
) -> Result<usize> {
    let mut reader = BlockReader::open(
        Arc::clone(store),
        file,
        0..SAMPLE_BYTES,
        path_prefix,
        options.encoding,
    )
    .await?;
    let mut cutter = EventSplitter::new(
        Arc::new(EventStart::EveryLine),
        options.max_event_bytes,
        0..u64::MAX,
    );
    let mut n_seen = 0;
    let mut take_line = |line: &[u8]| {
        if n_seen < n_lines {
            n_seen += 1;
            if let Ok(Value::Object(object)) = serde_json::from_slice(line) {
                objects.push(object);
            }
        }
        n_seen == n_lines
    };
    let mut is_enough = false;
    while !is_enough {
        match reader.next().await? {
            Some(block) => cutter.feed(&block, &mut |event| is_enough = take_line(event.text)),
            None => {
                cutter.finish(&mut |event| is_enough = take_line(event.text));
                break;
            }
        }
    }
    Ok(n_seen)
}
