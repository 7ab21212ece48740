//! A running pipeline: each window once, with its statements, its files and its transaction.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::DateTime;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, Result, ScalarValue, exec_datafusion_err, plan_err};
use datafusion::prelude::SessionContext;
use tokio::sync::watch;

use crate::algorithms::windows::Span;
use crate::pipeline::body::{Body, StatementOutcome};
use crate::pipeline::checkpoint::{Checkpoint, Header};
use crate::pipeline::feed::Feed;
use crate::pipeline::pipeline_options::{PipelineEnd, PipelineOptions};
use crate::pipeline::statement::{PipelineStatement, line_of};
use crate::planner::windows::execution::with_window;
use crate::stores::store::{DoneWindows, Transaction};
use crate::streams::session_extensions::CurrentWindow;
use crate::streams::table::TimeKind;
use crate::streams::windows::shape::bound;

/// A pipeline that runs, window by window.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> datafusion::error::Result<()> {
/// use datafusion_aiops::{Pipeline, PipelineOptions, session};
///
/// let sql = "
///     CREATE TABLE t AS SELECT * FROM (VALUES ('2026-03-02T06:10:00'::timestamp), ('2026-03-02T07:10:00'::timestamp)) AS t(ts);
///     SELECT window_start, count(*) AS n FROM tumble(t, ts, INTERVAL '1 hour') GROUP BY window_start";
/// let checkpoint = std::env::temp_dir().join(format!("pipeline-{}", std::process::id()));
/// let options = PipelineOptions::new("example");
/// let mut pipeline = Pipeline::open(&session()?, sql, &checkpoint.to_string_lossy(), options).await?;
/// while let Some(window) = pipeline.next_window().await? {
///     println!("{}: {} rows", window.window_start, window.n_rows);
/// }
/// # std::fs::remove_dir_all(checkpoint)?;
/// # Ok(())
/// # }
/// ```
pub struct Pipeline {
    context: SessionContext,
    body: Body,
    feed: Feed,
    id: String,
    name: String,
    bound_type: DataType,
    /// Whether an earlier run may already have begun the next window.
    may_have_begun: bool,
    stop: watch::Sender<bool>,
}

impl std::fmt::Debug for Pipeline {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Pipeline")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The result of a window.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WindowReport {
    /// The number of the window, from 1, over all runs on the checkpoint.
    pub number: u64,
    /// The start of the window: a timestamp, or the number of a row. If sessions close together,
    /// the first start.
    pub window_start: ScalarValue,
    /// The end of the window.
    pub window_end: ScalarValue,
    /// The number of its rows.
    pub n_rows: usize,
    /// How many rows have come too late for their window since this run started.
    pub n_late_rows: u64,
    /// What the statements have done.
    pub outcomes: Vec<StatementOutcome>,
    /// How long the statements took, including the checkpoint.
    pub elapsed: Duration,
}

/// Stops a pipeline from elsewhere.
#[derive(Debug, Clone)]
pub struct PipelineStopper(watch::Sender<bool>);

impl PipelineStopper {
    /// Ends the pipeline after the window that it is running.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Pipeline {
    pub(super) async fn start(
        context: SessionContext,
        setup: Vec<String>,
        statements: Vec<PipelineStatement>,
        checkpoint: &str,
        options: PipelineOptions,
    ) -> Result<Self> {
        check_name(&options.name)?;
        let texts = setup
            .into_iter()
            .chain(statements.iter().map(PipelineStatement::normalised));
        let texts: Vec<String> = texts.collect();
        // One partition keeps the same rows in the same order.
        {
            let state = context.state_ref();
            let mut state = state.write();
            let execution = &mut state.config_mut().options_mut().execution;
            execution.target_partitions = 1;
        }
        let (body, read) = Body::check(statements, &context).await?;
        if !read.live().source.is_replayable() {
            return plan_err!(
                "{} cannot be read again after a crash, so it is no source of a pipeline: write it to a file, and follow that",
                read.live().name
            );
        }
        if read.time_kind() == TimeKind::Processing && options.end == PipelineEnd::CaughtUp {
            return plan_err!(
                "{} is never complete when all is read: its windows are of the time of reading. Name a time column, \
                 tumble(logs, ts, INTERVAL '30 seconds'), or end it when nothing comes any more, with --until-idle",
                read.scan.text
            );
        }
        let mut checkpoint = Checkpoint::open(checkpoint, &context.runtime_env())?;
        let saved = checkpoint.load().await?;
        let windows = &read.scan.text;
        let (header, ranges, done) = match saved {
            Some(saved) => (saved.header, saved.ranges, saved.done),
            None => {
                let header = Header::new(&options.name, texts.clone(), windows);
                (header, vec![], DoneWindows::default())
            }
        };
        check_windows(&header, windows, checkpoint.name())?;
        check_same_name(&header, &options.name, checkpoint.name())?;
        body.clean_up(&options.name).await?;
        let header = with_statements(header, texts, &options, checkpoint.name())?;
        checkpoint.put_header(&header).await?;
        let done = done_windows(&body, &header, done, &options).await?;
        let bound_type = read.scan.bound_type().clone();
        let feed = Feed::start(
            read,
            checkpoint,
            ranges,
            done,
            options.end,
            context.runtime_env(),
        )?;
        Ok(Self {
            context,
            body,
            feed,
            id: header.id,
            name: options.name,
            bound_type,
            may_have_begun: true,
            stop: watch::Sender::new(false),
        })
    }

