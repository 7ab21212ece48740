//! The shell's binary, run as its users run it.
#![allow(clippy::unwrap_used)] // a test that cannot be set up has failed

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// What a run left behind.
#[derive(Debug)]
struct Run {
    code: i32,
    stdout: String,
    stderr: String,
}

/// Runs the shell in a new empty folder, or in `folder`.
fn shell_in(folder: &Path, arguments: &[&str], stdin: &str) -> Run {
    let mut child = Command::new(env!("CARGO_BIN_EXE_datafusion-aiops"))
        .args(arguments)
        .current_dir(folder)
        .env("HOME", folder)
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("XDG_STATE_HOME")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A shell that has failed closes its end early.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let output = child.wait_with_output().unwrap();
    Run {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn shell(arguments: &[&str]) -> Run {
    shell_in(tempfile::tempdir().unwrap().path(), arguments, "")
}

/// Runs a statement as CSV and compares what it prints.
fn check(sql: &str, expected: &str) {
    let run = shell(&["--format", "csv", "-c", sql]);
    assert_eq!(
        (run.stdout.as_str(), run.stderr.as_str(), run.code),
        (expected, "", 0),
        "{sql}"
    );
}

/// Runs a statement that fails and compares what it says.
fn check_error(sql: &str, expected: &str) {
    let run = shell(&["-c", sql]);
    assert_eq!(
        (run.stdout.as_str(), run.stderr.as_str(), run.code),
        ("", expected, 1),
        "{sql}"
    );
}

#[test]
fn help_says_what_this_is_and_ends_with_examples() {
    let run = shell(&["--help"]);
    assert_eq!(run.code, 0);
    assert!(
        run.stdout
            .starts_with("datafusion-aiops runs SQL over log files"),
        "{}",
        run.stdout
    );
    let (_, examples) = run.stdout.split_once("Examples:").unwrap();
    for missing in ["cluster", "anomal", "forecast"] {
        assert!(!run.stdout.contains(missing), "{missing}");
    }
    for part in [
        "-c \"CREATE EXTERNAL TABLE logs STORED AS LOG LOCATION '/var/log/app/'; SELECT log_template(message) AS template, count(*) AS n FROM logs GROUP BY 1 ORDER BY n DESC LIMIT 10\"",
        "FROM 'logs.parquet'",
        "datafusion-aiops -f job.sql",
        "CREATE UNBOUNDED EXTERNAL TABLE logs",
        "journalctl -f | datafusion-aiops -c",
        "FROM stdin",
    ] {
        assert!(examples.contains(part), "{part}");
    }
    let version = shell(&["-V"]).stdout;
    assert_eq!(
        version,
        format!("datafusion-aiops {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn wrong_arguments_are_refused() {
    for arguments in [
        vec!["--format", "bogus"],
        vec!["-c", " "],
        vec!["-m", "lots"],
        vec!["-b", "0"],
        vec!["-p", "/no/such/folder"],
    ] {
        let run = shell(&arguments);
        assert_eq!(run.code, 2, "{arguments:?}");
        assert!(
            run.stderr.starts_with("error: "),
            "{arguments:?}: {}",
            run.stderr
        );
    }
}

#[test]
fn a_table_is_printed_and_nothing_else() {
    let run = shell(&["-c", "SELECT 1 AS a, NULL AS b"]);
    let expected = "+---+------+\n| a | b    |\n+---+------+\n| 1 | NULL |\n+---+------+\n";
    assert_eq!(
        (run.stdout.as_str(), run.stderr.as_str(), run.code),
        (expected, "", 0)
    );
}

#[test]
fn statements_are_cut_as_the_parser_reads_them() {
    check("SELECT 1 AS a; SELECT 2 AS b;", "a\n1\nb\n2\n");
    check("SELECT ';' AS a; -- no; end\nSELECT 2 AS b", "a\n;\nb\n2\n");
    check("/* a; */ SELECT 'it''s; fine' AS a", "a\nit's; fine\n");
    let run = shell(&["--command=-- only; a comment"]);
    assert_eq!(
        (run.stdout.as_str(), run.stderr.as_str(), run.code),
        ("", "", 0)
    );
    let run = shell(&["--format", "csv", "-c", "SELECT 1 AS a", "SELECT 2 AS b"]);
    assert_eq!(run.stdout, "a\n1\nb\n2\n");
}

#[test]
fn no_format_but_tables_loses_rows() {
    const ALL: &str = "SELECT value FROM generate_series(1, 100000)";
    let csv = shell(&["--format", "csv", "-c", ALL]).stdout;
    assert_eq!(csv.lines().count(), 100_001);
    assert_eq!(csv.lines().last(), Some("100000"));
    let tsv = shell(&["--format", "tsv", "-c", ALL]).stdout;
    assert_eq!(tsv.lines().count(), 100_001);
    let json_lines = shell(&["--format", "nd-json", "-c", ALL]).stdout;
    assert_eq!(json_lines.lines().count(), 100_000);
    let json = shell(&["--format", "json", "-c", ALL]).stdout;
    let rows: Vec<serde_json::Value> = serde_json::from_str(&json).unwrap();
    assert_eq!(rows.len(), 100_000);
    assert_eq!(rows[99_999]["value"], 100_000);
    let all = shell(&["--maxrows", "inf", "-c", ALL]);
    assert_eq!(
        (all.stdout.lines().count(), all.stderr.as_str()),
        (100_004, "")
    );
}

#[test]
fn a_cut_table_says_so() {
    let sql = "SELECT value FROM generate_series(1, 100000)";
    let run = shell(&["--maxrows", "5", "-c", sql]);
    assert_eq!(run.stdout.lines().count(), 12);
    assert_eq!(
        run.stderr,
        "note: 100000 rows, the first 5 are shown; --maxrows inf shows all\n"
    );
    assert_eq!(shell(&["-q", "--maxrows", "5", "-c", sql]).stderr, "");
    assert_eq!(shell(&["--maxrows", "100000", "-c", sql]).stderr, "");
}

#[test]
fn the_first_failing_statement_ends_the_run() {
    let run = shell(&[
        "--format",
        "csv",
        "-c",
        "SELECT 1 AS a; SELECT nope; SELECT 3",
    ]);
    assert_eq!((run.stdout.as_str(), run.code), ("a\n1\n", 1));
    assert_eq!(run.stderr, "error: there is no column nope\n");
    let run = shell(&["--format", "csv", "-c", "SELECT nope", "SELECT 3"]);
    assert_eq!((run.stdout.as_str(), run.code), ("", 1));
}

#[test]
fn a_failing_file_names_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    file(
        "good.sql",
        "#!/usr/bin/env datafusion-aiops\n-- a job; its first line\nSELECT 1 AS a;\n\nSELECT\n  2 AS b\n",
    );
    file(
        "plan.sql",
        "SELECT 1 AS a;\n\n\nSELECT *\nFROM nope;\nSELECT 3;",
    );
    file("run.sql", "SELECT 1 AS a;\n\nSELECT\n1 / 0; SELECT 3;");
    file("parse.sql", "SELECT 1 AS a;\n\nSELECT 2 AS a;\nSELEC 3;");
    let run = |arguments: &[&str]| {
        shell_in(
            folder.path(),
            &[&["--format", "csv"], arguments].concat(),
            "",
        )
    };

    let good = run(&["-f", "good.sql"]);
    assert_eq!(
        (good.stdout.as_str(), good.stderr.as_str(), good.code),
        ("a\n1\nb\n2\n", "", 0)
    );
    let both = run(&["-c", "SELECT 3 AS c", "-f", "good.sql"]);
    assert_eq!(both.stdout, "a\n1\nb\n2\nc\n3\n");
    for (name, place) in [
        ("plan.sql", "error: plan.sql:5:6: table 'nope' not found\n"),
        ("run.sql", "error: run.sql:3: Divide by zero error\n"),
        (
            "parse.sql",
            "error: parse.sql:4:1: syntax error: expected an SQL statement, found SELEC\n",
        ),
    ] {
        let bad = run(&["-f", name, "good.sql"]);
        assert!(
            bad.stdout.starts_with("a\n1\n") && !bad.stdout.contains('3'),
            "{name}: {}",
            bad.stdout
        );
        assert!(bad.stderr.starts_with(place), "{name}: {}", bad.stderr);
        assert_eq!(bad.code, 1, "{name}");
    }
    let missing = run(&["-f", "missing.sql"]);
    assert_eq!(
        missing.stderr,
        "error: the file 'missing.sql' cannot be read: No such file or directory (os error 2)\n"
    );
    assert_eq!(missing.code, 1);
}

#[test]
fn sql_comes_through_a_pipe() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [vec!["--format", "csv"], vec!["--format", "csv", "-f", "-"]] {
        let piped = |sql: &str| shell_in(folder.path(), &arguments, sql);
        let run = piped("SELECT 1 AS a;\nSELECT ';'\n AS b; SELECT 3 AS c");
        assert_eq!(
            (run.stdout.as_str(), run.stderr.as_str(), run.code),
            ("a\n1\nb\n;\nc\n3\n", "", 0)
        );
        let run = piped("SELECT 1 AS a;\n\nSELECT abs('x');\nSELECT 3;\n");
        assert_eq!((run.stdout.as_str(), run.code), ("a\n1\n", 1));
        assert!(
            run.stderr
                .starts_with("error: standard input:3: abs cannot be called"),
            "{}",
            run.stderr
        );
        let run = piped("");
        assert_eq!(
            (run.stdout.as_str(), run.stderr.as_str(), run.code),
            ("", "", 0)
        );
    }
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        0,
        "no history is written"
    );
}

#[test]
fn files_are_tables() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let run = |sql: &str| {
        shell_in(
            folder.path(),
            &["--format", "csv", "-p", path, "-c", sql],
            "",
        )
    };
    let made = run(
        "COPY (SELECT value AS n, 'error ' || value AS message FROM range(0, 5)) TO 'a.parquet';
         COPY (SELECT 1 AS n) TO 'a.csv' STORED AS CSV OPTIONS ('format.has_header' 'true');
         COPY (SELECT 2 AS n) TO 'a.json';",
    );
    assert_eq!(
        (made.stdout.as_str(), made.stderr.as_str()),
        ("count\n5\ncount\n1\ncount\n1\n", "")
    );
    for (sql, expected) in [
        ("SELECT sum(n) AS s FROM 'a.parquet'", "s\n10\n"),
        ("SELECT n FROM 'a.csv'", "n\n1\n"),
        ("SELECT n FROM 'a.json'", "n\n2\n"),
        (
            "FROM 'a.parquet' |> WHERE n > 2 |> SELECT message |> LIMIT 1",
            "message\nerror 3\n",
        ),
        (
            "COPY (FROM 'a.parquet' |> LIMIT 2) TO 'b.csv'; SELECT count(*) AS c FROM 'b.csv'",
            "count\n2\nc\n2\n",
        ),
        (
            "CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION 'a.parquet'; SELECT count(*) AS c FROM t",
            "c\n5\n",
        ),
        (
            "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION 'a.csv' OPTIONS ('format.has_header' 'true'); SELECT n FROM t",
            "n\n1\n",
        ),
        (
            "SELECT DISTINCT filename FROM parquet_metadata('a.parquet')",
            "filename\na.parquet\n",
        ),
    ] {
        let run = run(sql);
        assert_eq!(
            (run.stdout.as_str(), run.stderr.as_str()),
            (expected, ""),
            "{sql}"
        );
    }
}

