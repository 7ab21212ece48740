//! Words of a log line or template, for search and clustering.
//!
//! Words are runs of letters and digits; `camelCase` and `snake_case` names are split into their
//! parts. Chinese has no blanks between words: a dictionary cuts it, and a hidden Markov model cuts
//! what the dictionary does not know (jieba). What both leave as single characters, such as
//! Japanese kana, becomes overlapping pairs, as search engines index such text (Lucene's
//! CJKAnalyzer). Placeholders are not words. Failure concepts can be added as words of their own.

use std::sync::{Arc, LazyLock};

use jieba_rs::Jieba;

use crate::algorithms::text::concepts::ConceptTable;
use crate::algorithms::text::runs::{TextRun, runs};

/// The character before the name of a concept among words: `#disk`. No word contains it.
pub(crate) const CONCEPT_MARK: char = '#';

/// Cuts texts into words and, given a table, adds the concepts that the texts speak of.
///
/// ```
/// use datafusion_aiops::algorithms::text::{TokenOptions, Tokenizer};
///
/// let tokenizer = Tokenizer::with_concepts(TokenOptions::default());
/// let mut words = vec![];
/// tokenizer.tokens("磁盘已满", |word| words.push(word.to_string()));
/// assert_eq!(words, ["磁盘", "已满", "#disk", "#exhausted"]);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Tokenizer {
    /// How texts are cut.
    pub options: TokenOptions,
    /// The concepts to look for.
    pub concepts: Option<Arc<ConceptTable>>,
}

impl Tokenizer {
    /// A tokenizer with the built-in table.
    pub fn with_concepts(options: TokenOptions) -> Self {
        Self {
            options,
            concepts: Some(ConceptTable::built_in()),
        }
    }

    /// Calls `take` for each word of `text`, in order, then for each concept, in byte order.
    pub fn tokens(&self, text: &str, mut take: impl FnMut(&str)) {
        tokens(text, &self.options, &mut take);
        let mut token = String::from(CONCEPT_MARK);
        for concept in self.concepts.iter().flat_map(|table| table.concepts(text)) {
            token.truncate(CONCEPT_MARK.len_utf8());
            token.push_str(concept);
            take(&token);
        }
    }
}

/// The options of [`tokens`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenOptions {
    /// Whether words are converted to lower case.
    pub lower_case: bool,
    /// The minimum number of characters of a word; words of CJK characters always count.
    pub min_len: usize,
    /// Whether words that consist of digits are kept.
    pub numbers: bool,
    /// Whether words that carry no meaning (`the`, `of`, `的`) are left out; `no`, `not` and `不`
    /// carry one and stay.
    pub stop_words: bool,
}

impl Default for TokenOptions {
    fn default() -> Self {
        Self {
            lower_case: true,
            min_len: 2,
            numbers: false,
            stop_words: false,
        }
    }
}

/// Calls `take` for each word of `text`, in order; repeated words are repeated.
///
/// ```
/// use datafusion_aiops::algorithms::text::{TokenOptions, tokens};
///
/// let mut words = vec![];
/// tokens("OutOfMemoryError in worker_pool: 磁盘已满 <*>", &TokenOptions::default(), |word| words.push(word.to_string()));
/// assert_eq!(words, ["out", "of", "memory", "error", "in", "worker", "pool", "磁盘", "已满"]);
/// ```
pub fn tokens(text: &str, options: &TokenOptions, mut take: impl FnMut(&str)) {
    let mut lower = String::new();
    runs(text, |run| match run {
        TextRun::Cjk(run) => words_without_blanks(run, &mut |word: &str| {
            let is_particle = only_char(word).is_some_and(|char| PARTICLES.contains(char));
            if !(options.stop_words && is_particle) {
                take(word);
            }
        }),
        TextRun::Word(word) => emit(word, options, &mut lower, &mut take),
    });
}

/// The dictionary and its model, loaded when the first CJK text arrives.
static SEGMENTER: LazyLock<Jieba> = LazyLock::new(Jieba::new);

/// The words of a run of CJK characters. A particle is a word, so that it does not form a pair with
/// its neighbour.
fn words_without_blanks(run: &str, take: &mut impl FnMut(&str)) {
    let mut unknown = 0..0;
    let mut at = 0;
    for token in SEGMENTER.cut(run, true) {
        let end = at + token.word.len();
        if only_char(token.word).is_some_and(|char| !is_particle(char)) {
            unknown.end = end;
        } else {
            pairs(&run[unknown], take);
            take(token.word);
            unknown = end..end;
        }
        at = end;
    }
    pairs(&run[unknown], take);
}

