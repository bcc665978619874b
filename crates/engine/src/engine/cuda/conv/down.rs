//! Down again: gradients in images and weights.

use super::kernels::Map;
use super::net::{ConvGradients, Net, Numbers, Up, act};
use super::plan::GpuState;
use super::pool::{Array, address};
use crate::engine::conv::Stage;
use crate::error::{Error, Result};
use candle_core::cuda_backend::CudaDevice;
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView};

impl Net {
    /// Down again: gradients of the sum of energies, each times its coefficient `(images,)`, in the images where
    /// `inputs`, and in the weights where the way up was for that.
    ///
    /// # Errors
    /// As [`Net::up`], whose `numbers` these must be.
    #[expect(
        clippy::too_many_lines,
        reason = "one step of the way back after the other, each reading what the one before has left"
    )]
    pub fn down(
        &self,
        device: &CudaDevice,
        up: &Up,
        numbers: &Numbers<'_>,
        coefficients: &CudaView<'_, f32>,
        inputs: bool,
    ) -> Result<ConvGradients> {
        if coefficients.len() != up.images {
            let (found, expected) = (vec![coefficients.len()], format!("{}", up.images));
            return Err(Error::Shape { what: "coefficients of energies", found, expected });
        }
        self.fits(up.images, numbers)?;
        let gpu = GpuState::of(device)?;
        let (k, rows) = (&gpu.kernels, self.rows(&gpu, numbers));
        let activation = act(self.layers.activation);
        let weights: Vec<u64> = numbers.filters.iter().map(|w| address(device, w)).collect();
        let width = self.layers.modulations();
        let of_rows = if up.learns { Some(self.pool.take(device, up.images * width)?) } else { None };
        let mut of_filters: Vec<Option<CudaSlice<f32>>> = weights.iter().map(|_| None).collect();
        let Some(last) = up.stages.last() else { return Err(Error::config("stages", 0, "at least 1")) };
        let mut delta = self.take(&gpu, last.to)?;
        let (head, factors) = (address(device, &numbers.head), address(device, coefficients));
        // SAFETY: maps of these sizes; one coefficient an image and one weight a channel, as was just checked.
        unsafe { k.seed(last.to, [delta.at(), up.last.at(), head, factors], self.rectify()) }?;
        let total = |map: Map, one: u64, other: u64, place: usize| -> Result<()> {
            match &of_rows {
                // SAFETY: maps of this size; the row holds the place.
                Some(sums) => unsafe { k.total(map, [sums.at(), one, other], 0, width, place) },
                None => Ok(()),
            }
        };
        let mut end = weights.len();
        for (i, (stage, kept)) in self.layers.stages.iter().zip(&up.stages).enumerate().rev() {
            let begin = end - kept.filters.len();
            let (from, to) = (kept.from, kept.to);
            let at = kept.before.as_ref().map_or(up.x, |h| h.at());
            let wants = inputs || i > 0;
            let pull = |part: usize, delta: u64, to: u64, add: bool| -> Result<()> {
                let (plan, scratch) = gpu.plan(up.images, kept.filters[part].geometry, self.mode)?;
                // SAFETY: the weights were checked; maps of the filter's sizes, and scratch memory as planned.
                unsafe { plan.input(&gpu.handle, weights[begin + part], delta, to, add, scratch) }
            };
            let mut gather = |part: usize, read: u64, delta: u64| -> Result<()> {
                if !up.learns {
                    return Ok(());
                }
                let (plan, scratch) = gpu.plan(up.images, kept.filters[part].geometry, self.mode)?;
                let to = self.pool.take(device, numbers.filters[begin + part].len())?;
                // SAFETY: maps of the filter's sizes, a gradient as long as its weight, scratch memory as planned.
                unsafe { plan.weight(&gpu.handle, read, delta, to.at(), scratch) }?;
                of_filters[begin + part] = to.keep();
                Ok(())
            };
            delta = match (stage, &kept.inner) {
                (Stage::Block { down, skip, .. }, Some((u, second))) => {
                    let widths = stage.modulations();
                    let whole = Map { size: from.size, ..to };
                    let within = Map { channels: widths[1], ..whole };
                    let gain = kept.first + widths[0] + widths[1];
                    let source = delta.at();
                    let plain = if *down { self.take(&gpu, whole)? } else { delta };
                    let gained = self.take(&gpu, whole)?;
                    let maps = [plain.at(), gained.at(), source, kept.z.at()];
                    // SAFETY: maps of these sizes; the row holds the gain. `plain` may be `source`: a thread reads its
                    // numbers before it writes them.
                    unsafe { k.unfinish(whole, to.size, maps, rows, Some(gain), (activation, *down)) }?;
                    let middle = self.take(&gpu, within)?;
                    pull(1, gained.at(), middle.at(), false)?;
                    if let (Some(second), Some(sums)) = (second, &kept.sums) {
                        total(whole, plain.at(), sums.at(), gain)?;
                        gather(1, second.at(), gained.at())?;
                        total(within, middle.at(), 0, kept.first + widths[0])?;
                    }
                    drop(gained);
                    // SAFETY: maps of this size.
                    unsafe { k.unshift(within, middle.at(), u.at(), activation) }?;
                    if let Some(read) = &kept.read {
                        gather(0, read.at(), middle.at())?;
                    }
                    match skip {
                        Some(_) => {
                            gather(2, at, plain.at())?;
                            let below = self.take(&gpu, from)?;
                            pull(0, middle.at(), below.at(), false)?;
                            total(from, below.at(), 0, kept.first)?;
                            if wants {
                                pull(2, plain.at(), below.at(), true)?;
                            }
                            below
                        }
                        None if up.learns => {
                            let below = self.take(&gpu, from)?;
                            pull(0, middle.at(), below.at(), false)?;
                            total(from, below.at(), 0, kept.first)?;
                            // SAFETY: maps of this size.
                            unsafe { k.add(from, below.at(), plain.at()) }?;
                            below
                        }
                        None => {
                            pull(0, middle.at(), plain.at(), true)?;
                            plain
                        }
                    }
                }
                (Stage::Conv { gained, .. }, _) => {
                    let gain = gained.then_some(kept.first + to.channels);
                    // With a gain, learning needs the gradient before it and behind it.
                    let apart = match up.learns && *gained {
                        true => Some(self.take(&gpu, to)?),
                        false => None,
                    };
                    let maps = match &apart {
                        Some(behind) => [delta.at(), behind.at(), delta.at(), kept.z.at()],
                        None => [0, delta.at(), delta.at(), kept.z.at()],
                    };
                    // SAFETY: maps of this size; the row holds the gain. In place as above.
                    unsafe { k.unfinish(to, to.size, maps, rows, gain, (activation, false)) }?;
                    let sums = apart.as_ref().map_or(&delta, |behind| behind);
                    if up.learns {
                        total(to, delta.at(), 0, kept.first)?;
                        if let (Some(gain), Some(sums)) = (gain, &kept.sums) {
                            total(to, delta.at(), sums.at(), gain)?;
                        }
                        gather(0, kept.read.as_ref().map_or(at, Array::at), sums.at())?;
                    }
                    match (wants, kept.filters[0].framed) {
                        (false, _) => delta,
                        (true, None) => {
                            let below = self.take(&gpu, from)?;
                            pull(0, sums.at(), below.at(), false)?;
                            below
                        }
                        (true, Some(begin)) => {
                            let wide = Map { size: kept.filters[0].geometry.from, ..from };
                            let (framed, below) = (self.take(&gpu, wide)?, self.take(&gpu, from)?);
                            pull(0, sums.at(), framed.at(), false)?;
                            // SAFETY: maps of these sizes.
                            unsafe { k.frame(from, wide.size, begin, [below.at(), framed.at()], true) }?;
                            below
                        }
                    }
                }
                _ => {
                    return Err(Error::data(
                        "what the way up has kept of a block",
                        "that of a convolution",
                        "that of a block",
                    ));
                }
            };
            end = begin;
        }
        let filters = if up.learns { of_filters.into_iter().flatten().collect() } else { Vec::new() };
        Ok(ConvGradients { x: if inputs { delta.keep() } else { None }, filters, rows: of_rows.and_then(Array::keep) })
    }
}
