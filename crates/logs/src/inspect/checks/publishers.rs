//! Two sources in one log.

use super::super::episode::Stretch;
use super::super::finding::{FindingKind, LogFinding, Severity};
use super::super::group::Group;
use super::super::text::count;
use crate::pace::median;
use crate::read::by_turns::by_turns;

/// How far, as a share, the steps of one source lie from its usual one.
const EVEN: f64 = 0.15;
/// How far the rows in between lie from the line between the others', in the others' steps: of one noisy source they
/// lie about one step from it.
const APART: f64 = 1.5;
/// Fewest rows in between, as a share of all.
const SHARE: f64 = 0.03;

/// Rows of a second source between those of a first.
pub(super) fn check(group: &Group<'_>) -> Vec<LogFinding> {
    let found: Vec<(&Stretch<'_>, Vec<usize>)> = group
        .stretches
        .iter()
        .filter_map(|s| between(group, s).or_else(|| alternate(s)).map(|rows| (s, rows)))
        .collect();
    let Some((first, rows)) = found.first() else { return Vec::new() };
    let number: usize = found.iter().map(|(_, rows)| rows.len()).sum();
    let place = first.place(rows[0]);
    let seen = format!(
        "{} of other values between those of a steady pace in {}, first at line {} of {}",
        count(number, "row"),
        count(found.len(), "episode"),
        place.line,
        place.episode
    );
    let places = found.iter().flat_map(|(s, rows)| rows.iter().map(|row| s.place(*row)));
    let finding = LogFinding::new(FindingKind::TwoPublishers, Severity::Warning, seen)
        .at(places)
        .counted(number)
        .advice("record one source, or take its rows alone (`on_repeat = drop`): two nodes publish under one name");
    vec![finding]
}

/// The rows that lie between those of an even pace, where their values lie apart from that motion.
fn between(group: &Group<'_>, stretch: &Stretch<'_>) -> Option<Vec<usize>> {
    let time = &stretch.table.time_secs;
    let rows = stretch.order.sections.iter().max_by_key(|rows| rows.len())?;
    let mut steps: Vec<f64> = rows.windows(2).map(|w| time[w[1]] - time[w[0]]).filter(|s| *s > 0.0).collect();
    let step = median(&mut steps)?;
    let start = rows.windows(2).position(|w| ((time[w[1]] - time[w[0]]) / step - 1.0).abs() < EVEN)?;
    let (mut own, mut others) = (vec![start], Vec::new());
    for i in (0..start).rev() {
        let first = own.last().map_or(0, |first| rows[*first]);
        let steps = (time[first] - time[rows[i]]) / step;
        if steps > 1.0 - EVEN { &mut own } else { &mut others }.push(i);
    }
    own.reverse();
    others.reverse();
    for i in start + 1..rows.len() {
        let last = own.last().map_or(0, |last| rows[*last]);
        match (time[rows[i]] - time[last]) / step {
            // A late row, or one after a gap, is of the first source as well.
            steps if steps > 1.0 - EVEN => own.push(i),
            _ => others.push(i),
        }
    }
    let even = own.windows(2).filter(|w| ((time[rows[w[1]]] - time[rows[w[0]]]) / step - 1.0).abs() < EVEN).count();
    if (others.len() as f64) < SHARE * rows.len() as f64 || (even as f64) < 0.9 * own.len() as f64 || own.len() < 10 {
        return None;
    }
    let apart = |c: usize| {
        let value = |i: usize| stretch.table.values[rows[i] * group.channels.len() + c];
        let mut sizes: Vec<f64> = own.windows(2).map(|w| (value(w[1]) - value(w[0])).abs()).collect();
        sizes.retain(|s| s.is_finite());
        let usual = median(&mut sizes).unwrap_or(0.0);
        let mut next = 0;
        let mut distances = Vec::new();
        for i in &others {
            while next < own.len() && own[next] < *i {
                next += 1;
            }
            let (Some(after), Some(before)) = (own.get(next), next.checked_sub(1)) else { continue };
            let at = |i: usize| time[rows[i]];
            let (a, b) = (value(own[before]), value(*after));
            let share = (at(*i) - at(own[before])) / (at(*after) - at(own[before]));
            distances.push((value(*i) - a - share * (b - a)).abs());
        }
        distances.retain(|d| d.is_finite());
        usual > 0.0 && median(&mut distances).is_some_and(|d| d > APART * usual)
    };
    (0..group.channels.len()).any(apart).then(|| others.iter().map(|i| rows[*i]).collect())
}

/// Every other row, where the rows by turns lie on two motions.
fn alternate(stretch: &Stretch<'_>) -> Option<Vec<usize>> {
    // Reading is surer before it refuses.
    const TIMES: f64 = 2.0;
    let rows = stretch.order.sections.iter().max_by_key(|rows| rows.len())?;
    let time: Vec<f64> = rows.iter().map(|row| stretch.table.time_secs[*row]).collect();
    by_turns(stretch.table, rows, &time, TIMES, 1).then(|| rows.iter().skip(1).step_by(2).copied().collect())
}
