//! Puts rows into the order of event time: it holds rows as long as earlier ones may still come,
//! and releases those that the watermark has passed. Rows that come after the watermark has passed
//! them are late, so that released rows are always in order.
//!
//! Runs of rows are kept as they came, each sorted, and merged when they are released; if they do
//! not overlap, as in one file that is written in order, no row is copied.
//!
//! **Limit.** Beyond `limit_bytes` the older half is released before its time, and rows that come
//! later but belong before its end are late.

use datafusion::arrow::array::{Array, BooleanArray, TimestampNanosecondArray, UInt32Array};
use datafusion::arrow::compute::{
    concat, concat_batches, filter, filter_record_batch, is_not_null, is_null, not, take,
    take_record_batch,
};
use datafusion::common::Result;

use crate::streams::compact::compacted;
use crate::streams::counters::{Missed, StreamCounters};
use crate::streams::stream::Timed;

/// The buffer.
#[derive(Debug)]
pub(crate) struct Reorder {
    /// Runs, each in the order of time, without rows that have no time.
    held: Vec<Timed>,
    held_bytes: usize,
    limit_bytes: usize,
    /// Rows up to this time have been released.
    released: i64,
}

impl Reorder {
    /// An empty buffer for at most about `limit_bytes`.
    pub(crate) fn new(limit_bytes: usize) -> Self {
        Self {
            held: Vec::new(),
            held_bytes: 0,
            limit_bytes,
            released: i64::MIN,
        }
    }

    /// The number of bytes that are held.
    pub(crate) fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Whether rows that the watermark has passed should be released: at twice as many bytes, rows
    /// are released before their time.
    pub(crate) fn is_half_full(&self) -> bool {
        self.held_bytes > self.limit_bytes / 2
    }

    /// The number of rows that are held up to this time.
    pub(crate) fn n_rows_upto(&self, time: i64) -> u64 {
        let n_rows = self.held.iter().map(|run| {
            let times = run.times.values();
            times.partition_point(|held| *held <= time) as u64
        });
        n_rows.sum()
    }

    /// Adds rows. Those that are late or have no time are counted and left out.
    ///
    /// # Errors
    /// Those of Arrow's kernels, on arrays that are too large.
    pub(crate) fn push(&mut self, timed: Timed, counters: &StreamCounters) -> Result<()> {
        let timed = self.without_late(without_null_times(timed, counters)?, counters)?;
        if timed.rows.num_rows() == 0 {
            return Ok(());
        }
        let timed = if timed.times.values().is_sorted() {
            timed
        } else {
            sorted(&timed)?
        };
        self.held_bytes += timed.rows.get_array_memory_size();
        self.held.push(timed);
        Ok(())
    }

    /// Releases the rows up to the watermark, in order; rows of the same time are in the order in
    /// which they came.
    ///
    /// # Errors
    /// Those of Arrow's kernels, on arrays that are too large.
    pub(crate) fn release(&mut self, watermark: i64) -> Result<Vec<Timed>> {
        let mut upto = watermark;
        if self.held_bytes > self.limit_bytes {
            upto = upto.max(self.middle_time());
        }
        if upto <= self.released {
            return Ok(vec![]);
        }
        self.released = upto;
        let mut runs = Vec::with_capacity(self.held.len());
        let mut rest = Vec::with_capacity(self.held.len());
        for run in std::mem::take(&mut self.held) {
            let n_before = run.times.values().partition_point(|time| *time <= upto);
            let n_rows = run.rows.num_rows();
            if n_before > 0 {
                runs.push(slice(&run, 0, n_before));
            }
            if n_before < n_rows {
                rest.push(slice(&run, n_before, n_rows - n_before));
            }
        }
        self.held_bytes = rest.iter().map(share_of_memory).sum();
        self.held = rest;
        merged(runs)
    }

    fn without_late(&self, timed: Timed, counters: &StreamCounters) -> Result<Timed> {
        let is_late = |time: &i64| *time < self.released;
        if !timed.times.values().iter().any(is_late) {
            return Ok(timed);
        }
        let late: BooleanArray = timed
            .times
            .values()
            .iter()
            .map(|time| Some(is_late(time)))
            .collect();
        counters.miss(
            Missed::Late,
            compacted(&filter_record_batch(&timed.rows, &late)?)?,
        );
        filtered(&timed, &not(&late)?)
    }

    /// A time before which about half of the runs end.
    fn middle_time(&self) -> i64 {
        let mut ends: Vec<i64> = self
            .held
            .iter()
            .filter_map(|run| run.times.values().last().copied())
            .collect();
        ends.sort_unstable();
        ends.get(ends.len() / 2).copied().unwrap_or(i64::MIN)
    }
}

/// The rows that have a time; the others are counted.
///
/// # Errors
/// Those of Arrow's kernels.
pub(crate) fn without_null_times(timed: Timed, counters: &StreamCounters) -> Result<Timed> {
    if timed.times.null_count() == 0 {
        return Ok(timed);
    }
    let without = filter_record_batch(&timed.rows, &is_null(&timed.times)?)?;
    counters.miss(Missed::NoTime, compacted(&without)?);
    filtered(&timed, &is_not_null(&timed.times)?)
}

