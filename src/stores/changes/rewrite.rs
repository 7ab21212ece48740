//! Rewrites UPDATE, DELETE and MERGE into a query for the rows to change and a write of its result.
//!
//! The query is an ordinary one over the table with [`ROW`], so it supports every expression that
//! SELECT supports, and all three statements are handled the same way. DataFusion passes MERGE
//! unplanned; it is planned here.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{
    Column, JoinType, Result, internal_datafusion_err, internal_err, plan_err,
};
use datafusion::datasource::{TableType, provider_as_source, source_as_provider};
use datafusion::logical_expr::dml::{
    DmlStatement, InsertOp, MergeIntoAction, MergeIntoClause, MergeIntoClauseKind, MergeIntoOp,
};
use datafusion::logical_expr::{
    Case, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, WriteOp, and, lit, not,
};
use datafusion::optimizer::AnalyzerRule;
use datafusion::physical_plan::ExecutionPlan;

use crate::stores::changes::others::with_conditions;
use crate::stores::memory::MemoryTable;
use crate::stores::mutable::{MutableTable, ROW, RowAction, RowChanges};
use crate::stores::target_table::TargetTable;

/// The column that tells which action applies to a row.
const ACTION: &str = "__aiops_action";
/// The column that distinguishes rows of a source from those that an outer join makes up.
const SOURCE: &str = "__aiops_source";

/// The rule that rewrites these statements.
#[derive(Debug)]
pub(crate) struct RewriteChanges;

impl AnalyzerRule for RewriteChanges {
    fn name(&self) -> &str {
        "row_changes"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_down(rewrite).map(|plan| plan.data)
    }
}

fn rewrite(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let LogicalPlan::Dml(dml) = &plan else {
        return Ok(Transformed::no(plan));
    };
    let Ok(provider) = source_as_provider(&dml.target) else {
        return Ok(Transformed::no(plan));
    };
    let Some(table) = mutable(&provider) else {
        return match &dml.op {
            WriteOp::Delete | WriteOp::Update => changed(with_conditions(dml, provider)?),
            _ => Ok(Transformed::no(plan)),
        };
    };
    let (input, changes) = match &dml.op {
        WriteOp::Delete => delete(dml, table.as_ref())?,
        WriteOp::Update => update(dml, table.as_ref())?,
        WriteOp::MergeInto(merge) => merge_into(dml, table.as_ref(), merge)?,
        _ => return Ok(Transformed::no(plan)),
    };
    let writer = RowTarget::new(table, changes);
    let write = DmlStatement::new(
        dml.table_name.clone(),
        provider_as_source(Arc::new(writer)),
        WriteOp::Insert(InsertOp::Append),
        Arc::new(input),
    );
    changed(write)
}

/// The table as one whose rows can be changed, if it is such a table.
fn mutable(provider: &Arc<dyn TableProvider>) -> Option<Arc<dyn MutableTable>> {
    if let Some(table) = TargetTable::mutable_of(provider.as_ref()) {
        return Some(table);
    }
    let table = MemoryTable::of(provider)?;
    Some(Arc::new(table))
}

fn changed(statement: DmlStatement) -> Result<Transformed<LogicalPlan>> {
    Ok(Transformed::new(
        LogicalPlan::Dml(statement),
        true,
        TreeNodeRecursion::Jump,
    ))
}

fn delete(dml: &DmlStatement, table: &dyn MutableTable) -> Result<(LogicalPlan, RowChanges)> {
    let rows = with_rows(&dml.input, dml, table)?;
    let columns = vec![row_of(&rows)?.alias(ROW), lit(0).alias(ACTION)];
    let changes = RowChanges::new(vec![RowAction::Delete], vec![]);
    let rows = LogicalPlanBuilder::from(rows).project(columns)?.build()?;
    Ok((rows, changes))
}

fn update(dml: &DmlStatement, table: &dyn MutableTable) -> Result<(LogicalPlan, RowChanges)> {
    let LogicalPlan::Projection(projection) = dml.input.as_ref() else {
        return internal_err!("an UPDATE that is no projection");
    };
    let rows = with_rows(&projection.input, dml, table)?;
    let row = row_of(&rows)?;
    let mut columns = vec![row.clone().alias(ROW), lit(0).alias(ACTION)];
    let mut changed = vec![];
    for (index, (value, field)) in projection
        .expr
        .iter()
        .zip(table.schema().fields())
        .enumerate()
    {
        let value = value.clone().unalias();
        if !is_same(&value, field, &row) {
            changed.push(index);
            columns.push(value.alias(field.name()));
        }
    }
    let changes = RowChanges::new(vec![RowAction::Update(changed.clone())], changed);
    let rows = LogicalPlanBuilder::from(rows).project(columns)?.build()?;
    Ok((rows, changes))
}

