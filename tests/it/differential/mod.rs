//! One query, many settings: what may not matter does not.
//!
//! `corpus` runs all that tests/slt and sql/ have, `random` runs joins, groups and windows over
//! tables whose columns share names and asks SQLite too. The default is a part of it that fits a
//! test run, always the same; `AIOPS_DIFFERENTIAL=all` runs every file with every setting,
//! `AIOPS_FILES=text` those whose path has the text, `AIOPS_QUERIES=n` and `AIOPS_SEED=n` other
//! random queries.

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
