//! The setting `aiops.log_formats`: a file with the log formats of a user.

use datafusion::common::extensions_options;
use datafusion::config::{ConfigExtension, ConfigOptions};

extensions_options! {
    /// `SET aiops.log_formats = 'formats.toml'`.
    pub(crate) struct LogSettings {
        /// A file with log formats, which are tried before those that are built in.
        pub log_formats: String, default = String::new()
    }
}

impl ConfigExtension for LogSettings {
    const PREFIX: &'static str = "aiops";
}

/// The file with the user's formats; empty if there is none. A session that uses workers has this
/// setting among others.
pub(crate) fn log_formats_of(options: &ConfigOptions) -> String {
    let entries = options.entries().into_iter();
    let mut file = entries.filter(|entry| entry.key.ends_with("log_formats"));
    file.next()
        .and_then(|entry| entry.value)
        .unwrap_or_default()
}
