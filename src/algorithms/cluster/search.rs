//! Distances from one row to many by postings: for every dimension the rows that are not zero
//! there, as in a search engine. A query costs the length of the postings of its dimensions plus
//! one step per indexed row.

use crate::algorithms::cluster::metric::Metric;
use crate::algorithms::cluster::vectors::{VectorRow, Vectors};

/// An index of some rows of `vectors`.
#[derive(Debug)]
pub(crate) struct Index<'a> {
    vectors: &'a Vectors,
    metric: Metric,
    rows: Vec<usize>,
    /// For every dimension the positions in `rows` with a non-zero value, and the values.
    postings: Vec<Vec<(usize, f32)>>,
}

/// Working space of a search, reused from query to query.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    dots: Vec<f64>,
    distances: Vec<f32>,
}

/// A search result: the position of a row in the order of `push`, and its distance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct FoundRow {
    pub(crate) position: usize,
    pub(crate) distance: f32,
}

impl<'a> Index<'a> {
    /// An empty index.
    pub(crate) fn new(vectors: &'a Vectors, metric: Metric) -> Self {
        Self {
            vectors,
            metric,
            rows: vec![],
            postings: vec![vec![]; vectors.dimensions()],
        }
    }

    /// An index of these rows.
    pub(crate) fn with_rows(vectors: &'a Vectors, metric: Metric, rows: &[usize]) -> Self {
        let mut index = Self::new(vectors, metric);
        rows.iter().for_each(|&row| index.push(row));
        index
    }

    pub(crate) fn push(&mut self, row: usize) {
        for (index, value) in self.vectors.row(row).entries() {
            self.postings[index as usize].push((self.rows.len(), value));
        }
        self.rows.push(row);
    }

    /// The indexed rows, in the order of `push`.
    pub(crate) fn rows(&self) -> &[usize] {
        &self.rows
    }

    /// The distances from `query` to every indexed row, in the order of `push`.
    pub(crate) fn distances<'s>(
        &self,
        query: VectorRow<'_>,
        scratch: &'s mut Scratch,
    ) -> &'s mut [f32] {
        let Scratch { dots, distances } = scratch;
        dots.clear();
        dots.resize(self.rows.len(), 0.0);
        for (index, value) in query.entries() {
            let value = f64::from(value);
            for &(position, other) in &self.postings[index as usize] {
                dots[position] += value * f64::from(other);
            }
        }
        distances.clear();
        distances.extend(
            self.rows
                .iter()
                .zip(dots)
                .map(|(&row, &mut dot)| self.metric.of_dot(query, self.vectors.row(row), dot)),
        );
        distances
    }

    /// The nearest indexed row, the first one on a tie; `None` if the index is empty.
    pub(crate) fn nearest(&self, query: VectorRow<'_>, scratch: &mut Scratch) -> Option<FoundRow> {
        let distances = self.distances(query, scratch).iter().enumerate();
        let found = distances.map(|(position, &distance)| FoundRow { position, distance });
        found.min_by(|first, second| first.distance.total_cmp(&second.distance))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::cluster::tests::vectors;

    #[test]
    fn nearest_of_equals_is_the_first() {
        let rows = vectors(&[&[0.0, 1.0], &[1.0, 0.0], &[2.0, 0.0], &[0.0, 0.0]]);
        let mut index = Index::new(&rows, Metric::Cosine);
        let mut scratch = Scratch::default();
        assert_eq!(index.nearest(rows.row(0), &mut scratch), None);
        [2, 1, 0].into_iter().for_each(|row| index.push(row));
        let nearest = |row: usize| index.nearest(rows.row(row), &mut Scratch::default());
        assert_eq!(
            nearest(1),
            Some(FoundRow {
                position: 0,
                distance: 0.0
            })
        );
        assert_eq!(
            nearest(0),
            Some(FoundRow {
                position: 2,
                distance: 0.0
            })
        );
        assert_eq!(
            nearest(3),
            Some(FoundRow {
                position: 0,
                distance: 1.0
            })
        );
    }
}
