//! The SQL face of the algorithms: one file a function, named as in SQL.

use datafusion::common::Result;
use datafusion::execution::FunctionRegistry;

/// Registers every function of this crate with a registry: a `SessionContext`, a `SessionState` or your own.
///
/// # Errors
/// What the registry returns when it refuses a function.
pub fn register_all(_registry: &mut dyn FunctionRegistry) -> Result<()> {
    Ok(())
}
