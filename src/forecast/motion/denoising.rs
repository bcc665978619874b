//! The default: an energy for every noise level over whitened residuals.

use super::spec::{MotionModel, MotionRun, TrainedMotion};
use crate::error::{Error, Result};
use crate::forecast::auto;
use crate::forecast::baseline::VarFit;
use crate::forecast::config::{DenoisingConfig, LevelObjective, ModelConfig, RunConfig};
use crate::forecast::coordinates::{Eigen, ResidualCoordinates};
use crate::forecast::data::ChunkSource;
use crate::forecast::ebm::LevelForecaster;
use crate::forecast::limits::Limits;
use crate::model::{LevelEnergy, Leveled, MlpEnergy};
use crate::noise::Noise;
use crate::sample::diffusion::SamplerConfig;
use crate::train::EnergyObjective;
use crate::train::objective::{Denoising, Recovery};
use candle_core::{DType, Device, Tensor};

/// Tensor of the ranges in which motion was seen.
const LIMITS: &str = "limits";

/// The row of `denoising`.
#[derive(Debug)]
pub(super) struct DenoisingModel;

fn settings(config: &RunConfig) -> Result<&DenoisingConfig> {
    match &config.model {
        ModelConfig::Denoising(settings) => Ok(settings),
        other => Err(Error::config("model.kind", other.kind(), "denoising")),
    }
}

fn fresh(
    coordinates: &ResidualCoordinates,
    c: &DenoisingConfig,
    noise: &mut Noise,
    device: &Device,
) -> Result<LevelEnergy> {
    LevelEnergy::new(c.network(coordinates), noise, DType::F32, device)
}

impl DenoisingConfig {
    /// The objective of the settings, over an energy.
    fn objective(
        &self,
        energy: Leveled<MlpEnergy>,
        coordinates: &ResidualCoordinates,
    ) -> Result<Box<dyn EnergyObjective<Leveled<MlpEnergy>>>> {
        Ok(match &self.objective {
            LevelObjective::Denoising => {
                Box::new(Denoising::new(energy).weighted(coordinates.weights(self.weighting)?))
            }
            LevelObjective::Recovery(settings) => Box::new(Recovery::new(energy, settings.clone())?),
        })
    }
}

impl MotionModel for DenoisingModel {
    fn kind(&self) -> &str {
        "denoising"
    }

    fn train(&self, run: &mut MotionRun<'_>) -> Result<Box<dyn TrainedMotion>> {
        let (config, dataset) = (run.config, run.dataset);
        let c = settings(config)?;
        let (context, chunk) = config.model.frames();
        let channels = &dataset.frames.channels;
        let fit = VarFit::fit(&run.training.values, channels.len(), context, chunk, c.ridge)?;
        let limits = if c.limits { dataset.limits(context + chunk)? } else { Limits::none(channels.len()) };
        let coordinates = c.coordinates(fit)?.within(limits);
        let noise = auto::context_noise(c.context_noise, chunk);
        let source = ChunkSource::new(&coordinates, run.examples(), &run.validation, noise)?;
        let energy = fresh(&coordinates, c, &mut run.weights(), &dataset.device)?;
        let mut objective = c.objective(energy.leveled(), &coordinates)?;
        run.train(objective.as_mut(), &source)?;
        let energy = objective.into_learned().into_perceptron().to_device(&Device::Cpu)?;
        Ok(Box::new(LevelForecaster::new(coordinates, energy, config.sampler)?))
    }

    fn load(
        &self,
        config: &RunConfig,
        channels: usize,
        get: &dyn Fn(&str) -> Result<Tensor>,
    ) -> Result<Box<dyn TrainedMotion>> {
        let c = settings(config)?;
        let limits = match c.limits {
            true => Limits::from_tensor(&get(LIMITS)?, channels)?,
            false => Limits::none(channels),
        };
        let fit = VarFit::from_tensors(get)?;
        // Files of version 1 have no eigenvectors.
        let coordinates = match get(Eigen::VALUES) {
            Ok(_) => c.coordinates_along(fit, Eigen::from_tensors(get)?)?,
            Err(_) => c.coordinates(fit)?,
        };
        let coordinates = coordinates.within(limits);
        let energy = fresh(&coordinates, c, &mut Noise::new(0), &Device::Cpu)?;
        energy.parameters().assign(|name| get(&format!("weight/{name}")))?;
        Ok(Box::new(LevelForecaster::new(coordinates, energy, config.sampler)?))
    }
}

impl TrainedMotion for LevelForecaster {
    fn tensors(&self) -> Result<Vec<(String, Tensor)>> {
        let mut all = self.energy_model().parameters().named("weight/");
        all.extend(self.coordinates().fit().to_tensors()?);
        all.extend(self.coordinates().eigen().to_tensors()?);
        all.push((LIMITS.into(), self.coordinates().limits().to_tensor()?));
        Ok(all)
    }

    fn on(&self, device: &Device) -> Result<Box<dyn TrainedMotion>> {
        Ok(Box::new(self.clone().on(device)?))
    }

    fn with_sampler(&self, sampler: SamplerConfig) -> Result<Box<dyn TrainedMotion>> {
        Ok(Box::new(LevelForecaster::new(self.coordinates().clone(), self.energy_model().clone(), sampler)?))
    }

    fn level(&self) -> Option<&LevelForecaster> {
        Some(self)
    }
}
