//! The statements that run on every window: which ones are allowed, and how one runs.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::UInt64Type;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{ResolvedTableReference, Result, TableReference, plan_err};
use datafusion::datasource::{MemTable, source_as_provider};
use datafusion::execution::SessionState;
use datafusion::logical_expr::dml::InsertOp;
use datafusion::logical_expr::{
    DdlStatement, DmlStatement, LogicalPlan, Statement as PlanStatement, WriteOp,
};
use datafusion::prelude::SessionContext;

use crate::pipeline::statement::PipelineStatement;
use crate::planner::live_tables::LiveScans;
use crate::planner::plan_size::check_plan_size;
use crate::planner::windows::execution::with_window;
use crate::planner::windows::read::WindowedRead;
use crate::sinks::sink::WindowSink;
use crate::stores::store::Store;
use crate::stores::target_table::TargetTable;
use crate::streams::session_extensions::CurrentWindow;

/// What a statement has done on a window.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum StatementOutcome {
    /// INSERT has written this many rows into this table.
    Inserted {
        /// The table.
        table: String,
        /// The number of rows.
        n_rows: u64,
    },
    /// UPDATE, DELETE or MERGE has changed this many rows of this table.
    Changed {
        /// The table.
        table: String,
        /// The number of rows.
        n_rows: u64,
    },
    /// A query has answered with these batches.
    Answered(Vec<RecordBatch>),
    /// The statement has done something else.
    Done,
}

/// The statements that run on every window.
#[derive(Debug)]
pub(crate) struct Body {
    statements: Vec<PipelineStatement>,
    /// The store whose tables the statements write in a transaction.
    pub(crate) database: Option<Arc<dyn Store>>,
    /// The sinks for all other writes, one for each INSERT.
    sinks: Vec<Arc<dyn WindowSink>>,
}

/// A statement that runs on a window.
struct StatementRun<'a> {
    context: &'a SessionContext,
    names: WindowNames<'a>,
}

/// The names under which the rows of a window are written.
struct WindowNames<'a> {
    /// The name of the window, which all names begin with.
    stem: &'a str,
    /// How many statements have written into each place so far.
    n_inserts: HashMap<String, usize>,
}

impl<'a> WindowNames<'a> {
    fn new(stem: &'a str) -> Self {
        Self {
            stem,
            n_inserts: HashMap::new(),
        }
    }

    /// The name for the next INSERT into this sink.
    fn next(&mut self, sink: &dyn WindowSink) -> String {
        let n_before = self.n_inserts.entry(sink.place()).or_default();
        *n_before += 1;
        match *n_before {
            1 => self.stem.to_string(),
            number => format!("{}-{number}", self.stem),
        }
    }
}

impl Body {
    /// Checks the statements on a window without rows: those that create something run, the others
    /// are planned. Also returns what the statements read.
    ///
    /// # Errors
    /// When a statement is wrong or cannot run on windows.
    pub(crate) async fn check(
        statements: Vec<PipelineStatement>,
        context: &SessionContext,
    ) -> Result<(Self, WindowedRead)> {
        let mut scans = LiveScans::default();
        let mut checked = Checked::new(&context.state());
        let remade = statements.iter().filter_map(PipelineStatement::creates);
        let remade: BTreeSet<_> = remade.map(|name| checked.resolved(&name)).collect();
        for statement in &statements {
            let state = with_window(&context.state(), CurrentWindow::without_rows());
            let plan = statement.plan(&state).await?;
            let check = async {
                check_plan_size(&plan)?;
                for read in read_by(&plan, &state)? {
                    scans.add_all(&read)?;
                    checked.check_reads(&read, &remade)?;
                }
                checked.check(&plan)?;
                if let Some(live) = &scans.live {
                    return plan_err!(
                        "{0} is read without a window: read it by the same window function everywhere, such as \
                         tumble({0}, ts, INTERVAL '30 seconds')",
                        live.name
                    );
                }
                if matches!(plan, LogicalPlan::Ddl(_)) {
                    let context = SessionContext::new_with_state(state);
                    context.execute_logical_plan(plan).await?;
                } else if !matches!(plan, LogicalPlan::Dml(_)) {
                    state.create_physical_plan(&plan).await?;
                }
                Ok(())
            };
            check.await.map_err(|error| statement.at(error))?;
        }
        let Some(scan) = scans.windowed else {
            return plan_err!("no statement reads windows");
        };
        let body = Self {
            statements,
            database: checked.database,
            sinks: checked.sinks,
        };
        Ok((body, WindowedRead::try_new(scan, scans.outputs)?))
    }

    /// Removes what a killed run of this pipeline had begun to write.
    ///
    /// # Errors
    /// The errors of the sinks.
    pub(crate) async fn clean_up(&self, pipeline: &str) -> Result<()> {
        for sink in self.places() {
            sink.clean_up(pipeline).await?;
        }
        Ok(())
    }

