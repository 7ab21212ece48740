//! `tfidf_vec(text [, model] [, options])`: a text as a vector.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Float32Array};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{ColumnarValue, Documentation};
use datafusion_macros::user_doc;

use crate::algorithms::features::{Norm, Weight, hashed_vector};
use crate::functions::call::lists::list_of;
use crate::functions::call::models::Models;
use crate::functions::call::options::CallOptions;
use crate::functions::call::parameters::{ArgumentPlaces, Parameters, Takes};
use crate::functions::call::scalar::{BatchArguments, Scalar};
use crate::functions::call::words::{WordColumn, WordOptions, read_words};
use crate::functions::cluster::tfidf_fit::{MAX_DIMENSIONS, WORD_DEFAULTS};
use crate::functions::cluster::tfidf_model::TfidfModel;

const NAME: &str = "tfidf_vec";
/// The dimensions of hashed vectors: a text of some tens of words has hardly any collisions.
const DIMENSIONS: usize = 256;

#[user_doc(
    doc_section(label = "Cluster Functions"),
    description = "Returns a text as a vector. With a model of `tfidf_fit`: one dimension for each of its terms, in the order of `tfidf_terms`, words cut as they were there. Without: \
each word counts in the dimension that its hash says. A text without a known word gets the zero vector. NULL for a NULL text or model.",
    syntax_example = "tfidf_vec(text [, model] [, options])",
    sql_example = r#"```sql
