//! A grouping of rows: for each row the number of its cluster. Clusters are numbered from 0 in the
//! order of their first rows.

use std::collections::HashMap;

/// Groups rows that have the same key.
pub(crate) fn number_by_first_row(keys: impl IntoIterator<Item = usize>) -> Vec<usize> {
    let mut numbers = HashMap::new();
    let number = |key: usize| {
        let next = numbers.len();
        *numbers.entry(key).or_insert(next)
    };
    keys.into_iter().map(number).collect()
}

/// The number of clusters.
pub(crate) fn n_clusters(labels: &[usize]) -> usize {
    labels.iter().max().map_or(0, |last| last + 1)
}

/// The rows of each cluster, in ascending order.
pub(crate) fn members(labels: &[usize]) -> Vec<Vec<usize>> {
    let mut members = vec![vec![]; n_clusters(labels)];
    for (row, &label) in labels.iter().enumerate() {
        members[label].push(row);
    }
    members
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_rows_come_first() {
        assert_eq!(number_by_first_row([7, 3, 7, 0, 3]), [0, 1, 0, 2, 1]);
        assert_eq!(members(&[0, 1, 0, 2, 1]), [vec![0, 2], vec![1, 4], vec![3]]);
        assert_eq!(n_clusters(&[]), 0);
        assert!(members(&[]).is_empty());
    }
}
