//! Limits of the size and the depth of a statement, measured by its text alone.
//!
//! A chain such as `a OR b OR c …` is a tree as deep as the chain is long, and so is a chain of
//! casts, of UNION ALL or of joins. The parser and DataFusion's planner grow the stack when they
//! walk such a tree, but dropping, copying, printing and evaluating it do not: a statement that is
//! deep enough would end the process. So a statement is measured before it is parsed. The measure
//! takes one pass over the tokens, and is never less than the depth of the tree.

use datafusion::common::{Result, plan_err};
use datafusion::config::Dialect;
use datafusion::sql::sqlparser::dialect::{GenericDialect, dialect_from_str};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer, Word};

/// The size of the largest text that is read at once. Its tokens take up to a hundred times as much
/// memory. MySQL reads 64 MiB, ClickHouse 256 KiB.
pub(crate) const MAX_STATEMENT_BYTES: usize = 16 << 20;
/// The largest number of words and symbols of one statement, such as an INSERT of a hundred
/// thousand rows of five values. The parser takes up to 0.5 kB for each.
const MAX_TOKENS: usize = 1_000_000;
/// The largest number of operators and open brackets around one value. SQLite and ClickHouse have
/// the same limit.
const MAX_LEVELS: usize = 1000;
/// The largest number of brackets that are open at once, which is the default of the parser's own
/// limit, `datafusion.sql_parser.recursion_limit`. The parser does not count the brackets of types,
/// and takes 20 kB of stack for each of them in a debug build, where a thread has 2 MiB.
const MAX_OPEN_BRACKETS: usize = 50;
/// The same limit for brackets around tables in a FROM that are not subqueries: the parser takes 70
/// kB of stack for each, and does not grow the stack there.
const MAX_TABLE_BRACKETS: usize = 16;
/// The largest number of nested brackets that the parser reads again when it finds an error in
/// them; see [`n_retries`]. Each of them doubles the time, so a statement with one error and
/// twenty-five nested casts would take an hour.
const MAX_RETRIES: usize = 12;
/// The largest number of SELECTs, tables in FROM and pipe operators of one statement, each of which
/// can add a level to the plan. SQLite joins 64 tables and unites 500 queries.
const MAX_QUERY_PARTS: usize = 1000;

/// Keywords that are followed by a value.
const OPERATORS: [Keyword; 14] = [
    Keyword::AND,
    Keyword::BETWEEN,
    Keyword::COLLATE,
    Keyword::DISTINCT,
    Keyword::DIV,
    Keyword::ESCAPE,
    Keyword::ILIKE,
    Keyword::IN,
    Keyword::IS,
    Keyword::LIKE,
    Keyword::NOT,
    Keyword::OR,
    Keyword::TO,
    Keyword::XOR,
];

/// How often the parser (sqlparser 0.62) reads a bracket after this word again if it finds an error
/// inside: it tries the word's own syntax first, then a call of a function with this name.
fn n_retries(word: Keyword) -> usize {
    match word {
        Keyword::POSITION => 2,
        Keyword::ARRAY
        | Keyword::CASE
        | Keyword::CAST
        | Keyword::CEIL
        | Keyword::CONVERT
        | Keyword::CURRENT_CATALOG
        | Keyword::CURRENT_DATE
        | Keyword::CURRENT_TIME
        | Keyword::CURRENT_TIMESTAMP
        | Keyword::CURRENT_USER
        | Keyword::EXISTS
        | Keyword::EXTRACT
        | Keyword::FLOOR
        | Keyword::INTERVAL
        | Keyword::LOCALTIME
        | Keyword::LOCALTIMESTAMP
        | Keyword::MAP
        | Keyword::MATCH
        | Keyword::NOT
        | Keyword::OVERLAY
        | Keyword::SAFE_CAST
        | Keyword::SESSION_USER
        | Keyword::STRUCT
        | Keyword::SUBSTR
        | Keyword::SUBSTRING
        | Keyword::TRIM
        | Keyword::TRY_CAST
        | Keyword::TRY_CONVERT
        | Keyword::USER => 1,
        _ => 0,
    }
}

