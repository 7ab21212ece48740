//! All integration tests in one binary.

mod masking;
mod shell;
mod slt;
