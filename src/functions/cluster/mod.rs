//! Functions on word vectors and on clusters.

pub(crate) mod cluster_assign;
pub(crate) mod cluster_fit;
pub(crate) mod cluster_keywords;
mod fit_options;
mod ids;
pub(crate) mod tfidf_fit;
mod tfidf_model;
pub(crate) mod tfidf_terms;
pub(crate) mod tfidf_vec;
