//! The command line: the arguments of datafusion-cli, so that its users know this shell.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, CommandFactory, Parser, Subcommand};
use datafusion_cli::object_storage::instrumented::InstrumentedObjectStoreMode;
use datafusion_cli::object_storage::is_stdin_location;
use datafusion_cli::pool_type::PoolType;
use datafusion_cli::print_format::PrintFormat;
use datafusion_cli::print_options::MaxRows;

const EXAMPLES: &str = "\
Examples:
  The most frequent error templates of a folder of logs:
    datafusion-aiops -c \"CREATE EXTERNAL TABLE logs STORED AS LOG LOCATION '/var/log/app/'; SELECT log_template(message) AS template, count(*) AS n FROM logs GROUP BY 1 ORDER BY n DESC LIMIT 10\"
  The same over a Parquet file:
    datafusion-aiops -c \"SELECT log_template(message) AS template, count(*) AS n FROM 'logs.parquet' GROUP BY 1 ORDER BY n DESC LIMIT 10\"
  The same every 30 seconds, of what is being written (Ctrl-C ends it):
    datafusion-aiops -c \"CREATE UNBOUNDED EXTERNAL TABLE logs STORED AS LOG LOCATION '/var/log/app/' OPTIONS (read_from 'end'); SELECT window_start, log_template(message) AS template, count(*) AS n FROM tumble(logs, INTERVAL '30 seconds') GROUP BY 1, 2 QUALIFY row_number() OVER (PARTITION BY window_start ORDER BY n DESC) <= 10\"
  Lines of a pipe as they come:
    journalctl -f | datafusion-aiops -c \"SELECT message FROM stdin WHERE message LIKE '%error%'\"
  A job in a file:
    datafusion-aiops -f job.sql
  A job that runs on every window of a live table, and goes on where it was stopped or killed:
    datafusion-aiops run pipeline.sql --checkpoint /var/lib/aiops/errors";

const RUN_EXAMPLE: &str = "\
Example:
  errors.sql:
    CREATE UNBOUNDED EXTERNAL TABLE logs STORED AS LOG LOCATION '/var/log/app/' OPTIONS (
        pattern '^(?<ts>\\S+) (?<level>[A-Z]+) (?<message>.*)$');
    CREATE EXTERNAL TABLE errors (ts TIMESTAMP, template TEXT, message TEXT) STORED AS PARQUET LOCATION '/data/errors/';
    INSERT INTO errors SELECT ts, log_template(message), message FROM tumble(logs, ts, INTERVAL '30 seconds') WHERE level = 'ERROR';

  datafusion-aiops run errors.sql --checkpoint /var/lib/aiops/errors

What stands before the first statement that reads windows runs once, whenever this is started. From there on all statements
run on every window, in order. INSERT INTO a table of files writes one file for each window. After SIGTERM, Ctrl-C or a
crash the same command resumes after the last window that has run, and every window counts once.";

