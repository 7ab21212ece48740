//! `log_tokens(text [, options])`: the words of a text.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, StringViewBuilder};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, Documentation};
use datafusion_macros::user_doc;

use crate::algorithms::text::Tokenizer;
use crate::functions::call::lists::list_of;
use crate::functions::call::options::CallOptions;
use crate::functions::call::parameters::{Parameters, Takes};
use crate::functions::call::scalar::{BatchArguments, Scalar};
use crate::functions::call::texts::{Texts, map_texts};
use crate::functions::call::words::{WordDefaults, WordOptions, read_words};

/// The words of a text as they are; options add meaning.
const WORD_DEFAULTS: WordDefaults = WordDefaults {
    stop_words: false,
    concepts: false,
};

#[user_doc(
    doc_section(label = "Log Functions"),
    description = "Returns the words of a text in their order: runs of letters and digits, the parts of camelCase and snake_case names, Chinese words by a \
dictionary, and pairs of characters for what it does not know, as Japanese. Placeholders are no words. NULL for NULL, an empty list for a text without words.",
    syntax_example = "log_tokens(text [, options])",
    sql_example = r#"```sql
> SELECT log_tokens('OutOfMemoryError in worker_pool <*>: 磁盘已满') AS words;
+--------------------------------------------------------+
| words                                                  |
+--------------------------------------------------------+
| [out, of, memory, error, in, worker, pool, 磁盘, 已满] |
+--------------------------------------------------------+
```"#,
    argument(
        name = "text",
        description = "A log line, a template or any other text"
    ),
    argument(
        name = "options",
        description = "Constant. `case=lower|keep`. `min_len=2`: characters that a word has at least. `numbers=off|on`: whether words of digits alone count. \
`stop_words=off|on`: whether words such as `the`, `of` and `的` are left out. `concepts=off|on`: failure concepts behind the words, `#disk` and `#exhausted` for \"disk full\", for \"磁盘已满\" and for many other wordings. `phrases=\"concept: phrase|..\"`: your own phrases beside them"
    )
)]
#[derive(Debug, Default)]
pub(crate) struct LogTokens;

fn word_item() -> FieldRef {
    Arc::new(Field::new_list_field(DataType::Utf8View, true))
}

fn token_lists(texts: Texts<'_>, tokenizer: &Tokenizer) -> Result<ArrayRef> {
    let mut words = StringViewBuilder::new();
    let mut lengths = Vec::with_capacity(texts.len());
    for text in texts.iter() {
        let mut length = 0;
        tokenizer.tokens(text.unwrap_or_default(), |word| {
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

    type Options = WordOptions;

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }

    fn read_options(options: &mut CallOptions) -> Result<Self::Options> {
        read_words(options, WORD_DEFAULTS)
    }

    fn return_type(&self, _: &[DataType]) -> DataType {
        DataType::List(word_item())
    }

    fn call(
        &self,
        arguments: &BatchArguments<'_>,
        options: &Self::Options,
    ) -> Result<ColumnarValue> {
        map_texts(arguments.required(0), |texts| {
            token_lists(texts, &options.tokenizer)
        })
    }
}
