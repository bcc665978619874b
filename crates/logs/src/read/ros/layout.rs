//! What the numbers of a message are called.

use super::walk::Sink;
use crate::read::numbers::Column;
use std::collections::HashSet;

/// A message has so many numbers at most.
const MOST: usize = 4096;
/// Fields that are no motion, by name.
const BOOKKEEPING: &[&str] = &[
    "seq",
    "sequence",
    "id",
    "index",
    "count",
    "counter",
    "t",
    "time",
    "timestamp",
    "stamp",
    "sec",
    "secs",
    "nanosec",
    "nsec",
    "nsecs",
    "frame",
    "frame_index",
    "size",
    "stride",
    "data_offset",
    "covariance",
];

/// The numbers of a message as the wire has them, and what tells one layout from another.
#[derive(Debug, Default)]
pub(super) struct Flat {
    pub values: Vec<f64>,
    /// Lengths of arrays, keys, names: equal where the numbers mean the same.
    pub key: Vec<u8>,
    pub stamp: Option<i64>,
}

impl Flat {
    pub fn clear(&mut self) {
        self.values.clear();
        self.key.clear();
        self.stamp = None;
    }
}

impl Sink for Flat {
    fn key(&mut self, key: &str) {
        self.text(key.as_bytes());
    }

    fn count(&mut self, count: usize) {
        self.key.extend((count as u64).to_le_bytes());
    }

    fn text(&mut self, text: &[u8]) {
        self.count(text.len());
        self.key.extend(text);
    }

    fn number(&mut self, value: f64, _: bool) {
        self.values.push(value);
    }

    fn stamp(&mut self, nanos: i64) {
        self.stamp = Some(nanos);
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Field(String),
    Entry(usize, usize),
}

/// Hears where every number of one message stands.
#[derive(Debug, Default)]
pub(super) struct Namer {
    path: Vec<Step>,
    numbers: Vec<(Vec<Step>, bool)>,
    /// Lists of names: where the message lies that has them, their field, the names.
    lists: Vec<(Vec<Step>, String, Vec<String>)>,
    /// Frames, by the path of the field.
    frames: Vec<(String, String)>,
    /// Numbers beyond the most.
    more: bool,
}

impl Sink for Namer {
    fn field(&mut self, name: &str) {
        self.path.push(Step::Field(name.into()));
    }

    fn end(&mut self) {
        self.path.pop();
    }

    fn entry(&mut self, index: usize, of: usize) {
        self.path.push(Step::Entry(index, of));
    }

    fn count(&mut self, _: usize) {}

    fn text(&mut self, text: &[u8]) {
        let text = String::from_utf8_lossy(text).into_owned();
        match self.path.as_slice() {
            [before @ .., Step::Field(list), Step::Entry(index, _)] => match self.lists.last_mut() {
                Some((_, _, names)) if *index > 0 => names.push(text),
                _ => self.lists.push((before.to_vec(), list.clone(), vec![text])),
            },
            path => self.frames.push((written(path), text)),
        }
    }

    fn number(&mut self, _: f64, bookkeeping: bool) {
        match self.numbers.len() < MOST {
            true => self.numbers.push((self.path.clone(), bookkeeping)),
            false => self.more = true,
        }
    }

    fn stamp(&mut self, _: i64) {}
}

/// The columns of a message's numbers.
#[derive(Debug)]
pub(super) struct Names {
    /// In the order of the numbers.
    pub columns: Vec<Column>,
    /// What else tells what the numbers are, as a person reads it: frames, lists of names that name no number.
    pub about: String,
}

impl Namer {
    /// The columns; in a joint state a position is called as its joint is.
    ///
    /// # Errors
    /// What is wrong with the message, in words.
    pub fn names(self, joint_state: bool) -> Result<Names, String> {
        if self.more {
            return Err(format!("more than {MOST} numbers"));
        }
        if joint_state {
            self.check_lengths()?;
        }
        let mut used = vec![false; self.lists.len()];
        let mut seen = HashSet::new();
        let mut columns = Vec::with_capacity(self.numbers.len());
        for (path, bookkeeping) in &self.numbers {
            let name = match self.named(path, &mut used) {
                Some((joint, field)) if joint_state && field == "position" => joint.to_string(),
                Some((joint, field)) => format!("{joint}.{field}"),
                None => written(path),
            };
            if !seen.insert(name.clone()) {
                return Err(format!("`{name}` twice"));
            }
            let last = path.iter().rev().find_map(|step| match step {
                Step::Field(name) => Some(name.to_lowercase()),
                Step::Entry(..) => None,
            });
            let last = last.unwrap_or_default();
            let bookkeeping = *bookkeeping || BOOKKEEPING.contains(&last.as_str()) || last.ends_with("_covariance");
            columns.push(Column { name, unit: None, bookkeeping });
        }
        let lists = self.lists.iter().zip(used).filter(|(_, used)| !used);
        let lists = lists.map(|((path, field, names), _)| {
            let at = written(&[path.as_slice(), &[Step::Field(field.clone())]].concat());
            format!("{at} {}", names.join(" "))
        });
        let frames = self.frames.iter().filter(|(_, frame)| !frame.is_empty());
        let frames = frames.map(|(at, frame)| format!("{at} `{frame}`"));
        Ok(Names { columns, about: frames.chain(lists).collect::<Vec<_>>().join(", ") })
    }

    /// The name of an array's entry by the nearest list beside or above the array that has as many names, and the
    /// array's own path.
    fn named(&self, path: &[Step], used: &mut [bool]) -> Option<(&str, String)> {
        let [array @ .., Step::Entry(index, of)] = path else { return None };
        let [before @ .., Step::Field(_)] = array else { return None };
        let list = (0..=before.len()).rev().find_map(|depth| {
            let fits = |(at, _, names): &&(Vec<Step>, String, Vec<String>)| {
                at.as_slice() == &before[..depth] && names.len() == *of
            };
            self.lists.iter().enumerate().find(|(_, list)| fits(list))
        });
        let (number, (_, _, names)) = list?;
        used[number] = true;
        Some((names.get(*index)?, written(array)))
    }

    /// Joints and their values belong together by their place.
    fn check_lengths(&self) -> Result<(), String> {
        let joints = self.lists.iter().find(|(at, _, _)| at.is_empty()).map_or(0, |(_, _, names)| names.len());
        let wrong = self.numbers.iter().find_map(|(path, _)| match path.as_slice() {
            [Step::Field(field), Step::Entry(0, of)] if joints > 0 && *of != joints => Some((field, *of)),
            _ => None,
        });
        match wrong {
            Some((field, of)) => Err(format!("{joints} names and {of} values of `{field}`")),
            None => Ok(()),
        }
    }
}

/// `poses[3].position.x`.
fn written(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Field(name) if text.is_empty() => text.push_str(name),
            Step::Field(name) => {
                text.push('.');
                text.push_str(name);
            }
            Step::Entry(index, _) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}