/// datafusion-aiops runs SQL over log files, Parquet, CSV and JSON, with functions that turn log
/// lines into templates with stable ids.
///
/// Log files are tables: CREATE EXTERNAL TABLE logs STORED AS LOG LOCATION '/var/log/app/'
///
/// Live ones too: CREATE UNBOUNDED EXTERNAL TABLE follows files that are being written; the table
/// stdin is standard input.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES, disable_help_subcommand = true)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    pub(crate) action: Option<Action>,

    /// Run these statements, then exit; the first that fails ends the run with exit code 1
    #[arg(short = 'c', long, num_args = 1.., value_name = "SQL", value_parser = parse_command)]
    pub(crate) command: Vec<String>,

    /// Run the statements of these files ('-' is standard input) before those of -c, then exit
    #[arg(short, long, num_args = 1.., value_name = "FILE")]
    pub(crate) file: Vec<PathBuf>,

    /// How results are printed; automatic is a table
    #[arg(long, value_enum, default_value_t = PrintFormat::Automatic, value_name = "FORMAT", global = true)]
    pub(crate) format: PrintFormat,

    /// The number of rows a table shows, or 'inf' (other formats always print all)
    #[arg(long, default_value = "40", value_name = "ROWS", global = true)]
    pub(crate) maxrows: MaxRows,

    /// Print results and errors only
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,

    /// Work in this folder
    #[arg(short = 'p', long, value_name = "FOLDER", value_parser = parse_folder, global = true)]
    pub(crate) data_path: Option<PathBuf>,

    /// The memory that queries may use, such as 512m or 10g [default: no limit]
    #[arg(short = 'm', long, value_name = "SIZE", value_parser = parse_size, global = true)]
    pub(crate) memory_limit: Option<usize>,

    /// How operators share the memory: greedy or fair
    #[arg(long, default_value_t = PoolType::Greedy, value_name = "TYPE", global = true)]
    pub(crate) mem_pool_type: PoolType,

    /// The disk space that queries may use for spilling [default: 100g]
    #[arg(short = 'd', long, value_name = "SIZE", value_parser = parse_size, global = true)]
    pub(crate) disk_limit: Option<usize>,

    /// The number of rows in a batch [default: 8192]
    #[arg(short = 'b', long, value_name = "ROWS", value_parser = parse_batch_size, global = true)]
    pub(crate) batch_size: Option<usize>,

    /// Run these files first [default: ~/.config/datafusion-aiops/rc.sql, at the prompt only]
    #[arg(short = 'r', long, num_args = 1.., value_name = "FILE", global = true)]
    pub(crate) rc: Vec<PathBuf>,

    /// Highlight the SQL that is typed at the prompt
    #[arg(long, global = true)]
    pub(crate) color: bool,

    /// Print the requests to object stores: disabled, summary or trace
    #[arg(long, default_value = "disabled", value_name = "MODE", global = true)]
    pub(crate) object_store_profiling: InstrumentedObjectStoreMode,

    /// Run statements over archives on these workers, as `SET aiops.workers` does; each address of
    /// a host name is one
    #[cfg(feature = "distributed")]
    #[arg(long, value_name = "HOST:PORT,..")]
    pub(crate) workers: Option<String>,

    #[cfg(feature = "distributed")]
    #[command(flatten)]
    pub(crate) security: SecurityArguments,
}

/// How a coordinator and its workers show who they are.
#[cfg(feature = "distributed")]
#[derive(Debug, Args)]
pub(crate) struct SecurityArguments {
    /// The token that workers ask for [default: the variable AIOPS_WORKER_TOKEN]
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) worker_token_file: Option<PathBuf>,

    /// The authority (PEM) that has signed the certificates of workers and coordinators
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) tls_ca: Option<PathBuf>,

    /// The certificate (PEM) of this process
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) tls_cert: Option<PathBuf>,

    /// The key (PEM) of the certificate
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) tls_key: Option<PathBuf>,
}

/// What to do instead of running statements once in order.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Run the statements of a file on every window of a table, so that each window counts once,
    /// also after a crash
    #[command(after_help = RUN_EXAMPLE)]
    Run(RunArguments),

    /// Run parts of the statements of coordinators, which name this process in --workers
    #[cfg(feature = "distributed")]
    Worker(WorkerArguments),
}

/// The arguments of `worker`.
#[cfg(feature = "distributed")]
#[derive(Debug, Args)]
pub(crate) struct WorkerArguments {
    /// Where to listen; port 0 is any that is free
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:7100")]
    pub(crate) listen: String,

    /// Listen beyond loopback without token and certificates: for a network that belongs to the
    /// workers alone, since whoever reaches a worker can read what it can read
    #[arg(long)]
    pub(crate) insecure: bool,
}

/// The arguments of `run`.
#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// The statements
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// Where to record what has run: a folder or the URL of an object store, one for each pipeline
    #[arg(long, value_name = "FOLDER OR URL")]
    pub(crate) checkpoint: String,

    /// Run the windows that are complete in what is there now, then exit; the next run continues
    #[arg(long, conflicts_with = "until_idle")]
    pub(crate) once: bool,

    /// Exit when nothing was written for the idle_timeout of the table; open windows run too,
    /// except for a count window that is not full
    #[arg(long)]
    pub(crate) until_idle: bool,

    /// Continue from a checkpoint that was written for other statements
    #[arg(long)]
    pub(crate) accept_changes: bool,

    /// The prefix of the files that are written [default: the name of the file]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
}

