//! Bags of ROS 2 as folders: `metadata.yaml` and the files that it names.

use super::part::{Part, table};
use super::{mcap, sqlite};
use crate::error::{Error, Result};
use crate::read::signature::{METADATA, ROOT};
use crate::read::table::Table;
use crate::read::{Input, ReadOptions};
use saphyr_parser::{Event, Parser};
use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// No metadata are longer, bytes.
const LONGEST_METADATA: u64 = 1 << 24;

/// Reads a folder of a bag of ROS 2.
pub(crate) fn read(input: &Input, options: &ReadOptions) -> Result<Table> {
    let metadata = Metadata::read(&input.path.join(METADATA))?;
    let files: Vec<PathBuf> = metadata.files.iter().map(|name| input.path.join(name)).collect();
    if let Some(missing) = files.iter().find(|file| !file.is_file()) {
        let found = format!("no file `{}`", missing.display());
        return Err(input.error(found, format!("the files that {METADATA} names")));
    }
    if files.is_empty() {
        return Err(input.error(format!("no file named in {METADATA}"), "at least one"));
    }
    let mut hash = vec![input.path.join(METADATA)];
    hash.extend(files.iter().cloned());
    let record = input.record(&hash)?;
    let parts = files.iter().map(|file| part(file, &metadata)).collect::<Result<Vec<_>>>()?;
    table(input, record, &parts, metadata.formats, options)
}

/// One file, by its ending; a packed one is unpacked first.
fn part<'a>(file: &Path, metadata: &Metadata) -> Result<Part<'a>> {
    let name = file.to_string_lossy().to_lowercase();
    let (name, unpacked) = match [".zstd", ".zst"].iter().find_map(|ending| name.strip_suffix(ending)) {
        Some(inner) => (inner.to_string(), Some(unpack(file)?)),
        None => (name, None),
    };
    let input = Input::at(unpacked.as_deref().unwrap_or(file));
    let part = match name.rsplit('.').next() {
        Some("mcap") => mcap::part(input),
        Some("db3") => sqlite::part(input),
        _ => {
            let found = format!("a file of another kind, of the storage `{}`", metadata.storage);
            return Err(Input::at(file).error(found, "a file that ends in .mcap or .db3 (or that and .zstd)"));
        }
    };
    Ok(Part { unpacked, path: file.to_path_buf(), packed_messages: metadata.packed_messages, ..part })
}

/// The contents of a file packed by zstd, in a file that is gone with the answer.
fn unpack(file: &Path) -> Result<tempfile::TempPath> {
    let mut unpacked = tempfile::NamedTempFile::new().map_err(Error::io(file, "unpack"))?;
    let packed = File::open(file).map_err(Error::io(file, "read"))?;
    zstd::stream::copy_decode(packed, &mut unpacked)
        .map_err(|e| Input::at(file).error(format!("a damaged file ({e})"), "a whole file packed by zstd"))?;
    Ok(unpacked.into_temp_path())
}

/// What matters here of a bag's metadata.
#[derive(Debug, Default, PartialEq, Eq)]
struct Metadata {
    /// Names of the files in the folder, in order.
    files: Vec<String>,
    storage: String,
    /// Whether every message is packed by zstd by itself.
    packed_messages: bool,
    /// How the messages of a topic are written.
    formats: HashMap<String, String>,
}

impl Metadata {
    fn read(path: &Path) -> Result<Self> {
        let mut text = String::new();
        let file = File::open(path).map_err(Error::io(path, "read"))?;
        let broken = |found: String| Error::Log {
            path: path.to_path_buf(),
            line: None,
            column: None,
            found,
            expected: "the metadata of a bag of ROS 2".into(),
        };
        file.take(LONGEST_METADATA).read_to_string(&mut text).map_err(|e| broken(format!("no text ({e})")))?;
        Self::parse(&text).map_err(broken)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut metadata = Self::default();
        let mut compression = (String::new(), String::new());
        let mut topic = String::new();
        for (path, value) in leaves(text)? {
            match path.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
                [ROOT, "storage_identifier"] => metadata.storage = value,
                [ROOT, "compression_format"] => compression.0 = value,
                [ROOT, "compression_mode"] => compression.1 = value.to_uppercase(),
                // Older bags name their own folder too.
                [ROOT, "relative_file_paths", _] => match Path::new(&value).file_name() {
                    Some(name) => metadata.files.push(name.to_string_lossy().into_owned()),
                    None => return Err(format!("the file name `{value}`")),
                },
                [ROOT, "topics_with_message_count", _, "topic_metadata", "name"] => topic = value,
                [ROOT, "topics_with_message_count", _, "topic_metadata", "serialization_format"] => {
                    metadata.formats.insert(topic.clone(), value);
                }
                _ => {}
            }
        }
        metadata.packed_messages = compression.1 == "MESSAGE";
        match compression {
            (format, mode) if metadata.packed_messages && format != "zstd" => {
                Err(format!("messages packed by `{format}` (mode {mode}), not by zstd"))
            }
            _ => Ok(metadata),
        }
    }
}

