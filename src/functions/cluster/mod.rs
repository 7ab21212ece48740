//! Functions on vectors of words and on clusters.

pub(crate) mod tfidf_fit;
mod tfidf_model;
pub(crate) mod tfidf_terms;
pub(crate) mod tfidf_vec;
