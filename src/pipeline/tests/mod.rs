//! Pipelines that are killed at any write and continue leave what they leave undisturbed. Also:
//! which tables they may write.

mod exactly_once;
mod failing_store;
mod targets;
