//! Plans `tumble(..)`, `hop(..)`, `session(..)` and `count_window(..)` where a FROM names them.
//!
//! DataFusion's table functions do not take tables, so this planner handles the call before them.
//! The functions are also registered as table functions, so that SHOW FUNCTIONS lists them; these
//! are never called.

use std::fmt::{Debug, Formatter};
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::catalog::{SchemaProvider, TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::{
    DFSchema, Result, TableReference, internal_err, plan_datafusion_err, plan_err,
};
use datafusion::datasource::provider_as_source;
use datafusion::execution::SessionState;
use datafusion::logical_expr::planner::{
    PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning,
};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::prelude::SessionContext;
use datafusion::sql::sqlparser::ast::{
    self, FunctionArg, Ident, LimitClause, ObjectName, ObjectNamePart, Query, TableFactor, Value,
};
use futures::FutureExt;

use crate::planner::windows::bounded;
use crate::planner::windows::chain::Chain;
use crate::planner::windows::find_chain::find_chain;
use crate::planner::windows::scan::WindowedScan;
use crate::planner::windows::spec::{WindowCall, WindowFunction, WindowSpec};
use crate::sources::archive::archive_table;
use crate::streams::counters::StreamRegistry;
use crate::streams::table::LiveTable;
use crate::streams::windows::shape::{WINDOW_END, WINDOW_START};

/// The planner of window functions.
pub(crate) struct WindowFunctions {
    state: Box<dyn Fn() -> SessionState + Send + Sync>,
    /// If set, bounded tables are read window by window too.
    archives: Option<Arc<Archives>>,
}

/// Bounded tables that are read window by window; the statements of a pipeline share them.
#[derive(Debug, Default)]
pub(crate) struct Archives {
    streams: Arc<StreamRegistry>,
    read: Mutex<Vec<(LogicalPlan, LiveTable)>>,
}

impl Archives {
    /// The rows of `plan` as a live table with this time column; the same plan gives the same
    /// table.
    fn table(
        &self,
        plan: &LogicalPlan,
        time_column: Option<usize>,
        state: SessionState,
    ) -> Result<LiveTable> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let known = read
            .iter()
            .find(|(known, table)| known == plan && table.time_column == time_column);
        if let Some((_, table)) = known {
            return Ok(table.clone());
        }
        let name = match plan {
            LogicalPlan::TableScan(scan) => scan.table_name.to_string(),
            LogicalPlan::SubqueryAlias(alias) => alias.alias.to_string(),
            _ => "archive".to_string(),
        };
        let streams = Arc::clone(&self.streams);
        let table = archive_table(name, plan.clone(), time_column, state, streams)?;
        read.push((plan.clone(), table.clone()));
        Ok(table)
    }
}

impl Debug for WindowFunctions {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("WindowFunctions")
    }
}

impl WindowFunctions {
    /// A planner that looks up tables in `context`, without keeping it alive, if the statement does
    /// not name them elsewhere. When the context is gone because another one has taken over its
    /// state, as with `SessionContext::enable_url_table`, it uses `state` instead.
    pub(crate) fn new(context: &SessionContext, state: &SessionState) -> Self {
        let (current, first) = (context.state_weak_ref(), state.clone());
        let state = move || match current.upgrade() {
            Some(state) => state.read().clone(),
            None => first.clone(),
        };
        Self {
            state: Box::new(state),
            archives: None,
        }
    }

    /// Reads bounded tables window by window, too.
    pub(crate) fn window_by_window(mut self, archives: Arc<Archives>) -> Self {
        self.archives = Some(archives);
        self
    }
}

impl RelationPlanner for WindowFunctions {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        let TableFactor::Table {
            name,
            args: Some(arguments),
            alias,
            sample,
            ..
        } = &relation
        else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        let Some(function) = function_named(name) else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        if sample.is_some() {
            return plan_err!(
                "{} takes no TABLESAMPLE: leave it out, or sample in WHERE random() < 0.1",
                function.name()
            );
        }
        let plan = self.plan_call(function, arguments.args.clone(), context)?;
        let alias = alias.clone();
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation {
            plan,
            alias,
        })))
    }
}

