//! Which lines belong to the event before: stack traces, lines of formats whose events have several,
//! and parts of a line that was written in parts. The rule of `multiline 'auto'`.
//!
//! A trace of Java, Python, Go, Node.js, .NET, Ruby, PHP or Rust stays with the event that it
//! follows. What a runtime writes when a program crashes (`panic:`, `Exception in thread "main"`)
//! begins an event, since no log call wrote it.
//!
//! Most lines can be told alone, but not all: the last line of a Python trace looks like any other.
//! So a reader that begins in the middle of a file waits for a [`Boundary`], a line that begins an
//! event whatever came before, and the reader before it goes on up to that line.

use std::sync::Arc;

use regex::bytes::Regex;

use crate::formats::log::known_formats::{FormatKind, KnownFormat};

/// After this many lines without a known format, an event is over: the log has changed its format.
const MAX_CONTINUATION_LINES: usize = 1_000;

/// The rule of a table.
#[derive(Debug, Clone)]
pub(crate) struct AutoStart {
    /// What events of the table's formats begin with, and whether they continue; empty if no format
    /// continues.
    heads: Vec<(Regex, bool)>,
    has_json: bool,
    partial: Vec<Regex>,
}

/// What is known of the lines before.
#[derive(Debug, Clone, Default)]
pub(crate) struct LineMemory {
    trace: Trace,
    /// The event continues until one with a known format begins, and this many lines have.
    continues: Option<usize>,
    is_after_partial: bool,
    /// The line before was a whole object, to which nothing can belong.
    is_after_object: bool,
}

/// What is known of the line before, while a reader looks for a line that begins an event.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Boundary {
    previous: Option<PreviousLine>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PreviousLine {
    Plain,
    Partial,
    Other,
}

/// The trace that is being read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Trace {
    #[default]
    None,
    Frames,
    PythonFrames,
    /// After the line that names the exception.
    PythonDone,
    /// After `During handling of the above exception`.
    PythonChained,
    Go,
    /// The message of a panic of Rust comes.
    RustMessage,
}

/// What a line looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LineShape {
    Blank,
    Plain,
    Indented,
    /// A frame of a trace, in any case.
    Frame,
    PythonFrame,
    /// `Traceback (most recent call last):`.
    Traceback,
    /// What links two traces of Python.
    Chained,
    /// A line that belongs to a trace, if there is one.
    OfTrace,
    /// A line that belongs to a trace of Go, if there is one.
    OfGo,
    /// The first line of what a runtime writes about a crash.
    Crash(Trace),
}

impl AutoStart {
    /// The rule of a table that has these formats; none for plain text.
    pub(crate) fn new(formats: &[Arc<KnownFormat>]) -> Self {
        let is_text = |format: &&Arc<KnownFormat>| format.kind != FormatKind::Json;
        let continues = formats.iter().any(|format| format.continues());
        let heads = formats.iter().filter(is_text).filter(|_| continues);
        let heads = heads.map(|format| (format.head().clone(), format.continues()));
        let partial = formats.iter().filter_map(|format| format.partial());
        Self {
            heads: heads.collect(),
            has_json: formats.iter().any(|format| format.kind == FormatKind::Json),
            partial: partial
                .filter_map(|pattern| Regex::new(pattern).ok())
                .collect(),
        }
    }

    /// Whether lines are joined at all: plain lines, and those of formats with one line an event, are
    /// events of their own.
    pub(crate) fn joins_lines(&self) -> bool {
        self.has_json || !self.heads.is_empty() || !self.partial.is_empty()
    }

    /// Whether a line is an event to which no other line belongs.
    pub(crate) fn is_complete(&self, line: &[u8]) -> bool {
        self.has_json && line.first() == Some(&b'{') && !self.is_partial(line)
    }

    /// Whether a line begins an event, given the lines before it.
    pub(crate) fn begins(&self, line: &[u8], memory: &mut LineMemory) -> bool {
        let is_complete = self.is_complete(line);
        let was_complete = std::mem::replace(&mut memory.is_after_object, is_complete);
        self.begins_by_itself(line, memory) || was_complete
    }

