//! The steps of a series: lengths of time, or whole months.

use datafusion::arrow::datatypes::IntervalMonthDayNano;
use datafusion::common::{Result, ScalarValue, plan_err};

use crate::algorithms::series::forecast::Step;
use crate::time::{days_and_less, duration, got, interval_of, parse_interval};

/// Parses a duration above 0, or a number of months, quarters or years; `None` for anything else,
/// including both together.
pub(super) fn parse_step(text: &str) -> Option<Step> {
    step(parse_interval(text)?)
}

fn step(interval: IntervalMonthDayNano) -> Option<Step> {
    match u32::try_from(interval.months).ok()? {
        0 => duration(interval).map(Step::Nanoseconds),
        months => (days_and_less(interval)? == 0).then_some(Step::Months(months)),
    }
}

/// Reads a step, possibly of months, from a constant argument; `None` for NULL.
///
/// # Errors
/// If it is not above 0, or has months and days.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::units::SECOND;

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
    }
}
