//! The options that every live table has, whatever it is STORED AS.
//!
//! | option | value |
//! | --- | --- |
//! | `time_column` | the column with the event time; default: the timestamp whose name says that it is a time (`ts`, `time`, `timestamp`, `datetime`), or the only timestamp, otherwise the moment of reading |
//! | `delay` | how much older than the newest row of its file a row may be; default `1s` |
//! | `idle_timeout` | the watermark does not wait for a file to which nothing was written for this long; default `5s` |
//! | `max_skew` | how far ahead of this machine's clock an event time may move the watermark; default: the `delay` |
//! | `read_from` | `start` (default), or `end`: only what is written from now on |
//! | `buffer_bytes` | bytes of rows that a statement holds in memory before it spills; default 256 MiB |
//!
//! A table that is not live accepts and checks them too, but does not use them, so that UNBOUNDED
//! is the only word that changes.

use std::collections::HashMap;

use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::common::{Result, plan_err};

use crate::algorithms::units::SECOND;
use crate::algorithms::windows::watermark::WatermarkOptions;
use crate::time::is_time_name;
use crate::time::parse_duration_or_zero;

/// The names of all options, as they are written.
pub(crate) const OPTION_NAMES: [&str; 6] = [
    "buffer_bytes",
    "delay",
    "idle_timeout",
    "max_skew",
    "read_from",
    "time_column",
];
/// Threads and buffered writers put the lines of one process out of order by less than this.
const DEFAULT_DELAY: i64 = SECOND;
/// A service under load that writes at all writes more often than this.
const DEFAULT_IDLE_TIMEOUT: i64 = 5 * SECOND;
/// Half a minute of 50,000 lines a second with about 150 bytes each.
pub(crate) const DEFAULT_BUFFER_BYTES: usize = 256 << 20;
/// Below 1 MiB not even one block of a file fits.
const MIN_BUFFER_BYTES: usize = 1 << 20;

/// Where reading begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadFrom {
    /// With everything that is there.
    Start,
    /// With what is written from now on.
    End,
}

/// The checked options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LiveOptions {
    pub(crate) time_column: Option<String>,
    pub(crate) watermark: WatermarkOptions,
    pub(crate) read_from: ReadFrom,
    pub(crate) buffer_bytes: usize,
}

impl LiveOptions {
    /// Reads the options, with or without the `format.` that DataFusion puts before each name, and
    /// ignores all others.
    ///
    /// # Errors
    /// A value that is not allowed.
    pub(crate) fn try_new(options: &HashMap<String, String>) -> Result<Self> {
        let get = |name: &str| {
            let value = options.get(&format!("format.{name}"));
            value.or_else(|| options.get(name)).map(String::as_str)
        };
        let delay = duration("delay", get("delay"), DEFAULT_DELAY)?;
        Ok(Self {
            time_column: get("time_column").map(str::to_string),
            watermark: WatermarkOptions {
                delay,
                idle_timeout: duration("idle_timeout", get("idle_timeout"), DEFAULT_IDLE_TIMEOUT)?,
                max_skew: duration("max_skew", get("max_skew"), delay)?,
            },
            read_from: read_from(get("read_from"))?,
            buffer_bytes: buffer_bytes(get("buffer_bytes"))?,
        })
    }

    /// The index of the event-time column in a table of this schema; `None`: the moment of reading.
    ///
    /// # Errors
    /// When the named column does not exist, or is not a timestamp.
    pub(crate) fn time_column_of(&self, schema: &Schema) -> Result<Option<usize>> {
        let Some(name) = &self.time_column else {
            return Ok(likely_time_column(schema));
        };
        let Some((index, field)) = schema.column_with_name(name) else {
            let names: Vec<_> = schema
                .fields()
                .iter()
                .map(|field| field.name().as_str())
                .collect();
            return plan_err!(
                "Option time_column '{name}' is no column: the table has {}",
                names.join(", ")
            );
        };
        match field.data_type() {
            DataType::Timestamp(..) => Ok(Some(index)),
            other => plan_err!(
                "Option time_column '{name}' must be a TIMESTAMP, but it is {other}: declare it in the column list, \
                 as in CREATE UNBOUNDED EXTERNAL TABLE t ({name} TIMESTAMP, …)"
            ),
        }
    }
}

