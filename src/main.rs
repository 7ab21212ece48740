//! `datafusion-aiops`: SQL over log files and Parquet with this crate's functions, from a prompt, a
//! file or a pipe.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod shell;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    shell::main()
}
