//! Reads again, in steps, what a reader of followed logs had read before: one partition after the
//! other, each with the same events as then.
//!
//! The bytes of a stretch are found by their content, in the file or in one that was compressed
//! since. Only a block and an event are held at a time.

use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use datafusion::common::Result;

use crate::formats::log::spec::LogSpec;
use crate::sources::files::follow::reread::Stretch;
use crate::sources::files::follow::state::FollowedFiles;
use crate::sources::files::growing::GrowingLog;
use crate::sources::files::packed::{ContentPlace, PackedFiles, PackedStretch, Unpacked};
use crate::streams::source::{PartitionNews, Polled};

/// The most bytes of a step that are read at once.
const BLOCK_BYTES: usize = 1 << 20;

/// A replay under way.
#[derive(Debug)]
pub(super) struct Replay {
    /// In the order of their partitions.
    parts: VecDeque<ReplayPart>,
    /// The partition that is being read.
    current: Option<ReplayedPartition>,
}

/// The part of a partition that is read again.
#[derive(Debug)]
pub(super) struct ReplayPart {
    pub(super) partition: u64,
    pub(super) bytes: Bytes,
    /// What is known of the partition once it is read.
    pub(super) news: PartitionNews,
}

/// The bytes that are read again.
#[derive(Debug)]
pub(super) enum Bytes {
    Plain {
        stretch: Stretch,
        line_number: u64,
        /// Where events were cut because nothing followed in time.
        cuts: BTreeSet<u64>,
        /// When the bytes were read, which gives the year of times that have none.
        read_at: i64,
    },
    Packed(PackedStretch),
}

/// What a replay reads from.
pub(super) struct Sources<'a> {
    pub(super) spec: &'a LogSpec,
    pub(super) columns: &'a [usize],
    pub(super) files: &'a FollowedFiles,
    pub(super) packed: &'a mut PackedFiles,
    /// Finds the plain and the compressed files that are there now.
    pub(super) listed: &'a dyn Fn() -> (Vec<PathBuf>, Vec<PathBuf>),
}

/// A partition that is being read again.
#[derive(Debug)]
struct ReplayedPartition {
    partition: u64,
    news: PartitionNews,
    /// Where its file was when it was read last, for people.
    path: String,
    place: FoundBytes,
    /// The next byte, and the one after the last.
    from: u64,
    to: u64,
    cuts: BTreeSet<u64>,
    written: DateTime<Utc>,
    log: GrowingLog,
}

/// Where the bytes are.
#[derive(Debug)]
enum FoundBytes {
    Plain(Stretch),
    Unpacked(Unpacked),
    Nowhere,
}

impl Replay {
    /// A replay of these parts.
    pub(super) fn new(mut parts: Vec<ReplayPart>) -> Self {
        parts.sort_by_key(|part| part.partition);
        Self {
            parts: parts.into(),
            current: None,
        }
    }

    /// Whether everything was read.
    pub(super) fn is_over(&self) -> bool {
        self.parts.is_empty() && self.current.is_none()
    }

    /// Reads about `max_bytes` bytes.
    ///
    /// # Errors
    /// When columns cannot be built. What is gone or cannot be read is noted as a problem.
    pub(super) fn step(
        &mut self,
        max_bytes: usize,
        sources: &mut Sources,
        polled: &mut Polled,
    ) -> Result<()> {
        let mut n_left = max_bytes.max(1);
        while n_left > 0 {
            let Some(mut reading) = self.next_reading(sources)? else {
                break;
            };
            let n_bytes = reading.feed_block(n_left.min(BLOCK_BYTES), sources);
            n_left -= n_bytes.min(n_left);
            polled.bytes += n_bytes as u64;
            if n_bytes > 0 && reading.from < reading.to {
                reading.log.hand_over(reading.partition, polled)?;
                self.current = Some(reading);
            } else {
                reading.finish(polled)?;
            }
        }
        Ok(())
    }

    /// The partition that is being read, or the next one.
    fn next_reading(&mut self, sources: &mut Sources) -> Result<Option<ReplayedPartition>> {
        match self.current.take() {
            Some(reading) => Ok(Some(reading)),
            None => {
                let next = self.parts.pop_front();
                next.map(|part| ReplayedPartition::open(part, sources))
                    .transpose()
            }
        }
    }
}

