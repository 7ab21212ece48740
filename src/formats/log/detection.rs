//! Decides by the first lines of its files which formats a table has.

use std::collections::BTreeMap;
use std::future::ready;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::utils::datafusion_strsim::levenshtein;
use datafusion::common::{Result, plan_err};
use datafusion::object_store::{ObjectMeta, ObjectStore};
use futures::FutureExt;
use futures::stream::{self, StreamExt};
use serde_json::{Map, Value};

use crate::formats::log::blocks::BlockReader;
use crate::formats::log::columns::{FILE, FORMAT, LEVEL, LINE_NUMBER, MESSAGE, RAW, REST, TIME};
use crate::formats::log::encoding::TextEncoding;
use crate::formats::log::extractor::{Found, for_each_pair};
use crate::formats::log::json_columns::infer_fields;
use crate::formats::log::json_mapping::JsonMapping;
use crate::formats::log::known_formats::{FormatKind, KnownFormat};
use crate::formats::log::log_options::LogOptions;
use crate::formats::log::object_splitter::ObjectSplitter;
use crate::formats::log::spec::FoundFormats;
use crate::formats::log::trace_lines::{AutoStart, LineMemory};
use crate::formats::log::w3c::w3c_format;

/// More files are not opened: of these, some from the start to the end of the list.
const MAX_FILES: usize = 256;
/// An object store answers this many requests at once.
const FILES_AT_ONCE: usize = 16;
/// What is read of each file.
const HEAD_BYTES: u64 = 32 << 10;
/// The lines of a file that decide.
const MAX_LINES: usize = 200;
/// The least share of the lines that have the format of their file, in percent. Formats whose events
/// have several lines may explain the others so.
const LEAST_SHARE: usize = 60;
const LEAST_SHARE_OF_SEVERAL_LINES: usize = 30;

/// The first bytes of a file.
#[derive(Debug)]
pub(crate) struct FileHead {
    pub(crate) text: String,
    /// The text is the whole file.
    pub(crate) is_whole: bool,
}

/// What was found in the files of a table.
#[derive(Debug, Default)]
pub(crate) struct Detected {
    pub(crate) formats: FoundFormats,
    /// The columns of the formats beside ts, level and message.
    pub(crate) columns: Vec<(String, DataType)>,
    /// How many of the files that were looked at have each format; the last are those of none.
    pub(crate) n_files: Vec<(String, usize)>,
}

/// Reads the heads of the files of a table. What cannot be read is told when it is read.
pub(crate) async fn read_heads(
    store: &Arc<dyn ObjectStore>,
    files: &[ObjectMeta],
    path_prefix: &str,
    encoding: TextEncoding,
) -> Vec<FileHead> {
    let step = files.len().div_ceil(MAX_FILES).max(1);
    let looked_at = files.iter().step_by(step);
    // Collected, because the compiler cannot tell the lifetimes of a closure in a stream.
    let heads: Vec<_> = looked_at
        .map(|file| read_head(store, file, path_prefix, encoding).boxed())
        .collect();
    let heads = stream::iter(heads).buffered(FILES_AT_ONCE);
    heads.filter_map(|head| ready(head.ok())).collect().await
}

async fn read_head(
    store: &Arc<dyn ObjectStore>,
    file: &ObjectMeta,
    path_prefix: &str,
    encoding: TextEncoding,
) -> Result<FileHead> {
    let (store, range) = (Arc::clone(store), 0..HEAD_BYTES);
    let mut reader = BlockReader::open(store, file, range, path_prefix, encoding).await?;
    let block = reader.next().await?.unwrap_or_default();
    let length = block
        .len()
        .min(usize::try_from(HEAD_BYTES).unwrap_or(usize::MAX));
    Ok(FileHead {
        text: String::from_utf8_lossy(&block[..length]).into_owned(),
        is_whole: length as u64 >= file.size,
    })
}

