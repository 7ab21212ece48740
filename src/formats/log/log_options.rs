//! The options of `CREATE EXTERNAL TABLE … STORED AS LOG`, checked once at CREATE.

use std::collections::HashMap;

use datafusion::common::utils::datafusion_strsim::levenshtein;
use datafusion::common::{Result, plan_err};
use regex::Regex;

use crate::formats::log::event_splitter::EventStart;
use crate::formats::log::timestamp::TimestampReader;
use crate::streams::live_options::OPTION_NAMES as LIVE_OPTION_NAMES;

/// Every option, as users write it.
const OPTION_NAMES: [&str; 7] = [
    "format",
    "max_event_bytes",
    "multiline",
    "multiline_start",
    "pattern",
    "timestamp_format",
    "timezone",
];
/// 1 MiB: the most that journald and most shippers allow, and far more than any stack trace seen so
/// far.
const DEFAULT_MAX_EVENT_BYTES: usize = 1 << 20;
/// Below 1 KiB ordinary lines would be cut; above 64 MiB a single batch of such events would fill
/// the memory.
const MAX_EVENT_BYTES_RANGE: std::ops::RangeInclusive<usize> = 1 << 10..=64 << 20;
/// A misspelt option differs from a known one in at most this many letters.
const NEAR_MISS_LETTERS: usize = 3;
const PATTERN_EXAMPLE: &str = r"pattern '^(?<ts>\S+ \S+) (?<level>[A-Z]+) (?<message>.*)$'";

/// The format of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineFormat {
    /// Plain text, with or without a pattern.
    Text,
    /// One JSON object per line.
    Json,
}

/// The checked options.
#[derive(Debug)]
pub(crate) struct LogOptions {
    /// As they were written, without those of live tables and of object stores.
    #[cfg(feature = "distributed")]
    pub(crate) written: HashMap<String, String>,
    pub(crate) format: LineFormat,
    /// Has at least one named group.
    pub(crate) pattern: Option<Regex>,
    pub(crate) timestamps: TimestampReader,
    pub(crate) start: EventStart,
    pub(crate) max_event_bytes: usize,
}

impl LogOptions {
    /// Reads the options as DataFusion passes them, with `format.` before each name. Names with
    /// another dot (`aws.region`) are for the object store and are ignored here.
    ///
    /// # Errors
    /// When an option is unknown, a value is not allowed, or two options contradict each other.
    pub(crate) fn try_new(options: &HashMap<String, String>) -> Result<Self> {
        let mut known = HashMap::new();
        for (key, value) in options {
            let name = key.strip_prefix("format.").unwrap_or(key);
            if OPTION_NAMES.contains(&name) {
                known.insert(name, value.as_str());
            } else if LIVE_OPTION_NAMES.contains(&name) {
                // Options of live tables are read by `streams/live_options.rs`.
            } else if !name.contains('.') {
                return unknown_option(name);
            }
        }
        let get = |name: &str| known.get(name).copied();
        let format = line_format(get("format"))?;
        if format == LineFormat::Json {
            let only_text = ["pattern", "multiline", "multiline_start"];
            if let Some(name) = only_text.into_iter().find(|name| known.contains_key(name)) {
                return plan_err!(
                    "Option {name} is for format 'text': with format 'json' every line is one object. \
                     Leave {name} out, or write format 'text'"
                );
            }
        }
        let timestamps = TimestampReader::try_new(get("timestamp_format"), get("timezone"))
            .or_else(|error| plan_err!("Option {error}"))?;
        Ok(Self {
            #[cfg(feature = "distributed")]
            written: owned(&known),
            format,
            pattern: get("pattern").map(pattern).transpose()?,
            timestamps,
            start: event_start(get("multiline"), get("multiline_start"))?,
            max_event_bytes: max_event_bytes(get("max_event_bytes"))?,
        })
    }
}

#[cfg(feature = "distributed")]
fn owned(options: &HashMap<&str, &str>) -> HashMap<String, String> {
    let options = options.iter();
    let options = options.map(|(name, value)| ((*name).to_string(), (*value).to_string()));
    options.collect()
}

fn unknown_option<T>(name: &str) -> Result<T> {
    let names = || OPTION_NAMES.into_iter().chain(LIVE_OPTION_NAMES);
    let nearest = names()
        .map(|option| (levenshtein(option, name), option))
        .min()
        .filter(|(letters, _)| *letters <= NEAR_MISS_LETTERS);
    let hint = match nearest {
        Some((_, option)) => format!(" Did you mean {option}?"),
        None if name == "compression" => {
            " Compression is told by the file name: .gz and .zst are read as such.".to_string()
        }
        None => String::new(),
    };
    plan_err!(
        "Unknown option '{name}' for STORED AS LOG.{hint} Valid options are: {}",
        names().collect::<Vec<_>>().join(", ")
    )
}

