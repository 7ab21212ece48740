//! The model of `tfidf_fit`: how it is stored, and how `tfidf_vec` and `tfidf_terms` read it.
//!
//! The table has a row for each term, in byte order, which is the order of the dimensions, with the
//! columns `term` and `document_frequency`. The metadata holds the number of texts and the
//! tokenizer options, since a text must be cut into words the same way for its vector as for the
//! vocabulary.

use std::str::FromStr;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringArray, UInt64Array};
use datafusion::arrow::datatypes::UInt64Type;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::{Result, exec_datafusion_err, exec_err};

use crate::algorithms::features::{Selection, TermCounts, Vocabulary};
use crate::algorithms::text::{CONCEPTS_VERSION, TokenOptions};
use crate::functions::call::models::{ModelKind, model_column, read_model, write_model};
use crate::functions::call::words::{WordOptions, word_options};

/// A finished model.
const MODEL: ModelKind = ModelKind {
    name: "tfidf_fit",
    version: 1,
};
/// The counts of one partition of a query.
const STATE: ModelKind = ModelKind {
    name: "tfidf_fit_state",
    version: 1,
};

/// The concepts version of a model that was fitted without concepts.
const NO_CONCEPTS: u32 = 0;

/// A model that is ready to make vectors.
#[derive(Debug)]
pub(super) struct TfidfModel {
    pub(super) words: WordOptions,
    pub(super) vocabulary: Vocabulary,
    pub(super) terms: StringArray,
    pub(super) document_frequencies: UInt64Array,
}

impl TfidfModel {
    pub(super) fn decode(function: &str, bytes: &[u8]) -> Result<Self> {
        let table = read_model(function, MODEL, bytes)?;
        let (terms, document_frequencies) = terms_of(&table)?;
        let pairs = terms.iter().flatten().zip(document_frequencies.values());
        let vocabulary = Vocabulary::new(
            pairs.map(|(term, &df)| (term, df)),
            metadata(&table, "n_documents")?,
            metadata(&table, "concept_weight")?,
        );
        let options = TokenOptions {
            lower_case: metadata(&table, "lower_case")?,
            min_len: metadata(&table, "min_len")?,
            numbers: metadata(&table, "numbers")?,
            stop_words: metadata(&table, "stop_words")?,
        };
        let phrases: String = metadata(&table, "phrases")?;
        let phrases = phrases.split('|').filter(|phrase| !phrase.is_empty());
        let phrases = phrases.map(str::to_string).collect();
        Ok(Self {
            words: word_options(options, has_concepts(&table)?, phrases)?,
            vocabulary,
            terms,
            document_frequencies,
        })
    }
}

pub(super) fn write_state(counts: &TermCounts) -> Result<Vec<u8>> {
    let metadata = [
        ("n_documents", counts.n_documents().to_string()),
        ("part_counted", counts.part_counted().to_string()),
    ];
    write_model(STATE, &metadata, &table_of(&counts.sorted())?)
}

pub(super) fn merge_state(function: &str, state: &[u8], counts: &mut TermCounts) -> Result<()> {
    let table = read_model(function, STATE, state)?;
    let (terms, frequencies) = terms_of(&table)?;
    let pairs = terms.iter().flatten().zip(frequencies.values());
    counts.merge(
        metadata(&table, "n_documents")?,
        pairs.map(|(term, &df)| (term, df)),
        metadata(&table, "part_counted")?,
    );
    Ok(())
}

pub(super) fn write_fitted(
    counts: &TermCounts,
    selection: &Selection,
    words: &WordOptions,
    concept_weight: f64,
) -> Result<Vec<u8>> {
    let tokenizer = &words.tokenizer;
    let concepts = tokenizer
        .concepts
        .as_ref()
        .map_or(NO_CONCEPTS, |_| CONCEPTS_VERSION);
    let metadata = [
        ("n_documents", counts.n_documents().to_string()),
        ("part_counted", counts.part_counted().to_string()),
        ("concept_weight", concept_weight.to_string()),
        ("lower_case", tokenizer.options.lower_case.to_string()),
        ("min_len", tokenizer.options.min_len.to_string()),
        ("numbers", tokenizer.options.numbers.to_string()),
        ("stop_words", tokenizer.options.stop_words.to_string()),
        ("concepts", concepts.to_string()),
        ("phrases", words.phrases.join("|")),
    ];
    write_model(MODEL, &metadata, &table_of(&counts.select(selection))?)
}

/// Whether the tokenizer uses the table of failure concepts, whose version must be that of this
/// program.
fn has_concepts(table: &RecordBatch) -> Result<bool> {
    match metadata(table, "concepts")? {
        NO_CONCEPTS => Ok(false),
        CONCEPTS_VERSION => Ok(true),
        version => exec_err!(
            "the model was fitted with version {version} of the failure concepts, and this program has version {CONCEPTS_VERSION}: \
             fit it again with tfidf_fit"
        ),
    }
}

fn table_of(terms: &[(&str, u64)]) -> Result<RecordBatch> {
    let texts: StringArray = terms.iter().map(|term| Some(term.0)).collect();
    let frequencies: UInt64Array = terms.iter().map(|term| Some(term.1)).collect();
    let columns: [(&str, ArrayRef); 2] = [
        ("term", Arc::new(texts)),
        ("document_frequency", Arc::new(frequencies)),
    ];
    Ok(RecordBatch::try_from_iter(columns)?)
}

fn terms_of(table: &RecordBatch) -> Result<(StringArray, UInt64Array)> {
    let terms = model_column(table, "term")?.as_string_opt();
    let frequencies = model_column(table, "document_frequency")?.as_primitive_opt::<UInt64Type>();
    match (terms, frequencies) {
        (Some(terms), Some(frequencies)) if terms.null_count() + frequencies.null_count() == 0 => {
            Ok((terms.clone(), frequencies.clone()))
        }
        _ => Err(exec_datafusion_err!(
            "the model has other columns than it should"
        )),
    }
}

fn metadata<T: FromStr>(table: &RecordBatch, key: &str) -> Result<T> {
    let schema = table.schema();
    let value = schema
        .metadata()
        .get(key)
        .and_then(|value| value.parse().ok());
    value.ok_or_else(|| exec_datafusion_err!("the model does not say its {key}"))
}
