//! `tfidf_fit(text [, options])`: fits a vocabulary for vectors, as a model.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::{ColumnarValue, Documentation};
use datafusion_macros::user_doc;

use crate::algorithms::features::{Selection, TermCounts};
use crate::functions::call::aggregate::{Aggregate, Fold};
use crate::functions::call::options::CallOptions;
use crate::functions::call::parameters::{ArgumentPlaces, Parameters, Takes};
use crate::functions::call::words::{WordColumn, WordDefaults, WordOptions, read_words};
use crate::functions::cluster::tfidf_model::{merge_state, write_fitted, write_state};

const NAME: &str = "tfidf_fit";
/// The weight of a concept, which represents all the words that mean it. Measured on three sets of
/// bilingual error messages, two of them written without knowledge of the table: from 2 to 3 the
/// clusters are equally good; below 2, the words of one language decide; above 3, one shared
/// concept is enough to unite different causes.
const CONCEPT_WEIGHT: f64 = 2.5;

/// The largest weight: above it, nothing but concepts counts.
const MAX_CONCEPT_WEIGHT: f64 = 1000.0;
/// The largest number of dimensions. More are a mistake: a batch of 8192 such vectors takes 2 GB.
pub(super) const MAX_DIMENSIONS: usize = 65_536;

/// Stop words are left out and concepts are added, since vectors are for comparing what texts mean.
pub(super) const WORD_DEFAULTS: WordDefaults = WordDefaults {
    stop_words: true,
    concepts: true,
};

#[user_doc(
    doc_section(label = "Cluster Functions"),
    description = "Fits a vocabulary: which words of the texts become the dimensions of vectors, and how many texts have each (Spärck Jones 1972). \
Words are those of `log_tokens`, without stop words and with failure concepts (`#disk`, `#exhausted`), so that texts that say one thing in other words or another language come near each other. Returns a model, a `BinaryView` to give to `tfidf_vec` and `tfidf_terms`. \
NULL texts do not count. Give each template once; a text counts as often as it comes. The answer depends on the texts alone, not on their order or on how the query was divided. Of more than a million distinct words a half, a quarter, ... is counted, chosen by hash.",
    syntax_example = "tfidf_fit(text [, options])",
    sql_example = r#"```sql
> WITH templates(t) AS (VALUES ('disk full'), ('disk lost'), ('磁盘已满')), fitted AS (SELECT tfidf_terms(tfidf_fit(t)) AS terms FROM templates)
SELECT term['term'] AS term, term['document_frequency'] AS df FROM (SELECT unnest(terms) AS term FROM fitted) ORDER BY df DESC, term LIMIT 3;
+------------+----+
| term       | df |
+------------+----+
| #disk      | 3  |
| #exhausted | 2  |
| disk       | 2  |
+------------+----+
```"#,
    argument(
        name = "text",
        description = "Templates, or any texts; or lists of words, which are taken as they are"
    ),
    argument(
        name = "options",
        description = "Constant. `min_df=1`: texts that have a word at least. `max_df=1`: part of the texts that have it at most. `max_terms=1024`: dimensions at most, those with the most information. \
`concepts=on|off`, `phrases=\"concept: phrase|..\"`: failure concepts, and your own. `concept_weight=2.5`: how much more a concept weighs than a word. `stop_words=on|off`, `case`, `min_len`, `numbers` as in `log_tokens`"
    )
)]
#[derive(Debug, Default)]
pub(crate) struct TfidfFit;

/// The checked options.
#[derive(Debug)]
pub(crate) struct FitOptions {
    words: WordOptions,
    selection: Selection,
    concept_weight: f64,
}

impl Aggregate for TfidfFit {
    const PARAMETERS: Parameters = Parameters {
        function: NAME,
        required: &[("text", Takes::TextOrWords)],
        optional: &[],
        has_options: true,
    };

    type Options = FitOptions;

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }

    fn read_options(options: &mut CallOptions) -> Result<FitOptions> {
        let words = read_words(options, WORD_DEFAULTS)?;
        let default = Selection::default();
        let selection = Selection {
            min_df: options.take_number("min_df", 1)?.unwrap_or(default.min_df),
            max_df: options
                .take_real("max_df", 0.0, 1.0)?
                .unwrap_or(default.max_df),
            max_terms: options
                .take_number("max_terms", 1)?
                .unwrap_or(default.max_terms),
        };
        if selection.max_terms > MAX_DIMENSIONS {
            return plan_err!(
                "{NAME}: option max_terms needs at most {MAX_DIMENSIONS}, got {}",
                selection.max_terms
            );
        }
        let concept_weight = options.take_real("concept_weight", 0.0, MAX_CONCEPT_WEIGHT)?;
        Ok(FitOptions {
            words,
            selection,
            concept_weight: concept_weight.unwrap_or(CONCEPT_WEIGHT),
        })
    }

    fn return_type(_: &[DataType]) -> DataType {
        DataType::BinaryView
    }

    fn fold(
        options: &Arc<FitOptions>,
        _: &[DataType],
        _: &ArgumentPlaces,
    ) -> Result<Box<dyn Fold>> {
        Ok(Box::new(FitDocuments {
            options: Arc::clone(options),
            counts: TermCounts::default(),
        }))
    }
}

/// The texts seen so far.
#[derive(Debug)]
struct FitDocuments {
    options: Arc<FitOptions>,
    counts: TermCounts,
}

impl Fold for FitDocuments {
    fn update(&mut self, required: &[ArrayRef], _: &[Option<&ArrayRef>]) -> Result<()> {
        let texts = ColumnarValue::Array(Arc::clone(&required[0]));
        let column = WordColumn::try_new(&texts, required[0].len())?;
        let tokenizer = |_| Some(&self.options.words.tokenizer);
        column.for_each(tokenizer, |_, words| {
            if let Some(words) = words {
                self.counts.add_document(words.iter().copied());
            }
        })
    }

    fn state(&self) -> Result<Vec<u8>> {
        write_state(&self.counts)
    }

    fn merge(&mut self, state: &[u8]) -> Result<()> {
        merge_state(NAME, state, &mut self.counts)
    }

    fn finish(&self) -> Result<ScalarValue> {
        let FitOptions {
            words,
            selection,
            concept_weight,
        } = self.options.as_ref();
        let model = write_fitted(&self.counts, selection, words, *concept_weight)?;
        Ok(ScalarValue::BinaryView(Some(model)))
    }

    fn memory_bytes(&self) -> usize {
        self.counts.memory_bytes()
    }
}
