//! Builds a column of strings that point into the block that was read, instead of copying every
//! value.

use datafusion::arrow::array::{StringViewArray, StringViewBuilder};
use datafusion::arrow::buffer::Buffer;

/// Strings up to this length are stored in the view itself, see the Arrow format.
const INLINE_BYTES: usize = 12;

/// A text and, if it is in the current block, its offset there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text<'a> {
    pub(crate) text: &'a str,
    pub(crate) place: Option<usize>,
}

impl<'a> Text<'a> {
    /// The part from `start` to `end`.
    pub(crate) fn part(self, start: usize, end: usize) -> Self {
        Self {
            text: &self.text[start..end],
            place: self.place.map(|place| place + start),
        }
    }
}

/// The builder of one column.
#[derive(Debug)]
pub(crate) struct StringColumn {
    builder: StringViewBuilder,
    /// The number that the builder gave to the current block, once a value points into it.
    block: Option<u32>,
}

impl StringColumn {
    pub(crate) fn new() -> Self {
        Self {
            builder: StringViewBuilder::new(),
            block: None,
        }
    }

    /// Forgets the current block.
    pub(crate) fn end_block(&mut self) {
        self.block = None;
    }

    pub(crate) fn push_null(&mut self) {
        self.builder.append_null();
    }

    /// Appends a text, whose place is an offset into `block`.
    pub(crate) fn push(&mut self, text: Text<'_>, block: &Buffer) {
        let length = u32::try_from(text.text.len());
        let place = text.place.and_then(|place| u32::try_from(place).ok());
        if let (Some(place), Ok(length)) = (place, length)
            && text.text.len() > INLINE_BYTES
        {
            let number = match self.block {
                Some(number) => number,
                None => *self.block.insert(self.builder.append_block(block.clone())),
            };
            if self.builder.try_append_view(number, place, length).is_ok() {
                return;
            }
        }
        self.builder.append_value(text.text);
    }

    /// Appends a text that is in no block.
    pub(crate) fn push_owned(&mut self, text: &str) {
        self.builder.append_value(text);
    }

    /// The column so far; the builder is empty again afterwards.
    pub(crate) fn finish(&mut self) -> StringViewArray {
        self.block = None;
        self.builder.finish()
    }
}
