//! The walk over a line: word by word, from the first byte to the last, to find its variables.
//!
//! [`classify`](crate::algorithms::text::classify) judges a word alone. This module adds what only
//! the neighbourhood tells: the halves of a date, the name after `user`, the unit after a number,
//! the values of keys. Variables that touch, or that only a joining character separates, become
//! one.

mod plain;
mod quotes;
mod records;
mod variables;
mod word;

use std::collections::HashSet;

use crate::algorithms::text::blanks::{is_white, trim_end};
use crate::algorithms::text::kind::VariableKind;
use crate::algorithms::text::mask_options::{Profile, Quotes, Subject};
use crate::algorithms::text::paths::length_of_cjk_letters;
use crate::algorithms::text::quote_marks::opening_quote;
use crate::algorithms::text::shape::is_border;
use crate::algorithms::text::variable::Variable;
use crate::algorithms::text::words;

/// The rules of a walk.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WalkRules<'a> {
    pub(crate) profile: Profile,
    pub(crate) quotes: Quotes,
    pub(crate) subject: Subject,
    /// Words that are never masked.
    pub(crate) keep: &'a HashSet<Box<[u8]>>,
}

/// What a walk found out about the line, besides its variables.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WalkNotes {
    /// Whether all white space is single blanks between words.
    pub(crate) single_blanks: bool,
    /// Whether the value of a digit decided something.
    pub(crate) looked_at_digits: bool,
}

/// Walks over `line[start..stop]` and adds its variables to `found`; no variable extends beyond
/// this range.
pub(crate) fn scan(
    line: &[u8],
    start: usize,
    stop: usize,
    rules: WalkRules<'_>,
    found: &mut Vec<Variable>,
) -> WalkNotes {
    let mut scanner = Scanner {
        line: &line[..stop],
        rules,
        found,
        words: [SeenWord::default(); 3],
        name_at: NOWHERE,
        name_kind: VariableKind::User,
        user: None,
        long_blanks: vec![],
        text_at: NOWHERE,
        text_end: NOWHERE,
        single_blanks: true,
        looked_at_digits: false,
        first_word: NOWHERE,
    };
    if start == 0 {
        scanner.first_word = scanner.skip_white(0);
    }
    scanner.run(start);
    WalkNotes {
        single_blanks: scanner.single_blanks,
        looked_at_digits: scanner.looked_at_digits,
    }
}

/// The position of a word that the walk has passed.
#[derive(Debug, Clone, Copy, Default)]
struct SeenWord {
    start: usize,
    end: usize,
}

const NOWHERE: usize = usize::MAX;

/// The longest word that can belong to the number before it: `bytes`.
const LONGEST_UNIT: usize = 5;

/// The longest run of white space that is looked at byte by byte. Longer ones are remembered, so
/// that a line of blanks and words does not take quadratic time.
const LONG_BLANK: usize = 32;

struct Scanner<'a> {
    line: &'a [u8],
    rules: WalkRules<'a>,
    found: &'a mut Vec<Variable>,
    /// The last three words, the latest first.
    words: [SeenWord; 3],
    /// Where a word must begin to be a variable because of what comes before it, and of which kind.
    name_at: usize,
    name_kind: VariableKind,
    /// The last word "user", and whether the word before it announces a name.
    user: Option<(SeenWord, bool)>,
    /// Start and end of the runs of white space that are too long to look at repeatedly.
    long_blanks: Vec<(usize, usize)>,
    /// The position of the quote that begins a JSON string which is a text.
    text_at: usize,
    /// The position of the quote that ends the text of the current JSON string.
    text_end: usize,
    single_blanks: bool,
    looked_at_digits: bool,
    /// Where the first word of the line begins, if it is part of the walk.
    first_word: usize,
}

