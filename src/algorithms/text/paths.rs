//! Where a path or a URL ends. It includes brackets, commas, apostrophes, queries and letters of
//! every script, which occur in file names and addresses, but not the punctuation of the sentence
//! around it.

use memchr::memchr_iter;

use crate::algorithms::text::blanks::is_white;
use crate::algorithms::text::kind::VariableKind;
use crate::algorithms::text::shape::{is_border, is_wide_lead};

/// Returns the kind if a path or a URL begins at `line[start]`, where a word ends at `end`. Words
/// with one slash inside are judged alone, since most of them are not paths.
pub(crate) fn kind_of_path(line: &[u8], start: usize, end: usize) -> Option<VariableKind> {
    let word = &line[start..end];
    let mut colons = memchr_iter(b':', word);
    if colons.any(|colon| word[colon..].starts_with(b"://")) {
        return Some(VariableKind::Url);
    }
    let is_path = match word {
        // "成功/失败" is Chinese for "success or failure", not a path.
        [b'/'] => is_name_of_file(&line[end..], is_behind_cjk(line, start)),
        [b'/', ..] | [b'~', b'/', ..] | [b'.', b'/', ..] | [b'.', b'.', b'/', ..] => true,
        [drive, b':', b'\\' | b'/', ..] => drive.is_ascii_alphabetic(),
        [b'\\', b'\\', next, ..] => next.is_ascii_alphanumeric(),
        _ => false,
    };
    is_path.then_some(VariableKind::Path)
}

/// Whether CJK letters start here and, if `be_sure`, are followed by something that does not end a
/// sentence.
fn is_name_of_file(text: &[u8], be_sure: bool) -> bool {
    let length = length_of_cjk_letters(text);
    let goes_on = || matches!(&text[length..], [b'/' | b'.' | b'_' | b'-' | b'(', next, ..] if next.is_ascii_alphanumeric());
    length > 0 && (!be_sure || goes_on())
}

fn is_behind_cjk(line: &[u8], start: usize) -> bool {
    let before = start
        .checked_sub(3)
        .map_or(&line[..0], |before| &line[before..start]);
    length_of_cjk_letters(before) > 0
}

/// Returns the end of the path or URL that begins at `start` and whose first word ends at `end`.
pub(crate) fn end_of_path(line: &[u8], start: usize, mut end: usize) -> usize {
    let place = PathStart::of(line, start);
    while let Some(length) = continuation(line, place, end) {
        end += length;
        end += line[end..]
            .iter()
            .take_while(|&&byte| !is_border(byte))
            .count();
    }
    end
}

/// The text before a path, which decides what ends the path.
#[derive(Debug, Clone, Copy)]
struct PathStart {
    quote: Option<u8>,
    is_value: bool,
}

impl PathStart {
    fn of(line: &[u8], start: usize) -> Self {
        let before = start.checked_sub(1).map(|before| line[before]);
        Self {
            quote: before.filter(|byte| matches!(byte, b'"' | b'\'' | b'`')),
            is_value: before == Some(b'='),
        }
    }
}

/// Returns how many bytes at `end`, where the last word of a path ends, still belong to the path.
fn continuation(line: &[u8], place: PathStart, end: usize) -> Option<usize> {
    let rest = &line[end..];
    let (&byte, behind) = rest.split_first()?;
    let goes_on = behind
        .first()
        .is_some_and(|&next| !is_border(next) || is_wide_lead(next));
    match byte {
        b'(' | b'[' | b'{' => length_of_brackets(rest),
        b' ' => length_of_copy(rest),
        b'=' => Some(1),
        b'?' | b'!' => goes_on.then_some(1),
        // In `path=/a,size=7` the comma ends the value: a key follows.
        b',' | b';' => (goes_on && !(place.is_value && is_key(behind))).then_some(1),
        // An apostrophe that closes the quotation around the path is not part of the path.
        b'\'' => (goes_on && place.quote != Some(b'\'') && end > 0 && is_sign(line[end - 1]))
            .then_some(1),
        _ if is_wide_lead(byte) => {
            let before = line[..end].last().copied().unwrap_or_default();
            let is_name = matches!(
                before,
                b'/' | b'\\'
                    | b'='
                    | b'?'
                    | b'&'
                    | b'-'
                    | b'_'
                    | b'.'
                    | b'+'
                    | b'%'
                    | b'#'
                    | b')'
                    | b']'
            );
            is_name
                .then(|| length_of_cjk_letters(rest))
                .filter(|&length| length > 0)
        }
        _ => None,
    }
}