    /// What the pipeline reads, as EXPLAIN shows it.
    #[must_use]
    pub fn source(&self) -> &str {
        self.feed.source()
    }

    /// The last problem of reading, if there was one, such as a file that cannot be read or rows
    /// that are gone. Problems do not stop the pipeline.
    #[must_use]
    pub fn last_problem(&self) -> Option<String> {
        self.feed.counters().last_problem()
    }

    /// How many rows came too late for their window since this run started.
    #[must_use]
    pub fn n_late_rows(&self) -> u64 {
        self.feed.missing().n_late
    }

    /// How many rows have no time, since this run started. They are in no window.
    #[must_use]
    pub fn n_rows_without_time(&self) -> u64 {
        self.feed.missing().n_without_time
    }

    /// How many windows have run, over all runs on the checkpoint.
    #[must_use]
    pub fn n_windows(&self) -> u64 {
        self.feed.n_done()
    }

    /// Whether the pipeline ends because it was stopped.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        *self.stop.borrow()
    }

    /// Removes the line of the failed statement from its error and returns both, for callers that
    /// report the line in another way.
    #[must_use]
    pub fn line_of(error: DataFusionError) -> (Option<u64>, DataFusionError) {
        line_of(error)
    }

    /// Returns a handle that stops the pipeline from elsewhere, as on a signal.
    #[must_use]
    pub fn stopper(&self) -> PipelineStopper {
        PipelineStopper(self.stop.clone())
    }

    /// Waits for the next window and runs the statements on it. Returns `None` if the table has
    /// ended or the pipeline was stopped.
    ///
    /// # Errors
    /// The error of the first statement that fails. The window has then not run: it runs again when
    /// the pipeline is started again.
    pub async fn next_window(&mut self) -> Result<Option<WindowReport>> {
        let mut stop = self.stop.subscribe();
        let window = tokio::select! {
            biased;
            _ = stop.wait_for(|is_stopped| *is_stopped) => None,
            window = self.feed.next_window() => window?,
        };
        match window {
            Some(window) => self.run(window).await.map(Some),
            None => Ok(None),
        }
    }

    async fn run(&mut self, window: CurrentWindow) -> Result<WindowReport> {
        let started = Instant::now();
        let span = window.span;
        let n_rows = window.rows.as_ref().map_or(0, |rows| rows.n_rows);
        let number = self.feed.window_number();
        let mut state = with_window(&self.context.state(), window);
        let transaction = self.begin().await?;
        if let Some(transaction) = &transaction {
            Arc::clone(transaction).enter(state.config_mut());
        }
        let name = self.window_name(span);
        if std::mem::take(&mut self.may_have_begun) {
            self.body.undo(&name, &state).await?;
        }
        let outcomes = match self.body.run(state.clone(), &name).await {
            Ok(outcomes) => outcomes,
            Err(error) => {
                // The error of the statement is the one to report.
                let _ = self.body.undo(&name, &state).await;
                return Err(error);
            }
        };
        if let Some(transaction) = transaction {
            let id = self.id.clone();
            let done = self.feed.running();
            blocking(move || transaction.commit(&id, done)).await?;
        }
        self.feed.done().await?;
        Ok(WindowReport {
            number,
            window_start: bound(span.start, &self.bound_type)?,
            window_end: bound(span.end, &self.bound_type)?,
            n_rows,
            n_late_rows: self.feed.missing().n_late,
            outcomes,
            elapsed: started.elapsed(),
        })
    }

    async fn begin(&self) -> Result<Option<Arc<dyn Transaction>>> {
        match self.body.database.clone() {
            Some(database) => blocking(move || database.begin()).await.map(Some),
            None => Ok(None),
        }
    }

    /// The name of a window in what it writes, which stays the same when it runs again.
    fn window_name(&self, span: Span) -> String {
        let bound = |value: i64| match self.bound_type {
            DataType::Timestamp(..) => {
                let time = DateTime::from_timestamp_nanos(value);
                time.format("%Y%m%dT%H%M%S%.fZ").to_string()
            }
            _ => format!("{value:020}"),
        };
        format!("{}-{}-{}", self.name, bound(span.start), bound(span.end))
    }
}

