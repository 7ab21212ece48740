//! Functions on series on one core: the anomaly detector next to a plain rolling z-score, forecasts
//! next to the MSTL + ETS of augurs, and all of them through SQL.
//!
//! Results are in `benches/record`, with their date and machine.

#![allow(clippy::expect_used)]

use std::f64::consts::TAU;
use std::hint::black_box;

use augurs_core::{Fit, Predict};
use augurs_ets::AutoETS;
use augurs_ets::trend::AutoETSTrendModel;
use augurs_mstl::MSTLModel;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion_aiops::algorithms::series::anomaly::{
    AnomalyMethod, AnomalyOptions, Detector, detect,
};
use datafusion_aiops::algorithms::series::forecast::{
    CapacityOptions, ForecastOptions, Model, Step, demand_quantile, forecast,
};
use datafusion_aiops::algorithms::series::{
    ChangePointOptions, DecomposeOptions, PeriodOptions, Season, decompose, find_changepoints,
    find_periods,
};
use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::{RngCore, SeedableRng};
use tokio::runtime::Runtime;

const STEP_NS: i64 = 300_000_000_000;

/// Points per day.
const DAY: usize = 288;

/// A service with a daily season, noise and an occasional spike, the same in every run.
fn service(n_points: usize) -> Vec<f64> {
    let mut random = Xoshiro256Plus::seed_from_u64(7);
    let mut noise = || {
        (0..4)
            .map(|_| f64::from(random.next_u32()) / 4e9)
            .sum::<f64>()
            - 2.0
    };
    let daily = |at: usize| 100.0 + 20.0 * (at as f64 / DAY as f64 * TAU).sin();
    let spike = |at: usize| if at % 1_234 == 1_200 { 40.0 } else { 0.0 };
    (0..n_points)
        .map(|at| daily(at) + spike(at) + 4.0 * noise())
        .collect()
}

fn times(n_points: usize) -> Vec<i64> {
    (0..).map(|at| at * STEP_NS).take(n_points).collect()
}

fn anomalies(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("anomalies");
    for n_points in [288, 1_000, 10_000, 100_000] {
        let (times, values) = (times(n_points), service(n_points));
        group.throughput(Throughput::Elements(n_points as u64));
        for (name, method) in [
            ("causal", AnomalyMethod::Adaptive),
            ("rolling_zscore", AnomalyMethod::ZScore),
        ] {
            let mut options = AnomalyOptions::default();
            options.method = method;
            let params = options.check().expect("checked");
            group.bench_function(format!("{name}_{n_points}"), |bencher| {
                bencher.iter(|| {
                    let mut detector = Detector::new(&params);
                    let verdicts = times
                        .iter()
                        .zip(&values)
                        .map(|(time_ns, value)| detector.push(Some(*time_ns), *value));
                    verdicts
                        .filter(|verdict| verdict.is_anomaly == Some(true))
                        .count()
                });
            });
        }
        let params = AnomalyOptions::default().check().expect("checked");
        group.bench_function(format!("hindsight_{n_points}"), |bencher| {
            bencher.iter(|| black_box(detect(Some(&times), &values, &params)));
        });
    }
    group.finish();
}

fn whole_series(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("whole_series");
    group.sample_size(10);
    for n_points in [4_000, 100_000] {
        let values = service(n_points);
        let mut daily = DecomposeOptions::default();
        daily.periods = vec![DAY];
        group.throughput(Throughput::Elements(n_points as u64));
        group.bench_function(format!("periods_{n_points}"), |bencher| {
            bencher.iter(|| black_box(find_periods(&values, PeriodOptions::default())));
        });
        group.bench_function(format!("decompose_{n_points}"), |bencher| {
            bencher.iter(|| black_box(decompose(&values, &daily)));
        });
        group.bench_function(format!("changepoints_{n_points}"), |bencher| {
            bencher.iter(|| black_box(find_changepoints(&values, &ChangePointOptions::default())));
        });
    }
    group.finish();
}