/// Refuses a text with a statement that is too large or too deep to be parsed and planned safely.
/// Call this before the text is parsed. A text that passes can still be invalid SQL.
///
/// # Errors
/// A plan error that says which limit was met and what to write instead.
pub(crate) fn check_size(sql: &str, dialect: Dialect) -> Result<()> {
    if sql.len() > MAX_STATEMENT_BYTES {
        return plan_err!(
            "the SQL text has {} MiB, at most {} MiB are read at once: load data from files, with CREATE EXTERNAL TABLE, \
             or pipe the statements in one by one",
            sql.len().div_ceil(1 << 20),
            MAX_STATEMENT_BYTES >> 20
        );
    }
    let mut tokens = vec![];
    let dialect = dialect_from_str(dialect).unwrap_or_else(|| Box::new(GenericDialect {}));
    // The tokens before an error are measured; the parser reports the error.
    let _ = Tokenizer::new(dialect.as_ref(), sql).tokenize_with_location_into_buf(&mut tokens);
    let mut measure = Measure::default();
    let tokens = tokens.iter().map(|token| &token.token);
    for token in tokens.filter(|token| !matches!(token, Token::Whitespace(_))) {
        measure.add(token);
        measure.check()?;
    }
    Ok(())
}

/// The measure of a statement so far.
#[derive(Debug, Default)]
struct Measure {
    n_tokens: usize,
    n_query_parts: usize,
    /// The brackets that are open, outermost first.
    open: Vec<Bracket>,
    /// The text outside of all brackets.
    outside: Bracket,
    /// The sum over `outside` and `open`.
    n_levels: usize,
    /// The number of open brackets that are around tables.
    n_table_brackets: usize,
    /// The sum over the open brackets.
    n_retries: usize,
    last: Last,
    /// The keyword of the previous token, if it is a word.
    last_word: Option<Keyword>,
}

/// The contents of a bracket so far.
#[derive(Debug, Default)]
struct Bracket {
    kind: BracketKind,
    /// The number of operators and brackets since the last comma: each element of a list is
    /// measured by itself.
    n_levels: usize,
    /// Whether a comma adds a table to a FROM.
    is_in_from: bool,
    /// Whether the bracket is around a table.
    is_table: bool,
    n_retries: usize,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum BracketKind {
    /// `(`, `[`, `{`.
    #[default]
    Symbol,
    /// The `<` of a type.
    Type,
    /// CASE, up to its END.
    Case,
    /// EXPLAIN, around another statement.
    Statement,
}

/// The kind of the previous token, on which the meaning of the next one depends.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Last {
    /// A value, a name, a closed bracket, a word of a clause: what follows may begin a clause.
    #[default]
    Operand,
    /// An opening bracket.
    Opening,
    /// A table follows: FROM, JOIN, a comma between tables, MERGE and the like, or a bracket around
    /// a table.
    TableStart,
    /// A symbol or a word that is followed by a value, so that a SELECT there is a column name.
    Operator,
    /// The name of a type that has other types in `<…>`.
    NestedType,
}

impl Measure {
    fn add(&mut self, token: &Token) {
        self.n_tokens += 1;
        let last = std::mem::take(&mut self.last);
        let last_word = std::mem::take(&mut self.last_word);
        if let Token::Word(word) = token {
            self.last_word = Some(word.keyword);
        }
        match token {
            Token::SemiColon => *self = Self::default(),
            Token::Comma => {
                self.separate();
                if self.innermost().is_in_from {
                    self.last = Last::TableStart;
                }
            }
            Token::LParen if last == Last::TableStart => self.open_table(),
            Token::LParen | Token::LBracket | Token::LBrace => {
                self.open(BracketKind::Symbol);
                let n_retries = last_word.map_or(0, n_retries);
                self.innermost().n_retries = n_retries;
                self.n_retries += n_retries;
            }
            Token::RParen | Token::RBracket | Token::RBrace => self.close_symbol(),
            Token::Lt if last == Last::NestedType => self.open(BracketKind::Type),
            Token::Gt if self.is_within(BracketKind::Type) => self.close(),
            Token::ShiftRight if self.is_within(BracketKind::Type) => {
                self.close();
                self.close_if(BracketKind::Type);
            }
            Token::Word(word) => self.add_word(word, last),
            Token::VerticalBarRightAngleBracket => self.begin_query_part(),
            token if is_operand(token) => {}
            _ => self.add_operator(),
        }
    }

