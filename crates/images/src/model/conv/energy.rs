//! The network: its weights, and which way its figures are computed.

use super::config::{ConvConfig, FilterShape, StageShape};
use candle_core::{DType, Device, Tensor, Var};
use ebmotion::energy::{ConditionalEnergy, Evaluated};
use ebmotion::model::SpectralNorm;
use ebmotion::model::{Network, Parameters};
use ebmotion::noise::Noise;
use ebmotion::{Error, Result};
use ebmotion_engine::engine::conv::{ImageTerm, Room};
use ebmotion_engine::engine::{Program, Term};

/// Standard deviation of the weights that start near zero.
pub(super) const NEAR_ZERO: f64 = 1e-10;
/// Power iterations of a fresh network, so that its first norms are about right.
pub(super) const FIRST_ITERATIONS: usize = 5;

/// One convolution's weight `(O, I, rows, columns)`.
#[derive(Debug, Clone)]
pub(super) struct Filter {
    pub(super) shape: FilterShape,
    pub(super) weight: Var,
    pub(super) spectral: Option<SpectralNorm>,
}

/// A stage's weights.
#[derive(Debug, Clone)]
pub(super) struct Stage {
    pub(super) shape: StageShape,
    pub(super) filters: Vec<Filter>,
    /// `(M,)`: biases and gains without a context.
    pub(super) modulation: Var,
    /// `(M, C)`: what the context adds to them.
    pub(super) context: Option<Var>,
}

/// The energy of images `(B, channels, height, width)`, given a context `(B, C)` where the network has one: a class as
/// a row of zeros and a one, or any numbers.
///
/// The context acts by a linear map on biases and gains: on the bias that a block adds before each of its convolutions
/// and the gain after its second one, and on bias and gain after a convolution that stands alone.
#[derive(Debug, Clone)]
pub struct ConvEnergy {
    pub(super) config: ConvConfig,
    pub(super) parameters: Parameters,
    pub(super) stages: Vec<Stage>,
    /// `(1, channels)`.
    pub(super) head: Var,
    /// `(1,)`.
    pub(super) head_bias: Var,
    /// Memory of the engine, which outlives the weights of one step; clones share it.
    pub(super) room: Room,
    /// The same on a GPU.
    #[cfg(feature = "cudnn")]
    pub(super) pool: ebmotion_engine::engine::cuda::conv::Pool,
}

impl ConvEnergy {
    /// A network with weights drawn from `noise`: uniform in `+-sqrt(1 / fan_in)` (He et al. 2015 with a = sqrt 5), the
    /// second convolution of a block near zero, biases 0, gains 1, no effect of the context.
    ///
    /// # Errors
    /// As [`ConvConfig::check`]; [`Error::Tensor`].
    pub fn new(config: ConvConfig, noise: &mut Noise, dtype: DType, device: &Device) -> Result<Self> {
        config.check()?;
        let mut parameters = Parameters::default();
        let mut stages = Vec::new();
        let mut channels = config.channels;
        for (i, shape) in config.shapes().into_iter().enumerate() {
            let mut filters = Vec::new();
            for f in &shape.filters {
                let columns = f.inputs * f.window.0 * f.window.1;
                let dims = (f.outputs, f.inputs, f.window.0, f.window.1);
                let weight = match f.last {
                    true => (noise.normal(dims, dtype, device)? * NEAR_ZERO)?,
                    false => uniform(noise, dims, columns, dtype, device)?,
                };
                let weight = parameters.add(format!("stage{i}.{}", f.name), &weight)?;
                let mut spectral = None;
                if config.spectral_norm {
                    let mut norm = SpectralNorm::new(f.outputs, columns, noise, dtype, device)?;
                    for _ in 0..FIRST_ITERATIONS {
                        norm.iterate(&weight.as_detached_tensor().flatten_from(1)?)?;
                    }
                    spectral = Some(norm);
                }
                filters.push(Filter { shape: *f, weight, spectral });
                channels = f.outputs;
            }
            let start = shape.modulations.iter().map(|(width, value)| Tensor::full(*value, *width, device));
            let start = Tensor::cat(&start.collect::<Result<Vec<_>, _>>()?, 0)?.to_dtype(dtype)?;
            let modulation = parameters.add(format!("stage{i}.modulation"), &start)?;
            let context = match shape.conditional {
                true => {
                    let none = Tensor::zeros((start.dim(0)?, config.context), dtype, device)?;
                    Some(parameters.add(format!("stage{i}.context"), &none)?)
                }
                false => None,
            };
            stages.push(Stage { shape, filters, modulation, context });
        }
        let head = parameters.add("head.weight", &uniform(noise, (1, channels), channels, dtype, device)?)?;
        let head_bias = parameters.add("head.bias", &Tensor::zeros(1, dtype, device)?)?;
        Ok(Self {
            config,
            parameters,
            stages,
            head,
            head_bias,
            room: Room::default(),
            #[cfg(feature = "cudnn")]
            pool: Default::default(),
        })
    }

