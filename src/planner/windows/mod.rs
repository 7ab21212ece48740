//! Windows in SQL: `tumble`, `hop`, `session` and `count_window` in a FROM add `window_start` and
//! `window_end` to the rows of a table.
//!
//! Over a bounded table, they are ordinary plans (`bounded`). Over a live table, they become a scan
//! of the rows of one window (`scan`), and the whole statement runs once for every window that
//! closes (`execution`). Its result is the same as over all rows at once; `locality` refuses
//! statements for which that is not possible.

pub(crate) mod bounded;
pub(crate) mod chain;
pub(crate) mod execution;
mod find_chain;
pub(crate) mod locality;
pub(crate) mod read;
pub(crate) mod relation;
pub(crate) mod scan;
pub(crate) mod spec;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::SessionState;
use datafusion::prelude::SessionContext;

use crate::planner::windows::relation::{Listed, WindowFunctions};
use crate::planner::windows::spec::WindowFunction;

/// Adds the window functions to the state of this context.
///
/// # Errors
/// If the session does not accept relation planners.
pub(crate) fn register(context: &SessionContext, state: &mut SessionState) -> Result<()> {
    let functions = WindowFunctions::new(context, state);
    state.register_relation_planner(Arc::new(functions))?;
    for function in WindowFunction::ALL {
        state.register_udtf(function.name(), Arc::new(Listed(function)));
    }
    Ok(())
}
