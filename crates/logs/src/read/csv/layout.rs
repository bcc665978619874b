//! What stands in each column of a text log: time, episode, channels, lists, names of joints.

use super::super::header::{list, name_and_unit, select};
use super::super::options::TimeUnit;
use super::super::{Input, ReadOptions};
use super::cell::{self, is_value};
use super::dialect::Dialect;
use super::names;
use super::stamps;
use super::time::Time;
use crate::Channel;
use crate::error::{Error, Result};

/// What stands in each column.
#[derive(Debug)]
pub(super) struct Layout {
    pub time: Time,
    /// What messages call the time.
    pub time_column: String,
    /// Unit of the stamps, where it is said.
    pub unit: Option<TimeUnit>,
    /// The episode's column and its name.
    pub episode: Option<(usize, String)>,
    /// One for each column.
    pub roles: Vec<Role>,
    /// What is read, in order.
    pub outputs: Vec<Output>,
    /// The joints that cells name, in the order of the first row; and the outputs of each for each kind of quantity.
    pub joints: Vec<String>,
    pub of_joint: Vec<Vec<Option<usize>>>,
    /// The column that names the channels, where each row is one of them.
    pub pivot: Option<usize>,
    /// What was guessed, a sentence each.
    pub notes: Vec<String>,
}

/// What stands in a column.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Role {
    /// Nothing that matters.
    Skip,
    /// Nothing at all: a delimiter at the end of each row.
    Blank,
    /// Values of a channel that is not wanted and has none in some rows.
    Other,
    /// Values of an output.
    Value(usize),
    /// A list with an output, or none, for each item.
    List(Vec<Option<usize>>),
    /// The name of the joint of a slot.
    Name(usize),
    /// A kind of quantity, by number, of the joint of a slot.
    OfJoint { slot: usize, kind: usize },
}

/// A channel that is read, and may turn out to be none.
#[derive(Debug, Clone)]
pub(super) struct Output {
    pub channel: Channel,
    /// Asked for by its full name: it is a channel whatever it holds.
    pub asked: bool,
    /// Called as a counter is.
    pub counting: bool,
}

impl Output {
    pub fn new(channel: Channel, options: &ReadOptions) -> Self {
        let (asked, counting) = (options.asks_for(&channel.name), names::is_counting(&channel.name));
        Self { channel, asked, counting }
    }
}

/// Columns under their names.
pub(super) struct Columns<'a> {
    pub input: &'a Input<'a>,
    pub dialect: &'a Dialect,
    /// Names without units, each once.
    pub names: Vec<String>,
    pub units: Vec<Option<String>>,
    /// Of a column whose name stood there before: that column.
    pub twin_of: Vec<Option<usize>>,
}

impl<'a> Columns<'a> {
    fn new(input: &'a Input<'a>, dialect: &'a Dialect) -> Self {
        let cells: Vec<String> = dialect.names.iter().map(|name| names::joined(name)).collect();
        let named = cells.iter().map(|cell| name_and_unit(cell));
        let (names, units): (Vec<_>, Vec<_>) = named.map(|(name, unit)| (name.to_string(), unit.map(Into::into))).unzip();
        let (twin_of, names) = names::each_once(names);
        Self { input, dialect, names, units, twin_of }
    }

    /// The name as it stands in the header, without its unit.
    pub fn plain_name(&self, i: usize) -> &str {
        &self.names[self.twin_of[i].unwrap_or(i)]
    }

    /// Cells of a column in the first rows.
    pub fn sample(&self, i: usize) -> impl Iterator<Item = &'a str> {
        self.dialect.rows.iter().map(move |row| row.get(i).map_or("", String::as_str))
    }

    pub fn find(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| known == name)
    }

    pub fn all(&self) -> String {
        list(self.names.iter().filter(|n| !n.is_empty()).map(String::as_str))
    }

    pub fn error(&self, column: Option<&str>, found: impl Into<String>, expected: impl Into<String>) -> Error {
        Error::Log {
            path: self.input.path.clone(),
            line: Some(self.dialect.header_line),
            column: column.map(Into::into),
            found: found.into(),
            expected: expected.into(),
        }
    }

    fn is_blank(&self, i: usize) -> bool {
        self.names[i].is_empty() && self.sample(i).all(str::is_empty)
    }

    /// Whether the cells of a column count up from row to row.
    fn counts(&self, i: usize) -> bool {
        let values: Option<Vec<i64>> = self.sample(i).map(|cell| cell.parse().ok()).collect();
        values.is_some_and(|v| v.windows(2).all(|w| w[1].checked_sub(w[0]) == Some(1)))
    }
}

