//! UPDATE, DELETE and MERGE, for every table whose rows can be changed.
//!
//! DataFusion hands a table the conditions that it finds in the optimised plan. Those with
//! subqueries are joins there, and those that are never true are gone, so the table takes the
//! statement for one without WHERE and changes all rows. Here the statement is rewritten before the
//! optimiser: into a query for the rows to change, and a write of what it finds.
//!
//! The rewriting is in `rewrite`; tables of other crates get their conditions whole or not at all,
//! in `others`.

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