    /// Removes what was written of a window that did not finish, so that no statement finds its own
    /// earlier output: an INSERT of the rows that are not there yet would otherwise insert nothing.
    ///
    /// # Errors
    /// The errors of the sinks.
    pub(crate) async fn undo(&self, window: &str, state: &SessionState) -> Result<()> {
        let mut names = WindowNames::new(window);
        for sink in &self.sinks {
            sink.undo(&names.next(sink.as_ref()), state).await?;
        }
        Ok(())
    }

    /// One sink for each place that is written to.
    fn places(&self) -> impl Iterator<Item = &Arc<dyn WindowSink>> {
        let mut seen = BTreeSet::new();
        self.sinks
            .iter()
            .filter(move |sink| seen.insert(sink.place()))
    }

    /// Runs all statements in this session, which contains the window.
    ///
    /// # Errors
    /// The error of the first statement that fails.
    pub(crate) async fn run(
        &self,
        state: SessionState,
        window: &str,
    ) -> Result<Vec<StatementOutcome>> {
        let context = SessionContext::new_with_state(state);
        for sink in self.places() {
            sink.begin(window).await?;
        }
        let mut run = StatementRun {
            context: &context,
            names: WindowNames::new(window),
        };
        let mut outcomes = Vec::with_capacity(self.statements.len());
        for statement in &self.statements {
            let plan = statement.plan(&context.state()).await?;
            let outcome = run.run(plan).await;
            outcomes.push(outcome.map_err(|error| statement.at(error))?);
        }
        for sink in self.places() {
            sink.commit(window).await?;
        }
        Ok(outcomes)
    }
}

/// The plans that read in a plan, with the columns that they need.
fn read_by(plan: &LogicalPlan, state: &SessionState) -> Result<Vec<LogicalPlan>> {
    let inputs = match plan {
        LogicalPlan::Ddl(ddl) => ddl.inputs(),
        plan => vec![plan],
    };
    inputs.iter().map(|input| state.optimize(input)).collect()
}

/// What the statements checked so far write.
#[derive(Debug)]
struct Checked {
    /// The catalog and schema of names that do not give one.
    default_catalog: String,
    default_schema: String,
    /// Tables in memory that are created again on every window.
    made: BTreeSet<ResolvedTableReference>,
    database: Option<Arc<dyn Store>>,
    sinks: Vec<Arc<dyn WindowSink>>,
}

impl Checked {
    fn new(state: &SessionState) -> Self {
        let defaults = &state.config_options().catalog;
        Self {
            default_catalog: defaults.default_catalog.clone(),
            default_schema: defaults.default_schema.clone(),
            made: BTreeSet::new(),
            database: None,
            sinks: vec![],
        }
    }

    /// The full name of a table: two schemas may each have a table of the same name.
    fn resolved(&self, name: &TableReference) -> ResolvedTableReference {
        let name = name.clone();
        name.resolve(&self.default_catalog, &self.default_schema)
    }

    /// Refuses reads of a table before the window has created it. Until then it has the rows of the
    /// window before; after a restart it has none.
    fn check_reads(
        &self,
        plan: &LogicalPlan,
        remade: &BTreeSet<ResolvedTableReference>,
    ) -> Result<()> {
        plan.apply_with_subqueries(|node| {
            let LogicalPlan::TableScan(scan) = node else {
                return Ok(TreeNodeRecursion::Continue);
            };
            let name = self.resolved(&scan.table_name);
            if remade.contains(&name) && !self.made.contains(&name) {
                plan_err!(
                    "{} is read before this window has made it: what the window before it had there is gone after a \
                     restart. Keep it in an external table STORED AS SQLITE",
                    name.table
                )
            } else {
                Ok(TreeNodeRecursion::Continue)
            }
        })?;
        Ok(())
    }

    fn check(&mut self, plan: &LogicalPlan) -> Result<()> {
        match plan {
            LogicalPlan::Copy(_) => plan_err!(
                "COPY would write the same file on every window: create an external table with a folder as its LOCATION, \
                 and INSERT INTO that"
            ),
            LogicalPlan::Analyze(_) => {
                plan_err!("EXPLAIN ANALYZE does not run on windows: use EXPLAIN")
            }
            LogicalPlan::Ddl(ddl) => self.check_ddl(ddl),
            LogicalPlan::Dml(dml) => self.check_dml(dml),
            LogicalPlan::Statement(PlanStatement::SetVariable(_)) => {
                plan_err!("SET belongs before the first statement that reads windows")
            }
            _ => Ok(()),
        }
    }

