//! A part of a log of ROS, gone through message by message, and what hears of it.

use super::episodes;
use super::gather::{Gather, Mark};
use super::stream::LONGEST;
use super::topics::{Channel, Survey};
use crate::error::{Error, Result};
use crate::files::FileRecord;
use crate::read::table::Table;
use crate::read::{Input, ReadOptions};
use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::path::PathBuf;
use tempfile::TempPath;

/// What hears of a file's channels and messages, in the order in which they lie there.
pub(super) trait Hear {
    /// A channel, before its messages; it may be told more than once.
    fn channel(&mut self, id: u64, channel: Channel) -> Result<()>;
    /// Whether the messages of a channel are wanted.
    fn wants(&self, id: u64) -> bool;
    /// A message that is wanted.
    fn message(&mut self, id: u64, log_nanos: i64, message: &[u8]) -> Result<()>;
    /// A message that is not.
    fn passed(&mut self, id: u64);
    /// What the file says about itself.
    fn about(&mut self, _name: &str, _values: &BTreeMap<String, String>) {}
    /// Messages follow that are sound or lost together.
    fn chunk(&mut self) {}
    /// Those since [`Hear::chunk`] are lost.
    fn lost(&mut self, _why: &str) -> Result<()> {
        Ok(())
    }
    /// Something to be said.
    fn note(&mut self, _note: String) {}
}

/// Counts the messages of every topic.
#[derive(Default)]
struct Counter {
    channels: HashMap<u64, (Channel, u64)>,
}

impl Hear for Counter {
    fn channel(&mut self, id: u64, channel: Channel) -> Result<()> {
        self.channels.entry(id).or_insert((channel, 0));
        Ok(())
    }

    fn wants(&self, _: u64) -> bool {
        false
    }

    fn message(&mut self, _: u64, _: i64, _: &[u8]) -> Result<()> {
        Ok(())
    }

    fn passed(&mut self, id: u64) {
        if let Some((_, count)) = self.channels.get_mut(&id) {
            *count += 1;
        }
    }
}

impl Counter {
    fn into_survey(self, survey: &mut Survey) {
        for (channel, messages) in self.channels.into_values() {
            survey.add(&channel, messages);
        }
    }
}

/// [`Gather`] with the place to go back to where a chunk is lost.
struct Rows<'a> {
    gather: Gather<'a>,
    mark: Option<Mark>,
}

impl Hear for Rows<'_> {
    fn channel(&mut self, id: u64, channel: Channel) -> Result<()> {
        self.gather.channel(id, channel)
    }

    fn wants(&self, id: u64) -> bool {
        self.gather.wants(id)
    }

    fn message(&mut self, id: u64, log_nanos: i64, message: &[u8]) -> Result<()> {
        self.gather.message(id, log_nanos, message)
    }

    fn passed(&mut self, id: u64) {
        self.gather.passed(id);
    }

    fn about(&mut self, name: &str, values: &BTreeMap<String, String>) {
        episodes::about(name, values, &mut self.gather);
    }

    fn chunk(&mut self) {
        self.mark = Some(self.gather.mark());
    }

    fn lost(&mut self, why: &str) -> Result<()> {
        if let Some(mark) = self.mark.take() {
            let lost = self.gather.forget(&mark)?;
            self.gather.notes.push(format!("a damaged chunk ({why}) is left out, with {lost} messages or more"));
        }
        Ok(())
    }

    fn note(&mut self, note: String) {
        self.gather.notes.push(note);
    }
}

/// Messages that are packed one by one.
struct Unpacking<'a> {
    hear: &'a mut dyn Hear,
    input: &'a Input<'a>,
    buffer: Vec<u8>,
}

