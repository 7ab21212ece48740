//! The time axis of a forecast: evenly spaced values by the clocks of the time zone of a series,
//! and the times of the next ones.
//!
//! A series with a time zone is read by the clocks of that zone, so that a daily peak at nine is at
//! nine throughout the series. The hour that clocks show twice in autumn becomes the mean of both;
//! the hour that they skip in spring becomes a gap. Steps shorter than a day continue in elapsed
//! time: each step gets the forecast of the slot that the clock shows at that time. Longer steps
//! follow the clock, unless the rows do not: midnights of UTC stay midnights of UTC.

use std::borrow::Cow;

use datafusion::common::Result;

use crate::algorithms::series::forecast::{SpecialDays, Step};
use crate::algorithms::series::{Bucket, Gap, Samples, Season, Timeline, beginning_of_step};
use crate::algorithms::units::{DAY, HOUR};
use crate::functions::ts::calendar::Calendar;
use crate::functions::ts::horizon::Horizon;
use crate::functions::ts::series::Series;
use crate::functions::ts::zones::Zone;

/// How the rows of a series become evenly spaced values.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    /// `None`: the step of the series.
    pub(super) step: Option<Step>,
    /// How several values in a step are combined.
    pub(super) several: Bucket,
    /// How a step without a value is filled; `None`: it stays missing.
    pub(super) gap: Option<Gap>,
    pub(super) season: Season,
    pub(super) calendar: Calendar,
    /// The time until which values are complete, in UTC.
    pub(super) until_ns: Option<i64>,
}

/// Evenly spaced values and their times.
#[derive(Debug)]
pub(super) struct TimeAxis {
    timeline: Timeline,
    values: Vec<f64>,
    zone: Option<Zone>,
    /// `None`: steps follow the clock.
    passing: Option<Passing>,
    /// The special days.
    calendar: Calendar,
}

/// Steps that continue in elapsed time.
#[derive(Debug, Clone, Copy)]
struct Passing {
    step_ns: i64,
    /// The time of the last step.
    last_utc_ns: i64,
}

/// The steps after the last one.
#[derive(Debug, Default)]
pub(super) struct Future {
    /// The times of the steps.
    pub(super) utc_ns: Vec<i64>,
    /// The clock times at these times.
    pub(super) clock_ns: Vec<i64>,
    /// The slot of each step, counted from 0 after the last slot of the history.
    slots: Vec<usize>,
}

impl TimeAxis {
    /// The axis of a series; `None` if it has no points, or too many steps of the requested length.
    pub(super) fn new(series: &Series<'_>, reading: &Reading) -> Result<Option<Self>> {
        let samples = &*reading.ended(&series.samples)?;
        let axis = match Zone::of(series.ts_type()) {
            Some(zone) => Self::of_zone(zone, samples, reading)?,
            None => Timeline::new(samples, reading.step).map(|timeline| Self {
                values: reading.fill(
                    &timeline,
                    samples,
                    timeline.values(samples, reading.several),
                ),
                timeline,
                zone: None,
                passing: None,
                calendar: Calendar::default(),
            }),
        };
        let calendar = series.calendar(&reading.calendar);
        Ok(axis.map(|axis| Self { calendar, ..axis }))
    }

    fn of_zone(zone: Zone, utc: &Samples, reading: &Reading) -> Result<Option<Self>> {
        let clocks_ns = zone.clocks_ns(utc.times_ns());
        let samples = Samples::new(clocks_ns.clone(), utc.values().to_vec())?;
        let Some(mut timeline) = Timeline::new(&samples, reading.step) else {
            return Ok(None);
        };
        let mut passing = None;
        if let Some(step_ns) = reading.passing_step(&timeline, utc, &clocks_ns)
            && let Some((&last_ns, &last_clock_ns)) = utc.times_ns().last().zip(clocks_ns.last())
            && let Some(slot) = timeline.slot(last_clock_ns)
        {
            // If clocks have been set back, the slots after this one belong to the hour before.
            timeline.end_with(slot);
            let last_utc_ns = match reading.step {
                None => Timeline::new(utc, None).and_then(|utc| utc.time_ns(utc.len() - 1)),
                Some(_) => timeline
                    .time_ns(slot)
                    .map(|slot_ns| zone.utc_beside_ns(slot_ns, zone.ahead_ns(last_ns))),
            };
            passing = last_utc_ns.map(|last_utc_ns| Passing {
                step_ns,
                last_utc_ns,
            });
        }
        let values = values_by_clock(&timeline, utc, &clocks_ns, &samples, reading.several)?;
        Ok(Some(Self {
            values: reading.fill(&timeline, &samples, values),
            timeline,
            zone: Some(zone),
            passing,
            calendar: Calendar::default(),
        }))
    }

