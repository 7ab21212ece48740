//! Above `max_exact_rows`, a bounded number of leaders represent all rows.
//!
//! Hartigan's leader algorithm ("Clustering Algorithms", 1975, chapter 3) takes the rows in order:
//! a row within the radius of a leader follows it, any other becomes a leader. The radius begins at
//! 0, so that equal rows share a leader and nothing is lost while there are few distinct rows. When
//! there are too many leaders, the radius grows and the algorithm runs on the leaders themselves,
//! as in Charikar, Chekuri, Feder and Motwani, "Incremental clustering and dynamic information
//! retrieval" (STOC 1997). They double the radius; here it becomes the median distance of a leader
//! to its nearest, which frees about a third of them, and grows by at least a tenth. The leaders
//! are then clustered exactly, each counting as one row, and every row follows its nearest leader.
//!
//! If clusters are cut at a threshold, the radius does not grow beyond it, so that no row follows a
//! leader that it could not be merged with. If there are still too many leaders, the first ones
//! remain, and rows that are near none of them are left for another round.
//!
//! A test in `fit` measures how far this differs from exact clustering; the loss grows with the
//! radius, and so with the number of distinct rows above the limit.

use crate::algorithms::cluster::distance::for_each_run;
use crate::algorithms::cluster::metric::Metric;
use crate::algorithms::cluster::search::{Index, Scratch};
use crate::algorithms::cluster::vectors::Vectors;

/// The least factor by which the radius grows. It bounds how often the algorithm runs on the
/// leaders: by the logarithm, to this base, of the largest distance over the smallest. It is small
/// because cosine distances have little room: at a radius near 1 all rows share one leader.
const GROWTH: f32 = 1.1;

/// The rows that lead and, for each row, the position in them of the leader that it follows, if one
/// is near enough.
#[derive(Debug)]
pub(crate) struct Leaders {
    pub(crate) rows: Vec<usize>,
    pub(crate) followed: Vec<Option<usize>>,
}

/// Finds at most `max_leaders` leaders, at least one, and the leader of each row within
/// `max_radius`.
pub(crate) fn leaders(
    vectors: &Vectors,
    metric: Metric,
    max_leaders: usize,
    max_radius: f32,
) -> Leaders {
    let max_leaders = max_leaders.max(1);
    let mut scratch = Scratch::default();
    let mut index = Index::new(vectors, metric);
    let mut radius = 0.0;
    for row in 0..vectors.len() {
        if radius >= max_radius && index.rows().len() == max_leaders {
            break;
        }
        lead(&mut index, vectors, row, radius, &mut scratch);
        while index.rows().len() > max_leaders {
            let mut leaders = index.rows().to_vec();
            if radius >= max_radius {
                leaders.truncate(max_leaders);
            } else {
                radius = next_radius(&vectors.select(&leaders), metric, radius).min(max_radius);
            }
            index = Index::new(vectors, metric);
            leaders
                .iter()
                .for_each(|&leader| lead(&mut index, vectors, leader, radius, &mut scratch));
        }
    }
    let mut follow = |row| {
        let leader = index.nearest(row, &mut scratch);
        let near = leader.filter(|leader| leader.distance <= max_radius);
        near.map(|leader| leader.position)
    };
    let followed = vectors.rows().map(&mut follow).collect();
    Leaders {
        rows: index.rows().to_vec(),
        followed,
    }
}

/// Makes the row a leader if it is not within the radius of one.
fn lead(index: &mut Index<'_>, vectors: &Vectors, row: usize, radius: f32, scratch: &mut Scratch) {
    let leader = index.nearest(vectors.row(row), scratch);
    if leader.is_none_or(|leader| leader.distance > radius) {
        index.push(row);
    }
}

/// The median distance of a leader to its nearest, but at least a tenth more than the radius.
fn next_radius(leaders: &Vectors, metric: Metric, radius: f32) -> f32 {
    let mut nearest = vec![f32::INFINITY; leaders.len()];
    for_each_run(leaders, metric, |row, other, distances| {
        for (other, &distance) in (other..).zip(distances) {
            nearest[row] = nearest[row].min(distance);
            nearest[other] = nearest[other].min(distance);
        }
    });
    let middle = nearest.len() / 2;
    let (_, median, _) = nearest.select_nth_unstable_by(middle, f32::total_cmp);
    median.max(GROWTH * radius)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::cluster::tests::{vectors, words};

    #[test]
    fn equal_rows_share_a_leader() {
        let rows = vectors(&[&[1.0], &[2.0], &[1.0], &[2.0], &[1.0]]);
        let leaders = leaders(&rows, Metric::Euclidean, 2, f32::INFINITY);
        assert_eq!(leaders.rows, [0, 1]);
        assert_eq!(leaders.followed, [0, 1, 0, 1, 0].map(Some));
    }

    #[test]
    fn nobody_follows_from_beyond_the_radius() {
        let rows = vectors(&[&[0.0], &[10.0], &[20.0], &[1.0], &[21.0]]);
        let leaders = leaders(&rows, Metric::Euclidean, 2, 2.0);
        assert_eq!(leaders.rows, [0, 1]);
        assert_eq!(leaders.followed, [Some(0), Some(1), None, Some(0), None]);
    }

    #[test]
    fn their_number_is_bounded() {
        for rows in [words(300, 50, 1), vectors(&[[0.0, 0.0].as_slice(); 20])] {
            for metric in [Metric::Cosine, Metric::Euclidean] {
                for max_leaders in [0, 1, 10] {
                    let leaders = leaders(&rows, metric, max_leaders, f32::INFINITY);
                    assert!(leaders.rows.len() <= max_leaders.max(1));
                    assert_eq!(leaders.followed.len(), rows.len());
                }
            }
        }
    }

    #[test]
    fn no_rows() {
        assert!(
            leaders(&Vectors::new(2), Metric::Cosine, 10, 1.0)
                .rows
                .is_empty()
        );
    }
}
