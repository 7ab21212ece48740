//! Distances of all pairs of rows, from their dot products.
//!
//! Products are summed in `f64` and the result is rounded to `f32`, so that distances which are
//! equal on paper are equal here, whatever the order of their sums: the order of rows decides ties,
//! not noise. The cheaper of two ways to the dot products is taken: text vectors go through
//! postings (`search`), dense ones through blocks of a matrix product.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView2};

use crate::algorithms::cluster::metric::Metric;
use crate::algorithms::cluster::numbers::count;
use crate::algorithms::cluster::search::{Index, Scratch};
use crate::algorithms::cluster::vectors::Vectors;

/// The number of rows of one block of the matrix product: 64 rows of 1,000 dimensions are half a
/// megabyte, which fits into the second-level cache.
const BLOCK_ROWS: usize = 64;

/// The cost of an addition through a posting, in multiplications of a matrix product (measured with
/// 4,000 rows of 200 dimensions: both ways take the same time if half of the values are zeros).
const POSTING_COST: f64 = 4.0;

/// Calls `take(row, other, distances)` with the distances from `row` to `other`, `other + 1`, ...,
/// all of them after `row`, until every pair of rows has come once.
pub(crate) fn for_each_run(
    vectors: &Vectors,
    metric: Metric,
    take: impl FnMut(usize, usize, &[f32]),
) {
    if is_sparse(vectors) {
        runs_by_postings(vectors, metric, take);
    } else {
        runs_by_blocks(vectors, metric, take);
    }
}

fn is_sparse(vectors: &Vectors) -> bool {
    let n_rows = vectors.n_rows_by_dimension().into_iter().map(count);
    let additions: f64 = n_rows.map(|n_rows| n_rows * n_rows).sum();
    let products = count(vectors.len()) * count(vectors.len()) * count(vectors.dimensions());
    additions * POSTING_COST < products
}

fn runs_by_postings(vectors: &Vectors, metric: Metric, mut take: impl FnMut(usize, usize, &[f32])) {
    let mut index = Index::new(vectors, metric);
    let mut scratch = Scratch::default();
    // From the last row to the first: the index holds exactly the rows after this one, in
    // descending order.
    for row in (0..vectors.len()).rev() {
        let distances = index.distances(vectors.row(row), &mut scratch);
        distances.reverse();
        take(row, row + 1, distances);
        index.push(row);
    }
}

fn runs_by_blocks(vectors: &Vectors, metric: Metric, mut take: impl FnMut(usize, usize, &[f32])) {
    let blocks = || (0..vectors.len()).step_by(BLOCK_ROWS);
    let mut distances = Vec::with_capacity(BLOCK_ROWS);
    for upper in blocks() {
        let left = dense_block(vectors, upper);
        for lower in blocks().skip_while(|&lower| lower < upper) {
            let right = dense_block(vectors, lower);
            let dots = products(left.view(), right.view());
            for (row, dots) in (upper..).zip(dots.rows()) {
                let first = lower.max(row + 1);
                let others = (first..).zip(dots.iter().skip(first - lower));
                let others = others
                    .map(|(other, &dot)| metric.of_dot(vectors.row(row), vectors.row(other), dot));
                distances.clear();
                distances.extend(others);
                take(row, first, &distances);
            }
        }
    }
}

/// The rows from `first` on, at most `BLOCK_ROWS` of them.
fn dense_block(vectors: &Vectors, first: usize) -> Array2<f64> {
    let n_rows = BLOCK_ROWS.min(vectors.len() - first);
    let mut block = Array2::zeros((n_rows, vectors.dimensions()));
    for (row, mut dense) in (first..).zip(block.rows_mut()) {
        for (index, value) in vectors.row(row).entries() {
            dense[index as usize] = f64::from(value);
        }
    }
    block
}

fn products(left: ArrayView2<'_, f64>, right: ArrayView2<'_, f64>) -> Array2<f64> {
    let mut products = Array2::zeros((left.nrows(), right.nrows()));
    general_mat_mul(1.0, &left, &right.t(), 0.0, &mut products);
    products
}

