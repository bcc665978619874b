//! When to trust a forecast, and which future to take where only one is wanted.

use super::Report;
use super::format::{interval, number};
use crate::eval::metric::{COVERAGE, LOWEST_ENERGY, SIGNALS};

/// The tables' heading.
pub(super) const TRUST: &str = "When to trust it? Error of the surest forecasts";

/// What the first table says.
pub(super) const RISK: &str = "Mean energy score of the windows that are surest, by how little their samples differ \
    (spread), or by the mean energy of these. The order by the error itself is the best that there can be.";

/// What the second table says.
pub(super) const ONE: &str = "Average displacement where one future is wanted: any sample, the one of the lowest \
    energy, and the best in hindsight.";

/// Heads and rows of a table.
pub(super) type Table = (Vec<String>, Vec<Vec<String>>);

/// Places in [`COVERAGE`] that the table shows.
const SHOWN: [usize; 6] = [0, 1, 3, 5, 7, 9];

/// Heads and rows: forecaster and what orders its windows, then the error of the surest shares of the windows.
pub(super) fn risk_table(report: &Report) -> Table {
    let share = |i: &usize| format!("surest {} %", number(100.0 * COVERAGE[*i]));
    let heads = ["", "by"].map(String::from).into_iter().chain(SHOWN.iter().map(share)).collect();
    let mut rows = Vec::new();
    for name in report.names() {
        for signal in SIGNALS {
            let Some(curve) = report.trust.get(name).and_then(|results| results.get(signal)) else { continue };
            let cells = SHOWN.iter().filter_map(|i| Some(number(*curve.per_step.get(*i)?)));
            rows.push([name.to_string(), signal.into()].into_iter().chain(cells).collect());
        }
    }
    (heads, rows)
}

/// Heads and rows: forecasters with an energy, and the error of one future of theirs.
pub(super) fn one_future_table(report: &Report) -> Table {
    let heads = ["", "any sample", "lowest energy", "best of 20"].map(String::from).to_vec();
    let row = |name: &str| {
        let lowest = report.trust.get(name)?.get(LOWEST_ENERGY)?;
        let results = &report.forecasters[name];
        let (any, best) = (results.get("ade_best1")?, results.get("ade_best20")?);
        let cells = [any, lowest, best].map(|result| format!("{} {}", number(result.mean), interval(result)));
        Some(std::iter::once(name.to_string()).chain(cells).collect())
    };
    (heads, report.names().into_iter().filter_map(row).collect())
}
