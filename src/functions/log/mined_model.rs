//! The model of `log_mine`: how it is stored, and how `log_match` and `log_templates` read it.
//!
//! The table has a row for each distinct masked template, in byte order, with the columns `masked`,
//! `count`, `example`, `example_bytes` and, in a finished model, `template`. The metadata holds the
//! masking options, since lines must be masked the same way for matching as for mining.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, StringArray, StringViewArray, UInt64Array,
};
use datafusion::arrow::datatypes::UInt64Type;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::{Result, exec_datafusion_err, exec_err};

use crate::algorithms::text::{
    MaskOptions, Masker, MinedTemplates, Sighting, Style, Subject, TemplateTally, generalise,
};
use crate::functions::call::models::{ModelKind, model_column, read_model, write_model};
use crate::functions::log::{PROFILES, QUOTES};

/// A finished model.
const MODEL: ModelKind = ModelKind {
    name: "log_mine",
    version: 1,
};
/// The counts of one partition of a query.
const STATE: ModelKind = ModelKind {
    name: "log_mine_state",
    version: 1,
};

/// A model that is ready to match lines.
#[derive(Debug)]
pub(super) struct MinedModel {
    pub(super) masker: Masker,
    pub(super) mined: MinedTemplates,
    /// The mined templates and their hashes as columns, so that a result is a selection of rows.
    pub(super) templates: ArrayRef,
    pub(super) hashes: ArrayRef,
}

impl MinedModel {
    pub(super) fn decode(function: &str, bytes: &[u8]) -> Result<Self> {
        let table = read_model(function, MODEL, bytes)?;
        let options = mask_options(&table)?;
        let masker = Masker::new(&options)?;
        let masked = texts(&table, "masked")?;
        let template = texts(&table, "template")?;
        let pairs = masked.iter().flatten().zip(template.iter().flatten());
        let mined = MinedTemplates::new(pairs, words_kept(&table), &options.keep);
        let templates: StringViewArray = mined.templates().iter().map(Some).collect();
        let hashes = Int64Array::from(mined.hashes().to_vec());
        Ok(Self {
            masker,
            templates: Arc::new(templates),
            hashes: Arc::new(hashes),
            mined,
        })
    }
}

/// One mined template with its lines.
#[derive(Debug)]
pub(super) struct MinedTemplate {
    pub(super) template: String,
    pub(super) count: u64,
    pub(super) example: String,
    example_bytes: u64,
}

/// The templates of a model, the most common first; ties are in byte order.
pub(super) fn mined_templates(function: &str, bytes: &[u8]) -> Result<Vec<MinedTemplate>> {
    let table = read_model(function, MODEL, bytes)?;
    let template = texts(&table, "template")?;
    let mut found: HashMap<&str, MinedTemplate> = HashMap::new();
    for (row, sighting) in sightings(&table)?.into_iter().enumerate() {
        let mined = found
            .entry(template.value(row))
            .or_insert_with(|| MinedTemplate {
                template: template.value(row).to_string(),
                count: 0,
                example: String::new(),
                example_bytes: u64::MAX,
            });
        mined.count = mined.count.saturating_add(sighting.count());
        let example = (sighting.example_bytes(), sighting.example());
        if example < (mined.example_bytes, mined.example.as_str()) {
            mined.example_bytes = sighting.example_bytes();
            mined.example = sighting.example().to_string();
        }
    }
    let mut found: Vec<_> = found.into_values().collect();
    found.sort_unstable_by(|a, b| {
        (Reverse(a.count), &a.template).cmp(&(Reverse(b.count), &b.template))
    });
    Ok(found)
}

/// Writes the state of a partition.
pub(super) fn write_state(tally: &TemplateTally, options: &MaskOptions) -> Result<Vec<u8>> {
    let table = table_of(tally, None)?;
    write_model(STATE, &metadata(tally, options), &table)
}

/// Adds the state of another partition.
pub(super) fn merge_state(function: &str, state: &[u8], tally: &mut TemplateTally) -> Result<()> {
    let table = read_model(function, STATE, state)?;
    let words_kept = words_kept(&table);
    let masked = texts(&table, "masked")?;
    for (row, sighting) in sightings(&table)?.into_iter().enumerate() {
        tally.merge(masked.value(row), sighting, words_kept);
    }
    Ok(())
}

/// Mines templates from the counts, and writes the model.
pub(super) fn write_mined(tally: &TemplateTally, options: &MaskOptions) -> Result<Vec<u8>> {
    let sorted = tally.sorted();
    let masked: Vec<&str> = sorted.iter().map(|entry| entry.0).collect();
    let table = table_of(tally, Some(generalise(&masked, &options.keep)))?;
    write_model(MODEL, &metadata(tally, options), &table)
}

