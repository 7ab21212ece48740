//! The shell's session: configuration, object stores, and this crate's functions and tables.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::config::{ConfigNonZeroUsize, ConfigOptions};
use datafusion::logical_expr::ExplainFormat;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion_cli::catalog::DynamicObjectStoreCatalog;
use datafusion_cli::functions::{
    ListFilesCacheFunc, MetadataCacheFunc, ParquetMetadataFunc, StatisticsCacheFunc,
};
use datafusion_cli::object_storage::StdinCarriesCommands;
use datafusion_cli::object_storage::instrumented::InstrumentedObjectStoreRegistry;
use datafusion_cli::print_options::PrintOptions;

use crate::shell::arguments::CommandLine;
use crate::shell::runtime::runtime;

/// Opens the session, and returns it with the settings for printing results.
pub(crate) fn open(
    arguments: &CommandLine,
    is_interactive: bool,
) -> Result<(SessionContext, PrintOptions)> {
    let stores = Arc::new(
        InstrumentedObjectStoreRegistry::new().with_profile_mode(arguments.object_store_profiling),
    );
    let print = PrintOptions {
        format: arguments.format,
        // Row counts and times appear among the results only at the prompt; a pipe gets only the
        // results.
        quiet: arguments.quiet || !is_interactive,
        maxrows: arguments.maxrows,
        color: arguments.color,
        instrumented_registry: Arc::clone(&stores),
    };
    let context =
        SessionContext::new_with_config_rt(config(arguments)?, runtime(arguments, stores)?);
    datafusion_aiops::register_files_by_name(&context);
    context.register_catalog_list(Arc::new(DynamicObjectStoreCatalog::new(
        Arc::clone(context.state().catalog_list()),
        context.state_weak_ref(),
    )));
    register_cli_functions(&context);
    datafusion_aiops::install(&context)?;
    datafusion_aiops::register_stdin(&context)?;
    #[cfg(feature = "distributed")]
    crate::shell::worker::connect_workers(&context, arguments)?;
    if arguments.reads_sql_from_stdin() {
        // Standard input carries statements.
        context.deregister_table(STDIN)?;
    }
    Ok((context, print))
}

/// The table of the lines of standard input.
const STDIN: &str = "stdin";

fn config(arguments: &CommandLine) -> Result<SessionConfig> {
    let mut options = ConfigOptions::from_env()?;
    if let Some(rows) = arguments.batch_size {
        options.execution.batch_size = ConfigNonZeroUsize::try_new(rows)?;
    }
    if std::env::var_os("DATAFUSION_EXPLAIN_FORMAT").is_none() {
        options.explain.format = ExplainFormat::Tree;
    }
    if std::env::var_os("DATAFUSION_FORMAT_NULL").is_none() {
        options.format.null = "NULL".to_string();
    }
    let config = SessionConfig::from(options).with_information_schema(true);
    Ok(if arguments.reads_sql_from_stdin() {
        config.with_extension(Arc::new(StdinCarriesCommands))
    } else {
        config
    })
}

/// datafusion-cli's table functions: `parquet_metadata('x.parquet')` and the contents of its
/// caches.
fn register_cli_functions(context: &SessionContext) {
    let caches = || Arc::clone(&context.runtime_env().cache_manager);
    context.register_udtf("parquet_metadata", Arc::new(ParquetMetadataFunc {}));
    context.register_udtf("metadata_cache", Arc::new(MetadataCacheFunc::new(caches())));
    context.register_udtf(
        "statistics_cache",
        Arc::new(StatisticsCacheFunc::new(caches())),
    );
    context.register_udtf(
        "list_files_cache",
        Arc::new(ListFilesCacheFunc::new(caches())),
    );
}
