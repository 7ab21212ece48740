//! Steps of a live table that continues at the positions of an earlier reader.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use datafusion::arrow::array::{
    ArrayRef, AsArray, Int64Array, RecordBatch, TimestampNanosecondArray,
};
use datafusion::arrow::datatypes::{Int64Type, SchemaRef};

use crate::algorithms::units::SECOND;
use crate::algorithms::windows::watermark::WatermarkOptions;
use crate::sources::tests::runtime;
use crate::streams::scripted::{ScriptStep, scripted_table};
use crate::streams::source::PartitionNews;
use crate::streams::source::{Positions, PositionsKind};
use crate::streams::stream::{ReadAgain, STEPS_AHEAD, StreamStep};
use crate::streams::table::{LiveTable, Resume, TimeKind};

const OPTIONS: WatermarkOptions = WatermarkOptions {
    delay: SECOND,
    idle_timeout: 5 * SECOND,
    max_skew: SECOND,
};

/// A batch with the columns `ts` (seconds) and `n`.
fn batch(times: &[i64], numbers: &[i64]) -> RecordBatch {
    let times: Vec<i64> = times.iter().map(|time| time * SECOND).collect();
    let columns: [(&str, ArrayRef); 2] = [
        ("ts", Arc::new(TimestampNanosecondArray::from(times))),
        ("n", Arc::new(Int64Array::from(numbers.to_vec()))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// At 100 s rows of two files, with the later one listed first; at 101 s rows of one; then nothing
/// for a while.
fn table() -> LiveTable {
    let quiet = |now: i64, since: i64| ScriptStep {
        now: now * SECOND,
        pieces: vec![],
        news: [1, 2]
            .map(|id| (id, PartitionNews::CaughtUp(since * SECOND)))
            .to_vec(),
    };
    let steps = vec![
        ScriptStep {
            now: 100 * SECOND,
            pieces: vec![(2, batch(&[97, 98], &[20, 21])), (1, batch(&[99], &[10]))],
            news: vec![],
        },
        ScriptStep {
            now: 101 * SECOND,
            pieces: vec![(1, batch(&[100], &[11]))],
            news: vec![(2, PartitionNews::CaughtUp(100 * SECOND))],
        },
        quiet(103, 101),
        quiet(120, 101),
        quiet(121, 101),
    ];
    let schema: SchemaRef = batch(&[], &[]).schema();
    scripted_table("t", schema, Some(0), OPTIONS, steps)
}

/// The positions of a script that has played this many steps.
fn at_step(n_played: usize) -> Positions {
    let body = serde_json::json!({ "step": n_played });
    Positions::new(PositionsKind::new("script", 1), body)
}

fn steps(live: &LiveTable, time: TimeKind, resume: Resume) -> Vec<StreamStep> {
    runtime().block_on(async {
        let mut stream = live.resume(&[1], time, resume).unwrap();
        let mut steps = vec![];
        while let Some(step) = stream.next().await {
            steps.push(step.unwrap());
        }
        steps
    })
}

/// Merges the steps of each range into one.
fn whole_ranges(steps: Vec<StreamStep>) -> Vec<StreamStep> {
    let mut whole: Vec<StreamStep> = vec![];
    for mut step in steps {
        match whole.last_mut() {
            Some(begun) if begun.is_within_range => {
                begun.arrivals.append(&mut step.arrivals);
                begun.partitions.append(&mut step.partitions);
                step.arrivals = std::mem::take(&mut begun.arrivals);
                step.partitions = std::mem::take(&mut begun.partitions);
                *begun = step;
            }
            _ => whole.push(step),
        }
    }
    whole
}

fn numbers(step: &StreamStep) -> Vec<i64> {
    let values = step.arrivals.iter();
    let values = values.flat_map(|timed| timed.rows.column(0).as_primitive::<Int64Type>().values());
    values.copied().collect()
}

#[test]
fn steps_tell_where_they_stand_and_how_far_they_are() {
    let steps = steps(&table(), TimeKind::Event, Resume::default());
    let nows: Vec<i64> = steps.iter().map(|step| step.now / SECOND).collect();
    assert_eq!(nows, [100, 100, 101, 103, 120, 121]);
    for (step, played) in steps.iter().zip([0, 1, 2, 3, 4, 5]) {
        assert_eq!(step.positions, Some(at_step(played)));
    }
    assert_eq!(numbers(&steps[0]), [0_i64; 0]);
    assert_eq!(
        (numbers(&steps[1]), &steps[1].partitions),
        (vec![10, 20, 21], &vec![1, 2])
    );
    assert!(!steps[0].is_caught_up && steps[1].is_caught_up);
    let idle: Vec<bool> = steps.iter().map(|step| step.is_idle).collect();
    assert_eq!(idle, [false, false, false, false, true, true]);
    let watermarks: Vec<i64> = steps.iter().map(|step| step.watermark / SECOND).collect();
    // By the clock 100 s + (120 s - 101 s) - 1 s; then the end.
    assert_eq!(watermarks[1..5], [97, 97, 97, 118]);
    assert_eq!(steps[5].watermark, i64::MAX);
}

#[test]
fn ranges_come_again_with_their_watermarks_and_then_what_is_new() {
    let first = steps(&table(), TimeKind::Event, Resume::default());
    let range = |to: usize, watermark: i64| ReadAgain {
        upto: first[to].positions.clone().unwrap(),
        watermark: watermark * SECOND,
        reading_time: None,
    };
    let resume = Resume {
        from: first[0].positions.clone(),
        again: vec![range(1, 97), range(3, 110)],
    };
    let again = steps(&table(), TimeKind::Event, resume);
    let within: Vec<_> = again.iter().filter(|step| step.is_within_range).collect();
    assert_eq!(
        within.iter().map(|step| numbers(step)).collect::<Vec<_>>(),
        [vec![10], vec![11]]
    );
    // Rows of a range come with the earlier watermark.
    assert!(within.iter().all(|step| step.positions.is_none()));
    assert_eq!(within[0].watermark, i64::MIN);
    assert_eq!(within[1].watermark, 97 * SECOND);
    let again = whole_ranges(again);
    assert_eq!(again.len(), 5);
    assert_eq!(
        (again[0].positions.as_ref(), numbers(&again[0])),
        (first[0].positions.as_ref(), vec![])
    );
    assert_eq!(
        (numbers(&again[1]), again[1].watermark),
        (vec![10, 20, 21], 97 * SECOND)
    );
    assert_eq!(
        (numbers(&again[2]), again[2].watermark),
        (vec![11], 110 * SECOND)
    );
    assert_eq!(again[2].positions, first[3].positions);
    assert_eq!(
        (again[3].now, again[3].positions.as_ref()),
        (120 * SECOND, first[4].positions.as_ref())
    );
    // The rows were told to the clock, which does not go back after the last record.
    assert_eq!(again[3].watermark, 118 * SECOND);
    assert!(again[3].is_idle);
}

#[test]
fn the_watermark_does_not_go_back() {
    let first = steps(&table(), TimeKind::Event, Resume::default());
    for time in [TimeKind::Event, TimeKind::Processing] {
        let resume = Resume {
            from: first[1].positions.clone(),
            again: vec![ReadAgain {
                upto: first[2].positions.clone().unwrap(),
                watermark: 500 * SECOND,
                reading_time: Some(400 * SECOND),
            }],
        };
        let again = whole_ranges(steps(&table(), time, resume));
        let times: Vec<i64> = again[1].arrivals[0].times.values().to_vec();
        let expected = match time {
            TimeKind::Event => 100 * SECOND,
            TimeKind::Processing => 400 * SECOND,
        };
        assert_eq!((numbers(&again[1]), times), (vec![11], vec![expected]));
        let watermarks: Vec<i64> = again[1..].iter().map(|step| step.watermark).collect();
        assert_eq!(
            watermarks,
            [500 * SECOND, 500 * SECOND, 500 * SECOND, i64::MAX]
        );
    }
}

/// However slow the statement is, only a few steps are held of a range of 300 rows, three per step.
#[test]
fn a_replay_is_only_a_few_steps_ahead() {
    const N_ROWS: i64 = 300;
    const ROWS_OF_STEP: u64 = 3;
    let numbers_of_all: Vec<i64> = (0..N_ROWS).collect();
    let step = ScriptStep {
        now: 100 * SECOND,
        pieces: vec![(1, batch(&numbers_of_all, &numbers_of_all))],
        news: vec![],
    };
    let schema: SchemaRef = batch(&[], &[]).schema();
    let live = scripted_table("t", schema, Some(0), OPTIONS, vec![step]);
    let resume = Resume {
        from: Some(at_step(0)),
        again: vec![ReadAgain {
            upto: at_step(1),
            watermark: 0,
            reading_time: None,
        }],
    };
    runtime().block_on(async {
        let mut stream = live.resume(&[1], TimeKind::Event, resume).unwrap();
        let (mut found, mut n_steps) = (vec![], 0);
        while let Some(step) = stream.next().await {
            found.extend(numbers(&step.unwrap()));
            n_steps += 1;
            // Those that were taken, those that wait, and the one that waits for a place among
            // them.
            let n_ahead = n_steps + STEPS_AHEAD as u64 + 1;
            let n_read = stream.counters.rows_read.load(Ordering::Relaxed);
            assert!(
                n_read <= n_ahead * ROWS_OF_STEP,
                "{n_read} at step {n_steps}"
            );
        }
        assert_eq!(found, numbers_of_all);
    });
}

#[test]
fn who_does_not_ask_is_told_no_positions() {
    runtime().block_on(async {
        let mut stream = table().read(&[1], TimeKind::Event, None).unwrap();
        let step = stream.next().await.unwrap().unwrap();
        assert_eq!((numbers(&step), step.positions), (vec![10, 20, 21], None));
    });
}