fn filtered(timed: &Timed, keep: &BooleanArray) -> Result<Timed> {
    Ok(Timed {
        rows: filter_record_batch(&timed.rows, keep)?,
        times: filter(&timed.times, keep)?.as_ref().to_data().into(),
    })
}

fn slice(run: &Timed, from: usize, n_rows: usize) -> Timed {
    Timed {
        rows: run.rows.slice(from, n_rows),
        times: run.times.slice(from, n_rows),
    }
}

/// The memory of a slice: its part of the buffers that it shares with other rows.
fn share_of_memory(run: &Timed) -> usize {
    run.rows
        .columns()
        .iter()
        .map(|column| column.to_data().get_slice_memory_size().unwrap_or_default())
        .sum()
}

fn sorted(timed: &Timed) -> Result<Timed> {
    let times = timed.times.values();
    let mut order: Vec<u32> = (0u32..).take(times.len()).collect();
    order.sort_by_key(|row| times[*row as usize]);
    let order = UInt32Array::from(order);
    Ok(Timed {
        rows: take_record_batch(&timed.rows, &order)?,
        times: take(&timed.times, &order, None)?.to_data().into(),
    })
}

/// Merges sorted runs into runs that are in order.
fn merged(mut runs: Vec<Timed>) -> Result<Vec<Timed>> {
    let first = |run: &Timed| run.times.values().first().copied();
    let last = |run: &Timed| run.times.values().last().copied();
    let are_in_order = |pair: &[Timed]| last(&pair[0]) <= first(&pair[1]);
    if runs.windows(2).all(are_in_order) {
        return Ok(runs);
    }
    // The sort is stable: rows of the same time stay in the order in which they came.
    let Some(schema) = runs.first().map(|run| run.rows.schema()) else {
        return Ok(runs);
    };
    let rows = concat_batches(&schema, runs.iter().map(|run| &run.rows))?;
    let times: Vec<&dyn Array> = runs.iter().map(|run| &run.times as &dyn Array).collect();
    let times: TimestampNanosecondArray = concat(&times)?.to_data().into();
    runs.clear();
    Ok(vec![sorted(&Timed { rows, times })?])
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::{AsArray, Int64Array};
    use datafusion::arrow::datatypes::{DataType, Field, Int64Type, Schema};
    use datafusion::arrow::record_batch::RecordBatch;

    use super::*;
    use crate::streams::counters::StreamRegistry;

    fn timed(times: &[Option<i64>]) -> Timed {
        let schema = Arc::new(Schema::new(vec![Field::new("t", DataType::Int64, true)]));
        let column = Arc::new(Int64Array::from(times.to_vec()));
        Timed {
            rows: RecordBatch::try_new(schema, vec![column]).unwrap(),
            times: times.to_vec().into(),
        }
    }

    fn values(runs: &[Timed]) -> Vec<i64> {
        runs.iter()
            .flat_map(|run| {
                let column = run.rows.column(0).as_primitive::<Int64Type>();
                assert_eq!(column.values(), run.times.values());
                column.values().to_vec()
            })
            .collect()
    }

    fn counters() -> Arc<StreamCounters> {
        StreamRegistry::default().start("t", 0)
    }

    #[test]
    fn rows_come_out_in_order_and_late_ones_aside() {
        let counters = counters();
        let mut reorder = Reorder::new(1 << 20);
        reorder
            .push(timed(&[Some(3), Some(1), None]), &counters)
            .unwrap();
        reorder.push(timed(&[Some(2), Some(9)]), &counters).unwrap();
        assert_eq!(values(&reorder.release(3).unwrap()), [1, 2, 3]);
        reorder
            .push(timed(&[Some(2), Some(3), Some(5)]), &counters)
            .unwrap();
        assert_eq!(values(&reorder.release(2).unwrap()), [0i64; 0]);
        assert_eq!(values(&reorder.release(i64::MAX).unwrap()), [3, 5, 9]);
        let missed = counters.missed_rows();
        let missed: Vec<_> = missed
            .iter()
            .map(|(why, rows)| (why.reason(), rows.num_rows()))
            .collect();
        assert_eq!(missed, [("no time", 1), ("late", 1)]);
        assert_eq!(reorder.held_bytes(), 0);
    }

    #[test]
    fn a_full_buffer_lets_go_early() {
        let counters = counters();
        let mut reorder = Reorder::new(1);
        for time in 0..10 {
            reorder.push(timed(&[Some(time)]), &counters).unwrap();
        }
        let early = values(&reorder.release(i64::MIN).unwrap());
        assert_eq!(early, [0, 1, 2, 3, 4, 5]);
        assert_eq!(values(&reorder.release(i64::MAX).unwrap()), [6, 7, 8, 9]);
    }
}
