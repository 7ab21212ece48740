//! STORED AS LOG through SQL.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_compression::tokio::write::{GzipEncoder, ZstdEncoder};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::object_store::memory::InMemory;
use datafusion::object_store::{ObjectStore, ObjectStoreExt};
use datafusion::prelude::SessionContext;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;

/// A folder with files, and a session.
struct Fixture {
    folder: TempDir,
    context: SessionContext,
}

impl Fixture {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let fixture = Self {
            folder: TempDir::new().unwrap(),
            context: datafusion_aiops::session().unwrap(),
        };
        for (name, content) in files {
            fixture.write(name, content);
        }
        fixture
    }

    fn write(&self, name: &str, content: &[u8]) {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_string()
    }

    /// CREATE EXTERNAL TABLE t over `location` (in the folder), with what follows it.
    async fn create(&self, location: &str, columns: &str, rest: &str) {
        self.run(&self.create_sql(location, columns, rest)).await;
    }

    fn create_sql(&self, location: &str, columns: &str, rest: &str) -> String {
        let path = self.path(location);
        format!(
            "CREATE OR REPLACE EXTERNAL TABLE t {columns} STORED AS LOG LOCATION '{path}' {rest}"
        )
    }

    async fn batches(&self, sql: &str) -> Vec<RecordBatch> {
        let frame = self
            .context
            .sql(sql)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
        frame
            .collect()
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// The rows, cells joined by `|`, NULL as `∅`. Names of files are shown without the folder.
    async fn run(&self, sql: &str) -> Vec<String> {
        let options = FormatOptions::default().with_null("∅");
        let mut rows = Vec::new();
        for batch in self.batches(sql).await {
            let columns: Vec<_> = batch
                .columns()
                .iter()
                .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
                .collect();
            for row in 0..batch.num_rows() {
                let cells: Vec<_> = columns
                    .iter()
                    .map(|column| column.value(row).to_string())
                    .collect();
                rows.push(cells.join("|").replace(&self.path(""), ""));
            }
        }
        rows
    }

    async fn check(&self, sql: &str, expected: &[&str]) {
        assert_eq!(self.run(sql).await, expected, "{sql}");
    }

    async fn error(&self, sql: &str) -> String {
        let error = match self.context.sql(sql).await {
            Err(error) => error,
            Ok(frame) => match frame.collect().await {
                Err(error) => error,
                Ok(_) => panic!("{sql} ran"),
            },
        };
        error.strip_backtrace()
    }

    async fn check_error(&self, sql: &str, expected: &str) {
        let error = self.error(sql).await;
        assert!(error.contains(expected), "{sql}\n{error}");
    }

    fn set_written(&self, name: &str, seconds: u64) {
        let file = fs::File::options()
            .write(true)
            .open(self.path(name))
            .unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
            .unwrap();
    }
}

/// Compresses each part as a separate member, as log rotation does when it appends.
async fn gzip(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in parts {
        let mut encoder = GzipEncoder::new(Vec::new());
        encoder.write_all(part).await.unwrap();
        encoder.shutdown().await.unwrap();
        bytes.extend(encoder.into_inner());
    }
    bytes
}

async fn zstd(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in parts {
        let mut encoder = ZstdEncoder::new(Vec::new());
        encoder.write_all(part).await.unwrap();
        encoder.shutdown().await.unwrap();
        bytes.extend(encoder.into_inner());
    }
    bytes
}

#[tokio::test]
async fn one_file() {
    let fixture = Fixture::new(&[(
        "a.log",
        b"first line\nsecond line, which is longer\n\nthird",
    )]);
    fixture.create("a.log", "", "").await;
    fixture
        .check(
            "SELECT * FROM t ORDER BY line_number",
            &[
                "first line|a.log|1",
                "second line, which is longer|a.log|2",
                "third|a.log|4",
            ],
        )
        .await;
    let types = "SELECT column_name, data_type, is_nullable FROM information_schema.columns WHERE table_name = 't'";
    fixture
        .check(
            types,
            &[
                "message|Utf8View|NO",
                "file|Utf8View|NO",
                "line_number|Int64|NO",
            ],
        )
        .await;
    let path = fixture.path("a.log");
    let file = format!("SELECT count(*) FROM t WHERE file = '{path}'");
    fixture.check(&file, &["3"]).await;
}

#[tokio::test]
async fn globs_and_folders() {
    let fixture = Fixture::new(&[
        ("a.log", b"a"),
        ("b.log", b"b"),
        ("c.txt", b"c"),
        ("none", b"d"),
        (".hidden", b"h"),
        ("below/e.log", b"e"),
    ]);
    let sql = "SELECT message FROM t ORDER BY message";
    fixture.create("*.log", "", "").await;
    fixture.check(sql, &["a", "b"]).await;
    fixture.create("", "", "").await;
    fixture.check(sql, &["a", "b", "c", "d"]).await;
    fixture.create("*", "", "").await;
    fixture.check(sql, &["a", "b", "c", "d"]).await;
    fixture.create(".hidden", "", "").await;
    fixture.check(sql, &["h"]).await;
    let url = format!("file://{}", fixture.path("[ab].log"));
    let create = "CREATE OR REPLACE EXTERNAL TABLE t STORED AS LOG LOCATION";
    fixture.run(&format!("{create} '{url}'")).await;
    fixture.check(sql, &["a", "b"]).await;
    let (a, c) = (fixture.path("a.log"), fixture.path("c.txt"));
    fixture.run(&format!("{create} ('{a}', '{c}')")).await;
    fixture.check(sql, &["a", "c"]).await;
}

#[tokio::test]
async fn new_files_are_seen() {
    let fixture = Fixture::new(&[("a.log", b"a")]);
    fixture.create("*.log", "", "").await;
    fixture.check("SELECT message FROM t", &["a"]).await;
    fixture.write("b.log", b"b");
    fixture.write("a.log", b"a\nmore");
    fixture
        .check(
            "SELECT message FROM t ORDER BY message",
            &["a", "b", "more"],
        )
        .await;
}

