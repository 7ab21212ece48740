//! SQLite tables through the shell's binary: the next run finds what one run has written.

use std::path::Path;
use std::process::{Command, Output};

const CREATE: &str = "CREATE EXTERNAL TABLE kb (template_hash BIGINT, solution TEXT, PRIMARY KEY (template_hash)) \
                      STORED AS SQLITE LOCATION 'kb.db';";

/// What statements print as CSV, in a folder.
fn shell(folder: &Path, statements: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_datafusion-aiops"))
        .args(["--format", "csv", "-c", &format!("{CREATE} {statements}")])
        .current_dir(folder)
        .env("HOME", folder)
        .output()
        .unwrap()
}

fn check(folder: &Path, statements: &str, expected: &str) {
    let output = shell(folder, statements);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(
        (printed.as_str(), said.as_str()),
        (expected, ""),
        "{statements}"
    );
}

#[test]
fn a_knowledge_base_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    check(
        folder,
        "INSERT INTO kb VALUES (1, 'restart'), (2, NULL)",
        "count\n2\n",
    );
    check(
        folder,
        "UPDATE kb SET solution = 'clean up' WHERE template_hash = 2",
        "count\n1\n",
    );
    check(
        folder,
        "MERGE INTO kb USING (SELECT * FROM (VALUES (1, 'wait'), (3, 'ask')) AS v(h, t)) AS s ON kb.template_hash = s.h \
         WHEN MATCHED THEN UPDATE SET solution = s.t WHEN NOT MATCHED THEN INSERT VALUES (s.h, s.t)",
        "count\n2\n",
    );
    check(
        folder,
        "SELECT * FROM kb ORDER BY 1",
        "template_hash,solution\n1,wait\n2,clean up\n3,ask\n",
    );
    check(
        folder,
        "DELETE FROM kb WHERE template_hash IN (SELECT max(template_hash) FROM kb); SELECT count(*) AS n FROM kb",
        "count\n1\nn\n2\n",
    );
    // Between runs, the file is complete: there is no log beside it with pending changes.
    let files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(files, ["kb.db"]);
}

#[test]
fn runs_at_the_same_time_wait_for_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    check(folder, "SELECT count(*) AS n FROM kb", "n\n0\n");
    std::thread::scope(|scope| {
        for run in 0..4 {
            scope.spawn(move || {
                let insert = format!(
                    "INSERT INTO kb SELECT value + {run}000, 'run {run}' FROM range(0, 1000)"
                );
                check(folder, &insert, "count\n1000\n");
            });
        }
    });
    check(folder, "SELECT count(*) AS n FROM kb", "n\n4000\n");
}

#[test]
fn errors_are_one_line() {
    let folder = tempfile::tempdir().unwrap();
    for (statements, expected) in [
        (
            "INSERT INTO kb VALUES (NULL, 'x')",
            "is declared as non-nullable but contains null values",
        ),
        (
            "CREATE EXTERNAL TABLE t (a DECIMAL(9, 2)) STORED AS SQLITE LOCATION 'kb.db'",
            "cannot be stored as Decimal128(9, 2)",
        ),
    ] {
        let output = shell(folder.path(), statements);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(expected), "{statements}: {said}");
        assert_eq!(output.status.code(), Some(1), "{statements}");
    }
}
