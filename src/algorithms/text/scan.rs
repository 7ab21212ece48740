//! The walk over a line: word by word, from the first byte to the last, finding what is variable.
//!
//! [`classify`] judges a word alone. What only the neighbourhood tells is added here: the halves of a date, the name
//! behind `user`, the unit behind a number, the values of keys. Variables that touch, or that only a joining character
//! parts, become one.

use crate::algorithms::text::blanks::is_white;
use crate::algorithms::text::classify::{Verdict, classify, is_domain, unit};
use crate::algorithms::text::kind::Kind;
use crate::algorithms::text::mask::{Profile, Variable};
use crate::algorithms::text::paths::{end_of_path, kind_of_path};
use crate::algorithms::text::random::is_random;
use crate::algorithms::text::shape::{Class, Shape, is_border, is_cjk_lead};
use crate::algorithms::text::words;
use std::collections::HashSet;

/// What a walk needs to know beside the line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules<'a> {
    pub(crate) profile: Profile,
    /// Words that are never masked.
    pub(crate) keep: &'a HashSet<Box<[u8]>>,
}

/// Walks over `line[start..stop]`, which no variable may leave, and adds its variables to `found`.
/// Returns whether all white space is single blanks between words.
pub(crate) fn scan(
    line: &[u8],
    start: usize,
    stop: usize,
    rules: Rules<'_>,
    found: &mut Vec<Variable>,
) -> bool {
    let mut scanner = Scanner {
        line: &line[..stop],
        rules,
        found,
        words: [Word::default(); 3],
        name_at: NOWHERE,
        name_kind: Kind::User,
        user: None,
        long_blanks: vec![],
        text_at: NOWHERE,
        text_end: NOWHERE,
        single_blanks: true,
    };
    scanner.run(start);
    scanner.single_blanks
}

/// The bytes of a word that was seen.
#[derive(Debug, Clone, Copy, Default)]
struct Word {
    start: usize,
    end: usize,
}

const NOWHERE: usize = usize::MAX;

/// The longest word that can belong to the number before it: `bytes`.
const LONGEST_UNIT: usize = 5;

/// Runs of white space up to this length are looked at byte by byte; so that a line of blanks and words does not take
/// time with its square, longer ones are remembered.
const LONG_BLANK: usize = 32;

struct Scanner<'a> {
    line: &'a [u8],
    rules: Rules<'a>,
    found: &'a mut Vec<Variable>,
    /// The last three words, the latest first.
    words: [Word; 3],
    /// Where a word must begin to be a variable because of what stands before it, and of which kind.
    name_at: usize,
    name_kind: Kind,
    /// The last word "user", and whether the word before it makes a name follow.
    user: Option<(Word, bool)>,
    /// Begin and end of the runs of white space that are too long to look at again and again.
    long_blanks: Vec<(usize, usize)>,
    /// Where the quote stands that begins a JSON string which is a text.
    text_at: usize,
    /// Where the quote stands that ends the text of a JSON string in which the walk is.
    text_end: usize,
    single_blanks: bool,
}

