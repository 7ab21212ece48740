//! New rows for clusters that exist already.
//!
//! Old rows keep their clusters, and two old clusters never merge. A new row joins the old cluster
//! with the least linkage distance, if that is within the threshold; on a tie, the cluster whose
//! first row comes first. The distance is measured only to the **old** members, so whether a row
//! joins depends neither on other new rows nor on their order. New rows that join no cluster are
//! clustered among themselves.
//!
//! For Ward's linkage the distance of a row `x` to `n` rows with the mean `m` is
//! `sqrt(2n / (n + 1)) |x - m|`, as a tree would merge them, and `|x - m|²` is the mean squared
//! distance of `x` to the rows less their mean squared distance to `m`. A new row costs one search
//! among the old ones.

use crate::algorithms::cluster::hierarchical::Linkage;
use crate::algorithms::cluster::labels::{members, n_clusters, number_by_first_row};
use crate::algorithms::cluster::metric::Metric;
use crate::algorithms::cluster::numbers::count;
use crate::algorithms::cluster::numbers::to_f32;
use crate::algorithms::cluster::search::{Index, Scratch};
use crate::algorithms::cluster::vectors::Vectors;

/// Old rows and their clusters, numbered by their first rows.
#[derive(Debug)]
struct Old<'a> {
    index: Index<'a>,
    labels: Vec<usize>,
    sizes: Vec<f64>,
    linkage: Linkage,
    /// For Ward's linkage, the mean squared distance of the rows of each cluster to their mean.
    spreads: Vec<f64>,
}

/// For each row its old cluster: the one that it has or joins, or `None`.
pub(crate) fn join(
    vectors: &Vectors,
    priors: &[Option<usize>],
    metric: Metric,
    linkage: Linkage,
    threshold: f32,
) -> Vec<Option<usize>> {
    let olds: Vec<_> = (0..priors.len())
        .filter(|&row| priors[row].is_some())
        .collect();
    let clusters: Vec<_> = olds.iter().filter_map(|&row| priors[row]).collect();
    let old = Old::new(vectors, metric, linkage, &olds, &clusters);
    let mut scratch = Scratch::default();
    let rows = priors.iter().enumerate();
    let joined = rows.map(|(row, prior)| {
        prior.or_else(|| {
            let (label, distance) = old.nearest(vectors, row, &mut scratch)?;
            let first = old.labels.iter().position(|&other| other == label)?;
            (distance <= threshold).then_some(clusters[first])
        })
    });
    joined.collect()
}

impl<'a> Old<'a> {
    fn new(
        vectors: &'a Vectors,
        metric: Metric,
        linkage: Linkage,
        rows: &[usize],
        clusters: &[usize],
    ) -> Self {
        let labels = number_by_first_row(clusters.iter().copied());
        let mut sizes = vec![0.0; n_clusters(&labels)];
        labels.iter().for_each(|&label| sizes[label] += 1.0);
        let spreads = match linkage {
            Linkage::Ward => spreads(&vectors.select(rows), &labels),
            _ => vec![],
        };
        Self {
            index: Index::with_rows(vectors, metric, rows),
            labels,
            sizes,
            linkage,
            spreads,
        }
    }

    /// The nearest cluster and its distance; `None` if there is none.
    fn nearest(
        &self,
        vectors: &Vectors,
        row: usize,
        scratch: &mut Scratch,
    ) -> Option<(usize, f32)> {
        let start = if self.linkage == Linkage::Single {
            f64::INFINITY
        } else {
            0.0
        };
        let mut gathered = vec![start; self.sizes.len()];
        let distances = self.index.distances(vectors.row(row), scratch);
        for (&label, &distance) in self.labels.iter().zip(&*distances) {
            let (gathered, distance) = (&mut gathered[label], f64::from(distance));
            match self.linkage {
                Linkage::Average => *gathered += distance,
                Linkage::Complete => *gathered = gathered.max(distance),
                Linkage::Single => *gathered = gathered.min(distance),
                Linkage::Ward => *gathered += distance * distance,
            }
        }
        let distances = gathered.into_iter().enumerate();
        let distances =
            distances.map(|(label, gathered)| (label, to_f32(self.distance(label, gathered))));
        distances.min_by(|first, second| first.1.total_cmp(&second.1))
    }

