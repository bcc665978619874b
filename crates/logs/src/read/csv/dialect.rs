//! How a text log is written, told by its first rows: delimiter, header, units below it, decimal commas.

use super::super::header::name_and_unit;
use super::super::units::is_unit;
use super::super::{Input, ReadOptions};
use super::cell::{is_comma_number, is_number, is_thousands};
use super::encoding::decoded;
use super::names::time_unit;
use super::records::{after_line_end, is_comment};
use super::time::is_value;
use crate::error::{Error, Result};
use std::io::Read;

/// How much of a log is looked at, bytes and rows.
const SAMPLE: (u64, usize) = (256 * 1024, 200);
/// Delimiters that are found. Spaces come last: names and dates hold them.
const DELIMITERS: [char; 4] = [',', ';', '\t', ' '];

/// How a text log is written.
#[derive(Debug)]
pub(super) struct Dialect {
    pub delimiter: u8,
    pub decimal_comma: bool,
    /// The columns' names as they stand there, with units below them joined as in `name [unit]`.
    pub names: Vec<String>,
    /// Line of the header, or 1 without one.
    pub header_line: u64,
    /// First line of values.
    pub first_line: u64,
    /// The first rows of values, each cell without quotes and space around it.
    pub rows: Vec<Vec<String>>,
    /// What was guessed, a sentence each.
    pub notes: Vec<String>,
}

/// Some lines from the beginning of a log. What stands between quotes may go over several.
struct Line {
    /// Its number in the log, from 1.
    number: u64,
    text: String,
    /// The first byte that is not UTF-8.
    foreign: Option<u8>,
}

/// A line and its cells.
type Row = (u64, Vec<String>);

impl Line {
    fn is_comment(&self) -> bool {
        is_comment(self.text.as_bytes())
    }

    fn new(number: u64, bytes: &[u8]) -> Self {
        let foreign = std::str::from_utf8(bytes).err().and_then(|e| bytes.get(e.valid_up_to()).copied());
        Self { number, text: String::from_utf8_lossy(bytes).into_owned(), foreign }
    }
}

impl Dialect {
    /// Of the log `input`.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be read; [`Error::Log`] for a log without a header or without rows, a header that
    /// is not UTF-8, and where more than one way to read it is left, naming the setting that decides.
    pub fn of(input: &Input, options: &ReadOptions) -> Result<Self> {
        let error = |(line, found): (u64, String), expected: &str| Error::Log {
            path: input.path.clone(),
            line: Some(line),
            column: None,
            found,
            expected: expected.into(),
        };
        let mut lines = sample(input)?;
        let mut said = options.delimiter_byte()?;
        // What Excel reads to be told the delimiter.
        if let Some([b's', b'e', b'p', b'=', mark]) = lines.first().map(|l| l.text.as_bytes())
            && DELIMITERS.contains(&char::from(*mark))
        {
            said = said.or(Some(*mark));
            lines.remove(0);
        }
        let begin = lines.iter().position(|l| !l.is_comment()).unwrap_or(lines.len());
        let (comments, lines) = lines.split_at(begin);
        let lines: Vec<&Line> = lines.iter().filter(|l| !l.is_comment()).collect();
        let Some(first) = lines.first() else {
            let empty = || (1, "an empty file".to_string());
            let found = comments.first().map_or_else(empty, |c| (c.number, "nothing but comments".to_string()));
            return Err(error(found, "a header row and at least one row of values"));
        };
        let delimiter = said.map_or_else(|| found_delimiter(&lines, options), Ok).map_err(|found| {
            let expected = "one way to cut the rows into columns (`delimiter = CHARACTER` decides)";
            error((first.number, found), expected)
        })?;
        let mut rows: Vec<Row> = lines.iter().map(|l| (l.number, cells(&l.text, delimiter))).collect();
        let above = comments.last().map(|l| (l.number, cells(&uncommented(&l.text), delimiter)));
        let (header_line, mut names) = header(&mut rows, above, options).map_err(|(line, found)| {
            let expected = "one header row with the columns' names (`header = NAMES` says them for a log without one)";
            error((line, found.into()), expected)
        })?;
        let foreign = comments.iter().chain(lines.iter().copied()).find(|l| l.number == header_line);
        let column = names.iter().position(|n| n.contains('\u{fffd}'));
        if let (Some(byte), Some(column)) = (foreign.and_then(|l| l.foreign), column) {
            return Err(not_utf8(input, header_line, column, byte));
        }
        let notes = take_units(&mut rows, &mut names);
        let Some((first_line, row)) = rows.first() else {
            return Err(error((header_line, "a header and no rows".into()), "at least one row of values"));
        };
        if row.len() > 1 && rows.len() > 1 && options.header.is_none() && has_no_value(row) {
            let expected = "one header row, with no more than units below it";
            return Err(error((*first_line, "a second row of names".into()), expected));
        }
        let first_line = *first_line;
        let rows: Vec<Vec<String>> = rows.into_iter().map(|(_, row)| row).collect();
        let decimal_comma = options.decimal_comma.map_or_else(|| found_comma(&rows), Ok).map_err(|found| {
            let expected =
                "a decimal comma (`decimal_comma = true` for that), or numbers without separators of thousands";
            error((first_line, found), expected)
        })?;
        if decimal_comma && delimiter == b',' && !lines.iter().any(|l| l.text.contains('"')) {
            return Err(Error::config("decimal_comma", true, "another delimiter than `,`, or numbers in quotes"));
        }
        Ok(Self { delimiter, decimal_comma, names, header_line, first_line, rows, notes })
    }
}