impl Scanner<'_> {
    fn run(&mut self, start: usize) {
        let mut at = start;
        while at < self.line.len() {
            let byte = self.line[at];
            at = if !is_border(byte) {
                self.word(at)
            } else {
                self.border(at, byte)
            };
        }
    }

    fn text(&self, word: Word) -> &[u8] {
        &self.line[word.start..word.end]
    }

    fn at(&self, position: usize) -> Option<u8> {
        self.line.get(position).copied()
    }

    /// Whether one or more white space characters, and nothing else, stand from `start` to `end`.
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

    /// The first position from `at` on that is not white space.
    fn skip_white(&self, at: usize) -> usize {
        let rest = self.line.get(at..).unwrap_or_default();
        at + rest.iter().take_while(|&&byte| is_white(byte)).count()
    }

    // ---- borders

    fn border(&mut self, at: usize, byte: u8) -> usize {
        match byte {
            b' ' if at > 0 && self.at(at + 1).is_some_and(|next| !is_white(next)) => at + 1,
            _ if is_white(byte) => self.irregular_blank(at),
            b'<' => match Kind::of_placeholder(&self.line[at..]) {
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
            b'"' if self.rules.profile == Profile::Json && !self.is_in_text(at) => {
                self.json_string(at)
            }
            b'"' | b'\'' | b'`' => self.quote(at),
            _ if is_cjk_lead(byte) => at + 3,
            _ => at + 1,
        }
    }

    /// White space that is more, or other, than one blank between words.
    fn irregular_blank(&mut self, at: usize) -> usize {
        let end = self.skip_white(at);
        self.single_blanks = false;
        if end - at > LONG_BLANK {
            self.long_blanks.push((at, end));
        }
        end
    }

    /// A word in quotes is a variable: `user "alice"`, `no tag 'v1'`.
    fn quote(&mut self, at: usize) -> usize {
        if let Some(end) = self.quoted_word(at) {
            self.push_apart(at + 1, end, Kind::Any);
            self.remember(at + 1, end);
            return end + 1;
        }
        if self
            .user
            .is_some_and(|(user, _)| self.is_blank(user.end, at))
        {
            self.expect(at + 1, Kind::User);
        }
        at + 1
    }

    /// The closing quote, if the one at `at` opens the quotation of one word that is data.
    fn quoted_word(&self, at: usize) -> Option<usize> {
        if at > 0 && !is_border(self.line[at - 1]) {
            return None;
        }
        let opening = self.line[at];
        let rest = &self.line[at + 1..];
        let length = rest
            .iter()
            .take_while(|&&byte| !is_white(byte) && !matches!(byte, b'"' | b'\'' | b'`'))
            .count();
        let closes = |byte: u8| byte == opening || opening == b'`' && byte == b'\'';
        let end = at + 1 + length;
        if !self.at(end).is_some_and(closes)
            || self
                .at(end + 1)
                .is_some_and(|byte| byte.is_ascii_alphanumeric())
        {
            return None;
        }
        if opening == b'"'
            && self.at(self.skip_white(end + 1)) == Some(b':')
            && matches!(
                self.line[..at].iter().rev().find(|&&b| !is_white(b)),
                Some(b'{' | b',')
            )
        {
            return None;
        }
        let word = &rest[..length];
        (is_data(word) && !self.is_kept(word)).then_some(end)
    }

    /// What follows `=`: the name behind `user=`, a quoted word, and with [`Profile::KeyValue`] every value.
    fn equals(&mut self, at: usize) -> usize {
        let key = self.words[0];
        let next = at + 1;
        if key.end != at || key.start == key.end {
            return next;
        }
        let quote = self.at(next).filter(|byte| matches!(byte, b'"' | b'\''));
        let begin = next + usize::from(quote.is_some());
        if self.rules.profile == Profile::KeyValue
            && !words::is_text_key(self.text(key))
            && !self.is_placeholder(begin)
        {
            return self.whole_value(next, quote);
        }
        if words::is_identity_key(self.text(key)) {
            self.expect(begin, Kind::User);
        } else if quote.is_some_and(|quote| self.is_one_word_to(begin, quote)) {
            self.expect(begin, Kind::Any);
        }
        next
    }

    /// A word that begins here is a variable.
    fn expect(&mut self, at: usize, kind: Kind) {
        (self.name_at, self.name_kind) = (at, kind);
    }

    /// Whether a quoted value is one word: then it is data, while several words may be a text.
    fn is_one_word_to(&self, begin: usize, quote: u8) -> bool {
        let rest = &self.line[begin..];
        let length = rest
            .iter()
            .take_while(|&&byte| byte != quote && !is_border(byte))
            .count();
        length > 0 && rest.get(length) == Some(&quote)
    }

    fn whole_value(&mut self, begin: usize, quote: Option<u8>) -> usize {
        let (begin, end) = match quote {
            Some(quote) => (begin + 1, self.end_of_string(begin + 1, quote)),
            None => {
                let ends = |byte: &&u8| {
                    is_white(**byte) || matches!(byte, b',' | b';' | b')' | b']' | b'}')
                };
                let length = self.line[begin..]
                    .iter()
                    .take_while(|byte| !ends(byte))
                    .count();
                (begin, begin + length)
            }
        };
        if begin < end && !self.is_kept(&self.line[begin..end]) {
            self.push_apart(begin, end, Kind::Any);
        }
        end
    }

    /// The position of the quote that ends a string; where there is none, the end of the line but for its white space.
    fn end_of_string(&self, begin: usize, quote: u8) -> usize {
        let mut at = begin;
        while at < self.line.len() && self.line[at] != quote {
            at += 1 + usize::from(self.line[at] == b'\\');
        }
        if at < self.line.len() {
            return at;
        }
        let rest = self.line.get(begin..).unwrap_or_default();
        begin
            + rest
                .iter()
                .rposition(|&byte| !is_white(byte))
                .map_or(0, |last| last + 1)
    }

    /// Whether this quote belongs to the text of a JSON string, or ends it.
    fn is_in_text(&self, at: usize) -> bool {
        self.text_end != NOWHERE && at <= self.text_end
    }

    /// A string of a JSON line: a key, a text, or a value that is variable as a whole.
    fn json_string(&mut self, quote: usize) -> usize {
        let begin = quote + 1;
        let end = self.end_of_string(begin, b'"');
        let colon = self.skip_white(end + 1);
        // A key is a name; a string with blanks or a placeholder in it is a value, whatever stands behind it.
        let is_name = !self.line[begin..end]
            .iter()
            .any(|&byte| byte == b'<' || is_white(byte));
        if self.at(colon) == Some(b':') && is_name {
            return self.json_key(begin, end, colon);
        }
        if self.text_at == quote || begin >= end || self.is_kept(&self.line[begin..end]) {
            self.text_end = end;
            return begin;
        }
        if let Some(last) = self.found.last_mut()
            && is_between_elements(&self.line[last.end..begin])
        {
            // The elements of a list are one variable, however many they are.
            last.end = end;
        } else {
            self.push_apart(begin, end, Kind::Any);
        }
        end + usize::from(self.at(end) == Some(b'"'))
    }

    fn json_key(&mut self, begin: usize, end: usize, colon: usize) -> usize {
        self.remember(begin, end);
        if words::is_text_key(&self.line[begin..end]) {
            self.text_at = self.skip_white(colon + 1);
        }
        self.single_blanks &= colon == end + 1;
        colon + 1
    }

    /// `10.0.0.1 ()`: the name behind an address can be missing, and its brackets hold an empty value.
    fn empty_brackets(&mut self, at: usize) {
        if self.at(at + 1) == Some(b')')
            && let Some(last) = self.found.last()
            && matches!(last.kind, Kind::Ip | Kind::Host)
            && self.is_blank(last.end, at)
        {
            self.found.push(Variable {
                start: at + 1,
                end: at + 1,
                kind: Kind::Host,
            });
        }
    }

    // ---- words

    /// The word that begins at `start`; returns where the walk goes on.
    fn word(&mut self, start: usize) -> usize {
        let (shape, length) = Shape::of_first_word(&self.line[start..]);
        let mut end = start + length;
        if self.touches_placeholder(start, end) {
            return end;
        }
        if shape.is_plain() {
            self.plain_word(start, end, shape);
            return end;
        }
        if shape.count(Class::Dot) >= 2
            && shape.count(Class::Slash) == 0
            && find(&self.line[start..end], b"..").is_some()
        {
            self.words_between_dots(start, end);
        } else if let Some(kind) = kind_of_path(self.line, start, end) {
            end = self.path(start, end, kind);
        } else {
            self.trimmed_word(start, end);
        }
        end
    }

    /// A path or URL whose first word ends at `end`; returns where it ends itself.
    fn path(&mut self, start: usize, end: usize, kind: Kind) -> usize {
        let whole = end_of_path(self.line, start, end);
        if whole == end && kind == Kind::Path {
            self.trimmed_word(start, end);
        } else {
            let trimmed = self.trim(start, whole);
            if !self.is_kept(&self.line[start..trimmed]) {
                self.push(start, trimmed, kind);
            }
            self.remember(start, trimmed);
        }
        whole
    }

    /// Dots that lead to a value end a word: `interrupt......0`.
    fn words_between_dots(&mut self, start: usize, end: usize) {
        let mut at = start;
        while at < end {
            let dots = self.line[at..end]
                .iter()
                .take_while(|&&byte| byte == b'.')
                .count();
            if dots < 2 {
                let length = find(&self.line[at..end], b"..").unwrap_or(end - at);
                self.trimmed_word(at, at + length);
                at += length;
            } else {
                at += dots;
            }
        }
    }

    /// A word without the punctuation that ends it.
    fn trimmed_word(&mut self, start: usize, end: usize) {
        let end = self.trim(start, end);
        if start == end {
            return;
        }
        let shape = Shape::of(&self.line[start..end]);
        if shape.is_plain() {
            self.plain_word(start, end, shape);
        } else {
            self.marked_word(start, end, shape);
            self.remember(start, end);
        }
    }

    /// Where a word ends without the punctuation behind it.
    fn trim(&self, start: usize, end: usize) -> usize {
        let belongs = |byte: &u8| !matches!(byte, b':' | b'.' | b'\\');
        // "->" is no part of what it points from: 24M->4M
        let is_pointer = self.at(end) == Some(b'>') && end > start && self.line[end - 1] == b'-';
        self.line[start..end - usize::from(is_pointer)]
            .iter()
            .rposition(belongs)
            .map_or(start, |last| start + last + 1)
    }

    /// Whether a word is the constant rest of one that was masked before: then it stays, so that masking a template
    /// again changes nothing.
    fn touches_placeholder(&self, start: usize, end: usize) -> bool {
        self.at(end) == Some(b'<') && self.is_placeholder(end)
            || self
                .found
                .last()
                .is_some_and(|last| last.end == start && self.is_placeholder(last.start))
    }

    fn is_placeholder(&self, start: usize) -> bool {
        self.line
            .get(start..)
            .is_some_and(|text| Kind::of_placeholder(text).is_some())
    }

    fn remember(&mut self, start: usize, end: usize) {
        self.words = [Word { start, end }, self.words[0], self.words[1]];
    }

    fn is_kept(&self, word: &[u8]) -> bool {
        !self.rules.keep.is_empty() && self.rules.keep.contains(word)
    }

    /// A word of letters alone: constant, unless the words around it say otherwise.
    fn plain_word(&mut self, start: usize, end: usize, shape: Shape) {
        let word = &self.line[start..end];
        if self.at(end) == Some(b'=') && self.is_base64(start, end) {
            return self.base64(start, end);
        }
        if !self.is_kept(word) {
            match self.kind_of_plain_word(start, end, shape) {
                Some(kind) => self.push(start, end, kind),
                None if word.len() <= LONGEST_UNIT => self.join_unit(start, end),
                None => {}
            }
        }
        if word.len() == 4 && word.eq_ignore_ascii_case(b"user") {
            let announced = self.follows(start, words::announces_user);
            self.user = Some((Word { start, end }, announced));
        }
        self.remember(start, end);
    }

    /// Whether the word before the one that begins at `start` is such a word.
    fn follows(&self, start: usize, is_such: impl Fn(&[u8]) -> bool) -> bool {
        self.is_blank(self.words[0].end, start) && is_such(self.text(self.words[0]))
    }

    /// Whether the word that begins here is a variable because of what stands before it, and of which kind.
    fn expected(&self, start: usize) -> Option<Kind> {
        let follows_user = || {
            self.user
                .is_some_and(|(user, announced)| announced && self.is_blank(user.end, start))
        };
        if self.name_at == start {
            Some(self.name_kind)
        } else {
            follows_user().then_some(Kind::User)
        }
    }

    /// Whether a literal such as `null` stands as a value: `=null`, `(null`, `: null,`. In "null value in column" and
    /// "because it is null" it is a word like others.
    fn is_value(&self, start: usize, end: usize) -> bool {
        let before = self.line[..start].iter().rposition(|&byte| !is_white(byte));
        let Some(before) = before else { return false };
        let behind = self.line[end..].iter().find(|&&byte| !is_white(byte));
        let ends_value =
            behind.is_none_or(|&byte| matches!(byte, b',' | b';' | b')' | b']' | b'}'));
        match self.line[before] {
            b'=' => true,
            b':' | b',' => ends_value || before + 1 == start,
            b'(' | b'[' | b'{' | b'"' | b'\'' => before + 1 == start,
            _ => false,
        }
    }

    fn kind_of_plain_word(&self, start: usize, end: usize, shape: Shape) -> Option<Kind> {
        let word = &self.line[start..end];
        if let Some(kind) = self.expected(start)
            && !words::is_no_name(word)
        {
            return Some(kind);
        }
        match word.len() {
            3..=5 if words::is_literal(word) => self.is_value(start, end).then_some(Kind::Bool),
            4 | 5 | 13 if words::is_known_account(word) => self
                .follows(start, |word| {
                    matches!(word, b"for" | b"by" | b"as" | b"user")
                })
                .then_some(Kind::User),
            8.. if shape.count(Class::HexLetter) == word.len() => Some(Kind::Hex),
            // Names in one case are words.
            10.. if (2..word.len()).contains(&shape.count(Class::Upper)) && is_random(word) => {
                Some(Kind::Id)
            }
            _ => None,
        }
    }

    /// A word that belongs to the variable before it: a unit, a month, a time zone.
    fn join_unit(&mut self, start: usize, end: usize) {
        let word = &self.line[start..end];
        let Some(&last) = self.found.last() else {
            return;
        };
        if !self.is_blank(last.end, start) || self.is_placeholder(last.start) {
            return;
        }
        let joined = match last.kind {
            // The unit that people count small amounts in: large ones it can repeat, "2048 bytes (2.0 KB)". Other units
            // stay, since most programs print an amount in one unit only.
            Kind::Num if matches!(word, b"bytes" | b"byte") => Variable {
                end,
                kind: Kind::Size,
                ..last
            },
            // "<1 sec" stands where otherwise a measured time stands.
            Kind::Num
                if unit(word) == Some(Kind::Duration)
                    && last.start > 0
                    && self.line[last.start - 1] == b'<' =>
            {
                Variable {
                    start: last.start - 1,
                    end,
                    kind: Kind::Duration,
                }
            }
            Kind::Num if last.end - last.start <= 2 && words::is_month_or_weekday(word) => {
                Variable {
                    end,
                    kind: Kind::Time,
                    ..last
                }
            }
            Kind::Time if words::is_month_or_weekday(word) || words::is_zone(word) => {
                Variable { end, ..last }
            }
            Kind::Num if unit(word) == Some(Kind::Size) => {
                return self.join_repeated_size(start, end);
            }
            _ => return,
        };
        self.found.pop();
        self.found.push(joined);
    }

    /// "2048 bytes (2.0 KB)": the same amount again, in a unit for people.
    fn join_repeated_size(&mut self, start: usize, end: usize) {
        if let [.., size, number] = *self.found.as_slice()
            && size.kind == Kind::Size
            && self.line[..number.start].ends_with(b"(")
            && self.is_blank(size.end, number.start - 1)
            && self.is_blank(number.end, start)
            && self.at(end) == Some(b')')
        {
            self.found.truncate(self.found.len() - 2);
            self.found.push(Variable {
                end: end + 1,
                ..size
            });
        }
    }

    /// A word that has more than letters.
    fn marked_word(&mut self, start: usize, end: usize, shape: Shape) {
        let word = &self.line[start..end];
        if self.is_base64(start, end) {
            return self.base64(start, end);
        }
        if self.is_kept(word) || self.at(end) == Some(b'=') && is_key(word, shape) {
            return;
        }
        let colon = word.iter().position(|&byte| byte == b':');
        if let Some(expected) = self.expected(start)
            && colon.is_none()
            && !words::is_no_name(word)
        {
            return match classify(word, shape) {
                Verdict::Whole(kind) => self.push(start, end, kind),
                _ => self.push(start, end, expected),
            };
        }
        if end - start == 5 && self.is_klog_header(start, end) {
            return self.push(start + 1, end, Kind::Time);
        }
        match colon {
            None => self.piece(start, end, shape),
            Some(0) if word.get(1) != Some(&b':') => {
                self.marked_word(start + 1, end, Shape::of(&self.line[start + 1..end]))
            }
            Some(colon) => self.word_with_colon(start, end, colon),
        }
    }

    fn base64(&mut self, start: usize, end: usize) {
        let padding = self.line[end..].iter().take_while(|&&byte| byte == b'=').count();
        self.push(start, end + padding, Kind::Id);
    }

    /// Whether this is data in base64, by the padding behind it.
    fn is_base64(&self, start: usize, end: usize) -> bool {
        let rest = &self.line[end..];
        let padding = rest.iter().take_while(|&&byte| byte == b'=').count();
        let is_end = rest
            .get(padding)
            .is_none_or(|&byte| is_border(byte) || byte == b'.');
        let word = &self.line[start..end];
        (1..=2).contains(&padding)
            && word.len() >= 8
            && (word.len() + padding) % 4 == 0
            && is_end
            && (padding == 2 || word.iter().any(u8::is_ascii_digit))
            && word.iter().all(|byte| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
            })
    }

    fn word_with_colon(&mut self, start: usize, end: usize, colon: usize) {
        let word = &self.line[start..end];
        let (host, port) = (&word[..colon], &word[colon + 1..]);
        if word[colon..].starts_with(b"://") {
            return self.push(start, end, Kind::Url);
        }
        if is_clf_date(host) {
            return self.push(start, end, Kind::Time);
        }
        // Without the zone of fe80::1%eth0.
        let groups = word.split(|&byte| byte == b'%').next().unwrap_or(word);
        let of_groups = Shape::of(groups);
        if of_groups.count(Class::Digit) > 0
            && of_groups.count(Class::Letter) == of_groups.count(Class::HexLetter)
        {
            return self.push(start, end, kind_of_byte_groups(groups, of_groups));
        }
        // A symbol of a program, Scope::method, is constant.
        if port.starts_with(b":") && port.len() > 1 && word[0].is_ascii_alphabetic() {
            return;
        }
        if colon == 1 && matches!(port.first(), Some(b'\\' | b'/')) {
            return self.push(start, end, Kind::Path);
        }
        if !port.is_empty() && port.iter().all(u8::is_ascii_digit) && is_host_before_port(host) {
            return self.push(start, end, Kind::Host);
        }
        let mut from = start;
        for length in lengths_between_colons(self.line, start, end) {
            if length > 0 {
                self.piece(
                    from,
                    from + length,
                    Shape::of(&self.line[from..from + length]),
                );
            }
            from += length + 1;
        }
    }

    /// A word, or a part of one, without a colon.
    fn piece(&mut self, start: usize, end: usize, shape: Shape) {
        let word = &self.line[start..end];
        if self.is_kept(word) {
            return;
        }
        if words::is_literal(word) {
            return self.push(start, end, Kind::Bool);
        }
        if self.ends_request_line(start, end) {
            return self.push(start, end, Kind::Path);
        }
        match classify(word, shape) {
            Verdict::Constant => {}
            Verdict::Whole(kind) => self.push(start, end, kind),
            Verdict::Before(length, kind) => self.push(start, start + length, kind),
            Verdict::After(prefix, kind) => self.push(start + prefix, end, kind),
        }
    }

    /// Whether this is the protocol behind the target of a request line, or the target `/` before it.
    fn ends_request_line(&self, start: usize, end: usize) -> bool {
        let word = &self.line[start..end];
        if word == b"/" {
            let behind = self.skip_white(end);
            return self.follows(start, words::is_http_method) || behind > end && self.line[behind..].starts_with(b"HTTP/");
        }
        let last = self
            .found
            .last()
            .filter(|last| matches!(last.kind, Kind::Path | Kind::Url));
        word.starts_with(b"HTTP/")
            && last.is_some_and(|last| {
                !self.is_placeholder(last.start) && self.is_blank(last.end, start)
            })
    }

    /// `E1122 13:07:10`: severity, month and day, time, as glog and klog begin a line.
    fn is_klog_header(&self, start: usize, end: usize) -> bool {
        let [severity, day @ ..] = &self.line[start..end] else {
            return false;
        };
        let time = &self.line[self.skip_white(end)..];
        matches!(severity, b'I' | b'W' | b'E' | b'F')
            && day.iter().all(u8::is_ascii_digit)
            && matches!(time, [a, b, b':', ..] if a.is_ascii_digit() && b.is_ascii_digit())
    }

    // ---- variables

    /// Adds a variable that shares nothing with its neighbours.
    fn push_apart(&mut self, start: usize, end: usize, kind: Kind) {
        self.found.push(Variable { start, end, kind });
    }

    /// Adds a variable and joins it with what stands before it.
    fn push(&mut self, mut start: usize, end: usize, mut kind: Kind) {
        if matches!(kind, Kind::Ip | Kind::Host) {
            self.name_before_address(start);
        }
        if let Some(&last) = self.found.last()
            && self.are_one(&last, start, end, kind)
        {
            self.found.pop();
            start = last.start;
            kind = joined_kind(last.kind, kind);
        }
        if kind == Kind::Time || kind == Kind::Num && end - start <= 4 {
            for word in self.words {
                let free = self.found.last().is_none_or(|last| last.end <= word.start);
                let behind = word.end + usize::from(self.at(word.end) == Some(b','));
                if free
                    && word.end < start
                    && self.is_blank(behind, start)
                    && words::is_month_or_weekday(self.text(word))
                {
                    start = word.start;
                    kind = Kind::Time;
                }
            }
        }
        start = self.without_padding(start);
        self.found.push(Variable { start, end, kind });
    }

    /// Numbers are aligned to the right with blanks: `[ 9999.12]`, `took=   7`.
    fn without_padding(&self, start: usize) -> usize {
        let before = self.line[..start].iter().rposition(|&byte| byte != b' ');
        match before {
            Some(before) if matches!(self.line[before], b'[' | b'(' | b'{') => before + 1,
            // `a = 1` is written so on purpose.
            Some(before)
                if self.line[before] == b'=' && before > 0 && !is_white(self.line[before - 1]) =>
            {
                before + 1
            }
            _ => start,
        }
    }

    /// "password for alice from 10.0.0.1": who comes from an address is a name.
    fn name_before_address(&mut self, address: usize) {
        let [from, name, before] = self.words;
        if self.text(from) == b"from"
            && self.is_blank(from.end, address)
            && self.is_blank(name.end, from.start)
            && self.is_blank(before.end, name.start)
            && matches!(self.text(before), b"for" | b"user")
            && !self.is_kept(self.text(name))
            && self.found.last().is_none_or(|last| last.end <= name.start)
        {
            self.push_apart(name.start, name.end, Kind::User);
        }
    }

    /// Whether the variable that begins at `start` and the one before it are one.
    fn are_one(&self, last: &Variable, start: usize, end: usize, kind: Kind) -> bool {
        if self.is_placeholder(last.start) {
            return false;
        }
        match &self.line[last.end..start] {
            [] => true,
            [b',' | b':' | b'-' | b'.' | b'/' | b'_' | b'@' | b'|' | b'#' | b'+'] => true,
            _ if self.is_blank(last.end, start) => match (last.kind, kind) {
                (Kind::Time, Kind::Time) => true,
                (Kind::Time, Kind::Num) => is_year_or_offset(&self.line[start..end]),
                // A request line: /index.html HTTP/1.1
                (Kind::Path | Kind::Url, Kind::Path)
                    if self.line[start..].starts_with(b"HTTP/") =>
                {
                    true
                }
                // Lists of identifiers are as long as they happen to be.
                (Kind::Id | Kind::Uuid | Kind::Path | Kind::Url, _) => last.kind == kind,
                _ => false,
            },
            _ => false,
        }
    }
}

