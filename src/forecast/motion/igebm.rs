//! The paper's: an energy over frames, learned by contrastive divergence.

use super::spec::{MotionModel, MotionRun, TrainedMotion};
use crate::error::{Error, Result};
use crate::forecast::config::{IgebmConfig, ModelConfig, RunConfig};
use crate::forecast::data::FrameSource;
use crate::forecast::igebm::ChainForecaster;
use crate::model::{Mlp, MlpConfig, MlpEnergy, Network};
use crate::noise::Noise;
use crate::sample::diffusion::SamplerConfig;
use crate::train::objective::Contrastive;
use candle_core::{DType, Device, Tensor};

/// The row of `igebm`.
#[derive(Debug)]
pub(super) struct IgebmModel;

fn settings(config: &RunConfig) -> Result<&IgebmConfig> {
    match &config.model {
        ModelConfig::Igebm(settings) => Ok(settings),
        other => Err(Error::config("model.kind", other.kind(), "igebm")),
    }
}

fn fresh(c: &IgebmConfig, channels: usize, noise: &mut Noise, device: &Device) -> Result<MlpEnergy> {
    let config = MlpConfig {
        inputs: c.chunk * channels,
        context: c.context * channels,
        hidden: c.hidden.clone(),
        outputs: 1,
        activation: c.activation,
        positions: None,
        spectral_norm: c.spectral_norm,
    };
    Ok(MlpEnergy { net: Mlp::new(config, noise, DType::F32, device)? })
}

fn forecaster(c: &IgebmConfig, energy: MlpEnergy, channels: usize) -> Box<dyn TrainedMotion> {
    Box::new(ChainForecaster {
        energy,
        sampler: c.contrastive.sampler(),
        steps: c.contrastive.steps,
        start_noise: c.start_noise,
        context: c.context,
        chunk: c.chunk,
        channels,
    })
}

impl MotionModel for IgebmModel {
    fn kind(&self) -> &str {
        "igebm"
    }

    fn train(&self, run: &mut MotionRun<'_>) -> Result<Box<dyn TrainedMotion>> {
        let (config, dataset) = (run.config, run.dataset);
        let c = settings(config)?;
        if config.sampler != SamplerConfig::default() {
            let expected = "none: this model is drawn by the chains of `model.contrastive`";
            return Err(Error::config("sampler", "settings of a sampler down noise levels", expected));
        }
        let d = dataset.frames.channels.len();
        let source = FrameSource::new(run.examples(), &run.validation, c.start_noise)?;
        let energy = fresh(c, d, &mut run.weights(), &dataset.device)?;
        let shapes = ([c.chunk, d], [c.context, d]);
        let mut objective = Contrastive::new(energy, c.contrastive.clone(), &shapes.0, Some(&shapes.1))?;
        run.train(&mut objective, &source)?;
        let energy = MlpEnergy { net: objective.into_network().net.to_device(&Device::Cpu)? };
        Ok(forecaster(c, energy, d))
    }

    fn load(
        &self,
        config: &RunConfig,
        channels: usize,
        get: &dyn Fn(&str) -> Result<Tensor>,
    ) -> Result<Box<dyn TrainedMotion>> {
        let c = settings(config)?;
        let mut energy = fresh(c, channels, &mut Noise::new(0), &Device::Cpu)?;
        energy.parameters().assign(|name| get(&format!("weight/{name}")))?;
        energy.restore(get)?;
        Ok(forecaster(c, energy, channels))
    }
}

impl TrainedMotion for ChainForecaster {
    fn tensors(&self) -> Result<Vec<(String, Tensor)>> {
        let mut all = self.energy.parameters().named("weight/");
        all.extend(self.energy.state());
        Ok(all)
    }

    fn on(&self, device: &Device) -> Result<Box<dyn TrainedMotion>> {
        Ok(Box::new(self.clone().on(device)?))
    }
}
