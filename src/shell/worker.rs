//! `worker`: a process that runs stages of statements for coordinators, until a signal ends it.

use std::fmt;
use std::process::ExitCode;
use std::sync::Arc;

use datafusion::common::{Result, exec_datafusion_err, plan_err};
use datafusion::execution::object_store::{DefaultObjectStoreRegistry, ObjectStoreRegistry};
use datafusion::object_store::{ObjectStore, parse_url_opts};
use datafusion::prelude::SessionContext;
use datafusion_aiops::distributed::{Security, WorkerOptions, WorkerServer, connect};
use url::Url;

use crate::shell::arguments::{CommandLine, SecurityArguments, WorkerArguments};
use crate::shell::errors::say;
use crate::shell::runtime::runtime;
use crate::shell::signals::{EndsOn, Signals};

/// The variable with the token, for where an argument would show it to other users.
const TOKEN_VARIABLE: &str = "AIOPS_WORKER_TOKEN";

/// Serves until SIGTERM or Ctrl-C; stages that run then are ended first.
///
/// # Errors
/// When the address is taken, or everybody would be let in.
pub(crate) async fn serve(arguments: &CommandLine, worker: &WorkerArguments) -> Result<ExitCode> {
    let runtime = runtime(arguments, Arc::new(EnvironmentStores::default()))?;
    let mut options = WorkerOptions::default()
        .with_runtime(runtime)
        .with_security(security(&arguments.security)?);
    if worker.insecure {
        options = options.allow_open();
    }
    let server = WorkerServer::bind(&worker.listen, options).await?;
    let signals = Signals::listen(EndsOn::Both)?;
    if !arguments.quiet {
        say(&format!("worker listens on {}", server.address()));
    }
    let stop = async {
        match signals {
            Some(mut signals) => drop(signals.next().await),
            None => std::future::pending().await,
        }
    };
    server.serve(stop).await?;
    Ok(ExitCode::SUCCESS)
}

/// Gives the session the workers of the command line.
///
/// # Errors
/// When a file of the arguments cannot be read.
pub(crate) fn connect_workers(context: &SessionContext, arguments: &CommandLine) -> Result<()> {
    connect(context, security(&arguments.security)?)?;
    if let Some(workers) = &arguments.workers {
        let state = context.state_ref();
        let mut state = state.write();
        let options = state.config_mut().options_mut();
        options.set("aiops.workers", workers)?;
    }
    Ok(())
}

fn security(arguments: &SecurityArguments) -> Result<Security> {
    let mut security = Security::default();
    let token =
        match &arguments.worker_token_file {
            Some(file) => Some(std::fs::read_to_string(file).map_err(|error| {
                exec_datafusion_err!("{} cannot be read: {error}", file.display())
            })?),
            None => std::env::var(TOKEN_VARIABLE).ok(),
        };
    if let Some(token) = token {
        security = security.with_token(&token)?;
    }
    match (&arguments.tls_ca, &arguments.tls_cert, &arguments.tls_key) {
        (Some(ca), Some(certificate), Some(key)) => security.with_tls(ca, certificate, key),
        (None, None, None) => Ok(security),
        _ => plan_err!("--tls-ca, --tls-cert and --tls-key belong together: give all three"),
    }
}

/// The variables that describe object stores.
fn store_variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok()?.to_lowercase();
        let is_of_store = ["aws_", "google_", "azure_"]
            .iter()
            .any(|prefix| name.starts_with(prefix));
        is_of_store.then_some((name, value.into_string().ok()?))
    })
}

/// Object stores as the environment describes them (`AWS_ACCESS_KEY_ID` and the like), made when a
/// plan first names one.
#[derive(Default)]
struct EnvironmentStores {
    known: DefaultObjectStoreRegistry,
}

impl fmt::Debug for EnvironmentStores {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("EnvironmentStores")
    }
}

impl ObjectStoreRegistry for EnvironmentStores {
    fn register_store(
        &self,
        url: &Url,
        store: Arc<dyn ObjectStore>,
    ) -> Option<Arc<dyn ObjectStore>> {
        self.known.register_store(url, store)
    }

    fn get_store(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        if let Ok(store) = self.known.get_store(url) {
            return Ok(store);
        }
        let (store, _) = parse_url_opts(url, store_variables())?;
        let store: Arc<dyn ObjectStore> = Arc::from(store);
        self.known.register_store(url, Arc::clone(&store));
        Ok(store)
    }
}
