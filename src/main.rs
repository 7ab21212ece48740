//! `datafusion-aiops`: SQL over log files and Parquet with this crate's functions, from a prompt, a file or a pipe.

mod shell;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    shell::main()
}
