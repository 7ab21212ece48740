//! Keywords: the words that tell each cluster from the others.
//!
//! Words are scored by the log-likelihood ratio of Dunning, "Accurate methods for the statistics of
//! surprise and coincidence" (1993): if all documents had the word equally often, how surprising
//! would it be that this many documents of the cluster have it? The ratio counts documents and not
//! words, so that a word repeated within one line gains nothing. Unlike a tf-idf of clusters, it is
//! 0 for a word as frequent outside as inside, and it needs no smoothing for rare words. A
//! cluster of three templates has many of those.
//!
//! The keywords of a cluster are its words that are more frequent inside than outside and not in
//! every cluster, greatest ratio first. If there are none, words that are in every cluster count
//! too; if there are still none, as with a single cluster, the most frequent words. Words with
//! equal scores come in the order of their characters.
//!
//! Chinese that no dictionary knows, and Japanese kana, come as overlapping pairs of characters. In
//! a run of pairs that are equally frequent inside and outside, every second one is left out, since
//! it is only the seam of its neighbours: 盘配 between 磁盘 and 配额.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::algorithms::text::runs::is_cjk;

/// The default number of keywords of a cluster: what a person takes in at a glance.
pub const DEFAULT_MAX_KEYWORDS: usize = 5;

/// How many documents of each cluster have each word. This is all that keywords need, and it is
/// mergeable, so that parts of the documents can be counted anywhere. It grows with the number of
/// distinct pairs of word and cluster.
///
/// ```
/// use datafusion_aiops::algorithms::cluster::KeywordCounts;
///
/// let mut counts = KeywordCounts::default();
/// counts.add(1, ["disk", "full", "error"]);
/// counts.add(2, ["login", "failed", "error"]);
/// let keywords: Vec<_> = counts.keywords(2).into_iter().collect();
/// assert_eq!(keywords, [(1, vec!["disk", "full"]), (2, vec!["failed", "login"])]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeywordCounts {
    /// The number of documents of each cluster.
    documents: BTreeMap<i64, u64>,
    /// For each word, the number of documents of each cluster that have it.
    words: HashMap<String, BTreeMap<i64, u64>>,
    /// The size of the words, and of the entries above, in bytes.
    bytes: usize,
}

/// A word, seen from one cluster.
#[derive(Debug, Clone, Copy)]
struct KeywordCandidate<'a> {
    word: &'a str,
    /// The number of documents with the word.
    inside: u64,
    outside: u64,
    score: f64,
    is_everywhere: bool,
}

