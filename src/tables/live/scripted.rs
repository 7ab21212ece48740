//! A live source for tests: it hands out what a script says, at the instants that the script says.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::Result;

use crate::algorithms::windows::watermark::WatermarkOptions;
use crate::tables::live::clock::Clock;
use crate::tables::live::counters::StreamRegistry;
use crate::tables::live::source::{
    LiveSource, PartitionNews, Piece, Polled, Positions, SourceReader,
};
use crate::tables::live::table::LiveTable;

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
    LiveTable {
        name: name.to_string(),
        source: Arc::new(Script { schema, steps }),
        time_column,
        watermark,
        buffer_bytes: 1 << 30,
        clock: Arc::new(ScriptClock {
            nows,
            at: Mutex::new(0),
        }),
        streams: Arc::new(StreamRegistry::default()),
    }
}

#[derive(Debug)]
struct Script {
    schema: SchemaRef,
    steps: Vec<ScriptStep>,
}

#[derive(Debug)]
struct ScriptReader {
    columns: Vec<usize>,
    steps: VecDeque<ScriptStep>,
}

/// Each call tells the instant of the next step. The first, which tells when the statement begins, does not count.
#[derive(Debug)]
struct ScriptClock {
    nows: Vec<i64>,
    at: Mutex<usize>,
}

impl Clock for ScriptClock {
    fn now(&self) -> i64 {
        let mut at = self.at.lock().unwrap();
        let now = self.nows.get(at.saturating_sub(1)).or(self.nows.last());
        *at += 1;
        now.copied().unwrap_or_default()
    }

    fn wait(&self) {}
}

impl LiveSource for Script {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn open(
        &self,
        columns: &[usize],
        _positions: Option<&Positions>,
    ) -> Result<Box<dyn SourceReader>> {
        Ok(Box::new(ScriptReader {
            columns: columns.to_vec(),
            steps: self.steps.clone().into(),
        }))
    }
}

impl SourceReader for ScriptReader {
    fn poll(&mut self, _now: i64, _newest: &HashMap<u64, i64>, polled: &mut Polled) -> Result<()> {
        if let Some(step) = self.steps.pop_front() {
            for (partition, rows) in step.pieces {
                let rows = rows.project(&self.columns)?;
                polled.pieces.push(Piece { partition, rows });
            }
            polled.news = step.news;
        }
        polled.has_ended = self.steps.is_empty();
        Ok(())
    }

    fn positions(&self) -> Positions {
        Positions::Null
    }
}
