//! `report.md`.

use super::format::{grouped, interval, number};
use super::horizons::{HORIZONS, horizon_table};
use super::trust::{ONE, RISK, TRUST, Table, one_future_table, risk_table};
use super::verdict::{Passage, verdict};
use super::{Figure, Report};
use crate::eval::metric::{self, Kind, MetricSpec};
use std::fmt::Write;

/// The report as Markdown; `figures` are linked as `plots/<name>.svg`.
pub(crate) fn markdown(report: &Report, figures: &[Figure]) -> String {
    let mut text = String::from("# Forecast report\n\n");
    let _ = writeln!(text, "{}\n", headline(report));
    for (title, tables) in groups(report) {
        let _ = writeln!(text, "## {title}\n");
        for specs in tables {
            text += &metric_table(report, &specs);
            text.push('\n');
        }
    }
    text += &format!("## {HORIZONS}\n\n");
    text += &horizon_markdown(report);
    text.push('\n');
    if !report.trust.is_empty() {
        text += &format!("## {TRUST}\n\n");
        for (says, shown) in [(RISK, risk_table(report)), (ONE, one_future_table(report))] {
            if !shown.1.is_empty() {
                let _ = writeln!(text, "{says}\n\n{}", table(shown));
            }
        }
    }
    text += "## Verdict\n\n";
    for passage in verdict(report) {
        match passage {
            Passage::Text(paragraph) => text += &format!("{paragraph}\n\n"),
            Passage::List(items) => {
                text += &items.iter().map(|item| format!("- {item}\n")).collect::<String>();
                text.push('\n');
            }
        }
    }
    text += "## Cost\n\n";
    text += &table(cost_table(report));
    if !figures.is_empty() {
        text += "\n## Pictures\n\n";
        for figure in figures {
            let _ = writeln!(text, "![{}](plots/{}.svg)\n\n{}\n", figure.title, figure.name, figure.caption);
        }
    }
    text += "\n## Protocol\n\n";
    for (key, value) in protocol_rows(report) {
        let _ = writeln!(text, "- **{key}**: {value}");
    }
    text += "\n| metric | unit | definition | source |\n|---|---|---|---|\n";
    for (name, m) in &report.protocol.metrics {
        let cells = [&m.unit, &m.definition, &m.source].map(|cell| cell.replace('|', "\\|"));
        let _ = writeln!(text, "| `{name}` | {} |", cells.join(" | "));
    }
    text
}

/// Columns of a table of figures, at most.
const COLUMNS: usize = 8;

/// Headings and their tables of figures, each by its columns: the metrics that the report has.
pub(super) fn groups(report: &Report) -> Vec<(&'static str, Vec<Vec<&'static MetricSpec>>)> {
    type Choice = fn(&MetricSpec) -> bool;
    let groups: [(&str, Choice); 4] = [
        ("Is it real motion? Distances between distributions", |m| m.kind == Kind::Distance),
        ("Is it this motion? Scores against what followed", |m| m.kind == Kind::Score && !m.best_of_several()),
        ("Is one of the samples this motion? The best of several", |m| m.kind == Kind::Score && m.best_of_several()),
        ("What are the samples like? Neither less nor more is better", |m| m.kind == Kind::Description),
    ];
    let has = |spec: &MetricSpec| report.forecasters.values().any(|results| results.contains_key(spec.name));
    let tables = |choice: Choice| {
        let specs: Vec<_> = metric::specs().filter(|spec| choice(spec) && has(spec)).collect();
        let width = specs.len().div_ceil(specs.len().div_ceil(COLUMNS).max(1)).max(1);
        specs.chunks(width).map(<[_]>::to_vec).collect()
    };
    let groups = groups.into_iter().map(|(title, choice)| (title, tables(choice)));
    groups.filter(|(_, tables): &(_, Vec<_>)| !tables.is_empty()).collect()
}

/// What was compared, in a sentence.
pub(super) fn headline(report: &Report) -> String {
    let p = &report.protocol;
    let count = |map: &std::collections::BTreeMap<String, usize>, key: &str| map.get(key).copied().unwrap_or(0);
    format!(
        "{} forecasters, {} frames ({} s at {} Hz) ahead from {} windows of {} held-out episodes, {} channels, up to \
            {} samples a window; trained on {} episodes. Distances are in training standard deviations (z). Square \
            brackets: 95 % intervals by bootstrap over {}.",
        report.forecasters.len(),
        p.horizon,
        number(p.horizon as f64 / p.rate_hz),
        number(p.rate_hz),
        grouped(count(&p.windows, "test")),
        count(&p.episodes, "test"),
        p.channels.len(),
        p.samples,
        count(&p.episodes, "train"),
        p.bootstrap.unit,
    )
}

