//! All integration tests in one binary.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod log_table;
mod masking;
mod shell;
mod slt;
