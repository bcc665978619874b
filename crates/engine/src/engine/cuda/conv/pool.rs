//! Memory on the GPU that is used again and again.

use crate::error::{Error, Result};
use candle_core::cuda_backend::CudaDevice;
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, DevicePtr};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Arrays that nobody uses at the moment, by their length. Work on one GPU is in order, so an array may be given back
/// before the work that reads it is done. Clones share it; it keeps what the largest batches so far have needed.
#[derive(Debug, Clone, Default)]
pub struct Pool(Arc<Mutex<HashMap<usize, Vec<CudaSlice<f32>>>>>);

/// An array on the GPU, which goes back when it is dropped.
#[derive(Debug)]
pub(super) struct Array {
    numbers: Option<CudaSlice<f32>>,
    address: u64,
    pool: Pool,
}

impl Pool {
    /// `length` numbers, whatever stands there.
    pub(super) fn take(&self, device: &CudaDevice, length: usize) -> Result<Array> {
        let found = self.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&length).and_then(Vec::pop);
        let numbers = match found {
            Some(numbers) => numbers,
            // SAFETY: memory of the GPU that nobody here reads: the first work that gets its address writes it.
            None => unsafe { device.alloc::<f32>(length.max(1)) }?,
        };
        let address = address(device, &numbers);
        Ok(Array { numbers: Some(numbers), address, pool: self.clone() })
    }
}

impl Array {
    /// Its place on the GPU.
    pub(super) fn at(&self) -> u64 {
        self.address
    }

    /// The same numbers in memory of their own.
    pub(super) fn copy(&self, device: &CudaDevice) -> Result<CudaSlice<f32>> {
        let Some(numbers) = &self.numbers else {
            return Err(Error::data("array on the GPU", "one that was given away", "one that is here"));
        };
        // SAFETY: the copy below writes all of it before anybody gets it.
        let mut to = unsafe { device.alloc::<f32>(numbers.len()) }?;
        device.memcpy_dtod(numbers, &mut to)?;
        Ok(to)
    }

    /// The array, for good.
    pub(super) fn keep(mut self) -> Option<CudaSlice<f32>> {
        self.numbers.take()
    }
}

impl Drop for Array {
    fn drop(&mut self) {
        if let Some(numbers) = self.numbers.take() {
            let mut free = self.pool.0.lock().unwrap_or_else(PoisonError::into_inner);
            free.entry(numbers.len()).or_default().push(numbers);
        }
    }
}

/// Where an array of the GPU lies. Events are off: one stream orders all work.
pub(super) fn address<T>(device: &CudaDevice, of: &impl DevicePtr<T>) -> u64 {
    of.device_ptr(&device.cuda_stream()).0
}
