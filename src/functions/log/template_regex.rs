//! `template_regex(template)`: a template as an anchored regular expression.

use crate::algorithms::text::template_regex;
use crate::functions::texts::{Parameters, map_to_text, text_result_type};
use datafusion::arrow::array::StringViewArray;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature,
};
use datafusion_macros::user_doc;
use std::sync::Arc;

const NAME: &str = "template_regex";

const PARAMETERS: Parameters = Parameters {
    function: NAME,
    texts: &["template"],
    has_options: false,
};

#[user_doc(
    doc_section(label = "Log Functions"),
    description = "Returns an anchored regular expression that matches the messages of a template, with a group for every placeholder. NULL for NULL.",
    syntax_example = "template_regex(template)",
    sql_example = r#"```sql
> SELECT template_regex('took <*> (ok)') AS regex;
+-----------------------------------+
| regex                             |
+-----------------------------------+
| (?s)^\s*took\s+(.*?)\s+\(ok\)\s*$ |
+-----------------------------------+
> SELECT regexp_match('took 12 ms (ok)', template_regex('took <*> (ok)')) AS values;
+---------+
| values  |
+---------+
| [12 ms] |
+---------+
```"#,
    argument(
        name = "template",
        description = "A template with `<*>` or typed placeholders"
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct TemplateRegex {
    signature: Signature,
}

impl TemplateRegex {
    pub(crate) fn new() -> Self {
        Self {
            signature: PARAMETERS.signature(),
        }
    }
}

impl ScalarUDFImpl for TemplateRegex {
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
        Ok(text_result_type(&types[0]))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        map_to_text(&args.args[0], |texts| {
            Ok(Arc::new(
                texts
                    .iter()
                    .map(|text| text.map(template_regex))
                    .collect::<StringViewArray>(),
            ))
        })
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}
