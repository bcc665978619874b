//! Messages of one topic become rows.

use super::layout::Flat;
use super::topics::{Channel, Chosen, Decoder};
use crate::error::Result;
use crate::read::Input;
use crate::read::numbers::{Column, Numbers};
use crate::read::table::Run;
use crate::{Growing, Values};
use std::collections::{HashMap, HashSet};

/// Layouts that are remembered: a publisher may send its joints in any order.
const REMEMBERED: usize = 1024;
/// Streams that are told apart on one topic.
const MOST_STREAMS: usize = 64;

/// The messages of one topic, told apart by who sent them and what they hold.
pub(super) struct Gather<'a> {
    input: &'a Input<'a>,
    chosen: Chosen,
    channels: HashMap<u64, Source>,
    /// Topic, type and encoding of all channels of the file.
    known: HashMap<u64, [String; 3]>,
    /// Messages of channels that the file does not tell.
    untold: u64,
    streams: Vec<Stream>,
    /// Messages on the topic so far, and those without a number.
    messages: u64,
    empty: u64,
    /// Episodes that the file itself tells, with their numbers of rows.
    pub episodes: Vec<(String, usize)>,
    /// Units that the file itself tells, by channel.
    pub units: HashMap<String, String>,
    pub notes: Vec<String>,
    flat: Flat,
}

/// A channel of the topic.
struct Source {
    channel: Channel,
    decoder: Decoder,
    /// Which of the topic's channels in this file, or the publisher's name.
    publisher: String,
    layouts: HashMap<Vec<u8>, Layout>,
    last: Option<(Vec<u8>, Layout)>,
}

/// Where the numbers of a message go.
#[derive(Debug, Clone)]
enum Layout {
    Empty,
    /// Into this stream, as they lie.
    Same(usize),
    /// Into this stream, each to its column.
    To(usize, Vec<usize>),
}

/// Messages of one publisher that hold the same quantities.
struct Stream {
    publisher: String,
    about: String,
    columns: Vec<Column>,
    log_nanos: Vec<i64>,
    /// 0 where the message has none.
    stamp_nanos: Vec<i64>,
    stamped: bool,
    values: Growing,
    /// The present row.
    row: Vec<f64>,
    lines: Vec<u64>,
}

/// A place to go back to.
pub(super) struct Mark {
    rows: Vec<usize>,
    known: HashSet<u64>,
    messages: u64,
    empty: u64,
}

impl<'a> Gather<'a> {
    pub fn new(input: &'a Input<'a>, chosen: Chosen) -> Self {
        Self {
            input,
            chosen,
            channels: HashMap::new(),
            known: HashMap::new(),
            untold: 0,
            streams: Vec::new(),
            messages: 0,
            empty: 0,
            episodes: Vec::new(),
            units: HashMap::new(),
            notes: Vec::new(),
            flat: Flat::default(),
        }
    }

    /// Another file of the same log begins.
    pub fn next_file(&mut self) {
        self.channels.clear();
        self.known.clear();
    }

    /// Hears of a channel of the file.
    ///
    /// # Errors
    /// [`crate::Error::Log`] for a channel of the topic that cannot be read, and for one told twice and differently.
    pub fn channel(&mut self, id: u64, channel: Channel) -> Result<()> {
        let about = [&channel.topic, &channel.type_name, &channel.encoding].map(Clone::clone);
        match self.known.get(&id) {
            Some(known) if *known != about => {
                let found = format!("channel {id} first as {}, then as {}", known.join(" "), about.join(" "));
                return Err(self.input.error(found, "one description of every channel"));
            }
            Some(_) => {}
            None => drop(self.known.insert(id, about)),
        }
        if channel.topic != self.chosen.topic || self.channels.contains_key(&id) {
            return Ok(());
        }
        let decoder = channel.decoder().map_err(|why| {
            let expected = "messages as CDR, ROS 1 or JSON with their definition";
            self.input.error(format!("{why} on the topic `{}`", channel.topic), expected)
        })?;
        let publisher = match channel.publisher.as_str() {
            "" => format!("channel {}", self.channels.len() + 1),
            name => format!("publisher `{name}`"),
        };
        let source = Source { channel, decoder, publisher, layouts: HashMap::new(), last: None };
        self.channels.insert(id, source);
        Ok(())
    }

