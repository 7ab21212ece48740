//! `log_tokens(text [, options])`: the words of a text.

use crate::algorithms::text::{TokenOptions, tokens};
use crate::functions::lists::list_of;
use crate::functions::options::Options;
use crate::functions::parameters::{Parameters, Takes};
use crate::functions::scalar::{Arguments, Scalar};
use crate::functions::texts::{Texts, map_texts};
use datafusion::arrow::array::{ArrayRef, StringViewBuilder};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, Documentation};
use datafusion_macros::user_doc;
use std::sync::Arc;

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
#[derive(Debug, Default)]
pub(crate) struct LogTokens;

fn read_token_options(options: &mut Options) -> Result<TokenOptions> {
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

impl Scalar for LogTokens {
    const PARAMETERS: Parameters = Parameters {
        function: "log_tokens",
        required: &[("text", Takes::Text)],
        optional: &[],
        has_options: true,
    };

    type Options = TokenOptions;

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }

    fn read_options(options: &mut Options) -> Result<Self::Options> {
        read_token_options(options)
    }

    fn return_type(&self, _: &[DataType]) -> DataType {
        DataType::List(word_item())
    }

    fn call(&self, arguments: &Arguments<'_>, options: &Self::Options) -> Result<ColumnarValue> {
        map_texts(arguments.required(0), |texts| token_lists(texts, options))
    }
}
