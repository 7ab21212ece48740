//! Layouts of times: those of other languages as strftime, and the one that fits a text.

use chrono::{DateTime, Utc};

use crate::formats::log::timestamp::{ISO, TimeMemory, TimestampReader};

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

/// Layouts that logs have, with the most frequent ones first.
const LAYOUTS: [&str; 23] = [
    "%d/%b/%Y:%H:%M:%S %z",
    "%b %e %H:%M:%S",
    "%d/%b/%Y:%H:%M:%S%.f",
    "%d/%b/%Y %H:%M:%S",
    "%d %b %Y %H:%M:%S%.f",
    "%d %b %Y %H:%M:%S,%f",
    "%d-%b-%Y %H:%M:%S%.f",
    "%d-%b-%Y %H:%M:%S %Z",
    "%a %b %e %H:%M:%S%.f %Y",
    "%a %b %e %H:%M:%S %Z %Y",
    "%a, %d %b %Y %H:%M:%S %z",
    "%a, %d %b %Y %H:%M:%S %Z",
    "%b %e, %Y %I:%M:%S %p",
    "%m/%d/%Y %I:%M:%S %p",
    "%m/%d/%Y %H:%M:%S%.f",
    "%d/%m/%Y %H:%M:%S%.f",
    "%d.%m.%Y %H:%M:%S%.f",
    "%d.%m.%Y %H:%M:%S,%f",
    "%Y%m%d %H%M%S",
    "%Y%m%d-%H:%M:%S%.f",
    "%y%m%d %H:%M:%S",
    "%y/%m/%d %H:%M:%S",
    "%m-%d %H:%M:%S%.f",
];

/// A layout of Java, .NET or Go as strftime; [`ISO`] for the word ISO8601; `None` if it is neither.
pub(crate) fn written_with_percent(layout: &str) -> Option<String> {
    let is_word = |word: &&str| layout.eq_ignore_ascii_case(word);
    if ["iso", "iso8601", "iso-8601", "rfc3339"]
        .iter()
        .any(|word| is_word(word))
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

/// The first layout that reads a text; `None` if none does.
pub(crate) fn layout_of(text: &str, written: DateTime<Utc>) -> Option<&'static str> {
    LAYOUTS.into_iter().find(|layout| {
        let reader = TimestampReader::try_new(Some(layout), None);
        reader.is_ok_and(|reader| {
            let time = reader.read(text, written, &mut TimeMemory::default());
            time.is_some()
        })
    })
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

    #[test]
    fn a_text_has_a_layout() {
        let written = DateTime::parse_from_rfc3339("2026-12-01T00:00:00Z")
            .unwrap()
            .to_utc();
        for (text, expected) in [
            ("29/Nov/2026:21:25:45 +0000", Some("%d/%b/%Y:%H:%M:%S %z")),
            ("Nov 29 21:25:45", Some("%b %e %H:%M:%S")),
            ("29.11.2026 21:25:45", Some("%d.%m.%Y %H:%M:%S%.f")),
            ("20261129212545", Some("%Y%m%d %H%M%S")),
            ("yesterday", None),
        ] {
            assert_eq!(layout_of(text, written), expected, "{text}");
        }
    }
}
