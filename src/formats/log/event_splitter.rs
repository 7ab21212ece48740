//! Splits bytes into log events: the only place that knows where a line or an event begins and
//! ends.
//!
//! A pure state machine without I/O: it is fed blocks of bytes in order and hands out events;
//! [`EventSplitter::finish`] hands out the last one. An event is a line or, in multi-line logs, a
//! line that starts an event together with the lines up to the next start. The sizes of the blocks
//! never change the result.
//!
//! **Ranges.** A splitter can be made for a byte range of a file. An event belongs to the range
//! that contains its first byte, so the splitters of adjoining ranges together give exactly the
//! events of the whole file: a splitter skips to the first start line at or after the start of its
//! range, and continues past the end of its range until the next event starts. The lines of a file
//! before its first start line are an event too, which belongs to the range that begins at byte 0.
//!
//! **Lines.** A line ends with `\n`. One `\r` before it is dropped, and so is a byte order mark at
//! byte 0; the last line needs no `\n`. Blank lines (nothing but ASCII white space) are not events:
//! they are counted, unless they are between two other lines of one event. The first
//! `max_event_bytes` of a line decide what it is, a start or blank. **Limits.** An event is at most
//! `max_event_bytes` long: the rest of it is skipped and the event is counted as truncated. So a
//! splitter never holds more than two events, whatever the input.

use std::ops::Range;
use std::sync::Arc;

use memchr::memchr;
use regex::bytes::Regex;

use crate::formats::log::object_splitter::{Complete, ObjectSplitter};
use crate::formats::log::trace_lines::{AutoStart, Boundary, LineMemory};

/// The UTF-8 byte order mark.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
/// The bytes that a line may have beyond the longest event: a byte order mark (3) and `\r` (1) are
/// dropped, and a line that is then still one byte longer is known to be too long.
const LINE_SLACK: usize = 4;

/// Which lines start an event.
#[derive(Debug, Clone)]
pub(crate) enum EventStart {
    /// The rule of `multiline 'auto'`: traces and the like belong to the event before.
    Auto(AutoStart),
    /// Not lines are events but JSON objects.
    Objects,
    /// Every line is an event.
    EveryLine,
    /// A line that matches starts an event; other lines belong to the event before.
    Matching(Regex),
    /// A line that begins with white space, or is empty, belongs to the event before.
    NotIndented,
}

impl EventStart {
    /// Whether a line is an event to which no other line belongs.
    fn is_complete(&self, line: &[u8]) -> bool {
        match self {
            Self::Auto(rule) => rule.is_complete(line),
            Self::EveryLine => true,
            _ => false,
        }
    }

    /// Whether files must be read from their start.
    pub(crate) fn needs_whole_files(&self) -> bool {
        matches!(self, Self::Objects)
    }

    /// Whether a line begins an event, whatever came before it.
    fn is_boundary(&self, line: &[u8], boundary: &mut Boundary) -> bool {
        match self {
            Self::Auto(rule) => rule.is_boundary(line, boundary),
            start => start.is_start(line, &mut LineMemory::default()),
        }
    }

    fn is_start(&self, line: &[u8], memory: &mut LineMemory) -> bool {
        match self {
            Self::Auto(rule) => rule.begins(line, memory),
            Self::EveryLine | Self::Objects => true,
            Self::Matching(regex) => regex.is_match(line),
            Self::NotIndented => line.first().is_some_and(|byte| !byte.is_ascii_whitespace()),
        }
    }
}

/// One event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Event<'a> {
    /// The text: lines joined by `\n`, without the last line end. It may contain invalid UTF-8.
    pub(crate) text: &'a [u8],
    /// Where the text begins in the block just fed, if it is contiguous there.
    pub(crate) place: Option<usize>,
    /// The number of the first line, from 1. It is meaningful only if the splitter was fed from
    /// byte 0.
    pub(crate) line_number: u64,
}

/// What a splitter has seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct CutCounts {
    /// Events handed out.
    pub(crate) events: u64,
    /// Bytes of the lines of these events and of the blank lines, line ends included.
    pub(crate) bytes: u64,
    /// Blank lines that are not part of an event.
    pub(crate) blank: u64,
    /// Events that were truncated at the limit.
    pub(crate) truncated: u64,
    /// Lines of events.
    pub(crate) lines: u64,
}

