//! The options of `CREATE EXTERNAL TABLE … STORED AS LOG`, checked once at CREATE.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::utils::datafusion_strsim::levenshtein;
use datafusion::common::{Result, plan_err};
use regex::Regex;

use crate::formats::log::encoding::TextEncoding;
use crate::formats::log::event_splitter::EventStart;
use crate::formats::log::known_formats::KnownFormat;
use crate::formats::log::timestamp::TimestampReader;
use crate::streams::live_options::OPTION_NAMES as LIVE_OPTION_NAMES;

/// Every option, as users write it.
const OPTION_NAMES: [&str; 9] = [
    "encoding",
    "format",
    "max_event_bytes",
    "multiline",
    "multiline_start",
    "pattern",
    "raw",
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LineFormat {
    /// What the first lines of the files show.
    Auto,
    /// Plain text, with or without a pattern.
    Text,
    /// One JSON object per line, with its fields as they are.
    Json,
    /// Known formats.
    Named(Vec<String>),
}

/// The checked options.
#[derive(Debug)]
pub(crate) struct LogOptions {
    /// As they were written, without those of live tables and of object stores.
    #[cfg(feature = "distributed")]
    pub(crate) written: HashMap<String, String>,
    pub(crate) format: LineFormat,
    /// Has at least one named group.
    pub(crate) pattern: Option<Arc<KnownFormat>>,
    timestamp_format: Option<String>,
    timezone: Option<String>,
    /// The zone of the session.
    pub(crate) session_zone: Option<String>,
    /// Which lines start an event; `None` if that follows from the format.
    pub(crate) start: Option<EventStart>,
    /// Whether traces belong to the event before in formats of the user, too.
    pub(crate) joins_traces: bool,
    pub(crate) encoding: TextEncoding,
    /// Whether the event as it is in the file is a column.
    pub(crate) has_raw: bool,
    pub(crate) max_event_bytes: usize,
}

impl LogOptions {
    /// Reads the options as DataFusion passes them, with `format.` before each name. Names with
    /// another dot (`aws.region`) are for the object store and are ignored here. `session_zone` is
    /// the zone of times that name none, unless the options have another.
    ///
    /// # Errors
    /// When an option is unknown, a value is not allowed, or two options contradict each other.
    pub(crate) fn try_new(
        options: &HashMap<String, String>,
        session_zone: Option<&str>,
    ) -> Result<Self> {
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
        let pattern = get("pattern").map(pattern).transpose()?;
        let format = line_format(get("format"), pattern.is_some())?;
        if format != LineFormat::Text && pattern.is_some() {
            return plan_err!(
                "Option pattern is for format 'text': the other formats know where their values are. \
                 Leave pattern out, or write format 'text'"
            );
        }
        if format == LineFormat::Json {
            let only_text = ["multiline", "multiline_start"];
            if let Some(name) = only_text.into_iter().find(|name| known.contains_key(name)) {
                return plan_err!(
                    "Option {name} is for format 'text': with format 'json' every event is one object. \
                     Leave {name} out, or write format 'text'"
                );
            }
        }
        let options = Self {
            #[cfg(feature = "distributed")]
            written: owned(&known, session_zone),
            format,
            pattern,
            timestamp_format: get("timestamp_format").map(str::to_string),
            session_zone: session_zone.map(str::to_string),
            timezone: get("timezone").or(session_zone).map(str::to_string),
            start: event_start(get("multiline"), get("multiline_start"))?,
            encoding: get("encoding").map_or(Ok(TextEncoding::Auto), TextEncoding::parse)?,
            joins_traces: get("multiline").is_some(),
            has_raw: flag("raw", get("raw"))?,
            max_event_bytes: max_event_bytes(get("max_event_bytes"))?,
        };
        options.timestamps_of(&[])?;
        Ok(options)
    }

    /// Whether the options say how times are written.
    pub(crate) fn has_timestamp_format(&self) -> bool {
        self.timestamp_format.is_some()
    }

    /// The reader of the times of a format that has these layouts; those of the options count
    /// first.
    ///
    /// # Errors
    /// When a layout or the zone is wrong.
    pub(crate) fn timestamps_of(&self, layouts: &[&str]) -> Result<TimestampReader> {
        let layouts = match &self.timestamp_format {
            Some(layout) => &[layout.as_str()],
            None => layouts,
        };
        TimestampReader::with_layouts(layouts, self.timezone.as_deref())
            .or_else(|error| plan_err!("Option {error}"))
    }
}

#[cfg(feature = "distributed")]
fn owned(options: &HashMap<&str, &str>, session_zone: Option<&str>) -> HashMap<String, String> {
    let zone = session_zone.map(|zone| ("timezone", zone));
    let options = options.iter().map(|(name, value)| (*name, *value));
    let options = zone.into_iter().chain(options);
    options
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect()
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
            " The first bytes of a file tell its compression.".to_string()
        }
        None => String::new(),
    };
    plan_err!(
        "Unknown option '{name}' for STORED AS LOG.{hint} Valid options are: {}",
        names().collect::<Vec<_>>().join(", ")
    )
}

