//! Stores whose tables several statements can change in one transaction: what a pipeline needs to write a window whole
//! or not at all, and to know after a restart which window was the last.

use std::fmt::Debug;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::prelude::SessionConfig;
use serde::{Deserialize, Serialize};

/// How far the windows of a pipeline have run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DoneWindows {
    /// How many.
    pub(crate) windows: u64,
    /// Start and end of the last of them. Those of a range run in the order of their ends.
    pub(crate) last: (i64, i64),
}

/// A store whose tables can be written in one transaction for a whole window.
pub(crate) trait Store: Debug + Send + Sync {
    /// What tells it from others: the canonical path of the file.
    fn name(&self) -> &str;

    /// Begins a transaction that takes the write lock now, waiting as long as the busy timeout says. Blocks the thread.
    ///
    /// # Errors
    /// When another process keeps the lock, or the file cannot be written.
    fn begin(&self) -> Result<Arc<dyn Transaction>>;

    /// What this pipeline has committed. Blocks the thread.
    ///
    /// # Errors
    /// When the file cannot be read.
    fn committed(&self, pipeline: &str) -> Result<DoneWindows>;
}

/// A transaction that has the write lock. Dropping the last reference without a commit rolls back.
pub(crate) trait Transaction: Debug + Send + Sync {
    /// Notes in the same transaction how far the pipeline is with it, and commits. Blocks the thread.
    ///
    /// # Errors
    /// When the file cannot be written; nothing is committed then.
    fn commit(&self, pipeline: &str, done: DoneWindows) -> Result<()>;

    /// Adds to a session what lets its statements read and write the tables of the store in this transaction: an extension
    /// of the store's own.
    fn enter(self: Arc<Self>, config: &mut SessionConfig);
}
