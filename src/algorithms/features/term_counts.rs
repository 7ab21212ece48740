//! Document frequencies: how many texts have a term, and which terms are worth a dimension.

use hashbrown::{HashMap, HashSet};

use crate::algorithms::text::template_hash;

/// The most distinct terms that are counted; a term and its count take about 80 bytes.
const MAX_TERMS_COUNTED: usize = 1_000_000;

/// Counts how many texts have each term. Two of these merge to the counts of all their texts.
///
/// Their size is bounded: of more than a million distinct terms only half are counted, then a
/// quarter, and so on, chosen by their hash. The choice depends only on the terms, so merging in
/// any order gives the same result.
///
/// ```
/// use datafusion_aiops::algorithms::features::{Selection, TermCounts};
///
/// let mut counts = TermCounts::default();
/// counts.add_document(["disk", "full", "disk"]);
/// counts.add_document(["disk", "lost"]);
/// let all = counts.select(&Selection::default());
/// assert_eq!(all, [("disk", 2), ("full", 1), ("lost", 1)]);
/// ```
#[derive(Debug, Clone)]
pub struct TermCounts {
    n_documents: u64,
    documents_with: HashMap<Box<str>, u64>,
    /// Terms are counted if their hash ends in this many zero bits.
    level: u32,
    max_terms: usize,
    text_bytes: usize,
}

impl Default for TermCounts {
    fn default() -> Self {
        Self::with_limit(MAX_TERMS_COUNTED)
    }
}

/// Which terms become dimensions.
///
/// ```
/// use datafusion_aiops::algorithms::features::Selection;
/// assert_eq!(Selection::default().max_terms, 1024);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Selection {
    /// The minimum number of texts that have a term.
    pub min_df: u64,
    /// The maximum share of the texts that have a term, from 0 to 1.
    pub max_df: f64,
    /// The maximum number of terms: those with the most information are selected.
    pub max_terms: usize,
}

impl Default for Selection {
    /// Every term, up to 1024. (A vector is a list of numbers, most of them zero: 50,000 vectors
    /// then take 200 MB.)
    fn default() -> Self {
        Self {
            min_df: 1,
            max_df: 1.0,
            max_terms: 1024,
        }
    }
}

impl TermCounts {
    fn with_limit(max_terms: usize) -> Self {
        Self {
            n_documents: 0,
            documents_with: HashMap::new(),
            level: 0,
            max_terms,
            text_bytes: 0,
        }
    }

    /// The number of texts, including those without a term.
    pub fn n_documents(&self) -> u64 {
        self.n_documents
    }

    /// The share of the distinct terms that is counted: 1, or a half, a quarter, ... if there are
    /// too many.
    pub fn part_counted(&self) -> f64 {
        0.5_f64.powi(self.level.cast_signed())
    }

    /// An estimate of the size of the counts in bytes.
    pub fn memory_bytes(&self) -> usize {
        let slot = size_of::<(Box<str>, u64)>() + 1;
        self.text_bytes + self.documents_with.capacity() * slot * 8 / 7
    }

