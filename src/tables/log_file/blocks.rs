//! Reads a file of an object store as blocks of about 1 MiB: plain, gzip or zstd by the extension of its name.
//!
//! Plain files are read by byte range, up to the size that the listing gave, so that a file that is being written gives
//! one snapshot to all partitions of a query. Compressed files are read whole, all members of them (log rotation appends
//! members; a reader that stops after the first one loses data without a word).

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::Arc;

use async_compression::tokio::bufread::{GzipDecoder, ZstdDecoder};
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, plan_err};
use datafusion::object_store::path::Path;
use datafusion::object_store::{GetOptions, GetRange, GetResultPayload, ObjectMeta, ObjectStore};
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, BufReader};
use tokio_util::bytes::{Bytes, BytesMut};
use tokio_util::io::StreamReader;

/// A block is long enough that the cost of a read and of an event that spans two blocks vanishes, and short enough to
/// stay in the second-level cache, or near it, while it is cut.
const BLOCK_BYTES: usize = 1 << 20;
/// A range ends with the event that begins in it; that is nearly always found within the first of these.
const TAIL_BYTES: u64 = 64 << 10;
/// Endings of files that are compressed or packed in a way that is not read here.
const REFUSED_EXTENSIONS: [&str; 12] = [
    ".tar.gz", ".tar.zst", ".tgz", ".tar", ".bz2", ".xz", ".lzma", ".lz4", ".zip", ".7z", ".br",
    ".sz",
];

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    Plain,
    Gzip,
    Zstd,
}

impl Compression {
    /// Tells it by the name of the file; an error names the file with `path_prefix` before its path.
    ///
    /// # Errors
    /// A plan error for compressions that are not read.
    pub(crate) fn of(path: &Path, path_prefix: &str) -> Result<Self> {
        let name = path.filename().unwrap_or_default().to_ascii_lowercase();
        if let Some(extension) = REFUSED_EXTENSIONS
            .iter()
            .find(|extension| name.ends_with(*extension))
        {
            return plan_err!(
                "Log file '{path_prefix}{path}' ends with {extension}, which is not read: plain files, .gz and .zst are. \
                 Compress it again with gzip or zstd, or leave it out by a glob such as '*.log'"
            );
        }
        Ok(if name.ends_with(".gz") {
            Self::Gzip
        } else if name.ends_with(".zst") || name.ends_with(".zstd") {
            Self::Zstd
        } else {
            Self::Plain
        })
    }
}

/// The blocks of a file, or of a range of it and what follows.
pub(crate) struct BlockReader {
    blocks: BoxStream<'static, Result<Bytes>>,
    /// What of a plain file is not in `blocks`.
    rest: Option<Rest>,
}

struct Rest {
    store: Arc<dyn ObjectStore>,
    location: Path,
    range: Range<u64>,
    step_bytes: u64,
}

impl BlockReader {
    /// Opens a file from the offset `range.start` on. It is expected that about `range` will be read, but the blocks go
    /// on to the end of the file. Errors name the file with `path_prefix` before its path.
    ///
    /// # Errors
    /// When the file cannot be opened, or is compressed and the range is not the whole.
    pub(crate) async fn open(
        store: Arc<dyn ObjectStore>,
        file: &ObjectMeta,
        range: Range<u64>,
        path_prefix: &str,
    ) -> Result<Self> {
        let location = file.location.clone();
        let compression = Compression::of(&location, path_prefix)?;
        if compression == Compression::Plain {
            let end = range.end.min(file.size);
            let blocks = get(&store, &location, Some(range.start..end)).await?;
            let range = end..file.size;
            let rest = Rest {
                store,
                location,
                range,
                step_bytes: TAIL_BYTES,
            };
            return Ok(Self {
                blocks: in_blocks(blocks),
                rest: Some(rest),
            });
        }
        let bytes = get(&store, &location, None)
            .await?
            .map_err(std::io::Error::other);
        let reader = BufReader::with_capacity(BLOCK_BYTES / 4, StreamReader::new(bytes));
        let blocks = match compression {
            Compression::Zstd => {
                let mut decoder = ZstdDecoder::new(reader);
                decoder.multiple_members(true);
                read_blocks(decoder, format!("{path_prefix}{location}"))
            }
            _ => {
                let mut decoder = GzipDecoder::new(reader);
                decoder.multiple_members(true);
                read_blocks(decoder, format!("{path_prefix}{location}"))
            }
        };
        Ok(Self { blocks, rest: None })
    }