#[tokio::test]
async fn compressed_files_of_many_members() {
    let long = "0123456789".repeat(300_000);
    let fixture = Fixture::new(&[("plain.log", b"p1\np2")]);
    fixture.write("a.log.gz", &gzip(&[b"g1\ng", b"2\n", b"g3"]).await);
    fixture.write("B.LOG.ZST", &zstd(&[b"z1\nz", b"2\n", b"", b"z3\n"]).await);
    fixture.create("", "", "").await;
    fixture
        .check(
            "SELECT message, file, line_number FROM t ORDER BY message",
            &[
                "g1|a.log.gz|1",
                "g2|a.log.gz|2",
                "g3|a.log.gz|3",
                "p1|plain.log|1",
                "p2|plain.log|2",
                "z1|B.LOG.ZST|1",
                "z2|B.LOG.ZST|2",
                "z3|B.LOG.ZST|3",
            ],
        )
        .await;
    fixture.write(
        "long.gz",
        &gzip(&[long.as_bytes(), b"\n", long.as_bytes()]).await,
    );
    fixture
        .create("long.gz", "", "OPTIONS (max_event_bytes '4000000')")
        .await;
    fixture
        .check(
            "SELECT length(message), line_number FROM t ORDER BY 2",
            &["3000000|1", "3000000|2"],
        )
        .await;
}

#[tokio::test]
async fn damaged_and_foreign_compression() {
    let mut truncated = gzip(&["some text\n".repeat(100_000).as_bytes()]).await;
    truncated.truncate(truncated.len() / 2);
    let mut damaged = gzip(&[b"some text\n"]).await;
    damaged[15] ^= 0xFF;
    let fixture = Fixture::new(&[
        ("a.gz", &truncated),
        ("b.gz", &damaged),
        ("c.log.gz", b"plain\n"),
        ("x/a.tar.gz", b"a"),
        ("x/b.log", b"b\n"),
    ]);
    // What is whole is read.
    fixture.create("a.gz", "", "").await;
    let rows = "SELECT count(*) > 10000, count(DISTINCT message) <= 2 FROM t";
    fixture.check(rows, &["true|true"]).await;
    fixture.create("b.gz", "", "").await;
    let path = fixture.path("b.gz");
    fixture
        .check_error("SELECT * FROM t", &format!("log file '{path}': "))
        .await;
    // The bytes tell, and not the name.
    fixture.create("c.log.gz", "", "").await;
    fixture.check("SELECT message FROM t", &["plain"]).await;
    // Among others, an odd file is left out; alone it is refused.
    fixture.create("x/", "", "").await;
    fixture.check("SELECT message FROM t", &["b"]).await;
    fixture
        .check_error(
            &fixture.create_sql("x/a.tar.gz", "", ""),
            "x/a.tar.gz' ends with .tar.gz, which is not read: plain files, .gz, .zst, .bz2, .xz and .lz4 are",
        )
        .await;
}

#[tokio::test]
async fn zeros_behind_gzip() {
    let fixture = Fixture::new(&[]);
    let (first, second) = (gzip(&[b"a\n"]).await, gzip(&[b"b\n"]).await);
    // More than the reader holds at once.
    let zeros = vec![0; 1 << 20];
    let sql = "SELECT message FROM t ORDER BY message";
    for (parts, expected) in [
        ([&first[..], &[0], &[]], &["a"][..]),
        ([&first, &zeros, &[]], &["a"]),
        ([&first, &zeros, &second], &["a", "b"]),
        ([&first, &second, &zeros], &["a", "b"]),
    ] {
        fixture.write("a.gz", &parts.concat());
        fixture.create("a.gz", "", "").await;
        fixture.check(sql, expected).await;
    }
    for parts in [[&first[..], &[0, 1], &[]], [&zeros, &first, &[]]] {
        fixture.write("a.gz", &parts.concat());
        fixture.create("a.gz", "", "").await;
        fixture.check_error(sql, "a.gz': ").await;
    }
}

#[tokio::test]
async fn encodings_are_read() {
    let utf_16 =
        |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    let big = "\u{FEFF}磁盘 full\n"
        .encode_utf16()
        .flat_map(u16::to_be_bytes);
    let big: Vec<u8> = big.collect();
    let fixture = Fixture::new(&[
        ("mark.log", &utf_16("\u{FEFF}磁盘 full\n")),
        ("none.log", &utf_16("disk 磁 full\n")),
        ("big.log", &big),
        ("gbk.log", b"\xb4\xc5\xc5\xcc full\n"),
        ("later.log", b"a\n\xFF\xFEb"),
    ]);
    fixture.write("packed.log.gz", &gzip(&[&big]).await);
    for (name, options, expected) in [
        ("mark.log", "", "磁盘 full"),
        ("none.log", "", "disk 磁 full"),
        ("big.log", "", "磁盘 full"),
        ("packed.log.gz", "", "磁盘 full"),
        ("gbk.log", "OPTIONS (encoding 'gbk')", "磁盘 full"),
    ] {
        fixture.create(name, "", options).await;
        fixture.check("SELECT message FROM t", &[expected]).await;
    }
    fixture.create("later.log", "", "").await;
    fixture.check("SELECT count(*) FROM t", &["2"]).await;
    let wrong = fixture.create_sql("gbk.log", "", "OPTIONS (encoding 'klingon')");
    fixture
        .check_error(&wrong, "Option encoding must be 'auto' or")
        .await;
}

