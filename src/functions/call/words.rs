//! Words: the tokenizer options, and arguments that are texts or lists of words.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringViewArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, plan_datafusion_err, plan_err};
use datafusion::logical_expr::ColumnarValue;

use crate::algorithms::text::{ConceptTable, TokenOptions, Tokenizer};
use crate::functions::call::options::CallOptions;
use crate::functions::call::texts::{Texts, unpacked};

/// The defaults of a function for options that a call does not give.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WordDefaults {
    pub(crate) stop_words: bool,
    pub(crate) concepts: bool,
}

/// A tokenizer, and the phrases of the caller among its concepts.
#[derive(Debug, Clone)]
pub(crate) struct WordOptions {
    pub(crate) tokenizer: Tokenizer,
    pub(crate) phrases: Vec<String>,
}

/// Reads `case`, `min_len`, `numbers`, `stop_words`, `concepts` and `phrases`.
pub(crate) fn read_words(options: &mut CallOptions, defaults: WordDefaults) -> Result<WordOptions> {
    let default = TokenOptions::default();
    let token_options = TokenOptions {
        lower_case: options
            .take_choice("case", &[("lower", true), ("keep", false)])?
            .unwrap_or(default.lower_case),
        min_len: options
            .take_number("min_len", 1)?
            .unwrap_or(default.min_len),
        numbers: options.take_switch("numbers")?.unwrap_or(default.numbers),
        // The option says whether stop words are removed: `stop_words=on` removes them.
        stop_words: options
            .take_switch("stop_words")?
            .unwrap_or(defaults.stop_words),
    };
    let concepts = options.take_switch("concepts")?;
    let phrases = options.take_list("phrases").unwrap_or_default();
    if concepts == Some(false) && !phrases.is_empty() {
        return plan_err!(
            "{}: option phrases does nothing with concepts=off: leave one of them out",
            options.function()
        );
    }
    let is_on = concepts.unwrap_or(defaults.concepts || !phrases.is_empty());
    word_options(token_options, is_on, phrases)
        .map_err(|error| plan_datafusion_err!("{}: {error}", options.function()))
}

/// The tokenizer for these options.
pub(crate) fn word_options(
    options: TokenOptions,
    concepts: bool,
    phrases: Vec<String>,
) -> crate::error::Result<WordOptions> {
    let table = match phrases.as_slice() {
        [] => ConceptTable::built_in(),
        own => Arc::new(ConceptTable::with_phrases(own)?),
    };
    let tokenizer = Tokenizer {
        options,
        concepts: concepts.then_some(table),
    };
    Ok(WordOptions { tokenizer, phrases })
}

/// A column of texts, which are not tokenized yet, or of lists of words.
#[derive(Debug)]
pub(crate) enum WordColumn {
    Texts(ArrayRef),
    Lists(ArrayRef),
}

impl WordColumn {
    pub(crate) fn try_new(argument: &ColumnarValue, n_rows: usize) -> Result<Self> {
        let array = unpacked(argument, n_rows)?;
        if array.data_type().is_string() {
            return Ok(Self::Texts(array));
        }
        let item = Field::new_list_field(DataType::Utf8View, true);
        let lists = cast(&array, &DataType::List(Arc::new(item)))?;
        Ok(Self::Lists(lists))
    }

    /// Calls `take` with each row and its words: `None` for a NULL, or if there is no tokenizer.
    /// NULL words of a list are left out.
    pub(crate) fn for_each<'a>(
        &self,
        tokenizer: impl Fn(usize) -> Option<&'a Tokenizer>,
        mut take: impl FnMut(usize, Option<&[&str]>),
    ) -> Result<()> {
        match self {
            Self::Texts(array) => {
                let mut words = WordBuffer::default();
                for (row, text) in Texts::try_new(array)?.iter().enumerate() {
                    match (text, tokenizer(row)) {
                        (Some(text), Some(tokenizer)) => {
                            take(row, Some(&words.of(text, tokenizer)))
                        }
                        _ => take(row, None),
                    }
                }
            }
            Self::Lists(array) => {
                for (row, list) in array.as_list::<i32>().iter().enumerate() {
                    let words = list.as_ref().map(|list| list.as_string_view());
                    let words = words.filter(|_| tokenizer(row).is_some());
                    let words = words.map(|words: &StringViewArray| words.iter().flatten());
                    take(row, words.map(Iterator::collect::<Vec<_>>).as_deref());
                }
            }
        }
        Ok(())
    }
}

/// The words of a text, one after the other in one buffer, which is reused for the next text.
#[derive(Debug, Default)]
struct WordBuffer {
    text: String,
    ends: Vec<usize>,
}

impl WordBuffer {
    fn of(&mut self, text: &str, tokenizer: &Tokenizer) -> Vec<&str> {
        self.text.clear();
        self.ends.clear();
        tokenizer.tokens(text, |word| {
            self.text.push_str(word);
            self.ends.push(self.text.len());
        });
        let begins = std::iter::once(&0).chain(&self.ends);
        begins
            .zip(&self.ends)
            .map(|(&begin, &end)| &self.text[begin..end])
            .collect()
    }
}
