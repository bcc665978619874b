//! Rows in the wrong order, twice, at another's time, or missing; clocks that were set.

use super::super::episode::Stretch;
use super::super::finding::{FindingKind, FindingPlace, LogFinding, Severity};
use super::super::group::Group;
use super::super::text::{count, lines, short};

/// Missing rows beyond which it is a gap and no dropped row.
const FEW: usize = 2;
/// Resolution of stamps, as a share of the step, from which on it is told.
const ROUNDED: f64 = 0.2;

/// One finding for all rows that `pick` gives of each episode.
fn rows_of(
    group: &Group<'_>,
    kind: FindingKind,
    pick: impl Fn(&Stretch<'_>) -> Vec<usize>,
    seen: impl Fn(usize, &[FindingPlace]) -> String,
) -> Option<LogFinding> {
    let of = |stretch: &Stretch<'_>| pick(stretch).into_iter().map(|row| stretch.place(row)).collect::<Vec<_>>();
    let places: Vec<FindingPlace> = group.stretches.iter().flat_map(of).collect();
    let seen = seen(places.len(), places.first().map(|_| places.as_slice())?);
    Some(LogFinding::new(kind, Severity::Warning, seen).at(places))
}

/// Clocks that were set while the log was written.
pub(super) fn clock(group: &Group<'_>) -> Vec<LogFinding> {
    let row = |s: &Stretch<'_>| {
        let mut rows = s.order.set_back.clone();
        rows.extend(s.set_forward.iter().map(|h| h.after));
        rows.sort_unstable();
        rows
    };
    let largest = group
        .stretches
        .iter()
        .flat_map(|s| {
            let time = &s.table.time_secs;
            let back = s.order.set_back.iter().filter(|r| **r > 0).map(|r| time[*r] - time[r - 1]);
            back.chain(s.set_forward.iter().map(|h| h.secs)).collect::<Vec<_>>()
        })
        .max_by(|a, b| a.abs().total_cmp(&b.abs()));
    let seen = |n: usize, places: &[FindingPlace]| {
        format!(
            "time jumps {} while the motion goes on, by up to {} s, {}",
            count(n, "time"),
            short(largest),
            lines(places)
        )
    };
    let found = rows_of(group, FindingKind::ClockJump, row, seen);
    let told = |f: LogFinding| {
        f.figure("largest_secs", largest.unwrap_or(f64::NAN))
            .advice("give the stamps of a clock that is not set (a steady one), or cut the log there")
    };
    found.map(told).into_iter().collect()
}

/// Rows that stand twice or in the wrong order, or have no time.
pub(super) fn rows(group: &Group<'_>) -> Vec<LogFinding> {
    let bad = rows_of(
        group,
        FindingKind::BadTime,
        |s| s.order.bad_times.clone(),
        |n, places| format!("{} without a finite time, {}", count(n, "row"), lines(places)),
    );
    let bad =
        bad.map(|f| LogFinding { severity: Severity::Error, ..f }.advice("mend the stamps, or leave these rows out"));
    let duplicated = rows_of(
        group,
        FindingKind::DuplicatedRow,
        |s| s.order.duplicated.clone(),
        |n, places| format!("{} that an earlier one is already, time and values, {}", count(n, "row"), lines(places)),
    );
    let duplicated = duplicated.map(|f| f.advice("leave out what stands twice: nothing is lost"));
    // Both rows of an exchange, the one that comes first in the file first.
    let both = |s: &Stretch<'_>| s.order.swapped.iter().flat_map(|row| [row.saturating_sub(1), *row]).collect();
    let swapped = rows_of(group, FindingKind::SwappedRows, both, |n, places| {
        format!("{} of neighbouring rows exchanged, {}", count(n.div_ceil(2), "pair"), lines(places))
    });
    let swapped = swapped.map(|f| {
        let pairs = f.count.div_ceil(2);
        f.counted(pairs).advice("sort the rows by time")
    });
    let late = rows_of(
        group,
        FindingKind::BackwardRows,
        |s| s.order.late.clone(),
        |n, places| format!("{} after later ones, {}", count(n, "row"), lines(places)),
    );
    let late = late.map(|f| f.advice("sort the rows by time"));
    [bad, duplicated, swapped, late].into_iter().flatten().collect()
}

