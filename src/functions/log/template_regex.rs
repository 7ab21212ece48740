//! `template_regex(template)`: a template as an anchored regular expression.

use std::sync::Arc;

use datafusion::arrow::array::StringViewArray;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, Documentation};
use datafusion_macros::user_doc;

use crate::algorithms::text::template_regex;
use crate::functions::call::options::CallOptions;
use crate::functions::call::parameters::{Parameters, Takes};
use crate::functions::call::scalar::{BatchArguments, Scalar};
use crate::functions::call::texts::{map_to_text, text_result_type};

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
#[derive(Debug, Default)]
pub(crate) struct TemplateRegex;

impl Scalar for TemplateRegex {
    const PARAMETERS: Parameters = Parameters {
        function: "template_regex",
        required: &[("template", Takes::Text)],
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

    fn return_type(&self, types: &[DataType]) -> DataType {
        text_result_type(&types[0])
    }

    fn call(&self, arguments: &BatchArguments<'_>, _: &Self::Options) -> Result<ColumnarValue> {
        map_to_text(arguments.required(0), |texts| {
            let regexes = texts.iter().map(|text| text.map(template_regex));
            Ok(Arc::new(regexes.collect::<StringViewArray>()))
        })
    }
}