    fn add_word(&mut self, word: &Word, last: Last) {
        // After an operator, a keyword is a column name and begins no clause.
        let is_name = word.quote_style.is_some() || last == Last::Operator;
        match word.keyword {
            Keyword::NoKeyword | Keyword::AS | Keyword::BY | Keyword::NULL => {}
            Keyword::CASE => self.open(BracketKind::Case),
            Keyword::ARRAY | Keyword::STRUCT | Keyword::MAP | Keyword::TABLE => {
                self.add_level();
                self.last = Last::NestedType;
            }
            keyword if OPERATORS.contains(&keyword) => self.add_operator(),
            _ if is_name => self.add_level(),
            Keyword::EXPLAIN => self.open(BracketKind::Statement),
            Keyword::END => self.close_if(BracketKind::Case),
            Keyword::WHEN | Keyword::THEN | Keyword::ELSE if self.is_within(BracketKind::Case) => {
                self.separate();
            }
            Keyword::SELECT => {
                self.begin_query();
                self.begin_query_part();
            }
            Keyword::UNION | Keyword::EXCEPT | Keyword::INTERSECT => self.begin_query_part(),
            Keyword::WITH | Keyword::VALUES => {
                self.begin_query();
                self.add_level();
            }
            Keyword::JOIN => {
                self.begin_query_part();
                self.innermost().is_in_from = true;
                self.last = Last::TableStart;
            }
            Keyword::FROM => {
                let is_first = matches!(last, Last::Opening | Last::TableStart);
                self.n_query_parts += usize::from(is_first);
                if is_first {
                    self.begin_query();
                }
                self.innermost().is_in_from = true;
                self.add_level();
                self.last = Last::TableStart;
            }
            Keyword::INTO | Keyword::MERGE | Keyword::UPDATE | Keyword::USING => {
                self.add_level();
                self.last = Last::TableStart;
            }
            Keyword::WHERE | Keyword::GROUP | Keyword::HAVING | Keyword::ORDER => {
                self.innermost().is_in_from = false;
                self.add_level();
            }
            _ => self.add_level(),
        }
    }

    fn add_operator(&mut self) {
        self.last = Last::Operator;
        self.add_level();
    }

    fn add_level(&mut self) {
        self.innermost().n_levels += 1;
        self.n_levels += 1;
    }

    fn begin_query_part(&mut self) {
        self.n_query_parts += 1;
        self.innermost().is_in_from = false;
        self.separate();
    }

    /// Begins a new element: the tokens before it in this bracket do not make it deeper.
    fn separate(&mut self) {
        let bracket = self.innermost();
        let n_levels = std::mem::take(&mut bracket.n_levels);
        let is_table = bracket.is_in_from;
        self.n_query_parts += usize::from(is_table);
        self.n_levels -= n_levels;
    }

    fn open(&mut self, kind: BracketKind) {
        self.add_level();
        self.open.push(Bracket {
            kind,
            ..Bracket::default()
        });
        self.last = Last::Opening;
    }

    /// Marks the innermost bracket as one around a query, for which the parser does grow the stack.
    fn begin_query(&mut self) {
        let is_table = std::mem::take(&mut self.innermost().is_table);
        self.n_table_brackets -= usize::from(is_table);
    }

    fn open_table(&mut self) {
        self.open(BracketKind::Symbol);
        self.n_table_brackets += 1;
        let bracket = self.innermost();
        (bracket.is_table, bracket.is_in_from) = (true, true);
        self.last = Last::TableStart;
    }

    fn close(&mut self) {
        if let Some(closed) = self.open.pop() {
            self.n_levels -= closed.n_levels;
            self.n_table_brackets -= usize::from(closed.is_table);
            self.n_retries -= closed.n_retries;
        }
    }

    fn close_if(&mut self, kind: BracketKind) {
        if self.is_within(kind) {
            self.close();
        }
    }

    /// Closes a bracket, and everything in it that only seemed to be opened.
    fn close_symbol(&mut self) {
        while self
            .open
            .last()
            .is_some_and(|open| open.kind != BracketKind::Symbol)
        {
            self.close();
        }
        self.close();
    }

    fn is_within(&self, kind: BracketKind) -> bool {
        self.open.last().is_some_and(|open| open.kind == kind)
    }

    fn innermost(&mut self) -> &mut Bracket {
        self.open.last_mut().unwrap_or(&mut self.outside)
    }