impl KeywordCounts {
    /// Counts a document of a cluster; repeated words count once.
    pub fn add<'a>(&mut self, cluster: i64, words: impl IntoIterator<Item = &'a str>) {
        self.add_documents(cluster, 1);
        let words: BTreeSet<_> = words.into_iter().collect();
        words
            .into_iter()
            .for_each(|word| self.add_word(cluster, word, 1));
    }

    /// Adds the counts of another part of the documents.
    ///
    /// ```
    /// # use datafusion_aiops::algorithms::cluster::KeywordCounts;
    /// let (mut all, mut first, mut second) = <(KeywordCounts, KeywordCounts, KeywordCounts)>::default();
    /// all.add(1, ["disk", "full"]);
    /// all.add(1, ["disk"]);
    /// first.add(1, ["disk", "full"]);
    /// second.add(1, ["disk"]);
    /// first.merge(&second);
    /// assert_eq!(first, all);
    /// ```
    pub fn merge(&mut self, other: &Self) {
        for (cluster, documents) in other.documents() {
            self.add_documents(cluster, documents);
        }
        for (cluster, word, documents) in other.words() {
            self.add_word(cluster, word, documents);
        }
    }

    /// Adds documents of a cluster, whose words follow with [`Self::add_word`]; this restores a
    /// stored state.
    ///
    /// ```
    /// # use datafusion_aiops::algorithms::cluster::KeywordCounts;
    /// let mut counts = KeywordCounts::default();
    /// counts.add(1, ["disk", "full"]);
    /// let mut read = KeywordCounts::default();
    /// counts.documents().for_each(|(cluster, documents)| read.add_documents(cluster, documents));
    /// counts.words().for_each(|(cluster, word, documents)| read.add_word(cluster, word, documents));
    /// assert_eq!(read, counts);
    /// ```
    pub fn add_documents(&mut self, cluster: i64, documents: u64) {
        let counted = self.documents.entry(cluster).or_default();
        *counted = counted.saturating_add(documents);
    }

    /// Adds documents of a cluster that have the word; [`Self::add_documents`] counts them too.
    pub fn add_word(&mut self, cluster: i64, word: &str, documents: u64) {
        if !self.words.contains_key(word) {
            self.bytes += word.len() + size_of::<(String, BTreeMap<i64, u64>)>();
            self.words.insert(word.to_string(), BTreeMap::new());
        }
        if let Some(clusters) = self.words.get_mut(word) {
            let n_clusters = clusters.len();
            let counted = clusters.entry(cluster).or_default();
            *counted = counted.saturating_add(documents);
            self.bytes += (clusters.len() - n_clusters) * size_of::<(i64, u64)>();
        }
    }

    /// The approximate size of the counts in bytes.
    pub fn memory_bytes(&self) -> usize {
        self.bytes + self.documents.len() * size_of::<(i64, u64)>()
    }

    /// The number of documents of each cluster.
    pub fn documents(&self) -> impl Iterator<Item = (i64, u64)> {
        self.documents
            .iter()
            .map(|(&cluster, &documents)| (cluster, documents))
    }

    /// Cluster, word, and the number of documents of the cluster that have the word, in no
    /// particular order.
    pub fn words(&self) -> impl Iterator<Item = (i64, &str, u64)> {
        let words = self.words.iter();
        words.flat_map(|(word, clusters)| {
            clusters
                .iter()
                .map(|(&cluster, &count)| (cluster, word.as_str(), count))
        })
    }

    /// For each cluster at most this many words, the most telling first.
    pub fn keywords(&self, max_keywords: usize) -> BTreeMap<i64, Vec<&str>> {
        let mut candidates: BTreeMap<i64, Vec<KeywordCandidate<'_>>> = self
            .documents
            .keys()
            .map(|&cluster| (cluster, vec![]))
            .collect();
        let all = total(&self.documents);
        for (word, clusters) in &self.words {
            let with_word = total(clusters);
            for (&cluster, &inside) in clusters {
                let size = self.documents.get(&cluster).copied().unwrap_or(inside);
                let outside = with_word - inside;
                candidates
                    .entry(cluster)
                    .or_default()
                    .push(KeywordCandidate {
                        word,
                        inside,
                        outside,
                        score: surprise(inside, size, outside, all.saturating_sub(size)),
                        is_everywhere: clusters.len() == self.documents.len(),
                    });
            }
        }
        let best = |(cluster, candidates)| (cluster, best(candidates, max_keywords));
        candidates.into_iter().map(best).collect()
    }
}

/// The log-likelihood ratio of a word that `inside` of the `size` documents of a cluster have, and
/// `outside` of the `others`; 0 if it is not more frequent inside.
fn surprise(inside: u64, size: u64, outside: u64, others: u64) -> f64 {
    let more_frequent =
        u128::from(inside) * u128::from(others) > u128::from(outside) * u128::from(size);
    if !more_frequent {
        return 0.0;
    }
    let rate = (number(inside) + number(outside)) / (number(size) + number(others));
    let log_likelihood = |with: u64, of: u64, rate: f64| {
        let without = of.saturating_sub(with);
        times_log(with, rate) + times_log(without, 1.0 - rate)
    };
    let own = log_likelihood(inside, size, number(inside) / number(size))
        + log_likelihood(outside, others, number(outside) / number(others));
    2.0 * (own - log_likelihood(inside, size, rate) - log_likelihood(outside, others, rate))
}

