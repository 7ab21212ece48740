//! What reading log files has run into, in sentences: nothing becomes NULL without a word.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::Utc;
use datafusion::prelude::SessionContext;

use crate::formats::log::counters::{Problems, ScanRegistry, TableCounters};
use crate::formats::log::fitting_layout::layout_of;

/// Texts are quoted up to this many characters.
const MAX_QUOTED: usize = 60;

/// Tells what statements over log tables have run into, each time what is new.
///
/// ```
/// use datafusion_aiops::ScanNotes;
///
/// # #[tokio::main]
/// # async fn main() -> datafusion::error::Result<()> {
/// let context = datafusion_aiops::session()?;
/// let mut notes = ScanNotes::default();
/// context.sql("SELECT 1").await?.collect().await?;
/// assert!(notes.take(&context).is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
pub struct ScanNotes {
    told: HashMap<String, (usize, Problems)>,
}

impl ScanNotes {
    /// The sentences about what was read since the last call.
    pub fn take(&mut self, context: &SessionContext) -> Vec<String> {
        let Some(registry) = registry_of(context) else {
            return vec![];
        };
        let mut notes = vec![];
        for (name, counters) in registry.tables() {
            // A table that was made again begins at zero.
            let identity = Arc::as_ptr(&counters).addr();
            let all = counters.problems();
            let told = self.told.insert(name.clone(), (identity, all.clone()));
            let before = told.filter(|(told, _)| *told == identity);
            let new = match before {
                Some((_, before)) => all.since(&before),
                None => all,
            };
            notes.extend(sentences(&name, &new, &counters));
        }
        registry.forget_by_name();
        notes
    }

    /// What CREATE has found in the files of a table; `None` if it is not a log table.
    #[must_use]
    pub fn found_in(context: &SessionContext, table: &str) -> Option<String> {
        let tables = registry_of(context)?.tables();
        let (name, counters) = tables.into_iter().find(|(name, _)| name == table)?;
        let about = counters.about();
        (!about.is_empty()).then(|| format!("{name}: {about}"))
    }
}

fn registry_of(context: &SessionContext) -> Option<Arc<ScanRegistry>> {
    context.copied_config().get_extension::<ScanRegistry>()
}

fn sentences(table: &str, new: &Problems, counters: &TableCounters) -> Vec<String> {
    let n_events = new.events;
    let mut notes = vec![];
    if new.unread_times > 0 {
        let example = new.unread_time.as_deref().unwrap_or_default();
        let layout = match layout_of(example, Utc::now()) {
            Some(layout) => format!("OPTIONS (timestamp_format '{layout}')"),
            None => "say how it is written by OPTIONS (timestamp_format '…')".to_string(),
        };
        let is_not = match counters.has_layout() {
            true => "the timestamp_format does not fit",
            false => "is not ISO 8601",
        };
        let example = quoted(example);
        notes.push(format!(
            "{} of {n_events} events of {table} have no time: {example} {is_not}; {layout}",
            new.unread_times
        ));
    }
    if new.unmatched > 0 {
        let such = match &new.unmatched_text {
            Some(text) => format!(", such as {}", quoted(text)),
            None => String::new(),
        };
        notes.push(format!(
            "{} of {n_events} events of {table} have another shape{such}: the text is their message, and their other \
             columns are NULL",
            new.unmatched
        ));
    }
    let n_others = new.uncast.saturating_sub(new.unread_times);
    if n_others > 0 {
        notes.push(format!(
            "{n_others} values of {table} do not fit the type of their column and are NULL: declare the column as TEXT \
             to see them"
        ));
    }
    if new.invalid_utf8 > 0 {
        notes.push(format!(
            "{} of {n_events} events of {table} are not UTF-8: OPTIONS (encoding 'gbk'), 'latin1' or another says what \
             they are",
            new.invalid_utf8
        ));
    }
    if new.truncated > 0 {
        notes.push(format!(
            "{} of {n_events} events of {table} are longer than OPTIONS (max_event_bytes '…') and were cut there",
            new.truncated
        ));
    }
    let of_files = new.of_files.iter();
    notes.extend(of_files.map(|problem| format!("{table}: {problem}")));
    if new.events == 1 && new.lines > 1 && counters.has_rule() {
        notes.push(format!(
            "all {} lines of {table} are one event: the multiline rule of the table finds no other start",
            new.lines
        ));
    }
    notes
}

fn quoted(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let mut short: String = line.chars().take(MAX_QUOTED).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    format!("'{short}'")
}
