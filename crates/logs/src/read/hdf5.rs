//! HDF5: a group an episode (robomimic, Minari, ManiSkill), or arrays of the whole file (D4RL, ALOHA).

use super::arrays::{Part, Plan, Shape};
use super::guard::{guarded, too_many};
use super::table::Table;
use super::{Input, ReadOptions};
use crate::SplitPart;
use crate::error::{Error, Result};
use hdf5_pure::{AttrValue, DType, Dataset, File, Group};
use serde_json::Value;
use std::collections::BTreeMap;

/// Groups within groups that are looked into.
const DEPTH: usize = 8;
/// Arrays of an episode that are looked at.
const MOST: usize = 4096;

/// Reads a file.
pub(super) fn read(input: &Input, options: &ReadOptions) -> Result<Table> {
    let damaged = |why: String| input.error(format!("a file that cannot be read ({why})"), "a whole HDF5 file");
    let numbers = guarded(|| {
        let bytes = input.bytes()?.into_owned();
        let length = bytes.len() as u64;
        let file = File::from_bytes(bytes).map_err(|e| damaged(e.to_string()))?;
        let end = file.superblock().eof_address;
        if end > length {
            return Err(input.error(format!("{length} bytes of a file of {end}"), "a whole HDF5 file"));
        }
        Log { input, length, file }.numbers(options)
    });
    numbers.map_err(damaged)??.table(input, input.record(&[])?, options)
}

/// An open file.
struct Log<'a> {
    input: &'a Input<'a>,
    /// Bytes.
    length: u64,
    file: File,
}

/// An episode: its name and its group.
type Episode = (Option<String>, Group);

