//! A page of plots: every channel as a line, what was found marked in it. One file, no network.

use super::text::{count, short};
use super::{ChannelCurve, Inspection, LogFinding, LogGroup};
use std::fmt::Write;

/// Size of a plot with its labels, in its own units.
const SIZE: (f64, f64) = (960.0, 120.0);
/// Where the motion lies in it: from the left, to the right, from the top, to the bottom.
const INNER: [f64; 4] = [78.0, 952.0, 8.0, 98.0];
/// Marks in a plot at most.
const MARKS: usize = 200;
/// Width of a letter, at most.
const LETTER: f64 = 6.5;

const STYLE: &str = include_str!("page.css");

/// What the plots show.
const KEY: &str = "<p class=\"key\">Every channel over all rows, in the order of the files. A band goes from the least \
to the largest value of the rows that share a place. Upright lines mark what was found: errors and warnings in their \
colours, notes in grey; rest the mouse on one to read it. Pale lines part the episodes.</p>\n";

impl Inspection {
    /// A page in HTML: the findings as a table, then every channel as a line over all rows, in the order of the files,
    /// with the findings marked. It needs nothing beside itself.
    pub fn page(&self) -> String {
        let mut page = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Inspection of logs</title>\
             <style>{STYLE}</style></head><body>\n<h1>Inspection of logs</h1>\n"
        );
        if self.findings.is_empty() {
            page += "<p>Nothing suspicious.</p>\n";
        } else {
            page += "<table>\n<tr><th></th><th>kind</th><th>channel</th><th>what was seen, and what helps</th></tr>\n";
            for finding in &self.findings {
                let (severity, kind) = (finding.severity.name(), finding.kind.name());
                let channel = escaped(finding.channel.as_deref().unwrap_or("-"));
                let (seen, advice) = (escaped(&finding.seen), escaped(&finding.advice));
                // Writing to a String cannot fail.
                let _ = writeln!(
                    page,
                    "<tr><td class=\"{severity}\">{severity}</td><td>{kind}</td><td>{channel}</td>\
                     <td>{seen}<br><small>{advice}</small></td></tr>"
                );
            }
            page += "</table>\n";
        }
        page += KEY;
        for (number, group) in self.groups.iter().enumerate() {
            let own: Vec<&LogFinding> = self.findings.iter().filter(|f| f.group == number).collect();
            page += &section(group, &own);
        }
        page + "</body></html>\n"
    }
}

fn section(group: &LogGroup, findings: &[&LogFinding]) -> String {
    let name = group.sources.first().map_or("", |s| s.path.as_str());
    let more = group.sources.len().saturating_sub(1);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let sizes = [
        count(group.episodes.len(), "episode"),
        count(group.rows, "row"),
        count(group.channels.len(), "channel"),
        group.rate_hz.map_or_else(|| "no rate".into(), |r| format!("{} Hz", short(Some(r)))),
    ];
    let mut text = format!("<h2>{}{more}</h2>\n<p>{}</p>\n", escaped(name), sizes.join(", "));
    for note in &group.notes {
        let _ = writeln!(text, "<p>{}</p>", escaped(note));
    }
    let time: Vec<&LogFinding> = findings.iter().copied().filter(|f| f.channel.is_none()).collect();
    for (channel, curve) in group.channels.iter().zip(&group.curves) {
        let name = &channel.channel.name;
        let own = findings.iter().copied().filter(|f| f.channel.as_ref() == Some(name));
        let marked: Vec<&LogFinding> = own.chain(time.iter().copied()).collect();
        let unit = channel.channel.unit.as_ref().map_or_else(String::new, |u| format!(" [{u}]"));
        let range = format!("{} to {}", short(channel.min), short(channel.max));
        let _ = writeln!(
            text,
            "<h3>{}{} <small>{range}</small></h3>\n{}",
            escaped(name),
            escaped(&unit),
            plot(group, curve, &marked)
        );
    }
    text
}