/// The step of forecasts: one hour.
const HOUR: Option<Step> = Some(Step::Nanoseconds(3_600_000_000_000));

/// Points per day and per week in hourly series.
const DAY_AND_WEEK: [usize; 2] = [24, 168];

/// The number of points to forecast: two days.
const HORIZON: usize = 48;

/// An hourly service with a daily and a weekly season and noise, the same in every run.
fn hourly_service(n_points: usize) -> Vec<f64> {
    let mut random = Xoshiro256Plus::seed_from_u64(7);
    let wave = |at: usize, period: usize| (at as f64 / period as f64 * TAU).sin();
    let [day, week] = DAY_AND_WEEK;
    (0..n_points)
        .map(|at| {
            let noise = f64::from(random.next_u32()) / 4e8;
            100.0 + 20.0 * wave(at, day) + 8.0 * wave(at, week) + noise
        })
        .collect()
}

fn forecasts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("forecasts");
    for n_points in [850, 10_000, 100_000] {
        let values = hourly_service(n_points);
        let options = |model, season| {
            let mut options = ForecastOptions::default();
            options.model = model;
            options.season = season;
            options
        };
        let given = Season::Points(DAY_AND_WEEK.to_vec());
        for (name, options) in [
            ("auto", options(Model::Auto, Season::Auto)),
            ("auto_season_given", options(Model::Auto, given)),
            ("fast", options(Model::Fast, Season::Auto)),
        ] {
            group.bench_function(format!("{name}_{n_points}"), |bencher| {
                bencher.iter(|| black_box(forecast(&values, HOUR, HORIZON, &options)));
            });
        }
        group.bench_function(format!("capacity_{n_points}"), |bencher| {
            let options = CapacityOptions::default();
            bencher.iter(|| black_box(demand_quantile(&values, HOUR, HORIZON, &options)));
        });
        if n_points <= 10_000 {
            group.bench_function(format!("augurs_{n_points}"), |bencher| {
                bencher.iter(|| black_box(augurs_forecast(&values)));
            });
        }
    }
    group.finish();
}

/// The forecast of augurs, which takes the seasons as an argument.
fn augurs_forecast(values: &[f64]) -> Vec<f64> {
    let trend = AutoETSTrendModel::from(AutoETS::non_seasonal());
    let model = MSTLModel::new(DAY_AND_WEEK.to_vec(), trend);
    let fitted = model.fit(values).expect("fitted");
    fitted.predict(HORIZON, 0.95).expect("forecast").point
}

/// The number of series, of one day each.
const N_SERIES: usize = 2_000;

fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().expect("a runtime")
}

/// A session on one partition with two tables of the same `n_series` series of `n_each` points:
/// `metrics` is sorted by series and time, `mixed` by time alone.
async fn metrics(folder: &tempfile::TempDir, n_series: usize, n_each: usize) -> SessionContext {
    let config = SessionConfig::new().with_target_partitions(1);
    let context = SessionContext::new_with_config(config);
    datafusion_aiops::install(&context).expect("installed");
    let folder = folder.path().to_str().expect("a path of text");
    let n_points = n_series * n_each;
    for statement in [
        format!(
            "COPY (SELECT i / {n_each} AS host, to_timestamp_seconds(i % {n_each} * 300) AS ts,
                100 + template_hash(CAST(i AS TEXT)) % 1000 / 100.0 AS qps
             FROM generate_series(0, {n_points} - 1) AS t(i) ORDER BY host, ts) TO '{folder}/metrics.parquet'"
        ),
        format!(
            "CREATE EXTERNAL TABLE metrics STORED AS PARQUET LOCATION '{folder}/metrics.parquet' WITH ORDER (host, ts)"
        ),
        format!("COPY (SELECT * FROM metrics ORDER BY ts, host) TO '{folder}/mixed.parquet'"),
        format!("CREATE EXTERNAL TABLE mixed STORED AS PARQUET LOCATION '{folder}/mixed.parquet'"),
    ] {
        let frame = context.sql(&statement).await.expect("planned");
        frame.collect().await.expect("run");
    }
    context
}

