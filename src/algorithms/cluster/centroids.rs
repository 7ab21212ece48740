//! k-means: clusters around means, by `linfa-clustering` (Lloyd's iterations from k-means++ starts:
//! Arthur and Vassilvitskii, "k-means++: the advantages of careful seeding", 2007).
//!
//! linfa counts the old mean as one more row of its cluster, so no cluster becomes empty. It
//! searches the nearest mean of each row on several threads and sums on one, so the result depends
//! on the seed and not on the number of threads. Under the cosine metric the rows are first brought
//! to length 1, where the squared distance is twice the cosine distance (spherical k-means except
//! that the means keep their length). Rows become dense: eight bytes per value.

use std::num::NonZeroUsize;

use linfa::DatasetBase;
use linfa::traits::{Fit, Predict};
use linfa_clustering::KMeans;
use ndarray::{Array2, Axis};
use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::SeedableRng;

use crate::algorithms::cluster::labels::{n_clusters, number_by_first_row};
use crate::algorithms::cluster::metric::Metric;
use crate::algorithms::cluster::numbers::count;
use crate::algorithms::cluster::silhouette::best_grouping;
use crate::algorithms::cluster::vectors::Vectors;
use crate::error::{Error, Result};

/// The most clusters that `auto` tries: each number costs a separate run.
const MAX_AUTO: usize = 20;

/// Iterations end when the means move less than this share of the standard deviation of the values;
/// scikit-learn's `tol` has the same default and is relative too.
const TOLERANCE: f64 = 1e-4;

/// How k-means starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Starts {
    pub(crate) seed: u64,
    /// The number of starts that are tried; the one with the least sum of squared distances wins.
    pub(crate) n_runs: NonZeroUsize,
}

/// The rows, ready for k-means.
struct Dense {
    rows: Array2<f64>,
    n_distinct: usize,
    tolerance: f64,
}

/// The number of each row's cluster; there are at most as many clusters as distinct rows.
pub(crate) fn k_means(
    vectors: &Vectors,
    metric: Metric,
    n_clusters: NonZeroUsize,
    starts: Starts,
) -> Result<Vec<usize>> {
    Dense::new(vectors, metric).k_means(n_clusters.get(), starts)
}

/// Like [`k_means`], with the number of clusters, 2 to 20, that has the greatest mean silhouette.
pub(crate) fn k_means_auto(
    vectors: &Vectors,
    metric: Metric,
    starts: Starts,
) -> Result<Vec<usize>> {
    let dense = Dense::new(vectors, metric);
    if vectors.len() < 3 {
        return dense.k_means(dense.n_distinct, starts);
    }
    let numbers = 2..=MAX_AUTO.min(dense.n_distinct).min(vectors.len() - 1);
    let groupings = numbers.map(|n_clusters| dense.k_means(n_clusters, starts));
    let mut groupings = groupings.collect::<Result<Vec<_>>>()?;
    groupings.retain(|labels| n_clusters(labels) > 1);
    Ok(best_grouping(groupings, vectors, metric).unwrap_or_else(|| vec![0; vectors.len()]))
}

impl Dense {
    fn new(vectors: &Vectors, metric: Metric) -> Self {
        let normalized = (metric == Metric::Cosine).then(|| vectors.normalized());
        let vectors = normalized.as_ref().unwrap_or(vectors);
        let mut rows = Array2::zeros((vectors.len(), vectors.dimensions()));
        for (row, mut dense) in vectors.rows().zip(rows.rows_mut()) {
            for (index, value) in row.entries() {
                dense[index as usize] = f64::from(value);
            }
        }
        Self {
            n_distinct: vectors.n_distinct(),
            tolerance: TOLERANCE * mean_variance(&rows).sqrt(),
            rows,
        }
    }

