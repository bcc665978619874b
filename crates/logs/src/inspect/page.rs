//! A page of plots: every channel as a line, what was found marked in it. One file, no network.

use super::text::{count, short};
use super::{ChannelCurve, Inspection, LogFinding, LogGroup};
use std::fmt::Write;

/// Size of a plot, in its own units.
const SIZE: (f64, f64) = (900.0, 90.0);
/// Marks in a plot at most.
const MARKS: usize = 200;

const STYLE: &str = "body{font:14px/1.45 system-ui,sans-serif;margin:2em auto;max-width:960px;padding:0 1em;color:#222}\
h1{font-size:1.4em}h2{font-size:1.15em;margin-top:2em}h3{font-size:1em;margin:1.2em 0 .2em;font-weight:600}\
h3 small{font-weight:400;color:#666}svg{width:100%;height:90px;background:#fafafa;border:1px solid #ddd}\
table{border-collapse:collapse}td{padding:.25em .6em .25em 0;vertical-align:top;border-top:1px solid #eee}\
.error{color:#b00020}.warning{color:#b26a00}.note{color:#555}\
path{fill:#3b6ea5;stroke:#3b6ea5;stroke-width:.8}line.end{stroke:#ddd}\
line.error{stroke:#b00020}line.warning{stroke:#e08a00}line.note{stroke:#999}";

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
            page += "<table>\n";
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
    let rows = group.rows.max(1) as f64;
    let shown = curve.points.iter().flatten().filter(|(low, high)| (high - low).is_finite());
    let (least, most) =
        shown.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), (low, high)| (a.min(*low), b.max(*high)));
    let x = |row: f64| width * row / rows;
    // Halves first: the largest and the smallest number differ by more than a number holds.
    let span = 0.5 * most - 0.5 * least;
    let share = |v: f64| if span > 0.0 { ((0.5 * v - 0.5 * least) / span).clamp(0.0, 1.0) } else { 0.5 };
    let y = |v: f64| height - 4.0 - (height - 8.0) * share(v);
    let mut text = format!("<svg viewBox=\"0 0 {width} {height}\" preserveAspectRatio=\"none\">");
    let mut end = 0;
    for episode in group.episodes.iter().take(group.episodes.len().saturating_sub(1)) {
        end += episode.rows;
        let at = x(end as f64);
        let _ = write!(text, "<line class=\"end\" x1=\"{at:.1}\" y1=\"0\" x2=\"{at:.1}\" y2=\"{height}\"/>");
    }
    for finding in findings {
        let severity = finding.severity.name();
        for place in finding.places.iter().take(MARKS) {
            let at = x(place.row as f64 + 0.5);
            let title = format!("{}: line {} of {}", finding.kind.name(), place.line, place.episode);
            let _ = write!(
                text,
                "<line class=\"{severity}\" x1=\"{at:.1}\" y1=\"0\" x2=\"{at:.1}\" y2=\"{height}\">\
                 <title>{}</title></line>",
                escaped(&title)
            );
        }
    }
    let points: Vec<(usize, (f64, f64))> =
        curve.points.iter().enumerate().filter_map(|(i, p)| Some((i, (*p)?))).collect();
    // One closed path a stretch of points without a break: along the largest values, back along the smallest.
    for stretch in points.chunk_by(|a, b| a.0 + 1 == b.0) {
        let at = |i: usize| x((i as f64 + 0.5) * curve.rows_per_point as f64);
        let up = stretch.iter().map(|(i, (_, high))| (at(*i), y(*high)));
        let back = stretch.iter().rev().map(|(i, (low, _))| (at(*i), y(*low)));
        let path: Vec<String> = up.chain(back).map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
        let _ = write!(text, "<path d=\"M{}Z\"/>", path.join("L"));
    }
    text + "</svg>"
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
