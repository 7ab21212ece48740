//! Reads the time of a log event: ISO 8601 and its usual variants, Unix times, or a `strftime`
//! format.
//!
//! Without a format, these are read: `2026-03-02T09:12:01.123Z`; a space instead of the `T`; `,`
//! before the fraction (Python); `/` in the date (Go, nginx); an offset, ` UTC` or another zone at
//! the end; the date alone; and Unix times as plain numbers of seconds (9 or 10 digits),
//! milliseconds (12, 13), microseconds (15, 16) or nanoseconds (18, 19), seconds also with a
//! fraction. Text without a zone is in the zone of the table (UTC unless the option `timezone` says
//! otherwise).
//!
//! In a format `%f` is a fraction with any number of digits, and `%Z` an abbreviation or the name of
//! a zone (see `zone_abbreviations`). A format without a year (syslog) takes the year in which the
//! file was last written, or the year before if the time would otherwise be more than a day after
//! the last write: a file that was rotated in January contains lines of December.
//!
//! In the hour that a clock shows twice in autumn, times are of the first pass until they jump back
//! by a minute or more, and then of the second; but never of a time after the last write.

use std::str::FromStr;

use chrono::format::{Fixed, Item, Numeric, Parsed, StrftimeItems, parse_and_remainder};
use chrono::{
    DateTime, Datelike, FixedOffset, MappedLocalTime, NaiveDateTime, NaiveTime, Offset, TimeDelta,
    TimeZone, Utc,
};
use datafusion::arrow::array::timezone::Tz;
use datafusion::arrow::compute::kernels::cast_utils::string_to_datetime;

use crate::formats::log::time_layout::{ISO, written_with_percent};
use crate::formats::log::zone_abbreviations::offsets_of;

/// Within one pass of the repeated hour, lines are out of order by less than this.
const SECOND_PASS_JUMP: TimeDelta = TimeDelta::minutes(1);

/// How the times of a table are written.
#[derive(Debug, Clone)]
pub(crate) struct TimestampReader {
    /// The layouts, in the order in which they are tried.
    layouts: Vec<Layout>,
    /// The zone of text that does not name one.
    zone: Tz,
    /// Whether the clock of the zone is put forward and back.
    zone_changes: bool,
}

/// What a reader has read before, from one file and in order.
#[derive(Debug, Default)]
pub(crate) struct TimeMemory {
    /// The last text and its time: many lines are of the same second.
    text: String,
    time: Option<i64>,
    written: DateTime<Utc>,
    /// The last time within a repeated hour, and whether it was of the second pass.
    repeated: Option<(NaiveDateTime, bool)>,
}

#[derive(Debug, Clone)]
enum Layout {
    Iso,
    Format(Vec<Part>),
}

/// A part of a strftime format.
#[derive(Debug, Clone)]
enum Part {
    Items(Vec<Item<'static>>),
    /// Digits after a decimal sign, `%f`.
    Fraction,
    /// `%Z`.
    Zone,
}

impl TimestampReader {
    /// Checks the options `timestamp_format` and `timezone`.
    ///
    /// # Errors
    /// A sentence that says which of the two is wrong and what to write instead.
    pub(crate) fn try_new(format: Option<&str>, timezone: Option<&str>) -> Result<Self, String> {
        Self::with_layouts(format.as_slice(), timezone)
    }

    /// A reader of any of these layouts; of [`ISO`] if there is none.
    ///
    /// # Errors
    /// As [`TimestampReader::try_new`].
    pub(crate) fn with_layouts(layouts: &[&str], timezone: Option<&str>) -> Result<Self, String> {
        let mut layouts = layouts
            .iter()
            .map(|layout| match *layout {
                ISO => Ok(Layout::Iso),
                format => Ok(Layout::Format(parts(format)?)),
            })
            .collect::<Result<Vec<_>, String>>()?;
        if layouts.is_empty() {
            layouts.push(Layout::Iso);
        }
        let name = match timezone.unwrap_or("UTC") {
            "Z" | "z" | "utc" => "UTC",
            timezone => timezone,
        };
        let zone = Tz::from_str(name).map_err(|_| {
            format!("timezone must be an offset such as '+08:00', a zone name such as 'Europe/Berlin', or 'UTC', got '{name}'")
        })?;
        Ok(Self {
            layouts,
            zone_changes: changes(&zone),
            zone,
        })
    }

    /// Whether a time can depend on the times before it: in the hour that is shown twice.
    pub(crate) fn needs_order(&self) -> bool {
        self.zone_changes
    }

    /// Nanoseconds since 1970 in UTC, or `None` if the text is not a time. `written` is when the
    /// file was last written.
    pub(crate) fn read(
        &self,
        text: &str,
        written: DateTime<Utc>,
        memory: &mut TimeMemory,
    ) -> Option<i64> {
        if memory.text == text && memory.written == written {
            return memory.time;
        }
        let time = self.read_new(text.trim(), written, memory);
        memory.text.clear();
        memory.text.push_str(text);
        memory.written = written;
        memory.time = time;
        time
    }