    fn check(&self) -> Result<()> {
        if self.n_tokens > MAX_TOKENS {
            return plan_err!(
                "the statement has more than {MAX_TOKENS} words and symbols: load data from files, with CREATE EXTERNAL TABLE, \
                 or divide the statement"
            );
        }
        if self.n_table_brackets > MAX_TABLE_BRACKETS {
            return plan_err!(
                "the statement is nested too deeply, more than {MAX_TABLE_BRACKETS} brackets are open around a table of a FROM: name its \
                 parts, WITH part AS (SELECT …) SELECT … FROM part"
            );
        }
        if self.n_retries > MAX_RETRIES {
            return plan_err!(
                "the statement is nested too deeply, more than {MAX_RETRIES} brackets of CAST, NOT, SUBSTRING and the like are open \
                 at once: name its parts, WITH part AS (SELECT …) SELECT … FROM part"
            );
        }
        if self.open.len() > MAX_OPEN_BRACKETS {
            return plan_err!(
                "the statement is nested too deeply, more than {MAX_OPEN_BRACKETS} brackets are open at once: name its parts, \
                 WITH part AS (SELECT …) SELECT … FROM part"
            );
        }
        if self.n_levels > MAX_LEVELS {
            return plan_err!(
                "an expression has more than {MAX_LEVELS} operators and brackets in a row: write x IN (1, 2, …) for \
                 x = 1 OR x = 2 OR …, or join a table of the values"
            );
        }
        if self.n_query_parts > MAX_QUERY_PARTS {
            return plan_err!(
                "the statement has more than {MAX_QUERY_PARTS} SELECTs, joined tables and pipe operators: write part of it into \
                 a table first, CREATE TABLE part AS SELECT …"
            );
        }
        Ok(())
    }
}

/// Whether a token is a value or part of a name, which adds no level.
fn is_operand(token: &Token) -> bool {
    matches!(
        token,
        Token::EOF
            | Token::Number(..)
            | Token::SingleQuotedString(_)
            | Token::DoubleQuotedString(_)
            | Token::TripleSingleQuotedString(_)
            | Token::TripleDoubleQuotedString(_)
            | Token::DollarQuotedString(_)
            | Token::SingleQuotedByteStringLiteral(_)
            | Token::DoubleQuotedByteStringLiteral(_)
            | Token::SingleQuotedRawStringLiteral(_)
            | Token::DoubleQuotedRawStringLiteral(_)
            | Token::NationalStringLiteral(_)
            | Token::QuoteDelimitedStringLiteral(_)
            | Token::EscapedStringLiteral(_)
            | Token::UnicodeStringLiteral(_)
            | Token::HexStringLiteral(_)
            | Token::Placeholder(_)
            | Token::Period
    )
}

#[cfg(test)]
mod tests {
    use super::{
        MAX_LEVELS, MAX_OPEN_BRACKETS, MAX_QUERY_PARTS, MAX_RETRIES, MAX_STATEMENT_BYTES,
        MAX_TABLE_BRACKETS, MAX_TOKENS, check_size,
    };
    use datafusion::config::Dialect;

    fn said(sql: &str) -> String {
        match check_size(sql, Dialect::Generic) {
            Ok(()) => String::new(),
            Err(error) => error.message().into_owned(),
        }
    }

    /// Checks that a text with `n_parts` repeated parts passes, and that one more part is refused
    /// with this message.
    fn check(text: impl Fn(usize) -> String, n_parts: usize, expected: &str) {
        let (most, more) = (text(n_parts), text(n_parts + 1));
        let start: String = most.chars().take(60).collect();
        assert_eq!(said(&most), "", "{start}");
        assert!(said(&more).contains(expected), "{start}: {}", said(&more));
    }

    #[test]
    fn chains_have_a_limit() {
        let row = "operators and brackets in a row";
        for operator in ["+", "OR", "||", "AND", "IS DISTINCT FROM", "->"] {
            let n_keywords = operator.split(' ').count();
            let chain = |n| format!("SELECT 1{}", format!(" {operator} 1").repeat(n));
            check(chain, MAX_LEVELS / n_keywords, row);
        }
        for before in ["- ", "NOT "] {
            check(|n| format!("SELECT {}1", before.repeat(n)), MAX_LEVELS, row);
        }
        for (after, n_levels) in [("::INT", 2), ("[1]", 1), (" IS NULL", 1), ("(1)", 1)] {
            let chain = |n| format!("SELECT 1{}", after.repeat(n));
            check(chain, MAX_LEVELS / n_levels, row);
        }
        // A keyword that is a column name begins no clause.
        for name in ["select", "union", "when", "then", "join"] {
            let chain = |n| format!("SELECT 1{}", format!(" OR {name}").repeat(n));
            check(chain, MAX_LEVELS / 2, row);
        }
    }

