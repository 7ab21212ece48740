//! `template_match(message, template)`: whether a message can have come from a template.

use crate::algorithms::text::TemplateMatcher;
use crate::functions::texts::{Parameters, Texts, map_text_pairs, map_texts};
use datafusion::arrow::array::{ArrayRef, BooleanArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature,
};
use datafusion_macros::user_doc;
use std::sync::Arc;

const NAME: &str = "template_match";

const PARAMETERS: Parameters = Parameters {
    function: NAME,
    texts: &["message", "template"],
    has_options: false,
};

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
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct TemplateMatch {
    signature: Signature,
}

impl TemplateMatch {
    pub(crate) fn new() -> Self {
        Self {
            signature: PARAMETERS.signature(),
        }
    }
}

fn matches<'a>(pairs: impl Iterator<Item = (Option<&'a str>, Option<&'a str>)>) -> ArrayRef {
    let mut matcher = TemplateMatcher::default();
    let is_match = |(message, template): (Option<&str>, Option<&str>)| {
        Some(matcher.is_match(message?, template?))
    };
    Arc::new(pairs.map(is_match).collect::<BooleanArray>())
}

impl ScalarUDFImpl for TemplateMatch {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(PARAMETERS.coerce(types))
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        PARAMETERS.check(types)?;
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match &args.args[1] {
            ColumnarValue::Scalar(template) => {
                let template = template.try_as_str().flatten();
                map_texts(&args.args[0], |texts| {
                    Ok(matches(texts.iter().map(|message| (message, template))))
                })
            }
            ColumnarValue::Array(_) => map_text_pairs(
                &args.args[0],
                &args.args[1],
                args.number_rows,
                |messages: Texts<'_>, templates: Texts<'_>| {
                    Ok(matches(messages.iter().zip(templates.iter())))
                },
            ),
        }
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}
