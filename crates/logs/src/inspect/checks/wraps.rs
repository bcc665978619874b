//! Angles that jump by a whole period.

use super::super::finding::{FindingKind, FindingPlace, LogFinding, Severity};
use super::super::group::Group;
use super::super::text::{count, lines, short};
use crate::read::header::period;
use std::f64::consts::TAU;

/// Periods of angles and of encoders in their ticks, for a channel whose unit says none.
const PERIODS: [f64; 15] = [
    TAU,
    360.0,
    256.0,
    400.0,
    512.0,
    1024.0,
    2048.0,
    3600.0,
    4096.0,
    8192.0,
    16384.0,
    32768.0,
    36000.0,
    65536.0,
    1_048_576.0,
];
/// A jump of at least this share of a period may be a wrap: what is missing is motion.
const NEARLY: f64 = 0.6;
/// How far the motion over a wrap may lie from that before and after, as a share of the period and of that motion.
const SMOOTH: (f64, f64) = (0.02, 0.5);
/// Share of the period that nearly all values span: a few wild readings are no angle.
const SPANNED: f64 = 0.25;

/// The wraps of a channel.
#[derive(Debug, Clone)]
pub(in super::super) struct Jumps {
    pub period: f64,
    pub places: Vec<FindingPlace>,
    /// How far the motion over them lies from that before and after, all together.
    off: f64,
}

/// The wraps of a channel, of the period of which there are most.
pub(in super::super) fn jumps(group: &Group<'_>, c: usize) -> Option<Jumps> {
    let (channel, facts) = (&group.channels[c], &group.facts[c]);
    let span = facts.max - facts.min;
    let own = channel.unit.as_deref().and_then(|unit| period(Some(unit)));
    let candidates: Vec<f64> = match (own, channel.unit.is_some()) {
        (Some(period), _) => vec![period],
        (None, true) => Vec::new(),
        (None, false) => PERIODS.to_vec(),
    };
    // An angle that wraps comes near both ends of its period, and stays between them.
    let most = facts.range.1 - facts.range.0;
    let fits = |p: &f64| span <= 1.02 * p && span >= NEARLY * p && most >= SPANNED * p;
    let candidates: Vec<f64> = candidates.into_iter().filter(fits).collect();
    if candidates.is_empty() || facts.is_state() || group.counts[c].is_some() {
        return None;
    }
    let pieces = group.pieces(c);
    let of = |period: f64| {
        let mut found = Jumps { period, places: Vec::new(), off: 0.0 };
        for piece in &pieces {
            for i in 1..piece.values.len() {
                if let Some(off) = wrap(&piece.values, i, period) {
                    found.places.push(piece.stretch.place(piece.rows[i]));
                    found.off += off;
                }
            }
        }
        found
    };
    // At high speed more than one period may do: the motion over a wrap is smoothest by the right one.
    let all: Vec<Jumps> = candidates.into_iter().map(of).filter(|jumps| !jumps.places.is_empty()).collect();
    let most = all.iter().map(|jumps| jumps.places.len()).max()?;
    let often = all.into_iter().filter(|jumps| 10 * jumps.places.len() >= 9 * most);
    often.min_by(|a, b| (a.off / a.places.len() as f64).total_cmp(&(b.off / b.places.len() as f64)))
}

/// Where the step to reading `i` is a period beside the motion before and after it: how far from that motion.
fn wrap(v: &[f64], i: usize, period: f64) -> Option<f64> {
    let step = v[i] - v[i - 1];
    if step.abs() < NEARLY * period {
        return None;
    }
    let over = step - period * step.signum();
    let step_at = |j: usize| Some(v.get(j)? - v.get(j.checked_sub(1)?)?);
    // A neighbour that is a jump itself says nothing.
    let own = |s: &f64| s.abs() < (1.0 - NEARLY) * period;
    let around: Vec<f64> = [step_at(i - 1), step_at(i + 1)].into_iter().flatten().filter(own).collect();
    let smooth = around.iter().all(|s| (s - over).abs() < SMOOTH.0 * period + SMOOTH.1 * s.abs());
    let off = around.iter().map(|s| (s - over).abs()).fold(f64::INFINITY, f64::min);
    (!around.is_empty() && smooth).then_some(off)
}

pub(super) fn check(group: &Group<'_>) -> Vec<LogFinding> {
    let of = |c: usize| {
        let channel = &group.channels[c];
        let Jumps { period: found, places, .. } = jumps(group, c)?;
        let declared = channel.period;
        if declared.is_some_and(|p| (p / found - 1.0).abs() < 1e-6) {
            return None;
        }
        let name = &channel.name;
        let by_unit = period(channel.unit.as_deref()).is_some_and(|p| (p / found - 1.0).abs() < 1e-6);
        let setting = if by_unit { format!("`wrap = {name}`") } else { format!("`wrap = {name}={}`", plain(found)) };
        let other = declared.map_or_else(String::new, |p| format!("; the period declared is {}", short(Some(p))));
        let seen =
            format!("jumps by nearly {} {}, {}{other}", plain(found), count(places.len(), "time"), lines(&places));
        let finding = LogFinding::new(FindingKind::Wrap, Severity::Warning, seen)
            .channel(name)
            .at(places)
            .figure("period", found)
            .advice(format!("an angle that wraps? {setting} declares it"));
        Some(finding)
    };
    (0..group.channels.len()).filter_map(of).collect()
}

/// A period as one writes it.
fn plain(period: f64) -> String {
    if period.fract().abs() > 0.0 { short(Some(period)) } else { format!("{period:.0}") }
}
