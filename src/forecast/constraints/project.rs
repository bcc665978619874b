//! The motion nearest to a drawn one that keeps hard limits: positions, velocities and accelerations of one channel
//! within bounds, some frames pinned.
//!
//! It is a convex quadratic program: the change of the motion is least, measured by how much its velocities change and,
//! less, its positions. Mehrotra's predictor-corrector method solves it (Nocedal and Wright 2006, "Numerical
//! optimization", 2nd ed., algorithm 16.4); the matrix of a step has five diagonals, so a step takes time linear in the
//! frames.

/// What a change of a position and of a velocity by the same number cost.
const METRIC: [f64; 2] = [0.01, 1.0];
/// Weights of neighbouring frames in positions, velocities and accelerations, the last frame first.
const WEIGHTS: [&[f64]; 3] = [&[1.0], &[1.0, -1.0], &[1.0, -2.0, 1.0]];
/// Steps at most, and what is near enough, in units of the channel's scale.
const STEPS: usize = 80;
const NEAR: f64 = 1e-9;

/// Lowest and highest difference of each order (position, velocity and acceleration in frames), where bounded.
pub(super) type Bounds = [Option<[f64; 2]>; 3];

/// A range that holds all numbers.
pub(super) const ALL: [f64; 2] = [f64::NEG_INFINITY, f64::INFINITY];

/// Room for the motion of one channel, used again for the next.
#[derive(Debug, Default)]
pub(super) struct Projection {
    motion: Vec<f64>,
    /// The two frames before the motion, the last one last.
    past: [f64; 2],
    wanted: Vec<f64>,
    pinned: Vec<bool>,
    /// Order and sign of each one-sided limit, and its bound in each frame: `sign * (difference - bound) >= 0`. An
    /// infinite bound is none.
    sides: Vec<(usize, f64)>,
    bound: Vec<f64>,
    /// Of each side and frame: slack and multiplier, and their steps.
    slack: Vec<f64>,
    multiplier: Vec<f64>,
    slack_step: Vec<f64>,
    multiplier_step: Vec<f64>,
    aim: Vec<f64>,
    /// Residuals of the sides and of the motion, the step of the motion.
    missing: Vec<f64>,
    gradient: Vec<f64>,
    step: Vec<f64>,
    /// Diagonals of a step's matrix, then of its factor.
    bands: [Vec<f64>; 3],
}

impl Projection {
    /// The motion nearest to `wanted` that stays within `bounds` after `past` and in each frame within its own `range`,
    /// and leaves `pinned` frames as they are; `None` where there is none.
    pub(super) fn run(
        &mut self,
        wanted: &[f64],
        past: [f64; 2],
        bounds: &Bounds,
        range: impl Fn(usize) -> [f64; 2],
        pinned: impl Fn(usize) -> bool,
    ) -> Option<&[f64]> {
        self.begin(wanted, past, (bounds, &range), pinned);
        if self.sides.is_empty() || self.missing.iter().all(|gap| *gap >= 0.0) {
            return Some(&self.motion);
        }
        let count = self.slack.len() as f64;
        for _ in 0..STEPS {
            let residual = self.residuals();
            let apart = dot(&self.slack, &self.multiplier) / count;
            if residual < NEAR && apart < NEAR {
                return Some(&self.motion);
            }
            if !(self.factor() && residual.is_finite()) {
                return None;
            }
            // First straight for the bounds, then with what that step would miss.
            for i in 0..self.slack.len() {
                self.aim[i] = -self.slack[i] * self.multiplier[i];
            }
            self.solve();
            let share = self.longest(1.0);
            let after: f64 = (0..self.slack.len())
                .map(|i| {
                    (self.slack[i] + share * self.slack_step[i])
                        * (self.multiplier[i] + share * self.multiplier_step[i])
                })
                .sum();
            let centre = apart * (after / (count * apart)).powi(3);
            for i in 0..self.slack.len() {
                self.aim[i] += centre - self.slack_step[i] * self.multiplier_step[i];
            }
            self.solve();
            let share = self.longest(0.995);
            let go = |to: &mut [f64], step: &[f64]| to.iter_mut().zip(step).for_each(|(to, by)| *to += share * by);
            go(&mut self.motion, &self.step);
            go(&mut self.slack, &self.slack_step);
            go(&mut self.multiplier, &self.multiplier_step);
        }
        None
    }

