//! Failure concepts: what a message is about, in whatever words and language.
//!
//! "No space left on device" and "磁盘已满" share no word, but both say that a *disk* is *exhausted*. A
//! table maps the usual wordings of failures to about eighty concepts in two facets: the thing that
//! is affected (`disk`, `certificate`, `table`) and what went wrong (`exhausted`, `expired`,
//! `not_found`). So even a cause that is not listed is composed of known parts. The table,
//! `failure_concepts.tsv` in this folder, explains its own format; its sources are the texts of
//! errno, gRPC, HTTP and SQLSTATE and the messages of widely used runtimes and servers, in English
//! and Chinese.
//!
//! All phrases form a tree of their elements; one walk down the tree from every word of the text
//! matches them. If one match lies wholly inside another, the longer one counts.

mod phrases;

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use crate::algorithms::text::concepts::phrases::{Match, PhraseWord, Phrases, words_of};
use crate::error::{Error, Result};

const BUILT_IN: &str = include_str!("failure_concepts.tsv");

/// The version of the built-in table; it increases with every change, since a model that was fitted
/// with other concepts has other dimensions.
///
/// ```
/// assert!(datafusion_aiops::algorithms::text::CONCEPTS_VERSION >= 1);
/// ```
pub const CONCEPTS_VERSION: u32 = 1;

/// A table of concepts, ready to be searched for in texts.
///
/// ```
/// use datafusion_aiops::algorithms::text::ConceptTable;
///
/// let table = ConceptTable::built_in();
/// assert_eq!(table.concepts("write failed: No space left on device"), ["disk", "exhausted"]);
/// assert_eq!(table.concepts("磁盘已满"), ["disk", "exhausted"]);
/// assert!(table.concepts("hello world").is_empty());
/// ```
#[derive(Debug, Clone, Default)]
pub struct ConceptTable {
    /// The names that occur, in byte order.
    names: Vec<String>,
    /// For each line of the table, the numbers of its concepts.
    lines: Vec<Vec<usize>>,
    phrases: Phrases,
}

impl ConceptTable {
    /// The built-in table.
    pub fn built_in() -> Arc<Self> {
        static TABLE: LazyLock<Arc<ConceptTable>> =
            LazyLock::new(|| Arc::new(ConceptTable::parse(BUILT_IN).unwrap_or_default()));
        Arc::clone(&TABLE)
    }

    /// Parses a table: each line has concepts, a tab, and phrases separated by ` | `; `#` begins a
    /// comment.
    ///
    /// # Errors
    /// If a line has no tab, no concept or no phrase; if the name of a concept has anything but
    /// lower-case letters, digits and `_`; if a phrase begins or ends with a gap, has more than
    /// three gaps, or has an element without a word.
    ///
    /// ```
    /// use datafusion_aiops::algorithms::text::ConceptTable;
    ///
    /// let table = ConceptTable::parse("till closed\ttill .. closed | 收银台关闭")?;
    /// assert_eq!(table.concepts("the till in shop 7 is closed"), ["closed", "till"]);
    /// assert!(ConceptTable::parse("till closed").is_err());
    /// # Ok::<(), datafusion_aiops::Error>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self> {
        let is_line = |line: &&str| !line.trim().is_empty() && !line.starts_with('#');
        let lines = text.lines().filter(is_line).map(|line| {
            line.split_once('\t').ok_or_else(|| {
                Error::invalid_option(format!(
                    "a line of concepts needs a tab before its phrases, got '{line}'"
                ))
            })
        });
        Self::of_lines(lines)
    }

    /// The built-in table with phrases of your own, each as `concepts: phrase`.
    ///
    /// # Errors
    /// As for [`ConceptTable::parse`], with the colon in place of the tab.
    ///
    /// ```
    /// use datafusion_aiops::algorithms::text::ConceptTable;
    ///
    /// let table = ConceptTable::with_phrases(&["till closed: till is shut"])?;
    /// assert_eq!(table.concepts("till is shut: disk full"), ["closed", "disk", "exhausted", "till"]);
    /// # Ok::<(), datafusion_aiops::Error>(())
    /// ```
    pub fn with_phrases<T: AsRef<str>>(phrases: &[T]) -> Result<Self> {
        let built_in = BUILT_IN.lines().filter_map(|line| line.split_once('\t'));
        let own = phrases.iter().map(|phrase| {
            let phrase = phrase.as_ref();
            match phrase.split_once(':') {
                Some((concepts, words)) if !words.contains([':', ',']) => Ok((concepts, words)),
                Some(_) => Err(Error::invalid_option(format!(
                    "phrases are separated by '|' and have no punctuation, got '{phrase}'"
                ))),
                None => Err(Error::invalid_option(format!(
                    "a phrase is written 'concept: phrase', got '{phrase}'"
                ))),
            }
        });
        Self::of_lines(built_in.map(Ok).chain(own))
    }

    fn of_lines<'a>(lines: impl Iterator<Item = Result<(&'a str, &'a str)>>) -> Result<Self> {
        let lines: Vec<(&str, &str)> = lines.collect::<Result<_>>()?;
        let mut names = BTreeSet::new();
        for (concepts, phrases) in &lines {
            if concepts.trim().is_empty() {
                return Err(Error::invalid_option(format!(
                    "there is no concept before the phrase '{}'",
                    phrases.trim()
                )));
            }
            for name in names_in(concepts) {
                check_name(name)?;
                names.insert(name);
            }
        }
        let names: Vec<String> = names.into_iter().map(str::to_string).collect();
        let number = |name: &str| {
            names
                .binary_search_by(|known| known.as_str().cmp(name))
                .ok()
        };
        let mut table = Self::default();
        for (line, (concepts, phrases)) in lines.iter().enumerate() {
            table
                .lines
                .push(names_in(concepts).filter_map(number).collect());
            for phrase in phrases.split('|').map(str::trim) {
                table.phrases.add(phrase, line)?;
            }
        }
        table.names = names;
        Ok(table)
    }

    /// The concepts of a text, each once, in byte order.
    pub fn concepts(&self, text: &str) -> Vec<&str> {
        let words: Vec<PhraseWord> = words_of(text);
        let matches = outermost(self.phrases.matches(&words));
        let lines = matches
            .into_iter()
            .flat_map(|found| &self.lines[found.line]);
        let numbers: BTreeSet<usize> = lines.copied().collect();
        numbers
            .into_iter()
            .map(|number| self.names[number].as_str())
            .collect()
    }
}

