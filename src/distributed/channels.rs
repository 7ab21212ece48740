//! Connections to workers, each made once.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::error::DataFusionError;
use datafusion_distributed::grpc::{BoxCloneSyncChannel, create_worker_client};
use datafusion_distributed::{ChannelResolver, WorkerChannel};
use http::Request;
use http::header::AUTHORIZATION;
use tonic::body::Body;
use tonic::transport::{Channel, Endpoint};
use tower::ServiceExt;
use url::Url;

use crate::distributed::security::Security;

/// A worker that takes longer to accept a connection is taken for dead.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How often a busy connection is asked for a sign of life, and how long it may take to give one: a
/// worker whose processors are all busy is slow to answer.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(10);
pub(super) const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// The connections of a process.
#[derive(Debug, Default)]
pub(super) struct WorkerChannels {
    security: Security,
    open: Mutex<HashMap<Url, Channel>>,
    /// The host name in whose name an address is called: certificates are for names.
    hosts: Mutex<HashMap<Url, String>>,
}

impl WorkerChannels {
    pub(super) fn new(security: Security) -> Self {
        Self {
            security,
            ..Self::default()
        }
    }

    pub(super) fn security(&self) -> &Security {
        &self.security
    }

    /// Notes which host has this address.
    pub(super) fn name_host(&self, url: &Url, host: &str) {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.insert(url.clone(), host.to_string());
    }

    /// The hosts of these workers, by URL.
    pub(super) fn hosts(&self, workers: &[Url]) -> BTreeMap<String, String> {
        let hosts = workers.iter().map(|url| (url.to_string(), self.host(url)));
        hosts.collect()
    }

    /// The client of a worker. It connects with the first call.
    ///
    /// # Errors
    /// When the address or the certificates are wrong.
    pub(super) fn client(&self, url: &Url) -> Result<Box<dyn WorkerChannel>> {
        let channel = self.channel(url)?;
        let token = self.security.header();
        let with_token = channel.map_request(move |mut request: Request<Body>| {
            if let Some(token) = &token {
                request.headers_mut().insert(AUTHORIZATION, token.clone());
            }
            request
        });
        Ok(create_worker_client(BoxCloneSyncChannel::new(with_token)))
    }

    fn channel(&self, url: &Url) -> Result<Channel> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(channel) = open.get(url) {
            return Ok(channel.clone());
        }
        let wrong = |error: tonic::transport::Error| exec_datafusion_err!("worker {url}: {error}");
        let mut endpoint = Endpoint::from_shared(url.to_string())
            .map_err(wrong)?
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
            .tcp_nodelay(true);
        if let Some(tls) = self.security.of_client(&self.host(url)) {
            endpoint = endpoint.tls_config(tls).map_err(wrong)?;
        }
        let channel = endpoint.connect_lazy();
        open.insert(url.clone(), channel.clone());
        Ok(channel)
    }

    fn host(&self, url: &Url) -> String {
        let hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let host = hosts.get(url).cloned();
        host.unwrap_or_else(|| url.host_str().unwrap_or_default().to_string())
    }
}

/// [`WorkerChannels`] as `datafusion-distributed` asks for them.
#[derive(Debug, Clone)]
pub(super) struct SharedChannels(pub(super) Arc<WorkerChannels>);

#[async_trait]
impl ChannelResolver for SharedChannels {
    async fn get_worker_client_for_url(
        &self,
        url: &Url,
    ) -> Result<Box<dyn WorkerChannel>, DataFusionError> {
        self.0.client(url)
    }
}