    /// One value per step, NaN if there is none.
    pub(super) fn values(&self) -> &[f64] {
        &self.values
    }

    /// The length of a step; `None` if it is not known.
    pub(super) fn step(&self) -> Option<Step> {
        self.timeline.step()
    }

    /// The slots, and those of the `n_slots` after the last one, that are on special days.
    pub(super) fn special_days(&self, n_slots: usize) -> SpecialDays {
        if self.calendar.is_empty() {
            return SpecialDays::default();
        }
        let n_values = self.values.len();
        let slots = (0..n_values + n_slots).map(|slot| {
            let clock_ns = self.timeline.time_ns(slot)?;
            self.calendar.special_point(clock_ns, self.step())
        });
        let mut history: Vec<_> = slots.collect();
        let future = history.split_off(n_values);
        SpecialDays { history, future }
    }

    /// The time zone whose clocks the series is read by.
    pub(super) fn zone(&self) -> Option<Zone> {
        self.zone
    }

    /// The steps of the horizon; `None` if their times are not known, or if there are too many.
    pub(super) fn future(&self, horizon: Horizon) -> Option<Future> {
        match self.zone.zip(self.passing) {
            Some((zone, passing)) => self.passing_time(zone, passing, horizon),
            None => self.clock_time(horizon.n_steps(&self.timeline)?),
        }
    }

    fn passing_time(&self, zone: Zone, passing: Passing, horizon: Horizon) -> Option<Future> {
        let Passing {
            step_ns,
            last_utc_ns,
        } = passing;
        let step = |step: i64| step_ns.checked_mul(step)?.checked_add(last_utc_ns);
        let n_steps = horizon.n_passing_steps(step(1)?, step_ns, zone)?;
        let n_steps = i64::try_from(n_steps).ok()?;
        let utc_ns: Vec<i64> = (1..=n_steps).map(step).collect::<Option<_>>()?;
        let clock_ns = zone.clocks_ns(&utc_ns);
        // If clocks repeat an hour right after the last value, there is no forecast for that hour:
        // it gets the next one.
        let slot = |&clock_ns: &i64| {
            let slot = self.timeline.slot(clock_ns)?;
            Some(slot.saturating_sub(self.timeline.len()))
        };
        Some(Future {
            slots: clock_ns.iter().map(slot).collect::<Option<_>>()?,
            clock_ns,
            utc_ns,
        })
    }

    fn clock_time(&self, n_steps: usize) -> Option<Future> {
        let n_slots = self.timeline.len();
        let time = |step| self.timeline.time_ns(n_slots + step);
        let clock_ns: Vec<i64> = (0..n_steps).map(time).collect::<Option<_>>()?;
        let utc_ns = match self.zone {
            Some(zone) => clock_ns.iter().map(|&clock| zone.utc_ns(clock)).collect(),
            None => clock_ns.clone(),
        };
        Some(Future {
            utc_ns,
            clock_ns,
            slots: (0..n_steps).collect(),
        })
    }
}

impl Reading {
    /// The length of a step, if steps continue in elapsed time. They do if they are shorter than a
    /// day, or if the rows are evenly spaced in time but not by the clock. A given step that is
    /// longer than a clock change, an hour, follows the clock.
    fn passing_step(&self, timeline: &Timeline, utc: &Samples, clocks_ns: &[i64]) -> Option<i64> {
        let Some(Step::Nanoseconds(step_ns)) = timeline.step() else {
            return None;
        };
        let is_passing = match self.step {
            Some(_) => step_ns <= HOUR,
            None => {
                let are_even = |times_ns: &[i64]| {
                    let mut pairs = times_ns.windows(2);
                    pairs.all(|pair| pair[1].saturating_sub(pair[0]) % step_ns == 0)
                };
                step_ns < DAY || are_even(utc.times_ns()) && !are_even(clocks_ns)
            }
        };
        is_passing.then_some(step_ns)
    }

