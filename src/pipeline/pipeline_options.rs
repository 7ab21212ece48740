//! How a pipeline runs.

/// When a pipeline that reads live tables ends by itself. One that reads an archive ends with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PipelineEnd {
    /// It runs until it is stopped.
    #[default]
    Never,
    /// When all that is there was read and the windows that are complete have run. Those that are
    /// open are left to the next run, so that nothing is late for it.
    CaughtUp,
    /// When nothing was written for the table's `idle_timeout`. The windows that are open run too,
    /// but for a count window that is not full.
    Idle,
}

/// How a pipeline runs.
///
/// ```
/// use datafusion_aiops::{PipelineEnd, PipelineOptions};
///
/// let options = PipelineOptions::new("nightly").with_end(PipelineEnd::CaughtUp);
/// assert_eq!(options.name, "nightly");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PipelineOptions {
    /// The files that the pipeline writes begin with it: two pipelines that write into one folder
    /// need two names.
    pub name: String,
    /// When it ends by itself.
    pub end: PipelineEnd,
    /// Whether the statements may be others than those that the checkpoint was written for.
    pub accepts_changes: bool,
}

impl PipelineOptions {
    /// A pipeline of this name that runs until it is stopped.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_string(),
            end: PipelineEnd::Never,
            accepts_changes: false,
        }
    }

    /// It ends by itself.
    #[must_use]
    pub fn with_end(mut self, end: PipelineEnd) -> Self {
        self.end = end;
        self
    }

    /// It continues from a checkpoint of other statements.
    #[must_use]
    pub fn with_accepted_changes(mut self) -> Self {
        self.accepts_changes = true;
        self
    }
}