/// A channel as a band from the least to the largest value of each point.
fn plot(group: &LogGroup, curve: &ChannelCurve, findings: &[&LogFinding]) -> String {
    let (width, height) = SIZE;
    let [left, right, top, bottom] = INNER;
    let rows = group.rows.max(1) as f64;
    let shown = curve.points.iter().flatten().filter(|(low, high)| (high - low).is_finite());
    let (least, most) =
        shown.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), (low, high)| (a.min(*low), b.max(*high)));
    let x = |row: f64| left + (right - left) * row / rows;
    // Halves first: the largest and the smallest number differ by more than a number holds.
    let span = 0.5 * most - 0.5 * least;
    let share = |v: f64| if span > 0.0 { ((0.5 * v - 0.5 * least) / span).clamp(0.0, 1.0) } else { 0.5 };
    let y = |v: f64| bottom - 4.0 - (bottom - top - 8.0) * share(v);
    let mut text = format!(
        "<svg viewBox=\"0 0 {width} {height}\"><rect x=\"{left}\" y=\"{top}\" width=\"{}\" height=\"{}\"/>",
        right - left,
        bottom - top
    );
    if least <= most {
        let ends = if span > 0.0 { &[least, most][..] } else { &[least] };
        for value in ends {
            label(&mut text, left - 6.0, y(*value) + 4.0, "end", &short(Some(*value)));
        }
    }
    episodes(&mut text, group, &x);
    for finding in findings {
        let severity = finding.severity.name();
        for place in finding.places.iter().take(MARKS) {
            let at = x(place.row as f64 + 0.5);
            let title = format!("{}: line {} of {}", finding.kind.name(), place.line, place.episode);
            let _ = write!(
                text,
                "<line class=\"{severity}\" x1=\"{at:.1}\" y1=\"{top}\" x2=\"{at:.1}\" y2=\"{bottom}\">\
                 <title>{}</title></line>",
                escaped(&title)
            );
        }
    }
    let points: Vec<(usize, (f64, f64))> =
        curve.points.iter().enumerate().filter_map(|(i, p)| Some((i, (*p)?))).collect();
    // One closed path a stretch of points without a break: along the largest values, back along the smallest.
    for stretch in points.chunk_by(|a, b| a.0 + 1 == b.0) {
        let at = |i: usize| x(((i as f64 + 0.5) * curve.rows_per_point as f64).min(rows));
        let up = stretch.iter().map(|(i, (_, high))| (at(*i), y(*high)));
        let back = stretch.iter().rev().map(|(i, (low, _))| (at(*i), y(*low)));
        let path: Vec<String> = up.chain(back).map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
        let _ = write!(text, "<path d=\"M{}Z\"/>", path.join("L"));
    }
    text + "</svg>"
}

/// Below the motion: the seconds of a single episode, or its rows; of several their names, where there is room, and
/// where they end.
fn episodes(text: &mut String, group: &LogGroup, x: &dyn Fn(f64) -> f64) {
    const TICKS: usize = 4;
    let [left, right, top, bottom] = INNER;
    let below = bottom + 15.0;
    if let [one] = group.episodes.as_slice() {
        for tick in 0..=TICKS {
            let share = tick as f64 / TICKS as f64;
            let anchor = if tick == 0 {
                "start"
            } else if tick == TICKS {
                "end"
            } else {
                "middle"
            };
            // With gaps rows are no measure of time.
            let place = match one.gaps.is_none() && one.backwards == 0 {
                true => format!("{} s", short(Some(share * one.duration_secs))),
                false => format!("row {:.0}", 1.0 + share * one.rows.saturating_sub(1) as f64),
            };
            label(text, left + share * (right - left), below, anchor, &place);
        }
        return;
    }
    let (mut begin, mut free) = (0, left);
    for episode in &group.episodes {
        let at = x(begin as f64);
        if begin > 0 {
            let _ = write!(text, "<line class=\"end\" x1=\"{at:.1}\" y1=\"{top}\" x2=\"{at:.1}\" y2=\"{bottom}\"/>");
        }
        let long = LETTER * (episode.id.chars().count() + 1) as f64;
        if at >= free && at + long <= right {
            label(text, at, below, "start", &episode.id);
            free = at + long;
        }
        begin += episode.rows;
    }
}

fn label(text: &mut String, x: f64, y: f64, anchor: &str, what: &str) {
    let _ = write!(text, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>", escaped(what));
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
