//! A convolution as one or several sweeps over its outputs, with weights packed in the order in which they are read.
//!
//! A [`Pass`] is a list of taps, each an offset in the source and a matrix of channels. Forwards there is one, with a
//! tap a position of the window. The gradient in the input is one pass for each remainder of the input's position by
//! the stride: with stride 1 a convolution with flipped, transposed weights; with stride 2 four of them, a quarter of
//! the taps each.

use super::super::field::Aligned;
use super::layers::{Filter, Geometry};
use crate::simd::Isa;

/// Blocks of outputs that a sweep computes at once.
pub(super) const GROUP: usize = 2;

/// One sweep's weights and places.
#[derive(Debug)]
pub(super) struct Pass {
    lanes: usize,
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    /// Rows and columns from where an output's source lies to where a tap reads.
    pub(super) taps: Vec<(isize, isize)>,
    /// Source rows and columns from an output to the next.
    pub(super) step: (usize, usize),
    /// Where the first output lies.
    pub(super) first: (usize, usize),
    /// Destination rows and columns from an output to the next.
    pub(super) stride: (usize, usize),
    /// Outputs: rows and columns.
    pub(super) count: (usize, usize),
    /// `[group of output blocks][input][tap][block of the group][lane]`, inputs in blocks:
    /// `[block][tap][input of the block]`.
    numbers: Aligned,
    /// The same for passes of few outputs: `[output][input block][tap][lane]`.
    narrow: Option<Aligned>,
}

/// Outputs up to which a pass sums with an input a lane.
const NARROW: usize = 4;

impl Pass {
    /// The convolution itself.
    pub(super) fn forward(isa: Isa, filter: &Filter, geometry: &Geometry) -> Self {
        let g = geometry;
        let taps: Vec<_> = (0..g.taps()).map(|t| (t / g.kernel.1, t % g.kernel.1)).collect();
        let offset = |(y, x): &(usize, usize)| (*y as isize - g.pad.0 as isize, *x as isize - g.pad.1 as isize);
        let mut pass = Self {
            lanes: isa.lanes(),
            inputs: filter.inputs,
            outputs: filter.outputs,
            taps: taps.iter().map(offset).collect(),
            step: g.stride,
            first: (0, 0),
            stride: (1, 1),
            count: g.to,
            numbers: Aligned::new(0),
            narrow: None,
        };
        pass.pack(|o, i, tap| filter.weight[(o * filter.inputs + i) * g.taps() + tap]);
        pass
    }

    /// The gradient in the input given that in the output.
    pub(super) fn backward(isa: Isa, filter: &Filter, geometry: &Geometry) -> Vec<Self> {
        let g = geometry;
        let remainders = (0..g.stride.0).flat_map(|y| (0..g.stride.1).map(move |x| (y, x)));
        let within = remainders.filter(|(y, x)| *y < g.from.0 && *x < g.from.1);
        let pass = |first: (usize, usize)| {
            let along = |first: usize, pad: usize, kernel: usize, stride: usize| -> Vec<(usize, isize)> {
                let reads = move |k: usize| (first + pad) as isize - k as isize;
                let whole = (0..kernel).filter(|k| reads(*k).rem_euclid(stride as isize) == 0);
                whole.map(|k| (k, reads(k).div_euclid(stride as isize))).collect()
            };
            let rows = along(first.0, g.pad.0, g.kernel.0, g.stride.0);
            let columns = along(first.1, g.pad.1, g.kernel.1, g.stride.1);
            let taps: Vec<_> = rows.iter().flat_map(|y| columns.iter().map(move |x| (*y, *x))).collect();
            let mut pass = Self {
                lanes: isa.lanes(),
                inputs: filter.outputs,
                outputs: filter.inputs,
                taps: taps.iter().map(|(y, x)| (y.1, x.1)).collect(),
                step: (1, 1),
                first,
                stride: g.stride,
                count: ((g.from.0 - first.0).div_ceil(g.stride.0), (g.from.1 - first.1).div_ceil(g.stride.1)),
                numbers: Aligned::new(0),
                narrow: None,
            };
            let weight = |o: usize, i: usize, tap: usize| {
                let (y, x) = taps[tap];
                filter.weight[(i * filter.inputs + o) * g.taps() + y.0 * g.kernel.1 + x.0]
            };
            pass.pack(weight);
            if pass.outputs <= NARROW && pass.inputs >= pass.lanes {
                pass.pack_narrow(weight);
            }
            pass
        };
        within.map(pass).collect()
    }

