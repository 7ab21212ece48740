//! The shell: arguments, a session, and statements from the command line, files, a pipe or a
//! prompt.
//!
//! It uses datafusion-cli as a library (its printing, its object stores, its backslash commands)
//! and differs where a batch job needs it: the first failing statement ends the run with exit code
//! 1, only results are written to standard output, no format loses rows, and an error is a sentence
//! with a hint.

mod arguments;
mod commands;
mod completion;
mod errors;
mod execute;
mod external_table;
mod nested;
mod progress;
mod prompt;
mod run;
mod runtime;
mod script;
mod session;
mod signals;
mod visible;
#[cfg(feature = "distributed")]
mod worker;

use std::io::{IsTerminal, stdin};
use std::process::ExitCode;
use std::sync::OnceLock;

use datafusion::common::Result;
use datafusion::error::DataFusionError;

use crate::shell::arguments::{Action, CommandLine};
use crate::shell::errors::report;
use crate::shell::execute::Shell;
use crate::shell::run::Job;
use crate::shell::script::{SqlScript, run_script};
use crate::shell::signals::EndsOn;

/// The stack of every thread that plans or runs statements: the deepest plan that is accepted runs
/// in a debug build (`tests/it/limits.rs`) with room to spare. This reserves addresses, not memory:
/// the system provides memory only for pages that are touched.
const STACK_BYTES: usize = 256 << 20;

/// Runs the shell with the process's arguments.
pub(crate) fn main() -> ExitCode {
    env_logger::init();
    let arguments = CommandLine::read();
    // A spilling exchange has a file open for each batch. If the limit cannot be raised, it stays
    // as it is.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    // The stack of the main thread depends on the system's settings; that of a new thread is known.
    let shell = std::thread::Builder::new()
        .name("shell".to_string())
        .stack_size(STACK_BYTES)
        .spawn(move || start(arguments));
    match shell.map(std::thread::JoinHandle::join) {
        Ok(Ok(code)) => code,
        // The panic has already been printed.
        Ok(Err(_)) => ExitCode::FAILURE,
        Err(error) => failed(&error.into()),
    }
}

fn start(arguments: CommandLine) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(STACK_BYTES)
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    let code = match runtime.block_on(run(arguments)) {
        Ok(code) => code,
        Err(error) => failed(&error),
    };
    // A thread that waits for the next line of a live table must not keep the process alive.
    runtime.shutdown_background();
    code
}

fn failed(error: &DataFusionError) -> ExitCode {
    report(error);
    ExitCode::FAILURE
}

async fn run(arguments: CommandLine) -> Result<ExitCode> {
    let is_interactive = arguments.has_no_sql() && stdin().is_terminal();
    // Files are read before the working directory changes: their paths are relative to the
    // caller's.
    let mut scripts = script::read_files(&arguments.rc)?;
    if is_interactive && arguments.rc.is_empty() {
        scripts.extend(script::read_default_rc());
    }
    scripts.extend(script::read_files(&arguments.file)?);
    scripts.extend(arguments.command.iter().cloned().map(SqlScript::Command));
    if arguments.has_no_sql() && !is_interactive {
        scripts.push(SqlScript::Stdin);
    }
    let job = match &arguments.action {
        Some(Action::Run(run)) => Some(Job::read(run)?),
        #[cfg(feature = "distributed")]
        Some(Action::Worker(worker)) => return worker::serve(&arguments, worker).await,
        None => None,
    };
    if let Some(folder) = &arguments.data_path {
        std::env::set_current_dir(folder)?;
    }

    let (context, print) = session::open(&arguments, is_interactive)?;
    let ends_on = match (&job, is_interactive) {
        (Some(_), _) => EndsOn::Neither,
        (None, true) => EndsOn::Terminate,
        (None, false) => EndsOn::Both,
    };
    let mut shell = Shell {
        context,
        print,
        is_quiet: arguments.quiet,
        ends_on,
        ending: OnceLock::new(),
        stdin_is_known: OnceLock::new(),
        scan_notes: std::sync::Mutex::default(),
    };
    for script in scripts {
        let has_run = run_script(&shell, script).await;
        if !has_run && !is_interactive {
            return Ok(ExitCode::FAILURE);
        }
    }
    if let Some(job) = job {
        return Ok(run::run(&mut shell, job).await);
    }
    if is_interactive {
        prompt::run(&mut shell).await?;
    }
    Ok(ExitCode::SUCCESS)
}