fn table_of(tally: &TemplateTally, templates: Option<Vec<String>>) -> Result<RecordBatch> {
    let sorted = tally.sorted();
    let masked: StringArray = sorted.iter().map(|entry| Some(entry.0)).collect();
    let count: UInt64Array = sorted.iter().map(|entry| Some(entry.1.count())).collect();
    let example: StringArray = sorted.iter().map(|entry| Some(entry.1.example())).collect();
    let example_bytes: UInt64Array = sorted
        .iter()
        .map(|entry| Some(entry.1.example_bytes()))
        .collect();
    let mut columns: Vec<(&str, ArrayRef)> = vec![
        ("masked", Arc::new(masked)),
        ("count", Arc::new(count)),
        ("example", Arc::new(example)),
        ("example_bytes", Arc::new(example_bytes)),
    ];
    if let Some(templates) = templates {
        columns.push(("template", Arc::new(StringArray::from(templates))));
    }
    Ok(RecordBatch::try_from_iter(columns)?)
}

fn texts<'a>(table: &'a RecordBatch, name: &str) -> Result<&'a StringArray> {
    model_column(table, name)?
        .as_string_opt()
        .filter(|texts| texts.null_count() == 0)
        .ok_or_else(|| exec_datafusion_err!("the column {name} of the model is no text"))
}

fn numbers<'a>(table: &'a RecordBatch, name: &str) -> Result<&'a UInt64Array> {
    model_column(table, name)?
        .as_primitive_opt::<UInt64Type>()
        .filter(|numbers| numbers.null_count() == 0)
        .ok_or_else(|| exec_datafusion_err!("the column {name} of the model is no number"))
}

fn sightings(table: &RecordBatch) -> Result<Vec<Sighting>> {
    let (count, example) = (numbers(table, "count")?, texts(table, "example")?);
    let example_bytes = numbers(table, "example_bytes")?;
    let sighting = |row: usize| {
        Sighting::new(
            count.value(row),
            example.value(row),
            example_bytes.value(row),
        )
    };
    Ok((0..table.num_rows()).map(sighting).collect())
}

// ---- metadata

fn metadata(tally: &TemplateTally, options: &MaskOptions) -> Vec<(&'static str, String)> {
    let mut metadata = vec![
        ("profile", name_of(&PROFILES, options.profile)),
        ("quotes", name_of(&QUOTES, options.quotes)),
        ("keep", options.keep.join("|")),
    ];
    if let Some(mask) = &options.mask {
        metadata.push(("mask", mask.clone()));
    }
    let numbers = [
        ("max_len", options.max_len),
        ("words_kept", tally.words_kept()),
    ];
    metadata.extend(
        numbers
            .into_iter()
            .filter_map(|(key, number)| Some((key, number?.to_string()))),
    );
    metadata
}

fn name_of<T: PartialEq>(names: &[(&str, T)], value: T) -> String {
    let found = names.iter().find(|(_, named)| *named == value);
    found
        .map(|(name, _)| (*name).to_string())
        .unwrap_or_default()
}

/// The value that the metadata name under `key`. Unknown names are refused: a later version may
/// write others, and ignoring them would change the result.
fn choice<T: Copy>(table: &RecordBatch, key: &str, names: &[(&str, T)]) -> Result<T> {
    let schema = table.schema();
    let name = schema.metadata().get(key).map_or("", String::as_str);
    match names.iter().find(|(known, _)| *known == name) {
        Some((_, value)) => Ok(*value),
        None => exec_err!("the model has {key} '{name}', which this program does not know"),
    }
}

fn mask_options(table: &RecordBatch) -> Result<MaskOptions> {
    let schema = table.schema();
    let value = |key: &str| schema.metadata().get(key).map(String::as_str);
    Ok(MaskOptions {
        // Mined variables have no kind, so there is only one placeholder.
        style: Style::Star,
        profile: choice(table, "profile", &PROFILES)?,
        quotes: choice(table, "quotes", &QUOTES)?,
        subject: Subject::Keep,
        keep: value("keep")
            .unwrap_or_default()
            .split('|')
            .filter(|word| !word.is_empty())
            .map(str::to_string)
            .collect(),
        mask: value("mask").map(str::to_string),
        max_len: number(table, "max_len"),
    })
}

fn words_kept(table: &RecordBatch) -> Option<usize> {
    number(table, "words_kept")
}

fn number(table: &RecordBatch, key: &str) -> Option<usize> {
    table.schema().metadata().get(key)?.parse().ok()
}