    /// Shape and parts.
    pub fn config(&self) -> &ConvConfig {
        &self.config
    }

    /// A copy on a device, with weights of its own.
    ///
    /// # Errors
    /// [`Error::Tensor`] when the device has no room.
    pub fn to_device(&self, device: &Device) -> Result<Self> {
        let mut there = Self::new(self.config.clone(), &mut Noise::new(0), self.head.dtype(), device)?;
        there.parameters.set_values(&self.parameters.values()?)?;
        let state = self.state();
        let find = |name: &str| state.iter().find(|(n, _)| n == name).map(|(_, t)| t.clone());
        there.restore(&|name| Parameters::required(name, find(name)))?;
        Ok(there)
    }

    /// The batch's size, if images and context fit.
    pub(super) fn fits(&self, x: &Tensor, context: Option<&Tensor>) -> Result<usize> {
        let c = &self.config;
        let expected = [c.channels, c.height, c.width];
        if x.rank() != 4 || x.dims()[1..] != expected || x.dims()[0] == 0 {
            let expected = format!("(B, {}, {}, {})", c.channels, c.height, c.width);
            return Err(Error::Shape { what: "images", found: x.dims().to_vec(), expected });
        }
        let rows = x.dim(0)?;
        match context {
            None if c.context == 0 => Ok(rows),
            Some(given) if c.context > 0 => {
                let fits = [1, rows].contains(&given.dim(0)?) && given.elem_count() == given.dim(0)? * c.context;
                let expected = || format!("({rows}, {})", c.context);
                match fits {
                    true => Ok(rows),
                    false => Err(Error::Shape { what: "context", found: given.dims().to_vec(), expected: expected() }),
                }
            }
            _ => Err(Error::Shape {
                what: "context",
                found: context.map(|c| c.dims().to_vec()).unwrap_or_default(),
                expected: match c.context {
                    0 => "none: this network is unconditional".into(),
                    width => format!("(B, {width}): this network is conditional"),
                },
            }),
        }
    }

    /// True where the engine computes: f32 on the CPU.
    pub(super) fn fast(&self, x: &Tensor) -> bool {
        x.dtype() == DType::F32 && x.device().is_cpu() && self.head.dtype() == DType::F32 && self.head.device().is_cpu()
    }
}

pub(super) fn uniform(
    noise: &mut Noise,
    dims: impl Into<candle_core::Shape>,
    fan_in: usize,
    dtype: DType,
    device: &Device,
) -> Result<Tensor> {
    let bound = (1.0 / fan_in as f64).sqrt();
    Ok(noise.uniform(dims, dtype, device)?.affine(2.0 * bound, -bound)?)
}

impl Network for ConvEnergy {
    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn energy(&self, x: &Tensor, context: Option<&Tensor>) -> Result<Tensor> {
        self.fits(x, context)?;
        self.graph(x, context)
    }

