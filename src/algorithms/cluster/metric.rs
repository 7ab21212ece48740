//! The distance of two rows.

use std::cmp::Ordering;

use crate::algorithms::cluster::numbers::to_f32;
use crate::algorithms::cluster::vectors::VectorRow;

/// How the distance of two rows is measured.
///
/// ```
/// use datafusion_aiops::algorithms::cluster::Metric;
/// assert_eq!(Metric::default(), Metric::Cosine);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Metric {
    /// 1 - cos, from 0 (same direction) to 2 (opposite). A zero row has distance 1 to every other
    /// row, even to another zero row: a text without any known word has nothing known in common
    /// with any other.
    #[default]
    Cosine,
    /// The Euclidean length of the difference.
    Euclidean,
}

/// The greatest distance; greater ones count as this one, so that the sums of their squares in
/// Ward's linkage stay below the greatest `f32` (3.4e38) with any possible number of rows.
pub(super) const FARTHEST: f32 = 1e15;

/// The share of the squares below which a squared distance, their difference, has lost digits that
/// an `f32` would show (2^-52 / 1e-7 is 2e-9 of it). It is then computed from the differences of
/// the values.
const CANCELLED: f64 = 1e-7;

impl Metric {
    /// The distance of two rows, given their dot product.
    pub(crate) fn of_dot(self, first: VectorRow<'_>, second: VectorRow<'_>, dot: f64) -> f32 {
        match self {
            Self::Cosine => 1.0 - cosine(first.square, second.square, dot),
            Self::Euclidean => {
                let squares = first.square + second.square;
                let square = squares - 2.0 * dot;
                let square = if square < CANCELLED * squares {
                    square_of_difference(first, second)
                } else {
                    square
                };
                to_f32(square.sqrt()).min(FARTHEST)
            }
        }
    }

    /// The distance of two rows.
    pub(crate) fn between(self, first: VectorRow<'_>, second: VectorRow<'_>) -> f32 {
        let mut dot = 0.0;
        for_each_dimension(first, second, |first, second| dot += first * second);
        self.of_dot(first, second, dot)
    }
}

/// The cosine of the angle. It is rounded before it is subtracted from 1, so that the distance of
/// equal rows is exactly 0.
fn cosine(first_square: f64, second_square: f64, dot: f64) -> f32 {
    let product = first_square * second_square;
    // Most pairs of texts have no word in common and need neither a root nor a division.
    if dot != 0.0 && product > 0.0 {
        to_f32(dot / product.sqrt()).clamp(-1.0, 1.0)
    } else {
        0.0
    }
}

fn square_of_difference(first: VectorRow<'_>, second: VectorRow<'_>) -> f64 {
    let mut sum = 0.0;
    for_each_dimension(first, second, |first, second| {
        sum += (first - second) * (first - second)
    });
    sum
}

/// Calls `take` with both values of every dimension in which at least one of them is not 0.
fn for_each_dimension(first: VectorRow<'_>, second: VectorRow<'_>, mut take: impl FnMut(f64, f64)) {
    let (mut i, mut j) = (0, 0);
    while i < first.indices.len() && j < second.indices.len() {
        let order = first.indices[i].cmp(&second.indices[j]);
        let left = if order.is_le() {
            f64::from(first.values[i])
        } else {
            0.0
        };
        let right = if order.is_ge() {
            f64::from(second.values[j])
        } else {
            0.0
        };
        take(left, right);
        i += usize::from(order != Ordering::Greater);
        j += usize::from(order != Ordering::Less);
    }
    first.values[i..]
        .iter()
        .for_each(|&value| take(f64::from(value), 0.0));
    second.values[j..]
        .iter()
        .for_each(|&value| take(0.0, f64::from(value)));
}
