//! Which file of `src` uses which, read from its text, so that a test can say where imports may
//! point.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::golden::{files_below, project};

/// The path of a module: `["streams", "windows", "grid"]`.
pub(crate) type Module = Vec<String>;

/// The lines of a file that are code of the crate, without comments and without anything that
/// exists only for tests.
pub(crate) fn production_lines(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines = text.lines();
    let mut kept = vec![];
    while let Some(line) = lines.next() {
        let trimmed = line.trim_start();
        if trimmed.starts_with("//") {
            continue;
        }
        if is_for_tests(trimmed) {
            skip_item(&mut lines);
            continue;
        }
        kept.push(line.to_string());
    }
    kept
}

fn is_for_tests(line: &str) -> bool {
    line.starts_with("#[cfg(test") || line.starts_with("#[cfg(any(test")
}

/// Skips the item after an attribute, up to its closing bracket or to the end of its statement.
fn skip_item<'a>(lines: &mut impl Iterator<Item = &'a str>) {
    let mut depth = 0;
    for line in lines {
        if depth == 0 && (line.trim_start().starts_with("#[") || line.trim().is_empty()) {
            continue;
        }
        let code = without_texts(line);
        depth += code.matches(['{', '(', '[']).count() as i64;
        depth -= code.matches(['}', ')', ']']).count() as i64;
        if depth == 0 && code.trim_end().ends_with([';', '}', ',']) {
            return;
        }
    }
}

/// The line without what is in quotes and after `//`, since brackets in these do not count.
fn without_texts(line: &str) -> String {
    let mut code = String::new();
    let mut chars = line.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '/' if chars.peek() == Some(&'/') => break,
            '"' => skip_text(&mut chars),
            '\'' => skip_char(&mut chars),
            other => code.push(other),
        }
    }
    code
}

fn skip_text(chars: &mut impl Iterator<Item = char>) {
    while let Some(char) = chars.next() {
        match char {
            '\\' => drop(chars.next()),
            '"' => return,
            _ => {}
        }
    }
}

/// Skips `'{'` and `'\''`; skips nothing after the apostrophe of a lifetime.
fn skip_char(chars: &mut (impl Iterator<Item = char> + Clone)) {
    let mut ahead = chars.clone();
    let n_chars = match (ahead.next(), ahead.next(), ahead.next()) {
        (Some('\\'), Some(_), Some('\'')) => 3,
        (Some(_), Some('\''), _) => 2,
        _ => 0,
    };
    for _ in 0..n_chars {
        chars.next();
    }
}

/// The imports of the crate.
pub(crate) struct Imports {
    /// The production code of each module.
    texts: BTreeMap<Module, String>,
    /// Names that a module re-exports from another: `pub use child::Name`.
    handed_on: BTreeMap<(Module, String), Module>,
}

impl Imports {
    pub(crate) fn read() -> Self {
        let source = project().join("src");
        let mut texts = BTreeMap::new();
        for path in files_below("src", "rs") {
            let inside = path.strip_prefix(&source).unwrap().with_extension("");
            let parts = inside.iter().map(|part| part.to_str().unwrap().to_string());
            let mut module: Module = parts.collect();
            if module.iter().any(|part| part == "tests") || module == ["main"] {
                continue;
            }
            module.retain(|part| part != "mod" && part != "lib");
            let lines = production_lines(&path);
            let code: Vec<_> = lines.iter().map(|line| without_texts(line)).collect();
            texts.insert(module, code.join("\n"));
        }
        Self::of(texts)
    }

    /// The imports of modules with these texts.
    fn of(texts: BTreeMap<Module, String>) -> Self {
        let mut imports = Self {
            texts,
            handed_on: BTreeMap::new(),
        };
        imports.handed_on = imports.find_handed_on();
        imports
    }

    pub(crate) fn modules(&self) -> impl Iterator<Item = &Module> {
        self.texts.keys()
    }