/// Finds the formats of files among those that are known, special ones first.
///
/// # Errors
/// When JSON objects have too many fields.
pub(crate) fn detect(
    heads: &[FileHead],
    catalog: &[Arc<KnownFormat>],
    options: &LogOptions,
    written: DateTime<Utc>,
) -> Result<Detected> {
    let mut detected = Detected::default();
    let mut used: Vec<Arc<KnownFormat>> = vec![];
    let mut objects: Vec<Map<String, Value>> = vec![];
    let mut logfmt: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut n_unknown = 0;
    for head in heads {
        let lines = lines_of(head);
        if lines.is_empty() {
            continue;
        }
        let found = match objects_of(head, &lines) {
            Some((is_long, found)) => {
                let format = json_format(catalog, &found);
                detected.formats.has_long_objects |= is_long;
                objects.extend(found);
                format
            }
            None => text_format(&used, catalog, &lines),
        };
        let Some(format) = found else {
            n_unknown += 1;
            continue;
        };
        if format.kind == FormatKind::Logfmt {
            note_pairs(&lines, &mut logfmt);
        }
        match detected
            .n_files
            .iter_mut()
            .find(|(name, _)| name == format.name())
        {
            Some((_, n_files)) => *n_files += 1,
            None => detected.n_files.push((format.name().to_string(), 1)),
        }
        if !used.iter().any(|known| same(known, &format)) {
            used.push(format);
        }
    }
    // In the order of the list, whatever the order of the files is.
    let rank = |format: &Arc<KnownFormat>| {
        let rank = catalog.iter().position(|known| same(known, format));
        (
            rank.unwrap_or(usize::MAX),
            format.pattern().as_str().to_string(),
        )
    };
    used.sort_by_cached_key(rank);
    if n_unknown > 0 && !used.is_empty() {
        detected.n_files.push(("text".to_string(), n_unknown));
    }
    detected.columns = own_columns(&used, &logfmt);
    let of_json: Vec<_> = used
        .iter()
        .filter(|format| format.kind == FormatKind::Json)
        .cloned()
        .collect();
    if !of_json.is_empty() {
        let timestamps = options.timestamps_of(&[])?;
        let mapping = JsonMapping::of_formats(&of_json, &objects, &timestamps, written);
        let fields = infer_fields(&objects, &timestamps, written)?;
        let own = fields
            .iter()
            .filter(|field| !mapping.used.contains(field.name()) && !is_shared(field.name()));
        let own = own.map(|field| (field.name().clone(), field.data_type().clone()));
        detected.columns.extend(own);
        detected.formats.json = Some(mapping);
    }
    detected.formats.known = used;
    Ok(detected)
}

/// The formats of these names, and what the files show of their fields.
///
/// # Errors
/// When a name is not known.
pub(crate) fn named(
    names: &[String],
    heads: &[FileHead],
    catalog: &[Arc<KnownFormat>],
    options: &LogOptions,
    written: DateTime<Utc>,
) -> Result<Detected> {
    let mut chosen = vec![];
    for name in names {
        let format = catalog
            .iter()
            .find(|format| format.name().eq_ignore_ascii_case(name));
        match format {
            Some(format) => chosen.push(Arc::clone(format)),
            None => return unknown_format(name, catalog),
        }
    }
    let mut detected = detect(heads, &chosen, options, written)?;
    if detected.formats.known.is_empty() {
        detected = before_files(&chosen);
    }
    Ok(detected)
}

/// What is known of a table before it has files: every format is possible, and the columns are
/// those that all have.
pub(crate) fn before_files(catalog: &[Arc<KnownFormat>]) -> Detected {
    let of_json: Vec<_> = catalog
        .iter()
        .filter(|format| format.kind == FormatKind::Json)
        .cloned()
        .collect();
    let single = match catalog {
        [format] => own_columns(&[Arc::clone(format)], &BTreeMap::new()),
        _ => vec![],
    };
    Detected {
        formats: FoundFormats {
            json: (!of_json.is_empty()).then(|| JsonMapping::of_names(&of_json)),
            known: catalog.to_vec(),
            has_long_objects: false,
        },
        columns: single,
        n_files: vec![],
    }
}

fn same(left: &Arc<KnownFormat>, right: &Arc<KnownFormat>) -> bool {
    left.name() == right.name() && left.pattern().as_str() == right.pattern().as_str()
}

fn is_shared(name: &str) -> bool {
    [TIME, LEVEL, MESSAGE, FILE, LINE_NUMBER, FORMAT, REST, RAW].contains(&name)
}