/// Whether this stands between two strings of a JSON list: quote, comma, white space, quote.
fn is_between_elements(gap: &[u8]) -> bool {
    matches!(gap, [b'"', b',', blank @ .., b'"'] if blank.iter().all(|&byte| is_white(byte)))
}

/// Whether a word in quotes is data: not an option, not a symbol, not a keyword in capitals.
fn is_data(word: &[u8]) -> bool {
    let has_sign = word
        .iter()
        .any(|byte| byte.is_ascii_alphanumeric() || *byte >= 0x80);
    let is_keyword = word.len() > 1 && word.iter().all(u8::is_ascii_uppercase);
    has_sign && !is_keyword && word[0] != b'-' && !word.contains(&b'<')
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

/// The lengths of the parts of `line[start..end]` that colons separate.
fn lengths_between_colons(line: &[u8], start: usize, end: usize) -> impl Iterator<Item = usize> {
    line[start..end]
        .split(|&byte| byte == b':')
        .map(<[u8]>::len)
}

/// Whether a word before `=` names a key; `fpr29=` does, `4711=` does not.
fn is_key(word: &[u8], shape: Shape) -> bool {
    word[0].is_ascii_alphabetic() && shape.count(Class::Digit) < 4 && shape.count(Class::Slash) == 0
}

/// Digits and the letters a to f with colons: a time, an address with a port, IPv6, a row of bytes.
fn kind_of_byte_groups(word: &[u8], shape: Shape) -> Kind {
    let colons = word.iter().filter(|&&byte| byte == b':').count();
    match () {
        () if shape.count(Class::Dot) >= 3 => Kind::Ip,
        () if find(word, b"::").is_some() => Kind::Ip,
        () if shape.count(Class::Letter) == 0 && colons <= 2 => Kind::Time,
        () if colons >= 5 && word.len() == colons * 3 + 2 => Kind::Mac,
        () if colons == 7 => Kind::Ip,
        () => Kind::Hex,
    }
}

/// `18/Jun/2005`, as web servers write it.
fn is_clf_date(word: &[u8]) -> bool {
    matches!(word, [d1, d2, b'/', month @ .., b'/', _, _, _, _]
        if d1.is_ascii_digit() && d2.is_ascii_digit() && words::is_month_or_weekday(month))
}

/// Whether what stands before `:8080` is a machine; `Main.java:12` is a line of a program.
fn is_host_before_port(word: &[u8]) -> bool {
    let ending = word.rsplit(|&byte| byte == b'.').next().unwrap_or_default();
    let is_name = !word.contains(&b'(') && ending.len() < word.len() && !ending.is_empty();
    is_name && (is_domain(word) || !words::is_source_ending(ending))
}

/// The year behind a day, or the offset behind a time: `2005`, `+0000`.
fn is_year_or_offset(number: &[u8]) -> bool {
    match number {
        [b'1', b'9', year @ ..] | [b'2', b'0', year @ ..] => {
            year.len() == 2 && year.iter().all(u8::is_ascii_digit)
        }
        [b'+' | b'-', offset @ ..] => offset.len() == 4 && offset.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

fn joined_kind(first: Kind, second: Kind) -> Kind {
    match (first, second) {
        _ if first == second => first,
        (Kind::Time, _) | (_, Kind::Time) => Kind::Time,
        (Kind::Ip | Kind::Host | Kind::Path | Kind::Url, Kind::Num) => first,
        _ => Kind::Any,
    }
}
