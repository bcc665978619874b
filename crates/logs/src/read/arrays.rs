//! Logs that are named arrays of numbers, a row a time: which of them are motion, and where episodes end.

use super::numbers::{Column, Numbers, asks_for};
use super::roles::units_per_sec;
use super::table::Run;
use super::{Input, ReadOptions};
use crate::Growing;
use crate::error::{Error, Result};
use std::collections::HashSet;

/// Arrays that are the time, where no other is asked for.
const TIME: [&str; 4] = ["time", "t", "timestamp", "timestamps"];
/// Arrays in which a number other than 0 ends an episode.
const ENDS: [&str; 6] = ["terminals", "timeouts", "terminations", "truncations", "dones", "done"];
/// What was observed: where there are such arrays, or groups of them, they are the motion.
const OBSERVED: [&str; 3] = ["observations", "observation", "obs"];
/// Arrays that are no motion, by what their names begin with.
const OTHERS: [&str; 4] = ["action", "reward", "next_", "info"];

/// An array before it is read.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    /// Its name, with `/` after a group's.
    pub name: String,
    /// Its sizes; empty where it holds no numbers.
    pub sizes: Vec<u64>,
}

/// What is read of a log's arrays.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The array of times.
    pub time: Option<String>,
    /// The arrays that end episodes.
    pub ends: Vec<String>,
    /// The arrays that become channels, with what their channels are called and how many there are: one that has no
    /// number is `None`.
    pub kept: Vec<(String, String, Option<usize>)>,
    /// Rows of each of them.
    pub rows: u64,
    left_out: Vec<String>,
}

/// The arrays of an episode, `(rows, width)` each, as a plan names them.
pub(crate) struct Part {
    /// The episode's name; `None` where the log is one, or arrays end its episodes.
    pub episode: Option<String>,
    pub time: Option<Vec<f64>>,
    pub ends: Vec<Vec<f64>>,
    pub kept: Vec<Vec<f64>>,
}

impl Shape {
    /// Numbers in a row, `None` of an array `(rows,)`; no width where it is no array of one or two sizes.
    fn width(&self) -> Option<Option<usize>> {
        match self.sizes[..] {
            [rows] if rows > 0 => Some(None),
            [rows, width] if rows > 0 => usize::try_from(width).ok().filter(|w| (1..=65_536).contains(w)).map(Some),
            _ => None,
        }
    }

    fn rows(&self) -> u64 {
        self.sizes.first().copied().unwrap_or(0)
    }

    /// The name without its groups.
    fn last(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or(&self.name)
    }

    /// As messages show it.
    fn shown(&self) -> String {
        let sizes: Vec<String> = self.sizes.iter().map(u64::to_string).collect();
        if sizes.is_empty() { format!("`{}`", self.name) } else { format!("`{}` ({})", self.name, sizes.join(", ")) }
    }
}

/// What was observed, or lies in a group of what was.
fn is_observed(name: &str) -> bool {
    OBSERVED.contains(&name.split('/').next().unwrap_or(name))
}

impl Plan {
    /// Of the arrays of a log; `at` is what messages call the place where they lie.
    ///
    /// # Errors
    /// [`Error::Log`] for a log without arrays of motion, and for arrays of several lengths.
    pub fn new(input: &Input, at: &str, arrays: &[Shape], options: &ReadOptions) -> Result<Self> {
        let is_time = |array: &&Shape| match &options.time_column {
            Some(name) => array.name == *name,
            None => TIME.contains(&array.last()) && array.width() == Some(None),
        };
        let time = arrays.iter().find(is_time);
        if let (Some(name), None) = (&options.time_column, time) {
            return Err(Error::Log {
                path: input.path.clone(),
                line: None,
                column: Some(name.clone()),
                found: format!("no such array{at}, only {}", list(arrays)),
                expected: "the array of times that was asked for".into(),
            });
        }
        let observed = arrays.iter().any(|a| is_observed(&a.name) && a.width().is_some());
        let is_other = |a: &Shape| {
            OTHERS.iter().any(|o| a.name.split('/').any(|part| part.starts_with(o))) || ENDS.contains(&a.last())
        };
        let mut plan = Self {
            time: time.map(|t| t.name.clone()),
            ends: Vec::new(),
            kept: Vec::new(),
            rows: 0,
            left_out: Vec::new(),
        };
        let mut kept: Vec<&Shape> = Vec::new();
        for array in arrays.iter().filter(|a| Some(&a.name) != plan.time.as_ref()) {
            let motion = if observed { is_observed(&array.name) } else { !is_other(array) };
            if array.width().is_some() && (motion || asks_for(options, &array.name)) {
                kept.push(array);
            } else {
                if ENDS.contains(&array.name.as_str()) && array.width() == Some(None) {
                    plan.ends.push(array.name.clone());
                }
                plan.left_out.push(array.shown());
            }
        }
        let Some(first) = kept.first() else {
            let found = format!("no array of motion{at}: {}", list(arrays));
            return Err(input.error(found, "at least one array (rows, channels) of numbers"));
        };
        plan.rows = time.unwrap_or(first).rows();
        // Arrays asked for by name are a choice; of others the lengths have to agree.
        let asked: Vec<&Shape> = kept.iter().copied().filter(|a| asks_for(options, &a.name)).collect();
        if !observed && !asked.is_empty() {
            kept = asked;
            plan.rows = time.unwrap_or(kept[0]).rows();
        }
        if let Some(other) = kept.iter().find(|a| a.rows() != plan.rows) {
            let found = format!("{} beside {} rows{at}: {}", other.shown(), plan.rows, list(arrays));
            let expected = "arrays of the same length (`channels = NAME*`, or `ignore = NAME*`, chooses among them)";
            return Err(input.error(found, expected));
        }
        plan.ends.retain(|end| arrays.iter().any(|a| a.name == *end && a.rows() == plan.rows));
        let names: HashSet<&str> = arrays.iter().map(|a| a.name.as_str()).collect();
        for array in kept {
            // What was observed goes by its own name, where nothing else has it.
            let short = array.name.split_once('/').filter(|(group, _)| OBSERVED.contains(group)).map(|(_, name)| name);
            let short = short.filter(|name| !names.contains(name)).unwrap_or(&array.name);
            plan.kept.push((array.name.clone(), short.to_string(), array.width().flatten()));
        }
        Ok(plan)
    }

