//! Pipelines: statements that run on every window of a table, in order, and so that each window
//! counts exactly once.
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
//! A statement is planned afresh on every window and sees the rows of this window alone, and what
//! the statements before it have written. Its effect counts once: a table of files gets one file
//! for each window, which is replaced by the same one if the window runs again; all that a window
//! writes into a database is one transaction, in which it is written down that the window is done.

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