impl Hear for Unpacking<'_> {
    fn channel(&mut self, id: u64, channel: Channel) -> Result<()> {
        self.hear.channel(id, channel)
    }

    fn wants(&self, id: u64) -> bool {
        self.hear.wants(id)
    }

    fn message(&mut self, id: u64, log_nanos: i64, message: &[u8]) -> Result<()> {
        unpacked(message, &mut self.buffer)
            .map_err(|e| self.input.error(format!("a message that cannot be unpacked ({e})"), "one packed by zstd"))?;
        self.hear.message(id, log_nanos, &self.buffer)
    }

    fn passed(&mut self, id: u64) {
        self.hear.passed(id);
    }

    fn about(&mut self, name: &str, values: &BTreeMap<String, String>) {
        self.hear.about(name, values);
    }

    fn chunk(&mut self) {
        self.hear.chunk();
    }

    fn lost(&mut self, why: &str) -> Result<()> {
        self.hear.lost(why)
    }

    fn note(&mut self, note: String) {
        self.hear.note(note);
    }
}

pub(super) type SurveyFn = fn(&Input, &mut Survey) -> Result<()>;
pub(super) type ScanFn = fn(&Input, &mut dyn Hear) -> Result<()>;

/// Channels with their numbers and their counts of messages, as a file lists them.
pub(super) type Index = Vec<(u64, Channel, u64)>;

/// The topics of a file: by its index where it has one, else all messages are counted.
pub(super) fn survey(input: &Input, index: Option<Index>, scan: ScanFn, into: &mut Survey) -> Result<()> {
    if let Some(index) = index {
        index.into_iter().for_each(|(_, channel, messages)| into.add(&channel, messages));
        return Ok(());
    }
    let mut counter = Counter::default();
    scan(input, &mut counter)?;
    counter.into_survey(into);
    Ok(())
}

/// A part of a log: a file, and how it is gone through.
pub(super) struct Part<'a> {
    pub(super) input: Input<'a>,
    /// The topics, from the file's index where it has one.
    pub(super) survey: SurveyFn,
    pub(super) scan: ScanFn,
    /// What errors call the file.
    pub(super) path: PathBuf,
    /// Where the file was unpacked, gone when this is.
    pub(super) unpacked: Option<TempPath>,
    /// Whether every message is packed by itself.
    pub(super) packed_messages: bool,
}

impl<'a> Part<'a> {
    pub(super) fn new(input: Input<'a>, survey: SurveyFn, scan: ScanFn) -> Self {
        Part { path: input.path.clone(), input, survey, scan, unpacked: None, packed_messages: false }
    }

    fn scan(&self, rows: &mut Rows) -> Result<()> {
        match self.packed_messages {
            true => {
                let mut unpacking = Unpacking { hear: rows, input: &self.input, buffer: Vec::new() };
                (self.scan)(&self.input, &mut unpacking)
            }
            false => (self.scan)(&self.input, rows),
        }
    }

    /// An error that names the file and not where it was unpacked.
    fn named(&self, error: Error) -> Error {
        match error {
            Error::Log { path, line, column, found, expected }
                if self.unpacked.is_some() && path == self.input.path =>
            {
                Error::Log { path: self.path.clone(), line, column, found, expected }
            }
            error => error,
        }
    }
}

/// Reads a log whose messages lie in `parts`, one after the other; `formats` tells how the messages of a topic are
/// written, where it is not the files that do.
pub(super) fn table(
    input: &Input,
    record: FileRecord,
    parts: &[Part],
    formats: HashMap<String, String>,
    options: &ReadOptions,
) -> Result<Table> {
    let mut survey = Survey::new(formats);
    for part in parts {
        (part.survey)(&part.input, &mut survey).map_err(|e| part.named(e))?;
    }
    let chosen = survey.choose(input, options)?;
    let mut rows = Rows { gather: Gather::new(input, chosen), mark: None };
    for part in parts {
        rows.gather.next_file();
        part.scan(&mut rows).map_err(|e| part.named(e))?;
    }
    rows.gather.finish()?.table(input, record, options)
}

/// A message as it was before it was packed.
///
/// # Errors
/// What is wrong with it, in words.
fn unpacked(message: &[u8], into: &mut Vec<u8>) -> std::io::Result<()> {
    into.clear();
    let mut decoder = zstd::Decoder::with_buffer(message)?.take(LONGEST + 1);
    match decoder.read_to_end(into)? as u64 > LONGEST {
        true => Err(std::io::Error::other(format!("more than {LONGEST} bytes"))),
        false => Ok(()),
    }
}
