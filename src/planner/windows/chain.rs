//! What stands between a live table and its window function: filters and projections of a view, a CTE or a subquery.
//!
//! They look at one row at a time, so they are done on the rows as they come, before these are cut into windows. Anything
//! else would need rows of other windows, and is refused.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::compute::{filter, filter_record_batch, prep_null_mask_filter};
use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result, plan_err};
use datafusion::datasource::source_as_provider;
use datafusion::execution::SessionState;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Expr, Filter, LogicalPlan, Projection, Sort, TableScan};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::utils::collect_columns;

use crate::planner::windows::scan::WindowedScan;
use crate::planner::windows::spec::WindowFunction;
use crate::tables::live::stream::Timed;
use crate::tables::live::table::LiveTable;

/// What is done to every row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum RowStep {
    /// Keeps the rows for which this is true.
    Filter(Arc<dyn PhysicalExpr>),
    /// Makes these columns.
    Project(Vec<Arc<dyn PhysicalExpr>>, SchemaRef),
}

/// A live table and what is done to its rows.
#[derive(Debug, Clone)]
pub(crate) struct Chain {
    pub(crate) live: Arc<LiveTable>,
    steps: Vec<RowStep>,
    /// The columns that come out.
    pub(crate) schema: SchemaRef,
    /// Of each of them, the column of the table that it is; `None` where it is computed.
    pub(crate) origins: Vec<Option<usize>>,
}

impl PartialEq for Chain {
    fn eq(&self, other: &Self) -> bool {
        self.is_of(&other.live) && self.steps == other.steps && self.schema == other.schema
    }
}

impl Chain {
    /// What `plan` does to the rows of a live table; `None` if it reads none.
    ///
    /// # Errors
    /// When it needs more than one row at a time.
    pub(crate) fn of(
        plan: &LogicalPlan,
        function: WindowFunction,
        state: &SessionState,
    ) -> Result<Option<Self>> {
        if !reads_live(plan)? {
            return Ok(None);
        }
        Walk { function, state }.chain(plan).map(Some)
    }

    /// All rows of a live table, as they are.
    pub(crate) fn of_table(live: LiveTable) -> Self {
        let schema = live.source.schema();
        Self {
            live: Arc::new(live),
            steps: vec![],
            origins: (0..schema.fields().len()).map(Some).collect(),
            schema,
        }
    }

    /// Keeps of what comes out the rows for which this is true.
    pub(crate) fn add_filter(&mut self, predicate: Arc<dyn PhysicalExpr>) {
        self.steps.push(RowStep::Filter(predicate));
    }

    /// Whether it reads this table.
    pub(crate) fn is_of(&self, live: &LiveTable) -> bool {
        Arc::ptr_eq(&self.live.source, &live.source)
    }

    /// What has to be done for these columns alone.
    ///
    /// # Errors
    /// None in practice: the columns are known.
    pub(crate) fn narrow(&self, outputs: &BTreeSet<usize>) -> Result<RowPlan> {
        // Backwards: which columns each step must have; forwards: where they are then.
        let mut needed = outputs.clone();
        let mut layouts = Vec::with_capacity(self.steps.len());
        for step in self.steps.iter().rev() {
            match step {
                RowStep::Filter(predicate) => needed.extend(columns_of(predicate)),
                RowStep::Project(expressions, _) => {
                    let inputs = needed.iter().filter_map(|index| expressions.get(*index));
                    let inputs: BTreeSet<usize> = inputs.flat_map(columns_of).collect();
                    layouts.push(std::mem::replace(&mut needed, inputs));
                }
            }
        }
        let columns: Vec<usize> = needed.iter().copied().collect();
        let mut layout = needed;
        let mut steps = Vec::with_capacity(self.steps.len());
        for step in &self.steps {
            match step {
                RowStep::Filter(predicate) => {
                    steps.push(RowStep::Filter(moved(predicate, &layout)?));
                }
                RowStep::Project(expressions, schema) => {
                    let kept = layouts.pop().unwrap_or_default();
                    let expressions = kept.iter().filter_map(|index| expressions.get(*index));
                    let expressions = expressions.map(|expression| moved(expression, &layout));
                    let expressions = expressions.collect::<Result<_>>()?;
                    let indices: Vec<usize> = kept.iter().copied().collect();
                    steps.push(RowStep::Project(
                        expressions,
                        Arc::new(schema.project(&indices)?),
                    ));
                    layout = kept;
                }
            }
        }
        let outputs: Vec<usize> = outputs.iter().copied().collect();
        let kept = outputs.iter().filter_map(|output| place(&layout, *output));
        Ok(RowPlan {
            columns,
            steps,
            kept: kept.collect(),
            schema: Arc::new(self.schema.project(&outputs)?),
            outputs,
        })
    }
}

