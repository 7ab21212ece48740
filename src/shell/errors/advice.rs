//! Hints that need more than the error: the statement that failed, and the names that the session
//! knows.

use datafusion::common::utils::datafusion_strsim::levenshtein;

use crate::shell::errors::explanation::Explanation;
use crate::shell::errors::rewrite::shorten;

/// The statement that an error is about, and the names that hints need.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// The failing statement; lines and columns in the error are those of this text.
    pub(crate) sql: String,
    /// The table functions of the session.
    pub(crate) table_functions: Vec<String>,
}

/// Adds the hints that follow from the statement.
pub(super) fn advise(explanation: Explanation, asked: &Asked) -> Explanation {
    let rules = [
        double_quotes,
        no_table_function,
        table_function_without_call,
        unquoted_path,
        create_table,
        missing_location,
        equals_in_options,
        number_beside_text,
    ];
    let mut told = rules
        .iter()
        .fold(explanation, |told, rule| rule(told, asked));
    // A word of the statement can be as long as the statement.
    for hint in &mut told.hints {
        *hint = shorten(hint);
    }
    told
}

/// `level = "ERROR"`: in SQL, `"ERROR"` is a column.
fn double_quotes(told: Explanation, asked: &Asked) -> Explanation {
    let name = told.text.strip_prefix("there is no column ");
    let Some(name) = name.and_then(|rest| rest.split(". Did you mean").next()) else {
        return told;
    };
    let quoted = if name.starts_with('"') {
        name.to_string()
    } else {
        format!("\"{name}\"")
    };
    if !asked.sql.contains(&quoted) {
        return told;
    }
    let text = quoted.trim_matches('"').replace("\"\"", "\"");
    told.hint(format!(
        "text is written in single quotes: {}",
        literal(&text)
    ))
}

fn no_table_function(mut told: Explanation, asked: &Asked) -> Explanation {
    let Some(name) = between(&told.text, "table function '", "' not found") else {
        return told;
    };
    let nearest = asked
        .table_functions
        .iter()
        .map(|other| (levenshtein(name, other), other))
        .min()
        .filter(|(distance, _)| *distance <= 1 + name.len() / 4);
    if let Some((_, other)) = nearest {
        told.text = format!("{}. Did you mean {other}()?", told.text);
    }
    told
}

fn table_function_without_call(mut told: Explanation, asked: &Asked) -> Explanation {
    let Some(name) = between(&told.text, "table '", "' not found") else {
        return told;
    };
    if !asked.table_functions.iter().any(|other| other == name) {
        return told;
    }
    let hint = format!("{name} is a table function: write {name}()");
    told.hints = vec![hint];
    told
}

/// `FROM logs/a.parquet`, `LOCATION /var/log/x`.
fn unquoted_path(told: Explanation, asked: &Asked) -> Explanation {
    const KEYWORDS: [&str; 4] = ["FROM", "JOIN", "TO", "LOCATION"];
    let is_syntax = told.text.starts_with("syntax error");
    let Some((before, word)) = told
        .place
        .filter(|_| is_syntax)
        .and_then(|place| word_at(&asked.sql, place))
    else {
        return told;
    };
    let keyword = before.split_whitespace().next_back().unwrap_or_default();
    let keyword = keyword.to_ascii_uppercase();
    let is_path = word.contains('/') || keyword == "LOCATION";
    if !is_path || !KEYWORDS.contains(&keyword.as_str()) {
        return told;
    }
    told.hint(format!(
        "write the name of a file in quotes: {}",
        literal(word)
    ))
}

/// The word at a line and column, both from 1 and in characters, and the text before it.
fn word_at(sql: &str, (line, column): (u64, u64)) -> Option<(&str, &str)> {
    let is_end = |character: char| character.is_whitespace() || "'\"(),;".contains(character);
    let line_idx = usize::try_from(line.checked_sub(1)?).ok()?;
    let column_idx = usize::try_from(column.checked_sub(1)?).ok()?;
    let line_byte: usize = sql.split_inclusive('\n').take(line_idx).map(str::len).sum();
    let (byte, _) = sql[line_byte..].char_indices().nth(column_idx)?;
    let at = line_byte + byte;
    let start = sql[..at]
        .char_indices()
        .rfind(|(_, character)| is_end(*character))
        .map_or(0, |(byte, character)| byte + character.len_utf8());
    let end = sql[at..].find(is_end).map_or(sql.len(), |byte| at + byte);
    (at < end).then(|| (&sql[..start], &sql[start..end]))
}