fn through_sql(criterion: &mut Criterion) {
    let runtime = runtime();
    let folder = tempfile::tempdir().expect("a folder");
    let context = runtime.block_on(metrics(&folder, N_SERIES, DAY));
    let mut group = criterion.benchmark_group("sql_2000_series_of_288");
    group.sample_size(10);
    group.throughput(Throughput::Elements((N_SERIES * DAY) as u64));
    for (name, query) in [
        (
            "over",
            "SELECT count(a['is_anomaly']) FROM (SELECT ts_anomaly(qps) OVER (PARTITION BY host ORDER BY ts) AS a FROM metrics)",
        ),
        (
            "group_by",
            "SELECT sum(array_length(a)) FROM (SELECT ts_anomaly(ts, qps) AS a FROM metrics GROUP BY host)",
        ),
        (
            "group_by_mixed",
            "SELECT sum(array_length(a)) FROM (SELECT ts_anomaly(ts, qps) AS a FROM mixed GROUP BY host)",
        ),
        (
            "rate_group_by_mixed",
            "SELECT sum(array_length(r)) FROM (SELECT ts_rate(ts, qps) AS r FROM mixed GROUP BY host)",
        ),
        (
            "rolling_zscore_in_sql",
            "SELECT count(abs(qps - m) > 3 * s) FROM (
                SELECT qps, avg(qps) OVER w AS m, stddev(qps) OVER w AS s FROM metrics
                WINDOW w AS (PARTITION BY host ORDER BY ts ROWS BETWEEN 60 PRECEDING AND 1 PRECEDING))",
        ),
        ("read_alone", "SELECT count(qps), max(host), max(ts) FROM metrics"),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| run(&runtime, &context, query));
        });
    }
    group.finish();
}

fn run(runtime: &Runtime, context: &SessionContext, query: &str) {
    runtime.block_on(async {
        let frame = context.sql(query).await.expect("planned");
        black_box(frame.collect().await.expect("run"))
    });
}

fn forecasts_through_sql(criterion: &mut Criterion) {
    let runtime = runtime();
    let folder = tempfile::tempdir().expect("a folder");
    let context = runtime.block_on(metrics(&folder, 500, 850));
    let mut group = criterion.benchmark_group("sql_500_forecasts_of_850");
    group.sample_size(10);
    group.throughput(Throughput::Elements(500));
    for (name, query) in [
        (
            "auto",
            "SELECT sum(array_length(f)) FROM (SELECT ts_forecast(ts, qps, 48) AS f FROM metrics GROUP BY host)",
        ),
        (
            "fast",
            "SELECT sum(array_length(f)) FROM (SELECT ts_forecast(ts, qps, 48, 'model=fast') AS f FROM metrics GROUP BY host)",
        ),
        (
            "capacity",
            "SELECT sum(array_length(c)) FROM (SELECT ts_capacity(ts, qps, 48, '1 hour') AS c FROM metrics GROUP BY host)",
        ),
        (
            // One forecast per row, from 250 rows on average.
            "over_growing_frames",
            "SELECT sum(array_length(f)) FROM (SELECT ts_forecast(ts, qps, 48) OVER (PARTITION BY host ORDER BY ts
                ROWS BETWEEN 849 PRECEDING AND CURRENT ROW) AS f FROM (SELECT * FROM metrics WHERE host < 2 ORDER BY host, ts LIMIT 500))",
        ),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| run(&runtime, &context, query));
        });
    }
    group.finish();
}

criterion_group!(
    benches,
    anomalies,
    whole_series,
    forecasts,
    through_sql,
    forecasts_through_sql
);
criterion_main!(benches);
