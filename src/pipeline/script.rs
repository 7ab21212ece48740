//! The statements of a pipeline: those that run once, and behind them those that run on every window.

use std::collections::VecDeque;
use std::fmt::{Debug, Formatter};
use std::sync::Arc;

use datafusion::common::{DataFusionError, Result, TableReference, plan_datafusion_err, plan_err};
use datafusion::execution::SessionState;
use datafusion::logical_expr::{DdlStatement, LogicalPlan};
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::{DFParserBuilder, Statement as Parsed};
use datafusion::sql::planner::object_name_to_table_reference;
use datafusion::sql::sqlparser::ast::{Statement as SqlStatement, Value};
use datafusion::sql::sqlparser::dialect::dialect_from_str;
use datafusion::sql::sqlparser::tokenizer::Token;

use crate::pipeline::Pipeline;
use crate::pipeline::options::PipelineOptions;
use crate::planner::live_planner::LiveScans;
use crate::planner::plan_size::check_plan_size;
use crate::planner::windows::relation::{Archives, WindowFunctions};
use crate::planner::{check_size, check_statement, complete_from_first};

/// The statements of a pipeline before it runs.
///
/// What stands before the first statement that reads a live table, or any table by a window function, runs once, whenever
/// the pipeline is started. From there on all statements run on every window.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> datafusion::error::Result<()> {
/// use datafusion_aiops::{PipelineScript, session};
///
/// let statements = [
///     "CREATE TABLE t AS SELECT now() AS ts",
///     "SELECT count(*) FROM tumble(t, ts, INTERVAL '1 hour')",
/// ];
/// let mut script = PipelineScript::new(&session()?, statements)?;
/// assert_eq!(script.next_setup().await?, Some(0));
/// script.context().sql(statements[0]).await?;
/// assert_eq!(script.next_setup().await?, None);
/// # Ok(())
/// # }
/// ```
pub struct PipelineScript {
    context: SessionContext,
    statements: VecDeque<Statement>,
    /// Those that have run once.
    setup: Vec<String>,
}

impl Debug for PipelineScript {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("PipelineScript")
            .field("statements", &self.statements)
            .finish_non_exhaustive()
    }
}

/// A statement and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    pub(crate) parsed: Parsed,
    /// Of its text, counted from 1.
    line: u64,
}

impl Statement {
    /// Plans it.
    ///
    /// # Errors
    /// Those of the planner, with the line.
    pub(crate) async fn plan(&self, state: &SessionState) -> Result<LogicalPlan> {
        let plan = state.statement_to_plan(self.parsed.clone()).await;
        plan.map_err(|error| self.at(error))
    }

    /// An error of this statement.
    pub(crate) fn at(&self, error: DataFusionError) -> DataFusionError {
        at_line(self.line, error)
    }

    /// The table in memory that it creates.
    pub(crate) fn creates(&self) -> Option<TableReference> {
        let Parsed::Statement(statement) = &self.parsed else {
            return None;
        };
        let SqlStatement::CreateTable(create) = statement.as_ref() else {
            return None;
        };
        object_name_to_table_reference(create.name.clone(), true).ok()
    }

    /// The statement without comments and blanks.
    pub(crate) fn normalised(&self) -> String {
        match &self.parsed {
            Parsed::CreateExternalTable(table) => {
                let list = |items: Vec<String>| items.join(", ");
                let columns = table.columns.iter().map(ToString::to_string);
                let keys = table.constraints.iter().map(ToString::to_string);
                format!(
                    "CREATE EXTERNAL TABLE {} ({}) STORED AS {} LOCATION {} PARTITIONED BY ({}) OPTIONS ({}){}",
                    table.name,
                    list(columns.chain(keys).collect()),
                    table.file_type,
                    table.locations.join(", "),
                    table.table_partition_cols.join(", "),
                    list(table.options.iter().filter_map(option_text).collect()),
                    if table.unbounded { " UNBOUNDED" } else { "" },
                )
            }
            parsed => parsed.to_string(),
        }
    }
}

/// What stands before the line of a statement in its error.
const IN_LINE: &str = "the statement in line ";

fn at_line(line: u64, error: DataFusionError) -> DataFusionError {
    error.context(format!("{IN_LINE}{line}"))
}

/// Takes the line of a statement off its error.
pub(crate) fn line_of(error: DataFusionError) -> (Option<u64>, DataFusionError) {
    match error {
        DataFusionError::Context(context, inner) => {
            let line = context.strip_prefix(IN_LINE);
            match line.and_then(|line| line.parse().ok()) {
                Some(line) => (Some(line), *inner),
                None => (None, DataFusionError::Context(context, inner)),
            }
        }
        error => (None, error),
    }
}

/// An option as it is written down, unless it is of an object store: those are addresses and secrets, which change.
fn option_text((name, value): &(String, Value)) -> Option<String> {
    const STORES: [&str; 6] = ["aws.", "gcp.", "azure.", "oss.", "cos.", "http."];
    let name = name.to_lowercase();
    let is_of_store = STORES.iter().any(|store| name.starts_with(store));
    (!is_of_store).then(|| format!("{name} {value}"))
}

