//! What one thread keeps of a GPU, and where convolutions read and write.

use super::cudnn::{Convolution, Handle};
use super::geometry::Geometry;
use super::kernels::Kernels;
use super::pool::address;
use crate::engine::conv::{Filter, Reach};
use crate::engine::cuda::Mode;
use crate::error::Result;
use candle_core::cuda_backend::CudaDevice;
use candle_core::cuda_backend::cudarc::driver::CudaSlice;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// What one thread keeps of a GPU: cuDNN, the kernels, the convolutions that were planned, scratch memory.
pub(super) struct GpuState {
    pub(super) device: CudaDevice,
    pub(super) handle: Handle,
    pub(super) kernels: Kernels,
    pub(super) plans: RefCell<HashMap<(usize, Geometry, bool), Rc<Convolution>>>,
    pub(super) scratch: RefCell<Option<CudaSlice<u8>>>,
}

thread_local! {
    static STATES: RefCell<HashMap<usize, Rc<GpuState>>> = RefCell::default();
}

impl GpuState {
    /// The GPU of a device, opened by this thread's first work on it.
    pub(super) fn of(device: &CudaDevice) -> Result<Rc<Self>> {
        let ordinal = device.cuda_stream().context().ordinal();
        let known = STATES.with(|states| states.borrow().get(&ordinal).cloned());
        if let Some(gpu) = known.filter(|gpu| gpu.device.id() == device.id()) {
            return Ok(gpu);
        }
        let gpu = Rc::new(Self {
            device: device.clone(),
            handle: Handle::new(device.cuda_stream())?,
            kernels: Kernels::new(device)?,
            plans: RefCell::default(),
            scratch: RefCell::default(),
        });
        STATES.with(|states| states.borrow_mut().insert(ordinal, gpu.clone()));
        Ok(gpu)
    }

    /// The convolution of so many images, and the address of the scratch memory that it needs.
    pub(super) fn plan(&self, images: usize, geometry: Geometry, mode: Mode) -> Result<(Rc<Convolution>, u64)> {
        let key = (images, geometry, mode == Mode::F32);
        let known = self.plans.borrow().get(&key).cloned();
        let plan = match known {
            Some(plan) => plan,
            None => {
                let plan = Rc::new(Convolution::new(&self.handle, images, &geometry, mode)?);
                self.plans.borrow_mut().insert(key, plan.clone());
                plan
            }
        };
        let mut scratch = self.scratch.borrow_mut();
        if scratch.as_ref().is_none_or(|s| s.len() < plan.scratch()) {
            // SAFETY: only cuDNN uses it, which writes scratch memory before it reads it.
            *scratch = Some(unsafe { self.device.alloc::<u8>(plan.scratch().max(1)) }?);
        }
        let at = scratch.as_ref().map_or(0, |s| address(&self.device, s));
        Ok((plan, at))
    }
}

/// A filter between the places where it reads and writes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Between {
    pub(super) geometry: Geometry,
    /// Where the image begins within zeros that differ between sides; `None` where cuDNN adds them.
    pub(super) framed: Option<[usize; 2]>,
}

impl Between {
    pub(super) fn new(filter: &Filter, from: [usize; 2]) -> Self {
        let (inputs, outputs) = (filter.inputs, filter.outputs);
        let Reach::Window { kernel, stride } = filter.reach else {
            let geometry = Geometry { inputs, outputs, kernel: from, stride: [1, 1], pad: [0, 0], from, to: [1, 1] };
            return Self { geometry, framed: None };
        };
        let to = from.map(|side| side.div_ceil(stride));
        let all = [0, 1].map(|i| ((to[i] - 1) * stride + kernel).saturating_sub(from[i]));
        // Zeros of cuDNN stand on both sides; the last outputs must need them all.
        let even = (0..2).all(|i| all[i].is_multiple_of(2) && (from[i] + all[i] - kernel) / stride + 1 == to[i]);
        let before = all.map(|zeros| zeros / 2);
        let (pad, from, framed) = match even {
            true => (before, from, None),
            false => ([0, 0], [from[0] + all[0], from[1] + all[1]], Some(before)),
        };
        let geometry = Geometry { inputs, outputs, kernel: [kernel; 2], stride: [stride; 2], pad, from, to };
        Self { geometry, framed }
    }
}