impl Layout {
    /// Of the columns of a log.
    ///
    /// # Errors
    /// [`Error::Log`] as [`select`] and where the header does not say what is time, names a column that is used twice
    /// or not at all, or does not fit what stands below it.
    pub fn new(input: &Input, dialect: &Dialect, options: &ReadOptions) -> Result<Self> {
        let columns = Columns::new(input, dialect);
        if let (Some(given), Some(row)) = (&options.header, dialect.rows.first())
            && given.len() != row.len()
        {
            let found = format!("{} columns and {} names for them", row.len(), given.len());
            return Err(columns.error(None, found, "a name for each column (`header = NAMES`)"));
        }
        let mut notes = Vec::new();
        check_unnamed(&columns, &mut notes)?;
        let stamps = stamps::find(&columns, options, &mut notes)?;
        let mut taken = stamps.time.columns();
        let episode = episode(&columns, options, &taken, &mut notes)?;
        taken.extend(episode);
        for i in &taken {
            if let Some(twin) = (0..columns.names.len()).find(|j| columns.twin_of[*j] == Some(*i)) {
                return Err(twice(&columns, *i, twin, "each name once"));
            }
        }
        let mut layout = Self {
            time: stamps.time,
            time_column: stamps.name,
            unit: stamps.unit,
            episode: episode.map(|i| (i, columns.names[i].clone())),
            roles: vec![Role::Skip; columns.names.len()],
            outputs: Vec::new(),
            joints: Vec::new(),
            of_joint: Vec::new(),
            pivot: None,
            notes,
        };
        for (i, role) in layout.roles.iter_mut().enumerate() {
            if columns.is_blank(i) {
                *role = Role::Blank;
            }
        }
        let left: Vec<usize> = (0..columns.names.len())
            .filter(|i| !taken.contains(i) && !stamps.beside.contains(i) && !columns.names[*i].is_empty())
            .collect();
        layout.pivot = super::long::key(&columns, &left, &layout, options)?;
        layout.choose(&columns, &left, options)?;
        Ok(layout)
    }

    /// Gives the columns `left` their roles, and what is read from them.
    fn choose(&mut self, columns: &Columns, left: &[usize], options: &ReadOptions) -> Result<()> {
        let mut entries = Vec::new();
        let joints = Joints::of(columns, left);
        for i in left.iter().copied().filter(|i| Some(*i) != self.pivot) {
            match joints.as_ref().and_then(|joints| joints.role(i)) {
                Some(role) => self.roles[i] = role,
                None => entries.extend(Entry::of(columns, i)),
            }
        }
        if let Some(joints) = joints {
            entries.extend(joints.entries());
            self.of_joint = vec![vec![None; joints.names.len()]; joints.kinds.len()];
            self.joints = joints.names;
        }
        // In a log with a row for each channel names are chosen when all of them are known.
        let options = &if self.pivot.is_some() {
            ReadOptions { channels: None, ignore: Vec::new(), wrap: Vec::new(), ..options.clone() }
        } else {
            options.clone()
        };
        let kept = |e: &Entry| !names::is_bookkeeping(columns.plain_name(e.column)) || options.asks_for(&e.name);
        let all: Vec<usize> = (0..entries.len()).filter(|i| kept(&entries[*i])).collect();
        self.tell_left_out(entries.iter().filter(|e| !kept(e)).map(|e| e.name.as_str()));
        if all.is_empty() {
            let found = format!("no channel beside {}", columns.all());
            return Err(columns.error(None, found, "at least one column of measured values"));
        }
        let named: Vec<(&str, Option<&str>)> = entries.iter().map(|e| (e.name.as_str(), e.unit.as_deref())).collect();
        // What is left out already may be named there.
        let fits_left_out = |pattern: &String| {
            let fits = |name: &str| super::super::header::glob(pattern, name);
            let one_of = |all: &[usize]| all.iter().any(|i| fits(&entries[*i].name));
            !one_of(&all) && columns.names.iter().any(|name| fits(name))
        };
        let mut options = options.clone();
        options.ignore.retain(|pattern| !fits_left_out(pattern));
        let (chosen, channels) = select(&columns.input.path, &named, &all, &options).map_err(|e| at_line(e, columns))?;
        check_twins(columns, &entries, &chosen, &options, &mut self.notes)?;
        for entry in &entries {
            // What is there in every row says nothing of rates.
            let sparse = || columns.sample(entry.column).any(str::is_empty);
            self.roles[entry.column] = match (&self.roles[entry.column], entry.place) {
                (Role::Skip, Place::Cell) if sparse() => Role::Other,
                (Role::Skip, Place::Item(_)) => Role::List(Vec::new()),
                (role, _) => role.clone(),
            };
        }
        for (output, (entry, channel)) in chosen.iter().map(|i| &entries[*i]).zip(channels).enumerate() {
            self.outputs.push(Output::new(channel, &options));
            match (entry.place, &mut self.roles[entry.column]) {
                (Place::Item(item), Role::List(items)) => {
                    items.resize(items.len().max(item + 1), None);
                    items[item] = Some(output);
                }
                (Place::Joint { kind, joint }, _) => self.of_joint[kind][joint] = Some(output),
                (_, role) => *role = Role::Value(output),
            }
        }
        for entry in &entries {
            // Items behind the last wanted one count as well: a list has one length.
            if let (Place::Item(item), Role::List(items)) = (entry.place, &mut self.roles[entry.column]) {
                items.resize(items.len().max(item + 1), None);
            }
        }
        Ok(())
    }

