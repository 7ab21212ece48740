//! The detector as a whole: what it finds, where it is quiet, and what must not change its
//! verdicts.

mod reports;

use std::f64::consts::TAU;

use proptest::prelude::*;

use crate::algorithms::series::Season;
use crate::algorithms::series::anomaly::{
    AnomalyKind, AnomalyMethod, AnomalyOptions, Detector, Sides, Status, Verdict, detect,
};

const MINUTE: i64 = 60_000_000_000;
const STEP: i64 = 5 * MINUTE;
const DAY: usize = 288;

/// Noise that is the same on every run: a linear congruential generator (Knuth), twelve of whose
/// numbers make a nearly normal one.
struct Noise(u64);

impl Noise {
    fn uniform(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

/// A service with a daily season: 100 plus or minus 20, and noise of 2.
fn service(n_points: usize, seed: u64) -> Vec<f64> {
    let mut noise = Noise(seed);
    let daily = |at: usize| 100.0 + 20.0 * (at as f64 / DAY as f64 * TAU).sin();
    (0..n_points)
        .map(|at| daily(at) + 2.0 * noise.normal())
        .collect()
}

fn times(n_points: usize) -> Vec<i64> {
    (0..)
        .step_by(usize::try_from(STEP).unwrap())
        .take(n_points)
        .collect()
}

fn causal(values: &[f64], options: &AnomalyOptions) -> Vec<Verdict> {
    let mut detector = Detector::new(&options.check().unwrap());
    let times = times(values.len());
    times
        .iter()
        .zip(values)
        .map(|(time_ns, value)| detector.push(Some(*time_ns), *value))
        .collect()
}

fn hindsight(values: &[f64]) -> Vec<Verdict> {
    detect(
        Some(&times(values.len())),
        values,
        &AnomalyOptions::default().check().unwrap(),
    )
}

/// The alerts, each with its first point and its commonest kind.
fn alerts(verdicts: &[Verdict]) -> Vec<(usize, AnomalyKind, i8)> {
    let flagged: Vec<_> = (0..verdicts.len())
        .filter(|&at| verdicts[at].is_anomaly == Some(true))
        .collect();
    let runs = flagged.chunk_by(|first, second| second - first <= 12);
    runs.map(|run| {
        let kinds = || {
            run.iter()
                .map(|&at| (verdicts[at].kind.unwrap(), verdicts[at].direction.unwrap()))
        };
        let count = |kind: AnomalyKind| kinds().filter(|(other, _)| *other == kind).count();
        let (kind, direction) = kinds().max_by_key(|(kind, _)| count(*kind)).unwrap();
        (run[0], kind, direction)
    })
    .collect()
}

#[test]
fn every_kind_is_found_and_named() {
    type Change = fn(usize, f64) -> f64;
    let cases: [(AnomalyKind, i8, usize, Change); 8] = [
        (AnomalyKind::Spike, 1, 2, |at, value| {
            if at < 2 { value + 40.0 } else { value }
        }),
        (AnomalyKind::Dip, -1, 2, |at, value| {
            if at < 2 { value - 40.0 } else { value }
        }),
        (AnomalyKind::CliffDrop, -1, 2, |at, value| {
            if at < 20 { 0.0 } else { value }
        }),
        (AnomalyKind::LevelShift, 1, 20, |_, value| value + 25.0),
        (AnomalyKind::LevelShift, -1, 20, |_, value| value - 25.0),
        (AnomalyKind::Trend, 1, 150, |at, value| {
            value + at as f64 * 0.2
        }),
        (AnomalyKind::Trend, -1, 150, |at, value| {
            value - at as f64 * 0.2
        }),
        (AnomalyKind::VarianceChange, 0, 40, |at, value| {
            if at < 100 {
                value + 20.0 * (at as f64 * 2.4).sin()
            } else {
                value
            }
        }),
    ];
    for (kind, direction, n_late, change) in cases {
        let onset = 9 * DAY + 100;
        let mut values = service(12 * DAY, 7);
        for (at, value) in values[onset..].iter_mut().enumerate() {
            *value = change(at, *value);
        }
        let found = alerts(&hindsight(&values));
        let first = found.first().copied();
        let Some((at, found_kind, found_direction)) = first else {
            panic!("{kind:?} not found");
        };
        assert!(
            (onset..onset + n_late).contains(&at),
            "{kind:?}: {found:?}, onset {onset}"
        );
        assert_eq!(
            (found_kind, found_direction),
            (kind, direction),
            "{found:?}"
        );
    }
}

#[test]
fn a_level_shift_is_reported_once_and_then_normal() {
    let mut values = service(20 * DAY, 3);
    for value in &mut values[8 * DAY..] {
        *value += 60.0;
    }
    let verdicts = causal(&values, &AnomalyOptions::default());
    let found = alerts(&verdicts);
    assert!(
        matches!(found[..], [(at, AnomalyKind::LevelShift, 1)] if at == 8 * DAY),
        "{found:?}"
    );
    let later = &verdicts[19 * DAY];
    assert!(later.lower < values[19 * DAY] && values[19 * DAY] < later.upper);
}

#[test]
fn noise_is_quiet() {
    let (mut n_alerts, mut n_days) = (0, 0);
    for seed in 0..40 {
        let mut noise = Noise(seed);
        let mut last = 0.0;
        let white: Vec<_> = (0..10 * DAY).map(|_| noise.normal()).collect();
        let red: Vec<_> = (0..10 * DAY)
            .map(|_| {
                last = 0.8 * last + noise.normal();
                last
            })
            .collect();
        let counts: Vec<_> = (0..10 * DAY)
            .map(|_| (noise.uniform() * 4.0).floor())
            .collect();
        for values in [white, red, counts, service(10 * DAY, seed)] {
            n_alerts += alerts(&causal(&values, &AnomalyOptions::default())).len();
            n_days += 10;
        }
    }
    // Less than one alert in 40 days.
    assert!(n_alerts * 40 < n_days, "{n_alerts} alerts in {n_days} days");
}

#[test]
fn units_do_not_matter() {
    let mut values = service(6 * DAY, 5);
    values[1_500] += 50.0;
    let expected = causal(&values, &AnomalyOptions::default());
    for factor in [2.0_f64.powi(-200), 2.0_f64.powi(200)] {
        let scaled: Vec<_> = values.iter().map(|value| value * factor).collect();
        for (got, expected) in causal(&scaled, &AnomalyOptions::default())
            .iter()
            .zip(&expected)
        {
            assert_eq!(
                (got.is_anomaly, got.kind, got.status),
                (expected.is_anomaly, expected.kind, expected.status)
            );
        }
    }
}

#[test]
fn hindsight_has_the_same_alerts() {
    let mut values = service(8 * DAY, 9);
    for value in &mut values[6 * DAY..6 * DAY + 30] {
        *value += 30.0;
    }
    let (before, after) = (
        causal(&values, &AnomalyOptions::default()),
        hindsight(&values),
    );
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before.is_anomaly, after.is_anomaly);
        assert!(before.score.is_nan() || before.score <= after.score);
    }
}