#[test]
fn show_describe_and_explain_work() {
    check(
        "SHOW FUNCTIONS LIKE 'lower'",
        "function_name,return_type,parameters,parameter_types,function_type,description,syntax_example\nlower,String,\"[\"\"str\"\"]\",\"[\"\"String\"\"]\",SCALAR,Converts a string to lower-case.,lower(str)\n",
    );
    check(
        "CREATE TABLE t AS SELECT 1 AS a; DESCRIBE t",
        "column_name,data_type,is_nullable\na,Int64,NO\n",
    );
    let plan = shell(&["-c", "EXPLAIN SELECT 1"]).stdout;
    assert!(plan.contains("┌───"), "{plan}");
}

#[test]
fn dialects_and_pipes() {
    check(
        "CREATE TABLE t AS VALUES (1), (2), (3); FROM t |> WHERE column1 > 1 |> AGGREGATE sum(column1) AS s",
        "s\n5\n",
    );
    check(
        "CREATE TABLE t AS VALUES (1), (2); SET datafusion.sql_parser.dialect = 'BigQuery'; SELECT * FROM `t` |> WHERE column1 > 1; SELECT 'a\\';' AS b",
        "column1\n2\nb\na';\n",
    );
    check_error(
        "SET datafusion.sql_parser.dialect = 'Klingon'",
        "error: Invalid Dialect: Klingon. Expected one of: Generic, MySQL, PostgreSQL, Hive, SQLite, Snowflake, Redshift, MsSQL, ClickHouse, BigQuery, Ansi, DuckDB, Databricks, Spark\n",
    );
}

