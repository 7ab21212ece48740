//! Counting masked templates: the state of an aggregate while it reads lines.
//!
//! A tally is a map from a masked template to a count and an example; two tallies merge to the
//! tally of all their lines, in any order and grouping. It is bounded: if there are more distinct
//! templates than [`TemplateTally::new`] allows, all are cut after their first 16 words, then 8, 4,
//! 2, 1, and at last to `<*>`. The number of words is the largest at which the distinct templates
//! of all lines fit, so it too depends only on the lines, and no line is ever lost. (Cutting is a
//! hierarchy: the first 8 words of the first 16 are the first 8.) That the first words of a line
//! tell its kind is the assumption of Drain (He et al., ICWS 2017).

use std::borrow::Cow;
use std::cmp::Ordering;

use hashbrown::HashMap;

use crate::algorithms::text::kind::VariableKind;

/// The number of words of a template that are kept at each level.
const WORDS_KEPT: [usize; 7] = [usize::MAX, 16, 8, 4, 2, 1, 0];
/// How many bytes of a masked template are kept: a stack trace of about a hundred lines. All
/// templates of a full tally are then below 2 GiB.
const MAX_TEMPLATE_BYTES: usize = 16_384;
/// How many bytes of an example line are kept: enough to recognise it, while a stack trace can be a
/// megabyte.
const MAX_EXAMPLE_BYTES: usize = 4096;

/// How often a masked template was seen, and one of its lines.
///
/// ```
/// use datafusion_aiops::algorithms::text::TemplateTally;
///
/// let mut tally = TemplateTally::new(100);
/// tally.add("took <*> ms", "took 12 ms");
/// tally.add("took <*> ms", "took 7 ms");
/// let sighting = tally.sorted()[0].1;
/// assert_eq!((sighting.count(), sighting.example()), (2, "took 7 ms"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    count: u64,
    example: Box<str>,
    /// The length of the example before it was cut.
    example_bytes: u64,
}

impl Sighting {
    /// Restores a sighting from its stored parts.
    pub fn new(count: u64, example: &str, example_bytes: u64) -> Self {
        let example = cut_at_char(example, MAX_EXAMPLE_BYTES).into();
        Self {
            count,
            example,
            example_bytes,
        }
    }

    fn of_line(line: &str) -> Self {
        Self::new(1, line, line.len() as u64)
    }

    /// The number of lines.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The shortest of the lines, the first in byte order on a tie; cut after 4096 bytes.
    pub fn example(&self) -> &str {
        &self.example
    }

    /// The length of the example before it was cut.
    pub fn example_bytes(&self) -> u64 {
        self.example_bytes
    }

    fn add_line(&mut self, line: &str) {
        self.count += 1;
        if self.order(line, line.len() as u64) == Ordering::Less {
            self.example = cut_at_char(line, MAX_EXAMPLE_BYTES).into();
            self.example_bytes = line.len() as u64;
        }
    }

    fn merge(&mut self, other: Self) {
        self.count += other.count;
        if self.order(&other.example, other.example_bytes) == Ordering::Less {
            self.example = other.example;
            self.example_bytes = other.example_bytes;
        }
    }

    /// Compares another example with this one; the smaller is kept.
    fn order(&self, line: &str, line_bytes: u64) -> Ordering {
        let kept = |text: &str| cut_at_char(text, MAX_EXAMPLE_BYTES).len();
        line_bytes
            .cmp(&self.example_bytes)
            .then_with(|| line.as_bytes()[..kept(line)].cmp(self.example.as_bytes()))
    }
}

/// The masked templates of a set of lines, with their counts.
///
/// ```
/// use datafusion_aiops::algorithms::text::TemplateTally;
///
/// let mut tally = TemplateTally::new(1);
/// tally.add("disk full on <*>", "disk full on sda");
/// tally.add("disk lost on <*>", "disk lost on sdb");
/// assert_eq!(tally.sorted()[0].0, "disk <*>");
/// assert_eq!(tally.words_kept(), Some(1));
/// ```
#[derive(Debug, Clone)]
pub struct TemplateTally {
    max_templates: usize,
    level: usize,
    sightings: HashMap<Box<str>, Sighting>,
    text_bytes: usize,
}

