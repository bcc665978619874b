//! No circles of imports: a file may not import, over however many steps, a file that imports it back.
//!
//! An import counts for the file that *defines* the name, whatever module it was taken through: `use super::Energy`
//! is an import of `energy/mod.rs` where the trait stands there, and of `energy/affine.rs` where `mod.rs` only hands it on.
//! So a `mod.rs` may gather its children's names, or define what they share, but not both.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A name in a module: where it leads to.
#[derive(Default)]
struct Found {
    /// The modules (by place in the tree) that define it.
    items: BTreeSet<usize>,
    module: Option<usize>,
}

/// One file of a crate.
struct Module {
    file: PathBuf,
    parent: Option<usize>,
    children: BTreeMap<String, usize>,
    /// Names that it defines itself.
    items: BTreeSet<String>,
    /// `use` by `use`: the path, and the name it has here (`*` for all that the path holds).
    uses: Vec<(Vec<String>, String)>,
    /// Paths that stand in the code: `super::chain::Walk`, `chain::run`.
    paths: BTreeSet<Vec<String>>,
}

/// Identifiers, `::` and single signs; without comments, lifetimes and what stands in quotes.
fn tokens(text: &str) -> Vec<String> {
    let c: Vec<char> = text.chars().collect();
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let at = |i: usize| c.get(i).copied().unwrap_or('\n');
    let mut found = Vec::new();
    let mut i = 0;
    while i < c.len() {
        // `r"..."`, `r#"..."#` and their like with bytes: to the quote with as many signs behind it.
        let raw = if at(i) == 'b' { i + 1 } else { i };
        let hashes = (0..).take_while(|k| at(raw + 1 + k) == '#').count();
        if at(raw) == 'r' && at(raw + 1 + hashes) == '"' {
            i = raw + 2 + hashes;
            while i < c.len() && !(at(i) == '"' && (1..=hashes).all(|k| at(i + k) == '#')) {
                i += 1;
            }
            i += 1 + hashes;
        } else if at(i) == '/' && at(i + 1) == '/' {
            while i < c.len() && at(i) != '\n' {
                i += 1;
            }
        } else if at(i) == '"' || (at(i) == '\'' && (at(i + 1) == '\\' || at(i + 2) == '\'')) {
            let quote = at(i);
            i += 1;
            while i < c.len() && at(i) != quote {
                i += if at(i) == '\\' { 2 } else { 1 };
            }
            i += 1;
        } else if word(at(i)) || at(i) == '\'' {
            let start = i;
            i += 1;
            while i < c.len() && word(at(i)) {
                i += 1;
            }
            if c[start] != '\'' {
                found.push(c[start..i].iter().collect());
            }
        } else if at(i) == ':' && at(i + 1) == ':' {
            found.push("::".into());
            i += 2;
        } else {
            if !at(i).is_whitespace() {
                found.push(at(i).to_string());
            }
            i += 1;
        }
    }
    found
}

