//! Compares cutting with a naive definition of windows, over thousands of scripts.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampNanosecondType};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::StreamExt;

use crate::planner::windows::chain::Chain;
use crate::planner::windows::tests::scripts::{OPTIONS, Row, SECOND, Script, Seeded};
use crate::streams::counters::{Missed, StreamCounters};
use crate::streams::session_extensions::CurrentWindow;
use crate::streams::source::CheckedReader;
use crate::streams::stream::{Pace, Stepper, TimeOf};
use crate::streams::table::LiveTable;
use crate::streams::windows::cutter::WindowCutter;
use crate::streams::windows::parts::{CutterParts, IN_ORDER};
use crate::streams::windows::row_plan::RowPlan;
use crate::streams::windows::shape::WindowShape;

pub(super) const N_SCRIPTS: u64 = 1_000;
const N_COLUMNS: usize = 4;

/// The number of a row and the bounds of a window that it is in.
pub(super) type InWindow = (i64, i64, i64);

/// The outcome of a script.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) in_windows: Vec<InWindow>,
    pub(super) late: Vec<i64>,
    without_time: Vec<i64>,
}

/// The limits of the table and the session, in bytes of rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    of_table: usize,
    of_session: usize,
}

pub(super) const NO_LIMIT: Limit = Limit {
    of_table: 1 << 30,
    of_session: 1 << 30,
};

impl Limit {
    fn runtime(self) -> Arc<RuntimeEnv> {
        let runtime = RuntimeEnvBuilder::new().with_memory_limit(self.of_session, 1.0);
        runtime.build_arc().unwrap()
    }
}

/// Plays a script through the cutter. Also returns the watermark of each step.
fn play(
    script: &Script,
    cut: &WindowShape,
    limit: Limit,
) -> (Outcome, Vec<i64>, Arc<StreamCounters>) {
    let mut player = Player::new(script.table(), cut, limit);
    for step in &script.steps {
        player.step(step.now);
    }
    player.finish()
}

/// A live table that is read step by step, its rows cut into windows.
pub(super) struct Player {
    stepper: Stepper,
    rows: RowPlan,
    cutter: WindowCutter,
    counters: Arc<StreamCounters>,
    outcome: Outcome,
    watermarks: Vec<i64>,
}

impl Player {
    pub(super) fn new(live: LiveTable, cut: &WindowShape, limit: Limit) -> Self {
        let chain = Chain::of_table(live);
        let outputs = (0..N_COLUMNS).collect();
        let rows = chain.narrow(&outputs).unwrap();
        let live = &chain.live;
        let counters = live.streams.start(&live.name, 0);
        let source = CheckedReader::open(live.source.as_ref(), &rows.columns, None).unwrap();
        let time = TimeOf::Column(0);
        let stepper = Stepper::new(source, time, N_COLUMNS, OPTIONS, Arc::clone(&counters));
        let bound_type = match cut {
            WindowShape::Rows { .. } => DataType::Int64,
            _ => DataType::Timestamp(TimeUnit::Nanosecond, None),
        };
        let parts = CutterParts {
            shape: cut,
            rows: &rows,
            bound_type: &bound_type,
            is_timed: true,
            buffer_bytes: limit.of_table,
            runtime: limit.runtime(),
            metrics: &ExecutionPlanMetricsSet::new(),
            counters: Arc::clone(&counters),
        };
        Self {
            stepper,
            cutter: WindowCutter::new(parts).unwrap(),
            rows,
            counters,
            outcome: Outcome::default(),
            watermarks: vec![],
        }
    }

    /// Reads the rows that are there at `now`.
    pub(super) fn step(&mut self, now: i64) {
        let mut pace = Pace::Busy;
        let mut watermark = i64::MIN;
        while pace == Pace::Busy {
            let (step, next) = self.stepper.step(now).unwrap();
            for timed in step.arrivals {
                let arrived = self.rows.apply(timed).unwrap();
                self.cutter.add(&arrived, IN_ORDER).unwrap();
            }
            (pace, watermark) = (next, step.watermark);
            self.advance(watermark);
        }
        self.watermarks.push(watermark);
    }

    /// Reads rows that were held back, as part of the last step.
    pub(super) fn settle(&mut self, now: i64) {
        self.step(now);
        self.watermarks.pop();
    }

    fn advance(&mut self, watermark: i64) {
        self.cutter.advance(watermark).unwrap();
        while let Some(window) = self.cutter.next_closed().unwrap() {
            read_window(&window, &mut self.outcome.in_windows);
        }
    }

