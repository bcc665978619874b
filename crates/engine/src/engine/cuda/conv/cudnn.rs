//! One convolution in its three directions, by cuDNN.

use super::geometry::Geometry;
use crate::engine::cuda::Mode;
use crate::engine::cuda::run::need;
use crate::error::{Error, Result};
use candle_core::cuda_backend::cudarc::cudnn::{CudnnError, result, sys};
use candle_core::cuda_backend::cudarc::driver::CudaStream;
use std::ffi::{c_int, c_void};
use std::sync::Arc;

/// Bytes of scratch memory beyond which an algorithm is not taken.
const SCRATCH: usize = 1 << 30;

pub(super) fn failed(error: CudnnError) -> Error {
    Error::Tensor(candle_core::Error::wrap(error))
}

/// cuDNN on one stream. Belongs to the thread that opened it.
pub(super) struct Handle {
    handle: sys::cudnnHandle_t,
    /// Outlives the handle.
    _stream: Arc<CudaStream>,
}

impl Handle {
    pub(super) fn new(stream: Arc<CudaStream>) -> Result<Self> {
        need(&["libcudnn.so.9"])?;
        stream.context().bind_to_thread().map_err(|e| Error::Tensor(candle_core::Error::wrap(e)))?;
        let handle = result::create_handle().map_err(failed)?;
        let opened = Self { handle, _stream: stream.clone() };
        // SAFETY: both are open, and the handle keeps the stream.
        unsafe { result::set_stream(handle, stream.cu_stream() as *mut _) }.map_err(failed)?;
        Ok(opened)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: opened by `new` and by nobody else; what it says when it ends changes nothing.
        let _ = unsafe { result::destroy_handle(self.handle) };
    }
}

/// An algorithm and its scratch memory in bytes.
#[derive(Clone, Copy)]
struct Way<A> {
    algorithm: A,
    bytes: usize,
}

/// A convolution of so many images between places that are known, channels innermost (NHWC, weights OHWI).
pub(super) struct Convolution {
    conv: sys::cudnnConvolutionDescriptor_t,
    x: sys::cudnnTensorDescriptor_t,
    y: sys::cudnnTensorDescriptor_t,
    w: sys::cudnnFilterDescriptor_t,
    forward: Way<sys::cudnnConvolutionFwdAlgo_t>,
    input: Way<sys::cudnnConvolutionBwdDataAlgo_t>,
    weight: Way<sys::cudnnConvolutionBwdFilterAlgo_t>,
}

/// The first deterministic way that cuDNN expects to be fast. Which it is depends on sizes, GPU and version, not on a
/// measurement: a run that goes on computes as it began.
macro_rules! choose {
    ($what:literal, $ask:path, $size:path, $handle:expr, $a:expr, $b:expr, $conv:expr, $c:expr) => {{
        // SAFETY: plain numbers, for which 0 is a value.
        let mut found = [unsafe { std::mem::zeroed() }; 10];
        let mut count: c_int = 0;
        // SAFETY: descriptors are open; there is room for as many answers as are asked for.
        unsafe { $ask($handle, $a, $b, $conv, $c, found.len() as c_int, &mut count, found.as_mut_ptr()) }
            .map_err(failed)?;
        let Some(way) = found.iter().take(count.max(0) as usize).find(|w| usable(w.status, w.determinism, w.memory))
        else {
            return Err(Error::unsupported("cuDNN", $what, "it knows no deterministic way"));
        };
        // SAFETY: descriptors are open, and the algorithm is one that cuDNN has just named for them.
        let bytes = unsafe { $size($handle, $a, $b, $conv, $c, way.algo) }.map_err(failed)?;
        Way { algorithm: way.algo, bytes }
    }};
}

fn usable(status: sys::cudnnStatus_t, determinism: sys::cudnnDeterminism_t, memory: usize) -> bool {
    status == sys::cudnnStatus_t::CUDNN_STATUS_SUCCESS
        && determinism == sys::cudnnDeterminism_t::CUDNN_DETERMINISTIC
        && memory <= SCRATCH
}

const ONE: f32 = 1.0;
const ZERO: f32 = 0.0;

fn number(value: &f32) -> *const c_void {
    std::ptr::from_ref(value).cast()
}

