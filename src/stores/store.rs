//! Stores whose tables several statements can change in one transaction: what a pipeline needs to
//! write a window whole or not at all, and to know after a restart which window was the last.

use std::fmt::Debug;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::prelude::SessionConfig;
use serde::{Deserialize, Serialize};

/// How far the windows of a pipeline have run.
///
/// ```
/// let done = datafusion_aiops::store::DoneWindows::default();
/// assert_eq!((done.windows, done.last), (0, (0, 0)));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoneWindows {
    /// The number of windows that have run.
    pub windows: u64,
    /// Start and end of the last of them. The windows of a range run in the order of their ends.
    pub last: (i64, i64),
}

/// A store whose tables can be written in one transaction for a whole window. Calls block the
/// thread.
///
/// `tests/it/extend.rs` has an example.
pub trait Store: Debug + Send + Sync {
    /// What distinguishes this store from others, such as the canonical path of its file. A
    /// pipeline writes to one store only.
    fn name(&self) -> &str;

    /// Begins a transaction. Nobody else can change what it reads, and it waits for the locks of
    /// others as long as the store sees fit.
    ///
    /// # Errors
    /// When another process keeps the lock, or the store cannot be written.
    fn begin(&self) -> Result<Arc<dyn Transaction>>;

    /// What this pipeline has committed, or the default if it has committed nothing.
    ///
    /// # Errors
    /// When it cannot be read.
    fn committed(&self, pipeline: &str) -> Result<DoneWindows>;
}

/// A transaction of a [`Store`]. Dropping the last reference without a commit rolls back. Calls
/// block the thread.
pub trait Transaction: Debug + Send + Sync {
    /// Records in the same transaction how far the pipeline is after it, and commits.
    ///
    /// # Errors
    /// When the store cannot be written; then nothing is committed.
    fn commit(&self, pipeline: &str, done: DoneWindows) -> Result<()>;

    /// Adds to the configuration of a session what lets its statements read and write the tables of
    /// the store in this transaction: an extension of the store's own type, which its tables look
    /// for when they run.
    fn enter(self: Arc<Self>, config: &mut SessionConfig);
}
