//! Arguments of `bench`, and the choice of a device, which other verbs have too.

use clap::Args;
#[cfg(not(feature = "cuda"))]
use ebmotion::Error;
use ebmotion::Result;

/// Arguments of `bench`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ebmotion bench
  ebmotion bench --dims 240,128,128,128,1 --batches 1,16,64 --threads 1
  ebmotion bench forecast --samples 1,64
  ebmotion bench denoising --batches 128
  ebmotion bench train --dims 240,128,128,128,1 --batches 128,1024 --json")]
pub(crate) struct BenchArgs {
    /// What to measure.
    #[arg(value_enum, default_value_t = Workload::Langevin)]
    pub(crate) workload: Workload,
    /// Widths of the network from input to output, the last one 1 (`langevin`, `train`).
    #[arg(long, value_name = "WIDTHS", value_delimiter = ',', default_value = "192,512,512,1")]
    pub(crate) dims: Vec<usize>,
    /// Chains that run at once (`langevin`), windows a step (`train`, `denoising`) [default: 1,16,64,256,1024; 128 for
    /// `denoising`].
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    batches: Option<Vec<usize>>,
    /// Samples of one forecast (`forecast`).
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "1,16,64,1024")]
    pub(crate) samples: Vec<usize>,
    /// Settings of the model (`forecast`, `denoising`).
    #[arg(long, value_name = "NAME", value_parser = ["denoising", "temporal"], default_value = "denoising")]
    pub(crate) preset: String,
    /// Langevin steps of a training step (`train`).
    #[arg(long, default_value_t = 20)]
    pub(crate) steps: usize,
    /// Threads of `langevin` and `forecast`; all cores unless given, as training always takes.
    #[arg(long)]
    pub(crate) threads: Option<usize>,
    /// Where `langevin` runs: `cpu`, or `cuda:0` and so on in a build with the feature `cuda` (GPU.md).
    #[arg(long, default_value = "cpu", value_parser = device)]
    pub(crate) device: Device,
    /// How products are computed on a GPU.
    #[arg(long, value_enum, default_value_t = Precision::F32)]
    pub(crate) precision: Precision,
    /// Runs whose median is told.
    #[arg(long, default_value_t = 7)]
    pub(crate) repeats: usize,
    /// One JSON object a line.
    #[arg(long)]
    pub(crate) json: bool,
}

impl BenchArgs {
    pub(crate) fn batches(&self) -> &[usize] {
        match (&self.batches, self.workload) {
            (Some(given), _) => given,
            (None, Workload::Denoising) => &[128],
            (None, _) => &[1, 16, 64, 256, 1024],
        }
    }
}

/// Where chains and training run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Device {
    /// On the processor.
    Cpu,
    /// On the NVIDIA GPU of this number.
    Cuda(usize),
}

impl Device {
    /// The device for tensors.
    ///
    /// # Errors
    /// [`Error::Config`] that says why there is no such GPU.
    pub(crate) fn open(self) -> Result<candle_core::Device> {
        match self {
            Device::Cpu => Ok(candle_core::Device::Cpu),
            #[cfg(feature = "cuda")]
            Device::Cuda(number) => Ok(ebmotion_engine::engine::cuda::Gpu::open(number)?.device()),
            #[cfg(not(feature = "cuda"))]
            Device::Cuda(number) => {
                let expected = "cpu, or a program built with the feature `cuda` (GPU.md)";
                Err(Error::config("--device", format!("cuda:{number}"), expected))
            }
        }
    }
}

pub(super) fn device(text: &str) -> std::result::Result<Device, String> {
    match text.split_once(':') {
        None if text == "cpu" => Ok(Device::Cpu),
        None if text == "cuda" => Ok(Device::Cuda(0)),
        Some(("cuda", number)) => match number.parse() {
            Ok(number) => Ok(Device::Cuda(number)),
            Err(_) => Err(format!("found GPU number `{number}`, expected 0, 1, ...")),
        },
        _ => Err("expected cpu or cuda:0".into()),
    }
}

/// Precision of products on a GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Precision {
    /// f32 throughout.
    F32,
    /// Matrix units with tf32 inputs.
    Tf32,
    /// Matrix units with bf16 inputs.
    Bf16,
}

/// What `bench` measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Workload {
    /// One Langevin step: energy, input gradient, update, noise.
    Langevin,
    /// A forecast of 100 frames by the default model's network.
    Forecast,
    /// A training step of the paper's recipe.
    Train,
    /// A training step of the default model, or of another preset.
    Denoising,
}
