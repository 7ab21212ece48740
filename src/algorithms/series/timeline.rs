//! Timelines: the times of the values of a series, and of the next ones.
//!
//! Forecasts count in steps, people in times. A [`Timeline`] divides time into slots of one step
//! each: those of the series as it is, found from the distance of its samples, or those of a given
//! step. Series of months, quarters and years have steps of months, which differ in length, and may
//! have their times at the end of each. If samples have no common step, each is a slot, and the
//! median distance continues after the last one.
//!
//! Dates are those of the Gregorian calendar in the time of the series, which has no zone. Days and
//! dates are converted as in Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms" (2013),
//! <https://howardhinnant.github.io/date_algorithms.html>.

use crate::algorithms::series::fill::Bucket;
use crate::algorithms::series::forecast::Step;
use crate::algorithms::series::samples::Samples;
use crate::algorithms::units::DAY;

/// The largest number of slots of a timeline with a given step, which is also the limit of
/// `ts_fill`: two years of minutes.
const MAX_SLOTS: usize = crate::algorithms::series::fill::DEFAULT_MAX_POINTS;

/// The slots of a series, one step each, from its first sample to its last, and those after.
///
/// ```
/// use datafusion_aiops::algorithms::series::forecast::Step;
/// use datafusion_aiops::algorithms::series::{Bucket, Samples, Timeline};
/// let day = 86_400_000_000_000;
/// // The last days of January, February and April 1970.
/// let samples = Samples::new(vec![30 * day, 58 * day, 119 * day], vec![1.0, 2.0, 4.0])?;
/// let timeline = Timeline::new(&samples, None).unwrap_or_default();
/// assert_eq!(timeline.step(), Some(Step::Months(1)));
/// let values = timeline.values(&samples, Bucket::Mean);
/// assert!(values[..2] == [1.0, 2.0] && values[2].is_nan() && values[3] == 4.0);
/// // The 31st of May.
/// assert_eq!(timeline.time_ns(4), Some(150 * day));
/// # Ok::<(), datafusion_aiops::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Timeline {
    slots: SlotTimes,
    n_slots: usize,
}

/// The times of the slots.
#[derive(Debug, Clone, PartialEq)]
enum SlotTimes {
    /// Slot `i` is at `start_ns + i * step_ns`.
    Even {
        start_ns: i64,
        step_ns: i64,
        /// Whether a sample belongs to the nearest slot, rather than to the last one that has
        /// begun.
        to_nearest: bool,
    },
    /// Slot `i` is in month `first + i * step`, counted from January 1970: on this day, or on the
    /// last day of a month that has fewer, at this time of the day.
    Months {
        first: i64,
        step: u32,
        day: i64,
        time_of_day_ns: i64,
    },
    /// The slots are these different times, in ascending order.
    AsTheyCome {
        times_ns: Vec<i64>,
        step_ns: Option<i64>,
    },
}

impl Default for SlotTimes {
    fn default() -> Self {
        Self::AsTheyCome {
            times_ns: vec![],
            step_ns: None,
        }
    }
}

impl Timeline {
    /// The timeline of these samples. With a step, slots begin at its multiples since the Unix
    /// epoch, like those of `date_bin`, and take the samples until the next one begins. Without
    /// one, the step is that of the samples. `None` if there are no samples, if the given step is
    /// not above 0, or if it makes more than 1,000,000 slots.
    ///
    /// ```
    /// use datafusion_aiops::algorithms::series::forecast::Step;
    /// use datafusion_aiops::algorithms::series::{Samples, Timeline};
    /// let samples = Samples::new(vec![7, 17, 37], vec![1.0, 2.0, 4.0])?;
    /// let times = |step| {
    ///     let timeline = Timeline::new(&samples, step).unwrap_or_default();
    ///     (0..=timeline.len()).map(|slot| timeline.time_ns(slot)).collect::<Vec<_>>()
    /// };
    /// assert_eq!(times(None), [Some(7), Some(17), Some(27), Some(37), Some(47)]);
    /// assert_eq!(times(Some(Step::Nanoseconds(20))), [Some(0), Some(20), Some(40)]);
    /// # Ok::<(), datafusion_aiops::Error>(())
    /// ```
    pub fn new(samples: &Samples, step: Option<Step>) -> Option<Self> {
        let times_ns = samples.times_ns();
        let last_ns = *times_ns.last()?;
        let slots = match step {
            Some(step) => SlotTimes::of_step(*times_ns.first()?, step)?,
            None => SlotTimes::of_months(samples).unwrap_or_else(|| SlotTimes::of_samples(samples)),
        };
        let n_slots = slots.index(last_ns)? + 1;
        (step.is_none() || n_slots <= MAX_SLOTS).then_some(Self { slots, n_slots })
    }

