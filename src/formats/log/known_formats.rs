//! The log formats that are known by name: `known_formats.toml`, and those of users.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock, OnceLock};

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, plan_datafusion_err, plan_err};
use regex::bytes::Regex;
use serde::{Deserialize, Serialize};

use crate::formats::log::columns::{FILE, FORMAT, LEVEL, LINE_NUMBER, MESSAGE, TIME};
use crate::formats::log::levels::Levels;

const BUILT_IN: &str = include_str!("known_formats.toml");
/// A group whose name begins with this is no column.
const HIDDEN: char = '_';

/// The formats of this crate, special ones first.
static KNOWN: LazyLock<std::result::Result<Vec<Arc<KnownFormat>>, String>> =
    LazyLock::new(|| parse(BUILT_IN).map_err(|error| error.strip_backtrace()));

/// A log format.
#[derive(Debug)]
pub(crate) struct KnownFormat {
    written: WrittenFormat,
    pub(crate) kind: FormatKind,
    pub(crate) levels: Levels,
    types: BTreeMap<String, DataType>,
    pattern: OnceLock<Regex>,
    head: OnceLock<Regex>,
}

/// How the lines of a format are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FormatKind {
    /// By a pattern with named groups.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
    /// `key=value key="value"`.
    Logfmt,
    /// By the names in the line `#Fields:` of the file.
    W3c,
}

/// A format as it is written in a file; `known_formats.toml` says what the fields mean.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct WrittenFormat {
    name: String,
    about: String,
    kind: FormatKind,
    #[serde(skip_serializing_if = "String::is_empty")]
    pattern: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    partial: Option<String>,
    continues: bool,
    time: Vec<String>,
    none: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    level_of: Option<String>,
    keys: Vec<String>,
    byte_lists: bool,
    ts: Vec<String>,
    level: Vec<String>,
    message: Vec<String>,
    levels: Levels,
    within: BTreeMap<String, String>,
    columns: BTreeMap<String, String>,
    #[serde(skip_serializing)]
    sample: Vec<BTreeMap<String, String>>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct WrittenFormats {
    format: Vec<WrittenFormat>,
}

/// The formats of this crate, in the order in which they are tried.
///
/// # Errors
/// None: a test reads them.
pub(crate) fn built_in() -> Result<&'static [Arc<KnownFormat>]> {
    match &*KNOWN {
        Ok(formats) => Ok(formats),
        Err(error) => plan_err!("{error}"),
    }
}

/// The formats of a user's file, which come before those of this crate.
///
/// # Errors
/// When the file cannot be read or a format is wrong.
pub(crate) fn with_formats_of(file: &str) -> Result<Vec<Arc<KnownFormat>>> {
    let built_in = built_in()?;
    if file.is_empty() {
        return Ok(built_in.to_vec());
    }
    let text = std::fs::read_to_string(Path::new(file)).map_err(|error| {
        plan_datafusion_err!("aiops.log_formats: {file} cannot be read: {error}")
    })?;
    let own = parse(&text).map_err(|error| error.context(format!("aiops.log_formats: {file}")))?;
    for format in &own {
        format.check()?;
    }
    let is_replaced =
        |format: &&Arc<KnownFormat>| own.iter().any(|own| own.name() == format.name());
    let others = built_in
        .iter()
        .filter(|format| !is_replaced(format))
        .cloned();
    Ok(own.iter().cloned().chain(others).collect())
}

/// Reads formats as a file has them.
///
/// # Errors
/// When the text is not TOML, or a format lacks what it needs.
pub(crate) fn parse(text: &str) -> Result<Vec<Arc<KnownFormat>>> {
    let written: WrittenFormats =
        toml::from_str(text).map_err(|error| plan_datafusion_err!("{error}"))?;
    let formats = written
        .format
        .into_iter()
        .map(|format| Ok(Arc::new(KnownFormat::try_new(format)?)));
    formats.collect()
}

/// Formats as a file has them, for another process.
///
/// # Errors
/// None for formats that were read.
#[cfg(feature = "distributed")]
pub(crate) fn to_text(formats: &[Arc<KnownFormat>]) -> Result<String> {
    let format = formats
        .iter()
        .map(|format| format.written.clone())
        .collect();
    toml::to_string(&WrittenFormats { format })
        .map_err(|error| plan_datafusion_err!("log formats cannot be written: {error}"))
}