/// The names in the first column; `-` means none.
fn names_in(concepts: &str) -> impl Iterator<Item = &str> {
    concepts.split_whitespace().filter(|name| *name != "-")
}

fn check_name(name: &str) -> Result<()> {
    let is_valid = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '_';
    if name.chars().all(is_valid) {
        return Ok(());
    }
    Err(Error::invalid_option(format!(
        "the name of a concept is written in lower case with '_', got '{name}'"
    )))
}

/// Keeps the matches that do not lie inside a longer one.
fn outermost(mut matches: Vec<Match>) -> Vec<Match> {
    matches.sort_unstable_by(|a, b| (a.begin, b.end, a.line).cmp(&(b.begin, a.end, b.line)));
    let mut outer = (0, 0);
    matches.retain(|found| {
        let is_inside = found.end <= outer.1 && (found.begin, found.end) != outer;
        if !is_inside {
            outer = (found.begin, found.end);
        }
        !is_inside
    });
    matches
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::text::hash::template_hash;

    /// Whoever changes the table increases its version and updates both values here.
    #[test]
    fn the_version_is_that_of_the_table() {
        let version = (CONCEPTS_VERSION, template_hash(BUILT_IN));
        assert_eq!(version, (1, 3_477_044_559_561_377_688));
    }

    #[test]
    fn the_table_is_valid() {
        let table = ConceptTable::parse(BUILT_IN).unwrap();
        assert!(
            (50..100).contains(&table.names.len()),
            "{}",
            table.names.len()
        );
        let phrases = BUILT_IN
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.split_once('\t'))
            .flat_map(|(_, phrases)| phrases.split(" | "));
        let mut seen = BTreeSet::new();
        for phrase in phrases {
            assert!(seen.insert(phrase), "'{phrase}' stands twice");
            assert_eq!(phrase, phrase.trim().to_lowercase());
        }
    }

    #[test]
    fn one_cause_in_many_words() {
        let check = |texts: &[&str], expected: &[&str]| {
            for text in texts {
                assert_eq!(ConceptTable::built_in().concepts(text), expected, "{text}");
            }
        };
        check(
            &[
                "No space left on device",
                "ENOSPC: write",
                "磁盘已满",
                "Disk quota exceeded",
            ],
            &["disk", "exhausted"],
        );
        check(
            &[
                "java.lang.OutOfMemoryError: Java heap space",
                "内存溢出",
                "OOMKilled",
            ],
            &["exhausted", "memory"],
        );
        check(
            &[
                "java.lang.NullPointerException",
                "空指针",
                "nil pointer dereference",
            ],
            &["null_reference"],
        );
        check(
            &["certificate has expired", "证书已过期"],
            &["certificate", "expired"],
        );
        check(&["", "<*>", "任务 <*> 失败", "error 17 in task <*>"], &[]);
    }

    #[test]
    fn the_longer_match_hides_the_shorter() {
        let table = ConceptTable::parse("a\tbig disk\nb\tdisk\n-\tno big disk").unwrap();
        assert_eq!(table.concepts("big disk, disk"), ["a", "b"]);
        assert_eq!(table.concepts("big disk"), ["a"]);
        assert!(table.concepts("no big disk").is_empty());
    }

    #[test]
    fn refuses_what_is_no_table() {
        let check = |text: &str, expected: &str| {
            assert_eq!(ConceptTable::parse(text).unwrap_err().to_string(), expected);
        };
        check(
            "a b",
            "a line of concepts needs a tab before its phrases, got 'a b'",
        );
        check(
            "A\tb",
            "the name of a concept is written in lower case with '_', got 'A'",
        );
        check(
            "a\t.. b",
            "a phrase begins and ends with a word, got '.. b'",
        );
        check("a\t", "a phrase begins and ends with a word, got ''");
        check("\tb", "there is no concept before the phrase 'b'");
        check(
            "a\tb <*>",
            "'<*>' in a phrase is no word; write '..' for a gap, in 'b <*>'",
        );
        check(
            "a\tb .. b .. b .. b .. b",
            "a phrase has at most 3 gaps, got 'b .. b .. b .. b .. b'",
        );
    }
}
