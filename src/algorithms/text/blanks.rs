//! White space: a run of it counts as one blank, in templates and when a message is matched.

/// Whether a byte is ASCII white space, as `\s` of a regular expression defines it.
#[inline(always)]
pub(crate) fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// `text` without the white space at its end.
pub(crate) fn trim_end(text: &[u8]) -> &[u8] {
    let last = text.iter().rposition(|&byte| !is_white(byte));
    &text[..last.map_or(0, |last| last + 1)]
}

/// Appends `text` to `out` and collapses each run of white space to one blank, also across the
/// border between the two; `out[base..]` never begins with a blank.
pub(crate) fn push_with_single_blanks(text: &str, base: usize, out: &mut String) {
    let mut pieces = text.split(|char: char| char.is_ascii() && is_white(char as u8));
    out.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        if out.len() > base && !out.ends_with(' ') {
            out.push(' ');
        }
        out.push_str(piece);
    }
}

/// Returns `text` with each run of white space collapsed to one blank and none at its ends.
///
/// ```
/// use datafusion_aiops::algorithms::text::with_single_blanks;
/// assert_eq!(with_single_blanks("  disk \t full\n"), "disk full");
/// ```
pub fn with_single_blanks(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    push_with_single_blanks(text, 0, &mut out);
    out.truncate(out.trim_end_matches(' ').len());
    out
}
