//! The energy on an NVIDIA GPU, by [`ebmotion_engine::engine::cuda::conv`].

use super::energy::ConvEnergy;
use super::graph::pick;
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView};
use candle_core::cuda_backend::{CudaDevice, CudaStorage};
use candle_core::op::BackpropOp;
use candle_core::{DType, Device, Shape, Storage, Tensor};
use ebmotion::energy::{Energy, Evaluated};
use ebmotion::{Error, Result};
use ebmotion_engine::engine::cuda::Mode;
use ebmotion_engine::engine::cuda::conv::{ConvGradients, Net, Numbers, Up};

/// An energy with its weights laid as the GPU reads them and a context for each image, ready for many evaluations. It
/// does not follow the network when that learns.
#[derive(Debug)]
pub struct OnGpu {
    network: Net,
    device: CudaDevice,
    /// `(O, rows, columns, I)` each, contiguous.
    filters: Vec<Tensor>,
    /// `(1, C)`, `(1,)`.
    head: Tensor,
    head_bias: Tensor,
    /// `(B, M)` or `(1, M)`.
    rows: Tensor,
    channels: usize,
}

/// Calls `work` with the numbers of contiguous f32 tensors on the GPU.
fn with<T>(tensors: &[&Tensor], work: impl FnOnce(Vec<CudaView<'_, f32>>) -> Result<T>) -> Result<T> {
    let held: Vec<_> = tensors.iter().map(|t| t.storage_and_layout()).collect();
    let mut views = Vec::with_capacity(held.len());
    for (storage, layout) in &held {
        let (Storage::Cuda(storage), Some((first, last))) = (&**storage, layout.contiguous_offsets()) else {
            return Err(Error::data("array for the GPU", "one elsewhere, or in pieces", "one there, in one piece"));
        };
        views.push(storage.as_cuda_slice::<f32>()?.slice(first..last));
    }
    work(views)
}

/// A part that the GPU should have had or given.
fn missing(part: &str) -> Error {
    Error::data("arrays on the GPU", format!("none for {part}"), "one")
}

fn tensor(numbers: CudaSlice<f32>, shape: impl Into<Shape>, device: &CudaDevice) -> Tensor {
    let storage = CudaStorage::wrap_cuda_slice(numbers, device.clone());
    Tensor::from_storage(Storage::Cuda(storage), shape, BackpropOp::none(), false)
}

/// Channels innermost, `(B, H, W, C)`, and back.
fn inwards(x: &Tensor) -> Result<Tensor> {
    Ok(x.permute((0, 2, 3, 1))?.contiguous()?)
}

fn outwards(x: &Tensor) -> Result<Tensor> {
    Ok(x.permute((0, 3, 1, 2))?.contiguous()?)
}

impl OnGpu {
    fn numbers<T>(
        &self,
        more: &[&Tensor],
        work: impl FnOnce(Numbers<'_>, &[CudaView<'_, f32>]) -> Result<T>,
    ) -> Result<T> {
        let own = self.filters.iter().chain([&self.head, &self.rows]);
        let all: Vec<&Tensor> = own.chain(more.iter().copied()).collect();
        with(&all, |mut views| {
            let more = views.split_off(self.filters.len() + 2);
            let (Some(rows), Some(head)) = (views.pop(), views.pop()) else {
                return Err(missing("the head"));
            };
            work(Numbers { filters: views, head, rows, each: self.rows.dims()[0] > 1 }, &more)
        })
    }

    /// Energies `(B,)` of a batch that has gone up.
    fn energies(&self, up: &Up, count: usize) -> Result<Tensor> {
        let sums = tensor(up.sums(&self.device)?, (count, self.channels), &self.device);
        Ok(sums.matmul(&self.head.t()?)?.broadcast_add(&self.head_bias)?.squeeze(1)?)
    }

    fn value_and_gradient(&self, x: &Tensor) -> Result<Evaluated> {
        let (count, images) = (x.dim(0)?, inwards(&x.detach())?);
        let ones = Tensor::ones(count, DType::F32, x.device())?;
        let (up, gradients) = self.numbers(&[&images, &ones], |numbers, more| {
            let up = self.network.up(&self.device, &more[0], &numbers, false)?;
            let down = self.network.down(&self.device, &up, &numbers, &more[1], true)?;
            Ok((up, down))
        })?;
        let Some(grad) = gradients.x else { return Err(missing("the gradient in the images")) };
        let grad = outwards(&tensor(grad, images.shape(), &self.device))?;
        Ok(Evaluated { energy: self.energies(&up, count)?, grad })
    }

    /// Energies on the CPU, then gradients of their sum times the coefficients that `coefficients` makes of them.
    fn weight_gradients(
        &self,
        x: &Tensor,
        coefficients: &mut dyn FnMut(&[f32]) -> Result<Vec<f32>>,
    ) -> Result<(Tensor, ConvGradients)> {
        let (count, images) = (x.dim(0)?, inwards(&x.detach())?);
        let up = self.numbers(&[&images], |numbers, more| self.network.up(&self.device, &more[0], &numbers, true))?;
        let factors = coefficients(&self.energies(&up, count)?.to_vec1::<f32>()?)?;
        if factors.len() != count {
            let (found, expected) = (vec![factors.len()], format!("{count}"));
            return Err(Error::Shape { what: "coefficients of energies", found, expected });
        }
        let factors = Tensor::from_vec(factors, count, x.device())?;
        let gradients =
            self.numbers(&[&factors], |numbers, more| self.network.down(&self.device, &up, &numbers, &more[0], false))?;
        let sums = tensor(up.sums(&self.device)?, (count, self.channels), &self.device);
        // `images` has stayed until here, as the way down reads it.
        drop(images);
        Ok((factors.unsqueeze(0)?.matmul(&sums)?, gradients))
    }
}