/// Stamps that rows share.
pub(super) fn stamps(group: &Group<'_>) -> Vec<LogFinding> {
    let mut findings = Vec::new();
    let (mut shared, mut rounded) = (Vec::new(), None);
    for stretch in &group.stretches {
        let repeated = stretch.repeated();
        let rows: usize = stretch.order.sections.iter().map(Vec::len).sum();
        let times = || stretch.order.sections.iter().flatten().map(|row| stretch.table.time_secs[*row]);
        let coarse = stretch.coarse;
        let unit = super::super::timing::resolution(times());
        let share = unit.zip(stretch.step).map(|(unit, step)| unit / step);
        let fine = share.zip(stretch.jitter).is_some_and(|(s, jitter)| s >= ROUNDED && by_rounding(jitter, s));
        if rounded.is_none() && rows > 2 && (coarse || fine) {
            let first = repeated.first().or(stretch.order.sections.iter().flatten().next());
            rounded = first.map(|row| (stretch.place(*row), coarse, unit, repeated.len(), rows));
        }
        if !coarse {
            shared.extend(repeated.into_iter().map(|row| stretch.place(row)));
        }
    }
    if let Some((place, coarse, unit, repeated, rows)) = rounded {
        let unit_text = unit.map_or_else(|| "coarse steps".into(), |u| format!("{} s", short(Some(u))));
        let severity = if coarse { Severity::Warning } else { Severity::Note };
        let seen = format!("stamps in steps of {unit_text}: {repeated} of {rows} rows of {} share one", place.episode);
        findings.push(
            LogFinding::new(FindingKind::RoundedStamps, severity, seen)
                .at([place])
                .figure("resolution_secs", unit.unwrap_or(f64::NAN))
                .figure("shared", repeated as f64)
                .advice("write stamps with more digits; the rate is told by count over duration"),
        );
    }
    if !shared.is_empty() {
        let seen =
            format!("{} at the time of another one with other values, {}", count(shared.len(), "row"), lines(&shared));
        findings.push(
            LogFinding::new(FindingKind::RepeatedStamp, Severity::Warning, seen)
                .at(shared)
                .advice("a stamp was written twice, or two sources write one log: mend the stamps or leave rows out"),
        );
    }
    findings
}

/// Whether steps scatter as rounding to `share` of a step makes them: by at most 1.3 times the standard deviation of
/// the difference of two stamps, each off by up to half of it.
pub(super) fn by_rounding(jitter: f64, share: f64) -> bool {
    jitter > 1e-3 && jitter <= 1.3 * share / 6f64.sqrt()
}

/// Missing rows.
pub(super) fn holes(group: &Group<'_>) -> Vec<LogFinding> {
    let of = |kind: FindingKind, few: bool| {
        let pick = |s: &Stretch<'_>| {
            let own = s.holes.iter().filter(|h| (h.missing <= FEW) == few);
            own.map(|h| h.after).collect()
        };
        let all = || group.stretches.iter().flat_map(|s| s.holes.iter().map(move |h| (s, h)));
        let own = || all().filter(|(_, h)| (h.missing <= FEW) == few);
        let missing: usize = own().map(|(_, h)| h.missing).sum();
        let longest = own().max_by(|a, b| a.1.secs.total_cmp(&b.1.secs));
        let (secs, steps) = longest.map_or((0.0, 0.0), |(s, h)| (h.secs, h.secs / s.step.unwrap_or(f64::INFINITY)));
        let seen = |n: usize, places: &[FindingPlace]| {
            let place = longest.filter(|_| !few).map(|(s, h)| s.place(h.before));
            let longest = place.map_or_else(String::new, |place| {
                format!(", the longest {} s after {} s of {}", short(Some(secs)), short(place.secs), place.episode)
            });
            let holes = if few { count(n, "time") } else { count(n, "gap") };
            let rows = count(missing, "row");
            let head = if few { format!("{rows} missing, {holes}") } else { format!("{holes}, {rows} missing") };
            format!("{head}{longest}, before {}", lines(places))
        };
        let bridged = (10.0 * (steps + 0.1)).ceil() / 10.0;
        let advice = match few {
            true => format!(
                "`max_gap = {bridged}` interpolates over them, `on_gap = split` begins a new episode after each"
            ),
            false => "`on_gap = split` begins a new episode after each".to_string(),
        };
        let allowed = steps <= group.options.max_gap;
        rows_of(group, kind, pick, seen).map(|f| {
            let severity = if allowed { Severity::Note } else { Severity::Warning };
            LogFinding { severity, ..f }
                .figure("missing_rows", missing as f64)
                .figure("longest_secs", secs)
                .advice(advice)
        })
    };
    [of(FindingKind::Gap, false), of(FindingKind::DroppedRows, true)].into_iter().flatten().collect()
}
