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

impl Report {
    /// An aligned plain-text table, at most 100 columns wide (for names up to 18 letters): one row per forecaster, the
    /// best figure of each of the leading metrics marked `*`, the floor below.
    pub fn summary_table(&self) -> String {
        let width = self.names().iter().map(|n| n.chars().count() + 1).max().unwrap_or(0).max(NAME);
        let specs: Vec<_> = METRICS.iter().filter_map(|name| metric::specs().find(|spec| spec.name == *name)).collect();
        let line = |name: &str, cells: Vec<String>| {
            let cells: String = cells.iter().map(|cell| format!("{cell:>COLUMN$}")).collect();
            format!("{name:<width$}{cells}").trim_end().to_string() + "\n"
        };
        let heads = specs.iter().map(|s| format!("{} ", s.short)).chain(["ms/win".to_string()]).collect();
        let mut text = line("", heads);
        for name in self.names() {
            let cells = specs.iter().map(|spec| {
                let Some(result) = self.forecasters[name].get(spec.name) else { return "- ".into() };
                let best = self.best(spec).is_some_and(|(best, _)| best == name);
                number(result.mean) + if best { "*" } else { " " }
            });
            let cost = self.cost.get(name).map_or_else(|| "-".into(), |c| number(c.ms_per_window));
            text += &line(name, cells.chain([cost]).collect());
        }
        let floor = specs.iter().map(|s| self.floor.get(s.name).map_or_else(|| "- ".into(), |r| number(r.mean) + " "));
        text += &line("floor", floor.collect());
        text += "less is better; * best; floor: real motion against real motion (scores have none)\n";
        let groups = [
            "Fr: Fréchet distance of positions, velocities, 5-frame windows; ED.seg: energy distance of",
            "velocity segments; E.score: energy score; ADE20, FDE20: displacement, best of 20 samples",
        ];
        text + &groups.join("\n") + "\n"
    }
}
