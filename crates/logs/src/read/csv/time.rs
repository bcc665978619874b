//! Stamps of a text log: numbers, dates and times of day, in one column or two.

use super::super::table::FaultKind;
use super::batches::Row;
use super::cell::{Cells, MISSING, NoNumber, is_number};
use super::iso::{Order, iso};
use jiff::civil::{DateTime, Time as Clock};
use jiff::{Timestamp, tz::TimeZone};

/// Where the time of a row stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Time {
    /// In one column.
    Column(usize, Kind),
    /// Seconds in one column and nanoseconds in another.
    SecsAndNanos(usize, usize),
    /// The date in one column, written in this order, and the time of day in another.
    DateAndClock(usize, usize, Order),
    /// Nowhere: rows come at this rate, Hz.
    Rate(f64),
}

/// How a stamp is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// As a number.
    Number,
    /// As date and time with zone: `2025-04-17T17:00:08.02+02:00`.
    Zoned(Order),
    /// As date and time without zone: `2025-04-17 17:00:08.02`.
    Local(Order),
    /// As time of day: `17:00:08.02`.
    Clock,
}

impl Time {
    /// Columns that hold it.
    pub fn columns(&self) -> Vec<usize> {
        match *self {
            Self::Column(i, _) => vec![i],
            Self::SecsAndNanos(i, j) | Self::DateAndClock(i, j, _) => vec![i, j],
            Self::Rate(_) => Vec::new(),
        }
    }

    /// Whether it is read in a unit that has to be known.
    pub fn has_unit(&self) -> bool {
        matches!(self, Self::Column(_, Kind::Number))
    }

    /// The time of a row that is the `k`-th of its episode: in seconds, or in the unit of its column.
    pub fn read(&self, row: &Row, cells: &Cells, k: usize) -> Result<f64, NoNumber> {
        match *self {
            Self::Column(i, Kind::Number) => cells.number(row.field(i)),
            Self::Column(i, kind) => {
                text(row.field(i)).and_then(|t| secs(t, kind).ok_or(TEXT)).or_else(|why| missing(row, cells, i, why))
            }
            Self::SecsAndNanos(i, j) => {
                let (secs, nanos) = (cells.number(row.field(i))?, cells.number(row.field(j))?);
                if (0.0..1e9).contains(&nanos) { Ok(secs + nanos * 1e-9) } else { Err(TEXT) }
            }
            Self::DateAndClock(i, j, order) => {
                let (date, clock) = (text(row.field(i))?, text(row.field(j))?);
                secs(&format!("{date}T{clock}"), Kind::Local(order))
                    .ok_or(TEXT)
                    .or_else(|why| missing(row, cells, i, why))
            }
            Self::Rate(hz) => Ok(k as f64 / hz),
        }
    }

    /// The cells of a row that hold it, for messages.
    pub fn shown(&self, row: &Row) -> String {
        let cells: Vec<_> =
            self.columns().iter().map(|i| String::from_utf8_lossy(row.field(*i)).into_owned()).collect();
        cells.join(" ")
    }
}

const TEXT: NoNumber = NoNumber::Fault(FaultKind::Text);

fn text(cell: &[u8]) -> Result<&str, NoNumber> {
    std::str::from_utf8(cell).map_err(|_| TEXT)
}

/// A stamp that is no date may still be a word for a missing one; a number is not.
fn missing(row: &Row, cells: &Cells, i: usize, why: NoNumber) -> Result<f64, NoNumber> {
    match cells.number(row.field(i)) {
        Err(no @ NoNumber::Fault(FaultKind::Empty | FaultKind::Nan)) => Err(no),
        _ => Err(why),
    }
}

/// How a cell is written, where it is a date or a time of day; of several ways the first.
pub(super) fn kind_of(cell: &str) -> Option<Kind> {
    // Numbers such as 20250417 can be read as dates too.
    let dated = cell.len() >= 8 && cell.contains(':');
    let dates = Order::ALL.into_iter().flat_map(|order| [Kind::Zoned(order), Kind::Local(order)]);
    dates.chain([Kind::Clock]).filter(|_| dated).find(|kind| secs(cell, *kind).is_some())
}

