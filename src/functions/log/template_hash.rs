//! `template_hash(template)`: the identity of a template as a number.

use crate::algorithms::text::template_hash;
use crate::functions::texts::{Parameters, map_texts};
use datafusion::arrow::array::Int64Array;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature,
};
use datafusion_macros::user_doc;
use std::sync::Arc;

const NAME: &str = "template_hash";

const PARAMETERS: Parameters = Parameters {
    function: NAME,
    texts: &["template"],
    has_options: false,
};

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
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct TemplateHash {
    signature: Signature,
}

impl TemplateHash {
    pub(crate) fn new() -> Self {
        Self {
            signature: PARAMETERS.signature(),
        }
    }
}

impl ScalarUDFImpl for TemplateHash {
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
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        map_texts(&args.args[0], |texts| {
            Ok(Arc::new(
                texts
                    .iter()
                    .map(|text| text.map(template_hash))
                    .collect::<Int64Array>(),
            ))
        })
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}
