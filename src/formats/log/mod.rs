//! Log files as a table: `CREATE EXTERNAL TABLE t STORED AS LOG LOCATION '/var/log/app/*.log'`.
//!
//! # Columns
//! `message` (the text of the event, never NULL), `file` (its path), `line_number` (of its first
//! line, from 1). Before these, known formats have `ts` and `level` and then their own columns;
//! `format` says which of several formats an event has. The named groups of the option `pattern`,
//! or with `format 'json'` the fields of the objects, are columns too. A group named `ts`, `time`,
//! `timestamp` or `datetime` is a timestamp in UTC or in the zone of the session, unless a column
//! list in CREATE says otherwise; the list can also give other groups a type.
//!
//! # Options
//! `docs/log-files.md` lists them. An UNBOUNDED table is live: its files are followed. It has the
//! options of all live tables, see `streams/live_options.rs`; other tables check these options but
//! ignore them.
//!
//! # Formats
//! A table has a list of formats, in a fixed order. Each event has the first of them that fits, so
//! that its row depends on its text alone, wherever the file is divided.
//!
//! # JSON
//! With `format 'json'`, `message` is the object's field `message`, or else its field `msg` (zap,
//! logrus, slog and pino write that; the column `msg` remains too), or else the line. A `msg` that
//! is not text, such as a number, is not a message. Known JSON formats say which fields are the
//! time, the level and the message.
//!
//! Fields that are not declared are inferred from the first lines of the files; a field with more
//! than 16 levels of lists and objects, or with values of several kinds, is TEXT that holds its
//! JSON. Fields that come later are in `rest`. A line that is not an object, or has more than 127
//! levels of brackets, is a row with its text as `message`; a value that does not fit its column is
//! NULL. Both are counted, and neither is an error.
//!
//! # The pattern
//! A Rust `regex`, matched against the whole event; `.` does not match a line end. If the group
//! `message` ends with the first line of a multi-line event, it takes the other lines too, so that
//! a stack trace stays with its event. An event that does not match has NULL in the columns of the
//! groups, and the whole event is the message.
//!
//! # How
//! ```text
//! spec      what a scan needs to know of its table      log_options, columns, locations: what CREATE says, checked
//! table_shape  the formats and columns of a table       detection, known_formats, w3c, json_mapping: what the files show
//! format    what DataFusion's ListingTable asks for     table: the ListingTable that sees new files
//! scan      which columns and byte ranges, metrics      opener: one file, one stream
//! blocks    bytes, decompressed, as UTF-8               event_splitter, trace_lines, object_splitter: bytes -> events (pure)
//! batches   events -> columns                           text_rows, extractor, json_rows, string_column, timestamp
//! counters  per table and per scan
//! ```
//!
//! CREATE itself is in `sources/log_factory`, and `sources/files` reads logs that grow.
//!
//! # Limits
//! No writing. A file is not split between partitions if it is compressed, in another encoding than
//! UTF-8 or of JSON objects longer than a line, nor if the query asks for line numbers or for times in
//! a zone whose clock changes. Memory: a batch, a block and an event (`max_event_bytes`)
//! for each partition.

pub(crate) mod batches;
pub(crate) mod blocks;
pub(crate) mod columns;
pub(crate) mod counters;
pub(crate) mod detection;
pub(crate) mod encoding;
pub(crate) mod event_splitter;
mod extractor;
pub(crate) mod fitting_layout;
pub(crate) mod format;
#[cfg(test)]
mod format_samples;
pub(crate) mod json_columns;
pub(crate) mod json_mapping;
mod json_nesting;
mod json_rows;
pub(crate) mod json_sample;
pub(crate) mod known_formats;
mod levels;
pub(crate) mod locations;
pub(crate) mod log_options;
pub(crate) mod log_settings;
mod object_splitter;
mod opener;
pub(crate) mod scan;
pub(crate) mod spec;
mod string_column;
pub(crate) mod table;
pub(crate) mod table_shape;
mod text_rows;
mod time_layout;
mod timestamp;
mod trace_lines;
mod w3c;
mod zone_abbreviations;
