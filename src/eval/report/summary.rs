//! The table at the end of a run, for a terminal.

use super::Report;
use super::format::number;
use crate::eval::metric;

const NAME: usize = 14;
const COLUMN: usize = 9;

/// The metrics of the table, as many as 100 columns hold; the other files of a report have all.
const METRICS: [&str; 8] = [
    "frechet_position",
    "frechet_velocity",
    "frechet_window",
    "segment_energy_distance",
    "energy_score",
    "ade_best20",
    "fde_best20",
    "rmse",
];

/// The metrics of a second table, where a robot is known.
const OF_LINKS: [&str; 3] = ["link_energy_score", "link_ade_best20", "link_fde_best20"];

impl Report {
    /// Aligned plain-text tables, at most 100 columns wide (for names up to 18 letters): one row per forecaster, the
    /// best figure of each of the leading metrics marked `*`, the floor below; where a robot is known, then its links'
    /// errors.
    pub fn summary_table(&self) -> String {
        let mut text = table(self, &METRICS);
        text += "less is better; * best; floor: real motion against real motion (scores have none)\n";
        text += "Fr: Fréchet distance of positions, velocities, 5-frame windows; ED.seg: energy distance of\n";
        text += "velocity segments; E.score: energy score; ADE20, FDE20: displacement, best of 20 samples\n";
        if self.forecasters.values().any(|results| OF_LINKS.iter().any(|name| results.contains_key(*name))) {
            text += &format!("\n{}", table(self, &OF_LINKS));
            text += "mm: of the robot's links; E: energy score; ADE, FDE: displacement, best of 20 samples\n";
        }
        text
    }
}

/// The figures of some metrics; with the floor and the costs where one of the metrics has a floor.
fn table(report: &Report, metrics: &[&str]) -> String {
    let width = report.names().iter().map(|n| n.chars().count() + 1).max().unwrap_or(0).max(NAME);
    let specs: Vec<_> = metrics.iter().filter_map(|name| metric::specs().find(|spec| spec.name == *name)).collect();
    let whole = specs.iter().any(|spec| report.floor.contains_key(spec.name));
    let line = |name: &str, cells: Vec<String>| {
        let cells: String = cells.iter().map(|cell| format!("{cell:>COLUMN$}")).collect();
        format!("{name:<width$}{cells}").trim_end().to_string() + "\n"
    };
    let heads = specs.iter().map(|s| format!("{} ", s.short));
    let mut text = line("", heads.chain(whole.then(|| "ms/win".to_string())).collect());
    for name in report.names() {
        let cells = specs.iter().map(|spec| {
            let Some(result) = report.forecasters[name].get(spec.name) else { return "- ".into() };
            let best = report.best(spec).is_some_and(|(best, _)| best == name);
            number(result.mean) + if best { "*" } else { " " }
        });
        let cost = whole.then(|| report.cost.get(name).map_or_else(|| "-".into(), |c| number(c.ms_per_window)));
        text += &line(name, cells.chain(cost).collect());
    }
    if whole {
        let floor = specs.iter().map(|s| report.floor.get(s.name).map_or("- ".into(), |r| number(r.mean) + " "));
        text += &line("floor", floor.collect());
    }
    text
}
