//! Whether a channel is an index or a stamp.

use super::facts::Facts;
use super::piece::Piece;

/// Share of the steps that are alike.
const ALIKE: f64 = 0.9;
/// Steps that say that a channel counts.
pub(super) const STEPS: usize = 10;

/// What a channel counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Counts {
    /// Rows, by this number.
    Rows(f64),
    /// Time, so many a second.
    Time(f64),
}

/// Whether a channel counts rows or time.
pub(super) fn counts(facts: &Facts, pieces: &[Piece<'_>]) -> Option<Counts> {
    if facts.steps < STEPS || facts.changes as f64 <= ALIKE * facts.steps as f64 || facts.reversals > 0.1 {
        return None;
    }
    let alike = |of: &dyn Fn(&Piece<'_>, usize) -> f64, usual: f64, slack: f64| {
        let count = |p: &Piece<'_>| (1..p.values.len()).filter(|i| (of(p, *i) - usual).abs() <= slack).count();
        pieces.iter().map(count).sum::<usize>() as f64 >= ALIKE * facts.steps as f64
    };
    let step = |p: &Piece<'_>, i: usize| p.values[i] - p.values[i - 1];
    // A stamp of its own clock scatters against the log's.
    let (first, last) = pieces.first().map(|p| (p, p.values.len() - 1))?;
    let slope = (first.values[last] - first.values[0]) / first.secs(0, last);
    let even = |p: &Piece<'_>, i: usize| step(p, i) / p.secs(i - 1, i).max(f64::MIN_POSITIVE);
    let units = [1.0, 1e3, 1e6, 1e9].into_iter().find(|units| (slope / units - 1.0).abs() < 0.01);
    if let Some(units) = units.filter(|units| alike(&even, *units, 0.5 * units)) {
        return Some(Counts::Time(units));
    }
    let usual = facts.usual_step;
    let by_one = facts.whole && (alike(&step, usual, 0.0) || alike(&step, -usual, 0.0));
    by_one.then_some(Counts::Rows(usual))
}