/// The state machine; see the header of this file.
#[derive(Debug)]
pub(crate) struct EventSplitter {
    start: Arc<EventStart>,
    max_event_bytes: usize,
    /// Events whose first byte lies at or after this offset belong to the next range.
    end: u64,
    /// The range begins in the middle of what may be a line: everything up to the first line end is
    /// dropped.
    skips_partial_line: bool,
    /// No start line of this range has been seen yet; the lines before it belong to the range
    /// before.
    awaits_start: bool,
    done: bool,
    /// Offset, number and length (so far) of the line that is being read.
    line_offset: u64,
    line_number: u64,
    line_bytes: u64,
    /// How many NULs it begins with: if a file is truncated, a writer without O_APPEND continues at its
    /// old offset, and the hole before it reads as NULs.
    line_nuls: u64,
    /// The part of that line that was in earlier blocks.
    line: Vec<u8>,
    /// The multi-line event that is being read.
    open: Option<OpenEvent>,
    /// What `multiline 'auto'` knows of the lines before.
    memory: LineMemory,
    /// What is known since the start of the range, as long as it waits for an event, and since its
    /// end.
    start_boundary: Boundary,
    end_boundary: Boundary,
    /// The event before was ended because nothing followed in time.
    was_ended: bool,
    objects: Option<ObjectSplitter>,
    /// Offsets of lines that start no event but are the first line of one, because the event before
    /// had been ended by then.
    cuts: Vec<u64>,
    counts: CutCounts,
}

/// A multi-line event under construction.
#[derive(Debug, Default)]
struct OpenEvent {
    /// Where the event is in the current block; if `None`, it is in `text`.
    span: Option<Range<usize>>,
    text: Vec<u8>,
    /// Length up to the last line that is not blank.
    kept: usize,
    blank_after: u64,
    offset: u64,
    line_number: u64,
}

/// A line without its line end.
#[derive(Clone, Copy)]
struct RawLine<'a> {
    text: &'a [u8],
    place: Option<usize>,
    offset: u64,
    number: u64,
    /// Length in the file, line end included.
    bytes: u64,
}

impl EventSplitter {
    /// A splitter for the events that begin in `range` (byte offsets) of a file; `0..u64::MAX` is
    /// the whole file.
    pub(crate) fn new(start: Arc<EventStart>, max_event_bytes: usize, range: Range<u64>) -> Self {
        let objects = matches!(*start, EventStart::Objects)
            .then(|| ObjectSplitter::new(max_event_bytes, range.start, 1));
        Self {
            start,
            max_event_bytes,
            memory: LineMemory::default(),
            start_boundary: Boundary::default(),
            end_boundary: Boundary::default(),
            was_ended: false,
            objects,
            end: range.end,
            skips_partial_line: range.start > 0,
            awaits_start: range.start > 0,
            done: false,
            line_offset: range.start.saturating_sub(1),
            line_number: 1,
            line_bytes: 0,
            line_nuls: 0,
            line: Vec::new(),
            open: None,
            cuts: Vec::new(),
            counts: CutCounts::default(),
        }
    }

    /// A splitter for everything from the byte `offset` on, where line `line_number` begins and no
    /// event is open.
    pub(crate) fn resume(
        start: Arc<EventStart>,
        max_event_bytes: usize,
        offset: u64,
        line_number: u64,
    ) -> Self {
        let objects = matches!(*start, EventStart::Objects)
            .then(|| ObjectSplitter::new(max_event_bytes, offset, line_number));
        Self {
            line_offset: offset,
            line_number,
            objects,
            ..Self::new(start, max_event_bytes, 0..u64::MAX)
        }
    }

    /// Offset and number of the first line that has not been handed out yet, where
    /// [`EventSplitter::resume`] continues.
    pub(crate) fn position(&self) -> (u64, u64) {
        match (&self.objects, &self.open) {
            (Some(objects), _) => objects.position(),
            (None, Some(open)) => (open.offset, open.line_number),
            (None, None) => (self.line_offset, self.line_number),
        }
    }

    /// Hands out the open multi-line event because no more of it is expected, unless one of its
    /// lines may be half written.
    pub(crate) fn end_event(&mut self, sink: &mut impl FnMut(Event<'_>)) {
        if self.line_bytes == 0 {
            self.was_ended |= self.open.is_some();
            self.close(&[], sink);
        }
    }

    /// The offsets where events were cut in two since the last call, because
    /// [`EventSplitter::end_event`] came between two of their lines. A caller that feeds the same
    /// bytes again must call it at the same offsets to get the same events.
    pub(crate) fn take_cuts(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.cuts)
    }

