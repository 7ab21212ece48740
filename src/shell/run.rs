//! `run`: runs the statements of a file on every window of a table, with a checkpoint, until the
//! table ends or the run is stopped.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use datafusion::common::{Result, exec_datafusion_err};
use datafusion::error::DataFusionError;
use datafusion_aiops::{
    Pipeline, PipelineEnd, PipelineOptions, PipelineScript, PipelineStopper, SplitStatement,
    StatementOutcome, Statements, WindowReport,
};

use crate::shell::arguments::RunArguments;
use crate::shell::errors::{Asked, StatementOrigin, is_broken_pipe, report, report_statement, say};
use crate::shell::execute::Shell;
use crate::shell::external_table::register_store;
use crate::shell::progress::Progress;
use crate::shell::signals::{EndsOn, Signals};

/// What to run.
#[derive(Debug)]
pub(crate) struct Job {
    /// The path of the file, as it was given.
    file: String,
    text: String,
    /// The location of the checkpoint, as it was given.
    checkpoint: String,
    options: PipelineOptions,
}

impl Job {
    /// Reads the file. A checkpoint that is a folder is relative to the caller's working directory,
    /// even if that changes later.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn read(arguments: &RunArguments) -> Result<Self> {
        let file = arguments.file.display().to_string();
        let text = std::fs::read_to_string(&arguments.file)
            .map_err(|error| exec_datafusion_err!("the file '{file}' cannot be read: {error}"))?;
        let name = match &arguments.name {
            Some(name) => name.clone(),
            None => name_of(&arguments.file),
        };
        let mut options = PipelineOptions::new(&name).with_end(match arguments {
            arguments if arguments.once => PipelineEnd::CaughtUp,
            arguments if arguments.until_idle => PipelineEnd::Idle,
            _ => PipelineEnd::Never,
        });
        if arguments.accept_changes {
            options = options.with_accepted_changes();
        }
        let checkpoint = if is_url(&arguments.checkpoint) {
            arguments.checkpoint.clone()
        } else {
            absolute(&arguments.checkpoint)?
        };
        Ok(Self {
            file,
            text,
            checkpoint,
            options,
        })
    }

    fn statements(&self, shell: &Shell) -> Vec<SplitStatement> {
        let mut statements = Statements::whole(&self.text);
        std::iter::from_fn(|| statements.next(shell.dialect())).collect()
    }
}

/// An error, and the line of the statement that it belongs to.
struct Failure {
    line: Option<u64>,
    error: DataFusionError,
}

impl From<DataFusionError> for Failure {
    fn from(error: DataFusionError) -> Self {
        let (line, error) = Pipeline::line_of(error);
        Self { line, error }
    }
}

/// Runs a pipeline until it ends, and reports its errors.
pub(crate) async fn run(shell: &mut Shell, job: Job) -> ExitCode {
    let statements = job.statements(shell);
    let Err(failure) = run_statements(shell, &job, &statements).await else {
        return ExitCode::SUCCESS;
    };
    // A reader that closed the pipe (`| head`) has what it wanted.
    if is_broken_pipe(&failure.error) {
        return ExitCode::SUCCESS;
    }
    let statement = |line| statements.iter().find(|other| other.line() == line);
    match failure.line {
        Some(line) => {
            let asked = statement(line).map_or_else(Asked::default, |found| shell.asked(found));
            let name = job.file.as_str();
            report_statement(&failure.error, &asked, Some(StatementOrigin { name, line }));
        }
        None => report(&failure.error),
    }
    ExitCode::FAILURE
}

async fn run_statements(
    shell: &mut Shell,
    job: &Job,
    statements: &[SplitStatement],
) -> Result<(), Failure> {
    check_commands(statements)?;
    let mut script = PipelineScript::new(&shell.context, [&job.text])?;
    // The catalog of the script's session refers to that of the old session, which must stay alive.
    let _outer = std::mem::replace(&mut shell.context, script.context().clone());
    while let Some(number) = script.next_setup().await? {
        let Some(statement) = statements.get(number) else {
            continue;
        };
        let line = Some(statement.line());
        let run = shell.execute(statement).await;
        run.map_err(|error| Failure { line, error })?;
    }
    if is_url(&job.checkpoint) {
        register_store(&shell.context, &job.checkpoint, &HashMap::new()).await?;
    }
    let mut pipeline = script.start(&job.checkpoint, job.options.clone()).await?;
    stop_on_signals(pipeline.stopper(), shell.is_quiet)?;
    note(shell, || beginning(&pipeline, job));
    let mut progress = Progress::default();
    let mut answered = HashSet::new();
    let mut problem = None;
    while let Some(window) = pipeline.next_window().await? {
        let line = progress.add(&window)?;
        print_answers(shell, window, &mut answered).await?;
        note(shell, || line);
        warn(&pipeline, &mut problem);
    }
    warn(&pipeline, &mut problem);
    let how = if pipeline.is_stopped() {
        "stopped"
    } else {
        "done"
    };
    note(shell, || format!("{how}: {}", progress.sum(&pipeline)));
    Ok(())
}

