//! The nearest known cluster of new rows; one or more representatives stand for each cluster.

use crate::algorithms::cluster::metric::Metric;
use crate::algorithms::cluster::numbers::to_f32;
use crate::algorithms::cluster::search::{Index, Scratch};
use crate::algorithms::cluster::vectors::Vectors;
use crate::error::{Error, Result};

/// The assignment of one row.
///
/// ```
/// use datafusion_aiops::algorithms::cluster::Assignment;
/// let assignment = Assignment { representative: 3, distance: 0.9, is_new: true };
/// assert!(assignment.is_new, "too far from its nearest representative");
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Assignment {
    /// The row of the nearest representative, the first one on a tie.
    pub representative: usize,
    /// The distance to it.
    pub distance: f32,
    /// Whether the distance exceeds the threshold, so that the row belongs to none of the known
    /// clusters.
    pub is_new: bool,
}

/// Finds the nearest representative of rows. Vectors are compared as they are: `scale=standard`
/// scales the rows of one clustering and has no meaning for single rows that come later.
///
/// ```
/// use datafusion_aiops::algorithms::cluster::{Assigner, Metric, Vectors};
///
/// let mut known = Vectors::new(2);
/// assert!(known.push(&[1.0, 0.0])? && known.push(&[0.0, 1.0])?);
/// let mut rows = Vectors::new(2);
/// assert!(rows.push(&[0.1, 5.0])? && rows.push(&[-1.0, 0.0])?);
///
/// let found = Assigner::new(known, Metric::Cosine, 0.5)?.assign(&rows)?;
/// assert_eq!(found[0].map(|found| (found.representative, found.is_new)), Some((1, false)));
/// assert_eq!(found[1].map(|found| (found.distance, found.is_new)), Some((1.0, true)));
/// # Ok::<(), datafusion_aiops::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Assigner {
    representatives: Vectors,
    metric: Metric,
    threshold: f32,
}

impl Assigner {
    /// Creates an assigner; a row farther than the threshold from all representatives is new.
    ///
    /// # Errors
    /// If the threshold is negative or not a finite number.
    pub fn new(representatives: Vectors, metric: Metric, threshold: f64) -> Result<Self> {
        Ok(Self {
            representatives,
            metric,
            threshold: check_threshold(threshold)?,
        })
    }

    /// For each row its nearest representative; `None` if there are no representatives.
    ///
    /// # Errors
    /// If the rows do not have the dimension of the representatives.
    pub fn assign(&self, rows: &Vectors) -> Result<Vec<Option<Assignment>>> {
        let known = &self.representatives;
        if rows.dimensions() != known.dimensions() {
            return Err(Error::invalid_input(format!(
                "the representatives have {} values each, the vectors {}",
                known.dimensions(),
                rows.dimensions()
            )));
        }
        let all: Vec<_> = (0..known.len()).collect();
        let index = Index::with_rows(known, self.metric, &all);
        let mut scratch = Scratch::default();
        let assign = |row| {
            let found = index.nearest(row, &mut scratch)?;
            Some(Assignment {
                representative: found.position,
                distance: found.distance,
                is_new: found.distance > self.threshold,
            })
        };
        Ok(rows.rows().map(assign).collect())
    }
}

/// Rounds the threshold like the distances that are compared with it, so that 0.8 includes a
/// distance of 0.8.
///
/// # Errors
/// If the threshold is negative or not a finite number.
pub(crate) fn check_threshold(threshold: f64) -> Result<f32> {
    if threshold.is_finite() && threshold >= 0.0 {
        return Ok(to_f32(threshold));
    }
    Err(Error::invalid_option(format!(
        "threshold is a distance and needs to be 0 or more, got {threshold}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::cluster::tests::vectors;

    #[test]
    fn edges() {
        let known = vectors(&[&[3.0, 4.0], &[3.0, 4.0], &[0.0, 0.0]]);
        let check = |threshold: f64, row: &[f32], expected: (usize, f32, bool)| {
            let assigner = Assigner::new(known.clone(), Metric::Euclidean, threshold).unwrap();
            let found = assigner.assign(&vectors(&[row])).unwrap()[0].unwrap();
            assert_eq!(
                (found.representative, found.distance, found.is_new),
                expected
            );
        };
        check(1.0, &[3.0, 4.0], (0, 0.0, false));
        check(1.0, &[3.0, 5.0], (0, 1.0, false));
        check(0.5, &[3.0, 5.0], (0, 1.0, true));
        check(0.0, &[0.0, 0.0], (2, 0.0, false));
    }

    #[test]
    fn nothing_is_known() {
        let assigner = Assigner::new(Vectors::new(1), Metric::Cosine, 0.5).unwrap();
        assert_eq!(assigner.assign(&vectors(&[&[1.0]])).unwrap(), [None]);
    }

    #[test]
    fn refused() {
        let known = Vectors::new(2);
        for threshold in [-0.1, f64::NAN, f64::INFINITY] {
            let error = Assigner::new(known.clone(), Metric::Cosine, threshold).unwrap_err();
            assert!(error.to_string().starts_with("threshold"), "{error}");
        }
        let error = Assigner::new(known.clone(), Metric::Cosine, 1.0)
            .unwrap()
            .assign(&Vectors::new(3))
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "the representatives have 2 values each, the vectors 3"
        );
    }
}
