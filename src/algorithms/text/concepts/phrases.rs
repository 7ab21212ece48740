//! Phrases of words, prefixes and gaps, found in a text in one walk.

use std::collections::HashMap;

use crate::algorithms::text::runs::{TextRun, runs};
use crate::error::{Error, Result};

/// The most gaps in a phrase: each gap multiplies the texts that a phrase could match.
const MAX_GAPS: usize = 3;
/// The widest gap: four words, or eight CJK characters, which count half.
const MAX_GAP: usize = 8;
const WORD_WIDTH: usize = 2;
const CJK_WIDTH: usize = 1;

/// A word of a text in lower case, or one CJK character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PhraseWord {
    text: String,
    width: usize,
    /// Whether this is a CJK character right after another one.
    is_joined: bool,
}

/// Where a phrase occurs: from word `begin` to before `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Match {
    pub(super) begin: usize,
    pub(super) end: usize,
    /// The line of the table that has the phrase.
    pub(super) line: usize,
    phrase: usize,
}

/// The words of a text.
pub(super) fn words_of(text: &str) -> Vec<PhraseWord> {
    let mut words = vec![];
    runs(text, |run| match run {
        TextRun::Word(word) => words.push(PhraseWord {
            text: word.to_lowercase(),
            width: WORD_WIDTH,
            is_joined: false,
        }),
        TextRun::Cjk(run) => {
            words.extend(run.chars().enumerate().map(|(position, char)| PhraseWord {
                text: char.to_string(),
                width: CJK_WIDTH,
                is_joined: position > 0,
            }))
        }
    });
    words
}

/// A tree of all phrases, by their elements.
#[derive(Debug, Clone)]
pub(super) struct Phrases {
    nodes: Vec<PhraseNode>,
}

#[derive(Debug, Clone, Default)]
struct PhraseNode {
    /// Words that may come next, and CJK characters that must come right after the one before.
    words: HashMap<String, usize>,
    joined: HashMap<String, usize>,
    /// Beginnings of words.
    prefixes: HashMap<String, usize>,
    /// The length of the longest prefix.
    longest_prefix: usize,
    gap: Option<usize>,
    /// The line of the phrase that ends here.
    line: Option<usize>,
}

const ROOT: usize = 0;

impl Default for Phrases {
    fn default() -> Self {
        Self {
            nodes: vec![PhraseNode::default()],
        }
    }
}

impl Phrases {
    /// Adds a phrase; if it is known already, it moves to the new line.
    pub(super) fn add(&mut self, phrase: &str, line: usize) -> Result<()> {
        let elements: Vec<&str> = phrase.split_whitespace().collect();
        if elements.first().is_none_or(|first| *first == "..") || elements.last() == Some(&"..") {
            return Err(Error::invalid_option(format!(
                "a phrase begins and ends with a word, got '{phrase}'"
            )));
        }
        if elements.iter().filter(|element| **element == "..").count() > MAX_GAPS {
            return Err(Error::invalid_option(format!(
                "a phrase has at most {MAX_GAPS} gaps, got '{phrase}'"
            )));
        }
        let has_no_word = |element: &&&str| **element != ".." && words_of(element).is_empty();
        if let Some(element) = elements.iter().find(has_no_word) {
            return Err(Error::invalid_option(format!(
                "'{element}' in a phrase is no word; write '..' for a gap, in '{phrase}'"
            )));
        }
        let mut node = ROOT;
        for element in elements {
            node = self.child_of_element(node, element);
        }
        self.nodes[node].line = Some(line);
        Ok(())
    }

    fn child_of_element(&mut self, mut node: usize, element: &str) -> usize {
        if element == ".." {
            return self.child(node, |node| node.gap.get_or_insert(usize::MAX));
        }
        if let Some(prefix) = element.strip_suffix('*') {
            let prefix = prefix.to_lowercase();
            return self.child(node, |node| {
                node.longest_prefix = node.longest_prefix.max(prefix.len());
                node.prefixes.entry(prefix.clone()).or_insert(usize::MAX)
            });
        }
        for word in words_of(element) {
            node = self.child(node, |node| {
                let words = if word.is_joined {
                    &mut node.joined
                } else {
                    &mut node.words
                };
                words.entry(word.text.clone()).or_insert(usize::MAX)
            });
        }
        node
    }

