//! What a scan needs to know about its table.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::datatypes::Fields;
use datafusion::common::{Result, plan_err};
use datafusion::execution::SpillFile;

use crate::formats::log::columns::{ColumnSource, LogColumns};
use crate::formats::log::counters::TableCounters;
use crate::formats::log::event_splitter::EventStart;
use crate::formats::log::json_mapping::JsonMapping;
use crate::formats::log::known_formats::{FormatKind, KnownFormat};
use crate::formats::log::log_options::{LineFormat, LogOptions};
use crate::formats::log::timestamp::TimestampReader;
use crate::formats::log::trace_lines::AutoStart;

/// A log table: its options, formats, columns and counters.
#[derive(Debug)]
pub(crate) struct LogSpec {
    pub(crate) options: LogOptions,
    /// What was found in the files, if the options leave that open.
    pub(crate) found: FoundFormats,
    /// The formats, in the order in which they are tried; never empty.
    pub(crate) formats: Vec<TableFormat>,
    pub(crate) start: Arc<EventStart>,
    pub(crate) columns: LogColumns,
    pub(crate) counters: Arc<TableCounters>,
    /// Copies of pipes, which live as long as the table.
    pipes: Vec<CopiedPipe>,
}

/// What was read from a pipe.
pub(crate) struct CopiedPipe {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    /// Deletes the copy when it is dropped.
    pub(crate) _copy: Arc<dyn SpillFile>,
}

impl fmt::Debug for CopiedPipe {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name)
    }
}

/// The formats of the files of a table, in the order in which they are tried.
#[derive(Debug, Clone, Default)]
pub(crate) struct FoundFormats {
    pub(crate) known: Vec<Arc<KnownFormat>>,
    /// The fields of the JSON objects among them, or of `format 'json'`.
    pub(crate) json: Option<JsonMapping>,
    /// The files hold objects that are longer than a line, or lists of objects.
    pub(crate) has_long_objects: bool,
}

/// A format of a table, and how its times are read.
#[derive(Debug)]
pub(crate) struct TableFormat {
    pub(crate) name: String,
    pub(crate) shape: Shape,
    pub(crate) timestamps: TimestampReader,
}

/// How the values of an event are found.
#[derive(Debug)]
pub(crate) enum Shape {
    /// The event is its message.
    Plain,
    /// By a pattern or by keys.
    Text(Arc<KnownFormat>),
    Json(JsonMapping),
}

impl FoundFormats {
    /// Whether events have a time and a message or a level.
    pub(crate) fn are_of_logs(&self) -> bool {
        let is_log = |json: &JsonMapping| {
            !(json.time.is_empty() || json.level.is_empty() && json.message.is_empty())
        };
        self.has_long_objects || self.json.as_ref().is_none_or(is_log)
    }
}

impl LogSpec {
    /// The spec of a table with these options and formats.
    ///
    /// # Errors
    /// When a time of a format is not written as it should be.
    pub(crate) fn try_new(
        options: LogOptions,
        found: FoundFormats,
        columns: LogColumns,
        counters: Arc<TableCounters>,
    ) -> Result<Self> {
        Ok(Self {
            formats: table_formats(&options, &found)?,
            start: Arc::new(event_start(&options, &found)),
            options,
            found,
            columns,
            counters,
            pipes: vec![],
        })
    }

    /// The same spec for a table of these pipes, too.
    #[must_use]
    pub(crate) fn with_pipes(self, pipes: Vec<CopiedPipe>) -> Self {
        Self { pipes, ..self }
    }

    /// The value of column `file` for the file at this path.
    pub(crate) fn name_of<'a>(&'a self, path: &'a str) -> &'a str {
        let mut pipes = self.pipes.iter();
        let pipe = pipes.find(|pipe| pipe.path == Path::new(path));
        pipe.map_or(path, |pipe| &pipe.name)
    }

    /// Whether a time can depend on the times before it, so that files are read from their start.
    pub(crate) fn needs_order(&self) -> bool {
        self.formats
            .iter()
            .any(|format| format.timestamps.needs_order())
    }