/// What is done to the rows of a live table of which some columns are read.
#[derive(Debug, Clone)]
pub(crate) struct RowPlan {
    /// The columns of the table to read.
    pub(crate) columns: Vec<usize>,
    steps: Vec<RowStep>,
    /// Where the columns that come out are behind the last step.
    kept: Vec<usize>,
    /// Which of the columns of the chain come out.
    pub(crate) outputs: Vec<usize>,
    pub(crate) schema: SchemaRef,
}

/// Rows on their way into windows.
#[derive(Debug, Clone)]
pub(crate) struct Arrived {
    /// As they were read.
    pub(crate) raw: RecordBatch,
    /// As they are in windows, and their times.
    pub(crate) timed: Timed,
}

impl RowPlan {
    /// Does all steps.
    ///
    /// # Errors
    /// When an expression fails on a row.
    pub(crate) fn apply(&self, timed: Timed) -> Result<Arrived> {
        let raw = timed.rows.clone();
        let mut arrived = Arrived { raw, timed };
        for step in &self.steps {
            match step {
                RowStep::Filter(predicate) => arrived.filter(predicate)?,
                RowStep::Project(expressions, schema) => {
                    let rows = &arrived.timed.rows;
                    arrived.timed.rows = project(rows, expressions, schema)?;
                }
            }
        }
        arrived.timed.rows = arrived.timed.rows.project(&self.kept)?;
        Ok(arrived)
    }
}

impl Arrived {
    fn filter(&mut self, predicate: &Arc<dyn PhysicalExpr>) -> Result<()> {
        let rows = &self.timed.rows;
        let keep = predicate.evaluate(rows)?.into_array(rows.num_rows())?;
        let keep = keep.as_boolean();
        let keep = if keep.null_count() > 0 {
            prep_null_mask_filter(keep)
        } else {
            keep.clone()
        };
        if keep.true_count() < rows.num_rows() {
            self.timed.rows = filter_record_batch(rows, &keep)?;
            self.timed.times = filter(&self.timed.times, &keep)?.to_data().into();
            self.raw = filter_record_batch(&self.raw, &keep)?;
        }
        Ok(())
    }
}

fn project(
    rows: &RecordBatch,
    expressions: &[Arc<dyn PhysicalExpr>],
    schema: &SchemaRef,
) -> Result<RecordBatch> {
    let n_rows = rows.num_rows();
    let columns = expressions
        .iter()
        .map(|expression| expression.evaluate(rows)?.into_array(n_rows))
        .collect::<Result<_>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(n_rows));
    let schema = Arc::clone(schema);
    Ok(RecordBatch::try_new_with_options(
        schema, columns, &options,
    )?)
}

fn columns_of(expression: &Arc<dyn PhysicalExpr>) -> BTreeSet<usize> {
    let columns = collect_columns(expression);
    columns.iter().map(Column::index).collect()
}

fn place(layout: &BTreeSet<usize>, index: usize) -> Option<usize> {
    layout.iter().position(|column| *column == index)
}

/// The expression over rows that have only the columns of this layout.
fn moved(
    expression: &Arc<dyn PhysicalExpr>,
    layout: &BTreeSet<usize>,
) -> Result<Arc<dyn PhysicalExpr>> {
    let moved = Arc::clone(expression).transform(|part| {
        let Some(column) = part.downcast_ref::<Column>() else {
            return Ok(Transformed::no(part));
        };
        let index = place(layout, column.index()).unwrap_or_default();
        let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new(column.name(), index));
        Ok(Transformed::yes(column))
    });
    moved.data()
}

/// Whether a plan reads a live table anywhere, in views and subqueries too.
fn reads_live(plan: &LogicalPlan) -> Result<bool> {
    let mut is_found = false;
    plan.apply_with_subqueries(|node| {
        is_found = is_found || is_live(node)?;
        Ok(if is_found {
            TreeNodeRecursion::Stop
        } else {
            TreeNodeRecursion::Continue
        })
    })?;
    Ok(is_found)
}

fn is_live(node: &LogicalPlan) -> Result<bool> {
    let LogicalPlan::TableScan(scan) = node else {
        return Ok(false);
    };
    if let Some(view) = scan.source.get_logical_plan() {
        return reads_live(&view);
    }
    // A source of another kind has no provider, and is no live table.
    let provider = source_as_provider(&scan.source);
    Ok(provider.is_ok_and(|table| table.is::<LiveTable>() || table.is::<WindowedScan>()))
}

/// Goes down from the window function to the live table.
struct Walk<'a> {
    function: WindowFunction,
    state: &'a SessionState,
}

