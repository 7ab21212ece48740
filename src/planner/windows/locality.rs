//! Checks whether a statement can run once per window: whether its result over all rows is its
//! result window by window.
//!
//! For every node of the optimised plan (in which correlated subqueries are joins and DISTINCT is
//! an aggregate), the check finds the columns that identify the window of a row. Nodes that combine
//! rows, such as GROUP BY and joins, must do so by these columns.

use std::collections::HashSet;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, JoinType, Result, plan_err};
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{Aggregate, Distinct, Expr, Join, LogicalPlan, Window};

use crate::planner::unnest_keys;
use crate::planner::windows::scan::WindowedScan;
use crate::streams::windows::shape::{WINDOW_END, WINDOW_START, WindowShape};

/// Refuses a statement that needs more than one window at a time.
///
/// # Errors
/// A plan error that names the clause that does, and says what to write instead.
pub(crate) fn check_window_local(plan: &LogicalPlan) -> Result<()> {
    let mut keys = String::new();
    plan.apply_with_subqueries(|node| {
        if let Some(window) = windowed(node, |scan| key_names(scan).join(", "))? {
            keys = window;
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Locality { keys }.of(plan).map(|_| ())
}

/// The columns that identify the window of a row: those that are its start, those that are its end,
/// and then, for each key of a session, those that are the key. The start or the end identifies a
/// window; a session with keys is identified by one of these and every key. The start of one window
/// is the end of another, so the two must not be mixed.
type Identity = Vec<HashSet<Column>>;

/// The number of sets of bounds: the starts and the ends come first.
const N_BOUNDS: usize = 2;

/// Whether one of the bounds and all keys are known.
fn is_known(of: impl Fn(usize) -> bool, n_sets: usize) -> bool {
    (0..N_BOUNDS).any(&of) && (N_BOUNDS..n_sets).all(of)
}

struct Locality {
    /// The columns that a query must use, such as `window_start, user_id`.
    keys: String,
}

fn windowed<T>(plan: &LogicalPlan, read: impl Fn(&WindowedScan) -> T) -> Result<Option<T>> {
    let LogicalPlan::TableScan(scan) = plan else {
        return Ok(None);
    };
    let Ok(provider) = source_as_provider(&scan.source) else {
        return Ok(None);
    };
    Ok(provider.downcast_ref::<WindowedScan>().map(read))
}

fn key_names(scan: &WindowedScan) -> Vec<String> {
    let mut names = vec![WINDOW_START.to_string()];
    if let WindowShape::Session { keys, .. } = &scan.spec.shape {
        let fields = keys.iter().map(|key| scan.chain.schema.field(*key));
        names.extend(fields.map(|field| field.name().clone()));
    }
    names
}

fn scan_identity(scan: &WindowedScan, schema: &DFSchema) -> Identity {
    let columns = |is_one: &dyn Fn(&str) -> bool| -> HashSet<Column> {
        let columns = schema.columns().into_iter();
        columns.filter(|column| is_one(&column.name)).collect()
    };
    let names = key_names(scan);
    let keys = names.iter().skip(1).map(String::as_str);
    let names = [WINDOW_START, WINDOW_END].into_iter().chain(keys);
    names.map(|name| columns(&|other| other == name)).collect()
}

impl Locality {
    /// The columns that identify the window of the rows of this node; `None` if the rows belong to
    /// no window.
    fn of(&self, plan: &LogicalPlan) -> Result<Option<Identity>> {
        let schema = plan.schema();
        if let Some(identity) = windowed(plan, |scan| scan_identity(scan, schema))? {
            return Ok(Some(identity));
        }
        self.check_subqueries(plan)?;
        let inputs = plan.inputs();
        let inputs = inputs.into_iter().map(|input| self.of(input));
        let inputs = inputs.collect::<Result<Vec<_>>>()?;
        match (plan, inputs.as_slice()) {
            (_, inputs) if inputs.iter().all(Option::is_none) => Ok(None),
            (LogicalPlan::Join(join), [left, right]) => self.join(join, left, right).map(Some),
            (LogicalPlan::Union(_), inputs) => self.union(plan, inputs).map(Some),
            (plan, [Some(input)]) => self.single(plan, input).map(Some),
            (other, _) => refuse_node(other),
        }
    }

    /// Refuses subqueries over windows that are still expressions: such a subquery runs once for
    /// the whole statement.
    fn check_subqueries(&self, plan: &LogicalPlan) -> Result<()> {
        for expression in plan.expressions() {
            expression.apply(|part| {
                let subquery = match part {
                    Expr::ScalarSubquery(subquery) => subquery,
                    Expr::InSubquery(in_subquery) => &in_subquery.subquery,
                    Expr::Exists(exists) => &exists.subquery,
                    _ => return Ok(TreeNodeRecursion::Continue),
                };
                if self.of(&subquery.subquery)?.is_some() {
                    return plan_err!(
                        "a subquery over a live table must be of the same window: add WHERE inner.{WINDOW_START} = outer.{WINDOW_START}"
                    );
                }
                Ok(TreeNodeRecursion::Continue)
            })?;
        }
        Ok(())
    }

    fn single(&self, plan: &LogicalPlan, input: &Identity) -> Result<Identity> {
        let schema = plan.schema();
        match plan {
            LogicalPlan::Filter(_)
            | LogicalPlan::Dml(_)
            | LogicalPlan::Explain(_)
            | LogicalPlan::Repartition(_) => Ok(input.clone()),
            // Each window is sorted by itself.
            LogicalPlan::Sort(sort) if sort.fetch.is_none() => Ok(input.clone()),
            LogicalPlan::Sort(_) | LogicalPlan::Limit(_) => plan_err!(
                "LIMIT over a windowed live table would count across windows: number the rows of each window, \
                 QUALIFY row_number() OVER (PARTITION BY {} ORDER BY ..) <= 10",
                self.keys
            ),
            LogicalPlan::SubqueryAlias(alias) => {
                let columns: Vec<Expr> = columns_of(alias.input.schema());
                Ok(carried(input, schema, &columns))
            }
            LogicalPlan::Projection(projection) => Ok(carried(input, schema, &projection.expr)),
            LogicalPlan::Unnest(_) => Ok(same_names(input, schema)),
            LogicalPlan::Aggregate(aggregate) => self.aggregate(aggregate, input),
            LogicalPlan::Distinct(distinct) => self.distinct(distinct, input),
            LogicalPlan::Window(window) => self.over(window, input),
            other => refuse_node(other),
        }
    }

    fn aggregate(&self, aggregate: &Aggregate, input: &Identity) -> Result<Identity> {
        if !is_told_by(input, &aggregate.group_expr) {
            return plan_err!(
                "GROUP BY or DISTINCT over a windowed live table is made per window: add {} to its columns",
                self.keys
            );
        }
        Ok(carried(input, &aggregate.schema, &aggregate.group_expr))
    }

    fn distinct(&self, distinct: &Distinct, input: &Identity) -> Result<Identity> {
        let is_local = match distinct {
            Distinct::All(input_plan) => is_told_by(input, &columns_of(input_plan.schema())),
            Distinct::On(on) => is_told_by(input, &on.on_expr),
        };
        if !is_local {
            return plan_err!(
                "DISTINCT over a windowed live table is made per window: add {} to its columns",
                self.keys
            );
        }
        Ok(input.clone())
    }

    fn over(&self, window: &Window, input: &Identity) -> Result<Identity> {
        for expression in &window.window_expr {
            if let Expr::WindowFunction(function) = plain(expression)
                && !is_told_by(input, &function.params.partition_by)
            {
                return plan_err!(
                    "OVER over a windowed live table sees one window: add {} to PARTITION BY",
                    self.keys
                );
            }
        }
        Ok(input.clone())
    }

    /// A column of a UNION identifies the window if it does in every branch.
    fn union(&self, plan: &LogicalPlan, inputs: &[Option<Identity>]) -> Result<Identity> {
        let columns = plan.schema().columns();
        let mut result: Option<Identity> = None;
        for (input_plan, input) in plan.inputs().into_iter().zip(inputs) {
            let Some(input) = input else {
                return plan_err!(
                    "UNION of a live and a bounded table would repeat the bounded rows in every window: query them apart"
                );
            };
            let inputs = columns_of(input_plan.schema());
            let branch = input.iter().map(|set| {
                let pairs = columns.iter().zip(&inputs);
                let told = pairs.filter(|(_, input)| is_in(set, input));
                told.map(|(column, _)| column.clone()).collect()
            });
            let branch: Identity = branch.collect();
            result = Some(match result {
                Some(sets) => sets.iter().zip(&branch).map(|(a, b)| a & b).collect(),
                None => branch,
            });
        }
        Ok(result.unwrap_or_default())
    }

    fn join(
        &self,
        join: &Join,
        left: &Option<Identity>,
        right: &Option<Identity>,
    ) -> Result<Identity> {
        use JoinType::{
            Inner, Left, LeftAnti, LeftMark, LeftSemi, Right, RightAnti, RightMark, RightSemi,
        };
        let kind = join.join_type;
        let is_tied = match (left, right) {
            (Some(left), Some(right)) => {
                let is_paired = |index: usize| {
                    let mut pairs = join.on.iter();
                    pairs.any(|(a, b)| is_in(&left[index], a) && is_in(&right[index], b))
                };
                is_known(is_paired, left.len().min(right.len()))
            }
            (Some(_), None) => matches!(kind, Inner | Left | LeftSemi | LeftAnti | LeftMark),
            _ => matches!(kind, Inner | Right | RightSemi | RightAnti | RightMark),
        };
        match (is_tied, left.is_some() && right.is_some()) {
            (true, _) => Ok(joined(join, left, right)),
            (false, true) => plan_err!(
                "a join of windows pairs rows of one window, not of neighbours: add {} to its ON, from both sides",
                self.keys
            ),
            (false, false) => plan_err!(
                "a {kind} join would repeat rows of the bounded table in every window: \
                 let it keep all rows of the live side, or use an inner join"
            ),
        }
    }
}

/// The columns that identify the window after a join. Those of a side that an outer join fills with
/// NULLs do not.
fn joined(join: &Join, left: &Option<Identity>, right: &Option<Identity>) -> Identity {
    let left = left
        .as_ref()
        .filter(|_| !matches!(join.join_type, JoinType::Right | JoinType::Full));
    let right = right
        .as_ref()
        .filter(|_| !matches!(join.join_type, JoinType::Left | JoinType::Full));
    let n_sets = left.or(right).map_or(0, Vec::len);
    let columns: HashSet<Column> = join.schema.columns().into_iter().collect();
    let side = |side: Option<&Identity>, index: usize| -> HashSet<Column> {
        let set = side.and_then(|side| side.get(index));
        set.map(|set| set & &columns).unwrap_or_default()
    };
    let sets = (0..n_sets).map(|index| &side(left, index) | &side(right, index));
    let sets: Identity = sets.collect();
    // After a full join, no column identifies the window.
    if sets.is_empty() {
        return vec![HashSet::new(); N_BOUNDS];
    }
    sets
}

fn refuse_node<T>(plan: &LogicalPlan) -> Result<T> {
    plan_err!(
        "{} over a windowed live table is not supported",
        plan.display()
    )
}

/// The expression without its alias, and without the function that hides keys of an UNNEST.
fn plain(expression: &Expr) -> &Expr {
    match expression {
        Expr::Alias(alias) => plain(&alias.expr),
        Expr::ScalarFunction(call) if call.name() == unnest_keys::NAME => {
            call.args.first().map_or(expression, plain)
        }
        other => other,
    }
}

fn is_in(set: &HashSet<Column>, expression: &Expr) -> bool {
    matches!(plain(expression), Expr::Column(column) if set.contains(column))
}

/// Whether these expressions identify the window.
fn is_told_by(identity: &Identity, expressions: &[Expr]) -> bool {
    let is_told = |index: usize| {
        let mut expressions = expressions.iter();
        expressions.any(|expression| is_in(&identity[index], expression))
    };
    is_known(is_told, identity.len())
}

fn columns_of(schema: &DFSchema) -> Vec<Expr> {
    schema.columns().into_iter().map(Expr::Column).collect()
}

/// The columns that identify the window, among those that these expressions make.
fn carried(identity: &Identity, schema: &DFSchema, expressions: &[Expr]) -> Identity {
    let columns = schema.columns();
    let of = |set: &HashSet<Column>| {
        let pairs = columns.iter().zip(expressions);
        let told = pairs.filter(|(_, expression)| is_in(set, expression));
        told.map(|(column, _)| column.clone()).collect()
    };
    identity.iter().map(of).collect()
}

fn same_names(identity: &Identity, schema: &DFSchema) -> Identity {
    let of = |set: &HashSet<Column>| {
        let columns = schema.columns().into_iter();
        columns.filter(|column| set.contains(column)).collect()
    };
    identity.iter().map(of).collect()
}
