//! The verdict: sentences computed from the numbers.

use super::format::{interval, number, with_interval};
use super::{Report, SUBJECT};
use crate::eval::MetricResult;
use crate::eval::metric::{self, MetricSpec};

/// A paragraph, or a heading's list of sentences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Passage {
    /// A paragraph.
    Text(String),
    /// A list.
    List(Vec<String>),
}

/// Who wins what, where [`SUBJECT`] loses and by how much, and what the numbers do not say.
pub fn verdict(report: &Report) -> Vec<Passage> {
    let mut passages = vec![Passage::Text(
        "Less is better in every column but the descriptions'. Two figures are called apart when their 95 % intervals do not overlap; \
         overlapping intervals leave the order open."
            .into(),
    )];
    passages.push(Passage::List(metric::judged().filter_map(|spec| winner(report, spec)).collect()));
    passages.extend(subject_against_baselines(report));
    passages.extend(positions_mislead(report).map(Passage::Text));
    passages.push(Passage::Text(
        "The distances stand beside their floor: what real motion scores, for most of them as many real windows of \
         training episodes against the real test windows (see the definitions). A figure near the floor cannot be told from real motion by that \
         distance; a figure below it is possible, because forecasts start from the test windows' own contexts. The \
         scores compare with the one future that really followed and have no floor: \
         real motion itself, not being the same motion, has no score."
            .into(),
    ));
    passages
}

fn overlap(a: &MetricResult, b: &MetricResult) -> bool {
    a.interval[0] <= b.interval[1] && b.interval[0] <= a.interval[1]
}

/// Which of two is better, `None` where they are the same number.
fn better(spec: &MetricSpec, a: f64, b: f64) -> Option<bool> {
    let less = a.partial_cmp(&b).filter(|o| o.is_ne())?.is_lt();
    Some(less == spec.lower_is_better)
}

fn winner(report: &Report, spec: &MetricSpec) -> Option<String> {
    let (best, _) = report.best(spec)?;
    let result = &report.forecasters[best][spec.name];
    let mut others: Vec<(&str, &MetricResult)> = report
        .names()
        .into_iter()
        .filter(|n| *n != best)
        .filter_map(|n| Some((n, report.forecasters[n].get(spec.name)?)))
        .collect();
    others.sort_by(
        |a, b| if spec.lower_is_better { a.1.mean.total_cmp(&b.1.mean) } else { b.1.mean.total_cmp(&a.1.mean) },
    );
    let mut text = format!("{}: `{best}` is best with {}", spec.title, with_interval(result));
    if let Some(floor) = report.floor.get(spec.name) {
        text += &format!(" (floor {})", with_interval(floor));
    }
    if let Some((next, other)) = others.first() {
        let apart = if overlap(result, other) { "the intervals overlap" } else { "the intervals do not overlap" };
        text += &format!("; next `{next}` with {}; {apart}", with_interval(other));
    }
    Some(text + ".")
}

/// "2.4 times" above a factor of 1.5, else "12 % more".
fn excess(larger: f64, smaller: f64) -> String {
    let ratio = larger / smaller;
    if !ratio.is_finite() {
        format!("{} against {}", number(larger), number(smaller))
    } else if ratio >= 1.5 {
        format!("{} times as much", number(ratio))
    } else {
        format!("{} % more", number((ratio - 1.0) * 100.0))
    }
}

fn subject_against_baselines(report: &Report) -> Vec<Passage> {
    let Some(subject) = report.forecasters.get(SUBJECT) else { return Vec::new() };
    let mut lines = Vec::new();
    for name in report.names().into_iter().filter(|n| *n != SUBJECT) {
        let (mut wins, mut sure, mut ties, mut losses) = (0, 0, 0, Vec::new());
        for spec in metric::judged() {
            let (Some(own), Some(other)) = (subject.get(spec.name), report.forecasters[name].get(spec.name)) else {
                continue;
            };
            match better(spec, own.mean, other.mean) {
                None => ties += 1,
                Some(true) => {
                    wins += 1;
                    sure += usize::from(!overlap(own, other));
                }
                Some(false) => {
                    let by = excess(own.mean.max(other.mean), own.mean.min(other.mean));
                    let open = if overlap(own, other) { ", intervals overlap" } else { "" };
                    losses.push(format!("{} ({by}{open})", lower_first(spec.title)));
                }
            }
        }
        let total = wins + ties + losses.len();
        let mut text = format!(
            "Against `{name}`, `{SUBJECT}` is better in {wins} of {total} metrics, in {sure} of them with intervals apart"
        );
        if ties > 0 {
            text += &format!(", equal in {ties}");
        }
        text += &match losses.is_empty() {
            true => "; it is worse in none.".to_string(),
            false => format!("; it is worse in: {}.", losses.join("; ")),
        };
        lines.push(text);
    }
    if lines.is_empty() {
        return Vec::new();
    }
    vec![Passage::Text(format!("`{SUBJECT}` against each of the others:")), Passage::List(lines)]
}

fn lower_first(title: &str) -> String {
    // "Fréchet" and "RMSE" keep their capitals.
    if title.starts_with("Fr") { title.into() } else { title[..1].to_lowercase() + &title[1..] }
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
