//! Words in quotes are variables: `user "alice"`, `no tag 'v1'`, `关闭“orders”`.
//!
//! In thirty thousand messages of the catalogues of programs, nine in ten words in quotes are
//! filled in. These stay: options (`'--force'`), signs (`';'`), words in capitals (`'SELECT'`),
//! several words, the keys of JSON and the values of keys that tell the kind of event
//! (`level="error"`).

use memchr::memchr;

use super::{Scanner, SeenWord};
use crate::algorithms::text::blanks::{is_white, trim_end};
use crate::algorithms::text::kind::VariableKind;
use crate::algorithms::text::mask_options::Quotes;
use crate::algorithms::text::quote_marks::opening_quote;
use crate::algorithms::text::shape::{is_border, is_wide_lead};
use crate::algorithms::text::words;

impl Scanner<'_> {
    /// Handles a quotation mark; returns where the walk continues.
    pub(super) fn quote(&mut self, at: usize) -> usize {
        if self.rules.quotes == Quotes::Mask
            && let Some((word, next)) = self.quoted_word(at)
        {
            self.push_quoted(word, at);
            self.remember(word.start, word.end);
            return next;
        }
        if self
            .user
            .is_some_and(|(user, _)| self.is_blank(user.end, at))
        {
            self.expect(at + 1, VariableKind::User);
        }
        at + opening_quote(&self.line[at..]).map_or(1, |(length, _)| length)
    }

    /// Adds a quoted word; the parts of a name such as `` `shop`.`orders` `` are one variable.
    fn push_quoted(&mut self, word: SeenWord, quote: usize) {
        if let Some(last) = self.found.last_mut()
            && matches!(&self.line[last.end..word.start], [close, b'.', open] if close == open && *open == self.line[quote])
        {
            last.end = word.end;
        } else {
            self.push_apart(word.start, word.end, VariableKind::Any);
        }
    }

    /// The word that the mark at `at` quotes, if it is data, and the position after its closing
    /// mark.
    fn quoted_word(&self, at: usize) -> Option<(SeenWord, usize)> {
        let (length, closing) = opening_quote(&self.line[at..])?;
        let is_ascii = length == 1;
        if is_ascii && !self.can_open(at) || self.is_behind_placeholder(at) {
            return None;
        }
        let start = at + length;
        let end = match self.end_of_user_agent(start, self.line[at]) {
            Some(end) if is_ascii => end,
            _ => start + length_of_quoted(&self.line[start..]),
        };
        let close = closing
            .iter()
            .find(|close| self.line[end..].starts_with(close.as_bytes()))?;
        let next = end + close.len();
        if is_ascii && self.goes_on(next) {
            return None;
        }
        let word = &self.line[start..end];
        let is_variable = is_data(word)
            && !self.is_kept(word)
            && !self.is_json_key(at, next)
            && !self.tells_kind(at);
        is_variable.then_some((SeenWord { start, end }, next))
    }

    /// Whether a quotation can begin here: after a border, a letter of a CJK script, or a character
    /// that joins it to another quotation, as in `"a":"b"` and `'root'@'localhost'`.
    fn can_open(&self, at: usize) -> bool {
        let quote = self.line[at];
        match self.line[..at] {
            [] => true,
            [.., before] if is_border(before) => true,
            [.., before, b':' | b'@' | b'/' | b'.'] if before == quote => true,
            [.., lead, _, last] if last >= 0x80 => is_wide_lead(lead),
            _ => false,
        }
    }

    /// The end of a quotation that begins like a user agent, `Mozilla/5.0 (X11; Linux)`; it is one
    /// value, however many words it has (RFC 9110, section 10.1.5).
    fn end_of_user_agent(&self, start: usize, quote: u8) -> Option<usize> {
        let limit = if self.is_in_text(start) {
            self.text_end
        } else {
            self.line.len()
        };
        let rest = &self.line[start..limit.max(start)];
        let name = rest
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
            .count();
        let is_product = name > 1 && matches!(rest.get(name..), Some([b'/', b'0'..=b'9', ..]));
        if !is_product {
            return None;
        }
        let length = memchr(quote, rest)?;
        (!rest[..length].contains(&b'<')).then_some(start + length)
    }

    /// Whether the quoted text is a key of an object: `{"a":`, `,"a":`, in Python `{'a':` and in
    /// Ruby `{"a"=>`.
    fn is_json_key(&self, at: usize, next: usize) -> bool {
        let colon = self.skip_white(next);
        let is_ruby = self.line[colon.min(self.line.len())..].starts_with(b"=>");
        if !is_ruby && self.at(colon) != Some(b':') {
            return false;
        }
        match last_sign(&self.line[..at]) {
            Some(b'{' | b',') => true,
            Some(_) => false,
            // The walk may begin inside an object; `"a.txt": no such file` is a sentence.
            None => {
                let value = self.skip_white(colon + 1);
                self.is_placeholder(value)
                    || matches!(self.at(value), Some(b'"' | b'{' | b'[' | b'0'..=b'9'))
            }
        }
    }

    /// Whether a quotation is the value of a key that tells the kind of event: `"level":"error"`.
    fn tells_kind(&self, at: usize) -> bool {
        let before = trim_end(&self.line[..at]);
        let Some(before) = before.strip_suffix(b":").or(before.strip_suffix(b"=")) else {
            return false;
        };
        let key = trim_end(before);
        let key = key.strip_suffix(b"\"").unwrap_or(key);
        let belongs = |&&byte: &&u8| byte >= 0x80 || !is_border(byte) && byte != b':';
        let start = key.len() - key.iter().rev().take_while(belongs).count();
        // A key that is itself a variable tells nothing.
        let is_constant = self.found.last().is_none_or(|last| last.end <= start);
        is_constant && words::is_text_key(&key[start..])
    }
}

fn last_sign(text: &[u8]) -> Option<u8> {
    text.iter().rev().find(|&&byte| !is_white(byte)).copied()
}

/// The number of bytes before the next white space or quotation mark.
fn length_of_quoted(text: &[u8]) -> usize {
    let ends = |at: usize| {
        let byte = text[at];
        is_white(byte)
            || matches!(byte, b'"' | b'\'' | b'`')
            || matches!(byte, 0xc2 | 0xe2 | 0xe3) && is_quote_mark(&text[at..])
    };
    (0..text.len()).find(|&at| ends(at)).unwrap_or(text.len())
}

fn is_quote_mark(text: &[u8]) -> bool {
    matches!(
        text,
        [0xc2, 0xab | 0xbb, ..] | [0xe2, 0x80, 0x98..=0x9f, ..] | [0xe3, 0x80, 0x8a..=0x8f, ..]
    )
}

/// Whether a word in quotes is data: not an option, not a sign, not a keyword in capitals.
fn is_data(word: &[u8]) -> bool {
    // `/` is a path, and `-` means that there is no value.
    if matches!(word, b"/" | b"-") {
        return true;
    }
    let has_sign = word
        .iter()
        .any(|byte| byte.is_ascii_alphanumeric() || *byte >= 0x80);
    let is_keyword = word.len() > 1 && word.iter().all(u8::is_ascii_uppercase);
    has_sign && !is_keyword && word[0] != b'-' && !word.contains(&b'<')
}
