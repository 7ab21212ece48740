//! A statement from its text to a data frame, as the shell runs it.

use datafusion::common::Result;
use datafusion::dataframe::DataFrame;
use datafusion::prelude::SessionContext;

use crate::planner::live_planner::check_plan;
use crate::planner::statements::SplitStatement;

/// Plans a statement in a session that [`install`](crate::install) has prepared. This is the
/// counterpart of `context.sql(text)` of DataFusion, with `FROM t` without a SELECT and with the
/// checks of this crate. A statement that changes something (CREATE, SET) has run when this
/// returns; others run when the data frame is collected.
///
/// The checks are those of [`SplitStatement::parse`] and [`check_plan`]: they refuse what
/// DataFusion would silently misread, what is too large or too deep to run safely, and what would
/// never end.
///
/// # Errors
/// When the statement is wrong, or is refused with advice on what to write instead.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> datafusion::error::Result<()> {
/// let context = datafusion_aiops::session()?;
/// datafusion_aiops::aiops_sql(&context, "CREATE TABLE t AS VALUES (1), (2)").await?;
/// let rows = datafusion_aiops::aiops_sql(&context, "FROM t |> WHERE column1 > 1").await?;
/// assert_eq!(rows.count().await?, 1);
/// let refused = datafusion_aiops::aiops_sql(&context, "SELECT row_number() FROM t").await;
/// assert!(refused.unwrap_err().to_string().contains("OVER"));
/// # Ok(())
/// # }
/// ```
pub async fn aiops_sql(context: &SessionContext, text: &str) -> Result<DataFrame> {
    let statement = SplitStatement::alone(text).parse(context)?;
    let plan = context.state().statement_to_plan(statement).await?;
    check_plan(&plan)?;
    context.execute_logical_plan(plan).await
}