impl TemplateTally {
    /// Creates an empty tally of at most this many distinct templates (at least 1).
    pub fn new(max_templates: usize) -> Self {
        Self {
            max_templates: max_templates.max(1),
            level: 0,
            sightings: HashMap::new(),
            text_bytes: 0,
        }
    }

    /// The number of words to which templates have been cut; `None` while all fit.
    pub fn words_kept(&self) -> Option<usize> {
        (self.level > 0).then(|| WORDS_KEPT[self.level])
    }

    /// The bytes of all texts, plus an estimate of the overhead of the map.
    pub fn memory_bytes(&self) -> usize {
        let slot = size_of::<(Box<str>, Sighting)>() + 1;
        self.text_bytes + self.sightings.capacity() * slot * 8 / 7
    }

    /// Counts a line under its masked template.
    pub fn add(&mut self, masked: &str, line: &str) {
        let masked = kept_of(masked, WORDS_KEPT[self.level]);
        if let Some(sighting) = self.sightings.get_mut(masked.as_ref()) {
            sighting.add_line(line);
        } else {
            self.insert(masked.into(), Sighting::of_line(line));
        }
    }

    /// Adds a sighting from elsewhere; `words_kept` is the number of words to which its templates
    /// were cut there.
    pub fn merge(&mut self, masked: &str, sighting: Sighting, words_kept: Option<usize>) {
        let level = WORDS_KEPT
            .iter()
            .position(|&words| Some(words) == words_kept);
        self.cut_to(level.unwrap_or(0));
        self.add_sighting(kept_of(masked, WORDS_KEPT[self.level]).into(), sighting);
    }

    /// The templates with their sightings, in byte order.
    pub fn sorted(&self) -> Vec<(&str, &Sighting)> {
        let mut sorted: Vec<_> = self
            .sightings
            .iter()
            .map(|(masked, sighting)| (masked.as_ref(), sighting))
            .collect();
        sorted.sort_unstable_by_key(|&(masked, _)| masked);
        sorted
    }

    fn add_sighting(&mut self, masked: Box<str>, sighting: Sighting) {
        match self.sightings.get_mut(&masked) {
            Some(known) => known.merge(sighting),
            None => self.insert(masked, sighting),
        }
    }

    fn insert(&mut self, masked: Box<str>, sighting: Sighting) {
        self.text_bytes += masked.len() + sighting.example.len();
        self.sightings.insert(masked, sighting);
        while self.sightings.len() > self.max_templates {
            self.cut_to(self.level + 1);
        }
    }

    /// Cuts all templates to the words of this level, if it is a deeper one.
    fn cut_to(&mut self, level: usize) {
        if level <= self.level || level >= WORDS_KEPT.len() {
            return;
        }
        self.level = level;
        self.text_bytes = 0;
        for (masked, sighting) in std::mem::take(&mut self.sightings) {
            self.add_sighting(kept_of(&masked, WORDS_KEPT[level]).into(), sighting);
        }
    }
}

/// The part of a masked template that is kept: the first 16 KiB of its first words.
pub(super) fn kept_of(masked: &str, n_words: usize) -> Cow<'_, str> {
    let words = first_words(masked, n_words);
    let (blank, any) = (" ", VariableKind::Any.placeholder());
    // A template that was cut before is not cut again.
    if words.len() <= MAX_TEMPLATE_BYTES + blank.len() + any.len() {
        return words;
    }
    let text = cut_at_char(&words, MAX_TEMPLATE_BYTES);
    Cow::Owned([text, blank, any].concat())
}

