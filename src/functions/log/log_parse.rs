//! `log_parse(message [, options])`: template, hash and variables of a line in one pass.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, Int64Builder, StringViewBuilder, StructArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, Documentation};
use datafusion_macros::user_doc;

use crate::algorithms::text::{Masker, template_hash};
use crate::functions::call::lists::list_of;
use crate::functions::call::options::CallOptions;
use crate::functions::call::parameters::{Parameters, Takes};
use crate::functions::call::scalar::{BatchArguments, Scalar};
use crate::functions::call::texts::{Texts, map_texts};
use crate::functions::log::read_masker;

#[user_doc(
    doc_section(label = "Log Functions"),
    description = "Takes a log line apart in one pass: a struct of the template (as `log_template`), its hash (as `template_hash`) and the variables, a list of \
structs of kind and value in the order of the placeholders. The values put into the template give the line back, with runs of white space between them as one blank. NULL for NULL.",
    syntax_example = "log_parse(message [, options])",
    sql_example = r#"```sql
> SELECT p['template'] AS template, p['variables'][1]['value'] AS who, p['variables'][2]['kind'] AS kind
  FROM (SELECT log_parse('session opened for user alice after 12ms') AS p);
+---------------------------------------+-------+----------+
| template                              | who   | kind     |
+---------------------------------------+-------+----------+
| session opened for user <*> after <*> | alice | DURATION |
+---------------------------------------+-------+----------+
```"#,
    argument(name = "message", description = "The log line"),
    argument(
        name = "options",
        description = "Constant; the options of `log_template`"
    )
)]
#[derive(Debug, Default)]
pub(crate) struct LogParse;

fn variable_fields() -> Fields {
    Fields::from(vec![
        Field::new("kind", DataType::Utf8View, false),
        Field::new("value", DataType::Utf8View, false),
    ])
}

fn variables_item() -> FieldRef {
    Arc::new(Field::new_list_field(
        DataType::Struct(variable_fields()),
        true,
    ))
}

fn result_fields() -> Fields {
    Fields::from(vec![
        Field::new("template", DataType::Utf8View, true),
        Field::new("template_hash", DataType::Int64, true),
        Field::new("variables", DataType::List(variables_item()), true),
    ])
}

fn parsed(texts: Texts<'_>, masker: &Masker) -> Result<ArrayRef> {
    let mut templates = StringViewBuilder::with_capacity(texts.len());
    let mut hashes = Int64Builder::with_capacity(texts.len());
    let (mut kinds, mut values) = (StringViewBuilder::new(), StringViewBuilder::new());
    let mut lengths = Vec::with_capacity(texts.len());
    let (mut masking, mut template) = (masker.space(), String::new());
    for message in texts.iter() {
        let Some(message) = message else {
            templates.append_null();
            hashes.append_null();
            lengths.push(0);
            continue;
        };
        template.clear();
        masker.mask(message, &mut masking);
        masker.write_template(message, &masking, &mut template);
        templates.append_value(&template);
        hashes.append_value(template_hash(&template));
        let text = masking.text(message);
        for variable in masking.variables() {
            kinds.append_value(variable.kind.name());
            values.append_value(&text[variable.start..variable.end]);
        }
        lengths.push(masking.variables().len());
    }
    let templates = templates.finish();
    let nulls = templates.nulls().cloned();
    let variables = StructArray::try_new(
        variable_fields(),
        vec![Arc::new(kinds.finish()), Arc::new(values.finish())],
        None,
    )?;
    let variables = list_of(
        variables_item(),
        Arc::new(variables),
        &lengths,
        nulls.clone(),
    )?;
    let columns: Vec<ArrayRef> = vec![
        Arc::new(templates),
        Arc::new(hashes.finish()),
        Arc::new(variables),
    ];
    Ok(Arc::new(StructArray::try_new(
        result_fields(),
        columns,
        nulls,
    )?))
}

impl Scalar for LogParse {
    const PARAMETERS: Parameters = Parameters {
        function: "log_parse",
        required: &[("message", Takes::Text)],
        optional: &[],
        has_options: true,
    };

    type Options = Masker;

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }

    fn read_options(options: &mut CallOptions) -> Result<Self::Options> {
        read_masker(options)
    }

    fn return_type(&self, _: &[DataType]) -> DataType {
        DataType::Struct(result_fields())
    }

    fn call(
        &self,
        arguments: &BatchArguments<'_>,
        options: &Self::Options,
    ) -> Result<ColumnarValue> {
        map_texts(arguments.required(0), |texts| parsed(texts, options))
    }
}