impl CommandLine {
    /// Parses the arguments of the process; wrong ones end it.
    pub(crate) fn read() -> Self {
        let arguments = join_leading_comments(std::env::args_os());
        let arguments = Self::try_parse_from(arguments);
        let checked = arguments.map_err(with_tip).and_then(Self::check);
        checked.unwrap_or_else(|error| error.exit())
    }

    /// Checks what applies only to `run`.
    fn check(self) -> Result<Self, clap::Error> {
        match &self.action {
            Some(Action::Run(_)) if !self.command.is_empty() || !self.file.is_empty() => {
                let text =
                    "run takes its statements from its file: -c and -f cannot be used with it";
                Err(Self::command().error(ErrorKind::ArgumentConflict, text))
            }
            Some(Action::Run(run)) if is_stdin(&run.file) => {
                let text = "run reads its statements again after a crash: write them to a file, and not to standard input";
                Err(Self::command().error(ErrorKind::ValueValidation, text))
            }
            #[cfg(feature = "distributed")]
            Some(Action::Worker(_)) if !self.command.is_empty() || !self.file.is_empty() => {
                let text = "worker runs what coordinators send: -c and -f cannot be used with it";
                Err(Self::command().error(ErrorKind::ArgumentConflict, text))
            }
            #[cfg(feature = "distributed")]
            Some(Action::Worker(_)) if self.workers.is_some() => {
                let text =
                    "a worker has no workers: --workers is for the process that runs statements";
                Err(Self::command().error(ErrorKind::ArgumentConflict, text))
            }
            _ => Ok(self),
        }
    }

    /// Whether no argument says what to run, so that SQL comes from standard input or the prompt.
    pub(crate) fn has_no_sql(&self) -> bool {
        self.command.is_empty() && self.file.is_empty() && self.action.is_none()
    }

    /// Whether standard input carries SQL, so that it cannot be a table too.
    pub(crate) fn reads_sql_from_stdin(&self) -> bool {
        self.has_no_sql() || self.file.iter().chain(&self.rc).any(|file| is_stdin(file))
    }
}

/// Joins `-c` with a statement that begins with a comment, `-c "-- errors of today ..."`, so that
/// the statement is not mistaken for a flag.
fn join_leading_comments(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let begins_comment = |argument: &OsString| {
        let text = argument.to_string_lossy();
        text.strip_prefix("--")
            .is_some_and(|rest| rest.starts_with(char::is_whitespace))
    };
    let mut joined: Vec<OsString> = vec![];
    for argument in arguments {
        if begins_comment(&argument) {
            let mut with_flag = OsString::from("--command=");
            with_flag.push(&argument);
            joined.pop_if(|flag| *flag == "-c" || *flag == "--command");
            joined.push(with_flag);
        } else {
            joined.push(argument);
        }
    }
    joined
}

/// Whether a file argument names standard input.
pub(crate) fn is_stdin(file: &Path) -> bool {
    file.to_str()
        .is_some_and(|file| file == "-" || is_stdin_location(file))
}

/// Adds a tip about what to write for a file or a statement without its flag, and for `run` without
/// a checkpoint.
fn with_tip(mut error: clap::Error) -> clap::Error {
    if error.kind() == ErrorKind::InvalidSubcommand
        && error.get(ContextKind::SuggestedSubcommand).is_none()
    {
        error = as_argument(&error);
    }
    let tip = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(argument)) if error.kind() == ErrorKind::UnknownArgument => {
            tip(argument)
        }
        Some(ContextValue::Strings(missing))
            if missing
                .iter()
                .any(|argument| argument.starts_with("--checkpoint")) =>
        {
            let example = "datafusion-aiops run pipeline.sql --checkpoint /var/lib/aiops/pipeline";
            Some(format!(
                "a run continues where its checkpoint says: {example}"
            ))
        }
        _ => None,
    };
    if let Some(tip) = tip {
        let tips = ContextValue::StyledStrs(vec![tip.into()]);
        error.insert(ContextKind::Suggested, tips);
    }
    error
}

