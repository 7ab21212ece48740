//! Input that is too deep or too large ends in a sentence and exit code 1, never in a signal, and
//! nothing long is echoed.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// More than the length of any sentence with its hints.
const LONGEST_MESSAGE: usize = 2000;
/// An argument of a process has at most 128 KiB on Linux.
const LONGEST_ARGUMENT: usize = 120_000;

/// How a statement is passed to the shell.
#[derive(Debug, Clone, Copy)]
enum Way {
    Argument,
    File,
    Stdin,
    Pipeline,
}

const WAYS: [Way; 4] = [Way::Argument, Way::File, Way::Stdin, Way::Pipeline];

/// Runs the shell on a statement, in a folder with a log of one line.
fn run(sql: &str, way: Way) -> Output {
    let folder = TempDir::new().unwrap();
    let file = |name: &str| folder.path().join(name);
    std::fs::write(file("a.log"), "a\n").unwrap();
    std::fs::write(file("s.sql"), sql).unwrap();
    let stdin = match way {
        Way::Stdin => Stdio::from(File::open(file("s.sql")).unwrap()),
        _ => Stdio::null(),
    };
    let arguments = match way {
        Way::Argument => vec!["-q", "--format", "csv", "-c", sql],
        Way::File => vec!["-q", "--format", "csv", "-f", "s.sql"],
        Way::Stdin => vec!["-q", "--format", "csv"],
        Way::Pipeline => vec!["run", "s.sql", "--checkpoint", "checkpoint", "--once"],
    };
    shell(folder.path(), &arguments, stdin)
}

fn shell(folder: &Path, arguments: &[&str], stdin: Stdio) -> Output {
    Command::new(env!("CARGO_BIN_EXE_datafusion-aiops"))
        .args(arguments)
        .current_dir(folder)
        .env("HOME", folder)
        .stdin(stdin)
        .output()
        .unwrap()
}

/// Checks that a statement is refused with a message that contains `expected`.
fn check_refused(name: &str, sql: &str, way: Way, expected: &str) {
    let output = run(sql, way);
    let said = String::from_utf8_lossy(&output.stderr);
    let start: String = said.chars().take(LONGEST_MESSAGE).collect();
    // A process that a signal ends has no code.
    assert_eq!(output.status.code(), Some(1), "{name} {way:?}: {start}");
    assert!(said.starts_with("error: "), "{name} {way:?}: {start}");
    assert!(said.len() <= LONGEST_MESSAGE, "{name} {way:?}: {start}");
    assert!(said.contains(expected), "{name} {way:?}: {start}");
}

/// Checks that a statement is answered, and its last line.
fn check_answered(name: &str, sql: &str, way: Way, expected: &str) {
    let output = run(sql, way);
    let said = String::from_utf8_lossy(&output.stderr);
    let start: String = said.chars().take(LONGEST_MESSAGE).collect();
    assert_eq!(output.status.code(), Some(0), "{name} {way:?}: {start}");
    let answer = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(answer.lines().last(), Some(expected), "{name} {way:?}");
}

fn nested(open: &str, inner: &str, close: &str, n_levels: usize) -> String {
    format!(
        "SELECT {}{inner}{}",
        open.repeat(n_levels),
        close.repeat(n_levels)
    )
}

fn chain(operand: &str, operator: &str, n_operands: usize) -> String {
    format!("SELECT {}", vec![operand; n_operands].join(operator))
}

fn numbered(n: usize, separator: &str, part: impl Fn(usize) -> String) -> String {
    (0..n).map(part).collect::<Vec<_>>().join(separator)
}

const ROW: &str = "operators and brackets in a row";
const OPEN: &str = "nested too deeply";
const PARTS: &str = "SELECTs, joined tables and pipe operators";
const REGEX: &str = "regular expression";

#[test]
fn what_is_nested_too_deeply_is_refused() {
    let n = 5000;
    for (name, sql, expected) in [
        ("brackets", nested("(", "1", ")", 10_000), OPEN),
        ("subqueries", nested("(SELECT ", "1", ")", n), OPEN),
        ("CASE", nested("CASE WHEN true THEN ", "1", " END", n), OPEN),
        ("calls", nested("abs(", "1", ")", n), OPEN),
        ("arrays", nested("[", "1", "]", n), OPEN),
        ("structs", nested("struct(", "1", ")", n), OPEN),
        (
            "type of structs",
            nested("NULL::STRUCT<a ", "INT", ">", n),
            OPEN,
        ),
        (
            "type of arrays",
            nested("NULL::ARRAY<", "INT", ">", n),
            OPEN,
        ),
        ("EXPLAIN", format!("{}SELECT 1", "EXPLAIN ".repeat(n)), OPEN),
        ("NOT", nested("NOT ", "true", "", n), ROW),
        ("minus", nested("- ", "1", "", n), ROW),
        ("type of lists", nested("NULL::INT", "", "[]", n), ROW),
        (
            "column of lists",
            format!("CREATE TABLE t (a INT{})", "[]".repeat(n)),
            ROW,
        ),
        (
            "external column of lists",
            format!(
                "CREATE EXTERNAL TABLE t (a INT{}) STORED AS CSV LOCATION 'a.log'",
                "[]".repeat(n)
            ),
            ROW,
        ),
    ] {
        for way in WAYS {
            check_refused(name, &sql, way, expected);
        }
    }
}