#[test]
fn misread_calls_are_refused() {
    check_error(
        "SELECT lower('A') OVER ()",
        "error: lower is a scalar function and takes no OVER clause: remove it\n",
    );
    check_error(
        "SELECT abs(1) FILTER (WHERE true)",
        "error: abs is a scalar function and takes no FILTER clause: remove it\n",
    );
    check_error(
        "CREATE TABLE t AS SELECT row_number()",
        "error: row_number is a window function: write row_number(...) OVER (...)\n",
    );
    check(
        "SELECT row_number() OVER () AS n, count(*) FILTER (WHERE true) OVER () AS c",
        "n,c\n1,1\n",
    );
}

#[test]
fn errors_are_sentences_with_hints() {
    check_error(
        "SELECT zzz_nonsense('x')",
        "error: Invalid function 'zzz_nonsense'\nhint: SHOW FUNCTIONS LIKE 'zzz%' lists functions with such a name\n",
    );
    check_error(
        "SELECT lowe('x')",
        "error: Invalid function 'lowe'. Did you mean 'lower'?\nhint: SHOW FUNCTIONS LIKE 'low%' lists functions with such a name\n",
    );
    check_error(
        "SELECT sum('x')",
        "error: sum cannot be called as sum(Utf8)\nhint: it is called as sum(Decimal), sum(UInt64), sum(Int64), sum(Float64), sum(Duration) or sum(Interval)\n",
    );
    check_error(
        "SELECT nope FROM (SELECT 1 AS i) t",
        "error: there is no column nope\nhint: the columns are i\n",
    );
    check_error(
        "CREATE EXTERNAL TABLE t STORED AS FOO LOCATION 'x' OPTIONS ('pattern' '.*')",
        "error: there is no table format FOO\nhint: STORED AS takes PARQUET, CSV, JSON, ARROW, AVRO, LOG or SQLITE\n",
    );
    check_error("SELECT 1 / 0", "error: Divide by zero error\n");
    let run = shell(&["-c", "SELECT * FROM 'nope.parquet'"]).stderr;
    assert!(
        run.starts_with(
            "error: there is no table and no file 'nope.parquet'\nhint: a file is named in quotes"
        ),
        "{run}"
    );
    let run = shell(&[
        "-m",
        "1m",
        "-c",
        "SELECT array_agg(value) FROM range(0, 10000000)",
    ]);
    assert!(
        run.stderr.starts_with("error: memory is exhausted: "),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr
            .ends_with("hint: -m allows more, for example -m 4g\n"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_query_that_never_ends_is_refused_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("live.csv"), "1\n").unwrap();
    for (query, reason) in [
        (
            "SELECT a, count(*) FROM live GROUP BY a",
            "it aggregates all rows",
        ),
        ("SELECT * FROM live ORDER BY a", "it sorts all rows"),
    ] {
        let sql = format!(
            "CREATE UNBOUNDED EXTERNAL TABLE live (a INT) STORED AS CSV LOCATION 'live.csv'; {query}"
        );
        let run = shell_in(folder.path(), &["-c", &sql], "");
        let expected = format!(
            "error: the query has a result only when its live table ends, which it never does: {reason}\nhint: leave UNBOUNDED out of CREATE EXTERNAL TABLE to ask about what is there now\n"
        );
        assert_eq!((run.stderr, run.code), (expected, 1));
    }
}

#[test]
fn a_live_table_streams_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("live.csv"), "1\n2\n").unwrap();
    let sql = "CREATE UNBOUNDED EXTERNAL TABLE live (a INT) STORED AS CSV LOCATION 'live.csv' OPTIONS ('format.has_header' 'false'); SELECT a FROM live";
    for (format, expected) in [
        ("automatic", "a\n1\n2\n"),
        ("table", "a\n1\n2\n"),
        ("csv", "a\n1\n2\n"),
        ("json", "{\"a\":1}\n{\"a\":2}\n"),
    ] {
        let run = shell_in(folder.path(), &["--format", format, "-c", sql], "");
        assert_eq!(
            (run.stdout.as_str(), run.stderr.as_str()),
            (expected, ""),
            "{format}"
        );
    }
}