    /// The number of slots up to that of the last sample.
    pub fn len(&self) -> usize {
        self.n_slots
    }

    /// Whether there are no slots.
    pub fn is_empty(&self) -> bool {
        self.n_slots == 0
    }

    /// The distance of slots; the median if samples have no common step. `None` if all samples have
    /// the same time and no step was given.
    pub fn step(&self) -> Option<Step> {
        match &self.slots {
            SlotTimes::Even { step_ns, .. } => Some(Step::Nanoseconds(*step_ns)),
            SlotTimes::Months { step, .. } => Some(Step::Months(*step)),
            SlotTimes::AsTheyCome { step_ns, .. } => step_ns.map(Step::Nanoseconds),
        }
    }

    /// The time of a slot, including slots after the last one; `None` if the time is out of range
    /// or the length of a step is not known.
    pub fn time_ns(&self, slot: usize) -> Option<i64> {
        self.slots.time_ns(slot)
    }

    /// The slot of a time, including slots after the last one; `None` before the first.
    pub fn slot(&self, time_ns: i64) -> Option<usize> {
        self.slots.index(time_ns)
    }

    /// Drops the slots after this one.
    pub fn end_with(&mut self, slot: usize) {
        self.n_slots = self.n_slots.min(slot.saturating_add(1));
    }

    /// Whether the last slot still continues one sample distance after the last sample: its value
    /// is then that of a part, such as the sum of half a day.
    ///
    /// ```
    /// use datafusion_aiops::algorithms::series::forecast::Step;
    /// use datafusion_aiops::algorithms::series::{Samples, Timeline};
    /// let is_running = |last| {
    ///     let samples = Samples::new(vec![0, 5, 10, 15, 20, last], vec![1.0; 6])?;
    ///     let timeline = Timeline::new(&samples, Some(Step::Nanoseconds(20))).unwrap_or_default();
    ///     Ok::<_, datafusion_aiops::Error>(timeline.is_running(&samples))
    /// };
    /// assert!(is_running(30)? && !is_running(35)?);
    /// # Ok::<(), datafusion_aiops::Error>(())
    /// ```
    pub fn is_running(&self, samples: &Samples) -> bool {
        let last_ns = samples.times_ns().last().copied();
        let next_ns = last_ns
            .zip(samples.step_ns())
            .and_then(|(last_ns, distance_ns)| last_ns.checked_add(distance_ns));
        let end_ns = self.time_ns(self.n_slots);
        next_ns
            .zip(end_ns)
            .is_some_and(|(next_ns, end_ns)| next_ns < end_ns)
    }

    /// One value per slot, NaN if it has none; several in a slot become one.
    pub fn values(&self, samples: &Samples, several: Bucket) -> Vec<f64> {
        several.reduce_slots(samples, self.n_slots, |time_ns| self.slot(time_ns))
    }
}

impl SlotTimes {
    fn of_step(first_ns: i64, step: Step) -> Option<Self> {
        match step {
            Step::Nanoseconds(step_ns) if step_ns > 0 => Some(Self::Even {
                start_ns: first_ns.checked_sub(first_ns.rem_euclid(step_ns))?,
                step_ns,
                to_nearest: false,
            }),
            Step::Months(step) if step > 0 => {
                let month = Date::of(first_ns).month;
                Some(Self::Months {
                    first: month - month.rem_euclid(i64::from(step)),
                    step,
                    day: 1,
                    time_of_day_ns: 0,
                })
            }
            _ => None,
        }
    }

