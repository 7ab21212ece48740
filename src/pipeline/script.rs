//! The statements of a pipeline: those that run once, followed by those that run on every window.

use std::collections::VecDeque;
use std::fmt::{Debug, Formatter};
use std::sync::Arc;

use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{DdlStatement, LogicalPlan};
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement as Parsed;

use crate::pipeline::pipeline_options::PipelineOptions;
use crate::pipeline::run::Pipeline;
use crate::pipeline::statement::{PipelineStatement, parse};
use crate::planner::live_tables::LiveScans;
use crate::planner::plan_size::check_plan_size;
use crate::planner::windows::relation::{Archives, WindowFunctions};

/// The statements of a pipeline before it runs.
///
/// The statements before the first one that reads a live table, or any table through a window
/// function, run once, every time the pipeline is started. From there on, all statements run on
/// every window.
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
    statements: VecDeque<PipelineStatement>,
    /// The statements that have run once.
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

impl PipelineScript {
    /// Reads statements; each text has one or several. They will run in their own session, which
    /// shares the tables of `context`; [`install`](crate::install) must have been called on it.
    ///
    /// # Errors
    /// When a statement cannot be parsed.
    pub fn new<Text: AsRef<str>>(
        context: &SessionContext,
        texts: impl IntoIterator<Item = Text>,
    ) -> Result<Self> {
        let context = window_by_window(context)?;
        let mut statements = VecDeque::new();
        for text in texts {
            statements.extend(parse(text.as_ref(), &context)?);
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

    /// The number, from 0, of the next statement that runs once. The caller must run it, in
    /// [`Self::context`]; [`Self::run_setup`] does so for all of them. `None` means that the rest
    /// runs on every window.
    ///
    /// # Errors
    /// When the statement cannot be planned, or no statement reads windows.
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
    /// The error of the first statement that fails.
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

    /// Starts the remaining statements as a pipeline that continues what an earlier run on this
    /// checkpoint has done. The checkpoint is a folder or the URL of an object store that the
    /// session knows.
    ///
    /// # Errors
    /// When a statement is wrong or cannot run on windows, another run uses the checkpoint, or it
    /// belongs to another pipeline.
    pub async fn start(self, checkpoint: &str, options: PipelineOptions) -> Result<Pipeline> {
        let statements = self.statements.into();
        Pipeline::start(self.context, self.setup, statements, checkpoint, options).await
    }

    async fn reads_windows(&self, statement: &PipelineStatement) -> Result<bool> {
        // This statement creates a table, which it does not read yet, and which the planner may
        // need to know.
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

/// A session with the tables and the state of this one, in which window functions over any table
/// are read window by window.
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

impl Pipeline {
    /// Runs the statements that run once, checks the others, and continues what an earlier run on
    /// this checkpoint has done. The checkpoint is a folder or the URL of an object store that the
    /// session knows.
    ///
    /// # Errors
    /// The errors of [`PipelineScript`].
    pub async fn open(
        context: &SessionContext,
        sql: &str,
        checkpoint: &str,
        options: PipelineOptions,
    ) -> Result<Self> {
        let mut script = PipelineScript::new(context, [sql])?;
        script.run_setup().await?;
        script.start(checkpoint, options).await
    }
}
