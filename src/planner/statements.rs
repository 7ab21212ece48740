//! Splits SQL text into statements, each with its place in the text.
//!
//! The text is split with the parser's own tokenizer, so that a `;` in a string, a comment or a
//! dollar quote does not end a statement. The tokens depend on the dialect, which a `SET` statement
//! may change. So the caller names the dialect for every statement that it takes, and if the
//! dialect changes, the rest of the text is read again.

use std::collections::VecDeque;

use datafusion::common::Result;
use datafusion::config::Dialect;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::dialect::{GenericDialect, dialect_from_str};
use datafusion::sql::sqlparser::tokenizer::{
    Location, Token, TokenWithSpan, Tokenizer, TokenizerError,
};

use crate::planner::from_first::complete_from_first;
use crate::planner::statement_check::check_statement;
use crate::planner::statement_size::{MAX_STATEMENT_BYTES, check_size};

/// One statement of a text, without its `;`, as [`Statements`] returns it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitStatement {
    text: String,
    line: u64,
    column: u64,
}

impl SplitStatement {
    /// Makes a statement of a whole text.
    pub(crate) fn alone(text: &str) -> Self {
        Self {
            text: text.to_string(),
            line: 1,
            column: 1,
        }
    }

    /// The line of the text that the statement begins on, counted from 1.
    #[must_use]
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The text of the statement.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text of the statement, after as many line breaks and blanks as there are before it, so
    /// that the lines and columns in the parser's errors are those of the whole text.
    #[must_use]
    pub fn text_in_place(&self) -> String {
        let lines = usize::try_from(self.line.saturating_sub(1)).unwrap_or_default();
        let blanks = usize::try_from(self.column.saturating_sub(1)).unwrap_or_default();
        format!("{}{}{}", "\n".repeat(lines), " ".repeat(blanks), self.text)
    }

    /// Parses the statement in the session's dialect. `FROM t` without a SELECT becomes `SELECT *
    /// FROM t`.
    ///
    /// # Errors
    /// If it is too large or too deep to be planned safely, if it is not valid SQL, or if
    /// DataFusion would silently misread it: a window function without OVER, a scalar function with
    /// OVER, FILTER or DISTINCT, a key that nothing checks. Lines and columns are those of the
    /// whole text.
    pub fn parse(&self, context: &SessionContext) -> Result<Statement> {
        let state = context.state();
        let dialect = state.config_options().sql_parser.dialect;
        check_size(&self.text, dialect)?;
        let mut statement = state.sql_to_statement(&self.text_in_place(), &dialect)?;
        complete_from_first(&mut statement);
        check_statement(&statement, context)?;
        Ok(statement)
    }
}

/// SQL text, given as a whole or in pieces, from which statements are taken in order.
///
/// ```
/// use datafusion::config::Dialect;
/// use datafusion_aiops::{Statements, session};
///
/// let context = session()?;
/// let mut statements = Statements::whole("SELECT ';';\n-- another one\nFROM t");
/// assert_eq!(statements.next(Dialect::Generic).map(|it| it.text().to_string()), Some("SELECT ';'".to_string()));
/// let second = statements.next(Dialect::Generic).unwrap();
/// assert_eq!(second.line(), 3);
/// assert_eq!(second.parse(&context)?.to_string(), "SELECT * FROM t");
/// # Ok::<(), datafusion::error::DataFusionError>(())
/// ```
#[derive(Debug, Default)]
pub struct Statements {
    text: String,
    /// The length of the part of `text` that has been taken.
    taken_bytes: usize,
    /// The place where the rest of `text` begins, counted over all text that was ever pushed.
    place: TextPlace,
    /// Whether nothing more will be pushed, so that the last statement needs no `;`.
    is_whole: bool,
    /// The statements found in the rest of `text`; `None` if it must be read first.
    found: Option<DialectReading>,
}

/// The rest of a text as one dialect reads it.
#[derive(Debug)]
struct DialectReading {
    dialect: Dialect,
    /// The byte at which the rest began.
    from_byte: usize,
    statements: VecDeque<FoundStatement>,
}

#[derive(Debug, Clone, Copy)]
struct TextPlace {
    line: u64,
    column: u64,
}

impl Default for TextPlace {
    fn default() -> Self {
        Self { line: 1, column: 1 }
    }
}

