//! Hierarchical clustering: rows are merged, nearest first, into one tree, which is then cut.
//!
//! The `kodama` crate makes the tree: by the nearest-neighbour chain for average, complete and
//! Ward's linkage, and by a minimum spanning tree for single linkage (Müllner, "Modern
//! hierarchical, agglomerative clustering algorithms", arXiv:1109.2378, 2011). Time grows with the
//! square of the number of rows; memory is that of the distances, four bytes per pair. Merges,
//! heights and Ward's distance are those of `scipy.cluster.hierarchy.linkage`.
//!
//! # Equal distances
//! Vectors of zeros and ones have many equal distances, and which pair merges first decides the
//! clusters. The rule for the chain is:
//! 1. The place of a cluster is that of its **last** row.
//! 2. A chain begins at the first cluster and goes from each cluster to its nearest; on a tie, to
//!    the one that it came from, otherwise to the first.
//! 3. If it goes back to the cluster that it came from, those two merge. It continues from what is
//!    left of the chain if that is at least two clusters, and otherwise begins again.
//! 4. When all clusters are merged, the merges are sorted by distance, equal ones in the order in
//!    which they were found.
//!
//! For single linkage the tree begins at the first row and takes the row nearest to any that it
//! has, the first one on a tie; each is merged with the row taken before it, and rule 4 applies.
//! (Cut at a threshold, single linkage has only one possible result.)
//!
//! Distances are `f32`, and averages of them are rounded to `f32` after every merge: two averages
//! that are equal on paper can differ in the last digit, but always in the same way.

use std::num::NonZeroUsize;

use crate::algorithms::cluster::distance::condensed;
use crate::algorithms::cluster::labels::number_by_first_row;
use crate::algorithms::cluster::metric::Metric;
use crate::algorithms::cluster::vectors::Vectors;
use crate::error::{Error, Result};

/// How the distance of two clusters is measured.
///
/// ```
/// use datafusion_aiops::algorithms::cluster::Linkage;
/// assert_eq!(Linkage::default(), Linkage::Average);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Linkage {
    /// The mean distance of their pairs of rows.
    #[default]
    Average,
    /// The distance of their farthest pair.
    Complete,
    /// The distance of their nearest pair.
    Single,
    /// How much their union adds to the squared distances from the mean, as `sqrt(2ab / (a + b))`
    /// times the distance of the means of clusters with `a` and `b` rows. It needs Euclidean
    /// distances.
    Ward,
}

/// One step of a tree: two clusters become one. The cluster of row `i` has the number `i`, that of
/// merge `i` the number `n_rows + i`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Merge {
    /// The smaller of the two numbers.
    pub(crate) left: usize,
    /// The greater of the two numbers.
    pub(crate) right: usize,
    /// The distance between the two.
    pub(crate) distance: f32,
    /// The number of rows of the new cluster.
    pub(crate) size: usize,
}

/// The tree of all merges, nearest first.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Dendrogram {
    n_rows: usize,
    merges: Vec<Merge>,
}

impl Dendrogram {
    /// Builds the tree of these rows; it needs two bytes of memory times the square of their
    /// number.
    ///
    /// # Errors
    /// If the linkage is Ward's and the metric is not Euclidean.
    pub(crate) fn new(vectors: &Vectors, metric: Metric, linkage: Linkage) -> Result<Self> {
        check_linkage(linkage, metric)?;
        Ok(Self::from_condensed(
            condensed(vectors, metric),
            vectors.len(),
            linkage,
        ))
    }

    fn from_condensed(mut condensed: Vec<f32>, n_rows: usize, linkage: Linkage) -> Self {
        let method = match linkage {
            Linkage::Average => kodama::Method::Average,
            Linkage::Complete => kodama::Method::Complete,
            Linkage::Single => kodama::Method::Single,
            Linkage::Ward => kodama::Method::Ward,
        };
        let tree = kodama::linkage(&mut condensed, n_rows, method);
        let merges = tree.steps().iter().map(|step| Merge {
            left: step.cluster1,
            right: step.cluster2,
            distance: step.dissimilarity,
            size: step.size,
        });
        Self {
            n_rows,
            merges: merges.collect(),
        }
    }

