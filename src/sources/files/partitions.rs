//! How the partitions of followed logs are numbered, and how much of a file is read at first.

/// Followed files have even partition numbers, compressed files odd ones.
pub(super) const PARTITION_STRIDE: u64 = 2;

/// The bytes of the first read of a file, which only shows where in time it is.
pub(super) const FIRST_BYTES: usize = 64 << 10;
