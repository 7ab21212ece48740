//! Series as people report them, with what anyone who looks at the chart sees.

use std::collections::BTreeSet;
use std::f64::consts::TAU;
use std::ops::Range;

use super::{MINUTE, Noise, alerts};
use crate::algorithms::series::Season;
use crate::algorithms::series::anomaly::{AnomalyKind, AnomalyOptions, Detector, Status, Verdict};

const HOUR: i64 = 60 * MINUTE;
const DAY_NS: i64 = 24 * HOUR;

/// The times and values of a series.
struct Case {
    times_ns: Vec<i64>,
    values: Vec<f64>,
}

impl Case {
    /// One value every `step_ns`; no point if it is `None`.
    fn new(days: i64, step_ns: i64, mut value: impl FnMut(i64) -> Option<f64>) -> Self {
        let (mut times_ns, mut values) = (vec![], vec![]);
        for time_ns in (0..days * DAY_NS).step_by(usize::try_from(step_ns).unwrap()) {
            if let Some(value) = value(time_ns) {
                times_ns.push(time_ns);
                values.push(value);
            }
        }
        Self { times_ns, values }
    }

    fn verdicts(&self, options: &AnomalyOptions) -> Vec<Verdict> {
        let mut detector = Detector::new(&options.check().unwrap());
        let points = self.times_ns.iter().zip(&self.values);
        points
            .map(|(time_ns, value)| detector.push(Some(*time_ns), *value))
            .collect()
    }

    /// The hours that contain an anomaly, as days and hours.
    fn hours(&self) -> BTreeSet<(i64, i64)> {
        self.hours_with(&AnomalyOptions::default())
    }

    fn hours_with(&self, options: &AnomalyOptions) -> BTreeSet<(i64, i64)> {
        let points = self.times_ns.iter().zip(self.verdicts(options));
        points
            .filter(|(_, verdict)| verdict.is_anomaly == Some(true))
            .map(|(time_ns, _)| (time_ns / DAY_NS, time_ns % DAY_NS / HOUR))
            .collect()
    }

    /// The points from one time to another.
    fn points(&self, range: Range<i64>) -> Range<usize> {
        let at = |time_ns| self.times_ns.partition_point(|&known| known < time_ns);
        at(range.start)..at(range.end)
    }
}

fn minute_of_day(time_ns: i64) -> i64 {
    time_ns % DAY_NS / MINUTE
}

fn is_in(time_ns: i64, start_ns: i64, length_ns: i64) -> bool {
    (start_ns..start_ns + length_ns).contains(&time_ns)
}

/// A random whole number below `end`.
fn below(noise: &mut Noise, end: i64) -> i64 {
    noise.uniform();
    i64::try_from(noise.0 >> 1).unwrap() % end
}

fn daily(time_ns: i64) -> f64 {
    (time_ns as f64 / DAY_NS as f64 * TAU).sin()
}

/// Incidents of one size come every day at another time, or every other day if a point is an hour:
/// the last ones are found like the first, whatever the step, and hardly anything else is.
#[test]
fn what_recurs_is_found_each_time() {
    let steps = [MINUTE / 6, MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR];
    for (step_ns, size) in steps
        .into_iter()
        .flat_map(|step| [(step, 40.0), (step, 100.0)])
    {
        let mut noise = Noise(11);
        let length_ns = (10 * MINUTE).max(step_ns);
        let every = if step_ns < HOUR { 1 } else { 2 };
        let begins: Vec<_> = (1..25 * every)
            .step_by(usize::try_from(every).unwrap())
            .map(|day| {
                let hours = DAY_NS * 3 / 10 + below(&mut noise, DAY_NS * 2 / 5);
                day * DAY_NS + hours / step_ns * step_ns
            })
            .collect();
        let case = Case::new(25 * every, step_ns, |time_ns| {
            let is_incident = begins.iter().any(|&at| is_in(time_ns, at, length_ns));
            let value = 100.0 + 30.0 * daily(time_ns) + 3.0 * noise.normal();
            Some(value + if is_incident { size } else { 0.0 })
        });
        let verdicts = case.verdicts(&AnomalyOptions::default());
        let found = |range: Range<i64>| {
            let points = &verdicts[case.points(range)];
            points.iter().filter(|v| v.is_anomaly == Some(true)).count()
        };
        let n_found = begins[14..]
            .iter()
            .filter(|&&at| found(at..at + length_ns + 2 * step_ns) > 0)
            .count();
        assert_eq!(n_found, begins.len() - 14, "step {step_ns}, size {size}");
        let is_incident = |first: usize| {
            let at_ns = case.times_ns[first];
            begins
                .iter()
                .any(|&at| is_in(at_ns, at, length_ns + 3 * step_ns))
        };
        let others = alerts(&verdicts)
            .into_iter()
            .filter(|(first, _, _)| !is_incident(*first));
        let n_others = others.count();
        assert!(
            n_others <= 4,
            "step {step_ns}, size {size}: {n_others} others"
        );
    }
}

