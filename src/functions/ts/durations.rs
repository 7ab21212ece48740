//! Lengths of time: as people write them, `30s`, `5 minutes`, `1d`, `1 day 12 hours`, and as SQL has them.

use crate::algorithms::series::forecast::Step;
use crate::functions::ts::times::{DAY, MILLISECOND, SECOND};
use datafusion::arrow::compute::kernels::cast_utils::parse_interval_month_day_nano;
use datafusion::arrow::datatypes::IntervalMonthDayNano;
use datafusion::common::{Result, ScalarValue, plan_err};

/// The nanoseconds of a duration above 0; `None` for anything else, months and years among it, which have no fixed length.
pub(super) fn parse_duration(text: &str) -> Option<i64> {
    duration(parse_interval(text)?)
}

/// The nanoseconds of a duration of 0 or more.
pub(crate) fn parse_duration_or_zero(text: &str) -> Option<i64> {
    let interval = parse_interval(text)?;
    let nanoseconds = days_and_less(interval)?;
    (interval.months == 0 && nanoseconds >= 0).then_some(nanoseconds)
}

/// A duration above 0, or so many months, quarters or years; `None` for anything else, also for both together.
pub(super) fn parse_step(text: &str) -> Option<Step> {
    step(parse_interval(text)?)
}

fn parse_interval(text: &str) -> Option<IntervalMonthDayNano> {
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
fn duration(interval: IntervalMonthDayNano) -> Option<i64> {
    let nanoseconds = days_and_less(interval)?;
    (interval.months == 0 && nanoseconds > 0).then_some(nanoseconds)
}

fn days_and_less(interval: IntervalMonthDayNano) -> Option<i64> {
    let days = i64::from(interval.days).checked_mul(DAY)?;
    days.checked_add(interval.nanoseconds)
}

fn step(interval: IntervalMonthDayNano) -> Option<Step> {
    match u32::try_from(interval.months).ok()? {
        0 => duration(interval).map(Step::Nanoseconds),
        months => (days_and_less(interval)? == 0).then_some(Step::Months(months)),
    }
}

/// A length of time of months and nanoseconds, together above 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) months: u32,
    pub(super) nanoseconds: i64,
}

fn span(interval: IntervalMonthDayNano) -> Option<Span> {
    let span = Span {
        months: u32::try_from(interval.months).ok()?,
        nanoseconds: days_and_less(interval)?,
    };
    (span.nanoseconds >= 0 && (span.months > 0 || span.nanoseconds > 0)).then_some(span)
}

/// The interval that a constant argument is: an interval or a duration of any unit, or a text.
fn interval_of(value: &ScalarValue) -> Option<IntervalMonthDayNano> {
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

/// The nanoseconds of a constant argument; `None` for NULL.
///
/// # Errors
/// When it is not above 0, or has months, which are of different lengths.
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

/// The step that a constant argument is, of months too; `None` for NULL.
///
/// # Errors
/// When it is not above 0, or has months and days.
pub(super) fn read_step(function: &str, name: &str, value: &ScalarValue) -> Result<Option<Step>> {
    if value.is_null() {
        return Ok(None);
    }
    match interval_of(value).and_then(step) {
        Some(step) => Ok(Some(step)),
        None => plan_err!(
            "{function}: {name} must be longer than 0, and either whole months or without months, \
             such as INTERVAL '1 hour'{}",
            got(value)
        ),
    }
}

/// The length of time that a constant is; `None` for anything else.
pub(super) fn read_span(value: &ScalarValue) -> Option<Span> {
    interval_of(value).and_then(span)
}

/// What a message says of a wrong value: an interval has no form that a person writes.
fn got(value: &ScalarValue) -> String {
    match value.try_as_str().flatten() {
        Some(text) => format!(", got '{text}'"),
        None => String::new(),
    }
}

/// An interval of so many nanoseconds, with whole days as days.
pub(super) fn interval(nanoseconds: i64) -> IntervalMonthDayNano {
    let (days, rest) = (nanoseconds.div_euclid(DAY), nanoseconds.rem_euclid(DAY));
    // The days of 64-bit nanoseconds fit into 32 bits.
    IntervalMonthDayNano::new(0, i32::try_from(days).unwrap_or(i32::MAX), rest)
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
    fn reads_steps() {
        let hour = 3_600 * SECOND;
        for (text, expected) in [
            ("1h", Some(Step::Nanoseconds(hour))),
            ("1 month", Some(Step::Months(1))),
            ("2 quarters", Some(Step::Months(6))),
            ("1 quarter", Some(Step::Months(3))),
            ("1 year", Some(Step::Months(12))),
            ("1 month 1 day", None),
            ("-1 month", None),
            ("quarter", None),
            ("0 quarters", None),
            ("1", None),
        ] {
            assert_eq!(parse_step(text), expected, "{text}");
        }
        let years = ScalarValue::IntervalYearMonth(Some(24));
        let read = read_step("f", "slot", &years).unwrap();
        assert_eq!(read, Some(Step::Months(24)));
        let expected = Span {
            months: 1,
            nanoseconds: DAY + hour,
        };
        let text = |text: &str| read_span(&ScalarValue::from(text));
        assert_eq!(text("1 month 1 day 1 hour"), Some(expected));
        assert_eq!(text("-1 day"), None);
        assert_eq!(text("24"), None);
        assert_eq!(read_span(&ScalarValue::from(24_i64)), None);
    }
}
