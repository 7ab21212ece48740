//! Keys that nothing checks. DataFusion 55.2 accepts PRIMARY KEY and UNIQUE for any table, lets
//! every row in, and trusts the keys all the same: DISTINCT over two rows with the same key returns
//! both.

use datafusion::common::{Result, plan_err};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    ColumnDef, ColumnOption, ObjectName, Statement as SqlStatement, TableConstraint,
};

/// Refuses to create a table with a key that is not checked.
///
/// # Errors
/// A plan error that says what to write instead.
pub(super) fn check_keys(statement: &Statement) -> Result<()> {
    match statement {
        Statement::Explain(explain) => check_keys(&explain.statement),
        Statement::CreateExternalTable(table) if table.file_type.eq_ignore_ascii_case("sqlite") => {
            Ok(())
        }
        Statement::CreateExternalTable(table) => {
            check_table(&table.name, &table.columns, &table.constraints)
        }
        Statement::Statement(statement) => match statement.as_ref() {
            SqlStatement::CreateTable(table) => {
                check_table(&table.name, &table.columns, &table.constraints)
            }
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

fn check_table(
    name: &ObjectName,
    columns: &[ColumnDef],
    constraints: &[TableConstraint],
) -> Result<()> {
    let is_key = |constraint: &TableConstraint| {
        matches!(
            constraint,
            TableConstraint::PrimaryKey(_) | TableConstraint::Unique(_)
        )
    };
    let options = columns.iter().flat_map(|column| &column.options);
    let has_key = options.into_iter().any(|option| {
        matches!(
            option.option,
            ColumnOption::PrimaryKey(_) | ColumnOption::Unique(_)
        )
    });
    if !has_key && !constraints.iter().any(is_key) {
        return Ok(());
    }
    plan_err!(
        "PRIMARY KEY and UNIQUE are not checked in table {name}, and queries would trust them: leave them out, or keep the \
         table in a file that checks them, CREATE EXTERNAL TABLE {name} (…) STORED AS SQLITE LOCATION '{name}.db'"
    )
}

#[cfg(test)]
mod tests {
    use super::check_keys;
    use datafusion::config::Dialect;
    use datafusion::prelude::SessionContext;

    #[test]
    fn keys_are_for_sqlite() {
        let session = SessionContext::new();
        for (sql, passes) in [
            ("CREATE TABLE p (id INT PRIMARY KEY, v INT)", false),
            ("CREATE TABLE p (id INT UNIQUE)", false),
            ("CREATE TABLE p (id INT, v INT, UNIQUE (id, v))", false),
            ("CREATE TABLE p (id INT PRIMARY KEY) AS VALUES (1)", false),
            ("EXPLAIN CREATE TABLE p (id INT PRIMARY KEY)", false),
            ("CREATE TABLE p (id INT NOT NULL DEFAULT 1)", true),
            ("CREATE TABLE p AS SELECT 1", true),
            (
                "CREATE EXTERNAL TABLE p (id INT, PRIMARY KEY (id)) STORED AS CSV LOCATION 'p.csv'",
                false,
            ),
            (
                "CREATE UNBOUNDED EXTERNAL TABLE p (id INT PRIMARY KEY) STORED AS LOG LOCATION 'p.log'",
                false,
            ),
            (
                "CREATE EXTERNAL TABLE p (id INT, PRIMARY KEY (id)) STORED AS SQLITE LOCATION 'p.db'",
                true,
            ),
        ] {
            let statement = session.state().sql_to_statement(sql, &Dialect::Generic);
            let checked = check_keys(&statement.unwrap());
            assert_eq!(checked.is_ok(), passes, "{sql}");
        }
    }
}
