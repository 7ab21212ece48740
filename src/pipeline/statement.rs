//! A statement of a pipeline: its text, its line and its errors.

use datafusion::common::{DataFusionError, Result, TableReference};
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement as Parsed;
use datafusion::sql::planner::object_name_to_table_reference;
use datafusion::sql::sqlparser::ast::{Statement as SqlStatement, Value};

use crate::planner::statements::Statements;

/// A statement and its line.
#[derive(Debug, Clone)]
pub(crate) struct PipelineStatement {
    pub(crate) parsed: Parsed,
    /// The line in the text, from 1.
    line: u64,
}

impl PipelineStatement {
    /// Plans the statement.
    ///
    /// # Errors
    /// The errors of the planner, with the line.
    pub(crate) async fn plan(&self, state: &SessionState) -> Result<LogicalPlan> {
        let plan = state.statement_to_plan(self.parsed.clone()).await;
        plan.map_err(|error| self.at(error))
    }

    /// An error of this statement, with its line.
    pub(crate) fn at(&self, error: DataFusionError) -> DataFusionError {
        at_line(self.line, error)
    }

    /// The table in memory that the statement creates.
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

/// The text before the line of a statement in its error.
const IN_LINE: &str = "the statement in line ";

fn at_line(line: u64, error: DataFusionError) -> DataFusionError {
    error.context(format!("{IN_LINE}{line}"))
}

/// Removes the line of a statement from its error, and returns both.
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

/// An option as it is written down, or `None` for an option of an object store: those are addresses
/// and secrets, which change.
fn option_text((name, value): &(String, Value)) -> Option<String> {
    const STORES: [&str; 6] = ["aws.", "gcp.", "azure.", "oss.", "cos.", "http."];
    let name = name.to_lowercase();
    let is_of_store = STORES.iter().any(|store| name.starts_with(store));
    (!is_of_store).then(|| format!("{name} {value}"))
}

/// Reads the statements of a text.
///
/// # Errors
/// When one cannot be parsed, with its line.
pub(super) fn parse(text: &str, context: &SessionContext) -> Result<Vec<PipelineStatement>> {
    let dialect = context.copied_config().options().sql_parser.dialect;
    let mut statements = Statements::whole(text);
    let statements = std::iter::from_fn(|| statements.next(dialect));
    let parsed = statements.map(|statement| {
        let line = statement.line();
        let parsed = statement.parse(context);
        let parsed = parsed.map_err(|error| at_line(line, error))?;
        Ok(PipelineStatement { parsed, line })
    });
    parsed.collect()
}
