//! All integration tests in one binary.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation
)]

mod copy;
mod differential;
#[cfg(feature = "distributed")]
mod distributed;
mod docs;
mod extend;
mod golden;
mod imports;
mod invariance;
mod limits;
mod live;
mod log_formats;
mod log_table;
mod masking;
mod memory;
mod object_store;
mod over;
mod pipeline;
mod readme;
mod shell;
mod slt;
mod sql_files;
mod sqlite;
mod stored;
mod story;
mod tidy;
mod upstream;
mod values;
