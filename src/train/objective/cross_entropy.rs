//! Classification: the objective of the classifiers beside the energies.

use crate::error::{Error, Result};
use crate::model::{Classifier, Parameters};
use crate::noise::Noise;
use crate::sample::attack::Attack;
use crate::train::{Batch, Loss, Objective};
use candle_core::{DType, Tensor};

/// Fits a classifier's probabilities, given images `x` `(B, C, H, W)`, to the context: labels as rows of zeros and a one,
/// `(B, classes)`. With an attack on images as they are attacked at the weights of the moment (Madry et al. 2018, eq. 2.1).
#[derive(Debug, Clone)]
pub struct CrossEntropy {
    /// The network.
    pub classifier: Classifier,
    /// What is done to training images first.
    pub attack: Option<Attack>,
}

impl CrossEntropy {
    fn mean(&self, batch: &Batch, noise: &mut Noise) -> Result<Tensor> {
        let Some(labels) = &batch.context else {
            return Err(Error::Other("a classifier needs labels to learn from".into()));
        };
        let attacked = match &self.attack {
            Some(attack) => attack.run(&batch.x, noise, |x| self.classifier.odds_against(x, labels))?,
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
        Ok(Loss { total: self.mean(batch, noise)?, figures: Vec::new() })
    }

    fn validate(&self, batch: &Batch, noise: &mut Noise) -> Result<f64> {
        Ok(self.mean(batch, noise)?.to_dtype(DType::F64)?.to_scalar::<f64>()?)
    }
}