fn line_format(value: Option<&str>, has_pattern: bool) -> Result<LineFormat> {
    let Some(value) = value else {
        return Ok(if has_pattern {
            LineFormat::Text
        } else {
            LineFormat::Auto
        });
    };
    Ok(match value.to_ascii_lowercase().as_str() {
        "auto" => LineFormat::Auto,
        "text" => LineFormat::Text,
        "json" => LineFormat::Json,
        names => LineFormat::Named(
            names
                .split(',')
                .map(|name| name.trim().to_string())
                .collect(),
        ),
    })
}

fn flag(name: &str, value: Option<&str>) -> Result<bool> {
    match value.map(str::to_ascii_lowercase).as_deref() {
        None | Some("off" | "false") => Ok(false),
        Some("on" | "true") => Ok(true),
        Some(other) => plan_err!("Option {name} must be 'on' or 'off', got '{other}'"),
    }
}

fn pattern(value: &str) -> Result<Arc<KnownFormat>> {
    match Regex::new(value) {
        Ok(regex) if regex.capture_names().flatten().next().is_some() => {
            Ok(Arc::new(KnownFormat::of_pattern(value)?))
        }
        Ok(_) => plan_err!(
            "Option pattern needs at least one named group: each becomes a column. \
             Example: {PATTERN_EXAMPLE}. Got '{value}'"
        ),
        Err(error) => plan_err!("Option pattern is not a regular expression: {error}"),
    }
}

/// The rule of the options; `None` for `'auto'`.
fn event_start(
    multiline: Option<&str>,
    multiline_start: Option<&str>,
) -> Result<Option<EventStart>> {
    let rule = multiline.map(str::to_ascii_lowercase);
    match (rule.as_deref(), multiline_start) {
        (None | Some("auto"), None) => Ok(None),
        (Some(_), Some(_)) => {
            plan_err!("Options multiline and multiline_start exclude each other: give one of them")
        }
        (Some("indent"), None) => Ok(Some(EventStart::NotIndented)),
        (Some("off"), None) => Ok(Some(EventStart::EveryLine)),
        (Some(other), None) => plan_err!(
            "Option multiline must be 'auto' (stack traces and the like belong to the event before), 'indent' \
             (indented lines do) or 'off', got '{other}'. For any other rule write \
             multiline_start '<regex of a first line>'"
        ),
        (None, Some(value)) => match regex::bytes::Regex::new(value) {
            Ok(regex) => Ok(Some(EventStart::Matching(regex))),
            Err(error) => plan_err!("Option multiline_start is not a regular expression: {error}"),
        },
    }
}

fn max_event_bytes(value: Option<&str>) -> Result<usize> {
    let Some(value) = value else {
        return Ok(DEFAULT_MAX_EVENT_BYTES);
    };
    match number_of_bytes(value) {
        Some(bytes) if MAX_EVENT_BYTES_RANGE.contains(&bytes) => Ok(bytes),
        _ => plan_err!(
            "Option max_event_bytes must be from {} to {} bytes, such as '4MB', got '{value}'",
            MAX_EVENT_BYTES_RANGE.start(),
            MAX_EVENT_BYTES_RANGE.end()
        ),
    }
}

/// Reads `4096`, `4kB`, `4 MiB`.
fn number_of_bytes(text: &str) -> Option<usize> {
    let n_digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, unit) = text.split_at(n_digits);
    let unit = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" | "bytes" => 1,
        "kb" => 1_000,
        "k" | "kib" => 1 << 10,
        "mb" => 1_000_000,
        "m" | "mib" => 1 << 20,
        _ => return None,
    };
    digits.parse::<usize>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(options: &[(&str, &str)]) -> String {
        let options = options
            .iter()
            .map(|(key, value)| (format!("format.{key}"), value.to_string()));
        LogOptions::try_new(&options.collect(), None)
            .unwrap_err()
            .strip_backtrace()
    }

    #[test]
    fn wrong_options_say_what_to_write() {
        for (options, expected) in [
            (
                &[("patern", "x")][..],
                "Did you mean pattern? Valid options are: encoding, format, max_event_bytes, ",
            ),
            (
                &[("compression", "gzip")],
                "The first bytes of a file tell its compression",
            ),
            (
                &[("pattern", "a(b)")],
                "needs at least one named group: each becomes a column. Example: pattern",
            ),
            (
                &[("pattern", "(?<a>")],
                "Option pattern is not a regular expression",
            ),
            (&[("multiline", "x")], "must be 'auto'"),
            (&[("raw", "x")], "Option raw must be 'on' or 'off', got 'x'"),
            (
                &[("timestamp_format", "yyyy-MM-dd HH:mm:ss")],
                "Write timestamp_format '%Y-%m-%d %H:%M:%S'",
            ),
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
                "from 1024 to 67108864 bytes, such as '4MB', got '10'",
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
        let options = LogOptions::try_new(&options, None).unwrap();
        assert_eq!(
            (options.format, options.max_event_bytes),
            (LineFormat::Auto, 1 << 20)
        );
    }
}
