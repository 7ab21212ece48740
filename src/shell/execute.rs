//! Runs one statement and prints its result.

use std::future::ready;
use std::io::{IsTerminal, Write, stdin, stdout};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use datafusion::arrow::csv::WriterBuilder;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::arrow::util::display::FormatOptions;
use datafusion::common::instant::Instant;
use datafusion::common::{Result, plan_err};
use datafusion::config::Dialect;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::execution_plan::EmissionType;
use datafusion::physical_plan::spill::get_record_batch_memory_size;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, execute_stream};
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement as Parsed;
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;
use datafusion_aiops::{ScanNotes, SplitStatement, check_plan, is_per_window};
use datafusion_cli::exec::exec_from_commands;
use datafusion_cli::object_storage::StdinCarriesCommands;
use datafusion_cli::print_format::PrintFormat;
use datafusion_cli::print_options::{MaxRows, PrintOptions};
use futures::{StreamExt, stream};

use crate::shell::errors::{Asked, say};
use crate::shell::external_table;
use crate::shell::nested::with_json_columns;
use crate::shell::signals::{Ending, EndsOn};
use crate::shell::visible::with_visible_controls;

/// The table of the lines of standard input.
const STDIN: &str = "stdin";

/// A session, and how its results are printed.
pub(crate) struct Shell {
    pub(crate) context: SessionContext,
    pub(crate) print: PrintOptions,
    /// Whether to leave out notes beside the results.
    pub(crate) is_quiet: bool,
    pub(crate) ends_on: EndsOn,
    /// Set by the first statement that writes files.
    pub(crate) ending: OnceLock<Ending>,
    /// Set by the first statement that reads the table `stdin`.
    pub(crate) stdin_is_known: OnceLock<()>,
    /// What was told of the log tables.
    pub(crate) scan_notes: Mutex<ScanNotes>,
}

impl Shell {
    /// The dialect in which the next statement is parsed.
    pub(crate) fn dialect(&self) -> Dialect {
        let state = self.context.state_ref();
        let state = state.read();
        state.config_options().sql_parser.dialect
    }

    /// Runs a statement and prints its result.
    ///
    /// # Errors
    /// When it cannot be parsed, planned or run. Lines and columns in the error refer to the whole
    /// text.
    pub(crate) async fn execute(&self, statement: &SplitStatement) -> Result<()> {
        let parsed = statement.parse(&self.context)?;
        self.check_stdin(&parsed)?;
        self.look_at_stdin(statement.text()).await?;
        match &parsed {
            Parsed::CreateExternalTable(table)
                if table.unbounded || !is_known_to_cli(&table.file_type) =>
            {
                let name = table.name.to_string();
                external_table::create(&self.context, parsed).await?;
                if let Some(found) = ScanNotes::found_in(&self.context, &name) {
                    self.note(&found);
                }
                Ok(())
            }
            // datafusion-cli knows the options of these formats and finds the region of an S3
            // bucket.
            Parsed::CreateExternalTable(_) => {
                let text = statement.text_in_place();
                exec_from_commands(&self.context, vec![text], &self.print).await
            }
            _ => {
                let done = self.run(parsed).await;
                self.note_scans();
                done
            }
        }
    }

    /// Says what reading log files has run into.
    fn note_scans(&self) {
        let notes = self.scan_notes.lock();
        let notes = notes
            .unwrap_or_else(PoisonError::into_inner)
            .take(&self.context);
        for note in notes {
            self.note(&format!("note: {note}"));
        }
    }

    fn note(&self, note: &str) {
        if !self.is_quiet {
            say(note);
        }
    }