/// Reports a problem of reading if it is new.
fn warn(pipeline: &Pipeline, told: &mut Option<String>) {
    let problem = pipeline.last_problem();
    if problem != *told
        && let Some(problem) = &problem
    {
        say(&format!("warning: {problem}"));
    }
    *told = problem;
}

/// Refuses `\d` and other commands of the prompt.
fn check_commands(statements: &[SplitStatement]) -> Result<(), Failure> {
    for statement in statements {
        let text = statement.text();
        if text.starts_with('\\') {
            let command = text.split_whitespace().next().unwrap_or_default();
            return Err(Failure {
                line: Some(statement.line()),
                error: exec_datafusion_err!(
                    "{command} is a command of the prompt: a pipeline is SQL alone"
                ),
            });
        }
    }
    Ok(())
}

/// Prints the results of a window. `answered` has the statements that have answered before.
async fn print_answers(
    shell: &Shell,
    window: WindowReport,
    answered: &mut HashSet<usize>,
) -> Result<()> {
    for (number, outcome) in window.outcomes.into_iter().enumerate() {
        let StatementOutcome::Answered(mut batches) = outcome else {
            continue;
        };
        batches.retain(|batch| batch.num_rows() > 0);
        if !batches.is_empty() {
            let is_first = answered.insert(number);
            shell.print_answer(batches, is_first).await?;
        }
    }
    Ok(())
}

fn beginning(pipeline: &Pipeline, job: &Job) -> String {
    let from = match pipeline.n_windows() {
        0 => "begins".to_string(),
        n_windows => format!("resumes after window {n_windows}"),
    };
    let (source, checkpoint) = (pipeline.source(), &job.checkpoint);
    format!("reads {source}, checkpoint {checkpoint}, {from}")
}

/// Prints a note beside the results, unless notes are unwanted.
fn note(shell: &Shell, text: impl FnOnce() -> String) {
    if !shell.is_quiet {
        say(&text());
    }
}

/// Makes SIGTERM and Ctrl-C end the pipeline after the window that it runs; the second signal ends
/// it at once.
fn stop_on_signals(stopper: PipelineStopper, is_quiet: bool) -> Result<()> {
    let Some(mut signals) = Signals::listen(EndsOn::Both)? else {
        return Ok(());
    };
    tokio::spawn(async move {
        signals.next().await;
        if !is_quiet {
            say("stops after this window; a second signal ends it at once");
        }
        stopper.stop();
        let code = signals.next().await;
        std::process::exit(code);
    });
    Ok(())
}

fn is_url(checkpoint: &str) -> bool {
    checkpoint.contains("://") && !checkpoint.starts_with("file://")
}

fn absolute(checkpoint: &str) -> Result<String> {
    if checkpoint.is_empty() || checkpoint.starts_with("file://") {
        return Ok(checkpoint.to_string());
    }
    let path: PathBuf = std::path::absolute(checkpoint)?;
    Ok(path.display().to_string())
}

/// The name of the file as the name of a pipeline, which becomes part of the names of files.
fn name_of(file: &Path) -> String {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let is_plain = |character: char| character.is_alphanumeric() || "-_.".contains(character);
    let name: String = stem
        .chars()
        .map(|character| if is_plain(character) { character } else { '-' })
        .collect();
    let name = name.trim_start_matches(['.', '_']);
    if name.is_empty() {
        "pipeline".to_string()
    } else {
        name.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::name_of;
    use std::path::Path;

    #[test]
    fn names() {
        for (file, expected) in [
            ("jobs/log_clustering.sql", "log_clustering"),
            ("a b+c.sql", "a-b-c"),
            ("_x.sql", "x"),
            ("._.sql", "pipeline"),
            ("größe.v2.sql", "größe.v2"),
        ] {
            assert_eq!(name_of(Path::new(file)), expected, "{file}");
        }
    }
}
