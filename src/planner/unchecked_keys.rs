//! Keys that nothing checks: DataFusion 55.2 takes PRIMARY KEY and UNIQUE of any table, lets every row in, and trusts them all
//! the same. Over two rows of one key, DISTINCT gives both.

use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{DdlStatement, LogicalPlan};

/// Refuses to create a table with a key that is not checked.
///
/// # Errors
/// A plan error that says what to write instead.
pub(crate) fn check_keys(plan: &LogicalPlan) -> Result<()> {
    let (name, constraints) = match plan {
        LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(create)) => {
            (&create.name, &create.constraints)
        }
        LogicalPlan::Ddl(DdlStatement::CreateExternalTable(create))
            if !create.file_type.eq_ignore_ascii_case("sqlite") =>
        {
            (&create.name, &create.constraints)
        }
        _ => return Ok(()),
    };
    if constraints.is_empty() {
        return Ok(());
    }
    plan_err!(
        "PRIMARY KEY and UNIQUE are not checked in table {name}, and queries would trust them: leave them out, or keep the \
         table in a file that checks them, CREATE EXTERNAL TABLE {name} (…) STORED AS SQLITE LOCATION '{name}.db'"
    )
}
