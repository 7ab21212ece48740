//! TF-IDF: texts as vectors of weighted words.
//!
//! Karen Spärck Jones, "A statistical interpretation of term specificity and its application in
//! retrieval", Journal of Documentation 28, 1972; Salton and Buckley, "Term-weighting approaches in
//! automatic text retrieval", 1988. The formulas are those of scikit-learn with `sublinear_tf`: a
//! term that occurs `t` times in a text, and in `df` of `n` texts, weighs `1 + ln t`, times
//! `ln((1 + n) / (1 + df)) + 1`. A factor gives concepts (`#disk`) more weight, since one of them
//! stands for all the words that mean it. Without a vocabulary, vectors use feature hashing
//! (Weinberger et al., "Feature hashing for large scale multitask learning", ICML 2009), without
//! signs so that 0/1 vectors stay 0/1.

use hashbrown::HashMap;

use crate::algorithms::text::template_hash;
use crate::algorithms::text::tokenize::CONCEPT_MARK;

/// What the value of a dimension says about its term.
///
/// ```
/// use datafusion_aiops::algorithms::features::Weight;
/// assert_eq!(Weight::default(), Weight::TfIdf);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Weight {
    /// How often the text has the term, damped, times how rare the term is.
    #[default]
    TfIdf,
    /// How often the text has the term.
    Tf,
    /// 1 if the text has the term, otherwise 0.
    Binary,
}

/// How the length of a vector is normalised.
///
/// ```
/// use datafusion_aiops::algorithms::features::Norm;
/// assert_eq!(Norm::default(), Norm::L2);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Norm {
    /// The Euclidean length is 1; the vector of a text without a known term stays 0.
    #[default]
    L2,
    /// Vectors are not normalised.
    None,
}

/// The terms that are the dimensions of vectors, with their weights.
///
/// ```
/// use datafusion_aiops::algorithms::features::{Norm, Vocabulary, Weight};
///
/// let vocabulary = Vocabulary::new([("disk", 2), ("full", 1)], 2, 1.0);
/// let mut vector = vec![];
/// vocabulary.vector(["disk", "full", "disk", "now"], Weight::Tf, Norm::None, &mut vector);
/// assert_eq!(vector, [2.0, 1.0]);
/// ```
#[derive(Debug, Clone)]
pub struct Vocabulary {
    dimensions: HashMap<Box<str>, usize>,
    idf: Vec<f64>,
    weights: Vec<f64>,
}

impl Vocabulary {
    /// Creates a vocabulary from terms, in the order of the dimensions, each with the number of
    /// texts that have it, out of `n_documents`.
    pub fn new<'a>(
        terms: impl IntoIterator<Item = (&'a str, u64)>,
        n_documents: u64,
        concept_weight: f64,
    ) -> Self {
        let mut vocabulary = Self {
            dimensions: HashMap::new(),
            idf: vec![],
            weights: vec![],
        };
        for (dimension, (term, df)) in terms.into_iter().enumerate() {
            let idf = inverse_document_frequency(df, n_documents);
            let is_concept = term.starts_with(CONCEPT_MARK);
            vocabulary.dimensions.insert(term.into(), dimension);
            vocabulary.idf.push(idf);
            let factor = if is_concept { concept_weight } else { 1.0 };
            vocabulary.weights.push(idf * factor);
        }
        vocabulary
    }

    /// The number of dimensions.
    pub fn n_terms(&self) -> usize {
        self.idf.len()
    }

    /// The inverse document frequencies, in the order of the dimensions.
    pub fn idf(&self) -> &[f64] {
        &self.idf
    }

    /// Appends the vector of a text to `out`.
    pub fn vector<'a>(
        &self,
        words: impl IntoIterator<Item = &'a str>,
        weight: Weight,
        norm: Norm,
        out: &mut Vec<f32>,
    ) {
        let begin = out.len();
        out.resize(begin + self.n_terms(), 0.0);
        let vector = &mut out[begin..];
        let known = words
            .into_iter()
            .filter_map(|word| self.dimensions.get(word));
        count(known.copied(), weight, vector);
        if weight == Weight::TfIdf {
            for (value, weight) in vector.iter_mut().zip(&self.weights) {
                if *value > 0.0 {
                    *value = to_f32((1.0 + f64::from(*value).ln()) * weight);
                }
            }
        }
        normalise(norm, vector);
    }
}

