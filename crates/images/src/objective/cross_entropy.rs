//! Classification: the objective of the classifiers beside the energies.

use crate::model::Classifier;
use crate::sample::Attack;
use candle_core::{DType, Device, Tensor};
use ebmotion::model::Parameters;
use ebmotion::noise::Noise;
use ebmotion::train::{Batch, Loss, Objective};
use ebmotion::{Error, Result};

/// Fits a classifier's probabilities, given images `x` `(B, C, H, W)`, to the context: labels as rows of zeros and a
/// one, `(B, classes)`. With an attack on images as they are attacked at the weights of the moment (Madry et al. 2018,
/// eq. 2.1).
#[derive(Debug, Clone)]
pub struct CrossEntropy {
    classifier: Classifier,
    attack: Option<Attack>,
    warmup_steps: u64,
    /// Steps done.
    steps: u64,
}

impl CrossEntropy {
    /// For a network; `attack` is what is done to training images first, its radius rising from 0 over `warmup_steps`.
    pub fn new(classifier: Classifier, attack: Option<Attack>, warmup_steps: u64) -> Self {
        Self { classifier, attack, warmup_steps, steps: 0 }
    }

    /// The network, for good.
    pub fn into_classifier(self) -> Classifier {
        self.classifier
    }

    fn mean(&self, batch: &Batch, share: f64, noise: &mut Noise) -> Result<Tensor> {
        let Some(labels) = &batch.context else {
            return Err(Error::data("batch", "no context", "labels, for a classifier to learn from"));
        };
        let attacked = match &self.attack {
            Some(attack) => {
                let attack = Attack { radius: share * attack.radius, ..attack.clone() };
                attack.run(&batch.x, noise, |x| self.classifier.odds_against(x, labels))?
            }
            None => batch.x.clone(),
        };
        Ok(self.classifier.cross_entropy(&attacked, labels)?.mean_all()?)
    }
}

impl Objective for CrossEntropy {
    fn name(&self) -> &'static str {
        match self.attack {
            Some(_) => "adversarial cross entropy",
            None => "cross entropy",
        }
    }

    fn parameters(&self) -> &Parameters {
        self.classifier.parameters()
    }

    fn loss(&mut self, batch: &Batch, noise: &mut Noise) -> Result<Loss> {
        self.steps += 1;
        let share = (self.steps as f64 / self.warmup_steps.max(1) as f64).min(1.0);
        Ok(Loss { total: self.mean(batch, share, noise)?, figures: Vec::new() })
    }

    fn validate(&self, batch: &Batch, noise: &mut Noise) -> Result<f64> {
        Ok(self.mean(batch, 1.0, noise)?.to_dtype(DType::F64)?.to_scalar::<f64>()?)
    }

    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        Ok(vec![("steps".into(), Tensor::new(&[self.steps as i64], &Device::Cpu)?)])
    }

    fn restore(&mut self, get: &dyn Fn(&str) -> Option<Tensor>) -> Result<()> {
        self.steps = Parameters::required_count("steps", get("steps"))?;
        Ok(())
    }
}