#[test]
fn the_environment_configures_the_session() {
    let output = Command::new(env!("CARGO_BIN_EXE_datafusion-aiops"))
        .args([
            "--format",
            "csv",
            "-c",
            "SHOW datafusion.execution.batch_size",
        ])
        .env("DATAFUSION_EXECUTION_BATCH_SIZE", "77")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.ends_with("datafusion.execution.batch_size,77\n"),
        "{text}"
    );
}

#[test]
fn startup_files_run_first() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("rc.sql"),
        "CREATE VIEW v AS SELECT 7 AS a;",
    )
    .unwrap();
    let run = shell_in(
        folder.path(),
        &["--format", "csv", "-r", "rc.sql", "-c", "SELECT * FROM v"],
        "",
    );
    assert_eq!(run.stdout, "a\n7\n");
}

#[test]
fn lists_and_structs_are_json_in_csv() {
    check(
        "SELECT [1, NULL] AS l, named_struct('a', 'x', 'b', [1.5]) AS s, 2 AS n",
        "l,s,n\n\"[1,null]\",\"{\"\"a\"\":\"\"x\"\",\"\"b\"\":[1.5]}\",2\n",
    );
    check(
        "SELECT CASE WHEN value > 0 THEN [value] END AS l FROM range(0, 2)",
        "l\n\"\"\n[1]\n",
    );
}