/// A statement and its end, as the offset in the text that was read and as the place.
#[derive(Debug)]
struct FoundStatement {
    statement: SplitStatement,
    end_byte: usize,
    end: TextPlace,
}

impl Statements {
    /// Takes a whole text. A first line that begins with `#!` is not SQL and is left out.
    #[must_use]
    pub fn whole(text: &str) -> Self {
        let mut statements = Self::default();
        statements.push(text);
        statements.finish();
        statements
    }

    /// Adds text at the end.
    pub fn push(&mut self, text: &str) {
        let is_first = self.text.is_empty() && self.place.line == 1 && self.place.column == 1;
        let text = match text.strip_prefix("#!") {
            Some(after) if is_first => after.find('\n').map_or("", |end| &after[end..]),
            _ => text,
        };
        self.text.drain(..self.taken_bytes);
        self.taken_bytes = 0;
        self.text.push_str(text);
        self.found = None;
    }

    /// Says that nothing more will be pushed.
    pub fn finish(&mut self) {
        self.is_whole = true;
        self.found = None;
    }

    /// Whether the rest of the text is too long to be split into statements.
    #[must_use]
    pub fn is_too_long(&self) -> bool {
        self.text.len() - self.taken_bytes > MAX_STATEMENT_BYTES
    }

    /// The next statement, read in this dialect; `None` if the text has no other complete
    /// statement. Text that is too long is returned as one statement, which
    /// [`SplitStatement::parse`] refuses.
    pub fn next(&mut self, dialect: Dialect) -> Option<SplitStatement> {
        if self.is_too_long() {
            return Some(self.take_all());
        }
        if self
            .found
            .as_ref()
            .is_none_or(|reading| reading.dialect != dialect)
        {
            let rest = &self.text[self.taken_bytes..];
            self.found = Some(DialectReading {
                dialect,
                from_byte: self.taken_bytes,
                statements: split(rest, self.place, self.is_whole, dialect),
            });
        }
        let reading = self.found.as_mut()?;
        let next = reading.statements.pop_front()?;
        self.taken_bytes = reading.from_byte + next.end_byte;
        self.place = next.end;
        Some(next.statement)
    }

    /// Whether a text ends with a complete statement: its last token is a `;` or there is no token
    /// at all.
    #[must_use]
    pub fn is_complete(text: &str, dialect: Dialect) -> bool {
        let (tokens, read) = tokenize(text, dialect);
        let last = tokens
            .iter()
            .map(|token| &token.token)
            .rfind(|token| !matches!(token, Token::Whitespace(_) | Token::EOF));
        read.is_ok() && last.is_none_or(|token| *token == Token::SemiColon)
    }

    fn take_all(&mut self) -> SplitStatement {
        let text = self.text.split_off(self.taken_bytes);
        self.found = None;
        SplitStatement {
            text,
            line: self.place.line,
            column: self.place.column,
        }
    }
}

fn split(
    text: &str,
    start: TextPlace,
    is_whole: bool,
    dialect: Dialect,
) -> VecDeque<FoundStatement> {
    // After an error, nothing is lost: the text after the last valid token becomes a statement, and
    // the parser reports the error when its turn comes.
    let (tokens, read) = tokenize(text, dialect);
    let mut cursor = Cursor::new(text, start);
    let mut found = VecDeque::new();
    let mut begin: Option<Location> = None;
    for token in &tokens {
        match token.token {
            Token::SemiColon => {
                let statement = begin
                    .take()
                    .map(|begin| cursor.take(begin, token.span.start));
                cursor.move_to(token.span.end);
                if let Some(statement) = statement {
                    found.push_back(cursor.found(statement));
                }
            }
            Token::Whitespace(_) | Token::EOF => {}
            _ => begin = begin.or(Some(token.span.start)),
        }
    }
    // The error's place is after the letter of a literal such as b'…', so the end of the last token
    // is used.
    let first = Location { line: 1, column: 1 };
    let read_to = tokens.last().map_or(first, |token| token.span.end);
    let unread = read.err().map(|_| read_to);
    if let (true, Some(begin)) = (is_whole, begin.or(unread)) {
        let statement = cursor.take_rest(begin);
        found.push_back(cursor.found(statement));
    }
    found
}