    /// Ends the input and returns the outcome.
    pub(super) fn finish(mut self) -> (Outcome, Vec<i64>, Arc<StreamCounters>) {
        if let Some(last) = self.watermarks.last_mut()
            && *last < i64::MAX
        {
            *last = i64::MAX;
            self.advance(i64::MAX);
        }
        let Self {
            mut outcome,
            counters,
            ..
        } = self;
        assert_eq!(counters.open_windows.load(Ordering::Relaxed), 0);
        assert_eq!(counters.buffered_bytes.load(Ordering::Relaxed), 0);
        outcome.in_windows.sort_unstable();
        for (why, rows) in counters.missed_rows() {
            match why {
                Missed::Late => outcome.late.extend(numbers(&rows)),
                Missed::NoTime => outcome.without_time.extend(numbers(&rows)),
            }
        }
        outcome.late.sort_unstable();
        outcome.without_time.sort_unstable();
        let n_late = counters.rows_late.load(Ordering::Relaxed);
        assert_eq!(n_late, outcome.late.len() as u64);
        (outcome, self.watermarks, counters)
    }
}

fn numbers(rows: &RecordBatch) -> Vec<i64> {
    let v = rows.column_by_name("v").unwrap();
    v.as_primitive::<Int64Type>().values().to_vec()
}

fn read_window(window: &CurrentWindow, in_windows: &mut Vec<InWindow>) {
    let rows = window.rows.as_ref().unwrap();
    let mut batches = rows.batches.clone();
    for stream in rows.spilled().unwrap() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let spilled: Vec<_> = runtime.block_on(stream.collect());
        batches.extend(spilled.into_iter().map(Result::unwrap));
    }
    assert_eq!(
        rows.n_rows,
        batches.iter().map(RecordBatch::num_rows).sum::<usize>()
    );
    assert!(rows.n_rows > 0, "windows without rows do not run");
    for batch in batches {
        let n_rows = batch.num_rows();
        let (starts, ends) = if batch.num_columns() > N_COLUMNS {
            let bound = |index| {
                let bound = batch
                    .column(index)
                    .as_primitive::<TimestampNanosecondType>();
                bound.values().to_vec()
            };
            (bound(N_COLUMNS), bound(N_COLUMNS + 1))
        } else {
            (
                vec![window.span.start; n_rows],
                vec![window.span.end; n_rows],
            )
        };
        let lines = batch
            .column_by_name("line")
            .unwrap()
            .as_string_view()
            .clone();
        for (row, v) in numbers(&batch).into_iter().enumerate() {
            assert!(lines.value(row).ends_with(&format!(": {v}")));
            in_windows.push((v, starts[row], ends[row]));
        }
    }
}

/// The rows of each step.
pub(super) fn rows_of(script: &Script) -> Vec<Vec<Row>> {
    let step_rows = |batch: &RecordBatch| -> Vec<Row> {
        let ts = batch.column(0).as_primitive::<TimestampNanosecondType>();
        let keys = batch.column(1).as_string_view();
        let key = |key: Option<&str>| match key {
            Some("a") => Some("a"),
            Some(_) => Some("b"),
            None => None,
        };
        let rows = ts.iter().zip(keys.iter()).zip(numbers(batch));
        rows.map(|((ts, k), v)| Row { ts, key: key(k), v })
            .collect()
    };
    let steps = script.steps.iter();
    steps
        .map(|step| {
            step.pieces
                .iter()
                .flat_map(|(_, rows)| step_rows(rows))
                .collect()
        })
        .collect()
}

/// The definition of windows, as simple as possible.
pub(super) fn expected(script: &Script, cut: &WindowShape, watermarks: &[i64]) -> Outcome {
    let mut outcome = Outcome::default();
    let mut before = i64::MIN;
    let mut sessions = NaiveSessions::default();
    let mut ordered: Vec<(i64, i64)> = vec![];
    for (rows, watermark) in rows_of(script).into_iter().zip(watermarks) {
        for row in rows {
            let Some(ts) = row.ts else {
                outcome.without_time.push(row.v);
                continue;
            };
            match cut {
                WindowShape::Grid { slide, size } => {
                    let newest = ts.div_euclid(*slide) * slide;
                    let starts = (0..size / slide).map(|k| newest - k * slide);
                    let (open, closed): (Vec<i64>, Vec<i64>) =
                        starts.partition(|start| start + size > before);
                    let open = open.into_iter().map(|start| (row.v, start, start + size));
                    outcome.in_windows.extend(open);
                    if !closed.is_empty() {
                        outcome.late.push(row.v);
                    }
                }
                WindowShape::Session { gap, keys } => {
                    let key = if keys.is_empty() { None } else { row.key };
                    if !sessions.add(ts, key, row.v, *gap, before) {
                        outcome.late.push(row.v);
                    }
                }
                WindowShape::Rows { .. } if ts < before => outcome.late.push(row.v),
                WindowShape::Rows { .. } => ordered.push((ts, row.v)),
            }
        }
        before = before.max(*watermark);
        if let WindowShape::Session { gap, .. } = cut {
            sessions.close(*gap, before, &mut outcome.in_windows);
        }
    }
    if let WindowShape::Rows { n_rows } = cut {
        let n = *n_rows as i64;
        // Rows are numbered as they come: a stable sort by time keeps those of the same time in
        // that order.
        ordered.sort_by_key(|(ts, _)| *ts);
        let numbered = (0_i64..).zip(ordered);
        let spans = numbered.map(|(number, (_, v))| (v, number / n * n, (number / n + 1) * n));
        outcome.in_windows.extend(spans);
    }
    outcome.in_windows.sort_unstable();
    outcome.late.sort_unstable();
    outcome.without_time.sort_unstable();
    outcome
}