    /// Whether `arrays`, those of another episode, have all that this plan reads; the first that is missing or other.
    pub fn misfit(&self, arrays: &[Shape]) -> Option<&str> {
        let fits = |name: &str, width: Option<usize>| arrays.iter().any(|a| a.name == name && a.width() == Some(width));
        let kept = self.kept.iter().find(|(name, _, width)| !fits(name, *width)).map(|(name, ..)| name.as_str());
        kept.or_else(|| self.time.as_deref().filter(|name| !fits(name, None)))
    }

    /// The columns.
    fn columns(&self) -> Vec<Column> {
        let column = |name: String| Column { name, unit: None, bookkeeping: false };
        let of_array = |(_, name, width): &(String, String, Option<usize>)| match width {
            None => vec![column(name.clone())],
            Some(width) => (0..*width).map(|i| column(format!("{name}[{i}]"))).collect(),
        };
        self.kept.iter().flat_map(of_array).collect()
    }

    /// The numbers of a log's episodes, at `hz` rows a second where it has no times.
    ///
    /// # Errors
    /// [`Error::Log`] for a log without times whose rate is not known.
    pub fn numbers(&self, input: &Input, parts: Vec<Part>, hz: Option<f64>, options: &ReadOptions) -> Result<Numbers> {
        let time_column = self.time.clone().unwrap_or_else(|| "time".into());
        let mut numbers = Numbers { time_column, columns: self.columns(), ..Numbers::default() };
        let hz = options.hz.or(hz.filter(|_| self.time.is_none()));
        let mut values = Growing::default();
        for part in parts {
            let begin = numbers.time_secs.len();
            let rows = part.add_values(self, &mut values)?;
            match (hz, part.time) {
                (None, Some(time)) => numbers.time_secs.extend(time),
                (Some(hz), _) => numbers.time_secs.extend((0..rows).map(|row| row as f64 / hz)),
                (None, None) => {
                    let found = format!("no array of times ({})", TIME.map(|name| format!("`{name}`")).join(", "));
                    let expected = "one, or the number of rows a second (`hz = 100`, or whatever it is)";
                    return Err(input.error(found, expected));
                }
            }
            if part.episode.is_some() {
                numbers.runs.push(Run { episode: part.episode, rows: begin..begin + rows });
            } else if !part.ends.is_empty() {
                numbers.runs = runs(&part.ends, rows);
                // Every episode has its own time.
                if let Some(hz) = hz {
                    let times = numbers.runs.iter().flat_map(|run| (0..run.rows.len()).map(|row| row as f64 / hz));
                    numbers.time_secs = times.collect();
                }
            }
        }
        numbers.values = values.finish()?;
        if hz.is_none() {
            let told = units_per_sec(&numbers.time_secs, options);
            let (per_sec, note) = told.map_err(|(found, expected)| input.error(found, expected))?;
            numbers.time_secs.iter_mut().for_each(|t| *t /= per_sec);
            numbers.notes.extend(note);
        }
        numbers.lines = (1..=numbers.time_secs.len() as u64).collect();
        if !self.left_out.is_empty() {
            let arrays = if self.left_out.len() == 1 { "array" } else { "arrays" };
            let left_out = self.left_out.join(", ");
            numbers.notes.push(format!("{}: {arrays} left out: {left_out}", input.path.display()));
        }
        Ok(numbers)
    }
}

impl Part {
    /// Appends the rows; returns how many.
    fn add_values(&self, plan: &Plan, values: &mut Growing) -> Result<usize> {
        let widths: Vec<usize> = plan.kept.iter().map(|(_, _, width)| width.unwrap_or(1)).collect();
        let rows = self.kept.iter().zip(&widths).map(|(array, width)| array.len() / width).min().unwrap_or(0);
        for row in 0..rows {
            for (array, width) in self.kept.iter().zip(&widths) {
                values.extend(&array[row * width..(row + 1) * width])?;
            }
        }
        Ok(rows)
    }
}

/// Episodes that end with the rows in which one of `ends` is not 0, and with the last row.
fn runs(ends: &[Vec<f64>], rows: usize) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut begin = 0;
    for row in 0..rows {
        let ended = ends.iter().any(|end| end.get(row).is_some_and(|v| v.abs() > 0.0));
        if ended || row + 1 == rows {
            runs.push(Run { episode: Some(runs.len().to_string()), rows: begin..row + 1 });
            begin = row + 1;
        }
    }
    runs
}

/// The first arrays, for messages.
fn list(arrays: &[Shape]) -> String {
    const SHOWN: usize = 16;
    let mut shown: Vec<String> = arrays.iter().take(SHOWN).map(Shape::shown).collect();
    if arrays.len() > SHOWN {
        shown.push(format!("and {} more", arrays.len() - SHOWN));
    }
    if shown.is_empty() { "none".into() } else { shown.join(", ") }
}
