//! Who may talk to whom: a shared token, certificates, or neither.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Once};

use datafusion::common::{Result, exec_datafusion_err, plan_err};
use http::HeaderValue;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::transport::{Certificate, ClientTlsConfig, Identity, ServerTlsConfig};
use tonic::{Request, Status};

/// The header of the token.
const AUTHORIZATION: &str = "authorization";

/// How a coordinator and its workers know each other. The same value is for both sides.
///
/// Without anything a worker believes whoever reaches it: that is for loopback and for networks
/// that belong to the workers alone. Its [`Debug`](fmt::Debug) form has no secret in it.
///
/// ```
/// let security = datafusion_aiops::distributed::Security::default().with_token("s3cret")?;
/// assert!(!format!("{security:?}").contains("s3cret"));
/// # Ok::<(), datafusion::error::DataFusionError>(())
/// ```
#[derive(Clone, Default)]
pub struct Security {
    token: Option<MetadataValue<Ascii>>,
    tls: Option<Arc<Tls>>,
}

struct Tls {
    ca: Certificate,
    identity: Identity,
}

impl fmt::Debug for Security {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Security")
            .field("has_token", &self.token.is_some())
            .field("has_tls", &self.tls.is_some())
            .finish()
    }
}

impl Security {
    /// Every call carries this token, and a call without it is refused. Without TLS the token can
    /// be read on its way.
    ///
    /// # Errors
    /// When the token is empty, or has characters that are not printable ASCII.
    pub fn with_token(mut self, token: &str) -> Result<Self> {
        let Ok(mut value) = MetadataValue::try_from(format!("Bearer {}", token.trim())) else {
            return plan_err!("the token of the workers may only have printable ASCII characters");
        };
        if token.trim().is_empty() {
            return plan_err!("the token of the workers is empty");
        }
        value.set_sensitive(true);
        self.token = Some(value);
        Ok(self)
    }

    /// Both sides show a certificate that this authority has signed. The files are PEM; the
    /// certificate of a worker is for the host name by which it is called.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn with_tls(mut self, ca: &Path, certificate: &Path, key: &Path) -> Result<Self> {
        install_crypto();
        self.tls = Some(Arc::new(Tls {
            ca: Certificate::from_pem(read(ca)?),
            identity: Identity::from_pem(read(certificate)?, read(key)?),
        }));
        Ok(self)
    }

    /// Whether there is anything that keeps strangers out.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.token.is_none() && self.tls.is_none()
    }

    pub(super) fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// The header of every call, which no log shows.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let token = self.token.as_ref()?;
        let mut header = HeaderValue::from_bytes(token.as_bytes()).ok()?;
        header.set_sensitive(true);
        Some(header)
    }

    /// What a client shows and asks for when it calls this host.
    pub(super) fn of_client(&self, host: &str) -> Option<ClientTlsConfig> {
        let tls = self.tls.as_ref()?;
        let config = ClientTlsConfig::new()
            .ca_certificate(tls.ca.clone())
            .identity(tls.identity.clone())
            .domain_name(host);
        Some(config)
    }

    pub(super) fn of_server(&self) -> Option<ServerTlsConfig> {
        let tls = self.tls.as_ref()?;
        let config = ServerTlsConfig::new()
            .identity(tls.identity.clone())
            .client_ca_root(tls.ca.clone());
        Some(config)
    }
}

/// Refuses calls without the token.
#[derive(Debug, Clone)]
pub(super) struct TokenCheck(pub(super) Security);

impl Interceptor for TokenCheck {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        let Some(expected) = &self.0.token else {
            return Ok(request);
        };
        let given = request.metadata().get(AUTHORIZATION);
        let given = given.map(MetadataValue::as_bytes).unwrap_or_default();
        if is_same(given, expected.as_bytes()) {
            Ok(request)
        } else {
            Err(Status::unauthenticated(
                "the token is not that of this worker",
            ))
        }
    }
}

/// Compares in a time that does not tell where the texts differ.
fn is_same(left: &[u8], right: &[u8]) -> bool {
    let pairs = left.iter().zip(right);
    left.len() == right.len() && pairs.fold(0, |all, (left, right)| all | (left ^ right)) == 0
}

/// Other crates may bring another implementation of cryptography, so one has to be named.
fn install_crypto() {
    static ONCE: Once = Once::new();
    // It fails if the program has named one itself, which is as good.
    ONCE.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path)
        .map_err(|error| exec_datafusion_err!("{} cannot be read: {error}", path.display()))
}
