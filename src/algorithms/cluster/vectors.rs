//! The rows to cluster: sparse vectors of the same dimension.
//!
//! A vector of text has about ten non-zeros in hundreds of dimensions, so rows are stored as pairs
//! of index and value (compressed sparse rows); a dense row takes twice its size. Values are `f32`
//! as they arrive, sums are `f64`.

use std::cmp::Ordering;

use crate::algorithms::cluster::numbers::{count, to_f32};
use crate::error::{Error, Result};

/// Whether columns are brought to one scale before distances are computed.
///
/// ```
/// use datafusion_aiops::algorithms::cluster::Scale;
/// assert_eq!(Scale::default(), Scale::None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Scale {
    /// Values are taken as they are.
    #[default]
    None,
    /// Every column gets mean 0 and standard deviation 1 (of the population, as in scikit-learn's
    /// `StandardScaler`); a column with a single distinct value becomes 0. The rows are dense
    /// afterwards.
    Standard,
}

/// Rows of the same dimension; every value is finite.
///
/// ```
/// use datafusion_aiops::algorithms::cluster::Vectors;
///
/// let mut vectors = Vectors::new(2);
/// assert!(vectors.push(&[0.0, 1.0])?);
/// assert!(!vectors.push(&[f32::NAN, 1.0])?, "not taken");
/// assert!(vectors.push(&[1.0]).is_err(), "one value is missing");
/// assert_eq!(vectors.len(), 1);
/// # Ok::<(), datafusion_aiops::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Vectors {
    dimensions: usize,
    /// Row `i` has the entries from `ends[i - 1]` to `ends[i]`.
    ends: Vec<usize>,
    indices: Vec<u32>,
    values: Vec<f32>,
    /// The sum of the squares of each row.
    squares: Vec<f64>,
}

/// One row: its non-zero values with their dimensions, in ascending order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct VectorRow<'a> {
    pub(crate) indices: &'a [u32],
    pub(crate) values: &'a [f32],
    pub(crate) square: f64,
}

impl Vectors {
    /// Creates an empty set of rows with this many values each.
    ///
    /// ```
    /// use datafusion_aiops::algorithms::cluster::Vectors;
    /// assert!(Vectors::new(200).is_empty());
    /// ```
    pub fn new(dimensions: usize) -> Self {
        Self {
            dimensions,
            ends: vec![],
            indices: vec![],
            values: vec![],
            squares: vec![],
        }
    }

    /// Adds a row; returns `false` and does not add it if it holds NaN or an infinity.
    ///
    /// # Errors
    /// If the row does not have as many values as the others.
    ///
    /// ```
    /// use datafusion_aiops::algorithms::cluster::Vectors;
    ///
    /// let error = Vectors::new(3).push(&[1.0]).unwrap_err();
    /// assert_eq!(error.to_string(), "vectors need 3 values each, got one of 1");
    /// ```
    pub fn push(&mut self, row: &[f32]) -> Result<bool> {
        if row.len() != self.dimensions {
            return Err(Error::invalid_input(format!(
                "vectors need {} values each, got one of {}",
                self.dimensions,
                row.len()
            )));
        }
        if !row.iter().all(|value| value.is_finite()) {
            return Ok(false);
        }
        self.push_entries((0..).zip(row.iter().copied()));
        Ok(true)
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The number of values of a row.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// The size of all rows in bytes.
    pub(crate) fn memory_bytes(&self) -> usize {
        let entry = size_of::<u32>() + size_of::<f32>();
        let row = size_of::<usize>() + size_of::<f64>();
        self.indices.capacity() * entry + self.ends.capacity() * row
    }

    /// Adds a row from finite values with their dimensions, in ascending order.
    pub(crate) fn push_entries(&mut self, entries: impl Iterator<Item = (u32, f32)>) {
        let start = self.indices.len();
        for (index, value) in entries.filter(|(_, value)| *value != 0.0) {
            self.indices.push(index);
            self.values.push(value);
        }
        // Start from 0, since the sum of nothing is -0.
        let squares = self.values[start..].iter().map(|&value| square(value));
        self.squares
            .push(squares.fold(0.0, |sum, square| sum + square));
        self.ends.push(self.indices.len());
    }

    pub(crate) fn row(&self, row: usize) -> VectorRow<'_> {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        let entries = start..self.ends[row];
        VectorRow {
            indices: &self.indices[entries.clone()],
            values: &self.values[entries],
            square: self.squares[row],
        }
    }

