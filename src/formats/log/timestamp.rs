//! Reads the time of a log event: ISO 8601 and its usual variants, Unix times, or a `strftime`
//! format.
//!
//! Without a format, these are read: `2026-03-02T09:12:01.123Z`; a space instead of the `T`; `,`
//! before the fraction (Python); `/` in the date (Go, nginx); an offset or ` UTC` at the end; the
//! date alone; and Unix times as plain numbers of seconds (9 or 10 digits), milliseconds (12, 13),
//! microseconds (15, 16) or nanoseconds (18, 19), seconds also with a fraction. Text without a zone
//! is in the zone of the table (UTC unless the option `timezone` says otherwise).
//!
//! A format without a year (syslog) takes the year in which the file was last written, or the year
//! before if the time would otherwise be more than a day after the last write: a file that was
//! rotated in January contains lines of December.

use std::str::FromStr;

use chrono::format::{Item, Parsed, StrftimeItems, parse};
use chrono::{DateTime, Datelike, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc};
use datafusion::arrow::array::timezone::Tz;
use datafusion::arrow::compute::kernels::cast_utils::string_to_datetime;

/// How the times of a table are written.
#[derive(Debug, Clone)]
pub(crate) struct TimestampReader {
    /// The items of the option `timestamp_format`, if it is given.
    format: Option<Vec<Item<'static>>>,
    /// The zone of text that does not name one.
    zone: Tz,
}

impl TimestampReader {
    /// Checks the options `timestamp_format` and `timezone`.
    ///
    /// # Errors
    /// A sentence that says which of the two is wrong and what to write instead.
    pub(crate) fn try_new(format: Option<&str>, timezone: Option<&str>) -> Result<Self, String> {
        let format = match format {
            Some(format) => Some(StrftimeItems::new(format).parse_to_owned().map_err(|_| {
                format!(
                    "timestamp_format must be a strftime format such as '%d/%b/%Y:%H:%M:%S %z' or \
                     '%b %e %H:%M:%S', got '{format}'"
                )
            })?),
            None => None,
        };
        let timezone = match timezone.unwrap_or("UTC") {
            "Z" | "z" | "utc" => "UTC",
            timezone => timezone,
        };
        let zone = Tz::from_str(timezone).map_err(|_| {
            format!("timezone must be an offset such as '+08:00', a zone name such as 'Europe/Berlin', or 'UTC', got '{timezone}'")
        })?;
        Ok(Self { format, zone })
    }

    /// Nanoseconds since 1970 in UTC, or `None` if the text is not a time. `written` is when the
    /// file was last written.
    pub(crate) fn read(&self, text: &str, written: DateTime<Utc>) -> Option<i64> {
        let text = text.trim();
        let time = match &self.format {
            Some(items) => self.read_format(text, items, written)?,
            None => match unix_time(text) {
                Some(nanoseconds) => return Some(nanoseconds),
                None => self.read_iso(text)?,
            },
        };
        time.timestamp_nanos_opt()
    }

    fn read_iso(&self, text: &str) -> Option<DateTime<Utc>> {
        let mut bytes = text
            .strip_suffix("GMT")
            .map_or(text, str::trim_end)
            .as_bytes()
            .to_vec();
        if bytes.len() < text.len() {
            bytes.push(b'Z');
        }
        if bytes.get(19) == Some(&b',') {
            bytes[19] = b'.';
        }
        if bytes.get(4) == Some(&b'/') && bytes.get(7) == Some(&b'/') {
            bytes[4] = b'-';
            bytes[7] = b'-';
        }
        let text = String::from_utf8(bytes).ok()?;
        let time = string_to_datetime(&self.zone, &text).ok()?;
        Some(time.with_timezone(&Utc))
    }

