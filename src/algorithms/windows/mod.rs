//! Windows: which rows of a live table belong together, and when all of them have arrived.
//!
//! A `Watermark` is the event time below which no more rows are expected. Windows close when it
//! passes their end: `HoppingWindows` lie on a grid and `Sessions` follow the rows of a key.
//! `CountWindows` ignore time and close when they are full.
//!
//! All times are nanoseconds since 1970 in UTC, negative before that. Times beyond the range of
//! `i64` are clamped to its limits. Nothing here reads a clock: the caller passes the current time,
//! so that the same calls always give the same windows.
//!
//! The model is that of Akidau et al., "The Dataflow Model: A Practical Approach to Balancing
//! Correctness, Latency, and Cost in Massive-Scale, Unbounded, Out-of-Order Data Processing" (VLDB
//! 2015): windows are of event time, and the watermark decides when they are complete. In the paper
//! a late row can fire its window again; here a window closes once, and rows that come afterwards
//! are reported as late.

pub(crate) mod counts;
pub(crate) mod hopping;
pub(crate) mod sessions;
pub(crate) mod watermark;

/// The range from `start` up to, but not including, `end`, of times or of row numbers.
///
/// An end beyond `i64::MAX` is `i64::MAX`, and then that last instant belongs to the span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Span {
    pub(crate) start: i64,
    pub(crate) end: i64,
}