    pub(crate) fn rows(&self) -> impl ExactSizeIterator<Item = VectorRow<'_>> {
        (0..self.len()).map(|row| self.row(row))
    }

    /// These rows, in this order.
    pub(crate) fn select(&self, rows: &[usize]) -> Self {
        let mut selected = Self::new(self.dimensions);
        for row in rows.iter().map(|&row| self.row(row)) {
            selected.push_entries(row.entries());
        }
        selected
    }

    /// The rows scaled to length 1; a zero row remains zero.
    pub(crate) fn normalized(&self) -> Self {
        let mut normalized = Self::new(self.dimensions);
        for row in self.rows() {
            let norm = row.square.sqrt();
            let unit = |value: f32| to_f32(f64::from(value) / norm);
            normalized.push_entries(row.entries().map(|(index, value)| (index, unit(value))));
        }
        normalized
    }

    /// The rows with the scale [`Scale::Standard`].
    pub(crate) fn standardized(&self) -> Self {
        let columns = Columns::of(self);
        let mut standardized = Self::new(self.dimensions);
        let mut dense = vec![0.0; self.dimensions];
        for row in self.rows() {
            dense.fill(0.0);
            row.add_to(1.0, &mut dense);
            let scaled = dense.iter().enumerate();
            let scaled = scaled.map(|(column, &value)| columns.scaled(column, value));
            standardized.push_entries((0..).zip(scaled));
        }
        standardized
    }

    /// Orders rows by their content; rows that compare equal are equal in every bit.
    pub(crate) fn compare(&self, first: usize, second: usize) -> Ordering {
        let (first, second) = (self.row(first), self.row(second));
        let bits = |row: VectorRow<'_>| -> Vec<u32> {
            row.values.iter().map(|value| value.to_bits()).collect()
        };
        let by_indices = first.indices.cmp(second.indices);
        by_indices.then_with(|| bits(first).cmp(&bits(second)))
    }

    /// The number of distinct rows.
    pub(crate) fn n_distinct(&self) -> usize {
        let mut order: Vec<_> = (0..self.len()).collect();
        order.sort_unstable_by(|&first, &second| self.compare(first, second));
        order.dedup_by(|first, second| self.compare(*first, *second).is_eq());
        order.len()
    }

    /// For every dimension, the number of rows that are not zero there.
    pub(crate) fn n_rows_by_dimension(&self) -> Vec<usize> {
        let mut n_rows = vec![0; self.dimensions];
        for &index in &self.indices {
            n_rows[index as usize] += 1;
        }
        n_rows
    }
}

impl VectorRow<'_> {
    pub(crate) fn entries(&self) -> impl Iterator<Item = (u32, f32)> {
        self.indices
            .iter()
            .copied()
            .zip(self.values.iter().copied())
    }

    /// Adds `factor` times the row to a dense vector.
    pub(crate) fn add_to(&self, factor: f64, dense: &mut [f64]) {
        for (index, value) in self.entries() {
            dense[index as usize] += factor * f64::from(value);
        }
    }

    /// The dot product with a dense vector.
    pub(crate) fn dot(&self, dense: &[f64]) -> f64 {
        let products = self
            .entries()
            .map(|(index, value)| dense[index as usize] * f64::from(value));
        products.sum()
    }
}

/// Mean and standard deviation of every column; the deviation is 0 if all values are the same.
struct Columns {
    means: Vec<f64>,
    deviations: Vec<f64>,
}

