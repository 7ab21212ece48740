//! Count windows: every `n` rows, in the order in which they come, are a window.
//!
//! Rows are numbered from 0. Window `k` holds the rows from `k * n` up to `(k + 1) * n` and is
//! complete with its last row: there is no watermark, and no row is late. The batches in which rows
//! come change the pieces but never the windows.

use crate::algorithms::windows::Span;
use crate::error::{Error, Result};

/// Divides rows into windows of `n` rows each. It counts up to `u64::MAX` rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CountWindows {
    n: u64,
    n_seen: u64,
}

/// Consecutive rows of one push that belong to the same window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WindowShare {
    /// The row numbers of the whole window when it is complete.
    pub(crate) window: Span,
    /// The number of rows of this push that belong to it; at least one.
    pub(crate) n_rows: u64,
    /// Whether the last of these rows is the last one of the window.
    pub(crate) is_complete: bool,
}

impl CountWindows {
    /// Windows of `n` rows.
    ///
    /// # Errors
    /// If `n` is 0.
    pub(crate) fn new(n: u64) -> Result<Self> {
        if n == 0 {
            return Err(Error::invalid_option(
                "a count window needs at least 1 row, got 0",
            ));
        }
        Ok(Self { n, n_seen: 0 })
    }

    /// Continues after this many rows.
    pub(crate) fn go_on_at(&mut self, n_seen: u64) {
        self.n_seen = n_seen;
    }

    /// The number of rows that were counted.
    pub(crate) fn n_seen(&self) -> u64 {
        self.n_seen
    }

    /// Whether this many more rows complete a window.
    pub(crate) fn completes_with(&self, n_rows: u64) -> bool {
        self.n_seen % self.n + n_rows >= self.n
    }

    /// Counts the next rows and returns how they split, in order. The rows are counted even if the
    /// iterator is not consumed.
    pub(crate) fn push(&mut self, n_rows: u64) -> impl Iterator<Item = WindowShare> + use<> {
        let n = self.n;
        let mut row = self.n_seen;
        let end = row.saturating_add(n_rows);
        self.n_seen = end;
        std::iter::from_fn(move || {
            let missing = n - row % n;
            let n_rows = missing.min(end - row);
            let piece = WindowShare {
                window: window(n, row),
                n_rows,
                is_complete: n_rows == missing,
            };
            row += n_rows;
            (n_rows > 0).then_some(piece)
        })
    }

    /// The window that has begun and is not complete, which remains when no more rows come.
    pub(crate) fn finish(&self) -> Option<Span> {
        (!self.n_seen.is_multiple_of(self.n)).then(|| window(self.n, self.n_seen))
    }
}

/// The window of the row with this number.
fn window(n: u64, row: u64) -> Span {
    let start = row - row % n;
    Span {
        start: saturated(start),
        end: saturated(start.saturating_add(n)),
    }
}

fn saturated(row: u64) -> i64 {
    i64::try_from(row).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Checks start, end, number of rows, and whether the window is complete.
    #[track_caller]
    fn check(windows: &mut CountWindows, n_rows: u64, expected: &[(i64, i64, u64, bool)]) {
        let pieces: Vec<_> = windows
            .push(n_rows)
            .map(|piece| {
                let window = piece.window;
                (window.start, window.end, piece.n_rows, piece.is_complete)
            })
            .collect();
        assert_eq!(pieces, expected);
    }

    #[test]
    fn pieces() {
        let mut windows = CountWindows::new(3).unwrap();
        assert_eq!(windows.finish(), None);
        check(&mut windows, 0, &[]);
        check(&mut windows, 2, &[(0, 3, 2, false)]);
        assert_eq!(windows.finish(), Some(Span { start: 0, end: 3 }));
        check(&mut windows, 1, &[(0, 3, 1, true)]);
        assert_eq!(windows.finish(), None);
        let expected = [(3, 6, 3, true), (6, 9, 3, true), (9, 12, 1, false)];
        check(&mut windows, 7, &expected);
        assert_eq!(windows.finish(), Some(Span { start: 9, end: 12 }));
        check(&mut windows, 0, &[]);
    }

    #[test]
    fn windows_of_no_rows_are_refused() {
        let error = CountWindows::new(0).unwrap_err().to_string();
        assert_eq!(error, "a count window needs at least 1 row, got 0");
    }

    #[test]
    fn rows_count_though_the_pieces_are_not_read() {
        let mut windows = CountWindows::new(3).unwrap();
        drop(windows.push(2));
        check(&mut windows, 2, &[(0, 3, 1, true), (3, 6, 1, false)]);
    }

    #[test]
    fn numbers_beyond_the_range_saturate() {
        let half = i64::MAX.cast_unsigned();
        let mut windows = CountWindows::new(half).unwrap();
        let expected = [
            (0, i64::MAX, half, true),
            (i64::MAX, i64::MAX, half, true),
            (i64::MAX, i64::MAX, 1, false),
        ];
        check(&mut windows, u64::MAX, &expected);
        check(&mut windows, 5, &[]);
        let mut windows = CountWindows::new(u64::MAX).unwrap();
        check(&mut windows, u64::MAX, &[(0, i64::MAX, u64::MAX, true)]);
    }

    proptest! {
        #[test]
        fn every_row_is_in_its_window(n in 1..6u64, pushes in prop::collection::vec(0..20u64, 0..20)) {
            let mut windows = CountWindows::new(n).unwrap();
            let mut row = 0;
            for n_rows in pushes {
                let end = row + n_rows;
                for piece in windows.push(n_rows) {
                    prop_assert!(piece.n_rows > 0);
                    let start = i64::try_from(row / n * n).unwrap();
                    let window = Span { start, end: start + i64::try_from(n).unwrap() };
                    prop_assert_eq!(piece.window, window);
                    row += piece.n_rows;
                    let window_end = window.end.cast_unsigned();
                    prop_assert!(row <= window_end);
                    prop_assert_eq!(piece.is_complete, row == window_end);
                }
                prop_assert_eq!(row, end);
                prop_assert_eq!(windows.finish().is_some(), row % n != 0);
            }
        }
    }
}
