//! Logs as people have them: found by name, read by their first lines, and nothing lost silently.
#![cfg(unix)]

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A folder with files, and the shell in it.
struct Folder(TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            let path = folder.0.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    fn run(&self, sql: &str, input: &str) -> Output {
        let mut shell = Command::new(env!("CARGO_BIN_EXE_datafusion-aiops"))
            .args(["--format", "csv", "-c", sql])
            .current_dir(self.0.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It may end before it has read anything.
        let _ = shell.stdin.take().unwrap().write_all(input.as_bytes());
        shell.wait_with_output().unwrap()
    }

    /// The rows without the header, and the notes.
    #[track_caller]
    fn ask(&self, sql: &str) -> (Vec<String>, Vec<String>) {
        Self::said(&self.run(sql, ""), sql)
    }

    #[track_caller]
    fn said(output: &Output, sql: &str) -> (Vec<String>, Vec<String>) {
        let lines = |bytes: &[u8]| -> Vec<String> {
            String::from_utf8_lossy(bytes)
                .lines()
                .map(str::to_string)
                .collect()
        };
        assert!(output.status.success(), "{sql}: {output:?}");
        (lines(&output.stdout).split_off(1), lines(&output.stderr))
    }

    #[track_caller]
    fn check(&self, sql: &str, expected: &[&str]) {
        assert_eq!(self.ask(sql).0, expected, "{sql}");
    }
}

const ACCESS: &str = "10.0.0.7 - - [29/Nov/2026:10:00:00 +0000] \"GET /cart HTTP/1.1\" 502 157 \"-\" \"curl\"\n\
    10.0.0.8 - - [29/Nov/2026:10:00:01 +0000] \"GET / HTTP/1.1\" 200 5316 \"-\" \"curl\"\n";
const JAVA: &str = "2026-11-29 10:00:02,000 ERROR [main] c.a.Shop - order 17 failed\n\
    java.lang.IllegalStateException: no stock\n\tat com.acme.Shop.order(Shop.java:17)\n\
    2026-11-29 10:00:03,000 INFO [main] c.a.Shop - order 18 done\n";
const JSON: &str =
    "{\"time\":\"2026-11-29T10:00:04Z\",\"level\":\"warn\",\"msg\":\"slow\",\"ms\":1200}\n";

#[test]
fn files_are_tables_by_their_names() {
    let folder = Folder::new(&[
        ("access.log", ACCESS),
        ("app.jsonl", JSON),
        ("app.json", JSON),
        ("deep/1/java.log", JAVA),
        ("deep/2/java.log", JAVA),
    ]);
    folder.check(
        "SELECT status, bytes, path FROM 'access.log' ORDER BY ts",
        &["502,157,/cart", "200,5316,/"],
    );
    folder.check(
        "SELECT level, message, ms FROM 'app.jsonl'",
        &["warn,slow,1200"],
    );
    folder.check(
        "SELECT level, message, ms FROM 'app.json'",
        &["warn,slow,1200"],
    );
    folder.check("SELECT count(*) FROM '*.log'", &["2"]);
    folder.check("SELECT count(*) FROM 'deep/*/*.log'", &["4"]);
    folder.check(
        "COPY (SELECT 1 AS a) TO 'archive/1/a.parquet'; COPY (SELECT 2 AS a) TO 'archive/2/a.parquet'",
        &["1", "count", "1"],
    );
    folder.check("SELECT sum(a) FROM 'archive/*/*.parquet'", &["3"]);
    for missing in ["nope.log", "nope/*.log"] {
        let output = folder.run(&format!("SELECT * FROM '{missing}'"), "");
        assert!(!output.status.success(), "{missing}");
    }
}

#[test]
fn a_mixed_folder_has_one_schema() {
    let folder = Folder::new(&[("a.log", ACCESS), ("b.log", JAVA), ("c.log", JSON)]);
    let create = "CREATE EXTERNAL TABLE a STORED AS LOG LOCATION '*.log'";
    let (_, notes) = folder.ask(&format!("{create}; SELECT 1"));
    let note = &notes[0];
    for part in [
        "combined",
        "log4j",
        "json",
        "3 files",
        "columns ts, level, message, ",
    ] {
        assert!(note.contains(part), "{note}");
    }
    folder.check(
        &format!("{create}; SELECT format, level, status, ms, message FROM a ORDER BY ts, message"),
        &[
            "combined,,502,,GET /cart HTTP/1.1",
            "combined,,200,,GET / HTTP/1.1",
            "log4j,ERROR,,,\"order 17 failed",
            "java.lang.IllegalStateException: no stock",
            "\tat com.acme.Shop.order(Shop.java:17)\"",
            "log4j,INFO,,,order 18 done",
            "json,warn,,1200,slow",
        ],
    );
}

#[test]
fn what_becomes_null_is_told() {
    let folder = Folder::new(&[
        (
            "a.log",
            "29/Nov/2026:21:25:45 +0000 one\n29/Nov/2026:21:25:46 +0000 two\n",
        ),
        ("b.log", &format!("{ACCESS}what is this\n")),
        ("c.log", "first\n second\n third\n"),
    ]);
    let create = |file: &str, options: &str| {
        format!(
            "CREATE EXTERNAL TABLE t STORED AS LOG LOCATION '{file}' {options}; SELECT * FROM t"
        )
    };
    for (sql, expected) in [
        (
            create(
                "a.log",
                r"OPTIONS (pattern '^(?<ts>\S+ \S+) (?<message>.*)')",
            ),
            "note: 2 of 2 events of t have no time: '29/Nov/2026:21:25:45 +0000' is not ISO 8601; OPTIONS \
             (timestamp_format '%d/%b/%Y:%H:%M:%S %z')",
        ),
        (
            create("a.log", "OPTIONS (pattern '(?<level>ZZZ)')"),
            "note: 2 of 2 events of t have another shape, such as '29/Nov/2026:21:25:45 +0000 one': the text is their \
             message, and their other columns are NULL",
        ),
        (
            create("b.log", ""),
            "note: 1 of 3 events of t have another shape, such as 'what is this': the text is their message, and their \
             other columns are NULL",
        ),
        (
            create("c.log", "OPTIONS (format 'text', multiline 'indent')"),
            "note: all 3 lines of t are one event: the multiline rule of the table finds no other start",
        ),
    ] {
        let (_, notes) = folder.ask(&sql);
        assert!(
            notes.iter().any(|note| note == expected),
            "{sql}: {notes:#?}"
        );
    }
    // Files by their names, too; and nothing is told twice.
    let (_, notes) = folder.ask("SELECT count(ts) FROM 'b.log'");
    assert_eq!(notes.len(), 1, "{notes:?}");
}

#[test]
fn standard_input_is_read_to_its_end() {
    let folder = Folder::new(&[]);
    let output = folder.run(
        "SELECT level, count(*) FROM stdin GROUP BY 1 ORDER BY 1",
        JAVA,
    );
    assert_eq!(Folder::said(&output, "stdin").0, ["ERROR,1", "INFO,1"]);
    let output = folder.run("SELECT status FROM stdin ORDER BY status", ACCESS);
    assert_eq!(Folder::said(&output, "stdin").0, ["200", "502"]);
    let output = folder.run("SELECT count(*) FROM stdin", "");
    assert_eq!(Folder::said(&output, "stdin").0, ["0"]);
}

#[test]
fn a_pipe_is_read_once() {
    let folder = Folder::new(&[("access.log", ACCESS)]);
    let shell = env!("CARGO_BIN_EXE_datafusion-aiops");
    let script = format!(
        "{shell} --format csv -c \"CREATE EXTERNAL TABLE t STORED AS LOG LOCATION '\"<(cat access.log)\"'; \
         SELECT count(*), sum(bytes) FROM t; SELECT status FROM t ORDER BY 1\""
    );
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(folder.0.path())
        .output();
    let output = output.unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("2,5473\n") && text.ends_with("200\n502\n"),
        "{text}"
    );
}