/// Cuts a template after its first words and puts `<*>` for the rest.
pub(crate) fn first_words(template: &str, n_words: usize) -> Cow<'_, str> {
    if n_words == usize::MAX {
        return Cow::Borrowed(template);
    }
    let any = VariableKind::Any.placeholder();
    let mut blanks = template.match_indices(' ');
    match n_words.checked_sub(1).map(|last| blanks.nth(last)) {
        None => Cow::Borrowed(any),
        Some(None) => Cow::Borrowed(template),
        Some(Some((end, blank))) => Cow::Owned([&template[..end], blank, any].concat()),
    }
}

fn cut_at_char(text: &str, max_bytes: usize) -> &str {
    &text[..text.floor_char_boundary(max_bytes)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(max_templates: usize, lines: &[(&str, &str)]) -> TemplateTally {
        let mut tally = TemplateTally::new(max_templates);
        for (masked, line) in lines {
            tally.add(masked, line);
        }
        tally
    }

    fn merged(max_templates: usize, parts: &[&[(&str, &str)]]) -> TemplateTally {
        let mut whole = TemplateTally::new(max_templates);
        for part in parts {
            let part = tally(max_templates, part);
            for (masked, sighting) in part.sorted() {
                whole.merge(masked, sighting.clone(), part.words_kept());
            }
        }
        whole
    }

    const LINES: [(&str, &str); 6] = [
        ("a b c d e", "a b c d e"),
        ("a b c d f", "a b c d f"),
        ("a b x", "a b x"),
        ("a <*>", "a 22"),
        ("a <*>", "a 3"),
        ("b", "b"),
    ];

    #[test]
    fn parts_merge_to_the_whole_at_every_limit() {
        for max_templates in 1..=6 {
            let whole = tally(max_templates, &LINES);
            assert!(whole.sorted().len() <= max_templates);
            assert_eq!(
                whole
                    .sorted()
                    .iter()
                    .map(|entry| entry.1.count)
                    .sum::<u64>(),
                6
            );
            for cut in 0..=LINES.len() {
                let (head, rest) = LINES.split_at(cut);
                for parts in [[head, rest], [rest, head]] {
                    let found = merged(max_templates, &parts);
                    assert_eq!(found.sorted(), whole.sorted(), "{max_templates} {cut}");
                    assert_eq!(found.words_kept(), whole.words_kept());
                }
            }
        }
    }

    #[test]
    fn cuts_no_further_than_needed() {
        let check = |max_templates, words_kept, n_templates| {
            let tally = tally(max_templates, &LINES);
            assert_eq!(tally.words_kept(), words_kept);
            assert_eq!(tally.sorted().len(), n_templates);
        };
        check(5, None, 5);
        check(4, Some(4), 4);
        check(3, Some(2), 3);
        check(2, Some(1), 2);
        check(1, Some(0), 1);
    }

    #[test]
    fn a_long_template_is_cut_once() {
        let long = "é ".repeat(10_000);
        let once = kept_of(&long, usize::MAX).into_owned();
        assert!(once.len() <= MAX_TEMPLATE_BYTES + 4);
        assert_eq!(tally(9, &[(&long, "a"), (&once, "b")]).sorted().len(), 1);
    }

    #[test]
    fn the_example_is_the_shortest_line() {
        let lines = [("x", "bb"), ("x", "ab"), ("x", "aaa")];
        assert_eq!(tally(9, &lines).sorted()[0].1.example(), "ab");
        // The cut is at a character, in whatever order the lines come.
        let lines = [
            format!("{}yzz", "x".repeat(4095)),
            format!("{}éz", "x".repeat(4095)),
        ];
        let [first, second] = [("x", lines[0].as_str()), ("x", lines[1].as_str())];
        assert_eq!(
            tally(9, &[first, second]).sorted(),
            tally(9, &[second, first]).sorted()
        );
        let long = "é".repeat(4000);
        let found = tally(9, &[("x", &long)]);
        assert_eq!(found.sorted()[0].1.example().len(), 4096);
        assert_eq!(found.sorted()[0].1.example_bytes(), 8000);
    }
}
