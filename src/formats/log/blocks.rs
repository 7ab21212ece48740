//! Reads a file of an object store as blocks of about 1 MiB: plain, gzip or zstd, depending on the
//! extension of its name.
//!
//! Plain files are read by byte range, up to the size in the listing, so that all partitions of a
//! query see one snapshot of a file that is being written. Compressed files are read whole, with
//! all their members (log rotation appends members; a reader that stops after the first one
//! silently loses data). A file in UTF-16 is refused.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use async_compression::tokio::bufread::{GzipDecoder, ZstdDecoder};
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, exec_err, plan_err};
use datafusion::object_store::path::Path;
use datafusion::object_store::{GetOptions, GetRange, GetResultPayload, ObjectMeta, ObjectStore};
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use tokio::io::{AsyncBufRead, AsyncRead, AsyncReadExt, BufReader, ReadBuf};
use tokio_util::bytes::{Bytes, BytesMut};
use tokio_util::io::StreamReader;

/// A block is long enough to make the cost of a read, and of an event that spans two blocks,
/// negligible. It is short enough to stay in or near the second-level cache while it is split.
const BLOCK_BYTES: usize = 1 << 20;
/// The size of the blocks that are read after the end of a range, where its last event ends. The
/// first of them nearly always contains that end.
const TAIL_BYTES: u64 = 64 << 10;
/// Extensions of files that are compressed or packed in a way that is not supported.
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
    /// Determines the compression from the name of the file. An error names the file with
    /// `path_prefix` before its path.
    ///
    /// # Errors
    /// A plan error for compressions that are not supported.
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

/// The blocks of a file, or of a range of it and what follows the range.
pub(crate) struct BlockReader {
    blocks: BoxStream<'static, Result<Bytes>>,
    /// The part of a plain file that is not in `blocks`.
    rest: Option<Rest>,
    /// The location of the file, until its first bytes have been checked.
    unchecked: Option<String>,
}

struct Rest {
    store: Arc<dyn ObjectStore>,
    location: Path,
    range: Range<u64>,
    step_bytes: u64,
}

impl BlockReader {
    /// Opens a file at the offset `range.start`. The reader expects that about `range` will be
    /// read, but the blocks continue to the end of the file. Errors name the file with
    /// `path_prefix` before its path.
    ///
    /// # Errors
    /// When the file cannot be opened, or when it is compressed and the range is not the whole
    /// file.
    pub(crate) async fn open(
        store: Arc<dyn ObjectStore>,
        file: &ObjectMeta,
        range: Range<u64>,
        path_prefix: &str,
    ) -> Result<Self> {
        let location = file.location.clone();
        let compression = Compression::of(&location, path_prefix)?;
        let unchecked = (range.start == 0).then(|| format!("{path_prefix}{location}"));
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
                unchecked,
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
            _ => read_blocks(GzipMembers::new(reader), format!("{path_prefix}{location}")),
        };
        Ok(Self {
            blocks,
            rest: None,
            unchecked,
        })
    }

    /// The next block, which is never empty, or `None` at the end of the file.
    ///
    /// # Errors
    /// When the file cannot be read or decompressed; the message names it.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            if let Some(block) = self.blocks.try_next().await? {
                if block.is_empty() {
                    continue;
                }
                if let Some(location) = self.unchecked.take() {
                    refuse_utf_16(&location, &block)?;
                }
                return Ok(Some(block));
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

/// Refuses UTF-16, which would be read as garbage: every second byte is zero, and a line feed may
/// be half of another character.
fn refuse_utf_16(location: &str, first_block: &[u8]) -> Result<()> {
    if first_block.starts_with(b"\xFF\xFE") || first_block.starts_with(b"\xFE\xFF") {
        return exec_err!(
            "Log file '{location}' is in UTF-16 (it begins with that byte order mark), and only UTF-8 is read: convert \
             it with iconv -f UTF-16 -t UTF-8 FILE > FILE.log, or leave it out by a glob"
        );
    }
    Ok(())
}

/// The members of a gzip file, one after another. Zeros after a member are skipped, as gzip(1)
/// does: tapes and tools that write in blocks pad with them. The decoder's own `multiple_members`
/// mistakes them for a damaged member (async-compression 0.4).
struct GzipMembers<R> {
    /// Always `Some`, except while it is replaced.
    decoder: Option<GzipDecoder<R>>,
    is_behind_member: bool,
}

impl<R: AsyncBufRead + Unpin> GzipMembers<R> {
    fn new(reader: R) -> Self {
        Self {
            decoder: Some(GzipDecoder::new(reader)),
            is_behind_member: false,
        }
    }

    /// Skips zeros and tells whether anything else follows.
    fn poll_skip_zeros(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<bool>> {
        let Some(decoder) = &mut self.decoder else {
            return Poll::Ready(Ok(false));
        };
        loop {
            let mut reader = Pin::new(decoder.get_mut());
            let bytes = ready!(reader.as_mut().poll_fill_buf(cx))?;
            let n_bytes = bytes.len();
            let n_zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            reader.consume(n_zeros);
            if n_zeros < n_bytes || n_bytes == 0 {
                return Poll::Ready(Ok(n_bytes > 0));
            }
        }
    }
}

impl<R: AsyncBufRead + Unpin> AsyncRead for GzipMembers<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let n_before = buffer.filled().len();
        loop {
            if self.is_behind_member {
                if !ready!(self.poll_skip_zeros(cx))? {
                    return Poll::Ready(Ok(()));
                }
                let next = self.decoder.take().map(GzipDecoder::into_inner);
                self.decoder = next.map(GzipDecoder::new);
                self.is_behind_member = false;
            }
            let Some(decoder) = &mut self.decoder else {
                return Poll::Ready(Ok(()));
            };
            ready!(Pin::new(decoder).poll_read(cx, buffer))?;
            if buffer.filled().len() > n_before || buffer.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            self.is_behind_member = true;
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
                // The file was truncated after the listing: it ends here.
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

/// Joins the small pieces of a network stream into blocks.
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
