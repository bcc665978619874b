//! Kernels on an NVIDIA GPU that more than one layer needs: normal numbers from counters, updates in place.
//!
//! Texts are compiled by NVRTC when a kernel is first asked for.

#![allow(unsafe_code)]

use crate::error::{Error, Result};
use candle_core::cuda_backend::cudarc::driver::sys::CUdevice_attribute_enum as Attribute;
use candle_core::cuda_backend::cudarc::driver::{
    CudaFunction, CudaSlice, CudaView, CudaViewMut, LaunchConfig, PushKernelArg,
};
use candle_core::cuda_backend::cudarc::nvrtc;
use candle_core::cuda_backend::{CudaDevice, WrapErr};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Threads of a block.
const THREADS: u32 = 256;
const DEVICE: &str = include_str!("device.cuh");
const PHILOX: &str = include_str!("philox.cuh");
const KERNELS: &str = include_str!("kernels.cu");

/// What NVRTC compiles for.
///
/// # Errors
/// [`Error::Config`] for a GPU that is too old.
pub fn arch(device: &CudaDevice) -> Result<&'static str> {
    let context = device.cuda_stream().context().clone();
    match context.attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR).w()? {
        ..8 => Err(Error::config("device", "a GPU of an older kind", "compute capability 8.0 or newer")),
        8 => Ok("compute_80"),
        _ => Ok("compute_90"),
    }
}

/// The kernel of a name in a text, given in parts; `module` names the text, which is compiled once a process.
///
/// # Errors
/// [`Error::Tensor`] when it does not compile or load.
pub fn kernel(device: &CudaDevice, module: &str, text: &[&str], name: &str) -> Result<CudaFunction> {
    static COMPILED: Mutex<Option<HashMap<(String, &'static str), String>>> = Mutex::new(None);
    let arch = arch(device)?;
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    let compiled = compiled.get_or_insert_with(HashMap::new);
    let key = (module.to_string(), arch);
    if !compiled.contains_key(&key) {
        let options = nvrtc::CompileOptions { arch: Some(arch), ..Default::default() };
        compiled.insert(key.clone(), nvrtc::compile_ptx_with_opts(text.join("\n"), options).w()?.to_src());
    }
    let ptx = compiled.get(&key).map_or("", String::as_str);
    Ok(device.get_or_load_custom_func(name, &format!("ebmotion-{module}"), ptx)?.into_cuda_function())
}

fn own(device: &CudaDevice, name: &str) -> Result<CudaFunction> {
    // device.cuh asks for the macro, these kernels do not.
    kernel(device, "gpu", &["#define THREADS 256", DEVICE, PHILOX, KERNELS], name)
}

fn over(count: usize) -> LaunchConfig {
    let blocks = count.div_ceil(THREADS as usize).max(1) as u32;
    LaunchConfig { grid_dim: (blocks, 1, 1), block_dim: (THREADS, 1, 1), shared_mem_bytes: 0 }
}

/// Normal numbers of a key's draw for `rows` chains from `first` on, `width` each: those of the CPU to rounding.
///
/// # Errors
/// [`Error::Tensor`].
pub fn normals(
    device: &CudaDevice,
    (key, draw, first): (u64, u32, u64),
    rows: usize,
    width: usize,
) -> Result<CudaSlice<f32>> {
    let kernel = own(device, "normal")?;
    // SAFETY: the kernel launched below writes all of it, and the stream orders whatever reads it later.
    let to = unsafe { device.alloc::<f32>(rows * width) }?;
    let (count, blocks) = (rows as u64, width.div_ceil(4) as u64);
    let wide = width as u64;
    let stream = device.cuda_stream();
    let mut launch = stream.launch_builder(&kernel);
    launch.arg(&to).arg(&key).arg(&draw).arg(&first).arg(&count).arg(&blocks).arg(&wide);
    // SAFETY: the arguments of `normal` in kernels.cu, in order and type. A thread beyond the `count * blocks` blocks
    // of four returns at once, and the last block of a row stops at `wide`, so it writes `rows * width` numbers, which
    // `to` holds.
    unsafe { launch.launch(over(rows * width.div_ceil(4))) }.w()?;
    Ok(to)
}

/// `x <- keep x + add y`, or `keep x + add y^2`.
///
/// # Errors
/// [`Error::Tensor`].
pub fn blend(
    device: &CudaDevice,
    x: &mut CudaViewMut<'_, f32>,
    y: &CudaView<'_, f32>,
    keep: f32,
    add: f32,
    square: bool,
) -> Result<()> {
    let kernel = own(device, "blend")?;
    let (count, square) = (x.len().min(y.len()) as u64, i32::from(square));
    let stream = device.cuda_stream();
    let mut launch = stream.launch_builder(&kernel);
    launch.arg(x).arg(y).arg(&keep).arg(&add).arg(&square).arg(&count);
    // SAFETY: the arguments of `blend` in kernels.cu, in order and type. `count` is the shorter array's length, and
    // threads beyond it return at once; `x` is borrowed mutably, so the arrays do not overlap.
    unsafe { launch.launch(over(count as usize)) }.w()?;
    Ok(())
}

/// `w <- keep w - rate m / (sqrt(v correct) + epsilon)`.
///
/// # Errors
/// [`Error::Tensor`].
pub fn descend(
    device: &CudaDevice,
    w: &mut CudaViewMut<'_, f32>,
    m: &CudaView<'_, f32>,
    v: &CudaView<'_, f32>,
    [keep, rate, correct, epsilon]: [f32; 4],
) -> Result<()> {
    let kernel = own(device, "descend")?;
    let count = w.len().min(m.len()).min(v.len()) as u64;
    let stream = device.cuda_stream();
    let mut launch = stream.launch_builder(&kernel);
    launch.arg(w).arg(m).arg(v).arg(&keep).arg(&rate).arg(&correct).arg(&epsilon).arg(&count);
    // SAFETY: the arguments of `descend` in kernels.cu, in order and type; `count` and borrows as for `blend`.
    unsafe { launch.launch(over(count as usize)) }.w()?;
    Ok(())
}
