//! Scripts of arrivals, generated from a seed: order, bursts, pauses, several partitions and idle
//! ones.

use std::sync::Arc;

use datafusion::arrow::array::{Int64Array, StringViewArray, TimestampNanosecondArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::arrow::record_batch::RecordBatch;

use crate::algorithms::windows::watermark::WatermarkOptions;
use crate::streams::scripted::{ScriptStep, scripted_table};
use crate::streams::source::PartitionNews;
use crate::streams::table::LiveTable;

pub(crate) const SECOND: i64 = 1_000_000_000;
/// When scripts begin: 2024-05-01.
pub(crate) const BEGIN: i64 = 1_714_521_600 * SECOND;
pub(crate) const OPTIONS: WatermarkOptions = WatermarkOptions {
    delay: 5 * SECOND,
    idle_timeout: 20 * SECOND,
    max_skew: 2 * SECOND,
};

/// A row: its time, a key, a text, and its own number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) ts: Option<i64>,
    pub(crate) key: Option<&'static str>,
    pub(crate) v: i64,
}

pub(crate) fn schema() -> SchemaRef {
    let ts = DataType::Timestamp(TimeUnit::Nanosecond, None);
    Arc::new(Schema::new(vec![
        Field::new("ts", ts, true),
        Field::new("k", DataType::Utf8View, true),
        Field::new("line", DataType::Utf8View, false),
        Field::new("v", DataType::Int64, false),
    ]))
}

pub(crate) fn batch(rows: &[Row]) -> RecordBatch {
    let ts: TimestampNanosecondArray = rows.iter().map(|row| row.ts).collect();
    let keys: StringViewArray = rows.iter().map(|row| row.key).collect();
    let lines = rows
        .iter()
        .map(|row| Some(format!("a line that is longer than a view: {}", row.v)));
    let lines: StringViewArray = lines.collect();
    let v: Int64Array = rows.iter().map(|row| Some(row.v)).collect();
    let columns = vec![
        Arc::new(ts) as _,
        Arc::new(keys) as _,
        Arc::new(lines) as _,
        Arc::new(v) as _,
    ];
    RecordBatch::try_new(schema(), columns).unwrap()
}

/// Splitmix64: small, and the same everywhere.
pub(crate) struct Seeded(u64);

impl Seeded {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, end: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end as u64) as i64
    }

    pub(crate) fn index(&mut self, n: usize) -> usize {
        usize::try_from(self.below(n as i64)).unwrap()
    }

    pub(crate) fn is_one_in(&mut self, n: i64) -> bool {
        self.below(n) == 0
    }
}

/// Which rows come when.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script {
    pub(crate) steps: Vec<ScriptStep>,
}

impl Script {
    /// A script whose rows are at most `age` older than the clock, so that no row is late if that
    /// is the delay. With `is_wild`, some rows are in the future, and some have no time.
    pub(crate) fn generate(seed: u64, age: i64, is_wild: bool) -> Self {
        let mut seeded = Seeded::new(seed);
        let n_partitions = 1 + seeded.below(3);
        let mut now = BEGIN - 60 * SECOND * seeded.below(2);
        let mut v = 0;
        let mut script = Self::default();
        for _ in 0..5 + seeded.below(20) {
            now += match seeded.below(8) {
                0 => 30 * SECOND,
                1 => 0,
                _ => seeded.below(4 * SECOND),
            };
            let mut step = ScriptStep {
                now,
                ..ScriptStep::default()
            };
            for partition in 0..n_partitions {
                if seeded.is_one_in(3) {
                    let quiet = PartitionNews::CaughtUp(now - seeded.below(30 * SECOND));
                    step.news.push((partition as u64, quiet));
                    continue;
                }
                let burst = if seeded.is_one_in(6) { 40 } else { 5 };
                let rows: Vec<Row> = (0..seeded.below(burst))
                    .map(|_| {
                        v += 1;
                        row(&mut seeded, now, age, is_wild, v)
                    })
                    .collect();
                if !rows.is_empty() {
                    step.pieces.push((partition as u64, batch(&rows)));
                }
            }
            script.steps.push(step);
        }
        script
    }

    /// A script of one step with these rows.
    pub(crate) fn of_batch(rows: &RecordBatch) -> Self {
        let step = ScriptStep {
            now: BEGIN,
            pieces: vec![(0, rows.clone())],
            ..ScriptStep::default()
        };
        Self { steps: vec![step] }
    }

    /// All rows in one batch.
    pub(crate) fn rows(&self) -> RecordBatch {
        let pieces = self.steps.iter().flat_map(|step| &step.pieces);
        let batches = pieces.map(|(_, rows)| rows);
        datafusion::arrow::compute::concat_batches(&schema(), batches).unwrap()
    }

    /// A live table that plays the script once.
    pub(crate) fn table(&self) -> LiveTable {
        scripted_table("logs", schema(), Some(0), OPTIONS, self.steps.clone())
    }

    /// A live table without event time that plays the script once.
    pub(crate) fn untimed_table(&self) -> LiveTable {
        scripted_table("untimed", schema(), None, OPTIONS, self.steps.clone())
    }
}

fn row(seeded: &mut Seeded, now: i64, age: i64, is_wild: bool, v: i64) -> Row {
    let keys = [Some("a"), Some("b"), None];
    let key = keys[seeded.index(keys.len())];
    if is_wild && seeded.is_one_in(20) {
        return Row { ts: None, key, v };
    }
    let ahead = if is_wild && seeded.is_one_in(20) {
        seeded.below(100 * SECOND)
    } else {
        0
    };
    // Some times are whole seconds, so that rows are on the borders of windows.
    let behind = seeded.below(age + 1);
    let ts = now + ahead - behind;
    let on_border = if seeded.is_one_in(2) {
        ts.rem_euclid(SECOND)
    } else {
        0
    };
    let oldest = now + ahead - age;
    Row {
        ts: Some((ts - on_border).max(oldest)),
        key,
        v,
    }
}
