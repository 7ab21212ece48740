//! What reading a log table has encountered: one set of cumulative counters per table, and the same
//! counters as metrics of a scan.
//!
//! They count only what queries looked at. A query that stops at its LIMIT counts what it read
//! until then. A query that needs no text (`count(*)`) finds neither invalid UTF-8 nor unmatched
//! events, since it does not look for them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder};

use crate::formats::log::event_splitter::CutCounts;

/// The names of the counters, in the order in which they are shown.
pub(crate) const COUNTER_NAMES: [&str; 7] = [
    "events",
    "bytes",
    "blank",
    "invalid_utf8",
    "unmatched",
    "uncast",
    "truncated",
];

/// The most counters of files named in statements that are kept if nobody asks for them.
const MAX_KEPT: usize = 64;
/// More files that could not be read are not named.
const MAX_PROBLEMS_OF_FILES: usize = 20;

/// What a reader counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct EventCounts {
    /// Events, bytes, blank lines and truncated events.
    pub(crate) cut: CutCounts,
    /// Events that contain invalid UTF-8.
    pub(crate) invalid_utf8: u64,
    /// Events that the pattern does not match, or lines that are not a JSON object.
    pub(crate) unmatched: u64,
    /// Values that do not fit the type of their column and became NULL.
    pub(crate) uncast: u64,
    /// Those of them that should be times, and one of them.
    pub(crate) unread_times: u64,
    pub(crate) unread_time: Option<String>,
    /// One of the events that nothing matches.
    pub(crate) unmatched_text: Option<String>,
}

/// What people are told of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Problems {
    pub(crate) events: u64,
    pub(crate) lines: u64,
    pub(crate) unmatched: u64,
    pub(crate) uncast: u64,
    pub(crate) unread_times: u64,
    pub(crate) unread_time: Option<String>,
    pub(crate) unmatched_text: Option<String>,
    pub(crate) truncated: u64,
    pub(crate) invalid_utf8: u64,
    /// What could not be read of files, as sentences.
    pub(crate) of_files: Vec<String>,
}

impl Problems {
    /// Those since an earlier moment.
    pub(crate) fn since(&self, before: &Self) -> Self {
        Self {
            events: self.events - before.events,
            lines: self.lines - before.lines,
            unmatched: self.unmatched - before.unmatched,
            uncast: self.uncast - before.uncast,
            unread_times: self.unread_times - before.unread_times,
            truncated: self.truncated - before.truncated,
            invalid_utf8: self.invalid_utf8 - before.invalid_utf8,
            of_files: self.of_files[before.of_files.len().min(self.of_files.len())..].to_vec(),
            ..self.clone()
        }
    }

    fn add(&mut self, counts: &EventCounts) {
        self.events += counts.cut.events;
        self.lines += counts.cut.lines;
        self.unmatched += counts.unmatched;
        self.uncast += counts.uncast;
        self.unread_times += counts.unread_times;
        self.truncated += counts.cut.truncated;
        self.invalid_utf8 += counts.invalid_utf8;
        if self.unread_time.is_none() {
            self.unread_time.clone_from(&counts.unread_time);
        }
        if self.unmatched_text.is_none() {
            self.unmatched_text.clone_from(&counts.unmatched_text);
        }
    }
}

impl EventCounts {
    /// Counts an event that nothing matches.
    pub(crate) fn add_unmatched(&mut self, text: &str) {
        self.unmatched += 1;
        if self.unmatched_text.is_none() {
            self.unmatched_text = Some(text.to_string());
        }
    }

    /// Counts texts that are no times, with one of them as an example.
    pub(crate) fn add_unread_times<'a>(
        &mut self,
        n_times: usize,
        example: impl FnOnce() -> Option<&'a str>,
    ) {
        if n_times == 0 {
            return;
        }
        self.uncast += n_times as u64;
        self.unread_times += n_times as u64;
        if self.unread_time.is_none() {
            self.unread_time = example().map(str::to_string);
        }
    }

    fn in_order(&self) -> [u64; 7] {
        let CutCounts {
            events,
            bytes,
            blank,
            truncated,
            lines: _,
        } = self.cut;
        [
            events,
            bytes,
            blank,
            self.invalid_utf8,
            self.unmatched,
            self.uncast,
            truncated,
        ]
    }
}

/// The counters of one table since its CREATE.
#[derive(Debug, Default)]
pub(crate) struct TableCounters {
    scans: AtomicU64,
    counts: [AtomicU64; 7],
    problems: Mutex<Problems>,
    /// Whether the options say how times are written, and which lines start an event.
    has_layout: AtomicBool,
    has_rule: AtomicBool,
    about: OnceLock<String>,
}

impl TableCounters {
    /// Counts one more scan.
    pub(crate) fn add_scan(&self) {
        self.scans.fetch_add(1, Ordering::Relaxed);
    }

