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

use crate::algorithms::text::{MaskOptions, Masker, Profile, Style};
use crate::functions::options::Options;
use datafusion::common::{Result, plan_datafusion_err};

/// The masker that the options of `log_template` and `log_parse` describe.
fn read_masker(options: &mut Options) -> Result<Masker> {
    let styles = [("star", Style::Star), ("typed", Style::Typed)];
    let style = options.take_choice("style", &styles)?.unwrap_or_default();
    let mask = MaskOptions {
        style,
        ..read_mask_options(options)?
    };
    Masker::new(&mask).map_err(|error| plan_datafusion_err!("{}: {error}", options.function()))
}

/// The options of masking but `style`.
fn read_mask_options(options: &mut Options) -> Result<MaskOptions> {
    let profiles = [
        ("default", Profile::Default),
        ("kv", Profile::KeyValue),
        ("json", Profile::Json),
    ];
    Ok(MaskOptions {
        style: Style::default(),
        profile: options
            .take_choice("profile", &profiles)?
            .unwrap_or_default(),
        keep: options.take_list("keep").unwrap_or_default(),
        mask: options.take_text("mask"),
        max_len: options.take_number("max_len", 1)?,
    })
}
