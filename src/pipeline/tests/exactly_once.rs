//! Random scripts of arrivals, killed at random changes of the store that holds both the checkpoint
//! and the outputs.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::prelude::SessionContext;

use crate::pipeline::pipeline_options::PipelineOptions;
use crate::pipeline::run::Pipeline;
use crate::pipeline::tests::failing_store::FailingStore;
use crate::planner::windows::tests::scripts::{OPTIONS, Script, Seeded};

/// The windows that the rows go into.
const WINDOWS: [&str; 7] = [
    "tumble(logs, ts, INTERVAL '10 seconds')",
    "hop(logs, ts, INTERVAL '5 seconds', INTERVAL '20 seconds')",
    "session(logs, ts, INTERVAL '3 seconds')",
    "session(logs, ts, INTERVAL '3 seconds', k)",
    "count_window(logs, 7)",
    // Some of these are full in the middle of a step, and so in the middle of a range that is
    // replayed.
    "count_window(untimed, 7)",
    "tumble(logs, INTERVAL '10 seconds')",
];

type Files = BTreeMap<String, Vec<u8>>;

fn session(script: &Script, store: &Arc<FailingStore>) -> SessionContext {
    let context = crate::session().unwrap();
    context
        .register_table("logs", Arc::new(script.table()))
        .unwrap();
    context
        .register_table("untimed", Arc::new(script.untimed_table()))
        .unwrap();
    let url = ObjectStoreUrl::parse("mem://store").unwrap();
    context.register_object_store(url.as_ref(), Arc::clone(store) as _);
    context
}

/// Runs a pipeline over the whole script, or until the store dies.
async fn run(script: &Script, store: &Arc<FailingStore>, windows: &str) -> Result<usize> {
    let context = session(script, store);
    let sql = format!(
        "CREATE EXTERNAL TABLE kept (window_start TEXT, window_end TEXT, k TEXT, v BIGINT)
             STORED AS JSON LOCATION 'mem://store/out/kept/';
         CREATE EXTERNAL TABLE counts (n BIGINT, total BIGINT) STORED AS PARQUET LOCATION 'mem://store/out/counts/';
         CREATE OR REPLACE TABLE rows AS SELECT * FROM {windows};
         INSERT INTO kept SELECT window_start, window_end, k, v FROM rows ORDER BY window_start, v;
         INSERT INTO counts SELECT count(*), sum(v) FROM rows"
    );
    let options = PipelineOptions::new("test");
    let mut pipeline = Pipeline::open(&context, &sql, "mem://store/checkpoint", options).await?;
    let mut n_windows = 0;
    while pipeline.next_window().await?.is_some() {
        n_windows += 1;
    }
    Ok(n_windows)
}

async fn undisturbed(script: &Script, windows: &str) -> Files {
    let store = FailingStore::new();
    run(script, &store, windows).await.unwrap();
    store.files("out").await
}

/// Kills a pipeline again and again, each time after some changes, until it reaches the end.
async fn killed(script: &Script, windows: &str, seeded: &mut Seeded) -> (Files, usize) {
    let store = FailingStore::new();
    let mut n_kills = 0;
    loop {
        store.live_for(seeded.below(25), seeded.is_one_in(2));
        match run(script, &store, windows).await {
            Ok(_) => break,
            Err(error) => assert!(store.is_dead(), "{error}"),
        }
        n_kills += 1;
    }
    store.live_for(-1, false);
    assert_eq!(
        run(script, &store, windows).await.unwrap(),
        0,
        "it is all done"
    );
    (store.files("out").await, n_kills)
}

/// How many scripts of rows and kills each kind of window gets.
const N_SEEDS: u64 = 15;

#[tokio::test]
async fn killed_is_as_undisturbed() {
    for (kind, windows) in WINDOWS.iter().enumerate().take(6) {
        let mut n_all_kills = 0;
        for seed in 0..N_SEEDS {
            let script = Script::generate(seed, OPTIONS.delay, false);
            let expected = undisturbed(&script, windows).await;
            let mut seeded = Seeded::new(seed + 1_000 * kind as u64);
            let (files, n_kills) = killed(&script, windows, &mut seeded).await;
            assert_eq!(files, expected, "{windows}, seed {seed}");
            n_all_kills += n_kills;
        }
        assert!(
            n_all_kills as u64 > N_SEEDS,
            "{windows}: {n_all_kills} kills"
        );
    }
}

/// An object store that is asked again, since its answer was lost, says that the object is there.
#[tokio::test]
async fn lost_answers_are_not_another_run() {
    let script = Script::generate(3, OPTIONS.delay, false);
    for windows in WINDOWS.iter().take(6) {
        let store = FailingStore::new();
        store.lose_answers();
        run(&script, &store, windows).await.unwrap();
        let files = store.files("out").await;
        assert_eq!(files, undisturbed(&script, windows).await, "{windows}");
    }
}

#[tokio::test]
async fn a_second_run_on_an_object_store_is_refused() {
    let script = Script::generate(3, OPTIONS.delay, false);
    let store = FailingStore::new();
    let sql = format!(
        "CREATE OR REPLACE TABLE rows AS SELECT * FROM {}",
        WINDOWS[0]
    );
    let mut runs = vec![];
    for _ in 0..2 {
        let context = session(&script, &store);
        let options = PipelineOptions::new("test");
        let run = Pipeline::open(&context, &sql, "mem://store/checkpoint", options).await;
        runs.push(run.unwrap());
    }
    let mut errors = vec![];
    while errors.is_empty() {
        for run in &mut runs {
            errors.extend(run.next_window().await.err());
        }
    }
    let error = errors[0].to_string();
    assert!(error.contains("another run uses the checkpoint"), "{error}");
}

/// Which rows are late or from the future, and windows by the time of reading, depend on when rows
/// are read. But a file that was written once is never written differently (the store checks that),
/// and no row is in two windows that do not overlap.
#[tokio::test]
async fn what_was_written_stays() {
    for windows in WINDOWS {
        for seed in 0..N_SEEDS {
            let script = Script::generate(seed, 4 * OPTIONS.delay, true);
            let mut seeded = Seeded::new(seed);
            let (files, _) = killed(&script, windows, &mut seeded).await;
            let kept = files.iter().filter(|(name, _)| name.contains("kept"));
            let mut n_times: BTreeMap<i64, usize> = BTreeMap::new();
            for (_, text) in kept {
                for line in String::from_utf8(text.clone()).unwrap().lines() {
                    let row: serde_json::Value = serde_json::from_str(line).unwrap();
                    *n_times.entry(row["v"].as_i64().unwrap()).or_default() += 1;
                }
            }
            let most = if windows.starts_with("hop") { 4 } else { 1 };
            let doubled: Vec<_> = n_times.iter().filter(|(_, n)| **n > most).collect();
            assert!(doubled.is_empty(), "{windows}, seed {seed}: {doubled:?}");
        }
    }
}