fn unknown_format<T>(name: &str, catalog: &[Arc<KnownFormat>]) -> Result<T> {
    let nearest = catalog
        .iter()
        .map(|format| (levenshtein(format.name(), name), format.name()))
        .min();
    let hint = match nearest {
        Some((letters, nearest)) if letters <= 3 => format!(" Did you mean '{nearest}'?"),
        _ => String::new(),
    };
    let names: Vec<_> = catalog.iter().map(|format| format.name()).collect();
    plan_err!(
        "Option format is 'auto', 'text', 'json' or the name of a log format, got '{name}'.{hint} The formats \
         are {}",
        names.join(", ")
    )
}

/// The lines of a head without the last one, which may be a part.
fn lines_of(head: &FileHead) -> Vec<&str> {
    let text = head
        .text
        .trim_start_matches('\u{FEFF}')
        .trim_start_matches('\0');
    let whole = match text.rfind('\n') {
        Some(end) if !head.is_whole => &text[..end],
        _ => text,
    };
    let lines = whole.lines().filter(|line| !line.trim().is_empty());
    lines.take(MAX_LINES).collect()
}

/// The objects of a file of JSON, and whether they are longer than a line.
fn objects_of(head: &FileHead, lines: &[&str]) -> Option<(bool, Vec<Map<String, Value>>)> {
    let parse = |line: &str| serde_json::from_str::<Map<String, Value>>(line).ok();
    let objects: Vec<_> = lines.iter().filter_map(|line| parse(line)).collect();
    if objects.len() * 100 >= lines.len() * LEAST_SHARE {
        // An object that is one line can still be a frame around a list.
        let is_frame = |object: &Map<String, Value>| {
            let mut values = object.values();
            let list = values.next().and_then(Value::as_array);
            let is_list_of_objects = |list: &Vec<Value>| list.first().is_some_and(Value::is_object);
            lines.len() == 1 && object.len() == 1 && list.is_some_and(is_list_of_objects)
        };
        if !objects.first().is_some_and(is_frame) {
            return Some((false, objects));
        }
    }
    let first = lines.first()?.trim_start();
    if !first.starts_with(['{', '[']) {
        return None;
    }
    let mut objects = vec![];
    let mut splitter = ObjectSplitter::new(head.text.len(), 0, 1);
    splitter.feed(head.text.as_bytes(), &mut |event| {
        objects.push(serde_json::from_slice::<Map<String, Value>>(event.text).ok());
    });
    let n_events = objects.len();
    let objects: Vec<_> = objects.into_iter().flatten().collect();
    (n_events > 0 && objects.len() * 100 >= n_events * LEAST_SHARE).then_some((true, objects))
}

/// The first format whose fields most objects have.
fn json_format(
    catalog: &[Arc<KnownFormat>],
    objects: &[Map<String, Value>],
) -> Option<Arc<KnownFormat>> {
    let has = |object: &Map<String, Value>, key: &String| {
        let nested = key
            .split_once('.')
            .and_then(|(outer, inner)| object.get(outer)?.get(inner));
        object.contains_key(key) || nested.is_some()
    };
    let fits = |format: &&Arc<KnownFormat>| {
        let fitting = objects
            .iter()
            .filter(|object| format.keys().iter().all(|key| has(object, key)));
        format.kind == FormatKind::Json && fitting.count() * 100 >= objects.len() * LEAST_SHARE
    };
    catalog.iter().find(fits).cloned()
}

/// The first format that most lines have. Those that other files have are tried first, since they
/// are likely: but only as far as no format before them in the list fits.
fn text_format(
    used: &[Arc<KnownFormat>],
    catalog: &[Arc<KnownFormat>],
    lines: &[&str],
) -> Option<Arc<KnownFormat>> {
    if let Some(format) = w3c_format(lines) {
        return Some(format);
    }
    let plain = AutoStart::new(&[]);
    let mut memory = LineMemory::default();
    let begins = |line: &&&str| {
        let starts = plain.begins(line.as_bytes(), &mut memory);
        starts && !line.starts_with([' ', '\t'])
    };
    let candidates: Vec<&str> = lines.iter().filter(begins).copied().collect();
    let likely = used.iter().filter(|format| format.kind == FormatKind::Text);
    let likely = likely.filter(|format| n_fitting(format, lines, &candidates) == candidates.len());
    let limit = likely.filter_map(|format| catalog.iter().position(|known| same(known, format)));
    let limit = limit.min().unwrap_or(catalog.len().saturating_sub(1));
    let mut formats = catalog.iter().take(limit + 1);
    let found = formats.find(|format| {
        let least = if format.continues() {
            LEAST_SHARE_OF_SEVERAL_LINES
        } else {
            LEAST_SHARE
        };
        let n_fitting = n_fitting(format, lines, &candidates);
        n_fitting > 0 && n_fitting * 100 >= candidates.len() * least
    });
    found.cloned()
}

