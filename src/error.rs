//! The crate's own error: what an algorithm says when its parameters or its input cannot be used.
//!
//! It is opaque, so that a new cause is no breaking change. At the SQL edge it becomes a plan-time or execution error.

use std::fmt;

/// Why an algorithm refused its parameters or its input; the text is a sentence for the person who wrote the query.
///
/// ```
/// let error = datafusion_aiops::Error::new("max_len needs at least 1, got 0");
/// assert_eq!(error.to_string(), "max_len needs at least 1, got 0");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    message: String,
}

/// What the algorithms return.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error with this sentence, without a final full stop.
    ///
    /// ```
    /// assert_eq!(datafusion_aiops::Error::new("too short").to_string(), "too short");
    /// ```
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