    /// The merges, nearest first: one fewer than there are rows.
    pub(crate) fn merges(&self) -> &[Merge] {
        &self.merges
    }

    /// For each row the number of its cluster after all merges up to this distance, inclusive.
    /// Clusters are numbered in the order of their first rows.
    pub(crate) fn cut_at(&self, threshold: f32) -> Vec<usize> {
        self.after(
            self.merges
                .partition_point(|merge| merge.distance <= threshold),
        )
    }

    /// For each row the number of its cluster when there are `n_clusters` of them; if there are
    /// fewer rows, each row is alone. Clusters are numbered in the order of their first rows.
    pub(crate) fn cut_into(&self, n_clusters: NonZeroUsize) -> Vec<usize> {
        self.after(self.n_rows.saturating_sub(n_clusters.get()))
    }

    /// The clusters after the first `n_merges` merges.
    fn after(&self, n_merges: usize) -> Vec<usize> {
        let mut parents: Vec<_> = (0..self.n_rows + n_merges).collect();
        for (parent, merge) in (self.n_rows..).zip(&self.merges[..n_merges]) {
            parents[merge.left] = parent;
            parents[merge.right] = parent;
        }
        // A parent has a greater number than its children, so when iterating from the end every
        // parent is already a root.
        for cluster in (0..parents.len()).rev() {
            parents[cluster] = parents[parents[cluster]];
        }
        number_by_first_row(parents[..self.n_rows].iter().copied())
    }

    /// One row of each cluster, indexed by the number of the cluster.
    pub(crate) fn a_row_of_each_cluster(&self) -> Vec<usize> {
        let mut rows: Vec<_> = (0..self.n_rows).collect();
        for merge in &self.merges {
            rows.push(rows[merge.left]);
        }
        rows
    }
}

