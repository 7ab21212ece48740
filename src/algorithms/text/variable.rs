//! A variable of a line.

use crate::algorithms::text::kind::VariableKind;

/// A variable part of a line: the bytes from `start` to `end`, and what they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// Position of the first byte in the line.
    pub start: usize,
    /// Position after the last byte.
    pub end: usize,
    /// What it is.
    pub kind: VariableKind,
}
