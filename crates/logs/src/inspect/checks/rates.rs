//! The rate: one for all, one that robots log at, and how even it is.

use super::super::episode::Stretch;
use super::super::finding::{FindingKind, LogFinding, Severity};
use super::super::group::Group;
use super::super::text::{count, short};
use crate::pace::median;

/// Steps in a row at another pace that are another rate.
const RUN: usize = 10;
/// A step this many times longer or shorter than usual is of another pace.
const OTHER: f64 = 1.5;
/// Rates, Hz, at which robots are logged.
const USUAL: std::ops::RangeInclusive<f64> = 0.1..=20_000.0;
/// Scatter of the steps, as a share of one: from the first on it is told, from the second on it is a warning.
const SCATTER: (f64, f64) = (0.005, 0.2);

/// Episodes at different rates, and parts of one.
pub(super) fn mixed(group: &Group<'_>) -> Vec<LogFinding> {
    let mut findings = Vec::new();
    let steps = |s: &Stretch<'_>| s.step.filter(|_| s.run.rows.len() > RUN);
    let first = group.stretches.iter().find_map(|s| steps(s).map(|step| (s, step)));
    let others: Vec<&Stretch<'_>> = group
        .stretches
        .iter()
        .filter(|s| steps(s).zip(first).is_some_and(|(step, (a, usual))| differs(step, usual, s, a)))
        .collect();
    if let (Some(other), Some((a, usual))) = (others.first(), first) {
        let (own, reference) = (1.0 / other.step.unwrap_or(f64::NAN), 1.0 / usual);
        let seen = format!(
            "{} at another rate than {} ({} Hz), first {} at {} Hz",
            count(others.len(), "episode"),
            a.id,
            short(Some(reference)),
            other.id,
            short(Some(own))
        );
        let places = others.iter().map(|s| s.place(s.run.rows.start));
        findings.push(
            LogFinding::new(FindingKind::MixedRates, Severity::Warning, seen)
                .at(places)
                .figure("first_hz", reference)
                .figure("other_hz", own)
                .advice("bring the logs to one rate first, or train on one of them at a time"),
        );
    }
    let changed = group.stretches.iter().find_map(|stretch| another_pace(stretch).map(|pace| (stretch, pace)));
    if let Some((stretch, pace)) = changed {
        let place = stretch.place(pace.row);
        let (own, others) = (1.0 / pace.secs, 1.0 / pace.others);
        let seen = format!(
            "from line {} of {} on, {} at {} Hz, others at {} Hz",
            place.line,
            place.episode,
            count(pace.steps, "step"),
            short(Some(own)),
            short(Some(others))
        );
        findings.push(
            LogFinding::new(FindingKind::MixedRates, Severity::Warning, seen)
                .at([place])
                .figure("first_hz", others)
                .figure("other_hz", own)
                .advice("cut the log where its rate changes"),
        );
    }
    findings
}

fn differs(step: f64, usual: f64, a: &Stretch<'_>, b: &Stretch<'_>) -> bool {
    let scatter = a.jitter.unwrap_or(0.0).max(b.jitter.unwrap_or(0.0));
    let rows = a.run.rows.len().min(b.run.rows.len()) as f64;
    (step / usual - 1.0).abs() > f64::max(0.01, 4.0 * scatter / rows.sqrt())
}

/// Many steps in a row that are all too long, or all too short.
struct Pace {
    /// The row at which they begin.
    row: usize,
    /// Their number, their mean, and the median of all others, seconds.
    steps: usize,
    secs: f64,
    others: f64,
}

/// The stretch of another pace, if there is one; of several one that does not begin the episode.
fn another_pace(stretch: &Stretch<'_>) -> Option<Pace> {
    let step = stretch.step?;
    let time = &stretch.table.time_secs;
    let mut found = None;
    for rows in &stretch.order.sections {
        let (mut side, mut begin) = (0, 0);
        for i in 1..=rows.len() {
            let own = rows.get(i).map_or(0, |row| {
                let own = time[*row] - time[rows[i - 1]];
                i32::from(own > OTHER * step) - i32::from(own * OTHER < step && own > 0.0)
            });
            if own != side {
                if side != 0 && i - begin >= RUN && (found.is_none() || begin > 1) {
                    found = Some((rows, begin, i));
                }
                (side, begin) = (own, i);
            }
        }
    }
    let (rows, begin, end) = found?;
    let secs = |range: std::ops::Range<usize>| range.map(|i| time[rows[i]] - time[rows[i - 1]]);
    let mut others: Vec<f64> = secs(1..begin.max(1)).chain(secs(end..rows.len())).collect();
    let steps = end - begin;
    let mean = (time[rows[end - 1]] - time[rows[begin - 1]]) / steps as f64;
    let others_secs = median(&mut others).unwrap_or(step);
    // Told from where the rate changes: not from the start.
    Some(match rows.get(end) {
        Some(row) if begin == 1 => Pace { row: *row, steps: rows.len() - end, secs: others_secs, others: mean },
        _ => Pace { row: rows[begin], steps, secs: mean, others: others_secs },
    })
}

/// A rate at which no robot is logged: the unit of time is another.
pub(super) fn unlikely(group: &Group<'_>) -> Vec<LogFinding> {
    let Some(rate) = group.rate_hz.filter(|rate| !USUAL.contains(rate)) else { return Vec::new() };
    let finding = LogFinding::new(FindingKind::UnlikelyRate, Severity::Warning, format!("{} Hz", short(Some(rate))))
        .figure("rate_hz", rate)
        .advice("is the unit of time another? The header can say it: `time [ms]`, `time [us]`, `time [ns]`");
    vec![finding]
}

/// Steps that scatter more than the rounding of the stamps explains.
pub(super) fn jitter(group: &Group<'_>) -> Vec<LogFinding> {
    let mut found: Vec<(&Stretch<'_>, f64)> = Vec::new();
    for stretch in group.stretches.iter().filter(|s| s.run.rows.len() > RUN && another_pace(s).is_none()) {
        let (Some(jitter), Some(step)) = (stretch.jitter, stretch.step) else { continue };
        let times = stretch.order.sections.iter().flatten().map(|row| stretch.table.time_secs[*row]);
        let unit = super::super::timing::resolution(times).unwrap_or(0.0);
        if jitter > SCATTER.0 && !super::order::by_rounding(jitter, unit / step) {
            found.push((stretch, jitter));
        }
    }
    let Some((worst, most)) = found.iter().max_by(|a, b| a.1.total_cmp(&b.1)).copied() else { return Vec::new() };
    let secs = most * worst.step.unwrap_or(f64::NAN);
    let seen = format!(
        "steps scatter by {} % ({} ms) in {}{}",
        short(Some(100.0 * most)),
        short(Some(1e3 * secs)),
        worst.id,
        if found.len() > 1 { format!(", less in {}", count(found.len() - 1, "other episode")) } else { String::new() }
    );
    let severity = if most >= SCATTER.1 { Severity::Warning } else { Severity::Note };
    let places = found.iter().map(|(s, _)| s.place(s.run.rows.start));
    let finding = LogFinding::new(FindingKind::Jitter, severity, seen)
        .at(places)
        .figure("share", most)
        .figure("secs", secs)
        .advice("frames are interpolated to even steps; stamps of the sensor are better than those of the receiver");
    vec![finding]
}
