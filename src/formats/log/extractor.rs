//! Finds the values of an event: by the groups of a pattern, or by the keys of logfmt.

use std::collections::HashMap;

use regex::bytes::{CaptureLocations, Regex};

use crate::formats::log::columns::{ColumnSource, LEVEL, MESSAGE, TIME};
use crate::formats::log::known_formats::{FormatKind, KnownFormat};

/// A value of an event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Found {
    #[default]
    None,
    /// A part of the event.
    Part(usize, usize),
    /// A value that is written in another way.
    Text(String),
}

/// Finds the values of some columns in events of one format.
#[derive(Debug)]
pub(crate) enum Extractor {
    Pattern(Groups),
    Logfmt(Keys),
}

/// A pattern, patterns within its groups, and where each column's values are.
#[derive(Debug)]
pub(crate) struct Groups {
    patterns: Vec<Pattern>,
    columns: Vec<Vec<GroupPlace>>,
    /// Without a column of the pattern, whether it matches is of no interest.
    is_needed: bool,
}

#[derive(Debug)]
struct Pattern {
    regex: Regex,
    locations: CaptureLocations,
    /// The group of the first pattern that this one is matched with.
    within: Option<usize>,
    /// Where the text begins that has been matched; `None` if it did not match.
    offset: Option<usize>,
}

#[derive(Debug, Clone, Copy)]
struct GroupPlace {
    pattern: usize,
    group: usize,
}

/// The column of each key; several keys can be one column, and the first of them counts.
#[derive(Debug)]
pub(crate) struct Keys {
    columns: HashMap<String, (usize, usize)>,
    ranks: Vec<usize>,
}

impl Extractor {
    /// An extractor of these columns (name and source).
    pub(crate) fn new<'a>(
        format: &KnownFormat,
        columns: impl Iterator<Item = (&'a str, &'a ColumnSource)>,
    ) -> Self {
        match format.kind {
            FormatKind::Logfmt => Self::Logfmt(Keys::new(format, columns)),
            _ => Self::Pattern(Groups::new(format, columns)),
        }
    }

    /// Finds the values of an event; `found` has a place for each column. Returns whether the event
    /// has the format.
    pub(crate) fn find(&mut self, text: &str, found: &mut [Found]) -> bool {
        found.fill(Found::None);
        match self {
            Self::Pattern(groups) => groups.find(text, found),
            Self::Logfmt(keys) => keys.find(text, found),
        }
    }

    /// Whether any column needs the format to be found.
    pub(crate) fn is_needed(&self) -> bool {
        match self {
            Self::Pattern(groups) => groups.is_needed,
            Self::Logfmt(_) => true,
        }
    }
}

impl Groups {
    fn new<'a>(
        format: &KnownFormat,
        columns: impl Iterator<Item = (&'a str, &'a ColumnSource)>,
    ) -> Self {
        let first = format.pattern();
        let group_of = |name: &str| first.capture_names().position(|group| group == Some(name));
        let mut patterns = vec![Pattern::new(first.clone(), None)];
        for (group, regex) in format.within() {
            if let Some(group) = group_of(group) {
                patterns.push(Pattern::new(regex, Some(group)));
            }
        }
        let groups_of = |name: &str| -> Vec<GroupPlace> {
            let patterns = patterns.iter().enumerate();
            let groups = patterns.filter_map(|(pattern, within)| {
                let group = within
                    .regex
                    .capture_names()
                    .position(|group| group == Some(name))?;
                Some(GroupPlace { pattern, group })
            });
            groups.collect()
        };
        let columns = columns.map(|(name, source)| match source {
            ColumnSource::Message => groups_of(MESSAGE),
            ColumnSource::Time => groups_of(TIME),
            ColumnSource::Level => groups_of(format.level_of()),
            ColumnSource::Field => groups_of(name),
            _ => vec![],
        });
        let columns: Vec<_> = columns.collect();
        let is_used = |pattern: usize| {
            let mut groups = columns.iter().flatten();
            groups.any(|group| group.pattern == pattern)
        };
        let used: Vec<bool> = (0..patterns.len()).map(is_used).collect();
        for (pattern, is_used) in patterns.iter_mut().zip(&used) {
            if !is_used && pattern.within.is_some() {
                pattern.within = Some(usize::MAX);
            }
        }
        Self {
            is_needed: used.contains(&true),
            patterns,
            columns,
        }
    }

    fn find(&mut self, text: &str, found: &mut [Found]) -> bool {
        let Some((first, within)) = self.patterns.split_first_mut() else {
            return false;
        };
        if !first.read(text.as_bytes(), 0) {
            return false;
        }
        for pattern in within {
            pattern.offset = None;
            let group = pattern.within.and_then(|group| first.locations.get(group));
            if let Some((start, end)) = group {
                pattern.read(&text.as_bytes()[start..end], start);
            }
        }
        for (found, groups) in found.iter_mut().zip(&self.columns) {
            let mut spans = groups.iter().filter_map(|group| {
                let pattern = &self.patterns[group.pattern];
                let offset = pattern.offset?;
                let (start, end) = pattern.locations.get(group.group)?;
                Some((start + offset, end + offset))
            });
            if let Some((start, end)) = spans.next() {
                *found = Found::Part(start, end);
            }
        }
        true
    }
}

