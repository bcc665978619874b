//! What stands in each column of a text log: time, episode, channels, lists, names of joints.

use super::super::header::{Selected, glob, list, select};
use super::super::options::TimeUnit;
use super::super::{Input, ReadOptions};
use super::cell::is_nothing;
use super::columns::{Columns, Output, Role};
use super::dialect::Dialect;
use super::entries::{Entry, Joints, Place};
use super::names;
use super::pivot;
use super::stamps;
use super::time::Time;
use crate::error::{Error, Result};
use std::collections::HashSet;

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
        layout.pivot = pivot::key(&columns, &left, layout.time, options)?;
        layout.choose(&columns, &left, options)?;
        Ok(layout)
    }

    /// Gives the columns `left` their roles, and what is read from them.
    fn choose(&mut self, columns: &Columns, left: &[usize], options: &ReadOptions) -> Result<()> {
        let entries = self.entries(columns, left);
        // In a log with a row for each channel names are chosen when all of them are known.
        let options = &match self.pivot {
            Some(_) => {
                ReadOptions { channels: None, ignore: Vec::new(), wrap: Vec::new(), of_model: None, ..options.clone() }
            }
            None => self.for_entries(columns, &entries, options),
        };
        let kept = |e: &Entry| !names::is_bookkeeping(columns.plain_name(e.column)) || options.asks_for(&e.name);
        let all: Vec<usize> = (0..entries.len()).filter(|i| kept(&entries[*i])).collect();
        self.tell_left_out(entries.iter().filter(|e| !kept(e)).map(|e| e.name.as_str()));
        if all.is_empty() {
            let found = format!("no channel beside {}", columns.all());
            return Err(columns.error(None, found, "at least one column of measured values"));
        }
        let named: Vec<(&str, Option<&str>)> = entries.iter().map(|e| (e.name.as_str(), e.unit.as_deref())).collect();
        let selected = select(&columns.input.path, &named, &all, options).map_err(|e| at_line(e, columns))?;
        let Selected { columns: chosen, channels, notes } = selected;
        self.notes.extend(notes);
        check_twins(columns, &entries, &chosen, options, &mut self.notes)?;
        self.outputs = channels.into_iter().map(|channel| Output::new(channel, options)).collect();
        self.give_roles(columns, &entries, &chosen);
        Ok(())
    }

    /// What may become a channel; columns that say something of others get their roles.
    fn entries(&mut self, columns: &Columns, left: &[usize]) -> Vec<Entry> {
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
            self.notes.push(format!(
                "the joints of each row are named in its cells: {}",
                list(joints.names.iter().map(String::as_str))
            ));
            self.joints = joints.names;
        }
        entries
    }

    /// The options as they are meant: the name of a column of lists stands for all their items, and what is no channel
    /// anyway may be named as such.
    fn for_entries(&self, columns: &Columns, entries: &[Entry], options: &ReadOptions) -> ReadOptions {
        let mut options = options.clone();
        let lists = || entries.iter().filter(|e| matches!(e.place, Place::Item(0)));
        let with_items = |patterns: &mut Vec<String>| {
            for pattern in patterns {
                if let Some(e) = lists().find(|e| columns.names[e.column] == *pattern) {
                    *pattern = format!("{}[*]", columns.names[e.column]);
                }
            }
        };
        options.channels.iter_mut().for_each(with_items);
        with_items(&mut options.ignore);
        let left_out = |pattern: &String| {
            let no_motion = |e: &Entry| names::is_bookkeeping(columns.plain_name(e.column)) && glob(pattern, &e.name);
            let says_names =
                |(i, role): (usize, &Role)| matches!(role, Role::Name(_)) && glob(pattern, &columns.names[i]);
            entries.iter().any(no_motion) || self.roles.iter().enumerate().any(says_names)
        };
        let fits_none = |pattern: &String| {
            !entries.iter().any(|e| glob(pattern, &e.name) && !names::is_bookkeeping(columns.plain_name(e.column)))
        };
        options.ignore.retain(|pattern| !(fits_none(pattern) && left_out(pattern)));
        options
    }

    /// Gives the columns of entries their roles; output `k` is the entry `chosen[k]`.
    fn give_roles(&mut self, columns: &Columns, entries: &[Entry], chosen: &[usize]) {
        let mut outputs = vec![None; entries.len()];
        chosen.iter().enumerate().for_each(|(output, i)| outputs[*i] = Some(output));
        for (entry, output) in entries.iter().zip(outputs) {
            // What is there in every row says nothing of rates.
            let sparse = || columns.sample(entry.column).any(is_nothing);
            let role = &mut self.roles[entry.column];
            match (entry.place, output) {
                (Place::Cell, Some(output)) => *role = Role::Value(output),
                (Place::Cell, None) if sparse() => *role = Role::Other,
                (Place::Cell, None) => {}
                (Place::Joint { kind, joint }, _) => self.of_joint[kind][joint] = output,
                (Place::Item(_), _) => match role {
                    // Items behind the last wanted one count as well: a list has one length.
                    Role::List(items) => items.push(output),
                    _ => *role = Role::List(vec![output]),
                },
            }
        }
        for role in &mut self.roles {
            if matches!(role, Role::List(items) if items.iter().all(Option::is_none)) {
                *role = Role::Skip;
            }
        }
    }

    fn tell_left_out<'n>(&mut self, names: impl Iterator<Item = &'n str>) {
        let names: Vec<&str> = names.collect();
        if !names.is_empty() {
            let verb = if names.len() == 1 { "is" } else { "are" };
            self.notes.push(format!("{} {verb} no motion by name and left out", list(names.into_iter())));
        }
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
    let read: HashSet<usize> = chosen.iter().map(|i| entries[*i].column).collect();
    for entry in chosen.iter().map(|i| &entries[*i]) {
        let Some(first) = columns.twin_of[entry.column] else { continue };
        let both = read.contains(&first);
        if both && options.channels.is_none() {
            let name = &columns.names[entry.column];
            let expected = format!(
                "each name once (`ignore = {name}` leaves the second column out; `channels = NAMES` that fit both take \
                 both)"
            );
            return Err(twice(columns, first, entry.column, &expected));
        }
        notes.push(format!(
            "the name `{}` stands twice: `{}` is column {}",
            columns.names[first],
            entry.name,
            entry.column + 1
        ));
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