/// Chinese particles, prepositions, pronouns and auxiliary verbs of one character.
const PARTICLES: &str = "的了着过地得在被将把与和或及而但且则若如为于由从对向到往以因是有会能可应须请正就也都只其该此这那个";

/// Negations of one character, which carry a meaning.
const NEGATIONS: &str = "不未没无非";

fn is_particle(char: char) -> bool {
    PARTICLES.contains(char) || NEGATIONS.contains(char)
}

/// The character of a word that has exactly one.
fn only_char(word: &str) -> Option<char> {
    let mut chars = word.chars();
    chars.next().filter(|_| chars.next().is_none())
}

/// The overlapping pairs of a run of CJK characters; a single character is returned as it is.
fn pairs(run: &str, take: &mut impl FnMut(&str)) {
    let mut ends = run
        .char_indices()
        .map(|(start, char)| start + char.len_utf8());
    let mut starts = run.char_indices().map(|(start, _)| start);
    let first_end = ends.next().unwrap_or_default();
    if run.is_empty() {
        return;
    }
    if first_end == run.len() {
        return take(run);
    }
    for (start, end) in starts.by_ref().zip(ends) {
        take(&run[start..end]);
    }
}

fn emit(word: &str, options: &TokenOptions, lower: &mut String, take: &mut impl FnMut(&str)) {
    if !options.numbers && word.bytes().all(|byte| byte.is_ascii_digit()) {
        return;
    }
    if word.len() < options.min_len || word.chars().take(options.min_len).count() < options.min_len
    {
        return;
    }
    if options.stop_words && is_stop_word(word) {
        return;
    }
    if !options.lower_case
        || word
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    {
        return take(word);
    }
    lower.clear();
    lower.extend(word.chars().flat_map(char::to_lowercase));
    take(lower);
}

/// Articles, prepositions, pronouns and forms of "be", "have" and "do".
const STOP_WORDS: [&str; 52] = [
    "a", "am", "an", "and", "are", "as", "at", "be", "been", "but", "by", "did", "do", "does",
    "for", "from", "had", "has", "have", "he", "her", "his", "i", "if", "in", "is", "it", "its",
    "of", "on", "or", "our", "she", "so", "such", "that", "the", "their", "them", "then", "there",
    "these", "they", "this", "to", "was", "we", "were", "which", "with", "you", "your",
];

fn is_stop_word(word: &str) -> bool {
    let mut buffer = [0; 5];
    let Some(lower) = buffer.get_mut(..word.len()) else {
        return false;
    };
    lower.copy_from_slice(word.as_bytes());
    lower.make_ascii_lowercase();
    STOP_WORDS
        .binary_search_by(|stop| stop.as_bytes().cmp(lower))
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str, options: &TokenOptions) -> Vec<String> {
        let mut words = vec![];
        tokens(text, options, |word| words.push(word.to_string()));
        words
    }

    #[test]
    fn default_options() {
        let check = |text: &str, expected: &[&str]| {
            assert_eq!(words(text, &TokenOptions::default()), expected, "{text}")
        };
        check("", &[]);
        check("a 12 <*> <NUM> -", &[]);
        check("Disk full", &["disk", "full"]);
        check(
            "getHTTPResponseCode max2Retries",
            &["get", "http", "response", "code", "max2", "retries"],
        );
        check(
            "snake_case-kebab.dotted",
            &["snake", "case", "kebab", "dotted"],
        );
        check("sha256 utf8 IPv6", &["sha256", "utf8", "ipv6"]);
        check("磁盘已满", &["磁盘", "已满"]);
        check("数据库连接超时", &["数据库", "连接", "超时"]);
        check("表的列不存在", &["表", "的", "列", "不", "存在"]);
        check("カタカナ", &["カタ", "タカ", "カナ"]);
        check("错 E1001错误", &["错", "e1001", "错误"]);
        check("ÄnderungÖffnen ﬂ", &["änderung", "öffnen"]);
        check("русский Текст", &["русский", "текст"]);
    }

    #[test]
    fn options() {
        let all = TokenOptions {
            lower_case: false,
            min_len: 1,
            numbers: true,
            stop_words: true,
        };
        assert_eq!(words("The Disk of 12 a B", &all), ["Disk", "12", "B"]);
    }

    #[test]
    fn stop_words_are_sorted() {
        assert!(STOP_WORDS.is_sorted());
    }
}
