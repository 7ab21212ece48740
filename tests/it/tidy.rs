//! What can be checked about the sources: layers, headers, and that nothing public goes untested.

use crate::docs::our_functions;
use crate::golden::{files_below, project};
use std::path::{Path, PathBuf};

/// A folder or file of `src`, and words that its code must not use: imports point downwards only.
const LAYERS: &[(&str, &[&str])] = &[
    (
        "error.rs",
        &["datafusion", "tokio", "object_store", "crate::"],
    ),
    (
        "algorithms",
        &[
            "arrow",
            "datafusion",
            "tokio",
            "object_store",
            "std::fs",
            "std::env",
            "SystemTime",
            "Instant",
            "crate::functions",
            "crate::tables",
            "crate::planner",
            "crate::pipeline",
            "crate::session",
        ],
    ),
    (
        "functions",
        &[
            "crate::tables",
            "crate::planner",
            "crate::pipeline",
            "crate::session",
            "tokio",
        ],
    ),
    (
        "sinks",
        &[
            "crate::tables",
            "crate::planner",
            "crate::pipeline",
            "crate::session",
        ],
    ),
    (
        "tables",
        &["crate::planner", "crate::pipeline", "crate::session"],
    ),
    ("planner", &["crate::pipeline", "crate::session"]),
    ("pipeline", &["crate::session"]),
];

fn sources() -> Vec<PathBuf> {
    files_below("src", "rs")
}

/// The lines of a file that are code: no comment, no documentation, no test module.
fn code(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    let before_tests = text.split("#[cfg(test)]").next().unwrap();
    before_tests
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .map(str::to_string)
        .collect()
}

#[test]
fn imports_point_downwards() {
    for path in sources() {
        let inside = path
            .strip_prefix(project().join("src"))
            .unwrap()
            .to_path_buf();
        if inside.iter().any(|part| part == "tests") {
            continue;
        }
        for (layer, words) in LAYERS.iter().filter(|(layer, _)| inside.starts_with(layer)) {
            for line in code(&path) {
                for word in *words {
                    assert!(
                        !line.contains(word),
                        "{}: {layer} must not use {word}: {line}",
                        inside.display()
                    );
                }
            }
        }
    }
}

#[test]
fn every_file_says_what_it_is() {
    for path in sources() {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with("//!"),
            "{} does not begin with a //! header",
            path.display()
        );
    }
}

#[test]
fn no_loose_ends() {
    for path in sources().into_iter().chain(files_below("tests", "rs")) {
        let text = std::fs::read_to_string(&path).unwrap();
        // Put together, so that this file does not contain them.
        for parts in [
            ["TO", "DO"],
            ["FIX", "ME"],
            ["#[ig", "nore"],
            ["should", "_panic"],
            ["thread::", "sleep"],
            ["todo", "!("],
        ] {
            let word = parts.concat();
            assert!(!text.contains(&word), "{} contains {word}", path.display());
        }
    }
}

#[test]
fn every_function_has_its_files() {
    let functions: Vec<_> = our_functions().into_iter().map(|(name, _)| name).collect();
    assert!(!functions.is_empty());
    let files: Vec<_> = sources()
        .iter()
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_string())
        .collect();
    for name in functions {
        assert!(files.contains(&name), "there is no file {name}.rs");
        let slt = project().join(format!("tests/slt/{name}.slt"));
        let text = std::fs::read_to_string(&slt)
            .unwrap_or_else(|_| panic!("{} is missing", slt.display()));
        for needed in ["NULL", "arrow_cast", "statement error"] {
            assert!(text.contains(needed), "{name}.slt does not try {needed}");
        }
    }
}
