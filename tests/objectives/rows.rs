//! The objectives under contract: how each is made and trained, what it must reach, and the energy that it learns.

use super::CPU;
use super::known::BOX;
use candle_core::{DType, Tensor};
use ebmotion::energy::Energy;
use ebmotion::energy::compose::Scaled;
use ebmotion::error::Result;
use ebmotion::model::{Activation, Fixed, Leveled, Mlp, MlpConfig, MlpEnergy};
use ebmotion::noise::Noise;
use ebmotion::train::Objective;
use ebmotion::train::objective::{
    Around, Contrastive, ContrastiveConfig, Coupling, Denoising, EnergyMatching, EnergyMatchingConfig, Form,
    ImprovedConfig, ImprovedContrastive, InfoNce, InfoNceConfig, Recovery, RecoveryConfig,
};

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
                Ok(Box::new(Fixed { network: self.network(), context }))
            }
        }
    };
}

learner!(Contrastive<MlpEnergy>);
learner!(ImprovedContrastive<MlpEnergy>);
learner!(InfoNce<MlpEnergy>);

impl Learner for EnergyMatching<MlpEnergy> {
    fn learned<'a>(&'a self, context: Option<&'a Tensor>, _: usize) -> Result<Box<dyn Energy + 'a>> {
        let energy = Fixed { network: self.network(), context };
        Ok(Box::new(Scaled { energy, factor: 1.0 / self.config().temperature }))
    }
}

/// Noise angle at which denoising is judged.
const ANGLE: f64 = 0.1;

impl Learner for Denoising<MlpEnergy> {
    fn learned<'a>(&'a self, context: Option<&'a Tensor>, _: usize) -> Result<Box<dyn Energy + 'a>> {
        Ok(Box::new(self.energy.at(ANGLE, context)?))
    }

    fn angle(&self) -> f64 {
        ANGLE
    }
}

impl Learner for Recovery<MlpEnergy> {
    fn learned<'a>(&'a self, context: Option<&'a Tensor>, _: usize) -> Result<Box<dyn Energy + 'a>> {
        Ok(Box::new(self.energy().at(self.angle(), context)?))
    }

    fn angle(&self) -> f64 {
        self.config().lowest
    }
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
    Ok(MlpEnergy { net: Mlp::new(config(context), &mut Noise::new(1), DType::F32, &CPU)? })
}

pub(crate) fn over(context: usize) -> Result<Leveled<MlpEnergy>> {
    Ok(Leveled::over(network(Leveled::<MlpEnergy>::FEATURES + context)?))
}

/// Chains at temperature 1.
pub(crate) fn chains() -> ContrastiveConfig {
    ContrastiveConfig {
        form: Form::Linear,
        energy_l2: 0.01,
        steps: 20,
        step_size: 0.025,
        noise: 0.05f64.sqrt(),
        gradient_clip: None,
        bounds: Some((-BOX, BOX)),
        replay: 4096,
        fresh: 0.02,
    }
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

/// `benches/quality/objectives.md` holds what was measured over three seeds; bounds are at least 1.3 times the worst of
/// them, and every start lies above its bounds. Exact draws would have a total variation of 0.05 to 0.06 on the square.
#[expect(clippy::too_many_lines, reason = "a table")]
pub(crate) fn objectives() -> Vec<Row> {
    let usual =
        |name, make, steps, square, pair| Row { name, make, steps, batch: 128, learning_rate: 3e-3, square, pair };
    vec![
        usual(
            "contrastive",
            |x, c, _| Ok(Box::new(Contrastive::new(network(c)?, chains(), x, shape(c))?)),
            1500,
            (0.2, 0.5),
            (0.2, 0.65),
        ),
        usual(
            "improved_contrastive",
            |x, c, _| {
                let config = ImprovedConfig { contrastive: chains(), energy: 1.0, entropy: 1.0 };
                Ok(Box::new(ImprovedContrastive::new(network(c)?, config, x, shape(c))?))
            },
            1500,
            (0.25, 0.7),
            (0.25, 0.9),
        ),
        usual("denoising", |_, c, _| Ok(Box::new(Denoising::new(over(c)?))), 6000, (0.22, 0.5), (0.22, 0.7)),
        Row {
            name: "recovery",
            make: |_, c, _| {
                let config = RecoveryConfig { levels: 3, ..Default::default() };
                Ok(Box::new(Recovery::new(over(c)?, config)?))
            },
            steps: 3000,
            batch: 256,
            learning_rate: 1e-2,
            square: (0.25, 0.85),
            pair: (0.28, 0.88),
        },
        usual(
            "info_nce",
            |_, c, _| {
                let config = InfoNceConfig { negatives: 8, ..Default::default() };
                Ok(Box::new(InfoNce::new(network(c)?, config)?))
            },
            1500,
            (0.13, 0.3),
            (0.15, 0.45),
        ),
        usual(
            "info_nce_around_start",
            |_, c, _| {
                let config = InfoNceConfig { negatives: 8, around: Around::Start, spread: 1.5, ..Default::default() };
                Ok(Box::new(InfoNce::new(network(c)?, config)?))
            },
            1500,
            (0.13, 0.4),
            (0.15, 0.4),
        ),
        usual(
            "info_nce_refined",
            |_, c, _| {
                let bounds = Some((-BOX, BOX));
                let config = InfoNceConfig { negatives: 8, steps: 5, penalty: 1.0, bounds, ..Default::default() };
                Ok(Box::new(InfoNce::new(network(c)?, config)?))
            },
            800,
            (0.3, 0.7),
            (0.3, 0.75),
        ),
        usual(
            "energy_matching",
            |_, c, steps| {
                let config = EnergyMatchingConfig {
                    warmup: steps / 4,
                    coupling: if c == 0 { Coupling::Transport } else { Coupling::Independent },
                    temperature: 0.4,
                    horizon: 8.0,
                    steps: 60,
                    from_data: 0.8,
                    contrast: 5.0,
                    bounds: Some((-BOX, BOX)),
                    ..Default::default()
                };
                Ok(Box::new(EnergyMatching::new(network(c)?, config)?))
            },
            1500,
            (0.18, 0.4),
            (0.2, 0.55),
        ),
    ]
}

fn shape(context: usize) -> Option<&'static [usize]> {
    (context > 0).then_some(&[2])
}
