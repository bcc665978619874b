//! The walks with an accept rule: MALA and HMC. What makes them sound is said at [`Run`].

use super::{Proposal, Run};
use crate::engine::moves::{Back, Drift, Kick, LangevinStep};
use crate::engine::team::Member;
use crate::noise::Draw;

impl Run<'_> {
    pub(super) fn mala(&self, member: &Member<'_>, step: &LangevinStep, steps: usize) {
        let Some(p) = &self.proposed else { return };
        self.first_norms(member);
        for k in 0..steps {
            for unit in self.units(member) {
                let drift = Drift {
                    unit,
                    step: *step,
                    draw: self.draws[2 * k],
                    x: self.x,
                    grad: self.grad,
                    to: p.x,
                    moved: self.moved,
                    slope: self.slope,
                    noise_sq: Some(p.before),
                };
                // SAFETY: the unit is this worker's, and the gradient complete since the last barrier.
                unsafe { self.tile.isa.call(drift) };
            }
            member.barrier();
            // SAFETY: the fields are this run's own, and all workers of the team are here.
            unsafe { self.ready.evaluate(member, p.x, p.grad) };
            for unit in self.units(member) {
                let (x, to, grad) = (self.x, p.x, p.grad);
                let back = Back { unit, step: *step, x, to, grad, noise_sq: p.after, slope: self.slope };
                // SAFETY: the unit is this worker's, and the evaluation has ended with a barrier.
                unsafe { self.tile.isa.call(back) };
            }
            self.accept(member, p, k, &self.draws[2 * k + 1]);
        }
    }

    pub(super) fn hmc(&self, member: &Member<'_>, step: f64, leapfrogs: usize, jitter: f64, steps: usize) {
        let Some(p) = &self.proposed else { return };
        self.first_norms(member);
        for k in 0..steps {
            let draws = &self.draws[3 * k..3 * k + 3];
            for block in member.share(self.tile.blocks()) {
                for lane in 0..self.tile.live(block) {
                    let mut u = [0f64];
                    draws[1].uniform((self.tile.first + block * self.tile.width() + lane) as u64, &mut u);
                    let size = u[0].mul_add(2.0 * jitter * step, step * (1.0 - jitter));
                    // SAFETY: the block is this worker's, the lane within it.
                    unsafe { *p.sizes.at(block, 0).add(lane) = size as f32 };
                }
            }
            member.barrier();
            for left in (0..=leapfrogs).rev() {
                let first = left == leapfrogs;
                for unit in self.units(member) {
                    let kick = Kick {
                        unit,
                        draw: first.then_some(draws[0]),
                        half: first || left == 0,
                        glide: left > 0,
                        sizes: p.sizes,
                        from: if first { self.x } else { p.x },
                        grad: if first { self.grad } else { p.grad },
                        momentum: p.momentum,
                        to: p.x,
                        squares: if first { p.before } else { p.after },
                        slope: self.slope,
                    };
                    // SAFETY: the unit is this worker's; sizes and gradient are complete since the last barrier.
                    unsafe { self.tile.isa.call(kick) };
                }
                if left > 0 {
                    member.barrier();
                    // SAFETY: the fields are this run's own, and all workers of the team are here.
                    unsafe { self.ready.evaluate(member, p.x, p.grad) };
                }
            }
            self.accept(member, p, k, &draws[2]);
        }
    }

    /// The norms of the gradients where chains start, which stay those of chains that do not go.
    fn first_norms(&self, member: &Member<'_>) {
        for block in member.share(self.tile.blocks()) {
            for lane in 0..self.tile.live(block) {
                // SAFETY: the gradient is complete since the last barrier; the block's tally is this worker's.
                unsafe {
                    let square = |f: usize| (*self.grad.at(block, f).add(lane)).powi(2);
                    *self.tally.norm.at(block, 0).add(lane) = (0..self.width).map(square).sum::<f32>().sqrt();
                }
            }
        }
    }

    /// Metropolis' rule, chain by chain; begins before the barrier that makes the proposal's sums whole, ends with one.
    fn accept(&self, member: &Member<'_>, p: &Proposal, k: usize, draw: &Draw) {
        // SAFETY: the last evaluation ended with a barrier; the field is this run's own.
        unsafe { self.ready.settle(member, p.energy) };
        member.barrier();
        let (old, new) = (self.energy[k % 2], self.energy[(k + 1) % 2]);
        for unit in self.units(member) {
            let block = unit.block;
            for lane in 0..self.tile.live(block) {
                // SAFETY: sums and energies are complete, and nobody writes them in this phase. Positions and gradients
                // of the unit, and for group 0 the chain's tally and new energy, are this worker's.
                unsafe {
                    let (before, after) = (*old.at(block, 0).add(lane), *p.energy.at(block, 0).add(lane));
                    let (from, to) = (self.sum(p.before, block, lane), self.sum(p.after, block, lane));
                    let slope = self.sum(self.slope, block, lane);
                    let log = f64::from(before) - f64::from(after) + 0.5 * (f64::from(from) - f64::from(to));
                    let usable = after.is_finite() && slope.is_finite() && from.is_finite() && !log.is_nan();
                    let probability = if usable { log.min(0.0).exp() } else { 0.0 };
                    let mut u = [0f64];
                    draw.uniform((self.tile.first + block * self.tile.width() + lane) as u64, &mut u);
                    let accepted = u[0] < probability;
                    let mut moved = 0.0;
                    if accepted {
                        for f in unit.range() {
                            let (x, to) = (self.x.at(block, f).add(lane), *p.x.at(block, f).add(lane));
                            moved += (to - *x) * (to - *x);
                            *x = to;
                            *self.grad.at(block, f).add(lane) = *p.grad.at(block, f).add(lane);
                        }
                    }
                    *self.moved.at(block, unit.group).add(lane) = moved;
                    if unit.group == 0 {
                        *new.at(block, 0).add(lane) = if accepted { after } else { before };
                        if accepted {
                            *self.tally.norm.at(block, 0).add(lane) = slope.sqrt();
                        }
                        *self.tally.acceptance.at(block, 0).add(lane) += probability as f32;
                    }
                }
            }
        }
        member.barrier();
        for block in member.share(self.tile.blocks()) {
            for lane in 0..self.tile.live(block) {
                // SAFETY: all are complete since the barrier; the block's tally is this worker's.
                unsafe {
                    *self.tally.slope.at(block, 0).add(lane) += *self.tally.norm.at(block, 0).add(lane);
                    *self.tally.moved.at(block, 0).add(lane) += self.sum(self.moved, block, lane).sqrt();
                }
            }
        }
        member.barrier();
    }
}