    /// The samples up to `until`; values of steps that have not ended by then become missing.
    fn ended<'a>(&self, samples: &'a Samples) -> Result<Cow<'a, Samples>> {
        let Some(until_ns) = self.until_ns else {
            return Ok(Cow::Borrowed(samples));
        };
        let n_known = samples
            .times_ns()
            .partition_point(|&time_ns| time_ns <= until_ns);
        let times_ns = samples.times_ns()[..n_known].to_vec();
        let mut values = samples.values()[..n_known].to_vec();
        let running_ns = match self.step.and_then(|step| beginning_of_step(step, until_ns)) {
            Some(begins_ns) => begins_ns,
            None => until_ns.saturating_sub(samples.step_ns().unwrap_or(1) - 1),
        };
        let n_ended = times_ns.partition_point(|&time_ns| time_ns < running_ns);
        values[n_ended..].fill(f64::NAN);
        Ok(Cow::Owned(Samples::new(times_ns, values)?))
    }

    /// Fills gaps; the last value becomes missing if its step is still running.
    fn fill(&self, timeline: &Timeline, samples: &Samples, mut values: Vec<f64>) -> Vec<f64> {
        let is_running = values.len() > 1
            && match self.until_ns {
                Some(_) => values.last().is_some_and(|value| value.is_nan()),
                None => self.step.is_some() && timeline.is_running(samples),
            };
        let end_running = |values: &mut Vec<f64>| {
            if let Some(last) = values.last_mut().filter(|_| is_running) {
                *last = f64::NAN;
            }
        };
        end_running(&mut values);
        let step_ns = match timeline.step() {
            Some(Step::Nanoseconds(step_ns)) => Some(step_ns),
            Some(Step::Months(_)) | None => None,
        };
        if let Some(gap) = self.gap {
            values = gap.fill(&values, &self.season, step_ns);
        }
        end_running(&mut values);
        values
    }
}

impl Future {
    /// The number of slots after the last one that must be forecast.
    pub(super) fn n_slots(&self) -> usize {
        self.slots.iter().max().map_or(0, |last| last + 1)
    }

    /// The value of the slot of each step; NaN if there is none.
    pub(super) fn pick(&self, of_slots: &[f64]) -> Vec<f64> {
        let number = |&slot: &usize| of_slots.get(slot).copied().unwrap_or(f64::NAN);
        self.slots.iter().map(number).collect()
    }
}

/// The step, if it is shorter than a day.
fn short_step(timeline: &Timeline) -> Option<i64> {
    match timeline.step() {
        Some(Step::Nanoseconds(step_ns)) if step_ns < DAY => Some(step_ns),
        _ => None,
    }
}

/// One value per slot. If clocks show the time of a slot twice, its value is the mean of both,
/// unless the slot is longer than the time that they repeat.
fn values_by_clock(
    timeline: &Timeline,
    utc: &Samples,
    clocks_ns: &[i64],
    samples: &Samples,
    several: Bucket,
) -> Result<Vec<f64>> {
    let is_second = match short_step(timeline).filter(|_| several != Bucket::Mean) {
        Some(step_ns) => second_times(utc.times_ns(), clocks_ns, step_ns),
        None => vec![],
    };
    if !is_second.contains(&true) {
        return Ok(timeline.values(samples, several));
    }
    let values_of = |wanted: bool| -> Result<Vec<f64>> {
        let rows = clocks_ns.iter().zip(utc.values()).zip(&is_second);
        let rows = rows.filter(|(_, is_second)| **is_second == wanted);
        let (times_ns, values) = rows.map(|((&time_ns, &value), _)| (time_ns, value)).unzip();
        Ok(timeline.values(&Samples::new(times_ns, values)?, several))
    };
    let both = values_of(false)?.into_iter().zip(values_of(true)?);
    let mean = |(first, second): (f64, f64)| match (first.is_nan(), second.is_nan()) {
        (true, _) => second,
        (_, true) => first,
        // Each value is halved first, so that the sum of huge values cannot overflow.
        _ => first / 2.0 + second / 2.0,
    };
    Ok(both.map(mean).collect())
}