/// A constant that leaves its value for three minutes, again and again: up, replicas, a success
/// rate, a heartbeat.
#[test]
fn each_event_out_of_a_constant_is_found() {
    let mut noise = Noise(5);
    for (usual, event) in [
        (1.0, 0.0),
        (3.0, 2.0),
        (100.0, 90.0),
        (0.0, 1.0),
        (5e9, 5e9 + 1.0),
    ] {
        for step_ns in [MINUTE, 5 * MINUTE] {
            let begins: Vec<_> = (1..11)
                .map(|number| {
                    let at = number * 33 * HOUR + below(&mut noise, HOUR);
                    at / step_ns * step_ns
                })
                .collect();
            let case = Case::new(16, step_ns, |time_ns| {
                let is_event = begins.iter().any(|&at| is_in(time_ns, at, 3 * step_ns));
                Some(if is_event { event } else { usual })
            });
            let verdicts = case.verdicts(&AnomalyOptions::default());
            for (number, &at) in begins.iter().enumerate() {
                let first = &verdicts[case.points(at..at + 1)][0];
                assert_eq!(
                    first.is_anomaly,
                    Some(true),
                    "{usual} to {event}, event {number}"
                );
            }
        }
    }
}

/// A job at each full hour and nothing else; one day it stops.
#[test]
fn an_hourly_job_that_stops_is_missed() {
    for (step_ns, every_ns, rows) in [
        (5 * MINUTE, HOUR, 100.0),
        (5 * MINUTE, 2 * HOUR, 7.0),
        (MINUTE, 30 * MINUTE, 1.0),
        (HOUR, DAY_NS, 1e6),
    ] {
        let case = Case::new(20, step_ns, |time_ns| {
            let runs = time_ns % every_ns == 0 && time_ns < 15 * DAY_NS;
            Some(if runs { rows } else { 0.0 })
        });
        let hours = case.hours();
        let first = hours.iter().find(|(day, _)| *day >= 2);
        assert_eq!(first, Some(&(15, 0)), "{hours:?}");
    }
}

/// A disk that fills steadily is expected to do so; a jump above its noise is found.
#[test]
fn a_jump_on_a_trend_is_found() {
    for (a_day, half_width, jump) in [
        (3.0, 0.1, 10.0),
        (-3.0, 0.1, 10.0),
        (50.0, 2.0, -40.0),
        (0.2, 0.05, 1.0),
    ] {
        let mut noise = Noise(3);
        let case = Case::new(14, 5 * MINUTE, |time_ns| {
            let line = 30.0 + a_day * time_ns as f64 / DAY_NS as f64;
            let jumped = if time_ns >= 12 * DAY_NS + 12 * HOUR {
                jump
            } else {
                0.0
            };
            Some(line + half_width * (2.0 * noise.uniform() - 1.0) + jumped)
        });
        let hours = case.hours();
        let first = hours.iter().find(|(day, _)| *day >= 3);
        assert_eq!(first, Some(&(12, 12)), "{a_day} a day: {hours:?}");
    }
    // The same without any noise.
    let case = Case::new(7, 5 * MINUTE, |time_ns| {
        let at = time_ns / (5 * MINUTE);
        Some(if (1900..1910).contains(&at) {
            1209.0
        } else {
            at as f64
        })
    });
    assert_eq!(case.hours().first(), Some(&(6, 14)));
}

/// Rows are missing at random, or are NULL: the season is found by the clock, and so are deviations
/// from it.
#[test]
fn missing_rows_leave_the_season_alone() {
    for (missing, is_null) in [
        (0.0, false),
        (0.06, false),
        (0.1, false),
        (0.1, true),
        (0.3, false),
    ] {
        let (mut noise, mut gone) = (Noise(7), Noise(8));
        let spikes = |time_ns: i64| {
            let day = time_ns / DAY_NS;
            (15..20).contains(&day) && is_in(minute_of_day(time_ns), 60 * (3 + 4 * (day - 15)), 15)
        };
        let case = Case::new(21, 5 * MINUTE, |time_ns| {
            let spike = if spikes(time_ns) { 120.0 } else { 0.0 };
            let wave = 200.0 + 100.0 * daily(time_ns) + 14.0 * (2.0 * noise.uniform() - 1.0);
            let is_gone = gone.uniform() < missing && spike <= 0.0;
            match (is_gone, is_null) {
                (false, _) => Some(wave + spike),
                (true, true) => Some(f64::NAN),
                (true, false) => None,
            }
        });
        let found: Vec<_> = case
            .hours()
            .into_iter()
            .filter(|(day, _)| *day >= 14)
            .collect();
        assert_eq!(
            found,
            [(15, 3), (16, 7), (17, 11), (18, 15), (19, 19)],
            "{missing}"
        );
    }
}

