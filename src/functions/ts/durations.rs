//! Lengths of time: as people write them, `30s`, `5 minutes`, `1d`, `1 day 12 hours`, and as SQL has them.

use datafusion::arrow::compute::kernels::cast_utils::parse_interval_month_day_nano;
use datafusion::arrow::datatypes::IntervalMonthDayNano;
use datafusion::common::{Result, ScalarValue, plan_err};

const MILLISECOND: i64 = 1_000_000;
const SECOND: i64 = 1_000_000_000;
const DAY: i64 = 86_400 * SECOND;

/// The nanoseconds of a duration above 0; `None` for anything else, months and years among it, which have no fixed length.
pub(super) fn parse_duration(text: &str) -> Option<i64> {
    // A number alone has no unit, and would be read as months.
    let has_unit = text.ends_with(|last: char| last.is_ascii_alphabetic());
    let interval = parse_interval_month_day_nano(text.trim()).ok()?;
    duration(interval).filter(|_| has_unit)
}

/// The nanoseconds of an interval above 0 without months; a day has 24 hours.
fn duration(interval: IntervalMonthDayNano) -> Option<i64> {
    let days = i64::from(interval.days).checked_mul(DAY)?;
    let nanoseconds = days.checked_add(interval.nanoseconds)?;
    (interval.months == 0 && nanoseconds > 0).then_some(nanoseconds)
}

/// The nanoseconds of a constant argument; `None` for NULL.
///
/// # Errors
/// When it is not above 0, or has months, which are of different lengths.
pub(super) fn read_duration(
    function: &str,
    name: &str,
    value: &ScalarValue,
) -> Result<Option<i64>> {
    if value.is_null() {
        return Ok(None);
    }
    let nanoseconds = match value {
        ScalarValue::IntervalMonthDayNano(Some(interval)) => duration(*interval),
        ScalarValue::IntervalDayTime(Some(interval)) => {
            let nanoseconds = i64::from(interval.milliseconds) * MILLISECOND;
            duration(IntervalMonthDayNano::new(0, interval.days, nanoseconds))
        }
        ScalarValue::DurationSecond(Some(count)) => count.checked_mul(SECOND),
        ScalarValue::DurationMillisecond(Some(count)) => count.checked_mul(MILLISECOND),
        ScalarValue::DurationMicrosecond(Some(count)) => count.checked_mul(1_000),
        ScalarValue::DurationNanosecond(Some(count)) => Some(*count),
        other => other.try_as_str().flatten().and_then(parse_duration),
    };
    match nanoseconds.filter(|nanoseconds| *nanoseconds > 0) {
        Some(nanoseconds) => Ok(Some(nanoseconds)),
        None => plan_err!(
            "{function}: {name} must be longer than 0 and without months and years, which differ in length, \
             such as INTERVAL '5 minutes'{}",
            // An interval has no form that a person writes.
            match value.try_as_str().flatten() {
                Some(text) => format!(", got '{text}'"),
                None => String::new(),
            }
        ),
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
}
