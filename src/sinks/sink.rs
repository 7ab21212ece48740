//! What a pipeline writes its windows to, beside the tables of a store.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::common::Result;
use datafusion::execution::SessionState;
use datafusion::physical_plan::ExecutionPlan;

/// Takes the rows of windows, so that each window is there once, whatever is killed and started
/// again.
///
/// A window has a name that it keeps when it runs again: the name of the pipeline, its start and
/// its end. What an earlier run has left under that name is replaced. The calls come in this order,
/// one window after another:
///
/// ```text
/// check                          when the pipeline starts, for every INSERT
/// clean_up                       once, before the first window
/// undo                           before a window that an earlier run may have begun
/// begin, write .., commit        the window; if a statement of it fails: undo
/// ```
///
/// `clean_up`, `begin` and `commit` come once for each [place](Self::place), however many INSERTs
/// write to it. The second INSERT of a window into one place has `-2` after the window's name in
/// `write` and `undo`, the third `-3`.
///
/// [`TargetTable::windowed`](crate::store::TargetTable::windowed) makes a table of one.
/// `tests/it/extend.rs` has an example.
#[async_trait]
pub trait WindowSink: Debug + Send + Sync {
    /// Where it writes, for the number of an INSERT: two tables over one folder have the same
    /// place.
    fn place(&self) -> String;

    /// Whether windows can be written into this table, which is named for messages.
    ///
    /// # Errors
    /// A plan error that says what to write instead.
    fn check(&self, table: &str) -> Result<()>;

    /// A window begins.
    ///
    /// # Errors
    /// When nothing can be written now.
    async fn begin(&self, _window: &str) -> Result<()> {
        Ok(())
    }

    /// Writes the rows of `input` under this name, and says how many there were.
    ///
    /// # Errors
    /// Those of the input and of what is written to.
    async fn write(
        &self,
        name: &str,
        input: Arc<dyn ExecutionPlan>,
        state: &SessionState,
    ) -> Result<u64>;

    /// All statements of the window have run. If the process is killed after this and before the
    /// window is noted as done, the window runs once more, and must replace what it has left.
    ///
    /// # Errors
    /// When what was written cannot be made visible.
    async fn commit(&self, _window: &str) -> Result<()> {
        Ok(())
    }

    /// Removes what was written under this name, if anything.
    ///
    /// # Errors
    /// Those of what is written to.
    async fn undo(&self, name: &str, state: &SessionState) -> Result<()>;

    /// Removes what a killed run of this pipeline had begun to write.
    ///
    /// # Errors
    /// Those of what is written to.
    async fn clean_up(&self, pipeline: &str) -> Result<()>;
}
