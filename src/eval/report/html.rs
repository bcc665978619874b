//! `report.html`: one file that needs no other.

use super::horizons::{HORIZONS, horizon_table};
use super::markdown::{cost_table, groups, headline, metric_rows, protocol_rows};
use super::trust::{ONE, RISK, TRUST, Table, one_future_table, risk_table};
use super::verdict::{Passage, verdict};
use super::{Figure, Report};
use crate::eval::metric::MetricSpec;
use std::fmt::Write;

/// Colours of the pictures are named in the style sheet too, so that ink and grid follow a dark page.
const STYLE: &str = include_str!("style.css");

/// The report as one self-contained page: style and pictures inline, no script, nothing fetched.
pub(crate) fn html(report: &Report, figures: &[Figure]) -> String {
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>Forecast report</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>Forecast report</h1>\n\
         <p class=\"lead\">{}</p>\n",
        escape(&headline(report))
    );
    for (title, tables) in groups(report) {
        let _ = writeln!(page, "<h2>{}</h2>", escape(title));
        for specs in tables {
            page += &metric_table(report, &specs);
        }
    }
    page += &horizons(report);
    page += &trust(report);
    page += "<h2>Verdict</h2>\n";
    for passage in verdict(report) {
        match passage {
            Passage::Text(text) => {
                let _ = writeln!(page, "<p>{}</p>", prose(&text));
            }
            Passage::List(items) => {
                let items: String = items.iter().map(|item| format!("<li>{}</li>\n", prose(item))).collect();
                let _ = writeln!(page, "<ul>\n{items}</ul>");
            }
        }
    }
    page += &pictures(figures);
    page += "<h2>Cost</h2>\n";
    page += &table(cost_table(report));
    page += "<h2>Protocol</h2>\n<dl>\n";
    for (key, value) in protocol_rows(report) {
        let _ = writeln!(page, "<dt>{}</dt><dd>{}</dd>", escape(key), escape(&value));
    }
    page += "</dl>\n<h3>Definitions</h3>\n<dl>\n";
    for (name, m) in &report.protocol.metrics {
        let (definition, source, unit) = (escape(&m.definition), escape(&m.source), escape(&m.unit));
        let _ = writeln!(
            page,
            "<dt><code>{}</code> [{unit}]</dt><dd>{definition}. <small>{source}</small></dd>",
            escape(name)
        );
    }
    page + "</dl>\n</main>\n</body>\n</html>\n"
}

fn pictures(figures: &[Figure]) -> String {
    if figures.is_empty() {
        return String::new();
    }
    let mut text = String::from("<h2>Pictures</h2>\n<div class=\"figures\">\n");
    for figure in figures {
        let svg = figure.svg.find("<svg").map_or("", |start| &figure.svg[start..]);
        let class = if figure.wide { " class=\"full\"" } else { "" };
        let (title, caption) = (escape(&figure.title), escape(&figure.caption));
        let _ = writeln!(
            text,
            "<figure id=\"{}\"{class}>\n{svg}\n<figcaption><b>{title}.</b> {caption}</figcaption>\n</figure>",
            escape(&figure.name)
        );
    }
    text + "</div>\n"
}

fn metric_table(report: &Report, specs: &[&MetricSpec]) -> String {
    let heads = specs.iter().map(|s| format!("<th>{} <small>[{}]</small></th>", escape(s.title), escape(s.unit)));
    let mut table = format!("<div class=\"wide\"><table>\n<tr><th></th>{}</tr>\n", heads.collect::<String>());
    for (name, cells) in metric_rows(report, specs) {
        let class = if report.forecasters.contains_key(&name) { "" } else { " class=\"floor\"" };
        let _ = write!(table, "<tr{class}><th>{}</th>", escape(&name));
        for cell in cells {
            table += &cell.map_or_else(
                || "<td>–</td>".into(),
                |c| {
                    let figure = if c.best { format!("<b>{}</b>", c.figure) } else { c.figure };
                    format!("<td>{figure}<small>{}</small></td>", c.interval)
                },
            );
        }
        table += "</tr>\n";
    }
    table + "</table></div>\n"
}

fn horizons(report: &Report) -> String {
    let (heads, rows) = horizon_table(report);
    let heads: String = heads.iter().map(|head| format!("<th>{}</th>", escape(head))).collect();
    let mut table = format!("<h2>{HORIZONS}</h2>\n<div class=\"wide\"><table>\n<tr>{heads}</tr>\n");
    for (labels, cells) in rows {
        table += "<tr>";
        table += &labels.map(|label| format!("<th>{}</th>", escape(&label))).concat();
        let cell = |(figure, best): &(String, bool)| match best {
            true => format!("<td><b>{figure}</b></td>"),
            false => format!("<td>{figure}</td>"),
        };
        table += &cells.iter().map(cell).collect::<String>();
        table += "</tr>\n";
    }
    table + "</table></div>\n"
}

fn trust(report: &Report) -> String {
    if report.trust.is_empty() {
        return String::new();
    }
    let mut text = format!("<h2>{TRUST}</h2>\n");
    for (says, shown) in [(RISK, risk_table(report)), (ONE, one_future_table(report))] {
        if !shown.1.is_empty() {
            let _ = write!(text, "<p>{}</p>\n{}", escape(says), table(shown));
        }
    }
    text
}

/// Heads and rows; the first cell of a row is its name.
fn table((heads, rows): Table) -> String {
    let heads: String = heads.iter().map(|head| format!("<th>{}</th>", escape(head))).collect();
    let mut text = format!("<div class=\"wide\"><table>\n<tr>{heads}</tr>\n");
    for row in rows {
        let cells = row.iter().enumerate().map(|(i, cell)| match i {
            0 => format!("<th>{}</th>", escape(cell)),
            _ => format!("<td>{}</td>", escape(cell)),
        });
        let _ = writeln!(text, "<tr>{}</tr>", cells.collect::<String>());
    }
    text + "</table></div>\n"
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Escaped text with `` `code` `` marked up.
fn prose(text: &str) -> String {
    let mut parts = text.split('`');
    let mut html = escape(parts.next().unwrap_or(""));
    for (i, part) in parts.enumerate() {
        html += if i % 2 == 0 { "<code>" } else { "</code>" };
        html += &escape(part);
    }
    html
}