#[test]
fn what_cannot_be_read_is_left_out_and_told() {
    let folder = Folder::new(&[
        ("logs/a.log", ACCESS),
        ("logs/secret.log", JAVA),
        ("logs/private/b.log", JAVA),
        ("logs/c.log.zip", "PK"),
    ]);
    let locked = ["logs/secret.log", "logs/private"].map(|name| folder.0.path().join(name));
    for path in &locked {
        fs::set_permissions(path, fs::Permissions::from_mode(0o000)).unwrap();
    }
    let is_root = fs::read(&locked[0]).is_ok();
    let (rows, notes) = folder.ask("SELECT count(*) FROM 'logs/*'");
    let all = notes.join("\n");
    assert!(all.contains("c.log.zip is left out"), "{all}");
    if is_root {
        eprintln!("root reads every file: permissions are not tested");
    } else {
        assert_eq!(rows, ["2"]);
        assert!(
            all.contains("secret.log is left out: permission denied"),
            "{all}"
        );
    }
    for path in &locked {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

#[test]
fn objects_longer_than_a_line_are_events() {
    let folder = Folder::new(&[
        (
            "pretty.json",
            "{\n  \"time\": \"2026-11-29T10:00:00Z\",\n  \"msg\": \"one\"\n}\n{\n  \"msg\": \"two\"\n}\n",
        ),
        (
            "trail.json",
            "{\"Records\":[{\"eventVersion\":\"1\",\"eventTime\":\"2026-11-29T10:00:00Z\",\"eventSource\":\"s3\",\
             \"eventName\":\"GetObject\"},{\"eventVersion\":\"1\",\"eventTime\":\"2026-11-29T10:00:01Z\",\
             \"eventSource\":\"s3\",\"eventName\":\"PutObject\"}]}",
        ),
    ]);
    folder.check(
        "SELECT message, line_number FROM 'pretty.json' ORDER BY 2",
        &["one,1", "two,5"],
    );
    folder.check(
        "SELECT message FROM 'trail.json' ORDER BY ts",
        &["GetObject", "PutObject"],
    );
}

#[test]
fn formats_of_ones_own() {
    let own = "[[format]]\nname = \"shop\"\nabout = \"our shop\"\n\
        pattern = '''^(?<ts>\\S+) (?<level>[A-Z])/(?<shop>\\w+) (?<message>.*)$'''\nlevels = { E = \"ERROR\" }\n\
        [[format.sample]]\ntext = \"2026-11-29T10:00:00Z E/berlin order failed\"\n";
    let wrong = own.replace("E/berlin order failed", "nothing");
    let log = "2026-11-29T10:00:00Z E/berlin order 17 failed\n";
    let folder = Folder::new(&[
        ("formats.toml", own),
        ("wrong.toml", &wrong),
        ("shop.log", log),
    ]);
    folder.check(
        "SET aiops.log_formats = 'formats.toml'; SELECT level, shop, message FROM 'shop.log'",
        &["ERROR,berlin,order 17 failed"],
    );
    for (file, expected) in [
        ("wrong.toml", "does not fit its sample"),
        ("shop.log", "aiops.log_formats: shop.log"),
        ("none.toml", "cannot be read"),
    ] {
        let output = folder.run(
            &format!("SET aiops.log_formats = '{file}'; SELECT * FROM 'shop.log'"),
            "",
        );
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.status.success() && said.contains(expected),
            "{file}: {said}"
        );
    }
}

#[test]
fn the_repeated_hour_and_the_zone_of_the_session() {
    let folder = Folder::new(&[(
        "a.log",
        "2026-10-25 02:30:00 INFO first\n2026-10-25 02:59:00 INFO first\n2026-10-25 02:00:00 INFO second\n\
         2026-10-25 02:30:00 INFO second\n2026-10-25 03:00:00 INFO after\n",
    )]);
    folder.check(
        "CREATE EXTERNAL TABLE t STORED AS LOG LOCATION 'a.log' OPTIONS (timezone 'Europe/Berlin'); \
         SELECT ts, message FROM t ORDER BY line_number",
        &[
            "2026-10-25T00:30:00Z,first",
            "2026-10-25T00:59:00Z,first",
            "2026-10-25T01:00:00Z,second",
            "2026-10-25T01:30:00Z,second",
            "2026-10-25T02:00:00Z,after",
        ],
    );
    let local = Folder::new(&[(
        "b.log",
        "2026-11-29T02:00:00Z INFO one\n2026-11-29T18:00:00Z INFO two\n",
    )]);
    local.check(
        "SET TIME ZONE = 'Asia/Shanghai'; SELECT message, ts FROM 'b.log' WHERE ts >= '2026-11-29 10:00' AND ts < '2026-11-30'",
        &["one,2026-11-29T10:00:00+08:00"],
    );
    local.check(
        "SET TIME ZONE = 'Asia/Shanghai'; SELECT date_trunc('day', ts) AS day, count(*) FROM 'b.log' GROUP BY 1 ORDER BY 1",
        &["2026-11-29T00:00:00+08:00,1", "2026-11-30T00:00:00+08:00,1"],
    );
}

#[test]
fn json_values_are_exact_and_none_is_lost() {
    let mut late = "{\"msg\":\"a\"}\n".repeat(3_000);
    late.push_str("{\"msg\":\"b\",\"code\":7}\n");
    let folder = Folder::new(&[
        (
            "big.jsonl",
            "{\"msg\":\"a\",\"id\":9876543210987654321}\n{\"msg\":\"b\",\"id\":1}\n",
        ),
        (
            "kinds.jsonl",
            "{\"msg\":\"a\",\"ip\":\"10.0.0.1\",\"d\":{\"t\":\"x\"}}\n{\"msg\":\"b\",\"ip\":[\"10.0.0.2\"],\"d\":{\"t\":[\"y\"]}}\n",
        ),
        ("late.jsonl", &late),
        (
            "float.jsonl",
            "{\"ts\":1796032800.5,\"level\":\"info\",\"msg\":\"a\"}\n",
        ),
    ]);
    folder.check(
        "SELECT id FROM 'big.jsonl' ORDER BY message",
        &["9876543210987654321", "1"],
    );
    folder.check(
        "SELECT ip, d FROM 'kinds.jsonl' ORDER BY message",
        &[
            "10.0.0.1,\"{\"\"t\"\":\"\"x\"\"}\"",
            "\"[\"\"10.0.0.2\"\"]\",\"{\"\"t\"\":[\"\"y\"\"]}\"",
        ],
    );
    folder.check(
        "SELECT rest FROM 'late.jsonl' WHERE rest IS NOT NULL",
        &["\"{\"\"code\"\":7}\""],
    );
    folder.check(
        "SELECT ts FROM 'float.jsonl'",
        &["2026-11-30T10:00:00.500Z"],
    );
}

#[test]
fn parts_of_lines_are_joined() {
    let cri = "2026-11-29T10:00:00.1Z stdout P first half \n2026-11-29T10:00:00.2Z stdout F second half\n\
        2026-11-29T10:00:01Z stderr F whole\n";
    let folder = Folder::new(&[("cri.log", cri)]);
    folder.check(
        "SELECT message, line_number FROM 'cri.log' ORDER BY 2",
        &["first half second half,1", "whole,3"],
    );
}

#[test]
fn hostile_files_end_with_a_row_and_not_with_the_memory() {
    let deep = format!(
        "{{\"msg\":\"a\",\"x\":{}{}}}\n",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let folder = Folder::new(&[(
        "deep.jsonl",
        &format!("{{\"msg\":\"b\"}}\n{deep}{{\"msg\":\"c\"}}\n"),
    )]);
    folder.check(
        "SELECT count(*), count(DISTINCT substr(message, 1, 5)) FROM 'deep.jsonl'",
        &["3,3"],
    );
    let zeros = folder.0.path().join("zeros.log");
    fs::write(&zeros, vec![0; 20 << 20]).unwrap();
    let packed = Command::new("gzip").arg(&zeros).status().unwrap();
    assert!(packed.success());
    folder.check("SELECT count(*) FROM 'zeros.log.gz'", &["0"]);
}