    fn begins_by_itself(&self, line: &[u8], memory: &mut LineMemory) -> bool {
        let was_partial = std::mem::replace(&mut memory.is_after_partial, self.is_partial(line));
        if was_partial {
            return false;
        }
        if let Some(continues) = self.head(line) {
            memory.trace = Trace::None;
            memory.continues = continues.then_some(0);
            return true;
        }
        if memory.trace == Trace::None && memory.continues.is_none() && is_surely_plain(line) {
            return true;
        }
        let shape = shape(line);
        if let LineShape::Crash(trace) = shape {
            memory.trace = trace;
            memory.continues = self
                .heads
                .iter()
                .any(|(_, continues)| *continues)
                .then_some(0);
            return true;
        }
        if let Some(n_lines) = &mut memory.continues {
            *n_lines += 1;
            if *n_lines <= MAX_CONTINUATION_LINES {
                return false;
            }
            memory.continues = None;
        }
        let (is_inside, trace) = memory.trace.next(shape);
        memory.trace = trace;
        !is_inside
    }

    /// Whether a line begins an event whatever came before it. `boundary` knows the lines since the
    /// place where the reader began.
    pub(crate) fn is_boundary(&self, line: &[u8], boundary: &mut Boundary) -> bool {
        let shape = shape(line);
        let this = if self.is_partial(line) {
            PreviousLine::Partial
        } else if shape == LineShape::Plain {
            PreviousLine::Plain
        } else {
            PreviousLine::Other
        };
        let previous = boundary.previous.replace(this);
        // Any line can be the end of a part.
        let may_be_rest =
            !self.partial.is_empty() && matches!(previous, None | Some(PreviousLine::Partial));
        if may_be_rest {
            return false;
        }
        if self.head(line).is_some() || matches!(shape, LineShape::Crash(_)) {
            return true;
        }
        let both_plain = shape == LineShape::Plain && previous == Some(PreviousLine::Plain);
        both_plain && self.heads.is_empty()
    }

    /// Whether the event that a line begins continues; `None` if it begins none by its format.
    fn head(&self, line: &[u8]) -> Option<bool> {
        if self.has_json && line.first() == Some(&b'{') {
            return Some(false);
        }
        let head = self.heads.iter().find(|(head, _)| head.is_match(line));
        head.map(|(_, continues)| *continues)
    }

    fn is_partial(&self, line: &[u8]) -> bool {
        self.partial.iter().any(|partial| partial.is_match(line))
    }
}

impl Trace {
    /// Whether a line of this shape belongs to the event before, and what comes then.
    fn next(self, shape: LineShape) -> (bool, Self) {
        match (self, shape) {
            (_, LineShape::Frame) => (true, if self == Self::Go { self } else { Self::Frames }),
            (_, LineShape::PythonFrame) => (true, Self::PythonFrames),
            (Self::RustMessage, _) => (true, Self::Frames),
            (Self::PythonFrames | Self::PythonChained, LineShape::Traceback) => {
                (true, Self::PythonFrames)
            }
            (_, LineShape::Traceback) => (false, Self::PythonFrames),
            (Self::None, _) => (false, Self::None),
            (_, LineShape::Blank | LineShape::Indented) => (true, self),
            (Self::PythonFrames | Self::PythonDone, LineShape::Chained) => {
                (true, Self::PythonChained)
            }
            (Self::PythonFrames, _) => (true, Self::PythonDone),
            (Self::Frames, LineShape::OfTrace) => (true, self),
            (Self::Go, LineShape::OfGo | LineShape::OfTrace) => (true, self),
            _ => (false, Self::None),
        }
    }
}

/// Whether the first byte alone tells that a line is plain.
fn is_surely_plain(line: &[u8]) -> bool {
    let first = line.first().copied().unwrap_or(b' ');
    !first.is_ascii_whitespace() && !b"TDptfEUP-".contains(&first)
}

fn shape(line: &[u8]) -> LineShape {
    let text = line.trim_ascii_start();
    if text.is_empty() {
        return LineShape::Blank;
    }
    if text.len() < line.len() {
        return indented_shape(text);
    }
    let starts = |start: &str| text.starts_with(start.as_bytes());
    if starts("Traceback (most recent call last)") {
        LineShape::Traceback
    } else if starts("During handling of the above exception")
        || starts("The above exception was the direct cause")
    {
        LineShape::Chained
    } else if starts("panic: ") || starts("fatal error: ") {
        LineShape::Crash(Trace::Go)
    } else if starts("thread '") && memchr::memmem::find(text, b"' panicked at ").is_some() {
        let has_message = text.trim_ascii_end().ends_with(b":");
        LineShape::Crash(if has_message {
            Trace::RustMessage
        } else {
            Trace::Frames
        })
    } else if starts("Exception in thread \"")
        || starts("Unhandled exception")
        || starts("PHP Fatal error:  Uncaught")
    {
        LineShape::Crash(Trace::Frames)
    } else if starts("--- End of ") {
        LineShape::Frame
    } else if [
        "Caused by: ",
        "Stack trace:",
        "stack backtrace:",
        "note: ",
        "#",
        "}",
        "... ",
    ]
    .iter()
    .any(|start| starts(start))
    {
        LineShape::OfTrace
    } else if text.ends_with(b")")
        || ["goroutine ", "created by ", "exit status ", "[signal "]
            .iter()
            .any(|start| starts(start))
    {
        LineShape::OfGo
    } else {
        LineShape::Plain
    }
}