    /// Counts a text; repeated terms count once.
    pub fn add_document<'a>(&mut self, terms: impl IntoIterator<Item = &'a str>) {
        self.n_documents += 1;
        let distinct: HashSet<&str> = terms.into_iter().collect();
        for term in distinct {
            self.add(term, 1);
        }
    }

    /// Adds the counts of other texts: their number, and for each term the number of them that have
    /// it.
    pub fn merge<'a>(
        &mut self,
        n_documents: u64,
        terms: impl IntoIterator<Item = (&'a str, u64)>,
        part_counted: f64,
    ) {
        self.n_documents += n_documents;
        while self.part_counted() > part_counted {
            self.halve();
        }
        for (term, n_documents) in terms {
            self.add(term, n_documents);
        }
    }

    fn add(&mut self, term: &str, n_documents: u64) {
        if !self.is_counted(term) {
            return;
        }
        if let Some(count) = self.documents_with.get_mut(term) {
            *count += n_documents;
            return;
        }
        self.text_bytes += term.len();
        self.documents_with.insert(term.into(), n_documents);
        while self.documents_with.len() > self.max_terms {
            self.halve();
        }
    }

    fn is_counted(&self, term: &str) -> bool {
        self.level == 0 || template_hash(term).trailing_zeros() >= self.level
    }

    fn halve(&mut self) {
        self.level += 1;
        let mut known = std::mem::take(&mut self.documents_with);
        known.retain(|term, _| self.is_counted(term));
        self.text_bytes = known.keys().map(|term| term.len()).sum();
        self.documents_with = known;
    }

    /// The selected terms with their document frequencies, in byte order. The information of a term
    /// is the entropy of having it or not, so terms that half of the texts have come first, and
    /// those that one text or all texts have come last; on a tie, the first in byte order wins.
    pub fn select(&self, selection: &Selection) -> Vec<(&str, u64)> {
        #[allow(clippy::cast_precision_loss)]
        let part = |count: u64| count as f64 / self.n_documents as f64;
        let is_selected = |count: u64| count >= selection.min_df && part(count) <= selection.max_df;
        let counts = self.documents_with.iter();
        let mut terms: Vec<(&str, u64)> = counts
            .map(|(term, &count)| (term.as_ref(), count))
            .filter(|&(_, count)| is_selected(count))
            .collect();
        if terms.len() > selection.max_terms {
            let information = |count: u64| entropy(part(count));
            terms.sort_unstable_by(|a, b| {
                let order = information(b.1).total_cmp(&information(a.1));
                order.then_with(|| a.0.cmp(b.0))
            });
            terms.truncate(selection.max_terms);
        }
        terms.sort_unstable();
        terms
    }

    /// All terms with their document frequencies, in byte order.
    pub fn sorted(&self) -> Vec<(&str, u64)> {
        self.select(&Selection {
            max_terms: usize::MAX,
            ..Selection::default()
        })
    }
}

/// The entropy, in nats, of an event of this probability.
fn entropy(part: f64) -> f64 {
    let term = |part: f64| if part > 0.0 { -part * part.ln() } else { 0.0 };
    term(part) + term(1.0 - part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selects() {
        let mut counts = TermCounts::default();
        for document in [["a", "b"], ["a", "c"], ["a", "c"], ["a", "d"]] {
            counts.add_document(document);
        }
        let check = |selection: Selection, expected: &[&str]| {
            let terms: Vec<&str> = counts
                .select(&selection)
                .iter()
                .map(|term| term.0)
                .collect();
            assert_eq!(terms, expected);
        };
        let all = Selection::default();
        check(all, &["a", "b", "c", "d"]);
        check(Selection { min_df: 2, ..all }, &["a", "c"]);
        check(Selection { max_df: 0.5, ..all }, &["b", "c", "d"]);
        check(
            Selection {
                max_terms: 2,
                ..all
            },
            &["b", "c"],
        );
        assert!(TermCounts::default().select(&all).is_empty());
    }

    #[test]
    fn parts_merge_to_the_whole_at_every_limit() {
        let words: Vec<String> = (0..40).map(|number| format!("word{number}")).collect();
        for max_terms in [1, 5, 20, 40] {
            let count = |words: &[String]| {
                let mut counts = TermCounts::with_limit(max_terms);
                for word in words {
                    counts.add_document([word.as_str(), "all"]);
                }
                counts
            };
            let whole = count(&words);
            assert!(whole.documents_with.len() <= max_terms);
            for cut in [0, 3, 20, 40] {
                let mut merged = count(&words[cut..]);
                let part = count(&words[..cut]);
                merged.merge(part.n_documents, part.sorted(), part.part_counted());
                assert_eq!(merged.sorted(), whole.sorted(), "{max_terms} {cut}");
                assert_eq!(merged.level, whole.level);
            }
        }
    }
}
