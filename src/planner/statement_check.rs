//! Checks a parsed statement before it is planned, for function calls that DataFusion would
//! silently misread.
//!
//! DataFusion looks for a scalar function first and drops the clauses that only aggregates and
//! window functions have, so `lower(a) OVER (ORDER BY b)` and `abs(DISTINCT a)` run without these
//! clauses. A window function without OVER is an "Invalid function", as if it did not exist. Both
//! are refused here, with what to write instead.
//!
//! CTEs that would be copied too often ([`check_copies`]) and keys that nothing checks
//! ([`check_keys`]) are refused too.
//!
//! The parser reads `a IS NOT DISTINCT FROM b AND c` as `a IS NOT DISTINCT FROM (b AND c)`, so
//! brackets are required there.

use std::ops::ControlFlow;

use datafusion::common::{Result, plan_datafusion_err};
use datafusion::error::DataFusionError;
use datafusion::execution::FunctionRegistry;
use datafusion::sql::parser::{CopyToSource, Statement};
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DuplicateTreatment, Expr, Function, FunctionArgumentClause, FunctionArguments,
    NullTreatment, Query, SelectFlavor, SetExpr, Visit, visit_expressions,
};

use crate::planner::cte_copies::check_copies;
use crate::planner::unchecked_keys::check_keys;

/// Refuses a statement that DataFusion would misread or could not run safely.
///
/// It is refused if a window function lacks its OVER clause; if a scalar subquery has no column; if
/// a scalar function has a clause that only aggregates and window functions take (OVER, FILTER,
/// WITHIN GROUP, DISTINCT, IGNORE NULLS, ORDER BY); if AND or OR follows `IS [NOT] DISTINCT FROM`
/// without brackets; if it names CTEs so often that they become more than 10,000 tables; or if it
/// creates a table with a PRIMARY KEY or UNIQUE that nothing checks.
///
/// Names are looked up in `registry` as DataFusion does: in lower case unless they are quoted. A
/// name that is not there passes, and so does one that is both a scalar function and another kind
/// of function.
///
/// # Errors
/// A plan error that names the function or the clause and says what to write.
pub(crate) fn check_statement(
    statement: &Statement,
    registry: &dyn FunctionRegistry,
) -> Result<()> {
    check_keys(statement)?;
    match statement {
        Statement::Statement(statement) => check_expressions(statement.as_ref(), registry),
        Statement::Explain(explain) => check_statement(&explain.statement, registry),
        Statement::CopyTo(copy) => match &copy.source {
            CopyToSource::Query(query) => check_expressions(query.as_ref(), registry),
            CopyToSource::Relation(_) => Ok(()),
        },
        Statement::CreateExternalTable(_) | Statement::Reset(_) => Ok(()),
    }
}