    /// Finds the format of standard input before the first statement that reads the table `stdin`.
    async fn look_at_stdin(&self, sql: &str) -> Result<()> {
        let is_named = sql.to_ascii_lowercase().contains(STDIN);
        if !is_named || sql.contains("/dev/stdin") || !self.context.table_exist(STDIN)? {
            return Ok(());
        }
        if self.stdin_is_known.set(()).is_err() {
            return Ok(());
        }
        if stdin().is_terminal() {
            self.note("waits for lines of standard input; Ctrl-D ends them");
        }
        let create =
            "CREATE OR REPLACE UNBOUNDED EXTERNAL TABLE stdin STORED AS LOG LOCATION '/dev/stdin'";
        let state = self.context.state();
        let parsed = state.sql_to_statement(create, &Dialect::Generic)?;
        external_table::create(&self.context, parsed).await
    }

    /// Refuses standard input as a table while it carries the statements.
    fn check_stdin(&self, parsed: &Parsed) -> Result<()> {
        let config = self.context.copied_config();
        let is_taken = config.get_extension::<StdinCarriesCommands>().is_some();
        match parsed {
            Parsed::CreateExternalTable(table) if is_taken => {
                if table
                    .locations
                    .iter()
                    .any(|location| location == "/dev/stdin")
                {
                    plan_err!("standard input brings the statements here: give them with -c or -f")
                } else {
                    Ok(())
                }
            }
            _ => Ok(()),
        }
    }

    /// What the hints for a statement's error need.
    pub(crate) fn asked(&self, statement: &SplitStatement) -> Asked {
        let state = self.context.state_ref();
        let state = state.read();
        let is_searched = statement.text().len() <= LONGEST_SEARCHED;
        Asked {
            sql: if is_searched {
                statement.text_in_place()
            } else {
                String::new()
            },
            table_functions: state.table_functions().keys().cloned().collect(),
        }
    }

    async fn run(&self, statement: Parsed) -> Result<()> {
        let started = Instant::now();
        let is_setting = is_show_variable(&statement);
        let plan = self.context.state().statement_to_plan(statement).await?;
        check_plan(&plan)?;
        if let LogicalPlan::Copy(copy) = &plan {
            external_table::register_store(&self.context, &copy.output_url, &copy.options).await?;
        }
        match plan {
            LogicalPlan::Copy(_) | LogicalPlan::Dml(_) | LogicalPlan::Analyze(_) => {
                let ending = self.ending()?;
                ending
                    .finish(self.run_plan(plan, is_setting, started))
                    .await
            }
            plan => self.run_plan(plan, is_setting, started).await,
        }
    }

    /// The listener that ends the process on a signal.
    fn ending(&self) -> Result<&Ending> {
        match self.ending.get() {
            Some(ending) => Ok(ending),
            None => {
                let ending = Ending::listen(self.ends_on)?;
                Ok(self.ending.get_or_init(|| ending))
            }
        }
    }

    async fn run_plan(&self, plan: LogicalPlan, is_setting: bool, started: Instant) -> Result<()> {
        // Half a plan or half the settings are of no use.
        let is_whole = is_setting
            || matches!(
                plan,
                LogicalPlan::Explain(_) | LogicalPlan::Analyze(_) | LogicalPlan::DescribeTable(_)
            );
        let frame = self.context.execute_logical_plan(plan).await?;
        let plan = frame.create_physical_plan().await?;
        let is_unbounded = plan.boundedness().is_unbounded();
        if is_unbounded && plan.pipeline_behavior() == EmissionType::Final {
            return plan_err!(
                "the query has a result only when its live table ends, which it never does"
            );
        }
        let is_per_window = is_per_window(plan.as_ref());
        let task = self.context.task_ctx();
        let stream = execute_stream(Arc::clone(&plan), Arc::clone(&task))?;

        let mut print = self.print.clone();
        if is_per_window && prints_tables(print.format) {
            return self.print_windows(&print, stream, &task).await;
        }
        print.format = row_format(print.format, is_unbounded);
        if is_whole {
            print.maxrows = MaxRows::Unlimited;
        }
        self.print_rows(print, stream, started, &task).await?;
        self.note_files_left(plan.as_ref());
        Ok(())
    }

