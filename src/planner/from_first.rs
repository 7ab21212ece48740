//! `FROM t` without a SELECT means `SELECT * FROM t`, also before pipe operators: `FROM logs |>
//! WHERE level = 'ERROR'`.
//!
//! The parser's generic dialect reads both, and DataFusion plans the pipe operators, but it gives a
//! FROM without a SELECT no columns (55.2). Here, `SELECT *` is added before the statement is
//! planned.

use std::ops::ControlFlow;

use datafusion::sql::parser::{CopyToSource, Statement};
use datafusion::sql::sqlparser::ast::{
    Select, SelectFlavor, SelectItem, VisitMut, VisitorMut, WildcardAdditionalOptions,
};

/// Writes `SELECT *` before every FROM of the statement that has no SELECT. Returns whether there
/// was one.
pub(crate) fn complete_from_first(statement: &mut Statement) -> bool {
    let mut completion = Completion { is_needed: false };
    match statement {
        Statement::Statement(statement) => completion.visit(statement.as_mut()),
        Statement::Explain(explain) => return complete_from_first(&mut explain.statement),
        Statement::CopyTo(copy) => match &mut copy.source {
            CopyToSource::Query(query) => completion.visit(query.as_mut()),
            CopyToSource::Relation(_) => {}
        },
        Statement::CreateExternalTable(_) | Statement::Reset(_) => {}
    }
    completion.is_needed
}

struct Completion {
    is_needed: bool,
}

impl Completion {
    fn visit<V: VisitMut>(&mut self, statement: &mut V) {
        // The visitor never breaks.
        let _ = statement.visit(self);
    }
}

impl VisitorMut for Completion {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        if select.flavor == SelectFlavor::FromFirstNoSelect {
            self.is_needed = true;
            select.flavor = SelectFlavor::Standard;
            let star = SelectItem::Wildcard(WildcardAdditionalOptions::default());
            select.projection.push(star);
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::complete_from_first;
    use datafusion::config::Dialect;
    use datafusion::prelude::SessionContext;

    /// The statement after its completion.
    fn completed(sql: &str) -> String {
        let state = SessionContext::new().state();
        let mut statement = state.sql_to_statement(sql, &Dialect::Generic).unwrap();
        complete_from_first(&mut statement);
        statement.to_string()
    }

    #[test]
    fn every_from_gets_its_star() {
        for (sql, expected) in [
            ("FROM t", "SELECT * FROM t"),
            ("FROM t LIMIT 1", "SELECT * FROM t LIMIT 1"),
            ("FROM t |> LIMIT 1", "SELECT * FROM t |> LIMIT 1"),
            ("EXPLAIN FROM t", "EXPLAIN SELECT * FROM t"),
            (
                "CREATE VIEW v AS FROM t",
                "CREATE VIEW v AS SELECT * FROM t",
            ),
            ("INSERT INTO u FROM t", "INSERT INTO u SELECT * FROM t"),
            (
                "SELECT a FROM (FROM t) u",
                "SELECT a FROM (SELECT * FROM t) u",
            ),
            (
                "FROM t UNION ALL FROM u",
                "SELECT * FROM t UNION ALL SELECT * FROM u",
            ),
        ] {
            assert_eq!(completed(sql), expected, "{sql}");
        }
        for sql in [
            "SELECT a FROM t",
            "FROM t SELECT a",
            "VALUES (1)",
            "SHOW TABLES",
        ] {
            assert_eq!(completed(sql), sql);
        }
    }
}