fn check_expressions<V: Visit>(statement: &V, registry: &dyn FunctionRegistry) -> Result<()> {
    check_copies(statement)?;
    let found = visit_expressions(statement, |expression| match expression {
        Expr::Function(function) => match misuse(function, registry) {
            Some(error) => ControlFlow::Break(error),
            None => ControlFlow::Continue(()),
        },
        Expr::IsDistinctFrom(left, right) => check_brackets(left, "IS DISTINCT FROM", right),
        Expr::IsNotDistinctFrom(left, right) => check_brackets(left, "IS NOT DISTINCT FROM", right),
        Expr::Subquery(query)
        | Expr::InSubquery {
            subquery: query, ..
        } if selects_nothing(query) => ControlFlow::Break(plan_datafusion_err!(
            "a subquery that stands for a value has no column: write (SELECT a FROM …)"
        )),
        _ => ControlFlow::Continue(()),
    });
    match found {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

/// Refuses AND or OR after `a IS DISTINCT FROM b` without brackets. The author of such a query
/// means both conditions, since in the standard AND binds less tightly.
fn check_brackets(left: &Expr, operator: &str, right: &Expr) -> ControlFlow<DataFusionError> {
    let Expr::BinaryOp {
        left: value,
        op: joined @ (BinaryOperator::And | BinaryOperator::Or),
        ..
    } = right
    else {
        return ControlFlow::Continue(());
    };
    ControlFlow::Break(plan_datafusion_err!(
        "{joined} after {operator} needs brackets, or it would belong to what is compared: write ({left} {operator} {value}) \
         {joined} ..."
    ))
}

/// Whether a subquery has no column. DataFusion 55.2 panics when it looks for the column of such a
/// value.
fn selects_nothing(query: &Query) -> bool {
    match query.body.as_ref() {
        SetExpr::Select(select) => {
            select.projection.is_empty() && select.flavor == SelectFlavor::Standard
        }
        _ => false,
    }
}

fn misuse(function: &Function, registry: &dyn FunctionRegistry) -> Option<DataFusionError> {
    let name = single_name(function)?;
    let is_scalar = registry.udf(&name).is_ok();
    let is_window = registry.udwf(&name).is_ok();
    let is_aggregate = registry.udaf(&name).is_ok();
    match (is_scalar, is_window, is_aggregate) {
        (false, true, false) if function.over.is_none() => Some(plan_datafusion_err!(
            "{name} is a window function: write {name}(...) OVER (...)"
        )),
        (true, false, false) => aggregate_clause(function).map(|clause| {
            plan_datafusion_err!("{name} is a scalar function and takes no {clause}: remove it")
        }),
        _ => None,
    }
}

/// The function's name as DataFusion looks it up; `None` for `schema.function`, which DataFusion
/// has no registry for.
fn single_name(function: &Function) -> Option<String> {
    let [part] = function.name.0.as_slice() else {
        return None;
    };
    let identifier = part.as_ident()?;
    Some(match identifier.quote_style {
        Some(_) => identifier.value.clone(),
        None => identifier.value.to_ascii_lowercase(),
    })
}

/// The first clause of the call that has a meaning only for an aggregate or a window function.
fn aggregate_clause(function: &Function) -> Option<&'static str> {
    if function.over.is_some() {
        return Some("OVER clause");
    }
    if function.filter.is_some() {
        return Some("FILTER clause");
    }
    if !function.within_group.is_empty() {
        return Some("WITHIN GROUP clause");
    }
    if let Some(treatment) = &function.null_treatment {
        return Some(null_clause(treatment));
    }
    let FunctionArguments::List(arguments) = &function.args else {
        return None;
    };
    if arguments.duplicate_treatment == Some(DuplicateTreatment::Distinct) {
        return Some("DISTINCT");
    }
    arguments.clauses.iter().find_map(|clause| match clause {
        FunctionArgumentClause::IgnoreOrRespectNulls(treatment) => Some(null_clause(treatment)),
        FunctionArgumentClause::OrderBy(_) => Some("ORDER BY among its arguments"),
        _ => None,
    })
}

fn null_clause(treatment: &NullTreatment) -> &'static str {
    match treatment {
        NullTreatment::IgnoreNulls => "IGNORE NULLS clause",
        NullTreatment::RespectNulls => "RESPECT NULLS clause",
    }
}

#[cfg(test)]
mod tests {
    use super::check_statement;
    use datafusion::config::Dialect;
    use datafusion::prelude::SessionContext;

    /// The error message of the check for a statement; empty if it passes.
    fn said(sql: &str) -> String {
        let session = SessionContext::new();
        let statement = session
            .state()
            .sql_to_statement(sql, &Dialect::Generic)
            .unwrap();
        match check_statement(&statement, &session) {
            Ok(()) => String::new(),
            Err(error) => error.message().into_owned(),
        }
    }

    #[test]
    fn window_functions_need_over() {
        let error = "row_number is a window function: write row_number(...) OVER (...)";
        for sql in [
            "SELECT row_number() FROM t",
            "SELECT Row_Number() FROM t",
            "SELECT 1 FROM t WHERE a IN (SELECT row_number() FROM u)",
            "WITH c AS (SELECT row_number() AS n FROM t) SELECT * FROM c",
            "INSERT INTO t SELECT row_number() FROM u",
            "CREATE TABLE t AS SELECT row_number() FROM u",
            "CREATE VIEW t AS SELECT row_number() FROM u",
            "COPY (SELECT row_number() FROM u) TO 'x.csv'",
            "EXPLAIN SELECT row_number() FROM t",
            "SELECT a FROM t ORDER BY row_number()",
        ] {
            assert_eq!(said(sql), error, "{sql}");
        }
    }

