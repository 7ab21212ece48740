//! Times as text: `2026-03-02 06:10:00.123456789`, in UTC, and `2026-03-02`. SQLite's date
//! functions and people can read them, and the order of the texts is the order of the times. The
//! fraction has as many digits as it needs: none, 3, 6 or 9.

use std::fmt::Write;

use chrono::{DateTime, Datelike, NaiveDate, Timelike};
use datafusion::arrow::datatypes::TimeUnit;

use crate::algorithms::units::SECOND;

/// The length of `2026-03-02 06:10:00`.
const SECONDS_LENGTH: usize = 19;
/// The length of `2026-03-02`.
const DATE_LENGTH: usize = 10;

/// How many of the unit make a second.
fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => SECOND,
    }
}

/// The text of a time, or `None` before the year 0 and after 9999, where texts no longer sort like
/// times.
pub(crate) fn timestamp_text(value: i64, unit: TimeUnit) -> Option<String> {
    let per_second = per_second(unit);
    let seconds = value.div_euclid(per_second);
    let nanoseconds = value.rem_euclid(per_second) * (SECOND / per_second);
    let mut text = seconds_text(seconds)?;
    let (fraction, digits) = match nanoseconds {
        0 => return Some(text),
        n if n % 1_000_000 == 0 => (n / 1_000_000, 3),
        n if n % 1_000 == 0 => (n / 1_000, 6),
        n => (n, 9),
    };
    write!(text, ".{fraction:0digits$}").ok()?;
    Some(text)
}

/// The whole second that contains a time and the second after it, as texts: however many digits its
/// fraction has, the text of the time is not before the first, and is before the second.
pub(crate) fn second_around(value: i64, unit: TimeUnit) -> Option<(String, String)> {
    let seconds = value.div_euclid(per_second(unit));
    Some((seconds_text(seconds)?, seconds_text(seconds + 1)?))
}

fn seconds_text(seconds: i64) -> Option<String> {
    let time = DateTime::from_timestamp(seconds, 0)?;
    (0..=9999).contains(&time.year()).then(|| {
        format!(
            "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
            time.year(),
            time.month(),
            time.day(),
            time.hour(),
            time.minute(),
            time.second()
        )
    })
}

/// Parses a time, or returns `None` if the text has another form or digits that the unit does not
/// have, or if the time does not fit 64 bits.
pub(crate) fn parse_timestamp(text: &str, unit: TimeUnit) -> Option<i64> {
    let whole = text.get(..SECONDS_LENGTH)?;
    let bytes = whole.as_bytes();
    if (bytes[10], bytes[13], bytes[16]) != (b' ', b':', b':') {
        return None;
    }
    let date = date(whole.get(..DATE_LENGTH)?)?;
    let part = |from: usize| number(whole.get(from..from + 2)?);
    let time = date.and_hms_opt(part(11)?, part(14)?, part(17)?)?;
    let nanoseconds = match text.get(SECONDS_LENGTH..)? {
        "" => 0,
        fraction => {
            let digits = fraction.strip_prefix('.')?;
            if !(1..=9).contains(&digits.len()) {
                return None;
            }
            i64::from(number(&format!("{digits:0<9}"))?)
        }
    };
    let per_second = per_second(unit);
    let step = SECOND / per_second;
    if nanoseconds % step != 0 {
        return None;
    }
    let seconds = i128::from(time.and_utc().timestamp());
    let value = seconds * i128::from(per_second) + i128::from(nanoseconds / step);
    i64::try_from(value).ok()
}

/// The text of a date, given in days since 1970, or `None` outside the years 0 to 9999.
pub(crate) fn date_text(days: i32) -> Option<String> {
    let date = NaiveDate::from_epoch_days(days)?;
    (0..=9999)
        .contains(&date.year())
        .then(|| format!("{:04}-{:02}-{:02}", date.year(), date.month(), date.day()))
}

/// Parses a date into days since 1970.
pub(crate) fn parse_date(text: &str) -> Option<i32> {
    Some(date(text)?.to_epoch_days())
}

fn date(text: &str) -> Option<NaiveDate> {
    let bytes = text.as_bytes();
    if bytes.len() != DATE_LENGTH || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let year = i32::try_from(number(text.get(..4)?)?).ok()?;
    NaiveDate::from_ymd_opt(year, number(text.get(5..7)?)?, number(text.get(8..10)?)?)
}

/// Parses a number of digits only, without a sign.
fn number(digits: &str) -> Option<u32> {
    let is_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| is_digits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts() {
        for (value, unit, expected) in [
            (0, TimeUnit::Second, Some("1970-01-01 00:00:00")),
            (
                -1,
                TimeUnit::Nanosecond,
                Some("1969-12-31 23:59:59.999999999"),
            ),
            (
                1_500,
                TimeUnit::Millisecond,
                Some("1970-01-01 00:00:01.500"),
            ),
            (
                120_000,
                TimeUnit::Microsecond,
                Some("1970-01-01 00:00:00.120"),
            ),
            (
                i64::MIN,
                TimeUnit::Nanosecond,
                Some("1677-09-21 00:12:43.145224192"),
            ),
            (
                i64::MAX,
                TimeUnit::Nanosecond,
                Some("2262-04-11 23:47:16.854775807"),
            ),
            (253_402_300_800, TimeUnit::Second, None),
            (i64::MAX, TimeUnit::Second, None),
        ] {
            let text = timestamp_text(value, unit);
            assert_eq!(text.as_deref(), expected);
            if let Some(text) = text {
                assert_eq!(parse_timestamp(&text, unit), Some(value), "{text}");
            }
        }
    }

    #[test]
    fn other_forms_are_none() {
        for text in [
            "2026-03-02",
            "2026-03-02T06:10:00",
            "2026-03-02 06:10",
            "2026-03-02 06:10:00Z",
            "2026-03-02 06:10:00.",
            "2026-03-02 06:10:00.1234567890",
            "2026-02-30 06:10:00",
            "2026-03-02 24:00:00",
            "2026-03-02 +6:10:00",
            "2026-03-02 06:10:00.1中",
            "９026-03-02 06:10:00",
            "9999-01-01 00:00:00",
            "",
        ] {
            assert_eq!(parse_timestamp(text, TimeUnit::Nanosecond), None, "{text}");
        }
        let tenth = "2026-03-02 06:10:00.1";
        assert_eq!(parse_timestamp(tenth, TimeUnit::Second), None);
        assert!(parse_timestamp(tenth, TimeUnit::Millisecond).is_some());
        assert_eq!(parse_date("2026-3-2"), None);
        assert_eq!(
            parse_date("0000-01-01").and_then(date_text).as_deref(),
            Some("0000-01-01")
        );
    }

    proptest! {
        #[test]
        fn order_of_texts_is_order_of_times(a: i64, b: i64) {
            let text = |value| timestamp_text(value, TimeUnit::Nanosecond).unwrap();
            prop_assert_eq!(text(a).cmp(&text(b)), a.cmp(&b));
            prop_assert_eq!(parse_timestamp(&text(a), TimeUnit::Nanosecond), Some(a));
            let (from, to) = second_around(a, TimeUnit::Nanosecond).unwrap();
            prop_assert!(from <= text(a) && text(a) < to);
        }
    }
}
