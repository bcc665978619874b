//! What training needs of a network that is an energy.

use super::Parameters;
use crate::energy::{Energy, Evaluated, by_autograd};
use crate::error::{Error, Result};
use candle_core::Tensor;
use ebmotion_engine::engine::Program;

/// A network whose scalar output is an energy of arrays of some shape, with or without a context.
pub trait Network {
    /// The trainable tensors.
    fn parameters(&self) -> &Parameters;

    /// `E(x | context)`, `(B,)`, as a graph in `x` and the weights; `x` is `(B, *S)`, the context `(B, *C)`.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] when an array does not fit the network; [`crate::Error::Tensor`].
    fn energy(&self, x: &Tensor, context: Option<&Tensor>) -> Result<Tensor>;

    /// Energy and input gradient, detached; the default is the reference.
    ///
    /// # Errors
    /// As [`Network::energy`].
    fn evaluate(&self, x: &Tensor, context: Option<&Tensor>) -> Result<Evaluated> {
        by_autograd(|x| self.energy(x, context), x)
    }

    /// Energy `(B,)` and input gradient `(B, *S)`, both as graphs in the weights, for losses of the gradient: the
    /// network has to write its gradient as tensor operations, since candle differentiates only once.
    ///
    /// # Errors
    /// As [`Network::energy`]; [`Error::Unsupported`] by default.
    fn value_and_gradient(&self, x: &Tensor, context: Option<&Tensor>) -> Result<(Tensor, Tensor)> {
        let _ = (x, context);
        let why = "it does not write it as tensor operations";
        Err(Error::unsupported("this network", "give its input gradient as a graph in its weights", why))
    }

    /// As [`Energy::program`].
    ///
    /// # Errors
    /// As [`Network::energy`].
    fn program(&self, shape: &[usize], context: Option<&Tensor>) -> Result<Option<Program>> {
        let _ = (shape, context);
        Ok(None)
    }

    /// The gradient of `sum_b coefficient_b E(x_b | context_b)` in each parameter, in their order, where `coefficients`
    /// makes the coefficients of the energies `(B,)`. Only where [`Network::learns`].
    ///
    /// # Errors
    /// As [`Network::energy`]; whatever `coefficients` returns; [`Error::Unsupported`] by default.
    fn learn(
        &self,
        x: &Tensor,
        context: Option<&Tensor>,
        coefficients: &mut dyn FnMut(&[f32]) -> Result<Vec<f32>>,
    ) -> Result<Vec<Tensor>> {
        let _ = (x, context, coefficients);
        let why = "it has no way of its own to it";
        Err(Error::unsupported("this network", "give the gradient in its weights", why))
    }

    /// The gradient of `sum_b v_b . grad_x E(x_b | context_b)` in each parameter, in their order, with the `v`, `(B,
    /// *S)`, held fixed, where `directions` makes them of the input gradients `(B, *S)`. `None`, the default, where the
    /// network has no way of its own to this mixed second derivative; `directions` was not called then.
    ///
    /// # Errors
    /// As [`Network::energy`]; whatever `directions` returns.
    fn learn_slopes(
        &self,
        x: &Tensor,
        context: Option<&Tensor>,
        directions: &mut dyn FnMut(Tensor) -> Result<Tensor>,
    ) -> Result<Option<Vec<Tensor>>> {
        let _ = (x, context, directions);
        Ok(None)
    }

    /// True where [`Network::learn`] gives the gradient in the weights for arrays like `x`; by default only
    /// differentiation does.
    fn learns(&self, x: &Tensor) -> bool {
        let _ = x;
        false
    }

    /// Work before a training step (a power iteration of the spectral norm).
    ///
    /// # Errors
    /// [`crate::Error::Tensor`].
    fn prepare(&mut self) -> Result<()> {
        Ok(())
    }

    /// What a resumed run needs besides the weights.
    fn state(&self) -> Vec<(String, Tensor)> {
        Vec::new()
    }

    /// Sets what [`Network::state`] gave.
    ///
    /// # Errors
    /// What `get` returns for a name it does not know.
    fn restore(&mut self, _get: &dyn Fn(&str) -> Result<Tensor>) -> Result<()> {
        Ok(())
    }
}

/// A [`Network`] with its context held fixed: an [`Energy`] that chains can walk in.
#[derive(Debug)]
pub struct Fixed<'a, N: ?Sized> {
    /// The network.
    pub network: &'a N,
    /// `(B, *C)`.
    pub context: Option<&'a Tensor>,
}

impl<N: Network + ?Sized> Energy for Fixed<'_, N> {
    fn energy(&self, x: &Tensor) -> Result<Tensor> {
        self.network.energy(x, self.context)
    }

    fn evaluate(&self, x: &Tensor) -> Result<Evaluated> {
        self.network.evaluate(x, self.context)
    }

    fn program(&self, shape: &[usize]) -> Result<Option<Program>> {
        self.network.program(shape, self.context)
    }
}