#[test]
fn a_closed_pipe_is_no_error() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_datafusion-aiops"))
        .args([
            "--format",
            "csv",
            "-c",
            "SELECT value FROM range(0, 1000000)",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[test]
fn settings_and_plans_are_shown_whole() {
    let run = shell(&["--maxrows", "3", "-c", "SHOW ALL"]);
    assert!(run.stdout.lines().count() > 50 && run.stderr.is_empty());
}

#[test]
fn the_folder_of_data_leaves_the_files_of_sql_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("data")).unwrap();
    std::fs::write(folder.path().join("data/a.csv"), "n\n1\n").unwrap();
    std::fs::write(folder.path().join("job.sql"), "SELECT n FROM 'a.csv'").unwrap();
    let arguments = ["--format", "csv", "-p", "data", "-f", "job.sql"];
    let run = shell_in(folder.path(), &arguments, "");
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("n\n1\n", ""));
}

#[test]
fn a_file_that_is_no_table_gets_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("app.log"), "one\n").unwrap();
    std::fs::write(folder.path().join("app.tar"), "tar").unwrap();
    std::fs::write(folder.path().join("a.csv"), "n\n1\n").unwrap();
    let run = shell_in(folder.path(), &["-c", "SELECT * FROM a.csv"], "");
    assert_eq!(
        run.stderr,
        "error: table 'a.csv' not found\nhint: a file is named in quotes: FROM 'a.csv'\n"
    );
    let sql = "SELECT message FROM 'app.log'";
    let run = shell_in(folder.path(), &["--format", "csv", "-c", sql], "");
    assert_eq!(run.stdout, "message\none\n");
    let run = shell_in(folder.path(), &["-c", "SELECT * FROM 'app.tar'"], "");
    assert!(
        run.stderr.contains("ends with .tar, which is not read"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_result_without_rows_has_its_header() {
    for (format, expected) in [
        ("csv", "a,b c\n"),
        ("tsv", "a\tb c\n"),
        ("json", "[]\n"),
        ("nd-json", ""),
        (
            "table",
            "+---+-----+\n| a | b c |\n+---+-----+\n+---+-----+\n",
        ),
    ] {
        let run = shell(&[
            "--format",
            format,
            "-c",
            "SELECT 1 AS a, [2] AS \"b c\" WHERE false",
        ]);
        assert_eq!(
            (run.stdout.as_str(), run.stderr.as_str(), run.code),
            (expected, "", 0),
            "{format}"
        );
        let run = shell(&["--format", format, "-c", "CREATE TABLE t AS SELECT 1"]);
        assert_eq!((run.stdout.as_str(), run.code), ("", 0), "{format}");
    }
    check(
        "SELECT value FROM range(0, 100000) WHERE value > 99998",
        "value\n99999\n",
    );
}

#[test]
fn control_characters_do_not_reach_the_terminal() {
    let sql =
        "SELECT chr(27) || '[31mred' AS a, [chr(7)] AS b, NULL AS c, 'x' || chr(10) || 'y' AS d";
    let run = shell(&["-c", sql]);
    let expected = "+----------+-----+------+---+\n\
                    | a        | b   | c    | d |\n\
                    +----------+-----+------+---+\n\
                    | ␛[31mred | [␇] | NULL | x |\n\
                    |          |     |      | y |\n\
                    +----------+-----+------+---+\n";
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), (expected, ""));
    let csv = shell(&["--format", "csv", "-c", "SELECT chr(27) AS a"]);
    assert_eq!(csv.stdout, "a\n\u{1b}\n", "data is left as it is");
}