    fn check_ddl(&mut self, ddl: &DdlStatement) -> Result<()> {
        let (what, name, is_repeatable) = match ddl {
            DdlStatement::CreateMemoryTable(create) => {
                self.made.insert(self.resolved(&create.name));
                ("TABLE", &create.name, create.or_replace)
            }
            DdlStatement::CreateView(create) => ("VIEW", &create.name, create.or_replace),
            DdlStatement::DropTable(drop) => {
                self.made.remove(&self.resolved(&drop.name));
                ("TABLE", &drop.name, drop.if_exists)
            }
            DdlStatement::DropView(drop) => ("VIEW", &drop.name, drop.if_exists),
            other => {
                return plan_err!(
                    "{} belongs before the first statement that reads windows",
                    other.name()
                );
            }
        };
        match (is_repeatable, ddl) {
            (true, _) => Ok(()),
            (false, DdlStatement::DropTable(_) | DdlStatement::DropView(_)) => {
                plan_err!(
                    "DROP {what} {name} fails where there is none: write DROP {what} IF EXISTS {name}"
                )
            }
            (false, _) => plan_err!(
                "CREATE {what} {name} is for one window: write CREATE OR REPLACE {what} {name}"
            ),
        }
    }

    fn check_dml(&mut self, dml: &DmlStatement) -> Result<()> {
        let name = &dml.table_name;
        let provider = source_as_provider(&dml.target)?;
        if let Some(database) = TargetTable::store_of(provider.as_ref()) {
            return match &self.database {
                Some(known) if known.name() != database.name() => plan_err!(
                    "a pipeline writes the tables of one database, so that a window is done in it or not at all: got {} and {}",
                    known.name(),
                    database.name()
                ),
                _ => {
                    self.database = Some(database);
                    Ok(())
                }
            };
        }
        if let Some(sink) = TargetTable::sink_of(&provider) {
            return match dml.op {
                WriteOp::Insert(InsertOp::Append) => {
                    sink.check(name.table())?;
                    self.sinks.push(sink);
                    Ok(())
                }
                _ => plan_err!("only INSERT INTO writes {name} window by window"),
            };
        }
        match provider.downcast_ref::<MemTable>() {
            Some(_) => self.check_memory_table(dml),
            // Nothing is known about what a window that runs twice would leave in any other table.
            None => plan_err!(
                "{name} cannot be written window by window: after a crash a window runs again, and nothing would keep its \
                 rows from being there twice. {TARGETS}"
            ),
        }
    }

    fn check_memory_table(&self, dml: &DmlStatement) -> Result<()> {
        let name = &dml.table_name;
        if !self.made.contains(&self.resolved(name)) {
            return plan_err!(
                "{name} is in memory and is gone after a restart: make it an external table STORED AS SQLITE or PARQUET, \
                 or begin the window with CREATE OR REPLACE TABLE {name}"
            );
        }
        match dml.op {
            WriteOp::Insert(InsertOp::Overwrite | InsertOp::Replace) => plan_err!(
                "INSERT INTO adds rows to {name}, which is in memory: to replace them make it once more, CREATE OR REPLACE \
                 TABLE {name} AS SELECT ..."
            ),
            _ => Ok(()),
        }
    }
}

impl StatementRun<'_> {
    async fn run(&mut self, plan: LogicalPlan) -> Result<StatementOutcome> {
        match &plan {
            LogicalPlan::Dml(dml) => {
                let table = dml.table_name.clone();
                let provider = source_as_provider(&dml.target)?;
                if let Some(sink) = TargetTable::sink_of(&provider) {
                    return self.write_window(&table, sink.as_ref(), &dml.input).await;
                }
                let (is_insert, table) = (
                    matches!(dml.op, WriteOp::Insert(_)),
                    table.table().to_string(),
                );
                let n_rows = count(&self.collect(plan).await?);
                Ok(if is_insert {
                    StatementOutcome::Inserted { table, n_rows }
                } else {
                    StatementOutcome::Changed { table, n_rows }
                })
            }
            LogicalPlan::Ddl(_) => {
                self.collect(plan).await?;
                Ok(StatementOutcome::Done)
            }
            _ => self.collect(plan).await.map(StatementOutcome::Answered),
        }
    }

    async fn collect(&self, plan: LogicalPlan) -> Result<Vec<RecordBatch>> {
        let frame = self.context.execute_logical_plan(plan).await?;
        frame.collect().await
    }

    async fn write_window(
        &mut self,
        table: &TableReference,
        sink: &dyn WindowSink,
        input: &LogicalPlan,
    ) -> Result<StatementOutcome> {
        let name = self.names.next(sink);
        let state = self.context.state();
        let input = state.create_physical_plan(input).await?;
        let n_rows = sink.write(&name, input, &state).await?;
        Ok(StatementOutcome::Inserted {
            table: table.table().to_string(),
            n_rows,
        })
    }
}

/// The targets that a pipeline can write.
const TARGETS: &str = "Write to an external table in a folder, CREATE EXTERNAL TABLE t (...) STORED AS PARQUET (or CSV, JSON, \
    ARROW) LOCATION 'folder/'; to one STORED AS SQLITE; or to a table in memory that the same window makes, CREATE OR REPLACE \
    TABLE t";

/// The number of rows that a statement reports as written.
fn count(batches: &[RecordBatch]) -> u64 {
    let counts = batches.iter().filter_map(|batch| {
        let counts = batch.columns().first()?.as_primitive_opt::<UInt64Type>()?;
        Some(counts.values().iter().sum::<u64>())
    });
    counts.sum()
}