    /// The offset of the first byte to feed: one before the range, which tells whether a line
    /// begins at the start of the range.
    pub(crate) fn feed_from(range_start: u64) -> u64 {
        range_start.saturating_sub(1)
    }

    /// Whether every event of the range has been handed out, so that nothing more needs to be fed.
    pub(crate) fn is_done(&self) -> bool {
        let next_line_is_beyond = self.line_bytes == 0 && self.line_offset >= self.end;
        self.done || (next_line_is_beyond && matches!(*self.start, EventStart::EveryLine))
    }

    /// The counts since the last call.
    pub(crate) fn take_counts(&mut self) -> CutCounts {
        std::mem::take(&mut self.counts)
    }

    /// Takes the next bytes and hands out the events that are complete.
    pub(crate) fn feed(&mut self, block: &[u8], sink: &mut impl FnMut(Event<'_>)) {
        if let Some(mut objects) = self.objects.take() {
            objects.feed(block, &mut |object| self.hand_out_object(&object, sink));
            self.objects = Some(objects);
            return;
        }
        let mut at = 0;
        while at < block.len() && !self.is_done() {
            let rest = &block[at..];
            if let Some(length) = memchr(b'\n', rest) {
                self.end_line(block, at..at + length, 1, sink);
                at += length + 1;
            } else {
                self.carry(rest);
                at = block.len();
            }
        }
        let limit = self.max_event_bytes + 1;
        if let Some(open) = &mut self.open {
            open.detach(block, limit);
        }
    }

    /// Ends the file: hands out the rest.
    pub(crate) fn finish(&mut self, sink: &mut impl FnMut(Event<'_>)) {
        if let Some(mut objects) = self.objects.take() {
            objects.finish(&mut |object| self.hand_out_object(&object, sink));
            self.objects = Some(objects);
        }
        if self.line_bytes > 0 && !self.is_done() {
            self.end_line(&[], 0..0, 0, sink);
        }
        self.close(&[], sink);
        self.done = true;
    }

    fn hand_out_object(&mut self, object: &Complete<'_>, sink: &mut impl FnMut(Event<'_>)) {
        self.counts.bytes += object.n_bytes as u64;
        self.hand_out(object.text, None, object.line_number, sink);
    }

    fn line_capacity(&self) -> usize {
        self.max_event_bytes + LINE_SLACK
    }

    /// Keeps a piece of a line whose end is not in this block.
    fn carry(&mut self, piece: &[u8]) {
        self.line_bytes += piece.len() as u64;
        let piece = match self.line.is_empty() {
            true => self.without_nuls(piece),
            false => piece,
        };
        let room = self.line_capacity().saturating_sub(self.line.len());
        self.line.extend_from_slice(&piece[..piece.len().min(room)]);
    }

    /// The start of a line without its NULs.
    fn without_nuls<'a>(&mut self, line: &'a [u8]) -> &'a [u8] {
        let n_nuls = line.iter().take_while(|byte| **byte == 0).count();
        self.line_nuls += n_nuls as u64;
        &line[n_nuls..]
    }

    fn end_line(
        &mut self,
        block: &[u8],
        span: Range<usize>,
        line_end_bytes: u64,
        sink: &mut impl FnMut(Event<'_>),
    ) {
        let carried = self.line_bytes > 0;
        if carried {
            self.carry(&block[span.clone()]);
        } else {
            self.line_bytes = span.len() as u64;
        }
        let buffer = std::mem::take(&mut self.line);
        let (text, place) = if carried {
            (&buffer[..], None)
        } else {
            let text = self.without_nuls(&block[span.clone()]);
            (text, Some(span.end - text.len()))
        };
        let line = self.clean(text, place, line_end_bytes);
        self.line_offset += line.bytes;
        self.line_number += 1;
        self.line_bytes = 0;
        self.line_nuls = 0;
        if !std::mem::take(&mut self.skips_partial_line) {
            self.take_line(line, block, sink);
        }
        self.line = buffer;
        self.line.clear();
    }

    /// The line without byte order mark and `\r`, and no longer than the longest line that is ever
    /// kept.
    fn clean<'a>(&self, text: &'a [u8], place: Option<usize>, line_end_bytes: u64) -> RawLine<'a> {
        let mut text = &text[..text.len().min(self.line_capacity())];
        let mut place = place;
        if self.line_bytes - self.line_nuls == text.len() as u64 {
            text = text.strip_suffix(b"\r").unwrap_or(text);
        }
        if self.line_offset == 0
            && let Some(rest) = text.strip_prefix(BYTE_ORDER_MARK)
        {
            text = rest;
            place = place.map(|place| place + BYTE_ORDER_MARK.len());
        }
        RawLine {
            text,
            place,
            offset: self.line_offset,
            number: self.line_number,
            bytes: self.line_bytes + line_end_bytes,
        }
    }

    fn take_line(&mut self, line: RawLine<'_>, block: &[u8], sink: &mut impl FnMut(Event<'_>)) {
        let head = &line.text[..line.text.len().min(self.max_event_bytes)];
        // Both see every line that is theirs, so that neighbours find the same boundary.
        let begins_next =
            line.offset >= self.end && self.start.is_boundary(head, &mut self.end_boundary);
        let begins_this =
            !self.awaits_start || self.start.is_boundary(head, &mut self.start_boundary);
        if begins_next {
            self.close(block, sink);
            self.done = true;
            return;
        }
        if !begins_this {
            return;
        }
        self.awaits_start = false;
        let is_blank = head.trim_ascii_start().is_empty();
        let is_start = self.is_start(head, is_blank);
        if is_start {
            self.close(block, sink);
        }
        self.counts.bytes += line.bytes;
        self.counts.lines += 1;
        let limit = self.max_event_bytes + 1;
        if let Some(open) = &mut self.open {
            open.append(line, is_blank, block, limit);
        } else if is_blank {
            self.counts.blank += 1;
        } else if is_start && self.start.is_complete(head) {
            self.hand_out(line.text, line.place, line.number, sink);
        } else {
            if !is_start {
                self.cuts.push(line.offset);
            }
            self.open = Some(OpenEvent::new(line));
        }
    }

    /// Whether a line starts an event. After an event that was ended early, what is known of the
    /// lines before is forgotten, as a splitter that resumes here does not know it either.
    fn is_start(&mut self, head: &[u8], is_blank: bool) -> bool {
        let is_start = self.start.is_start(head, &mut self.memory);
        if self.was_ended && !is_blank {
            self.was_ended = false;
            if !is_start {
                self.memory = LineMemory::default();
                self.start.is_start(head, &mut self.memory);
            }
        }
        is_start
    }

    fn close(&mut self, block: &[u8], sink: &mut impl FnMut(Event<'_>)) {
        let Some(open) = self.open.take() else { return };
        self.counts.blank += open.blank_after;
        let place = open.span.as_ref().map(|span| span.start);
        let text = open.bytes(block);
        self.hand_out(
            &text[..open.kept.min(text.len())],
            place,
            open.line_number,
            sink,
        );
    }

    fn hand_out(
        &mut self,
        text: &[u8],
        place: Option<usize>,
        line_number: u64,
        sink: &mut impl FnMut(Event<'_>),
    ) {
        let length = length_within(text, self.max_event_bytes);
        self.counts.events += 1;
        self.counts.truncated += u64::from(length < text.len());
        sink(Event {
            text: &text[..length],
            place,
            line_number,
        });
    }
}

impl OpenEvent {
    fn new(line: RawLine<'_>) -> Self {
        let (span, text) = match line.place {
            Some(place) => (Some(place..place + line.text.len()), Vec::new()),
            None => (None, line.text.to_vec()),
        };
        Self {
            span,
            text,
            kept: line.text.len(),
            blank_after: 0,
            offset: line.offset,
            line_number: line.number,
        }
    }

    fn bytes<'a>(&'a self, block: &'a [u8]) -> &'a [u8] {
        match &self.span {
            Some(span) => &block[span.clone()],
            None => &self.text,
        }
    }

    /// Moves the event out of the block into its own buffer, which holds at most `limit` bytes.
    fn detach(&mut self, block: &[u8], limit: usize) {
        if let Some(span) = self.span.take() {
            let length = span.len().min(limit);
            self.text
                .extend_from_slice(&block[span.start..span.start + length]);
            self.kept = self.kept.min(length);
        }
    }

    fn append(&mut self, line: RawLine<'_>, is_blank: bool, block: &[u8], limit: usize) {
        match (&mut self.span, line.place) {
            (Some(span), Some(place)) if place == span.end + 1 => {
                span.end = place + line.text.len();
            }
            _ => {
                self.detach(block, limit);
                let room = limit.saturating_sub(self.text.len());
                let joined = std::iter::once(&b'\n').chain(line.text);
                self.text.extend(joined.take(room));
            }
        }
        if is_blank {
            self.blank_after += 1;
        } else {
            self.kept = self.bytes(block).len();
            self.blank_after = 0;
        }
    }
}

/// The length of the longest prefix of `text` that is at most `limit` long and ends between two
/// characters.
fn length_within(text: &[u8], limit: usize) -> usize {
    if text.len() <= limit {
        return text.len();
    }
    // A character has at most three continuation bytes; if there are more, this is not UTF-8 and
    // any place will do.
    (limit.saturating_sub(3)..=limit)
        .rev()
        .find(|&length| text[length] & 0b1100_0000 != 0b1000_0000)
        .unwrap_or(limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::log::known_formats;

    const WHOLE: Range<u64> = 0..u64::MAX;

    fn starts(rule: &str) -> Arc<EventStart> {
        Arc::new(match rule {
            "" => EventStart::EveryLine,
            "indent" => EventStart::NotIndented,
            "auto" => EventStart::Auto(AutoStart::new(&[])),
            "auto log4j" => {
                let formats = known_formats::built_in().unwrap().iter();
                let formats =
                    formats.filter(|format| ["json", "log4j", "cri"].contains(&format.name()));
                EventStart::Auto(AutoStart::new(&formats.cloned().collect::<Vec<_>>()))
            }
            regex => EventStart::Matching(Regex::new(regex).unwrap()),
        })
    }

    /// Splits `text[range]`, fed in blocks of `block_bytes`.
    fn cut(
        rule: &Arc<EventStart>,
        max_event_bytes: usize,
        text: &[u8],
        range: Range<u64>,
        block_bytes: usize,
    ) -> (Vec<(u64, Vec<u8>)>, CutCounts) {
        let from = usize::try_from(EventSplitter::feed_from(range.start)).unwrap();
        let mut cutter = EventSplitter::new(Arc::clone(rule), max_event_bytes, range);
        let mut events = Vec::new();
        for block in text[from..].chunks(block_bytes) {
            if cutter.is_done() {
                break;
            }
            cutter.feed(block, &mut |event| {
                if let Some(place) = event.place {
                    assert_eq!(&block[place..place + event.text.len()], event.text);
                }
                events.push((event.line_number, event.text.to_vec()));
            });
        }
        cutter.finish(&mut |event| events.push((event.line_number, event.text.to_vec())));
        (events, cutter.take_counts())
    }

    fn add(left: CutCounts, right: CutCounts) -> CutCounts {
        CutCounts {
            events: left.events + right.events,
            bytes: left.bytes + right.bytes,
            blank: left.blank + right.blank,
            truncated: left.truncated + right.truncated,
            lines: left.lines + right.lines,
        }
    }

    fn check(rule: &str, max_event_bytes: usize, text: &str, expected: &[(u64, &str)]) {
        let (events, counts) = cut(
            &starts(rule),
            max_event_bytes,
            text.as_bytes(),
            WHOLE,
            1 << 20,
        );
        let expected: Vec<_> = expected
            .iter()
            .map(|(line, text)| (*line, text.as_bytes().to_vec()))
            .collect();
        assert_eq!(events, expected, "rule {rule:?} on {text:?}");
        assert_eq!(
            counts.bytes,
            text.len() as u64,
            "every byte is accounted for: {text:?}"
        );
    }

    #[test]
    fn lines() {
        check("", 99, "", &[]);
        check("", 99, "\n\n", &[]);
        check("", 99, "a", &[(1, "a")]);
        check("", 99, "a\nb\n", &[(1, "a"), (2, "b")]);
        check("", 99, "a\r\n\r\n \t\nb\r", &[(1, "a"), (4, "b")]);
        check(
            "",
            99,
            "\u{feff}a\n\u{feff}b",
            &[(1, "a"), (2, "\u{feff}b")],
        );
        check("", 99, "\u{feff}\na", &[(2, "a")]);
        check("", 99, "a\r\r\n", &[(1, "a\r")]);
    }

    #[test]
    fn long_lines_are_cut_between_characters() {
        check(
            "",
            3,
            "abc\nabcd\nabc\r\n",
            &[(1, "abc"), (2, "abc"), (3, "abc")],
        );
        check("", 3, "éé\n", &[(1, "é")]);
        check("", 3, "日本語", &[(1, "日")]);
        check("", 4, "日本語", &[(1, "日")]);
        check("", 3, "\u{feff}abcd\u{feff}", &[(1, "abc")]);
        let (_, counts) = cut(
            &starts(""),
            3,
            b"abc\nabcd\nabcdefghijkl\nabc\r\n",
            WHOLE,
            2,
        );
        assert_eq!((counts.events, counts.truncated), (4, 2));
    }

    #[test]
    fn multi_line_events() {
        check(
            "^S",
            99,
            "x\nS1\n y\nS2\n",
            &[(1, "x"), (2, "S1\n y"), (4, "S2")],
        );
        check("^S", 99, "\n\nx\n\nS1", &[(3, "x"), (5, "S1")]);
        check("^S", 99, "S1\n\na\n\n\nS2", &[(1, "S1\n\na"), (6, "S2")]);
        check("^S", 99, "S1\r\n a\r\n b", &[(1, "S1\n a\n b")]);
        check("^S", 5, "S1\nabcd\nef\nS2", &[(1, "S1\nab"), (4, "S2")]);
        check(
            "indent",
            99,
            "a\n b\n\tc\nd\n\n e\n",
            &[(1, "a\n b\n\tc"), (4, "d\n\n e")],
        );
        check("indent", 99, "  b\na", &[(1, "  b"), (2, "a")]);
    }

    /// The events that a splitter must give, computed without streaming.
    fn reference(rule: &EventStart, max_event_bytes: usize, text: &[u8]) -> Vec<(u64, Vec<u8>)> {
        let head = |line: &[u8]| line[..line.len().min(max_event_bytes)].to_vec();
        let text_without_mark = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        let mut groups: Vec<Vec<(u64, Vec<u8>)>> = vec![Vec::new()];
        let mut memory = LineMemory::default();
        for (number, line) in (1..).zip(text_without_mark.split(|byte| *byte == b'\n')) {
            let line = line.strip_suffix(b"\r").unwrap_or(line).to_vec();
            if rule.is_start(&head(&line), &mut memory) {
                groups.push(Vec::new());
            }
            groups.last_mut().unwrap().push((number, line));
        }
        let is_blank = |line: &(u64, Vec<u8>)| head(&line.1).trim_ascii().is_empty();
        let mut events = Vec::new();
        for mut group in groups {
            while group.last().is_some_and(is_blank) {
                group.pop();
            }
            let first = group
                .iter()
                .position(|line| !is_blank(line))
                .unwrap_or(group.len());
            let lines: Vec<_> = group[first..].iter().map(|line| line.1.clone()).collect();
            if let Some(line) = group.get(first) {
                let mut text = lines.join(&b'\n');
                text.truncate(length_within(&text, max_event_bytes));
                events.push((line.0, text));
            }
        }
        events
    }

    /// All texts of up to `length` of these `pieces`.
    fn texts(pieces: &[&[u8]], length: usize) -> Vec<Vec<u8>> {
        let mut all = vec![Vec::new()];
        let mut last = all.clone();
        for _ in 0..length {
            last = last
                .iter()
                .flat_map(|text| pieces.iter().map(move |piece| [text, *piece].concat()))
                .collect();
            all.extend(last.iter().cloned());
        }
        all
    }

    fn texts_of(events: &[(u64, Vec<u8>)]) -> Vec<&Vec<u8>> {
        events.iter().map(|event| &event.1).collect()
    }

    /// Every short text, in every block size, split at every byte, gives the events of the whole.
    #[test]
    fn splits_and_blocks_do_not_change_the_events() {
        let pieces: [&[u8]; 6] = [b"S", b"a", b" ", b"\n", b"\r\n", "é".as_bytes()];
        for text in texts(&pieces, 5) {
            for rule in [starts(""), starts("^S"), starts("indent"), starts("^$|S")] {
                for max_event_bytes in [2, 99] {
                    every_split_gives_the_whole(&rule, max_event_bytes, &text);
                }
            }
        }
    }

    fn every_split_gives_the_whole(rule: &Arc<EventStart>, max_event_bytes: usize, text: &[u8]) {
        let (whole, whole_counts) = cut(rule, max_event_bytes, text, WHOLE, 1 << 20);
        assert_eq!(
            whole,
            reference(rule, max_event_bytes, text),
            "{rule:?} {text:?}"
        );
        for block_bytes in [1, 2, 3] {
            let again = cut(rule, max_event_bytes, text, WHOLE, block_bytes);
            assert_eq!(
                again,
                (whole.clone(), whole_counts),
                "{rule:?} {text:?} {block_bytes}"
            );
        }
        let end = text.len() as u64;
        for split in 1..end {
            for block_bytes in [1, 3, 99] {
                let (mut events, counts) = cut(rule, max_event_bytes, text, 0..split, block_bytes);
                let (more, more_counts) = cut(rule, max_event_bytes, text, split..end, block_bytes);
                events.extend(more);
                assert_eq!(
                    texts_of(&events),
                    texts_of(&whole),
                    "{rule:?} {text:?} at {split}"
                );
                assert_eq!(
                    add(counts, more_counts),
                    whole_counts,
                    "{rule:?} {text:?} at {split}"
                );
            }
        }
    }

    proptest::proptest! {
        /// Longer texts with a byte order mark, bytes that are not UTF-8, and three ranges.
        #[test]
        fn three_ranges_give_the_whole(
            pieces in proptest::collection::vec(proptest::sample::select(vec![
                &b"S"[..], b"ab", b" ", b"\n", b"\n", b"\r", b"\xff", BYTE_ORDER_MARK, "語".as_bytes(),
            ]), 0..60),
            cuts in proptest::array::uniform2(0.0..1.0f64),
            block_bytes in 1usize..20,
            max_event_bytes in 1usize..20,
        ) {
            let text = pieces.concat();
            let end = text.len() as u64;
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
            let mut at = cuts.map(|cut| (cut * end as f64) as u64);
            at.sort_unstable();
            for rule in [starts(""), starts("^S"), starts("indent")] {
                let (whole, whole_counts) = cut(&rule, max_event_bytes, &text, WHOLE, 1 << 20);
                proptest::prop_assert_eq!(&whole, &reference(&rule, max_event_bytes, &text));
                let mut events = Vec::new();
                let mut counts = CutCounts::default();
                for range in [0..at[0], at[0]..at[1], at[1]..end] {
                    if range.is_empty() {
                        continue;
                    }
                    let part = cut(&rule, max_event_bytes, &text, range, block_bytes);
                    events.extend(part.0);
                    counts = add(counts, part.1);
                }
                proptest::prop_assert_eq!(texts_of(&events), texts_of(&whole));
                proptest::prop_assert_eq!(counts, whole_counts);
            }
        }

        /// Lines that only the lines before them can explain, and three ranges.
        #[test]
        fn three_ranges_of_traces_give_the_whole(
            lines in proptest::collection::vec(proptest::sample::select(vec![
                "plain", "Bad: x", "", "  more", "\tat a.b(c:1)", "Caused by: x", "  File \"a\", line 1",
                "Traceback (most recent call last):", "panic: x", "main.f(...)", "thread 'a' panicked at b:1:",
                "2026-11-29 10:00:00,123 ERROR [main] c.a.Shop - a",
                "2026-11-29T10:00:00.1Z stdout P a", "2026-11-29T10:00:00.1Z stdout F b", "{\"a\":1}",
            ]), 0..30),
            cuts in proptest::array::uniform2(0.0..1.0f64),
            block_bytes in 1usize..60,
        ) {
            let text = lines.join("\n").into_bytes();
            let end = text.len() as u64;
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
            let mut at = cuts.map(|cut| (cut * end as f64) as u64);
            at.sort_unstable();
            for rule in [starts("auto"), starts("auto log4j")] {
                let (whole, whole_counts) = cut(&rule, 1 << 10, &text, WHOLE, 1 << 20);
                proptest::prop_assert_eq!(&whole, &reference(&rule, 1 << 10, &text));
                let mut events = Vec::new();
                let mut counts = CutCounts::default();
                for range in [0..at[0], at[0]..at[1], at[1]..end] {
                    if range.is_empty() {
                        continue;
                    }
                    let part = cut(&rule, 1 << 10, &text, range, block_bytes);
                    events.extend(part.0);
                    counts = add(counts, part.1);
                }
                proptest::prop_assert_eq!(texts_of(&events), texts_of(&whole));
                proptest::prop_assert_eq!(counts, whole_counts);
            }
        }
    }
}
