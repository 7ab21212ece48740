//! Texts that are not UTF-8, as UTF-8.

use datafusion::common::{Result, plan_err};
use encoding_rs::{CoderResult, Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE};
use tokio_util::bytes::Bytes;

/// How many bytes tell UTF-16 without a byte order mark.
pub(crate) const HEAD_BYTES: usize = 64;

/// How the bytes of a table's files are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum TextEncoding {
    /// UTF-8, or UTF-16 if the first bytes say so.
    #[default]
    Auto,
    Other(&'static Encoding),
}

impl TextEncoding {
    /// Reads the option `encoding`.
    ///
    /// # Errors
    /// When there is no such encoding.
    pub(crate) fn parse(name: &str) -> Result<Self> {
        if name.eq_ignore_ascii_case("auto") {
            return Ok(Self::Auto);
        }
        let label = match name.to_ascii_lowercase().as_str() {
            "utf-16" | "utf16" => "utf-16le",
            "latin-1" => "latin1",
            "sjis" => "shift_jis",
            _ => name,
        };
        match Encoding::for_label(label.as_bytes()) {
            Some(encoding) if encoding == UTF_8 => Ok(Self::Auto),
            Some(encoding) => Ok(Self::Other(encoding)),
            None => plan_err!(
                "Option encoding must be 'auto' or the name of an encoding such as 'utf-16', 'gbk', 'gb18030', 'big5', \
                 'shift_jis', 'euc-kr', 'latin1' or 'windows-1251', got '{name}'"
            ),
        }
    }

    /// Whether files are read from their start to their end alone.
    pub(crate) fn needs_whole_files(self) -> bool {
        self != Self::Auto
    }

    /// What makes UTF-8 of a file with these first bytes; `None` if it is that already.
    pub(crate) fn transcoder(self, head: &[u8]) -> Option<Transcoder> {
        let encoding = match self {
            Self::Auto => utf_16(head)?,
            Self::Other(encoding) => encoding,
        };
        Some(Transcoder(encoding.new_decoder()))
    }
}

/// The UTF-16 that a text begins with, by its byte order mark or by its zeros: every second byte of
/// western letters.
fn utf_16(head: &[u8]) -> Option<&'static Encoding> {
    match head {
        [0xFF, 0xFE, ..] => return Some(UTF_16LE),
        [0xFE, 0xFF, ..] => return Some(UTF_16BE),
        _ => {}
    }
    let head = &head[..head.len().min(HEAD_BYTES)];
    let zeros = |at: usize| {
        head.iter()
            .skip(at)
            .step_by(2)
            .filter(|byte| **byte == 0)
            .count()
    };
    let (even, odd) = (zeros(0), zeros(1));
    let half = head.len() / 2;
    let is_most = |n_zeros: usize| half >= 4 && n_zeros * 10 >= half * 8;
    match (even, odd) {
        (0, odd) if is_most(odd) => Some(UTF_16LE),
        (even, 0) if is_most(even) => Some(UTF_16BE),
        _ => None,
    }
}

/// Makes UTF-8 of the blocks of a file.
pub(crate) struct Transcoder(Decoder);

impl Transcoder {
    /// The text of the next block; what is not of the encoding becomes U+FFFD.
    pub(crate) fn decode(&mut self, block: &[u8], is_last: bool) -> Bytes {
        let mut text = String::new();
        let mut rest = block;
        loop {
            let wanted = self.0.max_utf8_buffer_length(rest.len());
            text.reserve(wanted.unwrap_or(rest.len()));
            let (result, n_read, _) = self.0.decode_to_string(rest, &mut text, is_last);
            rest = &rest[n_read..];
            if result == CoderResult::InputEmpty {
                return Bytes::from(text);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(encoding: &str, bytes: &[u8], block_bytes: usize) -> String {
        let encoding = TextEncoding::parse(encoding).unwrap();
        let Some(mut transcoder) = encoding.transcoder(bytes) else {
            return String::from_utf8_lossy(bytes).into_owned();
        };
        let blocks = bytes
            .chunks(block_bytes)
            .map(|block| transcoder.decode(block, false));
        let text: Vec<Bytes> = blocks.collect();
        String::from_utf8(text.concat()).unwrap()
    }

    #[test]
    fn encodings_are_read() {
        let little: Vec<u8> = "ERROR 语 one"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let big: Vec<u8> = "ERROR 语 one"
            .encode_utf16()
            .flat_map(u16::to_be_bytes)
            .collect();
        let with_mark = [&b"\xFF\xFE"[..], &little].concat();
        let gbk = b"\xb4\xc5\xc5\xcc\xd2\xd1\xc2\xfa";
        for block_bytes in [1, 3, 100] {
            assert_eq!(decoded("auto", &little, block_bytes), "ERROR 语 one");
            assert_eq!(decoded("auto", &big, block_bytes), "ERROR 语 one");
            assert_eq!(decoded("auto", &with_mark, block_bytes), "ERROR 语 one");
            assert_eq!(decoded("gbk", gbk, block_bytes), "磁盘已满");
            assert_eq!(decoded("latin1", b"caf\xe9", block_bytes), "café");
            assert_eq!(decoded("utf-8", "语".as_bytes(), block_bytes), "语");
        }
        let error = TextEncoding::parse("klingon").unwrap_err().to_string();
        assert!(error.contains("got 'klingon'"), "{error}");
    }
}
