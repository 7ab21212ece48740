//! What must be written down about a range of a source, so that it is cut into the same windows
//! when it is read again without the rows before it.

use serde::{Deserialize, Serialize};

/// Notes on one range. Tumbling and hopping windows need none: the window of a row depends on its
/// time alone, and a row that was late belongs to a window that has run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RangeNotes {
    /// Sessions: the rows that were late, as runs of their numbers in the range, each from its
    /// first number to the one after its last. What made them late may not be read again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) late_rows: Vec<(u64, u64)>,
    /// Count windows: rows of the range that were on time.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) n_rows: u64,
    /// Count windows: rows that wait for the watermark after the range.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) n_waiting: u64,
    /// Count windows: how many rows have been numbered by the end of the range.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) n_numbered: u64,
}

/// Adds the row with this number to runs of rows; numbers must ascend.
pub(crate) fn add_to_runs(runs: &mut Vec<(u64, u64)>, number: u64) {
    match runs.last_mut() {
        Some((_, end)) if *end == number => *end += 1,
        _ => runs.push((number, number + 1)),
    }
}

/// Whether the row with this number is in one of these runs.
pub(crate) fn is_in_runs(runs: &[(u64, u64)], number: u64) -> bool {
    let before = runs.partition_point(|(start, _)| *start <= number);
    let run = before.checked_sub(1).and_then(|place| runs.get(place));
    run.is_some_and(|(_, end)| number < *end)
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The number of the first row of the first of these ranges, chosen so that after the last range as
/// many rows are numbered as when it was first read.
pub(crate) fn first_number(ranges: &[RangeNotes]) -> u64 {
    let n_rows: u64 = ranges.iter().map(|range| range.n_rows).sum();
    ranges.last().map_or(0, |last| {
        let n_again = n_rows.saturating_sub(last.n_waiting);
        last.n_numbered.saturating_sub(n_again)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_short() {
        let text = serde_json::to_string(&RangeNotes::default()).unwrap();
        assert_eq!(text, "{}");
        let notes: RangeNotes = serde_json::from_str("{}").unwrap();
        assert_eq!(notes, RangeNotes::default());
    }

    #[test]
    fn rows_are_kept_as_runs() {
        let mut runs = vec![];
        for number in [2, 3, 4, 7, 9, 10] {
            add_to_runs(&mut runs, number);
        }
        assert_eq!(runs, [(2, 5), (7, 8), (9, 11)]);
        let found: Vec<u64> = (0..12)
            .filter(|number| is_in_runs(&runs, *number))
            .collect();
        assert_eq!(found, [2, 3, 4, 7, 9, 10]);
        assert!(!is_in_runs(&[], 0));
    }

    #[test]
    fn numbers_go_on() {
        // 100 rows have numbers; of the 30 that are read again, 10 wait.
        let range = |n_rows, n_waiting, n_numbered| RangeNotes {
            n_rows,
            n_waiting,
            n_numbered,
            ..RangeNotes::default()
        };
        assert_eq!(first_number(&[range(20, 3, 90), range(10, 10, 100)]), 80);
        assert_eq!(first_number(&[range(5, 0, 5)]), 0);
        assert_eq!(first_number(&[]), 0);
    }
}
