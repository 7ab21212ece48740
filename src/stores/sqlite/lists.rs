//! Lists as JSON text: `["a",null]`, `[1,2]`. Times and dates are texts in it. JSON has no infinite
//! numbers, so they are the texts `"Infinity"` and `"-Infinity"`. NaN counts as missing, as
//! everywhere: it becomes null.

use serde_json::Value;

/// The elements of a list. Numbers are kept as they were written: parsing them here would round
/// some of them.
///
/// # Errors
/// When the text is not a list, or the list contains lists or objects; the message says what it is
/// instead, as the end of a sentence.
pub(crate) fn elements(json: &str) -> Result<Vec<Option<Element>>, String> {
    let inner = json.trim();
    let inner = inner
        .strip_prefix('[')
        .and_then(|inner| inner.strip_suffix(']'))
        .ok_or_else(no_list)?;
    if inner.trim().is_empty() {
        return Ok(vec![]);
    }
    split(inner)
        .map(|element| match element.trim() {
            "" => Err(no_list()),
            "null" => Ok(None),
            element if element.starts_with('"') => match serde_json::from_str(element) {
                Ok(text) => Ok(Some(Element::Text(text))),
                Err(_) => Err(no_list()),
            },
            element if element.contains(['"', '[', ']', '{', '}']) => Err(no_list()),
            element => Ok(Some(Element::Plain(element.to_string()))),
        })
        .collect()
}

fn no_list() -> String {
    "no JSON list of single values".to_string()
}

/// Splits at the commas that are not within a text.
fn split(inner: &str) -> impl Iterator<Item = &str> {
    let mut is_in_text = false;
    let mut is_escaped = false;
    inner.split(move |c: char| {
        let is_escape = is_in_text && !is_escaped && c == '\\';
        if c == '"' && !is_escaped {
            is_in_text = !is_in_text;
        }
        is_escaped = is_escape;
        c == ',' && !is_in_text
    })
}

/// An element of a list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Element {
    /// A text, which was in quotes.
    Text(String),
    /// A number, true or false.
    Plain(String),
}

/// A text in JSON.
pub(crate) fn json_text(text: &str) -> String {
    Value::from(text).to_string()
}

/// A number in JSON with the fewest digits that give it back, or `None` for NaN.
pub(crate) fn json_number(value: f64, digits: String) -> Option<String> {
    match value {
        value if value.is_nan() => None,
        f64::INFINITY => Some("\"Infinity\"".to_string()),
        f64::NEG_INFINITY => Some("\"-Infinity\"".to_string()),
        _ => Some(digits),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        let text = |text: &str| Some(Element::Text(text.to_string()));
        let plain = |text: &str| Some(Element::Plain(text.to_string()));
        for (json, expected) in [
            ("[]", vec![]),
            (" [ ] ", vec![]),
            ("[null]", vec![None]),
            (
                "[1, -2.5e3,true]",
                vec![plain("1"), plain("-2.5e3"), plain("true")],
            ),
            (
                r#"["a,b", null, "\"中\u0000"]"#,
                vec![text("a,b"), None, text("\"中\0")],
            ),
        ] {
            assert_eq!(elements(json).unwrap(), expected, "{json}");
        }
        for json in ["", "a", "[1,]", "[[1]]", "[{}]", r#"["a"#, r#"["a" "b"]"#] {
            assert!(elements(json).is_err(), "{json}");
        }
    }
}
