//! The text of a log as UTF-8, whatever its first bytes say it is written in.

use std::io::{Chain, Cursor, Read, Result};

const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";

/// What the first bytes of a text log say of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// UTF-8, also where nothing says so.
    Utf8,
    /// UTF-16, low byte first: what PowerShell writes.
    Utf16Le,
    /// UTF-16, high byte first.
    Utf16Be,
}

impl Encoding {
    pub fn of(head: &[u8]) -> Self {
        match head {
            [0xff, 0xfe, ..] => Self::Utf16Le,
            [0xfe, 0xff, ..] => Self::Utf16Be,
            _ => Self::Utf8,
        }
    }
}

/// The text of `stream` as UTF-8 without a byte order mark.
pub(super) fn decoded<'a>(mut stream: Box<dyn Read + Send + 'a>) -> Result<Box<dyn Read + Send + 'a>> {
    let mut head = Vec::new();
    stream.by_ref().take(UTF8_MARK.len() as u64).read_to_end(&mut head)?;
    let encoding = Encoding::of(&head);
    let mark = match encoding {
        Encoding::Utf8 if head == UTF8_MARK => UTF8_MARK.len(),
        Encoding::Utf8 => 0,
        Encoding::Utf16Le | Encoding::Utf16Be => 2,
    };
    head.drain(..mark);
    let whole = Cursor::new(head).chain(stream);
    Ok(match encoding {
        Encoding::Utf8 => Box::new(whole),
        _ => Box::new(Utf16 {
            from: whole,
            big: encoding == Encoding::Utf16Be,
            bytes: Vec::new(),
            text: Vec::new(),
            at: 0,
        }),
    })
}

/// UTF-16 read as UTF-8. What is no letter becomes U+FFFD, which no number holds; half a unit at the end is left out.
struct Utf16<'a> {
    from: Chain<Cursor<Vec<u8>>, Box<dyn Read + Send + 'a>>,
    big: bool,
    /// Read and not yet decoded.
    bytes: Vec<u8>,
    /// Decoded and not yet handed on, from `at`.
    text: Vec<u8>,
    at: usize,
}

impl Utf16<'_> {
    /// Decodes the next piece; nothing at the end.
    fn decode(&mut self) -> Result<()> {
        const PIECE: u64 = 64 * 1024;
        let read = self.from.by_ref().take(PIECE).read_to_end(&mut self.bytes)?;
        let unit = |pair: &[u8]| match self.big {
            true => u16::from(pair[0]) << 8 | u16::from(pair[1]),
            false => u16::from(pair[1]) << 8 | u16::from(pair[0]),
        };
        let mut units: Vec<u16> = self.bytes.chunks_exact(2).map(unit).collect();
        let mut used = 2 * units.len();
        // The second half of a letter may be in the next piece.
        if read > 0 && units.last().is_some_and(|unit| (0xd800..0xdc00).contains(unit)) {
            units.pop();
            used -= 2;
        }
        self.bytes.drain(..used);
        (self.at, self.text) = (0, String::from_utf16_lossy(&units).into_bytes());
        if read > 0 && self.text.is_empty() { self.decode() } else { Ok(()) }
    }
}

impl Read for Utf16<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if self.at == self.text.len() {
            self.decode()?;
        }
        let rest = &self.text[self.at..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> String {
        std::io::read_to_string(decoded(Box::new(bytes)).unwrap()).unwrap()
    }

    #[test]
    fn marks_are_taken_away_and_utf_16_is_decoded() {
        let text = "θ,°,\u{1f916}\n".repeat(20_000);
        assert_eq!(read(text.as_bytes()), text);
        assert_eq!(read(&[UTF8_MARK, text.as_bytes()].concat()), text);
        let little: Vec<u8> = [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_be_bytes).collect();
        assert_eq!(read(&little), text);
        assert_eq!(read(&big), text);
        assert_eq!(read(&little[..little.len() - 1]), text[..text.len() - 1]);
        assert_eq!(read(b""), "");
        assert_eq!(read(b"\xff\xfe"), "");
    }
}
