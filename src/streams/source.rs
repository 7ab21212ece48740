//! Live sources: rows that keep coming, are read a piece at a time, and have positions that can be
//! written down.
//!
//! A source is synchronous and gets the time as an argument: what it hands out depends only on what
//! was written and on the instants of the calls, so that a test can play any order of events
//! without a clock.

use std::collections::HashMap;
use std::fmt::Debug;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::{Result, exec_err};
use serde::{Deserialize, Serialize};

/// The position of a reader, as JSON in a form that the source chooses: a reader that is opened
/// there does not read again what was read before. Two positions, of one reader or of one that was
/// opened at the first, define exactly what was read in between.
pub type PositionsBody = serde_json::Value;

/// The kind of source that positions belong to, and the version of their form: positions of another
/// kind or version are refused before the source sees them.
///
/// ```
/// use datafusion_aiops::source::PositionsKind;
///
/// const KIND: PositionsKind = PositionsKind::new("ticks", 1);
/// assert_eq!((KIND.name(), KIND.version()), ("ticks", 1));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PositionsKind {
    name: &'static str,
    version: u32,
}

impl PositionsKind {
    /// A kind with this name; the version starts at 1 and increases whenever the meaning of a field
    /// changes.
    pub const fn new(name: &'static str, version: u32) -> Self {
        Self { name, version }
    }

    /// The name of the kind of source.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The version of the form.
    pub fn version(&self) -> u32 {
        self.version
    }
}

/// The position of a reader, in the form that is written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Positions {
    kind: String,
    version: u32,
    body: PositionsBody,
}

impl Positions {
    pub(crate) fn new(kind: PositionsKind, body: PositionsBody) -> Self {
        Self {
            kind: kind.name.to_string(),
            version: kind.version,
            body,
        }
    }

    /// The form that the source itself wrote, if these positions are of this kind.
    ///
    /// # Errors
    /// When they are of another kind of source, or of another version.
    pub(crate) fn body_of(&self, kind: PositionsKind) -> Result<&PositionsBody> {
        if self.kind != kind.name {
            return exec_err!(
                "these positions are of {}, and the table reads {}: use another checkpoint",
                self.kind,
                kind.name
            );
        }
        if self.version != kind.version {
            return exec_err!(
                "positions of version {} of {} are not known to this version, which writes {}: use another checkpoint",
                self.version,
                self.kind,
                kind.version
            );
        }
        Ok(&self.body)
    }
}

/// The written form of a place. It is never null, since null would mean the start.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn positions_of(place: &impl Serialize) -> Result<PositionsBody> {
    match serde_json::to_value(place) {
        Ok(PositionsBody::Null) => exec_err!("a reader tells no positions"),
        Ok(positions) => Ok(positions),
        Err(error) => exec_err!("positions cannot be written down: {error}"),
    }
}

/// Where the rows of a live table come from.
///
/// [`live_table`](crate::source::live_table) makes a table from it; `tests/it/extend.rs` has an
/// example.
pub trait LiveSource: Debug + Send + Sync {
    /// All columns.
    fn schema(&self) -> SchemaRef;

    /// The kind and version of its positions.
    fn positions_kind(&self) -> PositionsKind;

    /// Begins to read the columns with these indices: at `positions` if there are any, otherwise
    /// where the options of the table say.
    ///
    /// # Errors
    /// When the source cannot be read at all, or the positions are not of this kind of source.
    fn open(
        &self,
        columns: &[usize],
        positions: Option<&PositionsBody>,
    ) -> Result<Box<dyn SourceReader>>;

    /// Whether what was read can be read again, so that positions are of use to a later process.
    fn is_replayable(&self) -> bool;

    /// Whether the rows come to an end by themselves, as those of a pipe do. Statements without a
    /// window may then need all of them, and answer at the end.
    fn ends(&self) -> bool {
        false
    }
}

/// A source that is being read.
pub trait SourceReader: Debug + Send {
    /// Reads what is there now, up to about one block, and reports what is known of the partitions.
    /// `newest` has the largest event time of each partition that was read before, so that a source
    /// with several can read the oldest first.
    ///
    /// # Errors
    /// When nothing more can be read. A problem with one file among many is only noted in `polled`.
    fn poll(&mut self, now: i64, newest: &HashMap<u64, i64>, polled: &mut Polled) -> Result<()>;

    /// Finds what is there without reading it, so that [`Self::positions`] is a valid place to
    /// begin: everything that is written from now on comes after it.
    ///
    /// # Errors
    /// When the source cannot be read.
    fn look(&mut self, now: i64, polled: &mut Polled) -> Result<()>;

    /// Reads, from the current position, exactly what another reader of this source, possibly in an
    /// earlier process, had read when it was at `upto`: the same rows, those of each partition in
    /// the same order. What is no longer there is noted as a problem.
    ///
    /// One call reads up to about `max_bytes`, at most a block, a batch or an event more. While
    /// `polled.has_more` is set, call this method again with the same `upto`, and no other; after
    /// that the reader is at `upto`. Positions that it returns before then are only for people to
    /// read.
    ///
    /// # Errors
    /// When the source cannot be read, or the positions are not of this source.
    fn replay(
        &mut self,
        upto: &PositionsBody,
        max_bytes: usize,
        now: i64,
        polled: &mut Polled,
    ) -> Result<()>;

