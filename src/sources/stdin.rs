//! Standard input as a live log: `journalctl -f | datafusion-aiops -c "SELECT … FROM stdin"`.
//!
//! [`register_stdin`](crate::register_stdin) makes the table `stdin`. To give options, write
//! `CREATE UNBOUNDED EXTERNAL TABLE s STORED AS LOG LOCATION '/dev/stdin' OPTIONS (…)`. Only one
//! statement of a process can read it, because what was read is gone. It ends when the pipe does,
//! which closes the last window.

use std::collections::HashMap;
use std::io::{Cursor, ErrorKind, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::DateTime;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use serde_json::json;

use crate::formats::log::spec::LogSpec;
use crate::sources::files::growing::GrowingLog;
use crate::streams::source::{
    LiveSource, PartitionNews, Polled, PositionsBody, PositionsKind, SourceReader,
};

/// The location that means standard input.
pub(crate) const LOCATION: &str = "/dev/stdin";
/// The value of column `file`.
const NAME: &str = "stdin";
/// As much as a pipe holds.
const BLOCK_BYTES: usize = 64 << 10;
/// The number of blocks that are read ahead of the statement.
const BLOCKS_AHEAD: usize = 16;
const PARTITION: u64 = 0;

/// Whether a statement has begun to read.
static IS_TAKEN: AtomicBool = AtomicBool::new(false);
/// What was read to find the format, for the statement that reads.
static FIRST: Mutex<Option<Vec<u8>>> = Mutex::new(None);

/// The first bytes of standard input, once there are any: the statement that reads it gets them,
/// too.
///
/// # Errors
/// When it cannot be read, or a statement has begun to.
pub(crate) fn first_bytes() -> Result<Vec<u8>> {
    if IS_TAKEN.load(Ordering::Relaxed) {
        return is_taken();
    }
    let mut first = FIRST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(first) = &*first {
        return Ok(first.clone());
    }
    let mut block = vec![0; BLOCK_BYTES];
    let n_bytes = std::io::stdin().read(&mut block)?;
    block.truncate(n_bytes);
    *first = Some(block.clone());
    Ok(block)
}

fn is_taken<T>() -> Result<T> {
    exec_err!("standard input can be read by one statement only, and one has begun to")
}

/// Standard input as a live source.
#[derive(Debug)]
pub(crate) struct StdinSource {
    pub(crate) spec: Arc<LogSpec>,
}

impl LiveSource for StdinSource {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.spec.columns.schema)
    }

    fn positions_kind(&self) -> PositionsKind {
        PositionsKind::new("standard input", 1)
    }

    fn open(
        &self,
        columns: &[usize],
        positions: Option<&PositionsBody>,
    ) -> Result<Box<dyn SourceReader>> {
        if positions.is_some() {
            return exec_err!("standard input cannot be read again from an earlier place");
        }
        let log = GrowingLog::try_new(&self.spec, columns, NAME, (0, 1))?;
        if IS_TAKEN.swap(true, Ordering::Relaxed) {
            return is_taken();
        }
        let first = FIRST.lock().unwrap_or_else(PoisonError::into_inner).take();
        let input = Cursor::new(first.unwrap_or_default()).chain(std::io::stdin());
        Ok(Box::new(StdinReader::start(log, input)?))
    }

    fn is_replayable(&self) -> bool {
        false
    }

    fn ends(&self) -> bool {
        true
    }
}

/// Standard input, or another stream of bytes, that is being read.
#[derive(Debug)]
struct StdinReader {
    blocks: Receiver<std::io::Result<Vec<u8>>>,
    log: GrowingLog,
    is_new: bool,
    quiet_since: i64,
    n_bytes: u64,
}

