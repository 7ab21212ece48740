//! `log_template(message [, options])`: the line with its variables masked.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, StringViewBuilder};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, Documentation};
use datafusion_macros::user_doc;

use crate::algorithms::text::Masker;
use crate::functions::call::options::CallOptions;
use crate::functions::call::parameters::{Parameters, Takes};
use crate::functions::call::scalar::{BatchArguments, Scalar};
use crate::functions::call::texts::{Texts, map_to_text, text_result_type};
use crate::functions::log::read_masker;

#[user_doc(
    doc_section(label = "Log Functions"),
    description = "Returns the template of a log line: the line with every variable (numbers, addresses, paths, identifiers, names) \
replaced by `<*>` and every run of white space by one blank; the colours of a terminal are taken out. It depends on the line alone, so it never changes; without `mask` and `max_len` the template of a template is itself. NULL for NULL.",
    syntax_example = "log_template(message [, options])",
    sql_example = r#"```sql
> SELECT log_template('Failed password for root from 10.0.0.7 port 42393 ssh2') AS template;
+------------------------------------------------+
| template                                       |
+------------------------------------------------+
| Failed password for <*> from <*> port <*> ssh2 |
+------------------------------------------------+
> SELECT log_template('GET /cart took 12ms', 'style=typed') AS template;
+----------------------------+
| template                   |
+----------------------------+
| GET <PATH> took <DURATION> |
+----------------------------+
```"#,
    argument(
        name = "message",
        description = "The log line: any text type, a dictionary stays one"
    ),
    argument(
        name = "options",
        description = "Constant. `style=star|typed`: `<*>` for all, or `<NUM>`, `<IP>`, ... `profile=default|kv|json`: for key=value and JSON lines every key is kept and every value masked, those of `level`, `msg`, `error` and the like as a text. `quotes=mask|keep`: whether a word in quotes is a variable. `subject=mask|keep`: whether the name is one that a line begins with before a colon, as in `orders: no such table`. `keep=a|b`: words never masked. `mask=\"regex\"`: what it matches is a variable. `max_len=n`: what stands after n bytes is one variable"
    )
)]
#[derive(Debug, Default)]
pub(crate) struct LogTemplate;

fn templates(texts: Texts<'_>, masker: &Masker) -> ArrayRef {
    let mut builder = StringViewBuilder::with_capacity(texts.len());
    let (mut masking, mut template) = (masker.space(), String::new());
    for message in texts.iter() {
        template.clear();
        if let Some(message) = message {
            masker.mask(message, &mut masking);
            masker.write_template(message, &masking, &mut template);
        }
        builder.append_option(message.is_some().then_some(&template));
    }
    Arc::new(builder.finish())
}

impl Scalar for LogTemplate {
    const PARAMETERS: Parameters = Parameters {
        function: "log_template",
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

    fn return_type(&self, types: &[DataType]) -> DataType {
        text_result_type(&types[0])
    }

    fn call(
        &self,
        arguments: &BatchArguments<'_>,
        options: &Self::Options,
    ) -> Result<ColumnarValue> {
        map_to_text(arguments.required(0), |texts| Ok(templates(texts, options)))
    }
}