/// Joins the units in a row below the header to the names.
fn take_units(rows: &mut Vec<Row>, names: &mut [String]) -> Vec<String> {
    let Some((line, units)) = rows.first().and_then(|(line, row)| Some((*line, units_row(row)?))) else {
        return Vec::new();
    };
    for (name, unit) in names.iter_mut().zip(units).filter(|(_, unit)| !unit.is_empty()) {
        *name = format!("{name} [{unit}]");
    }
    rows.remove(0);
    vec![format!("line {line} holds the columns' units")]
}

/// Whether a row holds something and nothing of it can be a value.
fn has_no_value(row: &[String]) -> bool {
    row.iter().any(|cell| !cell.is_empty()) && row.iter().all(|cell| !is_value(cell))
}

/// The first lines that are not blank.
fn sample(input: &Input) -> Result<Vec<Line>> {
    let mut text = Vec::new();
    let mut stream = decoded(input.stream()?).map_err(|e| input.unreadable(e))?;
    let mut lines = Vec::new();
    // A header may be longer than the sample.
    for size in [SAMPLE.0, 64 * SAMPLE.0] {
        stream.by_ref().take(size).read_to_end(&mut text).map_err(|e| input.unreadable(e))?;
        let all = (text.len() as u64) < size;
        lines = cut(&text, all);
        if all || lines.len() > 2 {
            break;
        }
    }
    Ok(lines)
}

