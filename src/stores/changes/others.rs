//! Tables of other crates: they get UPDATE and DELETE as DataFusion passes them, except that the
//! conditions of the statement replace those that the optimiser has left.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Column, Result, TableReference, internal_err, plan_err};
use datafusion::datasource::{TableType, provider_as_source};
use datafusion::logical_expr::dml::DmlStatement;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Expr, LogicalPlan, WriteOp};
use datafusion::physical_plan::ExecutionPlan;

/// The statement with a target that knows the conditions.
///
/// # Errors
/// When the conditions cannot be passed to the target: those with subqueries, and LIMIT.
pub(super) fn with_conditions(
    dml: &DmlStatement,
    provider: Arc<dyn TableProvider>,
) -> Result<DmlStatement> {
    let input = match (&dml.op, dml.input.as_ref()) {
        (WriteOp::Update, LogicalPlan::Projection(projection)) => {
            for value in &projection.expr {
                check(value, &dml.table_name)?;
            }
            projection.input.as_ref()
        }
        (_, input) => input,
    };
    let mut conditions = vec![];
    gather(input, &dml.table_name, &mut conditions)?;
    let target = Conditioned {
        target: provider,
        conditions,
    };
    Ok(DmlStatement::new(
        dml.table_name.clone(),
        provider_as_source(Arc::new(target)),
        dml.op.clone(),
        Arc::clone(&dml.input),
    ))
}

fn gather(plan: &LogicalPlan, table: &TableReference, conditions: &mut Vec<Expr>) -> Result<()> {
    match plan {
        LogicalPlan::Filter(filter) => {
            for condition in split_conjunction(&filter.predicate) {
                check(condition, table)?;
                conditions.push(unqualified(condition.clone())?);
            }
            gather(&filter.input, table, conditions)
        }
        LogicalPlan::SubqueryAlias(alias) => gather(&alias.input, table, conditions),
        LogicalPlan::TableScan(_) => Ok(()),
        other => plan_err!(
            "{table} takes UPDATE and DELETE with a plain WHERE alone, and here is {}: copy the rows that are to stay into \
             a new table",
            other.display()
        ),
    }
}

fn check(expression: &Expr, table: &TableReference) -> Result<()> {
    let has_subquery = expression.exists(|node| {
        Ok(matches!(
            node,
            Expr::Exists(_)
                | Expr::InSubquery(_)
                | Expr::ScalarSubquery(_)
                | Expr::SetComparison(_)
        ))
    })?;
    if has_subquery {
        plan_err!(
            "{table} takes UPDATE and DELETE without subqueries: write the values that the subquery would find, or copy \
             the rows that are to stay into a new table"
        )
    } else {
        Ok(())
    }
}

/// Removes the qualifiers of columns: tables expect none.
fn unqualified(expression: Expr) -> Result<Expr> {
    expression
        .transform(|node| match node {
            Expr::Column(column) => {
                let column = Expr::Column(Column::new_unqualified(column.name));
                Ok(Transformed::yes(column))
            }
            other => Ok(Transformed::no(other)),
        })
        .data()
}

/// A table that can only be changed, and only where these conditions hold.
#[derive(Debug)]
struct Conditioned {
    target: Arc<dyn TableProvider>,
    conditions: Vec<Expr>,
}

#[async_trait]
impl TableProvider for Conditioned {
    fn schema(&self) -> SchemaRef {
        self.target.schema()
    }

    fn table_type(&self) -> TableType {
        self.target.table_type()
    }

    async fn scan(
        &self,
        _session: &dyn Session,
        _projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        internal_err!("the target of a change is not read")
    }

    async fn delete_from(
        &self,
        session: &dyn Session,
        _filters: Vec<Expr>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.target
            .delete_from(session, self.conditions.clone())
            .await
    }

    async fn update(
        &self,
        session: &dyn Session,
        assignments: Vec<(String, Expr)>,
        _filters: Vec<Expr>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.target
            .update(session, assignments, self.conditions.clone())
            .await
    }
}