    /// Whether messages of the channel are wanted.
    pub fn wants(&self, id: u64) -> bool {
        self.channels.contains_key(&id)
    }

    /// A message that is not wanted.
    pub fn passed(&mut self, id: u64) {
        self.untold += u64::from(!self.known.contains_key(&id));
    }

    /// A message of the topic.
    ///
    /// # Errors
    /// [`crate::Error::Log`] for a message that does not fit its definition, and for too many kinds of messages.
    pub fn message(&mut self, id: u64, log_nanos: i64, message: &[u8]) -> Result<()> {
        let Some(source) = self.channels.get_mut(&id) else { return Ok(()) };
        self.messages += 1;
        let line = self.messages;
        let topic = &self.chosen.topic;
        let wrong = |why: String| {
            let found = format!("message {line} of `{topic}` with {why}");
            self.input.error(found, format!("a {} as its definition has it", source.channel.type_name))
        };
        source.decoder.numbers(message, &mut self.flat).map_err(wrong)?;
        let known = source.last.as_ref().is_some_and(|(key, _)| *key == self.flat.key);
        if !known {
            let layout = match source.layouts.get(&self.flat.key) {
                Some(layout) => layout.clone(),
                None => {
                    let layout = new_layout(source, message, &mut self.streams).map_err(|why| {
                        let found = format!("message {line} of `{topic}` with {why}");
                        self.input.error(found, "the same quantities in every message")
                    })?;
                    if source.layouts.len() >= REMEMBERED {
                        source.layouts.clear();
                    }
                    source.layouts.insert(self.flat.key.clone(), layout.clone());
                    layout
                }
            };
            source.last = Some((self.flat.key.clone(), layout));
        }
        let Some((_, layout)) = &source.last else { return Ok(()) };
        let (Layout::Same(stream) | Layout::To(stream, _)) = layout else {
            self.empty += 1;
            return Ok(());
        };
        let Some(stream) = self.streams.get_mut(*stream) else { return Ok(()) };
        stream.log_nanos.push(log_nanos);
        stream.stamp_nanos.push(self.flat.stamp.unwrap_or(0));
        stream.stamped |= self.flat.stamp.is_some();
        stream.lines.push(line);
        match layout {
            Layout::To(_, places) => {
                stream.row.clear();
                stream.row.resize(stream.columns.len(), f64::NAN);
                for (value, place) in self.flat.values.iter().zip(places) {
                    stream.row[*place] = *value;
                }
                stream.values.extend(&stream.row)?;
            }
            _ => stream.values.extend(&self.flat.values)?,
        }
        Ok(())
    }

    /// Where the rows are now.
    pub fn mark(&self) -> Mark {
        let rows = self.streams.iter().map(|s| s.lines.len()).collect();
        Mark { rows, known: self.known.keys().copied().collect(), messages: self.messages, empty: self.empty }
    }

    /// Forgets the messages and channels since the mark; how many messages they were.
    ///
    /// # Errors
    /// [`crate::Error::Io`] where the temporary file of their numbers cannot be shortened.
    pub fn forget(&mut self, mark: &Mark) -> Result<u64> {
        for (number, stream) in self.streams.iter_mut().enumerate() {
            let rows = mark.rows.get(number).copied().unwrap_or(0);
            stream.log_nanos.truncate(rows);
            stream.stamp_nanos.truncate(rows);
            stream.lines.truncate(rows);
            stream.values.truncate(rows * stream.columns.len())?;
        }
        self.known.retain(|id, _| mark.known.contains(id));
        self.channels.retain(|id, _| mark.known.contains(id));
        let forgotten = self.messages - mark.messages;
        (self.messages, self.empty) = (mark.messages, mark.empty);
        Ok(forgotten)
    }

