//! Reading a live table in steps: rows with their event times, and the watermark.
//!
//! The reader has its own thread: it can be a few steps ahead of a slow query, and while it waits
//! it never blocks a thread of the query.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Thread;

use datafusion::arrow::array::{Array, AsArray, TimestampNanosecondArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, TimeUnit, TimestampNanosecondType};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::{Result, exec_datafusion_err};
use tokio::sync::mpsc;

use crate::algorithms::units::SECOND;
use crate::algorithms::windows::watermark::{Watermark, WatermarkOptions};
use crate::streams::clock::Clock;
use crate::streams::counters::StreamCounters;
use crate::streams::source::{CheckedReader, PartitionNews, Polled, Positions, ReadRows};

/// The number of steps that a reader may be ahead of its query.
pub(crate) const STEPS_AHEAD: usize = 4;
/// Bytes of one step of a replay, as many as a live step of followed files reads.
pub(crate) const REPLAY_BYTES: usize = 1 << 20;
/// How often the positions of a source are noted in its counters, which takes time if it has many
/// files.
const POSITIONS_INTERVAL: i64 = SECOND;

/// Rows and their event times.
#[derive(Debug, Clone)]
pub(crate) struct Timed {
    pub(crate) rows: RecordBatch,
    /// The event time of each row, in nanoseconds since 1970; NULL if it has none.
    pub(crate) times: TimestampNanosecondArray,
}

/// The result of one step.
#[derive(Debug)]
pub(crate) struct StreamStep {
    /// Rows ordered by partition, and within each in the order in which they were read. They came
    /// before the watermark moved.
    pub(crate) arrivals: Vec<Timed>,
    /// The partition of each arrival. It is the same whenever the rows are read again.
    pub(crate) partitions: Vec<u64>,
    /// No row with an earlier event time is expected; `i64::MAX` after the last step of a source
    /// that ends.
    pub(crate) watermark: i64,
    /// When it was read, in nanoseconds since 1970.
    pub(crate) now: i64,
    /// There was nothing more to read.
    pub(crate) is_caught_up: bool,
    /// The watermark waits for no file: every file was quiet for the idle timeout, and the
    /// watermark follows the clock.
    pub(crate) is_idle: bool,
    /// The positions of the source after these rows. Only steps of [`Stepper::resume`] have them,
    /// except those within a range that is replayed.
    pub(crate) positions: Option<Positions>,
    /// More steps of the replayed range follow: the watermark has not moved yet.
    pub(crate) is_within_range: bool,
    /// A caller that replays from written positions must write down those of this step.
    pub(crate) ends_range: bool,
}

/// A range that was read before. It is replayed in as many steps as it takes.
#[derive(Debug, Clone)]
pub(crate) struct ReadAgain {
    /// The positions at which it ends.
    pub(crate) upto: Positions,
    /// The watermark of its last step.
    pub(crate) watermark: i64,
    /// For [`TimeOf::Reading`]: the time of all its rows; `None`: now.
    pub(crate) reading_time: Option<i64>,
}

/// A step that comes before the live ones.
#[derive(Debug)]
enum Prelude {
    /// Tells where the source begins: here if given, otherwise where it finds itself.
    Begin(Option<Positions>),
    Again(ReadAgain),
}

/// Where the event time of a row comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeOf {
    /// The column with this index among those that are read.
    Column(usize),
    /// The moment at which it is read.
    Reading,
}

/// Reads a source step by step. It is a state machine without a clock, which gets the time as an
/// argument.
#[derive(Debug)]
pub(crate) struct Stepper {
    source: CheckedReader,
    time_of: TimeOf,
    /// The number of columns to hand out: all except a time column that is read only for its times.
    n_columns: usize,
    watermark: Watermark,
    /// The largest event time of each partition.
    newest: HashMap<u64, i64>,
    counters: Arc<StreamCounters>,
    now: i64,
    /// When the positions are next noted in the counters.
    positions_at: i64,
    preludes: VecDeque<Prelude>,
    tells_positions: bool,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// There is more to read.
    Busy,
    /// Everything was read.
    Waiting,
    /// No more rows will come.
    Ended,
}

