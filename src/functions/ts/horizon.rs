//! How far a forecast reaches: a number of steps, or all steps that begin within a length of time.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, plan_err};

use crate::algorithms::series::{Timeline, add_months};
use crate::functions::ts::zones::Zone;
use crate::time::{CalendarSpan, read_span};

/// The largest number of steps: almost a year of 5-minute steps.
pub(super) const MAX_STEPS: usize = 100_000;

/// How far a forecast reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Horizon {
    /// From 1 to [`MAX_STEPS`].
    Steps(usize),
    Span(CalendarSpan),
}

/// Reads the horizon from a constant argument; `None` for NULL.
///
/// # Errors
/// If it is not above 0, or has more than [`MAX_STEPS`] steps.
pub(super) fn read_horizon(function: &str, value: &ScalarValue) -> Result<Option<Horizon>> {
    if value.is_null() {
        return Ok(None);
    }
    if value.data_type().is_integer() {
        return match steps(value) {
            Some(steps) => Ok(Some(Horizon::Steps(steps))),
            None => {
                plan_err!("{function}: horizon must be from 1 to {MAX_STEPS} steps, got {value}")
            }
        };
    }
    match read_span(value) {
        Some(span) => Ok(Some(Horizon::Span(span))),
        None => plan_err!(
            "{function}: horizon must be a whole number of steps or longer than 0, such as 24 without quotes or INTERVAL '1 day'{}",
            match value.try_as_str().flatten() {
                Some(text) => format!(", got '{text}'"),
                None => String::new(),
            }
        ),
    }
}

/// Parses the horizon in a text: a number of steps, or a length of time.
pub(super) fn parse_horizon(function: &str, text: &str) -> Result<Horizon> {
    let steps = text.trim().parse::<i64>();
    let value = steps.map_or_else(|_| ScalarValue::from(text), ScalarValue::from);
    match read_horizon(function, &value)? {
        Some(horizon) => Ok(horizon),
        None => plan_err!("{function}: option horizon is empty"),
    }
}

fn steps(value: &ScalarValue) -> Option<usize> {
    let steps = match value.cast_to(&DataType::Int64).ok()? {
        ScalarValue::Int64(Some(steps)) => usize::try_from(steps).ok()?,
        _ => return None,
    };
    (1..=MAX_STEPS).contains(&steps).then_some(steps)
}

impl Horizon {
    /// The number of slots after the last one; `None` if it is more than [`MAX_STEPS`], or if the
    /// length of a step is not known.
    pub(super) fn n_steps(self, timeline: &Timeline) -> Option<usize> {
        let span = match self {
            Self::Steps(steps) => return Some(steps),
            Self::Span(span) => span,
        };
        let begin_ns = timeline.time_ns(timeline.len())?;
        let end_ns = add_months(begin_ns, span.months)?.checked_add(span.nanoseconds)?;
        let is_within = |n_steps: usize| {
            let begins_ns = timeline.time_ns(timeline.len() + n_steps);
            begins_ns.is_some_and(|begins_ns| begins_ns < end_ns)
        };
        // The first step begins within the horizon; a binary search finds the first one that does
        // not.
        let (mut within, mut behind) = (0, MAX_STEPS + 1);
        while behind - within > 1 {
            let middle = within + (behind - within) / 2;
            if is_within(middle) {
                within = middle;
            } else {
                behind = middle;
            }
        }
        (behind <= MAX_STEPS).then_some(behind)
    }

    /// The number of steps that continue in elapsed time, the first one at `begin_ns`; `None` if it
    /// is more than [`MAX_STEPS`].
    pub(super) fn n_passing_steps(self, begin_ns: i64, step_ns: i64, zone: Zone) -> Option<usize> {
        let span = match self {
            Self::Steps(steps) => return Some(steps),
            Self::Span(span) => span,
        };
        let end_ns = match span.months {
            0 => begin_ns,
            months => {
                let clock_ns = begin_ns.checked_add(zone.ahead_ns(begin_ns))?;
                zone.utc_ns(add_months(clock_ns, months)?)
            }
        };
        let after_ns = end_ns
            .checked_add(span.nanoseconds)?
            .checked_sub(begin_ns)?;
        // The first step begins within the horizon.
        let n_steps = after_ns.saturating_sub(1).div_euclid(step_ns) + 1;
        let n_steps = usize::try_from(n_steps).ok()?.max(1);
        (n_steps <= MAX_STEPS).then_some(n_steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::series::Samples;
    use crate::algorithms::units::HOUR;

    #[test]
    fn steps_that_begin_within() {
        let samples = Samples::new(vec![0, HOUR], vec![1.0, 2.0]).unwrap();
        let hours = Timeline::new(&samples, None).unwrap();
        // From January 31 to February 28: 28 days.
        let january = 30 * 24 * HOUR - HOUR;
        let samples = Samples::new(vec![january - HOUR, january], vec![1.0, 2.0]).unwrap();
        let january = Timeline::new(&samples, None).unwrap();
        for (timeline, months, nanoseconds, expected) in [
            (&hours, 0, 24 * HOUR, Some(24)),
            (&hours, 0, 24 * HOUR + 1, Some(25)),
            (&hours, 0, 1, Some(1)),
            (&hours, 0, 100_000 * HOUR, Some(100_000)),
            (&hours, 0, 100_000 * HOUR + 1, None),
            (&hours, 0, i64::MAX, None),
            (&january, 1, 0, Some(28 * 24)),
        ] {
            let span = CalendarSpan {
                months,
                nanoseconds,
            };
            let found = Horizon::Span(span).n_steps(timeline);
            assert_eq!(found, expected, "{span:?}");
        }
        assert_eq!(Horizon::Steps(5).n_steps(&hours), Some(5));
    }

    #[test]
    fn every_type_of_number() {
        for value in [
            ScalarValue::Int8(Some(7)),
            ScalarValue::UInt8(Some(7)),
            ScalarValue::Int32(Some(7)),
            ScalarValue::UInt64(Some(7)),
        ] {
            assert_eq!(
                read_horizon("f", &value).unwrap(),
                Some(Horizon::Steps(7)),
                "{value:?}"
            );
        }
        for value in [
            ScalarValue::UInt64(Some(u64::MAX)),
            ScalarValue::Int64(Some(-1)),
        ] {
            assert!(read_horizon("f", &value).is_err());
        }
        let null = read_horizon("f", &ScalarValue::Utf8(None)).unwrap();
        assert_eq!(null, None);
    }
}
