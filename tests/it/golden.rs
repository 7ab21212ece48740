//! Compares what the shell prints with what it printed when a person last reviewed it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The folder of the project.
pub(crate) fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs the shell in the folder of the project.
pub(crate) fn run_shell(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_datafusion-aiops"))
        .args(arguments)
        .current_dir(project())
        .output()
        .expect("the shell starts")
}

/// The standard output of a run that must succeed.
pub(crate) fn stdout_of(arguments: &[&str]) -> String {
    let output = run_shell(arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?} failed: {errors}");
    String::from_utf8(output.stdout).expect("the shell prints UTF-8")
}

/// Compares with a file of `tests/golden`. With `UPDATE_GOLDEN=1` in the environment it writes the
/// file instead: read the difference before you commit it.
pub(crate) fn compare(name: &str, actual: &str) {
    let path = project().join("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, actual).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(&path)
        .unwrap_or_else(|_| panic!("{} is missing: run with UPDATE_GOLDEN=1", path.display()));
    assert_eq!(
        actual, expected,
        "{name} changed: if it should, run with UPDATE_GOLDEN=1"
    );
}

/// The files below a folder of the project with this extension, in order.
pub(crate) fn files_below(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = vec![];
    let mut folders = vec![project().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path
                .extension()
                .is_some_and(|extension| extension == ending)
            {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