#[test]
fn what_is_chained_too_long_is_refused() {
    let n = 100_000;
    for (name, sql, expected) in [
        ("OR", chain("true", " OR ", n), ROW),
        ("plus", chain("1", "+", n), ROW),
        ("text", chain("'a'", " || ", n), ROW),
        ("casts", chain("1", "::", n), ROW),
        ("IS NULL", nested("1", "", " IS NULL", n), ROW),
        ("subscripts", nested("[1]", "", "[1]", n), ROW),
        ("UNION ALL", chain("1", " UNION ALL SELECT ", n), PARTS),
        ("EXCEPT", chain("1", " EXCEPT SELECT ", n), PARTS),
        (
            "joins",
            format!("SELECT 1 FROM t{}", " CROSS JOIN t".repeat(n)),
            PARTS,
        ),
        (
            "tables",
            format!("SELECT 1 FROM t{}", ", t".repeat(n)),
            PARTS,
        ),
        ("pipes", format!("FROM t{}", " |> LIMIT 1".repeat(n)), PARTS),
        (
            "CTEs",
            format!(
                "WITH a AS (SELECT 1){} SELECT 1",
                ", a AS (FROM a)".repeat(n)
            ),
            PARTS,
        ),
        (
            "values",
            format!("SELECT 1 IN (1{})", ",1".repeat(600_000)),
            "words and symbols",
        ),
    ] {
        check_refused(name, &sql, Way::File, expected);
        check_refused(name, &sql, Way::Stdin, expected);
    }
}

#[test]
fn the_largest_that_is_let_through_is_answered() {
    let t = "FROM (VALUES (1), (2)) t(a)";
    for (name, sql, expected) in [
        (
            "OR",
            format!(
                "SELECT count(*) {t} WHERE {}",
                numbered(490, " OR ", |i| format!("a = {i}"))
            ),
            "2",
        ),
        (
            "plus",
            format!("SELECT max(a{}) {t}", " + a".repeat(600)),
            "1202",
        ),
        (
            "list",
            format!(
                "SELECT count(*) {t} WHERE a IN ({})",
                numbered(20_000, ",", |i| i.to_string())
            ),
            "2",
        ),
        (
            "UNION ALL",
            format!(
                "SELECT count(*) FROM (SELECT 1{})",
                " UNION ALL SELECT 1".repeat(400)
            ),
            "401",
        ),
        (
            "CTEs",
            format!(
                "WITH c0 AS (SELECT 1 AS a), {} SELECT a FROM c300",
                numbered(300, ", ", |i| format!(
                    "c{} AS (SELECT a + 1 AS a FROM c{i})",
                    i + 1
                ))
            ),
            "301",
        ),
        (
            "IS NULL",
            format!("SELECT a{} {t}", " IS NULL".repeat(400)),
            "false",
        ),
        (
            "type",
            format!("SELECT NULL::INT{} AS a", "[]".repeat(900)),
            "\"\"",
        ),
    ] {
        check_answered(name, &sql, Way::File, expected);
    }
}