/// `count * ln(rate)`, or 0 if the count is 0.
fn times_log(count: u64, rate: f64) -> f64 {
    if count == 0 {
        0.0
    } else {
        number(count) * rate.ln()
    }
}

/// The number of documents of all clusters; it saturates, since a stored state can hold anything.
fn total(clusters: &BTreeMap<i64, u64>) -> u64 {
    let add = |sum: u64, &documents: &u64| sum.saturating_add(documents);
    clusters.values().fold(0, add)
}

/// A number of documents, for arithmetic: exact up to 2^53.
fn number(documents: u64) -> f64 {
    documents as f64
}

fn best(mut candidates: Vec<KeywordCandidate<'_>>, max_keywords: usize) -> Vec<&str> {
    let mut tell = |tells: fn(&KeywordCandidate<'_>) -> bool| -> bool {
        let any = candidates.iter().any(tells);
        if any {
            candidates.retain(tells);
        }
        any
    };
    if !tell(|word| word.score > 0.0 && !word.is_everywhere) {
        tell(|word| word.score > 0.0);
    }
    candidates.sort_unstable_by(|first, second| {
        let by_score = second.score.total_cmp(&first.score);
        let by_count = second.inside.cmp(&first.inside);
        by_score
            .then(by_count)
            .then_with(|| first.word.cmp(second.word))
    });
    let seams = seams(&candidates);
    let words = candidates.iter().map(|candidate| candidate.word);
    words
        .filter(|word| !seams.contains(word))
        .take(max_keywords)
        .collect()
}

/// The pairs of characters that only join two others: every second one of a run of equally frequent
/// pairs, except the last of the run.
fn seams<'a>(candidates: &[KeywordCandidate<'a>]) -> BTreeSet<&'a str> {
    let pairs = candidates.iter().filter_map(Pair::of);
    let by_first: HashMap<_, _> = pairs
        .clone()
        .map(|pair| ((pair.first, pair.counts), pair))
        .collect();
    let followed: BTreeSet<_> = pairs.clone().map(|pair| (pair.last, pair.counts)).collect();
    let mut seams = BTreeSet::new();
    for start in pairs.filter(|pair| !followed.contains(&(pair.first, pair.counts))) {
        let next = |pair: &Pair<'_>| by_first.get(&(pair.last, pair.counts));
        // The run ends; if it is circular, it is cut after as many steps as there are pairs.
        let run = std::iter::successors(Some(&start), |pair| next(pair)).take(by_first.len());
        let seam = run.skip(1).step_by(2).filter(|pair| next(pair).is_some());
        seams.extend(seam.map(|pair| pair.word));
    }
    seams
}

/// A word of two characters of a script without blanks.
#[derive(Debug, Clone, Copy)]
struct Pair<'a> {
    word: &'a str,
    first: char,
    last: char,
    counts: (u64, u64),
}