/// How many of the candidates have a format; for formats of several lines, how many belong to an
/// event that has it.
fn n_fitting(format: &KnownFormat, lines: &[&str], candidates: &[&str]) -> usize {
    match format.kind {
        FormatKind::Json | FormatKind::W3c => 0,
        FormatKind::Logfmt => candidates
            .iter()
            .filter(|line| is_logfmt(format, line))
            .count(),
        FormatKind::Text if format.is_of_first_line() => candidates
            .iter()
            .filter(|line| format.fits(line.as_bytes()))
            .count(),
        FormatKind::Text => {
            let starts: Vec<usize> = (0..lines.len())
                .filter(|&index| format.head().is_match(lines[index].as_bytes()))
                .collect();
            let ends = starts.iter().skip(1).copied().chain([lines.len()]);
            let events = starts.iter().zip(ends);
            let events = events.map(|(&start, end)| &lines[start..end]);
            let fitting = events.filter(|event| format.fits(event.join("\n").as_bytes()));
            fitting
                .map(<[&str]>::len)
                .sum::<usize>()
                .min(candidates.len())
        }
    }
}

/// Whether a line has pairs, and one of them says when, how bad or what.
fn is_logfmt(format: &KnownFormat, line: &str) -> bool {
    let names = [TIME, LEVEL, MESSAGE].map(|column| format.fields_of(column));
    let mut is_known = false;
    let has_pairs = for_each_pair(line, |key, _| {
        is_known |= names
            .iter()
            .any(|names| names.iter().any(|name| name == key));
    });
    has_pairs && is_known
}

fn note_pairs(lines: &[&str], pairs: &mut BTreeMap<String, Vec<String>>) {
    for line in lines {
        for_each_pair(line, |key, value| {
            let value = match value {
                Found::None => return,
                Found::Part(start, end) => line[start..end].to_string(),
                Found::Text(text) => text,
            };
            pairs.entry(key.to_string()).or_default().push(value);
        });
    }
}

/// The columns of text formats beside those that all have.
fn own_columns(
    formats: &[Arc<KnownFormat>],
    logfmt: &BTreeMap<String, Vec<String>>,
) -> Vec<(String, DataType)> {
    let mut columns: Vec<(String, DataType)> = vec![];
    for format in formats {
        match format.kind {
            FormatKind::Text => columns.extend(format.own_columns()),
            FormatKind::Logfmt => {
                let shared = [TIME, LEVEL, MESSAGE].map(|column| format.fields_of(column));
                let is_own = |name: &String| {
                    !is_shared(name) && !shared.iter().any(|names| names.contains(name))
                };
                let own = logfmt.iter().filter(|(name, _)| is_own(name));
                columns.extend(own.map(|(name, values)| (name.clone(), type_of(values))));
            }
            FormatKind::Json | FormatKind::W3c => {}
        }
    }
    columns
}

/// The type of values that are all numbers.
fn type_of(values: &[String]) -> DataType {
    let all = |fits: fn(&str) -> bool| values.iter().all(|value| fits(value));
    let is_padded =
        |value: &String| value.len() > 1 && value.starts_with('0') && !value.starts_with("0.");
    if values.iter().any(is_padded) {
        DataType::Utf8View
    } else if all(|value| value.parse::<i64>().is_ok()) {
        DataType::Int64
    } else if all(|value| value.parse::<f64>().is_ok_and(f64::is_finite)) {
        DataType::Float64
    } else {
        DataType::Utf8View
    }
}
