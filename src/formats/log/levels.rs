//! Levels that a format writes as codes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The severities of syslog, from 0.
const SYSLOG: [&str; 8] = [
    "EMERGENCY",
    "ALERT",
    "CRITICAL",
    "ERROR",
    "WARNING",
    "NOTICE",
    "INFO",
    "DEBUG",
];
/// The levels of bunyan and pino, from 10 in steps of 10.
const JSON: [&str; 6] = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];

/// What the codes of a format mean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Levels {
    Numbers(LevelNumbers),
    Codes(BTreeMap<String, String>),
}

/// Numbers as levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LevelNumbers {
    /// A syslog severity, or a priority, whose last three bits are the severity.
    Syslog,
    Json,
}

impl Default for Levels {
    fn default() -> Self {
        Self::Codes(BTreeMap::new())
    }
}

impl Levels {
    /// The level that a code stands for; a text that is no code is a level itself.
    pub(crate) fn level<'a>(&'a self, text: &'a str) -> &'a str {
        let level = match self {
            Self::Codes(codes) => codes.get(text).map(String::as_str),
            Self::Numbers(numbers) => text.parse().ok().and_then(|number| numbers.level(number)),
        };
        level.unwrap_or(text)
    }
}

impl LevelNumbers {
    fn level(self, number: usize) -> Option<&'static str> {
        match self {
            Self::Syslog => SYSLOG.get(number % SYSLOG.len()).copied(),
            Self::Json if number.is_multiple_of(10) => {
                JSON.get((number / 10).checked_sub(1)?).copied()
            }
            Self::Json => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LevelNumbers, Levels};

    #[test]
    fn numbers_are_levels() {
        for (numbers, text, expected) in [
            (LevelNumbers::Syslog, "3", "ERROR"),
            (LevelNumbers::Syslog, "165", "NOTICE"),
            (LevelNumbers::Json, "50", "ERROR"),
            (LevelNumbers::Json, "35", "35"),
            (LevelNumbers::Json, "0", "0"),
            (LevelNumbers::Json, "70", "70"),
            (LevelNumbers::Json, "warn", "warn"),
        ] {
            assert_eq!(Levels::Numbers(numbers).level(text), expected);
        }
    }
}
