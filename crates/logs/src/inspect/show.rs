//! The report for people: tables of at most 100 columns, then what was found in words.

use super::text::{count, short};
use super::{ChannelReport, EpisodeReport, Inspection, LogFinding, LogGroup, Severity};
use std::fmt::{Display, Formatter, Result};

const WIDTH: usize = 100;
/// Of more episodes than this only those with findings are listed.
const EPISODES: usize = 30;

impl Display for Inspection {
    fn fmt(&self, f: &mut Formatter) -> Result {
        for (i, group) in self.groups.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            write!(f, "{group}")?;
        }
        if self.findings.is_empty() {
            return writeln!(f, "\nNothing suspicious.");
        }
        let number = |severity: Severity| self.findings.iter().filter(|f| f.severity == severity).count();
        let counts: Vec<String> = [Severity::Error, Severity::Warning, Severity::Note]
            .into_iter()
            .filter(|severity| number(*severity) > 0)
            .map(|severity| count(number(severity), severity.name()))
            .collect();
        writeln!(f, "\nFound: {}", counts.join(", "))?;
        for finding in &self.findings {
            bullet(f, &finding.to_string())?;
        }
        Ok(())
    }
}

impl Display for LogFinding {
    fn fmt(&self, f: &mut Formatter) -> Result {
        write!(f, "{} {}", self.severity.name(), self.kind.name())?;
        if let Some(channel) = &self.channel {
            write!(f, ", {channel}")?;
        }
        write!(f, ": {}", self.seen)?;
        if self.advice.is_empty() { Ok(()) } else { write!(f, "; {}", self.advice) }
    }
}

impl Display for LogGroup {
    fn fmt(&self, f: &mut Formatter) -> Result {
        let title = match self.sources.as_slice() {
            [one] => one.path.clone(),
            [first, ..] => format!("{} and {} more", first.path, self.sources.len() - 1),
            [] => String::new(),
        };
        let secs: f64 = self.episodes.iter().map(|e| e.duration_secs).sum();
        let rate = self.rate_hz.map_or_else(|| "no rate".to_string(), |rate| format!("{} Hz", short(Some(rate))));
        let sizes = [
            count(self.sources.len(), "file"),
            count(self.episodes.len(), "episode"),
            count(self.rows, "row"),
            count(self.channels.len(), "channel"),
            format!("{} s", short(Some(secs))),
            rate,
        ];
        writeln!(f, "{}", cut(&title, WIDTH))?;
        writeln!(f, "{}\n", sizes.join(", "))?;

        let listed: Vec<&EpisodeReport> = match self.episodes.len() > EPISODES {
            true => self.episodes.iter().filter(|e| !e.is_in_order()).take(EPISODES).collect(),
            false => self.episodes.iter().collect(),
        };
        let rows = listed.iter().map(|e| e.row()).collect();
        table(
            f,
            &["episode", "rows", "secs", "Hz", "jitter %", "gaps", "missing", "longest s", "back", "repeated"],
            rows,
        )?;
        if listed.len() < self.episodes.len() {
            let rest = self.episodes.len() - listed.len();
            writeln!(f, "({rest} more episodes, in order, are not listed)")?;
        }
        writeln!(f)?;
        let rows = self.channels.iter().map(ChannelReport::row).collect();
        table(f, &["channel", "unit", "min", "max", "mean", "std", "changes %", "held s", "bad"], rows)?;
        for note in &self.notes {
            writeln!(f)?;
            bullet(f, note)?;
        }
        Ok(())
    }
}

impl EpisodeReport {
    fn row(&self) -> Vec<String> {
        let gaps = self.gaps.as_ref();
        vec![
            self.id.clone(),
            self.rows.to_string(),
            short(Some(self.duration_secs)),
            short(self.rate_hz),
            short(self.jitter.map(|j| 100.0 * j)),
            gaps.map_or(0, |g| g.count).to_string(),
            gaps.map_or(0, |g| g.missing_frames).to_string(),
            gaps.map_or("-".into(), |g| short(Some(g.longest_secs))),
            self.backwards.to_string(),
            self.repeated.to_string(),
        ]
    }

    /// Whether no row is missing, stands twice or in the wrong place.
    fn is_in_order(&self) -> bool {
        self.gaps.is_none() && self.backwards + self.repeated + self.bad_times == 0
    }
}

impl ChannelReport {
    fn row(&self) -> Vec<String> {
        vec![
            self.channel.name.clone(),
            self.channel.unit.clone().unwrap_or_else(|| "-".into()),
            short(self.min),
            short(self.max),
            short(self.mean),
            short(self.std),
            short(self.changes.map(|c| 100.0 * c)),
            short(self.longest_hold.as_ref().map(|r| r.secs)),
            self.faults.total().to_string(),
        ]
    }
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_string();
    }
    // The end tells two long names apart more often than the beginning.
    let kept: Vec<char> = text.chars().rev().take(width.saturating_sub(1)).collect();
    std::iter::once('…').chain(kept.into_iter().rev()).collect()
}

/// An aligned table: the first column to the left, the others to the right.
fn table(f: &mut Formatter, head: &[&str], mut rows: Vec<Vec<String>>) -> Result {
    rows.insert(0, head.iter().map(|h| h.to_string()).collect());
    for cell in rows.iter_mut().flat_map(|row| row.iter_mut().skip(1)) {
        *cell = cut(cell, 10);
    }
    let length = |text: &String| text.chars().count();
    let mut widths: Vec<usize> =
        (0..head.len()).map(|i| rows.iter().map(|r| length(&r[i])).max().unwrap_or(0)).collect();
    let others: usize = widths[1..].iter().map(|w| w + 2).sum();
    widths[0] = widths[0].min(WIDTH.saturating_sub(others));
    for row in &rows {
        let mut line = format!("{:<width$}", cut(&row[0], widths[0]), width = widths[0]);
        for (cell, width) in row.iter().zip(&widths).skip(1) {
            line += &format!("  {cell:>width$}");
        }
        writeln!(f, "{}", line.trim_end())?;
    }
    Ok(())
}

/// The words of a text; what stands in backquotes is one where it is short, so that a setting can be copied.
fn words(text: &str) -> Vec<String> {
    const TOGETHER: usize = 50;
    let mut words: Vec<String> = Vec::new();
    let mut quoted = false;
    for word in text.split(' ') {
        match words.last_mut() {
            Some(last) if quoted && last.len() + word.len() < TOGETHER => *last += &format!(" {word}"),
            _ => words.push(word.into()),
        }
        quoted ^= word.matches('`').count() % 2 == 1;
    }
    words
}

/// A list item, broken between words at the width.
fn bullet(f: &mut Formatter, text: &str) -> Result {
    let mut line = String::from("-");
    for word in words(text) {
        if line.chars().count() + 1 + word.chars().count() > WIDTH && line.trim().len() > 1 {
            writeln!(f, "{line}")?;
            line = String::from(" ");
        }
        line.push(' ');
        line.push_str(&word);
    }
    writeln!(f, "{line}")
}
