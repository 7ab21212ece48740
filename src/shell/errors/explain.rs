//! From DataFusion's error to a sentence: removes its layers, and tells the root cause in the
//! reader's words.

use datafusion::arrow::error::ArrowError;
use datafusion::common::{Column, Diagnostic, SchemaError};
use datafusion::error::DataFusionError;
use datafusion::object_store;
use datafusion::sql::sqlparser::parser::ParserError;

use crate::shell::errors::explanation::Explanation;
use crate::shell::errors::rewrite::{rewrite, shorten, tidy};

/// The most columns that a hint lists.
const LISTED_COLUMNS: usize = 10;

/// Explains an error.
pub(crate) fn explain(error: &DataFusionError) -> Explanation {
    let mut explanation = unwrap(error);
    explanation.text = shorten(&explanation.text);
    for hint in &mut explanation.hints {
        *hint = shorten(hint);
    }
    explanation
}

fn unwrap(error: &DataFusionError) -> Explanation {
    match error {
        DataFusionError::Collection(errors) => match errors.first() {
            Some(first) => unwrap(first),
            None => Explanation::new("several errors"),
        },
        DataFusionError::Shared(inner) => unwrap(inner),
        DataFusionError::Diagnostic(diagnostic, inner) => diagnosed(diagnostic, inner),
        DataFusionError::Context(context, inner) => {
            let explanation = unwrap(inner);
            if is_circumstance(context, inner) {
                explanation.within(&tidy(context))
            } else {
                explanation
            }
        }
        DataFusionError::External(inner) => external(inner.as_ref()),
        DataFusionError::ArrowError(inner, _) => match inner.as_ref() {
            ArrowError::ExternalError(inner) => external(inner.as_ref()),
            other => rewrite(&other.to_string()),
        },
        DataFusionError::SQL(inner, _) => syntax(inner),
        DataFusionError::SchemaError(inner, _) => schema(inner),
        DataFusionError::ObjectStore(inner) => store(inner),
        DataFusionError::IoError(inner) => Explanation::new(inner.to_string()),
        DataFusionError::NotImplemented(text) => not_implemented(text),
        other => rewrite(&other.message()),
    }
}

fn not_implemented(text: &str) -> Explanation {
    if text.contains("logical expression WindowFunction") {
        return Explanation::new("a function with OVER cannot stand in WHERE, HAVING or GROUP BY")
            .hint("write QUALIFY in place of WHERE, or select it in a subquery first");
    }
    Explanation::new(format!("not supported: {}", tidy(text)))
}