#[test]
fn text_in_double_quotes_gets_a_hint() {
    const T: &str = "CREATE TABLE t AS SELECT 'x' AS level; SELECT level FROM t WHERE level =";
    for text in ["ERROR", "error", "a 1"] {
        let run = shell(&["-c", &format!("{T} \"{text}\"")]);
        let hint = format!("hint: text is written in single quotes: '{text}'\n");
        assert!(run.stderr.contains(&hint), "{}", run.stderr);
    }
    check_error(
        "SELECT log_template(\"a 1\")",
        "error: there is no column \"a 1\"\nhint: text is written in single quotes: 'a 1'\n",
    );
    let run = shell(&["-c", &format!("{T} error")]);
    assert!(!run.stderr.contains("single quotes"), "{}", run.stderr);
}

#[test]
fn statements_that_do_not_parse_get_hints() {
    const LOG: &str = "CREATE EXTERNAL TABLE t STORED AS LOG";
    for (sql, hint) in [
        (
            "SELECT * FROM sql/data/events.parquet".to_string(),
            "write the name of a file in quotes: 'sql/data/events.parquet'",
        ),
        (
            "SELECT *\nFROM /var/log/x WHERE true".to_string(),
            "write the name of a file in quotes: '/var/log/x'",
        ),
        (
            format!("{LOG} LOCATION /var/log/x"),
            "write the name of a file in quotes: '/var/log/x'",
        ),
        (
            format!("SELECT 1;\n{LOG} LOCATION app.log OPTIONS (format 'json')"),
            "write the name of a file in quotes: 'app.log'",
        ),
        (
            format!("{LOG} '/x'"),
            "LOCATION is missing: write LOCATION '/x'",
        ),
        (
            format!("{LOG} LOCATION 'x' OPTIONS (pattern = '.*')"),
            "no = between an option and its value: OPTIONS (format 'json')",
        ),
        (
            "CREATE TABLE t STORED AS LOG LOCATION 'x'".to_string(),
            "a table over files: write CREATE EXTERNAL TABLE",
        ),
        (
            "CREATE TABLE t (a INT) STORED AS PARQUET LOCATION 'x'".to_string(),
            "a table over files: write CREATE EXTERNAL TABLE",
        ),
    ] {
        let run = shell(&["--format", "csv", "-c", &sql]);
        assert!(
            run.stderr.ends_with(&format!("\nhint: {hint}\n")),
            "{sql}: {}",
            run.stderr
        );
        assert_eq!(run.stderr.matches("hint:").count(), 1, "{}", run.stderr);
    }
}

#[test]
fn table_functions_are_named() {
    check_error(
        "SELECT * FROM aiops_scan()",
        "error: table function 'aiops_scan' not found. Did you mean aiops_scans()?\n",
    );
    check_error(
        "SELECT * FROM something_else()",
        "error: table function 'something_else' not found\n",
    );
    check_error(
        "SELECT * FROM aiops_scans",
        "error: table 'aiops_scans' not found\nhint: aiops_scans is a table function: write aiops_scans()\n",
    );
}

#[test]
fn an_argument_without_its_flag_gets_a_tip() {
    for (argument, tip) in [
        ("x.sql", "tip: a file of SQL is run by -f x.sql"),
        ("SELECT 1", "tip: a statement is run by -c \"SELECT ...\""),
    ] {
        let run = shell(&[argument]);
        assert_eq!(run.code, 2);
        assert!(run.stderr.contains(tip), "{}", run.stderr);
    }
}

