//! The way from noise to data along a velocity field, in few evaluations.
//!
//! Steps are those of the second-order Adams-Bashforth method, which extrapolates from the velocity of the stop before and so costs
//! one evaluation a step, as Euler's do; for diffusion models this is the pseudo linear multi-step idea of Liu et al. 2022
//! ("Pseudo numerical methods for diffusion models on manifolds", section 3) at order 2. The first step is Euler's, and so is one
//! after noise was drawn anew, since the velocity before it was another path's.

use crate::error::Result;
use crate::noise::Noise;
use candle_core::Tensor;

/// Noise angle at which walks begin unless told otherwise: nearly all noise.
pub(crate) const FROM: f64 = 1.54;
/// Noise angle at which walks end unless told otherwise: nearly no noise.
pub(crate) const TO: f64 = 0.02;
/// Exponent of the way left by which angles are spaced: below 1 they lie closer together where there is much noise.
const SPACING: f64 = 0.7;

/// A stop of a walk: where the velocity `v` is taken, and the factors of `x <- keep x - pull v + push v_before + fresh n`, `n`
/// standard normal.
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
    /// Standard deviation of the noise that is drawn anew.
    pub(crate) fresh: f64,
}

impl WalkStop {
    /// Where this stop takes `x`, given the velocity there and that of the stop before (anything finite at the first).
    /// Noise is drawn where the stop has some, `temperature` times as wide.
    pub(crate) fn step(
        &self,
        x: &Tensor,
        [velocity, before]: [&Tensor; 2],
        temperature: f64,
        noise: &mut Noise,
    ) -> Result<Tensor> {
        let to = (((x * self.keep)? - (velocity * self.pull)?)? + (before * self.push)?)?;
        match self.fresh > 0.0 {
            true => Ok((to + (noise.normal(x.shape(), x.dtype(), x.device())? * (self.fresh * temperature))?)?),
            false => Ok(to),
        }
    }
}

/// What a walk down the noise angles draws anew on its way; by default nothing.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Stirring {
    /// Share of the noise that the path's posterior has from level to level: 0 follows the probability flow, 1 samples
    /// ancestrally.
    pub(crate) churn: f64,
    /// Langevin steps at each level between the first and the last.
    pub(crate) corrections: usize,
    /// Their size, in units of the level's noise variance.
    pub(crate) size: f64,
}

/// Steps against the velocity from each of `places` (falling) to the next: one stop less than there are places.
pub(crate) fn multistep(places: &[f64]) -> Vec<WalkStop> {
    let step = |i: usize| places[i] - places[i + 1];
    (0..places.len().saturating_sub(1))
        .map(|i| {
            let push = extrapolation(step(i), i.checked_sub(1).map(step));
            WalkStop { at: places[i], keep: 1.0, pull: step(i) + push, push, fresh: 0.0 }
        })
        .collect()
}

/// Share of the velocity before in a step of length `way`, where that velocity was taken `before` earlier; without one the step is
/// Euler's.
fn extrapolation(way: f64, before: Option<f64>) -> f64 {
    before.map_or(0.0, |before| way * way / (2.0 * before))
}

/// Down the noise angles of `x = cos(t) u + sin(t) eps` from `start` to `end` in `levels` steps, and a last evaluation that
/// takes away the noise left: it gives the mean of the data that the path may have come from.
///
/// All velocities but the last are taken `guidance` times, which is guidance (Ho & Salimans 2022, "Classifier-free diffusion
/// guidance", eq. 6) away from the standard normal, whose velocity on this path is 0: above 1 what the network says against it
/// is told more strongly.
///
/// With churn a step goes further down than the next level, and fresh noise leads back up to it. Corrections are the Langevin
/// steps of a predictor-corrector sampler (Song et al. 2021, "Score-based generative modeling through stochastic differential
/// equations", algorithm 3) in the energy whose gradient at angle `t` is `x + cot(t) v`.
pub(crate) fn circle((start, end): (f64, f64), levels: usize, guidance: f64, stirring: Stirring) -> Vec<WalkStop> {
    let left = |i: usize| 1.0 - i as f64 / levels.max(1) as f64;
    let places: Vec<f64> = (0..=levels).map(|i| end + (start - end) * left(i).powf(SPACING)).collect();
    let end = places[levels];
    let mut stops = Vec::new();
    let mut stirred = false;
    for i in 0..levels {
        let (t, next) = (places[i], places[i + 1]);
        if i > 0 {
            for _ in 0..stirring.corrections {
                let size = stirring.size * t.sin().powi(2);
                let fresh = (2.0 * size).sqrt();
                stops.push(WalkStop { at: t, keep: 1.0 - size, pull: size / t.tan(), push: 0.0, fresh });
                stirred = true;
            }
        }
        let fresh = stirring.churn * posterior_std(t, next);
        let (keep, down) = match fresh > 0.0 {
            true => {
                let keep = (1.0 - fresh * fresh).sqrt();
                (keep, t - (next.cos() / keep).min(1.0).acos())
            }
            false => (1.0, t - next),
        };
        let push = extrapolation(down, (i > 0 && !stirred).then(|| places[i - 1] - t));
        stops.push(WalkStop { at: t, keep, pull: keep * (down + push), push: keep * push, fresh });
        stirred = fresh > 0.0;
    }
    for stop in &mut stops {
        stop.pull *= guidance;
        stop.push *= guidance;
    }
    stops.push(WalkStop { at: end, keep: end.cos(), pull: end.sin(), push: 0.0, fresh: 0.0 });
    stops
}

