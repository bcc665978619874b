//! CSV: one header row, a time column, an optional episode column, any number of channels.

use super::header::Header;
use super::table::{Fault, FaultKind, Run, Table, number};
use super::{Format, Input, ReadOptions};
use crate::error::{Error, Result};
use crate::files::FileRecord;
use crate::pace::median;
use std::collections::HashMap;
use std::path::Path;

/// Tables as text.
pub(crate) const FORMAT: Format = Format { name: "CSV", extensions: &[".csv"], is, read };

/// Whatever no other format claims may be a table as text.
fn is(input: &Input, head: &[u8]) -> bool {
    !input.is_folder() && !head.iter().take(8).any(|byte| *byte == 0)
}

fn read(input: &Input, options: &ReadOptions) -> Result<Table> {
    parse(&input.path, input.record(&[])?, &input.bytes()?, options)
}

/// Reads the bytes of a CSV file.
fn parse(path: &Path, source: FileRecord, bytes: &[u8], options: &ReadOptions) -> Result<Table> {
    let path = path.to_path_buf();
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    check_utf8(&path, bytes, options)?;
    let at = |line: u64, column: Option<&str>, found: String, expected: String| Error::Log {
        path: path.clone(),
        line: Some(line),
        column: column.map(Into::into),
        found,
        expected,
    };

    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(options.delimiter_byte()?)
        .from_reader(bytes);
    let mut lines = Lines::new(bytes);
    let mut record = csv::ByteRecord::new();
    let broken = |e: csv::Error| at(1, None, format!("CSV that cannot be read ({e})"), "a CSV file".into());
    if !reader.read_byte_record(&mut record).map_err(broken)? {
        return Err(at(1, None, "an empty file".into(), "a header row and at least one row of values".into()));
    }
    let cells: Vec<&str> = record.iter().map(text).collect();
    let header_line = lines.of(&record);
    check_delimiter(&path, &cells, options)?;
    let header = Header::new(&path, &cells, options)?;
    let fields = cells.len();
    let episode_column = header.episode.map(|i| cells[i].to_string());

    let mut table = Table {
        source,
        time_column: header.time_column.clone(),
        channels: header.channels.clone(),
        time_secs: Vec::new(),
        values: Vec::new(),
        lines: Vec::new(),
        faults: Vec::new(),
        runs: Vec::new(),
        notes: Vec::new(),
        path: path.clone(),
    };
    let mut seen: HashMap<String, u64> = HashMap::new();
    let mut dotted = String::new();
    while reader.read_byte_record(&mut record).map_err(broken)? {
        let (row, line) = (table.rows(), lines.of(&record));
        if record.len() != fields {
            let found = format!("a row of {} fields", record.len());
            return Err(at(line, None, found, format!("{fields} fields as in the header")));
        }
        let mut read = |column: usize, channel: Option<usize>| {
            let mut cell = record.get(column).map_or("", text);
            if options.decimal_comma {
                dotted.clear();
                dotted.extend(cell.chars().map(|c| if c == ',' { '.' } else { c }));
                cell = &dotted;
            }
            number(cell).unwrap_or_else(|kind: FaultKind| {
                table.faults.push(Fault { row, channel, kind, text: cell.into() });
                f64::NAN
            })
        };
        table.time_secs.push(read(header.time, None));
        for (channel, column) in header.columns.iter().enumerate() {
            table.values.push(read(*column, Some(channel)));
        }
        table.lines.push(line);

        let episode = header.episode.map(|column| record.get(column).map_or("", text));
        match table.runs.last_mut() {
            Some(run) if run.episode.as_deref() == episode => run.rows.end += 1,
            _ => {
                if let Some(id) = episode {
                    let column = episode_column.as_deref();
                    if id.is_empty() {
                        return Err(at(line, column, "an empty cell".into(), "the row's episode".into()));
                    }
                    if let Some(first) = seen.insert(id.into(), line) {
                        let found = format!("episode `{id}` again, after other episodes (it began at line {first})");
                        return Err(at(line, column, found, "the rows of an episode one after the other".into()));
                    }
                }
                table.runs.push(Run { episode: episode.map(Into::into), rows: row..row + 1 });
            }
        }
    }
    if table.rows() == 0 {
        return Err(at(header_line, None, "a header and no rows".into(), "at least one row of values".into()));
    }
    let secs_per_unit = header.secs_per_unit.unwrap_or_else(|| guessed_unit(&table.time_secs));
    // Dividing by a whole number rounds once: 2040 ms become exactly the number written as 2.04.
    let units_per_sec = (1.0 / secs_per_unit).round();
    table.time_secs.iter_mut().for_each(|t| *t /= units_per_sec);
    Ok(table)
}