    /// Pixels beyond the source's sides that a tap may read.
    pub(super) fn margin(&self, source: (usize, usize)) -> usize {
        let beyond = |offset: isize, count: usize, step: usize, size: usize| {
            let last = offset + ((count - 1) * step) as isize;
            (-offset).max(last - (size as isize - 1)).max(0) as usize
        };
        let of = |tap: &(isize, isize)| {
            let rows = beyond(tap.0, self.count.0, self.step.0, source.0);
            rows.max(beyond(tap.1, self.count.1, self.step.1, source.1))
        };
        self.taps.iter().map(of).max().unwrap_or(0)
    }

    /// Groups of output blocks.
    pub(super) fn groups(&self) -> usize {
        self.outputs.div_ceil(self.lanes).div_ceil(GROUP)
    }

    /// Output blocks of a group.
    pub(super) fn size(&self, group: usize) -> usize {
        (self.outputs.div_ceil(self.lanes) - group * GROUP).min(GROUP)
    }

    /// Blocks of inputs.
    pub(super) fn blocks(&self) -> usize {
        self.inputs.div_ceil(self.lanes)
    }

    /// Inputs of a block.
    pub(super) fn live(&self, block: usize) -> usize {
        (self.inputs - block * self.lanes).min(self.lanes)
    }

    /// Where the numbers of a group and a block of inputs begin.
    pub(super) fn begin(&self, group: usize, block: usize) -> usize {
        let before = group * GROUP * self.lanes * self.inputs;
        (before + block * self.lanes * self.size(group) * self.lanes) * self.taps.len()
    }

    /// Where a weight's first tap lies, and how far it is from tap to tap.
    fn place(&self, output: usize, input: usize) -> (usize, usize) {
        let (block, lane) = (output / self.lanes, output % self.lanes);
        let (group, of_group) = (block / GROUP, block % GROUP);
        let (from, within) = (input / self.lanes, input % self.lanes);
        let row = self.size(group) * self.lanes;
        (self.begin(group, from) + within * row + of_group * self.lanes + lane, self.live(from) * row)
    }

    pub(super) fn numbers(&self) -> &[f32] {
        self.numbers.as_slice()
    }

    /// Weights for an input a lane, where there are few outputs: `[output][input block][tap][lane]`.
    pub(super) fn narrow(&self) -> Option<&[f32]> {
        self.narrow.as_ref().map(Aligned::as_slice)
    }

    fn pack_narrow(&mut self, weight: impl Fn(usize, usize, usize) -> f32) {
        let (taps, lanes, blocks) = (self.taps.len(), self.lanes, self.blocks());
        let mut numbers = Aligned::new(self.outputs * blocks * taps * lanes);
        let all = numbers.as_mut_slice();
        for output in 0..self.outputs {
            for input in 0..self.inputs {
                let (block, lane) = (input / lanes, input % lanes);
                for tap in 0..taps {
                    all[((output * blocks + block) * taps + tap) * lanes + lane] = weight(output, input, tap);
                }
            }
        }
        self.narrow = Some(numbers);
    }

    /// Numbers, those between real outputs included.
    pub(super) fn len(&self) -> usize {
        self.outputs.next_multiple_of(self.lanes) * self.inputs * self.taps.len()
    }

    fn pack(&mut self, weight: impl Fn(usize, usize, usize) -> f32) {
        let mut numbers = Aligned::new(self.len());
        let all = numbers.as_mut_slice();
        for output in 0..self.outputs {
            for input in 0..self.inputs {
                let (first, apart) = self.place(output, input);
                for tap in 0..self.taps.len() {
                    all[first + tap * apart] = weight(output, input, tap);
                }
            }
        }
        self.numbers = numbers;
    }

    /// Numbers laid as the weights of a forward pass, as `(outputs, inputs, taps)`.
    pub(super) fn unpack(&self, numbers: &[f32]) -> Vec<f32> {
        let mut weight = Vec::with_capacity(self.outputs * self.inputs * self.taps.len());
        for output in 0..self.outputs {
            for input in 0..self.inputs {
                let (first, apart) = self.place(output, input);
                weight.extend((0..self.taps.len()).map(|tap| numbers[first + tap * apart]));
            }
        }
        weight
    }
}
