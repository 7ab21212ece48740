//! `template_match(message, template)`: whether a template can have produced a message.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, BooleanArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, Documentation};
use datafusion_macros::user_doc;

use crate::algorithms::text::TemplateMatcher;
use crate::functions::call::options::CallOptions;
use crate::functions::call::parameters::{Parameters, Takes};
use crate::functions::call::scalar::{BatchArguments, Scalar};
use crate::functions::call::texts::{Texts, map_text_pairs, map_texts};

#[user_doc(
    doc_section(label = "Log Functions"),
    description = "Tells whether a message can have come from a template: its constant texts stand in the message in their order, with any text, \
also none, for each placeholder, and any white space for a blank. NULL when either is NULL.",
    syntax_example = "template_match(message, template)",
    sql_example = r#"```sql
> SELECT template_match('took 12 ms', 'took <*> ms') AS a, template_match('took 12 s', 'took <*> ms') AS b;
+------+-------+
| a    | b     |
+------+-------+
| true | false |
+------+-------+
```"#,
    argument(name = "message", description = "The log line"),
    argument(
        name = "template",
        description = "The template, the same for all rows or a column"
    )
)]
#[derive(Debug, Default)]
pub(crate) struct TemplateMatch;

fn matches<'a>(pairs: impl Iterator<Item = (Option<&'a str>, Option<&'a str>)>) -> ArrayRef {
    let mut matcher = TemplateMatcher::default();
    let is_match = |(message, template): (Option<&str>, Option<&str>)| {
        Some(matcher.is_match(message?, template?))
    };
    Arc::new(pairs.map(is_match).collect::<BooleanArray>())
}

impl Scalar for TemplateMatch {
    const PARAMETERS: Parameters = Parameters {
        function: "template_match",
        required: &[("message", Takes::Text), ("template", Takes::Text)],
        optional: &[],
        has_options: false,
    };

    type Options = ();

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }

    fn read_options(_: &mut CallOptions) -> Result<Self::Options> {
        Ok(())
    }

    fn return_type(&self, _: &[DataType]) -> DataType {
        DataType::Boolean
    }

    fn call(&self, arguments: &BatchArguments<'_>, _: &Self::Options) -> Result<ColumnarValue> {
        let (messages, templates) = (arguments.required(0), arguments.required(1));
        match templates {
            ColumnarValue::Scalar(template) => {
                let template = template.try_as_str().flatten();
                map_texts(messages, |texts| {
                    Ok(matches(texts.iter().map(|message| (message, template))))
                })
            }
            ColumnarValue::Array(_) => map_text_pairs(
                messages,
                templates,
                arguments.n_rows,
                |messages: Texts<'_>, templates: Texts<'_>| {
                    Ok(matches(messages.iter().zip(templates.iter())))
                },
            ),
        }
    }
}
