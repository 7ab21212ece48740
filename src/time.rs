//! Times for all modules above: lengths of time as people write them, `30s`, `5 minutes`, `1d`, `1
//! day 12 hours`, and as SQL represents them; and the names of time columns.

use datafusion::arrow::compute::kernels::cast_utils::parse_interval_month_day_nano;
use datafusion::arrow::datatypes::IntervalMonthDayNano;
use datafusion::common::{Result, ScalarValue, plan_err};

use crate::algorithms::units::{DAY, MILLISECOND, SECOND};

/// The nanoseconds of a duration above 0. `None` for anything else, including months and years,
/// which have no fixed length.
pub(crate) fn parse_duration(text: &str) -> Option<i64> {
    duration(parse_interval(text)?)
}

/// The nanoseconds of a duration of 0 or more.
pub(crate) fn parse_duration_or_zero(text: &str) -> Option<i64> {
    let interval = parse_interval(text)?;
    let nanoseconds = days_and_less(interval)?;
    (interval.months == 0 && nanoseconds >= 0).then_some(nanoseconds)
}

pub(crate) fn parse_interval(text: &str) -> Option<IntervalMonthDayNano> {
    let text = text.trim();
    let quarters = text.strip_suffix("quarters");
    if let Some(number) = quarters.or(text.strip_suffix("quarter")) {
        let months = number.trim().parse::<i32>().ok()?.checked_mul(3)?;
        return Some(IntervalMonthDayNano::new(months, 0, 0));
    }
    // A number alone has no unit, and would be read as months.
    let has_unit = text.ends_with(|last: char| last.is_ascii_alphabetic());
    let interval = parse_interval_month_day_nano(text).ok()?;
    has_unit.then_some(interval)
}

/// The nanoseconds of an interval above 0 without months; a day has 24 hours.
pub(crate) fn duration(interval: IntervalMonthDayNano) -> Option<i64> {
    let nanoseconds = days_and_less(interval)?;
    (interval.months == 0 && nanoseconds > 0).then_some(nanoseconds)
}

pub(crate) fn days_and_less(interval: IntervalMonthDayNano) -> Option<i64> {
    let days = i64::from(interval.days).checked_mul(DAY)?;
    days.checked_add(interval.nanoseconds)
}

/// A length of time in months and nanoseconds, above 0 in total.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CalendarSpan {
    pub(crate) months: u32,
    pub(crate) nanoseconds: i64,
}

fn span(interval: IntervalMonthDayNano) -> Option<CalendarSpan> {
    let span = CalendarSpan {
        months: u32::try_from(interval.months).ok()?,
        nanoseconds: days_and_less(interval)?,
    };
    (span.nanoseconds >= 0 && (span.months > 0 || span.nanoseconds > 0)).then_some(span)
}

/// The interval in a constant argument: an interval or a duration of any unit, or a text.
pub(crate) fn interval_of(value: &ScalarValue) -> Option<IntervalMonthDayNano> {
    let nanoseconds = match value {
        ScalarValue::IntervalMonthDayNano(interval) => return *interval,
        ScalarValue::IntervalYearMonth(Some(months)) => {
            return Some(IntervalMonthDayNano::new(*months, 0, 0));
        }
        ScalarValue::IntervalDayTime(Some(interval)) => {
            let nanoseconds = i64::from(interval.milliseconds) * MILLISECOND;
            return Some(IntervalMonthDayNano::new(0, interval.days, nanoseconds));
        }
        ScalarValue::DurationSecond(Some(count)) => count.checked_mul(SECOND)?,
        ScalarValue::DurationMillisecond(Some(count)) => count.checked_mul(MILLISECOND)?,
        ScalarValue::DurationMicrosecond(Some(count)) => count.checked_mul(1_000)?,
        ScalarValue::DurationNanosecond(Some(count)) => *count,
        other => return parse_interval(other.try_as_str()??),
    };
    Some(IntervalMonthDayNano::new(0, 0, nanoseconds))
}

/// The nanoseconds in a constant argument; `None` for NULL.
///
/// # Errors
/// When it is not above 0, or has months, which have different lengths.
pub(crate) fn read_duration(
    function: &str,
    name: &str,
    value: &ScalarValue,
) -> Result<Option<i64>> {
    if value.is_null() {
        return Ok(None);
    }
    match interval_of(value).and_then(duration) {
        Some(nanoseconds) => Ok(Some(nanoseconds)),
        None => plan_err!(
            "{function}: {name} must be longer than 0 and without months and years, which differ in length, \
             such as INTERVAL '5 minutes'{}",
            got(value)
        ),
    }
}

/// The length of time in a constant, or `None` for anything else.
pub(crate) fn read_span(value: &ScalarValue) -> Option<CalendarSpan> {
    interval_of(value).and_then(span)
}

/// What a message adds about a wrong value; nothing for an interval, since it has no form that
/// people write.
pub(crate) fn got(value: &ScalarValue) -> String {
    match value.try_as_str().flatten() {
        Some(text) => format!(", got '{text}'"),
        None => String::new(),
    }
}

/// An interval of this many nanoseconds, with whole days as days.
pub(crate) fn interval(nanoseconds: i64) -> IntervalMonthDayNano {
    let (days, rest) = (nanoseconds.div_euclid(DAY), nanoseconds.rem_euclid(DAY));
    // The days of 64-bit nanoseconds fit into 32 bits.
    IntervalMonthDayNano::new(0, i32::try_from(days).unwrap_or(i32::MAX), rest)
}

/// Whether a column of this name is a time if nothing else says so.
pub(crate) fn is_time_name(name: &str) -> bool {
    ["ts", "time", "timestamp", "datetime", "@timestamp"]
        .iter()
        .any(|time| time.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_durations() {
        for (text, seconds) in [
            ("30s", 30),
            ("5 minutes", 300),
            ("5m", 300),
            ("1h", 3_600),
            ("1d", 86_400),
            ("1 day", 86_400),
            ("1 day 12 hours", 129_600),
            ("1w", 604_800),
        ] {
            assert_eq!(
                parse_duration(text),
                Some(seconds * 1_000_000_000),
                "{text}"
            );
        }
        assert_eq!(parse_duration("1.5ms"), Some(1_500_000));
        for text in [
            "",
            "1",
            "d",
            "1 mon",
            "1 year",
            "-1d",
            "0s",
            "1x",
            "1d 2d",
            "99999999w",
        ] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn reads_spans() {
        let text = |text: &str| read_span(&ScalarValue::from(text));
        let expected = CalendarSpan {
            months: 1,
            nanoseconds: DAY + 3_600 * SECOND,
        };
        assert_eq!(text("1 month 1 day 1 hour"), Some(expected));
        assert_eq!(text("-1 day"), None);
        assert_eq!(text("24"), None);
        assert_eq!(read_span(&ScalarValue::from(24_i64)), None);
    }
}
