//! The rows of a text log as fields, read as it comes: no more of the text is held than one row.

use super::super::Input;
use super::encoding::decoded;
use crate::error::{Error, Result};
use memchr::{memchr, memchr3};
use std::io::Read;
use std::ops::Range;

/// How much is read at once, bytes.
const PIECE: usize = 256 * 1024;
/// No row is longer than this, bytes.
const LONGEST: usize = 16 * 1024 * 1024;
/// What Excel writes where a formula failed; such a row is no comment.
const EXCEL: [&[u8]; 6] = [b"#N/A", b"#NA", b"#NUM!", b"#DIV/0!", b"#VALUE!", b"#REF!"];

/// The rows of a text log, one after the other.
pub(super) struct Records<'a> {
    input: &'a Input<'a>,
    from: Box<dyn Read + Send + 'a>,
    delimiter: u8,
    /// Text read, of which `at..end` is still to be cut into rows.
    buffer: Vec<u8>,
    at: usize,
    end: usize,
    /// Whether all has been read.
    all: bool,
    /// Line at `at`, from 1.
    next_line: u64,
    /// The present row: its line, where its fields lie, in `unquoted` where a quote is in it and else in `buffer`.
    line: u64,
    fields: Vec<Range<usize>>,
    quoted: bool,
    unquoted: Vec<u8>,
    /// Lines that are comments.
    pub comments: u64,
    /// What was at the end instead of a row.
    pub rest: Rest,
}

/// What follows the last whole row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Rest {
    /// The line of a row without an end.
    pub row: Option<u64>,
    /// Bytes of value 0.
    pub zeros: usize,
}

/// How a row was cut.
enum Cut {
    /// Its text ends at `.0`, and the next row begins at `.1`, `.2` lines below.
    Whole(usize, usize, u64),
    /// It goes on behind the text read so far.
    Open,
    /// It has no end: a quote opened in the line `.0` below its first one and was not closed over several lines.
    Swallowed(u64),
    /// At `.0` lines below its first something follows a closing quote.
    Wrong(u64),
}

impl<'a> Records<'a> {
    /// The rows of `input` from `first_line` on.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be read.
    pub fn new(input: &'a Input<'a>, delimiter: u8, first_line: u64) -> Result<Self> {
        let from = decoded(input.stream()?).map_err(|e| input.unreadable(e))?;
        let mut records = Self {
            input,
            from,
            delimiter,
            buffer: Vec::new(),
            at: 0,
            end: 0,
            all: false,
            next_line: 1,
            line: 0,
            fields: Vec::new(),
            quoted: false,
            unquoted: Vec::new(),
            comments: 0,
            rest: Rest::default(),
        };
        while records.next_line < first_line && records.pass_line()? {}
        Ok(records)
    }

    /// Goes to the next row that is neither blank nor a comment; `false` at the end.
    ///
    /// # Errors
    /// [`Error::Io`] where the log cannot be read, [`Error::Log`] for a damaged archive, a quote that is not closed,
    /// and a row beyond all measure.
    pub fn advance(&mut self) -> Result<bool> {
        loop {
            match self.cut() {
                Cut::Open if self.all => {
                    let rest = &self.buffer[self.at..self.end];
                    let zeros = rest.iter().rev().take_while(|byte| **byte == 0).count();
                    let text = &rest[..rest.len() - zeros];
                    let row = !text.trim_ascii().is_empty() && !is_comment(text);
                    self.rest = Rest { row: row.then_some(self.next_line), zeros };
                    self.at = self.end;
                    return Ok(false);
                }
                Cut::Open => self.read_more()?,
                Cut::Swallowed(below) if self.all || self.end - self.at > LONGEST => {
                    let found = "a quote that is not closed and takes all that follows for one cell";
                    return Err(self.error(self.next_line + below, found, "a closing quote in the same row"));
                }
                Cut::Swallowed(_) => self.read_more()?,
                Cut::Wrong(below) => {
                    let found = "text after a closing quote";
                    return Err(self.error(self.next_line + below, found, "the delimiter or the end of the row there"));
                }
                Cut::Whole(end, next, lines) => {
                    let text = &self.buffer[self.at..end];
                    let (blank, comment) = (text.trim_ascii().is_empty(), is_comment(text));
                    self.comments += u64::from(comment);
                    self.line = self.next_line;
                    self.next_line += lines;
                    self.at = next;
                    if !blank && !comment {
                        return Ok(true);
                    }
                }
            }
        }
    }

    /// The present row: a text, and where in it its fields lie.
    pub fn row(&self) -> (&[u8], &[Range<usize>]) {
        (if self.quoted { &self.unquoted } else { &self.buffer }, &self.fields)
    }

    /// Line of the present row, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Cuts the row at `at` into fields.
    fn cut(&mut self) -> Cut {
        let text = &self.buffer[self.at..self.end];
        self.fields.clear();
        self.quoted = false;
        let Some(stop) = memchr3(b'\n', b'\r', b'"', text) else { return Cut::Open };
        if text[stop] == b'"' && !is_comment(text) {
            return self.cut_quoted();
        }
        // A comment may hold quotes.
        let Some(stop) = text[stop..].iter().position(|b| matches!(b, b'\n' | b'\r')).map(|more| stop + more) else {
            return Cut::Open;
        };
        let Some(next) = after_line_end(text, stop, self.all) else { return Cut::Open };
        let line = &text[..stop];
        let mut from = 0;
        while let Some(length) = memchr(self.delimiter, &line[from..]) {
            self.fields.push(self.at + from..self.at + from + length);
            from += length + 1;
        }
        self.fields.push(self.at + from..self.at + stop);
        if self.delimiter == b' ' {
            self.fields.retain(|field| !field.is_empty());
        }
        Cut::Whole(self.at + stop, self.at + next, 1)
    }