    /// The slots of samples that are a month, a quarter or a year apart, at the same time of the
    /// day, and all on the same day of the month, or on the last day of months that have fewer
    /// days.
    fn of_months(samples: &Samples) -> Option<Self> {
        // Months, quarters and years.
        let step = match samples.step_ns()?.checked_div(DAY)? {
            28..=31 => 1,
            89..=92 => 3,
            365..=366 => 12,
            _ => return None,
        };
        let dates = || samples.times_ns().iter().map(|&time_ns| Date::of(time_ns));
        let first = dates().next()?;
        let is_last_day = dates().all(|date| date.day == days_in_month(date.month));
        let day = if is_last_day {
            LONGEST_MONTH
        } else {
            dates().map(|date| date.day).max()?
        };
        let is_slot = |date: Date| {
            (date.month - first.month).rem_euclid(step) == 0
                && date.day == day.min(days_in_month(date.month))
                && date.time_of_day_ns == first.time_of_day_ns
        };
        dates().all(is_slot).then_some(Self::Months {
            first: first.month,
            step: u32::try_from(step).ok()?,
            day,
            time_of_day_ns: first.time_of_day_ns,
        })
    }

    fn of_samples(samples: &Samples) -> Self {
        let grid = samples.to_grid();
        match grid.step_ns.filter(|_| grid.is_regular) {
            Some(step_ns) => Self::Even {
                start_ns: grid.start_ns,
                step_ns,
                to_nearest: true,
            },
            None => {
                let mut times_ns = samples.times_ns().to_vec();
                times_ns.dedup();
                Self::AsTheyCome {
                    times_ns,
                    step_ns: grid.step_ns,
                }
            }
        }
    }

    fn time_ns(&self, slot: usize) -> Option<i64> {
        match self {
            Self::Even {
                start_ns, step_ns, ..
            } => after(*start_ns, slot, *step_ns),
            Self::Months {
                first,
                step,
                day,
                time_of_day_ns,
            } => {
                let months = i64::try_from(slot).ok()?.checked_mul(i64::from(*step))?;
                let date = Date {
                    month: first.checked_add(months)?,
                    day: *day,
                    time_of_day_ns: *time_of_day_ns,
                };
                date.time_ns()
            }
            Self::AsTheyCome { times_ns, step_ns } => match times_ns.get(slot) {
                Some(&time_ns) => Some(time_ns),
                None => after(*times_ns.last()?, slot - times_ns.len() + 1, (*step_ns)?),
            },
        }
    }

    fn index(&self, time_ns: i64) -> Option<usize> {
        match self {
            Self::Even {
                start_ns,
                step_ns,
                to_nearest,
            } => steps(*start_ns, time_ns, *step_ns, *to_nearest),
            Self::Months { first, step, .. } => {
                let months = Date::of(time_ns).month - first;
                usize::try_from(months.div_euclid(i64::from(*step))).ok()
            }
            Self::AsTheyCome { times_ns, step_ns } => {
                let last_ns = *times_ns.last()?;
                if time_ns > last_ns {
                    return Some(times_ns.len() - 1 + steps(last_ns, time_ns, (*step_ns)?, true)?);
                }
                times_ns
                    .partition_point(|&start_ns| start_ns <= time_ns)
                    .checked_sub(1)
            }
        }
    }
}

/// The time this many steps after another.
fn after(start_ns: i64, n_steps: usize, step_ns: i64) -> Option<i64> {
    let offset_ns = i128::from(step_ns).checked_mul(i128::try_from(n_steps).ok()?)?;
    i64::try_from(i128::from(start_ns).checked_add(offset_ns)?).ok()
}

/// The number of steps from one time to another, rounded or only whole ones.
fn steps(start_ns: i64, time_ns: i64, step_ns: i64, to_nearest: bool) -> Option<usize> {
    let (after_ns, step_ns) = (
        i128::from(time_ns) - i128::from(start_ns),
        i128::from(step_ns),
    );
    let steps = if to_nearest {
        (2 * after_ns + step_ns).div_euclid(2 * step_ns)
    } else {
        after_ns.div_euclid(step_ns)
    };
    usize::try_from(steps).ok()
}