    fn read_new(&self, text: &str, written: DateTime<Utc>, memory: &mut TimeMemory) -> Option<i64> {
        let mut layouts = self.layouts.iter();
        layouts.find_map(|layout| match layout {
            Layout::Iso => match unix_time(text) {
                Some(nanoseconds) => Some(nanoseconds),
                None => self.read_iso(text, written, memory)?.timestamp_nanos_opt(),
            },
            Layout::Format(parts) => self
                .read_format(text, parts, written, memory)?
                .timestamp_nanos_opt(),
        })
    }

    fn read_iso(
        &self,
        text: &str,
        written: DateTime<Utc>,
        memory: &mut TimeMemory,
    ) -> Option<DateTime<Utc>> {
        let (text, abbreviation) = split_abbreviation(text);
        let mut bytes = text.as_bytes().to_vec();
        if bytes.get(19) == Some(&b',') {
            bytes[19] = b'.';
        }
        if bytes.get(4) == Some(&b'/') && bytes.get(7) == Some(&b'/') {
            bytes[4] = b'-';
            bytes[7] = b'-';
        }
        let text = String::from_utf8(bytes).ok()?;
        let as_utc = string_to_datetime(&Utc, &text).ok()?;
        if let Some(abbreviation) = abbreviation {
            let local = as_utc.naive_utc();
            return Some(self.at_abbreviation(abbreviation, local)?.to_utc());
        }
        let after_date = text.bytes().skip("2026-03-02T".len());
        let mut of_zone =
            after_date.filter(|byte| byte.is_ascii_alphabetic() || b"+-".contains(byte));
        match of_zone.next() {
            Some(_) => Some(as_utc),
            None => self.at_zone(as_utc.naive_utc(), written, memory),
        }
    }

    fn read_format(
        &self,
        text: &str,
        parts: &[Part],
        written: DateTime<Utc>,
        memory: &mut TimeMemory,
    ) -> Option<DateTime<Utc>> {
        let (parsed, zone) = parse_parts(text, parts)?;
        let mut resolve = |parsed: &Parsed| self.resolve(parsed, zone, written, memory);
        let has_year = parsed.year().is_some()
            || parsed.year_mod_100().is_some()
            || parsed.isoyear().is_some()
            || parsed.timestamp().is_some();
        if has_year {
            return resolve(&parsed);
        }
        let latest = written + TimeDelta::days(1);
        let year = written.with_timezone(&self.zone).year();
        [year, year - 1].into_iter().find_map(|year| {
            let mut parsed = parsed.clone();
            parsed.set_year(i64::from(year)).ok()?;
            resolve(&parsed).filter(|time| *time <= latest)
        })
    }

    fn resolve(
        &self,
        parsed: &Parsed,
        zone: Option<&str>,
        written: DateTime<Utc>,
        memory: &mut TimeMemory,
    ) -> Option<DateTime<Utc>> {
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
        match zone {
            None => self.at_zone(local, written, memory),
            Some(zone) => Some(self.at_abbreviation(zone, local)?.to_utc()),
        }
    }

    /// A local time of a zone that the text names.
    fn at_abbreviation(&self, zone: &str, local: NaiveDateTime) -> Option<DateTime<FixedOffset>> {
        let offsets = offsets_of(zone);
        if offsets.is_empty() {
            let zone = Tz::from_str(zone).ok()?;
            return Some(zone.from_local_datetime(&local).earliest()?.fixed_offset());
        }
        // One abbreviation can stand for several zones: that of the table, if it is one of them.
        let minutes_of = |time: DateTime<Tz>| time.offset().fix().local_minus_utc() / 60;
        let own = match self.zone.from_local_datetime(&local) {
            MappedLocalTime::Single(time) => [Some(minutes_of(time)), None],
            MappedLocalTime::Ambiguous(first, second) => {
                [Some(minutes_of(first)), Some(minutes_of(second))]
            }
            MappedLocalTime::None => [None, None],
        };
        let minutes = offsets
            .iter()
            .find(|minutes| own.contains(&Some(**minutes)));
        let minutes = minutes.or(offsets.first())?;
        let offset = FixedOffset::east_opt(minutes * 60)?;
        offset.from_local_datetime(&local).single()
    }

