//! `tfidf_terms(model)`: the contents of a model of `tfidf_fit`.

use std::sync::Arc;

use datafusion::arrow::array::{Float64Builder, Int64Builder, StringViewBuilder, StructArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, Documentation};
use datafusion_macros::user_doc;

use crate::functions::call::lists::list_of;
use crate::functions::call::models::Models;
use crate::functions::call::options::CallOptions;
use crate::functions::call::parameters::{Parameters, Takes};
use crate::functions::call::scalar::{BatchArguments, Scalar};
use crate::functions::cluster::tfidf_model::TfidfModel;

const NAME: &str = "tfidf_terms";

#[user_doc(
    doc_section(label = "Cluster Functions"),
    description = "Lists the terms of a model of `tfidf_fit` in the order of the dimensions, which is the order of bytes, each with the number of texts that have it and its inverse document \
frequency, `ln((1 + n) / (1 + df)) + 1`. NULL for NULL.",
    syntax_example = "tfidf_terms(model)",
    sql_example = r#"```sql
> WITH fitted AS (SELECT tfidf_terms(tfidf_fit(t, 'concepts=off')) AS terms FROM (VALUES ('disk full'), ('disk lost')) AS templates(t))
SELECT term['term'] AS term, term['document_frequency'] AS df, round(term['idf'], 3) AS idf FROM (SELECT unnest(terms) AS term FROM fitted);
+------+----+-------+
| term | df | idf   |
+------+----+-------+
| disk | 2  | 1.0   |
| full | 1  | 1.405 |
| lost | 1  | 1.405 |
+------+----+-------+
```"#,
    argument(name = "model", description = "A model of `tfidf_fit`")
)]
#[derive(Debug, Default)]
pub(crate) struct TfidfTerms {
    models: Models<TfidfModel>,
}

fn term_fields() -> Fields {
    Fields::from(vec![
        Field::new("term", DataType::Utf8View, false),
        Field::new("document_frequency", DataType::Int64, false),
        Field::new("idf", DataType::Float64, false),
    ])
}

fn item() -> FieldRef {
    Arc::new(Field::new_list_field(DataType::Struct(term_fields()), true))
}

impl Scalar for TfidfTerms {
    const PARAMETERS: Parameters = Parameters {
        function: NAME,
        required: &[("model", Takes::Model("tfidf_fit"))],
        optional: &[],
        has_options: false,
    };

    type Options = ();

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }

    fn read_options(_: &mut CallOptions) -> Result<()> {
        Ok(())
    }

    fn return_type(&self, _: &[DataType]) -> DataType {
        DataType::List(item())
    }

    fn call(&self, arguments: &BatchArguments<'_>, _: &()) -> Result<ColumnarValue> {
        let decode = |bytes: &[u8]| TfidfModel::decode(NAME, bytes);
        let models = self.models.read(arguments.required(0), decode)?;
        let mut terms = StringViewBuilder::new();
        let (mut frequencies, mut idf) = (Int64Builder::new(), Float64Builder::new());
        let mut lengths = Vec::with_capacity(arguments.n_rows);
        let mut is_valid = Vec::with_capacity(arguments.n_rows);
        for row in 0..arguments.n_rows {
            let model = models.of_row(row).map(|number| &models.distinct[number]);
            is_valid.push(model.is_some());
            lengths.push(model.map_or(0, |model| model.vocabulary.n_terms()));
            let Some(model) = model else {
                continue;
            };
            for term in model.terms.iter().flatten() {
                terms.append_value(term);
            }
            for &frequency in model.document_frequencies.values() {
                frequencies.append_value(i64::try_from(frequency).unwrap_or(i64::MAX));
            }
            idf.append_slice(model.vocabulary.idf());
        }
        let values = StructArray::try_new(
            term_fields(),
            vec![
                Arc::new(terms.finish()),
                Arc::new(frequencies.finish()),
                Arc::new(idf.finish()),
            ],
            None,
        )?;
        let lists = list_of(item(), Arc::new(values), &lengths, Some(is_valid.into()))?;
        Ok(ColumnarValue::Array(Arc::new(lists)))
    }
}