fn metric_table(report: &Report, specs: &[&MetricSpec]) -> String {
    let heads: Vec<String> = specs.iter().map(|s| format!("{} [{}]", s.title, s.unit)).collect();
    let mut text = format!("| | {} |\n|---|{}\n", heads.join(" | "), "---|".repeat(specs.len()));
    for (label, cells) in metric_rows(report, specs) {
        let cells: Vec<String> = cells
            .into_iter()
            .map(|cell| match cell {
                Some(Cell { figure, interval, best: true }) => format!("**{figure}** {interval}"),
                Some(Cell { figure, interval, .. }) => format!("{figure} {interval}"),
                None => "–".into(),
            })
            .collect();
        let _ = writeln!(text, "| {label} | {} |", cells.join(" | "));
    }
    text
}

/// A figure in a table.
pub(super) struct Cell {
    pub figure: String,
    pub interval: String,
    pub best: bool,
}

/// Rows of a table of figures: forecasters, then the floor where there is one.
pub(super) fn metric_rows(report: &Report, specs: &[&MetricSpec]) -> Vec<(String, Vec<Option<Cell>>)> {
    let mut rows = Vec::new();
    for name in report.names() {
        let cell = |spec: &&MetricSpec| {
            let result = report.forecasters[name].get(spec.name)?;
            let best = report.best(spec).is_some_and(|(best, _)| best == name);
            Some(Cell { figure: number(result.mean), interval: interval(result), best })
        };
        rows.push((name.to_string(), specs.iter().map(cell).collect()));
    }
    let floor = |spec: &&MetricSpec| {
        let result = report.floor.get(spec.name)?;
        Some(Cell { figure: number(result.mean), interval: interval(result), best: false })
    };
    let floors: Vec<Option<Cell>> = specs.iter().map(floor).collect();
    if floors.iter().any(Option::is_some) {
        rows.push(("floor (real against real)".into(), floors));
    }
    rows
}

/// Heads and rows.
fn table((heads, rows): Table) -> String {
    let mut text = format!("| {} |\n|{}\n", heads.join(" | "), "---|".repeat(heads.len()));
    rows.iter().for_each(|row| text += &format!("| {} |\n", row.join(" | ")));
    text
}

fn horizon_markdown(report: &Report) -> String {
    let (heads, rows) = horizon_table(report);
    let cell = |(figure, best)| if best { format!("**{figure}**") } else { figure };
    let row = |(labels, cells): ([String; 2], Vec<_>)| labels.into_iter().chain(cells.into_iter().map(cell)).collect();
    table((heads, rows.into_iter().map(row).collect()))
}

/// What each forecaster costs.
pub(super) fn cost_table(report: &Report) -> Table {
    let heads = ["", "training [s]", "parameters", "network evaluations a chunk", "time a window [ms]"];
    let row = |name: &&str| {
        let cost = report.cost.get(*name)?;
        let (train, window) = (number(cost.train_seconds), number(cost.ms_per_window));
        let evaluations = cost.evaluations_per_chunk.to_string();
        Some(vec![name.to_string(), train, grouped(cost.parameters), evaluations, window])
    };
    (heads.map(String::from).to_vec(), report.names().iter().filter_map(row).collect())
}

/// The protocol as key and value.
pub(super) fn protocol_rows(report: &Report) -> Vec<(&'static str, String)> {
    let p = &report.protocol;
    let counts = |map: &std::collections::BTreeMap<String, usize>| {
        map.iter().map(|(k, v)| format!("{k} {}", grouped(*v))).collect::<Vec<_>>().join(", ")
    };
    let s = &p.bootstrap.settings;
    let mut rows = vec![
        ("program", p.program.clone()),
        ("episodes", counts(&p.episodes)),
        ("windows", counts(&p.windows)),
        ("context and horizon", format!("{} and {} frames at {} Hz", p.context, p.horizon, number(p.rate_hz))),
        ("samples a window", p.samples.to_string()),
        ("channels", p.channels.join(", ")),
        ("seeds", p.seeds.iter().map(|(k, v)| format!("{k} {v}")).collect::<Vec<_>>().join(", ")),
        (
            "intervals",
            format!(
                "{} %, over {}: {}; {} replicates (frechet_window {}), frame_stride {}, window_stride {}, \
                 max_segments {}, seed {}",
                number(p.bootstrap.level * 100.0),
                p.bootstrap.unit,
                p.bootstrap.method,
                s.replicates,
                s.window_replicates,
                s.frame_stride,
                s.window_stride,
                p.bootstrap.max_segments,
                s.seed
            ),
        ),
    ];
    rows.extend(p.data.iter().map(|source| ("data", format!("{} (sha256 {})", source.path, source.sha256))));
    rows.extend(p.notes.iter().map(|note| ("note", note.clone())));
    rows
}