    fn tell_left_out<'n>(&mut self, names: impl Iterator<Item = &'n str>) {
        let names: Vec<&str> = names.collect();
        if !names.is_empty() {
            let verb = if names.len() == 1 { "is" } else { "are" };
            self.notes.push(format!("{} {verb} no motion by name and left out", list(names.into_iter())));
        }
    }
}

/// Something that may become a channel.
struct Entry {
    column: usize,
    name: String,
    unit: Option<String>,
    place: Place,
}

#[derive(Clone, Copy)]
enum Place {
    Cell,
    /// An item of a list, from 0.
    Item(usize),
    /// A kind of quantity of a joint, both by number.
    Joint { kind: usize, joint: usize },
}

impl Entry {
    /// Of a column: one, or one for each item of its lists.
    fn of(columns: &Columns, column: usize) -> Vec<Self> {
        let (name, unit) = (&columns.names[column], &columns.units[column]);
        let first = columns.sample(column).find(|cell| !cell.is_empty()).unwrap_or_default();
        match cell::list(first.as_bytes()) {
            None => vec![Self { column, name: name.clone(), unit: unit.clone(), place: Place::Cell }],
            Some(items) => (0..items.count())
                .map(|k| Self { column, name: format!("{name}[{k}]"), unit: unit.clone(), place: Place::Item(k) })
                .collect(),
        }
    }
}

/// Joints that cells name: columns such as `name0` beside `position0` and `velocity0`.
struct Joints {
    names: Vec<String>,
    /// What stands before the words and the word, of each kind of quantity.
    kinds: Vec<(String, String)>,
    roles: Vec<(usize, Role)>,
}

impl Joints {
    fn of(columns: &Columns, left: &[usize]) -> Option<Self> {
        let part = |i: usize| names::numbered(&columns.names[i]);
        let is_name = |i: usize| {
            part(i).is_some_and(|(_, word, _)| word.eq_ignore_ascii_case("name"))
                && columns.sample(i).all(|cell| !cell.is_empty() && !is_value(cell))
        };
        let slots: Vec<usize> = left.iter().copied().filter(|i| is_name(*i)).collect();
        let first: Vec<String> = slots.iter().filter_map(|i| columns.sample(*i).next()).map(Into::into).collect();
        if slots.is_empty() || first.len() != slots.len() {
            return None;
        }
        let mut joints = Self { names: first, kinds: Vec::new(), roles: Vec::new() };
        joints.roles.extend(slots.iter().enumerate().map(|(slot, i)| (*i, Role::Name(slot))));
        for i in left.iter().copied().filter(|i| !slots.contains(i)) {
            let Some((before, word, number)) = part(i) else { continue };
            let of_same = |j: &usize| part(*j).is_some_and(|(b, _, n)| b == before && n == number);
            let Some(slot) = slots.iter().position(of_same) else { continue };
            let kind = joints.kinds.iter().position(|(b, w)| b == before && w == word).unwrap_or_else(|| {
                joints.kinds.push((before.into(), word.into()));
                joints.kinds.len() - 1
            });
            joints.roles.push((i, Role::OfJoint { slot, kind }));
        }
        (!joints.kinds.is_empty()).then_some(joints)
    }