impl Convolution {
    pub(super) fn new(handle: &Handle, images: usize, geometry: &Geometry, mode: Mode) -> Result<Self> {
        let g = geometry;
        let int = |v: usize| v as c_int;
        let layout = sys::cudnnTensorFormat_t::CUDNN_TENSOR_NHWC;
        let kind = sys::cudnnDataType_t::CUDNN_DATA_FLOAT;
        let math = match mode {
            Mode::F32 => sys::cudnnMathType_t::CUDNN_FMA_MATH,
            Mode::Tf32 | Mode::Bf16 => sys::cudnnMathType_t::CUDNN_DEFAULT_MATH, // tf32 from compute capability 8.0 on
        };
        let conv = result::create_convolution_descriptor().map_err(failed)?;
        let [x, y] = [result::create_tensor_descriptor(), result::create_tensor_descriptor()];
        let (x, y) = (x.map_err(failed)?, y.map_err(failed)?);
        let w = result::create_filter_descriptor().map_err(failed)?;
        // SAFETY: the descriptors were just made.
        unsafe {
            let cross = sys::cudnnConvolutionMode_t::CUDNN_CROSS_CORRELATION;
            let ([up, left], [down, right]) = (g.pad.map(int), g.stride.map(int));
            result::set_convolution2d_descriptor(conv, up, left, down, right, 1, 1, cross, kind).map_err(failed)?;
            result::set_convolution_math_type(conv, math).map_err(failed)?;
            let from = [images, g.inputs, g.from[0], g.from[1]].map(int);
            let to = [images, g.outputs, g.to[0], g.to[1]].map(int);
            let taps = [g.outputs, g.inputs, g.kernel[0], g.kernel[1]].map(int);
            result::set_tensor4d_descriptor(x, layout, kind, from).map_err(failed)?;
            result::set_tensor4d_descriptor(y, layout, kind, to).map_err(failed)?;
            result::set_filter4d_descriptor(w, kind, layout, taps).map_err(failed)?;
        }
        let h = handle.handle;
        let forward = choose!(
            "convolve",
            result::get_convolution_forward_algorithm,
            result::get_convolution_forward_workspace_size,
            h,
            x,
            w,
            conv,
            y
        );
        let input = choose!(
            "differentiate a convolution in its input",
            result::get_convolution_backward_data_algorithm,
            result::get_convolution_backward_data_workspace_size,
            h,
            w,
            y,
            conv,
            x
        );
        let weight = choose!(
            "differentiate a convolution in its weight",
            result::get_convolution_backward_filter_algorithm,
            result::get_convolution_backward_filter_workspace_size,
            h,
            x,
            y,
            conv,
            w
        );
        Ok(Self { conv, x, y, w, forward, input, weight })
    }

    /// Bytes of scratch memory that any direction needs.
    pub(super) fn scratch(&self) -> usize {
        self.forward.bytes.max(self.input.bytes).max(self.weight.bytes)
    }

    /// `y = w * x`.
    ///
    /// # Safety
    /// Addresses on the GPU of arrays of the sizes given; scratch memory as [`Convolution::scratch`] says.
    pub(super) unsafe fn forward(&self, handle: &Handle, x: u64, w: u64, y: u64, scratch: u64) -> Result<()> {
        let Way { algorithm, bytes } = self.forward;
        // SAFETY: the caller's word for the arrays; descriptors and handle are open until they are dropped.
        unsafe {
            let (x, w, y, scratch) = (x as *const _, w as *const _, y as *mut _, scratch as *mut _);
            let (one, zero) = (number(&ONE), number(&ZERO));
            result::convolution_forward(
                handle.handle,
                one,
                self.x,
                x,
                self.w,
                w,
                self.conv,
                algorithm,
                scratch,
                bytes,
                zero,
                self.y,
                y,
            )
        }
        .map_err(failed)
    }

    /// `dx = gradient` in the input, added to what is there where `add`.
    ///
    /// # Safety
    /// As [`Convolution::forward`].
    pub(super) unsafe fn input(
        &self,
        handle: &Handle,
        w: u64,
        dy: u64,
        dx: u64,
        add: bool,
        scratch: u64,
    ) -> Result<()> {
        let Way { algorithm, bytes } = self.input;
        let beta = if add { number(&ONE) } else { number(&ZERO) };
        // SAFETY: the caller's word for the arrays; descriptors and handle are open until they are dropped.
        unsafe {
            let (w, dy, dx, scratch) = (w as *const _, dy as *const _, dx as *mut _, scratch as *mut _);
            result::convolution_backward_data(
                handle.handle,
                number(&ONE),
                self.w,
                w,
                self.y,
                dy,
                self.conv,
                algorithm,
                scratch,
                bytes,
                beta,
                self.x,
                dx,
            )
        }
        .map_err(failed)
    }

    /// `dw = gradient` in the weight.
    ///
    /// # Safety
    /// As [`Convolution::forward`].
    pub(super) unsafe fn weight(&self, handle: &Handle, x: u64, dy: u64, dw: u64, scratch: u64) -> Result<()> {
        let Way { algorithm, bytes } = self.weight;
        // SAFETY: the caller's word for the arrays; descriptors and handle are open until they are dropped.
        unsafe {
            let (x, dy, dw, scratch) = (x as *const _, dy as *const _, dw as *mut _, scratch as *mut _);
            let (one, zero) = (number(&ONE), number(&ZERO));
            result::convolution_backward_filter(
                handle.handle,
                one,
                self.x,
                x,
                self.y,
                dy,
                self.conv,
                algorithm,
                scratch,
                bytes,
                zero,
                self.w,
                dw,
            )
        }
        .map_err(failed)
    }
}

impl Drop for Convolution {
    fn drop(&mut self) {
        // SAFETY: made by `new` and used by nobody else.
        unsafe {
            let _ = result::destroy_convolution_descriptor(self.conv);
            let _ = result::destroy_tensor_descriptor(self.x);
            let _ = result::destroy_tensor_descriptor(self.y);
            let _ = result::destroy_filter_descriptor(self.w);
        }
    }
}