    fn begin(
        &mut self,
        wanted: &[f64],
        past: [f64; 2],
        (bounds, range): (&Bounds, &dyn Fn(usize) -> [f64; 2]),
        pinned: impl Fn(usize) -> bool,
    ) {
        let frames = wanted.len();
        self.past = past;
        for to in [&mut self.motion, &mut self.wanted] {
            to.clear();
            to.extend_from_slice(wanted);
        }
        self.pinned.clear();
        self.pinned.extend((0..frames).map(pinned));
        self.sides.clear();
        self.bound.clear();
        for (order, bound) in bounds.iter().enumerate() {
            let [low, high] = bound.unwrap_or(ALL);
            for (end, sign) in [1.0, -1.0].into_iter().enumerate() {
                let at = |t: usize| match (order, end) {
                    // Where a pinned frame is, is not decided here.
                    (0, _) if self.pinned[t] => f64::INFINITY,
                    (0, 0) => low.max(range(t)[0]),
                    (0, _) => high.min(range(t)[1]),
                    (_, 0) => low,
                    _ => high,
                };
                if (0..frames).any(|t| at(t).is_finite()) {
                    self.sides.push((order, sign));
                    self.bound.extend((0..frames).map(at));
                }
            }
        }
        let count = self.bound.len();
        for to in [&mut self.slack, &mut self.multiplier, &mut self.missing] {
            to.resize(count, 0.0);
        }
        for to in [&mut self.slack_step, &mut self.multiplier_step, &mut self.aim] {
            to.clear();
            to.resize(count, 0.0);
        }
        for to in [&mut self.gradient, &mut self.step].into_iter().chain(&mut self.bands) {
            to.resize(frames, 0.0);
        }
        for i in 0..count {
            let (order, sign) = self.sides[i / frames];
            (self.missing[i], self.slack[i], self.multiplier[i]) = match self.bound[i].is_finite() {
                false => (0.0, 1.0, 0.0),
                true => {
                    let gap = sign * (difference(order, &self.motion, self.past, i % frames) - self.bound[i]);
                    (gap, gap.max(0.01), 0.01 / gap.max(0.01))
                }
            };
        }
    }

    /// The residuals of the sides and of the motion; the largest of all.
    fn residuals(&mut self) -> f64 {
        let frames = self.motion.len();
        let Self { motion, wanted, past, sides, bound, slack, multiplier, missing, gradient, pinned, .. } = self;
        gradient.fill(0.0);
        for t in 0..frames {
            let moved = |t: usize| motion[t] - wanted[t];
            gradient[t] += METRIC[0] * moved(t);
            let faster = moved(t) - if t > 0 { moved(t - 1) } else { 0.0 };
            gradient[t] += METRIC[1] * faster;
            if t > 0 {
                gradient[t - 1] -= METRIC[1] * faster;
            }
        }
        for (side, (order, sign)) in sides.iter().enumerate() {
            for (t, i) in (0..frames).zip(side * frames..).filter(|(_, i)| bound[*i].is_finite()) {
                missing[i] = sign * (difference(*order, motion, *past, t) - bound[i]) - slack[i];
                spread(*order, t, -sign * multiplier[i], gradient);
            }
        }
        gradient.iter_mut().zip(pinned).filter(|(_, pinned)| **pinned).for_each(|(g, _)| *g = 0.0);
        missing
            .iter()
            .chain(gradient.iter())
            .fold(0.0, |most: f64, r| if r.is_nan() { f64::NAN } else { most.max(r.abs()) })
    }