/// A job of some minutes a day becomes a season within days, by default and with a given season;
/// events that are no job are found, and so is a run that is missing.
#[test]
fn a_short_job_a_day_is_expected() {
    let a_day = AnomalyOptions {
        season: Season::Durations(vec![DAY_NS]),
        ..AnomalyOptions::default()
    };
    for (step_ns, job_minutes, height) in [
        (5 * MINUTE, 15, 60.0),
        (MINUTE, 15, 60.0),
        (5 * MINUTE, 30, -15.0),
        (15 * MINUTE, 15, 300.0),
    ] {
        for options in [AnomalyOptions::default(), a_day.clone()] {
            let mut noise = Noise(1);
            let case = Case::new(21, step_ns, |time_ns| {
                let (day, minute) = (time_ns / DAY_NS, minute_of_day(time_ns));
                let is_job = is_in(minute, 120, job_minutes) && day != 17;
                let is_incident = day == 15 && is_in(minute, 840, 15);
                let value = 20.0 + 2.0 * (2.0 * noise.uniform() - 1.0);
                let job = if is_job { height } else { 0.0 };
                Some(value + job + if is_incident { 2.0 * height.abs() } else { 0.0 })
            });
            let hours = case.hours_with(&options);
            let found: Vec<_> = hours.iter().filter(|(day, _)| *day >= 4).collect();
            assert_eq!(found, [&(15, 14), &(17, 2)], "{step_ns} {height}");
        }
    }
}

/// A service that is at nothing for hours is an anomaly all the time; a shift lasts until it is
/// accepted.
#[test]
fn an_outage_goes_on_until_it_is_over() {
    for (outage, hours) in [(0.0, 6), (3.0, 6), (0.0, 20), (0.0, 1)] {
        let mut noise = Noise(2);
        let down = 9 * DAY_NS + 12 * HOUR..9 * DAY_NS + (12 + hours) * HOUR;
        let case = Case::new(12, MINUTE, |time_ns| {
            let usual = 300.0 - 100.0 * daily(time_ns) + 8.0 * (2.0 * noise.uniform() - 1.0);
            Some(if down.contains(&time_ns) {
                outage
            } else {
                usual
            })
        });
        let verdicts = case.verdicts(&AnomalyOptions::default());
        for verdict in &verdicts[case.points(down.clone())] {
            assert_eq!(
                (verdict.is_anomaly, verdict.is_ongoing),
                (Some(true), Some(true))
            );
            assert_eq!(verdict.kind, Some(AnomalyKind::CliffDrop));
            assert!(verdict.expected > 150.0, "{verdict:?}");
        }
        let after = &verdicts[case.points(down.end + 10 * MINUTE..down.end + HOUR)];
        assert!(
            after
                .iter()
                .all(|verdict| verdict.is_ongoing == Some(false))
        );
    }
}

#[test]
fn a_shift_goes_on_until_it_is_the_new_level() {
    let mut noise = Noise(4);
    let case = Case::new(14, 5 * MINUTE, |time_ns| {
        let shift = if time_ns >= 9 * DAY_NS { 150.0 } else { 0.0 };
        Some(200.0 + 30.0 * daily(time_ns) + 5.0 * noise.normal() + shift)
    });
    let verdicts = case.verdicts(&AnomalyOptions::default());
    let day: &[Verdict] = &verdicts[case.points(9 * DAY_NS..10 * DAY_NS)];
    let n_ongoing = day.iter().filter(|v| v.is_ongoing == Some(true)).count();
    assert!(n_ongoing >= day.len() - 2, "{n_ongoing} of {}", day.len());
    let accepted: Vec<_> = (0..verdicts.len())
        .filter(|&at| verdicts[at].status == Status::NewLevel)
        .collect();
    let begin = case.points(0..9 * DAY_NS).end;
    assert!(
        matches!(accepted[..], [at] if (begin + 280..begin + 300).contains(&at)),
        "{accepted:?}"
    );
    let later = &verdicts[case.points(11 * DAY_NS..14 * DAY_NS)];
    assert!(later.iter().all(|v| v.is_ongoing == Some(false)));
}