impl PipelineScript {
    /// Reads statements; each text has one or several. They will run in a session of their own that shares the tables of
    /// `context`, of which [`install`](crate::install) was called.
    ///
    /// # Errors
    /// When one cannot be parsed.
    pub fn new<Text: AsRef<str>>(
        context: &SessionContext,
        texts: impl IntoIterator<Item = Text>,
    ) -> Result<Self> {
        let context = window_by_window(context)?;
        let mut statements = VecDeque::new();
        for text in texts {
            parse(text.as_ref(), &context, &mut statements)?;
        }
        Ok(Self {
            context,
            statements,
            setup: vec![],
        })
    }

    /// The session in which the statements run.
    #[must_use]
    pub fn context(&self) -> &SessionContext {
        &self.context
    }

    /// The number, from 0, of the next statement that runs once. It is for the caller to run it, in [`Self::context`];
    /// [`Self::run_setup`] does that for all. `None`: what is left runs on every window.
    ///
    /// # Errors
    /// When the statement cannot be planned, or none reads windows.
    pub async fn next_setup(&mut self) -> Result<Option<usize>> {
        let Some(statement) = self.statements.front() else {
            return plan_err!(
                "no statement reads windows: a pipeline needs one such as SELECT … FROM tumble(logs, ts, INTERVAL '30 \
                 seconds')"
            );
        };
        if self.reads_windows(statement).await? {
            return Ok(None);
        }
        self.setup.push(statement.normalised());
        self.statements.pop_front();
        Ok(Some(self.setup.len() - 1))
    }

    /// Runs the statements that run once. Their results are dropped.
    ///
    /// # Errors
    /// That of the first statement that fails.
    pub async fn run_setup(&mut self) -> Result<()> {
        while let Some(statement) = self.statements.front().cloned() {
            if self.next_setup().await?.is_none() {
                return Ok(());
            }
            let plan = statement.plan(&self.context.state()).await?;
            let frame = self.context.execute_logical_plan(plan).await;
            let frame = frame.map_err(|error| statement.at(error))?;
            frame.collect().await.map_err(|error| statement.at(error))?;
        }
        self.next_setup().await.map(drop)
    }

    /// Starts what is left as a pipeline, behind what an earlier run on this checkpoint has done. The checkpoint is a folder
    /// or the URL of an object store that the session knows.
    ///
    /// # Errors
    /// When a statement is wrong or cannot run on windows, when another run uses the checkpoint, or when it is that of
    /// another pipeline.
    pub async fn start(self, checkpoint: &str, options: PipelineOptions) -> Result<Pipeline> {
        let statements = self.statements.into();
        Pipeline::start(self.context, self.setup, statements, checkpoint, options).await
    }

    async fn reads_windows(&self, statement: &Statement) -> Result<bool> {
        // What is created is not read yet, and may be what the planner needs to know.
        if matches!(statement.parsed, Parsed::CreateExternalTable(_)) {
            return Ok(false);
        }
        let plan = statement.plan(&self.context.state()).await?;
        check_plan_size(&plan).map_err(|error| statement.at(error))?;
        if let LogicalPlan::Ddl(DdlStatement::CreateView(_)) = plan {
            return Ok(false);
        }
        let scans = LiveScans::of(&plan).map_err(|error| statement.at(error))?;
        Ok(scans.reads_live())
    }
}

/// A session with the tables and the state of this one, in which window functions over any table are read window by window.
fn window_by_window(context: &SessionContext) -> Result<SessionContext> {
    let own = SessionContext::new_with_state(context.state());
    let state = own.state_ref();
    let mut state = state.write();
    let archives = Arc::new(Archives::default());
    let functions = WindowFunctions::new(&own, &state).window_by_window(archives);
    state.register_relation_planner(Arc::new(functions))?;
    drop(state);
    Ok(own)
}

pub(super) fn parse(
    text: &str,
    context: &SessionContext,
    into: &mut VecDeque<Statement>,
) -> Result<()> {
    let options = context.copied_config().options().sql_parser.clone();
    let n_lines_before = text.bytes().take_while(u8::is_ascii_whitespace);
    let n_lines_before = n_lines_before.filter(|byte| *byte == b'\n').count();
    check_size(text, options.dialect).map_err(|error| at_line(1 + n_lines_before as u64, error))?;
    let dialect = dialect_from_str(options.dialect)
        .ok_or_else(|| plan_datafusion_err!("unknown SQL dialect {}", options.dialect))?;
    let mut parser = DFParserBuilder::new(text)
        .with_dialect(dialect.as_ref())
        .with_recursion_limit(options.recursion_limit.get())
        .build()?;
    loop {
        while parser.parser.consume_token(&Token::SemiColon) {}
        let next = parser.parser.peek_token();
        if next.token == Token::EOF {
            return Ok(());
        }
        let line = next.span.start.line;
        let parsed = parser.parse_statement();
        let mut parsed = parsed.map_err(|error| at_line(line, error))?;
        let after = parser.parser.peek_token();
        if !matches!(after.token, Token::SemiColon | Token::EOF) {
            let error = plan_datafusion_err!("expected ; behind the statement, found {after}");
            return Err(at_line(line, error));
        }
        complete_from_first(&mut parsed);
        let statement = Statement { parsed, line };
        check_statement(&statement.parsed, context).map_err(|error| statement.at(error))?;
        into.push_back(statement);
    }
}
