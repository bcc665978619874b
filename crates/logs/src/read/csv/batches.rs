//! Rows are cut on one thread and their numbers read on another: batches of rows go from the one to the other.

use super::records::Records;
use crate::error::Result;
use std::sync::mpsc::{Receiver, Sender, channel};

/// How many batches are on their way; they bound the memory.
const BATCHES: usize = 4;
/// A batch is full at so many bytes of text.
const FULL: usize = 128 * 1024;

/// Some rows as fields.
#[derive(Default)]
pub(super) struct Batch {
    text: Vec<u8>,
    /// Where each field lies in `text`.
    fields: Vec<(usize, usize)>,
    /// Line of each row, and the end of its fields.
    rows: Vec<(u64, usize)>,
}

/// A row of a batch.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    text: &'a [u8],
    fields: &'a [(usize, usize)],
    line: u64,
}

impl Batch {
    fn clear(&mut self) {
        self.text.clear();
        self.fields.clear();
        self.rows.clear();
    }

    /// Adds the present row of `records`.
    fn add(&mut self, records: &Records) {
        let (text, fields) = records.row();
        let (first, end) = (fields.first().map_or(0, |f| f.start), fields.last().map_or(0, |f| f.end));
        let shift = self.text.len();
        self.text.extend_from_slice(&text[first..end]);
        self.fields.extend(fields.iter().map(|f| (f.start - first + shift, f.end - first + shift)));
        self.rows.push((records.line(), self.fields.len()));
    }

    /// The rows, in order.
    fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        let mut first = 0;
        self.rows.iter().map(move |(line, end)| {
            let fields = &self.fields[first..*end];
            first = *end;
            Row { text: &self.text, fields, line: *line }
        })
    }
}

impl<'a> Row<'a> {
    /// How many fields it has.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// A field without quotes and space around it; empty behind the last one.
    pub fn field(&self, i: usize) -> &'a [u8] {
        self.fields.get(i).map_or(&[], |(start, end)| self.text[*start..*end].trim_ascii())
    }

    /// Its line in the log, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }
}

/// Hands each row of `records` to `each`, and gives the records back at their end.
///
/// # Errors
/// Those of `records` and of `each`, whichever comes first in the log.
pub(super) fn for_each<'a>(records: Records<'a>, mut each: impl FnMut(&Row) -> Result<()>) -> Result<Records<'a>> {
    std::thread::scope(|threads| {
        let (full, filled) = channel::<Batch>();
        let (back, empty) = channel();
        for _ in 0..BATCHES {
            // The receiver is there, so this arrives.
            let _ = back.send(Batch::default());
        }
        let cutter = threads.spawn(move || cut(records, &full, &empty));
        for mut batch in filled.iter() {
            for row in batch.rows() {
                each(&row)?;
            }
            batch.clear();
            // The cutter may be at its end.
            let _ = back.send(batch);
        }
        cutter.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Fills batches until the log ends, or nobody wants more.
fn cut<'a>(mut records: Records<'a>, full: &Sender<Batch>, empty: &Receiver<Batch>) -> Result<Records<'a>> {
    while let Ok(mut batch) = empty.recv() {
        while batch.text.len() < FULL {
            // Rows before an error are handed on first: what is wrong in them comes first in the log.
            match records.advance() {
                Ok(true) => batch.add(&records),
                end => {
                    let _ = full.send(batch);
                    return end.map(|_| records);
                }
            }
        }
        if full.send(batch).is_err() {
            break;
        }
    }
    Ok(records)
}
