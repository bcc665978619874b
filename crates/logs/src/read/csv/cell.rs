//! What one cell of a text log says.

use super::super::ReadOptions;
use super::super::table::FaultKind;

/// Words for a missing value, in small letters, beside what every language reads as NaN: of pandas, R, SQL, Python,
/// YAML, Excel, and of Microsoft's C library.
pub(super) const MISSING: &[&str] = &[
    "na",
    "n/a",
    "#n/a",
    "#na",
    "<na>",
    "null",
    "none",
    "nil",
    "nat",
    "-",
    "--",
    ".nan",
    "-.nan",
    "nan(ind)",
    "-nan(ind)",
    "nan(snan)",
    "-nan(snan)",
    "1.#nan",
    "1.#qnan",
    "-1.#qnan",
    "1.#ind",
    "-1.#ind",
    "1.#snan",
];
const INFINITE: &[&str] = &["1.#inf", "-1.#inf", ".inf", "-.inf", "+.inf"];

/// How the numbers of a log are written.
pub(super) struct Cells {
    decimal_comma: bool,
    /// Whether numbers have dots and none of them stands for a missing value.
    as_usual: bool,
    /// What stands for a missing value, as text and where it is one as a number.
    missing: Vec<(String, Option<f64>)>,
}

/// A cell that would be another number if it were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoNumber {
    /// What a judge of logs may deal with.
    Fault(FaultKind),
    /// A dot in a log of decimal commas.
    Dot,
}

impl Cells {
    pub fn new(decimal_comma: bool, options: &ReadOptions) -> Self {
        let missing: Vec<_> =
            options.missing.iter().map(|text| (text.trim().to_string(), text.trim().parse().ok())).collect();
        Self { decimal_comma, as_usual: !decimal_comma && missing.is_empty(), missing }
    }

    /// The number of a cell that holds one as nearly all cells do; `None` says nothing of a cell.
    #[inline]
    pub fn plain(&self, cell: &[u8]) -> Option<f64> {
        if self.as_usual { short(cell) } else { None }
    }

    /// The number of a cell without space around it, or why there is none.
    pub fn number(&self, cell: &[u8]) -> Result<f64, NoNumber> {
        let fault = |kind| Err(NoNumber::Fault(kind));
        if cell.is_empty() {
            return fault(FaultKind::Empty);
        }
        let Ok(text) = std::str::from_utf8(cell) else { return fault(FaultKind::Text) };
        let read = match self.decimal_comma {
            false => text.parse(),
            // A dot would be read as well, and separates thousands here: `1.503` is another number.
            true if text.contains('.') && text.bytes().all(|b| b.is_ascii_digit() || b"+-.,eE".contains(&b)) => {
                return Err(NoNumber::Dot);
            }
            true => text.replacen(',', ".", 1).parse(),
        };
        match read {
            Ok(v) if self.is_missing(text, Some(v)) => fault(FaultKind::Nan),
            Ok(v) if v.is_finite() => Ok(v),
            Ok(v) if v.is_nan() => fault(FaultKind::Nan),
            Ok(_) => fault(FaultKind::Infinite),
            Err(_) => {
                let small = text.to_ascii_lowercase();
                match () {
                    () if MISSING.contains(&small.as_str()) || self.is_missing(text, None) => fault(FaultKind::Nan),
                    () if INFINITE.contains(&small.as_str()) => fault(FaultKind::Infinite),
                    () => fault(FaultKind::Text),
                }
            }
        }
    }

    fn is_missing(&self, text: &str, number: Option<f64>) -> bool {
        self.missing.iter().any(|(word, value)| word == text || number.is_some() && *value == number)
    }
}

