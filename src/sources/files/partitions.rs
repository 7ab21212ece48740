//! How the partitions of followed logs are numbered, and how much is read of a file at first.

/// Followed files have even partitions, compressed ones odd ones.
pub(super) const PARTITION_STRIDE: u64 = 2;

/// The first look into a file only tells where in time it is.
pub(super) const FIRST_BYTES: usize = 64 << 10;