impl KnownFormat {
    fn try_new(written: WrittenFormat) -> Result<Self> {
        let name = &written.name;
        let is_word = |symbol: char| symbol.is_ascii_alphanumeric() || "_-.".contains(symbol);
        if name.is_empty() || !name.chars().all(is_word) {
            return plan_err!("a log format needs a name of letters, digits and _, got '{name}'");
        }
        if (written.kind == FormatKind::Text) == written.pattern.is_empty() {
            return plan_err!(
                "log format {name}: a pattern is what kind 'text' needs, and no other"
            );
        }
        let types = written
            .columns
            .iter()
            .map(|(column, data_type)| Ok((column.clone(), type_of(name, column, data_type)?)));
        Ok(Self {
            types: types.collect::<Result<_>>()?,
            kind: written.kind,
            levels: written.levels.clone(),
            pattern: OnceLock::new(),
            head: OnceLock::new(),
            written,
        })
    }

    /// The format of the option `pattern`.
    ///
    /// # Errors
    /// When it is not a regular expression.
    pub(crate) fn of_pattern(pattern: &str) -> Result<Self> {
        let format = Self::try_new(WrittenFormat {
            name: "pattern".to_string(),
            pattern: pattern.to_string(),
            continues: true,
            ..WrittenFormat::default()
        })?;
        format.check()?;
        Ok(format)
    }

    /// The format of lines whose fields have these names, from the header of a W3C log.
    ///
    /// # Errors
    /// None for fields without white space.
    pub(crate) fn of_w3c(pattern: String, types: &[(&str, &str)]) -> Result<Self> {
        let columns = types
            .iter()
            .map(|(name, data_type)| ((*name).to_string(), (*data_type).to_string()));
        Self::try_new(WrittenFormat {
            name: "w3c".to_string(),
            about: "W3C extended log (IIS)".to_string(),
            pattern,
            none: vec!["-".to_string()],
            columns: columns.collect(),
            ..WrittenFormat::default()
        })
    }

    /// Compiles the patterns, which otherwise happens when they are first needed.
    ///
    /// # Errors
    /// A sentence that says which one is wrong.
    pub(crate) fn check(&self) -> Result<()> {
        let name = self.name();
        let texts = [
            Some(&self.written.pattern),
            self.written.start.as_ref(),
            self.written.partial.as_ref(),
        ];
        for text in texts
            .into_iter()
            .flatten()
            .chain(self.written.within.values())
        {
            // Groups must end between characters, which patterns of bytes do not promise.
            regex::Regex::new(text).map_err(|error| {
                plan_datafusion_err!("log format {name}: not a regular expression: {error}")
            })?;
        }
        for sample in &self.written.sample {
            let Some(text) = sample.get("text") else {
                return plan_err!("log format {name}: a sample has no text");
            };
            if self.kind == FormatKind::Text && !self.fits(text.as_bytes()) {
                return plan_err!("log format {name} does not fit its sample: {text}");
            }
        }
        Ok(())
    }

    pub(crate) fn name(&self) -> &str {
        &self.written.name
    }

    /// What it is the format of.
    pub(crate) fn about(&self) -> &str {
        &self.written.about
    }

    /// The layouts of its times.
    pub(crate) fn layouts(&self) -> Vec<&str> {
        self.written.time.iter().map(String::as_str).collect()
    }

    /// Whether lines of another shape belong to the event before.
    pub(crate) fn continues(&self) -> bool {
        self.written.continues || self.written.start.is_some()
    }

    /// Whether the pattern is for the first line of an event alone. A pattern for several lines says
    /// so by its `start`, and that of a user is for the whole event.
    pub(crate) fn is_of_first_line(&self) -> bool {
        self.written.start.is_none() && !self.written.about.is_empty()
    }

    /// The lines that end in the middle of an event.
    pub(crate) fn partial(&self) -> Option<&str> {
        self.written.partial.as_deref()
    }

    /// Whether a list of numbers is a text, byte by byte.
    pub(crate) fn has_byte_lists(&self) -> bool {
        self.written.byte_lists
    }

