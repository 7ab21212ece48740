//! The tests of the crate as a user has it: one binary.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod log_table;