impl Scanner<'_> {
    fn run(&mut self, start: usize) {
        let mut at = start;
        while let Some(&byte) = self.line.get(at) {
            if is_border(byte) {
                at = self.border(at, byte);
                continue;
            }
            at = self.word(at);
            // Most words are separated by one blank, which says nothing.
            if let Some([b' ', next]) = self.line.get(at..at + 2) {
                at += usize::from(!is_white(*next));
            }
        }
    }

    fn text(&self, word: SeenWord) -> &[u8] {
        &self.line[word.start..word.end]
    }

    fn at(&self, position: usize) -> Option<u8> {
        self.line.get(position).copied()
    }

    /// Whether `start..end` is white space and not empty.
    fn is_blank(&self, start: usize, end: usize) -> bool {
        if end.saturating_sub(start) <= LONG_BLANK {
            return start < end && self.line[start..end].iter().all(|&byte| is_white(byte));
        }
        let run = self
            .long_blanks
            .partition_point(|&(_, run_end)| run_end < end);
        self.long_blanks
            .get(run)
            .is_some_and(|&(run_start, _)| run_start <= start)
    }

    /// The first position at or after `at` that is not white space.
    fn skip_white(&self, at: usize) -> usize {
        let rest = self.line.get(at..).unwrap_or_default();
        at + rest.iter().take_while(|&&byte| is_white(byte)).count()
    }

    fn border(&mut self, at: usize, byte: u8) -> usize {
        match byte {
            b' ' if at > 0 && self.at(at + 1).is_some_and(|next| !is_white(next)) => at + 1,
            _ if is_white(byte) => self.irregular_blank(at),
            b'<' => match VariableKind::of_placeholder(&self.line[at..]) {
                Some((kind, length)) => {
                    self.push_apart(at, at + length, kind);
                    at + length
                }
                None => at + 1,
            },
            b'=' => self.equals(at),
            b'(' => {
                self.empty_brackets(at);
                at + 1
            }
            b'"' if self.rules.profile == Profile::Json => self.json_quote(at),
            b')' | b']' | b'}' => {
                self.list(at);
                at + 1
            }
            b'"' | b'\'' | b'`' => self.quote(at),
            _ if byte >= 0x80 => self.wide_border(at),
            _ => at + 1,
        }
    }

    /// Handles a character of three bytes: a quotation mark, a sign, or a letter of a script
    /// without blanks.
    fn wide_border(&mut self, at: usize) -> usize {
        if opening_quote(&self.line[at..]).is_some() {
            return self.quote(at);
        }
        if let Some(end) = self.join_chinese_unit(at) {
            return end;
        }
        match self.length_of_chinese_name(at) {
            Some(length) if !self.is_kept(&self.line[at..at + length]) => {
                self.push_apart(at, at + length, VariableKind::User);
                self.remember(at, at + length);
                at + length
            }
            _ => at + 3,
        }
    }

    /// Joins a unit of time to the number before it: `35毫秒`, `1小时2分3秒`, `2026年3月2日`. Returns where
    /// the unit ends.
    fn join_chinese_unit(&mut self, at: usize) -> Option<usize> {
        let last = self
            .found
            .last()
            .filter(|last| last.end == at && !self.is_placeholder(last.start))?;
        if !matches!(
            last.kind,
            VariableKind::Num | VariableKind::Duration | VariableKind::Time
        ) {
            return None;
        }
        let (length, kind) = words::chinese_unit(&self.line[at..])?;
        let end = at + length;
        if let Some(last) = self.found.last_mut() {
            (last.end, last.kind) = (end, kind);
        }
        Some(end)
    }

    /// The length of a Chinese name: up to four characters after a noun and between blanks, or any
    /// length after its key. `用户 张三 登录失败`, `user=张三`.
    fn length_of_chinese_name(&self, at: usize) -> Option<usize> {
        const LONGEST: usize = 4 * 3;
        let is_value = self.name_at == at;
        if !is_value && (at == 0 || !is_white(self.line[at - 1])) {
            return None;
        }
        let length = length_of_cjk_letters(&self.line[at..]);
        if length == 0 || is_value {
            return (length > 0).then(|| self.length_of_value(at));
        }
        let before = trim_end(&self.line[..at]);
        let next = self.skip_white(at + length);
        let is_between = at + length < next && next < self.line.len();
        let is_free = self.found.last().is_none_or(|last| last.end < before.len());
        let is_name =
            length <= LONGEST && is_between && is_free && words::ends_with_chinese_noun(before);
        is_name.then_some(length)
    }

    /// The length of a value made of letters of any script and words: `张三2`.
    fn length_of_value(&self, at: usize) -> usize {
        let mut end = at;
        loop {
            let rest = &self.line[end..];
            let letters = length_of_cjk_letters(rest);
            let word = rest[letters..]
                .iter()
                .take_while(|&&byte| !is_border(byte))
                .count();
            if letters + word == 0 {
                return end - at;
            }
            end += letters + word;
        }
    }

    /// Handles white space other than one blank between words.
    fn irregular_blank(&mut self, at: usize) -> usize {
        let end = self.skip_white(at);
        self.single_blanks = false;
        if end - at > LONG_BLANK {
            self.long_blanks.push((at, end));
        }
        end
    }

    /// Whether a word is the constant rest of one that was masked before. It stays, so that masking
    /// a template again changes nothing.
    fn touches_placeholder(&self, start: usize, end: usize) -> bool {
        self.at(end) == Some(b'<') && self.is_placeholder(end) || self.is_behind_placeholder(start)
    }

    /// Whether a letter, a digit or a placeholder follows.
    fn goes_on(&self, at: usize) -> bool {
        self.at(at).is_some_and(|byte| byte.is_ascii_alphanumeric()) || self.is_placeholder(at)
    }

    fn is_behind_placeholder(&self, at: usize) -> bool {
        let last = self.found.last();
        last.is_some_and(|last| last.end == at && self.is_placeholder(last.start))
    }

    fn is_placeholder(&self, start: usize) -> bool {
        self.line
            .get(start..)
            .is_some_and(|text| VariableKind::of_placeholder(text).is_some())
    }

    fn remember(&mut self, start: usize, end: usize) {
        self.words = [SeenWord { start, end }, self.words[0], self.words[1]];
    }

    fn is_kept(&self, word: &[u8]) -> bool {
        !self.rules.keep.is_empty() && self.rules.keep.contains(word)
    }

    /// Whether the word before the one that begins at `start` satisfies `is_such`.
    fn follows(&self, start: usize, is_such: impl Fn(&[u8]) -> bool) -> bool {
        self.is_blank(self.words[0].end, start) && is_such(self.text(self.words[0]))
    }
}