/// Whether a value is this column itself, in the table that `row` belongs to.
fn is_same(value: &Expr, field: &Field, row: &Expr) -> bool {
    match (value, row) {
        (Expr::Column(value), Expr::Column(row)) => {
            value.name == *field.name() && value.relation == row.relation
        }
        _ => false,
    }
}

/// The plan with the scan of the target replaced by one that includes the rowid.
fn with_rows(
    plan: &LogicalPlan,
    dml: &DmlStatement,
    table: &dyn MutableTable,
) -> Result<LogicalPlan> {
    let source = provider_as_source(table.with_rows()?);
    let mut is_found = false;
    let plan = plan.clone().transform_down(|plan| match &plan {
        LogicalPlan::TableScan(scan)
            if !is_found && scan.table_name.resolved_eq(&dml.table_name) =>
        {
            is_found = true;
            let name = scan.table_name.clone();
            let scan = LogicalPlanBuilder::scan(name, Arc::clone(&source), None)?.build()?;
            Ok(Transformed::new(scan, true, TreeNodeRecursion::Stop))
        }
        _ => Ok(Transformed::no(plan)),
    })?;
    let plan = plan
        .data
        .transform_up(|plan| Ok(Transformed::yes(plan.recompute_schema()?)))?;
    Ok(plan.data)
}

/// The column with the rowid.
fn row_of(plan: &LogicalPlan) -> Result<Expr> {
    let mut columns = plan
        .schema()
        .iter()
        .filter(|(_, field)| field.name() == ROW);
    let row = columns.next().map(Expr::from);
    row.ok_or_else(|| internal_datafusion_err!("a change of a table that is not read"))
}

fn merge_into(
    dml: &DmlStatement,
    table: &dyn MutableTable,
    merge: &MergeIntoOp,
) -> Result<(LogicalPlan, RowChanges)> {
    let changes = merge_changes(table, &merge.clauses)?;
    let target = provider_as_source(table.with_rows()?);
    let mut source: Vec<Expr> = dml.input.schema().iter().map(Expr::from).collect();
    source.push(lit(true).alias(SOURCE));
    let source = LogicalPlanBuilder::from(LogicalPlan::clone(&dml.input))
        .project(source)?
        .build()?;
    let joined = LogicalPlanBuilder::scan(dml.table_name.clone(), target, None)?
        .join_on(source, join_type(&merge.clauses), vec![merge.on.clone()])?
        .build()?;
    let mut columns: Vec<Expr> = joined.schema().iter().map(Expr::from).collect();
    columns.push(action(&merge.clauses, &row_of(&joined)?)?.alias(ACTION));
    let rows = LogicalPlanBuilder::from(joined)
        .project(columns)?
        .filter(Expr::from(Column::new_unqualified(ACTION)).is_not_null())?
        .build()?;
    let mut columns = vec![
        row_of(&rows)?.alias(ROW),
        Expr::from(Column::new_unqualified(ACTION)),
    ];
    let schema = table.schema();
    for index in changes.columns() {
        let field = schema.field(*index);
        let value = merged_value(field, &merge.clauses, table)?;
        let value = value.cast_to(field.data_type(), rows.schema())?;
        columns.push(value.alias(field.name()));
    }
    let rows = LogicalPlanBuilder::from(rows).project(columns)?.build()?;
    Ok((rows, changes))
}

fn merge_changes(table: &dyn MutableTable, clauses: &[MergeIntoClause]) -> Result<RowChanges> {
    let schema = table.schema();
    let mut actions = vec![];
    let mut columns: Vec<usize> = vec![];
    for clause in clauses {
        let is_new = clause.kind.is_not_matched_by_target();
        let action = match &clause.action {
            MergeIntoAction::Insert { .. } if !is_new => {
                return plan_err!("INSERT belongs to WHEN NOT MATCHED");
            }
            MergeIntoAction::Update(_) | MergeIntoAction::Delete if is_new => {
                return plan_err!(
                    "WHEN NOT MATCHED has no row to change yet: write THEN INSERT (…) VALUES (…)"
                );
            }
            MergeIntoAction::Insert { columns, .. } if columns.is_empty() => {
                RowAction::Insert((0..schema.fields().len()).collect())
            }
            MergeIntoAction::Insert { columns, .. } => {
                RowAction::Insert(indexes(&schema, columns.iter())?)
            }
            MergeIntoAction::Update(values) => {
                RowAction::Update(indexes(&schema, values.iter().map(|(name, _)| name))?)
            }
            MergeIntoAction::Delete => RowAction::Delete,
        };
        if let RowAction::Update(of_action) | RowAction::Insert(of_action) = &action {
            let new = of_action.iter().filter(|index| !columns.contains(index));
            let new: Vec<usize> = new.copied().collect();
            columns.extend(new);
        }
        actions.push(action);
    }
    Ok(RowChanges::new(actions, columns))
}

