//! Counts the tables that a statement reads, with those of each CTE as often as the CTE is named.
//! DataFusion copies the plan of a CTE wherever its name appears, so twenty CTEs that each name the
//! previous one twice become a million copies. They are counted before they are made.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::common::{Result, plan_err};
use datafusion::sql::sqlparser::ast::{Ident, ObjectName, Query, Visit, Visitor};

/// Each table takes at least two steps of a plan, and a plan may have 20,000 steps.
const MAX_TABLES: u64 = 10_000;

/// Refuses a statement whose CTEs would be copied too often.
///
/// # Errors
/// A plan error that says what to write instead.
pub(super) fn check_copies<V: Visit>(statement: &V) -> Result<()> {
    match statement.visit(&mut Copies::default()) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => plan_err!(
            "the statement reads more than {MAX_TABLES} tables, with those of each CTE as often as it is named: write what is \
             named several times into a table first, CREATE TABLE part AS SELECT …"
        ),
    }
}

/// The queries that are being visited, outermost first.
#[derive(Debug, Default)]
struct Copies {
    open: Vec<OpenQuery>,
}

#[derive(Debug, Default)]
struct OpenQuery {
    n_tables: u64,
    /// The names of the queries in its WITH, by their addresses.
    names: HashMap<usize, String>,
    /// The number of tables that each CTE reads, for the CTEs that have been visited.
    ctes: HashMap<String, u64>,
}

impl Copies {
    fn n_tables_of(&self, relation: &ObjectName) -> u64 {
        let [part] = relation.0.as_slice() else {
            return 1;
        };
        let name = part.as_ident().map(name_of);
        let mut ctes = self.open.iter().rev().map(|query| &query.ctes);
        let known = name.and_then(|name| ctes.find_map(|ctes| ctes.get(&name)));
        known.copied().unwrap_or(1)
    }

    fn add(&mut self, n_tables: u64) -> ControlFlow<()> {
        let Some(query) = self.open.last_mut() else {
            return ControlFlow::Continue(());
        };
        query.n_tables = query.n_tables.saturating_add(n_tables);
        if query.n_tables > MAX_TABLES {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}

impl Visitor for Copies {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let ctes = query.with.iter().flat_map(|with| &with.cte_tables);
        self.open.push(OpenQuery {
            names: ctes
                .map(|cte| (address(&cte.query), name_of(&cte.alias.name)))
                .collect(),
            ..OpenQuery::default()
        });
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        self.add(self.n_tables_of(relation))
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let Some(done) = self.open.pop() else {
            return ControlFlow::Continue(());
        };
        if let Some(around) = self.open.last_mut()
            && let Some(name) = around.names.remove(&address(query))
        {
            around.ctes.insert(name, done.n_tables.max(1));
            return ControlFlow::Continue(());
        }
        self.add(done.n_tables)
    }
}

fn address(query: &Query) -> usize {
    std::ptr::from_ref(query).addr()
}

/// A name as DataFusion looks it up.
fn name_of(identifier: &Ident) -> String {
    match identifier.quote_style {
        Some(_) => identifier.value.clone(),
        None => identifier.value.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::check_copies;
    use datafusion::sql::sqlparser::dialect::GenericDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    fn passes(sql: &str) -> bool {
        let statements = Parser::parse_sql(&GenericDialect {}, sql).unwrap();
        check_copies(&statements).is_ok()
    }

    /// A WITH of this many CTEs, each of which names the previous one twice.
    fn doubling(n_levels: usize) -> String {
        let ctes: Vec<String> = (1..=n_levels)
            .map(|level| {
                format!(
                    "t{level} AS (SELECT a.x FROM T{} a, t{} b)",
                    level - 1,
                    level - 1
                )
            })
            .collect();
        format!("WITH t0 AS (SELECT 1 AS x), {}", ctes.join(", "))
    }

    #[test]
    fn copies_of_copies_count() {
        let query = "SELECT count(*) FROM t13 UNION ALL SELECT x FROM other";
        assert!(passes(&format!("{} {query}", doubling(13))));
        assert!(!passes(&format!("{} {query}", doubling(14))));
        assert!(!passes(&format!("{} {query}", doubling(400))));
        // The place of the query does not matter.
        let inner = format!("{} SELECT x FROM t400", doubling(400));
        assert!(!passes(&format!("SELECT 1 FROM t WHERE x IN ({inner})")));
        assert!(!passes(&format!("INSERT INTO t {inner}")));
        assert!(!passes(&format!("CREATE VIEW v AS {inner}")));
    }

    #[test]
    fn names_end_with_their_query() {
        let inner = doubling(12);
        // Twice 4096, and a table of the same name that is not copied.
        assert!(passes(&format!(
            "SELECT * FROM ({inner} SELECT x FROM t12) a JOIN ({inner} SELECT x FROM t12) b USING (x) JOIN t12 USING (x)"
        )));
        assert!(passes(
            "WITH RECURSIVE t AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM t) SELECT * FROM t"
        ));
        assert!(passes("SELECT 1; DELETE FROM t"));
    }
}
