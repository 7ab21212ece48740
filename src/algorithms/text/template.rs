//! Uses of a template: to match messages, to make a regular expression, to fill in values.
//!
//! In a template every placeholder (`<*>`, `<NUM>`, ...) matches any text, even an empty one, and a
//! blank matches any run of white space.

use memchr::memmem;

use crate::algorithms::text::blanks::{is_white, push_with_single_blanks, with_single_blanks};
use crate::algorithms::text::escapes::without_escapes;
use crate::algorithms::text::kind::VariableKind;

/// The constant texts between the placeholders of a template: one more than there are placeholders;
/// each can be empty.
pub(crate) fn template_constants(template: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(template);
    std::iter::from_fn(move || {
        let text = rest?;
        for start in memchr::memchr_iter(b'<', text.as_bytes()) {
            if let Some((_, length)) = VariableKind::of_placeholder(&text.as_bytes()[start..]) {
                rest = Some(&text[start + length..]);
                return Some(&text[..start]);
            }
        }
        rest = None;
        Some(text)
    })
}

/// An anchored regular expression for the messages of a template, with a lazy group for every
/// placeholder. The `regex` crate understands it, and so do `regexp_like` and `regexp_match` of
/// DataFusion, RE2, Java and PCRE.
///
/// ```
/// use datafusion_aiops::algorithms::text::template_regex;
/// assert_eq!(template_regex("took <*> (ok)"), r"(?s)^\s*took\s+(.*?)\s+\(ok\)\s*$");
/// ```
pub fn template_regex(template: &str) -> String {
    let mut out = String::with_capacity(2 * template.len() + 16);
    out.push_str(r"(?s)^\s*");
    for (position, constant) in template_constants(template.trim_ascii()).enumerate() {
        if position > 0 {
            out.push_str("(.*?)");
        }
        let mut in_blank = false;
        for char in constant.chars() {
            let is_blank = char.is_ascii() && is_white(char as u8);
            if !is_blank {
                out.push_str(&regex::escape(char.encode_utf8(&mut [0; 4])));
            } else if !in_blank {
                out.push_str(r"\s+");
            }
            in_blank = is_blank;
        }
    }
    out.push_str(r"\s*$");
    out
}

/// Matches messages with templates; keeps its working space, so that messages cost no allocations.
#[derive(Debug, Clone, Default)]
pub struct TemplateMatcher {
    plain: String,
    message: String,
    template: String,
}

impl TemplateMatcher {
    /// Whether `message`, without the colours of a terminal, could have come from `template`.
    ///
    /// ```
    /// use datafusion_aiops::algorithms::text::TemplateMatcher;
    ///
    /// let mut matcher = TemplateMatcher::default();
    /// assert!(matcher.is_match("took   12 ms", "took <*> ms"));
    /// assert!(!matcher.is_match("took 12 s", "took <*> ms"));
    /// ```
    pub fn is_match(&mut self, message: &str, template: &str) -> bool {
        single_blanks_into(without_escapes(message, &mut self.plain), &mut self.message);
        single_blanks_into(template, &mut self.template);
        let mut constants = template_constants(&self.template);
        let first = constants.next().unwrap_or_default();
        let Some(mut rest) = self.message.strip_prefix(first) else {
            return false;
        };
        let Some(mut constant) = constants.next() else {
            return rest.is_empty();
        };
        for next in constants {
            // The leftmost place is always right: it leaves the most text for the rest of the
            // template.
            let Some(found) = memmem::find(rest.as_bytes(), constant.as_bytes()) else {
                return false;
            };
            rest = &rest[found + constant.len()..];
            constant = next;
        }
        rest.ends_with(constant)
    }
}

fn single_blanks_into(text: &str, out: &mut String) {
    out.clear();
    push_with_single_blanks(text, 0, out);
    out.truncate(out.trim_end_matches(' ').len());
}

/// Replaces the placeholders of a template with `values`, in order; a placeholder without a value
/// stays.
///
/// ```
/// use datafusion_aiops::algorithms::text::fill_template;
/// assert_eq!(fill_template("took <*> of <*>", ["12 ms", "1 s"]), "took 12 ms of 1 s");
/// ```
pub fn fill_template<'a>(template: &str, values: impl IntoIterator<Item = &'a str>) -> String {
    let mut values = values.into_iter();
    let mut out = String::with_capacity(template.len());
    let mut at = 0;
    for (position, constant) in template_constants(template).enumerate() {
        let start = constant.as_ptr().addr() - template.as_ptr().addr();
        if position > 0 {
            out.push_str(values.next().unwrap_or(&template[at..start]));
        }
        out.push_str(constant);
        at = start + constant.len();
    }
    out
}

/// Whether two texts are the same except for runs of white space.
///
/// ```
/// use datafusion_aiops::algorithms::text::is_same_text;
/// assert!(is_same_text("disk  full", " disk full"));
/// ```
pub fn is_same_text(first: &str, second: &str) -> bool {
    with_single_blanks(first) == with_single_blanks(second)
}