    fn k_means(&self, n_clusters: usize, starts: Starts) -> Result<Vec<usize>> {
        let n_clusters = n_clusters.min(self.n_distinct);
        if n_clusters <= 1 {
            return Ok(vec![0; self.rows.nrows()]);
        }
        let generator = Xoshiro256Plus::seed_from_u64(starts.seed);
        let model = KMeans::params_with_rng(n_clusters, generator)
            .n_runs(starts.n_runs.get())
            .tolerance(self.tolerance.max(f64::MIN_POSITIVE))
            .fit(&DatasetBase::from(self.rows.view()))
            .map_err(|error| {
                Error::invalid_input(format!(
                    "k-means with num_clusters={n_clusters} failed: {error}"
                ))
            })?;
        Ok(number_by_first_row(model.predict(&self.rows)))
    }
}

/// The mean of the variances of the columns.
fn mean_variance(rows: &Array2<f64>) -> f64 {
    let Some(means) = rows.mean_axis(Axis(0)) else {
        return 0.0;
    };
    let squares: f64 = (rows - &means)
        .iter()
        .map(|distance| distance * distance)
        .sum();
    squares / count(rows.len().max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::cluster::tests::{blobs, vectors};

    const STARTS: Starts = Starts {
        seed: 42,
        n_runs: NonZeroUsize::new(10).unwrap(),
    };

    fn run(vectors: &Vectors, metric: Metric, k: usize) -> Vec<usize> {
        k_means(vectors, metric, NonZeroUsize::new(k).unwrap(), STARTS).unwrap()
    }

    #[test]
    fn blobs_are_found() {
        let (rows, expected) = blobs(120, 4, 6, 3);
        for metric in [Metric::Euclidean, Metric::Cosine] {
            assert_eq!(run(&rows, metric, 4), expected);
            assert_eq!(k_means_auto(&rows, metric, STARTS).unwrap(), expected);
        }
    }

    #[test]
    fn scale_of_the_data_does_not_matter() {
        let (rows, expected) = blobs(120, 4, 6, 3);
        for factor in [1e-12, 1e12] {
            let mut scaled = Vectors::new(rows.dimensions());
            for row in rows.rows() {
                let mut dense = vec![0.0; rows.dimensions()];
                row.add_to(factor, &mut dense);
                let dense: Vec<_> = dense
                    .into_iter()
                    .map(crate::algorithms::cluster::numbers::to_f32)
                    .collect();
                assert_eq!(scaled.push(&dense), Ok(true));
            }
            assert_eq!(run(&scaled, Metric::Euclidean, 4), expected);
        }
    }

    #[test]
    fn more_clusters_than_rows() {
        let rows = vectors(&[&[1.0, 0.0], &[0.0, 1.0], &[1.0, 0.0], &[0.0, 0.0]]);
        for metric in [Metric::Euclidean, Metric::Cosine] {
            assert_eq!(run(&rows, metric, 100), [0, 1, 0, 2]);
            assert_eq!(run(&rows.select(&[0, 0, 0]), metric, 2), [0, 0, 0]);
            assert!(run(&Vectors::new(3), metric, 2).is_empty());
            assert_eq!(run(&vectors(&[&[], &[]]), metric, 2), [0, 0]);
        }
    }

    #[test]
    fn auto_with_few_rows() {
        let auto =
            |rows: &[&[f32]]| k_means_auto(&vectors(rows), Metric::Euclidean, STARTS).unwrap();
        assert_eq!(auto(&[&[1.0]]), [0]);
        assert_eq!(auto(&[&[1.0], &[1.0]]), [0, 0]);
        assert_eq!(auto(&[&[1.0], &[2.0]]), [0, 1]);
        assert_eq!(auto(&[&[1.0], &[1.0], &[1.0]]), [0, 0, 0]);
        assert_eq!(auto(&[&[1.0], &[1.0], &[9.0]]), [0, 0, 1]);
        assert!(
            k_means_auto(&Vectors::new(1), Metric::Cosine, STARTS)
                .unwrap()
                .is_empty()
        );
    }
}
