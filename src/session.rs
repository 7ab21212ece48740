//! The one place where functions, tables and planners are wired into a DataFusion session.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::functions::register_all;
use crate::planner::running_steps::RunningSteps;
use crate::planner::unnest_keys::UnnestKeys;
use crate::planner::{live_planner, short_times, windows, workarounds, write_planner};
use crate::stores::changes;
#[cfg(feature = "sqlite")]
use crate::stores::sqlite;
use crate::streams::counters::StreamRegistry;
use crate::{sources, streams};

/// A session with DataFusion's defaults and all functions and table formats of this crate. To use
/// another configuration or runtime, create the context yourself and call [`install`].
///
/// # Errors
/// When a name is already taken, which does not happen in a fresh session.
///
/// ```
/// let context = datafusion_aiops::session()?;
/// assert!(context.udf("log_template").is_ok());
/// # use datafusion::execution::FunctionRegistry;
/// # Ok::<(), datafusion::error::DataFusionError>(())
/// ```
pub fn session() -> Result<SessionContext> {
    let config = SessionConfig::new().with_information_schema(true);
    let context = SessionContext::new_with_config(config);
    install(&context)?;
    Ok(context)
}

/// Adds everything in this crate to an existing session.
///
/// The session's query planner is wrapped, so set a custom one before. Standard input is not read
/// unless [`register_stdin`](crate::register_stdin) is called.
///
/// Known wrong answers of DataFusion 55.2 are avoided by a workaround or by switching a feature
/// off: `enable_leaf_expression_pushdown` and `enable_aggregate_dynamic_filter_pushdown` of
/// `datafusion.optimizer`, the rule that pushes filters down while a query runs, joins that lose
/// conditions, and UPDATE and DELETE of tables in memory. `src/ARCHITECTURE.md` lists them with
/// their issues.
///
/// COPY into a folder that has files is refused unless an option says what happens to them (`mode`:
/// `append`, `overwrite`, `overwrite_partitions`), and its files become visible when all rows are
/// written.
///
/// # Errors
/// When the session refuses a function.
///
/// ```
/// use datafusion::prelude::{SessionConfig, SessionContext};
///
/// let config = SessionConfig::new().with_target_partitions(1);
/// let context = SessionContext::new_with_config(config);
/// datafusion_aiops::install(&context)?;
/// # Ok::<(), datafusion::error::DataFusionError>(())
/// ```
pub fn install(context: &SessionContext) -> Result<()> {
    let state = context.state_ref();
    let mut state = state.write();
    register_all(&mut *state)?;
    let registry: Arc<StreamRegistry> = Arc::default();
    state.config_mut().set_extension(Arc::clone(&registry));
    streams::register(&mut state, &registry);
    sources::register(&mut state, &registry);
    #[cfg(feature = "sqlite")]
    sqlite::register(&mut state);
    changes::register(&mut state);
    let unnest_keys = Arc::new(UnnestKeys::new());
    state.register_relation_planner(Arc::clone(&unnest_keys) as _)?;
    state.add_analyzer_rule(unnest_keys);
    state.add_analyzer_rule(Arc::new(RunningSteps));
    short_times::register(&mut state)?;
    windows::register(context, &mut state)?;
    write_planner::register(&mut state);
    live_planner::register(&mut state);
    workarounds::register(&mut state)?;
    Ok(())
}
