//! Log files as a table: `CREATE EXTERNAL TABLE t STORED AS LOG LOCATION '/var/log/app/*.log'`.
//!
//! # Columns
//! `message` (the text of the event, never NULL), `file` (its path), `line_number` (of its first line, from 1). With the
//! option `pattern` its named groups are columns before these, with `format 'json'` the fields of the objects are.
//! A group named `ts`, `time`, `timestamp` or `datetime` is a timestamp in UTC; a column list in CREATE says otherwise, or
//! gives other groups a type. A field or group `message` is the column `message`.
//!
//! # Options
//! | option | value |
//! | --- | --- |
//! | `format` | `'text'` (default), or `'json'`: one object a line |
//! | `pattern` | a regex with named groups `(?<level>[A-Z]+)`: each is a column |
//! | `timestamp_format` | strftime, for times that are not ISO 8601: `'%b %e %H:%M:%S'` |
//! | `timezone` | of times that name none: an offset `'+08:00'` or a zone name; default UTC |
//! | `multiline_start` | a regex: a line that matches starts an event, others belong to the event before |
//! | `multiline` | `'indent'`: a line that begins with white space belongs to the event before |
//! | `max_event_bytes` | what is longer is cut there; default 1 MiB |
//!
//! A table that is UNBOUNDED is live: its files are followed. It has the options of all live tables, see
//! `tables/live/options.rs`; a table that is not checks them and does without.
//!
//! # JSON
//! `message` is the object's field `message`, or else its field `msg` (zap, logrus, slog and pino write that; the column
//! `msg` stays too), or else the line. A `msg` that is no text, such as a number, is no message.
//!
//! Fields that are not declared are inferred from the first 1,000 lines of the files; a field with more than 16 levels of
//! lists and objects is TEXT, its JSON. A line that is no object, or has more than 127 levels of brackets, is a row
//! with its text as `message`; a value that does not fit its column is NULL. Both are counted, neither is an error.
//!
//! # The pattern
//! A Rust `regex`, matched against the whole event; `.` does not match a line end. If the group `message` ends with the
//! first line of a multi-line event, it takes the other lines too, so that a stack trace stays with its event. An event
//! that does not match has NULL in the columns of the groups and is itself the message.
//!
//! # How
//! ```text
//! factory   CREATE: options, locations, columns, checked        -> ListingTable over format   table, locations, spec
//! source    which columns and byte ranges, metrics              opener: one file, one stream
//! blocks    bytes, decompressed, 1 MiB at a time                cutter: bytes -> events (pure)
//! batches   events -> columns                                   text_rows, json_rows, string_column, timestamp
//! counters  per table and per scan                              scans: aiops_scans()
//! followed  live: bytes of files that grow, packed: compressed ones, stdin        growing: bytes as they come -> rows
//! replay    live: what was read before, again, in steps
//! ```
//!
//! # Limits
//! Plain, gzip and zstd. No writing. Line numbers make a file one piece of work, as compression does. Memory: a batch, a
//! block and an event (`max_event_bytes`) for each partition.

mod batches;
mod blocks;
mod columns;
mod counters;
mod cutter;
mod factory;
mod followed;
mod format;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod growing;
mod json_columns;
mod json_nesting;
mod json_rows;
mod json_sample;
mod locations;
mod opener;
mod options;
mod packed;
mod replay;
mod scans;
mod source;
mod spec;
mod stdin;
mod string_column;
mod table;
#[cfg(test)]
mod tests;
mod text_rows;
mod timestamp;

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::SessionState;

pub(crate) use self::columns::is_time_name;
pub(crate) use self::locations::forget_listed_files;
pub(crate) use self::table::LogTable;
use crate::tables::live::clock::MachineClock;
use crate::tables::live::counters::StreamRegistry;
use crate::tables::live::options::LiveOptions;
use crate::tables::live::table::LiveTable;

/// Adds STORED AS LOG and the table function `aiops_scans()` to a session.
pub(crate) fn register(state: &mut SessionState, streams: Arc<StreamRegistry>) -> Result<()> {
    let registry = Arc::new(counters::ScanRegistry::default());
    register_stdin(state, &streams)?;
    let factory = factory::LogTableFactory::new(Arc::clone(&registry), streams);
    state
        .table_factories_mut()
        .insert("LOG".to_string(), Arc::new(factory));
    state.register_udtf("aiops_scans", Arc::new(scans::AiopsScans::new(registry)));
    Ok(())
}

/// The table `stdin`, unless the session's default schema takes no tables or has one of that name.
fn register_stdin(state: &SessionState, streams: &Arc<StreamRegistry>) -> Result<()> {
    let Ok(schema) = state.schema_for_ref("stdin") else {
        return Ok(());
    };
    if schema.table_exist("stdin") {
        return Ok(());
    }
    let spec = Arc::new(spec::plain_text()?);
    let table = LiveTable::try_new(
        "stdin".to_string(),
        Arc::new(stdin::StdinSource { spec }),
        &LiveOptions::try_new(&HashMap::new())?,
        Arc::new(MachineClock),
        Arc::clone(streams),
    )?;
    // A catalog that takes no tables is no reason to be without the rest.
    let _ = schema.register_table("stdin".to_string(), Arc::new(table));
    Ok(())
}
