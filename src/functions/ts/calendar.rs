//! The special days of a forecast: holidays, and days by their place in the month.

use std::collections::BTreeSet;

use chrono::{Datelike, Days, NaiveDate, Weekday};
use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::Date32Type;
use datafusion::common::{Result, exec_err, plan_err};

use crate::algorithms::series::forecast::{SpecialPoint, Step};
use crate::algorithms::units::DAY;
use crate::functions::call::options::CallOptions;

/// The largest number of holidays of a call: twenty a year for two centuries.
const MAX_HOLIDAYS: usize = 4_000;

/// Days by their place in the month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MonthDay {
    MonthStart,
    MonthEnd,
    FirstBusinessDay,
    LastBusinessDay,
}

const MONTH_DAYS: [(&str, MonthDay); 4] = [
    ("month_start", MonthDay::MonthStart),
    ("month_end", MonthDay::MonthEnd),
    ("first_business_day", MonthDay::FirstBusinessDay),
    ("last_business_day", MonthDay::LastBusinessDay),
];

/// The class of holidays; each place in the month is another class.
const HOLIDAYS: u8 = 0;

/// The special days.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Calendar {
    /// As days since 1970.
    holidays: BTreeSet<i32>,
    month_days: Vec<MonthDay>,
}

/// Reads the options `holidays` and `calendar`.
pub(super) fn read_calendar(options: &mut CallOptions) -> Result<Calendar> {
    let function = options.function();
    let mut holidays = BTreeSet::new();
    for text in options.take_list("holidays").unwrap_or_default() {
        match text.trim().parse::<NaiveDate>() {
            Ok(date) => holidays.insert(day_number(date)),
            Err(_) => {
                return plan_err!(
                    "{function}: option holidays needs dates such as 2026-05-01|2026-12-25, got '{text}'"
                );
            }
        };
    }
    check_number(function, holidays.len())?;
    let month_days = options.take_choices("calendar", &MONTH_DAYS)?;
    Ok(Calendar {
        holidays,
        month_days: month_days.unwrap_or_default(),
    })
}

fn check_number(function: &str, n_holidays: usize) -> Result<()> {
    if n_holidays > MAX_HOLIDAYS {
        return exec_err!("{function}: at most {MAX_HOLIDAYS} holidays, got {n_holidays}");
    }
    Ok(())
}

/// Days since 1970. No date of a series is in a year that 32 bits of days cannot reach.
fn day_number(date: NaiveDate) -> i32 {
    date.to_epoch_days()
}

/// Adds the dates in a column of lists of dates.
pub(super) fn add_holidays(
    function: &str,
    lists: &ArrayRef,
    holidays: &mut BTreeSet<i32>,
) -> Result<()> {
    let lists = lists.as_list_opt::<i32>();
    let Some((lists, days)) = lists.and_then(|lists| {
        let days = lists.values().as_primitive_opt::<Date32Type>()?;
        Some((lists, days))
    }) else {
        return exec_err!("{function}: holidays must arrive as a list of dates");
    };
    // The list is the same in all rows, and mostly at the same offsets.
    let mut before = None;
    for row in (0..lists.len()).filter(|&row| lists.is_valid(row)) {
        let elements = lists.value_offsets()[row]..lists.value_offsets()[row + 1];
        if before.replace(elements.clone()) == Some(elements.clone()) {
            continue;
        }
        let elements = elements.filter_map(|element| usize::try_from(element).ok());
        holidays.extend(
            elements
                .filter(|&day| days.is_valid(day))
                .map(|day| days.value(day)),
        );
    }
    check_number(function, holidays.len())
}

impl Calendar {
    pub(super) fn is_empty(&self) -> bool {
        self.holidays.is_empty() && self.month_days.is_empty()
    }

    pub(super) fn with_holidays(&self, holidays: &BTreeSet<i32>) -> Self {
        let mut calendar = self.clone();
        calendar.holidays.extend(holidays);
        calendar
    }

    /// The special day that a clock time is on, if steps are no longer than a day.
    pub(super) fn special_point(&self, clock_ns: i64, step: Option<Step>) -> Option<SpecialPoint> {
        let step_ns = match step {
            Some(Step::Nanoseconds(step_ns)) if step_ns <= DAY => step_ns.max(1),
            _ => return None,
        };
        let day = i32::try_from(clock_ns.div_euclid(DAY)).ok()?;
        Some(SpecialPoint {
            class: self.class(day)?,
            day,
            moment: u32::try_from(clock_ns.rem_euclid(DAY) / step_ns).ok()?,
        })
    }

