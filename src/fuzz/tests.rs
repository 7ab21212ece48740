//! Each target on inputs made from its corpus: the same in every run, unless `AIOPS_FUZZ_SEED` and
//! `AIOPS_FUZZ_ROUNDS` say otherwise. With `AIOPS_FUZZ_BYTES`, inputs are made until they have that
//! many bytes in total.

use std::num::ParseIntError;
use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, Mutex};

use super::mutate::Mutator;
use super::{
    checkpoints, json_lines, log_lines, models, options, patterns, positions, sql, statements,
};

/// The default stack of a thread of Rust and of tokio.
const STACK_BYTES: usize = 2 << 20;
/// The number of bytes of a failed input to show.
const SHOWN_BYTES: usize = 4000;

type Target = fn(&[u8]);

fn number<T: FromStr<Err = ParseIntError>>(name: &str, default: T) -> T {
    let value = std::env::var(name).ok();
    value.map_or(default, |value| value.parse().unwrap())
}

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(name);
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
        .iter()
        .map(|file| std::fs::read(file).unwrap())
        .collect()
}

/// Runs a target on its corpus and on `n_rounds` inputs made from it.
fn check(name: &str, target: Target, n_rounds: usize) {
    let (seed, n_rounds) = (
        number("AIOPS_FUZZ_SEED", 1),
        number("AIOPS_FUZZ_ROUNDS", n_rounds),
    );
    let n_bytes: u64 = number("AIOPS_FUZZ_BYTES", 0);
    let seeds = seeds(name);
    assert!(!seeds.is_empty(), "{name} has no corpus");
    let current = Arc::new(Mutex::new((0, vec![])));
    let shared = Arc::clone(&current);
    let work = move || {
        let mut mutator = Mutator::new(seed);
        let (mut round, mut n_done) = (0, 0);
        while round < n_rounds + seeds.len() || n_done < n_bytes {
            let input = match seeds.get(round) {
                Some(seed) => seed.clone(),
                None => mutator.input(&seeds),
            };
            // A stack overflow ends the process and leaves only this file.
            if let Some(file) = std::env::var_os("AIOPS_FUZZ_INPUT") {
                std::fs::write(file, &input).unwrap();
            }
            *shared.lock().unwrap() = (round, input.clone());
            target(&input);
            round += 1;
            n_done += input.len() as u64;
        }
        (round, n_done)
    };
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
    let Ok((round, n_done)) = thread.spawn(work).unwrap().join() else {
        let (round, input) = &*current.lock().unwrap();
        let shown = String::from_utf8_lossy(&input[..input.len().min(SHOWN_BYTES)]);
        panic!("{name}, seed {seed}, round {round}: {shown:?}");
    };
    eprintln!("{name}: {round} inputs, {n_done} bytes");
}

#[test]
fn fuzz_log_lines() {
    check("log_lines", log_lines, 1500);
}

#[test]
fn fuzz_patterns() {
    check("patterns", patterns, 1500);
}

#[test]
fn fuzz_json_lines() {
    check("json_lines", json_lines, 1500);
}

#[test]
fn fuzz_options() {
    check("options", options, 1500);
}

#[test]
fn fuzz_positions() {
    check("positions", positions, 5000);
}

#[test]
fn fuzz_checkpoints() {
    check("checkpoints", checkpoints, 3000);
}

#[test]
fn fuzz_models() {
    check("models", models, 1500);
}

#[test]
fn fuzz_statements() {
    check("statements", statements, 3000);
}

#[test]
fn fuzz_sql() {
    check("sql", sql, 2000);
}

#[test]
fn every_target_has_its_files() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let names = |folder: &str| -> Vec<String> {
        let entries = std::fs::read_dir(project.join("fuzz").join(folder)).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let names = paths.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    };
    let manifest = std::fs::read_to_string(project.join("fuzz/Cargo.toml")).unwrap();
    let targets = names("fuzz_targets");
    assert_eq!(targets, names("corpus"));
    for target in targets {
        assert!(
            manifest.contains(&format!("name = \"{target}\"")),
            "{target}"
        );
    }
}
