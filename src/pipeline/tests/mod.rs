//! Pipelines that are stopped by force at any write, and go on: what they leave is what they leave
//! undisturbed. And what they may write.

mod exactly_once;
mod failing_store;
mod targets;
