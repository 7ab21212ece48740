//! A live source for tests: it hands out what a script says, at the instants that the script says.
//! Its positions are the number of steps that were played. A replay hands out a few rows at a time,
//! so that every test of pipelines has ranges of many steps.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::Result;
use serde_json::json;

use crate::algorithms::windows::watermark::WatermarkOptions;
use crate::streams::clock::Clock;
use crate::streams::counters::StreamRegistry;
use crate::streams::source::{
    LiveSource, PartitionNews, Polled, PositionsBody, PositionsKind, ReadRows, SourceReader,
};
use crate::streams::table::LiveTable;

/// The number of rows of one call of a replay; steps of scripts have more.
const REPLAY_ROWS: usize = 3;

/// What one poll finds.
#[derive(Debug, Clone, Default)]
pub(crate) struct ScriptStep {
    /// When it is polled, in nanoseconds since 1970.
    pub(crate) now: i64,
    pub(crate) pieces: Vec<(u64, RecordBatch)>,
    pub(crate) news: Vec<(u64, PartitionNews)>,
}

/// A live table that plays a script once per statement, and then ends.
pub(crate) fn scripted_table(
    name: &str,
    schema: SchemaRef,
    time_column: Option<usize>,
    watermark: WatermarkOptions,
    steps: Vec<ScriptStep>,
) -> LiveTable {
    let nows = steps.iter().map(|step| step.now).collect();
    let at = Arc::new(AtomicUsize::new(0));
    LiveTable {
        name: name.to_string(),
        source: Arc::new(LiveScript {
            schema,
            steps,
            clock_at: Arc::clone(&at),
        }),
        time_column,
        watermark,
        buffer_bytes: 1 << 30,
        clock: Arc::new(ScriptClock { nows, at }),
        streams: Arc::new(StreamRegistry::default()),
    }
}

#[derive(Debug)]
struct LiveScript {
    schema: SchemaRef,
    steps: Vec<ScriptStep>,
    clock_at: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct ScriptReader {
    columns: Vec<usize>,
    steps: VecDeque<ScriptStep>,
    n_played: usize,
    /// The part of a step that a replay has not handed out yet.
    rest: ScriptStep,
    clock_at: Arc<AtomicUsize>,
}

impl ScriptReader {
    /// Begins to replay a step, with its rows ordered by partition, as in all sources.
    fn begin_again(&mut self) {
        self.rest = self.steps.pop_front().unwrap_or_default();
        self.rest.pieces.sort_by_key(|(partition, _)| *partition);
        self.n_played += 1;
    }

    fn play_a_few_rows(&mut self, polled: &mut Polled) -> Result<()> {
        let Some((partition, rows)) = self.rest.pieces.first().cloned() else {
            return Ok(());
        };
        let n_rows = rows.num_rows().min(REPLAY_ROWS);
        if n_rows < rows.num_rows() {
            self.rest.pieces[0].1 = rows.slice(n_rows, rows.num_rows() - n_rows)
        } else {
            drop(self.rest.pieces.remove(0))
        }
        let rows = rows.slice(0, n_rows).project(&self.columns)?;
        polled.pieces.push(ReadRows { partition, rows });
        Ok(())
    }

    fn play(&mut self, polled: &mut Polled) -> Result<()> {
        if let Some(step) = self.steps.pop_front() {
            self.n_played += 1;
            for (partition, rows) in step.pieces {
                let rows = rows.project(&self.columns)?;
                polled.pieces.push(ReadRows { partition, rows });
            }
            polled.news.extend(step.news);
        }
        Ok(())
    }

    /// The next call of the clock tells the instant of the next step.
    fn set_clock(&self) {
        self.clock_at.store(self.n_played + 1, Ordering::Relaxed);
    }
}

/// Each call tells the instant of the next step. The first, which tells when the statement begins,
/// does not count.
#[derive(Debug)]
struct ScriptClock {
    nows: Vec<i64>,
    at: Arc<AtomicUsize>,
}

impl Clock for ScriptClock {
    fn now(&self) -> i64 {
        let at = self.at.fetch_add(1, Ordering::Relaxed);
        let now = self.nows.get(at.saturating_sub(1)).or(self.nows.last());
        now.copied().unwrap_or_default()
    }

    fn wait(&self) {}
}

impl LiveSource for LiveScript {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn positions_kind(&self) -> PositionsKind {
        PositionsKind::new("script", 1)
    }

    fn open(
        &self,
        columns: &[usize],
        positions: Option<&PositionsBody>,
    ) -> Result<Box<dyn SourceReader>> {
        let n_played = positions.and_then(|positions| positions["step"].as_u64());
        let n_played = usize::try_from(n_played.unwrap_or(0)).unwrap();
        let reader = ScriptReader {
            columns: columns.to_vec(),
            steps: self.steps.iter().skip(n_played).cloned().collect(),
            n_played,
            rest: ScriptStep::default(),
            clock_at: Arc::clone(&self.clock_at),
        };
        if positions.is_some() {
            // Before the first live step the clock is asked twice: when the statement begins, and
            // for the step without rows.
            let at = n_played.wrapping_sub(1);
            self.clock_at.store(at, Ordering::Relaxed);
        }
        Ok(Box::new(reader))
    }

    fn is_replayable(&self) -> bool {
        true
    }
}

impl SourceReader for ScriptReader {
    fn poll(&mut self, _now: i64, _newest: &HashMap<u64, i64>, polled: &mut Polled) -> Result<()> {
        self.play(polled)?;
        polled.has_ended = self.steps.is_empty();
        Ok(())
    }

    fn look(&mut self, _now: i64, _polled: &mut Polled) -> Result<()> {
        self.set_clock();
        Ok(())
    }

    fn replay(
        &mut self,
        upto: &PositionsBody,
        _max_bytes: usize,
        _now: i64,
        polled: &mut Polled,
    ) -> Result<()> {
        let upto = usize::try_from(upto["step"].as_u64().unwrap()).unwrap();
        if self.rest.pieces.is_empty() && self.n_played < upto {
            self.begin_again();
        }
        self.play_a_few_rows(polled)?;
        if self.rest.pieces.is_empty() {
            polled.news.append(&mut self.rest.news);
        }
        polled.has_more = self.n_played < upto || !self.rest.pieces.is_empty();
        self.set_clock();
        Ok(())
    }

    fn positions(&self) -> Result<PositionsBody> {
        Ok(json!({ "step": self.n_played }))
    }
}
