//! Compiling, loading and launching on the GPU.

use super::{Device, Job, Mode};
use crate::engine::{ChainStart, LangevinStep, Program};
use crate::error::{Error, Result};
use crate::gpu::{arch, kernel};
use crate::noise::Noise;
use candle_core::cuda_backend::cudarc::driver::sys as driver;
use candle_core::cuda_backend::cudarc::driver::sys::CUdevice_attribute_enum as Attribute;
use candle_core::cuda_backend::cudarc::driver::sys::CUfunction_attribute_enum as FunctionAttribute;
use candle_core::cuda_backend::cudarc::driver::{LaunchConfig, PushKernelArg};
use candle_core::cuda_backend::{CudaDevice, WrapErr};
use std::ffi::CString;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Threads of a block.
const THREADS: usize = 256;
/// Where NVIDIA's installers put libraries; `CUDA_LIBS` (folders with colons between) comes first.
const FOLDERS: [&str; 2] = ["/usr/local/cuda/lib64", "/usr/local/nvidia/lib64"];

/// A GPU, opened.
#[derive(Debug, Clone)]
pub struct Gpu {
    device: CudaDevice,
    limits: Device,
}

impl Gpu {
    /// The GPU number `ordinal`.
    ///
    /// # Errors
    /// [`Error::Config`] naming the library that is missing, or what the driver says.
    pub fn open(ordinal: usize) -> Result<Self> {
        need(&["libcuda.so.1", "libcublasLt.so.13", "libcublas.so.13", "libcurand.so.10", "libnvrtc.so.13"])?;
        // The driver's loader panics where a library has no such function.
        let opened = std::panic::catch_unwind(|| candle_core::Device::new_cuda(ordinal));
        let device = match opened {
            Ok(Ok(candle_core::Device::Cuda(device))) => device,
            Ok(Err(e)) => return Err(Error::config("device", format!("cuda:{ordinal}: {e}"), "a GPU that opens")),
            Ok(Ok(_)) | Err(_) => return Err(Error::config("device", format!("cuda:{ordinal}"), "a GPU that opens")),
        };
        // SAFETY: candle and this crate put all work on this device into its one stream, so no event needs to order it.
        unsafe { device.disable_event_tracking() };
        let context = device.cuda_stream().context().clone();
        let read = |attribute| context.attribute(attribute).w().map(|v| v.max(0) as usize);
        let limits = Device {
            shared_bytes: read(Attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)?,
            multiprocessors: read(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?,
        };
        arch(&device)?; // refuses a GPU that is too old
        keep_memory(&device)?;
        Ok(Self { device, limits })
    }

    /// The GPU for candle's tensors, on the stream that [`run`] uses.
    pub fn device(&self) -> candle_core::Device {
        candle_core::Device::Cuda(self.device.clone())
    }
}

/// Memory that was freed stays with the process: by default every wait for the GPU gives it back, and the next step
/// asks anew.
fn keep_memory(device: &CudaDevice) -> Result<()> {
    let mut pool = std::ptr::null_mut();
    let mut all = u64::MAX;
    let gpu = device.cuda_stream().context().cu_device();
    // SAFETY: the device is open, and both pointers are to variables that live as long as the calls; the attribute is a
    // number of 64 bits.
    unsafe {
        driver::cuDeviceGetDefaultMemPool(&mut pool, gpu).result().w()?;
        let threshold = driver::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
        driver::cuMemPoolSetAttribute(pool, threshold, (&raw mut all).cast()).result().w()?;
    }
    Ok(())
}

/// Where chains on a GPU ended; what the walk was like is not measured there.
#[derive(Debug, Clone, PartialEq)]
pub struct GpuFinish {
    /// `(B, F)`.
    pub x: Vec<f32>,
    /// `(B,)`.
    pub energy: Vec<f32>,
    /// `(B, F)`.
    pub grad: Vec<f32>,
}

/// Unadjusted Langevin chains on the GPU, as [`crate::engine::run`] runs them on the CPU; clip and bounds are those of
/// the first step. `None` where the program is not one that the kernel takes.
///
/// # Errors
/// [`Error::Shape`] when the start does not fit; [`Error::NonFinite`] naming the step at which a chain diverges;
/// [`Error::Tensor`] when the GPU or its compiler fails.
#[expect(clippy::too_many_lines, reason = "one launch, with its arrays and arguments in the order of the kernel")]
pub fn run(
    gpu: &Gpu,
    program: &Program,
    steps: &[LangevinStep],
    start: ChainStart<'_>,
    noise: &mut Noise,
    mode: Mode,
) -> Result<Option<GpuFinish>> {
    let width = program.width();
    let chains = start.x.len() / width.max(1);
    if chains == 0 || start.x.len() != chains * width {
        let expected = format!("whole rows of {width} numbers");
        return Err(Error::Shape { what: "start of chains", found: vec![start.x.len()], expected });
    }
    let Some(job) = Job::new(program, chains, mode, THREADS, gpu.limits)? else { return Ok(None) };
    let first = noise.clone().next_draw().place(0);
    for _ in steps {
        noise.next_draw();
    }
    let text = job.text(Job::DEVICE);
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    let name = format!("langevin-{:016x}", hasher.finish());
    let device = &gpu.device;
    let function = kernel(device, &name, &[&text], "langevin")?;
    function
        .set_attribute(FunctionAttribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, job.shared_bytes as i32)
        .w()?;
    let some = |values: &[f32]| if values.is_empty() { vec![0.0] } else { values.to_vec() };
    let schedule: Vec<f32> = steps.iter().flat_map(|s| [s.step, s.noise]).collect();
    let wide = device.clone_htod(&some(&job.weights))?;
    let narrow = device.clone_htod(&job.weights.iter().map(|w| bf16(*w)).collect::<Vec<u16>>())?;
    let biases = device.clone_htod(&job.biases)?;
    let head = device.clone_htod(&job.head)?;
    let rows_first = device.clone_htod(&some(&job.first))?;
    let constants = device.clone_htod(&some(&job.constants))?;
    let rows = device.clone_htod(&some(&job.rows))?;
    let schedule = device.clone_htod(&some(&schedule))?;
    let x = device.clone_htod(start.x)?;
    let energy = device.clone_htod(&vec![0f32; chains])?;
    let grad = device.clone_htod(&vec![0f32; start.x.len()])?;
    let bad = device.clone_htod(&[i32::MAX])?;
    let (clip, (low, high)) = match steps.first() {
        Some(s) => (s.clip.unwrap_or(f32::INFINITY), s.bounds.unwrap_or((f32::NEG_INFINITY, f32::INFINITY))),
        None => (f32::INFINITY, (f32::NEG_INFINITY, f32::INFINITY)),
    };
    let (count, number) = (chains as i64, steps.len() as i32);
    let stream = device.cuda_stream();
    let mut launch = stream.launch_builder(&function);
    match mode {
        Mode::Bf16 => launch.arg(&narrow),
        Mode::F32 | Mode::Tf32 => launch.arg(&wide),
    };
    launch.arg(&biases).arg(&head).arg(&rows_first).arg(&constants).arg(&rows).arg(&schedule);
    launch.arg(&x).arg(&energy).arg(&grad).arg(&bad);
    launch.arg(&job.head_bias).arg(&job.factor).arg(&clip).arg(&low).arg(&high);
    launch.arg(&first.key).arg(&first.draw).arg(&first.chain).arg(&count).arg(&number);
    let shape = LaunchConfig {
        grid_dim: (job.blocks as u32, 1, 1),
        block_dim: (job.threads as u32, 1, 1),
        shared_mem_bytes: job.shared_bytes as u32,
    };
    // SAFETY: the arguments are those of the kernel in chain.cu, in order and type; every array is as long as the job
    // says.
    unsafe { launch.launch(shape) }.w()?;
    let bad = device.clone_dtoh(&bad)?[0];
    if bad < i32::MAX {
        return Err(Error::NonFinite { what: "a chain\'s energy".into(), value: f64::NAN, step: bad as u64 });
    }
    Ok(Some(GpuFinish {
        x: device.clone_dtoh(&x)?,
        energy: device.clone_dtoh(&energy)?,
        grad: device.clone_dtoh(&grad)?,
    }))
}

/// Rounded to the nearest bf16, ties to even.
fn bf16(value: f32) -> u16 {
    let bits = value.to_bits();
    (bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16) as u16
}

/// Opens libraries ahead of cudarc, which panics where one is missing.
///
/// # Errors
/// [`Error::Config`] naming the first that is missing.
pub(super) fn need(libraries: &[&str]) -> Result<()> {
    match libraries.iter().find(|library| !open(library)) {
        None => Ok(()),
        Some(library) => {
            let expected = "a machine with NVIDIA's driver, CUDA 13 and, for images, cuDNN 9 \
                            (CUDA_LIBS names folders of libraries)";
            Err(Error::config("device", format!("a GPU, but no {library}"), expected))
        }
    }
}

/// Opens a library by name, or else by its path in the usual folders, so that the loader finds it open when cudarc asks
/// for the bare name.
fn open(library: &str) -> bool {
    unsafe extern "C" {
        fn dlopen(file: *const std::ffi::c_char, flags: std::ffi::c_int) -> *mut std::ffi::c_void;
    }
    const NOW_GLOBAL: std::ffi::c_int = 2 | 0x100;
    let given = std::env::var("CUDA_LIBS").unwrap_or_default();
    let folders = given.split(':').filter(|f| !f.is_empty()).chain(FOLDERS);
    let paths = std::iter::once(library.to_string()).chain(folders.map(|f| format!("{f}/{library}")));
    paths.filter_map(|path| CString::new(path).ok()).any(|path| {
        // SAFETY: `dlopen` is declared as the C library has it; a string that ends with 0, and flags that it knows.
        // What it runs are the initialisers of NVIDIA's own libraries.
        !unsafe { dlopen(path.as_ptr(), NOW_GLOBAL) }.is_null()
    })
}
