//! A variable of a line.

use crate::algorithms::text::kind::VariableKind;

/// A variable part of a line: its bytes, from `start` to `end`, and its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// The position of its first byte in the line.
    pub start: usize,
    /// The position after its last byte.
    pub end: usize,
    /// What kind of value it is.
    pub kind: VariableKind,
}