    /// Adds what a reader counted.
    pub(crate) fn add(&self, counts: &EventCounts) {
        for (counter, value) in self.counts.iter().zip(counts.in_order()) {
            counter.fetch_add(value, Ordering::Relaxed);
        }
        let problems = self.problems.lock();
        problems.unwrap_or_else(PoisonError::into_inner).add(counts);
    }

    /// Notes what could not be read of a file.
    pub(crate) fn add_problem(&self, problem: String) {
        let problems = self.problems.lock();
        let mut problems = problems.unwrap_or_else(PoisonError::into_inner);
        if problems.of_files.len() < MAX_PROBLEMS_OF_FILES && !problems.of_files.contains(&problem)
        {
            problems.of_files.push(problem);
        }
    }

    /// What people are told of the table.
    pub(crate) fn problems(&self) -> Problems {
        let problems = self.problems.lock();
        problems.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the options say how times are written, and which lines start an event.
    pub(crate) fn set_rules(&self, has_layout: bool, has_rule: bool) {
        self.has_layout.store(has_layout, Ordering::Relaxed);
        self.has_rule.store(has_rule, Ordering::Relaxed);
    }

    pub(crate) fn has_layout(&self) -> bool {
        self.has_layout.load(Ordering::Relaxed)
    }

    pub(crate) fn has_rule(&self) -> bool {
        self.has_rule.load(Ordering::Relaxed)
    }

    /// What people want to know of the table when it is made.
    pub(crate) fn set_about(&self, about: String) {
        // It is made once.
        let _ = self.about.set(about);
    }

    pub(crate) fn about(&self) -> &str {
        self.about.get().map_or("", String::as_str)
    }

    /// Adds what a scan counted elsewhere, by the names of the counters.
    #[cfg(feature = "distributed")]
    pub(crate) fn add_named(&self, count: impl Fn(&str) -> u64) {
        self.add_scan();
        for (counter, name) in self.counts.iter().zip(COUNTER_NAMES) {
            counter.fetch_add(count(name), Ordering::Relaxed);
        }
    }

    /// Scans, then the values of [`COUNTER_NAMES`].
    pub(crate) fn values(&self) -> Vec<u64> {
        let counts = self
            .counts
            .iter()
            .map(|counter| counter.load(Ordering::Relaxed));
        std::iter::once(self.scans.load(Ordering::Relaxed))
            .chain(counts)
            .collect()
    }
}

/// Where one partition of one scan counts: in the metrics of the scan and in the counters of the
/// table.
#[derive(Debug, Clone)]
pub(crate) struct ScanCounters {
    table: Arc<TableCounters>,
    metrics: [Count; 7],
}

impl ScanCounters {
    /// Counters for a partition of a scan.
    pub(crate) fn new(
        table: &Arc<TableCounters>,
        metrics: &ExecutionPlanMetricsSet,
        partition: usize,
    ) -> Self {
        let metrics =
            COUNTER_NAMES.map(|name| MetricBuilder::new(metrics).counter(name, partition));
        Self {
            table: Arc::clone(table),
            metrics,
        }
    }

    /// Notes what could not be read of a file.
    pub(crate) fn add_problem(&self, problem: String) {
        self.table.add_problem(problem);
    }

    /// Adds the counts to both.
    pub(crate) fn add(&self, counts: &EventCounts) {
        self.table.add(counts);
        for (metric, value) in self.metrics.iter().zip(counts.in_order()) {
            metric.add(usize::try_from(value).unwrap_or(usize::MAX));
        }
    }
}

/// The counters of all log tables of a session. A table that is dropped takes its counters with it.
#[derive(Debug, Default)]
pub(crate) struct ScanRegistry {
    tables: Mutex<BTreeMap<String, Weak<TableCounters>>>,
    /// The counters of files that a statement names: their tables live as long as it does.
    by_name: Mutex<Vec<Arc<TableCounters>>>,
}

impl ScanRegistry {
    /// Creates counters, at zero, for a table; they replace those of an earlier table of the same
    /// name.
    pub(crate) fn add_table(&self, table_name: String) -> Arc<TableCounters> {
        let counters = Arc::new(TableCounters::default());
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        tables.retain(|_, counters| counters.strong_count() > 0);
        tables.insert(table_name, Arc::downgrade(&counters));
        counters
    }

    /// Keeps the counters of a table whose name is that of its files, until
    /// [`ScanRegistry::forget_by_name`].
    pub(crate) fn keep_by_name(&self, table_name: &str) {
        let tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let counters = tables.get(table_name).and_then(Weak::upgrade);
        drop(tables);
        let mut kept = self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < MAX_KEPT {
            kept.extend(counters);
        }
    }

    /// Lets go of the counters of files that statements have named.
    pub(crate) fn forget_by_name(&self) {
        let kept = self.by_name.lock();
        kept.unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The tables by name, with their counters.
    pub(crate) fn tables(&self) -> Vec<(String, Arc<TableCounters>)> {
        let tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let alive = |(name, counters): (&String, &Weak<TableCounters>)| {
            Some((name.clone(), counters.upgrade()?))
        };
        tables.iter().filter_map(alive).collect()
    }
}