/// Whether a cell can only be a value and no name: a number, a date, a word for a missing value.
pub(super) fn is_value(text: &str) -> bool {
    is_number(text) || kind_of(text).is_some() || MISSING.contains(&text.to_ascii_lowercase().as_str())
}

/// Seconds since 1970 (without a zone as in UTC), or since midnight.
pub(super) fn secs(cell: &str, kind: Kind) -> Option<f64> {
    let whole = |seconds: i64, nanos: i32| seconds as f64 + f64::from(nanos) * 1e-9;
    match kind {
        Kind::Number => None,
        Kind::Zoned(order) => {
            let stamp: Timestamp = iso(cell, order)?.0.parse().ok()?;
            Some(whole(stamp.as_second(), stamp.subsec_nanosecond()))
        }
        Kind::Local(order) => {
            let (date, clock) = iso(cell, order)?;
            // The parser takes a zone here and passes over it.
            if date.get(clock..).is_none_or(|clock| clock.contains(['+', '-', 'Z', 'z', '['])) {
                return None;
            }
            let local: DateTime = date.parse().ok()?;
            let stamp = TimeZone::UTC.to_timestamp(local).ok()?;
            Some(whole(stamp.as_second(), stamp.subsec_nanosecond()))
        }
        Kind::Clock if cell.contains(['+', '-', 'Z', 'z', '[', 'T']) => None,
        Kind::Clock => {
            let clock: Clock = cell.parse().ok()?;
            let seconds = i64::from(clock.hour()) * 3600 + i64::from(clock.minute()) * 60 + i64::from(clock.second());
            Some(whole(seconds, clock.subsec_nanosecond()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::options::DateOrder;

    const DAY: Order = Order::YearLast(DateOrder::DayFirst);
    const MONTH: Order = Order::YearLast(DateOrder::MonthFirst);
    const YEAR: Order = Order::Year;

    #[test]
    fn dates_and_times_of_day() {
        // date -u -d '2025-04-17 17:00:08' +%s
        let at = 1_744_909_208.0;
        for (cell, kind, expected) in [
            ("2025-04-17T17:00:08.500000", Kind::Local(YEAR), at + 0.5),
            ("2025-04-17 17:00:08.500", Kind::Local(YEAR), at + 0.5),
            ("2025/04/17 17:00:08,5", Kind::Local(YEAR), at + 0.5),
            ("2025.4.17 17:00:08.5", Kind::Local(YEAR), at + 0.5),
            ("17.04.2025 17:00:08.040", Kind::Local(DAY), at + 0.04),
            ("17.04.2025 17:00:08,040", Kind::Local(DAY), at + 0.04),
            ("17/04/2025T17:00:08", Kind::Local(DAY), at),
            ("04/17/2025 17:00:08,5", Kind::Local(MONTH), at + 0.5),
            ("4-17-2025 17:00:08", Kind::Local(MONTH), at),
            ("17.04.2025 19:00:08+02:00", Kind::Zoned(DAY), at),
            ("17.04.2025 7:00:08", Kind::Local(DAY), at - 36000.0),
            ("2025-04-17T17:00:08Z", Kind::Zoned(YEAR), at),
            ("2025-04-17 19:00:08.25+02:00", Kind::Zoned(YEAR), at + 0.25),
            ("2025-04-17T19:00:08+02:00[Europe/Berlin]", Kind::Zoned(YEAR), at),
            ("17:00:08.25", Kind::Clock, 61_208.25),
        ] {
            assert_eq!(kind_of(cell), Some(kind), "{cell}");
            assert!((secs(cell, kind).unwrap() - expected).abs() < 1e-6, "{cell}");
        }
        // The day may be the month: the first of two ways.
        assert_eq!(kind_of("05/04/2025 17:00:08"), Some(Kind::Local(DAY)));
        for cell in [
            "20250417",
            "1.5",
            "soon",
            "",
            "17.04.25 17:00:08",
            "17.14.2025 17:00:08",
            "17.04-2025 17:00:08",
            "17.04.2025",
            "2025-13-01 00:00:00",
            "25:00:00",
            "a:b:c:d:e",
        ] {
            assert_eq!(kind_of(cell), None, "{cell}");
        }
    }
}