/// The beginning of the step that holds a time: a multiple of the step since the Unix epoch, or the
/// first of a month. `None` if that is out of range or the step is not above 0.
///
/// ```
/// use datafusion_aiops::algorithms::series::beginning_of_step;
/// use datafusion_aiops::algorithms::series::forecast::Step;
/// assert_eq!(beginning_of_step(Step::Nanoseconds(60), 119), Some(60));
/// ```
pub fn beginning_of_step(step: Step, time_ns: i64) -> Option<i64> {
    SlotTimes::of_step(time_ns, step)?.time_ns(0)
}

/// The same day and time of the day this many months later, or the last day of a month that has
/// fewer; `None` if that time is out of range.
///
/// ```
/// use datafusion_aiops::algorithms::series::add_months;
/// let day = 86_400_000_000_000;
/// // From the 31st of January 1970 to the 28th of February.
/// assert_eq!(add_months(30 * day, 1), Some(58 * day));
/// ```
pub fn add_months(time_ns: i64, months: u32) -> Option<i64> {
    let date = Date::of(time_ns);
    let later = Date {
        month: date.month.checked_add(i64::from(months))?,
        ..date
    };
    later.time_ns()
}

const LONGEST_MONTH: i64 = 31;

/// A date and a time of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Date {
    /// Counted from January 1970, which is 0.
    month: i64,
    /// From 1.
    day: i64,
    time_of_day_ns: i64,
}

impl Date {
    fn of(time_ns: i64) -> Self {
        let (month, day) = month_and_day(time_ns.div_euclid(DAY));
        Self {
            month,
            day,
            time_of_day_ns: time_ns.rem_euclid(DAY),
        }
    }

    /// The time of the date; a day that the month does not have is its last day.
    fn time_ns(self) -> Option<i64> {
        let day = self.day.min(days_in_month(self.month));
        let days = first_day(self.month)?.checked_add(day - 1)?;
        let time_ns = i128::from(days) * i128::from(DAY) + i128::from(self.time_of_day_ns);
        i64::try_from(time_ns).ok()
    }
}

/// The days from 0000-03-01, where the years of the algorithm begin, to 1970-01-01.
const DAYS_TO_1970: i64 = 719_468;

/// The days of 400 years, after which the calendar repeats.
const DAYS_OF_ERA: i64 = 146_097;

/// The month of a day, counted from January 1970, and the day in that month, from 1. The day is
/// counted from 1970-01-01. This is Hinnant's `civil_from_days`, for any day in the range of
/// nanoseconds.
fn month_and_day(days: i64) -> (i64, i64) {
    let days = days + DAYS_TO_1970;
    let era = days.div_euclid(DAYS_OF_ERA);
    let day_of_era = days.rem_euclid(DAYS_OF_ERA);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let months = (era * 400 + year_of_era) * 12 + month_from_march;
    // March of year 0 is month 2, and January 1970 month 0.
    (months + 2 - 1_970 * 12, day)
}

/// The first day of a month, both counted from 1970: Hinnant's `days_from_civil`. `None` for months
/// so far away that their days are out of range.
fn first_day(month: i64) -> Option<i64> {
    let months_from_march = month.checked_add(1_970 * 12 - 2)?;
    let (year, month_from_march) = (
        months_from_march.div_euclid(12),
        months_from_march.rem_euclid(12),
    );
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * month_from_march + 2) / 5;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era.checked_mul(DAYS_OF_ERA)?
        .checked_add(day_of_era - DAYS_TO_1970)
}