#[test]
fn a_dip_behind_a_spike_leaves_it_a_spike() {
    let mut values = service(6 * DAY, 5);
    values[1_500] += 60.0;
    values[1_503] -= 60.0;
    let verdicts = hindsight(&values);
    let found = [1_500, 1_503].map(|at| (verdicts[at].kind, verdicts[at].direction));
    assert_eq!(
        found,
        [
            (Some(AnomalyKind::Spike), Some(1)),
            (Some(AnomalyKind::Dip), Some(-1))
        ]
    );
}

#[test]
fn hindsight_names_a_jump_that_the_expectation_follows() {
    let mut values = service(12 * DAY, 5);
    for value in &mut values[9 * DAY..] {
        *value *= 0.5;
    }
    let first = hindsight(&values)[9 * DAY];
    assert_eq!(
        (first.kind, first.direction),
        (Some(AnomalyKind::LevelShift), Some(-1))
    );
}

#[test]
fn too_little_and_too_dull() {
    let none: [f64; 0] = [];
    assert!(hindsight(&none).is_empty());
    let one = hindsight(&[5.0])[0];
    assert_eq!((one.is_anomaly, one.status), (None, Status::Warmup));
    assert!((one.expected - 5.0).abs() < 1e-12 && one.score.is_nan());
    let missing = hindsight(&[f64::NAN, 5.0, f64::INFINITY]);
    assert_eq!(
        (missing[0].status, missing[2].status),
        (Status::Missing, Status::Missing)
    );
    assert!(missing[0].expected.is_nan() && (missing[2].expected - 5.0).abs() < 1e-12);
    let mut constant = vec![0.1; 200];
    constant[150] = 7.0;
    let verdicts = hindsight(&constant);
    assert_eq!(
        (verdicts[100].is_anomaly, verdicts[100].status),
        (Some(false), Status::Constant)
    );
    assert_eq!(
        (verdicts[150].kind, verdicts[150].status),
        (Some(AnomalyKind::Spike), Status::Ok)
    );
}

