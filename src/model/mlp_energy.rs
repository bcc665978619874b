//! A perceptron as the energy of arrays of any shape.

use super::{Mlp, Network, Parameters};
use crate::energy::rows::{plain, rows_of};
use crate::energy::{ConditionalEnergy, Evaluated};
use crate::error::Result;
use candle_core::{D, DType, Device, Tensor};
use ebmotion_engine::engine::{self, Program, RunOptions, Term};

/// An [`Mlp`] with one output as the energy of arrays of any shape, given a context of any shape (both flattened).
#[derive(Debug, Clone)]
pub struct MlpEnergy {
    /// The network.
    pub net: Mlp,
}

impl Network for MlpEnergy {
    fn parameters(&self) -> &Parameters {
        self.net.parameters()
    }

    fn energy(&self, x: &Tensor, context: Option<&Tensor>) -> Result<Tensor> {
        Ok(self.net.forward(x, context)?.squeeze(D::Minus1)?)
    }

    fn evaluate(&self, x: &Tensor, context: Option<&Tensor>) -> Result<Evaluated> {
        if self.learns(x)
            && let Some(program) = self.program(x.dims(), context)?
        {
            let (energy, grad) =
                engine::evaluate(&program, &plain(&rows_of(x, program.width(), "input")?)?, &RunOptions::default())?;
            let tensor = |numbers: Vec<f32>, shape: &[usize]| Tensor::from_vec(numbers, shape, &Device::Cpu);
            return Ok(Evaluated { energy: tensor(energy, &x.dims()[..1])?, grad: tensor(grad, x.dims())? });
        }
        let part = self.net.context_part(context)?;
        let (energy, grad) = self.net.value_and_gradient_at(x, &part)?;
        Ok(Evaluated { energy, grad: grad.reshape(x.dims())? })
    }

    fn value_and_gradient(&self, x: &Tensor, context: Option<&Tensor>) -> Result<(Tensor, Tensor)> {
        let (energy, grad) = self.net.value_and_gradient(x, context)?;
        Ok((energy, grad.reshape(x.dims())?))
    }

    fn program(&self, _: &[usize], context: Option<&Tensor>) -> Result<Option<Program>> {
        let (network, first) = (self.net.packed()?.into(), self.net.context_rows(context)?);
        Ok(Some(Program::new(self.net.config().inputs, vec![Term::Network { network, first, factor: 1.0 }])?))
    }

    fn learn(
        &self,
        x: &Tensor,
        context: Option<&Tensor>,
        coefficients: &mut dyn FnMut(&[f32]) -> Result<Vec<f32>>,
    ) -> Result<Vec<Tensor>> {
        self.net.learn(x, context, coefficients)
    }

    fn learn_slopes(
        &self,
        x: &Tensor,
        context: Option<&Tensor>,
        directions: &mut dyn FnMut(Tensor) -> Result<Tensor>,
    ) -> Result<Option<Vec<Tensor>>> {
        if !self.learns(x) {
            return Ok(None);
        }
        let shaped = |grad: Tensor| directions(grad.reshape(x.dims())?);
        self.net.learn_slopes(x, context, shaped).map(Some)
    }

    fn learns(&self, x: &Tensor) -> bool {
        x.dtype() == DType::F32 && x.device().is_cpu() && self.net.config().outputs == 1
    }

    fn prepare(&mut self) -> Result<()> {
        self.net.power_iteration()
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        self.net.state()
    }

    fn restore(&mut self, get: &dyn Fn(&str) -> Result<Tensor>) -> Result<()> {
        self.net.restore(get)
    }
}

impl ConditionalEnergy for MlpEnergy {
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