    /// As [`Records::cut`], of a row with quotes.
    fn cut_quoted(&mut self) -> Cut {
        let text = &self.buffer[self.at..self.end];
        self.quoted = true;
        self.unquoted.clear();
        let (mut i, mut lines) = (0, 0);
        loop {
            let begin = self.unquoted.len();
            while text.get(i).is_some_and(|b| matches!(b, b' ' | b'\t') && *b != self.delimiter) {
                i += 1;
            }
            if text.get(i) == Some(&b'"') {
                let (opened, first) = (lines, i + 1);
                i += 1;
                loop {
                    let Some(length) = memchr(b'"', &text[i..]) else {
                        // A list goes over several lines by right, so it is a row that is cut.
                        let list = text[first..].trim_ascii_start().starts_with(b"[");
                        let over = text[first..].iter().any(|b| matches!(b, b'\n' | b'\r'));
                        return if over && !list { Cut::Swallowed(opened) } else { Cut::Open };
                    };
                    lines += line_ends(&text[i..i + length]);
                    self.unquoted.extend_from_slice(&text[i..i + length]);
                    i += length + 1;
                    match text.get(i) {
                        Some(b'"') => self.unquoted.push(b'"'),
                        None if !self.all => return Cut::Open,
                        _ => break,
                    }
                    i += 1;
                }
                while text.get(i).is_some_and(|b| matches!(b, b' ' | b'\t') && *b != self.delimiter) {
                    i += 1;
                }
            } else {
                let length = text[i..].iter().position(|b| *b == self.delimiter || matches!(b, b'\n' | b'\r'));
                let Some(length) = length else { return Cut::Open };
                self.unquoted.extend_from_slice(&text[i..i + length]);
                i += length;
            }
            self.fields.push(begin..self.unquoted.len());
            match text.get(i) {
                None => return Cut::Open,
                Some(b) if *b == self.delimiter => i += 1,
                Some(b'\n' | b'\r') => {
                    let Some(next) = after_line_end(text, i, self.all) else { return Cut::Open };
                    if self.delimiter == b' ' {
                        self.fields.retain(|field| !field.is_empty());
                    }
                    return Cut::Whole(self.at + i, self.at + next, lines + 1);
                }
                Some(_) => return Cut::Wrong(lines),
            }
        }
    }

    /// Reads the next piece behind the text at hand.
    fn read_more(&mut self) -> Result<()> {
        if self.end - self.at > LONGEST {
            let found = format!("a row of more than {} MiB", LONGEST >> 20);
            return Err(self.error(self.next_line, found, "rows of text"));
        }
        self.buffer.copy_within(self.at..self.end, 0);
        (self.at, self.end) = (0, self.end - self.at);
        if self.buffer.len() < self.end + PIECE {
            self.buffer.resize((2 * self.end).max(self.end + PIECE), 0);
        }
        let read = loop {
            match self.from.read(&mut self.buffer[self.end..]) {
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                read => break read.map_err(|e| self.input.unreadable(e))?,
            }
        };
        self.end += read;
        self.all = read == 0;
        Ok(())
    }

    /// Goes over one line, whatever it holds; `false` at the end.
    fn pass_line(&mut self) -> Result<bool> {
        loop {
            let text = &self.buffer[self.at..self.end];
            let stop = text.iter().position(|b| matches!(b, b'\n' | b'\r'));
            match stop.and_then(|stop| after_line_end(text, stop, self.all)) {
                Some(next) => {
                    self.at += next;
                    self.next_line += 1;
                    return Ok(true);
                }
                None if self.all => return Ok(false),
                None => self.read_more()?,
            }
        }
    }

    fn error(&self, line: u64, found: impl Into<String>, expected: impl Into<String>) -> Error {
        let (found, expected) = (found.into(), expected.into());
        Error::Log { path: self.input.path.clone(), line: Some(line), column: None, found, expected }
    }
}

/// Where the next line begins after the line end at `stop`; `None` where that is not read yet.
pub(super) fn after_line_end(text: &[u8], stop: usize, all: bool) -> Option<usize> {
    match (text[stop], text.get(stop + 1)) {
        (b'\r', Some(b'\n')) => Some(stop + 2),
        (b'\r', None) if !all => None,
        _ => Some(stop + 1),
    }
}

/// Ends of lines in `text`; `\r\n` is one.
fn line_ends(text: &[u8]) -> u64 {
    let is = |i: usize| text[i] == b'\n' || text[i] == b'\r' && text.get(i + 1) != Some(&b'\n');
    (0..text.len()).filter(|i| is(*i)).count() as u64
}

/// Whether a line is a comment.
pub(super) fn is_comment(line: &[u8]) -> bool {
    let line = line.trim_ascii_start();
    matches!(line.first(), Some(b'#' | b'%')) && !EXCEL.iter().any(|token| line.starts_with(token))
}
