//! Multilayer perceptron over a flattened input and an optional context, with its input gradient as tensor operations.
//!
//! Its first layers may share their weights over positions, as a convolution over time does (LeCun et al. 1989).

use super::positions::{product, pulled};
use super::{MlpConfig, Parameters, spectral::SpectralNorm};
use crate::energy::rows::{plain, rows_of};
use crate::error::{Error, Result};
use crate::noise::Noise;
use candle_core::{D, DType, Device, Tensor, Var};
use ebmotion_engine::engine::{self, Examples, Layer, Layers, PackedMlp, Rows, RunOptions, WeightGradient};

/// A network `(x, context) -> outputs`: fully connected, but for first layers that may be convolutions.
///
/// The first layer's context part is a matrix of its own, so [`Mlp::context_part`] can be computed once and used for
/// every step of a chain.
#[derive(Debug, Clone)]
pub struct Mlp {
    config: MlpConfig,
    parameters: Parameters,
    /// `(H, inputs)`; of a layer that shares weights over `T` positions `(H / T, window * inputs / T)`, as all weights
    /// are.
    from_input: Var,
    /// `(H, context)`.
    from_context: Option<Var>,
    /// `(H', H)` of the later layers, the last one `(outputs, H)`.
    weights: Vec<Var>,
    /// One a layer.
    biases: Vec<Var>,
    spectral: Vec<SpectralNorm>,
}

/// Weights as one evaluation uses them: normalised, and detached where no weight gradient is wanted.
struct View {
    from_input: Tensor,
    weights: Vec<Tensor>,
    biases: Vec<Tensor>,
}

impl Mlp {
    /// A network with weights drawn from `noise`: uniform in `+-sqrt(1 / fan_in)`, biases likewise (the default of the
    /// common deep-learning libraries, He et al. 2015 with a = sqrt 5).
    ///
    /// # Errors
    /// [`Error::Config`] when a width is 0 or no multiple of the positions; [`Error::Tensor`].
    pub fn new(config: MlpConfig, noise: &mut Noise, dtype: DType, device: &Device) -> Result<Self> {
        config.check()?;
        let mut parameters = Parameters::default();
        let mut uniform = |rows: usize, columns: usize, fan_in: usize| -> Result<Tensor> {
            let bound = (1.0 / fan_in as f64).sqrt();
            Ok(noise.uniform((rows, columns), dtype, device)?.affine(2.0 * bound, -bound)?)
        };
        let (rows, columns) = config.shape(0);
        let fan_in = columns + config.context;
        let first = config.hidden[0];
        let from_input = parameters.add("layer0.input", &uniform(rows, columns, fan_in)?)?;
        let from_context = match config.context {
            0 => None,
            width => Some(parameters.add("layer0.context", &uniform(first, width, fan_in)?)?),
        };
        let mut biases = vec![parameters.add("layer0.bias", &uniform(1, first, fan_in)?.squeeze(0)?)?];
        let mut weights = Vec::new();
        for l in 1..=config.hidden.len() {
            let (rows, columns) = config.shape(l);
            weights.push(parameters.add(format!("layer{l}.weight"), &uniform(rows, columns, columns)?)?);
            let outputs = config.hidden.get(l).copied().unwrap_or(config.outputs);
            let bias = uniform(1, outputs, columns)?.squeeze(0)?;
            biases.push(parameters.add(format!("layer{l}.bias"), &bias)?);
        }
        let mut spectral = Vec::new();
        if config.spectral_norm {
            // Every layer but the last. The first layer's two parts are one matrix, and are normalised as one.
            spectral.push(SpectralNorm::new(first, fan_in, noise, dtype, device)?);
            for w in &weights[..weights.len() - 1] {
                let (rows, columns) = w.dims2()?;
                spectral.push(SpectralNorm::new(rows, columns, noise, dtype, device)?);
            }
        }
        Ok(Self { config, parameters, from_input, from_context, weights, biases, spectral })
    }

    /// Shape and parts.
    pub fn config(&self) -> &MlpConfig {
        &self.config
    }

    /// The trainable tensors.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// One power iteration of each spectral norm; nothing where there is none. Call once per training step.
    ///
    /// # Errors
    /// [`Error::Tensor`].
    pub fn power_iteration(&mut self) -> Result<()> {
        if self.spectral.is_empty() {
            return Ok(());
        }
        let first = self.first_layer()?;
        self.spectral[0].iterate(&first)?;
        for (norm, w) in self.spectral[1..].iter_mut().zip(&self.weights) {
            norm.iterate(&w.as_detached_tensor())?;
        }
        Ok(())
    }