/// The tokens without the items under `#[cfg(test)]`.
fn without_tests(all: Vec<String>) -> Vec<String> {
    let mut kept = Vec::new();
    let mut i = 0;
    while i < all.len() {
        if !all[i..].iter().take(7).eq(["#", "[", "cfg", "(", "test", ")", "]"]) {
            kept.push(all[i].clone());
            i += 1;
            continue;
        }
        // To the end of the item: a semicolon, or the brace that closes it.
        let mut depth = 0;
        i += 7;
        while i < all.len() {
            depth += i32::from(all[i] == "{") - i32::from(all[i] == "}");
            let end = depth == 0 && (all[i] == ";" || all[i] == "}");
            i += 1;
            if end {
                break;
            }
        }
    }
    kept
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// The leaves of the tree behind `use`, up to its semicolon, comma or brace; says where it ends.
fn leaves(tokens: &[String], mut i: usize, before: &[String], found: &mut Vec<(Vec<String>, String)>) -> usize {
    let mut path = before.to_vec();
    let mut name = None;
    while i < tokens.len() {
        match tokens[i].as_str() {
            "::" => {}
            "{" => {
                while tokens[i] != "}" {
                    i = leaves(tokens, i + 1, &path, found);
                }
                return i + 1;
            }
            "as" => {
                name = Some(tokens[i + 1].clone());
                i += 1;
            }
            "*" => name = Some("*".into()),
            "self" if !path.is_empty() => {}
            word if is_name(word) => path.push(word.into()),
            _ => break,
        }
        i += 1;
    }
    if path.len() > before.len() || name.is_some() || before.len() > 1 || tokens[i - 1] == "self" {
        let name = name.unwrap_or_else(|| path.last().cloned().unwrap_or_default());
        found.push((path, name));
    }
    i
}

impl Module {
    /// Reads a file; its `mod NAME;` lines are `children`, not yet found.
    fn read(file: PathBuf, text: &str, parent: Option<usize>) -> (Self, Vec<String>) {
        let t = without_tests(tokens(text));
        let mut module = Self {
            file,
            parent,
            children: BTreeMap::new(),
            items: BTreeSet::new(),
            uses: Vec::new(),
            paths: BTreeSet::new(),
        };
        let mut children = Vec::new();
        let (mut depth, mut i) = (0, 0);
        // Depths at which `mod NAME {` stands: there `super` is this file.
        let mut inside: Vec<i32> = Vec::new();
        let seen_from_file = |path: Vec<String>, inside: usize| -> Vec<String> {
            let ups = path.iter().take(inside).take_while(|s| *s == "super").count();
            path.into_iter().skip(ups).collect()
        };
        while i < t.len() {
            let next = t.get(i + 1).map_or("", String::as_str);
            match t[i].as_str() {
                "{" => depth += 1,
                "}" => {
                    depth -= 1;
                    inside.pop_if(|at| *at == depth);
                }
                "use" => {
                    let mut found = Vec::new();
                    i = leaves(&t, i + 1, &[], &mut found);
                    let found = found.into_iter().map(|(path, name)| (seen_from_file(path, inside.len()), name));
                    module.uses.extend(found.filter(|(path, _)| !path.is_empty()));
                }
                "mod" if t.get(i + 2).is_some_and(|s| s == "{") => inside.push(depth),
                "mod" if t.get(i + 2).is_some_and(|s| s == ";") => children.push(next.into()),
                "struct" | "enum" | "trait" | "fn" | "const" | "static" | "type" | "union" if depth == 0 => {
                    module.items.insert(next.into());
                }
                name if is_name(name) && next == "::" => {
                    let mut path = vec![name.to_string()];
                    while t.get(i + 1).is_some_and(|s| s == "::") && t.get(i + 2).is_some_and(|s| is_name(s)) {
                        path.push(t[i + 2].clone());
                        i += 2;
                    }
                    module.paths.insert(seen_from_file(path, inside.len()));
                }
                _ => {}
            }
            i += 1;
        }
        (module, children)
    }
}

/// All files of a crate, from its root along the `mod` lines.
struct Tree(Vec<Module>);

impl Tree {
    fn read(root: &Path) -> Self {
        let mut tree = Self(Vec::new());
        tree.add(root.to_path_buf(), root.parent().expect("a folder"), None);
        tree
    }

    /// Adds a file and what is below it; `folder` is where its children lie.
    fn add(&mut self, file: PathBuf, folder: &Path, parent: Option<usize>) -> usize {
        let text = std::fs::read_to_string(&file).expect("a source file");
        let (module, children) = Module::read(file, &text, parent);
        let place = self.0.len();
        self.0.push(module);
        for child in children {
            let below = folder.join(&child);
            let files = [folder.join(format!("{child}.rs")), below.join("mod.rs")];
            let file = files.into_iter().find(|f| f.exists()).unwrap_or_else(|| panic!("no file for {child}"));
            let at = self.add(file, &below, Some(place));
            self.0[place].children.insert(child, at);
        }
        place
    }

    /// What a name means in a module.
    fn name(&self, module: usize, name: &str, seen: &mut BTreeSet<(usize, String)>) -> Found {
        let mut found = Found::default();
        if !seen.insert((module, name.into())) {
            return found;
        }
        let m = &self.0[module];
        found.module = m.children.get(name).copied();
        if m.items.contains(name) {
            found.items.insert(module);
        }
        let mut take = |more: Found| {
            found.items.extend(more.items);
            found.module = found.module.or(more.module);
        };
        for (path, alias) in &m.uses {
            if alias == name {
                take(self.path(module, path, seen));
            } else if alias == "*"
                && let Some(all) = self.path(module, path, seen).module
            {
                take(self.name(all, name, seen));
            }
        }
        found
    }

    /// What a path means that stands in a module; nothing for other crates' names.
    fn path(&self, module: usize, path: &[String], seen: &mut BTreeSet<(usize, String)>) -> Found {
        let mut found = Found { items: BTreeSet::new(), module: Some(module) };
        for (i, segment) in path.iter().enumerate() {
            // A type or a function: what follows (`Type::new`) stands where it is defined.
            let Some(at) = found.module else { break };
            found = match segment.as_str() {
                "crate" if i == 0 => Found { module: Some(0), ..Found::default() },
                "self" if i == 0 => Found { module: Some(at), ..Found::default() },
                "super" => Found { module: self.0[at].parent, ..Found::default() },
                name => {
                    let new = !seen.contains(&(at, name.into()));
                    let mut found = self.name(at, name, seen);
                    let unknown = found.items.is_empty() && found.module.is_none();
                    if i > 0 && new && unknown && !self.0[at].uses.iter().any(|(_, alias)| alias == name) {
                        found.items.insert(at); // a macro of that file defines it
                    }
                    found
                }
            };
        }
        found
    }

    /// Who imports whom, and by which paths.
    fn imports(&self) -> BTreeMap<usize, BTreeMap<usize, BTreeSet<String>>> {
        let mut edges: BTreeMap<usize, BTreeMap<usize, BTreeSet<String>>> = BTreeMap::new();
        for (from, m) in self.0.iter().enumerate() {
            for path in m.uses.iter().map(|(p, _)| p).chain(&m.paths) {
                for to in self.path(from, path, &mut BTreeSet::new()).items {
                    if to != from {
                        edges.entry(from).or_default().entry(to).or_default().insert(path.join("::"));
                    }
                }
            }
        }
        edges
    }

    /// Each circle: its files and their imports of each other, as text.
    fn circles(&self, root: &Path) -> Vec<String> {
        let edges = self.imports();
        let mut reached: Vec<BTreeSet<usize>> = Vec::new();
        for start in 0..self.0.len() {
            let (mut all, mut todo) = (BTreeSet::new(), vec![start]);
            while let Some(at) = todo.pop() {
                todo.extend(edges.get(&at).into_iter().flatten().map(|(to, _)| *to).filter(|to| all.insert(*to)));
            }
            reached.push(all);
        }
        let name = |i: usize| self.0[i].file.strip_prefix(root).unwrap_or(&self.0[i].file).display().to_string();
        let circles: BTreeSet<BTreeSet<usize>> = (0..self.0.len())
            .filter(|i| reached[*i].contains(i))
            .map(|i| reached[i].iter().copied().filter(|j| reached[*j].contains(&i)).collect())
            .collect();
        let mut texts = Vec::new();
        for circle in circles {
            let mut text = format!("a circle of {} files:\n", circle.len());
            for from in &circle {
                for (to, paths) in edges[from].iter().filter(|(to, _)| circle.contains(to)) {
                    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
                    text += &format!("  {} imports {}: {}\n", name(*from), name(*to), paths.join(", "));
                }
            }
            texts.push(text);
        }
        texts
    }
}

#[test]
fn no_file_imports_one_that_imports_it_back() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let crates = std::fs::read_dir(here.join("crates")).expect("a folder of crates").flatten().map(|e| e.path());
    for folder in crates.chain([here.into(), here.join("viz")]) {
        let roots = ["src/lib.rs", "src/main.rs"].map(|root| folder.join(root));
        let root = roots.iter().find(|root| root.exists()).unwrap_or_else(|| panic!("no crate in {folder:?}"));
        found.extend(Tree::read(root).circles(here));
    }
    assert!(found.is_empty(), "{} circles\n{}", found.len(), found.join("\n"));
}