/// The number of days in a month; 31 for months out of range.
fn days_in_month(month: i64) -> i64 {
    let next = month.checked_add(1).and_then(first_day);
    match (first_day(month), next) {
        (Some(first), Some(next)) => next - first,
        _ => LONGEST_MONTH,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Midnight of a date.
    fn date(year: i64, month: i64, day: i64) -> i64 {
        let date = Date {
            month: (year - 1_970) * 12 + month - 1,
            day,
            time_of_day_ns: 0,
        };
        date.time_ns().unwrap()
    }

    fn samples(times_ns: &[i64]) -> Samples {
        let values = (1..).map(f64::from).take(times_ns.len()).collect();
        Samples::new(times_ns.to_vec(), values).unwrap()
    }

    /// Checks the step that is found, the number of slots, and the times of the slots that follow.
    #[track_caller]
    fn check(times_ns: &[i64], step: Option<Step>, n_slots: usize, next: &[i64]) {
        let timeline = Timeline::new(&samples(times_ns), None).unwrap();
        assert_eq!(timeline.step(), step);
        assert_eq!(timeline.len(), n_slots);
        let times: Vec<_> = (n_slots..n_slots + next.len())
            .map(|slot| timeline.time_ns(slot).unwrap())
            .collect();
        assert_eq!(times, next);
        for (slot, &time_ns) in (n_slots..).zip(next) {
            assert_eq!(timeline.slot(time_ns), Some(slot));
        }
    }

    #[test]
    fn dates() {
        for (days, year, month, day) in [
            (0, 1970, 1, 1),
            (-1, 1969, 12, 31),
            (58, 1970, 2, 28),
            (11_016, 2000, 2, 29),
            (20_574, 2026, 5, 1),
            (-106_751, 1677, 9, 22),
        ] {
            let months = (year - 1_970) * 12 + month - 1;
            assert_eq!(month_and_day(days), (months, day), "{days}");
            assert_eq!(first_day(months), Some(days - day + 1), "{days}");
        }
        for (year, days) in [(1900, 28), (2000, 29), (2023, 28), (2024, 29), (2100, 28)] {
            assert_eq!(days_in_month((year - 1_970) * 12 + 1), days, "{year}");
        }
        assert_eq!(first_day(i64::MAX), None);
        assert_eq!(add_months(i64::MAX, 1), None);
    }

    #[test]
    fn months_are_found() {
        let hour = DAY / 24;
        // The first of a month, at some time of the day, with one month missing.
        let firsts = [(2023, 11), (2023, 12), (2024, 2), (2024, 3)];
        let firsts = firsts.map(|(year, month)| date(year, month, 1) + hour);
        let next = [date(2024, 4, 1) + hour, date(2024, 5, 1) + hour];
        check(&firsts, Some(Step::Months(1)), 5, &next);
        // The 30th, which February does not have.
        let months = [12, 13, 14].map(|month| date(2022, month, 30));
        check(&months, Some(Step::Months(1)), 3, &[date(2023, 3, 30)]);
        // The last day of months.
        let lasts = [date(2023, 1, 31), date(2023, 2, 28), date(2023, 3, 31)];
        let next = [date(2023, 4, 30), date(2023, 5, 31)];
        check(&lasts, Some(Step::Months(1)), 3, &next);
        let lasts = [date(2023, 6, 30), date(2023, 9, 30)];
        check(&lasts, Some(Step::Months(3)), 2, &[date(2023, 12, 31)]);
        // Years, and a leap day.
        let years = [2019, 2021, 2022].map(|year| date(year, 7, 1));
        check(&years, Some(Step::Months(12)), 4, &[date(2023, 7, 1)]);
        let lasts = [2019, 2020, 2021].map(|year| date(year, 2, 29));
        let next = [date(2022, 2, 28), date(2023, 2, 28), date(2024, 2, 29)];
        check(&lasts, Some(Step::Months(12)), 3, &next);
    }

    #[test]
    fn other_distances_are_no_months() {
        // Samples every 28 days, and days of the month that differ.
        let times = [0, 28, 56, 84].map(|day| day * DAY);
        let next = [112 * DAY];
        check(&times, Some(Step::Nanoseconds(28 * DAY)), 4, &next);
        let timeline = Timeline::new(&samples(&[date(2023, 1, 1), date(2023, 2, 2)]), None);
        let step = timeline.unwrap().step();
        assert_eq!(step, Some(Step::Nanoseconds(32 * DAY)));
        // Quarters that do not continue as quarters.
        let months = [1, 4, 7, 9].map(|month| date(2023, month, 1));
        let step = Timeline::new(&samples(&months), None).unwrap().step();
        assert_eq!(step, Some(Step::Nanoseconds(90 * DAY)));
    }

    #[test]
    fn given_steps() {
        let (day, hour) = (DAY, DAY / 24);
        let rows = samples(&[
            date(2024, 1, 31) + hour,
            date(2024, 2, 1),
            date(2024, 5, 20),
        ]);
        let check = |step, starts: &[i64]| {
            let timeline = Timeline::new(&rows, Some(step)).unwrap();
            let times = (0..=timeline.len()).map(|slot| timeline.time_ns(slot));
            let times: Vec<_> = times.map(Option::unwrap).collect();
            assert_eq!(times, starts, "{step:?}");
        };
        let months = |months: &[i64]| -> Vec<_> {
            let first = |&month: &i64| date(2024, month, 1);
            months.iter().map(first).collect()
        };
        check(Step::Months(1), &months(&[1, 2, 3, 4, 5, 6]));
        check(Step::Months(3), &months(&[1, 4, 7]));
        check(Step::Months(12), &months(&[1, 13]));
        let start = date(2024, 1, 31).div_euclid(100 * day) * 100 * day;
        let starts = [start, start + 100 * day, start + 200 * day];
        check(Step::Nanoseconds(100 * day), &starts);
        let new = |step| Timeline::new(&rows, Some(step));
        assert_eq!(new(Step::Nanoseconds(1)), None);
        assert_eq!(new(Step::Nanoseconds(0)), None);
        assert_eq!(new(Step::Months(0)), None);
        assert_eq!(
            Timeline::new(&samples(&[i64::MIN]), Some(Step::Nanoseconds(7))),
            None
        );
    }

    #[test]
    fn several_in_a_slot() {
        let rows = [(0, 1.0), (10, 3.0), (11, 5.0), (20, f64::NAN), (30, 2.0)];
        let (times_ns, values) = rows.iter().copied().unzip();
        let rows = Samples::new(times_ns, values).unwrap();
        let timeline = Timeline::new(&rows, Some(Step::Nanoseconds(10))).unwrap();
        for (several, expected) in [(Bucket::Sum, 8.0), (Bucket::Min, 3.0), (Bucket::Last, 5.0)] {
            let values = timeline.values(&rows, several);
            assert_eq!(
                format!("{values:?}"),
                format!("[1.0, {expected:?}, NaN, 2.0]")
            );
        }
        // Slots after an earlier end are left out.
        let mut timeline = timeline;
        timeline.end_with(1);
        assert_eq!(timeline.values(&rows, Bucket::Max), [1.0, 5.0]);
        assert_eq!(timeline.time_ns(2), Some(20));
    }

    #[test]
    fn without_a_common_step() {
        let times = [0, 1, 1, 3, 1_000_000];
        let step = Some(Step::Nanoseconds(2));
        check(&times, step, 4, &[1_000_002, 1_000_004]);
        let timeline = Timeline::new(&samples(&times), None).unwrap();
        let values = timeline.values(&samples(&times), Bucket::Mean);
        assert_eq!(values, [1.0, 2.5, 4.0, 5.0]);
        let one = Timeline::new(&samples(&[5, 5]), None).unwrap();
        assert_eq!((one.len(), one.step(), one.time_ns(1)), (1, None, None));
        assert_eq!(
            (one.slot(4), one.slot(5), one.slot(6)),
            (None, Some(0), None)
        );
        assert_eq!(Timeline::new(&Samples::default(), None), None);
        assert!(Timeline::default().is_empty() && Timeline::default().time_ns(0).is_none());
    }

    proptest! {
        #[test]
        fn days_become_dates_and_days_again(days in -106_751..106_751_i64) {
            let (month, day) = month_and_day(days);
            prop_assert_eq!(first_day(month).unwrap() + day - 1, days);
            prop_assert!((1..=days_in_month(month)).contains(&day));
        }

        #[test]
        fn every_slot_is_at_its_time(times_ns in prop::collection::vec(any::<i64>(), 1..20), step in prop::option::of(1..40_u32)) {
            let step = step.map(Step::Months);
            let timeline = Timeline::new(&samples(&times_ns), step).unwrap();
            for slot in [0, timeline.len() / 2, timeline.len() - 1, timeline.len() + 3] {
                if let Some(time_ns) = timeline.time_ns(slot) {
                    prop_assert_eq!(timeline.slot(time_ns), Some(slot));
                }
            }
        }
    }
}