impl<'a> Pair<'a> {
    fn of(candidate: &KeywordCandidate<'a>) -> Option<Self> {
        let mut chars = candidate.word.chars();
        let (first, last) = (chars.next()?, chars.next()?);
        let is_pair = chars.next().is_none() && is_cjk(first) && is_cjk(last);
        is_pair.then_some(Self {
            word: candidate.word,
            first,
            last,
            counts: (candidate.inside, candidate.outside),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counts(documents: &[(i64, &str)]) -> KeywordCounts {
        let mut counts = KeywordCounts::default();
        for (cluster, text) in documents {
            counts.add(*cluster, text.split(' ').filter(|word| !word.is_empty()));
        }
        counts
    }

    fn check(documents: &[(i64, &str)], max_keywords: usize, expected: &[(i64, &[&str])]) {
        let counts = counts(documents);
        let found: Vec<_> = counts.keywords(max_keywords).into_iter().collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(cluster, words)| (*cluster, words.to_vec()))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn telling_words_come_first() {
        let documents = [
            (1, "error disk full"),
            (1, "error disk quota"),
            (1, "disk disk disk failed"),
            (2, "error login failed"),
            (2, "login refused"),
        ];
        check(
            &documents,
            2,
            &[(1, &["disk", "full"]), (2, &["login", "refused"])],
        );
        check(
            &documents,
            9,
            &[(1, &["disk", "full", "quota"]), (2, &["login", "refused"])],
        );
    }

    #[test]
    fn words_of_all_clusters_are_worth_nothing_unless_nothing_else_is_left() {
        check(
            &[(1, "error disk"), (2, "error")],
            5,
            &[(1, &["disk"]), (2, &["error"])],
        );
        check(
            &[(1, "a b"), (1, "a"), (2, "a b"), (2, "b")],
            5,
            &[(1, &["a"]), (2, &["b"])],
        );
    }

    #[test]
    fn one_cluster_alone_has_its_most_frequent_words() {
        check(
            &[(7, "disk full"), (7, "disk slow"), (7, "")],
            2,
            &[(7, &["disk", "full"])],
        );
    }

    #[test]
    fn edges() {
        check(&[], 5, &[]);
        check(&[(1, ""), (2, "x")], 5, &[(1, &[]), (2, &["x"])]);
        check(&[(1, "x")], 0, &[(1, &[])]);
    }

    #[test]
    fn seams_of_pairs_are_left_out() {
        check(
            &[(1, "磁盘 盘配 配额"), (2, "x")],
            5,
            &[(1, &["磁盘", "配额"]), (2, &["x"])],
        );
        check(
            &[(1, "磁盘 盘配 配额 额已 已满"), (2, "x")],
            5,
            &[(1, &["已满", "磁盘", "配额"]), (2, &["x"])],
        );
        // 盘满 is frequent without 磁盘, so it is not a seam.
        check(
            &[(1, "磁盘 盘满 满了"), (1, "盘满"), (2, "x")],
            5,
            &[(1, &["盘满", "满了", "磁盘"]), (2, &["x"])],
        );
        check(
            &[(1, "天天 天天"), (2, "x")],
            5,
            &[(1, &["天天"]), (2, &["x"])],
        );
        check(
            &[(1, "ab bc cd"), (2, "x")],
            5,
            &[(1, &["ab", "bc", "cd"]), (2, &["x"])],
        );
    }

    #[test]
    fn absurd_counts_do_not_overflow() {
        let mut counts = KeywordCounts::default();
        for cluster in [1, 2] {
            counts.add_documents(cluster, u64::MAX);
            counts.add_word(cluster, "x", u64::MAX);
            counts.add_word(3, "y", u64::MAX);
            counts.add(cluster, ["x"]);
        }
        assert_eq!(counts.keywords(1)[&3], ["y"]);
    }

    /// Dunning's table for "the swiss" in section 6 of the paper: 110 and 2,442, 111 and 29,114
    /// give 270.72.
    #[test]
    fn ratio_of_the_paper() {
        let ratio = surprise(110, 110 + 2_442, 111, 111 + 29_114);
        assert!((ratio - 270.72).abs() < 0.01, "{ratio}");
    }

    #[test]
    fn equal_rates_are_no_surprise() {
        for (inside, size, outside, others) in [(3, 9, 1, 3), (0, 9, 1, 3), (9, 9, 0, 0)] {
            assert!(surprise(inside, size, outside, others) <= 0.0);
        }
        assert!(surprise(1, 1, 0, u64::MAX - 1) > 0.0);
    }

    proptest! {
        #[test]
        fn neither_order_nor_parts_matter(
            documents in proptest::collection::vec((0..4_i64, "[a-e]( [a-e]){0,3}"), 0..30),
            split in 0..30_usize,
        ) {
            let documents: Vec<_> = documents.iter().map(|(cluster, text)| (*cluster, text.as_str())).collect();
            let all = counts(&documents);
            let (first, second) = documents.split_at(split.min(documents.len()));
            let mut merged = counts(second);
            merged.merge(&counts(first));
            prop_assert_eq!(&merged, &all);
            prop_assert_eq!(merged.keywords(3), all.keywords(3));
        }
    }
}
