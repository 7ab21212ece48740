//! Windows: which rows of a live table belong together, and when all of them are there.
//!
//! A `Watermark` says below which event time no row is expected any more. Windows close when it
//! passes their end: `HoppingWindows` lie on a grid and `Sessions` follow the rows of a key.
//! `CountWindows` know no time and close when they are full.
//!
//! All times are nanoseconds since 1970 in UTC, before it too. What would lie beyond the range of
//! `i64` counts as its end. Nothing here reads a clock: who calls says what time it is, so that the
//! same calls always give the same windows.
//!
//! The model is that of Akidau et al., "The Dataflow Model: A Practical Approach to Balancing
//! Correctness, Latency, and Cost in Massive-Scale, Unbounded, Out-of-Order Data Processing" (VLDB
//! 2015): windows are of event time, the watermark decides when they are complete. Where the paper
//! lets a late row fire its window again, here a window closes once, and what comes later is told
//! to be late.

pub(crate) mod counts;
pub(crate) mod hopping;
pub(crate) mod sessions;
pub(crate) mod watermark;

/// From `start` up to, but without, `end`: of times or of row numbers.
///
/// An end that would lie beyond `i64::MAX` is `i64::MAX`, and then that last instant belongs to the
/// span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Span {
    pub(crate) start: i64,
    pub(crate) end: i64,
}
