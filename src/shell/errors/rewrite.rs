//! Texts of DataFusion that a reader cannot use, and what to say instead.

use std::path::Path;

use datafusion::common::utils::datafusion_strsim::levenshtein;

use crate::shell::errors::explanation::Explanation;

/// The longest text that is printed, in characters: about eight lines of a terminal.
const LONGEST_TEXT: usize = 600;

/// Stands for the rest of a text.
const ELLIPSIS: &str = " ...";

/// The longest quoted value that is printed, in characters.
const LONGEST_VALUE: usize = 60;

/// The most ways to call a function that a hint lists.
const LISTED_SIGNATURES: usize = 8;

/// The explanation for a text of DataFusion: a known text is replaced, any other is tidied.
pub(crate) fn rewrite(text: &str) -> Explanation {
    let known = [
        invalid_function,
        wrong_arguments,
        missing_table,
        missing_files,
        missing_format,
        no_writer,
        quoted_value,
        unknown_setting,
        endless,
        exhausted,
    ];
    known
        .iter()
        .find_map(|rule| rule(text))
        .unwrap_or_else(|| Explanation::new(tidy(text)))
}

/// A text without the names of error kinds before it, the backtrace after it, the request to report
/// a bug, and line breaks.
pub(crate) fn tidy(text: &str) -> String {
    const KINDS: [&str; 8] = [
        "Error during planning: ",
        "Execution error: ",
        "Internal error: ",
        "Arrow error: ",
        "External error: ",
        "External: ",
        "Schema error: ",
        "Invalid or Unsupported Configuration: ",
    ];
    let text = before(text, "\n\nbacktrace: ");
    // DataFusion adds a full stop before it blames itself.
    let mut text = [
        "This issue was likely caused by",
        "This was likely caused by",
    ]
    .iter()
    .find_map(|blame| text.split_once(blame))
    .map_or(text, |(text, _)| text.trim_end().trim_end_matches('.'))
    .trim();
    while let Some(rest) = KINDS.iter().find_map(|kind| text.strip_prefix(kind)) {
        text = rest.trim();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Shortens a text to a readable length, cut after a word. A text that seems to contain a dump of
/// data structures is cut before the dump.
pub(crate) fn shorten(text: &str) -> String {
    let dump = text.find(" { ").filter(|_| text.matches(" { ").count() > 2);
    let text = match dump {
        Some(start) => &text[..start],
        None => text,
    };
    if dump.is_none() && text.chars().count() <= LONGEST_TEXT {
        return text.to_string();
    }
    // Shortening a text twice changes nothing more.
    let longest = LONGEST_TEXT - ELLIPSIS.len();
    let kept: String = text.chars().take(longest).collect();
    let end = kept.rfind(' ').filter(|_| kept.len() < text.len());
    format!("{}{ELLIPSIS}", kept[..end.unwrap_or(kept.len())].trim_end())
}

fn before<'a>(text: &'a str, mark: &str) -> &'a str {
    text.split(mark).next().unwrap_or(text)
}

/// The text between two marks.
fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    Some(rest.split_once(end)?.0)
}

fn invalid_function(text: &str) -> Option<Explanation> {
    let name = between(text, "Invalid function '", "'")?;
    // The family of a name is the part before its first underscore: log_, ts_, array_.
    let family: String = match name.split_once('_') {
        Some((family, _)) => family.to_string(),
        None => name.chars().take(3).collect(),
    };
    let hint = format!("SHOW FUNCTIONS LIKE '{family}%' lists functions with such a name");
    // DataFusion suggests the nearest function even if it is far away, and an arbitrary one of
    // several.
    let is_near = between(text, "Did you mean '", "'")
        .is_some_and(|other| levenshtein(name, other) <= 1 + name.len() / 4);
    let told = if is_near {
        tidy(text)
    } else {
        format!("Invalid function '{name}'")
    };
    Some(Explanation::new(told).hint(hint))
}