    #[test]
    fn scalars_take_no_aggregate_clause() {
        let cases = [
            ("lower(a) OVER (ORDER BY b)", "OVER clause"),
            ("lower(a) OVER w", "OVER clause"),
            ("lower(a) FILTER (WHERE b > 1)", "FILTER clause"),
            ("lower(a) WITHIN GROUP (ORDER BY b)", "WITHIN GROUP clause"),
            ("lower(a) IGNORE NULLS", "IGNORE NULLS clause"),
            ("lower(a IGNORE NULLS)", "IGNORE NULLS clause"),
            ("lower(a RESPECT NULLS)", "RESPECT NULLS clause"),
            ("lower(DISTINCT a)", "DISTINCT"),
            ("lower(a ORDER BY b)", "ORDER BY among its arguments"),
            ("sum(length(lower(DISTINCT a)))", "DISTINCT"),
        ];
        for (call, clause) in cases {
            assert_eq!(
                said(&format!("SELECT {call} FROM t")),
                format!("lower is a scalar function and takes no {clause}: remove it"),
                "{call}"
            );
        }
    }

    #[test]
    fn and_after_distinct_from_needs_brackets() {
        let error = "AND after IS NOT DISTINCT FROM needs brackets, or it would belong to what is compared: write (a IS NOT \
                     DISTINCT FROM b) AND ...";
        for (condition, expected) in [
            ("a IS NOT DISTINCT FROM b AND c", error),
            ("(a IS NOT DISTINCT FROM b) AND c", ""),
            ("c AND a IS NOT DISTINCT FROM b", ""),
            ("a IS NOT DISTINCT FROM (b AND c)", ""),
            ("a IS DISTINCT FROM b + 1", ""),
        ] {
            assert_eq!(
                said(&format!("SELECT 1 FROM t WHERE {condition}")),
                expected
            );
        }
        assert!(
            said("SELECT a IS DISTINCT FROM b OR c FROM t").starts_with("OR after IS DISTINCT")
        );
    }

    #[test]
    fn values_have_a_column() {
        let error = "a subquery that stands for a value has no column: write (SELECT a FROM …)";
        for sql in [
            "SELECT (SELECT FROM t)",
            "SELECT lower((SELECT FROM t))",
            "SELECT 1 WHERE 1 IN (SELECT FROM t)",
        ] {
            assert_eq!(said(sql), error, "{sql}");
        }
        for sql in ["SELECT (SELECT a FROM t)", "SELECT EXISTS (SELECT FROM t)"] {
            assert_eq!(said(sql), "", "{sql}");
        }
    }

    #[test]
    fn right_use_passes() {
        for call in [
            "row_number() OVER (ORDER BY a)",
            "rank() OVER w",
            "lag(a) IGNORE NULLS OVER (ORDER BY b)",
            "sum(a) OVER (PARTITION BY b)",
            "count(DISTINCT a)",
            "count(*) FILTER (WHERE a > 1)",
            "first_value(a) OVER (ORDER BY b)",
            "first_value(a ORDER BY b)",
            "nth_value(a, 2) OVER (ORDER BY b)",
            "percentile_cont(0.5) WITHIN GROUP (ORDER BY a)",
            "array_agg(DISTINCT a ORDER BY a)",
            "lower(a)",
            "lower(ALL a)",
            "no_such_function(a) OVER (ORDER BY b)",
            "some_schema.lower(a) OVER (ORDER BY b)",
            "\"LOWER\"(a) OVER (ORDER BY b)",
            "current_timestamp",
            "unnest(a)",
        ] {
            assert_eq!(said(&format!("SELECT {call} FROM t")), "", "{call}");
        }
        for sql in [
            "SHOW TABLES",
            "SHOW FUNCTIONS",
            "SELECT * FROM range(1, 2)",
            "DESCRIBE t",
        ] {
            assert_eq!(said(sql), "", "{sql}");
        }
    }
}