impl Log<'_> {
    fn numbers(&self, options: &ReadOptions) -> Result<super::numbers::Numbers> {
        let root = self.file.root();
        let data = self.groups(&root)?.contains(&"data".to_string()).then(|| self.group(&root, "data")).transpose()?;
        let episodes = self.episodes(&root, data.as_ref())?;
        let (rate, mut notes) = self.rate(data.as_ref());
        let mut plan: Option<(Plan, String)> = None;
        let mut parts = Vec::new();
        for (name, group) in &episodes {
            let mut arrays = Vec::new();
            self.arrays(group, "", DEPTH, &mut arrays)?;
            let shapes: Vec<Shape> = arrays.iter().map(|(shape, _)| shape.clone()).collect();
            let at = name.as_ref().map(|name| format!(" in `{name}`")).unwrap_or_default();
            let own = Plan::new(self.input, &at, &shapes, options);
            let (plan, first) = match &mut plan {
                Some(first) => &*first,
                None => &*plan.insert((own?, name.clone().unwrap_or_default())),
            };
            if let Some(array) = plan.misfit(&shapes) {
                let found = format!("no array `{array}`{at}, or one of another width");
                return Err(self.input.error(found, format!("the arrays of `{first}`")));
            }
            parts.push(self.part(plan, name.clone(), &arrays)?);
        }
        let Some((plan, _)) = plan else { return Err(self.input.error("no episode", "at least one")) };
        let mut numbers = plan.numbers(self.input, parts, rate, options)?;
        if plan.time.is_none() && options.hz.is_none() {
            numbers.notes.append(&mut notes);
        }
        let (parts, note) = self.sets(&root)?;
        numbers.parts = parts;
        numbers.notes.extend(note);
        Ok(numbers)
    }

    /// The groups that are episodes: those in `data`, those in the root whose names end in a number; else the file.
    fn episodes(&self, root: &Group, data: Option<&Group>) -> Result<Vec<Episode>> {
        let numbered = |name: &String| name.ends_with(|c: char| c.is_ascii_digit());
        let (within, mut names) = match data {
            Some(data) => (data, self.groups(data)?),
            None => (root, self.groups(root)?.into_iter().filter(numbered).collect()),
        };
        if names.is_empty() || data.is_none() && !self.file_datasets(root)?.is_empty() {
            return Ok(vec![(None, root.clone())]);
        }
        names.sort_by_key(|name| in_order(name));
        names.into_iter().map(|name| self.group(within, &name).map(|group| (Some(name), group))).collect()
    }

    /// The arrays below a group.
    fn arrays(&self, group: &Group, at: &str, depth: usize, found: &mut Vec<(Shape, Dataset)>) -> Result<()> {
        for name in self.file_datasets(group)? {
            let path = format!("{at}{name}");
            let dataset = group.dataset(&name).map_err(|e| self.damaged(&path, e))?;
            let sizes = dataset.shape().map_err(|e| self.damaged(&path, e))?;
            let number = dataset.dtype().is_ok_and(|kind| is_number(&kind));
            found.push((Shape { name: path, sizes: if number { sizes } else { Vec::new() } }, dataset));
            if found.len() > MOST {
                return Err(self.input.error(format!("more than {MOST} arrays in an episode"), "fewer"));
            }
        }
        if depth > 1 {
            for name in self.groups(group)? {
                self.arrays(&self.group(group, &name)?, &format!("{at}{name}/"), depth - 1, found)?;
            }
        }
        Ok(())
    }

    /// What a plan names, of an episode's arrays.
    fn part(&self, plan: &Plan, episode: Option<String>, arrays: &[(Shape, Dataset)]) -> Result<Part> {
        let rows = |name: &str| arrays.iter().find(|(s, _)| s.name == name).and_then(|(s, _)| s.sizes.first().copied());
        let first = plan.kept.first().and_then(|(name, ..)| rows(name));
        let read = |name: &String| {
            let Some((shape, dataset)) = arrays.iter().find(|(shape, _)| shape.name == *name) else {
                return Err(self.input.error(format!("no array `{name}`"), "one in every episode"));
            };
            if rows(name) != first {
                let (found, expected) = (rows(name).unwrap_or(0), first.unwrap_or(0));
                let at = episode.as_ref().map(|e| format!(" in `{e}`")).unwrap_or_default();
                return Err(self.input.error(format!("{found} rows of `{name}`{at}"), expected.to_string()));
            }
            self.array(shape, dataset)
        };
        Ok(Part {
            time: plan.time.as_ref().map(&read).transpose()?,
            ends: if episode.is_none() { plan.ends.iter().map(&read).collect::<Result<_>>()? } else { Vec::new() },
            kept: plan.kept.iter().map(|(name, ..)| read(name)).collect::<Result<_>>()?,
            episode,
        })
    }

    fn array(&self, shape: &Shape, dataset: &Dataset) -> Result<Vec<f64>> {
        let count = shape.sizes.iter().try_fold(1u64, |n, size| n.checked_mul(*size));
        let Some(count) = count.filter(|count| !too_many(*count, self.length)) else {
            let found = format!("`{}` of {:?} numbers in a file of {} bytes", shape.name, shape.sizes, self.length);
            return Err(self.input.error(found, "as many as are there"));
        };
        let numbers = dataset.read_f64().map_err(|e| self.damaged(&shape.name, e))?;
        if numbers.len() as u64 != count {
            return Err(self.damaged(&shape.name, format!("{} of {count} numbers", numbers.len())));
        }
        Ok(numbers)
    }

    /// The rate of a simulation, where `data` says it as robosuite does, and a note of it.
    fn rate(&self, data: Option<&Group>) -> (Option<f64>, Vec<String>) {
        let text = data.and_then(|data| data.attrs().ok()).and_then(|attrs| match attrs.get("env_args")? {
            AttrValue::String(text) | AttrValue::AsciiString(text) | AttrValue::VarLenString(text) => {
                Some(text.clone())
            }
            AttrValue::StringSized { value, .. } | AttrValue::AsciiStringSized { value, .. } => Some(value.clone()),
            _ => None,
        });
        let described: Value = text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        let rate = described["env_kwargs"]["control_freq"].as_f64().filter(|hz| hz.is_finite() && *hz > 0.0);
        let note = |hz| format!("{}: {hz} rows a second, by `control_freq` in `env_args`", self.input.path.display());
        (rate, rate.map(note).into_iter().collect())
    }

    /// What the episodes serve by the sets that `mask` names, and a note of these.
    fn sets(&self, root: &Group) -> Result<(BTreeMap<String, SplitPart>, Option<String>)> {
        let mut parts = BTreeMap::new();
        if !self.groups(root)?.contains(&"mask".to_string()) {
            return Ok((parts, None));
        }
        let mask = self.group(root, "mask")?;
        let (mut sets, mut twice) = (Vec::new(), None);
        for name in self.file_datasets(&mask)? {
            let set = mask.dataset(&name).map_err(|e| self.damaged(&name, e))?;
            let size = set.shape().map_err(|e| self.damaged(&name, e))?;
            sets.push(format!("`{name}` {}", size.first().copied().unwrap_or(0)));
            let part = match name.as_str() {
                "train" => SplitPart::Train,
                "valid" | "validation" => SplitPart::Validation,
                "test" => SplitPart::Test,
                _ => continue,
            };
            for episode in set.read_string().map_err(|e| self.damaged(&name, e))? {
                let episode = episode.trim_end_matches('\0').to_string();
                if parts.insert(episode.clone(), part).is_some_and(|other| other != part) {
                    twice = Some(episode);
                }
            }
        }
        let told = match &twice {
            Some(episode) => format!("; `{episode}` is in two of the split, which is drawn therefore"),
            None if parts.is_empty() => String::new(),
            None => "; `train`, `valid` and `test` among them are the split".into(),
        };
        if twice.is_some() {
            parts.clear();
        }
        let (path, sets) = (self.input.path.display(), sets.join(", "));
        Ok((parts, Some(format!("{path}: all episodes are read; `mask` names these sets: {sets}{told}"))))
    }

    fn groups(&self, group: &Group) -> Result<Vec<String>> {
        group.groups().map_err(|e| self.damaged("the list of groups", e))
    }

    fn group(&self, within: &Group, name: &str) -> Result<Group> {
        within.group(name).map_err(|e| self.damaged(name, e))
    }

    fn file_datasets(&self, group: &Group) -> Result<Vec<String>> {
        group.datasets().map_err(|e| self.damaged("the list of arrays", e))
    }

    fn damaged(&self, at: &str, why: impl std::fmt::Display) -> Error {
        self.input.error(format!("`{at}` that cannot be read ({why})"), "a whole HDF5 file")
    }
}

/// Numbers, and what h5py writes for true and false.
fn is_number(kind: &DType) -> bool {
    use DType::{Enum, F32, F64, I8, I16, I32, I64, U8, U16, U32, U64};
    matches!(kind, F32 | F64 | I8 | I16 | I32 | I64 | U8 | U16 | U32 | U64)
        || matches!(kind, Enum(names) if names.iter().map(String::as_str).eq(["FALSE", "TRUE"]))
}

/// `demo_2` comes before `demo_10`.
fn in_order(name: &str) -> (String, u64, String) {
    let text = name.trim_end_matches(|c: char| c.is_ascii_digit());
    (text.into(), name[text.len()..].parse().unwrap_or(u64::MAX), name.into())
}
