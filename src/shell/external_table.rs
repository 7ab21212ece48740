//! CREATE EXTERNAL TABLE for formats that datafusion-cli does not know.
//!
//! datafusion-cli checks the statement's options against its own formats and refuses all others, so
//! the statement is planned and run here: its object store is registered, and the table's factory
//! checks the rest. The object store that COPY writes to is registered in the same way.

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
/// When the location's object store cannot be reached or the format's factory refuses the
/// statement.
pub(crate) async fn create(context: &SessionContext, statement: Statement) -> Result<()> {
    let plan = context.state().statement_to_plan(statement).await?;
    // A SQLite database must be a local file; its factory says so itself.
    if let LogicalPlan::Ddl(DdlStatement::CreateExternalTable(table)) = &plan
        && table.file_type != "SQLITE"
    {
        for location in &table.locations {
            register_store(context, location, &table.options).await?;
        }
    }
    context.execute_logical_plan(plan).await?.collect().await?;
    Ok(())
}

/// Registers the object store of a remote location, with the credentials in the statement.
///
/// # Errors
/// When the location is not a valid address or the credentials are incomplete.
pub(crate) async fn register_store(
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

/// The session's options for this scheme, with the statement's options that begin with `prefix`.
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

#[cfg(test)]
mod tests {
    use super::create;
    use async_trait::async_trait;
    use datafusion::arrow::datatypes::Schema;
    use datafusion::catalog::{Session, TableProvider, TableProviderFactory};
    use datafusion::common::{Result, plan_err};
    use datafusion::config::Dialect;
    use datafusion::datasource::empty::EmptyTable;
    use datafusion::logical_expr::CreateExternalTable;
    use datafusion::prelude::SessionContext;
    use std::sync::Arc;

    /// A format that returns what it was asked for as an error.
    #[derive(Debug)]
    struct Echo;

    #[async_trait]
    impl TableProviderFactory for Echo {
        async fn create(
            &self,
            _: &dyn Session,
            table: &CreateExternalTable,
        ) -> Result<Arc<dyn TableProvider>> {
            if table.options.contains_key("format.fails") {
                return plan_err!("asked for {:?} with {:?}", table.locations, table.options);
            }
            Ok(Arc::new(EmptyTable::new(Arc::new(Schema::empty()))))
        }
    }

    async fn run(sql: &str) -> Result<SessionContext> {
        let context = SessionContext::new();
        context
            .state_ref()
            .write()
            .table_factories_mut()
            .insert("ECHO".to_string(), Arc::new(Echo));
        let statement = context.state().sql_to_statement(sql, &Dialect::Generic)?;
        create(&context, statement).await?;
        Ok(context)
    }

    #[tokio::test]
    async fn a_format_of_our_own_gets_its_options() {
        let sql = "CREATE EXTERNAL TABLE t STORED AS ECHO LOCATION '/var/log' OPTIONS";
        let context = run(&format!("{sql} ('pattern' '.*', 'aiops.delay' '5s')"))
            .await
            .unwrap();
        assert!(context.table_exist("t").unwrap());
        let error = run(&format!("{sql} ('fails' 'yes')")).await.err().unwrap();
        assert_eq!(
            error.message(),
            r#"asked for ["/var/log"] with {"format.fails": "yes"}"#
        );
    }

    #[tokio::test]
    async fn remote_stores_get_the_credentials_of_the_statement() {
        for (location, option) in [
            (
                "s3://bucket/logs/",
                "'aws.access_key_id' 'a', 'aws.secret_access_key' 'b', 'aws.region' 'eu-west-1'",
            ),
            ("http://example.com/logs/", "'pattern' '.*'"),
        ] {
            let context = run(&format!(
                "CREATE EXTERNAL TABLE t STORED AS ECHO LOCATION '{location}' OPTIONS ({option}, 'pattern2' 'x')"
            ))
            .await
            .unwrap();
            let url = datafusion::datasource::listing::ListingTableUrl::parse(location).unwrap();
            assert!(
                context.runtime_env().object_store(&url).is_ok(),
                "{location}"
            );
        }
    }
}