    /// The node that follows `node` at a place, created if there is none.
    fn child(&mut self, node: usize, place: impl Fn(&mut PhraseNode) -> &mut usize) -> usize {
        let next = self.nodes.len();
        let child = place(&mut self.nodes[node]);
        if *child == usize::MAX {
            *child = next;
            self.nodes.push(PhraseNode::default());
            return next;
        }
        *child
    }

    /// Finds all phrases, each with gaps as short as possible.
    pub(super) fn matches(&self, words: &[PhraseWord]) -> Vec<Match> {
        let mut found = vec![];
        for begin in 0..words.len() {
            let first = found.len();
            self.walk(words, begin, ROOT, &mut |end, phrase| {
                if let Some(line) = self.nodes[phrase].line {
                    found.push(Match {
                        begin,
                        end,
                        line,
                        phrase,
                    });
                }
            });
            keep_shortest(&mut found, first);
        }
        found
    }

    /// Calls `take` with every node that can be reached from this one, and the place after the last
    /// word of the path to it.
    fn walk(
        &self,
        words: &[PhraseWord],
        at: usize,
        number: usize,
        take: &mut impl FnMut(usize, usize),
    ) {
        take(at, number);
        let node = &self.nodes[number];
        self.walk_words(words, at, node, take);
        let Some(gap) = node.gap else {
            return;
        };
        let mut width = 0;
        for (skipped, word) in words[at..].iter().enumerate() {
            self.walk_words(words, at + skipped, &self.nodes[gap], take);
            width += word.width;
            if width > MAX_GAP {
                break;
            }
        }
    }

    /// Continues with the word at this place.
    fn walk_words(
        &self,
        words: &[PhraseWord],
        at: usize,
        node: &PhraseNode,
        take: &mut impl FnMut(usize, usize),
    ) {
        let Some(word) = words.get(at) else {
            return;
        };
        let text = word.text.as_str();
        let whole = node.words.get(text);
        let joined = node.joined.get(text).filter(|_| word.is_joined);
        for &next in whole.into_iter().chain(joined) {
            self.walk(words, at + 1, next, take);
        }
        let ends = text
            .char_indices()
            .map(|(position, char)| position + char.len_utf8())
            .take_while(|end| *end <= node.longest_prefix);
        for next in ends.filter_map(|end| node.prefixes.get(&text[..end])) {
            self.walk(words, at + 1, *next, take);
        }
    }
}

/// Keeps the shortest match of each phrase among those from `first` on, which all begin at one
/// place.
fn keep_shortest(found: &mut Vec<Match>, first: usize) {
    let mut here = found.split_off(first);
    here.sort_unstable_by_key(|found| (found.phrase, found.end));
    here.dedup_by_key(|found| found.phrase);
    found.append(&mut here);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_phrases() {
        let check = |phrase: &str, text: &str, expected: Option<(usize, usize)>| {
            let mut phrases = Phrases::default();
            phrases.add(phrase, 7).unwrap();
            let found = phrases.matches(&words_of(text));
            let spans: Vec<_> = found.iter().map(|found| (found.begin, found.end)).collect();
            assert_eq!(spans, Vec::from_iter(expected), "{phrase} in {text}");
        };
        check("disk full", "the Disk: full!", Some((1, 3)));
        check("disk full", "disk is full", None);
        check("exceed*", "limit exceeded", Some((1, 2)));
        check("out of memory", "OutOfMemoryError", Some((0, 3)));
        check(
            "cannot .. connect",
            "cannot now <*> really connect",
            Some((0, 4)),
        );
        check("cannot .. connect", "cannot a b c d connect", Some((0, 6)));
        check("cannot .. connect", "cannot a b c d e connect", None);
        check("a .. b", "a b b", Some((0, 2)));
        check("表 .. 不存在", "表 orders 不存在", Some((0, 5)));
        check("不足", "配额不足", Some((2, 4)));
        check("不足", "不 足", None);
        check("权限 denied", "权限denied", Some((0, 3)));
    }
}
