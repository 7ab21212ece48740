//! The escape sequences of terminals, with which programs colour what they print (ECMA-48, "Control Functions for Coded Character
//! Sets", 1991). They say nothing about the event, so they are taken out before anything else is looked at.

use memchr::memchr;

const ESCAPE: u8 = 0x1b;

/// `text` without escape sequences, built in `buffer` where there are any.
///
/// ```
/// use datafusion_aiops::algorithms::text::without_escapes;
/// assert_eq!(without_escapes("\u{1b}[32mINFO\u{1b}[0m up", &mut String::new()), "INFO up");
/// ```
pub fn without_escapes<'a>(text: &'a str, buffer: &'a mut String) -> &'a str {
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

/// The length of the sequence that the escape character at `text[0]` begins: `ESC [ 1 ; 31 m`, `ESC ] ... BEL`, `ESC c`.
fn length_of_escape(text: &[u8]) -> usize {
    let behind = |start: usize, is_final: fn(u8) -> bool| {
        let body = text[start..]
            .iter()
            .take_while(|&&byte| byte.is_ascii() && byte >= 0x20 && !is_final(byte))
            .count();
        let end = start + body;
        end + usize::from(text.get(end).is_some_and(|&byte| is_final(byte)))
    };
    match text.get(1) {
        Some(b'[') => behind(2, |byte| matches!(byte, 0x40..=0x7e)),
        Some(b']') => match text
            .windows(2)
            .position(|pair| pair[0] == 0x07 || pair == b"\x1b\\")
        {
            Some(end) if text[end] == 0x07 => end + 1,
            Some(end) => end + 2,
            None => behind(2, |byte| byte == 0x07),
        },
        Some(0x20..=0x2f) => behind(1, |byte| matches!(byte, 0x30..=0x7e)),
        Some(0x30..=0x7e) => 2,
        _ => 1,
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
            // A sequence that does not end takes what cannot be text with it, and no more.
            ("up\x1b", "up"),
            ("up\x1b[", "up"),
            ("\x1b[31错误", "错误"),
            ("\x1b\x1b[1mup", "up"),
        ] {
            assert_eq!(without_escapes(text, &mut String::new()), plain, "{text:?}");
        }
    }
}