    /// Reports how many files in its folder an overwriting COPY has left.
    fn note_files_left(&self, plan: &dyn ExecutionPlan) {
        let n_left = plan
            .metrics()
            .and_then(|metrics| metrics.sum_by_name("files_left"));
        let n_left = n_left.map_or(0, |n_left| n_left.as_usize());
        let (files, they_are) = match n_left {
            0 => return,
            1 => ("file", "it is"),
            _ => ("files", "they are"),
        };
        self.note(&format!(
            "note: the folder has {n_left} other {files}, which COPY has left: {they_are} no data of its format"
        ));
    }

    async fn print_rows(
        &self,
        mut print: PrintOptions,
        stream: SendableRecordBatchStream,
        started: Instant,
        task: &TaskContext,
    ) -> Result<()> {
        match print.format {
            PrintFormat::Table => self.print_table(&print, stream, started, task).await,
            PrintFormat::Json => {
                print.maxrows = MaxRows::Unlimited;
                self.print_table(&print, stream, started, task).await
            }
            PrintFormat::NdJson => {
                let format = &task.session_config().options().format;
                print.print_stream(stream, started, format).await
            }
            PrintFormat::Csv | PrintFormat::Tsv | PrintFormat::Automatic => {
                let format = &task.session_config().options().format;
                let stream = with_json_columns(stream);
                let stream = with_header(stream, print.format).await?;
                print.print_stream(stream, started, format).await
            }
        }
    }

    /// Prints a table for each window of a live table as it closes.
    async fn print_windows(
        &self,
        print: &PrintOptions,
        mut stream: SendableRecordBatchStream,
        task: &TaskContext,
    ) -> Result<()> {
        let print = PrintOptions {
            format: PrintFormat::Table,
            quiet: true,
            ..print.clone()
        };
        while let Some(window) = stream.next().await {
            let window = window?;
            let schema = window.schema();
            let rows = stream::iter([Ok(window)]);
            let rows = Box::pin(RecordBatchStreamAdapter::new(schema, rows));
            self.print_table(&print, rows, Instant::now(), task).await?;
        }
        Ok(())
    }

    /// Prints what a statement of a pipeline has answered on a window. Rows that are not printed as
    /// a table get their header once, on the first window.
    pub(crate) async fn print_answer(
        &self,
        batches: Vec<RecordBatch>,
        mut with_header: bool,
    ) -> Result<()> {
        let Some(first) = batches.first() else {
            return Ok(());
        };
        let (schema, task) = (first.schema(), self.context.task_ctx());
        let rows = stream::iter(batches.into_iter().map(Ok));
        let rows = Box::pin(RecordBatchStreamAdapter::new(schema, rows));
        if prints_tables(self.print.format) {
            return self.print_windows(&self.print, rows, &task).await;
        }
        let format = row_format(self.print.format, true);
        let options = &task.session_config().options().format;
        let mut rows: SendableRecordBatchStream = match format {
            PrintFormat::NdJson => rows,
            _ => with_json_columns(rows),
        };
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            let mut output = stdout().lock();
            let (schema, all) = (batch.schema(), MaxRows::Unlimited);
            format.print_batches(&mut output, schema, &[batch], all, with_header, options)?;
            with_header = false;
        }
        Ok(())
    }

    /// Prints a result that needs all its rows at once: a table, whose column widths depend on
    /// them, or a JSON array.
    async fn print_table(
        &self,
        print: &PrintOptions,
        mut stream: SendableRecordBatchStream,
        started: Instant,
        task: &TaskContext,
    ) -> Result<()> {
        let n_rows_shown = match print.maxrows {
            MaxRows::Limited(n_rows) => n_rows,
            MaxRows::Unlimited => usize::MAX,
        };
        let reservation = MemoryConsumer::new("rows to print").register(task.memory_pool());
        let schema = stream.schema();
        let mut batches: Vec<RecordBatch> = vec![];
        let mut n_rows = 0;
        while let Some(batch) = stream.next().await {
            let batch = batch?;
            // One row more than is shown tells the printer that there are more.
            if n_rows <= n_rows_shown {
                reservation.try_grow(get_record_batch_memory_size(&batch))?;
                n_rows += batch.num_rows();
                batches.push(batch);
            } else {
                n_rows += batch.num_rows();
            }
        }
        let format = &task.session_config().options().format;
        if print.format == PrintFormat::Json && n_rows == 0 && !schema.fields().is_empty() {
            writeln!(stdout(), "[]")?;
        }
        if print.format == PrintFormat::Table {
            let options: FormatOptions<'_> = format.try_into()?;
            for batch in &mut batches {
                *batch = with_visible_controls(batch, &options)?;
            }
        }
        print.print_batches(schema, &batches, started, n_rows, format)?;
        if n_rows > n_rows_shown && print.quiet && !self.is_quiet {
            let note = format!(
                "note: {n_rows} rows, the first {n_rows_shown} are shown; --maxrows inf shows all"
            );
            writeln!(std::io::stderr(), "{note}")?;
        }
        Ok(())
    }
}