    /// Whether a text means that there is no value.
    pub(crate) fn is_none(&self, text: &str) -> bool {
        self.written.none.iter().any(|none| none == text)
    }

    /// The group that has the code of the level.
    pub(crate) fn level_of(&self) -> &str {
        self.written.level_of.as_deref().unwrap_or(LEVEL)
    }

    /// The fields that an object of this format has.
    pub(crate) fn keys(&self) -> &[String] {
        &self.written.keys
    }

    /// The fields that can hold a column of all formats, in the order in which they are tried.
    pub(crate) fn fields_of(&self, column: &str) -> &[String] {
        match column {
            TIME => &self.written.ts,
            LEVEL => &self.written.level,
            MESSAGE => &self.written.message,
            _ => &[],
        }
    }

    /// The pattern of an event. Nothing matches one that is not a regular expression.
    pub(crate) fn pattern(&self) -> &Regex {
        self.pattern.get_or_init(|| compiled(&self.written.pattern))
    }

    /// The patterns within groups, by the name of the group.
    pub(crate) fn within(&self) -> impl Iterator<Item = (&str, Regex)> {
        let within = self.written.within.iter();
        within.map(|(group, pattern)| (group.as_str(), compiled(pattern)))
    }

    /// What the first line of an event begins with: the pattern up to the message, where that can
    /// be told apart.
    pub(crate) fn head(&self) -> &Regex {
        self.head.get_or_init(|| {
            if let Some(start) = &self.written.start {
                return compiled(start);
            }
            let before = self.written.pattern.split_once("(?<message>");
            let before = before.and_then(|(before, _)| Regex::new(before).ok());
            before.unwrap_or_else(|| self.pattern().clone())
        })
    }

    /// Whether a line or an event has this format.
    pub(crate) fn fits(&self, event: &[u8]) -> bool {
        self.pattern().is_match(event)
    }

    /// The columns of a text format beside ts, level and message, with their types, in order.
    pub(crate) fn own_columns(&self) -> Vec<(String, DataType)> {
        let mut columns: Vec<(String, DataType)> = vec![];
        let groups = |regex: &Regex| -> Vec<String> {
            regex
                .capture_names()
                .flatten()
                .map(str::to_string)
                .collect()
        };
        let within = self.within().flat_map(|(_, regex)| groups(&regex));
        for name in groups(self.pattern())
            .into_iter()
            .chain(within.collect::<Vec<_>>())
        {
            let is_shared = [TIME, LEVEL, MESSAGE].contains(&name.as_str());
            let is_there = columns.iter().any(|(column, _)| *column == name);
            if !is_shared && !is_there && !name.starts_with(HIDDEN) {
                let data_type = self.types.get(&name).cloned();
                columns.push((name, data_type.unwrap_or(DataType::Utf8View)));
            }
        }
        columns
    }

    /// The samples of the format.
    #[cfg(test)]
    pub(crate) fn samples(&self) -> &[BTreeMap<String, String>] {
        &self.written.sample
    }
}

/// A pattern that was checked; one that is wrong all the same matches nothing.
fn compiled(pattern: &str) -> Regex {
    Regex::new(pattern).unwrap_or_else(|_| nothing())
}

#[expect(clippy::expect_used, reason = "a constant pattern")]
fn nothing() -> Regex {
    Regex::new("[^\\s\\S]").expect("an empty class")
}

fn type_of(format: &str, column: &str, data_type: &str) -> Result<DataType> {
    if [TIME, LEVEL, MESSAGE, FILE, LINE_NUMBER, FORMAT].contains(&column) {
        return plan_err!("log format {format}: the type of {column} is given");
    }
    Ok(match data_type.to_ascii_uppercase().as_str() {
        "TEXT" => DataType::Utf8View,
        "INT" => DataType::Int32,
        "BIGINT" => DataType::Int64,
        "DOUBLE" => DataType::Float64,
        "BOOLEAN" => DataType::Boolean,
        other => {
            return plan_err!(
                "log format {format}: column {column} cannot be {other}: write TEXT, INT, BIGINT, DOUBLE or BOOLEAN"
            );
        }
    })
}