/// Standard deviation of the path at angle `s` given the data and the path at the noisier angle `t` (Ho et al. 2020, eq. 7).
pub(crate) fn posterior_std(t: f64, s: f64) -> f64 {
    let kept = (t.cos() / s.cos()).powi(2);
    ((s.sin() / t.sin()).powi(2) * (1.0 - kept)).max(0.0).sqrt()
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

    /// Standard deviation that a walk gives Gaussian data of standard deviation `data`, whose velocity is known: every number
    /// is a sum of independent normal ones, here as the list of their factors.
    fn drawn(data: f64, stops: &[WalkStop]) -> f64 {
        let (mut x, mut before) = (vec![1.0], vec![0.0]);
        for stop in stops {
            let (sin, cos) = stop.at.sin_cos();
            let slope = sin * cos * (1.0 - data * data) / (cos * cos * data * data + sin * sin);
            let velocity: Vec<f64> = x.iter().map(|v| v * slope).collect();
            before.resize(x.len(), 0.0);
            for ((x, v), b) in x.iter_mut().zip(&velocity).zip(&before) {
                *x = stop.keep * *x - stop.pull * v + stop.push * b;
            }
            x.push(stop.fresh);
            before = velocity;
        }
        x.iter().map(|v| v * v).sum::<f64>().sqrt()
    }

    #[test]
    fn walks_with_and_without_fresh_noise_draw_the_data() {
        for (churn, corrections) in [(0.0, 0), (0.5, 0), (1.0, 0), (0.0, 2), (1.0, 2)] {
            let stirring = Stirring { churn, corrections, size: 0.1 };
            for data in [0.3, 1.0, 2.0] {
                let error =
                    |levels: usize| (drawn(data, &circle((1.57, TO), levels, 1.0, stirring)) / data - 1.0).abs();
                let (few, many) = (error(100), error(400));
                assert!(many < 0.03 && (many < 0.6 * few || many < 1e-3), "{stirring:?} of {data}: {few} {many}");
            }
        }
        // Corrections mend what too few steps do wrong.
        let off = |corrections| {
            let stops = circle((1.57, TO), 6, 1.0, Stirring { corrections, size: 0.5, ..Stirring::default() });
            (drawn(0.3, &stops) / 0.3 - 1.0).abs()
        };
        assert!(off(4) < 0.7 * off(0), "{} and {}", off(0), off(4));
        // No churn is the walk without.
        assert_eq!(
            circle((FROM, TO), 4, 1.0, Stirring { churn: 0.0, corrections: 0, size: 1.0 }),
            circle((FROM, TO), 4, 1.0, Stirring::default())
        );
    }

    #[test]
    fn guidance_is_a_power_and_an_early_end_a_mean() {
        // Of a Gaussian everything is known: guided by `g`, its standard deviation `s` becomes `s^g`, and the mean of the data
        // given the path at angle `t` has `cos(t) s^2 / sqrt(cos(t)^2 s^2 + sin(t)^2)`.
        for data in [0.3f64, 0.8, 2.0] {
            for guidance in [0.5, 1.5] {
                let narrowed = drawn(data, &circle((1.57, 0.001), 400, guidance, Stirring::default()));
                assert!((narrowed / data.powf(guidance) - 1.0).abs() < 0.01, "{data} by {guidance}: {narrowed}");
            }
            for end in [0.3f64, 0.8] {
                let mean = drawn(data, &circle((1.57, end), 400, 1.0, Stirring::default()));
                let expected = end.cos() * data * data / (end.cos() * data).hypot(end.sin());
                assert!((mean / expected - 1.0).abs() < 0.01, "{data} to {end}: {mean} for {expected}");
            }
        }
    }

    #[test]
    fn a_walk_on_the_circle_spans_its_angles_and_ends_without_noise() {
        for levels in [0, 1, 4, 9] {
            let stops = circle((FROM, TO), levels, 1.0, Stirring::default());
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
