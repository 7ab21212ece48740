//! Chooses the number of clusters: the one with the greatest mean silhouette (Rousseeuw,
//! "Silhouettes: a graphical aid to the interpretation and validation of cluster analysis", 1987).
//!
//! The silhouette of a row compares its mean distance to its own cluster with that to the nearest
//! other one; 1 is perfect, 0 is between two clusters, and a row that is alone has 0. For a tree, 2
//! to 128 clusters are tried, for k-means 2 to 20, always fewer than rows; on a tie, the smaller
//! number wins. If no number is above 0, the rows have no structure and are one cluster; two rows
//! are one cluster if they are equal, otherwise two.
//!
//! Every number of clusters needs only the sums of distances from each row to each cluster. One
//! pass over the pairs of rows computes them without keeping the distances, and merging two
//! clusters adds two columns of them: a tree costs as much as its distances plus 128 * 128 steps
//! per row, and memory is 128 sums per row (10 MB for 10,000 rows).

use std::num::NonZeroUsize;

use crate::algorithms::cluster::distance::for_each_run;
use crate::algorithms::cluster::hierarchical::Dendrogram;
use crate::algorithms::cluster::labels::n_clusters;
use crate::algorithms::cluster::metric::Metric;
use crate::algorithms::cluster::numbers::count;
use crate::algorithms::cluster::vectors::Vectors;

/// The most clusters that are tried in a tree: more than a person reads, and few enough that they
/// cost less than the tree.
const MAX_CUT: usize = 128;

/// The sums of the distances from each row to each cluster.
struct Sums {
    labels: Vec<usize>,
    /// The number of rows of each cluster; 0 once it is merged into another.
    sizes: Vec<usize>,
    /// `sizes.len()` sums for each row.
    sums: Vec<f64>,
}

impl Sums {
    fn new(labels: Vec<usize>) -> Self {
        let mut sizes = vec![0; n_clusters(&labels)];
        labels.iter().for_each(|&label| sizes[label] += 1);
        Self {
            sums: vec![0.0; sizes.len() * labels.len()],
            sizes,
            labels,
        }
    }

    /// Adds the distances from `row` to the rows from `other` on.
    fn add(&mut self, row: usize, other: usize, distances: &[f32]) {
        for (other, &distance) in (other..).zip(distances) {
            let distance = f64::from(distance);
            self.sums[row * self.sizes.len() + self.labels[other]] += distance;
            self.sums[other * self.sizes.len() + self.labels[row]] += distance;
        }
    }

    fn merge(&mut self, label: usize, into: usize) {
        self.sizes[into] += std::mem::take(&mut self.sizes[label]);
        for sums in self.sums.chunks_exact_mut(self.sizes.len()) {
            sums[into] += sums[label];
        }
        let merged = self.labels.iter_mut().filter(|other| **other == label);
        merged.for_each(|other| *other = into);
    }

    fn mean(&self) -> f64 {
        let rows = self.sums.chunks_exact(self.sizes.len()).zip(&self.labels);
        rows.map(|(sums, &label)| self.of_row(sums, label))
            .sum::<f64>()
            / count(self.labels.len())
    }

    fn of_row(&self, sums: &[f64], label: usize) -> f64 {
        if self.sizes[label] == 1 {
            return 0.0;
        }
        let own = sums[label] / count(self.sizes[label] - 1);
        let others = sums.iter().zip(&self.sizes).enumerate();
        let others = others.filter(|(other, (_, size))| *other != label && **size > 0);
        let nearest = others
            .map(|(_, (sum, &size))| sum / count(size))
            .fold(f64::INFINITY, f64::min);
        let greater = own.max(nearest);
        if greater > 0.0 {
            (nearest - own) / greater
        } else {
            0.0
        }
    }
}