    /// The class of a day; `None` for ordinary ones.
    fn class(&self, day: i32) -> Option<u8> {
        if self.holidays.contains(&day) {
            return Some(HOLIDAYS);
        }
        let date = NaiveDate::from_epoch_days(day)?;
        let is_month_day = |month_day: &MonthDay| self.is_month_day(date, *month_day);
        let month_day = self.month_days.iter().position(is_month_day)?;
        u8::try_from(month_day + 1).ok()
    }

    fn is_month_day(&self, date: NaiveDate, month_day: MonthDay) -> bool {
        let month_before = date.pred_opt().map(|before| before.month());
        let month_after = date.succ_opt().map(|after| after.month());
        match month_day {
            MonthDay::MonthStart => month_before != Some(date.month()),
            MonthDay::MonthEnd => month_after != Some(date.month()),
            MonthDay::FirstBusinessDay => {
                self.is_outermost(date, |date, n| date.checked_sub_days(n))
            }
            MonthDay::LastBusinessDay => {
                self.is_outermost(date, |date, n| date.checked_add_days(n))
            }
        }
    }

    /// Whether a day is a business day and no business day of its month is further in this
    /// direction.
    fn is_outermost(
        &self,
        date: NaiveDate,
        further: impl Fn(NaiveDate, Days) -> Option<NaiveDate>,
    ) -> bool {
        let others = (1..31).map_while(|n| further(date, Days::new(n)));
        let mut others = others.take_while(|other| other.month() == date.month());
        self.is_business_day(date) && !others.any(|other| self.is_business_day(other))
    }

    /// Whether a day is from Monday to Friday and not a holiday.
    fn is_business_day(&self, date: NaiveDate) -> bool {
        !matches!(date.weekday(), Weekday::Sat | Weekday::Sun)
            && !self.holidays.contains(&day_number(date))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::common::ScalarValue;

    fn calendar(options: &str) -> Result<Calendar> {
        let literal = ScalarValue::from(options);
        read_calendar(&mut CallOptions::parse("f", Some(&literal))?)
    }

    #[test]
    fn days_of_a_month() {
        let month_days = "calendar=month_start|month_end|first_business_day|last_business_day";
        // May 1, 2026 is a Friday and a holiday, May 4 a Monday, May 30 a Saturday and May 31 a
        // Sunday.
        let may = calendar(&format!("holidays=2026-05-01,{month_days}")).unwrap();
        let classes = (1..=31).filter_map(|day| {
            let date = NaiveDate::from_ymd_opt(2026, 5, day)?;
            Some((day, may.class(day_number(date))?))
        });
        assert_eq!(
            classes.collect::<Vec<_>>(),
            [(1, 0), (4, 3), (29, 4), (31, 2)]
        );
        let ordinary = Calendar::default();
        assert!(ordinary.is_empty() && ordinary.class(20_574).is_none());
    }

    #[test]
    fn points_of_a_day() {
        let may = calendar("holidays=2026-05-01").unwrap();
        let day = i64::from(day_number(NaiveDate::from_ymd_opt(2026, 5, 1).unwrap()));
        let hour = DAY / 24;
        let at = |ns, step| {
            may.special_point(ns, step)
                .map(|point| (point.class, point.moment))
        };
        let hours = Some(Step::Nanoseconds(hour));
        assert_eq!(at(day * DAY + 9 * hour, hours), Some((0, 9)));
        assert_eq!(at(day * DAY - 1, hours), None);
        assert_eq!(at(day * DAY, Some(Step::Nanoseconds(DAY))), Some((0, 0)));
        for step in [
            Some(Step::Nanoseconds(7 * DAY)),
            Some(Step::Months(1)),
            None,
        ] {
            assert_eq!(at(day * DAY, step), None, "{step:?}");
        }
    }

    #[test]
    fn wrong_dates_are_told() {
        let error = calendar("holidays=2026-05-01|May 2nd").unwrap_err();
        assert_eq!(
            error.strip_backtrace(),
            "Error during planning: f: option holidays needs dates such as 2026-05-01|2026-12-25, got 'May 2nd'"
        );
    }
}