/// Cuts a text into lines, leaving out blank ones and one without an end, if it is not the only one.
fn cut(text: &[u8], all: bool) -> Vec<Line> {
    let (mut lines, mut number, mut begin, mut at) = (Vec::new(), 1, 0, 0);
    let (mut first, mut quoted, mut comment) = (1, false, is_comment(text));
    while at < text.len() && lines.len() < SAMPLE.1 {
        match text[at] {
            b'"' if !comment => quoted = !quoted,
            b'\r' | b'\n' => {
                let next = after_line_end(text, at, true).unwrap_or(at + 1);
                number += 1;
                if !quoted {
                    if !text[begin..at].trim_ascii().is_empty() {
                        lines.push(Line::new(first, &text[begin..at]));
                    }
                    (begin, first) = (next, number);
                    comment = is_comment(&text[next..]);
                }
                at = next;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    let rest = text[begin..].strip_suffix(b"\0").unwrap_or(&text[begin..]);
    if all && lines.is_empty() && !rest.trim_ascii().is_empty() && !rest.contains(&0) {
        lines.push(Line::new(first, rest));
    }
    lines
}

/// The cells of a line, without quotes and space around them.
fn cells(line: &str, delimiter: u8) -> Vec<String> {
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => cell.extend(letters.next()),
            '"' if quoted || cell.trim().is_empty() => quoted = !quoted,
            _ if letter == char::from(delimiter) && !quoted => cells.push(std::mem::take(&mut cell)),
            _ => cell.push(letter),
        }
    }
    cells.push(cell);
    let trimmed = cells.iter().map(|cell| cell.trim().to_string());
    trimmed.filter(|cell| delimiter != b' ' || !cell.is_empty()).collect()
}

/// The delimiter by which all lines have as many cells as the first one, or as there are names.
///
/// # Errors
/// What was found, where two do that.
fn found_delimiter(lines: &[&Line], options: &ReadOptions) -> std::result::Result<u8, String> {
    let names = options.header.as_ref().map(Vec::len);
    let fit = |delimiter: &char| {
        let counts: Vec<usize> = lines.iter().map(|l| cells(&l.text, *delimiter as u8).len()).collect();
        let columns = names.unwrap_or(counts[0]);
        let alike = counts.iter().filter(|n| **n == columns).count();
        (columns > 1 && counts[0] == columns).then_some((alike, columns, *delimiter))
    };
    let mut fits: Vec<_> = DELIMITERS[..3].iter().filter_map(fit).collect();
    if fits.iter().all(|(alike, ..)| *alike <= 1) && lines.len() > 1 {
        fits.extend(fit(&DELIMITERS[3]).filter(|(alike, ..)| *alike == lines.len()));
    }
    fits.sort_by(|a, b| b.cmp(a));
    match fits.as_slice() {
        [] => Ok(b','),
        [(alike, columns, one), (second, others, other), ..] if alike == second && columns == others => {
            Err(format!("{columns} columns with `{one}` and with `{other}` between them"))
        }
        [(.., one), ..] => Ok(*one as u8),
    }
}

/// Takes the header from the rows, or from the comment above them: its line and its cells.
///
/// # Errors
/// A line and what was found there.
fn header(
    rows: &mut Vec<Row>,
    above: Option<Row>,
    options: &ReadOptions,
) -> std::result::Result<Row, (u64, &'static str)> {
    let Some((line, row)) = rows.first() else { return Err((1, "no row")) };
    if let Some(names) = &options.header {
        if !row.iter().any(|cell| is_value(cell)) {
            return Err((*line, "a row of names"));
        }
        return Ok((*line, names.iter().map(|n| n.trim().to_string()).collect()));
    }
    let names_time = |name: &str| {
        let name = name_and_unit(name).0;
        time_unit(name).is_some() || options.time_column.as_deref() == Some(name)
    };
    // `%time,...` of rostopic, and `# time q1 q2` of NumPy: a comment that names the columns of numbers below it.
    if let Some((comment, names)) = above
        && names.len() == row.len()
        && names.len() > 1
        && row.iter().any(|cell| is_value(cell))
        && names.iter().zip(row).any(|(name, cell)| is_value(cell) && names_time(name))
    {
        return Ok((comment, names));
    }
    if row.iter().all(|cell| cell.is_empty() || is_number(cell) || super::time::kind_of(cell).is_some()) {
        return Err((*line, "numbers in the first row"));
    }
    let (line, names) = rows.remove(0);
    Ok((line, names))
}

/// A comment as a header: without its mark, but `%time` is a name.
fn uncommented(line: &str) -> String {
    let line = line.trim_start();
    if line.starts_with("%time") {
        line.into()
    } else {
        line.trim_start_matches(['#', '%']).trim_start_matches(' ').into()
    }
}

/// The units in a row that holds nothing else.
fn units_row(row: &[String]) -> Option<Vec<String>> {
    let bare = |cell: &String| cell.trim_matches(['[', ']', '(', ')']).trim().to_string();
    let units: Vec<String> = row.iter().map(bare).collect();
    let all = units.iter().all(|unit| unit.is_empty() || is_unit(unit));
    let letters = |unit: &String| unit.chars().any(|c| c.is_alphabetic() || c == '°') && !is_value(unit);
    (all && units.iter().any(letters) && !units.iter().any(|unit| is_number(unit) && unit != "1")).then_some(units)
}

/// Whether numbers are written with a comma.
///
/// # Errors
/// What was found where a comma may as well separate thousands.
fn found_comma(rows: &[Vec<String>]) -> std::result::Result<bool, String> {
    let all = || rows.iter().flatten();
    let mut with_comma = all().filter(|cell| is_comma_number(cell)).peekable();
    let Some(first) = with_comma.peek().map(|cell| (*cell).clone()) else { return Ok(false) };
    if with_comma.any(|cell| !is_thousands(cell)) {
        return Ok(true);
    }
    // Beside numbers with a dot they are thousands, which are refused where they stand.
    match all().any(|cell| cell.contains('.') && is_number(cell)) {
        true => Ok(false),
        false => Err(format!("`{first}`, whose comma may stand before decimals or thousands")),
    }
}

/// An error for a byte of another encoding in a column, counted from 0.
pub(super) fn not_utf8(input: &Input, line: u64, column: usize, byte: u8) -> Error {
    let latin = char::from(byte);
    let shown = if latin.is_control() { String::new() } else { format!(" (in Latin-1 it is `{latin}`)") };
    Error::Log {
        path: input.path.clone(),
        line: Some(line),
        column: Some((column + 1).to_string()),
        found: format!("the byte 0x{byte:02x}, which is not UTF-8{shown}"),
        expected: "text in UTF-8 or UTF-16".into(),
    }
}
