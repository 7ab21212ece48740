//! The settings of a cluster, and the settings of a session that its workers are told.

use std::collections::BTreeMap;

use datafusion::common::{Result, exec_datafusion_err, extensions_options};
use datafusion::config::{ConfigExtension, ConfigOptions};
use datafusion::prelude::SessionConfig;
use http::{HeaderMap, HeaderName, HeaderValue};

extensions_options! {
    /// `SET aiops.workers = 'host:7100,..'`.
    pub(crate) struct ClusterSettings {
        /// The workers, `host:port` with commas between them. Each address of a host is a worker.
        /// Empty: statements run in this process.
        pub workers: String, default = String::new()
        /// Rows that only this process can read are sent to workers up to this many bytes in all.
        /// A statement with more of them runs in this process.
        pub sent_bytes: usize, default = 64 << 20
        /// As in every session: see `formats/log/log_settings`.
        pub log_formats: String, default = String::new()
    }
}

impl ConfigExtension for ClusterSettings {
    const PREFIX: &'static str = "aiops";
}

/// How rows are processed. Settings for planning are not needed where plans run.
const SENT_PREFIX: &str = "datafusion.execution.";
const SETTINGS: HeaderName = HeaderName::from_static("x-aiops-settings");
/// In whose names workers call each other: certificates are for names.
const HOSTS: HeaderName = HeaderName::from_static("x-aiops-hosts");

type NamedTexts = BTreeMap<String, String>;

/// What workers are told beside a plan: the settings that are not the defaults, and the hosts of the
/// workers by URL.
///
/// # Errors
/// When a value has characters that a header cannot have.
pub(super) fn to_headers(config: &SessionConfig, hosts: &NamedTexts) -> Result<HeaderMap> {
    let settings = (SETTINGS, value(&changed(config.options()))?);
    Ok(HeaderMap::from_iter([settings, (HOSTS, value(hosts)?)]))
}

fn value(texts: &NamedTexts) -> Result<HeaderValue> {
    let text = serde_json::to_vec(texts)
        .map_err(|error| exec_datafusion_err!("settings cannot be written: {error}"))?;
    HeaderValue::from_bytes(&text)
        .map_err(|error| exec_datafusion_err!("a setting cannot be sent to workers: {error}"))
}

/// The hosts that a coordinator has sent, by URL.
///
/// # Errors
/// When they are not those of this version.
pub(super) fn hosts_of(headers: &HeaderMap) -> Result<NamedTexts> {
    texts(headers, &HOSTS)
}

fn texts(headers: &HeaderMap, name: &HeaderName) -> Result<NamedTexts> {
    match headers.get(name) {
        Some(text) => serde_json::from_slice(text.as_bytes())
            .map_err(|error| exec_datafusion_err!("{name} of a coordinator: {error}")),
        None => Ok(NamedTexts::new()),
    }
}

/// Sets what a coordinator has sent.
///
/// # Errors
/// When the settings are not those of this version.
pub(super) fn from_headers(headers: &HeaderMap, options: &mut ConfigOptions) -> Result<()> {
    for (name, value) in texts(headers, &SETTINGS)? {
        options.set(&name, &value)?;
    }
    Ok(())
}

fn changed(options: &ConfigOptions) -> NamedTexts {
    let defaults = ConfigOptions::new().entries();
    let defaults: BTreeMap<_, _> = defaults
        .into_iter()
        .map(|entry| (entry.key, entry.value))
        .collect();
    let entries = options.entries().into_iter();
    let sent = entries.filter(|entry| entry.key.starts_with(SENT_PREFIX));
    let changed = sent.filter(|entry| defaults.get(&entry.key) != Some(&entry.value));
    changed
        .filter_map(|entry| Some((entry.key, entry.value?)))
        .collect()
}