    /// The position after the rows that the reader has handed out; never null.
    ///
    /// # Errors
    /// When the place cannot be written.
    fn positions(&self) -> Result<PositionsBody>;

    /// Tells the source that nothing before these positions will be asked for again, by this
    /// process or a later one: the positions have been written down, and so has everything that was
    /// made of the rows before them. A source that keeps what it hands out may now release it.
    ///
    /// # Errors
    /// When the source cannot be told.
    fn acknowledge(&mut self, _upto: &PositionsBody) -> Result<()> {
        Ok(())
    }
}

/// What one poll has found.
///
/// ```
/// use datafusion_aiops::source::{PartitionNews, Polled};
///
/// let mut polled = Polled::default();
/// polled.news.push((0, PartitionNews::Opened));
/// assert!(polled.pieces.is_empty());
/// ```
#[derive(Debug, Default)]
pub struct Polled {
    /// Rows, in the order in which they were read.
    pub pieces: Vec<ReadRows>,
    /// What is new about partitions.
    pub news: Vec<(u64, PartitionNews)>,
    /// Whether there was more than fits into one poll, or one call of a replay.
    pub has_more: bool,
    /// Positions cannot remember more than they do now: what is read next can be replayed from
    /// here, but not from an earlier place.
    pub ends_range: bool,
    /// Whether the source has ended, as standard input does.
    pub has_ended: bool,
    /// Bytes read.
    pub bytes: u64,
    /// The number of rows that are not written in the form that the table expects.
    pub malformed: u64,
    /// What went wrong without stopping the rest, as messages for people.
    pub problems: Vec<String>,
    /// The number of problems that are not listed.
    pub n_more_problems: u64,
}

/// Rows of one partition, such as one file.
#[derive(Debug)]
pub struct ReadRows {
    /// The file, or whatever else has its own order of rows.
    pub partition: u64,
    /// The columns that were asked for.
    pub rows: RecordBatch,
}

/// What is known of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartitionNews {
    /// It was found, and the watermark waits for its rows.
    Opened,
    /// There is more to read.
    Behind,
    /// All of it was read, and nothing has been written since this instant.
    CaughtUp(i64),
    /// It will have no more rows.
    Closed,
}

/// A reader that adds kind and version to its positions, and checks them.
#[derive(Debug)]
pub(crate) struct CheckedReader {
    reader: Box<dyn SourceReader>,
    kind: PositionsKind,
}

impl CheckedReader {
    /// Begins to read the columns with these indices: at `positions` if there are any, otherwise
    /// where the options of the table say.
    ///
    /// # Errors
    /// When the source cannot be read, or the positions are not its own.
    pub(crate) fn open(
        source: &dyn LiveSource,
        columns: &[usize],
        positions: Option<&Positions>,
    ) -> Result<Self> {
        let kind = source.positions_kind();
        let body = positions.map(|positions| positions.body_of(kind));
        Ok(Self {
            reader: source.open(columns, body.transpose()?)?,
            kind,
        })
    }

    pub(crate) fn poll(
        &mut self,
        now: i64,
        newest: &HashMap<u64, i64>,
        polled: &mut Polled,
    ) -> Result<()> {
        self.reader.poll(now, newest, polled)
    }

    pub(crate) fn look(&mut self, now: i64, polled: &mut Polled) -> Result<()> {
        self.reader.look(now, polled)
    }

    pub(crate) fn replay(
        &mut self,
        upto: &Positions,
        max_bytes: usize,
        now: i64,
        polled: &mut Polled,
    ) -> Result<()> {
        let upto = upto.body_of(self.kind)?;
        self.reader.replay(upto, max_bytes, now, polled)
    }

    pub(crate) fn positions(&self) -> Result<Positions> {
        Ok(Positions::new(self.kind, self.reader.positions()?))
    }

    pub(crate) fn acknowledge(&mut self, upto: &Positions) -> Result<()> {
        self.reader.acknowledge(upto.body_of(self.kind)?)
    }

    /// The positions as text, for people.
    pub(crate) fn place(&self) -> Result<String> {
        Ok(self.reader.positions()?.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_of_others_are_refused() {
        const KIND: PositionsKind = PositionsKind::new("files", 2);
        let positions = Positions::new(KIND, PositionsBody::from(7));
        assert_eq!(positions.body_of(KIND).unwrap(), 7);
        for (kind, expected) in [
            (
                PositionsKind::new("topic", 2),
                "these positions are of files, and the table reads topic",
            ),
            (
                PositionsKind::new("files", 3),
                "positions of version 2 of files are not known",
            ),
        ] {
            let error = positions.body_of(kind).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn positions_are_written_with_their_kind() {
        let positions = Positions::new(
            PositionsKind::new("files", 2),
            serde_json::json!({ "at": 7 }),
        );
        let text = serde_json::to_string(&positions).unwrap();
        assert_eq!(text, r#"{"kind":"files","version":2,"body":{"at":7}}"#);
        assert_eq!(serde_json::from_str::<Positions>(&text).unwrap(), positions);
    }
}