fn line_format(value: Option<&str>) -> Result<LineFormat> {
    match value {
        None => Ok(LineFormat::Text),
        Some(text) if text.eq_ignore_ascii_case("text") => Ok(LineFormat::Text),
        Some(text) if text.eq_ignore_ascii_case("json") => Ok(LineFormat::Json),
        Some(other) => plan_err!("Option format must be 'text' or 'json', got '{other}'"),
    }
}

fn pattern(value: &str) -> Result<Regex> {
    match Regex::new(value) {
        Ok(regex) if regex.capture_names().flatten().next().is_some() => Ok(regex),
        Ok(_) => plan_err!(
            "Option pattern needs at least one named group: each becomes a column. \
             Example: {PATTERN_EXAMPLE}. Got '{value}'"
        ),
        Err(error) => plan_err!("Option pattern is not a regular expression: {error}"),
    }
}

fn event_start(multiline: Option<&str>, multiline_start: Option<&str>) -> Result<EventStart> {
    match (multiline, multiline_start) {
        (None, None) => Ok(EventStart::EveryLine),
        (Some(_), Some(_)) => {
            plan_err!("Options multiline and multiline_start exclude each other: give one of them")
        }
        (Some(rule), None) if rule.eq_ignore_ascii_case("indent") => Ok(EventStart::NotIndented),
        (Some(other), None) => plan_err!(
            "Option multiline must be 'indent' (indented lines belong to the event before), got '{other}'. \
             For any other rule write multiline_start '<regex of a first line>'"
        ),
        (None, Some(value)) => match regex::bytes::Regex::new(value) {
            Ok(regex) => Ok(EventStart::Matching(regex)),
            Err(error) => plan_err!("Option multiline_start is not a regular expression: {error}"),
        },
    }
}

fn max_event_bytes(value: Option<&str>) -> Result<usize> {
    let Some(value) = value else {
        return Ok(DEFAULT_MAX_EVENT_BYTES);
    };
    match value.parse::<usize>() {
        Ok(bytes) if MAX_EVENT_BYTES_RANGE.contains(&bytes) => Ok(bytes),
        _ => plan_err!(
            "Option max_event_bytes must be a whole number of bytes from {} to {}, got '{value}'",
            MAX_EVENT_BYTES_RANGE.start(),
            MAX_EVENT_BYTES_RANGE.end()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(options: &[(&str, &str)]) -> String {
        let options = options
            .iter()
            .map(|(key, value)| (format!("format.{key}"), value.to_string()));
        LogOptions::try_new(&options.collect())
            .unwrap_err()
            .strip_backtrace()
    }

    #[test]
    fn wrong_options_say_what_to_write() {
        for (options, expected) in [
            (
                &[("patern", "x")][..],
                "Did you mean pattern? Valid options are: format, max_event_bytes, ",
            ),
            (
                &[("compression", "gzip")],
                "Compression is told by the file name",
            ),
            (
                &[("format", "csv")],
                "Option format must be 'text' or 'json', got 'csv'",
            ),
            (
                &[("pattern", "a(b)")],
                "needs at least one named group: each becomes a column. Example: pattern",
            ),
            (
                &[("pattern", "(?<a>")],
                "Option pattern is not a regular expression",
            ),
            (&[("multiline", "x")], "must be 'indent'"),
            (
                &[("multiline_start", "(")],
                "Option multiline_start is not a regular expression",
            ),
            (
                &[("multiline", "indent"), ("multiline_start", "a")],
                "exclude each other",
            ),
            (
                &[("max_event_bytes", "10")],
                "from 1024 to 67108864, got '10'",
            ),
            (&[("timezone", "Mars")], "Option timezone must be an offset"),
            (
                &[("format", "json"), ("pattern", "(?<a>.)")],
                "Option pattern is for format 'text'",
            ),
        ] {
            let error = error(options);
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn options_of_object_stores_are_let_through() {
        let options = HashMap::from([("aws.region".to_string(), "eu-1".to_string())]);
        let options = LogOptions::try_new(&options).unwrap();
        assert_eq!(
            (options.format, options.max_event_bytes),
            (LineFormat::Text, 1 << 20)
        );
    }
}
