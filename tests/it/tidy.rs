//! What can be checked about the sources: layers, headers, and that everything public is tested.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::docs::our_functions;
use crate::golden::{files_below, project};
use crate::imports::{Imports, Module, production_lines};

/// The modules of `src`, each of which uses only itself and those before it.
const ROOMS: [&str; 17] = [
    "error",
    "algorithms",
    "time",
    "leaf_plan",
    "functions",
    "streams",
    "formats",
    "sources",
    "sinks",
    "stores",
    "planner",
    "codec",
    "distributed",
    "pipeline",
    "sql",
    "session",
    "shell",
];

/// A module, and words of other crates that its code must not contain.
const FOREIGN: &[(&str, &[&str])] = &[
    ("error", &["datafusion", "tokio", "object_store"]),
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
        ],
    ),
    ("functions", &["tokio"]),
];

fn sources() -> Vec<PathBuf> {
    files_below("src", "rs")
}

#[test]
fn imports_point_downwards() {
    let imports = Imports::read();
    let place = |module: &Module| {
        let room = module.first()?;
        ROOMS.iter().position(|known| known == room)
    };
    for module in imports.modules() {
        let Some(own) = place(module) else { continue };
        for used in imports.used_by(module) {
            let is_below = place(&used).is_none_or(|other| other <= own);
            assert!(
                is_below,
                "{} must not use {}",
                module.join("::"),
                used.join("::")
            );
        }
    }
}

#[test]
fn no_two_files_use_each_other() {
    let circles = Imports::read().circles();
    let shown = |circle: &Vec<Module>| {
        let modules: Vec<_> = circle.iter().map(|module| module.join("::")).collect();
        modules.join(" <-> ")
    };
    let shown: Vec<_> = circles.iter().map(shown).collect();
    assert!(shown.is_empty(), "{}", shown.join("\n"));
}

#[test]
fn rooms_know_no_more_than_they_must() {
    for path in sources() {
        let inside = path.strip_prefix(project().join("src")).unwrap();
        let room = inside.with_extension("");
        if inside.iter().any(|part| part == "tests") {
            continue;
        }
        for (_, words) in FOREIGN.iter().filter(|(name, _)| room.starts_with(name)) {
            for line in production_lines(&path) {
                for word in *words {
                    assert!(
                        !line.contains(word),
                        "{} must not use {word}: {line}",
                        inside.display()
                    );
                }
            }
        }
    }
}

/// `std`, then other crates, then this one, with a blank line between them.
#[test]
fn imports_have_one_order() {
    let group = |line: &str| match line.split(['{', ':', ';']).next().unwrap_or_default() {
        "std" => 0,
        "crate" | "super" | "self" => 2,
        // The variants of an enum of the file.
        name if name.starts_with(char::is_uppercase) => 2,
        _ => 1,
    };
    for path in sources().into_iter().chain(files_below("tests/it", "rs")) {
        let text = std::fs::read_to_string(&path).unwrap();
        let imports = text.lines().filter_map(|line| line.strip_prefix("use "));
        let groups: Vec<_> = imports.map(group).collect();
        assert!(groups.is_sorted(), "{}: {groups:?}", path.display());
    }
}

#[test]
fn every_room_has_its_place() {
    let rooms = Imports::read();
    let rooms = rooms.modules().filter_map(|module| module.first());
    for room in rooms.filter(|room| room.as_str() != "fuzz") {
        assert!(ROOMS.contains(&room.as_str()), "where does {room} belong?");
    }
}

#[test]
fn one_type_has_one_name() {
    let mut places: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in sources() {
        let inside = path.strip_prefix(project().join("src")).unwrap();
        if inside.iter().any(|part| part == "tests" || part == "fuzz") {
            continue;
        }
        for line in production_lines(&path) {
            if let Some(name) = declared_type(&line) {
                let place = inside.display().to_string();
                places.entry(name.to_string()).or_default().insert(place);
            }
        }
    }
    for (name, places) in places {
        assert!(places.len() == 1, "{name} is declared in {places:?}");
    }
}

/// The name of the type that an unindented line declares.
fn declared_type(line: &str) -> Option<&str> {
    let line = line.strip_prefix("pub").map_or(line, |rest| {
        let rest = rest.strip_prefix('(').and_then(|rest| rest.split_once(')'));
        rest.map_or(&line[3..], |(_, rest)| rest)
    });
    let mut words = line
        .trim_start_matches(' ')
        .split([' ', '<', '(', '{', ';', ':', '=']);
    let is_type = matches!(words.next(), Some("struct" | "enum" | "trait" | "type"));
    let is_outermost = !line.starts_with("    ");
    words.next().filter(|_| is_type && is_outermost)
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
        // The words are joined here, so that this file does not contain them.
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
