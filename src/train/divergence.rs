//! Noticing that a run has gone astray.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// When a run counts as diverged, and what happens then.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Divergence {
    /// A step is bad when its loss or gradient norm is this many times what it usually is (the geometric mean of the
    /// recent good steps' sizes), above 1.
    pub factor: f64,
    /// So many bad steps in a row are a divergence, at least 1; a number that is not finite is one at once.
    pub patience: u64,
    /// How often a run may go back to its last good checkpoint, with other noise and half the learning rate, before it
    /// stops.
    pub restarts: u64,
}

impl Default for Divergence {
    /// A hundredfold for 50 steps; no restart.
    fn default() -> Self {
        Self { factor: 100.0, patience: 50, restarts: 0 }
    }
}

impl Divergence {
    pub(super) fn check(&self) -> Result<()> {
        if self.factor.is_nan() || self.factor <= 1.0 {
            return Err(Error::config("divergence.factor", self.factor, "a number above 1"));
        }
        if self.patience == 0 {
            return Err(Error::config("divergence.patience", 0, "at least 1"));
        }
        Ok(())
    }
}

/// Steps before anything but a number that is not finite counts.
const FIRST: u64 = 100;
/// Weight of a step in what is usual.
const SHARE: f64 = 0.01;

/// What is usual in a run.
#[derive(Debug)]
pub(super) struct Watch {
    rule: Divergence,
    good: u64,
    bad: u64,
    /// Mean logarithms of the loss's and the gradient norm's size.
    usual: [f64; 2],
}

impl Watch {
    pub(super) fn new(rule: Divergence) -> Self {
        Self { rule, good: 0, bad: 0, usual: [0.0; 2] }
    }

    /// True where the last step was not bad: a checkpoint of now is worth going back to.
    pub(super) fn healthy(&self) -> bool {
        self.bad == 0
    }

    /// The run has gone back: what is usual stays.
    pub(super) fn forgive(&mut self) {
        self.bad = 0;
    }

    /// Takes a step's figures; says why the run has diverged if it has.
    pub(super) fn step(&mut self, loss: f64, gradient_norm: f64) -> Option<String> {
        let figures = [("loss", loss), ("gradient norm", gradient_norm)];
        if let Some((what, value)) = figures.iter().find(|(_, v)| !v.is_finite()) {
            return Some(format!("the {what} is {value}"));
        }
        let sizes = figures.map(|(_, v)| v.abs().max(1e-30).ln());
        let above = |i: usize| self.good >= FIRST && sizes[i] - self.usual[i] > self.rule.factor.ln();
        if let Some(i) = (0..2).find(|i| above(*i)) {
            self.bad += 1;
            let (what, value) = figures[i];
            let usual = self.usual[i].exp();
            let said = format!(
                "for {} steps the {what} was far above what it was: {value:.4} now, {usual:.4} before",
                self.bad
            );
            return (self.bad >= self.rule.patience).then_some(said);
        }
        let share = SHARE.max(1.0 / (self.good + 1) as f64);
        self.usual.iter_mut().zip(sizes).for_each(|(u, s)| *u += share * (s - *u));
        (self.good, self.bad) = (self.good + 1, 0);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(patience: u64) -> Watch {
        Watch::new(Divergence { factor: 10.0, patience, restarts: 0 })
    }

    #[test]
    fn spikes_and_slow_changes_are_no_divergence() {
        let mut watch = watch(5);
        for step in 0..2000u32 {
            let spike = if step % 50 == 49 { 1000.0 } else { 1.0 };
            let loss = 100.0 * (-f64::from(step) / 300.0).exp() * spike;
            assert_eq!(watch.step(-loss, 1.0 / spike), None, "step {step}");
        }
    }

    #[test]
    fn what_stays_far_above_the_usual_is_one_and_what_is_no_number_at_once() {
        let mut watch = watch(5);
        for _ in 0..200 {
            assert_eq!(watch.step(2.0, 1.0), None);
        }
        for _ in 0..4 {
            assert_eq!(watch.step(2.0, 30.0), None);
            assert!(!watch.healthy());
        }
        let why = watch.step(2.0, 30.0).expect("five in a row");
        assert!(why.contains("gradient norm") && why.contains("30") && why.contains("1.0"), "{why}");
        assert!(watch.step(f64::NAN, 1.0).is_some_and(|why| why.contains("loss is NaN")));
    }
}
