//! Where rows come from and go to.

pub(crate) mod changes;
pub(crate) mod database;
pub(crate) mod live;
pub(crate) mod local_files;
pub(crate) mod log_file;
pub(crate) mod snapshot;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite;
pub(crate) mod window_files;