/// `CREATE TABLE t STORED AS LOG`.
fn create_table(mut told: Explanation, asked: &Asked) -> Explanation {
    let words = keywords(&asked.sql);
    let is_create =
        words.starts_with("CREATE TABLE ") || words.starts_with("CREATE OR REPLACE TABLE ");
    let is_format = told.text.starts_with("syntax error") && words.contains(" STORED AS ");
    let is_hive = told.text.contains("Hive formats not supported");
    if !is_create || !(is_format || is_hive) {
        return told;
    }
    if is_hive {
        told.text = "CREATE TABLE takes no STORED AS and no LOCATION".to_string();
    }
    told.hint("a table over files: write CREATE EXTERNAL TABLE")
}

/// `CREATE EXTERNAL TABLE t STORED AS LOG '/x'`.
fn missing_location(told: Explanation, asked: &Asked) -> Explanation {
    let words = keywords(&asked.sql);
    let is_create = words.starts_with("CREATE ") && words.contains(" EXTERNAL TABLE ");
    if !is_create || words.contains(" LOCATION ") {
        return told;
    }
    match told.text.split_once(", found '") {
        Some((_, path)) => {
            let hint = format!("LOCATION is missing: write LOCATION '{path}");
            told.hint(hint)
        }
        None => told,
    }
}

/// `OPTIONS (format = 'json')`.
fn equals_in_options(told: Explanation, asked: &Asked) -> Explanation {
    let is_option = told
        .text
        .contains("expected string or numeric value, found =");
    if is_option && keywords(&asked.sql).contains(" OPTIONS") {
        return told.hint("no = between an option and its value: OPTIONS (format 'json')");
    }
    told
}

/// `message = 3`: the text is converted to a number, not the number to a text.
fn number_beside_text(told: Explanation, asked: &Asked) -> Explanation {
    if !told.text.contains("Cannot cast string '") {
        return told;
    }
    match compared_number(&asked.sql) {
        Some(number) => told.hint(format!("compare text with text: '{number}'")),
        None => told,
    }
}

/// The first number after a comparison.
fn compared_number(sql: &str) -> Option<&str> {
    sql.split(['=', '<', '>']).skip(1).find_map(|rest| {
        let rest = rest.trim_start();
        let end = rest
            .find(|character: char| !character.is_ascii_digit() && character != '.')
            .unwrap_or(rest.len());
        (end > 0).then(|| &rest[..end])
    })
}

/// The statement in upper case with single blanks, for finding keywords.
fn keywords(sql: &str) -> String {
    let words: Vec<&str> = sql.split_whitespace().collect();
    words.join(" ").to_ascii_uppercase()
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    text.strip_prefix(start)?.strip_suffix(end)
}

#[cfg(test)]
mod tests {
    use super::{compared_number, word_at};

    #[test]
    fn words_are_found_by_line_and_column() {
        let sql = "SELECT 'é'\n FROM é/b.csv;";
        for (place, expected) in [
            ((2, 8), Some("é/b.csv")),
            ((2, 7), Some("é/b.csv")),
            ((1, 2), Some("SELECT")),
            ((1, 7), None),
            ((2, 14), None),
            ((3, 1), None),
            ((0, 0), None),
        ] {
            let word = word_at(sql, place).map(|(_, word)| word);
            assert_eq!(word, expected, "{place:?}");
        }
    }

    #[test]
    fn compared_numbers() {
        for (sql, expected) in [
            ("WHERE message = 3", Some("3")),
            ("WHERE a = 'x' AND b >= 2.5 OR c", Some("2.5")),
            ("SELECT CAST('x' AS INT)", None),
            ("WHERE a = b", None),
        ] {
            assert_eq!(compared_number(sql), expected, "{sql}");
        }
    }
}
