//! How deeply a line of JSON is nested. The code that reads and prints JSON recurses for each
//! level, so a line of nothing but brackets would overflow the stack. Deeper lines are text, like
//! lines that are not JSON.

use memchr::memchr2_iter;

/// The most levels of a line that is read as JSON. This is what serde_json reads, whose limit of
/// 128 is the first level that it refuses: so every line that is read was also eligible for the
/// inference of the columns.
pub(crate) const MAX_NESTING: usize = 127;

/// Whether a line has more than [`MAX_NESTING`] levels.
pub(crate) fn is_too_deep(line: &str) -> bool {
    // Hardly any line has that many brackets, and counting them is cheap.
    let brackets = memchr2_iter(b'{', b'[', line.as_bytes());
    brackets.take(MAX_NESTING + 1).count() > MAX_NESTING && nesting(line) > MAX_NESTING
}

/// The most brackets that are open at the same time, outside of strings.
fn nesting(line: &str) -> usize {
    let (mut is_in_string, mut is_escaped) = (false, false);
    let (mut n_open, mut most_open) = (0_usize, 0);
    for byte in line.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = is_in_string,
            b'"' => is_in_string = !is_in_string,
            _ if is_in_string => {}
            b'{' | b'[' => n_open += 1,
            b'}' | b']' => n_open = n_open.saturating_sub(1),
            _ => {}
        }
        most_open = most_open.max(n_open);
    }
    most_open
}

#[cfg(test)]
mod tests {
    use super::{MAX_NESTING, is_too_deep, nesting};

    #[test]
    fn brackets_outside_of_strings_nest() {
        for (line, expected) in [
            ("", 0),
            ("1", 0),
            ("{}", 1),
            (r#"{"a": [1, {"b": []}], "c": {}}"#, 4),
            (r#"{"a": "[[[[", "b": "\"[[", "c": "\\"}"#, 1),
            (r#"{"a": "\\", "b": [[1]]}"#, 3),
            ("}}}}[", 1),
        ] {
            assert_eq!(nesting(line), expected, "{line}");
        }
    }

    #[test]
    fn the_limit_is_that_of_serde_json() {
        for n_levels in [1, MAX_NESTING, MAX_NESTING + 1, 100_000] {
            let line = format!("{}{}", "[".repeat(n_levels), "]".repeat(n_levels));
            let is_read = serde_json::from_str::<serde_json::Value>(&line).is_ok();
            assert_eq!(is_too_deep(&line), !is_read, "{n_levels} levels");
        }
        let in_string = format!("{{\"a\": \"{}\"}}", "[".repeat(1000));
        assert!(!is_too_deep(&in_string));
    }
}
