//! Pipelines: statements that run on every window of a table, in order, so that each window counts
//! exactly once.
//!
//! # How
//! ```text
//! script       the statements: those that run once, and those that run on every window
//! statement    one of them: its text, its line and its errors
//! body         those that run on every window: what they may be, and how one runs
//! run          the windows in turn, each with its files and its transaction
//! feed         the windows, each until it is done, also after a crash
//! checkpoint   what is written down for that
//! ```
//!
//! A statement is planned again on every window. It sees only the rows of this window and what the
//! statements before it have written. Its effect counts once. A table of files gets one file for
//! each window, and a window that runs again replaces its file by the same one. All that a window
//! writes into a database is one transaction, which also records that the window is done.

pub(crate) mod body;
mod checkpoint;
mod feed;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
pub(crate) mod pipeline_options;
pub(crate) mod run;
pub(crate) mod script;
mod statement;
#[cfg(test)]
mod tests;
