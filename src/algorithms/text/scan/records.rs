//! Keys and their values: `key=value` and JSON lines.
//!
//! In the profiles for such lines every value is one variable, with its quotes or brackets, so that
//! `null`, `""` and `"alice"` give one template. The values of keys that tell the kind of event are
//! masked like a text.

use super::{NOWHERE, Scanner, SeenWord};
use crate::algorithms::text::blanks::{is_white, trim_end};
use crate::algorithms::text::kind::VariableKind;
use crate::algorithms::text::mask_options::Profile;
use crate::algorithms::text::shape::{is_border, is_wide_lead};
use crate::algorithms::text::words;

/// The longest key that is looked for.
const LONGEST_KEY: usize = 128;

impl Scanner<'_> {
    /// Handles `=`: the name after `user=`, a quoted word, and with [`Profile::KeyValue`] every
    /// value.
    pub(super) fn equals(&mut self, at: usize) -> usize {
        let key = self.key_before(at);
        let next = at + 1;
        if key.start == key.end {
            return next;
        }
        let quote = self.at(next).filter(|byte| matches!(byte, b'"' | b'\''));
        let begin = next + usize::from(quote.is_some());
        let is_text = words::is_text_key(self.text(key));
        if self.rules.profile == Profile::KeyValue && !is_text {
            return self.whole_value(next);
        }
        if words::is_identity_key(self.text(key)) {
            self.expect(begin, VariableKind::User);
        } else if !is_text && quote.is_some_and(|quote| self.is_one_word_to(begin, quote)) {
            self.expect(begin, VariableKind::Any);
        }
        // A value that tells the kind of event stays, in quotes too.
        if is_text {
            self.behind_level(key, begin)
        } else {
            next
        }
    }

    /// Where the walk continues at the value of a text key: after the value if it is the number of
    /// a level.
    fn behind_level(&self, key: SeenWord, value: usize) -> usize {
        if self.rules.profile == Profile::Default || !words::is_level_key(self.text(key)) {
            return value;
        }
        let rest = self.line.get(value..).unwrap_or_default();
        value + rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
    }

    /// The key that ends at the `=` at `at`: it begins after white space or a border, except that
    /// letters of every script belong to it.
    fn key_before(&self, at: usize) -> SeenWord {
        let before = &self.line[at.saturating_sub(LONGEST_KEY)..at];
        let is_key = |&&byte: &&u8| {
            let is_letter = byte >= 0x80;
            !is_white(byte) && (!is_border(byte) || is_letter)
        };
        let length = before.iter().rev().take_while(is_key).count();
        let start = at - length;
        SeenWord {
            start: start + self.length_of_clauses(start, at),
            end: at,
        }
    }

    /// The length up to and including the last full-width punctuation mark, which ends a clause of
    /// a Chinese sentence.
    fn length_of_clauses(&self, start: usize, end: usize) -> usize {
        let text = &self.line[start..end];
        if text.is_ascii() {
            return 0;
        }
        let text = str::from_utf8(text).unwrap_or_default();
        let ends = |char: char| !char.is_ascii() && !char.is_alphanumeric();
        let mark = text.rmatch_indices(ends).next();
        mark.map_or(0, |(at, mark)| at + mark.len())
    }

    /// Makes a variable of the word that will begin at `at`.
    pub(super) fn expect(&mut self, at: usize, kind: VariableKind) {
        (self.name_at, self.name_kind) = (at, kind);
    }

    /// Whether a quoted value is one word: one word is data, while several may be a text.
    fn is_one_word_to(&self, begin: usize, quote: u8) -> bool {
        let rest = &self.line[begin..];
        let length = rest
            .iter()
            .take_while(|&&byte| byte != quote && !is_border(byte))
            .count();
        length > 0 && rest.get(length) == Some(&quote)
    }

    /// Adds the value that begins here as one variable; returns where it ends. A value can be
    /// empty.
    fn whole_value(&mut self, begin: usize) -> usize {
        if self.is_placeholder(begin) {
            return begin;
        }
        let end = match self.at(begin) {
            Some(quote @ (b'"' | b'\'')) => self.behind_string(begin, quote),
            Some(b'{' | b'[' | b'(') => self.behind_brackets(begin),
            _ => self.end_of_bare_value(self.begin_of_number(begin)),
        };
        if !self.is_kept(without_quotes(&self.line[begin..end])) {
            self.push_apart(begin, end, VariableKind::Any);
        }
        end
    }

    /// The start of a right-aligned number after `=`, as in `took=   7`; otherwise `begin`, where
    /// an empty value ends.
    fn begin_of_number(&self, begin: usize) -> usize {
        let number = self.skip_white(begin);
        let word = self.line.get(number..).unwrap_or_default();
        let length = word.iter().take_while(|&&byte| !is_border(byte)).count();
        let is_key = word.get(length) == Some(&b'=');
        if word.first().is_some_and(u8::is_ascii_digit) && !is_key {
            number
        } else {
            begin
        }
    }

    /// The end of a value without quotes: white space, a bracket that the value did not open, or a
    /// comma or semicolon before another key or before the end.
    fn end_of_bare_value(&self, begin: usize) -> usize {
        let mut at = begin;
        while let Some(byte) = self.at(at).filter(|&byte| !is_white(byte)) {
            match byte {
                b'(' | b'[' | b'{' => {
                    at = self.behind_brackets(at);
                    continue;
                }
                b')' | b']' | b'}' => break,
                b',' | b';' if self.ends_value(at + 1) => break,
                b'<' if self.is_placeholder(at) => break,
                _ => {}
            }
            at += 1;
        }
        at
    }

    /// Whether the comma before `at` ends a value: white space, the end of the line or another key
    /// follows.
    fn ends_value(&self, at: usize) -> bool {
        let rest = self.line.get(at..).unwrap_or_default();
        let key = rest
            .iter()
            .take(LONGEST_KEY)
            .take_while(|&&byte| !is_border(byte) || is_wide_lead(byte))
            .count();
        rest.first().is_none_or(|&byte| is_white(byte)) || key > 0 && rest.get(key) == Some(&b'=')
    }

    /// The position of the quote that ends a string; without one, the end of the line without its
    /// white space.
    fn end_of_string(&self, begin: usize, quote: u8) -> usize {
        let mut at = begin;
        while at < self.line.len() && self.line[at] != quote {
            at += 1 + usize::from(self.line[at] == b'\\');
        }
        if at < self.line.len() {
            return at;
        }
        self.end_of_line(begin)
    }

    fn end_of_line(&self, begin: usize) -> usize {
        begin + trim_end(self.line.get(begin..).unwrap_or_default()).len()
    }

    /// The position after the string that the quote at `at` begins.
    fn behind_string(&self, at: usize, quote: u8) -> usize {
        let end = self.end_of_string(at + 1, quote);
        end + usize::from(self.at(end) == Some(quote))
    }

    /// The position after the brackets that open at `at`, with their content; if they do not close,
    /// the end of the line.
    fn behind_brackets(&self, at: usize) -> usize {
        let mut depth = 0_usize;
        let mut end = at;
        while let Some(byte) = self.at(end) {
            match byte {
                b'"' => end = self.behind_string(end, byte) - 1,
                b'(' | b'[' | b'{' => depth += 1,
                b')' | b']' | b'}' if depth <= 1 => return end + 1,
                b')' | b']' | b'}' => depth -= 1,
                _ => {}
            }
            end += 1;
        }
        self.end_of_line(at)
    }

    /// Whether this position is in the text of a JSON string, or is the quote that ends it.
    pub(super) fn is_in_text(&self, at: usize) -> bool {
        self.text_end != NOWHERE && at <= self.text_end
    }

    /// Handles a quote of a JSON line; returns where the walk continues.
    pub(super) fn json_quote(&mut self, at: usize) -> usize {
        if at == self.text_end {
            at + 1
        } else if self.is_in_text(at) {
            self.quote(at)
        } else {
            self.json_string(at)
        }
    }

    /// Handles a string of a JSON line: a key, a text, or a value that is one variable.
    fn json_string(&mut self, quote: usize) -> usize {
        let begin = quote + 1;
        let end = self.end_of_string(begin, b'"');
        let colon = self.skip_white(end + 1);
        // A key is a name; a string with blanks or a placeholder in it is a value, whatever follows
        // it.
        let is_name = !self.line[begin..end]
            .iter()
            .any(|&byte| byte == b'<' || is_white(byte));
        if self.at(colon) == Some(b':') && is_name {
            return self.json_key(begin, end, colon);
        }
        if self.text_at == quote || self.is_kept(&self.line[begin..end]) {
            self.text_end = end;
            return begin;
        }
        self.push_element(quote, self.behind_string(quote, b'"'))
    }

    /// Handles a key of a JSON object. A list after it is one variable, whatever its length, and so
    /// is an empty object.
    fn json_key(&mut self, begin: usize, end: usize, colon: usize) -> usize {
        self.remember(begin, end);
        self.note_gap(end + 1, colon);
        let value = self.skip_white(colon + 1);
        let behind = if words::is_text_key(&self.line[begin..end]) {
            self.text_at = value;
            self.behind_level(SeenWord { start: begin, end }, value)
        } else if self.begins_whole_value(value) {
            let behind = self.behind_brackets(value);
            self.push_apart(value, behind, VariableKind::Any);
            behind
        } else {
            value
        };
        if behind == value {
            return colon + 1;
        }
        self.note_gap(colon + 1, value);
        behind
    }

    fn begins_whole_value(&self, value: usize) -> bool {
        match self.at(value) {
            Some(b'[') => true,
            Some(b'{') => self.at(self.skip_white(value + 1)) == Some(b'}'),
            _ => false,
        }
    }

    /// Notes whether the skipped text is nothing or one blank.
    fn note_gap(&mut self, from: usize, to: usize) {
        self.single_blanks &= to <= from || to == from + 1 && self.at(from) == Some(b' ');
    }

    /// Adds a string of a list, which is one variable with the string before it; returns where the
    /// walk continues.
    fn push_element(&mut self, start: usize, end: usize) -> usize {
        if let Some(last) = self.found.last_mut()
            && matches!(&self.line[last.end..start], [b',', blank @ ..] if blank.iter().all(|&byte| is_white(byte)))
        {
            last.end = end;
        } else {
            self.push_apart(start, end, VariableKind::Any);
        }
        end
    }
}

fn without_quotes(value: &[u8]) -> &[u8] {
    match value {
        [b'"', inside @ .., b'"'] | [b'\'', inside @ .., b'\''] => inside,
        _ => value,
    }
}