/// For each time, in ascending order: whether clocks show it for the second time, after they were
/// set back by at least a step.
fn second_times(utc_ns: &[i64], clocks_ns: &[i64], step_ns: i64) -> Vec<bool> {
    let (mut latest_ns, mut latest_ahead_ns) = (i64::MIN, i64::MIN);
    let times = utc_ns.iter().zip(clocks_ns);
    let is_second = times.map(|(&utc_ns, &clock_ns)| {
        let ahead_ns = clock_ns.saturating_sub(utc_ns);
        if clock_ns <= latest_ns && latest_ahead_ns.saturating_sub(ahead_ns) >= step_ns {
            return true;
        }
        if clock_ns >= latest_ns {
            (latest_ns, latest_ahead_ns) = (clock_ns, ahead_ns);
        }
        false
    });
    is_second.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::CalendarSpan;
    use datafusion::arrow::compute::kernels::cast_utils::string_to_timestamp_nanos;
    use datafusion::arrow::datatypes::{DataType, TimeUnit};

    fn new_york() -> Zone {
        let zone = Some("America/New_York".into());
        Zone::of(&DataType::Timestamp(TimeUnit::Second, zone)).unwrap()
    }

    fn time(text: &str) -> i64 {
        string_to_timestamp_nanos(text).unwrap()
    }

    fn reading(step: Option<Step>, several: Bucket) -> Reading {
        Reading {
            step,
            several,
            gap: None,
            season: Season::None,
            calendar: Calendar::default(),
            until_ns: None,
        }
    }

    /// The hour that the clocks of New York show.
    fn hour(utc_ns: i64) -> f64 {
        let clock_ns = utc_ns + new_york().ahead_ns(utc_ns);
        (clock_ns.rem_euclid(DAY) / HOUR) as f64
    }

    /// Rows from a UTC time on; the values are the hours that the clocks of New York show.
    fn hours(from: &str, n_rows: i64, step_ns: i64) -> Samples {
        let times_ns: Vec<_> = (0..n_rows).map(|row| time(from) + row * step_ns).collect();
        let values = times_ns.iter().map(|&time_ns| hour(time_ns)).collect();
        Samples::new(times_ns, values).unwrap()
    }

    fn axis(samples: &Samples, reading: &Reading) -> TimeAxis {
        let axis = TimeAxis::of_zone(new_york(), samples, reading).unwrap();
        axis.unwrap()
    }

    /// The times of the next steps, and a forecast that is the hour on the clock.
    fn hours_of_future(axis: &TimeAxis, n_steps: usize) -> (Vec<i64>, Vec<f64>) {
        let future = axis.future(Horizon::Steps(n_steps)).unwrap();
        let n_slots = axis.timeline.len();
        let slots = (n_slots..n_slots + future.n_slots()).map(|slot| {
            let clock_ns = axis.timeline.time_ns(slot).unwrap();
            (clock_ns.rem_euclid(DAY) / HOUR) as f64
        });
        let picked = future.pick(&slots.collect::<Vec<_>>());
        (future.utc_ns, picked)
    }

    #[test]
    fn days_follow_the_clock() {
        // Clocks change on March 8 and November 1, 2026: within the history, and in the future.
        for from in [
            "2026-03-07T05:00:00",
            "2026-03-01T05:00:00",
            "2026-10-31T04:00:00",
            "2026-10-25T04:00:00",
        ] {
            let samples = hours(from, 7 * 24 - 5, HOUR);
            let axis = axis(&samples, &reading(None, Bucket::Mean));
            assert_eq!(axis.step(), Some(Step::Nanoseconds(HOUR)));
            for (slot, value) in axis.values().iter().enumerate() {
                let expected = (slot % 24) as f64;
                // Clocks skip two o'clock in March.
                let is_left_out = value.is_nan() && slot % 24 == 2 && from.contains("-03-");
                assert!(
                    is_left_out || (value - expected).abs() < 1e-9,
                    "{from} {slot} {value}"
                );
            }
            let (utc_ns, picked) = hours_of_future(&axis, 48);
            let last_ns = samples.times_ns().last().unwrap();
            let expected: Vec<_> = (1..=48).map(|step| last_ns + step * HOUR).collect();
            assert_eq!(utc_ns, expected, "{from}");
            let clocks: Vec<_> = utc_ns.iter().map(|&utc_ns| hour(utc_ns)).collect();
            assert_eq!(picked, clocks, "{from}");
        }
    }

    #[test]
    fn an_hour_that_comes_twice_is_the_mean() {
        let times = [
            "2026-11-01T04:00",
            "2026-11-01T05:00",
            "2026-11-01T06:00",
            "2026-11-01T07:00",
        ];
        let times_ns = times.map(|text| time(&format!("{text}:00")));
        let both = [times_ns, times_ns.map(|time_ns| time_ns + HOUR / 2)].concat();
        let values = vec![1.0, 2.0, 4.0, 8.0, 10.0, 20.0, 40.0, 80.0];
        let samples = Samples::new(both, values).unwrap();
        let hourly = Some(Step::Nanoseconds(HOUR));
        for (several, expected) in [
            (Bucket::Mean, [5.5, 16.5, 44.0]),
            (Bucket::Sum, [11.0, 33.0, 88.0]),
            (Bucket::Max, [10.0, 30.0, 80.0]),
            (Bucket::First, [1.0, 3.0, 8.0]),
        ] {
            let axis = axis(&samples, &reading(hourly, several));
            assert_eq!(axis.values(), expected, "{several:?}");
        }
        // A longer slot holds both hours.
        let longer = Some(Step::Nanoseconds(6 * HOUR));
        let axis = axis(&samples, &reading(longer, Bucket::Sum));
        assert_eq!(axis.values(), [165.0]);
    }

    #[test]
    fn days_are_those_of_the_clock() {
        // Midnights in New York.
        let midnights = [
            "2026-03-05T05:00:00",
            "2026-03-06T05:00:00",
            "2026-03-07T05:00:00",
        ];
        let times_ns = midnights.map(time).to_vec();
        let samples = Samples::new(times_ns, vec![1.0, 2.0, 3.0]).unwrap();
        for step in [None, Some(Step::Nanoseconds(DAY))] {
            let axis = axis(&samples, &reading(step, Bucket::Mean));
            assert_eq!(axis.values(), [1.0, 2.0, 3.0]);
            let future = axis.future(Horizon::Steps(3)).unwrap();
            let expected = [
                "2026-03-08T05:00:00",
                "2026-03-09T04:00:00",
                "2026-03-10T04:00:00",
            ];
            assert_eq!(future.utc_ns, expected.map(time));
        }
    }

    /// Rows that are evenly spaced in time continue that way, whatever the clocks show.
    #[test]
    fn time_passes_evenly() {
        for (from, step_ns) in [
            ("2026-03-01T00:00:00", 6 * HOUR),
            ("2026-03-01T00:00:00", 2 * HOUR),
            ("2026-10-25T00:00:00", 12 * HOUR),
            ("2026-03-01T00:00:00", DAY),
            ("2026-10-25T00:00:00", DAY),
        ] {
            let samples = hours(from, 20 * DAY / step_ns, step_ns);
            let axis = axis(&samples, &reading(None, Bucket::Mean));
            let future = axis.future(Horizon::Steps(5)).unwrap();
            let last_ns = samples.times_ns()[samples.len() - 1];
            let expected: Vec<_> = (1..=5).map(|step| last_ns + step * step_ns).collect();
            assert_eq!(future.utc_ns, expected, "{from} {step_ns}");
        }
        // Given steps begin where the clock says.
        let samples = hours("2026-03-05T05:00:00", 24 * 6, HOUR);
        let axis = axis(
            &samples,
            &reading(Some(Step::Nanoseconds(6 * HOUR)), Bucket::Mean),
        );
        let future = axis.future(Horizon::Steps(4)).unwrap();
        let clocks: Vec<_> = future.utc_ns.iter().map(|&utc_ns| hour(utc_ns)).collect();
        assert_eq!(clocks, [6.0, 12.0, 18.0, 0.0]);
    }

    #[test]
    fn a_month_ahead_has_its_hours() {
        // March 2026 has 743 hours in New York.
        let samples = hours("2026-02-01T05:00:00", 28 * 24, HOUR);
        let axis = axis(&samples, &reading(None, Bucket::Mean));
        let month = Horizon::Span(CalendarSpan {
            months: 1,
            nanoseconds: 0,
        });
        assert_eq!(axis.future(month).unwrap().utc_ns.len(), 743);
    }

    #[test]
    fn months_are_those_of_the_clock() {
        let times = [
            "2026-01-01T05:00:00",
            "2026-02-01T05:00:00",
            "2026-03-01T05:00:00",
        ];
        let samples = Samples::new(times.map(time).to_vec(), vec![1.0; 3]).unwrap();
        let axis = axis(&samples, &reading(None, Bucket::Mean));
        assert_eq!(axis.step(), Some(Step::Months(1)));
        let future = axis.future(Horizon::Steps(2)).unwrap();
        let expected = ["2026-04-01T04:00:00", "2026-05-01T04:00:00"];
        assert_eq!(future.utc_ns, expected.map(time));
    }

    #[test]
    fn a_history_can_end_while_clocks_are_set_back() {
        let quarter = HOUR / 4;
        // The history ends at 01:15, for the second time and for the first.
        for n_rows in [30, 26] {
            let samples = hours("2026-10-31T23:00:00", n_rows, quarter);
            let last_ns = samples.times_ns()[samples.len() - 1];
            let last_clock_ns = last_ns + new_york().ahead_ns(last_ns);
            assert_eq!(last_clock_ns.rem_euclid(DAY), 5 * quarter);
            let axis = axis(&samples, &reading(None, Bucket::Mean));
            let (utc_ns, picked) = hours_of_future(&axis, 96);
            assert_eq!(utc_ns[0], last_ns + quarter);
            assert_eq!(utc_ns[95], last_ns + 96 * quarter);
            for (utc_ns, picked) in utc_ns.into_iter().zip(picked) {
                // Times before 01:15 that come again have the forecast of the next slot.
                assert!((picked - hour(utc_ns)).abs() < 1e-9, "{utc_ns} {picked}");
            }
        }
    }
}
