//! Images as training wants them.

use super::super::model::{ImageModelInfo, standardised};
use crate::image::{Augment, Images};
use candle_core::{DType, Device, Tensor};
use ebmotion::noise::Noise;
use ebmotion::train::objective::Augmentation;
use ebmotion::train::{Batch, BatchSource};
use ebmotion::{Error, Result};

/// Images as batches.
pub(super) struct Pictures<'a> {
    pub(super) images: &'a Images,
    pub(super) info: &'a ImageModelInfo,
    pub(super) train: Vec<usize>,
    pub(super) validation: Vec<usize>,
    pub(super) dropout: f64,
    /// Chains start from uniform noise.
    pub(super) chains: bool,
    /// Of the training images.
    pub(super) augment: Augment,
}

impl Pictures<'_> {
    fn of(&self, indices: &[usize], shown: &[bool], noise: &mut Noise) -> Result<Batch> {
        let x = standardised(self.images, indices, [self.info.shift, self.info.scale])?;
        let context = match self.info.conditional {
            true => {
                let labels = self.images.known_labels()?;
                let labels: Vec<_> = indices.iter().zip(shown).map(|(i, shown)| shown.then_some(labels[*i])).collect();
                self.info.context(&labels)?
            }
            false => None,
        };
        let start = match self.chains {
            true => Some(noise.uniform(x.dims(), DType::F32, &Device::Cpu)?),
            false => None,
        };
        Ok(Batch { x, context, start })
    }
}

impl BatchSource for Pictures<'_> {
    fn batch(&self, size: usize, noise: &mut Noise) -> Result<Batch> {
        let chosen: Vec<usize> = noise.indices(size, self.train.len()).into_iter().map(|i| self.train[i]).collect();
        let uniforms = noise.uniform(size, DType::F64, &Device::Cpu)?.to_vec1::<f64>()?;
        let shown: Vec<bool> = uniforms.iter().map(|uniform| *uniform >= self.dropout).collect();
        let batch = self.of(&chosen, &shown, noise)?;
        match self.augment.is_none() {
            true => Ok(batch),
            false => {
                let moved = Moved { augment: self.augment, shape: self.images.shape() };
                Ok(Batch { x: moved.augment(&batch.x, noise)?, ..batch })
            }
        }
    }

    fn validation(&self) -> Result<Option<Batch>> {
        let shown = vec![true; self.validation.len()];
        self.of(&self.validation, &shown, &mut Noise::new(0)).map(Some)
    }
}

/// Images, or chains of such, shifted and mirrored.
#[derive(Debug)]
pub(super) struct Moved {
    pub(super) augment: Augment,
    /// `[C, H, W]`.
    pub(super) shape: [usize; 3],
}

impl Augmentation for Moved {
    fn augment(&self, x: &Tensor, noise: &mut Noise) -> Result<Tensor> {
        let [c, h, w] = self.shape;
        if x.dims()[1..] != self.shape {
            let expected = format!("(B, {c}, {h}, {w})");
            return Err(Error::Shape { what: "images", found: x.dims().to_vec(), expected });
        }
        let mut values = x.flatten_all()?.to_vec1::<f32>()?;
        self.augment.apply(self.shape, &mut values, noise);
        Ok(Tensor::from_vec(values, x.shape(), x.device())?)
    }
}