    /// The matrix of a step and its factor, `L D L^T`; false where it has none.
    fn factor(&mut self) -> bool {
        let frames = self.motion.len();
        let Self { bands, sides, bound, slack, multiplier, pinned, .. } = self;
        let [diagonal, first, second] = bands;
        // `first[t]` is the entry of frames `t` and `t + 1`.
        for t in 0..frames {
            let next = if t + 1 < frames { METRIC[1] } else { 0.0 };
            (diagonal[t], first[t], second[t]) = (METRIC[0] + METRIC[1] + next, -next, 0.0);
        }
        for (side, (order, _)) in sides.iter().enumerate() {
            let weights = WEIGHTS[*order];
            for (t, i) in (0..frames).zip(side * frames..).filter(|(_, i)| bound[*i].is_finite()) {
                let steep = multiplier[i] / slack[i];
                for (a, wa) in weights.iter().enumerate().filter(|(a, _)| *a <= t) {
                    for (b, wb) in weights.iter().enumerate().filter(|(b, _)| *b >= a && *b <= t) {
                        [&mut *diagonal, &mut *first, &mut *second][b - a][t - b] += steep * wa * wb;
                    }
                }
            }
        }
        for t in (0..frames).filter(|t| pinned[*t]) {
            (diagonal[t], first[t], second[t]) = (1.0, 0.0, 0.0);
            if t > 0 {
                first[t - 1] = 0.0;
            }
            if t > 1 {
                second[t - 2] = 0.0;
            }
        }
        for t in 0..frames {
            if !(diagonal[t] > 0.0 && diagonal[t].is_finite()) {
                return false;
            }
            let (f, s) = (first[t], second[t]);
            (first[t], second[t]) = (f / diagonal[t], s / diagonal[t]);
            if t + 1 < frames {
                diagonal[t + 1] -= f * first[t];
                first[t + 1] -= s * first[t];
            }
            if t + 2 < frames {
                diagonal[t + 2] -= s * second[t];
            }
        }
        true
    }

    /// The steps of motion, slack and multipliers towards `aim`.
    fn solve(&mut self) {
        let frames = self.motion.len();
        let Self { bands, sides, bound, slack, multiplier, missing, gradient, step, pinned, aim, .. } = self;
        let [diagonal, first, second] = bands;
        step.iter_mut().zip(gradient.iter()).for_each(|(to, g)| *to = -g);
        for (side, (order, sign)) in sides.iter().enumerate() {
            for (t, i) in (0..frames).zip(side * frames..).filter(|(_, i)| bound[*i].is_finite()) {
                spread(*order, t, sign * (aim[i] - multiplier[i] * missing[i]) / slack[i], step);
            }
        }
        step.iter_mut().zip(pinned).filter(|(_, pinned)| **pinned).for_each(|(to, _)| *to = 0.0);
        for t in 0..frames {
            let to = step[t];
            if t + 1 < frames {
                step[t + 1] -= first[t] * to;
            }
            if t + 2 < frames {
                step[t + 2] -= second[t] * to;
            }
        }
        for t in (0..frames).rev() {
            let after = |by: &[f64], ahead: usize| if t + ahead < frames { by[t] * step[t + ahead] } else { 0.0 };
            step[t] = step[t] / diagonal[t] - after(first, 1) - after(second, 2);
        }
        for (side, (order, sign)) in sides.iter().enumerate() {
            for (t, i) in (0..frames).zip(side * frames..).filter(|(_, i)| bound[*i].is_finite()) {
                self.slack_step[i] = sign * difference(*order, step, [0.0; 2], t) + missing[i];
                self.multiplier_step[i] = (aim[i] - multiplier[i] * self.slack_step[i]) / slack[i];
            }
        }
    }

    /// The longest share of the step, at most 1, that leaves slack and multipliers positive, times `most`.
    fn longest(&self, most: f64) -> f64 {
        let pairs = self.slack.iter().zip(&self.slack_step).chain(self.multiplier.iter().zip(&self.multiplier_step));
        let room = pairs.filter(|(_, by)| **by < 0.0).map(|(at, by)| -most * at / by);
        room.fold(1.0, f64::min)
    }
}

/// The difference of order 0, 1 or 2 at frame `t` of a motion after `past`.
pub(super) fn difference(order: usize, motion: &[f64], past: [f64; 2], t: usize) -> f64 {
    let at = |back: usize| if back <= t { motion[t - back] } else { past[2 + t - back] };
    WEIGHTS[order].iter().enumerate().map(|(back, weight)| weight * at(back)).sum()
}

