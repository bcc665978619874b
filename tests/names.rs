//! One meaning a name: no two public types share one, and the glossary names only types that there are.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Every Rust file below `folder`, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    let of = |path: PathBuf| match path.is_dir() {
        true => files(&path),
        false if path.extension().is_some_and(|e| e == "rs") => vec![path],
        false => Vec::new(),
    };
    entries.into_iter().flat_map(of).collect()
}

/// The type that a line declares as `pub`, however deep it is indented. What is `pub(crate)` has no name outside.
fn declared(line: &str) -> Option<&str> {
    let mut words = line.trim_start().strip_prefix("pub ")?.split_whitespace();
    let kind = words.find(|word| *word != "unsafe")?;
    let name = words.next().filter(|_| ["struct", "enum", "trait", "type", "union"].contains(&kind))?;
    Some(name.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or(name))
}

/// The repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Rust files of the library and of the crates beside it, without their tests.
fn sources() -> Vec<PathBuf> {
    let crates = std::fs::read_dir(root().join("crates")).unwrap().map(|e| e.unwrap().path().join("src"));
    crates.chain([root().join("src")]).flat_map(|folder| files(&folder)).collect()
}

/// Where each public type is declared. The program's own, in `crates/cli`, nobody can import.
fn public_types() -> BTreeMap<String, Vec<String>> {
    let mut types: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in sources().into_iter().filter(|file| !file.starts_with(root().join("crates/cli"))) {
        let place = file.strip_prefix(root()).unwrap().display().to_string();
        for name in std::fs::read_to_string(&file).unwrap().lines().filter_map(declared) {
            types.entry(name.into()).or_default().push(place.clone());
        }
    }
    types
}

/// The code that the last column of the glossary's tables names, such as `Energy`.
fn glossary_code() -> BTreeSet<String> {
    let text = std::fs::read_to_string(root().join("GLOSSARY.md")).unwrap();
    let last = |line: &str| line.trim().strip_prefix('|')?.strip_suffix('|')?.rsplit('|').next().map(str::to_string);
    let code = |cell: String| cell.split('`').skip(1).step_by(2).map(str::to_string).collect::<Vec<_>>();
    text.lines().filter_map(last).flat_map(code).collect()
}

#[test]
fn no_two_public_types_have_one_name() {
    let types = public_types();
    assert!(types.len() > 200, "only {} types were read", types.len());
    let twice: Vec<_> = types.iter().filter(|(_, places)| places.len() > 1).collect();
    assert!(twice.is_empty(), "a name for each: {twice:#?}");
}

#[test]
fn the_glossary_is_true() {
    let text = sources().iter().map(|file| std::fs::read_to_string(file).unwrap()).collect::<Vec<_>>().join("\n");
    let words: BTreeSet<&str> = text.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let declares = |name: &str| {
        ["struct", "enum", "trait", "type"].iter().any(|kind| {
            let start = format!("{kind} {name}");
            text.match_indices(&start)
                .any(|(at, _)| !text[at + start.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_'))
        })
    };
    let code = glossary_code();
    assert!(code.len() > 30, "only {code:?} was read");
    for name in code {
        let there = match name.as_str() {
            path if path.contains('/') => root().join(path).exists(),
            option if option.starts_with("--") => words.contains(option[2..].replace('-', "_").as_str()),
            // `model.chunk` is a field of a setting's name; a capital is a type; the rest are fields and functions.
            kind if kind.starts_with(char::is_uppercase) => declares(kind),
            word => word.split('.').all(|part| words.contains(part)),
        };
        assert!(there, "the glossary names `{name}`, which is nowhere in the code");
    }
}