fn wrong_arguments(text: &str) -> Option<Explanation> {
    let call = between(text, "given name and argument types '", "'.")?;
    let name = call.split('(').next()?;
    if let Some((_, reason)) = text.split_once("user-defined coercion failed with: ") {
        // The function's own error message.
        let reason = before(reason, " No function matches the given name").trim();
        return Some(Explanation::new(tidy(reason.trim_end_matches('.'))));
    }
    let mut told = format!("{name} cannot be called as {call}");
    if let Some(reason) = between(
        text,
        &format!("Function '{name}' "),
        ". No function matches",
    ) && !reason.contains("failed to match any signature")
    {
        told = format!("{told}: {}", tidy(reason));
    }
    let explanation = Explanation::new(told);
    let signatures: Vec<&str> = text
        .split_once("Candidate functions:")
        .map(|(_, list)| list.lines().map(str::trim).filter(|line| !line.is_empty()))?
        .take(LISTED_SIGNATURES)
        .collect();
    Some(match signatures.split_last() {
        Some((last, [])) => explanation.hint(format!("it is called as {last}")),
        Some((last, rest)) => {
            explanation.hint(format!("it is called as {} or {last}", rest.join(", ")))
        }
        None => explanation,
    })
}

fn missing_table(text: &str) -> Option<Explanation> {
    let full = tidy(text);
    let name = full.strip_prefix("table '")?.strip_suffix("' not found")?;
    let name = name.strip_prefix("datafusion.").unwrap_or(name);
    let name = name.strip_prefix("public.").unwrap_or(name);
    let path = Path::new(name);
    let extension = path.extension().and_then(|extension| extension.to_str());
    if path.exists() {
        let (what, end) = if path.is_dir() {
            ("folder", "/")
        } else {
            ("file", "")
        };
        let quoted = format!("'{}{end}'", name.trim_end_matches('/'));
        return Some(
            Explanation::new(format!("table '{name}' not found"))
                .hint(format!("a {what} is named in quotes: FROM {quoted}")),
        );
    }
    if name == "stdin" {
        let text = "standard input brings the statements here, so it is no table";
        return Some(
            Explanation::new(text)
                .hint("give the statements with -c or -f, and the lines by the pipe"),
        );
    }
    let is_file = name.contains('/') || extension.is_some();
    Some(if is_file {
        let folder = std::env::current_dir().unwrap_or_default();
        Explanation::new(format!("there is no table and no file '{name}'")).hint(format!(
            "a file is named in quotes, FROM 'logs.parquet', and looked for from {}",
            folder.display()
        ))
    } else {
        Explanation::new(format!("table '{name}' not found")).hint(
            "SHOW TABLES lists the tables; a file is named in quotes, FROM 'logs.parquet', or made a table by CREATE EXTERNAL TABLE",
        )
    })
}

fn missing_files(text: &str) -> Option<Explanation> {
    let location = between(text, "No files found at ", ". Cannot infer schema")?;
    let location = location.strip_prefix("file://").unwrap_or(location);
    Some(
        Explanation::new(format!("there is no file at {location}")).hint(
            "to create the table before its files, name its columns: CREATE EXTERNAL TABLE t (ts TIMESTAMP, message TEXT) ...",
        ),
    )
}

/// The formats that STORED AS takes.
const FORMATS: &str = if cfg!(feature = "sqlite") {
    "STORED AS takes PARQUET, CSV, JSON, ARROW, AVRO, LOG or SQLITE"
} else {
    "STORED AS takes PARQUET, CSV, JSON, ARROW, AVRO or LOG"
};

fn missing_format(text: &str) -> Option<Explanation> {
    let (_, format) = text.split_once("Unable to find factory for ")?;
    Some(Explanation::new(format!("there is no table format {}", tidy(format))).hint(FORMATS))
}

/// COPY in a format that cannot be written.
fn no_writer(text: &str) -> Option<Explanation> {
    let (_, format) = text.split_once("There is no registered file format with ext ")?;
    let format = tidy(format).to_ascii_uppercase();
    Some(if format == "LOG" {
        Explanation::new("LOG is a format for reading; write PARQUET, CSV or JSON")
    } else {
        Explanation::new(format!("there is no format {format} to write"))
            .hint("COPY writes PARQUET, CSV, JSON or ARROW: name one after STORED AS")
    })
}