/// How far the windows have run. The database of the pipeline may be one window ahead of its
/// checkpoint. It may not be behind, unless that is accepted.
async fn done_windows(
    body: &Body,
    header: &Header,
    done: DoneWindows,
    options: &PipelineOptions,
) -> Result<DoneWindows> {
    let Some(database) = body.database.clone() else {
        return Ok(done);
    };
    let (id, name) = (header.id.clone(), database.name().to_string());
    let accepts_changes = options.accepts_changes;
    let committed = move || {
        let committed = database.committed(&id)?;
        if committed.windows >= done.windows || !accepts_changes {
            return Ok(committed);
        }
        database.begin()?.commit(&id, done)?;
        Ok(done)
    };
    let committed = blocking(committed).await?;
    if committed.windows < done.windows {
        return plan_err!(
            "the database {name} has {} windows of this pipeline, its checkpoint has {}: the database was put back, or is \
             another one. To continue all the same, run it with --accept-changes; to start over, give another --checkpoint",
            committed.windows,
            done.windows
        );
    }
    Ok(committed)
}

/// Runs blocking work, which waits for a disk or a lock, where it blocks no other task.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| exec_datafusion_err!("{error}"))?
}

/// Checks the name, which becomes part of the names of files.
fn check_name(name: &str) -> Result<()> {
    let is_plain = |character: char| character.is_alphanumeric() || "-_.".contains(character);
    if !name.is_empty() && name.chars().all(is_plain) && !name.starts_with(['.', '_']) {
        Ok(())
    } else {
        plan_err!(
            "the name of a pipeline has letters, digits, -, _ and ., and begins with none of the last two, got '{name}'"
        )
    }
}

/// Checks that the windows are the same, since their bounds tell which of them have run. The
/// statements may change.
fn check_windows(header: &Header, windows: &str, checkpoint: &str) -> Result<()> {
    if header.windows == windows {
        Ok(())
    } else {
        plan_err!(
            "the checkpoint {checkpoint} counts the windows of {}, and this pipeline has those of {windows}: start over with \
             another --checkpoint and with empty output tables",
            header.windows
        )
    }
}

/// Checks that the name is the same: a window that runs again must write the same file.
fn check_same_name(header: &Header, name: &str, checkpoint: &str) -> Result<()> {
    if header.name == name {
        Ok(())
    } else {
        plan_err!(
            "the checkpoint {checkpoint} is of a pipeline with the name {0}: run it with --name {0}, or give another \
             --checkpoint",
            header.name
        )
    }
}

/// The header of the checkpoint, for these statements.
fn with_statements(
    header: Header,
    statements: Vec<String>,
    options: &PipelineOptions,
    checkpoint: &str,
) -> Result<Header> {
    if options.accepts_changes || header.statements == statements {
        return Ok(Header {
            statements,
            ..header
        });
    }
    let differs = |(old, new): &(&String, &String)| old != new;
    let what = match header.statements.iter().zip(&statements).find(differs) {
        Some((old, new)) => format!("it has\n  {new}\nin place of\n  {old}"),
        None => format!(
            "it has {} statements, there were {}",
            statements.len(),
            header.statements.len()
        ),
    };
    plan_err!(
        "the checkpoint {checkpoint} is of another pipeline, or this one was changed: {what}\nTo continue with \
         these statements, run it with --accept-changes; to start over, give another --checkpoint"
    )
}
