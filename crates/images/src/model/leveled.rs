//! Convolutional energies for every noise level.

use super::conv::{ConvConfig, ConvEnergy};
use candle_core::{DType, Device};
use ebmotion::Result;
use ebmotion::model::Leveled;
use ebmotion::noise::Noise;

/// A fresh convolutional energy for every noise level. `config.context` counts the numbers of the context alone.
///
/// # Errors
/// As [`ConvEnergy::new`].
pub fn convolutional(
    mut config: ConvConfig,
    noise: &mut Noise,
    dtype: DType,
    device: &Device,
) -> Result<Leveled<ConvEnergy>> {
    config.context += Leveled::<ConvEnergy>::FEATURES;
    Ok(Leveled::over(ConvEnergy::new(config, noise, dtype, device)?))
}

/// A copy on a device, with weights of its own.
///
/// # Errors
/// As [`ConvEnergy::to_device`].
pub fn on_device(energy: &Leveled<ConvEnergy>, device: &Device) -> Result<Leveled<ConvEnergy>> {
    Ok(Leveled::over(energy.network().to_device(device)?).with_gain(energy.gain()))
}
