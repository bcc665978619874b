//! CSV, plain or packed: `episode` where there are several, `time [s]`, the channels.

use super::names::{column_name, episode_names};
use super::writer::{WriteOptions, Writer};
use crate::Recording;
use crate::error::Result;
use crate::files::write_atomically;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;

/// Tables as text.
pub(super) const WRITER: Writer = Writer { name: "CSV", ending: ".csv", write };
/// Tables as packed text.
pub(super) const PACKED: Writer = Writer { name: "packed CSV", ending: ".csv.gz", write: write_packed };

fn write(recording: &Recording, path: &Path, _: &WriteOptions) -> Result<Vec<String>> {
    write_atomically(path, |out| rows(recording, out))?;
    Ok(Vec::new())
}

fn write_packed(recording: &Recording, path: &Path, _: &WriteOptions) -> Result<Vec<String>> {
    write_atomically(path, |out| {
        let mut out = GzEncoder::new(out, Compression::default());
        rows(recording, &mut out)?;
        out.finish().map(drop)
    })?;
    Ok(Vec::new())
}

fn rows(recording: &Recording, out: &mut dyn Write) -> std::io::Result<()> {
    let names = episode_names(recording);
    let mut csv = csv::Writer::from_writer(out);
    let leading = names.iter().map(|_| "episode".to_string()).chain(["time [s]".into()]);
    csv.write_record(leading.chain(recording.channels.iter().map(column_name)))?;
    let mut cell = String::new();
    for (e, episode) in recording.episodes.iter().enumerate() {
        let rows = episode.values.rows(recording.channels.len());
        for (time, values) in episode.time_secs.iter().zip(rows) {
            if let Some(names) = &names {
                csv.write_field(names[e])?;
            }
            for value in std::iter::once(time).chain(values) {
                cell.clear();
                number(*value, &mut cell);
                csv.write_field(&cell)?;
            }
            csv.write_record(None::<&[u8]>)?;
        }
    }
    csv.flush()
}

/// The shortest text from which the same number is read.
fn number(value: f64, text: &mut String) {
    let plain = value.abs() < 1e16 && (value.abs() >= 1e-5 || value.abs() < f64::MIN_POSITIVE && value.abs() <= 0.0);
    // Writing to a string cannot fail.
    let _ = if plain { write!(text, "{value}") } else { write!(text, "{value:e}") };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_were() {
        for value in [0.0, -0.0, 0.1, 1.0 / 3.0, 2.04, -1e-300, 5e-324, 1.5e300, f64::MAX, 1e15, 1e16, 1e-5, 9e-6] {
            let mut text = String::new();
            number(value, &mut text);
            assert_eq!(text.parse::<f64>().map(f64::to_bits), Ok(value.to_bits()), "{text}");
            assert!(text.len() < 26, "{text}");
        }
    }
}
