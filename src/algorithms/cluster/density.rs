//! DBSCAN: clusters are regions where rows are dense (Ester, Kriegel, Sander and Xu, "A
//! density-based algorithm for discovering clusters in large spatial databases with noise", 1996).
//!
//! A row with `min_points` rows within the threshold, itself included, is a core; cores within the
//! threshold of each other are one cluster. A row near a core belongs to its cluster; if there are
//! several, to the one whose first core comes first. All other rows are noise, and each becomes a
//! cluster here. The neighbours come from postings, so that text vectors need neither a matrix of
//! distances nor dense rows, and a zero row under the cosine metric is near nothing. Memory grows
//! with the number of rows, time with its square.

use std::num::NonZeroUsize;

use crate::algorithms::cluster::labels::number_by_first_row;
use crate::algorithms::cluster::metric::Metric;
use crate::algorithms::cluster::search::{Index, Scratch};
use crate::algorithms::cluster::vectors::Vectors;

/// The number of each row's cluster.
pub(crate) fn dbscan(
    vectors: &Vectors,
    metric: Metric,
    threshold: f32,
    min_points: NonZeroUsize,
) -> Vec<usize> {
    let all: Vec<_> = (0..vectors.len()).collect();
    let index = Index::with_rows(vectors, metric, &all);
    let mut scratch = Scratch::default();
    let mut neighbours = |row: usize| -> Option<Vec<usize>> {
        let distances = index.distances(vectors.row(row), &mut scratch);
        let near = |other: &usize| distances[*other] <= threshold || *other == row;
        let near: Vec<_> = all.iter().copied().filter(near).collect();
        (near.len() >= min_points.get()).then_some(near)
    };

    let mut founders: Vec<Option<usize>> = vec![None; vectors.len()];
    let mut reached = vec![];
    for &founder in &all {
        if founders[founder].is_none() {
            reached.push(founder);
        }
        // A row is marked when it is reached, so its neighbours are looked up once.
        while let Some(row) = reached.pop() {
            for near in neighbours(row).unwrap_or_default() {
                if founders[near].is_none() {
                    founders[near] = Some(founder);
                    reached.push(near);
                }
            }
        }
    }
    number_by_first_row(all.iter().map(|&row| founders[row].unwrap_or(row)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::cluster::tests::{blobs, gaussian, vectors};
    use linfa::traits::Transformer;
    use ndarray::Array2;

    fn points(number: usize) -> NonZeroUsize {
        NonZeroUsize::new(number).unwrap()
    }

    /// linfa's DBSCAN takes the threshold exclusively, which makes no difference on such data.
    #[test]
    fn same_clusters_as_linfa() {
        for (seed, threshold) in [(1, 0.5), (2, 0.9), (3, 1.4), (4, 2.0)] {
            let rows = gaussian(150, 3, seed);
            let mut dense = Array2::zeros((rows.len(), 3));
            for (row, mut dense) in rows.rows().zip(dense.rows_mut()) {
                row.entries()
                    .for_each(|(index, value)| dense[index as usize] = f64::from(value));
            }
            let found = linfa_clustering::Dbscan::params(4)
                .tolerance(f64::from(threshold))
                .transform(&dense)
                .unwrap();
            // linfa numbers its clusters from 0; noise rows get numbers after them.
            let keys = found
                .iter()
                .zip(1000..)
                .map(|(cluster, noise)| cluster.unwrap_or(noise));
            assert_eq!(
                dbscan(&rows, Metric::Euclidean, threshold, points(4)),
                number_by_first_row(keys)
            );
        }
    }

    #[test]
    fn blobs_are_found() {
        let (rows, expected) = blobs(90, 3, 4, 11);
        assert_eq!(dbscan(&rows, Metric::Euclidean, 3.0, points(5)), expected);
    }

    #[test]
    fn noise_and_zero_rows_are_alone() {
        let rows = vectors(&[
            &[1.0, 0.0],
            &[2.0, 0.1],
            &[0.0, 0.0],
            &[3.0, 0.1],
            &[0.0, 0.0],
            &[-1.0, 0.0],
        ]);
        assert_eq!(
            dbscan(&rows, Metric::Cosine, 0.1, points(2)),
            [0, 0, 1, 0, 2, 3]
        );
        assert_eq!(
            dbscan(&rows, Metric::Cosine, 0.1, points(9)),
            [0, 1, 2, 3, 4, 5]
        );
        assert!(dbscan(&Vectors::new(2), Metric::Cosine, 0.1, points(1)).is_empty());
    }

    #[test]
    fn the_threshold_is_inclusive() {
        let rows = vectors(&[&[0.0], &[0.5], &[1.0]]);
        assert_eq!(dbscan(&rows, Metric::Euclidean, 0.5, points(2)), [0, 0, 0]);
    }
}
