//! The objectives under contract: how each is made and trained, what it must reach, and the energy that it learns.

use super::known::BOX;
use super::learner::{Learner, Row, network, usual};
use candle_core::Tensor;
use ebmotion::Result;
use ebmotion::energy::Energy;
use ebmotion::model::{Leveled, MlpEnergy};
use ebmotion::train::objective::{
    Contrastive, ContrastiveConfig, Denoising, Form, ImprovedConfig, ImprovedContrastive, Recovery, RecoveryConfig,
};

learner!(Contrastive<MlpEnergy>);
learner!(ImprovedContrastive<MlpEnergy>);

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

/// `benches/quality/objectives.md` holds what was measured over three seeds; bounds are at least 1.3 times the worst of
/// them, and every start lies above its bounds. Exact draws would have a total variation of 0.05 to 0.06 on the square.
pub(crate) fn objectives() -> Vec<Row> {
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
    ]
}

fn shape(context: usize) -> Option<&'static [usize]> {
    (context > 0).then_some(&[2])
}