impl Stepper {
    /// Reads `source`, and hands out the first `n_columns` of its columns.
    pub(crate) fn new(
        source: CheckedReader,
        time_of: TimeOf,
        n_columns: usize,
        options: WatermarkOptions,
        counters: Arc<StreamCounters>,
    ) -> Self {
        Self {
            source,
            time_of,
            n_columns,
            watermark: Watermark::new(options),
            newest: HashMap::new(),
            counters,
            now: i64::MIN,
            positions_at: i64::MIN,
            preludes: VecDeque::new(),
            tells_positions: false,
        }
    }

    /// Lets steps tell their positions, and replays the ranges of `again` first. The first step has
    /// no rows and tells where the source begins: at `begin` if it was opened there, otherwise
    /// where it finds itself. Then come the steps of each range of `again`: the last one tells
    /// positions, and the others are [within the range](StreamStep::is_within_range). Then come the
    /// live steps.
    pub(crate) fn resume(mut self, begin: Option<Positions>, again: Vec<ReadAgain>) -> Self {
        self.preludes.push_back(Prelude::Begin(begin));
        self.preludes.extend(again.into_iter().map(Prelude::Again));
        self.tells_positions = true;
        self
    }

    /// Makes the next step: replays what was read before, or reads what is there at `now`.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub(crate) fn step(&mut self, now: i64) -> Result<(StreamStep, Pace)> {
        // A clock that is set back must not make time run backwards here.
        self.now = self.now.max(now);
        match self.preludes.pop_front() {
            Some(Prelude::Begin(begin)) => self.begin(begin),
            Some(Prelude::Again(again)) => self.again(again),
            None => self.live(),
        }
    }

    /// Tells the source that nothing before these positions will be asked for again.
    ///
    /// # Errors
    /// When the source cannot be told.
    fn acknowledge(&mut self, upto: &Positions) -> Result<()> {
        self.source.acknowledge(upto)
    }

    /// Tells where the source begins, before anything is read.
    fn begin(&mut self, begin: Option<Positions>) -> Result<(StreamStep, Pace)> {
        let positions = match begin {
            Some(positions) => positions,
            None => {
                let mut polled = Polled::default();
                self.source.look(self.now, &mut polled)?;
                self.take_in(polled, None)?;
                self.source.positions()?
            }
        };
        let watermark = self.watermark.current();
        let step = self.described(Vec::new(), watermark, Some(positions))?;
        Ok((step, Pace::Busy))
    }

    /// Replays the next part of a range that an earlier process had read. The watermark moves at
    /// the end of the range, as it did then.
    fn again(&mut self, again: ReadAgain) -> Result<(StreamStep, Pace)> {
        let mut polled = Polled::default();
        let source = &mut self.source;
        source.replay(&again.upto, REPLAY_BYTES, self.now, &mut polled)?;
        let is_within_range = polled.has_more;
        let arrivals = self.take_in(polled, again.reading_time)?;
        if is_within_range {
            let mut step = self.described(arrivals, self.watermark.current(), None)?;
            step.is_within_range = true;
            self.preludes.push_front(Prelude::Again(again));
            return Ok((step, Pace::Busy));
        }
        self.watermark.raise(again.watermark);
        let step = self.described(arrivals, again.watermark, Some(again.upto))?;
        Ok((step, Pace::Busy))
    }

    fn live(&mut self) -> Result<(StreamStep, Pace)> {
        let mut polled = Polled::default();
        self.source.poll(self.now, &self.newest, &mut polled)?;
        let pace = match (polled.has_ended, polled.has_more) {
            (true, _) => Pace::Ended,
            (false, true) => Pace::Busy,
            (false, false) => Pace::Waiting,
        };
        let ends_range = polled.ends_range;
        let arrivals = self.take_in(polled, None)?;
        let watermark = self.advance(pace);
        let positions = if self.tells_positions {
            Some(self.source.positions()?)
        } else {
            None
        };
        let mut step = self.described(arrivals, watermark, positions)?;
        step.ends_range = ends_range;
        step.is_caught_up = pace != Pace::Busy;
        step.is_idle = step.is_caught_up && self.watermark.is_idle(self.now);
        Ok((step, pace))
    }

    /// Counts what was read, informs the watermark and finds the times of the rows. If their time
    /// is the moment of reading, all have `reading_time`, or now without one.
    fn take_in(
        &mut self,
        mut polled: Polled,
        reading_time: Option<i64>,
    ) -> Result<Vec<(u64, Timed)>> {
        self.count(&polled);
        // The result must not depend on which file was read first: when they are read again, it may
        // be another one.
        polled.pieces.sort_by_key(|piece| piece.partition);
        let opened = |news: &PartitionNews| *news == PartitionNews::Opened;
        self.tell(&polled.news, opened);
        let mut arrivals = Vec::with_capacity(polled.pieces.len());
        for ReadRows { partition, rows } in polled.pieces {
            let timed = self.timed(rows, reading_time.unwrap_or(self.now))?;
            if let Some(largest) = datafusion::arrow::compute::max(&timed.times) {
                self.watermark.observe(partition, largest, self.now);
                let newest = self.newest.entry(partition).or_insert(largest);
                *newest = largest.max(*newest);
            }
            arrivals.push((partition, timed));
        }
        self.tell(&polled.news, |news| !opened(news));
        Ok(arrivals)
    }

    /// Makes a step of these arrivals, and updates the counters.
    fn described(
        &mut self,
        arrivals: Vec<(u64, Timed)>,
        watermark: i64,
        positions: Option<Positions>,
    ) -> Result<StreamStep> {
        self.counters.watermark.store(watermark, Ordering::Relaxed);
        if self.now >= self.positions_at {
            self.counters.stand_at(self.source.place()?);
            self.positions_at = self.now.saturating_add(POSITIONS_INTERVAL);
        }
        let (partitions, arrivals) = arrivals.into_iter().unzip();
        Ok(StreamStep {
            arrivals,
            partitions,
            watermark,
            now: self.now,
            is_caught_up: false,
            is_idle: false,
            positions,
            is_within_range: false,
            ends_range: false,
        })
    }

    fn advance(&mut self, pace: Pace) -> i64 {
        if pace == Pace::Ended {
            self.watermark.end();
            return self.watermark.current();
        }
        match self.time_of {
            TimeOf::Column(_) => self.watermark.advance(self.now),
            TimeOf::Reading => self.now.max(self.watermark.current()),
        }
    }

    fn tell(&mut self, news: &[(u64, PartitionNews)], is_told: impl Fn(&PartitionNews) -> bool) {
        for (partition, news) in news.iter().filter(|(_, news)| is_told(news)) {
            match news {
                PartitionNews::Opened => self.watermark.open(*partition),
                PartitionNews::Behind => self.watermark.behind(*partition),
                PartitionNews::CaughtUp(since) => self.watermark.caught_up(*partition, *since),
                PartitionNews::Closed => {
                    self.watermark.close(*partition);
                    self.newest.remove(partition);
                }
            }
        }
    }

    fn count(&self, polled: &Polled) {
        let n_rows: usize = polled
            .pieces
            .iter()
            .map(|piece| piece.rows.num_rows())
            .sum();
        let counters = &self.counters;
        counters
            .rows_read
            .fetch_add(n_rows as u64, Ordering::Relaxed);
        counters
            .bytes_read
            .fetch_add(polled.bytes, Ordering::Relaxed);
        counters
            .rows_malformed
            .fetch_add(polled.malformed, Ordering::Relaxed);
        for problem in &polled.problems {
            counters.report(problem);
        }
        counters
            .problems
            .fetch_add(polled.n_more_problems, Ordering::Relaxed);
    }

    fn timed(&self, rows: RecordBatch, reading_time: i64) -> Result<Timed> {
        let times = match self.time_of {
            TimeOf::Reading => TimestampNanosecondArray::from_value(reading_time, rows.num_rows()),
            TimeOf::Column(index) => nanoseconds(rows.column(index))?,
        };
        let kept: Vec<usize> = (0..self.n_columns).collect();
        let rows = rows.project(&kept)?;
        Ok(Timed { rows, times })
    }
}

