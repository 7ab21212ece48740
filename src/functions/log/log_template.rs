//! `log_template(message [, options])`: the line with its variables masked.

use crate::algorithms::text::{Masker, Masking};
use crate::functions::log::read_masker;
use crate::functions::options::{Prepared, called_options, planned_options};
use crate::functions::texts::{Parameters, Texts, map_to_text, text_result_type};
use datafusion::arrow::array::{ArrayRef, StringViewBuilder};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature,
};
use datafusion_macros::user_doc;
use std::sync::Arc;

const NAME: &str = "log_template";

const PARAMETERS: Parameters = Parameters {
    function: NAME,
    texts: &["message"],
    has_options: true,
};

#[user_doc(
    doc_section(label = "Log Functions"),
    description = "Returns the template of a log line: the line with every variable (numbers, addresses, paths, identifiers, names) \
replaced by `<*>` and every run of white space by one blank. It depends on the line alone, so it never changes; without `mask` and `max_len` the template of a template is itself. NULL for NULL.",
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
        description = "Constant. `style=star|typed`: `<*>` for all, or `<NUM>`, `<IP>`, ... `profile=default|kv|json`: for key=value and JSON lines every key is kept and every value masked, those of `level`, `msg`, `error` and the like as a text. `keep=a|b`: words never masked. `mask=\"regex\"`: what it matches is a variable. `max_len=n`: what stands behind n bytes is one variable"
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct LogTemplate {
    signature: Signature,
    maskers: Prepared<Masker>,
}

impl LogTemplate {
    pub(crate) fn new() -> Self {
        Self {
            signature: PARAMETERS.signature(),
            maskers: Prepared::default(),
        }
    }
}

fn templates(texts: Texts<'_>, masker: &Masker) -> ArrayRef {
    let mut builder = StringViewBuilder::with_capacity(texts.len());
    let (mut masking, mut template) = (Masking::default(), String::new());
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

impl ScalarUDFImpl for LogTemplate {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(PARAMETERS.coerce(types))
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        internal_err!("return_field_from_args is called instead")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        PARAMETERS.check_fields(args.arg_fields)?;
        if let Some(options) = planned_options(&args, 1) {
            self.maskers
                .get(NAME, options, |options| read_masker(NAME, options))?;
        }
        let message = &args.arg_fields[0];
        Ok(Arc::new(Field::new(
            NAME,
            text_result_type(message.data_type()),
            message.is_nullable(),
        )))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let options = called_options(NAME, &args.args, 1)?;
        let masker = self
            .maskers
            .get(NAME, options, |options| read_masker(NAME, options))?;
        map_to_text(&args.args[0], |texts| Ok(templates(texts, &masker)))
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}
