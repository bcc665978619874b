//! What the Markdown files say of this repository is true: links lead somewhere, commands exist, lines are readable.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Lines of the README at most: it is a front door, the rest stands in `docs/`.
const README_LINES: usize = 130;
/// Characters of a line at most, but for tables, which Markdown cannot break.
const WIDTH: usize = 120;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Every Markdown file of the repository: not what builds, runs and the user's own folders leave beside it.
fn documents() -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("a folder of the repository").map(|e| e.expect("an entry")) {
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            let left = ["target", "out", "venv", "shared"].contains(&name.as_str()) || name.starts_with('.');
            match entry.file_type().expect("a file type") {
                kind if kind.is_dir() && !left => walk(&path, found),
                kind if kind.is_file() && name.ends_with(".md") => found.push(path),
                _ => {}
            }
        }
    }
    let mut found = Vec::new();
    walk(root(), &mut found);
    found.sort();
    assert!(found.len() >= 15, "few documents: {found:?}");
    found
}

/// A line of a document, and the language of the fenced block that it lies in.
struct Line<'a> {
    number: usize,
    text: &'a str,
    fence: Option<&'a str>,
}

/// The lines of a document without the fences themselves.
fn lines(document: &str) -> Vec<Line<'_>> {
    let (mut lines, mut fence) = (Vec::new(), None);
    for (index, text) in document.lines().enumerate() {
        if let Some(language) = text.trim_start().strip_prefix("```") {
            fence = if fence.is_none() { Some(language.trim()) } else { None };
        } else {
            lines.push(Line { number: index + 1, text, fence });
        }
    }
    assert!(fence.is_none(), "a block of code that does not end");
    lines
}

/// A line without its inline code.
fn prose(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join(" ")
}

/// Targets of the links and pictures of a document, with the lines in which they end.
fn links(document: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for line in lines(document).iter().filter(|l| l.fence.is_none() && !l.text.starts_with("    ")) {
        for rest in prose(line.text).split("](").skip(1) {
            let target = rest.split(')').next().unwrap_or_default();
            found.push((line.number, target.to_string()));
        }
    }
    found
}

/// The anchors that a document's headings have on GitHub.
fn anchors(document: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for line in lines(document).iter().filter(|l| l.fence.is_none() && l.text.starts_with('#')) {
        let heading = line.text.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || "-_ ".contains(*c));
        let anchor: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        let again = (1..).map(|n| format!("{anchor}-{n}"));
        let free = std::iter::once(anchor.clone()).chain(again).find(|a| !anchors.contains(a));
        anchors.extend(free);
    }
    anchors
}

/// What is wrong with a link of the document at `path`, if anything.
fn fault(path: &Path, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (file, anchor) = target.split_once('#').map_or((target, None), |(file, anchor)| (file, Some(anchor)));
    let leads = match file {
        "" => path.to_path_buf(),
        file => path.parent().expect("a document lies in a folder").join(file),
    };
    if !leads.exists() {
        return Some(format!("no file `{file}`"));
    }
    let missing = |anchor: &&str| !leads.is_file() || !anchors(&text(&leads)).contains(*anchor);
    anchor.filter(missing).map(|anchor| format!("no heading `#{anchor}` in `{}`", leads.display()))
}