/// Appends the vector of a text to `out`; the hash of a word is its dimension. [`Weight::TfIdf`]
/// counts as [`Weight::Tf`], since nothing is known about other texts.
///
/// ```
/// use datafusion_aiops::algorithms::features::{Norm, Weight, hashed_vector};
///
/// let mut vector = vec![];
/// hashed_vector(["disk", "full"], 8, Weight::Binary, Norm::None, &mut vector);
/// assert_eq!(vector.iter().sum::<f32>(), 2.0);
/// ```
pub fn hashed_vector<'a>(
    words: impl IntoIterator<Item = &'a str>,
    n_dimensions: usize,
    weight: Weight,
    norm: Norm,
    out: &mut Vec<f32>,
) {
    let begin = out.len();
    out.resize(begin + n_dimensions, 0.0);
    let dimension = |word: &str| {
        usize::try_from(template_hash(word))
            .ok()?
            .checked_rem(n_dimensions)
    };
    count(
        words.into_iter().filter_map(dimension),
        weight,
        &mut out[begin..],
    );
    normalise(norm, &mut out[begin..]);
}

fn inverse_document_frequency(df: u64, n_documents: u64) -> f64 {
    #[allow(clippy::cast_precision_loss)]
    let one_more = |count: u64| 1.0 + count as f64;
    (one_more(n_documents) / one_more(df)).ln() + 1.0
}

fn count(dimensions: impl Iterator<Item = usize>, weight: Weight, vector: &mut [f32]) {
    for dimension in dimensions {
        vector[dimension] = match weight {
            Weight::Binary => 1.0,
            Weight::Tf | Weight::TfIdf => vector[dimension] + 1.0,
        };
    }
}

fn normalise(norm: Norm, vector: &mut [f32]) {
    let squares: f64 = vector.iter().map(|&value| f64::from(value).powi(2)).sum();
    if norm == Norm::L2 && squares > 0.0 {
        let length = squares.sqrt();
        for value in vector {
            *value = to_f32(f64::from(*value) / length);
        }
    }
}

#[allow(clippy::cast_possible_truncation)]
fn to_f32(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: [(&str, u64); 3] = [("#disk", 1), ("disk", 2), ("full", 4)];

    fn vector(words: &[&str], weight: Weight, norm: Norm) -> Vec<f32> {
        let mut out = vec![];
        Vocabulary::new(TERMS, 4, 2.0).vector(words.iter().copied(), weight, norm, &mut out);
        out
    }

    /// From scikit-learn 1.7: `TfidfVectorizer(sublinear_tf=True, norm=None)` has idf `ln(5 / (1 +
    /// df)) + 1`.
    #[test]
    fn weights() {
        let check = |words: &[&str], weight, expected: [f32; 3]| {
            for (found, expected) in vector(words, weight, Norm::None).iter().zip(expected) {
                assert!((found - expected).abs() < 1e-6, "{found} {expected}");
            }
        };
        let words = ["disk", "full", "disk", "other"];
        check(&words, Weight::Binary, [0.0, 1.0, 1.0]);
        check(&words, Weight::Tf, [0.0, 2.0, 1.0]);
        check(&words, Weight::TfIdf, [0.0, 1.693_147_2 * 1.510_825_6, 1.0]);
        check(&["#disk"], Weight::TfIdf, [2.0 * 1.916_290_7, 0.0, 0.0]);
        check(&["other"], Weight::TfIdf, [0.0; 3]);
    }

    #[test]
    fn length_is_one_or_zero() {
        let length = |words: &[&str]| {
            let vector = vector(words, Weight::TfIdf, Norm::L2);
            vector.iter().map(|value| value * value).sum::<f32>()
        };
        assert!((length(&["disk", "full"]) - 1.0).abs() < 1e-6);
        assert!(length(&["other"]).abs() < 1e-6);
        assert_eq!(Vocabulary::new([], 0, 1.0).n_terms(), 0);
    }
}
