//! The layout of times that fits a text.

use chrono::{DateTime, Utc};

use crate::formats::log::timestamp::{TimeMemory, TimestampReader};

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
