//! What the line editor asks while the user types: whether the entry is complete, what could
//! follow, and the colours.

use std::borrow::Cow;
use std::collections::BTreeSet;

use datafusion::execution::FunctionRegistry;
use datafusion::prelude::SessionContext;
use datafusion_aiops::Statements;
use datafusion_cli::helper::CliHelper;
use rustyline::completion::{Completer, Pair};
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper};

use crate::shell::commands::command_of;

/// datafusion-cli's helper (colours, hint, file names in LOCATION), extended by the names of
/// functions and tables and by this shell's notion of a complete entry.
pub(crate) struct PromptHelper {
    cli: CliHelper,
    context: SessionContext,
}

impl PromptHelper {
    pub(crate) fn new(context: SessionContext, color: bool) -> Self {
        let dialect = context.copied_config().options().sql_parser.dialect;
        Self {
            cli: CliHelper::new(&dialect, color),
            context,
        }
    }
}

impl Helper for PromptHelper {}

impl Validator for PromptHelper {
    /// An entry is complete after a `;` that ends a statement. Errors in a statement are reported
    /// when it runs.
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let entry = context.input().trim();
        let dialect = self.context.copied_config().options().sql_parser.dialect;
        self.cli.reset_hint();
        Ok(
            if command_of(entry).is_some() || Statements::is_complete(entry, dialect) {
                ValidationResult::Valid(None)
            } else {
                ValidationResult::Incomplete
            },
        )
    }
}

impl Completer for PromptHelper {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        position: usize,
        context: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let files = self.cli.complete(line, position, context)?;
        if !files.1.is_empty() {
            return Ok(files);
        }
        let start = word_start(&line[..position]);
        let word = line[start..position].to_lowercase();
        if word.is_empty() {
            return Ok((position, vec![]));
        }
        let names = names(&self.context);
        let candidates = names.into_iter().filter(|name| name.starts_with(&word));
        let pairs = candidates.map(|name| Pair {
            display: name.clone(),
            replacement: name,
        });
        Ok((start, pairs.collect()))
    }
}

/// Where the name that ends the text begins.
fn word_start(text: &str) -> usize {
    text.trim_end_matches(|character: char| character.is_alphanumeric() || character == '_')
        .len()
}

/// The functions, with an opening parenthesis, and the tables of the session.
fn names(context: &SessionContext) -> BTreeSet<String> {
    let functions = [context.udfs(), context.udafs(), context.udwfs()];
    let mut names: BTreeSet<String> = functions
        .into_iter()
        .flatten()
        .map(|name| format!("{name}("))
        .collect();
    let state = context.state();
    names.extend(
        state
            .table_functions()
            .keys()
            .map(|name| format!("{name}(")),
    );
    let catalogs = state.catalog_list();
    for catalog in catalogs.catalog_names() {
        let Some(catalog) = catalogs.catalog(&catalog) else {
            continue;
        };
        for schema in catalog.schema_names() {
            names.extend(
                catalog
                    .schema(&schema)
                    .map(|schema| schema.table_names())
                    .into_iter()
                    .flatten(),
            );
        }
    }
    names
}

impl Hinter for PromptHelper {
    type Hint = String;

    fn hint(&self, line: &str, position: usize, context: &Context<'_>) -> Option<String> {
        self.cli.hint(line, position, context)
    }
}

impl Highlighter for PromptHelper {
    fn highlight<'l>(&self, line: &'l str, position: usize) -> Cow<'l, str> {
        self.cli.highlight(line, position)
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        self.cli.highlight_hint(hint)
    }

    fn highlight_char(&self, line: &str, position: usize, kind: CmdKind) -> bool {
        self.cli.highlight_char(line, position, kind)
    }
}

#[cfg(test)]
mod tests {
    use super::{names, word_start};
    use datafusion::prelude::SessionContext;

    #[test]
    fn words_begin_behind_what_is_no_name() {
        for (text, expected) in [
            ("", 0),
            ("sel", 0),
            ("SELECT log_t", 7),
            ("f(x", 2),
            ("é é", 3),
            ("a ", 2),
        ] {
            assert_eq!(word_start(text), expected, "{text}");
        }
    }

    #[tokio::test]
    async fn functions_and_tables_are_offered() {
        let context = SessionContext::new();
        context
            .sql("CREATE TABLE incidents AS SELECT 1")
            .await
            .unwrap();
        let names = names(&context);
        for name in ["lower(", "count(", "row_number(", "range(", "incidents"] {
            assert!(names.contains(name), "{name}");
        }
    }
}
