//! The interactive prompt: line editing, history, completion, backslash commands. Ctrl-C stops a
//! query.

use std::path::{Path, PathBuf};

use datafusion::common::{Result, plan_datafusion_err};
use datafusion::error::DataFusionError;
use datafusion_aiops::Statements;
use datafusion_cli::command::{Command, OutputFormat};
use datafusion_cli::functions::Function;
use rustyline::Editor;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;

use crate::shell::commands::command_of;
use crate::shell::completion::PromptHelper;
use crate::shell::errors::{report, report_statement, say};
use crate::shell::execute::Shell;
use crate::shell::script::{read_file, run_script};

/// Reads and runs statements until the input ends or `\q`.
///
/// # Errors
/// When the terminal cannot be used. The error of a statement is reported, and the prompt returns.
pub(crate) async fn run(shell: &mut Shell) -> Result<()> {
    let mut editor: Editor<PromptHelper, FileHistory> = Editor::new().map_err(external)?;
    editor.set_helper(Some(PromptHelper::new(
        shell.context.clone(),
        shell.print.color,
    )));
    let history = history_file();
    if let Some(file) = &history {
        // The first time, there is no history.
        let _ = editor.load_history(file);
    }
    if !shell.is_quiet {
        let version = env!("CARGO_PKG_VERSION");
        say(&format!(
            "datafusion-aiops {version} on DataFusion {}",
            datafusion::DATAFUSION_VERSION
        ));
    }
    loop {
        match editor.readline("> ") {
            Ok(entry) => {
                remember(&mut editor, &entry, history.as_deref());
                let goes_on = match command_of(&entry) {
                    Some(command) => run_command(shell, command).await,
                    None => {
                        run_entry(shell, &entry).await;
                        true
                    }
                };
                if !goes_on {
                    return Ok(());
                }
            }
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => return Ok(()),
            Err(error) => return Err(external(error)),
        }
    }
}

fn external(error: ReadlineError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// Returns `$XDG_STATE_HOME/datafusion-aiops/history` or `~/.local/state/datafusion-aiops/history`,
/// and creates the folder.
fn history_file() -> Option<PathBuf> {
    let state = match std::env::var_os("XDG_STATE_HOME") {
        Some(folder) if Path::new(&folder).is_absolute() => PathBuf::from(folder),
        _ => PathBuf::from(std::env::var_os("HOME")?).join(".local/state"),
    };
    let folder = state.join("datafusion-aiops");
    std::fs::create_dir_all(&folder).ok()?;
    Some(folder.join("history"))
}

/// Adds an entry to the history at once, so that nothing is lost if the shell is killed.
fn remember(editor: &mut Editor<PromptHelper, FileHistory>, entry: &str, file: Option<&Path>) {
    let is_new = editor.add_history_entry(entry.trim_end()).unwrap_or(false);
    if let (true, Some(file)) = (is_new, file) {
        // If the history cannot be written, the shell continues without it.
        let _ = editor.append_history(file);
    }
}

/// Runs the statements of one entry up to the first that fails.
async fn run_entry(shell: &Shell, entry: &str) {
    let mut statements = Statements::whole(entry);
    while let Some(statement) = statements.next(shell.dialect()) {
        match until_ctrl_c(shell.execute(&statement)).await {
            Some(Ok(())) => {}
            Some(Err(error)) => return report_statement(&error, &shell.asked(&statement), None),
            None => return,
        }
    }
}

/// The result of the work, or `None` if Ctrl-C comes first, which drops the work and so stops its
/// query.
async fn until_ctrl_c<T>(work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        done = work => Some(done),
        _ = tokio::signal::ctrl_c() => {
            say("\nstopped");
            None
        }
    }
}

/// Runs a command, given without its backslash. Returns false if the shell must end.
async fn run_command(shell: &mut Shell, command: &str) -> bool {
    let words: Vec<&str> = command.split_whitespace().collect();
    let result = match words.join(" ").parse::<Command>() {
        Ok(Command::Quit) => return false,
        Ok(Command::Include(Some(file))) => {
            // datafusion-cli would run the file without the checks of this shell.
            match read_file(Path::new(&file)) {
                Ok(script) => {
                    // The script reports its own errors.
                    let _ = until_ctrl_c(run_script(shell, script)).await;
                    Ok(())
                }
                Err(error) => Err(error),
            }
        }
        Ok(Command::SearchFunctions(name)) if name.parse::<Function>().is_err() => {
            run_entry(
                shell,
                &format!("SHOW FUNCTIONS LIKE '{}%'", name.replace('\'', "''")),
            )
            .await;
            Ok(())
        }
        Ok(Command::OutputFormat(setting)) => set_output(shell, setting.as_deref()),
        Ok(command) => {
            let mut print = shell.print.clone();
            let result = until_ctrl_c(command.execute(&shell.context, &mut print)).await;
            shell.print = print;
            result.unwrap_or(Ok(()))
        }
        Err(()) => Err(plan_datafusion_err!(
            "\\{command} is no command: \\? lists the commands"
        )),
    };
    if let Err(error) = result {
        report(&error);
    }
    true
}

/// `\pset` and `\pset format csv`.
fn set_output(shell: &mut Shell, setting: Option<&str>) -> Result<()> {
    let Some(setting) = setting else {
        let format = format!("{:?}", shell.print.format).to_lowercase();
        say(&format!("the output format is {format}"));
        return Ok(());
    };
    setting
        .parse::<OutputFormat>()
        .map_err(|()| plan_datafusion_err!("write \\pset format, then a format such as csv"))?
        .execute(&mut shell.print)
}
