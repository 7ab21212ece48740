//! The words of a line, each judged by its shape and by the words around it.

use memchr::memchr;

use super::{LONGEST_UNIT, Scanner, SeenWord};
use crate::algorithms::text::blanks::{is_white, trim_end};
use crate::algorithms::text::classify::{WordVerdict, classify, is_domain, unit};
use crate::algorithms::text::kind::VariableKind;
use crate::algorithms::text::mask_options::{Profile, Subject};
use crate::algorithms::text::paths::{end_of_path, kind_of_path, length_of_cjk_letters};
use crate::algorithms::text::random::is_random;
use crate::algorithms::text::shape::{Class, WordShape, is_border};
use crate::algorithms::text::variable::Variable;
use crate::algorithms::text::words;

impl Scanner<'_> {
    /// Handles the word that begins at `start`; returns where the walk continues.
    pub(super) fn word(&mut self, start: usize) -> usize {
        if self.rules.profile == Profile::Json && self.is_in_text(start) {
            match first_word_of_json(&self.line[start..]) {
                (0, escape) => return start + escape,
                (length, _) => {
                    let shape = WordShape::of(&self.line[start..start + length]);
                    return self.word_of_shape(start, start + length, shape);
                }
            }
        }
        if self.line[start..].starts_with("«".as_bytes()) {
            return self.quote(start);
        }
        let (shape, length) = WordShape::of_first_word(&self.line[start..]);
        self.word_of_shape(start, start + length, shape)
    }

    fn word_of_shape(&mut self, start: usize, mut end: usize, shape: WordShape) -> usize {
        if self.is_plain(start, end, shape) {
            self.remember(start, end);
            return end;
        }
        if self.touches_placeholder(start, end) {
            return end;
        }
        if self.is_error_code(start, end) {
            self.remember(start, end);
            return end;
        }
        if self.rules.subject == Subject::Mask && self.is_subject(start, end) {
            self.push(start, end - 1, VariableKind::Any);
            self.remember(start, end - 1);
            return end;
        }
        if self.at(end) == Some(b'=')
            && let Some(end) = self.end_of_base64(start, end)
        {
            self.push(start, end, VariableKind::Id);
            self.remember(start, end);
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
        } else if can_begin_path(&self.line[start..end], shape)
            && let Some(kind) = kind_of_path(self.line, start, end)
        {
            end = self.path(start, end, shape, kind);
        } else {
            self.trimmed_word(start, end, shape);
        }
        end
    }

    /// Whether this is an error code before a colon, at the beginning of the line or after a
    /// severity: `AH00126: `, `ORA-00942: `, `%LINK-3-UPDOWN: `. It tells the kind of event, so it
    /// stays.
    fn is_error_code(&self, start: usize, end: usize) -> bool {
        let [first, .., b':'] = &self.line[start..end] else {
            return false;
        };
        let SeenWord {
            start: from,
            end: to,
        } = self.words[0];
        let is_place =
            || self.first_word == start || words::is_severity_in_any_case(&self.line[from..to]);
        matches!(first, b'A'..=b'Z' | b'%')
            && words::is_error_code(&self.line[start..end - 1])
            && is_place()
    }

    /// Whether this is the name that a line begins with and then says something about:
    /// `orders: no such table`. Three in four such words are filled in. If the text after the colon
    /// begins with a capital letter, it is a complete message, and the word is a component, which
    /// stays.
    fn is_subject(&self, start: usize, end: usize) -> bool {
        let Some((b':', name)) = self.line[start..end].split_last() else {
            return false;
        };
        let is_sign =
            |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        let n_dots = name.iter().filter(|&&byte| byte == b'.').count();
        self.first_word == start
            && name.first().is_some_and(u8::is_ascii_lowercase)
            && name.iter().all(is_sign)
            // Names of modules have more.
            && n_dots <= 1
            && !words::is_protocol(name)
            && !words::is_severity(name)
            && !self.is_kept(name)
            && self.begins_predicate(end)
    }

    /// Whether white space and a sentence follow: two words of lower-case letters, or CJK text. One
    /// word alone can be a value.
    fn begins_predicate(&self, end: usize) -> bool {
        let first = self.skip_white(end);
        let is_letter = |byte: &&u8| byte.is_ascii_lowercase();
        let length = |at: usize| self.line[at..].iter().take_while(is_letter).count();
        let behind = first + length(first);
        let second = self.skip_white(behind);
        let has_words = behind > first && second > behind && length(second) > 0;
        first > end && (has_words || length_of_cjk_letters(&self.line[first..]) > 0)
    }

    /// Handles a path or URL whose first word ends at `end`; returns where the path or URL ends.
    fn path(&mut self, start: usize, end: usize, shape: WordShape, kind: VariableKind) -> usize {
        let limit = self.end_of_text(end);
        let whole = end_of_path(&self.line[..limit], start, end);
        if whole == end && kind == VariableKind::Path {
            self.trimmed_word(start, end, shape);
        } else {
            let trimmed = self.trim(start, whole);
            if !self.is_kept(&self.line[start..trimmed]) {
                self.push(start, trimmed, kind);
            }
            self.remember(start, trimmed);
        }
        whole
    }

    /// Where the text of the JSON string around this position ends, or an escape sequence in it
    /// begins; outside of such a text, the end of the line.
    fn end_of_text(&self, at: usize) -> usize {
        const FARTHEST: usize = 4096;
        if self.rules.profile != Profile::Json || !self.is_in_text(at) {
            return self.line.len();
        }
        let mut limit = self.text_end.min(at + FARTHEST);
        // Do not cut a character in two.
        while limit > at && limit < self.text_end && self.line[limit] & 0xc0 == 0x80 {
            limit -= 1;
        }
        at + memchr(b'\\', &self.line[at..limit]).unwrap_or(limit - at)
    }

    /// Handles a word whose dots lead to a value: `interrupt......0`. The dots end a word.
    fn words_between_dots(&mut self, start: usize, end: usize) {
        let mut at = start;
        while at < end {
            let dots = self.line[at..end]
                .iter()
                .take_while(|&&byte| byte == b'.')
                .count();
            if dots < 2 {
                let length = find(&self.line[at..end], b"..").unwrap_or(end - at);
                self.trimmed_word(at, at + length, WordShape::of(&self.line[at..at + length]));
                at += length;
            } else {
                at += dots;
            }
        }
    }

    /// Handles a word without the punctuation that ends it.
    fn trimmed_word(&mut self, start: usize, whole_end: usize, mut shape: WordShape) {
        let end = self.trim(start, whole_end);
        if start == end {
            return;
        }
        if end < whole_end {
            shape = WordShape::of(&self.line[start..end]);
        }
        if shape.is_plain() {
            self.plain_word(start, end, shape);
        } else {
            self.marked_word(start, end, shape);
            self.remember(start, end);
        }
    }

    /// Where a word ends without the punctuation after it.
    fn trim(&self, start: usize, end: usize) -> usize {
        let belongs = |byte: &u8| !matches!(byte, b':' | b'.' | b'\\');
        // "->" does not belong to the word before it: 24M->4M
        let is_pointer = self.at(end) == Some(b'>') && end > start && self.line[end - 1] == b'-';
        self.line[start..end - usize::from(is_pointer)]
            .iter()
            .rposition(belongs)
            .map_or(start, |last| start + last + 1)
    }

    /// Handles a word of letters: constant, unless the words around it say otherwise.
    fn plain_word(&mut self, start: usize, end: usize, shape: WordShape) {
        let word = &self.line[start..end];
        if !self.is_kept(word) {
            match self.kind_of_plain_word(start, end, shape) {
                Some(kind) => self.push(start, end, kind),
                None if word.len() <= LONGEST_UNIT => self.join_unit(start, end),
                None => {}
            }
        }
        if word.len() == 4 && word.eq_ignore_ascii_case(b"user") {
            let announced = self.follows(start, words::announces_user);
            self.user = Some((SeenWord { start, end }, announced));
        }
        self.remember(start, end);
    }

    /// The kind of the word that begins here, if the text before it makes it a variable.
    fn expected(&self, start: usize) -> Option<VariableKind> {
        let follows_user = || {
            self.user
                .is_some_and(|(user, announced)| announced && self.is_blank(user.end, start))
        };
        if self.name_at == start {
            return Some(self.name_kind);
        }
        if follows_user() {
            return Some(VariableKind::User);
        }
        self.follows_chinese_noun(start)
            .then_some(VariableKind::Any)
    }

    /// Whether a Chinese noun that a name follows comes before: `用户alice`, `表 orders`.
    fn follows_chinese_noun(&self, start: usize) -> bool {
        let before = trim_end(&self.line[..start]);
        if before.last().is_none_or(u8::is_ascii) {
            return false;
        }
        let first = self.line[start];
        let is_name = first.is_ascii_alphanumeric() || matches!(first, b'_' | 0x80..);
        // "用户ID" is one noun.
        let rest = self.line[start..].iter();
        let in_capitals = rest
            .take_while(|&&byte| !is_border(byte))
            .all(u8::is_ascii_uppercase);
        let is_free = self.found.last().is_none_or(|last| last.end < before.len());
        is_free && is_name && !in_capitals && words::ends_with_chinese_noun(before)
    }

    /// Whether a literal such as `null` is a value here: `=null`, `(null`, `: null,`. In "null
    /// value in column" and "because it is null" it is an ordinary word.
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

    fn kind_of_plain_word(
        &self,
        start: usize,
        end: usize,
        shape: WordShape,
    ) -> Option<VariableKind> {
        let word = &self.line[start..end];
        if let Some(kind) = self.expected(start)
            && !words::is_no_name(word)
        {
            return Some(kind);
        }
        match word.len() {
            3..=5 if words::is_literal(word) => {
                self.is_value(start, end).then_some(VariableKind::Bool)
            }
            4 | 5 | 13 if words::is_known_account(word) => self
                .follows(start, |word| {
                    matches!(word, b"for" | b"by" | b"as" | b"user")
                })
                .then_some(VariableKind::User),
            8.. if shape.count(Class::HexLetter) == word.len() => Some(VariableKind::Hex),
            10.. if (2..word.len()).contains(&shape.count(Class::Upper)) && is_random(word) => {
                Some(VariableKind::Id)
            }
            _ => None,
        }
    }

    /// Joins a unit, a month or a time zone to the variable before it.
    fn join_unit(&mut self, start: usize, end: usize) {
        let word = &self.line[start..end];
        let Some(&last) = self.found.last() else {
            return;
        };
        if !self.is_blank(last.end, start) || self.is_placeholder(last.start) {
            return;
        }
        let joined = match last.kind {
            // "<1 sec" is printed instead of a measured time.
            VariableKind::Num
                if unit(word) == Some(VariableKind::Duration)
                    && last.start > 0
                    && self.line[last.start - 1] == b'<' =>
            {
                Variable {
                    start: last.start - 1,
                    end,
                    kind: VariableKind::Duration,
                }
            }
            VariableKind::Num
                if last.end - self.skip_white(last.start) <= 2
                    && words::is_month_or_weekday(word) =>
            {
                Variable {
                    end,
                    kind: VariableKind::Time,
                    ..last
                }
            }
            VariableKind::Time if words::is_month_or_weekday(word) || words::is_zone(word) => {
                Variable { end, ..last }
            }
            _ => return,
        };
        self.found.pop();
        self.found.push(joined);
    }

    /// Handles a word that contains more than letters.
    fn marked_word(&mut self, start: usize, end: usize, shape: WordShape) {
        let word = &self.line[start..end];
        if self.is_kept(word) || self.at(end) == Some(b'=') && is_key(word, shape) {
            return;
        }
        let colon = word.iter().position(|&byte| byte == b':');
        if let Some(expected) = self.expected(start)
            && colon.is_none()
            && !words::is_no_name(word)
        {
            return match self.verdict(start, end, shape) {
                WordVerdict::Whole(kind) => self.push(start, end, kind),
                _ => self.push(start, end, expected),
            };
        }
        if end - start == 5 && self.is_klog_header(start, end) {
            return self.push(start + 1, end, VariableKind::Time);
        }
        if colon.is_none()
            && shape.count(Class::Dot) > 0
            && self.follows(start, words::is_schema_noun)
        {
            return self.push(start, end, VariableKind::Any);
        }
        match colon {
            None => self.piece(start, end, shape),
            Some(0) if word.get(1) != Some(&b':') => {
                if self.is_port_of_ipv6(start, end) {
                    return self.join_port(end);
                }
                self.marked_word(start + 1, end, WordShape::of(&self.line[start + 1..end]))
            }
            Some(colon) => self.word_with_colon(start, end, colon),
        }
    }

    /// Whether this is the port in `[::1]:8080`.
    fn is_port_of_ipv6(&self, start: usize, end: usize) -> bool {
        let is_number = self.line[start + 1..end].iter().all(u8::is_ascii_digit);
        let last = self
            .found
            .last()
            .filter(|last| last.kind == VariableKind::Ip && !self.is_placeholder(last.start));
        is_number
            && last.is_some_and(|last| {
                self.line[..last.start].ends_with(b"[") && self.line[last.end..start] == *b"]"
            })
    }

    /// Extends the address before a port to include its brackets and the port.
    fn join_port(&mut self, end: usize) {
        if let Some(last) = self.found.last_mut() {
            (last.start, last.end) = (last.start - 1, end);
        }
    }

    /// The end of the padding after a word of base64, if this is one: the padding makes its length
    /// a multiple of four.
    fn end_of_base64(&self, start: usize, end: usize) -> Option<usize> {
        let word = &self.line[start..end];
        let padding = self.line[end..]
            .iter()
            .take_while(|&&byte| byte == b'=')
            .count();
        let is_sign =
            |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_');
        let found = (1..=2).contains(&padding)
            && word.len() >= 8
            && (word.len() + padding).is_multiple_of(4)
            && (padding == 2 || word.iter().any(u8::is_ascii_digit))
            && !self.goes_on(end + padding)
            && word.iter().all(is_sign);
        found.then_some(end + padding)
    }

    fn word_with_colon(&mut self, start: usize, end: usize, colon: usize) {
        let word = &self.line[start..end];
        let (host, port) = (&word[..colon], &word[colon + 1..]);
        if word[colon..].starts_with(b"://") {
            return self.push(start, end, VariableKind::Url);
        }
        if is_clf_date(host) {
            return self.push(start, end, VariableKind::Time);
        }
        // Without the zone of fe80::1%eth0.
        let groups = word.split(|&byte| byte == b'%').next().unwrap_or(word);
        let of_groups = WordShape::of(groups);
        if of_groups.count(Class::Digit) > 0
            && of_groups.count(Class::Letter) == of_groups.count(Class::HexLetter)
        {
            return self.push(start, end, kind_of_byte_groups(groups, of_groups));
        }
        // Names of resources: arn:aws:s3:::bucket, urn:isbn:0451450523 (RFC 8141).
        if matches!(host, b"arn" | b"urn") {
            return self.push(start, end, VariableKind::Id);
        }
        // A symbol of a program, Scope::method, is constant.
        if port.starts_with(b":") && port.len() > 1 && word[0].is_ascii_alphabetic() {
            return;
        }
        if colon == 1 && matches!(port.first(), Some(b'\\' | b'/')) {
            return self.push(start, end, VariableKind::Path);
        }
        let is_port = !port.is_empty() && port.iter().all(u8::is_ascii_digit);
        if is_port && (is_host_before_port(host) || host == b"localhost") {
            return self.push(start, end, VariableKind::Host);
        }
        let mut from = start;
        for length in lengths_between_colons(self.line, start, end) {
            if self.goes_on_from_path(from) {
                self.push(from, from + length, VariableKind::Path);
            } else if length > 0 {
                self.piece(
                    from,
                    from + length,
                    WordShape::of(&self.line[from..from + length]),
                );
            }
            from += length + 1;
        }
    }

    /// Whether a colon joins this part to a path, so that it belongs to the path:
    /// `acme/web:latest`, `src/main.c:main`.
    fn goes_on_from_path(&self, from: usize) -> bool {
        let last = self.found.last();
        last.is_some_and(|last| {
            self.line[last.end..from] == *b":"
                && last.kind == VariableKind::Path
                && !self.is_placeholder(last.start)
        })
    }

    /// Handles a word, or a part of one, without a colon.
    fn piece(&mut self, start: usize, end: usize, shape: WordShape) {
        let word = &self.line[start..end];
        if self.is_kept(word) {
            return;
        }
        if words::is_literal(word) {
            return self.push(start, end, VariableKind::Bool);
        }
        if self.ends_request_line(start, end) {
            return self.push(start, end, VariableKind::Path);
        }
        match self.verdict(start, end, shape) {
            WordVerdict::Constant => {}
            WordVerdict::Whole(kind) => self.push(start, end, kind),
            WordVerdict::Before(length, kind) => self.push(start, start + length, kind),
            WordVerdict::After(prefix, kind) => self.push(start + prefix, end, kind),
        }
    }

    /// The verdict on a word, without regard to its neighbours.
    fn verdict(&mut self, start: usize, end: usize, shape: WordShape) -> WordVerdict {
        let word = &self.line[start..end];
        self.looked_at_digits |=
            shape.count(Class::Digit) > 0 && words::can_be_technical_name(word);
        classify(word, shape)
    }

    /// Whether this is the protocol after the target of a request line, or the target `/` before
    /// the protocol.
    fn ends_request_line(&self, start: usize, end: usize) -> bool {
        let word = &self.line[start..end];
        if !matches!(word[0], b'/' | b'H') {
            return false;
        }
        if word == b"/" {
            let behind = self.skip_white(end);
            return self.follows(start, words::is_http_method)
                || behind > end && self.line[behind..].starts_with(b"HTTP/");
        }
        let last = self
            .found
            .last()
            .filter(|last| matches!(last.kind, VariableKind::Path | VariableKind::Url));
        word.starts_with(b"HTTP/")
            && last.is_some_and(|last| {
                !self.is_placeholder(last.start) && self.is_blank(last.end, start)
            })
    }

    /// Whether this begins a header of glog or klog, `E1122 13:07:10`: severity, month and day,
    /// time.
    fn is_klog_header(&self, start: usize, end: usize) -> bool {
        let [severity, day @ ..] = &self.line[start..end] else {
            return false;
        };
        let time = &self.line[self.skip_white(end)..];
        matches!(severity, b'I' | b'W' | b'E' | b'F')
            && day.iter().all(u8::is_ascii_digit)
            && matches!(time, [a, b, b':', ..] if a.is_ascii_digit() && b.is_ascii_digit())
    }
}

