//! Elementwise updates of weights, moments and averages in one pass and in place, where tensor operations would make a
//! new tensor for each sign in the formula.

use crate::error::Result;
#[cfg(feature = "cuda")]
use candle_core::CudaStorage;
use candle_core::{CpuStorage, DType, Device, InplaceOp2, InplaceOp3, Layout, Tensor};
#[cfg(feature = "cuda")]
use ebmotion_engine::gpu;

/// `x <- keep x + add y`, or `keep x + add y^2`.
pub(super) struct Blend {
    pub(super) keep: f64,
    pub(super) add: f64,
    pub(super) square: bool,
}

impl Blend {
    /// Updates the weights `x`.
    pub(super) fn apply_to(&self, x: &candle_core::Var, y: &Tensor) -> Result<()> {
        if in_place(&[x.as_tensor(), y]) {
            return Ok(x.as_tensor().inplace_op2(y, self)?);
        }
        let mut moved = x.as_detached_tensor().copy()?;
        self.apply(&mut moved, y)?;
        Ok(x.set(&moved)?)
    }

    /// Updates `x`, which no other tensor may share its numbers with.
    pub(super) fn apply(&self, x: &mut Tensor, y: &Tensor) -> Result<()> {
        if in_place(&[x, y]) {
            return Ok(x.inplace_op2(y, self)?);
        }
        let y = if self.square { y.sqr()? } else { y.clone() };
        *x = ((&*x * self.keep)? + (y * self.add)?)?;
        Ok(())
    }
}

impl InplaceOp2 for Blend {
    fn name(&self) -> &'static str {
        "blend"
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(&self, x: &mut CudaStorage, xl: &Layout, y: &CudaStorage, yl: &Layout) -> candle_core::Result<()> {
        let device = x.device.clone();
        let mut x = x.as_cuda_slice_mut::<f32>()?.slice_mut(range(xl));
        let y = y.as_cuda_slice::<f32>()?.slice(range(yl));
        gpu::blend(&device, &mut x, &y, self.keep as f32, self.add as f32, self.square)
            .map_err(candle_core::Error::wrap)
    }

    fn cpu_fwd(&self, x: &mut CpuStorage, xl: &Layout, y: &CpuStorage, yl: &Layout) -> candle_core::Result<()> {
        macro_rules! blend {
            ($t:ty, $x:expr, $y:expr) => {{
                let (keep, add) = (self.keep as $t, self.add as $t);
                for (x, y) in part_mut($x, xl).iter_mut().zip(part($y, yl)) {
                    *x = keep * *x + add * if self.square { y * y } else { *y };
                }
                Ok(())
            }};
        }
        match (x, y) {
            (CpuStorage::F32(x), CpuStorage::F32(y)) => blend!(f32, x, y),
            (CpuStorage::F64(x), CpuStorage::F64(y)) => blend!(f64, x, y),
            _ => candle_core::bail!("blend of other than f32 or f64"),
        }
    }
}

/// `w <- keep w - rate m / (sqrt(v / correct) + epsilon)`.
pub(super) struct Descend {
    pub(super) keep: f64,
    pub(super) rate: f64,
    pub(super) correct: f64,
    pub(super) epsilon: f64,
}

impl Descend {
    /// The new weights; those in `w` itself where that can be done in place.
    pub(super) fn apply(&self, w: &candle_core::Var, m: &Tensor, v: &Tensor) -> Result<()> {
        if in_place(&[w.as_tensor(), m, v]) {
            return Ok(w.as_tensor().inplace_op3(m, v, self)?);
        }
        let scale = ((v / self.correct)?.sqrt()? + self.epsilon)?;
        let update = ((m * self.rate)? / scale)?;
        Ok(w.set(&((w.as_detached_tensor() * self.keep)? - update)?)?)
    }
}

impl InplaceOp3 for Descend {
    fn name(&self) -> &'static str {
        "descend"
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        w: &mut CudaStorage,
        wl: &Layout,
        m: &CudaStorage,
        ml: &Layout,
        v: &CudaStorage,
        vl: &Layout,
    ) -> candle_core::Result<()> {
        let device = w.device.clone();
        let mut w = w.as_cuda_slice_mut::<f32>()?.slice_mut(range(wl));
        let (m, v) = (m.as_cuda_slice::<f32>()?.slice(range(ml)), v.as_cuda_slice::<f32>()?.slice(range(vl)));
        let numbers = [self.keep, self.rate, 1.0 / self.correct, self.epsilon].map(|n| n as f32);
        gpu::descend(&device, &mut w, &m, &v, numbers).map_err(candle_core::Error::wrap)
    }

    fn cpu_fwd(
        &self,
        w: &mut CpuStorage,
        wl: &Layout,
        m: &CpuStorage,
        ml: &Layout,
        v: &CpuStorage,
        vl: &Layout,
    ) -> candle_core::Result<()> {
        macro_rules! descend {
            ($t:ty, $w:expr, $m:expr, $v:expr) => {{
                let (keep, rate) = (self.keep as $t, self.rate as $t);
                let (correct, epsilon) = (1.0 / self.correct as $t, self.epsilon as $t);
                for ((w, m), v) in part_mut($w, wl).iter_mut().zip(part($m, ml)).zip(part($v, vl)) {
                    *w = keep * *w - rate * m / ((v * correct).sqrt() + epsilon);
                }
                Ok(())
            }};
        }
        match (w, m, v) {
            (CpuStorage::F32(w), CpuStorage::F32(m), CpuStorage::F32(v)) => descend!(f32, w, m, v),
            (CpuStorage::F64(w), CpuStorage::F64(m), CpuStorage::F64(v)) => descend!(f64, w, m, v),
            _ => candle_core::bail!("descent of other than f32 or f64"),
        }
    }
}

fn in_place(all: &[&Tensor]) -> bool {
    let dtype = all[0].dtype();
    let same = all.iter().all(|t| t.is_contiguous() && t.dtype() == dtype);
    let everywhere = |place: fn(&Device) -> bool| all.iter().all(|t| place(t.device()));
    match dtype {
        DType::F32 => same && (everywhere(Device::is_cpu) || cfg!(feature = "cuda") && everywhere(Device::is_cuda)),
        DType::F64 => same && everywhere(Device::is_cpu),
        _ => false,
    }
}

#[cfg(feature = "cuda")]
fn range(of: &Layout) -> std::ops::Range<usize> {
    of.start_offset()..of.start_offset() + of.shape().elem_count()
}

fn part<'a, T>(all: &'a [T], layout: &Layout) -> &'a [T] {
    &all[layout.start_offset()..layout.start_offset() + layout.shape().elem_count()]
}

fn part_mut<'a, T>(all: &'a mut [T], layout: &Layout) -> &'a mut [T] {
    &mut all[layout.start_offset()..layout.start_offset() + layout.shape().elem_count()]
}
