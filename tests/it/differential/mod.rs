//! One query, many settings: settings that must not matter do not.
//!
//! `corpus` runs everything in tests/slt and sql/; `random` runs joins, groups and windows over
//! tables whose columns share names, and asks SQLite too. By default, a fixed part runs that is
//! short enough for a test run. `AIOPS_DIFFERENTIAL=all` runs every file with every setting,
//! `AIOPS_FILES=text` the files whose path contains the text, and `AIOPS_QUERIES=n` and
//! `AIOPS_SEED=n` other random queries.

mod answers;
mod corpus;
mod generator;
mod random;
mod settings;

/// A number from the environment.
fn number(name: &str, default: u64) -> u64 {
    let given = std::env::var(name).ok().and_then(|text| text.parse().ok());
    given.unwrap_or(default)
}
