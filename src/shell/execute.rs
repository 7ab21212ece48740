//! Runs one statement and prints its result.

use std::io::Write;

use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::instant::Instant;
use datafusion::common::{Result, plan_err};
use datafusion::config::Dialect;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::execution_plan::EmissionType;
use datafusion::physical_plan::spill::get_record_batch_memory_size;
use datafusion::physical_plan::{ExecutionPlanProperties, execute_stream};
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement as Parsed;
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;
use datafusion_aiops::check_statement;
use datafusion_cli::exec::exec_from_commands;
use datafusion_cli::print_format::PrintFormat;
use datafusion_cli::print_options::{MaxRows, PrintOptions};
use futures::StreamExt;

use crate::shell::external_table;
use crate::shell::statements::Statement;

/// A session and how its results are printed.
pub(crate) struct Shell {
    pub(crate) context: SessionContext,
    pub(crate) print: PrintOptions,
    /// Whether notes beside the results are unwanted.
    pub(crate) is_quiet: bool,
}

impl Shell {
    /// The dialect that the next statement is read in.
    pub(crate) fn dialect(&self) -> Dialect {
        let state = self.context.state_ref();
        let state = state.read();
        state.config_options().sql_parser.dialect
    }

    /// Runs a statement and prints its result.
    ///
    /// # Errors
    /// When it cannot be parsed, planned or run; lines and columns in the error are those of the whole text.
    pub(crate) async fn execute(&self, statement: &Statement) -> Result<()> {
        let parsed = self
            .context
            .state()
            .sql_to_statement(&statement.text_in_place(), &self.dialect())?;
        check_statement(&parsed, &self.context)?;
        match &parsed {
            Parsed::CreateExternalTable(table) if !is_known_to_cli(&table.file_type) => {
                external_table::create(&self.context, parsed).await
            }
            Parsed::Statement(sql) if matches!(sql.as_ref(), SqlStatement::Query(_)) => {
                self.print_query(parsed).await
            }
            _ => {
                let commands = vec![statement.text().to_string()];
                exec_from_commands(&self.context, commands, &self.safe_print()).await
            }
        }
    }

    async fn print_query(&self, query: Parsed) -> Result<()> {
        let started = Instant::now();
        let plan = self.context.state().statement_to_plan(query).await?;
        let frame = self.context.execute_logical_plan(plan).await?;
        let plan = frame.create_physical_plan().await?;
        let is_unbounded = plan.boundedness().is_unbounded();
        if is_unbounded && plan.pipeline_behavior() == EmissionType::Final {
            return plan_err!(
                "the query has a result only when its live table ends, which it never does"
            );
        }
        let task = self.context.task_ctx();
        let stream = execute_stream(plan, task.clone())?;
        let format = &task.session_config().options().format;
        match self.print.format {
            PrintFormat::Csv | PrintFormat::Tsv | PrintFormat::NdJson => {
                self.print.print_stream(stream, started, format).await
            }
            _ if is_unbounded => {
                let print = print_of_unbounded(&self.print);
                print.print_stream(stream, started, format).await
            }
            _ => self.print_collected(stream, started, &task).await,
        }
    }

    /// Prints a table, whose width is known at the end only, or a JSON array.
    async fn print_collected(
        &self,
        mut stream: SendableRecordBatchStream,
        started: Instant,
        task: &TaskContext,
    ) -> Result<()> {
        let mut print = self.safe_print();
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
            // One row more than is shown: it tells the printer that there are more.
            if n_rows <= n_rows_shown {
                reservation.try_grow(get_record_batch_memory_size(&batch))?;
                batches.push(batch.clone());
            }
            n_rows += batch.num_rows();
        }
        let format = &task.session_config().options().format;
        if print.format == PrintFormat::Automatic {
            print.format = PrintFormat::Table;
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

    /// The options that are safe to give to datafusion-cli: it applies the row limit of tables to every format, which
    /// loses rows, and it refuses to stream a "table", but not "automatic".
    fn safe_print(&self) -> PrintOptions {
        let mut print = self.print.clone();
        match print.format {
            PrintFormat::Table | PrintFormat::Automatic => print.format = PrintFormat::Automatic,
            _ => print.maxrows = MaxRows::Unlimited,
        }
        print
    }
}

/// A result without end can be neither a table nor a JSON array: it is CSV, or JSON lines.
fn print_of_unbounded(print: &PrintOptions) -> PrintOptions {
    let mut print = print.clone();
    print.format = match print.format {
        PrintFormat::Json | PrintFormat::NdJson => PrintFormat::NdJson,
        PrintFormat::Tsv => PrintFormat::Tsv,
        PrintFormat::Csv | PrintFormat::Table | PrintFormat::Automatic => PrintFormat::Csv,
    };
    print
}

/// Whether datafusion-cli can create a table of this format itself.
fn is_known_to_cli(file_type: &str) -> bool {
    const KNOWN: [&str; 5] = ["CSV", "JSON", "PARQUET", "AVRO", "ARROW"];
    KNOWN.iter().any(|known| known.eq_ignore_ascii_case(file_type))
}
