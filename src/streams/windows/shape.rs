//! The shapes of windows, and the two columns that windows add to the rows of a table.

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{Result, ScalarValue, internal_err};

use crate::algorithms::units::{MICROSECOND, MILLISECOND, SECOND};

/// What a window function adds to the columns of a table.
pub(crate) const WINDOW_START: &str = "window_start";
pub(crate) const WINDOW_END: &str = "window_end";

/// How rows are cut into windows. Lengths are in nanoseconds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum WindowShape {
    /// A window of this size at every multiple of the slide.
    Grid { slide: i64, size: i64 },
    /// Rows that follow each other within the gap and have the same values in the key columns.
    Session { gap: i64, keys: Vec<usize> },
    /// Windows of this many rows.
    Rows { n_rows: u64 },
}

/// The nanoseconds of a unit of time.
pub(crate) fn nanoseconds_of(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => SECOND,
        TimeUnit::Millisecond => MILLISECOND,
        TimeUnit::Microsecond => MICROSECOND,
        TimeUnit::Nanosecond => 1,
    }
}

/// A bound of a window as a value of this type.
pub(crate) fn bound(value: i64, data_type: &DataType) -> Result<ScalarValue> {
    match data_type {
        DataType::Int64 => Ok(ScalarValue::Int64(Some(value))),
        DataType::Timestamp(unit, _) => {
            let value = value.div_euclid(nanoseconds_of(*unit));
            ScalarValue::Int64(Some(value)).cast_to(data_type)
        }
        other => internal_err!("windows of {other}"),
    }
}
