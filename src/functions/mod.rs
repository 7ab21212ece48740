//! The SQL face of the algorithms: one file a function, named as in SQL.

mod lists;
mod log;
mod options;
mod texts;

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::ScalarUDF;
use std::sync::Arc;

/// Registers every function of this crate with a registry: a `SessionContext`, a `SessionState` or your own.
///
/// Window functions, table formats and the shell need more than a registry; [`crate::install`] adds those too.
///
/// # Errors
/// What the registry returns when it refuses a function.
///
/// ```
/// use datafusion::prelude::SessionContext;
///
/// let mut context = SessionContext::new();
/// datafusion_aiops::register_all(&mut context)?;
/// # Ok::<(), datafusion::error::DataFusionError>(())
/// ```
pub fn register_all(registry: &mut dyn FunctionRegistry) -> Result<()> {
    for function in scalar_functions() {
        registry.register_udf(Arc::new(function))?;
    }
    Ok(())
}

fn scalar_functions() -> Vec<ScalarUDF> {
    vec![
        log::log_parse::LogParse::new().into(),
        log::log_template::LogTemplate::new().into(),
        log::log_tokens::LogTokens::new().into(),
        log::template_hash::TemplateHash::new().into(),
        log::template_match::TemplateMatch::new().into(),
        log::template_regex::TemplateRegex::new().into(),
    ]
}

/// A refused parameter is a mistake in the query.
impl From<crate::error::Error> for DataFusionError {
    fn from(error: crate::error::Error) -> Self {
        Self::Plan(error.to_string())
    }
}