#[test]
fn links_lead_to_files_and_headings() {
    let (mut faults, mut followed) = (Vec::new(), 0);
    for path in documents() {
        for (number, target) in links(&text(&path)) {
            followed += 1;
            faults.extend(fault(&path, &target).map(|fault| format!("{}:{number}: {fault}", path.display())));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(followed >= 50, "only {followed} links were found");
}

/// The commands of a document's `sh` blocks as words, with the line in which each begins: continued lines joined, comments left out.
fn commands(document: &str) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    let mut begun: Option<(usize, String)> = None;
    for line in lines(document).iter().filter(|l| l.fence == Some("sh")) {
        let (number, mut command) = begun.take().unwrap_or((line.number, String::new()));
        command += line.text;
        if let Some(open) = command.strip_suffix('\\') {
            begun = Some((number, open.to_string()));
            continue;
        }
        let words: Vec<&str> = command.split_whitespace().take_while(|word| !word.starts_with('#')).collect();
        for part in words.split(|word| ["&&", "||", "|", ";"].contains(word)) {
            found.push((number, part.iter().map(|word| (*word).to_string()).collect()));
        }
    }
    found
}

/// What follows `ebmotion` in a command that runs it.
fn arguments(words: &[String]) -> Option<&[String]> {
    match words {
        [first, rest @ ..] if first == "ebmotion" => Some(rest),
        [cargo, run, ..] if cargo == "cargo" && run == "run" && !words.iter().any(|w| w == "--example") => {
            let dashes = words.iter().position(|word| word == "--")?;
            Some(&words[dashes + 1..])
        }
        _ => None,
    }
}

/// The words of `ebmotion VERB... --help`, or what is wrong with the verb.
fn help(verb: &[String]) -> Result<BTreeSet<String>, String> {
    let output = Command::new(env!("CARGO_BIN_EXE_ebmotion")).args(verb).arg("--help").output();
    let output = output.expect("the program starts");
    if !output.status.success() {
        return Err(format!("no verb `ebmotion {}`", verb.join(" ")));
    }
    let text = String::from_utf8(output.stdout).expect("help is text");
    // Only what begins a line names an option; examples and explanations may speak of others' options.
    let options = text.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    Ok(options.flat_map(|line| line.split([' ', ','])).map(str::to_string).collect())
}

#[test]
fn commands_name_verbs_and_options_that_exist() {
    let mut helps: BTreeMap<Vec<String>, Result<BTreeSet<String>, String>> = BTreeMap::new();
    let (mut faults, mut checked) = (Vec::new(), 0);
    for path in documents().iter().filter(|p| p.ends_with("README.md") || p.starts_with(root().join("docs"))) {
        for (number, words) in commands(&text(path)) {
            let Some(arguments) = arguments(&words) else { continue };
            checked += 1;
            let depth = if arguments.first().is_some_and(|verb| verb == "image") { 2 } else { 1 };
            let verb = &arguments[..depth.min(arguments.len())];
            match helps.entry(verb.to_vec()).or_insert_with(|| help(verb)) {
                Err(fault) => faults.push(format!("{}:{number}: {fault}", path.display())),
                Ok(known) => {
                    let options = arguments.iter().filter(|a| a.starts_with('-') && a.len() > 1);
                    let names = options.map(|option| option.split('=').next().unwrap_or(option));
                    let unknown = names.filter(|name| !known.contains(*name));
                    let fault = |name| format!("{}:{number}: `{}` has no `{name}`", path.display(), verb.join(" "));
                    faults.extend(unknown.map(fault));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(checked >= 30, "only {checked} commands were found");
}

#[test]
fn the_readme_is_short() {
    let count = text(&root().join("README.md")).lines().count();
    assert!(count <= README_LINES, "README.md has {count} lines, at most {README_LINES}");
}

#[test]
fn lines_can_be_read() {
    let mut long = Vec::new();
    for path in documents() {
        for (index, line) in text(&path).lines().enumerate() {
            let count = line.chars().count();
            if count > WIDTH && !line.trim_start().starts_with('|') {
                long.push(format!("{}:{}: {count} characters, at most {WIDTH}", path.display(), index + 1));
            }
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn wrong_documents_are_told_from_right_ones() {
    let document = "# A `b`, c!\n\n## A b c\n[x](#a-b-c) [y](#a-b-c-1) [z](#d) `[w](nowhere)`\n```sh\nebmotion inspect \\\n  \
                    logs/ --json # [v](nowhere)\n```\n";
    assert_eq!(links(document).len(), 3);
    assert_eq!(anchors(document), BTreeSet::from(["a-b-c".to_string(), "a-b-c-1".to_string()]));
    let words: Vec<String> = ["ebmotion", "inspect", "logs/", "--json"].map(String::from).to_vec();
    assert_eq!(commands(document), [(6, words)]);
    assert_eq!(fault(&root().join("README.md"), "nowhere.md"), Some("no file `nowhere.md`".into()));
    assert!(fault(&root().join("README.md"), "README.md#no-such-heading").is_some());
    assert!(help(&["nothing".to_string()]).is_err());
    let inspect = help(&["inspect".to_string()]).expect("a verb");
    assert!(inspect.contains("--json") && !inspect.contains("--nothing"));
}