/// The tokens of a text up to the first invalid one, and the error of that one.
fn tokenize(text: &str, dialect: Dialect) -> (Vec<TokenWithSpan>, Result<(), TokenizerError>) {
    let mut tokens = vec![];
    let dialect = dialect_from_str(dialect).unwrap_or_else(|| Box::new(GenericDialect {}));
    let read = Tokenizer::new(dialect.as_ref(), text)
        .with_unescape(false)
        .tokenize_with_location_into_buf(&mut tokens);
    (tokens, read)
}

/// Walks a text and knows the byte offset of the tokenizer's lines and columns (which count
/// characters, from 1).
struct Cursor<'a> {
    text: &'a str,
    start: TextPlace,
    byte: usize,
    line: u64,
    column: u64,
}

impl<'a> Cursor<'a> {
    fn new(text: &'a str, start: TextPlace) -> Self {
        Self {
            text,
            start,
            byte: 0,
            line: 1,
            column: 1,
        }
    }

    fn move_to(&mut self, location: Location) {
        let mut characters = self.text[self.byte..].chars();
        while (self.line, self.column) < (location.line, location.column) {
            let Some(character) = characters.next() else {
                return;
            };
            self.byte += character.len_utf8();
            if character == '\n' {
                self.line += 1;
                self.column = 1;
            } else {
                self.column += 1;
            }
        }
    }

    /// The text from `begin` to `end`.
    fn take(&mut self, begin: Location, end: Location) -> SplitStatement {
        self.move_to(begin);
        let (from, place) = (self.byte, self.place());
        self.move_to(end);
        self.statement(from, place)
    }

    /// The text from `begin` to the end.
    fn take_rest(&mut self, begin: Location) -> SplitStatement {
        let end = Location {
            line: u64::MAX,
            column: u64::MAX,
        };
        self.take(begin, end)
    }

    fn statement(&self, from: usize, place: TextPlace) -> SplitStatement {
        SplitStatement {
            text: self.text[from..self.byte].trim_end().to_string(),
            line: place.line,
            column: place.column,
        }
    }

    fn found(&self, statement: SplitStatement) -> FoundStatement {
        FoundStatement {
            statement,
            end_byte: self.byte,
            end: self.place(),
        }
    }

