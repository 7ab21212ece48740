//! `template_hash(template)`: the identity of a template as a number.

use std::sync::Arc;

use datafusion::arrow::array::Int64Array;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, Documentation};
use datafusion_macros::user_doc;

use crate::algorithms::text::template_hash;
use crate::functions::call::options::CallOptions;
use crate::functions::call::parameters::{Parameters, Takes};
use crate::functions::call::scalar::{BatchArguments, Scalar};
use crate::functions::call::texts::map_texts;

#[user_doc(
    doc_section(label = "Log Functions"),
    description = "Returns the stable identity of a template, from 0 to 2^63-1: XXH64 with seed 0 over the whole UTF-8 text, highest bit cleared. \
Other programs compute the same number (ClickHouse: `bitAnd(xxHash64(template), 9223372036854775807)`). NULL for NULL.",
    syntax_example = "template_hash(template)",
    sql_example = r#"```sql
> SELECT template_hash('Connection from <*> closed') AS hash;
+---------------------+
| hash                |
+---------------------+
| 2463772990271665740 |
+---------------------+
```"#,
    argument(name = "template", description = "A template, or any other text")
)]
#[derive(Debug, Default)]
pub(crate) struct TemplateHash;

impl Scalar for TemplateHash {
    const PARAMETERS: Parameters = Parameters {
        function: "template_hash",
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

    fn return_type(&self, _: &[DataType]) -> DataType {
        DataType::Int64
    }

    fn call(&self, arguments: &BatchArguments<'_>, _: &Self::Options) -> Result<ColumnarValue> {
        map_texts(arguments.required(0), |texts| {
            let hashes = texts.iter().map(|text| text.map(template_hash));
            Ok(Arc::new(hashes.collect::<Int64Array>()))
        })
    }
}