/// Whether the counts of a word allow a path.
fn can_begin_path(word: &[u8], shape: WordShape) -> bool {
    shape.count(Class::Slash) > 0 || matches!(word, [_, b':', b'\\', ..] | [b'\\', b'\\', ..])
}

/// The length of the first word of a text in a JSON string, and the length of the escape sequence
/// after it that means white space or a quote. Both characters of `\\` belong to the word.
fn first_word_of_json(text: &[u8]) -> (usize, usize) {
    let mut at = 0;
    while let Some(&byte) = text.get(at).filter(|&&byte| !is_border(byte)) {
        let escape = match (byte, text.get(at + 1)) {
            (b'\\', Some(b'n' | b'r' | b't' | b'b' | b'f' | b'"')) => 2,
            (b'\\', Some(b'u')) => {
                let digits = text[at + 2..].iter().take(4);
                2 + digits.take_while(|digit| digit.is_ascii_hexdigit()).count()
            }
            (b'\\', Some(b'\\')) => {
                at += 2;
                continue;
            }
            _ => 0,
        };
        if escape > 0 {
            return (at, escape);
        }
        at += 1;
    }
    (at, 0)
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
fn is_key(word: &[u8], shape: WordShape) -> bool {
    word[0].is_ascii_alphabetic() && shape.count(Class::Digit) < 4 && shape.count(Class::Slash) == 0
}

/// The kind of groups of hexadecimal digits with colons: a time, an address with a port, IPv6, a
/// row of bytes.
fn kind_of_byte_groups(word: &[u8], shape: WordShape) -> VariableKind {
    let colons = word.iter().filter(|&&byte| byte == b':').count();
    match () {
        () if shape.count(Class::Dot) >= 3 => VariableKind::Ip,
        () if find(word, b"::").is_some() => VariableKind::Ip,
        () if shape.count(Class::Letter) == 0 && colons <= 2 => VariableKind::Time,
        () if colons >= 5 && word.len() == colons * 3 + 2 => VariableKind::Mac,
        () if colons == 7 => VariableKind::Ip,
        () => VariableKind::Hex,
    }
}

/// Whether this is a date as web servers write it: `18/Jun/2005`.
fn is_clf_date(word: &[u8]) -> bool {
    matches!(word, [d1, d2, b'/', month @ .., b'/', _, _, _, _]
        if d1.is_ascii_digit() && d2.is_ascii_digit() && words::is_month_or_weekday(month))
}

/// Whether the text before `:8080` is a host; `Main.java:12` is a line of a program.
fn is_host_before_port(word: &[u8]) -> bool {
    let ending = word.rsplit(|&byte| byte == b'.').next().unwrap_or_default();
    let is_name = !word.contains(&b'(') && ending.len() < word.len() && !ending.is_empty();
    is_name && (is_domain(word) || !words::is_source_ending(ending))
}