/// A value that could not be converted, which may be a whole log line.
fn quoted_value(text: &str) -> Option<Explanation> {
    const AROUND: [(&str, &str); 2] = [
        ("Cannot cast string '", "' to value of "),
        ("Error parsing timestamp from '", "': "),
    ];
    let text = tidy(text);
    AROUND.iter().find_map(|(start, end)| {
        let (before, rest) = text.split_once(start)?;
        let (value, after) = rest.rsplit_once(end)?;
        if value.chars().count() <= LONGEST_VALUE {
            return None;
        }
        let value: String = value.chars().take(LONGEST_VALUE).collect();
        Some(Explanation::new(format!(
            "{before}{start}{value}...{end}{after}"
        )))
    })
}

fn unknown_setting(text: &str) -> Option<Explanation> {
    let is_setting = text.contains("Config value \"") && text.contains("not found on");
    let hint = if text.contains("Options\"") || text.ends_with("Options") {
        "OPTIONS of COPY are mode ('overwrite', 'overwrite_partitions', 'append') and those of the format, such as compression 'zstd'"
    } else {
        "SHOW ALL lists the settings"
    };
    is_setting.then(|| Explanation::new(tidy(text)).hint(hint))
}

/// A query over a live table whose result would come only when the table ends.
fn endless(text: &str) -> Option<Explanation> {
    let is_shell = text.contains("only when its live table ends");
    let operator = match text.split_once("Cannot execute pipeline breaking queries, operator: ") {
        Some((_, plan)) => plan.split([' ', '{', '(']).next().unwrap_or_default(),
        None if is_shell || text.contains("can generate a valid result only once") => "",
        None => return None,
    };
    let reason = match operator {
        "SortExec" | "SortPreservingMergeExec" => "it sorts all rows",
        "WindowAggExec" | "BoundedWindowAggExec" => "it looks at all rows of a partition",
        operator if operator.contains("Aggregate") => "it aggregates all rows",
        operator if operator.contains("Join") => "it joins all rows",
        _ => "it needs all rows",
    };
    Some(
        Explanation::new(format!(
            "the query has a result only when its live table ends, which it never does: {reason}"
        ))
        .hint("leave UNBOUNDED out of CREATE EXTERNAL TABLE to ask about what is there now"),
    )
}

fn exhausted(text: &str) -> Option<Explanation> {
    if text.contains("used disk space during the spilling process") {
        return Some(
            Explanation::new("the disk space for spilling is used up")
                .hint("-d allows more, for example -d 200g"),
        );
    }
    let (_, failed) = text.split_once("Failed to allocate additional ")?;
    let (wanted, rest) = failed.split_once(" for ")?;
    let consumer = rest.split(" with ").next()?.split('[').next()?.trim();
    let limit = between(rest, "pool_size: ", ")");
    let told = match limit {
        Some(limit) => format!(
            "memory is exhausted: {consumer} needs {wanted} more, and the limit for all queries is {limit}"
        ),
        None => format!("memory is exhausted: {consumer} needs {wanted} more"),
    };
    Some(Explanation::new(told).hint("-m allows more, for example -m 4g"))
}

#[cfg(test)]
mod tests {
    use super::{rewrite, shorten, tidy};

    fn check(text: &str, expected: &str, hints: &[&str]) {
        let explanation = rewrite(text);
        assert_eq!(explanation.text, expected);
        assert_eq!(explanation.hints, hints);
    }

    #[test]
    fn the_functions_own_words_are_kept() {
        check(
            "Function 'log_template' user-defined coercion failed with: Error during planning: log_template takes a text, not Int64. No function matches the given name and argument types 'log_template(Int64)'. You might need to add explicit type casts.\n\tCandidate functions:\n\tlog_template(UserDefined)",
            "log_template takes a text, not Int64",
            &[],
        );
    }

    #[test]
    fn blame_is_cut() {
        assert_eq!(
            tidy(
                "Internal error: index 3 of 2.\nThis issue was likely caused by a bug in DataFusion's code. Please help us"
            ),
            "index 3 of 2"
        );
        assert_eq!(
            tidy(
                "Internal error: index 3.\nThis was likely caused by a bug in DataFusion's code and we would welcome"
            ),
            "index 3"
        );
    }

