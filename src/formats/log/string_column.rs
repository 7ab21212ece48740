//! Builds a column of strings that points into the block that was read, instead of copying every
//! value.

use datafusion::arrow::array::{StringViewArray, StringViewBuilder};
use datafusion::arrow::buffer::Buffer;

/// Strings up to this length lie in the view itself, see the Arrow format.
const INLINE_BYTES: usize = 12;

/// A text and where it lies in the block at hand, if it does.
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
    /// The number of the block at hand in the builder, once a value points into it.
    block: Option<u32>,
}

impl StringColumn {
    pub(crate) fn new() -> Self {
        Self {
            builder: StringViewBuilder::new(),
            block: None,
        }
    }

    /// Forgets the block: the next one is another.
    pub(crate) fn end_block(&mut self) {
        self.block = None;
    }

    pub(crate) fn push_null(&mut self) {
        self.builder.append_null();
    }

    /// Appends a text; its place is one in `block`.
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

    /// The column so far; the builder starts again.
    pub(crate) fn finish(&mut self) -> StringViewArray {
        self.block = None;
        self.builder.finish()
    }
}