    /// The singular vectors of the spectral norms, which a checkpoint must keep: names and tensors.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        self.spectral
            .iter()
            .enumerate()
            .flat_map(|(i, s)| [(format!("spectral{i}.u"), s.u.clone()), (format!("spectral{i}.v"), s.v.clone())])
            .collect()
    }

    /// Sets what [`Mlp::state`] gave.
    ///
    /// # Errors
    /// What `get` returns for a name it does not know.
    pub fn restore(&mut self, get: &dyn Fn(&str) -> Result<Tensor>) -> Result<()> {
        for (i, s) in self.spectral.iter_mut().enumerate() {
            s.u = get(&format!("spectral{i}.u"))?.to_dtype(s.u.dtype())?.to_device(s.u.device())?;
            s.v = get(&format!("spectral{i}.v"))?.to_dtype(s.v.dtype())?.to_device(s.v.device())?;
        }
        Ok(())
    }

    /// A copy on a device, with weights of its own.
    ///
    /// # Errors
    /// [`Error::Tensor`] when the device has no room.
    pub fn to_device(&self, device: &Device) -> Result<Self> {
        let dtype = self.from_input.dtype();
        let mut there = Self::new(self.config.clone(), &mut Noise::new(0), dtype, device)?;
        there.parameters.set_values(&self.parameters.values()?)?;
        for (new, old) in there.spectral.iter_mut().zip(&self.spectral) {
            new.u = old.u.to_device(device)?;
            new.v = old.v.to_device(device)?;
        }
        Ok(there)
    }

    /// `(B, outputs)` for `x` of `(B, *S)` and a context of `(B, *C)`; a graph in `x`, the context and the weights.
    ///
    /// # Errors
    /// [`Error::Shape`] when `x` or the context has the wrong number of numbers; [`Error::Tensor`].
    pub fn forward(&self, x: &Tensor, context: Option<&Tensor>) -> Result<Tensor> {
        let part = self.first_bias(context, true)?;
        self.forward_by(&self.view(true)?, x, &part)
    }

    fn forward_by(&self, view: &View, x: &Tensor, part: &Tensor) -> Result<Tensor> {
        let x = rows_of(x, self.config.inputs, "input")?;
        let mut z = product(self.config.shared(0), &view.from_input, &x)?.broadcast_add(part)?;
        for (l, (w, b)) in view.weights.iter().zip(&view.biases[1..]).enumerate() {
            z = product(self.config.shared(l + 1), w, &self.config.activation.apply(&z)?)?.broadcast_add(b)?;
        }
        Ok(z)
    }

    /// What the first layer adds for a context of `(B, *C)`: `(B, H)`, bias included, detached.
    ///
    /// # Errors
    /// As [`Mlp::forward`].
    pub fn context_part(&self, context: Option<&Tensor>) -> Result<Tensor> {
        self.first_bias(context, false)
    }

    /// Output of a scalar network `(B,)` and its gradient in `x`, `(B, inputs)`, as graphs in the weights: one backward
    /// pass through a loss of this gradient gives the mixed second derivative (candle's own double backward does not).
    ///
    /// # Errors
    /// As [`Mlp::forward`]; [`Error::Config`] when the network has several outputs.
    pub fn value_and_gradient(&self, x: &Tensor, context: Option<&Tensor>) -> Result<(Tensor, Tensor)> {
        let part = self.first_bias(context, true)?;
        self.gradient_by(&self.view(true)?, x, &part)
    }

    /// As [`Mlp::value_and_gradient`], detached, with the context's part already computed.
    ///
    /// # Errors
    /// As [`Mlp::value_and_gradient`].
    pub fn value_and_gradient_at(&self, x: &Tensor, context_part: &Tensor) -> Result<(Tensor, Tensor)> {
        self.gradient_by(&self.view(false)?, &x.detach(), context_part)
    }

    /// `(B, outputs)` with the context's part already computed: a graph in `x` alone.
    ///
    /// # Errors
    /// As [`Mlp::forward`].
    pub fn forward_at(&self, x: &Tensor, context_part: &Tensor) -> Result<Tensor> {
        self.forward_by(&self.view(false)?, x, context_part)
    }

    fn gradient_by(&self, view: &View, x: &Tensor, part: &Tensor) -> Result<(Tensor, Tensor)> {
        if self.config.outputs != 1 {
            return Err(Error::config("outputs", self.config.outputs, "1, for a network that is an energy"));
        }
        let x = rows_of(x, self.config.inputs, "input")?;
        let mut z = product(self.config.shared(0), &view.from_input, &x)?.broadcast_add(part)?;
        let mut slopes = Vec::with_capacity(view.weights.len());
        for (l, (w, b)) in view.weights.iter().zip(&view.biases[1..]).enumerate() {
            let (h, slope) = self.config.activation.apply_with_slope(&z)?;
            slopes.push(slope);
            z = product(self.config.shared(l + 1), w, &h)?.broadcast_add(b)?;
        }
        // Backwards: v = dE/dz of each layer, from the row of the last layer down to the input.
        let mut layers = view.weights.iter().zip(&slopes).enumerate().rev();
        let Some((_, (w, slope))) = layers.next() else {
            return Err(Error::config("hidden", "no layer", "at least one"));
        };
        let mut v = slope.broadcast_mul(w)?; // w is (1, H)
        for (l, (w, slope)) in layers {
            v = (pulled(self.config.shared(l + 1), w, &v)? * slope)?;
        }
        Ok((z.squeeze(D::Minus1)?, pulled(self.config.shared(0), &view.from_input, &v)?))
    }

    /// The network as it is evaluated now, spectral norms divided out, packed for [`ebmotion_engine::engine`].
    ///
    /// # Errors
    /// [`Error::Config`] when the network has several outputs; [`Error::Tensor`].
    pub fn packed(&self) -> Result<PackedMlp> {
        if self.config.outputs != 1 {
            return Err(Error::config("outputs", self.config.outputs, "1, for a network that is an energy"));
        }
        let view = self.view(false)?;
        let mut hidden = Vec::new();
        let mut inputs = self.config.inputs;
        let weights = std::iter::once(&view.from_input).chain(&view.weights);
        for (l, ((weight, bias), outputs)) in weights.zip(&view.biases).zip(&self.config.hidden).enumerate() {
            let (weight, bias, shared) = (plain(weight)?, plain(bias)?, self.config.shared(l));
            hidden.push(Layer { inputs, outputs: *outputs, shared, weight, bias });
            inputs = *outputs;
        }
        let last = view.weights.len() - 1;
        let head_bias = plain(&view.biases[last + 1])?[0];
        let activation = self.config.activation.plain();
        PackedMlp::new(Layers { hidden, head: plain(&view.weights[last])?, head_bias, activation })
    }

    /// Energies `(B,)` and the gradient of `sum_b coefficient_b E_b` in each parameter, in the order of
    /// [`Mlp::parameters`]; `coefficients` makes the coefficients of the energies. Computed by
    /// [`ebmotion_engine::engine`], for f32 on the CPU.
    ///
    /// # Errors
    /// As [`Mlp::packed`] and [`ebmotion_engine::engine::learn`].
    pub fn learn(
        &self,
        x: &Tensor,
        context: Option<&Tensor>,
        coefficients: &mut dyn FnMut(&[f32]) -> Result<Vec<f32>>,
    ) -> Result<Vec<Tensor>> {
        self.with_examples(x, context, |packed, examples| {
            Ok(engine::learn(packed, examples, |e| coefficients(e), &RunOptions::default())?.1)
        })
    }

    /// The gradient of `sum_b v_b . grad_x E(x_b)` in each parameter, in the order of [`Mlp::parameters`], with the
    /// `v`, `(B, inputs)`, held fixed; `directions` makes them of the energies' gradients, `(B, inputs)`. Computed by
    /// [`ebmotion_engine::engine`], for f32 on the CPU.
    ///
    /// # Errors
    /// As [`Mlp::packed`] and [`ebmotion_engine::engine::learn_slopes`].
    pub fn learn_slopes(
        &self,
        x: &Tensor,
        context: Option<&Tensor>,
        directions: impl FnOnce(Tensor) -> Result<Tensor>,
    ) -> Result<Vec<Tensor>> {
        self.with_examples(x, context, |packed, examples| {
            let shape = (examples.x.len() / self.config.inputs, self.config.inputs);
            let ask = |grad| plain(&directions(Tensor::from_vec(grad, shape, &Device::Cpu)?)?);
            engine::learn_slopes(packed, examples, ask, &RunOptions::default())
        })
    }

    /// What the engine makes of examples, for each parameter.
    fn with_examples(
        &self,
        x: &Tensor,
        context: Option<&Tensor>,
        work: impl FnOnce(&PackedMlp, Examples<'_>) -> Result<WeightGradient>,
    ) -> Result<Vec<Tensor>> {
        let (packed, first) = (self.packed()?, self.context_rows(context)?);
        let numbers = plain(&rows_of(x, self.config.inputs, "input")?)?;
        let contexts = context.map(plain).transpose()?.unwrap_or_default();
        let mut gradient = work(&packed, Examples { first: &first, x: &numbers, context: &contexts })?;
        let tensor = |numbers: Vec<f32>, rows: usize| -> Result<Tensor> {
            let columns = numbers.len() / rows;
            Ok(Tensor::from_vec(numbers, (rows, columns), &Device::Cpu)?)
        };
        // The parameters' order: the first layer's input, context and bias, then weight and bias of each layer.
        let mut all = Vec::with_capacity(self.parameters.len());
        for (l, (weight, bias)) in gradient.hidden.into_iter().zip(gradient.biases).enumerate() {
            let mut parts = vec![tensor(weight, self.config.shape(l).0)?];
            if l == 0 && self.config.context > 0 {
                parts.push(tensor(std::mem::take(&mut gradient.context), self.config.hidden[0])?);
            }
            if let Some(norm) = self.spectral.get(l) {
                let whole = if l == 0 { self.first_layer()? } else { self.weights[l - 1].as_detached_tensor() };
                let pulled = norm.pull_back(&whole, &Tensor::cat(&parts, 1)?)?;
                let mut first = 0;
                for part in &mut parts {
                    let columns = part.dim(1)?;
                    *part = pulled.narrow(1, first, columns)?.contiguous()?;
                    first += columns;
                }
            }
            all.extend(parts);
            all.push(Tensor::from_vec(bias, self.config.hidden[l], &Device::Cpu)?);
        }
        let head = gradient.head.len();
        all.push(Tensor::from_vec(gradient.head, (1, head), &Device::Cpu)?);
        all.push(Tensor::from_vec(vec![gradient.head_bias], 1, &Device::Cpu)?);
        Ok(all)
    }

    /// What the first layer adds for a context, see [`Mlp::context_part`], as plain rows.
    ///
    /// # Errors
    /// As [`Mlp::forward`].
    pub fn context_rows(&self, context: Option<&Tensor>) -> Result<Rows> {
        rows(&self.context_part(context)?)
    }

    /// The first layer's weight of the context, `(H, context)`, normalised as it is evaluated, and its bias, `(H,)`.
    ///
    /// # Errors
    /// [`Error::Config`] when the network is unconditional; [`Error::Tensor`].
    pub fn context_layer(&self) -> Result<(Tensor, Tensor)> {
        let Some(weight) = &self.from_context else {
            return Err(Error::config("context", 0, "at least 1, for a network with a context"));
        };
        let mut weight = pick(weight, false);
        if let Some(norm) = self.spectral.first() {
            weight = weight.broadcast_div(&norm.sigma(&self.first_layer()?)?)?;
        }
        Ok((weight, pick(&self.biases[0], false)))
    }

    fn first_bias(&self, context: Option<&Tensor>, graph: bool) -> Result<Tensor> {
        let bias = pick(&self.biases[0], graph);
        match (&self.from_context, context) {
            (Some(weight), Some(context)) => {
                let mut weight = pick(weight, graph);
                if let Some(norm) = self.spectral.first() {
                    weight = weight.broadcast_div(&norm.sigma(&self.first_layer_as(graph)?)?)?;
                }
                let context = rows_of(context, self.config.context, "context")?;
                Ok(context.matmul(&weight.t()?)?.broadcast_add(&bias)?)
            }
            (None, None) => Ok(bias.unsqueeze(0)?),
            (Some(_), None) => Err(Error::Shape {
                what: "context",
                found: vec![],
                expected: format!("(B, {}): this network is conditional", self.config.context),
            }),
            (None, Some(context)) => Err(Error::Shape {
                what: "context",
                found: context.dims().to_vec(),
                expected: "none: this network is unconditional".into(),
            }),
        }
    }

    fn first_layer(&self) -> Result<Tensor> {
        self.first_layer_as(false)
    }

    fn first_layer_as(&self, graph: bool) -> Result<Tensor> {
        let input = pick(&self.from_input, graph);
        Ok(match &self.from_context {
            None => input,
            Some(context) => Tensor::cat(&[&input, &pick(context, graph)], 1)?,
        })
    }

    fn view(&self, graph: bool) -> Result<View> {
        let mut from_input = pick(&self.from_input, graph);
        let mut weights: Vec<Tensor> = self.weights.iter().map(|w| pick(w, graph)).collect();
        if let Some((first, rest)) = self.spectral.split_first() {
            from_input = from_input.broadcast_div(&first.sigma(&self.first_layer_as(graph)?)?)?;
            for (norm, w) in rest.iter().zip(&mut weights) {
                *w = w.broadcast_div(&norm.sigma(w)?)?;
            }
        }
        Ok(View { from_input, weights, biases: self.biases.iter().map(|b| pick(b, graph)).collect() })
    }
}

fn pick(var: &Var, graph: bool) -> Tensor {
    if graph { var.as_tensor().clone() } else { var.as_detached_tensor() }
}

/// `(B, H)` as plain rows.
pub(super) fn rows(part: &Tensor) -> Result<Rows> {
    Rows::new(part.dim(D::Minus1)?, plain(part)?)
}
