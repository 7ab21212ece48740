//! Log files as a table: `CREATE EXTERNAL TABLE t STORED AS LOG LOCATION '/var/log/app/*.log'`.
//!
//! # Columns
//! `message` (the text of the event, never NULL), `file` (its path), `line_number` (of its first
//! line, from 1). With the option `pattern` its named groups are columns before these, with `format
//! 'json'` the fields of the objects are. A group named `ts`, `time`, `timestamp` or `datetime` is
//! a timestamp in UTC; a column list in CREATE says otherwise, or gives other groups a type. A
//! field or group `message` is the column `message`.
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
//! A table that is UNBOUNDED is live: its files are followed. It has the options of all live
//! tables, see `streams/live_options.rs`; a table that is not checks them and does without.
//!
//! # JSON
//! `message` is the object's field `message`, or else its field `msg` (zap, logrus, slog and pino
//! write that; the column `msg` stays too), or else the line. A `msg` that is no text, such as a
//! number, is no message.
//!
//! Fields that are not declared are inferred from the first 1,000 lines of the files; a field with
//! more than 16 levels of lists and objects is TEXT, its JSON. A line that is no object, or has
//! more than 127 levels of brackets, is a row with its text as `message`; a value that does not fit
//! its column is NULL. Both are counted, neither is an error.
//!
//! # The pattern
//! A Rust `regex`, matched against the whole event; `.` does not match a line end. If the group
//! `message` ends with the first line of a multi-line event, it takes the other lines too, so that
//! a stack trace stays with its event. An event that does not match has NULL in the columns of the
//! groups and is itself the message.
//!
//! # How
//! ```text
//! spec      what a scan needs to know of its table      log_options, columns, locations: what CREATE says, checked
//! format    what DataFusion's ListingTable asks for     table: the ListingTable that sees new files
//! scan      which columns and byte ranges, metrics      opener: one file, one stream
//! blocks    bytes, decompressed, 1 MiB at a time        event_splitter: bytes -> events (pure)
//! batches   events -> columns                           text_rows, json_rows, string_column, timestamp
//! counters  per table and per scan
//! ```
//!
//! CREATE itself is in `sources/log_factory`, and what reads logs that grow in `sources/files`.
//!
//! # Limits
//! Plain, gzip and zstd. No writing. Line numbers make a file one piece of work, as compression
//! does. Memory: a batch, a block and an event (`max_event_bytes`) for each partition.

pub(crate) mod batches;
pub(crate) mod blocks;
pub(crate) mod columns;
pub(crate) mod counters;
pub(crate) mod event_splitter;
pub(crate) mod format;
pub(crate) mod json_columns;
mod json_nesting;
mod json_rows;
pub(crate) mod json_sample;
pub(crate) mod locations;
pub(crate) mod log_options;
mod opener;
mod scan;
pub(crate) mod spec;
mod string_column;
pub(crate) mod table;
mod text_rows;
mod timestamp;