/// Cycles that are neither an hour, a day nor a week.
#[test]
fn odd_cycles_are_seasons() {
    for (step_ns, n_points) in [
        (HOUR, 72),
        (5 * MINUTE, 60),
        (MINUTE, 90),
        (HOUR, 12),
        (10 * MINUTE, 45),
    ] {
        let mut noise = Noise(6);
        let cycle_ns = n_points * step_ns;
        let days = 40 * cycle_ns / DAY_NS + 1;
        let spike_ns = 38 * cycle_ns + n_points / 2 * step_ns;
        let case = Case::new(days, step_ns, |time_ns| {
            let wave = 30.0 + 36.0 * (time_ns % cycle_ns) as f64 / cycle_ns as f64;
            let spike = if time_ns == spike_ns { 8.0 } else { 0.0 };
            Some(wave + 0.3 * (2.0 * noise.uniform() - 1.0) + spike)
        });
        let verdicts = case.verdicts(&AnomalyOptions::default());
        let late: Vec<_> = case
            .points(20 * cycle_ns..40 * cycle_ns)
            .filter(|&at| verdicts[at].is_anomaly == Some(true))
            .map(|at| case.times_ns[at])
            .collect();
        assert_eq!(late, [spike_ns], "{n_points} points of {step_ns} ns");
    }
}

/// Events that recur at one size do not hide an event fifty times as large.
#[test]
fn events_of_one_size_do_not_hide_larger_ones() {
    for cycle in [20, 37, 61, 97, 150, 233] {
        // Each step of the cycle is another value, and only its end is a jump unlike the points
        // before it.
        let case = Case::new(2, MINUTE, |time_ns| {
            let minute = time_ns / MINUTE;
            let is_burst = minute % 1_000 >= 900 && minute % 1_000 < 905;
            let value = 10.0 + (minute * 7_919 % cycle) as f64 / cycle as f64;
            Some(if is_burst { 5.0 * value } else { value })
        });
        let verdicts = case.verdicts(&AnomalyOptions::default());
        for begin in [900, 1_900] {
            let burst = &verdicts[begin..begin + 5];
            assert!(
                burst.iter().any(|verdict| verdict.is_anomaly == Some(true)),
                "{cycle}: {begin} scores {:?}",
                burst[0].score
            );
        }
    }
}

/// Counts begin in the middle of their first step, and end in an outage.
#[test]
fn a_first_step_that_is_not_whole_hides_nothing() {
    for (first, noise, n_hours) in [
        (2, 0, 30_u8),
        (2, 1, 30),
        (2, 1, 47),
        (20, 1, 30),
        (40, 0, 47),
        (150, 1, 47),
    ] {
        let case = Case::new(3, HOUR, |time_ns| {
            let hour = time_ns / HOUR;
            let count = match hour {
                0 => first,
                _ if hour > i64::from(n_hours) => 10,
                _ => 60 + noise * (hour * 7_919 % 7),
            };
            Some(count as f64)
        });
        let verdicts = case.verdicts(&AnomalyOptions::default());
        let alerts = (0..verdicts.len()).filter(|&at| verdicts[at].is_anomaly == Some(true));
        let begins = usize::from(n_hours) + 1;
        assert_eq!(alerts.min(), Some(begins), "{first} {noise} {n_hours}");
    }
}

/// Errors come now and then, a few at a time. Three times as many as ever before, or more, are an
/// incident in each such series, whatever the first ones looked like.
#[test]
fn far_more_than_ever_before() {
    for (seed, (a_thousand, most)) in [(3, 4), (10, 4), (10, 2), (30, 9), (100, 4)]
        .into_iter()
        .cycle()
        .take(20)
        .enumerate()
    {
        let mut noise = Noise(seed as u64 + 1);
        let many_at = 24 * DAY_NS + below(&mut noise, DAY_NS / MINUTE) * MINUTE / 5 * 5;
        let case = Case::new(26, 5 * MINUTE, |time_ns| {
            let count = if below(&mut noise, 1_000) < a_thousand {
                1 + below(&mut noise, most)
            } else {
                0
            };
            Some(if is_in(time_ns, many_at, 5 * MINUTE) {
                (3 * most + 2) as f64
            } else {
                count as f64
            })
        });
        let verdicts = case.verdicts(&AnomalyOptions::default());
        let many = case.points(many_at..many_at + 5 * MINUTE);
        assert!(
            verdicts[many]
                .iter()
                .any(|verdict| verdict.is_anomaly == Some(true)),
            "{a_thousand} of 1000, up to {most}, seed {seed}"
        );
    }
}