    /// The fields of objects that are in a column.
    pub(crate) fn fields_with_columns(&self, mapping: &JsonMapping) -> HashSet<String> {
        let columns = self
            .columns
            .schema
            .fields()
            .iter()
            .zip(&self.columns.sources);
        let own = columns.filter(|(_, source)| **source == ColumnSource::Field);
        let own = own.map(|(field, _)| field.name().clone());
        let mapped = [&mapping.time, &mapping.level, &mapping.message];
        let mapped = mapped.into_iter().flatten().filter(|path| path.len() == 1);
        own.chain(mapped.flatten().cloned()).collect()
    }
}

/// Which lines start an event.
fn event_start(options: &LogOptions, found: &FoundFormats) -> EventStart {
    match &options.start {
        _ if found.has_long_objects => EventStart::Objects,
        Some(start) => start.clone(),
        None if options.format == LineFormat::Json => EventStart::EveryLine,
        None if options.format == LineFormat::Text && !options.joins_traces => {
            EventStart::EveryLine
        }
        None if options.pattern.is_some() => {
            EventStart::Auto(AutoStart::new(options.pattern.as_slice()))
        }
        None => {
            let rule = AutoStart::new(&found.known);
            // Then no line needs to wait for the next one.
            if rule.joins_lines() || options.joins_traces {
                EventStart::Auto(rule)
            } else {
                EventStart::EveryLine
            }
        }
    }
}

/// The formats of a table: all JSON objects are one of them, since their fields differ and not how
/// they are read.
fn table_formats(options: &LogOptions, found: &FoundFormats) -> Result<Vec<TableFormat>> {
    let mut formats: Vec<TableFormat> = vec![];
    let names: Vec<&str> = found
        .known
        .iter()
        .filter(|format| format.kind == FormatKind::Json)
        .map(|format| format.name())
        .collect();
    let json = |mapping: &JsonMapping, layouts: &[&str]| -> Result<TableFormat> {
        Ok(TableFormat {
            name: match names.as_slice() {
                [name] => (*name).to_string(),
                _ => "json".to_string(),
            },
            shape: Shape::Json(mapping.clone()),
            timestamps: options.timestamps_of(layouts)?,
        })
    };
    for format in &found.known {
        let has_json = formats
            .iter()
            .any(|format| matches!(format.shape, Shape::Json(_)));
        match (&found.json, format.kind) {
            (Some(mapping), FormatKind::Json) if !has_json => {
                formats.push(json(mapping, &format.layouts())?);
            }
            (_, FormatKind::Json) => {}
            _ => formats.push(TableFormat {
                name: format.name().to_string(),
                shape: Shape::Text(Arc::clone(format)),
                timestamps: options.timestamps_of(&format.layouts())?,
            }),
        }
    }
    if formats.is_empty() {
        formats.push(match (&options.format, &options.pattern, &found.json) {
            (LineFormat::Json, _, Some(mapping)) => json(mapping, &[])?,
            (LineFormat::Json, _, None) => return plan_err!("a JSON table has no fields"),
            (_, Some(pattern), _) => TableFormat {
                name: pattern.name().to_string(),
                shape: Shape::Text(Arc::clone(pattern)),
                timestamps: options.timestamps_of(&[])?,
            },
            (_, None, _) => TableFormat {
                name: "text".to_string(),
                shape: Shape::Plain,
                timestamps: options.timestamps_of(&[])?,
            },
        });
    }
    Ok(formats)
}

/// A table of plain text, each line a row, without any option.
///
/// # Errors
/// None: the options are fixed.
pub(crate) fn plain_text() -> Result<LogSpec> {
    let format = ("format".to_string(), "text".to_string());
    let options = LogOptions::try_new(&HashMap::from([format]), None)?;
    let columns = LogColumns::of_text(None, &Fields::empty())?;
    LogSpec::try_new(options, FoundFormats::default(), columns, Arc::default())
}
