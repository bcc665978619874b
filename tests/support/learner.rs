//! What an objective is under contract, and the network that it learns.

use candle_core::{DType, Device, Tensor};
use ebmotion::Result;
use ebmotion::energy::Energy;
use ebmotion::model::{Activation, Mlp, MlpConfig, MlpEnergy};
use ebmotion::noise::Noise;
use ebmotion::train::Objective;

/// An objective and the energy in nats that it has learned.
pub(crate) trait Learner: Objective {
    /// The energy of `rows` chains at temperature 1, given a context `(rows, 2)` where the objective has one.
    fn learned<'a>(&'a self, context: Option<&'a Tensor>, rows: usize) -> Result<Box<dyn Energy + 'a>>;

    /// Noise angle at which the energy is learned: it is that of `cos(t) u + sin(t) eps` in place of the data `u`.
    fn angle(&self) -> f64 {
        0.0
    }
}

macro_rules! learner {
    ($type:ty) => {
        impl Learner for $type {
            fn learned<'a>(&'a self, context: Option<&'a Tensor>, _: usize) -> Result<Box<dyn Energy + 'a>> {
                Ok(Box::new(ebmotion::model::Fixed { network: self.network(), context }))
            }
        }
    };
}

/// Makes an objective for arrays of two numbers in some shape, a width of context and a number of training steps.
pub(crate) type Make = fn(&[usize], usize, u64) -> Result<Box<dyn Learner>>;

/// One objective: how it is made, how it is trained, and what it must reach.
#[derive(Clone)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) make: Make,
    pub(crate) steps: u64,
    pub(crate) batch: usize,
    pub(crate) learning_rate: f64,
    /// Largest total variation and largest root mean square of the energy, nats, on the square.
    pub(crate) square: (f64, f64),
    /// The same for the pair given its direction.
    pub(crate) pair: (f64, f64),
}

/// A row as most are.
pub(crate) fn usual(name: &'static str, make: Make, steps: u64, square: (f64, f64), pair: (f64, f64)) -> Row {
    Row { name, make, steps, batch: 128, learning_rate: 3e-3, square, pair }
}

fn config(context: usize) -> MlpConfig {
    let activation = Activation::Swish;
    MlpConfig {
        inputs: 2,
        context,
        hidden: vec![64, 64],
        outputs: 1,
        activation,
        positions: None,
        spectral_norm: false,
    }
}

pub(crate) fn network(context: usize) -> Result<MlpEnergy> {
    Ok(MlpEnergy { net: Mlp::new(config(context), &mut Noise::new(1), DType::F32, &Device::Cpu)? })
}
