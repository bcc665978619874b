//! The report for people: tables of at most 100 columns, then what was found in words.

use super::{BeyondLimits, ChannelReport, EpisodeReport, Inspection, LogGroup, Stuck};
use std::fmt::{Display, Formatter, Result};
use std::path::Path;

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
        if self.groups.len() > 1 {
            let text = format!(
                "The files hold {} different sets of channels: they cannot be read as one recording.",
                self.groups.len()
            );
            writeln!(f, "\n{text}")?;
        }
        Ok(())
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
        let rates = || self.episodes.iter().filter_map(|e| e.rate_hz);
        let (slowest, fastest) = rates().fold((f64::INFINITY, 0.0_f64), |(lo, hi), r| (lo.min(r), hi.max(r)));
        let rate = match fastest - slowest {
            spread if spread < 0.005 * fastest => format!("{} Hz", short(Some(fastest))),
            _ if fastest > 0.0 => format!("{} to {} Hz", short(Some(slowest)), short(Some(fastest))),
            _ => "no rate".to_string(),
        };
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
            true => self.episodes.iter().filter(|e| !e.findings().is_empty()).take(EPISODES).collect(),
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

        let findings = self.findings();
        writeln!(f, "\n{}", if findings.is_empty() { "Nothing suspicious." } else { "Found:" })?;
        for finding in &findings {
            bullet(f, finding)?;
        }
        Ok(())
    }
}

impl LogGroup {
    /// What is suspicious, each in a sentence with its place.
    pub fn findings(&self) -> Vec<String> {
        let episodes = self.episodes.iter().flat_map(EpisodeReport::findings);
        let channels = self.channels.iter().flat_map(ChannelReport::findings);
        episodes.chain(channels).chain(self.beyond_limits.iter().flat_map(BeyondLimits::findings)).collect()
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

    fn findings(&self) -> Vec<String> {
        let mut found = Vec::new();
        let id = &self.id;
        if let Some(g) = &self.gaps {
            found.push(format!(
                "{id}: {} with {} missing; the longest is {} s at {} s (line {}); `on_gap = split` splits there",
                count(g.count, "gap"),
                count(g.missing_frames, "frame"),
                short(Some(g.longest_secs)),
                short(Some(g.longest_from_secs)),
                g.longest_line
            ));
        }
        if let Some(line) = self.backwards_line {
            found.push(format!("{id}: time runs backwards at {}, first at line {line}", count(self.backwards, "row")));
        }
        if let Some(line) = self.repeated_line {
            found.push(format!(
                "{id}: {} at the time of another row, first at line {line}",
                count(self.repeated, "row")
            ));
        }
        if self.bad_times > 0 {
            found.push(format!("{id}: {} without a finite time", count(self.bad_times, "row")));
        }
        found
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

    fn findings(&self) -> Vec<String> {
        let mut found = Vec::new();
        let name = &self.channel.name;
        let faults = &self.faults;
        if let (Some(line), Some(path)) = (faults.first_line, &faults.first_path) {
            let kinds =
                [("empty", faults.empty), ("NaN", faults.nan), ("infinite", faults.infinite), ("text", faults.text)];
            let kinds: Vec<String> =
                kinds.iter().filter(|(_, n)| *n > 0).map(|(kind, n)| format!("{n} {kind}")).collect();
            let file = Path::new(path).file_name().unwrap_or_default().display();
            found.push(format!("{name}: cells without a number: {}, first at line {line} of {file}", kinds.join(", ")));
        }
        match (self.stuck, &self.longest_hold) {
            (Some(Stuck::Constant), _) => found.push(format!("{name}: never changes, always {}", short(self.min))),
            (Some(Stuck::Run), Some(run)) => found.push(format!(
                "{name}: stands still for more than 1 s while others move ({}); the longest is {} frames ({} s) \
                 at {} from line {} of {}",
                count(self.stuck_holds, "time"),
                run.frames,
                short(Some(run.secs)),
                short(Some(run.value)),
                run.line,
                run.episode
            )),
            _ => {}
        }
        if let Some(period) = self.suspected_period {
            found.push(format!(
                "{name}: jumps by nearly {} ({}): an angle that wraps? `wrap = {name}` declares it",
                short(Some(period)),
                count(self.wrap_jumps, "time")
            ));
        }
        found
    }
}

impl BeyondLimits {
    fn findings(&self) -> Vec<String> {
        let (mut found, name) = (Vec::new(), &self.limits.name);
        let file = |path: &str| Path::new(path).file_name().unwrap_or_default().display().to_string();
        if let Some(values) = &self.values {
            found.push(format!(
                "{name}: {} outside its limits {} to {}, first at line {} of {}; the farthest is {}",
                count(values.count, "value"),
                short(self.limits.lower),
                short(self.limits.upper),
                values.first_line,
                file(&values.first_path),
                short(Some(values.worst))
            ));
        }
        if let Some(steps) = &self.steps {
            found.push(format!(
                "{name}: {} faster than its limit {} a second, first at line {} of {}; the fastest is {} a second",
                count(steps.count, "step"),
                short(self.limits.velocity),
                steps.first_line,
                file(&steps.first_path),
                short(Some(steps.worst))
            ));
        }
        found
    }
}

/// A number in at most nine characters.
fn short(value: Option<f64>) -> String {
    let Some(v) = value else { return "-".into() };
    let size = v.abs();
    if size < f64::MIN_POSITIVE {
        return "0".into();
    }
    if !(1e-3..1e6).contains(&size) {
        return format!("{v:.2e}");
    }
    let decimals = (4.0 - size.log10().floor()).clamp(0.0, 7.0) as usize;
    let text = format!("{v:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_string() } else { text }
}

fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
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

/// A list item, broken between words at the width.
fn bullet(f: &mut Formatter, text: &str) -> Result {
    let mut line = String::from("-");
    for word in text.split(' ') {
        if line.chars().count() + 1 + word.chars().count() > WIDTH && line.trim().len() > 1 {
            writeln!(f, "{line}")?;
            line = String::from(" ");
        }
        line.push(' ');
        line.push_str(word);
    }
    writeln!(f, "{line}")
}