    fn evaluate(&self, x: &Tensor, context: Option<&Tensor>) -> Result<Evaluated> {
        self.fits(x, context)?;
        if self.fast(x) {
            return self.evaluate_plain(x, context);
        }
        #[cfg(feature = "cudnn")]
        if self.carded(x) {
            return self.evaluate_card(x, context);
        }
        let (energy, grad) = self.by_hand(&x.detach(), context, false)?;
        Ok(Evaluated { energy, grad })
    }

    fn value_and_gradient(&self, x: &Tensor, context: Option<&Tensor>) -> Result<(Tensor, Tensor)> {
        self.fits(x, context)?;
        self.by_hand(x, context, true)
    }

    fn program(&self, shape: &[usize], context: Option<&Tensor>) -> Result<Option<Program>> {
        let (packed, rows) = (self.packed()?, self.rows(context)?);
        let width = packed.layers().numbers();
        let chains = shape.first().copied().unwrap_or(0);
        if rows.count() != 1 && rows.count() != chains {
            let found = vec![rows.count()];
            return Err(Error::Shape { what: "context", found, expected: format!("{chains} rows, one a chain") });
        }
        let energy = std::sync::Arc::new(ImageTerm::new(packed.into(), rows)?);
        Ok(Some(Program::new(width, vec![Term::Custom { energy, factor: 1.0 }])?))
    }

    fn learn(
        &self,
        x: &Tensor,
        context: Option<&Tensor>,
        coefficients: &mut dyn FnMut(&[f32]) -> Result<Vec<f32>>,
    ) -> Result<Vec<Tensor>> {
        self.fits(x, context)?;
        #[cfg(feature = "cudnn")]
        if self.carded(x) {
            return self.learn_at(x, context, ebmotion_engine::engine::cuda::Mode::Tf32, coefficients);
        }
        self.learn_plain(x, context, coefficients)
    }

    fn learns(&self, x: &Tensor) -> bool {
        #[cfg(feature = "cudnn")]
        if self.carded(x) {
            return true;
        }
        self.fast(x)
    }

    /// One power iteration of each spectral norm.
    fn prepare(&mut self) -> Result<()> {
        for filter in self.stages.iter_mut().flat_map(|stage| &mut stage.filters) {
            if let Some(norm) = &mut filter.spectral {
                norm.iterate(&filter.weight.as_detached_tensor().flatten_from(1)?)?;
            }
        }
        Ok(())
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        let mut all = Vec::new();
        for (i, stage) in self.stages.iter().enumerate() {
            for f in &stage.filters {
                let Some(norm) = &f.spectral else { continue };
                all.push((format!("stage{i}.{}.u", f.shape.name), norm.u.clone()));
                all.push((format!("stage{i}.{}.v", f.shape.name), norm.v.clone()));
            }
        }
        all
    }

    fn restore(&mut self, get: &dyn Fn(&str) -> Result<Tensor>) -> Result<()> {
        for (i, stage) in self.stages.iter_mut().enumerate() {
            for f in &mut stage.filters {
                let Some(norm) = &mut f.spectral else { continue };
                let like = |name: &str, old: &Tensor| -> Result<Tensor> {
                    let new = get(&format!("stage{i}.{}.{name}", f.shape.name))?;
                    Ok(new.to_dtype(old.dtype())?.to_device(old.device())?)
                };
                (norm.u, norm.v) = (like("u", &norm.u)?, like("v", &norm.v)?);
            }
        }
        Ok(())
    }
}

impl ConditionalEnergy for ConvEnergy {
    fn energy_given(&self, x: &Tensor, context: &Tensor) -> Result<Tensor> {
        self.energy(x, Some(context))
    }

    fn evaluate_given(&self, x: &Tensor, context: &Tensor) -> Result<Evaluated> {
        self.evaluate(x, Some(context))
    }

    fn program_given(&self, shape: &[usize], context: &Tensor) -> Result<Option<Program>> {
        self.program(shape, Some(context))
    }
}
