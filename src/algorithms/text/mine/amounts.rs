//! Amounts that a program prints in the unit that fits: `took 12 ms` and `took 3 s`, `512 bytes`
//! and `2048 bytes (2.0 KB)`.
//!
//! Masking leaves a unit that is separated from its number by a blank, since most programs always
//! print the same unit. If a log has the same text with two units, or once with the amount repeated
//! in brackets, the unit is part of the value.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use crate::algorithms::text::classify::unit;
use crate::algorithms::text::kind::VariableKind;

/// Returns the templates; those that differ only in units become one.
pub(super) fn unite_amounts<'a>(templates: &[&'a str]) -> Vec<Cow<'a, str>> {
    let bare: Vec<Cow<'a, str>> = templates.iter().map(|text| without_units(text)).collect();
    let mut spellings: HashMap<&str, BTreeSet<&str>> = HashMap::new();
    for (template, bare) in templates.iter().zip(&bare) {
        spellings.entry(bare).or_default().insert(template);
    }
    let pick = |(template, bare): (&&'a str, &Cow<'a, str>)| match spellings[bare.as_ref()].len() {
        1 => Cow::Borrowed(*template),
        _ => bare.clone(),
    };
    templates.iter().zip(&bare).map(pick).collect()
}

/// A template without the units that follow its placeholders.
pub(super) fn without_units(template: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut at = 0;
    for (start, _) in template.match_indices('<') {
        let Some((_, length)) = VariableKind::of_placeholder(&template.as_bytes()[start..]) else {
            continue;
        };
        let end = start + length;
        if start >= at
            && let Some(unit) = length_of_unit(&template[end..])
        {
            out += &template[at..end];
            at = end + unit;
        }
    }
    if at == 0 {
        return Cow::Borrowed(template);
    }
    out += &template[at..];
    Cow::Owned(out)
}

/// The length of ` bytes` or ` bytes (<*> KB)` at the beginning of a text.
fn length_of_unit(text: &str) -> Option<usize> {
    let word = length_of_blank_and_unit(text)?;
    let again = || {
        let rest = text[word..].strip_prefix(" (")?;
        let (_, length) = VariableKind::of_placeholder(rest.as_bytes())?;
        let behind = length_of_blank_and_unit(&rest[length..]).unwrap_or_default();
        rest[length + behind..]
            .starts_with(')')
            .then_some(2 + length + behind + 1)
    };
    Some(word + again().unwrap_or_default())
}

fn length_of_blank_and_unit(text: &str) -> Option<usize> {
    let word = text.strip_prefix(' ')?;
    let length = word.bytes().take_while(u8::is_ascii_alphabetic).count();
    let is_unit = matches!(
        unit(&word.as_bytes()[..length]),
        Some(VariableKind::Size | VariableKind::Duration)
    );
    let ends = word[length..]
        .chars()
        .next()
        .is_none_or(|next| next == ' ' || next.is_ascii_punctuation());
    (length > 0 && is_unit && ends).then_some(1 + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units() {
        for (template, bare) in [
            ("took <*> ms", "took <*>"),
            ("<*> bytes sent, <*> KB left", "<*> sent, <*> left"),
            ("sent <*> bytes (<*> KB), done", "sent <*>, done"),
            ("sent <*> bytes (again)", "sent <*> (again)"),
            ("<*> msgs", "<*> msgs"),
            ("<*> sons", "<*> sons"),
            ("<x> ms", "<x> ms"),
            ("", ""),
        ] {
            assert_eq!(without_units(template), bare, "{template}");
        }
    }

    #[test]
    fn units_vary_where_a_log_has_two() {
        let masked = [
            "took <*> ms",
            "took <*> s",
            "read <*> bytes",
            "read <*> bytes",
        ];
        assert_eq!(
            unite_amounts(&masked),
            ["took <*>", "took <*>", "read <*> bytes", "read <*> bytes"]
        );
    }
}