/// # Errors
/// If the linkage has no meaning under the metric.
pub(crate) fn check_linkage(linkage: Linkage, metric: Metric) -> Result<()> {
    if linkage == Linkage::Ward && metric != Metric::Euclidean {
        return Err(Error::invalid_option(
            "linkage=ward needs Euclidean distances: write metric=euclidean too",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::cluster::labels::n_clusters;
    use crate::algorithms::cluster::numbers::count;
    use crate::algorithms::cluster::numbers::to_f32;
    use crate::algorithms::cluster::tests::{gaussian, vectors, zeros_and_ones};
    use proptest::prelude::*;

    const LINKAGES: [Linkage; 4] = [
        Linkage::Average,
        Linkage::Complete,
        Linkage::Single,
        Linkage::Ward,
    ];

    /// The rule of the module header, step by step on a full matrix: places of clusters, but no
    /// lists and no queue.
    struct Slow {
        distances: Vec<Vec<f32>>,
        sizes: Vec<usize>,
        /// The distance and the two places, in the order of discovery.
        found: Vec<(f32, usize, usize)>,
    }

    impl Slow {
        fn new(vectors: &Vectors, metric: Metric, linkage: Linkage) -> Self {
            let power = if linkage == Linkage::Ward { 2 } else { 1 };
            let distance = |first, second| {
                metric
                    .between(vectors.row(first), vectors.row(second))
                    .powi(power)
            };
            let all = 0..vectors.len();
            Self {
                distances: all
                    .clone()
                    .map(|first| all.clone().map(|second| distance(first, second)).collect())
                    .collect(),
                sizes: vec![1; vectors.len()],
                found: vec![],
            }
        }

        fn places(&self) -> impl Iterator<Item = usize> {
            (0..self.sizes.len()).filter(|&place| self.sizes[place] > 0)
        }

        fn nearest(&self, place: usize, before: Option<usize>) -> usize {
            let others = || self.places().filter(|&other| other != place);
            let least = others()
                .map(|other| self.distances[place][other])
                .fold(f32::INFINITY, f32::min);
            let is_nearest = |other: &usize| self.distances[place][*other] <= least;
            before
                .filter(is_nearest)
                .or(others().find(is_nearest))
                .unwrap()
        }

        fn merge(&mut self, linkage: Linkage, first: usize, second: usize) {
            let (first, second) = (first.min(second), first.max(second));
            let between = self.distances[first][second];
            let size = |place: usize| to_f32(count(self.sizes[place]));
            let (a, b) = (size(first), size(second));
            for other in self
                .places()
                .filter(|&other| other != first && other != second)
                .collect::<Vec<_>>()
            {
                let (to_a, to_b, c) = (
                    self.distances[first][other],
                    self.distances[second][other],
                    size(other),
                );
                let distance = match linkage {
                    Linkage::Average => (a * to_a + b * to_b) / (a + b),
                    Linkage::Complete => to_a.max(to_b),
                    Linkage::Single => to_a.min(to_b),
                    Linkage::Ward => ((c + a) * to_a + (c + b) * to_b - c * between) / (a + b + c),
                };
                self.distances[second][other] = distance;
                self.distances[other][second] = distance;
            }
            self.sizes[second] += self.sizes[first];
            self.sizes[first] = 0;
            self.found.push((between, first, second));
        }

        fn by_chain(mut self, linkage: Linkage) -> Dendrogram {
            let mut chain: Vec<usize> = vec![];
            while self.found.len() + 1 < self.sizes.len() {
                if chain.len() < 2 {
                    chain = self.places().take(1).collect();
                }
                let last = chain[chain.len() - 1];
                let before = chain.len().checked_sub(2).map(|before| chain[before]);
                let next = self.nearest(last, before);
                if Some(next) == before {
                    chain.truncate(chain.len() - 2);
                    self.merge(linkage, last, next);
                } else {
                    chain.push(next);
                }
            }
            self.sorted(linkage)
        }

        fn by_spanning_tree(mut self) -> Dendrogram {
            let mut tree = vec![0];
            while tree.len() < self.sizes.len() {
                let distance = |row: usize| {
                    tree.iter()
                        .map(|&other| self.distances[row][other])
                        .fold(f32::INFINITY, f32::min)
                };
                let outside = || (0..self.sizes.len()).filter(|row| !tree.contains(row));
                let least = outside().map(distance).fold(f32::INFINITY, f32::min);
                let next = outside().find(|&row| distance(row) <= least).unwrap();
                self.found.push((least, next, tree[tree.len() - 1]));
                tree.push(next);
            }
            self.sorted(Linkage::Single)
        }

        fn sorted(mut self, linkage: Linkage) -> Dendrogram {
            let n_rows = self.sizes.len();
            self.found
                .sort_by(|first, second| first.0.total_cmp(&second.0));
            let mut clusters: Vec<_> = (0..n_rows).collect();
            let mut merges = vec![];
            for (step, &(distance, first, second)) in self.found.iter().enumerate() {
                let (left, right) = (clusters[first], clusters[second]);
                clusters
                    .iter_mut()
                    .filter(|cluster| [left, right].contains(cluster))
                    .for_each(|cluster| *cluster = n_rows + step);
                merges.push(Merge {
                    left: left.min(right),
                    right: left.max(right),
                    distance: if linkage == Linkage::Ward {
                        distance.sqrt()
                    } else {
                        distance
                    },
                    size: clusters
                        .iter()
                        .filter(|&&cluster| cluster == n_rows + step)
                        .count(),
                });
            }
            Dendrogram { n_rows, merges }
        }
    }

    fn check_rule(rows: &Vectors) {
        for metric in [Metric::Cosine, Metric::Euclidean] {
            for linkage in LINKAGES {
                let Ok(tree) = Dendrogram::new(rows, metric, linkage) else {
                    continue;
                };
                let slow = Slow::new(rows, metric, linkage);
                let expected = match linkage {
                    Linkage::Single => slow.by_spanning_tree(),
                    _ => slow.by_chain(linkage),
                };
                assert_eq!(tree, expected, "{metric:?} {linkage:?}");
            }
        }
    }

    #[test]
    fn ties_follow_the_rule() {
        for seed in 1..=40 {
            check_rule(&zeros_and_ones(3 + usize::try_from(seed).unwrap(), 6, seed));
        }
    }

    #[test]
    fn sizes_add_up() {
        for linkage in LINKAGES {
            let rows = gaussian(120, 6, 3);
            let tree = Dendrogram::new(&rows, Metric::Euclidean, linkage).unwrap();
            let size = |cluster: usize| {
                if cluster < 120 {
                    1
                } else {
                    tree.merges()[cluster - 120].size
                }
            };
            for merge in tree.merges() {
                assert_eq!(merge.size, size(merge.left) + size(merge.right));
            }
            assert_eq!(tree.merges().last().unwrap().size, 120);
        }
    }

    #[test]
    fn few_and_equal_rows() {
        let empty = Dendrogram::new(&Vectors::new(3), Metric::Cosine, Linkage::Average).unwrap();
        assert!(empty.cut_at(1.0).is_empty() && empty.cut_into(NonZeroUsize::MIN).is_empty());
        let one = Dendrogram::new(&vectors(&[&[1.0]]), Metric::Cosine, Linkage::Average).unwrap();
        assert_eq!(one.cut_at(0.0), [0]);
        let equal = vectors(&[&[1.0], &[1.0], &[1.0]]);
        for linkage in LINKAGES {
            let tree = Dendrogram::new(&equal, Metric::Euclidean, linkage).unwrap();
            assert_eq!(tree.cut_at(0.0), [0, 0, 0]);
        }
    }

    #[test]
    fn a_cut_is_inclusive() {
        let rows = vectors(&[&[0.0], &[0.75], &[3.0]]);
        let tree = Dendrogram::new(&rows, Metric::Euclidean, Linkage::Single).unwrap();
        assert_eq!(tree.cut_at(0.75), [0, 0, 1]);
        assert_eq!(tree.cut_at(0.749), [0, 1, 2]);
    }

    #[test]
    fn huge_values_stay_finite() {
        let rows = vectors(&[&[f32::MAX], &[-f32::MAX], &[0.0], &[1.0]]);
        for linkage in LINKAGES {
            let tree = Dendrogram::new(&rows, Metric::Euclidean, linkage).unwrap();
            assert!(tree.merges().iter().all(|merge| merge.distance.is_finite()));
            assert_eq!(tree.cut_at(1.0), [0, 1, 2, 2]);
        }
    }

    #[test]
    fn ward_needs_euclidean() {
        let error = Dendrogram::new(&Vectors::new(1), Metric::Cosine, Linkage::Ward).unwrap_err();
        assert!(error.to_string().contains("metric=euclidean"), "{error}");
    }

    proptest! {
        #[test]
        fn a_coarser_cut_never_splits(seed in 0..1000_u64, fine in 1..30_usize, coarse in 1..30_usize) {
            let (fine, coarse) = (fine.max(coarse), fine.min(coarse));
            let rows = zeros_and_ones(30, 5, seed);
            let tree = Dendrogram::new(&rows, Metric::Euclidean, Linkage::Average).unwrap();
            let fine = tree.cut_into(NonZeroUsize::new(fine).unwrap());
            let coarse = tree.cut_into(NonZeroUsize::new(coarse).unwrap());
            prop_assert!(n_clusters(&fine) >= n_clusters(&coarse));
            for (i, j) in (0..30).flat_map(|i| (0..i).map(move |j| (i, j))) {
                prop_assert!(fine[i] != fine[j] || coarse[i] == coarse[j]);
            }
        }
    }
}
