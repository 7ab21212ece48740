//! AIOps as SQL, on Apache DataFusion: log lines become templates with stable ids, templates become
//! clusters by meaning, log files become tables.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> datafusion::error::Result<()> {
//! let context = datafusion_aiops::session()?;
//! let query = "SELECT log_template('session opened for user alice after 12ms') AS template";
//! let batches = context.sql(query).await?.collect().await?;
//! let table = datafusion::arrow::util::pretty::pretty_format_batches(&batches)?.to_string();
//! assert!(table.contains("session opened for user <*> after <*>"));
//! # Ok(())
//! # }
//! ```
//!
//! | you have | you call |
//! | --- | --- |
//! | any registry of functions | [`register_all`] |
//! | nothing yet | [`session`] |
//! | a `SessionContext` | [`install`] |
//! | a statement as text | [`aiops_sql`] |
//! | a text of several statements | [`Statements`], [`SplitStatement::parse`], [`check_plan`] |
//! | a data frame | [`expr_fn`] |
//! | statements that run on every window | [`Pipeline`], or [`PipelineScript`] |
//! | rows that keep coming from elsewhere | [`source::LiveSource`] |
//! | a database of your own | [`store::Store`], [`store::MutableTable`] |
//! | somewhere else to write windows to | [`sink::WindowSink`] |
//! | several machines | `distributed::connect`, with the feature of that name |
//! | log lines and no SQL | [`algorithms::text`] |
//! | texts or vectors and no SQL | [`algorithms::features`], [`algorithms::cluster`] |
//!
//! # Features
//!
//! `shell` (default) builds the program `datafusion-aiops` on datafusion-cli. Programs that embed
//! the crate disable it with `default-features = false`.
//!
//! `sqlite` (default) adds `STORED AS SQLITE`, with a bundled SQLite.
//!
//! `distributed` runs statements over archives on several machines, and adds the module
//! `distributed`.
//!
//! # Functions
//!
//! | layer | functions |
//! | --- | --- |
//! | a line | `log_template`, `template_hash`, `log_parse`, `template_match`, `template_regex`, `log_tokens` |
//! | many lines | `log_mine`, `log_match`, `log_templates` |
//! | texts | `tfidf_fit`, `tfidf_vec`, `tfidf_terms` |
//! | clusters | `cluster_fit`, `cluster_assign`, `cluster_keywords` |
//! | series | `ts_anomaly` (with OVER and without), `ts_changepoints`, `ts_periods`, `ts_decompose`, `ts_fill`, `ts_rate` |
//! | the future | `ts_forecast`, `ts_capacity`, `ts_reaches` |
//! | windows, in a FROM | `tumble`, `hop`, `session`, `count_window` |
//! | what was read, in a FROM | `aiops_scans`, `aiops_streams`, `aiops_late` |
//!
//! `SHOW FUNCTIONS LIKE 'ts_%'` describes each function with its options and an example. The
//! structure of the crate is described in `src/ARCHITECTURE.md`.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod algorithms;
#[cfg(feature = "distributed")]
mod codec;
#[cfg(feature = "distributed")]
pub mod distributed;
mod error;
mod formats;
mod functions;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod leaf_plan;
mod pipeline;
mod planner;
mod session;
mod sinks;
mod sources;
mod sql;
mod stores;
mod streams;
mod time;

pub use error::{Error, ErrorKind, Result};
pub use functions::{expr_fn, register_all};
pub use pipeline::body::StatementOutcome;
pub use pipeline::pipeline_options::{PipelineEnd, PipelineOptions};
pub use pipeline::run::{Pipeline, PipelineStopper, WindowReport};
pub use pipeline::script::PipelineScript;
pub use planner::live_planner::check_plan;
pub use planner::statements::{SplitStatement, Statements};
pub use planner::windows::execution::is_per_window;
pub use session::{install, session};
pub use sources::files_by_name::register_files_by_name;
pub use sources::register_stdin;
pub use sources::scan_notes::ScanNotes;
pub use sql::aiops_sql;

/// Live sources, for those who implement one: rows that keep coming, with positions that can be
/// written down.
pub mod source {
    pub use crate::streams::clock::Clock;
    pub use crate::streams::source::{
        LiveSource, PartitionNews, Polled, PositionsBody, PositionsKind, ReadRows, SourceReader,
    };
    pub use crate::streams::table::{live_table, set_clock};
}

/// Stores, for those who implement one: tables whose rows can be changed, in one transaction for a
/// whole window.
pub mod store {
    pub use crate::stores::mutable::{MutableTable, ROW, RowAction, RowChanges};
    pub use crate::stores::store::{DoneWindows, Store, Transaction};
    pub use crate::stores::target_table::TargetTable;
    pub use crate::stores::write_exec::{RowWriter, write_plan};
}

/// Sinks, for those who implement one: what a pipeline writes its windows to.
pub mod sink {
    pub use crate::sinks::sink::WindowSink;
}

/// Compiles the Rust blocks of a document.
#[cfg(all(doctest, feature = "distributed"))]
#[doc = include_str!("../docs/cluster.md")]
struct ClusterDocument;

/// Runs the Rust blocks of the README as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
