//! Runs statements in order: from the command line, from files, from a pipe. The first failure ends
//! the run.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use datafusion::common::{Result, exec_datafusion_err};
use datafusion_aiops::Statements;

use crate::shell::arguments::is_stdin;
use crate::shell::errors::{StatementOrigin, is_broken_pipe, report, report_statement};
use crate::shell::execute::Shell;

/// SQL text, and its name in errors.
#[derive(Debug)]
pub(crate) enum SqlScript {
    /// An argument of -c.
    Command(String),
    /// A file's name and text.
    File(String, String),
    /// Standard input, read while it runs.
    Stdin,
}

/// Reads the files; `-` is read later.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn read_files(files: &[PathBuf]) -> Result<Vec<SqlScript>> {
    files.iter().map(|file| read_file(file)).collect()
}

/// Reads one file.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn read_file(file: &Path) -> Result<SqlScript> {
    if is_stdin(file) {
        return Ok(SqlScript::Stdin);
    }
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file)
        .map_err(|error| exec_datafusion_err!("the file '{name}' cannot be read: {error}"))?;
    Ok(SqlScript::File(name, text))
}

/// The file that runs before the first prompt, if there is one.
pub(crate) fn read_default_rc() -> Option<SqlScript> {
    let folder = match std::env::var_os("XDG_CONFIG_HOME") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(std::env::var_os("HOME")?).join(".config"),
    };
    let file = folder.join("datafusion-aiops").join("rc.sql");
    file.is_file().then(|| read_file(&file).ok())?
}

/// Runs a script up to its first failing statement, which it reports. Returns false if there was
/// one.
pub(crate) async fn run_script(shell: &Shell, script: SqlScript) -> bool {
    match script {
        SqlScript::Command(text) => {
            run_statements(shell, &mut Statements::whole(&text), None).await
        }
        SqlScript::File(name, text) => {
            run_statements(shell, &mut Statements::whole(&text), Some(&name)).await
        }
        SqlScript::Stdin => run_stdin(shell).await,
    }
}

/// Runs the SQL of standard input, each statement as soon as its `;` arrives. Returns false if one
/// failed.
async fn run_stdin(shell: &Shell) -> bool {
    const NAME: Option<&str> = Some("standard input");
    let mut statements = Statements::default();
    let mut line = String::new();
    loop {
        line.clear();
        match std::io::stdin().lock().read_line(&mut line) {
            Ok(0) => break,
            Ok(_) => statements.push(&line),
            Err(error) => {
                report(&error.into());
                return false;
            }
        }
        let may_run = line.contains(';') || statements.is_too_long();
        if may_run && !run_statements(shell, &mut statements, NAME).await {
            return false;
        }
    }
    statements.finish();
    run_statements(shell, &mut statements, NAME).await
}

/// Runs the complete statements. An error is reported with `name` and its line, or without either
/// if there is no name.
async fn run_statements(shell: &Shell, statements: &mut Statements, name: Option<&str>) -> bool {
    while let Some(statement) = statements.next(shell.dialect()) {
        let Err(error) = shell.execute(&statement).await else {
            continue;
        };
        // A reader that closed the pipe (`| head`) has what it wanted: the run ends, and has not
        // failed.
        if is_broken_pipe(&error) {
            std::process::exit(0);
        }
        let line = statement.line();
        let origin = name.map(|name| StatementOrigin { name, line });
        report_statement(&error, &shell.asked(&statement), origin);
        return false;
    }
    true
}
