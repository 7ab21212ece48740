//! Adding variables, and joining those that belong together.

use super::Scanner;
use crate::algorithms::text::blanks::is_white;
use crate::algorithms::text::kind::VariableKind;
use crate::algorithms::text::variable::Variable;
use crate::algorithms::text::words;

impl Scanner<'_> {
    /// Adds the empty value in the brackets of `10.0.0.1 ()`: the name after an address can be
    /// missing.
    pub(super) fn empty_brackets(&mut self, at: usize) {
        if self.at(at + 1) == Some(b')')
            && let Some(last) = self.found.last()
            && matches!(last.kind, VariableKind::Ip | VariableKind::Host)
            && self.is_blank(last.end, at)
        {
            self.found.push(Variable {
                start: at + 1,
                end: at + 1,
                kind: VariableKind::Host,
            });
        }
    }

    /// Joins the elements of a list when its bracket closes: `(1, 2, 3)`, `[a.log b.log]`,
    /// `('x', 'y')`. A list that holds only values is one variable, whatever its length.
    pub(super) fn list(&mut self, closing: usize) {
        let opening = match self.line[closing] {
            b')' => b'(',
            b']' => b'[',
            _ => b'{',
        };
        let Some(last) = self.found.last() else {
            return;
        };
        let quote = &self.line[last.end..closing];
        if quote.len() > 1
            || quote
                .first()
                .is_some_and(|byte| !matches!(byte, b'"' | b'\'' | b'`'))
        {
            return;
        }
        let mut first = self.found.len() - 1;
        while first > 0 && self.are_elements(first - 1, quote) {
            first -= 1;
        }
        let start = self.found[first].start;
        let before = &self.line[..start - quote.len().min(start)];
        if first + 1 < self.found.len() && before.last() == Some(&opening) {
            self.unite_from(first);
        }
    }

    /// Whether only a comma, or only a blank in a list of one kind, separates this variable from
    /// the next one.
    fn are_elements(&self, number: usize, quote: &[u8]) -> bool {
        let (this, next) = (self.found[number], self.found[number + 1]);
        let gap = &self.line[this.end..next.start];
        let gap = gap
            .strip_prefix(quote)
            .and_then(|gap| gap.strip_suffix(quote));
        let is_parted = match gap {
            Some([b',', blank @ ..]) => blank.iter().all(|&byte| is_white(byte)),
            Some(blank @ [_, ..]) if blank.iter().all(|&byte| is_white(byte)) => {
                this.kind == next.kind && this.kind != VariableKind::Any
            }
            _ => false,
        };
        is_parted && !self.is_placeholder(this.start) && !self.is_placeholder(next.start)
    }

    fn unite_from(&mut self, first: usize) {
        let Variable { start, kind, .. } = self.found[first];
        let end = self.found.last().map_or(start, |last| last.end);
        let is_one_kind = self.found[first..]
            .iter()
            .all(|variable| variable.kind == kind);
        self.found.truncate(first);
        self.push_apart(
            start,
            end,
            if is_one_kind { kind } else { VariableKind::Any },
        );
    }

    /// Adds a variable that is not joined with its neighbours.
    pub(super) fn push_apart(&mut self, start: usize, end: usize, kind: VariableKind) {
        self.found.push(Variable { start, end, kind });
    }

    /// Adds a variable and joins it with the variable or name of a month before it, if they are
    /// one.
    pub(super) fn push(&mut self, mut start: usize, end: usize, mut kind: VariableKind) {
        if matches!(kind, VariableKind::Ip | VariableKind::Host) {
            self.name_before_address(start);
        }
        if let Some(&last) = self.found.last()
            && self.are_one(&last, start, end, kind)
        {
            self.found.pop();
            start = last.start;
            kind = joined_kind(last.kind, kind);
        }
        if kind == VariableKind::Time || kind == VariableKind::Num && end - start <= 4 {
            for word in self.words {
                let free = self.found.last().is_none_or(|last| last.end <= word.start);
                let behind = word.end + usize::from(self.at(word.end) == Some(b','));
                if free
                    && word.end < start
                    && self.is_blank(behind, start)
                    && words::is_month_or_weekday(self.text(word))
                {
                    start = word.start;
                    kind = VariableKind::Time;
                }
            }
        }
        start = self.without_padding(start);
        self.found.push(Variable { start, end, kind });
    }

    /// Includes the blanks that align a number to the right: `[ 9999.12]`, `took=   7`.
    fn without_padding(&self, start: usize) -> usize {
        let before = self.line[..start].iter().rposition(|&byte| !is_white(byte));
        match before {
            Some(before) if matches!(self.line[before], b'[' | b'(' | b'{') => before + 1,
            // The blanks in `a = 1` are not padding.
            Some(before)
                if self.line[before] == b'=' && before > 0 && !is_white(self.line[before - 1]) =>
            {
                before + 1
            }
            _ => start,
        }
    }

    /// Adds the name before an address: "password for alice from 10.0.0.1".
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
            self.push_apart(name.start, name.end, VariableKind::User);
        }
    }

    /// Whether the variable that begins at `start` and the one before it are one.
    fn are_one(&self, last: &Variable, start: usize, end: usize, kind: VariableKind) -> bool {
        if self.is_placeholder(last.start) {
            return false;
        }
        match &self.line[last.end..start] {
            [] => true,
            [b',' | b':' | b'-' | b'.' | b'/' | b'_' | b'@' | b'|' | b'#' | b'+'] => true,
            _ if self.is_blank(last.end, start) => match (last.kind, kind) {
                (VariableKind::Time, VariableKind::Time)
                | (VariableKind::Duration, VariableKind::Duration) => true,
                (VariableKind::Time, VariableKind::Num) => {
                    is_year_or_offset(&self.line[start..end], &self.line[last.start..last.end])
                }
                // A request line: /index.html HTTP/1.1
                (VariableKind::Path | VariableKind::Url, VariableKind::Path)
                    if self.line[start..].starts_with(b"HTTP/") =>
                {
                    true
                }
                // The length of a list of identifiers is arbitrary.
                (
                    VariableKind::Id | VariableKind::Uuid | VariableKind::Path | VariableKind::Url,
                    _,
                ) => last.kind == kind,
                _ => false,
            },
            _ => false,
        }
    }
}

/// Whether `number` is the year after a day whose month has a name, or the offset after a time:
/// `2005`, `+0000`.
fn is_year_or_offset(number: &[u8], time: &[u8]) -> bool {
    let four_digits = |digits: &[u8]| digits.len() == 4 && digits.iter().all(u8::is_ascii_digit);
    match number {
        [b'+' | b'-', offset @ ..] => four_digits(offset),
        year => {
            four_digits(year)
                && time
                    .windows(3)
                    .any(|name| name.iter().all(u8::is_ascii_alphabetic))
        }
    }
}

fn joined_kind(first: VariableKind, second: VariableKind) -> VariableKind {
    match (first, second) {
        _ if first == second => first,
        (VariableKind::Time, _) | (_, VariableKind::Time) => VariableKind::Time,
        (
            VariableKind::Ip
            | VariableKind::Host
            | VariableKind::Path
            | VariableKind::Url
            | VariableKind::Duration,
            VariableKind::Num,
        ) => first,
        _ => VariableKind::Any,
    }
}