/// The stream without empty batches. datafusion-cli prints the header only with a first batch that
/// has rows: the header of an empty result is printed here.
async fn with_header(
    stream: SendableRecordBatchStream,
    format: PrintFormat,
) -> Result<SendableRecordBatchStream> {
    let schema = stream.schema();
    let is_worth_printing = |batch: &Result<RecordBatch>| {
        ready(batch.as_ref().map_or(true, |batch| batch.num_rows() > 0))
    };
    let mut batches = Box::pin(stream.filter(is_worth_printing).peekable());
    if batches.as_mut().peek().await.is_none() {
        print_header(&schema, format)?;
    }
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
}

fn print_header(schema: &SchemaRef, format: PrintFormat) -> Result<()> {
    if schema.fields().is_empty() {
        return Ok(());
    }
    let delimiter = if format == PrintFormat::Tsv {
        b'\t'
    } else {
        b','
    };
    let empty = RecordBatch::new_empty(SchemaRef::clone(schema));
    let mut writer = WriterBuilder::new()
        .with_header(true)
        .with_delimiter(delimiter)
        .build(stdout());
    Ok(writer.write(&empty)?)
}

/// Statements with more bytes are not searched for the cause of their error: people do not write
/// them by hand.
const LONGEST_SEARCHED: usize = 64 << 10;

/// Whether a person reads the output, or the user asks for tables.
fn prints_tables(format: PrintFormat) -> bool {
    match format {
        PrintFormat::Automatic => stdout().is_terminal(),
        format => format == PrintFormat::Table,
    }
}

/// The format of a result. A result without end can be neither a table nor a JSON array: it is CSV
/// or JSON lines.
fn row_format(format: PrintFormat, is_unbounded: bool) -> PrintFormat {
    match (format, is_unbounded) {
        (PrintFormat::Automatic, false) => PrintFormat::Table,
        (PrintFormat::Automatic | PrintFormat::Table, true) => PrintFormat::Csv,
        (PrintFormat::Json, true) => PrintFormat::NdJson,
        (format, _) => format,
    }
}

/// Whether the statement is a SHOW of one setting or all of them.
fn is_show_variable(statement: &Parsed) -> bool {
    match statement {
        Parsed::Statement(sql) => matches!(sql.as_ref(), SqlStatement::ShowVariable { .. }),
        _ => false,
    }
}

/// Whether datafusion-cli can create a table of this format itself.
fn is_known_to_cli(file_type: &str) -> bool {
    const KNOWN: [&str; 5] = ["CSV", "JSON", "PARQUET", "AVRO", "ARROW"];
    KNOWN
        .iter()
        .any(|known| known.eq_ignore_ascii_case(file_type))
}
