//! The escape sequences of terminals, with which programs colour their output (ECMA-48, "Control
//! Functions for Coded Character Sets", 1991). They say nothing about the event, so they are
//! removed before any rule is applied.

use memchr::{memchr, memchr2};

const ESCAPE: u8 = 0x1b;
const BELL: u8 = 0x07;

/// Returns `text` without escape sequences, built in `buffer` if there are any.
pub(crate) fn without_escapes<'a>(text: &'a str, buffer: &'a mut String) -> &'a str {
    let Some(first) = memchr(ESCAPE, text.as_bytes()) else {
        return text;
    };
    buffer.clear();
    buffer.push_str(&text[..first]);
    let mut rest = &text[first..];
    while !rest.is_empty() {
        rest = &rest[length_of_escape(rest.as_bytes())..];
        let next = memchr(ESCAPE, rest.as_bytes()).unwrap_or(rest.len());
        buffer.push_str(&rest[..next]);
        rest = &rest[next..];
    }
    buffer
}

/// The length of the sequence that the escape character at `text[0]` begins: `ESC [ 1 ; 31 m`,
/// `ESC ] ... BEL`, `ESC c`.
fn length_of_escape(text: &[u8]) -> usize {
    match text.get(1) {
        Some(b'[') => length_to(text, 2, |byte| matches!(byte, 0x40..=0x7e)),
        Some(b']') => length_of_title(text),
        Some(0x20..=0x2f) => length_to(text, 1, |byte| matches!(byte, 0x30..=0x7e)),
        Some(0x30..=0x7e) => 2,
        _ => 1,
    }
}

/// The length up to the final byte of a sequence, or up to a byte that cannot be part of one.
fn length_to(text: &[u8], start: usize, is_final: fn(u8) -> bool) -> usize {
    let belongs = |&&byte: &&u8| matches!(byte, 0x20..=0x7f) && !is_final(byte);
    let end = start + text[start..].iter().take_while(belongs).count();
    end + usize::from(text.get(end).is_some_and(|&byte| is_final(byte)))
}

/// The length of `ESC ]` with its text, which BEL or `ESC \` ends; without the text if the next
/// sequence comes before either.
fn length_of_title(text: &[u8]) -> usize {
    let end = memchr2(BELL, ESCAPE, &text[2..]).map(|length| 2 + length);
    match end.map(|end| &text[end..]) {
        Some([BELL, ..]) => end.unwrap_or_default() + 1,
        Some([ESCAPE, b'\\', ..]) => end.unwrap_or_default() + 2,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences() {
        for (text, plain) in [
            ("", ""),
            ("no colours", "no colours"),
            (
                "\x1b[1;31mERROR\x1b[0m: disk \x1b[38;5;214m/dev/sda\x1b[m full",
                "ERROR: disk /dev/sda full",
            ),
            ("\x1b]0;title\x07up", "up"),
            ("\x1b]8;;http://a\x1b\\link\x1b]8;;\x1b\\!", "link!"),
            ("\x1b(Bup\x1bc", "up"),
            ("up \x1b]0;标题\x07", "up "),
            ("\x1b]0;a\x1b[1mup\x07", "0;aup\x07"),
            // A sequence that does not end takes the bytes that could belong to it, and no more.
            ("up\x1b", "up"),
            ("up\x1b[", "up"),
            ("\x1b[31错误", "错误"),
            ("\x1b\x1b[1mup", "up"),
        ] {
            assert_eq!(without_escapes(text, &mut String::new()), plain, "{text:?}");
        }
    }
}
