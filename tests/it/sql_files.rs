//! Every SQL file of `sql/` runs in the shell and prints what it printed before.

use std::path::Path;

use crate::golden::{compare, files_below, project, stdout_of};
use crate::live::LiveShell;

#[test]
fn every_file_prints_its_golden_output() {
    let files = files_below("sql", "sql");
    // The files in data/make generate the data: they need servers, or write into the project.
    // `story` tests the pipeline and the questions to its knowledge base.
    let is_elsewhere = |file: &Path| {
        let is_in = |folder: &str| file.components().any(|part| part.as_os_str() == folder);
        is_in("make") || is_in("knowledge_base") || file.ends_with("streaming/log_clustering.sql")
    };
    let shown: Vec<_> = files.iter().filter(|file| !is_elsewhere(file)).collect();
    assert!(shown.len() >= 7);
    for file in shown {
        let name = file
            .strip_prefix(project().join("sql"))
            .unwrap()
            .with_extension("txt");
        let name = name.to_str().unwrap();
        let text = std::fs::read_to_string(file).unwrap();
        let printed = match (text.contains("/dev/stdin"), text.contains("UNBOUNDED")) {
            (true, _) => printed_of_a_pipe(file),
            (false, true) => printed_of_a_live_table(name, file),
            (false, false) => stdout_of(&["-f", file.to_str().unwrap()]),
        };
        compare(name, &printed);
    }
}

/// What the file prints, up to the length of its golden output. It does not end, so it is then
/// killed.
fn printed_of_a_live_table(name: &str, file: &Path) -> String {
    let mut shell = LiveShell::start(project(), &["-f", file.to_str().unwrap()]);
    let golden = std::fs::read_to_string(project().join("tests/golden").join(name));
    match golden {
        Ok(golden) if std::env::var_os("UPDATE_GOLDEN").is_none() => {
            shell.as_many_lines_as(&golden)
        }
        _ => shell.until_silence(),
    }
}

/// What the file prints when it is sent a log whose first 300 lines come last, after windows have
/// closed.
fn printed_of_a_pipe(file: &Path) -> String {
    let log = std::fs::read_to_string(project().join("sql/data/nginx_access.log")).unwrap();
    let (at, _) = log.match_indices('\n').nth(299).unwrap();
    let (first, others) = log.split_at(at + 1);
    let mut shell = LiveShell::start(project(), &["-f", file.to_str().unwrap()]);
    shell.write(others);
    let printed = shell.as_many_lines_as("a header\nand\nfour\nclosed\nwindows\n");
    shell.write(first);
    let (code, rest, errors) = shell.finish();
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    printed + &rest
}
