//! Reads a file of an object store as blocks of about 1 MiB of UTF-8: plain, or compressed with gzip,
//! zstd, bzip2, xz or lz4, which its first bytes tell and not its name.
//!
//! Plain files are read by byte range, up to the size in the listing, so that all partitions of a
//! query see one snapshot of a file that is being written. Compressed files are read whole, with
//! all their members (log rotation appends members; a reader that stops after the first one
//! silently loses data); of a file that ends in the middle, what is whole is read and the rest is
//! told. Files in another encoding than UTF-8 are read whole, too.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use async_compression::tokio::bufread::{
    BzDecoder, GzipDecoder, Lz4Decoder, XzDecoder, ZstdDecoder,
};
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, exec_err, plan_err};
use datafusion::object_store::path::Path;
use datafusion::object_store::{GetOptions, GetRange, GetResultPayload, ObjectMeta, ObjectStore};
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader, ReadBuf};
use tokio_util::bytes::{Bytes, BytesMut};
use tokio_util::io::StreamReader;

use crate::formats::log::encoding::{HEAD_BYTES, TextEncoding, Transcoder};

/// A block is long enough to make the cost of a read, and of an event that spans two blocks,
/// negligible. It is short enough to stay in or near the second-level cache while it is split.
const BLOCK_BYTES: usize = 1 << 20;
/// The size of the blocks that are read after the end of a range, where its last event ends. The
/// first of them nearly always contains that end.
const TAIL_BYTES: u64 = 64 << 10;
/// Extensions of files that are packed in a way that is not supported.
const REFUSED_EXTENSIONS: [&str; 9] = [
    ".tar.gz", ".tar.zst", ".tar.xz", ".tgz", ".tar", ".lzma", ".zip", ".7z", ".br",
];
/// What compressed files begin with.
const MAGIC: [(&[u8], Compression); 5] = [
    (b"\x1F\x8B", Compression::Gzip),
    (b"\x28\xB5\x2F\xFD", Compression::Zstd),
    (b"BZh", Compression::Bzip2),
    (b"\xFD7zXZ\0", Compression::Xz),
    (b"\x04\x22\x4D\x18", Compression::Lz4),
];

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    Plain,
    Gzip,
    Zstd,
    Bzip2,
    Xz,
    Lz4,
}

impl Compression {
    /// What the name of a file promises. An error names the file with `path_prefix` before its
    /// path.
    ///
    /// # Errors
    /// A plan error for files that are not read.
    pub(crate) fn of(path: &Path, path_prefix: &str) -> Result<Self> {
        let name = path.filename().unwrap_or_default().to_ascii_lowercase();
        if let Some(extension) = Self::refused(&name) {
            return plan_err!(
                "Log file '{path_prefix}{path}' ends with {extension}, which is not read: plain files, .gz, .zst, .bz2, \
                 .xz and .lz4 are. Unpack it, or leave it out by a glob such as '*.log'"
            );
        }
        let ends = |extensions: &[&str]| extensions.iter().any(|end| name.ends_with(end));
        Ok(if ends(&[".gz"]) {
            Self::Gzip
        } else if ends(&[".zst", ".zstd"]) {
            Self::Zstd
        } else if ends(&[".bz2"]) {
            Self::Bzip2
        } else if ends(&[".xz"]) {
            Self::Xz
        } else if ends(&[".lz4"]) {
            Self::Lz4
        } else {
            Self::Plain
        })
    }

    /// The extension for which a file is not read.
    pub(crate) fn refused(name: &str) -> Option<&'static str> {
        let name = name.to_ascii_lowercase();
        let mut extensions = REFUSED_EXTENSIONS.into_iter();
        extensions.find(|extension| name.ends_with(extension))
    }

    /// What the first bytes of a file show.
    fn of_bytes(head: &[u8]) -> Self {
        let found = MAGIC.iter().find(|(magic, _)| head.starts_with(magic));
        found.map_or(Self::Plain, |(_, compression)| *compression)
    }
}

