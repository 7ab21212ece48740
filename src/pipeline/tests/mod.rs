//! Pipelines that are stopped by force at any write, and go on: what they leave is what they leave undisturbed.

mod exactly_once;
mod failing_store;