/// Times of any unit and zone as nanoseconds. Those that are out of range are NULL.
pub(crate) fn nanoseconds(times: &dyn Array) -> Result<TimestampNanosecondArray> {
    let instants = match times.data_type() {
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Nanosecond, zone.clone()),
        _ => DataType::Timestamp(TimeUnit::Nanosecond, None),
    };
    let times = cast(times, &instants)?;
    let times = times.as_primitive::<TimestampNanosecondType>();
    Ok(times.clone().with_timezone_opt(None::<Arc<str>>))
}

/// The steps of a reader that runs on its own thread.
#[derive(Debug)]
pub(crate) struct LiveStream {
    steps: mpsc::Receiver<Result<StreamStep>>,
    reader: Thread,
    /// The newest acknowledged positions that the source was not told of yet.
    acknowledged: Arc<Mutex<Option<Positions>>>,
    pub(crate) counters: Arc<StreamCounters>,
}

impl LiveStream {
    /// Starts the thread. It ends soon after the stream is dropped.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub(crate) fn start(mut stepper: Stepper, clock: Arc<dyn Clock>) -> Result<Self> {
        let (sender, steps) = mpsc::channel(STEPS_AHEAD);
        let counters = Arc::clone(&stepper.counters);
        let name = format!("live {}", counters.table_name);
        let acknowledged = Arc::new(Mutex::new(None));
        let to_tell = Arc::clone(&acknowledged);
        let work = move || {
            while !sender.is_closed() {
                if let Err(error) = acknowledge(&mut stepper, &to_tell) {
                    // The receiver may be gone; then nobody can see the error.
                    let _ = sender.blocking_send(Err(error));
                    return;
                }
                let (is_last, pace) = send_step(&mut stepper, clock.now(), &sender);
                if is_last {
                    break;
                }
                if pace == Pace::Waiting {
                    clock.wait();
                }
            }
            // Acknowledge once more, if there is anything new. A source that does not hear of it
            // only keeps more than it must.
            let _ = acknowledge(&mut stepper, &to_tell);
        };
        let reader = std::thread::Builder::new()
            .name(name)
            .spawn(work)
            .map_err(|error| exec_datafusion_err!("no thread to read a live table: {error}"))?;
        Ok(Self {
            steps,
            reader: reader.thread().clone(),
            acknowledged,
            counters,
        })
    }

    /// Tells the source, before its next step, that nothing before these positions will be asked
    /// for again.
    pub(crate) fn acknowledge(&self, upto: Positions) {
        *self
            .acknowledged
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(upto);
    }

    /// The next step; `None` after the last.
    pub(crate) async fn next(&mut self) -> Option<Result<StreamStep>> {
        self.steps.recv().await
    }
}

/// Tells the source what was acknowledged since the last call.
fn acknowledge(stepper: &mut Stepper, acknowledged: &Mutex<Option<Positions>>) -> Result<()> {
    let mut acknowledged = acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
    let upto = acknowledged.take();
    drop(acknowledged);
    upto.map_or(Ok(()), |upto| stepper.acknowledge(&upto))
}

impl Drop for LiveStream {
    fn drop(&mut self) {
        self.counters.end();
        // Wake the reader, so that it finds its query gone without waiting first.
        self.steps.close();
        self.reader.unpark();
    }
}

/// Makes a step and hands it over; true when it was the last.
fn send_step(
    stepper: &mut Stepper,
    now: i64,
    sender: &mpsc::Sender<Result<StreamStep>>,
) -> (bool, Pace) {
    match stepper.step(now) {
        Ok((step, pace)) => {
            let is_gone = sender.blocking_send(Ok(step)).is_err();
            (is_gone || pace == Pace::Ended, pace)
        }
        Err(error) => {
            // The receiver is gone; nobody can see the error.
            let _ = sender.blocking_send(Err(error));
            (true, Pace::Ended)
        }
    }
}
