//! Where rows come from and go to.

pub(crate) mod live;
pub(crate) mod log_file;
pub(crate) mod snapshot;
