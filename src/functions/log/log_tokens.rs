//! `log_tokens(text [, options])`: the words of a text.

use crate::algorithms::text::{TokenOptions, tokens};
use crate::functions::lists::list_of;
use crate::functions::options::{Options, Prepared, called_options, planned_options};
use crate::functions::texts::{Parameters, Texts, map_texts};
use datafusion::arrow::array::{ArrayRef, StringViewBuilder};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature,
};
use datafusion_macros::user_doc;
use std::sync::Arc;

const NAME: &str = "log_tokens";

const PARAMETERS: Parameters = Parameters {
    function: NAME,
    texts: &["text"],
    has_options: true,
};

#[user_doc(
    doc_section(label = "Log Functions"),
    description = "Returns the words of a text in their order: runs of letters and digits, the parts of camelCase and snake_case names, and for Chinese and \
Japanese the overlapping pairs of characters. Placeholders are no words. NULL for NULL, an empty list for a text without words.",
    syntax_example = "log_tokens(text [, options])",
    sql_example = r#"```sql
> SELECT log_tokens('OutOfMemoryError in worker_pool <*>: 磁盘已满') AS words;
+--------------------------------------------------------------+
| words                                                        |
+--------------------------------------------------------------+
| [out, of, memory, error, in, worker, pool, 磁盘, 盘已, 已满] |
+--------------------------------------------------------------+
```"#,
    argument(
        name = "text",
        description = "A log line, a template or any other text"
    ),
    argument(
        name = "options",
        description = "Constant. `case=lower|keep`. `min_len=2`: characters that a word has at least. `numbers=off|on`: whether words of digits alone count. \
`stop_words=off|on`: whether English words such as `the` and `of` are left out"
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct LogTokens {
    signature: Signature,
    options: Prepared<TokenOptions>,
}

impl LogTokens {
    pub(crate) fn new() -> Self {
        Self {
            signature: PARAMETERS.signature(),
            options: Prepared::default(),
        }
    }
}

fn read_options(options: &mut Options) -> Result<TokenOptions> {
    let default = TokenOptions::default();
    Ok(TokenOptions {
        lower_case: options
            .take_choice("case", &[("lower", true), ("keep", false)])?
            .unwrap_or(default.lower_case),
        min_len: options
            .take_number("min_len", 1)?
            .unwrap_or(default.min_len),
        numbers: options.take_switch("numbers")?.unwrap_or(default.numbers),
        // The option says whether stop words are removed: `stop_words=on` switches the removal on.
        stop_words: options
            .take_switch("stop_words")?
            .unwrap_or(default.stop_words),
    })
}

fn word_item() -> FieldRef {
    Arc::new(Field::new_list_field(DataType::Utf8View, true))
}

fn token_lists(texts: Texts<'_>, options: &TokenOptions) -> Result<ArrayRef> {
    let mut words = StringViewBuilder::new();
    let mut lengths = Vec::with_capacity(texts.len());
    for text in texts.iter() {
        let mut length = 0;
        tokens(text.unwrap_or_default(), options, |word| {
            words.append_value(word);
            length += 1;
        });
        lengths.push(length);
    }
    let nulls = texts.nulls();
    Ok(Arc::new(list_of(
        word_item(),
        Arc::new(words.finish()),
        &lengths,
        nulls,
    )?))
}

impl ScalarUDFImpl for LogTokens {
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
            self.options.get(NAME, options, read_options)?;
        }
        Ok(Arc::new(Field::new(
            NAME,
            DataType::List(word_item()),
            args.arg_fields[0].is_nullable(),
        )))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let options = called_options(NAME, &args.args, 1)?;
        let options = self.options.get(NAME, options, read_options)?;
        map_texts(&args.args[0], |texts| token_lists(texts, &options))
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}