fn likely_time_column(schema: &Schema) -> Option<usize> {
    let fields = schema.fields().iter().enumerate();
    let times: Vec<_> = fields
        .filter(|(_, field)| matches!(field.data_type(), DataType::Timestamp(..)))
        .collect();
    let named = times.iter().find(|(_, field)| is_time_name(field.name()));
    match (named, &times[..]) {
        (Some((index, _)), _) | (None, [(index, _)]) => Some(*index),
        _ => None,
    }
}

fn duration(name: &str, value: Option<&str>, default: i64) -> Result<i64> {
    let Some(value) = value else {
        return Ok(default);
    };
    match parse_duration_or_zero(value) {
        Some(duration) => Ok(duration),
        None => plan_err!(
            "Option {name} must be a length of time such as '500ms', '5s' or '1 minute', got '{value}'"
        ),
    }
}

fn read_from(value: Option<&str>) -> Result<ReadFrom> {
    match value {
        None => Ok(ReadFrom::Start),
        Some(text) if text.eq_ignore_ascii_case("start") => Ok(ReadFrom::Start),
        Some(text) if text.eq_ignore_ascii_case("end") => Ok(ReadFrom::End),
        Some(other) => plan_err!(
            "Option read_from must be 'start' (all that is there) or 'end' (only what is written from now on), got '{other}'"
        ),
    }
}

fn buffer_bytes(value: Option<&str>) -> Result<usize> {
    let Some(value) = value else {
        return Ok(DEFAULT_BUFFER_BYTES);
    };
    match value.parse::<usize>() {
        Ok(bytes) if bytes >= MIN_BUFFER_BYTES => Ok(bytes),
        _ => plan_err!(
            "Option buffer_bytes must be a whole number of bytes, {MIN_BUFFER_BYTES} or more, got '{value}'"
        ),
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::datatypes::{Field, TimeUnit};

    use super::*;

    fn options(options: &[(&str, &str)]) -> Result<LiveOptions> {
        let options = options
            .iter()
            .map(|(key, value)| (format!("format.{key}"), value.to_string()));
        LiveOptions::try_new(&options.collect())
    }

    #[test]
    fn wrong_values_say_what_to_write() {
        for (name, value, expected) in [
            ("delay", "5", "must be a length of time such as '500ms'"),
            ("delay", "-5s", "Option delay must be"),
            ("idle_timeout", "1 month", "Option idle_timeout must be"),
            ("read_from", "middle", "must be 'start'"),
            ("buffer_bytes", "1000", "1048576 or more, got '1000'"),
        ] {
            let error = options(&[(name, value)]).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn the_skew_is_the_delay_unless_it_is_given() {
        let given = options(&[("delay", "0s"), ("read_from", "END")]).unwrap();
        assert_eq!((given.watermark.delay, given.watermark.max_skew), (0, 0));
        assert_eq!(given.read_from, ReadFrom::End);
        let given = options(&[("max_skew", "1 minute")]).unwrap();
        assert_eq!(
            (given.watermark.delay, given.watermark.max_skew),
            (SECOND, 60 * SECOND)
        );
    }

    #[test]
    fn the_time_column_is_found() {
        let time = |name: &str| Field::new(name, DataType::Timestamp(TimeUnit::Second, None), true);
        let text = |name: &str| Field::new(name, DataType::Utf8, true);
        for (fields, expected) in [
            (vec![text("ts"), time("created")], Some(1)),
            (vec![time("created"), time("Timestamp")], Some(1)),
            (vec![time("created"), time("changed")], None),
            (vec![text("ts")], None),
        ] {
            let found = options(&[]).unwrap().time_column_of(&Schema::new(fields));
            assert_eq!(found.unwrap(), expected);
        }
        let schema = Schema::new(vec![text("ts"), time("created")]);
        for (name, expected) in [
            ("ts", "must be a TIMESTAMP"),
            ("x", "is no column: the table has ts, created"),
        ] {
            let error = options(&[("time_column", name)])
                .unwrap()
                .time_column_of(&schema)
                .unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
}
