//! Which columns of a dataset are motion, and what their numbers are called.

use super::Column;
use super::info::Info;
use crate::read::ReadOptions;
use crate::read::header::name_and_unit;
use crate::read::numbers::asks_for;
use serde_json::Value;
use std::collections::HashSet;
use std::path::Path;

/// The robot's own state.
const STATE: &str = "observation.state";
/// What it was told to do.
const ACTION: &str = "action";
/// Columns that place a row, and are never motion.
const NEVER: [&str; 5] = ["timestamp", "frame_index", "episode_index", "index", "task_index"];

/// A column of a dataset, or of lists of numbers.
pub(super) struct Feature {
    /// Its name in the data files.
    pub name: String,
    /// Numbers in a row.
    pub width: usize,
    /// What they are called.
    names: Vec<String>,
    /// Whether it is no motion.
    bookkeeping: bool,
}

/// The columns that are read.
pub(super) struct Features {
    pub all: Vec<Feature>,
    /// What is not read, each with the number of its channels.
    left_out: Vec<(String, usize)>,
    /// Features whose names could not serve.
    unnamed: Vec<String>,
}

/// The state; without one all that was observed, without that the actions. Others only where `channels` names them, be
/// it by a pattern that begins with the feature's name.
pub(super) fn chosen(info: &Info, options: &ReadOptions) -> Features {
    let mut features = Features { all: Vec::new(), left_out: Vec::new(), unnamed: Vec::new() };
    let mut known = Vec::new();
    for (name, described) in &info.features {
        if NEVER.contains(&name.as_str()) || name.starts_with("next.") {
            continue;
        }
        if let Some(width) = width(described) {
            known.push((name, described, width));
        }
    }
    let motion: fn(&str) -> bool = if known.iter().any(|(name, ..)| *name == STATE) {
        |name| name == STATE
    } else if known.iter().any(|(name, ..)| name.starts_with("observation.")) {
        |name| name.starts_with("observation.")
    } else {
        |name| name == ACTION
    };
    // A dataset says its columns in any order: what moves stands first.
    known.sort_by_key(|(name, ..)| !motion(name));
    for (name, described, width) in known {
        let asked = asks_for(options, name);
        let is_motion = motion(name);
        if !is_motion && !asked {
            features.left_out.push((name.clone(), width));
            continue;
        }
        let prefix = if name == STATE { String::new() } else { format!("{name}.") };
        let names = names(&described["names"], width).map(|names| names.iter().map(|n| prefix.clone() + n).collect());
        let names = names.unwrap_or_else(|| {
            if described["names"] != Value::Null {
                features.unnamed.push(name.clone());
            }
            if width == 1 { vec![name.clone()] } else { (0..width).map(|i| format!("{name}[{i}]")).collect() }
        });
        features.all.push(Feature { name: name.clone(), width, names, bookkeeping: !is_motion && !asked });
    }
    features
}

impl Features {
    /// All numbers of a row.
    pub fn columns(&self) -> Vec<Column> {
        let of_feature = |feature: &Feature| {
            let column = |name: &String| {
                let (name, unit) = name_and_unit(name);
                Column { name: name.into(), unit: unit.map(Into::into), bookkeeping: feature.bookkeeping }
            };
            feature.names.iter().map(column).collect::<Vec<_>>()
        };
        self.all.iter().flat_map(of_feature).collect()
    }

    /// What a person has to know of them.
    pub fn notes(&self, folder: &Path) -> Vec<String> {
        let folder = folder.display();
        let mut notes = Vec::new();
        for name in &self.unnamed {
            notes.push(format!(
                "{folder}: the names of `{name}` in `meta/info.json` are not one for each of its numbers, or not each \
                 once: they are called `{name}[0]` and so on"
            ));
        }
        if !self.left_out.is_empty() {
            let shown: Vec<String> = self.left_out.iter().map(|(name, width)| format!("`{name}` ({width})")).collect();
            let (first, _) = &self.left_out[0];
            notes.push(format!(
                "{folder}: left out {}, which {} no state of the robot (`channels = *,{first}*` takes `{first}` too)",
                shown.join(", "),
                if shown.len() == 1 { "is" } else { "are" }
            ));
        }
        notes
    }
}

/// How many numbers a feature is, by its shape; `None` of pictures, videos and text.
fn width(described: &Value) -> Option<usize> {
    let kind = described["dtype"].as_str()?;
    if !["float", "int", "uint", "bool"].iter().any(|number| kind.starts_with(number)) {
        return None;
    }
    let shape = described["shape"].as_array()?;
    let width = shape.iter().try_fold(1u64, |n, size| n.checked_mul(size.as_u64()?))?;
    usize::try_from(width).ok().filter(|width| (1..=65_536).contains(width))
}

/// The names of a feature's numbers: a list (of lists), a list under the name of a group, or each name with its place.
/// `None` where there is not one for each number, each once.
fn names(described: &Value, width: usize) -> Option<Vec<String>> {
    fn flat(value: &Value, into: &mut Vec<String>) -> bool {
        match value {
            Value::String(name) => {
                into.push(name.trim().into());
                true
            }
            Value::Array(items) => items.iter().all(|item| flat(item, into)),
            // The order of several groups is not known.
            Value::Object(groups) if groups.len() == 1 => groups.values().all(|item| flat(item, into)),
            _ => false,
        }
    }
    let mut names = Vec::new();
    let places = described.as_object().and_then(|all| {
        let places = all.iter().map(|(name, place)| Some((usize::try_from(place.as_u64()?).ok()?, name)));
        places.collect::<Option<std::collections::BTreeMap<_, _>>>()
    });
    let whole = match places {
        Some(places) => {
            names.extend(places.values().map(ToString::to_string));
            places.keys().copied().eq(0..width)
        }
        None => flat(described, &mut names) && names.len() == width,
    };
    let mut seen = HashSet::new();
    (whole && names.iter().all(|name| !name.is_empty() && seen.insert(name.clone()))).then_some(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_stand_in_lists_of_any_depth() {
        let two = |described: Value| names(&described, 2);
        let expected = Some(vec!["a".to_string(), "b".to_string()]);
        assert_eq!(two(json!(["a", "b"])), expected);
        assert_eq!(two(json!([["a", "b"]])), expected);
        assert_eq!(two(json!({ "motors": ["a", "b"] })), expected);
        assert_eq!(two(json!({ "b": 1, "a": 0 })), expected);
        let groups = json!({ "right": ["a"], "left": ["b"] });
        for wrong in [
            groups,
            json!({ "a": 0, "b": 2 }),
            json!(null),
            json!(["a"]),
            json!(["a", "a"]),
            json!(["a", 1]),
            json!(["a", ""]),
            json!("a"),
        ] {
            assert_eq!(two(wrong.clone()), None, "{wrong}");
        }
    }
}