#[test]
fn a_gap_moves_no_season() {
    let (values, times) = (service(12 * DAY, 11), times(12 * DAY));
    let mut detector = Detector::new(&AnomalyOptions::default().check().unwrap());
    let kept = (0..values.len()).filter(|at| !(5 * DAY + 17..6 * DAY + 120).contains(at));
    let found =
        kept.filter(|&at| detector.push(Some(times[at]), values[at]).is_anomaly == Some(true));
    assert_eq!(found.count(), 0);
}

#[test]
fn options_choose_what_is_reported() {
    let mut values = service(6 * DAY, 5);
    values[1_500] += 50.0;
    values[1_600] -= 50.0;
    let found = |options: AnomalyOptions| alerts(&causal(&values, &options));
    let default = AnomalyOptions::default();
    assert_eq!(found(default.clone()).len(), 2);
    let up = found(AnomalyOptions {
        sides: Sides::Up,
        ..default.clone()
    });
    assert_eq!(up, [(1_500, AnomalyKind::Spike, 1)]);
    let dips = found(AnomalyOptions {
        kinds: vec![AnomalyKind::Dip],
        ..default.clone()
    });
    assert_eq!(dips, [(1_600, AnomalyKind::Dip, -1)]);
    let z_score = found(AnomalyOptions {
        method: AnomalyMethod::ZScore,
        level: 0.9,
        ..default.clone()
    });
    assert!(z_score.contains(&(1_500, AnomalyKind::Spike, 1)));
    let day = Season::Durations(vec![i64::try_from(DAY).unwrap() * STEP]);
    assert_eq!(
        found(AnomalyOptions {
            season: day,
            ..default.clone()
        })
        .len(),
        2
    );
    let surer = found(AnomalyOptions {
        level: 0.999_999_999,
        ..default.clone()
    });
    assert!(surer.len() <= 2);
    let late = AnomalyOptions {
        min_points: 1_550,
        ..default
    };
    assert_eq!(found(late), [(1_600, AnomalyKind::Dip, -1)]);
}

#[test]
fn memory_is_bounded() {
    let mut detector = Detector::new(&AnomalyOptions::default().check().unwrap());
    for (at, value) in service(200_000, 1).into_iter().enumerate() {
        detector.push(Some(i64::try_from(at).unwrap() * MINUTE), value);
        assert!(detector.memory_bytes() <= 1_000_000);
    }
}

proptest! {
    #[test]
    fn nothing_panics(
        points in prop::collection::vec((any::<i64>(), any::<f64>()), 0..300),
        repeated in 1..4_usize,
        has_times in any::<bool>(),
    ) {
        for method in [AnomalyMethod::Adaptive, AnomalyMethod::ZScore] {
            let params = AnomalyOptions { method, ..AnomalyOptions::default() }.check().unwrap();
            let (times, values): (Vec<_>, Vec<_>) = points.repeat(repeated).into_iter().unzip();
            let verdicts = detect(has_times.then_some(&times), &values, &params);
            prop_assert_eq!(verdicts.len(), values.len());
            for verdict in verdicts {
                prop_assert!(!(verdict.score < 0.0 || verdict.score > 1.0));
            }
        }
    }
}
