//! The verdict: sentences computed from the numbers.

use super::format::{interval, number, with_interval};
use super::{Report, SUBJECT};
use crate::eval::metric::{self, MetricSpec};
use crate::eval::paired::{Paired, Verdict};

/// A paragraph, or a heading's list of sentences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Passage {
    /// A paragraph.
    Text(String),
    /// A list.
    List(Vec<String>),
}

/// Who wins what, where [`SUBJECT`] loses and by how much, and what the numbers do not say.
pub(crate) fn verdict(report: &Report) -> Vec<Passage> {
    let mut passages = vec![Passage::Text(format!(
        "Less is better in every column but the descriptions'. `{SUBJECT}` is called better or worse than another \
            where the 95 % interval of their difference, taken on the same resamples of the {}, excludes 0, and tied \
            with it elsewhere; percentages are of the other's figure, + where `{SUBJECT}` is better.",
        report.protocol.bootstrap.unit
    ))];
    passages.push(Passage::List(metric::judged().filter_map(|spec| winner(report, spec)).collect()));
    let against: Vec<String> = report.names().into_iter().filter_map(|name| subject_against(report, name)).collect();
    if !against.is_empty() {
        passages.push(Passage::Text(format!("`{SUBJECT}` against each of the others:")));
        passages.push(Passage::List(against));
    }
    passages.extend(positions_mislead(report).map(Passage::Text));
    passages.push(Passage::Text(
        "The distances stand beside their floor: what real motion scores, for most of them as many real windows of \
            training episodes against the real test windows (see the definitions). A figure near the floor cannot be \
            told from real motion by that distance; a figure below it is possible, because forecasts start from the \
            test windows' own contexts. The scores compare with the one future that really followed and have no floor: \
            real motion itself, not being the same motion, has no score."
            .into(),
    ));
    passages
}

/// "+3.1 % [1.2, 5.0]"
fn gain(pair: &Paired) -> String {
    let signed = |v: f64| if v < 0.0 { format!("-{}", number(-v)) } else { number(v) };
    let plus = if pair.gain_percent > 0.0 { "+" } else { "" };
    let [low, high] = pair.interval;
    format!("{plus}{} % [{}, {}]", signed(pair.gain_percent), signed(low), signed(high))
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Better => "better",
        Verdict::Tied => "tied",
        Verdict::Worse => "worse",
    }
}

/// The best of a metric, and what stands against it: [`SUBJECT`] where another is best, else the next.
fn winner(report: &Report, spec: &MetricSpec) -> Option<String> {
    let (best, _) = report.best(spec)?;
    let figure = |name: &str| report.forecasters.get(name)?.get(spec.name);
    let mut text = format!("{}: `{best}` is best with {}", spec.title, with_interval(figure(best)?));
    if let Some(floor) = report.floor.get(spec.name) {
        text += &format!(" (floor {})", with_interval(floor));
    }
    let others = report.names().into_iter().filter(|name| *name != best);
    let next = others.filter_map(|name| Some((name, figure(name)?))).min_by(|(_, a), (_, b)| {
        if spec.lower_is_better { a.mean.total_cmp(&b.mean) } else { b.mean.total_cmp(&a.mean) }
    });
    if let Some((name, result)) = next {
        text += &format!("; next `{name}` with {}", with_interval(result));
    }
    let rival = if best == SUBJECT { next.map(|(name, _)| name) } else { Some(best) };
    let pair = rival.and_then(|name| report.comparisons.get(name)?.get(spec.name).map(|pair| (name, pair)));
    if let Some((name, pair)) = pair {
        let relation = match pair.verdict {
            Verdict::Tied => format!("tied with `{name}`"),
            other => format!("{} than `{name}`", word(other)),
        };
        text += &format!("; `{SUBJECT}` {relation}: {}", gain(pair));
    }
    Some(text + ".")
}

/// Every metric in which [`SUBJECT`] is better than, tied with and worse than another, with the gains.
fn subject_against(report: &Report, name: &str) -> Option<String> {
    let pairs = report.comparisons.get(name)?;
    let parts = [Verdict::Better, Verdict::Tied, Verdict::Worse].map(|verdict| {
        let gains: Vec<String> = metric::judged()
            .filter_map(|spec| pairs.get(spec.name).filter(|p| p.verdict == verdict).map(|p| (spec, p)))
            .map(|(spec, pair)| format!("{} {}", lower_first(spec.title), gain(pair)))
            .collect();
        let on = if verdict == Verdict::Tied { "tied" } else { word(verdict) };
        match gains.len() {
            0 => format!("{on} on none"),
            n => format!("{on} on {n}: {}", gains.join(", ")),
        }
    });
    Some(format!("Against `{name}`, of {} metrics `{SUBJECT}` is {}.", pairs.len(), parts.join("; ")))
}

fn lower_first(title: &str) -> String {
    // "Fréchet" and abbreviations keep their capitals.
    let second = title.chars().nth(1).is_some_and(char::is_uppercase);
    if title.starts_with("Fr") || second { title.into() } else { title[..1].to_lowercase() + &title[1..] }
}

/// Why positions and velocities stand together, with the numbers of `hold` where the report has it.
fn positions_mislead(report: &Report) -> Option<String> {
    let hold = report.forecasters.get("hold")?;
    let part = |metric: &str| {
        let (own, floor) = (hold.get(metric)?, report.floor.get(metric)?);
        Some((own, own.mean / floor.mean))
    };
    let ((position, near), (velocity, far)) = (part("frechet_position")?, part("frechet_velocity")?);
    let figures = format!(
        "`hold`, which repeats the last frame and never moves, has a position Fréchet distance of {} {} ({} times the \
         floor) and a velocity Fréchet distance of {} {} ({} times the floor).",
        number(position.mean),
        interval(position),
        number(near),
        number(velocity.mean),
        interval(velocity),
        number(far),
    );
    let reading = if far > 3.0 * near {
        "Its positions alone would mislead: on stationary motion a frozen frame has the right distribution of places \
         and none of the motion. Read the two columns together."
    } else {
        "On these data holding still is not flattered by its positions; the two columns still belong together."
    };
    Some(format!("{figures} {reading}"))
}
