//! Tests of the whole forecast: what must hold for any series.

use std::f64::consts::TAU;

use proptest::prelude::*;

use crate::algorithms::series::changepoints::noise::autoregressive;
use crate::algorithms::series::forecast::{
    Component, Forecast, ForecastOptions, Model, Step, forecast,
};
use crate::algorithms::series::samples::Season;

const HOUR: Option<Step> = Some(Step::Nanoseconds(3_600_000_000_000));

fn options(season: &[usize]) -> ForecastOptions {
    ForecastOptions {
        season: Season::Points(season.to_vec()),
        quantiles: vec![0.1, 0.5, 0.9],
        ..ForecastOptions::default()
    }
}

/// Xorshift, as the sum of twelve numbers: nearly normal, mean 0 and deviation 1.
struct Noise(u64);

impl Noise {
    fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }

    fn series(&mut self, n_values: usize) -> Vec<f64> {
        (0..n_values).map(|_| self.normal()).collect()
    }
}

fn check_order(forecast: &Forecast, horizon: usize) {
    let quantiles = &forecast.quantiles;
    let in_order = [
        &forecast.lower,
        &quantiles[0],
        &forecast.points,
        &quantiles[2],
        &forecast.upper,
    ];
    for lists in in_order.windows(2) {
        assert_eq!((lists[0].len(), lists[1].len()), (horizon, horizon));
        for (low, high) in lists[0].iter().zip(lists[1]) {
            assert!(
                low <= high && low.is_finite() && high.is_finite(),
                "{low} {high}"
            );
        }
    }
    assert_eq!(quantiles[1], forecast.points);
    let sum: f64 = forecast.weights.iter().map(|(_, weight)| weight).sum();
    assert!(forecast.weights.is_empty() || (sum - 1.0).abs() < 0.01);
    assert!(
        forecast
            .weights
            .is_sorted_by(|first, second| first.1 >= second.1)
    );
}

#[test]
fn short_histories_go_on_with_the_last_value() {
    let nan = f64::NAN;
    let options = options(&[]);
    assert_eq!(forecast(&[], HOUR, 3, &options), None);
    assert_eq!(
        forecast(&[nan, nan, f64::INFINITY], HOUR, 3, &options),
        None
    );
    let one = forecast(&[nan, 3.0, nan], HOUR, 2, &options).unwrap();
    assert_eq!(one.points, [3.0, 3.0]);
    let unknown = one
        .lower
        .iter()
        .chain(&one.upper)
        .chain(one.quantiles.iter().flatten());
    assert!(unknown.copied().all(f64::is_nan) && one.weights.is_empty());
    let few = forecast(&[-1.0, 1.0, 0.0, 1.0], HOUR, 4, &options).unwrap();
    assert_eq!(few.points, [1.0; 4]);
    // The steps are 2, -1 and 1: a variance of 2, and a factor of 1 + 1 / 3 + 2 / 9 since they are
    // few.
    let width = 1.959_963_984_540_054 * (2.0_f64).sqrt() * 14.0 / 9.0;
    assert!(
        (few.upper[0] - 1.0 - width).abs() < 1e-9
            && (1.0 - few.lower[3] - 2.0 * width).abs() < 1e-9
    );
    let constant = forecast(&[7.3; 50], HOUR, 2, &options).unwrap();
    assert_eq!(
        (&constant.lower, &constant.upper),
        (&vec![7.3; 2], &vec![7.3; 2])
    );
}

#[test]
fn nothing_is_asked_for() {
    let values = Noise(5).series(100);
    let got = forecast(&values, None, 0, &options(&[7])).unwrap();
    assert!(got.points.is_empty() && got.lower.is_empty() && got.upper.is_empty());
    assert_eq!((got.quantiles, got.periods), (vec![vec![]; 3], vec![7]));
}

#[test]
fn missing_values_at_the_end_are_left_out() {
    let values: Vec<_> = (0..200)
        .map(|at| (f64::from(at) / 12.0 * TAU).sin())
        .collect();
    let mut missing = values.clone();
    missing.extend([f64::NAN; 5]);
    let whole = forecast(&values, None, 15, &options(&[12])).unwrap();
    let rest = forecast(&missing, None, 10, &options(&[12])).unwrap();
    for (rest, whole) in rest.points.iter().zip(&whole.points[5..]) {
        assert!((rest - whole).abs() < 1e-6);
    }
}

#[test]
fn counts_stay_counts() {
    let values: Vec<_> = Noise(3)
        .series(120)
        .iter()
        .map(|value| value.max(0.0))
        .collect();
    let with = |non_negative| {
        let options = ForecastOptions {
            non_negative,
            ..options(&[])
        };
        forecast(&values, None, 5, &options).unwrap().lower
    };
    assert_eq!(with(None), [0.0; 5]);
    assert_eq!(with(Some(true)), [0.0; 5]);
    assert!(with(Some(false)).iter().all(|&lower| lower < 0.0));
}