    #[test]
    fn endless_queries() {
        let hint = "leave UNBOUNDED out of CREATE EXTERNAL TABLE to ask about what is there now";
        let start = "the query has a result only when its live table ends, which it never does";
        for (text, reason) in [
            (
                "Cannot execute pipeline breaking queries, operator: AggregateExec { mode: Partial, a: B { c: D { } } }",
                "it aggregates all rows",
            ),
            (
                "Cannot execute pipeline breaking queries, operator: SortExec { input: LazyMemTableExec { .. } }",
                "it sorts all rows",
            ),
            (
                "Cannot execute pipeline breaking queries, operator: HashJoinExec { on: [] }",
                "it joins all rows",
            ),
            (
                "The given query can generate a valid result only once the source finishes, but the source is unbounded",
                "it needs all rows",
            ),
        ] {
            check(text, &format!("{start}: {reason}"), &[hint]);
        }
    }

    #[test]
    fn memory_and_disk() {
        check(
            "Additional allocation failed for AggregateStream[0] with top memory consumers (across reservations) as:\n  AggregateStream[0]#2(can spill: false) consumed 512.1 KB, peak 512.1 KB.\nError: Failed to allocate additional 64.1 KB for AggregateStream[0] with 512.1 KB already allocated for this reservation - 63.8 KB remain available for the total memory pool: greedy(used: 960.2 KB, pool_size: 1024.0 KB)",
            "memory is exhausted: AggregateStream needs 64.1 KB more, and the limit for all queries is 1024.0 KB",
            &["-m allows more, for example -m 4g"],
        );
        check(
            "The used disk space during the spilling process has exceeded the allowable limit of 1.0 KB.",
            "the disk space for spilling is used up",
            &["-d allows more, for example -d 200g"],
        );
    }

    #[test]
    fn files_and_formats() {
        check(
            "No files found at file:///tmp/nope.csv. Cannot infer schema from an empty location; either add data files or declare an explicit schema for the table.",
            "there is no file at /tmp/nope.csv",
            &[
                "to create the table before its files, name its columns: CREATE EXTERNAL TABLE t (ts TIMESTAMP, message TEXT) ...",
            ],
        );
        check(
            "Unable to find factory for FOO",
            "there is no table format FOO",
            &["STORED AS takes PARQUET, CSV, JSON, ARROW, AVRO, LOG or SQLITE"],
        );
        let missing = rewrite("table 'datafusion.public.nope.parquet' not found");
        assert_eq!(missing.text, "there is no table and no file 'nope.parquet'");
        let present = rewrite("table 'datafusion.public.Cargo.toml' not found");
        assert_eq!(present.text, "table 'Cargo.toml' not found");
        assert_eq!(
            present.hints,
            ["a file is named in quotes: FROM 'Cargo.toml'"]
        );
        let folder = rewrite("table 'datafusion.public.src' not found");
        assert_eq!(folder.hints, ["a folder is named in quotes: FROM 'src/'"]);
    }

    #[test]
    fn long_values_are_cut() {
        let line = "x'é ".repeat(100);
        let cut: String = line.chars().take(60).collect();
        check(
            &format!("Cast error: Cannot cast string '{line}' to value of Int64 type"),
            &format!("Cast error: Cannot cast string '{cut}...' to value of Int64 type"),
            &[],
        );
        check(
            &format!("Parser error: Error parsing timestamp from '{line}': no"),
            &format!("Parser error: Error parsing timestamp from '{cut}...': no"),
            &[],
        );
    }

    #[test]
    fn formats_that_are_not_written() {
        check(
            "There is no registered file format with ext log",
            "LOG is a format for reading; write PARQUET, CSV or JSON",
            &[],
        );
        check(
            "There is no registered file format with ext foo",
            "there is no format FOO to write",
            &["COPY writes PARQUET, CSV, JSON or ARROW: name one after STORED AS"],
        );
    }

    #[test]
    fn long_texts_and_dumps_are_cut() {
        assert_eq!(shorten("short"), "short");
        let long = "word ".repeat(1000);
        let cut = shorten(&long);
        assert!(
            cut.chars().count() < 610 && cut.ends_with("word ..."),
            "{cut}"
        );
        let long = "é".repeat(2000);
        assert!(shorten(&long).chars().count() < 610);
        assert_eq!(shorten("no A { b: C { d: E { } } } here { x }"), "no A ...");
    }
}