/// The cut of the tree of these rows with the greatest mean silhouette.
pub(crate) fn best_cut(tree: &Dendrogram, vectors: &Vectors, metric: Metric) -> Vec<usize> {
    let n_rows = vectors.len();
    if n_rows < 3 {
        return tree.cut_at(0.0);
    }
    let finest = MAX_CUT.min(n_rows - 1);
    let cut = |n_clusters: usize| {
        tree.cut_into(NonZeroUsize::new(n_clusters).unwrap_or(NonZeroUsize::MIN))
    };
    let mut sums = Sums::new(cut(finest));
    for_each_run(vectors, metric, |row, other, distances| {
        sums.add(row, other, distances)
    });

    let rows = tree.a_row_of_each_cluster();
    let (mut best, mut best_mean) = (1, 0.0);
    for n_clusters in (2..=finest).rev() {
        let mean = sums.mean();
        if mean > 0.0 && mean >= best_mean {
            (best, best_mean) = (n_clusters, mean);
        }
        let merge = tree.merges()[n_rows - n_clusters];
        sums.merge(
            sums.labels[rows[merge.right]],
            sums.labels[rows[merge.left]],
        );
    }
    cut(best)
}

/// The grouping with the greatest mean silhouette, the first one on a tie; `None` if no silhouette
/// is above 0.
pub(crate) fn best_grouping(
    groupings: Vec<Vec<usize>>,
    vectors: &Vectors,
    metric: Metric,
) -> Option<Vec<usize>> {
    let mut all: Vec<_> = groupings.into_iter().map(Sums::new).collect();
    for_each_run(vectors, metric, |row, other, distances| {
        all.iter_mut()
            .for_each(|sums| sums.add(row, other, distances));
    });
    let mut best = None;
    let mut best_mean = 0.0;
    for sums in all {
        let mean = sums.mean();
        if mean > best_mean {
            (best, best_mean) = (Some(sums.labels), mean);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::cluster::hierarchical::Linkage;
    use crate::algorithms::cluster::tests::{blobs, gaussian, vectors};

    fn best(vectors: &Vectors) -> Vec<usize> {
        let tree = Dendrogram::new(vectors, Metric::Euclidean, Linkage::Average).unwrap();
        best_cut(&tree, vectors, Metric::Euclidean)
    }

    /// `sklearn.metrics.silhouette_score([[0], [1], [5], [7], [20]], [0, 0, 1, 1, 2])`
    #[test]
    fn mean_of_scikit_learn() {
        let rows = vectors(&[&[0.0], &[1.0], &[5.0], &[7.0], &[20.0]]);
        let mut sums = Sums::new(vec![0, 0, 1, 1, 2]);
        for_each_run(&rows, Metric::Euclidean, |row, other, distances| {
            sums.add(row, other, distances)
        });
        assert!(
            (sums.mean() - 0.576_239_316_239_316).abs() < 1e-12,
            "{}",
            sums.mean()
        );
    }

    #[test]
    fn merged_sums_are_those_of_the_coarser_grouping() {
        let rows = gaussian(50, 3, 5);
        let fine: Vec<_> = (0..50).map(|row| row % 5).collect();
        let coarse: Vec<_> = fine
            .iter()
            .map(|&label| if label == 4 { 1 } else { label })
            .collect();
        let (mut fine, mut coarse) = (Sums::new(fine), Sums::new(coarse));
        for_each_run(&rows, Metric::Cosine, |row, other, distances| {
            fine.add(row, other, distances);
            coarse.add(row, other, distances);
        });
        fine.merge(4, 1);
        assert!((fine.mean() - coarse.mean()).abs() < 1e-12);
    }

    #[test]
    fn blobs_are_found() {
        for n_blobs in [2, 3, 7, 40] {
            let (rows, expected) = blobs(200, n_blobs, 5, 7);
            assert_eq!(best(&rows), expected);
        }
    }

    #[test]
    fn few_and_equal_rows() {
        assert!(best(&Vectors::new(1)).is_empty());
        assert_eq!(best(&vectors(&[&[1.0]])), [0]);
        assert_eq!(best(&vectors(&[&[1.0], &[1.0]])), [0, 0]);
        assert_eq!(best(&vectors(&[&[1.0], &[2.0]])), [0, 1]);
        assert_eq!(best(&vectors(&[[1.0].as_slice(); 5])), [0; 5]);
        assert_eq!(best(&vectors(&[&[1.0], &[1.0], &[3.0]])), [0, 0, 1]);
    }
}
