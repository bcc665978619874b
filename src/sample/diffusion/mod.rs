//! From noise to data: one sampler for everything that goes down noise levels.
//!
//! Forecasts, images from energies with noise levels, compositions of energies, diffusion and flow matching all follow
//! a velocity field from noise to data. They differ in the field ([`Denoiser`]), in the stops on the way
//! ([`SamplerConfig`]), and in what is asked of the sample besides ([`Conditions`]).
//! [`ebmotion_engine::engine::Rollout`] is the fast path for forecasts: it makes the same steps from the same noise.
//!
//! ```
//! use candle_core::{DType, Device, Tensor};
//! use ebmotion::noise::Noise;
//! use ebmotion::sample::diffusion::{Conditions, Observations, Sampler, SamplerConfig};
//!
//! # fn main() -> ebmotion::Result<()> {
//! // Standard normal data have no velocity on the circle. Of two numbers the sum is seen: 1, exactly.
//! let model = |x: &Tensor, _: f64| Ok(x.zeros_like()?);
//! let sum = Observations::new(vec![1.0, 1.0], Tensor::new(&[[1.0f64]], &Device::Cpu)?, vec![0.0])?;
//! let conditions = Conditions { observations: Some(sum), ..Conditions::default() };
//! let mut noise = Noise::new(1);
//! let start = noise.normal((5, 2), DType::F64, &Device::Cpu)?;
//! let sampler = Sampler::new(&SamplerConfig::default())?.given(conditions);
//! for row in sampler.run(&model, start, &mut noise)?.to_vec2::<f64>()? {
//!     assert!((row[0] + row[1] - 1.0).abs() < 1e-9);
//! }
//! # Ok(())
//! # }
//! ```

mod conditions;
mod particles;
mod sampler;
mod schedule;

pub(crate) use conditions::STEPS;
pub use conditions::{Conditions, ExtraEnergy, Observations, Replaced};
pub use particles::Particles;
pub use sampler::{Denoiser, Moment, Sampler};
pub(crate) use schedule::Stop;
pub(crate) use schedule::straight;
pub use schedule::{Eta, SamplerConfig, Solver};