    /// The rows.
    ///
    /// # Errors
    /// [`crate::Error::Log`] without any, and where several streams could be meant.
    pub fn finish(mut self) -> Result<Numbers> {
        let topic = &self.chosen.topic;
        let filled: Vec<usize> = (0..self.streams.len()).filter(|i| !self.streams[*i].lines.is_empty()).collect();
        let number = match (self.chosen.stream, filled.as_slice()) {
            (_, []) => {
                let found = match self.messages {
                    0 if self.untold > 0 => format!(
                        "no message on the topic `{topic}` that could be read, and {} of channels that it does not \
                         describe",
                        self.untold
                    ),
                    0 => format!("no message on the topic `{topic}` that could be read"),
                    n => format!("{n} messages on the topic `{topic}` and no number in them"),
                };
                return Err(self.input.error(found, "at least one message with numbers"));
            }
            (None, [only]) => *only,
            (Some(wanted), several) => match wanted.checked_sub(1).and_then(|i| several.get(i)) {
                Some(number) => *number,
                None => {
                    let found = format!("no stream {wanted} on the topic `{topic}`, only {}", self.list(several));
                    return Err(self.input.error(found, "one of them"));
                }
            },
            (None, several) => {
                let found = format!("several streams on the topic `{topic}`: {}", self.list(several));
                return Err(self.input.error(found, format!("one of them by number (`topic = {topic}#1`)")));
            }
        };
        let rest: usize = filled.iter().filter(|i| **i != number).map(|i| self.streams[*i].lines.len()).sum();
        let mut notes = std::mem::take(&mut self.chosen.notes);
        notes.append(&mut self.notes);
        if rest > 0 {
            notes.push(format!("{rest} messages of other streams on the topic `{topic}` are left out"));
        }
        if self.untold > 0 {
            notes.push(format!("{} messages of channels that the file does not describe are left out", self.untold));
        }
        if self.empty > 0 {
            notes.push(format!("{} messages without a number on the topic `{topic}` are left out", self.empty));
        }
        // A log of this program has a stamp in every message, also where it is zero.
        let stamps = !self.episodes.is_empty();
        let mut numbers = self.streams.swap_remove(number).numbers(stamps, &mut notes)?;
        for column in &mut numbers.columns {
            column.unit = self.units.remove(&column.name);
        }
        numbers.runs = runs(&self.episodes, numbers.time_secs.len());
        numbers.notes = notes;
        Ok(numbers)
    }

    fn list(&self, streams: &[usize]) -> String {
        let shown = streams.iter().enumerate().take(8).map(|(place, number)| {
            let stream = &self.streams[*number];
            let names: Vec<String> = stream.columns.iter().take(4).map(|c| format!("`{}`", c.name)).collect();
            let more = if stream.columns.len() > 4 { ", ..." } else { "" };
            let about = if stream.about.is_empty() { String::new() } else { format!(", {}", stream.about) };
            let about: String = about.chars().take(200).collect();
            format!(
                "#{} of {}{about}: {} messages of {} numbers ({}{more})",
                place + 1,
                stream.publisher,
                stream.lines.len(),
                stream.columns.len(),
                names.join(", ")
            )
        });
        let mut text = shown.collect::<Vec<_>>().join("; ");
        if streams.len() > 8 {
            text += &format!(" and {} more", streams.len() - 8);
        }
        text
    }
}

/// Where the numbers of a message go, of a kind that was not seen before.
fn new_layout(source: &Source, message: &[u8], streams: &mut Vec<Stream>) -> Result<Layout, String> {
    let names = source.decoder.namer(message)?.names(source.channel.is_joint_state())?;
    if names.columns.is_empty() {
        return Ok(Layout::Empty);
    }
    let sorted = |columns: &[Column]| {
        let mut names: Vec<String> = columns.iter().map(|c| c.name.clone()).collect();
        names.sort_unstable();
        names
    };
    let wanted = sorted(&names.columns);
    let same = |s: &Stream| s.publisher == source.publisher && s.about == names.about && sorted(&s.columns) == wanted;
    if let Some(number) = streams.iter().position(same) {
        let stream = &streams[number];
        if stream.columns == names.columns {
            return Ok(Layout::Same(number));
        }
        let places: HashMap<&str, usize> =
            stream.columns.iter().enumerate().map(|(place, column)| (column.name.as_str(), place)).collect();
        let places = names.columns.iter().filter_map(|c| places.get(c.name.as_str()).copied()).collect();
        return Ok(Layout::To(number, places));
    }
    if streams.len() >= MOST_STREAMS {
        return Err(format!("other quantities than the {MOST_STREAMS} kinds of messages before it"));
    }
    streams.push(Stream {
        publisher: source.publisher.clone(),
        about: names.about,
        columns: names.columns,
        log_nanos: Vec::new(),
        stamp_nanos: Vec::new(),
        stamped: false,
        values: Growing::default(),
        row: Vec::new(),
        lines: Vec::new(),
    });
    Ok(Layout::Same(streams.len() - 1))
}

