//! Opens one file, or one byte range of it, and streams its batches.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::buffer::Buffer;
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, internal_err};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileOpenFuture, FileOpener};
use datafusion::object_store::ObjectStore;
use futures::stream::{self, StreamExt, TryStreamExt};
use tokio_util::bytes::Bytes;

use crate::formats::log::batches::BatchBuilder;
use crate::formats::log::blocks::BlockReader;
use crate::formats::log::columns::ColumnSource;
use crate::formats::log::counters::ScanCounters;
use crate::formats::log::event_splitter::EventSplitter;
use crate::formats::log::spec::LogSpec;

/// Opens the files of one partition of a scan.
pub(crate) struct LogOpener {
    pub(crate) spec: Arc<LogSpec>,
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) counters: ScanCounters,
    /// The indices of the columns to build.
    pub(crate) projected: Vec<usize>,
    pub(crate) batch_rows: usize,
    /// The prefix of the path of a file: `/` for local files.
    pub(crate) path_prefix: &'static str,
}

impl FileOpener for LogOpener {
    fn open(&self, file: PartitionedFile) -> Result<FileOpenFuture> {
        let range = match &file.range {
            None => 0..u64::MAX,
            Some(range) => offset(range.start)?..offset(range.end)?,
        };
        let numbers_lines = self
            .projected
            .iter()
            .any(|&index| self.spec.columns.sources.get(index) == Some(&ColumnSource::LineNumber));
        if numbers_lines && range.start > 0 {
            return internal_err!("line numbers cannot be told from the middle of a file");
        }
        let path_prefix = self.path_prefix;
        let path = format!("{path_prefix}{}", file.object_meta.location);
        let written = file.object_meta.last_modified;
        let builder = BatchBuilder::try_new(
            &self.spec,
            &self.projected,
            self.batch_rows,
            self.spec.name_of(&path),
            written,
        )?;
        let cutter = EventSplitter::new(
            Arc::clone(&self.spec.start),
            self.spec.options.max_event_bytes,
            range.clone(),
        );
        let store = Arc::clone(&self.store);
        let counters = self.counters.clone();
        let encoding = self.spec.options.encoding;
        Ok(Box::pin(async move {
            let from = EventSplitter::feed_from(range.start);
            let reader = BlockReader::open(
                store,
                &file.object_meta,
                from..range.end,
                path_prefix,
                encoding,
            )
            .await?;
            let scan = FileScan {
                reader,
                cutter,
                builder,
                counters,
                is_at_end: false,
            };
            let batches = stream::try_unfold(scan, |mut scan| async move {
                let batches = scan.next_batches().await?;
                Ok::<_, DataFusionError>(batches.map(|batches| (stream::iter(batches), scan)))
            });
            Ok(batches.try_flatten().boxed())
        }))
    }
}

fn offset(offset: i64) -> Result<u64> {
    u64::try_from(offset)
        .map_err(|_| exec_datafusion_err!("a byte range cannot begin or end at {offset}"))
}

/// A file that is being read.
struct FileScan {
    reader: BlockReader,
    cutter: EventSplitter,
    builder: BatchBuilder,
    counters: ScanCounters,
    is_at_end: bool,
}

impl FileScan {
    /// The batches that the next blocks complete, or `None` at the end of the file.
    async fn next_batches(&mut self) -> Result<Option<Vec<Result<RecordBatch>>>> {
        while !self.is_at_end {
            let block = if self.cutter.is_done() {
                None
            } else {
                self.reader.next().await?
            };
            match block {
                Some(block) => self.cut(&block),
                None => self.finish(),
            }
            let ready = self.builder.take_ready();
            let mut counts = self.builder.take_counts();
            counts.cut = self.cutter.take_counts();
            self.counters.add(&counts);
            if let Some(problem) = self.reader.take_problem() {
                self.counters.add_problem(problem);
            }
            if !ready.is_empty() {
                return Ok(Some(ready));
            }
        }
        Ok(None)
    }

    fn cut(&mut self, block: &Bytes) {
        let buffer = Buffer::from(block.clone());
        self.cutter
            .feed(block, &mut |event| self.builder.push(event, &buffer));
        self.builder.end_block();
    }

    fn finish(&mut self) {
        let no_block = Buffer::from(Bytes::new());
        self.cutter
            .finish(&mut |event| self.builder.push(event, &no_block));
        self.builder.finish_batch();
        self.is_at_end = true;
    }
}
