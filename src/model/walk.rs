//! The way from noise to data along a velocity field, in few evaluations.
//!
//! Steps are those of the second-order Adams-Bashforth method, which extrapolates from the velocity of the stop before and so costs
//! one evaluation a step, as Euler's do; for diffusion models this is the pseudo linear multi-step idea of Liu et al. 2022
//! ("Pseudo numerical methods for diffusion models on manifolds", section 3) at order 2. The first step is Euler's.

use crate::error::Result;
use candle_core::Tensor;

/// Noise angle at which walks begin unless told otherwise: nearly all noise.
pub(crate) const FROM: f64 = 1.54;
/// Noise angle at which every walk ends.
pub(crate) const TO: f64 = 0.02;
/// Exponent of the way left by which angles are spaced: below 1 they lie closer together where there is much noise.
const SPACING: f64 = 0.7;

/// A stop of a walk: where the velocity `v` is taken, and the factors of `x <- keep x - pull v + push v_before`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct WalkStop {
    /// Noise angle, or place on the line.
    pub(crate) at: f64,
    /// Multiplies the coordinates.
    pub(crate) keep: f64,
    /// Multiplies the velocity taken here.
    pub(crate) pull: f64,
    /// Multiplies the velocity of the stop before.
    pub(crate) push: f64,
}

impl WalkStop {
    /// Where this stop takes `x`, given the velocity there and that of the stop before (anything finite at the first).
    pub(crate) fn step(&self, x: &Tensor, velocity: &Tensor, before: &Tensor) -> Result<Tensor> {
        Ok((((x * self.keep)? - (velocity * self.pull)?)? + (before * self.push)?)?)
    }
}

/// Steps against the velocity from each of `places` (falling) to the next: one stop less than there are places.
pub(crate) fn multistep(places: &[f64]) -> Vec<WalkStop> {
    let step = |i: usize| places[i] - places[i + 1];
    (0..places.len().saturating_sub(1))
        .map(|i| {
            let push = if i == 0 { 0.0 } else { step(i) * step(i) / (2.0 * step(i - 1)) };
            WalkStop { at: places[i], keep: 1.0, pull: step(i) + push, push }
        })
        .collect()
}

/// Down the noise angles of `x = cos(t) u + sin(t) eps` from `start` in `levels` steps, and a last evaluation that takes away
/// the noise left.
pub(crate) fn circle(start: f64, levels: usize) -> Vec<WalkStop> {
    let left = |i: usize| 1.0 - i as f64 / levels.max(1) as f64;
    let places: Vec<f64> = (0..=levels).map(|i| TO + (start - TO) * left(i).powf(SPACING)).collect();
    let end = places[levels];
    let mut stops = multistep(&places);
    stops.push(WalkStop { at: end, keep: end.cos(), pull: end.sin(), push: 0.0 });
    stops
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Error of a walk along `dx/dt = x` from `t = 1` down to 0.
    fn error(steps: usize, spacing: f64) -> f64 {
        let places: Vec<f64> = (0..=steps).map(|i| (1.0 - i as f64 / steps as f64).powf(spacing)).collect();
        let (mut x, mut before) = (1.0, 0.0);
        for stop in multistep(&places) {
            let velocity = x;
            x = stop.keep * x - stop.pull * velocity + stop.push * before;
            before = velocity;
        }
        (x - (-1f64).exp()).abs()
    }

    #[test]
    fn halving_the_steps_quarters_the_error() {
        for spacing in [0.7, 1.0, 1.5] {
            let ratio = error(100, spacing) / error(200, spacing);
            assert!((3.6..4.4).contains(&ratio), "spacing {spacing}: {ratio}");
        }
    }

    #[test]
    fn a_walk_on_the_circle_spans_its_angles_and_ends_without_noise() {
        for levels in [0, 1, 4, 9] {
            let stops = circle(FROM, levels);
            assert_eq!(stops.len(), levels + 1);
            assert_eq!(stops[0].at, FROM);
            assert!(stops.windows(2).all(|pair| pair[0].at > pair[1].at));
            // With a velocity that never changes all steps together go the whole way.
            let way: f64 = stops[..levels].iter().map(|s| s.pull - s.push).sum();
            let end = if levels == 0 { FROM } else { TO };
            assert!((way - (FROM - end)).abs() < 1e-12);
            assert_eq!((stops[levels].at, stops[levels].keep, stops[levels].pull), (end, end.cos(), end.sin()));
        }
    }
}
