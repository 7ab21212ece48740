//! The shape of a word: how many digits, letters, slashes and so on it has, from one table look-up
//! per byte.
//!
//! A byte is either a border between words or adds to the counts of its word. The counts of all
//! classes are in one `u64`, eight bits each, so that a byte costs one look-up and one addition;
//! the borders of a line could be found 64 bytes at a time with the same table.

/// One count per byte of this integer, in the order of [`Class`].
pub(crate) type ClassCounts = u64;

/// The classes that are counted; the value is the position of the byte in [`ClassCounts`].
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
pub(crate) enum Class {
    Digit,
    Letter,
    HexLetter,
    Upper,
    Slash,
    Dot,
    Dash,
    /// Every other byte that is not a border: `: @ _ # $ % & * + \ ^ ~` and control bytes.
    Other,
}

/// The number of bytes of a word that are counted; a count has eight bits.
pub(crate) const MAX_COUNTED: usize = 255;

const fn one(class: Class) -> ClassCounts {
    1 << (8 * class as u8)
}

const fn counts_of(byte: u8) -> ClassCounts {
    match byte {
        b'0'..=b'9' => one(Class::Digit),
        b'a'..=b'f' => one(Class::Letter) | one(Class::HexLetter),
        b'A'..=b'F' => one(Class::Letter) | one(Class::HexLetter) | one(Class::Upper),
        b'g'..=b'z' => one(Class::Letter),
        b'G'..=b'Z' => one(Class::Letter) | one(Class::Upper),
        b'/' => one(Class::Slash),
        b'.' => one(Class::Dot),
        b'-' => one(Class::Dash),
        // White space and the punctuation that brackets, quotes or separates values.
        b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c => 0,
        b'(' | b')' | b'[' | b']' | b'{' | b'}' | b'<' | b'>' => 0,
        b'"' | b'\'' | b'`' | b',' | b';' | b'=' | b'|' | b'!' | b'?' => 0,
        // The lead bytes of CJK, kana, Hangul and full-width forms: a run of them is a separate
        // text, so "连接10.0.0.1超时" has three words. So are those of typographic punctuation, arrows
        // and other signs.
        0xe2..=0xed | 0xef => 0,
        0x80..=0xff => one(Class::Letter),
        _ => one(Class::Other),
    }
}

const fn table() -> [ClassCounts; 256] {
    let mut table = [0; 256];
    let mut byte = u8::MAX;
    while byte > 0 {
        table[byte as usize] = counts_of(byte);
        byte -= 1;
    }
    table[0] = counts_of(0);
    table
}

static COUNTS: [ClassCounts; 256] = table();

/// Whether this byte is a border between words.
#[inline(always)]
pub(crate) fn is_border(byte: u8) -> bool {
    COUNTS[byte as usize] == 0
}

/// Whether this byte begins a character of three bytes that is a border: one of a CJK script, or a
/// sign.
#[inline(always)]
pub(crate) fn is_wide_lead(byte: u8) -> bool {
    matches!(byte, 0xe2..=0xed | 0xef)
}

/// The class counts of a word.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct WordShape(ClassCounts);

impl WordShape {
    /// The shape of the word that begins at `bytes[0]`, and its length.
    #[inline]
    pub(crate) fn of_first_word(bytes: &[u8]) -> (Self, usize) {
        let mut sum = 0;
        let mut length = 0;
        for &byte in &bytes[..bytes.len().min(MAX_COUNTED)] {
            let counts = COUNTS[byte as usize];
            if counts == 0 {
                return (Self(sum), length);
            }
            sum += counts;
            length += 1;
        }
        while length < bytes.len() && !is_border(bytes[length]) {
            length += 1;
        }
        (Self(sum), length)
    }

    /// The shape of a whole slice; borders inside it count for no class.
    #[inline]
    pub(crate) fn of(word: &[u8]) -> Self {
        let counted = &word[..word.len().min(MAX_COUNTED)];
        Self(counted.iter().map(|&byte| COUNTS[byte as usize]).sum())
    }

    /// The number of bytes of this class in the word.
    #[inline(always)]
    pub(crate) fn count(self, class: Class) -> usize {
        usize::from(self.0.to_le_bytes()[class as usize])
    }

    /// Whether a word of this length consists of digits.
    #[inline(always)]
    pub(crate) fn is_of_digits(self, length: usize) -> bool {
        length <= MAX_COUNTED && self.0 == length as ClassCounts
    }

    /// Whether the word consists of letters.
    #[inline(always)]
    pub(crate) fn is_plain(self) -> bool {
        const NOT_PLAIN: ClassCounts = 0xff
            * (one(Class::Digit)
                | one(Class::Slash)
                | one(Class::Dot)
                | one(Class::Dash)
                | one(Class::Other));
        self.0 & NOT_PLAIN == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts() {
        let (shape, length) = WordShape::of_first_word(b"ab-12/X.y: rest");
        assert_eq!(length, 10);
        assert_eq!(shape.count(Class::Digit), 2);
        assert_eq!(shape.count(Class::Letter), 4);
        assert_eq!(shape.count(Class::HexLetter), 2);
        assert_eq!(shape.count(Class::Upper), 1);
        assert_eq!(shape.count(Class::Slash), 1);
        assert_eq!(shape.count(Class::Dot), 1);
        assert_eq!(shape.count(Class::Dash), 1);
        assert_eq!(shape.count(Class::Other), 1);
        assert!(!shape.is_plain());
    }

    #[test]
    fn long_words_are_measured_by_their_beginning() {
        let word = [b'7'; 1000];
        let (shape, length) = WordShape::of_first_word(&word);
        assert_eq!((shape.count(Class::Digit), length), (MAX_COUNTED, 1000));
        assert_eq!(WordShape::of(&word), shape);
    }

    #[test]
    fn cjk_is_a_border() {
        let (_, length) = WordShape::of_first_word("abc连接".as_bytes());
        assert_eq!(length, 3);
    }
}