> WITH templates(t) AS (VALUES ('disk full'), ('disk lost')), fitted AS (SELECT tfidf_fit(t, 'concepts=off') AS model FROM templates)
SELECT t, tfidf_vec(t, (SELECT model FROM fitted), 'weight=binary,norm=none') AS vec FROM templates;
+-----------+-----------------+
| t         | vec             |
+-----------+-----------------+
| disk full | [1.0, 1.0, 0.0] |
| disk lost | [1.0, 0.0, 1.0] |
+-----------+-----------------+
> SELECT tfidf_vec('disk full', 'dimensions=4,weight=binary,norm=none,concepts=off') AS vec;
+----------------------+
| vec                  |
+----------------------+
| [0.0, 1.0, 1.0, 0.0] |
+----------------------+
```"#,
    argument(
        name = "text",
        description = "A template or any text; or a list of words"
    ),
    argument(
        name = "model",
        description = "A model of `tfidf_fit`; best by a scalar subquery"
    ),
    argument(
        name = "options",
        description = "Constant. `weight=tfidf|tf|binary`: `(1 + ln tf) * idf` (with a model), the number of times, or 0 and 1. `norm=l2|none`: whether the length is made 1. \
Without a model also `dimensions=256`, and `concepts`, `phrases`, `stop_words`, `case`, `min_len`, `numbers` as in `tfidf_fit`"
    )
)]
#[derive(Debug, Default)]
pub(crate) struct TfidfVec {
    models: Models<TfidfModel>,
}

/// The checked options.
#[derive(Debug)]
pub(crate) struct VectorOptions {
    weight: Option<Weight>,
    norm: Norm,
    dimensions: usize,
    words: WordOptions,
    /// An option that is valid only without a model, if one is given.
    without_model: Option<&'static str>,
}

fn item() -> FieldRef {
    Arc::new(Field::new_list_field(DataType::Float32, true))
}

impl Scalar for TfidfVec {
    const PARAMETERS: Parameters = Parameters {
        function: NAME,
        required: &[("text", Takes::TextOrWords)],
        optional: &[("model", Takes::Model("tfidf_fit"))],
        has_options: true,
    };

    type Options = VectorOptions;

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }

    fn read_options(options: &mut CallOptions) -> Result<VectorOptions> {
        let weights = [
            ("tfidf", Weight::TfIdf),
            ("tf", Weight::Tf),
            ("binary", Weight::Binary),
        ];
        let without_model = options.given(&[
            "dimensions",
            "concepts",
            "phrases",
            "stop_words",
            "case",
            "min_len",
            "numbers",
        ]);
        let weight = options.take_choice("weight", &weights)?;
        let norm = options.take_choice("norm", &[("l2", Norm::L2), ("none", Norm::None)])?;
        let dimensions = options.take_number("dimensions", 1)?.unwrap_or(DIMENSIONS);
        if dimensions > MAX_DIMENSIONS {
            return plan_err!(
                "{NAME}: option dimensions needs at most {MAX_DIMENSIONS}, got {dimensions}"
            );
        }
        Ok(VectorOptions {
            weight,
            norm: norm.unwrap_or_default(),
            dimensions,
            words: read_words(options, WORD_DEFAULTS)?,
            without_model,
        })
    }

    fn check_call(options: &VectorOptions, positions: &ArgumentPlaces) -> Result<()> {
        let has_model = positions.optional[0].is_some();
        match options {
            VectorOptions {
                without_model: Some(key),
                ..
            } if has_model => plan_err!(
                "{NAME}: option {key} belongs to a call without a model: give it to tfidf_fit"
            ),
            VectorOptions {
                weight: Some(Weight::TfIdf),
                ..
            } if !has_model => plan_err!(
                "{NAME}: weight=tfidf needs a model of tfidf_fit; write weight=tf without one"
            ),
            _ => Ok(()),
        }
    }

    fn return_type(&self, _: &[DataType]) -> DataType {
        DataType::List(item())
    }

    fn call(
        &self,
        arguments: &BatchArguments<'_>,
        options: &VectorOptions,
    ) -> Result<ColumnarValue> {
        let text = arguments.required(0);
        let n_rows = arguments.n_rows;
        let vectors = match arguments.optional(0) {
            Some(model) => self.with_model(text, model, n_rows, options),
            None => hashed(text, n_rows, options),
        };
        vectors.map(ColumnarValue::Array)
    }
}

impl TfidfVec {
    fn with_model(
        &self,
        text: &ColumnarValue,
        model: &ColumnarValue,
        n_rows: usize,
        options: &VectorOptions,
    ) -> Result<ArrayRef> {
        let models = self
            .models
            .read(model, |bytes| TfidfModel::decode(NAME, bytes))?;
        let column = WordColumn::try_new(text, n_rows)?;
        let weight = options.weight.unwrap_or_default();
        let model_of = |row: usize| models.of_row(row).map(|number| &models.distinct[number]);
        let mut vectors = VectorBuffer::default();
        // The tokenizer of its own model cuts each row into words.
        let tokenizer = |row: usize| model_of(row).map(|model| &model.words.tokenizer);
        column.for_each(tokenizer, |row, words| {
            let known = words.zip(model_of(row));
            vectors.push(known, |(words, model), out| {
                let words = words.iter().copied();
                model.vocabulary.vector(words, weight, options.norm, out);
            });
        })?;
        vectors.finish()
    }
}

fn hashed(text: &ColumnarValue, n_rows: usize, options: &VectorOptions) -> Result<ArrayRef> {
    let weight = options.weight.unwrap_or(Weight::Tf);
    let mut vectors = VectorBuffer::default();
    let tokenizer = |_| Some(&options.words.tokenizer);
    WordColumn::try_new(text, n_rows)?.for_each(tokenizer, |_, words| {
        vectors.push(words, |words, out| {
            let words = words.iter().copied();
            hashed_vector(words, options.dimensions, weight, options.norm, out);
        });
    })?;
    vectors.finish()
}

/// Vectors, one after the other.
#[derive(Debug, Default)]
struct VectorBuffer {
    values: Vec<f32>,
    lengths: Vec<usize>,
    is_valid: Vec<bool>,
}

impl VectorBuffer {
    fn push<W>(&mut self, words: Option<W>, vector: impl FnOnce(W, &mut Vec<f32>)) {
        let begin = self.values.len();
        self.is_valid.push(words.is_some());
        if let Some(words) = words {
            vector(words, &mut self.values);
        }
        self.lengths.push(self.values.len() - begin);
    }

    fn finish(self) -> Result<ArrayRef> {
        let values = Float32Array::from(self.values);
        let nulls = self.is_valid.into();
        let lists = list_of(item(), Arc::new(values), &self.lengths, Some(nulls))?;
        Ok(Arc::new(lists))
    }
}
