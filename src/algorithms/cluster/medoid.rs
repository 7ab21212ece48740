//! The representative of a cluster: its medoid, the row with the least mean distance to the others
//! (Kaufman and Rousseeuw, "Clustering by means of medoids", 1987). On a tie, the first row is
//! taken.
//!
//! Under the cosine metric the sum of the distances is a dot product with the sum of the
//! directions, so it is exact and costs one step per value, however large the cluster is. Euclidean
//! distances are summed over all pairs up to 2,000 rows; in a larger cluster the row nearest to the
//! mean is taken, which has the least sum of *squared* distances.

use crate::algorithms::cluster::metric::Metric;
use crate::algorithms::cluster::numbers::count;
use crate::algorithms::cluster::numbers::to_f32;
use crate::algorithms::cluster::search::{Index, Scratch};
use crate::algorithms::cluster::vectors::{VectorRow, Vectors};

/// The largest Euclidean cluster for which all pairs are computed: four million distances, which
/// take less than a second with hundreds of dense dimensions.
const MAX_EXACT: usize = 2_000;

/// Finds the medoids of clusters of these rows.
#[derive(Debug)]
pub(crate) struct Medoids<'a> {
    vectors: &'a Vectors,
    metric: Metric,
    sum: Vec<f64>,
}

impl<'a> Medoids<'a> {
    pub(crate) fn new(vectors: &'a Vectors, metric: Metric) -> Self {
        Self {
            sum: vec![0.0; vectors.dimensions()],
            vectors,
            metric,
        }
    }

    /// The medoid of some rows, in ascending order; `None` if there are no rows.
    pub(crate) fn of(&mut self, members: &[usize]) -> Option<usize> {
        match self.metric {
            _ if members.len() < 3 => members.first().copied(),
            Metric::Cosine => self.nearest_to_sum(members, direction, |row, sum| {
                // A zero row has distance 1 to all others, but 0 to itself.
                let itself = if row.square > 0.0 { 0.0 } else { 1.0 };
                -direction(row) * row.dot(sum) - itself
            }),
            Metric::Euclidean if members.len() <= MAX_EXACT => self.least_sum(members),
            Metric::Euclidean => {
                let n_rows = count(members.len());
                self.nearest_to_sum(
                    members,
                    |_| 1.0,
                    |row, sum| row.square - 2.0 * row.dot(sum) / n_rows,
                )
            }
        }
    }

    /// The row with the least `cost` against the weighted sum of all.
    fn nearest_to_sum(
        &mut self,
        members: &[usize],
        weight: impl Fn(&VectorRow<'_>) -> f64,
        cost: impl Fn(&VectorRow<'_>, &[f64]) -> f64,
    ) -> Option<usize> {
        let rows = || members.iter().map(|&row| self.vectors.row(row));
        rows().for_each(|row| row.add_to(weight(&row), &mut self.sum));
        let least = first_least(rows().map(|row| cost(&row, &self.sum)));
        // Clear only what was used: thousands of clusters share these dimensions.
        let used = rows().flat_map(|row| row.indices);
        used.for_each(|&index| self.sum[index as usize] = 0.0);
        least.map(|position| members[position])
    }

    fn least_sum(&self, members: &[usize]) -> Option<usize> {
        let index = Index::with_rows(self.vectors, self.metric, members);
        let mut scratch = Scratch::default();
        let mut sum = |row: &usize| {
            let distances = index.distances(self.vectors.row(*row), &mut scratch);
            distances.iter().copied().map(f64::from).sum::<f64>()
        };
        first_least(members.iter().map(&mut sum)).map(|position| members[position])
    }
}

/// The factor that brings the row to length 1.
fn direction(row: &VectorRow<'_>) -> f64 {
    if row.square > 0.0 {
        row.square.sqrt().recip()
    } else {
        0.0
    }
}

/// The position of the first of the least costs; they are rounded, so that equal ones are equal
/// whatever the order of their sums.
fn first_least(costs: impl Iterator<Item = f64>) -> Option<usize> {
    // Adding 0 makes -0 equal to 0.
    let costs = costs.map(|cost| to_f32(cost) + 0.0).enumerate();
    let least = costs.min_by(|first, second| first.1.total_cmp(&second.1));
    least.map(|(position, _)| position)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::cluster::tests::{gaussian, vectors, words};

    fn by_definition(vectors: &Vectors, metric: Metric, members: &[usize]) -> usize {
        let distance = |row: usize, other: usize| {
            if row == other {
                0.0
            } else {
                f64::from(metric.between(vectors.row(row), vectors.row(other)))
            }
        };
        let sum = |row: usize| {
            members
                .iter()
                .map(|&other| distance(row, other))
                .sum::<f64>()
        };
        let least = members
            .iter()
            .min_by(|&&first, &&second| sum(first).total_cmp(&sum(second)));
        *least.unwrap()
    }

    #[test]
    fn least_sum_of_distances() {
        for rows in [gaussian(90, 8, 3), words(90, 60, 4)] {
            for metric in [Metric::Cosine, Metric::Euclidean] {
                let mut medoids = Medoids::new(&rows, metric);
                for members in [
                    (0..90).collect::<Vec<_>>(),
                    (40..57).collect(),
                    vec![3, 9, 70],
                ] {
                    assert_eq!(
                        medoids.of(&members),
                        Some(by_definition(&rows, metric, &members))
                    );
                }
            }
        }
    }

    #[test]
    fn of_equals_the_first() {
        let rows = vectors(&[
            &[1.0, 0.0],
            &[0.0, 1.0],
            &[0.0, 0.0],
            &[0.0, 0.0],
            &[1.0, 1.0],
        ]);
        let check = |members: &[usize], expected: Option<usize>| {
            for metric in [Metric::Cosine, Metric::Euclidean] {
                assert_eq!(
                    Medoids::new(&rows, metric).of(members),
                    expected,
                    "{metric:?} {members:?}"
                );
            }
        };
        check(&[], None);
        check(&[4], Some(4));
        check(&[1, 4], Some(1));
        check(&[0, 1, 4], Some(4));
    }

    #[test]
    fn zero_rows_are_no_better_than_far_ones() {
        let rows = vectors(&[&[0.0, 0.0, 0.0], &[0.0, 0.0, 0.0], &[0.0, 0.0, 0.0]]);
        assert_eq!(Medoids::new(&rows, Metric::Cosine).of(&[0, 1, 2]), Some(0));
    }

    #[test]
    fn a_large_euclidean_cluster_takes_the_row_nearest_to_the_mean() {
        let n_rows = MAX_EXACT + 1;
        let values: Vec<_> = (0..u16::try_from(n_rows).unwrap())
            .map(|value| [f32::from(value)])
            .collect();
        let rows: Vec<_> = values.iter().map(|value| value.as_slice()).collect();
        let members: Vec<_> = (0..n_rows).collect();
        assert_eq!(
            Medoids::new(&vectors(&rows), Metric::Euclidean).of(&members),
            Some(1000)
        );
    }
}