    /// The next block, which is not empty, or `None` at the end of the file.
    ///
    /// # Errors
    /// When the file cannot be read or decompressed; the sentence names it.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            if let Some(block) = self.blocks.try_next().await? {
                if !block.is_empty() {
                    return Ok(Some(block));
                }
                continue;
            }
            let Some(rest) = &mut self.rest else {
                return Ok(None);
            };
            if rest.range.is_empty() {
                return Ok(None);
            }
            let end = rest.range.end.min(rest.range.start + rest.step_bytes);
            self.blocks = get(&rest.store, &rest.location, Some(rest.range.start..end)).await?;
            rest.range.start = end;
            rest.step_bytes = (rest.step_bytes * 2).min(BLOCK_BYTES as u64);
        }
    }
}

async fn get(
    store: &Arc<dyn ObjectStore>,
    location: &Path,
    range: Option<Range<u64>>,
) -> Result<BoxStream<'static, Result<Bytes>>> {
    if range.as_ref().is_some_and(Range::is_empty) {
        return Ok(stream::empty().boxed());
    }
    let options = GetOptions {
        range: range.map(GetRange::Bounded),
        ..GetOptions::default()
    };
    let result = store.get_opts(location, options).await?;
    let range = result.range.clone();
    Ok(match result.payload {
        GetResultPayload::File(file, _) => file_blocks(file, range, location.clone()),
        GetResultPayload::Stream(stream) => stream.map_err(DataFusionError::from).boxed(),
    })
}

/// Reads a local file in large pieces (the stream of the object store reads 8 KiB at a time).
fn file_blocks(file: File, range: Range<u64>, location: Path) -> BoxStream<'static, Result<Bytes>> {
    let blocks = stream::try_unfold((file, range), move |(mut file, range)| {
        let location = location.clone();
        async move {
            if range.is_empty() {
                return Ok(None);
            }
            let read = move || -> std::io::Result<_> {
                let n_bytes = (range.end - range.start).min(BLOCK_BYTES as u64);
                let mut block = Vec::with_capacity(
                    BLOCK_BYTES.min(usize::try_from(n_bytes).unwrap_or(BLOCK_BYTES)),
                );
                file.seek(SeekFrom::Start(range.start))?;
                file.by_ref().take(n_bytes).read_to_end(&mut block)?;
                // A file that was cut short since the listing ends here.
                let end = if (block.len() as u64) < n_bytes {
                    range.start
                } else {
                    range.end
                };
                let next = (range.start + block.len() as u64).min(end)..end;
                Ok((Bytes::from(block), (file, next)))
            };
            let result = tokio::task::spawn_blocking(read)
                .await
                .map_err(std::io::Error::other);
            result
                .and_then(|result| result)
                .map(Some)
                .map_err(|error| unreadable(&format!("/{location}"), &error))
        }
    });
    blocks.boxed()
}

/// Joins the small pieces of a network stream to blocks.
fn in_blocks(pieces: BoxStream<'static, Result<Bytes>>) -> BoxStream<'static, Result<Bytes>> {
    let blocks = stream::try_unfold((pieces, Bytes::new()), |(mut pieces, first)| async move {
        let mut block = first;
        while block.len() < BLOCK_BYTES {
            let Some(piece) = pieces.try_next().await? else {
                break;
            };
            block = if block.is_empty() {
                piece
            } else {
                let mut joined = BytesMut::from(block);
                joined.reserve(BLOCK_BYTES.saturating_sub(joined.len()));
                joined.extend_from_slice(&piece);
                joined.freeze()
            };
        }
        if block.is_empty() {
            return Ok(None);
        }
        let rest = block.split_off(block.len().min(BLOCK_BYTES));
        Ok(Some((block, (pieces, rest))))
    });
    blocks.boxed()
}

fn read_blocks(
    decoder: impl AsyncRead + Send + Unpin + 'static,
    path: String,
) -> BoxStream<'static, Result<Bytes>> {
    let blocks = stream::try_unfold(decoder, move |mut decoder| {
        let path = path.clone();
        async move {
            let mut block = BytesMut::with_capacity(BLOCK_BYTES);
            while block.len() < BLOCK_BYTES {
                let n_bytes = (&mut decoder)
                    .take((BLOCK_BYTES - block.len()) as u64)
                    .read_buf(&mut block)
                    .await;
                match n_bytes {
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(error) => return Err(unreadable(&path, &error)),
                }
            }
            Ok((!block.is_empty()).then(|| (block.freeze(), decoder)))
        }
    });
    blocks.boxed()
}

fn unreadable(path: &str, error: &std::io::Error) -> DataFusionError {
    exec_datafusion_err!(
        "Cannot read log file '{path}': {error}. If it is still being written or is damaged, \
         leave it out by a glob, or take the part that is whole: zcat FILE > FILE.log"
    )
}