fn is_sign(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80
}

/// Whether `text` begins with a key and `=`.
fn is_key(text: &[u8]) -> bool {
    let length = text
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
        .count();
    length > 0 && text.get(length) == Some(&b'=')
}

/// The length of brackets with their content, if the content has no blank and no placeholder.
fn length_of_brackets(text: &[u8]) -> Option<usize> {
    const LONGEST: usize = 64;
    let closing = match text[0] {
        b'(' => b')',
        b'[' => b']',
        _ => b'}',
    };
    let inside = text.iter().skip(1).take(LONGEST);
    let ends = |&&byte: &&u8| {
        is_white(byte)
            || matches!(
                byte,
                b'(' | b')' | b'[' | b']' | b'{' | b'}' | b'<' | b'"' | b','
            )
    };
    let length = 1 + inside.take_while(|byte| !ends(byte)).count();
    (text.get(length) == Some(&closing)).then_some(length + 1)
}

/// The length of ` (1)` in `notes (1).txt`, the usual name of a copy of a file.
fn length_of_copy(text: &[u8]) -> Option<usize> {
    let digits = text
        .strip_prefix(b" (")?
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let length = 2 + digits;
    match text.get(length..)? {
        [b')', b'.', next, ..] if digits > 0 && next.is_ascii_alphanumeric() => Some(length + 1),
        _ => None,
    }
}

/// The number of leading bytes that are letters and digits of CJK scripts; CJK punctuation is not
/// part of a name.
pub(crate) fn length_of_cjk_letters(text: &[u8]) -> usize {
    let run = text
        .chunks(3)
        .take_while(|char| is_wide_lead(char[0]) && str::from_utf8(char).is_ok_and(is_letter));
    3 * run.count()
}

fn is_letter(char: &str) -> bool {
    char.chars().all(char::is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_paths() {
        for (path, behind) in [
            ("/data/报表.xlsx", " failed"),
            ("/报表", "，超时"),
            ("/tmp/a.log", "不存在"),
            ("/tmp/a(1).txt", ") failed"),
            ("/tmp/a (1).txt", " failed"),
            ("/tmp/a", " (1) failed"),
            ("/tmp/a,b.txt", ", failed"),
            ("/it's", "' failed"),
            ("http://a.example.com/搜索?q=手机&ids[]=1&x=a,b", ""),
            ("/a;jsessionid=1A2B", "; failed"),
            ("/a?ids[]=1&ids[]=2", "> failed"),
            ("http://[::1]:80/a", "]"),
            (r"C:\用户\张三\a.txt", " failed"),
            ("~/a", "|b"),
            ("/报表.log", "。"),
        ] {
            let line = format!("{path}{behind}");
            let word = line.bytes().take_while(|&byte| !is_border(byte)).count();
            assert!(kind_of_path(line.as_bytes(), 0, word).is_some(), "{line}");
            let end = end_of_path(line.as_bytes(), 0, word);
            assert_eq!(&line[..end], path, "{line}");
        }
    }

    #[test]
    fn what_stands_before_tells_what_ends_a_path() {
        for (line, start, path) in [
            ("path=/a,size=7", 5, "/a"),
            ("'/it's' gone", 1, "/it"),
            ("GET /a,b=7", 4, "/a,b=7"),
        ] {
            let word = line[start..]
                .bytes()
                .take_while(|&byte| !is_border(byte))
                .count();
            let end = end_of_path(line.as_bytes(), start, start + word);
            assert_eq!(&line[start..end], path, "{line}");
        }
    }

    #[test]
    fn slashes_that_begin_no_path() {
        for (line, start, end) in [("成功/失败", 6, 7), ("and/or", 0, 6), ("/", 0, 1)] {
            assert_eq!(kind_of_path(line.as_bytes(), start, end), None, "{line}");
        }
    }
}