/// Sessions, computed from all open rows whenever they are needed.
#[derive(Default)]
struct NaiveSessions {
    open: Vec<(Option<&'static str>, i64, i64)>,
    closed: Vec<(Option<&'static str>, i64, i64)>,
}

impl NaiveSessions {
    fn add(
        &mut self,
        ts: i64,
        key: Option<&'static str>,
        v: i64,
        gap: i64,
        watermark: i64,
    ) -> bool {
        let touches_closed = self
            .closed
            .iter()
            .any(|(of, start, end)| *of == key && ts > start - gap && ts < *end);
        if ts + gap <= watermark || touches_closed {
            return false;
        }
        self.open.push((key, ts, v));
        true
    }

    fn close(&mut self, gap: i64, watermark: i64, in_windows: &mut Vec<InWindow>) {
        self.open.sort_unstable();
        let rows = std::mem::take(&mut self.open);
        let runs = rows.chunk_by(|a, b| a.0 == b.0 && b.1 - a.1 < gap);
        for run in runs {
            let (start, end) = (run[0].1, run[run.len() - 1].1 + gap);
            if end <= watermark {
                self.closed.push((run[0].0, start, end));
                in_windows.extend(run.iter().map(|(_, _, v)| (*v, start, end)));
            } else {
                self.open.extend(run);
            }
        }
    }
}

pub(super) fn cuts() -> Vec<WindowShape> {
    let session = |keys| WindowShape::Session {
        gap: 3 * SECOND,
        keys,
    };
    vec![
        WindowShape::Grid {
            slide: 10 * SECOND,
            size: 10 * SECOND,
        },
        WindowShape::Grid {
            slide: 2 * SECOND,
            size: 10 * SECOND,
        },
        session(vec![]),
        session(vec![1]),
        WindowShape::Rows { n_rows: 7 },
    ]
}

fn check(age: i64, is_wild: bool) -> usize {
    let mut n_late = 0;
    for seed in 0..N_SCRIPTS {
        let script = Script::generate(seed, age, is_wild);
        for cut in cuts() {
            let (outcome, watermarks, _) = play(&script, &cut, NO_LIMIT);
            assert_eq!(
                outcome,
                expected(&script, &cut, &watermarks),
                "script {seed}, {cut:?}"
            );
            n_late += outcome.late.len();
        }
    }
    n_late
}

#[test]
fn windows_are_those_of_all_rows() {
    // Rows are as old as the delay allows: the windows are those of the batch, and no row is late.
    assert_eq!(check(OPTIONS.delay, false), 0);
}

#[test]
fn late_rows_alone_are_missed() {
    assert!(check(6 * OPTIONS.delay, true) > 1_000);
}

#[test]
fn spilled_windows_are_the_same() {
    let of_table = Limit {
        of_table: 4_000,
        ..NO_LIMIT
    };
    let of_session = Limit {
        of_session: 4_000,
        ..NO_LIMIT
    };
    let cuts: Vec<WindowShape> = cuts().into_iter().take(2).collect();
    for limit in [of_table, of_session] {
        let mut n_spilled = 0;
        for seed in 0..20 {
            let script = Script::generate(seed, 6 * OPTIONS.delay, true);
            for cut in &cuts {
                let (outcome, watermarks, counters) = play(&script, cut, limit);
                let expected = expected(&script, cut, &watermarks);
                assert_eq!(outcome, expected, "script {seed}, {cut:?}");
                n_spilled += counters.spilled_bytes.load(Ordering::Relaxed);
            }
        }
        assert!(n_spilled > 0, "{limit:?}");
    }
}

#[test]
fn the_same_whatever_the_steps() {
    // If no row is late, the windows do not depend on how rows are divided into steps.
    let mut seeded = Seeded::new(7);
    for seed in 0..50 {
        let script = Script::generate(seed, OPTIONS.delay, false);
        let mut merged = script.clone();
        let at = seeded.index(merged.steps.len());
        let tail = merged.steps.split_off(at);
        if let Some(last) = tail.last() {
            let mut step = last.clone();
            step.pieces = tail.iter().flat_map(|step| step.pieces.clone()).collect();
            merged.steps.push(step);
        }
        for cut in cuts().into_iter().take(4) {
            let (one, ..) = play(&script, &cut, NO_LIMIT);
            let (other, ..) = play(&merged, &cut, NO_LIMIT);
            assert_eq!(one, other, "script {seed}, {cut:?}");
        }
    }
    let distinct: BTreeSet<i64> = (0..50).map(|_| seeded.below(1_000)).collect();
    assert!(distinct.len() > 30, "the generator repeats itself");
}
