//! Archives are read in the order of time, which is the same at every reading and from every place.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, TimestampSecondArray};
use datafusion::arrow::datatypes::Int64Type;
use datafusion::datasource::MemTable;
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use proptest::prelude::*;

use crate::algorithms::units::SECOND;
use crate::sources::archive::ArchiveSource;
use crate::sources::archive::archive_table;
use crate::sources::tests::runtime;
use crate::streams::counters::StreamRegistry;
use crate::streams::source::{LiveSource, Polled, Positions, PositionsBody, SourceReader};
use crate::streams::stream::ReadAgain;
use crate::streams::table::{Resume, TimeKind};

/// Times in seconds, in partitions and batches of these.
type Times = Vec<Vec<Vec<Option<i64>>>>;

fn times() -> impl Strategy<Value = Times> {
    let time = prop_oneof![8 => (0..20_i64).prop_map(Some), 1 => Just(None)];
    let batch = prop::collection::vec(time, 0..8);
    prop::collection::vec(prop::collection::vec(batch, 0..4), 1..4)
}

/// The plan of a table with the columns `n`, counted up, and `ts`.
fn plan(times: &Times) -> (LogicalPlan, SessionState) {
    let mut n_rows = 0;
    let mut batch = |times: &Vec<Option<i64>>| {
        let numbers: Vec<i64> = (n_rows..).take(times.len()).collect();
        n_rows += i64::try_from(times.len()).unwrap();
        let columns: [(&str, ArrayRef, bool); 2] = [
            ("n", Arc::new(Int64Array::from(numbers)), true),
            (
                "ts",
                Arc::new(TimestampSecondArray::from(times.clone())),
                true,
            ),
        ];
        RecordBatch::try_from_iter_with_nullable(columns).unwrap()
    };
    let schema = batch(&vec![]).schema();
    let partitions = times.iter();
    let partitions = partitions.map(|batches| batches.iter().map(&mut batch).collect());
    let table = MemTable::try_new(schema, partitions.collect()).unwrap();
    let context = crate::session().unwrap();
    context.register_table("t", Arc::new(table)).unwrap();
    let plan = runtime().block_on(context.sql("SELECT * FROM t")).unwrap();
    let (state, plan) = plan.into_parts();
    (plan, state)
}

fn numbers(polled: &Polled) -> Vec<i64> {
    let batches = polled.pieces.iter();
    let values =
        batches.flat_map(|piece| piece.rows.column(0).as_primitive::<Int64Type>().values());
    values.copied().collect()
}

fn open(source: &ArchiveSource, positions: Option<&PositionsBody>) -> Box<dyn SourceReader> {
    let _guard = runtime().enter();
    source.open(&[0], positions).unwrap()
}

/// Positions after each poll, and what it brought.
fn polls(reader: &mut Box<dyn SourceReader>) -> Vec<(PositionsBody, Vec<i64>)> {
    let mut polls = vec![];
    loop {
        let mut polled = Polled::default();
        reader.poll(0, &HashMap::new(), &mut polled).unwrap();
        polls.push((reader.positions().unwrap(), numbers(&polled)));
        if polled.has_ended {
            return polls;
        }
    }
}

/// Nulls first, then by time, equal ones as they are in the table.
fn expected(times: &Times) -> Vec<i64> {
    let mut rows: Vec<_> = (0_i64..).zip(times.concat().concat()).collect();
    rows.sort_by_key(|(_, time)| *time);
    rows.into_iter().map(|(number, _)| number).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rows_come_by_time_and_again(
        times in times(),
        is_timed in any::<bool>(),
        (one, other) in (0..40_u64, 0..40_u64),
        max_bytes in prop_oneof![Just(1), 1..2000_usize, Just(usize::MAX)]
    ) {
        let (plan, state) = plan(&times);
        let source = ArchiveSource::try_new(plan, is_timed.then_some(1), state).unwrap();
        let all: Vec<i64> = polls(&mut open(&source, None))
            .into_iter()
            .flat_map(|(_, numbers)| numbers)
            .collect();
        let expected = if is_timed {
            expected(&times)
        } else {
            (0..).take(times.concat().concat().len()).collect()
        };
        prop_assert_eq!(&all, &expected);
        let n_rows = all.len() as u64;
        let (from, to) = (one.min(other).min(n_rows), one.max(other).min(n_rows));
        let at = |n_rows| serde_json::json!({ "rows": n_rows });
        let mut reader = open(&source, Some(&at(from)));
        reader.look(0, &mut Polled::default()).unwrap();
        let mut found = vec![];
        let mut has_more = true;
        while has_more {
            let mut polled = Polled::default();
            reader.replay(&at(to), max_bytes, 0, &mut polled).unwrap();
            let before_the_last = polled.pieces.iter().rev().skip(1);
            let n_bytes = before_the_last.map(|piece| piece.rows.get_array_memory_size());
            prop_assert!(n_bytes.sum::<usize>() < max_bytes);
            found.extend(numbers(&polled));
            has_more = polled.has_more;
        }
        let (from, to) = (usize::try_from(from).unwrap(), usize::try_from(to).unwrap());
        prop_assert_eq!(found, &all[from..to]);
        prop_assert_eq!(reader.positions().unwrap(), at(to as u64));
        let rest = polls(&mut reader);
        let rest: Vec<i64> = rest.into_iter().flat_map(|(_, numbers)| numbers).collect();
        prop_assert_eq!(rest, &all[to..]);
    }
}

