//! How scores grow with the time ahead.

use super::Report;
use super::format::number;
use crate::eval::metric;

/// The table's heading.
pub(super) const HORIZONS: &str = "How far ahead? Scores at single moments";

/// Moments of the table, seconds; the first frame stands before them.
const SECONDS: [f64; 5] = [0.2, 0.4, 1.0, 2.0, 4.0];

/// Metrics of the table.
const METRICS: [&str; 4] = ["energy_score", "crps", "fde_best20", "link_fde_best20"];

/// Metric and forecaster, then the figure at each moment and whether it is the best there.
type Row = ([String; 2], Vec<(String, bool)>);

/// Heads and rows: the values per step of some scores at the frames nearest to some moments within the horizon.
pub(super) fn horizon_table(report: &Report) -> (Vec<String>, Vec<Row>) {
    let (rate, horizon) = (report.protocol.rate_hz, report.protocol.horizon);
    let nearest = SECONDS.iter().map(|seconds| (seconds * rate).round().max(1.0) as usize);
    let mut frames: Vec<usize> = std::iter::once(1).chain(nearest).filter(|frame| *frame <= horizon).collect();
    frames.dedup();
    let moment = |frame: &usize| format!("{} s", number(*frame as f64 / rate));
    let heads = ["", ""].map(String::from).into_iter().chain(frames.iter().map(moment)).collect();
    let mut rows = Vec::new();
    for spec in metric::specs().filter(|spec| METRICS.contains(&spec.name)) {
        let values = |name: &str| {
            let steps = &report.forecasters[name].get(spec.name)?.per_step;
            frames.iter().map(|frame| steps.get(frame - 1).copied()).collect::<Option<Vec<f64>>>()
        };
        let found: Vec<(&str, Vec<f64>)> =
            report.names().into_iter().filter_map(|name| Some((name, values(name)?))).collect();
        let least = |k: usize| found.iter().map(|(_, values)| values[k]).fold(f64::INFINITY, f64::min);
        for (name, values) in &found {
            let cells = values.iter().enumerate().map(|(k, v)| (number(*v), *v == least(k))).collect();
            let unit = if spec.unit == "z" { String::new() } else { format!(" [{}]", spec.unit) };
            rows.push(([format!("{}{unit}", spec.title), (*name).to_string()], cells));
        }
    }
    (heads, rows)
}