impl Pattern {
    fn new(regex: Regex, within: Option<usize>) -> Self {
        Self {
            locations: regex.capture_locations(),
            regex,
            within,
            offset: None,
        }
    }

    fn read(&mut self, text: &[u8], offset: usize) -> bool {
        let is_match = self
            .regex
            .captures_read(&mut self.locations, text)
            .is_some();
        self.offset = is_match.then_some(offset);
        is_match
    }
}

impl Keys {
    fn new<'a>(
        format: &KnownFormat,
        columns: impl Iterator<Item = (&'a str, &'a ColumnSource)>,
    ) -> Self {
        let mut keys = HashMap::new();
        let mut n_columns = 0;
        for (index, (name, source)) in columns.enumerate() {
            n_columns += 1;
            let names = match source {
                ColumnSource::Message => format.fields_of(MESSAGE),
                ColumnSource::Time => format.fields_of(TIME),
                ColumnSource::Level => format.fields_of(LEVEL),
                ColumnSource::Field => {
                    keys.entry(name.to_string()).or_insert((index, 0));
                    continue;
                }
                _ => continue,
            };
            for (rank, name) in names.iter().enumerate() {
                keys.insert(name.clone(), (index, rank));
            }
        }
        Self {
            columns: keys,
            ranks: vec![usize::MAX; n_columns],
        }
    }

    fn find(&mut self, text: &str, found: &mut [Found]) -> bool {
        self.ranks.fill(usize::MAX);
        for_each_pair(text, |key, value| {
            if let Some((column, rank)) = self.columns.get(key)
                && let (Some(slot), Some(best)) =
                    (found.get_mut(*column), self.ranks.get_mut(*column))
                && rank < best
            {
                *slot = value;
                *best = *rank;
            }
        })
    }
}

/// The pairs of a line of logfmt; returns whether it is one: it begins with a pair and has two, and
/// there is nothing else but keys alone.
pub(crate) fn for_each_pair(text: &str, mut pair: impl FnMut(&str, Found)) -> bool {
    let bytes = text.as_bytes();
    let is_key =
        |byte: u8| byte.is_ascii_alphanumeric() || b"_-./@:".contains(&byte) || byte >= 0x80;
    let (mut at, mut n_pairs) = (0, 0);
    while at < bytes.len() {
        if bytes[at].is_ascii_whitespace() {
            at += 1;
            continue;
        }
        let start = at;
        while at < bytes.len() && is_key(bytes[at]) {
            at += 1;
        }
        let key = &text[start..at];
        if key.is_empty() {
            return false;
        }
        let is_alone = at == bytes.len() || bytes[at].is_ascii_whitespace();
        if is_alone && n_pairs > 0 {
            continue;
        }
        if is_alone || bytes[at] != b'=' {
            return false;
        }
        at += 1;
        n_pairs += 1;
        let (value, end) = logfmt_value(text, at);
        pair(key, value);
        at = end;
    }
    n_pairs >= 2
}

/// The value at this place, and where it ends.
fn logfmt_value(text: &str, at: usize) -> (Found, usize) {
    let bytes = text.as_bytes();
    if bytes.get(at) != Some(&b'"') {
        let length = bytes[at..]
            .iter()
            .take_while(|byte| !byte.is_ascii_whitespace());
        let end = at + length.count();
        return (Found::Part(at, end), end);
    }
    let (mut end, mut is_escaped) = (at + 1, false);
    while end < bytes.len() && bytes[end] != b'"' {
        let is_escape = bytes[end] == b'\\';
        is_escaped |= is_escape;
        end += if is_escape { 2 } else { 1 };
    }
    let end = end.min(bytes.len());
    let after = (end + 1).min(bytes.len());
    let whole = text.get(at..after);
    match whole
        .filter(|_| is_escaped)
        .and_then(|whole| serde_json::from_str(whole).ok())
    {
        Some(text) => (Found::Text(text), after),
        None => (Found::Part(at + 1, end), after),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Option<Vec<(String, String)>> {
        let mut pairs = vec![];
        let is_logfmt = for_each_pair(text, |key, value| {
            let value = match value {
                Found::None => String::new(),
                Found::Part(start, end) => text[start..end].to_string(),
                Found::Text(text) => text,
            };
            pairs.push((key.to_string(), value));
        });
        is_logfmt.then_some(pairs)
    }

    #[test]
    fn logfmt_is_read() {
        for (text, expected) in [
            ("a=1 b=2", Some(vec![("a", "1"), ("b", "2")])),
            (r#"a="x y" b="""#, Some(vec![("a", "x y"), ("b", "")])),
            (
                r#"a="say \"no\"" b=语"#,
                Some(vec![("a", "say \"no\""), ("b", "语")]),
            ),
            ("a=1 flag b=", Some(vec![("a", "1"), ("b", "")])),
            ("a=1", None),
            ("error in x=1 y=2, z", None),
            ("x (a=1) b=2", None),
            ("", None),
            (r#"a="open b=2"#, None),
            (r#"a=1 b="open"#, Some(vec![("a", "1"), ("b", "open")])),
        ] {
            let expected = expected.map(|pairs| {
                let pairs = pairs.into_iter();
                pairs
                    .map(|(key, value)| (key.to_string(), value.to_string()))
                    .collect()
            });
            assert_eq!(pairs(text), expected, "{text}");
        }
    }
}
