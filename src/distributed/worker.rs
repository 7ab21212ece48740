//! The process that runs stages of plans for coordinators.

use std::net::SocketAddr;
use std::sync::Arc;

use datafusion::common::{Result, exec_datafusion_err, plan_err};
use datafusion::error::DataFusionError;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion_distributed::{DistributedExt, Worker, WorkerQueryContext};
use tokio::net::TcpListener;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use url::Url;

use crate::codec::AiopsCodec;
use crate::distributed::channels::{
    KEEP_ALIVE, KEEP_ALIVE_TIMEOUT, SharedChannels, WorkerChannels,
};
use crate::distributed::security::{Security, TokenCheck};
use crate::distributed::settings;
use crate::distributed::worker_pool::VERSION;
use crate::functions::{register_all, register_hidden};
use crate::planner::unnest_keys::UnnestKeys;

/// What a worker needs beside its address.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct WorkerOptions {
    runtime: Arc<RuntimeEnv>,
    security: Security,
    is_open_allowed: bool,
}

impl WorkerOptions {
    /// The memory, the disk and the object stores of all that it runs.
    #[must_use]
    pub fn with_runtime(mut self, runtime: Arc<RuntimeEnv>) -> Self {
        self.runtime = runtime;
        self
    }

    /// How coordinators and other workers show who they are.
    #[must_use]
    pub fn with_security(mut self, security: Security) -> Self {
        self.security = security;
        self
    }

    /// Listens beyond loopback though it cannot tell a coordinator from a stranger, who could read
    /// whatever file the process can read.
    #[must_use]
    pub fn allow_open(mut self) -> Self {
        self.is_open_allowed = true;
        self
    }
}

/// A worker that listens.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> datafusion::error::Result<()> {
/// use datafusion_aiops::distributed::{WorkerOptions, WorkerServer};
///
/// let worker = WorkerServer::bind("127.0.0.1:0", WorkerOptions::default()).await?;
/// println!("listens on {}", worker.address());
/// // It runs until the future is ready, and ends what it has begun.
/// worker.serve(async {}).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct WorkerServer {
    listener: TcpListener,
    address: SocketAddr,
    options: WorkerOptions,
}

impl WorkerServer {
    /// Listens on `host:port`. Port 0 is any that is free.
    ///
    /// # Errors
    /// When the address is taken or wrong, and when it is more than loopback but everybody would be
    /// let in.
    pub async fn bind(address: &str, options: WorkerOptions) -> Result<Self> {
        let listener = TcpListener::bind(address)
            .await
            .map_err(|error| exec_datafusion_err!("worker cannot listen on {address}: {error}"))?;
        let bound = listener.local_addr()?;
        if !bound.ip().is_loopback() && options.security.is_open() && !options.is_open_allowed {
            return plan_err!(
                "a worker on {address} would run what any machine sends it: give it a token or certificates, or say \
                 that the network is its own (--insecure)"
            );
        }
        Ok(Self {
            listener,
            address: bound,
            options,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Runs stages until `stop` is ready. Stages that run then are ended first.
    ///
    /// # Errors
    /// When the certificates are wrong.
    pub async fn serve(self, stop: impl Future<Output = ()>) -> Result<()> {
        let Self {
            listener, options, ..
        } = self;
        let failed = |error: tonic::transport::Error| exec_datafusion_err!("worker: {error}");
        // A coordinator that is gone without a word must not keep its stages for ever.
        let mut server = Server::builder()
            .tcp_nodelay(true)
            .http2_keepalive_interval(Some(KEEP_ALIVE))
            .http2_keepalive_timeout(Some(KEEP_ALIVE_TIMEOUT));
        if let Some(tls) = options.security.of_server() {
            server = server.tls_config(tls).map_err(failed)?;
        }
        let check = TokenCheck(options.security.clone());
        let worker = worker(&options).into_worker_server();
        server
            .add_service(InterceptedService::new(worker, check))
            .serve_with_incoming_shutdown(TcpIncoming::from(listener), stop)
            .await
            .map_err(failed)
    }
}

fn worker(options: &WorkerOptions) -> Worker {
    let channels = Arc::new(WorkerChannels::new(options.security.clone()));
    let session = move |context: WorkerQueryContext| {
        let channels = SharedChannels(Arc::clone(&channels));
        async move { session(context, channels) }
    };
    Worker::from_session_builder(session)
        .with_runtime_env(Arc::clone(&options.runtime))
        .with_version(VERSION)
}

/// A session that knows all functions, and the settings of the coordinator.
fn session(
    context: WorkerQueryContext,
    channels: SharedChannels,
) -> Result<SessionState, DataFusionError> {
    let WorkerQueryContext { builder, headers } = context;
    for (url, host) in settings::hosts_of(&headers)? {
        if let Ok(url) = Url::parse(&url) {
            channels.0.name_host(&url, &host);
        }
    }
    let mut state = builder
        .with_distributed_user_codec(AiopsCodec)
        .with_distributed_channel_resolver(channels)
        .build();
    settings::from_headers(&headers, state.config_mut().options_mut())?;
    register_all(&mut state)?;
    register_hidden(&mut state)?;
    state.register_udf(UnnestKeys::new().function())?;
    Ok(state)
}