impl Stream {
    /// The rows in the order in which they were recorded.
    fn numbers(mut self, all_set: bool, notes: &mut Vec<String>) -> Result<Numbers> {
        let rows = self.lines.len();
        let mut values = std::mem::take(&mut self.values).finish()?;
        if !self.log_nanos.is_sorted() {
            let mut order: Vec<usize> = (0..rows).collect();
            order.sort_by_key(|row| self.log_nanos[*row]);
            let moved = order.iter().enumerate().filter(|(place, row)| place != *row).count();
            notes.push(format!("{moved} messages lie out of order in the file: read by the time of their recording"));
            values = self.sort(&order, &values)?;
        }
        // A log that begins at zero has one stamp of zero.
        let unset = |(stamp, log): &(&i64, &i64)| **stamp == 0 && **log != 0 && !all_set;
        let missing = self.stamp_nanos.iter().zip(&self.log_nanos).filter(unset).count();
        let by_stamp = self.stamped && missing == 0;
        if !by_stamp {
            notes.push(match (self.stamped, missing) {
                (false, _) => "the messages have no `header.stamp`: times are those of the recording".into(),
                (true, all) if all == rows => {
                    "`header.stamp` is not set in any message: times are those of the recording".into()
                }
                (true, some) => {
                    format!("`header.stamp` is not set in {some} of {rows} messages: times are those of the recording")
                }
            });
        }
        let nanos = if by_stamp { self.stamp_nanos } else { self.log_nanos };
        Ok(Numbers {
            time_column: if by_stamp { "header.stamp".into() } else { "log time".into() },
            time_secs: nanos.into_iter().map(seconds).collect(),
            columns: self.columns,
            values,
            lines: self.lines,
            runs: Vec::new(),
            notes: Vec::new(),
            parts: Default::default(),
        })
    }

    /// The same rows in another order; their values.
    fn sort(&mut self, order: &[usize], values: &Values) -> Result<Values> {
        let width = self.columns.len();
        self.log_nanos = order.iter().map(|row| self.log_nanos[*row]).collect();
        self.stamp_nanos = order.iter().map(|row| self.stamp_nanos[*row]).collect();
        self.lines = order.iter().map(|row| self.lines[*row]).collect();
        Growing::filled(|sorted| {
            order.iter().try_for_each(|row| sorted.extend(&values[row * width..(row + 1) * width]))
        })
    }
}

/// Nanoseconds as seconds, rounded once where the number is small enough to be exact.
fn seconds(nanos: i64) -> f64 {
    const EXACT: i64 = 1 << 53;
    match (-EXACT..=EXACT).contains(&nanos) {
        true => nanos as f64 / 1e9,
        false => (nanos.div_euclid(1_000_000_000)) as f64 + nanos.rem_euclid(1_000_000_000) as f64 / 1e9,
    }
}

/// The runs of `rows` rows by the episodes' lengths; a log that was cut has fewer.
fn runs(episodes: &[(String, usize)], rows: usize) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut start = 0;
    for (id, length) in episodes {
        let end = start + (*length).min(rows - start);
        if end > start {
            runs.push(Run { episode: Some(id.clone()), rows: start..end });
        }
        start = end;
    }
    match start == rows {
        true => runs,
        // More rows than were told: other messages too, and the lengths mean nothing.
        false => Vec::new(),
    }
}
