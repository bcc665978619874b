//! A linear map on its own, for what surrounds a network: contexts, regressions, changes of coordinates.

use super::field::{Aligned, Arena, Field, Tile};
use super::matrix::{Init, Matrix, Product, Then};
use super::small_batch::{self, Forward, Next, SmallBatch, Strip};
use super::team::Member;
use crate::error::{Error, Result};
use crate::simd::Isa;
use std::sync::OnceLock;

/// `y = W x + b`, packed.
#[derive(Debug)]
pub struct Linear {
    isa: Isa,
    outputs: usize,
    inputs: usize,
    /// `(outputs, inputs)`.
    weight: Vec<f32>,
    bias: Aligned,
    wide: OnceLock<Matrix>,
    small_batch: OnceLock<SmallBatch>,
}

impl Linear {
    /// `weight` is `(outputs, inputs)` row-major, `bias` `(outputs,)`.
    ///
    /// # Errors
    /// [`Error::Shape`] when the weight does not fit the bias.
    pub fn new(weight: Vec<f32>, bias: &[f32]) -> Result<Self> {
        let outputs = bias.len();
        if outputs == 0 || weight.is_empty() || !weight.len().is_multiple_of(outputs) {
            let expected = format!("whole rows for {outputs} outputs");
            return Err(Error::Shape { what: "weight of a linear map", found: vec![weight.len()], expected });
        }
        let mut all = Aligned::new(outputs);
        all.as_mut_slice().copy_from_slice(bias);
        let inputs = weight.len() / outputs;
        let (isa, wide, small_batch) = (Isa::best(), OnceLock::new(), OnceLock::new());
        Ok(Self { isa, outputs, inputs, weight, bias: all, wide, small_batch })
    }

    /// Numbers that go out.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Numbers that come in.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The weight, `(outputs, inputs)` row-major.
    pub fn weight(&self) -> &[f32] {
        &self.weight
    }

    /// The bias.
    pub fn bias(&self) -> &[f32] {
        self.bias.as_slice()
    }
}

/// A linear map with the memory to be applied to one tile.
pub(crate) struct Map<'a> {
    linear: &'a Linear,
    tile: Tile,
    small_batch: Option<[Strip; 3]>,
}

impl<'a> Map<'a> {
    pub(crate) fn new(linear: &'a Linear, tile: Tile, arena: &mut Arena) -> Self {
        assert_eq!(linear.isa, tile.isa, "a linear map is packed for the ISA of its tile");
        let chains = tile.chains;
        let small_batch = (chains <= small_batch::CHAINS).then(|| {
            let mut strip = |len: usize| {
                let stride = len.next_multiple_of(64);
                Strip { start: arena.numbers(stride * chains), stride }
            };
            let (x, init, out) = (strip(linear.inputs), strip(linear.outputs), strip(linear.outputs));
            for chain in 0..chains {
                // SAFETY: a strip's row holds the outputs, zeros as yet, and nothing else points there.
                unsafe {
                    std::slice::from_raw_parts_mut(init.row(chain), linear.outputs).copy_from_slice(linear.bias());
                }
            }
            [x, init, out]
        });
        Self { linear, tile, small_batch }
    }

    /// Writes `W x + b` to `y`. All workers call it together; nobody may read `y` before [`Member::barrier`].
    ///
    /// # Safety
    /// Both are fields of this tile. `x` is complete and has at least as many features as the map has inputs; `y` has
    /// at least as many as it has outputs, and nobody else uses it.
    pub(crate) unsafe fn apply(&self, member: &Member<'_>, x: Field, y: Field) {
        let (l, tile) = (self.linear, self.tile);
        let Some([strip, init, out]) = self.small_batch else {
            let row = |o: usize| &l.weight[o * l.inputs..(o + 1) * l.inputs];
            let pack = || Matrix::of_rows(l.isa, l.outputs, l.inputs, row);
            let matrix = l.wide.get_or_init(pack);
            let groups = member.share(matrix.groups());
            let (init, then) = (Init::Bias(l.bias.as_ptr()), Then::Store(y));
            // SAFETY: the caller's word for the fields; the bias has a number an output; groups are this worker's own.
            unsafe { l.isa.call(Product { matrix, groups, tile, x, init, then }) };
            return;
        };
        let pack = || SmallBatch::pack(l.isa, l.outputs, l.inputs, |o, i| l.weight[o * l.inputs + i]);
        let matrix = l.small_batch.get_or_init(pack);
        if member.leads() {
            for chain in 0..tile.chains {
                for i in 0..l.inputs {
                    // SAFETY: a row holds the inputs; only the leader writes it, and a barrier follows before it is
                    // read.
                    unsafe { *strip.row(chain).add(i) = *x.at(0, i).add(chain) };
                }
            }
        }
        member.barrier();
        let (stripes, chains) = (member.share(matrix.stripes()), tile.chains);
        let (mine, next) = (stripes.clone(), Next::Store(out));
        // SAFETY: rows of the three strips are a multiple of 64 numbers, so whole vectors; stripes are this worker's
        // own.
        unsafe { l.isa.call(Forward { matrix, stripes: mine, chains, x: strip, init, next }) };
        for o in matrix.outputs_of(stripes) {
            for chain in 0..if o < l.outputs { chains } else { 0 } {
                // SAFETY: these outputs are this worker's own, which it has just written; the chains fit into one
                // block.
                unsafe { *y.at(0, o).add(chain) = *out.row(chain).add(o) };
            }
        }
    }
}
