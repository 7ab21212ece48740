//! What travels in the configuration of a session, because DataFusion hands a plan nothing else.
//!
//! | extension | set by | read by |
//! | --- | --- | --- |
//! | [`CurrentWindow`] | `planner/windows/execution` for a query, `pipeline/body` and `pipeline/run` for a pipeline's statements | `planner/windows/scan`, for the rows of the window; `planner/live_planner`, which then plans no window |
//! | [`AsRead`] | `planner/continuous`, where nothing uses the order of event time | `streams/scan`, when a live table is scanned |
//! | [`ReadsToEnd`] | `planner/continuous`, where a statement needs all rows of a table that ends | `streams/scan`, when a live table is scanned |
//! | [`StreamRegistry`](crate::streams::counters::StreamRegistry) | `session`, when the crate is installed | `streams/table`, for live tables of other crates |
//! | [`ScanRegistry`](crate::formats::log::counters::ScanRegistry) | `sources`, when the crate is installed | `sources/scan_notes`, for what reading has run into |
//! | [`ReadsStdin`] | `sources`, when standard input is registered | `sources/log_factory`, which otherwise refuses `/dev/stdin` |
//! | `datafusion_cli`'s `StdinCarriesCommands` | `shell/session` | `shell/execute`, which refuses to read the table `stdin` |
//!
//! A transaction of a store travels in the same way, as an extension that the store defines: see
//! `Transaction::enter` in `stores/store`.

use crate::algorithms::windows::Span;
use crate::streams::windows::row_store::WindowRows;

/// The window for which a statement is planned and runs.
#[derive(Debug)]
pub(crate) struct CurrentWindow {
    /// From the first start to the last end of its rows: nanoseconds since 1970, or numbers of
    /// rows.
    pub(crate) span: Span,
    /// `None` while a statement is planned before there is a window.
    pub(crate) rows: Option<WindowRows>,
}

impl CurrentWindow {
    /// The window that a statement is planned with before there is one.
    pub(crate) fn placeholder() -> Self {
        Self {
            span: Span { start: 0, end: 0 },
            rows: None,
        }
    }

    /// A window without rows, to check statements on.
    pub(crate) fn without_rows() -> Self {
        Self {
            rows: Some(WindowRows::in_memory(
                (0..usize::from(u16::MAX)).collect(),
                vec![],
            )),
            ..Self::placeholder()
        }
    }
}

/// A query takes the rows of live tables in any order.
#[derive(Debug)]
pub(crate) struct AsRead;

/// A statement needs all rows of live tables that end by themselves.
#[derive(Debug)]
pub(crate) struct ReadsToEnd;

/// Statements may read the standard input of the process.
#[derive(Debug)]
pub(crate) struct ReadsStdin;