/// Adds `by` times the derivative of a difference to that of each frame.
fn spread(order: usize, t: usize, by: f64, to: &mut [f64]) {
    WEIGHTS[order].iter().enumerate().filter(|(back, _)| *back <= t).for_each(|(back, w)| to[t - back] += w * by);
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Vec<f64> {
        (0..60).map(|t| 1.4 * (t as f64 * 0.35).sin() + 0.02 * t as f64).collect()
    }

    fn cost(motion: &[f64], wanted: &[f64]) -> f64 {
        let moved: Vec<f64> = motion.iter().zip(wanted).map(|(m, w)| m - w).collect();
        let faster = |t: usize| moved[t] - if t > 0 { moved[t - 1] } else { 0.0 };
        (0..moved.len()).map(|t| METRIC[0] * moved[t].powi(2) + METRIC[1] * faster(t).powi(2)).sum()
    }

    fn kept(motion: &[f64], past: [f64; 2], bounds: &Bounds) -> bool {
        let within = |(order, bound): (usize, &Option<[f64; 2]>)| {
            let [low, high] = bound.unwrap_or(ALL);
            (0..motion.len()).all(|t| (low - 1e-7..high + 1e-7).contains(&difference(order, motion, past, t)))
        };
        bounds.iter().enumerate().all(within)
    }

    #[test]
    fn limits_are_kept_by_the_least_change() {
        let (wanted, past) = (wanted(), [0.0, 0.0]);
        let bounds = [Some([-0.9, 1.3]), Some([-0.3, 0.3]), Some([-0.1, 0.1])];
        let pinned = |t: usize| t == 30 || t == 59;
        // Pinned where the motion may be: elsewhere there is none.
        let mut asked = wanted.clone();
        (asked[30], asked[59]) = (0.4, -0.2);
        let mut projection = Projection::default();
        let found = projection.run(&asked, past, &bounds, |_| ALL, pinned).expect("a motion").to_vec();
        assert!(kept(&found, past, &bounds), "{found:?}");
        assert_eq!((found[30], found[59]), (0.4, -0.2));
        // No motion within the bounds is nearer: neither on the way to another one that keeps them, such as what other
        // motions become.
        let least = cost(&found, &asked);
        for seed in 0..20 {
            let other: Vec<f64> =
                asked.iter().enumerate().map(|(t, w)| w + 0.2 * ((t * (seed + 3)) as f64).sin()).collect();
            let mut other = other;
            (other[30], other[59]) = (0.4, -0.2);
            let other = projection.run(&other, past, &bounds, |_| ALL, pinned).expect("a motion").to_vec();
            let between: Vec<f64> = found.iter().zip(&other).map(|(a, b)| 0.9 * a + 0.1 * b).collect();
            assert!(cost(&between, &asked) > least - 1e-9, "{} {least}", cost(&between, &asked));
            assert!(cost(&other, &asked) > least - 1e-9);
        }
    }

    #[test]
    fn what_keeps_the_limits_stays_and_what_cannot_is_told() {
        let calm: Vec<f64> = (0..40).map(|t| 0.1 * (t as f64 * 0.1).sin()).collect();
        let bounds = [Some([-0.9, 1.3]), Some([-0.3, 0.3]), Some([-0.1, 0.1])];
        let mut projection = Projection::default();
        assert_eq!(projection.run(&calm, [0.0; 2], &bounds, |_| ALL, |_| false), Some(&calm[..]));
        assert_eq!(projection.run(&calm, [5.0; 2], &[None; 3], |_| ALL, |_| false), Some(&calm[..]));
        // Too far in ten frames at 0.3 a frame; from too far outside; too fast to stop before the end of the range.
        let mut far = calm[..10].to_vec();
        far[9] = 1.2;
        let reached = |last: f64, past| {
            let mut asked = far.clone();
            asked[9] = last;
            Projection::default().run(&asked, past, &bounds, |_| ALL, |t| t == 9).is_some()
        };
        assert!(reached(1.0, [0.0; 2]), "ten frames with 0.1 a frame and frame to begin with");
        assert!(!reached(2.9, [0.0; 2]));
        assert!(projection.run(&calm, [1.4, 1.8], &bounds, |_| ALL, |_| false).is_none());
        assert!(projection.run(&calm, [0.95, 1.25], &bounds, |_| ALL, |_| false).is_none());
        assert!(projection.run(&calm, [0.2, 0.5], &bounds, |_| ALL, |_| false).is_some());
    }

    #[test]
    fn a_frame_may_have_a_range_of_its_own() {
        let calm: Vec<f64> = (0..40).map(|t| 0.1 * (t as f64 * 0.1).sin()).collect();
        let range = |t: usize| if (10..14).contains(&t) { [0.5, f64::INFINITY] } else { ALL };
        let bounds = [None, Some([-0.3, 0.3]), Some([-0.02, 0.02])];
        let found = Projection::default().run(&calm, [0.0; 2], &bounds, range, |_| false).expect("a motion").to_vec();
        assert!(kept(&found, [0.0; 2], &bounds) && found[10..14].iter().all(|v| *v > 0.5 - 1e-7), "{found:?}");
        assert!(Projection::default().run(&calm, [0.0; 2], &bounds, range, |t| t == 8).is_none());
    }
}