/// An error of another library, or one of DataFusion's that passed through one.
fn external(error: &(dyn std::error::Error + 'static)) -> Explanation {
    if let Some(inner) = error.downcast_ref::<DataFusionError>() {
        return unwrap(inner);
    }
    match error.downcast_ref::<ArrowError>() {
        Some(ArrowError::ExternalError(inner)) => external(inner.as_ref()),
        _ => rewrite(&error.to_string()),
    }
}

/// Whether the words around an error tell the reader something: the name of a file does, the name
/// of an optimizer rule does not.
fn is_circumstance(context: &str, inner: &DataFusionError) -> bool {
    const KNOWN_NOISE: [&str; 3] = ["Optimizer rule", "Analyzer rule", "Error setting config"];
    let is_known = KNOWN_NOISE.iter().any(|noise| context.starts_with(noise));
    let is_memory = matches!(inner.find_root(), DataFusionError::ResourcesExhausted(_));
    context.trim().contains(' ') && !is_known && !is_memory
}

fn diagnosed(diagnostic: &Diagnostic, inner: &DataFusionError) -> Explanation {
    let place = diagnostic
        .span
        .map(|span| (span.start.line, span.start.column));
    if diagnostic.helps.is_empty() {
        return unwrap(inner).place(place);
    }
    let mut explanation = Explanation::new(tidy(&diagnostic.message));
    for help in &diagnostic.helps {
        explanation = explanation.hint(tidy(&help.message));
    }
    explanation.place(place)
}

fn syntax(error: &ParserError) -> Explanation {
    let text = match error {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => text,
        ParserError::RecursionLimitExceeded => {
            return Explanation::new("syntax error: the statement is nested too deeply, more than some 45 brackets or subqueries one within another")
                .hint("name its parts: WITH part AS (SELECT …) SELECT … FROM part");
        }
    };
    let (text, place) = match text.rsplit_once(" at Line: ") {
        Some((text, numbers)) => (text, position(numbers)),
        None => (text.as_str(), None),
    };
    let text = text.replacen("Expected: ", "expected ", 1);
    let text = text.replacen(", found: EOF", ", but the statement ends here", 1);
    let text = text.replacen(", found: ", ", found ", 1);
    let told = match place {
        Some((line, column)) => format!("syntax error at line {line}, column {column}: {text}"),
        None => format!("syntax error: {text}"),
    };
    Explanation::new(told).place(place)
}

/// The numbers in `1, Column: 8`.
fn position(numbers: &str) -> Option<(u64, u64)> {
    let (line, column) = numbers.split_once(", Column: ")?;
    Some((line.trim().parse().ok()?, column.trim().parse().ok()?))
}

fn schema(error: &SchemaError) -> Explanation {
    let text = error.to_string();
    let SchemaError::FieldNotFound { valid_fields, .. } = error else {
        return rewrite(&text);
    };
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    let first = first
        .trim_end_matches('.')
        .replacen("No field named", "there is no column", 1);
    let mut explanation = Explanation::new(first);
    if lines
        .next()
        .is_some_and(|line| line.starts_with("Column names are case sensitive"))
    {
        explanation =
            explanation.hint("names are read in lower case unless they are in double quotes");
    }
    match columns(valid_fields) {
        Some(columns) => explanation.hint(format!("the columns are {columns}")),
        None => explanation,
    }
}

/// The first columns, without the name of the table if there is only one table.
fn columns(fields: &[Column]) -> Option<String> {
    let first = fields.first()?;
    let is_one_table = fields.iter().all(|field| field.relation == first.relation);
    let mut names: Vec<String> = fields
        .iter()
        .take(LISTED_COLUMNS)
        .map(|field| {
            if is_one_table {
                Column::new_unqualified(&field.name).quoted_flat_name()
            } else {
                field.quoted_flat_name()
            }
        })
        .collect();
    if fields.len() > LISTED_COLUMNS {
        names.push(format!("and {} more", fields.len() - LISTED_COLUMNS));
    }
    Some(names.join(", "))
}

fn store(error: &object_store::Error) -> Explanation {
    let text = error.to_string();
    match error {
        object_store::Error::NotFound { path, .. } => {
            Explanation::new(format!("there is no file '{path}'"))
        }
        object_store::Error::Generic { store: "S3", .. } => rewrite(&text).hint(
            "credentials come from the AWS_* environment, ~/.aws, or OPTIONS ('aws.access_key_id' '...') of CREATE EXTERNAL TABLE",
        ),
        _ => rewrite(&text),
    }
}

#[cfg(test)]
mod tests {
    use super::{Explanation, explain};
    use datafusion::error::DataFusionError;
    use datafusion::prelude::SessionContext;
    use std::sync::Arc;

    /// The explanation of the error that a statement gives.
    async fn told(sql: &str) -> Explanation {
        let context = SessionContext::new();
        let error = match context.sql(sql).await {
            Ok(frame) => frame.collect().await.unwrap_err(),
            Err(error) => error,
        };
        explain(&error)
    }

    async fn check(sql: &str, text: &str, hints: &[&str]) {
        let explanation = told(sql).await;
        assert_eq!(explanation.text, text, "{sql}");
        assert_eq!(explanation.hints, hints, "{sql}");
    }

    #[tokio::test]
    async fn a_window_function_in_where_is_told_qualify() {
        check(
            "SELECT 1 FROM (VALUES (1), (2)) WHERE row_number() OVER (ORDER BY column1) = 1",
            "a function with OVER cannot stand in WHERE, HAVING or GROUP BY",
            &["write QUALIFY in place of WHERE, or select it in a subquery first"],
        )
        .await;
    }

    #[tokio::test]
    async fn names() {
        check(
            "SELECT lowe('x')",
            "Invalid function 'lowe'. Did you mean 'lower'?",
            &["SHOW FUNCTIONS LIKE 'low%' lists functions with such a name"],
        )
        .await;
        assert_eq!(told("SELECT\n lowe('x')").await.place, Some((2, 2)));
        check(
            "SELECT nope FROM (SELECT 1 AS i, 2 AS \"J\") t",
            "there is no column nope",
            &["the columns are i, \"J\""],
        )
        .await;
        check(
            "SELECT j FROM (SELECT 1 AS i, 2 AS \"J\") t",
            "there is no column j. Did you mean 't.\"J\"'?",
            &[
                "names are read in lower case unless they are in double quotes",
                "the columns are i, \"J\"",
            ],
        )
        .await;
        check(
            "SELECT * FROM nope",
            "table 'nope' not found",
            &["SHOW TABLES lists the tables; a file is named in quotes, FROM 'logs.parquet', or made a table by CREATE EXTERNAL TABLE"],
        )
        .await;
        check(
            "SELECT 1; SELECT 2",
            "not supported: The context currently only supports a single SQL statement",
            &[],
        )
        .await;
        check(
            "SELECT * FROM nofn(1)",
            "table function 'nofn' not found",
            &[],
        )
        .await;
    }

    #[tokio::test]
    async fn many_columns_are_cut() {
        let columns: Vec<String> = (0..30).map(|i| format!("{i} AS c{i}")).collect();
        let sql = format!("SELECT nope FROM (SELECT {})", columns.join(", "));
        let hints = told(&sql).await.hints;
        assert_eq!(
            hints,
            ["the columns are c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, and 20 more"]
        );
    }

    #[tokio::test]
    async fn syntax() {
        check(
            "SELEC 1",
            "syntax error at line 1, column 1: expected an SQL statement, found SELEC",
            &[],
        )
        .await;
        check(
            "SELECT 1 FROM",
            "syntax error: expected identifier, but the statement ends here",
            &[],
        )
        .await;
        check(
            "SELECT 'open",
            "syntax error at line 1, column 8: Unterminated string literal",
            &[],
        )
        .await;
    }

    #[tokio::test]
    async fn arguments() {
        check(
            "SELECT sum('x')",
            "sum cannot be called as sum(Utf8)",
            &["it is called as sum(Decimal), sum(UInt64), sum(Int64), sum(Float64), sum(Duration) or sum(Interval)"],
        )
        .await;
        check(
            "SELECT lower(1, 2)",
            "lower cannot be called as lower(Int64, Int64): expects 1 arguments but received 2",
            &["it is called as lower(String)"],
        )
        .await;
    }

    #[tokio::test]
    async fn values() {
        check("SELECT 1 / 0", "Divide by zero error", &[]).await;
        check(
            "SELECT CAST('x' AS INT)",
            "Cast error: Cannot cast string 'x' to value of Int32 type",
            &[],
        )
        .await;
        check(
            "SELECT (SELECT value FROM range(1, 5))",
            "Scalar subquery returned more than one row",
            &[],
        )
        .await;
        check(
            "SELECT a, count(*) FROM (SELECT 1 AS a) t",
            "'t.a' must appear in GROUP BY clause because it's not an aggregate expression",
            &["Either add 't.a' to GROUP BY clause, or use an aggregate function like ANY_VALUE(t.a)"],
        )
        .await;
    }

    #[test]
    fn layers_are_taken_off() {
        let root = || DataFusionError::Execution("it broke".to_string());
        for error in [
            root(),
            DataFusionError::Shared(Arc::new(root())),
            DataFusionError::Collection(vec![root()]),
            DataFusionError::Context("SanityCheckPlan".to_string(), Box::new(root())),
            DataFusionError::External(Box::new(root())),
            DataFusionError::Execution(
                "Error during planning: it broke\n\nbacktrace: 1: main".to_string(),
            ),
            DataFusionError::Internal("it broke".to_string()),
        ] {
            assert_eq!(explain(&error), Explanation::new("it broke"));
        }
        let file = DataFusionError::Context(
            "Error when processing CSV file a.csv".to_string(),
            Box::new(root()),
        );
        assert_eq!(
            explain(&file).text,
            "Error when processing CSV file a.csv: it broke"
        );
    }
}
