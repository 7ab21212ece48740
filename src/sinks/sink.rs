//! What a pipeline writes its windows to, besides the tables of a store.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::common::Result;
use datafusion::execution::SessionState;
use datafusion::physical_plan::ExecutionPlan;

/// Takes the rows of windows such that each window appears once, whatever is killed and started
/// again.
///
/// A window has a name that stays the same when it runs again: the name of the pipeline, its start
/// and its end. It replaces what an earlier run left under that name. The calls come in this order,
/// one window after another:
///
/// ```text
/// check                          when the pipeline starts, for every INSERT
/// clean_up                       once, before the first window
/// undo                           before a window that an earlier run may have begun
/// begin, write .., commit        the window; if a statement of it fails: undo
/// ```
///
/// `clean_up`, `begin` and `commit` are called once for each [place](Self::place), however many
/// INSERTs write to it. For the second INSERT of a window into one place, the name in `write` and
/// `undo` is that of the window followed by `-2`, for the third `-3`.
///
/// [`TargetTable::windowed`](crate::store::TargetTable::windowed) makes a table of a sink.
/// `tests/it/extend.rs` has an example.
#[async_trait]
pub trait WindowSink: Debug + Send + Sync {
    /// Identifies where the sink writes, to number the INSERTs: two tables over one folder have the
    /// same place.
    fn place(&self) -> String;

    /// Checks whether windows can be written into this table, which messages name.
    ///
    /// # Errors
    /// A plan error that says what to write instead.
    fn check(&self, table: &str) -> Result<()>;

    /// Begins a window.
    ///
    /// # Errors
    /// When nothing can be written now.
    async fn begin(&self, _window: &str) -> Result<()> {
        Ok(())
    }

    /// Writes the rows of `input` under this name, and returns their number.
    ///
    /// # Errors
    /// The errors of the input and of the target.
    async fn write(
        &self,
        name: &str,
        input: Arc<dyn ExecutionPlan>,
        state: &SessionState,
    ) -> Result<u64>;

    /// Makes the window visible: all its statements have run. If the process is killed after this
    /// and before the window is recorded as done, the window runs once more, and must replace what
    /// it has left.
    ///
    /// # Errors
    /// When what was written cannot be made visible.
    async fn commit(&self, _window: &str) -> Result<()> {
        Ok(())
    }

    /// Removes what was written under this name, if anything.
    ///
    /// # Errors
    /// The errors of the target.
    async fn undo(&self, name: &str, state: &SessionState) -> Result<()>;

    /// Removes what a killed run of this pipeline had begun to write.
    ///
    /// # Errors
    /// The errors of the target.
    async fn clean_up(&self, pipeline: &str) -> Result<()>;
}