fn indexes<'a>(schema: &Schema, names: impl Iterator<Item = &'a String>) -> Result<Vec<usize>> {
    names.map(|name| Ok(schema.index_of(name)?)).collect()
}

/// The join that keeps the rows of target and source that the clauses need, with the target on the
/// left.
fn join_type(clauses: &[MergeIntoClause]) -> JoinType {
    let by_source =
        |clause: &MergeIntoClause| clause.kind == MergeIntoClauseKind::NotMatchedBySource;
    let keeps_target = clauses.iter().any(by_source);
    let keeps_source = clauses
        .iter()
        .any(|clause| clause.kind.is_not_matched_by_target());
    match (keeps_target, keeps_source) {
        (true, true) => JoinType::Full,
        (true, false) => JoinType::Left,
        (false, true) => JoinType::Right,
        (false, false) => JoinType::Inner,
    }
}

/// The position of the first clause that applies to a row, or NULL if there is none.
fn action(clauses: &[MergeIntoClause], row: &Expr) -> Result<Expr> {
    let has_row = row.clone().is_not_null();
    let has_source = Expr::from(Column::new_unqualified(SOURCE)).is_not_null();
    let mut cases = vec![];
    for (place, clause) in (0_i32..).zip(clauses) {
        let kind = match clause.kind.canonical() {
            MergeIntoClauseKind::Matched => and(has_row.clone(), has_source.clone()),
            MergeIntoClauseKind::NotMatchedBySource => not(has_source.clone()),
            _ => not(has_row.clone()),
        };
        let condition = match &clause.predicate {
            Some(predicate) => and(kind, predicate.clone()),
            None => kind,
        };
        cases.push((Box::new(condition), Box::new(lit(place))));
    }
    Ok(Expr::Case(Case::new(None, cases, None)))
}

/// The value of a column, depending on the action.
fn merged_value(
    field: &Field,
    clauses: &[MergeIntoClause],
    table: &dyn MutableTable,
) -> Result<Expr> {
    let mut cases = vec![];
    for (place, clause) in (0_i32..).zip(clauses) {
        let value = match &clause.action {
            MergeIntoAction::Update(values) => values
                .iter()
                .find(|(name, _)| name == field.name())
                .map(|(_, value)| value),
            MergeIntoAction::Insert { columns, values } if columns.is_empty() => {
                values.get(table.schema().index_of(field.name())?)
            }
            MergeIntoAction::Insert { columns, values } => {
                let place = columns.iter().position(|name| name == field.name());
                place.and_then(|place| values.get(place))
            }
            MergeIntoAction::Delete => None,
        };
        if let Some(value) = value {
            let is_it = Expr::from(Column::new_unqualified(ACTION)).eq(lit(place));
            cases.push((Box::new(is_it), Box::new(value.clone())));
        }
    }
    Ok(Expr::Case(Case::new(None, cases, None)))
}

/// A table that can only be written, with rows that say how to change the target.
#[derive(Debug)]
struct RowTarget {
    table: Arc<dyn MutableTable>,
    changes: Arc<RowChanges>,
    schema: SchemaRef,
}

impl RowTarget {
    fn new(table: Arc<dyn MutableTable>, changes: RowChanges) -> Self {
        let mut fields = vec![
            Field::new(ROW, DataType::Int64, true),
            Field::new(ACTION, DataType::Int32, true),
        ];
        let all = table.schema();
        let columns = changes.columns().iter();
        fields.extend(columns.map(|index| all.field(*index).clone().with_nullable(true)));
        Self {
            table,
            changes: Arc::new(changes),
            schema: Arc::new(Schema::new(fields)),
        }
    }
}

#[async_trait]
impl TableProvider for RowTarget {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _session: &dyn Session,
        _projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        internal_err!("changes of rows are written, not read")
    }

    async fn insert_into(
        &self,
        _session: &dyn Session,
        input: Arc<dyn ExecutionPlan>,
        _op: InsertOp,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self.table.write(Arc::clone(&self.changes), input))
    }
}