#[test]
fn a_place_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let run = shell_in(
        folder.path(),
        &["--format", "csv"],
        "SELECT 1 AS a;\n\nSELEC 1;",
    );
    assert_eq!(
        run.stderr,
        "error: standard input:3:1: syntax error: expected an SQL statement, found SELEC\n"
    );
    check_error(
        "SELEC 1",
        "error: syntax error at line 1, column 1: expected an SQL statement, found SELEC\n",
    );
}

#[test]
fn errors_quote_the_start_of_a_value() {
    let sql = "CREATE TABLE t AS SELECT repeat('0123456789', 30) AS message; SELECT 1 FROM t WHERE message = 3";
    let start = "0123456789".repeat(6);
    check_error(
        sql,
        &format!(
            "error: Cast error: Cannot cast string '{start}...' to value of Int64 type\nhint: compare text with text: '3'\n"
        ),
    );
}

#[test]
fn log_is_no_format_to_write() {
    for sql in [
        "COPY (SELECT 1) TO 'x.log' STORED AS LOG",
        "COPY (SELECT 1) TO 'x.log'",
    ] {
        check_error(
            sql,
            "error: LOG is a format for reading; write PARQUET, CSV or JSON\n",
        );
    }
    check_error(
        "CREATE EXTERNAL TABLE t STORED AS LOG LOCATION 'x' OPTIONS (timezone 'Mars')",
        "error: Option timezone must be an offset such as '+08:00', a zone name such as 'Europe/Berlin', or 'UTC', got 'Mars'\n",
    );
}

/// In DataFusion 55.2 this hangs in most runs, since a reader waits for a file that no writer
/// writes to any more.
#[test]
fn a_group_by_with_little_memory_ends() {
    let folder = tempfile::tempdir().unwrap();
    let make = "COPY (SELECT 'message number ' || value AS message FROM generate_series(1, 300000)) TO 'm.parquet'";
    assert_eq!(shell_in(folder.path(), &["-c", make], "").code, 0);
    let query = "SET datafusion.execution.target_partitions = 2; SET datafusion.execution.batch_size = 1024; \
                 SELECT count(*), sum(n) FROM (SELECT message, count(*) AS n FROM 'm.parquet' GROUP BY message)";
    let (sender, receiver) = std::sync::mpsc::channel();
    let path = folder.path().to_path_buf();
    std::thread::spawn(move || {
        let limits = ["-m", "12m", "--mem-pool-type", "fair"];
        let run = shell_in(
            &path,
            &[&limits, &["-q", "--format", "csv", "-c", query][..]].concat(),
            "",
        );
        sender.send(run)
    });
    let run = receiver.recv_timeout(std::time::Duration::from_secs(300));
    let run = run.expect("it stands still");
    let last = run.stdout.lines().last();
    assert_eq!(
        (last, run.code),
        (Some("300000,300000"), 0),
        "{}",
        run.stderr
    );
}

/// DataFusion would trust these keys: DISTINCT of two rows with one key returned both.
#[test]
fn keys_that_nothing_checks_are_refused() {
    for table in [
        "TABLE p (id INT PRIMARY KEY, v INT)",
        "TABLE p (id INT UNIQUE, v INT)",
        "TABLE p (id INT, v INT, PRIMARY KEY (id, v))",
        "EXTERNAL TABLE p (id INT, v INT, PRIMARY KEY (id)) STORED AS CSV LOCATION 'p.csv'",
    ] {
        check_error(
            &format!("CREATE {table}"),
            "error: PRIMARY KEY and UNIQUE are not checked in table p, and queries would trust them: leave them out, or keep \
             the table in a file that checks them, CREATE EXTERNAL TABLE p (…) STORED AS SQLITE LOCATION 'p.db'\n",
        );
    }
    check(
        "CREATE TABLE p (id INT NOT NULL, v INT); INSERT INTO p VALUES (1, 1), (1, 2); SELECT DISTINCT id FROM p",
        "count\n2\nid\n1\n",
    );
    check(
        "CREATE EXTERNAL TABLE p (id INT, PRIMARY KEY (id)) STORED AS SQLITE LOCATION 'p.db'",
        "",
    );
}