fn indented_shape(text: &[u8]) -> LineShape {
    let starts = |start: &str| text.starts_with(start.as_bytes());
    let is_number = |text: &[u8]| {
        let n_digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        n_digits > 0
            && text
                .get(n_digits..)
                .is_some_and(|rest| rest.starts_with(b": "))
    };
    if starts("File \"") && memchr::memmem::find(text, b"\", line ").is_some() {
        LineShape::PythonFrame
    } else if starts("at ")
        && (text.contains(&b'(') || text.contains(&b':') || text.contains(&b'.'))
        || starts("from ") && memchr::memmem::find(text, b":in ").is_some()
        || starts("... ") && (text.ends_with(b"more") || text.ends_with(b"omitted"))
        || starts("Suppressed: ")
        || starts("--- End of ")
        || starts("thrown in ")
        || is_number(text)
    {
        LineShape::Frame
    } else {
        LineShape::Indented
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The events of plain text.
    fn events(text: &str) -> Vec<usize> {
        let start = AutoStart::new(&[]);
        let mut memory = LineMemory::default();
        let lines = text.lines().enumerate();
        let starts = lines.filter(|(_, line)| start.begins(line.as_bytes(), &mut memory));
        starts.map(|(number, _)| number).collect()
    }

    #[test]
    fn traces_in_plain_text() {
        for (text, expected) in [
            ("a\nb\n  c\nd", vec![0, 1, 2, 3]),
            (
                "a: x\n\tat b.C.d(C.java:1)\nCaused by: e\n\t... 2 more\nf",
                vec![0, 4],
            ),
            (
                "Traceback (most recent call last):\n  File \"a.py\", line 1, in b\n    c()\nD: x\ne",
                vec![0, 4],
            ),
            (
                "Traceback (most recent call last):\n  File \"a.py\", line 1\nD: x\n\nDuring handling of the above \
                 exception, another exception occurred:\n\nTraceback (most recent call last):\n  File \"a.py\", \
                 line 2\nE: y\nf",
                vec![0, 9],
            ),
            (
                "panic: x\n\ngoroutine 1 [running]:\nmain.f(...)\n\t/a.go:17\nexit status 2\nb",
                vec![0, 6],
            ),
            (
                "thread 'main' panicked at src/main.rs:3:5:\nno stock\nstack backtrace:\n   0: a\nnote: b\nc",
                vec![0, 5],
            ),
            ("Caused by: x\ny", vec![0, 1]),
            (
                "E: x\n   at A.B() in C.cs:line 1\n--- End of stack trace from previous location ---\n   at D()\nf",
                vec![0, 4],
            ),
            ("a.rb:3:in 'f': x (E)\n\tfrom a.rb:7:in 'g'\nh", vec![0, 2]),
        ] {
            assert_eq!(events(text), expected, "{text}");
        }
    }

    /// A line that is a boundary begins an event, whatever the lines before it are.
    #[test]
    fn boundaries_begin_events() {
        let lines = [
            "plain",
            "Bad: x",
            "\tat a.b(c:1)",
            "Caused by: x",
            "  File \"a\", line 1",
            "  more",
            "Traceback (most recent call last):",
            "",
            "panic: x",
            "main.f(...)",
            "}",
            "thread 'a' panicked at b:1:",
            "During handling of the above exception",
            "#1 {main}",
        ];
        let start = AutoStart::new(&[]);
        let n_lines = lines.len();
        for number in 0..n_lines.pow(4) {
            let text = (0..4).map(|place| lines[number / n_lines.pow(place) % n_lines]);
            let text: Vec<&str> = text.collect();
            let (mut memory, mut boundary) = (LineMemory::default(), Boundary::default());
            for (index, line) in text.iter().enumerate() {
                let begins = start.begins(line.as_bytes(), &mut memory);
                let is_boundary = index >= 2 && start.is_boundary(line.as_bytes(), &mut boundary);
                assert!(begins || !is_boundary, "{text:?}: {line}");
            }
        }
    }
}
