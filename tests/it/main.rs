//! All integration tests in one binary.

mod masking;
mod slt;
