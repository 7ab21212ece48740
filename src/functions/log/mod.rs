//! Functions on log lines and their templates.

pub(crate) mod log_match;
pub(crate) mod log_mine;
pub(crate) mod log_parse;
pub(crate) mod log_template;
pub(crate) mod log_templates;
pub(crate) mod log_tokens;
mod mined_model;
pub(crate) mod template_hash;
pub(crate) mod template_match;
pub(crate) mod template_regex;

use datafusion::common::{Result, plan_datafusion_err};

use crate::algorithms::text::{MaskOptions, Masker, Profile, Quotes, Style, Subject};
use crate::functions::call::options::CallOptions;

/// The names of profiles in options and in models.
const PROFILES: [(&str, Profile); 3] = [
    ("default", Profile::Default),
    ("kv", Profile::KeyValue),
    ("json", Profile::Json),
];
/// The names of the ways to treat words in quotes.
const QUOTES: [(&str, Quotes); 2] = [("mask", Quotes::Mask), ("keep", Quotes::Keep)];

/// Reads the options of `log_template` and `log_parse`, and makes the masker that they describe.
fn read_masker(options: &mut CallOptions) -> Result<Masker> {
    let styles = [("star", Style::Star), ("typed", Style::Typed)];
    let style = options.take_choice("style", &styles)?.unwrap_or_default();
    let subjects = [("mask", Subject::Mask), ("keep", Subject::Keep)];
    let subject = options
        .take_choice("subject", &subjects)?
        .unwrap_or_default();
    let mask = MaskOptions {
        style,
        subject,
        ..read_mask_options(options)?
    };
    Masker::new(&mask).map_err(|error| plan_datafusion_err!("{}: {error}", options.function()))
}

/// Reads the masking options that mining has too.
fn read_mask_options(options: &mut CallOptions) -> Result<MaskOptions> {
    Ok(MaskOptions {
        style: Style::default(),
        // Mining looks at all lines and needs no guess.
        subject: Subject::Keep,
        profile: options
            .take_choice("profile", &PROFILES)?
            .unwrap_or_default(),
        quotes: options.take_choice("quotes", &QUOTES)?.unwrap_or_default(),
        keep: options.take_list("keep").unwrap_or_default(),
        mask: options.take_text("mask"),
        max_len: options.take_number("max_len", 1)?,
    })
}
