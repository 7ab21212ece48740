//! What a pipeline prints while it runs: a line for each window, on standard error.

use datafusion::arrow::util::display::array_value_to_string;
use datafusion::common::{Result, ScalarValue};
use datafusion_aiops::{Pipeline, StatementOutcome, WindowReport};

/// The totals of the windows that have run.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    n_windows: u64,
    n_rows: usize,
    n_late_rows: u64,
}

impl Progress {
    /// Counts a window, and returns its line:
    /// `2026-03-02 06:10:00 .. 06:10:30  57 rows  templates +3  answered +57  14 ms`.
    ///
    /// # Errors
    /// None in practice: bounds are times or numbers.
    pub(crate) fn add(&mut self, window: &WindowReport) -> Result<String> {
        let n_late = window.n_late_rows.saturating_sub(self.n_late_rows);
        self.n_windows += 1;
        self.n_rows += window.n_rows;
        self.n_late_rows = window.n_late_rows;

        let (start, end) = (shown(&window.window_start)?, shown(&window.window_end)?);
        let mut parts = vec![
            format!("{start} .. {}", without_day_of(&start, &end)),
            counted(window.n_rows as u64, "row"),
        ];
        for outcome in &window.outcomes {
            if let StatementOutcome::Inserted { table, n_rows } = outcome
                && *n_rows > 0
            {
                parts.push(format!("{table} +{n_rows}"));
            }
        }
        if n_late > 0 {
            parts.push(format!("{n_late} late"));
        }
        parts.push(format!("{} ms", window.elapsed.as_millis()));
        Ok(parts.join("  "))
    }

    /// The last line: what this run has done.
    pub(crate) fn sum(&self, pipeline: &Pipeline) -> String {
        let (windows, rows) = (
            counted(self.n_windows, "window"),
            counted(self.n_rows as u64, "row"),
        );
        let mut parts = vec![windows, rows];
        match pipeline.n_late_rows() {
            0 => {}
            n_late => parts.push(format!("{n_late} late")),
        }
        match pipeline.n_rows_without_time() {
            0 => {}
            n_rows => parts.push(format!("{n_rows} without a time")),
        }
        parts.join(", ")
    }
}

fn counted(number: u64, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    }
}

/// A bound of a window: a time as people write it, or a number.
fn shown(bound: &ScalarValue) -> Result<String> {
    let text = array_value_to_string(&bound.to_array()?, 0)?;
    Ok(text.trim_end_matches('Z').replace('T', " "))
}

/// The end of a window, without its day if that is the day of its start.
fn without_day_of<'a>(start: &str, end: &'a str) -> &'a str {
    match (start.split_once(' '), end.split_once(' ')) {
        (Some((start_day, _)), Some((day, time))) if start_day == day => time,
        _ => end,
    }
}

#[cfg(test)]
mod tests {
    use super::{shown, without_day_of};
    use datafusion::common::ScalarValue;

    #[test]
    fn bounds() {
        let time = |seconds, zone: Option<&str>| {
            ScalarValue::TimestampSecond(Some(seconds), zone.map(Into::into))
        };
        for (start, end, expected) in [
            (
                time(0, None),
                time(30, None),
                "1970-01-01 00:00:00 .. 00:00:30",
            ),
            (
                time(86370, Some("UTC")),
                time(86400, Some("UTC")),
                "1970-01-01 23:59:30 .. 1970-01-02 00:00:00",
            ),
            (
                ScalarValue::TimestampMillisecond(Some(500), None),
                ScalarValue::TimestampMillisecond(Some(750), None),
                "1970-01-01 00:00:00.500 .. 00:00:00.750",
            ),
            (
                ScalarValue::Int64(Some(400)),
                ScalarValue::Int64(Some(800)),
                "400 .. 800",
            ),
        ] {
            let (start, end) = (shown(&start).unwrap(), shown(&end).unwrap());
            let told = format!("{start} .. {}", without_day_of(&start, &end));
            assert_eq!(told, expected);
        }
    }
}
