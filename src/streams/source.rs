//! What a live source is: rows that keep coming, read a piece at a time, with positions that can be written down.
//!
//! A source is synchronous and is told the time: what it hands out depends on what was written and on the instants of
//! the calls alone, so that a test can play any order of events without a clock.

use std::collections::HashMap;
use std::fmt::{Debug, Display};

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, exec_err};
use serde::Serialize;

/// Where a reader stands, as JSON: what it has read before is not read again when it is opened there. Two of them, of one
/// reader or of one that was opened at the first, tell exactly what was read in between.
pub(crate) type Positions = serde_json::Value;

/// The written form of a place. It is never null: who begins at null begins at the start.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn positions_of(place: &impl Serialize) -> Result<Positions> {
    match serde_json::to_value(place) {
        Ok(Positions::Null) => exec_err!("a reader tells no positions"),
        Ok(positions) => Ok(positions),
        Err(error) => exec_err!("positions cannot be written down: {error}"),
    }
}

/// The error of a reader that is to go on from positions of another version.
pub(crate) fn unknown_version(version: impl Display) -> DataFusionError {
    exec_datafusion_err!(
        "positions of version {version} are not known to this version: begin anew with another checkpoint"
    )
}

/// Where the rows of a live table come from.
pub(crate) trait LiveSource: Debug + Send + Sync {
    /// All columns.
    fn schema(&self) -> SchemaRef;

    /// Begins to read the columns with these indices: at `positions`, or else where the options of the table say.
    ///
    /// # Errors
    /// When the source cannot be read at all, or the positions are not of this kind of source.
    fn open(
        &self,
        columns: &[usize],
        positions: Option<&Positions>,
    ) -> Result<Box<dyn SourceReader>>;

    /// Whether what was read once can be read again, so that positions mean something to a later process.
    fn is_replayable(&self) -> bool;
}

/// A source that is being read.
pub(crate) trait SourceReader: Debug + Send {
    /// Reads what is there now, up to about one block, and tells what is known of the partitions. `newest` has the
    /// largest event time of the partitions that were read before: a source with several reads the oldest first.
    ///
    /// # Errors
    /// When nothing more can be read. A problem of one file among many is a note in `polled`.
    fn poll(&mut self, now: i64, newest: &HashMap<u64, i64>, polled: &mut Polled) -> Result<()>;

    /// Finds what there is and reads nothing, so that [`Self::positions`] is a true place to begin: what is written from
    /// now on comes after it.
    ///
    /// # Errors
    /// When the source cannot be read.
    fn look(&mut self, now: i64, polled: &mut Polled) -> Result<()>;

    /// From where it stands, reads what another reader of this source had read when it stood at `upto`, be it in an
    /// earlier process, and nothing else: the same rows, those of each partition in the same order. What is no longer
    /// there is a problem that is noted.
    ///
    /// One call reads up to about `max_bytes`: a block, a batch or an event more at most. While `polled.has_more`, call it
    /// again with the same `upto`, and nothing else; then the reader stands at `upto`. Positions that it tells before that
    /// are for people.
    ///
    /// # Errors
    /// When the source cannot be read, or the positions are not of this source.
    fn replay(
        &mut self,
        upto: &Positions,
        max_bytes: usize,
        now: i64,
        polled: &mut Polled,
    ) -> Result<()>;

    /// Where the reader stands after the rows that it has handed out; never null.
    ///
    /// # Errors
    /// When the place cannot be written.
    fn positions(&self) -> Result<Positions>;
}

/// What one poll has found.
#[derive(Debug, Default)]
pub(crate) struct Polled {
    /// Rows, in the order in which they were read.
    pub(crate) pieces: Vec<ReadRows>,
    /// What is new about partitions.
    pub(crate) news: Vec<(u64, PartitionNews)>,
    /// Whether there was more than fits one poll, or one call of a replay.
    pub(crate) has_more: bool,
    /// Positions remember no more than they do now: what is read next can be replayed from here, but not from an earlier
    /// place.
    pub(crate) ends_range: bool,
    /// Whether the source has ended, as standard input does.
    pub(crate) has_ended: bool,
    /// Bytes read.
    pub(crate) bytes: u64,
    /// Rows among them that are not written as the table expects.
    pub(crate) malformed: u64,
    /// What went wrong without stopping the rest, for people.
    pub(crate) problems: Vec<String>,
    /// How many more there were.
    pub(crate) n_more_problems: u64,
}

/// Rows of one partition: of one file.
#[derive(Debug)]
pub(crate) struct ReadRows {
    pub(crate) partition: u64,
    pub(crate) rows: RecordBatch,
}

/// What is known of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PartitionNews {
    /// It was found: its rows are waited for.
    Opened,
    /// There is more to read.
    Behind,
    /// All of it was read, and nothing has been written since this instant.
    CaughtUp(i64),
    /// It will have no more rows.
    Closed,
}
