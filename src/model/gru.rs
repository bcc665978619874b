//! A gated recurrent network whose state gives a mixture over the next row: GRU-MDN (Cho et al. 2014, "Learning phrase
//! representations using RNN encoder-decoder", eqs. 5 to 8; mixture as in Graves 2013, "Generating sequences with
//! recurrent neural networks", section 4.1).

use super::density::given;
use super::{Activation, Generative, Generator, MixtureDensity, MlpConfig, Parameters};
use crate::error::Result;
use crate::noise::Noise;
use candle_core::{DType, Device, Tensor, Var};
use candle_nn::ops::sigmoid;

/// State, mixture and how a frame becomes an input.
#[derive(Debug, Clone)]
pub(crate) struct GruMixture {
    parameters: Parameters,
    /// `(3 W, 2 D)`: reset, update and candidate gates.
    from_input: Var,
    /// `(3 W, W)`.
    from_state: Var,
    /// `(3 W,)`.
    bias: Var,
    head: MixtureDensity,
    /// `(1, D)`: standard deviation of the frame-to-frame delta.
    delta_std: Tensor,
    /// Largest noise on training inputs, in standard deviations of the delta.
    input_noise: f64,
    width: usize,
}

/// Deltas in standard deviations beyond this are cut, as in the regression's features.
const LIMIT: f64 = 8.0;

impl GruMixture {
    /// A fresh network with a state of `width` numbers over frames of `delta_std.len()` channels, predicting the next
    /// delta in units of `delta_std` by a mixture of `components` Gaussians behind one layer of `width`.
    ///
    /// # Errors
    /// As [`MixtureDensity::new`].
    pub fn new(
        delta_std: &[f32],
        width: usize,
        components: usize,
        input_noise: f64,
        noise: &mut Noise,
    ) -> Result<Self> {
        let d = delta_std.len();
        let mut parameters = Parameters::default();
        let bound = (1.0 / width.max(1) as f64).sqrt();
        let mut uniform = |name: &str, shape: &[usize]| -> Result<Var> {
            let value = noise.uniform(shape, DType::F32, &Device::Cpu)?.affine(2.0 * bound, -bound)?;
            parameters.add(name, &value)
        };
        let from_input = uniform("gru.input", &[3 * width, 2 * d])?;
        let from_state = uniform("gru.state", &[3 * width, width])?;
        let bias = uniform("gru.bias", &[3 * width])?;
        let config = MlpConfig {
            inputs: width,
            context: 0,
            hidden: vec![width],
            outputs: 1,
            activation: Activation::Swish,
            positions: None,
            spectral_norm: false,
        };
        let head = MixtureDensity::new(config, components, d, noise)?;
        parameters.join("head", head.parameters());
        let delta_std = Tensor::from_slice(delta_std, (1, d), &Device::Cpu)?;
        Ok(Self { parameters, from_input, from_state, bias, head, delta_std, input_noise, width })
    }

    /// The state of rows that have seen nothing, `(R, W)`.
    ///
    /// # Errors
    /// [`crate::Error::Tensor`].
    pub fn silent(&self, rows: usize) -> Result<Tensor> {
        Ok(Tensor::zeros((rows, self.width), DType::F32, &Device::Cpu)?)
    }

    /// The state `(R, W)` after one more frame `(R, D)` that follows `before`.
    ///
    /// # Errors
    /// [`crate::Error::Tensor`] when shapes do not fit.
    pub fn step(&self, state: &Tensor, before: &Tensor, frame: &Tensor) -> Result<Tensor> {
        let w = self.width;
        let delta = (frame - before)?.broadcast_div(&self.delta_std)?.clamp(-LIMIT, LIMIT)?;
        let input = Tensor::cat(&[frame, &delta], 1)?;
        let a = input.matmul(&self.from_input.t()?)?.broadcast_add(&self.bias)?;
        let b = state.matmul(&self.from_state.t()?)?;
        let gate = |i: usize| Ok::<_, crate::Error>(sigmoid(&(a.narrow(1, i * w, w)? + b.narrow(1, i * w, w)?)?)?);
        let (reset, update) = (gate(0)?, gate(1)?);
        let candidate = (a.narrow(1, 2 * w, w)? + (reset * b.narrow(1, 2 * w, w)?)?)?.tanh()?;
        Ok((&candidate + (update * (state - &candidate)?)?)?)
    }

    /// Draws the next frame `(R, D)` of rows in `state` whose last frame is given.
    ///
    /// # Errors
    /// As [`Generator::draw`].
    pub fn next(&self, state: &Tensor, frame: &Tensor, noise: &mut Noise) -> Result<Tensor> {
        let delta = self.head.draw(state, noise)?;
        Ok((frame + delta.broadcast_mul(&self.delta_std)?)?)
    }
}

impl Generative for GruMixture {
    fn name(&self) -> &'static str {
        "gru_mdn"
    }

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Mean negative log density of each next delta of context and future, `(B, K, D)` and `(B, F, D)`.
    fn loss(&self, x: &Tensor, context: Option<&Tensor>, noise: &mut Noise) -> Result<Tensor> {
        let context = given(context)?;
        let frames = Tensor::cat(&[context, x], 1)?;
        let (rows, length, d) = frames.dims3()?;
        let level = noise.uniform((rows, 1, 1), DType::F32, frames.device())?.affine(self.input_noise, 0.0)?;
        let eps = noise.normal((rows, length, d), DType::F32, frames.device())?;
        let blurred = (&frames + eps.broadcast_mul(&level)?.broadcast_mul(&self.delta_std)?)?;
        let at = |of: &Tensor, t: usize| Ok::<_, crate::Error>(of.narrow(1, t, 1)?.squeeze(1)?.contiguous()?);
        let mut state = self.silent(rows)?;
        let mut before = at(&blurred, 0)?;
        let mut total: Option<Tensor> = None;
        for t in 1..length - 1 {
            let frame = at(&blurred, t)?;
            state = self.step(&state, &before, &frame)?;
            // The aim is the true next frame, seen from where the blurred one is.
            let delta =
                (at(&frames, t + 1)? - &frame)?.broadcast_div(&self.delta_std)?.clamp(-2.0 * LIMIT, 2.0 * LIMIT)?;
            let loss = self.head.loss(&delta, Some(&state), noise)?;
            total = Some(match total {
                Some(sum) => (sum + loss)?,
                None => loss,
            });
            before = frame;
        }
        let total = total.map_or_else(|| Tensor::zeros(rows, DType::F32, frames.device()), Ok)?;
        Ok((total * (1.0 / (length - 2).max(1) as f64))?)
    }
}