    #[test]
    fn brackets_have_a_limit() {
        for (open, close) in [
            ("(", ")"),
            ("[", "]"),
            ("abs(", ")"),
            ("CASE WHEN a THEN ", " END"),
            ("1::STRUCT<a INT, b ", ">"),
            ("1::ARRAY<", ">"),
            ("(SELECT 1, ", ")"),
        ] {
            let nested = |n| format!("SELECT {}1{}", open.repeat(n), close.repeat(n));
            check(nested, MAX_OPEN_BRACKETS, "nested too deeply");
        }
        for (open, close, n_retries) in [
            ("CAST(", " AS INT)", 1),
            ("abs(CAST(", " AS INT))", 1),
            ("NOT (", ")", 1),
            ("CASE (", ") WHEN 1 THEN 2 END", 1),
            ("ARRAY[", "]", 1),
            ("POSITION(", " IN 'x')", 2),
        ] {
            let nested = |n| format!("SELECT {}1{}", open.repeat(n), close.repeat(n));
            check(nested, MAX_RETRIES / n_retries, "brackets of CAST");
            // Side by side, they are not deeper.
            let row = format!(
                "SELECT {open}1{close}{}",
                format!(", {open}1{close}").repeat(99)
            );
            assert_eq!(said(&row), "");
        }
        for (open, close) in [("(", ")"), ("(a, ", ")"), ("(a JOIN ", " ON x = y)")] {
            let tables = |n| {
                format!(
                    "SELECT f((x)) FROM {}t{} WHERE x",
                    open.repeat(n),
                    close.repeat(n)
                )
            };
            check(tables, MAX_TABLE_BRACKETS, "around a table");
        }
        for start in ["MERGE ", "MERGE INTO t USING ", "UPDATE ", "INSERT INTO "] {
            let tables = |n| format!("{start}{}t{}", "(".repeat(n), ")".repeat(n));
            check(tables, MAX_TABLE_BRACKETS, "around a table");
        }
        for query in ["SELECT a, b FROM ", "FROM ", "WITH c SELECT 1 FROM "] {
            let queries = |n| format!("FROM {}t{}", format!("({query}").repeat(n), ")".repeat(n));
            check(queries, MAX_OPEN_BRACKETS, "nested too deeply");
        }
        check(
            |n| format!("{}SELECT 1", "EXPLAIN ".repeat(n)),
            MAX_OPEN_BRACKETS,
            "nested too deeply",
        );
    }

    #[test]
    fn parts_of_queries_have_a_limit() {
        let parts = "SELECTs, joined tables and pipe operators";
        let n = MAX_QUERY_PARTS;
        check(
            |n| format!("SELECT 1 FROM t{}", " JOIN u ON a = b".repeat(n - 1)),
            n,
            parts,
        );
        check(
            |n| format!("SELECT 1, 2 FROM t{}", ", u".repeat(n - 1)),
            n,
            parts,
        );
        check(
            |n| format!("FROM t{}", " |> SELECT a, b".repeat(n / 2)),
            n + 1,
            parts,
        );
        check(
            |n| {
                format!(
                    "WITH a AS (SELECT 1){} SELECT 1",
                    ", b AS (SELECT 1)".repeat(n - 2)
                )
            },
            n,
            parts,
        );
        check(
            |n| {
                format!(
                    "WITH a AS (FROM t){} SELECT 1",
                    ", b AS (FROM a)".repeat(n - 2)
                )
            },
            n,
            parts,
        );
        check(
            |n| format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(n)),
            n / 2 - 1,
            parts,
        );
    }

    #[test]
    fn size_has_a_limit() {
        let list = |n| format!("SELECT 1 IN (1{})", ", 1".repeat(n));
        check(list, (MAX_TOKENS - 6) / 2, "words and symbols");
        let long = |n| format!("SELECT '{}'", "x".repeat(n));
        check(long, MAX_STATEMENT_BYTES - 9, "17 MiB");
    }

    #[test]
    fn what_is_wide_is_not_deep() {
        for sql in [
            format!(
                "INSERT INTO t VALUES {}(1, - 2)",
                "(1 + 2, -3), ".repeat(20_000)
            ),
            format!("SELECT {} 1", "a.b + 1 AS c, ".repeat(20_000)),
            format!(
                "SELECT CASE {} END",
                "WHEN a = 1 AND b THEN 2 ".repeat(20_000)
            ),
            format!(
                "SELECT 1; {}",
                "SELECT a + 1 FROM t WHERE b = 2; ".repeat(20_000)
            ),
            format!(
                "SELECT 1{}",
                " UNION ALL SELECT a + 1 FROM t WHERE b > 2 AND c".repeat(400)
            ),
            format!("SELECT a FROM t ORDER BY {} a", "b DESC, ".repeat(5000)),
            format!(
                "CREATE TABLE t ({} a INT)",
                "b ARRAY<INT>, c STRUCT<d INT>, ".repeat(5000)
            ),
        ] {
            let start: String = sql.chars().take(60).collect();
            assert_eq!(said(&sql), "", "{start}");
        }
    }
}
