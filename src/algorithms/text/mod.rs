//! Text: masking log lines, hashing templates, splitting into words.

mod blanks;
mod classify;
mod concepts;
mod escapes;
mod hash;
mod kind;
mod mask;
mod mask_options;
mod memo;
mod mine;
mod paths;
mod quote_marks;
mod random;
pub(crate) mod runs;
mod scan;
mod shape;
mod template;
pub(crate) mod tokenize;
mod variable;
mod words;

pub use blanks::with_single_blanks;
pub use concepts::{CONCEPTS_VERSION, ConceptTable};

pub use hash::template_hash;
pub use kind::VariableKind;
pub use mask::{Masker, Masking};
pub use mask_options::{MaskOptions, Profile, Quotes, Style, Subject};
pub use mine::{MinedTemplates, Sighting, TemplateTally, generalise};
pub use template::{TemplateMatcher, fill_template, is_same_text, template_regex};
pub use tokenize::{TokenOptions, Tokenizer, tokens};
pub use variable::Variable;