impl Columns {
    fn of(vectors: &Vectors) -> Self {
        let n_rows = count(vectors.len());
        let mut means = vec![0.0; vectors.dimensions];
        for row in vectors.rows() {
            row.add_to(1.0 / n_rows, &mut means);
        }
        // A zero is not stored; its distance from the mean is the mean.
        let n_stored = vectors.n_rows_by_dimension();
        let zeros = n_stored.iter().map(|&stored| n_rows - count(stored));
        let mut variances: Vec<_> = zeros
            .zip(&means)
            .map(|(zeros, mean)| zeros * mean * mean)
            .collect();
        for (index, value) in vectors
            .rows()
            .flat_map(|row| row.entries().collect::<Vec<_>>())
        {
            let distance = f64::from(value) - means[index as usize];
            variances[index as usize] += distance * distance;
        }
        let constant = constant_columns(vectors, &n_stored);
        let deviations = variances.iter().zip(constant);
        let deviations = deviations.map(|(variance, constant)| {
            if constant {
                0.0
            } else {
                (variance / n_rows).sqrt()
            }
        });
        Self {
            deviations: deviations.collect(),
            means,
        }
    }

    fn scaled(&self, column: usize, value: f64) -> f32 {
        let deviation = self.deviations[column];
        if deviation > 0.0 {
            to_f32((value - self.means[column]) / deviation)
        } else {
            0.0
        }
    }
}

/// Whether each column has a single distinct value; compared exactly, since the mean of equal
/// values can differ from them by rounding.
fn constant_columns(vectors: &Vectors, n_stored: &[usize]) -> Vec<bool> {
    let mut constant: Vec<_> = n_stored
        .iter()
        .map(|&stored| stored == 0 || stored == vectors.len())
        .collect();
    let mut first: Vec<Option<u32>> = vec![None; vectors.dimensions];
    for (&index, value) in vectors.indices.iter().zip(&vectors.values) {
        let first = first[index as usize].get_or_insert(value.to_bits());
        constant[index as usize] &= *first == value.to_bits();
    }
    constant
}

/// The exact square: 24 bits times 24 bits fit into an `f64`.
fn square(value: f32) -> f64 {
    f64::from(value) * f64::from(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::cluster::tests::vectors;

    fn dense(vectors: &Vectors) -> Vec<Vec<f64>> {
        let dense = vectors.rows().map(|row| {
            let mut dense = vec![0.0; vectors.dimensions()];
            row.add_to(1.0, &mut dense);
            dense
        });
        dense.collect()
    }

    #[test]
    fn rows_come_back() {
        let rows = vectors(&[&[0.0, 1.0, -0.0], &[0.0; 3], &[2.0, 0.0, 3.0]]);
        assert_eq!(rows.row(2).indices, [0, 2]);
        assert_eq!(
            rows.select(&[2, 0]),
            vectors(&[&[2.0, 0.0, 3.0], &[0.0, 1.0, 0.0]])
        );
        assert_eq!(rows.n_rows_by_dimension(), [1, 1, 1]);
        assert_eq!(rows.n_distinct(), 3);
        assert_eq!(rows.select(&[1, 0, 1, 0]).n_distinct(), 2);
        assert_eq!(Vectors::new(3).n_distinct(), 0);
    }

    #[test]
    fn not_finite_is_not_taken() {
        let mut rows = Vectors::new(1);
        for (value, taken) in [
            (1.0, true),
            (f32::NAN, false),
            (f32::INFINITY, false),
            (-f32::MAX, true),
        ] {
            assert_eq!(rows.push(&[value]), Ok(taken), "{value}");
        }
        assert_eq!(rows.len(), 2);
    }

    /// `sklearn.preprocessing.StandardScaler().fit_transform([[1, 5, 0], [2, 5, 1], [6, 5, 3]])`
    #[test]
    fn standard_scale() {
        let rows = vectors(&[&[1.0, 5.0, 0.0], &[2.0, 5.0, 1.0], &[6.0, 5.0, 3.0]]);
        let expected = [
            [-0.9258201, 0.0, -1.06904497],
            [-0.46291005, 0.0, -0.26726124],
            [1.38873015, 0.0, 1.33630621],
        ];
        for (row, expected) in dense(&rows.standardized()).iter().zip(expected) {
            for (value, expected) in row.iter().zip(expected) {
                assert!((value - expected).abs() < 1e-6, "{value} {expected}");
            }
        }
    }

    #[test]
    fn a_constant_column_becomes_0_despite_rounding() {
        let rows = vectors(&[&[0.1], &[0.1], &[0.1]]);
        assert_eq!(rows.standardized(), vectors(&[&[0.0], &[0.0], &[0.0]]));
    }
}
