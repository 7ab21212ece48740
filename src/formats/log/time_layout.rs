//! Layouts of times as other languages write them.

/// The layout, in a list of layouts, that stands for ISO 8601 and Unix times.
pub(crate) const ISO: &str = "iso";

/// Parts of the layouts of Java, .NET, Python's moment-like libraries and Go, with what strftime
/// has for them. Longer ones come first.
const PARTS: [(&str, &str); 42] = [
    ("Monday", "%A"),
    ("January", "%B"),
    ("2006", "%Y"),
    ("-07:00", "%:z"),
    ("Z07:00", "%:z"),
    ("-0700", "%z"),
    (".000000", "%.f"),
    (",000000", ",%f"),
    (".000", "%.f"),
    (",000", ",%f"),
    (".999", "%.f"),
    ("Mon", "%a"),
    ("Jan", "%b"),
    ("MST", "%Z"),
    ("PM", "%p"),
    ("15", "%H"),
    ("01", "%m"),
    ("02", "%d"),
    ("_2", "%e"),
    ("03", "%I"),
    ("04", "%M"),
    ("05", "%S"),
    ("06", "%y"),
    ("yyyy", "%Y"),
    ("YYYY", "%Y"),
    ("MMM", "%b"),
    ("EEE", "%a"),
    ("XXX", "%:z"),
    (".SSSSSS", "%.f"),
    (".SSS", "%.f"),
    (",SSS", ",%f"),
    (".fff", "%.f"),
    ("yy", "%y"),
    ("MM", "%m"),
    ("dd", "%d"),
    ("DD", "%d"),
    ("HH", "%H"),
    ("hh", "%I"),
    ("mm", "%M"),
    ("ss", "%S"),
    ("'T'", "T"),
    ("Z", "%z"),
];

/// A layout of Java, .NET or Go as strftime; [`ISO`] for the word ISO8601; `None` if it is neither.
pub(crate) fn written_with_percent(layout: &str) -> Option<String> {
    let is_word = |word: &&str| layout.eq_ignore_ascii_case(word);
    if ["iso", "iso8601", "iso-8601", "rfc3339"]
        .iter()
        .any(is_word)
    {
        return Some(ISO.to_string());
    }
    let (mut written, mut rest) = (String::new(), layout);
    while let Some(symbol) = rest.chars().next() {
        let part = PARTS.iter().find(|(part, _)| rest.starts_with(part));
        match part {
            Some((part, strftime)) => {
                written.push_str(strftime);
                rest = &rest[part.len()..];
            }
            None => {
                written.push(symbol);
                rest = &rest[symbol.len_utf8()..];
            }
        }
    }
    (written.matches('%').count() >= 2).then_some(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_of_other_languages() {
        for (layout, expected) in [
            ("yyyy-MM-dd HH:mm:ss", Some("%Y-%m-%d %H:%M:%S")),
            (
                "yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
                Some("%Y-%m-%dT%H:%M:%S%.f%:z"),
            ),
            ("dd/MMM/yyyy:HH:mm:ss Z", Some("%d/%b/%Y:%H:%M:%S %z")),
            ("yyyy-MM-dd HH:mm:ss,SSS", Some("%Y-%m-%d %H:%M:%S,%f")),
            ("2006-01-02 15:04:05", Some("%Y-%m-%d %H:%M:%S")),
            ("Mon Jan _2 15:04:05 2006", Some("%a %b %e %H:%M:%S %Y")),
            (
                "2006-01-02T15:04:05.000Z07:00",
                Some("%Y-%m-%dT%H:%M:%S%.f%:z"),
            ),
            ("ISO8601", Some("iso")),
            ("soon", None),
        ] {
            assert_eq!(
                written_with_percent(layout).as_deref(),
                expected,
                "{layout}"
            );
        }
    }
}
