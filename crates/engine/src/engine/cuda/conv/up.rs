//! Up through a network.

use super::kernels::{Map, NONE, Places};
use super::net::{Kept, Net, Numbers, Up, act};
use super::plan::{Between, GpuState};
use super::pool::{Array, address};
use crate::engine::conv::Stage;
use crate::error::{Error, Result};
use candle_core::cuda_backend::CudaDevice;
use candle_core::cuda_backend::cudarc::driver::CudaView;
use std::rc::Rc;

impl Net {
    /// Images `x` (channels innermost) up through the network; `learns` where [`Net::down`] is to give the gradient in
    /// the weights. `x` and the weights must stay until then.
    ///
    /// # Errors
    /// [`Error::Shape`] when numbers do not fit the network; [`Error::Tensor`] when the GPU or cuDNN fails.
    #[expect(
        clippy::too_many_lines,
        reason = "one step of a stage after the other, each reading what the one before has left"
    )]
    pub fn up(&self, device: &CudaDevice, x: &CudaView<'_, f32>, numbers: &Numbers<'_>, learns: bool) -> Result<Up> {
        let images = self.check(x, numbers)?;
        let gpu = GpuState::of(device)?;
        let rows = self.rows(&gpu, numbers);
        let activation = act(self.layers.activation);
        let x = address(device, x);
        let mut weights = numbers.filters.iter().map(|w| address(device, w));
        let size = [self.layers.height, self.layers.width];
        let mut from = Map { images, size, channels: self.layers.channels };
        // What the stage before has left: its output, and that with the next block's first bias.
        let (mut before, mut shifted): (Option<Rc<Array>>, Option<Array>) = (None, None);
        let (mut first, mut stages) = (0, Vec::new());
        for (i, stage) in self.layers.stages.iter().enumerate() {
            let at = before.as_ref().map_or(x, |h| h.at());
            let filters: Vec<Between> = stage.filters().into_iter().map(|f| Between::new(f, from.size)).collect();
            let channels = stage.outputs();
            let (height, width) = stage.size((from.size[0], from.size[1]));
            let to = Map { images, size: [height, width], channels };
            let widths = stage.modulations();
            let next_first = first + widths.iter().sum::<usize>();
            let next = matches!(self.layers.stages.get(i + 1), Some(Stage::Block { .. })).then_some(next_first);
            let run = |between: &Between, from: u64, weight: Option<u64>, to: u64| -> Result<()> {
                let (plan, scratch) = gpu.plan(images, between.geometry, self.mode)?;
                // SAFETY: `check` has compared the weights, `take` made the maps; scratch memory as planned.
                unsafe { plan.forward(&gpu.handle, from, weight.unwrap_or_default(), to, scratch) }
            };
            let (mut read, mut inner, mut round, mut places, mut pool) = (None, None, None, Places::default(), false);
            let whole; // the map of the last sums
            let sums = match stage {
                Stage::Conv { gained, .. } => {
                    whole = to;
                    let between = &filters[0];
                    if let Some(begin) = between.framed {
                        let wide = Map { size: between.geometry.from, ..from };
                        let framed = self.take(&gpu, wide)?;
                        // SAFETY: maps of these sizes.
                        unsafe { gpu.kernels.frame(from, wide.size, begin, [framed.at(), at], false) }?;
                        read = Some(framed);
                    }
                    let sums = self.take(&gpu, whole)?;
                    run(between, read.as_ref().map_or(at, Array::at), weights.next(), sums.at())?;
                    places.bias = Some(first);
                    places.gain = gained.then_some(first + channels);
                    sums
                }
                Stage::Block { first: one, skip, down, .. } => {
                    whole = Map { size: from.size, ..to };
                    pool = *down;
                    let shifted = match shifted.take() {
                        Some(shifted) => shifted,
                        None => {
                            let shifted = self.take(&gpu, from)?;
                            // SAFETY: maps of this size; the row begins with this bias.
                            unsafe { gpu.kernels.shift(from, shifted.at(), at, rows, first, NONE) }?;
                            shifted
                        }
                    };
                    let within = Map { channels: one.outputs, ..whole };
                    let (u, second) = (self.take(&gpu, within)?, self.take(&gpu, within)?);
                    run(&filters[0], shifted.at(), weights.next(), u.at())?;
                    // SAFETY: as above.
                    unsafe { gpu.kernels.shift(within, second.at(), u.at(), rows, first + widths[0], activation) }?;
                    let sums = self.take(&gpu, whole)?;
                    run(&filters[1], second.at(), weights.next(), sums.at())?;
                    if skip.is_some() {
                        let way = self.take(&gpu, whole)?;
                        run(&filters[2], at, weights.next(), way.at())?;
                        round = Some(way);
                    }
                    places.gain = Some(first + widths[0] + widths[1]);
                    read = learns.then_some(shifted);
                    inner = Some((u, learns.then_some(second)));
                    sums
                }
            };
            let block = inner.is_some();
            places.next = next;
            let h = Rc::new(self.take(&gpu, to)?);
            shifted = next.map(|_| self.take(&gpu, to)).transpose()?;
            let apart = pool || (learns && places.gain.is_some());
            let (z, sums) = match apart {
                true => (self.take(&gpu, to)?, Some(sums)),
                false => (sums, None),
            };
            let (from_sums, way) = (sums.as_ref().map_or(z.at(), Array::at), round.as_ref().map(Array::at));
            let way = if block { way.unwrap_or(at) } else { 0 };
            let maps = [z.at(), h.at(), shifted.as_ref().map_or(0, Array::at), from_sums, way];
            // SAFETY: maps of these sizes; the row holds the places.
            unsafe { gpu.kernels.finish(to, whole.size, maps, rows, places, (activation, pool)) }?;
            let sums = sums.filter(|_| learns);
            stages.push(Kept { from, to, filters, first, before, read, inner, sums, z });
            if !learns && !matches!(stage, Stage::Conv { .. }) {
                stages[i].before = None;
            }
            (before, from, first) = (Some(h), to, next_first);
        }
        let Some(last) = before else { return Err(Error::config("stages", 0, "at least 1")) };
        let sums = self.pool.take(device, images * from.channels)?;
        // SAFETY: maps of these sizes.
        unsafe { gpu.kernels.total(from, [sums.at(), last.at(), 0], self.rectify(), from.channels, 0) }?;
        Ok(Up { x, images, learns, stages, last, sums })
    }
}