    fn distance(&self, label: usize, gathered: f64) -> f64 {
        let size = self.sizes[label];
        match self.linkage {
            Linkage::Average => gathered / size,
            Linkage::Complete | Linkage::Single => gathered,
            Linkage::Ward => {
                let square = (gathered / size - self.spreads[label]).max(0.0);
                (2.0 * size / (size + 1.0) * square).sqrt()
            }
        }
    }
}

/// For each cluster the mean squared distance of its rows to their mean.
fn spreads(vectors: &Vectors, labels: &[usize]) -> Vec<f64> {
    let mut mean = vec![0.0; vectors.dimensions()];
    let spread = |members: Vec<usize>| {
        let n_rows = count(members.len());
        let rows = || members.iter().map(|&row| vectors.row(row));
        mean.fill(0.0);
        rows().for_each(|row| row.add_to(1.0 / n_rows, &mut mean));
        let square: f64 = mean.iter().map(|value| value * value).sum();
        let squares = rows().map(|row| row.square - 2.0 * row.dot(&mean) + square);
        squares.sum::<f64>().max(0.0) / n_rows
    };
    members(labels).into_iter().map(spread).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::cluster::hierarchical::Dendrogram;
    use crate::algorithms::cluster::tests::{gaussian, vectors};

    const LINKAGES: [Linkage; 4] = [
        Linkage::Average,
        Linkage::Complete,
        Linkage::Single,
        Linkage::Ward,
    ];

    fn joined(
        rows: &[&[f32]],
        priors: &[Option<usize>],
        linkage: Linkage,
        threshold: f32,
    ) -> Vec<Option<usize>> {
        join(
            &vectors(rows),
            priors,
            Metric::Euclidean,
            linkage,
            threshold,
        )
    }

    #[test]
    fn old_rows_stay_and_new_ones_join_the_nearest() {
        let rows: [&[f32]; 6] = [&[0.0], &[1.0], &[0.1], &[5.0], &[2.0], &[0.4]];
        let priors = [Some(9), Some(4), Some(4), None, None, None];
        for (linkage, expected) in [
            (Linkage::Single, [None, Some(4), Some(4)]),
            (Linkage::Complete, [None, Some(4), Some(9)]),
            (Linkage::Average, [None, Some(4), Some(9)]),
        ] {
            let found = joined(&rows, &priors, linkage, 1.95);
            assert_eq!(found[..3], priors[..3], "{linkage:?}");
            assert_eq!(found[3..], expected, "{linkage:?}");
        }
    }

    #[test]
    fn ties_go_to_the_cluster_with_the_first_row() {
        let rows: [&[f32]; 3] = [&[0.0], &[2.0], &[1.0]];
        for linkage in LINKAGES {
            assert_eq!(
                joined(&rows, &[Some(8), Some(3), None], linkage, 1.0)[2],
                Some(8)
            );
            assert_eq!(
                joined(&rows, &[Some(8), Some(3), None], linkage, 0.99)[2],
                None
            );
        }
    }

    #[test]
    fn nothing_is_old() {
        assert_eq!(
            joined(&[&[0.0], &[0.0]], &[None, None], Linkage::Average, 1.0),
            [None, None]
        );
        assert!(joined(&[], &[], Linkage::Average, 1.0).is_empty());
    }

    /// The distance of a far row to a cluster is the height at which a tree of all rows merges it
    /// last.
    #[test]
    fn distance_is_that_of_the_tree() {
        let mut rows = gaussian(12, 4, 2);
        assert_eq!(rows.push(&[40.0, 0.0, 1.0, 0.0]), Ok(true));
        let old: Vec<_> = (0..12).collect();
        for linkage in LINKAGES {
            let tree = Dendrogram::new(&rows, Metric::Euclidean, linkage).unwrap();
            let expected = tree.merges().last().unwrap().distance;
            let old = Old::new(&rows, Metric::Euclidean, linkage, &old, &[7; 12]);
            let (_, distance) = old.nearest(&rows, 12, &mut Scratch::default()).unwrap();
            assert!(
                (distance / expected - 1.0).abs() < 1e-6,
                "{linkage:?} {distance} {expected}"
            );
        }
    }
}