#[tokio::test]
async fn no_file_is_an_error() {
    let fixture = Fixture::new(&[("a.log", b"a")]);
    fs::create_dir(fixture.path("empty")).unwrap();
    for location in [
        "missing.log",
        "missing/",
        "empty",
        "empty/",
        "*.txt",
        "missing/*.log",
    ] {
        let error = fixture.error(&fixture.create_sql(location, "", "")).await;
        assert!(
            error.contains("No log file at '/") && error.contains("a glob ('/var/log"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn small_files() {
    let fixture = Fixture::new(&[
        ("empty.log", b""),
        ("one.log", b"x"),
        ("end.log", b"\n"),
        ("bom.log", b"\xEF\xBB\xBF"),
    ]);
    for (name, expected) in [
        ("empty.log", "0"),
        ("one.log", "1"),
        ("end.log", "0"),
        ("bom.log", "0"),
    ] {
        fixture.create(name, "", "").await;
        fixture.check("SELECT count(*) FROM t", &[expected]).await;
    }
    fixture
        .create("empty.log", "", "OPTIONS (format 'json')")
        .await;
    fixture.check("SELECT * FROM t", &[]).await;
}

const WEB: &[u8] = b"2026-03-02 09:12:01,123 INFO [7] started\n\
    2026-03-02T09:12:02Z WARN [x] slow request\n\
    not like the others\n\
    yesterday ERROR [9] failed\n";
const WEB_PATTERN: &str =
    r"pattern '^(?<ts>\S+(?: [0-9:,]+)?) (?<level>[A-Z]+) \[(?<thread>\w+)\] (?<message>.*)$'";

#[tokio::test]
async fn pattern_columns() {
    let fixture = Fixture::new(&[("a.log", WEB)]);
    fixture
        .create("a.log", "", &format!("OPTIONS ({WEB_PATTERN})"))
        .await;
    fixture
        .check(
            "SELECT ts, level, thread, message, line_number FROM t ORDER BY line_number",
            &[
                "2026-03-02T09:12:01.123Z|INFO|7|started|1",
                "2026-03-02T09:12:02Z|WARN|x|slow request|2",
                "∅|∅|∅|not like the others|3",
                "∅|ERROR|9|failed|4",
            ],
        )
        .await;
    let counters = "SELECT events, unmatched, uncast FROM aiops_scans()";
    fixture.check(counters, &["4|1|1"]).await;
    let types = "SELECT arrow_typeof(ts), arrow_typeof(level) FROM t LIMIT 1";
    fixture
        .check(types, &[r#"Timestamp(ns, "UTC")|Utf8View"#])
        .await;
    let by_time = "SELECT level FROM t WHERE ts > '2026-03-02T09:12:01.5Z'";
    fixture.check(by_time, &["WARN"]).await;
}

#[tokio::test]
async fn declared_columns() {
    let fixture = Fixture::new(&[("a.log", WEB)]);
    let options = format!("OPTIONS ({WEB_PATTERN}, timezone '+02:00')");
    fixture
        .create(
            "a.log",
            "(thread INT, ts TIMESTAMP, level TEXT, message TEXT)",
            &options,
        )
        .await;
    fixture
        .check(
            "SELECT * FROM t ORDER BY line_number",
            &[
                "2026-03-02T07:12:01.123|INFO|7|started|a.log|1",
                "2026-03-02T09:12:02|WARN|∅|slow request|a.log|2",
                "∅|∅|∅|not like the others|a.log|3",
                "∅|ERROR|9|failed|a.log|4",
            ],
        )
        .await;
    fixture
        .check("SELECT unmatched, uncast FROM aiops_scans()", &["1|2"])
        .await;
    for (columns, expected) in [
        (
            "(host TEXT)",
            "Column host is declared, but the table has no such column: it has ts, level, thread, message, file, line_number",
        ),
        ("(line_number TEXT)", "Column line_number is always Int64"),
        ("(thread INT[])", "Column thread cannot be List"),
    ] {
        fixture
            .check_error(&fixture.create_sql("a.log", columns, &options), expected)
            .await;
    }
}

#[tokio::test]
async fn the_year_of_syslog() {
    let fixture = Fixture::new(&[(
        "sys",
        b"Dec 31 23:59:59 web1 kernel: old\nJan  2 00:00:01 web1 kernel: new\n",
    )]);
    // 2026-01-03T00:00:00Z
    fixture.set_written("sys", 1_767_398_400);
    let options = r"OPTIONS (pattern '^(?<ts>\w+ +\d+ [\d:]+) (?<host>\S+) (?<message>.*)', timestamp_format '%b %e %H:%M:%S')";
    fixture.create("sys", "", options).await;
    fixture
        .check(
            "SELECT ts, host, message FROM t ORDER BY ts",
            &[
                "2025-12-31T23:59:59Z|web1|kernel: old",
                "2026-01-02T00:00:01Z|web1|kernel: new",
            ],
        )
        .await;
}

const JSON_LINES: &[u8] = br#"{"ts": "2026-03-02T09:12:01Z", "level": "info", "n": 1, "message": "started", "at": {"x": 1}}
{"ts": "2026-03-02 09:12:02", "level": "warn", "n": 2, "tags": ["a", "b"]}
plain text {
{"level": "error", "n": "many", "mixed": {"a": [1]}}
{"level": 5, "n": 4, "mixed": 1}
{"broken": 
{"n": 5} {"n": 6}
"#;

#[tokio::test]
async fn json_inferred() {
    let fixture = Fixture::new(&[("a.json", JSON_LINES)]);
    fixture
        .create("a.json", "", "OPTIONS (format 'json')")
        .await;
    fixture
        .check(
            "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 't'",
            &[
                r#"at|Struct("x": Int64)"#,
                "level|Utf8View",
                "mixed|Utf8View",
                "n|Utf8View",
                r#"tags|List(Utf8)"#,
                r#"ts|Timestamp(ns, "UTC")"#,
                "message|Utf8View",
                "rest|Utf8View",
                "file|Utf8View",
                "line_number|Int64",
            ],
        )
        .await;
    fixture
        .check(
            "SELECT ts, level, n, at['x'], tags[2], mixed, message FROM t WHERE line_number < 6 ORDER BY line_number",
            &[
                "2026-03-02T09:12:01Z|info|1|1|∅|∅|started",
                r#"2026-03-02T09:12:02Z|warn|2|∅|b|∅|{"ts": "2026-03-02 09:12:02", "level": "warn", "n": 2, "tags": ["a", "b"]}"#,
                "∅|∅|∅|∅|∅|∅|plain text {",
                r#"∅|error|many|∅|∅|{"a":[1]}|{"level": "error", "n": "many", "mixed": {"a": [1]}}"#,
                r#"∅|5|4|∅|∅|1|{"level": 5, "n": 4, "mixed": 1}"#,
            ],
        )
        .await;
    fixture
        .check(
            "SELECT events, unmatched, uncast FROM aiops_scans()",
            &["7|3|0"],
        )
        .await;
    fixture
        .check("SELECT count(*), count(n) FROM t", &["7|4"])
        .await;
}

#[tokio::test]
async fn json_messages_in_msg() {
    let lines = b"{\"msg\": \"hi\"}\n{\"msg\": \"no\", \"message\": \"yes\"}\n{\"a\": 1}\n{\"msg\": null}\nplain\n";
    let fixture = Fixture::new(&[("a.json", lines), ("b.json", b"{\"msg\": 5}\n")]);
    let expected = ["hi", "yes", r#"{"a": 1}"#, r#"{"msg": null}"#, "plain"];
    for columns in ["", "(a INT)", "(msg TEXT)", "(msg VARCHAR, message TEXT)"] {
        fixture
            .create("a.json", columns, "OPTIONS (format 'json')")
            .await;
        fixture
            .check("SELECT message FROM t ORDER BY line_number", &expected)
            .await;
    }
    fixture
        .create("a.json", "", "OPTIONS (format 'json')")
        .await;
    for sql in [
        "SELECT msg, message FROM t ORDER BY line_number LIMIT 2",
        "SELECT msg, message FROM (SELECT message, msg, line_number FROM t) ORDER BY line_number LIMIT 2",
    ] {
        fixture.check(sql, &["hi|hi", "no|yes"]).await;
    }
    fixture
        .create("b.json", "", "OPTIONS (format 'json')")
        .await;
    for sql in [
        "SELECT message FROM t",
        "SELECT message FROM t WHERE msg = 5",
    ] {
        fixture.check(sql, &[r#"{"msg": 5}"#]).await;
    }
}

#[tokio::test]
async fn globs_that_name_folders() {
    const IGNORE: &str = "SET datafusion.execution.listing_table_ignore_subdirectory";
    let fixture = Fixture::new(&[("top.log", b"top"), ("a/x.log", b"x"), ("a/b/y.log", b"y")]);
    let needs = "A glob that names folders needs SET datafusion.execution.listing_table_ignore_subdirectory = false";
    for glob in ["**", "**/*.log", "a/**", "*/x.log"] {
        fixture
            .check_error(&fixture.create_sql(glob, "", ""), needs)
            .await;
    }
    fixture.run(&format!("{IGNORE} = false")).await;
    for (glob, expected) in [
        ("**", vec!["top", "x", "y"]),
        ("**/*.log", vec!["top", "x", "y"]),
        ("a/**", vec!["x", "y"]),
        ("*/x.log", vec!["x"]),
    ] {
        fixture.create(glob, "", "").await;
        fixture
            .check("SELECT message FROM t ORDER BY 1", &expected)
            .await;
    }
    let error = fixture.error(&fixture.create_sql("**/*.txt", "", "")).await;
    assert!(!error.contains("SET "), "{error}");
    fixture.create("**", "", "").await;
    fixture.run(&format!("{IGNORE} = true")).await;
    fixture.check_error("SELECT * FROM t", needs).await;
}

#[tokio::test]
async fn json_declared() {
    let fixture = Fixture::new(&[("a.json", JSON_LINES)]);
    fixture
        .create(
            "a.json",
            "(n INT, level TEXT, ts TIMESTAMP)",
            "OPTIONS (format 'json')",
        )
        .await;
    fixture
        .check(
            "SELECT n, level, ts FROM t ORDER BY line_number",
            &[
                "1|info|2026-03-02T09:12:01",
                "2|warn|2026-03-02T09:12:02",
                "∅|∅|∅",
                "∅|error|∅",
                "4|5|∅",
                "∅|∅|∅",
                "∅|∅|∅",
            ],
        )
        .await;
    fixture
        .check("SELECT unmatched, uncast FROM aiops_scans()", &["3|1"])
        .await;
    fixture
        .check("SELECT message FROM t WHERE level = 'info'", &["started"])
        .await;
    fixture
        .check_error(
            &fixture.create_sql("a.json", "(n INTERVAL)", "OPTIONS (format 'json')"),
            "Column n cannot be Interval",
        )
        .await;
}

#[tokio::test]
async fn json_whole_numbers_are_never_rounded() {
    let lines = b"{\"n\": 1.5}\n{\"n\": 2.0}\n{\"n\": 7e2}\n{\"n\": \"8\"}\n{\"n\": 99999999999}\n{\"n\": true}\n{\"n\": [1]}\n{}";
    let fixture = Fixture::new(&[("a.json", lines)]);
    fixture
        .create("a.json", "(n INT)", "OPTIONS (format 'json')")
        .await;
    let sql = "SELECT n FROM t ORDER BY line_number";
    fixture
        .check(sql, &["∅", "2", "700", "8", "∅", "∅", "∅", "∅"])
        .await;
    fixture
        .check("SELECT uncast, unmatched FROM aiops_scans()", &["4|0"])
        .await;
}

#[tokio::test]
async fn json_of_many_batches() {
    let mut text = String::new();
    for i in 0..3000 {
        text += &format!("{{\"i\": {i}, \"s\": \"value number {i}\"}}\n");
    }
    let fixture = Fixture::new(&[
        ("a.json", text.as_bytes()),
        ("b.json", b"{\"i\": \"none\"}\n{\"i\": 3000, \"s\": null}"),
    ]);
    fixture
        .run("SET datafusion.execution.batch_size = 100")
        .await;
    fixture
        .create("*.json", "(i BIGINT, s TEXT)", "OPTIONS (format 'json')")
        .await;
    let sql = "SELECT count(*), count(i), sum(i), count(s), max(s) FROM t";
    fixture
        .check(sql, &["3002|3001|4501500|3000|value number 999"])
        .await;
    fixture
        .check("SELECT uncast FROM aiops_scans()", &["1"])
        .await;
}

#[tokio::test]
async fn json_rows_do_not_depend_on_their_neighbours() {
    let number = r#"{"t":1.50,"u":12345678901234567890123,"n":1}"#;
    let nested = r#" {"t" : {"b": [ 1.50, "a \" b\\"], "a": 1e999 } , "u": 1.0, "n": 2} "#;
    let rows = [
        (number, "1.50|12345678901234567890123|1.0"),
        (nested, r#"{"b":[1.50,"a \" b\\"],"a":1e999}|1.0|2.0"#),
        (r#"{"t": 1.50, "n": [1], "u": 0.10}"#, "1.50|0.10|∅"),
        (
            r#"{"t": {"a": "}"}, "t": 2.50, "\u0075": [ ], "x": {}}"#,
            "2.50|[]|∅",
        ),
        (r#"{"t": "\ud800", "u": 7.0}"#, "∅|7.0|∅"),
        (r#"{"t": [1]} {}"#, "∅|∅|∅"),
        (r#"{"t": [1], }"#, "∅|∅|∅"),
        (r#"{"t": 1"#, "∅|∅|∅"),
        ("plain", "∅|∅|∅"),
    ];
    let fixture = Fixture::new(&[]);
    let sql = "SELECT t, u, n FROM t ORDER BY line_number";
    let columns = "(t TEXT, u TEXT, n DOUBLE)";
    let (lines, expected): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
    for (line, expected) in rows {
        fixture.write("a.json", line.as_bytes());
        fixture
            .create("a.json", columns, "OPTIONS (format 'json')")
            .await;
        fixture.check(sql, &[expected]).await;
    }
    // More than one group of lines to repair.
    let text = format!("{}\n", lines.join("\n")).repeat(5);
    fixture.write("a.json", text.as_bytes());
    fixture
        .create("a.json", columns, "OPTIONS (format 'json')")
        .await;
    fixture.check(sql, &expected.repeat(5)).await;
    let counters = "SELECT events, unmatched, uncast FROM aiops_scans()";
    fixture.check(counters, &["45|20|10"]).await;
}

/// A line of nothing but brackets once overflowed the stack, and a pipeline on it could not start
/// again.
#[tokio::test]
async fn json_lines_that_are_nested_too_deeply_are_text() {
    let nested = |n_levels: usize, open: &str, close: &str| {
        let (open, close) = (open.repeat(n_levels), close.repeat(n_levels));
        format!("{{\"n\": 1, \"t\": {open}1{close}}}")
    };
    // The line itself counts as a level.
    let lines = [
        nested(126, "[", "]"),
        nested(127, "[", "]"),
        nested(1_000_000, "[", "]"),
        nested(100_000, "{\"a\":", "}"),
        "[".repeat(100_000),
        format!("{{\"n\": 2, \"t\": \"{}\"}}", "[".repeat(1000)),
    ];
    let expected: Vec<String> = lines
        .iter()
        .map(|line| line.len().to_string())
        .zip(["1|253|", "∅|∅|", "∅|∅|", "∅|∅|", "∅|∅|", "2|1000|"])
        .map(|(length, row)| format!("{row}{length}"))
        .collect();
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    let fixture = Fixture::new(&[("a.json", lines.join("\n").as_bytes())]);
    let options = "OPTIONS (format 'json', max_event_bytes '4000000')";
    for columns in ["(n INT, t TEXT)", ""] {
        fixture.create("a.json", columns, options).await;
        let sql = "SELECT n, length(t), length(message) FROM t ORDER BY line_number";
        fixture.check(sql, &expected).await;
        let counters = "SELECT unmatched, uncast FROM aiops_scans()";
        fixture.check(counters, &["4|0"]).await;
    }
}

#[tokio::test]
async fn json_columns_of_many_levels_are_text() {
    let line = |n_levels: usize| {
        let (open, close) = ("{\"a\":".repeat(n_levels), "}".repeat(n_levels));
        format!("{{\"few\": {{\"b\": [1]}}, \"many\": {open}1{close}}}")
    };
    for n_levels in [16, 17, 126] {
        let fixture = Fixture::new(&[("a.json", line(n_levels).as_bytes())]);
        fixture
            .create("a.json", "", "OPTIONS (format 'json')")
            .await;
        let is_text = "SELECT few['b'][1], arrow_typeof(many) = 'Utf8View' FROM t";
        let expected = format!("1|{}", n_levels > 16);
        fixture.check(is_text, &[&expected]).await;
    }
}

#[tokio::test]
async fn too_many_json_fields() {
    let object = |n_fields: usize| {
        let fields: Vec<_> = (0..n_fields).map(|i| format!("\"f{i}\": {i}")).collect();
        format!("{{{}}}", fields.join(", "))
    };
    let fixture = Fixture::new(&[
        ("1000.json", object(1000).as_bytes()),
        ("1001.json", object(1001).as_bytes()),
    ]);
    let options = "OPTIONS (format 'json')";
    fixture.create("1000.json", "", options).await;
    fixture.check("SELECT f0 + f999 FROM t", &["999"]).await;
    let create = fixture.create_sql("1001.json", "", options);
    for expected in ["1001 fields", "declare the columns"] {
        fixture.check_error(&create, expected).await;
    }
    fixture.create("1001.json", "(f1000 INT)", options).await;
    fixture.check("SELECT f1000 FROM t", &["1000"]).await;
}

const TRACE: &[u8] = b"preamble\n\
    2026-03-02 ERROR boom\r\n    at a.b(C.java:1)\r\n\r\n    at d.e(F.java:2)\r\n\
    2026-03-03 INFO fine\n\n";

#[tokio::test]
async fn multi_line_events() {
    let fixture = Fixture::new(&[("a.log", TRACE)]);
    let expected = [
        "preamble|1",
        "2026-03-02 ERROR boom\n    at a.b(C.java:1)\n\n    at d.e(F.java:2)|2",
        "2026-03-03 INFO fine|6",
    ];
    let sql = "SELECT message, line_number FROM t ORDER BY line_number";
    for options in [r"multiline_start '^\d{4}-'", "multiline 'indent'"] {
        fixture
            .create("a.log", "", &format!("OPTIONS ({options})"))
            .await;
        fixture.check(sql, &expected).await;
        fixture
            .check("SELECT events, blank FROM aiops_scans()", &["3|1"])
            .await;
    }
    let options =
        r"OPTIONS (multiline 'indent', pattern '^(?<ts>\S+) (?<level>[A-Z]+) (?<message>.*)')";
    fixture.create("a.log", "", options).await;
    fixture
        .check(
            "SELECT ts, level, message FROM t ORDER BY line_number",
            &[
                "∅|∅|preamble",
                "2026-03-02T00:00:00Z|ERROR|boom\n    at a.b(C.java:1)\n\n    at d.e(F.java:2)",
                "2026-03-03T00:00:00Z|INFO|fine",
            ],
        )
        .await;
}

#[tokio::test]
async fn odd_bytes_and_long_lines() {
    let mut text = b"\xEF\xBB\xBFfirst\r\nbad \xFF byte in here\r\n \t \r\n".to_vec();
    text.extend("é".repeat(1000).as_bytes());
    text.extend(b"\r\nlast");
    let fixture = Fixture::new(&[("a.log", &text)]);
    fixture
        .create("a.log", "", "OPTIONS (max_event_bytes '1025')")
        .await;
    let cut = format!("{}|4", "é".repeat(512));
    fixture
        .check(
            "SELECT message, line_number FROM t ORDER BY line_number",
            &["first|1", "bad \u{fffd} byte in here|2", &cut, "last|5"],
        )
        .await;
    let expected = format!("t|1|4|{}|1|1|0|0|1", text.len());
    fixture
        .check("SELECT * FROM aiops_scans()", &[&expected])
        .await;
}

/// 3,000 events, some of several lines, in one file of about 200 KB.
fn many_events() -> (String, Vec<String>) {
    let mut text = String::new();
    let mut rows = Vec::new();
    for i in 0..3000 {
        let mut event = format!("2026-03-02 event number {i} {}", "x".repeat(i % 50));
        for line in 0..i % 4 {
            event += &format!("\n  line {line} of it");
        }
        text += &event;
        text += if i % 7 == 0 { "\n\n" } else { "\n" };
        rows.push(event);
    }
    rows.sort();
    (text, rows)
}

#[tokio::test]
async fn any_number_of_partitions_gives_the_same_rows() {
    let (text, expected) = many_events();
    let fixture = Fixture::new(&[("a.log", text.as_bytes()), ("b.log", b"2026-01-01 0 lone")]);
    fixture
        .create("*.log", "", "OPTIONS (multiline_start '^2026-')")
        .await;
    for (partitions, min_size, batch_size) in
        [(1, 1, 8192), (2, 1, 100), (4, 1000, 7), (13, 1, 8192)]
    {
        fixture
            .run(&format!(
                "SET datafusion.execution.target_partitions = {partitions}"
            ))
            .await;
        fixture
            .run(&format!(
                "SET datafusion.optimizer.repartition_file_min_size = {min_size}"
            ))
            .await;
        fixture
            .run(&format!(
                "SET datafusion.execution.batch_size = {batch_size}"
            ))
            .await;
        let rows = fixture
            .run("SELECT message FROM t WHERE message LIKE '%event%'")
            .await;
        let mut rows = rows;
        rows.sort();
        assert_eq!(rows, expected, "{partitions} partitions");
        fixture.check("SELECT count(*) FROM t", &["3001"]).await;
        let last = "SELECT line_number > 3000 FROM t WHERE message LIKE '%event number 2999 %'";
        fixture.check(last, &["true"]).await;
        fixture
            .check(
                "SELECT count(*) FROM (SELECT message FROM t LIMIT 17)",
                &["17"],
            )
            .await;
    }
}

#[tokio::test]
async fn files_are_split_unless_lines_are_numbered() {
    let (text, _) = many_events();
    let fixture = Fixture::new(&[("a.log", text.as_bytes())]);
    fixture
        .run("SET datafusion.execution.target_partitions = 4")
        .await;
    fixture
        .run("SET datafusion.optimizer.repartition_file_min_size = 1")
        .await;
    fixture.create("a.log", "", "").await;
    let plan = |sql: &str| {
        let sql = format!("EXPLAIN FORMAT INDENT {sql}");
        let fixture = &fixture;
        async move { fixture.run(&sql).await.join("\n") }
    };
    let split = plan("SELECT message FROM t").await;
    assert!(
        split.contains("file_groups={4 groups: [[") && split.contains("a.log:0.."),
        "{split}"
    );
    assert!(
        split.contains("projection=[message], file_type=log"),
        "{split}"
    );
    let counted = plan("SELECT count(*) FROM t").await;
    assert!(counted.contains("4 groups"), "{counted}");
    let numbered = plan("SELECT message, line_number FROM t").await;
    assert!(numbered.contains("file_groups={1 group: [["), "{numbered}");
}

#[tokio::test]
async fn plain_files_are_split_next_to_compressed_ones() {
    let (text, _) = many_events();
    let fixture = Fixture::new(&[("a.log", text.as_bytes())]);
    for (name, option) in [
        ("execution.target_partitions", 4),
        ("optimizer.repartition_file_min_size", 1),
    ] {
        fixture
            .run(&format!("SET datafusion.{name} = {option}"))
            .await;
    }
    let rows = "SELECT message, count(*) FROM t GROUP BY 1 ORDER BY 1";
    fixture.create("a.log", "", "").await;
    let mut expected = fixture.run(rows).await;
    for i in 0..3 {
        let packed = gzip(&[format!("zz packed {i}").as_bytes()]).await;
        fixture.write(&format!("{i}.gz"), &packed);
        expected.push(format!("zz packed {i}|1"));
    }
    fixture.create("*", "", "").await;
    let plan = fixture
        .run("EXPLAIN FORMAT INDENT SELECT message FROM t")
        .await;
    let plan = plan.join("\n");
    assert!(plan.contains("4 groups: [["), "{plan}");
    assert_eq!(plan.matches("a.log:").count(), 4, "{plan}");
    for i in 0..3 {
        // Each in its own partition, and whole.
        assert!(plan.contains(&format!("{i}.gz]")), "{plan}");
    }
    expected.sort();
    let mut found = fixture.run(rows).await;
    found.sort();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn an_order_is_kept_next_to_compressed_files() {
    let fixture = Fixture::new(&[("b.log", b"2\n4\n5\n6\n7\n8\n9\n")]);
    fixture.write("a.gz", &gzip(&[b"1\n3\n"]).await);
    for (name, option) in [
        ("execution.target_partitions", 4),
        ("optimizer.repartition_file_min_size", 1),
    ] {
        fixture
            .run(&format!("SET datafusion.{name} = {option}"))
            .await;
    }
    fixture.create("*", "", "WITH ORDER (message ASC)").await;
    let sql = "SELECT message FROM t ORDER BY message";
    fixture
        .check(sql, &["1", "2", "3", "4", "5", "6", "7", "8", "9"])
        .await;
}

#[tokio::test]
async fn only_what_is_asked_for_is_done() {
    let fixture = Fixture::new(&[("a.log", b"one \xFF\ntwo\n\n")]);
    fixture
        .create("a.log", "", "OPTIONS (pattern '^(?<word>two)$')")
        .await;
    let counters = "SELECT scans, events, invalid_utf8, unmatched FROM aiops_scans()";
    fixture.check("SELECT count(*) FROM t", &["2"]).await;
    fixture.check(counters, &["1|2|0|0"]).await;
    fixture
        .check("SELECT message FROM t WHERE message = 'two'", &["two"])
        .await;
    fixture.check(counters, &["2|4|1|0"]).await;
    fixture
        .check("SELECT word FROM t WHERE word IS NOT NULL", &["two"])
        .await;
    fixture.check(counters, &["3|6|2|1"]).await;
    fixture
        .check(
            "SELECT upper(word) || '!', 1 + line_number FROM t WHERE word > 'a'",
            &["TWO!|3"],
        )
        .await;
}

#[tokio::test]
async fn counters_of_tables_and_scans() {
    let fixture = Fixture::new(&[("a.log", b"a\nb\n"), ("b.log", b"c\n")]);
    fixture.check("SELECT * FROM aiops_scans()", &[]).await;
    fixture.create("a.log", "", "").await;
    let u = fixture
        .create_sql("b.log", "", "")
        .replace("TABLE t", "TABLE u");
    fixture.run(&u).await;
    fixture
        .check(
            "SELECT * FROM aiops_scans()",
            &["t|0|0|0|0|0|0|0|0", "u|0|0|0|0|0|0|0|0"],
        )
        .await;
    fixture.run("EXPLAIN SELECT * FROM t").await;
    fixture
        .check("SELECT message FROM t ORDER BY 1", &["a", "b"])
        .await;
    fixture
        .check("SELECT message FROM t ORDER BY 1", &["a", "b"])
        .await;
    let of_t = "SELECT scans, events, bytes FROM aiops_scans() WHERE table_name = 't'";
    fixture.check(of_t, &["2|4|8"]).await;
    let analyzed = fixture
        .run("EXPLAIN ANALYZE SELECT message FROM t")
        .await
        .join("\n");
    for metric in [
        "events=2",
        "bytes=4",
        "blank=0",
        "invalid_utf8=0",
        "unmatched=0",
        "uncast=0",
        "truncated=0",
    ] {
        assert!(analyzed.contains(metric), "{analyzed}");
    }
    fixture.create("a.log", "", "").await;
    fixture.check(of_t, &["0|0|0"]).await;
    fixture.run("DROP TABLE u").await;
    fixture
        .check("SELECT table_name FROM aiops_scans()", &["t"])
        .await;
    fixture
        .check_error(
            "SELECT * FROM aiops_scans(1)",
            "aiops_scans takes no argument",
        )
        .await;
}

#[tokio::test]
async fn a_create_that_fails_leaves_the_counters() {
    let fixture = Fixture::new(&[("logs/day=1/a.log", b"a\nb\n")]);
    fixture.create("logs/", "", "PARTITIONED BY (day)").await;
    // DataFusion drops the old table before it makes the new one; the view still reads it.
    fixture.run("CREATE VIEW v AS SELECT message FROM t").await;
    fixture
        .check("SELECT * FROM v ORDER BY 1", &["a", "b"])
        .await;
    let counters = "SELECT table_name, scans, events FROM aiops_scans()";
    fixture.check(counters, &["t|1|2"]).await;
    fixture
        .error(&fixture.create_sql("logs/", "", "PARTITIONED BY (month)"))
        .await;
    fixture.check(counters, &["t|1|2"]).await;
}

#[tokio::test]
async fn hive_partitions() {
    let fixture = Fixture::new(&[
        ("logs/day=2026-03-01/a.log", b"a1\na2"),
        ("logs/day=2026-03-02/a.log", b"b1"),
        ("logs/day=2026-03-02/.a.swp", b"x"),
    ]);
    fixture.create("logs/", "", "PARTITIONED BY (day)").await;
    let sql = "SELECT day, message, line_number FROM t ORDER BY message";
    fixture
        .check(
            sql,
            &["2026-03-01|a1|1", "2026-03-01|a2|2", "2026-03-02|b1|1"],
        )
        .await;
    fixture
        .check("SELECT message FROM t WHERE day = '2026-03-02'", &["b1"])
        .await;
    fixture
        .check("SELECT bytes FROM aiops_scans()", &["9"])
        .await;
    fixture
        .create(
            "logs/",
            "(day DATE, word TEXT)",
            "PARTITIONED BY (day) OPTIONS (pattern '(?<word>[a-z])')",
        )
        .await;
    fixture
        .check(
            "SELECT word, count(*) FROM t WHERE day < '2026-03-02' GROUP BY word",
            &["a|2"],
        )
        .await;
    fixture
        .check(
            "SELECT day FROM t GROUP BY day ORDER BY day",
            &["2026-03-01", "2026-03-02"],
        )
        .await;
    let clash = fixture.create_sql(
        "logs/",
        "",
        "PARTITIONED BY (day) OPTIONS (pattern '(?<day>.)')",
    );
    fixture
        .check_error(
            &clash,
            "Column day is a partition column and a column of the log lines too",
        )
        .await;
}

#[tokio::test]
async fn object_stores() {
    let (text, expected) = many_events();
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let gz = gzip(&[b"2026-01-01 packed"]).await;
    store
        .put(&"logs/a.log".into(), text.into_bytes().into())
        .await
        .unwrap();
    store.put(&"logs/b.log.gz".into(), gz.into()).await.unwrap();
    let fixture = Fixture::new(&[]);
    fixture
        .context
        .register_object_store(&"mem://bucket".parse().unwrap(), store);
    fixture
        .run("SET datafusion.execution.target_partitions = 5")
        .await;
    fixture
        .run("SET datafusion.optimizer.repartition_file_min_size = 1")
        .await;
    let create = "CREATE OR REPLACE EXTERNAL TABLE t STORED AS LOG LOCATION";
    let options = "OPTIONS (multiline_start '^2026-', 'aws.region' 'eu-1')";
    fixture
        .run(&format!("{create} 'mem://bucket/logs/*.log' {options}"))
        .await;
    let mut rows = fixture.run("SELECT message FROM t").await;
    rows.sort();
    assert_eq!(rows, expected);
    fixture
        .run(&format!("{create} 'mem://bucket/logs/' {options}"))
        .await;
    fixture
        .check(
            "SELECT file, count(*) FROM t GROUP BY file ORDER BY file",
            &["logs/a.log|3000", "logs/b.log.gz|1"],
        )
        .await;
    let missing = format!("{create} 'mem://bucket/missing/'");
    fixture
        .check_error(&missing, "No log file at 'mem://bucket/missing/'")
        .await;
}

#[tokio::test]
async fn a_declared_order_is_used() {
    let fixture = Fixture::new(&[("a.log", b"2026-01-01 a\n2026-01-02 b\n")]);
    let options = r"WITH ORDER (ts ASC) OPTIONS (pattern '^(?<ts>\S+) ')";
    fixture.create("a.log", "(ts TIMESTAMP)", options).await;
    let plan = fixture
        .run("EXPLAIN FORMAT INDENT SELECT ts, message FROM t ORDER BY ts")
        .await
        .join("\n");
    assert!(
        plan.contains("output_ordering=[ts@") && !plan.contains("SortExec"),
        "{plan}"
    );
    fixture
        .check(
            "SELECT message FROM t ORDER BY ts",
            &["2026-01-01 a", "2026-01-02 b"],
        )
        .await;
}

/// Many events of 1 MiB are split into several batches.
#[tokio::test]
async fn batches_of_long_events_are_short() {
    let line = "x".repeat(1 << 20) + "\n";
    let fixture = Fixture::new(&[("a.log", line.repeat(40).as_bytes())]);
    fixture.create("a.log", "", "").await;
    let batches = fixture.batches("SELECT message FROM t").await;
    let n_rows: Vec<_> = batches.iter().map(RecordBatch::num_rows).collect();
    assert!(
        n_rows.iter().sum::<usize>() == 40 && n_rows.iter().all(|n_rows| *n_rows <= 17),
        "{n_rows:?}"
    );
    fixture
        .check("SELECT truncated FROM aiops_scans()", &["0"])
        .await;
}

#[tokio::test]
async fn what_is_refused() {
    let fixture = Fixture::new(&[("a.log", b"a")]);
    let create = |rest: &str| fixture.create_sql("a.log", "", rest);
    for (sql, expected) in [
        (
            create("OPTIONS (patern 'x')"),
            "Unknown option 'patern' for STORED AS LOG. Did you mean pattern? Valid options are: encoding, format, max_event_bytes, multiline, multiline_start, pattern, raw, timestamp_format, timezone",
        ),
        (
            create("OPTIONS (pattern 'x')"),
            "Option pattern needs at least one named group",
        ),
        (
            create("OPTIONS (pattern '(?<file>x)')"),
            "cannot be named file or line_number",
        ),
        (
            create("OPTIONS (format 'xml')"),
            "Option format is 'auto', 'text', 'json' or the name of a log format, got 'xml'",
        ),
    ] {
        fixture.check_error(&sql, expected).await;
    }
    fixture.create("", "", "").await;
    let insert = "INSERT INTO t VALUES ('m', 'f', 1)";
    fixture
        .check_error(
            insert,
            "INSERT INTO a LOG table is refused: log files are only read",
        )
        .await;
    fixture
        .create("a.log", "", "OPTIONS ('aws.region' 'eu-1')")
        .await;
    fixture.check("SELECT message FROM t", &["a"]).await;
}
