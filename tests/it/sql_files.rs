//! Every SQL file of `sql/` runs in the shell and prints what it printed before.

use crate::golden::{compare, files_below, project, stdout_of};

#[test]
fn every_file_prints_its_golden_output() {
    let files = files_below("sql", "sql");
    // The files in data/make make the data: they need servers, or write into the project.
    let shown: Vec<_> = files
        .iter()
        .filter(|file| !file.components().any(|part| part.as_os_str() == "make"))
        .collect();
    assert!(shown.len() >= 7);
    for file in shown {
        let name = file
            .strip_prefix(project().join("sql"))
            .unwrap()
            .with_extension("txt");
        compare(
            name.to_str().unwrap(),
            &stdout_of(&["-f", file.to_str().unwrap()]),
        );
    }
}