/// On three hundred series of noise the intervals hold slightly more than their share of the next
/// values: they are made for series that change.
#[test]
fn intervals_hold_their_level() {
    for (level, expected) in [(0.95, 0.945..0.985), (0.8, 0.79..0.88)] {
        let mut noise = Noise(42);
        let options = ForecastOptions {
            level,
            ..options(&[])
        };
        let mut n_inside = 0_u32;
        for _ in 0..300 {
            let values = noise.series(220);
            let got = forecast(&values[..200], None, 20, &options).unwrap();
            for ((low, high), value) in got.lower.iter().zip(&got.upper).zip(&values[200..]) {
                n_inside += u32::from((low..=high).contains(&value));
            }
        }
        let share = f64::from(n_inside) / (300.0 * 20.0);
        assert!(expected.contains(&share), "{level}: {share}");
    }
}

#[test]
fn a_random_walk_gets_wider_like_a_root() {
    let mut noise = Noise(7);
    let (mut first, mut last) = (0.0, 0.0);
    for _ in 0..50 {
        let mut sum = 0.0;
        let walk: Vec<_> = noise
            .series(1_000)
            .iter()
            .map(|step| {
                sum += step;
                sum
            })
            .collect();
        let got = forecast(&walk, None, 64, &options(&[])).unwrap();
        first += (got.upper[3] - got.lower[3]) / 50.0;
        last += (got.upper[63] - got.lower[63]) / 50.0;
    }
    // 64 steps against 4: four times as wide, except for the part that the components miss at once.
    assert!((2.5..4.8).contains(&(last / first)), "{first} {last}");
}

#[test]
fn each_component_alone() {
    let value = |at: u32| {
        10.0 + (f64::from(at) / 24.0 * TAU).sin() + 0.5 * (f64::from(at) / 168.0 * TAU).cos()
    };
    let values: Vec<_> = (0..168 * 5).map(value).collect();
    // The component of a year ago is for days and weeks.
    let hourly = Component::ALL
        .iter()
        .filter(|&&each| each != Component::YearAgo);
    for &component in hourly {
        let options = ForecastOptions {
            model: Model::One(component),
            ..options(&[24, 168])
        };
        let got = forecast(&values, HOUR, 24, &options).unwrap();
        check_order(&got, 24);
        assert_eq!(got.weights, [(component, 1.0)]);
        for (ahead, point) in (168 * 5..).zip(&got.points) {
            assert!(
                (point - value(ahead)).abs() < 0.8,
                "{component:?} {point} {}",
                value(ahead)
            );
        }
    }
}

#[test]
fn huge_tiny_and_odd_values() {
    let numbers = [
        f64::MAX,
        f64::MIN,
        1e-300,
        1e300,
        0.0,
        5e-324,
        f64::NAN,
        -3.0,
    ];
    let mut noise = Noise(1);
    for n_values in [8, 20, 100, 400] {
        for first in 0..numbers.len() {
            for n_numbers in [1, 2, 3, 8] {
                let pick = |uniform: f64| {
                    let at = (0..n_numbers)
                        .rev()
                        .find(|&at| uniform * n_numbers as f64 >= at as f64);
                    numbers[(first + at.unwrap_or(0)) % numbers.len()]
                };
                let values: Vec<_> = (0..n_values).map(|_| pick(noise.uniform())).collect();
                for season in [vec![], vec![3], vec![3, 24]] {
                    let n_known = values.iter().filter(|value| value.is_finite()).count();
                    match forecast(&values, HOUR, 30, &options(&season)) {
                        Some(got) if n_known > 1 => check_order(&got, 30),
                        got => assert_eq!(got.is_some(), n_known > 0),
                    }
                }
            }
        }
    }
}

#[test]
fn far_horizons() {
    let values = Noise(9).series(3_000);
    for (n_values, season) in [
        (1, vec![]),
        (9, vec![3]),
        (100, vec![7]),
        (3_000, vec![24, 168]),
    ] {
        let got = forecast(&values[..n_values], HOUR, 100_000, &options(&season)).unwrap();
        assert_eq!(got.points.len(), 100_000);
        if n_values > 1 {
            check_order(&got, 100_000);
        }
    }
    let mut gone = values;
    gone.resize(2_000_000, f64::NAN);
    check_order(&forecast(&gone, HOUR, 10, &options(&[24])).unwrap(), 10);
}

#[test]
fn only_the_newest_values_of_a_long_series_count() {
    let mut noise = Noise(2);
    let mut values = noise.series(3_000_000);
    let before = forecast(&values, HOUR, 5, &options(&[60, 400_000])).unwrap();
    assert_eq!(before.periods, [60]);
    values[..2_000_000].fill(1e9);
    assert_eq!(
        forecast(&values, HOUR, 5, &options(&[60, 400_000])).unwrap(),
        before
    );
}