    fn role(&self, column: usize) -> Option<Role> {
        self.roles.iter().find(|(i, _)| *i == column).map(|(_, role)| role.clone())
    }

    /// Each kind of quantity of each joint.
    fn entries(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        for (kind, (before, word)) in self.kinds.iter().enumerate() {
            let of_kind = |role: &Role| matches!(role, Role::OfJoint { kind: k, .. } if *k == kind);
            let Some(column) = self.roles.iter().find(|(_, role)| of_kind(role)).map(|(i, _)| *i) else { continue };
            for (joint, name) in self.names.iter().enumerate() {
                let has = |role: &Role| matches!(role, Role::OfJoint { kind: k, slot } if *k == kind && *slot == joint);
                if self.roles.iter().any(|(_, role)| has(role)) {
                    let name = names::of_joint(before, name, word);
                    entries.push(Entry { column, name, unit: None, place: Place::Joint { kind, joint } });
                }
            }
        }
        entries
    }
}

/// Names that are empty: a delimiter at the end of each row, or an index of rows in the first column.
fn check_unnamed(columns: &Columns, notes: &mut Vec<String>) -> Result<()> {
    for (i, name) in columns.names.iter().enumerate() {
        if !name.is_empty() || columns.is_blank(i) {
            continue;
        }
        if i == 0 && columns.counts(0) {
            notes.push("the first column has no name and counts the rows: left out".into());
            continue;
        }
        let found = format!("an empty name in column {} of {}", i + 1, columns.names.len());
        return Err(columns.error(Some(&(i + 1).to_string()), found, "a name for every column"));
    }
    Ok(())
}

/// The column of the episode.
fn episode(
    columns: &Columns,
    options: &ReadOptions,
    taken: &[usize],
    notes: &mut Vec<String>,
) -> Result<Option<usize>> {
    if let Some(name) = &options.episode_column {
        return match columns.find(name) {
            Some(i) => Ok(Some(i)),
            None => {
                let found = format!("no such column, only {}", columns.all());
                Err(columns.error(Some(name), found, "the episode column that was asked for"))
            }
        };
    }
    let free = |name: &str| columns.find(name).filter(|i| !taken.contains(i));
    let guessed = || {
        let i = free("episode_index")?;
        notes.push("each value of `episode_index` is an episode".into());
        Some(i)
    };
    Ok(free("episode").or_else(guessed))
}

/// Names that stand twice matter where both columns are read, and no choice of columns says that this is meant.
fn check_twins(
    columns: &Columns,
    entries: &[Entry],
    chosen: &[usize],
    options: &ReadOptions,
    notes: &mut Vec<String>,
) -> Result<()> {
    for entry in chosen.iter().map(|i| &entries[*i]) {
        let Some(first) = columns.twin_of[entry.column] else { continue };
        let both = chosen.iter().any(|i| entries[*i].column == first);
        if both && options.channels.is_none() {
            let name = &columns.names[entry.column];
            let expected = format!(
                "each name once (`ignore = {name}` leaves the second column out; `channels = NAMES` that fit both take \
                 both)"
            );
            return Err(twice(columns, first, entry.column, &expected));
        }
        notes.push(format!("the name `{}` stands twice: `{}` is column {}", columns.names[first], entry.name, entry.column + 1));
    }
    Ok(())
}

fn twice(columns: &Columns, first: usize, second: usize, expected: &str) -> Error {
    let found = format!("the name twice, in columns {} and {}", first + 1, second + 1);
    columns.error(Some(&columns.names[first]), found, expected)
}

/// The header's line in place of the first one.
fn at_line(error: Error, columns: &Columns) -> Error {
    match error {
        Error::Log { path, column, found, expected, .. } => {
            Error::Log { path, line: Some(columns.dialect.header_line), column, found, expected }
        }
        other => other,
    }
}
