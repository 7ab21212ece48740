//! Finds the filters and projections between a window function and its live table.

use std::sync::Arc;

use datafusion::arrow::datatypes::{Field, Schema};
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{DFSchema, Result, plan_err};
use datafusion::datasource::source_as_provider;
use datafusion::execution::SessionState;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Expr, Filter, LogicalPlan, Projection, Sort, TableScan};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;

use crate::planner::live_tables::reads_live_table;
use crate::planner::windows::chain::Chain;
use crate::planner::windows::scan::WindowedScan;
use crate::planner::windows::spec::WindowFunction;
use crate::streams::table::LiveTable;
use crate::streams::windows::row_plan::RowStep;

/// The chain of steps that `plan` applies to the rows of a live table; `None` if it reads no live
/// table.
///
/// # Errors
/// If a step needs more than one row at a time.
pub(crate) fn find_chain(
    plan: &LogicalPlan,
    function: WindowFunction,
    state: &SessionState,
) -> Result<Option<Chain>> {
    if !reads_live_table(plan)? {
        return Ok(None);
    }
    ChainWalk { function, state }.chain(plan).map(Some)
}

/// Walks from the window function down to the live table.
struct ChainWalk<'a> {
    function: WindowFunction,
    state: &'a SessionState,
}

impl ChainWalk<'_> {
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

    /// Accepts an ORDER BY event time, the order in which live rows are counted anyway. Over a
    /// bounded table, the same statement needs it.
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
        // Only the simplifier replaces now() and coalesce() by other expressions.
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

/// The SQL name of this part of a query.
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