    fn find_handed_on(&self) -> BTreeMap<(Module, String), Module> {
        let mut handed_on = BTreeMap::new();
        for (module, text) in &self.texts {
            for statement in use_statements(text).filter(|statement| statement.is_public) {
                for path in statement.paths {
                    let Some(full) = self.absolute(module, &path) else {
                        continue;
                    };
                    let name = full.last().unwrap().clone();
                    handed_on.insert((module.clone(), name), full);
                }
            }
        }
        handed_on
    }

    /// The modules that this one uses, in `use` and in paths.
    pub(crate) fn used_by(&self, module: &Module) -> BTreeSet<Module> {
        let text = &self.texts[module];
        let statements = use_statements(text).filter(|statement| !statement.is_public);
        let mut paths: Vec<Module> = statements.flat_map(|statement| statement.paths).collect();
        paths.extend(inline_paths(text));
        let full = paths.iter().filter_map(|path| self.absolute(module, path));
        let used = full.filter_map(|path| self.module_of(&path, 0));
        used.filter(|used| used != module).collect()
    }

    /// The path from the top of the crate, or `None` for paths of other crates.
    fn absolute(&self, module: &Module, path: &[String]) -> Option<Module> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => Some(rest.to_vec()),
            "self" => Some([module.as_slice(), rest].concat()),
            "super" => {
                let above = &module[..module.len().checked_sub(1)?];
                match rest.first() {
                    Some(next) if next == "super" => self.absolute(&above.to_vec(), rest),
                    _ => Some([above, rest].concat()),
                }
            }
            child => {
                let full = [module.as_slice(), path].concat();
                let is_child = self.texts.contains_key(&full[..=module.len()]);
                (is_child && !child.is_empty()).then_some(full)
            }
        }
    }

    /// The module that contains the item with this path.
    fn module_of(&self, path: &[String], n_steps: usize) -> Option<Module> {
        let module = (0..=path.len()).rev().map(|length| path[..length].to_vec());
        let module = module
            .into_iter()
            .find(|module| self.texts.contains_key(module))?;
        let name = path.get(module.len()).cloned().unwrap_or_default();
        match self.handed_on.get(&(module.clone(), name)) {
            Some(origin) if n_steps < 5 => self.module_of(origin, n_steps + 1),
            _ => Some(module),
        }
    }

    /// Modules that use each other, directly or through others: each cycle once.
    pub(crate) fn circles(&self) -> Vec<Vec<Module>> {
        let uses: BTreeMap<&Module, BTreeSet<Module>> = self
            .modules()
            .map(|module| (module, self.used_by(module)))
            .collect();
        let reached: BTreeMap<&Module, BTreeSet<Module>> = uses
            .keys()
            .map(|module| (*module, reached_from(module, &uses)))
            .collect();
        let mut circles = BTreeSet::new();
        for (module, from_it) in &reached {
            let others = from_it
                .iter()
                .filter(|other| reached[other].contains(*module));
            let circle: Vec<Module> = others.cloned().collect();
            if !circle.is_empty() {
                circles.insert(circle);
            }
        }
        circles.into_iter().collect()
    }
}

fn reached_from(module: &Module, uses: &BTreeMap<&Module, BTreeSet<Module>>) -> BTreeSet<Module> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<&Module> = uses[module].iter().collect();
    while let Some(module) = next.pop() {
        if reached.insert(module.clone()) {
            next.extend(&uses[module]);
        }
    }
    reached
}

struct UseStatement {
    is_public: bool,
    paths: Vec<Module>,
}

fn use_statements(text: &str) -> impl Iterator<Item = UseStatement> {
    text.split(';').filter_map(|statement| {
        // The text before it is another item that ends without a semicolon.
        let (before, tree) = statement.rsplit_once("use ")?;
        let visibility = before.rsplit('\n').next().unwrap_or(before).trim();
        if !(visibility.is_empty() || visibility.starts_with("pub")) || tree.contains("fn ") {
            return None;
        }
        let mut paths = vec![];
        expand(tree, &[], &mut paths);
        Some(UseStatement {
            is_public: !visibility.is_empty(),
            paths,
        })
    })
}

