//! CREATE EXTERNAL TABLE for formats that datafusion-cli does not know.
//!
//! datafusion-cli checks the statement's options against its own formats and refuses all others, so the statement is
//! planned and run here: its object store is registered, and the table's factory checks the rest.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::config::TableOptions;
use datafusion::datasource::listing::ListingTableUrl;
use datafusion::logical_expr::{DdlStatement, LogicalPlan};
use datafusion::object_store::http::HttpBuilder;
use datafusion::object_store::{ClientOptions, ObjectStore};
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement;
use datafusion_cli::cli_context::CliSessionContext;
use datafusion_cli::object_storage::{
    AwsOptions, GcpOptions, get_cos_object_store_builder, get_gcs_object_store_builder,
    get_oss_object_store_builder, get_s3_object_store_builder,
};

/// Creates the table of a CREATE EXTERNAL TABLE statement.
///
/// # Errors
/// When the location's object store cannot be reached or the format's factory refuses the statement.
pub(crate) async fn create(context: &SessionContext, statement: Statement) -> Result<()> {
    let plan = context.state().statement_to_plan(statement).await?;
    if let LogicalPlan::Ddl(DdlStatement::CreateExternalTable(table)) = &plan {
        for location in &table.locations {
            register_store(context, location, &table.options).await?;
        }
    }
    context.execute_logical_plan(plan).await?.collect().await?;
    Ok(())
}

/// Registers the object store of a location, with the statement's credentials, if it is a remote one.
async fn register_store(
    context: &SessionContext,
    location: &str,
    options: &HashMap<String, String>,
) -> Result<()> {
    let location = ListingTableUrl::parse(location)?;
    let url = location.as_ref();
    let store: Arc<dyn ObjectStore> = match location.scheme() {
        scheme @ ("s3" | "oss" | "cos") => {
            let options = store_options(context, scheme, "aws.", options)?;
            let aws = options.extensions.get::<AwsOptions>().cloned();
            let aws = aws.unwrap_or_default();
            let builder = match scheme {
                "s3" => get_s3_object_store_builder(url, &aws, false).await?,
                "oss" => get_oss_object_store_builder(url, &aws)?,
                _ => get_cos_object_store_builder(url, &aws)?,
            };
            Arc::new(builder.build()?)
        }
        scheme @ ("gs" | "gcs") => {
            let options = store_options(context, scheme, "gcp.", options)?;
            let gcp = options.extensions.get::<GcpOptions>().cloned();
            let builder = get_gcs_object_store_builder(url, &gcp.unwrap_or_default())?;
            Arc::new(builder.build()?)
        }
        "http" | "https" => Arc::new(
            HttpBuilder::new()
                .with_client_options(ClientOptions::new().with_allow_http(true))
                .with_url(url.origin().ascii_serialization())
                .build()?,
        ),
        _ => return Ok(()),
    };
    context.register_object_store(url, store);
    Ok(())
}

/// The session's options for this scheme with the statement's options that begin with `prefix`.
fn store_options(
    context: &SessionContext,
    scheme: &str,
    prefix: &str,
    options: &HashMap<String, String>,
) -> Result<TableOptions> {
    context.register_table_options_extension_from_scheme(scheme);
    let mut table_options = context.state().default_table_options();
    let own: HashMap<String, String> = options
        .iter()
        .filter(|(key, _)| key.starts_with(prefix))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    table_options.alter_with_string_hash_map(&own)?;
    Ok(table_options)
}