/// A time without a unit: nanoseconds where every stamp is an integer and the median step at least 1000, else seconds.
fn guessed_unit(time: &[f64]) -> f64 {
    let stamps: Vec<f64> = time.iter().copied().filter(|t| t.is_finite()).collect();
    let mut steps: Vec<f64> = stamps.windows(2).map(|w| (w[1] - w[0]).abs()).collect();
    let whole = stamps.iter().all(|t| t.fract().abs() < f64::MIN_POSITIVE);
    if whole && median(&mut steps).is_some_and(|m| m >= 1000.0) { 1e-9 } else { 1.0 }
}

/// The bytes were checked to be UTF-8 as a whole, and delimiters are ASCII: no cell can fail here.
fn text(cell: &[u8]) -> &str {
    std::str::from_utf8(cell).unwrap_or_default().trim()
}

/// Lines of records. The reader's own count takes blank lines and the end of `\r\n` for parts of the next record.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, line: 1 }
    }

    /// 1-based line of `record`; records must come in file order.
    fn of(&mut self, record: &csv::ByteRecord) -> u64 {
        let start = record.position().map_or(self.at, |p| p.byte() as usize).clamp(self.at, self.bytes.len());
        self.line += self.bytes[self.at..start].iter().filter(|b| **b == b'\n').count() as u64;
        self.at = start;
        while let Some(byte @ (b'\r' | b'\n')) = self.bytes.get(self.at) {
            self.line += u64::from(*byte == b'\n');
            self.at += 1;
        }
        self.line
    }
}

fn check_utf8(path: &Path, bytes: &[u8], options: &ReadOptions) -> Result<()> {
    let Err(error) = std::str::from_utf8(bytes) else { return Ok(()) };
    let before = &bytes[..error.valid_up_to()];
    let line_start = before.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
    let delimiter = options.delimiter_byte()?;
    let column = before[line_start..].iter().filter(|b| **b == delimiter).count() + 1;
    Err(Error::Log {
        path: path.to_path_buf(),
        line: Some(before.iter().filter(|b| **b == b'\n').count() as u64 + 1),
        column: Some(column.to_string()),
        found: format!("the byte 0x{:02x}, which is not UTF-8", bytes[error.valid_up_to()]),
        expected: "text in UTF-8".into(),
    })
}

/// A header in one piece was written with another delimiter.
fn check_delimiter(path: &Path, cells: &[&str], options: &ReadOptions) -> Result<()> {
    let [header] = cells else { return Ok(()) };
    let Some((mark, shown)) =
        [(';', "';'"), ('\t', "$'\\t'"), (',', "','")].into_iter().find(|(mark, _)| header.contains(*mark))
    else {
        return Ok(());
    };
    Err(Error::Log {
        path: path.to_path_buf(),
        line: Some(1),
        column: None,
        found: format!(
            "a header without `{}` that holds {shown} {} times",
            options.delimiter,
            header.matches(mark).count()
        ),
        expected: format!("columns separated by `{}` (`delimiter = {shown}` for this file)", options.delimiter),
    })
}