/// The check can fail: of a small crate it sees what is a circle, and nothing else.
#[test]
fn the_reader_tells_circles_from_facades() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    };
    write("lib.rs", "mod facade;\nmod hub;\nmod paths;\nmod renamed;\nmod tests_only;");
    // Names handed on are their definers': no circle, though `b` names its parent.
    write("facade/mod.rs", "mod a;\nmod b;\npub use a::{A, make as built};\npub use b::*;");
    write("facade/a.rs", "pub struct A;\npub fn make() -> A { A }");
    write("facade/b.rs", "use super::{A, built};\npub fn b() -> A { built() }");
    // Defined in `mod.rs`, used below, and handed on from there.
    write("hub/mod.rs", "mod c;\npub use c::C;\npub trait Hub {}");
    write("hub/c.rs", "use super::Hub;\npub struct C; impl Hub for C {}");
    // By paths in the code, one through a module's name, three files round.
    write("paths/mod.rs", "mod d;\nmod e;\nmod f;");
    write("paths/d.rs", "use super::e;\npub fn d() { e::e() }");
    write("paths/e.rs", "pub fn e() { crate::paths::f::F::new(); }");
    write("paths/f.rs", "made!(F);\nmod inner { fn g() { super::super::d::d() } }");
    // By another name, and by a name that the parent has for itself.
    write("renamed/mod.rs", "mod g;\nmod h;\nuse g::G as Other;");
    write("renamed/g.rs", "use super::h::{self};\npub struct G; fn g(_: h::H) {}");
    write("renamed/h.rs", "use super::Other;\npub struct H(Other);");
    // Tests, comments and texts import nothing.
    write("tests_only/mod.rs", "mod i;\npub struct I;\n#[cfg(test)]\nmod tests { use super::i::J; }");
    write("tests_only/i.rs", "use super::I;\npub struct J(I);");
    let comment =
        "// use super::k::K;\n/// [`super::k::K`]\npub const J: &str = \"super::k::K \\\" super::k::K\"; pub struct Q;";
    write("tests_only/j.rs", comment);
    let circles = Tree::read(&folder.path().join("lib.rs")).circles(folder.path());
    let firsts: Vec<&str> = circles.iter().filter_map(|c| c.lines().nth(1)).collect();
    assert_eq!(firsts.len(), 3, "{circles:#?}");
    assert_eq!(firsts[0], "  hub/mod.rs imports hub/c.rs: c::C");
    assert_eq!(firsts[1], "  paths/d.rs imports paths/e.rs: e::e");
    assert_eq!(firsts[2], "  renamed/g.rs imports renamed/h.rs: h::H");
    assert!(
        circles[1].contains("3 files") && circles[1].contains("f.rs imports paths/d.rs: super::d::d"),
        "{circles:#?}"
    );
}