fn function_named(name: &ObjectName) -> Option<WindowFunction> {
    let [part] = name.0.as_slice() else {
        return None;
    };
    let name = part.as_ident()?.value.to_lowercase();
    let mut functions = WindowFunction::ALL.into_iter();
    functions.find(|function| function.name() == name)
}

impl WindowFunctions {
    fn plan_call(
        &self,
        function: WindowFunction,
        arguments: Vec<FunctionArg>,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<LogicalPlan> {
        let call = WindowCall::read(function, arguments)?;
        let (input, table) = self.plan_table(function, &call.table, context)?;
        check_columns(function, input.schema())?;
        let schema = Arc::clone(input.schema());
        let spec = call.spec(&schema, |argument| context.sql_to_expr(argument, &schema))?;
        let plan = self.plan_windows(input, spec)?;
        match table {
            // `t.ts` and `t.window_start` are columns of `tumble(t, ..)`.
            Some(table) => LogicalPlanBuilder::from(plan).alias(table)?.build(),
            None => Ok(plan),
        }
    }

    /// The plan of the first argument, and its name if it is a table.
    fn plan_table(
        &self,
        function: WindowFunction,
        argument: &ast::Expr,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<(LogicalPlan, Option<TableReference>)> {
        let name = match argument {
            ast::Expr::Identifier(name) => vec![name.clone()],
            ast::Expr::CompoundIdentifier(name) => name.clone(),
            ast::Expr::Value(value) => match &value.value {
                Value::SingleQuotedString(path) => vec![Ident::with_quote('\'', path)],
                other => return no_table(function, &other.to_string()),
            },
            ast::Expr::Subquery(query) => {
                return Ok((plan_subquery(function, query, context)?, None));
            }
            other => return no_table(function, &other.to_string()),
        };
        let name = ObjectName(name.into_iter().map(ObjectNamePart::Identifier).collect());
        let reference = context.object_name_to_table_reference(name.clone())?;
        let plan = match context.plan(table_named(name)) {
            Ok(plan) => plan,
            // The context knows CTEs, and the tables that DataFusion found in FROM clauses
            // beforehand; other tables are looked up here.
            Err(_) => self.scan(&reference, context)?,
        };
        Ok((plan, Some(reference)))
    }

    fn plan_windows(&self, input: LogicalPlan, spec: WindowSpec) -> Result<LogicalPlan> {
        if let Some(chain) = find_chain(&input, spec.function, &(self.state)())? {
            check_time(&chain, &spec)?;
            return windows_of(&input, chain, spec);
        }
        if spec.time.is_none() && spec.function == WindowFunction::Tumble {
            return plan_err!(
                "tumble without a time column is processing time, which needs a live table: name the time column, \
                 tumble(t, ts, INTERVAL '30 seconds')"
            );
        }
        match &self.archives {
            Some(archives) => {
                let table = archives.table(&input, spec.time, (self.state)())?;
                windows_of(&input, Chain::of_table(table), spec)
            }
            None => bounded::plan(input, &spec),
        }
    }

    fn scan(
        &self,
        table: &TableReference,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<LogicalPlan> {
        let catalog = &context.context_provider().options().catalog;
        let resolved = table
            .clone()
            .resolve(&catalog.default_catalog, &catalog.default_schema);
        let not_found = || plan_datafusion_err!("table '{resolved}' not found");
        let state = (self.state)();
        let Ok(schema) = state.schema_for_ref(resolved.clone()) else {
            return Err(not_found());
        };
        let provider = find_table(schema.as_ref(), &resolved.table)?;
        let source = provider_as_source(provider.ok_or_else(not_found)?);
        LogicalPlanBuilder::scan(table.clone(), source, None)?.build()
    }
}

/// The windows of a live table. Their columns are qualified like those of the input, since this
/// gives them their names.
fn windows_of(input: &LogicalPlan, chain: Chain, spec: WindowSpec) -> Result<LogicalPlan> {
    let name = TableReference::parse_str(&chain.live.name);
    let source = provider_as_source(Arc::new(WindowedScan::new(chain, spec)));
    let scan = LogicalPlanBuilder::scan(name, source, None)?.build()?;
    let qualifiers = input
        .schema()
        .iter()
        .map(|(qualifier, _)| qualifier.cloned());
    // The bounds come after the columns of the input.
    let qualifiers = qualifiers.chain(std::iter::repeat(None));
    let columns = scan.schema().columns().into_iter().zip(qualifiers);
    let columns: Vec<_> = columns
        .map(|(column, qualifier)| {
            let name = column.name.clone();
            Expr::Column(column).alias_qualified(qualifier, name)
        })
        .collect();
    LogicalPlanBuilder::from(scan).project(columns)?.build()
}

/// The table of this name. It is nearly always there at once. If a file must be read first, a
/// thread with its own runtime waits for it, since planning is not async.
fn find_table(schema: &dyn SchemaProvider, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
    if let Some(found) = schema.table(name).now_or_never() {
        return found;
    }
    let wait = || -> Result<Option<Arc<dyn TableProvider>>> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(schema.table(name))
    };
    let found = std::thread::scope(|scope| scope.spawn(wait).join());
    found.unwrap_or_else(|_| internal_err!("looking up table '{name}' panicked"))
}

/// Checks that a live table is cut by its own time column, the only one for which it has a
/// watermark.
fn check_time(chain: &Chain, spec: &WindowSpec) -> Result<()> {
    let Some(time) = spec.time else {
        return Ok(());
    };
    let (function, live) = (spec.function.name(), &chain.live);
    match live.time_field() {
        None if spec.function == WindowFunction::Tumble => plan_err!(
            "tumble: the live table {} has no time_column: name one when it is created, or use the time of reading, \
             tumble({}, INTERVAL '30 seconds')",
            live.name,
            live.name
        ),
        None => plan_err!(
            "{function}: the live table {} has no time_column: name one when it is created",
            live.name
        ),
        Some(field) if chain.origins.get(time).copied().flatten() != live.time_column => plan_err!(
            "{function} over the live table {} must use its time_column {}, unchanged",
            live.name,
            field.name()
        ),
        Some(_) => Ok(()),
    }
}

fn no_table<T>(function: WindowFunction, got: &str) -> Result<T> {
    plan_err!(
        "{}: the first argument is a table or a subquery in brackets, got {got}: write {}",
        function.name(),
        function.example()
    )
}

fn check_columns(function: WindowFunction, schema: &DFSchema) -> Result<()> {
    for name in [WINDOW_START, WINDOW_END] {
        if schema.fields().iter().any(|field| field.name() == name) {
            return plan_err!(
                "{}: the table has already a column {name}: name the columns you need in a subquery, without it",
                function.name()
            );
        }
    }
    Ok(())
}

fn table_named(name: ObjectName) -> TableFactor {
    TableFactor::Table {
        name,
        alias: None,
        args: None,
        with_hints: vec![],
        version: None,
        with_ordinality: false,
        partitions: vec![],
        json_path: None,
        sample: None,
        index_hints: vec![],
    }
}

/// Plans a subquery. Its order is kept only for `count_window`: DataFusion drops it unless there is
/// a LIMIT.
fn plan_subquery(
    function: WindowFunction,
    query: &Query,
    context: &mut dyn RelationPlannerContext,
) -> Result<LogicalPlan> {
    let mut query = Box::new(query.clone());
    let is_ordered = function == WindowFunction::CountWindow
        && query.order_by.is_some()
        && query.limit_clause.is_none()
        && query.fetch.is_none();
    if is_ordered {
        let most = Value::Number(i64::MAX.to_string(), false);
        query.limit_clause = Some(LimitClause::LimitOffset {
            limit: Some(ast::Expr::Value(most.with_empty_span())),
            offset: None,
            limit_by: vec![],
        });
    }
    let plan = context.plan(TableFactor::Derived {
        lateral: false,
        subquery: query,
        alias: None,
        sample: None,
    })?;
    match plan {
        LogicalPlan::Limit(limit) if is_ordered => Ok(Arc::unwrap_or_clone(limit.input)),
        plan => Ok(plan),
    }
}

/// A window function as SHOW FUNCTIONS lists it.
#[derive(Debug)]
pub(crate) struct Listed(pub(crate) WindowFunction);

impl TableFunctionImpl for Listed {
    fn call_with_args(&self, _: TableFunctionArgs) -> Result<Arc<dyn TableProvider>> {
        let example = self.0.example();
        plan_err!("write SELECT * FROM {example}")
    }
}
