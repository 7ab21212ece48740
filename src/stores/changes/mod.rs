//! UPDATE, DELETE and MERGE, for all tables whose rows can be changed.
//!
//! DataFusion hands a table the conditions that it finds in the optimised plan. By then, conditions
//! with subqueries have become joins, and conditions that are never true are gone, so the table
//! mistakes the statement for one without WHERE and changes all rows. This module rewrites the
//! statement before the optimiser runs, into a query for the rows to change and a write of its
//! result.
//!
//! The rewriting is in `rewrite`. In `others`, tables of other crates get the conditions whole, or
//! the statement is refused.

mod others;
mod rewrite;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use datafusion::execution::SessionState;

use crate::stores::changes::rewrite::RewriteChanges;

/// Adds the rewriting to a session.
pub(crate) fn register(state: &mut SessionState) {
    state.add_analyzer_rule(Arc::new(RewriteChanges));
}
