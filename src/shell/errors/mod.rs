//! What an error looks like: one sentence after `error:`, what to do after `hint:`, both on
//! standard error.

mod advice;
mod explain;
mod explanation;
mod rewrite;

use std::io::{IsTerminal, Write};

use datafusion::error::DataFusionError;

pub(crate) use crate::shell::errors::advice::Asked;
use crate::shell::errors::explain::explain;
use crate::shell::errors::explanation::Explanation;

/// The origin of a failing statement: the name of the text and the statement's line in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StatementOrigin<'a> {
    pub(crate) name: &'a str,
    pub(crate) line: u64,
}

/// Prints an error with its hints.
pub(crate) fn report(error: &DataFusionError) {
    print(&explain(error), None);
}

/// Prints the error of a statement with its hints.
pub(crate) fn report_statement(
    error: &DataFusionError,
    asked: &Asked,
    origin: Option<StatementOrigin<'_>>,
) {
    print(&advice::advise(explain(error), asked), origin);
}

fn print(explanation: &Explanation, origin: Option<StatementOrigin<'_>>) {
    let stderr = std::io::stderr();
    let has_color = stderr.is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let text = render(explanation, origin, has_color);
    // If even this cannot be written, there is no way to report it.
    let _ = stderr.lock().write_all(text.as_bytes());
}

/// Prints a line to standard error, apart from the results.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Whether the reader of the results has gone away, as `head` does, which is not worth an error.
pub(crate) fn is_broken_pipe(error: &DataFusionError) -> bool {
    error.to_string().contains("Broken pipe (os error")
}

fn render(
    explanation: &Explanation,
    origin: Option<StatementOrigin<'_>>,
    has_color: bool,
) -> String {
    let (red, cyan, plain) = if has_color {
        ("\x1b[1;31m", "\x1b[36m", "\x1b[0m")
    } else {
        ("", "", "")
    };
    let place = match (origin, explanation.place) {
        (None, _) => String::new(),
        (Some(origin), None) => format!("{}:{}: ", origin.name, origin.line),
        (Some(origin), Some((line, column))) => format!("{}:{line}:{column}: ", origin.name),
    };
    let told = told(explanation, origin.is_some());
    let mut text = format!("{red}error:{plain} {place}{told}\n");
    for hint in &explanation.hints {
        text.push_str(&format!("{cyan}hint:{plain} {hint}\n"));
    }
    text
}

/// The text, without the position of the error if that is printed before it.
fn told(explanation: &Explanation, is_placed: bool) -> String {
    match explanation.place {
        Some((line, column)) if is_placed => {
            let place = format!(" at line {line}, column {column}:");
            explanation.text.replacen(&place, ":", 1)
        }
        _ => explanation.text.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::{StatementOrigin, render};
    use crate::shell::errors::explanation::Explanation;

    #[test]
    fn errors_name_their_place() {
        let origin = Some(StatementOrigin {
            name: "job.sql",
            line: 7,
        });
        let mut explanation = Explanation::new("it broke").hint("mend it");
        assert_eq!(
            render(&explanation, None, false),
            "error: it broke\nhint: mend it\n"
        );
        assert_eq!(
            render(&explanation, origin, false),
            "error: job.sql:7: it broke\nhint: mend it\n"
        );
        explanation.place = Some((8, 3));
        explanation.text = "syntax error at line 8, column 3: it broke".to_string();
        assert_eq!(
            render(&explanation, None, false),
            "error: syntax error at line 8, column 3: it broke\nhint: mend it\n"
        );
        assert_eq!(
            render(&explanation, origin, true),
            "\x1b[1;31merror:\x1b[0m job.sql:8:3: syntax error: it broke\n\x1b[36mhint:\x1b[0m mend it\n"
        );
    }
}