    /// A local time of the table's zone.
    fn at_zone(
        &self,
        local: NaiveDateTime,
        written: DateTime<Utc>,
        memory: &mut TimeMemory,
    ) -> Option<DateTime<Utc>> {
        match self.zone.from_local_datetime(&local) {
            MappedLocalTime::Single(time) => {
                memory.repeated = None;
                Some(time.to_utc())
            }
            MappedLocalTime::Ambiguous(first, second) => {
                let (first, second) = (first.to_utc(), second.to_utc());
                let is_second = memory.repeated.is_some_and(|(last, was_second)| {
                    was_second || local + SECOND_PASS_JUMP <= last
                });
                let is_second = is_second && second <= written + SECOND_PASS_JUMP;
                memory.repeated = Some((local, is_second));
                Some(if is_second { second } else { first })
            }
            MappedLocalTime::None => None,
        }
    }
}

/// Whether the offset of a zone differs between two days of this century.
fn changes(zone: &Tz) -> bool {
    const HALF_MONTH: i64 = 15 * 86_400;
    const FIRST: i64 = 946_684_800;
    let mut offsets = (0..900).filter_map(|n| {
        let time = DateTime::from_timestamp(FIRST + n * HALF_MONTH, 0)?;
        Some(time.with_timezone(zone).offset().fix())
    });
    let first = offsets.next();
    offsets.any(|offset| Some(offset) != first)
}

/// The parts of a strftime format.
///
/// # Errors
/// A sentence that says what to write instead.
fn parts(format: &str) -> Result<Vec<Part>, String> {
    let expected = "a strftime format such as '%d/%b/%Y:%H:%M:%S %z' or '%b %e %H:%M:%S'";
    if !format.contains('%') {
        let hint = match written_with_percent(format) {
            Some(layout) if layout == ISO => "; ISO 8601 is read without the option".to_string(),
            Some(layout) => format!(". Write timestamp_format '{layout}'"),
            None => String::new(),
        };
        return Err(format!(
            "timestamp_format must be {expected}, with a % before each part, got '{format}'{hint}"
        ));
    }
    let items = StrftimeItems::new(format)
        .parse_to_owned()
        .map_err(|_| format!("timestamp_format must be {expected}, got '{format}'"))?;
    let mut parts = vec![];
    for item in items {
        match (item, parts.last_mut()) {
            (Item::Numeric(Numeric::Nanosecond, _), _) => parts.push(Part::Fraction),
            (Item::Fixed(Fixed::TimezoneName), _) => parts.push(Part::Zone),
            (item, Some(Part::Items(items))) => items.push(item),
            (item, _) => parts.push(Part::Items(vec![item])),
        }
    }
    Ok(parts)
}

/// The fields of a time, and the zone that it names in letters.
fn parse_parts<'a>(text: &'a str, parts: &[Part]) -> Option<(Parsed, Option<&'a str>)> {
    let (mut parsed, mut zone, mut rest) = (Parsed::new(), None, text);
    for part in parts {
        match part {
            Part::Items(items) => {
                rest = parse_and_remainder(&mut parsed, rest, items.iter()).ok()?;
            }
            Part::Fraction => {
                let end = rest.bytes().take_while(u8::is_ascii_digit).count();
                let (digits, after) = rest.split_at(end);
                parsed.set_nanosecond(nanoseconds(digits)?).ok()?;
                rest = after;
            }
            Part::Zone => {
                let is_of_zone = |byte: &u8| byte.is_ascii_alphanumeric() || b"/_+-".contains(byte);
                let end = rest.bytes().take_while(is_of_zone).count();
                let (name, after) = rest.split_at(end);
                zone = Some(name).filter(|name| !name.is_empty());
                zone?;
                rest = after;
            }
        }
    }
    rest.is_empty().then_some((parsed, zone))
}

/// The nanoseconds of the digits of a fraction.
fn nanoseconds(digits: &str) -> Option<i64> {
    if digits.is_empty() {
        return None;
    }
    let nine = digits.bytes().chain(std::iter::repeat(b'0')).take(9);
    Some(nine.fold(0, |number, digit| number * 10 + i64::from(digit - b'0')))
}

/// Splits `2026-03-02 09:12:01 CET` before the abbreviation.
fn split_abbreviation(text: &str) -> (&str, Option<&str>) {
    let letters = text
        .bytes()
        .rev()
        .take_while(u8::is_ascii_alphabetic)
        .count();
    let (before, name) = text.split_at(text.len() - letters);
    if name.len() >= 2 && before.len() >= 16 && !offsets_of(name).is_empty() {
        (before.trim_end(), Some(name))
    } else {
        (text, None)
    }
}

/// A plain number as a time. The number of digits determines the unit: each range covers about 1973
/// to 2286 and excludes compact dates (8 and 14 digits).
pub(crate) fn unix_time(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !whole
        .bytes()
        .chain(fraction.bytes())
        .all(|byte| byte.is_ascii_digit())
    {
        return None;
    }
    let number: i64 = whole.parse().ok()?;
    // The nanoseconds of the fraction of a unit.
    let unit = match whole.len() {
        9 | 10 => 1_000_000_000,
        12 | 13 => 1_000_000,
        15 | 16 => 1_000,
        18 | 19 if fraction.is_empty() => 1,
        _ => return None,
    };
    let part = match fraction {
        "" => 0,
        digits => nanoseconds(digits)? / (1_000_000_000 / unit),
    };
    number.checked_mul(unit)?.checked_add(part)
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
            .read(text, written, &mut TimeMemory::default())
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