impl Walk<'_> {
    fn chain(&self, plan: &LogicalPlan) -> Result<Chain> {
        match plan {
            LogicalPlan::TableScan(scan) => self.scan(scan),
            LogicalPlan::SubqueryAlias(alias) => self.chain(&alias.input),
            LogicalPlan::Filter(filter) => self.filter(filter),
            LogicalPlan::Sort(sort) if self.function == WindowFunction::CountWindow => {
                self.sort(sort)
            }
            LogicalPlan::Projection(projection) => self.project(projection),
            other => self.refuse(name_of(other)),
        }
    }

    fn refuse<T>(&self, what: &str) -> Result<T> {
        let function = self.function.name();
        plan_err!(
            "{function} over a live table takes its rows one by one, and {what} needs more of them: put it outside, SELECT .. FROM {}",
            self.function.example()
        )
    }

    fn scan(&self, scan: &TableScan) -> Result<Chain> {
        if let Some(view) = scan.source.get_logical_plan() {
            return self.chain(&view);
        }
        let provider = source_as_provider(&scan.source)?;
        if provider.is::<WindowedScan>() {
            return self.refuse("another window function");
        }
        match provider.downcast_ref::<LiveTable>() {
            Some(live) => Ok(Chain::of_table(live.clone())),
            None => self.refuse("a subquery"),
        }
    }

    /// Rows are counted in the order of event time: it may be said, and is what the bounded table needs to be told.
    fn sort(&self, sort: &Sort) -> Result<Chain> {
        let chain = self.chain(&sort.input)?;
        let is_time = match &sort.expr[..] {
            [key] if key.asc && sort.fetch.is_none() => {
                let key = self.physical(&key.expr, sort.input.schema())?;
                let column = key.downcast_ref::<Column>();
                let origin = column.and_then(|column| *chain.origins.get(column.index())?);
                origin.is_some() && origin == chain.live.time_column
            }
            _ => false,
        };
        if !is_time {
            return plan_err!(
                "count_window over a live table counts in the order of event time: ORDER BY its time column, or leave ORDER BY out"
            );
        }
        Ok(chain)
    }

    fn filter(&self, filter: &Filter) -> Result<Chain> {
        let mut chain = self.chain(&filter.input)?;
        let predicate = self.physical(&filter.predicate, filter.input.schema())?;
        chain.steps.push(RowStep::Filter(predicate));
        Ok(chain)
    }

    fn project(&self, projection: &Projection) -> Result<Chain> {
        let mut chain = self.chain(&projection.input)?;
        let input = projection.input.schema();
        let mut expressions = Vec::with_capacity(projection.expr.len());
        let mut fields: Vec<Field> = Vec::with_capacity(projection.expr.len());
        let mut origins = Vec::with_capacity(projection.expr.len());
        for (expression, named) in projection.expr.iter().zip(projection.schema.fields()) {
            let physical = self.physical(expression, input)?;
            let field = physical.return_field(&chain.schema)?;
            fields.push(field.as_ref().clone().with_name(named.name()));
            let origin = physical.downcast_ref::<Column>();
            origins.push(origin.and_then(|column| *chain.origins.get(column.index())?));
            expressions.push(physical);
        }
        let metadata = chain.schema.metadata().clone();
        chain.schema = Arc::new(Schema::new_with_metadata(fields, metadata));
        chain.origins = origins;
        let schema = Arc::clone(&chain.schema);
        chain.steps.push(RowStep::Project(expressions, schema));
        Ok(chain)
    }

    fn physical(&self, expression: &Expr, schema: &DFSchema) -> Result<Arc<dyn PhysicalExpr>> {
        let has_subquery = expression.exists(|part| {
            Ok(matches!(
                part,
                Expr::ScalarSubquery(_)
                    | Expr::InSubquery(_)
                    | Expr::Exists(_)
                    | Expr::SetComparison(_)
                    | Expr::OuterReferenceColumn(..)
            ))
        })?;
        if has_subquery {
            return self.refuse("a subquery in an expression");
        }
        // now() and coalesce() are made of others by the simplifier alone.
        let context = SimplifyContext::builder()
            .with_schema(Arc::new(schema.clone()))
            .with_config_options(Arc::clone(self.state.config_options()))
            .with_query_execution_start_time(
                self.state.execution_props().query_execution_start_time,
            )
            .build();
        let simplifier = ExprSimplifier::new(context);
        let expression = expression.clone().unalias_nested().data;
        let expression = simplifier.simplify(simplifier.coerce(expression, schema)?)?;
        self.state.create_physical_expr(expression, schema)
    }
}

/// What people call this part of a query.
fn name_of(plan: &LogicalPlan) -> &'static str {
    match plan {
        LogicalPlan::Aggregate(_) => "GROUP BY or an aggregate",
        LogicalPlan::Distinct(_) => "DISTINCT",
        LogicalPlan::Join(_) => "a join",
        LogicalPlan::Limit(_) => "LIMIT",
        LogicalPlan::Sort(_) => "ORDER BY",
        LogicalPlan::Union(_) => "UNION",
        LogicalPlan::Unnest(_) => "UNNEST",
        LogicalPlan::Window(_) => "OVER",
        _ => "what stands in its subquery",
    }
}
