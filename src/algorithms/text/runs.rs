//! Text cut into words and into runs of scripts without blanks, without a dictionary.

use crate::algorithms::text::kind::VariableKind;

/// A piece of text; how it is cut further depends on the use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextRun<'a> {
    /// Characters of a script without blanks.
    Cjk(&'a str),
    /// A word, or a part of a camelCase name.
    Word(&'a str),
}

/// Calls `take` for each word and each run of CJK characters of a text, in order; placeholders are
/// left out.
pub(super) fn runs<'a>(text: &'a str, mut take: impl FnMut(TextRun<'a>)) {
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if first == '<'
            && let Some((_, length)) = VariableKind::of_placeholder(rest.as_bytes())
        {
            rest = &rest[length..];
        } else if is_cjk(first) {
            let (run, behind) = split_run(rest, is_cjk);
            take(TextRun::Cjk(run));
            rest = behind;
        } else if is_word_char(first) {
            let (run, behind) = split_run(rest, is_word_char);
            parts_of_name(run, |part| take(TextRun::Word(part)));
            rest = behind;
        } else {
            rest = &rest[first.len_utf8()..];
        }
    }
}

fn split_run(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|char| !belongs(char)).unwrap_or(text.len()))
}

fn is_word_char(char: char) -> bool {
    char.is_alphanumeric() && !is_cjk(char)
}

/// Whether a character belongs to a script that is written without blanks: Han, Hiragana, Katakana.
pub(crate) fn is_cjk(char: char) -> bool {
    matches!(char, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{3040}'..='\u{30ff}'
        | '\u{20000}'..='\u{323af}' | '々')
}

/// Calls `take` for each part of `camelCase`, `HTTPServer` or `max2Retries`: a new part begins at
/// an upper-case letter after a lower-case one or a digit, and at the last of several upper-case
/// letters if two lower-case ones follow it (so `IPv6` is one part).
fn parts_of_name<'a>(run: &'a str, mut take: impl FnMut(&'a str)) {
    let mut begin = 0;
    let mut before: Option<char> = None;
    for (position, char) in run.char_indices() {
        let begins_part = |before: char| !before.is_uppercase() || begins_word(&run[position..]);
        let starts_part = char.is_uppercase() && before.is_some_and(begins_part);
        if starts_part && position > begin {
            take(&run[begin..position]);
            begin = position;
        }
        before = Some(char);
    }
    take(&run[begin..]);
}

/// Whether `text` begins with one upper-case letter and two lower-case ones: `Ser` in `HTTPServer`,
/// not `Pv6` in `IPv6`.
fn begins_word(text: &str) -> bool {
    let behind: [Option<char>; 2] = [text.chars().nth(1), text.chars().nth(2)];
    behind
        .iter()
        .all(|char| char.is_some_and(char::is_lowercase))
}