#[test]
fn long_texts_are_not_echoed() {
    let mega = "x".repeat(1 << 20);
    let deep = format!("{}a{}", "(".repeat(10_000), ")".repeat(10_000));
    let giga = "((a{1000}){1000}){1000}";
    let log = |option: &str| {
        format!("CREATE EXTERNAL TABLE t STORED AS LOG LOCATION 'a.log' OPTIONS ({option})")
    };
    for (name, sql, expected) in [
        (
            "option",
            format!("SELECT log_template('a', '{mega}')"),
            "options are written",
        ),
        (
            "choice",
            format!("SELECT log_template('a', 'style={mega}')"),
            "style must be",
        ),
        (
            "options",
            format!("SELECT log_template('a', '{}')", "a=1,".repeat(200_000)),
            "more than 100 options",
        ),
        (
            "long mask",
            format!("SELECT log_template('a', 'mask={mega}')"),
            REGEX,
        ),
        (
            "deep mask",
            format!("SELECT log_template('a', 'mask={deep}')"),
            REGEX,
        ),
        (
            "large mask",
            format!("SELECT log_template('a', 'mask={giga}')"),
            REGEX,
        ),
        (
            "deep pattern",
            log(&format!("pattern '(?<a>{deep})'")),
            REGEX,
        ),
        (
            "large pattern",
            log(&format!("pattern '(?<a>{giga})'")),
            REGEX,
        ),
        (
            "deep start",
            log(&format!("multiline_start '{deep}'")),
            REGEX,
        ),
        (
            "deep regexp_like",
            format!("SELECT regexp_like('a', '{deep}')"),
            "regex",
        ),
        (
            "column",
            format!("SELECT \"{mega}\" FROM (SELECT 1 AS a)"),
            "no column",
        ),
        ("table", format!("SELECT * FROM \"{mega}\""), "table"),
        (
            "value",
            format!("SELECT CAST('{mega}' AS INT)"),
            "Cannot cast",
        ),
        ("word", mega.clone(), "syntax error"),
        ("open text", format!("SELECT '{mega}"), "Unterminated"),
        (
            "location",
            format!("CREATE EXTERNAL TABLE t STORED AS LOG LOCATION '{mega}'"),
            "",
        ),
        (
            "dump",
            format!("SELECT '{}'", "x".repeat(100 << 20)),
            "16 MiB",
        ),
    ] {
        check_refused(name, &sql, Way::File, expected);
        if sql.len() < LONGEST_ARGUMENT {
            check_refused(name, &sql, Way::Argument, expected);
        }
    }
}

#[test]
fn copies_of_ctes_are_refused() {
    for n_levels in [14, 400] {
        let wide = numbered(n_levels, ", ", |i| {
            format!("c{} AS (SELECT x.a FROM c{i} x, c{i} y)", i + 1)
        });
        let sql = format!("WITH c0 AS (SELECT 1 AS a), {wide} SELECT * FROM c{n_levels}");
        check_refused("copies", &sql, Way::File, "10000 tables");
    }
}

/// A line of 52 kB once ended the process, and a pipeline again at every start.
#[test]
fn lines_of_brackets_end_no_pipeline() {
    let folder = TempDir::new().unwrap();
    let line = |second: usize, message: &str| {
        format!("{{\"ts\": \"2026-11-29T00:00:{second:02}Z\", \"message\": {message}}}\n")
    };
    let deep = format!("{}{}", "[".repeat(400_000), "]".repeat(400_000));
    let log = [line(1, "\"one\""), line(1, &deep), line(59, "\"two\"")].concat();
    std::fs::write(folder.path().join("a.jsonl"), log).unwrap();
    let sql = "CREATE UNBOUNDED EXTERNAL TABLE logs (ts TIMESTAMP, message TEXT) STORED AS LOG LOCATION '*.jsonl' \
               OPTIONS (format 'json'); \
               SELECT message FROM tumble(logs, ts, INTERVAL '1 second');";
    std::fs::write(folder.path().join("p.sql"), sql).unwrap();
    let arguments = [
        "run",
        "p.sql",
        "--checkpoint",
        "c",
        "--once",
        "--format",
        "csv",
    ];
    for expected in ["message\none\n", ""] {
        let output = shell(folder.path(), &arguments, Stdio::null());
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert!(
            String::from_utf8_lossy(&output.stdout).starts_with(expected),
            "{said}"
        );
    }
}

/// DataFusion's own JSON tables, too, read such lines without ending the process, up to a length.
#[test]
fn json_tables_of_datafusion_refuse_lines_of_brackets() {
    let folder = TempDir::new().unwrap();
    let n_levels = 50_000;
    let line = format!(
        "{{\"a\": {}{}}}\n",
        "[".repeat(n_levels),
        "]".repeat(n_levels)
    );
    std::fs::write(folder.path().join("a.json"), line).unwrap();
    for columns in ["", "(a TEXT)", "(b TEXT)"] {
        let sql = format!(
            "CREATE EXTERNAL TABLE t {columns} STORED AS JSON LOCATION 'a.json'; SELECT count(*), max(b) FROM (SELECT *, 1 AS b FROM t)"
        );
        let output = shell(folder.path(), &["-c", &sql], Stdio::null());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code().is_some(), "{columns}: {said}");
        assert!(said.len() <= LONGEST_MESSAGE, "{columns}: {said}");
    }
}