/// The blocks of a file, or of a range of it and what follows the range.
pub(crate) struct BlockReader {
    blocks: BoxStream<'static, Result<Bytes>>,
    /// A block that was read to look at it.
    first: Option<Bytes>,
    /// The part of a plain file that is not in `blocks`.
    rest: Option<Rest>,
    transcoder: Option<Transcoder>,
    /// A compressed file may end in the middle; then this says so.
    problem: Option<String>,
    is_packed: bool,
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
    /// `path_prefix` before its path. A file that is not read in ranges has no blocks where the
    /// range begins after the start of the file.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub(crate) async fn open(
        store: Arc<dyn ObjectStore>,
        file: &ObjectMeta,
        range: Range<u64>,
        path_prefix: &str,
        encoding: TextEncoding,
    ) -> Result<Self> {
        let location = file.location.clone();
        let name = format!("{path_prefix}{location}");
        let promised = Compression::of(&location, path_prefix)?;
        let mut reader = Self {
            blocks: stream::empty().boxed(),
            first: None,
            rest: None,
            transcoder: None,
            problem: None,
            is_packed: false,
        };
        if promised != Compression::Plain {
            reader.unpack(&store, &location, name, promised).await?;
        } else {
            let end = range.end.min(file.size);
            if range.start > 0 {
                let head_bytes = (HEAD_BYTES as u64).min(file.size);
                let mut head = get(&store, &location, Some(0..head_bytes)).await?;
                let head = head.try_next().await?.unwrap_or_default();
                let is_plain = Compression::of_bytes(&head) == Compression::Plain;
                if !is_plain || encoding.transcoder(&head).is_some() {
                    return Ok(reader);
                }
            }
            reader.blocks = in_blocks(get(&store, &location, Some(range.start..end)).await?);
            reader.rest = Some(Rest {
                store: Arc::clone(&store),
                location: location.clone(),
                range: end..file.size,
                step_bytes: TAIL_BYTES,
            });
            if range.start == 0 {
                reader.first = reader.blocks.try_next().await?;
                let head = reader.first.as_deref().unwrap_or_default();
                if Compression::of_bytes(head) != Compression::Plain {
                    reader.unpack(&store, &location, name, promised).await?;
                }
            }
        }
        if range.start == 0 && reader.first.is_none() {
            reader.first = reader.next_block().await?;
        }
        if range.start == 0 {
            let head = reader.first.as_deref().unwrap_or_default();
            reader.transcoder = encoding.transcoder(head);
        }
        Ok(reader)
    }

    /// Reads the whole file through a decoder.
    async fn unpack(
        &mut self,
        store: &Arc<dyn ObjectStore>,
        location: &Path,
        name: String,
        promised: Compression,
    ) -> Result<()> {
        let bytes = get(store, location, None)
            .await?
            .map_err(std::io::Error::other);
        let mut reader = BufReader::with_capacity(BLOCK_BYTES / 4, StreamReader::new(bytes));
        let head = reader.fill_buf().await;
        let head = head.map_err(|error| unreadable(&name, &error))?;
        (self.first, self.rest, self.is_packed) = (None, None, true);
        let found = match Compression::of_bytes(head) {
            // What is neither text nor what its name promises is damaged.
            Compression::Plain if head.is_empty() || head.contains(&0) => promised,
            found => found,
        };
        self.blocks = match found {
            Compression::Plain => read_blocks(reader, name),
            Compression::Gzip => read_blocks(GzipMembers::new(reader), name),
            Compression::Zstd => {
                let mut decoder = ZstdDecoder::new(reader);
                decoder.multiple_members(true);
                read_blocks(decoder, name)
            }
            Compression::Bzip2 => {
                let mut decoder = BzDecoder::new(reader);
                decoder.multiple_members(true);
                read_blocks(decoder, name)
            }
            Compression::Xz => {
                let mut decoder = XzDecoder::new(reader);
                decoder.multiple_members(true);
                read_blocks(decoder, name)
            }
            Compression::Lz4 => {
                let mut decoder = Lz4Decoder::new(reader);
                decoder.multiple_members(true);
                read_blocks(decoder, name)
            }
        };
        Ok(())
    }

    /// The next block, which is never empty, or `None` at the end of the file.
    ///
    /// # Errors
    /// When the file cannot be read or decompressed; the message names it.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            let block = match self.first.take() {
                Some(block) => Some(block),
                None => self.next_block().await?,
            };
            let Some(transcoder) = &mut self.transcoder else {
                return Ok(block);
            };
            let is_last = block.is_none();
            let text = transcoder.decode(block.as_deref().unwrap_or_default(), is_last);
            if is_last {
                self.transcoder = None;
            }
            if !text.is_empty() {
                return Ok(Some(text));
            }
        }
    }

    /// The same, but a file that ends in the middle is an error: it may still be written.
    ///
    /// # Errors
    /// As [`BlockReader::next`], and when the file ends in the middle.
    pub(crate) async fn next_of_whole(&mut self) -> Result<Option<Bytes>> {
        let block = self.next().await?;
        match self.take_problem() {
            Some(problem) => exec_err!("{problem}"),
            None => Ok(block),
        }
    }

    /// What a compressed file has lost, once it was read.
    pub(crate) fn take_problem(&mut self) -> Option<String> {
        self.problem.take()
    }

    async fn next_block(&mut self) -> Result<Option<Bytes>> {
        loop {
            match self.blocks.try_next().await {
                Ok(Some(block)) if block.is_empty() => continue,
                Ok(Some(block)) => return Ok(Some(block)),
                Ok(None) => {}
                Err(error) if self.is_packed && ends_early(&error) => {
                    self.problem = Some(error.strip_backtrace());
                    self.blocks = stream::empty().boxed();
                }
                Err(error) => return Err(error),
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

/// Whether a compressed file ends before its end.
fn ends_early(error: &DataFusionError) -> bool {
    let cause = match error {
        DataFusionError::IoError(error) => Some(error),
        DataFusionError::Context(_, inner) => match inner.as_ref() {
            DataFusionError::IoError(error) => Some(error),
            _ => None,
        },
        _ => None,
    };
    cause.is_some_and(|error| error.kind() == ErrorKind::UnexpectedEof)
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
    let blocks = stream::try_unfold((decoder, None), move |(mut decoder, failed)| {
        let path = path.clone();
        async move {
            // A decoder that has failed may say that it is at its end when it is asked again.
            if let Some(error) = failed {
                return Err(broken(&path, error));
            }
            let mut block = BytesMut::with_capacity(BLOCK_BYTES);
            while block.len() < BLOCK_BYTES {
                let n_bytes = (&mut decoder)
                    .take((BLOCK_BYTES - block.len()) as u64)
                    .read_buf(&mut block)
                    .await;
                match n_bytes {
                    Ok(0) => break,
                    Ok(_) => {}
                    // What is whole comes first, and the error with the next block.
                    Err(error) if !block.is_empty() => {
                        return Ok(Some((block.freeze(), (decoder, Some(error)))));
                    }
                    Err(error) => return Err(broken(&path, error)),
                }
            }
            Ok((!block.is_empty()).then(|| (block.freeze(), (decoder, None))))
        }
    });
    blocks.boxed()
}

/// The error of a decoder. A file that ends in the middle is told from one that is damaged.
fn broken(path: &str, error: std::io::Error) -> DataFusionError {
    if error.kind() == ErrorKind::UnexpectedEof {
        DataFusionError::IoError(error).context(format!("{path} ends in the middle"))
    } else {
        unreadable(path, &error)
    }
}

fn unreadable(path: &str, error: &std::io::Error) -> DataFusionError {
    exec_datafusion_err!(
        "Cannot read log file '{path}': {error}. If it is still being written or is damaged, \
         leave it out by a glob, or take the part that is whole: zcat FILE > FILE.log"
    )
}