/// The distances of all pairs, (0, 1), (0, 2), ..., (1, 2), ...: four bytes each, 32 MB for 4,000
/// rows.
pub(crate) fn condensed(vectors: &Vectors, metric: Metric) -> Vec<f32> {
    let n_rows = vectors.len();
    let mut condensed = vec![0.0; n_rows * n_rows.saturating_sub(1) / 2];
    for_each_run(vectors, metric, |row, other, distances| {
        let before = row * (2 * n_rows - row - 1) / 2;
        let start = before + other - row - 1;
        condensed[start..start + distances.len()].copy_from_slice(distances);
    });
    condensed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::cluster::metric::FARTHEST;
    use crate::algorithms::cluster::tests::{gaussian, vectors, words};
    use proptest::prelude::*;

    /// From the definition, without dot products.
    fn by_definition(metric: Metric, first: &[f32], second: &[f32]) -> f64 {
        let pairs = || {
            first
                .iter()
                .zip(second)
                .map(|(&a, &b)| (f64::from(a), f64::from(b)))
        };
        let norm = |row: &[f32]| {
            row.iter()
                .map(|&value| f64::from(value).powi(2))
                .sum::<f64>()
                .sqrt()
        };
        match metric {
            Metric::Euclidean => pairs().map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt(),
            Metric::Cosine if norm(first) * norm(second) > 0.0 => {
                1.0 - pairs().map(|(a, b)| a * b).sum::<f64>() / norm(first) / norm(second)
            }
            Metric::Cosine => 1.0,
        }
    }

    fn all(vectors: &Vectors, run: impl Fn(&mut dyn FnMut(usize, usize, &[f32]))) -> Vec<f32> {
        let n_rows = vectors.len();
        let mut matrix = vec![f32::NAN; n_rows * n_rows];
        run(&mut |row, other, distances| {
            assert!(other > row);
            matrix[row * n_rows + other..][..distances.len()].copy_from_slice(distances);
        });
        matrix
    }

    proptest! {
        #[test]
        fn both_ways_give_the_distances_of_the_definition(
            rows in proptest::collection::vec(proptest::collection::vec(prop_oneof![Just(0.0_f32), -9.0..9.0_f32], 5), 0..150)
        ) {
            let rows: Vec<_> = rows.iter().map(Vec::as_slice).collect();
            let vectors = vectors(&rows);
            for metric in [Metric::Cosine, Metric::Euclidean] {
                let sparse = all(&vectors, |take| runs_by_postings(&vectors, metric, take));
                let dense = all(&vectors, |take| runs_by_blocks(&vectors, metric, take));
                for (i, first) in rows.iter().enumerate() {
                    for (j, second) in rows.iter().enumerate().skip(i + 1) {
                        let expected = by_definition(metric, first, second);
                        for matrix in [&sparse, &dense] {
                            let distance = f64::from(matrix[i * rows.len() + j]);
                            prop_assert!((distance - expected).abs() < 1e-6 * (1.0 + expected), "{metric:?} {first:?} {second:?} {distance}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn odd_rows() {
        let rows = vectors(&[
            &[0.0, 0.0],
            &[3.0, 4.0],
            &[0.3, 0.4],
            &[-3.0, -4.0],
            &[f32::MAX, f32::MAX],
        ]);
        let check = |metric: Metric, first: usize, second: usize, expected: f32| {
            let distance = metric.between(rows.row(first), rows.row(second));
            assert!(
                (distance - expected).abs() <= 1e-6 * expected,
                "{metric:?} {first} {second} {distance}"
            );
        };
        check(Metric::Cosine, 0, 0, 1.0);
        check(Metric::Cosine, 0, 1, 1.0);
        check(Metric::Cosine, 1, 1, 0.0);
        check(Metric::Cosine, 1, 3, 2.0);
        check(Metric::Euclidean, 0, 1, 5.0);
        check(Metric::Euclidean, 1, 3, 10.0);
        check(Metric::Euclidean, 4, 4, 0.0);
        check(Metric::Euclidean, 0, 4, FARTHEST);
    }

    #[test]
    fn far_from_the_origin_nothing_is_lost() {
        let rows = vectors(&[&[1e6, 1e6], &[1e6, 1e6 + 0.125], &[1e6, 1e6]]);
        assert_eq!(condensed(&rows, Metric::Euclidean), [0.125, 0.0, 0.125]);
    }

    #[test]
    fn equal_rows_have_distance_0_both_ways() {
        for rows in [gaussian(40, 33, 1), words(40, 300, 1)] {
            let doubled: Vec<_> = (0..rows.len()).chain(0..rows.len()).collect();
            let doubled = rows.select(&doubled);
            for metric in [Metric::Cosine, Metric::Euclidean] {
                for matrix in [
                    all(&doubled, |take| runs_by_postings(&doubled, metric, take)),
                    all(&doubled, |take| runs_by_blocks(&doubled, metric, take)),
                ] {
                    for row in 0..rows.len() {
                        assert!(matrix[row * doubled.len() + row + rows.len()] <= 0.0);
                    }
                }
            }
        }
    }

    #[test]
    fn the_way_follows_the_density() {
        assert!(is_sparse(&words(100, 500, 1)));
        assert!(!is_sparse(&gaussian(100, 20, 1)));
    }

    #[test]
    fn few_rows() {
        assert!(condensed(&Vectors::new(3), Metric::Cosine).is_empty());
        assert!(condensed(&vectors(&[&[1.0]]), Metric::Cosine).is_empty());
        assert_eq!(condensed(&vectors(&[&[], &[]]), Metric::Cosine), [1.0]);
        assert_eq!(condensed(&vectors(&[&[], &[]]), Metric::Euclidean), [0.0]);
    }
}