impl StdinReader {
    /// Starts a thread that reads, because waiting for a pipe blocks its thread.
    fn start(log: GrowingLog, input: impl Read + Send + 'static) -> Result<Self> {
        let (sender, blocks) = sync_channel(BLOCKS_AHEAD);
        std::thread::Builder::new()
            .name(NAME.to_string())
            .spawn(move || send_blocks(input, &sender))
            .map_err(|error| exec_datafusion_err!("no thread to read standard input: {error}"))?;
        Ok(Self {
            blocks,
            log,
            is_new: true,
            quiet_since: 0,
            n_bytes: 0,
        })
    }
}

/// Sends blocks until the input ends, reading fails, or the receiver is gone.
fn send_blocks(mut input: impl Read, blocks: &SyncSender<std::io::Result<Vec<u8>>>) {
    loop {
        let mut block = vec![0; BLOCK_BYTES];
        let read = match input.read(&mut block) {
            Ok(0) => return,
            Ok(n_bytes) => {
                block.truncate(n_bytes);
                Ok(block)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let is_error = read.is_err();
        if blocks.send(read).is_err() || is_error {
            return;
        }
    }
}

impl SourceReader for StdinReader {
    fn poll(&mut self, now: i64, _newest: &HashMap<u64, i64>, polled: &mut Polled) -> Result<()> {
        if std::mem::take(&mut self.is_new) {
            polled.news.push((PARTITION, PartitionNews::Opened));
            self.quiet_since = now;
        }
        let written = DateTime::from_timestamp_nanos(now);
        for _ in 0..BLOCKS_AHEAD {
            match self.blocks.try_recv() {
                Ok(Ok(block)) => {
                    polled.bytes += block.len() as u64;
                    self.n_bytes += block.len() as u64;
                    self.log.feed(block, written);
                    self.quiet_since = now;
                    polled.has_more = true;
                }
                Ok(Err(error)) => return Err(error.into()),
                Err(TryRecvError::Empty) => {
                    polled.has_more = false;
                    break;
                }
                Err(TryRecvError::Disconnected) => {
                    self.log.finish();
                    polled.has_ended = true;
                    break;
                }
            }
        }
        if !polled.has_more && self.log.is_quiet_for(now - self.quiet_since) {
            self.log.end_event();
        }
        self.log.hand_over(PARTITION, polled)?;
        // Cuts are only needed to read again, which is impossible here.
        drop(self.log.take_cuts());
        polled
            .news
            .push((PARTITION, PartitionNews::CaughtUp(self.quiet_since)));
        Ok(())
    }

    fn look(&mut self, _now: i64, _polled: &mut Polled) -> Result<()> {
        Ok(())
    }

    fn replay(
        &mut self,
        _upto: &PositionsBody,
        _max_bytes: usize,
        _now: i64,
        _polled: &mut Polled,
    ) -> Result<()> {
        exec_err!("standard input cannot be read again")
    }

    /// Only for people to read: standard input cannot be opened there.
    fn positions(&self) -> Result<PositionsBody> {
        Ok(json!({ "bytes": self.n_bytes }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::log::spec::plain_text;

    #[test]
    fn a_pipe_is_read_to_its_end() {
        let spec = plain_text().unwrap();
        let log = GrowingLog::try_new(&spec, &[0, 2], NAME, (0, 1)).unwrap();
        let text = "one\ntwo\n\nthree";
        let mut reader = StdinReader::start(log, text.as_bytes()).unwrap();
        let mut rows = vec![];
        loop {
            let mut polled = Polled::default();
            reader.poll(7, &HashMap::new(), &mut polled).unwrap();
            rows.extend(polled.pieces.into_iter().map(|piece| piece.rows));
            if polled.has_ended {
                break;
            }
            std::thread::yield_now();
        }
        let rows = datafusion::arrow::util::pretty::pretty_format_batches(&rows)
            .unwrap()
            .to_string();
        assert_eq!(reader.positions().unwrap(), json!({ "bytes": text.len() }));
        for line in [
            "| one     | 1           |",
            "| two     | 2           |",
            "| three   | 4           |",
        ] {
            assert!(rows.contains(line), "{rows}");
        }
    }
}