/// Reports an unknown subcommand as an unknown argument: since `run` is the only subcommand, it was
/// not meant as one.
fn as_argument(error: &clap::Error) -> clap::Error {
    let mut unknown =
        clap::Error::new(ErrorKind::UnknownArgument).with_cmd(&CommandLine::command());
    if let Some(argument) = error.get(ContextKind::InvalidSubcommand) {
        unknown.insert(ContextKind::InvalidArg, argument.clone());
    }
    if let Some(usage) = error.get(ContextKind::Usage) {
        unknown.insert(ContextKind::Usage, usage.clone());
    }
    unknown
}

fn tip(argument: &str) -> Option<String> {
    if argument.starts_with('-') {
        return None;
    }
    if argument.ends_with(".sql") {
        return Some(format!("a file of SQL is run by -f {argument}"));
    }
    argument
        .contains(' ')
        .then(|| "a statement is run by -c \"SELECT ...\"".to_string())
}

fn parse_command(sql: &str) -> Result<String, String> {
    if sql.trim().is_empty() {
        return Err("there is no SQL in it".to_string());
    }
    Ok(sql.to_string())
}

fn parse_folder(folder: &str) -> Result<PathBuf, String> {
    if !Path::new(folder).is_dir() {
        return Err("there is no such folder".to_string());
    }
    Ok(PathBuf::from(folder))
}

fn parse_batch_size(rows: &str) -> Result<usize, String> {
    match rows.parse() {
        Ok(rows) if rows > 0 => Ok(rows),
        _ => Err("a number of rows of at least 1 is expected".to_string()),
    }
}

/// A number of bytes: digits and an optional unit, each unit 1024 times the previous one.
fn parse_size(size: &str) -> Result<usize, String> {
    let size = size.to_ascii_lowercase();
    let digits = size.trim_end_matches(|character: char| character.is_ascii_alphabetic());
    let shift = match &size[digits.len()..] {
        "" | "b" => 0,
        "k" | "kb" => 10,
        "m" | "mb" => 20,
        "g" | "gb" => 30,
        "t" | "tb" => 40,
        _ => return Err("the units are b, k, m, g and t".to_string()),
    };
    let number: usize = digits
        .parse()
        .map_err(|_| "a size such as 512m or 10g is expected".to_string())?;
    number
        .checked_mul(1 << shift)
        .ok_or_else(|| "it is too large".to_string())
}

#[cfg(test)]
mod tests {
    use super::{CommandLine, parse_size};
    use clap::{CommandFactory, Parser};

    #[test]
    fn arguments_are_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn sizes() {
        for (size, expected) in [
            ("7", Some(7)),
            ("7b", Some(7)),
            ("2K", Some(2048)),
            ("3mb", Some(3 << 20)),
            ("10g", Some(10 << 30)),
            ("1t", Some(1 << 40)),
            ("", None),
            ("g", None),
            ("-1g", None),
            ("1.5g", None),
            ("1x", None),
            ("99999999999999999999", None),
            ("99999999999t", None),
        ] {
            assert_eq!(parse_size(size).ok(), expected, "{size}");
        }
    }

    #[test]
    fn standard_input_carries_sql_or_not() {
        for (arguments, expected) in [
            (vec![], true),
            (vec!["-c", "SELECT 1"], false),
            (vec!["-f", "job.sql"], false),
            (vec!["-f", "job.sql", "-"], true),
            (vec!["-f", "/dev/stdin"], true),
            (vec!["run", "job.sql", "--checkpoint", "x"], false),
        ] {
            let all = [vec!["datafusion-aiops"], arguments.clone()].concat();
            let parsed = CommandLine::try_parse_from(all).unwrap();
            assert_eq!(parsed.reads_sql_from_stdin(), expected, "{arguments:?}");
        }
    }
}