    fn read_format(
        &self,
        text: &str,
        items: &[Item<'static>],
        written: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        let mut parsed = Parsed::new();
        parse(&mut parsed, text, items.iter()).ok()?;
        let has_year = parsed.year().is_some()
            || parsed.year_mod_100().is_some()
            || parsed.isoyear().is_some()
            || parsed.timestamp().is_some();
        if has_year {
            return self.resolve(&parsed);
        }
        let latest = written + TimeDelta::days(1);
        let year = written.with_timezone(&self.zone).year();
        [year, year - 1].into_iter().find_map(|year| {
            let mut parsed = parsed.clone();
            parsed.set_year(i64::from(year)).ok()?;
            self.resolve(&parsed).filter(|time| *time <= latest)
        })
    }

    fn resolve(&self, parsed: &Parsed) -> Option<DateTime<Utc>> {
        if let Ok(time) = parsed.to_datetime() {
            return Some(time.with_timezone(&Utc));
        }
        if parsed.timestamp().is_some() {
            return parsed
                .to_naive_datetime_with_offset(0)
                .ok()
                .map(|time| time.and_utc());
        }
        let time = match parsed.hour_div_12() {
            Some(_) => parsed.to_naive_time().ok()?,
            None => NaiveTime::MIN,
        };
        let local = NaiveDateTime::new(parsed.to_naive_date().ok()?, time);
        // In the hour that a clock shows twice in autumn, the first of the two times is taken.
        Some(
            self.zone
                .from_local_datetime(&local)
                .earliest()?
                .with_timezone(&Utc),
        )
    }
}

/// A plain number as a time. The number of digits determines the unit: each range covers about 1973
/// to 2286 and excludes compact dates (8 and 14 digits).
fn unix_time(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !whole
        .bytes()
        .chain(fraction.bytes())
        .all(|byte| byte.is_ascii_digit())
    {
        return None;
    }
    let number: i64 = whole.parse().ok()?;
    let unit = match whole.len() {
        9 | 10 => 1_000_000_000,
        12 | 13 if fraction.is_empty() => 1_000_000,
        15 | 16 if fraction.is_empty() => 1_000,
        18 | 19 if fraction.is_empty() => 1,
        _ => return None,
    };
    let nanoseconds: String = fraction
        .chars()
        .chain("000000000".chars())
        .take(9)
        .collect();
    number
        .checked_mul(unit)?
        .checked_add(nanoseconds.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(format: Option<&str>, timezone: Option<&str>, text: &str, expected: Option<&str>) {
        let written = DateTime::parse_from_rfc3339("2026-01-02T00:00:00Z")
            .unwrap()
            .to_utc();
        let reader = TimestampReader::try_new(format, timezone).unwrap();
        let got = reader
            .read(text, written)
            .map(DateTime::from_timestamp_nanos);
        let expected = expected.map(|text| DateTime::parse_from_rfc3339(text).unwrap().to_utc());
        assert_eq!(got, expected, "{text:?} as {format:?} in {timezone:?}");
    }

    #[test]
    fn iso_forms() {
        let expected = Some("2026-03-02T09:12:01.123Z");
        for text in [
            "2026-03-02T09:12:01.123Z",
            " 2026-03-02 09:12:01.123 ",
            "2026-03-02 09:12:01,123",
            "2026-03-02 09:12:01.123 UTC",
            "2026-03-02 09:12:01.123 GMT",
            "2026/03/02 09:12:01.123",
            "2026-03-02T17:12:01.123+08:00",
            "2026-03-02T17:12:01.123 +0800",
            "1772442721.123",
            "1772442721123",
            "1772442721123000",
            "1772442721123000000",
        ] {
            check(None, None, text, expected);
        }
        check(None, Some("+08:00"), "2026-03-02 17:12:01.123", expected);
        check(None, Some("+08:00"), "2026-03-02 09:12:01.123Z", expected);
        check(None, None, "2026-03-02", Some("2026-03-02T00:00:00Z"));
        for text in [
            "",
            "x",
            "20260302",
            "20260302091201",
            "2026-13-02",
            "9999-01-01",
            "語語語語語",
            "1.",
            "-1",
        ] {
            check(None, None, text, None);
        }
    }

    #[test]
    fn formats() {
        let apache = Some("%d/%b/%Y:%H:%M:%S %z");
        check(
            apache,
            None,
            "02/Mar/2026:09:12:01 +0200",
            Some("2026-03-02T07:12:01Z"),
        );
        check(apache, None, "02/Mar/2026", None);
        check(
            Some("%Y%m%d"),
            None,
            "20260302",
            Some("2026-03-02T00:00:00Z"),
        );
        check(Some("%s"), None, "1772442721", Some("2026-03-02T09:12:01Z"));
        check(
            Some("%y-%m-%d %H:%M"),
            Some("-01:00"),
            "26-03-02 09:12",
            Some("2026-03-02T10:12:00Z"),
        );
    }

    #[test]
    fn the_year_of_syslog_comes_from_the_file() {
        let syslog = Some("%b %e %H:%M:%S");
        check(
            syslog,
            None,
            "Jan  1 09:12:01",
            Some("2026-01-01T09:12:01Z"),
        );
        check(
            syslog,
            None,
            "Jan  2 23:59:59",
            Some("2026-01-02T23:59:59Z"),
        );
        check(
            syslog,
            None,
            "Dec 31 23:59:59",
            Some("2025-12-31T23:59:59Z"),
        );
        check(syslog, None, "Feb 29 00:00:00", None);
    }

    #[test]
    fn wrong_options() {
        let error = TimestampReader::try_new(Some("%Q"), None).unwrap_err();
        assert!(error.starts_with("timestamp_format must be"), "{error}");
        let error = TimestampReader::try_new(None, Some("Mars")).unwrap_err();
        assert_eq!(
            error,
            "timezone must be an offset such as '+08:00', a zone name such as 'Europe/Berlin', or 'UTC', got 'Mars'"
        );
    }
}
