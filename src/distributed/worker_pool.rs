//! The workers of a session: where they are, and which of them answer.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use datafusion::common::{Result, exec_err, plan_err};
use datafusion::error::DataFusionError;
use datafusion_distributed::GetWorkerInfoRequest;
use futures::future::join_all;
use tokio::net::lookup_host;
use tokio::time::timeout;
use url::Url;

use crate::distributed::channels::WorkerChannels;
use crate::distributed::security::Security;

/// What coordinator and worker must agree on. Plans are read by the version that wrote them alone.
pub(super) const VERSION: &str = concat!("datafusion-aiops ", env!("CARGO_PKG_VERSION"));
/// A worker that does not answer for this long is not asked to work.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// The workers that a session knows.
#[derive(Debug)]
pub(crate) struct WorkerPool {
    channels: Arc<WorkerChannels>,
}

/// What is known of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum WorkerState {
    Ready { version: String },
    Unreachable { error: String },
    OtherVersion { version: String },
}

impl WorkerState {
    /// As `aiops_workers()` shows it.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Ready { .. } => "ready",
            Self::Unreachable { .. } => "unreachable",
            Self::OtherVersion { .. } => "other version",
        }
    }

    pub(super) fn version(&self) -> Option<&str> {
        match self {
            Self::Ready { version } | Self::OtherVersion { version } => Some(version),
            Self::Unreachable { .. } => None,
        }
    }

    pub(super) fn error(&self) -> Option<&str> {
        match self {
            Self::Unreachable { error } => Some(error),
            Self::Ready { .. } | Self::OtherVersion { .. } => None,
        }
    }
}

impl WorkerPool {
    pub(super) fn new(security: Security) -> Self {
        Self {
            channels: Arc::new(WorkerChannels::new(security)),
        }
    }

    pub(super) fn channels(&self) -> &Arc<WorkerChannels> {
        &self.channels
    }

    /// The workers of a setting that answer, in the order of their addresses. Names are looked up
    /// each time, so that workers may come and go behind one name.
    ///
    /// # Errors
    /// When the setting is wrong, when a worker has another version, or when none answers.
    pub(super) async fn ready(&self, workers: &str) -> Result<Vec<Url>> {
        let states = self.check(workers).await?;
        let mut ready = vec![];
        for (url, state) in &states {
            match state {
                WorkerState::Ready { .. } => ready.push(url.clone()),
                WorkerState::OtherVersion { version } => {
                    return exec_err!(
                        "worker {} is {version}, and this is {VERSION}: a plan is read by its own version alone. \
                         Start the worker with this version, or leave it out of aiops.workers",
                        address(url)
                    );
                }
                WorkerState::Unreachable { .. } => {}
            }
        }
        if ready.is_empty() {
            let states = states.iter().map(|(url, state)| match state {
                WorkerState::Unreachable { error } => format!("{}: {error}", address(url)),
                _ => address(url),
            });
            let states: Vec<_> = states.collect();
            return exec_err!(
                "no worker of aiops.workers answers ({}). SET aiops.workers = '' runs statements in this process",
                states.join("; ")
            );
        }
        Ok(ready)
    }

    /// Asks every worker of a setting how it is.
    ///
    /// # Errors
    /// When the setting is wrong.
    pub(super) async fn check(&self, workers: &str) -> Result<BTreeMap<Url, WorkerState>> {
        let mut states = BTreeMap::new();
        let mut found = BTreeSet::new();
        for (host, port) in addresses(workers)? {
            match lookup_host((host.as_str(), port)).await {
                Ok(all) => found.extend(all.map(|one| (one, host.clone()))),
                Err(error) => {
                    let url = self.url(&format!("{host}:{port}"))?;
                    let error = error.to_string();
                    states.insert(url, WorkerState::Unreachable { error });
                }
            }
        }
        let urls = found.into_iter().map(|(socket, host)| {
            let url = self.url(&socket.to_string())?;
            self.channels.name_host(&url, &host);
            Ok(url)
        });
        let urls = urls.collect::<Result<BTreeSet<_>>>()?;
        let asked = urls.into_iter().map(|url| async {
            let state = self.ask(&url).await;
            (url, state)
        });
        states.extend(join_all(asked).await);
        Ok(states)
    }

