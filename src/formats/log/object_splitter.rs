//! Splits bytes into JSON objects that are longer than a line, or members of one long list.
//!
//! Objects follow each other, with white space, commas and brackets between them: so the members of
//! a list are events like objects that stand alone. An object whose first value is a list of objects
//! (`{"Records":[{..},{..}]}`) is only a frame around them. Other text is an event up to its line
//! end.

use memchr::memmem;

/// An object whose first value is a list of objects begins within this many bytes.
const MAX_FRAME_BYTES: usize = 256;

/// The state machine. It holds at most one event.
#[derive(Debug, Default)]
pub(crate) struct ObjectSplitter {
    /// The event so far.
    event: Vec<u8>,
    depth: usize,
    is_in_string: bool,
    is_escaped: bool,
    /// The event is a line of text.
    is_text: bool,
    /// Where the event begins.
    offset: u64,
    line_number: u64,
    /// What was fed.
    at: u64,
    lines: u64,
    max_event_bytes: usize,
    n_bytes: usize,
}

/// An event that is complete.
pub(crate) struct Complete<'a> {
    pub(crate) text: &'a [u8],
    pub(crate) line_number: u64,
    /// Length in the file.
    pub(crate) n_bytes: usize,
}

impl ObjectSplitter {
    /// A splitter of what begins at this offset, in this line.
    pub(crate) fn new(max_event_bytes: usize, offset: u64, line_number: u64) -> Self {
        Self {
            at: offset,
            lines: line_number,
            max_event_bytes,
            ..Self::default()
        }
    }

    /// Where the event begins that is not complete.
    pub(crate) fn position(&self) -> (u64, u64) {
        if self.n_bytes > 0 {
            (self.offset, self.line_number)
        } else {
            (self.at, self.lines)
        }
    }

    /// Takes the next bytes, and hands out the events that they complete.
    pub(crate) fn feed(&mut self, block: &[u8], sink: &mut impl FnMut(Complete<'_>)) {
        for &byte in block {
            self.take(byte, sink);
            self.at += 1;
            self.lines += u64::from(byte == b'\n');
        }
    }

    /// Hands out the rest.
    pub(crate) fn finish(&mut self, sink: &mut impl FnMut(Complete<'_>)) {
        if self.n_bytes > 0 {
            self.complete(sink);
        }
    }

    fn take(&mut self, byte: u8, sink: &mut impl FnMut(Complete<'_>)) {
        if self.n_bytes == 0 {
            let is_between = byte.is_ascii_whitespace() || b",[]}\xEF\xBB\xBF".contains(&byte);
            if is_between {
                return;
            }
            (self.offset, self.line_number) = (self.at, self.lines);
            self.is_text = byte != b'{';
        }
        if self.is_text && byte == b'\n' {
            return self.complete(sink);
        }
        self.n_bytes += 1;
        if self.event.len() <= self.max_event_bytes {
            self.event.push(byte);
        }
        if self.is_text {
            return;
        }
        if self.is_in_string {
            self.is_in_string = self.is_escaped || byte != b'"';
            self.is_escaped = byte == b'\\' && !self.is_escaped;
            return;
        }
        match byte {
            b'"' => self.is_in_string = true,
            b'{' if self.is_frame() => self.begin_in_frame(),
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                if self.depth == 0 {
                    self.complete(sink);
                }
            }
            _ => {}
        }
    }

    /// Whether the event so far is `{"name": [{`.
    fn is_frame(&self) -> bool {
        self.depth == 2 && self.event.len() <= MAX_FRAME_BYTES && is_frame(&self.event)
    }

    /// The frame is over, and the first object in it begins.
    fn begin_in_frame(&mut self) {
        self.event.clear();
        self.event.push(b'{');
        (self.offset, self.line_number) = (self.at, self.lines);
        self.depth = 1;
        self.n_bytes = 1;
    }

    fn complete(&mut self, sink: &mut impl FnMut(Complete<'_>)) {
        let text = if self.is_text {
            self.event.trim_ascii_end()
        } else {
            &self.event[..]
        };
        sink(Complete {
            text,
            line_number: self.line_number,
            n_bytes: self.n_bytes,
        });
        self.event.clear();
        (self.depth, self.n_bytes) = (0, 0);
        (self.is_in_string, self.is_escaped) = (false, false);
    }
}

fn is_frame(start: &[u8]) -> bool {
    let inside = start
        .trim_ascii()
        .strip_prefix(b"{")
        .map(<[u8]>::trim_ascii_start);
    let Some(rest) = inside.and_then(|inside| inside.strip_prefix(b"\"")) else {
        return false;
    };
    let Some(end) = memmem::find(rest, b"\"") else {
        return false;
    };
    let value = rest[end + 1..].trim_ascii_start().strip_prefix(b":");
    let value = value.map(<[u8]>::trim_ascii_start);
    let list = value.and_then(|value| value.strip_prefix(b"["));
    list.is_some_and(|list| list.trim_ascii() == b"{")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(text: &str, block_bytes: usize) -> Vec<(u64, String)> {
        let mut splitter = ObjectSplitter::new(1 << 20, 0, 1);
        let mut events = vec![];
        let mut take = |event: Complete<'_>| {
            events.push((
                event.line_number,
                String::from_utf8(event.text.to_vec()).unwrap(),
            ));
        };
        for block in text.as_bytes().chunks(block_bytes) {
            splitter.feed(block, &mut take);
        }
        splitter.finish(&mut take);
        events
    }

    #[test]
    fn objects_are_split() {
        let cases: [(&str, &[(u64, &str)]); 6] = [
            (
                "{\n \"a\": 1\n}\n{\"a\": 2}\n",
                &[(1, "{\n \"a\": 1\n}"), (4, "{\"a\": 2}")],
            ),
            (
                "[{\"a\":1},{\"a\":2}]",
                &[(1, "{\"a\":1}"), (1, "{\"a\":2}")],
            ),
            (
                "{\"Records\": [\n{\"a\":[1]},\n{\"a\":\"]}\"}]}",
                &[(2, "{\"a\":[1]}"), (3, "{\"a\":\"]}\"}")],
            ),
            (
                "{\"a\":\"}\\\"{\"}\nplain [text]\n{\"b\":1}",
                &[
                    (1, "{\"a\":\"}\\\"{\"}"),
                    (2, "plain [text]"),
                    (3, "{\"b\":1}"),
                ],
            ),
            ("{\"a\":[1,{\"b\":2}]}", &[(1, "{\"a\":[1,{\"b\":2}]}")]),
            ("{\"a\":", &[(1, "{\"a\":")]),
        ];
        for (text, expected) in cases {
            let expected: Vec<_> = expected
                .iter()
                .map(|(line, text)| (*line, text.to_string()))
                .collect();
            for block_bytes in [1, 2, 3, 7, 100] {
                assert_eq!(events(text, block_bytes), expected, "{text}");
            }
        }
    }
}
