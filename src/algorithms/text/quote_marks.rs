//! Quotation marks of all scripts.

/// Returns the length of the quotation mark that `text` begins with, and the marks that close it.
pub(super) fn opening_quote(text: &[u8]) -> Option<(usize, &'static [&'static str])> {
    Some(match text {
        [b'"', ..] => (1, &["\""]),
        [b'\'', ..] => (1, &["'"]),
        [b'`', ..] => (1, &["`", "'"]),
        [0xc2, 0xab, ..] => (2, &["»"]),
        [0xe2, 0x80, 0x98, ..] => (3, &["’"]),
        [0xe2, 0x80, 0x9c, ..] => (3, &["”"]),
        [0xe2, 0x80, 0x9a, ..] => (3, &["‘", "’"]),
        [0xe2, 0x80, 0x9e, ..] => (3, &["“", "”"]),
        [0xe3, 0x80, 0x8a, ..] => (3, &["》"]),
        [0xe3, 0x80, 0x8c, ..] => (3, &["」"]),
        [0xe3, 0x80, 0x8e, ..] => (3, &["』"]),
        _ => return None,
    })
}
