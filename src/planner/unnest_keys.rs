//! Hides keys after an UNNEST. Unnesting repeats rows, so keys that were unique in its input are
//! not unique in its result. DataFusion 55.2 keeps the keys of a GROUP BY all the same, and so
//! silently drops columns from a later GROUP BY or ORDER BY, or adds some: `SELECT host, a['kind'],
//! count(*) FROM (SELECT host, unnest(ts_anomaly(ts, value)) AS a FROM m GROUP BY host) GROUP BY 1,
//! 2` counts wrongly.
//!
//! Here, the keys are wrapped in a function that does nothing, since DataFusion follows keys only
//! through plain columns. This is done twice: for every table of a FROM, because GROUP BY looks at
//! keys while it is planned, and for every whole plan before it is optimised, when views have been
//! expanded. The module can be removed when DataFusion fixes this (its issue 24787).

use std::cell::Cell;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::planner::{
    PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning,
};
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlan, Projection, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Unnest, Volatility,
};
use datafusion::optimizer::AnalyzerRule;
use datafusion::sql::sqlparser::ast::TableFactor;

/// The function that hides a key.
pub(crate) const NAME: &str = "unnest_key";

/// The relation planner and the analyzer rule that hide keys after an UNNEST.
#[derive(Debug)]
pub(crate) struct UnnestKeys {
    hide: Arc<ScalarUDF>,
}

impl UnnestKeys {
    pub(crate) fn new() -> Self {
        Self {
            hide: Arc::new(ScalarUDF::new_from_impl(HideKey {
                signature: Signature::any(1, Volatility::Immutable),
            })),
        }
    }

    /// The function that hides a key.
    #[cfg(feature = "distributed")]
    pub(crate) fn function(&self) -> Arc<ScalarUDF> {
        Arc::clone(&self.hide)
    }

    fn hide_keys(&self, plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
        if hides_keys(&plan) {
            return plan.map_children(|unnest| unnest.map_children(|input| self.hide_keys(input)));
        }
        let plan = plan.map_subqueries(|subquery| self.hide_keys(subquery))?;
        let is_changed = plan.transformed;
        let plan = plan.data.map_children(|child| self.hide_keys(child))?;
        if plan.transformed {
            return self.hide_own_keys(plan.data.recompute_schema()?, true);
        }
        self.hide_own_keys(plan.data, is_changed)
    }

    fn hide_own_keys(
        &self,
        plan: LogicalPlan,
        is_changed: bool,
    ) -> Result<Transformed<LogicalPlan>> {
        match plan {
            LogicalPlan::Unnest(unnest) if has_keys(&unnest)? => {
                Ok(Transformed::yes(self.project(unnest)?))
            }
            other => Ok(Transformed::new_transformed(other, is_changed)),
        }
    }

    /// Selects all columns of an UNNEST, and hides those that it repeats: any of them can be a key
    /// or a copy of one.
    fn project(&self, unnest: Unnest) -> Result<LogicalPlan> {
        let lists = unnest.list_type_columns.iter().map(|(index, _)| *index);
        let unnested: Vec<_> = lists
            .chain(unnest.struct_type_columns.iter().copied())
            .collect();
        let columns = unnest.schema.iter().zip(&unnest.dependency_indices);
        let columns = columns.map(|((qualifier, field), input_index)| {
            let column = Expr::from((qualifier, field));
            if unnested.contains(input_index) {
                column
            } else {
                self.hide
                    .call(vec![column])
                    .alias_qualified(qualifier.cloned(), field.name())
            }
        });
        let columns = columns.collect();
        let input = Arc::new(LogicalPlan::Unnest(unnest));
        Ok(LogicalPlan::Projection(Projection::try_new(
            columns, input,
        )?))
    }
}

/// Whether the input of an UNNEST has keys, or gets some when DISTINCT becomes a GROUP BY.
fn has_keys(unnest: &Unnest) -> Result<bool> {
    unnest.input.exists(|plan| {
        let groups = matches!(plan, LogicalPlan::Aggregate(_) | LogicalPlan::Distinct(_));
        Ok(groups || !plan.schema().functional_dependencies().is_empty())
    })
}

/// Whether the plan is what [`UnnestKeys::project`] makes.
fn hides_keys(plan: &LogicalPlan) -> bool {
    let is_hidden = |expression: &Expr| {
        let hidden = expression
            .exists(|part| Ok(matches!(part, Expr::ScalarFunction(call) if call.name() == NAME)));
        hidden.unwrap_or(false)
    };
    match plan {
        LogicalPlan::Projection(projection) => {
            matches!(*projection.input, LogicalPlan::Unnest(_))
                && projection.expr.iter().any(is_hidden)
        }
        _ => false,
    }
}

thread_local! {
    /// Whether the next table to be planned is the one that [`UnnestKeys`] has asked DataFusion to
    /// plan. Planning happens on one thread, and there is no other place to keep this.
    static IS_ASKED: Cell<bool> = const { Cell::new(false) };
}

impl RelationPlanner for UnnestKeys {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        let has_plan = matches!(
            relation,
            TableFactor::Derived { .. } | TableFactor::Table { args: None, .. }
        );
        if IS_ASKED.replace(false) || !has_plan {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        }
        IS_ASKED.set(true);
        let planned = context.plan(relation);
        IS_ASKED.set(false);
        let plan = self.hide_keys(planned?)?.data;
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation {
            plan,
            alias: None,
        })))
    }
}

impl AnalyzerRule for UnnestKeys {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        Ok(self.hide_keys(plan)?.data)
    }

    fn name(&self) -> &str {
        NAME
    }
}

/// The function that does nothing.
#[derive(Debug, PartialEq, Eq, Hash)]
struct HideKey {
    signature: Signature,
}

impl ScalarUDFImpl for HideKey {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        internal_err!("return_field_from_args is called instead")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        Ok(Arc::clone(&args.arg_fields[0]))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match args.args.into_iter().next() {
            Some(value) => Ok(value),
            None => internal_err!("{NAME} hides one column"),
        }
    }
}