impl ReplayedPartition {
    fn open(part: ReplayPart, sources: &mut Sources) -> Result<Self> {
        let ReplayPart {
            partition,
            bytes,
            news,
        } = part;
        match bytes {
            Bytes::Plain {
                stretch,
                line_number,
                cuts,
                read_at,
            } => Ok(Self {
                partition,
                news,
                path: stretch.path().display().to_string(),
                log: log_at((stretch.from, line_number), &stretch.name, sources)?,
                from: stretch.from,
                to: stretch.to,
                place: FoundBytes::Plain(stretch),
                cuts,
                written: DateTime::from_timestamp_nanos(read_at),
            }),
            Bytes::Packed(stretch) => {
                let (_, packed) = (sources.listed)();
                let (place, written) = match sources.packed.open_again(&stretch, &packed) {
                    Some((bytes, written)) => (FoundBytes::Unpacked(bytes), written),
                    None => (FoundBytes::Nowhere, 0),
                };
                Ok(Self {
                    partition,
                    news,
                    path: stretch.path().to_string(),
                    log: log_at(stretch.from, &stretch.name, sources)?,
                    place,
                    from: stretch.from.0,
                    to: stretch.to,
                    cuts: BTreeSet::new(),
                    written: DateTime::from_timestamp_nanos(written),
                })
            }
        }
    }

    /// Feeds the next bytes to the log, and returns how many they were; 0 if there are no more, or
    /// they are not found.
    fn feed_block(&mut self, max_bytes: usize, sources: &Sources) -> usize {
        let offset = self.from;
        let Some(block) = self.next_block(max_bytes, sources) else {
            return 0;
        };
        self.from += block.len() as u64;
        for (is_cut, part) in parts(&block, offset, &self.cuts) {
            if is_cut {
                self.log.end_event();
            }
            self.log.feed(part.to_vec(), self.written);
        }
        block.len()
    }

    fn next_block(&mut self, max_bytes: usize, sources: &Sources) -> Option<Vec<u8>> {
        let n_left = usize::try_from(self.to - self.from).unwrap_or(usize::MAX);
        let max_bytes = max_bytes.min(n_left);
        if let FoundBytes::Plain(stretch) = &mut self.place {
            let (mut block, listed) = (Vec::new(), || (sources.listed)().0);
            let files = sources.files;
            if files.reread(stretch, &listed, max_bytes, &mut block) {
                return Some(block);
            }
            // It may have been compressed since.
            let (_, packed) = (sources.listed)();
            self.place = match sources.packed.unpack(stretch, &packed) {
                Some(unpacked) => FoundBytes::Unpacked(unpacked),
                None => FoundBytes::Nowhere,
            };
        }
        match &mut self.place {
            FoundBytes::Unpacked(bytes) => sources.packed.next_bytes(bytes, max_bytes),
            FoundBytes::Plain(_) | FoundBytes::Nowhere => None,
        }
    }

    /// Ends the log as it ended when it was first read.
    fn finish(mut self, polled: &mut Polled) -> Result<()> {
        let n_missing = self.to - self.from;
        match n_missing {
            // The stretch ends after an event: at the next one, or because nothing followed, or
            // with the file.
            0 => self.log.finish(),
            // Bytes are missing, and a part of a line is not a line.
            _ => self.log.end_event(),
        }
        self.log.hand_over(self.partition, polled)?;
        if n_missing > 0 {
            polled.problems.push(format!(
                "{} cannot be read again: {n_missing} bytes of its content are missing",
                self.path
            ));
        }
        polled.news.push((self.partition, self.news));
        Ok(())
    }
}

fn log_at(place: ContentPlace, name: &str, sources: &Sources) -> Result<GrowingLog> {
    GrowingLog::try_new(sources.spec, sources.columns, name, place)
}

/// Splits a block where events were cut. Each part comes with whether an event was cut at its
/// start, which only the first part may lack.
fn parts<'a>(
    block: &'a [u8],
    offset: u64,
    cuts: &BTreeSet<u64>,
) -> impl Iterator<Item = (bool, &'a [u8])> {
    let end = offset.saturating_add(block.len() as u64);
    let inner = cuts.range(offset.saturating_add(1)..end.max(offset.saturating_add(1)));
    let starts: Vec<u64> = std::iter::once(offset).chain(inner.copied()).collect();
    let ends = starts.iter().skip(1).copied().chain([end]);
    let ends: Vec<u64> = ends.collect();
    let is_cut_at_start = cuts.contains(&offset);
    let place = move |at: u64| usize::try_from(at - offset).unwrap_or(usize::MAX);
    starts.into_iter().zip(ends).map(move |(from, to)| {
        let part = block.get(place(from)..place(to)).unwrap_or_default();
        (from > offset || is_cut_at_start, part)
    })
}
