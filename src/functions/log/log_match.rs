//! `log_match(message, model)`: the mined template of a line.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, StructArray, UInt32Array, new_null_array};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::compute::{interleave, take};
use datafusion::arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, Documentation};
use datafusion_macros::user_doc;

use crate::functions::call::models::{BatchModels, Models};
use crate::functions::call::options::CallOptions;
use crate::functions::call::parameters::{Parameters, Takes};
use crate::functions::call::scalar::{BatchArguments, Scalar};
use crate::functions::call::texts::{Texts, map_text_rows};
use crate::functions::log::mined_model::MinedModel;

const NAME: &str = "log_match";

#[user_doc(
    doc_section(label = "Log Functions"),
    description = "Returns the template that `log_mine` found for a line, and its hash. A line that was not among those mined gets the template that covers it: \
equal to the line but for variables. NULL where no template of the model matches, and for a NULL message or model.",
    syntax_example = "log_match(message, model)",
    sql_example = r#"```sql
> WITH lines(message) AS (VALUES ('user 17 logged in'), ('user root logged in'), ('disk full')), mined AS (SELECT log_mine(message) AS model FROM lines)
SELECT message, log_match(message, (SELECT model FROM mined))['template'] AS template FROM (VALUES ('user root logged in'), ('user eve logged in'), ('no such line')) AS new(message);
+---------------------+--------------------+
| message             | template           |
+---------------------+--------------------+
| user root logged in | user <*> logged in |
| user eve logged in  | user <*> logged in |
| no such line        |                    |
+---------------------+--------------------+
```"#,
    argument(name = "message", description = "The log line: any text type"),
    argument(
        name = "model",
        description = "A model of `log_mine`; best by a scalar subquery, or a `BinaryView` column of a join"
    )
)]
#[derive(Debug, Default)]
pub(crate) struct LogMatch {
    models: Models<MinedModel>,
}

fn result_fields() -> Fields {
    Fields::from(vec![
        Field::new("template", DataType::Utf8View, true),
        Field::new("template_hash", DataType::Int64, true),
    ])
}

impl Scalar for LogMatch {
    const PARAMETERS: Parameters = Parameters {
        function: NAME,
        required: &[
            ("message", Takes::Text),
            ("model", Takes::Model("log_mine")),
        ],
        optional: &[],
        has_options: false,
    };

    type Options = ();

    const MAKES_NULLS: bool = true;

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }

    fn read_options(_: &mut CallOptions) -> Result<()> {
        Ok(())
    }

    fn return_type(&self, _: &[DataType]) -> DataType {
        DataType::Struct(result_fields())
    }

    fn call(&self, arguments: &BatchArguments<'_>, _: &()) -> Result<ColumnarValue> {
        let models = self.models.read(arguments.required(1), |bytes| {
            MinedModel::decode(NAME, bytes)
        })?;
        map_text_rows(arguments.required(0), arguments.n_rows, |messages| {
            matched(messages, &models)
        })
    }
}

fn matched(messages: Texts<'_>, models: &BatchModels<MinedModel>) -> Result<ArrayRef> {
    // One masking space serves all models: a line that it remembers is valid for every masker with
    // the same options.
    let mut space = models.distinct.first().map(|model| model.masker.space());
    let mut masked = String::new();
    // For each row, the number of its model and of the template in that model.
    let found = |(row, message): (usize, Option<&str>)| {
        let number = models.of_row(row)?;
        let (message, model) = (message?, &models.distinct[number]);
        masked.clear();
        let masking = space.as_deref_mut()?;
        model.masker.mask(message, masking);
        model.masker.write_template(message, masking, &mut masked);
        Some((number, model.mined.find(&masked)?))
    };
    let found: Vec<Option<(usize, usize)>> = messages.iter().enumerate().map(found).collect();
    let nulls: NullBuffer = found.iter().map(Option::is_some).collect();
    let templates = selection(
        models,
        &found,
        |model| &model.templates,
        &DataType::Utf8View,
    )?;
    let hashes = selection(models, &found, |model| &model.hashes, &DataType::Int64)?;
    let columns = vec![templates, hashes];
    Ok(Arc::new(StructArray::try_new(
        result_fields(),
        columns,
        Some(nulls),
    )?))
}

/// The selected rows of a column of the models. Texts are not copied: the result points to those of
/// the model.
fn selection(
    models: &BatchModels<MinedModel>,
    found: &[Option<(usize, usize)>],
    column: impl Fn(&MinedModel) -> &ArrayRef,
    data_type: &DataType,
) -> Result<ArrayRef> {
    if let [model] = models.distinct.as_slice() {
        let row = |found: &Option<(usize, usize)>| u32::try_from(found.as_ref()?.1).ok();
        let rows: UInt32Array = found.iter().map(row).collect();
        return Ok(take(column(model), &rows, None)?);
    }
    let null = new_null_array(data_type, 1);
    let columns = models.distinct.iter().map(|model| column(model).as_ref());
    let columns: Vec<&dyn Array> = std::iter::once(null.as_ref()).chain(columns).collect();
    let row =
        |found: &Option<(usize, usize)>| found.map_or((0, 0), |(model, row)| (model + 1, row));
    let rows: Vec<(usize, usize)> = found.iter().map(row).collect();
    Ok(interleave(&columns, &rows)?)
}