impl Energy for OnGpu {
    fn energy(&self, x: &Tensor) -> Result<Tensor> {
        let images = inwards(&x.detach())?;
        let up = self.numbers(&[&images], |numbers, more| self.network.up(&self.device, &more[0], &numbers, false))?;
        self.energies(&up, x.dim(0)?)
    }

    fn evaluate(&self, x: &Tensor) -> Result<Evaluated> {
        self.value_and_gradient(x)
    }
}

impl ConvEnergy {
    /// The energy as it is now, given a context, on the GPU that the weights lie on. Convolutions know f32 and tf32:
    /// [`Mode::Bf16`] computes as [`Mode::Tf32`] here.
    ///
    /// # Errors
    /// [`Error::Data`] where they lie elsewhere or are not f32; [`Error::Tensor`].
    pub fn on_gpu(&self, context: Option<&Tensor>, mode: Mode) -> Result<OnGpu> {
        let (Device::Cuda(device), DType::F32) = (self.head.device(), self.head.dtype()) else {
            let found = format!("{:?} on {:?}", self.head.dtype(), self.head.device().location());
            return Err(Error::data("network for images on a GPU", found, "f32 on that GPU"));
        };
        let (mut filters, mut stages) = (Vec::new(), Vec::new());
        for stage in &self.stages {
            for filter in &stage.filters {
                filters.push(inwards(&filter.effective(false)?)?);
            }
            stages.extend(stage.shape.plain(vec![Vec::new(); stage.filters.len()]));
        }
        let network = Net::new(self.layers(stages, Vec::new(), 0.0), mode, self.pool.clone());
        let rows = self.row_tensor(context)?.contiguous()?;
        let (head, head_bias) = (pick(&self.head, false).contiguous()?, pick(&self.head_bias, false));
        let channels = head.dim(1)?;
        Ok(OnGpu { network, device: device.clone(), filters, head, head_bias, rows, channels })
    }

    /// True where the GPU computes: f32 there.
    pub(super) fn carded(&self, x: &Tensor) -> bool {
        let there = |t: &Tensor| t.dtype() == DType::F32 && t.device().is_cuda();
        there(x) && there(self.head.as_tensor())
    }

    pub(super) fn evaluate_card(&self, x: &Tensor, context: Option<&Tensor>) -> Result<Evaluated> {
        self.on_gpu(context, Mode::Tf32)?.value_and_gradient(x)
    }

    /// As [`ebmotion::model::Network::learn`], on the GPU that the weights lie on, in a precision to be chosen.
    ///
    /// # Errors
    /// As there, and as [`ConvEnergy::on_gpu`].
    pub fn learn_at(
        &self,
        x: &Tensor,
        context: Option<&Tensor>,
        mode: Mode,
        coefficients: &mut dyn FnMut(&[f32]) -> Result<Vec<f32>>,
    ) -> Result<Vec<Tensor>> {
        let network = self.on_gpu(context, mode)?;
        let (mut sum, count) = (0.0, x.dim(0)?);
        let (head, gradients) = network.weight_gradients(x, &mut |energies| {
            let factors = coefficients(energies)?;
            sum = factors.iter().sum::<f32>();
            Ok(factors)
        })?;
        let Some(rows) = gradients.rows else { return Err(missing("the gradient in the modulations")) };
        let width = rows.len() / count;
        let images = tensor(rows, (count, width), &network.device);
        let shapes = network.filters.iter().map(Tensor::shape);
        let mut filters = gradients.filters.into_iter().zip(shapes);
        self.gather(&images, context, vec![head, Tensor::new(&[sum], x.device())?], |filter| {
            let (numbers, shape) = filters.next().ok_or_else(|| missing("a filter's gradient"))?;
            filter.pull_back(outwards(&tensor(numbers, shape, &network.device))?)
        })
    }
}