#[test]
fn rows_that_are_gone_are_told() {
    let (plan, state) = plan(&vec![vec![vec![Some(1), Some(2)]]]);
    let source = ArchiveSource::try_new(plan, Some(1), state).unwrap();
    let mut reader = open(&source, None);
    let mut polled = Polled::default();
    let upto = serde_json::json!({ "rows": 5 });
    reader.replay(&upto, usize::MAX, 0, &mut polled).unwrap();
    assert_eq!(numbers(&polled), [0, 1]);
    assert_eq!(
        polled.problems,
        ["3 rows that were read before are missing"]
    );
    assert_eq!(reader.positions().unwrap(), upto);
    let earlier = serde_json::json!({ "rows": 1 });
    assert!(reader.replay(&earlier, usize::MAX, 0, &mut polled).is_err());
    assert!(
        reader
            .replay(&serde_json::json!({}), usize::MAX, 0, &mut polled)
            .is_err()
    );
    assert!(ArchiveSource::try_new(source_plan(), Some(7), source_state()).is_err());
}

fn source_plan() -> LogicalPlan {
    plan(&vec![vec![]]).0
}

fn source_state() -> SessionState {
    plan(&vec![vec![]]).1
}

/// The watermark follows the newest row, even one of the year 2200, and ends with the rows.
#[test]
fn the_watermark_follows_the_newest_row() {
    let far = 7_258_118_400;
    let (plan, state) = plan(&vec![vec![vec![Some(far), Some(5)], vec![Some(9), None]]]);
    let live = archive_table(
        "archive".to_string(),
        plan,
        Some(1),
        state,
        Arc::new(StreamRegistry::default()),
    )
    .unwrap();
    assert!(live.source.is_replayable());
    let steps = |resume: Resume| {
        runtime().block_on(async {
            let mut steps = live.resume(&[0], TimeKind::Event, resume).unwrap();
            let mut told = vec![];
            while let Some(step) = steps.next().await {
                let step = step.unwrap();
                let arrivals = step.arrivals.iter();
                let numbers = arrivals.flat_map(|timed| {
                    assert_eq!(timed.rows.num_columns(), 1);
                    timed
                        .rows
                        .column(0)
                        .as_primitive::<Int64Type>()
                        .values()
                        .to_vec()
                });
                let numbers: Vec<i64> = numbers.collect();
                let newest = step
                    .arrivals
                    .iter()
                    .flat_map(|timed| timed.times.iter().flatten());
                let newest = newest.max();
                told.push((numbers, newest, step.watermark, step.positions.unwrap()));
            }
            told
        })
    };
    let all = steps(Resume::default());
    let at = |n_rows: u64| {
        let body = serde_json::json!({ "rows": n_rows });
        Positions::new(live.source.positions_kind(), body)
    };
    assert_eq!(all.len(), 3);
    assert_eq!(all[0], (vec![], None, i64::MIN, at(0)));
    let newest = far * SECOND;
    assert_eq!(all[1], (vec![3, 1, 2, 0], Some(newest), newest, at(4)));
    assert_eq!(all[2], (vec![], None, i64::MAX, at(4)));
    let again = ReadAgain {
        upto: at(3),
        watermark: 9 * SECOND,
        reading_time: None,
    };
    let resumed = steps(Resume {
        from: Some(at(1)),
        again: vec![again],
    });
    assert_eq!(resumed.len(), 4);
    assert_eq!(resumed[0], (vec![], None, i64::MIN, at(1)));
    assert_eq!(
        resumed[1],
        (vec![1, 2], Some(9 * SECOND), 9 * SECOND, at(3))
    );
    assert_eq!(resumed[2], (vec![0], Some(newest), newest, at(4)));
    assert_eq!(resumed[3], (vec![], None, i64::MAX, at(4)));
}
