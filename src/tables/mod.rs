//! Where rows come from and go to.

#[allow(dead_code, reason = "for pipelines that write windows whole")]
pub(crate) mod database;
pub(crate) mod live;
pub(crate) mod log_file;
pub(crate) mod snapshot;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite;
