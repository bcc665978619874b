//! The objectives under contract: how each is made and trained, what it must reach, and the energy that it learns.

use super::known::BOX;
use super::learner::{Learner, Row, network, usual};
use candle_core::Tensor;
use ebmotion::Result;
use ebmotion::energy::Energy;
use ebmotion::energy::compose::Scaled;
use ebmotion::model::{Fixed, MlpEnergy};
use ebmotion_images::objective::{Around, Coupling, EnergyMatching, EnergyMatchingConfig, InfoNce, InfoNceConfig};

learner!(InfoNce<MlpEnergy>);

impl Learner for EnergyMatching<MlpEnergy> {
    fn learned<'a>(&'a self, context: Option<&'a Tensor>, _: usize) -> Result<Box<dyn Energy + 'a>> {
        let energy = Fixed { network: self.network(), context };
        Ok(Box::new(Scaled { energy, factor: 1.0 / self.config().temperature }))
    }
}

/// `benches/quality/objectives.md` holds what was measured over three seeds; bounds are at least 1.3 times the worst of
/// them, and every start lies above its bounds. Exact draws would have a total variation of 0.05 to 0.06 on the square.
pub(crate) fn objectives() -> Vec<Row> {
    vec![
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