/// All single values of a YAML text with the keys and numbers that lead to them. References are left out: they could
/// stand for any amount of text.
fn leaves(text: &str) -> Result<Vec<(Vec<String>, String)>, String> {
    /// An open mapping with its current key, or an open list with the number of its next entry.
    enum Open {
        Mapping(Option<String>),
        List(usize),
    }
    let (mut open, mut found): (Vec<Open>, Vec<_>) = (Vec::new(), Vec::new());
    let path = |open: &[Open]| -> Vec<String> {
        let key = |one: &Open| match one {
            Open::Mapping(key) => key.clone().unwrap_or_default(),
            Open::List(number) => number.to_string(),
        };
        open.iter().map(key).collect()
    };
    let close = |open: &mut Vec<Open>| match open.last_mut() {
        Some(Open::Mapping(key)) => *key = None,
        Some(Open::List(number)) => *number += 1,
        None => {}
    };
    for event in Parser::new_from_str(text) {
        match event.map_err(|e| format!("YAML that cannot be read ({e})"))?.0 {
            Event::MappingStart(..) => open.push(Open::Mapping(None)),
            Event::SequenceStart(..) => open.push(Open::List(0)),
            Event::MappingEnd | Event::SequenceEnd => {
                open.pop();
                close(&mut open);
            }
            Event::Scalar(value, ..) => match open.last_mut() {
                Some(Open::Mapping(key @ None)) => *key = Some(value.into_owned()),
                _ => {
                    // Values further in are nothing that is looked for.
                    if open.len() <= 6 {
                        found.push((path(&open), value.into_owned()));
                    }
                    close(&mut open);
                }
            },
            Event::Alias(_) => match open.last_mut() {
                Some(Open::Mapping(key @ None)) => *key = Some(String::new()),
                _ => close(&mut open),
            },
            _ => {}
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata() {
        let text = "rosbag2_bagfile_information:\n  version: 4\n  storage_identifier: sqlite3\n  relative_file_paths:\n\
            \x20   - bag/a_0.db3\n    - a_1.db3\n  topics_with_message_count:\n    - topic_metadata:\n\
            \x20       name: /test\n        serialization_format: cdr\n  compression_format: zstd\n  \
            compression_mode: MESSAGE\n";
        let expected = Metadata {
            files: vec!["a_0.db3".into(), "a_1.db3".into()],
            storage: "sqlite3".into(),
            packed_messages: true,
            formats: HashMap::from([("/test".into(), "cdr".into())]),
        };
        assert_eq!(Metadata::parse(text), Ok(expected));
        let lz4 = Metadata::parse(&text.replace("zstd", "lz4")).expect_err("refused");
        assert_eq!(lz4, "messages packed by `lz4` (mode MESSAGE), not by zstd");
        assert!(Metadata::parse("a: [").expect_err("no YAML").starts_with("YAML that cannot be read"));
    }

    #[test]
    fn yaml_references_are_not_followed() {
        let text = "a: &a [x, x]\nb: &b [*a, *a, *a]\nc: [*b, *b]\n? *a\n: z\nd: e\n";
        let found: Vec<(String, String)> =
            leaves(text).expect("YAML").into_iter().map(|(path, value)| (path.join("/"), value)).collect();
        let expected = [("a/0", "x"), ("a/1", "x"), ("", "z"), ("d", "e")];
        assert_eq!(found, expected.map(|(path, value)| (path.to_string(), value.to_string())));
    }
}