    /// The place of the cursor in the whole text.
    fn place(&self) -> TextPlace {
        if self.line == 1 {
            TextPlace {
                line: self.start.line,
                column: self.start.column + self.column - 1,
            }
        } else {
            TextPlace {
                line: self.start.line + self.line - 1,
                column: self.column,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Statements;
    use datafusion::config::Dialect;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    /// The parts of random texts that are SQL, nearly SQL or not SQL. There are no comments among
    /// them, since comments are not part of a statement.
    const PARTS: &[&str] = &[
        "SELECT", " ", "\n", ";", "'", "'a;b'", "''", "\"", "\"x;\"", "$$", "$$;$$", "$a$", "é",
        "日本", "(", ")", ",", "1", ".5e", "\\", "\r\n", "E'\\", "x'", "@", "#", "|>", "\u{0}",
        "\u{a0}",
    ];

    fn check(text: &str, expected: &[(u64, u64, &str)]) {
        let mut statements = Statements::whole(text);
        let mut found = vec![];
        while let Some(statement) = statements.next(Dialect::Generic) {
            found.push((statement.line, statement.column, statement.text));
        }
        let found: Vec<_> = found.iter().map(|(l, c, t)| (*l, *c, t.as_str())).collect();
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn statements_are_cut_at_semicolons() {
        check("", &[]);
        check(" ; ;\n;", &[]);
        check("SELECT 1", &[(1, 1, "SELECT 1")]);
        check(
            "SELECT 1;  SELECT 2 ;",
            &[(1, 1, "SELECT 1"), (1, 12, "SELECT 2")],
        );
        check(
            "\n\nSELECT\n 1;\n\n  SELECT 2",
            &[(3, 1, "SELECT\n 1"), (6, 3, "SELECT 2")],
        );
    }

    #[test]
    fn semicolons_in_strings_comments_and_quotes_are_text() {
        check(
            "SELECT ';' AS \"a;b\"; SELECT 2",
            &[(1, 1, "SELECT ';' AS \"a;b\""), (1, 22, "SELECT 2")],
        );
        check(
            "SELECT 'it''s;'; SELECT 2",
            &[(1, 1, "SELECT 'it''s;'"), (1, 18, "SELECT 2")],
        );
        check(
            "SELECT 1; -- don't; stop\nSELECT 2",
            &[(1, 1, "SELECT 1"), (2, 1, "SELECT 2")],
        );
        check(
            "/* a; b's */ SELECT /* ; */ 1; -- end;",
            &[(1, 14, "SELECT /* ; */ 1")],
        );
        check(
            "SELECT $$a;b$$; SELECT 2",
            &[(1, 1, "SELECT $$a;b$$"), (1, 17, "SELECT 2")],
        );
        check(
            "SELECT '日本;語'; SELECT 'é'; SELECT 3",
            &[
                (1, 1, "SELECT '日本;語'"),
                (1, 16, "SELECT 'é'"),
                (1, 28, "SELECT 3"),
            ],
        );
    }

    #[test]
    fn text_that_is_no_sql_is_left_to_the_parser() {
        check(
            "SELECT 1; SELECT 'open",
            &[(1, 1, "SELECT 1"), (1, 11, "SELECT 'open")],
        );
        check("SELECT 1; b'open", &[(1, 1, "SELECT 1"), (1, 11, "b'open")]);
        check(
            "#!/usr/bin/datafusion-aiops -f\nSELECT 1;",
            &[(2, 1, "SELECT 1")],
        );
    }

    #[test]
    fn places_hold_in_the_whole_text() {
        let mut statements = Statements::whole("SELECT 1;\n  SELECT x;");
        statements.next(Dialect::Generic);
        let second = statements.next(Dialect::Generic).unwrap();
        assert_eq!(second.text_in_place(), "\n  SELECT x");
    }

    fn is_between(text: &str) -> bool {
        text.chars()
            .all(|character| character == ';' || character.is_whitespace())
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn no_text_is_lost(parts in vec(select(PARTS), 0..40)) {
            let text = parts.concat();
            let mut statements = Statements::whole(&text);
            let mut rest = text.as_str();
            while let Some(statement) = statements.next(Dialect::Generic) {
                let (before, after) = rest.split_once(statement.text()).unwrap();
                prop_assert!(is_between(before), "{text:?}: {before:?}");
                rest = after;
            }
            prop_assert!(is_between(rest), "{text:?}: {rest:?}");
        }
    }

    #[test]
    fn another_dialect_reads_the_rest_again() {
        // In the generic dialect '\' is a character, in BigQuery it escapes the quote.
        let text = "SET d;\nSELECT 'a\\'; b'; SELECT 2";
        let mut statements = Statements::whole(text);
        assert_eq!(statements.next(Dialect::Generic).unwrap().text, "SET d");
        let second = statements.next(Dialect::BigQuery).unwrap();
        assert_eq!(
            (second.text.as_str(), second.line()),
            ("SELECT 'a\\'; b'", 2)
        );
        assert_eq!(statements.next(Dialect::BigQuery).unwrap().text, "SELECT 2");
        assert_eq!(statements.next(Dialect::BigQuery), None);
    }

    #[test]
    fn pushed_bits_give_the_same_statements() {
        let text = "SELECT 1;\nSELECT ';'\n; SELECT 'é';\n\nSELECT 4";
        let mut statements = Statements::default();
        let mut found = vec![];
        for line in text.split_inclusive('\n') {
            statements.push(line);
            while let Some(statement) = statements.next(Dialect::Generic) {
                found.push(statement);
            }
        }
        assert_eq!(found.len(), 3);
        statements.finish();
        found.extend(statements.next(Dialect::Generic));
        let mut whole = Statements::whole(text);
        for statement in found {
            assert_eq!(Some(statement), whole.next(Dialect::Generic));
        }
        assert_eq!(whole.next(Dialect::Generic), None);
    }

    #[test]
    fn a_line_is_complete_after_its_last_semicolon() {
        for (text, expected) in [
            ("", true),
            ("SELECT 1;", true),
            ("SELECT 1; -- done", true),
            ("SELECT 1", false),
            ("SELECT ';", false),
            ("SELECT 1; SELECT 2", false),
            ("-- only; a comment", true),
        ] {
            assert_eq!(
                Statements::is_complete(text, Dialect::Generic),
                expected,
                "{text}"
            );
        }
    }
}
