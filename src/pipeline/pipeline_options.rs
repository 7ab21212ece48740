//! How a pipeline runs.

/// When a pipeline that reads live tables ends by itself. One that reads an archive ends with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PipelineEnd {
    /// The pipeline runs until it is stopped.
    #[default]
    Never,
    /// When everything that exists has been read and the complete windows have run. Open windows
    /// are left to the next run, so that no row is late for it.
    CaughtUp,
    /// When nothing was written for the table's `idle_timeout`. Open windows run too, except for a
    /// count window that is not full.
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
    /// The prefix of the files that the pipeline writes. Two pipelines that write into one folder
    /// need different names.
    pub name: String,
    /// When the pipeline ends by itself.
    pub end: PipelineEnd,
    /// Whether the statements may differ from those that the checkpoint was written for.
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

    /// Ends the pipeline by itself.
    #[must_use]
    pub fn with_end(mut self, end: PipelineEnd) -> Self {
        self.end = end;
        self
    }

    /// Continues from a checkpoint of other statements.
    #[must_use]
    pub fn with_accepted_changes(mut self) -> Self {
        self.accepts_changes = true;
        self
    }
}
