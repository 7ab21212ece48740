//! The options of `CREATE EXTERNAL TABLE … STORED AS SQLITE`, checked once at CREATE.
//!
//! | option | value |
//! | --- | --- |
//! | `table` | the table in the file; default: the name of the SQL table |
//! | `busy_timeout` | how long a lock of another program is waited for; default `5 seconds` |

use std::collections::HashMap;
use std::time::Duration;

use datafusion::common::{Result, plan_err};

use crate::time::parse_duration_or_zero;

/// As long as people wait without asking, and the default of most SQLite tools.
const DEFAULT_BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// SQLite counts milliseconds in 31 bits.
const MAX_BUSY_TIMEOUT: Duration = Duration::from_millis(i32::MAX as u64);

/// The checked options.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SqliteOptions {
    pub(crate) table: Option<String>,
    pub(crate) busy_timeout: Duration,
}

impl SqliteOptions {
    /// Reads the options as DataFusion passes them, with `format.` before each name.
    ///
    /// # Errors
    /// When an option is unknown or a value is not allowed.
    pub(crate) fn try_new(options: &HashMap<String, String>) -> Result<Self> {
        let mut checked = Self {
            table: None,
            busy_timeout: DEFAULT_BUSY_TIMEOUT,
        };
        for (key, value) in options {
            match key.strip_prefix("format.").unwrap_or(key) {
                "table" if is_own_name(value) => {
                    return plan_err!("Option table '{value}' is a table of SQLite's own");
                }
                "table" if value.is_empty() => {
                    return plan_err!("Option table must name a table, got ''");
                }
                "table" => checked.table = Some(value.clone()),
                "busy_timeout" => checked.busy_timeout = busy_timeout(value)?,
                name => {
                    return plan_err!(
                        "Unknown option '{name}' for STORED AS SQLITE. Valid options are: busy_timeout, table"
                    );
                }
            }
        }
        Ok(checked)
    }
}

/// Whether SQLite reserves this name for itself.
pub(crate) fn is_own_name(name: &str) -> bool {
    let prefix = name.get(.."sqlite_".len());
    prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case("sqlite_"))
}

fn busy_timeout(value: &str) -> Result<Duration> {
    let nanoseconds = parse_duration_or_zero(value).and_then(|value| u64::try_from(value).ok());
    match nanoseconds.map(Duration::from_nanos) {
        Some(timeout) if timeout <= MAX_BUSY_TIMEOUT => Ok(timeout),
        _ => plan_err!(
            "Option busy_timeout must be a length of time such as '500ms', '5 seconds' or '1 minute', and at most 24 \
             days, got '{value}'"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(options: &[(&str, &str)]) -> Result<SqliteOptions> {
        let options = options
            .iter()
            .map(|(key, value)| (format!("format.{key}"), value.to_string()));
        SqliteOptions::try_new(&options.collect())
    }

    #[test]
    fn wrong_options_say_what_to_write() {
        for (name, value, expected) in [
            (
                "tabel",
                "x",
                "Unknown option 'tabel' for STORED AS SQLITE. Valid options are: busy_timeout, table",
            ),
            ("table", "", "must name a table"),
            ("table", "SQLITE_master", "a table of SQLite's own"),
            (
                "busy_timeout",
                "5",
                "must be a length of time such as '500ms'",
            ),
            ("busy_timeout", "30 days", "at most 24 days, got '30 days'"),
        ] {
            let error = options(&[(name, value)]).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn right_options() {
        let given = options(&[("table", "a\"b"), ("busy_timeout", "0s")]).unwrap();
        assert_eq!(given.table.as_deref(), Some("a\"b"));
        assert_eq!(given.busy_timeout, Duration::ZERO);
        assert_eq!(options(&[]).unwrap().busy_timeout, Duration::from_secs(5));
    }
}