/// The paths of `a::{b, c::{d, e}}`.
fn expand(tree: &str, before: &[String], paths: &mut Vec<Module>) {
    let tree = tree.trim();
    let (path, group) = match tree.split_once('{') {
        Some((path, group)) => (path, group.strip_suffix('}')),
        None => (tree, None),
    };
    let path = path.split(" as ").next().unwrap_or(path);
    let parts = path.split("::").map(str::trim);
    let parts = parts.filter(|part| !part.is_empty() && (*part != "self" || before.is_empty()));
    let mut full = before.to_vec();
    full.extend(parts.map(str::to_string));
    match group {
        None => paths.push(full),
        Some(group) => {
            let mut depth = 0;
            for member in group.split(|char| {
                depth += i32::from(char == '{') - i32::from(char == '}');
                char == ',' && depth == 0
            }) {
                if !member.trim().is_empty() {
                    expand(member, &full, paths);
                }
            }
        }
    }
}

/// Paths in code: `crate::a::b`, `super::c`, but not those of `pub(super)`.
fn inline_paths(text: &str) -> Vec<Module> {
    let mut paths = vec![];
    for word in text.split(|char: char| !(char.is_alphanumeric() || char == '_' || char == ':')) {
        let is_own = ["crate::", "self::", "super::"]
            .iter()
            .any(|start| word.starts_with(start));
        // A group ends with `::`: its members are read with its `use`.
        if is_own && !word.ends_with("::") {
            let parts = word.split("::").filter(|part| !part.is_empty());
            paths.push(parts.map(str::to_string).collect());
        }
    }
    paths
}

fn crate_of(files: &[(&str, &str)]) -> Imports {
    let path = |name: &str| name.split("::").map(str::to_string).collect::<Module>();
    let files = files
        .iter()
        .map(|(name, text)| (path(name), (*text).to_string()));
    Imports::of(files.collect())
}

#[test]
fn every_way_to_write_a_circle_is_seen() {
    for (first, second) in [
        ("use crate::b::B;", "use crate::a::A;"),
        ("use crate::{b, c};", "use crate::a::{A, C};"),
        ("use super::b::B;", "fn f() { crate::a::A::new() }"),
        ("use crate::{\n    b::B,\n};", "use super::a::A as Other;"),
        (
            "fn f(b: crate::b::B) {}",
            "pub(crate) fn g() -> super::a::A {}",
        ),
        // Through a re-export of another module.
        ("use crate::c::B;", "use crate::a::A;"),
    ] {
        let files = [
            ("a", first),
            ("b", second),
            ("c", "pub(crate) use crate::b::B;"),
        ];
        let circles = crate_of(&files).circles();
        assert_eq!(circles.len(), 1, "{first} {second}");
    }
}

#[test]
fn what_is_no_circle_is_none() {
    for (first, second) in [
        ("use crate::b::B;", "use other::a::A;"),
        ("use crate::b::B;", "pub(super) fn a() {}"),
        ("use crate::b::B;", ""),
    ] {
        let circles = crate_of(&[("a", first), ("b", second)]).circles();
        assert!(circles.is_empty(), "{first} {second}");
    }
}

#[test]
fn code_for_tests_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.rs");
    let text = "use a;\n#[cfg(test)]\nmod tests;\nfn b() {}\n#[cfg(any(test, fuzzing))]\nimpl C {\n    fn d() { \"}\" }\n}\n\
                fn e() {} // crate::f\n// use g;\n#[cfg(test)]\nmod tests {\n    use h;\n}\n";
    std::fs::write(&path, text).unwrap();
    let lines = production_lines(&path);
    assert_eq!(lines, ["use a;", "fn b() {}", "fn e() {} // crate::f"]);
}
