//! Clusters: grouping vectors, assigning new rows to the groups, and naming the groups.
//!
//! [`ClusterOptions`] describes a clustering, and [`Clustering`], its checked form, runs it;
//! [`Assigner`] finds the nearest known cluster of a new row; [`KeywordCounts`] finds the words
//! that tell clusters apart. Everything is exact up to `max_exact_rows`, and nothing depends on the
//! number of threads. The order of rows decides only ties (and, above that limit, the leaders), so
//! a caller who sorts the rows by an id gets the same answer for every order of arrival.

mod assign;
mod centroids;
mod density;
mod distance;
mod fit;
mod hierarchical;
mod incremental;
mod keywords;
mod labels;
mod leaders;
mod medoid;
mod metric;
mod numbers;
mod search;
mod silhouette;
#[cfg(test)]
mod tests;
mod vectors;

pub use assign::{Assigner, Assignment};
pub use fit::{
    Assigned, Cluster, ClusterMethod, ClusterOptions, Clustering, DEFAULT_MAX_EXACT_ROWS,
    DEFAULT_THRESHOLD, NumClusters,
};
pub use hierarchical::Linkage;
pub use keywords::{DEFAULT_MAX_KEYWORDS, KeywordCounts};
pub use metric::Metric;
pub use vectors::{Scale, Vectors};