/// A number of at most 15 digits, with a dot or without, as nearly all cells hold one; `None` for anything else.
///
/// Digits and power of ten are whole numbers below 2^53, so the one division gives the number that is nearest to the
/// decimal, as the standard library's parser does.
#[inline]
fn short(cell: &[u8]) -> Option<f64> {
    const POWERS: [f64; 16] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
    let (negative, digits) = match cell {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.len() > POWERS.len() {
        return None;
    }
    let (whole, number) = leading_digits(digits, 0);
    let (decimals, number) = match digits.get(whole) {
        None => (0, number),
        Some(b'.') => leading_digits(&digits[whole + 1..], number),
        Some(_) => return None,
    };
    let all = whole + decimals + usize::from(whole < digits.len()) == digits.len();
    let counted = (1..POWERS.len()).contains(&(whole + decimals));
    let value = number as f64 / POWERS[decimals];
    (all && counted).then_some(if negative { -value } else { value })
}

/// How many digits `bytes` (at most 16) begins with, and `number` with them behind it.
#[inline]
fn leading_digits(bytes: &[u8], mut number: u64) -> (usize, u64) {
    let mut count = 0;
    if let Some(first) = bytes.first_chunk::<8>()
        && let Some(eight) = eight_digits(*first)
    {
        (count, number) = (8, number * 100_000_000 + eight);
    }
    for byte in &bytes[count..] {
        if !byte.is_ascii_digit() {
            break;
        }
        number = number.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
        count += 1;
    }
    (count, number)
}

/// The number of eight digits, all at once: neighbours are joined to two, four and eight digits.
#[inline]
fn eight_digits(digits: [u8; 8]) -> Option<u64> {
    let bytes = u64::from_le_bytes(digits);
    let high = 0xf0f0_f0f0_f0f0_f0f0;
    if bytes & high & bytes.wrapping_add(0x0606_0606_0606_0606) != 0x3030_3030_3030_3030
        || bytes & high != 0x3030_3030_3030_3030
    {
        return None;
    }
    let ones = bytes & 0x0f0f_0f0f_0f0f_0f0f;
    let twos = (ones * 10 + (ones >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (twos * 100 + (twos >> 16)) & 0x0000_ffff_0000_ffff;
    Some((fours * 10_000 + (fours >> 32)) & 0xffff_ffff)
}

/// The items of a list in a cell, as Python and NumPy print one: `[0.1, 0.2]`, `[0.1 0.2]`, also over several lines.
pub(super) fn list(cell: &[u8]) -> Option<impl Iterator<Item = &[u8]>> {
    let inner = cell.strip_prefix(b"array(").and_then(|c| c.strip_suffix(b")")).unwrap_or(cell);
    let inner = inner.strip_prefix(b"[")?.strip_suffix(b"]")?;
    let between = |b: &u8| b.is_ascii_whitespace() || *b == b',';
    (!inner.contains(&b'[')).then(|| inner.split(between).filter(|item| !item.is_empty()))
}

/// Whether a cell holds nothing, or a word for a missing value.
pub(super) fn is_nothing(text: &str) -> bool {
    text.is_empty() || MISSING.contains(&text.to_ascii_lowercase().as_str()) || text.parse().is_ok_and(f64::is_nan)
}

/// Whether a cell is a number, with a dot or a comma.
pub(super) fn is_number(text: &str) -> bool {
    text.parse::<f64>().is_ok() || is_comma_number(text)
}

/// Whether a cell is a number with one comma: `0,5`, `1,503`.
pub(super) fn is_comma_number(text: &str) -> bool {
    !text.contains('.') && text.matches(',').count() == 1 && text.replacen(',', ".", 1).parse::<f64>().is_ok()
}

/// Whether the comma of such a number may separate thousands: `1,503`, not `0,503`.
pub(super) fn is_thousands(text: &str) -> bool {
    let digits = text.trim_start_matches(['+', '-']);
    digits.split_once(',').is_some_and(|(before, after)| {
        let all = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
        (1..=3).contains(&before.len()) && !before.starts_with('0') && after.len() == 3 && all(before) && all(after)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_numbers_missing_or_text() {
        use FaultKind::{Empty, Infinite, Nan, Text};
        let options = ReadOptions { missing: vec!["-9999".into(), "lost".into()], ..Default::default() };
        let (dots, commas) = (Cells::new(false, &options), Cells::new(true, &options));
        for (cell, expected) in [
            ("1.5", Ok(1.5)),
            ("+.5", Ok(0.5)),
            ("1e-3", Ok(1e-3)),
            ("", Err(Empty)),
            ("NaN", Err(Nan)),
            ("-nan", Err(Nan)),
            ("NA", Err(Nan)),
            ("N/A", Err(Nan)),
            ("#N/A", Err(Nan)),
            ("null", Err(Nan)),
            ("NULL", Err(Nan)),
            ("None", Err(Nan)),
            ("-", Err(Nan)),
            ("-nan(ind)", Err(Nan)),
            ("1.#QNAN", Err(Nan)),
            (".nan", Err(Nan)),
            ("-9999", Err(Nan)),
            ("-9999.0", Err(Nan)),
            ("lost", Err(Nan)),
            ("inf", Err(Infinite)),
            ("1.#INF", Err(Infinite)),
            ("1e999", Err(Infinite)),
            ("True", Err(Text)),
            ("0,5", Err(Text)),
            ("1,503.25", Err(Text)),
            ("\u{fffd}", Err(Text)),
            ("1 503", Err(Text)),
            ("0x10", Err(Text)),
        ] {
            assert_eq!(dots.number(cell.as_bytes()), expected.map_err(NoNumber::Fault), "{cell}");
        }
        assert_eq!(commas.number(b"-7,39E-30"), Ok(-7.39e-30));
        assert_eq!(commas.number(b"15"), Ok(15.0));
        assert_eq!(commas.number(b"1.503"), Err(NoNumber::Dot));
        assert_eq!(commas.number(b"1.503,25"), Err(NoNumber::Dot));
        assert_eq!(commas.number(b"1.#QNAN"), Err(NoNumber::Fault(Nan)));
        assert_eq!(commas.number(b"1,2,3"), Err(NoNumber::Fault(Text)));
        assert_eq!(dots.number(b"\xff"), Err(NoNumber::Fault(Text)));
    }

    #[test]
    fn short_numbers_are_those_of_the_standard_library() {
        let mut state = 1_u64;
        let mut next = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let mut read = 0;
        for _ in 0..200_000 {
            let mut text: String = (0..next(18)).map(|_| char::from(b'0' + next(10) as u8)).collect();
            let at = next(text.len() as u64 + 1) as usize;
            text.insert_str(at, ["", ".", ".", "-", "e"][next(5) as usize]);
            let text = ["", "-"][next(2) as usize].to_string() + &text;
            if let Some(value) = short(text.as_bytes()) {
                assert_eq!(text.parse::<f64>().unwrap().to_bits(), value.to_bits(), "{text}");
                read += 1;
            }
        }
        assert!(read > 50_000, "{read}");
        for text in ["", "-", ".", "-.", "+1", "1e5", "nan", "1234567890123456", "1.23456789012345678", "1..2", "--1"] {
            assert_eq!(short(text.as_bytes()), None, "{text}");
        }
        assert_eq!(short(b"123456789012345"), Some(123_456_789_012_345.0));
        assert_eq!(short(b"-0.5"), Some(-0.5));
        for n in (0..100_000_000).step_by(997) {
            assert_eq!(eight_digits(*format!("{n:08}").as_bytes().first_chunk().unwrap()), Some(n));
        }
        for i in 0..8 {
            for byte in (0..b'0').chain(b'9' + 1..=255) {
                let mut digits = *b"12345678";
                digits[i] = byte;
                assert_eq!(eight_digits(digits), None, "{digits:?}");
            }
        }
    }

    #[test]
    fn lists_and_thousands() {
        let items = |cell: &'static str| {
            list(cell.as_bytes())
                .map(|items| items.map(|i| String::from_utf8_lossy(i).into_owned()).collect::<Vec<_>>())
        };
        assert_eq!(items("[ 0.5  -1.\n 2e-3]").unwrap(), ["0.5", "-1.", "2e-3"]);
        assert_eq!(items("[0.5, -1]").unwrap(), ["0.5", "-1"]);
        assert_eq!(items("array([1, 2])").unwrap(), ["1", "2"]);
        assert!(items("[[1], [2]]").is_none() && items("[1, 2").is_none() && items("1").is_none());
        for (text, may) in [("1,503", true), ("12,000", true), ("0,503", false), ("1,5", false), ("1503,000", false)] {
            assert_eq!((is_comma_number(text), is_thousands(text)), (true, may), "{text}");
        }
    }
}
