//! The formats and the columns of a log table: what CREATE says, and what the files show.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::arrow::datatypes::Fields;
use datafusion::common::{Result, plan_err};
use datafusion::object_store::{ObjectMeta, ObjectStore};
use serde_json::{Map, Value};

use crate::formats::log::columns::{FILE, LEVEL, LINE_NUMBER, LogColumns, MESSAGE, MSG, TIME};
use crate::formats::log::detection::{FileHead, before_files, detect, named, read_heads};
use crate::formats::log::json_columns::{check_declared_fields, infer_fields};
use crate::formats::log::json_mapping::JsonMapping;
use crate::formats::log::json_sample::sample_objects;
use crate::formats::log::known_formats::KnownFormat;
use crate::formats::log::log_options::{LineFormat, LogOptions};
use crate::formats::log::spec::FoundFormats;

/// The files that a table has when it is made.
pub(crate) struct TableFiles<'a> {
    pub(crate) store: &'a Arc<dyn ObjectStore>,
    pub(crate) files: &'a [ObjectMeta],
    pub(crate) path_prefix: &'a str,
}

/// What the first lines of files show.
#[derive(Debug, Default)]
pub(crate) struct Sample {
    pub(crate) heads: Vec<FileHead>,
    /// The objects of files of which it is known that they are JSON.
    pub(crate) objects: Vec<Map<String, Value>>,
    /// When the files were last written.
    pub(crate) written: DateTime<Utc>,
    pub(crate) n_files: usize,
    pub(crate) n_bytes: u64,
}

/// The formats and the columns of a table, and what people want to know of them.
pub(crate) type TableShape = (FoundFormats, LogColumns, String);

/// The shape of a table of these files.
///
/// # Errors
/// When the options do not fit the files, or a file cannot be read.
pub(crate) async fn shape(
    options: &LogOptions,
    declared: &Fields,
    catalog: &[Arc<KnownFormat>],
    looked_at: &TableFiles<'_>,
) -> Result<TableShape> {
    let TableFiles {
        store,
        files,
        path_prefix,
    } = looked_at;
    if files.is_empty() {
        return shape_of(options, declared, catalog, None);
    }
    let (mut heads, mut objects) = (vec![], vec![]);
    match options.format {
        LineFormat::Text => {}
        LineFormat::Json if !declared.is_empty() => {}
        LineFormat::Json => objects = sample_objects(options, store, files, path_prefix).await?,
        LineFormat::Auto | LineFormat::Named(_) => {
            heads = read_heads(store, files, path_prefix, options.encoding).await;
        }
    }
    let written = files.iter().map(|file| file.last_modified).max();
    let sample = Sample {
        heads,
        objects,
        written: written.unwrap_or_default(),
        n_files: files.len(),
        n_bytes: files.iter().map(|file| file.size).sum(),
    };
    shape_of(options, declared, catalog, Some(&sample))
}

/// The shape of a table of files that have been looked at; `None` if there are none yet.
///
/// # Errors
/// When the options do not fit what was seen.
pub(crate) fn shape_of(
    options: &LogOptions,
    declared: &Fields,
    catalog: &[Arc<KnownFormat>],
    sample: Option<&Sample>,
) -> Result<TableShape> {
    let finished = |columns: LogColumns| {
        let columns = columns.in_zone(options.session_zone.as_deref(), declared);
        if options.has_raw {
            columns.with_raw()
        } else {
            columns
        }
    };
    let text = || -> Result<TableShape> {
        let pattern = options.pattern.as_ref();
        let regex = pattern.map(|pattern| regex::Regex::new(pattern.pattern().as_str()));
        let regex = regex.and_then(std::result::Result::ok);
        let columns = LogColumns::of_text(regex.as_ref(), declared)?;
        let columns = finished(columns);
        // What CREATE says itself needs no word.
        let searched = sample.filter(|_| options.format != LineFormat::Text);
        let about = searched.map_or_else(String::new, |sample| {
            sample.about("no known format, each line is a message", &columns)
        });
        Ok((FoundFormats::default(), columns, about))
    };
    let detected = match (&options.format, sample) {
        (LineFormat::Text, _) => return text(),
        (LineFormat::Json, sample) => {
            let (found, columns) = json_shape(options, declared, sample)?;
            let columns = finished(columns);
            return Ok((found, columns, String::new()));
        }
        (LineFormat::Auto, Some(sample)) => {
            detect(&sample.heads, catalog, options, sample.written)?
        }
        (LineFormat::Named(names), sample) => {
            let heads = sample.map_or(&[][..], |sample| &sample.heads);
            let written = sample.map(|sample| sample.written).unwrap_or_default();
            named(names, heads, catalog, options, written)?
        }
        (LineFormat::Auto, None) => before_files(catalog),
    };
    if detected.formats.known.is_empty() {
        return text();
    }
    let mut own = detected.columns;
    if detected.n_files.is_empty() {
        // Nothing is known of the fields: those that are declared may come.
        let others = declared.iter().filter(|field| {
            ![TIME, LEVEL, MESSAGE, FILE, LINE_NUMBER].contains(&field.name().as_str())
        });
        own.extend(others.map(|field| (field.name().clone(), field.data_type().clone())));
    }
    let is_mixed = detected.formats.known.len() > 1 || detected.n_files.len() > 1;
    let has_rest = detected.formats.json.is_some() && sample.is_some();
    let columns = LogColumns::of_formats(&own, is_mixed && sample.is_some(), has_rest, declared)?;
    let columns = finished(columns);
    let about = sample.map_or_else(String::new, |sample| {
        let formats = formats_in_words(&detected.formats.known, &detected.n_files);
        sample.about(&formats, &columns)
    });
    Ok((detected.formats, columns, about))
}

