//! Text: masking log lines, hashing templates, splitting into words.

mod blanks;
mod classify;
mod concepts;
mod escapes;
mod hash;
mod kind;
mod mask;
mod memo;
mod mine;
mod paths;
mod random;
mod scan;
mod shape;
mod template;
pub(crate) mod tokenize;
mod words;

pub use blanks::with_single_blanks;
pub use concepts::ConceptTable;
pub use escapes::without_escapes;
pub use hash::template_hash;
pub use kind::Kind;
pub use mask::{MaskOptions, Masker, Masking, Profile, Quotes, Style, Subject, Variable};
pub use mine::{MinedTemplates, Sighting, TemplateTally, first_words, generalise};
pub use template::{
    TemplateMatcher, fill_template, is_same_text, template_constants, template_regex,
};
pub use tokenize::{CONCEPT_MARK, TokenOptions, Tokenizer, tokens};