fn any_series() -> impl Strategy<Value = Vec<f64>> {
    let value = prop_oneof![
        8 => -10.0..10.0_f64,
        2 => Just(0.0),
        1 => Just(f64::NAN),
        1 => -1e300..1e300_f64,
    ];
    let counts = prop::collection::vec((0..4_u32).prop_map(f64::from), 1..150);
    prop_oneof![prop::collection::vec(value, 1..150), counts]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn forecasts_are_finite_and_in_order(
        values in any_series(),
        season in prop::collection::vec(2..40_usize, 0..3),
        horizon in 1..60_usize,
        is_fast in any::<bool>(),
    ) {
        let model = if is_fast { Model::Fast } else { Model::Auto };
        let options = ForecastOptions { model, ..options(&season) };
        let n_known = values.iter().filter(|value| value.is_finite()).count();
        match forecast(&values, HOUR, horizon, &options) {
            Some(got) if n_known > 1 => check_order(&got, horizon),
            got => prop_assert_eq!(got.is_some(), n_known > 0),
        }
    }

    #[test]
    fn twice_the_values_twice_the_forecast(
        values in prop::collection::vec(-10.0..10.0_f64, 1..150),
        exponent in -60..60_i32,
        season in 1..20_usize,
    ) {
        let factor = f64::from(exponent).exp2();
        let scaled: Vec<_> = values.iter().map(|value| value * factor).collect();
        let got = forecast(&values, HOUR, 9, &options(&[season])).unwrap();
        let got_scaled = forecast(&scaled, HOUR, 9, &options(&[season])).unwrap();
        prop_assert_eq!(&got.weights, &got_scaled.weights);
        let lists = [(&got.points, &got_scaled.points), (&got.lower, &got_scaled.lower), (&got.upper, &got_scaled.upper)];
        for (list, scaled) in lists {
            for (value, scaled) in list.iter().zip(scaled) {
                prop_assert!((value * factor).to_bits() == scaled.to_bits() || value.is_nan());
            }
        }
    }
}

/// Forecasts the day after a daily wave in hours, 200 plus or minus 100, with a gap: the mean
/// error, how many of 24 values the intervals hold, and their mean width.
fn with_gap(gap: std::ops::Range<usize>) -> (f64, usize, f64) {
    let noise = autoregressive(141 * 24, 0.0, 9);
    let day = |at: usize| 200.0 + 100.0 * (at as f64 / 24.0 * std::f64::consts::TAU).sin();
    let value = |at: usize| day(at) + 5.0 * noise[at];
    let mut values: Vec<f64> = (0..140 * 24).map(value).collect();
    values[gap].fill(f64::NAN);
    let hour = Step::Nanoseconds(3_600_000_000_000);
    let forecast = forecast(&values, Some(hour), 24, &ForecastOptions::default()).unwrap();
    let truth: Vec<_> = (140 * 24..141 * 24).map(value).collect();
    let errors = forecast
        .points
        .iter()
        .zip(&truth)
        .map(|(a, b)| (a - b).abs());
    let is_held = |at: &usize| (forecast.lower[*at]..=forecast.upper[*at]).contains(&truth[*at]);
    let widths = forecast
        .upper
        .iter()
        .zip(&forecast.lower)
        .map(|(a, b)| a - b);
    (
        errors.sum::<f64>() / 24.0,
        (0..24).filter(is_held).count(),
        widths.sum::<f64>() / 24.0,
    )
}

#[test]
fn the_season_survives_a_gap() {
    let (error, _, width) = with_gap(0..0);
    for (first, end) in [
        (137 * 24 - 1, 140 * 24 - 1),
        (126 * 24 - 1, 140 * 24 - 1),
        (123 * 24, 137 * 24),
        (126 * 24, 133 * 24),
        (60 * 24, 138 * 24 + 12),
    ] {
        let (with_gap, n_held, with_gap_width) = with_gap(first..end);
        assert!(
            with_gap < 1.3 * error,
            "{first} to {end}: {with_gap}, {error}"
        );
        assert!(n_held >= 21, "{first} to {end}: {n_held}");
        assert!(
            with_gap_width > 0.9 * width,
            "{first} to {end}: {with_gap_width}, {width}"
        );
    }
}

/// A disk that fills: steady growth continues over any horizon.
#[test]
fn what_grows_evenly_goes_on() {
    let noise = |day: usize| (day * 7_919 % 11) as f64 / 10.0;
    let week = |day: usize| 12.0 * (day % 7) as f64;
    let step = Some(Step::Nanoseconds(86_400_000_000_000));
    for horizon in [21, 30, 60, 120] {
        let even = |day: usize| 300.0 + 2.5 * day as f64 + noise(day);
        let weekly = |day: usize| even(day) + week(day);
        for value in [&even as &dyn Fn(usize) -> f64, &weekly] {
            let disk: Vec<f64> = (0..60).map(value).collect();
            let options = ForecastOptions::default();
            let forecast = forecast(&disk, step, horizon, &options).unwrap();
            let (ahead, actual) = (forecast.points[20], value(80));
            assert!(
                (ahead - actual).abs() < 8.0,
                "{horizon}: {ahead}, not {actual}"
            );
        }
    }
}
