//! What is attacked.

use crate::experiment::classifier::one_hot;
use crate::model::Classifier;
use candle_core::Tensor;
use ebmotion::Result;
use ebmotion::energy::Evaluated;

/// What an attack needs to know of a classifier.
pub trait Victim {
    /// The class of each image `(B, C, H, W)`, pixels in `[0, 1]`.
    ///
    /// # Errors
    /// [`ebmotion::Error::Shape`] when the images do not fit.
    fn classify(&self, x: &Tensor) -> Result<Vec<u32>>;

    /// `ln ((1 - p) / p)` of the labels' probabilities, and its gradient in the pixels.
    ///
    /// # Errors
    /// As [`Victim::classify`].
    fn odds_against(&self, x: &Tensor, labels: &[u32]) -> Result<Evaluated>;
}

impl Victim for Classifier {
    fn classify(&self, x: &Tensor) -> Result<Vec<u32>> {
        Ok(self.logits(x)?.argmax(1)?.to_vec1::<u32>()?)
    }

    fn odds_against(&self, x: &Tensor, labels: &[u32]) -> Result<Evaluated> {
        Classifier::odds_against(self, x, &one_hot(labels, self.config().classes)?)
    }
}