    /// Which of these workers do not answer now.
    pub(super) async fn lost(&self, workers: &[Url]) -> Vec<Url> {
        let asked = workers.iter().map(|url| async move {
            let state = self.ask(url).await;
            (!matches!(state, WorkerState::Ready { .. })).then(|| url.clone())
        });
        join_all(asked).await.into_iter().flatten().collect()
    }

    async fn ask(&self, url: &Url) -> WorkerState {
        let answer = async {
            let mut client = self.channels.client(url)?;
            client.get_worker_info(GetWorkerInfoRequest {}).await
        };
        match timeout(ANSWER_TIMEOUT, answer).await {
            Ok(Ok(info)) if info.version == VERSION => WorkerState::Ready {
                version: info.version,
            },
            Ok(Ok(info)) => WorkerState::OtherVersion {
                version: match info.version.as_str() {
                    "" => "of an unknown version".to_string(),
                    version => version.to_string(),
                },
            },
            Ok(Err(error)) => WorkerState::Unreachable {
                error: short(&error),
            },
            Err(_) => WorkerState::Unreachable {
                error: format!("no answer in {} s", ANSWER_TIMEOUT.as_secs()),
            },
        }
    }

    fn url(&self, address: &str) -> Result<Url> {
        let scheme = self.channels.security().scheme();
        match Url::parse(&format!("{scheme}://{address}")) {
            Ok(url) => Ok(url),
            Err(error) => plan_err!("aiops.workers has '{address}': {error}"),
        }
    }
}

/// A worker as people write it.
pub(super) fn address(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port_or_known_default() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_string(),
    }
}

/// What an error comes from: those around it say the same in more words.
fn short(error: &DataFusionError) -> String {
    let mut cause: &dyn Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    match cause.downcast_ref::<tonic::Status>() {
        Some(status) => status.message().to_string(),
        None => cause.to_string(),
    }
}

/// Reads `host:port,host:port`.
///
/// # Errors
/// When an address has no host or no port.
fn addresses(workers: &str) -> Result<Vec<(String, u16)>> {
    let parts = workers
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty());
    let addresses = parts.map(|part| {
        let bare = part.split_once("://").map_or(part, |(_, bare)| bare);
        let parsed = bare.trim_end_matches('/').rsplit_once(':');
        let parsed = parsed.and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
        match parsed {
            Some((host, port)) if !host.is_empty() => {
                let host = host.trim_start_matches('[').trim_end_matches(']');
                Ok((host.to_string(), port))
            }
            _ => plan_err!(
                "aiops.workers has '{part}': write host:port with commas between, such as 'node1:7100,node2:7100'"
            ),
        }
    });
    addresses.collect()
}

#[cfg(test)]
mod tests {
    use super::addresses;

    #[test]
    fn addresses_are_read() {
        for (text, expected) in [
            ("", vec![]),
            ("a:1", vec![("a", 1)]),
            (" a:1 , b:2,", vec![("a", 1), ("b", 2)]),
            ("http://a:1/", vec![("a", 1)]),
            ("[::1]:7100", vec![("::1", 7100)]),
        ] {
            let found = addresses(text).unwrap();
            let found: Vec<_> = found
                .iter()
                .map(|(host, port)| (host.as_str(), *port))
                .collect();
            assert_eq!(found, expected, "{text}");
        }
        for wrong in ["a", "a:", ":7100", "a:70000", "a:1,b"] {
            let error = addresses(wrong).unwrap_err().to_string();
            assert!(error.contains("host:port"), "{wrong}: {error}");
        }
    }
}
