//! Statistics of a feature, by which policies of LeRobot normalise.

use super::{Cells, Column};
use serde_json::{Value, json};

/// Quantiles that LeRobot keeps.
const QUANTILES: [(&str, f64); 5] = [("q01", 0.01), ("q10", 0.1), ("q50", 0.5), ("q90", 0.9), ("q99", 0.99)];

/// Of each number of a feature: its least and greatest value, mean, standard deviation (over n) and quantiles.
pub(super) struct Stats {
    /// Whether the feature's numbers are whole.
    whole: bool,
    /// Name of a figure and its values, a number each.
    figures: Vec<(&'static str, Vec<f64>)>,
    count: usize,
}

impl Stats {
    /// Of the values of each number, one number after the other.
    pub fn of(whole: bool, channels: impl Iterator<Item = Vec<f64>>) -> Self {
        let names = ["min", "max", "mean", "std"].into_iter().chain(QUANTILES.map(|(name, _)| name));
        let mut figures: Vec<(&str, Vec<f64>)> = names.map(|name| (name, Vec::new())).collect();
        let mut count = 0;
        for mut values in channels {
            values.sort_unstable_by(f64::total_cmp);
            count = values.len();
            let n = count.max(1) as f64;
            let mean = values.iter().sum::<f64>() / n;
            let std = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
            let ends = [values.first(), values.last()].map(|v| v.copied().unwrap_or(0.0));
            let own = ends.into_iter().chain([mean, std]).chain(QUANTILES.map(|(_, share)| quantile(&values, share)));
            figures.iter_mut().zip(own).for_each(|((_, all), figure)| all.push(figure));
        }
        Self { whole, figures, count }
    }

    /// As `meta/stats.json` has them.
    pub fn json(&self) -> Value {
        let figures = self.figures.iter().map(|(name, values)| ((*name).to_string(), json!(values)));
        Value::Object(figures.chain([("count".to_string(), json!([self.count]))]).collect())
    }
}

/// As the list of episodes has them: a column a figure, a row an episode.
pub(super) fn columns(feature: &str, episodes: Vec<Stats>) -> Vec<Column<'static>> {
    let Some(first) = episodes.first() else { return Vec::new() };
    let counts: Vec<i64> = episodes.iter().map(|stats| stats.count as i64).collect();
    let mut columns = Vec::new();
    for (at, (figure, values)) in first.figures.iter().enumerate() {
        let rows: Vec<Vec<f64>> = episodes.iter().map(|stats| stats.figures[at].1.clone()).collect();
        let whole = first.whole && ["min", "max"].contains(figure);
        columns.push(Column::lists(format!("stats/{feature}/{figure}"), values.len(), move |range| {
            let numbers = rows[range].iter().flatten().copied();
            if whole { Cells::Longs(numbers.map(|v| v as i64).collect()) } else { Cells::Doubles(numbers.collect()) }
        }));
    }
    columns.push(Column::lists(format!("stats/{feature}/count"), 1, move |range| Cells::Longs(counts[range].to_vec())));
    columns
}

/// Of sorted values, between the two nearest by the straight line.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * sorted.len().saturating_sub(1) as f64;
    let at = |i: usize| sorted.get(i).or(sorted.last()).copied().unwrap_or(0.0);
    let (below, above) = (at(place as usize), at(place as usize + 1));
    below + (above - below) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_numpy() {
        // numpy: quantile([1, 2, 4, 8, 16], [.01, .1, .5, .9, .99]), mean, std.
        let stats = Stats::of(false, [vec![8.0, 1.0, 16.0, 2.0, 4.0]].into_iter());
        let expected = [1.0, 16.0, 6.2, 5.455_272_678_794_342, 1.04, 1.4, 4.0, 12.8, 15.68];
        for ((name, found), expected) in stats.figures.iter().zip(expected) {
            assert!((found[0] - expected).abs() < 1e-12, "{name}: {} {expected}", found[0]);
        }
        assert_eq!(stats.count, 5);
    }
}
