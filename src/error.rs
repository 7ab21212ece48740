//! The crate's own error, which an algorithm returns if its parameters or its input cannot be used.
//!
//! It is opaque except for its kind, so that a new cause is not a breaking change.

use std::fmt;

/// Why an algorithm refused its parameters or its input; the text is a sentence for the author of
/// the query.
///
/// ```
/// use datafusion_aiops::ErrorKind;
/// use datafusion_aiops::algorithms::text::{MaskOptions, Masker};
///
/// let mut options = MaskOptions::default();
/// options.max_len = Some(0);
/// let error = Masker::new(&options).unwrap_err();
/// assert_eq!(error.to_string(), "max_len needs at least 1, got 0");
/// assert_eq!(error.kind(), ErrorKind::InvalidOption);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

/// What an [`Error`] is about.
///
/// ```
/// use datafusion_aiops::ErrorKind;
/// use datafusion_aiops::algorithms::cluster::Vectors;
///
/// let error = Vectors::new(2).push(&[1.0]).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::InvalidInput);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An option is wrong or does not go with another: the call must be changed. In SQL, this is
    /// reported when the query is planned.
    InvalidOption,
    /// The data cannot be used. In SQL, this is reported when the query runs.
    InvalidInput,
}

/// The result of an algorithm.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error about an option; the message is a sentence without a full stop at the end.
    pub(crate) fn invalid_option(message: impl Into<String>) -> Self {
        Self {
            kind: ErrorKind::InvalidOption,
            message: message.into(),
        }
    }

    /// An error about the data; the message is a sentence without a full stop at the end.
    pub(crate) fn invalid_input(message: impl Into<String>) -> Self {
        Self {
            kind: ErrorKind::InvalidInput,
            message: message.into(),
        }
    }

    /// Returns what the error is about.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