/// The shape of `format 'json'`, where objects stay as they are.
fn json_shape(
    options: &LogOptions,
    declared: &Fields,
    sample: Option<&Sample>,
) -> Result<(FoundFormats, LogColumns)> {
    let of_fields = |fields: &Fields, has_rest: bool| -> Result<(FoundFormats, LogColumns)> {
        // A `msg` of another type, such as a number, is not a message.
        let is_text = |name: &&str| {
            let field = fields.find(name);
            field.is_none_or(|(_, field)| field.data_type().is_string())
        };
        let names = fields.iter().map(|field| field.name().as_str());
        let wanted = [MESSAGE, MSG]
            .into_iter()
            .filter(|name| fields.find(name).is_none());
        let json = JsonMapping::of_message(names.chain(wanted).filter(is_text));
        let found = FoundFormats {
            json: Some(json),
            ..FoundFormats::default()
        };
        Ok((found, LogColumns::of_json(fields, has_rest)?))
    };
    if !declared.is_empty() {
        check_declared_fields(declared)?;
        return of_fields(declared, false);
    }
    let Some(sample) = sample else {
        return plan_err!(
            "There is no JSON line yet to tell the columns by: declare them, as in \
             CREATE UNBOUNDED EXTERNAL TABLE t (ts TIMESTAMP, level TEXT, message TEXT) STORED AS LOG …"
        );
    };
    let timestamps = options.timestamps_of(&[])?;
    of_fields(
        &infer_fields(&sample.objects, &timestamps, sample.written)?,
        true,
    )
}

impl Sample {
    /// `format combined (access log); 3 files, 1.2 MB; columns ts, level, message, …`.
    fn about(&self, formats: &str, columns: &LogColumns) -> String {
        let files = match self.n_files {
            1 => "1 file".to_string(),
            n_files => format!("{n_files} files"),
        };
        let names = columns
            .schema
            .fields()
            .iter()
            .map(|field| field.name().as_str());
        let names: Vec<_> = names.collect();
        let bytes = bytes_in_words(self.n_bytes);
        format!("{formats}; {files}, {bytes}; columns {}", names.join(", "))
    }
}

fn formats_in_words(known: &[Arc<KnownFormat>], n_files: &[(String, usize)]) -> String {
    let about = |name: &String| {
        let known = known.iter().find(|format| format.name() == name);
        known.map_or("no known format", |format| format.about())
    };
    let formats = n_files.iter().map(|(name, n)| match n_files {
        [_] => format!("format {name} ({})", about(name)),
        _ => format!("{n} of format {name} ({})", about(name)),
    });
    formats.collect::<Vec<_>>().join(", ")
}

#[expect(clippy::cast_precision_loss, reason = "it is rounded")]
fn bytes_in_words(n_bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if n_bytes < 1_000 {
        return format!("{n_bytes} bytes");
    }
    let (mut number, mut unit) = (n_bytes as f64 / 1e3, 0);
    while number >= 1e3 && unit + 1 < UNITS.len() {
        number /= 1e3;
        unit += 1;
    }
    format!("{number:.1} {}", UNITS[unit])
}
