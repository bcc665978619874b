//! What is known of a channel: its figures, its usual step, its levels.

use super::piece::Piece;
use crate::pace::median;

/// Values that a channel may take and still be a switch, a mode or a gripper's command.
pub(super) const FEW_LEVELS: usize = 8;
/// Levels that are told apart.
const LEVELS: usize = 129;
/// Numbers of which a quantile is taken at most.
const SAMPLED: usize = 1 << 17;

/// What is known of a channel.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    pub values: usize,
    pub min: f64,
    pub max: f64,
    /// Steps between neighbouring rows, and those of them that change the value.
    pub steps: usize,
    pub changes: usize,
    /// Median size of the steps that change the value; 0 without any.
    pub usual_step: f64,
    /// Share of changes that go the other way than the change before.
    pub reversals: f64,
    /// Median of the sizes of second differences, and of their distance from it.
    pub curvature: (f64, f64),
    /// 1 % and 99 % quantile.
    pub range: (f64, f64),
    /// The values in order, where there are at most 128.
    pub levels: Option<Vec<f64>>,
    /// Whether all values are whole numbers.
    pub whole: bool,
}

impl Facts {
    pub fn of(pieces: &[Piece<'_>]) -> Self {
        let all = || pieces.iter().flat_map(|p| p.values.iter().copied());
        let values = all().count();
        if values == 0 {
            return Self::default();
        }
        let every = values.div_ceil(SAMPLED);
        let mut some: Vec<f64> = all().step_by(every).collect();
        some.sort_by(f64::total_cmp);
        let quantile = |q: f64| some[(q * (some.len() - 1) as f64).round() as usize];
        let steps = || pieces.iter().flat_map(|p| p.values.windows(2).map(|w| w[1] - w[0]));
        let mut sizes: Vec<f64> = steps().step_by(every).map(f64::abs).filter(|s| *s > 0.0).collect();
        let (mut changes, mut reversals, mut before) = (0, 0, 0.0_f64);
        for step in steps().filter(|s| s.abs() > 0.0) {
            changes += 1;
            reversals += usize::from(step.signum() * before < 0.0);
            before = step.signum();
        }
        let (min, max) = all().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
        Self {
            values,
            min,
            max,
            steps: steps().count(),
            changes,
            usual_step: median(&mut sizes).unwrap_or(0.0),
            reversals: reversals as f64 / changes.max(1) as f64,
            curvature: curvature(pieces, every),
            range: (quantile(0.01), quantile(0.99)),
            levels: levels(all()),
            whole: all().all(|v| v.fract().abs() <= 0.0),
        }
    }

    /// Never changes.
    pub fn constant(&self) -> bool {
        self.values > 1 && self.max - self.min <= 0.0
    }

    /// Takes so few values that it is a state and no measurement.
    pub fn is_state(&self) -> bool {
        self.levels.as_ref().is_some_and(|levels| levels.len() <= FEW_LEVELS)
    }

    /// Whether the channel changes in nearly every row, but for `held` steps.
    pub fn is_live_beside(&self, held: usize, share: f64) -> bool {
        let others = self.steps.saturating_sub(held);
        others >= 10 && self.changes as f64 >= share * others as f64
    }
}

fn curvature(pieces: &[Piece<'_>], every: usize) -> (f64, f64) {
    let bends = |p: &Piece<'_>| -> Vec<f64> {
        p.values.windows(3).step_by(every).map(|w| (w[0] - 2.0 * w[1] + w[2]).abs()).collect()
    };
    let mut sizes: Vec<f64> = pieces.iter().flat_map(bends).collect();
    let middle = median(&mut sizes).unwrap_or(0.0);
    let mut distances: Vec<f64> = sizes.iter().map(|s| (s - middle).abs()).collect();
    (middle, median(&mut distances).unwrap_or(0.0))
}

/// The different values, ascending; `None` for more than are told apart.
fn levels(values: impl Iterator<Item = f64>) -> Option<Vec<f64>> {
    let mut levels: Vec<f64> = Vec::new();
    for value in values {
        // -0 and 0 are one level.
        let value = value + 0.0;
        if let Err(at) = levels.binary_search_by(|v| v.total_cmp(&value)) {
            if levels.len() + 1 >= LEVELS {
                return None;
            }
            levels.insert(at, value);
        }
    }
    Some(levels)
}
